"""What is recorded and told of each step, where somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnn_core.history import Past


class Steps:
    """The ear of a trainer: its `after_step`.

    Parameters
    ----------
    trainer : Trainer
    before : Past
        Of the steps of earlier trainings.
    records : bool
        Whether the numbers of each step are kept.
    tell : callable, optional
        Takes a step's number, counted from 1, and its numbers; True ends the training after this
        epoch.
    """

    def __init__(
        self,
        trainer: Any,
        before: Past,
        records: bool,
        tell: Callable[[int, dict[str, float]], bool] | None = None,
    ) -> None:
        self.trainer, self.before, self.records, self.tell = trainer, before, records, tell
        self.losses: list[float] = []
        self.rates: list[float] = []
        self.ends = False
        if records or tell is not None:
            trainer.after_step = self.after_step

    def after_step(self, loss: float) -> None:
        """Take note of a step."""
        rate: float = self.trainer.learning_rate
        if self.records:
            self.losses.append(loss)
            self.rates.append(rate)
        if self.tell is not None:
            entry = {"loss": loss, "learning_rate": rate}
            self.ends = self.tell(self.trainer.steps, entry) or self.ends

    def past(self, steps: int) -> Past:
        """The steps of earlier trainings and the first `steps` of this one."""
        if not self.records:
            return self.before
        columns = {"loss": self.losses, "learning_rate": self.rates}
        return self.before.settled().extended(columns, steps)
