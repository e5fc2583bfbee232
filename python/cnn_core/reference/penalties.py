"""Penalties on the weights, and limits of norms."""

import math

from cnn_core.reference.vectors import Matrix, Row, running_sum

UNIT = 2.0**600  #: of vectors whose squares overflow


def penalty(W: Matrix, l1: float, l2: float) -> float:
    """``l1 sum |w| + l2 / 2 sum w^2``"""
    return running_sum(l1 * abs(w) + l2 / 2 * w * w for W_j in W for w in W_j)


def add_penalty_gradient(W: Matrix, dW: Matrix, l1: float, l2: float) -> None:
    """dW <- dW + l1 sign(W) + l2 W"""
    for W_j, dW_j in zip(W, dW):
        for k, w in enumerate(W_j):
            dW_j[k] += (math.copysign(l1, w) if w else 0.0) + l2 * w


def shorten(vector: Row, longest: float) -> Row:
    """``x <- x min(1, longest / |x|)``"""
    length = math.sqrt(running_sum(x * x for x in vector))
    if math.isinf(length):  # the squares overflow
        length = UNIT * math.sqrt(running_sum((x / UNIT) * (x / UNIT) for x in vector))
    return [x * (longest / length) for x in vector] if length > longest else vector
