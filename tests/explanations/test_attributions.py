"""Attributions add up to predictions, and importances find the columns that count."""

import warnings

import numpy as np
import pytest
from cnn_core._random import permutation

from cnn_core import Embedding, MLPClassifier, MLPRegressor


def table(n=600, seed=0):
    rng = np.random.default_rng(seed)
    city = rng.integers(12, size=n)
    X = {
        "noise": rng.normal(size=n),
        "city": np.array([f"c{c}" for c in city]),
        "size": rng.normal(70, 20, n),
        "kind": rng.choice(["a", "b", "c"], n),
    }
    y = rng.normal(0, 300, 12)[city] + 10 * X["size"] + (X["kind"] == "b") * 200
    return X, y


@pytest.fixture(scope="module", params=["one-hot", "embedded"])
def model(request):
    X, y = table()
    columns = "auto" if request.param == "one-hot" else {"city": Embedding(3)}
    return MLPRegressor(24, columns=columns, epochs=60, random_state=0).fit(X, y)


@pytest.mark.parametrize("method, share", [("integrated", 2e-3), ("expected", 5e-2)])
@pytest.mark.parametrize("of", ["output", "z"])
def test_attributions_add_up_to_the_predictions(model, method, share, of):
    X, _ = table(50, seed=1)
    found = model.attributions(X, method, of=of)
    assert found.names == ["noise", "size", "kind", "city"] or found.names == [*X]
    spread = np.abs(found.predictions - found.base).max()
    missing = found.predictions - found.base - found.values.sum(axis=1)
    np.testing.assert_allclose(missing, found.gap, atol=1e-9 * spread)
    assert np.abs(found.gap).max() <= share * spread
    if of == "output":
        np.testing.assert_allclose(found.predictions, model.predict(X), rtol=1e-5)


def test_of_a_linear_model_they_are_its_terms():
    rng = np.random.default_rng(0)
    X, baseline = rng.normal(size=(40, 3)) * [1, 10, 0.1], rng.normal(size=(20, 3))
    model = MLPRegressor((), epochs=30, dtype="float64", random_state=0).fit(X, X @ [1, 2, 3])
    slope = model.input_gradient(X[:1])[0]
    for method in ("integrated", "expected"):
        found = model.attributions(X, method, baseline=baseline)
        wanted = slope * (X - baseline.mean(axis=0))
        error = np.abs(found.values - wanted).max() / np.abs(wanted).max()
        assert error < (1e-12 if method == "integrated" else 0.1)


def test_the_first_of_two_classes_has_the_opposite_of_the_second():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = np.where(X[:, 0] > 0, "yes", "no")
    model = MLPClassifier(8, epochs=20, random_state=0).fit(X, y)
    yes, no = (model.attributions(X[:9], output=label, baseline=X) for label in ("yes", "no"))
    np.testing.assert_allclose(yes.values, -no.values, rtol=1e-12)
    np.testing.assert_allclose(yes.predictions + no.predictions, 1)
    np.testing.assert_allclose(yes.base + no.base, 1)


def test_a_sum_that_misses_is_told():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 1))
    model = MLPRegressor(4, "sigmoid", epochs=1, random_state=0, scale_inputs=None)
    model.fit(X, X[:, 0])
    model.weights_ = [np.full((4, 1), 1e6), np.ones((1, 4))]
    with pytest.warns(UserWarning, match="the attributions of a row miss its prediction by up to"):
        model.attributions(X)


@pytest.mark.parametrize("method", ["permutation", "gradient", "integrated", "expected"])
def test_importances_rank_the_columns_that_count(model, method):
    X, y = table()
    found = model.importances(X, y if method == "permutation" else None, method)
    ranked = [found.names[i] for i in found.order]
    assert ranked[-1] == "noise" and set(ranked[:2]) == {"city", "size"}
    assert found.direction[found.names.index("size")] == 1
    assert np.isnan(found.direction[found.names.index("kind")])
    lines = repr(found).splitlines()
    assert lines[2].startswith(ranked[0]) and lines[-1].startswith("importance: ")
    assert "+1.00 rises" in repr(found)


