"""A command that ``mpiexec -n 4 cnn-core ...`` has started several times."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from cnn_core._launcher import WAITS, launched, leave_it_to_the_first
from cnn_core.cli.arguments import UsageError

if TYPE_CHECKING:
    from cnn_core.distributed.ranks import Ranks


@contextmanager
def command_ranks(shards: int) -> Iterator[Ranks | None]:
    """A context of the ranks that share a command; None where it is alone."""
    size = launched()
    if size == 1:
        yield None
        return
    from cnn_core.cli.telling import sentence
    from cnn_core.distributed import mpi

    with ExitStack() as stack:
        try:
            ranks = stack.enter_context(mpi())
        except (ImportError, RuntimeError) as error:
            leave_it_to_the_first(1)
            raise UsageError(str(error)) from error
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
                time.sleep(WAITS)
                where = f"rank {ranks.rank}: "
            print(f"cnn-core: {where}{sentence(error)}", file=sys.stderr, flush=True)
            ranks.abort(2 if isinstance(error, UsageError) else 1)
