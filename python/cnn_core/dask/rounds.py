"""A round: each shard's rows train the same weights for some steps, and the weights are averaged.
The functions that workers run are pure: all that a result depends on is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._linalg import axpy
from cnn_core._random import permutation, uniform
from cnn_core._settings import Settings
from cnn_core._shard_steps import ShardSteps
from cnn_core.dask.engine import Here, added
from cnn_core.dask.rows import Bundle
from cnn_core.parameters import number
from cnn_core.training.backends import make_network, native

if TYPE_CHECKING:
    from cnn_core.dask.rows import Rows
    from cnn_core.spec import NetworkSpec, TrainingSpec

_SEEDS = 0xFFFFFFFF  # the stream of `uniform` that seeds of shards come from: no layer takes it


class Nesterov(Settings):
    """Outer step of a `DaskMLP`: Nesterov momentum along the averaged change of the weights.

    With theta the weights that a round began with, theta_s those that shard s of S has come to:
    Delta = 1/S sum_s (theta - theta_s), v <- momentum v + Delta, theta <- theta - learning_rate
    (Delta + momentum v): Douillard et al. 2023, "DiLoCo: Distributed Low-Communication Training of
    Language Models" (arXiv 2311.08105), Algorithm 1, lines 12 and 14, with the Nesterov momentum of
    Sutskever et al. 2013 as PyTorch writes it. With (1, 0) it is the average.

    Parameters
    ----------
    learning_rate : float, default 0.7
        Above 0.
    momentum : float, default 0.9
        0 to 1.
    """

    def __init__(self, learning_rate: float = 0.7, momentum: float = 0.9) -> None:
        self._set(learning_rate=learning_rate, momentum=momentum)

    learning_rate: float
    momentum: float

    def _validate(self) -> None:
        number(0, None, above=True)("Nesterov: learning_rate", self.learning_rate)
        number(0, 1)("Nesterov: momentum", self.momentum)


class Asked(NamedTuple):
    """What is to be done with a shard."""

    network: NetworkSpec
    spec: TrainingSpec  #: with the shard's seed
    epoch: int
    first: int  #: mini-batch of the epoch that this round begins with
    until: int  #: the one before which it ends
    shuffled: bool
    rates: np.ndarray | None
    factors: dict[str, np.ndarray]  #: see `Trainer.decays` and `Trainer.dropouts`
    total_weight: float | None
    threads: int


class State(NamedTuple):
    """What a shard's training consists of beside the weights; it stays with the rows."""

    trainer: dict[str, Any]
    sums: list[float]  #: over the mini-batches of the epoch so far


class Part(NamedTuple):
    """What a shard gives to the average, or a sum of these."""

    parameters: np.ndarray
    steps: int
    loss: float  #: mean cost of the rows times their number
    measured: Any  #: rows that are right, or the sum of squared residuals of each output


class Learned(NamedTuple):
    """What comes of some shards."""

    part: Part | None
    states: tuple[State, ...]


def seed_of(seed: int, shard: int) -> int:
    """The seed of a shard, from which its order of rows and its dropout follow."""
    return int(float(uniform(seed, _SEEDS, 1, first=shard)[0]) * 2**53)


def trainer_of(network_spec: NetworkSpec, spec: TrainingSpec, threads: int, weights: Any) -> Any:
    """A trainer of a new network with these parameters, as the native core lays them out."""
    network = make_network(network_spec)
    network.parameters[:] = weights
    return native.trainer(spec, network, threads=threads)


def learn(
    rows: Bundle, weights: np.ndarray, before: Learned | None, asked: tuple[Asked, ...]
) -> Learned:
    """Train on the rows of some shards, which are a node of the tree.

    Parameters
    ----------
    rows : tuple of Rows
    weights : ndarray
        That all begin with.
    before : Learned or None
        Of the round before.
    asked : tuple of Asked
        For each shard.
    """
    states = [None] * len(rows) if before is None else before.states
    found = [_learn(one, weights, state, how) for one, state, how in zip(rows, states, asked)]
    parts, after = zip(*found)
    return Learned(added(Here(), add_parts, parts), after)


