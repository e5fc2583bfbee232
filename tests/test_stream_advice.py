"""What a stream is told of its targets and inputs, however few rows its calls have."""

import pickle
import re
import warnings

import numpy as np
import pytest

from cnn_core import MLP, DivergenceWarning, Huber, load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 4))
LINE = X[:, 0]
SPOILT = LINE.copy()
SPOILT[400] = 1e6
NOTHING = {"scale_inputs": None, "scale_targets": None}
STEPS = [1, 3, 8, 20, 50]


def told(rows, y, step, model=None, move=lambda model: model, **options):
    model = MLP(8, random_state=0, **options) if model is None else model
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for i in range(0, len(rows), step):
            model.partial_fit(rows[i : i + step], y[i : i + step])
            model = move(model)
    return [str(one.message) for one in caught], model


# Outliers


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("options", [{}, NOTHING, {"scale_targets": "standard"}], ids=str)
def test_an_outlier_in_a_later_call_is_told_once(step, options):
    y = SPOILT.copy()
    y[500] = -3e6
    messages, model = told(X, y, step, **options)
    assert len(messages) == 1 and "y " in messages[0] and " 1e+06 in 1 row, far from" in messages[0]
    assert "check it, or take loss='mae' or Huber()." in messages[0]
    assert model._fitted.seen.y[1, 0] < 3
    assert "In training y was 1e+06 in 1 row" in model.evaluate(X[:300], LINE[:300])["diagnosis"]


@pytest.mark.slow
def test_an_outlier_that_waits_for_the_next_call_is_kept_by_pickles_and_files(tmp_path):
    def saved(model):
        model.save(tmp_path / "model", optimizer=True)
        return load(tmp_path / "model")

    for move in (lambda model: pickle.loads(pickle.dumps(model)), saved):
        before, model = told(X[:401], SPOILT, 1)
        after, _ = told(X[401:410], LINE[401:], 1, move(model))
        assert not before and len(after) == 1 and "In training y was 1e+06 in 1 row" in after[0]


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("options", [{}, NOTHING, {"loss": Huber(1.0)}], ids=str)
def test_targets_that_move_are_no_outliers(step, options):
    y = np.where(np.arange(600) < 300, LINE, 500 + 40 * LINE)
    messages, _ = told(X, y, step, **options)
    assert not [one for one in messages if "check it" in one]


@pytest.mark.parametrize("step", [1, 20])
def test_a_loss_that_outliers_do_not_rule_is_not_warned_of(step):
    messages, model = told(X, SPOILT, step, loss="mae")
    assert not messages and "1e+06" in model._fitted.seen.outlier


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_long_tails_are_no_outliers_in_a_stream(step):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        for y in (
            np.exp(2.5 * rng.normal(size=600)),
            rng.exponential(size=600),
            rng.poisson(3, 600),
        ):
            messages, _ = told(X, y * 1.0, step, task="regression")
            assert not [one for one in messages if "check it" in one], (seed, messages)


# The first rows of a stream that nothing scales


@pytest.mark.parametrize("step", [1, 4, 10, 30])
@pytest.mark.parametrize("rows, y, words", [
    (1e9 + np.arange(2400.0).reshape(600, 4), LINE, "column 0 of X has numbers that float32"),
    (X, 1e9 + np.arange(600.0), "y has numbers that float32 cannot tell apart"),
    (X, np.where(np.arange(600) == 5, 1e6, LINE), "y is 1e+06 in 1 row, far from the others"),
    (X, np.where(np.arange(600) % 4 == 1, -999, LINE), "y is -999 in "),
], ids=["X merges", "y merges", "an outlier", "a code"])  # fmt: skip
def test_a_stream_that_nothing_scales_is_told_what_a_fit_is(step, rows, y, words):
    with pytest.warns(UserWarning, match=re.escape(words)):
        MLP(8, epochs=1, **NOTHING).fit(rows, y)
    messages, model = told(rows[:60], y, step, **NOTHING)
    assert len([one for one in messages if one.startswith(words)]) == 1, messages
    assert model._fitted.first_rows is None and model._fitted.scaling is None


@pytest.mark.parametrize("step", [1, 4])
def test_rows_that_are_kept_for_advice_change_nothing(step):
    model = MLP(8, random_state=0, **NOTHING)
    for i in range(0, 60, step):
        model.partial_fit(X[i : i + step], LINE[i : i + step])
        assert model.n_epochs_ == i // step + 1
    once = MLP(8, random_state=0, epochs=1, batch_size=step, shuffle=False, **NOTHING)
    once.fit(X[:60], LINE[:60])
    assert np.array_equal(model.parameters_, once.parameters_)
    few = MLP(8, random_state=0, **NOTHING).partial_fit(X[:5], LINE[:5])
    assert "once there are 10" not in few.evaluate(X, LINE)["diagnosis"]


def test_a_first_call_that_diverges_is_told_where_no_scaling_is_to_come():
    with pytest.warns(DivergenceWarning, match="scale_inputs='auto' is the cure"):
        MLP(8, optimizer="sgd", **NOTHING).partial_fit(1e30 * X[:5], LINE[:5])
    model = MLP(8, optimizer="sgd", **NOTHING).partial_fit(X[:2], LINE[:2])
    with pytest.warns(DivergenceWarning, match="in epoch 2"):
        model.partial_fit(1e30 * X[:5], LINE[:5])


@pytest.mark.parametrize("output", ["softplus", "exp"])
def test_what_a_fit_remembers_of_far_targets_a_stream_of_single_rows_does(output):
    _, model = told(X[:40], 5000 + LINE**2, 1, output=output)
    assert "y has mean 5001" in model._fitted.seen.begin[0]
