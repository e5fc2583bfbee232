"""What is shown of the rounds of many models, and who may end them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._checks import shown
from cnn_core._warn import show, shows
from cnn_core.callbacks import Callback, check_takes
from cnn_core.many.told import MODELS, Names
from cnn_core.notebook.cell import LiveCell, in_notebook
from cnn_core.training.reports import BETWEEN_LINES, BETWEEN_LOOKS

if TYPE_CHECKING:
    from cnn_core.many.net import Net

logger = logging.getLogger("cnn_core")


def check_watching(callbacks: Any) -> list[Callable[..., Any]]:
    """The functions that a user means."""
    given = (callbacks,) if callable(callbacks) else callbacks
    if not isinstance(given, (tuple, list)):
        raise TypeError(f"callbacks must be a list of functions, got {shown(callbacks)}")
    for one in given:
        if isinstance(one, (Callback, type)) or not callable(one):
            raise TypeError(
                "a callback of fit_many must be a function (models, epoch, logs), got "
                f"{shown(one)}; a Callback object belongs to a model"
            )
        name = getattr(one, "__qualname__", None) or shown(one)
        check_takes(one, "(models, epoch, logs)", f"the callback {name}")
    return list(given)


class Watching:
    """The lines and callbacks of each round.

    Parameters
    ----------
    models : list
        All of them.
    callbacks : sequence of callables
    verbose : int
    names : Names
        Of the models.
    """

    def __init__(
        self,
        models: list[Any],
        callbacks: Sequence[Callable[..., Any]],
        verbose: int,
        names: Names = MODELS,
    ) -> None:
        self.names = names
        self.models, self.callbacks, self.verbose = models, callbacks, verbose
        self.round = 0  #: those that are done, before a checkpoint too
        self.began, self.next = time.perf_counter(), 0.0
        self.cell = LiveCell(None, "rounds") if verbose == 1 and in_notebook() else None

    def __call__(self, done: Sequence[Net], active: Sequence[Net]) -> bool:
        """Look at a round; whether it is to be the last.

        Parameters
        ----------
        done : sequence of Net
            Those that have done an epoch in it.
        active : sequence of Net
            Those that have one before them.
        """
        self.round += 1
        if self.verbose:
            self._print(done, active)
        if not (self.callbacks and done):
            return False
        for net in active:
            net.show()
        logs = {net.number: net.entry for net in done}
        return any([self._ends(one, logs) for one in self.callbacks])  # noqa: C419

    def _ends(self, callback: Callable[..., Any], logs: Mapping[int, dict[str, float]]) -> bool:
        """Call one with lists and dicts of its own."""
        entries = {number: dict(entry) for number, entry in logs.items()}
        answer: object = callback(list(self.models), self.round, entries)
        if answer is True or (isinstance(answer, np.bool_) and answer):
            return True
        if not (answer is None or answer is False or isinstance(answer, np.bool_)):
            name = getattr(callback, "__qualname__", None) or shown(callback)
            raise TypeError(
                f"the callback {name} returned {shown(answer)} after round {self.round}; it must "
                "return True to end the training of all models, and None or False to go on"
            )
        return False

    def _print(self, done: Sequence[Net], active: Sequence[Net]) -> None:
        """A line for the first round, the last and one a second, or for each; in a notebook one
        that is drawn anew."""
        now = time.perf_counter()
        if self.verbose == 1 and active and now < self.next:
            return
        self.next = now + (BETWEEN_LINES if self.cell is None else BETWEEN_LOOKS)
        words = [f"{len(active)} of {len(self.models)} models train"]
        watched = {(net.loop.monitor.watched, net.loop.monitor.sign) for net in done}
        if len(watched) == 1:
            name, sign = watched.pop()
            numbers = {net.number: net.entry[name] for net in done}
            best = min(numbers, key=lambda number: sign * numbers[number])
            words.append(f"best {name} {numbers[best]:.4f} of {self.names.one}[{best}]")
        words.append(f"{now - self.began:.1f} s")
        line = f"round {self.round}  {'  '.join(words)}"
        if self.cell is None:
            show(line)
        else:
            shows(self.cell.show, self.round, "  ".join(words))
        logger.info("%s", line)
