"""Which columns matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cnn_core.plot._axes import axes_for, check_ax, ink, plain, titled
from cnn_core.plot._fitted import fitted_of
from cnn_core.plot._style import BLUE, GREY, MOST, ORANGE, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cnn_core.plot._fitted import Estimator

#: What `Importances.direction` must be beyond to be called rising.
CLEAR = 0.8


def importances(
    model: Estimator,
    X: ArrayLike,
    y: ArrayLike | None = None,
    method: Literal["permutation", "gradient", "integrated", "expected"] = "permutation",
    *,
    repeats: int = 5,
    output: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """`MLP.importances` as bars, the most important column on top.

    Blue: the prediction rises with the column, orange and hatched: it falls, grey: neither, or the
    column is no number. Lines are a standard deviation of the repeats to either side. Of more than
    20 columns the 20 most important are drawn.

    Parameters
    ----------
    model : MLP, TabularMLP or Ensemble
        Fitted.
    X, y, method, repeats, output
        As for `MLP.importances`.
    ax : Axes, optional
        Default a new figure.

    Returns
    -------
    Axes
    """
    check_ax(ax)
    fitted_of(model)
    found = model.importances(X, y, method, repeats=repeats, output=output)
    order = found.order[:MOST]
    values, sd = found.values[order], found.sd[order]
    ax = axes_for(ax, (6.4, 1.5 + 0.3 * len(order)))
    from matplotlib.patches import Patch

    kinds = [_kind(float(found.direction[k])) for k in order]
    looks: dict[str, dict[str, Any]] = {
        "rises": {"facecolor": BLUE},
        "falls": {"facecolor": ORANGE, "hatch": "///"},
        "either way": {"facecolor": "#bbbbbb"},
    }
    for place, (value, kind) in enumerate(zip(values, kinds)):
        ax.barh(place, value, 0.7, edgecolor=ink(ax), linewidth=0.5, **looks[kind])
    if np.isfinite(sd).all():
        ax.errorbar(values, range(len(order)), xerr=sd, fmt="none", ecolor=ink(ax), capsize=2)
    names = [found.names[k] for k in order]
    words = shortened(f"column {name}" if isinstance(name, int) else name for name in names)
    ax.set_yticks(range(len(order)), words)
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.set_xlabel(_measure(found.measure))
    left = len(found.names) - len(order)
    titled(
        ax, f"Importance by {method}" + (f"; {left} less important are left out" if left else "")
    )
    handles = [Patch(ec="black", lw=0.5, label=k, **looks[k]) for k in looks if k in kinds]
    ax.legend(
        handles=handles, loc="lower right", frameon=False, fontsize=8.5, title="the prediction",
        title_fontsize=8.5,
    )  # fmt: skip
    plain(ax)
    ax.tick_params(axis="y", length=0)
    return ax


def _kind(direction: float) -> str:
    if direction >= CLEAR:
        return "rises"
    return "falls" if direction <= -CLEAR else "either way"


def _measure(words: str) -> str:
    """In two lines, where one is too long for the axis."""
    if len(words) < 60:
        return words
    middle = words.find(" ", len(words) // 2)
    return f"{words[:middle]}\n{words[middle + 1 :]}"
