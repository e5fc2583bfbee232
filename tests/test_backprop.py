"""The network and its gradients: against NumPy, against finite differences, and to the bit between
all paths."""

import pickle

import numpy as np
import pytest
from cnn_core._backprop import Backprop
from cnn_core._cpu import use_instruction_set
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._predict import BatchPredictor
from cnn_core._random import uniform
from cnn_core._trainer import Trainer
from reference_numpy import same_bits

from cnn_core import _activations, _backprop, _linalg, _losses, _predict

STEPS = ("step", "sign")  # derivative 0
#: For the activations with a number to choose: another one than the literature's.
PARAMS = [("leaky_relu", 0.3), ("leaky_relu", 0.0), ("elu", 2.5)]
WIDTHS = [(1, 1), (3, 2), (5, 7, 3), (15, 16, 17), (33, 8, 1, 4), (16, 31, 33, 9), (40, 130, 10)]


def numbers(seed, *shape, dtype="float64"):
    """Numbers in [-1, 1) that do not depend on NumPy's generators."""
    return (2 * uniform(seed, 0, int(np.prod(shape))) - 1).reshape(shape).astype(dtype)


def make_network(widths, activations, dtype, seed=1, activation_params=None):
    network = Network(widths, activations, dtype, activation_params)
    network.set_flat(numbers(seed, network.flat().size) * 1.5)
    return network


def numpy_forward(network, X):
    a = X.astype(np.float64)
    for l, (name, param) in enumerate(zip(network.activations, network.activation_params)):
        z = a @ network.weights(l).astype(np.float64).T + network.bias(l)
        a = _activations.activation(name, z, param)
    return a


def targets(loss, network, rows, seed=5):
    row, n_out = _losses.table()[loss], network.widths[-1]
    if row.sparse:
        return (numbers(seed, rows) * 1e6).astype(np.int64) % n_out
    if loss == "categorical_crossentropy":
        return np.eye(n_out)[(numbers(seed, rows) * 1e6).astype(np.int64) % n_out]
    y = numbers(seed, rows, n_out)
    if loss == "hinge":
        return np.sign(y)
    if loss == "poisson":
        return np.floor(4 * np.abs(y))
    return (y + 1) / 2 if row.low == 0 else y


def pairs():
    """Every output activation with every loss that goes with it; those of several outputs a target
    are in test_heads.py."""
    for loss, row in _losses.table().items():
        if row.heads != 1:
            continue
        for name in row.fused_activations or _activations.names():
            yield name, loss


@pytest.mark.parametrize("widths", WIDTHS)
def test_forward_agrees_with_numpy(widths, isa, dtype):
    network = make_network(widths, ("tanh",) * (len(widths) - 2) + ("identity",), dtype)
    X = numbers(2, 50, widths[0], dtype=dtype)
    tolerance = (
        1e-13 if dtype == "float64" else 2e-5
    )  # sums of up to 130 terms, activations of 3 ulp
    np.testing.assert_allclose(
        BatchPredictor(network).forward(X),
        numpy_forward(network, X),
        rtol=tolerance,
        atol=tolerance,
    )


@pytest.mark.parametrize("widths", WIDTHS)
def test_every_path_gives_the_bits_of_the_oracle(widths, isa, dtype):
    network = make_network(widths, ("sigmoid",) * (len(widths) - 2) + ("softmax",), dtype)
    loss = "sparse_categorical_crossentropy"
    X = numbers(2, 61, widths[0], dtype=dtype)
    y = targets(loss, network, 61)

    def everything():
        cost, gradient = Backprop(network, loss, 61).loss_and_gradient(X, y)
        return (
            BatchPredictor(network).forward(X).tobytes()
            + gradient.tobytes()
            + np.float64(cost).tobytes()
        )

    here = everything()
    use_instruction_set("generic")  # the isa fixture restores
    assert here == everything()


