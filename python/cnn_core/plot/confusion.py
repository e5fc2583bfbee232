"""Which classes are taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._few import counted
from cnn_core.plot._axes import axes_for, check_ax, titled
from cnn_core.plot._fitted import fitted_of, true_and_predicted
from cnn_core.plot._style import MOST, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cnn_core.plot._fitted import Estimator


def confusion_matrix(
    model: Estimator, X: ArrayLike, y: ArrayLike, *, ax: Axes | None = None
) -> Axes:
    """How many rows of each class are predicted as which: a line a true class, a column a predicted
    one; those on the diagonal are right.

    A cell is the darker the larger its share of its line. Of more than 20 classes the 19 with the
    most rows are drawn, and "others". Of several labels a row there is a line a label: how often
    its 0 and 1 are right and wrong.

    Parameters
    ----------
    model : MLP, TabularMLP or Ensemble
        Fitted, a classifier.
    X : array-like, shape (rows, features)
    y : array-like, shape (rows,) or (rows, labels)
    ax : Axes, optional
        Default a new figure.

    Returns
    -------
    Axes
    """
    check_ax(ax)
    task = fitted_of(model).task
    if task.name == "regression":
        raise ValueError(
            "confusion_matrix is for classifiers, but this model does regression; "
            "predicted_against_true is for these"
        )
    true, predicted = true_and_predicted(model, X, y)
    if task.name == "multilabel":
        return _of_labels(true, predicted, ax)
    labels = shortened(task.classes.tolist(), 14)
    counts = np.zeros((len(labels), len(labels)), int)
    np.add.at(counts, (true, predicted), 1)
    right, note = np.trace(counts) / len(true), ""
    if len(labels) > MOST:
        kept = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[: MOST - 1])
        note = f"\nothers: {len(labels) - MOST + 1} classes of fewer rows"
        counts, labels = _merged(counts, kept), [*(labels[k] for k in kept), "others"]
    size = min(9.0, max(3.4, 1.6 + 0.45 * len(labels)))
    ax = axes_for(ax, (size + 0.6, size))
    _cells(ax, counts, labels, labels)
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")
    titled(ax, f"{100 * right:.1f} % right of {counted(len(true), 'row')}{note}")
    return ax


def _merged(counts: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The counts with all classes but some made one, the last."""
    group = np.full(len(counts), len(kept))
    group[kept] = range(len(kept))
    merged = np.zeros((len(kept) + 1,) * 2, int)
    np.add.at(merged, (group[:, None], group[None, :]), counts)
    return merged


def _of_labels(true: np.ndarray, predicted: np.ndarray, ax: Axes | None) -> Axes:
    """A line a label, with the four pairs of truth and prediction."""
    n = min(true.shape[1], MOST)
    pairs = ((0, 0), (0, 1), (1, 0), (1, 1))
    counts = np.array(
        [[int(((true[:, k] == t) & (predicted[:, k] == p)).sum()) for t, p in pairs]
         for k in range(n)]
    )  # fmt: skip
    ax = axes_for(ax, (5.0, 1.6 + 0.45 * n))
    names = ("0, right", "0, taken for 1", "1, taken for 0", "1, right")
    _cells(ax, counts, list(names), [str(k) for k in range(n)])
    ax.set_xlabel("label of the row, and prediction")
    ax.set_ylabel("label")
    note = f"; the first {n} of {true.shape[1]} labels" if n < true.shape[1] else ""
    titled(ax, f"{100 * (true == predicted).mean():.1f} % of all labels are right{note}")
    return ax


def _cells(ax: Axes, counts: np.ndarray, across: list[str], down: list[str]) -> None:
    """Numbers on grey that is the darker the larger their share of their line."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto" if len(across) == 4 else "equal")
    size: float = 9 if len(across) <= 10 else 6.5
    for i, j in np.argwhere(counts > 0):
        colour = "white" if shares[i, j] > 0.55 else "black"
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": size, "color": colour}
        ax.text(j, i, f"{counts[i, j]:,}", **style)
    turned: dict[str, Any] = {}
    if max(map(len, across)) > 5:
        turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(range(len(across)), across, fontsize=size, **turned)
    ax.set_yticks(range(len(down)), down, fontsize=size)
    ax.tick_params(length=0)
