"""Split-conformal calibration: intervals that hold a new y with a probability that does not depend
on how good the model is.

Lei, G'Sell, Rinaldo, Tibshirani & Wasserman 2018, "Distribution-free predictive inference for
regression", section 2.2 (residuals) and 5.2 (residuals divided by what the model says of their
size); Romano, Patterson & Candes 2019, "Conformalized quantile regression". The scores are sorted
and one of them is taken, so that results are the same bits everywhere.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core._few import counted
from cnn_core.distributions import normal_quantile

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from cnn_core.answers import Answers
    from cnn_core.task import Task

#: What the scores are of.
KINDS = ("residuals", "normalised", "quantiles")


class Calibration(NamedTuple):
    """What a model has learned from the rows that `calibrate` was given."""

    kind: str  #: one of `KINDS`
    #: float64, shape (n_outputs, pairs of quantiles, rows): how far each y lies outside, ascending;
    #: one pair but for several quantiles
    scores: np.ndarray

    @property
    def rows(self) -> int:
        """That it was learned from."""
        return int(self.scores.shape[2])


def pairs_of(quantiles: tuple[float, ...]) -> list[tuple[int, int]]:
    """The lowest quantile with the highest, the next ones inwards, and so on, on both sides of the
    median."""
    if len(quantiles) < 2:
        return []
    middle = quantiles.index(0.5)
    last = len(quantiles) - 1
    return [(k, last - k) for k in range(min(middle, last - middle))]


def kind_of(task: Task) -> str:
    """What is calibrated of a model of this task."""
    if task.loss == "gaussian_nll":
        return "normalised"
    return "quantiles" if pairs_of(task.quantiles) else "residuals"


class _Bands(NamedTuple):
    """What a model says of some rows by itself, each of shape (rows, n_outputs, pairs); intervals
    reach from low - size * score to high + size * score."""

    low: np.ndarray
    high: np.ndarray
    size: np.ndarray | float


def _bands(model: Answers, X: object, backend: str, n_threads: int | None) -> _Bands:
    kind = kind_of(model.task)
    if kind == "quantiles":
        q = model.quantiles(X, backend, n_threads)  # type: ignore[arg-type]
        low, high = (list(side) for side in zip(*pairs_of(model.task.quantiles)))
        return _Bands(q[:, :, low], q[:, :, high], 1.0)
    if kind == "normalised":
        mean, variance = model.mean_and_variance(X, backend, n_threads)  # type: ignore[arg-type]
        return _Bands(mean[:, :, None], mean[:, :, None], np.sqrt(variance)[:, :, None])
    a = model.precise_outputs(X, backend, n_threads)  # type: ignore[arg-type]
    a = a.astype(np.float64, copy=False)[:, :, None]
    return _Bands(a, a, 1.0)


def calibration(
    model: Answers, X: object, y: np.ndarray, backend: str, n_threads: int | None
) -> Calibration:
    """What a model learns from rows that it was not fitted to.

    Parameters
    ----------
    model : Answers
    X : array-like, shape (rows, features)
    y : ndarray of float64, shape (rows, n_outputs)
    backend, n_threads
        As MLP has them.

    Returns
    -------
    Calibration
    """
    bands, wide = _bands(model, X, backend, n_threads), y[:, :, None]
    with np.errstate(over="ignore", invalid="ignore"):
        outside = np.maximum(bands.low - wide, wide - bands.high)
        # Ends of intervals are rounded, each of four operations by half of this at most: a y that
        # is an end must not fall outside by that, as many may where y has few values.
        largest = np.maximum(np.abs(wide), np.maximum(np.abs(bands.low), np.abs(bands.high)))
        outside = (outside + 4 * np.spacing(largest)) / bands.size
    scores = np.where(np.isnan(outside), np.inf, outside)  # of a prediction that is no number
    ascending = np.sort(scores.transpose(1, 2, 0), axis=2) + 0.0  # no -0.0, whose place is not said
    return Calibration(kind_of(model.task), np.ascontiguousarray(ascending))


def interval(
    model: Answers,
    calibrated: Calibration,
    X: object,
    level: float,
    backend: str,
    n_threads: int | None,
) -> np.ndarray:
    """Intervals of a calibrated model, shape (rows, n_outputs, 2).

    Raises
    ------
    ValueError
        Where there are too few rows for the level.
    """
    (pair, score), *others = reaches(model.task, calibrated, level)
    bands = _bands(model, X, backend, n_threads)
    found = _reaching(bands, pair, score)
    for pair, score in others:
        inner = _reaching(bands, pair, score)
        np.fmin(found[:, :, 0], inner[:, :, 0], out=found[:, :, 0])
        np.fmax(found[:, :, 1], inner[:, :, 1], out=found[:, :, 1])
    return found


def reaches(
    task: Task, calibrated: Calibration, level: float
) -> list[tuple[int, NDArray[np.float64]]]:
    """How far intervals of a level reach beyond what a model says by itself: pairs of quantiles, of
    which the first is that of the level, each with a score of each output. An interval is the least
    that holds those of all pairs.

    Raises
    ------
    ValueError
        Where there are too few rows for the level.
    """
    places = [(nearest_pair(task.quantiles, level), rank(level, calibrated.rows))]
    for pair, until in pairs_below(task.quantiles, level):
        places.append((pair, math.ceil((calibrated.rows + 1) * until)))
    return [(pair, calibrated.scores[:, pair, place - 1].copy()) for pair, place in places]


def _reaching(bands: _Bands, pair: int, score: np.ndarray) -> np.ndarray:
    """Intervals of one pair as far as a score of each output."""
    low, high = bands.low[:, :, pair], bands.high[:, :, pair]
    size = bands.size if isinstance(bands.size, float) else bands.size[:, :, pair]
    with np.errstate(over="ignore", invalid="ignore"):
        reach, middle = size * score, low / 2 + high / 2
        # Scores below 0 can take more from a narrow band than it has: its middle stays.
        return np.stack((np.fmin(low - reach, middle), np.fmax(high + reach, middle)), axis=2)


def rank(level: float, rows: int) -> int:
    """Which of so many scores in ascending order bounds an interval: the ceil((rows + 1) level)-th,
    of the decimal number that is written."""
    exact = _exact(level)
    place = math.ceil((rows + 1) * exact)
    if place > rows:
        least = math.ceil(exact / (1 - exact))
        highest = math.floor(1000 * rows / (rows + 1)) / 1000
        raise ValueError(
            f"an interval of {100 * level:g} % needs at least {counted(least, 'row')} to calibrate "
            f"with, and "
            f"calibrate was given {rows}; give it more, or take a level of at most {highest:g}"
        )
    return place


def _exact(level: float) -> Fraction:
    """The decimal number that is written."""
    from fractions import Fraction  # takes longer than the rest; files need `Calibration` alone

    return Fraction(repr(float(level)))


def nearest_pair(quantiles: tuple[float, ...], level: float) -> int:
    """The pair of quantiles between which a share of about `level` should lie; 0 where there is
    none."""
    shares = _shares(quantiles)
    return min(range(len(shares)), key=lambda k: abs(shares[k] - _exact(level)), default=0)


def pairs_below(quantiles: tuple[float, ...], level: float) -> list[tuple[int, Fraction]]:
    """The pairs that are nearest to lower levels, each with the level until which it is that.

    Where intervals change from one pair to the next, nothing but this makes that of a higher level
    hold those of all lower ones; it adds to them, so that they cover what they promise still.
    """
    shares = _shares(quantiles)
    inner = range(nearest_pair(quantiles, level) + 1, len(shares))
    return [(k, (shares[k - 1] + shares[k]) / 2) for k in inner]


def _shares(quantiles: tuple[float, ...]) -> list[Fraction]:
    """What should lie between the quantiles of each pair, of the decimal numbers as written."""
    exact = [_exact(tau) for tau in quantiles]
    return [exact[high] - exact[low] for low, high in pairs_of(quantiles)]


def raw_interval(
    model: Answers, X: object, level: float, backend: str, n_threads: int | None
) -> np.ndarray:
    """What the model says by itself, shape (rows, n_outputs, 2).

    Raises
    ------
    ValueError
        Where it says nothing of such intervals.
    """
    task, kind = model.task, kind_of(model.task)
    if kind == "residuals":
        raise ValueError(
            f"a model with the loss {task.loss!r} knows no interval by itself: give rows that it "
            "was not fitted to to calibrate, or fit with loss='pinball' or 'gaussian_nll'"
        )
    bands = _bands(model, X, backend, n_threads)
    if kind == "normalised":
        reach = normal_quantile((1 + level) / 2) * bands.size
        return np.concatenate((bands.low - reach, bands.high + reach), axis=2)
    taus, pair = task.quantiles, nearest_pair(task.quantiles, level)
    low, high = (taus[k] for k in pairs_of(taus)[pair])
    wanted = (1 - level) / 2, (1 + level) / 2
    if max(abs(low - wanted[0]), abs(high - wanted[1])) > 1e-9:
        raise ValueError(
            f"the model has the quantiles {', '.join(f'{tau:g}' for tau in taus)}, and an interval "
            f"of {100 * level:g} % lies between {wanted[0]:g} and {wanted[1]:g}; fit these, or "
            "calibrate"
        )
    return np.stack((bands.low[:, :, pair], bands.high[:, :, pair]), axis=2)
