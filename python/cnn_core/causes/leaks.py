"""A feature that alone tells y, as a copy of y among the features does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cnn_core.causes.data import named

PERFECT, PERFECT_R2 = 0.999, 0.99  # accuracy and R^2 from which one is looked for
ROWS, FIRST = 1 << 12, 64  # rows that are looked at, and those that most features are ruled out by
FEWEST = 50


def leaks(X: np.ndarray, y: np.ndarray, names: np.ndarray | None, classes: bool) -> Iterator[str]:
    """A feature by whose size alone y can be told.

    Parameters
    ----------
    X : ndarray, shape (rows, features)
    y : ndarray, shape (rows, 1)
        Class indices, or a number to predict.
    names : ndarray or None
        Of the features.
    classes : bool

    Yields
    ------
    str
    """
    step = -(-len(X) // ROWS)
    X, y = X[::step], y[::step, 0]
    if len(X) < FEWEST or X.shape[1] < 2 or y.min() == y.max():
        return
    first = slice(None, None, -(-len(X) // FIRST))
    tells = _tells_class if classes else _tells_number
    for i in range(X.shape[1]):
        column = X[:, i]
        if column[0] == column[-1] and (column == column[0]).all():
            continue
        if tells(column[first], y[first]) and tells(column, y):
            what = "tells the classes apart" if classes else "gives the order of y"
            yield (
                f"C{named(i, names)[1:]} of X alone {what}: see that it is not y itself, or known "
                "only once y is."
            )
            return


def _tells_class(x: np.ndarray, labels: np.ndarray) -> bool:
    """Whether each class has a range of its own, or each of a few values one class."""
    order = np.argsort(x, kind="stable")
    x, labels = x[order], labels[order]
    begins = np.flatnonzero(np.r_[True, x[1:] != x[:-1]])
    low, high = np.minimum.reduceat(labels, begins), np.maximum.reduceat(labels, begins)
    if (low != high).any():
        return False
    there = len(np.unique(labels))
    return 1 + int(np.count_nonzero(np.diff(low))) == there or len(begins) <= 2 * there


def _tells_number(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether y rises, or falls, with x, as the one is the other in some unit."""
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    if len(np.unique(x)) < len(np.unique(y)):
        return False
    steps = np.diff(y)
    return bool((steps >= 0).all() or (steps <= 0).all())
