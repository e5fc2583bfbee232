"""The twin: the whole of training in plain Python numbers, lists and loops, to be read beside a
textbook.

``MLP(backend="python")`` runs it. It takes the same random numbers and adds in the same order as
the native core: an output's sum begins with the bias and goes through the inputs, a gradient's
through the rows of the mini-batch. Everything is computed in float64. What differs is the last bit
here and there: the native core multiplies and adds with one rounding instead of two, has its own
exp and log, adds up whole vectors (clip_norm, max_norm, penalties, L-BFGS) in another order, and
takes numbers below 2.2e-308 for 0 while it trains.

A row is a list of numbers, a mini-batch a list of rows. W has a row for each neuron, the weights to
it; layers count from 0, so layer l reads ``inputs[l]``, which is x or the output of the layer
below.
"""

import math
from collections import namedtuple

import numpy as np

LANES = 8  # partial sums of the native core in float64


# Random numbers


def philox(key, purpose, a, index):
    """Four words of 32 bits, a pure function of the arguments: Philox4x32-10, Salmon et al. 2011,
    section 3.3."""
    c0, c1, c2, c3 = index & 0xFFFFFFFF, index >> 32, a, purpose
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        p, q = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (q >> 32) ^ c1 ^ k0, q & 0xFFFFFFFF, (p >> 32) ^ c3 ^ k1, p & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


FOR_SHUFFLE, FOR_DROPOUT = 2, 4


