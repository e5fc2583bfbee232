"""Second derivatives f'' of activations, and how what they send back changes along a direction:
against the equations, against differences of f', and to the bit between all paths."""

import numpy as np
import pytest
import reference_numpy as reference
from cnn_core._activations import (
    activation_backward,
    activation_backward_along,
    activation_derivative,
    activation_second_derivative,
)
from reference_numpy import same_bits
from test_activations import (
    CASES,
    ELEMENTWISE,
    INF,
    NAMES,
    every_z,
    far_z,
    numbers,
    referees,
    some_z,
    widths,
    with_specials,
)


@pytest.mark.parametrize("name, param", [*CASES, ("softmax", None)])
def test_bits_along_a_direction_are_those_of_the_scalar_path(
    name, param, vector_isa, dtype, on_generic
):
    zs = [some_z(dtype, rows, width) for width in widths(dtype) for rows in (0, 1, 7)]
    zs += [with_specials(z.copy()) for z in zs]
    for z in [*zs, every_z(dtype), far_z(dtype)]:
        gradient = z[::-1, ::-1].copy()
        along = name, z, gradient[:, ::-1].copy(), gradient, z / 2, param
        got = activation_backward_along(*along)
        assert same_bits(got, on_generic(activation_backward_along, *along)), z.shape


@pytest.mark.parametrize("name, param", CASES)
def test_second_derivative_follows_its_equation_from_minus_100_to_100(name, param, isa, dtype):
    # As f', whose tolerance this is twice: f'' has two terms where f' has one.
    z, eps = every_z(dtype), np.finfo(dtype).eps
    if name.startswith("hard"):
        z = z[np.abs(np.abs(z) - 3) > 20 * eps][None]
    exact = reference.SECOND_DERIVATIVES[name](z.astype(float), *numbers(param, dtype))
    got = activation_second_derivative(name, z, param)
    assert got.dtype == dtype
    right = np.abs(got - exact) <= referees(z) * 8 * eps * np.maximum(1, np.abs(exact))
    with np.errstate(over="ignore"):
        right |= np.isinf(got) & (got == exact.astype(dtype))
    assert right.all(), list(zip(z[~right], got[~right], exact[~right]))[:5]


@pytest.mark.parametrize("name, param", CASES)
def test_second_derivative_agrees_with_central_differences(name, param, isa):
    h = 1e-5
    z = np.linspace(-4, 4, 82)[None]
    ends = [activation_derivative(name, z + step, param) for step in (h, -h)]
    np.testing.assert_allclose(
        activation_second_derivative(name, z, param),
        (ends[0] - ends[1]) / (2 * h),
        rtol=1e-9,
        atol=1e-9,
    )


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_second_derivative_vanishes_where_a_function_is_straight(name, isa, dtype):
    z = np.concatenate([far_z(dtype), np.full((2, 1), INF, dtype) * [[1], [-1]]], axis=1)
    got = activation_second_derivative(name, z.astype(dtype))
    if name == "exp":  # its own
        got, z = got[1:], z[1:]
    assert not np.abs(got).max() > 1e-30


def test_second_derivative_of_softmax_agrees_with_central_differences(isa):
    h = 1e-5
    z = some_z("float64", 3, 11).clip(-4, 4)
    second = activation_second_derivative("softmax", z)
    assert second.shape == (3, 11, 11, 11)
    for k in range(11):
        step = np.zeros_like(z)
        step[:, k] = h
        ends = [activation_derivative("softmax", z + sign * step) for sign in (1, -1)]
        np.testing.assert_allclose(
            second[..., k], (ends[0] - ends[1]) / (2 * h), rtol=0, atol=3e-10
        )


@pytest.mark.parametrize("name, param", [*CASES, ("softmax", None)])
def test_what_is_sent_back_changes_along_a_direction_as_differences_say(name, param, isa):
    h = 1e-5
    for width in widths("float64"):
        z, r_z = some_z("float64", 5, width).clip(-4, 4), np.cos(np.arange(5.0 * width))
        z, r_z = z + (np.abs(np.abs(z) - 1.5) > 1.4) * 0.3, r_z.reshape(5, width)  # no corners
        g, r_g = np.sin(z * 9), np.cos(z * 7)
        ends = [activation_backward(name, z + t * r_z, g + t * r_g, param) for t in (h, -h)]
        np.testing.assert_allclose(
            activation_backward_along(name, z, r_z, g, r_g, param),
            (ends[0] - ends[1]) / (2 * h),
            rtol=1e-8,
            atol=1e-8,
        )


@pytest.mark.parametrize("name", NAMES)
def test_nothing_has_no_second_derivative(name, dtype):
    for shape in ((0, 3), (3, 0), (0, 0)):
        expected = (*shape, shape[1], shape[1]) if name == "softmax" else shape
        assert activation_second_derivative(name, np.empty(shape, dtype)).shape == expected


def test_a_direction_of_another_shape_is_refused():
    z, other = np.zeros((3, 2)), np.zeros((3, 4))
    for arguments in ((z, other, z, z), (z, z, other, z), (z, z, z, other)):
        with pytest.raises(ValueError, match=r"same shape, got \(3, 2\) and \(3, 4\)"):
            activation_backward_along("tanh", *arguments)
