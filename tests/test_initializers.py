"""Initial weights: of the right size, orthogonal where asked for, and the same bits everywhere."""

import hashlib

import numpy as np
import pytest
from cnn_core.initializers import INITIALIZERS, get_initializer, normal
from scipy import stats

from cnn_core import MLP, LeakyReLU, Normal, Orthogonal

X = np.random.default_rng(0).normal(size=(40, 30))
Y = X[:, 0]


def first_weights(activation="tanh", init="auto", hidden=(50,), seed=0):
    """The initial weights of a float64 network of 30 inputs."""
    model = MLP(
        hidden,
        activation,
        init=init,
        epochs=1,
        learning_rate=1e-300,
        random_state=seed,
        dtype="float64",
    ).fit(X, Y)
    assert all((b == 0).all() or abs(b).max() < 1e-290 for b in model.biases_)
    return model.weights_


# The variances of the papers, for 30 inputs and 50 outputs.
HE, GLOROT, LECUN = 2 / 30, 2 / 80, 1 / 30


@pytest.mark.parametrize("init, activation, variance", [
    ("auto", "relu", HE), ("auto", "gelu", HE), ("auto", "gelu_tanh", HE), ("auto", "elu", HE),
    ("auto", "swish", HE),
    ("auto", "mish", HE), ("auto", "hard_swish", HE), ("auto", "leaky_relu", HE / (1 + 0.01**2)),
    ("auto", LeakyReLU(0.5), HE / 1.25), ("auto", "selu", LECUN), ("auto", "tanh", GLOROT),
    ("auto", "sigmoid", GLOROT),
    ("auto", "softmax", GLOROT), ("auto", "identity", GLOROT), ("he", "tanh", HE),
    ("glorot", "relu", GLOROT),
    ("lecun", "tanh", LECUN), ("normal", "relu", 0.01), (Normal(2.0), "relu", 4.0),
])  # fmt: skip
def test_weights_have_the_variance_of_their_paper(init, activation, variance):
    W = first_weights(activation, init)[0]
    assert W.shape == (50, 30)
    assert W.var() == pytest.approx(variance, rel=0.1)
    assert abs(W.mean()) < 4 * np.sqrt(variance / W.size)


@pytest.mark.parametrize("hidden", [(50,), (30,), (7,)])
def test_orthogonal_weights_are_orthogonal(hidden):
    for gain in (1.0, 1.5):
        W = first_weights(init=Orthogonal(gain), hidden=hidden)[0]
        np.testing.assert_allclose(np.linalg.svd(W, compute_uv=False), gain, rtol=1e-14)


def test_zeros_are_zeros():
    assert not get_initializer("zeros").weights(0, 0, 3, 2, "tanh", 0.0).any()


def test_normal_numbers_are_normal():
    x = normal(3, 1, 100_000)
    assert stats.kstest(x, "norm").pvalue > 0.001
    sums = (x[:-1] + x[1:]) / np.sqrt(2)  # neighbours of a pair are independent
    assert stats.kstest(sums, "norm").pvalue > 0.001
    assert len(normal(3, 1, 1)) == 1 and len(normal(3, 1, 0)) == 0


def test_numbers_of_layers_and_seeds_differ():
    weights = first_weights(init="normal", hidden=(30, 30))
    other = first_weights(init="normal", hidden=(30, 30), seed=1)
    assert not np.array_equal(weights[0], weights[1]) and not np.array_equal(weights[0], other[0])


@pytest.mark.parametrize("init, wanted", [
    ("auto", "06b90a3df58d3a25"), ("normal", "2f7759ba8a7a8a0b"),
    ("orthogonal", "3cccfe56a21e10d4"),
])  # fmt: skip
def test_initial_weights_are_one_hash_on_every_path(init, wanted, isa):
    W = get_initializer(init).weights(5, 2, 33, 17, "relu", 0.0)
    assert hashlib.sha256(W.tobytes()).hexdigest()[:16] == wanted


def test_every_name_trains():
    for name in INITIALIZERS:
        model = MLP((), init=name, epochs=20, random_state=0, learning_rate=0.1).fit(X, Y)
        assert model.history_["loss"][-1] < model.history_["loss"][0]


@pytest.mark.parametrize("init, error, message", [
    ("hee", ValueError, "unknown init 'hee'; did you mean 'he'"),
    (7, TypeError, "init must be a name, an Initializer or a list"),
])  # fmt: skip
def test_an_unknown_init_is_a_clear_error(init, error, message):
    with pytest.raises(error, match=message):
        MLP(4, init=init).fit(X, Y)
    with pytest.raises(ValueError, match="Normal: scale must be a finite number above 0, got 0"):
        Normal(0)
    with pytest.raises(ValueError, match="Orthogonal: gain"):
        Orthogonal(-1)
