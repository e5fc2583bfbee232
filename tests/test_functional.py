"""The public names of the compiled pieces."""

import doctest
import inspect
import re

import numpy as np
import pytest

import cnn_core
from cnn_core import functional as F

W = np.array([[1.0, -2.0], [0.5, 3.0], [0.0, 1.0]])  # 3 outputs, 2 inputs
X = np.array([[1.0, 2.0], [-1.0, 0.5]])
Z = X @ W.T
DELTA = np.array([[1.0, 0.0, -1.0], [2.0, 1.0, 0.0]])

#: One call of each function with what it has to give, worked out by NumPy here.
CALLS = {
    "matvec": (lambda: F.matvec(W, X[0], np.ones(3)), W @ X[0] + 1),
    "matmul": (lambda: F.matmul(X, W.T.copy()), Z),
    "affine": (lambda: F.affine(X, F.pack(W))[:, :3], Z),
    "pack": (lambda: F.pack(W)[0, :, :3], W.T),
    "unpack": (lambda: F.unpack(F.pack(W), 3), W),
    "activation": (lambda: F.activation("relu", Z), np.maximum(Z, 0)),
    "activation_derivative": (lambda: F.activation_derivative("relu", Z), (Z > 0) * 1.0),
    "activation_derivative_from_a": (
        lambda: F.activation_derivative_from_a("tanh", np.tanh(Z)),
        1 - np.tanh(Z) ** 2,
    ),
    "activation_backward": (lambda: F.activation_backward("relu", Z, DELTA), DELTA * (Z > 0)),
    "activation_second_derivative": (
        lambda: F.activation_second_derivative("tanh", Z),
        -2 * np.tanh(Z) * (1 - np.tanh(Z) ** 2),
    ),
    "activation_backward_along": (
        lambda: F.activation_backward_along("exp", Z, DELTA, Z, DELTA),
        np.exp(Z) * (DELTA + Z * DELTA),
    ),
    "loss_curvature": (lambda: F.loss_curvature("mse", Z, DELTA, Z + 1), Z + 1),
    "loss": (lambda: F.loss("mae", Z, DELTA)[1], np.sign(Z - DELTA)),
    "loss_from_a": (lambda: F.loss_from_a("poisson", X**2, X**2)[1], np.zeros((2, 2))),
    "backward_delta": (lambda: F.backward_delta(W, DELTA, X, "relu"), (DELTA @ W) * (X > 0)),
    "gradients": (lambda: F.gradients(DELTA, X)[0], DELTA.T @ X),
    "dropout": (lambda: F.dropout(Z, 0.0, seed=0, step=0, layer=0)[0], Z),
    "permutation": (lambda: np.sort(F.permutation(1, 0, 7)), np.arange(7)),
    "uniform": (lambda: np.floor(F.uniform(1, 0, 7)), np.zeros(7)),
    "activation_names": (lambda: "relu" in F.activation_names(), True),
    "activation_parameters": (lambda: F.activation_parameters()["leaky_relu"][1], 0.01),
    "loss_names": (lambda: "mse" in F.loss_names(), True),
    "loss_table": (lambda: tuple(F.loss_table()) == F.loss_names(), True),
    "optimizer_names": (lambda: "adam" in F.optimizer_names(), True),
    "optimizer_settings": (lambda: F.optimizer_settings("sgd")[0] == "learning_rate", True),
    "math_functions": (lambda: F.math_functions()["exp"] < 4, True),
    "instruction_sets": (lambda: F.instruction_sets()[-1] == "generic", True),
    "instruction_set": (lambda: F.instruction_set() in F.instruction_sets(), True),
    "use_instruction_set": (
        lambda: F.use_instruction_set(F.instruction_set()) == F.instruction_set(),
        True,
    ),
    "fma_peak": (lambda: F.fma_peak(seconds=0.001) > 0, True),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_function_computes_what_it_says(name):
    call, expected = CALLS[name]
    np.testing.assert_allclose(call(), expected, rtol=1e-12)


def test_a_mathematical_function_fills_its_output():
    x, out = np.linspace(-1, 1, 16), np.empty(16)
    F.apply_math_function("exp", x, out)
    np.testing.assert_allclose(out, np.exp(x), rtol=1e-14)


def test_a_network_is_trained_by_hand():
    network = F.Network((1, 1), ("identity",), "float64")
    settings = cnn_core.SGD(learning_rate=0.5).settings()
    trainer = F.Trainer(F.Backprop(network, "mse", 1), "sgd", settings)
    trainer.epoch(F.RowSource(np.array([[2.0]])), F.RowSource(np.array([[6.0]])), None)
    assert network.flat().tolist() == [
        6.0,
        3.0,
    ]  # -0.5 * dC/dw of C = (a - 6)^2 / 2 at a = 0, x = 2


def test_all_names_are_there_documented_and_listed_in_the_modules_table():
    table = F.__doc__.split("Examples")[0].split("=\n", 1)[1]
    assert re.findall(r"`(\w+)`", table) and sorted(F.__all__) == F.__all__
    assert sorted(re.findall(r"`(\w+)`", table)) == F.__all__
    public = {name for name in vars(F) if not name.startswith("_")}
    assert public == set(F.__all__)
    classes = {name for name in F.__all__ if inspect.isclass(getattr(F, name))}
    assert set(F.__all__) == set(CALLS) | classes | {"apply_math_function"}
    for name in F.__all__:
        text = getattr(F, name).__doc__
        assert len(text.splitlines()) > 3, name


def test_the_example_of_the_module_is_right():
    assert doctest.testmod(F) == (0, 5)


def test_the_package_has_it_as_an_attribute():
    assert cnn_core.functional is F


@pytest.mark.parametrize(
    "wrong, given",
    [
        (np.ones((2, 2), np.int64), "int64"),
        (X.astype(np.float16), "float16"),
        ([[1.0]], "list"),
        (None, "NoneType"),
    ],
)
@pytest.mark.parametrize(
    "call, name",
    [
        (lambda x: F.matvec(x, X[0]), "W"),
        (lambda x: F.matvec(X, x), "x"),
        (lambda x: F.matmul(x, X), "A"),
        (lambda x: F.matmul(A=X, B=x), "B"),
        (lambda x: F.affine(x, F.pack(W)), "X"),
        (lambda x: F.affine(X, x), "panels"),
        (F.pack, "W"),
        (lambda x: F.unpack(x, 2), "panels"),
        (lambda x: F.activation("relu", x), "z"),
        (lambda x: F.activation_derivative("softmax", x), "z"),
        (lambda x: F.activation_backward("relu", x, X), "z"),
        (lambda x: F.activation_backward("relu", X, x), "gradient"),
        (lambda x: F.activation_derivative_from_a("tanh", x), "a"),
        (lambda x: F.activation_second_derivative("softmax", x), "z"),
        (lambda x: F.activation_backward_along("relu", X, x, X, X), "r_z"),
        (lambda x: F.activation_backward_along("relu", X, X, X, x), "r_gradient"),
        (lambda x: F.loss("mse", x, X), "out"),
        (lambda x: F.loss_curvature("mse", X, X, x), "direction"),
        (lambda x: F.loss_from_a("poisson", x, X), "a"),
        (lambda x: F.backward_delta(x, X, X, "relu"), "W"),
        (lambda x: F.backward_delta(X, x, X, "relu"), "delta"),
        (lambda x: F.backward_delta(X, X, x, "relu"), "z"),
        (lambda x: F.gradients(x, X), "delta"),
        (lambda x: F.gradients(X, x), "a"),
        (lambda x: F.dropout(x, 0.5, 1, 0, 0), "a"),
    ],
)
def test_an_array_of_a_wrong_type_is_named(call, name, wrong, given):
    with pytest.raises(
        TypeError, match=f"^{name} must be an ndarray of float32 or float64, got {given}$"
    ):
        call(wrong)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: F.activation("relu", X[0]), "z must have 2 dimensions, got an array of shape"),
        (lambda: F.matvec(W, Z[0]), r"W of shape \(3, 2\) needs x of shape \(2,\), got \(3,\)"),
        (lambda: F.matmul(X, W), "A of shape .* and B of shape .* cannot be multiplied"),
        (lambda: F.unpack(F.pack(W), 99), "panels of shape .* do not hold n_out = 99 outputs"),
        (lambda: F.loss("mse", Z, X), "y must have shape"),
        (lambda: F.loss("mse", Z, Z, np.ones(3)), "row_scale must have shape"),
        (lambda: F.activation("rellu", Z), "unknown activation 'rellu'; did you mean 'relu'"),
        (lambda: F.loss("mxe", Z, Z), "unknown loss 'mxe'"),
        (lambda: F.optimizer_settings("adan"), "unknown optimizer 'adan'"),
        (lambda: F.dropout(Z, 1.0, 0, 0, 0), "rate must be at least 0 and below 1, got 1.0"),
        (lambda: F.use_instruction_set("sse9"), "instruction set 'sse9' is not available"),
    ],
)
def test_errors_say_which_argument_and_what_is_allowed(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()
