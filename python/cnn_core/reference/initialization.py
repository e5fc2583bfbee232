"""Initial weights and biases that are fitted to training rows, see `initializers.DataDriven`."""

import math

from cnn_core.reference.activations import activate
from cnn_core.reference.layers import affine
from cnn_core.reference.random import philox
from cnn_core.reference.vectors import Layer, Matrix, Row, running_sum

FOR_WEIGHTS, FOR_BIASES = 1, 1 << 30
POINTS = 5  #: rows of whose z a bias is the negative mean
ALIKE, SMALLEST, LARGEST = 1e-6, 1e-30, 1e30


def uniform(seed: int, stream: int, n: int) -> Row:
    """Multiples of 2^-53 from [0, 1): the upper 53 bits of pairs of words."""
    numbers = []
    for i in range(n):
        high, low = philox(seed, FOR_WEIGHTS, stream, i // 2)[2 * (i % 2) :][:2]
        numbers.append((high << 21 ^ low >> 11) / 2**53)
    return numbers


def normal(seed: int, stream: int, n: int) -> Row:
    """Standard normal numbers by the polar method, Marsaglia & Bray 1964: of a point in the unit
    circle both coordinates times sqrt(-2 log s / s), s its squared distance from the center."""
    pairs = n
    numbers: Row = []
    while len(numbers) < n:
        u, numbers = uniform(seed, stream, 2 * pairs), []
        for x, y in zip(u[::2], u[1::2]):
            x, y = 2 * x - 1, 2 * y - 1
            s = x * x + y * y
            if 0 < s < 1:
                factor = math.sqrt(-2 * math.log(s) / s)
                numbers += [x * factor, y * factor]
        pairs *= 2
    return numbers[:n]


def mean_and_deviation(z: Row) -> tuple[float, float]:
    """Of numbers; the deviation of equal ones is 0"""
    mean = z[0] + running_sum(z_r - z[0] for z_r in z) / len(z)
    return mean, math.sqrt(running_sum((z_r - mean) ** 2 for z_r in z) / len(z))


def fit_layer(seed: int, layer: int, n_out: int, inputs: Matrix) -> Layer:
    """(W, b) of a layer that reads `inputs` of some training rows.

    W_j = v / sd(v a), v ~ N(0, 1), b_j = -sum_k p_k W_j a^(i_k) over random rows i_k
    """
    n_in, rows = len(inputs[0]), len(inputs)
    v, u = normal(seed, layer, n_in * n_out), uniform(seed, FOR_BIASES + layer, 2 * POINTS * n_out)
    W, b = [], []
    for j in range(n_out):
        W_j, b_j = [v_jk / math.sqrt(n_in) for v_jk in v[j * n_in : (j + 1) * n_in]], 0.0
        z = [affine([W_j], [0.0], a)[0] for a in inputs]
        mean, sd = mean_and_deviation(z)
        if sd > ALIKE * abs(mean) and SMALLEST < sd < LARGEST:
            W_j, z = [W_jk / sd for W_jk in W_j], [z_r / sd for z_r in z]
            chosen = [int(one * rows) for one in u[j : POINTS * n_out : n_out]]
            shares = [-math.log(1 - one) for one in u[POINTS * n_out + j :: n_out]]
            b_j = -running_sum(p * z[i] for i, p in zip(chosen, shares)) / running_sum(shares)
        W.append(W_j)
        b.append(b_j)
    return W, b


def fit_layers(
    seed: int, widths: list[int], activations: list[tuple[str, float]], rows: Matrix
) -> list[Layer]:
    """(W, b) of each layer, from the first to the last"""
    layers: list[Layer] = []
    for layer, (n_out, (name, param)) in enumerate(zip(widths[1:], activations)):
        W, b = fit_layer(seed, layer, n_out, rows)
        layers.append((W, b))
        rows = [activate(name, param, affine(W, b, a)) for a in rows]
    return layers
