"""What scikit-learn's own checks, or NumPy, would make numbers or labels of without a word."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_core.blocks.source import RowBlocks, are_blocks
from cnn_core.data.kinds import COMPLEX, CURES, RAW, RECORDS, kind_of_class
from cnn_core.data.targets import refuse_nested, refuse_ragged
from cnn_core.data.validation import check_room, refuse_columns, refuse_kinds

#: scikit-learn takes dates and time spans as labels.
_NO_LABELS = {kind: CURES[kind] for kind in (COMPLEX, RECORDS, RAW)}


def check_numbers(name: str, values: Any) -> None:
    """Raise for dates, time spans, complex numbers and records, and for more rows than memory is
    for.

    Parameters
    ----------
    name : str
    values : array-like or sparse matrix
    """
    check_room(name, values)
    try:
        refuse_kinds(name, values)
    except TypeError as error:
        _refuse(error)


def refuse_blocks(X: Any, y: Any) -> None:
    """Raise for rows that come in blocks."""
    if isinstance(X, RowBlocks) or (y is None and are_blocks(X, None)):
        raise TypeError(
            "X is rows in blocks, and this estimator takes arrays; cnn_core.MLPClassifier and "
            "MLPRegressor train on blocks"
        )


def check_labels(y: Any) -> None:
    """Raise for class labels that are complex numbers or records, for gaps among dates, and for
    rows of different lengths.

    Parameters
    ----------
    y : array-like or sparse matrix
    """
    if y is None or hasattr(y, "toarray"):  # scikit-learn's checks say what is wrong
        return
    try:
        refuse_columns("y", y, "no class labels", _NO_LABELS)
        array = np.asarray(y)
        refuse_columns("y", array, "no class labels", _NO_LABELS)
        if array.dtype.kind == "O" and COMPLEX in {kind_of_class(type(one)) for one in array.flat}:
            raise TypeError(f"y holds {COMPLEX}, which are no class labels")
    except TypeError as error:
        _refuse(error)
    except ValueError:
        refuse_ragged("y")
    if array.dtype.kind == "O" and array.ndim == 1:
        refuse_nested("y", array, False)
    if array.dtype.kind in "mM" and np.isnat(array).any():
        row = int(np.isnat(array).reshape(len(array), -1).any(axis=1).argmax())
        raise ValueError(f"y has NaT at row {row}; every row needs a class label")


def check_weights(name: str, weights: np.ndarray) -> None:
    """Raise for weights of rows that are infinite, NaN or negative.

    Parameters
    ----------
    name : str
        Where they come from.
    weights : ndarray of float, shape (rows,)
    """
    if not np.isfinite(weights).all():
        row = int(np.argmin(np.isfinite(weights)))
        raise ValueError(f"{name} must be finite, got {weights[row]} for row {row}")
    if weights.min() < 0:
        row = int(np.argmax(weights < 0))
        raise ValueError(
            f"{name} has negative weights, which cannot be trained with: they must be at least 0, "
            f"got {weights[row]} for row {row}"
        )


def _refuse(error: TypeError) -> None:
    """Raise an error, with the words and the class by which scikit-learn knows it."""
    if COMPLEX in str(error):
        raise ValueError(f"Complex data not supported: {error}") from None
    raise error
