"""The trainer of a rank, its checkpoints, and what ranks must have in common."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core
from cnn_core._frozen import replace
from cnn_core._network import Network
from cnn_core._warn import kept_warnings
from cnn_core.callbacks import PhaseTimer
from cnn_core.distributed.ranks import Ranks, check_ranks
from cnn_core.distributed.trainer import RankTrainer
from cnn_core.spec import TrainingSpec
from cnn_core.threads import processors, threads_of
from cnn_core.training.backends import native
from cnn_core.training.checkpoint import Checkpoint, Place
from cnn_core.training.kept import FREE
from cnn_core.training.lbfgs import LBFGSTrainer

if TYPE_CHECKING:
    from cnn_core.distributed.prepare import RankData
    from cnn_core.files.estimators import Contents
    from cnn_core.model import Model


_SHOWN = 60  # characters of a value up to which an error shows it


def rank_trainer(p: SimpleNamespace, data: RankData, spec: TrainingSpec, network: Network) -> Any:
    """What trains `network` with the rows of this rank.

    Parameters
    ----------
    p : namespace
        The parameters of MLP. Without `n_threads` ranks share the processors that several may use.
    data : RankData
    spec : TrainingSpec
        Of all ranks.
    network : Network
    """
    ranks, tree = data.ranks, data.tree
    begin, until = tree.shards_of(ranks.rank)
    share = -(-spec.batch_size // spec.shards)
    most = max(1, min((until - begin) * share, max(one.X.count for one in data.own.values())))
    threads = threads_of(p.n_threads)
    if p.n_threads is None:
        threads = min(threads, max(1, int(processors() * ranks.share)))
    trainer: Any = native.trainer(replace(spec, batch_size=most), network, threads=threads)
    lbfgs = isinstance(trainer, LBFGSTrainer)
    inner: Any = trainer.inner if lbfgs else trainer
    of_rank = RankTrainer(inner, ranks, tree, data.own, spec.batch_size, spec.multilabel)
    if not lbfgs:
        return of_rank
    trainer.inner = of_rank
    return trainer


@contextmanager
def begin(ranks: Ranks, estimator: Any, **given: Any) -> Iterator[None]:
    """A context of a fit that ranks share, which must train the same, with the same arguments
    `given`. The first one alone says what there is to be said; none leaves it while others have not
    come to its end."""
    check_ranks(ranks, int(estimator.shards))
    check_supported(estimator)
    check_same(ranks, estimator, given)
    with nullcontext() if ranks.first else kept_warnings():
        try:
            yield
        except SystemExit as error:
            if ranks.size == 1:
                raise
            raise RuntimeError(
                "sys.exit in the middle of fit, in which the other ranks wait for this one; a "
                "callback that returns True ends the training on all"
            ) from error
        ranks.barrier()


def check_supported(estimator: Any) -> None:
    """Raise for what ranks cannot do."""
    if estimator.backend != "native":
        raise ValueError(f"ranks train by backend='native', got {estimator.backend!r}")
    given = estimator.callbacks if isinstance(estimator.callbacks, (list, tuple)) else ()
    if any(isinstance(one, PhaseTimer) for one in (*given, estimator.callbacks)):
        raise ValueError("PhaseTimer measures the phases of one process; fit without ranks for it")


def check_same(ranks: Ranks, estimator: Any, given: Mapping[str, Any]) -> None:
    """Raise where ranks run other versions, were given other parameters, or not the same
    arguments."""
    from cnn_core.files.estimators import written_parameters

    with kept_warnings():  # of what no file can hold
        parameters = written_parameters(estimator)
    said = {"version": cnn_core.__version__, "bits": cnn_core.bits} | {
        name: json.dumps(value, sort_keys=True, default=str)
        for name, value in parameters.items()
        if name not in FREE
    }
    if estimator.warm_start:
        said["model to go on with"] = _digest(estimator._fitted)
    said |= {name: "None" if one is None else "given" for name, one in given.items()}
    of_all = ranks.gather(said)
    for rank, one in enumerate(of_all):
        for name, value in of_all[0].items():
            if one.get(name) != value:
                what = f"cnn_core {name}" if name in ("version", "bits") else name
                here, there = str(one.get(name)), str(value)
                if max(len(here), len(there)) > _SHOWN:
                    here, there = "another", "one"
                raise ValueError(
                    f"all ranks must train the same: {what} is {here} on rank {rank} and "
                    f"{there} on rank 0"
                )


def _digest(model: Model | None) -> str:
    """What tells fitted models apart."""
    if model is None:
        return "None"
    network = np.ascontiguousarray(model.network.parameters)
    return hashlib.sha256(network.tobytes()).hexdigest()[:8]


class RankCheckpoint(Checkpoint):
    """The checkpoint of a training that ranks share: the first one reads and writes it.

    Parameters
    ----------
    estimator, path, every, signals
        As for `Checkpoint`.
    ranks : Ranks
    """

    def __init__(self, estimator: Any, path: Any, every: Any, signals: Any, ranks: Ranks) -> None:
        self.ranks, self._begun = ranks, False
        super().__init__(estimator, path, every, signals)

    def _place(self, path: Any, every: Any) -> Place:
        if self.ranks.first:
            return super()._place(path, every)
        return _Elsewhere(path, every)

    def _read(self, kind: type[Any]) -> Contents | None:
        if self._begun:  # the first rank looks at what it writes over
            return super()._read(kind)
        self._begun = True
        return self.ranks.first_says(super()._read(kind) if self.ranks.first else None)

    def write(self, model: Any, loop: Any, finished: bool) -> None:
        """Write one, on the first rank."""
        if self.ranks.first:
            super().write(model, loop, finished)


class _Elsewhere(Place):
    """That of a rank that writes none."""

    def __init__(self, path: Any, every: Any) -> None:
        from cnn_core.files.checkpoints import checked_path
        from cnn_core.training.checkpoint import interval

        self.seconds, self.epochs = interval(every)
        self.path = checked_path(path)
        self._stamp = None
        self.postpone()

    def say(self, what: str, verbose: object) -> None:
        """Leave that to the first rank."""
