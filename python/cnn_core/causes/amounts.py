"""Classes that are numbers to predict: errors that go to neighbours."""

from __future__ import annotations

import numpy as np

FEWEST = 30  # errors that tell
NEAR = 0.6  # distance of an error beside that by chance, below which neighbours are confused
#: Standard errors by which it must lie below.
ERRORS = 4.0


def confuses_neighbours(labels: np.ndarray, predicted: np.ndarray) -> bool:
    """Whether errors go to classes that lie near in their order, as those of a number do.

    Parameters
    ----------
    labels, predicted : ndarray of int, shape (rows,)
        Class indices.

    Returns
    -------
    bool
    """
    wrong = labels != predicted
    y, a = labels[wrong].astype(np.int64), predicted[wrong].astype(np.int64)
    if len(y) < FEWEST:
        return False
    distance = np.abs(y - a)
    # Of errors whose two classes have nothing to do with each other.
    shares = np.outer(np.bincount(y), np.bincount(a)).astype(np.float64)
    apart = np.abs(np.subtract.outer(np.arange(shares.shape[0]), np.arange(shares.shape[1])))
    shares[apart == 0] = 0
    if not shares.any():
        return False
    chance = (shares * apart).sum() / shares.sum()
    error = distance.std() / np.sqrt(len(y))
    return bool(distance.mean() < min(NEAR * chance, chance - ERRORS * error))