def permutation(seed, epoch, n):
    """The order of the rows in an epoch: Fisher & Yates, from the end; each swap takes two
    words."""
    order = list(range(n))
    for drawn, i in enumerate(range(n - 1, 0, -1)):
        if drawn % 2 == 0:
            words = philox(seed, FOR_SHUFFLE, epoch, drawn // 2)
        high, low = words[2 * (drawn % 2) :][:2]
        j = (high << 32 | low) * (i + 1) >> 64
        order[i], order[j] = order[j], order[i]
    return order


def drop(a, rate, alpha, seed, step, layer, r):
    """Dropout of row r of a mini-batch: what the layer reads, and its derivative.

    Srivastava et al. 2014: a_j / (1 - rate) with probability 1 - rate, else 0. With `alpha`,
    Klambauer et al. 2017: what goes becomes -1.758, selu's lower limit, and an affine map brings
    mean and variance back to 0 and 1.
    """
    keep, gone = 1 - rate, -1.7580993408473768 if alpha else 0.0
    factor = 1 / math.sqrt(keep + gone * gone * keep * rate) if alpha else 1 / keep
    shift = -factor * rate * gone
    purpose = FOR_DROPOUT | layer << 8 | (step >> 32) << 20 & 0xFFFFFFFF
    threshold = int(rate * 2**32)
    kept, slope = [], []
    for j, a_j in enumerate(a):
        if j % 4 == 0:
            words = philox(seed, purpose, step & 0xFFFFFFFF, r << 32 | j // 4)
        stays = words[j % 4] >= threshold
        kept.append(factor * a_j + shift if stays else factor * gone + shift)
        slope.append(factor if stays else 0.0)
    return kept, slope


# Activations: f(z) and f'(z), the derivative from z and a = f(z). alpha is the number that some of
# them take.


def exp(x):
    """e^x, infinite where Python's own raises."""
    return math.exp(x) if x < 709.79 else math.inf if x >= 709.79 else math.nan


def expm1(x):
    """e^x - 1"""
    return math.expm1(x) if x < 709.79 else exp(x)


def sigmoid(z):
    """1 / (1 + e^-z)"""
    return 1 / (1 + exp(-z))


def sigmoid_bend(z):
    """sigmoid(z) (1 - sigmoid(z)) = e^-|z| / (1 + e^-|z|)^2, which loses nothing where sigmoid is
    near 1."""
    e = exp(-abs(z))
    return e / (1 + e) / (1 + e)


def normal_cdf(z):
    """Phi(z), the normal distribution: erfc(-z / sqrt 2) / 2."""
    return math.erfc(-z / math.sqrt(2)) / 2


def normal_density(z):
    """phi(z) = e^(-z^2 / 2) / sqrt(2 pi)"""
    return exp(-z * z / 2) / math.sqrt(2 * math.pi)


def softplus(z):
    """log(1 + e^z) = max(0, z) + log(1 + e^-|z|)"""
    return max(0.0, z) + math.log1p(exp(-abs(z)))


def gated(z, gate):
    """z times a gate, which is 0 where the gate is shut even for an infinite z."""
    return z * gate if gate else 0.0


def step(z):
    """Rosenblatt 1958: 1 above 0, else 0."""
    return 1.0 if z > 0 else 0.0 if z <= 0 else z


def sign(z):
    """1 above 0, else -1."""
    return 1.0 if z > 0 else -1.0 if z <= 0 else z


def relu(z):
    """max(0, z)"""
    return 0.0 if z <= 0 else z


def leaky_relu(z, alpha):
    """z above 0, else alpha z; Maas et al. 2013."""
    return z if not z <= 0 else alpha * z if alpha else 0.0


def elu(z, alpha):
    """z above 0, else alpha (e^z - 1); Clevert et al. 2016, eq. 15."""
    return z if not z <= 0 else alpha * math.expm1(z)


SELU_LAMBDA, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def selu(z):
    """lambda z above 0, else lambda alpha (e^z - 1); Klambauer et al. 2017, eq. 2 and 14."""
    return SELU_LAMBDA * z if not z <= 0 else SELU_LAMBDA * SELU_ALPHA * math.expm1(z)


def gelu_argument(z):
    """2u, for which (1 + tanh u) / 2 = sigmoid(2u); Hendrycks & Gimpel 2016."""
    return 2 * math.sqrt(2 / math.pi) * z * (1 + 0.044715 * z * z)


def gelu_tanh_slope(z):
    """s + z s (1 - s) d(2u)/dz with s = sigmoid(2u)"""
    bend = sigmoid_bend(gelu_argument(z))
    return sigmoid(gelu_argument(z)) + gated(
        z * 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z * z), bend
    )


def swish_slope(z):
    """s + z s (1 - s) with s = sigmoid(z); Elfwing et al. 2018."""
    return sigmoid(z) + gated(z, sigmoid_bend(z))


def mish_gate(z):
    """tanh(softplus(z)) = (w^2 - 1) / (w^2 + 1) with w = 1 + e^z; Misra 2019."""
    return math.tanh(softplus(z))


def mish_slope(z):
    """tanh(s) + z (1 - tanh(s)^2) sigmoid(z) with s = softplus(z); 1 - tanh^2 = 1 / cosh^2."""
    s = softplus(z)
    return mish_gate(z) + gated(z, sigmoid(z) / math.cosh(min(s, 350.0)) ** 2)


def hard_sigmoid(z):
    """min(1, max(0, z / 6 + 1 / 2))"""
    return 0.0 if z <= -3 else 1.0 if z >= 3 else z / 6 + 0.5


def hard_swish_slope(z):
    """0 up to -3, 1 from 3 on, z / 3 + 1 / 2 between; Howard et al. 2019."""
    return 0.0 if z <= -3 else 1.0 if z >= 3 else z / 3 + 0.5


#: name: (f(z, alpha), f'(z, a, alpha)). softmax is a function of the whole row and stands below.
ACTIVATIONS = {
    "identity": (lambda z, alpha: z, lambda z, a, alpha: 1.0),
    "step": (lambda z, alpha: step(z), lambda z, a, alpha: 0.0),
    "sign": (lambda z, alpha: sign(z), lambda z, a, alpha: 0.0),
    "sigmoid": (lambda z, alpha: sigmoid(z), lambda z, a, alpha: a * (1 - a)),
    "tanh": (lambda z, alpha: math.tanh(z), lambda z, a, alpha: 1 - a * a),
    "relu": (lambda z, alpha: relu(z), lambda z, a, alpha: 0.0 if a <= 0 else 1.0),
    "leaky_relu": (leaky_relu, lambda z, a, alpha: alpha if a <= 0 else 1.0),
    "elu": (elu, lambda z, a, alpha: a + alpha if a <= 0 else 1.0),
    "selu": (lambda z, alpha: selu(z), lambda z, a, alpha: a + SELU_LAMBDA * SELU_ALPHA if a <= 0 else SELU_LAMBDA),
    "gelu": (lambda z, alpha: gated(z, normal_cdf(z)),
             lambda z, a, alpha: normal_cdf(z) + gated(z, normal_density(z))),
    "gelu_tanh": (lambda z, alpha: gated(z, sigmoid(gelu_argument(z))), lambda z, a, alpha: gelu_tanh_slope(z)),
    "softplus": (lambda z, alpha: softplus(z), lambda z, a, alpha: -expm1(-a)),
    "swish": (lambda z, alpha: gated(z, sigmoid(z)), lambda z, a, alpha: swish_slope(z)),
    "mish": (lambda z, alpha: gated(z, mish_gate(z)), lambda z, a, alpha: mish_slope(z)),
    "hard_sigmoid": (lambda z, alpha: hard_sigmoid(z), lambda z, a, alpha: 1 / 6 if 0 < a < 1 else 0.0),
    "hard_swish": (lambda z, alpha: gated(z, hard_sigmoid(z)), lambda z, a, alpha: hard_swish_slope(z)),
    "exp": (lambda z, alpha: exp(z), lambda z, a, alpha: a),
}  # fmt: skip


def lane_sum(values):
    """A sum as the native core adds up a row: LANES partial sums, which are then halved until one
    is left."""
    partial = [0.0] * LANES
    for j, value in enumerate(values):
        partial[j % LANES] += value
    while len(partial) > 1:
        half = len(partial) // 2
        partial = [partial[i] + partial[i + half] for i in range(half)]
    return partial[0]


def softmax(z):
    """a_j = e^(z_j - top) / sum_k e^(z_k - top), with top the largest z"""
    top = max(z)
    e = [exp(z_j - top) for z_j in z]
    total = lane_sum(e)
    return [e_j / total for e_j in e]


def softmax_delta(a, g):
    """dC/dz_j = a_j (g_j - sum_k g_k a_k) with g = dC/da: the product with the Jacobian a_j ([j =
    k] - a_k)"""
    mean = lane_sum(g_k * a_k for g_k, a_k in zip(g, a))
    return [a_j * (g_j - mean) for g_j, a_j in zip(g, a)]


def activate(name, alpha, z):
    """a = f(z) for one row."""
    if name == "softmax":
        return softmax(z)
    f = ACTIVATIONS[name][0]
    return [f(z_j, alpha) for z_j in z]


def through_activation(name, alpha, z, a, g):
    """delta = g * f'(z) for one row, with g = dC/da."""
    if name == "softmax":
        return softmax_delta(a, g)
    f_prime = ACTIVATIONS[name][1]
    return [g_j * f_prime(z_j, a_j, alpha) for g_j, z_j, a_j in zip(g, z, a)]


# Losses: the cost of one row and the error it sends back. `out` is a, or z of the last layer for
# the losses that take the output activation in (``_losses.table()`` says which); y a row of
# targets, or a class index.


def summed(cost, slope):
    """A loss that is a sum over the outputs."""

    def loss(out, y, alpha):
        return (
            lane_sum(cost(o, t, alpha) for o, t in zip(out, y)),
            [slope(o, t, alpha) for o, t in zip(out, y)],
        )

    return loss


def mse(a, y, alpha):
    """C = (a - y)^2 / 2, so that dC/da = a - y"""
    return (a - y) * (a - y) * 0.5


def huber(a, y, alpha):
    """Huber 1964: e^2 / 2 up to alpha, alpha (|e| - alpha / 2) beyond"""
    e = abs(a - y)
    return alpha * (e - 0.5 * alpha) if e > alpha else e * e * 0.5


def binary_crossentropy(z, y, alpha):
    """C = -y log s - (1 - y) log(1 - s) with s = sigmoid(z); as |z| on the wrong side of 0, plus
    log(1 + e^-|z|)"""
    return gated(abs(z), 1 - y if z > 0 else y) + math.log1p(exp(-abs(z)))


def poisson(z, y, alpha):
    """C = e^z - y z: the negative log-likelihood of a count y with mean e^z, without its
    constant"""
    return exp(z) - gated(z, y)


def perceptron(z, y, alpha):
    """C = max(0, z) - y z, whose slope is Rosenblatt's delta = step(z) - y"""
    return relu(z) - gated(z, y)


def categorical_crossentropy(z, y, alpha):
    """C = -sum_j y_j log p_j with p = softmax(z) and log p_j = z_j - top - log sum_k e^(z_k - top);
    dC/dz_j = p_j - y_j"""
    top = max(z)
    total = lane_sum(exp(z_j - top) for z_j in z)
    weight = lane_sum(y)
    cost = weight * math.log(total) - lane_sum(gated(z_j - top, y_j) for z_j, y_j in zip(z, y))
    return cost, [exp(z_j - top) / total * weight - y_j for z_j, y_j in zip(z, y)]


def sparse_categorical_crossentropy(z, label, alpha):
    """The same for a class index: C = -log p_label"""
    top = max(z)
    total = lane_sum(exp(z_j - top) for z_j in z)
    return math.log(total) - (z[label] - top), [
        exp(z_j - top) / total - (j == label) for j, z_j in enumerate(z)
    ]


LOSSES = {
    "mse": summed(mse, lambda a, y, alpha: a - y),
    "mae": summed(
        lambda a, y, alpha: abs(a - y),
        lambda a, y, alpha: 0.0 if a == y else -1.0 if a < y else 1.0,
    ),
    "huber": summed(huber, lambda a, y, alpha: max(-alpha, min(alpha, a - y))),
    "binary_crossentropy": summed(binary_crossentropy, lambda z, y, alpha: sigmoid(z) - y),
    "categorical_crossentropy": categorical_crossentropy,
    "sparse_categorical_crossentropy": sparse_categorical_crossentropy,
    "poisson": summed(poisson, lambda z, y, alpha: exp(z) - y),
    "hinge": summed(
        lambda a, y, alpha: max(0.0, 1 - y * a), lambda a, y, alpha: 0.0 if y * a >= 1 else -y
    ),
    "perceptron": summed(perceptron, lambda z, y, alpha: step(z) - y),
}


# Layers: forward, the delta recursion, the gradient


def affine(W, b, a):
    """z_j = b_j + sum_k W_jk a_k"""
    z = []
    for W_j, z_j in zip(W, b):
        for W_jk, a_k in zip(W_j, a):
            z_j += W_jk * a_k
        z.append(z_j)
    return z


def error_below(W, delta):
    """(W^T delta)_k = sum_j W_jk delta_j: what a layer sends to the outputs of the one below"""
    g = [0.0] * len(W[0])
    for W_j, delta_j in zip(W, delta):
        for k, W_jk in enumerate(W_j):
            g[k] += W_jk * delta_j
    return g


def weight_gradient(deltas, inputs):
    """dW_jk = sum over the rows of delta_j a_k"""
    dW = [[0.0] * len(inputs[0]) for _ in deltas[0]]
    for delta, a in zip(deltas, inputs):
        for dW_j, delta_j in zip(dW, delta):
            for k, a_k in enumerate(a):
                dW_j[k] += delta_j * a_k
    return dW


def bias_gradient(deltas):
    """db_j = sum over the rows of delta_j: the bias is the weight of a unit that is always 1"""
    db = [0.0] * len(deltas[0])
    for delta in deltas:
        for j, delta_j in enumerate(delta):
            db[j] += delta_j
    return db


# Optimizers: one step of one parameter w with gradient g. h are the settings by name, slots the
# optimizer's memory of that parameter, which is changed; they return the new w. optimizers.py names
# the papers.


def sgd(t, h, w, g, slots):
    """v <- momentum v - rate g;  w <- w + v, or w + momentum v - rate g with nesterov"""
    push = -h["learning_rate"] * g
    slots[0] = v = h["momentum"] * slots[0] + push
    return w + (h["momentum"] * v + push if h["nesterov"] else v)


def adagrad(t, h, w, g, slots):
    """v <- v + g^2;  w <- w - rate g / (sqrt v + epsilon)"""
    slots[0] += g * g
    return w - h["learning_rate"] * (g / (math.sqrt(slots[0]) + h["epsilon"]))


def adadelta(t, h, w, g, slots):
    """v <- rho v + (1 - rho) g^2;  s = g sqrt(u + eps) / sqrt(v + eps);  u <- rho u + (1 - rho)
    s^2;  w <- w - rate s"""
    slots[0] += (1 - h["rho"]) * (g * g - slots[0])
    s = g * (math.sqrt(slots[1] + h["epsilon"]) / math.sqrt(slots[0] + h["epsilon"]))
    slots[1] += (1 - h["rho"]) * (s * s - slots[1])
    return w - h["learning_rate"] * s


def rmsprop(t, h, w, g, slots):
    """v <- rho v + (1 - rho) g^2;  m <- momentum m + g / (sqrt v + epsilon);  w <- w - rate m"""
    slots[0] += (1 - h["rho"]) * (g * g - slots[0])
    slots[1] = h["momentum"] * slots[1] + g / (math.sqrt(slots[0]) + h["epsilon"])
    return w - h["learning_rate"] * slots[1]


def moments(h, g, slots):
    """m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2"""
    slots[0] += (1 - h["beta1"]) * (g - slots[0])
    slots[1] += (1 - h["beta2"]) * (g * g - slots[1])
    return slots[0], slots[1]


def unbiased_root(t, h, v):
    """sqrt(v / (1 - beta2^t)) + epsilon"""
    return math.sqrt(v) / math.sqrt(1 - h["beta2"] ** t) + h["epsilon"]


def adam(t, h, w, g, slots):
    """w <- w - rate m^ / (sqrt v^ + epsilon) with m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t)"""
    m, v = moments(h, g, slots)
    return w - h["learning_rate"] / (1 - h["beta1"] ** t) * (m / unbiased_root(t, h, v))


def adam_hat(t, h, w, g, slots):
    """w <- w - rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt v + epsilon)"""
    m, v = moments(h, g, slots)
    unbias = math.sqrt(1 - h["beta2"] ** t) / (1 - h["beta1"] ** t)
    return w - h["learning_rate"] * unbias * (m / (math.sqrt(v) + h["epsilon"]))


def amsgrad(t, h, w, g, slots):
    """w <- w - rate m^ / (sqrt v^ + epsilon) with v^ = max of all v so far / (1 - beta2^t), the
    rest as in Adam"""
    m, v = moments(h, g, slots)
    slots[2] = max(slots[2], v)
    return w - h["learning_rate"] / (1 - h["beta1"] ** t) * (m / unbiased_root(t, h, slots[2]))


def adamw(t, h, w, g, slots):
    """w <- w - rate weight_decay w, then Adam"""
    return adam(t, h, w * (1 - h["learning_rate"] * h["weight_decay"]), g, slots)


def nadam_mu(h, t):
    """mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)"""
    return h["beta1"] * (1 - 0.5 * 0.96 ** (t * h["momentum_decay"]))


def nadam(t, h, w, g, slots):
    """m^ = mu_(t+1) m / (1 - mu_1 ... mu_(t+1)) + (1 - mu_t) g / (1 - mu_1 ... mu_t);  else as
    Adam"""
    m, v = moments(h, g, slots)
    mu, after, product = nadam_mu(h, t), nadam_mu(h, t + 1), h["mu_product"]
    ahead = after / (1 - product * after) * m + (1 - mu) / (1 - product) * g
    return w - h["learning_rate"] * ahead / unbiased_root(t, h, v)


def rprop(t, h, w, g, slots):
    """size <- min(step_max, eta_plus size) where g g_before > 0;  w <- w - sign(g) size

    Where g g_before < 0: size <- max(step_min, eta_minus size), g <- 0, and so no step.
    """
    before, size = slots[0], h["learning_rate"] if t == 1 else slots[1]
    if g * before > 0:
        size = min(h["step_max"], size * h["eta_plus"])
    elif g * before < 0:
        size, g = max(h["step_min"], size * h["eta_minus"]), 0.0
    slots[0], slots[1] = g, size
    return w - math.copysign(size, g) if g else w


#: name: (step, number of slots)
OPTIMIZERS = {
    "sgd": (sgd, 1), "adagrad": (adagrad, 1), "adadelta": (adadelta, 2), "rmsprop": (rmsprop, 2), "adam": (adam, 2),
    "adam_hat": (adam_hat, 2), "amsgrad": (amsgrad, 3), "adamw": (adamw, 2), "nadam": (nadam, 2), "rprop": (rprop, 2),
}  # fmt: skip


# Regularisation


def penalty(W, l1, l2):
    """l1 sum |w| + l2 / 2 sum w^2"""
    return sum(l1 * abs(w) + l2 / 2 * w * w for W_j in W for w in W_j)


def add_penalty_gradient(W, dW, l1, l2):
    """dW <- dW + l1 sign(W) + l2 W"""
    for W_j, dW_j in zip(W, dW):
        for k, w in enumerate(W_j):
            dW_j[k] += (math.copysign(l1, w) if w else 0.0) + l2 * w


def shorten(vector, longest):
    """x <- x min(1, longest / |x|)"""
    length = math.sqrt(sum(x * x for x in vector))
    return [x * (longest / length) for x in vector] if length > longest else vector


# The run

#: What a mini-batch left behind in one layer: its inputs, z, a and delta, all lists of rows; slopes
#: of the dropout of its inputs or None.
Pass = namedtuple("Pass", "inputs slopes z a delta")


class ListVectors:
    """Vectors for L-BFGS: flat lists."""

    copy = staticmethod(list)

    @staticmethod
    def assign(x, y):
        """y <- x"""
        y[:] = x

    @staticmethod
    def dot(x, y):
        """sum_i x_i y_i"""
        total = 0.0
        for x_i, y_i in zip(x, y):
            total += x_i * y_i
        return total

    @staticmethod
    def add_scaled(factor, x, y):
        """y <- y + factor x"""
        for i, x_i in enumerate(x):
            y[i] += factor * x_i

    @staticmethod
    def scale(factor, x):
        """x <- factor x"""
        for i in range(len(x)):
            x[i] *= factor

    @staticmethod
    def largest(x):
        return max(abs(x_i) for x_i in x)

    @staticmethod
    def sum_of_sizes(x):
        return math.fsum(abs(x_i) for x_i in x)


def layers_of(parameters, widths):
    """(W, b) of each layer, from the flat vector W^1 row by row, b^1, W^2, ..."""
    layers, at = [], 0
    for n_in, n_out in zip(widths, widths[1:]):
        W = [parameters[at + j * n_in : at + (j + 1) * n_in] for j in range(n_out)]
        at += n_out * n_in
        layers.append((W, parameters[at : at + n_out]))
        at += n_out
    return layers


def flat(layers):
    """The flat vector of `layers_of`."""
    return [number for W, b in layers for part in (*W, b) for number in part]


class Training:
    """A run as `_trainer.Trainer` has it, on lists.

    Parameters
    ----------
    network : Network
        Where the run begins, and where each epoch leaves its parameters, rounded to the network's
        dtype.
    loss : str
    capacity : int
        Rows of a mini-batch.
    alpha : float or None
        The loss's number.
    l1, l2, dropout
        As `_backprop.Backprop` takes them.
    optimizer, settings, seed, clip_norm, max_norm, multilabel
        As `_trainer.Trainer` takes them.
    """

    def __init__(
        self,
        network,
        loss,
        capacity,
        alpha=None,
        l1=0.0,
        l2=0.0,
        dropout=None,
        optimizer=None,
        settings=None,
        seed=0,
        clip_norm=0.0,
        max_norm=0.0,
        multilabel=False,
    ):
        from cnn_core import _losses

        self.network, self.loss, self.capacity, self.seed = network, loss, capacity, seed
        row = _losses.table()[loss]
        self.from_z, self.sparse, self.alpha = (
            bool(row.outputs),
            row.sparse,
            row.standard if alpha is None else alpha,
        )
        self.y_threshold = (
            (row.low + row.high) / 2 if math.isfinite(row.high) and not row.sparse else 0.5
        )
        self.l1, self.l2, self.dropout = l1, l2, dropout or (0.0,) * network.n_layers
        self.clip_norm, self.max_norm, self.multilabel = clip_norm, max_norm, multilabel
        self.parameters = network.flat().astype(float).tolist()
        self.gradient = [0.0] * len(self.parameters)
        self.optimizer, self.h = optimizer, dict(settings or {})
        slots = OPTIMIZERS[optimizer][1] if optimizer else 0
        self.slots = [[0.0] * slots for _ in self.parameters]
        self.steps = self.epochs = 0
        self.seconds, self.passes = {}, None
        self._lists = {}

    @property
    def learning_rate(self):
        return self.h.get("learning_rate")

    def set_flat(self, values):
        """Set all parameters from a vector in the order of `Network.flat`."""
        self.parameters = np.asarray(values, float).tolist()

    def flat_gradient(self):
        """The gradient of the last mini-batch in that order."""
        return np.array(self.gradient)

    def state(self, copy=True):
        return {
            "optimizer": self.optimizer,
            "epochs": self.epochs,
            "steps": self.steps,
            "numbers": dict(self.h),
            "slots": [list(slots) for slots in self.slots],
        }

    def restore(self, state):
        self.epochs, self.steps = state["epochs"], state["steps"]
        self.h = state["numbers"] | self.h
        self.slots = [list(slots) for slots in state["slots"]]

    # One mini-batch

    def layers(self):
        """(W, b) of each layer."""
        return layers_of(self.parameters, self.network.widths)

    def forward(self, layers, batch, dropping=False):
        """z^l = W^l a^(l-1) + b^l and a^l = f(z^l), row by row; a list of Pass without deltas."""
        network, passes = self.network, []
        for l, (W, b) in enumerate(layers):
            slopes = None
            if dropping and self.dropout[l]:
                selu_below = l > 0 and network.activations[l - 1] == "selu"
                pairs = [
                    drop(a, self.dropout[l], selu_below, self.seed, self.steps, l, r)
                    for r, a in enumerate(batch)
                ]
                batch, slopes = [kept for kept, _ in pairs], [slope for _, slope in pairs]
            z = [affine(W, b, a) for a in batch]
            a = [activate(network.activations[l], network.alphas[l], z_r) for z_r in z]
            passes.append(Pass(batch, slopes, z, a, None))
            batch = a
        return passes

    def costs(self, last, targets):
        """(C, the error it sends back) of each row: dC/dz for losses that take the activation in,
        else dC/da."""
        loss = LOSSES[self.loss]
        return [
            loss(out, y, self.alpha) for out, y in zip(last.z if self.from_z else last.a, targets)
        ]

    def output_delta(self, last, errors, shares):
        """delta^L = dC/da^L * f'(z^L), each row times its share of the mini-batch"""
        activation, alpha = self.network.activations[-1], self.network.alphas[-1]
        scaled = [[e * share for e in error] for error, share in zip(errors, shares)]
        if self.from_z:
            return scaled
        return [
            through_activation(activation, alpha, z, a, g)
            for z, a, g in zip(last.z, last.a, scaled)
        ]

    def hidden_delta(self, l, here, W_above, slopes, delta_above):
        """delta^l = ((W^(l+1))^T delta^(l+1)) * f'(z^l), through the dropout between the layers if
        there is any"""
        errors = [error_below(W_above, delta) for delta in delta_above]
        if slopes:
            errors = [
                [g * slope for g, slope in zip(error, row)] for error, row in zip(errors, slopes)
            ]
        activation, alpha = self.network.activations[l], self.network.alphas[l]
        return [
            through_activation(activation, alpha, z, a, g)
            for z, a, g in zip(here.z, here.a, errors)
        ]

    def backward(self, layers, passes, errors, shares):
        """The delta recursion, from the last layer down."""
        deltas = [self.output_delta(passes[-1], errors, shares)]
        for l in range(len(passes) - 2, -1, -1):
            deltas.insert(
                0,
                self.hidden_delta(l, passes[l], layers[l + 1][0], passes[l + 1].slopes, deltas[0]),
            )
        return [one._replace(delta=delta) for one, delta in zip(passes, deltas)]

    def learn(self, batch, targets, weights, dropping):
        """Forward, backward and the gradient of one mini-batch, averaged, with that of the penalty.

        Returns
        -------
        passes : list of Pass
        costs : list of float
        weight, penalties : float
        """
        weight = sum(weights)
        shares = [w / weight if weight > 0 else 0.0 for w in weights]
        layers = self.layers()
        passes = self.forward(layers, batch, dropping)
        costs = self.costs(passes[-1], targets)
        passes = self.backward(layers, passes, [error for _, error in costs], shares)
        gradients, penalties = [], 0.0
        for (W, _), one in zip(layers, passes):
            dW = weight_gradient(one.delta, one.inputs)
            penalties += penalty(W, self.l1, self.l2)
            add_penalty_gradient(W, dW, self.l1, self.l2)
            gradients.append((dW, bias_gradient(one.delta)))
        self.gradient = flat(gradients)
        return passes, [cost for cost, _ in costs], weight, penalties

    def update(self):
        """W <- W - rate dW, b <- b - rate db and its refinements: all parameters together."""
        if self.clip_norm:
            self.gradient = shorten(self.gradient, self.clip_norm)
        self.steps += 1
        if self.optimizer == "nadam":  # mu_1 ... mu_t
            self.h["mu_product"] = (1.0 if self.steps == 1 else self.h["mu_product"]) * nadam_mu(
                self.h, self.steps
            )
        step_of = OPTIMIZERS[self.optimizer][0]
        self.parameters = [
            step_of(self.steps, self.h, w, g, slots)
            for w, g, slots in zip(self.parameters, self.gradient, self.slots)
        ]
        if self.max_norm:
            self.parameters = flat(
                [([shorten(W_j, self.max_norm) for W_j in W], b) for W, b in self.layers()]
            )

    # Epochs

    def epoch(self, X, y, labels, shuffled=True, weights=None, rates=None):
        """Every row once, in mini-batches; returns (loss, metric) as `_trainer.Trainer.epoch`
        does."""
        rows, targets, classes, weigh = self._as_lists(X, y, labels, weights)
        order = range(len(rows))
        if shuffled and len(rows) > self.capacity:
            order = permutation(self.seed, self.epochs, len(rows))
        total = weight = 0.0
        measured = self._nothing_measured()
        for number, first in enumerate(range(0, len(rows), self.capacity)):
            chosen = order[first : first + self.capacity]
            batch, wanted = [rows[i] for i in chosen], [targets[i] for i in chosen]
            heavy = [weigh[i] for i in chosen]
            passes, costs, batch_weight, penalties = self.learn(batch, wanted, heavy, dropping=True)
            for cost, w in zip(costs, heavy):
                total += w * cost
            total += batch_weight * penalties
            weight += batch_weight
            self._measure(
                measured,
                passes[-1],
                wanted,
                classes and [classes[i] for i in chosen],
                in_training=True,
            )
            if rates is not None:
                self.h["learning_rate"] = float(rates[number])
            self.update()
        self.epochs += 1
        self.publish()
        return self._result(total, weight, measured, len(rows))

    def loss_and_gradient(self, X, y, labels, weights=None):
        """One pass over all rows without dropout and without a step; the gradient stands in
        `gradient`."""
        rows, targets, classes, weigh = self._as_lists(X, y, labels, weights)
        passes, costs, weight, penalties = self.learn(rows, targets, weigh, dropping=False)
        self.passes = passes
        total = 0.0
        for cost, w in zip(costs, weigh):
            total += w * cost
        measured = self._nothing_measured()
        self._measure(measured, passes[-1], targets, classes, in_training=True)
        self.publish()
        return self._result(total + weight * penalties, weight, measured, len(rows))

    def evaluate(self, X, y, labels):
        """Mean cost and metric of rows that are not trained on."""
        rows, targets, classes, _ = self._as_lists(X, y, labels, None)
        last = self.forward(self.layers(), rows)[-1]
        total = 0.0
        for cost, _ in self.costs(last, targets):
            total += cost
        measured = self._nothing_measured()
        self._measure(measured, last, targets, classes, in_training=False)
        return self._result(total, len(rows), measured, len(rows))

    def publish(self):
        """Leave the parameters in the network, rounded to its dtype."""
        with np.errstate(over="ignore"):
            self.network.set_flat(np.array(self.parameters))

    def _as_lists(self, X, y, labels, weights):
        """(inputs, targets, class indices or None, weights) as lists, made once for each source of
        rows."""

        def listed(source):
            if (
                id(source) not in self._lists
            ):  # the source is kept with its list, so the id stays its own
                self._lists[id(source)] = source, source.rows().astype(float).tolist()
            return self._lists[id(source)][1]

        classes = None if labels is None else [int(row[0]) for row in listed(labels)]
        targets = classes if self.sparse else listed(y)
        return (
            listed(X),
            targets,
            classes,
            [1.0] * X.count if weights is None else [row[0] for row in listed(weights)],
        )

    # What is reported beside the loss

    def _nothing_measured(self):
        return {"hits": 0, "classes": False, "residuals": [0.0] * self.network.widths[-1]}

    def _measure(self, measured, last, targets, classes, in_training):
        """Add the rows that are right, or the squared residuals of each output."""
        logits = self.from_z and in_training and (classes is not None or self.multilabel)
        outputs = last.z if logits else last.a
        threshold = 0.0 if logits else self.y_threshold
        measured["classes"] = classes is not None
        if classes is not None:
            for out, label in zip(outputs, classes):
                winner = int(out[0] > threshold) if len(out) == 1 else out.index(max(out))
                measured["hits"] += winner == label
        elif self.multilabel:
            for out, y in zip(outputs, targets):
                measured["hits"] += all(
                    (o > threshold) == (t > self.y_threshold) for o, t in zip(out, y)
                )
        else:
            for out, y in zip(outputs, targets):
                for j, (o, t) in enumerate(zip(out, y)):
                    measured["residuals"][j] += (o - t) * (o - t)

    def _result(self, total, weight, measured, rows):
        counted = measured["classes"] or self.multilabel
        return total / weight, measured["hits"] / rows if counted else np.array(
            measured["residuals"]
        )


def predict(network, X):
    """The outputs a^L for every row of X, as `_predict.BatchPredictor.forward` gives them."""
    layers = layers_of(network.flat().astype(float).tolist(), network.widths)
    outputs = []
    for a in X.astype(float).tolist():
        for (W, b), activation, alpha in zip(layers, network.activations, network.alphas):
            a = activate(activation, alpha, affine(W, b, a))
        outputs.append(a)
    return np.array(outputs, network.dtype).reshape(len(X), network.widths[-1])
