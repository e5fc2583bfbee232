"""scale_targets and clip_outputs: targets of any size and place, predictions in the units of y."""

import logging
import pickle
import warnings

import numpy as np
import pytest

from cnn_core import LBFGS, MLP, Huber, MLPRegressor

RNG = np.random.default_rng(3)
x = RNG.uniform(-1, 1, (200, 1))
SIN = np.sin(3 * x[:, 0])
FEW = {"epochs": 5, "random_state": 0}


@pytest.fixture(scope="module")
def score_of_sin():
    return MLP(epochs=200, random_state=0).fit(x, SIN).score(x, SIN)


@pytest.mark.slow
@pytest.mark.parametrize("offset", [0, 1, -30, 1e3, 1e6])
@pytest.mark.parametrize("size", [1e-6, 1e-3, 0.1, 0.5, 1, 7, 1e4, 1e8])
def test_r2_does_not_depend_on_size_and_place_of_y(size, offset, score_of_sin):
    y = size * (SIN + offset)
    model = MLP(epochs=200, random_state=0).fit(x, y)
    assert model.score(x, y) == pytest.approx(score_of_sin, abs=0.002)
    assert model.evaluate(x, y)["r2"] == pytest.approx(score_of_sin, abs=0.002)
    assert model.history_["metric"][-1] == pytest.approx(score_of_sin, abs=0.002)


@pytest.mark.parametrize("options", [
    {}, {"loss": "mae"}, {"loss": "huber"}, {"optimizer": "lbfgs"}, {"optimizer": "sgd"},
    {"dtype": "float64"}, {"early_stopping": True}, {"backend": "python"}, {"hidden": ()},
], ids=str)  # fmt: skip
def test_prices_are_learned_as_their_standardised_selves(options):
    y = 250_000 + 40_000 * SIN
    options = {"hidden": 16, "epochs": 20, "random_state": 0} | options
    model = MLP(**options).fit(x, y)
    mean, deviation = model.target_shift_[0], model.target_factor_[0]
    plain = MLP(**options, scale_targets=None).fit(x, (y - mean) / deviation)
    robust = options.get("loss") in ("mae", "huber")
    if robust:
        low, high = np.quantile(y, [0.25, 0.75])
        assert (mean, deviation) == pytest.approx((np.median(y), (high - low) / 1.349), rel=0.03)
    elif "early_stopping" not in options:
        assert (mean, deviation) == pytest.approx((y.mean(), y.std()))
    assert np.array_equal(model.parameters_, plain.parameters_)
    assert model.history_["loss"] == plain.history_["loss"]
    np.testing.assert_allclose(model.predict(x), mean + deviation * plain.predict(x), rtol=3e-7)
    assert model.score(x, y) == pytest.approx(plain.score(x, (y - mean) / deviation), abs=1e-6)


@pytest.mark.parametrize("y", [
    RNG.normal(size=200), (SIN - SIN.mean()) / SIN.std(), RNG.normal(size=(200, 2)),
    RNG.normal(0.1, 0.9, 200).astype("float32"), np.zeros(200), np.full(200, 0.1),
], ids=["normal", "standardised", "two", "float32", "zeros", "constant"])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore:y is the same in every row")
def test_targets_that_are_standardised_are_left_alone_to_the_bit(y, dtype):
    auto, none = (
        MLP(8, task="regression", scale_targets=kind, dtype=dtype, **FEW).fit(x, y)
        for kind in ("auto", None)
    )
    assert auto._fitted.target_scaling is None
    assert np.array_equal(auto.parameters_, none.parameters_)
    assert np.array_equal(auto.predict(x), none.predict(x))


@pytest.mark.parametrize("options, y", [
    ({"task": "classification"}, (SIN > 0).astype(int)),
    ({"loss": "poisson"}, np.arange(200.0) + 0.5),
    ({"output": "sigmoid"}, SIN / 2 + 0.5),
    ({"output": "exp"}, np.exp(9 + SIN)),
    ({"loss": "binary_crossentropy", "task": "regression"}, SIN / 2 + 0.5),
    ({"output": "tanh"}, SIN / 9),
], ids=str)  # fmt: skip
def test_only_targets_of_an_output_of_any_size_are_scaled(options, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLP(4, **options, **FEW).fit(x, y)
    assert model._fitted.target_scaling is None
    with pytest.raises(
        ValueError, match="scale_targets='standard' is for a regression with output"
    ):
        MLP(4, scale_targets="standard", **options, **FEW).fit(x, y)


def test_outputs_of_different_sizes_are_all_learned():
    Y = np.column_stack((SIN * 1e6, SIN**2 + 500, np.exp(x[:, 0]) * 1e-4))
    model = MLP(epochs=300, random_state=0).fit(x, Y)
    for column in range(3):
        residual = ((model.predict(x)[:, column] - Y[:, column]) ** 2).mean()
        assert residual < 0.1 * Y[:, column].var()


def test_what_scales_targets_goes_everywhere_with_the_model():
    y = 300 + 5 * SIN
    model = MLP(16, epochs=90, random_state=0).fit(x, y, validation_data=(x, y))
    assert model.history_["val_metric"][-1] == pytest.approx(model.score(x, y), abs=1e-5)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(x), model.predict(x))
    row = x[0].astype("float32")
    for one in (model, again):
        assert one.predict_one(row)[0] == model.predict(x[:1].astype("float32"))[0]
    more = model.set_params(warm_start=True, epochs=20).fit(x, y + 1)
    assert np.array_equal(more.target_shift_, again.target_shift_)
    assert more.score(x, y + 1) > 0.9


