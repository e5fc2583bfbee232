"""What a network that is linear in x leaves of y, and squares and products of the features find."""

from __future__ import annotations

import numpy as np

ROWS, TERMS = 2000, 200  # that are looked at
ROWS_A_TERM = 5
FOUND = 0.1  # share of what is left that they must explain, more than chance would
ERRORS = 4.0  # and standard errors of that share without any curvature


def explained(X: np.ndarray, rest: np.ndarray) -> float:
    """The share of what a linear network leaves that squares and products of features explain;
    0 where it may be by chance.

    Parameters
    ----------
    X : ndarray, shape (rows, features)
        As the network reads it.
    rest : ndarray, shape (rows, n_outputs)
        y less the prediction.

    Returns
    -------
    float
        Of the output of which most is explained.
    """
    step = -(-len(X) // ROWS)
    X, rest = X[::step].astype(np.float64), rest[::step].astype(np.float64)
    n = len(X)
    X = X[:, X.std(axis=0) > 0]
    most = min(TERMS, n // ROWS_A_TERM) - X.shape[1]
    if most < 1 or not X.shape[1]:
        return 0.0
    X = np.clip((X - X.mean(axis=0)) / X.std(axis=0), -4, 4)
    pairs = np.array(np.triu_indices(X.shape[1]))
    pairs = pairs[:, np.argsort(pairs[1] - pairs[0], kind="stable")][:, :most]  # squares first
    terms = np.column_stack((np.ones(n), X, X[:, pairs[0]] * X[:, pairs[1]]))
    linear = 1 + X.shape[1]
    total = np.square(rest - terms[:, :linear] @ np.linalg.lstsq(terms[:, :linear], rest)[0])
    left = np.square(rest - terms @ np.linalg.lstsq(terms, rest)[0])
    before, after = total.sum(axis=0), left.sum(axis=0)
    shares = 1 - after / np.where(before > 0, before, 1)
    k = pairs.shape[1]
    chance = k / (n - linear)
    share = float(np.where(before > 0, shares, 0.0).max()) - chance
    return share if share > max(FOUND, ERRORS * np.sqrt(2 * k) / (n - linear)) else 0.0
