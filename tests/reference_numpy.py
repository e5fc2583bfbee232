"""The equations in NumPy float64, as a textbook writes them: the referee of the tests. One function
an equation.

Rows are samples: x (rows, n_in), z, a and delta (rows, n_out); W (n_out, n_in), b (n_out,).
"""

import math

import numpy as np


def same_bits(a, b):
    """Whether two arrays have equal shape, dtype and bytes; a NaN equals any NaN, whatever its
    payload."""
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


def step(z):
    """Rosenblatt 1958: 1 if z > 0, else 0."""
    return np.where(np.asarray(z) > 0, 1.0, 0.0)


def sign(z):
    """1 if z > 0, else -1."""
    return np.where(np.asarray(z) > 0, 1.0, -1.0)


def zero_derivative(z):
    """Of a function made of level pieces; 0 where they meet, too."""
    return np.zeros_like(z, float)


def leaky_relu(z, negative_slope=0.01):
    """Maas et al. 2013."""
    z = np.asarray(z, float)
    return np.where(z > 0, z, negative_slope * z)


def leaky_relu_derivative(z, negative_slope=0.01):
    """negative_slope at 0."""
    return np.where(np.asarray(z) > 0, 1.0, negative_slope)


def elu(z, alpha=1.0):
    """Clevert et al. 2016, eq. 15."""
    z = np.asarray(z, float)
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def elu_derivative(z, alpha=1.0):
    """alpha at 0."""
    z = np.asarray(z, float)
    return np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0)))


#: Klambauer et al. 2017, eq. 14.
SELU_LAMBDA, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def selu(z):
    """Klambauer et al. 2017, eq. 2."""
    return SELU_LAMBDA * elu(z, SELU_ALPHA)


def selu_derivative(z):
    return SELU_LAMBDA * elu_derivative(z, SELU_ALPHA)


def normal_cdf(z):
    """Phi(z) = erfc(-z / sqrt 2) / 2. As z / sqrt 2 is rounded, off by some z^2 2^-53 of itself."""
    return np.vectorize(math.erfc, otypes=[float])(-np.asarray(z, float) / math.sqrt(2)) / 2


def gelu(z):
    """Hendrycks & Gimpel 2016: z Phi(z)."""
    return z * normal_cdf(z)


def gelu_derivative(z):
    """Phi(z) + z phi(z), phi being the density of the normal distribution."""
    z = np.asarray(z, float)
    return normal_cdf(z) + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def gelu_tanh(z):
    """Hendrycks & Gimpel 2016: z/2 (1 + tanh u), u = sqrt(2/pi) (z + 0.044715 z^3); 1 + tanh u =
    e^u / cosh u."""
    z = np.asarray(z, float)
    u = np.clip(
        math.sqrt(2 / math.pi) * (z + 0.044715 * z**3), -700, 700
    )  # beyond, e^u would overflow
    return z / 2 * np.exp(u) / np.cosh(u)


def gelu_tanh_derivative(z):
    """(1 + tanh u) / 2 + z/2 (1 - tanh^2 u) u'; 1 - tanh^2 u = 1 / cosh^2 u."""
    z = np.asarray(z, float)
    u = np.clip(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3), -700, 700)
    slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)
    return np.exp(u) / np.cosh(u) / 2 + z / 2 * slope * (1 / np.cosh(u)) ** 2


def softplus(z):
    """log(1 + e^z), whose derivative is sigmoid(z)."""
    return np.logaddexp(0, np.asarray(z, float))


def swish(z):
    """Ramachandran et al. 2017 with beta = 1, SiLU in Elfwing et al. 2018: z sigmoid(z)."""
    return z * sigmoid(z)


def swish_derivative(z):
    """Elfwing et al. 2018, eq. 11: s (1 + z (1 - s))."""
    return sigmoid(z) * (1 + z * sigmoid(-np.asarray(z, float)))


def mish(z):
    """Misra 2020, eq. 1: z tanh(softplus(z))."""
    return z * np.tanh(softplus(z))


