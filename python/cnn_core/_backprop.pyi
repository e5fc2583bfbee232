from collections.abc import Sequence
from typing import TypeVar, final

from numpy import float32, float64, floating
from numpy.typing import ArrayLike, NDArray

from cnn_core._losses import OutputLoss
from cnn_core._network import Network

_Real = TypeVar("_Real", float32, float64)

phases: tuple[str, ...]

@final
class Backprop:
    def __init__(
        self,
        network: Network,
        loss: str,
        max_batch_size: int,
        loss_param: float | tuple[float, ...] | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
        dropout: Sequence[float] | None = None,
        penalty_per_row: bool = False,
    ) -> None: ...
    def drop_plainly(self) -> None: ...
    @property
    def layer_seconds(self) -> list[dict[str, float]]: ...
    @property
    def network(self) -> Network: ...
    @property
    def gradient(self) -> NDArray[floating]: ...
    @property
    def n_parameters(self) -> int: ...
    @property
    def max_batch_size(self) -> int: ...
    @property
    def loss(self) -> OutputLoss: ...
    @property
    def dropout(self) -> tuple[float, ...]: ...
    @property
    def transposed(self) -> bool: ...
    def loss_and_gradient(self, X: ArrayLike, y: ArrayLike) -> tuple[float, NDArray[floating]]: ...

def backward_delta(
    W: NDArray[_Real],
    delta: NDArray[_Real],
    z: NDArray[_Real],
    activation: str,
    activation_param: float | None = None,
) -> NDArray[_Real]: ...
def gradients(
    delta: NDArray[_Real], a: NDArray[_Real]
) -> tuple[NDArray[_Real], NDArray[_Real]]: ...
