"""Means of several networks are explained as one network is: TabularMLP and Ensemble."""

import tracemalloc
import warnings

import numpy as np
import pytest
from cnn_core._random import permutation

from cnn_core import (
    MLP,
    Embedding,
    Ensemble,
    MLPClassifier,
    MLPRegressor,
    PeriodicEmbedding,
    TabularMLP,
)


def numbers(n=200, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)) * [1, 2, 1, 0.1] + [0, 1, 1, 0]
    return X, np.stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] + 10 * X[:, 3]], axis=1)


def table(n=400, seed=0):
    rng = np.random.default_rng(seed)
    city, size = rng.integers(12, size=n), rng.normal(70, 20, n)
    X = {
        "noise": rng.normal(size=n),
        "city": np.array([f"c{c}" for c in city]),
        "size": np.where(rng.random(n) < 0.1, np.nan, size),
        "kind": rng.choice(["a", "b", "c"], n),
    }
    return X, rng.normal(0, 300, 12)[city] + 10 * size + (X["kind"] == "b") * 200


def few(X, n=40):
    return {name: values[:n] for name, values in X.items()}


def ensemble(kind, X, y, **options):
    models = [
        kind((9, 5 + k), "tanh", epochs=5, random_state=k, **options).fit(X, y) for k in range(3)
    ]
    return Ensemble(models)


@pytest.fixture(scope="module", params=["tabular", "shared columns", "own columns"])
def of_table(request):
    X, y = table()
    if request.param == "tabular":
        return TabularMLP(members=2, random_state=0).fit(X, y)
    columns = [{"city": Embedding(3)}, {"city": Embedding(2)}]
    if request.param == "own columns":
        columns = [{"city": Embedding(3)}, "auto", {"noise": "drop", "city": Embedding(3)}]
    models = [
        MLPRegressor(16, columns=how, epochs=60, random_state=k, dtype="float64").fit(X, y)
        for k, how in enumerate(columns)
    ]
    return Ensemble(models)


@pytest.mark.parametrize("options", [{}, {"numeric_embedding": PeriodicEmbedding(scale=0.5)}])
def test_derivatives_are_the_mean_of_the_networks_own(dtype, options):
    X, Y = numbers()
    model = ensemble(MLPRegressor, X, Y, dtype=dtype, clip_outputs=True, **options)
    found = model.jacobian(X)
    each = [one.jacobian(X).astype(np.float64) for one in model.models_]
    mean = (each[0] + each[1] + each[2]) / 3
    assert found.dtype == dtype and found.shape == (200, 2, 4)
    if dtype == "float64":
        assert np.array_equal(found, mean)
    np.testing.assert_allclose(found, mean, rtol=0, atol=2e-7 * np.abs(mean).max())
    for output in (0, 1):
        assert np.array_equal(model.input_gradient(X, output), found[:, output])
        for row in (X[7], X[7].tolist(), X[7]):
            assert np.array_equal(model.input_gradient(row, output), found[7, output])
    assert np.array_equal(model.input_gradient(X.astype(np.float32)[7], 0),
                          model.input_gradient(X.astype(np.float32)[7:8], 0)[0])  # fmt: skip


def test_derivatives_of_probabilities_are_those_of_the_mean_probability():
    X, _ = numbers()
    y = np.where(X[:, 0] > 0, "yes", "no")
    model = ensemble(MLPClassifier, X, y, dtype="float64")
    step = 1e-6
    wanted = np.stack(
        [
            (model.predict_proba(X + step * unit) - model.predict_proba(X - step * unit))[:, 1]
            / (2 * step)
            for unit in np.eye(4)
        ],
        axis=1,
    )
    np.testing.assert_allclose(model.input_gradient(X), wanted, atol=1e-8)
    assert np.array_equal(model.input_gradient(X, "no"), -model.input_gradient(X, "yes"))
    assert np.array_equal(model.input_gradient(X[3], "no"), -model.input_gradient(X, "yes")[3])


def test_z_of_a_mean_is_refused_with_the_way_to_that_of_one_network():
    X, Y = numbers()
    model = ensemble(MLPRegressor, X, Y[:, 0])
    tabular = TabularMLP(members=2, random_state=0).fit(X, Y[:, 0])
    for one, name in ((model, "models_"), (tabular, "members_")):
        for call in (one.input_gradient, one.jacobian, one.attributions):
            with pytest.raises(ValueError, match=rf"of the outputs of .*{name}\[k\].input_grad"):
                call(X, of="z")
    alone = Ensemble(model.models_[:1])
    assert np.array_equal(
        alone.input_gradient(X, of="z"), model.models_[0].input_gradient(X, of="z")
    )


@pytest.mark.parametrize("method, share", [("integrated", 2e-3), ("expected", 5e-2)])
def test_attributions_add_up_to_the_mean_prediction(of_table, method, share):
    X, _ = table(60, seed=1)
    found = of_table.attributions(X, method)
    assert sorted(found.names) == sorted(X) and found.values.shape == (60, 4)
    spread = np.abs(found.predictions - found.base).max()
    missing = found.predictions - found.base - found.values.sum(axis=1)
    np.testing.assert_allclose(missing, found.gap, atol=1e-9 * spread)
    assert np.abs(found.gap).max() <= share * spread
    np.testing.assert_allclose(found.predictions, of_table.predict(X), atol=1e-6 * spread)


