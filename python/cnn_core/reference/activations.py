"""Activations: f(z) and f'(z), the derivative from z and a = f(z). param is the number that some
of them take."""

import math
from collections.abc import Callable
from typing import TypeAlias

from cnn_core.reference.vectors import Matrix, Row, lane_sum

Function: TypeAlias = Callable[[float, float], float]
Derivative: TypeAlias = Callable[[float, float, float], float]


def exp(x: float) -> float:
    """e^x, infinite where Python's own raises."""
    return math.exp(x) if x < 709.79 else math.inf if x >= 709.79 else math.nan


def expm1(x: float) -> float:
    """e^x - 1"""
    return math.expm1(x) if x < 709.79 else exp(x)


def sigmoid(z: float) -> float:
    """1 / (1 + e^-z)"""
    return 1 / (1 + exp(-z))


def sigmoid_bend(z: float) -> float:
    """``sigmoid(z) (1 - sigmoid(z)) = e^-|z| / (1 + e^-|z|)^2``, which loses nothing where sigmoid
    is near 1."""
    e = exp(-abs(z))
    return e / (1 + e) / (1 + e)


def normal_cdf(z: float) -> float:
    """Phi(z), the normal distribution: erfc(-z / sqrt 2) / 2."""
    return math.erfc(-z / math.sqrt(2)) / 2


def normal_density(z: float) -> float:
    """phi(z) = e^(-z^2 / 2) / sqrt(2 pi)"""
    return exp(-z * z / 2) / math.sqrt(2 * math.pi)


def softplus(z: float) -> float:
    """``log(1 + e^z) = max(0, z) + log(1 + e^-|z|)``"""
    return max(0.0, z) + math.log1p(exp(-abs(z)))


def gated(z: float, gate: float) -> float:
    """z times a gate, which is 0 where the gate is shut even for an infinite z."""
    return z * gate if gate else 0.0


def step(z: float) -> float:
    """Rosenblatt 1958: 1 above 0, else 0."""
    return 1.0 if z > 0 else 0.0 if z <= 0 else z


def sign(z: float) -> float:
    """1 above 0, else -1."""
    return 1.0 if z > 0 else -1.0 if z <= 0 else z


def relu(z: float) -> float:
    """max(0, z)"""
    return 0.0 if z <= 0 else z


def leaky_relu(z: float, negative_slope: float) -> float:
    """z above 0, else negative_slope z; Maas et al. 2013."""
    return z if not z <= 0 else negative_slope * z if negative_slope else 0.0


def elu(z: float, alpha: float) -> float:
    """z above 0, else alpha (e^z - 1); Clevert et al. 2016, eq. 15."""
    return z if not z <= 0 else alpha * math.expm1(z)


SELU_LAMBDA, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def selu(z: float) -> float:
    """lambda z above 0, else lambda alpha (e^z - 1); Klambauer et al. 2017, eq. 2 and 14."""
    return SELU_LAMBDA * z if not z <= 0 else SELU_LAMBDA * SELU_ALPHA * math.expm1(z)


def gelu_argument(z: float) -> float:
    """2u, for which (1 + tanh u) / 2 = sigmoid(2u); Hendrycks & Gimpel 2016."""
    return 2 * math.sqrt(2 / math.pi) * z * (1 + 0.044715 * z * z)


def gelu_tanh_slope(z: float) -> float:
    """s + z s (1 - s) d(2u)/dz with s = sigmoid(2u)"""
    bend = sigmoid_bend(gelu_argument(z))
    return sigmoid(gelu_argument(z)) + gated(
        z * 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z * z), bend
    )


def swish_slope(z: float) -> float:
    """s + z s (1 - s) with s = sigmoid(z); Elfwing et al. 2018."""
    return sigmoid(z) + gated(z, sigmoid_bend(z))


def mish_gate(z: float) -> float:
    """tanh(softplus(z)) = (w^2 - 1) / (w^2 + 1) with w = 1 + e^z; Misra 2020."""
    return math.tanh(softplus(z))


def mish_slope(z: float) -> float:
    """tanh(s) + z (1 - tanh(s)^2) sigmoid(z) with s = softplus(z); 1 - tanh(s)^2 = 4 e^-2s / (1 +
    e^-2s)^2."""
    e = exp(-2 * softplus(z))
    return mish_gate(z) + gated(z, sigmoid(z) * 4 * e / (1 + e) ** 2)


def hard_sigmoid(z: float) -> float:
    """min(1, max(0, z / 6 + 1 / 2))"""
    return 0.0 if z <= -3 else 1.0 if z >= 3 else z / 6 + 0.5


