"""The examples print what stands beside them, and the one on digits takes MNIST's files."""

import gzip
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cnn_core.datasets import load_digits

FOLDER = Path(__file__).resolve().parents[1] / "examples"
SCRIPTS = sorted(FOLDER.glob("*.py"))
NEED_FILES = ("mnist",)  # which are not here


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
@pytest.mark.parametrize("name", [one.stem for one in SCRIPTS if one.stem not in NEED_FILES])
def test_an_example_prints_what_stands_beside_it(name, tmp_path):
    if name == "microcontroller" and not shutil.which("cc"):
        pytest.skip("there is no C compiler")
    if name.startswith("mpi_"):
        pytest.importorskip("mpi4py")
    script = FOLDER / f"{name}.py"
    assert printed(script, tmp_path) == script.with_suffix(".txt").read_text()


def test_every_output_belongs_to_an_example():
    assert {path.stem for path in FOLDER.glob("*.txt")} == {script.stem for script in SCRIPTS}


def write_idx(path, array):
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(head + array.astype("u1").tobytes()))


@pytest.fixture
def mnist(tmp_path):
    """A folder with files as MNIST's, of 600 small images, and their paths."""
    X, y = load_digits()
    images, paths = X.reshape(-1, 8, 8) * (255 / 16), []
    for part, rows in (("train", slice(0, 500)), ("t10k", slice(500, 600))):
        for kind, array in (("images-idx3", images), ("labels-idx1", y)):
            paths.append(tmp_path / f"{part}-{kind}-ubyte.gz")
            write_idx(paths[-1], np.asarray(array)[rows])
    return tmp_path, paths


@pytest.mark.slow
def test_the_digits_may_come_from_files_as_mnists(mnist):
    folder, paths = mnist
    said = printed(FOLDER / "digits.py", folder, *map(str, paths))
    assert "500 rows to train on, 100 to test on, 64 inputs" in said


@pytest.mark.slow
def test_mnists_example_learns_from_a_folder_of_its_files(mnist):
    folder, _ = mnist
    said = printed(FOLDER / "mnist.py", folder, str(folder))
    shown = (FOLDER / "mnist.txt").read_text()
    assert "500 images to train on, 100 to test on, 64 pixels each" in said
    assert float(re.search(r"right: ([\d.]+)%", said)[1]) > 60
    assert re.findall("^[123][.].*", said, re.M) == re.findall("^[123][.].*", shown, re.M)
