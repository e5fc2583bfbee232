"""Handwritten digits, by several processes: ``mpiexec -n 2 python examples/mpi_digits.py``.

Alone it is one process. What it prints is the same for any number of them, to the last digit. Needs
mpi4py and an MPI library: pip install 'cnn-core[mpi]' mpich.
"""

import hashlib

from cnn_core.datasets import load_digits

from cnn_core import MLP, distributed

X, y = load_digits()
train, test = slice(0, 1400), slice(1400, None)

with distributed.mpi() as ranks:
    # Each rank gives rows of its own: here every one has read all, and takes its share.
    own = slice(*(1400 * r // ranks.size for r in (ranks.rank, ranks.rank + 1)))
    model = MLP((128, 64), batch_size=64, epochs=15, shards=8, random_state=0)
    model.fit(X[own], y[own], ranks=ranks)
    if ranks.first:
        weights = hashlib.sha256(model.parameters_.tobytes()).hexdigest()
        print(f"loss {model.history_['loss'][-1]:.6f}")
        print(f"accuracy on {len(y[test])} other rows {model.score(X[test], y[test]):.4f}")
        print(f"weights {weights[:16]}")
