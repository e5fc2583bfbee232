"""Activations f and their derivatives f': against the equations, against finite differences, and to the bit between
all paths."""

import numpy as np
import pytest
import reference_numpy as reference
from cnn_core import _cpu
from cnn_core._activations import activation, activation_backward, activation_derivative, names
from reference_numpy import same_bits

NAMES = names()
ELEMENTWISE = tuple(name for name in NAMES if name != "softmax")


def widths(dtype):
    """Around one panel; several; and a row of 1 KiB, whose rows are stored further apart."""
    lanes = 64 // np.dtype(dtype).itemsize
    return [1, lanes - 1, lanes, lanes + 1, 40, 16 * lanes]


def some_z(dtype, rows, width):
    """Mostly moderate, some large."""
    rng = np.random.default_rng(100 * rows + width)
    return (rng.standard_normal((rows, width)) * rng.choice([1, 1, 1, 8, 60], (rows, width))).astype(dtype)


def with_specials(z):
    """One special value a row, so that softmax has rows to keep apart."""
    tiny = np.finfo(z.dtype).smallest_subnormal
    for row, value in zip(z, (np.nan, np.inf, -np.inf, 0.0, -0.0, tiny, 1e30)):
        row[len(row) // 2] = value
    return z


def value_tolerance(name, z):
    """The largest relative error of f in float64 or float32, z being exact.

    Element by element: the published ulp limit (1 ulp is at most eps of the value), once more for the reference.
    Softmax: z - max z is rounded, which moves e^(z - max z) by |z - max z| eps / 2; the sum adds up to width eps, the
    exponential and the division one each.
    """
    eps = np.finfo(z.dtype).eps
    if name == "softmax":
        spread = (z.max(axis=1, keepdims=True) - z).astype(float)
        return eps * (spread + spread.max(axis=1, keepdims=True) + z.shape[1] + 4)
    return 2 * eps * _cpu.functions().get(name, 0)


def derivative_tolerance(name, z):
    """The largest absolute error of f'. With a off by r: a (1 - a) is off by r + 2 eps, 1 - a^2 by 2 r + 2 eps; an
    entry of the Jacobian by 4 r.
    """
    eps = np.finfo(z.dtype).eps
    if name in ("identity", "relu"):
        return 0
    return 4 * np.max(value_tolerance(name, z), initial=0) + 2 * eps


def test_every_activation_has_a_reference():
    assert set(NAMES) == set(reference.ACTIVATIONS)


@pytest.mark.parametrize("name", NAMES)
def test_bits_are_those_of_the_scalar_path(name, vector_isa, dtype, on_generic):
    for width in widths(dtype):
        for rows in (0, 1, 7):
            for z in (some_z(dtype, rows, width), with_specials(some_z(dtype, rows, width))):
                gradient = some_z(dtype, rows, width)[::-1].copy()
                for f, arguments in ((activation, (name, z)), (activation_backward, (name, z, gradient))):
                    assert same_bits(f(*arguments), on_generic(f, *arguments)), (f, rows, width)


@pytest.mark.parametrize("name", NAMES)
def test_value_follows_its_equation(name, isa, dtype):
    f, _ = reference.ACTIVATIONS[name]
    for width in widths(dtype):
        for rows in (0, 1, 7):
            z = some_z(dtype, rows, width)
            a = activation(name, z)
            assert a.shape == z.shape and a.dtype == dtype
            if rows:
                exact = f(z)
                # Results below the normal range have fewer digits.
                tiny = 4 * np.finfo(dtype).smallest_subnormal + np.finfo(dtype).smallest_normal * (name == "sigmoid")
                assert np.all(np.abs(a - exact) <= value_tolerance(name, z) * np.abs(exact) + tiny)


@pytest.mark.parametrize("name", NAMES)
def test_derivative_follows_its_equation(name, isa, dtype):
    _, derivative = reference.ACTIVATIONS[name]
    for width in widths(dtype)[:-1]:
        for rows in (0, 1, 7):
            z = some_z(dtype, rows, width)
            got = activation_derivative(name, z)
            exact = derivative(z) if rows else np.empty_like(got, float)
            assert got.shape == exact.shape and got.dtype == dtype
            assert np.all(np.abs(got - exact) <= derivative_tolerance(name, z))


@pytest.mark.parametrize("name", NAMES)
def test_backward_multiplies_the_derivative_into_the_gradient(name, isa, dtype):
    for width in widths(dtype):
        z = some_z(dtype, 7, width)
        gradient = some_z(dtype, 8, width)[:7].copy()
        exact = reference.activation_backward(name, z, gradient)
        # Softmax adds up `width` products of the row's gradient.
        size = np.abs(gradient).sum(axis=1, keepdims=True) if name == "softmax" else np.abs(gradient)
        eps = np.finfo(dtype).eps
        got = activation_backward(name, z, gradient)
        assert np.all(np.abs(got - exact) <= (derivative_tolerance(name, z) + width * eps) * size)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_derivative_agrees_with_central_differences(name, isa):
    # h^2 / 6 times the third derivative (at most 2 here) + rounding of f over h: 3e-11 + 1e-10.
    h = 1e-5
    z = np.linspace(-4, 4, 82)[None]  # an even number of points: 0, where relu has its corner, is not among them
    difference = (activation(name, z + h) - activation(name, z - h)) / (2 * h)
    np.testing.assert_allclose(activation_derivative(name, z), difference, rtol=0, atol=3e-10)


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


def test_relu_cuts_below_zero_and_its_derivative_at_zero_is_zero(isa, dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    z = np.array([[-np.inf, -1, -tiny, -0.0, 0.0, tiny, 1, np.inf]], dtype)
    assert activation("relu", z).tolist() == [[0, 0, 0, 0, 0, tiny, 1, np.inf]]
    assert activation_derivative("relu", z).tolist() == [[0, 0, 0, 0, 0, 1, 1, 1]]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_nan_gives_nan_in_its_own_place_only(name, isa, dtype):
    z = some_z(dtype, 3, 20)
    clean = activation(name, z)
    for place in range(20):
        spoiled = z.copy()
        spoiled[1, place] = np.nan
        expected = clean.copy()
        expected[1, place] = np.nan
        assert same_bits(activation(name, spoiled), expected)


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
        np.testing.assert_allclose(s.sum(axis=1, dtype=float), 1, rtol=0, atol=2 * width * np.finfo(dtype).eps)


def test_softmax_of_a_single_class_is_one(isa, dtype):
    z = np.array([[0], [-1e30], [1e30], [3]], dtype)
    assert np.all(activation("softmax", z) == 1)
    assert np.all(activation_derivative("softmax", z) == 0)


def test_softmax_does_not_see_a_shift_of_the_row(isa, dtype):
    # Multiples of 2^-6 up to 2^4, shifted by 2^8: all sums are exact in float32 too, so the bits must agree.
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


@pytest.mark.parametrize("columns, bad", [(0, np.nan), (7, np.nan), (19, np.nan), (5, np.inf), (slice(None), -np.inf)])
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


@pytest.mark.parametrize("call", [activation, activation_derivative, lambda name, z: activation_backward(name, z, z)])
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
