"""What `cnn_core.sklearn` has beyond scikit-learn."""

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

from cnn_core._optimizer import optimizer_names
from cnn_core.activations import LeakyReLU
from cnn_core.schedules import Constant, Cosine, StepDecay
from cnn_core.sklearn import MLPClassifier
from cnn_core.sklearn._parameters import ACTIVATIONS
from scipy import sparse
from sklearn import datasets
from sklearn_cases import LINE, LINES, THREE, TWO, X, classifier, flat, regressor

from cnn_core import SGD, Adam, AdamW, Callback, Huber, RMSprop, Rprop


def test_one_activation_a_layer_is_what_one_name_says():
    a = classifier(hidden_layer_sizes=(9, 5), activation=["logistic", "logistic"]).fit(X, THREE)
    b = classifier(hidden_layer_sizes=(9, 5), activation="logistic").fit(X, THREE)
    c = classifier(hidden_layer_sizes=(9, 5), activation="sigmoid").fit(X, THREE)
    d = classifier(hidden_layer_sizes=(9, 5), activation=("tanh", LeakyReLU(0.2))).fit(X, THREE)
    assert (
        np.array_equal(flat(a), flat(b))
        and np.array_equal(flat(a), flat(c))
        and not np.array_equal(flat(a), flat(d))
    )
    hidden = np.tanh(X @ d.coefs_[0] + d.intercepts_[0]) @ d.coefs_[1] + d.intercepts_[1]
    z = np.where(hidden > 0, hidden, 0.2 * hidden) @ d.coefs_[2] + d.intercepts_[2]
    np.testing.assert_allclose(
        d.predict_proba(X), np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), rtol=1e-10
    )


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS - {"exp"}))
def test_every_activation_learns(activation):
    model = classifier(activation=activation, max_iter=60, learning_rate_init=0.02).fit(X, THREE)
    assert model.score(X, THREE) > 0.9


@pytest.mark.parametrize(
    "solver",
    [
        *(name for name in optimizer_names() if name not in ("adadelta", "rprop")),
        "rprop",
        AdamW(0.01),
        SGD(0.1, momentum=0.5),
        RMSprop(0.01, rho=0.5),
        Rprop(),
        Adam(0.02, amsgrad=True),
    ],
    ids=str,
)
def test_every_optimizer_learns(solver):
    model = classifier(solver=solver, max_iter=60, learning_rate_init=0.02).fit(X, THREE)
    assert model.score(X, THREE) > 0.9
    again = classifier(solver=solver, max_iter=60, learning_rate_init=0.02).fit(X, THREE)
    assert np.array_equal(flat(model), flat(again))


def test_an_optimizer_object_brings_its_own_numbers():
    named = classifier(solver="adam", learning_rate_init=0.02, beta_1=0.5).fit(X, THREE)
    object_ = classifier(solver=Adam(0.02, beta1=0.5, epsilon_hat=True)).fit(X, THREE)
    assert np.array_equal(flat(named), flat(object_))
    a = classifier(solver=SGD(0.1, momentum=0.9, nesterov=True), learning_rate="invscaling").fit(
        X, THREE
    )
    b = classifier(solver="sgd", learning_rate_init=0.1, learning_rate="invscaling").fit(X, THREE)
    assert np.array_equal(flat(a), flat(b))


def test_a_schedule_takes_the_place_of_the_learning_rate():
    plain, constant = (
        classifier(learning_rate=rate).fit(X, THREE) for rate in ("constant", Constant())
    )
    assert np.array_equal(flat(plain), flat(constant))
    faster = classifier(learning_rate_init=0.01).fit(X, THREE)
    assert np.array_equal(
        flat(faster), flat(classifier(learning_rate=Constant(initial=0.01)).fit(X, THREE))
    )
    logs = []
    classifier(
        learning_rate=StepDecay(every=2, drop=0.5),
        max_iter=5,
        callbacks=lambda model, epoch, entry: logs.append(entry["learning_rate"]),
    ).fit(X, THREE)
    assert logs == [0.001, 0.001, 0.0005, 0.0005, 0.00025]
    model = classifier(learning_rate=StepDecay(every=1, drop=0.5))
    for _ in range(3):
        model.partial_fit(X, THREE, classes=[0, 1, 2])
    assert model._model.optimizer.learning_rate == 0.00025
    assert (
        classifier(learning_rate=Cosine(), max_iter=40, learning_rate_init=0.02)
        .fit(X, THREE)
        .score(X, THREE)
        > 0.9
    )


