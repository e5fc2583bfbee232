"""Ranks that are threads of one process: for tests, and to see without MPI what ranks do."""

from __future__ import annotations

import pickle
import queue
import threading
from collections.abc import Callable
from contextvars import copy_context
from fractions import Fraction
from typing import TypeVar

import numpy as np

from cnn_core.distributed.ranks import Ranks

_Value = TypeVar("_Value")


class RankError(RuntimeError):
    """Another rank has failed, so what all of them do together cannot go on."""


class _Hub:
    """Where the ranks meet."""

    def __init__(self, size: int) -> None:
        self.size, self.values = size, [b""] * size
        self.barrier = threading.Barrier(size)
        self.arrays: dict[tuple[int, int], queue.SimpleQueue[np.ndarray]] = {
            (a, b): queue.SimpleQueue() for a in range(size) for b in range(size)
        }


class _Thread(Ranks):
    def __init__(self, hub: _Hub, rank: int) -> None:
        self._hub, self.rank, self.size = hub, rank, hub.size
        self.share = Fraction(1, hub.size)

    def gather(self, value: _Value) -> list[_Value]:
        self._hub.values[self.rank] = pickle.dumps(value)  # as MPI would: nobody changes it
        self._wait()
        values = list(self._hub.values)
        self._wait()
        return list(map(pickle.loads, values))

    def exchange(
        self, send: np.ndarray | None, to: int, into: np.ndarray | None, origin: int
    ) -> None:
        if send is not None:
            self._hub.arrays[self.rank, to].put(send.copy())
        while into is not None:
            try:
                into[...] = self._hub.arrays[origin, self.rank].get(timeout=0.05)
                return
            except queue.Empty:
                if self._hub.barrier.broken:
                    raise RankError("another rank has failed") from None

    def _wait(self) -> None:
        try:
            self._hub.barrier.wait()
        except threading.BrokenBarrierError:
            raise RankError("another rank has failed") from None


def simulate(size: int, work: Callable[[Ranks], _Value]) -> list[_Value]:
    """Have so many ranks, which are threads, do some work.

    Parameters
    ----------
    size : int
    work : callable
        Takes the ranks as one of them sees them.

    Returns
    -------
    list
        What each of them has returned.

    Raises
    ------
    BaseException
        What one of them has raised; the others are ended by a `RankError`.

    Examples
    --------
    >>> from cnn_core.distributed import simulate
    >>> simulate(3, lambda ranks: sum(ranks.gather(ranks.rank)))
    [3, 3, 3]
    """
    hub, results, errors = _Hub(size), dict[int, _Value](), list[BaseException]()

    def run(rank: int) -> None:
        try:
            results[rank] = work(_Thread(hub, rank))
        except BaseException as error:
            errors.append(error)
            hub.barrier.abort()

    threads = [
        threading.Thread(target=copy_context().run, args=(run, rank)) for rank in range(size)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own = [error for error in errors if not isinstance(error, RankError)]
    if errors:
        raise (own or errors)[0]
    return [results[rank] for rank in range(size)]
