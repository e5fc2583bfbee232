from typing import final

from numpy import float64
from numpy.typing import NDArray

from cnn_core._dataset import RowSource
from cnn_core._trainer import Trainer

@final
class ShardSteps:
    def __init__(self, trainer: Trainer, begin: int, until: int, batch_size: int) -> None: ...
    @property
    def trainer(self) -> Trainer: ...
    @property
    def targets(self) -> int: ...
    def begin_epoch(
        self,
        X: RowSource,
        y: RowSource | None,
        labels: RowSource | None,
        *,
        rows: int,
        shuffled: bool = True,
        weights: RowSource | None = None,
        rates: NDArray[float64] | None = None,
        total_weight: float = -1.0,
    ) -> None: ...
    def begin_pass(
        self,
        X: RowSource,
        y: RowSource | None,
        labels: RowSource | None,
        *,
        rows: int,
        weights: RowSource | None = None,
        total_weight: float = -1.0,
    ) -> None: ...
    def node(self, block: int, first: int, end: int, sums: NDArray[float64]) -> None: ...
    def step(self) -> float: ...
    def penalize(self) -> float: ...
    def end_epoch(self) -> None: ...
    def reopen(self) -> None: ...
    def forget(self) -> None: ...
    def evaluate(
        self,
        X: RowSource,
        y: RowSource | None,
        labels: RowSource | None,
        rows: int,
        sums: NDArray[float64],
    ) -> None: ...
