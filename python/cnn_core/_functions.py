"""The core's own functions of whole arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._cpu import apply

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _of_all(name: str, x: NDArray[Any]) -> NDArray[Any]:
    padded = np.ones(-(-x.size // 16) * 16, x.dtype)
    padded[: x.size] = x.ravel()
    apply(name, padded, padded)
    return padded[: x.size].reshape(x.shape)


def logarithms(x: NDArray[Any]) -> NDArray[Any]:
    """log x of float32 or float64, the same bits on every machine; -inf for 0, NaN below."""
    return _of_all("log", x)


def exponentials(x: NDArray[Any]) -> NDArray[Any]:
    """e^x of float32 or float64, the same bits on every machine."""
    return _of_all("exp", x)


def normal_probabilities(x: NDArray[Any]) -> NDArray[Any]:
    """The share of a standard normal distribution below x, the same bits on every machine."""
    return _of_all("normal_cdf", x)
