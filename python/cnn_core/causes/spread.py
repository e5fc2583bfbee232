"""Features of other rows that lie or spread elsewhere than in training, one by one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

NORMAL = 1.3489795003921634  # distance of the quartiles of a normal distribution of deviation 1
#: Distance of the quartiles in deviations from which a feature has two or three values, whose
#: quartiles jump.
COARSE = 1.9
#: A feature spreads otherwise where its quartiles lie so many times as far apart, or as near, times
#: 1 + 2 / sqrt(rows of training), and its deviation goes along.
TIMES, ALONG = 2.0, 1.4
#: Deviations that the middle of a feature may lie away: of rows that go badly, and of validation
#: rows, which may be of another time.
AWAY, AWAY_OF_VALIDATION = 0.7, 6.0
ERRORS = 3.0  # standard errors of the rank of a quantile within which it may be by chance
STUCK = 50  # rows that all have one number
FEWEST = 30  # rows whose spread tells


class Known(NamedTuple):
    """Of the features in training, as the network reads them; each of shape (2, features)."""

    moments: np.ndarray  #: mean and deviation
    quartiles: np.ndarray
    rows: int  #: that these are of
    curve: str = "linear"  #: of the scaling
    away: float = AWAY
    zero: np.ndarray | None = None  #: what the network reads for 0, before the curve; None: 0
    measured: np.ndarray | None = None  #: whether each is a number as it was given; None: all are


def _straight(T: np.ndarray, curve: str) -> np.ndarray:
    """Scaled numbers before the curve of their scaling."""
    if curve == "asinh":
        return np.asarray(np.sinh(T))
    if curve == "smooth clip":
        straight: np.ndarray = T / np.sqrt(np.maximum(1 - (T / 3) ** 2, 1e-6))
        return straight
    return T


def other_columns(X: np.ndarray, known: Known) -> tuple[int, str] | None:
    """A feature whose middle lies away, that spreads much more or less, or that stands still.

    Parameters
    ----------
    X : ndarray of float64, shape (rows, features)
        As the network reads it.
    known : Known

    Returns
    -------
    (int, str) or None
        The feature, and a clause about it.
    """
    moments, rows = known.moments, len(X)
    S = _straight(np.sort(X, axis=0), known.curve)
    quartiles = _straight(known.quartiles, known.curve)
    lower, upper = quartiles[0], quartiles[1]
    there, middle = upper - lower, (lower + upper) / 2
    # Without these quartiles it says too little.
    varied = (there > 1e-6 * np.maximum(np.abs(lower), np.abs(upper))) & (moments[1] > 0)
    if known.measured is not None:
        varied &= known.measured
    unit = np.where(varied, there, 1.0)
    stuck = np.flatnonzero(varied & (S[0] == S[-1]) & (rows >= STUCK))
    if len(stuck):
        return int(stuck[0]), "is the same in every row"
    fine = known.quartiles[1] - known.quartiles[0] < COARSE * moments[1]
    varied &= fine & (S[0] < S[-1])
    # Where the quartiles may lie by chance, whatever the distribution.
    first, most = _quantile(S, 0.25, ERRORS), _quantile(S, 0.75, ERRORS)
    outer, inner = (most[1] - first[0]) / unit, (most[0] - first[1]) / unit
    times = np.where(varied, (_quantile(S, 0.75)[0] - _quantile(S, 0.25)[0]) / unit, 1.0)
    along = np.where(varied, X.std(axis=0) / np.where(varied, moments[1], 1.0), 1.0)
    factor = TIMES * (1 + 2 / np.sqrt(known.rows))
    wide, narrow = (inner > factor) & (along > ALONG), (outer < 1 / factor) & (along < 1 / ALONG)
    # Other units keep the ratio of a middle to its spread, rows of a shorter time do not.
    zero = 0.0 if known.zero is None else known.zero
    ratio, here = np.abs(middle - zero) / unit, _quantile(S, 0.75)[0] - _quantile(S, 0.25)[0]
    narrow &= np.abs(_quantile(S, 0.5)[0] - zero) <= (1 + 2 * ratio) * here
    smooth = (first[0] < first[1]) & (most[0] < most[1])  # not one number, of which many come
    other = (wide | narrow) & varied & smooth & (rows >= FEWEST)
    least, greatest = _quantile(S, 0.5, ERRORS)
    off = np.where(varied, np.maximum(least - middle, middle - greatest) / unit * NORMAL, 0.0)
    # What is far away beside how far it spreads here is one thing, what spreads otherwise another.
    size = np.abs(np.log(np.where(other, times, 1.0)))
    i, k = int(size.argmax()), int(off.argmax())
    if other[i]:
        return i, f"spreads {times[i]:.2g} times as far as in training"
    if off[k] <= known.away + 2 / np.sqrt(known.rows):
        return None
    distance = abs(_quantile(S, 0.5)[0][k] - middle[k]) / unit[k] * NORMAL
    return k, f"lies {distance:.1f} standard deviations from its middle there"


def _quantile(S: np.ndarray, share: float, errors: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A quantile of each column of sorted numbers, less and plus so many standard errors."""
    n = len(S)
    most = errors * np.sqrt(n * share * (1 - share))
    low, high = (min(max(round(share * (n - 1) + e), 0), n - 1) for e in (-most, most))
    return S[low], S[high]


def needs_scaling(moments: np.ndarray) -> bool:
    """Whether features with these means and deviations, which are of few rows, may need scaling."""
    # Here, as those who only predict need nothing of it.
    from cnn_core.data.auto_scaling import FAR, LARGEST, SMALLEST, UNEQUAL

    mean, size = np.abs(moments[0]), moments[1]
    if (mean[size == 0] > LARGEST / 2).any():
        return True
    mean, size = mean[size > 0], size[size > 0]
    if not len(size):
        return False
    largest, smallest = size.max(), size.min()
    alike = largest < UNEQUAL / 2 * smallest and SMALLEST * 2 < largest < LARGEST / 2
    return not alike or bool((mean > FAR / 2 * size).any())
