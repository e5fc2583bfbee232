"""Scores in which a rare class counts as much: scikit-learn's definitions, and where evaluate gives
them."""

import warnings

import numpy as np
import pytest
from cnn_core.scores import average_precision, balanced_accuracy

from cnn_core import MLP, Ensemble, Pinball

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 4))


def weights(kind, rows):
    return {None: None, "some": RNG.uniform(size=rows), "zeros": RNG.integers(0, 3, rows)}[kind]


@pytest.mark.parametrize("kind", [None, "some", "zeros"])
@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("rows", [5, 40, 400])
def test_balanced_accuracy_is_that_of_scikit_learn(rows, classes, kind):
    metrics = pytest.importorskip("sklearn.metrics")
    labels, predicted = RNG.integers(0, classes, (2, rows))
    w = weights(kind, rows)
    if w is not None:
        w[0] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that only one of the two has
        expected = metrics.balanced_accuracy_score(labels, predicted, sample_weight=w)
    assert balanced_accuracy(labels, predicted, w) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", [None, "some", "zeros"])
@pytest.mark.parametrize("steps", [None, 5, 1])
@pytest.mark.parametrize("share", [0.5, 0.05, 1.0])
@pytest.mark.parametrize("rows", [1, 30, 500])
def test_average_precision_is_that_of_scikit_learn(rows, share, steps, kind):
    metrics = pytest.importorskip("sklearn.metrics")
    positive = RNG.uniform(size=rows) < share
    positive[0] = True
    score = RNG.normal(size=rows) + positive
    if steps is not None:  # many rows with the same score
        score = np.round(score * steps) / steps
    w = weights(kind, rows)
    if w is not None:
        w[0] = 1
    expected = metrics.average_precision_score(positive, score, sample_weight=w)
    assert average_precision(positive, score, w) == pytest.approx(expected, rel=1e-12)


def test_average_precision_of_nothing_to_find_is_0():
    assert average_precision(np.zeros(4, bool), np.arange(4.0)) == 0


def rare(share, seed=0):
    """Labels of which about that share is 1, and which can be learned in part."""
    noisy = X[:, 0] + 0.7 * np.random.default_rng(seed).normal(size=len(X))
    return (noisy > np.quantile(noisy, 1 - share)).astype(int)


@pytest.mark.slow
@pytest.mark.parametrize("options", [
    {}, dict(output="softmax"), dict(loss="hinge"), dict(class_weight="balanced"),
    dict(dtype="float64"), dict(backend="python", epochs=2), dict(loss="mse", output="tanh"),
])  # fmt: skip
@pytest.mark.parametrize("names", [(0, 1), ("ok", "fraud"), ("bad", "good"), (False, True)])
def test_evaluate_gives_the_scores_of_the_rarer_class(options, names):
    metrics = pytest.importorskip("sklearn.metrics")
    y = np.array(names)[rare(0.03)]
    model = MLP(8, **dict(epochs=20, random_state=0, n_threads=1) | options).fit(X, y)
    found = model.evaluate(X, y)
    decision = model.forward(X)
    score = decision[:, 0] if decision.shape[1] == 1 else decision[:, 1]
    positive = y == names[1]
    if model.classes_[0] == names[1]:
        score = -score if decision.shape[1] == 1 else decision[:, 0]
    assert found["accuracy"] == pytest.approx(model.score(X, y))
    assert found["balanced_accuracy"] == pytest.approx(
        metrics.balanced_accuracy_score(y, model.predict(X)), rel=1e-12
    )
    assert found["average_precision"] == pytest.approx(
        metrics.average_precision_score(positive, score), rel=1e-12
    )
    assert list(found)[:4] == ["loss", "accuracy", "balanced_accuracy", "average_precision"]
    name = model.classes_[list(model.classes_).index(names[1])].item()
    assert f"Only 18 of these 600 rows are of class {name!r}; " in found["diagnosis"]


def test_more_classes_have_the_mean_over_them():
    metrics = pytest.importorskip("sklearn.metrics")
    y = np.array(["a", "b", "c"])[rare(0.6) + rare(0.03)]
    model = MLP(8, epochs=20, random_state=0).fit(X, y)
    found = model.evaluate(X, y)
    assert found["balanced_accuracy"] == pytest.approx(
        metrics.balanced_accuracy_score(y, model.predict(X)), rel=1e-12
    )
    assert found["average_precision"] == pytest.approx(
        metrics.average_precision_score(y, model.predict_proba(X)), rel=1e-6
    )


def test_a_rare_label_of_several_a_row_has_its_precision():
    metrics = pytest.importorskip("sklearn.metrics")
    y = np.column_stack((rare(0.5), rare(0.04, 1)))
    model = MLP(8, epochs=20, random_state=0).fit(X, y)
    found = model.evaluate(X, y)
    assert "balanced_accuracy" not in found
    assert found["average_precision"] == pytest.approx(
        metrics.average_precision_score(y, model.predict_proba(X)), rel=1e-6
    )


@pytest.mark.parametrize("y", [
    rare(0.5), rare(0.3), rare(0.15), np.arange(600) % 10, np.arange(600) % 20, X[:, 0],
    np.column_stack((rare(0.5), rare(0.2))),
])  # fmt: skip
def test_frequent_classes_and_numbers_have_accuracy_or_r2_alone(y):
    found = MLP(8, epochs=2, random_state=0).fit(X, y).evaluate(X, y)
    of_labels = {"accuracy_per_label"} if y.ndim == 2 and y.dtype != float else set()
    metric = "r2" if y.dtype == float else "accuracy"
    assert set(found) == {"loss", metric, "diagnosis"} | of_labels


