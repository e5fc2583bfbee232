"""Callbacks: what may look at a fit while it runs, and end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from cnn_core.mlp import MLP

    Function: TypeAlias = Callable[[MLP, int, dict[str, float]], bool | None]


class Callback:
    """Base of the objects to give as ``MLP(callbacks=...)``; each method may be left as it is.

    A plain function counts as an `after_epoch`. An exception in a callback ends the fit and reaches
    its caller; the model is then that of the last whole epoch, or, with early stopping, of the best
    one.
    """

    def before_fit(self, model: MLP) -> None:
        """Called once the data are checked, before the first epoch.

        Parameters
        ----------
        model : MLP
            As it was before the fit.
        """

    def after_epoch(self, model: MLP, epoch: int, logs: dict[str, float]) -> bool | None:
        """Called after every epoch.

        Parameters
        ----------
        model : MLP
            As it is now: it predicts, and its ``history_`` holds this epoch.
        epoch : int
            Counted from 1.
        logs : dict of str to float
            This epoch's entries of ``history_``: loss, metric, val_loss, val_metric, learning_rate,
            seconds.

        Returns
        -------
        bool or None
            True ends the training after this epoch.
        """
        return None

    def after_fit(self, model: MLP) -> None:
        """Called at the end, also after early stopping, divergence, or where a callback has ended
        the training.

        Parameters
        ----------
        model : MLP
            As the fit leaves it.
        """


class _Function(Callback):
    """A plain function in the place of an `after_epoch`."""

    def __init__(self, function: Function) -> None:
        self.after_epoch = function  # type: ignore[assignment, method-assign]


def check_callbacks(
    callbacks: Callback | Function | Sequence[Callback | Function],
) -> list[Callback]:
    """The callbacks that a user means.

    Parameters
    ----------
    callbacks : Callback, function, or sequence of them

    Returns
    -------
    list of Callback
    """
    if isinstance(callbacks, Callback) or callable(callbacks):
        callbacks = (callbacks,)
    if not isinstance(callbacks, (tuple, list)):
        raise TypeError(f"callbacks must be a list of callbacks or functions, got {callbacks!r}")
    for one in callbacks:
        if not (isinstance(one, Callback) or callable(one)) or isinstance(one, type):
            raise TypeError(
                "a callback must be a function (model, epoch, logs) or a Callback object, got "
                f"{one!r}"
            )
    return [one if isinstance(one, Callback) else _Function(one) for one in callbacks]
