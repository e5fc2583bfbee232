"""What users are told of a training: before its first step, and when it has diverged."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from cnn_core.causes import data as of_data
from cnn_core.causes.network import alike
from cnn_core.causes.training import Diverged, divergence
from cnn_core.data.prepare import Dataset, Prepared
from cnn_core.data.target_scaling import scales_targets
from cnn_core.data.validation import plain
from cnn_core.initializers import INITIALIZERS, Zeros
from cnn_core.task import Task

if TYPE_CHECKING:
    from cnn_core.causes.data import Run
    from cnn_core.model import Model
    from cnn_core.training.fit import Job
    from cnn_core.training.loop import TrainingLoop

SHOWS = 10  # validation rows, fewer of which may be of one class by chance


def before_fit(p: SimpleNamespace, model: Model, data: Prepared, batch_size: int) -> Iterator[str]:
    """What keeps a fit from learning and is known before it begins.

    Parameters
    ----------
    p : namespace
        The parameters of MLP, from `check_parameters`.
    model : Model
        Before its next step.
    data : Prepared
    batch_size : int

    Yields
    ------
    str
    """
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
    causes = divergence(
        Diverged(
            spec,
            float(rate),
            train.X.rows(),
            train.y.array if train.y is not None and regression else None,
            model.feature_names,
            model.scaling is not None,
            float(np.abs(model.network.flat()).max()),
            cure,
        )
    )
    best = loop.best_epoch
    kept = loop.n_epochs if best is None else best
    which = "the last finite ones" if best is None else "the best on the validation data"
    return (
        f"training diverged in epoch {loop.n_epochs + 1} at learning rate {rate:g} (loss "
        f"{loop.last_loss}): {causes}; the weights after epoch {kept}, {which}, are kept"
    )
