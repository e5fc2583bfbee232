"""MLP.predict_one and its native half: one row gives the bits that it gives among others, quickly
and from any thread."""

import contextlib
import copy
import pickle
import sys
import threading

import numpy as np
import pytest
from cnn_core._linalg import scale_rows
from cnn_core._network import Network
from cnn_core._predict import BatchPredictor, RowPredictor
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_core import MLP, NotFittedError, _activations, _cpu, _memory, _predict

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
THREE = np.digitize(X[:, 0], [-0.5, 0.5])
LINE = 2 * X[:, 0] - X[:, 1] + 1


def quick(**options):
    return MLP(**{"hidden": (7, 6), "epochs": 2, "random_state": 0} | options)


def random_network(widths, activations, dtype, seed=0):
    network = Network(widths, activations, dtype)
    rng = np.random.default_rng(seed)
    network.set_flat(rng.normal(size=network.flat().size) / max(widths) ** 0.5)
    return network


def same(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# Bits


@pytest.mark.parametrize("width", range(1, 71))
def test_one_row_has_the_bits_it_has_among_others(width, isa, dtype):
    for widths in ((width, 71 - width, 3), (3, width, width), (width, 1)):
        network = random_network(widths, ("tanh", "identity")[-len(widths) + 1 :], dtype)
        rows = RNG.normal(size=(7, widths[0])).astype(dtype)
        one, many = RowPredictor(network), BatchPredictor(network).forward(rows)
        for row, a in zip(rows, many):
            same(one.forward(row), a)
            same(one.forward_checked(row[None]), a[None])


@pytest.mark.parametrize("name", _activations.names())
def test_every_activation_hidden_and_last(name, isa, dtype):
    for width in (1, 10, 16, 33):
        network = random_network((9, width, width), (name, name), dtype)
        rows = 3 * RNG.normal(size=(4, 9)).astype(dtype)
        for row, a in zip(rows, BatchPredictor(network).forward(rows)):
            same(RowPredictor(network).forward(row), a)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 150), min_size=2, max_size=5),
    st.sampled_from(["float32", "float64"]),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_any_net(widths, dtype, seed, scaled):
    rng = np.random.default_rng(seed)
    network = random_network(
        widths, rng.choice(_activations.names(), len(widths) - 1).tolist(), dtype, seed
    )
    shift, factor = rng.normal(size=(2, widths[0]))
    x = rng.normal(size=widths[0]).astype(dtype)
    read = ((x.astype(float) - shift) * factor).astype(dtype) if scaled else x
    one = RowPredictor(network, (shift, factor, "linear")) if scaled else RowPredictor(network)
    a = BatchPredictor(network).forward(read[None])
    if not np.isnan(a).any():  # whose payloads are no part of the promise
        same(one.forward(x), a[0])
        same(one.forward_checked(x[None]), a)


@pytest.mark.parametrize("widths", [(3, 5000, 2), (5000, 3), (3, 5000), (700, 700, 700, 5)])
def test_wide_layers_find_room(widths, dtype):
    network = random_network(widths, ("relu",) * (len(widths) - 1), dtype)
    x = RNG.normal(size=widths[0]).astype(dtype)
    shift, factor = RNG.normal(size=(2, widths[0]))
    same(RowPredictor(network).forward(x), BatchPredictor(network).forward(x[None])[0])
    read = ((x - shift) * factor).astype(dtype)
    same(
        RowPredictor(network, (shift, factor, "linear")).forward(x),
        BatchPredictor(network).forward(read[None])[0],
    )


def test_room_that_cannot_be_had_is_a_memory_error():
    one = RowPredictor(random_network((3, 5000, 2), ("relu", "relu"), "float32"))
    try:
        _memory.fail_after = 1
        with pytest.raises(MemoryError):
            one.forward(np.zeros(3, "float32"))
    finally:
        _memory.fail_after = None


@pytest.mark.parametrize("scale", [None, "minmax", "standard", "robust"])
@pytest.mark.parametrize("backend", ["native", "python"])
def test_predict_one_is_forward_of_one_row(scale, backend, dtype):
    for y in (THREE, LINE, (X[:, :2] > 0).astype(int), THREE > 0):
        model = (
            quick(scale_inputs=scale, dtype=dtype).fit(1e3 * X + 7, y).set_params(backend=backend)
        )
        rows = (1e3 * X[:5] + 7).astype(dtype)
        for row, a in zip(rows, model.forward(rows)):
            same(model.predict_one(row), a)
            same(model.predict_one(row), model.forward(row[None])[0])
            out = np.full(a.shape, 7, dtype)
            assert model.predict_one(row, out) is out and model.predict_one(row, out=out) is out
            same(out, a)
            same(model.predict_one(x=row.tolist()), a)


