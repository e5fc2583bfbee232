"""What a row of a table costs beside a row of its matrix: ``python benchmarks/table_rows.py``.

A table of five numbers and five categories, and the matrix that it becomes, through two networks of
the same widths. Nanoseconds a call, the least of many short runs that take turns, as others may use
the machine meanwhile; then the ratio to the array of the model's dtype.
"""

import argparse
import math
import time

import numpy as np

from cnn_core import MLP

CALLS = 100  # in a run


def models(hidden):
    """A model of a table and one of its matrix, with a row for each."""
    rng, n = np.random.default_rng(0), 600
    table = {f"x{i}": rng.normal(size=n).tolist() for i in range(5)}
    towns = ["Aarhus", "Bergen", "Cork", "Delft"]
    table |= {f"c{i}": rng.choice(towns[: 2 + i % 3], n).tolist() for i in range(5)}
    y = np.array(table["x0"]) + np.array([len(town) for town in table["c1"]])
    options = dict(hidden=hidden, epochs=2, random_state=0, scale_inputs="standard")
    of_table = MLP(columns="auto", **options).fit(table, y)
    X = of_table.columns_.encode(table)
    of_matrix = MLP(**options).fit(X, y)
    return of_table, {name: values[0] for name, values in table.items()}, of_matrix, X[0]


def calls(hidden):
    """What is measured, by name."""
    of_table, row, of_matrix, x = models(hidden)
    x32, out = x.astype("float32"), np.empty(1, "float32")
    counts = {name: 3 if isinstance(value, float) else value for name, value in row.items()}
    unknown = row | {"c1": "Eskilstuna"}
    one, many = of_matrix.predict_one, of_table.predict_one
    listed, X32 = x.tolist(), x32[None]
    encode = of_table.columns_.encode_row
    assert many(row).tobytes() == one(x).tobytes()
    return {
        "array of float32": lambda: one(x32),
        "the same, not checked": lambda: one(x32, None, False),
        "array of float32, out": lambda: one(x32, out),
        "array of float64": lambda: one(x),
        "list of floats": lambda: one(listed),
        "dict": lambda: many(row),
        "dict, out": lambda: many(row, out),
        "dict with ints": lambda: many(counts),
        "dict, unknown category": lambda: many(unknown),
        "dict, label": lambda: many(row, labels=True),
        "encoding alone": lambda: encode(row),
        "predict of an array": lambda: of_matrix.predict(X32),
        "predict of a dict": lambda: of_table.predict([row]),
    }


def main():
    """Print a line for each call."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hidden", type=int, nargs="+", default=[32])
    parser.add_argument("--rounds", type=int, default=1000)
    options = parser.parse_args()
    measured = calls(options.hidden)
    best = dict.fromkeys(measured, math.inf)
    for _ in range(options.rounds):
        for name, call in measured.items():
            start = time.perf_counter()
            for _ in range(CALLS):
                call()
            best[name] = min(best[name], (time.perf_counter() - start) / CALLS * 1e9)
    first = best["array of float32"]
    for name, taken in best.items():
        print(f"{name:24}{taken:8.0f} ns{taken / first:7.2f}")


if __name__ == "__main__":
    main()
