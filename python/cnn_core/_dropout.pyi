from typing import TypeVar

from numpy import float32, float64
from numpy.typing import NDArray

_Real = TypeVar("_Real", float32, float64)

def drop(
    a: NDArray[_Real], rate: float, seed: int, step: int, layer: int, alpha_dropout: bool = False
) -> tuple[NDArray[_Real], NDArray[_Real]]: ...