@pytest.mark.parametrize("output, loss", list(pairs()))
def test_every_activation_and_loss_gives_the_bits_of_the_oracle(
    output, loss, vector_isa, dtype, on_generic
):
    hidden = output if output != "exp" else "softplus"  # e^(e^z) overflows
    network = make_network((9, 17, 21, 5), (hidden, hidden, output), dtype)
    X, y = numbers(2, 61, 9, dtype=dtype), targets(loss, network, 61)

    def everything():
        cost, gradient = Backprop(network, loss, 61).loss_and_gradient(X, y)
        return (
            BatchPredictor(network).forward(X).tobytes()
            + gradient.tobytes()
            + np.float64(cost).tobytes()
        )

    assert everything() == on_generic(everything)


def padded_bias(network, l):
    lanes = 64 // network.dtype.itemsize
    padded = np.zeros(-(-network.widths[l + 1] // lanes) * lanes, network.dtype)
    padded[: network.widths[l + 1]] = network.bias(l)
    return padded


def step_by_step(network, loss, X, y):
    """The gradient, by the equations one after the other, on rows as they stand."""
    inputs, zs, a, last = [], [], X, network.n_layers - 1
    for l in range(network.n_layers):
        inputs.append(a)
        zs.append(
            _linalg.affine(a, network.panels(l), padded_bias(network, l))[
                :, : network.widths[l + 1]
            ].copy()
        )
        a = _activations.activation(network.activations[l], zs[l])
    from_logits = bool(_losses.table()[loss].fused_activations)
    scale = np.full(len(X), 1 / len(X)).astype(X.dtype)
    _, delta = _losses.loss(loss, zs[last] if from_logits else a, y, scale)
    if not from_logits:
        delta = _activations.activation_backward(network.activations[last], zs[last], delta)
    parts = []
    for l in range(last, -1, -1):
        dW, db = _backprop.gradients(delta, inputs[l])
        parts = [dW.ravel(), db, *parts]
        if l:
            delta = _backprop.backward_delta(
                network.weights(l), delta, zs[l - 1], network.activations[l - 1]
            )
    return np.concatenate(parts)


OUTPUTS = [("identity", "mse"), ("tanh", "mae"), ("gelu", "huber"), ("softmax", "mse"),
           ("sigmoid", "binary_crossentropy"),
           ("softmax", "categorical_crossentropy"), ("softmax", "sparse_categorical_crossentropy"),
           ("exp", "poisson"),
           ("tanh", "hinge"), ("step", "perceptron")]  # fmt: skip


@pytest.mark.parametrize("output, loss", OUTPUTS)
@pytest.mark.parametrize("n_out", [1, 5, 16])
def test_a_last_layer_on_its_side_gives_the_bits_of_the_equations_one_after_the_other(
    output, loss, n_out, isa, dtype
):
    network = make_network((9, 17, 21, n_out), ("tanh", "tanh", output), dtype)
    if output == "exp":
        network.set_flat(0.1 * network.flat())
    X, y = numbers(2, 150, 9, dtype=dtype), targets(loss, network, 150)
    y = y if _losses.table()[loss].sparse else y.astype(dtype)
    for rows in (1, 16, 61, 150):  # of 150 a run on one thread takes 64 at a time
        backprop = Backprop(network, loss, rows)
        if dtype == "float32":
            assert backprop.transposed == (
                n_out < 16 and (output != "softmax" or backprop.loss.from_logits)
            )
        expected = step_by_step(network, loss, X[:rows], y[:rows])
        assert same_bits(backprop.loss_and_gradient(X[:rows], y[:rows])[1], expected)
        run = Trainer(backprop, None, {})
        labels = RowSource(y[:rows, None].astype(np.int32)) if backprop.loss.sparse else None
        run.loss_and_gradient(
            RowSource(X[:rows]), None if backprop.loss.sparse else RowSource(y[:rows]), labels
        )
        assert same_bits(run.flat_gradient(), expected)


def assert_gradients_agree_with_finite_differences(network, loss):
    """And are exactly 0 where a step lies between them and the cost.

    No corner of a function is nearer than h to these z: with the seeds of `numbers`, the
    differences say so themselves.
    """
    X = numbers(3, 11, 4)
    y = targets(loss, network, 11)
    backprop = Backprop(network, loss, 11)
    if "exp" in network.activations:
        network.set_flat(
            0.3 * network.flat()
        )  # or it would be an exponential of exponentials of tens
    cost, gradient = backprop.loss_and_gradient(X, y)
    w = network.flat()
    numeric = np.empty_like(w)
    h = 1e-6
    for i in range(len(w)):
        costs = []
        for step in (h, -h):
            shifted = w.copy()
            shifted[i] += step
            network.set_flat(shifted)
            costs.append(backprop.loss_and_gradient(X, y)[0])
        numeric[i] = (costs[0] - costs[1]) / (2 * h)
    # Central differences: rounding of the costs, about 1e-16 cost / h, and the third derivative
    # times h^2.
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=2e-9 * (1 + abs(cost)))

    # The loss takes in the output activation when it works on z.
    names = network.activations[: network.n_layers - backprop.loss.from_logits]
    cut_off = max((l + 1 for l, name in enumerate(names) if name in STEPS), default=0)
    sizes = [n_out * (n_in + 1) for n_in, n_out in zip(network.widths, network.widths[1:])]
    below, above = np.split(gradient, [sum(sizes[:cut_off])])
    assert not below.any()
    assert above.any() or cut_off == network.n_layers


@pytest.mark.slow
@pytest.mark.parametrize("hidden", _activations.names())
@pytest.mark.parametrize("output, loss", list(pairs()))
def test_gradients_agree_with_finite_differences(hidden, output, loss):
    # On the best instruction set alone: the test above says that the others give the same bits.
    network = make_network((4, 6, 5, 3), (hidden, hidden, output), "float64")
    assert_gradients_agree_with_finite_differences(network, loss)


@pytest.mark.parametrize("name, param", PARAMS)
def test_gradients_with_another_number_agree_with_finite_differences(name, param, isa):
    for activations, params in (
        ((name, "tanh", "identity"), (param, None, None)),
        (("tanh", name, "identity"), (None, param, None)),
        ((name, name, name), (param, None, param)),
    ):
        network = make_network((4, 6, 5, 3), activations, "float64", activation_params=params)
        assert_gradients_agree_with_finite_differences(network, "mse")


@pytest.mark.parametrize("name, param", PARAMS)
def test_each_layer_has_its_own_number(name, param, isa, dtype):
    activations, params = (name, "relu", name), (param, None, None)
    network = make_network((5, 7, 6, 3), activations, dtype, activation_params=params)
    assert network.activation_params == (param, 0.0, _activations.parameters()[name][1])
    X = numbers(2, 50, 5, dtype=dtype)
    tolerance = 1e-13 if dtype == "float64" else 2e-5
    np.testing.assert_allclose(
        BatchPredictor(network).forward(X),
        numpy_forward(network, X),
        rtol=tolerance,
        atol=tolerance,
    )
    other = make_network((5, 7, 6, 3), (name, "relu", name), dtype)
    assert not np.array_equal(BatchPredictor(network).forward(X), BatchPredictor(other).forward(X))


def test_gradient_is_the_mean_of_the_rows_gradients(isa, dtype):
    network = make_network((7, 19, 4), ("relu", "softmax"), dtype)
    loss = "categorical_crossentropy"
    X, y = numbers(3, 53, 7), targets(loss, network, 53)
    backprop = Backprop(network, loss, 53)
    cost, gradient = backprop.loss_and_gradient(X, y)
    rows = [backprop.loss_and_gradient(X[i : i + 1], y[i : i + 1]) for i in range(53)]
    tolerance = 1e-14 if dtype == "float64" else 1e-6
    assert cost == pytest.approx(np.mean([c for c, _ in rows]), rel=10 * tolerance)
    np.testing.assert_allclose(
        gradient, np.mean([g for _, g in rows], axis=0, dtype="float64"), atol=tolerance
    )


@pytest.mark.parametrize("rows", [1, 5, 47, 48, 49, 97])
def test_gradient_has_no_trace_of_an_earlier_larger_batch(rows, isa):
    network = make_network((6, 9, 3), ("tanh", "softmax"), "float32")
    loss = "sparse_categorical_crossentropy"
    X, y = numbers(3, 100, 6), targets(loss, network, 100)
    used = Backprop(network, loss, 100)
    used.loss_and_gradient(X * 100, y)
    assert np.array_equal(
        used.loss_and_gradient(X[:rows], y[:rows])[1],
        Backprop(network, loss, rows).loss_and_gradient(X[:rows], y[:rows])[1],
    )


def test_padding_of_the_gradient_stays_zero(isa, dtype):
    network = make_network((5, 18, 3), ("sigmoid", "softmax"), dtype)
    backprop = Backprop(network, "mse", 20)
    backprop.loss_and_gradient(numbers(3, 20, 5), targets("mse", network, 20))
    for l in range(2):
        panels = network.panels(l, backprop.gradient)
        lanes = panels.shape[2]
        padding = panels.transpose(0, 2, 1).reshape(-1, panels.shape[1])[network.widths[l + 1] :]
        assert lanes * panels.shape[0] - len(padding) == network.widths[l + 1]
        assert not padding.any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_input_reaches_its_own_row_and_no_other(bad, isa, dtype):
    network = make_network((9, 33, 17, 5), ("relu", "tanh", "softmax"), dtype)
    X = numbers(3, 60, 9, dtype=dtype)
    clean = BatchPredictor(network).forward(X)
    X[50, 4] = bad
    dirty = BatchPredictor(network).forward(X)
    others = np.arange(60) != 50
    assert dirty[others].tobytes() == clean[others].tobytes()
    assert not np.array_equal(dirty[50], clean[50])
    if np.isnan(bad):
        assert np.isnan(dirty[50]).all()


@pytest.mark.parametrize(
    "activation, param", [*((name, None) for name in _activations.names()), *PARAMS]
)
def test_backward_delta_is_the_recursion_of_the_textbook(activation, param, isa, dtype):
    W, delta, z = (
        numbers(1, 6, 21, dtype=dtype),
        numbers(2, 10, 6, dtype=dtype),
        numbers(3, 10, 21, dtype=dtype),
    )
    got = _backprop.backward_delta(W, delta, z, activation, param)
    g = delta.astype("float64") @ W.astype("float64")
    derivative = _activations.activation_derivative(activation, z.astype("float64"), param)
    expected = np.einsum("ri,rij->rj", g, derivative) if derivative.ndim == 3 else g * derivative
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13 if dtype == "float64" else 1e-5)


