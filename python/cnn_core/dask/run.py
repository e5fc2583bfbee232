"""The run of a training whose rows are at the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from cnn_core._frozen import replace
from cnn_core.dask.prepare import ClusterData
from cnn_core.dask.trainers import Rounds, trainer_for
from cnn_core.training.loop import DatasetRows, TrainResult
from cnn_core.training.run import TrainingRun

if TYPE_CHECKING:
    from cnn_core.callbacks import Watch
    from cnn_core.dask.engine import Engine
    from cnn_core.model import Model
    from cnn_core.training.fit import Job


class ClusterRun(TrainingRun):
    """As `TrainingRun`; the loop, its rules and its hooks are at the client.

    Parameters
    ----------
    p, job, publish, watch
        As for `TrainingRun`.
    engine : Engine
    """

    def __init__(
        self,
        p: SimpleNamespace,
        job: Job,
        publish: Callable[[Model], None],
        watch: Watch,
        engine: Engine,
    ) -> None:
        self.engine, self.data = engine, cast(ClusterData, job.blocks)
        super().__init__(p, job, publish, watch)

    def _trainer(self, timing: bool) -> Any:
        return trainer_for(self.p, self.job, self.data, self.network, self.engine)

    def _rows(self) -> DatasetRows:
        return DatasetRows(self.job.train, bool(self.p.shuffle))

    @property
    def _batches(self) -> int:
        return self.trainer.batches if isinstance(self.trainer, Rounds) else 1

    def model_after(self, result: TrainResult) -> Model:
        """The model that the training has come to; the optimizers of the shards are not in it."""
        model = super().model_after(result)
        return replace(model, state=None) if isinstance(self.trainer, Rounds) else model
