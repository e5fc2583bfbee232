"""What the estimators of `cnn_core.sklearn` refuse, and that it leaves them as they were."""

import pickle
import signal
import threading

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

import pandas
import polars
from cnn_core.schedules import Cosine
from sklearn_cases import LINE, LINES, THREE, TWO, X, classifier, flat, regressor

from cnn_core import LBFGS, Callback


def test_an_error_leaves_the_model_as_it_was():
    model = classifier(warm_start=True).fit(X, THREE)
    before = pickle.dumps(vars(model))
    wrong = [
        dict(y=TWO),
        dict(y=THREE[:9]),
        dict(sample_weight=np.ones(3)),
        dict(X=np.where(X > 1, np.nan, X)),
        dict(X=X[:, :2]),
    ]
    for change in wrong:
        with pytest.raises(ValueError):
            model.fit(**dict(X=X, y=THREE) | change)
        assert pickle.dumps(vars(model)) == before
    model = regressor(warm_start=True, solver="sgd").fit(X, LINE)
    weights, curve, seen = flat(model), list(model.loss_curve_), []
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        model.set_params(learning_rate_init=1e100, callbacks=lambda *given: seen.append(given)).fit(
            X, LINE
        )
    assert len(seen) < 5 < model.max_iter  # it does not go on with weights that cannot come back
    assert np.array_equal(flat(model), weights) and model.loss_curve_ == curve
    again = pickle.loads(pickle.dumps(model.set_params(callbacks=())))
    np.testing.assert_array_equal(model.predict(X), again.predict(X))

    def fail(model, epoch, logs):
        raise KeyError("a callback's own")

    with pytest.raises(KeyError):
        model.set_params(learning_rate_init=1e-3, callbacks=fail).fit(X, LINE)
    assert np.array_equal(flat(model), weights) and model.loss_curve_ == curve


def test_ctrl_c_reaches_the_caller_and_keeps_what_was_learned():
    model = classifier(max_iter=10**6, n_iter_no_change=np.inf)
    timer = threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, THREE)
    timer.join()
    assert 0 < model.n_iter_ < 10**6 and model.score(X, THREE) > 0.9


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_ctrl_c_before_the_first_whole_epoch_leaves_an_estimator_as_it_was(solver):
    model = classifier(solver=solver).fit(X, THREE)
    before = model._model
    many, labels = np.tile(X, (200, 1)), np.tile(THREE, 200)
    model.set_params(hidden_layer_sizes=(1000, 1000), batch_size=len(many), max_iter=50)
    timer = threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(many, labels)
    timer.join()
    assert model._model is before


def test_ctrl_c_in_partial_fit_leaves_model_and_stream_as_they_were():
    model, other = (classifier().partial_fit(X, THREE, classes=[0, 1, 2]) for _ in range(2))

    class Stop(Callback):
        def after_step(self, model, step, logs):
            raise KeyboardInterrupt

    before = model._model
    with pytest.raises(KeyboardInterrupt):
        model.set_params(callbacks=Stop()).partial_fit(X, THREE)
    assert model._model is before
    model.set_params(callbacks=()).partial_fit(X, THREE)
    other.partial_fit(X, THREE)
    assert np.array_equal(flat(model), flat(other))


