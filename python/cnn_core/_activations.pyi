from collections.abc import Mapping
from typing import TypeVar

from numpy import float32, float64
from numpy.typing import NDArray

_Real = TypeVar("_Real", float32, float64)

def names() -> tuple[str, ...]: ...
def parameters() -> Mapping[str, tuple[str, float]]: ...
def activation(
    name: str, z: NDArray[_Real], activation_param: float | None = None
) -> NDArray[_Real]: ...
def activation_backward(
    name: str, z: NDArray[_Real], gradient: NDArray[_Real], activation_param: float | None = None
) -> NDArray[_Real]: ...
def activation_derivative(
    name: str, z: NDArray[_Real], activation_param: float | None = None
) -> NDArray[_Real]: ...
def activation_backward_along(
    name: str,
    z: NDArray[_Real],
    r_z: NDArray[_Real],
    gradient: NDArray[_Real],
    r_gradient: NDArray[_Real],
    activation_param: float | None = None,
) -> NDArray[_Real]: ...
def activation_second_derivative(
    name: str, z: NDArray[_Real], activation_param: float | None = None
) -> NDArray[_Real]: ...
def activation_derivative_from_a(
    name: str, a: NDArray[_Real], activation_param: float | None = None
) -> NDArray[_Real]: ...