def test_attributions_are_the_mean_of_the_networks_own():
    X, y = table()
    models = [
        MLPRegressor(9, "tanh", columns={"city": Embedding(2 + k)}, epochs=20, random_state=k)
        for k in range(3)
    ]
    model = Ensemble([one.fit(X, y) for one in models])
    found = model.attributions(few(X), baseline=X)
    each = [one.attributions(few(X), baseline=X) for one in models]
    mean = np.mean([one.values for one in each], axis=0)
    np.testing.assert_allclose(found.values, mean, atol=5e-3 * np.abs(mean).max())
    assert found.base == pytest.approx(np.mean([one.base for one in each]), rel=1e-12)


@pytest.mark.parametrize("method", ["permutation", "gradient", "integrated", "expected"])
def test_importances_rank_the_columns_that_count(of_table, method):
    X, y = table(200)
    found = of_table.importances(X, y if method == "permutation" else None, method)
    ranked = [found.names[i] for i in found.order]
    assert ranked[-1] == "noise" and set(ranked[:2]) == {"city", "size"}
    way = dict(zip(found.names, found.direction))
    assert way["size"] > 0.9 and np.isnan(way["kind"]) and np.isnan(way["city"])


def test_permutation_importance_is_the_fall_of_the_score(of_table):
    X, y = table()
    found = of_table.importances(X, y, repeats=2)
    seed = of_table._model().first.seed
    for at, name in enumerate(found.names):
        falls = []
        for repeat in range(2):
            shuffled = X | {name: X[name][permutation(seed, repeat, len(y))]}
            falls.append(of_table.score(X, y) - of_table.score(shuffled, y))
        assert found.values[at] == pytest.approx(np.mean(falls), abs=2e-6)
        assert found.sd[at] == pytest.approx(np.std(falls), abs=2e-6)


def test_networks_that_scale_each_in_its_way_read_the_same_shuffled_column():
    X, Y = numbers()
    models = [
        MLPRegressor(6, scale_inputs=how, epochs=20, random_state=0).fit(X, Y)
        for how in ("standard", "robust_clip", None)
    ]
    model = Ensemble(models)
    found = model.importances(X, Y, repeats=1)
    shuffled = X.copy()
    shuffled[:, 2] = X[permutation(models[0]._model().seed, 0, len(X)), 2]
    fall = model.score(X, Y) - model.score(shuffled, Y)
    assert found.values[2] == pytest.approx(fall, abs=2e-6)


def test_results_do_not_depend_on_threads_or_on_the_blocks_of_rows(of_table, monkeypatch):
    X, y = table(120)
    results = []
    for threads, numbers_at_a_time in ((1, 1 << 18), (2, 1 << 18), (2, 300)):
        of_table.n_threads = threads
        monkeypatch.setattr("cnn_core.explanations.explained.NUMBERS", numbers_at_a_time)
        results.append(
            [
                of_table.importances(X, y, repeats=2).values,
                *of_table.importances(X, method="gradient")[1:4:2],
                of_table.importances(X, method="integrated").values,
                of_table.attributions(few(X, 70), "expected", baseline=X).values,
            ]
        )
    of_table.n_threads = None
    for one, *others in zip(*results):
        assert all(np.array_equal(one, other, equal_nan=True) for other in others)


def test_features_that_are_not_each_others_have_no_mean_derivative():
    X, y = table(100)
    models = [MLPRegressor(4, columns=how, epochs=1).fit(X, y) for how in
              ("auto", {"noise": "drop"})]  # fmt: skip
    with pytest.raises(ValueError, match="'noise' alone, so their derivatives have no mean"):
        Ensemble(models).input_gradient(X)


def test_rows_are_only_read():
    X, Y = numbers()
    model = MLP(4, task="regression", epochs=1, dtype="float64", scale_inputs=None).fit(X, Y)
    kept = X.copy()
    X.flags.writeable = False
    for one in (model, Ensemble([model, model])):
        one.importances(X, Y)
        one.importances(X, method="gradient", output=0)
        one.attributions(X, output=0)
    assert np.array_equal(X, kept)


def test_memory_does_not_grow_with_the_rows(monkeypatch):
    monkeypatch.setattr("cnn_core.explanations.explained.NUMBERS", 1 << 13)
    X, Y = numbers(40_000)
    model = MLPRegressor((), epochs=1).fit(X[:500], Y[:500, 0])
    model = Ensemble([model, model])
    for call, most in (
        (lambda: model.importances(X, method="gradient"), 0),
        (lambda: model.importances(X, Y[:, 0], repeats=1), 1.5),  # targets, places of rows
        (lambda: model.attributions(X), 1.5),  # the result, predictions, gaps
    ):
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most * X.nbytes + 900_000


def test_a_step_has_no_derivatives_and_says_so():
    X, _ = numbers()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLP((), loss="perceptron", epochs=1).fit(X, (X[:, 0] > 0).astype(int))
    for call in (model.input_gradient, model.jacobian, model.attributions):
        with pytest.warns(UserWarning, match="'step' has the derivative 0 everywhere.*of='z', or"):
            call(X)
    assert np.ptp(model.input_gradient(X, of="z"), axis=0).max() == 0
