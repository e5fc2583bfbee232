"""cnn_core.sklearn beyond scikit-learn: what is asked for there and refused, and the defects that
are not repeated."""

import pickle
import signal
import threading

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

import joblib
import sklearn.neural_network as theirs
from cnn_core._optimizer import optimizer_names
from cnn_core.activations import LeakyReLU
from cnn_core.schedules import Constant, Cosine, StepDecay
from cnn_core.sklearn import MLPClassifier, MLPRegressor
from cnn_core.sklearn._parameters import ACTIVATIONS
from scipy import sparse
from sklearn import datasets
from sklearn.preprocessing import scale

from cnn_core import LBFGS, SGD, Adam, AdamW, Callback, Huber, RMSprop, Rprop

RNG = np.random.default_rng(8)
X, THREE = datasets.load_iris(return_X_y=True)
X = scale(X)
TWO = (THREE == 1).astype(int)
LINE = X @ [1.0, -2, 0.5, 3]
LINES = np.column_stack((LINE, np.sin(X[:, 0]), X[:, 1] ** 2))


def classifier(**options):
    return MLPClassifier(
        **dict(hidden_layer_sizes=(12,), max_iter=10, random_state=0, batch_size=32) | options
    )


def regressor(**options):
    return MLPRegressor(
        **dict(hidden_layer_sizes=(12,), max_iter=10, random_state=0, batch_size=32) | options
    )


def flat(model):
    return np.concatenate([array.ravel() for array in model.coefs_ + model.intercepts_])


# Defects that are not repeated


def test_rows_set_apart_keep_the_shares_of_several_classes():
    kept = []

    class Watched(MLPClassifier):
        def _scorer(self, X, targets, labels, weights):
            kept.append(np.bincount(labels[:, 0]).tolist())
            return super()._scorer(X, targets, labels, weights)

    options = dict(early_stopping=True, random_state=1, max_iter=3)
    for y in (THREE, np.array(["ant", "bee", "cat"])[THREE]):
        Watched(**options).fit(X, y)
        Watched(**options, compatible=True).fit(X, y)
        assert kept[-2] == [5, 5, 5] != kept[-1]


@pytest.mark.parametrize("rows", [np.r_[0:60, 149], np.r_[0:4, 50:54, 100:104]])
def test_where_a_class_cannot_be_on_both_sides_the_split_is_scikit_learns(rows):
    options = dict(early_stopping=True, random_state=1, max_iter=5, validation_fraction=0.16)
    y = np.where(rows == 149, 2, THREE[rows])
    a, b = (kind(**options).fit(X[rows], y) for kind in (MLPClassifier, theirs.MLPClassifier))
    np.testing.assert_allclose(flat(a), flat(b), rtol=1e-9)


def test_a_mini_batch_without_weight_is_no_error():
    weights, mixed = np.r_[np.zeros(64), np.ones(86)], RNG.permutation(150)
    rows, y = X[mixed], THREE[mixed]
    with pytest.raises(ZeroDivisionError):
        theirs.MLPClassifier(batch_size=32, shuffle=False, max_iter=2).fit(rows, y, weights)
    model = classifier(shuffle=False, solver="sgd", alpha=0.0, momentum=0).fit(rows, y, weights)
    rest = classifier(shuffle=False, solver="sgd", alpha=0.0, momentum=0).fit(rows[64:], y[64:])
    np.testing.assert_allclose(flat(model), flat(rest), rtol=1e-12)
    assert np.isfinite(model.loss_curve_).all()


def test_warm_start_after_an_early_stop_keeps_the_best_weights():
    judged = dict(X_val=X[::5], y_val=TWO[::5])
    model = classifier(
        early_stopping=True, warm_start=True, solver="sgd", learning_rate_init=0.2, max_iter=60
    )
    best, weights = model.fit(X, TWO, **judged).best_validation_score_, flat(model)
    model.set_params(learning_rate_init=1e-9, max_iter=5).fit(X, TWO, **judged)
    assert model.best_validation_score_ == best and np.array_equal(flat(model), weights)
    model.set_params(learning_rate_init=3.0, momentum=0.99).fit(X, TWO, **judged)
    assert (
        model.best_validation_score_ >= best
        and model.score(X[::5], TWO[::5]) == model.best_validation_score_
    )
    # Rows set apart anew are other rows, on which the weights are judged anew, and kept where no
    # epoch does better.
    weights = flat(model)
    model.set_params(learning_rate_init=1e-12, max_iter=3).fit(X, TWO)
    assert (
        np.array_equal(flat(model), weights)
        and model.best_validation_score_ == model.validation_scores_[-1]
    )