def mish_derivative(z):
    """tanh p + z (1 - tanh^2 p) p' with p = softplus(z)."""
    p = softplus(z)
    return np.tanh(p) + z * sigmoid(z) / np.cosh(p) ** 2


def hard_sigmoid(z):
    """Howard et al. 2019: min(max(z + 3, 0), 6) / 6."""
    return np.clip(np.asarray(z, float) / 6 + 0.5, 0, 1)


def hard_sigmoid_derivative(z):
    """0 at -3 and 3."""
    return np.where(np.abs(z) < 3, 1 / 6, 0.0)


def hard_swish(z):
    """Howard et al. 2019: z hard_sigmoid(z)."""
    return z * hard_sigmoid(z)


def hard_swish_derivative(z):
    """0 at -3, 1 at 3."""
    z = np.asarray(z, float)
    return np.where(z <= -3, 0.0, np.where(z >= 3, 1.0, z / 3 + 0.5))


def exp(z):
    """Its own derivative."""
    return np.exp(np.asarray(z, float))


def softmax(z):
    """s_i = e^(z_i) / sum_k e^(z_k) in each row."""
    z = np.asarray(z, float)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_jacobian(z):
    """ds_i/dz_j = s_i ([i = j] - s_j): shape (rows, width, width)."""
    s = softmax(z)
    return s[:, :, None] * (np.eye(s.shape[1]) - s[:, None, :])


#: name -> (f, f'); the derivative of softmax is a Jacobian for each row. Some take a number after
#: z.
ACTIVATIONS = {
    "identity": (identity, identity_derivative),
    "step": (step, zero_derivative),
    "sign": (sign, zero_derivative),
    "sigmoid": (sigmoid, sigmoid_derivative),
    "tanh": (tanh, tanh_derivative),
    "relu": (relu, relu_derivative),
    "leaky_relu": (leaky_relu, leaky_relu_derivative),
    "elu": (elu, elu_derivative),
    "selu": (selu, selu_derivative),
    "gelu": (gelu, gelu_derivative),
    "gelu_tanh": (gelu_tanh, gelu_tanh_derivative),
    "softplus": (softplus, sigmoid),
    "swish": (swish, swish_derivative),
    "mish": (mish, mish_derivative),
    "hard_sigmoid": (hard_sigmoid, hard_sigmoid_derivative),
    "hard_swish": (hard_swish, hard_swish_derivative),
    "exp": (exp, exp),
    "softmax": (softmax, softmax_jacobian),
}


def sigmoid_second(z):
    """s (1 - s) (1 - 2s), 1 - 2s = -tanh(z / 2)."""
    return -sigmoid(z) * sigmoid(-z) * np.tanh(z / 2)


def elu_second(z, alpha=1.0):
    """alpha at 0."""
    return np.where(z > 0, 0.0, alpha * np.exp(np.minimum(z, 0)))


def gelu_second(z):
    """(2 - z^2) phi(z)."""
    return (2 - z * z) * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def gelu_tanh_second(z):
    """sech^2 u (u' + z/2 u'' - z u'^2 tanh u)."""
    k = math.sqrt(2 / math.pi)
    u = np.clip(k * (z + 0.044715 * z**3), -340, 340)
    slope, bend = k * (1 + 3 * 0.044715 * z**2), k * 6 * 0.044715 * z
    return (slope + z / 2 * bend - z * slope**2 * np.tanh(u)) / np.cosh(u) ** 2


def swish_second(z):
    """s (1 - s) (2 - z tanh(z / 2))."""
    return sigmoid(z) * sigmoid(-z) * (2 - z * np.tanh(z / 2))


def mish_second(z):
    """sech^2 p (2 s + z s (1 - s) - 2 z s^2 tanh p) with p = softplus(z) and s = sigmoid(z)."""
    p, s = softplus(np.minimum(z, 300)), sigmoid(z)
    return (2 * s + z * s * sigmoid(-z) - 2 * z * s**2 * np.tanh(p)) / np.cosh(p) ** 2


