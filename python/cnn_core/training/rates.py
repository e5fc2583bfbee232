"""The learning rates of an epoch's steps."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.schedules import Schedule

if TYPE_CHECKING:
    from cnn_core.training.protocols import Trainer


class ScheduledRates:
    """The rates of a schedule.

    Parameters
    ----------
    schedule : Schedule
    initial : float
        The rate that it starts from.
    per_epoch, epochs : int
        Steps of an epoch, and epochs of the run for schedules that look ahead.
    factors : mapping of str to Schedule, optional
        Schedules of what else changes: the trainer's `decays` and `dropouts`.
    """

    def __init__(
        self,
        schedule: Schedule,
        initial: float,
        per_epoch: int,
        epochs: int,
        factors: Mapping[str, Schedule] = MappingProxyType({}),
    ) -> None:
        self.schedule, self.initial, self.factors = schedule, initial, factors
        self.per_epoch, self.epochs = per_epoch, epochs
        self.trusted, self.looks_back = _is_ours(schedule), schedule.looks_back

    def before_epoch(self, trainer: Trainer, epoch: int, losses: list[float]) -> np.ndarray:
        """A rate for each step of the epoch."""
        schedule, per_epoch = self.schedule, self.per_epoch
        initial = schedule.after(losses, self.initial)
        first = trainer.steps - trainer.batches_done
        steps = np.arange(first, first + per_epoch)
        rates: np.ndarray = schedule.rates(initial, steps, epoch, per_epoch, self.epochs)
        if not self.trusted:
            rates = check_rates(schedule, rates, epoch, per_epoch)
        for name, factor in self.factors.items():
            values = factor.rates(1.0, steps, epoch, per_epoch, self.epochs)
            if not _is_ours(factor):
                values = check_rates(factor, values, epoch, per_epoch, most=1.0)
            setattr(trainer, name, values)
        if trainer.batches_done == per_epoch:  # no step is left in which the trainer would take it
            trainer.learning_rate = float(rates[-1])
        return rates

    def after_epoch(self, trainer: Trainer) -> None:
        """Nothing: a schedule is a function of the step."""


def _is_ours(schedule: Any) -> bool:
    """Whether a schedule, and those it holds, are of this package, whose rates need no check."""
    return type(schedule).__module__ == Schedule.__module__ and all(
        _is_ours(value) for value in vars(schedule).values() if isinstance(value, Schedule)
    )


def check_rates(
    schedule: Schedule, rates: Any, epoch: int, per_epoch: int, most: float = np.inf
) -> np.ndarray:
    """The rates of a schedule of a user's own, as an array of float64; raises for bad ones."""
    try:
        found = np.asarray(rates, np.float64)
    except (TypeError, ValueError):
        found = np.array(np.nan)
    right = np.isfinite(found) & (found >= 0) & (found <= most)
    if found.shape != (per_epoch,) or not right.all():
        limits = "at least 0" if most == np.inf else f"0 to {most:g}"
        raise ValueError(
            f"{type(schedule).__name__} must give a finite rate of {limits} for each of the "
            f"{per_epoch} mini-batches of an epoch; for epoch {epoch + 1} it gave {found}"
        )
    return found
