"""Training that goes on: warm_start, partial_fit, callbacks."""

import copy
import pickle

import numpy as np
import pytest
from cnn_core.schedules import Cosine, InverseTime, ReduceOnPlateau

from cnn_core import LBFGS, MLP, SGD, Callback, DivergenceWarning

RNG = np.random.default_rng(2)
X = RNG.normal(size=(150, 5))
LINE = X @ [1.0, -2, 0, 0, 3]
THREE = np.digitize(X[:, 0], [-0.5, 0.5])


def same(a, b):
    return np.array_equal(a.parameters_, b.parameters_)


# warm_start


@pytest.mark.parametrize("options", [
    {}, dict(optimizer="nadam"), dict(optimizer=SGD(momentum=0.9)), dict(optimizer="rprop"),
    dict(optimizer=LBFGS(tolerance=0)),
    dict(dropout=0.3), dict(learning_rate=InverseTime()),
    dict(learning_rate=ReduceOnPlateau(patience=1)),
    dict(dtype="float64", scale_inputs="standard"), dict(random_state=None),
])  # fmt: skip
def test_five_epochs_and_five_more_are_ten(options):
    options = dict(hidden=8, random_state=4) | options
    if options["random_state"] is None:
        options["random_state"] = np.random.RandomState(5)
    once = MLP(epochs=10, **copy.deepcopy(options)).fit(X, THREE)
    twice = MLP(epochs=5, warm_start=True, **options).fit(X, THREE).fit(X, THREE)
    assert same(once, twice)
    assert twice.history_["loss"] == once.history_["loss"] and twice.n_epochs_ == once.n_epochs_


def test_a_run_goes_on_after_a_pickle():
    once = MLP(8, epochs=6, random_state=0).fit(X, LINE)
    first = MLP(8, epochs=3, random_state=0, warm_start=True).fit(X, LINE)
    assert same(once, pickle.loads(pickle.dumps(first)).fit(X, LINE))


def test_without_warm_start_a_fit_begins_anew():
    model = MLP(8, epochs=3, random_state=0).fit(X, LINE)
    assert same(model, MLP(8, epochs=3, random_state=0).fit(X, -LINE).fit(X, LINE))


def test_weights_that_were_set_are_where_a_warm_start_begins():
    model = MLP(8, epochs=1, random_state=0, warm_start=True).fit(X, LINE)
    model.parameters_ = np.zeros_like(model.parameters_)
    model.set_params(learning_rate=1e-30).fit(X, LINE)
    assert np.abs(model.parameters_).max() < 1e-20


def test_another_optimizer_starts_anew_from_the_same_weights():
    model = MLP(8, epochs=2, random_state=0, warm_start=True).fit(X, LINE)
    model.set_params(optimizer="sgd", learning_rate=1e-30)
    before = model.parameters_
    model.fit(X, LINE)
    assert np.array_equal(before, model.parameters_) and model.n_epochs_ == 4


def test_early_stopping_of_a_warm_start_never_ends_worse_than_it_began():
    model = MLP(8, epochs=200, random_state=0, early_stopping=True).fit(
        X, LINE, validation_data=(X, LINE)
    )
    start = model.parameters_
    model.set_params(warm_start=True, patience=3, learning_rate=0.1)
    with pytest.warns(UserWarning, match="y of the validation data is about -"):
        model.fit(X, -LINE, validation_data=(X, LINE))
    assert np.array_equal(model.parameters_, start)
    assert model.best_epoch_ <= 200 < model.n_epochs_ == 203


@pytest.mark.parametrize("change, y, message", [
    (dict(hidden=9), THREE,
     r"goes on with the layers of widths of the fitted model, \(5, 8, 3\), .* ask for \(5, 9, 3\)"),
    (dict(activation="tanh"), THREE, "activations"),
    (dict(dtype="float64"), THREE, "dtype of the fitted model, float32"),
    (dict(loss="mse"), THREE, "loss of the fitted model, sparse_categorical_crossentropy"),
    (dict(task="regression"), LINE, "goes on with a model for classification"),
    ({}, THREE + 1, "y has the unknown class 3"),
])  # fmt: skip
def test_what_does_not_go_on_is_a_clear_error_and_the_model_stays(change, y, message):
    model = MLP(8, epochs=1, random_state=0, warm_start=True).fit(X, THREE)
    before = model.parameters_
    with pytest.raises(ValueError, match=message):
        model.set_params(**change).fit(X, y)
    assert np.array_equal(model.parameters_, before)


