"""Arrays whose numbers stand at addresses that are no multiples of their size, as
`np.frombuffer(..., offset=1)` gives them: copied, with the bits of the copies."""

import numpy as np
import pytest
from cnn_core._checks import VECTOR, takes
from cnn_core._dataset import RowSource
from cnn_core._linalg import axpy, column_sums, dot, is_finite, scale_rows, transpose_panels
from mlp_cases import LINE, THREE, X

from cnn_core import MLP
from cnn_core import functional as F


def shifted(array, dtype=None):
    """The same numbers, a byte off."""
    array = np.ascontiguousarray(array, dtype)
    other = np.frombuffer(bytearray(array.nbytes + 1), array.dtype, offset=1).reshape(array.shape)
    other[...] = array
    assert not other.flags.aligned and other.flags.c_contiguous
    return other


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scaled", [None, "standard"])
def test_a_model_trains_and_predicts_as_with_aligned_arrays(dtype, scaled):
    rows, weights = X.astype(dtype), np.linspace(0, 1, 200)
    for y in (LINE, LINE.astype("float32"), THREE, np.eye(3)[THREE]):
        loss = "categorical_crossentropy" if np.ndim(y) == 2 else "auto"
        one, other = (
            MLP(6, epochs=2, random_state=0, dtype=dtype, scale_inputs=scaled, loss=loss)
            for _ in "ab"
        )
        one.fit(rows, y, sample_weight=weights, validation_data=(rows, y))
        there = shifted(rows), shifted(y)
        other.fit(there[0], there[1], sample_weight=shifted(weights), validation_data=there)
        one.partial_fit(rows, y)
        other.partial_fit(*there)
        assert np.array_equal(one.parameters_, other.parameters_)
        for name in ("forward", "predict"):
            assert np.array_equal(getattr(one, name)(rows), getattr(one, name)(there[0]))
            assert np.array_equal(getattr(one, name)(rows[:1]), getattr(one, name)(shifted(X[:1])))
        assert one.score(*there) == one.score(rows, y)
        assert one.evaluate(*there) == one.evaluate(rows, y)
        for mine, theirs in zip(one.loss_and_gradient(rows, y), one.loss_and_gradient(*there)):
            assert np.array_equal(mine, theirs)


def test_one_row_and_where_it_goes_may_be_misaligned():
    model = MLP(6, epochs=1, random_state=0).fit(X, THREE)
    wanted = model.predict_one(X[0])
    predictor = F.RowPredictor(model._fitted.network)
    assert predictor.forward(X[0]) is not None
    assert np.array_equal(predictor.forward(shifted(X[0])), wanted)
    assert np.array_equal(predictor.forward_checked(shifted(X[:1])), wanted[None])
    assert predictor.forward(X[0], shifted(wanted)) is None  # left to Python, which copies
    for x in (X[0], shifted(X[0])):
        for out in (None, np.empty_like(wanted), shifted(np.zeros_like(wanted))):
            a = model.predict_one(x, out=out)
            assert np.array_equal(a, wanted) and (out is None or a is out)
    with pytest.raises(ValueError, match="not contiguous"):
        model.predict_one(X[0], out=shifted(np.zeros(2 * len(wanted), "float32"))[::2])


def test_weights_may_be_assigned_from_misaligned_arrays():
    model = MLP(6, epochs=1, random_state=0).fit(X, THREE)
    before = model.parameters_
    model.weights_ = [shifted(W) for W in model.weights_]
    model.biases_ = [shifted(b) for b in model.biases_]
    assert np.array_equal(model.parameters_, before)
    model.parameters_ = shifted(before)
    assert np.array_equal(model.parameters_, before)
    layers = [(shifted(W), shifted(b)) for W, b in zip(model.weights_, model.biases_)]
    kept = MLP(6, init=layers, epochs=1, random_state=0, learning_rate=1e-300, optimizer="sgd")
    assert np.array_equal(kept.fit(shifted(X), THREE).parameters_, before)


def test_what_the_kernels_read_is_aligned():
    assert RowSource(shifted(X)).array.flags.aligned
    assert RowSource(X).array is X
    with pytest.raises(ValueError, match="C-contiguous"):
        RowSource(shifted(X)[:, ::2])
    seen = []

    @takes(x=VECTOR, out=VECTOR.as_output())
    def double(x, out):
        seen.extend((x, out))
        out[:] = 2 * x
        return out[:]

    x, out = shifted(X[0]), shifted(np.zeros(5, "float32"))
    assert double(x, out=out) is out and np.array_equal(out, 2 * x)
    assert double(x, x) is x and seen[2] is seen[3]  # one array stays one
    assert all(array.flags.aligned for array in seen)


def network_of(shift):
    """A network and its outputs, set by arrays of both kinds."""
    network = F.Network((5, 4, 3), ("tanh", "identity"))
    network.set_flat(shift(F.uniform(1, 2, 39).astype("float32")))
    network.set_layer(1, shift(np.ones((3, 4), "float32")), shift(np.zeros(3, "float32")))
    flat = network.flat()
    return network, np.concatenate((flat, F.BatchPredictor(network).forward(shift(X)).ravel()))


