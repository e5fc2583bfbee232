"""The reference implementation explains predictions as the native core does."""

import numpy as np
import pytest
from cnn_core.explanations.attributions import Ways
from cnn_core.explanations.dense import Dense
from cnn_core.explanations.outputs import Output
from cnn_core.reference import layers_of

from cnn_core import MLP, reference

X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.stack([X[:, 0] - 2 * X[:, 1] ** 2, X[:, 2]], axis=1)


def fitted(**options):
    """A network that reads X as it is."""
    options = dict(scale_inputs=None, scale_targets=None, dtype="float64") | options
    return MLP((6, 5), options.pop("activation", "tanh"), epochs=3, random_state=3, **options)


def gradient_of(model, output):
    network = model._model().network
    layers = layers_of(network.flat().tolist(), network.widths)
    how = network.activations, network.activation_params
    return lambda x: reference.input_gradient(layers, *how, x, output)


@pytest.mark.parametrize("activation", ["tanh", "relu", "mish", "softmax"])
def test_derivatives_agree(activation):
    for model, y in ((fitted(activation=activation), Y),
                     (fitted(activation=activation), np.digitize(X[:, 0], [-1, 1]))):  # fmt: skip
        found = model.fit(X, y).jacobian(X)
        for output in range(found.shape[1]):
            wanted = [gradient_of(model, output)(x) for x in X.tolist()]
            np.testing.assert_allclose(found[:, output], wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("method, points", [("integrated", 16), ("expected", 9)])
def test_attributions_agree(method, points):
    model = fitted().fit(X, Y)
    dense = Dense(model._model().explained, Output(1, 1, False), 1)
    ways = Ways(dense, [X], [X], method, np.inf)
    (_, _, found), = ways.blocks()  # fmt: skip
    assert np.array_equal(model.attributions(X, method, output=1).base, ways.base)
    starts, offsets = ways.starts.tolist(), ways.offsets.tolist()
    for x, values in zip(X.tolist(), found):
        wanted = reference.attributions(gradient_of(model, 1), x, starts, offsets, points)
        np.testing.assert_allclose(values, wanted, rtol=1e-11, atol=1e-13)


def test_importances_of_shuffled_columns_agree():
    y = np.where(X[:, 0] > 0.3, "a", "b")
    model = fitted().fit(X, y)
    found = model.importances(X, y, repeats=3)
    for column in range(3):
        falls = reference.permutation_importances(
            lambda rows: model.score(rows, y), X.tolist(), column, 3, model._model().seed
        )
        assert found.values[column] == pytest.approx(np.mean(falls), rel=1e-12, abs=1e-15)
        assert found.sd[column] == pytest.approx(np.std(falls), rel=1e-12, abs=1e-15)