@pytest.mark.parametrize(
    "options, message",
    [
        (
            dict(activation=["relu"], hidden_layer_sizes=(3, 4)),
            "activation must be one for all hidden layers or one for each of the 2, got 1",
        ),
        (dict(activation=["rleu"]), "activation must hold names among .*, got 'rleu'"),
        (dict(activation="step"), "The 'activation' parameter of MLPClassifier must be"),
        (
            dict(dropout=[0.1]),
            "dropout must be one number for the hidden layers, or one .* each of the 1 hidden",
        ),
        (dict(dropout=1.0), "The 'dropout' parameter of MLPClassifier must be"),
        (dict(solver=LBFGS()), "say solver='lbfgs'"),
        (dict(class_weight="unbalanced"), "The 'class_weight' parameter"),
        (dict(n_threads=0), "The 'n_threads' parameter"),
        (
            dict(dtype="float16"),
            "The 'dtype' parameter of MLPClassifier must be float32 or float64 in a form that "
            "numpy.dtype takes",
        ),
        (dict(dtype=">f8" if np.little_endian else "<f8"), "The 'dtype' parameter"),
        (dict(dtype=object()), "The 'dtype' parameter"),
        (
            dict(dropout=np.array([0.1])),
            "dropout must be one number for the hidden layers, or one .* each of the 1 hidden",
        ),
        (dict(callbacks=3), "The 'callbacks' parameter"),
        (dict(restore_best_weights="yes"), "The 'restore_best_weights' parameter"),
        (dict(compatible=2), "The 'compatible' parameter"),
    ],
)
def test_what_cannot_be_is_a_clear_error_of_fit(options, message):
    model = classifier(**options)
    with pytest.raises(ValueError, match=message):
        model.fit(X, THREE)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: classifier().fit(X, THREE, X_val=X), "X_val and y_val must be given together"),
        (
            lambda: classifier(solver="lbfgs").fit(X, THREE, X_val=X, y_val=THREE),
            "do not go with solver='lbfgs'",
        ),
        (
            lambda: classifier().fit(X, THREE, X_val=X[:, :2], y_val=THREE),
            "X has 2 features, but MLPClassifier is expecting 4",
        ),
        (lambda: classifier().fit(X, TWO, X_val=X, y_val=THREE), "`y` has classes not in"),
        (
            lambda: regressor().fit(X, LINE, X_val=X, y_val=LINES),
            "y_val must have 1 output a row as y has, got 3",
        ),
        (
            lambda: classifier(class_weight="balanced").partial_fit(X, THREE, classes=[0, 1, 2]),
            "not supported for partial_fit",
        ),
        (
            lambda: classifier(class_weight={0: 2}).fit(X, np.column_stack((TWO, TWO))),
            "class_weight is for one label a row",
        ),
        (
            lambda: regressor(warm_start=True).fit(X, LINE).fit(X, LINES),
            "y has 3 outputs, but the model was fitted with 1",
        ),
        (
            lambda: classifier(solver="lbfgs", dropout=0.5).fit(X, THREE),
            "dropout does not go with solver='lbfgs'",
        ),
        (
            lambda: classifier(solver="lbfgs", callbacks=print).fit(X, THREE),
            "callbacks do not go with solver='lbfgs'",
        ),
        (
            lambda: classifier(solver="lbfgs", callbacks=[Callback()]).fit(X, THREE),
            "callbacks do not go with solver='lbfgs'",
        ),
        (
            lambda: classifier(solver="lbfgs", restore_best_weights=True).fit(X, THREE),
            "restore_best_weights=True does not go with solver='lbfgs'",
        ),
        (
            lambda: regressor().fit(X, LINE, X_val=X[:1], y_val=LINE[:1]),
            "The validation set is too small: X_val must have at least 2 rows, got 1",
        ),
        (
            lambda: classifier(solver="lbfgs", learning_rate=Cosine()).fit(X, THREE),
            "a schedule does not go with solver='lbfgs'",
        ),
    ],
)
def test_what_does_not_go_together_is_a_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_wrong_widths_are_an_error_and_no_crash():
    model = classifier().fit(X, THREE)
    model.coefs_[1] = model.coefs_[1][:5]
    for rows in (X, X[:1]):
        with pytest.raises(
            ValueError,
            match="coefs_\\[1\\] and intercepts_\\[1\\] must have shapes \\(12, 3\\) and \\(3,\\)",
        ):
            model.predict(rows)


