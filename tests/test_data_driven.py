"""Weights and biases that are fitted to training rows: ``init="data_driven"``."""

import hashlib
import pickle
from itertools import pairwise

import numpy as np
import pytest
from block_cases import cut
from cnn_core.data.split import stratified_split
from cnn_core.initializers import (
    FOR_BIASES,
    MOST_ROWS,
    POINTS,
    DataDriven,
    normal,
    sample_of_rows,
)

from cnn_core import MLP, Embedding, LeakyReLU, _random, reference

RNG = np.random.default_rng(4)
X = RNG.normal(size=(300, 6)) * [1, 2, 3, 0.1, 20, 1] + [0, 1, 0, 5, 0, -2]
LINE = X[:, 0] - X[:, 1] + X[:, 4] / 20
THREE = np.digitize(X[:, 0], [-0.5, 0.5])
MANY = _random.uniform(8, 0, 1500 * 11).reshape(1500, 11)
ACTIVATIONS = ("relu", "selu", "mish", "tanh", LeakyReLU(0.3))


def begun(rows=X, y=LINE, **options):
    """The untrained model; nothing is scaled unless a test says so."""
    given = dict(
        hidden=(19, 7), init="data_driven", scale_inputs=None, scale_targets=None, random_state=3
    )
    return MLP(**given | options).initialize(rows, y)


def z_of(model, rows=X, y=LINE):
    return [layer.z for layer in model.trace(rows, y).layers]


def by_numpy(rows, widths, activation, seed):
    """(W, b) of each layer, by the formulas."""
    layers, a = [], rows
    for layer, (n_in, n_out) in enumerate(pairwise(widths)):
        v = normal(seed, layer, n_in * n_out).reshape(n_out, n_in)
        W = v / (a @ v.T).std(axis=0)[:, None]
        u = _random.uniform(seed, FOR_BIASES + layer, 2 * POINTS * n_out)
        u = u.reshape(2, POINTS, n_out)
        chosen, shares = np.floor(u[0] * len(rows)).astype(int), -np.log1p(-u[1])
        z, shares = a @ W.T, shares / shares.sum(axis=0)
        b = -(shares * z[chosen, np.arange(n_out)]).sum(axis=0)
        layers.append((W, b))
        a = activation(z + b)
    return layers


def same(one, other):
    return np.array_equal(one.parameters_, other.parameters_)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("y", [LINE, THREE], ids=["numbers", "classes"])
def test_each_z_has_the_standard_deviation_1_over_the_training_rows(activation, y, dtype):
    model = begun(y=y, activation=activation, dtype=dtype)
    for z in z_of(model, y=y):
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-5 if dtype == "float32" else 1e-12)


def test_weights_and_biases_are_those_of_the_formulas():
    model = begun(activation="tanh", dtype="float64")
    for layer, (W, b) in enumerate(by_numpy(X, (6, 19, 7, 1), np.tanh, model._fitted.seed)):
        np.testing.assert_allclose(model.weights_[layer], W, rtol=1e-11)
        np.testing.assert_allclose(model.biases_[layer], b, rtol=1e-10, atol=1e-12)


def test_each_z_is_0_somewhere_among_the_rows():
    for z in z_of(begun(dtype="float64")):
        assert (z.min(axis=0) < 0).all() and (z.max(axis=0) > 0).all()


def test_both_dtypes_begin_with_the_same_parameters_but_for_rounding():
    rows = X.astype("float32")
    wide, narrow = (begun(rows, activation="mish", dtype=d) for d in ("float64", "float32"))
    assert np.array_equal(wide.parameters_.astype("float32"), narrow.parameters_)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_the_reference_implementation_gives_the_same(activation):
    rows, widths = X[:40], [6, 5, 3, 1]
    model = begun(rows, LINE[:40], hidden=(5, 3), activation=activation, dtype="float64")
    network = model._fitted.network
    functions = list(zip(network.activations, network.activation_params))
    layers = reference.fit_layers(model._fitted.seed, widths, functions, rows.tolist())
    np.testing.assert_allclose(model.parameters_, reference.flat(layers), rtol=1e-10, atol=1e-13)
    other = begun(rows, LINE[:40], hidden=(5, 3), activation=activation, backend="python")
    assert same(other, begun(rows, LINE[:40], hidden=(5, 3), activation=activation))


