"""Sums over rows in shards, as the native core adds them (cnn_core/_shards.pxd): a sum of the rows
of each, and then along the aligned binary tree over the shards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from cnn_core._dataset import RowSource

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


class Sliced(Protocol):
    """An array, or what reads rows of one when they are wanted."""

    def __getitem__(self, which: slice, /) -> np.ndarray: ...


class RowsAt:
    """Rows of an array by their numbers, of which those are read that are wanted."""

    def __init__(self, array: np.ndarray, numbers: np.ndarray) -> None:
        self.array, self.numbers = array, numbers

    def __getitem__(self, which: slice) -> np.ndarray:
        rows: np.ndarray = self.array[self.numbers[which]]
        return rows


def rows_of(source: RowSource) -> Sliced:
    """The rows of a source likewise."""
    return source.array if source.indices is None else RowsAt(source.array, source.indices)


class Cut(Protocol):
    """How all rows that something is learned from are cut, some of which may be elsewhere."""

    def count(self, rows: int) -> int:
        """Of all rows, of which so many are here."""

    def sum(self, of_rows: Callable[[int, int], np.ndarray]) -> np.ndarray:
        """The sum over all rows, see `sum_of_shards`."""

    def least(self, values: np.ndarray) -> np.ndarray:
        """The smallest numbers of all processes, each of which has an array of one shape."""

    def greatest(self, values: np.ndarray) -> np.ndarray:
        """The largest ones."""

    def every(self, rows: Sliced, step: int) -> np.ndarray:
        """Every step-th of all rows, where some are given."""

    def kept(self, kept: np.ndarray) -> Cut:
        """Of those rows alone for which `kept`, shape (rows,), is True."""


class CutHere:
    """Rows in shards, all of which are in this process.

    Parameters
    ----------
    bounds : sequence of int
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds

    def count(self, rows: int) -> int:
        return rows

    def sum(self, of_rows: Callable[[int, int], np.ndarray]) -> np.ndarray:
        return sum_of_shards(of_rows, self.bounds)

    def least(self, values: np.ndarray) -> np.ndarray:
        return values

    def greatest(self, values: np.ndarray) -> np.ndarray:
        return values

    def every(self, rows: Sliced, step: int) -> np.ndarray:
        return rows[::step]

    def kept(self, kept: np.ndarray) -> CutHere:
        return CutHere(kept_bounds(self.bounds, kept))


def cut(rows: int, shards: int | Cut) -> Cut:
    """How so many rows are cut that are here: into a number of shards, or as it is known."""
    return CutHere(shard_bounds(rows, shards)) if isinstance(shards, int) else shards
