"""When training ends before its last epoch, and which weights stay then."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnn_core.training.protocols import Finite

#: Why a run has ended, or 'running' in a model that a callback sees.
REASONS = (
    "epochs",
    "stopping",
    "converged",
    "hook",
    "divergence",
    "max_seconds",
    "requested",
    "interrupted",
    "running",
)


class Stopping:
    """Train to the last epoch, unless loss, weights or the optimizer's slots are not finite.

    The base of all rules. The loop asks `diverged` before an epoch counts, `update` once its entry
    stands, and `should_stop` after the hooks.
    """

    reason = "stopping"  #: of an end that the rule has brought about

    def diverged(self, loss: float, trainer: Finite) -> bool:
        """Whether this epoch must not count; training then ends with the one before."""
        return not (math.isfinite(loss) and trainer.is_finite())

    def update(self, entry: dict[str, float]) -> bool:
        """Look at an epoch's entry; whether its weights are the best so far and to be kept."""
        return False

    def should_stop(self) -> bool:
        """Whether the epoch was the last one."""
        return False

    def state(self) -> list[tuple[float, int]]:
        """The lowest number of each rule that counts, and the epochs since, for checkpoints."""
        return []

    def go_on(self, state: Sequence[tuple[float, int]]) -> None:
        """Go on from the `state` of rules like these."""
        if len(state):
            raise ValueError("the checkpoint is of a training that ended by other rules")


class Patience(Stopping):
    """Stop when the watched number has not improved for some epochs.

    Parameters
    ----------
    watched : str
        Its name in the entries.
    patience : int
        Epochs without an improvement.
    min_delta : float
        What counts as one: a number lower than the lowest so far by more than this.
    restore_best : bool or 'latest'
        Whether the weights of the lowest number are kept; 'latest': those of the last epoch that
        has it.
    lowest : float
        To be surpassed, by the number times `sign`.
    sign : float
        What the watched number is multiplied with first: -1 where it is to rise.
    """

    def __init__(
        self,
        watched: str,
        patience: int,
        min_delta: float,
        restore_best: bool | str,
        lowest: float = math.inf,
        sign: float = 1.0,
    ) -> None:
        self.watched, self.patience, self.min_delta = watched, patience, min_delta
        self.restore_best, self.lowest, self.sign, self.waited = restore_best, lowest, sign, 0

    def update(self, entry: dict[str, float]) -> bool:
        """Count the epochs since the last improvement."""
        value = self.sign * entry[self.watched]
        if value < self.lowest - self.min_delta:
            self.lowest, self.waited = value, 0
            return bool(self.restore_best)
        self.waited += 1
        return self.restore_best == "latest" and value == self.lowest

    def should_stop(self) -> bool:
        """Whether there have been too many."""
        return self.waited >= self.patience

    def state(self) -> list[tuple[float, int]]:
        """The lowest number and the epochs since."""
        return [(self.lowest, self.waited)]

    def go_on(self, state: Sequence[tuple[float, int]]) -> None:
        """Go on from a `state`."""
        if len(state) != 1:
            raise ValueError("the checkpoint is of a training that ended by other rules")
        self.lowest, self.waited = state[0]


class Converged(Stopping):
    """Stop when the training loss has stopped falling, or when another rule says so.

    Parameters
    ----------
    tol : float
        By how much the loss must fall within `patience` epochs.
    patience : int
    other : Stopping
    """

    def __init__(self, tol: float, patience: int, other: Stopping) -> None:
        self.plateau, self.other = Patience("loss", patience, tol, False), other
        self.diverged = other.diverged  # type: ignore[method-assign]

    def update(self, entry: dict[str, float]) -> bool:
        """Look at an epoch's entry; whether the other rule keeps its weights."""
        self.plateau.update(entry)
        return self.other.update(entry)

    def should_stop(self) -> bool:
        """Whether one of the two rules ends the training."""
        if self.plateau.should_stop():
            self.reason = "converged"
            return True
        return self.other.should_stop()

    def state(self) -> list[tuple[float, int]]:
        """Those of both rules."""
        return [*self.plateau.state(), *self.other.state()]

    def go_on(self, state: Sequence[tuple[float, int]]) -> None:
        """Go on from a `state`."""
        self.plateau.go_on(state[:1])
        self.other.go_on(state[1:])
