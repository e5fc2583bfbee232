"""Rows whose features lie or spread elsewhere than in training, one by one: fit and evaluate name
the column, blame no scaling, and leave rows of the same source in peace."""

import warnings

import numpy as np
import pytest
from cnn_core._dataset import RowSource
from cnn_core.causes.seen import quartiles_of
from cnn_core.causes.spread import AWAY, Known, other_columns

from cnn_core import MLPClassifier, MLPRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2000, 4))
YES = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
ELSEWHERE = "These rows lie elsewhere than those of training, as column 0 of X "
OF_VALIDATION = (
    "X of the validation data lies elsewhere than that of the training rows, as column 0"
)
HOUSES = np.column_stack(
    (RNG.lognormal(7.5, 0.4, 1200), RNG.integers(1, 6, 1200), RNG.integers(1900, 2022, 1200))
)
PRICES = HOUSES @ [210.0, 12000.0, 600.0]


@pytest.fixture(scope="module")
def classifier():
    return MLPClassifier(32, epochs=40, random_state=0).fit(X, YES)


@pytest.mark.parametrize("factor, shift, words", [
    (1, 4, "lies 4.1 standard deviations from its middle there"),
    (1, 2, "lies 2."), (1, 1, "lies 1."),
    (5, 0, "spreads 5.2 times as far as in training"), (0.1, 0, "spreads 0.1"),
    (1e-3, 0, "spreads 0.001"), (0, 0.3, "is the same in every row"), (1.8, 32, "has median size"),
])  # fmt: skip
def test_a_column_of_shifted_rows_is_named_and_no_scaling_blamed(classifier, factor, shift, words):
    text = classifier.evaluate(X * [factor, 1, 1, 1] + [shift, 0, 0, 0], YES)["diagnosis"]
    assert text.startswith(ELSEWHERE + words), text
    assert "scale_inputs" not in text and "overfitting" not in text


@pytest.mark.parametrize("factor", [0.0929, 0.3048, 0.01, 1e-3])
@pytest.mark.parametrize("options", [
    {}, dict(scale_inputs="standard"), dict(scale_inputs="robust_clip"), dict(scale_inputs=None),
], ids=str)  # fmt: skip
def test_a_column_that_other_units_shrink_is_named_by_fit_and_evaluate(factor, options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        other = HOUSES[900:] * [factor, 1, 1]
        model = MLPRegressor(random_state=0, epochs=30, **options)
        model.fit(HOUSES[:900], PRICES[:900], validation_data=(other, PRICES[900:]))
    assert [str(one.message)[: len(OF_VALIDATION)] for one in caught] == [OF_VALIDATION]
    text = model.evaluate(other, PRICES[900:])["diagnosis"]
    if options.get("scale_inputs", "") is not None:  # else the training went badly
        assert text.startswith(ELSEWHERE), text
    assert "overfitting" not in text


def test_validation_rows_that_go_badly_as_they_are_shifted_are_told_so():
    with pytest.warns(UserWarning, match=f"^{OF_VALIDATION} of X lies 2.[34] standard deviations"):
        MLPRegressor(random_state=0, epochs=30).fit(
            HOUSES[:900], PRICES[:900], validation_data=(HOUSES[900:] * [2, 1, 1], PRICES[900:])
        )


def rare(rng, shape):
    return np.where(rng.random(shape) < 0.7, 0, rng.exponential(size=shape))


SOURCES = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "skewed": lambda rng, shape: np.exp(2 * rng.normal(size=shape)),
    "heavy": lambda rng, shape: rng.standard_t(1, size=shape),
    "whole": lambda rng, shape: rng.integers(1, 6, shape),
    "yes or no": lambda rng, shape: rng.random(shape) < 0.27,
    "counts": lambda rng, shape: rng.poisson(0.7, shape),
    "mostly zero": rare,
    "pixels": lambda rng, shape: np.clip(rng.normal(0, 8, size=shape), 0, 16).round(),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("learn, rows", [(48, 12), (50, 30), (100, 100), (400, 1000)])
def test_rows_of_the_same_source_are_left_in_peace(source, learn, rows):
    rng = np.random.default_rng(1)
    for _ in range(20):
        there = SOURCES[source](rng, (learn, 20)).astype(np.float32)
        here = SOURCES[source](rng, (rows, 20)).astype(float)
        moments = np.array([there.mean(axis=0), there.std(axis=0)], float)
        known = Known(moments, quartiles_of(RowSource(there)), learn, away=AWAY)
        assert other_columns(here, known) is None


def test_a_gap_within_chance_in_few_validation_rows_is_no_overfitting():
    rows = RNG.normal(size=(4000, 5))
    y = (rows[:, 0] * rows[:, 1] + rows[:, 2] > 0).astype(int)
    for seed in range(8):
        some = np.random.default_rng(seed).permutation(4000)[:400]
        model = MLPClassifier(epochs=60, early_stopping=True, random_state=seed)
        model.fit(rows[some], y[some])
        at = model.best_epoch_ - 1
        train, other = (model.history_[name][at] for name in ("metric", "val_metric"))
        error = np.sqrt((train + other) / 2 * (1 - (train + other) / 2) / 40)
        told = "may be overfitting: accuracy" in str(model.summary())
        assert told == (train - other > max(0.05 / 2, 2 * error)), (train, other)


def test_the_last_rows_by_date_are_no_rows_in_other_units():
    n, rng = 300, np.random.default_rng(0)
    days = np.datetime64("2023-01-01") + np.arange(n)
    table = {"age": rng.integers(18, 90, n), "when": days, "slow": np.sin(np.arange(n) / 60)}
    cost = 100.0 * table["age"] + rng.normal(0, 300, n)
    first, last = ({name: v[at] for name, v in table.items()} for at in (slice(225), slice(225, n)))
    model = MLPRegressor(32, columns="auto", epochs=60, random_state=0).fit(first, cost[:225])
    text = model.evaluate(last, cost[225:])["diagnosis"]
    assert "spreads" not in text and "'when" not in text, text
