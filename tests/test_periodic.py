"""Periodic embeddings of numbers in the core: what the first layer reads of them, and gradients and
steps, with the same bits however the work is divided."""

import copy
import pickle

import numpy as np
import pytest
import reference_numpy
from cnn_core._backprop import Backprop
from cnn_core._dataset import RowSource
from cnn_core._linalg import scale_rows
from cnn_core._network import Network
from cnn_core._predict import BatchPredictor, RowPredictor
from cnn_core._random import uniform
from cnn_core.inspection import place_of, position_of
from cnn_core.inspection.places import parameter_shapes
from cnn_core.reference import Trainer as ReferenceTrainer
from cnn_core.spec import TrainingSpec
from embedding_cases import (
    OPTIONS,
    ROWS,
    assert_gradient_agrees_with_differences,
    assert_gradient_is_that_of_a_plain_network,
    assert_threads_and_instruction_sets_give_one_result,
    plain_of,
    same,
    train_whole_and_in_parts,
    trainer_of,
    with_targets,
)
from embedding_cases import train as train_on
from training_cases import LOSS, SETTINGS

#: Numbers, hidden and output widths, periodic, tables, activations, threads; named by how steps are
#: done.
NETS = {
    "blockwise": (5, (20, 3), ((0, 2, 3), 5, 3), (), ("relu", "softmax"), 1),
    "one column": (1, (4, 2), ((0,), 1, 1), (), ("tanh", "softmax"), 1),
    "a panel": (16, (9, 3), (range(16), 16, 3), (), ("mish", "softmax"), 1),
    "panels": (23, (12, 5, 3), (range(1, 21), 33, 5), (), ("selu", "relu", "softmax"), 2),
    "no hidden layer": (3, (3,), ((1,), 17, 4), (), ("softmax",), 1),
    "tables too": (7, (20, 3), ((0, 6), 9, 2), ((40, 3), (5, 1)), ("relu", "softmax"), 1),
    "two-phase": (19, (60, 3), (range(19), 16, 3), ((4200, 8),), ("relu", "softmax"), 2),
    "layer-parallel": (
        30, (140, 130, 7), (range(0, 30, 3), 8, 2), (), ("mish", "tanh", "softmax"), 2,
    ),
}  # fmt: skip


def make_network(net, dtype):
    n, widths, (features, frequencies, width), tables, activations, _ = NETS[net]
    n_in = n + len(features) * width + sum(dim for _, dim in tables)
    periodic = tuple(features), frequencies, width
    network = Network((n_in, *widths), activations, dtype, embeddings=tables, periodic=periodic)
    network.set_flat((2 * uniform(1, 0, network.flat().size) - 1) * 0.6)
    return network


def make_X(network, rows=ROWS):
    X = 4 * uniform(2, 0, rows * network.n_features).reshape(rows, -1) - 2
    first = network.n_features - network.n_tables
    for i, (n, _) in enumerate(network.embeddings):
        X[:, first + i] = np.floor(uniform(5, i, rows) ** 3 * n)
    return X.astype(network.dtype)


def make_rows(network, rows=ROWS):
    return with_targets(network, make_X(network, rows))


def make_trainer(net, dtype, *given, **options):
    return trainer_of(make_network(net, dtype), *given, **options)


def train(trainer, epochs=2, rows=ROWS):
    return train_on(trainer, make_X(trainer.backprop.network, rows), epochs)


def count_of(network):
    features, frequencies, width = network.periodic
    return len(features) * (2 * frequencies + width * (frequencies + 1))


