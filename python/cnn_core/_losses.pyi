from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar, final

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

@final
class OutputLoss:
    name: str
    param: float | tuple[float, ...]
    sparse: bool
    from_logits: bool
    heads: int
    width: int
    targets: int
    def __init__(self, name: str, param: float | tuple[float, ...] | None, width: int) -> None: ...
    def check_output(self, activation: str) -> None: ...
    def check_curvature(self) -> None: ...
    def read_targets(self, y: ArrayLike, rows: int, dtype: object) -> NDArray[Any]: ...

def loss(
    name: str,
    out: NDArray[_Real],
    y: ArrayLike,
    row_scale: ArrayLike | None = None,
    loss_param: float | tuple[float, ...] | None = None,
) -> tuple[NDArray[_Real], NDArray[_Real]]: ...
def loss_curvature(
    name: str,
    out: NDArray[_Real],
    y: ArrayLike,
    direction: NDArray[_Real],
    loss_param: float | tuple[float, ...] | None = None,
) -> NDArray[_Real]: ...
