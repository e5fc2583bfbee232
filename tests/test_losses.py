"""Losses and the errors they send back: against the equations, against finite differences, and to
the bit between all paths."""

import numpy as np
import pytest
import reference_numpy as reference
from cnn_core._losses import loss, loss_curvature, names, table
from reference_curvatures import CURVATURES
from reference_numpy import same_bits

#: Those of several outputs a target are in test_heads.py.
NAMES = [name for name in names() if table()[name].heads == 1]
SPARSE = "sparse_categorical_crossentropy"
CROSS_ENTROPIES = ("binary_crossentropy", "categorical_crossentropy", SPARSE)


def shapes(dtype):
    """Rows around the panel of rows whose logarithms are taken together; columns around one panel,
    several, 1 KiB."""
    lanes = 64 // np.dtype(dtype).itemsize
    widths = 1, lanes - 1, lanes, lanes + 1, 40, 16 * lanes
    return [(rows, width) for rows in (0, 1, 7, lanes + 1) for width in widths]


def some_out(dtype, rows, width):
    rng = np.random.default_rng(100 * rows + width)
    return (3 * rng.standard_normal((rows, width))).astype(dtype)


def some_targets(name, dtype, rows, width):
    rng = np.random.default_rng(1 + 100 * rows + width)
    if name == SPARSE:
        return rng.integers(0, width, rows).astype(np.int32)
    if name in ("mse", "mae", "huber"):
        return rng.standard_normal((rows, width)).astype(dtype)
    if name == "poisson":
        return rng.integers(0, 5, (rows, width)).astype(dtype)
    if name == "hinge":
        return rng.choice([-1, 1], (rows, width)).astype(dtype)
    if name == "perceptron":
        return rng.choice([0, 1], (rows, width)).astype(dtype)
    if name == "binary_crossentropy":
        return rng.choice([0, 1, 0.25], (rows, width)).astype(dtype)
    return (rng.choice([0, 1], (rows, width)) * rng.uniform(0, 1, (rows, width))).astype(
        dtype
    )  # rows of any sum


def test_every_loss_has_a_reference_and_works_on_what_it_says():
    assert {name: (*row.fused_activations, None)[0] for name, row in table().items()} == {
        name: output for name, (output, _, _) in reference.LOSSES.items()
    }
    assert [name for name in NAMES if table()[name].sparse] == [SPARSE]
    assert table()["perceptron"].fused_activations == ("step", "sign")


@pytest.mark.parametrize("name", NAMES)
def test_bits_are_those_of_the_scalar_path(name, vector_isa, dtype, on_generic):
    for rows, width in shapes(dtype):
        out, y = some_out(dtype, rows, width), some_targets(name, dtype, rows, width)
        scale = np.linspace(0.1, 3, rows).astype(dtype)
        for got, oracle in zip(loss(name, out, y, scale), on_generic(loss, name, out, y, scale)):
            assert same_bits(got, oracle), (rows, width)


@pytest.mark.parametrize("name", NAMES)
def test_curvatures_have_the_bits_of_the_scalar_path(name, vector_isa, dtype, on_generic):
    for rows, width in shapes(dtype):
        out, y = some_out(dtype, rows, width), some_targets(name, dtype, rows, width)
        args = name, out, y, np.cos(7 * out)
        assert same_bits(loss_curvature(*args), on_generic(loss_curvature, *args)), (rows, width)


@pytest.mark.parametrize("name", NAMES)
def test_curvature_follows_its_equation(name, isa, dtype):
    # Entries of a softmax are off by (width + 4) eps, and so is the sum over the outputs.
    for rows, width in shapes(dtype):
        out, y = some_out(dtype, rows, width), some_targets(name, dtype, rows, width)
        direction = np.cos(7 * out)
        got = loss_curvature(name, out, y, direction)
        assert got.shape == (rows, width) and got.dtype == dtype
        if rows:
            exact = CURVATURES[name](out.astype(float), y if name == SPARSE else y.astype(float))
            wanted = np.einsum("rjk,rk->rj", exact, direction.astype(float))
            size = np.abs(exact).sum(axis=2)
            tolerance = 4 * (width + 4) * np.finfo(dtype).eps * size
            assert np.all(np.abs(got - wanted) <= tolerance), (rows, width)


