"""scikit-learn's MLPClassifier and MLPRegressor, by `fit` and `predict`."""

import warnings

import numpy as np
from cases import LEARNING_RATE, inputs
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor


def set_threads(count):
    """Nothing to do: its threads are those of NumPy's BLAS, which the environment holds to their
    number."""


def set_layers(model, net, layers):
    if net.classes == 2:  # the softmax of two outputs is the logistic function of their difference
        (W, b), layers = layers[-1], layers[:-1]
        layers = [*layers, (W[1:] - W[:1], b[1:] - b[:1])]
    model.coefs_ = [W.T.copy() for W, _ in layers]
    model.intercepts_ = [b.copy() for _, b in layers]


def get_layers(model, net):
    layers = [(W.T, b) for W, b in zip(model.coefs_, model.intercepts_)]
    if net.classes == 2:
        W, b = layers[-1]
        layers[-1] = np.vstack((np.zeros_like(W), W)), np.concatenate((np.zeros_like(b), b))
    return layers


def fitted(net, layers, **settings):
    """A model that has these layers."""
    settings = dict(
        hidden_layer_sizes=net.widths[1:-1],
        activation=net.activation,
        alpha=0,
        learning_rate_init=LEARNING_RATE,
        random_state=0,
        **settings,
    )
    X = inputs(net, max(2, net.classes))
    # The fits make what set_layers changes, and nothing else that is kept.
    if net.classes:
        model = MLPClassifier(**settings).partial_fit(
            X, np.arange(net.classes), classes=np.arange(net.classes)
        )
    else:
        model = MLPRegressor(**settings).partial_fit(X, np.array([0.0, 1.0]))
    set_layers(model, net, layers)
    return model


def trainers(case, X, y, layers):
    # warm_start: from the weights that stand in the model, but with new moments of Adam.
    model = fitted(
        case.net, layers, shuffle=case.shuffle, warm_start=True, tol=0, n_iter_no_change=10**9
    )
    model.set_params(batch_size=case.batch_size)

    def train(epochs):
        set_layers(model, case.net, layers)
        model.set_params(max_iter=epochs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y)

    return {"fit": (train, lambda: get_layers(model, case.net))}


def row_predictors(net, layers):
    model = fitted(net, layers)
    return {"predict": lambda x: model.predict(x[None])}


def batch_predictors(net, layers):
    return {"predict": fitted(net, layers).predict}
