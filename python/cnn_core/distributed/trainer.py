"""`RankTrainer`: the trainer of one rank; what all of them sum has the bits of one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._control import Ended, EndRequest
from cnn_core._shard_steps import ShardSteps
from cnn_core.distributed.exchange import Exchange
from cnn_core.distributed.ranks import Ranks
from cnn_core.distributed.tree import Tree

if TYPE_CHECKING:
    from cnn_core._dataset import RowSource
    from cnn_core._trainer import Trainer
    from cnn_core.data.prepare import Dataset

#: Seconds between the moments at which ranks agree whether to pause or to end, and the most steps.
AGREE, MOST_STEPS = 0.05, 1 << 20
#: Numbers of the sums of some steps that are kept before they are exchanged.
KEPT_SUMS = 1 << 16


class RankTrainer:
    """A trainer of some shards of the rows, which drives the native one.

    It is called as that is (`training.protocols.GradientTrainer`), with the rows of all ranks:
    those stand for its own, of which `own` knows. All ranks make the same calls.

    Parameters
    ----------
    trainer : Trainer
        Of the native core, with all shards; a mini-batch of it holds what is here of one.
    ranks : Ranks
    tree : Tree
    own : mapping of int to Dataset
        From the `id` of an X of all ranks' rows to the rows that are here.
    batch_size : int
        Rows of a mini-batch, of all ranks.
    counts : bool
        Whether the metric of rows without labels counts those that are right.
    """

    def __init__(
        self,
        trainer: Trainer,
        ranks: Ranks,
        tree: Tree,
        own: Mapping[int, Dataset],
        batch_size: int,
        counts: bool,
    ) -> None:
        self.trainer, self.ranks, self.tree, self.own = trainer, ranks, tree, own
        self.batch_size, self.counts = batch_size, counts
        begin, until = tree.shards_of(ranks.rank)
        self.steps_here = ShardSteps(trainer, begin, until, batch_size)
        self.nodes = tree.nodes[ranks.rank]
        self.exchange = Exchange(ranks, tree, trainer.gradient.size, trainer.gradient.dtype)
        self.targets = self.steps_here.targets
        width = 2 + self.targets
        self._sums = np.zeros((max(1, KEPT_SUMS // width), max(1, len(self.nodes)), width))
        self._penalties: list[float] = []
        self._weights: list[float] = []
        self.after_step: Callable[[float], object] | None = None
        self.end: EndRequest | None = None
        self._pause_at = float("inf")
        self._done, self._last = 0, 0
        self._totals = np.zeros(1 + width)  # losses, weights, right ones, squared residuals
        self._until_agreed, self._steps_between, self._agreed = 1, 1, time.perf_counter()

    # What is that of the native trainer

    @property
    def parameters(self) -> Any:
        """The network's parameters."""
        return self.trainer.parameters

    @property
    def gradient(self) -> Any:
        """Of the last mini-batch of all ranks."""
        return self.trainer.gradient

    @property
    def steps(self) -> int:
        """Done so far."""
        return self.trainer.steps

    @property
    def epochs(self) -> int:
        """Done so far."""
        return self.trainer.epochs

    @property
    def seconds(self) -> dict[str, float]:
        """Of each phase."""
        return self.trainer.seconds

    @property
    def learning_rate(self) -> float:
        """Of the coming steps."""
        return self.trainer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self.trainer.learning_rate = value

    @property
    def decays(self) -> Any:
        """Factors of weight decay."""
        return self.trainer.decays

    @decays.setter
    def decays(self, values: Any) -> None:
        self.trainer.decays = values

    @property
    def dropouts(self) -> Any:
        """Factors of the rates of dropout."""
        return self.trainer.dropouts

    @dropouts.setter
    def dropouts(self, values: Any) -> None:
        self.trainer.dropouts = values

    def is_finite(self) -> bool:
        """Whether parameters and slots are."""
        return self.trainer.is_finite()

    def set_flat(self, values: Any) -> None:
        """Set all parameters."""
        self.trainer.set_flat(values)

    def flat_gradient(self) -> np.ndarray:
        """The gradient in the order of `Network.flat`."""
        return self.trainer.flat_gradient()

    def state(self, copy: bool = True) -> dict[str, Any]:
        """What another trainer needs to go on."""
        return self.trainer.state(copy)

    def check_state(self, state: dict[str, Any]) -> None:
        """Raise unless `restore` can take it."""
        self.trainer.check_state(state)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from another trainer's state."""
        self.trainer.restore(state)

    # Where it is in an epoch

    @property
    def batches_done(self) -> int:
        """Mini-batches of an epoch that pauses, or was ended."""
        return self._done

    def pause_after(self, seconds: float) -> None:
        """Have epochs pause after a mini-batch that ends later on the first rank."""
        self._pause_at = time.perf_counter() + seconds

    def position(self) -> tuple[np.ndarray, int, list[float]]:
        """As `Trainer.position`."""
        return self.trainer.position()[0], self._done, self._totals.tolist()

    def go_on_at(self, parameters: np.ndarray, batches: int, sums: list[float]) -> None:
        """Go on from the position of another trainer."""
        self.trainer.go_on_at(parameters, 0, [])
        if batches and len(sums) != len(self._totals):
            raise ValueError(f"a position must have {len(self._totals)} sums, got {len(sums)}")
        self._done = batches
        if batches:
            self._totals[:] = sums

    def reopen(self) -> bool:
        """Take back that the last epoch is over."""
        self._done, self._last = self._last, 0
        if self._done:
            self.steps_here.reopen()
        return bool(self._done)

    # Epochs

    def epoch(
        self,
        X: RowSource,
        y: RowSource | None,
        labels: RowSource | None,
        shuffled: bool = True,
        *,
        weights: RowSource | None = None,
        rates: np.ndarray | None = None,
        total_weight: float | None = None,
    ) -> tuple[float, Any] | None:
        """Visit every row once."""
        own, rows, steps = self.own[id(X)], X.count, self.steps_here
        total = _known(weights, total_weight)
        batches = -(-rows // self.batch_size)
        if not self._done:
            self._totals[:] = 0
        steps.begin_epoch(
            own.X,
            own.y,
            own.labels,
            rows=rows,
            shuffled=shuffled,
            weights=own.weights,
            rates=rates,
            total_weight=total,
        )
        for block in range(self._done, batches):
            size = min(self.batch_size, rows - block * self.batch_size)
            weight = size if total < 0 else total if size == rows else total * size / rows
            self._gradient(block, self._sums[len(self._weights)])
            self._penalties.append(steps.step())
            self._weights.append(weight)
            if self.after_step is not None:
                self.after_step(self._flush(block + 1))
            elif len(self._weights) == len(self._sums):
                self._flush(block + 1)
            self._until_agreed -= 1
            if not self._until_agreed and self._agree(block + 1, batches):
                return None
        self._flush(batches)
        self._last, self._done = batches, 0
        steps.end_epoch()
        return self._result(self._totals, rows, labels)

    def _gradient(self, block: int, sums: np.ndarray) -> None:
        """The gradient of a mini-batch, and the sums of this rank's nodes."""
        steps, nodes, gradient = self.steps_here, self.nodes, self.trainer.gradient
        if self.exchange.halves:
            steps.node(block, *nodes[0], sums[0])
        elif nodes:
            for node, into, row in zip(nodes, self.exchange.nodes, sums):
                steps.node(block, *node, row)
                into[:] = gradient
        else:  # which only makes ready for the step
            begin = self.tree.shards_of(self.ranks.rank)[0]
            steps.node(block, begin, begin, sums[0])
        self.exchange.sum(gradient)

    def _flush(self, done: int) -> float:
        """Add the sums of the last steps of all ranks; the cost of the last one."""
        count, cost = len(self._weights), 0.0
        if not count:
            return cost
        of_steps = self._sums_of_all(self._sums[:count, : len(self.nodes)])
        totals = self._totals
        loss, weights = float(totals[0]), float(totals[1])
        for found, weight, penalty in zip(of_steps, self._weights, self._penalties):
            loss, weights = loss + float(found[0]), weights + weight
            loss += weight * penalty
            totals[2:] += found[1:]
            cost = (float(found[0]) / weight if weight > 0 else 0.0) + penalty
        totals[:2] = loss, weights
        self._weights.clear()
        self._penalties.clear()
        self._done = done
        return cost

    def _sums_of_all(self, here: np.ndarray) -> np.ndarray:
        """The sums over all shards, of arrays that have the nodes on their second axis."""
        parts = self.ranks.gather(here) if self.ranks.size > 1 else [here]
        nodes = [np.array(part[:, i]) for part in parts for i in range(part.shape[1])]
        return self.tree.total(nodes)

    def _result(self, totals: np.ndarray, rows: int, labels: RowSource | None) -> tuple[float, Any]:
        loss = _quotient(totals[0], totals[1])
        if labels is not None or self.counts:
            return loss, float(totals[2]) / rows
        return loss, totals[3:].copy()

    def _agree(self, done: int, batches: int) -> bool:
        """Agree whether all ranks pause here, or end, which raises `Ended`, and when they agree
        next."""
        now = time.perf_counter()
        pauses, ends = now > self._pause_at, _is_due(self.end)
        steps = self._steps_between * AGREE / max(now - self._agreed, AGREE / 64)
        said = self.ranks.gather((pauses, ends, int(min(max(steps, 1), MOST_STEPS))))
        self._agreed, self._steps_between = now, said[0][2]
        self._until_agreed = self._steps_between
        pauses, ends = said[0][0] and done < batches, any(one[1] for one in said)
        if ends or pauses:
            self._flush(done)
        if ends:
            self.steps_here.forget()
            raise Ended
        return pauses

    # Passes without a step

    def loss_and_gradient(
        self,
        X: RowSource,
        y: RowSource | None,
        labels: RowSource | None,
        weights: RowSource | None = None,
    ) -> tuple[float, Any]:
        """One pass over all rows, as `Trainer.loss_and_gradient`."""
        own, rows = self.own[id(X)], X.count
        if any(self.ranks.gather(_is_due(self.end))):
            raise Ended
        total = _known(weights, own.total_weight)
        self.steps_here.begin_pass(
            own.X, own.y, own.labels, rows=rows, weights=own.weights, total_weight=total
        )
        self._gradient(0, self._sums[0])
        found = self._sums_of_all(self._sums[:1, : len(self.nodes)])[0]
        weight = rows if total < 0 else total
        totals = np.concatenate(([found[0], weight], found[1:]))
        totals[0] += weight * self.steps_here.penalize()
        return self._result(totals, rows, labels)

    def evaluate(
        self, X: RowSource, y: RowSource | None, labels: RowSource | None
    ) -> tuple[float, Any]:
        """Cost and metric of rows that are not trained on."""
        own, rows = self.own[id(X)], X.count
        begin, until = self.tree.shards_of(self.ranks.rank)
        sums = np.zeros((until - begin, 2 + self.targets))
        self.steps_here.evaluate(own.X, own.y, own.labels, rows, sums)
        nodes = np.zeros((1, len(self.nodes), sums.shape[1]))
        for i, (first, end) in enumerate(self.nodes):
            leaves = Tree(end - first, end - first)
            nodes[0, i] = leaves.total(list(sums[first - begin : end - begin].copy()))
        found = self._sums_of_all(nodes)[0]
        return self._result(np.concatenate(([found[0], rows], found[1:])), rows, labels)


def _known(weights: RowSource | None, total: float | None) -> float:
    """The weight of all rows; -1 where none has one."""
    if weights is None:
        return -1.0
    assert total is not None
    return total


def _is_due(end: EndRequest | None) -> bool:
    try:
        if end is not None:
            end.check()
    except Ended:
        return True
    return False


def _quotient(loss: float, weight: float) -> float:
    with np.errstate(all="ignore"):
        return float(np.float64(loss) / np.float64(weight))
