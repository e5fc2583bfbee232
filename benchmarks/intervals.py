"""Coverage and width of calibrated intervals: three losses of cnn_core.MLP, and
TabularMLP, beside scikit-learn's quantile gradient boosting.

    python -m pip install scikit-learn
    OMP_NUM_THREADS=1 python benchmarks/intervals.py FOLDER    # a table of twelve sets
    python benchmarks/intervals.py FOLDER --seeds 5 --only concrete friedman1

Twelve sets: the regressions among the .npz files of the folder as `tables.py` reads them,
scikit-learn's diabetes unless it is among them, its make_friedman1 to 3 and, until they are twelve,
made ones whose noise depends on x (`MADE`). Split s is a permutation by numpy's
default_rng(1000 + s): at most 1,500 rows, three quarters of all, to learn from, a quarter of which
is set apart to calibrate with, and up to 3,000 of the rest to test. Boosting fits both ends of each
interval alone, which are then calibrated with the same rows by conformalized quantile regression
(Romano, Patterson & Candes 2019). Widths are divided by the standard deviation of the test y; means
are over the sets.
"""

import argparse
import math
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingRegressor
from tables import load

from cnn_core import MLP, Pinball, TabularMLP

LEVELS = (0.8, 0.9, 0.95)
SETS = 12
QUANTILES = (0.025, 0.05, 0.1, 0.5, 0.9, 0.95, 0.975)


def fan(rng, n):
    """Noise that grows with x."""
    X = rng.uniform(0, 1, (n, 4))
    return X, np.sin(6 * X[:, 0]) + X[:, 1] + (0.05 + X[:, 0]) * rng.standard_normal(n)


def skewed(rng, n):
    """Exponential noise, to one side alone, whose scale depends on another feature."""
    X = rng.standard_normal((n, 6))
    return X, X[:, 0] * X[:, 1] + np.exp(0.7 * X[:, 2]) * rng.exponential(1, n)


def heavy(rng, n):
    """Student's t with 3 degrees of freedom, of two scales."""
    X = rng.uniform(-1, 1, (n, 5))
    return X, 2 * np.abs(X[:, 0]) - X[:, 1] + np.where(X[:, 2] > 0, 1, 0.2) * rng.standard_t(3, n)


def counted(rng, n):
    """Counts of a Poisson distribution."""
    X = rng.uniform(-1, 1, (n, 5))
    return X, rng.poisson(np.exp(1.5 + X[:, 0] + X[:, 1] * X[:, 2])).astype(float)


def friedman(make, noise):
    def made(rng, n):
        return make(n_samples=n, noise=noise, random_state=int(rng.integers(1 << 31)))

    return made


MADE = {
    "friedman1": friedman(datasets.make_friedman1, 1.0),
    "friedman2": friedman(datasets.make_friedman2, 100.0),
    "friedman3": friedman(datasets.make_friedman3, 0.1),
    "fan": fan, "skewed": skewed, "heavy": heavy, "counted": counted,
}  # fmt: skip


def all_sets(folder):
    """X and y by name; those that are made have ' (made)' in the name."""
    read = {path.stem: load(path) for path in sorted(folder.glob("*.npz"))}
    found = {name: (data.X, data.y) for name, data in read.items() if data.task == "r"}
    if "diabetes" not in found:
        found["diabetes"] = datasets.load_diabetes(return_X_y=True)
    for k, (name, make) in enumerate(MADE.items()):
        if len(found) < SETS:
            found[f"{name} (made)"] = make(np.random.default_rng(k), 4500)
    return found


def of_loss(loss):
    """Intervals of our MLP, for each level."""

    def intervals(learn, calibrate, X, seed):
        model = MLP(task="regression", loss=loss, random_state=seed).fit(*learn)
        model.calibrate(*calibrate)
        return [model.predict_interval(X, level) for level in LEVELS]

    return intervals


def boosting(learn, calibrate, X, seed):
    """Intervals of quantile gradient boosting, for each level."""
    found = []
    for level in LEVELS:
        ends = {"loss": "quantile", "random_state": seed}
        low, high = (
            HistGradientBoostingRegressor(quantile=q, **ends).fit(*learn)
            for q in ((1 - level) / 2, (1 + level) / 2)
        )
        known, y = calibrate
        scores = np.sort(np.maximum(low.predict(known) - y, y - high.predict(known)))
        score = scores[math.ceil((len(y) + 1) * level) - 1]
        found.append(np.stack((low.predict(X) - score, high.predict(X) + score), axis=1))
    return found


def tabular(learn, calibrate, X, seed):
    """Intervals of TabularMLP, for each level."""
    model = TabularMLP("regression", random_state=seed).fit(*learn).calibrate(*calibrate)
    return [model.predict_interval(X, level) for level in LEVELS]


METHODS = {
    "residuals": of_loss("mse"),
    "TabularMLP": tabular,
    "gaussian_nll": of_loss("gaussian_nll"),
    "pinball": of_loss(Pinball(QUANTILES)),
    "boosting": boosting,
}


def measured(method, X, y, seed):
    """Coverage and width of each level, shape (levels, 2)."""
    order = np.random.default_rng(1000 + seed).permutation(len(y))
    learned = min(int(0.75 * len(y)), 1500)
    train, test = order[:learned], order[learned : learned + 3000]
    apart, rest = train[: learned // 4], train[learned // 4 :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = method((X[rest], y[rest]), (X[apart], y[apart]), X[test], seed)
    found = [np.sort(interval, axis=1) for interval in found]
    known = y[test]
    return [
        (
            np.mean((interval[:, 0] <= known) & (known <= interval[:, 1])),
            np.mean(interval[:, 1] - interval[:, 0]) / known.std(),
        )
        for interval in found
    ]


def line(name, method, values):
    """A row of the table: coverage in percent and width of each level."""
    cells = (f"{100 * coverage:7.1f} {width:6.3f}" for coverage, width in values)
    print(name.ljust(20), method.ljust(13), *cells, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", metavar="SET")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, metavar="METHOD")
    options = parser.parse_args()
    sets = all_sets(options.folder)
    sets = {k: v for k, v in sets.items() if not options.only or k.split()[0] in options.only}
    print("set".ljust(20), "method".ljust(13), *(f"{100 * v:7g} %  width"[-14:] for v in LEVELS))
    results, seconds = {}, dict.fromkeys(options.methods, 0.0)
    for name, (X, y) in sets.items():
        for method in options.methods:
            before = time.perf_counter()
            runs = [measured(METHODS[method], X, y, seed) for seed in range(options.seeds)]
            seconds[method] += time.perf_counter() - before
            results[name, method] = np.mean(runs, axis=0)
            line(name, method, results[name, method])
    nominal = np.array(LEVELS)
    for method in options.methods:
        each = np.array([results[name, method] for name in sets])
        mean = each.mean(axis=0)
        line("mean", method, mean)
        off = 100 * np.abs(mean[:, 0] - nominal), 100 * np.abs(each[:, :, 0] - nominal).mean(axis=0)
        texts = [" ".join(f"{v:.2f}" for v in values) for values in off]
        print(f"  |mean coverage - nominal| {texts[0]}; mean |coverage - nominal| {texts[1]}")
        if "boosting" in options.methods:
            theirs = np.array([results[name, "boosting"] for name in sets])
            ratios = np.exp(np.log(each[:, :, 1] / theirs[:, :, 1]).mean(axis=0))
            shares = " ".join(f"{ratio:.3f}" for ratio in ratios)
            print(f"  width / boosting's, geometric mean {shares}; {seconds[method]:.0f} s")


if __name__ == "__main__":
    main()
