"""Rows that are evaluated after a stream are compared with the stream's own rows; a single false
number of X sets no scaling, and is named."""

import warnings

import numpy as np
import pytest

from cnn_core import MLPClassifier, MLPRegressor

ELSEWHERE = "These rows lie elsewhere than those of training"


def rows(rng, n=32):
    X = rng.normal(size=(n, 3))
    return X, np.sin(X[:, 0]) + 0.5 * X[:, 1]


def stream(change=lambda i, X: X, calls=100, seed=0, noise=0.0):
    rng, model = np.random.default_rng(seed), MLPRegressor(random_state=seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for i in range(calls):
            X, y = rows(rng)
            model.partial_fit(change(i, X), y + noise * rng.normal(size=len(y)))
    X, y = rows(rng, 300)
    return model, change(calls, X), y, [str(one.message) for one in caught]


@pytest.mark.parametrize("factor, plus", [(1000, 0), (1, 300)])
def test_a_change_of_units_is_the_first_finding_of_rows_in_the_new_ones(factor, plus):
    model, X, y, said = stream(lambda i, X: X * factor + plus if i >= 50 else X)
    assert said[0].startswith("These rows lie elsewhere than before in the stream, as column 0")
    text = model.evaluate(X, y)["diagnosis"]
    assert text.startswith("In the stream rows lay elsewhere than before, as column 0 of X"), text
    assert ELSEWHERE not in text


@pytest.mark.slow
@pytest.mark.parametrize("factor, plus", [(1000, 0), (30, 0), (1e-3, 0), (1, 20)])
def test_rows_in_units_that_the_stream_never_had_lie_elsewhere(factor, plus):
    model, X, y, _ = stream()
    assert model.evaluate(X * factor + plus, y)["diagnosis"].startswith(ELSEWHERE)


def test_rows_like_the_last_ones_of_a_drift_lie_nowhere_else():
    model, X, y, _ = stream(lambda i, X: X + np.array([i, 0, 0]) / 10)
    assert ELSEWHERE not in model.evaluate(X, y)["diagnosis"]


@pytest.mark.parametrize("false", [1e2, 1e3, 1e9])
def test_a_false_number_sets_no_scaling_and_is_named(false):
    def change(i, X):
        X[0, 0] = false if i == 30 else X[0, 0]
        return X

    model, X, y, said = stream(change)
    factor = getattr(model, "input_factor_", None)
    assert factor is None or factor[0] > 0.1
    assert model.score(X, y) > 0.6
    (words,) = said
    assert words.startswith(f"column 0 of X is {false:.4g} in 1 of the last 128 rows in the stream")


SOURCES = {
    "normal": lambda rng: rng.normal(size=(50, 4)),
    "lognormal": lambda rng: rng.lognormal(0, 2, (50, 4)),
    "t3": lambda rng: rng.standard_t(3, (50, 4)),
    "rare": lambda rng: rng.random((50, 4)) < 0.01,
    "rare amounts": lambda rng: rng.exponential(9, (50, 4)) * (rng.random((50, 4)) < 0.05),
    "counts": lambda rng: rng.poisson(0.3, (50, 4)),
    "years": lambda rng: rng.integers(1950, 2020, (50, 4)),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_healthy_columns_have_no_false_numbers(source):
    for seed in range(4):
        rng, model = np.random.default_rng(seed), MLPClassifier(8, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(20):
                y = rng.integers(0, 2, 50)
                model.partial_fit(SOURCES[source](rng).astype(float), y, classes=[0, 1])


@pytest.mark.slow
def test_new_rows_of_one_pass_are_not_overfitted():
    for seed in range(8):
        model, X, y, _ = stream(calls=60, seed=seed, noise=0.5)
        text = model.evaluate(X[:32], y[:32] + 0.5 * np.random.default_rng(9).normal(size=32))
        assert "overfitting: R2" not in text["diagnosis"].replace("over- or", ""), text
    rng = np.random.default_rng(0)
    noise, y, others = rng.normal(size=(60, 20)), rng.normal(size=60), rng.normal(size=(300, 20))
    by_heart = MLPRegressor(64, learning_rate=0.003, random_state=0)
    for i in range(900):
        by_heart.partial_fit(noise[i % 6 * 10 :][:10], y[i % 6 * 10 :][:10])
    text = by_heart.evaluate(others, rng.normal(size=300))["diagnosis"]
    assert text.startswith("may be overfitting"), text
