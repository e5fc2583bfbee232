"""Activations f and their derivatives f': against the equations, against finite differences, in the
limits, and to the bit between all paths."""

import numpy as np
import pytest
import reference_numpy as reference
from cnn_core._activations import (
    activation,
    activation_backward,
    activation_derivative,
    names,
    parameters,
)
from reference_numpy import same_bits

from cnn_core import _cpu

NAMES = names()
ELEMENTWISE = tuple(name for name in NAMES if name != "softmax")
#: Name and number: the number of the literature, None where there is none, and others where it can
#: be chosen.
CASES = [
    *((name, parameters().get(name, (None, None))[1]) for name in ELEMENTWISE),
    *(("leaky_relu", slope) for slope in (0.0, 0.3, 1.0, 2.5)),
    *(("elu", param) for param in (0.0, 0.3, 2.5)),
]
INF = np.inf


def widths(dtype):
    """Around one panel; several; and a row of 1 KiB, whose rows are stored further apart."""
    lanes = 64 // np.dtype(dtype).itemsize
    return [1, lanes - 1, lanes, lanes + 1, 40, 16 * lanes]


def some_z(dtype, rows, width):
    """Mostly moderate, some large."""
    rng = np.random.default_rng(100 * rows + width)
    return (
        rng.standard_normal((rows, width)) * rng.choice([1, 1, 1, 8, 60], (rows, width))
    ).astype(dtype)