@pytest.mark.parametrize("name", NAMES)
def test_curvature_agrees_with_central_differences_of_delta(name, isa):
    h = 1e-5
    out, y = some_out("float64", 7, 11), some_targets(name, "float64", 7, 11)
    direction = np.cos(7 * out)
    ends = [loss(name, out + step * direction, y)[1] for step in (h, -h)]
    np.testing.assert_allclose(
        loss_curvature(name, out, y, direction), (ends[0] - ends[1]) / (2 * h), rtol=1e-8, atol=1e-8
    )


def test_curvature_keeps_its_digits_where_a_class_is_all_but_certain(isa):
    # With two classes the cross-entropy of softmax is that of the sigmoid of the difference.
    z, r = np.array([[0.0, 30.0]]), np.array([[1.0, 3.0]])
    got = loss_curvature("sparse_categorical_crossentropy", z, [1], r)
    wanted = loss_curvature("binary_crossentropy", z[:, 1:], np.ones((1, 1)), r[:, 1:] - r[:, :1])
    np.testing.assert_allclose(got, [[-wanted[0, 0], wanted[0, 0]]], rtol=1e-15)


def tolerances(name, out, y, cost):
    """The largest absolute errors of the cost of each row, shape (rows,), and of delta, shape
    (rows, 1).

    Every cost is a sum of terms that are not negative, so that adding them up costs at most width
    eps of the sum. On top come the parts that cancel within a term: z against y z in the binary
    cross-entropy, a against y, e^z against y z, 1 against y a; in the others log of a sum that is
    itself off by (width + 2) eps, once for each unit of the row's targets. A softmax is off by
    (width + 4) eps (its exponents' rounding, |z| e^-|z| eps, is below eps), a sigmoid by 3; the
    difference to y adds one. Twice all this, because the float64 reference has it too.
    """
    width, eps = out.shape[1], np.finfo(out.dtype).eps
    weight = y.sum(axis=1) if name == "categorical_crossentropy" else np.ones(len(out))
    sizes = np.abs(out) + (0 if name == SPARSE else np.abs(y))
    with np.errstate(over="ignore"):
        cancelled = {
            "mse": 0,
            "binary_crossentropy": (np.abs(out) + 1).sum(axis=1),
            "poisson": (np.exp(out) + np.abs(out) * sizes).sum(axis=1),
        }.get(
            name, sizes.sum(axis=1) if name in ("mae", "huber", "hinge", "perceptron") else weight
        )
    if name == "hinge":
        cancelled = cancelled + out.shape[1]
    size = np.maximum(1, weight)
    if name in ("mse", "mae", "huber", "poisson"):
        size = (
            np.abs(out).max(axis=1)
            + np.abs(y).max()
            + (np.exp(out).max(axis=1) if name == "poisson" else 0)
        )
    return 2 * (width + 4) * eps * (np.abs(cost) + cancelled), 2 * (width + 4) * eps * size[:, None]


@pytest.mark.parametrize("name", NAMES)
def test_cost_and_delta_follow_their_equations(name, isa, dtype):
    _, row_cost, row_delta = reference.LOSSES[name]
    for rows, width in shapes(dtype):
        out, y = some_out(dtype, rows, width), some_targets(name, dtype, rows, width)
        cost, delta = loss(name, out, y)
        assert cost.shape == (rows,) and delta.shape == (rows, width)
        assert cost.dtype == delta.dtype == dtype
        if rows:
            exact_out, exact_y = out.astype(float), (y if name == SPARSE else y.astype(float))
            exact_cost, exact_delta = row_cost(exact_out, exact_y), row_delta(exact_out, exact_y)
            cost_tolerance, delta_tolerance = tolerances(name, out, y, exact_cost)
            assert np.all(np.abs(cost - exact_cost) <= cost_tolerance), (rows, width)
            assert np.all(np.abs(delta - exact_delta) <= delta_tolerance), (rows, width)