def test_the_open_box_speaks_in_the_units_that_the_network_learns():
    y = 300 + 5 * SIN
    model = MLP(6, dtype="float64", **FEW).fit(x, y)
    scaled = (y - model.target_shift_) / model.target_factor_
    costs = (model.trace(x, y)["output"].a[:, 0] - scaled) ** 2 / 2
    assert model.trace(x, y).loss == pytest.approx(costs.mean(), rel=1e-12)
    assert model.loss_and_gradient(x, y)[0] == pytest.approx(costs.mean(), rel=1e-12)
    assert model.evaluate(x, y)["loss"] == pytest.approx(costs.mean(), rel=1e-12)
    assert model.check_gradient(x, y).error < 1e-6
    assert "(y - 30" in repr(model.trace(x, y))
    below = MLP(6, **FEW).fit(x, y - 600)
    assert "(y + " in repr(below.trace(x, y - 600))


def test_what_is_done_is_said_once(caplog, capsys):
    with caplog.at_level(logging.INFO, "cnn_core"):
        model = MLP(4, **FEW).fit(x, 300 + 5 * SIN)
    print(model.summary())
    assert len(caplog.records) == 1 and "learns (y - 300" in caplog.text
    assert sum("learns (y - 300" in line for line in capsys.readouterr().out.split("\n")) == 1


def test_y_beyond_float32_and_close_together_is_learned():
    for y in (1e8 + 2e2 * SIN, 1e38 * SIN, 1e-38 * (2 + SIN)):
        assert MLP(32, epochs=100, random_state=0).fit(x, y).score(x, y) > 0.9
    for y in (1e14 + 2 * SIN, 1e150 * (1 + SIN), 1e-150 * SIN):
        model = MLP(32, epochs=100, random_state=0, dtype="float64").fit(x, y)
        assert model.score(x / 2, y) < 0.9 < model.score(x, y)


@pytest.mark.parametrize("y", [1e8 + 2 * SIN, 1e-300 * SIN, 1e-38 + 1e-45 * SIN])
def test_what_predictions_of_float32_cannot_show_is_said(y):
    with pytest.warns(UserWarning, match="which predictions in float32 cannot show: say dtype"):
        MLP(4, **FEW).fit(x, y)


def test_targets_beyond_the_dtype_are_refused():
    with pytest.raises(ValueError, match="y has .*e.300 .*within the range of float32"):
        MLP(4, **FEW).fit(x, 1e300 * (2 + SIN))


def test_weights_teach_the_scaling():
    times = np.arange(200) % 3
    y = 300 + 5 * SIN
    options = {"batch_size": "full", "dtype": "float64", **FEW}
    weighted = MLP(4, **options).fit(x, y, sample_weight=times)
    repeated = MLP(4, **options).fit(np.repeat(x, times, axis=0), np.repeat(y, times))
    np.testing.assert_allclose(weighted.parameters_, repeated.parameters_, rtol=1e-9)
    np.testing.assert_allclose(weighted.predict(x), repeated.predict(x), rtol=1e-12)


# Streams


def test_a_stream_keeps_the_scaling_of_its_first_rows():
    y = 300 + 5 * SIN
    model = MLP(16, random_state=0, learning_rate=0.01)
    for first in range(0, 200, 20):
        model.partial_fit(x[first : first + 20], y[first : first + 20])
    assert model.target_shift_ == pytest.approx([y[:20].mean()])
    for _ in range(200):
        model.partial_fit(x, y)
    assert model.score(x, y) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("scale_targets", ["auto", "standard"])
@pytest.mark.parametrize("constant", [0.0, 0.1, 2e4])
def test_targets_that_were_constant_go_on_learning(scale_targets, constant):
    y = 2e4 + 1e3 * SIN
    model = MLP(16, random_state=0, learning_rate=0.01, scale_targets=scale_targets)
    for _ in range(5):
        model.partial_fit(x[:50], np.full(50, constant))
    for _ in range(150):
        model.partial_fit(x, y)
    assert model.target_factor_ == pytest.approx([y.std()], rel=0.05)
    assert model.score(x, y) > 0.95


# Outliers


@pytest.mark.parametrize("loss", ["mae", "huber"])
@pytest.mark.parametrize("size", [1e3, 1e6])
def test_an_outlier_of_y_spoils_neither_mae_nor_huber(loss, size):
    y = 300 + 5 * SIN
    y[0] = size * 300
    model = MLP(32, loss=loss, epochs=150, learning_rate=0.005, random_state=0).fit(x, y)
    assert model.target_shift_[0] == pytest.approx(np.median(y), abs=0.2)
    assert model.score(x[1:], y[1:]) > 0.95