def with_specials(z):
    """One special value a row, so that softmax has rows to keep apart."""
    tiny = np.finfo(z.dtype).smallest_subnormal
    for row, value in zip(z, (np.nan, np.inf, -np.inf, 0.0, -0.0, tiny, 1e30)):
        row[len(row) // 2] = value
    return z


def every_z(dtype):
    """A row from -100 to 100: evenly spaced, log-spaced, and the neighbours of where functions
    change what they do."""
    switches = np.array([-88.73, -40, -20, -14, -3, -1, 1, 3, 10, 20, 40, 88.7])
    spread = np.geomspace(1e-37 if dtype == "float32" else 1e-300, 100, 2000)
    neighbours = np.outer(switches, 1 + np.arange(-8, 9) * np.finfo(dtype).eps).ravel()
    parts = (
        np.linspace(-100, 100, 4001),
        np.linspace(-12, 12, 4001),
        spread,
        -spread,
        neighbours,
        [0.0, -0.0],
    )
    return np.concatenate(parts).astype(dtype)[None]


def far_z(dtype):
    """A row from 100 to the largest number, and one from -100 to the smallest."""
    z = np.append(np.geomspace(101, 1e30, 300), np.finfo(dtype).max).astype(dtype)
    return np.array([z, -z])


def numbers(param, dtype):
    """What follows z in a call of the reference: the number as the kernels have it, rounded to the
    dtype."""
    return () if param is None else (float(np.dtype(dtype).type(param)),)


def referees(z):
    """How many have roundings of the size of eps: the kernels, and in float64 the reference."""
    return 2 if z.dtype == np.float64 else 1


def value_tolerance(name, z, exact):
    """The largest absolute error of f, z being exact: the kernels', and in float64 as much again
    for the reference.

    Relative, in units of eps: the published limit (1 ulp is at most eps) of the function inside, 2
    for e^z - 1, 1 for each further rounding. The reference of gelu is off by z^2 2^-53. gelu_tanh:
    2u, off by 2.5 eps of itself, moves e^2u by as much. Absolute: the hard ones take 1/2 and z/6
    together. Softmax: z - max z is rounded, which moves e^(z - max z) by |z - max z| eps / 2; the
    sum adds up to width eps, the exponential and the division one each.

    Below the normal range results and their factors are zero, and sigmoid is allowed to vanish
    there.
    """
    info, limit, size = np.finfo(z.dtype), _cpu.functions(), np.abs(z.astype(float))
    if name == "softmax":
        spread = (z.max(axis=1, keepdims=True) - z).astype(float)
        relative = spread + spread.max(axis=1, keepdims=True) + z.shape[1] + 4
        return info.eps * relative * exact + 4 * float(info.smallest_normal)
    relative = {
        "leaky_relu": 1,
        "elu": 3,
        "selu": 5,
        "gelu": limit["normal_cdf"] + 1 + size**2 * (z.dtype == np.float64),
        "gelu_tanh": limit["sigmoid"]
        + 1
        + 2.5 * np.where(z < 0, 1.6 * size + 0.072 * size**3, 0.6),
        "softplus": limit["log1p"] + limit["exp"],
        "swish": limit["sigmoid"] + 1,
        "mish": limit["exp"] + 5,
    }.get(name, limit.get(name, 0))
    absolute = {"hard_sigmoid": 1, "hard_swish": size}.get(name, 0) * float(info.eps)
    lowest = {"sigmoid": 1, "swish": size, "gelu_tanh": size}.get(name, 0) * float(
        info.smallest_normal
    )
    lowest = lowest + float(info.smallest_normal) * (4 + size)
    return referees(z) * (info.eps * relative * np.abs(exact) + absolute) + lowest


def derivative_tolerance(name, z, exact):
    """The largest absolute error of f'.

    4 eps in units of 1, or of f' where it is larger: 1 ulp of what is below 1 is at most eps / 2,
    so that 2 a da for tanh, the normal distribution or 3 ulp of a sigmoid with the term z s (1 - s)
    < 0.3 stay below. In float64 as much again for the reference. Softmax: an entry of the Jacobian
    is off by 4 times what s is off by.
    """
    eps = np.finfo(z.dtype).eps
    if name in ("identity", "step", "sign", "relu"):
        return 0
    if name == "softmax":
        return 4 * np.max(value_tolerance(name, z, 1), initial=0) + 2 * eps
    return referees(z) * 4 * eps * np.maximum(1, np.abs(exact))


def assert_value_follows_its_equation(name, param, z):
    a = activation(name, z, param)
    assert a.shape == z.shape and a.dtype == z.dtype
    if z.size:
        exact = reference.ACTIVATIONS[name][0](z.astype(float), *numbers(param, z.dtype))
        with np.errstate(over="ignore", invalid="ignore"):
            right = np.abs(a - exact) <= value_tolerance(name, z, exact)
            right |= np.isinf(a) & (a == exact.astype(z.dtype))
        beyond = list(zip(z[~right], a[~right], exact[~right]))[:5]
        assert right.all(), f"beyond `value_tolerance`: (z, a, exact) {beyond}"


def assert_derivative_follows_its_equation(name, param, z):
    if name.startswith("hard"):  # the rounding of z/6 + 1/2 may move the corners a little
        z = z[np.abs(np.abs(z) - 3) > 20 * np.finfo(z.dtype).eps][None]
    got = activation_derivative(name, z, param)
    assert got.dtype == z.dtype
    if z.size:
        exact = reference.ACTIVATIONS[name][1](z.astype(float), *numbers(param, z.dtype))
        assert got.shape == exact.shape
        with np.errstate(over="ignore", invalid="ignore"):
            right = np.abs(got - exact) <= derivative_tolerance(name, z, exact)
            right |= np.isinf(got) & (got == exact.astype(z.dtype))
        assert right.all(), (
            list(zip(z[~right], got[~right], exact[~right]))[:5] if exact.ndim == 2 else got[~right]
        )


def test_every_activation_has_a_reference():
    assert set(NAMES) == set(reference.ACTIVATIONS)


def test_numbers_to_choose_are_those_of_the_literature():
    assert parameters() == {"leaky_relu": ("negative_slope", 0.01), "elu": ("alpha", 1.0)}


@pytest.mark.parametrize("name, param", [*CASES, ("softmax", None)])
def test_bits_are_those_of_the_scalar_path(name, param, vector_isa, dtype, on_generic):
    zs = [some_z(dtype, rows, width) for width in widths(dtype) for rows in (0, 1, 7)]
    zs += [with_specials(z.copy()) for z in zs]
    for z in [*zs, every_z(dtype), far_z(dtype)]:
        gradient = z[::-1, ::-1].copy()
        assert same_bits(activation(name, z, param), on_generic(activation, name, z, param)), (
            z.shape
        )
        got = activation_backward(name, z, gradient, param)
        assert same_bits(got, on_generic(activation_backward, name, z, gradient, param)), z.shape


@pytest.mark.parametrize("name", NAMES)
def test_value_follows_its_equation(name, isa, dtype):
    for width in widths(dtype):
        for rows in (0, 1, 7):
            assert_value_follows_its_equation(name, None, some_z(dtype, rows, width))


@pytest.mark.parametrize("name, param", CASES)
def test_value_follows_its_equation_from_minus_100_to_100(name, param, isa, dtype):
    assert_value_follows_its_equation(name, param, every_z(dtype))


@pytest.mark.parametrize("name", NAMES)
def test_derivative_follows_its_equation(name, isa, dtype):
    for width in widths(dtype)[:-1]:
        for rows in (0, 1, 7):
            assert_derivative_follows_its_equation(name, None, some_z(dtype, rows, width))


@pytest.mark.parametrize("name, param", CASES)
def test_derivative_follows_its_equation_from_minus_100_to_100(name, param, isa, dtype):
    assert_derivative_follows_its_equation(name, param, every_z(dtype))


@pytest.mark.parametrize("name, param", [*CASES, ("softmax", None)])
def test_backward_multiplies_the_derivative_into_the_gradient(name, param, isa, dtype):
    for width in widths(dtype):
        z = some_z(dtype, 7, width).clip(-80, 80)
        gradient = some_z(dtype, 8, width)[:7].copy()
        exact = reference.activation_backward(
            name, z.astype(float), gradient, *numbers(param, dtype)
        )
        derivative = reference.ACTIVATIONS[name][1](z.astype(float), *numbers(param, dtype))
        # Softmax adds up `width` products of the row's gradient.
        size = (
            np.abs(gradient).sum(axis=1, keepdims=True) if name == "softmax" else np.abs(gradient)
        )
        tolerance = (derivative_tolerance(name, z, derivative) + width * np.finfo(dtype).eps) * size
        tolerance = tolerance * np.maximum(1, np.abs(exact)) if name == "exp" else tolerance
        got = activation_backward(name, z, gradient, param)
        assert np.all(np.abs(got - exact) <= tolerance)


@pytest.mark.parametrize("name, param", CASES)
def test_derivative_agrees_with_central_differences(name, param, isa):
    # h^2 / 6 times the third derivative (at most 4 here, e^z for exp) + rounding of f over h: 7e-11
    # + 2e-10.
    h = 1e-5
    z = np.linspace(-4, 4, 82)[
        None
    ]  # no corner is nearer to one of these points than h: 0 and 3 are not among them
    difference = (activation(name, z + h, param) - activation(name, z - h, param)) / (2 * h)
    np.testing.assert_allclose(
        activation_derivative(name, z, param), difference, rtol=1e-10, atol=3e-10
    )


def test_jacobian_of_softmax_agrees_with_central_differences(isa):
    h = 1e-5
    z = some_z("float64", 3, 11).clip(-4, 4)
    jacobian = activation_derivative("softmax", z)
    assert jacobian.shape == (3, 11, 11)
    for j in range(11):
        step = np.zeros_like(z)
        step[:, j] = h
        difference = (activation("softmax", z + step) - activation("softmax", z - step)) / (2 * h)
        np.testing.assert_allclose(jacobian[:, :, j], difference, rtol=0, atol=3e-10)


def test_jacobian_of_softmax_sends_nothing_back_for_a_gradient_equal_everywhere(isa, dtype):
    # sum_i s_i (g - g) = 0 up to the rounding of sum_i s_i to 1.
    z = some_z(dtype, 7, 40)
    back = activation_backward("softmax", z, np.full_like(z, 3))
    assert np.abs(back).max() <= 3 * 40 * np.finfo(dtype).eps


#: name -> f'(0) from below and from above, where f(0) = 0 and so f(z) ~ f'(0) z.
SLOPES_AT_ZERO = {
    "identity": (1, 1),
    "tanh": (1, 1),
    "relu": (0, 1),
    "leaky_relu": (0.01, 1),
    "elu": (1, 1),
    "selu": (reference.SELU_LAMBDA * reference.SELU_ALPHA, reference.SELU_LAMBDA),
    "gelu": (0.5, 0.5),
    "gelu_tanh": (0.5, 0.5),
    "swish": (0.5, 0.5),
    "mish": (0.6, 0.6),
    "hard_swish": (0.5, 0.5),
}


@pytest.mark.parametrize("name", SLOPES_AT_ZERO)
def test_tiny_z_keeps_its_digits(name, isa, dtype):
    # 1e-20 squared is far below eps, so the next term of the series does not count.
    z = np.array([[1e-30, 1e-25, 1e-20]], dtype)
    for sign, slope in zip((-1, 1), SLOPES_AT_ZERO[name]):
        expected = sign * slope * z.astype(float)
        np.testing.assert_allclose(
            activation(name, sign * z), expected, rtol=4 * np.finfo(dtype).eps
        )


@pytest.mark.parametrize("name, z, value, slope", [
    ("step", 1, 1, 0), ("step", -1, 0, 0),
    ("sign", 1, 1, 0), ("sign", -1, -1, 0),
    ("leaky_relu", 1, 1, 1), ("leaky_relu", -1, -0.01, 0.01),
    ("elu", 1, 1, 1), ("elu", -1, -0.632120558828557678, 0.367879441171442322),
    ("selu", 1, 1.05070098735548049, 1.05070098735548049),
    ("selu", -1, -1.11133073781256276, 0.646768603034814098),
    ("gelu", 1, 0.841344746068542949, 1.0833154705876863),
    ("gelu", -1, -0.158655253931457051, -0.0833154705876862984),
    ("gelu_tanh", 1, 0.841191990608276705, 1.08296408384578256),
    ("gelu_tanh", -1, -0.158808009391723295, -0.0829640838457825551),
    ("softplus", 0, 0.693147180559945309, 0.5),
    ("softplus", -3, 0.0485873515737420588, 0.0474258731775667809),
    ("swish", 1, 0.731058578630004879, 0.927670511871486732),
    ("swish", -1, -0.268941421369995121, 0.0723294881285132682),
    ("mish", 1, 0.865098388267310346, 1.04903622009979216),
    ("mish", -1, -0.303401461374108918, 0.059216755877394948),
    ("hard_sigmoid", 1, 2 / 3, 1 / 6), ("hard_swish", 1, 2 / 3, 5 / 6),
    ("hard_swish", -2, -1 / 3, -1 / 6),
    ("exp", 1, 2.71828182845904524, 2.71828182845904524),
])  # fmt: skip
def test_known_values(name, z, value, slope, isa, dtype):
    # The largest published limit, 5 ulp, is at most 5 eps; the rest is the formula's own rounding.
    z = np.array([[z]], dtype)
    tolerance = 6 * float(np.finfo(dtype).eps)
    assert activation(name, z)[0, 0] == pytest.approx(value, rel=tolerance)
    assert activation_derivative(name, z)[0, 0] == pytest.approx(slope, abs=tolerance)


def limits(name, param):
    """f(-inf), f(inf), f'(-inf), f'(inf)."""
    between_zero_and_one, like_relu = (0, 1, 0, 0), (0, INF, 0, 1)
    scale, steepness = reference.SELU_LAMBDA * reference.SELU_ALPHA, reference.SELU_LAMBDA
    return {
        "identity": (-INF, INF, 1, 1),
        "sign": (-1, 1, 0, 0),
        "tanh": (-1, 1, 0, 0),
        **dict.fromkeys(["step", "sigmoid", "hard_sigmoid"], between_zero_and_one),
        **dict.fromkeys(
            ["relu", "gelu", "gelu_tanh", "softplus", "swish", "mish", "hard_swish"], like_relu
        ),
        "leaky_relu": (-INF if param else 0, INF, param, 1),
        "elu": (-param if param else 0, INF, 0, 1),
        "selu": (-scale, INF, 0, steepness),
        "exp": (0, INF, 0, INF),
    }[name]


@pytest.mark.parametrize("name, param", CASES)
def test_infinities_give_the_limits(name, param, isa, dtype):
    z = np.array([[-INF, INF]], dtype)
    value, derivative = limits(name, param)[:2], limits(name, param)[2:]
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(activation(name, z, param)[0], np.array(value, dtype), rtol=2 * eps)
    np.testing.assert_allclose(
        activation_derivative(name, z, param)[0], np.array(derivative, dtype), rtol=2 * eps
    )


@pytest.mark.parametrize("name, param", CASES)
def test_beyond_100_functions_are_their_asymptotes(name, param, isa, dtype):
    below, above, slope_below, slope_above = limits(name, param)
    z, eps = far_z(dtype), np.finfo(dtype).eps
    sides = [(z[1:], below, slope_below), (z[:1], above, slope_above)]
    for side, limit, slope in sides[: 1 if name == "exp" else 2]:  # above, exp has no asymptote
        with np.errstate(over="ignore"):  # selu of the largest number
            expected = (
                (slope * side.astype(float)).astype(dtype)
                if np.isinf(limit)
                else np.full_like(side, limit)
            )
        np.testing.assert_allclose(
            activation(name, side, param), expected, rtol=4 * eps, atol=1e-40
        )
        derivative = activation_derivative(name, side, param)
        np.testing.assert_allclose(derivative, np.full_like(side, slope), rtol=4 * eps, atol=1e-40)
    assert not np.isnan(activation(name, z, param)).any()
    assert not np.isnan(activation_derivative(name, z, param)).any()


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu"])
def test_corners_belong_to_the_lower_side(name, isa, dtype):
    tiny = np.finfo(dtype).smallest_normal  # below it everything is zero
    z = np.array([[-1, -0.0, 0.0, tiny, 1]], dtype)
    slope = {"relu": 0, "leaky_relu": np.dtype(dtype).type(0.01), "elu": 1}[name]
    assert activation(name, z)[0, 1:].tolist() == [0, 0, tiny, 1]
    assert activation_derivative(name, z)[0, 1:].tolist() == [slope, slope, 1, 1]


def test_relu_cuts_below_zero_and_its_derivative_at_zero_is_zero(isa, dtype):
    tiny = np.finfo(dtype).smallest_normal  # below it everything is zero
    z = np.array([[-np.inf, -1, -tiny, -0.0, 0.0, tiny, 1, np.inf]], dtype)
    assert activation("relu", z).tolist() == [[0, 0, 0, 0, 0, tiny, 1, np.inf]]
    assert activation_derivative("relu", z).tolist() == [[0, 0, 0, 0, 0, 1, 1, 1]]


def test_step_and_sign_jump_above_zero_and_have_no_slope(isa, dtype):
    tiny = np.finfo(dtype).smallest_normal  # below it everything is zero
    z = np.array([[-INF, -1, -tiny, -0.0, 0.0, tiny, 1, INF]], dtype)
    assert activation("step", z).tolist() == [[0, 0, 0, 0, 0, 1, 1, 1]]
    assert activation("sign", z).tolist() == [[-1, -1, -1, -1, -1, 1, 1, 1]]
    for name in ("step", "sign"):
        assert not activation_derivative(name, z).any()


def test_hard_sigmoid_and_hard_swish_are_exact_from_their_corners_outwards(isa, dtype):
    outwards = np.array([3, np.nextafter(np.dtype(dtype).type(3), 4, dtype=dtype), 3.5, 1e4], dtype)
    z = np.array([-outwards, outwards])
    assert activation("hard_sigmoid", z).tolist() == [[0] * 4, [1] * 4]
    assert np.array_equal(activation("hard_swish", z), [np.zeros(4), outwards])
    assert not activation_derivative("hard_sigmoid", z).any()
    assert activation_derivative("hard_swish", z).tolist() == [[0] * 4, [1] * 4]


def test_leaky_relu_lies_between_relu_and_identity(isa, dtype):
    z = every_z(dtype)
    for f in (activation, activation_derivative):
        assert np.array_equal(f("leaky_relu", z, 0.0), f("relu", z))
        assert np.array_equal(f("leaky_relu", z, 1.0), f("identity", z))


def test_elu_is_relu_plus_alpha_times_the_rest(isa, dtype):
    z = every_z(dtype)
    for f in (activation, activation_derivative):
        once = f("elu", z, 1.0)
        assert np.array_equal(f("elu", z, 0.0), f("relu", z))
        assert np.array_equal(
            f("elu", z, 4.0), np.where(z > 0, once, 4 * once)
        )  # a power of two: exact


@pytest.mark.parametrize("name", parameters())
def test_the_number_of_the_literature_is_the_default(name, isa, dtype):
    z, param = every_z(dtype), parameters()[name][1]
    assert same_bits(activation(name, z), activation(name, z, param))
    assert same_bits(activation_backward(name, z, z), activation_backward(name, z, z, param))
    assert same_bits(activation_derivative(name, z), activation_derivative(name, z, param))
    assert not same_bits(activation(name, z), activation(name, z, param + 0.5))
    assert not same_bits(
        activation_derivative(name, z), activation_derivative(name, z, param + 0.5)
    )


@pytest.mark.parametrize("name, param", CASES)
def test_nan_gives_nan_in_its_own_place_only(name, param, isa, dtype):
    z = some_z(dtype, 3, 20)
    clean = activation(name, z, param)
    for place in range(20):
        spoiled = z.copy()
        spoiled[1, place] = np.nan
        expected = clean.copy()
        expected[1, place] = np.nan
        assert same_bits(activation(name, spoiled, param), expected)


def test_sigmoid_is_a_half_at_zero_and_tanh_is_zero(isa, dtype):
    zero = np.zeros((1, 1), dtype)
    assert activation("sigmoid", zero)[0, 0] == 0.5
    assert activation("tanh", zero)[0, 0] == 0
    assert activation_derivative("sigmoid", zero)[0, 0] == 0.25
    assert activation_derivative("tanh", zero)[0, 0] == 1


def test_softmax_sums_to_one_and_is_never_negative(isa, dtype):
    for width in widths(dtype):
        s = activation("softmax", some_z(dtype, 7, width))
        assert s.min() >= 0
        # Each of `width` terms is rounded once more in the division, and their sum once a term.
        np.testing.assert_allclose(
            s.sum(axis=1, dtype=float), 1, rtol=0, atol=2 * width * np.finfo(dtype).eps
        )


def test_softmax_of_a_single_class_is_one(isa, dtype):
    z = np.array([[0], [-1e30], [1e30], [3]], dtype)
    assert np.all(activation("softmax", z) == 1)
    assert np.all(activation_derivative("softmax", z) == 0)


def test_softmax_does_not_see_a_shift_of_the_row(isa, dtype):
    # Multiples of 2^-6 up to 2^4, shifted by 2^8: all sums are exact in float32 too, so the bits
    # must agree.
    z = np.random.default_rng(4).integers(-1024, 1024, (7, 40)).astype(dtype) / 64
    assert same_bits(activation("softmax", z + np.dtype(dtype).type(256)), activation("softmax", z))


def test_softmax_of_huge_logits_picks_the_largest(isa, dtype):
    huge = np.finfo(dtype).max / 2
    z = np.array([[huge, -huge, 0], [-huge, -huge, -huge], [1e4, 1e4, -1e4]], dtype)
    expected = np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]], dtype)
    np.testing.assert_allclose(activation("softmax", z), expected, rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("place", [0, 5, 16, 19])
def test_softmax_gives_zero_to_minus_infinity_and_the_rest_to_the_others(place, isa, dtype):
    z = some_z(dtype, 2, 20)
    others = np.delete(z, place, axis=1)
    z[:, place] = -np.inf
    s = activation("softmax", z)
    assert np.all(s[:, place] == 0)
    # The terms stand in other lanes, so the sum may be rounded otherwise.
    expected = activation("softmax", np.ascontiguousarray(others))
    np.testing.assert_allclose(np.delete(s, place, axis=1), expected, rtol=20 * np.finfo(dtype).eps)
    assert np.isfinite(activation_backward("softmax", z, np.ones_like(z))).all()


@pytest.mark.parametrize(
    "columns, bad", [(0, np.nan), (7, np.nan), (19, np.nan), (5, np.inf), (slice(None), -np.inf)]
)
def test_a_row_of_softmax_that_has_no_value_is_nan_and_no_other_row(columns, bad, isa, dtype):
    # One NaN, one +inf (inf - inf), or nothing but -inf (0 / 0).
    z = some_z(dtype, 3, 20)
    clean = activation("softmax", z)
    z[1, columns] = bad
    s = activation("softmax", z)
    assert np.isnan(s[1]).all()
    assert same_bits(s[[0, 2]], clean[[0, 2]])


@pytest.mark.parametrize("name", NAMES)
def test_a_row_alone_equals_its_row_in_the_batch(name, isa, dtype):
    z, gradient = some_z(dtype, 7, 21), some_z(dtype, 8, 21)[1:].copy()
    rows = [slice(r, r + 1) for r in range(7)]
    assert same_bits(np.concatenate([activation(name, z[r]) for r in rows]), activation(name, z))
    alone = np.concatenate([activation_backward(name, z[r], gradient[r]) for r in rows])
    assert same_bits(alone, activation_backward(name, z, gradient))


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_left_alone_and_may_be_read_only(name, isa, dtype):
    z, gradient = some_z(dtype, 7, 21), some_z(dtype, 7, 21)
    copies = z.copy(), gradient.copy()
    z.flags.writeable = gradient.flags.writeable = False
    activation(name, z)
    activation_backward(name, z, gradient)
    activation_derivative(name, z)
    assert same_bits(z, copies[0]) and same_bits(gradient, copies[1])


@pytest.mark.parametrize("name", NAMES)
def test_nothing_in_gives_nothing_out(name, isa, dtype):
    for shape in ((0, 3), (3, 0), (0, 0)):
        empty = np.empty(shape, dtype)
        assert activation(name, empty).shape == shape
        assert activation_backward(name, empty, empty).shape == shape
        expected = (*shape, shape[1]) if name == "softmax" else shape
        assert activation_derivative(name, empty).shape == expected


@pytest.mark.parametrize(
    "call", [activation, activation_derivative, lambda name, z: activation_backward(name, z, z)]
)
def test_unknown_name_suggests_the_nearest_and_lists_all(call):
    with pytest.raises(ValueError, match="unknown activation 'rleu'; did you mean 'relu'") as error:
        call("rleu", np.zeros((1, 1)))
    for name in NAMES:
        assert name in str(error.value)
    with pytest.raises(ValueError, match="unknown activation 'xyz'; choose from identity"):
        call("xyz", np.zeros((1, 1)))
    with pytest.raises(TypeError, match="activation must be a name, got 3"):
        call(3, np.zeros((1, 1)))


def test_gradient_of_another_shape_is_refused(dtype):
    with pytest.raises(ValueError, match=r"same shape.*\(3, 2\).*\(3, 4\)"):
        activation_backward("tanh", np.zeros((3, 2), dtype), np.zeros((3, 4), dtype))


@pytest.mark.parametrize("name", NAMES)
def test_subnormal_z_is_zero(name, isa, dtype):
    z = np.array([[np.finfo(dtype).smallest_subnormal, np.finfo(dtype).smallest_normal / 2]], dtype)
    for sign in (-1, 1):
        for function in (activation, activation_derivative):
            assert np.array_equal(function(name, sign * z), function(name, 0 * sign * z))
