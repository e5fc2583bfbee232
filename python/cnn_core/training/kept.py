"""What a checkpoint keeps of one training: what it goes on from, and what tells it from others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

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
    from cnn_core.model import Model
    from cnn_core.training.loop import TrainingLoop

#: Parameters that no result depends on: they may change between the parts of a training.
FREE = ("n_threads", "verbose", "max_seconds")

#: Why a training has ended that is to go on from its checkpoint.
CUT_SHORT = ("requested", "max_seconds", "interrupted")


class Found(NamedTuple):
    """What a file has of a training."""

    estimator: Any
    model: Any
    progress: Progress


def seed_of(model: Any, stream: np.random.RandomState | None) -> tuple[Any, ...]:
    """What tells a training from another with the same parameters and data."""
    drawn = None if stream is None else stream.get_state(legacy=False)["state"]["key"].tobytes()
    return getattr(model, "seed", None), drawn


def other_parameters(path: str, saved: Any, estimator: Any, now: Mapping[str, Any]) -> str:
    """What a message says of parameters that an estimator of a file has and another has not; ''
    where results are the same.

    Parameters
    ----------
    path : str
        Of the file.
    saved, estimator : estimator
    now : mapping
        The `written_parameters` of the second.
    """
    from cnn_core.files.estimators import written_parameters

    # Not those of the file: an older version may not have had all of them.
    had = written_parameters(saved)
    changed = [name for name in now if name not in FREE and had.get(name) != now[name]]
    if not changed:
        return ""
    then, since = (
        ", ".join(f"{name}={getattr(one, name)!r}" for name in changed)
        for one in (saved, estimator)
    )
    return (
        f"the checkpoint {path} is of a training with {then}, and now it is {since}; set "
        f"{'it' if len(changed) == 1 else 'them'} back, or take another path"
    )


class KeptTraining:
    """One training as a checkpoint keeps it.

    Parameters
    ----------
    estimator : MLP
    path : str
        Of the file, for messages.
    found : Found or None
        What training goes on from.
    take : callable
        Takes the fingerprint of the data.

    Raises
    ------
    ValueError
        For a checkpoint of other parameters.
    """

    def __init__(
        self,
        estimator: Any,
        path: str,
        found: Found | None,
        take: Callable[[Parts], dict[str, str]] = fingerprint,
    ) -> None:
        from cnn_core.files.estimators import written_parameters

        self.estimator, self.path, self._take = estimator, path, take
        self.fingerprint: Mapping[str, str] = {}
        self.began_with: dict[str, str] = {}
        monitor = getattr(estimator, "monitor", "")
        #: A function that the training watches, which no file holds, by its name.
        self.watched = {MONITOR: column_of(monitor)} if callable(monitor) else {}
        self.stream: np.random.RandomState | None = None
        self.until = 0
        self.parameters = written_parameters(estimator)
        self.model = None if found is None else found.model
        self.progress: Progress | None = None if found is None else found.progress
        if found is not None:
            self._check_parameters(found)

    def _check_parameters(self, found: Found) -> None:
        self._check_monitor(found.progress)
        other = other_parameters(self.path, found.estimator, self.estimator, self.parameters)
        if other:
            raise ValueError(other)

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
        self.fingerprint = self._take(parts) | self.began_with | self.watched
        if self.progress is None:
            self.until = done + epochs
            return epochs
        self._check_data(self.progress)
        self.until, position = self.progress.until, self.progress.position
        if self.is_finished:
            return 0
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

    def go_on(self, loop: TrainingLoop) -> None:
        """Have a loop go on from the checkpoint, if there is one."""
        if self.progress is None:
            return
        try:
            loop.go_on(self.progress)
        except ValueError as error:
            raise ModelFormatError(f"{self.path}: progress: {error}") from None

    def progress_of(self, loop: TrainingLoop, finished: bool) -> Progress:
        """What is to be kept beside the model of a loop."""
        best = position = None
        if not finished:
            best, position = loop.best, Position(*loop.trainer.position())
            if not position.batches and position.parameters.dtype == loop.network.dtype:
                position = None  # the parameters are those of the model
        stopping = loop.stopping.state()
        return Progress(
            self.fingerprint, self.until, finished, best, stopping, position, self.stream
        )

    def check_same(self, found: Found, seed: tuple[Any, ...]) -> None:
        """Raise ValueError where a file has another training, which may have the same parameters
        and data but not the same `seed_of`."""
        self._check_parameters(found)
        self._check_data(found.progress)
        if seed_of(found.model, found.progress.stream) != seed:
            raise ValueError
