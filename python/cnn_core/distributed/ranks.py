"""`Ranks`: the processes that share a training, and what they can say to each other."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from cnn_core.distributed.opening import Opened

_Value = TypeVar("_Value")


class Ranks(ABC):
    """The processes that share a training; each has a rank, from 0 on.

    All of them call the same methods in the same order. What a subclass moves it does not add up:
    sums are made along the tree over shards, by `distributed.exchange`.

    Attributes
    ----------
    rank, size : int
        The number of this process, and how many there are.
    share : Fraction
        The part that this process has of the processors that it may use: all of them where it is
        bound to its own, a quarter where four processes on a machine may use the same ones.
    """

    rank: int
    size: int
    share: Fraction

    @property
    def first(self) -> bool:
        """Whether this is the rank that prints and writes files."""
        return self.rank == 0

    @abstractmethod
    def gather(self, value: _Value) -> list[_Value]:
        """What each rank gives, in their order; any object that can be pickled."""

    @abstractmethod
    def exchange(
        self, send: np.ndarray | None, to: int, into: np.ndarray | None, origin: int
    ) -> None:
        """Send an array to a rank and receive one from a rank at the same time.

        Parameters
        ----------
        send, into : ndarray or None
            C-contiguous; `into` is written to. None: nothing is sent, or received.
        to, origin : int
        """

    def barrier(self) -> None:
        """Wait for all ranks."""
        self.gather(None)

    def first_says(self, value: _Value) -> _Value:
        """What the first rank gives."""
        return self.gather(value if self.first else None)[0]  # type: ignore[return-value]

    def any(self, flag: bool) -> bool:
        """Whether one of them says so."""
        return any(self.gather(bool(flag)))

    def clock(self) -> float:
        """The time of the first rank, as `time.perf_counter` has it."""
        return self.first_says(time.perf_counter())

    def open(self, *files: Any, target: str | None = None) -> Opened:
        """The rows of some files, of which each rank reads its own; see `distributed.opening`.

        Parameters
        ----------
        files : path-like
            ``.npy`` files: one for each array that is wanted, or a pattern such as ``'X-*.npy'``
            for one in several files; they become memory maps. Or, with `target`, Parquet files.
        target : str, optional
            The column to predict of Parquet files.

        Returns
        -------
        Shared, tuple of Shared, or (table, ndarray)
            For `MLP.fit` with ``ranks=``: X and y.
        """
        from cnn_core.distributed.opening import open_files

        return open_files(self, files, target)


def share_of(own: frozenset[int], of_all: Sequence[frozenset[int]]) -> Fraction:
    """The part that a process has of its processors, of which others on the machine may use some.

    Parameters
    ----------
    own : frozenset of int
        Numbers of processors.
    of_all : sequence of frozenset
        Those of all processes on the machine, this one among them.
    """
    users = Counter(number for one in of_all for number in one)
    return sum((Fraction(1, users[number]) for number in own), Fraction()) / len(own)


def check_ranks(ranks: Any, shards: int) -> None:
    """Raise for what are no ranks, and for shards that they cannot share."""
    if not isinstance(ranks, Ranks):
        raise TypeError(
            "ranks must be what `with cnn_core.distributed.mpi() as ranks` gives, got "
            f"{type(ranks).__name__}"
        )
    if shards < 2:
        raise ValueError(
            "ranks share the shards of the rows, and shards=1, the default, is one; give MLP("
            "shards=8), which up to 8 ranks share and whose result does not depend on how many"
        )