def test_a_warm_start_on_new_rows_is_judged_on_these_and_learns_them():
    model = classifier(
        early_stopping=True, warm_start=True, learning_rate_init=0.02, max_iter=100
    ).fit(X, TWO)
    assert model.best_validation_score_ > 0.8
    model.fit(X, 1 - TWO)  # nothing of what was learned holds
    assert model.score(X, 1 - TWO) > 0.8 and model.best_validation_score_ == max(
        model.validation_scores_[-model.n_iter_ :]
    )
    # The bar is the score of the present weights on the new rows; where no epoch is better, they
    # come back.
    weights = flat(model)
    model.set_params(learning_rate_init=1e-12, max_iter=3).fit(X, TWO, X_val=X[:60], y_val=TWO[:60])
    assert model.best_validation_score_ == model.score(X[:60], TWO[:60]) and np.array_equal(
        flat(model), weights
    )
    # A score that is no number is no bar.
    line = regressor(warm_start=True, early_stopping=True).fit(X, LINE)
    line.coefs_[0][:] = line.coefs_[1][:] = 1e200
    assert line.set_params(max_iter=1).fit(X, LINE).best_validation_score_ == -np.inf


def test_a_warm_start_without_a_judge_ends_with_its_own_best_weights():
    seen = []
    model = classifier(
        warm_start=True, restore_best_weights=True, max_iter=80, learning_rate_init=0.02
    ).fit(X, TWO)
    model.set_params(
        callbacks=lambda model, epoch, logs: seen.append((logs["loss"], flat(model)))
    ).fit(X, 1 - TWO)
    assert seen[0][0] > model.best_loss_ and np.array_equal(
        flat(model), min(seen, key=lambda entry: entry[0])[1]
    )


def test_scores_of_an_earlier_fit_are_not_kept_where_nobody_judges():
    for again in (dict(), dict(solver="lbfgs")):
        model = classifier(early_stopping=True, warm_start=True).fit(X, THREE)
        model.set_params(early_stopping=False, **again).fit(X, THREE)
        assert model.validation_scores_ is None and model.best_validation_score_ is None
    model = classifier().fit(X, THREE, X_val=X, y_val=THREE).partial_fit(X, THREE)
    assert model.validation_scores_ is None and model.best_validation_score_ is None


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_losses_are_scalars_of_numpy(solver):
    model = classifier(solver=solver).fit(X, THREE)
    assert model.loss_.dtype == np.float64
    if solver == "adam":
        assert model.best_loss_.dtype == model.loss_curve_[0].dtype == np.float64


def test_partial_fits_with_a_seed_visit_the_rows_in_new_orders():
    one, repeating = (
        classifier(hidden_layer_sizes=5),
        classifier(hidden_layer_sizes=5, compatible=True),
    )
    same_stream = theirs.MLPClassifier(5, random_state=np.random.RandomState(0), batch_size=32)
    for model in (one, repeating, same_stream):
        for _ in range(4):
            model.partial_fit(X, THREE, classes=[0, 1, 2])
    np.testing.assert_allclose(flat(one), flat(same_stream), rtol=1e-9)
    assert not np.allclose(flat(one), flat(repeating), rtol=1e-6)


