"""Vectors: sums in the native core's order, and the flat vector of all parameters."""

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import TypeAlias

#: A sample, or the outputs of a layer for it.
Row: TypeAlias = list[float]
#: A list of rows: a mini-batch, or W with a row for each neuron.
Matrix: TypeAlias = list[Row]
#: (W, b) of a layer.
Layer: TypeAlias = tuple[Matrix, Row]

LANES = 8  # partial sums of the native core in float64


def running_sum(values: Iterable[float]) -> float:
    """A sum in which one addition follows the other, as the native core's over rows. Python's own
    `sum` gives other bits from version 3.12 on, where it compensates for rounding."""
    total = 0.0
    for value in values:
        total += value
    return total


def tree_sum(rows: Sequence[Row]) -> Row:
    """The sum of rows, one of each shard, two neighbours at a time: of six
    ((0 + 1) + (2 + 3)) + (4 + 5)."""
    while len(rows) > 1:
        pairs = zip(rows[::2], rows[1::2])
        rows = [[a + b for a, b in zip(*pair)] for pair in pairs] + [*rows[len(rows) & ~1 :]]
    return rows[0]


def sum_of_shares(values: Row, shares: Sequence[slice]) -> float:
    """A sum over the rows of a mini-batch: of those of each shard, and then along the tree."""
    return tree_sum([[running_sum(values[share])] for share in shares])[0]


def shares_of(sizes: Iterable[int]) -> list[slice]:
    """Where rows stand that are so many of each shard."""
    ends = [*accumulate(sizes)]
    return [slice(first, end) for first, end in zip([0, *ends], ends)]


def lane_sum(values: Iterable[float]) -> float:
    """A sum as the native core adds up a row: LANES partial sums, which are then halved until one
    is left."""
    partial = [0.0] * LANES
    for j, value in enumerate(values):
        partial[j % LANES] += value
    while len(partial) > 1:
        half = len(partial) // 2
        partial = [partial[i] + partial[i + half] for i in range(half)]
    return partial[0]


def layers_of(parameters: Row, widths: Sequence[int], has_bias: bool = True) -> list[Layer]:
    """(W, b) of each layer, from the flat vector W^1 row by row, b^1, W^2, ..., which tables may
    follow; where it has no biases, b is 0."""
    layers, at = [], 0
    for n_in, n_out in pairwise(widths):
        W = [parameters[at + j * n_in : at + (j + 1) * n_in] for j in range(n_out)]
        at += n_out * n_in
        layers.append((W, parameters[at : at + n_out] if has_bias else [0.0] * n_out))
        at += n_out * has_bias
    return layers


def flat(layers: Iterable[Layer], has_bias: bool = True) -> Row:
    """The flat vector of `layers_of`."""
    parts = (part for W, b in layers for part in ((*W, b) if has_bias else W))
    return [number for part in parts for number in part]


class ListVectors:
    """Vectors for L-BFGS: flat lists."""

    @staticmethod
    def copy(x: Row) -> Row:
        """A new vector with the values of x."""
        return list(x)

    @staticmethod
    def assign(x: Row, y: Row) -> None:
        """y <- x"""
        y[:] = x

    @staticmethod
    def dot(x: Row, y: Row) -> float:
        """sum_i x_i y_i"""
        return running_sum(x_i * y_i for x_i, y_i in zip(x, y))

    @staticmethod
    def axpy(factor: float, x: Row, y: Row) -> None:
        """y <- y + factor x"""
        for i, x_i in enumerate(x):
            y[i] += factor * x_i

    @staticmethod
    def scale(factor: float, x: Row) -> None:
        """x <- factor x"""
        for i in range(len(x)):
            x[i] *= factor

    @staticmethod
    def infinity_norm(x: Row) -> float:
        """``max_i |x_i|``"""
        return max(abs(x_i) for x_i in x)

    @staticmethod
    def l1_norm(x: Row) -> float:
        """``sum_i |x_i|``, rounded once"""
        return math.fsum(abs(x_i) for x_i in x)
