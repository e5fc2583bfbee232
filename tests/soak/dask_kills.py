"""SIGKILL of a Dask worker at random moments of a training, again and again: whether it ends with
the bits of one process.

    python tests/soak/dask_kills.py [--kills 20]

Each kill has a training of its own on a new cluster of two workers, whose nanny starts another one.
Every third training is one by L-BFGS.
"""

import argparse
import hashlib
import os
import random
import signal
import threading
import time

import dask.array as da
import numpy as np
from cnn_core.dask import DaskMLP

ROUNDS = dict(
    hidden=(64, 32), epochs=25, shards=6, random_state=0, early_stopping=True, patience=99
)
LBFGS = dict(hidden=(32,), epochs=25, shards=6, random_state=0, optimizer="lbfgs")


def sha(options):
    X = np.random.default_rng(0).normal(size=(30_000, 20)).astype("f4")
    rows = [da.from_array(one, chunks=(4000, *one.shape[1:])) for one in (X, X[:, 0] * X[:, 1])]
    model = DaskMLP(**options).fit(*rows)
    return hashlib.sha256(model.parameters_.tobytes()).hexdigest()[:16]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    kills, rng = parser.parse_args().kills, random.Random(0)
    began = time.monotonic()
    plain = [sha(options) for options in (ROUNDS, LBFGS)]
    longest = time.monotonic() - began
    wrong = 0
    for i in range(kills):
        options, expected = [(ROUNDS, plain[0]), (LBFGS, plain[1])][i % 3 == 2]
        found, seconds = killed(options, rng.uniform(0, longest), rng.randrange(2))
        same = found == expected
        wrong += not same
        print(f"kill {i + 1}: {seconds:.1f} s, {'same bits' if same else 'OTHER BITS'}", flush=True)
    print(f"{kills} kills: {kills - wrong} trainings have the bits of one process")
    raise SystemExit(bool(wrong))


def killed(options, after, which):
    """The bits of a training, one of whose workers is killed after some seconds, and its time."""
    from distributed import Client, LocalCluster

    cluster_options = dict(n_workers=2, threads_per_worker=1, dashboard_address=":0")
    with LocalCluster(**cluster_options, silence_logs=50) as cluster, Client(cluster):
        pids = [nanny.pid for nanny in cluster.workers.values()]
        killer = threading.Timer(after, os.kill, (pids[which], signal.SIGKILL))
        began = time.monotonic()
        killer.start()
        found = sha(options)
        seconds = time.monotonic() - began
        if killer.is_alive():
            print("  (it was over before the kill)")
        killer.cancel()
    return found, seconds


if __name__ == "__main__":
    main()