def test_few_rows_of_a_class_by_chance_are_not_rare():
    y = np.arange(600) % 10
    model = MLP(8, epochs=2, random_state=0).fit(X, y)
    rows = [*np.flatnonzero(y != 3)[:27].tolist(), 3]
    assert "balanced_accuracy" not in model.evaluate(X[rows], y[rows])


def test_class_weight_asks_for_the_scores_too():
    y = rare(0.4)
    model = MLP(8, epochs=20, random_state=0, class_weight={1: 2.0}).fit(X, y)
    found = model.evaluate(X, y)
    assert {"balanced_accuracy", "average_precision"} < set(found)
    assert "Only" not in found["diagnosis"] and "which was weighted" in found["diagnosis"]


def test_a_rare_class_is_not_judged_by_accuracy():
    y = rare(0.02)
    found = MLP(8, epochs=30, random_state=0).fit(X, y).evaluate(X, y)
    assert found["accuracy"] > 0.97 and found["balanced_accuracy"] == 0.5
    assert "; none of them are found" in found["diagnosis"]
    assert "class_weight='balanced' may help" in found["diagnosis"]
    options = dict(class_weight="balanced", epochs=60, learning_rate=0.01, random_state=0)
    found = MLP(8, **options).fit(X, y).evaluate(X, y)
    assert found["accuracy"] < 0.98 and found["balanced_accuracy"] > 0.85
    assert "underfitting: " not in found["diagnosis"].replace(
        "No sign of over- or underfitting", ""
    )
    assert "larger net" not in found["diagnosis"]


def test_what_is_taken_for_a_rare_class_is_counted():
    y = rare(0.03)
    for options, score in (({}, "predict_proba"), (dict(loss="hinge"), "forward")):
        model = MLP(8, class_weight="balanced", epochs=60, random_state=0, **options).fit(X, y)
        taken = model.predict(X) == 1
        words = (
            f"{(y[taken] == 1).sum()} of them are found, among {taken.sum()} that are taken for it "
            f"(precision {(y[taken] == 1).mean():.3g}); a threshold on {score} trades one for the"
        )
        assert words in model.evaluate(X, y)["diagnosis"]


@pytest.mark.parametrize("clips", [False, True])
def test_several_outputs_have_their_own_r2(clips):
    metrics = pytest.importorskip("sklearn.metrics")
    y = np.column_stack((X[:, 0], X[:, 1] ** 2, np.full(600, 2.0))) * [1, 1e3, 1]
    model = MLP(8, epochs=30, random_state=0, clip_outputs=clips, dtype="float64")
    with pytest.warns(UserWarning, match="column 2 of y is 2 in every row"):
        model.fit(X, y)
    found = model.evaluate(X, y)
    expected = metrics.r2_score(y[:, :2], model.predict(X)[:, :2], multioutput="raw_values")
    assert found["r2_per_output"][:2] == pytest.approx(expected.tolist(), rel=1e-9)
    assert found["r2_per_output"][2] == (1.0 if clips else 0.0)
    assert np.mean(found["r2_per_output"]) == found["r2"]
    assert "r2_per_output" not in MLP(8, epochs=2).fit(X, X[:, 0]).evaluate(X, X[:, 0])


@pytest.mark.parametrize("weighted", [False, True])
def test_an_outer_quantile_is_judged_by_d2_of_the_pinball_loss_as_scikit_learn_defines_it(weighted):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 2))
    y = np.column_stack((X[:, 0] + rng.exponential(size=150), np.round(X[:, 1])))
    w = rng.integers(0, 4, 150) * 1.0 if weighted else None
    model = MLP(4, loss=Pinball(0.9), epochs=20, dtype="float64", random_state=0).fit(X, y)
    wanted = metrics.d2_pinball_score(y, model.predict(X), alpha=0.9, sample_weight=w)
    assert model.score(X, y, sample_weight=w) == pytest.approx(wanted, rel=1e-12)
    if not weighted:
        found, mean = model.evaluate(X, y), Ensemble([model]).evaluate(X, y)
        assert found["d2_pinball"] == mean["d2_pinball"] == model.score(X, y)
        assert len(found["d2_pinball_per_output"]) == 2 and "r2" not in found
        assert "R2" not in found["diagnosis"] + str(model.importances(X, y)) + str(model.summary())
    assert "r2" in MLP(4, loss=Pinball(0.5), epochs=1).fit(X, y).evaluate(X, y)


def test_early_stopping_on_the_metric_of_a_quantile_keeps_the_epoch_of_its_lowest_loss():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 2))
    y = X[:, 0] + rng.exponential(size=200)
    model = MLP(16, loss=Pinball(0.9), epochs=30, learning_rate=0.03, dtype="float64",
                early_stopping=True, patience=30, monitor="val_metric", random_state=0)  # fmt: skip
    model.fit(X[:100], y[:100], validation_data=(X[100:], y[100:]))
    history = model.history_
    assert model.best_epoch_ == 1 + int(np.argmin(history["val_loss"])) < 30
    score = history["val_metric"][model.best_epoch_ - 1]
    assert score == pytest.approx(model.score(X[100:], y[100:]), rel=1e-9)
