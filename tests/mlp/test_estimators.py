"""MLPClassifier and MLPRegressor: MLP with the task fixed."""

import copy
import inspect
import pickle
import warnings

import numpy as np
import pytest
from mlp_cases import LINE, THREE, TWO, X

import cnn_core
from cnn_core import MLP, MLPClassifier, MLPRegressor, NotFittedError

BOTH = [(MLPClassifier, "classification", THREE), (MLPRegressor, "regression", LINE)]
QUICK = dict(hidden=(16,), epochs=30, random_state=0, learning_rate=0.01)


@pytest.mark.parametrize("kind, task, y", BOTH)
def test_they_are_mlp_with_another_name(kind, task, y):
    model, plain = kind(**QUICK).fit(X, y), MLP(task=task, **QUICK).fit(X, y)
    assert np.array_equal(model.parameters_, plain.parameters_)
    assert model.get_params() == {k: v for k, v in plain.get_params().items() if k != "task"}
    assert isinstance(model, MLP) and model.task == task and kind.__name__ in cnn_core.__all__
    assert repr(kind(4, "tanh")) == f"{kind.__name__}(hidden=4, activation='tanh')"
    assert type(eval(repr(model))) is kind


@pytest.mark.parametrize("kind, task, y", BOTH)
def test_their_constructor_is_mlps_without_task(kind, task, y):
    ours, theirs = (inspect.signature(one.__init__) for one in (kind, MLP))
    names = [p for p in theirs.parameters.values() if p.name != "task"]
    assert list(ours.parameters.values()) == names  # names, kinds, defaults and annotations
    assert list(inspect.signature(kind).parameters) == list(kind().get_params())


@pytest.mark.parametrize("kind, task, y", BOTH)
def test_the_task_cannot_be_given(kind, task, y):
    with pytest.raises(TypeError, match="task"):
        kind(task=task)
    with pytest.raises(ValueError, match="unknown parameter 'task'"):
        kind().set_params(task=task)
    with pytest.raises(ValueError, match="batch_size"):
        kind(batch_size=0)
    with pytest.raises(NotFittedError, match=f"this {kind.__name__} is not fitted yet"):
        kind().predict(X)
    assert kind().set_params(epochs=3, hidden=5).get_params()["epochs"] == 3


@pytest.mark.parametrize("kind, task, y", BOTH)
def test_copies_and_pickles_are_of_the_same_class(kind, task, y):
    model = kind(**QUICK).fit(X, y)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert type(other) is kind and other.get_params() == model.get_params()
        assert np.array_equal(other.predict(X), model.predict(X))
        assert other.set_params(warm_start=True, epochs=1).fit(X, y).n_epochs_ == 31


def test_every_y_is_what_the_name_says():
    for y in (THREE, THREE.astype(float), THREE / 2, np.array(["a", "b", "c"])[THREE]):
        assert MLPClassifier(8, epochs=1).fit(X, y).classes_.tolist() == np.unique(y).tolist()
    for y in (TWO, TWO.astype(float), THREE.astype(float), TWO > 0, THREE.astype(object)):
        assert MLPRegressor(8, epochs=1).fit(X, y).predict(X).dtype == np.float32
    with pytest.raises(TypeError, match="this is a regression, got the text 'a' at row 0"):
        MLPRegressor().fit(X, ["a", "b"] * 100)
    with pytest.raises(ValueError, match="but this is a regression"):
        MLPRegressor(loss="hinge").fit(X, TWO)
    assert MLPClassifier(8).partial_fit(X[:9], TWO[:9] * 0, classes=[0, 1]).n_epochs_ == 1


def test_a_subclass_may_have_parameters_of_its_own():
    class Deep(MLPClassifier):
        """A user's own."""

        def __init__(self, hidden=(4, 4), epochs=2):
            super().__init__(hidden, epochs=epochs)

    model = Deep(epochs=1).fit(X, THREE)
    assert model.n_epochs_ == 1 and model.classes_.tolist() == [0, 1, 2]


# In scikit-learn's tools

sklearn = pytest.importorskip("sklearn")


def test_scikit_learn_knows_what_they_are_before_the_first_fit():
    from sklearn.base import clone, is_classifier, is_regressor
    from sklearn.utils import get_tags

    assert is_classifier(MLPClassifier()) and not is_regressor(MLPClassifier())
    assert is_regressor(MLPRegressor()) and not is_classifier(MLPRegressor())
    assert get_tags(MLPClassifier()).classifier_tags.multi_label
    assert get_tags(MLPClassifier()).regressor_tags is None
    assert get_tags(MLPRegressor()).estimator_type == "regressor"
    for kind in (MLPClassifier, MLPRegressor):
        model = clone(kind(8, epochs=3))
        assert type(model) is kind and model.get_params() == kind(8, epochs=3).get_params()


def test_splits_are_stratified_before_the_first_fit():
    from sklearn.model_selection import check_cv, cross_val_score

    order = np.argsort(THREE, kind="stable")
    model = MLPClassifier(**QUICK)
    for y in (THREE, THREE.astype(float), np.array(["a", "b", "c"])[THREE]):
        assert cross_val_score(model, X[order], y[order], cv=3).min() > 0.8
    assert type(check_cv(3, THREE, classifier=True)).__name__ == "StratifiedKFold"


@pytest.mark.parametrize(
    "scoring, y",
    [
        ("accuracy", THREE),
        ("accuracy", THREE.astype(float)),
        ("roc_auc", TWO),
        ("roc_auc_ovr", THREE),
        ("neg_log_loss", THREE),
        ("average_precision", TWO),
        ("f1_macro", np.array(["a", "b", "c"])[THREE]),
    ],
)
def test_scorers_of_classifiers_work(scoring, y):
    from sklearn.model_selection import cross_val_score

    scores = cross_val_score(MLPClassifier(**QUICK), X, y, cv=3, scoring=scoring)
    assert scores.min() > (-1 if scoring == "neg_log_loss" else 0.7)


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_absolute_error", None])
def test_scorers_of_regressors_work(scoring):
    from sklearn.model_selection import GridSearchCV

    search = GridSearchCV(
        MLPRegressor(**QUICK), {"hidden": [(4,), (16,)]}, cv=3, scoring=scoring
    ).fit(X, LINE)
    assert search.best_score_ > (-1 if scoring == "neg_mean_absolute_error" else 0.8)


def test_ensembles_and_pipelines_take_them():
    from sklearn.ensemble import BaggingRegressor, VotingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipe = make_pipeline(StandardScaler(), MLPClassifier(**QUICK))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vote = VotingClassifier([("a", pipe), ("b", MLPClassifier(**QUICK))], voting="soft")
        assert vote.fit(X, THREE).score(X, THREE) > 0.9
        bag = BaggingRegressor(MLPRegressor(**QUICK), 3, random_state=0)
        assert bag.fit(X, LINE).score(X, LINE) > 0.8