def hard_swish_slope(z: float) -> float:
    """0 up to -3, 1 from 3 on, z / 3 + 1 / 2 between; Howard et al. 2019."""
    return 0.0 if z <= -3 else 1.0 if z >= 3 else z / 3 + 0.5


#: name: (f(z, param), f'(z, a, param)). softmax is a function of the whole row and stands below.
ACTIVATIONS: dict[str, tuple[Function, Derivative]] = {
    "identity": (lambda z, param: z, lambda z, a, param: 1.0),
    "step": (lambda z, param: step(z), lambda z, a, param: 0.0),
    "sign": (lambda z, param: sign(z), lambda z, a, param: 0.0),
    "sigmoid": (lambda z, param: sigmoid(z), lambda z, a, param: a * (1 - a)),
    "tanh": (lambda z, param: math.tanh(z), lambda z, a, param: 1 - a * a),
    "relu": (lambda z, param: relu(z), lambda z, a, param: 0.0 if a <= 0 else 1.0),
    "leaky_relu": (leaky_relu, lambda z, a, param: param if a <= 0 else 1.0),
    "elu": (elu, lambda z, a, param: a + param if a <= 0 else 1.0),
    "selu": (lambda z, param: selu(z),
             lambda z, a, param: a + SELU_LAMBDA * SELU_ALPHA if a <= 0 else SELU_LAMBDA),
    "gelu": (lambda z, param: gated(z, normal_cdf(z)),
             lambda z, a, param: normal_cdf(z) + gated(z, normal_density(z))),
    "gelu_tanh": (lambda z, param: gated(z, sigmoid(gelu_argument(z))),
                  lambda z, a, param: gelu_tanh_slope(z)),
    "softplus": (lambda z, param: softplus(z), lambda z, a, param: -expm1(-a)),
    "swish": (lambda z, param: gated(z, sigmoid(z)), lambda z, a, param: swish_slope(z)),
    "mish": (lambda z, param: gated(z, mish_gate(z)), lambda z, a, param: mish_slope(z)),
    "hard_sigmoid": (lambda z, param: hard_sigmoid(z),
                     lambda z, a, param: 0.0 if a <= 0 or a >= 1 else 1 / 6),
    "hard_swish": (lambda z, param: gated(z, hard_sigmoid(z)),
                   lambda z, a, param: hard_swish_slope(z)),
    "exp": (lambda z, param: exp(z), lambda z, a, param: a),
}  # fmt: skip


#: Those whose f' cannot be written by a, as different z give the same a.
NEED_Z = ("gelu", "gelu_tanh", "swish", "mish", "hard_swish")


def softmax(z: Row) -> Row:
    """a_j = e^(z_j - top) / sum_k e^(z_k - top), with top the largest z"""
    top = max(z)
    e = [exp(z_j - top) for z_j in z]
    total = lane_sum(e)
    return [e_j / total for e_j in e]


def softmax_delta(a: Row, g: Row) -> Row:
    """dC/dz_j = a_j (g_j - sum_k g_k a_k) with g = dC/da: the product with the Jacobian a_j ([j =
    k] - a_k)"""
    mean = lane_sum(g_k * a_k for g_k, a_k in zip(g, a))
    return [a_j * (g_j - mean) for g_j, a_j in zip(g, a)]


def activate(name: str, activation_param: float, z: Row) -> Row:
    """a = f(z) for one row."""
    if name == "softmax":
        return softmax(z)
    f = ACTIVATIONS[name][0]
    return [f(z_j, activation_param) for z_j in z]


def through_activation(name: str, activation_param: float, z: Row, a: Row, g: Row) -> Row:
    """delta = g * f'(z) for one row, with g = dC/da."""
    if name == "softmax":
        return softmax_delta(a, g)
    f_prime = ACTIVATIONS[name][1]
    return [g_j * f_prime(z_j, a_j, activation_param) for g_j, z_j, a_j in zip(g, z, a)]


def derivative_from_a(name: str, activation_param: float, a: Row) -> Row | Matrix:
    """f' from a = f(z) for one row; of softmax the Jacobian a_i ([i = j] - a_j)"""
    if name in NEED_Z:
        raise ValueError(f"f' of {name!r} is no function of a, as different z give the same a")
    if name == "softmax":
        return [[a_i * ((i == j) - a_j) for j, a_j in enumerate(a)] for i, a_i in enumerate(a)]
    f_prime = ACTIVATIONS[name][1]
    return [f_prime(math.nan, a_j, activation_param) for a_j in a]
