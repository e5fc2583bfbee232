"""Scaling of the inputs: learned from the training rows, part of the model, the same bits on every
machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core._cpu import with_subnormals
from cnn_core._linalg import column_sums, scale_rows

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

_BLOCK = 1 << 20  # elements converted together


def _minmax(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low = X.min(axis=0).astype(np.float64)
    return low, X.max(axis=0) - low


def _standard(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    zero = np.zeros(X.shape[1])
    mean = column_sums(X, zero, 1) / len(X)
    return mean, np.sqrt(column_sums(X, mean, 2) / len(X))


def _robust(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, middle, high = np.percentile(X, [25, 50, 75], axis=0).astype(np.float64)
    return middle, high - low


#: name: function of the training rows that gives each column's shift and spread
SCALINGS = {"minmax": _minmax, "standard": _standard, "robust": _robust}


class Scaling(NamedTuple):
    """x becomes (x - shift) * factor, in float64, rounded once to the model's dtype."""

    shift: np.ndarray  #: float64, shape (features,)
    factor: np.ndarray  #: float64, shape (features,)

    def apply(self, X: np.ndarray, dtype: DTypeLike, check: bool = True) -> np.ndarray:
        """Scaled rows as a C-contiguous array of `dtype`; with `check`, all of them finite."""
        out = np.empty(X.shape, dtype)
        rows = max(1, _BLOCK // X.shape[1])
        for first in range(0, len(X), rows):
            block = X[first : first + rows]
            if block.dtype not in (np.float32, np.float64):
                block = with_subnormals(block.astype, (np.float64,))
            block = np.ascontiguousarray(block)
            scale_rows(block, self.shift, self.factor, out[first : first + rows])
            beyond = check and ~np.isfinite(out[first : first + rows])
            if np.any(beyond):
                row, column = np.argwhere(beyond)[0]
                raise ValueError(
                    f"X has {X[first + row, column]} at row {first + row}, column "
                    f"{column}, which scale_inputs takes beyond the range of {np.dtype(dtype)}"
                )
        return out


def _shift_and_factor(kind: str, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shift, spread = SCALINGS[kind](X)
    # A column of one number, whose computed spread may be the rounding error of its mean, is not
    # stretched.
    return shift, 1 / np.where((spread > 0) & (X.min(axis=0) < X.max(axis=0)), spread, 1.0)


def learn_scaling(kind: str, X: np.ndarray) -> Scaling:
    """The scaling of the columns of X.

    Parameters
    ----------
    kind : str
        One of `SCALINGS`.
    X : ndarray of float32 or float64, shape (rows, features)
        C-contiguous and finite.

    Returns
    -------
    Scaling
        A column that does not vary is shifted only.
    """
    with np.errstate(over="ignore", divide="ignore"):
        shift, factor = with_subnormals(_shift_and_factor, (kind, X))
    too_wide = ~(np.isfinite(shift) & np.isfinite(factor) & (factor > 0))
    if too_wide.any():
        raise ValueError(
            f"scale_inputs={kind!r}: column {too_wide.argmax()} of X spans more than float64 can "
            "hold, or so little that dividing by it overflows"
        )
    return Scaling(shift, factor)
