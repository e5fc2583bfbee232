"""MLP: scores for scikit-learn's scorers, and what users are told at the end of a run."""

import numpy as np
import pytest
from cnn_core.schedules import Cosine, InverseTime, OneCycle, Warmup
from mlp_cases import LINE, THREE, TWO, X, quick

from cnn_core import MLP, SGD, DivergenceWarning, Pinball

# decision_function, predict_log_proba


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options, y", [
    ({}, TWO), (dict(loss="hinge"), TWO), (dict(output="softmax"), TWO), ({}, THREE),
    (dict(loss="hinge"), THREE), ({}, np.column_stack((TWO, THREE > 0)).astype(int)),
    (dict(scale_inputs="standard"), TWO), (dict(hidden=(), output="step", loss="perceptron"), TWO),
    (dict(loss="mse", output="tanh"), TWO), (dict(activation="leaky_relu"), THREE),
])  # fmt: skip
def test_decisions_are_z_of_the_output(options, y, dtype, backend):
    model = quick(epochs=2, dtype=dtype, **options).fit(X, y).set_params(backend=backend)
    rows = X[:20]
    z, last = model.decision_function(rows), model.trace(rows, y[:20]).layers[-1].z
    if last.shape[1] == 2 and y.ndim == 1:
        last = last[:, 1] - last[:, 0]
    elif y.ndim == 1 and last.shape[1] == 1:
        last = last[:, 0]
    assert z.dtype == dtype and z.shape == last.shape
    np.testing.assert_allclose(z, last, rtol=1e-4 if dtype == "float32" else 1e-10, atol=1e-5)
    assert np.array_equal(model.decision_function(rows[:1]), z[:1])


def test_decisions_agree_with_predictions():
    for options in ({}, dict(output="softmax"), dict(loss="hinge")):
        model = quick(**options).fit(X, np.array(["no", "yes"])[TWO])
        assert np.array_equal(
            model.classes_[(model.decision_function(X) > 0) * 1], model.predict(X)
        )
    model = quick(loss="hinge").fit(X, THREE)
    assert np.array_equal(model.decision_function(X).argmax(axis=1), model.predict(X))


@pytest.mark.parametrize("options", [{}, dict(loss="hinge"), dict(output="softmax")])
def test_scorers_of_scikit_learn_rank_by_decisions(options):
    metrics = pytest.importorskip("sklearn.metrics")
    selection = pytest.importorskip("sklearn.model_selection")
    model = quick(task="classification", **options)
    scores = selection.cross_val_score(model, X, TWO, cv=3, scoring="roc_auc", error_score="raise")
    assert scores.min() > 0.9
    fitted = model.fit(X, TWO)
    for name in ("roc_auc", "average_precision"):
        assert metrics.get_scorer(name)(fitted, X, TWO) > 0.95


def test_decisions_far_from_the_border_are_told_apart():
    model = quick(epochs=60, learning_rate=0.1).fit(X, TWO)
    far = np.array([100, 200, 300], "float32")[:, None] * X[:1]
    assert len(set(model.forward(far)[:, 0])) < 3 == len(set(model.decision_function(far)))


def test_decisions_of_a_regression_are_refused():
    model = quick(epochs=1).fit(X, LINE)
    for method in (model.decision_function, model.predict_proba, model.predict_log_proba):
        with pytest.raises(ValueError, match="does regression"):
            method(X)
    with pytest.raises(ValueError, match="X has nan at row 0"):
        quick(epochs=1).fit(X, TWO).decision_function(X * np.nan)


@pytest.mark.parametrize("y", [TWO, THREE, np.column_stack((TWO, THREE > 0)).astype(int)])
def test_logarithms_of_probabilities(y):
    model = quick(epochs=3).fit(X, y)
    logarithms = model.predict_log_proba(X)
    np.testing.assert_allclose(logarithms, np.log(model.predict_proba(X)), rtol=1e-6, atol=1e-7)
    assert model.predict_log_proba(X[:1]).tobytes() == logarithms[:1].tobytes()
    far = quick(epochs=60, learning_rate=0.5).fit(X, y).predict_log_proba(X * np.float32(1e6))
    assert not np.isnan(far).any() and (far <= 0).all()  # -inf without a warning


# Entries of a single row


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("convert", [
    lambda x: x, lambda x: x.astype("float64"), list, lambda x: np.repeat(x, 2)[::2],
    lambda x: x.astype(">f4"), lambda x: x.astype("float16"), lambda x: x.astype(object),
])  # fmt: skip
def test_a_row_is_checked_unless_nan_may_pass(convert, bad, backend):
    model = quick(epochs=1).fit(X, TWO).set_params(backend=backend)
    row = X[0].copy()
    assert np.array_equal(
        model.predict_one(convert(row)), model.predict_one(convert(row), check=False)
    )
    row[3] = bad
    with pytest.raises(ValueError, match=f"x has {bad} at feature 3; every entry must be a finite"):
        model.predict_one(convert(row))
    model.predict_one(convert(row), check=False)


def test_a_row_of_a_frame_has_its_feature_named():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde"))
    model = quick(epochs=1).fit(frame, TWO)
    frame.iloc[0, 1] = np.nan
    with pytest.raises(ValueError, match="x has nan at feature 'b'"):
        model.predict_one(frame.iloc[0])
    model.predict_one(frame.iloc[1])
    model.predict_one(np.arange(5))
    with pytest.raises(TypeError, match="x must hold numbers"):
        model.predict_one(np.array(["1"] * 5))


# R^2 of a single row


