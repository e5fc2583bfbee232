from typing import Any

from numpy import float64, floating, intp
from numpy.typing import NDArray

from cnn_core._backprop import Backprop

def optimizer_names() -> tuple[str, ...]: ...
def optimizer_settings(name: str) -> tuple[str, ...]: ...

class Rows:
    def __init__(self, array: NDArray[Any]) -> None: ...
    @property
    def array(self) -> NDArray[Any]: ...
    @property
    def count(self) -> int: ...

class Training:
    learning_rate: float
    def __init__(
        self,
        backprop: Backprop,
        optimizer: str,
        settings: dict[str, float],
        seed: int = 0,
        timing: bool = False,
        clip_norm: float = 0.0,
        max_norm: float = 0.0,
        multilabel: bool = False,
    ) -> None: ...
    @property
    def backprop(self) -> Backprop: ...
    @property
    def steps(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def slots(self) -> list[NDArray[floating]]: ...
    @property
    def optimizer(self) -> str: ...
    @property
    def seconds(self) -> dict[str, float]: ...
    def epoch(
        self,
        X: Rows,
        y: Rows | None,
        labels: Rows | None,
        shuffled: bool = True,
        order: NDArray[intp] | None = None,
        weights: Rows | None = None,
        rates: NDArray[float64] | None = None,
    ) -> tuple[float, float | NDArray[float64]]: ...
    def evaluate(self, X: Rows, y: Rows | None, labels: Rows | None) -> tuple[float, float | NDArray[float64]]: ...