def test_permutation_importance_is_the_fall_of_the_score():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    for model, y in (
        (MLPRegressor(16, epochs=30, random_state=3), X[:, 0] - 2 * X[:, 1]),
        (MLPRegressor(16, epochs=30, random_state=3), np.stack((X[:, 0], X[:, 1]), axis=1)),
        (MLPClassifier(16, epochs=30, random_state=3), np.digitize(X[:, 0], [-0.5, 0.5])),
        (MLPClassifier(16, epochs=30, random_state=3), np.where(X[:, 0] > 0, "a", "b")),
    ):
        model.fit(X, y)
        found = model.importances(X, y, repeats=2)
        for column in range(3):
            falls = []
            for repeat in range(2):
                shuffled = X.copy()
                shuffled[:, column] = X[permutation(model._model().seed, repeat, 300), column]
                falls.append(model.score(X, y) - model.score(shuffled, y))
            assert found.values[column] == pytest.approx(np.mean(falls), abs=2e-6)
            assert found.sd[column] == pytest.approx(np.std(falls), abs=2e-6)


def test_results_do_not_depend_on_threads(model):
    X, y = table(333)
    results = []
    for threads in (1, 2):
        model.n_threads = threads
        results.append(
            (model.importances(X, y).values, model.attributions(X).values,
             model.importances(X, method="gradient").values)
        )  # fmt: skip
    model.n_threads = None
    for one, two in zip(*results):
        assert np.array_equal(one, two)


def test_what_is_asked_wrongly_is_said_in_a_sentence(model):
    X, y = table(20)
    for call, kind, message in (
        (lambda: model.importances(X), ValueError, "compare predictions with y; give it"),
        (lambda: model.importances(X, y, "shap"), ValueError, "unknown method 'shap'"),
        (lambda: model.importances(X, y, repeats=0), ValueError, "repeats must be a whole number"),
        (lambda: model.importances(X, y, repeats=1.5), TypeError, "repeats must be a whole number"),
        (lambda: model.importances(X, y[:9]), ValueError, "9"),
        (lambda: model.attributions(X, "lime"), ValueError, "unknown method 'lime'"),
        (lambda: model.attributions(X, baseline={}), ValueError, "baseline: X must have at least"),
    ):
        with pytest.raises(kind, match=message):
            call()


def test_one_row_has_nothing_to_be_compared_with(model):
    X, y = table(1)
    with pytest.warns(UserWarning, match="baseline= takes the rows to compare it with"):
        assert not model.attributions(X).values.any()
    for method in ("permutation", "gradient", "integrated"):
        with pytest.warns(UserWarning, match="X is one row, of which nothing varies"):
            assert not model.importances(X, y, method).values.any()


def test_a_row_of_a_frame_has_its_names_compared():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 2)), columns=["a", "b"])
    model = MLPRegressor((), epochs=2, random_state=0).fit(X, X["a"] - X["b"])
    assert np.array_equal(model.input_gradient(X.iloc[3]), model.input_gradient(X)[3])
    assert model.attributions(X, baseline=X.iloc[3]).base == pytest.approx(model.predict(X)[3])
    for call in (model.input_gradient, lambda x: model.attributions(X, baseline=x)):
        with pytest.raises(ValueError, match="x has other columns .* their order differs"):
            call(X[["b", "a"]].iloc[3])


def test_numbers_whose_squares_are_beyond_float64_have_importances():
    X, y = np.random.default_rng(0).normal(size=(200, 2)), np.arange(200.0)
    model = MLPRegressor((), scale_inputs="standard", epochs=2, random_state=0).fit(X, y)
    small, large = (model.importances(X * [s, 1], method="gradient").values for s in (1, 1e200))
    np.testing.assert_allclose(large, small * [1e200, 1], rtol=1e-12)


