"""Ranks that are processes of MPI, by the package mpi4py."""

from __future__ import annotations

import sys
import time
import traceback
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from cnn_core._launcher import WAITS, launched
from cnn_core.distributed.ranks import Ranks, share_of
from cnn_core.threads import affinity

_Value = TypeVar("_Value")


class _Left:
    """What a rank that has left the context gives, where others may wait for something else."""


class MPIRanks(Ranks):
    """The processes of a communicator."""

    def __init__(self, communicator: Any, mpi: Any) -> None:
        self.communicator, self._mpi = communicator, mpi
        self.rank, self.size = communicator.Get_rank(), communicator.Get_size()
        here = communicator.Split_type(mpi.COMM_TYPE_SHARED)
        self.share = share_of(affinity(), here.allgather(affinity()))
        here.Free()

    def gather(self, value: _Value) -> list[_Value]:
        found: list[_Value] = self.communicator.allgather(value)
        for rank, one in enumerate(found):
            if isinstance(one, _Left):
                raise RuntimeError(
                    f"rank {rank} has left the block of distributed.mpi(), and others go on; all "
                    "ranks must do the same, those without rows too"
                )
        return found

    def leave(self) -> None:
        """Wait until all ranks do; one that shares more, for which this one is needed, is told."""
        self.communicator.allgather(_Left())

    def exchange(
        self, send: np.ndarray | None, to: int, into: np.ndarray | None, origin: int
    ) -> None:
        nobody, nothing = self._mpi.PROC_NULL, bytearray()
        self.communicator.Sendrecv(
            nothing if send is None else send,
            nobody if send is None else to,
            0,
            nothing if into is None else into,
            nobody if into is None else origin,
            0,
        )

    def abort(self, status: int) -> None:
        """End the processes of all ranks."""
        sys.stdout.flush()
        self.communicator.Abort(status)


class mpi:
    """A context of the processes that ``mpiexec -n 4 python train.py`` has started; alone it is one
    rank.

    An exception that leaves it on a rank is printed there with the rank's number, and ends all
    processes: else the others would wait for it for ever. None leaves it before all do.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm, optional
        Default: a copy of that of all processes.

    Raises
    ------
    ImportError
        Where mpi4py is missing, or no MPI library.
    RuntimeError
        Where several processes were started and each is alone: by the launcher of another MPI.

    Examples
    --------
    >>> from cnn_core import MLP, distributed
    >>> with distributed.mpi() as ranks:  # doctest: +SKIP
    ...     X, y = ranks.open("X.npy", "y.npy")
    ...     model = MLP(shards=8, random_state=0).fit(X, y, ranks=ranks)
    ...     if ranks.first:
    ...         model.save("model.safetensors")
    """

    def __init__(self, communicator: Any = None) -> None:
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:
            raise ImportError(
                "distributed.mpi() needs the package mpi4py and an MPI library: pip install "
                f"'cnn_core[mpi]' mpich, or the MPI of your cluster ({error})"
            ) from error
        self._mpi = MPI
        self._given = communicator

    def __enter__(self) -> MPIRanks:
        world, started = self._mpi.COMM_WORLD, launched()
        if self._given is None and started > 1 and world.Get_size() == 1:
            library = self._mpi.Get_library_version().split("\n")[0].strip(" \0")
            raise RuntimeError(
                f"{started} processes were started, and each is alone: mpi4py has {library}, and "
                "they were started by another MPI, or by srun without what this one needs; take "
                "the mpiexec that belongs to it, or srun --mpi=pmi2 or --mpi=pmix"
            )
        communicator = world.Dup() if self._given is None else self._given
        self._ranks = MPIRanks(communicator, self._mpi)
        return self._ranks

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        ranks = self._ranks
        leaves = isinstance(error, SystemExit) and error.code in (None, 0)
        if error is None or leaves or ranks.size == 1:
            if ranks.size > 1:
                ranks.leave()
            if self._given is None:
                ranks.communicator.Free()
            return
        if not ranks.first:
            time.sleep(WAITS)
        said = f"rank {ranks.rank} of {ranks.size} has failed:\n"
        print(said + "".join(traceback.format_exception(error)), file=sys.stderr, flush=True)
        ranks.abort(_status(error))


def _status(error: BaseException) -> int:
    """The exit status of processes that an exception ends."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    code = error.code if isinstance(error, SystemExit) else 1
    return code if isinstance(code, int) and code else 1
