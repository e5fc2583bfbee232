"""Streams that change: columns that begin to move, targets that outgrow their scaling."""

import pickle
import warnings

import numpy as np
import pytest
from cnn_core.data.auto_scaling import FEWEST_ROWS as ENOUGH
from cnn_core.data.scaling import learn_scaling

from cnn_core import MLP, load

RNG = np.random.default_rng(0)
N = RNG.normal(size=(600, 4))
LINE = N[:, 0]


def streamed(model, X, y, step=1, passes=1, act="error"):
    with warnings.catch_warnings():
        if act:
            warnings.simplefilter(act)
        for first in [*range(0, len(X), step)] * passes:
            part = slice(first, first + step)
            model.partial_fit(X[part], y[part])
    return model


# Inputs


@pytest.mark.slow
@pytest.mark.parametrize(
    "step, rest, middle", [(1, 10, 0), (1, 40, 5000), (2, 40, 0), (5, 10, 5000)]
)
def test_a_stream_that_starts_at_rest_is_scaled_once_it_moves(step, rest, middle):
    X = middle + 1000 * N
    X[:rest] = X[0]
    model = streamed(MLP(16, random_state=0, learning_rate=0.01), X, LINE, step, passes=1 + step)
    assert (model.input_factor_ * X.std(axis=0) < 3).all()
    assert (model.input_factor_ * X.std(axis=0) > 0.3).all()
    assert model.score(X, LINE) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["auto", "standard", "minmax", "robust_asinh"])
def test_one_column_at_rest_learns_from_ten_rows_since_it_moves(kind):
    X = 1000 * N
    X[:50, 2] = 700
    model = streamed(MLP(4, scale_inputs=kind, random_state=0), X[:50], LINE)
    assert model.input_factor_[2] == 1 and model.input_shift_[2] == 700
    others = np.delete(model.input_factor_, 2)
    streamed(model, X[50 : 50 + ENOUGH - 1], LINE[50:])
    assert model._fitted.scaling.constant.tolist() == [False, False, True, False]
    copies = [model, pickle.loads(pickle.dumps(model))]
    for one in copies:
        streamed(one, X[50 + ENOUGH - 1 :], LINE[50 + ENOUGH - 1 :])
        moving = np.append(700, X[50 : 50 + ENOUGH, 2])[:, None]
        wanted = learn_scaling(one._fitted.scaling.kind, moving)
        assert one.input_factor_[2] == pytest.approx(wanted.factor[0], rel=1e-12)
        assert np.array_equal(np.delete(one.input_factor_, 2), others)
        assert one._fitted.scaling.kept is None and not one._fitted.scaling.constant.any()
    assert np.array_equal(copies[0].parameters_, copies[1].parameters_)


def test_a_first_change_that_is_small_does_not_set_the_scale():
    X = 1000 * N
    X[:20, 1] = 700.0
    X[20, 1] = 700.0 + 1e-9
    model = streamed(MLP(4, scale_inputs="standard", random_state=0), X, LINE)
    assert 0.3 < model.input_factor_[1] * 1000 < 3


def test_a_rare_category_stays_as_it_is():
    X = N.copy()
    X[:, 3] = np.arange(600) % 50 == 30
    model = streamed(MLP(4, random_state=0), X, LINE)
    scaling = model._fitted.scaling
    assert not scaling.constant.any() and not scaling.scales


def test_a_file_keeps_the_rows_of_columns_that_begin_to_move(tmp_path):
    X, y = 1000 * N, 300 + 5000 * LINE
    X[:15, 1], y[:20] = 700, 300 + LINE[:20]
    model = streamed(MLP(4, random_state=0), X[:21], y)
    assert len(model._fitted.scaling.kept) > 1 and len(model._fitted.target_scaling.recent) == 1
    model.save(tmp_path / "model", optimizer=True)
    loaded = load(tmp_path / "model")
    for one in (model, loaded):
        with pytest.warns(UserWarning, match="more than 10 sizes"):
            streamed(one, X[21:40], y[21:40], act=None)
    assert np.array_equal(model.parameters_, loaded.parameters_)
    assert np.array_equal(model.target_factor_, loaded.target_factor_)


