"""Targets so far from all others that they make up the squared error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cnn_core._settable import settable
from cnn_core.data.validation import which_target

FEWEST = 20  # rows, fewer of which tell nothing
FEW = 0.01  # share of the rows that may be outliers
AWAY = 20.0  # ratio of their distance from the median and that of the next entry
MADE_UP = 0.5  # share of the squared distances from the median that they must make up
EQUAL = 1e-12  # distance of the next entry beside theirs, from which the others vary at all
VARIED = 10  # others that differ from the median, for each outlier: few may be rare as well
ROUNDING = 1e-6  # of the furthest one, by which others may lie below 0
BLOCK = 1 << 18  # entries looked at together
ROBUST = ("mae", "huber", "pinball")  # losses that outliers do not rule


class Outliers(NamedTuple):
    """Those of one column of y."""

    column: int
    rows: int
    number: float  #: the one furthest away
    low: float  #: the lowest and the highest of the others
    high: float
    share: float  #: of the squared distances from the median; 0 where it is not known


def outliers(y: np.ndarray, fewest: int = FEWEST, few: float = FEW) -> list[Outliers]:
    """The columns of y with a few entries that lie far from all others.

    Parameters
    ----------
    y : ndarray, shape (rows, n_outputs)
    fewest : int
        Rows, fewer of which tell nothing.
    few : float
        Share of the rows that may be outliers.

    Returns
    -------
    list of Outliers
    """
    n = len(y)
    if n < fewest:
        return []
    most = max(1, int(few * n))
    found = (_of_column(int(i), y[:, i].astype(np.float64), most) for i in _suspects(y, most))
    return [one for one in found if one is not None]


def _suspects(y: np.ndarray, most: int) -> np.ndarray:
    """The columns whose furthest entries could make up so much."""
    n, rows = len(y), max(1, BLOCK // y.shape[1])
    first = y[0].astype(np.float64)
    sums, squares, low, high = np.zeros((4, y.shape[1]))
    with np.errstate(all="ignore"):
        for begin in range(0, n, rows):
            block = y[begin : begin + rows] - first
            sums, squares = sums + block.sum(axis=0), squares + np.square(block).sum(axis=0)
            low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
        mean = sums / n
        furthest = np.maximum(high - mean, mean - low)
        return np.flatnonzero(most * furthest**2 > MADE_UP * (squares - n * mean**2))


def _of_column(i: int, y: np.ndarray, most: int) -> Outliers | None:
    distance = np.abs(y - np.median(y))
    furthest = np.sort(np.partition(distance, len(y) - most - 1)[-most - 1 :])[::-1]
    outer, inner = furthest[:-1], furthest[1:]
    gaps = np.flatnonzero((outer > AWAY * inner) & (inner > EQUAL * furthest[0]))
    if not len(gaps):
        return None
    far = distance > inner[gaps[-1]]
    relative = np.square(distance / furthest[0])
    share = float(relative[far].sum() / relative.sum())
    if share <= MADE_UP:
        return None
    others, number = y[~far], float(y[distance.argmax()])
    if np.count_nonzero(distance[~far]) < min(VARIED * int(far.sum()), len(others) - 1):
        return None
    if _is_tail(np.sign(number) * others, abs(number)):
        return None
    return Outliers(i, int(far.sum()), number, float(others.min()), float(others.max()), share)


def _is_tail(others: np.ndarray, number: float) -> bool:
    """Whether numbers of one sign spread over so many orders of magnitude that another one is not
    far from them in its logarithm."""
    if others.min() < -ROUNDING * number:
        return False
    sizes = others[others > 0]
    return bool(len(sizes) and number / sizes.max() < sizes.max() / sizes.min())


def words(
    found: Outliers, n_outputs: int, loss: str, where: str = "", names: tuple[str, ...] = ()
) -> str:
    """A sentence about outliers.

    Parameters
    ----------
    found : Outliers
    n_outputs : int
    loss : str
        That is trained with.
    where : {'', 'training', 'these rows'}
        Which rows they are of; empty in a fit.
    names : tuple of str
        Of the columns of y.

    Returns
    -------
    str
    """
    rows = f"{found.rows} row{'s' * (found.rows > 1)}"
    if where == "these rows":
        rows = f"{found.rows} of these rows"
    number = f"{found.number:.4g}" if found.rows == 1 else f"{found.number:.4g} or so"
    which = which_target(found.column, n_outputs, names, where != "training")
    if where == "training":
        which = f"In training {which}"
    verb, makes = ("was", "made") if where == "training" else ("is", "makes")
    error = "the squares of R2" if loss in ROBUST else "the squared error"
    cure = "check it"
    if loss == "mse" and where != "these rows":
        cure += ", or take loss='mae' or Huber()" if settable("loss") else ""
    elif loss in ROBUST:
        cure += ", as R2 says little beside it"
    others = f"({found.low:.4g} to {found.high:.4g})"
    if not found.share:
        return f"{which} {verb} {number} in {rows}, far from all before {others}: {cure}."
    return (
        f"{which} {verb} {number} in {rows}, far from the others {others}, and {makes} up "
        f"{100 * found.share:.4g} % of {error}: {cure}."
    )


def far_from(seen: np.ndarray | None, rows: int, y: np.ndarray) -> np.ndarray:
    """Which entries lie as far from all rows before as outliers do, in a call of a stream.

    Parameters
    ----------
    seen : ndarray, shape (2, n_outputs), or None
        The lowest and the highest of the rows before.
    rows : int
        How many these were.
    y : ndarray, shape (rows, n_outputs)

    Returns
    -------
    ndarray of bool, shape (rows, n_outputs)
    """
    if seen is None or rows < FEWEST:
        return np.zeros(y.shape, bool)
    half = (seen[1] - seen[0]) / 2
    distance = np.abs(y - (seen[0] + half))
    far: np.ndarray = (distance > AWAY * half) & (half > EQUAL * distance)
    for i in map(int, np.flatnonzero(far.any(axis=0))):
        number = _furthest(y[:, i], distance[:, i])
        if _is_tail(np.sort(np.sign(number) * seen[:, i]), abs(number)):
            far[:, i] = False
    return far


def beyond(seen: np.ndarray, y: np.ndarray, far: np.ndarray) -> list[Outliers]:
    """The columns of y with entries that `far_from` has found. Their share is 0: it is not
    known."""
    found = []
    for i in map(int, np.flatnonzero(far.any(axis=0))):
        low, high = map(float, seen[:, i])
        number = _furthest(y[:, i], np.where(far[:, i], np.abs(y[:, i] - (low + high) / 2), -1))
        found.append(Outliers(i, int(np.count_nonzero(far[:, i])), number, low, high, 0.0))
    return found


def _furthest(y: np.ndarray, distance: np.ndarray) -> float:
    return float(y[distance.argmax()])


def without(found: list[Outliers], y: np.ndarray) -> np.ndarray:
    """Which rows have none of these outliers."""
    keep = np.ones(len(y), bool)
    for one in found:
        keep &= (y[:, one.column] >= one.low) & (y[:, one.column] <= one.high)
    return keep
