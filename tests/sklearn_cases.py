"""Rows, targets and estimators that the tests of `cnn_core.sklearn` share."""

import numpy as np
from cnn_core.sklearn import MLPClassifier, MLPRegressor
from sklearn import datasets
from sklearn.preprocessing import scale

X, THREE = datasets.load_iris(return_X_y=True)
X = scale(X)
TWO = (THREE == 1).astype(int)
LINE = X @ [1.0, -2, 0.5, 3]
LINES = np.column_stack((LINE, np.sin(X[:, 0]), X[:, 1] ** 2))


def classifier(**options):
    return MLPClassifier(
        **dict(hidden_layer_sizes=(12,), max_iter=10, random_state=0, batch_size=32) | options
    )


def regressor(**options):
    return MLPRegressor(
        **dict(hidden_layer_sizes=(12,), max_iter=10, random_state=0, batch_size=32) | options
    )


def flat(model):
    return np.concatenate([array.ravel() for array in model.coefs_ + model.intercepts_])
