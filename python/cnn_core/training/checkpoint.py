"""Checkpoints: when a training writes one, and how it goes on from it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._checks import check_number
from cnn_core._warn import show, warn
from cnn_core.training.kept import CUT_SHORT, Found, KeptTraining, seed_of

if TYPE_CHECKING:
    from cnn_core.data.fingerprint import Parts
    from cnn_core.files.estimators import Contents
    from cnn_core.training.loop import TrainingLoop, TrainResult
    from cnn_core.training.signals import Signals


def interval(every: Any) -> tuple[float, int]:
    """Seconds and epochs between checkpoints, one of them infinite, or 0 for none.

    Parameters
    ----------
    every : float or str
        Seconds, or such as '5 epochs'.
    """
    wanted = "checkpoint_every must be a number of seconds, 'epoch' or such as '5 epochs'"
    if isinstance(every, (timedelta, np.timedelta64)):
        raise TypeError(f"{wanted}, got {every!r}")
    if isinstance(every, str):
        match = re.fullmatch(r"(?:(\d{1,9}) )?epochs?", every)
        if match is None or match[1] == "0":
            raise ValueError(f"{wanted}, got {every!r}")
        return float("inf"), int(match[1] or 1)
    check_number("checkpoint_every", every, 0)
    return float(every), 0


def _stamp(path: str) -> tuple[int, ...] | None:
    """What tells one file of a path from the next; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


#: Of a checkpoint whose training is over.
FINISHED = "is of a training that is over: its model is taken, and nothing is trained"


class Place:
    """Where checkpoints are written, and when the next one is due.

    Parameters
    ----------
    path : path-like
    every : float or str
        See `interval`.

    Raises
    ------
    FileNotFoundError
        Where there is no folder for it.
    """

    def __init__(self, path: str | os.PathLike[str], every: Any) -> None:
        from cnn_core.files.atomic import check_folder
        from cnn_core.files.checkpoints import checked_path

        path = checked_path(path)
        check_folder(path)
        self.seconds, self.epochs = interval(every)
        # Absolute, as the folder of the process may change.
        self.path = os.path.abspath(path)
        self._stamp = _stamp(self.path)
        self.postpone()

    def seconds_left(self) -> float:
        """Until the next one is due."""
        return self.last + self.seconds - time.monotonic()

    def is_due_after_epoch(self) -> bool:
        """Whether one is, also by the epochs since; to be asked after each epoch."""
        self.waited += 1
        return self.seconds_left() <= 0 or 0 < self.epochs <= self.waited

    def postpone(self) -> None:
        """Have the next one be due after the whole interval."""
        self.last, self.waited = time.monotonic(), 0

    def put(self, pack: Callable[[], bytes], check_same: Callable[[], None]) -> None:
        """Write one in the place of the one before.

        Parameters
        ----------
        pack : callable
            Gives the bytes.
        check_same : callable
            Raises ValueError where the file, which somebody has written meanwhile, is not of this
            training, or of one that is the same.

        Raises
        ------
        ValueError
            Where another training has written one there meanwhile.
        """
        from cnn_core.files.atomic import write_whole

        if _stamp(self.path) not in (None, self._stamp):
            try:
                check_same()
            except ValueError:
                raise ValueError(
                    f"{self.path} has been written by another training meanwhile; give each a "
                    "path of its own"
                ) from None
        write_whole(self.path, pack())
        self._stamp = _stamp(self.path)
        self.postpone()

    def attempt(self, write: Callable[[], None], then: str) -> None:
        """Write one; what keeps it from being written ends no training."""
        try:
            write()
        except (OSError, ValueError) as error:
            self.postpone()
            warn(
                f"the checkpoint {self.path} cannot be written: {error}; the one before "
                f"stays, {then}",
                UserWarning,
            )

    def say(self, what: str, verbose: object) -> None:
        """Say in a log record, and to those who want lines of a training, what happens."""
        import logging  # takes longer than the rest of a small fit

        logging.getLogger("cnn_core").info("the checkpoint %s %s", self.path, what)
        if verbose:
            show(f"the checkpoint {self.path} {what}")


def warn_of_bits(path: str, found: Contents) -> None:
    """Say that a checkpoint is of a version with other bits, where it is."""
    if found.other_bits:
        warn(
            f"the checkpoint {path} was written by cnn_core {found.version}, whose "
            "results may differ in the last bits: training goes on, but not to the bits of "
            "an uninterrupted one",
            UserWarning,
        )


def _of(found: Contents) -> Found:
    return Found(found.estimator, found.model, found.progress)


