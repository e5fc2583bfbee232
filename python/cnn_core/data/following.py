"""The scalings of a stream after some more rows.

Targets that lie elsewhere may have moved, while they depend on x as before, or x has: a slow signal
goes where it has not been. Where the rows of X come in no order, predictions are moved with y, and
so is the sample. Where they follow a slow signal, the function of x stays, a scaling for all
targets that there were is learned, and the network rehearses the sample. Targets that jump have
moved in any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core.data.auto_scaling import FAR, LARGEST, USUAL_OF_LINEAR
from cnn_core.data.scaling import Scaling, learn_scaling, weighed
from cnn_core.data.stream import StreamRows, beside, jumps
from cnn_core.data.target_scaling import (
    NEAR,
    ROBUST_LOSSES,
    Moved,
    TargetScaling,
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
#: learned anew. Ten normal rows are off by more than 1.75 times once in 30.
GROWN, AWAY = 1.75, 3.0


class Streamed(NamedTuple):
    """What a stream has come to."""

    rows: StreamRows
    scaling: Scaling | None
    targets: TargetScaling | None
    moved: Moved | None = None  #: how predictions follow targets that have moved
    anew: bool = False  #: whether a size has grown, so that the sample is to be learned anew


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
    elif train.labels is None and _begins_to_vary(past, rows[:, train.X.array.shape[1] :]):
        return Streamed(StreamRows.begin(rows, count, past.follows), scaling, targets)
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
                levels = base.with_levels(past.levels)
                every = StreamRows.begin(rows, count, past.follows, levels)
                return Streamed(every, scaling, targets, moved)
            every = past.moved(base, moved, n).followed_by(rows, count)
    due = every.total >= every.check
    if past is None or before.first_rows is not None or not (drifts or due):
        return Streamed(every, scaling, targets, moved)
    if due:
        every = every._replace(check=2 * every.total)
    if not every.follows:
        return Streamed(every, scaling, targets, moved)
    sample, slow = every.sample(), every.is_slow(n)
    tracked = targets is not None and targets.tracked is not None
    found = scaling, targets
    if how.scale_inputs is not None and before.network_spec.bias:
        scaling = grown_inputs(scaling, sample[:, :n], how.scale_inputs == "auto")
    if learns and (slow or not tracked):  # else the middle follows, of which the sample has many
        targets = grown_targets(targets, sample[:, n:], task)
    grown = scaling is not found[0] or targets is not found[1]
    return Streamed(every, scaling, targets, moved, drifts or grown or tracked or slow)


def _begins_to_vary(past: StreamRows, y: np.ndarray) -> bool:
    """Whether targets were the same in all rows until now, as those of a sensor that warms up: a
    scaling then learns from what follows."""
    before = past.sample()[:, past.marks.shape[1] - y.shape[1] :]
    return bool((before == before[:1]).all() and not (y == before[:1]).all())


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
    over = spread_over(targets, every.sample()[:, n:], after)
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
        dtype = before.network.dtype
        rows = X[len(X) - n :]
        rows = rows.astype(dtype) if inputs is None else inputs.apply(rows, dtype)
        scaling = before.target_scaling or unscaled(y.shape[1])
        a = before.finite_outputs(np.ascontiguousarray(rows))
        predicted: np.ndarray = a * scaling.factor + scaling.shift
        return predicted

    return targets.follows(y, predict, levels, tracks)


def spread_over(targets: TargetScaling, y: np.ndarray, after: TargetScaling) -> TargetScaling:
    """The scaling of targets that have drifted from where their scaling was learned: one for all
    that there were.

    Parameters
    ----------
    targets : TargetScaling
    y : ndarray, shape (rows, n_outputs)
        The sample.
    after : TargetScaling
        As it is where the last rows are.

    Returns
    -------
    TargetScaling
        `after` in the columns that have jumped there.
    """
    shift, factor = after.shift.copy(), after.factor.copy()
    moved = (after.shift != targets.shift) | (after.factor != targets.factor)
    for i in np.flatnonzero(moved).tolist():
        if not jumps(y[:, i], targets.shift[i], after.shift[i]):
            low, high = np.percentile(y[:, i], [2, 98])
            low, high = min(low, after.shift[i]), max(high, after.shift[i])
            shift[i] = (low + high) / 2
            factor[i] = max(targets.factor[i], (high - low) / (2 * NEAR))
    return after._replace(shift=shift, factor=factor)


def grown_inputs(scaling: Scaling | None, X: np.ndarray, auto: bool) -> Scaling | None:
    """The scaling of the inputs after it was learned from a sample: itself where nothing has
    outgrown it.

    Parameters
    ----------
    scaling : Scaling or None
    X : ndarray, shape (rows, features)
        The sample.
    auto : bool
        Whether columns that are read as they are may be scaled.

    Returns
    -------
    Scaling or None
    """
    n = X.shape[1]
    alike = scaling is None or scaling.kind == "auto"
    if (alike and not auto) or (scaling is not None and not scaling.kind):
        return scaling
    kind = USUAL_OF_LINEAR if alike else scaling.kind  # type: ignore[union-attr]
    if scaling is None:
        scaling = Scaling(np.zeros(n), np.ones(n), "auto", np.zeros(n, bool))
        before: Scaling | None = None
    else:
        before = scaling
    try:
        learned = learn_scaling(kind, np.ascontiguousarray(X))
    except ValueError:  # of numbers that float64 cannot scale, which training tells of
        return before
    size, now = 1 / scaling.factor, 1 / learned.factor
    with np.errstate(all="ignore"):
        away = np.abs(learned.shift - scaling.shift)
        if alike:
            read = (scaling.factor == 1) & (scaling.shift == 0)
            grown = np.where(read, (now > LARGEST) | (away > FAR * np.maximum(now, 1.0)), False)
        else:
            grown = np.zeros(n, bool)
            read = grown
        grown |= ~read & ((now > GROWN * size) | (away > AWAY * np.maximum(now, size)))
    assert learned.constant is not None
    grown &= ~learned.constant & (learned.factor != 1)  # of a spread of 0 too
    if scaling.constant is not None:
        grown &= ~scaling.constant
    if not grown.any():
        return before
    shift, factor = scaling.shift.copy(), scaling.factor.copy()
    shift[grown] = learned.shift[grown]
    factor[grown] = (1 / np.maximum(size, now))[grown]
    if kind == "minmax":
        low = np.minimum(scaling.shift, learned.shift)
        high = np.maximum(scaling.shift + size, learned.shift + now)
        shift[grown], factor[grown] = low[grown], (1 / (high - low))[grown]
    return scaling._replace(shift=shift, factor=factor)


def grown_targets(targets: TargetScaling | None, y: np.ndarray, task: Task) -> TargetScaling | None:
    """The same of the targets."""
    before = targets
    targets = unscaled(task.n_outputs) if targets is None else targets
    robust = targets.robust or task.loss in ROBUST_LOSSES
    try:
        learned = learn_target_scaling(
            "standard", False, np.ascontiguousarray(y), None, robust, True
        )
    except ValueError:
        return before
    if learned is None:  # middle 0 and size 1
        learned = unscaled(task.n_outputs)
    size, now = targets.factor, learned.factor
    grown = now > GROWN * size
    grown |= np.abs(learned.shift - targets.shift) > AWAY * np.maximum(now, size)
    for one in (learned, targets):
        if one.constant is not None:
            grown &= ~one.constant
    if not grown.any():
        return before
    shift = np.where(grown, learned.shift, targets.shift)
    after = targets._replace(shift=shift, factor=np.where(grown, np.maximum(size, now), size))
    # Of errors in other sizes.
    return after if after.tracked is None else after._replace(tracked=0 * after.tracked)
