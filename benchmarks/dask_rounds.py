"""What rounds on a Dask cluster cost, and what they cost in accuracy.

    python benchmarks/dask_rounds.py                 # seconds that a round takes
    python benchmarks/dask_rounds.py --accuracy      # DaskMLP against MLP on digits and a table
    python benchmarks/dask_rounds.py --mnist FOLDER  # the same on MNIST, from its IDX files

Accuracy does not depend on workers, so these runs need no cluster. Files are shuffled, or sorted by
class (the table: by its first column), so that each shard has rows of its own kind.
"""

import argparse
import os
import statistics

import dask.array as da
import numpy as np
from cnn_core.dask import DaskMLP

from cnn_core import MLP, datasets


def collections(X, y):
    return da.from_array(X, chunks=(4096, X.shape[1])), da.from_array(y, chunks=4096)


CASES = ((16, 4), (16, 16), ((512, 256), 16))


def overhead(n_workers):
    """Median and least seconds of a round, and those of the same round in one process."""
    from distributed import Client, LocalCluster

    X = np.random.default_rng(0).normal(size=(2000, 5)).astype("f4")
    y = (X[:, 0] > 0).astype(int)

    def rounds(hidden, shards):
        model = DaskMLP(hidden, epochs=30, shards=shards, random_state=0)
        return model.fit(*collections(X, y)).history_["seconds"][5:]

    here = [statistics.median(rounds(*case)) for case in CASES]
    print(f"{n_workers} workers; load {os.getloadavg()[0]:.1f}")
    options = dict(n_workers=n_workers, threads_per_worker=1, dashboard_address=":0")
    with LocalCluster(**options) as cluster, Client(cluster):
        for (hidden, shards), own in zip(CASES, here):
            seconds = rounds(hidden, shards)
            print(
                f"hidden {hidden!s:10} shards {shards:2}: {1e3 * statistics.median(seconds):.0f} ms"
                f" a round, at least {1e3 * min(seconds):.0f}; in one process {1e3 * own:.0f}"
            )


def table(n, seed=0):
    """A regression with interactions and categories as numbers."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 10)).astype("f4")
    y = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + 0.5 * X[:, 3] + 0.3 * rng.normal(size=n)
    return X, y.astype("f4")


def compare(name, train, test, hidden, epochs, shards=(4, 8, 16)):
    """Scores of both on rows of the test, for shuffled and sorted rows of training."""
    X, y = train
    by = y if y.dtype.kind in "iu" else X[:, 0]
    for order, rows in (("shuffled", slice(None)), ("sorted", by.argsort(kind="stable"))):
        X_now, y_now = np.ascontiguousarray(X[rows]), y[rows]
        kept = dict(hidden=hidden, epochs=epochs, random_state=0)
        scores = [f"MLP {MLP(**kept).fit(X_now, y_now).score(*test):.4f}"]
        for s in shards:
            for label, own in (
                ("average", {}),
                ("8 steps", dict(local_steps=8)),
                ("nesterov", dict(outer="nesterov")),
            ):
                model = DaskMLP(shards=s, **kept, **own).fit(*collections(X_now, y_now))
                scores.append(f"{s} {label} {model.to_local().score(*test):.4f}")
        print(f"{name}, {order}: {', '.join(scores)}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--mnist", metavar="FOLDER")
    options = parser.parse_args()
    if options.mnist:
        read = [
            datasets.read_idx(os.path.join(options.mnist, f"{part}-{what}"))
            for part in ("train", "t10k")
            for what in ("images-idx3-ubyte.gz", "labels-idx1-ubyte.gz")
        ]
        X, y, X_test, y_test = read
        flat = [(one.reshape(len(one), -1) / 255).astype("f4") for one in (X, X_test)]
        compare("MNIST", (flat[0], y), (flat[1], y_test), 128, 10, shards=(8, 16))
    elif options.accuracy:
        X, y = datasets.load_digits()
        rows = np.random.default_rng(0).permutation(len(X))
        X, y = np.asarray(X, "f4")[rows], np.asarray(y)[rows]
        compare("digits", (X[:1400], y[:1400]), (X[1400:], y[1400:]), 64, 60)
        X, y = table(50_000)
        compare("table", (X[:40_000], y[:40_000]), (X[40_000:], y[40_000:]), (64, 64), 20)
    else:
        overhead(options.workers)


if __name__ == "__main__":
    main()
