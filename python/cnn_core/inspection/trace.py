"""Every quantity of backpropagation, computed piece by piece from the public kernels.

The pieces are those of the native training loop, so what is shown here are its bits.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from cnn_core import _losses
from cnn_core import functional as F
from cnn_core._backprop import Backprop
from cnn_core._costs import slopes
from cnn_core._few import counted, few_lines
from cnn_core.inspection.places import layer_names
from cnn_core.inspection.shares import idle_share
from cnn_core.periodic import PeriodicColumn, columns_of

if TYPE_CHECKING:
    from cnn_core.data.prepare import Dataset
    from cnn_core.model import Model


class LayerTrace(NamedTuple):
    """One layer's part of a forward and a backward pass over some rows."""

    name: str
    z: NDArray[Any]  #: (rows, n_out): W a + b of the layer below
    a: NDArray[Any]  #: (rows, n_out): f(z)
    delta: NDArray[Any]  #: (rows, n_out): dC/dz, where C is the mean over the rows
    dW: NDArray[Any]  #: (n_out, n_in): dC/dW
    db: NDArray[Any]  #: (n_out,): dC/db, with bias=False that of biases of 0
    #: (rows, n_out): dC/da, which delta = da * f'(z) is made of; of the output layer it is computed
    #: apart where the loss works on z. NaN where C is no function of a, as with 'perceptron'.
    da: NDArray[Any]
    activation: str = ""  #: the name of f

    def __repr__(self) -> str:
        """What is in it, instead of all its numbers."""
        rows, n_out = self.z.shape
        n_in = self.dW.shape[1]
        sizes = [f"{name} {extent(getattr(self, name))}" for name in ("z", "a", "delta")]
        said = f"{self.activation}, {n_in:,} to {n_out:,}, {counted(rows, 'row')}"
        return f"<{self.name}: {', '.join([said, *sizes, *idle(self)])}>"


class Trace(NamedTuple):
    """All quantities of one forward and one backward pass."""

    loss: float  #: the mean cost of the rows, without penalties
    layers: list[LayerTrace]  #: the first hidden layer first
    #: (rows, features): dC/dx with respect to the X that was given, unscaled, by way of periodic
    #: embeddings too; in the place of embedded columns, which come last, with respect to their
    #: vectors
    dx: NDArray[Any]
    units: str = "y"  #: of the targets and outputs: scaled ones where the model scales targets
    dE: tuple[NDArray[Any], ...] = ()  #: (categories, width) of each embedded column: dC/dE
    #: dC/dw, dC/dc, dC/dV and dC/dd of each number with a periodic embedding
    periodic: tuple[PeriodicColumn, ...] = ()

    @overload
    def __getitem__(self, key: str) -> LayerTrace: ...
    @overload
    def __getitem__(self, key: SupportsIndex | slice) -> Any: ...
    def __getitem__(self, key: Any) -> Any:
        """A layer by its name, or a field by its position."""
        if isinstance(key, str):
            for layer in self.layers:
                if layer.name == key:
                    return layer
            raise KeyError(
                f"no layer {key!r}; there are {', '.join(layer.name for layer in self.layers)}"
            )
        return tuple.__getitem__(self, key)

    def __repr__(self) -> str:
        """A line a layer, instead of all numbers."""
        from cnn_core._lines import aligned

        lines = aligned([LAYER_COLUMNS, *map(layer_row, self.layers)], LAYER_WORDS)
        return "\n".join([self.title, few_lines([line.rstrip() for line in lines])])

    def _repr_html_(self) -> str:
        from cnn_core.notebook.html import card, note, table

        rows = [layer_row(layer) for layer in self.layers]
        legend = "Ranges are from the smallest to the largest number of all rows and units."
        return card(self.title, table(LAYER_COLUMNS, rows, LAYER_WORDS), note(legend))

    @property
    def title(self) -> str:
        """How many rows there are, their loss, and in which units it is if not in those of y."""
        rows, features = self.dx.shape
        said = f"Trace of {counted(rows, 'row')}, loss {self.loss:.4g}"
        said += f" of {self.units}" * (self.units != "y")
        return f"{said}; dC/dx of {counted(features, 'feature')} {extent(self.dx)}"


#: The head of a table of layers, and its columns of words.
LAYER_COLUMNS = ("layer", "activation", "outputs", "z", "a", "delta", "dW", "dead or saturated")
LAYER_WORDS = (0, 1, 7)


def layer_row(layer: LayerTrace) -> tuple[str, ...]:
    """A layer in a table: ranges in the place of numbers."""
    ranges = [extent(getattr(layer, name)) for name in ("z", "a", "delta", "dW")]
    return (layer.name, layer.activation, f"{layer.z.shape[1]:,}", *ranges, *(idle(layer) or [""]))


def idle(layer: LayerTrace) -> list[str]:
    """How many of its units are dead, or saturated, in words; nothing for an output layer or where
    it cannot be."""
    if layer.name == "output":
        return []
    found = idle_share(layer.activation, layer.z, layer.a)
    return [] if found is None else [f"{100 * found[1]:.0f} % {found[0]}"]


def extent(values: NDArray[Any]) -> str:
    """The smallest and the largest number: "-1.2 to 3.4"."""
    if not values.size:
        return ""
    return f"{float(values.min()):.3g} to {float(values.max()):.3g}"


def trace(model: "Model", data: "Dataset", backend: Any) -> Trace:
    """Forward and backward pass over some rows, with everything kept.

    Parameters
    ----------
    model : Model
    data : Dataset
    backend : object of `training.backends`

    Returns
    -------
    Trace
    """
    traced: Trace = backend.trace(model, data)
    targets = model.target_scaling
    return traced if targets is None else traced._replace(units=targets.units)


