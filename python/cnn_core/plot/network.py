"""The network: neurons and weighted lines, or a box a layer where there are many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._checks import is_whole, shown
from cnn_core.plot._axes import axes_for, check_ax, ink, titled
from cnn_core.plot._fitted import network_of
from cnn_core.plot._style import BLACK, BLUE, VERMILION, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cnn_core.mlp import MLP


def network(model: MLP, *, max_neurons: int = 16, ax: Axes | None = None) -> Axes:
    """The layers of a fitted network from left to right.

    With at most `max_neurons` in each layer there is a circle a neuron and a line a weight: the
    thicker the larger, blue and solid above 0, red and dashed below. The lines between two layers
    are drawn against the largest weight between these. Larger networks have a box a layer.

    Parameters
    ----------
    model : MLP
        Fitted.
    max_neurons : int, default 16
    ax : Axes, optional
        Default a new figure.

    Returns
    -------
    Axes
    """
    check_ax(ax)
    found = network_of(model, "network")
    if not is_whole(max_neurons) or max_neurons < 1:
        raise ValueError(
            f"max_neurons must be a whole number of at least 1, got {shown(max_neurons)}"
        )
    net = found.network
    widths = list(net.widths)
    small = max(widths) <= max_neurons
    height = min(7.0, max(2.6, 0.36 * max(widths) + 1.2)) if small else 2.8
    ax = axes_for(ax, (max(4.8, 1.8 * len(widths) + 1.6), height))
    ax.set_axis_off()
    if small:
        _lines(ax, [net.weights(l) for l in range(net.n_layers)])
        _neurons(ax, widths, found)
    else:
        _boxes(ax, widths)
    heads = ["input", *(f"hidden {l}" for l in range(1, net.n_layers)), "output"]
    names = ["", *net.activations]
    for l, (head, name, width) in enumerate(zip(heads, names, widths)):
        ax.text(l, 1.08, f"{head}\n{width} {name}".rstrip(), ha="center", va="bottom", fontsize=8.5)
    n = len(net.flat())
    titled(ax, f"{'-'.join(map(str, widths))}: {n:,} parameters")
    ax.set_xlim(-0.75, len(widths) - 0.25)
    ax.set_ylim(-0.06, 1.28)
    return ax


def _heights(width: int) -> np.ndarray:
    """Where the neurons of a layer stand, between 0 and 1, the first one on top."""
    if width == 1:
        return np.array([0.5])
    reach = 0.5 * min(1.0, 0.3 + 0.1 * width)
    return np.linspace(0.5 + reach, 0.5 - reach, width)


def _lines(ax: Axes, layers: list[np.ndarray]) -> None:
    from matplotlib.collections import LineCollection

    for l, weights in enumerate(layers):
        n_out, n_in = weights.shape
        below, above = _heights(n_in), _heights(n_out)
        largest = float(np.abs(weights).max()) or 1.0
        for positive, colour, line in ((True, BLUE, "solid"), (False, VERMILION, "dashed")):
            at = np.argwhere((weights > 0) if positive else (weights < 0))
            at = at[np.argsort(np.abs(weights[tuple(at.T)]))]  # the largest ones on top
            if not len(at):
                continue
            sizes = [abs(float(weights[j, k])) / largest for j, k in at]
            lines = [[(l, float(below[k])), (l + 1, float(above[j]))] for j, k in at]
            ax.add_collection(
                LineCollection(
                    lines,
                    colors=colour,
                    linestyles=line,
                    linewidths=[0.2 + 2.6 * size for size in sizes],
                    alpha=[0.1 + 0.85 * size for size in sizes],
                    zorder=1,
                )
            )


def _neurons(ax: Axes, widths: list[int], found: Any) -> None:
    size = 170 * min(1.0, 12 / max(widths))
    for l, width in enumerate(widths):
        at = _heights(width)
        ax.scatter([l] * width, at, s=size, facecolor="white", edgecolor=BLACK, zorder=2)
    names = found.input_names
    read = [str(k) for k in range(widths[0])] if names is None else [*names]
    if len(read) == widths[0] and not found.network.embeddings:
        for name, y in zip(read, _heights(widths[0])):
            ax.text(-0.13, y, short(name, 14), ha="right", va="center", fontsize=8)
    classes = found.task.classes
    if classes is not None and len(classes) == widths[-1]:
        for label, y in zip(classes.tolist(), _heights(widths[-1])):
            ax.text(len(widths) - 0.87, y, short(label, 14), ha="left", va="center", fontsize=8)


def _boxes(ax: Axes, widths: list[int]) -> None:
    """Boxes whose heights grow with the logarithm of the widths."""
    from matplotlib.patches import Rectangle

    tallest = np.log2(1 + max(widths))
    heights = [0.12 + 0.88 * float(np.log2(1 + width) / tallest) for width in widths]
    for l, height in enumerate(heights):
        ax.add_patch(
            Rectangle((l - 0.13, 0.5 - height / 2), 0.26, height, facecolor="#dce9f5", ec=BLACK)
        )
        if l:
            arrow = dict(arrowstyle="-|>", color=ink(ax), linewidth=1)
            ax.annotate("", (l - 0.15, 0.5), (l - 0.85, 0.5), arrowprops=arrow)
            text = f"{widths[l]} x {widths[l - 1]}"
            ax.text(l - 0.5, 0.53, text, ha="center", va="bottom", fontsize=7.5)
