"""Costs C(y, a) and derivatives f' of given outputs a: against the printed formulas, against what
training computes from z, against finite differences, and to the bit between all paths."""

import warnings

import numpy as np
import pytest
from cnn_core._costs import COSTS
from reference_numpy import same_bits
from test_losses import some_out, some_targets

from cnn_core import functional as F
from cnn_core import reference

#: Losses of several outputs a target take a that is z, which test_heads.py compares.
HEADS = [name for name, row in F.loss_table().items() if row.heads != 1]
FROM_A = [name for name in F.loss_names() if name not in ("perceptron", *HEADS)]
OUTPUTS = {"sigmoid": (0.1, 0.9), "softmax": (0.1, 0.9), "exp": (0.1, 5.0)}
NEEDS_Z = ("gelu", "gelu_tanh", "swish", "mish", "hard_swish")
BY_A = [name for name in F.activation_names() if name not in NEEDS_Z]

#: (C, dC/da) as textbooks print them, for y and a with no 0 and 1 among a.
PRINTED = {
    "mse": (lambda y, a: ((y - a) ** 2 / 2).sum(axis=1), lambda y, a: -(y - a)),
    "mae": (lambda y, a: np.abs(y - a).sum(axis=1), lambda y, a: -np.sign(y - a)),
    "binary_crossentropy": (
        lambda y, a: -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=1),
        lambda y, a: -y / a + (1 - y) / (1 - a),
    ),
    "categorical_crossentropy": (
        lambda y, a: -(y * np.log(a)).sum(axis=1),
        lambda y, a: -y / a,
    ),
    "poisson": (lambda y, a: (a - y * np.log(a)).sum(axis=1), lambda y, a: 1 - y / a),
    "hinge": (
        lambda y, a: np.maximum(0, 1 - y * a).sum(axis=1),
        lambda y, a: np.where(y * a < 1, -y, 0),
    ),
}


def outputs_for(name, dtype, rows, width):
    """(z or None, a, y) of a loss; a is what its output activation makes of z."""
    out, y = some_out(dtype, rows, width), some_targets(name, dtype, rows, width)
    activation = (*F.loss_table()[name].fused_activations, None)[0]
    if activation is None:
        return None, out, y
    if name == "categorical_crossentropy":  # rows of y that sum to 1, zeros among them
        y = np.where(y.sum(axis=1, keepdims=True) > 0, y, 1).astype(dtype)
        y = (y / y.sum(axis=1, keepdims=True)).astype(dtype)
    out = (out / 3).astype(dtype)
    return out, F.activation(activation, out), y


@pytest.mark.parametrize("name", PRINTED)
def test_costs_and_slopes_are_those_that_are_printed(name, isa, dtype):
    for rows, width in ((1, 1), (7, 3), (5, 40)):
        _, a, y = outputs_for(name, dtype, rows, width)
        exact = y.astype(float), a.astype(float)
        cost, slope = F.loss_from_a(name, a, y)
        assert cost.dtype == slope.dtype == dtype
        assert cost.shape == (rows,) and slope.shape == (rows, width)
        if name.endswith("categorical_crossentropy") and width == 1:
            continue  # a is 1
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(
            cost, PRINTED[name][0](*exact), rtol=50 * eps, atol=50 * width * eps
        )
        near = 50 * eps / (1 - a).min() if name == "binary_crossentropy" else 50 * eps
        np.testing.assert_allclose(slope, PRINTED[name][1](*exact), rtol=near, atol=50 * eps)


@pytest.mark.parametrize("name", FROM_A)
def test_bits_are_those_of_the_scalar_path(name, vector_isa, dtype, on_generic):
    for rows, width in ((0, 3), (1, 1), (7, 9), (18, 21)):
        _, a, y = outputs_for(name, dtype, rows, width)
        for got, oracle in zip(F.loss_from_a(name, a, y), on_generic(F.loss_from_a, name, a, y)):
            assert same_bits(got, oracle), (rows, width)


