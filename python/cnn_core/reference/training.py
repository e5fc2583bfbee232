"""Training: a mini-batch and an epoch."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise, repeat
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnn_core._checks import check_state
from cnn_core._control import EndRequest
from cnn_core._losses import heads
from cnn_core.constraints.bounds import flat_bounds
from cnn_core.functional import Network, RowSource, loss_table
from cnn_core.groups import of_each_parameter
from cnn_core.reference.activations import activate, through_activation
from cnn_core.reference.embeddings import Embeddings, embed, embeddings_of, table_gradients
from cnn_core.reference.layers import Pass, affine, bias_gradient, error_below, weight_gradient
from cnn_core.reference.losses import LOSSES
from cnn_core.reference.metrics import Metrics
from cnn_core.reference.optimizers import OPTIMIZERS, Settings, nadam_mu, scaled
from cnn_core.reference.penalties import add_penalty_gradient, penalty, shorten
from cnn_core.reference.periodic import flat_columns, periodic_gradients
from cnn_core.reference.random import drop, permutation, shard_order
from cnn_core.reference.vectors import (
    Layer,
    Matrix,
    Row,
    flat,
    layers_of,
    running_sum,
    shares_of,
    sum_of_shares,
    tree_sum,
)
from cnn_core.spec import TrainingSpec

#: Rows of numbers, or class indices for a sparse loss.
Targets: TypeAlias = Sequence[Any]
#: The share of correct rows, or the squared residuals of each output.
Metric: TypeAlias = float | NDArray[np.float64]
#: A learning rate for each mini-batch.
Rates: TypeAlias = Sequence[float] | NDArray[np.float64]


class Trainer:
    """A training run as the native `Trainer` has it, on lists.

    Parameters
    ----------
    spec : TrainingSpec
        The conventions of scikit-learn in it (penalty_per_row, average_by_rows, cost_scale) are the
        native core's alone.
    network : Network
        Where the run begins, and where each epoch leaves its parameters, rounded to the network's
        dtype.
    """

    def __init__(self, spec: TrainingSpec, network: Network) -> None:
        for name in ("penalty_per_row", "average_by_rows", "cost_scale"):
            if getattr(spec, name) != getattr(TrainingSpec, name):
                raise ValueError(f"the reference implementation does not know {name}")
        self.spec, self.network = spec, network
        row = loss_table()[spec.loss]
        self.from_logits, self.sparse = bool(row.fused_activations), row.sparse
        self.loss_param = row.default_param if spec.loss_param is None else spec.loss_param
        self.y_threshold = (
            (row.low + row.high) / 2 if math.isfinite(row.high) and not row.sparse else 0.5
        )
        self.parameters: Row = network.flat().astype(float).tolist()
        self.gradient = [0.0] * len(self.parameters)
        self.h = dict(spec.settings)
        self.factors = self._factors()
        slots = OPTIMIZERS[spec.optimizer][1] if spec.optimizer else 0
        self.slots = [[0.0] * slots for _ in self.parameters]
        self.steps = self.epochs = 0
        self._position: tuple[int, list[float]] = (0, [])
        self._last = self._position  # of the last epoch, where it was over
        self.pause_at = math.inf
        self.seconds: dict[str, float] = {}
        self.after_step: Callable[[float], object] | None = None
        self.decays: Rates | None = None  # factors in each mini-batch of an epoch
        self.dropouts: Rates | None = None
        self.dropout_factor = 1.0
        self.end: EndRequest | None = None
        self.part: tuple[int, int] | None = None
        self.passes: list[Pass] = []
        self._lists: dict[int, tuple[RowSource, Matrix]] = {}

    def _factors(self) -> list[tuple[float, float]]:
        """Of the learning rate and the decay, for each parameter; empty where all are 1."""
        rates, decays = self.spec.rate_factors, self.spec.decay_factors
        if not rates and not decays:
            return []
        widths, network = self.network.widths, self.network
        sizes = [(m * n, n * network.has_bias) for m, n in pairwise(widths)]
        tables = sum(n * width for n, width in network.embeddings)
        embedded = tables, len(self.parameters) - sum(map(sum, sizes)) - tables
        return list(
            zip(*(of_each_parameter(one, sizes, embedded) for one in (rates, decays)), strict=True)
        )

    @cached_property
    def bounds(self) -> list[list[float]]:
        """The least and the largest value of each parameter; empty where there are none."""
        return [bound.tolist() for bound in flat_bounds(self.network, self.spec)]

    @property
    def dropout(self) -> tuple[float, ...]:
        """The rate at which each layer's inputs are dropped."""
        return self.spec.dropout or (0.0,) * self.network.n_layers

    @property
    def learning_rate(self) -> float | None:
        """That of the next step; None for an optimizer without one."""
        return self.h.get("learning_rate")

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self.h["learning_rate"] = value

    def set_flat(self, values: ArrayLike) -> None:
        """Set all parameters from a vector in the order of `Network.flat`."""
        values = np.asarray(values, float)
        if values.shape != (len(self.parameters),):
            raise ValueError(
                f"this network has {len(self.parameters)} parameters, got an array of shape "
                f"{values.shape}"
            )
        self.parameters = values.tolist()

    def flat_gradient(self) -> NDArray[np.float64]:
        """The gradient of the last mini-batch in that order."""
        return np.array(self.gradient)

    def is_finite(self) -> bool:
        """Whether parameters, as they are published, and slots are finite."""
        return self.network.is_finite() and all(
            math.isfinite(number) for slots in self.slots for number in slots
        )

    def state(self, copy: bool = True) -> dict[str, Any]:
        """What a later run needs to go on from here."""
        return {
            "optimizer": self.spec.optimizer,
            "epochs": self.epochs,
            "steps": self.steps,
            "numbers": dict(self.h),
            "slots": [list(slots) for slots in self.slots],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`; settings that were given here replace those of that run."""
        self.check_state(state)
        self.epochs, self.steps = state["epochs"], state["steps"]
        self.h = state["numbers"] | self.h
        self.slots = [list(slots) for slots in state["slots"]]

    def check_state(self, state: dict[str, Any]) -> None:
        """Raise unless `restore` can take a state."""
        check_state(state, ("epochs", "steps"), ("numbers", "slots"))
        if state["optimizer"] != self.spec.optimizer:
            raise ValueError(
                f"this state is of a run with {state['optimizer']}, not of one like this with "
                f"{self.spec.optimizer}"
            )
        numbers, slots = state["numbers"], state["slots"]
        needed = {"mu_product"} if state["optimizer"] == "nadam" and state["steps"] else set()
        if (
            not isinstance(numbers, dict)
            or not needed <= set(numbers)
            or not all(isinstance(number, float) for number in numbers.values())
        ):
            raise ValueError(f"the numbers of a state must be a dict of numbers, got {numbers!r}")
        listed = slots if isinstance(slots, list) else ()
        lengths = [len(one) if isinstance(one, list) else -1 for one in listed]
        if lengths != [len(one) for one in self.slots]:
            raise ValueError(
                f"the slots of a state must be a list of {len(self.slots[0])} numbers for each of "
                f"the {len(self.slots)} parameters"
            )

    # One mini-batch

    def layers(self) -> list[Layer]:
        """(W, b) of each layer."""
        return layers_of(self.parameters, self.network.widths, self.network.has_bias)

    def embeddings(self) -> Embeddings:
        """The vectors of embedded columns, and the periodic embeddings of numbers."""
        return embeddings_of(self.parameters, self.network.embeddings, self.network.periodic)

    def forward(self, layers: list[Layer], batch: Matrix, dropping: bool = False) -> list[Pass]:
        """z^l = W^l a^(l-1) + b^l and a^l = f(z^l), row by row; the deltas are still empty."""
        network, passes = self.network, []
        if network.embeds:
            embeddings = self.embeddings()
            batch = [embed(row, embeddings) for row in batch]
        for l, (W, b) in enumerate(layers):
            mask = None
            if dropping and self.dropout[l]:
                rate, selu_below = self.dropout[l] * self.dropout_factor, False
                if self.spec.alpha_dropout:
                    selu_below = l > 0 and network.activations[l - 1] == "selu"
                pairs = [
                    drop(a, rate, selu_below, self.spec.seed, self.steps, l, r)
                    for r, a in enumerate(batch)
                ]
                batch, mask = [dropped for dropped, _ in pairs], [mask_r for _, mask_r in pairs]
            z = [affine(W, b, a) for a in self._until_end(batch)]
            a = [activate(network.activations[l], network.activation_params[l], z_r) for z_r in z]
            passes.append(Pass(batch, mask, z, a, []))
            batch = a
        return passes

    def costs(self, last: Pass, targets: Targets) -> list[tuple[float, Row]]:
        """(C, the error it sends back) of each row: dC/dz for losses that take the activation in,
        else dC/da."""
        loss = LOSSES[self.spec.loss]
        outputs = last.z if self.from_logits else last.a
        return [loss(out, y, self.loss_param) for out, y in zip(outputs, targets)]

    def output_delta(self, last: Pass, errors: Matrix, row_scale: Row) -> Matrix:
        """delta^L = dC/da^L * f'(z^L), each row scaled by its share of the mini-batch"""
        activation, param = self.network.activations[-1], self.network.activation_params[-1]
        scaled = [[e * scale for e in error] for error, scale in zip(errors, row_scale)]
        if self.from_logits:
            return scaled
        return [
            through_activation(activation, param, z, a, g)
            for z, a, g in zip(last.z, last.a, scaled)
        ]

    def hidden_delta(
        self, l: int, here: Pass, W_above: Matrix, mask: Matrix | None, delta_above: Matrix
    ) -> Matrix:
        """delta^l = ((W^(l+1))^T delta^(l+1)) * f'(z^l), through the dropout between the layers if
        there is any"""
        errors = [error_below(W_above, delta) for delta in self._until_end(delta_above)]
        if mask:
            errors = [[g * m for g, m in zip(error, mask_r)] for error, mask_r in zip(errors, mask)]
        activation, param = self.network.activations[l], self.network.activation_params[l]
        return [
            through_activation(activation, param, z, a, g)
            for z, a, g in zip(here.z, here.a, errors)
        ]

    def backward(
        self, layers: list[Layer], passes: list[Pass], errors: Matrix, row_scale: Row
    ) -> list[Pass]:
        """The delta recursion, from the last layer down."""
        deltas = [self.output_delta(passes[-1], errors, row_scale)]
        for l in range(len(passes) - 2, -1, -1):
            W_above, mask = layers[l + 1][0], passes[l + 1].mask
            deltas.insert(0, self.hidden_delta(l, passes[l], W_above, mask, deltas[0]))
        return [one._replace(delta=delta) for one, delta in zip(passes, deltas)]

    def forward_backward(
        self,
        batch: Matrix,
        targets: Targets,
        weights: Row,
        dropping: bool,
        weight: float | None = None,
        shares: Sequence[slice] = (slice(None),),
    ) -> tuple[list[Pass], Row, float, float]:
        """Forward, backward and the gradient of one mini-batch, divided by `weight` (default: that
        of its rows), with the gradient of the penalty. `shares`: which rows are of each shard.

        Returns
        -------
        passes : list of Pass
        costs : list of float
        weight, penalties : float
        """
        weight = sum_of_shares(weights, shares) if weight is None else weight
        row_scale = [w / weight if weight > 0 else 0.0 for w in weights]
        layers = self.layers()
        passes = self.forward(layers, batch, dropping)
        costs = self.costs(passes[-1], targets)
        passes = self.backward(layers, passes, [error for _, error in costs], row_scale)
        self.gradient = tree_sum(
            [self.gradient_of(layers, passes, batch, share) for share in shares]
        )
        penalties = self.add_penalties(layers)
        return passes, [cost for cost, _ in costs], weight, penalties

    def gradient_of(
        self, layers: list[Layer], passes: list[Pass], batch: Matrix, share: slice
    ) -> Row:
        """The gradient of some rows of the mini-batch, summed over them one after the other."""
        batch = batch[share]
        if not batch:
            return [0.0] * len(self.parameters)
        passes = [
            one._replace(
                inputs=one.inputs[share], mask=one.mask and one.mask[share], delta=one.delta[share]
            )
            for one in passes
        ]
        gradients = [
            (weight_gradient(one.delta, one.inputs), bias_gradient(one.delta)) for one in passes
        ]
        gradient = flat(gradients, self.network.has_bias)
        if self.network.embeds:
            gradient += self._embedded_gradient(layers[0][0], passes[0], batch)
        return gradient

    def add_penalties(self, layers: list[Layer]) -> float:
        """The penalty on the weights, and its gradient added to that of the mini-batch."""
        network, spec, penalties = self.network, self.spec, 0.0
        gradients = layers_of(self.gradient, network.widths, network.has_bias)
        of_tables, _, columns = embeddings_of(self.gradient, network.embeddings, network.periodic)
        weights = [W for W, _ in layers] + self.embeddings()[0]
        for W, dW in zip(weights, [dW for dW, _ in gradients] + of_tables):
            penalties += penalty(W, spec.l1, spec.l2)
            add_penalty_gradient(W, dW, spec.l1, spec.l2)
        self.gradient = flat(gradients, network.has_bias)
        self.gradient += [number for dE in of_tables for row in dE for number in row]
        self.gradient += flat_columns(columns)
        return penalties

    def _embedded_gradient(self, W: Matrix, first: Pass, batch: Matrix) -> Row:
        """The gradient of the embeddings, the end of the flat vector."""
        deltas = [error_below(W, delta) for delta in first.delta]
        if first.mask:
            deltas = [[g * m for g, m in zip(delta, r)] for delta, r in zip(deltas, first.mask)]
        shapes = self.network.embeddings
        _, features, columns = self.embeddings()
        tables = table_gradients(shapes, batch, deltas)
        n_numbers = self.network.n_features - len(shapes)
        of_numbers = [delta[n_numbers:] for delta in deltas]
        return [number for dE in tables for row in dE for number in row] + flat_columns(
            periodic_gradients(features, columns, batch, of_numbers)
        )

    def apply_gradient(self) -> None:
        """W <- W - rate dW, b <- b - rate db and its refinements: all parameters together."""
        spec = self.spec
        assert spec.optimizer is not None
        if spec.clip_norm:
            self.gradient = shorten(self.gradient, spec.clip_norm)
        steps, h = self.steps + 1, dict(self.h)
        if spec.optimizer == "nadam":  # mu_1 ... mu_t
            h["mu_product"] = (1.0 if steps == 1 else h["mu_product"]) * nadam_mu(h, steps)
        step_of, slots = OPTIMIZERS[spec.optimizer][0], [list(one) for one in self.slots]
        settings: Iterable[Settings] = repeat(h)
        if self.factors:
            of_factors = {pair: scaled(h, *pair) for pair in set(self.factors)}
            settings = [of_factors[pair] for pair in self.factors]
        parameters = [
            step_of(steps, own, w, g, slots_of_w)
            for own, w, g, slots_of_w in zip(settings, self.parameters, self.gradient, slots)
        ]
        if self.bounds:
            parameters = [min(max(w, low), high) for w, low, high in zip(parameters, *self.bounds)]
        # The step is whole or not taken, whenever Ctrl-C comes.
        self.parameters, self.slots, self.h, self.steps = parameters, slots, h, steps
        if spec.max_norm:
            layers = flat(
                [([shorten(W_j, spec.max_norm) for W_j in W], b) for W, b in self.layers()],
                self.network.has_bias,
            )
            self.parameters = layers + self.parameters[len(layers) :]

    # Epochs

    def epoch(
        self,
        X: RowSource,
        y: RowSource | None,
        labels: RowSource | None,
        shuffled: bool = True,
        order: Sequence[int] | None = None,
        weights: RowSource | None = None,
        rates: Rates | None = None,
        total_weight: float | None = None,
    ) -> tuple[float, Metric] | None:
        """Every row once, in mini-batches; arguments and results are those of the native
        `Trainer.epoch`."""
        rows, targets, classes, row_weights = self.as_lists(X, y, labels, weights)
        batch_size, batches = self.spec.batch_size, self._order(len(rows), shuffled, order)
        count = len(rows) if order is None else len(order)
        before, n_rows = (0, count) if self.part is None else self.part
        if self.part is not None:
            self._lists.clear()  # these rows do not come again
        (done, sums), metrics = self._position, self._metrics()
        total, weight = sums[:2] or (0.0, 0.0)
        if done:
            metrics.sums, metrics.classified = sums[2:], classes is not None
        for number, of_shards in enumerate(batches, before):
            if number < done:
                continue
            chosen, shares = (
                [i for share in of_shards for i in share],
                shares_of(map(len, of_shards)),
            )
            batch, y_batch = [rows[i] for i in chosen], [targets[i] for i in chosen]
            w_batch = [row_weights[i] for i in chosen]
            share = None if total_weight is None else total_weight * len(batch) / n_rows
            self._take_schedules(number, rates)
            passes, costs, batch_weight, penalties = self.forward_backward(
                batch, y_batch, w_batch, dropping=True, weight=share, shares=shares
            )
            weighted = [w * cost for cost, w in zip(costs, w_batch)]
            in_batch = sum_of_shares(weighted, shares)
            total = running_sum([total, *(weighted if len(shares) == 1 else [in_batch])])
            total += batch_weight * penalties
            weight += batch_weight
            self._update_metrics(
                metrics, passes[-1], y_batch, classes and [classes[i] for i in chosen], shares
            )
            self.apply_gradient()
            self._position = number + 1, [total, weight, *metrics.sums]
            if self.after_step is not None:
                self.publish()
                self.after_step((in_batch / batch_weight if batch_weight > 0 else 0.0) + penalties)
            if time.monotonic() > self.pause_at and (number + 1) * batch_size < n_rows:
                return None
        if before * batch_size + count < n_rows:
            return None
        self.epochs += 1
        self._last, self._position = self._position, (0, [])
        self.publish()
        return total / weight if weight else math.nan, self._result(metrics)

    def _order(
        self, n: int, shuffled: bool, order: Sequence[int] | None
    ) -> Sequence[Sequence[Sequence[int]]]:
        """The rows of each mini-batch of an epoch, those of a shard after those of the other."""
        seed, batch_size, shards = self.spec.seed, self.spec.batch_size, self.spec.shards
        shuffled = shuffled and n > batch_size
        if shards > 1:
            if order is not None or self.part is not None:
                raise ValueError("rows in shards have an order of their own, and come all at once")
            return shard_order(seed, self.epochs, n, batch_size, shards, shuffled)
        if order is None:
            order = permutation(seed, self.epochs, n) if shuffled else range(n)
        return [[order[at : at + batch_size]] for at in range(0, len(order), batch_size)]

    def _shards(self, n: int) -> list[slice]:
        """Which of n rows, as they stand, are of each shard."""
        shards = self.spec.shards
        return shares_of(n // shards + (s < n % shards) for s in range(shards))

    def _take_schedules(self, number: int, rates: Rates | None) -> None:
        """Take what is scheduled for a mini-batch of the epoch."""
        if rates is not None:
            self.h["learning_rate"] = float(rates[number])
        if "weight_decay" in self.h:
            decay = 1.0 if self.decays is None else float(self.decays[number])
            self.h["weight_decay"] = decay * self.spec.settings["weight_decay"]
        self.dropout_factor = 1.0 if self.dropouts is None else float(self.dropouts[number])

    def pause_after(self, seconds: float) -> None:
        """Have epochs pause after the first mini-batch that ends later than that from now."""
        self.pause_at = time.monotonic() + seconds

    @property
    def batches_done(self) -> int:
        """Mini-batches that are done of an epoch that pauses, or was ended."""
        return self._position[0]

    def position(self) -> tuple[NDArray[np.float64], int, list[float]]:
        """Where in an epoch this run is: the parameters, before they are rounded, the mini-batches
        that are done, and the sums over them."""
        return np.array(self.parameters), *self._position

    def go_on_at(self, parameters: NDArray[np.float64], batches: int, sums: list[float]) -> None:
        """Go on from another run's `position`."""
        metrics = self._metrics()
        expected = 2 + len(metrics.sums)
        if batches and len(sums) != expected:
            raise ValueError(f"a position must have {expected} sums, got {len(sums)}")
        if batches:
            metrics.sums = sums[2:]
        self.set_flat(parameters)
        self.publish()
        self._position = batches, sums

    def reopen(self) -> bool:
        """Take back that the last epoch is over: the next call of `epoch` gives its numbers."""
        if self._position[0] or not self._last[0]:
            return False
        self._position, self._last = self._last, (0, [])
        self.epochs -= 1
        return True

    def loss_and_gradient(
        self,
        X: RowSource,
        y: RowSource | None,
        labels: RowSource | None,
        weights: RowSource | None = None,
    ) -> tuple[float, Metric]:
        """One pass over all rows without dropout and without a step; the gradient stands in
        `gradient`."""
        rows, targets, classes, row_weights = self.as_lists(X, y, labels, weights)
        shares = self._shards(len(rows))
        self.passes, costs, weight, penalties = self.forward_backward(
            rows, targets, row_weights, dropping=False, shares=shares
        )
        total = sum_of_shares([w * cost for cost, w in zip(costs, row_weights)], shares)
        metrics = self._metrics()
        self._update_metrics(metrics, self.passes[-1], targets, classes, shares)
        self.publish()
        return (total + weight * penalties) / weight, self._result(metrics)

    def evaluate(
        self, X: RowSource, y: RowSource | None, labels: RowSource | None
    ) -> tuple[float, Metric]:
        """Mean cost and metric of rows that are not trained on."""
        rows, targets, classes, _ = self.as_lists(X, y, labels, None)
        last = self.forward(self.layers(), rows)[-1]
        shares = self._shards(len(rows))
        total = sum_of_shares([cost for cost, _ in self.costs(last, targets)], shares)
        metrics = self._metrics()
        self._count(metrics, last.a, targets, classes, self.y_threshold, shares)
        return total / len(rows), self._result(metrics)

    def publish(self) -> None:
        """Leave the parameters in the network, rounded to its dtype."""
        with np.errstate(over="ignore"):
            self.network.set_flat(np.array(self.parameters))

    def as_lists(
        self,
        X: RowSource,
        y: RowSource | None,
        labels: RowSource | None,
        weights: RowSource | None,
    ) -> tuple[Matrix, Targets, list[int] | None, Row]:
        """(inputs, targets, class indices or None, weights) as lists, made once for each source of
        rows."""
        classes = None if labels is None else [int(row[0]) for row in self._listed(labels)]
        source = labels if self.sparse else y
        assert source is not None
        targets: Targets = classes if self.sparse and classes else self._listed(source)
        row_weights = [1.0] * X.count
        if weights is not None:
            row_weights = [row[0] for row in self._listed(weights)]
        return self._listed(X), targets, classes, row_weights

    def _listed(self, source: RowSource) -> Matrix:
        if id(source) not in self._lists:  # kept with its list, so the id stays its own
            self._lists[id(source)] = source, source.rows().astype(float).tolist()
        return self._lists[id(source)][1]

    def _until_end(self, rows: Matrix) -> Iterator[Row]:
        """The rows, as long as nothing ends the run."""
        for row in rows:
            if self.end is not None:
                self.end.check()
            yield row

    def _metrics(self) -> Metrics:
        n_targets = self.network.widths[-1] // heads(self.spec.loss, self.spec.loss_param)
        return Metrics(n_targets, self.spec.multilabel, self.y_threshold)

    def _update_metrics(
        self,
        metrics: Metrics,
        last: Pass,
        targets: Targets,
        classes: list[int] | None,
        shares: Sequence[slice],
    ) -> None:
        """Count rows in training, where a loss that takes the activation in decides by z."""
        if self.from_logits and (classes is not None or self.spec.multilabel):
            self._count(metrics, last.z, targets, classes, 0.0, shares)
        else:
            self._count(metrics, last.a, targets, classes, self.y_threshold, shares)

    def _count(
        self,
        metrics: Metrics,
        outputs: Matrix,
        targets: Targets,
        classes: list[int] | None,
        threshold: float,
        shares: Sequence[slice],
    ) -> None:
        """Count rows, those of each shard by themselves."""
        if len(shares) == 1:
            metrics.update(outputs, targets, classes, threshold)
            return
        parts = [self._metrics() for _ in shares]
        for part, share in zip(parts, shares):
            of_share = None if classes is None else classes[share]
            part.update(outputs[share], targets[share], of_share, threshold)
        metrics.add(parts)

    def _result(self, metrics: Metrics) -> Metric:
        result = metrics.result()
        return np.array(result) if isinstance(result, list) else result
