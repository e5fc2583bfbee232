"""Derivatives of what a model predicts by what it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.explanations.outputs import Output, output_of

if TYPE_CHECKING:
    from cnn_core._jacobian import Jacobian
    from cnn_core.model import Model


def jacobian_of(model: Model) -> Jacobian:
    """What differentiates a model."""
    predictor: Any = model.predictors["native"]
    found: Jacobian = predictor.jacobian
    return found


def input_gradient(model: Model, X: Any, output: Any, of: str, threads: int) -> np.ndarray:
    """As `MLP.input_gradient` describes."""
    chosen = output_of(model.task, output, of)
    if model.columns is None and np.ndim(X) == 1:
        row = jacobian_of(model).one(X, chosen.number, chosen.of_z)
        if row is None:
            row = _of_rows(model, np.asarray(X)[None], chosen, 1)[0]
        signed: np.ndarray = -row if chosen.sign < 0 else row
        return signed
    return chosen.sign * _of_rows(model, X, chosen, threads)


def row_gradient_of(model: Model, output: Any, of: str) -> Callable[[Any], Any]:
    """What `input_gradient` does for a single row at the least cost: a function that answers None
    for what it does not take."""
    chosen = output_of(model.task, output, of)
    if model.columns is not None:
        return lambda x: None
    one, number, of_z = jacobian_of(model).one, chosen.number, chosen.of_z
    if chosen.sign > 0:
        return lambda x: one(x, number, of_z)

    def negative(x: Any) -> Any:
        row = one(x, number, of_z)
        return None if row is None else -row

    return negative


def _of_rows(model: Model, X: Any, chosen: Output, threads: int) -> np.ndarray:
    outputs = np.array([chosen.number], np.intp)
    rows: np.ndarray = jacobian_of(model).rows(read(model, X), outputs, threads, chosen.of_z)[:, 0]
    return rows


def read(model: Model, X: Any) -> np.ndarray:
    """What the network reads of rows, before it is scaled, in float64; checked."""
    from cnn_core.data.validation import check_names, check_X

    if model.columns is None:
        check_names(X, model.feature_names)
        return check_X(X, "float64", model.n_features)
    return np.ascontiguousarray(model.unscaled(X))


def jacobian(model: Model, X: Any, of: str, threads: int) -> np.ndarray:
    """As `MLP.jacobian` describes."""
    task = model.task
    of_z = output_of(task, 0 if task.classes is None else task.classes[0], of).of_z
    outputs = np.arange(task.n_outputs, dtype=np.intp)
    found: np.ndarray = jacobian_of(model).rows(read(model, X), outputs, threads, of_z)
    return found
