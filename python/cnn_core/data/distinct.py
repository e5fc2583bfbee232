"""Which columns have three different values or more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cnn_core._dataset import RowSource

#: Rows that are looked at together.
TOGETHER = 4096


def have_three_values(source: RowSource) -> np.ndarray:
    """Of each column, whether it has three different values or more; NaN is one.

    Parameters
    ----------
    source : RowSource

    Returns
    -------
    ndarray of bool, shape (columns,)
    """
    X, indices = source.array, source.indices
    found = np.zeros(X.shape[1], bool)
    first = second = None
    for start in range(0, source.count, TOGETHER):
        end = start + TOGETHER
        rows = X[start:end] if indices is None else X[indices[start:end]]
        if first is None or second is None:
            first = second = rows[0]
        other = rows != first
        unset = second == first
        second = np.where(unset, rows[other.argmax(axis=0), np.arange(len(found))], second)
        found |= (other & (rows != second)).any(axis=0)
        if found.all():
            break
    return found
