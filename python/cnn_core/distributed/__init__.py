"""Training that several processes share, on one machine or several, to the bits of one process.

``mpiexec -n 4 python train.py``, of a script in which `MLP.fit` gets the ranks of `mpi`, is the
whole of it; docs/scale.md says when it pays, and what happens when a process dies.
"""

from cnn_core.distributed.local import RankError, simulate
from cnn_core.distributed.mpi import mpi
from cnn_core.distributed.ranks import Ranks
from cnn_core.distributed.rows import Shared

__all__ = ["RankError", "Ranks", "Shared", "mpi", "simulate"]
