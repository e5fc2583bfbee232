"""A training for tests/distributed/test_mpi.py and tests/soak/ranks.py: ``mpiexec -n 2 python
mpi_training.py OPTIONS`` prints what tells its weights. OPTIONS is JSON: parameters of MLP, and

shared     whether all ranks have all rows, instead of each its own
checkpoint a path, with a checkpoint after each epoch
fails      a rank that raises in epoch 2
slow       seconds of each epoch
"""

import hashlib
import json
import sys
import time

import numpy as np
from cnn_core._random import uniform

from cnn_core import MLP, distributed


def data(n=403):
    X = uniform(5, 0, n * 4).reshape(n, 4) * [1, 10, 100, 1000]
    return X, X @ [1, 0.2, -0.01, 0.001] + uniform(6, 0, n)


def train(ranks, shared=True, checkpoint=None, fails=None, slow=0.0, **parameters):
    def after_epoch(model, epoch, logs):
        time.sleep(slow)
        if ranks is not None and ranks.rank == fails and epoch == 2:
            raise RuntimeError("nothing goes any more")

    X, y = data()
    if ranks is not None and shared:
        X, y = distributed.Shared(X), distributed.Shared(y)
    elif ranks is not None:
        part = slice(*(len(X) * r // ranks.size for r in (ranks.rank, ranks.rank + 1)))
        X, y = X[part], y[part]
    model = MLP((50,), batch_size=64, dropout=0.1, random_state=3, callbacks=after_epoch)
    model.set_params(**{"shards": 8, "epochs": 5} | parameters)
    model.fit(X, y, checkpoint=checkpoint, checkpoint_every="epoch", ranks=ranks)
    told = [model.history_[name] for name in ("loss", "metric")]
    return hashlib.sha256(model.parameters_.tobytes() + np.array(told).tobytes()).hexdigest()


if __name__ == "__main__":
    options = json.loads(sys.argv[1])
    with distributed.mpi() as ranks:
        found = train(ranks, **options)
        if ranks.first:
            print(found)
