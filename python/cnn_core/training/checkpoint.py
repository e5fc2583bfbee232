"""Checkpoints: when a training writes one, and how it goes on from it."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._checks import check_number
from cnn_core._warn import warn
from cnn_core.data.fingerprint import Parts, fingerprint
from cnn_core.training.progress import Position, Progress

if TYPE_CHECKING:
    from cnn_core.files.estimators import Contents
    from cnn_core.training.loop import TrainingLoop, TrainResult


def interval(every: Any) -> tuple[float, int]:
    """Seconds and epochs between checkpoints, one of them infinite, or 0 for none.

    Parameters
    ----------
    every : float or str
        Seconds, or such as '5 epochs'.
    """
    if isinstance(every, str):
        match = re.fullmatch(r"(?:(\d{1,9}) )?epochs?", every)
        if match is None or match[1] == "0":
            raise ValueError(
                f"checkpoint_every must be a number of seconds, 'epoch' or such as '5 epochs', got "
                f"{every!r}"
            )
        return float("inf"), int(match[1] or 1)
    check_number("checkpoint_every", every, 0)
    return float(every), 0


#: Parameters that no result depends on: they may change between the parts of a training.
FREE = ("n_threads", "verbose", "max_seconds")


class Writing:
    """Writes checkpoints of a loop, when they are due: a pause of the loop, and a hook.

    Parameters
    ----------
    checkpoint : Checkpoint
    loop : TrainingLoop
    model_of : callable
        The model after a `TrainResult`.
    pauses : bool
        Whether the rows of an epoch are handed to the trainer in one call, so that it can pause.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        loop: TrainingLoop,
        model_of: Callable[[TrainResult], Any],
        pauses: bool = True,
    ) -> None:
        self.checkpoint, self.loop, self.model_of = checkpoint, loop, model_of
        self.seconds_left, self.failed = checkpoint.seconds_left, False
        loop.hooks = [*loop.hooks, self.after_epoch]
        if pauses and hasattr(loop.trainer, "pause_after"):
            loop.pause = self

    def after_epoch(self, loop: TrainingLoop, entry: dict[str, float]) -> None:
        """Write one, if it is time."""
        if self.checkpoint.is_due_after_epoch():
            self.now()

    def now(self) -> None:
        """Write one of a training that is to go on."""
        self._write(self.loop.in_progress(), finished=False)

    def at_end(self) -> None:
        """Write the last one, unless one could not be written. After a divergence the one before
        stays, so that whoever goes on from it is warned again."""
        if self.failed or self.loop.reason == "divergence":
            return
        if self.loop.reason in ("interrupted", "requested", "max_seconds"):
            if self.loop.can_go_on:
                self.now()
        else:
            self._write(self.loop.result(final=True), finished=True)

    def _write(self, result: TrainResult, finished: bool) -> None:
        self.failed = True
        self.checkpoint.write(self.model_of(result), self.loop, finished)
        self.failed = False


@contextmanager
def on_sigterm() -> Iterator[None]:
    """Have SIGTERM raise SystemExit, so that what is in progress ends as on Ctrl-C, and then the
    process; unless somebody has a handler of their own, and in the main thread alone."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


class Checkpoint:
    """The checkpoint of one training: what it goes on from, if there is one, and when and how the
    next one is written.

    Parameters
    ----------
    estimator : MLP
    path : path-like
    every : float or str
        See `interval`.

    Raises
    ------
    ModelFormatError
        For a file that is no checkpoint.
    ValueError
        For a checkpoint of other parameters.
    FileNotFoundError
        Where there is no folder for it.
    """

    def __init__(self, estimator: Any, path: str | os.PathLike[str], every: Any) -> None:
        from cnn_core.files.atomic import check_folder
        from cnn_core.files.checkpoints import read_checkpoint
        from cnn_core.files.estimators import written_parameters

        check_folder(path)
        self.seconds, self.epochs = interval(every)
        self.estimator, self.path = estimator, os.fspath(path)
        self.fingerprint: Mapping[str, str] = {}
        self.stream: np.random.RandomState | None = None
        self.until = 0
        self.parameters = written_parameters(estimator)
        found = read_checkpoint(self.path, type(estimator))
        self.model = None if found is None else found.model
        self.progress: Progress | None = None if found is None else found.progress
        if found is not None:
            self._check_parameters(found)
            if found.other_bits:
                warn(
                    f"the checkpoint {self.path} was written by cnn_core {found.version}, whose "
                    "results may differ in the last bits: training goes on, but not to the bits of "
                    "an uninterrupted one",
                    UserWarning,
                )
        self.last, self.waited = time.monotonic(), 0

    def _check_parameters(self, found: Contents) -> None:
        saved, now = found.parameters, self.parameters
        for name in {**saved, **now}:
            if name not in FREE and saved.get(name) != now.get(name):
                raise ValueError(
                    f"the checkpoint {self.path} is of a training with "
                    f"{name}={getattr(found.estimator, name)!r}, and now it is "
                    f"{getattr(self.estimator, name)!r}; set it back, or take another path"
                )

    def begin(self, parts: Parts, until: int) -> int:
        """Take note of the data, which must be those of the checkpoint.

        Parameters
        ----------
        parts : mapping of str to sequence of (ndarray or None)
            See `data.fingerprint`.
        until : int
            Epochs that are to be done in all, if there is no checkpoint.

        Returns
        -------
        int
            Epochs that are to be done in all.
        """
        self.fingerprint = fingerprint(parts)
        if self.progress is None:
            self.until = until
            return until
        before = self.progress.fingerprint
        for part in {**before, **self.fingerprint}:
            if before.get(part) != self.fingerprint.get(part):
                raise ValueError(
                    f"the checkpoint {self.path} is of a training on other data: {part} differs; "
                    "give the same, or take another path"
                )
        self.until = self.progress.until
        return self.until

    def seconds_left(self) -> float:
        """Until the next one is due."""
        return self.last + self.seconds - time.monotonic()

    def is_due_after_epoch(self) -> bool:
        """Whether one is, also by the epochs since; to be asked after each epoch."""
        self.waited += 1
        return self.seconds_left() <= 0 or 0 < self.epochs <= self.waited

    def write(self, model: Any, loop: TrainingLoop, finished: bool) -> None:
        """Write one.

        Parameters
        ----------
        model : Model
            Of the last whole epoch, or what the training has come to.
        loop : TrainingLoop
        finished : bool
        """
        from cnn_core.files.checkpoints import write_checkpoint

        best = position = None
        if not finished:
            best, position = loop.best, Position(*loop.trainer.position())
            if not position.batches and position.parameters.dtype == loop.network.dtype:
                position = None  # the parameters are those of the model
        stopping = loop.stopping.state()
        progress = Progress(
            self.fingerprint, self.until, finished, best, stopping, position, self.stream
        )
        write_checkpoint(self.path, self.estimator, self.parameters, model, progress)
        self.last, self.waited = time.monotonic(), 0