def test_gradients_of_one_layer_are_delta_times_a(isa, dtype):
    delta, a = numbers(1, 30, 5, dtype=dtype), numbers(2, 30, 20, dtype=dtype)
    dW, db = _backprop.gradients(delta, a)
    tolerance = 1e-13 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(dW, delta.astype("float64").T @ a, atol=tolerance)
    np.testing.assert_allclose(db, delta.sum(axis=0, dtype="float64"), atol=tolerance)


def test_flat_has_the_order_of_the_textbook():
    network = Network((2, 3, 1), ("relu", "identity"), "float64")
    network.set_layer(0, [[1, 2], [3, 4], [5, 6]], [7, 8, 9])
    network.set_layer(1, [[10, 11, 12]], [13])
    assert network.flat().tolist() == list(range(1, 14))
    other = Network((2, 3, 1), ("relu", "identity"), "float64")
    other.set_flat(network.flat())
    assert other.parameters.tobytes() == network.parameters.tobytes()


def test_copies_and_pickles_are_equal_and_independent():
    network = make_network((5, 20, 3), ("elu", "softmax"), "float32", activation_params=(0.3, None))
    for other in (network.copy(), pickle.loads(pickle.dumps(network))):
        assert other.parameters.tobytes() == network.parameters.tobytes()
        assert (other.widths, other.activations, other.dtype) == (
            network.widths,
            network.activations,
            network.dtype,
        )
        assert other.activation_params == network.activation_params
        assert np.array_equal(
            BatchPredictor(other).forward(numbers(2, 9, 5, dtype="float32")),
            BatchPredictor(network).forward(numbers(2, 9, 5, dtype="float32")),
        )
        before = network.flat()
        other.parameters[:] = 0
        assert np.array_equal(network.flat(), before)