#: name -> f''; 0 at corners, but for elu and selu.
SECOND_DERIVATIVES = {
    **dict.fromkeys(
        ("identity", "step", "sign", "relu", "leaky_relu", "hard_sigmoid"),
        lambda z, *param: np.zeros_like(z),
    ),
    "sigmoid": sigmoid_second,
    "tanh": lambda z: -2 * np.tanh(z) / np.cosh(np.clip(z, -350, 350)) ** 2,
    "elu": elu_second,
    "selu": lambda z: SELU_LAMBDA * elu_second(z, SELU_ALPHA),
    "gelu": gelu_second,
    "gelu_tanh": gelu_tanh_second,
    "softplus": lambda z: sigmoid(z) * sigmoid(-z),
    "swish": swish_second,
    "mish": mish_second,
    "hard_swish": lambda z: np.where(np.abs(z) < 3, 1 / 3, 0.0),
    "exp": exp,
}


def activation_backward(name, z, gradient, *param):
    """dC/dz_j = sum_i dC/da_i da_i/dz_j; where f works element by element, dC/da_j f'(z_j)."""
    derivative = ACTIVATIONS[name][1](z, *param)
    if derivative.ndim == 3:
        return np.einsum("ri,rij->rj", gradient, derivative)
    return gradient * derivative


# Losses: the cost of each row, and its derivative with respect to what the loss works on.


def mse(a, y):
    """C = 1/2 sum (a - y)^2."""
    return ((a - y) ** 2).sum(axis=1) / 2


def mse_delta(a, y):
    return a - y


def mae(a, y):
    """C = sum |a - y|."""
    return np.abs(a - y).sum(axis=1)


def mae_delta(a, y):
    """0 where they meet."""
    return np.sign(a - y)


def huber(a, y, delta=1.0):
    """C = sum of e^2 / 2 for |e| <= delta, delta (|e| - delta / 2) beyond, with e = a - y."""
    e = np.abs(a - y)
    return np.where(e <= delta, e**2 / 2, delta * (e - delta / 2)).sum(axis=1)


def huber_delta(a, y, delta=1.0):
    return np.clip(a - y, -delta, delta)


def poisson(z, y):
    """C = sum e^z - y z: minus the logarithm of e^-m m^y, with m = e^z, without the constant log
    y!."""
    return (np.exp(z) - y * z).sum(axis=1)


def poisson_delta(z, y):
    return np.exp(z) - y


def hinge(a, y):
    """C = sum max(0, 1 - y a) for y = -1 or 1."""
    return np.maximum(0, 1 - y * a).sum(axis=1)


def hinge_delta(a, y):
    return np.where(y * a < 1, -y, 0)


def perceptron(z, y):
    """C = sum of |z| over the outputs whose step(z) is not y."""
    return (np.abs(z) * ((z > 0) != (y > 0))).sum(axis=1)


def perceptron_delta(z, y):
    """delta = step(z) - y (Rosenblatt 1958)."""
    return (z > 0) - y


def binary_crossentropy(z, y):
    """C = -sum y log s + (1 - y) log(1 - s) with s = sigmoid(z): log s = -log(1 + e^-z), log(1 - s)
    = log s - z."""
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


def softplus(z):
    """log(1 + e^z)"""
    return np.maximum(0, z) + np.log1p(np.exp(-np.abs(z)))


def quantiles(z, n_targets, taus):
    """Shape (rows, targets, quantiles): the median z_1, and steps softplus(z) from it."""
    heads, middle = z.reshape(len(z), len(taus), n_targets), taus.index(0.5)
    below = heads[:, :1] - np.cumsum(softplus(heads[:, middle:0:-1]), axis=1)[:, ::-1]
    above = heads[:, :1] + np.cumsum(softplus(heads[:, middle + 1 :]), axis=1)
    return np.concatenate((below, heads[:, :1], above), axis=1).transpose(0, 2, 1)


def pinball(z, y, taus=(0.05, 0.5, 0.95)):
    """Koenker & Bassett 1978: tau e for e = y - q above 0, (tau - 1) e below; summed"""
    e = y[:, :, None] - quantiles(z, y.shape[1], taus)
    return np.maximum(np.multiply(taus, e), (np.array(taus) - 1) * e).sum(axis=(1, 2))


