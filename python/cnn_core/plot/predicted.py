"""Predicted against true numbers, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._few import counted
from cnn_core.explanations.outputs import number_of
from cnn_core.plot._axes import axes_for, check_ax, ink, noted, plain, titled
from cnn_core.plot._fitted import fitted_of, some_rows, task_of, true_and_predicted
from cnn_core.plot._style import BLUE, SKY, VERMILION, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cnn_core.plot._fitted import Estimator

#: Most points that are drawn, and fewer where each has an interval.
MOST_POINTS, MOST_INTERVALS = 2000, 200


def predicted_against_true(
    model: Estimator,
    X: ArrayLike,
    y: ArrayLike,
    *,
    output: int | str = 0,
    level: float = 0.9,
    ax: Axes | None = None,
) -> Axes:
    """Each row of a regression as a point: right predictions lie on the diagonal.

    Where the model is calibrated, by `calibrate`, each point has its interval, and the title says
    how many of all rows lie in theirs; rows outside are crosses.

    Parameters
    ----------
    model : MLP, TabularMLP or Ensemble
        Fitted, a regression.
    X : array-like, shape (rows, features)
    y : array-like, shape (rows,) or (rows, outputs)
        Of more than 2,000 rows, or 200 with intervals, some are drawn, spread evenly.
    output : int or str, default 0
        Which of several, by its number or the name of its target.
    level : float, default 0.9
        Of the intervals, as `predict_interval` takes it.
    ax : Axes, optional
        Default a new figure.

    Returns
    -------
    Axes
    """
    check_ax(ax)
    task = task_of(model, "regression", "predicted_against_true")
    found = fitted_of(model)
    output = number_of(task.n_outputs, found.target_names, output)
    true, predicted = (one[:, output] for one in true_and_predicted(model, X, y))
    intervals = None
    if found.calibration is not None:
        table = found.split(X, y)[0]
        intervals = model.predict_interval(table, level).reshape(len(true), task.n_outputs, 2)
        intervals = intervals[:, output]
    ax = axes_for(ax, (5.2, 5.0))
    rows = some_rows(len(true), MOST_POINTS if intervals is None else MOST_INTERVALS)
    title = f"R² {_r2(true, predicted):.3f} on {counted(len(true), 'row')}"
    if intervals is None:
        ax.plot(true[rows], predicted[rows], "o", color=BLUE, ms=3.5, alpha=0.55, mew=0)
    else:
        inside = (intervals[:, 0] <= true) & (true <= intervals[:, 1])
        _intervals(ax, true[rows], predicted[rows], intervals[rows], inside[rows], level)
        title += f"; {100 * inside.mean():.0f} % lie in their {100 * level:g} % interval"
    _diagonal(ax, true[rows], predicted[rows])
    names = found.target_names
    name = short(names[min(output, len(names) - 1)]) if names else ""
    name = name or ("y" if task.n_outputs == 1 else f"output {output}")
    ax.set_xlabel(f"true {name}")
    ax.set_ylabel(f"predicted {name}")
    titled(ax, title)
    plain(ax)
    ax.legend(loc="upper left", frameon=False, fontsize=8.5)
    noted(ax, f"{len(rows):,} of {len(true):,} rows" if len(rows) < len(true) else "")
    return ax


def _r2(true: np.ndarray, predicted: np.ndarray) -> float:
    """NaN where all targets are one number."""
    total = float(((true - true.mean()) ** 2).sum())
    return 1 - float(((true - predicted) ** 2).sum()) / total if total else float("nan")


def _intervals(
    ax: Axes,
    true: np.ndarray,
    predicted: np.ndarray,
    intervals: np.ndarray,
    inside: np.ndarray,
    level: float,
) -> None:
    ax.vlines(
        true, *intervals.T, color=SKY, linewidth=1, alpha=0.8, label=f"{100 * level:g} % interval"
    )
    style: dict[str, Any] = {"linestyle": "", "ms": 4, "zorder": 3}
    ax.plot(true[inside], predicted[inside], marker="o", color=BLUE, label="y inside", **style)
    ax.plot(
        true[~inside], predicted[~inside], marker="x", color=VERMILION, mew=1.6, label="y outside",
        **{**style, "ms": 6},
    )  # fmt: skip


def _diagonal(ax: Axes, true: np.ndarray, predicted: np.ndarray) -> None:
    """The line where predictions are right, and limits that both axes share."""
    low = float(min(true.min(), predicted.min()))
    high = float(max(true.max(), predicted.max()))
    ax.plot([low, high], [low, high], "--", color=ink(ax), linewidth=1, label="predicted = true")
    margin = 0.04 * (high - low) or 1.0
    ax.set_xlim(low - margin, high + margin)
    bottom, top = ax.get_ylim()
    ax.set_ylim(min(bottom, low - margin), max(top, high + margin))
