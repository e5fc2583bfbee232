"""Scaling of the targets of a regression: the network learns (y - shift) / factor, and predictions
are brought back to the units of y."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core._cpu import with_subnormals
from cnn_core.data.scaling import ENOUGH, mean_and_deviation, median_and_quartiles, weighed
from cnn_core.data.validation import which_target

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cnn_core.task import Task

#: Losses of a regression that standardised targets are for. The others want targets of their own:
#: counts, or shares between 0 and 1.
SCALED_LOSSES = ("mse", "mae", "huber")

#: Those that are taken for the sake of outliers, which would spoil mean and standard deviation:
#: median, and the distance of the quartiles divided by that of the standard normal distribution.
ROBUST_LOSSES = ("mae", "huber")
QUARTILES = 1.3489795003921634

#: Targets with means up to `NEAR_0` and standard deviations within a factor `NEAR_1` of 1 are
#: standardised already, as far as a sample can tell.
NEAR_0, NEAR_1 = 0.2, 1.25

#: Sizes from the median beyond which a target of a stream's first rows is an outlier: median and
#: quartiles then scale, as these rows decide for all. Where most of `ENOUGH` later rows lie so far
#: from the middle, the targets have outgrown their scaling.
OUTLIER = 10.0


class TargetScaling(NamedTuple):
    """Predictions are a^L * factor + shift, kept between low and high, in float64 and rounded once
    to the model's dtype. Each is of float64, shape (n_outputs,)."""

    factor: np.ndarray
    shift: np.ndarray
    low: np.ndarray
    high: np.ndarray
    #: bool: the outputs whose targets have not varied yet, where a stream goes on learning them
    constant: np.ndarray | None = None
    robust: bool = False  #: whether it is by median and quartiles
    #: Of a stream, shape (rows, n_outputs): the last rows, fewer than `ENOUGH`, if one lies far out
    recent: np.ndarray | None = None

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
        how = "median, divided by its spread" if self.robust else "mean, divided by its deviation"
        return f"each column of y less its {how}"

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
        too_fine: np.ndarray = (self.factor != 1) & (self.factor < 4 * spacing)
        return too_fine

    def goes_on(self, y: np.ndarray) -> TargetScaling:
        """The scaling of a stream after some more targets: with their range, if predictions are
        clipped, and what is learned of outputs whose targets were constant so far."""
        after = self
        if self.clips:
            low, high = np.minimum(self.low, y.min(axis=0)), np.maximum(self.high, y.max(axis=0))
            after = after._replace(low=low, high=high)
        if self.constant is None or not self.constant.any():
            return after
        at = np.flatnonzero(self.constant)
        rows = np.concatenate((self.shift[None, at], y[:, at]))
        varies = at[rows.min(axis=0) < rows.max(axis=0)]
        if not len(varies):
            return after
        learned = np.ascontiguousarray(y[:, varies], np.float64)
        if (learned.min(axis=0) == learned.max(axis=0)).any():  # another constant
            learned = np.concatenate((self.shift[None, varies], learned))
        middle, spread = with_subnormals(_middle_and_spread, (learned, None, self.robust))
        factor, shift, constant = self.factor.copy(), self.shift.copy(), self.constant.copy()
        shift[varies], factor[varies], constant[varies] = middle, spread, False
        return after._replace(factor=factor, shift=shift, constant=constant)

    def follows(self, y: np.ndarray) -> TargetScaling:
        """The scaling of a stream after some more targets, where it is to be that of y: where most
        of these rows, or of the last `ENOUGH` if they are fewer, lie more than `OUTLIER` sizes from
        the middle of an output, it is learned anew from them."""
        if self.recent is None and not self._far(y).any():
            return self
        rows = y if self.recent is None else np.concatenate((self.recent, y))
        rows = rows[-max(len(y), ENOUGH) :]
        far = self._far(rows)
        outgrown = 2 * np.count_nonzero(far, axis=0) > len(rows)
        if len(rows) < ENOUGH or not outgrown.any():
            recent = rows[1 - ENOUGH :].astype(np.float64) if far.any() else None
            return self._replace(recent=recent)
        columns = np.ascontiguousarray(rows[:, outgrown])
        learned = learn_target_scaling("standard", False, columns, None, self.robust, True)
        assert learned is not None
        factor, shift = self.factor.copy(), self.shift.copy()
        factor[outgrown], shift[outgrown] = learned.factor, learned.shift
        return self._replace(factor=factor, shift=shift, recent=None)

    def _far(self, y: np.ndarray) -> np.ndarray:
        """Which targets lie far out; none of an output that has not varied yet."""
        far: np.ndarray = np.abs(y - self.shift) > OUTLIER * self.factor
        return far if self.constant is None else far & ~self.constant


