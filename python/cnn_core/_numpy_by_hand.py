"""The trainer that one would write in NumPy in an afternoon: what `MLP.profile` compares the native
core with.

It computes what the core computes, from the same flat parameters, with products by NumPy's BLAS and
one vector of all parameters for the optimizer. It knows the activations, losses and optimizers that
are a line or two of NumPy, and says `why_not` for the others.
"""

import math

import numpy as np


def sigmoid(z):
    """1 / (1 + e^-z), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def mish_slope(z):
    t = np.tanh(softplus(z))
    return t + z * (1 - t * t) * sigmoid(z)


def swish_slope(z):
    s = sigmoid(z)
    return s + z * s * (1 - s)


ROOT = math.sqrt(2 / math.pi)


def gelu_tanh_gate(z):
    return sigmoid(2 * ROOT * z * (1 + 0.044715 * z * z))


def gelu_tanh_slope(z):
    s = gelu_tanh_gate(z)
    return s + z * 2 * ROOT * (1 + 3 * 0.044715 * z * z) * s * (1 - s)


LAMBDA, ALPHA = 1.0507009873554805, 1.6732632423543772  # of selu

#: name: (f(z, alpha), f'(z, a, alpha)). softmax is a function of the whole row and stands below.
ACTIVATIONS = {
    "identity": (lambda z, alpha: z, lambda z, a, alpha: 1),
    "sigmoid": (lambda z, alpha: sigmoid(z), lambda z, a, alpha: a * (1 - a)),
    "tanh": (lambda z, alpha: np.tanh(z), lambda z, a, alpha: 1 - a * a),
    "relu": (lambda z, alpha: np.maximum(z, 0), lambda z, a, alpha: a > 0),
    "leaky_relu": (lambda z, alpha: np.where(z > 0, z, alpha * z),
                   lambda z, a, alpha: np.where(a > 0, a.dtype.type(1), a.dtype.type(alpha))),
    "elu": (lambda z, alpha: np.where(z > 0, z, alpha * np.expm1(z)),
            lambda z, a, alpha: np.where(a > 0, 1, a + alpha)),
    "selu": (lambda z, alpha: np.where(z > 0, LAMBDA * z, LAMBDA * ALPHA * np.expm1(z)),
             lambda z, a, alpha: np.where(a > 0, LAMBDA, a + LAMBDA * ALPHA)),
    "gelu_tanh": (lambda z, alpha: z * gelu_tanh_gate(z), lambda z, a, alpha: gelu_tanh_slope(z)),
    "softplus": (lambda z, alpha: softplus(z), lambda z, a, alpha: sigmoid(z)),
    "swish": (lambda z, alpha: z * sigmoid(z), lambda z, a, alpha: swish_slope(z)),
    "mish": (lambda z, alpha: z * np.tanh(softplus(z)), lambda z, a, alpha: mish_slope(z)),
    "hard_sigmoid": (lambda z, alpha: np.clip(z / 6 + 0.5, 0, 1),
                     lambda z, a, alpha: ((a > 0) & (a < 1)) * a.dtype.type(1 / 6)),
    "hard_swish": (lambda z, alpha: z * np.clip(z / 6 + 0.5, 0, 1),
                   lambda z, a, alpha: np.where(z <= -3, 0, np.where(z >= 3, 1, z / 3 + 0.5))),
    "exp": (lambda z, alpha: np.exp(z), lambda z, a, alpha: a),
}  # fmt: skip


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def activate(name, alpha, z):
    """a = f(z)"""
    return softmax(z) if name == "softmax" else ACTIVATIONS[name][0](z, alpha)


def through_activation(name, alpha, z, a, g):
    """delta = g * f'(z), with g = dC/da."""
    if name == "softmax":
        return a * (g - (g * a).sum(axis=1, keepdims=True))
    return g * ACTIVATIONS[name][1](z, a, alpha)


# Losses: the summed cost of the rows and the error that it sends back, of a (mse) or of z (the
# cross-entropies).


def mse(a, y):
    error = a - y
    return 0.5 * float((error * error).sum()), error


def binary_crossentropy(z, y):
    return float((softplus(z) - y * z).sum()), sigmoid(z) - y


def shares(z):
    """softmax(z) and its logarithm."""
    z = z - z.max(axis=1, keepdims=True)
    e = np.exp(z)
    total = e.sum(axis=1, keepdims=True)
    return e / total, z - np.log(total)


def categorical_crossentropy(z, y):
    p, log_p = shares(z)
    return -float((y * log_p).sum()), p * y.sum(axis=1, keepdims=True) - y


def sparse_categorical_crossentropy(z, label):
    p, log_p = shares(z)
    rows = np.arange(len(z))
    cost = -float(log_p[rows, label].sum())
    p[rows, label] -= 1
    return cost, p


LOSSES = {
    "mse": mse,
    "binary_crossentropy": binary_crossentropy,
    "categorical_crossentropy": categorical_crossentropy,
    "sparse_categorical_crossentropy": sparse_categorical_crossentropy,
}
OPTIMIZERS = ("sgd", "adam")


