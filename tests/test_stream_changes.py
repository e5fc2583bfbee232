"""Streams whose first rows tell little of what comes, or that change on their way."""

import pickle
import warnings

import numpy as np
import pytest

from cnn_core import MLP, MLPClassifier, MLPRegressor, load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3000, 4))
S = X[:, 0] + X[:, 1] * X[:, 2]
TWO = (S > 0).astype(int)


def streamed(model, X, y, step=10, **options):
    """The model, and what was said with the row at which it was."""
    said = []
    for first in range(0, len(X), step):
        part = slice(first, first + step)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.partial_fit(X[part], y[part], **options)
        said += [(first, str(one.message)) for one in caught]
    return said


def regressor(**options):
    return MLPRegressor(16, random_state=0, learning_rate=0.01, **options)


def sensors(rows, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(rows, 3)) * [1, 10, 300] + [20, 50, 101300]
    return A, A[:, 0] + A[:, 1] / 10 + (A[:, 2] - 101300) / 300


# Another level


@pytest.mark.slow
@pytest.mark.parametrize("step", [40, 100, 300, 3000, -300])
def test_another_level_of_y_is_followed_at_once(step):
    rng = np.random.default_rng(1)
    A = rng.normal(size=(3100, 3))
    y = A @ [1.0, 2.0, 3.0] + step * (np.arange(3100) >= 1500)
    model = regressor()
    said = streamed(model, A[:1510], y)
    assert model.score(A[1600:], y[1600:]) > 0.9
    assert len(said) == 1 and "more than 10 sizes" in said[0][1]
    assert said[0][1] in model._fitted.seen.changed
    assert not streamed(model, A[1510:3000], y[1510:])
    assert model.score(A[1600:], y[1600:]) > 0.98


@pytest.mark.slow
@pytest.mark.parametrize("begins, step", [(1500, 1), (1505, 1), (1505, 10)])
def test_another_level_is_followed_however_calls_divide_the_rows(begins, step):
    rng = np.random.default_rng(1)
    A = rng.normal(size=(3000, 3))
    y = A @ [1.0, 2.0, 3.0] + 370 * (np.arange(3000) >= begins)
    model = regressor()
    said = streamed(model, A[:1650], y, step)
    assert model.score(A[1700:], y[1700:]) > 0.9
    assert len(said) == 1 and "more than 10 sizes" in said[0][1]


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 10, 50])
@pytest.mark.parametrize("columns", [1, 3])
def test_inputs_that_move_with_y_are_followed_with_it(columns, step):
    rng = np.random.default_rng(1)
    A = rng.normal(size=(3000, 3))
    A[1500:, :columns] += 100
    y = A @ [1.0, 2.0, 3.0]
    model = regressor()
    said = streamed(model, A[:1600], y, step)
    assert model.score(A[1600:], y[1600:]) > 0.9
    assert len(said) == 1 and "more than 10 sizes" in said[0][1]


def test_a_column_that_was_constant_for_long_is_scaled_by_the_rows_in_which_it_varies():
    A = np.vstack((X, X))
    A[:5000, 3], A[5000:, 3] = 7, 7 + 100 * A[5000:, 3]
    y = np.append(S, S)
    model = regressor()
    assert not streamed(model, A, y, 50)
    assert 30 < 1 / model.input_factor_[3] < 300
    assert model.score(A[5000:], y[5000:]) > 0.9


@pytest.mark.slow
def test_a_target_that_was_constant_is_scaled_by_the_rows_in_which_it_varies():
    y = 700 + 50 * S
    y[:300] = 700
    for step in (1, 10, 100):
        model = regressor()
        assert not streamed(model, X, y, step)
        assert 20 < model.target_factor_[0] < 150 and model.score(X[300:], y[300:]) > 0.8


