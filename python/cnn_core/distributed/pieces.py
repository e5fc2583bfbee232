"""An array whose rows are in several files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Pieces:
    """Rows in several ``.npy`` files, one after the other.

    Parameters
    ----------
    arrays : sequence of ndarray
        Memory maps.
    paths : sequence of str
    """

    def __init__(self, arrays: Sequence[np.ndarray], paths: Sequence[str]) -> None:
        first = arrays[0]
        for array, path in zip(arrays, paths):
            if array.shape[1:] != first.shape[1:] or array.dtype != first.dtype:
                raise ValueError(
                    f"{path} has rows of shape {array.shape[1:]} and dtype {array.dtype}, and "
                    f"{paths[0]} those of {first.shape[1:]} and {first.dtype}"
                )
        self.arrays, self.dtype = arrays, first.dtype
        self.begins = np.cumsum([0, *map(len, arrays)])
        self.shape = (len(self), *first.shape[1:])

    def __len__(self) -> int:
        return int(self.begins[-1])

    def __getitem__(self, which: Any) -> np.ndarray:
        """Rows first:end, or those of ascending numbers."""
        if not isinstance(which, slice):
            ends = np.searchsorted(which, self.begins)
            parts = [
                array[which[ends[i] : ends[i + 1]] - self.begins[i]]
                for i, array in enumerate(self.arrays)
            ]
            return np.concatenate(parts)
        first, end, _ = which.indices(len(self))
        parts = []
        for begin, array in zip(self.begins, self.arrays):
            part = array[max(first - begin, 0) : max(end - begin, 0)]
            if len(part):
                parts.append(part)
        return parts[0] if len(parts) == 1 else np.concatenate([self.arrays[0][:0], *parts])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)
