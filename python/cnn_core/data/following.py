"""How the scalings of a stream follow its rows.

Targets leave the range that their scaling was learned from for one of two reasons:

- y depends on x in another way than before: another level, other units. Then the last layer is
  shifted and stretched so that predictions go along with y, and so are the targets of the sample.
- x has gone to other values, along the same function: a slow signal. Then the function stays. The
  scaling is learned anew from the sample of all rows, and the network trains on the sample again
  (Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal"), so that it does not
  forget what it knew elsewhere.

It is taken for the second where successive rows of X are alike (`StreamRows.is_slow`), unless y has
jumped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core.causes.outliers import outliers
from cnn_core.data.auto_scaling import FAR, LARGEST, USUAL_OF_LINEAR
from cnn_core.data.scaling import ENOUGH, Scaling, learn_scaling, weighed
from cnn_core.data.stream import StreamRows, beside, jumps
from cnn_core.data.target_scaling import (
    NEAR,
    ROBUST_LOSSES,
    Moved,
    TargetScaling,
    follow_by,
    learn_target_scaling,
    scales_targets,
    unscaled,
)

if TYPE_CHECKING:
    from cnn_core.data.prepare import Dataset, Preparation
    from cnn_core.model import Model
    from cnn_core.task import Task

#: Of a stream that was saved without its sample: more rows than these have told its scaling.
FEW_ROWS = 1000
#: Times by which a size has to have grown, and sizes by which the middle has to lie away, to be
#: learned anew. The deviation of ten normal rows is off by more than 1.75 times once in 30, and so
#: is their range by more than three times: it is the larger the more rows there are.
GROWN, RANGE_GROWN, AWAY = 1.75, 3.0, 3.0
FALSE = 0.05  # share of the numbers of a column of X that may be outliers, which are no size


class Streamed(NamedTuple):
    """What a stream has come to."""

    rows: StreamRows
    scaling: Scaling | None
    targets: TargetScaling | None
    moved: Moved | None = None  #: how predictions follow targets that have moved
    anew: bool = False  #: whether the network is to train on the sample again
    #: Whether the optimizer keeps its moments of that training: where the units of the inputs or
    #: targets are other ones, and for slow signals.
    renews: bool = False


def streamed(
    before: Model | None,
    how: Preparation,
    task: Task,
    train: Dataset,
    scalings: tuple[Scaling | None, TargetScaling | None],
) -> Streamed:
    """The rows of a stream with these, and its scalings as they are learned from them anew.

    Parameters
    ----------
    before : Model or None
    how : Preparation
    task : Task
    train : Dataset
        Of this call, not scaled.
    scalings : (Scaling or None, TargetScaling or None)
        With what these rows tell of columns that were constant so far.

    Returns
    -------
    Streamed
    """
    scaling, targets = scalings
    known = train.y if train.labels is None else train.labels
    assert known is not None
    past = None if before is None else before.stream_rows
    weights = None if train.weights is None else train.weights.array
    rows, count = beside(train.X.array, known.array, weights, 0 if past is None else past.total)
    if before is None:
        return Streamed(StreamRows.begin(rows, count, True), scaling, targets)
    if past is None:  # of a fit, unless it is a file without the rows
        follows = 0 < before.seen.rows < FEW_ROWS and bool(before.history.streamed)
        every = StreamRows.begin(rows, count, follows)
    else:
        every = past.followed_by(rows, count)
    n, moved, drifts = train.X.array.shape[1], None, False
    learns = before.first_rows is None and how.scale_targets is not None and scales_targets(task)
    if learns:
        base = unscaled(task.n_outputs) if targets is None else targets
        after, moved, drifts = _gone(before, train, scaling, base, every)
        if targets is not None or after.scales or after.recent is not None:
            targets = after
        if moved is not None and past is not None and not drifts:
            if base.goes_to(after):
                every = every.again(moved.since, base.with_levels(past.levels))
                if _follows_inputs(before, how):
                    auto = how.scale_inputs == "auto"
                    scaling, moved = _with_inputs(
                        before, scaling, every, auto, (base, after, moved)
                    )
                return Streamed(every, scaling, targets, moved)
            every = past.moved(base, moved, n).followed_by(rows, count)
    due = every.total >= every.check
    if past is None or before.first_rows is not None or not (drifts or due):
        return Streamed(every, scaling, targets, moved)
    if due:
        every = every.checked()
    if not every.follows:
        return Streamed(every, scaling, targets, moved)
    slow = every.is_slow(n)
    tracked = targets is not None and targets.tracked is not None
    found = scaling, targets
    if _follows_inputs(before, how):
        scaling = grown_inputs(scaling, every, n, how.scale_inputs == "auto")
    if learns and (slow or not tracked):  # else the middle follows, of which the sample has many
        targets = grown_targets(targets, every, n, task)
    grown = scaling is not found[0] or targets is not found[1]
    renews = drifts or grown or slow
    return Streamed(every, scaling, targets, moved, renews or tracked, renews)


def _follows_inputs(before: Model, how: Preparation) -> bool:
    """Whether the scaling of the inputs follows its stream: not beside embeddings."""
    spec = before.network_spec
    embeds = bool(spec.embeddings or spec.periodic)
    return how.scale_inputs is not None and spec.bias and not embeds


def _gone(
    before: Model,
    train: Dataset,
    inputs: Scaling | None,
    targets: TargetScaling,
    every: StreamRows,
) -> tuple[TargetScaling, Moved | None, bool]:
    """The scaling of targets that may have gone elsewhere, how predictions follow them, and whether
    some of them have drifted there as a slow signal has."""
    n = train.X.array.shape[1]
    tracks = targets.tracked is not None and not every.is_slow(n)
    after, moved = _after_rows(before, train, inputs, targets, every.told_levels(n), tracks)
    if moved is None or not (every.follows and every.is_slow(n)):
        return after, moved, False
    over = spread_over(targets, every, n, after)
    jumped = (over.shift == after.shift) & (over.factor == after.factor)
    return over, moved.only(jumped, moved.outgrown & jumped), not jumped.all()


def _after_rows(
    before: Model,
    train: Dataset,
    inputs: Scaling | None,
    targets: TargetScaling,
    levels: np.ndarray | None,
    tracks: bool,
) -> tuple[TargetScaling, Moved | None]:
    """The scaling of the targets after some more rows, and how predictions follow it."""
    assert train.y is not None
    X, y, weights = train.X.rows(), train.y.rows(), train.row_weights()
    if weights is not None:
        X, _ = weighed(X, weights)
    y, _ = weighed(y, weights)

    def predict(n: int) -> np.ndarray:
        return _predicted(before, inputs, X[len(X) - n :])

    return targets.follows(y, predict, levels, tracks)


def _predicted(before: Model, inputs: Scaling | None, X: np.ndarray) -> np.ndarray:
    """What a model predicts with a scaling of the inputs, in the units of y."""
    dtype = before.network.dtype
    rows = X.astype(dtype) if inputs is None else inputs.apply(X, dtype)
    scaling = before.target_scaling or unscaled(before.task.n_outputs)
    a = before.finite_outputs(np.ascontiguousarray(rows))
    return scaling.in_units(a)


def _with_inputs(
    before: Model,
    inputs: Scaling | None,
    there: StreamRows,
    auto: bool,
    found: tuple[TargetScaling, TargetScaling, Moved],
) -> tuple[Scaling | None, Moved]:
    """The scaling of the inputs and how predictions follow, where X has gone elsewhere together
    with y: the network reads X from its new middle, with the same function."""
    base, after, moved = found
    n = before.n_features
    scaling = grown_inputs(inputs, there, n, auto)
    rows = there.block
    if scaling is inputs or len(rows) < ENOUGH / 2:
        return inputs, moved
    predicted = _predicted(before, scaling, rows[:, :n])
    nowhere = np.zeros(len(base.shift), bool)
    return scaling, follow_by(base, after, rows[:, n:-1], predicted, (moved.outgrown, nowhere))


def spread_over(
    targets: TargetScaling, rows: StreamRows, n: int, after: TargetScaling
) -> TargetScaling:
    """The scaling of targets that have drifted from where their scaling was learned: one for all
    that there were.

    Parameters
    ----------
    targets : TargetScaling
    rows : StreamRows
    n : int
        Columns of X, which come before those of y.
    after : TargetScaling
        As it is where the last rows are.

    Returns
    -------
    TargetScaling
        `after` in the columns that have jumped there.
    """
    shift, factor = after.shift.copy(), after.factor.copy()
    moved = (after.shift != targets.shift) | (after.factor != targets.factor)
    for at, y in rows.since_varying(slice(n, n + len(moved))):
        for i, one in zip(at.tolist(), y.T):
            if moved[i] and not jumps(one, targets.shift[i], after.shift[i]):
                low, high = np.percentile(one, [2, 98])
                low, high = min(low, after.shift[i]), max(high, after.shift[i])
                shift[i] = (low + high) / 2
                factor[i] = max(targets.factor[i], (high - low) / (2 * NEAR))
    return after._replace(shift=shift, factor=factor)


def grown_inputs(scaling: Scaling | None, rows: StreamRows, n: int, auto: bool) -> Scaling | None:
    """The scaling of the inputs after it was learned from a sample, of each column in the rows
    since it varies: itself where nothing has outgrown it.

    Parameters
    ----------
    scaling : Scaling or None
    rows : StreamRows
    n : int
        Columns of X, the first ones.
    auto : bool
        Whether columns that are read as they are may be scaled.

    Returns
    -------
    Scaling or None
    """
    alike = scaling is None or scaling.kind == "auto"
    if (alike and not auto) or (scaling is not None and not scaling.kind):
        return scaling
    before, kind = scaling, USUAL_OF_LINEAR if alike else scaling.kind  # type: ignore[union-attr]
    if scaling is None:
        scaling = Scaling(np.zeros(n), np.ones(n), "auto", np.zeros(n, bool))
    after = scaling
    for at, X in rows.since_varying(slice(n)):
        for one in outliers(X, few=FALSE):
            X[:, one.column] = X[:, one.column].clip(one.low, one.high)
        try:
            learned = learn_scaling(kind, X)
        except ValueError:  # of numbers that float64 cannot scale, which training tells of
            continue
        after = _grown(after, learned, at)
    return before if after is scaling else after


def _grown(scaling: Scaling, learned: Scaling, at: np.ndarray) -> Scaling:
    """A scaling with what was learned of some columns that have outgrown it."""
    old_shift, old_factor = scaling.shift[at], scaling.factor[at]
    size, now = 1 / old_factor, 1 / learned.factor
    with np.errstate(all="ignore"):
        away = np.abs(learned.shift - old_shift)
        times = RANGE_GROWN if learned.kind == "minmax" else GROWN
        grown = (now > times * size) | (away > AWAY * np.maximum(now, size))
        if scaling.kind == "auto":
            read = (old_factor == 1) & (old_shift == 0)
            large = (now > LARGEST) | (away > FAR * np.maximum(now, 1.0))
            grown = np.where(read, large, grown)
    assert learned.constant is not None
    grown &= ~learned.constant & (learned.factor != 1)  # of a spread of 0 too
    if scaling.constant is not None:
        grown &= ~scaling.constant[at]
    if not grown.any():
        return scaling
    low, width = learned.shift, np.maximum(size, now)
    if learned.kind == "minmax":
        low = np.minimum(old_shift, low)
        width = np.maximum(old_shift + size, learned.shift + now) - low
    shift, factor, at = scaling.shift.copy(), scaling.factor.copy(), at[grown]
    shift[at], factor[at] = low[grown], 1 / width[grown]
    return scaling._replace(shift=shift, factor=factor)


def grown_targets(
    targets: TargetScaling | None, rows: StreamRows, n: int, task: Task
) -> TargetScaling | None:
    """The same of the targets, which come after n columns of X."""
    before = targets
    targets = unscaled(task.n_outputs) if targets is None else targets
    robust = targets.robust or task.loss in ROBUST_LOSSES
    shift, factor = targets.shift.copy(), targets.factor.copy()
    for at, y in rows.since_varying(slice(n, n + task.n_outputs)):
        try:
            learned = learn_target_scaling("standard", False, y, None, robust, True)
        except ValueError:
            continue
        if learned is None:  # middle 0 and size 1
            learned = unscaled(len(at))
        size, now = factor[at], learned.factor
        grown = now > GROWN * size
        grown |= np.abs(learned.shift - shift[at]) > AWAY * np.maximum(now, size)
        if learned.constant is not None:
            grown &= ~learned.constant
        if targets.constant is not None:
            grown &= ~targets.constant[at]
        at, now = at[grown], np.maximum(size, now)[grown]
        shift[at], factor[at] = learned.shift[grown], now
    after = targets._replace(shift=shift, factor=factor)
    if after.is_as(targets):
        return before
    # Of errors in other sizes.
    return after if after.tracked is None else after._replace(tracked=0 * after.tracked)
