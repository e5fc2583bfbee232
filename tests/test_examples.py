"""The examples print what stands beside them, and the one on digits takes MNIST's files."""

import gzip
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cnn_core.datasets import load_digits

FOLDER = Path(__file__).resolve().parents[1] / "examples"
SCRIPTS = sorted(FOLDER.glob("*.py"))


def printed(script, folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-W", "error", script, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=[script.stem for script in SCRIPTS])
def test_an_example_prints_what_stands_beside_it(script, tmp_path):
    if script.stem.startswith("mpi_"):
        pytest.importorskip("mpi4py")
    assert printed(script, tmp_path) == script.with_suffix(".txt").read_text()


def test_every_output_belongs_to_an_example():
    assert {path.stem for path in FOLDER.glob("*.txt")} == {script.stem for script in SCRIPTS}


def write_idx(path, array):
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(head + array.astype("u1").tobytes()))


@pytest.mark.slow
def test_the_digits_may_come_from_files_as_mnists(tmp_path):
    X, y = load_digits()
    images, paths = X.reshape(-1, 8, 8), []
    for part, rows in (("train", slice(0, 500)), ("t10k", slice(500, 600))):
        for kind, array in (("images", images), ("labels", y)):
            paths.append(tmp_path / f"{part}-{kind}.gz")
            write_idx(paths[-1], np.asarray(array)[rows])
    said = printed(FOLDER / "digits.py", tmp_path, *map(str, paths))
    assert "500 rows to train on, 100 to test on, 64 inputs" in said
