"""scale_inputs='auto' and 'robust_clip': what is scaled, what is left alone, what is said."""

import logging
import pickle
import re
import warnings

import numpy as np
import pytest
from cnn_core._dataset import RowSource
from cnn_core._linalg import scale_rows
from cnn_core.data.auto_scaling import why_scale
from cnn_core.data.scaling import SCALINGS, learn_scaling
from cnn_core.datasets import load_digits

from cnn_core import MLP, MLPClassifier, MLPRegressor

RNG = np.random.default_rng(7)
N = RNG.normal(size=(300, 4))
TWO = (N[:, 0] * N[:, 1] > 0).astype(int)
PIXELS = (RNG.random((300, 40)) > 0.6) * RNG.integers(0, 256, (300, 40))
ALIKE = {
    "normal": N,
    "normal of float32": N.astype("float32"),
    "three times as large": N * [1, 3, 1, 1],
    "between 0 and 1": RNG.random((300, 3)),
    "between -1 and 1": RNG.uniform(-1, 1, (300, 3)),
    "zeros and ones": (RNG.random((300, 3)) > 0.5) * 1,
    "rare ones": (RNG.random((300, 5)) < 0.01) * 1.0,
    "one-hot beside numbers": np.column_stack((N, np.eye(7)[RNG.integers(0, 7, 300)])),
    "pixels up to 1": PIXELS / 255,
    "pixels, one of them hardly lit": np.column_stack((PIXELS / 255, PIXELS[:, 0] / 255 * 0.01)),
    "a column of ones": np.column_stack((N, np.ones(300))),
    "exclusive or": np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]),
    "nothing varies": np.ones((5, 2)),
    "one row": np.array([[1e6, 3.0]]),
}
UNLIKE = {
    "sizes": (N * [1, 1e3, 1, 1], "features differ in size, from .* to 9.6e\\+02 .column 1"),
    "one small feature": (N * [1, 1, 1e-2, 1], "differ in size, from 0.0.* \\(column 2\\)"),
    "all large": (N * 40, "has the standard deviation 39"),
    "all small": (N * 0.01, "has the standard deviation 0.0099"),
    "far from 0": (N + np.array([0, 0, 0, 20]), "column 3 lies .* standard deviations from 0"),
    "years": (RNG.integers(1990, 2020, (300, 1)), "column 0"),
    "an outlier": (np.vstack((N, [[0, 30.0, 0, 0]])), "column 1 has numbers 1[0-9] standard"),
    "long tails": (RNG.lognormal(0, 2, (300, 4)), "column|features"),
    "pixels up to 255": (PIXELS, "features reach from 0 to 255"),
    "two numbers far from 0": (100 + (RNG.random((300, 2)) > 0.5), "features reach|column 0"),
    "a constant far from 0": (np.column_stack((N, np.full(300, 1e6))), "column 4 is 1e\\+06 in ev"),
    "dates as numbers": (20180130 + RNG.integers(0, 2, (300, 1)), "column 0"),
    "money and shares": (np.column_stack((N[:, 0] * 2e4 + 5e4, RNG.random(300))), "differ in size"),
}  # fmt: skip


def fitted(X, y=None, **options):
    options = {"epochs": 3, "random_state": 0} | options
    return MLP(8, **options).fit(X, np.arange(len(X)) % 2 if y is None else y)


@pytest.mark.filterwarnings("ignore:all features are constant")
@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_features_that_are_alike_are_left_alone_to_the_bit(name, dtype):
    X = ALIKE[name]
    y = None if len(X) > 1 else [1.0]
    auto, none = (fitted(X, y, dtype=dtype, scale_inputs=kind) for kind in ("auto", None))
    assert auto._fitted.scaling is None
    assert np.array_equal(auto.parameters_, none.parameters_)
    assert np.array_equal(auto.forward(X), none.forward(X))


@pytest.mark.parametrize("name", UNLIKE)
def test_features_that_are_not_alike_are_scaled_and_the_reason_is_said(name, caplog, capsys):
    X, reason = UNLIKE[name]
    with caplog.at_level(logging.INFO, "cnn_core"):
        auto = fitted(X)
    asked = fitted(X, scale_inputs="robust_asinh")
    assert np.array_equal(auto.parameters_, asked.parameters_)
    assert np.array_equal(auto.predict_proba(X), asked.predict_proba(X))
    print(auto.summary())
    said = [line for line in capsys.readouterr().out.split("\n") if "inputs are scaled" in line]
    assert len(said) == len(caplog.records) == 1 and said[0] in caplog.text
    assert re.match(f"inputs are scaled: robust_asinh, as .*({reason})", said[0]), said
    assert np.isfinite(auto.predict_proba(X)).all()


