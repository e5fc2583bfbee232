"""The package as a whole: what importing it costs, the command line, the data it brings."""

import ast
import importlib
import inspect
import re
import runpy
import subprocess
import sys
from importlib.metadata import requires, version
from importlib.resources import files

import numpy as np
import pytest
from cnn_core.__main__ import main
from cnn_core.datasets import load_digits

import cnn_core
from cnn_core import _activations, _backprop, _dropout, _linalg, _losses


def python(code, **options):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, **options
    ).stdout


def test_numpy_is_the_only_dependency_at_run_time():
    assert [r for r in requires("cnn-core") if "extra ==" not in r] == ["numpy>=1.26"]
    loaded = python("import sys, cnn_core; print(*sys.modules)").split()
    assert not {"sklearn", "scipy", "pandas", "matplotlib", "torch", "ctypes.util"} & set(loaded)


def test_version_is_that_of_the_distribution():
    assert cnn_core.__version__ == version("cnn-core")


def test_the_installed_package_is_found_from_any_folder(tmp_path, request):
    for folder in (tmp_path, request.config.rootpath):
        python("import cnn_core; cnn_core.MLP; from cnn_core import _trainer", cwd=folder)


@pytest.mark.parametrize(
    "name",
    [
        "_cpu",
        "_memory",
        "_linalg",
        "_activations",
        "_losses",
        "_random",
        "_network",
        "_predict",
        "_dropout",
        "_backprop",
        "_dataset",
        "_optimizer",
        "_trainer",
    ],  # fmt: skip
)
def test_stubs_name_what_the_compiled_modules_have(name):
    module = importlib.import_module(f"cnn_core.{name}")
    stub = ast.parse((files("cnn_core") / f"{name}.pyi").read_text())
    stubs = {
        node.name: node for node in stub.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    own = {
        key: value
        for key, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and not key.startswith("_")
    }
    assert set(stubs) == set(own)
    for key, node in stubs.items():
        if isinstance(node, ast.ClassDef):
            inherited = dir(tuple) if issubclass(own[key], tuple) else ()
            members = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
            members |= {item.target.id for item in node.body if isinstance(item, ast.AnnAssign)}
            assert members - {"__init__"} == {
                member
                for member in dir(own[key])
                if not member.startswith("_") and member not in inherited
            }
        else:
            assert [a.arg for a in (*node.args.args, *node.args.kwonlyargs)] == list(
                inspect.signature(own[key]).parameters
            )


PAIR = np.ones((2, 2))


@pytest.mark.parametrize(
    "wrong, given",
    [
        (np.ones((2, 2), np.int64), "int64"),
        (PAIR.astype(np.float16), "float16"),
        ([[1.0]], "list"),
        (None, "NoneType"),
    ],
)
@pytest.mark.parametrize(
    "call, name",
    [
        (lambda x: _linalg.pack(x), "W"),
        (lambda x: _linalg.unpack(x, 2), "panels"),
        (lambda x: _linalg.transpose_panels(x, 2), "panels"),
        (lambda x: _linalg.affine(PAIR, x), "panels"),
        (lambda x: _linalg.matmul(x, PAIR), "A"),
        (lambda x: _linalg.matmul(A=PAIR, B=x), "B"),
        (lambda x: _linalg.matvec(PAIR, x), "x"),
        (lambda x: _linalg.dot(PAIR[0], x), "y"),
        (lambda x: _linalg.add_scaled(1, x, PAIR[0]), "x"),
        (lambda x: _linalg.column_sums(x, PAIR[0], 1), "X"),
        (lambda x: _activations.activation("relu", x), "z"),
        (lambda x: _activations.activation_backward("relu", PAIR, x), "gradient"),
        (lambda x: _activations.activation_derivative("softmax", x), "z"),
        (lambda x: _losses.loss("mse", x, PAIR), "out"),
        (lambda x: _backprop.backward_delta(x, PAIR, PAIR, "relu"), "W"),
        (lambda x: _backprop.gradients(x, PAIR), "delta"),
        (lambda x: _dropout.drop(x, 0.5, 1, 0, 0), "a"),
    ],
)
def test_an_array_of_a_wrong_type_is_named(call, name, wrong, given):
    with pytest.raises(
        TypeError, match=f"^{name} must be an ndarray of float32 or float64, got {given}$"
    ):
        call(wrong)


def test_an_array_of_other_dimensions_is_named():
    with pytest.raises(
        ValueError, match=r"^z must have 2 dimensions, got an array of shape \(2,\)$"
    ):
        _activations.activation("relu", PAIR[0])


@pytest.mark.filterwarnings("default")  # those of other libraries are not the example's concern
def test_the_tables_of_the_documentation_are_those_of_the_core(request):
    docs = request.config.rootpath / "docs"
    made = runpy.run_path(str(docs / "make_tables.py"))["text"]()
    assert (docs / "tables.md").read_text() == made


def test_links_of_the_documents_lead_somewhere(request):
    root = request.config.rootpath
    for document in (root / "README.md", *(root / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_digits_are_those_of_uci():
    X, y = load_digits()
    assert X.shape == (1797, 64) and X.dtype == np.float32 and set(np.unique(X)) <= set(range(17))
    assert y.shape == (1797,) and np.bincount(y).tolist() == [
        178,
        182,
        177,
        183,
        181,
        182,
        181,
        179,
        174,
        180,
    ]
    assert int(X.sum()) == 561718


def test_demo_trains_tests_and_says_where_the_time_went(capsys):
    assert main(["demo", "--epochs", "20"]) == 0
    out = capsys.readouterr().out
    assert "epoch 20/20" in out and "Test accuracy 9" in out
    for phase in cnn_core._backprop.phases:
        assert phase in out


def test_demo_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "cnn_core", "demo", "--epochs", "1"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "Test accuracy" in done.stdout and done.stderr == ""


@pytest.mark.parametrize("arguments", [[], ["demo", "--epochs", "0"], ["dmeo"]])
def test_wrong_commands_exit_with_2_and_a_hint(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and "usage:" in capsys.readouterr().err
