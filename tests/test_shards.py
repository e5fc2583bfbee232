"""Rows in shards: sums over the rows of each, added along a tree, to the same bits wherever the
shards are."""

from itertools import pairwise

import numpy as np
import pytest
from cnn_core._backprop import Backprop
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._random import shard_order, uniform
from cnn_core._shard_steps import ShardSteps
from cnn_core._trainer import Trainer
from cnn_core.data.scaling import learn_scaling
from cnn_core.embeddings import Embedding
from cnn_core.io import RowBlocks
from cnn_core.reference import random as reference
from cnn_core.schedules import Cosine

from cnn_core import MLP

SGD = {"learning_rate": 0.1, "momentum": 0.9, "nesterov": 0.0}
#: Blockwise with a transposed last layer, the same row-major, two-phase, layer-parallel.
NETS = {
    "blockwise": ((7, 20, 3), ("relu", "identity")),
    "row-major": ((7, 20, 40), ("tanh", "sigmoid")),
    "two-phase": ((100, 200, 3), ("relu", "identity")),
    "wide": ((130, 300, 200, 7), ("relu", "tanh", "identity")),
}
#: Rows, mini-batch, shards: all whole, nothing divisible, fewer rows of a mini-batch than shards,
#: fewer rows than shards.
CUTS = [(300, 150, 2), (301, 150, 7), (37, 5, 8), (5, 30, 8)]
CASES = [
    *(("blockwise", cut, {}) for cut in CUTS),
    *((net, CUTS[1], {}) for net in ("row-major", "two-phase")),
    ("wide", (150, 90, 3), {}),
    ("two-phase", CUTS[2], dict(clip_norm=0.01)),
]


def tree(values):
    """The sum of a list along the aligned tree."""
    while len(values) > 1:
        values = [
            values[i] + values[i + 1] if i + 1 < len(values) else values[i]
            for i in range(0, len(values), 2)
        ]
    return values[0]


def make_trainer(net, dtype, batch_size, shards=1, threads=1, l2=1e-3, **options):
    widths, activations = NETS[net]
    network = Network(widths, activations, dtype)
    network.set_flat((2 * uniform(1, 0, network.flat().size) - 1) * 0.2)
    dropout = [0.0, *([0.25] * (len(activations) - 1))]
    backprop = Backprop(network, "mse", batch_size, l1=l2 / 10, l2=l2, dropout=dropout)
    return Trainer(backprop, "sgd", SGD, 7, threads=threads, shards=shards, **options)


def make_rows(net, dtype, n):
    n_in, n_out = NETS[net][0][0], NETS[net][0][-1]
    X = (2 * uniform(2, 0, n * n_in) - 1).reshape(n, n_in).astype(dtype)
    y = uniform(3, 0, n * n_out).reshape(n, n_out).astype(dtype)
    return X, y, (uniform(4, 0, n) + 0.5).astype(dtype)[:, None]


def nodes_of(shards, ranks):
    """(first shard, number of shards) of the largest nodes of the tree that each rank has all
    shards of, where each has some neighbouring ones."""
    nodes = []
    for r in range(ranks):
        first, end = shards * r // ranks, shards * (r + 1) // ranks
        while first < end:
            size = first & -first or 1 << shards.bit_length()
            while min(first + size, shards) > end:
                size //= 2
            size = min(size, shards - first)
            nodes.append((first, size))
            first += size
    return nodes