@pytest.mark.parametrize("use", [
    lambda model: model.score(X[:1], LINE[:1]),
    lambda model: model.score(X[:1], LINE[:1], sample_weight=[2.0]),
    lambda model: model.score(X[:3], LINE[:3], sample_weight=[0.0, 1.0, 0.0]),
    lambda model: model.evaluate(X[:1], LINE[:1]),
    lambda model: quick(epochs=1).fit(X, np.c_[LINE, LINE]).score(X[:1], np.c_[LINE, LINE][:1]),
])  # fmt: skip
def test_r_squared_of_a_single_row_warns(use):
    model = quick(epochs=1).fit(X, LINE)
    with pytest.warns(RuntimeWarning, match=r"R\^2 of a single row") as caught:
        use(model)
    assert caught[0].filename == __file__


def test_d_squared_of_a_single_row_warns_by_its_name():
    model = quick(epochs=1, loss=Pinball(0.9)).fit(X, LINE)
    for use in (model.score, model.evaluate):
        with pytest.warns(RuntimeWarning, match=r"D\^2 of a single row .* its own quantile"):
            use(X[:1], LINE[:1])


def test_other_scores_of_few_rows_do_not_warn():
    quick(epochs=1).fit(X, LINE).score(X[:2], LINE[:2])
    quick(epochs=1).fit(X, TWO).score(X[:1], TWO[:1])
    quick(epochs=1).partial_fit(X[:1], LINE[:1])


# How a run ended


def last_line(capsys):
    return capsys.readouterr().out.splitlines()[-1]


def test_verbose_says_which_weights_early_stopping_brings_back(capsys):
    options = dict(early_stopping=True, patience=4, epochs=500, learning_rate=0.05, verbose=1)
    noisy = np.where(np.arange(200) % 4 == 0, 1 - TWO, TWO)
    model = quick(**options).fit(X, noisy)
    assert last_line(capsys) == (
        "stopped: val_loss has not improved for 4 epochs; the weights of epoch "
        f"{model.best_epoch_} are back"
    )
    model = quick(restore_best=False, **options).fit(X, noisy)
    assert last_line(capsys).endswith(f"; the weights are those of epoch {model.n_epochs_}")
    model = quick(**options | dict(epochs=model.n_epochs_ - 2)).fit(X, noisy)
    assert last_line(capsys) == f"done; the weights of epoch {model.best_epoch_} are back"


def test_verbose_says_who_ended_a_run(capsys):
    quick(verbose=1, callbacks=lambda model, epoch, logs: epoch == 2).fit(X, LINE)
    assert last_line(capsys) == (
        "stopped: a callback returned True; the weights are those of epoch 2"
    )
    model = MLP((), optimizer="lbfgs", epochs=1000, verbose=1, random_state=0).fit(X, LINE)
    assert last_line(capsys).startswith(f"stopped: converged in epoch {model.n_epochs_}; ")
    with pytest.warns(DivergenceWarning):
        MLP(4, optimizer=SGD(1e30), epochs=3, verbose=1, random_state=0).fit(X, LINE)
    assert last_line(capsys) == "stopped: diverged in epoch 1; the weights are those before it"


def test_verbose_says_what_an_interrupted_run_leaves(capsys):
    def fails(model, epoch, logs):
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(verbose=1, callbacks=fails).fit(X, LINE)
    assert last_line(capsys) == "interrupted after epoch 3; the weights are those of epoch 3"


def test_a_whole_run_and_a_quiet_one_say_nothing_more(capsys):
    quick(epochs=2, verbose=1).fit(X, LINE).partial_fit(X, LINE)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(line.startswith("epoch ") for line in lines)
    quick(epochs=100, early_stopping=True, patience=1).fit(X, LINE)
    assert capsys.readouterr().out == ""


# Streams


@pytest.mark.parametrize("y", [np.zeros(5, int), ["a"] * 5, [True] * 5, np.array([7.0] * 5)])
def test_a_first_batch_of_one_class_hints_at_classes(y):
    model = MLP(4, task="classification")
    with pytest.raises(ValueError, match=r"one class only, .*; name all .* classes=\[0, 1\]"):
        model.partial_fit(X[:5], y)
    with pytest.raises(ValueError) as caught:
        model.fit(X[:5], y)
    assert "classes=" not in str(caught.value)
    with pytest.raises(ValueError) as caught:
        model.partial_fit(X[:5], y, classes=y)
    assert "classes holds one class only" in str(caught.value)


@pytest.mark.parametrize("schedule", [
    Cosine(), OneCycle(), Warmup(1, Cosine()), Warmup(1, Warmup(1, OneCycle())),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("fitted", [0, 3, 5])
def test_a_plan_that_is_over_warns_once(schedule, fitted):
    model = MLP(4, epochs=3, learning_rate=schedule, random_state=0)
    if fitted:
        model.set_params(epochs=fitted).fit(X, LINE).set_params(epochs=3)
    for _ in range(3 - fitted):
        model.partial_fit(X, LINE)
    name, epoch = type(schedule).__name__, max(3, fitted) + 1
    with pytest.warns(UserWarning, match=f"{name} has planned .* epochs=3, .* is epoch {epoch}:"):
        model.partial_fit(X, LINE)
    for _ in range(3):
        model.partial_fit(X, LINE)


def test_schedules_without_a_plan_and_fits_do_not_warn():
    model = MLP(4, epochs=2, learning_rate=InverseTime(), random_state=0)
    for _ in range(4):
        model.partial_fit(X, LINE)
    MLP(4, epochs=2, learning_rate=Cosine(), warm_start=True).fit(X, LINE).fit(X, LINE)
