"""Nets that go to scikit-learn and come from there predict the same and go on learning alike."""

import io
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

import cnn_core
from cnn_core import MLP, SGD, Adam
from cnn_core import sklearn as drop_in

# What short fits of both libraries warn of.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 4)) * (1, 5, 0.1, 2) + (0, 20, 3, -1)
z = X[:, 0] + X[:, 1] / 5 - 4
TARGETS = {
    "number": z,
    "numbers": np.column_stack((z, 100 * X[:, 2])),
    "counts": np.floor(np.exp(z / 2)),
    "two": np.where(z > 0, "yes", "no"),
    "three": np.digitize(z, (-0.5, 0.5)) * 10,
    "several": np.column_stack((z > 0, X[:, 2] > 3, X[:, 3] > 0)).astype(int),
}
NUMBERS = ("number", "numbers", "counts")


def ours(kind, **parameters):
    more = dict(loss="poisson", task="regression") if kind == "counts" else {}
    settings = dict(hidden=(7, 5), epochs=2, random_state=0) | more | parameters
    return MLP(**settings).fit(X, TARGETS[kind])


def theirs(kind, **parameters):
    more = dict(loss="poisson") if kind == "counts" else {}
    settings = dict(hidden_layer_sizes=(7, 5), max_iter=3, random_state=0) | more | parameters
    return (MLPRegressor if kind in NUMBERS else MLPClassifier)(**settings)