def sum_of_nodes(sums, shards):
    """The sum along the tree, of nodes (first shard, number of shards): value."""

    def of(first, size):
        if (first, min(size, shards - first)) in sums:
            return sums[first, min(size, shards - first)]
        left = of(first, size // 2)
        return left if first + size // 2 >= shards else left + of(first + size // 2, size // 2)

    return of(0, 1 << (shards - 1).bit_length())


def step_by_ranks(trainer, rows, shares, weight, ranks):
    """A step each of whose nodes is computed alone, as by so many processes."""
    shards, gradients = len(shares), {}
    starts = np.cumsum([0, *map(len, shares)])
    for first, size in nodes_of(shards, ranks):
        chosen = [row for share in shares[first : first + size] for row in share]
        gradients[first, size] = np.zeros_like(trainer.gradient)
        if chosen:
            X, y, w = (RowSource(np.ascontiguousarray(array[chosen])) for array in rows)
            sizes = [*map(len, shares[first : first + size])]
            at = int(starts[first])
            trainer.accumulate(X, y, None, w, weight=weight, first=at, shares=sizes)
            gradients[first, size] = trainer.gradient.copy()
    trainer.gradient[:] = sum_of_nodes(gradients, shards)
    trainer.apply()


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("shards, n", [(8, 90), (6, 91), (8, 5)])
@pytest.mark.parametrize("net", ["blockwise", "two-phase"])
def test_a_step_is_the_same_for_every_number_of_ranks(net, shards, n, ranks, dtype):
    rows = make_rows(net, dtype, n)
    total = float(rows[2].sum(dtype=np.float64))
    together, apart = (make_trainer(net, dtype, 80, shards) for _ in range(2))
    for shares in reference.shard_order(7, 0, n, 80, shards, n > 80):
        weight = total * sum(map(len, shares)) / n
        step_by_ranks(apart, rows, shares, weight, ranks)
    X, y, w = map(RowSource, rows)
    together.epoch(X, y, None, weights=w, total_weight=total)
    assert np.array_equal(together.parameters, apart.parameters)


def step_by_shards(trainer, rows, shares, weight):
    """A step of a trainer that knows no shards, each of whose gradients is computed alone; the
    mini-batch's mean cost."""
    losses, gradients, first = [], [], 0
    for share in shares:
        loss, gradient = 0.0, np.zeros_like(trainer.gradient)
        if share:
            X, y, w = (RowSource(np.ascontiguousarray(array[share])) for array in rows)
            trainer.set_flat(trainer.backprop.network.flat())  # drops the gradient before
            loss = trainer.accumulate(X, y, None, w, weight=weight, first=first)
            gradient = trainer.gradient.copy()
        losses.append(loss)
        gradients.append(gradient)
        first += len(share)
    trainer.gradient[:] = tree(gradients)
    return tree(losses) + trainer.apply()


@pytest.mark.parametrize("net, cut, options", CASES, ids=str)
def test_a_step_is_that_of_shards_which_are_computed_apart(net, cut, options, isa, dtype):
    n, batch_size, shards = cut
    rows = make_rows(net, dtype, n)
    total = float(rows[2].sum(dtype=np.float64))
    alone = make_trainer(net, dtype, batch_size, **options)
    costs = [
        step_by_shards(alone, rows, shares, total * sum(map(len, shares)) / n)
        for shares in reference.shard_order(7, 0, n, batch_size, shards, n > batch_size)
    ]
    for threads in (1, 2):
        trainer, told = make_trainer(net, dtype, batch_size, shards, threads, **options), []
        trainer.after_step = told.append
        X, y, w = map(RowSource, rows)
        trainer.epoch(X, y, None, weights=w, total_weight=total)
        assert np.array_equal(trainer.parameters, alone.parameters)
        assert np.array_equal(trainer.slots[0], alone.slots[0])
        assert told == pytest.approx(costs, rel=1e-12)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_the_order_takes_the_next_row_of_each_shard_in_turn(cut, shuffled):
    expected = reference.shard_order(3, 1, *cut, shuffled)
    flat = [row for shares in expected for share in shares for row in share]
    assert shard_order(3, 1, *cut, shuffled=shuffled).tolist() == flat
    assert sorted(flat) == list(range(cut[0]))


@pytest.mark.parametrize(
    "net, n, shards", [("blockwise", 301, 7), ("two-phase", 5, 8), ("row-major", 256, 8)]
)
def test_costs_and_metrics_are_sums_of_shards(net, n, shards, isa, dtype):
    X, y, _ = make_rows(net, dtype, n)
    one, many = (make_trainer(net, dtype, 301, s, l2=0) for s in (1, shards))
    sums, first = [], 0
    for s in range(shards):
        last = first + n // shards + (s < n % shards)
        loss, residuals = 0.0, np.zeros(y.shape[1])
        if last > first:
            part = RowSource(X[first:last]), RowSource(y[first:last]), None
            loss, residuals = one.evaluate(*part)
        sums.append((loss * (last - first), residuals))
        first = last
    loss, residuals = many.evaluate(RowSource(X), RowSource(y), None)
    expected = tree([loss for loss, _ in sums]) / n
    # Quotients of 32 and 256 rows are exact.
    assert loss == (expected if n == 256 else pytest.approx(expected, rel=1e-12))
    assert np.array_equal(residuals, tree([residuals for _, residuals in sums]))
    cost, at_once = many.loss_and_gradient(RowSource(X), RowSource(y), None)
    assert cost == loss and np.array_equal(at_once, residuals)
    one.loss_and_gradient(RowSource(X), RowSource(y), None)
    assert np.allclose(many.gradient, one.gradient, rtol=1e-3, atol=1e-6)
    assert not np.array_equal(many.gradient, one.gradient) or n < 6


def test_what_shards_cannot_be_or_go_with_is_said():
    for wrong in (0, 4097):
        with pytest.raises(ValueError, match="shards must be from 1 to 4096, got"):
            make_trainer("blockwise", "float32", 10, wrong)
    trainer = make_trainer("blockwise", "float32", 10, 2)
    X, y, _ = map(RowSource, make_rows("blockwise", "float32", 20))
    with pytest.raises(ValueError, match="order of their own"):
        trainer.epoch(X, y, None, order=np.arange(20))
    some = RowSource(X.array[:9]), RowSource(y.array[:9]), None
    for shares in ([4, 4], [9, -1, 1], [3, 3, 3], []):
        with pytest.raises(ValueError, match="shares must be 1 to 2 numbers of rows that are 9 to"):
            trainer.accumulate(*some, shares=shares)


def test_what_is_not_here_has_no_step():
    trainer, sums = make_trainer("blockwise", "float32", 10, 4), np.zeros(5)
    X, y, _ = make_rows("blockwise", "float32", 20)
    some, fewer = ((RowSource(X[:n]), RowSource(y[:n]), None) for n in (10, 3))
    for wrong in ((0, 5, 10), (3, 2, 10), (0, 2, 0)):
        with pytest.raises(ValueError, match="must be shards of 4"):
            ShardSteps(trainer, *wrong)
    steps = ShardSteps(trainer, 1, 3, 10)
    with pytest.raises(ValueError, match="there is no gradient"):
        steps.step()
    with pytest.raises(ValueError, match="shards 1 to 3 of 24 rows have 12, got 10"):
        steps.begin_epoch(*some, rows=24)
    steps.begin_epoch(*some, rows=20)
    for wrong in ((0, 0, 2), (0, 1, 4), (2, 1, 3), (-1, 1, 3)):
        with pytest.raises(ValueError, match="of mini-batch -?\\d are here"):
            steps.node(*wrong, sums)
    steps.node(1, 1, 3, sums)
    steps.step()
    with pytest.raises(ValueError, match="there is no gradient"):
        steps.penalize()
    trainer.accumulate(*fewer)  # takes other rows
    with pytest.raises(ValueError, match="of mini-batch 0 are here"):
        steps.node(0, 1, 3, sums)


def fitted(X, y, **parameters):
    parameters = dict(hidden=(9,), epochs=3, batch_size=20, random_state=3) | parameters
    weights = parameters.pop("sample_weight", None)
    return MLP(**parameters).fit(X, y, sample_weight=weights)


def make_data(n=90):
    X = uniform(5, 0, n * 4).reshape(n, 4) * [1, 10, 100, 1000]
    return X, X @ [1, 0.2, -0.01, 0.001] + uniform(6, 0, n), uniform(7, 0, n) + 0.5


MODELS = {
    "regression": dict(scale_inputs="standard"),
    "classes": dict(class_weight="balanced", l2=0.01, clip_norm=0.1),
    "weighted": dict(weighted=True, dropout=0.2, early_stopping=True),
    "lbfgs": dict(optimizer="lbfgs", batch_size="full", l2=0.01),
    "periodic": dict(numeric_embedding="periodic", learning_rate=Cosine(0.01)),
    "categories": dict(columns={"kind": Embedding(3)}, batch_size=90, l1=0.01, clip_norm=0.5),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_that_of_the_reference_implementation(name):
    X, y, weights = make_data()
    parameters = MODELS[name] | {"dtype": "float64", "shards": 7}
    if parameters.pop("weighted", False):
        parameters["sample_weight"] = weights
    if name == "categories":
        X = {"size": X[:, 0], "kind": np.array(["a", "b", "c", "d"])[(X[:, 1] / 2.5).astype(int)]}
    if name == "classes":
        y = np.digitize(y, [-0.5, 2.0])
    native, python = (fitted(X, y, **parameters, backend=b) for b in ("native", "python"))
    assert np.allclose(native.parameters_, python.parameters_, rtol=1e-9, atol=1e-12)
    for key in native.history_:
        if key != "seconds":
            assert native.history_[key] == pytest.approx(python.history_[key], rel=1e-9)
    one = fitted(X, y, **parameters | {"shards": 1})
    assert not np.array_equal(one.parameters_, native.parameters_)


def test_scaling_is_learned_from_sums_of_shards():
    X, _, weights = make_data()
    weights[::3] = 0
    for w, kept in ((None, slice(None)), (weights[:, None], weights > 0)):
        learned = learn_scaling("standard", X, w, shards=4)
        bounds = np.cumsum([0, 23, 23, 22, 22])
        parts = [X[a:b] * (1 if w is None else w[a:b]) for a, b in pairwise(bounds)]
        total = tree([np.array([part.cumsum(axis=0)[-1]]) for part in parts])[0]
        of = 90 if w is None else tree([w[a:b].cumsum()[-1] for a, b in pairwise(bounds)])
        assert np.array_equal(learned.shift, total / of)
        of_kept = None if w is None else weights[kept]
        assert np.allclose(learned.shift, np.average(X[kept], axis=0, weights=of_kept))


def test_a_training_goes_on_from_its_file_and_only_with_the_same_shards(tmp_path):
    X, y, _ = make_data()
    whole = fitted(X, y, shards=7, epochs=4)
    path = tmp_path / "run.safetensors"

    def stop(model, epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    parts = dict(hidden=(9,), epochs=4, batch_size=20, random_state=3)
    with pytest.raises(KeyboardInterrupt):
        stopped = MLP(**parts, shards=7, callbacks=stop)
        stopped.fit(X, y, checkpoint=path, checkpoint_every="1 epochs")
    with pytest.raises(ValueError, match="shards"):
        MLP(**parts, shards=8).fit(X, y, checkpoint=path)
    model = MLP(**parts, shards=7).fit(X, y, checkpoint=path)
    assert np.array_equal(model.parameters_, whole.parameters_)
    model.save(tmp_path / "model.safetensors")
    assert MLP.load(tmp_path / "model.safetensors").shards == 7


def test_mlp_says_what_shards_cannot_be_or_go_with():
    X, y, _ = make_data()
    for wrong in (0, 4097, "auto"):
        with pytest.raises(
            (ValueError, TypeError), match="shards must be a whole number from 1 to"
        ):
            MLP(shards=wrong)
    with pytest.raises(ValueError, match="shards=2 cuts all rows, and X comes in blocks"):
        MLP(shards=2).fit(RowBlocks([(X[:50], y[:50]), (X[50:], y[50:])], block_rows=8, window=4))
