"""Products of the Hessian with a vector: exact, and the same bits however they are computed."""

import numpy as np
import pytest
from cnn_core._activations import names as activations
from cnn_core._backprop import Backprop
from cnn_core._hessian import HessianProduct
from cnn_core._network import Network
from cnn_core._random import uniform
from cnn_core.reference import Trainer, hessian_vector_product
from cnn_core.spec import TrainingSpec
from reference_numpy import same_bits

from cnn_core import MLP, Embedding, PeriodicEmbedding, _cpu, _losses

RNG = np.random.default_rng(3)
X = RNG.normal(size=(61, 5))
TWO, THREE = (X[:, 0] > 0).astype(int), np.digitize(X[:, 0], [-0.5, 0.5])
LINE = X @ [1.0, -2, 0, 0, 3]
SPARSE = "sparse_categorical_crossentropy"
#: Loss, output activation and width; widths around a panel and beyond it.
OUTPUTS = [
    *((name, row.fused_activations[0], 3 * _losses.heads(name))
      for name, row in _losses.table().items()
      if row.fused_activations),
    *((name, "tanh", 2) for name, row in _losses.table().items() if not row.fused_activations),
    ("mse", "softmax", 17), (SPARSE, "softmax", 40), ("binary_crossentropy", "sigmoid", 1),
]  # fmt: skip
#: Features, periodic and tables.
EMBEDDED = {
    "tables": (3, (), ((4, 3), (11, 6))),
    "periodic": (19, (tuple(range(17)), 10, 3), ()),
    "both": (5, ((0, 3), 9, 2), ((7, 2),)),
}


def network_of(widths, kinds, dtype="float64", periodic=(), tables=(), scale=0.8):
    params = [0.3 if kind in ("leaky_relu", "elu") else None for kind in kinds]
    network = Network(widths, kinds, dtype, params, True, tables, periodic)
    network.set_flat((2 * uniform(1, 0, network.flat().size) - 1) * scale)
    return network


def rows_of(network, loss, rows=37):
    n_tables = len(network.embeddings)
    X = 2 * uniform(2, 0, rows * network.n_features).reshape(rows, -1) - 1
    if n_tables:
        X[:, -n_tables:] = np.floor(uniform(3, 0, rows * n_tables).reshape(rows, -1) * 12)
    width = network.widths[-1]
    width //= _losses.heads(loss)
    y = (uniform(4, 0, rows * width).reshape(rows, width) > 0.5) * 1.0
    if loss == SPARSE:
        y = y.cumsum(axis=1)[:, -1].astype(np.int32) % width
    return X.astype(network.dtype), y if loss == SPARSE else y.astype(network.dtype)


def product(network, v, loss, X, y, l2=0.3, threads=1):
    direction = network.copy()
    direction.set_flat(v)
    return HessianProduct(network, direction, loss, len(X), None, l2).of_rows(X, y, threads)


def along(network, index=0):
    return 2 * uniform(9, index, network.flat().size) - 1


def differences(network, v, loss, X, y, h=2e-6):
    ends = []
    for step in (h, -h):
        moved = network.copy()
        moved.set_flat(network.flat() + step * v)
        ends.append(Backprop(moved, loss, len(X), None, 0.01, 0.3).loss_and_gradient(X, y)[1])
    return (ends[0] - ends[1]) / (2 * h)


def assert_exact(network, loss):
    X, y = rows_of(network, loss)
    v = along(network)
    got = product(network, v, loss, X, y)
    trainer = Trainer(TrainingSpec(loss, batch_size=len(X), l1=0.01, l2=0.3), network)
    plain = hessian_vector_product(trainer, v.tolist(), X.tolist(), y.tolist())
    size = np.abs(got).max()
    np.testing.assert_allclose(got, plain, rtol=1e-11, atol=1e-13 * size)
    np.testing.assert_allclose(got, differences(network, v, loss, X, y), atol=2e-8 * max(1, size))


@pytest.mark.parametrize("name", activations())
def test_every_hidden_activation_bends_the_cost_as_differences_say(name):
    assert_exact(network_of((5, 9, 4, 3), (name, name, "softmax")), SPARSE)


@pytest.mark.parametrize("loss, output, width", OUTPUTS)
def test_every_loss_bends_the_cost_as_differences_say(loss, output, width):
    assert_exact(network_of((5, 6, width), ("gelu", output)), loss)


@pytest.mark.parametrize("name", EMBEDDED)
def test_embeddings_are_part_of_the_curvature(name):
    n, periodic, tables = EMBEDDED[name]
    embedded = len(periodic[0]) * periodic[2] if periodic else 0
    n_in = n + embedded + sum(width for _, width in tables)
    assert_exact(network_of((n_in, 7, 3), ("tanh", "softmax"), periodic=periodic, tables=tables),
                 SPARSE)  # fmt: skip


def test_columns_of_the_hessian_are_those_of_a_net_worked_out_by_hand():
    # a = w2 tanh(w1 x), C = (a - y)^2 / 2 of one row.
    w1, w2, x, y = 0.7, -1.3, 0.9, 0.4
    network = Network((1, 1, 1), ("tanh", "identity"), "float64", bias=False)
    network.set_flat([w1, w2])
    columns = [product(network, v, "mse", [[x]], [[y]], 0) for v in np.eye(2)]
    h, e = np.tanh(w1 * x), w2 * np.tanh(w1 * x) - y
    slope = 1 - h * h
    mixed = (2 * w2 * h - y) * slope * x
    wanted = [[(w2 * slope * x) ** 2 - 2 * e * w2 * h * slope * x**2, mixed], [mixed, h * h]]
    np.testing.assert_allclose(columns, wanted, rtol=1e-14)


