"""Whether a training that ranks share survives `kill -9`: a random rank of 2 to 4 is killed at a
random moment, all others must be gone within ten seconds, and the same command goes on with another
number of ranks, until the training is over; its weights and history must be those of one process.

    python tests/soak/ranks.py                  # 20 kills, three minutes
    python tests/soak/ranks.py --kills 100 --seed 1

mpi4py and an MPI library must be installed.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from mpi_training import train

SCRIPT = str(Path(__file__).parents[1] / "mpi_training.py")
MPIEXEC = shutil.which("mpiexec", path=os.path.dirname(sys.executable)) or shutil.which("mpiexec")
ENVIRONMENT = os.environ | {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
EPOCHS, ENDS_IN = 60, 10.0


def ranks_of(path):
    """The processes that write a checkpoint there."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        is_rank = not any(name in words[0] for name in (b"mpiexec", b"hydra", b"prte"))
        if is_rank and SCRIPT.encode() in words and any(path.encode() in one for one in words):
            found.append(int(entry.name))
    return sorted(found)


def command(size, path):
    options = dict(epochs=EPOCHS, checkpoint=path, slow=0.02)
    return [MPIEXEC, "-n", str(size), sys.executable, SCRIPT, json.dumps(options)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw, expected = random.Random(options.seed), train(None, epochs=EPOCHS)
    kills, trainings, slowest = 0, 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "run.safetensors")
        while kills < options.kills or os.path.exists(path):
            size = draw.randint(2, 4)
            process = subprocess.Popen(
                command(size, path),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=ENVIRONMENT,
            )
            if kills < options.kills:
                time.sleep(draw.uniform(0.2, 3))
                here = ranks_of(path)
                if process.poll() is None and here:
                    os.kill(draw.choice(here), signal.SIGKILL)
                    kills += 1
                    began = time.monotonic()
                    process.communicate(timeout=ENDS_IN)
                    while ranks_of(path):
                        assert time.monotonic() < began + ENDS_IN, "ranks are left"
                        time.sleep(0.02)
                    slowest = max(slowest, time.monotonic() - began)
                    assert process.returncode != 0
                    continue
            found, _ = process.communicate(timeout=120)
            if process.returncode == 0:
                assert found.strip() == expected, "other weights than those of one process"
                trainings += 1
                os.unlink(path)
    print(
        f"{kills} kills; all ranks were gone {slowest:.2f} s after one at most; {trainings} "
        "trainings came to the weights and the history of one process"
    )


if __name__ == "__main__":
    main()
