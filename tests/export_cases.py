"""Tables of all kinds of columns, and the rows of headers that hold the same."""

import subprocess

import numpy as np

from cnn_core import MLP

DAYS = np.datetime64("1890-01-01T00:00:00", "us")


def table(rows, seed=0, gaps=True):
    """A dict of columns: numbers, categories of three sizes, True and False, dates."""
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 9, rows)
    colours = np.array(["red", "blue", 'gr\u00fcn "dark"'] + [None] * gaps, object)
    day = DAYS + rng.integers(0, 10**15 * 5, rows).astype("timedelta64[us]")
    if gaps:
        age[rng.random(rows) < 0.1], day[rng.random(rows) < 0.1] = np.nan, np.datetime64("NaT")
    return {
        "age": age,
        "x y/z": rng.normal(0, 1, rows).astype("f4").astype(float),
        "colour": colours[rng.integers(0, len(colours), rows)].tolist(),
        "day": day,
        "int": rng.integers(0, 12, rows).astype(str).tolist(),
        "shop": [f"s{i}" for i in rng.integers(0, 80, rows)],
        "flag": (rng.random(rows) < 0.5).tolist(),
    }


FIELDS = [
    *(("age", "f8"), ("x_y_z", "f8"), ("colour", "i4"), ("day", "i8"), ("column_int", "i4")),
    *(("shop", "i4"), ("flag", "i4")),
]


def struct_rows(columns, given):
    """The same as an array of the structs of a header."""
    rows = np.zeros(len(given["age"]), np.dtype(FIELDS, align=True))
    for column, field in zip(columns.columns, rows.dtype.names):
        values = given[column.name]
        if rows.dtype[field] == "f8":
            rows[field] = values
        elif rows.dtype[field] == "i8":
            rows[field] = np.asarray(values).view("i8")
        else:
            codes = {value: code for code, value in enumerate(column.values)} | {None: -1}
            texts = [None if one is None else str(one) for one in values]
            rows[field] = [codes.get(text, len(column.values)) for text in texts]
    return rows


def rows_in(net, n, dtype, seed=0):
    """Rows in the range of the inputs of a net of integers, some at its ends."""
    share = np.random.default_rng(seed).random((n, len(net.low)))
    share[: n // 4] = share[: n // 4] > 0.5
    rows = (net.low + (net.high - net.low) * share).astype(dtype)
    inside = np.nextafter(rows, (net.low + net.high).astype(dtype) / 2)
    return np.where((rows < net.low) | (rows > net.high), inside, rows)


#: Learns from the mini-batches that it is given, and gives back all parameters.
LEARNER = """#include "net.h"
#include <stdio.h>
int main(void) {
    static net_work work;
    static XTYPE X[32 * XCOUNT];
    static YTYPE y[32 * YCOUNT];
    static REAL p[NET_PARAMETERS];
    int32_t rows;
    net_start(&work);
    while (fread(&rows, sizeof rows, 1, stdin) == 1) {
        if (fread(X, sizeof *X, (size_t)rows * XCOUNT, stdin) == 0) return 1;
        if (fread(y, sizeof *y, (size_t)rows * YCOUNT, stdin) == 0) return 1;
        if (rows == 1)
            net_learn(&work, X, ONE y);
        else
            net_learn_batch(&work, X, y, rows);
    }
    net_parameters(&work, p);
    return fwrite(p, sizeof p, 1, stdout) != 1;
}
"""


def learning_case(kind, dtype="float32", **parameters):
    """A fitted MLP, and what draws more rows: (rows, seed) gives X, y, as C takes them too."""

    def drawn(rows, seed):
        rng = np.random.default_rng(seed)
        X = (rng.normal(size=(rows, 4)) * (1, 5, 0.1, 1) + (0, 20, 3, 0)).astype(dtype)
        z = X[:, 0].astype(float) + X[:, 1] / 5 - 4
        return X, {
            "number": 3 * z + 7,
            "numbers": np.column_stack((z, 100.0 * X[:, 2])),
            "count": np.abs(np.round(z)),
            "two": (z > 0).astype("i4"),
            "three": np.digitize(z, (-0.5, 0.5)).astype("i4"),
            "many": np.abs(np.floor(7 * z)).astype("i4") % 20,
            "several": np.column_stack((z > 0, X[:, 2] > 3)).astype("i4"),
        }[kind]

    X, y = drawn(200, 0)
    if kind == "many":
        y[:20] = np.arange(20)
    how = dict(hidden=(7, 5), epochs=2, batch_size=64, scale_inputs="standard", random_state=0)
    return MLP(**{**how, "dtype": dtype, **parameters}).fit(X, y), drawn


def learned_in_c(folder, model, batches, compiler, emulator=()):
    """All parameters after the mini-batches, in C."""
    model.export_c(folder / "net.h", train=True)
    (folder / "net.c").write_text(LEARNER)
    X, y = batches[0]
    one = "" if y.ndim == 2 else "*"
    words = {"f4": "float", "f8": "double", "i4": "int32_t"}
    defines = {
        "XTYPE": words.get(X.dtype.str[1:], "net_row"),
        "YTYPE": words[y.dtype.str[1:]],
        "XCOUNT": X.shape[1] if X.ndim == 2 else 1,
        "YCOUNT": y.shape[1] if y.ndim == 2 else 1,
        "REAL": words[model.parameters_.dtype.str[1:]],
        "ONE": one,
    }
    flags = [f"-D{name}={value}" for name, value in defines.items()]
    warns = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    command = [*compiler, *warns, *flags, "net.c", "-o", "net", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    parts = (np.int32(len(X)).tobytes() + X.tobytes() + y.tobytes() for X, y in batches)
    done = subprocess.run(
        [*emulator, "./net"], cwd=folder, input=b"".join(parts), capture_output=True, check=True
    )
    return done.stdout
