"""The time of one row in a header of `export_c` beside the same row in Python.

    python benchmarks/export.py        # half a minute

Both are timed in turn, in rounds of as many rows; the median of the rounds is shown. Python's is
`functional.RowPredictor`, the native part of `predict_one`, beside what calling a function of no
arguments costs there.
"""

import ctypes
import itertools
import statistics
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from cnn_core import MLP
from cnn_core import functional as F

ROUNDS, ROWS = 61, 20_000
BUILDS = (["-O2"], ["-O2", "-march=native"], ["-O3", "-march=native"], ["-Os", "-march=native"])
LIBRARY = """#include "net.h"
#include <time.h>
double run(int n, const REAL *x) {
    static net_work work;
    static REAL y[NET_OUTPUTS];
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int r = 0; r < n; r++) {
        net_forward(x, y, &work);
        __asm__ volatile("" : : "r"(y) : "memory");
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (b.tv_sec - a.tv_sec) + 1e-9 * (b.tv_nsec - a.tv_nsec);
}
"""


def in_c(model, flags, folder):
    """A function from rows to the seconds that they take."""
    model.export_c(folder / "net.h")
    (folder / "net.c").write_text(LIBRARY)
    program = folder / f"net{'_'.join(flags)}.so"
    real = "double" if model._model().network.dtype == np.float64 else "float"
    command = ["gcc", *flags, f"-DREAL={real}", "-shared", "-fPIC", "net.c", "-o", program, "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    run = ctypes.CDLL(str(program)).run
    run.restype = ctypes.c_double
    return lambda x, rows: run(rows, ctypes.c_void_p(x.ctypes.data))


def in_python(call, rows):
    begin = time.perf_counter()
    for _ in range(rows):
        call()
    return time.perf_counter() - begin


def measured(shape, folder):
    n_in, *hidden, n_out = shape
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(200, n_in)).astype("f4"), rng.normal(size=(200, n_out))
    model = MLP(tuple(hidden), epochs=1, scale_inputs="standard", random_state=0).fit(X, Y)
    fitted = model._model()
    targets = fitted.target_scaling
    row = F.RowPredictor(fitted.network, fitted.scaling.arrays, targets and targets.arrays)
    x, out = X[0].copy(), np.empty(n_out, "f4")
    nothing = [].copy
    built = {" ".join(flags): in_c(model, flags, folder) for flags in BUILDS}
    seconds = {name: [] for name in ("python", "nothing", *built)}
    rows = max(200, ROWS * 200 // sum(a * b for a, b in itertools.pairwise(shape)))
    for _ in range(ROUNDS):
        seconds["python"].append(in_python(lambda: row.forward(x, out), rows))
        seconds["nothing"].append(in_python(nothing, rows))
        for name, run in built.items():
            seconds[name].append(run(x, rows))
    return {name: 1e9 * statistics.median(each) / rows for name, each in seconds.items()}


def main():
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for k, shape in enumerate(((8, 16, 2), (30, 64, 32, 2), (100, 256, 256, 10))):
            place = Path(folder) / str(k)
            place.mkdir()
            found = measured(shape, place)
            native = found["python"] - found["nothing"]
            print(
                f"{'-'.join(map(str, shape))}: Python {found['python']:.0f} ns, without the call "
                f"{native:.0f} ns"
            )
            for flags in BUILDS:
                time_in_c = found[" ".join(flags)]
                print(f"    gcc {' '.join(flags):20} {time_in_c:8.0f} ns, {time_in_c / native:.2f}")


if __name__ == "__main__":
    main()
