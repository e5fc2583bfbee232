"""The trainers that a training loop drives here: their epochs are tasks."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._cpu import with_subnormals
from cnn_core._dataset import RowSource
from cnn_core._frozen import replace
from cnn_core._shard_steps import ShardSteps
from cnn_core.dask.engine import Engine, Here, added, hold
from cnn_core.dask.rounds import (
    Asked,
    Nesterov,
    Part,
    Pass,
    Sums,
    add_parts,
    add_sums,
    costs_of,
    gradient_of,
    learn,
    outer_step,
    part_of,
    seed_of,
    states_of,
)
from cnn_core.training.backends import native
from cnn_core.training.lbfgs import LBFGSTrainer

if TYPE_CHECKING:
    from cnn_core._control import EndRequest
    from cnn_core._network import Network
    from cnn_core.dask.prepare import ClusterData, Shards
    from cnn_core.training.fit import Job


#: Mini-batches of a round from which on outer='auto' takes Nesterov momentum. With one or two, and
#: a momentum of the optimizer too, weights oscillate and grow (R^2 of -50 for 0.1 with 50 rows).
FEWEST_STEPS = 8


class _Trainer:
    """What both have: the network at the client, the rows at the workers."""

    batches_done = 0

    def __init__(
        self, p: SimpleNamespace, job: Job, data: ClusterData, network: Network, engine: Engine
    ) -> None:
        self.engine, self.data, self.network = engine, data, network
        self.network_spec, self.spec = job.model.network_spec, job.spec
        self.threads = 1 if p.n_threads is None else int(p.n_threads)
        self.end: EndRequest | None = None
        self.after_step = None
        self.seconds: dict[str, float] = {}
        self._held: Any = None  # what stands for the parameters at the workers

    @property
    def parameters(self) -> np.ndarray:
        """As the native core lays them out."""
        return self.network.parameters

    def is_finite(self) -> bool:
        """Whether the parameters are finite."""
        return self.network.is_finite()

    def held(self) -> Any:
        """The parameters as they are now, at the workers."""
        if self._held is None or not np.array_equal(self._held[0], self.parameters):
            copy = self.parameters.copy()
            self._held = copy, self.engine.submit(hold, copy)
        return self._held[1]

    def passing(self, shards: Shards, batch_size: int, total_weight: float = -1.0) -> Pass:
        """What a pass over the rows of some shards is: of no more at once than one has."""
        spec = self.spec.without_steps(min(batch_size, max(shards.counts)))
        spec = replace(spec, shards=self.spec.shards)
        return Pass(self.network_spec, spec, self.threads, shards.bounds[-1], total_weight)

    def over(self, shards: Shards, of_rows: Callable[..., Sums], asked: Pass) -> list[Any]:
        """Tasks of the sums of all shards."""
        held, firsts = self.held(), range(0, len(shards.counts), shards.size)
        submit = self.engine.submit
        return [
            submit(of_rows, rows, held, asked, first) for rows, first in zip(shards.tasks, firsts)
        ]

    def evaluate(self, X: Any, y: Any, labels: Any) -> tuple[float, Any]:
        """Loss and metric of the rows to validate on, which are at the workers."""
        shards = self.data.validation
        assert shards is not None
        tasks = self.over(shards, costs_of, self.passing(shards, 1024))
        sums = added(Here(), add_sums, self.engine.results(tasks, self.end)).of_rows
        n = shards.bounds[-1]
        return float(sums[0]) / n, self._metric(sums, n, labels is not None)

    def _metric(self, sums: np.ndarray, n: int, classes: bool) -> Any:
        """What the metric is made of."""
        return float(sums[1]) / n if classes or self.spec.multilabel else sums[2:]


class Rounds(_Trainer):
    """Epochs of rounds: the weights are trained on each shard, and then averaged.

    Parameters
    ----------
    p : namespace
        The parameters of `DaskMLP`, checked.
    job : Job
    data : ClusterData
    network : Network
        The average.
    engine : Engine
    """

    def __init__(
        self, p: SimpleNamespace, job: Job, data: ClusterData, network: Network, engine: Engine
    ) -> None:
        super().__init__(p, job, data, network, engine)
        self.local_steps, self.keep_every = p.local_steps, p.keep_every
        sizes = data.train.counts
        spec = replace(job.spec, shards=1, batch_size=min(job.spec.batch_size, max(sizes)))
        self.sizes, self.batches = sizes, -(-max(sizes) // spec.batch_size)
        steps = min(self.local_steps or self.batches, self.batches)
        auto = Nesterov() if steps >= FEWEST_STEPS and len(sizes) > 1 else None
        self.outer: Nesterov | None = auto if p.outer_rule == "auto" else p.outer_rule
        self.specs = [replace(spec, seed=seed_of(spec.seed, s)) for s in range(len(sizes))]
        self.learning_rate = float(spec.settings["learning_rate"])
        self.decays: np.ndarray | None = None
        self.dropouts: np.ndarray | None = None
        self.steps = self.epochs = self._rounds = 0
        self._learned: list[Any] = [None] * len(data.train.tasks)
        self._velocity: np.ndarray | None = None

    def epoch(
        self,
        X: Any,
        y: Any,
        labels: Any,
        shuffled: bool = True,
        *,
        weights: Any = None,
        rates: np.ndarray | None = None,
        total_weight: float | None = None,
    ) -> tuple[float, Any]:
        """Visit every row once, each in its shard."""
        length = self.local_steps or self.batches
        given = {"decays": self.decays, "dropouts": self.dropouts}
        factors = {name: one for name, one in given.items() if one is not None}
        n, steps = sum(self.sizes), 0
        for first in range(0, self.batches, length):
            asked = [
                Asked(
                    self.network_spec,
                    spec,
                    self.epochs,
                    first,
                    first + length,
                    shuffled,
                    rates,
                    factors,
                    None if total_weight is None else total_weight * size / n,
                    self.threads,
                )
                for spec, size in zip(self.specs, self.sizes)
            ]
            found = self._round(asked)
            steps += found.steps
        self.steps, self.epochs = self.steps + steps, self.epochs + 1
        if rates is not None:
            self.learning_rate = float(rates[-1])
        measured = found.measured
        if labels is not None or self.spec.multilabel:
            measured = float(np.sum(measured)) / n
        return found.loss / n, measured

    def _round(self, asked: list[Asked]) -> Part:
        """Train on all shards and take the outer step."""
        engine, held = self.engine, self.held()
        self._learned = [
            engine.submit(learn, rows, held, before, some)
            for rows, before, some in zip(
                self.data.train.tasks, self._learned, self.data.train.bundles(asked)
            )
        ]
        parts = [engine.submit(part_of, one) for one in self._learned]
        found: Part = engine.results([added(engine, add_parts, parts)], self.end)[0]
        theta = self.parameters.astype(np.float64)
        mean = found.parameters / float(len(asked))
        values, self._velocity = outer_step(theta, mean, self._velocity, self.outer)
        with np.errstate(over="ignore", invalid="ignore"):
            self.parameters[:] = with_subnormals(values.astype, (self.parameters.dtype,))
        self._rounds += 1
        if self._rounds % self.keep_every == 0:  # what comes after depends on nothing before
            states = [engine.submit(states_of, one) for one in self._learned]
            states = engine.results(states, self.end)
            self._learned = [engine.submit(hold, one) for one in states]
        return found

    def state(self, copy: bool = True) -> dict[str, Any]:
        """How far it has come; the optimizers' states stay with the rows."""
        return {"optimizer": self.spec.optimizer, "epochs": self.epochs, "steps": self.steps}

    def reopen(self) -> bool:
        """Whether the last epoch can be taken back: never."""
        return False


