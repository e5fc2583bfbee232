"""What is profiled: a network, how it is trained, and the rows."""

from typing import Any

from cnn_core._frozen import Frozen, replace
from cnn_core.data.prepare import Dataset
from cnn_core.functional import Network
from cnn_core.spec import TrainingSpec
from cnn_core.training.backends import BACKENDS


class Workload(Frozen):
    """A training to profile.

    Parameters
    ----------
    spec : TrainingSpec
    network : Network
        Where each trainer begins; it stays as it is.
    data : Dataset
    shuffle : bool
    n_threads : int or None
        As `MLP` takes it.
    """

    spec: TrainingSpec
    network: Network
    data: Dataset
    shuffle: bool
    n_threads: int | None

    def trainer(self, backend: str, batch_size: int | None = None, **options: Any) -> Any:
        """A trainer of a copy of the network, of mini-batches of `batch_size`, if that is given;
        options as the backend takes them."""
        spec = replace(self.spec, batch_size=batch_size or self.spec.batch_size)
        return BACKENDS[backend].trainer(spec, self.network.copy(), **options)
