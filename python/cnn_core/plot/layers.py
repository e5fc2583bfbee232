"""z, a and delta of each layer, and how many units are dead or saturated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._few import counted
from cnn_core.inspection.trace import idle
from cnn_core.plot._axes import axes_for, check_ax, divided, plain, titled
from cnn_core.plot._fitted import network_of
from cnn_core.plot._style import BLUE, GREY, ORANGE, SKY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cnn_core.mlp import MLP


def layers(model: MLP, X: ArrayLike, y: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """What a forward and a backward pass compute in each layer: z, a, and the size of delta.

    A box holds the middle half of all numbers of a layer, its line is the median, and whiskers
    reach from the 5 % to the 95 % quantile. ``|delta|`` has a logarithmic axis: where it shrinks by
    powers of ten from the output to the first layer, gradients vanish; 0 is drawn at its left end.
    Beside a are, of relu, the
    share of dead units, which are 0 for all rows, and of sigmoid, tanh and hard_sigmoid the share
    of saturated entries, where the slope is below 5 % of the steepest.

    Parameters
    ----------
    model : MLP
        Fitted.
    X : array-like, shape (rows, features)
    y : array-like, shape (rows,) or (rows, outputs)
    ax : Axes, optional
        Where to draw; its place is parted into three. Default a new figure.

    Returns
    -------
    Axes
        Of z; those of a and delta are the next ones in its figure.
    """
    check_ax(ax)
    network_of(model, "layers")
    traced = model.trace(X, y).layers
    names = [f"{one.name}\n{one.activation}" for one in traced]
    ax = axes_for(ax, (9.0, 1.5 + 0.62 * len(traced)))
    axes = divided(ax, columns=(1, 1, 1))
    from matplotlib.ticker import LogLocator, NullFormatter

    rows = len(traced[0].z)
    quantities = (
        ("z", [one.z for one in traced], SKY),
        ("a", [one.a for one in traced], BLUE),
        ("|delta|", _above_zero([abs(one.delta) for one in traced]), ORANGE),
    )
    for one, (name, values, colour) in zip(axes, quantities):
        _boxes(one, values, colour)
        if name == "|delta|":
            one.set_xscale("log")
            one.set_xlim(*_powers_around(one.get_xlim()))
            one.xaxis.set_major_locator(LogLocator(numticks=4))
            one.xaxis.set_minor_formatter(NullFormatter())
        else:
            one.axvline(0, color=GREY, linewidth=0.7, zorder=0)
        one.set_xlabel(name)
        one.set_yticks(range(len(traced)), names if one is ax else [])
        one.set_ylim(len(traced) - 0.4, -0.6)
        plain(one)
    for l, layer in enumerate(traced):
        for words in idle(layer):
            axes[1].text(
                0.99, l - 0.33, words, transform=axes[1].get_yaxis_transform(), ha="right",
                va="bottom", fontsize=8,
            )  # fmt: skip
    titled(ax, f"z, a and |delta| of {counted(rows, 'row')}, layer by layer")
    return ax


def _boxes(ax: Axes, values: list[np.ndarray], colour: str) -> None:
    stats: list[dict[str, Any]] = []
    for one in values:
        low, first, middle, third, high = np.quantile(one, (0.05, 0.25, 0.5, 0.75, 0.95))
        stats.append({"whislo": low, "q1": first, "med": middle, "q3": third, "whishi": high})
    ax.bxp(
        stats,
        positions=range(len(values)),
        widths=0.45,
        orientation="horizontal",
        showfliers=False,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": colour, "alpha": 0.7},
        medianprops={"color": "black", "linewidth": 1.6},
    )


def _powers_around(limits: tuple[float, float]) -> tuple[float, float]:
    """The powers of ten around a logarithmic axis, so that two have a label at least."""
    low, high = np.log10(limits)
    return float(10 ** np.floor(low)), float(10 ** np.ceil(high))


def _above_zero(values: list[np.ndarray]) -> list[np.ndarray]:
    """The same for a logarithmic axis: what is 0, or far below the rest, is at its left end."""
    positive = np.concatenate([one[one > 0] for one in values])
    least = float(np.quantile(positive, 0.02)) if positive.size else 1.0
    return [np.maximum(one, least) for one in values]
