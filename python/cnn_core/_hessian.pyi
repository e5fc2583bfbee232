from typing import final

from numpy import floating
from numpy.typing import ArrayLike, NDArray

from cnn_core._cpu import most_threads as most_threads
from cnn_core._losses import OutputLoss
from cnn_core._network import Network

@final
class HessianProduct:
    def __init__(
        self,
        network: Network,
        direction: Network,
        loss: str,
        max_rows: int,
        loss_param: float | tuple[float, ...] | None = None,
        l2: float = 0.0,
    ) -> None: ...
    @property
    def network(self) -> Network: ...
    @property
    def direction(self) -> Network: ...
    @property
    def loss(self) -> OutputLoss: ...
    @property
    def max_rows(self) -> int: ...
    def of_rows(self, X: ArrayLike, y: ArrayLike, threads: int = 1) -> NDArray[floating]: ...
