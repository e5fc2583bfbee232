"""The score of validation rows by a scorer of scikit-learn's kind, see `cnn_core.monitors`."""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._checks import shown
from cnn_core._frozen import replace
from cnn_core.columns.table import Table
from cnn_core.data.targets import check_targets
from cnn_core.monitors import Scorer, called, column_of, needs_rows, scorer_of

if TYPE_CHECKING:
    from cnn_core.columns.columns import Columns
    from cnn_core.data.prepare import Dataset, Prepared
    from cnn_core.model import Model


#: Scorers of two classes alone, and those for more.
_OF_TWO = {
    "f1": "f1_macro",
    "jaccard": "jaccard_macro",
    "precision": "precision_macro",
    "recall": "recall_macro",
    "roc_auc": "roc_auc_ovr",
}


class ScoringError(ValueError):
    """A scorer gave no number: the estimator is to be as before the fit."""


class Scored(NamedTuple):
    """A scorer, and what it is called with beside the model."""

    column: str  #: of the history
    scorer: Scorer
    X: Any
    y: np.ndarray  #: as `predict` gives it
    encoded: bool  #: whether X is as the network reads it
    binary: bool = False  #: whether y is 0 and 1, for the first and the second of two classes


def check_rows(p: SimpleNamespace, validates: bool) -> Scorer | None:
    """The scorer of a fit, if it has one; raises where the monitor has no rows.

    Parameters
    ----------
    p : namespace
        The parameters of MLP, from `check_parameters`.
    validates : bool
        Whether validation rows are given.
    """
    scorer = scorer_of(p.monitor)
    if needs_rows(p.monitor) and not (validates or p.early_stopping):
        raise ValueError(
            f"monitor={column_of(p.monitor)!r} is of validation rows, and there are none: give fit "
            "validation_data=(X, y), or MLP(early_stopping=True) to set some of the rows apart"
        )
    return scorer


def scored(
    monitor: str | Scorer,
    scorer: Scorer,
    model: Model,
    data: Prepared,
    given: tuple[Any, Any],
) -> Scored:
    """What is to be scored after each epoch of a fit.

    A user's function is given the rows as the user gave them, and a model that takes such rows; a
    scorer by name asks the model alone, and so the rows as the network reads them are enough. One
    that asks which class is the positive one knows no other than 1: of two others it is the second
    class, as in `predict_proba` and `decision_function`.

    Parameters
    ----------
    monitor : str or callable
    scorer : callable
        What it is.
    model : Model
        Before its next step.
    data : Prepared
    given : (X, y)
        As users gave them to fit: the rows to validate on, or those that some were set apart of.

    Raises
    ------
    ValueError
        For the name of a scorer of two classes, where y has more, or several labels a row.
    """
    rows, apart = data.validation, data.apart
    assert rows is not None
    X, y = given
    by_name = isinstance(monitor, str)
    if by_name:
        _check_classes(column_of(monitor), model)
        X_scored: Any = np.ascontiguousarray(rows.X.rows())
    else:
        X_scored = X if apart is None else rows_at(X, np.flatnonzero(apart), model.columns)
    y_scored = _targets(model, rows, X, y, apart)
    binary = by_name and _needs_positive(scorer, model)
    if binary:
        y_scored = (y_scored == model.task.classes[1]).astype(np.int64)  # type: ignore[index]
    return Scored(column_of(monitor), scorer, X_scored, y_scored, by_name, binary)


def _check_classes(name: str, model: Model) -> None:
    task = model.task
    several = task.name == "multilabel"
    if name in _OF_TWO and (several or task.n_classes > 2) and (name != "roc_auc" or not several):
        has = f"{task.n_outputs} labels a row" if several else f"{task.n_classes} classes"
        raise ValueError(
            f"monitor={name!r} is of two classes, and y has {has}: take {_OF_TWO[name]!r}, or "
            "another of sklearn.metrics.get_scorer_names()"
        )


