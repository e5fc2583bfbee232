"""Intervals of scikit-learn's regressor: those of the same net as an MLP, kept and lost with its
weights."""

import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.7")
from cnn_core.sklearn import MLPClassifier, MLPRegressor
from scipy import sparse
from sklearn.base import clone

import cnn_core
from cnn_core import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))
Y = X[:, 0] + RNG.normal(size=300)
PAIR = np.column_stack((Y, 5 * Y + X[:, 1]))


def fitted(y, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MLPRegressor(hidden_layer_sizes=(8,), max_iter=5, random_state=0, **options).fit(
            X[:100], y[:100]
        )


@pytest.mark.parametrize("y", [Y, PAIR], ids=["one", "two"])
def test_intervals_are_those_of_the_same_net_as_an_mlp_and_travel(tmp_path, y):
    model = fitted(y).calibrate(X[100:200], y[100:200])
    ends = model.predict_interval(X[200:], 0.8)
    mlp = MLP.from_sklearn(model).calibrate(X[100:200], y[100:200])
    np.testing.assert_allclose(ends, mlp.predict_interval(X[200:], 0.8), rtol=1e-12)
    inside = (ends[..., 0] <= y[200:]) & (y[200:] <= ends[..., 1])
    assert (np.abs(inside.mean(axis=0) - 0.8) < 0.15).all()
    model.save(tmp_path / "model")
    others = [pickle.loads(pickle.dumps(model)), cnn_core.load(tmp_path / "model")]
    for other in others:
        assert (other.predict_interval(X[200:], 0.8) == ends).all()
    assert (MLP.from_sklearn(model).predict_interval(X[200:], 0.8) == ends).all()
    model.export_numpy(tmp_path / "net.py", intervals=0.8)
    assert "def predict_interval(X, level=0.8)" in (tmp_path / "net.py").read_text()


def test_a_calibration_ends_with_the_weights_that_it_is_of():
    calibrated = fitted(Y).calibrate(X[100:], Y[100:])

    def sets(model):
        model.coefs_ = [one + 1 for one in model.coefs_]

    for change in (
        lambda model: model.fit(X[:50], Y[:50]),
        lambda model: model.partial_fit(X[:50], Y[:50]),
        sets,
        lambda model: vars(model).update(vars(clone(model).fit(X[:50], Y[:50]))),
    ):
        model = pickle.loads(pickle.dumps(calibrated))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            change(model)
        with pytest.raises(ValueError, match="predict_interval needs a calibrated model"):
            model.predict_interval(X)


def test_rows_that_do_not_fit_change_nothing_and_classifiers_have_no_intervals():
    model = fitted(Y).calibrate(X[100:], Y[100:])
    ends = model.predict_interval(X)
    for wrong, message in (
        ((X[:, :2], Y), "features"),
        ((X, PAIR), "y has 2 columns, and the model predicts 1"),
        ((X, Y[:-1]), "inconsistent numbers of samples"),
    ):
        with pytest.raises(ValueError, match=message):
            model.calibrate(*wrong)
    assert (model.predict_interval(X) == ends).all()
    with pytest.raises(ValueError, match="needs at least 999 rows"):
        model.predict_interval(X, 0.999)
    with pytest.raises(ValueError, match="not fitted"):
        MLPRegressor().calibrate(X, Y)
    with pytest.raises(AttributeError, match="MLPRegressor has it; of a classifier predict_proba"):
        MLPClassifier().calibrate(X, Y)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"solver": "lbfgs"}], ids=str)
def test_rows_that_were_fitted_are_known_again_and_no_others(kind, options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPRegressor(max_iter=2, random_state=0, **options).fit(kind(X[:200]), Y[:200])
    for one in (model, pickle.loads(pickle.dumps(model))):
        with pytest.warns(UserWarning, match="rows that the model was fitted to, .* narrow; give"):
            one.calibrate(kind(X[:150]), Y[:150])
        one.calibrate(kind(X[200:]), Y[200:])
        one.calibrate(kind(X[:200]), Y[:200] + 1e-3)
    if not options:
        model.partial_fit(kind(X[200:]), Y[200:])
        with pytest.warns(UserWarning, match="rows that the model was fitted to"):
            model.calibrate(kind(X), Y)