@pytest.mark.parametrize("kind", [Network, Backprop])
def test_no_object_exists_without_its_buffers(kind):
    with pytest.raises(TypeError, match="argument"):
        kind.__new__(kind)


def test_setting_up_again_changes_nothing():
    network = make_network((3, 2), ("relu",), "float64")
    backprop, before = Backprop(network, "mse", 4), network.flat()
    network.__init__((5, 7), ("tanh",))
    backprop.__init__(Network((300, 200), ("tanh",)), "mae", 400)
    assert network.widths == (3, 2) and np.array_equal(network.flat(), before)
    assert (backprop.network, backprop.loss.name, backprop.max_batch_size) == (network, "mse", 4)


def test_two_linear_layers_are_one_linear_map(isa):
    two = make_network((6, 20, 4), ("identity", "identity"), "float64")
    one = Network((6, 4), ("identity",), "float64")
    one.set_layer(0, two.weights(1) @ two.weights(0), two.weights(1) @ two.bias(0) + two.bias(1))
    X = numbers(9, 30, 6)
    np.testing.assert_allclose(
        BatchPredictor(one).forward(X), BatchPredictor(two).forward(X), atol=1e-13
    )


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Network((3,), ()), "at least two layers"),
        (lambda: Network((3, 0, 1), ("relu", "relu")), "one neuron or more"),
        (lambda: Network((3, 2), ("relu", "relu")), "1 layers need as many activations, got 2"),
        (lambda: Network((3, 2), ("rleu",)), "did you mean 'relu'"),
        (
            lambda: Network((3, 2), ("relu",), activation_params=(0.5, 0.5)),
            "1 layers need as many activation_params, got 2",
        ),
        (
            lambda: Network((3, 2), ("elu",), activation_params=(-0.1,)),
            r"activation_params\[0\] must be a finite number at least 0, got -0.1",
        ),
        (
            lambda: Network((3, 2, 1), ("relu", "elu"), activation_params=(None, np.nan)),
            r"activation_params\[1\] .* got nan",
        ),
        (
            lambda: Network((3, 2), ("leaky_relu",), activation_params=(np.inf,)),
            r"activation_params\[0\] .* got inf",
        ),
        (
            lambda: Network((3, 2), ("relu",), activation_params=(0.3,)),
            r"activation_params\[0\] must be None: relu takes no number, got 0.3",
        ),
        (lambda: Network((3, 2), ("relu",), "float16"), "float32 or float64, got float16"),
        (lambda: Network((3, 2), ("relu",)).set_flat(np.zeros(7)), "8 parameters"),
        (
            lambda: Network((3, 2), ("relu",)).set_layer(0, np.zeros((3, 2)), np.zeros(2)),
            r"\(2, 3\)",
        ),
        (
            lambda: BatchPredictor(Network((3, 2), ("relu",))).forward(np.zeros((4, 2), "f")),
            r"\(rows, 3\)",
        ),
        (lambda: BatchPredictor(Network((3, 2), ("relu",))).forward(np.zeros((4, 3))), "float32"),
        (lambda: Backprop(Network((3, 2), ("relu",)), "mes", 4), "did you mean 'mse'"),
        (
            lambda: Backprop(Network((3, 2), ("relu",)), "categorical_crossentropy", 4),
            "needs the output activation 'softmax'",
        ),
        (
            lambda: Backprop(Network((3, 2), ("relu",)), "mse", 4).loss_and_gradient(
                np.zeros((5, 3)), np.zeros((5, 2))
            ),
            "1 to 4 rows",
        ),
    ],
)
def test_wrong_shapes_and_names_are_clear_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_layer_that_is_not_there_is_an_index_error():
    with pytest.raises(IndexError, match="layer 1 does not exist"):
        Network((3, 2), ("relu",)).weights(1)


