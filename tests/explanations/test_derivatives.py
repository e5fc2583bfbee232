"""Derivatives of predictions by inputs, against central differences, products of matrices in NumPy
and the rules of probability."""

import gc
import tracemalloc
import warnings
import weakref

import numpy as np
import pytest
from cnn_core._jacobian import Jacobian
from cnn_core._network import Network

from cnn_core import MLP, Embedding, MLPClassifier, MLPRegressor, PeriodicEmbedding, _activations

SMOOTH = ("identity", "sigmoid", "tanh", "gelu", "gelu_tanh", "softplus", "swish", "mish",
          "softmax")  # fmt: skip


def quiet(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y)


def rows_and_numbers(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)) * [1, 2, 1, 0.1, 1] + [0, 1, 1, 0, 0]
    Y = np.stack([3 * np.sin(X[:, 0]) + X[:, 1], X[:, 2] + 10 * X[:, 3] + 3], axis=1)
    return X, Y


def central_differences(f, X, steps):
    columns = [
        (f(X + step * unit) - f(X - step * unit)) / (2 * step)
        for step, unit in zip(steps, np.eye(X.shape[1]))
    ]
    return np.stack(columns, axis=-1)


#: All that have a derivative; step and sign have 0, and train with another rule.
DIFFERENTIABLE = [name for name in _activations.names() if name not in ("step", "sign")]


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_the_jacobian_of_a_network_is_the_chain_rule_in_numpy(name, isa, dtype):
    rng = np.random.default_rng(1)
    network = Network((7, 19, 6, 3), (name, name, name), dtype)
    network.set_flat(rng.normal(size=network.flat().size) * (0.1 if name == "exp" else 0.4))
    X = rng.normal(size=(37, 7))
    found = Jacobian(network).rows(X, np.arange(3), 2)
    wanted = np.empty_like(found)
    for r, x in enumerate(X.astype(dtype)):
        J, a = np.eye(7), x[None]
        for l in range(3):
            W = network.weights(l).astype(np.float64)
            z = (a @ W.T + network.bias(l)).astype(dtype)
            a = _activations.activation(name, z)
            slopes = [
                _activations.activation_backward(name, z, np.eye(len(W), dtype=dtype)[i : i + 1])[0]
                for i in range(len(W))
            ]
            J = np.array(slopes, np.float64) @ W @ J
        wanted[r] = J
    np.testing.assert_allclose(
        found, wanted, rtol=0, atol=(2e-5 if dtype == "float32" else 1e-13) * np.abs(wanted).max()
    )


@pytest.mark.parametrize("scaling", [None, "standard", "robust_clip", "robust_asinh"])
@pytest.mark.parametrize("embedding", [None, PeriodicEmbedding(scale=0.7)])
@pytest.mark.parametrize("activation", SMOOTH)
def test_derivatives_are_those_of_what_is_predicted(activation, scaling, embedding):
    X, Y = rows_and_numbers()
    options = dict(
        hidden=(9, 7), activation=activation, scale_inputs=scaling, numeric_embedding=embedding,
        dtype="float64", epochs=5, random_state=1,
    )  # fmt: skip
    steps = 1e-5 * X.std(axis=0)
    for model, y in (
        (MLPRegressor(**options), Y),
        (MLPRegressor(**options, loss="poisson"), np.abs(Y)),
        (MLPClassifier(**options), (X[:, 0] > 0).astype(int) + (X[:, 1] > 1)),
    ):
        model = quiet(model, X, y)
        found = model.jacobian(X)
        wanted = central_differences(model.forward, X, steps)
        scale = np.abs(wanted).max(axis=(0, 1))
        np.testing.assert_allclose(found / scale, wanted / scale, rtol=0, atol=1e-7)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "selu", "hard_swish"])
def test_derivatives_away_from_kinks_are_those_of_what_is_predicted(activation):
    X, Y = rows_and_numbers()
    model = quiet(MLPRegressor((9, 7), activation, dtype="float64", epochs=5, random_state=1), X, Y)
    steps = 1e-7 * X.std(axis=0)
    found, wanted = model.jacobian(X), central_differences(model.forward, X, steps)
    error = np.abs(found - wanted) / np.abs(wanted).max(axis=(0, 1))
    assert (error < 1e-6).mean() > 0.99 and np.median(error) < 1e-8


