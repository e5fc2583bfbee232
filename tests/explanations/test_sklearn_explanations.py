"""scikit-learn's estimators explain their predictions too."""

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

from cnn_core._random import permutation
from cnn_core.sklearn import MLPClassifier, MLPRegressor
from scipy.sparse import csr_array


def rows(n=150):
    X = np.random.default_rng(0).normal(size=(n, 3))
    return X, X[:, 0] - 2 * X[:, 1]


def fitted(kind, X, y):
    options = dict(hidden_layer_sizes=(9, 5), activation="tanh", solver="lbfgs", tol=1e-2)
    return kind(**options, max_iter=40, random_state=0).fit(X, y)


def differences(f, X, step=1e-6):
    return np.stack(
        [(f(X + step * unit) - f(X - step * unit)) / (2 * step) for unit in np.eye(X.shape[1])],
        axis=-1,
    )


def test_derivatives_are_those_of_what_is_predicted():
    X, y = rows()
    model = fitted(MLPRegressor, X, y)
    np.testing.assert_allclose(model.input_gradient(X), differences(model.predict, X), atol=1e-7)
    three = fitted(MLPClassifier, X, np.array(["low", "mid", "top"])[np.digitize(y, [-1, 1])])
    wanted = differences(three.predict_proba, X)
    np.testing.assert_allclose(three.jacobian(X), wanted, atol=1e-7)
    np.testing.assert_allclose(three.input_gradient(X[4], "mid"), wanted[4, 1], atol=1e-7)
    several = fitted(MLPClassifier, X, (X[:, :2] > 0).astype(int))
    wanted = differences(several.predict_proba, X)
    np.testing.assert_allclose(several.input_gradient(X, 1), wanted[:, 1], atol=1e-7)


def test_importances_are_named_and_ranked_as_those_of_mlp():
    pd = pytest.importorskip("pandas")
    X, y = rows()
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = fitted(MLPClassifier, frame, np.where(y > 0, "yes", "no"))
    for method in ("permutation", "gradient", "integrated", "expected"):
        found = model.importances(frame, np.where(y > 0, "yes", "no"), method)
        assert [found.names[i] for i in found.order] == ["b", "a", "c"]
        assert found.direction[:2].round().tolist() == [1, -1]
    opposite = model.importances(frame, method="gradient", output="no")
    assert opposite.direction[:2].round().tolist() == [-1, 1]


def test_permutation_importance_is_the_fall_of_the_score():
    X, y = rows()
    shuffled = X.copy()
    shuffled[:, 1] = X[permutation(0, 0, len(X)), 1]
    for kind, target in (
        (MLPRegressor, y), (MLPRegressor, np.stack((y, X[:, 0]), axis=1)),
        (MLPClassifier, np.digitize(y, [-1, 1])), (MLPClassifier, np.where(y > 0, "b", "a")),
        (MLPClassifier, (X[:, :2] > 0).astype(int)),
    ):  # fmt: skip
        model = fitted(kind, X, target)
        found = model.importances(X, target, repeats=1)
        fall = model.score(X, target) - model.score(shuffled, target)
        assert found.values[1] == pytest.approx(fall, rel=1e-9)


def test_rows_are_read_as_predict_reads_them():
    X, y = rows()
    model = fitted(MLPRegressor, X, y)
    assert np.array_equal(model.input_gradient(csr_array(X)), model.input_gradient(X))
    whole = model.attributions(X)
    assert np.array_equal(model.attributions(csr_array(X)).values, whole.values)
    assert np.abs(whole.gap).max() < 2e-3 * np.abs(whole.predictions - whole.base).max()
    with pytest.raises(ValueError, match="2 features, but MLPRegressor is expecting 3"):
        model.input_gradient(X[:, :2])
    with pytest.raises(ValueError, match="not fitted"):
        MLPRegressor().importances(X, y)


def test_weights_that_users_change_count():
    X, y = rows()
    model = fitted(MLPRegressor, X, y)
    before = model.input_gradient(X)
    model.coefs_[-1] *= 2
    np.testing.assert_allclose(model.input_gradient(X), 2 * before, rtol=1e-12)


def test_a_single_class_leaves_nothing_to_explain():
    X, _ = rows()
    model = fitted(MLPClassifier, X, np.full(len(X), "a"))
    with pytest.raises(ValueError, match="y had the class 'a' alone"):
        model.input_gradient(X)
