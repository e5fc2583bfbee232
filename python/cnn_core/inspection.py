"""The open box: every quantity of backpropagation, computed piece by piece from the public kernels.

The pieces are those of the native training loop, so what is shown here are its bits.
"""

from typing import NamedTuple

import numpy as np

from cnn_core import _losses
from cnn_core._activations import activation, activation_backward
from cnn_core._backprop import backward_delta, gradients
from cnn_core._dataset import RowSource
from cnn_core._linalg import affine
from cnn_core._network import Network
from cnn_core._run import make_training
from cnn_core.diagnosis import diagnose


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
            raise KeyError(
                f"no layer {key!r}; there are {', '.join(layer.name for layer in self.layers)}"
            )
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


def trace(model, data, backend):
    """Forward and backward pass over some rows, with everything kept.

    Parameters
    ----------
    model : Fitted
    data : Data
    backend : {'native', 'python'}

    Returns
    -------
    Trace
    """
    return _twin_trace(model, data) if backend == "python" else _native_trace(model, data)


def _native_trace(model, data):
    network, loss, alpha = model.network, model.plan.loss, model.plan.loss_alpha
    zs, activated = [], [data.X.array]
    for l in range(network.n_layers):
        panels = network.panels(l)
        b = np.zeros(panels.shape[0] * panels.shape[2], network.dtype)
        b[: network.widths[l + 1]] = network.bias(l)
        z = np.ascontiguousarray(affine(activated[-1], panels, b)[:, : network.widths[l + 1]])
        zs.append(z)
        activated.append(activation(network.activations[l], z, network.alphas[l]))
    row = _losses.table()[loss]
    from_z, y = bool(row.outputs), data.labels.array[:, 0] if row.sparse else data.y.array
    scale = np.full(data.X.count, 1 / data.X.count, network.dtype)
    cost, delta = _losses.loss(loss, zs[-1] if from_z else activated[-1], y, scale, alpha)
    if not from_z:
        delta = activation_backward(network.activations[-1], zs[-1], delta, network.alphas[-1])
    deltas = [delta]
    for l in range(network.n_layers - 2, -1, -1):
        deltas.insert(
            0,
            backward_delta(
                network.weights(l + 1), deltas[0], zs[l], network.activations[l], network.alphas[l]
            ),
        )
    layers = [
        LayerTrace(name, zs[l], activated[l + 1], deltas[l], *gradients(deltas[l], activated[l]))
        for l, name in enumerate(layer_names(network))
    ]
    return Trace(float(np.cumsum(cost, dtype=np.float64)[-1] / data.X.count), layers)


def _twin_trace(model, data):
    from cnn_core.reference import bias_gradient, weight_gradient

    run = make_training("python", model.network.copy(), model.plan, data.X.count)
    loss, _ = run.loss_and_gradient(data.X, data.y, data.labels)
    layers = []
    for name, one in zip(layer_names(model.network), run.passes):
        quantities = (
            one.z,
            one.a,
            one.delta,
            weight_gradient(one.delta, one.inputs),
            bias_gradient(one.delta),
        )
        layers.append(LayerTrace(name, *map(np.array, quantities)))
    return Trace(loss, layers)


def check_gradient(model, data, l1, l2, h, backend):
    """Compare the gradient with central differences, in float64.

    Parameters
    ----------
    model : Fitted
        Of either dtype; the check runs on a float64 copy.
    data : Data
    l1, l2 : float
        Penalties on the weights.
    h : float
        Step to either side.
    backend : {'native', 'python'}

    Returns
    -------
    GradientCheck
    """
    network = model.network
    copy = Network(network.widths, network.activations, "float64", network.alphas)
    rows = [
        None if part is None else RowSource(part.array.astype("float64"))
        for part in (data.X, data.y)
    ]
    run = make_training(backend, copy, model.plan, data.X.count, l1=l1, l2=l2)

    def cost_at(parameters):
        run.set_flat(parameters)
        return run.loss_and_gradient(*rows, data.labels)[0]

    w = network.flat().astype(np.float64)
    cost_at(w)
    gradient = run.flat_gradient()
    numeric = np.empty_like(w)
    for i in range(len(w)):
        costs = []
        for step in (h, -h):
            shifted = w.copy()
            shifted[i] += step
            costs.append(cost_at(shifted))
        numeric[i] = (costs[0] - costs[1]) / (2 * h)
    error = np.abs(gradient - numeric) / np.maximum(
        1, np.maximum(np.abs(gradient), np.abs(numeric))
    )
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
    return GradientCheck(
        float(error[worst]),
        layer_names(network)[l],
        *where,
        float(gradient[worst]),
        float(numeric[worst]),
    )


def summary(model, dropout):
    """The layers of a network, one a line, with shapes, parameters and memory; and what its
    learning curves suggest.

    Parameters
    ----------
    model : Fitted
    dropout : sequence of float
        The share of its inputs that each layer leaves out in training.

    Returns
    -------
    str
    """
    network, history = model.network, model.history
    rows = [("layer", "inputs", "outputs", "activation", "W", "parameters")]
    total = 0
    for l, name in enumerate(layer_names(network)):
        n_in, n_out = network.widths[l : l + 2]
        total += n_out * (n_in + 1)
        rows.append(
            (
                name,
                str(n_in),
                str(n_out),
                network.activations[l],
                f"{n_out} x {n_in}",
                f"{n_out * (n_in + 1):,}",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    left = (0, 3)  # columns of words
    lines = [
        "  ".join(
            cell.ljust(w) if i in left else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths))
        )
        for row in rows
    ]
    lines.insert(1, "-" * len(lines[0]))
    lines.append(f"{total:,} parameters of {network.dtype} in {network.parameters.nbytes:,} bytes")
    if model.scaling is not None:
        lines.append(f"inputs are scaled by the model; {2 * model.n_features:,} numbers of float64")
    if any(dropout):
        rates = ", ".join(
            f"{rate:g} of {f'hidden {l}' if l else 'the inputs'}"
            for l, rate in enumerate(dropout)
            if rate
        )
        lines.append(f"dropout in training: {rates}")
    if history.get("loss"):
        names = {"loss": "loss", "metric": "R2" if model.plan.task == "regression" else "accuracy"}
        epochs = len(history["loss"])
        at = (model.best_epoch or epochs) - 1
        values = [
            f"{prefix.replace('_', ' ')}{word} {history[prefix + name][at]:.4g}"
            for prefix in ("", "val_")
            for name, word in names.items()
            if prefix + name in history
        ]
        which = (
            f"epoch {at + 1} of {epochs}, the best"
            if model.best_epoch
            else f"after {epochs} epoch{'s' * (epochs > 1)}"
        )
        lines.append(f"{which}: {', '.join(values)}")
        lines.append(diagnose(history, model.baseline, model.best_epoch))
    return "\n".join(lines)
