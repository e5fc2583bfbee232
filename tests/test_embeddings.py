"""Embedded columns in the core: rows with vectors in the place of categories, and tables that learn
as weights do, with the same bits however the work is divided."""

import copy
import pickle

import numpy as np
import pytest
from cnn_core._backprop import Backprop
from cnn_core._dataset import RowSource
from cnn_core._linalg import scale_rows
from cnn_core._network import Network
from cnn_core._predict import BatchPredictor, RowPredictor
from cnn_core._random import uniform
from cnn_core._trainer import Trainer
from cnn_core.reference import Trainer as ReferenceTrainer
from cnn_core.spec import TrainingSpec
from embedding_cases import (
    OPTIONS,
    ROWS,
    assert_gradient_agrees_with_differences,
    assert_gradient_is_that_of_a_plain_network,
    assert_threads_and_instruction_sets_give_one_result,
    same,
    train_whole_and_in_parts,
    trainer_of,
    with_targets,
)
from embedding_cases import train as train_on
from training_cases import LOSS, SETTINGS

#: widths, categories and width of each table, activations, threads; named by how steps are done.
NETS = {
    "blockwise": ((5 + 3, 20, 3), ((1000, 3),), ("relu", "softmax"), 1),
    "tables alone": ((1 + 17, 12, 9, 2), ((1, 1), (40, 17)), ("tanh", "selu", "softmax"), 1),
    "no hidden layer": ((16 + 8, 3), ((7, 8),), ("softmax",), 1),
    "two-phase": ((21 + 8 + 1, 40, 3), ((4200, 8), (3, 1)), ("relu", "softmax"), 2),
    "layer-parallel": ((30 + 17, 140, 130, 7), ((1000, 17),), ("relu", "tanh", "softmax"), 2),
    "one layer by outputs": ((20 + 8, 140, 20, 3), ((50, 8),), ("relu", "tanh", "softmax"), 2),
}


def make_network(net, dtype):
    widths, tables, activations, _ = NETS[net]
    network = Network(widths, activations, dtype, embeddings=tables)
    network.set_flat((2 * uniform(1, 0, network.flat().size) - 1) * 0.2)
    return network


def make_X(network, rows=ROWS):
    """Rows whose categories are drawn with a few large groups; every 17th has none."""
    X = 2 * uniform(2, 0, rows * network.n_features).reshape(rows, -1) - 1
    first = network.n_features - network.n_tables
    for i, (n, _) in enumerate(network.embeddings):
        X[:, first + i] = np.floor(uniform(5, i, rows) ** 3 * n)
        X[::17, first + i] = n
    return X.astype(network.dtype)


def make_rows(network, rows=ROWS):
    return with_targets(network, make_X(network, rows))


def make_trainer(net, dtype, *given, **options):
    return trainer_of(make_network(net, dtype), *given, **options)


def train(trainer, epochs=2, rows=ROWS):
    return train_on(trainer, make_X(trainer.backprop.network, rows), epochs)


def test_the_first_layer_reads_numbers_then_vectors(dtype):
    network = make_network("two-phase", dtype)
    assert (network.n_features, network.n_tables) == (23, 2)
    X = make_X(network)
    x = network.read(X)
    assert x[:, :21].tobytes() == X[:, :21].tobytes()
    for i, (n, first, last) in enumerate(((4200, 21, 29), (3, 29, 30))):
        known = X[:, 21 + i] < n
        assert 0 < known.sum() < ROWS
        vectors = network.vectors(i)[X[known, 21 + i].astype(int)]
        assert x[known, first:last].tobytes() == vectors.tobytes()
        assert not x[~known, first:last].any()


@pytest.mark.parametrize("value", [-1, 3, 2.5, 1e30, -1e30, np.nan, np.inf, -np.inf])
def test_what_is_no_category_reads_as_zeros(value, dtype):
    network = Network((2 + 2, 3), ("identity",), dtype, embeddings=[(3, 2)])
    network.set_flat(np.ones(network.flat().size))
    x = np.array([[5, 6, value], [5, 6, 0]], dtype)
    assert network.read(x).tolist() == [[5, 6, 0, 0], [5, 6, 1, 1]]
    one = RowPredictor(network).forward(x[0])
    assert one.tolist() == BatchPredictor(network).forward(x)[0].tolist() == [12, 12, 12]


