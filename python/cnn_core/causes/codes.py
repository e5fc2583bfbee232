"""Numbers that look like a code for a missing entry."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cnn_core.causes.data import ENOUGH, named, some_rows, which_target

ELEMENTS = 1 << 15  # that are looked at
#: Spans of the other numbers by which one must lie away from them: one of nines alone, any other.
NINES_AWAY, AWAY = 2.0, 20.0


def codes(values: np.ndarray, names: np.ndarray | None = None, y: bool = False) -> Iterator[str]:
    """A number far from all others of its column that comes several times.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
        In the units of the user.
    names : ndarray or None
        Of the features.
    y : bool
        Whether these are targets.

    Yields
    ------
    str
    """
    some = some_rows(values, ELEMENTS)
    if len(some) < ENOUGH:
        return
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
        if len(rest) < ENOUGH:
            continue
        count = int((values[:, i] == number).sum())
        which = which_target(i, values.shape[1], True) if y else f"C{named(i, names)[1:]} of X"
        yield (
            f"{which} is {number:.7g} in {count} rows, far from the others ({rest.min():.4g} to "
            f"{rest.max():.4g}), and looks like a code for a missing entry: "
            f"{'leave these rows out' if y else 'put the median there, or leave these rows out'}."
        )
        return


def _nines(number: float) -> bool:
    """Whether a number is 99, -999 and so on."""
    text = f"{abs(number):.10g}"
    return len(text) > 1 and set(text) == {"9"}