def test_without_hidden_layers_the_model_stays_linear_in_x():
    X = N * [1, 1e3, 1, 1] + 5
    model = MLP((), epochs=3, random_state=0).fit(X, X[:, 0])
    assert model._fitted.scaling.kind == "standard"
    a, b, c = model.forward(np.array([X[0], X[1], 2 * X[1] - X[0]]))
    np.testing.assert_allclose(c - b, b - a, rtol=1e-4)


def test_raw_pixels_and_sizes_of_any_kind_are_learned_as_well_as_scaled_ones():
    X, y = load_digits()
    scores = [
        MLP(32, epochs=30, random_state=0).fit(rows[:1000], y[:1000]).score(rows[1000:], y[1000:])
        for rows in (X / 16, X, X * 1e4, X * 1e-4 + 3, X - 1e6)
    ]
    assert min(scores) > scores[0] - 0.02


@pytest.mark.parametrize("kind", ["float64", "float32", "int"])
def test_clipped_outliers_do_not_move_predictions(kind):
    X = (1000 * N).astype(kind)
    model = fitted(X, TWO, epochs=20, scale_inputs="robust_clip")
    far = X.copy()
    far[0, 0] = 10**9
    assert model.predict_proba(far[:1])[0] == pytest.approx(
        model.predict_proba(np.minimum(far[:1], 300_000))[0], abs=0.01
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("power", [1, 0.5])
def test_a_feature_with_a_long_tail_is_learned_along_all_of_it(seed, power):
    rng = np.random.default_rng(seed)
    X = rng.lognormal(4, 1, (2000, 1))
    y = 3000 * X[:, 0] ** power * (1 + 0.05 * rng.normal(size=2000))
    model = MLP(epochs=60, random_state=0).fit(X[:1500], y[:1500])
    assert model.score(X[1500:], y[1500:]) > 0.95


# robust_clip and robust_asinh


def test_the_far_end_of_asinh_is_its_logarithm():
    t = np.array([0.0, -0.0, 1e-320, 3, -3, 1e8, -1e9, 1e154, 1.7e308, np.inf, np.nan])[:, None]
    out = np.empty_like(t)
    scale_rows(t, np.zeros(1), np.ones(1), out, "asinh")
    assert out[:3, 0].tolist() == [0, 0, 1e-320] and np.signbit(out[1, 0])
    np.testing.assert_allclose(out, np.arcsinh(t), rtol=1e-15)


@pytest.mark.parametrize("X", [N, N**3 * 100, UNLIKE["long tails"][0], PIXELS * 1.0])
def test_robust_asinh_is_the_formula(X):
    scaled = learn_scaling("robust_asinh", np.ascontiguousarray(X)).apply(X, "float64")
    np.testing.assert_allclose(scaled, np.arcsinh(unclipped(X)), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", SCALINGS)
def test_slope_is_the_derivative_by_x(kind):
    scaling = learn_scaling(kind, np.ascontiguousarray(N))
    h = 1e-5
    X = np.concatenate((N, 50 * N))
    above, below = (scaling.apply(X + step, "float64") for step in (h, -h))
    np.testing.assert_allclose(
        scaling.slope(scaling.apply(X, "float64")), (above - below) / (2 * h), rtol=1e-4, atol=1e-9
    )


def unclipped(X):
    low, middle, high = np.quantile(X, [0.25, 0.5, 0.75], axis=0, method="inverted_cdf")
    spread = np.where(high > low, high - low, np.ptp(X, axis=0) / 2)
    return (X - middle) / np.where(spread > 0, spread, 1)


def clipped(X):
    t = unclipped(X)
    return t / np.sqrt(1 + (t / 3) ** 2)


@pytest.mark.parametrize("X", [N, N**3 * 100, UNLIKE["long tails"][0], PIXELS * 1.0])
def test_robust_clip_is_the_formula(X):
    scaled = learn_scaling("robust_clip", np.ascontiguousarray(X)).apply(X, "float64")
    np.testing.assert_allclose(scaled, clipped(X), rtol=1e-12, atol=1e-14)
    assert np.abs(scaled).max() < 3


def test_the_clip_has_no_number_that_it_cannot_take():
    t = np.array([0.0, -0.0, 1e-320, 3, -3, 1e8, 1e9, 1e154, 1.7e308, -1.7e308, np.nan])[:, None]
    out = np.empty_like(t)
    scale_rows(t, np.zeros(1), np.ones(1), out, "smooth clip")
    assert out[:3, 0].tolist() == [0, 0, 1e-320] and np.signbit(out[1, 0])
    np.testing.assert_allclose(out[3:5, 0], [3 / np.sqrt(2), -3 / np.sqrt(2)], rtol=1e-15)
    np.testing.assert_allclose(out[5:10, 0], [3, 3, 3, 3, -3], rtol=1e-15)
    assert np.isnan(out[10, 0])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [(), 7, (40, 3)])
@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("kind", ["robust_clip", "robust_asinh"])
def test_one_row_and_many_have_the_same_bits(dtype, hidden, backend, kind):
    X = (N * [1, 1e3, 1e-3, 5]).astype(dtype)
    y = X[:, :2] * [1, 2.5] + [1e4, 3]
    model = MLP(
        hidden, epochs=1, random_state=0, dtype=dtype, clip_outputs=True, backend=backend,
        scale_inputs=kind,
    ).fit(X, y)  # fmt: skip
    rows = X[:20] * 3
    together = model.forward(rows)
    assert together.dtype == dtype
    for i, row in enumerate(rows):
        assert np.array_equal(model.predict_one(row), together[i])
        assert np.array_equal(model.forward(rows[i : i + 1])[0], together[i])
        assert np.array_equal(model.predict_one(row, np.empty(2, dtype)), together[i])
    for threads in (1, 2, 3):
        many = np.tile(rows, (700, 1))
        assert np.array_equal(
            model.set_params(n_threads=threads).forward(many), np.tile(together, (700, 1))
        )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["robust_clip", "robust_asinh"])
