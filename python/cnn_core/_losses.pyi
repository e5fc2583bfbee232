from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from numpy import float32, float64, int32
from numpy.typing import ArrayLike, NDArray

_Real = TypeVar("_Real", float32, float64)

class Loss(NamedTuple):
    fused_activations: tuple[str, ...]
    sparse: bool
    low: float
    high: float
    param_name: str | None
    default_param: float | tuple[float, ...]
    heads: int | None

QUANTILES: tuple[float, ...]

def names() -> tuple[str, ...]: ...
def table() -> Mapping[str, Loss]: ...
def heads(name: str, loss_param: float | tuple[float, ...] | None = None) -> int: ...
def check_param(what: str, name: str, loss_param: object) -> float | tuple[float, ...]: ...
def class_indices(name: str, y: ArrayLike, rows: int, n_classes: int) -> NDArray[int32]: ...
def loss(
    name: str,
    out: NDArray[_Real],
    y: ArrayLike,
    row_scale: ArrayLike | None = None,
    loss_param: float | tuple[float, ...] | None = None,
) -> tuple[NDArray[_Real], NDArray[_Real]]: ...
