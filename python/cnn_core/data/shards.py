"""Sums over rows in shards, as the native core adds them (cnn_core/_shards.pxd): a sum of the rows
of each, and then along the aligned binary tree over the shards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np

#: Where each shard begins, and the number of all rows.
Bounds: TypeAlias = Sequence[int] | np.ndarray


def shard_bounds(n: int, shards: int) -> list[int]:
    """Where n rows, as they stand, are cut."""
    return [n // shards * s + min(s, n % shards) for s in range(shards + 1)]


def kept_bounds(bounds: Bounds, kept: np.ndarray) -> np.ndarray:
    """The same of those rows for which `kept`, shape (rows,), is True."""
    before = np.concatenate(([0], np.cumsum(kept)))
    cut: np.ndarray = before[np.asarray(bounds)]
    return cut


def sum_of_shards(of_rows: Callable[[int, int], np.ndarray], bounds: Bounds) -> np.ndarray:
    """The sum over all rows.

    Parameters
    ----------
    of_rows : callable
        The sum over the rows from one number up to another; of no rows it is 0.
    bounds : sequence of int
    """
    sums = [of_rows(int(first), int(end)) for first, end in pairwise(bounds)]
    while len(sums) > 1:
        pairs = zip(sums[::2], sums[1::2])
        sums = [a + b for a, b in pairs] + sums[len(sums) & ~1 :]
    return sums[0]
