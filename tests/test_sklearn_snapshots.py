"""Estimators of `cnn_core.sklearn` publish one immutable model: who predicts sees the old one or
the new one, whole."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from sklearn_cases import LINE, LINES, THREE, TWO, X, classifier, flat, regressor

from cnn_core import Callback


@pytest.mark.parametrize("wrong", [{"bogus": 1}, {"bogus__deeper": 1}, {"Alpha": 1}])
def test_parameters_that_are_refused_change_none(wrong):
    model = classifier(max_iter=2).fit(X, THREE)
    before, predicted = model.get_params(), model.predict_proba(X)
    with pytest.raises((ValueError, TypeError)):
        model.set_params(activation="tanh", alpha=3.0, **wrong)
    assert model.get_params() == before
    assert np.array_equal(model.predict_proba(X), predicted)


FITTED = [
    "coefs_",
    "intercepts_",
    "loss_",
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
    "n_iter_",
    "t_",
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "n_features_in_",
    "classes_",
]


def answers(model, rows=X):
    """All that a model says, as bytes."""
    told = [model.predict(rows), model.predict(rows[:1])]
    if hasattr(model, "predict_proba"):
        told.append(model.predict_proba(rows))
    told += [flat(model), *(getattr(model, name, None) for name in FITTED[2:])]
    return pickle.dumps(told)


class Look(Callback):
    """Calls a function at each moment of a fit at which callbacks are called."""

    def __init__(self, look):
        self.look = look

    def before_fit(self, model):
        self.look("before", model)

    def after_epoch(self, model, epoch, logs):
        self.look(epoch, model)

    def after_fit(self, model):
        self.look("after", model)


def test_until_the_first_epoch_has_ended_the_model_is_the_old_one():
    for model, y, again in ((classifier(), THREE, TWO), (regressor(), LINE, LINES)):
        before, seen = answers(model.fit(X, y)), {}
        look = Look(lambda moment, model: seen.update({moment: answers(model)}))
        model.set_params(callbacks=look, random_state=1, max_iter=3).fit(X, again)
        assert seen["before"] == before
        assert len({seen["before"], *(seen[epoch] for epoch in (1, 2, 3))}) == 4
        assert seen[3] == seen["after"] == answers(model)


@pytest.mark.parametrize("options", [{}, dict(solver="lbfgs"), dict(early_stopping=True)])
@pytest.mark.parametrize("make, y, again", [(classifier, THREE, TWO), (regressor, LINE, LINES)])
def test_what_runs_while_rows_are_drawn_sees_the_old_model(make, y, again, options, monkeypatch):
    """Without callbacks the model changes once, at the end: whatever is called on the way answers
    as before."""
    from cnn_core.sklearn import _fit, _job

    model, seen = make(**options).fit(X, y), []
    before = answers(model)

    def look(module, name):
        function = getattr(module, name)

        def looking(*args, **options):
            seen.append(answers(model))
            made = function(*args, **options)
            seen.append(answers(model))
            return made

        monkeypatch.setattr(module, name, looking)

    look(_job, "_initial_model")
    look(_fit._Epochs, "_final")
    for name in ("_make_trainer", "minimize"):
        look(_fit, name)
    model.set_params(random_state=1).fit(X, again)
    assert len(seen) >= 6 and set(seen) == {before} and answers(model) != before


def test_a_refused_fit_never_shows_another_model(monkeypatch):
    from cnn_core.sklearn import _job

    model = classifier().fit(X, THREE)
    before, seen = answers(model), []
    check = _job._check_sample_weight

    def refuse(*args, **options):
        seen.append(answers(model))
        return check(*args, **options)

    monkeypatch.setattr(_job, "_check_sample_weight", refuse)
    for bad in (np.ones(3), -np.ones(150)):
        with pytest.raises(ValueError):
            model.fit(X[:, :3], TWO, bad)
    with pytest.raises(ValueError, match="batch_size"):
        model.set_params(batch_size=-1).fit(X, TWO)
    assert seen == [before] * 2 and answers(model) == before


@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
@pytest.mark.parametrize(
    "make, y, more", [(classifier, THREE, {"classes": [0, 1, 2]}), (regressor, LINE, {})]
)
@pytest.mark.parametrize("options", [{}, {"dropout": 0.2}, {"learning_rate": "invscaling"}])
def test_a_diverged_partial_fit_is_as_if_it_had_not_been(make, y, more, solver, options):
    one, other = (make(solver=solver, **options).partial_fit(X, y, **more) for _ in range(2))
    before = pickle.dumps(vars(one))
    with np.errstate(all="ignore"):
        for _ in range(2):
            with pytest.raises(ValueError, match="non-finite parameter weights"):
                one.partial_fit(X * 1e200, y)
            assert pickle.dumps(vars(one)) == before
    assert answers(one.partial_fit(X, y)) == answers(other.partial_fit(X, y))


def test_a_refused_first_fit_leaves_an_estimator_that_is_not_fitted():
    for fail in (
        lambda model: model.fit(X, THREE[:9]),
        lambda model: model.partial_fit(X, THREE, classes=[0, 1]),
        lambda model: model.fit(X * 1e200, THREE),
    ):
        model = classifier()
        with np.errstate(all="ignore"), pytest.raises(ValueError):
            fail(model)
        with pytest.raises(NotFittedError):
            model.predict(X)
        assert not any(hasattr(model, name) for name in FITTED)
        assert "classes_" not in vars(model) and "_model" not in vars(model)


def test_an_exception_after_some_epochs_brings_the_old_model_back():
    model = classifier(warm_start=True).fit(X, THREE)
    before = answers(model)

    def stop(model, epoch, logs):
        assert answers(model) != before
        if epoch == 3:
            raise KeyError("a callback's own")

    with pytest.raises(KeyError):
        model.set_params(callbacks=stop).fit(X, THREE)
    assert answers(model) == before


def test_parameters_that_a_callback_sets_are_for_the_next_fit():
    def change(model, epoch, logs):
        model.set_params(tol=10.0, n_iter_no_change=1, max_iter=2, early_stopping=True)

    with pytest.warns(UserWarning, match="takes effect at the next fit"):
        model = classifier(callbacks=change).fit(X, THREE)
    plain = classifier().fit(X, THREE)
    assert np.array_equal(flat(model), flat(plain)) and model.loss_curve_ == plain.loss_curve_


def test_lists_that_were_taken_do_not_change_in_a_later_training():
    model = classifier(warm_start=True).fit(X, THREE, X_val=X, y_val=THREE)
    names = ("coefs_", "intercepts_", "loss_curve_", "validation_scores_")
    taken = [getattr(model, name) for name in names]
    held = pickle.dumps(taken)
    model.fit(X, THREE, X_val=X, y_val=THREE).partial_fit(X, THREE)
    assert pickle.dumps(taken) == held


def test_attributes_come_from_the_model_and_can_be_set_and_deleted():
    model = classifier()
    for name in FITTED:
        assert not hasattr(model, name)
        with pytest.raises(
            AttributeError, match=f"'MLPClassifier' object has no attribute '{name}"
        ):
            getattr(model, name)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    model.fit(X, THREE)
    check_is_fitted(model, FITTED)
    again = clone(model)
    assert not any(hasattr(again, name) for name in FITTED)
    model.n_iter_ = 7
    assert model.n_iter_ == 7 and pickle.loads(pickle.dumps(model)).n_iter_ == 7
    del model.loss_
    assert not hasattr(model, "loss_") and not hasattr(pickle.loads(pickle.dumps(model)), "loss_")
    with pytest.raises(AttributeError):
        del model.loss_


def test_a_fit_with_another_solver_leaves_nothing_of_the_one_before():
    model = classifier().fit(X, THREE)
    assert len(model.loss_curve_) == 10
    fresh = classifier(solver="lbfgs").fit(X, THREE)
    model.set_params(solver="lbfgs").fit(X, THREE)
    assert {name for name in FITTED if hasattr(model, name)} == {
        name for name in FITTED if hasattr(fresh, name)
    }


def test_ctrl_c_in_a_callback_keeps_the_last_whole_epoch():
    weights = []

    def stop(model, epoch, logs):
        weights.append(flat(model))
        if epoch == 3:
            raise KeyboardInterrupt

    model = classifier(callbacks=stop)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, THREE)
    assert model.n_iter_ == 3 == len(model.loss_curve_) and model.t_ == 450
    assert np.array_equal(flat(model), weights[-1])
    assert np.array_equal(flat(model), flat(classifier(max_iter=3).fit(X, THREE)))