# Targets


def outgrowing(middle=300.0, size=5000.0, after=100):
    y = middle + LINE
    y[after:] = middle + size * LINE[after:]
    return y


@pytest.mark.slow
@pytest.mark.parametrize("step, middle, backend", [
    (1, 300.0, "native"), (3, 300.0, "native"), (20, 0.0, "native"), (20, 300.0, "native"),
    pytest.param(20, 300.0, "python", marks=pytest.mark.slow),
])  # fmt: skip
def test_targets_that_outgrow_their_scaling_are_learned(step, middle, backend):
    y = outgrowing(middle)
    model = MLP(16, random_state=0, learning_rate=0.01, backend=backend)
    with pytest.warns(UserWarning, match="more than 10 sizes") as caught:
        streamed(model, N, y, step, 2 if step < 20 else 25, act=None)
    assert sum("10 sizes" in str(one.message) for one in caught) == 1
    assert model.score(N[100:], y[100:]) > 0.9
    assert 1000 < model.target_factor_[0] < 20000


@pytest.mark.parametrize("dtype, close", [("float32", 1e-4), ("float64", 1e-12)])
@pytest.mark.parametrize("hidden", [(), 8])
def test_a_new_scaling_does_not_change_the_function(dtype, close, hidden):
    from cnn_core.training.rescaled import rescaled

    y = np.column_stack((300 + LINE, LINE, 7 * LINE))
    model = MLP(hidden, dtype=dtype, epochs=3, random_state=0).fit(N, y)
    targets = model._fitted.target_scaling
    other = targets._replace(
        factor=targets.factor * [1e4, 1, 0.3], shift=targets.shift + np.array([50, 0, -2])
    )
    before = model.predict(N)
    model._publish(rescaled(model._fitted, other))
    assert np.array_equal(model.target_factor_, other.factor)
    assert np.abs(model.predict(N) - before).max() < close * 300


@pytest.mark.slow
def test_only_the_output_that_has_outgrown_its_scaling_gets_another():
    y = np.column_stack((outgrowing(), 40 + LINE))
    model = MLP(16, random_state=0, learning_rate=0.01)
    factor = streamed(model, N[:20], y, 20).target_factor_
    with pytest.warns(UserWarning, match="column 0 of y"):
        streamed(model, N, y, 20, 20, act=None)
    assert model.target_factor_[0] > 1000 * factor[0] and model.target_factor_[1] == factor[1]
    assert model.score(N[100:], y[100:]) > 0.9


@pytest.mark.parametrize("options", [
    {"scale_targets": None}, {"bias": False}, {"loss": "poisson"}, {"output": "softplus"},
], ids=str)  # fmt: skip
def test_targets_that_nothing_scales_stay_as_they_are(options):
    y = np.abs(outgrowing())
    model = MLP(4, random_state=0, **options)
    targets = streamed(model, N[:200], y, 20, act="ignore")._fitted.target_scaling
    assert targets is None or not targets.scales


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 20])
def test_outliers_do_not_move_the_scaling(step):
    y = 300 + LINE
    y[50::20] = 1e6
    # A row in 20 lies elsewhere.
    model = streamed(MLP(4, random_state=0, loss="huber"), N, y, step, act="ignore")
    assert model.target_factor_[0] < 3