def test_bits_do_not_depend_on_threads_blocks_or_the_way_to_ask(dtype):
    X, Y = rows_and_numbers(101)
    model = quiet(MLPRegressor((33, 5), dtype=dtype, epochs=3, random_state=0, n_threads=1), X, Y)
    one = model.jacobian(X)
    model.n_threads = 2
    assert np.array_equal(model.jacobian(X), one)
    for output in (0, 1):
        assert np.array_equal(model.input_gradient(X, output), one[:, output])
        for r in (0, 1, 50, 100):
            assert np.array_equal(model.input_gradient(X[r], output), one[r, output])
            assert np.array_equal(model.input_gradient(X[r : r + 1], output)[0], one[r, output])
            assert np.array_equal(model.input_gradient(X[r].tolist(), output), one[r, output])


def test_derivatives_are_added_to_a_total_before_they_are_rounded():
    rng = np.random.default_rng(2)
    networks = [Network((4, 9, 2), ("tanh", "identity"), name) for name in ("float32", "float64")]
    X, outputs = rng.normal(size=(70, 4)), np.arange(2)
    for network in networks:
        network.set_flat(rng.normal(size=network.flat().size))
        jacobian, total = Jacobian(network), np.ones((70, 2, 4))
        assert jacobian.rows(X, outputs, 2, total=total) is total
        found = jacobian.rows(X, outputs)
        assert np.array_equal((total - 1).astype("float32"), found.astype("float32"))
        one = np.ones(4)
        assert jacobian.one(X[5], 1, total=one) is one and np.array_equal(one, total[5, 1])
        for wrong, kind in ((np.ones((70, 2, 3)), ValueError), (total[:, ::-1], ValueError),
                            (total.astype("float32"), TypeError)):  # fmt: skip
            with pytest.raises(kind, match="total"):
                jacobian.rows(X, outputs, total=wrong)
        assert jacobian.one(X[5], 1, total=np.ones(3)) is None


def test_bits_are_those_of_the_scalar_path(vector_isa, dtype, on_generic):
    rng = np.random.default_rng(2)
    periodic = ((0, 3), 5, 2)
    network = Network((5 + 4, 11, 3), ("mish", "softmax"), dtype, periodic=periodic)
    network.set_flat(rng.normal(size=network.flat().size))
    X, outputs = rng.normal(size=(40, 5)), np.arange(3)
    jacobian = Jacobian(network)
    assert np.array_equal(jacobian.rows(X, outputs), on_generic(jacobian.rows, X, outputs))


def test_outputs_are_named_as_users_know_them():
    X, Y = rows_and_numbers(200)
    two = quiet(MLPClassifier(8, epochs=3, random_state=0), X, np.where(X[:, 0] > 0, "yes", "no"))
    gradient = two.input_gradient(X)
    assert np.array_equal(two.input_gradient(X, "yes"), gradient)
    assert np.array_equal(two.input_gradient(X, "no"), -gradient)
    three = quiet(MLPClassifier(8, epochs=3, random_state=0), X, np.digitize(X[:, 0], [-1, 1]) + 5)
    each = [three.input_gradient(X, label) for label in (5, 6, 7)]
    assert np.abs(np.sum(each, axis=0)).max() < 1e-6  # probabilities add up to 1
    for model, output, message in (
        (three, None, "output must be the class that is meant, one of 5, 6, 7"),
        (three, 0, "output must be one of the classes 5, 6, 7, got 0"),
        (three, [5], "output must be one of the classes 5, 6, 7, got \\[5\\]"),
        (two, "maybe", "output must be one of the classes 'no', 'yes', got 'maybe'"),
        (quiet(MLPRegressor(4, epochs=1), X, Y), None, "which of the 2 outputs is meant"),
        (quiet(MLPRegressor(4, epochs=1), X, Y), 2, "a whole number from 0 to 1, got 2"),
    ):
        with pytest.raises(ValueError, match=message):
            model.input_gradient(X, output)
    with pytest.raises(ValueError, match="of"):
        two.input_gradient(X, of="logit")


