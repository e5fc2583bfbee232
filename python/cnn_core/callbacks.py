"""Callbacks: what may look at a fit while it runs, and end it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from cnn_core.mlp import MLP

    Function: TypeAlias = Callable[[MLP, int, dict[str, float]], bool | None]

#: Most characters of an object that a message shows.
_SHOWN = 60


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
            True ends the training after this epoch, None and False do not; anything else is a
            TypeError, so that a value returned by accident ends nothing without a word.
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


def end_training(
    callbacks: Sequence[Callback], model: Any, epoch: int, logs: Mapping[str, float]
) -> bool:
    """Call all callbacks after an epoch; whether one of them ends the training.

    Parameters
    ----------
    callbacks : sequence of Callback
    model : MLP or an estimator of `cnn_core.sklearn`
    epoch : int
        Counted from 1.
    logs : mapping of str to float
        Each callback gets a dict of its own.

    Returns
    -------
    bool
    """
    ends = False
    for callback in callbacks:
        answer: object = callback.after_epoch(model, epoch, dict(logs))
        if answer is True or (isinstance(answer, np.bool_) and answer):
            ends = True
        elif not (answer is None or answer is False or isinstance(answer, np.bool_)):
            raise TypeError(
                f"the callback {_name_of(callback)} returned {_shown(answer)} after epoch {epoch}; "
                "it must return True to end the training, and None or False to go on"
            )
    return ends


def _name_of(callback: Callback) -> str:
    """What a user calls a callback: the function's name, or the class's."""
    if not isinstance(callback, _Function):
        return type(callback).__qualname__
    function = callback.after_epoch
    return getattr(function, "__qualname__", None) or _shown(function)


def _shown(value: object) -> str:
    """The beginning of an object's repr, in one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