def test_other_features_do_not_go_on():
    model = MLP(8, epochs=1, random_state=0, warm_start=True).fit(X, THREE)
    with pytest.raises(ValueError, match="X has 4 features, but the model was fitted with 5"):
        model.fit(X[:, :4], THREE)


def test_fewer_classes_than_before_go_on():
    model = MLP(8, epochs=1, random_state=0, warm_start=True).fit(X, THREE)
    kept = THREE < 2
    assert model.fit(X[kept], THREE[kept]).classes_.tolist() == [0, 1, 2]


def test_a_run_that_diverged_can_go_on():
    model = MLP(8, epochs=2, random_state=0, warm_start=True).fit(X, LINE)
    with pytest.warns(DivergenceWarning, match="in epoch 3 .* after epoch 2"):
        model.set_params(optimizer=SGD(1e30)).fit(X, LINE)
    model.set_params(optimizer="adam").fit(X, LINE)
    assert np.isfinite(model.parameters_).all() and model.n_epochs_ == 4


@pytest.mark.parametrize("continues", ["partial_fit", "fit"])
def test_a_continuation_that_diverges_at_once_leaves_weights_and_optimizer_as_before(continues):
    options = dict(hidden=8, epochs=2, random_state=0, warm_start=True, dtype="float64")
    model, undisturbed = (MLP(**options, optimizer=SGD(0.01, momentum=0.9)) for _ in range(2))
    for one in (model, undisturbed):
        one.fit(X, LINE)
    with pytest.warns(DivergenceWarning, match="in epoch 3 .* after epoch 2"):
        getattr(model.set_params(learning_rate=1e300), continues)(X, LINE)
    assert model.n_epochs_ == 2 and np.array_equal(model.parameters_, undisturbed.parameters_)
    for one in (model, undisturbed):
        one.set_params(learning_rate=None).fit(X, LINE)
    assert np.array_equal(model.parameters_, undisturbed.parameters_)


@pytest.mark.parametrize("optimizer", ["adadelta", "adagrad", "rmsprop", "adam", "nadam"])
@pytest.mark.parametrize("backend", ["native", "python"])
def test_an_optimizer_whose_sums_overflow_has_diverged(optimizer, backend):
    # A gradient whose square is infinite leaves slots with which no step is taken any more.
    options = dict(optimizer=optimizer, dtype="float64", random_state=0, backend=backend)
    model, undisturbed = (MLP((), **options).partial_fit(X, LINE) for _ in range(2))
    elsewhere = pytest.warns(UserWarning, match="These rows lie elsewhere")
    with np.errstate(all="ignore"), elsewhere, pytest.warns(DivergenceWarning):
        model.partial_fit(X * 1e160, LINE)
    assert same(model.partial_fit(X, LINE), undisturbed.partial_fit(X, LINE))
    assert np.isfinite(model.parameters_).all()


def test_history_of_epochs_without_validation_is_nan_where_others_have_it():
    model = (
        MLP(8, epochs=2, random_state=0, warm_start=True)
        .fit(X, LINE)
        .fit(X, LINE, validation_data=(X, LINE))
    )
    assert (
        np.isnan(model.history_["val_loss"][:2]).all()
        and np.isfinite(model.history_["val_loss"][2:]).all()
    )
    assert model.best_epoch_ in (3, 4)


# partial_fit


def test_partial_fits_are_epochs():
    fitted = MLP(8, epochs=4, random_state=0).fit(X, THREE)
    partial = MLP(8, random_state=0)
    for _ in range(4):
        partial.partial_fit(X, THREE)
    assert same(fitted, partial) and partial.history_["loss"] == fitted.history_["loss"]


