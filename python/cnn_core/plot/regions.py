"""Which class is predicted where, for two features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._few import counted
from cnn_core.plot._axes import axes_for, check_ax, ink, noted, titled
from cnn_core.plot._fitted import fitted_of, some_rows, task_of, true_and_predicted
from cnn_core.plot._style import COLOURS, MARKERS, short, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cnn_core.plot._fitted import Estimator

#: Points along each axis.
FINE = 200
MOST_POINTS = 1000
MOST_CLASSES = len(COLOURS)


def decision_regions(
    model: Estimator, X: ArrayLike, y: ArrayLike, *, ax: Axes | None = None
) -> Axes:
    """The class that a classifier of two features predicts at each point, and some rows.

    Each class has a colour and a marker; lines stand where the predicted class changes. Filled
    markers are right, and those with a cross are wrong.

    Parameters
    ----------
    model : MLP, TabularMLP or Ensemble
        Fitted to two columns of numbers, for at most 8 classes.
    X : array-like, shape (rows, 2)
    y : array-like, shape (rows,)
        Of more than 1,000 rows some are drawn, spread evenly.
    ax : Axes, optional
        Default a new figure.

    Returns
    -------
    Axes
    """
    check_ax(ax)
    task = task_of(model, "classification", "decision_regions")
    found = fitted_of(model)
    points, names = _points(found, X, y)
    classes: list[Any] = task.classes.tolist()  # type: ignore[union-attr]
    if len(classes) > MOST_CLASSES:
        raise ValueError(
            f"decision_regions tells {MOST_CLASSES} classes apart at most, and this model has "
            f"{len(classes)}"
        )
    true, predicted = true_and_predicted(model, X, y)
    words = shortened(classes)
    ax = axes_for(ax, (6.4, 4.8))
    (x_axis, y_axis), regions = _grid(model, points, names, classes)
    from matplotlib.colors import ListedColormap

    colours = ListedColormap(COLOURS[: len(classes)])
    ax.pcolormesh(
        x_axis, y_axis, regions, cmap=colours, vmin=-0.5, vmax=len(classes) - 0.5, alpha=0.3,
        shading="nearest", rasterized=True, linewidth=0,
    )  # fmt: skip
    for k in range(len(classes)):
        if (regions == k).any() and (regions != k).any():
            ax.contour(x_axis, y_axis, regions == k, [0.5], colors=ink(ax), linewidths=0.8)
        _name(ax, x_axis, y_axis, regions == k, words[k])
    rows = some_rows(len(points), MOST_POINTS)
    right = true == predicted
    for k in range(len(classes)):
        mine = rows[true[rows] == k]
        style: dict[str, Any] = {"marker": MARKERS[k], "color": COLOURS[k], "edgecolor": "black"}
        style |= {"s": 24, "linewidth": 0.6, "label": words[k]}
        ax.scatter(points[mine, 0], points[mine, 1], **style)
    wrong = rows[~right[rows]]
    if len(wrong):
        style = {"s": 52, "marker": "x", "color": ink(ax), "linewidth": 1, "label": "wrong"}
        ax.scatter(points[wrong, 0], points[wrong, 1], **style)
    across, up = (short(one) if isinstance(one, str) else f"feature {one}" for one in names)
    ax.set_xlabel(across)
    ax.set_ylabel(up)
    share = f"{100 * right.mean():.1f} % right of {counted(len(points), 'row')}"
    titled(ax, f"Predicted classes: {share}")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8.5)
    noted(ax, f"{len(rows):,} of {len(points):,} rows" if len(rows) < len(points) else "")
    return ax


def _name(ax: Axes, x_axis: np.ndarray, y_axis: np.ndarray, region: np.ndarray, name: str) -> None:
    """Write a class where its region is widest."""
    if not region.any():
        return
    inner = region
    while inner.any():
        region, wide = inner, np.pad(inner, 1)
        inner = inner & wide[2:, 1:-1] & wide[:-2, 1:-1] & wide[1:-1, 2:] & wide[1:-1, :-2]
    at = np.argwhere(region)
    i, j = at[len(at) // 2]
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5}
    ax.text(
        x_axis[j],
        y_axis[i],
        name,
        ha="center",
        va="center",
        fontsize=9,
        bbox=box,
        zorder=5,
        color="black",
    )


def _points(found: Any, X: Any, y: Any) -> tuple[np.ndarray, list[Any]]:
    """The two columns as numbers, and their names."""
    if found.columns is None:
        points = np.asarray(X, float)
        names = list(range(points.shape[1])) if points.ndim == 2 else []
        known = getattr(found, "feature_names", None)
        names = names if known is None else [*known]
        what = counted(points.shape[1], "feature") if points.ndim == 2 else f"shape {points.shape}"
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(
                f"decision_regions draws two features, and X has {what}; responses shows one "
                "column of many"
            )
        return points, names
    names, table = found.columns.names, found.columns.table(found.split(X, y)[0])
    values = [table[name] for name in names]
    if len(names) != 2 or any(one.array.dtype.kind != "f" for one in values):
        raise ValueError(
            "decision_regions draws two columns of numbers, and the model has the columns "
            + ", ".join(f"{short(name)!r}" for name in names[:5])
            + (", ..." if len(names) > 5 else "")
        )
    return np.column_stack([one.array for one in values]), names


def _grid(
    model: Any, points: np.ndarray, names: list[Any], classes: list[Any]
) -> tuple[list[np.ndarray], np.ndarray]:
    """The points of a grid, and the class of each."""
    axes = []
    for column in points.T:
        low, high = float(np.nanmin(column)), float(np.nanmax(column))
        margin = 0.06 * (high - low) or 1.0
        axes.append(np.linspace(low - margin, high + margin, FINE))
    flat = np.column_stack([one.ravel() for one in np.meshgrid(*axes)])
    table: Any = flat
    if fitted_of(model).columns is not None and fitted_of(model).columns.named:
        table = dict(zip(names, flat.T))
    places = {label: i for i, label in enumerate(classes)}
    predicted = [places[label] for label in np.asarray(model.predict(table)).tolist()]
    return axes, np.array(predicted).reshape(FINE, FINE)
