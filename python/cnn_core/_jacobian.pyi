from typing import final

from numpy import float64, floating, intp
from numpy.typing import NDArray

from cnn_core._cpu import most_threads as most_threads
from cnn_core._network import Network

@final
class Jacobian:
    def __init__(
        self,
        network: Network,
        inputs: tuple[NDArray[floating], NDArray[floating], str] | None = None,
        outputs: tuple[NDArray[floating], ...] | None = None,
    ) -> None: ...
    @property
    def network(self) -> Network: ...
    @property
    def inputs(self) -> tuple[NDArray[floating], NDArray[floating], str] | None: ...
    @property
    def outputs(self) -> tuple[NDArray[floating], ...] | None: ...
    def rows(
        self,
        X: NDArray[floating],
        outputs: NDArray[intp],
        threads: int = 1,
        of_z: bool = False,
        total: NDArray[float64] | None = None,
    ) -> NDArray[floating]: ...
    def one(
        self, x: object, output: int, of_z: bool = False, total: NDArray[float64] | None = None
    ) -> NDArray[floating] | None: ...
