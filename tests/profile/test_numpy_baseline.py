"""The NumPy baseline of `MLP.profile` trains what the native core trains."""

import numpy as np
import pytest
from cnn_core.optimizers import get_optimizer
from cnn_core.profile.numpy_baseline import ACTIVATIONS, DERIVATIVES, Trainer, forward

from cnn_core import MLP, SGD, Huber, LeakyReLU
from cnn_core import functional as F

EPOCHS = 3
SEED = int(np.random.SeedSequence(5).generate_state(1, np.uint64)[0])  # of random_state=5
RNG = np.random.default_rng(0)
X = RNG.random((90, 6))
THREE = np.arange(90) % 3


def parameters_of_both(y, targets, output="softmax", dtype="float64", **options):
    """The parameters after some epochs: those of the native core, those of NumPy with its order of
    the rows, and those that both began with."""
    options = dict(hidden=(8, 5), batch_size=16, dtype=dtype, random_state=5) | options
    options |= {"scale_inputs": None, "scale_targets": None}
    core = MLP(**options, epochs=EPOCHS).fit(X, y)
    # A step so small that no weight changes shows the initial ones.
    start = MLP(**options | {"optimizer": SGD(1e-300)}, epochs=1).fit(X, y)
    optimizer = get_optimizer(core.optimizer)
    baseline = Trainer(
        list(zip(start.weights_, start.biases_)),
        [options.get("activation", "relu")] * (len(start.weights_) - 1) + [output],
        optimizer.name,
        optimizer.settings(),
        16,
    )
    rows = X.astype(dtype)
    for epoch in range(EPOCHS):
        shuffled = options.get("shuffle", True)
        baseline.epoch(rows, targets, F.permutation(SEED, epoch, 90) if shuffled else None)
    flat = np.concatenate([part.ravel() for W, b in baseline.layers for part in (W.T, b)])
    return core.parameters_, flat, start.parameters_


CASES = [
    {"activation": "relu"},
    {"activation": "tanh"},
    {"activation": "sigmoid"},
    {"optimizer": "sgd"},
    {"optimizer": SGD(0.05, momentum=0.9)},
    {"optimizer": SGD(0.05, momentum=0.9, nesterov=True)},
    {"shuffle": False},
    {"hidden": ()},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_trains_as_the_core_does(case):
    core, numpy, start = parameters_of_both(THREE, THREE, **case)
    np.testing.assert_allclose(numpy, core, rtol=0, atol=1e-8)
    assert np.abs(core - start).max() > 0.002


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_takes_rows_of_targets_for_the_categorical_crossentropy(smoothing):
    targets = np.eye(3)[THREE] * (1 - smoothing) + smoothing / 3
    core, numpy, _ = parameters_of_both(
        THREE, targets, loss="categorical_crossentropy", label_smoothing=smoothing
    )
    np.testing.assert_allclose(numpy, core, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    "y, output",
    [
        (np.arange(90) % 2, "sigmoid"),
        (np.arange(90.0) / 90, "identity"),
        (np.arange(180).reshape(90, 2) % 3 % 2, "sigmoid"),
    ],
    ids=["two classes", "regression", "several labels"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_knows_the_usual_tasks(y, output, dtype):
    targets = y.reshape(90, -1).astype(dtype)
    core, numpy, _ = parameters_of_both(y, targets, output, dtype)
    assert numpy.dtype == dtype
    np.testing.assert_allclose(numpy, core, rtol=0, atol=1e-4 if dtype == "float32" else 1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_it_stays_in_float32(name):
    z = np.linspace(-4, 4, 41, dtype=np.float32).reshape(-1, 1)
    a = ACTIVATIONS[name](z.copy())
    assert a.dtype == np.float32
    if name in DERIVATIVES:
        assert (z * DERIVATIVES[name](a)).dtype == np.float32


def test_it_predicts_what_the_core_predicts():
    model = MLP((8, 5), epochs=1, dtype="float64", random_state=0).fit(X, THREE)
    layers = [(W.T, b) for W, b in zip(model.weights_, model.biases_)]
    outputs = forward(layers, ("relu", "relu", "softmax"), X)[-1]
    np.testing.assert_allclose(outputs, model.forward(X), rtol=1e-12)


@pytest.mark.parametrize(
    "options, unknown",
    [
        ({"activation": ("gelu", "gelu"), "optimizer": "nadam", "l1": 0.1},
         "the activation 'gelu', the optimizer 'nadam', l1"),
        ({"activation": (LeakyReLU(0.2), "relu")}, "the activation 'leaky_relu'"),
        ({"loss": Huber(), "task": "regression"}, "the loss 'huber'"),
        ({"loss": "mse", "output": "tanh", "task": "regression"},
         "the loss 'mse' of outputs that are 'tanh'"),
        ({"dropout": 0.1, "l2": 0.1, "max_norm": 1.0, "clip_norm": 1.0},
         "l2, dropout, max_norm, clip_norm"),
    ],
)  # fmt: skip
def test_a_profile_says_in_one_sentence_what_it_does_not_know(options, unknown):
    profile = MLP(**{"hidden": (8, 5)} | options).profile(X, THREE - 1, seconds=0.01)
    baseline = profile["totals"]["numpy"]
    reason = f"it does not know {unknown}"
    assert baseline == dict.fromkeys(baseline) | {"unsupported_reason": reason}
    text = " ".join(str(profile).split())
    assert f"NumPy by hand is not measured: {reason}." in text