def pinball_delta(z, y, taus=(0.05, 0.5, 0.95)):
    """By q, then by the steps that lead to it, whose slope is 1 / (1 + e^-z)"""
    e, middle = y[:, :, None] - quantiles(z, y.shape[1], taus), taus.index(0.5)
    by_q = np.where(e > 0, -np.array(taus), 1 - np.array(taus)).transpose(0, 2, 1)
    steps = z.reshape(len(z), len(taus), -1)[:, 1:]
    below = -np.cumsum(by_q[:, :middle], axis=1)
    above = np.cumsum(by_q[:, :middle:-1], axis=1)[:, ::-1]
    of_steps = np.concatenate((below, above), axis=1) / (1 + np.exp(-steps))
    return np.concatenate((by_q.sum(axis=1, keepdims=True), of_steps), axis=1).reshape(z.shape)


def gaussian_nll(z, y, beta=0.0):
    """Nix & Weigend 1994: (log v + (y - m)^2 / v) / 2 with v = softplus(z) + 1e-6; summed"""
    m, v = z[:, : y.shape[1]], softplus(z[:, y.shape[1] :]) + 1e-6
    return 0.5 * (np.log(v) + (y - m) ** 2 / v).sum(axis=1)


def gaussian_nll_delta(z, y, beta=0.0):
    """Times v^beta: Seitzer et al. 2022"""
    m, s = z[:, : y.shape[1]], z[:, y.shape[1] :]
    v, e = softplus(s) + 1e-6, m - y
    return np.hstack((e / v, (0.5 / v - 0.5 * e**2 / v**2) / (1 + np.exp(-s)))) * np.tile(v, 2) ** (
        beta
    )


#: name -> (activation that the loss takes in, cost of each row, delta). Where an activation stands,
#: the loss works on z of the last layer and delta is dC/dz; else on a, and delta is dC/da.
LOSSES = {
    "mse": (None, mse, mse_delta),
    "mae": (None, mae, mae_delta),
    "huber": (None, huber, huber_delta),
    "poisson": ("exp", poisson, poisson_delta),
    "hinge": (None, hinge, hinge_delta),
    "perceptron": ("step", perceptron, perceptron_delta),
    "binary_crossentropy": ("sigmoid", binary_crossentropy, binary_crossentropy_delta),
    "categorical_crossentropy": (
        "softmax",
        categorical_crossentropy,
        categorical_crossentropy_delta,
    ),
    "sparse_categorical_crossentropy": (
        "softmax",
        sparse_categorical_crossentropy,
        sparse_categorical_crossentropy_delta,
    ),
    "pinball": ("identity", pinball, pinball_delta),
    "gaussian_nll": ("identity", gaussian_nll, gaussian_nll_delta),
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
    """delta^L = dC/da^L f'(z^L), delta^l = ((W^(l+1))^T delta^(l+1)) f'(z^l), dW^l = delta^l
    (a^(l-1))^T and db^l = delta^l.

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
    """v <- momentum v - learning_rate g; w <- w + v, or with nesterov w <- w + momentum v -
    learning_rate g.

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


def periodic(X, w, c, V, d):
    """e = V cos(2 pi w x + c) + d of each column, one after the other: (rows, columns * width)."""
    h = np.cos(2 * np.pi * w * X[:, :, None] + c)
    return (np.einsum("ijk,rik->rij", V, h) + d).reshape(len(X), -1)


def periodic_gradient(X, delta, w, c, V, d):
    """dC/dw, dC/dc, dC/dV and dC/dd, summed over the rows, from delta = dC/de."""
    z, delta = 2 * np.pi * w * X[:, :, None] + c, delta.reshape(len(X), *d.shape)
    g = -np.sin(z) * np.einsum("ijk,rij->rik", V, delta)
    dw = 2 * np.pi * np.einsum("ri,rik->ik", X, g)
    return dw, g.sum(axis=0), np.einsum("rij,rik->ijk", delta, np.cos(z)), delta.sum(axis=0)


def softmax_delta(z, labels):
    """dC/dz of the mean cross-entropy of softmax z."""
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(z)), labels] -= 1
    return p / len(z)
