"""NumPy alone, as one writes it in an hour: the NumPy baseline of `MLP.profile`."""

import numpy as np
from cases import LEARNING_RATE
from cnn_core.profile.numpy_baseline import Trainer, forward

ADAM = {"learning_rate": LEARNING_RATE, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def set_threads(count):
    """Nothing to do: the environment holds its BLAS to the number of threads."""


def activations(net, last):
    return [net.activation] * (len(net.widths) - 2) + [last]


def trainers(case, X, y, layers):
    rng = np.random.default_rng(0)
    trainer = None

    def train(epochs):
        nonlocal trainer
        trainer = Trainer(layers, activations(case.net, "softmax"), "adam", ADAM, case.batch_size)
        for _ in range(epochs):
            trainer.epoch(X, y, rng.permutation(len(X)) if case.shuffle else None)

    return {"by hand": (train, lambda: [(W.T, b) for W, b in trainer.layers])}


def row_predictors(net, layers):
    layers = [(np.ascontiguousarray(W.T), b) for W, b in layers]
    names = activations(net, "identity")  # the largest output is the same without softmax

    def answer(X):
        z = forward(layers, names, X)[-1]
        return z.argmax(axis=-1) if net.classes else z[..., 0]

    return {"by hand": answer}


batch_predictors = row_predictors  # the same function for a row and for many
