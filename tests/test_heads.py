"""Losses of several outputs a target: pinball and gaussian_nll. Against the equations, against
finite differences, and to the bit between all paths."""

import numpy as np
import pytest
import reference_numpy as reference
from cnn_core._losses import heads, loss, loss_curvature
from reference_curvatures import CURVATURES
from reference_numpy import same_bits

from cnn_core import MLP, GaussianNLL, Pinball
from cnn_core import reference as plain

#: Around one panel, and beyond: the kernels take these in another layout.
TARGETS = (1, 2, 5, 9)
CASES = [
    ("pinball", None),
    ("pinball", (0.01, 0.1, 0.5, 0.7, 0.99)),
    ("pinball", (0.5, 0.9)),
    ("pinball", (0.25,)),
    ("gaussian_nll", None),
    ("gaussian_nll", 0.5),
]
ROWS = (1, 7, 17)


def some(name, param, dtype, rows, targets):
    rng = np.random.default_rng(100 * rows + targets)
    out = 2 * rng.standard_normal((rows, heads(name, param) * targets))
    return out.astype(dtype), rng.standard_normal((rows, targets)).astype(dtype)


def shapes():
    return [(rows, targets) for rows in ROWS for targets in TARGETS]


@pytest.mark.parametrize("name, param", CASES)
def test_bits_are_those_of_the_scalar_path(name, param, vector_isa, dtype, on_generic):
    for rows, targets in shapes():
        out, y = some(name, param, dtype, rows, targets)
        scale = np.linspace(0.1, 3, rows).astype(dtype)
        oracle = on_generic(loss, name, out, y, scale, param)
        for got, wanted in zip(loss(name, out, y, scale, param), oracle):
            assert same_bits(got, wanted), (rows, targets)


SMOOTH = [case for case in CASES if case != ("gaussian_nll", 0.5)]


@pytest.mark.parametrize("name, param", SMOOTH)
def test_curvatures_have_the_bits_of_the_scalar_path(name, param, vector_isa, dtype, on_generic):
    for rows, targets in shapes():
        out, y = some(name, param, dtype, rows, targets)
        args = name, out, y, np.cos(7 * out), param
        assert same_bits(loss_curvature(*args), on_generic(loss_curvature, *args)), (rows, targets)


@pytest.mark.parametrize("name, param", SMOOTH)
def test_curvature_follows_its_equation_and_differences_of_delta(name, param, isa, dtype):
    h, eps, more = 1e-5, np.finfo(dtype).eps, () if param is None else (param,)
    for rows, targets in shapes():
        out, y = some(name, param, dtype, rows, targets)
        direction = np.cos(7 * out)
        got = loss_curvature(name, out, y, direction, param)
        assert got.shape == out.shape and got.dtype == dtype
        if param != (0.25,):
            exact = CURVATURES[name](out.astype(float), y.astype(float), *more)
            wanted = np.einsum("rjk,rk->rj", exact, direction.astype(float))
            size = np.abs(exact).sum(axis=2)
            slopes = np.abs(reference.LOSSES[name][2](out.astype(float), y.astype(float), *more))
            assert np.all(np.abs(got - wanted) <= 200 * eps * (size + slopes)), (rows, targets)
        if dtype == "float64":
            ends = [loss(name, out + step * direction, y, None, param)[1] for step in (h, -h)]
            size = np.abs(ends[0]).max()
            differences = (ends[0] - ends[1]) / (2 * h)
            np.testing.assert_allclose(got, differences, rtol=2e-6, atol=1e-9 + 1e-7 * size)


def test_errors_that_are_no_slopes_have_no_curvature():
    with pytest.raises(ValueError, match="beta=0 alone.* got beta=0.5"):
        loss_curvature("gaussian_nll", np.ones((1, 2)), np.ones((1, 1)), np.ones((1, 2)), 0.5)


@pytest.mark.parametrize("name, param", [case for case in CASES if case[1] != (0.25,)])
def test_cost_and_delta_follow_their_equations(name, param, isa, dtype):
    _, row_cost, row_delta = reference.LOSSES[name]
    eps, more = np.finfo(dtype).eps, () if param is None else (param,)
    for rows, targets in shapes():
        out, y = some(name, param, dtype, rows, targets)
        cost, delta = loss(name, out, y, None, param)
        exact = out.astype(float), y.astype(float)
        # Of a variance of 1e-2 and more, rounding is a hundred times that of z.
        tolerance = 300 * eps * (10 + np.abs(row_delta(*exact, *more)))
        np.testing.assert_array_less(np.abs(cost - row_cost(*exact, *more)), 1e3 * eps * targets)
        np.testing.assert_array_less(np.abs(delta - row_delta(*exact, *more)), tolerance)


