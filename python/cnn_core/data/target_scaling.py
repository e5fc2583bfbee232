"""Scaling of the targets of a regression: the network learns (y - shift) / factor, and predictions
are brought back to the units of y."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core._cpu import with_subnormals
from cnn_core._frozen import Frozen
from cnn_core.data.scaling import (
    ENOUGH,
    cut_of_weighed,
    mean_and_deviation,
    median_and_quartiles,
    weighed,
)
from cnn_core.data.shards import CutHere
from cnn_core.data.validation import which_target

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cnn_core.data.shards import Cut
    from cnn_core.task import Task

#: Losses of a regression that standardised targets are for. The others want targets of their own:
#: counts, or shares between 0 and 1.
SCALED_LOSSES = ("mse", "mae", "huber", "pinball", "gaussian_nll")

#: Those that are taken for the sake of outliers, which would spoil mean and standard deviation:
#: median, and the distance of the quartiles divided by that of the standard normal distribution.
ROBUST_LOSSES = ("mae", "huber", "pinball")
QUARTILES = 1.3489795003921634

#: Targets with means up to `NEAR_0` and standard deviations within a factor `NEAR_1` of 1 are
#: standardised already, as far as a sample can tell.
NEAR_0, NEAR_1 = 0.2, 1.25

#: Sizes from the median beyond which a target of a stream's first rows is an outlier: median and
#: quartiles then scale, as these rows decide for all. Where most of `ENOUGH` later rows lie so far
#: from the middle, the targets have outgrown their scaling.
OUTLIER = 10.0
#: Where most of them lie so far on one side, the targets have moved.
MOVED = 3.0
#: From then on the errors of the last `TRACKED` rows of each call are summed, each at most `MOVED`
#: sizes, less `ALLOWED` a row, and never below 0, as is their negative (Page 1954, "Continuous
#: inspection schemes"). A sum above `ALARM` says that targets go on moving. Of standard normal
#: errors it is about once in e^10 rows, of smaller ones hardly ever.
TRACKED, ALLOWED, ALARM = 64, 0.25, 20.0

#: Sizes from the middle within which most targets lie, and from which a level is another one.
NEAR, ELSEWHERE = 2.0, 5.0


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
    #: Of a stream, shape (rows, n_outputs): the last rows, fewer than `ENOUGH`, if one lies far
    #: out, and what was predicted for them
    recent: np.ndarray | None = None
    predicted: np.ndarray | None = None
    #: Of a stream that has moved, shape (4, n_outputs): the sums of its errors and of their
    #: negative, and of how many rows
    tracked: np.ndarray | None = None

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
            sign = "+" if self.shift[0] < 0 else "-"
            return f"(y {sign} {abs(self.shift[0]):.4g}) / {self.factor[0]:.4g}"
        how = "median, divided by its spread" if self.robust else "mean, divided by its deviation"
        return f"each column of y less its {how}"

    def apply(self, y: np.ndarray, dtype: DTypeLike) -> np.ndarray:
        """Targets as the network learns them."""
        if not self.scales:
            return y.astype(dtype, copy=False)
        scaled = (y.astype(np.float64, copy=False) - self.shift) / self.factor
        converted: np.ndarray = with_subnormals(scaled.astype, (dtype,))
        return converted

    def in_units(self, a: np.ndarray) -> np.ndarray:
        """What the network learns or gives, in float64 and in the units of y; never clipped."""
        y: np.ndarray = a.astype(np.float64, copy=False) * self.factor + self.shift
        return y

    def invert(self, a: np.ndarray, dtype: DTypeLike) -> np.ndarray:
        """Outputs of the network in the units of y."""
        y = np.clip(self.in_units(a), self.low, self.high)
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
        arguments = learned, None, self.robust, CutHere((0, len(learned)))
        middle, spread = with_subnormals(_middle_and_spread, arguments)
        factor, shift, constant = self.factor.copy(), self.shift.copy(), self.constant.copy()
        shift[varies], factor[varies], constant[varies] = middle, spread, False
        return after._replace(factor=factor, shift=shift, constant=constant)

    def follows(
        self,
        y: np.ndarray,
        predict: Callable[[int], np.ndarray],
        levels: np.ndarray | None = None,
        tracks: bool = True,
    ) -> tuple[TargetScaling, Moved | None]:
        """The scaling of a stream after some more targets, where it is to be that of y. Looked at
        are these rows, or the last `ENOUGH` if they are fewer. Where most lie more than `OUTLIER`
        sizes from the middle of an output, its middle is learned anew from them, and its size if it
        has grown; where they lie more than `MOVED` sizes to one side of it, the middle is.

        Parameters
        ----------
        y : ndarray, shape (rows, n_outputs)
        predict : callable
            Gives what is predicted for the last n of these rows.
        levels : ndarray, shape (2, n_outputs), optional
            That y has left, where x tells them: if it comes back, all of them are to be in range.
        tracks : bool
            Whether targets that have moved may go on moving without a change of x.
        """
        if self.tracked is not None and tracks and not self._has_moved(y):
            after, moved = self._track(y, predict)
            if moved is not None:
                return after, moved
            return after._of_far_rows(y, predict, levels)
        return self._of_far_rows(y, predict, levels)

    def _of_far_rows(
        self,
        y: np.ndarray,
        predict: Callable[[int], np.ndarray],
        levels: np.ndarray | None,
    ) -> tuple[TargetScaling, Moved | None]:
        """The same where rows lie far out."""
        if self.recent is None and not self._far(y, MOVED).any():
            return self, None
        n = len(y) if self._has_moved(y) else min(len(y), ENOUGH - 1)
        rows, predicted = y[len(y) - n :].astype(np.float64), predict(n)
        if len(y) < ENOUGH and self.recent is not None:
            before = self.shift + 0 * self.recent if self.predicted is None else self.predicted
            rows = np.concatenate((self.recent, rows))[-ENOUGH:]
            predicted = np.concatenate((before, predicted))[-ENOUGH:]
        outgrown = 2 * np.count_nonzero(self._far(rows), axis=0) > len(rows)
        moved = self._to_one_side(rows) & ~outgrown
        if len(rows) < ENOUGH or not (outgrown | moved).any():
            if not self._far(rows[1 - ENOUGH :], MOVED).any():
                return self._replace(recent=None, predicted=None), None
            last = rows[1 - ENOUGH :], predicted[1 - ENOUGH :]
            return self._replace(recent=last[0], predicted=last[1]), None
        if outgrown.any():  # what came before tells nothing of where y is now
            first = int(self._far(rows)[:, outgrown].any(axis=1).argmax())
            rows, predicted = rows[first:], predicted[first:]
        factor, shift = self.factor.copy(), self.shift.copy()
        shift[moved] = rows.mean(axis=0)[moved]
        if outgrown.any():
            columns = np.ascontiguousarray(rows[:, outgrown])
            learned = learn_target_scaling("standard", False, columns, None, self.robust, True)
            assert learned is not None
            shift[outgrown] = learned.shift
            factor[outgrown] = np.maximum(factor[outgrown], learned.factor)
        back = np.zeros(len(shift), bool)
        if levels is not None:
            low, high = self.with_levels(levels)
            back = outgrown & (shift >= levels[0] - factor) & (shift <= levels[1] + factor)
            shift[back] = (low + high)[back] / 2
            factor[back] = np.maximum(factor, (high - low) / (2 * NEAR))[back]
        after = TargetScaling(factor, shift, self.low, self.high, self.constant, self.robust)
        if not back.any():  # else x tells the levels
            after = after._replace(tracked=np.zeros((4, len(shift))))
        return after, follow_by(self, after, rows, predicted, (outgrown, moved)).only(
            ~back, outgrown
        )

    def is_as(self, other: TargetScaling) -> bool:
        """Whether the network learns the same with another scaling."""
        return bool(((self.factor == other.factor) & (self.shift == other.shift)).all())

    def with_levels(self, levels: np.ndarray | None) -> np.ndarray:
        """Where most targets lie, with levels of before: the lowest and the highest."""
        ends = np.array([self.shift - NEAR * self.factor, self.shift + NEAR * self.factor])
        if levels is None:
            return ends
        return np.array([np.minimum(ends[0], levels[0]), np.maximum(ends[1], levels[1])])

    def goes_to(self, after: TargetScaling) -> bool:
        """Whether an output has another level, or size, so far away that what was there before
        tells nothing of it."""
        far = np.abs(after.shift - self.shift) > ELSEWHERE * after.factor
        far |= after.factor > ELSEWHERE * self.factor
        return bool((far if self.constant is None else far & ~self.constant).any())

    def _track(
        self, y: np.ndarray, predict: Callable[[int], np.ndarray]
    ) -> tuple[TargetScaling, Moved | None]:
        """The same for targets that go on moving, so that the middle follows."""
        assert self.tracked is not None
        n = min(len(y), TRACKED)
        errors = np.clip((y[len(y) - n :] - predict(n)) / self.factor, -MOVED, MOVED).sum(axis=0)
        sums = np.maximum(self.tracked[:2] + np.array([errors, -errors]) - n * ALLOWED, 0)
        counts = np.where(sums > 0, self.tracked[2:] + n, 0)
        alarm = sums > ALARM
        if self.constant is not None:
            alarm &= ~self.constant
        if not alarm.any():
            return self._replace(tracked=np.concatenate((sums, counts))), None
        mean = sums / np.maximum(counts, 1) + ALLOWED
        plus = np.where(alarm[0], mean[0], np.where(alarm[1], -mean[1], 0)) * self.factor
        counts[:, alarm.any(axis=0)] = sums[:, alarm.any(axis=0)] = 0
        tracked = np.concatenate((sums, counts))
        after = self._replace(shift=self.shift + plus, recent=None, predicted=None, tracked=tracked)
        return after, Moved(np.ones(len(plus)), plus, np.zeros(len(plus), bool))

    def _has_moved(self, y: np.ndarray) -> bool:
        """Whether so many rows as decide alone are likely to have moved."""
        outgrown = 2 * np.count_nonzero(self._far(y), axis=0) > len(y)
        return len(y) >= ENOUGH and bool((outgrown | self._to_one_side(y)).any())

    def _to_one_side(self, y: np.ndarray) -> np.ndarray:
        """Which outputs have most of their targets far out on one side."""
        sides = np.sign(y - self.shift) * self._far(y, MOVED)
        to_one_side: np.ndarray = 2 * np.abs(sides.sum(axis=0)) > len(y)
        return to_one_side

    def _far(self, y: np.ndarray, sizes: float = OUTLIER) -> np.ndarray:
        """Which targets lie far out; none of an output that has not varied yet."""
        far: np.ndarray = np.abs(y - self.shift) > sizes * self.factor
        return far if self.constant is None else far & ~self.constant


class Moved(Frozen):
    """How predictions follow targets that have moved: they become `times` as far from the former
    middle, and then `plus` is added; in the units of y, shape (n_outputs,)."""

    times: np.ndarray
    plus: np.ndarray
    outgrown: np.ndarray  #: of which most rows lie more than `OUTLIER` sizes away
    since: int = 0  #: the last rows, which have told it

    def only(self, which: np.ndarray, outgrown: np.ndarray) -> Moved:
        """The same where predictions of some outputs alone follow."""
        times, plus = np.where(which, self.times, 1.0), np.where(which, self.plus, 0.0)
        return Moved(times, plus, outgrown, self.since)


def follow_by(
    old: TargetScaling,
    new: TargetScaling,
    y: np.ndarray,
    a: np.ndarray,
    found: tuple[np.ndarray, np.ndarray],
) -> Moved:
    """What brings predictions a to y best, of outputs that are found to have outgrown their
    scaling, or to have moved: to add a number, or to take them in the new sizes too."""
    which = found[0] | found[1]
    best = np.full(len(which), np.inf)
    times, plus = np.ones(len(which)), np.zeros(len(which))
    for factor in (np.ones(len(which)), new.factor / old.factor):
        taken = old.shift + factor * (a - old.shift)
        missed = y - taken
        error = missed.var(axis=0)
        better = which & (error < best)
        best = np.where(better, error, best)
        times, plus = np.where(better, factor, times), np.where(better, missed.mean(axis=0), plus)
    return Moved(times, plus, found[0], len(y))


def unscaled(n_outputs: int) -> TargetScaling:
    """Targets as they are."""
    ones, zeros = np.ones(n_outputs), np.zeros(n_outputs)
    return TargetScaling(ones, zeros, zeros - np.inf, zeros + np.inf)


def scales_targets(task: Task) -> bool:
    """Whether targets of this task can be scaled: only an output of any size gives them back."""
    return task.name == "regression" and task.output == "identity" and task.loss in SCALED_LOSSES


def _middle_and_spread(
    y: np.ndarray, weights: np.ndarray | None, robust: bool, rows: Cut
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column, or median and distance of the quartiles; squares
    of the numbers may be beyond float64. The spread of a column of one number is 1."""
    exponent = int(np.frexp(np.abs(y).max())[1])
    if abs(exponent) < 400:
        exponent = 0
    near_1 = np.ldexp(y.astype(np.float64), -exponent) if exponent else y
    middle, spread = mean_and_deviation(near_1, weights, rows)
    if robust:
        middle, between = median_and_quartiles(near_1, weights, rows)
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
    shards: int = 1,
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
    shards : int
        How many the rows are cut into.

    Returns
    -------
    TargetScaling or None
        None where nothing is to be done. A column that does not vary is shifted only.
    """
    rows = cut_of_weighed(len(y), weights, shards)
    (y, weights), n = weighed(y, weights), y.shape[1]
    low, high = np.full(n, -np.inf), np.full(n, np.inf)
    if clips:
        low, high = (end(axis=0).astype(np.float64) for end in (y.min, y.max))
    shift, factor, constant = np.zeros(n), np.ones(n), None
    if kind is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            middle, spread = with_subnormals(_middle_and_spread, (y, weights, robust, rows))
        if incremental and not robust:
            median, size = with_subnormals(_middle_and_spread, (y, weights, True, rows))
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
