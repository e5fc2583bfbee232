"""What is profiled: a network, the rows, and how it is trained on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cnn_core.functional import Network
from cnn_core.optimizers import get_optimizer


@dataclass(frozen=True, eq=False)
class Workload:
    """A training to profile.

    Parameters
    ----------
    network : Network
        Where each trainer begins; it stays as it is.
    data : Data
    make_trainer : callable
        Takes backend, batch_size, timing and n_threads, and returns a trainer of a copy of the
        network.
    loss, optimizer : str
    settings : mapping of str to float
        Those of the optimizer.
    batch_size : int
    shuffle : bool
    n_threads : int or None
        As `MLP` takes it.
    extras : mapping of str to bool
        Names of further parameters of `MLP`, and whether they are used.
    """

    network: Network
    data: Any
    make_trainer: Callable[[str, int, bool, int | None], Any]
    loss: str
    optimizer: str
    settings: Mapping[str, float]
    batch_size: int
    shuffle: bool
    n_threads: int | None
    extras: Mapping[str, bool]


def workload_of(model: Any, fitted: Any, data: Any) -> Workload:
    """The training that `MLP.fit` would begin: the one place that knows how `MLP` keeps it."""
    optimizer = get_optimizer(model.optimizer)

    def make_trainer(backend: str, batch_size: int, timing: bool, n_threads: int | None) -> Any:
        return model._make_run(
            fitted, fitted.network.copy(), batch_size, backend, timing, n_threads
        )

    return Workload(
        fitted.network,
        data,
        make_trainer,
        fitted.plan.loss,
        optimizer.name,
        optimizer.settings(model._schedule().initial),
        model._capacity(data.X.count),
        bool(model.shuffle),
        model.n_threads,
        {
            "l1": bool(model.l1),
            "l2": bool(model.l2),
            "dropout": any(model._dropout_rates()),
            "max_norm": bool(model.max_norm),
            "clip_norm": bool(model.clip_norm),
            "class_weight": data.weights is not None,
        },
    )
