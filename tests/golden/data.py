"""Rows for the golden runs: uniform doubles of NumPy's PCG64 and what exact operations make of
them."""

from typing import NamedTuple

import numpy as np


class Data(NamedTuple):
    """Rows to train on and others to look at afterwards."""

    X: np.ndarray
    y: np.ndarray
    X_new: np.ndarray
    y_new: np.ndarray


def uniform(seed, *shape):
    """Doubles in [-1, 1)."""
    return 2 * np.random.default_rng(seed).random(shape) - 1


def _data(targets, features, rows, new):
    X = uniform(1000 * features + rows, rows + new, features)
    y = targets(X)
    return Data(X[:rows], y[:rows], X[rows:], y[rows:])


def classes(features, n, rows=150, new=37):
    """One of n class labels a row."""

    def labels(X):
        return np.floor((X[:, 0] + 1) / 2 * n).astype(np.int64)

    return _data(labels, features, rows, new)


def numbers(features, n=None, rows=150, new=37):
    """n numbers a row, or one in an array of one dimension."""

    def targets(X):
        columns = [
            X[:, j % features] * X[:, (j + 1) % features] + X[:, (j + 2) % features] / 4
            for j in range(n or 1)
        ]
        return np.stack(columns, axis=1) if n else columns[0]

    return _data(targets, features, rows, new)


def made(data, function):
    """The same rows with other targets: `function` of y."""
    return data._replace(y=function(data.y), y_new=function(data.y_new))


def shares(features, n, rows=150, new=37):
    """n numbers from 0 to 1 a row."""
    return made(numbers(features, n, rows, new), lambda y: np.abs(y) / 2)


def counts(features, n=None, rows=150, new=37):
    """n whole numbers from 0 to 5 a row, as floats."""
    return made(numbers(features, n, rows, new), lambda y: np.floor(4 * np.abs(y)))


def labels(features, n, rows=150, new=37):
    """n times 0 or 1 a row."""
    return made(numbers(features, n, rows, new), lambda y: (y > 0).astype(np.int64))


def one_hot(features, n, rows=150, new=37):
    """Rows of class probabilities: all of it on one class, or shared by two."""

    def targets(y):
        Y = np.eye(n)[y]
        Y[::3] = (Y[::3] * 3 + np.roll(Y[::3], 1, axis=1)) / 4
        return Y

    return made(classes(features, n, rows, new), targets)


def row_weights(rows):
    """A weight from 0 to 2 for each row, 0 for every fifth."""
    w = uniform(rows, rows) + 1
    w[::5] = 0
    return w
