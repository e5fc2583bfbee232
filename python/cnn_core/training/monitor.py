"""The measurements of each epoch, and the lines that are printed of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._few import counted
from cnn_core._linalg import column_sums
from cnn_core._warn import show, warn
from cnn_core.data.prepare import Dataset
from cnn_core.monitors import sign_of
from cnn_core.scores import constant_of, pinball_sums, share_of_constant
from cnn_core.task import Task

if TYPE_CHECKING:
    from cnn_core.model import Model
    from cnn_core.training.loop import TrainingLoop
    from cnn_core.training.protocols import Trainer
    from cnn_core.training.scoring import Scores


class LossAndMetric:
    """Loss and metric of the rows as they passed by in training, and those of validation rows.

    Parameters
    ----------
    task : Task
    train : Dataset
    validation : Dataset or None
    watched : str
        The column that says how good the weights are; without validation rows 'loss'.
    scores : Scores, optional
        What makes it, where it is a score.
    """

    def __init__(
        self,
        task: Task,
        train: Dataset,
        validation: Dataset | None,
        watched: str = "val_loss",
        scores: Scores | None = None,
    ) -> None:
        self.task, self.validation, self.scores = task, validation, scores
        self.names: tuple[str, ...] = ("loss", "metric")
        self.watched = "loss" if validation is None else watched
        self.sign = sign_of(self.watched)
        if validation is not None:
            self.names += ("val_loss", "val_metric")
        if scores is not None:
            self.names += (watched,)
        self.total = self._of_constant(train)
        self.val_total = None if validation is None else self._of_constant(validation)
        self.warned = False
        self.found: tuple[float, Any] | None = None

    def _of_constant(self, data: Dataset) -> np.ndarray | None:
        """What the metric of a regression compares with: the total sum of squares of each output,
        or the loss of the best constant."""
        if self.task.name != "regression":
            return None
        quantile = self.task.judged_quantile
        return data.total_sum_of_squares() if quantile is None else _of_quantile(data, quantile)

    def metric(self, loss: float, measured: Any, total: np.ndarray | None) -> float:
        """Of some rows, with their loss and what a trainer has measured."""
        if self.task.judged_quantile is None or total is None:
            return self.task.metric(measured, total)
        return float(share_of_constant(np.array([loss]), total)[0])

    def evaluate(self, trainer: Trainer) -> None:
        """Evaluate the validation rows, if there are any, for the `entry` that comes next. All of
        an entry that takes long; any thread may do it."""
        if self.validation is not None:
            rows = self.validation
            self.found = trainer.evaluate(rows.X, rows.y, rows.labels)

    def entry(self, trainer: Trainer, epoch: int, loss: float, measured: Any) -> dict[str, float]:
        """The numbers of an epoch."""
        metric, rows = self.metric, self.validation
        entry = {"loss": loss, "metric": metric(loss, measured, self.total)}
        if rows is not None:
            if self.found is None:
                self.evaluate(trainer)
            assert self.found is not None
            (val_loss, measured), self.found = self.found, None
            if not (self.warned or math.isfinite(val_loss)):
                self.warned = True
                warn(
                    f"the loss on the validation data is {val_loss} after epoch {epoch}: some of "
                    "its rows are so far from the others that their outputs overflow "
                    f"{rows.X.array.dtype}",
                    RuntimeWarning,
                )
            entry["val_loss"] = val_loss
            entry["val_metric"] = metric(val_loss, measured, self.val_total)
        if self.scores is not None:
            entry[self.watched] = self.scores.now(epoch)
        return entry

    def of_model(self, trainer: Trainer, model: Model) -> float | None:
        """The watched number of a model before the first epoch, of which the trainer has the
        weights; None where it is of the training rows as they pass by."""
        rows = self.validation
        if rows is None or self.watched == "loss":
            return None
        if self.scores is not None:
            return self.scores.of(model, "before the first epoch")
        loss, measured = trainer.evaluate(rows.X, rows.y, rows.labels)
        return loss if self.watched == "val_loss" else self.metric(loss, measured, self.val_total)


def _of_quantile(data: Dataset, quantile: float) -> np.ndarray:
    """The least pinball loss of a constant prediction, shape (1,)."""
    assert data.y is not None
    y, weights = data.y.rows(), None if data.weights is None else data.weights.rows()
    sums = pinball_sums(y, constant_of(y, quantile, weights)[None], quantile, weights)
    rows = float(len(y))
    if weights is not None:
        rows = float(column_sums(np.ascontiguousarray(weights), np.zeros(1), 1)[0])
    return np.array([math.fsum(sums.tolist()) / rows])


def print_end(loop: TrainingLoop, patience: int) -> None:
    """Print why a run has ended and which weights the model has; nothing where it has gone through
    all its epochs and has the last weights, as the last line says so.

    Parameters
    ----------
    loop : TrainingLoop
    patience : int
        Of early stopping.
    """
    last, best = loop.n_epochs, loop.best_epoch
    when = f"after epoch {last}" if loop.epochs else f"in epoch {last + 1}"
    kept = last if best is None else best
    waited = counted(patience, "epoch")
    why = {
        "epochs": "done" if kept != last else "",
        "stopping": f"stopped: {loop.monitor.watched} has not improved for {waited}",
        "converged": f"stopped: converged in epoch {last}",
        "hook": "stopped: a callback returned True",
        "divergence": f"stopped: diverged in epoch {last + 1}",
        "max_seconds": f"stopped: max_seconds was over {when}",
        "requested": f"stopped by request {when}",
        "interrupted": f"interrupted after epoch {last}",
    }[loop.reason]
    if not why:
        return
    if not loop.epochs:
        which = "the weights are those before it"
    elif kept != last:
        which = f"the weights of epoch {kept} are back"
    else:
        which = f"the weights are those of epoch {kept}"
    show(f"{why}; {which}")
