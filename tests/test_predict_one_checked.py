"""MLP.predict_one: labels, entries that are not finite, and lists."""

import numpy as np
import pytest
from cnn_core._network import Network
from cnn_core._predict import RowPredictor

from cnn_core import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
THREE = np.digitize(X[:, 0], [-0.5, 0.5])
LINE = 2 * X[:, 0] - X[:, 1] + 1


def quick(**options):
    return MLP(**{"hidden": (7, 6), "epochs": 2, "random_state": 0} | options)


def random_network(widths, activations, dtype):
    network = Network(widths, activations, dtype)
    network.set_flat(np.random.default_rng(0).normal(size=network.flat().size))
    return network


def same(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("y", [
    THREE, THREE > 0, np.array(["a", "b", "c"])[THREE], np.array(["a", "b", "c"], object)[THREE],
    LINE, LINE[:, None], np.column_stack((LINE, -LINE)), (X[:, :2] > 0).astype(int),
])  # fmt: skip
def test_labels_are_those_of_predict(y, backend, dtype):
    model = quick(dtype=dtype, epochs=20).fit(X, y).set_params(backend=backend)
    rows = X.astype(dtype)
    for row, wanted in zip(rows, model.predict(rows)):
        for x in (row, row.tolist()):
            label = model.predict_one(x, labels=True)
            assert type(label) is type(wanted) and np.array_equal(label, wanted)
        out = np.empty(model.forward(rows[:1]).shape[1], dtype)
        assert np.array_equal(model.predict_one(row, out, labels=True), wanted)
        same(out, model.predict_one(row))
    with pytest.raises(ValueError, match="x has nan at feature 0"):
        model.predict_one(row + np.nan, labels=True)


def test_what_is_not_finite_is_found_before_anything_is_written(dtype):
    for curve in (None, "linear", "smooth clip", "asinh"):
        network = random_network((5, 3), ("identity",), dtype)
        one = RowPredictor(network, None if curve is None else (np.zeros(5), np.ones(5), curve))
        good, out = np.arange(5.0), np.full(3, 7, dtype)
        for i in range(5):
            for bad in (np.nan, np.inf, -np.inf):
                x = good.copy()
                x[i] = bad
                for row in (x, x.astype(dtype), x.tolist(), tuple(x.tolist())):
                    assert one.forward(row, out, True) is None
                    assert one.forward(row, None, True) is None
        assert out.tolist() == [7] * 3
        for row in (good, good.astype(dtype), good.tolist(), tuple(good.tolist())):
            same(one.forward(row, None, True), one.forward(row))
    network.set_layer(0, np.full((3, 5), np.finfo(dtype).max, dtype), np.zeros(3, dtype))
    one = RowPredictor(
        network, None, (np.ones(3), np.zeros(3), *np.full((2, 3), [[-np.inf], [np.inf]]))
    )
    x = np.full(5, 3, dtype)
    assert one.forward(x, x[:3], True) is None and x.tolist() == [3] * 5
    assert one.forward(x.tolist()) is not None


@pytest.mark.parametrize("width", [1, 16, 17, 1024, 1025])
def test_lists_of_floats_are_arrays_of_float64(width, dtype):
    network = random_network((width, 3), ("tanh",), dtype)
    shift, factor = RNG.normal(size=(2, width))
    x = RNG.normal(size=width)
    for scaling in (None, (shift, factor, "linear"), (shift, factor, "asinh")):
        one = RowPredictor(network, scaling)
        for row in (x.tolist(), tuple(x.tolist()), [*x.tolist()[:-1], np.float64(x[-1])]):
            same(one.forward(row), one.forward(x))
            same(one.forward_checked([row]), one.forward_checked(x[None]))
            same(one.forward_checked((row,)), one.forward_checked(x[None]))
        whole = [int(one) for one in x]
        same(one.forward(whole), one.forward(np.array(whole, float)))
    assert one.forward([*x.tolist(), 0.0]) is None and one.forward_checked([]) is None


def test_numbers_that_scaling_takes_beyond_the_range():
    model = quick(scale_inputs="standard").fit(1e-25 * X, THREE)
    x = np.array([0, 0, 1e20, 0, 0], "f4")
    for row in (x, x.tolist()):
        for method in (model.predict, model.forward, model.predict_proba):
            with pytest.raises(
                ValueError,
                match="row 0, column 2, which the scaling .* takes beyond the range",
            ):
                method([row] if isinstance(row, list) else row[None])
        with pytest.raises(
            ValueError,
            match="x has 1.*e.20 at feature 2, which scale_inputs takes beyond the range",
        ):
            model.predict_one(row)
    assert model.predict_one(x, check=False).shape == (3,)  # not looked for