def test_dropout_is_drawn_from_the_seed_and_only_in_training():
    one, same, other, none = (
        classifier(dropout=rate, random_state=seed, max_iter=30, learning_rate_init=0.02).fit(
            X, THREE
        )
        for rate, seed in ((0.3, 0), (0.3, 0), (0.3, 1), (0.0, 0))
    )
    assert np.array_equal(flat(one), flat(same)) and not np.array_equal(flat(one), flat(none))
    assert not np.array_equal(flat(one), flat(other))
    assert one.score(X, THREE) > 0.85 and np.array_equal(one.predict_proba(X), one.predict_proba(X))
    assert np.array_equal(
        flat(classifier(dropout=[0, 0.3]).fit(X, THREE)),
        flat(classifier(dropout=0.3).fit(X, THREE)),
    )


def test_none_is_none_and_arrays_are_sequences():
    plain = flat(classifier().fit(X, THREE))
    assert np.array_equal(flat(classifier(dropout=None, callbacks=None).fit(X, THREE)), plain)
    assert classifier(solver="lbfgs", dropout=None, callbacks=None).fit(X, THREE).n_iter_ == 10
    by_list, by_array = (
        flat(classifier(dropout=rates).fit(X, THREE))
        for rates in ([0.1, 0.3], np.array([0.1, 0.3]))
    )
    assert np.array_equal(by_list, by_array) and not np.array_equal(by_list, plain)


def test_losses_of_a_regression_have_the_names_of_this_package_too():
    for name, theirs_ in (("mse", "squared_error"), ("mae", "absolute_error")):
        assert np.array_equal(
            flat(regressor(loss=name).fit(X, LINE)), flat(regressor(loss=theirs_).fit(X, LINE))
        )


def test_class_weight_is_a_weight_of_rows():
    weighted = classifier(class_weight={0: 3.0, 2: 0.5}).fit(X, THREE)
    by_rows = classifier().fit(X, THREE, np.array([3.0, 1.0, 0.5])[THREE])
    assert np.array_equal(flat(weighted), flat(by_rows))
    names = np.array(["ant", "bee", "cat"])[THREE]
    assert np.array_equal(
        flat(classifier(class_weight={"ant": 3.0, "cat": 0.5}).fit(X, names)), flat(by_rows)
    )
    few = np.r_[0:50, 50:55]
    balanced = classifier(class_weight="balanced").fit(X[few], THREE[few])
    assert np.array_equal(
        flat(balanced), flat(classifier().fit(X[few], THREE[few], np.r_[[0.55] * 50, [5.5] * 5]))
    )
    both = classifier(class_weight={1: 2.0}).fit(X, THREE, np.full(150, 0.5))
    assert np.array_equal(
        flat(both), flat(classifier().fit(X, THREE, np.where(THREE == 1, 1.0, 0.5)))
    )


def test_callbacks_see_every_epoch_and_may_end_the_training():
    class Seen(Callback):
        def before_fit(self, model):
            self.events = ["before"]

        def after_epoch(self, model, epoch, logs):
            self.events.append(
                (epoch, model.n_iter_, model.score(X, THREE), logs["loss"] == model.loss_curve_[-1])
            )
            return epoch == 4

        def after_fit(self, model):
            self.events.append("after")

    seen = Seen()
    model = classifier(callbacks=[seen]).fit(X, THREE)
    assert seen.events[0] == "before" and seen.events[-1] == "after" and model.n_iter_ == 4
    assert [event[:2] for event in seen.events[1:-1]] == [(i, i) for i in range(1, 5)]
    assert all(event[3] for event in seen.events[1:-1]) and seen.events[4][2] == model.score(
        X, THREE
    )
    assert np.array_equal(flat(model), flat(classifier(max_iter=4).fit(X, THREE)))


def test_rows_of_the_users_own_judge():
    scores = []
    model = classifier(
        max_iter=100,
        early_stopping=True,
        n_iter_no_change=3,
        learning_rate_init=0.02,
        callbacks=lambda model, epoch, logs: scores.append(
            (model.score(X[100:], THREE[100:]), logs)
        ),
    )
    model.fit(X, THREE, X_val=X[100:], y_val=THREE[100:])
    assert (
        [score for score, _ in scores]
        == model.validation_scores_
        == [logs["validation_score"] for _, logs in scores]
    )
    assert (
        model.score(X[100:], THREE[100:])
        == max(model.validation_scores_)
        == model.best_validation_score_
    )
    assert model.t_ == 150 * model.n_iter_ and model.n_iter_ < 100
    watched = classifier().fit(X, THREE, X_val=sparse.csr_matrix(X), y_val=THREE)
    assert np.array_equal(flat(watched), flat(classifier().fit(X, THREE)))
    assert watched.best_loss_ == min(watched.loss_curve_) and len(watched.validation_scores_) == 10
    line = regressor().fit(X, LINES, X_val=X[:30], y_val=LINES[:30])
    assert line.validation_scores_[-1] == pytest.approx(line.score(X[:30], LINES[:30]), rel=1e-12)
    two = classifier().fit(X, TWO, X_val=X[:70], y_val=TWO[:70])
    assert two.validation_scores_[-1] == pytest.approx(two.score(X[:70], TWO[:70]), rel=1e-12)


