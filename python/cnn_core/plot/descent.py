"""The path of training over the cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._few import counted
from cnn_core.callbacks import Callback
from cnn_core.plot._axes import axes_for, check_ax, titled
from cnn_core.plot._fitted import network_of
from cnn_core.plot._style import BLACK, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cnn_core.mlp import MLP

#: Points of the cost along each direction.
FINE = 25
LEVELS = 14


class Path(Callback):
    """A callback that keeps the parameters before the first epoch and after each, for `descent`.

    It keeps (epochs + 1) times the parameters in memory.

    Attributes
    ----------
    parameters : list of ndarray, shape (n_parameters,)
        Those before the first epoch only where the model had some: with `warm_start`, after
        `initialize`.
    """

    def __init__(self) -> None:
        self.parameters: list[np.ndarray] = []

    def before_fit(self, model: MLP) -> None:
        """Begin anew."""
        begun = model.warm_start and getattr(model, "_fitted", None) is not None
        self.parameters = [model.parameters_.copy()] if begun else []

    def after_epoch(self, model: MLP, epoch: int, logs: dict[str, float]) -> None:
        """Keep the parameters of this epoch."""
        self.parameters.append(model.parameters_.copy())


def descent(
    model: MLP,
    X: ArrayLike,
    y: ArrayLike,
    path: Path | ArrayLike,
    *,
    directions: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The cost C(w) in a plane, as contours, and the way that the parameters took over it.

    A network of two parameters has them as axes, and nothing is left out. Of more parameters the
    plane goes through the last point of the path; its directions are the first two principal
    components of the path's points less the last one (Li et al. 2018, "Visualizing the loss
    landscape of neural nets", section 7), unless `directions` are given. The path is drawn as it
    falls on the plane, and the title says how much of its movement the plane holds: the rest is
    at right angles to it, so that the drawn cost is not that of the points but the last.

    Parameters
    ----------
    model : MLP
        Fitted.
    X : array-like, shape (rows, features)
        Rows that the cost is the mean of; a few hundred will do.
    y : array-like, shape (rows,) or (rows, outputs)
    path : Path or array-like, shape (points, n_parameters)
        Parameters at some moments, in the order of `parameters_`.
    directions : array-like, shape (2, n_parameters), optional
        Made of length 1 and at right angles to each other.
    ax : Axes, optional
        Default a new figure.

    Returns
    -------
    Axes
    """
    check_ax(ax)
    n = len(network_of(model, "descent").network.flat())
    points = _points(path, n)
    last, axes, names = _plane(points, directions)
    at = (points - last) @ axes.T
    moved = float(((points - last) ** 2).sum())
    share = float((at**2).sum()) / moved if moved else 1.0
    origin = last @ axes.T if n == 2 and directions is None else np.zeros(2)
    across = [_reach(one) for one in at.T]
    C = np.array([[_cost(model, X, y, last + u * axes[0] + v * axes[1]) for u in across[0]]
                  for v in across[1]])  # fmt: skip
    ax = axes_for(ax, (6.2, 4.8))
    _contours(ax, across[0] + origin[0], across[1] + origin[1], C)
    way = at + origin
    ax.plot(*way.T, "-", color="white", linewidth=3.2, zorder=3)
    ax.plot(*way.T, "-o", color=BLACK, linewidth=1.2, ms=3, zorder=3, label="path")
    ax.plot(*way[0], "s", color=ORANGE, ms=8, mec=BLACK, zorder=4, label="first point")
    ax.plot(*way[-1], "*", color=ORANGE, ms=13, mec=BLACK, zorder=4, label="last point")
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    title = f"Cost along the path of {counted(len(points), 'point')}"
    titled(ax, title if n == 2 else f"{title}; the plane holds {100 * share:.0f} % of the movement")
    ax.legend(fontsize=8.5, framealpha=0.9, facecolor="white", labelcolor="black")
    return ax


def _points(path: Any, n: int) -> np.ndarray:
    kept = path.parameters if isinstance(path, Path) else path
    if isinstance(path, Path) and not kept:
        raise ValueError(
            "path has seen no epoch; give it to the model before the fit: MLP(..., callbacks=path)"
        )
    points = np.asarray(kept, float)
    if points.ndim != 2 or points.shape[1] != n or len(points) < 3:
        raise ValueError(
            f"path must have the {n} parameters of the model at 3 moments or more, shape (points, "
            f"{n}), got an array of shape {points.shape}"
        )
    if not np.isfinite(points).all():
        raise ValueError("path must have finite parameters, and has NaN or infinity")
    return points


def _plane(points: np.ndarray, directions: Any) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """A point of the plane, two directions of length 1 at right angles, and their names."""
    last, n = points[-1], points.shape[1]
    if directions is None and n == 2:
        return last, np.eye(2), ["parameter 0", "parameter 1"]
    if directions is None:
        found = np.linalg.svd(points - last, full_matrices=False)[2][:2]
        # A singular vector has no sign of its own: the path comes from the right, and from above.
        found *= np.where((points[0] - last) @ found.T < 0, -1.0, 1.0)[:, None]
        words = ["first", "second"]
        return last, found, [f"along the {one} principal component of the path" for one in words]
    found = np.array(directions, float)
    if found.shape != (2, n):
        raise ValueError(
            f"directions must be two vectors of the {n} parameters, shape (2, {n}), got an array "
            f"of shape {found.shape}"
        )
    lengths = np.sqrt((found**2).sum(axis=1))
    if not (np.isfinite(lengths).all() and lengths.all()):
        raise ValueError("directions must be finite and not 0")
    found /= lengths[:, None]
    found[1] -= (found[1] @ found[0]) * found[0]
    rest = float(np.sqrt((found[1] ** 2).sum()))
    if rest < 1e-6:
        raise ValueError("directions must not be parallel")
    found[1] /= rest
    return last, found, ["along the first direction", "along the second direction"]


def _reach(at: np.ndarray) -> np.ndarray:
    low, high = float(at.min()), float(at.max())
    margin = 0.25 * (high - low) or 0.5
    return np.linspace(low - margin, high + margin, FINE)


def _cost(model: MLP, X: Any, y: Any, parameters: np.ndarray) -> float:
    return model.loss_and_gradient(X, y, parameters=parameters)[0]


def _contours(ax: Axes, across: np.ndarray, up: np.ndarray, C: np.ndarray) -> None:
    """Lines of equal cost on grey; by powers where costs are far apart."""
    low, high = float(C.min()), float(C.max())
    steps = np.linspace(0, 1, LEVELS)
    if low > 0 and high > 20 * low:
        levels = low * (high / low) ** steps
    else:
        levels = low + (high - low) * steps**2
    levels = np.unique(levels)
    if len(levels) < 2:
        levels = np.array([low, low + 1])
    filled = ax.contourf(across, up, C, levels, cmap="Blues", extend="both")
    ax.contour(across, up, C, levels, colors="black", linewidths=0.4, alpha=0.6)
    ax.figure.colorbar(filled, ax=ax, label="cost", format="%.3g")
