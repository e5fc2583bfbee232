from collections.abc import Callable, Sequence
from typing import Any, final

from numpy import float64, floating, intp
from numpy.typing import ArrayLike, NDArray

from cnn_core._backprop import Backprop
from cnn_core._backprop import phases as phases
from cnn_core._control import EndRequest
from cnn_core._cpu import most_threads as most_threads
from cnn_core._dataset import RowSource

OPTIONS: dict[str, Any]

@final
class Trainer:
    learning_rate: float
    after_step: Callable[[float], object] | None
    decays: NDArray[float64] | None
    dropouts: NDArray[float64] | None
    end: EndRequest | None
    part: tuple[int, int] | None
    def __init__(
        self,
        backprop: Backprop,
        optimizer: str | None,
        settings: dict[str, float],
        seed: int = 0,
        **options: Any,
    ) -> None: ...
    @property
    def backprop(self) -> Backprop: ...
    @property
    def steps(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def slots(self) -> tuple[NDArray[floating], ...]: ...
    @property
    def optimizer(self) -> str | None: ...
    @property
    def parameters(self) -> NDArray[floating]: ...
    @property
    def gradient(self) -> NDArray[floating]: ...
    @property
    def threads(self) -> int: ...
    @property
    def in_place(self) -> bool: ...
    @property
    def seconds(self) -> dict[str, float]: ...
    @property
    def layer_seconds(self) -> list[dict[str, float]]: ...
    def is_finite(self) -> bool: ...
    def epoch(
        self,
        X: RowSource,
        y: RowSource | None,
        labels: RowSource | None,
        shuffled: bool = True,
        order: NDArray[intp] | None = None,
        weights: RowSource | None = None,
        rates: NDArray[float64] | None = None,
        total_weight: float | None = None,
    ) -> tuple[float, float | NDArray[float64]] | None: ...
    def loss_and_gradient(
        self,
        X: RowSource,
        y: RowSource | None,
        labels: RowSource | None,
        weights: RowSource | None = None,
    ) -> tuple[float, float | NDArray[float64]]: ...
    def evaluate(
        self, X: RowSource, y: RowSource | None, labels: RowSource | None
    ) -> tuple[float, float | NDArray[float64]]: ...
    def state(self, copy: bool = True) -> dict[str, Any]: ...
    def check_state(self, state: object) -> None: ...
    def restore(self, state: dict[str, Any]) -> None: ...
    def pause_after(self, seconds: float) -> None: ...
    @property
    def batches_done(self) -> int: ...
    def go_on_at(self, parameters: NDArray[Any], batches: int, sums: list[float]) -> None: ...
    def reopen(self) -> bool: ...
    def position(self) -> tuple[NDArray[Any], int, list[float]]: ...
    def set_flat(self, values: ArrayLike) -> None: ...
    def flat_gradient(self) -> NDArray[floating]: ...
    def accumulate(
        self,
        X: RowSource,
        y: RowSource | None,
        labels: RowSource | None,
        weights: RowSource | None = None,
        *,
        weight: float | None = None,
        first: int = 0,
        shares: Sequence[int] | None = None,
    ) -> float: ...
    def apply(self) -> float: ...