def test_the_bits_are_the_same_on_every_path(isa):
    parameters = [
        begun(MANY, MANY[:, 0], activation=f, dtype=d).parameters_
        for d in ("float32", "float64")
        for f in ("mish", "selu", "relu")
    ]
    digest = hashlib.sha256(b"".join(one.tobytes() for one in parameters)).hexdigest()
    assert digest[:16] == "3746790653540e0c"


def test_training_begins_with_them():
    options = dict(epochs=3, warm_start=True)
    for more in ({}, {"optimizer": "lbfgs"}, {"backend": "python", "epochs": 1}, {"dropout": 0.3}):
        once = MLP(8, init="data_driven", random_state=1, **options | more).fit(X, LINE)
        model = MLP(8, init=DataDriven(), random_state=1, **options | more).initialize(X, LINE)
        assert same(pickle.loads(pickle.dumps(model)).fit(X, LINE), once)
        assert np.array_equal(
            once.parameters_, once.set_params(epochs=0).fit(X[:50], LINE[:50]).parameters_
        )  # a warm start draws nothing


def test_rows_are_scaled_first():
    for kind in ("standard", "robust_clip", "auto"):
        model = begun(X * 1e3, scale_inputs=kind)
        assert np.array_equal(model.parameters_, begun(X * 1e3, scale_inputs=kind).parameters_)
        for z in z_of(model, X * 1e3):
            np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-5)


def test_validation_rows_are_not_among_them():
    model = begun(early_stopping=True, validation_fraction=0.3)
    apart = stratified_split(model._fitted.seed, len(X), 0.3, None)
    for z in z_of(model):
        np.testing.assert_allclose(z[~apart].std(axis=0), 1, rtol=1e-5)
        assert (abs(z.std(axis=0) - 1) > 1e-4).any()
    options = dict(hidden=(19, 7), init="data_driven", scale_inputs=None, scale_targets=None)
    model = MLP(**options, random_state=3, epochs=0)
    assert same(model.fit(X, LINE, validation_data=(X[::2], LINE[::2])), begun())


def test_rows_of_weight_0_are_not_among_them():
    weights = np.r_[np.ones(150), np.zeros(150)]
    options = dict(hidden=(19, 7), init="data_driven", scale_inputs=None, scale_targets=None)
    model = MLP(**options, random_state=3, epochs=0).fit(X, LINE, sample_weight=weights)
    assert same(model, begun(X[:150], LINE[:150]))


def test_of_many_rows_a_fixed_number_from_all_over_them_is_taken():
    for n in (1, 255, MOST_ROWS):
        assert np.array_equal(sample_of_rows(0, n, 5), np.arange(n))
    for n in (MOST_ROWS + 1, 5000, 10**9):
        at = sample_of_rows(0, n, 5)
        assert len(at) == MOST_ROWS and (np.diff(at) >= 0).all() and at[0] >= 0 and at[-1] < n
        assert np.abs(at - np.linspace(0, n - 1, MOST_ROWS)).max() <= n / MOST_ROWS + 1
        assert not np.array_equal(at, sample_of_rows(1, n, 5))
    assert len(sample_of_rows(0, 10**6, 10**5)) == 256
    rows = RNG.normal(size=(20_000, 4))
    for z in z_of(begun(rows, rows[:, 0]), rows, rows[:, 0]):
        np.testing.assert_allclose(z.std(axis=0), 1, atol=0.1)


def test_a_memory_map_and_blocks_are_read(tmp_path):
    rows = RNG.normal(size=(4000, 5)).astype("float32") * 3
    y = rows[:, 0].astype("float64")
    path = tmp_path / "rows.npy"
    np.save(path, rows)
    given = begun(rows, y)
    assert same(begun(np.load(path, mmap_mode="r"), y), given)
    options = dict(hidden=(19, 7), init="data_driven", random_state=3, epochs=0)
    blocks = MLP(**options).fit(cut((rows, y), 700), None)
    for z in z_of(blocks, rows, y):
        np.testing.assert_allclose(z.std(axis=0), 1, atol=0.1)


def test_neurons_whose_z_are_alike_keep_weights_of_variance_1_over_n_in():
    one = begun(X[:1], LINE[:1], hidden=(500,), init=DataDriven())
    assert one.weights_[0].var() * 6 == pytest.approx(1, rel=0.1)
    assert not np.concatenate(one.biases_).any()
    constant = begun(np.ones((50, 6)) * 0.1, LINE[:50], hidden=(500,))
    assert np.array_equal(constant.parameters_, one.parameters_)
    twice = begun(X[[0, 1] * 20], LINE[[0, 1] * 20], hidden=(20,), activation="relu")
    assert np.isfinite(twice.parameters_).all()
    z = z_of(twice, X[:2], LINE[:2])[0]
    np.testing.assert_allclose(abs(z[0] - z[1]), 2, rtol=1e-5)
    rows = np.column_stack((X, np.full(len(X), 7.5)))  # a constant column beside others
    for z in z_of(begun(rows), rows):
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-5)


