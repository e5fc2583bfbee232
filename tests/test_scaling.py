"""scale_inputs: learned from the training rows, part of the model, applied by every method."""

import pickle

import numpy as np
import pytest
from cnn_core._linalg import column_sums
from cnn_core.data.prepare import Preparation, prepare
from cnn_core.data.scaling import learn_scaling
from cnn_core.parameters import draw_seed
from cnn_core.task_of_y import infer_task
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from cnn_core import MLP

RNG = np.random.default_rng(1)
X = RNG.normal(size=(120, 4)) * [1, 1e3, 1e-3, 5] + [0, 1e4, -7, 3]
Y = (X[:, 1] > 1e4).astype(int)
SCALERS = {"minmax": MinMaxScaler, "standard": StandardScaler, "robust": RobustScaler}


@pytest.mark.parametrize("kind", SCALERS)
def test_scaling_is_that_of_scikit_learn(kind):
    scaled = learn_scaling(kind, X).apply(X, "float64")
    np.testing.assert_allclose(scaled, SCALERS[kind]().fit_transform(X), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", SCALERS)
def test_a_model_scales_what_it_is_given(kind):
    model = MLP(8, epochs=5, random_state=0, scale_inputs=kind, dtype="float64").fit(X, Y)
    scaled = (X - model.input_shift_) * model.input_factor_
    plain = MLP(8, epochs=5, random_state=0, dtype="float64", scale_inputs=None).fit(scaled, Y)
    assert np.array_equal(model.parameters_, plain.parameters_)
    assert np.array_equal(model.predict_proba(X), plain.predict_proba(scaled))
    assert model.score(X, Y) == plain.score(scaled, Y)
    assert model.trace(X, Y).loss == plain.trace(scaled, Y).loss
    assert model.evaluate(X, Y)["loss"] == plain.evaluate(scaled, Y)["loss"]
    assert np.array_equal(model.loss_and_gradient(X, Y)[1], plain.loss_and_gradient(scaled, Y)[1])
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_scaling_comes_before_rounding_to_float32():
    # Seconds since 1970 differ in digits that float32 does not have.
    t = 1.7e9 + np.arange(200.0)[:, None]
    y = (np.arange(200) % 200 > 99).astype(int)
    assert (
        MLP(8, scale_inputs="minmax", epochs=60, learning_rate=0.05, random_state=0)
        .fit(t, y)
        .score(t, y)
        > 0.97
    )


def test_float32_rows_scale_as_their_float64_copies():
    single = X.astype("float32")
    a, b = (
        MLP(8, epochs=3, random_state=0, scale_inputs="standard").fit(rows, Y)
        for rows in (single, single.astype(float))
    )
    assert np.array_equal(a.input_shift_, b.input_shift_) and np.array_equal(
        a.parameters_, b.parameters_
    )


def test_rows_set_apart_do_not_teach_the_scaling():
    task = infer_task(Y, "auto", "auto", "auto", 0.0)
    how = Preparation("float32", "minmax", validation_fraction=0.3)
    data = prepare(X, Y, task, how, lambda: draw_seed(0))
    train, apart = data.train.X.array, data.validation.X.array
    np.testing.assert_allclose(
        [train.min(axis=0), train.max(axis=0)], [[0] * 4, [1] * 4], atol=1e-6
    )
    back = apart / data.scaling.factor + data.scaling.shift
    assert {tuple(row) for row in np.round(back, 2)} <= {tuple(row) for row in np.round(X, 2)}
    assert apart.min() < 0 or apart.max() > 1


def test_a_model_is_scaled_as_the_rows_that_it_trains_on():
    options = dict(epochs=1, random_state=0, scale_inputs="minmax")
    model = MLP(8, early_stopping=True, validation_fraction=0.3, **options).fit(X, Y)
    everything = MLP(8, **options).fit(X, Y)
    assert (model.input_factor_ >= everything.input_factor_).all()
    assert (model.input_factor_ > everything.input_factor_).any()


def test_validation_data_is_scaled_too():
    model = MLP(8, epochs=3, random_state=0, scale_inputs="standard").fit(
        X, Y, validation_data=(X, Y)
    )
    assert model.history_["val_loss"][-1] == pytest.approx(model.evaluate(X, Y)["loss"], rel=1e-12)


def test_a_column_that_does_not_vary_is_only_shifted():
    constant = np.column_stack((X, np.full(len(X), 3.0)))
    for kind in SCALERS:
        assert not learn_scaling(kind, constant).apply(constant, "float64")[:, 4].any()


def test_a_column_too_wide_for_float64_is_a_clear_error():
    wide = X.copy()
    wide[:2, 2] = 1.5e308, -1.5e308
    with pytest.raises(ValueError, match="scale_inputs='minmax'.*column 2 of X spans more"):
        MLP(4, scale_inputs="minmax", dtype="float64").fit(wide, Y)


def test_column_sums_go_row_after_row(dtype):
    rows = X.astype(dtype)
    expected = np.zeros(4)
    for row in rows:
        expected += (row.astype(float) - 1) ** 2
    assert np.array_equal(column_sums(rows, np.ones(4), 2), expected)


def test_bad_choices_are_clear_errors():
    with pytest.raises(ValueError, match="unknown scale_inputs 'min'; did you mean 'minmax'"):
        MLP(scale_inputs="min")
    with pytest.raises(AttributeError, match="reads the inputs as they are"):
        MLP(4, epochs=1, scale_inputs=None).fit(X, Y).input_shift_
    with pytest.raises(ValueError, match="X has inf at row 3, column 1"):
        bad = X.copy()
        bad[3, 1] = np.inf
        MLP(4, scale_inputs="standard").fit(bad, Y)


@pytest.mark.parametrize("number", [0.1, 0.3, 1 / 3, 123.456, 1e-5])
def test_a_constant_column_is_not_stretched_by_rounding(number):
    for rows in (7, 1000, 4321):
        constant = np.column_stack((np.arange(rows * 1.0), np.full(rows, number)))
        for kind in SCALERS:
            assert learn_scaling(kind, constant).factor[1] == 1


def test_what_scaling_takes_out_of_range_is_a_clear_error():
    model = MLP(4, epochs=1, scale_inputs="standard").fit(X * 1e-3, Y)
    with pytest.raises(
        ValueError,
        match="X has 1e.38 at row 1, column 0, which the scaling of the inputs takes beyond "
        "the range of float32",
    ):
        far = X.copy()
        far[1, 0] = 1e38
        model.predict(far)