@pytest.mark.parametrize("name", NAMES)
def test_delta_agrees_with_central_differences_of_the_cost(name, isa):
    # h^2 / 6 times the third derivative (below 1, for Poisson about the cost) + rounding of a cost
    # of about 50 over h: 2e-11 + 1e-9.
    h = 1e-5
    out, y = some_out("float64", 7, 11), some_targets(name, "float64", 7, 11)
    cost, delta = loss(name, out, y)
    for j in range(11):
        step = np.zeros_like(out)
        step[:, j] = h
        difference = (loss(name, out + step, y)[0] - loss(name, out - step, y)[0]) / (2 * h)
        assert np.all(np.abs(delta[:, j] - difference) <= 6e-11 * np.maximum(50, np.abs(cost)))


@pytest.mark.parametrize("name", NAMES)
def test_scale_weighs_delta_and_not_the_cost(name, isa, dtype):
    out, y = some_out(dtype, 7, 21), some_targets(name, dtype, 7, 21)
    cost, delta = loss(name, out, y)
    scale = np.array([1, 2, 0.5, 0, 4, 0.125, 1], dtype)  # powers of two: the products are exact
    scaled_cost, scaled_delta = loss(name, out, y, scale)
    assert same_bits(scaled_cost, cost)
    assert np.array_equal(scaled_delta, delta * scale[:, None])
    assert np.any(scaled_delta != delta)


def test_one_hot_targets_give_the_bits_of_class_indices(isa, dtype):
    for rows, width in shapes(dtype):
        out, label = some_out(dtype, rows, width), some_targets(SPARSE, dtype, rows, width)
        one_hot = np.eye(width, dtype=dtype)[label]
        scale = np.linspace(0.1, 3, rows).astype(dtype)
        sparse = loss(SPARSE, out, label, scale)
        for got, expected in zip(sparse, loss("categorical_crossentropy", out, one_hot, scale)):
            assert same_bits(got, expected), (rows, width)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_alone_equals_its_row_in_the_batch(name, isa, dtype):
    out, y = some_out(dtype, 20, 21), some_targets(name, dtype, 20, 21)
    together = loss(name, out, y)
    alone = [loss(name, out[r : r + 1], y[r : r + 1]) for r in range(20)]
    for got, expected in zip(map(np.concatenate, zip(*alone)), together):
        assert same_bits(got, expected)


def test_mse_is_half_the_squared_distance(isa, dtype):
    cost, delta = loss("mse", np.array([[1, 2], [0, -3]], dtype), np.array([[0, 4], [0, 1]], dtype))
    assert cost.tolist() == [2.5, 8]
    assert delta.tolist() == [[1, -2], [0, -4]]


def test_binary_crossentropy_of_huge_logits_is_finite_and_right(isa, dtype):
    z = np.array([[1e4], [1e4], [-1e4], [-1e4], [1e4], [0]], dtype)
    y = np.array([[1], [0], [1], [0], [0.75], [1]], dtype)
    cost, delta = loss("binary_crossentropy", z, y)
    expected = [0, 1e4, 1e4, 0, 2500, np.log(2)]
    np.testing.assert_allclose(cost, expected, rtol=2 * np.finfo(dtype).eps)
    assert delta.ravel().tolist() == [0, 1, -1, 0, 0.25, -0.5]


