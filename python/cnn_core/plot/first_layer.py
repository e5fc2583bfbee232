"""The weights of the first layer: images of pixels, or columns by neurons."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._few import counted
from cnn_core.plot._axes import axes_for, check_ax, titled
from cnn_core.plot._fitted import network_of
from cnn_core.plot._style import MOST, shortened
from cnn_core.plot.tiles import MOST_IMAGES, across_of, image_shape, mosaic_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cnn_core.mlp import MLP

#: Fewest features without names that are taken for the pixels of an image.
FEWEST_PIXELS = 16


def first_layer_weights(
    model: MLP, *, shape: tuple[int, int] | None = None, ax: Axes | None = None
) -> Axes:
    """The weights to each neuron of the first layer.

    Of pixels an image a neuron: black below 0, white above. Of a table a row for each column as the
    network reads it, and a square in it for each neuron: red below 0, blue above. Features are
    pixels where `shape` is given, or where they are the square of a whole number, 4 at least, and
    have no names, or such as differ in their numbers alone.

    Of more than 64 neurons those with the longest vectors of weights are drawn, the longest first,
    of more than 20 columns likewise.

    Parameters
    ----------
    model : MLP
        Fitted.
    shape : (int, int), optional
        Height and width of images, each of which is a row of X; default a square.
    ax : Axes, optional
        Default a new figure.

    Returns
    -------
    Axes
    """
    check_ax(ax)
    found = network_of(model, "first_layer_weights")
    weights = np.asarray(found.network.weights(0), float)
    if shape is None and not _are_pixels(found, weights.shape[1]):
        return _columns(found, weights, ax)
    n = len(weights)
    shape = image_shape(shape, weights.shape[1])
    weights, _, note = _longest(weights, MOST_IMAGES)
    across = across_of(len(weights))
    ax = axes_for(ax, (6.0, 1.0 + 6.0 * math.ceil(len(weights) / across) / 8))
    _draw(ax, mosaic_of(weights.reshape(-1, *shape), 1), weights, "gray", "equal")
    ax.set_axis_off()
    titled(ax, f"Weights to {counted(n, 'neuron')} of the first layer{note}")
    return ax


def _draw(ax: Axes, picture: Any, weights: np.ndarray, colours: str, aspect: Any) -> None:
    """Weights as shades, alike to both sides of 0."""
    largest = float(np.abs(weights).max()) or 1.0
    drawn = ax.imshow(
        picture, cmap=colours, aspect=aspect, vmin=-largest, vmax=largest, interpolation="nearest"
    )
    ax.figure.colorbar(drawn, ax=ax, label="weight", shrink=0.7)


def _columns(found: Any, weights: np.ndarray, ax: Axes | None) -> Axes:
    """A row of shades for each input of the network."""
    (n, n_in), names = weights.shape, _names(found)
    weights, neurons, of_neurons = _longest(weights, MOST_IMAGES)
    turned, columns, of_columns = _longest(weights.T, MOST)
    ax = axes_for(ax, (min(9.0, 4.2 + 0.22 * len(neurons)), 1.6 + 0.3 * len(columns)))
    _draw(ax, turned, weights, "RdBu", "auto")
    ax.set_yticks(range(len(columns)), shortened(names[k] for k in columns))
    step = -(-len(neurons) // 16)
    ax.set_xticks(range(0, len(neurons), step), [str(k) for k in neurons[::step]])
    ax.set_xlabel("neuron of the first layer")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    title = f"Weights of {counted(n_in, 'input')}{of_columns}"
    titled(ax, f"{title}\nto {counted(n, 'neuron')}{of_neurons}")
    return ax


def _longest(vectors: np.ndarray, most: int) -> tuple[np.ndarray, list[int], str]:
    """The vectors to draw, their numbers, and words for those that are left out."""
    n = len(vectors)
    if n <= most:
        return vectors, list(range(n)), ""
    order = np.argsort(-(vectors**2).sum(axis=1), kind="stable")[:most]
    return vectors[order], order.tolist(), f", the {most} longest"


def _are_pixels(found: Any, n_in: int) -> bool:
    """Whether the features look like those of images, as `first_layer_weights` says."""
    network, names, columns = found.network, found.input_names, found.columns
    if network.embeddings or network.periodic:
        return False
    if columns is not None and not columns.measured.all():
        return False
    alike = names is None or len({re.sub(r"\d+", "", str(name)) for name in names}) == 1
    return alike and n_in >= FEWEST_PIXELS and math.isqrt(n_in) ** 2 == n_in


def _names(found: Any) -> list[str]:
    """Of all that the first layer reads: numbers, their periodic embeddings, vectors of
    categories."""
    network, given = found.network, found.input_names
    n = network.n_features
    names = [f"column {k}" for k in range(n)] if given is None else [str(name) for name in given]
    embedded = names[n - network.n_tables :]
    read = names[: n - network.n_tables]
    if network.periodic:
        features, _, width = network.periodic
        read = read + [f"{names[k]} ~{i + 1}" for k in features for i in range(width)]
    for name, (_, width) in zip(embedded, network.embeddings):
        read += [f"{name} [{i + 1}]" for i in range(width)]
    return read