def test_best_weights_come_back_when_asked_for_and_not_when_refused():
    seen = []
    options = dict(
        solver="sgd",
        learning_rate_init=6.0,
        momentum=0.9,
        batch_size="auto",
        max_iter=12,
        callbacks=lambda model, epoch, logs: seen.append((logs["loss"], flat(model))),
    )
    model = classifier(**options, restore_best_weights=True).fit(X, THREE)
    losses = [loss for loss, _ in seen]
    assert np.argmin(losses) < 11 and np.array_equal(flat(model), seen[int(np.argmin(losses))][1])
    seen.clear()
    model = classifier(**options, early_stopping=True, restore_best_weights=False).fit(X, THREE)
    assert np.array_equal(flat(model), seen[-1][1])


@pytest.mark.parametrize(
    "loss, cost",
    [
        ("absolute_error", np.abs),
        ("huber", lambda e: np.where(np.abs(e) < 1, e * e / 2, np.abs(e) - 0.5)),
        (Huber(0.25), lambda e: np.where(np.abs(e) < 0.25, e * e / 2, 0.25 * (np.abs(e) - 0.125))),
        ("squared_error", lambda e: e * e / 2),
    ],
)
@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_losses_of_a_regression_are_what_they_say(loss, cost, solver):
    options = dict(loss=loss, alpha=0.0, batch_size=150, solver=solver, random_state=1)
    start = regressor(**options | dict(solver="sgd"), max_iter=1, learning_rate_init=1e-300).fit(
        X, LINES
    )
    assert start.loss_ == pytest.approx(cost(start.predict(X) - LINES).sum(axis=1).mean(), rel=1e-9)
    model = regressor(**options, max_iter=100, learning_rate_init=0.02).fit(X, LINES)
    assert model.loss_ < 0.2 * start.loss_


def test_the_dtype_may_be_chosen():
    model = classifier(dtype="float32").fit(X, THREE)
    assert {array.dtype for array in model.coefs_ + model.intercepts_} == {np.dtype("float32")}
    assert np.array_equal(flat(model), flat(classifier().fit(X.astype("float32"), THREE)))
    for dtype in ("f4", "<f4", np.float32, np.dtype("float32")):
        assert np.array_equal(flat(model), flat(classifier(dtype=dtype).fit(X, THREE)))
    for dtype in (np.float64, float, np.dtype("float64"), "d"):
        assert classifier(dtype=dtype).fit(X.astype("float32"), THREE).coefs_[0].dtype == np.float64
    assert (
        classifier(dtype="float32", solver="lbfgs", max_iter=100).fit(X, THREE).score(X, THREE)
        > 0.95
    )


def test_a_number_of_threads_changes_no_bit():
    rows, y = datasets.load_digits(return_X_y=True)
    one, two = (MLPClassifier(n_threads=n, max_iter=3, random_state=0).fit(rows, y) for n in (1, 2))
    assert np.array_equal(flat(one), flat(two)) and np.array_equal(
        one.predict_proba(rows), two.predict_proba(rows)
    )


def test_float32_regression_stays_in_float32():
    model = regressor().fit(X.astype("float32"), (10 * LINE).astype(int))
    assert (
        model.predict(X.astype("float32")).dtype == np.float32
        and model._model.optimizer.state["slots"][0].dtype == np.float32
    )


def test_rows_are_read_where_they_stand(tmp_path, monkeypatch):
    from cnn_core.sklearn import _rows

    seen = []
    monkeypatch.setattr(_rows, "RowSource", lambda *args: seen.append(args[0]) or RowSource(*args))
    from cnn_core._dataset import RowSource

    rows = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", "float64", (150, 4))
    rows[:] = X
    rows.flush()
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    expected = classifier(early_stopping=True).fit(X, TWO)
    for given in (X, mapped):
        seen.clear()
        model = classifier(early_stopping=True).fit(given, TWO)
        assert any(np.shares_memory(part, given) for part in seen) and np.array_equal(
            flat(model), flat(expected)
        )
