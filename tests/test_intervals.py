"""Calibrated intervals: they cover what they promise, take the score that their rank says, and are
lost and kept with the weights that they were learned of."""

import math
import pickle

import numpy as np
import pytest

import cnn_core
from cnn_core import MLP, Ensemble, GaussianNLL, MLPRegressor, Pinball, TabularMLP

SEVEN = Pinball((0.025, 0.05, 0.1, 0.5, 0.9, 0.95, 0.975))
LOSSES = ["mse", "gaussian_nll", "pinball", SEVEN]
LEVELS = (0.8, 0.9, 0.95)


def drawn(seed, rows):
    """Rows whose noise grows with their first feature."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 1, (rows, 3))
    noise = (0.1 + 2 * X[:, 0]) * rng.standard_normal(rows)
    return X, 50 + 10 * (np.sin(3 * X[:, 0]) + X[:, 1] + noise)


X, Y = drawn(1000, 300)
CAL_X, CAL_Y = drawn(1001, 99)
PAIR = np.column_stack((Y, -100 * Y * X[:, 2]))
CAL_PAIR = np.column_stack((CAL_Y, -100 * CAL_Y * CAL_X[:, 2]))


def fitted(loss="mse", y=Y, make=MLP, **options):
    given = {"epochs": 8, "random_state": 0, "n_threads": 1, "dtype": "float64"} | options
    return make(16, loss=loss, **given).fit(X, y)


@pytest.fixture(scope="module", params=LOSSES, ids=str)
def model(request):
    return fitted(request.param)


def inside(interval, y):
    return (interval[..., 0] <= y) & (y <= interval[..., 1])


def by_hand(score, level, n):
    """The smallest score that at least a share of level (n + 1) are at most."""
    return np.sort(score)[next(k for k in range(n) if round((k + 1) - level * (n + 1), 9) >= 0)]


def from_quantiles(known, y, new, level):
    """Conformalized quantile regression, equations 6 to 8, of bands that do not vanish."""
    score = by_hand(np.maximum(known[:, 0] - y, y - known[:, 1]), level, len(y))
    return new + np.array([-score, score])


def test_coverage_over_draws_is_within_the_bounds_of_chance(model):
    n, rows, draws = 99, 200, 40
    share = np.zeros((draws, len(LEVELS)))
    for seed in range(draws):
        model.calibrate(*drawn(2 * seed, n))
        new, y = drawn(2 * seed + 1, rows)
        share[seed] = [inside(model.predict_interval(new, at), y).mean() for at in LEVELS]
    # What a calibration covers is distributed as Beta(k, n + 1 - k), k of n + 1 the level.
    level = np.array(LEVELS)
    variance = level * (1 - level) * (1 / (n + 2) + (n + 1) / (n + 2) / rows)
    assert (np.abs(share.mean(axis=0) - level) < 3.5 * np.sqrt(variance / draws)).all()


def test_intervals_of_distributions_are_wider_where_y_spreads_farther():
    little, much = np.full((1, 3), 0.1), np.full((1, 3), 0.9)
    for loss in LOSSES[1:]:
        one = fitted(loss, epochs=80, learning_rate=0.01).calibrate(CAL_X, CAL_Y)
        narrow, wide = (np.diff(one.predict_interval(x))[0, 0] for x in (little, much))
        assert 2 * narrow < wide
    one = fitted().calibrate(CAL_X, CAL_Y)
    widths = np.diff(one.predict_interval(X))
    np.testing.assert_allclose(widths, widths[0, 0])


@pytest.mark.parametrize(
    "n, level, k",
    [(9, 0.9, 9), (19, 0.95, 19), (19, 0.55, 11), (99, 0.07, 7), (99, 0.28, 28), (24, 0.8, 20),
     (50, 0.9, 46), (3, 0.01, 1)],
)  # fmt: skip
def test_the_score_is_the_one_that_the_rank_says(n, level, k):
    one = fitted().calibrate(CAL_X[:n], CAL_Y[:n])
    score = np.sort(np.abs(CAL_Y[:n] - one.predict(CAL_X[:n])))[k - 1]
    assert score == by_hand(np.abs(CAL_Y[:n] - one.predict(CAL_X[:n])), level, n)
    a = one.predict(X)
    # Ends are rounded outwards.
    wanted = np.column_stack((a - score, a + score))
    np.testing.assert_allclose(one.predict_interval(X, level), wanted, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("loss", LOSSES[:3])
def test_rows_of_the_calibration_are_inside_as_often_as_promised_where_y_has_few_values(loss):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        group = rng.integers(0, 2, 300)
        X, y = group[:, None] * 1.0, rng.poisson(2 + 3 * group) * 0.1
        one = MLP(2, loss=loss, epochs=3, random_state=seed).fit(X[:100], y[:100])
        one.calibrate(X[100:], y[100:])
        for level in (0.5, 0.8, 0.9, 0.95):
            low, high = one.predict_interval(X[100:], level).T
            inside = int(((low <= y[100:]) & (y[100:] <= high)).sum())
            assert inside >= math.ceil(round(201 * level, 9)), (seed, level)


def test_quantiles_may_be_rounded():
    one = MLP(2, loss=Pinball(np.linspace(0.05, 0.95, 19)), epochs=1).fit(CAL_X, CAL_Y)
    found = one.predict_quantiles(CAL_X, [1 - 0.9, np.float32(0.1)])
    assert (found[:, 0] == found[:, 1]).all()
    with pytest.raises(ValueError, match="q has 0.12, and the model has the quantiles 0.05, 0.1, "):
        one.predict_quantiles(CAL_X, 0.12)


def test_quantiles_are_not_kept_in_the_range_of_training():
    far = np.array([[50.0, 50.0, 50.0], [-50.0, 50.0, 50.0]])
    kept, free = (
        MLP(4, loss="pinball", clip_outputs=clips, epochs=20, random_state=0).fit(CAL_X, CAL_Y)
        for clips in (True, False)
    )
    assert (kept.predict_quantiles(far) == free.predict_quantiles(far)).all()
    assert (kept.predict(far) != free.predict(far)).any()


def test_normalised_residuals_and_conformalized_quantiles_follow_their_equations():
    one = fitted("gaussian_nll").calibrate(CAL_X, CAL_Y)
    sd, a = one.predict_std(X), one.predict(X)
    score = by_hand(np.abs(CAL_Y - one.predict(CAL_X)) / one.predict_std(CAL_X), 0.9, 99)
    wanted = np.column_stack((a - sd * score, a + sd * score))
    np.testing.assert_allclose(one.predict_interval(X, 0.9), wanted, rtol=1e-13)

    one, last = fitted(SEVEN).calibrate(CAL_X, CAL_Y), None
    known, new = one.predict_quantiles(CAL_X), one.predict_quantiles(X)
    # Up to 85 % between the quantiles of 80 %, up to 92.5 % of 90 %, beyond of 95 %; intervals of
    # lower levels are held.
    for level, pair in ((0.8, 2), (0.85, 2), (0.9, 1), (0.925, 1), (0.95, 0)):
        wanted = from_quantiles(known[:, [pair, 6 - pair]], CAL_Y, new[:, [pair, 6 - pair]], level)
        if last is not None:
            wanted = np.column_stack(
                (np.minimum(wanted[:, 0], last[:, 0]), np.maximum(wanted[:, 1], last[:, 1]))
            )
        last = wanted
        if level not in (0.85, 0.925):  # which belong to the next pair already
            np.testing.assert_allclose(one.predict_interval(X, level), wanted, rtol=1e-13)


@pytest.mark.parametrize("make", [MLP, lambda *a, **k: MLP(*a, **k, scale_inputs="standard")])
def test_rows_that_were_fitted_are_known_again_and_no_others(make):
    one = fitted(make=make)
    for model in (one, Ensemble([one]), pickle.loads(pickle.dumps(one))):
        for rows in (slice(None), slice(0, 150)):
            with pytest.warns(
                UserWarning, match="rows that the model was fitted to, .* narrow; give"
            ):
                model.calibrate(X[rows], Y[rows])
        model.calibrate(CAL_X, CAL_Y)
        model.calibrate(X, Y + 1e-3)  # of the same x, but other rows
    few = np.repeat(X[:40], 5, axis=0), np.repeat(Y[:40], 5)
    MLP(2, epochs=1).fit(*few).calibrate(*few)  # rows that come several times tell nothing


@pytest.mark.parametrize("make", [MLP, TabularMLP])
def test_rows_that_chose_the_epoch_are_known_again(make):
    options = {"early_stopping": True} if make is MLP else {"members": 2}
    kept = {"epochs": 3, **options} if make is MLP else options
    one = make(random_state=0, **kept).fit(X, Y, validation_data=(CAL_X[:50], CAL_Y[:50]))
    with pytest.warns(UserWarning, match="by which the epoch was chosen, .* it alone$"):
        one.calibrate(CAL_X[:50], CAL_Y[:50])
    one.calibrate(CAL_X[50:], CAL_Y[50:])
    if make is MLP:
        plain = MLP(epochs=3).fit(X, Y, validation_data=(CAL_X[:50], CAL_Y[:50]))
        plain.calibrate(CAL_X[:50], CAL_Y[:50])
    else:
        one.fit(X, Y)
        with pytest.warns(UserWarning, match="by which the epoch was chosen"):
            one.calibrate(X[one.validation_rows_], Y[one.validation_rows_])


@pytest.mark.parametrize("n, level, least", [(8, 0.9, 9), (18, 0.95, 19), (98, 0.99, 99)])
def test_too_few_rows_for_a_level_say_how_many_it_needs(n, level, least):
    one = fitted().calibrate(CAL_X[:n], CAL_Y[:n])
    with pytest.raises(ValueError, match=f"needs at least {least} rows .* was given {n};"):
        one.predict_interval(X, level)
    best = math.floor(1000 * n / (n + 1)) / 1000
    with pytest.raises(ValueError, match=f"a level of at most {best}$"):
        one.predict_interval(X, level)
    assert one.predict_interval(X, best).shape == (300, 2)


def test_a_higher_level_holds_the_interval_of_a_lower_one(model):
    model.calibrate(CAL_X, CAL_Y)
    levels = (0.1, 0.3, 0.5, 0.7, 0.8, 0.82, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.95, 0.97, 0.99)
    before = model.predict_interval(X, levels[0])
    assert (before[:, 0] <= before[:, 1]).all()
    for level in levels[1:]:
        now = model.predict_interval(X, level)
        assert (now[:, 0] <= before[:, 0]).all() and (before[:, 1] <= now[:, 1]).all(), level
        before = now


@pytest.mark.parametrize("loss", ["pinball", SEVEN, Pinball((0.5, 0.501, 0.502, 0.9))], ids=str)
def test_quantiles_never_cross(loss, dtype):
    rng = np.random.default_rng(3)
    largest = 30 if dtype == "float32" else 300
    rows = rng.standard_normal((100_000, 3)) * 10.0 ** rng.uniform(-5, largest, (100_000, 1))
    one = fitted(loss, epochs=2, dtype=dtype)
    middle = one.loss.quantiles.index(0.5) if isinstance(one.loss, Pinball) else 1
    for weights in (one.parameters_, 50 * rng.standard_normal(one.parameters_.shape)):
        one.parameters_ = weights
        q = one.predict_quantiles(rows)
        assert np.isfinite(q).all() and (np.diff(q, axis=1) >= 0).all()
        assert one.predict(rows).tobytes() == q[:, middle].astype(dtype).tobytes()


def test_predict_quantiles_gives_those_that_are_asked_for():
    one = fitted(SEVEN)
    q = one.predict_quantiles(X)
    assert q.shape == (300, 7) and (one.predict_quantiles(X, 0.9) == q[:, [4]]).all()
    assert (one.predict_quantiles(X, [0.95, 0.05]) == q[:, [5, 1]]).all()
    with pytest.raises(ValueError, match=r"q has 0\.3, and the model has the quantiles 0\.025, "):
        one.predict_quantiles(X, 0.3)

    one = fitted("gaussian_nll")
    q, mean, sd = one.predict_quantiles(X, (0.05, 0.5, 0.95)), one.predict(X), one.predict_std(X)
    z = 1.6448536269514722
    wanted = np.column_stack((mean - z * sd, mean, mean + z * sd))
    np.testing.assert_allclose(q, wanted, rtol=1e-11)
    raw = one.predict_interval(X, 0.9, calibrated=False)
    np.testing.assert_allclose(raw, q[:, [0, 2]], rtol=1e-11)
    with pytest.raises(ValueError, match="q must say which quantiles"):
        one.predict_quantiles(X)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_all_is_in_the_units_of_y(loss):
    one, large = (fitted(loss, times * Y).calibrate(CAL_X, times * CAL_Y) for times in (1, 1024))
    told = [lambda model: model.predict_interval(X)]
    if loss == "gaussian_nll":
        told.append(lambda model: model.predict_std(X))
        told.append(lambda model: model.predict_quantiles(X, (0.1, 0.5)))
    elif loss != "mse":
        told.append(lambda model: model.predict_quantiles(X))
    for tell in told:
        np.testing.assert_allclose(tell(large), 1024 * tell(one), rtol=1e-12)


def test_what_a_model_cannot_say_is_refused():
    one, quantiles = fitted(), fitted("pinball")
    refused = [
        (lambda: one.predict_interval(X), "needs a calibrated model"),
        (lambda: quantiles.predict_interval(X), "needs a calibrated model"),
        (lambda: one.predict_interval(X, calibrated=False), "knows no interval by itself"),
        (lambda: quantiles.predict_interval(X, 0.8, calibrated=False), "an interval of 80 % lies"),
        (lambda: one.predict_std(X), "predict_std needs .*'gaussian_nll', and .*'mse'"),
        (lambda: quantiles.predict_std(X), "predict_std needs .*'gaussian_nll', and .*'pinball'"),
        (lambda: one.predict_quantiles(X), "predict_quantiles needs a model with the loss"),
    ]
    labels = MLP(4, epochs=1, random_state=0).fit(X, np.where(X[:, 0] > 0.5, "a", "b"))
    refused.append((lambda: labels.calibrate(X, Y), "calibrate is for regression"))
    for name in ("predict_interval", "predict_std", "predict_quantiles"):
        method = getattr(labels, name)
        refused.append((lambda call=method: call(X), f"{name} is for regression"))
    known = fitted("pinball").calibrate(CAL_X, CAL_Y)
    for level in (0, 1, -0.5, 90, math.nan):
        refused.append((lambda at=level: known.predict_interval(X, at), "level must be"))
    for call, message in refused:
        with pytest.raises(ValueError, match=message):
            call()
    raw = quantiles.predict_interval(X, 0.9, calibrated=False)
    assert (raw == quantiles.predict_quantiles(X, (0.05, 0.95))).all()
    with pytest.raises(cnn_core.NotFittedError):
        MLP().calibrate(X, Y)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_rows_with_no_numbers_are_refused_and_the_calibration_stays(model, bad):
    before = model.calibrate(CAL_X, CAL_Y).predict_interval(X)
    for where in ("X", "y"):
        rows, y = CAL_X.copy(), CAL_Y.copy()
        (rows if where == "X" else y).flat[7] = bad
        with pytest.raises(ValueError, match=f"{where}.*{'nan' if bad != bad else 'inf'}"):
            model.calibrate(rows, y)
    for rows, y in ((CAL_X[:, :2], CAL_Y), (CAL_X, CAL_Y[:-1]), (CAL_X[:0], CAL_Y[:0])):
        with pytest.raises(ValueError):
            model.calibrate(rows, y)
    assert model.predict_interval(X).tobytes() == before.tobytes()


@pytest.mark.parametrize("loss", LOSSES[:3])
def test_each_of_several_targets_has_intervals_of_its_own(loss):
    one = fitted(loss, PAIR).calibrate(CAL_X, CAL_PAIR)
    found = one.predict_interval(X, 0.9)
    assert found.shape == (300, 2, 2)
    for t in range(2):
        if loss == "mse":
            score = by_hand(np.abs(CAL_PAIR - one.predict(CAL_X))[:, t], 0.9, 99)
            a = one.predict(X)[:, t]
            wanted = np.column_stack((a - score, a + score))
        elif loss == "gaussian_nll":
            outside = np.abs(CAL_PAIR - one.predict(CAL_X)) / one.predict_std(CAL_X)
            reach = by_hand(outside[:, t], 0.9, 99) * one.predict_std(X)[:, t]
            a = one.predict(X)[:, t]
            wanted = np.column_stack((a - reach, a + reach))
        else:
            q, new = (one.predict_quantiles(rows, (0.05, 0.95))[:, t] for rows in (CAL_X, X))
            wanted = from_quantiles(q, CAL_PAIR[:, t], new, 0.9)
        largest = np.abs(wanted).max()
        np.testing.assert_allclose(found[:, t], wanted, rtol=1e-13, atol=1e-13 * largest)
    one = fitted(loss, PAIR[:, :1]).calibrate(CAL_X, CAL_PAIR[:, :1])
    assert one.predict_interval(X).shape == (300, 1, 2)


def test_a_calibration_is_lost_with_the_weights_that_it_was_learned_of(model):
    def set_to(name):
        return lambda: setattr(model, name, getattr(model, name))

    changes = [set_to("parameters_"), set_to("weights_"), set_to("biases_")]
    for change in (*changes, lambda: model.partial_fit(X, Y), lambda: model.fit(X, Y)):
        model.calibrate(CAL_X, CAL_Y).predict_interval(X)
        change()
        with pytest.raises(ValueError, match="needs a calibrated model"):
            model.predict_interval(X)
    model.calibrate(CAL_X, CAL_Y)
    before = model.predict(X)
    with pytest.raises(ValueError):
        model.parameters_ = model.parameters_[1:]
    assert model.predict_interval(X).shape == (300, 2)
    assert model.predict(X).tobytes() == before.tobytes()


def estimators():
    yield from (fitted(loss, dtype="float32") for loss in LOSSES)
    yield fitted(make=MLPRegressor)
    yield fitted("gaussian_nll", PAIR, make=MLPRegressor)
    for loss in ("mse", "gaussian_nll", SEVEN):
        yield Ensemble([fitted(loss, random_state=k, epochs=2) for k in range(3)])
    yield TabularMLP("regression", members=2, random_state=0, n_threads=1).fit(X[:60], Y[:60])


def test_files_and_pickles_keep_a_calibration_to_the_bit(tmp_path):
    for one in estimators():
        one.calibrate(CAL_X, CAL_Y if one.predict(X).ndim == 1 else CAL_PAIR)
        one.save(tmp_path / "model.safetensors")
        read = cnn_core.load(tmp_path / "model.safetensors")
        for other in (read, pickle.loads(pickle.dumps(one))):
            assert type(other) is type(one)
            for level in LEVELS:
                wanted = one.predict_interval(X, level)
                assert other.predict_interval(X, level).tobytes() == wanted.tobytes()
            other.save(tmp_path / "again.safetensors")
            first, again = (tmp_path / f"{name}.safetensors" for name in ("model", "again"))
            assert first.read_bytes() == again.read_bytes()


def test_a_single_row_and_a_table_have_the_intervals_of_a_matrix(model):
    model.calibrate(CAL_X, CAL_Y)
    found = model.predict_interval(X, 0.95)
    for r in (0, 7):
        assert model.predict_interval(X[r : r + 1], 0.95).tobytes() == found[r].tobytes()

    def table(rows):
        named = {name: rows[:, j].tolist() for j, name in enumerate("abc")}
        return named | {"town": [f"town {k % 3}" for k in range(len(rows))]}

    one = MLP(8, loss=model.loss, columns="auto", epochs=3, random_state=0, n_threads=1)
    one.fit(table(X) | {"y": Y.tolist()}, "y")
    one.calibrate(table(CAL_X) | {"y": CAL_Y.tolist()}, "y")
    found = one.predict_interval(table(X))
    assert found.shape == (300, 2) and (found[:, 0] < found[:, 1]).all()
    one.calibrate(table(CAL_X), CAL_Y)
    assert one.predict_interval(table(X)).tobytes() == found.tobytes()


def test_the_variance_of_a_mixture_is_that_of_the_law_of_total_variance():
    models = [fitted(GaussianNLL(0.5), y, random_state=k) for k, y in enumerate((PAIR, PAIR + 9))]
    mixture = Ensemble(models)
    means = np.array([one.predict(X) for one in models])
    variances = np.array([one.predict_std(X) for one in models]) ** 2
    total = variances.mean(axis=0) + means.var(axis=0)
    np.testing.assert_allclose(mixture.predict_std(X), np.sqrt(total), rtol=1e-13)
    np.testing.assert_allclose(mixture.predict(X), means.mean(axis=0), rtol=1e-13)
    alone = Ensemble(models[:1])
    assert alone.predict_std(X).tobytes() == models[0].predict_std(X).tobytes()
    several = [fitted(SEVEN, random_state=k) for k in range(3)]
    wanted = np.mean([one.predict_quantiles(X) for one in several], axis=0)
    np.testing.assert_allclose(Ensemble(several).predict_quantiles(X), wanted, rtol=1e-13)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_intervals_are_the_same_bits_on_every_path(loss, vector_isa, dtype, on_generic):
    one = fitted(loss, dtype=dtype, epochs=2)

    def bits(threads):
        one.n_threads = threads
        return one.calibrate(CAL_X, CAL_Y).predict_interval(X).tobytes()

    assert bits(1) == bits(2) == on_generic(bits, 1)


def test_a_calibration_with_y_beyond_float32_says_nothing():
    one = fitted(dtype="float32", scale_targets="standard")
    found = one.calibrate(CAL_X, np.full(len(CAL_X), 1e308)).predict_interval(X)
    assert (found[:, 1] > 9e307).all()


@pytest.mark.parametrize("ask", [
    lambda one: one.predict_interval(X, 90), lambda one: one.predict_quantiles(X, 90),
    lambda one: one.set_params(validation_fraction=90, early_stopping=True).fit(X, Y),
])  # fmt: skip
def test_percent_are_told_to_be_shares(ask):
    with pytest.raises(ValueError, match="; 90 % is 0.9$"):
        ask(fitted("gaussian_nll").calibrate(CAL_X, CAL_Y))