@pytest.mark.parametrize("name, param", [case for case in CASES if case[1] != 0.5])
def test_delta_agrees_with_central_differences_of_the_cost(name, param, isa):
    out, y = some(name, param, "float64", 7, 3)
    delta, h = loss(name, out, y, None, param)[1], 1e-6
    for j in range(out.shape[1]):
        step = np.zeros_like(out)
        step[:, j] = h
        up, down = (loss(name, out + one, y, None, param)[0] for one in (step, -step))
        np.testing.assert_allclose((up - down) / (2 * h), delta[:, j], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name, param", CASES)
def test_the_reference_implementation_agrees(name, param):
    out, y = some(name, param, "float64", 5, 3)
    cost, delta = loss(name, out, y, None, param)
    number = (0.05, 0.5, 0.95) if (name, param) == ("pinball", None) else param or 0.0
    for r in range(5):
        C, dC = plain.LOSSES[name](out[r].tolist(), y[r].tolist(), number)
        assert pytest.approx(cost[r], rel=1e-12) == C
        np.testing.assert_allclose(dC, delta[r], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name, param", CASES)
def test_a_row_alone_equals_its_row_in_the_batch_and_nan_stays_in_it(name, param, isa, dtype):
    for targets in TARGETS:
        out, y = some(name, param, dtype, 19, targets)
        out[4, 0] = np.nan
        scale = np.linspace(0.1, 3, 19).astype(dtype)
        cost, delta = loss(name, out, y, scale, param)
        assert np.flatnonzero(np.isnan(cost)).tolist() == [4] and np.isnan(delta[4, 0])
        unscaled = loss(name, out, y, None, param)
        assert same_bits(cost, unscaled[0]) and same_bits(delta, unscaled[1] * scale[:, None])
        for r in (0, 3, 18):
            alone = loss(name, out[[r]], y[[r]], scale[[r]], param)
            assert same_bits(alone[0], cost[[r]]) and same_bits(alone[1], delta[[r]])


def test_pinball_of_the_median_is_half_the_absolute_error(dtype):
    out, y = some("pinball", (0.5,), dtype, 9, 1)
    for half, whole in zip(loss("pinball", out, y, None, (0.5,)), loss("mae", out, y)):
        assert same_bits(2 * half, whole)


@pytest.mark.parametrize(
    "make, kind, message",
    [
        (lambda: Pinball(()), ValueError, "must be 1 to 99 numbers, got 0"),
        (lambda: Pinball((0.5, 0.1)), ValueError, "must ascend"),
        (lambda: Pinball((0.0, 0.5)), ValueError, "between 0 and 1"),
        (lambda: Pinball((0.1, 0.9)), ValueError, "must have 0.5 among them"),
        (lambda: Pinball("wide"), TypeError, "list of numbers"),
        (lambda: Pinball([True]), TypeError, "list of numbers"),
        (lambda: Pinball([k / 200 for k in range(1, 120)]), ValueError, "got 119"),
        (lambda: GaussianNLL(-1), ValueError, "beta"),
        (lambda: GaussianNLL(2), ValueError, "from 0 to 1"),
        (
            lambda: loss("gaussian_nll", np.ones((2, 3)), np.ones((2, 1))),
            ValueError,
            "needs 2 ",
        ),
        (lambda: loss("pinball", np.ones((2, 3)), np.ones((2, 3))), ValueError, r"shape \(2, 1\)"),
    ],
)
def test_what_no_such_loss_can_be_is_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


@pytest.mark.parametrize("loss_, targets", [(Pinball(), 1), (Pinball(), 7), ("gaussian_nll", 2)])
def test_training_gives_the_same_bits_on_every_path(loss_, targets, vector_isa, dtype, on_generic):
    rng = np.random.default_rng(targets)
    X = rng.normal(size=(150, 5))
    y = X[:, :1] + rng.normal(size=(150, targets)) * (1 + np.abs(X[:, 1:2]))

    def everything(hidden, threads):
        model = MLP(hidden, loss=loss_, epochs=3, dtype=dtype, random_state=0, n_threads=threads)
        return model.fit(X, y, sample_weight=1 + np.arange(150) % 3).parameters_.tobytes()

    for hidden in ((), (20,), (300, 20)):
        oracle = on_generic(everything, hidden, 1)
        assert everything(hidden, 1) == everything(hidden, 2) == oracle
