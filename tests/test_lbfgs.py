"""L-BFGS: the line search keeps its conditions, quadratic costs are solved, and training ends where
no step is left."""

import numpy as np
import pytest
from cnn_core._linalg import axpy, dot
from cnn_core.training.lbfgs import Point, cubic_minimum, line_search

from cnn_core import LBFGS, MLP

RNG = np.random.default_rng(4)
X = RNG.normal(size=(80, 6))
LINE = X @ [1.0, -2, 0, 0, 3, 0.5] + 0.3
THREE = np.digitize(X[:, 0], [-0.5, 0.5])

FUNCTIONS = {
    "parabola": (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
    "far away": (
        lambda t: -1 / (1 + np.exp(5 - t / 20)),
        lambda t: -np.exp(5 - t / 20) / 20 / (1 + np.exp(5 - t / 20)) ** 2,
    ),
    "steep wall": (lambda t: (t - 1e-4) ** 2 * 1e6, lambda t: 2e6 * (t - 1e-4)),
    "waves": (
        lambda t: (t - 3) ** 2 + 2 * np.sin(8 * t + 3.5),
        lambda t: 2 * (t - 3) + 16 * np.cos(8 * t + 3.5),
    ),
}


def search(f, slope, t, max_evaluations=25):
    tried = []

    def at(t):
        tried.append(t)
        return Point(t, float(f(t)), float(slope(t)), None, None)

    start = at(0.0)
    return start, line_search(at, start, t, 1.0, max_evaluations), tried[1:]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("t", [1e-3, 1.0, 50.0])
def test_steps_fulfil_the_strong_wolfe_conditions(name, t):
    start, found, tried = search(*FUNCTIONS[name], t)
    assert found.cost <= start.cost + 1e-4 * found.t * start.slope
    assert abs(found.slope) <= 0.9 * abs(start.slope) and len(tried) <= 26


def test_a_cost_that_is_not_finite_is_too_high():
    for bad in (np.inf, np.nan):
        start, found, _ = search(
            lambda t: (t - 3) ** 2 if t < 4 else bad, lambda t: 2 * (t - 3) if t < 4 else bad, 100.0
        )
        assert found.cost < start.cost


def test_where_nothing_is_lower_the_start_is_returned():
    start, found, _ = search(lambda t: t, lambda t: -1.0, 1.0)
    assert found is start


def test_the_cubic_is_met_where_it_is_least():
    f, slope = np.polynomial.Polynomial([1.0, -3, 0, 1]), np.polynomial.Polynomial([-3.0, 0, 3])
    a, b = (Point(t, f(t), slope(t), None, None) for t in (0.0, 2.5))
    assert cubic_minimum(a, b, 0, 10) == cubic_minimum(b, a, 0, 10) == pytest.approx(1.0, abs=1e-14)
    assert cubic_minimum(a, b, 1.5, 10) == 1.5 and cubic_minimum(a, b, 0, 0.5) == 0.5


@pytest.mark.parametrize("backend", ["native", "python"])
def test_a_linear_regression_is_solved(backend):
    model = MLP(
        (), optimizer="lbfgs", dtype="float64", epochs=100, random_state=0, backend=backend,
        scale_targets=None,
    ).fit(X, LINE)  # fmt: skip
    expected, *_ = np.linalg.lstsq(np.column_stack((X, np.ones(80))), LINE, rcond=None)
    np.testing.assert_allclose(model.parameters_, expected, atol=1e-6)
    assert model.n_epochs_ < 30 and max(abs(model.loss_and_gradient(X, LINE)[1])) < 1e-6


def test_a_penalised_logistic_regression_is_that_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    model = MLP(
        (), optimizer=LBFGS(tolerance=1e-9), l2=0.01, dtype="float64", epochs=200, random_state=0
    ).fit(X, THREE)
    other = LogisticRegression(C=1 / (0.01 * 80), tol=1e-10, max_iter=1000).fit(X, THREE)
    np.testing.assert_allclose(model.predict_proba(X), other.predict_proba(X), atol=1e-5)


def test_costs_never_rise(dtype):
    model = MLP((8, 8), "tanh", optimizer="lbfgs", dtype=dtype, epochs=60, random_state=0).fit(
        X, THREE
    )
    assert (np.diff(model.history_["loss"]) <= 0).all() and model.score(X, THREE) > 0.97


def test_one_hash_on_every_path(isa, dtype):
    seen = test_one_hash_on_every_path.__dict__.setdefault(dtype, set())
    seen.add(
        MLP((8, 8), "tanh", optimizer="lbfgs", dtype=dtype, epochs=20, random_state=0)
        .fit(X, THREE)
        .parameters_.tobytes()
    )
    assert len(seen) == 1


def test_weights_of_rows_count():
    weights = np.arange(80) % 3
    options = dict(optimizer="lbfgs", dtype="float64", epochs=10, random_state=0)
    a = MLP(4, "tanh", **options).fit(X, THREE, sample_weight=weights)
    b = MLP(4, "tanh", **options).fit(np.repeat(X, weights, axis=0), np.repeat(THREE, weights))
    np.testing.assert_allclose(a.parameters_, b.parameters_, rtol=1e-6, atol=1e-6)


def test_a_perfect_start_takes_no_step():
    W = np.array([[1.0, -2, 0, 0, 3, 0.5]])
    options = {"optimizer": "lbfgs", "dtype": "float64", "scale_targets": None}
    model = MLP((), init=[(W, [0.3])], epochs=9, **options).fit(X, LINE)
    assert model.n_epochs_ == 1 and np.array_equal(model.weights_[0], W)


@pytest.mark.parametrize("settings, message", [
    (dict(memory=0), "LBFGS: memory must be a whole number of at least 1, got 0"),
    (dict(max_evaluations=2.5), "max_evaluations"),
    (dict(tolerance=-1), "tolerance must be a finite number at least 0"),
    (dict(learning_rate=0), "learning_rate"),
])  # fmt: skip
def test_bad_settings_are_clear_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        LBFGS(**settings)


@pytest.mark.parametrize("options, message", [
    (dict(dropout=0.1), "does not go with dropout"), (dict(max_norm=1), "max_norm"),
    (dict(clip_norm=1), "clip_norm"),
    (dict(batch_size=16), "LBFGS works on the whole training set"),
])  # fmt: skip
def test_what_does_not_go_with_it_is_a_clear_error(options, message):
    with pytest.raises(ValueError, match=message):
        MLP(4, optimizer="lbfgs", **options)


def test_vectors_are_checked(dtype):
    lanes = 64 // np.dtype(dtype).itemsize
    x = np.ones(2 * lanes, dtype)
    assert dot(x, x) == 2 * lanes and dot(x[:0], x[:0]) == 0
    axpy(0.5, x, y := x.copy())
    assert (y == 1.5).all()
    for other in (x[:lanes], np.ones(2 * lanes + 1, dtype)):
        with pytest.raises(ValueError, match="the same length, a multiple of"):
            dot(other, x if len(other) == lanes else other)
