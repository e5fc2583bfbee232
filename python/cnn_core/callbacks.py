"""Callbacks: what may look at a fit while it runs, and end it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._checks import shown
from cnn_core._warn import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from cnn_core.mlp import MLP

    Function: TypeAlias = Callable[[MLP, int, dict[str, float]], bool | None]


class Callback:
    """Base of the objects to give as ``MLP(callbacks=...)``; each method may be left as it is.

    A plain function counts as an `after_epoch`. Parameters that a callback sets apply from the next
    fit on; a `Schedule` changes the learning rate within one. An exception in a callback ends the
    fit and reaches its caller; the model is then that of the last whole epoch, or, with early
    stopping, of the best one.
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
            This epoch's entries of ``history_``: loss, metric, val_loss, val_metric, a score as
            `monitor`, learning_rate, seconds.

        Returns
        -------
        bool or None
            True ends the training after this epoch, None and False do not; anything else is a
            TypeError, so that a value returned by accident ends nothing without a word.
        """
        return None

    def after_step(self, model: MLP, step: int, logs: dict[str, float]) -> bool | None:
        """Called after every step, of `partial_fit` too, where a class defines it; a training
        without such callbacks spends no time on it.

        Parameters
        ----------
        model : MLP
            As the step leaves it: it predicts. ``history_`` ends with the last whole epoch, and
            after the call the model is that epoch's again.
        step : int
            Counted from 1, over all epochs.
        logs : dict of str to float
            loss: the mean cost of the mini-batch before the step, with the penalties;
            learning_rate.

        Returns
        -------
        bool or None
            As for `after_epoch`: True ends the training after this epoch.
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


