"""What a training watches: the parameter `monitor` of MLP.

A monitor is the name of a column of the history, the name of a scorer of scikit-learn, or a
function ``(model, X, y)`` as scikit-learn's scorers are. Losses are to fall, all others to rise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnn_core._names import meaning

#: Returns a number of a model, X and y: the greater the better.
Scorer = Callable[[Any, Any, Any], float]

#: Those that are measured anyway.
MEASURED = ("val_loss", "val_metric", "loss")
#: Those that are to fall.
LOSSES = ("val_loss", "loss")
#: Of a function without a name.
UNNAMED = "monitor"
#: Columns of the history that no function can have.
_TAKEN = (*MEASURED, "metric", "learning_rate", "seconds")


def check_monitor(name: str, value: Any) -> None:
    """A name, or a function (model, X, y); which scorers there are is asked when a fit begins."""
    if isinstance(value, str):
        hint = "" if value in MEASURED else meaning(name, value)
        if hint.isidentifier():
            hint = f"it is called {hint!r} here"
        if hint:
            raise ValueError(f"unknown {name} {value!r}; {hint}")
        return
    if not callable(value) or isinstance(value, type):
        raise TypeError(
            f"{name} must be 'val_loss', 'val_metric', 'loss', the name of a scorer of "
            f"scikit-learn, or a function (model, X, y), got {value!r}"
        )
    from cnn_core.callbacks import check_takes

    column = column_of(value)
    try:
        check_takes(value, "(model, X, y)", called(column))
    except TypeError as error:
        raise TypeError(
            f"{error}; sklearn.metrics.make_scorer makes one of a function (y_true, y_pred)"
        ) from None
    if column in _TAKEN:
        raise ValueError(
            f"{name} is a function called {column!r}, as a column of history_ is already; give "
            "it another name"
        )


def column_of(monitor: str | Scorer) -> str:
    """The column of the history that it is."""
    if isinstance(monitor, str):
        return monitor
    name = getattr(monitor, "__name__", UNNAMED)
    return name if isinstance(name, str) and name.isidentifier() else UNNAMED


def called(column: str) -> str:
    """What to call a monitor in messages."""
    return "the monitor" if column == UNNAMED else f"the monitor {column}"


def sign_of(column: str) -> float:
    """What a column is multiplied with to be the lower the better."""
    return 1.0 if column in LOSSES else -1.0


def needs_rows(monitor: str | Scorer) -> bool:
    """Whether it can be had of validation rows alone."""
    return not (isinstance(monitor, str) and monitor in LOSSES)


def scorer_of(monitor: str | Scorer) -> Scorer | None:
    """The function that it is; None for those that are measured anyway.

    Raises
    ------
    ImportError
        For the name of a scorer, without scikit-learn.
    ValueError
        For a name that is none.
    """
    if not isinstance(monitor, str):
        return monitor
    if monitor in MEASURED:
        return None
    try:
        from sklearn.metrics import get_scorer, get_scorer_names
    except ImportError:
        raise ImportError(
            f"monitor={monitor!r} is none of {', '.join(map(repr, MEASURED))}, and scorers need "
            "the package scikit-learn: pip install scikit-learn"
        ) from None
    names = get_scorer_names()
    if monitor not in names:
        import difflib  # a millisecond that no working program needs to pay at import

        near = difflib.get_close_matches(monitor.lower(), (*MEASURED, *names), 4, 0.5)
        listed = ", ".join(map(repr, near or MEASURED))
        raise ValueError(
            f"unknown monitor {monitor!r}; {'near names are' if near else 'it may be'} {listed}, "
            "and sklearn.metrics.get_scorer_names() lists all scorers"
        )
    scorer: Scorer = get_scorer(monitor)
    return scorer
