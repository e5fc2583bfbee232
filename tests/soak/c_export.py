"""Whether headers of `export_c` give the bits of `predict`: every activation, task and dtype, on
10,000 random rows each, beside rows of zeros, of 1e30 and of subnormal numbers; compiled for this
machine by gcc -O2 and by gcc -O3 -march=native, and for 64-bit ARM (under qemu-aarch64, if that and
the compiler are there).

    python tests/soak/c_export.py                         # five minutes
    python tests/soak/c_export.py --activations relu tanh --rows 1000
"""

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

from cnn_core import MLP, _activations

sys.path.insert(0, str(Path(__file__).parents[1]))
from export_cases import struct_rows, table

PROGRAM = """#include "net.h"
#include <stdio.h>
int main(void) {
    static net_work work;
    static ROW x;
    static REAL y[NET_OUTPUTS];
    while (fread(&x, sizeof x, 1, stdin) == 1) {
        net_forward(GIVEN x, y, &work);
        fwrite(y, sizeof y, 1, stdout);
    }
    return 0;
}
"""
BUILDS = {
    "gcc -O2": (["gcc", "-O2"], []),
    "gcc -O3 -march=native": (["gcc", "-O3", "-march=native"], []),
    "64-bit ARM": (["aarch64-linux-gnu-gcc", "-O2", "-static"], ["qemu-aarch64"]),
}
TASKS = ("number", "numbers", "two", "three", "many", "several")
ROWS = 60


def targets(kind, rng):
    z = rng.normal(size=ROWS)
    return {
        "number": z,
        "numbers": np.column_stack((z, 100 * rng.normal(size=ROWS))),
        "two": z > 0,
        "three": np.digitize(z, (-0.5, 0.5)),
        "many": np.arange(ROWS) % 20,
        "several": rng.integers(0, 2, (ROWS, 3)),
    }[kind]


def matrix_case(kind, activation, dtype, rows):
    """A model, and rows as bytes with the outputs that they give."""
    rng = np.random.default_rng([len(kind), len(activation)])
    X = (rng.normal(size=(ROWS, 5)) * (1, 5, 0.1, 1e3, 1) + (0, 20, 3, 0, 0)).astype(dtype)
    scalings = ("standard", "robust_clip", "robust_asinh", "minmax", None)
    how = scalings[sum(map(ord, kind + activation)) % len(scalings)]
    settings = dict(activation=activation, scale_inputs=how, dtype=dtype, random_state=0)
    model = MLP(hidden=(9, 7), epochs=2, **settings).fit(X, targets(kind, rng))
    given = X[rng.integers(0, ROWS, rows)] + rng.normal(size=(rows, 5)) * (2, 9, 1, 1e3, 1)
    tiny = np.float32(1e-40) if dtype == "float32" else 1e-310
    given = given.astype(dtype)
    given[0], given[1], given[2], given[3] = 0, 1e30, tiny, -tiny
    given[4, ::2], given[5, 1] = 1e30, -1e30
    return model, given.tobytes(), given


def table_case(kind, activation, dtype, rows):
    rng = np.random.default_rng(len(kind))
    columns = {"int": "category", "shop": "embedding"}
    model = MLP(hidden=6, epochs=2, columns=columns, activation=activation, dtype=dtype)
    model.set_params(random_state=0).fit(table(ROWS), targets(kind, rng))
    given = table(rows, seed=1)
    return model, struct_rows(model.columns_, given).tobytes(), given


def run(case, dtype, folder):
    """The builds whose outputs differ, of those that can be made."""
    model, data, given = case
    wanted = model.forward(given)
    model.export_c(folder / "net.h")
    (folder / "net.c").write_text(PROGRAM)
    real = {"float32": "float", "float64": "double"}[dtype]
    of_table = model._model().columns is not None
    if of_table:
        defines = ["-DROW=net_row", "-DGIVEN=&"]
    else:
        (folder / "net.c").write_text("typedef struct { REAL v[5]; } row;\n" + PROGRAM)
        defines = ["-DROW=row", "-DGIVEN=(const REAL *)&"]
    finite = np.isfinite(wanted).all(axis=1)
    wrong = []
    for name, (compiler, emulator) in BUILDS.items():
        if not all(map(shutil.which, (compiler[0], *emulator))):
            continue
        command = [*compiler, f"-DREAL={real}", *defines, "net.c", "-o", "net", "-lm"]
        subprocess.run(command, cwd=folder, check=True)
        done = subprocess.run(
            [*emulator, "./net"], cwd=folder, input=data, capture_output=True, check=True
        )
        y = np.frombuffer(done.stdout, wanted.dtype).reshape(wanted.shape)
        same = (y[finite].tobytes() == wanted[finite].tobytes()) and not (
            np.isfinite(y[~finite]).all(axis=1).any()
        )
        if not same:
            rows = np.flatnonzero((y != wanted).any(axis=1) & finite)
            wrong.append(f"{name} (row {rows[0] if len(rows) else '?'} of {len(rows)})")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    names = [name for name in _activations.names() if name not in ("step", "sign")]
    parser.add_argument("--activations", nargs="+", default=names)
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--rows", type=int, default=10_000)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    count, failures = 0, []
    pairs = itertools.product(options.activations, options.tasks, ("float32", "float64"))
    with tempfile.TemporaryDirectory() as folder:
        for activation, task, dtype in pairs:
            for make in (matrix_case, table_case)[: 1 + (activation in ("relu", "tanh"))]:
                case = make(task, activation, dtype, options.rows)
                count += 1
                for one in run(case, dtype, Path(folder)):
                    failures.append(f"{make.__name__} {activation} {task} {dtype}: {one}")
                    print(failures[-1], flush=True)
    print(f"{count} nets, {options.rows:,} rows each, {len(BUILDS)} builds: {len(failures)} differ")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
