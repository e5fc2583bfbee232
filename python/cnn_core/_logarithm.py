"""The core's own logarithm of whole arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_core._cpu import apply


def logarithms(x: NDArray[Any]) -> NDArray[Any]:
    """log x of float32 or float64, the same bits on every machine; -inf for 0, NaN below."""
    padded = np.ones(-(-x.size // 16) * 16, x.dtype)
    padded[: x.size] = x.ravel()
    apply("log", padded, padded)
    return padded[: x.size].reshape(x.shape)
