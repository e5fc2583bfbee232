"""Files that memory is too short for are a MemoryError: no end of the process, and no hang."""

import os
import subprocess
import sys

import numpy as np
import pytest

from cnn_core import MLP

if sys.platform != "linux":
    pytest.skip("the limit of the address space is Linux's", allow_module_level=True)

#: Does something with ever more memory until it succeeds, and prints what it raises.
PROGRAM = """
import io, os, pickle, resource, sys
import numpy as np
import cnn_core
from cnn_core.files.checkpoints import read_checkpoint

path, what, step = sys.argv[1:]
data = open(path, "rb").read()
model = cnn_core.load(data)
pickled = pickle.dumps(model)
X = np.zeros((4, 3)); X[:, 0] = range(4)
use = {
    "load": lambda: cnn_core.load(path),
    "load bytes": lambda: cnn_core.load(data),
    "save": lambda: model.save(path + ".2", optimizer=True),
    "save to a file object": lambda: model.save(io.BytesIO()),
    "pickle": lambda: pickle.dumps(model),
    "unpickle": lambda: pickle.loads(pickled),
    "read a checkpoint": lambda: read_checkpoint(path, cnn_core.MLP),
}[what]
size = lambda: int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
_, hard = resource.getrlimit(resource.RLIMIT_AS)
found = []
use()  # imports what it needs
for megabytes in (*range(0, 64, int(step)), *range(64, 400, 8)):
    resource.setrlimit(resource.RLIMIT_AS, (size() + (megabytes << 20), hard))
    try:
        use()
        found.append("fine")
    except BaseException as error:
        found.append(type(error).__name__)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    if found[-1] == "fine" and found[-3:] == ["fine"] * 3:
        break
print(*dict.fromkeys(found))
"""


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    X = np.arange(12.0).reshape(4, 3)
    model = MLP((2000, 2000), epochs=1, random_state=0, optimizer="sgd")
    model.fit(X, X[:, 0], checkpoint=folder / "checkpoint").save(folder / "model")
    return folder


@pytest.mark.parametrize(
    "what",
    [
        "load",
        "load bytes",
        "save",
        "save to a file object",
        "pickle",
        "unpickle",
        "read a checkpoint",
    ],
)
@pytest.mark.parametrize("step", ["16", pytest.param("1", marks=pytest.mark.slow)])
def test_without_memory_it_is_a_memory_error_until_it_is_done(what, step, paths):
    path = paths / ("checkpoint" if "checkpoint" in what else "model")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, path, what, step],
        capture_output=True,
        check=False,
        text=True,
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "100000", "MALLOC_TRIM_THRESHOLD_": "0"},
        timeout=100,
    )
    assert (run.returncode, run.stdout.split()) == (0, ["MemoryError", "fine"]), run.stderr
