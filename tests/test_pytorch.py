"""Whole training runs against runs recorded with PyTorch (tests/data/record_pytorch.py)."""

from pathlib import Path

import numpy as np
import pytest

from cnn_core import MLP, SGD, Adam

recorded = np.load(Path(__file__).parent / "data" / "pytorch.npz")

CASES = {
    "softmax_adam": dict(hidden=(8, 6), activation="tanh", optimizer=Adam(0.01)),
    "sigmoid_nesterov": dict(hidden=9, optimizer=SGD(0.05, momentum=0.9, nesterov=True)),
    "regression_momentum": dict(hidden=17, activation="sigmoid", optimizer=SGD(0.02, momentum=0.8)),
    "softmax_mse_sgd": dict(hidden=11, output="softmax", loss="mse", optimizer="sgd", learning_rate=0.3),
}


def test_every_recorded_run_is_tested():
    assert {key.split("/")[0] for key in recorded} == set(CASES)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_training_run_equals_pytorch(name, dtype, isa):
    run = {key.removeprefix(name + "/"): recorded[key] for key in recorded if key.startswith(name + "/")}
    n_layers = sum(key.startswith("initial/") for key in run) // 2
    init = [(run[f"initial/{2 * l}"], run[f"initial/{2 * l + 1}"]) for l in range(n_layers)]
    model = MLP(**CASES[name], init=init, batch_size=8, epochs=5, shuffle=False, dtype=dtype)
    model.fit(run["X"], run["y"])
    # Rounding alone: 20 steps, sums of up to 17 terms in another order.
    tolerance = 1e-12 if dtype == "float64" else 2e-5
    np.testing.assert_allclose(model.history_["loss"], run["loss"], rtol=tolerance)
    for l in range(n_layers):
        scale = np.abs(run[f"final/{2 * l}"]).max()
        np.testing.assert_allclose(model.weights_[l], run[f"final/{2 * l}"], rtol=tolerance, atol=tolerance * scale)
        np.testing.assert_allclose(model.biases_[l], run[f"final/{2 * l + 1}"], rtol=tolerance, atol=tolerance * scale)


def test_the_recorded_runs_learned_something():
    for name in CASES:
        assert recorded[f"{name}/loss"][-1] < recorded[f"{name}/loss"][0]
