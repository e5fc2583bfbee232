"""The equations in NumPy float64, as a textbook writes them: the referee of the tests. One function an equation.

Rows are samples: x (rows, n_in), z, a and delta (rows, n_out); W (n_out, n_in), b (n_out,).
"""

import numpy as np


def same_bits(a, b):
    """Whether two arrays have equal shape, dtype and bytes; a NaN equals any NaN, whatever its payload."""
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind != "f":
        return a.tobytes() == b.tobytes()
    unsigned = f"u{a.itemsize}"
    return bool(np.all((a.view(unsigned) == b.view(unsigned)) | (np.isnan(a) & np.isnan(b))))


# Activations: f and f'.


def identity(z):
    return np.asarray(z, float)


def identity_derivative(z):
    return np.ones_like(z, float)


def sigmoid(z):
    """1 / (1 + e^-z), written so that no exponential overflows."""
    e = np.exp(-np.abs(np.asarray(z, float)))
    return np.where(np.signbit(z), e, 1) / (1 + e)


def sigmoid_derivative(z):
    return sigmoid(z) * sigmoid(-np.asarray(z, float))


def tanh(z):
    return np.tanh(np.asarray(z, float))


def tanh_derivative(z):
    return 1 - tanh(z) ** 2


def relu(z):
    return np.maximum(0, np.asarray(z, float))


def relu_derivative(z):
    """0 at 0."""
    return np.where(np.asarray(z) > 0, 1.0, 0.0)


def softmax(z):
    """s_i = e^(z_i) / sum_k e^(z_k) in each row."""
    z = np.asarray(z, float)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_jacobian(z):
    """ds_i/dz_j = s_i ([i = j] - s_j): shape (rows, width, width)."""
    s = softmax(z)
    return s[:, :, None] * (np.eye(s.shape[1]) - s[:, None, :])


#: name -> (f, f'); the derivative of softmax is a Jacobian for each row.
ACTIVATIONS = {
    "identity": (identity, identity_derivative),
    "sigmoid": (sigmoid, sigmoid_derivative),
    "tanh": (tanh, tanh_derivative),
    "relu": (relu, relu_derivative),
    "softmax": (softmax, softmax_jacobian),
}


def activation_backward(name, z, gradient):
    """dC/dz_j = sum_i dC/da_i da_i/dz_j; where f works element by element, dC/da_j f'(z_j)."""
    derivative = ACTIVATIONS[name][1](z)
    if derivative.ndim == 3:
        return np.einsum("ri,rij->rj", gradient, derivative)
    return gradient * derivative


# Losses: the cost of each row, and its derivative with respect to what the loss works on.


def mse(a, y):
    """C = 1/2 sum (a - y)^2."""
    return ((a - y) ** 2).sum(axis=1) / 2


def mse_delta(a, y):
    return a - y


def binary_crossentropy(z, y):
    """C = -sum y log s + (1 - y) log(1 - s) with s = sigmoid(z): log s = -log(1 + e^-z), log(1 - s) = log s - z."""
    log_s = -np.logaddexp(0, -z)
    log_1_minus_s = -np.logaddexp(0, z)
    return -(y * log_s + (1 - y) * log_1_minus_s).sum(axis=1)


def binary_crossentropy_delta(z, y):
    return sigmoid(z) - y


def log_softmax(z):
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def categorical_crossentropy(z, y):
    """C = -sum y_j log s_j with s = softmax(z); 0 log 0 is 0."""
    return -np.where(y == 0, 0, y * log_softmax(z)).sum(axis=1)


def categorical_crossentropy_delta(z, y):
    return softmax(z) * y.sum(axis=1, keepdims=True) - y


def one_hot(label, width):
    return np.eye(width)[label]


def sparse_categorical_crossentropy(z, label):
    return categorical_crossentropy(z, one_hot(label, z.shape[1]))


def sparse_categorical_crossentropy_delta(z, label):
    return categorical_crossentropy_delta(z, one_hot(label, z.shape[1]))


#: name -> (activation that the loss takes in, cost of each row, delta). Where an activation stands, the loss works on
#: z of the last layer and delta is dC/dz; else on a, and delta is dC/da.
LOSSES = {
    "mse": (None, mse, mse_delta),
    "binary_crossentropy": ("sigmoid", binary_crossentropy, binary_crossentropy_delta),
    "categorical_crossentropy": ("softmax", categorical_crossentropy, categorical_crossentropy_delta),
    "sparse_categorical_crossentropy": (
        "softmax",
        sparse_categorical_crossentropy,
        sparse_categorical_crossentropy_delta,
    ),
}


# The network. weights, biases and activations have one entry for each layer of weights.


def forward(x, weights, biases, activations):
    """z^l = W^l a^(l-1) + b^l and a^l = f(z^l) with a^0 = x.

    Returns
    -------
    zs : list
        z^1, ..., z^L.
    activated : list
        a^0, a^1, ..., a^L.
    """
    zs, activated = [], [np.asarray(x, float)]
    for W, b, name in zip(weights, biases, activations):
        zs.append(activated[-1] @ np.asarray(W, float).T + b)
        activated.append(ACTIVATIONS[name][0](zs[-1]))
    return zs, activated


def cost(x, y, weights, biases, activations, loss):
    """The cost averaged over the rows."""
    zs, activated = forward(x, weights, biases, activations)
    output, row_cost, _ = LOSSES[loss]
    return row_cost(zs[-1] if output else activated[-1], y).mean()


def backpropagation(x, y, weights, biases, activations, loss):
    """delta^L = dC/da^L f'(z^L), delta^l = ((W^(l+1))^T delta^(l+1)) f'(z^l), dW^l = delta^l (a^(l-1))^T and
    db^l = delta^l.

    Returns
    -------
    deltas : list
        delta^1, ..., delta^L: a row for each sample, not averaged.
    dW, db : list
        Averaged over the rows.
    """
    zs, activated = forward(x, weights, biases, activations)
    output, _, loss_delta = LOSSES[loss]
    if output:
        delta = loss_delta(zs[-1], y)
    else:
        delta = activation_backward(activations[-1], zs[-1], loss_delta(activated[-1], y))
    deltas = [delta]
    for l in range(len(weights) - 2, -1, -1):
        deltas.insert(0, activation_backward(activations[l], zs[l], deltas[0] @ weights[l + 1]))
    rows = len(activated[0])
    dW = [delta.T @ a / rows for delta, a in zip(deltas, activated)]
    db = [delta.sum(axis=0) / rows for delta in deltas]
    return deltas, dW, db


# Optimizers: one step on parameters w with gradient g.


def sgd_step(w, g, v, learning_rate, momentum=0.0, nesterov=False):
    """v <- momentum v - learning_rate g; w <- w + v, or with nesterov w <- w + momentum v - learning_rate g.

    Returns
    -------
    w, v
    """
    v = momentum * v - learning_rate * g
    return (w + momentum * v - learning_rate * g if nesterov else w + v), v


def adam_step(w, g, m, v, t, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Kingma & Ba 2015, Algorithm 1, at step t = 1, 2, ...

    Returns
    -------
    w, m, v
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return w - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon), m, v
