"""What the tests of embedded columns and of embedded numbers share: labels and weights of rows,
trainers, and what must not depend on how the work is divided."""

import numpy as np
from cnn_core._backprop import Backprop
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._random import uniform
from cnn_core._trainer import Trainer
from training_cases import LOSS, SETTINGS

from cnn_core import _cpu

ROWS = 300
OPTIONS = {
    "one batch": {},
    "small batches": dict(batch=17),
    "single rows": dict(batch=1),
    "dropout of inputs": dict(batch=100, dropout=True),
    "penalties and norms": dict(batch=64, l1=1e-4, l2=1e-3, clip_norm=0.05, max_norm=0.7),
    "momentum": dict(batch=150, optimizer="sgd"),
}


def with_targets(network, X):
    """X, class indices and weights."""
    labels = (uniform(3, 0, len(X)) * network.widths[-1]).astype(np.int32)[:, None]
    weights = (uniform(4, 0, len(X)) + 0.5).astype(network.dtype)[:, None]
    return X, labels, weights


def trainer_of(network, batch=ROWS, optimizer="adam", dropout=None, threads=1, **options):
    penalties = {name: options.pop(name, 0.0) for name in ("l1", "l2")}
    dropout = [0.25] * network.n_layers if dropout is True else dropout
    backprop = Backprop(network, LOSS, batch, dropout=dropout, **penalties)
    return Trainer(backprop, optimizer, SETTINGS[optimizer], 7, threads=threads, **options)


def train(trainer, X, epochs=2):
    X, labels, weights = with_targets(trainer.backprop.network, X)
    source = RowSource(X)
    costs = [
        trainer.epoch(source, None, RowSource(labels), weights=RowSource(weights))
        for _ in range(epochs)
    ]
    return [np.array(costs), trainer.parameters.copy(), *(slot.copy() for slot in trainer.slots)]


def same(one, other):
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def plain_of(network):
    """The network that reads what the first layer of another reads."""
    plain = Network(network.widths, network.activations, network.dtype.name)
    plain.set_flat(network.flat()[: plain.flat().size])
    return plain


def assert_gradient_is_that_of_a_plain_network(network, X):
    X, labels, _ = with_targets(network, X)
    loss, gradient = Backprop(network, LOSS, ROWS).loss_and_gradient(X, labels[:, 0])
    read, plain = network.read(X), Backprop(plain_of(network), LOSS, ROWS)
    wanted, expected = plain.loss_and_gradient(read, labels[:, 0])
    assert loss == wanted
    assert gradient[: len(expected)].tobytes() == expected.tobytes()
    run = trainer_of(network)
    assert run.loss_and_gradient(RowSource(X), None, RowSource(labels))[0] == loss
    assert run.flat_gradient().tobytes() == gradient.tobytes()


def assert_gradient_agrees_with_differences(trainer, rows, parameters):
    """Of some parameters, by their position in the flat vector."""
    trainer.loss_and_gradient(*rows)
    gradient, w = trainer.flat_gradient(), trainer.backprop.network.flat()
    for i in parameters:
        costs = []
        for h in (1e-6, -1e-6):
            shifted = w.copy()
            shifted[i] += h
            trainer.set_flat(shifted)
            costs.append(trainer.loss_and_gradient(*rows)[0])
        assert abs((costs[0] - costs[1]) / 2e-6 - gradient[i]) < 1e-8


def assert_threads_and_instruction_sets_give_one_result(run, most, on_generic):
    """`run(threads)` trains and returns what must be the same; the oracle has one thread."""
    wanted = on_generic(run, 1)
    for isa in _cpu.instruction_sets():
        before = _cpu.use_instruction_set(isa)
        try:
            for threads in {1, most, 3} if isa != "generic" else {most}:
                assert same(run(threads), wanted), (isa, threads)
        finally:
            _cpu.use_instruction_set(before)


def train_whole_and_in_parts(whole, parts, X, labels, weights):
    """Three steps of two trainers, of which one gets each mini-batch in three parts."""
    weight = float(np.cumsum(weights[:, 0], dtype=np.float64)[-1])
    for _ in range(3):
        whole.epoch(RowSource(X), None, RowSource(labels), False, None, RowSource(weights))
        for first, last in ((0, 64), (64, 65), (65, len(X))):
            rows = [RowSource(array[first:last]) for array in (X, labels, weights)]
            parts.accumulate(rows[0], None, *rows[1:], weight=weight, first=first)
        parts.apply()
