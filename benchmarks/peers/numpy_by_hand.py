"""NumPy alone: what one writes in an hour, with all parameters in one vector so that Adam is three
lines."""

import numpy as np
from cases import LEARNING_RATE


def set_threads(count):
    """Nothing to do: the environment holds its BLAS to the number of threads."""


def views(vector, shapes):
    """[(W, b)] in one vector; W has shape (n_in, n_out)."""
    layers, i = [], 0
    for n_in, n_out in shapes:
        layers.append(
            (
                vector[i : i + n_in * n_out].reshape(n_in, n_out),
                vector[i + n_in * n_out : i + (n_in + 1) * n_out],
            )
        )
        i += (n_in + 1) * n_out
    return layers


def forward(activation, layers, X):
    """Activations of all layers, X first; the last are z."""
    a = [X]
    for l, (W, b) in enumerate(layers):
        z = a[-1] @ W
        z += b
        if l < len(layers) - 1:
            np.maximum(z, 0, out=z) if activation == "relu" else np.tanh(z, out=z)
        a.append(z)
    return a


def backward(activation, layers, a, y, gradient):
    """The gradient of the mean cross-entropy, into the arrays of `gradient`."""
    delta = np.exp(a[-1] - a[-1].max(axis=1, keepdims=True))
    delta /= delta.sum(axis=1, keepdims=True)
    delta[np.arange(len(y)), y] -= 1
    delta /= len(y)
    for l in reversed(range(len(layers))):
        dW, db = gradient[l]
        np.matmul(a[l].T, delta, out=dW)
        delta.sum(axis=0, out=db)
        if l:
            delta = delta @ layers[l][0].T
            delta *= a[l] > 0 if activation == "relu" else 1 - a[l] * a[l]


def adam(w, g, m, v, t):
    m += 0.1 * (g - m)
    v += 0.001 * (g * g - v)
    w -= LEARNING_RATE / (1 - 0.9**t) * m / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def trainers(case, X, y, layers):
    shapes, activation = [W.T.shape for W, _ in layers], case.net.activation
    start = np.concatenate([part.ravel() for W, b in layers for part in (W.T, b)])
    w, g = np.empty_like(start), np.empty_like(start)
    parameters, gradient = views(w, shapes), views(g, shapes)
    rng = np.random.default_rng(0)

    def train(epochs):
        w[:] = start
        m, v, t = np.zeros_like(w), np.zeros_like(w), 0
        for _ in range(epochs):
            order = rng.permutation(len(X)) if case.shuffle else None
            for first in range(0, len(X), case.batch_size):
                rows = slice(first, first + case.batch_size)
                rows = order[rows] if case.shuffle else rows
                a = forward(activation, parameters, X[rows])
                backward(activation, parameters, a, y[rows], gradient)
                t += 1
                adam(w, g, m, v, t)

    return {"by hand": (train, lambda: [(W.T, b) for W, b in parameters])}


def row_predictors(net, layers):
    layers = [(np.ascontiguousarray(W.T), b) for W, b in layers]

    def answer(X):
        z = forward(net.activation, layers, X)[-1]
        return z.argmax(axis=-1) if net.classes else z[..., 0]

    return {"by hand": answer}


batch_predictors = row_predictors  # the same function for a row and for many
