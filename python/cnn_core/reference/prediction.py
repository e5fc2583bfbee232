"""Predictions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_core.functional import Network
from cnn_core.reference.activations import activate
from cnn_core.reference.embeddings import embed, embeddings_of
from cnn_core.reference.layers import affine
from cnn_core.reference.vectors import layers_of


def predict(network: Network, X: NDArray[Any]) -> NDArray[Any]:
    """The outputs a^L for every row of X, as the native network gives them."""
    parameters = network.flat().astype(float).tolist()
    layers = layers_of(parameters, network.widths, network.has_bias)
    embeddings, outputs = embeddings_of(parameters, network.embeddings, network.periodic), []
    for row in X.astype(float).tolist():
        a = embed(row, embeddings)
        for l, (W, b) in enumerate(layers):
            z = affine(W, b, a)
            a = activate(network.activations[l], network.activation_params[l], z)
        outputs.append(a)
    with np.errstate(over="ignore"):
        return np.array(outputs, network.dtype).reshape(len(X), network.widths[-1])
