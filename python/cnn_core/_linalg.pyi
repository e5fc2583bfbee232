from typing import Any, TypeVar

from numpy import float32, float64
from numpy.typing import NDArray

CURVES: tuple[str, ...]

_Real = TypeVar("_Real", float32, float64)

def pack(W: NDArray[_Real], out: NDArray[_Real] | None = None) -> NDArray[_Real]: ...
def unpack(
    panels: NDArray[_Real], n_out: int, out: NDArray[_Real] | None = None
) -> NDArray[_Real]: ...
def transpose_panels(panels: NDArray[_Real], n_out: int) -> NDArray[_Real]: ...
def affine(
    X: NDArray[_Real],
    panels: NDArray[_Real],
    b: NDArray[_Real] | None = None,
    out: NDArray[_Real] | None = None,
) -> NDArray[_Real]: ...
def matmul(A: NDArray[_Real], B: NDArray[_Real]) -> NDArray[_Real]: ...
def matvec(
    W: NDArray[_Real], x: NDArray[_Real], b: NDArray[_Real] | None = None
) -> NDArray[_Real]: ...
def dot(x: NDArray[_Real], y: NDArray[_Real]) -> float: ...
def axpy(factor: float, x: NDArray[_Real], y: NDArray[_Real]) -> None: ...
def column_sums(
    X: NDArray[_Real],
    shift: NDArray[float64],
    power: int,
    start: NDArray[float64] | None = None,
) -> NDArray[float64]: ...
def scale_rows(
    X: NDArray[Any],
    shift: NDArray[float64],
    factor: NDArray[float64],
    out: NDArray[_Real],
    curve: str = "linear",
) -> None: ...
def is_finite(array: NDArray[Any]) -> bool: ...
