"""Which rank has which shards, and the order in which sums over shards are added."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnn_core.data.shards import shard_bounds


class Tree:
    """The binary tree over shards (cnn_core/_shards.pxd), whose leaves are shared by ranks.

    Rank r of R has the shards from S r // R on, up to those of the next; with R > S some have none.

    Parameters
    ----------
    shards, ranks : int

    Attributes
    ----------
    nodes : list of list of (int, int)
        Of each rank the largest nodes of the tree that it has all shards of: the first shard, and
        the one after the last.
    additions : list of (int, int)
        How the sums of all nodes become that of all shards: sum i becomes i + j. The last result is
        sum 0.
    """

    def __init__(self, shards: int, ranks: int) -> None:
        self.shards, self.ranks = shards, ranks
        self.owned = [shards * r // ranks for r in range(ranks + 1)]
        self.nodes = [self._nodes(*self.shards_of(r)) for r in range(ranks)]
        self.additions: list[tuple[int, int]] = []
        numbers = {node: i for i, node in enumerate(self.all_nodes)}
        self._add(numbers, 0, 1 << (shards - 1).bit_length())

    @property
    def all_nodes(self) -> list[tuple[int, int]]:
        """Those of all ranks, in the order of the shards."""
        return [node for nodes in self.nodes for node in nodes]

    def shards_of(self, rank: int) -> tuple[int, int]:
        """The first shard of a rank, and the one after the last."""
        return self.owned[rank], self.owned[rank + 1]

    def rows_of(self, rows: int) -> list[int]:
        """Where the rows of each rank begin, of so many, and their number."""
        bounds = shard_bounds(rows, self.shards)
        return [bounds[shard] for shard in self.owned]

    @property
    def is_even(self) -> bool:
        """Whether the ranks are the leaves of a tree that halves alike: each has one node, all of
        one size, and their number is a power of two."""
        sizes = {end - first for first, end in self.all_nodes}
        alone = all(len(nodes) == 1 for nodes in self.nodes)
        return alone and len(sizes) == 1 and self.ranks & (self.ranks - 1) == 0

    def total(self, sums: Sequence[np.ndarray]) -> np.ndarray:
        """The sum of all nodes' arrays, which are written to."""
        for into, other in self.additions:
            sums[into][...] += sums[other]
        return sums[0]

    def _nodes(self, first: int, end: int) -> list[tuple[int, int]]:
        nodes = []
        while first < end:
            size = first & -first or 1 << self.shards.bit_length()
            while min(first + size, self.shards) > end:
                size //= 2
            last = min(first + size, self.shards)
            nodes.append((first, last))
            first = last
        return nodes

    def _add(self, numbers: dict[tuple[int, int], int], first: int, size: int) -> int:
        """Note the additions of the node of `size` shards that begins there; where its sum is."""
        number = numbers.get((first, min(first + size, self.shards)))
        if number is not None:
            return number
        left = self._add(numbers, first, size // 2)
        if first + size // 2 < self.shards:
            self.additions.append((left, self._add(numbers, first + size // 2, size // 2)))
        return left
