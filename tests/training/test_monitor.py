"""`monitor`: what early stopping, the best weights and a plateau of the rate look at."""

import importlib
import pickle
import sys
import warnings

import numpy as np
import pytest

from cnn_core import MLP, Callback, MLPClassifier, MLPRegressor, ReduceOnPlateau, load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 4))
LINE = 40 + 7 * X[:, 0] - X[:, 1] + RNG.normal(size=240)
TWO = np.where(X[:, 0] + 0.7 * RNG.normal(size=240) > 0.6, "yes", "no")
THREE = np.digitize(X[:, 1], [-0.4, 0.4])
LEARN, JUDGE = slice(0, 160), slice(160, 240)


def model(kind=MLP, **options):
    given = dict(hidden=(6,), epochs=25, patience=6, batch_size=16, random_state=0)
    return kind(**given | options)


def fitted(y, monitor, X=X, **options):
    """Fitted with rows that were given to validate on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model(early_stopping=True, monitor=monitor, **options).fit(
            X[LEARN], y[LEARN], validation_data=(X[JUDGE], y[JUDGE])
        )


class ByHand(Callback):
    """A number of each epoch, the weights of each, and early stopping as it is described."""

    def __init__(self, measure, sign, patience=6, min_delta=0.0):
        self.measure, self.sign = measure, sign
        self.patience, self.min_delta = patience, min_delta
        self.numbers, self.weights, self.best, self.waited = [], [], None, 0

    def after_epoch(self, model, epoch, logs):
        number = self.measure(model, logs)
        self.numbers.append(number)
        self.weights.append(model.parameters_)
        before = None if self.best is None else self.numbers[self.best - 1]
        if before is None or self.sign * number > self.sign * before + self.min_delta:
            self.best, self.waited = epoch, 0
        else:
            self.waited += 1
        return self.waited >= self.patience


def scorer(name):
    return pytest.importorskip("sklearn.metrics").get_scorer(name)


def by_scorer(name, y):
    return lambda model, logs: float(scorer(name)(model, X[JUDGE], y[JUDGE]))


def mean_error(model, X, y):
    """The greater the better."""
    return -np.abs(model.predict(X) - y).mean()


CASES = {
    "val_loss": (LINE, "val_loss", -1, lambda model, logs: logs["val_loss"]),
    "val_metric": (LINE, "val_metric", 1, lambda model, logs: logs["val_metric"]),
    "val_metric of classes": (TWO, "val_metric", 1, lambda model, logs: logs["val_metric"]),
    "loss": (LINE, "loss", -1, lambda model, logs: logs["loss"]),
    "scorer": (LINE, "neg_mean_absolute_error", 1, by_scorer("neg_mean_absolute_error", LINE)),
    "scorer of texts": (TWO, "balanced_accuracy", 1, by_scorer("balanced_accuracy", TWO)),
    "scorer of ranks": (TWO, "roc_auc", 1, by_scorer("roc_auc", TWO)),
    "scorer of probabilities": (THREE, "neg_log_loss", 1, by_scorer("neg_log_loss", THREE)),
    "function": (LINE, mean_error, 1, lambda model, logs: mean_error(model, X[JUDGE], LINE[JUDGE])),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("min_delta", [0.0, 0.01])
@pytest.mark.parametrize("case", CASES)
def test_training_stops_and_has_the_best_weights_as_a_callback_would_do_it(case, min_delta, dtype):
    y, monitor, sign, measure = CASES[case]
    options = dict(dtype=dtype, learning_rate=0.05, epochs=60)
    hand = ByHand(measure, sign, min_delta=min_delta)
    model(callbacks=hand, **options).fit(X[LEARN], y[LEARN], validation_data=(X[JUDGE], y[JUDGE]))
    found = fitted(y, monitor, min_delta=min_delta, **options)
    assert found.n_epochs_ == len(hand.numbers) and found.best_epoch_ == hand.best
    assert found.parameters_.tobytes() == hand.weights[hand.best - 1].tobytes()
    column = monitor if isinstance(monitor, str) else monitor.__name__
    assert found.history_[column] == hand.numbers


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("kind, y", [(MLPClassifier, TWO), (MLPRegressor, LINE)])
def test_both_estimators_and_backends_stop_by_a_score(kind, y, backend):
    monitor = "accuracy" if kind is MLPClassifier else "r2"
    scorer(monitor)
    found = fitted(y, monitor, kind=kind, backend=backend, epochs=4)
    assert found.history_[monitor] == pytest.approx(found.history_["val_metric"], abs=1e-6)


def test_without_early_stopping_a_monitor_says_which_epoch_was_the_best():
    data = dict(validation_data=(X[JUDGE], TWO[JUDGE]))
    found = model(monitor="val_metric").fit(X[LEARN], TWO[LEARN], **data)
    assert found.n_epochs_ == 25
    assert found.best_epoch_ == 1 + int(np.argmax(found.history_["val_metric"]))


def test_the_default_is_what_it_was():
    plain = model(early_stopping=True).fit(X, TWO)
    assert model().monitor == "val_loss" and "monitor" not in repr(model())
    assert plain.best_epoch_ == 1 + int(np.argmin(plain.history_["val_loss"]))
    assert [*plain.history_] == [
        "loss", "metric", "val_loss", "val_metric", "learning_rate", "seconds"
    ]  # fmt: skip
    without = model().fit(X, TWO)
    assert without.best_epoch_ == 1 + int(np.argmin(without.history_["loss"]))


def test_to_watch_the_training_loss_sets_no_rows_apart():
    seen = []
    found = model(
        early_stopping=True, monitor="loss", learning_rate=0.3, epochs=80,
        callbacks=lambda model, epoch, logs: seen.append(model.parameters_),
    ).fit(X, LINE)  # fmt: skip
    assert "val_loss" not in found.history_
    best = int(np.argmin(found.history_["loss"]))
    assert best < found.n_epochs_ - 1 and found.best_epoch_ == best + 1
    assert found.parameters_.tobytes() == seen[best].tobytes()


def test_a_plateau_is_one_of_the_monitor():
    fixed = model(learning_rate=ReduceOnPlateau(2, 0.5, initial=1e-30), monitor="val_metric")
    found = fixed.fit(X[LEARN], TWO[LEARN], validation_data=(X[JUDGE], TWO[JUDGE]))
    rates, metric = found.history_["learning_rate"], found.history_["val_metric"]
    assert len(set(metric)) == 1 and rates[:6] == [1e-30, 1e-30, 1e-30, 5e-31, 5e-31, 2.5e-31]
    rising = model(learning_rate=ReduceOnPlateau(1, 0.5, initial=0.01), monitor=counting())
    rising.fit(X[LEARN], TWO[LEARN], validation_data=(X[JUDGE], TWO[JUDGE]))
    assert rising.history_["learning_rate"] == [0.01] * 25  # it rises, and so improves


def counting():
    """A monitor that rises with each epoch."""
    calls = []

    def rises(model, X, y):
        calls.append(X)
        return float(len(calls))

    rises.calls = calls
    return rises


@pytest.mark.parametrize("monitor", ["val_metric", "balanced_accuracy", mean_error])
def test_a_warm_start_has_to_surpass_the_model_before(monitor):
    y = LINE if callable(monitor) else TWO
    if monitor == "balanced_accuracy":
        scorer(monitor)
    found = fitted(y, monitor, learning_rate=0.05, epochs=60)
    best, weights = found.best_epoch_, found.parameters_
    found.set_params(warm_start=True, epochs=3, learning_rate=1e-30)
    found.fit(X[LEARN], y[LEARN], validation_data=(X[JUDGE], y[JUDGE]))
    assert found.best_epoch_ == best and found.parameters_.tobytes() == weights.tobytes()


# What a function is given


def looks(check):
    """A monitor that looks at what it is called with."""

    def looks(model, X, y):
        check(model, X, y)
        return 1.0

    return looks


def test_a_function_is_given_the_rows_as_the_user_gave_them():
    far = 1e4 * X + 7  # which the model scales

    def check(model, rows, y):
        assert rows is judge and y.tolist() == TWO[JUDGE].tolist()
        assert model.predict(far).shape == (240,) and model.score(rows, y) >= 0

    judge = far[JUDGE]
    fit = model(early_stopping=True, monitor=looks(check), epochs=2).fit
    fit(far[LEARN], TWO[LEARN], validation_data=(judge, TWO[JUDGE]))


@pytest.mark.parametrize("y", [LINE, LINE[:, None], np.column_stack((LINE, -LINE)), TWO, X > 0])
def test_y_is_as_predict_gives_it(y):
    def check(model, rows, judged):
        predicted = model.predict(rows)
        assert judged.shape == predicted.shape
        assert judged.dtype.kind == predicted.dtype.kind
        if y.dtype.kind == "f":
            assert {*judged.ravel().tolist()} <= {*y.ravel().tolist()}  # to the bit

    found = model(early_stopping=True, monitor=looks(check), epochs=2, scale_targets="auto")
    if y.dtype == bool:
        found.fit(X, y.astype(int))
    else:
        found.fit(X, y)


def frame(library, columns):
    return getattr(pytest.importorskip(library), {"pyarrow": "table"}.get(library, "DataFrame"))(
        columns
    )


TABLE = {
    "size": [None if i % 9 == 0 else float(i % 40) for i in range(120)],
    "place": [("sea", "town", None)[i % 3] for i in range(120)],
    "price": [float(100 * (i % 40) + 7 * (i % 3)) for i in range(120)],
}


@pytest.mark.parametrize("given", ["dict", "records", "pandas", "polars", "pyarrow", "csv"])
@pytest.mark.parametrize("apart", [True, False])
def test_a_function_takes_tables(given, apart, tmp_path):
    if given == "dict":
        table = TABLE
    elif given == "records":
        table = [dict(zip(TABLE, row)) for row in zip(*TABLE.values())]
    elif given == "csv":
        from cnn_core.io import read_csv

        rows = "\n".join(",".join("" if v is None else str(v) for v in row)
                         for row in zip(*TABLE.values()))  # fmt: skip
        (tmp_path / "a.csv").write_text("size,place,price\n" + rows + "\n")
        table = read_csv(tmp_path / "a.csv")
    else:
        table = frame(given, TABLE)
    seen = []

    def rmse(model, rows, y):
        assert type(rows) is type(table) or given == "csv"
        seen.append(len(y))
        return -float(np.sqrt(np.mean((model.predict(rows) - y) ** 2)))

    options = {} if apart else {"validation_data": (table, "price")}
    found = model(columns="auto", early_stopping=True, monitor=rmse, epochs=5).fit(
        table, "price", **options
    )
    assert set(seen) == {12 if apart else 120} and len(found.history_["rmse"]) == 5
    by_name = model(
        columns="auto", early_stopping=True, monitor="neg_root_mean_squared_error", epochs=5
    ).fit(table, "price", **options)
    assert by_name.history_["neg_root_mean_squared_error"] == pytest.approx(
        found.history_["rmse"], rel=1e-12
    )
    assert by_name.parameters_.tobytes() == found.parameters_.tobytes()


def test_the_model_of_a_function_is_its_own():
    def keeps(given, X, y):
        assert type(given) is MLPRegressor and given is not found
        assert not hasattr(found, "n_epochs_")  # nobody sees a fit before it is over
        return float(given.n_epochs_)

    found = model(MLPRegressor, early_stopping=True, monitor=keeps, epochs=4)
    found.fit(X, LINE)
    assert found.history_["keeps"] == [0.0, 1.0, 2.0, 3.0]


def test_a_function_without_a_name_has_the_column_monitor():
    found = model(early_stopping=True, monitor=lambda model, X, y: 0.5, epochs=3).fit(X, LINE)
    assert found.history_["monitor"] == [0.5] * 3


def test_weights_of_rows_and_partial_fit_leave_a_monitor_alone():
    calls = counting()
    found = model(early_stopping=True, monitor=calls, epochs=3)
    found.fit(X, TWO, sample_weight=np.linspace(0.1, 2, 240))
    assert len(calls.calls) == 3 and calls.calls[0].shape == (24, 4)
    found.partial_fit(X, TWO)
    assert len(calls.calls) == 3 and found.n_epochs_ == 4
    assert np.isnan(found.history_["rises"][-1]) and found.best_epoch_ == 3


# Checkpoints and files


class Stop(Exception):
    pass


def interrupt(model, epoch, logs):
    if epoch == 4:
        raise Stop


@pytest.mark.parametrize("monitor", ["val_metric", "balanced_accuracy", counting, "loss"])
def test_a_training_that_was_interrupted_ends_with_the_same_bits(monitor, tmp_path):
    path = str(tmp_path / "run.ckpt")
    if monitor == "balanced_accuracy":
        scorer(monitor)
    make = monitor if callable(monitor) else lambda: monitor
    options = dict(early_stopping=True, learning_rate=ReduceOnPlateau(2, 0.5, initial=0.05))
    whole = model(monitor=make(), **options).fit(X, TWO)
    part, given = model(monitor=make(), callbacks=interrupt, **options), {}
    with warnings.catch_warnings():
        if callable(monitor):
            warnings.filterwarnings("ignore", "monitor is of type function")
            given = {"monitor": counted(make(), 4)}
        with pytest.raises(Stop):
            part.fit(X, TWO, checkpoint=path, checkpoint_every="epoch")
        found = MLP.resume(path, X, TWO, **given)
    assert found.parameters_.tobytes() == whole.parameters_.tobytes()
    assert found.best_epoch_ == whole.best_epoch_ and found.n_epochs_ == whole.n_epochs_
    for name in {*whole.history_} - {"seconds"}:
        assert found.history_[name] == whole.history_[name]
    plain = model(monitor=make(), **options)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "monitor is of type function")
        plain.fit(X, TWO, checkpoint=str(tmp_path / "other.ckpt"))
    assert plain.parameters_.tobytes() == whole.parameters_.tobytes()


def counted(rises, calls):
    """One that has been called so often."""
    rises.calls.extend([None] * calls)
    return rises


def test_a_function_is_asked_for_again_where_a_training_goes_on(tmp_path):
    path = str(tmp_path / "run.ckpt")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "monitor is of type function")
        with pytest.raises(Stop):
            model(early_stopping=True, monitor=counting(), callbacks=interrupt).fit(
                X, TWO, checkpoint=path
            )
        with pytest.raises(ValueError, match=r"watches the function rises.*monitor=rises\)$"):
            MLP.resume(path, X, TWO)
        with pytest.raises(ValueError, match="watches the function rises"):
            MLP.resume(path, X, TWO, monitor=mean_error)
    path = str(tmp_path / "plain.ckpt")
    with pytest.raises(Stop):
        model(early_stopping=True, callbacks=interrupt).fit(X, TWO, checkpoint=path)
    with (
        pytest.raises(ValueError, match="watches no function, and now it is mean_error"),
        pytest.warns(UserWarning, match="monitor is of type function"),
    ):
        MLP.resume(path, X, TWO, monitor=mean_error)
    with pytest.raises(ValueError, match="monitor='val_loss', and now it is monitor='val_metric'"):
        model(early_stopping=True, monitor="val_metric").fit(X, TWO, checkpoint=path)


def test_names_are_saved_and_functions_are_told(tmp_path):
    path = str(tmp_path / "a.safetensors")
    fitted(TWO, "val_metric").save(path)
    found = load(path)
    assert found.monitor == "val_metric"
    assert found.best_epoch_ == 1 + int(np.argmax(found.history_["val_metric"]))
    assert "as val_metric no longer improved" in str(found.summary()) or found.n_epochs_ == 25
    with pytest.warns(UserWarning, match="^monitor is of type function, which no model file"):
        fitted(LINE, mean_error).save(path)
    found = load(path)
    assert found.monitor == "val_loss" and "mean_error" in found.history_
    assert found.best_epoch_ == 1 + int(np.argmax(found.history_["mean_error"]))
    again = pickle.loads(pickle.dumps(fitted(LINE, mean_error)))
    assert again.monitor is mean_error and again.best_epoch_ == found.best_epoch_


def test_a_model_loads_and_predicts_without_scikit_learn(tmp_path, monkeypatch):
    scorer("balanced_accuracy")
    path = str(tmp_path / "a.safetensors")
    fitted(TWO, "balanced_accuracy").save(path)
    hide_sklearn(monkeypatch)
    assert load(path).predict(X).shape == (240,)


# What is said


def test_summary_advice_and_lines_name_the_monitor(capsys):
    found = fitted(TWO, "val_metric", patience=3, learning_rate=0.1, epochs=200, verbose=1)
    out = capsys.readouterr().out
    assert "stopped: val_metric has not improved for 3 epochs" in out
    assert "as val_metric no longer improved" in str(found.summary())
    found = fitted(LINE, mean_error, verbose=2, epochs=3)
    assert capsys.readouterr().out.count("mean_error -") == 3
    assert f"mean_error {found.history_['mean_error'][found.best_epoch_ - 1]:.4g}" in str(
        found.summary()
    )
    slow = counting()
    found = fitted(LINE, slow, min_delta=10, patience=4)
    assert "while rises still rose, from" in str(found.summary())


# Errors: one sentence, and the estimator is as it was


def hide_sklearn(monkeypatch):
    for name in [one for one in sys.modules if one.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    importlib.invalidate_caches()


def two(y_true, y_pred):
    return 0.0


def loss(model, X, y):
    return 0.0


@pytest.mark.parametrize("value, error, message", [
    (3, TypeError, "a function .model, X, y., got 3$"),
    (None, TypeError, "got None$"),
    (float, TypeError, "got <class 'float'>$"),
    (two, TypeError, r"the monitor two is called with \(model, X, y\), and it takes \(y_true, "
     r"y_pred\); sklearn.metrics.make_scorer makes one"),
    (lambda x: x, TypeError, r"^the monitor is called with \(model, X, y\), and it takes \(x\)"),
    (loss, ValueError, "is a function called 'loss', as a column of history_ is already"),
    ("val_accuracy", ValueError, "^unknown monitor 'val_accuracy'; it is called 'val_metric'"),
    ("val_acc", ValueError, "it is called 'val_metric' here"),
    ("auc", ValueError, "it is called 'roc_auc' here"),
    ("RMSE", ValueError, "it is called 'neg_root_mean_squared_error' here"),
    ("multi_logloss", ValueError, "'val_loss' is the cross-entropy"),
])  # fmt: skip
def test_what_no_monitor_is_is_refused_at_once(value, error, message):
    with pytest.raises(error, match=message):
        MLP(monitor=value)
    plain = MLP()
    with pytest.raises(error, match=message):
        plain.set_params(monitor=value)
    assert plain.monitor == "val_loss"


def refused(found, error, message, y=TWO, **fit):
    """A fit that is refused leaves the model of the fit before."""
    weights, history = found.parameters_, found.history_
    with pytest.raises(error, match=message):
        found.fit(X, y, **fit)
    assert found.parameters_.tobytes() == weights.tobytes() and found.history_ == history


def test_a_scorer_that_there_is_not_is_refused_before_training():
    scorer("accuracy")
    found = model(early_stopping=True, epochs=2).fit(X, TWO)
    for name, near in (
        ("balanced_acuracy", "near names are 'balanced_accuracy', "),
        ("val_lost", "near names are 'val_loss', "),
        ("zzz", "it may be 'val_loss', 'val_metric', 'loss', and "),
    ):
        found.set_params(monitor=name)
        refused(found, ValueError, f"^unknown monitor {name!r}; {near}")


def test_a_scorer_without_scikit_learn_names_the_package(monkeypatch):
    hide_sklearn(monkeypatch)
    found = model(early_stopping=True, epochs=2).fit(X, TWO).set_params(monitor="f1_macro")
    refused(found, ImportError, "'f1_macro' is none of 'val_loss', .*pip install scikit-learn$")
    assert model(early_stopping=True, monitor="val_metric", epochs=2).fit(X, TWO).n_epochs_ == 2


@pytest.mark.parametrize("monitor", ["val_metric", "accuracy", mean_error])
def test_a_monitor_of_validation_rows_needs_some(monitor):
    if monitor == "accuracy":
        scorer(monitor)
    found = model(epochs=2).fit(X, TWO).set_params(monitor=monitor)
    refused(found, ValueError, "is of validation rows, and there are none: give fit validation_da")
    assert model(monitor=monitor, epochs=2).partial_fit(X, TWO).n_epochs_ == 1


@pytest.mark.parametrize("gives, said", [
    (None, "it gave None$"), (np.nan, "it gave nan$"), (-np.inf, "it gave -inf$"),
    ("0.5", "it gave '0.5'$"), (True, "it gave True$"), (1j, "it gave 1j$"),
    (np.ones(2), r"it gave array\(\[1., 1.\]\)$"),
    (ZeroDivisionError("of\nmine"), "failed after epoch 3: ZeroDivisionError: of mine$"),
])  # fmt: skip
@pytest.mark.parametrize("before", [True, False])
def test_a_function_that_gives_no_number_leaves_all_as_it_was(gives, said, before, tmp_path):
    calls = []

    def profit(model, X, y):
        calls.append(0)
        if len(calls) < 3 + before:  # the model of a warm start is scored first
            return 0.5
        if isinstance(gives, Exception):
            raise gives
        return gives

    found = model(early_stopping=True, warm_start=before, epochs=2)
    if before:
        refused(
            found.fit(X, TWO).set_params(monitor=profit, epochs=9), ValueError,
            f"^the monitor profit .*{said.replace('epoch 3', 'epoch 5')}",
        )  # fmt: skip
        return
    found.set_params(monitor=profit, epochs=9)
    with pytest.raises(ValueError, match=f"^the monitor profit .*{said}") as error:
        found.fit(X, TWO)
    assert "\n" not in str(error.value)
    assert not found.__sklearn_is_fitted__() and len(calls) == 3


def test_a_scorer_that_fails_says_why():
    scorer("r2")
    with pytest.raises(ValueError, match="^the monitor r2 failed after epoch 1: .* does classif"):
        model(early_stopping=True, monitor="r2").fit(X, TWO)


@pytest.mark.parametrize("y, has", [
    (THREE, "3 classes"), (np.column_stack((TWO == "yes", THREE == 2)).astype(int), "2 labels"),
])  # fmt: skip
def test_a_scorer_of_two_classes_names_one_of_more(y, has):
    scorer("f1")
    found = model(epochs=2, early_stopping=True).fit(X, y).set_params(monitor="f1")
    refused(found, ValueError, f"^monitor='f1' is of two classes, and y has {has}.*'f1_macro'", y=y)
    roc = found.set_params(monitor="roc_auc")
    if has == "3 classes":
        refused(roc, ValueError, "'roc_auc_ovr'", y=y)
    else:
        assert roc.fit(X, y).history_["roc_auc"]


@pytest.mark.parametrize("name", ["average_precision", "f1", "neg_brier_score", "recall_macro"])
@pytest.mark.parametrize("labels", [
    ["no", "yes"], [False, True], [0, 2], [-1, 1], np.array(["a", "b"], object),
], ids=str)  # fmt: skip
def test_the_second_of_two_classes_is_the_positive_one(name, labels):
    scorer(name)
    is_second = (TWO == "yes").astype(int)
    found, wanted = (fitted(y, name, epochs=3) for y in (np.array(labels)[is_second], is_second))
    assert found.history_[name] == wanted.history_[name]
    assert found.classes_.tolist() == list(labels)


def test_ctrl_c_in_a_function_is_ctrl_c():
    calls = []

    def stops(model, X, y):
        calls.append(0)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 1.0

    found = model(early_stopping=True, monitor=stops)
    with pytest.raises(KeyboardInterrupt):
        found.fit(X, TWO)
    assert found.n_epochs_ == 2
