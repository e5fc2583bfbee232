"""Subnormal numbers: all that computes treats them as zero, on every thread and for every caller,
so the bits of a prediction depend on neither, and such rows take no more time than others."""

import contextlib
import ctypes
import platform
import sys
import time

import numpy as np
import pytest
from cnn_core._activations import activation, activation_backward
from cnn_core._backprop import Backprop, backward_delta, gradients
from cnn_core._dataset import RowSource
from cnn_core._dropout import drop
from cnn_core._linalg import affine, axpy, dot, matmul, matvec, pack
from cnn_core._losses import loss
from cnn_core._network import Network
from cnn_core._predict import BatchPredictor, RowPredictor
from cnn_core._trainer import Trainer
from cnn_core.data.scaling import Scaling, learn_scaling

from cnn_core import MLP, _cpu

FLUSH = {"x86_64": (28, 0x8040), "aarch64": (0, 1 << 24)}


@contextlib.contextmanager
def flushing_caller():
    """The caller's own switch, as `torch.set_flush_denormal(True)` turns it: in the environment of
    C's fenv.h, MXCSR or FPCR."""
    if sys.platform != "linux" or platform.machine() not in FLUSH:
        pytest.skip("knows the floating-point environment of Linux only")
    libm, before, changed = (
        ctypes.CDLL("libm.so.6"),
        *(ctypes.create_string_buffer(64) for _ in "ab"),
    )
    offset, bits = FLUSH[platform.machine()]
    libm.fegetenv(before)
    libm.fegetenv(changed)
    word = ctypes.c_uint32.from_buffer(changed, offset)
    word.value |= bits
    libm.fesetenv(changed)
    try:
        yield
        now = ctypes.create_string_buffer(64)
        libm.fegetenv(now)
        assert ctypes.c_uint32.from_buffer(now, offset).value & bits == bits, "the mode was lost"
    finally:
        libm.fesetenv(before)


def train_on_threads():
    """An epoch that starts the pool's threads, so that they inherit its floating-point mode."""
    X = np.random.default_rng(0).random((2048, 64), "float32")
    MLP((256, 256), epochs=1, batch_size=1024, n_threads=5, random_state=0).fit(X, X[:, 0] > 0.5)


def constant_outputs(output, biases):
    """A model whose outputs are those of its biases, whatever x is."""
    layer = np.zeros((len(biases), 64)), np.array(biases)
    options = dict(hidden=(), output=output, init=[layer], loss="mse", epochs=1)
    X, y = np.zeros((len(biases), 64), "float32"), np.eye(len(biases), dtype="float32")
    model = MLP(
        **options, optimizer="sgd", learning_rate=1e-300, task="regression", n_threads=1,
        scale_inputs=None, scale_targets=None,
    )  # fmt: skip
    return model.fit(X, y)


@pytest.mark.slow
@pytest.mark.parametrize("output", ["softplus", "exp", "softmax"])
@pytest.mark.filterwarnings("ignore:all features are constant")
def test_e_to_the_minus_95_is_zero_on_every_thread(output, isa):
    train_on_threads()
    model = constant_outputs(output, [-95.0, -93.0, 0.0])
    X = np.zeros((60_000, 64), "float32")
    for n in (1, 2, 5):
        out = model.set_params(n_threads=n).forward(X)
        assert not out[:, :2].any() and (out[:, 2] == out[0, 2]).all()
    assert np.array_equal(model.predict_one(X[0]), out[0])


def test_outputs_near_1e_minus_39_have_one_value_on_every_thread():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(4096, 64)).astype("float32")
    options = {"epochs": 1, "random_state": 0, "n_threads": 1, "scale_targets": None}
    model = MLP(5, activation="identity", **options)
    model.fit(Z, Z @ rng.normal(size=64).astype("float32"))
    model.biases_ = [0 * b for b in model.biases_]
    train_on_threads()
    rows = np.repeat(Z, 8, 0) * np.float32(1e-39)
    outputs = [model.set_params(n_threads=n).forward(rows) for n in (1, 2, 5)]
    assert not any(out.any() for out in outputs)
    assert model.predict_one(rows[0]) == 0


def small_network(dtype="float32"):
    network = Network((8, 16, 3), ("tanh", "softmax"), dtype)
    network.set_flat(np.random.default_rng(1).normal(size=network.flat().size))
    network.bias(1)[:] = -95, 0, 3
    return network


def rows_of_all_sizes(rows, columns, dtype="float32"):
    rng = np.random.default_rng(2)
    lowest = np.log10(float(np.finfo(dtype).smallest_normal)) - 4
    return (rng.normal(size=(rows, columns)) * 10 ** rng.uniform(lowest, 0, (rows, 1))).astype(
        dtype
    )