def test_levels_that_come_back_are_learned_together():
    rng = np.random.default_rng(1)
    A = np.column_stack((rng.normal(size=(4000, 2)), np.arange(4000) // 200 % 2))
    y = A @ [1.0, 2.0, 300.0]
    model = regressor()
    said = streamed(model, A, y)
    assert sum("10 sizes" in words for _, words in said) <= 3
    assert model.score(A, y) > 0.99


# Slow signals

T = np.arange(5000)
SLOW = np.column_stack((np.sin(T / 300), np.cos(T / 300)))
Y = 20 + 8 * np.sin(T / 300 + 1) + 0.1 * RNG.normal(size=5000)


@pytest.mark.parametrize("step", [10, pytest.param(1, marks=pytest.mark.slow), 64])
def test_a_slow_signal_is_learned_from_neighbouring_rows(step):
    model = MLPRegressor(32, learning_rate=0.01, random_state=0)
    errors, said = [], []
    for first in range(0, len(SLOW) - step, step):
        said += streamed(model, SLOW[first : first + step], Y[first : first + step], step)
        after = slice(first + step, first + 2 * step)
        errors.append(np.abs(model.predict(SLOW[after]) - Y[after]).mean())
    assert np.mean(errors[len(errors) // 10 :]) < 0.6
    assert len(said) == 1 and "too alike" in said[0][1]
    assert model.target_factor_[0] > 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["auto", "standard", "robust", "robust_clip", "minmax"])
def test_a_size_only_grows(kind):
    model = regressor(scale_inputs=kind)
    sizes = []
    for first in range(0, 2000, 20):
        streamed(model, SLOW[first : first + 20], Y[first : first + 20], 20)
        sizes.append([*1 / model.input_factor_, *model.target_factor_])
    assert (np.diff(sizes, axis=0) >= 0).all() and (np.ptp(SLOW[:2000], axis=0) < 9).all()
    assert model.score(SLOW[:2000], Y[:2000]) > 0.8


def test_a_stream_of_typical_rows_keeps_its_scaling_and_is_told_nothing():
    model = regressor()
    A, y = sensors(4000)
    assert not streamed(model, A[:100], y, 100)
    before = model.input_factor_, model.target_factor_
    assert not streamed(model, A[100:], y[100:])
    assert np.array_equal(before[0], model.input_factor_)
    assert np.array_equal(before[1], model.target_factor_)


def test_a_classifier_of_a_slow_signal_follows_too():
    classes = (SLOW[:, 0] * SLOW[:, 1] > 0).astype(int)
    model = MLPClassifier(16, random_state=0, learning_rate=0.01)
    streamed(model, SLOW[:2500], classes, classes=[0, 1])
    assert (1 / model.input_factor_ > 0.2).all()
    assert model.score(SLOW[2300:2500], classes[2300:2500]) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("move", [pickle.dumps, "save"])
def test_copies_follow_alike(move, tmp_path):
    model = regressor()
    streamed(model, SLOW[:150], Y)
    if move == "save":
        model.save(tmp_path / "model", optimizer=True)
        other = load(tmp_path / "model")
    else:
        other = pickle.loads(move(model))
    for one in (model, other):
        streamed(one, SLOW[150:1500], Y[150:])
    assert np.array_equal(model.parameters_, other.parameters_)
    assert np.array_equal(model.input_factor_, other.input_factor_)


# Other units


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 10, 50])
@pytest.mark.parametrize("column, change, words", [
    (2, lambda x: x * 0.01, "column 2 of X"), (0, lambda x: 1.8 * x + 32, "column 0 of X"),
    (1, lambda x: x * 0 + x[0], "as if stuck"), (1, lambda x: x * 100, "column 1 of X"),
    (0, lambda x: x + 273.15, "column 0 of X"),
])  # fmt: skip
def test_other_units_of_one_sensor_are_told_within_two_hundred_rows(step, column, change, words):
    A, y = sensors(1500)
    model = regressor()
    assert not streamed(model, A[:1000], y, step)
    A[1000:, column] = change(A[1000:, column])
    said = streamed(model, A[1000:], y[1000:], step)
    assert said and said[0][0] <= 200 and words in said[0][1], said
    assert "take the same units" in said[0][1] and len(said) <= 2


@pytest.mark.parametrize("named", [False, True])
def test_a_thousandth_of_y_is_told(named):
    A, y = sensors(1500)
    if named:
        pandas = pytest.importorskip("pandas")
        A = pandas.DataFrame(A, columns=["heat", "damp", "pressure"])
    model = regressor()
    y -= y.mean()
    streamed(model, A[:1000], y)
    said = streamed(model, A[1000:], y[1000:] / 1000)
    assert len(said) == 1 and said[0][1].startswith("y lies elsewhere")


def test_a_switch_that_rests_is_no_stuck_sensor():
    A, y = sensors(2000)
    A[:, 1] = np.arange(2000) % 7 < 3
    A[1000:, 1] = 0
    assert not streamed(regressor(), A, y)


# The order of classes


@pytest.mark.parametrize("step", [37, 50, 500])
def test_rows_sorted_by_class_are_told_however_calls_divide_them(step):
    order = np.argsort(TWO, kind="stable")
    model = MLPClassifier(8, random_state=0)
    said = streamed(model, X[order], TWO[order], step, classes=[0, 1])
    assert len(said) == 1 and "one after the other" in said[0][1]
    assert "one after the other" in model.evaluate(X, TWO)["diagnosis"]


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 2, 3, 7, 33, 3000])
def test_mixed_calls_and_whole_sorted_tables_are_not(step):
    order = np.argsort(TWO, kind="stable") if step == 3000 else np.arange(600)
    model = MLPClassifier(8, random_state=0)
    for _ in range(3):
        assert not streamed(model, X[order], TWO[order], step, classes=[0, 1])