# What predict_one takes


@pytest.fixture(scope="module", params=[None, "standard"])
def model(request):
    return quick(scale_inputs=request.param).fit(X, THREE)


@pytest.mark.parametrize(
    "given",
    [
        lambda x: x.tolist(),
        lambda x: tuple(x.tolist()),
        lambda x: x.astype("float64"),
        lambda x: x.astype(">f4"),
        lambda x: np.repeat(x, 2)[::2],
        lambda x: x[::-1].copy()[::-1],
        np.ma.array,
        lambda x: x.astype(object),
        lambda x: np.frombuffer(b"." + x.tobytes(), "f4", offset=1),
        lambda x: with_flags(x, False),
        memoryview,
        lambda x: x.view(np.recarray),
    ],
)
def test_other_forms_of_a_row_give_the_same(model, given):
    x = X[3].astype("float32")
    same(model.predict_one(given(x)), model.forward(x[None])[0])
    out = np.empty(3, "float32")
    assert model.predict_one(given(x), out) is out
    same(out, model.forward(x[None])[0])


def test_whole_numbers_and_bools(model):
    for x in (np.arange(5), [True, False, True, True, False]):
        same(model.predict_one(x), model.forward([x])[0])


def with_flags(x, write):
    x = x.copy()
    x.flags.writeable = write
    return x


def test_with_scaling_numbers_of_float64_are_rounded_once():
    model = quick(scale_inputs="standard").fit(X + 1e6, THREE)
    same(model.predict_one(X[0] + 1e6), model.forward(X[:1] + 1e6)[0])


@pytest.mark.parametrize(
    "x, error, message",
    [
        (
            np.zeros((1, 5), "f4"),
            ValueError,
            r"x must have one dimension \(features,\), got shape \(1, 5\): x\[0\] is",
        ),
        (
            np.zeros((2, 5)),
            ValueError,
            r"x must have one dimension \(features,\), got shape \(2, 5\): forward and predict "
            r"take",
        ),
        (np.float32(1), ValueError, r"x must have one dimension \(features,\), got shape \(\)"),
        (np.zeros(4, "f4"), ValueError, "x has 4 features, but the model was fitted with 5"),
        (np.zeros(0, "f4"), ValueError, "x has 0 features, but the model was fitted with 5"),
        (None, TypeError, "x is None; an array of numbers is needed"),
        (["a"] * 5, TypeError, "x must hold numbers, got the text 'a'"),
        (np.zeros(5, complex), TypeError, "x holds complex numbers .complex128."),
        (np.ma.array(np.zeros(5, "f4"), mask=[0, 1, 0, 0, 0]), TypeError, "x has masked entries"),
        ([[1, 2], [3]], ValueError, "x must be a rectangular array"),
    ],
)
def test_what_is_no_row_is_refused(model, x, error, message):
    for out in (None, np.full(3, 7, "f4")):
        with pytest.raises(error, match=message):
            model.predict_one(x, out)
        assert out is None or (out == 7).all()


def test_numbers_beyond_the_range_of_the_dtype_are_refused():
    model = quick().fit(X, THREE)
    with pytest.raises(
        ValueError,
        match=r"x has 1e\+39 at feature 2; every entry must be within the range of float32",
    ):
        model.predict_one([0, 0, 1e39, 0, 0])


@pytest.mark.parametrize(
    "out, error",
    [
        ([0, 0, 0], TypeError),
        (np.zeros(3), TypeError),
        (np.zeros(3, ">f4"), TypeError),
        (np.zeros(2, "f4"), ValueError),
        (np.zeros((1, 3), "f4"), ValueError),
        (np.zeros(6, "f4")[::2], ValueError),
        (with_flags(np.zeros(3, "f4"), False), ValueError),
    ],
)
@pytest.mark.parametrize("backend", ["native", "python"])
def test_where_the_result_cannot_go_is_refused(model, out, error, backend):
    model = copy.copy(model).set_params(backend=backend)
    for x in (X[0].astype("f4"), X[0]):
        with pytest.raises(
            error,
            match=r"out must be a C-contiguous, writable ndarray of float32, shape \(3,\), got",
        ):
            model.predict_one(x, out)


