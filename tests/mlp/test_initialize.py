"""A network before it learns: `initialize`, and `fit` with ``epochs=0``."""

import pickle

import numpy as np
import pytest
from mlp_cases import LINE, THREE, TWO, X, quick

from cnn_core import MLP, MLPClassifier, MLPRegressor, NotFittedError, OneCycle

LABELS = np.column_stack((TWO, X[:, 1] > 0)).astype(int)
GIVEN = [(np.array([[1.0, -1, 2]] * 2), np.array([0.5, 0])), (np.ones((1, 2)), np.array([1.0]))]
CASES = {
    "plain": (dict(), TWO),
    "scaled": (dict(scale_inputs="standard", init="orthogonal"), LINE),
    "set apart": (dict(scale_inputs="minmax", early_stopping=True), THREE),
    "schedule": (dict(learning_rate=OneCycle(0.1), activation="tanh"), THREE),
    "labels": (dict(dropout=0.2, l2=0.1), LABELS),
    "lbfgs": (dict(optimizer="lbfgs", batch_size="full", learning_rate=None), LINE),
}


@pytest.fixture(params=CASES)
def case(request):
    options, y = CASES[request.param]
    return dict(epochs=4) | options, y


def start_of(options, y):
    """The initial weights of a fit, as a callback is shown the model before an epoch: taken from
    one epoch of plain descent along a gradient of next to nothing."""
    return quick(
        **{**options, "optimizer": "sgd", "learning_rate": 1e-300, "l2": 0.0, "epochs": 1}
    ).fit(X, y)


def test_the_weights_are_those_that_a_fit_begins_with(case):
    options, y = case
    model = quick(**options).initialize(X, y)
    assert np.array_equal(model.parameters_, start_of(options, y).parameters_)
    nothing = quick(**options | {"epochs": 0}).fit(X, y)
    assert np.array_equal(model.parameters_, nothing.parameters_)
    assert model.history_ == nothing.history_ and not any(model.history_.values())
    assert model.n_epochs_ == 0 and not hasattr(model, "best_epoch_")


@pytest.mark.parametrize("backend", ["native", "python"])
def test_training_goes_on_from_them_as_a_fit_would(case, backend):
    options, y = case
    options = {**options, "backend": backend, "hidden": 3, "epochs": 2}
    X_few, y_few = X[:40], y[:40]
    once = quick(**options).fit(X_few, y_few)
    model = quick(**options, warm_start=True).initialize(X_few, y_few)
    model = pickle.loads(pickle.dumps(model)).fit(X_few, y_few)
    assert np.array_equal(model.parameters_, once.parameters_)
    assert {**model.history_, "seconds": 0} == {**once.history_, "seconds": 0}
    assert model._fitted.baseline == once._fitted.baseline


def test_a_stream_goes_on_from_them():
    once = quick().partial_fit(X, THREE, classes=range(4))
    for model in (
        quick().initialize(X, THREE, classes=range(4)),
        quick().initialize(n_features=5, classes=range(4)),
    ):
        model.partial_fit(X, THREE)
        assert np.array_equal(model.parameters_, once.parameters_)


def test_everything_that_a_fitted_model_does_an_untrained_one_does(capsys):
    model = quick(dtype="float64").initialize(X, THREE)
    assert model.predict(X).shape == (200,) and model.predict_proba(X).shape == (200, 3)
    assert model.predict_one(X[0].astype("float64")).shape == (3,)
    assert model.check_gradient(X[:9], THREE[:9]).error < 1e-7
    loss, gradient = model.loss_and_gradient(X, THREE)
    assert model.trace(X, THREE).loss == loss and gradient.shape == model.parameters_.shape
    evaluated = model.evaluate(X, THREE)
    assert evaluated["diagnosis"] == "not trained for a whole epoch."
    assert evaluated["accuracy"] == model.score(X, THREE)
    print(model.summary())
    assert "output" in capsys.readouterr().out


def test_weights_can_be_set_by_hand_and_trained_on():
    model = MLP(
        (), optimizer="sgd", learning_rate=0.1, batch_size="full", dtype="float64",
        scale_targets=None,
    )  # fmt: skip
    model.initialize(X, LINE)
    model.weights_, model.biases_ = [np.array([[2.0, -1, 0, 0, 0]])], [np.array([0.0])]
    assert model.loss_and_gradient(X, LINE)[0] == pytest.approx(0.5)  # off by 1 in each row
    model.partial_fit(X, LINE)
    assert model.biases_[0] == pytest.approx(0.1)


