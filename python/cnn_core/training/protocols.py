"""What the parts of training ask of each other, for readers and type checkers: nothing imports this
at run time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from cnn_core._control import EndRequest
from cnn_core._dataset import RowSource

if TYPE_CHECKING:
    import numpy as np


class Trainer(Protocol):
    """What the training loop drives: parameters, an optimizer's state, and epochs over rows."""

    learning_rate: float
    #: Called after each step with the cost whose gradient it has followed.
    after_step: Callable[[float], object] | None
    #: What ends `epoch` and `evaluate` before they are done, by the exception `Ended`.
    end: EndRequest | None

    @property
    def steps(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def seconds(self) -> dict[str, float]: ...

    def epoch(
        self,
        X: RowSource,
        y: RowSource | None,
        labels: RowSource | None,
        shuffled: bool = True,
        *,
        weights: RowSource | None = None,
        rates: np.ndarray | None = None,
        total_weight: float | None = None,
    ) -> tuple[float, Any] | None:
        """Visit every row once; the loss and what the metric is made of. None where the epoch
        pauses: the next call, with the same arguments, is the rest of it."""

    def evaluate(
        self, X: RowSource, y: RowSource | None, labels: RowSource | None
    ) -> tuple[float, Any]:
        """The same of rows that are not trained on."""

    def is_finite(self) -> bool:
        """Whether parameters and slots are."""

    def state(self, copy: bool = True) -> dict[str, Any]:
        """What another trainer needs to go on, beside the parameters."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from another trainer's state."""

    @property
    def batches_done(self) -> int:
        """Mini-batches that are done of an epoch that pauses, or was ended."""

    def position(self) -> tuple[np.ndarray, int, list[float]]:
        """The parameters that the next step begins with, the mini-batches of an epoch that was
        ended before it was over, and the sums over them."""

    def go_on_at(self, parameters: np.ndarray, batches: int, sums: list[float]) -> None:
        """Go on from another trainer's position: the next epoch is the rest of that one."""

    def reopen(self) -> bool:
        """Take back that the last epoch is over: the next one gives its numbers, without another
        step. Whether that can be done."""


class Saving(AbstractContextManager[None], Protocol):
    """What keeps a training loop now and then; a context of its whole run."""

    #: Whether it may be done between two mini-batches of an epoch.
    within_epochs: bool

    def seconds_left(self) -> float:
        """Until it is due."""

    def now(self) -> None:
        """Do it; the trainer is between two steps."""

    def after_epoch(self) -> None:
        """Do it, if it is due; the hooks have been called."""

    def hold(self) -> None:
        """Have what handlers of signals raise from now on end the run between two steps."""

    def release(self) -> None:
        """Raise what has waited; from now on handlers raise at once."""


class GradientTrainer(Trainer, Protocol):
    """A trainer that also computes a loss and its gradient without taking a step."""

    @property
    def parameters(self) -> Any: ...
    @property
    def gradient(self) -> Any: ...

    def loss_and_gradient(
        self,
        X: RowSource,
        y: RowSource | None,
        labels: RowSource | None,
        weights: RowSource | None = None,
    ) -> tuple[float, Any]: ...
    def set_flat(self, values: Any) -> None: ...
    def flat_gradient(self) -> np.ndarray: ...


class Predictor(Protocol):
    """What predicts with one network, which never changes."""

    def checked_row(self, X: object) -> np.ndarray | None:
        """The outputs for X of shape (1, features), checked; None for what is not taken as it
        is."""

    def unchecked(self, X: np.ndarray) -> np.ndarray:
        """The outputs for rows of the network's dtype, whose entries may be anything."""

    def outputs(self, X: np.ndarray, threads: int) -> np.ndarray:
        """The outputs for rows of the network's dtype; raises where an entry is not finite."""

    def argmax(self, X: np.ndarray, threshold: float, threads: int) -> np.ndarray:
        """The class of each row; warns where outputs are NaN."""


class Vectors(Protocol):
    """Arithmetic on whole vectors, whatever they are; the last argument is what changes."""

    def copy(self, x: Any) -> Any: ...
    def dot(self, x: Any, y: Any) -> float: ...
    def axpy(self, factor: float, x: Any, y: Any) -> None: ...
    def scale(self, factor: float, x: Any) -> None: ...
    def assign(self, x: Any, y: Any) -> None: ...
    def infinity_norm(self, x: Any) -> float: ...
    def l1_norm(self, x: Any) -> float: ...


class TrainingRows(Protocol):
    """The rows to train on and their order."""

    def epoch(self, trainer: Any, rates: np.ndarray | None) -> tuple[float, Any] | None:
        """Have every row visited once; the loss and what the metric is made of, or None where the
        epoch pauses."""


class Rates(Protocol):
    """Who sets the learning rate; a loop without one leaves it as the trainer has it."""

    looks_back: bool  #: at the losses of the epochs before

    def before_epoch(self, trainer: Trainer, epoch: int, losses: list[float]) -> np.ndarray | None:
        """A rate for each step of the epoch, counted from 0; None for the trainer's own."""

    def after_epoch(self, trainer: Trainer) -> None:
        """Set the trainer's rate for the epochs to come."""


class Monitor(Protocol):
    """Makes the entries of an epoch."""

    names: tuple[str, ...]
    watched: str  #: the entry that says how good the weights are
    sign: float  #: what it is multiplied with to be the lower the better

    def entry(self, trainer: Trainer, epoch: int, loss: float, measured: Any) -> dict[str, float]:
        """The numbers of an epoch, counted from 1, of which the trainer has given loss and
        metric."""


class Finite(Protocol):
    """A network or a trainer, as far as divergence is concerned."""

    def is_finite(self) -> bool: ...
