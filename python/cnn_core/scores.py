"""Scores that a rare class counts in as much as a frequent one, defined as scikit-learn defines
them."""

from __future__ import annotations

import numpy as np

#: Share of the rows below which a class is rare, if it is also below half of an even one.
RARE = 0.1


def has_rare_class(counts: np.ndarray) -> bool:
    """Whether a class is so rare that accuracy says little, by more than chance in few rows.

    Parameters
    ----------
    counts : ndarray of int, shape (classes,)
        Rows of each class; a class without rows does not count.
    """
    there = counts[counts > 0]
    if len(there) < 2:
        return False
    few = there.min() + 2 * np.sqrt(there.min() + 1)
    return bool(few < min(RARE, 0.5 / len(there)) * there.sum())


def balanced_accuracy(
    labels: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """The mean over the classes of the share of their rows that are right.

    Parameters
    ----------
    labels, predicted : ndarray of int, shape (rows,)
        Class indices. A class without rows does not count.
    weights : ndarray, shape (rows,), optional
        How much each row counts.

    Returns
    -------
    float
    """
    w = np.ones(len(labels)) if weights is None else np.asarray(weights, np.float64)
    rows = np.bincount(labels, w)
    right = np.bincount(labels, w * (labels == predicted), len(rows))
    there = rows > 0
    return float((right[there] / rows[there]).mean())


def average_precision(
    positive: np.ndarray, score: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """sum_k (R_k - R_(k-1)) P_k over the thresholds k, the different scores from the highest
    down, with recall R and precision P of the rows that score at least as much.

    Parameters
    ----------
    positive : ndarray of bool, shape (rows,)
        The rows to be found.
    score : ndarray, shape (rows,)
        Higher for the rows that are more likely among them.
    weights : ndarray, shape (rows,), optional
        How much each row counts.

    Returns
    -------
    float
        1 where every row to be found scores above all others; their share is what chance reaches.
        0 where there is none.
    """
    w = np.ones(len(positive)) if weights is None else np.asarray(weights, np.float64)
    order = np.argsort(-score, kind="stable")
    score, found, w = score[order], (w * positive)[order], w[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)  # rows of each threshold
    hits, chosen = np.cumsum(found)[last], np.cumsum(w)[last]
    if hits[-1] == 0:
        return 0.0
    precision = np.divide(hits, chosen, out=np.zeros_like(hits), where=chosen > 0)
    return float((np.diff(hits, prepend=0) * precision).sum() / hits[-1])
