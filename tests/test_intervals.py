"""Calibrated intervals: `calibrate` and `predict_interval`."""

import copy
import math
import pickle

import numpy as np
import pytest
from cnn_core.conformal import rank
from training_cases import numbers

import cnn_core
from cnn_core import MLP, Ensemble, MLPClassifier, MLPRegressor, TabularMLP

LEVELS = (0.5, 0.8, 0.9, 0.95)


def rows(seed, n):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, (n, 2))
    return X, np.sin(2 * X[:, 0]) + 0.3 * rng.standard_t(4, n)


def quick(**options):
    return MLPRegressor(**dict(hidden=16, epochs=30, random_state=0) | options)


X, Y = rows(0, 300)
FITTED = quick().fit(X, Y)


def test_the_share_of_new_rows_inside_is_the_level():
    covered = {level: [] for level in LEVELS}
    for seed in range(1, 41):
        model = copy.copy(FITTED).calibrate(*rows(2 * seed, 200))
        new, y = rows(2 * seed + 1, 500)
        for level in LEVELS:
            low, high = model.predict_interval(new, level).T
            covered[level].append(np.mean((low <= y) & (y <= high)))
    for level, shares in covered.items():
        # Of a calibration with n rows the share has the deviation sqrt(l (1 - l) / (n + 2)), of m
        # new rows that of a binomial distribution.
        deviation = math.sqrt(level * (1 - level) * (1 / 202 + 1 / 500) / len(shares))
        assert -4 * deviation < np.mean(shares) - level < 4 * deviation + 1 / 201


def test_an_interval_reaches_as_far_as_the_residual_of_its_rank():
    new, y = rows(7, 99)
    model = copy.copy(FITTED).calibrate(new, y)
    sizes = np.sort(np.abs(y - model._fitted.precise_outputs(new, "native", 1)[:, 0]))
    for level in (0.01, 0.5, 0.9, 0.95, 0.99):
        found = model.predict_interval(X, level)
        assert found.shape == (300, 2) and found.dtype == np.float64
        width = found[:, 1] - found[:, 0]
        np.testing.assert_allclose(
            width, 2 * sizes[math.ceil(round(100 * level, 9)) - 1], rtol=1e-12
        )
        np.testing.assert_allclose(found.mean(axis=1), model.predict(X), rtol=1e-6)


@pytest.mark.parametrize("level, rows, place", [
    (0.9, 9, 9), (0.9, 10, 10), (0.9, 19, 18), (0.95, 19, 19), (0.1, 9, 1), (0.07, 99, 7),
    (0.57, 99, 57),
])  # fmt: skip
def test_the_rank_is_that_of_the_decimal_number(level, rows, place):
    assert rank(level, rows) == place


def test_too_few_rows_are_refused_with_how_many_are_needed():
    model = copy.copy(FITTED).calibrate(X[:18], Y[:18])
    assert model.predict_interval(X[:1], 0.94).shape == (1, 2)
    with pytest.raises(ValueError, match=r"95 % needs at least 19 rows .* at most 0\.947$"):
        model.predict_interval(X, 0.95)


@pytest.mark.parametrize("level", [0, 1, -0.5, 90, math.nan])
def test_levels_that_are_no_shares_are_refused(level):
    with pytest.raises(ValueError, match="level must be"):
        copy.copy(FITTED).calibrate(X, Y).predict_interval(X, level)


def test_what_cannot_be_calibrated_is_refused_and_nothing_is_lost():
    with pytest.raises(ValueError, match="predict_interval needs a calibrated model"):
        FITTED.predict_interval(X)
    classifier = MLPClassifier(4, epochs=2, random_state=0).fit(X, Y > 0)
    for call in (lambda: classifier.calibrate(X, Y > 0), lambda: classifier.predict_interval(X)):
        with pytest.raises(ValueError, match="is for regression, but this model does class"):
            call()
    model = copy.copy(FITTED).calibrate(X, Y)
    before = model.predict_interval(X)
    for bad in ((X[:5], Y), (X[:, :1], Y), (X, Y[:, None] + np.zeros(2)), (X, Y * np.nan)):
        with pytest.raises(ValueError):
            model.calibrate(*bad)
    assert np.array_equal(model.predict_interval(X), before)


def test_predictions_that_are_no_numbers_give_infinite_intervals():
    model = quick(hidden=(), scale_inputs=None, scale_targets=None).fit(X, Y)
    model.parameters_ = np.array([3e38, 3e38, 0], np.float32)
    with pytest.warns(RuntimeWarning, match="NaN or infinite"):
        model.calibrate(np.full((20, 2), 1e10), Y[:20])
    assert np.isinf(model.predict_interval(np.zeros((1, 2)), 0.9)).all()


def test_each_output_has_its_own_intervals():
    several = np.column_stack((Y, 10 * Y + X[:, 1]))
    model = quick().fit(X, several).calibrate(X, several)
    found = model.predict_interval(X, 0.8)
    inside = ((found[..., 0] <= several) & (several <= found[..., 1])).mean(axis=0)
    assert found.shape == (300, 2, 2) and (np.abs(inside - 0.8) < 0.01).all()


def test_training_and_other_weights_forget_the_calibration():
    changes = (
        lambda model: model.fit(X, Y),
        lambda model: model.partial_fit(X, Y),
        lambda model: setattr(model, "parameters_", model.parameters_),
    )
    for change in changes:
        model = quick(epochs=2).fit(X, Y).calibrate(X, Y)
        change(model)
        with pytest.raises(ValueError, match="needs a calibrated model"):
            model.predict_interval(X)


def made(name):
    if name == "TabularMLP":
        table = {"a": X[:, 0], "b": X[:, 1], "c": ["x", "y", "z"] * 100}
        return TabularMLP(members=2, max_seconds=0.2, random_state=0).fit(table, Y), table
    if name == "Ensemble":
        return Ensemble([quick(random_state=seed, epochs=3).fit(X, Y) for seed in range(3)]), X
    return (quick(epochs=3) if name == "MLPRegressor" else MLP(8, epochs=3)).fit(X, Y), X


@pytest.mark.parametrize("name", ["MLP", "MLPRegressor", "Ensemble", "TabularMLP"])
def test_files_and_pickles_keep_the_calibration_to_the_bit(name, tmp_path):
    model, table = made(name)
    model.calibrate(table, Y)
    before = model.predict_interval(table)
    model.save(tmp_path / "model.safetensors")
    for other in (cnn_core.load(tmp_path / "model.safetensors"), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(other.predict_interval(table), before)
        assert np.array_equal(other.predict(table), model.predict(table))


def test_threads_change_no_bit_of_an_interval():
    wide = quick(hidden=(64, 64), epochs=2).fit(X, Y)
    found = []
    for threads in (1, 2, 3):
        model = copy.copy(wide).set_params(n_threads=threads).calibrate(X, Y)
        found.append(model.predict_interval(numbers(3, 4000, 2)).tobytes())
    assert len(set(found)) == 1