def _needs_positive(scorer: Scorer, model: Model) -> bool:
    """Whether a scorer by name asks which of two classes is the positive one, and none is 1."""
    classes = model.task.classes
    if model.task.name != "classification" or classes is None or len(classes) != 2:
        return False
    score = getattr(scorer, "_score_func", None)
    if score is None or "pos_label" not in inspect.signature(score).parameters:
        return False
    return not any(label == 1 for label in classes.tolist())


def _targets(model: Model, rows: Dataset, X: Any, y: Any, apart: np.ndarray | None) -> np.ndarray:
    """y of the validation rows as `predict` gives it."""
    task = model.task
    if rows.labels is not None:
        assert task.classes is not None
        labels: np.ndarray = task.classes[rows.labels.rows()[:, 0]]
        return labels
    if task.name == "multilabel":
        assert rows.y is not None
        return (rows.y.rows() > task.threshold).astype(np.int64)
    if model.columns is not None:
        from cnn_core.columns.target import known_target

        _, y = known_target(model.columns.table(X), y, task.classes, model.target_names)
    targets: np.ndarray = check_targets(y, np.float64, task.n_outputs)
    targets = targets if apart is None else targets[apart]
    return targets.ravel() if task.flat else targets


def rows_at(X: Any, rows: np.ndarray, columns: Columns | None) -> Any:
    """Some rows of what a user gave, as the same kind of table or array where there is a way to
    take them; else as a `Table`, or as an array."""
    if isinstance(X, np.ndarray):
        return X[rows]
    if isinstance(X, (list, tuple)):
        return [X[row] for row in rows.tolist()]
    if hasattr(X, "iloc"):  # of pandas
        return X.iloc[rows]
    if isinstance(X, Mapping):
        return {name: rows_at(column, rows, None) for name, column in X.items()}
    if hasattr(X, "columns") and not isinstance(X, Table):
        import narwhals.stable.v2 as nw

        frame: Any = nw.from_native(X, eager_only=True, pass_through=True)
        if frame is not X:
            return frame[rows].to_native()
    if columns is not None:
        return columns.table(X).take(rows)
    return np.asarray(X)[rows]


class Scores:
    """Calls a scorer with a model of its own, of which nobody else knows.

    Parameters
    ----------
    scored : Scored
    estimator : MLP
        As the fit has begun with it.
    """

    def __init__(self, scored: Scored, estimator: Any) -> None:
        kind: Any = type(estimator)
        self.scored, self.view = scored, kind.__new__(kind)
        vars(self.view).update(vars(estimator))
        #: The model as it is now.
        self.current: Callable[[], Model] | None = None

    def now(self, epoch: int) -> float:
        """The score of the model as it is in a loop."""
        assert self.current is not None
        return self.of(self.current(), f"after epoch {epoch}")

    def of(self, model: Model, when: str) -> float:
        """The score of a model.

        Raises
        ------
        ScoringError
            Where the scorer raises, or gives no finite number.
        """
        name, scorer, X, y, encoded, binary = self.scored
        if encoded:
            model = replace(model, scaling=None, columns=None, feature_names=None)
        if binary:
            model = replace(model, task=replace(model.task, classes=np.arange(2)))
        self.view._publish(model)
        try:
            score: Any = scorer(self.view, X, y)
        except MemoryError:
            raise
        except Exception as error:
            words = " ".join(str(error).split())
            does = f" (the model does {model.task.name})" if encoded else ""
            raise ScoringError(
                f"{called(name)} failed {when}: {type(error).__name__}: {words}{does}"
            ) from error
        number = isinstance(score, numbers.Real) and not isinstance(score, bool)
        if not (number and math.isfinite(score)):
            raise ScoringError(
                f"{called(name)} must give a finite number, the greater the better, and {when} it "
                f"gave {shown(score)}"
            )
        return float(score)
