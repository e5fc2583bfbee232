"""``cnn-core predict -o FOLDER/``: a file of predictions for each file of rows."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from cnn_core.cli.main import main

from cnn_core import MLP

pyarrow = pytest.importorskip("pyarrow")
from pyarrow import parquet as pq  # noqa: E402

X = np.random.default_rng(0).normal(size=(60, 3))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a model and three files of rows, one of them a CSV."""
    monkeypatch.chdir(tmp_path)
    MLP(4, epochs=2, random_state=0).fit(X, X[:, 0] > 0).save("m.safetensors")
    os.mkdir("in")
    for i in range(2):
        columns = dict(zip("abc", X[20 * i : 20 * i + 20].T))
        pq.write_table(pyarrow.table(columns), f"in/{i}.parquet")
    np.savetxt("in/2.csv", X[40:], delimiter=",", header="a,b,c", comments="")
    return tmp_path


def predict(*options, code=0):
    assert main(["predict", "m.safetensors", *options]) == code


def predicted(i):
    return pq.read_table(f"out/{i}.parquet")["prediction"].to_pylist()


def test_each_file_has_its_own_and_a_done_one_is_left(here, capsys):
    predict("in/*.parquet", "-o", "out/", "--proba")
    expected = MLP.load("m.safetensors").predict(X[:40]).tolist()
    assert predicted(0) + predicted(1) == expected
    assert capsys.readouterr().out == "wrote 40 predictions to 2 files in out/\n"
    before = os.stat("out/0.parquet").st_ino, os.stat("out/1.parquet").st_ino
    os.utime("in/1.parquet", ns=(2**62, 2**62))  # newer than what was made of it
    predict("in/*", "-o", "out", "--proba", "--json")
    assert json.loads(capsys.readouterr().out) == {
        "rows": 40,
        "output": "out",
        "files": 2,
        "skipped": 1,
        "missing": {},
    }
    after = os.stat("out/0.parquet").st_ino, os.stat("out/1.parquet").st_ino
    assert before[0] == after[0] and before[1] != after[1]
    assert sorted(os.listdir("out")) == ["0.parquet", "1.parquet", "2.csv"]
    predict("in/0.parquet", "-o", "out")  # without --proba
    assert pq.read_table("out/0.parquet").column_names == ["prediction"]
    capsys.readouterr()
    predict("in/0.parquet", "-o", "out", "--quiet")
    assert "left 1 file there" in capsys.readouterr().out
    MLP(4, epochs=1, random_state=1).fit(X, X[:, 0] > 0).save("m.safetensors")
    os.utime("m.safetensors", ns=(1, 1))  # another model, however old it looks
    predict("in/0.parquet", "-o", "out")
    assert "wrote 20 predictions" in capsys.readouterr().out


@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_file_that_cannot_be_predicted_for_keeps_no_other_from_it(here, capsys, jobs):
    (here / "in/0.parquet").write_bytes(b"PAR1")
    predict("in/*.parquet", "-o", "out/", "--jobs", jobs, code=1)
    error = capsys.readouterr().err
    assert "in/0.parquet cannot be read" in error
    assert "wrote 20 predictions to 1 file in out/" in error
    assert os.listdir("out") == ["1.parquet"]


def test_an_error_names_its_file_and_leaves_those_that_are_done(here, capsys):
    pq.write_table(pyarrow.table({"a": [1.0], "b": [2.0]}), "in/1.parquet")
    predict("in/*.parquet", "-o", "out/", code=1)
    assert "in/1.parquet has" in capsys.readouterr().err
    assert os.listdir("out") == ["0.parquet"]


def test_a_remark_that_all_files_have_is_made_once(here, capsys):
    for i in range(2):
        pq.write_table(pyarrow.table({name: pyarrow.array([], "float64") for name in "abc"}),
                       f"in/{i}.parquet")  # fmt: skip
    os.mkdir("csv")
    for i in range(2):
        np.savetxt(f"csv/{i}.csv", X, delimiter=",", header="a,b,c", comments="")
    predict("csv/*.csv", "in/*.parquet", "-o", "out/", "--missing", "x")
    assert capsys.readouterr().err.count("has no rows") == 2
    assert pq.read_table("out/0.parquet").num_rows == 0


@pytest.mark.parametrize(
    "options, message",
    [
        (["in/0.parquet", "-o", "out.csv", "--jobs", "2"], "--jobs is for several files"),
        (["-", "-o", "out/"], "standard input has no name for a file in out/"),
        (["in/*.parquet", "-o", "in/"], "in/0.parquet is in in/, and would be lost"),
        (["in/0.parquet", "again/0.parquet", "-o", "out/"], "would both be written to out/0.parq"),
    ],
)
def test_what_would_lose_files_is_refused(here, capsys, options, message):
    os.mkdir("again")
    pq.write_table(pyarrow.table({"a": [1.0]}), "again/0.parquet")
    with suppress(SystemExit):  # of the parser
        predict(*options, code=2)
    assert message in " ".join(capsys.readouterr().err.split())
    assert not os.path.exists("out")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")
def test_the_jobs_of_a_command_that_is_killed_end(here):
    names = [f"in/{i}.parquet" for i in range(400)]
    for name in names[2:]:
        os.link("in/0.parquet", name)
    command = ["-m", "cnn_core", "predict", "m.safetensors", *names, "-o", "out/", "--jobs", "2"]
    process = subprocess.Popen([sys.executable, *command])
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not os.path.exists("out/0.parquet"):  # which a job writes
        time.sleep(0.01)
    jobs = [Path("/proc", pid) for pid in children.read_text().split()]
    assert jobs
    process.kill()
    process.wait()
    until = time.monotonic() + 30
    while any(job.exists() for job in jobs) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(job.exists() for job in jobs)


@pytest.mark.slow
def test_jobs_change_no_byte(here):
    predict("in/*.parquet", "-o", "out/", "--quiet")
    predict("in/*.parquet", "-o", "two/", "--jobs", "2", "--quiet")
    for name in ("0.parquet", "1.parquet"):
        assert (here / "two" / name).read_bytes() == (here / "out" / name).read_bytes()