def test_out_may_be_x_or_overlap_it():
    model = quick(hidden=()).fit(X, X)
    memory = np.arange(8, dtype="float32") / 8
    for first in range(3):
        x, out = memory.copy()[1:6], None
        wanted = model.forward(x[None])[0]
        out = x.base[first : first + 5]
        assert model.predict_one(x, out) is out
        same(out, wanted)
    model = quick(hidden=(), scale_inputs="standard").fit(X, X)
    x = X[0].astype("float32")
    wanted = model.forward(x[None])[0]
    same(model.predict_one(x, x), wanted)


@pytest.mark.parametrize("name", _activations.names())
def test_nan_in_gives_nan_out(name, isa, dtype):
    x = np.array([0, np.nan, 0, 1], dtype)
    for widths in ((4, 20, 20), (4, 2), (4, 1)):
        network = random_network(widths, (name,) * (len(widths) - 1), dtype)
        assert np.isnan(RowPredictor(network).forward(x)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_is_refused_unless_predict_one_is_asked_to_let_it_pass(model, bad):
    for x in (np.array([0, 0, bad, 0, 0], "f4"), [0, 0, bad, 0, 0]):
        for out in (None, np.full(3, 7, "f4")):
            with pytest.raises(
                ValueError, match=f"x has {bad} at feature 2; every entry must be a finite number"
            ):
                model.predict_one(x, out)
            assert out is None or out.tolist() == [7] * 3
        a = model.predict_one(x, check=False)
        assert np.isnan(a).all() or not np.isnan(bad)
        same(np.isnan(model.predict_one(np.asarray(x, "f4"), check=False)), np.isnan(a))
        for method in (model.predict, model.forward, model.predict_proba):
            with pytest.raises(
                ValueError, match="X has .* at row 0, column 2; every entry must be a finite number"
            ):
                method(np.array([x], "f4"))


def test_not_fitted():
    for backend in ("native", "python"):
        with pytest.raises(NotFittedError):
            MLP(backend=backend).predict_one([1.0])


class Labelled:
    """A row with labels, as a data frame gives."""

    def __init__(self, values, labels):
        self.values, self.index = values, labels

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


class Frame(Labelled):
    @property
    def columns(self):
        return self.index


def test_names_of_the_features_are_compared():
    model = quick().fit(Frame(X, ["a", "b", "c", "d", "e"]), THREE)
    x = X[0].astype("f4")
    wanted = model.forward(x[None])[0]
    for right in (x, x.tolist(), Labelled(x, ["a", "b", "c", "d", "e"]), Labelled(x, range(5))):
        same(model.predict_one(right), wanted)
    with pytest.raises(
        ValueError, match="x has other columns than the model was fitted with: their order differs"
    ):
        model.predict_one(Labelled(x, ["b", "a", "c", "d", "e"]))


# The life of a model


def test_new_weights_copies_and_pickles_predict_with_their_own(model):
    model = copy.deepcopy(model)
    x = X[0].astype("float32")
    before = model.predict_one(x)
    for other in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        same(other.predict_one(x), before)
    model.weights_ = [-W for W in model.weights_]
    assert not np.array_equal(model.predict_one(x), before)
    same(model.predict_one(x), model.forward(x[None])[0])
    model.partial_fit(X, THREE)
    same(model.predict_one(x), model.forward(x[None])[0])


def test_buffers_are_given_back(model):
    x, out = X[0].astype("float32"), np.empty(3, "float32")
    counts = sys.getrefcount(x), sys.getrefcount(out)
    for bad in (out, out[:2], out[::-1], None):
        for row in (x, x[:4], x[::-1], X[0], None):
            with contextlib.suppress(TypeError, ValueError):
                model.predict_one(row, bad)
    assert (sys.getrefcount(x), sys.getrefcount(out)) == counts
    x.resize(9, refcheck=False)  # an array that is lent out cannot be resized
    assert model.predict_one(x[:5]).shape == (3,)


@pytest.mark.slow
@pytest.mark.parametrize("widths", [(5, 32, 32, 3), (600, 900, 500, 3)])
@pytest.mark.parametrize("scaled", [False, True])
def test_threads_share_a_model(widths, scaled):
    network = random_network(widths, ("relu",) * (len(widths) - 1), "float32")
    shift, factor = RNG.normal(size=(2, widths[0]))
    one = RowPredictor(network, (shift, factor, "linear")) if scaled else RowPredictor(network)
    rows = RNG.normal(size=(8, widths[0])).astype("float32")
    wanted = [one.forward(row) for row in rows]
    wrong, ready = [], threading.Barrier(len(rows))

    def call(row, a):
        out = np.empty_like(a)
        ready.wait()
        for _ in range(300):
            if (
                one.forward(row, out) is not out
                or out.tobytes() != a.tobytes()
                or (one.forward(row).tobytes() != a.tobytes())
            ):
                wrong.append(a)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=call, args=pair) for pair in zip(rows, wanted)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not wrong


