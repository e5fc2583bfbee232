"""The seam of a training step: gradients of some rows of a mini-batch, added up, and one step."""

import time

import numpy as np
import pytest
from cnn_core._backprop import Backprop
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._random import uniform
from cnn_core._trainer import Trainer
from embedding_cases import train_whole_and_in_parts

ADAM = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
#: Blockwise with a transposed last layer, the same row-major, two-phase, layer-parallel.
NETS = {
    "blockwise": ((7, 20, 3), ("relu", "softmax"), 1),
    "row-major": ((7, 20, 40), ("tanh", "softmax"), 1),
    "two-phase": ((100, 200, 3), ("relu", "softmax"), 1),
    "layer-parallel": ((130, 300, 200, 7), ("relu", "tanh", "softmax"), 2),
}


def make_trainer(net, dtype, dropout=None, **options):
    widths, activations, threads = NETS[net]
    network = Network(widths, activations, dtype)
    network.set_flat((2 * uniform(1, 0, network.flat().size) - 1) * 0.2)
    backprop = Backprop(
        network, "sparse_categorical_crossentropy", 300, l1=1e-4, l2=1e-3, dropout=dropout
    )
    return Trainer(backprop, "adam", ADAM, 7, threads=threads, **options)


def make_rows(net, dtype):
    n_in, n_out = NETS[net][0][0], NETS[net][0][-1]
    X = (2 * uniform(2, 0, 300 * n_in) - 1).reshape(300, n_in).astype(dtype)
    labels = (uniform(3, 0, 300) * n_out).astype(np.int32)[:, None]
    return X, labels, (uniform(4, 0, 300) + 0.5).astype(dtype)[:, None]


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, dict(clip_norm=0.01), dict(max_norm=0.5)])
@pytest.mark.parametrize("net", NETS)
def test_rows_in_parts_give_the_bits_of_a_whole_mini_batch(net, options, isa, dtype):
    dropout = [0.0, *([0.25] * (len(NETS[net][1]) - 1))]
    X, labels, weights = make_rows(net, dtype)
    whole, parts = (make_trainer(net, dtype, dropout, **options) for _ in range(2))
    train_whole_and_in_parts(whole, parts, X, labels, weights)
    assert parts.steps == whole.steps == 3
    assert np.array_equal(parts.parameters, whole.parameters)
    assert all(np.array_equal(a, b) for a, b in zip(parts.slots, whole.slots))


@pytest.mark.parametrize("net", NETS)
def test_losses_of_the_parts_add_up_and_the_gradient_can_be_read(net, dtype):
    X, labels, _ = make_rows(net, dtype)
    trainer, other = make_trainer(net, dtype), make_trainer(net, dtype)
    loss, _ = other.loss_and_gradient(RowSource(X), None, RowSource(labels))
    total = 0.0
    for first in (0, 100, 200):
        rows = [RowSource(array[first : first + 100]) for array in (X, labels)]
        total += trainer.accumulate(rows[0], None, rows[1], weight=300, first=first)
    before = trainer.gradient.copy()
    penalty = trainer.apply()
    assert total + penalty == pytest.approx(loss, rel=1e-6)
    assert np.abs(before - other.gradient).max() <= 1.1e-4 + 1e-3  # that of the penalty is left out
    assert np.array_equal(trainer.gradient, other.gradient)


def test_what_is_missing_or_wrong_is_said():
    X, labels, _ = make_rows("blockwise", "float32")
    trainer, rows = make_trainer("blockwise", "float32"), (RowSource(X), None, RowSource(labels))
    with pytest.raises(ValueError, match="no gradient to apply"):
        trainer.apply()
    for wrong, message in ((dict(weight=0), "weight must be"), (dict(first=-1), "first must be")):
        with pytest.raises(ValueError, match=message):
            trainer.accumulate(*rows, **wrong)
    with pytest.raises(ValueError, match="1 to 300 rows, got 600"):
        trainer.accumulate(RowSource(np.tile(X, (2, 1))), None, RowSource(np.tile(labels, (2, 1))))
    with pytest.raises(ValueError, match="no optimizer"):
        Trainer(trainer.backprop, None, {}).accumulate(*rows)
    for overwrite in (
        lambda: trainer.epoch(*rows),
        lambda: trainer.loss_and_gradient(*rows),
        lambda: trainer.backprop.loss_and_gradient(X, labels[:, 0]),
    ):
        trainer.accumulate(*rows)
        overwrite()
        with pytest.raises(ValueError, match="no gradient to apply"):
            trainer.apply()


def test_new_parameters_begin_a_new_mini_batch():
    X, labels, _ = make_rows("two-phase", "float32")
    trainer, other = make_trainer("two-phase", "float32"), make_trainer("two-phase", "float32")
    rows, values = (RowSource(X), None, RowSource(labels)), trainer.backprop.network.flat() * 0.5
    trainer.accumulate(*rows)
    for one in (trainer, other):
        one.set_flat(values)
        one.accumulate(*rows)
    assert np.array_equal(trainer.gradient, other.gradient)


@pytest.mark.slow
def test_time_between_the_calls_counts_for_no_phase():
    X, labels, _ = make_rows("blockwise", "float32")
    trainer, rows = make_trainer("blockwise", "float32", timing=True), (RowSource(X), None)
    calls = (trainer.accumulate, trainer.evaluate, trainer.loss_and_gradient, trainer.accumulate)
    for call in calls:
        time.sleep(0.4)
        call(*rows, RowSource(labels))
    time.sleep(0.4)
    trainer.apply()
    assert 0 < sum(trainer.seconds.values()) < 0.4


def test_an_unknown_option_is_named():
    network = Network((3, 2), ("identity",))
    with pytest.raises(TypeError, match="unknown option 'clipnorm'; there are timing, clip_norm"):
        Trainer(Backprop(network, "mse", 4), None, {}, clipnorm=1.0)