def trace_native(model: "Model", data: "Dataset") -> Trace:
    """The trace by the public kernels."""
    network, loss, loss_param = model.network, model.task.loss, model.task.loss_param
    zs, activated = forward(network, data.X.array)
    X = activated[0]
    activations, params = network.activations, network.activation_params
    row = F.loss_table()[loss]
    out = zs[-1] if row.fused_activations else activated[-1]
    y = data.targets_of(row.sparse)
    scale = np.full(data.X.count, 1 / data.X.count, network.dtype)
    cost, delta = _losses.loss(loss, out, y, scale, loss_param)
    fused = bool(row.fused_activations)
    errors = [slopes(loss, activated[-1], y, loss_param) * scale[:, None] if fused else delta]
    if not fused:
        delta = F.activation_backward(activations[-1], zs[-1], delta, params[-1])
    deltas = [delta]
    for l in range(network.n_layers - 2, -1, -1):
        W_above = network.weights(l + 1)
        errors.insert(0, F.backward_delta(W_above, deltas[0], zs[l], "identity"))
        deltas.insert(0, F.backward_delta(W_above, deltas[0], zs[l], activations[l], params[l]))
    dx = F.backward_delta(network.weights(0), deltas[0], activated[0], "identity")
    layers = [
        LayerTrace(
            name, zs[l], activated[l + 1], deltas[l], *F.gradients(deltas[l], below), errors[l], f
        )
        for l, (name, below, f) in enumerate(zip(layer_names(network), activated, activations))
    ]
    mean = float(np.cumsum(cost, dtype=np.float64)[-1] / data.X.count)
    dE = tuple(_table_gradients(network, data.X.array, dx))
    found: tuple[PeriodicColumn, ...] = ()
    if network.periodic:
        backprop = Backprop(network, loss, data.X.count, loss_param)
        found = _periodic_of(network, backprop.loss_and_gradient(data.X.array, y)[1])
        dx = _of_features(network, X, dx)
    return Trace(mean, layers, _unscaled(dx, X, model), dE=dE, periodic=found)


def _periodic_of(network: F.Network, gradient: NDArray[Any]) -> tuple[PeriodicColumn, ...]:
    """The part of the periodic embeddings in a flat vector."""
    other = network.copy()
    other.set_flat(gradient)
    return columns_of(other.periodic_parameters())


def _of_features(network: F.Network, x: NDArray[Any], dx: NDArray[Any]) -> NDArray[Any]:
    """dC/dx of the features, from that of what the first layer reads of them."""
    features, _, width = network.periodic or ((), 0, 0)
    first = network.n_features - network.n_tables
    network.add_input_errors(np.ascontiguousarray(x), dx)
    return np.delete(dx, np.s_[first : first + width * len(features)], axis=1)


def _table_gradients(
    network: F.Network, X: NDArray[Any], dx: NDArray[Any]
) -> Iterator[NDArray[Any]]:
    """dC/dE of each embedded column, added row by row."""
    at = network.widths[0] - sum(width for _, width in network.embeddings)
    first = network.n_features - network.n_tables
    for column, (n, width) in enumerate(network.embeddings, start=first):
        dE = np.zeros((n, width), network.dtype)
        for category, delta in zip(X[:, column], dx[:, at : at + width]):
            if category < n:
                dE[int(category)] += delta
        at += width
        yield dE


def _unscaled(dx: NDArray[Any], x: NDArray[Any], model: "Model") -> NDArray[Any]:
    """dC/dx of x as it was before scaling, from that of the x that the network reads."""
    if model.scaling is None:
        return dx
    unscaled, n = dx.copy(), len(model.scaling.shift)
    unscaled[:, :n] = (dx[:, :n] * model.scaling.slope(x[:, :n])).astype(dx.dtype)
    return unscaled


def forward(network: F.Network, X: NDArray[Any]) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """z of each layer; what the first layer reads of X, and a of each layer."""
    zs, activated = [], [network.read(X)]
    for l, (name, param) in enumerate(zip(network.activations, network.activation_params)):
        panels, n_out = network.panels(l), network.widths[l + 1]
        b = np.zeros(panels.shape[0] * panels.shape[2], network.dtype)
        b[:n_out] = network.bias(l)
        z = np.ascontiguousarray(F.affine(activated[-1], panels, b)[:, :n_out])
        zs.append(z)
        activated.append(F.activation(name, z, param))
    return zs, activated


def trace_reference(model: "Model", data: "Dataset") -> Trace:
    """The trace by the reference implementation."""
    from cnn_core.reference import Trainer, bias_gradient, errors, weight_gradient

    spec = model.training_spec.without_steps(data.X.count)
    trainer = Trainer(spec, model.network.copy())
    loss, _ = trainer.loss_and_gradient(data.X, data.y, data.labels)
    layers = []
    dx, *of_layers = errors(trainer, data.X, data.y, data.labels)
    names, functions = layer_names(model.network), model.network.activations
    for name, one, error, f in zip(names, trainer.passes, of_layers, functions):
        dW, db = weight_gradient(one.delta, one.inputs), bias_gradient(one.delta)
        z, a, delta, da = map(np.array, (one.z, one.a, one.delta, error))
        layers.append(LayerTrace(name, z, a, delta, np.array(dW), np.array(db), da, f))
    X, gradient = np.array(trainer.passes[0].inputs), trainer.flat_gradient()
    network = model.network.copy("float64")
    network.set_flat(gradient)
    dE = tuple(network.vectors(i).copy() for i in range(network.n_tables))
    found = columns_of(network.periodic_parameters()) if network.periodic else ()
    return Trace(loss, layers, _unscaled(np.array(dx), X, model), dE=dE, periodic=found)
