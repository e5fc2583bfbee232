"""Checkpoints of models that are trained together: one file for all of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from cnn_core._few import counted
from cnn_core.data.fingerprint import Fingerprints
from cnn_core.files.checkpoints import PROGRESS_OF_MANY, check_many, read_checkpoint
from cnn_core.files.estimators import class_of, packed, written_parameters
from cnn_core.files.members import MEMBERS
from cnn_core.files.saved import Saved
from cnn_core.training.checkpoint import Place, warn_of_bits
from cnn_core.training.kept import Found, KeptTraining, seed_of
from cnn_core.training.progress import ProgressOfMany

if TYPE_CHECKING:
    from cnn_core.files.codecs import Codec
    from cnn_core.files.estimators import Contents
    from cnn_core.many.net import Net
    from cnn_core.many.progress import Watching
    from cnn_core.mlp import MLP
    from cnn_core.training.signals import Signals


class Trainings(Saved):
    """What the checkpoint of a `fit_many` holds in the place of an estimator.

    Parameters
    ----------
    models : sequence of MLP
    """

    _in_files = "many.Trainings"
    _called = "the checkpoint of a fit_many"  #: in messages

    def __init__(self, models: Sequence[MLP] = ()) -> None:
        self.models = models

    @classmethod
    def _model_in_files(cls) -> Codec:
        return MEMBERS

    @classmethod
    def _parameters_in_files(cls) -> Mapping[str, Any]:
        return {}

    def _check_parameters(self) -> None:
        """They are those of the models."""

    @classmethod
    def _loaded(cls, parameters: dict[str, Any], model: Any) -> Self:
        return cls(model)


class ManyCheckpoint:
    """The checkpoint of models that are trained together: what they go on from, if there is one,
    and where the next one is written.

    Parameters
    ----------
    owner : Trainings or TabularMLP
        Whose file it is.
    path : path-like
    every : float or str
        See `interval`; epochs are rounds.
    signals : Signals
        In which the training runs.

    Raises
    ------
    ModelFormatError, FileNotFoundError
        As `Checkpoint`.
    """

    def __init__(
        self, owner: Saved, path: str | os.PathLike[str], every: Any, signals: Signals
    ) -> None:
        self.owner, self.place, self.signals = owner, Place(path, every), signals
        self.parameters = written_parameters(owner)
        self.contents = found = self._read()
        #: What each training goes on from; nothing where there is no file.
        self.found: Sequence[Found] = []
        self.rounds = 0
        if found is not None:
            self.found, self.rounds = self._trainings(found), found.progress.rounds
            warn_of_bits(self.place.path, found)
        self.kept: list[KeptTraining] = []
        self._fingerprints = Fingerprints()
        self.place.postpone()

    # What is in the file beside the trainings

    def members(self, model: Any) -> Sequence[MLP]:
        """The models in what a file has of the owner."""
        found: Sequence[MLP] = model
        return found

    def model(self, pairs: Sequence[tuple[MLP, Any]]) -> Any:
        """What a file has of the owner, with its models."""
        return pairs

    def _read(self) -> Contents | None:
        return read_checkpoint(
            self.place.path,
            type(self.owner),
            PROGRESS_OF_MANY,
            lambda model, progress: check_many(self.members(model), progress),
        )

    def _trainings(self, found: Contents) -> list[Found]:
        pairs = zip(self.members(found.model), found.progress.trainings)
        return [Found(model, model._model(), progress) for model, progress in pairs]

    # The trainings

    def check_count(self, models: Sequence[MLP]) -> None:
        """Raise for another number of models."""
        if self.found and len(self.found) != len(models):
            raise ValueError(
                f"the checkpoint {self.place.path} is of {counted(len(self.found), 'model')}, and "
                f"now there "
                f"are {len(models)}; give the same, or take another path"
            )

    def keep(self, model: MLP) -> KeptTraining:
        """The next one of the trainings.

        Raises
        ------
        ValueError, TypeError
            For other parameters than those of the file, and for models that none can hold.
        """
        own = {*type(model)._parameters_in_files()} - {
            *class_of(model._in_files)._parameters_in_files()
        }
        if own:
            raise TypeError(
                f"the class {type(model).__qualname__} has parameters of its own, "
                f"{', '.join(sorted(own))}, which the checkpoint of several models cannot hold"
            )
        found = self.found[len(self.kept)] if self.found else None
        kept = KeptTraining(model, self.place.path, found, self._fingerprints)
        self.kept.append(kept)
        return kept

    @property
    def is_finished(self) -> bool:
        """Whether all trainings are over: then the models are the result."""
        return bool(self.found) and all(one.is_finished for one in self.kept)

    def attach(self, nets: Sequence[Net], watching: Watching) -> WritingOfMany:
        """Write those of some nets from now on; see `WritingOfMany`."""
        return WritingOfMany(self, nets, watching)

    def write(self, nets: Sequence[Net], rounds: int) -> None:
        """Write one.

        Raises
        ------
        ValueError
            Where another training has written one there meanwhile.
        """
        models, trainings = zip(*(net.to_keep() for net in nets), strict=True)

        def check_same() -> None:
            found = self._read()
            if found is None:
                return
            saved = self._trainings(found)
            if len(saved) != len(nets):
                raise ValueError
            for kept, one, model in zip(self.kept, saved, models):
                kept.check_same(one, seed_of(model, None))

        pairs = [(net.model, model) for net, model in zip(nets, models)]
        progress = ProgressOfMany(rounds, trainings)
        self.place.put(
            lambda: packed(
                self.owner,
                self.model(pairs),
                PROGRESS_OF_MANY,
                progress,
                parameters=self.parameters,
            ),
            check_same,
        )


class WritingOfMany:
    """Writes the checkpoints of some nets: one before their first step, so that what cannot be kept
    is found before anything is trained; then those that are due after a round; and one at the end.
    What handlers of signals raise waits while they train, as in `Writing`.

    Parameters
    ----------
    checkpoint : ManyCheckpoint
    nets : sequence of Net
        That have begun.
    watching : Watching
        Who counts the rounds.

    Raises
    ------
    OSError, ValueError, TypeError
        Where the first one cannot be written.
    """

    within_epochs = False

    def __init__(self, checkpoint: ManyCheckpoint, nets: Sequence[Net], watching: Watching) -> None:
        self.checkpoint, self.nets, self.watching = checkpoint, nets, watching
        self.left_off = False  # whether an exception has ended the writing of one
        watching.round = checkpoint.rounds
        checkpoint.write(nets, watching.round)
        for net in nets:
            if net.loop is not None:
                net.loop.saving = self

    def __enter__(self) -> None:
        self.hold()

    def __exit__(self, *error: object) -> None:
        self.release()

    def request(self) -> None:
        """Have all nets end their epochs."""
        for net in self.nets:
            net.give_up()

    def hold(self) -> None:
        """Have what handlers of signals raise from now on end all epochs between two steps."""
        self.checkpoint.signals.hold(self)

    def release(self) -> None:
        """Raise what has waited; from now on handlers raise at once."""
        self.checkpoint.signals.release()

    def seconds_left(self) -> float:
        """Until the next one is due."""
        return self.checkpoint.place.seconds_left()

    def now(self) -> None:
        """Only whole rounds are kept while the training goes on."""

    def after_epoch(self) -> None:
        """Of one net: the round decides."""

    def after_round(self) -> None:
        """Write one, if it is time."""
        if self.checkpoint.place.is_due_after_epoch():
            self._write("training goes on, and the next one is tried in time")

    def at_end(self) -> None:
        """Write the last one, unless an exception has come while one was written."""
        if not self.left_off:
            self._write("the models have what was trained since, and save keeps it")

    def _write(self, then: str) -> None:
        """Write one; what keeps it from being written ends no training."""
        self.left_off = True
        rounds = self.watching.round
        self.checkpoint.place.attempt(lambda: self.checkpoint.write(self.nets, rounds), then)
        self.left_off = False
