"""Where the time of an epoch goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnn_core._checks import shown
from cnn_core.plot._axes import axes_for, check_ax

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cnn_core.profile import Profile


def profile(found: Profile, *, ax: Axes | None = None) -> Axes:
    """The phases of an epoch, a bar a layer: what ``Profile.plot`` draws at the left.

    Parameters
    ----------
    found : Profile
        What ``model.profile(X, y)`` returns.
    ax : Axes, optional
        Default a new figure.

    Returns
    -------
    Axes
    """
    check_ax(ax)
    from cnn_core.profile import Profile
    from cnn_core.profile.plot import draw_times

    if not isinstance(found, Profile):
        raise TypeError(f"found must be what model.profile(X, y) returns, got {shown(found)}")
    layers = {row["layer"] for row in found["phases"]}
    ax = axes_for(ax, (7.0, 1.6 + 0.55 * len(layers)))
    draw_times(ax, found)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8.5)
    return ax
