"""Defects of scikit-learn that `cnn_core.sklearn` does not repeat."""

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

import sklearn.neural_network as theirs
from cnn_core.sklearn import MLPClassifier, MLPRegressor
from sklearn import datasets
from sklearn_cases import LINE, LINES, THREE, TWO, X, classifier, flat, regressor

RNG = np.random.default_rng(8)


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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [-1000, -1074, 1000])
def test_weights_of_rows_and_classes_may_be_extreme_together(size, dtype):
    rows = np.ldexp(RNG.integers(1, 4, 150).astype(float), size)
    for power in (size, min(-size, 1000)):
        classes = dict.fromkeys(range(3), float(np.ldexp(1.0, power)))
        wanted = classifier(dtype=dtype, alpha=0.0).fit(X, THREE, np.ldexp(rows, -size))
        model = classifier(dtype=dtype, alpha=0.0, class_weight=classes).fit(X, THREE, rows)
        assert np.array_equal(flat(model), flat(wanted)) and model.loss_ == wanted.loss_


def test_a_penalty_that_small_weights_make_huge_is_named():
    weights = np.full(150, 1e-300)
    with pytest.raises(ValueError, match="non-finite parameter weights.* The penalty alpha=0.0001"):
        classifier().fit(X, THREE, weights)
    with pytest.raises(ValueError, match="need to be preprocessed.$"):
        regressor(solver="sgd", learning_rate_init=1e100).fit(X, LINE, weights * 1e300)


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
