"""`coefs_` and `intercepts_` that users set, and pickles of them."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

import joblib
import sklearn.neural_network as theirs
from cnn_core.sklearn import MLPClassifier
from sklearn_cases import LINES, THREE, TWO, X, classifier, flat, regressor


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_follow_weights_that_are_changed_in_place_or_replaced(dtype):
    rows = X.astype(dtype)
    model, theirs_ = (
        classifier().fit(rows, THREE),
        theirs.MLPClassifier((12,), max_iter=1, random_state=0).fit(rows, THREE),
    )

    def check():
        theirs_.coefs_, theirs_.intercepts_ = list(model.coefs_), list(model.intercepts_)
        for part in (rows, rows[:1], rows[7:8]):
            np.testing.assert_allclose(
                model.predict_proba(part),
                theirs_.predict_proba(part),
                rtol=1e-4 if dtype == "float32" else 1e-12,
            )

    check()
    for net in (model, theirs_):
        net.set_params(activation="tanh")
    check()
    model.coefs_[0][:] *= 3
    check()
    model.coefs_[1][-1, -1] += 0.5
    check()
    model.intercepts_[1][0] = -2
    check()
    model.coefs_ = [np.asfortranarray(W) for W in model.coefs_]
    check()
    model.coefs_[0] = -model.coefs_[0]
    check()
    model.intercepts_ = [b.astype("float64") for b in model.intercepts_]
    check()
    model.coefs_[0].flags.writeable = False
    check()


def test_training_goes_on_from_weights_that_are_set():
    a, b = (
        classifier(warm_start=True, compatible=True),
        theirs.MLPClassifier((12,), max_iter=10, random_state=0, batch_size=32, warm_start=True),
    )
    for model in (a, b):
        model.fit(X, THREE)
        model.coefs_[0][:2] = 0.25
        model.partial_fit(X, THREE)
        model.intercepts_[0][:] = 0
        model.fit(X, THREE)
    np.testing.assert_allclose(flat(a), flat(b), rtol=1e-9)


def test_a_warm_start_may_change_the_solver_and_the_rule_that_stops():
    model = classifier(solver="lbfgs", warm_start=True).fit(X, THREE)
    assert len(model.set_params(solver="adam").fit(X, THREE).loss_curve_) == 10
    model.set_params(early_stopping=True).fit(X, THREE)
    assert len(model.validation_scores_) == model.n_iter_
    assert model.set_params(early_stopping=False).fit(X, THREE).best_loss_ <= min(
        model.loss_curve_[-model.n_iter_ :]
    )
    early = (
        classifier(early_stopping=True, warm_start=True)
        .fit(X, THREE)
        .set_params(early_stopping=False)
        .fit(X, THREE)
    )
    assert early.best_loss_ == min(early.loss_curve_[-early.n_iter_ :])


def test_models_come_back_from_pickle_and_joblib(tmp_path):
    for model in (
        classifier().fit(X, THREE),
        classifier(dtype="float32", early_stopping=True).fit(X, THREE),
        regressor(solver="lbfgs").fit(X, LINES),
        classifier().fit(X, np.column_stack((TWO, TWO))),
    ):
        expected = model.predict(X)
        joblib.dump(model, tmp_path / "model")
        mapped = joblib.load(tmp_path / "model", mmap_mode="r")
        bases = [mapped.coefs_[0]]
        while getattr(bases[-1], "base", None) is not None:
            bases.append(bases[-1].base)
        assert any(isinstance(one, np.memmap) for one in bases)
        assert not mapped.coefs_[0].flags.writeable
        for again in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model"), mapped):
            assert np.array_equal(again.predict(X), expected)
            if hasattr(again, "partial_fit"):
                y = THREE if expected.ndim == 1 else np.column_stack((TWO, TWO))
                if not again.early_stopping:
                    assert np.array_equal(
                        flat(again.partial_fit(X, y)),
                        flat(pickle.loads(pickle.dumps(model)).partial_fit(X, y)),
                    )


def test_a_pickle_holds_the_weights_and_the_moments_and_little_else():
    model = MLPClassifier((200, 200), max_iter=1, random_state=0).fit(X, THREE)
    size = 8 * len(flat(model))
    assert len(pickle.dumps(model)) < 3.3 * size
    assert (
        len(pickle.dumps(MLPClassifier((200, 200), solver="lbfgs", max_iter=1).fit(X, THREE)))
        < 1.1 * size
    )