def assert_same_predictions(model, other, kind, rounding):
    answers = [one.predict(X) for one in (model, other)]
    if kind not in NUMBERS:
        np.testing.assert_array_equal(*answers)
        answers = [one.predict_proba(X) for one in (model, other)]
    size = np.abs(answers[0]).max()
    np.testing.assert_allclose(*answers, rtol=0, atol=50 * rounding * max(1, size))
    assert model.score(X, TARGETS[kind]) == pytest.approx(other.score(X, TARGETS[kind]), abs=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", TARGETS)
def test_ours_become_scikit_learns_and_come_back(kind, dtype):
    ways = [dict(scale_inputs=None, activation="tanh"), dict(scale_inputs="minmax")]
    ways += [dict(scale_inputs="standard", activation="sigmoid", bias=False)]
    ways += [dict(scale_inputs="robust", activation="identity", hidden=())]
    ways += [dict(scale_inputs="robust_clip"), dict(scale_inputs="robust_asinh")]
    ways += [dict(clip_outputs=True)] if kind in NUMBERS else []
    for way in ways:
        model = ours(kind, dtype=dtype, **way)
        made = pickle.loads(pickle.dumps(model.to_sklearn()))
        assert_same_predictions(model, made, kind, np.finfo(dtype).eps)
        assert repr(made) and repr(clone(made))
        back = MLP.from_sklearn(made)
        assert back.dtype == dtype
        np.testing.assert_array_max_ulp(back.weights_[0], model.weights_[0], 0)
        np.testing.assert_allclose(back.forward(X), model.forward(X), rtol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_partial_fit_takes_the_same_steps_in_both_libraries(kind, solver):
    rows, y = (X - X.mean(axis=0)) / X.std(axis=0), TARGETS[kind]
    y = y / np.abs(y).max() if kind == "numbers" else y
    options = dict(solver=solver, activation="tanh", alpha=0.3, shuffle=False, batch_size=40)
    net = theirs(kind, **options).fit(rows, y)
    model, file = MLP.from_sklearn(net), io.BytesIO()
    assert model.n_features_in_ == 4 and model.history_.get("loss", []) == getattr(
        net, "loss_curve_", []
    )
    model.save(file, optimizer=True)
    model = cnn_core.load(file.getvalue())
    if solver == "lbfgs":
        with pytest.raises(AttributeError):
            MLP.from_sklearn(net).to_sklearn().set_params(solver="adam").loss_curve_
        assert model.optimizer.name == "lbfgs" and model.batch_size == "full"
        return
    made = model.to_sklearn()
    for one in (net, model, made, made):
        one.partial_fit(rows, y)
    made = model.to_sklearn()
    for one in (net, model, made):
        one.partial_fit(rows, y)
    for W, b, *others in zip(
        model.weights_, model.biases_, net.coefs_, net.intercepts_, made.coefs_, made.intercepts_
    ):
        for coef, intercept in (others[:2], others[2:]):
            np.testing.assert_allclose(W.T, coef, rtol=0, atol=1e-13)
            np.testing.assert_allclose(b, intercept, rtol=0, atol=1e-13)
    assert made.t_ == net.t_ and made.loss_ == pytest.approx(net.loss_, rel=1e-12)


def test_a_softmax_of_two_classes_becomes_one_logistic_output():
    model = ours("two", output="softmax", dtype="float64", scale_inputs=None)
    made = model.to_sklearn()
    assert made.out_activation_ == "logistic" and made.coefs_[-1].shape == (5, 1)
    assert_same_predictions(model, made, "two", 1e-15)
    made.partial_fit(X, TARGETS["two"])


@pytest.mark.parametrize(
    "scaler",
    [
        StandardScaler(), StandardScaler(with_mean=False), MinMaxScaler(), MinMaxScaler((-1, 2)),
        RobustScaler(quantile_range=(10, 90)), MaxAbsScaler(), "passthrough",
        make_pipeline(MinMaxScaler(), StandardScaler()),
    ],
)  # fmt: skip
def test_scalers_of_pipelines_become_our_scaling(scaler):
    pipeline = make_pipeline(clone(scaler) if scaler != "passthrough" else scaler, theirs("number"))
    whole = TransformedTargetRegressor(pipeline, transformer=MinMaxScaler()).fit(X, z)
    model = MLP.from_sklearn(whole)
    assert_same_predictions(model, whole, "number", 1e-15)
    before = model.predict(X)
    model.partial_fit(X, z)  # with the scaling as it is
    assert np.abs(model.predict(X) - before).max() < 0.5 * np.abs(before).max()


def test_parameters_that_mean_the_same_are_mapped():
    net = theirs("three", solver="sgd", momentum=0.8, nesterovs_momentum=False, alpha=0.5, tol=1e-3)
    net.set_params(learning_rate_init=0.05, batch_size=20, n_iter_no_change=7).fit(
        X, TARGETS["three"]
    )
    model = MLP.from_sklearn(net)
    assert repr(model.optimizer) == repr(SGD(0.05, momentum=0.8)) and model.l2 == 0.5 / 20
    assert (model.batch_size, model.tol, model.patience, model.epochs) == (20, 1e-3, 7, 3)
    back = model.to_sklearn()
    for name in ("solver", "alpha", "batch_size", "tol", "momentum", "learning_rate_init"):
        assert back.get_params()[name] == pytest.approx(net.get_params()[name]) or name == "solver"
    assert back.solver == "sgd" and back.n_iter_no_change == 7
    assert "nan" not in model.evaluate(X, TARGETS["three"])["diagnosis"]
    assert MLP.from_sklearn(net.set_params(solver="lbfgs").fit(X, TARGETS["three"])).n_epochs_ == 3
    stopped = ours("three", early_stopping=True, patience=4, optimizer=Adam(0.01, beta1=0.8))
    made = stopped.to_sklearn()
    assert made[-1].early_stopping and made[-1].n_iter_no_change == 4 and made[-1].beta_1 == 0.8
    assert made[-1].validation_scores_ == stopped.history_["val_metric"]
    assert MLP.from_sklearn(made).best_epoch_ == 1 + np.argmax(made[-1].validation_scores_)


def test_frames_searches_and_the_drop_in_are_taken():
    pandas = pytest.importorskip("pandas")
    frame, y = pandas.DataFrame(X, columns=list("abcd")), TARGETS["three"]
    search = GridSearchCV(make_pipeline(StandardScaler(), theirs("three")), {}, cv=2).fit(frame, y)
    model = MLP.from_sklearn(search)
    assert list(model.feature_names_in_) == list("abcd")
    np.testing.assert_array_equal(model.predict(frame), search.predict(frame))
    made = model.to_sklearn()
    assert list(made.feature_names_in_) == list("abcd")
    np.testing.assert_array_equal(made.predict(frame), search.predict(frame))
    numbers = MLP(4, epochs=1).fit(frame, z).to_sklearn()
    assert list(numbers.feature_names_in_) == list("abcd") and numbers.n_features_in_ == 4
    assert list(MLP.from_sklearn(numbers).feature_names_in_) == list("abcd")
    drop = drop_in.MLPClassifier((6, 5), ("gelu", "logistic"), solver="nadam", max_iter=2).fit(X, y)
    model = cnn_core.MLPClassifier.from_sklearn(drop)
    np.testing.assert_allclose(model.predict_proba(X), drop.predict_proba(X), rtol=1e-12)
    assert model.activation == ("gelu", "sigmoid")


def test_what_does_not_go_is_said():
    y = TARGETS["three"]
    for made, message in (
        (dict(activation="gelu"), "activation 'gelu', and scikit-learn's MLPs have 'identity'"),
        (dict(activation=("relu", "tanh")), "one for all"),
        (dict(output="sigmoid", loss="mse"), "3 outputs 'sigmoid'.*are probabilities"),
    ):
        with pytest.raises(ValueError, match=message):
            ours("three", **made).to_sklearn()
    with pytest.raises(ValueError, match="output is 'tanh'.*'identity' and, for counts, 'exp'"):
        ours("number", output="tanh").to_sklearn()
    with pytest.raises(ValueError, match=r"takes no class labels such as np.float64\(0.25\)"):
        MLP(4, epochs=1, task="classification").fit(X, np.where(z > 0, 0.25, 1.5)).to_sklearn()
    with pytest.raises(NotImplementedError, match="numeric_embedding"):
        ours("three", numeric_embedding="periodic").to_sklearn()
    with pytest.raises(cnn_core.NotFittedError):
        MLP().to_sklearn()
    for other, message in (
        (LogisticRegression(), "takes a fitted MLPClassifier or MLPRegressor.*LogisticRegression"),
        (
            make_pipeline(PolynomialFeatures(1, include_bias=False), theirs("three")),
            "the step 'poly",
        ),
    ):
        with pytest.raises(TypeError, match=message):
            MLP.from_sklearn(other.fit(X, y))
    with pytest.raises(cnn_core.NotFittedError, match="the MLPRegressor is not fitted yet"):
        MLP.from_sklearn(MLPRegressor())
    with pytest.raises(TypeError, match="MLPRegressor is for regression"):
        cnn_core.MLPRegressor.from_sklearn(theirs("three").fit(X, y))
    logs = TransformedTargetRegressor(theirs("number"), func=np.log1p, inverse_func=np.expm1)
    with pytest.raises(TypeError, match="targets are transformed by FunctionTransformer"):
        MLP.from_sklearn(logs.fit(X, z - z.min()))
    broken = theirs("three").fit(X, y)
    broken.coefs_[1][0, 0] = np.nan
    with pytest.raises(ValueError, match="layer 2 has weights that are NaN"):
        MLP.from_sklearn(broken)
    with pytest.raises(ValueError, match="cuts off"):
        MLP.from_sklearn(make_pipeline(MinMaxScaler(clip=True), theirs("three")).fit(X, y))


@pytest.mark.parametrize("loss", ["pinball", "gaussian_nll"])
def test_of_several_outputs_a_target_the_predicted_one_goes_along(loss):
    model = ours("numbers", loss=loss, dtype="float64")
    other = model.to_sklearn()
    np.testing.assert_allclose(other.predict(X), model.predict(X), rtol=1e-11)
    back = MLP.from_sklearn(other)
    np.testing.assert_allclose(back.predict(X), model.predict(X), rtol=1e-11)