def test_the_hessian_is_symmetric_and_linear_in_its_direction(dtype):
    network = network_of((30, 64, 32, 7), ("mish", "elu", "softmax"), dtype, scale=0.3)
    X, y = rows_of(network, SPARSE)
    u, v = along(network, 1), along(network, 2)
    Hu, Hv = (product(network, one, SPARSE, X, y).astype(float) for one in (u, v))
    eps = np.finfo(dtype).eps
    assert abs(u @ Hv - v @ Hu) <= 100 * eps * np.abs(u * Hv).sum()
    both = product(network, u + v, SPARSE, X, y)
    np.testing.assert_allclose(both, Hu + Hv, atol=200 * eps * np.abs(Hu).max())


@pytest.mark.parametrize("kinds", [("gelu", "tanh", "softmax"), ("softmax", "mish", "softmax")])
@pytest.mark.parametrize("embedded", [None, "both"])
def test_bits_do_not_depend_on_threads_or_instruction_set(kinds, embedded, dtype, on_generic):
    n, periodic, tables = EMBEDDED[embedded] if embedded else (53, (), ())
    widths = (n + (6 if embedded else 0), 70, 33, 5)
    network = network_of(widths, kinds, dtype, periodic, tables, 0.4)
    X, y = rows_of(network, SPARSE, 531)
    args = network, along(network), SPARSE, X, y, 0.3
    wanted = on_generic(product, *args, 1)
    for isa in _cpu.instruction_sets():
        before = _cpu.use_instruction_set(isa)
        try:
            for threads in (1, 3) if isa != "generic" else (2,):
                assert same_bits(product(*args, threads), wanted), (isa, threads)
        finally:
            _cpu.use_instruction_set(before)


def test_a_product_may_be_asked_for_again_and_with_fewer_rows():
    network = network_of((5, 6, 3), ("tanh", "softmax"))
    X, y = rows_of(network, SPARSE, 700)
    one = HessianProduct(network, network.copy(), SPARSE, 700)
    first = one.of_rows(X, y)
    few = one.of_rows(X[:3], y[:3])
    assert same_bits(one.of_rows(X, y), first)
    assert same_bits(few, HessianProduct(network, network.copy(), SPARSE, 3).of_rows(X[:3], y[:3]))


CASES = {
    "classes": (dict(hidden=(17, 4), activation=("tanh", "gelu")), X, THREE),
    "scaled": (dict(hidden=6, scale_inputs="standard", scale_targets="standard"), X, LINE),
    "no biases": (dict(hidden=6, bias=False, activation="swish"), X, TWO),
    "linear": (dict(hidden=()), X, LINE),
    "numbers": (dict(hidden=6, numeric_embedding=PeriodicEmbedding(5, 2)), X, LINE),
    "categories": (dict(hidden=6, columns={"a": Embedding(2)}),
                   {"a": np.array(list("xyz"))[THREE], "b": X[:, 1]}, LINE),
}  # fmt: skip


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("name", CASES)
def test_a_model_shows_the_curvature_of_its_cost(name, backend):
    options, X, y = CASES[name]
    model = MLP(**options, epochs=2, random_state=0, dtype="float64", l2=0.1, l1=0.01).fit(X, y)
    before, h = model.parameters_, 1e-5
    v = along(model._fitted.network)
    at = before + 0.05 * v
    ends = [model.loss_and_gradient(X, y, parameters=at + step * v)[1] for step in (h, -h)]
    model.set_params(backend=backend)
    got = model.hessian_vector_product(X, y, v, parameters=at)
    np.testing.assert_allclose(got, (ends[0] - ends[1]) / (2 * h), rtol=1e-6, atol=1e-6)
    assert np.array_equal(model.parameters_, before)
    model.parameters_ = at
    assert same_bits(model.hessian_vector_product(X, y, v), got)


@pytest.mark.parametrize("v, message", [
    (np.zeros(3), r"v must have a number for each of the 29 parameters, shape \(29,\), got .*\(3,"),
    (np.zeros((29, 1)), r"shape \(29, 1\)"),
    (np.full(29, np.nan), "v .*finite|NaN"),
])  # fmt: skip
def test_a_direction_of_another_shape_is_refused(v, message):
    model = MLP(4, epochs=1, random_state=0).fit(X, LINE)
    with pytest.raises(ValueError, match=message):
        model.hessian_vector_product(X, LINE, v)


@pytest.mark.parametrize("change, message", [
    (dict(direction=network_of((5, 7, 3), ("tanh", "softmax"))), "same shape"),
    (dict(loss="poisson"), "needs the output activation 'exp', got 'softmax'"),
    (dict(max_rows=0), "max_rows must be at least 1"),
])  # fmt: skip
def test_what_does_not_fit_the_network_is_refused(change, message):
    network = network_of((5, 6, 3), ("tanh", "softmax"))
    given = dict(network=network, direction=network.copy(), loss=SPARSE, max_rows=9) | change
    with pytest.raises(ValueError, match=message):
        HessianProduct(**given)


def test_rows_that_do_not_fit_a_product_are_refused():
    network = network_of((5, 6, 3), ("tanh", "softmax"))
    one = HessianProduct(network, network.copy(), SPARSE, 9)
    for rows, y in ((X[:10], THREE[:10]), (X[:0], THREE[:0]), (X[:2, :4], THREE[:2])):
        with pytest.raises(ValueError, match="X must have 1 to 9 rows of 5 features"):
            one.of_rows(rows, y)
    with pytest.raises(ValueError, match="class indices from 3"):
        one.of_rows(X[:2], [3, 3])
