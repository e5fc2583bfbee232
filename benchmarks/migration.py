"""What changing the import changes: cnn_core.sklearn beside scikit-learn on its own data sets, with
default parameters.

    python -m pip install scikit-learn
    python benchmarks/migration.py  # the table of docs/scikit-learn.md; about a minute
    python benchmarks/migration.py --rounds 3

scikit-learn and cnn_core take turns in one process: one fit of each a round, then one-row
predictions of each. The tables give medians, the median over the rounds of the ratios, and training
scores, which say whether the models are the same. scikit-learn's BLAS and cnn_core both may use all
processors.
"""

import argparse
import functools
import os
import statistics
import time
import warnings

import cnn_core.sklearn as ours
import joblib
import numpy as np
import sklearn
import sklearn.neural_network as theirs
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

import cnn_core

NAMES = ("iris", "wine", "breast_cancer", "digits")
MODELS = {
    "scikit-learn": theirs.MLPClassifier,
    "cnn_core": ours.MLPClassifier,
    "float32": functools.partial(ours.MLPClassifier, dtype="float32"),
}
PREDICTIONS = 200  # a round


def seconds(function, *arguments):
    """(seconds of a call, its result)."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def measure(X, y, rounds, **options):
    """Seconds of each fit and of one-row predictions, and the last models."""
    fits, rows, models = ({name: [] for name in MODELS} for _ in range(3))
    for turn in range(rounds + 1):  # the first only warms up
        for name in sorted(
            MODELS, key=lambda name: (list(MODELS).index(name) + turn) % len(MODELS)
        ):
            taken, models[name] = seconds(MODELS[name](random_state=0, **options).fit, X, y)
            row = np.ascontiguousarray(X[:1], models[name].coefs_[0].dtype)
            one = statistics.median(
                seconds(models[name].predict, row)[0] for _ in range(PREDICTIONS)
            )
            if turn:
                fits[name].append(taken)
                rows[name].append(one)
    return fits, rows, models


def searches(X, y, rounds):
    """Seconds of a grid search with one job, with two threads, and with two processes."""
    ways = {
        "one job": ("threading", 1),
        "threading, 2 jobs": ("threading", 2),
        "loky, 2 jobs": ("loky", 2),
    }
    found = {name: {way: [] for way in ways} for name in ("scikit-learn", "cnn_core")}
    for turn in range(rounds + 1):
        for name in found:
            for way, (backend, jobs) in ways.items():
                model = MODELS[name](batch_size=64, max_iter=15, random_state=0)
                search = GridSearchCV(
                    model, {"alpha": [1e-4, 1e-3, 1e-2, 1e-1]}, cv=3, n_jobs=jobs, refit=False
                )
                with joblib.parallel_config(backend, n_jobs=jobs):
                    taken, _ = seconds(search.fit, X, y)
                if turn:
                    found[name][way].append(taken)
    return found


def cells(times, unit):
    """Medians, those of cnn_core with how many times faster they are."""
    base, found = times["scikit-learn"], []
    for values in times.values():
        ratio = statistics.median(a / b for a, b in zip(base, values))
        found.append(
            f"{statistics.median(values) * unit:.3g}"
            + (f" ({ratio:.1f} x)" if values is not base else "")
        )
    return found


def table(header, rows):
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(row) + " |")
    print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="cnn_core.sklearn beside scikit-learn.")
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore", ConvergenceWarning)
    os.environ["PYTHONWARNINGS"] = "ignore"  # for the processes of joblib
    data = {name: getattr(datasets, f"load_{name}")(return_X_y=True) for name in NAMES}
    print(
        f"scikit-learn {sklearn.__version__}, cnn_core {cnn_core.__version__} "
        f"on {cnn_core.instruction_sets()[0]}, "
        f"{cnn_core.get_num_threads()} threads, {rounds} rounds\n"
    )
    for title, options in (
        ("default parameters", {}),
        ("batch_size=32", dict(batch_size=32, max_iter=50)),
    ):
        found = {name: measure(X, y, rounds, **options) for name, (X, y) in data.items()}
        print(f"fit with {title}, milliseconds\n")
        table(
            ["data", "rows, features", *MODELS, "epochs", "scores"],
            [
                [
                    name,
                    f"{len(X):,}, {X.shape[1]}",
                    *cells(found[name][0], 1e3),
                    " / ".join(str(model.n_iter_) for model in found[name][2].values()),
                    " / ".join(f"{model.score(X, y):.4f}" for model in found[name][2].values()),
                ]
                for name, (X, y) in data.items()
            ],
        )
        if not options:
            print("predict of one row, microseconds\n")
            table(
                ["data", *MODELS],
                [[name, *cells(rows, 1e6)] for name, (_, rows, _) in found.items()],
            )
    print(
        "grid search on digits: 4 values of alpha, 3 folds, batch_size=64, 15 epochs, "
        "milliseconds\n"
    )
    found = searches(*data["digits"], rounds)
    table(
        ["", *found["cnn_core"]],
        [
            [name, *(f"{statistics.median(taken) * 1e3:.0f}" for taken in times.values())]
            for name, times in found.items()
        ],
    )
