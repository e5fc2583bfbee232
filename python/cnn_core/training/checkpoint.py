"""Checkpoints: when a training writes one, and how it goes on from it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._checks import check_number
from cnn_core._warn import show, warn
from cnn_core.data.fingerprint import (
    MONITOR,
    START,
    Parts,
    differences,
    fingerprint,
    start_of,
)
from cnn_core.exceptions import ModelFormatError
from cnn_core.monitors import column_of
from cnn_core.training.progress import Position, Progress

if TYPE_CHECKING:
    from cnn_core.files.estimators import Contents
    from cnn_core.model import Model
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


#: Parameters that no result depends on: they may change between the parts of a training.
FREE = ("n_threads", "verbose", "max_seconds")


def _stamp(path: str) -> tuple[int, ...] | None:
    """What tells one file of a path from the next; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _seed_of(model: Any, stream: np.random.RandomState | None) -> tuple[Any, ...]:
    """What tells a training from another with the same parameters and data."""
    drawn = None if stream is None else stream.get_state(legacy=False)["state"]["key"].tobytes()
    return getattr(model, "seed", None), drawn


class Checkpoint:
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
        from cnn_core.files.atomic import check_folder
        from cnn_core.files.checkpoints import checked_path, read_checkpoint
        from cnn_core.files.estimators import written_parameters

        path = checked_path(path)
        check_folder(path)
        self.seconds, self.epochs = interval(every)
        # Absolute, as the folder of the process may change.
        self.estimator, self.path = estimator, os.path.abspath(path)
        self.signals = signals
        self.fingerprint: Mapping[str, str] = {}
        self.began_with: dict[str, str] = {}
        monitor = getattr(estimator, "monitor", "")
        #: A function that the training watches, which no file holds, by its name.
        self.watched = {MONITOR: column_of(monitor)} if callable(monitor) else {}
        self.stream: np.random.RandomState | None = None
        self.until = 0
        self.parameters = written_parameters(estimator)
        self._stamp = _stamp(self.path)
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
        self.postpone()

    def _check_parameters(self, found: Contents) -> None:
        from cnn_core.files.estimators import written_parameters

        self._check_monitor(found.progress)
        # Not those of the file: an older version may not have had all of them.
        saved, now = written_parameters(found.estimator), self.parameters
        changed = [name for name in now if name not in FREE and saved.get(name) != now[name]]
        if changed:
            had, has = (
                ", ".join(f"{name}={getattr(one, name)!r}" for name in changed)
                for one in (found.estimator, self.estimator)
            )
            raise ValueError(
                f"the checkpoint {self.path} is of a training with {had}, and now it is {has}; set "
                f"{'it' if len(changed) == 1 else 'them'} back, or take another path"
            )

    def _check_monitor(self, saved: Progress) -> None:
        """Raise where one of the two trainings watches a function that the other does not."""
        had, has = (one.get(MONITOR) for one in (saved.fingerprint, self.watched))
        if had == has:
            return
        if had is None:
            raise ValueError(
                f"the checkpoint {self.path} is of a training that watches no function, and now it "
                f"is {has}; set monitor back, or take another path"
            )
        raise ValueError(
            f"the checkpoint {self.path} is of a training that watches the function {had}, which "
            f"no file holds; give it again, such as by resume(..., monitor={had})"
        )

    def start(self, fitted: Model | None) -> Model | None:
        """The model that training goes on with: that of the checkpoint, if there is one.

        Parameters
        ----------
        fitted : Model or None
            What training is to go on from without a checkpoint. It must be what the checkpoint's
            training began with, or, while that is not over, what it has come to.

        Raises
        ------
        ValueError
            For any other, which would be lost.
        """
        if fitted is not None:
            self.began_with = fingerprint(start_of(fitted))
        model: Model | None = self.model
        if self.progress is None or model is None:
            return fitted
        began_with = self.progress.fingerprint.get(START)
        if fitted is not None and self.began_with != {START: began_with}:
            flat, best = fitted.network.flat(), self.progress.best
            reached = [model.network.flat(), *([] if best is None else best[:1])]
            if self.progress.finished or not any(np.array_equal(flat, one) for one in reached):
                raise ValueError(
                    f"the checkpoint {self.path} is of a training that began with other weights "
                    "than those of the fitted model, which warm_start=True goes on from; take "
                    "another path, or go on with the checkpoint by resume"
                )
        self.began_with = {} if began_with is None else {START: began_with}
        return model

    @contextmanager
    def compared(self) -> Iterator[None]:
        """What the data have that does not go with the model of the checkpoint names it."""
        try:
            yield
        except ValueError as error:
            if self.model is None:
                raise
            raise ValueError(
                f"the checkpoint {self.path} cannot go on with these data: {error}; give those of "
                "its training, or take another path"
            ) from error

    def _check_data(self, saved: Progress) -> None:
        other = differences(saved.fingerprint, self.fingerprint)
        if other:
            raise ValueError(
                f"the checkpoint {self.path} is of a training on other data: {', '.join(other)}; "
                "give the same, or take another path"
            )

    def _say(self, what: str) -> None:
        """Say in a log record, and to those who want lines of a training, what happens."""
        import logging  # takes longer than the rest of a small fit

        logging.getLogger("cnn_core").info("the checkpoint %s %s", self.path, what)
        if self.estimator.verbose:
            show(f"the checkpoint {self.path} {what}")

    def begin(self, parts: Parts, done: int, epochs: int, batches: int) -> int:
        """Take note of the data, which must be those of the checkpoint.

        Parameters
        ----------
        parts : mapping of str to sequence of (ndarray or None)
            See `data.fingerprint`.
        done : int
            Epochs of the model that training goes on with.
        epochs : int
            Those that are to be done, if there is no checkpoint.
        batches : int
            Mini-batches of an epoch.

        Returns
        -------
        int
            Epochs that are to be done.
        """
        self.fingerprint = fingerprint(parts) | self.began_with | self.watched
        if self.progress is None:
            self.until = done + epochs
            return epochs
        self._check_data(self.progress)
        if self.progress.finished:
            self._say("is of a training that is over: its model is taken, and nothing is trained")
        self.until, position = self.progress.until, self.progress.position
        if not done <= self.until <= done + epochs:
            raise ModelFormatError(
                f"{self.path}: progress.until must be from {done}, the epochs that are done, to "
                f"{done + epochs}, got {self.until}"
            )
        if position is not None and position.batches > batches:
            raise ModelFormatError(
                f"{self.path}: progress.position.batches must be at most {batches}, the "
                f"mini-batches of an epoch, got {position.batches}"
            )
        return self.until - done

    @property
    def is_finished(self) -> bool:
        """Whether it is of a training that is over: then its model is the result."""
        return self.progress is not None and self.progress.finished

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
        if self.progress is not None:
            try:
                loop.go_on(self.progress)
            except ValueError as error:
                raise ModelFormatError(f"{self.path}: progress: {error}") from None
        return Writing(self, loop, model_of, within_epochs)

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

        Raises
        ------
        ValueError
            Where another training has written one there meanwhile.
        """
        from cnn_core.files.checkpoints import write_checkpoint

        self._check_place(model)
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
        self._stamp = _stamp(self.path)
        self.postpone()

    def _check_place(self, model: Any) -> None:
        """Raise where the file is no longer that of this training, or of one that is the same."""
        from cnn_core.files.checkpoints import read_checkpoint

        if _stamp(self.path) in (None, self._stamp):
            return
        try:
            found = read_checkpoint(self.path, type(self.estimator))
            if found is None:
                return
            self._check_parameters(found)
            self._check_data(found.progress)
            its_own = _seed_of(model, self.stream)
            if _seed_of(found.model, found.progress.stream) != its_own:
                raise ValueError
        except ValueError:
            raise ValueError(
                f"{self.path} has been written by another training meanwhile; give each a "
                "path of its own"
            ) from None

    def postpone(self) -> None:
        """Have the next one be due after the whole interval."""
        self.last, self.waited = time.monotonic(), 0


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
        self.within_epochs, self.seconds_left = within_epochs, checkpoint.seconds_left
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
        if self.checkpoint.is_due_after_epoch():
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
        if loop.reason in ("requested", "max_seconds", "interrupted"):
            if (self.within_epochs or loop.reason != "interrupted") and loop.come_to_rest():
                self._write(self._model_so_far, False, cure)
        elif model is not None:
            self._write(lambda: model, True, cure)

    def _model_so_far(self) -> Any:
        return self.model_of(self.loop.in_progress())

    def _write(self, model: Callable[[], Any], finished: bool, then: str) -> None:
        """Write one; what keeps it from being written ends no training."""
        self.left_off = True
        try:
            self.checkpoint.write(model(), self.loop, finished)
        except (OSError, ValueError) as error:
            self.checkpoint.postpone()
            warn(
                f"the checkpoint {self.checkpoint.path} cannot be written: {error}; the one before "
                f"stays, {then}",
                UserWarning,
            )
        self.left_off = False