def test_what_is_not_finite_is_refused_where_clipping_would_hide_it(bad, kind):
    model = fitted(1000 * N, scale_inputs=kind)
    for rows in (1, 2):
        X = 1000 * N[:rows].astype("float32")
        X[0, 2] = bad
        for predict in (model.predict, model.forward, model.predict_proba):
            with pytest.raises(ValueError, match=f"X has {bad} at row 0, column 2"):
                predict(X)
    with pytest.raises(ValueError, match="at feature 2"):
        model.predict_one(X[0])


@pytest.mark.parametrize("kind", SCALINGS)
def test_a_weight_of_two_is_the_row_given_twice_for_every_scaling(kind):
    times = np.arange(300) % 4
    X = N * [1, 1e3, 1, 1] + [0, 0, 7, 0]
    repeated = np.repeat(X, times, axis=0)
    weighted = learn_scaling(kind, X, times[:, None])
    twice = learn_scaling(kind, repeated, np.ones((len(repeated), 1)))
    for one, other in zip(weighted[:2], twice[:2]):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("times", [np.ones(300, int), np.full(300, 3), np.arange(300) % 4])
def test_robust_counts_whole_weights_as_rows_to_the_bit(dtype, times):
    X = (N * [1, 1e3, 1e-4, 1] + [0, 0, 7, 0]).astype(dtype)
    weighted = learn_scaling("robust", X, times[:, None])
    plain = learn_scaling("robust", np.repeat(X, times, axis=0))
    assert np.array_equal(weighted.shift, plain.shift)
    assert np.array_equal(weighted.factor, plain.factor)


def test_weights_of_classes_count_as_rows_for_robust_too():
    times = np.where(TWO == 1, 3, 1)
    X, y = np.repeat(N, times, axis=0), np.repeat(TWO, times)
    plain = fitted(X, y, scale_inputs="robust")
    for model in (
        fitted(N, TWO, scale_inputs="robust", class_weight={1: 3}),
        MLP(8, epochs=3, random_state=0, scale_inputs="robust").fit(N, TWO, sample_weight=times),
    ):
        assert np.array_equal(model.input_shift_, plain.input_shift_)
        assert np.array_equal(model.input_factor_, plain.input_factor_)


def test_rows_without_weight_do_not_decide():
    X = np.vstack((N, [[1e9, 1e9, 1e9, 1e9]]))
    y = np.append(TWO, 0)
    weights = np.append(np.ones(300), 0)
    assert MLP(8, epochs=1).fit(X, y, sample_weight=weights)._fitted.scaling is None
    assert MLP(8, epochs=1).fit(X, y)._fitted.scaling.kind == "robust_asinh"


