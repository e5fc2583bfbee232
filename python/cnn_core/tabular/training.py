"""The training of the members of `TabularMLP`, with one preparation of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cnn_core._warn import warn
from cnn_core.many import fit
from cnn_core.many.progress import Watching, check_watching
from cnn_core.many.told import Names
from cnn_core.threads import threads_of

if TYPE_CHECKING:
    from cnn_core.mlp import MLP
    from cnn_core.tabular.checkpoint import TabularCheckpoint
    from cnn_core.tabular.rows import Given


def with_an_epoch(members: Sequence[MLP]) -> Sequence[MLP]:
    """The members that have finished an epoch; all, where none has."""
    found = [one for one in members if one.n_epochs_]
    missing = len(members) - len(found)
    if found and missing:
        warn(
            f"max_seconds={members[0].max_seconds:g} was over before {missing} of the "
            f"{len(members)} members had finished an epoch: the mean is of the other {len(found)}; "
            "allow more time",
            UserWarning,
        )
    return found or members


class Options(NamedTuple):
    """How the members are trained, beside their parameters."""

    n_threads: int | None
    callbacks: Any
    verbose: int
    checkpoint: TabularCheckpoint | None


def train(
    members: Sequence[MLP], given: Given, validation: tuple[Any, Any], options: Options
) -> None:
    """Fit all members to the same rows; no result depends on the number of threads.

    Parameters
    ----------
    members : sequence of MLP
    given : Given
        The rows to train on.
    validation : (X, y)
        The rows to choose the epoch by.
    options : Options
    """
    watchers = check_watching(options.callbacks)
    fit.train(
        members,
        fit.Data((given.X, given.y, given.weights), validation, [None] * len(members)),
        threads_of(options.n_threads),
        Watching(list(members), watchers, int(options.verbose), Names("members_", alike=True)),
        options.checkpoint,
    )
