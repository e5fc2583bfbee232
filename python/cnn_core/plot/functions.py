"""Activation functions with their derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnn_core.activations import Activation, get_activation
from cnn_core.plot._axes import axes_for, check_ax, divided, plain, titled
from cnn_core.plot._style import BLUE, GREY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cnn_core._typing import ActivationName

#: Reaches so far to either side of 0.
REACH = 4.0


def activations(
    names: ActivationName | Activation | Sequence[ActivationName | Activation] = (
        "sigmoid",
        "tanh",
        "relu",
        "gelu",
    ),
    *,
    ax: Axes | None = None,
) -> Axes:
    """Activation functions f(z), solid, with their derivatives f'(z), dashed, computed by the
    kernels that training takes.

    Parameters
    ----------
    names : str, Activation, or sequence of them
        As `MLP` takes them.
    ax : Axes, optional
        Where to draw; its place is parted into one for each function. Default a new figure.

    Returns
    -------
    Axes
        Of the first function; the others are the next ones in its figure.
    """
    check_ax(ax)
    given = [names] if isinstance(names, (str, Activation)) else list(names)
    chosen = [get_activation(one) for one in given]
    if not chosen:
        raise ValueError("activations needs one name at least, got none")
    if any(name == "softmax" for name, _ in chosen):
        raise ValueError("softmax depends on all z of a layer, and is no curve over one z")
    across = min(4, len(chosen))
    down = -(-len(chosen) // across)
    ax = axes_for(ax, (max(3.6, 2.4 * across), 2.6 * down))
    axes = divided(ax, (1,) * across, (1,) * down)
    for one in axes[len(chosen) :]:
        one.remove()
    axes = axes[: len(chosen)]
    for one, (name, number) in zip(axes, chosen):
        _draw(one, name, number)
    axes[0].legend(frameon=False, fontsize=8.5, loc="upper left")
    axes[0].set_ylabel("f(z), f'(z)")
    return ax


def _draw(ax: Axes, name: str, number: float | None) -> None:
    from cnn_core import functional as F

    z = np.linspace(-REACH, REACH, 801)[None]
    jumps = name in ("step", "sign")
    f, slope = F.activation(name, z, number)[0], F.activation_derivative(name, z, number)[0]
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.axvline(0, color=GREY, linewidth=0.6)
    if jumps:  # two pieces, with nothing between
        f = np.insert(f, 401, np.nan)
        z = np.insert(z, 401, 0.0, axis=1)
        slope = np.insert(slope, 401, 0.0)
    ax.plot(z[0], f, "-", color=BLUE, linewidth=2, label="f(z)")
    ax.plot(z[0], slope, "--", color=VERMILION, linewidth=1.6, label="f'(z)")
    low, high = np.nanmin(f), np.nanmax(f)
    ax.set_ylim(max(-2.2, min(low, slope.min()) - 0.15), min(4.2, max(high, slope.max()) + 0.15))
    ax.set_xlabel("z")
    titled(ax, name if number is None else f"{name}, {number:g}")
    plain(ax)
