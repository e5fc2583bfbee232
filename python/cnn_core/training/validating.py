"""What users are told of validation rows: that they show little, or do not belong to the training
rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cnn_core._dataset import RowSource
from cnn_core._frozen import replace
from cnn_core.causes import data as of_data
from cnn_core.causes.matching import other_targets
from cnn_core.causes.outliers import outliers, without
from cnn_core.causes.seen import Seen, in_units, learned
from cnn_core.causes.spread import AWAY_OF_VALIDATION
from cnn_core.data.prepare import Dataset, Prepared
from cnn_core.data.validation import plain
from cnn_core.task import Task

if TYPE_CHECKING:
    from cnn_core.data.scaling import Scaling
    from cnn_core.model import Model
    from cnn_core.training.fit import Job
    from cnn_core.training.loop import TrainingLoop

COMPARED = 1000  # rows that are compared with others
#: Curve of a scaling: the median of |x| after it that the features of validation rows, and of a
#: training that goes on, may have; each is 10 before the curve.
AWAY = {"linear": 10.0, "smooth clip": 2.87, "asinh": 3.0}
NARROW = 0.1  # standard deviations beside those of training that most features must exceed
SLACK = 0.5  # ranges by which the targets may lie away
SHOWS = 10  # rows, fewer of which may be of one class by chance
WHOSE = "the validation data"
CURE = "take the same units, and whatever else was done to the training rows"


def away(scaling: Scaling | None) -> float:
    """The median of |x| that features may have."""
    return AWAY["linear" if scaling is None else scaling.curve]


def some(rows: RowSource) -> np.ndarray:
    """Some rows, evenly spread."""
    at = np.arange(0, rows.count, -(-rows.count // COMPARED))
    found: np.ndarray = rows.array[at if rows.indices is None else rows.indices[at]]
    return found


def of_validation(task: Task, rows: Dataset, stops: bool) -> Iterator[str]:
    """Validation rows that show little, however good the model is.

    Parameters
    ----------
    task : Task
    rows : Dataset
    stops : bool
        Whether they decide when the training ends.

    Yields
    ------
    str
    """
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
    elif rows.labels is not None and count == 1 and stops:
        yield (
            "There is a single validation row, by which early stopping chooses the epoch: take "
            "more rows."
        )
    elif rows.labels is not None and count >= SHOWS:
        labels = rows.labels.array
        if (labels == labels[0]).all():
            assert task.classes is not None
            yield (
                f"All {count} validation rows are of class {plain(task.classes[labels[0, 0]])!r}: "
                "they do not show whether the classes are told apart; take rows of all classes."
            )


def unlike(model: Model, data: Prepared, seen: Seen) -> Iterator[str]:
    """Validation rows in other units than those of training.

    Parameters
    ----------
    model : Model
        Before its first step.
    data : Prepared
    seen : Seen
        Of the training rows.

    Yields
    ------
    str
    """
    train, rows = data.train, data.validation
    assert rows is not None
    if rows.X.count < of_data.ENOUGH or train.X.count < of_data.ENOUGH:
        return
    X = model.without_categories(some(rows.X))
    if np.abs(X).max() > np.sqrt(np.finfo(X.dtype).max):
        return  # the first epoch tells that their loss overflows
    yield from of_data.elsewhere(
        X,
        model.input_names,
        learned(data.scaling),
        seen.X,
        False,
        of_data.Limits(
            away(data.scaling),
            NARROW,
            each=seen.known(data.scaling, data.columns, AWAY_OF_VALIDATION),
        ),
        (f"X of {WHOSE} lies elsewhere than that of the training rows, as", CURE),
    )
    if seen.y is None or rows.y is None or train.y is None:
        return
    y, known = (in_units(data.target_scaling, some(one)) for one in (rows.y, train.y))
    quartiles = np.percentile(known, [25, 75], axis=0)
    spread, said = quartiles[1] - quartiles[0], (f"y of {WHOSE}", "", "take the same units")
    y = y[without(outliers(y), y)]
    names = seen.targets
    yield from other_targets(seen.y, y, slack=SLACK, spread=spread, said=said, names=names)


def after_training(job: Job, loop: TrainingLoop) -> list[str]:
    """Validation rows whose y does not belong to what has been learned, such as permuted labels or
    another sign.

    Parameters
    ----------
    job : Job
    loop : TrainingLoop
        That has ended.

    Returns
    -------
    list of str
    """
    from cnn_core.evaluation import Metrics, of_other_rows, sample

    rows, columns = job.validation, loop.history.columns
    if rows is None or job.purpose != "fit" or job.seen.validation or not loop.epochs:
        return []
    if not job.validates:  # rows set apart are drawn from those that are trained on
        return []
    reached, here = (columns[name][loop.epochs - 1] for name in ("metric", "val_metric"))
    metrics = Metrics(here, reached, job.model.baseline)
    finite = math.isfinite(columns["val_loss"][loop.epochs - 1])
    if rows.X.count < of_data.ENOUGH or not (finite and metrics.learned and metrics.falls):
        return []
    scaled, names = learned(job.model.scaling), job.model.input_names
    limits = of_data.Limits(each=job.seen.known(job.model.scaling, job.model.columns))
    said = f"X of {WHOSE} lies elsewhere than that of the training rows, as", CURE
    X = job.model.without_categories(some(rows.X))
    found = list(of_data.elsewhere(X, names, scaled, job.seen.X, False, limits, said))
    if found:  # of which the outputs say nothing
        return found
    # Outputs as the network gives them.
    network = replace(job.model, network=loop.network, target_scaling=None)
    a = network.predictors["native"].outputs(sample(rows).X.rows(), 1)
    return list(of_other_rows(replace(job.model, seen=job.seen), rows, a, metrics, WHOSE))
