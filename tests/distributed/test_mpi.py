"""Ranks that are processes of MPI: the bits of one process, and what becomes of those that fail."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cnn_core.distributed import simulate
from mpi_training import data, train

from cnn_core import MLP, load

SCRIPT = str(Path(__file__).parents[1] / "mpi_training.py")
MPIEXEC = shutil.which("mpiexec", path=os.path.dirname(sys.executable)) or shutil.which("mpiexec")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (MPIEXEC and importlib.util.find_spec("mpi4py")),
        reason="needs mpi4py and an MPI with mpiexec: pip install mpi4py mpich",
    ),
]
#: More processes than cores, and as root, are what Open MPI refuses unless it is told.
ENVIRONMENT = os.environ | {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
TIME = 120  # seconds of a training; two are usual
ABORTS_IN = 10  # seconds after which no process may be left


def start(size, *command):
    return subprocess.Popen(
        [MPIEXEC, "-n", str(size), sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def run(size, **options):
    process = start(size, SCRIPT, json.dumps(options))
    out, error = process.communicate(timeout=TIME)
    assert process.returncode == 0, error
    return out.strip()


def children(pid):
    """The processes that have come of one, those of Python that train."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and SCRIPT in (entry / "cmdline").read_text():
                parent = int(entry.name)
                while parent not in (pid, 0, 1):
                    parent = int((Path("/proc") / str(parent) / "stat").read_text().split()[-49])
                found += [int(entry.name)] * (parent == pid and int(entry.name) != pid)
        except (OSError, ValueError):
            continue
    return sorted(found)


def started(process, path):
    """Wait until a training has written checkpoints."""
    until = time.monotonic() + TIME
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    assert process.poll() is None


def test_the_weights_are_those_of_one_process_for_every_number_of_ranks_and_threads():
    expected = train(None)
    assert run(1, shared=False) == expected
    for size, threads in ((1, 2), (2, 1), (2, 2), (3, 1), (4, 2), (8, 1)):
        assert run(size, n_threads=threads, shared=size % 2 == 0) == expected
    few = dict(shards=3, batch_size=10, epochs=2)
    assert run(4, **few) == train(None, **few)  # one rank has no rows
    assert simulate(2, train)[0] == expected


def test_a_rank_that_raises_ends_all_with_its_traceback_and_the_command_goes_on(tmp_path):
    path = tmp_path / "run.safetensors"
    kept = dict(epochs=6, checkpoint=str(path))
    began = time.monotonic()
    process = start(4, SCRIPT, json.dumps({**kept, "fails": 3}))
    _, error = process.communicate(timeout=TIME)
    assert process.returncode != 0
    assert time.monotonic() - began < TIME / 2
    assert "rank 3 of 4 has failed" in error
    assert "RuntimeError: nothing goes any more" in error
    assert load_epochs(path) == 1  # the callback is called before one is written
    assert run(3, **kept) == train(None, epochs=6)


def load_epochs(path):
    from cnn_core.files.checkpoints import read_checkpoint

    return read_checkpoint(path, MLP).model.n_epochs


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="finds processes by /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_rank_that_is_killed_or_interrupted_ends_all_and_the_command_goes_on(tmp_path, number):
    path = tmp_path / "run.safetensors"
    kept = dict(epochs=40, checkpoint=str(path))
    process = start(4, SCRIPT, json.dumps({**kept, "slow": 0.1}))
    started(process, path)
    ranks = children(process.pid)
    assert len(ranks) == 4
    os.kill(ranks[1], number)
    began = time.monotonic()
    process.communicate(timeout=TIME)
    assert time.monotonic() - began < ABORTS_IN
    assert process.returncode != 0
    assert not children(process.pid)
    assert 0 < load_epochs(path) < 40
    assert run(3, **kept) == train(None, epochs=40)


def test_each_rank_opens_its_own_rows_of_files(tmp_path):
    script = tmp_path / "opens.py"
    script.write_text(OPENS)
    X, y = data(201)
    np.save(tmp_path / "X-0.npy", X[:120].astype(np.float32))
    np.save(tmp_path / "X-1.npy", X[120:].astype(np.float32))
    np.save(tmp_path / "y.npy", y)
    process = start(3, str(script), str(tmp_path))
    _, error = process.communicate(timeout=TIME)
    assert process.returncode == 0, error
    whole = MLP((9,), epochs=2, shards=6, random_state=0)
    whole.fit(X.astype(np.float32), y)
    found = load(tmp_path / "m.safetensors")
    assert np.array_equal(found.parameters_, whole.parameters_)


def test_a_rank_that_leaves_alone_ends_all():
    program = (
        "import numpy as np\nfrom cnn_core import MLP, distributed\n"
        "with distributed.mpi() as ranks:\n"
        "    if ranks.rank != 1:\n"
        "        MLP(shards=4).fit(np.ones((9, 2)), np.ones(9), ranks=ranks)\n"
    )
    process = start(3, "-c", program)
    _, error = process.communicate(timeout=TIME)
    assert process.returncode != 0
    assert error.count("RuntimeError: rank 1 has left the block of distributed.mpi()") == 1


OPENS = """
import sys
from cnn_core import MLP, distributed
with distributed.mpi() as ranks:
    X, y = ranks.open(sys.argv[1] + "/X-*.npy", sys.argv[1] + "/y.npy")
    model = MLP((9,), epochs=2, shards=6, random_state=0).fit(X, y, ranks=ranks)
    if ranks.first:
        model.save(sys.argv[1] + "/m.safetensors")
"""


def test_the_command_line_writes_the_bytes_of_one_process(tmp_path):
    table = tmp_path / "rooms.csv"
    sizes = [7 * i % 31 for i in range(80)]
    rows = (f"{a},{'ab'[a % 2]},{3 * a + i % 3}" for i, a in enumerate(sizes))
    table.write_text("\n".join(["size,kind,price", *rows]) + "\n")
    written = []
    for size in (1, 3):
        output = tmp_path / f"{size}.safetensors"
        command = ["-m", "cnn_core", "train", str(table), "--target", "price", "--shards", "8"]
        process = start(size, *command, "--epochs", "3", "-o", str(output))
        out, error = process.communicate(timeout=TIME)
        assert process.returncode == 0, error
        assert error.count("to train on") == 1
        assert out.count("wrote") == 1
        written.append(output.read_bytes())
    assert written[0] == written[1]
    process = start(2, *command[:-2])
    _, error = process.communicate(timeout=TIME)
    assert process.returncode == 2
    assert error.count("--shards 8") == 1
    process = start(2, *command, "--epochs", "none")
    _, error = process.communicate(timeout=TIME)
    assert process.returncode == 2
    assert error.count("--epochs: must be") == 1
