from typing import Any, final

from numpy import dtype, float64, floating
from numpy.typing import DTypeLike, NDArray

from cnn_core._cpu import most_threads as most_threads
from cnn_core._network import Network

_Inputs = tuple[NDArray[float64], NDArray[float64], str]
_Units = tuple[NDArray[float64], NDArray[float64], NDArray[float64], NDArray[float64]]

@final
class EnsemblePredictor:
    def __init__(
        self, members: tuple[tuple[Network, _Inputs | None, _Units | None], ...]
    ) -> None: ...
    @property
    def members(self) -> tuple[tuple[Network, _Inputs | None, _Units | None], ...]: ...
    @property
    def dtype(self) -> dtype[Any]: ...
    def forward(
        self,
        X: NDArray[floating],
        threads: int = 1,
        check_finite: bool = False,
        dtype: DTypeLike | None = None,
    ) -> NDArray[floating] | None: ...
    def forward_one(
        self, x: object, out: NDArray[floating] | None = None, check: bool = False
    ) -> NDArray[floating] | None: ...
    def forward_checked(self, X: object) -> NDArray[floating] | None: ...

def same_inputs(a: _Inputs | None, b: _Inputs | None) -> bool: ...
