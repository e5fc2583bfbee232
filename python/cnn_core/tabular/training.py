"""The training of the members of `TabularMLP`, with one preparation of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cnn_core.mlp import MLP
    from cnn_core.tabular.rows import Given


class Options(NamedTuple):
    """How the members are trained, beside their parameters."""

    n_threads: int | None
    callbacks: Any
    verbose: int


def train(
    members: Sequence[MLP],
    given: Given,
    validation: tuple[Any, Any],
    options: Options,
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
    callbacks = options.callbacks
    watchers = (callbacks,) if callable(callbacks) else tuple(callbacks)
    own = {"n_threads": None, "verbose": 0, "callbacks": ()}
    for k, one in enumerate(members):
        told = [partial(_tell, watcher, members, k) for watcher in watchers]
        one.set_params(n_threads=options.n_threads, verbose=options.verbose, callbacks=told)
        one.fit(given.X, given.y, sample_weight=given.weights, validation_data=validation)
        one.set_params(**own)


def _tell(
    watcher: Any, members: Sequence[MLP], k: int, model: MLP, epoch: int, logs: dict[str, float]
) -> bool | None:
    """Call a function that watches all members after an epoch of one."""
    ends: bool | None = watcher(list(members), epoch, {k: logs})
    return ends
