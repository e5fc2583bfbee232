"""The documents: their examples run and print what they say, and what they name is there.

In README.md and every Markdown file below docs a ```python block is an example. All examples of a
page share one namespace, in a new interpreter and an empty folder; packages that send what they are
told to a server are replaced by those of tests/fakes, and a page about one that is not installed is
left out. A ```text block is the output of the example
before it, to the letter. What docs/make_tables.py generates is as it makes it.
"""

import ast
import functools
import json
import os
import pkgutil
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cnn_core._settings import Settings
from cnn_core.dask import DaskMLP
from cnn_core.data.scaling import SCALINGS
from cnn_core.initializers import INITIALIZERS

import cnn_core
from cnn_core import _activations, _losses, activations, losses, optimizers, schedules

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES_OF = [page.relative_to(ROOT).as_posix() for page in PAGES]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = r"[\w./-]*\w\.(?:pyx|pxd|pyi|py|c|h|md|npz|toml)"
OPTIONAL = ("dask", "optuna", "ray")  # packages that some pages are about
LIMIT = 60  # seconds for a page; a second or two is what one should take on a quiet machine

RUN = """
import contextlib, io, json, sys
page, outputs, namespace = json.load(sys.stdin), [], {"__name__": "__main__"}
for line, code in page["examples"]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile("\\n" * line + code, page["name"], "exec"), namespace)
    outputs.append(out.getvalue())
json.dump(outputs, sys.stdout)
"""


def examples(text):
    """(line, code, expected output or None) of each example."""
    found = []
    for block in FENCED.finditer(text):
        language, content = block.groups()
        if language == "python":
            found.append([text.count("\n", 0, block.start()) + 1, content, None])
        elif language == "text":
            assert found and found[-1][2] is None, f"no example for the output {content!r}"
            found[-1][2] = content
    return found


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=NAMES_OF)
def test_examples_run_and_print_what_the_page_says(page, tmp_path):
    shown = examples(page.read_text())
    if not shown:
        return
    for package in OPTIONAL:
        if any(f"import {package}" in code for _, code, _ in shown):
            pytest.importorskip(package)
    if page.name == "scale.md":  # cnn_core.distributed.mpi imports it
        pytest.importorskip("mpi4py")
    paths = [str(ROOT / "tests" / "fakes"), os.environ.get("PYTHONPATH", "")]
    job = json.dumps({"name": str(page), "examples": [(line, code) for line, code, _ in shown]})
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN],
        input=job,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for (line, _, expected), printed in zip(shown, json.loads(done.stdout), strict=True):
        if expected is not None:
            assert printed == expected, f"{page.name}, the example at line {line}"


TABLES = runpy.run_path(str(ROOT / "docs" / "make_tables.py"))


@pytest.mark.parametrize("page", PAGES, ids=NAMES_OF)
def test_generated_parts_are_those_of_the_core_and_the_docstrings(page):
    assert page.read_text() == TABLES["updated"](page.read_text())


def test_each_generated_part_is_on_one_page():
    found = [name for page in PAGES for _, name, _ in TABLES["PART"].findall(page.read_text())]
    assert sorted(found) == sorted(TABLES["PARTS"])


@pytest.mark.parametrize("page", PAGES, ids=NAMES_OF)
def test_no_page_sends_users_to_a_private_module(page):
    text = page.read_text()
    for _, code, _ in examples(text):
        assert not re.search(r"cnn_core\._|import _|\b_[a-z]\w*\.[a-z]", code), page.name
    if page.name != "architecture.md":  # which is about the modules that there are
        private = [span for span in spans(page) if re.match(r"(cnn_core\.)?_[a-z]\w*\.[a-z]", span)]
        assert all(re.fullmatch(FILE, span) for span in private), private


def headings(page):
    """The anchors of a page's headings, as code hosts make them."""
    lines = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", line.lower()).strip().replace(" ", "-") for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=NAMES_OF)
def test_links_lead_to_files_and_headings(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text())):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


