"""Weights of rows: those that are given, and those of their classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._checks import shown
from cnn_core._cpu import with_subnormals
from cnn_core.data.targets import check_targets
from cnn_core.data.validation import as_numbers, check_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from cnn_core.task import Task

#: Weight of each class, or 'balanced'.
ClassWeight = Mapping[Any, float] | str | None


def make_weights(
    task: Task,
    labels: np.ndarray | None,
    rows: int,
    sample_weight: ArrayLike | None,
    class_weight: ClassWeight,
    dtype: DTypeLike,
) -> tuple[np.ndarray | None, float]:
    """Weight of each row, from sample_weight and class_weight; None where both are None.

    Returns
    -------
    weights : ndarray of dtype, shape (rows, 1), or None
    weight_scale : float
        By what the weights that were given are multiplied in them.
    """
    if sample_weight is None and class_weight is None:
        return None, 1.0
    scale = 1.0
    weights = np.ones(rows) if sample_weight is None else _sample_weights(sample_weight, rows)
    if class_weight is not None:
        if labels is None:
            raise ValueError("class_weight is for one class label a row; use sample_weight here")
        # The largest of each lies in [1/2, 1), so that no product overflows.
        weights, scale = scaled_near_one(weights)
        class_weights, class_scale = scaled_near_one(_class_weights(task, labels, class_weight))
        weights, scale = weights * class_weights[labels], scale * class_scale
        if weights.max() == 0:
            raise ValueError(
                "class_weight and sample_weight leave every row with the weight 0; at least one "
                "must be above 0"
            )
    if abs(int(np.frexp(weights.max())[1])) > 20:  # beyond what sums in float32 can do with
        weights, factor = scaled_near_one(weights)
        scale *= factor
    return with_subnormals(np.ascontiguousarray, (weights[:, None], dtype)), scale


def scaled_near_one(weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights times the power of two that brings the largest into [1/2, 1), as far as there is one,
    and that power."""
    exponent = min(-int(np.frexp(weights.max())[1]), 1023)
    return np.ldexp(weights, exponent), float(np.ldexp(1.0, exponent))


def _sample_weights(sample_weight: ArrayLike, rows: int) -> np.ndarray:
    if isinstance(sample_weight, str):
        raise TypeError(
            f"sample_weight is the single text {sample_weight!r}; an array with a number for each "
            f"row is needed, such as X[{sample_weight!r}]"
        )
    shape = np.shape(as_numbers("sample_weight", sample_weight))
    if len(shape) != 1 and shape[1:] != (1,):
        raise ValueError(f"sample_weight must have a number for each row, got shape {shape}")
    weights: np.ndarray = check_targets(sample_weight, np.float64, 1, "sample_weight")[:, 0].copy()
    check_rows(len(weights), rows, "y", "sample_weight")
    if weights.min() < 0:
        row = int(weights.argmin())
        raise ValueError(
            f"sample_weight has {weights[row]} at row {row}; weights must be at least 0"
        )
    if weights.max() == 0:
        raise ValueError("sample_weight is 0 for every row; at least one must be above 0")
    return weights


def _class_weights(task: Task, labels: np.ndarray, class_weight: ClassWeight) -> np.ndarray:
    """One weight a class. 'balanced' is rows / (classes * rows of the class): King & Zeng 2001, as
    in scikit-learn."""
    assert task.classes is not None and class_weight is not None
    known = task.classes.tolist()
    if isinstance(class_weight, str):
        counts = np.bincount(labels, minlength=len(known))
        balanced: np.ndarray = len(labels) / (len(known) * np.maximum(1, counts))
        return balanced
    weights = dict(class_weight.items())  # of a pandas Series too, which iterates over values
    for label in weights:
        if label not in known:
            raise ValueError(
                f"class_weight has the unknown class {shown(label)}; y holds "
                f"{', '.join(map(shown, known[:10]))}"
            )
    return np.array([float(weights.get(label, 1.0)) for label in known])
