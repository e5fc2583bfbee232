"""Losses: the cost of one row and the error it sends back.

`out` is a, or z of the last layer for the losses that take the output activation in
(`cnn_core.functional.loss_table` says which); y is a row of targets, or a class index; param is the
number that some losses take, or their quantiles.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from cnn_core.reference.activations import exp, gated, relu, sigmoid, softplus, step
from cnn_core.reference.vectors import Row, lane_sum

#: The part of one output.
Term: TypeAlias = Callable[[float, float, float], float]
#: The targets of a row are a Row, or an int for a sparse loss.
Loss: TypeAlias = Callable[[Row, Any, Any], tuple[float, Row]]


def summed(cost: Term, slope: Term) -> Loss:
    """A loss that is a sum over the outputs."""

    def loss(out: Row, y: Row, loss_param: float) -> tuple[float, Row]:
        return (
            lane_sum(cost(o, t, loss_param) for o, t in zip(out, y)),
            [slope(o, t, loss_param) for o, t in zip(out, y)],
        )

    return loss


def mse(a: float, y: float, param: float) -> float:
    """C = (a - y)^2 / 2, so that dC/da = a - y"""
    return (a - y) * (a - y) * 0.5


def huber(a: float, y: float, delta: float) -> float:
    """Huber 1964: ``e^2 / 2`` up to delta, ``delta (|e| - delta / 2)`` beyond"""
    e = abs(a - y)
    return delta * (e - 0.5 * delta) if e > delta else e * e * 0.5


def binary_crossentropy(z: float, y: float, param: float) -> float:
    """``C = -y log s - (1 - y) log(1 - s)`` with ``s = sigmoid(z)``; as ``|z|`` on the wrong side
    of 0, plus ``log(1 + e^-|z|)``"""
    return gated(abs(z), 1 - y if z > 0 else y) + math.log1p(exp(-abs(z)))


def poisson(z: float, y: float, param: float) -> float:
    """C = e^z - y z: the negative log-likelihood of a count y with mean e^z, without its
    constant"""
    return exp(z) - gated(z, y)


def perceptron(z: float, y: float, param: float) -> float:
    """C = max(0, z) - y z, whose slope is Rosenblatt's delta = step(z) - y"""
    return relu(z) - gated(z, y)


def categorical_crossentropy(z: Row, y: Row, param: float) -> tuple[float, Row]:
    """C = -sum_j y_j log p_j with p = softmax(z) and log p_j = z_j - top - log sum_k e^(z_k - top);
    dC/dz_j = p_j - y_j"""
    top = max(z)
    total = lane_sum(exp(z_j - top) for z_j in z)
    sum_y = lane_sum(y)
    cost = sum_y * math.log(total) - lane_sum(gated(z_j - top, y_j) for z_j, y_j in zip(z, y))
    return cost, [exp(z_j - top) / total * sum_y - y_j for z_j, y_j in zip(z, y)]


def sparse_categorical_crossentropy(z: Row, label: int, param: float) -> tuple[float, Row]:
    """The same for a class index: C = -log p_label"""
    top = max(z)
    total = lane_sum(exp(z_j - top) for z_j in z)
    return math.log(total) - (z[label] - top), [
        exp(z_j - top) / total - (j == label) for j, z_j in enumerate(z)
    ]


def of_targets(of_target: Callable[[Row, float, Any], tuple[float, Row]]) -> Loss:
    """A loss of several outputs a target, its heads, that is a sum over the targets: output h of
    target t is number h * len(y) + t."""

    def loss(z: Row, y: Row, loss_param: Any) -> tuple[float, Row]:
        found = [of_target(z[t :: len(y)], y_t, loss_param) for t, y_t in enumerate(y)]
        heads = zip(*(slopes for _, slopes in found))
        return sum(cost for cost, _ in found), [slope for head in heads for slope in head]

    return loss


def pinball(q: float, y: float, tau: float) -> tuple[float, float]:
    """Koenker & Bassett 1978: tau e for e = y - q above 0, (tau - 1) e below; and its slope"""
    e = y - q
    return (tau if e > 0 else tau - 1) * e, -tau if e > 0 else 1 - tau if e < 0 else 0.0


def quantiles_of(z: Row, taus: Sequence[float]) -> Row:
    """The quantiles that the outputs of one target mean: first the middle one, then from each of
    the others the step softplus(z) to the next that is nearer to it."""
    middle = middle_of(taus)
    q = [0.0] * len(taus)
    q[middle] = z[0]
    for k in range(middle + 1, len(taus)):
        q[k] = q[k - 1] + softplus(z[k])
    for k in range(middle - 1, -1, -1):
        q[k] = q[k + 1] - softplus(z[k + 1])
    return q


def middle_of(taus: Sequence[float]) -> int:
    """Which of the quantiles is the median; a single one stands for it."""
    return taus.index(0.5) if len(taus) > 1 else 0


