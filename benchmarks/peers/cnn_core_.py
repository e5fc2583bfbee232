"""cnn_core, by `fit` and `predict`; for predictions also by the network below `MLP`."""

import numpy as np
from cases import LEARNING_RATE, inputs

import cnn_core
from cnn_core import MLP


def set_threads(count):
    cnn_core.set_num_threads(count)


def trainers(case, X, y, layers, n_threads=None):
    # Two classes would have one sigmoid output by default.
    model = MLP(
        case.net.widths[1:-1],
        case.net.activation,
        output="softmax",
        learning_rate=LEARNING_RATE,
        init=layers,
        batch_size=case.batch or "full",
        shuffle=case.shuffle,
        n_threads=n_threads,
        random_state=0,
    )

    def train(epochs):
        model.epochs = epochs
        model.fit(X, y)

    return {"fit": (train, lambda: list(zip(model.weights_, model.biases_)))}


def fitted(net, layers, n_threads=None):
    """An MLP that has these layers."""
    X = inputs(net, max(2, net.classes))
    y = np.arange(net.classes) if net.classes else np.array([0.0, 1.0])
    output = "softmax" if net.classes else "identity"
    model = MLP(
        net.widths[1:-1],
        net.activation,
        task="classification" if net.classes else "regression",
        output=output,
        init=layers,
        epochs=1,
        n_threads=n_threads,
    ).fit(X, y)
    model.weights_, model.biases_ = zip(*layers)
    return model


def row_predictors(net, layers):
    model = fitted(net, layers)
    predictors = {"predict": lambda x: model.predict(x[None])}
    out = np.empty_like(model.predict_one(inputs(net, 1)[0]))
    if net.classes:
        predictors["predict_one"] = lambda x: model.predict_one(x).argmax()
        predictors["predict_one, out"] = lambda x: model.predict_one(x, out=out).argmax()
    else:
        predictors["predict_one"] = model.predict_one
        predictors["predict_one, out"] = lambda x: model.predict_one(x, out=out)
    return predictors


def batch_predictors(net, layers):
    # Here, as builds.py compares builds that may not have these names.
    from cnn_core.functional import BatchPredictor, Network

    activations = (net.activation,) * (len(layers) - 1) + (
        "softmax" if net.classes else "identity",
    )
    network = Network(net.widths, activations)
    for l, (W, b) in enumerate(layers):
        network.set_layer(l, W, b)

    predictor = BatchPredictor(network)

    def native(X):
        if net.classes:
            return predictor.argmax(X, 0.5, cnn_core.get_num_threads())
        return predictor.forward(X, cnn_core.get_num_threads())[:, 0]

    return {"predict": fitted(net, layers).predict, "BatchPredictor": native}
