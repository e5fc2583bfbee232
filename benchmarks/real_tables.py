"""Tables of people: `cnn-core train` beside the scikit-learn pipeline of docs/tables.md.

    python -m pip install scikit-learn pandas
    python benchmarks/real_tables.py housing.csv:median_house_value adult.csv:income --seeds 5
    python benchmarks/real_tables.py titanic.csv:survived:name,ticket,cabin --missing '?'

FILE.csv:TARGET[:COLUMN,...] names a table, what is to be predicted and what the pipeline is told to
leave out, as it knows no names and free texts. Both learn from the same rows, stop on and test on
as many; the net is that of the command. Mean and standard deviation over the seeds of RMSE or
accuracy on the test rows, and the median of the seconds from the file to the score.
"""

import argparse
import contextlib
import io
import json
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from cnn_core.cli.main import main as command
from cnn_core.cli.train import split
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from cnn_core import MLPClassifier, MLPRegressor


def trained(path, target, options, seed):
    """The score of the command's model, by its name."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as out:
        words = ["train", str(path), "--target", target, "--seed", str(seed), "--json", "--quiet"]
        for text in options.missing:
            words += ["--missing", text]
        assert command([*words, "-o", f"{folder}/model.safetensors"]) == 0, out.getvalue()
    found = json.loads(out.getvalue())["test"]
    return found["accuracy"] if "accuracy" in found else found["RMSE"]


def piped(path, target, left_out, options, seed):
    """The score of the pipeline."""
    table = pd.read_csv(path, na_values=options.missing, skipinitialspace=True)
    table = table.dropna(subset=[target])
    y, classes = table[target].to_numpy(), table[target].nunique() <= 20
    labels = np.unique(y, return_inverse=True)[1] if classes else y
    train, stop, test = split(labels, seed, classes)
    X = table.drop(columns=[target, *left_out])
    gaps = SimpleImputer(strategy="median", add_indicator=True)
    codes = OneHotEncoder(handle_unknown="ignore", min_frequency=5, sparse_output=False)
    columns = make_column_transformer(
        (gaps, make_column_selector(dtype_include="number")),
        (codes, make_column_selector(dtype_exclude="number")),
    )
    learned = np.concatenate([train, stop])
    net = (MLPClassifier if classes else MLPRegressor)(
        epochs=200,
        early_stopping=True,
        validation_fraction=len(stop) / len(learned),
        random_state=seed,
    )
    model = make_pipeline(columns, net).fit(X.iloc[learned], y[learned])
    found = model.predict(X.iloc[test])
    if classes:
        return float(np.mean(found == y[test]))
    return float(np.sqrt(np.mean((found - y[test]) ** 2)))


def timed(function, *arguments):
    start = time.perf_counter()
    return function(*arguments), time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tables", nargs="+", metavar="FILE:TARGET[:COLUMN,...]")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--missing", action="append", default=[], metavar="TEXT")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'table':24}{'cnn-core train':>28}{'pipeline':>28}{'seconds':>16}")
    for word in options.tables:
        path, target, *left_out = word.split(":")
        left_out = left_out[0].split(",") if left_out else []
        ours, theirs = [], []
        for seed in range(options.seeds):
            ours.append(timed(trained, path, target, options, seed))
            theirs.append(timed(piped, path, target, left_out, options, seed))
        shown = [Path(path).name.ljust(24)]
        for runs in (ours, theirs):
            scores = [score for score, _ in runs]
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
            shown.append(f"{statistics.mean(scores):.6g} +- {spread:.3g}".rjust(28))
        seconds = [statistics.median(one for _, one in runs) for runs in (ours, theirs)]
        print(*shown, f"{seconds[0]:.2f}, {seconds[1]:.2f}".rjust(16), sep="", flush=True)


if __name__ == "__main__":
    main()
