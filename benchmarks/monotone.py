"""Monotone networks: whether any of many pairs of rows is ordered the wrong way, and what the
promise costs in error where the sign is known.

    python benchmarks/monotone.py --pairs 1000000               # each activation, both dtypes
    python benchmarks/monotone.py --tables FOLDER               # errors with and without it

A pair are two rows of which one is larger in a column that outputs are to rise with, smaller in one
that they are to fall with, by a few ulps up to the size of the column. The tables are those of
benchmarks/tables.py; three splits of at most 1,500 rows to learn from, three seeds.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from cnn_core.constraints.allowed import NEVER_FALL
from tables import load

from cnn_core import MLP

#: Of each set the columns of which it is known that y rises with them, or falls, and why.
KNOWN = {
    "concrete": ({0: 1, 3: -1, 7: 1}, "strength: cement and age +, water -"),
    "california": ({0: 1}, "price of houses: income +"),
    "diamonds": ({0: 1}, "price: carat +"),
}


def wrong_pairs(activation, dtype, n):
    """How many of n pairs a trained network orders the wrong way, and how many it tells apart."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (2000, 4))
    y = np.tanh(3 * X[:, 0]) + X[:, 0] * np.maximum(X[:, 3], 0) - X[:, 1] ** 3 + np.sin(4 * X[:, 2])
    model = MLP(
        (32, 16), activation, monotone={0: 1, 1: -1}, epochs=20, learning_rate=2e-3, dtype=dtype,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    low = rng.uniform(-1.5, 1.5, (n, 4)).astype(dtype)
    high = low.copy()
    steps = 10.0 ** rng.uniform(-9, 0, (n, 2))
    high[:, 0] += steps[:, 0].astype(dtype)
    high[:, 1] -= steps[:, 1].astype(dtype)
    ulps = rng.random(n) < 0.3
    for column, way in ((0, np.inf), (1, -np.inf)):
        high[ulps, column] = np.nextafter(low[ulps, column], low.dtype.type(way))
    before, after = model.predict(low), model.predict(high)
    return int((after < before).sum()), int((after > before).sum())


def errors(folder):
    print(f"{'set':12} {'MLP':>7} {'monotone':>8}  what is known")
    for name, (monotone, words) in KNOWN.items():
        data = load(folder / f"{name}.npz")
        found = {}
        for split in range(3):
            order = np.random.default_rng(1000 + split).permutation(len(data.y))
            learned = min(int(0.75 * len(data.y)), 1500)
            train, test = order[:learned], order[learned : learned + 3000]
            for seed in range(3):
                for promise in (None, monotone):
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        model = MLP(
                            (64, 64), scale_inputs="standard", clip_outputs=True,
                            early_stopping=True, epochs=300, patience=30, monotone=promise,
                            random_state=seed,
                        ).fit(data.X[train], data.y[train])  # fmt: skip
                    residual = model.predict(data.X[test]) - data.y[test]
                    error = np.sqrt(np.mean(residual**2)) / data.y[test].std()
                    found.setdefault(promise is None, []).append(error)
        print(f"{name:12} {np.mean(found[True]):7.4f} {np.mean(found[False]):8.4f}  {words}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--tables", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    if options.pairs:
        for activation in NEVER_FALL:
            if activation in ("step", "sign"):
                continue
            for dtype in ("float32", "float64"):
                wrong, apart = wrong_pairs(activation, dtype, options.pairs)
                print(
                    f"{activation:13} {dtype}: {wrong} of {options.pairs:,} wrong, {apart:,} differ"
                )
    if options.tables:
        errors(options.tables)


if __name__ == "__main__":
    main()
