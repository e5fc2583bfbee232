"""Whether headers in integers are ever off by more than the bound that they print: 1,000,000 rows
in the range of the inputs, a quarter of them at its corners, for every activation, task and dtype.
The integers are those of C, compiled with checks of overflow, and are compared with Python's.

    python tests/soak/c_integers.py                 # ten minutes
    python tests/soak/c_integers.py --rows 20000
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from cnn_core.export.integers import exact, header, in_units
from cnn_core.export.quantized import quantized, range_of
from cnn_core.export.tables import _CURVES

from cnn_core import MLP

sys.path.insert(0, str(Path(__file__).parents[1]))
from export_cases import rows_in

PROGRAM = """#include "net.h"
#include <stdio.h>
int main(void) {
    static net_work work;
    net_number x[NET_INPUTS];
    int32_t y[NET_OUTPUTS];
    while (fread(x, sizeof x, 1, stdin) == 1) {
        net_forward(x, y, &work);
        fwrite(y, sizeof y, 1, stdout);
    }
    return 0;
}
"""
FLAGS = ["-O2", "-fsanitize=undefined", "-fno-sanitize-recover"]
TASKS = ("number", "numbers", "three")


def fitted(activation, task):
    rng = np.random.default_rng(4)
    X = (rng.normal(size=(300, 4)) * (1, 5, 0.1, 10) + (0, 20, 3, 0)).astype("f4")
    z = X[:, 0] + X[:, 1] / 5 - 4 + np.sin(X[:, 3] / 5)
    y = {
        "number": 3 * z,
        "numbers": np.column_stack((z, 100 * X[:, 2])),
        "three": np.digitize(z, (-0.5, 0.5)),
    }[task]
    hidden = {"number": (9, 6), "numbers": 24, "three": (12, 8, 6)}[task]
    how = dict(epochs=20, scale_inputs="standard", random_state=0)
    return MLP(hidden, activation=activation, **how).fit(X, y)._model()


def in_c(folder, model, dtype, x):
    (folder / "net.h").write_text(header(model, "net", dtype))
    (folder / "net.c").write_text(PROGRAM)
    subprocess.run(["gcc", *FLAGS, "net.c", "-o", "net"], cwd=folder, check=True)
    done = subprocess.run(
        ["./net"], cwd=folder, input=x.astype(dtype).tobytes(), capture_output=True, check=True
    )
    return np.frombuffer(done.stdout, "i4").reshape(len(x), -1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    count, failures, ratios = 0, 0, []
    activations = (*_CURVES, "relu", "leaky_relu", "selu", "identity")
    with tempfile.TemporaryDirectory() as folder:
        for activation, task in itertools.product(activations, TASKS):
            model = fitted(activation, task)
            for dtype in ("int8", "int16"):
                net = quantized(model, dtype, range_of(model, None))
                rows = rows_in(net, options.rows, "f4", seed=count)
                x = net.quantize(rows)
                y = in_c(Path(folder), model, dtype, x)
                count += 1
                part = slice(0, 20_000)
                if (y[part] != net.outputs(x[part])).any():
                    failures += 1
                    print(f"{activation} {task} {dtype}: C and Python differ", flush=True)
                off = np.abs(in_units(model, net, y) - exact(model, rows)).max(axis=0)
                ratios.append(float((net.bound / off).min()))
                if (off > net.bound).any():
                    failures += 1
                    print(f"{activation} {task} {dtype}: {off} > {net.bound}", flush=True)
    said = f"{min(ratios):.1f} to {max(ratios):.1f}"
    print(
        f"{count} nets, {options.rows:,} rows each: {failures} fail; bounds are {said} times the "
        "largest error"
    )
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