def test_a_fit_meanwhile_is_seen_whole_or_not_at_all():
    model = quick(epochs=500).fit(X, LINE)
    x = X[0].astype("float32")
    before = model.predict_one(x).tobytes()
    thread = threading.Thread(target=model.set_params(random_state=1).fit, args=(X, LINE))
    thread.start()
    seen = set()
    while thread.is_alive():
        seen.add(model.predict_one(x).tobytes())
    thread.join()
    assert seen <= {before, model.predict_one(x).tobytes()} and before in seen


# predict of one row


@pytest.mark.parametrize(
    "y",
    [
        THREE,
        THREE > 0,
        LINE,
        np.column_stack((LINE, LINE)),
        (X[:, :2] > 0).astype(int),
        np.array(["a", "bb", "c"])[THREE],
    ],
    ids=range(6),
)
@pytest.mark.parametrize("scale", [None, "standard"])
def test_predict_of_one_row_is_that_row_of_many(y, scale, dtype, isa):
    model = quick(scale_inputs=scale, dtype=dtype, epochs=20).fit(X, y)
    rows = X.astype(dtype)
    for method in (model.predict, model.forward) + (
        () if y.dtype == float else (model.predict_proba,)
    ):
        many = method(rows)
        for i in range(len(rows)):
            same(method(rows[i : i + 1]), many[i : i + 1])
            same(method(rows[i : i + 1].tolist()), many[i : i + 1])


def test_predict_of_one_row_is_not_the_threads_or_the_callers_memory():
    model = quick().fit(X, LINE)
    first = model.predict(X[:1].astype("f4"))
    kept = first.copy()
    model.predict(X[1:2].astype("f4"))
    same(first, kept)
    first[:] = 7  # writable, and nobody else's
    same(model.predict(X[:1].astype("f4")), kept)


# The native half by itself