@pytest.mark.parametrize("net", NETS)
def test_the_first_layer_reads_numbers_embeddings_and_vectors(net, isa, dtype):
    network = make_network(net, dtype)
    X, n = make_X(network), network.n_features - network.n_tables
    x, (features, _, width) = network.read(X), network.periodic
    end = n + len(features) * width
    assert x[:, :n].tobytes() == X[:, :n].tobytes()
    parts = [part.astype("float64") for part in network.periodic_parameters()]
    wanted = reference_numpy.periodic(X[:, list(features)].astype("float64"), *parts)
    atol = 1e-14 if dtype == "float64" else 5e-6
    np.testing.assert_allclose(x[:, n:end], wanted, rtol=0, atol=atol)
    at = end
    for i, (_, dim) in enumerate(network.embeddings):
        vectors = network.vectors(i)[X[:, n + i].astype(int)]
        assert x[:, at : at + dim].tobytes() == vectors.tobytes()
        at += dim
    assert at == network.widths[0]


@pytest.mark.slow
@pytest.mark.parametrize("width", range(1, 6))
@pytest.mark.parametrize("n", range(1, 21))
def test_every_number_of_columns_frequencies_and_outputs_is_right(n, width, dtype):
    for frequencies in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33):
        periodic = range(n), frequencies, width
        network = Network((n * (1 + width), 2), ("softmax",), dtype, periodic=periodic)
        network.set_flat(2 * uniform(n, frequencies, network.flat().size) - 1)
        X, labels, _ = make_rows(network, 11)
        wide = X.astype("float64")
        parts = [part.astype("float64") for part in network.periodic_parameters()]
        wanted = reference_numpy.periodic(wide, *parts)
        tolerance = 1e-14 if dtype == "float64" else 5e-6
        x = network.read(X)
        np.testing.assert_allclose(x[:, n:], wanted, rtol=0, atol=tolerance * frequencies)
        _, gradient = Backprop(network, LOSS, 11).loss_and_gradient(X, labels[:, 0])
        W = network.weights(0).astype("float64")
        delta = reference_numpy.softmax_delta(
            np.hstack((wide, wanted)) @ W.T + network.bias(0), labels[:, 0]
        )
        found = reference_numpy.periodic_gradient(wide, delta @ W[:, n:], *parts)
        flat = np.concatenate([part.reshape(n, -1) for part in found], axis=1).ravel()
        np.testing.assert_allclose(
            gradient[-len(flat) :], flat, rtol=0, atol=2 * tolerance * frequencies
        )


def test_columns_of_any_size_are_turned_exactly(isa, dtype):
    network = Network((4, 1), ("identity",), dtype, periodic=((0, 1), 1, 1))
    _, c, V, d = network.periodic_parameters()
    network.set_periodic([[1.0], [0.25]], c, np.ones_like(V), d)
    x = np.array([[1e6, 3], [2.0**20 + 0.25, 2], [-(2.0**21) - 0.5, -5], [3e30, 4e30]], dtype)
    wanted = [[1, 0], [0, -1], [-1, 0], [1, 1]]
    np.testing.assert_array_equal(abs(network.read(x)[:, 2:]), np.abs(wanted))