def test_negative_weights_are_an_error_that_names_the_first():
    weights = np.where(np.arange(150) < 7, 1.0, -0.25 * np.arange(150))
    model = classifier(warm_start=True).fit(X, THREE)
    before = flat(model)
    for call in (
        lambda: model.fit(X, THREE, weights),
        lambda: model.partial_fit(X, THREE, weights),
        lambda: classifier(solver="lbfgs").fit(X, THREE, weights),
    ):
        with pytest.raises(ValueError, match="must be at least 0, got -1.75 for row 7$"):
            call()
    with pytest.raises(ValueError, match="must be at least 0, got -2.0 for row 50$"):
        classifier(class_weight={1: -2.0}).fit(X, THREE)
    with pytest.raises(ValueError, match="must be finite, got inf for row 50$"):
        classifier(class_weight={1: np.inf}).fit(X, THREE)
    assert np.array_equal(flat(model), before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_only_ratios_of_weights_count_beside_the_penalty(dtype):
    weights = RNG.uniform(0.1, 3, 150)
    one, *others = (
        classifier(dtype=dtype, alpha=0.0).fit(X, THREE, weights * np.ldexp(1.0, power))
        for power in (0, -1000, 1000)
    )
    assert all(
        np.array_equal(flat(one), flat(other)) and one.loss_ == other.loss_ for other in others
    )
    penalised = classifier(dtype=dtype, alpha=0.5).fit(X, THREE, weights)
    larger = classifier(dtype=dtype, alpha=np.ldexp(0.5, 500)).fit(
        X, THREE, weights * np.ldexp(1.0, 500)
    )
    assert np.array_equal(flat(penalised), flat(larger)) and not np.array_equal(
        flat(penalised), flat(one)
    )


def test_counts_below_0_are_an_error():
    with pytest.raises(ValueError, match="out of the valid range of the loss 'poisson'"):
        regressor(loss="poisson").fit(X, LINE)


def test_a_regressor_has_no_partial_fit_with_lbfgs():
    assert not hasattr(MLPRegressor(solver="lbfgs"), "partial_fit") and hasattr(
        MLPRegressor(), "partial_fit"
    )


def test_the_loss_of_several_outputs_is_the_one_whose_gradient_is_followed():
    model = regressor(
        alpha=0.3, solver="sgd", learning_rate_init=1e-12, max_iter=1, batch_size=150
    ).fit(X, LINES)
    squares = ((model.predict(X) - LINES) ** 2).sum() / 2 / 150
    penalty = 0.15 / 150 * sum((W**2).sum() for W in model.coefs_)
    assert model.loss_ == pytest.approx(squares + penalty, rel=1e-9)
    by_theirs = theirs.MLPRegressor(
        "squared_error",
        (12,),
        alpha=0.3,
        solver="sgd",
        learning_rate_init=1e-12,
        max_iter=1,
        batch_size=150,
        random_state=0,
    ).fit(X, LINES)
    assert by_theirs.loss_ == pytest.approx(squares / 3 + penalty, rel=1e-9)
    # As many epochs give the same weights, whichever loss is reported.
    for solver in ("adam", "sgd"):
        a = regressor(solver=solver).fit(X, LINES)
        b = theirs.MLPRegressor(
            "squared_error", (12,), solver=solver, max_iter=10, random_state=0, batch_size=32
        ).fit(X, LINES)
        np.testing.assert_allclose(flat(a), flat(b), rtol=1e-9)
    assert (
        regressor(solver="lbfgs", max_iter=300).fit(X, LINES).loss_
        < regressor(solver="lbfgs", max_iter=300, compatible=True).fit(X, LINES).loss_ * 3
    )


def test_the_cost_of_a_sure_and_wrong_prediction_is_not_cut_off():
    y = np.array([0.0, 1.0] * 2)
    a, b = (
        kind((), solver="sgd", learning_rate_init=1e-300, max_iter=1, random_state=0)
        for kind in (MLPClassifier, theirs.MLPClassifier)
    )
    rows = 1e4 * np.array([[1.0], [-1.0]] * 2)
    a.fit(rows, y), b.fit(rows, y)
    z = rows @ a.coefs_[0] + a.intercepts_[0]
    assert a.loss_ == pytest.approx(
        np.logaddexp(0, z[:, 0]).mean() - (y * z[:, 0]).mean(), rel=1e-6
    )


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_where_the_value_of_the_log_loss_is_cut_off_the_steps_are_still_equal(solver):
    rows, y = datasets.load_wine(return_X_y=True)  # not scaled
    options = dict(hidden_layer_sizes=(20,), max_iter=8, random_state=0, solver=solver)
    a, b = (
        MLPClassifier(**options, compatible=True).fit(rows, y),
        theirs.MLPClassifier(**options).fit(rows, y),
    )
    np.testing.assert_allclose(flat(a), flat(b), rtol=1e-9)
    assert a.loss_curve_[0] > 2 * b.loss_curve_[0]


def test_weights_that_were_taken_are_not_changed_by_a_later_training():
    model = classifier(warm_start=True).fit(X, THREE)
    taken, held = model.coefs_[0], model.coefs_[0].copy()
    model.partial_fit(X, THREE)
    model.fit(X, THREE)
    assert np.array_equal(taken, held) and not np.array_equal(model.coefs_[0], held)


def test_what_a_callback_does_to_weights_does_not_reach_the_training():
    def spoil(model, epoch, logs):
        model.coefs_[0][:] = 7.0

    assert np.array_equal(
        flat(classifier(callbacks=spoil).fit(X, THREE)), flat(classifier().fit(X, THREE))
    )


def test_text_as_y_of_a_regression_is_read_as_numbers():
    assert np.array_equal(
        flat(regressor().fit(X, LINE.astype(str))), flat(regressor().fit(X, LINE))
    )


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


def test_ctrl_c_ends_a_fit_with_a_warning_and_keeps_what_was_learned():
    model = classifier(max_iter=10**6, n_iter_no_change=np.inf)
    timer = threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.warns(UserWarning, match="Training interrupted by user."):
        model.fit(X, THREE)
    timer.join()
    assert 0 < model.n_iter_ < 10**6 and model.score(X, THREE) > 0.9


# Weights that users set


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
        assert isinstance(mapped.coefs_[0], np.memmap) and not mapped.coefs_[0].flags.writeable
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


# The extras


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


@pytest.mark.parametrize(
    "options, message",
    [
        (
            dict(activation=["relu"], hidden_layer_sizes=(3, 4)),
            "activation must be one for all hidden layers or one for each of the 2, got 1",
        ),
        (dict(activation=["rleu"]), "activation must hold names among .*, got 'rleu'"),
        (dict(activation="step"), "The 'activation' parameter of MLPClassifier must be"),
        (dict(dropout=[0.1]), "dropout must be one rate for all hidden layers, or 2"),
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
        (dict(dropout=np.array([0.1])), "dropout must be one rate for all hidden layers, or 2"),
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
            "y_val must have 1 outputs a row as y has, got 3",
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