def test_partial_fit_goes_on_after_a_fit():
    fitted = MLP(8, epochs=4, random_state=0).fit(X, THREE)
    assert same(fitted, MLP(8, epochs=3, random_state=0).fit(X, THREE).partial_fit(X, THREE))


def test_a_stream_of_batches_is_learned():
    model = MLP(16, random_state=0, learning_rate=0.01)
    for _ in range(40):
        for first in range(0, 150, 10):
            rows = slice(first, first + 10)
            model.partial_fit(X[rows], THREE[rows], classes=[0, 1, 2])
    assert model.score(X, THREE) > 0.9 and model.n_epochs_ == 600


def test_classes_can_be_announced():
    model = MLP(8, random_state=0).partial_fit(X[:5], np.zeros(5, int), classes=[2, 0, 1])
    assert model.classes_.tolist() == [0, 1, 2]
    model.partial_fit(X, THREE, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="y has the unknown class 7 at row 0"):
        model.partial_fit(X[:1], [7])
    with pytest.raises(ValueError, match="classes has 5, which the model does not know"):
        model.partial_fit(X, THREE, classes=[0, 1, 5])
    with pytest.raises(ValueError, match="holds one class only"):
        MLP(8).partial_fit(X[:5], np.zeros(5, int))


def test_whole_numbers_may_follow_fractions_in_a_regression():
    model = MLP(8, random_state=0).partial_fit(X, LINE).partial_fit(X, np.round(LINE).astype(int))
    assert model.n_epochs_ == 2


def test_partial_fit_takes_weights():
    weights = np.r_[np.ones(75), np.zeros(75)]
    a, b = (MLP(8, random_state=0, shuffle=False, batch_size="full") for _ in range(2))
    a.partial_fit(X, LINE, sample_weight=weights)
    b.partial_fit(X[:75], LINE[:75])
    np.testing.assert_allclose(a.parameters_, b.parameters_, atol=1e-6)


def test_a_bad_batch_leaves_the_model_as_it_was():
    model = MLP(8, random_state=0).partial_fit(X, LINE)
    before = model.parameters_
    bad = X.copy()
    bad[7, 2] = np.nan
    with pytest.raises(ValueError, match="X has nan at row 7, column 2"):
        model.partial_fit(bad, LINE)
    assert np.array_equal(model.parameters_, before) and model.n_epochs_ == 1


def test_schedules_go_on_over_partial_fits():
    model = MLP(8, random_state=0, learning_rate=InverseTime(1.0, initial=0.1))
    for _ in range(3):
        model.partial_fit(X, LINE)
    assert (
        model.history_["learning_rate"]
        == MLP(8, random_state=0, epochs=3, learning_rate=InverseTime(1.0, initial=0.1))
        .fit(X, LINE)
        .history_["learning_rate"]
    )
    # Those that look ahead plan for `epochs`.
    model = MLP(4, epochs=3, learning_rate=Cosine(initial=0.1), random_state=0)
    for _ in range(3):
        model.partial_fit(X, LINE)
    once = MLP(4, epochs=3, learning_rate=Cosine(initial=0.1), random_state=0).fit(X, LINE)
    assert same(model, once) and model.history_["learning_rate"][0] > 0.05


# Callbacks


class Recorder(Callback):
    def __init__(self, stop_at=None):
        self.stop_at, self.seen = stop_at, []

    def before_fit(self, model):
        self.seen.append("before")

    def after_epoch(self, model, epoch, logs):
        self.seen.append((epoch, logs, model.n_epochs_, model.predict(X).copy()))
        return epoch == self.stop_at

    def after_fit(self, model):
        self.seen.append("after")