@pytest.mark.parametrize("name", ["categorical_crossentropy", SPARSE])
def test_crossentropy_of_huge_logits_is_finite_and_right(name, isa, dtype):
    z = np.array([[1e4, -1e4, 0], [1e4, -1e4, 0], [1e4, 1e4, -1e4], [-1e4, -1e4, -1e4]], dtype)
    label = np.array([0, 1, 0, 2], np.int32)
    y = label if name == SPARSE else np.eye(3, dtype=dtype)[label]
    cost, delta = loss(name, z, y)
    np.testing.assert_allclose(cost, [0, 2e4, np.log(2), np.log(3)], rtol=2 * np.finfo(dtype).eps)
    expected = [[0, 0, 0], [1, -1, 0], [-0.5, 0.5, 0], [1 / 3, 1 / 3, -2 / 3]]
    np.testing.assert_allclose(delta, expected, rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("name", ["categorical_crossentropy", SPARSE])
def test_a_class_ruled_out_by_minus_infinity_costs_nothing_unless_it_is_the_target(
    name, isa, dtype
):
    z = np.array([[0, -np.inf, 0], [0, -np.inf, 0]], dtype)
    label = np.array([0, 1], np.int32)
    y = label if name == SPARSE else np.eye(3, dtype=dtype)[label]
    cost, delta = loss(name, z, y)
    np.testing.assert_allclose(cost, [np.log(2), np.inf], rtol=2 * np.finfo(dtype).eps)
    assert delta.tolist() == [[-0.5, 0, 0.5], [0.5, -1, 0.5]]


@pytest.mark.parametrize("name", CROSS_ENTROPIES)
def test_a_better_prediction_costs_less(name, isa, dtype):
    y = {SPARSE: np.zeros(5, np.int32)}.get(name, np.tile(np.array([1, 0], dtype), (5, 1)))
    z = np.array([[-2, 2], [-1, 1], [0, 0], [1, -1], [2, -2]], dtype)
    assert np.all(np.diff(loss(name, z, y)[0]) < 0)


@pytest.mark.parametrize("place", [0, 7, 15, 16, 20])
@pytest.mark.parametrize("name", NAMES)
def test_nan_makes_its_own_row_nan_and_no_other(name, place, isa, dtype):
    out, y = some_out(dtype, 20, 21), some_targets(name, dtype, 20, 21)
    cost, delta = loss(name, out, y)
    out[3, place] = np.nan
    spoiled_cost, spoiled_delta = loss(name, out, y)
    assert np.isnan(spoiled_cost[3])
    assert np.isnan(spoiled_delta[3, place])
    assert same_bits(np.delete(spoiled_cost, 3), np.delete(cost, 3))
    assert same_bits(np.delete(spoiled_delta, 3, axis=0), np.delete(delta, 3, axis=0))


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_left_alone_and_may_be_read_only(name, isa, dtype):
    out, y, scale = some_out(dtype, 7, 21), some_targets(name, dtype, 7, 21), np.ones(7, dtype)
    copies = out.copy(), y.copy(), scale.copy()
    for array in (out, y, scale):
        array.flags.writeable = False
    loss(name, out, y, scale)
    assert all(map(same_bits, (out, y, scale), copies))


@pytest.mark.parametrize("label", [-1, 3, 100, -(2**31), 2**31 - 1])
def test_a_class_that_does_not_exist_is_refused_with_what_is_allowed(label, dtype):
    with pytest.raises(ValueError, match=rf"class indices from .*{label}.*allowed are 0 to 2"):
        loss(SPARSE, np.zeros((2, 3), dtype), np.array([label, 1], np.int32))


@pytest.mark.parametrize("label", [2**32, 2**32 + 1, -(2**32), 2**63 - 1])
def test_a_class_beyond_32_bits_is_refused_and_not_wrapped(label, dtype):
    with pytest.raises(ValueError, match=rf"class indices.*{label}"):
        loss(SPARSE, np.zeros((2, 3), dtype), np.array([label, 1], np.int64))


@pytest.mark.parametrize("label", [0.5, 1.999])
def test_a_class_that_is_not_whole_is_refused_and_not_cut_off(label, dtype):
    with pytest.raises((ValueError, TypeError), match="class ind"):
        loss(SPARSE, np.zeros((2, 3), dtype), np.array([label, 1]))


@pytest.mark.parametrize("name", NAMES)
def test_targets_of_another_shape_are_refused_with_both_shapes(name, dtype):
    wrong = [(3,), (2, 1), (2, 4)] if name == SPARSE else [(2,), (3, 3), (2, 4), (3, 2)]
    right = (2,) if name == SPARSE else (2, 3)
    for shape in wrong:
        with pytest.raises(ValueError) as error:
            loss(
                name,
                np.zeros((2, 3), dtype),
                np.zeros(shape, np.int32 if name == SPARSE else dtype),
            )
        assert str(shape) in str(error.value) and str(right) in str(error.value)
        assert name in str(error.value)


@pytest.mark.parametrize("name", NAMES)
def test_scale_of_another_length_is_refused(name, dtype):
    for length in (1, 3):
        with pytest.raises(ValueError, match=rf"scale must have shape \(2,\), got \({length},\)"):
            loss(
                name, some_out(dtype, 2, 3), some_targets(name, dtype, 2, 3), np.ones(length, dtype)
            )


def test_unknown_name_suggests_the_nearest_and_lists_all():
    with pytest.raises(ValueError, match="unknown loss 'msee'; did you mean 'mse'") as error:
        loss("msee", np.zeros((1, 1)), np.zeros((1, 1)))
    for name in NAMES:
        assert name in str(error.value)


@pytest.mark.parametrize(
    "z, y, cost", [(np.inf, 1, 0), (np.inf, 0, np.inf), (-np.inf, 0, 0), (-np.inf, 1, np.inf)]
)
def test_binary_crossentropy_of_infinite_logits_is_its_limit(z, y, cost, isa, dtype):
    assert loss("binary_crossentropy", np.array([[z]], dtype), np.array([[y]], dtype))[0] == cost


@pytest.mark.parametrize("z", [10.0, 16.0, 36.0])
def test_binary_crossentropy_keeps_its_digits_where_the_prediction_is_right(z, isa, dtype):
    for sign, y in ((1, 1), (-1, 0)):
        cost, _ = loss("binary_crossentropy", np.array([[sign * z]], dtype), np.array([[y]], dtype))
        assert cost[0] == pytest.approx(np.log1p(np.exp(-z)), rel=8 * float(np.finfo(dtype).eps))


def test_a_nan_target_or_logit_makes_the_cost_nan(isa, dtype):
    for z, y in ((np.nan, 1), (1, np.nan)):
        assert np.isnan(
            loss("binary_crossentropy", np.array([[z]], dtype), np.array([[y]], dtype))[0][0]
        )


@pytest.mark.parametrize("delta", [0.3, 1.0, 5.0])
def test_huber_changes_from_square_to_line_at_its_delta(delta, isa, dtype):
    out, y = some_out(dtype, 7, 21), some_targets("huber", dtype, 7, 21)
    cost, slope = loss("huber", out, y, loss_param=delta)
    exact = out.astype(float), y.astype(float), float(np.dtype(dtype).type(delta))
    tolerance = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(cost, reference.huber(*exact), rtol=tolerance)
    np.testing.assert_allclose(
        slope, reference.huber_delta(*exact), rtol=tolerance, atol=10 * tolerance
    )


def test_numbers_that_losses_take_are_those_of_the_literature():
    assert {
        name: (row.param_name, row.default_param) for name, row in table().items() if row.param_name
    } == {
        "huber": ("delta", 1.0),
        "pinball": ("quantiles", (0.05, 0.5, 0.95)),
        "gaussian_nll": ("beta", 0.0),
    }


def test_a_prediction_on_the_spot_costs_nothing_and_sends_nothing_back(isa, dtype):
    y = some_targets("mse", dtype, 7, 21)
    for name in ("mse", "mae", "huber"):
        cost, delta = loss(name, y, y)
        assert not cost.any() and not delta.any()
