"""Dropout: which outputs go follows from seed, layer, step, row and column alone, and the gradient
knows of it."""

import hashlib

import numpy as np
import pytest
from cnn_core._backprop import Backprop
from cnn_core._dataset import RowSource
from cnn_core._dropout import drop
from cnn_core._network import Network
from cnn_core._random import uniform
from cnn_core._trainer import Trainer

from cnn_core import MLP

LOSS = "sparse_categorical_crossentropy"


def numbers(seed, *shape, dtype="float64"):
    return (2 * uniform(seed, 0, int(np.prod(shape))) - 1).reshape(shape).astype(dtype)


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()[
        :16
    ]


def make_run(
    dtype, dropout, activations=("relu", "selu", "softmax"), batch=32, rate=0.1, optimizer="adam"
):
    network = Network((30, 64, 33, 3), activations, dtype)
    network.set_flat(numbers(1, network.flat().size) * 0.3)
    settings = (
        dict(learning_rate=rate, beta1=0.9, beta2=0.999, epsilon=1e-8)
        if optimizer == "adam"
        else dict(learning_rate=rate, momentum=0, nesterov=0)
    )
    return Trainer(Backprop(network, LOSS, batch, dropout=dropout), optimizer, settings, 7)


def make_rows(dtype, rows=640):
    labels = (uniform(3, 0, rows) * 3).astype(np.int32)[:, None]
    return RowSource(numbers(2, rows, 30, dtype=dtype)), None, RowSource(labels)


# 20 steps with dropout 0.2, 0.5, 0.3 on every machine: a change of these numbers is a change of the
# promise.
GOLDEN = {"float32": "a9df71b5c72045c4", "float64": "4ae9fb2e83618007"}


def test_twenty_steps_with_dropout_give_one_hash_on_every_path(isa, dtype):
    run = make_run(dtype, (0.2, 0.5, 0.3))
    run.epoch(*make_rows(dtype))
    assert digest(run.backprop.network.flat(), *run.slots) == GOLDEN[dtype]


@pytest.mark.parametrize("rows, n", [(1, 1), (3, 31), (3, 32), (5, 33), (48, 100), (2, 5)])
def test_every_path_drops_what_the_oracle_drops(rows, n, vector_isa, dtype, on_generic):
    a = numbers(5, rows, n, dtype=dtype)
    for rate, alpha_dropout in ((0.3, False), (0.3, True), (0.0, False)):
        ours, oracle = (
            drop(a, rate, 9, 3, 1, alpha_dropout=alpha_dropout),
            on_generic(lambda: drop(a, rate, 9, 3, 1, alpha_dropout=alpha_dropout)),
        )
        assert digest(*ours) == digest(*oracle)


def test_what_goes_depends_on_seed_step_layer_row_and_column_alone(isa):
    a = np.ones((40, 70))
    base = drop(a, 0.5, 1, 2, 3)[1]
    assert np.array_equal(drop(a[:7, :33].copy(), 0.5, 1, 2, 3)[1], base[:7, :33])
    assert np.array_equal(drop(a.astype("float32"), 0.5, 1, 2, 3)[1], base)
    for other in ((2, 2, 3), (1, 3, 3), (1, 2 + 2**32, 3), (1, 2, 4)):
        assert 0.4 < np.mean(drop(a, 0.5, *other)[1] == base) < 0.6


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_the_share_that_goes_is_the_rate_and_the_mean_stays(rate):
    a = np.ones((500, 400))
    kept, slope = drop(a, rate, 4, 0, 0)
    assert np.mean(slope == 0) == pytest.approx(
        rate, abs=5 * np.sqrt(rate * (1 - rate) / a.size) + 1e-12
    )
    assert set(np.unique(kept)) <= {0.0, 1 / (1 - rate)}
    assert np.array_equal(kept, slope)


def test_neighbours_fall_independently():
    gone = drop(np.ones((400, 500)), 0.5, 8, 0, 0)[1] == 0
    for shifted in (
        np.roll(gone, 1, 0),
        np.roll(gone, 1, 1),
        np.roll(gone, 4, 1),
        np.roll(gone, 32, 1),
    ):
        assert np.mean(gone == shifted) == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(gone.size))


def test_alpha_dropout_keeps_mean_0_and_variance_1():
    # Klambauer et al. 2017: for inputs of mean 0 and variance 1.
    a = np.random.default_rng(0).normal(size=(1000, 400))
    for rate in (0.05, 0.2, 0.5):
        kept, _ = drop(a, rate, 4, 0, 1, alpha_dropout=True)
        assert kept.mean() == pytest.approx(0, abs=0.01) and kept.var() == pytest.approx(
            1, abs=0.01
        )


