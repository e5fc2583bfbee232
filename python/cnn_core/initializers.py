"""Initial weights."""

import numpy as np

from cnn_core._random import uniform

#: Activations that pass half of their input on, for which He et al. 2015 derived their scale.
RELU_FAMILY = ("relu",)


def limit(activation, n_in, n_out):
    """Bound of the uniform distribution that a layer's weights are drawn from.

    Parameters
    ----------
    activation : str
        The layer's own activation.
    n_in, n_out : int
        Its inputs and outputs.

    Returns
    -------
    float
        sqrt(6 / n_in) for the relu family (He et al. 2015, "Delving deep into rectifiers", eq. 10), else
        sqrt(6 / (n_in + n_out)) (Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward
        neural networks", eq. 16). Both give the standard deviation of those papers, which is the limit / sqrt(3).
    """
    return np.sqrt(6 / n_in) if activation in RELU_FAMILY else np.sqrt(6 / (n_in + n_out))


def initialize(network, init, seed):
    """Set a network's parameters.

    Parameters
    ----------
    network : Network
    init : 'auto' or list of (W, b)
        'auto': uniform weights within `limit`, zero biases; number i of layer l is a pure function of (seed, l, i).
    seed : int
    """
    for layer, (n_in, n_out) in enumerate(zip(network.widths, network.widths[1:])):
        if isinstance(init, str):
            bound = limit(network.activations[layer], n_in, n_out)
            W = (2 * uniform(seed, layer, n_in * n_out) - 1).reshape(n_out, n_in) * bound
            b = np.zeros(n_out)
        else:
            W, b = init[layer]
        network.set_layer(layer, W, b)