FORMS = {
    "float64": lambda x: x.astype("f8"), "float32": lambda x: x.astype("f4"),
    "float16": lambda x: x.astype("f2"), "int64": lambda x: x.astype("i8"),
    "uint8": lambda x: np.abs(x).astype("u1"), "bool": lambda x: x > 0,
    "other byte order": lambda x: x.astype(">f8"), "list": lambda x: x.tolist(),
    "every second": lambda x: np.repeat(x.astype("f8"), 2)[::2],
    "backwards": lambda x: x.astype("f8")[::-1], "tuple": lambda x: tuple(x.tolist()),
    "not aligned": lambda x: np.frombuffer(b"." + x.tobytes(), x.dtype, offset=1),
    "read-only": lambda x: with_flags(x.astype("f8"), False),
    "list of whole numbers": lambda x: x.astype(int).tolist(),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("curve", [None, "linear", "smooth clip", "asinh"])
def test_other_forms_of_a_row_need_no_closer_look(form, curve, dtype):
    """float64, as NumPy makes it, and lists cost little more than the network's own dtype."""
    network = random_network((5, 7, 3), ("tanh", "identity"), dtype)
    shift, factor = RNG.normal(size=(2, 5))
    one = RowPredictor(network, None if curve is None else (shift, factor, curve))
    x = FORMS[form](100 * X[3].astype("f4"))
    read = np.asarray(x, "f8").astype(dtype)[None]
    if curve is not None:
        scale_rows(np.array([x], "f8"), shift, factor, read, curve)
    a = BatchPredictor(network).forward(read)
    out = np.empty(3, dtype)
    same(one.forward(x), a[0])
    assert one.forward(x, out) is out
    same(out, a[0])
    matrix = [x] if isinstance(x, list) else np.asarray(x)[None]
    same(one.forward_checked(matrix), a)


@pytest.mark.parametrize("curve", [None, "linear", "smooth clip", "asinh"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_passes_in_every_form_and_is_refused_where_entries_are_checked(curve, bad, dtype):
    network = random_network((5, 3), ("identity",), dtype)
    scaling = None if curve is None else (np.zeros(5), np.ones(5), curve)
    one = RowPredictor(network, scaling)
    x = np.array([0, 1, bad, 0, 0])
    wanted = one.forward(x.astype(dtype))
    for row in (x, x.astype("f4"), x.tolist(), np.repeat(x, 2)[::2]):
        a = one.forward(row)
        assert np.array_equal(a, wanted, equal_nan=True)
        assert one.forward_checked(np.asarray(row)[None]) is None


def test_what_needs_a_closer_look_is_none():
    one = RowPredictor(random_network((5, 3), ("relu",), "float32"))
    x, out = np.zeros(5, "f4"), np.zeros(3, "f4")
    for bad in (
        x[:4],
        x[None],
        x[:4].tolist(),
        [x.tolist()],
        ["0"] * 5,
        [0, 0, [0], 0, 0],
        [0, 0, None, 0, 0],
        None,
        x.view(np.recarray),
        x.astype("longdouble"),
        x.astype(complex),
        np.full(5, 1e39),
        np.full(5, 2**53 + 1),
        [2**70] * 5,
    ):
        assert one.forward(bad) is None and one.forward(bad, out) is None
    for bad in (
        out.astype("f8"),
        out[:2],
        out[None],
        out[::-1],
        [0, 0, 0],
        with_flags(out, False),
        np.ma.array(out),
    ):
        assert one.forward(x, bad) is None
    x = x[None]
    for bad in (
        x[:, :4],
        x[0],
        x.astype("f8")[0],
        x[0].tolist(),
        np.zeros((2, 5), "f4"),
        np.zeros((2, 5)),
        np.zeros((0, 5), "f4"),
        x + np.nan,
        x - np.inf,
        np.ma.array(x),
    ):
        assert one.forward_checked(bad) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_forward_checked_finds_every_entry_that_is_not_finite(bad, dtype):
    network = random_network((37, 1), ("relu",), dtype)
    network.set_flat(network.flat() / 1000)
    x = np.full((1, 37), np.finfo(dtype).max, dtype)
    x[:, ::2] *= -1
    assert RowPredictor(network).forward_checked(x) is not None
    for i in range(37):
        y = x.copy()
        y[0, i] = bad
        assert RowPredictor(network).forward_checked(y) is None
        scaled = RowPredictor(network, (np.zeros(37), np.ones(37), "linear"))
        assert scaled.forward_checked(y) is None


@pytest.mark.parametrize("n_out", [1, 3, 16, 17, 40])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("output", ["identity", "softmax"])
def test_forward_checked_finds_every_output_that_is_not_finite(n_out, dtype, output):
    network = random_network((2, n_out), (output,), dtype)
    for j in range(n_out):
        W = np.zeros((n_out, 2), dtype)
        W[j] = 1e3
        network.set_layer(0, W, np.zeros(n_out, dtype))
        x = np.full((1, 2), np.finfo(dtype).max, dtype)
        assert RowPredictor(network).forward_checked(x) is None
        assert RowPredictor(network).forward_checked(x / 10000) is not None


def test_scaling_of_another_width_or_dtype_is_refused():
    network = random_network((5, 3), ("relu",), "float32")
    for pair in (
        (np.zeros(4), np.zeros(5)),
        (np.zeros(5), np.zeros(4)),
        (np.zeros(5), None),
        (np.zeros(5, "f4"), np.zeros(5)),
        (np.zeros(10)[::2], np.zeros(5)),
    ):
        with pytest.raises((TypeError, ValueError), match="^(shift|factor) must "):
            RowPredictor(network, (*pair, "linear"))
        for predictor in (RowPredictor, BatchPredictor):
            numbers = [np.zeros(3)] * 4
            for at in range(4):
                bad = tuple(np.zeros(4) if i == at else good for i, good in enumerate(numbers))
                with pytest.raises(ValueError, match=r"must .*shape \(3,\)"):
                    predictor(network, outputs=bad)


def test_the_instruction_set_may_change_between_calls():
    network = random_network((5, 20, 3), ("gelu", "softmax"), "float64")
    one, x = RowPredictor(network), X[0].copy()
    before = _cpu.instruction_set()
    found = set()
    for name in _cpu.instruction_sets():
        _cpu.use_instruction_set(name)
        found.add(one.forward(x).tobytes())
    _cpu.use_instruction_set(before)
    assert len(found) == 1


def test_no_object_without_its_network():
    with pytest.raises(TypeError):
        RowPredictor(None)
    with pytest.raises(TypeError):
        RowPredictor.__new__(RowPredictor)
    assert _predict.RowPredictor is RowPredictor