def everything(X, y, labels):
    """What each entry computes from rows, weights and gradients of all sizes, as bytes."""
    dtype, network = X.dtype, small_network(X.dtype)
    backprop = Backprop(network, "categorical_crossentropy", 64)
    run = Trainer(backprop, "sgd", {"learning_rate": 0.01, "momentum": 0, "nesterov": 0})
    shift, factor = np.zeros(8), np.full(8, 1e3)
    added = X.ravel().copy()
    axpy(0.1, added[::-1].copy(), added)
    results = {
        "forward": BatchPredictor(network).forward(X),
        "argmax": BatchPredictor(network).argmax(X),
        "one row": RowPredictor(network).forward_checked(X[:1]),
        "one scaled row": RowPredictor(network, (shift, factor, "linear")).forward_checked(X[:1]),
        "one row, asinh": RowPredictor(network, (shift, factor, "asinh")).forward_checked(X[:1]),
        "loss_and_gradient": backprop.loss_and_gradient(X, y),
        "evaluate": run.evaluate(RowSource(X), RowSource(y), RowSource(labels)),
        "a pass": run.loss_and_gradient(RowSource(X), RowSource(y), RowSource(labels)),
        "flat_gradient": run.flat_gradient(),
        "epoch": run.epoch(RowSource(X), RowSource(y), RowSource(labels)),
        "parameters": run.parameters,
        "affine": affine(X, pack(np.full((16, 8), 0.3, dtype))),
        "matmul": matmul(X, np.ascontiguousarray(X.T)),
        "matvec": matvec(X, X[0]),
        "dot": dot(X.ravel(), X.ravel()),
        "axpy": added,
        "swish": activation("swish", X),
        "softmax": activation("softmax", X),
        "gelu": activation_backward("gelu", X, X),
        "mse": loss("mse", X, np.zeros_like(X)),
        "binary_crossentropy": loss("binary_crossentropy", X, np.zeros_like(X)),
        "drop": drop(X, 0.5, 1, 1, 1),
        "backward_delta": backward_delta(np.ones((8, 3), dtype), X, X[:, :3].copy(), "tanh"),
        "gradients": gradients(X, X[:, :5].copy()),
        "standard scaling": learn_scaling("standard", X),
        "scaled": Scaling(shift, factor).apply(X, dtype),
    }
    return {
        name: [
            np.asarray(part).tobytes() for part in (value if isinstance(value, tuple) else [value])
        ]
        for name, value in results.items()
    }


def test_no_result_depends_on_the_mode_of_the_caller(isa, dtype):
    X = rows_of_all_sizes(64, 8, dtype)
    y, labels = (
        np.eye(3, dtype=dtype)[np.arange(64) % 3],
        np.arange(64, dtype=np.int32)[:, None] % 3,
    )
    expected = everything(X, y, labels)
    with flushing_caller():
        got = everything(X, y, labels)
    assert [name for name in expected if expected[name] != got[name]] == []


def test_all_instruction_sets_flush_alike(dtype):
    X = rows_of_all_sizes(64, 8, dtype)
    y, labels = (
        np.eye(3, dtype=dtype)[np.arange(64) % 3],
        np.arange(64, dtype=np.int32)[:, None] % 3,
    )
    seen = []
    for name in _cpu.instruction_sets():
        before = _cpu.use_instruction_set(name)
        seen.append(everything(X, y, labels))
        _cpu.use_instruction_set(before)
    assert all(one == seen[0] for one in seen)


def test_a_model_predicts_the_same_bits_for_a_caller_that_flushes():
    X, y = rows_of_all_sizes(500, 8), np.arange(500) % 3
    models = [
        MLP((16, 8), epochs=2, random_state=0, scale_inputs=kind).fit(X, y)
        for kind in (None, "standard")
    ]

    def predictions():
        found = []
        for model in models:
            found += [model.forward(X), model.predict(X), model.predict_one(X[3])]
            found += [layer.a for layer in model.trace(X, y).layers]
        return [np.asarray(part).tobytes() for part in found]

    expected = predictions()
    with flushing_caller():
        got = predictions()
    assert got == expected


@pytest.mark.filterwarnings("ignore:all features are constant")
def test_trace_drops_the_outputs_that_forward_drops():
    model = constant_outputs("softmax", [-95.0, -93.0, 0.0])
    X, y = np.zeros((3, 64), "float32"), np.eye(3, dtype="float32")
    assert np.array_equal(model.trace(X, y)["output"].a, model.forward(X))
    assert model.forward(X)[0].tolist() == [0, 0, 1]


@pytest.mark.slow
def test_subnormal_rows_take_no_more_time_than_others(isa):
    Z = np.random.default_rng(0).normal(size=(2000, 64)).astype("float32")
    network = Network((64, 64, 64, 2), ("tanh", "tanh", "softmax"))
    network.set_flat(np.random.default_rng(1).normal(size=network.flat().size) / 8)
    for l in range(3):
        network.bias(l)[:] = 0
    run = Trainer(Backprop(network, "sparse_categorical_crossentropy", 500), None, {})
    labels, row = RowSource(np.zeros((2000, 1), np.int32)), RowPredictor(network)

    def seconds(X):
        best = np.inf
        for _ in range(5):
            began = time.perf_counter()
            BatchPredictor(network).forward(X)
            run.evaluate(RowSource(X), None, labels)
            for x in X[:100]:
                row.forward(x)
            best = min(best, time.perf_counter() - began)
        return best

    assert seconds(Z * np.float32(1e-40)) < 5 * seconds(Z)


@pytest.mark.parametrize("scale_inputs", [None, "minmax", "standard", "robust"])
@pytest.mark.parametrize("types", [("float32", "float64"), ("float64", "float32")])
def test_conversions_do_not_depend_on_the_callers_mode(scale_inputs, types):
    given, dtype = types
    rng = np.random.default_rng(3)
    X = (rng.normal(size=(40, 3)) * [1e-41, 1, 1e-39]).astype(given)
    y = rng.normal(size=40)

    def outputs():
        options = dict(scale_inputs=scale_inputs, dtype=dtype, optimizer="rprop", random_state=0)
        model = MLP(3, epochs=5, **options).fit(X, y)
        one = model.predict_one(X[0])
        return model.forward(X).tobytes(), one.tobytes(), model.parameters_.tobytes()

    expected = outputs()
    with flushing_caller():
        got = outputs()
    assert got == expected
