"""The training of the members of `TabularMLP`, with one preparation of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cnn_core.many.fit import fit_many

if TYPE_CHECKING:
    from cnn_core.mlp import MLP
    from cnn_core.tabular.rows import Given


class Options(NamedTuple):
    """How the members are trained, beside their parameters."""

    n_threads: int | None
    callbacks: Any
    verbose: int


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
    fit_many(
        members,
        given.X,
        given.y,
        sample_weight=given.weights,
        validation_data=validation,
        callbacks=options.callbacks,
        verbose=options.verbose,
        n_threads=options.n_threads,
    )
