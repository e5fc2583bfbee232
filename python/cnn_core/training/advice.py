"""What users are told of a training: before its first step, and when it has diverged."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from cnn_core.causes import data as of_data
from cnn_core.causes.begin import initial_weights, uneven, unweighted
from cnn_core.causes.codes import codes
from cnn_core.causes.matching import other_targets
from cnn_core.causes.network import alike
from cnn_core.causes.seen import Rules, Seen, in_units, learned, rows_seen
from cnn_core.causes.training import Diverged, divergence
from cnn_core.data.prepare import Dataset, Prepared
from cnn_core.data.target_scaling import scales_targets
from cnn_core.data.validation import plain
from cnn_core.initializers import INITIALIZERS, Initializer, Zeros
from cnn_core.task import Task

if TYPE_CHECKING:
    from cnn_core.causes.data import Run
    from cnn_core.data.scaling import Scaling
    from cnn_core.data.target_scaling import TargetScaling
    from cnn_core.model import Model
    from cnn_core.training.fit import Job
    from cnn_core.training.loop import TrainingLoop

COMPARED = 1000  # rows of a call that are compared with those before
#: Curve of a scaling: the median of |x| after it that the features of a training that goes on may
#: have; each is 10 before the curve.
AWAY = {"linear": 10.0, "smooth clip": 2.87, "asinh": 3.0}
SLACK = 2.0  # ranges by which the targets of a training that goes on may lie away
LOPSIDED = 3.0  # ratio of the ends of y above which a code for a missing entry is looked for
SHOWS = 10  # validation rows, fewer of which may be of one class by chance


def before_training(
    p: SimpleNamespace, model: Model, data: Prepared, batch_size: int, purpose: str
) -> tuple[list[str], Seen]:
    """What is known of a training before it begins.

    Parameters
    ----------
    p : namespace
        The parameters of MLP, from `check_parameters`.
    model : Model
        Before its next step.
    data : Prepared
    batch_size : int
    purpose : str
        As `fit.begin` takes it.

    Returns
    -------
    findings : list of str
        What keeps it from learning.
    seen : Seen
        What later advice is to know.
    """
    fits, streams = purpose == "fit", purpose == "partial_fit"
    if not (fits or streams):
        return [], Seen()
    train, past = data.train, model.seen
    regression, scaled = model.task.name == "regression", learned(model.scaling)
    seen = rows_seen(past if streams else None, train, regression, scaled, data.target_scaling)
    early = bool(p.early_stopping) and fits
    seen = seen._replace(rules=Rules(early, float(p.min_delta), p.tol, int(p.patience)))
    findings: list[str] = []
    if model.n_epochs and _asked(model.history.streamed):
        findings += _of_other_rows(model, data, "fit anew, with warm_start=False")
    if fits or not model.n_epochs:
        told, begin = _of_beginning(p, model, train)
        findings += told
        begin += _codes_of_targets(seen.y, train, data.target_scaling) if fits else []
        seen = seen._replace(begin=tuple(begin))
        findings += _before_first_step(p, model, data, batch_size)
    else:
        seen = seen._replace(begin=past.begin)
    return findings, seen


def _asked(calls: int) -> bool:
    """Whether the rows of a call of partial_fit are compared with those before: of ever fewer
    calls, so that a stream does not wait for it."""
    return calls & (calls - 1) == 0


def _of_other_rows(model: Model, data: Prepared, fresh: str) -> Iterator[str]:
    """Rows that lie elsewhere than those of the training that goes on: scaling stays its own."""
    cure = f"take the same units, or {fresh}"
    X, seen = data.train.X, model.seen
    at = np.arange(0, X.count, -(-X.count // COMPARED))
    some = X.array[at if X.indices is None else X.indices[at]]
    scaled = learned(model.scaling)
    away = AWAY["linear" if model.scaling is None else model.scaling.curve]
    yield from of_data.elsewhere(some, model.feature_names, scaled, seen.X, False, away, cure)
    if seen.y is not None and seen.rows >= of_data.ENOUGH and data.train.y is not None:
        y = in_units(data.target_scaling, data.train.y.rows()[:: -(-X.count // COMPARED)])
        yield from other_targets(seen.y, y, slack=SLACK, cure=cure)


def _codes_of_targets(
    ends: np.ndarray | None, train: Dataset, scaling: TargetScaling | None
) -> list[str]:
    """Codes for a missing y, which are looked for where one end of the range lies much further from
    the middle than the other."""
    if ends is None or train.y is None:
        return []
    low, high = np.abs(ends if scaling is None else (ends - scaling.shift) / scaling.factor)
    if not (np.maximum(low, high) > LOPSIDED * np.minimum(low, high)).any():
        return []
    return list(codes(in_units(scaling, train.y.rows()), y=True))


def _of_beginning(p: SimpleNamespace, model: Model, train: Dataset) -> tuple[list[str], list[str]]:
    """What is wrong with the weights of rows and with initial weights: what is told at once, and
    what is told where the result is poor."""
    told: list[str] = []
    begin: list[str] = []
    weights = train.row_weights()
    if weights is not None:
        labels = None if train.labels is None else train.labels.array[:, 0]
        arguments = model.task, labels, weights[:, 0], p.class_weight
        told += unweighted(*arguments)
        begin += told or uneven(*arguments)
    if not (model.n_epochs or isinstance(p.init, str)):
        begin += initial_weights(model.network)
        if isinstance(p.init, Initializer):  # weights that are given may be meant so
            told += initial_weights(model.network, strict=True)
    return told, begin


def _before_first_step(
    p: SimpleNamespace, model: Model, data: Prepared, batch_size: int
) -> Iterator[str]:
    """The order of the rows, units that begin alike, and rows to validate on that show little."""
    if not p.shuffle:
        known = data.train.y if data.train.labels is None else data.train.labels
        assert known is not None
        yield from of_data.order(known.array, batch_size)
    if not (model.n_epochs or _draws(p.init)):
        yield from alike(model.network, trained=False)
    if data.validation is not None:
        yield from _of_validation(model.task, data.validation)


def _draws(init: object) -> bool:
    """Whether initial weights are drawn at random."""
    kind = INITIALIZERS[init] if isinstance(init, str) else type(init)
    return kind is not Zeros and kind in INITIALIZERS.values()


def _of_validation(task: Task, rows: Dataset) -> Iterator[str]:
    """Validation rows that show little, however good the model is."""
    count = rows.X.count
    if task.name == "regression":
        assert rows.y is not None
        y = rows.y.array
        if (y == y[0]).all():
            which = "There is a single validation row" if count == 1 else "All validation rows have"
            yield (
                f"{which}{'' if count == 1 else ' the same y'}: val_metric, their R^2, compares "
                "them with their mean and means nothing; take other rows."
            )
    elif rows.labels is not None and count >= SHOWS:
        labels = rows.labels.array
        if (labels == labels[0]).all():
            assert task.classes is not None
            yield (
                f"All {count} validation rows are of class {plain(task.classes[labels[0, 0]])!r}: "
                "they do not show whether the classes are told apart; take rows of all classes."
            )


def in_stream(run: Run, train: Dataset, findings: list[str], streams: bool) -> Run:
    """How the classes have come with a call of partial_fit; what is to be said of it goes to
    `findings`. A fit, which sees all rows in its own order, begins anew."""
    if train.labels is None or not streams:
        return None
    run, found = of_data.stream(run, train.labels.array)
    if found:
        findings.append(of_data.STREAMED_BY_CLASS)
    return run


def divergence_words(p: SimpleNamespace, job: Job, loop: TrainingLoop) -> str:
    """When a training diverged, the likely causes, and which weights stay."""
    model, spec, train = job.model, job.spec, job.train
    regression = model.task.name == "regression"
    cure = "divide it by its size"
    if model.target_scaling is not None and model.target_scaling.scales:
        cure = "that is scaled already; loss='mae' or Huber() limits what such rows do"
    elif scales_targets(model.task):
        cure = "scale_targets='standard' is the cure"
    rate = loop.trainer.learning_rate
    scaled = learned(model.scaling)
    begins = not model.n_epochs
    causes = divergence(
        Diverged(
            spec,
            float(rate),
            train.X.rows(),
            train.y.array if train.y is not None and regression else None,
            model.feature_names,
            scaled,
            float(np.abs(model.network.flat()).max()),
            _cure_of_inputs(p.scale_inputs, model.scaling),
            cure,
            "init='auto' draws small ones" if begins else "fit anew, with warm_start=False",
        )
    )
    best = loop.best_epoch
    kept = loop.n_epochs if best is None else best
    which = "the last finite ones" if best is None else "the best on the validation data"
    return (
        f"training diverged in epoch {loop.n_epochs + 1} at learning rate {rate:g} (loss "
        f"{loop.last_loss}): {causes}; the weights after epoch {kept}, {which}, are kept"
    )


def _cure_of_inputs(asked: str | None, scaling: Scaling | None) -> str:
    """Of features that are too large for a training."""
    if scaling is not None and scaling.kind != "auto":
        if scaling.curve == "linear":
            return "scale_inputs='robust_clip' limits it"
        return "check these entries"
    if asked == "auto":
        return "scale_inputs='auto' has left it as it is; 'robust_asinh' is the cure"
    return "scale_inputs='auto' is the cure"


def out_of_time(p: SimpleNamespace, model: Model) -> str:
    """That no epoch has ended in time, and which weights there are."""
    which = "as it was before" if model.n_epochs else "untrained, with its initial weights"
    return (
        f"max_seconds={p.max_seconds:g} was over before the first epoch ended: the model is "
        f"{which}; allow more time, or train on fewer rows"
    )
