"""A command that ``mpiexec -n 4 cnn-core ...`` has started several times."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cnn_core.cli.arguments import UsageError

if TYPE_CHECKING:
    from cnn_core.distributed.ranks import Ranks

#: In which the launchers of MPI say how many processes there are: those of MPICH, Intel MPI and
#: SLURM's PMI, and of Open MPI.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
_WAITS = 1.0  # seconds that a rank leaves it to the first one to say what all of them have met


def launched() -> int:
    """How many processes the launcher of MPI has started; 1 without one."""
    for name in _SIZES:
        if os.environ.get(name, "").isdecimal():
            return int(os.environ[name])
    return 1


@contextmanager
def command_ranks(shards: int) -> Iterator[Ranks | None]:
    """A context of the ranks that share a command; None where it is alone."""
    size = launched()
    if size == 1:
        yield None
        return
    from cnn_core.cli.telling import sentence
    from cnn_core.distributed import mpi

    with mpi() as ranks:
        try:
            if shards < 2:
                raise UsageError(
                    f"{size} processes were started, and share the training by shards of the "
                    "rows: --shards 8, or another number of at least 2"
                )
            yield ranks
        except (ImportError, OSError, ValueError, TypeError, MemoryError) as error:
            where = ""
            if not ranks.first:  # what all of them have met is said once
                time.sleep(_WAITS)
                where = f"rank {ranks.rank}: "
            print(f"cnn-core: {where}{sentence(error)}", file=sys.stderr, flush=True)
            ranks.abort(2 if isinstance(error, UsageError) else 1)