def test_most_targets_may_be_one_number():
    y = np.where(np.arange(200) % 5 == 0, 400 + 50 * SIN, 0.0)
    model = MLP(8, loss="mae", **FEW).fit(x, y)
    assert model.target_factor_ == pytest.approx([y.std()])


@pytest.mark.parametrize("size", [1e160, 1e300])
@pytest.mark.parametrize("weights", [None, np.arange(200) % 3])
def test_the_score_of_targets_whose_squares_overflow_is_that_of_small_ones(size, weights):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small, large = (
            MLPRegressor(4, dtype="float64", scale_targets="standard", **FEW).fit(x, k * SIN)
            for k in (1, size)
        )
        wanted = small.score(x, SIN, sample_weight=weights)
        assert large.score(x, size * SIN, sample_weight=weights) == pytest.approx(wanted, rel=1e-6)


def test_a_scaling_that_nobody_typed_is_named_as_the_default():
    y = np.where(SIN > 0, 1.7e308, -1.7e308)
    said = r"scaling of the targets \(scale_targets='auto', the default\) fails, as y spans more"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=said):
            MLPRegressor(4, dtype="float64").fit(x, y)
        with pytest.raises(ValueError, match="scale_inputs='auto', the default.*column 0 of X"):
            MLP(4, dtype="float64").fit(y[:, None], SIN)


# What was not asked of the data


def test_a_network_made_from_sizes_learns_its_scaling_from_the_first_rows():
    X, y = x * [1, 1e4] + [0, 1e5], 300 + 5 * SIN
    for train in ("fit", "partial_fit"):
        model = MLP(16, warm_start=True, **FEW).initialize(n_features=2, n_outputs=1)
        getattr(model, train)(X, y)
        assert model.input_factor_.shape == (2,) and model.target_shift_ == pytest.approx(
            [y.mean()]
        )


def test_given_weights_are_those_of_the_function():
    model = MLP((), init=[([[2.0]], [1.0])], **FEW).initialize(x * 50, 100 * x[:, 0] + 1)
    assert model.predict([[0.0], [1.0], [50.0]]).tolist() == [1, 3, 101]


def test_a_constant_target_is_learned_with_a_word_on_that_alone():
    for y in (np.full(200, 5e6), np.column_stack((SIN, np.full(200, 5e6)))):
        with pytest.warns(UserWarning, match="in every row") as said:
            MLP(4, task="regression", **FEW).fit(x, y)
        assert len(said) == 1


# clip_outputs


@pytest.mark.parametrize("scale_targets", ["auto", None])
@pytest.mark.parametrize("backend", ["native", "python"])
def test_clipped_predictions_stay_in_the_range_of_the_training_targets(scale_targets, backend):
    y = 300 + 5 * x[:, 0]
    options = {"scale_targets": scale_targets, "backend": backend, **FEW}
    free, kept = (MLP(8, clip_outputs=clip, **options).fit(x, y) for clip in (False, True))
    far = np.linspace(-900, 900, 50)[:, None]
    low, high = np.float32(y.min()), np.float32(y.max())
    assert np.array_equal(free.parameters_, kept.parameters_)
    assert np.array_equal(kept.predict(far), np.clip(free.predict(far), low, high))
    assert kept.predict(far).max() == high or kept.predict(far).min() == low
    assert kept.predict_one(far[0].astype("float32"))[0] == kept.predict(far)[0]


def test_the_range_grows_with_a_stream():
    model = MLP(4, clip_outputs=True, random_state=0)
    for top in (1.0, 5.0):
        y = np.linspace(-top, top, 40)
        model.partial_fit(np.linspace(-top, top, 40)[:, None], y)
        predicted = model.predict(1e6 * np.array([[-1.0], [1.0]]))
        assert np.abs(predicted).max() <= top
    assert np.abs(predicted).max() > 1


def test_clipping_is_for_a_regression():
    with pytest.raises(ValueError, match="clip_outputs=True is for a regression"):
        MLP(4, clip_outputs=True).fit(x, SIN > 0)
    assert MLPRegressor(4, clip_outputs=True, **FEW).fit(x, SIN).predict(x).max() <= SIN.max()


@pytest.mark.parametrize("value", ["auto ", "minmax", True, 1.0])
def test_unknown_choices_are_refused(value):
    with pytest.raises((TypeError, ValueError), match="scale_targets"):
        MLP(scale_targets=value)
    with pytest.raises(TypeError, match="clip_outputs must be True or False"):
        MLP(clip_outputs="yes")


def test_huber_counts_in_standard_deviations_where_targets_are_scaled():
    y = 300 + 5 * SIN
    model = MLP(4, loss=Huber(0.5), optimizer=LBFGS(), dtype="float64", **FEW).fit(x, y)
    error = np.abs(model.predict(x) - y) / model.target_factor_
    costs = np.where(error <= 0.5, error**2 / 2, 0.5 * (error - 0.25))
    assert model.evaluate(x, y)["loss"] == pytest.approx(costs.mean(), rel=1e-9)