def why_not(activations, loss, optimizer, extras):
    """What of a training this trainer does not know, as a sentence.

    Parameters
    ----------
    activations : sequence of str
    loss, optimizer : str
    extras : dict of str to bool
        Names of further features, and whether they are used; it knows none of them.

    Returns
    -------
    str or None
        None: it knows all.
    """
    unknown = [
        f"the activation {name!r}"
        for name in dict.fromkeys(activations)
        if name != "softmax" and name not in ACTIVATIONS
    ]
    for kind, name, known in (("loss", loss, LOSSES), ("optimizer", optimizer, OPTIMIZERS)):
        unknown += [f"the {kind} {name!r}"] * (name not in known)
    unknown += [name for name, used in extras.items() if used]
    return f"it does not know {', '.join(unknown)}" if unknown else None


class Trainer:
    """A network and its training.

    Parameters
    ----------
    parameters : ndarray, shape (n_parameters,)
        W^1 row by row, b^1, W^2, ...; copied.
    widths : sequence of int
    activations : sequence of str
    alphas : sequence of float
        The number that each layer's activation takes.
    loss : str
    from_z : bool
        Whether the loss works on z of the last layer.
    optimizer : {'sgd', 'adam'}
    settings : dict of str to float
    batch : int
        Rows of a mini-batch.
    """

    def __init__(
        self, parameters, widths, activations, alphas, loss, from_z, optimizer, settings, batch
    ):
        self.w, self.g = parameters.copy(), np.empty_like(parameters)
        self.layers, self.gradients = self._views(self.w, widths), self._views(self.g, widths)
        self.activations, self.alphas = activations, alphas
        self.loss, self.from_z, self.h, self.batch = LOSSES[loss], from_z, settings, batch
        self.update = getattr(self, f"_{optimizer}")
        self.m, self.v, self.scratch = (np.zeros_like(parameters) for _ in range(3))
        self.steps = 0

    @staticmethod
    def _views(flat, widths):
        """(W, b) of each layer, as views of a flat vector, so that the optimizer has one vector to
        go through."""
        layers, at = [], 0
        for n_in, n_out in zip(widths, widths[1:]):
            W = flat[at : at + n_out * n_in].reshape(n_out, n_in)
            at += W.size
            layers.append((W, flat[at : at + n_out]))
            at += n_out
        return layers

    def epoch(self, X, y, order=None):
        """Every row once, in mini-batches.

        Parameters
        ----------
        X : ndarray, shape (rows, features)
        y : ndarray
            Targets, shape (rows, outputs), or class indices, shape (rows,).
        order : ndarray of int, optional
            In which to visit the rows; default as they stand.

        Returns
        -------
        float
            Mean cost of the rows.
        """
        total = 0.0
        for first in range(0, len(X), self.batch):
            rows = slice(first, first + self.batch)
            if order is not None:
                rows = order[rows]
            total += self.learn(X[rows], y[rows])
            self.steps += 1
            self.update()
        return total / len(X)

    def learn(self, x, y):
        """Forward, backward and the averaged gradient of one mini-batch; returns its summed
        cost."""
        zs, activated = [], [x]
        for (W, b), name, alpha in zip(self.layers, self.activations, self.alphas):
            z = activated[-1] @ W.T
            z += b
            zs.append(z)
            activated.append(activate(name, alpha, z))
        cost, delta = self.loss(zs[-1] if self.from_z else activated[-1], y)
        delta *= 1 / len(x)
        last = len(self.layers) - 1
        for l in range(last, -1, -1):
            if l < last or not self.from_z:
                delta = through_activation(
                    self.activations[l], self.alphas[l], zs[l], activated[l + 1], delta
                )
            dW, db = self.gradients[l]
            np.matmul(delta.T, activated[l], out=dW)
            delta.sum(axis=0, out=db)
            if l:
                delta = delta @ self.layers[l][0]
        return cost

    def _sgd(self):
        h, push = self.h, self.scratch
        np.multiply(self.g, -h["learning_rate"], out=push)
        if h["momentum"]:
            self.m *= h["momentum"]
            self.m += push
            self.w += self.m * h["momentum"] + push if h["nesterov"] else self.m
        else:
            self.w += push

    def _adam(self):
        h, t, m, v, s = self.h, self.steps, self.m, self.v, self.scratch
        np.subtract(self.g, m, out=s)
        s *= 1 - h["beta1"]
        m += s
        np.multiply(self.g, self.g, out=s)
        s -= v
        s *= 1 - h["beta2"]
        v += s
        np.sqrt(v, out=s)
        s *= 1 / math.sqrt(1 - h["beta2"] ** t)
        s += h["epsilon"]
        np.divide(m, s, out=s)
        s *= h["learning_rate"] / (1 - h["beta1"] ** t)
        self.w -= s
