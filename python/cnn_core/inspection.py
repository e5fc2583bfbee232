"""The open box: every quantity of backpropagation, computed piece by piece from the public kernels.

The pieces are those of the native training loop, so what is shown here are its bits.
"""

from typing import NamedTuple

import numpy as np

from cnn_core import _losses
from cnn_core._activations import activation, activation_backward
from cnn_core._backprop import Backprop, Network, backward_delta, gradients
from cnn_core._linalg import affine


class LayerTrace(NamedTuple):
    """One layer's part of a forward and a backward pass over some rows."""

    name: str
    z: np.ndarray  #: (rows, n_out): W a + b of the layer below
    a: np.ndarray  #: (rows, n_out): f(z)
    delta: np.ndarray  #: (rows, n_out): dC/dz, where C is the mean over the rows
    dW: np.ndarray  #: (n_out, n_in): dC/dW
    db: np.ndarray  #: (n_out,): dC/db


class Trace(NamedTuple):
    """All quantities of one forward and one backward pass."""

    loss: float  #: the mean cost of the rows, without penalties
    layers: list  #: a LayerTrace each, the first hidden layer first

    def __getitem__(self, key):
        """A layer by its name, or a field by its position."""
        if isinstance(key, str):
            for layer in self.layers:
                if layer.name == key:
                    return layer
            raise KeyError(f"no layer {key!r}; there are {', '.join(layer.name for layer in self.layers)}")
        return tuple.__getitem__(self, key)


class GradientCheck(NamedTuple):
    """The parameter at which backpropagation and central differences are furthest apart."""

    error: float  #: |analytic - numeric| / max(1, |analytic|, |numeric|)
    layer: str
    parameter: str  #: 'W' or 'b'
    index: tuple
    analytic: float
    numeric: float


def layer_names(network):
    """'hidden 1', 'hidden 2', ..., 'output'."""
    return [f"hidden {l + 1}" for l in range(network.n_layers - 1)] + ["output"]


def trace(network, loss, alpha, X, y):
    """Forward and backward pass over the rows of X, with everything kept.

    Parameters
    ----------
    network : Network
    loss : str
    alpha : float or None
        The loss's number.
    X : ndarray, shape (rows, n_in)
    y : ndarray
        Targets as the loss takes them.

    Returns
    -------
    Trace
    """
    zs, activated = [], [X]
    for l in range(network.n_layers):
        panels = network.panels(l)
        b = np.zeros(panels.shape[0] * panels.shape[2], network.dtype)
        b[: network.widths[l + 1]] = network.bias(l)
        z = np.ascontiguousarray(affine(activated[-1], panels, b)[:, : network.widths[l + 1]])
        zs.append(z)
        activated.append(activation(network.activations[l], z, network.alphas[l]))
    from_z = bool(_losses.table()[loss].outputs)
    scale = np.full(len(X), 1 / len(X), network.dtype)
    cost, delta = _losses.loss(loss, zs[-1] if from_z else activated[-1], y, scale, alpha)
    if not from_z:
        delta = activation_backward(network.activations[-1], zs[-1], delta, network.alphas[-1])
    deltas = [delta]
    for l in range(network.n_layers - 2, -1, -1):
        deltas.insert(0, backward_delta(network.weights(l + 1), deltas[0], zs[l], network.activations[l],
                                        network.alphas[l]))
    layers = [LayerTrace(name, zs[l], activated[l + 1], deltas[l], *gradients(deltas[l], activated[l]))
              for l, name in enumerate(layer_names(network))]
    return Trace(float(np.cumsum(cost, dtype=np.float64)[-1] / len(X)), layers)


def check_gradient(network, loss, alpha, l1, l2, X, y, h=1e-6):
    """Compare the gradient with central differences, in float64.

    Parameters
    ----------
    network : Network
        Of either dtype; the check runs on a float64 copy.
    loss, alpha, X, y
        As for `trace`.
    l1, l2 : float
        Penalties on the weights.
    h : float
        Step to either side.

    Returns
    -------
    GradientCheck
    """
    copy = Network(network.widths, network.activations, "float64", network.alphas)
    copy.set_flat(network.flat())
    backprop = Backprop(copy, loss, len(X), alpha, l1, l2)
    _, gradient = backprop.loss_and_gradient(X, y)
    w = copy.flat()
    numeric = np.empty_like(w)
    for i in range(len(w)):
        costs = []
        for step in (h, -h):
            shifted = w.copy()
            shifted[i] += step
            copy.set_flat(shifted)
            costs.append(backprop.loss_and_gradient(X, y)[0])
        numeric[i] = (costs[0] - costs[1]) / (2 * h)
    error = np.abs(gradient - numeric) / np.maximum(1, np.maximum(np.abs(gradient), np.abs(numeric)))
    worst = int(error.argmax())
    position = worst
    for l, (n_in, n_out) in enumerate(zip(network.widths, network.widths[1:])):
        if position < n_in * n_out:
            where = "W", tuple(int(i) for i in divmod(position, n_in))
            break
        position -= n_in * n_out
        if position < n_out:
            where = "b", (position,)
            break
        position -= n_out
    return GradientCheck(float(error[worst]), layer_names(network)[l], *where, float(gradient[worst]),
                         float(numeric[worst]))


def summary(network):
    """The layers of a network, one a line, with shapes, parameters and memory.

    Parameters
    ----------
    network : Network

    Returns
    -------
    str
    """
    rows = [("layer", "inputs", "outputs", "activation", "W", "parameters")]
    total = 0
    for l, name in enumerate(layer_names(network)):
        n_in, n_out = network.widths[l : l + 2]
        total += n_out * (n_in + 1)
        rows.append((name, str(n_in), str(n_out), network.activations[l], f"{n_out} x {n_in}",
                     f"{n_out * (n_in + 1):,}"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    left = (0, 3)  # columns of words
    lines = ["  ".join(cell.ljust(w) if i in left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths)))
             for row in rows]
    lines.insert(1, "-" * len(lines[0]))
    lines.append(f"{total:,} parameters of {network.dtype} in {network.parameters.nbytes:,} bytes")
    return "\n".join(lines)
