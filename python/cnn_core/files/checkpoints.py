"""The files of checkpoints: a model and what its training needs to go on, see
`training.checkpoint`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from cnn_core._few import counted
from cnn_core.exceptions import ModelFormatError
from cnn_core.files.codecs import (
    ByName,
    Flag,
    List,
    Optional,
    Real,
    Record,
    Row,
    Tensor,
    Text,
    Whole,
)
from cnn_core.files.container import read_file
from cnn_core.files.estimators import LONGEST, Contents, unpacked
from cnn_core.files.values import Stream
from cnn_core.training.progress import Position, Progress, ProgressOfMany

_POSITION = Record(
    Position,
    {"parameters": Tensor(), "batches": Whole(), "sums": List(Real(finite=False))},
)

#: What a checkpoint has beside the model.
PROGRESS = Record(
    Progress,
    {
        "fingerprint": ByName(Text()),
        "until": Whole(),
        "finished": Flag(),
        "best": Optional(Row(Tensor(), Whole())),
        "stopping": List(Row(Real(finite=False), Whole())),
        "position": Optional(_POSITION),
        "stream": Optional(Stream()),
    },
)


#: The same of several models that are trained together.
PROGRESS_OF_MANY = Record(ProgressOfMany, {"rounds": Whole(), "trainings": List(PROGRESS)})


def checked_path(path: Any) -> str:
    """The path of a checkpoint."""
    found = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(found, str):
        raise TypeError(f"a checkpoint is a path, got {type(path).__name__}")
    if "\0" in found:
        raise ValueError(f"the path of a checkpoint cannot have a null character, got {found!r}")
    return found


def read_checkpoint(
    path: str | os.PathLike[str],
    kind: type[Any],
    codec: Record = PROGRESS,
    check: Callable[[Any, Any], None] | None = None,
) -> Contents | None:
    """What a checkpoint holds; None where there is no such file.

    Parameters
    ----------
    path : path-like
    kind : type
        Of the estimator that the file must have.
    codec : Record, optional
        Of what it has beside the model.
    check : callable, optional
        Takes both, and raises ModelFormatError where they do not go together.

    Raises
    ------
    ModelFormatError
        For a file that is no checkpoint, or damaged.
    """
    try:
        data = read_file(checked_path(path), "a checkpoint has a file of its own")
        contents = unpacked(data, kind, True, codec)
        if contents.progress is None:
            raise ModelFormatError("it is the file of a model, not a checkpoint")
        (check or check_epochs)(contents.model, contents.progress)
    except FileNotFoundError:
        return None
    except ModelFormatError as error:
        raise ModelFormatError(f"{os.fspath(path)}: {str(error)[:LONGEST]}") from None
    return contents


def check_many(models: Sequence[Any], progress: ProgressOfMany) -> None:
    """Raise where some models and their progress do not go together."""
    if len(models) != len(progress.trainings):
        raise ModelFormatError(
            f"progress.trainings has {counted(len(progress.trainings), 'entry', 'entries')}, and "
            f"there are "
            f"{counted(len(models), 'model')}"
        )
    for k, (model, one) in enumerate(zip(models, progress.trainings)):
        try:
            check_epochs(model._model(), one)
        except ModelFormatError as error:
            raise ModelFormatError(f"progress.trainings.{k}: {error}") from None


def check_epochs(model: Any, progress: Progress) -> None:
    """Raise where a model and its progress speak of other epochs."""
    if hasattr(model, "n_epochs"):
        first, last = 1, model.n_epochs
    else:  # of scikit-learn's estimators, whose weights to begin with count as those of epoch 0
        first, last = 0, model.n_iter
        losses = len(model.loss_curve) if isinstance(model.loss_curve, list) else 0
        if losses != last:
            raise ModelFormatError(f"n_iter is {last}, and loss_curve has {losses} entries")
    if progress.best is not None and not first <= progress.best[1] <= last:
        raise ModelFormatError(
            f"progress.best.1 must be an epoch from {first} to {last}, got {progress.best[1]}"
        )
