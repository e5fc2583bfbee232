"""Rows and targets that the tests of MLP share."""

import numpy as np

from cnn_core import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 5)).astype("float32")
TWO = np.where(X[:, 0] + X[:, 1] > 0, 1, 0)
THREE = np.digitize(X[:, 0] + 0.5 * X[:, 1], [-0.5, 0.5])
LINE = (2 * X[:, 0] - X[:, 1] + 1).astype("float64")


def quick(**options):
    return MLP(
        **{"hidden": (16,), "epochs": 30, "random_state": 0, "learning_rate": 0.01} | options
    )


def with_entry(array, index, value):
    array = np.array(array)
    array[index] = value
    return array
