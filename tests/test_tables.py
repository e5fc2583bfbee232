"""What belongs to each row of the native tables: a new activation, loss or optimizer fails here,
and the message lists what is missing, and where."""

import inspect
import runpy
from pathlib import Path
from typing import get_args

import pytest
import reference_curvatures
import reference_numpy
from cnn_core.data.scaling import SCALINGS
from cnn_core.initializers import INITIALIZERS
from cnn_core.training.backends import BACKENDS
from test_activations import limits
from test_training import GOLDEN

from cnn_core import (
    MLP,
    _activations,
    _losses,
    _typing,
    activations,
    functional,
    losses,
    optimizers,
    reference,
)

DOCS = Path(__file__).resolve().parent.parent / "docs"
MADE = runpy.run_path(str(DOCS / "make_tables.py"))


def named_classes(module):
    """Names in the native table that classes of a module stand for."""
    return {getattr(item, "name", None) for _, item in inspect.getmembers(module, inspect.isclass)}


def has_limits(name):
    try:
        return len(limits(name, 1.0)) == 4
    except KeyError:
        return name == "softmax"


def on_page(page):
    text = (DOCS / page).read_text()
    return lambda name: f"`{name}`" in text


def in_docstring(name):
    return f"'{name}'" in MLP.__doc__


def in_literal(kind):
    return get_args(getattr(_typing, kind)).__contains__


#: Of each kind: the names of the native table, and what each of them needs: a sentence that says
#: what and where, and whether a name has it.
PLACES = {
    "activation": (
        _activations.names(),
        {
            "its name in `Activations` of python/cnn_core/_typing.py": in_literal("Activations"),
            "f and f' in `ACTIVATIONS` of cnn_core.reference": (
                {*reference.ACTIVATIONS, "softmax"}.__contains__
            ),
            "f and f' in `ACTIVATIONS` of tests/reference_numpy.py": (
                reference_numpy.ACTIVATIONS.__contains__
            ),
            "f'' in `SECOND_DERIVATIVES` of cnn_core.reference": (
                {*reference.SECOND_DERIVATIVES, "softmax"}.__contains__
            ),
            "f'' in `SECOND_DERIVATIVES` of tests/reference_numpy.py": (
                {*reference_numpy.SECOND_DERIVATIVES, "softmax"}.__contains__
            ),
            "its values at -inf and inf in `limits` of tests/test_activations.py": has_limits,
            "its formula in `FORMULAS` of docs/make_tables.py": MADE["FORMULAS"].__contains__,
            "a place on docs/activations.md": on_page("activations.md"),
            "its name in the docstring of MLP": in_docstring,
            "a class for its number in python/cnn_core/activations.py": lambda name: (
                name not in _activations.parameters() or name in named_classes(activations)
            ),
        },
    ),
    "loss": (
        _losses.names(),
        {
            "its name in `Losses` of python/cnn_core/_typing.py": in_literal("Losses"),
            "cost and delta in `LOSSES` of cnn_core.reference": reference.LOSSES.__contains__,
            "cost and delta in `LOSSES` of tests/reference_numpy.py": (
                reference_numpy.LOSSES.__contains__
            ),
            "its second derivatives in `LOSSES_ALONG` of cnn_core.reference": (
                reference.LOSSES_ALONG.__contains__
            ),
            "its second derivatives in `CURVATURES` of tests/reference_curvatures.py": (
                reference_curvatures.CURVATURES.__contains__
            ),
            "its formula in `COSTS` of docs/make_tables.py": MADE["COSTS"].__contains__,
            "a place on docs/losses.md": on_page("losses.md"),
            "its name in the docstring of MLP": in_docstring,
            "a class for its number in python/cnn_core/losses.py": lambda name: (
                not _losses.table()[name].param_name or name in named_classes(losses)
            ),
        },
    ),
    "optimizer": (
        functional.optimizer_names(),
        {
            "its name in `Optimizers` of python/cnn_core/_typing.py": in_literal("Optimizers"),
            "its class in `OPTIMIZERS` of python/cnn_core/optimizers.py": (
                optimizers.OPTIMIZERS.__contains__
            ),
            "its rule in `OPTIMIZERS` of cnn_core.reference": reference.OPTIMIZERS.__contains__,
            "hashes of 20 steps in `GOLDEN` of tests/test_training.py (its test prints them)": (
                lambda name: {(dtype, name) for dtype in ("float32", "float64")} <= set(GOLDEN)
            ),
        },
    ),
}


@pytest.mark.parametrize("kind", PLACES)
def test_each_row_of_the_native_tables_has_all_that_belongs_to_it(kind):
    names, places = PLACES[kind]
    missing = [
        f"{kind} {name!r} needs {place}"
        for name in names
        for place, has in places.items()
        if not has(name)
    ]
    assert not missing, "\n" + "\n".join(missing)


@pytest.mark.parametrize(
    "literal, names",
    [
        ("Activations", _activations.names()),
        ("Losses", _losses.names()),
        ("Optimizers", optimizers.OPTIMIZERS),
        ("Initializers", INITIALIZERS),
        ("Scalings", {"auto", *SCALINGS}),
        ("Backends", BACKENDS),
        ("Tasks", ("auto", "classification", "regression")),
    ],
)
def test_editors_complete_the_names_that_there_are_and_no_others(literal, names):
    assert set(get_args(getattr(_typing, literal))) == set(names)