class PhaseTimer(Callback):
    """Measures where the time of `MLP.fit` goes. For `cnn_core.MLP` alone.

    Attributes
    ----------
    seconds : dict of str to float
        Seconds that the last fit has spent in each phase of its steps; empty before its end, and
        where a backend measures none.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def before_fit(self, model: MLP) -> None:
        """Forget the fit before."""
        self.seconds = {}


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
        raise TypeError(
            f"callbacks must be a list of callbacks or functions, got {shown(callbacks)}"
        )
    for one in callbacks:
        if not (isinstance(one, Callback) or callable(one)) or isinstance(one, type):
            raise TypeError(
                "a callback must be a function (model, epoch, logs) or a Callback object, got "
                f"{shown(one)}"
            )
        _refuse_foreign(one)
        _check_arguments(one)
    return [one if isinstance(one, Callback) else _Function(one) for one in callbacks]


#: Methods of other libraries' callbacks, and what is called at that moment here.
_FOREIGN = {
    "on_train_begin": "before_fit",
    "on_epoch_end": "after_epoch",
    "on_train_epoch_end": "after_epoch",
    "on_batch_end": "after_step",
    "on_train_batch_end": "after_step",
    "on_train_end": "after_fit",
}


def _refuse_foreign(callback: object) -> None:
    """Raise where a callback has a method of another library, and none of the name it has here."""
    for name, here in _FOREIGN.items():
        own = getattr(type(callback), here, None)
        if hasattr(type(callback), name) and own in (None, getattr(Callback, here)):
            raise TypeError(
                f"the callback {type(callback).__qualname__} has {name}, which nothing calls; it "
                f"is called {here} here"
            )


#: What each method is called with.
_ARGUMENTS = {
    "before_fit": "(model)",
    "after_epoch": "(model, epoch, logs)",
    "after_step": "(model, step, logs)",
    "after_fit": "(model)",
}


def _check_arguments(callback: Callback | Function) -> None:
    """Raise where a function, or a method that a class defines, takes other arguments than it is
    going to be called with."""
    if not isinstance(callback, Callback):
        check_takes(callback, _ARGUMENTS["after_epoch"], f"the callback {_function_name(callback)}")
        return
    for name, arguments in _ARGUMENTS.items():
        method = getattr(callback, name)
        if getattr(method, "__func__", None) is not getattr(Callback, name):
            check_takes(method, arguments, f"{name} of the callback {type(callback).__qualname__}")


def check_takes(function: Callable[..., object], arguments: str, what: str) -> None:
    """Raise unless a function takes so many positional arguments."""
    n, code = arguments.count(",") + 1, getattr(function, "__code__", None)
    bound = code is None or hasattr(function, "__self__")
    if code is None:  # an object that can be called
        code = getattr(type(function).__call__, "__code__", None)
    if code is not None and code.co_argcount - bound == n and not code.co_kwonlyargcount:
        return  # nearly always, and inspect takes longer
    import inspect

    try:
        signature = inspect.signature(function)
    except ValueError:  # of some builtins nothing is known
        return
    try:
        signature.bind(*range(n))
    except TypeError:
        raise TypeError(f"{what} is called with {arguments}, and it takes {signature}") from None


class Watch:
    """The callbacks of one training.

    Parameters
    ----------
    callbacks : sequence of Callback
    estimator : MLP or an estimator of `cnn_core.sklearn`
        What they are shown.
    current : callable
        The model that it has.
    publish : callable
        Gives it another one.
    """

    def __init__(
        self,
        callbacks: Sequence[Callback],
        estimator: Any,
        current: Callable[[], Any],
        publish: Callable[[Any], None],
    ) -> None:
        self.callbacks, self.estimator = callbacks, estimator
        self.current, self.publish = current, publish
        self.of_steps = [one for one in callbacks if _looks_at_steps(one)]
        self._hidden: tuple[Any] | None = None  # the estimator's model while a step's is shown
        self._parameters = self._now()

    def epoch(self, epoch: int, logs: Mapping[str, float]) -> bool:
        """Call all callbacks after an epoch; whether one of them ends the training."""
        ends = self._ends(self.callbacks, "epoch", epoch, logs)
        self._warn_of_parameters()
        return ends

    def _now(self) -> list[object]:
        """The estimator's parameters."""
        if not self.callbacks:
            return []
        values = vars(self.estimator)
        return [values.get(name) for name in self.estimator._parameters_in_files()]

    def _warn_of_parameters(self) -> None:
        """Say that a parameter that a callback has set is not that of the training that runs."""
        now = self._now()
        for name, before, after in zip(
            self.estimator._parameters_in_files(), self._parameters, now
        ):
            if after is not before and repr(after) != repr(before):
                schedule = "; a Schedule changes it within one" if "learning_rate" in name else ""
                warn(
                    f"a callback has set {name}={shown(after)}, which takes effect at the next "
                    f"fit{schedule}",
                    UserWarning,
                )
        self._parameters = now

    def step(self, model: Any, step: int, logs: Mapping[str, float]) -> bool:
        """Call those that ask for it after a step, with the model that it leaves."""
        try:
            self._hidden = (self.current(),)
            self.publish(model)
            return self._ends(self.of_steps, "step", step, logs)
        finally:
            self.hide()

    def hide(self) -> None:
        """Bring back the model that a step's has taken the place of."""
        if self._hidden is not None:
            self.publish(self._hidden[0])
            self._hidden = None

    def _ends(
        self, callbacks: Sequence[Callback], moment: str, number: int, logs: Mapping[str, float]
    ) -> bool:
        """Call the method for a moment of each callback, with a dict of its own; whether one of
        them ends the training."""
        ends = False
        for callback in callbacks:
            method = callback.after_epoch if moment == "epoch" else callback.after_step
            answer: object = method(self.estimator, number, dict(logs))
            if answer is True or (isinstance(answer, np.bool_) and answer):
                ends = True
            elif not (answer is None or answer is False or isinstance(answer, np.bool_)):
                raise TypeError(
                    f"the callback {_name_of(callback)} returned {shown(answer)} after {moment} "
                    f"{number}; it must return True to end the training, and None or False to go on"
                )
        return ends


def _looks_at_steps(callback: Callback) -> bool:
    """Whether a callback has an `after_step` of its own."""
    return getattr(callback.after_step, "__func__", None) is not Callback.after_step


def _name_of(callback: Callback) -> str:
    """What a user calls a callback: the function's name, or the class's."""
    if not isinstance(callback, _Function):
        return type(callback).__qualname__
    return _function_name(callback.after_epoch)


def _function_name(function: object) -> str:
    name: str = getattr(function, "__qualname__", None) or shown(function)
    return name