class WholePass(_Trainer):
    """Cost and gradient of all rows, for L-BFGS: those of `Trainer.loss_and_gradient`, bit by
    bit. The arguments are those of `Rounds`."""

    def __init__(
        self, p: SimpleNamespace, job: Job, data: ClusterData, network: Network, engine: Engine
    ) -> None:
        super().__init__(p, job, data, network, engine)
        spec, total = job.spec, job.train.total_weight
        self.total_weight = -1.0 if total is None else total
        self.learning_rate = float(spec.settings["learning_rate"])
        self.steps = self.epochs = 0
        # The client has no rows, but those penalties that follow on the sum.
        own = replace(spec.without_steps(1, spec.l1, spec.l2), shards=spec.shards)
        self.own = ShardSteps(native.trainer(own, network), 0, 0, job.train.X.count)
        self._no_X = RowSource(data.sample.X.array[:0])
        self._no_y, self._no_labels = (
            None if one is None else RowSource(one.array[:0])
            for one in (job.train.y, job.train.labels)
        )

    @property
    def gradient(self) -> np.ndarray:
        """That of the last pass."""
        found: np.ndarray = self.own.trainer.gradient
        return found

    def loss_and_gradient(
        self, X: Any, y: Any, labels: Any, weights: Any = None
    ) -> tuple[float, Any]:
        """One pass over all rows."""
        engine, shards, own = self.engine, self.data.train, self.own
        n = shards.bounds[-1]
        tasks = self.over(shards, gradient_of, self.passing(shards, n, self.total_weight))
        (sums,) = engine.results([added(engine, add_sums, tasks)], self.end)
        own.begin_pass(self._no_X, self._no_y, self._no_labels, rows=n)
        own.node(0, 0, 0, np.zeros_like(sums.of_rows))
        self.gradient[:] = sums.gradient
        weight = self.total_weight if self.total_weight >= 0 else float(n)
        loss = (float(sums.of_rows[0]) + weight * own.penalize()) / weight
        own.forget()
        return loss, self._metric(sums.of_rows, n, labels is not None)


def trainer_for(
    p: SimpleNamespace, job: Job, data: ClusterData, network: Network, engine: Engine
) -> Any:
    """What trains `network` on the rows of a cluster."""
    if job.spec.optimizer != "lbfgs":
        return Rounds(p, job, data, network, engine)
    inner: Any = WholePass(p, job, data, network, engine)
    return LBFGSTrainer(inner, native.vectors, dict(job.spec.settings))