def test_rows_without_weight_do_not_move_the_scaling():
    y = outgrowing()
    weights = (np.arange(600) < 100) * 1.0
    weights[100::20] = 1
    model = MLP(4, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(0, 600, 20):
            model.partial_fit(N[i : i + 20], y[i : i + 20], sample_weight=weights[i : i + 20])
            if i < 260:
                assert model.target_factor_[0] < 3


def test_a_fit_with_warm_start_keeps_its_scaling():
    model = MLP(4, epochs=2, random_state=0, warm_start=True).fit(N, 300 + LINE)
    with pytest.warns(UserWarning, match="lies elsewhere"):
        model.fit(N, 300 + 5000 * LINE)
    assert model.target_factor_[0] < 3


# The first rows


POISSON = RNG.poisson(3, 100).astype(float)


def test_while_the_first_rows_are_collected_nothing_is_warned_of():
    X = N[:100] * 1000 + 5000
    model = streamed(MLP(8, loss="poisson", random_state=0), X, POISSON)
    whole = MLP(8, loss="poisson", random_state=0).partial_fit(X[:10], POISSON[:10])
    for i in range(10, 100):
        whole.partial_fit(X[i : i + 1], POISSON[i : i + 1])
    assert np.array_equal(model.parameters_, whole.parameters_)


def test_first_rows_that_diverge_are_kept():
    X = N[:20] * 1000 + 5000
    X[0] = 0.001
    model = streamed(MLP(8, loss="poisson", random_state=0), X[:9], POISSON)
    assert len(model._fitted.first_rows.X) == 9


def test_evaluate_says_what_the_tenth_row_brings():
    X = N * 1000 + 5000
    model = streamed(MLP(8, random_state=0), X[:9], LINE)
    assert "9 rows: once there are 10" in model.evaluate(X, LINE)["diagnosis"]
    streamed(model, X[9:10], LINE[9:])
    assert "once there are 10" not in model.evaluate(X, LINE)["diagnosis"]


def test_numbers_that_are_close_together_are_not_warned_of_before_they_are_scaled():
    X = 1e9 + np.arange(40.0).reshape(10, 4)
    model = streamed(MLP(8, random_state=0), X, LINE, step=5)
    assert model._fitted.scaling is not None


# Targets that move


def moving(kind, sizes=10):
    """Targets that move by so many sizes, and where they have come to."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4))
    y, t = np.sin(X[:, 0]) + X[:, 1] / 2, np.arange(3000)
    share = {
        "rest": 0 * t,
        "step": 1.0 * (t >= 1000),
        "line": np.clip((t - 500) / 1000, 0, 1),
        "back": 1.0 * ((t >= 800) & (t < 1600)),
    }[kind]
    return X, y + sizes * y.std() * share, y + sizes * y.std() * share[-1]


@pytest.mark.parametrize("step", [10, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["step", "line", "back"])
def test_a_stream_whose_targets_move_learns_as_well_as_one_at_rest(kind, step):
    scores = {}
    for which in ("rest", kind):
        X, y, end = moving(which)
        model = streamed(MLP(32, random_state=0), X, y, step, act="ignore")
        scores[which] = model.score(X, end)
    assert scores["rest"] > 0.75 and scores[kind] > scores["rest"] - 0.15, scores


def test_targets_that_move_by_less_than_ten_sizes_are_no_reason_to_warn():
    X, y, end = moving("step", 6)
    model = streamed(MLP(32, random_state=0), X, y, 10)
    assert model.score(X, end) > 0.75 and len(model.history_["loss"]) == 300
    assert model._fitted.state["steps"] == 300  # the optimizer goes on


@pytest.mark.slow
def test_a_stream_at_rest_is_not_tracked():
    X, y, _ = moving("rest")
    model = streamed(MLP(8, random_state=0), X, y, 5)
    assert model._fitted.target_scaling.tracked is None


@pytest.mark.slow
def test_a_stream_that_has_moved_goes_on_alike_from_a_file(tmp_path):
    X, y, _ = moving("line")
    model = streamed(MLP(8, random_state=0), X[:1200], y, 10, act="ignore")
    assert model._fitted.target_scaling.tracked is not None
    model.save(tmp_path / "model", optimizer=True)
    copies = [model, load(tmp_path / "model"), pickle.loads(pickle.dumps(model))]
    for one in copies:
        streamed(one, X[1200:1600], y[1200:1600], 1, act="ignore")
        assert np.array_equal(one.parameters_, copies[0].parameters_)
        assert np.array_equal(one.target_shift_, copies[0].target_shift_)