@pytest.mark.parametrize("name", FROM_A)
def test_it_is_the_cost_that_training_computes_from_z(name, isa, dtype):
    z, a, y = outputs_for(name, dtype, 6, 5)
    cost, slope = F.loss_from_a(name, a, y)
    eps = np.finfo(dtype).eps
    if z is None:
        assert all(map(same_bits, (cost, slope), F.loss(name, a, y)))
        return
    trained, delta = F.loss(name, z, y)
    np.testing.assert_allclose(cost, trained, rtol=100 * eps, atol=100 * eps)
    output = F.loss_table()[name].fused_activations[0]
    through = F.activation_backward(output, z, slope)  # dC/dz = dC/da through f'
    np.testing.assert_allclose(through, delta, rtol=1000 * eps, atol=100 * eps)


@pytest.mark.parametrize("name", FROM_A)
@pytest.mark.filterwarnings("ignore:row . of a sums")
def test_slopes_agree_with_central_differences(name, isa):
    _, a, y = outputs_for(name, "float64", 5, 4)
    a = np.clip(a, 0.05, 0.95) if name in COSTS and name != "poisson" else a
    slope, h = F.loss_from_a(name, a, y)[1], 1e-6
    for j in range(4):
        step = np.zeros_like(a)
        step[:, j] = h
        up, down = F.loss_from_a(name, a + step, y)[0], F.loss_from_a(name, a - step, y)[0]
        np.testing.assert_allclose((up - down) / (2 * h), slope[:, j], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", FROM_A)
def test_the_reference_implementation_agrees(name):
    _, a, y = outputs_for(name, "float64", 6, 5)
    cost, slope = F.loss_from_a(name, a, y)
    loss_param = F.loss_table()[name].default_param
    for r in range(6):
        target = int(y[r]) if y.ndim == 1 else y[r].tolist()
        C, dC = reference.LOSSES_FROM_A[name](a[r].tolist(), target, loss_param)
        assert pytest.approx(cost[r], rel=1e-13, abs=1e-14) == C
        np.testing.assert_allclose(dC, slope[r], rtol=1e-13, atol=1e-14)


def test_every_loss_has_a_cost_of_a_but_the_perceptrons():
    assert set(reference.LOSSES_FROM_A) == {*FROM_A, *HEADS}
    for output, a in (("step", [[1.0]]), ("sign", [[-1.0]])):
        with pytest.raises(ValueError, match=f"'perceptron' has no cost of a: .*{output}"):
            F.loss_from_a("perceptron", np.array(a), np.array([[1.0]]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_certain_predictions_cost_nothing_or_infinity(dtype, isa):
    a = np.array([[1.0, 0.0]], dtype)
    for name, right, wrong in (
        ("binary_crossentropy", a, 1 - a),
        ("categorical_crossentropy", a, 1 - a),
        ("sparse_categorical_crossentropy", [0], [1]),
    ):
        cost, slope = F.loss_from_a(name, a, np.array(right))
        assert cost == 0 and np.isfinite(slope).all(), name
        assert not np.signbit(slope[slope == 0]).any()
        cost, slope = F.loss_from_a(name, a, np.array(wrong))
        assert cost == np.inf and np.isinf(slope).any() and not np.isnan(slope).any(), name
        loss_param = 0.0
        target = [0, 1] if name[0] == "s" else [np.array(right)[0], np.array(wrong)[0]]
        for y, C in zip(target, (0, np.inf)):
            assert reference.LOSSES_FROM_A[name](a[0].tolist(), y, loss_param)[0] == C


def test_a_nan_makes_the_cost_nan(isa, dtype):
    for name in COSTS:
        _, a, y = outputs_for(name, dtype, 3, 4)
        a[1, 2] = np.nan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cost, _ = F.loss_from_a(name, a, y)
        assert np.isnan(cost[1]) and np.isfinite(cost[[0, 2]]).all()


def test_huber_takes_its_number():
    a, y = np.array([[3.0]]), np.array([[0.0]])
    assert F.loss_from_a("huber", a, y, loss_param=0.5)[0] == 0.5 * (3 - 0.25)


# Wrong uses


@pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy", "poisson"])
def test_z_in_the_place_of_a_is_refused(name):
    z, y = np.array([[0.5, 0.5], [0.2, -1.5]]), np.ones((2, 2))
    allowed = "of at least 0" if name == "poisson" else "from 0 to 1"
    message = f"a has -1.5 at row 1, column 1, but the loss '{name}' is of outputs {allowed}; loss"
    with pytest.raises(ValueError, match=message):
        F.loss_from_a(name, z, y)


def test_rows_that_are_no_probabilities_of_classes_are_warned_of():
    for name, y in (
        ("categorical_crossentropy", np.array([[1.0, 0.0]])),
        ("sparse_categorical_crossentropy", np.array([0])),
    ):
        with pytest.warns(UserWarning, match="row 0 of a sums to 1.4, .*softmax"):
            F.loss_from_a(name, np.array([[0.9, 0.5]]), y)
        F.loss_from_a(name, np.array([[0.67, 0.335]]), y)  # as they are printed


@pytest.mark.parametrize(
    "name, y",
    [
        ("categorical_crossentropy", np.array([[1.0, 0, 0], [0, 1, 0]])),
        ("sparse_categorical_crossentropy", np.array([0, 1])),
        ("binary_crossentropy", np.array([[1.0, 0, 0], [0, 1, 0]])),
    ],
)
def test_probabilities_in_the_place_of_z_are_warned_of(name, y, dtype):
    a, y = np.array([[0.7, 0.2, 0.1], [0.33, 0.33, 0.33]], dtype), y.astype(dtype)
    y = y.astype(int) if y.ndim == 1 else y
    with pytest.warns(UserWarning, match=f"the loss '{name}' takes z, .*loss_from_a takes a") as w:
        found = F.loss(name, a, y)
    assert len(w) == 1 and w[0].filename == __file__
    assert all(np.isfinite(part).all() for part in found)
    with pytest.warns(UserWarning, match="loss_from_a"):
        F.loss(name, a[:1], y[:1])


@pytest.mark.parametrize(
    "z",
    [
        np.zeros((2, 3)),
        np.array([[0.7, 0.2, -0.1]]),
        np.array([[1.7, 0.2, 0.1]]),
        np.array([[0.2, 0.2, 0.1]]),
        np.ones((0, 3)),
        np.ones((4, 3)),
    ],
)
def test_z_that_are_no_probabilities_pass_without_a_word(z):
    F.loss("sparse_categorical_crossentropy", z, np.zeros(len(z), int))
    for name in ("mse", "mae", "hinge"):
        F.loss(name, np.full((1, 2), 0.5), np.ones((1, 2)))


def test_targets_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"y must have shape \(1, 2\) for the loss 'poisson'"):
        F.loss_from_a("poisson", np.ones((1, 2)), np.ones((2, 1)))
    with pytest.raises(ValueError, match="class indices from 5"):
        F.loss_from_a("sparse_categorical_crossentropy", np.array([[0.5, 0.5]]), np.array([5]))
    with pytest.raises(TypeError, match="y must be an array of real numbers, got list"):
        F.loss_from_a("poisson", np.ones((1, 2)), ["a"])
    with pytest.raises(TypeError, match="loss must be a name, got"):
        F.loss_from_a(["mse"], np.ones((1, 2)), np.ones((1, 2)))
    with pytest.raises(ValueError, match="unknown loss 'msee'"):
        F.loss_from_a("msee", np.ones((1, 2)), np.ones((2, 1)))


# f' of a


@pytest.mark.parametrize("name", BY_A)
def test_derivatives_from_a_have_the_bits_of_those_from_z(name, isa, dtype):
    for rows, width in ((0, 3), (1, 1), (7, 9), (3, 40)):
        z = some_out(dtype, rows, width)
        a = F.activation(name, z)
        got = F.activation_derivative_from_a(name, a)
        assert same_bits(got, F.activation_derivative(name, z)), (rows, width)


@pytest.mark.parametrize("name, loss_param", [("leaky_relu", 0.3), ("elu", 2.5), ("elu", 0.0)])
def test_derivatives_from_a_take_the_number(name, loss_param, isa, dtype):
    z = some_out(dtype, 7, 9)
    a = F.activation(name, z, loss_param)
    got = F.activation_derivative_from_a(name, a, loss_param)
    assert same_bits(got, F.activation_derivative(name, z, loss_param))


@pytest.mark.parametrize("name", BY_A)
def test_derivatives_from_a_are_those_of_the_scalar_path(name, vector_isa, dtype, on_generic):
    a = F.activation(name, some_out(dtype, 7, 21))
    oracle = on_generic(F.activation_derivative_from_a, name, a)
    assert same_bits(F.activation_derivative_from_a(name, a), oracle)


@pytest.mark.parametrize("name", BY_A)
def test_the_reference_implementation_has_the_same_derivatives(name):
    a = F.activation(name, some_out("float64", 1, 6))
    loss_param = F.activation_parameters().get(name, ("", 0.0))[1]
    got = reference.derivative_from_a(name, loss_param, a[0].tolist())
    exact = F.activation_derivative_from_a(name, a)[0]
    np.testing.assert_allclose(got, exact, rtol=1e-14, atol=1e-15)


def test_the_textbooks_formulas_hold():
    a = np.array([[0.25, 0.5, 0.9]])
    assert np.array_equal(F.activation_derivative_from_a("sigmoid", a), a * (1 - a))
    assert np.array_equal(F.activation_derivative_from_a("tanh", a), 1 - a * a)
    s = np.array([0.2, 0.3, 0.5])
    jacobian = F.activation_derivative_from_a("softmax", s[None])[0]
    np.testing.assert_allclose(jacobian, np.diag(s) - np.outer(s, s), atol=1e-16)


@pytest.mark.parametrize("name", NEEDS_Z)
def test_derivatives_that_need_z_are_refused(name):
    assert name in reference.NEED_Z
    with pytest.raises(ValueError, match=f"f' of '{name}' is no function of a, .*takes z"):
        F.activation_derivative_from_a(name, np.array([[0.5]]))
    with pytest.raises(ValueError, match=f"f' of '{name}' is no function of a"):
        reference.derivative_from_a(name, 0.0, [0.5])


@pytest.mark.parametrize(
    "name, a, limits",
    [
        ("sigmoid", 3.0, "0 to 1"),
        ("tanh", -1.5, "-1 to 1"),
        ("relu", -0.1, "0 to inf"),
        ("elu", -1.1, "-1 to inf"),
        ("selu", -2.0, "-1.7581 to inf"),
        ("softplus", -0.5, "0 to inf"),
        ("softmax", 1.1, "0 to 1"),
        ("exp", -1.0, "0 to inf"),
    ],
)
def test_what_is_no_output_is_refused(name, a, limits, dtype):
    rows = np.array([[0.5, 0.5], [0.5, a]], dtype)
    message = rf"a has {a}\d* at row 1, column 1, but {name} gives numbers from {limits}; "
    with pytest.raises(ValueError, match=message.replace("-", r"\-")):
        F.activation_derivative_from_a(name, rows)


def test_nan_passes_through_a_derivative(dtype):
    a = np.array([[np.nan, 0.5]], dtype)
    got = F.activation_derivative_from_a("sigmoid", a)
    assert np.isnan(got[0, 0]) and got[0, 1] == 0.25
