"""Whole training runs against runs recorded with PyTorch (tests/data/record_pytorch.py)."""

from pathlib import Path

import numpy as np
import pytest

from cnn_core import LBFGS, MLP, SGD, Adadelta, Adagrad, Adam, AdamW, Huber, Nadam, RMSprop, Rprop

recorded = np.load(Path(__file__).parent / "data" / "pytorch.npz")

CASES = {
    "softmax_adam": dict(hidden=(8, 6), activation="tanh", optimizer=Adam(0.01)),
    "sigmoid_nesterov": dict(hidden=9, optimizer=SGD(0.05, momentum=0.9, nesterov=True)),
    "regression_momentum": dict(hidden=17, activation="sigmoid", optimizer=SGD(0.02, momentum=0.8)),
    "softmax_mse_sgd": dict(
        hidden=11, output="softmax", loss="mse", optimizer="sgd", learning_rate=0.3
    ),
    "huber_gelu": dict(hidden=12, activation="gelu", loss=Huber(0.7), optimizer=Adam(0.01)),
    "mae_mish": dict(hidden=12, activation="mish", loss="mae", optimizer=Adam(0.01)),
    "poisson_elu": dict(
        hidden=12, activation="elu", loss="poisson", task="regression", optimizer=Adam(0.01)
    ),
}
CASES["no_bias_adamw"] = dict(
    hidden=(8, 6), activation="tanh", bias=False, optimizer=AdamW(0.01, weight_decay=0.1)
)
CASES["no_bias_sgd"] = dict(hidden=17, bias=False, optimizer=SGD(0.02, momentum=0.8, nesterov=True))
OPTIMIZERS = {
    "sgd": SGD(0.1, momentum=0.9, nesterov=True),
    "adagrad": Adagrad(0.05),
    "adadelta": Adadelta(),
    "rmsprop": RMSprop(0.005, momentum=0.5),
    "adam": Adam(0.01),
    "amsgrad": Adam(0.01, beta2=0.9, amsgrad=True),
    "adamw": AdamW(0.01, weight_decay=0.1),
    "nadam": Nadam(0.01),
    "rprop": Rprop(0.01),
    "lbfgs": LBFGS(),
}
for optimizer_name, optimizer in OPTIMIZERS.items():
    CASES[optimizer_name] = dict(hidden=9, activation="tanh", optimizer=optimizer)


def test_every_recorded_run_is_tested():
    assert {key.split("/")[0] for key in recorded} == set(CASES)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_training_run_equals_pytorch(name, dtype, isa):
    run = {
        key.removeprefix(name + "/"): recorded[key]
        for key in recorded
        if key.startswith(name + "/")
    }
    each = 1 if name.startswith("no_bias") else 2  # parameters of a layer
    initial, final = (
        [run[f"{when}/{i}"] for i in range(sum(key.startswith(f"{when}/") for key in run))]
        for when in ("initial", "final")
    )
    init = [(W, b) for W, b in zip(initial[::each], initial[1::2] if each == 2 else [None] * 3)]
    batch, epochs = (10, 10) if name in OPTIMIZERS else (8, 5)
    if name in ("rprop", "lbfgs"):
        batch, epochs = "full", 30
    model = MLP(
        **CASES[name], init=init, batch_size=batch, epochs=epochs, shuffle=False, dtype=dtype,
        scale_inputs=None, scale_targets=None,
    )  # fmt: skip
    model.fit(run["X"], run["y"])
    # Rounding alone: up to 30 steps, sums of up to 17 terms in another order, functions of a few
    # ulp; the quotients of Adagrad and its like magnify it where gradients are small.
    tolerance = 1e-11 if dtype == "float64" else 2e-4
    if name == "nadam":
        tolerance = max(tolerance, 1e-9)  # PyTorch keeps the product of all mu in float32
    if name == "lbfgs" and dtype == "float32":
        # Each step divides by differences of gradients, which rounding has spoilt at the end.
        tolerance = 1e-2
    np.testing.assert_allclose(model.history_["loss"], run["loss"], rtol=tolerance)
    got = [part for pair in zip(model.weights_, model.biases_) for part in pair[:each]]
    for part, expected in zip(got, final, strict=True):
        atol = tolerance * np.abs(expected).max()
        np.testing.assert_allclose(part, expected, rtol=tolerance, atol=atol)


def test_the_recorded_runs_learned_something():
    for name in CASES:
        assert recorded[f"{name}/loss"][-1] < recorded[f"{name}/loss"][0]
