from numpy import float64
from numpy.typing import NDArray

from cnn_core._dataset import RowSource
from cnn_core._trainer import Trainer

def loss_and_gradient(
    trainer: Trainer,
    X: RowSource,
    y: RowSource | None,
    labels: RowSource | None,
    weights: RowSource | None = None,
    *,
    weight: float,
) -> tuple[float, int, NDArray[float64]]: ...
def evaluate(
    trainer: Trainer, X: RowSource, y: RowSource | None, labels: RowSource | None
) -> tuple[float, int, NDArray[float64]]: ...
def add_penalty(trainer: Trainer) -> float: ...