@pytest.mark.parametrize("net", NETS)
def test_a_gradient_is_that_of_a_network_that_reads_the_vectors(net, isa, dtype):
    network = make_network(net, dtype)
    assert_gradient_is_that_of_a_plain_network(network, make_X(network))


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("l1, l2", [(0, 0), (1e-3, 1e-2)])
def test_the_gradient_of_tables_agrees_with_finite_differences(net, l1, l2):
    trainer = make_trainer(net, "float64", l1=l1, l2=l2)
    network = trainer.backprop.network
    X, labels, _ = (part[:50] for part in make_rows(network))
    rows = RowSource(X), None, RowSource(labels)
    trainer.loss_and_gradient(*rows)
    gradient = trainer.flat_gradient()
    n_tables = sum(n * width for n, width in network.embeddings)
    used = np.flatnonzero(gradient[-n_tables:]) + len(gradient) - n_tables
    assert len(used) > 0
    assert_gradient_agrees_with_differences(trainer, rows, used[:: -(-len(used) // 60)])


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("net", NETS)
def test_threads_and_instruction_sets_give_the_bits_of_the_oracle(net, options, dtype, on_generic):
    of = (1, 30) if options == "single rows" else (1, ROWS)

    def run(threads):
        return train(make_trainer(net, dtype, threads=threads, **OPTIONS[options]), *of)

    assert_threads_and_instruction_sets_give_one_result(run, NETS[net][3], on_generic)


@pytest.mark.parametrize("net", NETS)
def test_rows_in_parts_give_the_bits_of_a_whole_mini_batch(net, dtype):
    options = dict(l1=1e-4, l2=1e-3, dropout=True, threads=NETS[net][3])
    whole, parts = (make_trainer(net, dtype, **options) for _ in range(2))
    train_whole_and_in_parts(whole, parts, *make_rows(whole.backprop.network))
    assert same([parts.parameters, *parts.slots], [whole.parameters, *whole.slots])


@pytest.mark.parametrize("optimizer", SETTINGS)
def test_a_category_without_rows_steps_as_with_a_gradient_of_zero(optimizer, dtype):
    trainer = make_trainer("blockwise", dtype, optimizer=optimizer)
    network = trainer.backprop.network
    before = network.vectors(0).copy()
    X, labels, _ = make_rows(network)
    trainer.epoch(RowSource(X), None, RowSource(labels))
    unused = np.setdiff1d(np.arange(1000), X[:, -1].astype(int))
    after = network.vectors(0)
    assert not network.vectors(0, trainer.gradient)[unused].any()
    if optimizer != "adamw":  # whose decay shrinks all weights
        assert after[unused].tobytes() == before[unused].tobytes()
    used = np.setdiff1d(np.arange(1000), unused)
    assert (after[used] != before[used]).any(axis=1).all()


@pytest.mark.parametrize("optimizer", SETTINGS)
def test_a_table_learns_as_a_layer_that_reads_one_column_for_each_category(optimizer, dtype):
    """That a layer without biases and activation does, whose training is that of PyTorch."""
    network = Network((8, 20, 3), ("relu", "softmax"), dtype, bias=False, embeddings=[(40, 8)])
    network.set_flat((2 * uniform(1, 0, network.flat().size) - 1) * 0.3)
    one_hot = Network((40, 8, 20, 3), ("identity", "relu", "softmax"), dtype, bias=False)
    one_hot.set_layer(0, network.vectors(0).T, None)
    for l in range(2):
        one_hot.set_layer(l + 1, network.weights(l), None)
    categories = np.floor(uniform(5, 0, 200) ** 2 * 40).astype(int)
    labels = RowSource((uniform(3, 0, 200) * 3).astype(np.int32)[:, None])
    rows = {
        network: categories[:, None].astype(dtype),
        one_hot: (categories[:, None] == np.arange(40)).astype(dtype),
    }
    losses = []
    for trained, X in rows.items():
        backprop = Backprop(trained, LOSS, 32, l1=1e-4, l2=1e-3)
        run = Trainer(backprop, optimizer, SETTINGS[optimizer], 7)
        losses.append([run.epoch(RowSource(X), None, labels)[0] for _ in range(5)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert network.vectors(0).tobytes() == np.ascontiguousarray(one_hot.weights(0).T).tobytes()
    for l in range(2):
        assert network.weights(l).tobytes() == one_hot.weights(l + 1).tobytes()


@pytest.mark.parametrize("net", NETS)
def test_rows_one_by_one_have_the_bits_of_many(net, isa, dtype):
    network = make_network(net, dtype)
    X = make_X(network)
    plain = Network(network.widths, network.activations, dtype)
    plain.set_flat(network.flat()[: plain.flat().size])
    many = BatchPredictor(network).forward(X, NETS[net][3])
    assert many.tobytes() == BatchPredictor(plain).forward(network.read(X)).tobytes()
    one = RowPredictor(network)
    assert np.array([one.forward(x) for x in X]).tobytes() == many.tobytes()
    assert BatchPredictor(network).argmax(X).tolist() == many.argmax(axis=1).tolist()


@pytest.mark.parametrize("curve", ["linear", "asinh", "smooth clip"])
def test_scaling_leaves_categories_as_they_are(curve, dtype):
    network = make_network("two-phase", dtype)
    X, n = make_X(network), 21
    shift, factor = uniform(8, 0, n), uniform(9, 0, n) + 0.5
    scaled = X.copy()
    part = np.empty((ROWS, n), dtype)
    scale_rows(np.ascontiguousarray(X[:, :n]), shift, factor, part, curve)
    scaled[:, :n] = part
    wanted = BatchPredictor(network).forward(scaled)
    one = RowPredictor(network, (shift, factor, curve))
    for rows in (X, X.astype(float).tolist()):
        assert np.array([one.forward(x) for x in rows]).tobytes() == wanted.tobytes()


def test_copies_states_and_positions_hold_the_tables(dtype):
    trainer = make_trainer("two-phase", dtype, batch=64)
    train(trainer)
    network = trainer.backprop.network
    for other in (network.copy(), pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):
        assert other.embeddings == network.embeddings
        assert other.parameters.tobytes() == network.parameters.tobytes()
    fresh = make_trainer("two-phase", dtype, batch=64)
    fresh.set_flat(network.flat())
    fresh.restore(trainer.state())
    assert same(train(fresh)[1:], train(trainer)[1:])


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rprop"])
@pytest.mark.parametrize("net", ["blockwise", "tables alone", "no hidden layer"])
def test_the_reference_implementation_learns_the_same_tables(net, optimizer):
    options = dict(l1=1e-4, l2=1e-3, clip_norm=0.3, max_norm=0.9)
    rates = [0.0] * len(NETS[net][2])
    rates[0] = 0.25
    native = make_trainer(net, "float64", 40, optimizer, rates, **options)
    spec = TrainingSpec(
        LOSS,
        optimizer=optimizer,
        settings=SETTINGS[optimizer],
        batch_size=40,
        seed=7,
        dropout=tuple(rates),
        **options,
    )
    ref = ReferenceTrainer(spec, make_network(net, "float64"))
    X, labels, weights = make_rows(ref.network, 90)
    rows = RowSource(X), None, RowSource(labels)
    for _ in range(4):
        loss = native.epoch(*rows, weights=RowSource(weights))[0]
        assert abs(loss - ref.epoch(*rows, weights=RowSource(weights))[0]) < 1e-12
    w, v = native.backprop.network.flat(), np.array(ref.parameters)
    assert np.abs(w - v).max() <= 1e-12 * np.abs(w).max()


@pytest.mark.parametrize("tables", [[(0, 3)], [(3, 0)], [(5, 6)], [(5, 3), (2, 3)]])
def test_tables_that_do_not_fit_are_refused(tables):
    with pytest.raises(ValueError, match="embeddings must be pairs .* at most 5"):
        Network((5, 2), ("relu",), embeddings=tables)


def test_networks_without_tables_are_as_before(dtype):
    network = Network((5, 4, 3), ("relu", "softmax"), dtype)
    assert (network.embeddings, network.n_tables, network.n_features) == ((), 0, 5)
    assert len(network.__reduce__()[1]) == 6
    X = uniform(1, 0, 10).reshape(2, 5).astype(dtype)
    assert network.read(X) is X