def spans(page):
    """What stands in backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", FENCED.sub("", page.read_text()))


def files_named(name, page):
    """Files that a page may mean by a path or by the end of one."""
    ends = [
        path
        for folder in ("cnn_core", "python", "tests", "docs", "benchmarks")
        for path in (ROOT / folder).rglob(name.rpartition("/")[2])
        if path.as_posix().endswith("/" + name)
    ]
    return [path for path in (ROOT / name, page.parent / name, *ends) if path.is_file()]


@functools.cache
def sources():
    """The texts of all Python and Cython files of the package."""
    return [
        path.read_text()
        for folder in ("cnn_core", "python")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".py", ".pyx", ".pxd")
    ]


def defines(text, name):
    """Whether Python or Cython source defines `name`, such as 'affine' or 'Backprop.cost'."""
    owner, _, name = name.rpartition(".")
    if owner:
        bodies = re.findall(
            rf"^(?:cdef )?class {owner}\b.*?(?=^[^\s)]|\Z)", text, re.DOTALL | re.MULTILINE
        )
        return any(defines(body, name) for body in bodies)
    return bool(
        re.search(
            rf"^\s*(?:c?p?def|class)\b[^=(\n]*\b{name}\b|^\s*{name}\s*[:=]", text, re.MULTILINE
        )
    )


@pytest.mark.parametrize("page", PAGES, ids=NAMES_OF)
def test_files_that_are_named_exist(page):
    for span in spans(page):
        if re.fullmatch(FILE, span):
            assert files_named(span, page), span
        elif re.fullmatch(r"[\w.-]+(/[\w.-]+)*/", span):
            assert any((root / span).is_dir() for root in (ROOT, ROOT / "python/cnn_core")), span


@pytest.mark.parametrize("page", PAGES, ids=NAMES_OF)
def test_what_is_said_to_be_in_a_file_is_there(page):
    text = FENCED.sub("", page.read_text())
    for names, file in re.findall(rf"((?:`[^`\n]+`(?:,|\s+and)?\s+)+)in\s+`({FILE})`", text):
        for name in re.findall(r"`([^`]+)`", names):
            for path in files_named(file, page):
                text_of_file = path.read_text()
                there = (
                    re.search(rf"\b{re.escape(name)}(?!\w)", text_of_file)
                    if path.suffix in (".h", ".c")
                    else defines(text_of_file, name)
                )
                assert there, f"{name} in {file}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES_OF)
def test_dotted_names_lead_to_something(page):
    code = "".join(code for _, code, _ in examples(page.read_text()))
    modules = {module.name for module in pkgutil.iter_modules(cnn_core.__path__)}
    for span in spans(page):
        name = re.match(r"(?:help\()?([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)", span)
        if not name or re.fullmatch(FILE, span):
            continue
        head, _, rest = name[1].partition(".")
        if re.search(rf"\bas {head}$|^{head} = ", code, re.MULTILINE):  # a name of the examples
            continue
        if head == "model":  # a user's
            assert hasattr(cnn_core.MLP, rest), span
        elif head in cnn_core.__all__:
            assert hasattr(getattr(cnn_core, head), rest), span
        elif head in modules:
            pkgutil.resolve_name(f"cnn_core.{name[1]}")
        elif head == "cnn_core":
            pkgutil.resolve_name(name[1])
        else:
            assert any(defines(text, name[1]) for text in sources()), span


@pytest.mark.parametrize("page", PAGES, ids=NAMES_OF)
def test_calls_and_settings_are_accepted(page):
    known = {name: getattr(cnn_core, name) for name in cnn_core.__all__} | vars(schedules)
    for span in spans(page):
        call, setting = (
            re.match(r"([A-Z]\w+)\(.*\)$", span),
            re.fullmatch(r"([a-z]\w*)=([^=].*)", span),
        )
        if call and call[1] in known and "..." not in span:
            eval(span, known)
        elif setting:
            setting = {setting[1]: ast.literal_eval(setting[2])}
            if page.name == "scikit-learn.md":
                pytest.importorskip("cnn_core.sklearn").MLPClassifier(**setting)._validate_params()
            elif page.name == "dask.md":
                DaskMLP(**setting)
            else:
                cnn_core.MLP(**setting)


def test_the_parameters_of_scikit_learns_estimators_are_on_their_page_with_the_defaults():
    module = pytest.importorskip("cnn_core.sklearn")
    text, seen = (ROOT / "docs" / "scikit-learn.md").read_text(), set()
    defaults = module.MLPRegressor().get_params() | module.MLPClassifier().get_params()
    for names, values in re.findall(
        r"^\| `?([a-z]\w+(?:, \w+)*)`?(?:, of MLPRegressor)? \| ([^|]+) \| [^|]+ \|$",
        text,
        re.MULTILINE,
    ):
        if names.split(", ")[0] in defaults:
            names, values = names.split(", "), ast.literal_eval(f"[{values}]")
            assert [defaults[name] for name in names] == (
                values * len(names) if len(values) == 1 else values
            ), names
            seen |= {*names}
    assert seen == set(defaults)


def objects_of(module):
    """The settings objects that users make from a module, with their defaults."""
    classes = [
        item
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, Settings)
        and item.__module__ == module.__name__
        and "__init__" in vars(item) | vars(item.__mro__[1])
    ]
    return [
        cls()
        for cls in classes
        if cls not in (activations.Activation, optimizers.Optimizer, schedules.Schedule)
    ]


REGULARISATION = [
    "l1",
    "l2",
    "dropout",
    "max_norm",
    "clip_norm",
    "label_smoothing",
    "early_stopping",
    "patience",
    "min_delta",
    "validation_fraction",
    "restore_best",
]
ELSEWHERE = {
    "hidden",
    "activation",
    "task",
    "output",
    "loss",
    "optimizer",
    "class_weight",
}  # parameters that other pages are about


@pytest.mark.parametrize("page, names", [
    ("activations.md", _activations.names()),
    ("activations.md", [repr(one) for one in objects_of(activations)]),
    ("losses.md", _losses.names()),
    ("losses.md", [type(one).__name__ for one in objects_of(losses)]),
    ("optimizers.md", [repr(one) for one in objects_of(optimizers)]),
    ("optimizers.md", [repr(one) for one in objects_of(schedules)]),
    ("regularisation.md", REGULARISATION),
    ("training.md", list(INITIALIZERS)),
    ("training.md", [repr(one()) for one in INITIALIZERS.values() if vars(one())]),
    ("training.md", list(SCALINGS)),
])  # fmt: skip
def test_each_page_has_all_of_its_kind_with_the_defaults(page, names):
    assert len(names) and set(names) <= set(spans(ROOT / "docs" / page))


def test_every_parameter_of_mlp_is_on_one_of_its_pages():
    pages = [ROOT / "docs" / name for name in ("regularisation.md", "tables.md", "training.md")]
    words = {re.match(r"\w*", span)[0] for page in pages for span in spans(page)}
    assert set(cnn_core.MLP._defaults()) - ELSEWHERE <= words


def test_defaults_of_regularisation_are_those_of_mlp():
    text, defaults, seen = (
        (ROOT / "docs" / "regularisation.md").read_text(),
        cnn_core.MLP._defaults(),
        [],
    )
    for names, values in re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \| ([\w., ]+) \|", text, re.MULTILINE
    ):
        names, values = (
            re.findall(r"\w+", names),
            [ast.literal_eval(value) for value in values.split(", ")],
        )
        assert [defaults[name] for name in names] == (
            values * len(names) if len(values) == 1 else values
        ), names
        seen += names
    assert sorted(seen) == sorted(REGULARISATION)


def test_numbers_on_the_pages_are_those_of_the_core():
    pages = {name: (ROOT / "docs" / name).read_text() for name in ("activations.md", "losses.md")}
    for name, (parameter, standard) in _activations.parameters().items():
        row = re.search(rf"^\| `{name}` \|.*$", pages["activations.md"], re.MULTILINE)[0]
        assert row.split("|")[2].strip().endswith(f"; {parameter} = {standard:g}"), name
    for name, row in _losses.table().items():
        if row.param_name:
            number = row.default_param
            shown = number if isinstance(number, tuple) else f"{number:g}"
            line = re.search(rf"^\| `{name}` \|.*$", pages["losses.md"], re.MULTILINE)[0]
            assert f"; {row.param_name} = {shown} |" in line


def test_derivatives_at_zero_are_those_of_the_table():
    text = (ROOT / "docs" / "activations.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| ([\d.]+) \|", text, re.MULTILINE)
    assert {name for name, _ in rows} == {*_activations.names()} - {"softmax"}  # a matrix
    for name, written in rows:
        slope = _activations.activation_derivative(name, np.zeros((1, 1)))[0, 0]
        assert slope == pytest.approx(float(written), abs=5e-5), name
