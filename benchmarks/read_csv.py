"""Reading tables: ``python benchmarks/read_csv.py [--rows N]``.

MB/s of `cnn_core.io.read_csv` for numbers, for numbers with gaps, and for numbers with words, also
in quotes, beside `numpy.loadtxt`, the rows of `csv.reader` alone, and pandas where it is installed;
and of `cnn_core.io.parquet`. Medians of processor time, one after the other again and again.
"""

import argparse
import csv
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from cnn_core.io import parquet, read_csv


def tables(folder, n_rows):
    """Files of the same numbers, written in several ways."""
    rng = np.random.default_rng(0)
    numbers = [[f"{one:.6f}" for one in row] for row in rng.normal(size=(n_rows, 20))]
    towns = rng.choice(["Aarhus", "Bergen", "Cork"], n_rows)
    kinds = {
        "numbers": numbers,
        "gaps": [["" if one[-1] == "7" else one for one in row] for row in numbers],
        "words": [[*row, town] for row, town in zip(numbers, towns)],
        "quotes": [[*row, f'"{town}"'] for row, town in zip(numbers, towns)],
    }
    for kind, rows in kinds.items():
        path = folder / f"{kind}.csv"
        names = ",".join(f"x{i}" for i in range(len(rows[0])))
        path.write_text("\n".join([names, *map(",".join, rows)]) + "\n")
        yield kind, path


def readers(kind, path):
    """What reads such a file, by name."""

    def read_all(path):
        table = read_csv(path)
        for name in table.names:
            table[name]

    def rows(path):
        with open(path, newline="") as file:
            for _ in csv.reader(file):
                pass

    found = {"cnn_core": read_all, "csv.reader alone": rows}
    if kind == "numbers":
        found["numpy.loadtxt"] = lambda path: np.loadtxt(path, delimiter=",", skiprows=1)
    try:
        import pandas
    except ImportError:
        return found
    return found | {"pandas": pandas.read_csv}


def measure(path, calls, repeats):
    """MB/s of each call."""
    seconds = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.process_time()
            call(path)
            seconds[name].append(time.process_time() - start)
    size = os.path.getsize(path) / 1e6
    return {name: size / statistics.median(times) for name, times in seconds.items()}


def read_parquet(path):
    """All columns of a Parquet file."""
    table = parquet(path)
    for name in table.names:
        table[name]


def main():
    """Print a line for each file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for kind, path in tables(Path(folder), options.rows):
            found = measure(path, readers(kind, path), options.repeats)
            shown = "  ".join(f"{name} {speed:.0f} MB/s" for name, speed in found.items())
            print(f"{kind:8} {shown}")
        try:
            import pyarrow
            from pyarrow import parquet as pq
        except ImportError:
            return
        X = np.random.default_rng(0).normal(size=(20, options.rows * 10))
        path = Path(folder) / "numbers.parquet"
        columns = {f"x{i}": column for i, column in enumerate(X)}
        pq.write_table(pyarrow.table(columns), path, use_dictionary=False)
        found = measure(path, {"cnn_core": read_parquet}, options.repeats)
        print(f"parquet  cnn_core {found['cnn_core']:.0f} MB/s")


if __name__ == "__main__":
    main()
