"""Weights within bounds: what the native core keeps, and how bounds follow from signs."""

import numpy as np
import pytest
from cnn_core._backprop import Backprop
from cnn_core._network import Network
from cnn_core._trainer import Trainer
from cnn_core.constraints.bounds import bounds_of, flat_bounds
from cnn_core.spec import TrainingSpec
from training_cases import LOSS, SETTINGS, digest, make_rows, make_run, numbers

from cnn_core import MLP, fit_many

X = numbers(5, 200, 3)
WAVES = np.tanh(3 * X[:, 0]) - X[:, 1] ** 3 + np.sin(4 * X[:, 2])


def some_bounds(network, seed=4):
    """Of every kind, for each parameter."""
    kind = np.arange(network.flat().size) * 7 % 5
    size = 0.1 * np.abs(numbers(seed, kind.size))
    lower = np.choose(kind, (-np.inf, 0.0, -np.inf, 0.0, -size))
    upper = np.choose(kind, (np.inf, np.inf, 0.0, 0.0, size))
    return lower, upper


@pytest.mark.parametrize("optimizer", sorted(SETTINGS))
def test_each_step_ends_at_the_nearest_point_within_the_bounds(optimizer, isa, dtype):
    X, _, labels = make_rows(dtype, 96)
    free = make_run(dtype, optimizer, (30, 13, 5, 3), batch=96)
    bounds = some_bounds(free.backprop.network)
    held = make_run(dtype, optimizer, (30, 13, 5, 3), batch=96, bounds=bounds)
    for run in (free, held):
        run.epoch(X, None, labels)
    wanted = np.clip(free.backprop.network.flat(), *(one.astype(dtype) for one in bounds))
    assert np.array_equal(held.backprop.network.flat(), wanted)
    assert not np.array_equal(wanted, free.backprop.network.flat())


@pytest.mark.parametrize("batch", [7, 640])  # blockwise, and tile by tile
def test_bounded_training_gives_the_bits_of_the_oracle_on_any_threads(
    batch, vector_isa, dtype, on_generic
):
    X, _, labels = make_rows(dtype)

    def train(threads=1):
        run = make_run(dtype, widths=(30, 70, 33, 3), batch=batch)
        network = run.backprop.network
        factors = {"rate_factors": [1, 0.5] * 4, "max_norm": 0.9}
        options = {"bounds": some_bounds(network), "threads": threads, **factors}
        run = Trainer(
            Backprop(network, LOSS, batch, l2=1e-2), "adam", SETTINGS["adam"], 7, **options
        )
        run.epoch(X, None, labels)
        return digest(network.parameters)

    assert train() == on_generic(train) == train(2) == train(3)


def test_nan_stays_nan_within_bounds():
    X, _, labels = make_rows("float32", 32)
    run = make_run("float32", "sgd", bounds=some_bounds(make_run("float32").backprop.network))
    run.backprop.network.set_flat(np.full(run.backprop.network.flat().size, np.nan))
    run.epoch(X, None, labels)
    assert np.isnan(run.backprop.network.flat()).all()


def network_of(*widths, **options):
    return Network(widths, ["relu"] * (len(widths) - 2) + ["identity"], "float64", **options)


def test_units_have_both_signs_and_none_in_turn():
    spec = TrainingSpec("mse", monotone=(1, -1, 0))
    lower, upper = bounds_of(network_of(3, 3, 3, 1), spec)
    inf = np.inf
    assert lower[0].tolist() == [[0, -inf, -inf], [-inf, 0, -inf], [0, 0, -inf]]
    assert upper[0].tolist() == [[inf, 0, inf], [0, inf, inf], [0, 0, inf]]
    assert lower[1].tolist() == [[0, -inf, -inf], [-inf, 0, -inf], [0, 0, -inf]]
    assert upper[1].tolist() == [[inf, 0, inf], [0, inf, inf], [0, 0, inf]]
    assert (lower[2].tolist(), upper[2].tolist()) == ([[0, -inf, -inf]], [[inf, 0, inf]])


def test_convex_and_concave_functions_do_not_mix_below_the_output():
    spec = TrainingSpec("mse", convex=(1, -1))
    lower, upper = bounds_of(network_of(2, 2, 2, 1), spec)
    inf = np.inf
    assert (lower[0].tolist(), upper[0].tolist()) == ([[-inf, 0], [0, -inf]], [[inf, 0], [0, inf]])
    assert (lower[1].tolist(), upper[1].tolist()) == ([[0, 0], [0, 0]], [[inf, 0], [0, inf]])
    assert (lower[2].tolist(), upper[2].tolist()) == ([[0, -inf]], [[inf, 0]])


def test_biases_and_embeddings_are_free():
    network = Network((3 + 2, 4, 1), ("relu", "identity"), "float64", None, True, [(5, 2)])
    spec = TrainingSpec("mse", monotone=(1, 1, -1, 0, 0))
    lower, upper = flat_bounds(network, spec)
    assert lower.size == network.flat().size
    free = np.isinf(lower) & np.isinf(upper)
    assert free[20:24].all() and free[28:].all() and not free[24:28].all()
    assert flat_bounds(network, TrainingSpec("mse")) == ()


@pytest.mark.parametrize("init", ["auto", "normal", "orthogonal", "data_driven"])
def test_initial_weights_lie_within_the_bounds_and_keep_their_sizes(init):
    options = dict(hidden=(12, 9), init=init, random_state=3)
    given = {"monotone": {0: 1, 1: -1}}
    held, free = (MLP(**options, **one).initialize(X, WAVES) for one in (given, {}))
    assert held.certify().monotone[:2].tolist() == [1, -1]
    bounds = bounds_of(held._fitted.network, held._fitted.training_spec)
    for layer, W in enumerate(held.weights_):
        assert not len(bounds.broken(layer, W))
    if init == "auto":
        kept = held.weights_[0] != 0
        assert np.array_equal(np.abs(held.weights_[0])[kept], np.abs(free.weights_[0])[kept])


def test_reference_and_native_core_agree_within_bounds():
    options = dict(hidden=(6, 5), monotone={0: 1, 1: -1}, epochs=3, batch_size=16, dtype="float64")
    ours, plain = (
        MLP(**options, random_state=0, backend=backend).fit(X, WAVES)
        for backend in ("native", "python")
    )
    np.testing.assert_allclose(plain.parameters_, ours.parameters_, rtol=1e-12, atol=1e-14)
    assert plain.certify().monotone[:2].tolist() == [1, -1]


def test_many_nets_at_once_keep_their_bounds():
    made = [MLP(8, monotone={0: 1}, epochs=3, random_state=seed) for seed in range(4)]
    alone = [
        MLP(8, monotone={0: 1}, epochs=3, random_state=seed).fit(X, WAVES) for seed in range(4)
    ]
    for one, other in zip(fit_many(made, X, WAVES), alone):
        assert np.array_equal(one.parameters_, other.parameters_)
        assert one.certify().monotone[0] == 1