CALLS = {
    "matvec": lambda s: F.matvec(s(X[:3]), s(X[0]), s(X[0, :3])),
    "matmul": lambda s: F.matmul(s(X), s(np.ascontiguousarray(X[:4].T))),
    "affine": lambda s: F.affine(s(X), s(F.pack(X[:4])), s(np.ones(16, "f4")))[:, :4],
    "pack": lambda s: F.pack(s(X)),
    "unpack": lambda s: F.unpack(s(F.pack(X)), 200),
    "activation": lambda s: F.activation("gelu", s(X)),
    "activation_derivative": lambda s: F.activation_derivative("gelu", s(X)),
    "activation_backward": lambda s: F.activation_backward("gelu", s(X), s(X)),
    "activation_backward_along": lambda s: F.activation_backward_along(
        "gelu", s(X), s(X), s(X), s(X)),
    "loss": lambda s: F.loss("mse", s(X), s(2 * X), s(X[:, 0] ** 2))[1],
    "loss_curvature": lambda s: F.loss_curvature("huber", s(X), s(2 * X), s(X)),
    "sparse loss": lambda s: F.loss("sparse_categorical_crossentropy", s(X),
                                    s(THREE.astype("int32")))[1],
    "backward_delta": lambda s: F.backward_delta(s(X[:4]), s(np.ascontiguousarray(X[:, :4])), s(X),
                                                 "tanh"),
    "gradients": lambda s: F.gradients(s(X), s(X))[0],
    "dropout": lambda s: F.dropout(s(X), 0.5, 1, 2, 3)[0],
    "network": lambda s: network_of(s)[1],
    "Backprop": lambda s: F.Backprop(network_of(s)[0], "mse", 200).loss_and_gradient(
        s(X), s(np.ascontiguousarray(X[:, :3])))[1],
    "transpose_panels": lambda s: transpose_panels(s(F.pack(X[:16])), 16),
    "column_sums": lambda s: column_sums(s(X), s(np.ones(5)), 2),
    "dot": lambda s: np.array(dot(s(X.ravel()[:992]), s(X.ravel()[:992]))),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_the_pieces_give_the_bits_of_aligned_arrays(name):
    assert np.array_equal(CALLS[name](shifted), CALLS[name](lambda array: array))


def test_the_pieces_write_into_misaligned_arrays():
    wanted = F.affine(X, F.pack(X[:4]))
    out = shifted(np.zeros_like(wanted))
    assert F.affine(X, F.pack(X[:4]), out=out) is out and np.array_equal(out, wanted)
    out = shifted(np.zeros_like(X))
    assert F.unpack(F.pack(X), 200, out) is out and np.array_equal(out, X)
    out = shifted(np.zeros_like(F.pack(X)))
    assert np.array_equal(F.pack(X, out), F.pack(X)) and np.array_equal(out, F.pack(X))
    x, out = X.ravel()[:992].copy(), shifted(np.zeros(992, "float32"))
    F.apply_math_function("exp", shifted(x), out)
    F.apply_math_function("exp", x, x)
    assert np.array_equal(out, x)
    y, other = shifted(np.ones(992, "float32")), np.ones(992, "float32")
    axpy(2.0, shifted(x), y)
    axpy(2.0, x, other)
    assert np.array_equal(y, other)
    out, other = shifted(np.zeros_like(X)), np.zeros_like(X)
    scale_rows(shifted(X), np.ones(5), shifted(np.ones(5)), out)
    scale_rows(X, np.ones(5), np.ones(5), other)
    assert np.array_equal(out, other)
    assert is_finite(shifted(X)) and not is_finite(shifted(X * np.nan))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_drop_in_trains_and_predicts_as_with_aligned_arrays(dtype):
    pytest.importorskip("sklearn", minversion="1.9")
    from cnn_core.sklearn import MLPClassifier, MLPRegressor

    rows, weights = X.astype(dtype), np.linspace(1, 2, 200)
    options = {"hidden_layer_sizes": (6,), "max_iter": 9, "tol": 1e9, "n_iter_no_change": 1}
    for make, y in ((MLPClassifier, THREE), (MLPRegressor, LINE)):
        one, other = (make(**options, random_state=0) for _ in "ab")
        one.fit(rows, y, weights)
        other.fit(shifted(rows), shifted(y), shifted(weights))
        assert all(np.array_equal(a, b) for a, b in zip(one.coefs_, other.coefs_))
        assert np.array_equal(one.predict(rows), one.predict(shifted(rows)))
        assert np.array_equal(one.predict(rows[:1]), one.predict(shifted(rows[:1])))
        other.coefs_ = [shifted(coef) for coef in one.coefs_]
        other.intercepts_ = [shifted(intercept) for intercept in one.intercepts_]
        assert np.array_equal(other.predict(rows), one.predict(rows))
        network = F.Network((5, 2), ("identity",), dtype)
        assert not network.equals(0, shifted(np.zeros((5, 2), dtype)), np.zeros(2, dtype))
