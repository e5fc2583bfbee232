"""Periodic embeddings of numbers as they are shown: the parameters of a column, or gradients, and
what it sends back to the number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._functions import sines_of_turns
from cnn_core._linalg import matmul

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cnn_core._network import Network


class PeriodicColumn(NamedTuple):
    """What a number x becomes: e = V cos(2 pi w x + c) + d, beside x itself."""

    w: NDArray[Any]  #: (frequencies,)
    c: NDArray[Any]  #: (frequencies,): phases
    V: NDArray[Any]  #: (width, frequencies)
    d: NDArray[Any]  #: (width,)


def columns_of(parts: Sequence[NDArray[Any]]) -> tuple[PeriodicColumn, ...]:
    """Each column, from `Network.periodic_parameters`."""
    return tuple(PeriodicColumn(*one) for one in zip(*parts))


def add_input_errors(
    network: Network, x: NDArray[Any], delta: NDArray[Any], dx: NDArray[Any]
) -> None:
    """Add what the embeddings send back to their numbers: -2 pi sum_k w_k sin(2 pi w_k x + c_k)
    sum_j V_jk delta_j.

    Parameters
    ----------
    network : Network
    x : ndarray, shape (rows, n)
        The numbers, of all features or more.
    delta : ndarray, shape (rows, columns * width)
        dC/de, column after column.
    dx : ndarray, shape (rows, n)
        What is added to.
    """
    features, _, width = network.periodic or ((), 0, 0)
    for i, column in zip(range(len(features)), columns_of(network.periodic_parameters())):
        turns = np.outer(x[:, features[i]], column.w) + column.c / (2 * math.pi)
        back = matmul(np.ascontiguousarray(delta[:, i * width : (i + 1) * width]), column.V)
        g = -sines_of_turns(turns) * back
        dx[:, features[i]] += matmul(g, 2 * math.pi * column.w[:, None])[:, 0]
