"""Scaling of the targets of a regression: the network learns (y - shift) / factor, and predictions
are brought back to the units of y."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core._cpu import with_subnormals
from cnn_core.data.scaling import mean_and_deviation, weighed

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cnn_core.task import Task

#: Losses of a regression that standardised targets are for. The others want targets of their own:
#: counts, or shares between 0 and 1.
SCALED_LOSSES = ("mse", "mae", "huber")

#: Targets with means up to `NEAR_0` and standard deviations within a factor `NEAR_1` of 1 are
#: standardised already, as far as a sample can tell.
NEAR_0, NEAR_1 = 0.2, 1.25


class TargetScaling(NamedTuple):
    """Predictions are a^L * factor + shift, kept between low and high, in float64 and rounded once
    to the model's dtype. Each is of float64, shape (n_outputs,)."""

    factor: np.ndarray
    shift: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What the native core brings outputs to the units of y with."""
        return self.factor, self.shift, self.low, self.high

    @property
    def scales(self) -> bool:
        """Whether the network learns anything but y itself."""
        return bool((self.factor != 1).any() or (self.shift != 0).any())

    @property
    def clips(self) -> bool:
        """Whether predictions are kept within the range of the training targets."""
        return bool(np.isfinite(self.low).any())

    @property
    def units(self) -> str:
        """What the network learns, in words."""
        if not self.scales:
            return "y"
        if len(self.shift) == 1:
            return f"(y - {self.shift[0]:.4g}) / {self.factor[0]:.4g}"
        return "each column of y less its mean, divided by its standard deviation"

    def apply(self, y: np.ndarray, dtype: DTypeLike) -> np.ndarray:
        """Targets as the network learns them."""
        if not self.scales:
            return y.astype(dtype, copy=False)
        scaled = (y.astype(np.float64, copy=False) - self.shift) / self.factor
        converted: np.ndarray = with_subnormals(scaled.astype, (dtype,))
        return converted

    def invert(self, a: np.ndarray, dtype: DTypeLike) -> np.ndarray:
        """Outputs of the network in the units of y."""
        y = np.clip(a.astype(np.float64) * self.factor + self.shift, self.low, self.high)
        converted: np.ndarray = with_subnormals(y.astype, (dtype,))
        return converted

    def is_too_fine(self, dtype: DTypeLike) -> np.ndarray:
        """Which outputs have targets so close together that predictions rounded to `dtype` differ
        by less than four times its spacing there."""
        spacing: np.ndarray = np.spacing(np.abs(self.shift).astype(dtype)).astype(np.float64)
        return self.scales & (self.factor < 4 * spacing)

    def widened(self, y: np.ndarray) -> TargetScaling:
        """With the range that some more targets of a stream have, if predictions are clipped."""
        if not self.clips:
            return self
        low, high = np.minimum(self.low, y.min(axis=0)), np.maximum(self.high, y.max(axis=0))
        return self._replace(low=low, high=high)


def scales_targets(task: Task) -> bool:
    """Whether targets of this task can be scaled: only an output of any size gives them back."""
    return task.name == "regression" and task.output == "identity" and task.loss in SCALED_LOSSES


def _mean_and_deviation(y: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """`mean_and_deviation` of numbers whose squares may be beyond float64."""
    exponent = int(np.frexp(np.abs(y).max())[1])
    if abs(exponent) < 400:
        return mean_and_deviation(y, weights)
    near_1 = np.ldexp(y.astype(np.float64), -exponent)
    mean, spread = mean_and_deviation(near_1, weights)
    return np.ldexp(mean, exponent), np.ldexp(spread, exponent)


def learn_target_scaling(
    kind: str | None, clips: bool, y: np.ndarray, weights: np.ndarray | None = None
) -> TargetScaling | None:
    """The scaling of the columns of y.

    Parameters
    ----------
    kind : {'auto', 'standard', None}
        'auto': none where all columns are standardised already.
    clips : bool
    y : ndarray of float64, shape (rows, n_outputs)
        C-contiguous and finite.
    weights : ndarray, shape (rows, 1), optional
        Of the rows.

    Returns
    -------
    TargetScaling or None
        None where nothing is to be done. A column that does not vary is shifted only.
    """
    (y, weights), n = weighed(y, weights), y.shape[1]
    low, high = (
        (y.min(axis=0), y.max(axis=0)) if clips else (np.full(n, -np.inf), np.full(n, np.inf))
    )
    shift, factor = np.zeros(n), np.ones(n)
    if kind is not None:
        mean, spread = with_subnormals(_mean_and_deviation, (y, weights))
        varies = (y.min(axis=0) < y.max(axis=0)) & (spread > 0)
        spread = np.where(varies, spread, 1.0)
        near = (
            (np.abs(mean) <= np.where(varies, NEAR_0, 1.0))
            & (spread >= 1 / NEAR_1)
            & (spread <= NEAR_1)
        )
        if kind != "auto" or not near.all():
            shift, factor = mean, spread
    wide = ~(np.isfinite(shift) & np.isfinite(factor) & np.isfinite(1 / factor))
    if wide.any():
        raise ValueError(
            f"scale_targets={kind!r}: column {wide.argmax()} of y spans more than float64 can "
            "hold, or so little that dividing by it overflows"
        )
    scaling = TargetScaling(factor, shift, low, high)
    return scaling if scaling.scales or clips else None
