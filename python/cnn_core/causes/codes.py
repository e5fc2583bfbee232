"""Numbers that look like a code for a missing entry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cnn_core.causes.data import ENOUGH, named, some_rows
from cnn_core.data.validation import which_target

ELEMENTS = 1 << 15  # that are looked at
#: Spans of the other numbers by which one must lie away from them: one of nines alone, any other.
NINES_AWAY, AWAY = 2.0, 20.0


class Code(NamedTuple):
    """A number that stands for a missing entry in one column."""

    column: int
    number: float
    rows: int
    low: float  #: the lowest and the highest of the other numbers
    high: float


def code(values: np.ndarray) -> Code | None:
    """A number far from all others of its column that comes several times.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
        In the units of the user.

    Returns
    -------
    Code or None
    """
    some = some_rows(values, ELEMENTS)
    if len(some) < ENOUGH:
        return None
    low, high = some.min(axis=0), some.max(axis=0)
    inner = np.where(some > low, some, np.inf).min(axis=0)
    outer = np.where(some < high, some, -np.inf).max(axis=0)
    with np.errstate(all="ignore"):
        span = outer - inner
        gaps = np.array([inner - low, high - outer]) / np.where(span > 0, span, np.inf)
    gaps[:, ~(span > 0)] = 0  # three numbers or fewer
    for end, i in np.argwhere(gaps > NINES_AWAY):
        column, number = some[:, i], float((low, high)[end][i])
        count = int((column == number).sum())
        if count < 2 or not (_nines(number) or (gaps[end, i] > AWAY and count < len(some) / 2)):
            continue
        rest = column[(column != low[i]) | (gaps[0, i] <= NINES_AWAY)]
        rest = rest[(rest != high[i]) | (gaps[1, i] <= NINES_AWAY)]
        if len(rest) >= ENOUGH:
            count = int((values[:, i] == number).sum())
            return Code(int(i), number, count, float(rest.min()), float(rest.max()))
    return None


def codes(values: np.ndarray, names: np.ndarray | None = None) -> Iterator[str]:
    """A sentence about a code in X.

    Parameters
    ----------
    values : ndarray, shape (rows, features)
        In the units of the user.
    names : ndarray or None
        Of the features.

    Yields
    ------
    str
    """
    found = code(values)
    if found is not None:
        which = f"C{named(found.column, names)[1:]} of X"
        cure = "put the median there, or leave these rows out"
        yield f"{which} is {found.number:.7g} in {found.rows} rows, {_looks(found)}: {cure}."


def code_of_targets(
    found: Code, n_outputs: int, training: bool, names: tuple[str, ...] = ()
) -> str:
    """A sentence about a code in y, of the training rows or of others."""
    which = which_target(found.column, n_outputs, names, not training)
    where = f"in {found.rows} rows" if training else f"in {found.rows} of these rows"
    begin = f"In training {which} was" if training else f"{which} is"
    return f"{begin} {found.number:.7g} {where}, {_looks(found)}: leave these rows out."


def _looks(found: Code) -> str:
    return (
        f"far from the others ({found.low:.4g} to {found.high:.4g}), and looks like a code for a "
        "missing entry"
    )


def _nines(number: float) -> bool:
    """Whether a number is 99, -999 and so on."""
    text = f"{abs(number):.10g}"
    return len(text) > 1 and set(text) == {"9"}
