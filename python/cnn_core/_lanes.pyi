from collections.abc import Hashable, Sequence

from numpy import float64
from numpy.typing import NDArray

from cnn_core._dataset import RowSource
from cnn_core._trainer import Trainer

def alike(trainer: Trainer) -> tuple[Hashable, ...] | None: ...
def share(n: int, trainer: Trainer, threads: int = 1) -> int: ...
def epochs(
    trainers: Sequence[Trainer],
    data: Sequence[
        tuple[
            RowSource,
            RowSource | None,
            RowSource | None,
            RowSource | None,
            float | None,
        ]
    ],
    shuffled: bool,
    rates: Sequence[NDArray[float64]] | None = None,
    threads: int = 1,
) -> list[tuple[float, float | NDArray[float64]]]: ...
