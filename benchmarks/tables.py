"""Accuracy on tables that are given as they are: cnn_core.MLP() and TabularMLP() beside other
defaults.

    python -m pip install scikit-learn                  # peers: lightgbm, pytabkit, pandas
    python benchmarks/tables.py FOLDER                  # a table for all .npz files of a folder
    python benchmarks/tables.py FOLDER --splits 5 --seeds 3 --only california concrete
    python benchmarks/tables.py FOLDER --only california --learn 16512 --test 4128 --splits 2
    python benchmarks/tables.py FOLDER --only adult --learn 32561 --test 16281 --in-order --seeds 2

A file holds X of numbers, y, the task ('r' or 'c') and the numbers `cats` of the columns of X that
are categories, which become one-hot. Split s is a permutation by numpy's default_rng(1000 + s): at
most 1,500 rows, three quarters of all, to learn from, and up to 3,000 of the rest to test. The
error is RMSE / standard deviation of the test y, or the share wrong; the last columns are
geometric means, over the sets that have more than 1,000 rows to test or are regressions, of the
ratio to RealMLP's errors on the first three splits (`REALMLP`). TabularMLP takes the columns
themselves.
"""

import argparse
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cnn_core import MLP, TabularMLP

TASKS = {"r": "regression", "c": "classification"}

#: Errors of RealMLP-TD, Holzmueller, Grinsztajn & Steinwart 2024, as a program in PyTorch with 128
#: units a layer: mean of splits 0 to 2 and three seeds (November 2026).
REALMLP = {
    "adult": 0.1620, "breast_cancer": 0.0350, "california": 0.5184, "compactiv": 0.1444,
    "concrete": 0.3231, "diabetes": 0.7479, "diamonds": 0.1187, "digits": 0.0163, "magic": 0.1427,
    "phoneme": 0.1459, "spambase": 0.0643, "wine_white": 0.8321,
}  # fmt: skip


def core(task, seed, **parameters):
    return MLP(task=TASKS[task], random_state=seed, **parameters)


def tabular(members):
    def make(task, seed):
        return TabularMLP(TASKS[task], members=members, random_state=seed)

    make.takes_tables = True
    return make


def scikit_learn(task, seed, scaled):
    net = (MLPRegressor if task == "r" else MLPClassifier)(random_state=seed)
    if not scaled:
        return net
    model = make_pipeline(StandardScaler(), net)
    return TransformedTargetRegressor(model, transformer=StandardScaler()) if task == "r" else model


UNSCALED = {"scale_inputs": None, "scale_targets": None}


def lightgbm(task, seed):
    from lightgbm import LGBMClassifier, LGBMRegressor

    return (LGBMRegressor if task == "r" else LGBMClassifier)(random_state=seed, verbose=-1)


def realmlp(task, seed):
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    make = RealMLP_TD_Regressor if task == "r" else RealMLP_TD_Classifier
    return make(random_state=seed, device="cpu", verbosity=0)


realmlp.takes_tables = True


#: What needs packages of its own: only if asked for.
PEERS = {"LightGBM": lightgbm, "RealMLP-TD": realmlp}
METHODS = {
    "TabularMLP(members=1)": tabular(1),
    "TabularMLP()": tabular(4),
    "MLP()": core,
    "MLP(clip_outputs=True)": lambda task, seed: core(task, seed, clip_outputs=task == "r"),
    "MLP(scale_inputs='standard')": lambda task, seed: core(task, seed, scale_inputs="standard"),
    "MLP without scaling": lambda task, seed: core(task, seed, **UNSCALED),
    "scikit-learn": lambda task, seed: scikit_learn(task, seed, False),
    "scikit-learn, all scaled": lambda task, seed: scikit_learn(task, seed, True),
}


class Data(NamedTuple):
    """A set: X with one-hot categories, y, the task, and the columns as they are."""

    X: np.ndarray
    y: np.ndarray
    task: str
    columns: dict


def load(path):
    with np.load(path) as file:
        X, y, categories, task = file["X"], file["y"], file["cats"], str(file["task"])
    one_hot = [np.delete(X, categories, axis=1)]
    one_hot += [(X[:, [j]] == np.unique(X[:, j])).astype(float) for j in categories]
    columns = {f"x{j}": column for j, column in enumerate(X.T)}
    columns |= {f"x{j}": np.array([f"c{v:g}" for v in X[:, j]], object) for j in categories}
    return Data(np.hstack(one_hot), y, task, columns)


def frame(table):
    import pandas as pd

    return pd.DataFrame(table)


def error_of(make, data, split, seed, options):
    y, task = data.y, data.task
    order = np.random.default_rng(1000 + split).permutation(len(y))
    if options.in_order:
        order.sort()
    learned = options.learn or min(int(0.75 * len(y)), 1500)
    train, test = order[:learned], order[learned : learned + options.test]

    def rows(chosen):
        if getattr(make, "takes_tables", False):
            table = {name: column[chosen] for name, column in data.columns.items()}
            return frame(table) if make is realmlp else table
        return data.X[chosen]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted = make(task, seed).fit(rows(train), y[train]).predict(rows(test))
    if task == "c":
        return np.mean(predicted != y[test])
    return np.sqrt(np.mean((predicted - y[test]) ** 2)) / y[test].std()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--learn", type=int, help="rows; default 1,500 or three quarters")
    parser.add_argument("--test", type=int, default=3000, help="rows, at most")
    parser.add_argument("--in-order", action="store_true", help="take the first rows to learn")
    parser.add_argument("--only", nargs="+", metavar="SET")
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS | PEERS, default=METHODS, metavar="METHOD"
    )
    options = parser.parse_args()
    paths = sorted(options.folder.glob("*.npz"))
    sets = {p.stem: load(p) for p in paths if not options.only or p.stem in options.only}
    runs = [(split, seed) for split in range(options.splits) for seed in range(options.seeds)]
    print(
        "method".ljust(30), *(name[:9].rjust(9) for name in sets), "  R      C      all    worst R"
    )
    for method in options.methods:
        make = (METHODS | PEERS)[method]
        errors = {
            name: [error_of(make, data, *run, options) for run in runs]
            for name, data in sets.items()
        }
        means = {name: float(np.mean(found)) for name, found in errors.items()}
        ratios = {
            task: [
                means[name] / REALMLP.get(name, np.nan)
                for name, data in sets.items()
                if data.task == task and (task == "r" or len(data.y) > 2500)
            ]
            for task in "rc"
        }
        together = (ratios["r"], ratios["c"], ratios["r"] + ratios["c"])
        worst = max(
            (max(errors[name]) for name, data in sets.items() if data.task == "r"), default=0
        )
        print(
            method.ljust(30),
            *(f"{mean:9.4f}" for mean in means.values()),
            *(f" {np.exp(np.mean(np.log(r))) if r else np.nan:6.3f}" for r in together),
            f" {worst:7.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
