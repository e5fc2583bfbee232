"""What tells the rows of two trainings apart."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cnn_core._dataset import RowSource
    from cnn_core.data.prepare import Dataset

#: Bytes of X that are read whole. Of more, rows that are evenly spaced and have as many.
_MOST = 1 << 30
_BLOCK = 1 << 22


def fingerprint(train: Dataset, validation: Dataset | None) -> dict[str, str]:
    """A SHA-256 of each part of the rows that a network is trained on and judged by.

    Parameters
    ----------
    train : Dataset
    validation : Dataset or None

    Returns
    -------
    dict of str to str
    """
    found = {
        "X": _of_rows(train.X),
        "y": _of_rows(train.y, train.labels),
        "weights": _of_rows(train.weights),
    }
    if validation is not None:
        found["validation_data"] = _of_rows(validation.X, validation.y, validation.labels)
    return found


def _of_rows(*sources: RowSource | None) -> str:
    digest = hashlib.sha256()
    for source in sources:
        if source is None:
            continue
        array = source.array
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        rows = max(1, _BLOCK // max(1, array.strides[0]))
        step = -(-array.nbytes // _MOST)
        for first in range(0, len(array), rows * step):
            digest.update(np.ascontiguousarray(array[first : first + rows]).data)
        if source.indices is not None:
            digest.update(np.ascontiguousarray(source.indices, np.int64).data)
    return digest.hexdigest()