@pytest.mark.parametrize("activation", ["relu", ["relu"]])
def test_missing_weights_are_an_error_that_says_how_many_there_are(activation):
    for lists in (("coefs_",), ("intercepts_",), ("coefs_", "intercepts_")):
        model = classifier(activation=activation, warm_start=True).fit(X, THREE)
        for name in lists:
            getattr(model, name).pop()
        found = [1 + (name not in lists) for name in ("coefs_", "intercepts_")]
        message = "must hold 2 arrays each, one for each layer of weights, got {} and {}$".format(
            *found
        )
        for call in (
            lambda: model.predict(X),
            lambda: model.predict(X[:1]),
            lambda: model.fit(X, THREE),
            lambda: model.partial_fit(X, THREE),
        ):
            with pytest.raises(ValueError, match=message):
                call()
    model = classifier(warm_start=True).fit(X, THREE)
    model.coefs_[1] = model.coefs_[1][:5]
    with pytest.raises(ValueError, match="coefs_\\[1\\] and intercepts_\\[1\\] must have shapes"):
        model.fit(X, THREE)


DATES = np.array(["NaT", "2020-01-01", "2021-01-01"] * 50, "M8[D]")


@pytest.mark.parametrize("kind", ["M8[ms]", "m8[ms]"])
@pytest.mark.parametrize("make, y", [(classifier, THREE), (regressor, LINE)])
def test_rows_of_dates_are_refused(make, y, kind):
    model, rows = make().fit(X, y), (X * 1000).astype(kind)
    before = model.predict(X)
    names = ["a", "b", "c", "d"]
    frame = pandas.DataFrame(X, columns=names)
    named, dated = make().fit(frame, y), frame.assign(d=rows[:, 3])
    for call in (
        lambda: model.predict(rows),
        lambda: model.predict(rows[:1]),
        lambda: model.score(rows, y),
        lambda: model.fit(rows, y),
        lambda: model.partial_fit(rows, y),
        lambda: make().fit(X, y, X_val=rows, y_val=y),
        lambda: named.predict(dated),
        lambda: make().fit(dated, y),
        lambda: make().fit(polars.DataFrame(dict(zip(names, [*X.T[:3], rows[:, 3]]))), y),
    ):
        with pytest.raises(
            TypeError, match="^X holds (dates or times|time spans) .*, which are no numbers"
        ):
            call()
    assert np.array_equal(model.predict(X), before)


@pytest.mark.parametrize("y", [DATES, DATES - DATES[1], pandas.Series(DATES)])
def test_dates_are_no_numbers_to_predict(y):
    for call in (
        lambda: regressor().fit(X, y),
        lambda: regressor().partial_fit(X, y),
        lambda: regressor().fit(X, LINE, X_val=X, y_val=y),
    ):
        with pytest.raises(
            TypeError, match="^y holds (dates or times|time spans) .*, which are no numbers"
        ):
            call()


@pytest.mark.parametrize(
    "wrong", [["relu"], ["relu"] * 3, ["relu", "rleu"], "rleu", "step", None, 3, ["step", "relu"]]
)
def test_an_activation_that_fit_refuses_leaves_predictions_as_they_are(wrong):
    model = classifier(hidden_layer_sizes=(5, 4), activation=("tanh", "relu")).fit(X, THREE)
    before, one = model.predict_proba(X), model.predict_proba(X[:1])
    model.set_params(activation=wrong)
    for other in (model, pickle.loads(pickle.dumps(model))):
        assert np.array_equal(other.predict_proba(X), before)
        assert np.array_equal(other.predict_proba(X[:1]), one)
        with pytest.raises(ValueError):
            other.fit(X, THREE)
        with pytest.raises(ValueError):
            other.partial_fit(X, THREE)
        assert np.array_equal(other.predict_proba(X), before)
    model.set_params(activation="logistic")  # acts at once, as in scikit-learn
    assert not np.array_equal(model.predict_proba(X), before)
    model.set_params(activation=["tanh", "relu"])
    assert np.array_equal(model.predict_proba(X), before)
    del model.activation
    assert np.array_equal(model.predict_proba(X), before)
