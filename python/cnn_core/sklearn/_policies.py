"""What scikit-learn's estimators do otherwise than `cnn_core.MLP` in the training loop: scores on
rows set apart, rates after each epoch, the rules that stop a training, and printed lines.

The rules - what counts as an improvement, what ends a training, what is printed - are those of
scikit-learn 1.9's `sklearn.neural_network`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._network import Network
from cnn_core._warn import show
from cnn_core.sklearn._weights import forward
from cnn_core.task import r2
from cnn_core.training.loop import TrainingLoop
from cnn_core.training.stopping import Stopping

if TYPE_CHECKING:
    from cnn_core.training.protocols import Finite


class Scorer:
    """Rows that are not trained on, and the score on them: accuracy (with several labels a row: of
    rows that are right in all), or R^2.

    Parameters
    ----------
    X : ndarray or sparse array, shape (rows, features)
    y : ndarray
        Class indices of shape (rows,), or targets of shape (rows, n_outputs).
    weights : ndarray, shape (rows,), or None
    regression : bool
    threshold : float
        The output above which a sigmoid says yes.
    """

    def __init__(
        self,
        X: Any,
        y: np.ndarray,
        weights: np.ndarray | None,
        regression: bool,
        threshold: float = 0.5,
    ) -> None:
        self.X, self.y, self.weights = X, y, weights
        self.regression, self.threshold = regression, threshold
        if regression:
            self.y = y.astype(np.float64)
            self.w = np.ones((len(y), 1)) if weights is None else weights[:, None].astype(float)
            mean = np.average(self.y, axis=0, weights=self.w[:, 0])
            self.total_sum_of_squares = (self.w * (self.y - mean) ** 2).sum(axis=0)

    def score(self, network: Network, threads: int) -> float:
        """The score of what `network` predicts; NaN for a regression whose predictions are not
        finite."""
        a = forward(network, self.X, threads)
        if self.regression:
            if not np.isfinite(a).all():
                return math.nan
            residual = (self.w * (self.y - a) ** 2).sum(axis=0)
            return r2(residual, self.total_sum_of_squares)
        if self.y.ndim == 2:
            right = ((a > self.threshold) == self.y).all(axis=1)
        else:
            right = (a[:, 0] > self.threshold if a.shape[1] == 1 else a.argmax(axis=1)) == self.y
        return float(np.average(right, weights=self.weights))


class LossAndScore:
    """The monitor: the loss, and the score on rows that are not trained on.

    Parameters
    ----------
    scorer : Scorer or None
    network : Network
        What is trained.
    threads : int
    """

    watched, sign = "loss", 1.0

    def __init__(self, scorer: Scorer | None, network: Network, threads: int) -> None:
        self.names: tuple[str, ...] = ("loss",)
        if scorer is not None:
            self.names = ("loss", "validation_score")
        self.scorer, self.network, self.threads = scorer, network, threads

    def entry(self, trainer: Any, epoch: int, loss: float, measured: Any) -> dict[str, float]:
        """The numbers of an epoch."""
        entry = {"loss": loss}
        if self.scorer is not None:
            entry["validation_score"] = self.scorer.score(self.network, self.threads)
        return entry


class InverseScaling:
    """The rate after each epoch: ``initial / (t + 1) ** power`` after t rows.

    Parameters
    ----------
    initial, power : float
    t : int
        Rows trained on before.
    count : int
        Rows of an epoch.
    """

    looks_back = False

    def __init__(self, initial: float, power: float, t: int, count: int) -> None:
        self.initial, self.power, self.t, self.count = initial, power, t, count

    def before_epoch(self, trainer: Any, epoch: int, losses: list[float]) -> None:
        """Nothing: all steps of an epoch have the trainer's rate."""

    def after_epoch(self, trainer: Any) -> None:
        """Set the rate of the next epoch."""
        self.t += self.count
        trainer.learning_rate = self.initial / (self.t + 1) ** self.power


class Tolerance(Stopping):
    """Stop when loss or score has not improved by `tol` for more than `n_iter_no_change` epochs,
    or lower the rate then.

    Parameters
    ----------
    p : BaseMLP
        The parameters tol, n_iter_no_change, early_stopping and verbose.
    trainer : Trainer
    network : Network
        What is trained.
    adaptive : bool
        Whether the rate is lowered, as long as it is above 1e-6.
    restore : bool
        Whether the best weights are kept.
    """

    #: Epochs without an improvement; the lowest loss and the highest score so far.
    waited: int = 0
    best_loss: float | None = None
    best_score: float | None = None

    def __init__(
        self, p: Any, trainer: Any, network: Finite, *, adaptive: bool, restore: bool
    ) -> None:
        self.tol, self.patience, self.verbose = p.tol, p.n_iter_no_change, p.verbose
        self.early_stopping, self.adaptive, self.restore = p.early_stopping, adaptive, restore
        self.trainer, self.network = trainer, network
        self._lowest = math.inf  # loss of this run
        self._loss = 0.0

    def diverged(self, loss: float, trainer: Finite) -> bool:
        """Never: scikit-learn goes on; whoever runs the loop refuses weights that are not
        finite."""
        return False

    def update(self, entry: dict[str, float]) -> bool:
        """Count the epochs without an improvement."""
        self._loss = loss = entry["loss"]
        improved = loss < self._lowest
        self._lowest = min(self._lowest, loss)
        bad = False
        if "validation_score" in entry:
            assert self.best_score is not None
            score = entry["validation_score"]
            bad = score < self.best_score + self.tol
            improved = score > self.best_score
            if improved:
                self.best_score = score
        if not self.early_stopping:
            best_loss = math.inf if self.best_loss is None else self.best_loss
            bad = loss > best_loss - self.tol
            if loss < best_loss:
                self.best_loss = np.float64(loss)  # as scikit-learn's, which has dtype and the like
        self.waited = self.waited + 1 if bad else 0
        return improved and self.restore

    def state(self) -> list[tuple[float, int]]:
        """What is not in the model: the lowest loss of this run, and the last one."""
        return [(self._lowest, 0), (self._loss, 0)]

    def go_on(self, state: Sequence[tuple[float, int]]) -> None:
        """Go on from a `state`."""
        if len(state) != 2:
            raise ValueError("the checkpoint is of a training that ended by other rules")
        (self._lowest, _), (self._loss, _) = state

    def should_stop(self) -> bool:
        """Whether there have been too many, or the weights cannot come back from where they are."""
        if self.waited > self.patience:
            if not self._lowers_the_rate():
                return True
            self.waited = 0
        lost = not math.isfinite(self._loss) and not self.early_stopping
        return lost and not self.network.is_finite()

    def _lowers_the_rate(self) -> bool:
        """Whether a lower rate takes the place of stopping."""
        what = "Validation score" if self.early_stopping else "Training loss"
        message = (
            f"{what} did not improve more than tol={self.tol:f} for {self.patience} consecutive "
            "epochs."
        )
        lowers = self.adaptive and self.trainer.learning_rate > 1e-6
        if lowers:
            self.trainer.learning_rate /= 5.0
            message += f" Setting learning rate to {self.trainer.learning_rate:f}"
        else:
            message += " Learning rate too small. Stopping." if self.adaptive else " Stopping."
        if self.verbose:
            show(message)
        return lowers


def print_epoch(loop: TrainingLoop, entry: dict[str, float]) -> None:
    """The hook that prints what scikit-learn prints of an epoch."""
    show(f"Iteration {loop.epochs}, loss = {entry['loss']:.8f}")
    if "validation_score" in entry:
        show(f"Validation score: {entry['validation_score']:f}")