def test_sizes_beyond_memory_are_a_memory_error():
    with pytest.raises(MemoryError, match="cannot allocate"):
        Network((2**40, 2**40), ("relu",))


@pytest.mark.parametrize("widths", [(3, 5, 1), (1, 8, 16), (2, 9, 17), (4, 33, 20)])
def test_a_network_knows_whether_it_holds_given_weights(widths, dtype):
    network = Network(widths, ("relu", "identity"), dtype)
    network.set_flat(np.arange(1, network.flat().size + 1) / 7)
    for l in range(2):
        Wt, b = np.ascontiguousarray(network.weights(l).T), network.bias(l).copy()
        assert network.equals(l, Wt, b)
        for array in (Wt, b):
            for i in range(array.size):
                before = array.flat[i]
                array.flat[i] = np.nextafter(before, np.inf, dtype=before.dtype)
                assert not network.equals(l, Wt, b)
                array.flat[i] = before
        Wt.flags.writeable = False
        assert network.equals(l, Wt, b)
        for other in (
            Wt.astype("float32" if dtype == "float64" else "float64"),
            Wt[:, :-1],
            Wt.tolist(),
            None,
            Wt[None],
        ):
            assert not network.equals(l, other, b)
        if min(Wt.shape) > 1:
            assert not network.equals(l, np.asfortranarray(Wt), b)


