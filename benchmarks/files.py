"""Model files against NumPy's: ``python benchmarks/files.py``.

Saving and loading a 784-128-10 model, each interleaved with `numpy.savez` and `numpy.load` of the
same arrays, which neither flush to the disk nor check what they read; and, in new processes, an
import of cnn_core, the load of an 8-16-2 model and one prediction, beside NumPy's import alone.
Medians.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cnn_core import MLP

COLD = """
import time
start = time.perf_counter()
import numpy
imported = time.perf_counter()
if {ours}:
    import cnn_core
    model = cnn_core.load({path!r})
    model.predict(numpy.zeros((1, 8), "float32"))
print(imported - start, time.perf_counter() - imported)
"""


def model_of(n_in, hidden, n_out):
    """A model with random weights that has been trained for an epoch."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, n_in)).astype("float32")
    return MLP(hidden, epochs=1, random_state=0).fit(X, np.arange(200) % n_out)


def interleaved(repeats, **calls):
    """The median seconds of each call, one after the other again and again."""
    seconds = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(all_of) for name, all_of in seconds.items()}


def warm(folder, repeats):
    """Print saving and loading in a process that has done both before."""
    model = model_of(784, (128,), 10)
    arrays = {f"{l}{part}": a for l, pair in enumerate(zip(model.weights_, model.biases_))
              for part, a in zip("Wb", pair)}  # fmt: skip
    ours, theirs = folder / "model", folder / "arrays.npz"

    def load_arrays():
        with np.load(theirs) as file:
            return [file[name] for name in file]

    def unflushed():
        flush, os.fsync = os.fsync, lambda file: None
        try:
            model.save(ours)
        finally:
            os.fsync = flush

    for call in (model.save, unflushed):
        call(ours) if call == model.save else call()
    found = interleaved(
        repeats,
        savez=lambda: np.savez(theirs, **arrays),
        save=lambda: model.save(ours),
        unflushed=unflushed,
        numpy_load=load_arrays,
        load=lambda: MLP.load(ours),
    )
    ms = {name: f"{1e3 * value:.2f} ms" for name, value in found.items()}
    print(f"784-128-10, {ours.stat().st_size:,} bytes, {repeats} times")
    print(
        f"save {ms['save']}, without fsync {ms['unflushed']}, numpy.savez {ms['savez']}: "
        f"{found['save'] / found['savez']:.1f} times, {found['unflushed'] / found['savez']:.1f}"
    )
    print(
        f"load {ms['load']}, numpy.load {ms['numpy_load']}: "
        f"{found['load'] / found['numpy_load']:.1f} times"
    )


def cold(folder, repeats):
    """Print the first prediction of a new process."""
    path = folder / "small"
    model_of(8, (16,), 2).save(path)
    variables = os.environ | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages have their bytecode
    beyond, alone = [], []
    for i in range(1 + repeats):
        for ours in (False, True):
            done = subprocess.run(
                [sys.executable, "-c", COLD.format(ours=ours, path=str(path))],
                capture_output=True, text=True, check=True, env=variables,
            )  # fmt: skip
            numpy_import, rest = map(float, done.stdout.split())
            if i > 0:  # the first one has compiled the bytecode
                (beyond if ours else alone).append(rest if ours else numpy_import)
    print(
        f"import, load of 8-16-2 and a prediction: {1e3 * statistics.median(beyond):.1f} ms "
        f"beyond NumPy's import, which takes {1e3 * statistics.median(alone):.1f} ms"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        warm(Path(name), options.repeats)
        cold(Path(name), max(5, options.repeats // 5))


if __name__ == "__main__":
    main()