def unscaled(n_outputs: int) -> TargetScaling:
    """Targets as they are."""
    ones, zeros = np.ones(n_outputs), np.zeros(n_outputs)
    return TargetScaling(ones, zeros, zeros - np.inf, zeros + np.inf)


def scales_targets(task: Task) -> bool:
    """Whether targets of this task can be scaled: only an output of any size gives them back."""
    return task.name == "regression" and task.output == "identity" and task.loss in SCALED_LOSSES


def _middle_and_spread(
    y: np.ndarray, weights: np.ndarray | None, robust: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column, or median and distance of the quartiles; squares
    of the numbers may be beyond float64. The spread of a column of one number is 1."""
    exponent = int(np.frexp(np.abs(y).max())[1])
    if abs(exponent) < 400:
        exponent = 0
    near_1 = np.ldexp(y.astype(np.float64), -exponent) if exponent else y
    middle, spread = mean_and_deviation(near_1, weights)
    if robust:
        middle, between = median_and_quartiles(near_1, weights)
        # Where most targets are one number, the deviation is left to tell.
        spread = np.where(between > 0, between / QUARTILES, spread)
    varies = (y.min(axis=0) < y.max(axis=0)) & (spread > 0)
    return np.ldexp(middle, exponent), np.where(varies, np.ldexp(spread, exponent), 1.0)


def learn_target_scaling(
    kind: str | None,
    clips: bool,
    y: np.ndarray,
    weights: np.ndarray | None = None,
    robust: bool = False,
    incremental: bool = False,
    names: tuple[str, ...] = (),
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
    robust : bool
        Whether by median and quartiles.
    incremental : bool
        Whether y is the beginning of a stream: columns that do not vary are learned later.
    names : tuple of str
        Of the columns, for messages.

    Returns
    -------
    TargetScaling or None
        None where nothing is to be done. A column that does not vary is shifted only.
    """
    (y, weights), n = weighed(y, weights), y.shape[1]
    low, high = np.full(n, -np.inf), np.full(n, np.inf)
    if clips:
        low, high = (end(axis=0).astype(np.float64) for end in (y.min, y.max))
    shift, factor, constant = np.zeros(n), np.ones(n), None
    if kind is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            middle, spread = with_subnormals(_middle_and_spread, (y, weights, robust))
        if incremental and not robust:
            median, size = with_subnormals(_middle_and_spread, (y, weights, True))
            far = np.abs(y - median).max(axis=0) > OUTLIER * size
            middle, spread = np.where(far, median, middle), np.where(far, size, spread)
            robust = bool(far.any())
        same = y.min(axis=0) == y.max(axis=0)
        middle = np.where(same, y[0], middle)
        near = (
            (np.abs(middle) <= np.where(same, 1.0, NEAR_0))
            & (spread >= 1 / NEAR_1)
            & (spread <= NEAR_1)
        )
        if kind != "auto" or not near.all():
            shift, factor = middle, spread
        if incremental and same.any():
            shift, constant = np.where(same, middle, shift), same
    with np.errstate(over="ignore", divide="ignore"):
        span = y.max(axis=0).astype(np.float64) - y.min(axis=0)
        wide = ~(np.isfinite(span) & np.isfinite(1 / factor))
    if kind is not None and wide.any():
        asked = f"scale_targets={kind!r}{', the default' * (kind == 'auto')}"
        which = which_target(int(wide.argmax()), n, names)
        raise ValueError(
            f"the scaling of the targets ({asked}) fails, as {which} spans more than float64 can "
            "hold, or so little that dividing by it overflows"
        )
    scaling = TargetScaling(factor, shift, low, high, constant, robust)
    return scaling if scaling.scales or clips or constant is not None else None