# Many rows at once

NETS = [((8, 16, 2), ("relu", "softmax"), True), ((24, 8, 2), ("tanh", "sigmoid"), True),
        ((3, 5, 1), ("gelu", "identity"), True),
        ((1, 1), ("sigmoid",), True), ((17, 33, 20), ("relu", "sigmoid"), True),
        ((30, 9, 17), ("tanh", "softmax"), False),
        ((9, 5, 3), ("softmax", "identity"), True), ((9, 20, 3), ("softmax", "identity"), False),
        ((784, 128, 10), ("relu", "softmax"), False)]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("widths, activations, transposed", NETS)
def test_many_rows_have_the_bits_of_each_row_alone(widths, activations, transposed, isa, dtype):
    network = make_network(widths, activations, dtype)
    if dtype == "float32":
        assert network.prefers_transposed == transposed  # so both layouts are tested
    X = numbers(3, 300, widths[0], dtype=dtype)
    one = _predict.RowPredictor(network)
    alone = np.array([one.forward(x) for x in X])
    for rows in (1, 2, 15, 16, 17, 127, 128, 129, 300):
        assert same_bits(BatchPredictor(network).forward(X[-rows:]), alone[-rows:])
        assert same_bits(BatchPredictor(network).forward(X[-rows:], 3), alone[-rows:])


@pytest.mark.parametrize("widths, activations, transposed", NETS)
def test_argmax_is_where_the_output_is_largest(widths, activations, transposed, isa, dtype):
    network = make_network(widths, activations, dtype)
    X = numbers(3, 300, widths[0], dtype=dtype)
    a = BatchPredictor(network).forward(X)
    wanted = a[:, 0] > 0.4 if widths[-1] == 1 else a.argmax(axis=1)
    for rows in (1, 16, 129, 300):
        assert np.array_equal(BatchPredictor(network).argmax(X[:rows], 0.4), wanted[:rows])
    with pytest.raises(ValueError, match="X must have shape"):
        BatchPredictor(network).argmax(X[:, 1:])


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("widths, activations, transposed", NETS)
def test_rows_that_are_not_finite_are_refused_wherever_they_are(
    widths, activations, transposed, threads, isa
):
    network = make_network(widths, activations, "float32")
    X = numbers(3, 300, widths[0], dtype="float32")
    outputs = BatchPredictor(network).forward(X)
    assert same_bits(BatchPredictor(network).forward(X, threads, check_finite=True), outputs)
    assert np.array_equal(
        BatchPredictor(network).argmax(X, 0.5, threads, check_finite=True),
        BatchPredictor(network).argmax(X),
    )
    for row, column in ((0, 0), (127, -1), (128, 0), (299, -1)):
        for value in (np.nan, np.inf, -np.inf):
            bad = X.copy()
            bad[row, column] = value
            assert BatchPredictor(network).forward(bad, threads, check_finite=True) is None
            assert BatchPredictor(network).argmax(bad, 0.5, threads, check_finite=True) is None
            assert BatchPredictor(network).forward(bad, threads).shape == outputs.shape


def test_of_equal_outputs_the_first_wins(isa, dtype):
    network = Network((3, 4), ("identity",), dtype)
    network.set_flat(np.concatenate([np.zeros(12), [1, 2, 2, 0]]))
    assert BatchPredictor(network).argmax(np.zeros((20, 3), dtype)).tolist() == [1] * 20