class Checkpoint(KeptTraining):
    """The checkpoint of one training: what it goes on from, if there is one, and when and how the
    next one is written.

    Parameters
    ----------
    estimator : MLP
    path : path-like
    every : float or str
        See `interval`.
    signals : Signals
        In which the training runs.

    Raises
    ------
    ModelFormatError
        For a file that is no checkpoint.
    ValueError
        For a checkpoint of other parameters.
    FileNotFoundError
        Where there is no folder for it.
    """

    def __init__(
        self, estimator: Any, path: str | os.PathLike[str], every: Any, signals: Signals
    ) -> None:
        self.place, self.signals = self._place(path, every), signals
        found = self._read(type(estimator))
        super().__init__(estimator, self.place.path, None if found is None else _of(found))
        if found is not None:
            warn_of_bits(self.place.path, found)
        self.place.postpone()

    def _place(self, path: str | os.PathLike[str], every: Any) -> Place:
        return Place(path, every)

    def _read(self, kind: type[Any]) -> Contents | None:
        from cnn_core.files.checkpoints import read_checkpoint

        return read_checkpoint(self.place.path, kind)

    def begin(self, parts: Parts, done: int, epochs: int, batches: int) -> int:
        """As `KeptTraining.begin`; says where nothing is left to be trained."""
        left = super().begin(parts, done, epochs, batches)
        if self.is_finished:
            self.place.say(FINISHED, self.estimator.verbose)
        return left

    def attach(
        self,
        loop: TrainingLoop,
        model_of: Callable[[TrainResult], Any],
        within_epochs: bool = True,
    ) -> Writing:
        """Have a loop go on from the checkpoint, if there is one, and write the next ones.

        Parameters
        ----------
        loop, model_of, within_epochs
            See `Writing`.
        """
        self.go_on(loop)
        return Writing(self, loop, model_of, within_epochs)

    def write(self, model: Any, loop: TrainingLoop, finished: bool) -> None:
        """Write one.

        Parameters
        ----------
        model : Model
            Of the last whole epoch, or what the training has come to.
        loop : TrainingLoop
        finished : bool

        Raises
        ------
        ValueError
            Where another training has written one there meanwhile.
        """
        from cnn_core.files.checkpoints import PROGRESS
        from cnn_core.files.estimators import packed

        progress = self.progress_of(loop, finished)

        def check_same() -> None:
            found = self._read(type(self.estimator))
            if found is not None:
                self.check_same(_of(found), seed_of(model, self.stream))

        self.place.put(
            lambda: packed(self.estimator, model, PROGRESS, progress, parameters=self.parameters),
            check_same,
        )


class Writing:
    """Writes the checkpoints of a loop: one before its first step, so that what cannot be kept is
    found before anything is trained; then those that are due; and one at the end.

    Parameters
    ----------
    checkpoint : Checkpoint
    loop : TrainingLoop
    model_of : callable
        The model after a `TrainResult`.
    within_epochs : bool
        Whether the rows of an epoch are handed to the trainer in one call, so that it can pause.

    Raises
    ------
    OSError, ValueError, TypeError
        Where the first one cannot be written.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        loop: TrainingLoop,
        model_of: Callable[[TrainResult], Any],
        within_epochs: bool = True,
    ) -> None:
        self.checkpoint, self.loop, self.model_of = checkpoint, loop, model_of
        self.within_epochs, self.seconds_left = within_epochs, checkpoint.place.seconds_left
        self.left_off = False  # whether an exception has ended the writing of one
        checkpoint.write(self._model_so_far(), loop, finished=False)
        loop.saving = self

    def __enter__(self) -> None:
        self.hold()

    def __exit__(self, *error: object) -> None:
        try:
            self.release()
        except BaseException:
            if self.loop.reason == "requested":
                self.loop.reason = "interrupted"
            raise

    def hold(self) -> None:
        """Have what handlers of signals raise from now on end the run between two steps."""
        self.checkpoint.signals.hold(self.loop.end)

    def release(self) -> None:
        """Raise what has waited; from now on handlers raise at once."""
        self.checkpoint.signals.release()

    def after_epoch(self) -> None:
        """Write one, if it is time."""
        if self.checkpoint.place.is_due_after_epoch():
            self.now()

    def now(self) -> None:
        """Write one of a training that is to go on."""
        self._write(
            self._model_so_far, False, "training goes on, and the next one is tried in time"
        )

    def at_end(self, model: Any) -> None:
        """Write the last one.

        After a divergence the one before stays, so that whoever goes on from it is warned again;
        after an exception while one was written, too.

        Parameters
        ----------
        model : Model or None
            What the training has come to. None: it is to go on from the one before.
        """
        loop, cure = self.loop, "the model has what was trained since, and save keeps it"
        if self.left_off or loop.reason == "divergence":
            return
        if loop.reason in CUT_SHORT:
            if (self.within_epochs or loop.reason != "interrupted") and loop.come_to_rest():
                self._write(self._model_so_far, False, cure)
        elif model is not None:
            self._write(lambda: model, True, cure)

    def _model_so_far(self) -> Any:
        return self.model_of(self.loop.in_progress())

    def _write(self, model: Callable[[], Any], finished: bool, then: str) -> None:
        """Write one; what keeps it from being written ends no training."""
        self.left_off = True
        self.checkpoint.place.attempt(
            lambda: self.checkpoint.write(model(), self.loop, finished), then
        )
        self.left_off = False
