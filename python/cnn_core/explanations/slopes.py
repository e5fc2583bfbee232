"""Derivatives of what is predicted by what is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._cpu import with_subnormals
from cnn_core.explanations.explained import blocks, is_row
from cnn_core.explanations.outputs import Output, output_of

if TYPE_CHECKING:
    from cnn_core.explanations.explained import Explained


def input_gradient(explained: Explained, X: Any, output: Any, of: str, threads: int) -> np.ndarray:
    """As `MLP.input_gradient` describes."""
    chosen = output_of(explained.task, output, of, explained.target_names)
    explained.warn_of_steps(chosen.of_z)
    if is_row(explained, X):
        row = _row(explained, X, chosen)
        if row is None:
            row = chosen.sign * _of_rows(explained, explained.read_row(X), chosen, 1)[0]
        return row
    check_same_features(explained)
    return chosen.sign * _of_rows(explained, explained.read(X), chosen, threads)


def row_gradient_of(explained: Explained, output: Any, of: str) -> Callable[[Any], Any]:
    """What `input_gradient` does for a single row at the least cost: a function that answers None
    for what it does not take."""
    chosen = output_of(explained.task, output, of, explained.target_names)
    if explained.columns is not None:
        return lambda x: None
    if len(explained.members) == 1 and chosen.sign > 0:
        one, number, of_z = explained.jacobians[0].one, chosen.number, chosen.of_z
        return lambda x: one(x, number, of_z)
    return lambda x: _row(explained, x, chosen)


def _row(explained: Explained, x: Any, chosen: Output) -> np.ndarray | None:
    """The derivatives of a single row; None where the native core does not take it as it is."""
    jacobians = explained.jacobians
    if len(jacobians) == 1:
        row = jacobians[0].one(x, chosen.number, chosen.of_z)
    else:
        row = total = np.zeros(jacobians[0].network.n_features)
        for one in jacobians:
            if one.one(x, chosen.number, chosen.of_z, total) is None:
                return None
        row = _rounded(total, len(jacobians), explained.dtype)
    return None if row is None else -row if chosen.sign < 0 else row


def _of_rows(
    explained: Explained, matrices: list[np.ndarray], chosen: Output, threads: int
) -> np.ndarray:
    outputs = np.array([chosen.number], np.intp)
    rows: np.ndarray = _derivatives(explained, matrices, outputs, chosen.of_z, threads)[:, 0]
    return rows


def jacobian(explained: Explained, X: Any, of: str, threads: int) -> np.ndarray:
    """As `MLP.jacobian` describes."""
    task = explained.task
    of_z = output_of(task, 0 if task.classes is None else task.classes[0], of).of_z
    explained.warn_of_steps(of_z)
    check_same_features(explained)
    outputs = np.arange(task.n_outputs, dtype=np.intp)
    return _derivatives(explained, explained.read(X), outputs, of_z, threads)


def _derivatives(
    explained: Explained,
    matrices: list[np.ndarray],
    outputs: np.ndarray,
    of_z: bool,
    threads: int,
) -> np.ndarray:
    """Of some outputs by all features, shape (rows, outputs, features): the mean over the networks,
    summed in their order in float64 and rounded once."""
    jacobians = explained.jacobians
    if len(jacobians) == 1:
        return jacobians[0].rows(matrices[0], outputs, threads, of_z)
    rows, width = matrices[0].shape
    found = np.empty((rows, len(outputs), width), explained.dtype)
    for some in blocks(rows, len(outputs) * width):
        total = np.zeros(found[some].shape)
        for k, one in enumerate(jacobians):
            matrix = matrices[explained.matrix_of(k)]
            one.rows(matrix[some], outputs, threads, of_z, total)
        found[some] = _rounded(total, len(jacobians), explained.dtype)
    return found


def _rounded(total: np.ndarray, n: int, dtype: np.dtype[Any]) -> np.ndarray:
    found: np.ndarray = with_subnormals((total / n).astype, (dtype,))
    return found


def check_same_features(explained: Explained) -> None:
    """Raise where networks read features that are not each other's.

    Raises
    ------
    ValueError
        Names a feature that one of them has alone.
    """
    first = explained.matrices[0].encoded
    for k, matrix in enumerate(explained.matrices):
        if matrix.encoded != first:
            alone = next(iter({*matrix.encoded} ^ {*first}), first[0])
            raise ValueError(
                f"the models' columns become different features, of which model {k} or model 0 has "
                f"{alone!r} alone, so their derivatives have no mean; attributions and importances "
                "are of the columns themselves, and models_[k].input_gradient(X) is that of one "
                "model"
            )