def _learn(
    rows: Rows, weights: np.ndarray, state: State | None, asked: Asked
) -> tuple[Part, State]:
    """Train on a shard's rows: the mini-batches of an epoch from `first` on."""
    n, batch = len(rows.X), asked.spec.batch_size
    batches = -(-n // batch)
    first, until = min(asked.first, batches), min(asked.until, batches)
    trainer = trainer_of(asked.network, asked.spec, asked.threads, weights)
    before = trainer.state() if state is None else state.trainer
    trainer.restore({**before, "epochs": asked.epoch})
    sums = [] if state is None or first == 0 else state.sums
    steps, found = trainer.steps, None
    if first < until:
        if first:
            trainer.go_on_at(trainer.backprop.network.flat(), first, sums)
        for name, values in asked.factors.items():
            setattr(trainer, name, np.ascontiguousarray(values[:batches]))
        order = permutation(asked.spec.seed, asked.epoch, n) if asked.shuffled else np.arange(n)
        if batches == 1:  # as rows of a mini-batch that holds them all stand
            order = np.arange(n)
        X, y, labels, row_weights = rows.sources
        trainer.part = first, n
        rates = None if asked.rates is None else np.ascontiguousarray(asked.rates[:batches])
        found = trainer.epoch(
            X,
            y,
            labels,
            False,
            order=np.ascontiguousarray(order[first * batch : until * batch]),
            weights=row_weights,
            rates=rates,
            total_weight=asked.total_weight,
        )
        _, _, sums = trainer.position()
    counts = rows.labels is not None or asked.spec.multilabel
    loss, measured = _numbers(found, sums, n, counts)
    after = State({**trainer.state(), "epochs": asked.epoch}, sums)
    return Part(trainer.parameters.copy(), trainer.steps - steps, loss, measured), after


def _numbers(found: Any, sums: list[float], n: int, counts: bool) -> tuple[float, Any]:
    """Loss and metric of all n rows; of an epoch that goes on, or that was over before, what they
    add up to so far."""
    if found is not None:
        loss, metric = found
        return loss * n, float(round(metric * n)) if counts else metric
    total, weight, right, *residuals = sums
    return (total / weight * n if weight > 0 else 0.0), right if counts else np.array(residuals)


def part_of(learned: Learned) -> Part:
    """What travels."""
    assert learned.part is not None
    return learned.part


def states_of(learned: Learned) -> Learned:
    """What stays."""
    return Learned(None, learned.states)


def add_parts(a: Part, b: Part) -> Part:
    """A sum of two, in float64."""
    parameters = a.parameters.astype(np.float64) + b.parameters
    return Part(parameters, max(a.steps, b.steps), a.loss + b.loss, a.measured + b.measured)


def outer_step(
    theta: np.ndarray, mean: np.ndarray, velocity: np.ndarray | None, outer: Nesterov | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The weights that the next round begins with, and the momentum.

    Parameters
    ----------
    theta, mean : ndarray of float64
        Weights that this round has begun with, and the average that it has come to.
    velocity : ndarray of float64 or None
    outer : Nesterov or None
        None: the average.
    """
    if outer is None:
        return mean, None
    change = theta - mean
    velocity = change if velocity is None else outer.momentum * velocity + change
    return theta - outer.learning_rate * (change + outer.momentum * velocity), velocity


# Sums over all rows, for L-BFGS and for rows to validate on


class Sums(NamedTuple):
    """What a shard adds to a pass over all rows, or a sum of these."""

    of_rows: np.ndarray  #: losses, rows that are right, squared residuals of each output
    gradient: np.ndarray | None = None


class Pass(NamedTuple):
    """What a pass over all rows is."""

    network: NetworkSpec
    spec: TrainingSpec  #: with all shards; without steps and penalties
    threads: int
    rows: int  #: of all shards
    total_weight: float = -1.0  #: of all rows; negative where none has one


def gradient_of(rows: Bundle, weights: np.ndarray, asked: Pass, shard: int) -> Sums:
    """Cost, metric and gradient of the rows of some shards, from `shard` on, which are a node of
    the tree."""
    trainer = trainer_of(asked.network, asked.spec, asked.threads, weights)

    def of_shard(shard: int, one: Rows) -> Sums:
        steps = ShardSteps(trainer, shard, shard + 1, asked.rows)
        sums, (X, y, labels, weights) = np.zeros(2 + steps.targets), one.sources
        steps.begin_pass(
            X, y, labels, rows=asked.rows, weights=weights, total_weight=asked.total_weight
        )
        steps.node(0, shard, shard + 1, sums)
        steps.forget()
        return Sums(sums, trainer.gradient.copy())

    parts = [of_shard(s, one) for s, one in enumerate(rows, shard)]
    return added(Here(), add_sums, parts)  # type: ignore[no-any-return]


def costs_of(rows: Bundle, weights: np.ndarray, asked: Pass, shard: int) -> Sums:
    """Cost and metric of such rows that are not trained on."""
    trainer = trainer_of(asked.network, asked.spec, asked.threads, weights)

    def of_shard(shard: int, one: Rows) -> Sums:
        steps = ShardSteps(trainer, shard, shard + 1, asked.rows)
        sums, (X, y, labels, _) = np.zeros((1, 2 + steps.targets)), one.sources
        steps.evaluate(X, y, labels, asked.rows, sums)
        return Sums(sums[0])

    parts = [of_shard(s, one) for s, one in enumerate(rows, shard)]
    return added(Here(), add_sums, parts)  # type: ignore[no-any-return]


def add_sums(a: Sums, b: Sums) -> Sums:
    """A sum of two, as the core adds."""
    gradient = None
    if a.gradient is not None and b.gradient is not None:
        gradient = a.gradient.copy()
        axpy(1.0, b.gradient, gradient)
    return Sums(a.of_rows + b.of_rows, gradient)