def test_callbacks_see_every_epoch_and_a_model_that_predicts():
    recorder = Recorder()
    model = MLP(8, epochs=4, random_state=0, callbacks=[recorder]).fit(
        X, LINE, validation_data=(X, LINE)
    )
    assert recorder.seen[0] == "before" and recorder.seen[-1] == "after"
    epochs = recorder.seen[1:-1]
    assert [epoch for epoch, *_ in epochs] == [seen for _, _, seen, _ in epochs] == [1, 2, 3, 4]
    for epoch, logs, _, _ in epochs:
        assert logs == {name: values[epoch - 1] for name, values in model.history_.items()}
    assert np.array_equal(epochs[-1][3], model.predict(X)) and not np.array_equal(
        epochs[0][3], epochs[1][3]
    )
    assert same(model, MLP(8, epochs=4, random_state=0).fit(X, LINE))


def test_what_a_callback_kept_does_not_change_afterwards():
    kept = []
    model = MLP(
        8, epochs=5, random_state=0, callbacks=lambda model, epoch, logs: kept.append(model._fitted)
    )
    model.fit(X, LINE)
    ends = [MLP(8, epochs=n, random_state=0).fit(X, LINE).parameters_ for n in range(1, 6)]
    assert all(np.array_equal(then.network.flat(), end) for then, end in zip(kept, ends))


def test_a_callback_may_stop():
    first, second = Recorder(stop_at=3), Recorder()
    model = MLP(8, epochs=10, callbacks=(first, second)).fit(X, LINE)
    assert model.n_epochs_ == 3 and len(second.seen) == 5 and second.seen[-1] == "after"
    assert (
        MLP(8, epochs=10, callbacks=lambda model, epoch, logs: logs["loss"] < 1e9)
        .fit(X, LINE)
        .n_epochs_
        == 1
    )


def test_an_error_in_a_callback_keeps_the_last_whole_epoch():
    def fails(model, epoch, logs):
        if epoch == 2:
            raise RuntimeError("no more")

    model = MLP(8, epochs=5, random_state=0, callbacks=[fails])
    with pytest.raises(RuntimeError, match="no more"):
        model.fit(X, LINE)
    assert same(model, MLP(8, epochs=2, random_state=0).fit(X, LINE))


def test_early_stopping_restores_the_best_weights_under_callbacks():
    options = dict(epochs=40, random_state=0, early_stopping=True, patience=2, learning_rate=0.05)
    assert same(
        MLP(8, **options).fit(X, THREE), MLP(8, **options, callbacks=[Recorder()]).fit(X, THREE)
    )


@pytest.mark.parametrize("callbacks, message", [
    (3, "callbacks must be a list of callbacks or functions, got 3"),
    ([3], r"a callback must be a function \(model, epoch, logs\) or a Callback object, got 3"),
    ([Recorder], "got <class"),
])  # fmt: skip
def test_what_is_no_callback_is_a_clear_error(callbacks, message):
    with pytest.raises(TypeError, match=message):
        MLP(callbacks=callbacks)


def test_the_best_epoch_is_the_one_whose_weights_are_kept():
    y = LINE + RNG.normal(size=150) * 3
    model = MLP(
        32,
        epochs=60,
        random_state=0,
        early_stopping=True,
        min_delta=0.3,
        patience=4,
        learning_rate=0.01,
    )
    model.fit(X[:100], y[:100], validation_data=(X[100:], y[100:]))
    kept = model.evaluate(X[100:], y[100:])["loss"]
    assert kept == pytest.approx(model.history_["val_loss"][model.best_epoch_ - 1], rel=1e-6)
    assert kept > min(model.history_["val_loss"])  # the lowest was no improvement by min_delta


def test_summary_shows_the_epoch_whose_weights_are_kept(capsys):
    model = MLP(
        32, epochs=60, random_state=0, early_stopping=True, patience=4, learning_rate=0.02
    ).fit(X, THREE)
    print(model.summary())
    best, of = model.best_epoch_, model.n_epochs_
    assert best < of
    assert (
        f"epoch {best} of {of}, the best: loss {model.history_['loss'][best - 1]:.4g}"
        in capsys.readouterr().out
    )


def test_a_model_without_a_whole_epoch_has_no_best_one():
    with pytest.warns(DivergenceWarning):
        model = MLP(8, epochs=5, optimizer=SGD(1e30), random_state=0).fit(X, LINE)
    assert model.n_epochs_ == 0 and not hasattr(model, "best_epoch_")
