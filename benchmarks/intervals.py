"""Calibrated intervals on tables: how many new rows are inside, and how wide they are, beside
gradient boosting of quantiles with the same calibration.

    python -m pip install scikit-learn
    python benchmarks/intervals.py FOLDER

The sets are the regressions of a FOLDER as benchmarks/tables.py has it, scikit-learn's diabetes,
and made ones until there are twelve. Of each split at most 1,500 rows to learn from, a third as
many to calibrate with, up to 3,000 of the rest to test. Widths are divided by the standard
deviation of y. The boosting is HistGradientBoostingRegressor(loss="quantile") at both ends with the
step of Romano, Patterson & Candes 2019.
"""

import argparse
import math
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes, make_friedman1, make_friedman2, make_friedman3
from sklearn.ensemble import HistGradientBoostingRegressor
from tables import load

from cnn_core import MLPRegressor, TabularMLP

LEVELS = (0.8, 0.9, 0.95)


def made(seed, n=6000):
    """Sets whose noise is known: constant, growing, heavy-tailed, skewed."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 4))
    f = np.sin(3 * X[:, 0]) + X[:, 1] * X[:, 2]
    return {
        "made: normal": (X, f + 0.3 * rng.normal(size=n)),
        "made: growing": (X, f + (0.1 + 0.4 * (X[:, 3] + 1)) * rng.normal(size=n)),
        "made: heavy tails": (X, f + 0.3 * rng.standard_t(3, n)),
        "made: skewed": (X, f + rng.gamma(1, 0.4, n)),
    }


def sets(folder):
    found = {}
    for path in sorted(folder.glob("*.npz")):
        data = load(path)
        if data.task == "r":
            found[path.stem] = data.X, data.y
    if "diabetes" not in found:
        found["diabetes"] = load_diabetes(return_X_y=True)
    for make in (make_friedman1, make_friedman2, make_friedman3):
        name = make.__name__.removeprefix("make_")
        noise = {"friedman1": 1.0, "friedman2": 125.0, "friedman3": 0.1}[name]
        found[f"made: {name}"] = make(6000, noise=noise, random_state=0)
    return dict(list((found | made(0)).items())[:12])


def of_network(train, apart, new, seed):
    model = MLPRegressor((64, 64), early_stopping=True, epochs=300, patience=20, random_state=seed)
    model.fit(*train).calibrate(*apart)
    return {level: model.predict_interval(new[0], level).T for level in LEVELS}


def of_tabular(train, apart, new, seed):
    model = TabularMLP("regression", random_state=seed).fit(*train).calibrate(*apart)
    return {level: model.predict_interval(new[0], level).T for level in LEVELS}


def of_boosting(train, apart, new, seed):
    found = {}
    for level in LEVELS:
        ends = []
        for q in ((1 - level) / 2, (1 + level) / 2):
            one = HistGradientBoostingRegressor(loss="quantile", quantile=q, random_state=seed)
            ends.append(one.fit(*train))
        low, high = (one.predict(apart[0]) for one in ends)
        scores = np.sort(np.maximum(low - apart[1], apart[1] - high))
        s = scores[min(len(scores), math.ceil((len(scores) + 1) * level)) - 1]
        found[level] = ends[0].predict(new[0]) - s, ends[1].predict(new[0]) + s
    return found


METHODS = {"MLP": of_network, "TabularMLP": of_tabular, "boosting": of_boosting}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    options = parser.parse_args()
    chosen = {name: METHODS[name] for name in options.methods}
    head = "  ".join(f"{name:>10} {level:.0%}" for name in chosen for level in LEVELS)
    print(f"{'set':24} {head}   inside in %, and width in standard deviations of y")
    inside, widths = ({(m, l): [] for m in chosen for l in LEVELS} for _ in range(2))
    for name, (X, y) in sets(options.folder).items():
        found = {key: ([], []) for key in inside}
        for seed in range(options.seeds):
            order = np.random.default_rng(1000 + seed).permutation(len(y))
            n = min(int(0.5 * len(y)), 1500)
            parts = np.split(order, [n, n + n // 3, n + n // 3 + 3000])[:3]
            train, apart, new = ((X[part], y[part]) for part in parts)
            for method, make in chosen.items():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    intervals = make(train, apart, new, seed)
                for level, (low, high) in intervals.items():
                    shares, wide = found[method, level]
                    shares.append(np.mean((low <= new[1]) & (new[1] <= high)))
                    wide.append(np.mean(high - low) / y.std())
        told = []
        for key, (shares, wide) in found.items():
            inside[key].append(np.mean(shares))
            widths[key].append(np.mean(wide))
            told.append(f"{100 * np.mean(shares):7.1f} {np.mean(wide):6.2f}")
        print(f"{name:24} {'  '.join(told)}", flush=True)
    for word, table in (("mean inside, %", inside), ("mean width", widths)):
        print(word, *(f"{m} {l:.0%}: {np.mean(v):.4f};" for (m, l), v in table.items()))


if __name__ == "__main__":
    main()