def test_rows_that_begin_at_rest_are_not_blamed_later(capsys):
    rows, y = X.copy(), S.copy()
    rows[:20], y[:20] = 0, 0
    model = regressor()
    streamed(model, rows, y)
    assert "constant" not in str(model.summary())


def test_the_range_of_y_and_the_steps_of_a_stream_are_not_forgotten():
    order = np.argsort(S)
    model = regressor()
    streamed(model, X[order], 100 * S[order], 50)
    assert np.allclose(model._fitted.seen.y[:, 0], [100 * S.min(), 100 * S.max()], rtol=1e-4)
    assert "steps were taken" not in str(model.summary())


# Divergence, tasks, files


@pytest.mark.parametrize("rate", [50.0, 5.0])
def test_a_stream_that_diverges_names_the_rate_first_and_once(rate):
    model = MLPRegressor(16, optimizer="sgd", learning_rate=rate, random_state=0)
    said = streamed(model, X, S, 50)
    assert len(said) == 1 and "): the learning rate is " in said[0][1]
    text = model.evaluate(X, S)["diagnosis"]
    assert text.startswith("Training diverged") and "more epochs" not in text
    assert "whose last call diverged" in str(model.summary())


@pytest.mark.parametrize("first, then", [
    (np.tile([0.0, 1.0], 5), S[:10]), (np.arange(10) % 3, np.arange(10)),
])  # fmt: skip
def test_numbers_after_classes_are_told_that_the_first_call_decided(first, then):
    model = MLP(8).partial_fit(X[:10], first)
    with pytest.raises(ValueError, match="first y of the stream was taken for classes") as error:
        model.partial_fit(X[10:20], then)
    assert str(error.value).count("task='regression'") == 1


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [False, True])
def test_a_file_of_a_stream_that_has_just_begun_goes_on_alike(optimizer, tmp_path):
    rows, y = 1000 * X + 5000, 100 * S + 3000
    model = regressor()
    streamed(model, rows[:6], y, 6)
    model.save(tmp_path / "model", optimizer=optimizer)
    loaded = load(tmp_path / "model")
    for one in (model, loaded):
        streamed(one, rows[6:600], y[6:], 6)
    assert np.array_equal(model.parameters_, loaded.parameters_)