def pinball_of_target(z: Row, y: float, taus: Sequence[float]) -> tuple[float, Row]:
    """The sum over the quantiles. A step moves all quantiles beyond it, so that its slope is the
    sum of theirs, times softplus' = sigmoid; the middle one moves all."""
    middle = middle_of(taus)
    found = [pinball(q, y, tau) for q, tau in zip(quantiles_of(z, taus), taus)]
    slopes = [slope for _, slope in found]
    below = [-sum(slopes[: k + 1]) * sigmoid(z[k + 1]) for k in range(middle)]
    above = [sum(slopes[k:]) * sigmoid(z[k]) for k in range(middle + 1, len(taus))]
    return sum(cost for cost, _ in found), [sum(slopes), *below, *above]


#: Of targets as the network learns them.
SMALLEST_VARIANCE = 1e-6


def gaussian_nll_of_target(z: Row, y: float, beta: float) -> tuple[float, Row]:
    """Nix & Weigend 1994: C = (log v + (y - m)^2 / v) / 2 for the mean m = z_1 and the variance v =
    softplus(z_2) + SMALLEST_VARIANCE; slopes times v^beta, as Seitzer et al. 2022"""
    v, e = softplus(z[1]) + SMALLEST_VARIANCE, z[0] - y
    share, weight = e / v, math.exp(beta * math.log(v))
    by_v = 0.5 * (1 / v - share * share)
    return 0.5 * (math.log(v) + e * share), [share * weight, by_v * sigmoid(z[1]) * weight]


LOSSES: dict[str, Loss] = {
    "mse": summed(mse, lambda a, y, param: a - y),
    "mae": summed(
        lambda a, y, param: abs(a - y),
        lambda a, y, param: 0.0 if a == y else -1.0 if a < y else 1.0,
    ),
    "huber": summed(huber, lambda a, y, delta: max(-delta, min(delta, a - y))),
    "binary_crossentropy": summed(binary_crossentropy, lambda z, y, param: sigmoid(z) - y),
    "categorical_crossentropy": categorical_crossentropy,
    "sparse_categorical_crossentropy": sparse_categorical_crossentropy,
    "poisson": summed(poisson, lambda z, y, param: exp(z) - y),
    "hinge": summed(
        lambda a, y, param: max(0.0, 1 - y * a), lambda a, y, param: 0.0 if y * a >= 1 else -y
    ),
    "perceptron": summed(perceptron, lambda z, y, param: step(z) - y),
    "pinball": of_targets(pinball_of_target),
    "gaussian_nll": of_targets(gaussian_nll_of_target),
}


# The same as functions of the outputs a, as they are printed in textbooks


def log(x: float) -> float:
    """log x, infinite where Python's own raises."""
    return math.log(x) if x > 0 else -math.inf


def over(y: float, a: float) -> float:
    """y / a, where 0 / 0 is 0"""
    return y / a if a else math.copysign(math.inf, y) if y else 0.0


def binary_cost(a: float, y: float, loss_param: float) -> float:
    """C = -y log a - (1 - y) log(1 - a)"""
    return -gated(log(a), y) - gated(log(1 - a), 1 - y)


def binary_slope(a: float, y: float, loss_param: float) -> float:
    """dC/da = (1 - y) / (1 - a) - y / a"""
    return over(1 - y, 1 - a) - over(y, a)


def categorical_cost(a: float, y: float, loss_param: float) -> float:
    """C = -y log a of each class"""
    return -gated(log(a), y)


def categorical_slope(a: float, y: float, loss_param: float) -> float:
    """dC/da = -y / a"""
    return -over(y, a)


def poisson_cost(a: float, y: float, loss_param: float) -> float:
    """C = a - y log a"""
    return a - gated(log(a), y)


def sparse_categorical_from_a(a: Row, label: int, loss_param: float) -> tuple[float, Row]:
    """The same as of the one-hot row of a class index."""
    one_hot = [float(j == label) for j in range(len(a))]
    return LOSSES_FROM_A["categorical_crossentropy"](a, one_hot, loss_param)


#: (C, dC/da) from a. The perceptron's cost depends on z.
LOSSES_FROM_A: dict[str, Loss] = {
    **{name: LOSSES[name] for name in ("mse", "mae", "huber", "hinge", "pinball", "gaussian_nll")},
    "binary_crossentropy": summed(binary_cost, binary_slope),
    "categorical_crossentropy": summed(categorical_cost, categorical_slope),
    "sparse_categorical_crossentropy": sparse_categorical_from_a,
    "poisson": summed(poisson_cost, lambda a, y, loss_param: 1 - over(y, a)),
}


def output_error(name: str, a: Row, y: Any, loss_param: Any) -> Row:
    """dC/da of a row; NaN for the perceptron, whose slope is not that of a step."""
    if name not in LOSSES_FROM_A:
        return [math.nan for _ in a]
    return LOSSES_FROM_A[name](a, y, loss_param)[1]
