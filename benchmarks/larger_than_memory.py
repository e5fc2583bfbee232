"""Train on a file that is larger than the memory that the training may use.

    python benchmarks/larger_than_memory.py FOLDER  # 0.4 GB of rows, 0.15 GB of memory
    python benchmarks/larger_than_memory.py FOLDER --gigabytes 30 --limit 8
    python benchmarks/larger_than_memory.py FOLDER --parquet --gigabytes 1.6 --limit 0.4

Writes a NumPy file of random rows to FOLDER, trains on its memory map in a process whose memory,
cached pages of the file included, a control group of Linux limits (that takes root), and deletes
the file. First in order, then shuffled, which is reads from all over the file.

With --parquet the file is a Parquet file, which is read in blocks; the same rows are then trained
on as arrays, without the limit.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

FEATURES, GIGABYTE = 784, 1 << 30


def write_rows(path, rows):
    """Made-up rows and labels; block by block, as they do not fit into memory either."""
    rng = np.random.default_rng(0)
    X = np.lib.format.open_memmap(path, "w+", np.float32, (rows, FEATURES))
    for first in range(0, rows, 10_000):
        X[first : first + 10_000] = rng.random(
            (min(10_000, rows - first), FEATURES), dtype=np.float32
        )
    return (X[:, :8].sum(axis=1) > 4).astype(np.int32)


def write_parquet(path, rows):
    """The same rows and labels in a Parquet file, in row groups of 4,096."""
    import pyarrow
    from pyarrow import parquet as pq

    rng = np.random.default_rng(0)
    names = [f"x{i}" for i in range(FEATURES)]
    fields = [(name, pyarrow.float32()) for name in names] + [("y", pyarrow.int32())]
    with pq.ParquetWriter(path, pyarrow.schema(fields), use_dictionary=False) as file:
        for first in range(0, rows, 4096):
            X = rng.random((min(4096, rows - first), FEATURES), dtype=np.float32)
            y = (X[:, :8].sum(axis=1) > 4).astype(np.int32)
            file.write_table(pyarrow.table([*np.ascontiguousarray(X.T), y], schema=file.schema))


def forget(path):
    """Take the file's pages out of the cache: those that are there already count for no other
    group."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextlib.contextmanager
def limited(limit):
    """A control group of so many bytes: its folder, the name of the file that takes a process, that
    of its peak."""
    for root, most, peak in (
        ("/sys/fs/cgroup", "memory.max", "memory.peak"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
    ):
        group = Path(root, f"larger_than_memory_{os.getpid()}")
        try:
            group.mkdir()
        except OSError:
            continue
        limit_file, peak_file = group / most, group / peak
        if limit_file.exists():
            break
        group.rmdir()
    else:
        sys.exit("there is no control group for memory that this user may make")
    try:
        limit_file.write_text(str(limit))
        yield group, peak_file
    finally:
        group.rmdir()


def train(path, labels, shuffle):
    """What the limited process does."""
    from cnn_core import MLP

    X, y = np.load(path, mmap_mode="r"), np.load(labels)
    start = time.perf_counter()
    model = MLP(hidden=(64,), epochs=1, batch_size=128, shuffle=shuffle, random_state=0).fit(X, y)
    print(
        f"  one epoch, shuffle={shuffle}: {time.perf_counter() - start:.1f} s "
        f"with the checks before it, accuracy {model.history_['metric'][-1]:.3f}"
    )


def train_on_parquet(path, shuffle, as_arrays):
    """The same on a Parquet file."""
    from cnn_core.io import parquet

    from cnn_core import MLP

    X, y = parquet(path, target="y"), None
    if as_arrays:
        from pyarrow import parquet as pq

        table = pq.read_table(path)
        y = table.column("y").to_numpy()
        X = np.empty((len(y), FEATURES), np.float32)
        for i in range(FEATURES):
            X[:, i] = table.column(i).to_numpy()
        del table
    start = time.perf_counter()
    model = MLP(hidden=(64,), epochs=2, batch_size=128, shuffle=shuffle, random_state=0).fit(X, y)
    whole, epochs = time.perf_counter() - start, model.history_["seconds"]
    what = "arrays" if as_arrays else "blocks"
    print(
        f"  {what}, shuffle={shuffle}: {min(epochs):.2f} s an epoch, {whole - sum(epochs):.1f} s "
        f"before the first, accuracy {model.history_['metric'][-1]:.3f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--gigabytes", type=float, default=0.4, help="size of the file (default 0.4)"
    )
    parser.add_argument(
        "--limit",
        type=float,
        default=0.15,
        help="gigabytes of memory (default 0.15); setting the limit takes root",
    )
    parser.add_argument("--parquet", action="store_true", help="train on a Parquet file")
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--as-arrays", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--in-order", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    path, labels = options.folder / "rows.npy", options.folder / "labels.npy"
    if options.parquet:
        path = options.folder / "rows.parquet"
    if options.train and options.parquet:
        return train_on_parquet(path, not options.in_order, options.as_arrays)
    if options.train:
        return train(path, labels, not options.in_order)
    rows = int(options.gigabytes * GIGABYTE / 4 / FEATURES)
    try:
        if options.parquet:
            write_parquet(path, rows)
        else:
            np.save(labels, write_rows(path, rows))
        print(
            f"{rows:,} rows, {path.stat().st_size / GIGABYTE:.2f} GB; "
            f"memory limited to {options.limit} GB"
        )
        for order in (["--in-order"], []):
            forget(path)
            with limited(int(options.limit * GIGABYTE)) as (group, peak):
                command = [sys.executable, __file__, str(options.folder), "--train", *order]
                command += ["--parquet"] * options.parquet
                joined = f'echo $$ > {group}/cgroup.procs && exec "$@"'
                subprocess.run(["sh", "-c", joined, "sh", *command], check=True)
                gigabytes = int(peak.read_text()) / GIGABYTE
                print(f"  peak of memory, cached pages included: {gigabytes:.2f} GB", flush=True)
            if options.parquet:
                subprocess.run([*command, "--as-arrays"], check=True)
    finally:
        path.unlink(missing_ok=True)
        labels.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