def test_rows_set_apart_do_not_decide():
    X = np.vstack((N, np.full((300, 4), 1e6)))
    model = MLP(8, epochs=1, random_state=0, early_stopping=True, validation_fraction=0.4)
    source = RowSource(X, np.arange(300))
    assert why_scale(source, None, None) == ""
    assert why_scale(RowSource(X), None, None)
    assert model.fit(X, np.arange(600) % 2)._fitted.scaling is not None


# Streams


@pytest.mark.slow
@pytest.mark.parametrize("kind", SCALINGS)
@pytest.mark.parametrize("rows", [1, 6])
@pytest.mark.parametrize("number", [0.1, 3.0, -1e6])
def test_a_column_that_was_constant_goes_on_learning(kind, rows, number):
    X = N * [1, 1e3, 1, 1]
    X[:18, 1] = number
    model = MLP(4, scale_inputs=kind, random_state=0)
    for first in range(0, 18, rows):
        part = slice(first, first + rows)
        model.partial_fit(X[part], TWO[part], classes=[0, 1])
    if rows > 1:
        assert model.input_factor_[1] == 1 and model.input_shift_[1] == number
    before = model.input_factor_
    model.partial_fit(X[18:], TWO[18:])
    shift, factor = model.input_shift_, model.input_factor_
    wanted = learn_scaling(kind, np.vstack(([number] * 4, X[18:])))
    assert factor[1] == pytest.approx(wanted.factor[1]) and shift[1] == pytest.approx(
        wanted.shift[1]
    )
    assert np.array_equal(np.delete(factor, 1), np.delete(before, 1)) or rows == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these rows lie elsewhere
        model.partial_fit(X[:20] * 7, TWO[:20])
    assert np.array_equal(model.input_factor_, factor)


def test_a_constant_column_that_another_constant_follows_is_learned():
    model = MLP(4, scale_inputs="minmax", random_state=0)
    for number in (5.0, 5.0, 9.0):
        model.partial_fit(
            np.column_stack((N[:10, 0], np.full(10, number))), TWO[:10], classes=[0, 1]
        )
    assert model.input_shift_[1] == 5 and model.input_factor_[1] == 0.25


def test_columns_that_were_constant_are_scaled_by_auto_once_they_vary_and_need_it():
    model = MLP(16, random_state=0, learning_rate=0.01)
    model.partial_fit(np.zeros((50, 3)), TWO[:50], classes=[0, 1])
    plain = MLP(16, random_state=0, learning_rate=0.01, scale_inputs=None)
    plain.partial_fit(np.zeros((50, 3)), TWO[:50], classes=[0, 1])
    assert np.array_equal(model.parameters_, plain.parameters_)
    X = np.column_stack((1000 + 50 * N[:, 0], N[:, 1], np.zeros(300)))
    for _ in range(60):
        model.partial_fit(X, N[:, 0] > 0)
    assert model.input_factor_ == pytest.approx([1 / X[:, 0].std(), 1, 1])
    assert model.score(X, N[:, 0] > 0) > 0.97


def test_a_memory_map_is_not_copied_unasked(tmp_path):
    np.save(tmp_path / "X.npy", 1e3 * N.astype("float32"))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    with pytest.warns(UserWarning, match="X is a memory map, which scaling would copy"):
        assert fitted(mapped)._fitted.scaling is None
    assert fitted(mapped, scale_inputs="standard")._fitted.scaling is not None
    np.save(tmp_path / "many.npy", np.tile(1e3 * N.astype("float32"), (30, 1)))
    mapped = np.load(tmp_path / "many.npy", mmap_mode="r")
    weights = (np.arange(len(mapped)) % 2).astype(float)
    with pytest.warns(UserWarning, match="X is a memory map"):
        MLP(4, epochs=1).fit(mapped, np.arange(len(mapped)) % 3, sample_weight=weights)


@pytest.mark.parametrize("convert", [
    np.float64, lambda X: X.astype("float32")[:, ::-1].T.copy().T, lambda X: np.uint8(X % 250),
], ids=["float64", "columns", "uint8"])  # fmt: skip
def test_a_memory_map_that_is_converted_anyway_is_scaled(tmp_path, convert):
    X = convert(1e3 * N)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = fitted(mapped)
    assert model._fitted.scaling is not None
    assert np.array_equal(model.parameters_, fitted(X).parameters_)


# What rounding to float32 would merge