@pytest.mark.parametrize("net", NETS)
def test_a_gradient_is_that_of_a_network_that_reads_the_embeddings(net, isa, dtype):
    network = make_network(net, dtype)
    assert_gradient_is_that_of_a_plain_network(network, make_X(network))


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("l1, l2", [(0, 0), (1e-3, 1e-2)])
def test_the_gradient_agrees_with_finite_differences(net, l1, l2):
    trainer = make_trainer(net, "float64", l1=l1, l2=l2)
    network = trainer.backprop.network
    X, labels, _ = (part[:50] for part in make_rows(network))
    rows = RowSource(X), None, RowSource(labels)
    trainer.loss_and_gradient(*rows)
    gradient, n = trainer.flat_gradient(), count_of(network)
    assert np.count_nonzero(gradient[-n:]) == n
    end = len(gradient)
    assert_gradient_agrees_with_differences(trainer, rows, range(end - n, end, -(-n // 90)))


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("net", NETS)
def test_threads_and_instruction_sets_give_the_bits_of_the_oracle(net, options, dtype, on_generic):
    of = (1, 30) if options == "single rows" else (1, ROWS)

    def run(threads):
        return train(make_trainer(net, dtype, threads=threads, **OPTIONS[options]), *of)

    assert_threads_and_instruction_sets_give_one_result(run, NETS[net][5], on_generic)


@pytest.mark.parametrize("net", NETS)
def test_rows_in_parts_give_the_bits_of_a_whole_mini_batch(net, dtype):
    options = dict(l1=1e-4, l2=1e-3, dropout=True, threads=NETS[net][5])
    whole, parts = (make_trainer(net, dtype, **options) for _ in range(2))
    train_whole_and_in_parts(whole, parts, *make_rows(whole.backprop.network))
    assert same([parts.parameters, *parts.slots], [whole.parameters, *whole.slots])


@pytest.mark.parametrize("net", NETS)
def test_rows_one_by_one_have_the_bits_of_many(net, isa, dtype):
    network = make_network(net, dtype)
    X = make_X(network)
    many = BatchPredictor(network).forward(X, NETS[net][5])
    assert many.tobytes() == BatchPredictor(plain_of(network)).forward(network.read(X)).tobytes()
    one = RowPredictor(network)
    assert np.array([one.forward(x) for x in X]).tobytes() == many.tobytes()
    assert BatchPredictor(network).argmax(X).tolist() == many.argmax(axis=1).tolist()


@pytest.mark.parametrize("curve", ["linear", "asinh", "smooth clip"])
@pytest.mark.parametrize("net", ["blockwise", "tables too"])
def test_scaled_numbers_are_embedded(net, curve, dtype):
    network = make_network(net, dtype)
    X, n = make_X(network), network.n_features - network.n_tables
    shift, factor = uniform(8, 0, n), uniform(9, 0, n) + 0.5
    scaled = X.copy()
    part = np.empty((ROWS, n), dtype)
    scale_rows(np.ascontiguousarray(X[:, :n]), shift, factor, part, curve)
    scaled[:, :n] = part
    wanted = BatchPredictor(network).forward(scaled)
    one = RowPredictor(network, (shift, factor, curve))
    for rows in (X, X.astype(float).tolist()):
        assert np.array([one.forward(x) for x in rows]).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("optimizer", SETTINGS)
def test_they_learn_by_every_optimizer(optimizer, dtype):
    trainer = make_trainer("blockwise", dtype, batch=50, optimizer=optimizer)
    network = trainer.backprop.network
    before = network.periodic_parameters()
    train(trainer)
    for part, then in zip(network.periodic_parameters(), before):
        assert np.isfinite(part).all() and (part != then).all()


def test_factors_of_a_group_are_theirs_alone(dtype):
    still = make_trainer("tables too", dtype, rate_factors=[1, 1, 1, 1, 1, 0])
    before = still.backprop.network.flat()
    train(still)
    after, n = still.backprop.network.flat(), count_of(still.backprop.network)
    assert after[-n:].tobytes() == before[-n:].tobytes()
    assert (after[: -n - 125] != before[: -n - 125]).mean() > 0.9
    alone = make_trainer("tables too", dtype, rate_factors=[0, 0, 0, 0, 0, 1])
    train(alone)
    found = alone.backprop.network.flat()
    assert found[:-n].tobytes() == before[:-n].tobytes() and (found[-n:] != before[-n:]).all()


def test_penalties_and_limits_of_norms_leave_them_out(dtype):
    network = make_network("blockwise", dtype)
    X, labels, _ = make_rows(network)
    n = count_of(network)
    gradients = [
        Backprop(network, LOSS, ROWS, l1=l1, l2=l1).loss_and_gradient(X, labels[:, 0])[1]
        for l1 in (0, 0.5)
    ]
    assert gradients[0][-n:].tobytes() == gradients[1][-n:].tobytes()
    limited = make_trainer("blockwise", "float64", max_norm=1e-3)
    train(limited)
    parts = limited.backprop.network.periodic_parameters()
    assert all(np.abs(part).max() > 0.1 for part in parts)


def test_parameters_are_set_and_listed_column_after_column(dtype):
    network = make_network("blockwise", dtype)
    w, c, V, d = (
        np.arange(part.size, dtype=dtype).reshape(part.shape) + 100 * i
        for i, part in enumerate(network.periodic_parameters())
    )
    network.set_periodic(w, c, V, d)
    assert same(network.periodic_parameters(), (w, c, V, d))
    flat = network.flat()
    rows = [np.concatenate([part[i].ravel() for part in (w, c, V, d)]) for i in range(3)]
    assert flat[-count_of(network) :].tobytes() == np.concatenate(rows).tobytes()
    other = make_network("blockwise", dtype)
    other.set_flat(flat)
    assert other.parameters.tobytes() == network.parameters.tobytes()
    with pytest.raises(ValueError, match=r"V must have shape \(3, 3, 5\), got \(3, 5, 3\)"):
        network.set_periodic(w, c, V.swapaxes(1, 2), d)
    with pytest.raises(ValueError, match="has no periodic embeddings"):
        plain_of(network).periodic_parameters()


@pytest.mark.parametrize("net", NETS)
def test_every_parameter_has_a_place(net):
    network = make_network(net, "float64")
    places = [place_of(network, i) for i in range(len(network.flat()))]
    assert len(set(places)) == len(places)
    assert [position_of(network, place) for place in places] == list(range(len(places)))
    shapes = [shape for layer, *shape in parameter_shapes(network) if layer == "periodic 1"]
    _, frequencies, width = network.periodic
    assert shapes == [
        ["w", (frequencies,)], ["c", (frequencies,)], ["V", (width, frequencies)], ["d", (width,)],
    ]  # fmt: skip
    last = f"periodic {len(network.periodic[0])}"
    assert places[-1] == (last, "d", (width - 1,))
    V = network.periodic_parameters()[2]
    at = position_of(network, places[-1]._replace(parameter="V", index=(0, frequencies - 1)))
    assert network.flat()[at] == V[-1, 0, frequencies - 1]
    with pytest.raises(ValueError, match="must be 'w', 'c', 'V' or 'd', got 'E'"):
        position_of(network, places[-1]._replace(parameter="E"))


def test_copies_states_and_positions_hold_them(dtype):
    trainer = make_trainer("two-phase", dtype, batch=64)
    train(trainer)
    network = trainer.backprop.network
    for other in (network.copy(), pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):
        assert other.periodic == network.periodic
        assert other.parameters.tobytes() == network.parameters.tobytes()
    narrow = network.copy("float32")
    assert same(
        narrow.periodic_parameters(),
        [part.astype("float32") for part in network.periodic_parameters()],
    )
    fresh = make_trainer("two-phase", dtype, batch=64)
    fresh.set_flat(network.flat())
    fresh.restore(trainer.state())
    assert same(train(fresh)[1:], train(trainer)[1:])


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rprop"])
@pytest.mark.parametrize("net", ["blockwise", "one column", "no hidden layer", "tables too"])
def test_the_reference_implementation_learns_the_same(net, optimizer):
    options = dict(l1=1e-4, l2=1e-3, clip_norm=0.3, max_norm=0.9)
    rates = [0.0] * len(NETS[net][4])
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


@pytest.mark.parametrize("periodic", [
    ((), 4, 2), ((0, 0), 4, 1), ((2, 1), 4, 1), ((-1,), 4, 2), ((3,), 4, 2), ((0,), 0, 2),
    ((0,), 2000, 2), ((0,), 4, 0), ((0,), 4, 17),
])  # fmt: skip
def test_what_does_not_fit_is_refused(periodic):
    with pytest.raises(ValueError, match="periodic"):
        Network((5, 2), ("relu",), periodic=periodic)
