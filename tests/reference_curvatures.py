"""Second derivatives of the losses in NumPy, from their definitions."""

import numpy as np
from reference_numpy import pinball_delta, sigmoid, softmax, softplus


def crossentropy_curvature(z, weight):
    """d2C / (dz_j dz_k) = (s_j [j = k] - s_j s_k) sum y, with 1 - s_j as the sum of the others."""
    s, same = softmax(z), np.eye(z.shape[1])
    others = s @ (1 - same)
    return (
        s[:, :, None]
        * (same * others[:, :, None] - (1 - same) * s[:, None, :])
        * (weight[:, None, None])
    )


def pinball_curvature(z, y, taus=(0.05, 0.5, 0.95)):
    """Of the steps softplus(z) alone: times sigmoid(-z)"""
    second = pinball_delta(z, y, taus) / (1 + np.exp(z))
    second[:, : y.shape[1]] = 0
    return diagonal(second)


def gaussian_nll_curvature(z, y, beta=0.0):
    """Of (log v + e^2 / v) / 2 by m and v, then by s with v = softplus(s) + 1e-6"""
    n = y.shape[1]
    m, s = z[:, :n], z[:, n:]
    v, e, slope = softplus(s) + 1e-6, m - y, sigmoid(s)
    mixed = -e / v**2 * slope
    by_v, twice = 0.5 / v - 0.5 * e**2 / v**2, -0.5 / v**2 + e**2 / v**3
    found = diagonal(np.hstack((1 / v, twice * slope**2 + by_v * slope * sigmoid(-s))))
    for t in range(n):
        found[:, t, n + t] = found[:, n + t, t] = mixed[:, t]
    return found


def diagonal(second):
    """Of a loss that is a sum over the outputs: shape (rows, width, width)."""
    return second[:, :, None] * np.eye(second.shape[1])


#: name -> the second derivatives of the cost of each row by what the loss works on.
CURVATURES = {
    "mse": lambda a, y: diagonal(np.ones_like(a)),
    **dict.fromkeys(("mae", "hinge", "perceptron"), lambda a, y: diagonal(np.zeros_like(a))),
    "huber": lambda a, y: diagonal((np.abs(a - y) <= 1) * 1.0),
    "poisson": lambda z, y: diagonal(np.exp(z)),
    "binary_crossentropy": lambda z, y: diagonal(sigmoid(z) * sigmoid(-z)),
    "categorical_crossentropy": lambda z, y: crossentropy_curvature(z, y.sum(axis=1)),
    "sparse_categorical_crossentropy": lambda z, y: crossentropy_curvature(z, np.ones(len(z))),
    "pinball": pinball_curvature,
    "gaussian_nll": gaussian_nll_curvature,
}
