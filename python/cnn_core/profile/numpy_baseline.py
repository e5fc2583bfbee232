"""Training in NumPy alone, as one writes it in an hour: a baseline of `MLP.profile` and of the
benchmarks.

Each layer has W of shape (n_in, n_out) and b, all of them views of one vector, so that an optimizer
has one array to go through. The output activation goes with its loss, softmax with the categorical
cross-entropies, sigmoid with the binary one, identity with mse: for each of them dC/dz = a - y.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]
Layers: TypeAlias = Sequence[tuple[Array, Array]]


def softmax(z: Array) -> Array:
    """e^z / sum e^z of each row, in the place of z."""
    z -= z.max(axis=-1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=-1, keepdims=True)
    return z


#: a = f(z), which may take the place of z.
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0, out=z),
    "tanh": lambda z: np.tanh(z, out=z),
    "sigmoid": lambda z: 0.5 * (1 + np.tanh(0.5 * z)),
    "softmax": softmax,
}
#: f'(z) from a = f(z), of hidden layers.
DERIVATIVES: dict[str, Callable[[Array], Array]] = {
    "relu": lambda a: a > 0,
    "tanh": lambda a: 1 - a * a,
    "sigmoid": lambda a: a * (1 - a),
}
#: The output activation that goes with a loss.
OUTPUTS = {
    "mse": "identity",
    "binary_crossentropy": "sigmoid",
    "categorical_crossentropy": "softmax",
    "sparse_categorical_crossentropy": "softmax",
}


def forward(layers: Layers, activations: Sequence[str], X: Array) -> list[Array]:
    """The activations of all layers, X first."""
    a = [X]
    for (W, b), name in zip(layers, activations):
        z = a[-1] @ W
        z += b
        a.append(ACTIVATIONS[name](z))
    return a


class Trainer:
    """A network and its training.

    Parameters
    ----------
    layers : sequence of (W, b)
        Copied; W of shape (n_out, n_in).
    activations : sequence of str
        One a layer, the last one as `OUTPUTS` says.
    optimizer : {'sgd', 'adam'}
    settings : mapping of str to float
        As the optimizers of `cnn_core` have them.
    batch_size : int
    """

    def __init__(
        self,
        layers: Layers,
        activations: Sequence[str],
        optimizer: str,
        settings: Mapping[str, float],
        batch_size: int,
    ) -> None:
        self.w = np.concatenate([part.ravel() for W, b in layers for part in (W.T, b)])
        self.g, self.m, self.v, self.scratch = (np.zeros_like(self.w) for _ in range(4))
        shapes = [W.T.shape for W, _ in layers]
        self.layers, self.gradients = _views(self.w, shapes), _views(self.g, shapes)
        self.activations, self.h, self.batch_size = activations, settings, batch_size
        self.update = {"sgd": self._sgd, "adam": self._adam}[optimizer]
        self.steps = 0

    def epoch(self, X: Array, y: Array, order: Array | None = None) -> None:
        """Every row once, in `order`; y holds a row of targets for each, or class indices."""
        for first in range(0, len(X), self.batch_size):
            rows: Any = slice(first, first + self.batch_size)
            rows = rows if order is None else order[rows]
            self.gradient(X[rows], y[rows])
            self.steps += 1
            self.update()

    def gradient(self, x: Array, y: Array) -> None:
        """Forward, backward and the averaged gradient of one mini-batch."""
        a = forward(self.layers, self.activations, x)
        delta = a[-1]
        if y.ndim == 1:
            delta[np.arange(len(y)), y] -= 1
        else:
            delta -= y
        delta /= len(x)
        for l in range(len(self.layers) - 1, -1, -1):
            dW, db = self.gradients[l]
            np.matmul(a[l].T, delta, out=dW)
            delta.sum(axis=0, out=db)
            if l:
                delta = delta @ self.layers[l][0].T
                delta *= DERIVATIVES[self.activations[l - 1]](a[l])

    def _sgd(self) -> None:
        h, push = self.h, self.scratch
        np.multiply(self.g, -h["learning_rate"], out=push)
        if h["momentum"]:
            self.m *= h["momentum"]
            self.m += push
            self.w += self.m * h["momentum"] + push if h["nesterov"] else self.m
        else:
            self.w += push

    def _adam(self) -> None:
        h, m, v, s = self.h, self.m, self.v, self.scratch
        m += np.multiply(np.subtract(self.g, m, out=s), 1 - h["beta1"], out=s)
        np.multiply(self.g, self.g, out=s)
        v += np.multiply(np.subtract(s, v, out=s), 1 - h["beta2"], out=s)
        np.sqrt(v, out=s)
        s *= (1 - h["beta2"] ** self.steps) ** -0.5
        s += h["epsilon"]
        np.divide(m, s, out=s)
        s *= h["learning_rate"] / (1 - h["beta1"] ** self.steps)
        self.w -= s


def _views(vector: Array, shapes: Sequence[tuple[int, ...]]) -> list[tuple[Array, Array]]:
    layers, at = [], 0
    for n_in, n_out in shapes:
        W, b = vector[at : at + n_in * n_out], vector[at + n_in * n_out : at + (n_in + 1) * n_out]
        layers.append((W.reshape(n_in, n_out), b))
        at += (n_in + 1) * n_out
    return layers
