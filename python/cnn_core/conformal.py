"""Split-conformal calibration: intervals that hold a new y with a probability that does not depend
on how good the model is (Lei, G'Sell, Rinaldo, Tibshirani & Wasserman 2018, "Distribution-free
predictive inference for regression", section 2.2). The sizes of the residuals are sorted and one of
them is taken, so that results are the same bits everywhere.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from cnn_core.answers import Answers


class Calibration(NamedTuple):
    """What a model has learned from the rows that `calibrate` was given."""

    #: float64, shape (n_outputs, rows): how far y lies from the prediction, ascending; infinite
    #: where that is no number
    residuals: np.ndarray

    @property
    def rows(self) -> int:
        """That it was learned from."""
        return int(self.residuals.shape[1])


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
    predicted = model.precise_outputs(X, backend, n_threads)  # type: ignore[arg-type]
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = np.abs(y - predicted)
    sizes = np.where(np.isnan(sizes), np.inf, sizes)
    return Calibration(np.ascontiguousarray(np.sort(sizes.T, axis=1)))


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
    reach = calibrated.residuals[:, rank(level, calibrated.rows) - 1]
    predicted = model.precise_outputs(X, backend, n_threads)  # type: ignore[arg-type]
    with np.errstate(over="ignore", invalid="ignore"):
        return np.stack((predicted - reach, predicted + reach), axis=2)


def rank(level: float, rows: int) -> int:
    """Which of so many sizes in ascending order bounds an interval: the ceil((rows + 1) level)-th,
    of the decimal number that is written."""
    from fractions import Fraction  # takes longer than the rest; files need `Calibration` alone

    exact = Fraction(repr(float(level)))
    place = math.ceil((rows + 1) * exact)
    if place > rows:
        least = math.ceil(exact / (1 - exact))
        highest = math.floor(1000 * Fraction(rows, rows + 1)) / 1000
        raise ValueError(
            f"an interval of {100 * level:g} % needs at least {least} rows to calibrate with, and "
            f"calibrate was given {rows}; give it more, or take a level of at most {highest:g}"
        )
    return place
