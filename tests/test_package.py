"""The package as a whole: what importing it costs, the command line, the data it brings."""

import ast
import importlib
import inspect
import shutil
import subprocess
import sys
from importlib.metadata import requires, version
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from cnn_core.datasets import load_digits

import cnn_core
from cnn_core import _linalg


def python(code, **options):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, **options
    ).stdout


def test_numpy_safetensors_and_narwhals_are_the_only_dependencies_at_run_time():
    needed = {r.replace(" ", "") for r in requires("cnn-core") if "extra ==" not in r}
    assert needed == {"numpy>=1.26", "safetensors>=0.4", "narwhals>=2.0"}
    loaded = python("import sys, cnn_core; print(*sys.modules)").split()
    late = {"sklearn", "scipy", "pandas", "matplotlib", "torch", "ctypes.util"}
    late |= {"safetensors", "narwhals"}
    assert not late & set(loaded)


def test_a_program_that_only_predicts_imports_nothing_of_training():
    loaded = set(python("import sys, cnn_core; print(*sys.modules)").split())
    trains = {"_trainer", "_backprop", "_dataset", "data.prepare", "data.auto_scaling"}
    assert not loaded & {f"cnn_core.{name}" for name in (*trains, "training.fit")}


def test_version_is_that_of_the_distribution():
    assert cnn_core.__version__ == version("cnn-core")


@pytest.mark.slow
def test_the_installed_package_is_found_from_any_folder(tmp_path, request):
    for folder in (tmp_path, request.config.rootpath):
        python("import cnn_core; cnn_core.MLP; from cnn_core import _trainer", cwd=folder)


def test_the_installed_package_has_every_file_of_the_source(request):
    def names(folder):
        kinds = (".py", ".pyi", ".typed", ".npz")
        return {path.relative_to(folder) for path in folder.rglob("*") if path.suffix in kinds}

    source = request.config.rootpath / "python" / "cnn_core"
    assert names(source) == names(Path(cnn_core.__file__).parent)
    folders = {path.parent for path in names(source)}
    assert len(folders) > 5 and all(
        (source / folder / "__init__.py").exists() for folder in folders
    )


def test_sources_without_the_native_core_say_that_it_is_not_built(tmp_path, request):
    source = request.config.rootpath / "python" / "cnn_core"
    shutil.copytree(source, tmp_path / "cnn_core", ignore=shutil.ignore_patterns("*.so", "*.pyd"))
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import cnn_core"
    with pytest.raises(subprocess.CalledProcessError) as failed:
        python(code, cwd=tmp_path)
    last = failed.value.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: the native core is not built for this Python: ")
    assert str(tmp_path) in last and "pip install ." in last


def test_modules_that_are_imported_late_are_there_when_asked_for():
    code = """
import sys, cnn_core
print(*(f"cnn_core.{name}" in sys.modules for name in ("functional", "_trainer", "datasets")))
print(cnn_core.functional.matvec, cnn_core.datasets.load_digits, "functional" in dir(cnn_core))
cnn_core.nothing"""
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert found.stdout.startswith("False False False\n<") and found.stdout.endswith("True\n")
    assert found.stderr.endswith("module 'cnn_core' has no attribute 'nothing'\n")


def imports_of(path, modules):
    """The modules of the package that a source file or a stub imports, anywhere in it but for the
    names of types."""
    nodes = [ast.parse(path.read_text())]
    for node in nodes:
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                full = f"{node.module}.{name.name}"
                yield full if full in modules else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


@pytest.mark.slow
def test_no_module_imports_itself_by_way_of_others(request):
    root = request.config.rootpath / "python"
    modules = {}
    for path in (root / "cnn_core").rglob("*.py*"):
        if path.suffix in (".py", ".pyi"):
            parts = path.relative_to(root).with_suffix("").parts
            modules.setdefault(".".join(parts).removesuffix(".__init__"), []).append(path)
    # What is imported from cnn_core itself leads everywhere: the package is the sum of its parts.
    known = set(modules) - {"cnn_core"}
    edges = {
        name: {found for path in paths for found in imports_of(path, modules)} & known - {name}
        for name, paths in modules.items()
    }
    for name in known:
        seen, new = set(), edges[name]
        while new:
            seen |= new
            new = set().union(*(edges[other] for other in new)) - seen
        assert name not in seen, name


@pytest.mark.parametrize(
    "name",
    [
        "_control",
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
    ],
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
            inherited = {name for base in own[key].__mro__[1:-1] for name in dir(base)}
            members = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
            members |= {item.target.id for item in node.body if isinstance(item, ast.AnnAssign)}
            assert {name for name in members if not name.startswith("_")} == {
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
        (lambda x: _linalg.transpose_panels(x, 2), "panels"),
        (lambda x: _linalg.dot(PAIR[0], x), "y"),
        (lambda x: _linalg.axpy(1, x, PAIR[0]), "x"),
        (lambda x: _linalg.column_sums(x, PAIR[0], 1), "X"),
    ],
)
def test_an_array_of_a_wrong_type_is_named(call, name, wrong, given):
    with pytest.raises(
        TypeError, match=f"^{name} must be an ndarray of float32 or float64, got {given}$"
    ):
        call(wrong)


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
