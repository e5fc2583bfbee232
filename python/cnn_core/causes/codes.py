"""Numbers that look like a code for a missing entry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cnn_core._few import counted
from cnn_core.causes.data import ENOUGH, named, some_rows
from cnn_core.data.validation import which_target

ELEMENTS = 1 << 15  # that are looked at
#: Spans of the other numbers by which one must lie away from them: one of nines alone, any other.
NINES_AWAY, AWAY = 2.0, 20.0
#: One of nines that lies nearer, but by this share of the span, or -1 as the only negative number,
#: is a code in so many rows of so many kinds of numbers, if it comes so many times as often as
#: the next one.
NEAR, ROWS, KINDS, TIMES = 0.1, 100, 10, 3


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
        if len(rest) >= min(ENOUGH, len(some) // 2):
            count = int((values[:, i] == number).sum())
            return Code(int(i), number, count, float(rest.min()), float(rest.max()))
    for i in np.flatnonzero(may_be_code(np.array([low, high])).any(axis=0)):
        found = _near_code(int(i), some[:, i])
        if found is not None:
            return found._replace(rows=int((values[:, i] == found.number).sum()))
    return None


def may_be_code(ends: np.ndarray) -> np.ndarray:
    """Which of the lowest and the highest numbers are used as codes: -1, and those of nines.

    Parameters
    ----------
    ends : ndarray, shape (2, columns)

    Returns
    -------
    ndarray of bool, shape (2, columns)
    """
    found = np.array([[_nines(float(one)) for one in row] for row in ends])
    found[0] |= np.isclose(ends[0], -1)
    return found


def _near_code(i: int, column: np.ndarray) -> Code | None:
    """A code that the span of the other numbers does not give away."""
    numbers, counts = np.unique(column, return_counts=True)
    if len(column) < ROWS or len(numbers) <= KINDS:
        return None
    for end, inner, others in ((0, 1, numbers[1:]), (-1, -2, numbers[:-1])):
        number, span = float(numbers[end]), others[-1] - others[0]
        only_negative = end == 0 and np.isclose(number, -1) and others[0] >= 0
        apart = _nines(number) and abs(numbers[inner] - number) > NEAR * span
        if (only_negative or apart) and counts[end] >= TIMES * counts[inner]:
            return Code(i, number, int(counts[end]), float(others[0]), float(others[-1]))
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
        rows = counted(found.rows, "row")
        yield f"{which} is {found.number:.7g} in {rows}, {_looks(found)}: {cure}."


def code_of_targets(found: Code, n_outputs: int, where: str, names: tuple[str, ...] = ()) -> str:
    """A sentence about a code in y; `where`, which rows it is of, is as for `outliers.words`."""
    training = where == "training"
    which = which_target(found.column, n_outputs, names, not training)
    rows = f"{found.rows} of these rows" if where == "these rows" else counted(found.rows, "row")
    begin = f"In training {which} was" if training else f"{which} is"
    return f"{begin} {found.number:.6g} in {rows}, {_looks(found)}: leave these rows out."


def _looks(found: Code) -> str:
    away = max(found.low - found.number, found.number - found.high)
    where = "far from" if away > NINES_AWAY * (found.high - found.low) else "apart from"
    return (
        f"{where} the others ({found.low:.4g} to {found.high:.4g}), and looks like a code for a "
        "missing entry"
    )


def _nines(number: float) -> bool:
    """Whether a number is 99, -999 and so on."""
    text = f"{abs(number):.6g}"  # of float32, scaled and brought back
    return len(text) > 1 and set(text) == {"9"}
