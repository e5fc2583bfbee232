"""Scores that a rare class counts in as much as a frequent one, and that of quantiles, defined as
scikit-learn defines them."""

from __future__ import annotations

import math

import numpy as np

from cnn_core._linalg import column_sums

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


def d2_of_outputs(
    y: np.ndarray, predicted: np.ndarray, quantile: float, weights: np.ndarray | None = None
) -> np.ndarray:
    """D^2 of the pinball loss of each output: 1 - its loss / that of the best constant, which is
    the quantile of y (Koenker & Machado 1999, "Goodness of fit and related inference processes for
    quantile regression", eq. 2.2); 1 for an output that does not vary and is met exactly, else 0.

    Parameters
    ----------
    y, predicted : ndarray of float64, shape (rows, n_outputs)
    quantile : float
    weights : ndarray, shape (rows, 1), optional

    Returns
    -------
    ndarray of float64, shape (n_outputs,)
    """
    constant = constant_of(y, quantile, weights)
    return share_of_constant(
        pinball_sums(y, predicted, quantile, weights),
        pinball_sums(y, constant[None], quantile, weights),
    )


def share_of_constant(loss: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """1 - loss / constant of each output, the losses of predictions and of a constant one."""
    with np.errstate(over="ignore", invalid="ignore"):
        share = loss / np.where(constant == 0, 1, constant)
    found: np.ndarray = np.where(constant == 0, np.where(loss == 0, 1.0, 0.0), 1 - share)
    return found


def constant_of(y: np.ndarray, quantile: float, weights: np.ndarray | None = None) -> np.ndarray:
    """The constant prediction of each output whose pinball loss is the least: the smallest y that
    at least this share of the rows' weights do not exceed."""
    found, last = np.empty(y.shape[1]), len(y) - 1
    for j in range(y.shape[1]):
        if weights is None:
            rank = min(max(math.ceil(quantile * len(y)) - 1, 0), last)
            found[j] = np.partition(y[:, j], rank)[rank]
            continue
        order = np.argsort(y[:, j], kind="stable")
        upto = np.cumsum(weights[order, 0], dtype=np.float64)
        place = int(np.searchsorted(upto, quantile * upto[-1]))
        found[j] = y[order[min(place, last)], j]
    return found


def pinball_sums(
    y: np.ndarray,
    predicted: np.ndarray,
    quantile: float,
    weights: np.ndarray | None = None,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """The pinball loss of each output, summed over the rows, added to `start`."""
    with np.errstate(over="ignore"):
        e = y.astype(np.float64, copy=False) - predicted
        cost = np.where(e > 0, quantile, quantile - 1) * e
        if weights is not None:
            cost = cost * weights
    zeros = np.zeros(y.shape[1])
    return column_sums(np.ascontiguousarray(cost, np.float64), zeros, 1, start)
