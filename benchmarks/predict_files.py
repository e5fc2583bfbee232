"""``cnn-core predict`` for a folder of Parquet files: one job against two.

    python benchmarks/predict_files.py [--rows 10000000] [--files 16] [--jobs 1 2]

Prints seconds, rows a second, seconds of CPU and the largest resident memory of a process, for a
network 20-64-64-1 that reads 20 of 24 columns of float32; each count of jobs twice, the quicker one
counts. Where seconds are many more than those of CPU by jobs, the machine was busy with others.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

from cnn_core import MLP

READ, OTHERS = 20, 4
RUN = "import sys; from cnn_core.cli.main import main; sys.exit(main(sys.argv[1:]))"


def make(folder, rows, files):
    """The model and the files."""
    rng = np.random.default_rng(0)
    names = [f"x{i}" for i in range(READ + OTHERS)]
    X = rng.normal(size=(2000, READ)).astype("f4")
    frame = pyarrow.table(dict(zip(names, X.T)))
    model = MLP((64, 64), epochs=2, random_state=0).fit(frame, X[:, 0])
    model.save(folder / "m.safetensors")
    (folder / "in").mkdir()
    for i in range(files):
        n = rows // files + (i < rows % files)
        columns = {name: rng.normal(size=n).astype("f4") for name in names}
        parquet.write_table(pyarrow.table(columns), folder / "in" / f"{i:03}.parquet")


def measure(folder, jobs):
    """Seconds of one run, those of CPU, and the largest memory of its processes in MB."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    inputs = map(str, sorted((folder / "in").iterdir()))
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", RUN, "predict", "m.safetensors", *inputs, "-o", "out/",
         "--jobs", str(jobs), "--quiet"],
        cwd=folder, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, after.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, options.rows, options.files)
        print(f"{options.rows:,} rows in {options.files} files; load {os.getloadavg()[0]:.1f}")
        first = None
        for jobs in options.jobs:
            seconds, cpu, memory = min(measure(folder, jobs) for _ in range(2))
            first = first or seconds
            print(
                f"{jobs} jobs: {seconds:.1f} s, {options.rows / seconds:,.0f} rows/s, "
                f"{first / seconds:.2f} x, {cpu:.1f} s of CPU, at most {memory:.0f} MB a process"
            )


if __name__ == "__main__":
    main()
