"""The training of the members of `TabularMLP`, with one preparation of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cnn_core._warn import kept_warnings, warn
from cnn_core.many import fit
from cnn_core.many.progress import Watching, check_watching
from cnn_core.many.shared import SharedRows, Whole
from cnn_core.many.told import Names
from cnn_core.threads import threads_of
from cnn_core.training.fit import Given as OfFit

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


def shared_rows(given: Given, validation: tuple[Any, Any]) -> SharedRows:
    """What members make of the same rows, once.

    Parameters
    ----------
    given : Given
        The rows to train on.
    validation : (X, y)
        The rows to choose the epoch by.
    """
    rows = given.X, given.y, given.weights
    return SharedRows(
        OfFit(rows, validation, None, "fit", target_names=given.target_names), Whole(given.X), None
    )


def n_inputs(shared: SharedRows, member: MLP) -> int:
    """How many numbers the first layer of a member reads; what is said of the rows is told by the
    members' fit."""
    with kept_warnings():
        job = shared.job(member._check_parameters(), None, 0, 0.0)
    return job.model.network_spec.widths[0]


def train(members: Sequence[MLP], shared: SharedRows, options: Options) -> None:
    """Fit all members to the same rows; no result depends on the number of threads.

    Parameters
    ----------
    members : sequence of MLP
    shared : SharedRows
    options : Options
    """
    given = shared.given
    watchers = check_watching(options.callbacks)
    fit.train(
        members,
        fit.Data(given.rows, given.validation, [None] * len(members), shared),
        threads_of(options.n_threads),
        Watching(list(members), watchers, int(options.verbose), Names("members_", alike=True)),
        options.checkpoint,
    )