def test_the_gradient_is_that_of_the_thinned_network(isa):
    # The same step of the same run drops the same outputs, so the cost of that step is a function
    # of the weights.
    X, _, labels = make_rows("float64", 20)

    def loss_and_gradient(w):
        run = make_run("float64", (0.2, 0.5, 0.3), ("tanh", "selu", "softmax"), 20, 1e-300, "sgd")
        run.set_flat(w)
        return run.epoch(X, None, labels, shuffled=False)[0], run.flat_gradient()

    w = numbers(1, 30 * 64 + 64 + 64 * 33 + 33 + 33 * 3 + 3) * 0.3
    _, gradient = loss_and_gradient(w)
    other = make_run("float64", (0.2, 0.4, 0.3), ("tanh", "selu", "softmax"), 20, 1e-300, "sgd")
    other.set_flat(w)
    other.epoch(X, None, labels, shuffled=False)
    assert (
        np.abs(gradient - other.flat_gradient()).max() > 1e-3
    )  # the test would see a mask that is ignored
    for i in [*range(0, len(w), 97), 30 * 64 + 1, len(w) - 1]:
        step = np.zeros_like(w)
        step[i] = 1e-6
        numeric = (loss_and_gradient(w + step)[0] - loss_and_gradient(w - step)[0]) / 2e-6
        assert gradient[i] == pytest.approx(numeric, abs=1e-8)


def test_gradients_of_mini_batches_of_any_size_are_right_under_dropout(isa):
    # More rows than pass the layers together: the second block of rows has masks of its own.
    X, _, labels = make_rows("float64", 100)
    run = make_run("float64", (0.0, 0.5, 0.0), batch=100, rate=1e-300, optimizer="sgd")
    cost, _ = run.epoch(X, None, labels, shuffled=False)
    network = run.backprop.network
    a1 = np.maximum(X.array @ network.weights(0).T + network.bias(0), 0)
    kept, _ = drop(a1, 0.5, 7, 0, 1)
    z2 = kept @ network.weights(1).T + network.bias(1)
    a2 = 1.0507009873554805 * np.where(z2 > 0, z2, 1.6732632423543772 * np.expm1(z2))
    z3 = a2 @ network.weights(2).T + network.bias(2)
    log_p = z3 - np.log(np.exp(z3).sum(axis=1, keepdims=True))
    assert cost == pytest.approx(-log_p[np.arange(100), labels.array[:, 0]].mean(), rel=1e-12)


def test_dropout_ends_with_the_epoch(isa):
    X, _, labels = make_rows("float32")
    run = make_run("float32", (0.5, 0.5, 0.5), rate=1e-30)
    with_dropout, _ = run.epoch(X, None, labels)
    plain = make_run("float32", None, rate=1e-30)
    assert run.evaluate(X, None, labels) == plain.evaluate(X, None, labels)
    assert with_dropout > 1.01 * run.evaluate(X, None, labels)[0]


def test_a_rate_of_0_gives_the_bits_of_no_dropout(dtype):
    runs = make_run(dtype, (0.0, 0.0, 0.0)), make_run(dtype, None)
    for run in runs:
        run.epoch(*make_rows(dtype))
    assert digest(runs[0].backprop.network.flat()) == digest(runs[1].backprop.network.flat())


def test_mlp_takes_one_rate_for_the_hidden_layers_or_one_for_each():
    X, y = numbers(1, 60, 4), (uniform(2, 0, 60) > 0.5).astype(int)
    one, each = (
        MLP((8, 5), epochs=3, dropout=dropout, random_state=0).fit(X, y)
        for dropout in (0.3, (0, 0.3, 0.3))
    )
    inputs = MLP((8, 5), epochs=3, dropout=(0.3, 0.3, 0.3), random_state=0).fit(X, y)
    assert np.array_equal(one.parameters_, each.parameters_)
    assert not np.array_equal(one.parameters_, inputs.parameters_)
    assert np.array_equal(one.predict(X), one.predict(X))


@pytest.mark.parametrize("dropout, message", [
    (1.0, "dropout must be a finite number at least 0 and below 1, got 1.0"),
    (-0.1, "dropout must be"),
    ((0.1, 0.2), "one for each of the 2 hidden layers; got 2"),
    ((0, 0.5, 1.5), "dropout of hidden layer 2 must be .* got 1.5"),
    ((float("nan"), 0, 0), "dropout of the inputs"),
])  # fmt: skip
def test_rates_that_make_no_sense_are_clear_errors(dropout, message):
    with pytest.raises(ValueError, match=message):
        MLP((8, 5), dropout=dropout)
    with pytest.raises(TypeError, match="dropout must be a number"):
        MLP((8, 5), dropout="much")


def test_low_level_rates_are_checked():
    with pytest.raises(ValueError, match="each of the 1 layers a rate of at least 0 and below 1"):
        Backprop(Network((3, 2), ("identity",)), "mse", 4, dropout=(1.0,))
    with pytest.raises(ValueError, match="rate must be at least 0 and below 1, got 1.0"):
        drop(np.ones((2, 2)), 1.0, 0, 0, 0)
