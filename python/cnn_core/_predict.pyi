from typing import Any, final

from numpy import dtype, float64, floating, intp
from numpy.typing import NDArray

from cnn_core._cpu import most_threads as most_threads
from cnn_core._network import Network

_Units = tuple[NDArray[float64], NDArray[float64], NDArray[float64], NDArray[float64]]

@final
class BatchPredictor:
    def __init__(self, network: Network, outputs: _Units | None = None) -> None: ...
    @property
    def network(self) -> Network: ...
    @property
    def outputs(self) -> _Units | None: ...
    def forward(
        self,
        X: NDArray[floating],
        threads: int = 1,
        check_finite: bool = False,
        warns: bool = False,
    ) -> NDArray[floating] | None: ...
    def argmax(
        self,
        X: NDArray[floating],
        threshold: float = 0.5,
        threads: int = 1,
        check_finite: bool = False,
    ) -> NDArray[intp] | None: ...

@final
class RowPredictor:
    @property
    def dtype(self) -> dtype[Any]: ...
    def __init__(
        self,
        network: Network,
        inputs: tuple[NDArray[float64], NDArray[float64], str] | None = None,
        outputs: _Units | None = None,
    ) -> None: ...
    def forward(
        self, x: object, out: NDArray[floating] | None = None, check: bool = False
    ) -> NDArray[floating] | None: ...
    def forward_checked(self, X: object) -> NDArray[floating] | None: ...
