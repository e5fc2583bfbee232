"""Checkpoints: when a training writes one, and how it goes on from it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._checks import check_number
from cnn_core._frozen import Frozen
from cnn_core._warn import warn
from cnn_core.data.fingerprint import Parts, fingerprint

if TYPE_CHECKING:
    from cnn_core.files.estimators import Contents
    from cnn_core.training.loop import TrainingLoop

#: Seconds between checkpoints where nothing is said.
INTERVAL = 60.0


class Position(Frozen):
    """Where in an epoch a trainer is.

    Parameters
    ----------
    parameters : ndarray, shape (n_parameters,)
        Weights and biases after the last step, as `Network.flat` has them; the reference
        implementation's in float64.
    batches : int
        Mini-batches of the epoch that are done.
    sums : sequence of float
        Of their losses and weights, and of what the metric counts.
    """

    parameters: np.ndarray
    batches: int
    sums: Sequence[float]


class Progress(Frozen):
    """What a training that goes on needs beside the model of its last whole epoch.

    Parameters
    ----------
    fingerprint : mapping of str to str
        Of the data, see `data.fingerprint`.
    until : int
        Epochs that are to be done in all.
    finished : bool
        Whether the training is over; then the model is what it has come to.
    best : (ndarray, int) or None
        The weights that early stopping has kept, and their epoch.
    stopping : sequence of (float, int)
        Of each rule that ends the training: the lowest number, and the epochs since.
    position : Position or None
        Where it is in an epoch.
    stream : RandomState or None
        In the state in which scikit-learn's estimators have begun to draw from it.
    """

    fingerprint: Mapping[str, str]
    until: int
    finished: bool = False
    best: tuple[np.ndarray, int] | None = None
    stopping: Sequence[tuple[float, int]] = ()
    position: Position | None = None
    stream: np.random.RandomState | None = None


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
FREE = ("n_threads", "verbose")


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
    """

    def __init__(self, estimator: Any, path: str | os.PathLike[str], every: Any) -> None:
        from cnn_core.files.checkpoints import read_checkpoint
        from cnn_core.files.estimators import written_parameters

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

    def is_due(self) -> bool:
        """Whether its seconds are over."""
        return time.monotonic() - self.last >= self.seconds

    def is_due_after_epoch(self) -> bool:
        """Whether they are, or its epochs; to be asked after each epoch."""
        self.waited += 1
        return self.is_due() or 0 < self.epochs <= self.waited

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
