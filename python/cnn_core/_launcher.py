"""What the launcher of MPI says in the environment of the processes that it has started."""

from __future__ import annotations

import os
import time

#: How many there are, and which one this is: by MPICH, Intel MPI and ``srun --mpi=pmi2``; by Open
#: MPI; by ``srun --mpi=pmix``, whose number of processes is that of the step.
_NAMES = (
    ("PMI_SIZE", "PMI_RANK"),
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("SLURM_STEP_NUM_TASKS", "PMIX_RANK"),
)

#: Seconds that a process leaves it to the first one to say what all of them have met.
WAITS = 1.0


def launched() -> int:
    """How many processes have been started; 1 without a launcher."""
    return _said()[0]


def launched_as() -> int:
    """The number of this one, from 0 on."""
    return _said()[1]


def leave_it_to_the_first(status: int) -> None:
    """End this process, if it is not the first one of those that were started, without a word: all
    have met the same, and the first one says it."""
    if launched_as():
        time.sleep(WAITS)
        raise SystemExit(status)


def _said() -> tuple[int, int]:
    for names in _NAMES:
        values = [os.environ.get(name, "") for name in names]
        if all(one.isdecimal() for one in values):
            return int(values[0]), int(values[1])
    return 1, 0
