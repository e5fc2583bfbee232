"""What evaluate, summary and fit say of skewed targets, linear networks, rows that are few or
contradict each other, features that give y away, and numbers of extreme size."""

import warnings

import numpy as np
import pytest
from cnn_core.datasets import load_digits

from cnn_core import MLP, MLPClassifier, MLPRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1200, 4))
CURVED = X[:, 0] + X[:, 1] * X[:, 2]
YES = (CURVED > 0).astype(int)


def fitted(X, y, weights=None, **options):
    """A model, and what its fit warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = MLP(**dict(hidden=16, epochs=30, random_state=0) | options)
        model.fit(X, y, sample_weight=weights)
    return model, [str(warning.message) for warning in caught]


def diagnosis(X, y, rows=None, weights=None, **options):
    return fitted(X, y, weights, **options)[0].evaluate(*(rows or (X, y)))["diagnosis"]


# Skewed targets


@pytest.mark.parametrize("y, function", [
    (np.exp(3 * X[:, 0] + X[:, 1]), "log"), (1e9 * np.exp(3 * X[:, 0]), "log"),
    (1e-6 * np.exp(2 * CURVED), "log"), (np.exp(2 * CURVED)[:, None], "log"),
    (np.floor(np.exp(3 + 2 * CURVED)), "log1p"), (10.0 ** (2 * CURVED), "log"),
], ids=range(6))  # fmt: skip
@pytest.mark.parametrize("options", [{}, dict(loss="mae"), dict(scale_targets=None)], ids=str)
def test_targets_over_orders_of_magnitude_are_told_to_learn_the_logarithm(y, function, options):
    text = diagnosis(X, y, task="regression", hidden=8, epochs=10, **options)
    words = f"learn {function}(y), as scikit-learn's TransformedTargetRegressor(model, func=np."
    assert "spreads over orders of magnitude" in text and words + function in text, text
    assert "take loss='mae'" not in text.replace("In training", ""), text


@pytest.mark.parametrize("y", [
    np.exp(0.4 * X[:, 0]), 150 + 77 * X[:, 0] ** 2, RNG.exponential(size=1200), CURVED,
    np.abs(CURVED), RNG.uniform(0, 1e6, 1200), np.where(CURVED > 2, CURVED, 0),
    RNG.poisson(3, 1200) * 1.0, -np.exp(3 * X[:, 0]), np.sinh(3 * X[:, 0]),
], ids=range(10))  # fmt: skip
def test_other_targets_are_not_told_to_learn_the_logarithm(y):
    text = diagnosis(X, y, task="regression", epochs=2)
    assert "orders of magnitude" not in text, text


# Linear networks


@pytest.mark.slow
@pytest.mark.parametrize("options", [
    dict(activation="identity"), dict(hidden=()), dict(hidden=(8, 8), activation="identity"),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("y", [
    CURVED, X[:, 0] + 0.5 * X[:, 1] ** 2, X[:, 0] + np.abs(X[:, 2]), np.exp(0.7 * X[:, 0]),
    2 * X[:, 0] + np.cos(2 * X[:, 1]),
    (CURVED + X[:, 0] > 0).astype(int), np.digitize(CURVED + X[:, 0], [-1, 1]),
], ids=range(7))  # fmt: skip
def test_a_linear_network_that_leaves_curvature_is_named(options, y):
    text = diagnosis(X, y, epochs=60, **options)
    words = "and squares and products of the features explain "
    assert "network is linear in x, as it" in text and (words in text or "0.4" in text), text
    assert "shows whether there is more to learn" in text


@pytest.mark.slow
def test_a_linear_network_that_leaves_noise_alone_is_not_told():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        for features in (1, 4, 30):
            rows = rng.normal(size=(300, features))
            line, noise = rows @ rng.normal(size=features), rng.normal(size=300)
            counts = np.round(3 * line + 3 * noise)
            for y in (line / line.std() + noise, counts, (line + noise > 0).astype(int)):
                text = diagnosis(rows, y, hidden=(), epochs=40, task="auto" if y.dtype == int else
                                 "regression")  # fmt: skip
                assert "linear in x, as it has no hidden layers, and" not in text, text


# Few rows, and rows that contradict each other


def test_few_rows_that_count_are_told_by_fit_evaluate_and_summary():
    weights = np.zeros(1200)
    weights[[np.argmax(YES), np.argmin(YES), 700]] = 1
    for y, rows in ((YES, 1200), (CURVED, 400)):
        model, said = fitted(X[:rows], y[:rows], weights[:rows])
        count = int((weights[:rows] > 0).sum())
        words = f"Only {count} of {rows} rows have a sample_weight above 0, so that nothing"
        assert len(said) == 1 and said[0].startswith(words)
        assert words in model.evaluate(X, y)["diagnosis"] and words in str(model.summary())
    for half in (np.arange(1200) % 2, np.arange(1200) % 10 == 0):
        assert not fitted(X, CURVED, half * 1.0, epochs=1)[1]


def test_few_rows_are_named_where_others_go_worse():
    wide = RNG.normal(size=(400, 200))
    six = np.tile(X[:6], (100, 1)), np.tile(YES[:6], 100)
    for learn, rest, words in (
        ((wide[:12], YES[:12]), (wide, YES[:400]), "Only 12 rows of 200 features were trained on."),
        ((X[:9], YES[:9]), (X, YES), "Only 9 rows of 4 features were trained on."),
        (six, (X, YES), "The 600 rows that were trained on are only 6 different ones."),
        ((X[:9], CURVED[:9]), (X, CURVED), "Only 9 rows of 4 features were trained on."),
    ):
        model, _ = fitted(*learn, epochs=400, learning_rate=0.01)
        text = model.evaluate(*rest)["diagnosis"]
        assert words in text and "overfitting" in text, text
        assert "trained on" not in model.evaluate(*learn)["diagnosis"]
    text = diagnosis(X[:300], YES[:300], (X[300:], YES[300:]), hidden=200, epochs=200)
    assert "trained on" not in text and "overfitting" in text


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_rows_to_evaluate_on_are_named(rows):
    text = diagnosis(X, YES, (X[:rows], 1 - YES[:rows]))
    assert "not show how good the model is" in text or "All these" in text, text
    assert "fitting" not in text


def test_a_single_validation_row_of_a_classifier_is_told_by_fit():
    with pytest.warns(UserWarning, match="^There is a single validation row, by which"):
        MLPClassifier(4, epochs=2, early_stopping=True).fit(
            X, YES, validation_data=(X[:1], YES[:1])
        )


@pytest.mark.parametrize("make", [
    lambda: (np.r_[X, X], np.r_[YES, 1 - YES]), lambda: (np.r_[X, X], np.r_[CURVED, -CURVED]),
    lambda: (np.r_[X, X], np.r_[YES, RNG.permutation(YES)]),
    lambda: (RNG.integers(0, 3, (600, 2)), RNG.integers(0, 2, 600)),
], ids=range(4))  # fmt: skip
def test_training_rows_that_contradict_each_other_are_named_on_other_rows(make):
    model, said = fitted(*make())
    others = RNG.normal(size=(400, model.n_features_in_))
    y = RNG.normal(size=400) if model.evaluate(*make()).get("r2") is not None else YES[:400]
    words = "training rows are equal to others in X and differ in y, so that no network reaches"
    assert words in model.evaluate(others, y)["diagnosis"]
    assert words in str(model.summary()) and not said


def test_equal_training_rows_that_agree_are_not_told():
    for y in (YES, CURVED):
        model, _ = fitted(np.r_[X, X], np.r_[y, y], epochs=6, hidden=2)
        assert "equal to others" not in str(model.summary())


# Features that give y away


@pytest.mark.parametrize("column, words", [
    (YES, "tells the classes apart"), (5 - 3 * YES, "tells the classes apart"),
    (CURVED, "tells the classes apart"), (np.where(YES, 7, 3 + (X[:, 0] > 0)), "tells the classes"),
], ids=range(4))  # fmt: skip
def test_a_feature_that_tells_the_class_is_named(column, words):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    frame["churn"] = column
    text = diagnosis(frame, YES, epochs=60, learning_rate=0.01)
    assert text.startswith(f"Column 'churn' of X alone {words}"), text
    assert text.endswith(")."), text


@pytest.mark.parametrize("column", [CURVED, 1000 - 7 * CURVED, CURVED**3 / 10])
def test_a_feature_that_gives_the_order_of_y_is_named(column):
    text = diagnosis(np.c_[X, column], CURVED, hidden=64, epochs=100)
    assert text.startswith("Column 4 of X alone gives the order of y: see that it is not y"), text


def test_good_models_of_clean_data_are_told_nothing():
    digits, labels = load_digits()
    angle = RNG.uniform(0, 2 * np.pi, 800)
    ring = np.where(np.arange(800) % 2, 1.0, 3.0)
    rings = np.column_stack((ring * np.cos(angle), ring * np.sin(angle)))
    flags = RNG.integers(0, 2, (800, 4))
    line = np.linspace(-3, 3, 400)[:, None]
    for rows, y, options in (
        (digits, labels, {}), (rings, np.arange(800) % 2, {}),
        (flags, flags[:, 0] ^ flags[:, 1], {}),
        (line, np.sin(line[:, 0]), dict(learning_rate=0.01)), (X, X @ [1.0, 2.0, -1.0, 0.5], {}),
        (X, X @ [1.0, 2.0, -1.0, 0.5], dict(hidden=())), (line, 2 * line[:, 0] + 1, {}),
        (X, (X[:, :2] > 0).astype(int), dict(epochs=400)),
    ):  # fmt: skip
        model, said = fitted(rows, y, **dict(hidden=32, epochs=150) | options)
        text = model.evaluate(rows, y)["diagnosis"]
        assert not said and text.startswith("no sign of over- or underfitting"), (said, text)


# Numbers of extreme size


@pytest.mark.parametrize("factor", [1e-300, 1e-170, 1e-60, 1e-30, 1.0, 1e30, 1e170, 1e300])
def test_the_score_of_y_of_any_size_is_that_of_y(factor):
    one, other = (MLPRegressor(8, epochs=5, dtype="float64", random_state=0) for _ in range(2))
    one.fit(X, CURVED)
    other.fit(X, factor * CURVED)
    assert other.score(X, factor * CURVED) == pytest.approx(one.score(X, CURVED), abs=1e-9)
    assert other.score(X, factor * CURVED + 0 * CURVED[::-1]) < 0.99


@pytest.mark.parametrize("dtype, factor", [
    ("float32", 1e-40), ("float32", 1e-60), ("float32", 1e-300),
    ("float64", 1e-309),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore:y has numbers that float32 cannot")
def test_targets_that_are_not_scaled_and_count_as_0_are_refused(dtype, factor):
    model = MLPRegressor(4, scale_targets=None, dtype=dtype)
    with pytest.raises(ValueError, match=f"^y has no number larger than .* training in {dtype} "):
        model.fit(X, factor * CURVED)
    with pytest.warns(UserWarning, match="y is the same in every row"):
        MLPRegressor(4, scale_targets=None, dtype=dtype, epochs=1).fit(X, 0 * CURVED)


def test_r2_of_targets_whose_squares_are_0_is_not_1():
    y = 1e-200 * CURVED
    model = MLPRegressor(8, epochs=2, scale_targets=None, dtype="float64", random_state=0).fit(X, y)
    assert model.evaluate(X, y)["r2"] < 0 and model.score(X, y) < 0


# Columns of one number but for rounding


NOISE = np.where(RNG.random(1200) < 0.5, 0.1 + 0.2, 0.3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["standard", "minmax", "robust", "robust_clip", "robust_asinh"])
@pytest.mark.parametrize("factor, shift", [(1, 0), (1e6, 0), (-1e-9, 0), (1, 1000)])
def test_a_column_of_rounding_errors_is_not_stretched(kind, factor, shift):
    column = factor * NOISE + shift
    rows = np.c_[X, column]
    model = MLPRegressor(16, epochs=10, scale_inputs=kind, random_state=0).fit(rows, CURVED)
    constant = MLPRegressor(16, epochs=10, scale_inputs=kind, random_state=0)
    constant.fit(np.c_[X, np.full(1200, column.min())], CURVED)
    assert np.allclose(model.parameters_, constant.parameters_, atol=1e-4)
    assert model._fitted.scaling.factor[4] == 1
    stream = MLPRegressor(16, scale_inputs=kind, random_state=0)
    for part in np.split(rows, 12):
        stream.partial_fit(part, part[:, 0])
    assert stream._fitted.scaling.constant.tolist() == [False] * 4 + [True]


def test_auto_scales_no_rounding_errors():
    model = MLPRegressor(4, epochs=1).fit(np.c_[X, NOISE], CURVED)
    assert "read as they are" in str(model.summary())
    spread = np.c_[X, 0.3 + 1e-6 * X[:, 0]]
    assert model.fit(spread, CURVED)._fitted.scaling.factor[4] > 1e5