def test_targets_are_named_by_their_columns_wherever_an_output_is():
    X, Y = rows_and_numbers(60)
    named = pytest.importorskip("pandas").DataFrame(Y, columns=["rent", "cost"])
    model = quiet(MLPRegressor(4, epochs=1, random_state=0), X, named)
    assert np.array_equal(model.input_gradient(X, "cost"), model.input_gradient(X, 1))
    for method in ("gradient", "permutation"):
        by_name = model.importances(X, Y, method, output="cost")
        assert np.array_equal(
            by_name.direction, model.importances(X, Y, method, output=1).direction
        )
    values = model.attributions(X[:3], baseline=X, output="rent").values
    assert np.array_equal(values, model.attributions(X[:3], baseline=X, output=0).values)
    several = quiet(MLP(4, epochs=1, random_state=0), X, (named > 0).astype(int))
    assert np.array_equal(several.input_gradient(X, "cost"), several.input_gradient(X, 1))
    for output, message in (
        (
            None,
            "which of the 2 outputs is meant, from 0 to 1, or one of the targets 'rent', 'cost'",
        ),
        ("sale", "from 0 to 1, or one of the targets 'rent', 'cost', got 'sale'"),
    ):
        with pytest.raises(ValueError, match=message):
            model.input_gradient(X, output)


def test_of_z_differentiates_before_the_output_activation():
    X, _ = rows_and_numbers(200)
    model = quiet(MLPClassifier(8, dtype="float64", epochs=3, random_state=0), X, X[:, 0] > 0)
    p = model.predict_proba(X)[:, 1:]
    z = model.input_gradient(X, of="z")
    np.testing.assert_allclose(model.input_gradient(X), p * (1 - p) * z, rtol=1e-12, atol=1e-15)


def test_a_prediction_kept_at_a_limit_has_the_derivative_0():
    X = np.linspace(0, 1, 200)[:, None]
    model = quiet(
        MLPRegressor(16, clip_outputs=True, epochs=200, random_state=0), X, np.minimum(X, 0.5)[:, 0]
    )
    far = np.array([[5.0], [-5.0]])
    assert set(np.round(model.predict(far), 6)) <= {0.0, 0.5}
    assert (model.input_gradient(far) == 0).all() and (model.input_gradient(X[20:50]) > 0).all()


def test_features_of_tables_are_those_of_the_matrix():
    rng = np.random.default_rng(0)
    table = {"size": rng.normal(70, 20, 400), "city": rng.choice(list("abcd"), 400)}
    y = 10 * table["size"] + (table["city"] == "b") * 100
    for columns, width in (("auto", 5), ({"city": Embedding(2)}, 2)):
        model = quiet(MLPRegressor(8, columns=columns, epochs=40, random_state=0), table, y)
        gradient = model.input_gradient(table)
        assert gradient.shape == (400, width) and len(model.columns_.encoded) == width
        numbers = [i for i, one in enumerate(model.columns_.encoded) if one == "size"]
        assert abs(np.median(gradient[:, numbers[0]]) - 10) < 2
    assert (gradient[:, 1] == 0).all()  # the number of an embedded category


def test_rows_that_cannot_be_read_are_refused_as_predict_refuses_them():
    X, Y = rows_and_numbers()
    model = quiet(MLPRegressor(4, epochs=1), X, Y[:, 0])
    for bad in (X[:, :4], np.where(X[3, 1] == X, np.nan, X), X[0, :4], np.full(5, np.inf)):
        with pytest.raises(ValueError) as wanted:
            model.predict(bad) if bad.ndim == 2 else model.predict_one(bad)
        with pytest.raises(ValueError) as found:
            model.input_gradient(bad)
        assert str(found.value) == str(wanted.value)
    for call in (lambda: MLP().input_gradient(X), lambda: MLP().jacobian(X)):
        with pytest.raises(ValueError, match="not fitted yet"):
            call()


def test_asking_again_keeps_no_memory_and_ends_with_the_model():
    X, Y = rows_and_numbers()
    model = quiet(MLPRegressor(4, epochs=1), X, Y[:, 0])
    x = np.array([1, 2, 3, 4, 5])  # no row that is taken as it is
    model.input_gradient(x)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(500):
        model.input_gradient(x)
    gc.collect()
    assert tracemalloc.get_traced_memory()[0] - before < 50_000
    tracemalloc.stop()
    fitted = weakref.ref(model._model())
    quiet(model, X, Y[:, 1])
    gc.collect()
    assert fitted() is None
