"""Where pictures are drawn: the Axes that the user gives, parted where a picture needs several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cnn_core._checks import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def check_ax(ax: Axes | None) -> None:
    """Raise where nothing can be drawn; called before anything is computed.

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError
        For what is no Axes.
    """
    try:
        from matplotlib.axes import Axes
    except ImportError:
        raise ImportError(
            "cnn_core.plot needs matplotlib, the extra 'plot': pip install matplotlib"
        ) from None
    if ax is not None and not isinstance(ax, Axes):
        raise TypeError(f"ax must be an Axes of matplotlib, got {shown(ax)}")


def axes_for(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The given Axes, or those of a new figure of this size in inches.

    Called once nothing can fail any more, so that no empty figure is left behind.
    """
    if ax is not None:
        return ax
    # By way of pyplot, so that a notebook, and `plt.show()`, show it.
    from matplotlib import pyplot

    return pyplot.subplots(figsize=size, layout="constrained")[1]


def divided(
    ax: Axes, columns: Sequence[float] = (1,), rows: Sequence[float] = (1,), **shared: Any
) -> list[Axes]:
    """The Axes parted into several, row by row; the given ones are the first of them.

    Parameters
    ----------
    ax : Axes
    columns, rows : sequence of float
        Widths and heights, in proportion to each other.
    shared : Axes
        `sharex`, `sharey` of the others.
    """
    figure, spec = ax.figure, ax.get_subplotspec()
    grid: Any
    if spec is None:  # placed by hand: so are its parts
        box = ax.get_position()
        grid = figure.add_gridspec(
            len(rows),
            len(columns),
            left=box.x0,
            right=box.x1,
            bottom=box.y0,
            top=box.y1,
            width_ratios=columns,
            height_ratios=rows,
        )
    else:
        grid = spec.subgridspec(len(rows), len(columns), width_ratios=columns, height_ratios=rows)
    ax.set_subplotspec(grid[0, 0])
    places = [grid[i, j] for i in range(len(rows)) for j in range(len(columns))]
    return [ax, *(figure.add_subplot(place, **shared) for place in places[1:])]


def ink(ax: Axes) -> Any:
    """The colour of what is black on white, and white where the user's style is dark."""
    return ax.xaxis.label.get_color()


def plain(ax: Axes) -> None:
    """Without the lines that say nothing."""
    ax.spines[["top", "right"]].set_visible(False)


def titled(ax: Axes, title: str) -> None:
    """A title at the left, where reading begins."""
    ax.set_title(title, loc="left", fontsize=10)


def noted(ax: Axes, note: str) -> None:
    """What is left out, in small letters at the lower right corner, inside."""
    if note:
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
        ax.text(
            0.99,
            0.02,
            note,
            transform=ax.transAxes,
            ha="right",
            va="bottom",
            fontsize=7.5,
            bbox=box,
        )
