"""What pictures ask of the estimators that they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cnn_core._checks import shown
from cnn_core.predictions import Predictions

if TYPE_CHECKING:
    from cnn_core.averaging import Averaging
    from cnn_core.mlp import MLP
    from cnn_core.task import Task

    Estimator: TypeAlias = MLP | Averaging


def fitted_of(model: Any) -> Any:
    """The model of a fitted estimator.

    Raises
    ------
    TypeError
        For what is none.
    NotFittedError
        Where it is not fitted.
    """
    if not isinstance(model, Predictions):
        other = "; of it ConfusionMatrixDisplay and others of scikit-learn make pictures"
        raise TypeError(
            f"model must be a fitted MLP, TabularMLP or Ensemble of cnn_core, got {shown(model)}"
            + (other if hasattr(model, "fit") and not isinstance(model, type) else "")
        )
    return model._model()


def network_of(model: Any, what: str) -> Any:
    """The model of a fitted MLP, for what only one network has."""
    found = fitted_of(model)
    if not hasattr(found, "network"):
        raise TypeError(
            f"{what} shows one network, and {type(model).__name__} has several; give one of its "
            f"{model._networks}"
        )
    return found


def task_of(model: Any, name: str, what: str) -> Task:
    """The task of a fitted estimator, which must be one of 'classification' or 'regression'."""
    task: Task = fitted_of(model).task
    if task.name != name:
        if task.name == "multilabel":
            raise ValueError(f"{what} is for {name}, but the labels of this model are yes or no")
        raise ValueError(f"{what} is for {name}, but this model does {task.name}")
    return task


def true_and_predicted(model: Any, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """y as numbers, class indices or 0 and 1, and the predictions likewise.

    Returns
    -------
    true, predicted : ndarray
        Class indices of shape (rows,); for other tasks (rows, outputs).
    """
    found = fitted_of(model)
    task = found.task
    X, y = found.split(X, y)
    targets, labels, _ = found.true_targets(X, y, None)
    answers = np.asarray(model.predict(X))
    if task.name == "classification":
        places = {label: i for i, label in enumerate(task.classes.tolist())}
        return labels, np.array([places[label] for label in answers.tolist()], np.intp)
    true = (targets > task.threshold).astype(int) if task.name == "multilabel" else targets
    return true, answers.reshape(true.shape)


def prediction(model: Any, X: Any, output: Any) -> np.ndarray:
    """The number that a picture follows, shape (rows,): an output of a regression, or the
    probability of a class."""
    found = fitted_of(model)
    task, place = found.task, place_of(found, output)
    if task.name == "regression":
        return np.asarray(model.predict(X), float).reshape(-1, task.n_outputs)[:, place]
    probabilities: np.ndarray = np.asarray(model.predict_proba(X), float)[:, place]
    return probabilities


def place_of(found: Any, output: Any) -> int:
    """The column of `predict` or `predict_proba` that a user means."""
    from cnn_core.explanations.outputs import output_of

    task = found.task
    number = output_of(task, output, "output", found.target_names).number
    if task.name != "classification":
        return number
    labels: list[Any] = list(task.classes.tolist())
    return len(labels) - 1 if output is None else labels.index(output)


def output_name(model: Any, output: Any) -> str:
    """What the number is called on an axis."""
    from cnn_core.plot._style import short

    found = fitted_of(model)
    task, place = found.task, place_of(found, output)
    if task.classes is not None:
        return f"probability of {short(task.classes.tolist()[place])}"
    if found.target_names:
        return f"prediction of {short(found.target_names[min(place, len(found.target_names) - 1)])}"
    return "prediction" if task.n_outputs == 1 else f"prediction of output {place}"


def some_rows(n: int, most: int) -> np.ndarray:
    """Numbers of at most so many rows, spread evenly over all."""
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(int)