@pytest.mark.parametrize("rows", [2, 3, 4, 5])
def test_fewer_rows_than_a_bias_is_made_of_are_enough(rows):
    model = begun(X[:rows], LINE[:rows], dtype="float64", activation="mish")
    for z in z_of(model, X[:rows], LINE[:rows]):
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:column . of X has numbers that float32 cannot tell apart")
@pytest.mark.parametrize("size", [1e-300, 1e-42, 1e-37, 1e-20, 1e20, 1e36, 1e300])
def test_parameters_are_finite_for_rows_of_every_size(size, dtype):
    rows = X[:100] * size
    if dtype == "float32" and size > 1e38:
        pytest.skip("float32 has no such numbers")
    model = begun(rows, LINE[:100], dtype=dtype)
    assert np.isfinite(model.parameters_).all()


def test_without_biases_there_are_none():
    model = begun(bias=False, activation="tanh")
    assert not np.concatenate(model.biases_).any()
    for z in z_of(model):
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-5)


def test_vectors_of_embedded_columns_are_read():
    rows = np.column_stack((X, RNG.integers(9, size=len(X))))
    options = dict(columns={6: Embedding(3)}, dtype="float64")
    model = begun(rows, **options)
    assert model.weights_[0].shape == (19, 9)
    for z in z_of(model, rows):
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-9)
    other = begun(rows, init="he", **options)
    assert np.array_equal(other.embeddings_[6], model.embeddings_[6])


def test_periodic_embeddings_are_read():
    model = begun(numeric_embedding="periodic", dtype="float64")
    assert model.weights_[0].shape == (19, 24)
    for z in z_of(model):
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-9)
    network, other = model._fitted.network, begun(init="he", numeric_embedding="periodic")
    for part, wanted in zip(
        network.copy("float32").periodic_parameters(), other._fitted.network.periodic_parameters()
    ):
        assert part.tobytes() == wanted.tobytes()
    stream = MLP(4, init="data_driven", numeric_embedding="periodic", random_state=0)
    for first in range(0, 12, 4):
        stream.partial_fit(X[first : first + 4], LINE[first : first + 4])
    assert all(part.any() for part in stream._fitted.network.periodic_parameters())


def test_a_stream_takes_the_rows_of_its_first_call():
    options = dict(hidden=(19, 7), init="data_driven", scale_inputs=None, scale_targets=None)
    options |= dict(random_state=3, optimizer="sgd", learning_rate=1e-300)
    for calls in ([300], [50, 250], [1, 3, 50], [4, 5, 1]):
        model, first = MLP(**options), 0
        for n in calls:
            model.partial_fit(X[first : first + n], LINE[first : first + n])
            first += n
        counted = 10 if calls[-1] == 1 else 54 if calls[0] == 1 else calls[0]
        assert same(model, begun(X[:counted], LINE[:counted]))


def test_sizes_are_not_enough_and_the_model_stays():
    model = begun()
    before = model._fitted
    for init, name in (("data_driven", r"DataDriven\(\)"), (DataDriven(), r"DataDriven\(\)")):
        model.set_params(init=init)
        with pytest.raises(ValueError, match=f"init={name} is learned from rows; give initialize"):
            model.initialize(n_features=6, n_outputs=1)
    assert model._fitted is before


def test_a_file_keeps_how_weights_were_drawn(tmp_path):
    model = MLP(4, init=DataDriven(), epochs=1, random_state=0).fit(X, LINE)
    model.save(tmp_path / "model.safetensors")
    again = MLP.load(tmp_path / "model.safetensors")
    assert again.init == DataDriven() and same(again, model)
    assert repr(again.init) == "DataDriven()"


def test_it_trains_and_nothing_is_said_of_its_weights(recwarn):
    model = MLP(32, "mish", init=DataDriven(), epochs=60, random_state=0).fit(X, LINE)
    assert model.score(X, LINE) > 0.95 and not recwarn.list
    small = X / 1000
    MLP(32, init=DataDriven(), scale_inputs=None, random_state=0).fit(small, LINE)
    assert not any("initial weights" in str(one.message) for one in recwarn.list)