def test_a_model_can_be_made_from_sizes():
    from_rows = quick().initialize(X, THREE)
    from_sizes = quick().initialize(n_features=5, classes=["a", "b", "c"])
    assert np.array_equal(from_rows.parameters_, from_sizes.parameters_)
    assert set(from_sizes.predict(X)) <= {"a", "b", "c"}
    assert quick().initialize(n_features=5, n_outputs=1).predict(X).shape == (200,)
    assert quick().initialize(n_features=5, n_outputs=2).predict(X).shape == (200, 2)
    labels = quick(task="classification").initialize(n_features=5, n_outputs=2)
    assert set(np.unique(labels.predict(X))) <= {0, 1} and labels.predict(X).shape == (200, 2)
    assert MLPClassifier(4).initialize(n_features=5, classes=[0.5, 1.5]).classes_[1] == 1.5
    assert MLPRegressor(4).initialize(n_features=5, n_outputs=3).forward(X).shape == (200, 3)


def test_a_model_from_sizes_trains_as_one_from_rows():
    once = quick(epochs=3).fit(X, TWO)
    model = quick(epochs=3, warm_start=True).initialize(n_features=5, classes=[0, 1]).fit(X, TWO)
    assert np.array_equal(model.parameters_, once.parameters_)
    assert model.evaluate(X, TWO) == once.evaluate(X, TWO)


def test_given_weights_say_the_sizes():
    model = MLP(hidden=2, init=GIVEN).initialize()
    assert model.predict([[1, 2, 3]]) == [5.5 + 5 + 1]
    two = MLP(hidden=2, init=GIVEN).initialize(classes=["no", "yes"])
    assert two.predict([[1, 2, 3], [-9, 0, 0]]).tolist() == ["yes", "yes"]


@pytest.mark.parametrize("options, given, message", [
    ({}, {}, "initialize needs X and y, or n_features with classes or n_outputs"),
    ({}, dict(n_features=3), "initialize without X and y needs classes, or n_outputs"),
    ({}, dict(n_features=0, n_outputs=1), "n_features must be .* at least 1, got 0"),
    ({}, dict(n_features=2, n_outputs=1.5), "n_outputs must be .* at least 1, got 1.5"),
    ({}, dict(n_features=2, n_outputs=2, classes=[0, 1]), "takes classes or n_outputs, got both"),
    ({}, dict(X=X), "initialize takes X and y together; y is missing"),
    ({}, dict(y=TWO), "initialize takes X and y together; X is missing"),
    ({}, dict(X=X, y=TWO, n_features=5), "got both"),
    (dict(scale_inputs="robust"), dict(n_features=2, n_outputs=2), "'robust' is learned from rows"),
    (dict(task="regression"), dict(n_features=2, classes=[0, 1]), "task is 'regression'"),
    (dict(task="classification"), dict(n_features=2, n_outputs=1), "name the classes"),
    (dict(loss="hinge"), dict(n_features=2, n_outputs=1), "'hinge' is for classification"),
    (dict(hidden=2, init=GIVEN), dict(n_features=4), r"init must give each layer .*\(2, 4\)"),
    (dict(hidden=2, init=[1, 2]), dict(n_features=4, n_outputs=1), "init must be"),
    ({}, dict(n_features=3, n_classes=3), "classes"),
    ({}, dict(lr=3), "learning_rate"),
])  # fmt: skip
def test_what_cannot_be_made_is_refused_and_the_model_stays(options, given, message):
    model = quick(epochs=1).fit(X, TWO)
    before = model._fitted
    model.set_params(**options)
    with pytest.raises((ValueError, TypeError), match=message):
        model.initialize(**given)
    assert model._fitted is before


def test_no_epochs_of_a_warm_start_leave_the_model_as_it_is():
    seen = []
    model = quick(epochs=2).fit(X, TWO)
    before = model.parameters_
    model.set_params(epochs=0, warm_start=True, verbose=1, callbacks=lambda *given: seen.append(1))
    model.fit(X, TWO)
    assert np.array_equal(model.parameters_, before) and model.n_epochs_ == 2 and not seen


def test_an_unfitted_model_says_how_to_use_given_weights():
    with pytest.raises(NotFittedError, match="call fit first, or initialize for an untrained"):
        MLP(hidden=2, init=GIVEN).predict([[1, 2, 3]])
