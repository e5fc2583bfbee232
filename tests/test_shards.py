"""Rows in shards: sums over the rows of each, added along a tree, to the same bits wherever the
shards are."""

import numpy as np
import pytest
from cnn_core._backprop import Backprop
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._random import shard_order, uniform
from cnn_core._trainer import Trainer
from cnn_core.reference import random as reference

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


def make_trainer(net, dtype, batch_size, shards=1, threads=1, weight_seed=1, **options):
    widths, activations = NETS[net]
    network = Network(widths, activations, dtype)
    network.set_flat((2 * uniform(weight_seed, 0, network.flat().size) - 1) * 0.2)
    dropout = [0.0, *([0.25] * (len(activations) - 1))]
    backprop = Backprop(network, "mse", batch_size, l1=1e-4, l2=1e-3, dropout=dropout)
    return Trainer(backprop, "sgd", SGD, 7, threads=threads, shards=shards, **options)


def make_rows(net, dtype, n):
    n_in, n_out = NETS[net][0][0], NETS[net][0][-1]
    X = (2 * uniform(2, 0, n * n_in) - 1).reshape(n, n_in).astype(dtype)
    y = uniform(3, 0, n * n_out).reshape(n, n_out).astype(dtype)
    return X, y, (uniform(4, 0, n) + 0.5).astype(dtype)[:, None]


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


@pytest.mark.parametrize("net, n, shards", [("blockwise", 301, 7), ("two-phase", 5, 8)])
def test_costs_and_metrics_are_sums_of_shards(net, n, shards, isa, dtype):
    X, y, _ = make_rows(net, dtype, n)
    one, many = (make_trainer(net, dtype, 301, s) for s in (1, shards))
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
    assert loss == pytest.approx(tree([loss for loss, _ in sums]) / n, rel=1e-12)
    assert np.array_equal(residuals, tree([residuals for _, residuals in sums]))
    cost, at_once = many.loss_and_gradient(RowSource(X), RowSource(y), None)
    assert np.array_equal(at_once, residuals)
    assert cost == pytest.approx(one.loss_and_gradient(RowSource(X), RowSource(y), None)[0])
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