def test_several_outputs_have_the_direction_of_the_one_that_is_named():
    X = np.random.default_rng(0).normal(size=(300, 2))
    model = MLPClassifier(8, epochs=30, random_state=0).fit(X, np.digitize(X[:, 0], [-0.5, 0.5]))
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    assert np.isnan(model.importances(X, y).direction).all()
    low, high = (model.importances(X, y, output=output) for output in (0, 2))
    assert low.direction[0] < -0.95 and high.direction[0] > 0.95
    assert np.array_equal(low.values, high.values)


def test_a_number_with_gaps_has_the_direction_of_the_number():
    X = {"size": np.random.default_rng(0).normal(size=300), "kind": np.array(["a", "b", "c"] * 100)}
    y = X["size"] * 3
    X["size"] = np.where(np.arange(300) % 10, X["size"], np.nan)
    for columns in ("auto", {"kind": Embedding(1)}):
        model = MLPRegressor(8, columns=columns, epochs=40, random_state=0).fit(X, y)
        found = model.importances(X, method="gradient")
        assert dict(zip(found.names, np.isnan(found.direction))) == {"size": False, "kind": True}
        assert found.direction[found.names.index("size")] > 0.95


def test_nothing_is_said_where_all_is_well(model):
    X, y = table(100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.attributions(X)
        model.importances(X, y)


@pytest.mark.parametrize("method", ["integrated", "expected"])
def test_attributions_of_a_row_do_not_depend_on_the_others(method):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    model = MLPRegressor((16, 8), epochs=30, random_state=0).fit(X, X[:, 0] * X[:, 1] + X[:, 2])
    together = model.attributions(X, method=method, baseline=X[:20]).values
    for some in (slice(0, 1), slice(20, 23), slice(7, 60)):
        alone = model.attributions(X[some], method=method, baseline=X[:20]).values
        assert np.array_equal(alone, together[some])


@pytest.mark.parametrize("method", ["integrated", "expected"])
def test_points_that_are_computed_together_give_the_bits_of_one_after_the_other(
    method, monkeypatch
):
    import sys

    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 3))
    model = MLPRegressor(8, epochs=3, random_state=0).fit(X, X[:, 0] * X[:, 1])
    found = []
    for together in (0, 1 << 11, 1 << 15):
        module = sys.modules["cnn_core.explanations.attributions"]
        monkeypatch.setattr(module, "TOGETHER", together)
        found.append(model.attributions(X[:2], method, baseline=X[2:]).values.tobytes())
    assert found[0] == found[1] == found[2]


def test_importances_by_gradients_do_not_change_where_no_prediction_does():
    rng = np.random.default_rng(0)
    table = {"k": [f"c{i}" for i in rng.integers(0, 3, 300)], "x": rng.normal(size=300)}
    y = table["x"] + np.array([{"c0": 0, "c1": 1, "c2": 5}[k] for k in table["k"]])
    options = dict(columns="auto", epochs=20, scale_inputs=None, dtype="float64", random_state=0)
    model = MLPRegressor((), **options).fit(table, y)
    before = model.importances(table, method="gradient").values, model.predict(table)
    W, b = model.weights_[0].copy(), model.biases_[0].copy()
    of_k = [str(name).startswith("k") for name in model.columns_.encoded]
    assert sum(of_k) == 3
    model.weights_, model.biases_ = [W + 10 * np.array(of_k)], [b - 10]
    np.testing.assert_allclose(model.predict(table), before[1], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        model.importances(table, method="gradient").values, before[0], rtol=1e-10
    )
    k = model.columns_.names.index("k")
    effects = np.array([W[0][of_k][sorted(set(table["k"])).index(one)] for one in table["k"]])
    np.testing.assert_allclose(before[0][k], effects.std() * model.target_factor_[0], rtol=1e-10)


def test_a_column_that_does_not_vary_has_no_direction():
    rng = np.random.default_rng(0)
    X = np.column_stack((rng.normal(size=50), np.full(50, 3.0)))
    model = MLPRegressor(4, epochs=2, random_state=0).fit(X, X[:, 0])
    for options in (dict(y=X[:, 0]), dict(method="gradient"), dict(method="integrated")):
        assert np.isnan(model.importances(X, **options).direction).tolist() == [False, True]