@pytest.mark.parametrize("base", [20180130, 1_700_000_000, 10**15])
def test_numbers_that_float32_would_merge_are_told_apart(base):
    X = base + np.array([[0], [1], [2]] * 40)
    y = X[:, 0] % 3
    model = MLP(32, epochs=300, learning_rate=0.01, random_state=0).fit(X, y)
    assert model.score(X, y) == 1


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("kind", ["int", "float"])
def test_merged_numbers_are_named_where_nothing_scales_them(columns, kind):
    X = np.zeros((40, columns), kind)
    X[:, -1] = 20180130 + np.arange(40) % 4
    y = np.arange(40) % 2
    wanted = rf"column {columns - 1} of X has numbers that float32 .* 2018013.* and 2018013"
    with pytest.warns(UserWarning, match=wanted):
        MLP(4, epochs=1, scale_inputs=None).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLP(4, epochs=1, scale_inputs=None, dtype="float64").fit(X, y)
        MLP(4, epochs=1, scale_inputs="minmax").fit(X, y)
        MLP(4, epochs=1, scale_inputs=None).fit(X % 1000, y)


def test_merged_targets_are_named_where_nothing_scales_them():
    y = 1e8 + np.arange(300) % 3
    with pytest.warns(
        UserWarning, match="y has numbers that float32 .* 100000000.0 and 100000001.0"
    ):
        MLP(4, epochs=1, scale_targets=None, task="regression").fit(N, y)


# Parameters


IDS = [2**60 + i for i in range(300)]


@pytest.mark.parametrize("convert", [
    np.uint64, np.int64, list, lambda y: np.array(y, object), lambda y: [one * 16 for one in y],
    np.negative,
])  # fmt: skip
@pytest.mark.parametrize("options", [{}, {"dtype": "float64"}, {"scale_inputs": None}], ids=str)
def test_whole_numbers_that_float64_merges_are_named(convert, options):
    ids = convert(np.array(IDS, object) if convert is not list else IDS)
    X = np.column_stack((np.arange(300), np.array(ids, object)))
    options = {"epochs": 0} | options
    if convert in (np.uint64, np.int64):
        X = X.astype(convert)
    said = r"whole numbers that float64 cannot tell apart, such as (-?\d{19,}) and (-?\d{19,});"
    for name, fit in (
        ("column 1 of X", lambda: MLPClassifier(4, **options).fit(X, TWO)),
        ("y", lambda: MLPRegressor(4, **options).fit(N, ids)),
    ):
        with pytest.warns(UserWarning, match=f"^{name} has {said}") as caught:
            fit()
        one, other = re.search(said, str(caught[0].message)).groups()
        assert abs(int(one) - int(other)) in (1, 16) and len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPClassifier(4, **options).fit(N, np.array(IDS) % 2 + IDS[0])  # as labels they differ


def test_the_column_of_a_frame_that_float64_merges_is_named():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": N[:, 0], "id": np.array(IDS, np.uint64)})
    with pytest.warns(UserWarning, match="^'id' of X has whole numbers that float64"):
        MLPClassifier(4, epochs=1).fit(frame, TWO)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPClassifier(4, epochs=1).fit(frame.assign(id=frame["id"] - IDS[0]), TWO)


def test_choices_are_kept_by_a_pickle_and_by_the_other_classes():
    for cls, y in ((MLP, TWO), (MLPClassifier, TWO), (MLPRegressor, N[:, 0] * 50)):
        model = cls(4, epochs=1, random_state=0).fit(N * 100, y)
        again = pickle.loads(pickle.dumps(model))
        assert np.array_equal(again.predict(N), model.predict(N))
        assert again._fitted.scaling.kind == "robust_asinh"
    assert MLP().get_params()["scale_inputs"] == "auto"


@pytest.mark.parametrize("value", ["automatic", "clip", True, 1])
def test_an_unknown_scaling_is_refused(value):
    with pytest.raises((TypeError, ValueError), match="scale_inputs"):
        MLP(scale_inputs=value)


def test_numbers_beside_categories_are_scaled_and_categories_alone_are_not():
    rng = np.random.default_rng(0)
    answers = {f"q{i}": rng.integers(1, 8, 200) for i in range(5)}
    words = {"w": list(rng.choice(["a", "b", "c"], 200))}
    y = answers["q0"] - answers["q1"] + rng.normal(size=200)
    model = MLP(4, columns="auto", epochs=1, random_state=0).fit(answers | words, y)
    assert "robust_asinh, as numbers stand beside categories" in str(model.summary())
    model.fit(words, y)
    assert "inputs are scaled" not in str(model.summary())
