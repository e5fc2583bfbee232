"""The sum of the gradients of all ranks, along the tree over shards: the bits of one process.

A library's own sum, such as MPI_SUM, adds in an order of its own. Here ranks exchange parts of
their gradients and add them, with one rounding each, in the order of the tree; nothing is added
anywhere else.
"""

from __future__ import annotations

import numpy as np

from cnn_core._linalg import axpy
from cnn_core.distributed.ranks import Ranks
from cnn_core.distributed.tree import Tree

#: Bytes of a gradient up to which whole ones are exchanged: fewer messages, more of each.
WHOLE = 1 << 14
_LANES = 16  # parts begin at multiples of it


class Exchange:
    """The exchange of gradients of one size.

    Ranks whose number is a power of two, with shards alike, halve what they exchange from step to
    step, and then put the parts together in the other order: recursive halving and doubling
    (Thakur, Rabenseifner & Gropp 2005, "Optimization of collective communication operations in
    MPICH", section 4.5). Others share the parameters evenly; each adds up its part of all
    nodes, and then gives it to the others. Both move 2 P (R - 1) / R numbers a rank.

    Parameters
    ----------
    ranks : Ranks
    tree : Tree
    n : int
        Numbers of a gradient.
    dtype : dtype
    """

    def __init__(self, ranks: Ranks, tree: Tree, n: int, dtype: np.dtype) -> None:
        self.ranks, self.tree, self.n = ranks, tree, n
        self.halves = tree.is_even
        self.whole = n * dtype.itemsize <= WHOLE
        own = len(tree.nodes[ranks.rank])
        #: A gradient for each node, where there is not just one that stands at its place.
        self.nodes = np.empty((0 if self.halves else own, n), dtype)
        if self.halves:
            self._received = np.empty(n if self.whole else -(-n // 2) + _LANES, dtype)
            return
        self._cuts = [_rounded(n * r // ranks.size, n) for r in range(ranks.size)] + [n]
        begin, end = self._cuts[ranks.rank : ranks.rank + 2]
        self._parts = [np.empty((len(nodes), end - begin), dtype) for nodes in tree.nodes]

    def sum(self, gradient: np.ndarray) -> None:
        """Have the sum of all nodes be in `gradient`, shape (n,): this rank's are there, or, where
        it has other than one, in `nodes`."""
        if self.ranks.size == 1:
            return
        if not self.halves:
            self._add_parts(gradient)
        elif self.whole:
            self._double(gradient)
        else:
            self._halve(gradient)

    def _double(self, gradient: np.ndarray) -> None:
        rank, distance = self.ranks.rank, 1
        while distance < self.ranks.size:
            other = rank ^ distance
            self.ranks.exchange(gradient, other, self._received, other)
            axpy(1.0, self._received, gradient)
            distance *= 2

    def _halve(self, gradient: np.ndarray) -> None:
        rank, distance = self.ranks.rank, 1
        low, high = 0, self.n
        before = []
        while distance < self.ranks.size:
            other, middle = rank ^ distance, _rounded((low + high) // 2, high)
            before.append((low, high))
            keeps, gives = ((low, middle), (middle, high))[:: -1 if rank & distance else 1]
            low, high = keeps
            received = self._received[: high - low]
            self.ranks.exchange(gradient[slice(*gives)], other, received, other)
            axpy(1.0, received, gradient[low:high])
            distance *= 2
        while before:
            distance //= 2
            other, (first, last) = rank ^ distance, before.pop()
            rest = gradient[high:last] if low == first else gradient[first:low]
            self.ranks.exchange(gradient[low:high], other, rest, other)
            low, high = first, last

    def _add_parts(self, gradient: np.ndarray) -> None:
        ranks, nodes, cuts = self.ranks, self.nodes, self._cuts
        begin, end = cuts[ranks.rank : ranks.rank + 2]
        self._parts[ranks.rank][:] = nodes[:, begin:end]
        for to, origin in self._others():
            send = np.ascontiguousarray(nodes[:, cuts[to] : cuts[to + 1]])
            into = self._parts[origin]
            ranks.exchange(_unless_empty(send), to, _unless_empty(into), origin)
        sums = [part for parts in self._parts for part in parts]
        for number, other in self.tree.additions:
            axpy(1.0, sums[other], sums[number])
        gradient[begin:end] = sums[0]
        for to, origin in self._others():
            into = gradient[cuts[origin] : cuts[origin + 1]]
            ranks.exchange(_unless_empty(gradient[begin:end]), to, _unless_empty(into), origin)

    def _others(self) -> list[tuple[int, int]]:
        """To whom this rank sends, and from whom it receives at the same time."""
        rank, size = self.ranks.rank, self.ranks.size
        return [((rank + d) % size, (rank - d) % size) for d in range(1, size)]


def _rounded(number: int, most: int) -> int:
    return min(-(-number // _LANES) * _LANES, most)


def _unless_empty(array: np.ndarray) -> np.ndarray | None:
    return array if array.size else None
