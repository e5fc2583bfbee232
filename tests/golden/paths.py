"""Golden runs of each path through the native core: how a mini-batch is worked off, where its rows
come from, how many rows are predicted at a time."""

import tempfile
from pathlib import Path

import numpy as np
from cnn_core.datasets import load_digits
from cnn_core.optimizers import SGD

from cnn_core import MLP
from golden import data
from golden.results import joined, traced
from golden.table import ALL, BOTH, UNSCALED, add, fitted, golden, in_dtype, results_on

# One thread works off blocks of 64 rows, each with its part of a gradient of up to 128 KB; several
# threads finish the rows first and then the weights. Below 16 outputs the last layer is transposed;
# 17 and 20 outputs leave lanes of their panels empty.

work = dict(hidden=(64, 32), batch_size=400, epochs=2)
add("narrow last layer", data.classes(30, 3, 500), threads=(None, *ALL), dtypes=BOTH, **work)
add("wide last layer", data.classes(30, 20, 500), threads=ALL, dtypes=BOTH, **work)
add("one output", data.numbers(30, rows=500), threads=ALL, dtypes=BOTH, activation="tanh", **work)
add("two classes", data.classes(30, 2), dtypes=BOTH, hidden=(20,))
add("ten classes", data.classes(30, 10), dtypes=BOTH, hidden=(33,))
many = {"task": "classification"}  # which 150 rows of 17 classes do not make plain
add(
    "widths around a panel",
    (data.classes(5, 17), many),
    dtypes=BOTH,
    hidden=(16, 17, 15, 1, 33),
)
add("one feature, one neuron", data.numbers(1), dtypes=BOTH, hidden=(1, 1), activation="tanh")
add(
    "a single layer of weights",
    data.classes(9, 2),
    data.classes(9, 3),
    (data.classes(9, 20), many),
    data.numbers(9),
    data.numbers(9, 19),
    dtypes=BOTH,
    hidden=(),
)
for batch in (1, 7, 32, 64, 65, "full"):
    add(f"batch_size {batch}", data.classes(5, 3), dtypes=BOTH, hidden=(9,), batch_size=batch)
for batch in (2500, 1000):
    add(
        f"batches of {batch} rows",
        data.numbers(4, 4, 2500),
        threads=ALL,
        dtypes=BOTH,
        hidden=(32, 16),
        activation="selu",
        batch_size=batch,
    )

# On several threads, and where the gradient is larger, a step goes weight tile by weight tile, and
# the gradient of a tile is not kept unless the whole gradient is to be clipped. From 1 MB of
# parameters on blocks are larger.

rows = data.classes(64, 10, 200)
work = dict(hidden=(256,), batch_size=96, epochs=2)
weighted = {"sample_weight": data.row_weights(200)}
add("tile by tile", rows, threads=ALL, dtypes=BOTH, **work)
add("tile by tile, clip_norm", rows, threads=ALL, dtypes=BOTH, clip_norm=0.05, **work)
add("tile by tile, max_norm", rows, threads=(1, 3), max_norm=0.5, **work)
add("tile by tile, penalties", rows, threads=(1, 3), dtypes=BOTH, l1=1e-3, l2=1e-2, **work)
add("tile by tile, dropout", rows, threads=ALL, dropout=(0.1, 0.4), **work)
add("tile by tile, row weights", rows, threads=(1, 3), dtypes=BOTH, fit=weighted, **work)
add(
    "1 MB of parameters",
    data.numbers(300, 150, 258),
    threads=(1, 2),
    hidden=(600,),
    batch_size=258,
    epochs=1,
)
add(
    "1 MB of parameters",
    data.classes(300, 9, 258),
    threads=(2,),
    dtypes=("float64",),
    hidden=(430,),
    batch_size=258,
    epochs=1,
)

# Threads share a layer by outputs where each has 4 panels or more of them, and no dropout of its
# inputs and no softmax is in the way.

rows = data.classes(40, 5, 48)
work = dict(hidden=(256, 250), batch_size=32, epochs=1)
weighted = {"sample_weight": data.row_weights(48)}
add("shared by outputs", rows, threads=(None, *ALL), dtypes=BOTH, **work)
add("shared by outputs, dropout", rows, threads=ALL, dropout=0.3, **work)
add("shared by outputs, dropout above", rows, threads=ALL, dropout=(0, 0, 0.5), **work)
add("shared by outputs, softmax", rows, threads=(1, 2, 4), activation=["gelu", "softmax"], **work)
add(
    "shared by outputs, penalties and row weights",
    rows,
    threads=(1, 4),
    dtypes=BOTH,
    l1=1e-3,
    l2=1e-3,
    fit=weighted,
    **work,
)
add("shared by outputs, clip_norm", rows, threads=(1, 3), clip_norm=0.1, **work)
narrower = {**work, "hidden": (256, 20, 130)}
add("shared by outputs, a narrow layer between", rows, threads=ALL, dtypes=BOTH, **narrower)
add("shared by outputs, long rows", data.classes(256, 5, 40), threads=ALL, dtypes=BOTH, **work)
add(
    "shared by outputs, sixty outputs",
    data.numbers(40, 60, 48),
    threads=(1, 4),
    activation="tanh",
    loss="mae",
    **work,
)

# Rows are copied, unless they stand in order or have 1,024 bytes and go into 4 panels or more.

rows = data.classes(260, 3, 90)
work = dict(hidden=(70,), batch_size=50)
weighted = {"sample_weight": data.row_weights(90)}
add("long rows", rows, threads=(1, 2), dtypes=BOTH, **work)
add("long rows, in order", rows, threads=(1, 2), shuffle=False, **work)
add("long rows, row weights", rows, fit=weighted, **work)
add("long rows, dropout of inputs", rows, dropout=(0.2, 0.2), **work)
add("long rows, some set apart", rows, early_stopping=True, validation_fraction=0.2, **work)
add("long rows into few neurons", rows, hidden=(20,), batch_size=20)
add("short rows, in order", data.classes(3, 3), dtypes=BOTH, hidden=(8,), shuffle=False)
add("rows of 40 features", data.classes(40, 3), dtypes=BOTH, hidden=(8,), batch_size=70)


@golden("rows in a file", threads=(1, 2), dtypes=BOTH)
def rows_in_a_file(n_threads, dtype):
    """Memory maps of long and of short rows: shuffled, in order, with some set apart."""

    def fit(folder, features, **parameters):
        rows = in_dtype(data.classes(features, 3, 150), dtype)
        path = Path(folder) / f"{features}.npy"
        np.save(path, rows.X)
        mapped = rows._replace(X=np.load(path, mmap_mode="r"))
        settings = {"epochs": 2, "batch_size": 60, "random_state": 5, **UNSCALED, **parameters}
        model = MLP((70,), dtype=dtype, n_threads=n_threads, **settings).fit(mapped.X, rows.y)
        return results_on(model, rows, dtype)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        return joined(
            [
                fit(folder, 260),
                fit(folder, 260, shuffle=False),
                fit(folder, 30),
                fit(folder, 31, early_stopping=True, batch_size=7),
            ]
        )


@golden("rows of other kinds", dtypes=BOTH)
def rows_of_other_kinds(n_threads, dtype):
    """Lists, whole numbers, another dtype, other layouts to train on; with and without scaling."""
    rows, results = data.classes(6, 3), []
    for scale_inputs in (None, "minmax"):
        for X in (
            rows.X.tolist(),
            np.floor(8 * rows.X).astype(np.int16),
            rows.X.astype("float32" if dtype == "float64" else "float64"),
            np.asfortranarray(rows.X.astype(dtype)),
            np.repeat(rows.X, 2, axis=1).astype(dtype)[:, ::2],
        ):
            settings = {"epochs": 2, "dtype": dtype, "random_state": 5, "n_threads": n_threads}
            settings |= {**UNSCALED, "scale_inputs": scale_inputs}
            model = MLP((9,), **settings).fit(X, rows.y)
            results.append(results_on(model, rows, dtype))
    return joined(results)


@golden("digits", dtypes=BOTH)
def digits(n_threads, dtype):
    """Real rows, of which many entries are 0."""
    X, y = load_digits()
    rows = data.Data(X[:700] / 16, y[:700], X[700:1000] / 16, y[700:1000])
    return results_on(fitted(rows, n_threads, dtype, hidden=(32, 16), epochs=2), rows, dtype)


# Predictions: layers of few neurons are computed transposed, 128 rows at a time, others 48 or 256
# rows at a time; classes have a path of their own, as has a single row.


def predicted(n_threads, dtype, widths, rows, **parameters):
    """Many rows at once, a few of them, and each alone, after a short fit to fewer."""
    model = fitted(rows, n_threads, dtype, hidden=widths, epochs=1, **parameters)
    few = rows._replace(X_new=rows.X_new[:131], y_new=rows.y_new[:131])
    results = joined([results_on(model, rows, dtype), results_on(model, few, dtype)])
    X = rows.X_new[:5].astype(dtype)
    results["predictions"].append([model.predict_one(x) for x in X])
    results["predictions"].append([model.predict(X[i : i + 1]) for i in range(len(X))])
    return results


@golden("predictions, transposed layers", threads=ALL, dtypes=BOTH)
def predictions_transposed(n_threads, dtype):
    return predicted(n_threads, dtype, (20, 9), data.classes(9, 3, 60, 1500))


@golden("predictions, wide layers", threads=ALL, dtypes=BOTH)
def predictions_wide(n_threads, dtype):
    return predicted(n_threads, dtype, (64, 48), data.classes(9, 16, 60, 400), **many)


@golden("predictions, several numbers", threads=(1, 3), dtypes=BOTH)
def predictions_of_numbers(n_threads, dtype):
    return predicted(n_threads, dtype, (12,), data.numbers(9, 3, 60, 1500), activation="softplus")


@golden("predictions, several labels", threads=(1, 3))
def predictions_of_labels(n_threads, dtype):
    return predicted(n_threads, dtype, (33,), data.labels(9, 3, 60, 500), activation="mish")


@golden("predictions of other kinds of rows")
def predictions_of_other_rows(n_threads, dtype):
    """Lists, whole numbers, another dtype, other layouts; with and without scaled inputs."""
    rows = data.classes(6, 3)
    results = []
    for scale_inputs in (None, "minmax"):
        model = fitted(rows, n_threads, dtype, hidden=(9,), scale_inputs=scale_inputs)
        parts = results_on(model, rows, dtype)
        whole = (8 * rows.X_new).astype(np.int16)
        for X in (
            rows.X_new,
            rows.X_new.tolist(),
            whole,
            whole.astype(bool),
            np.asfortranarray(rows.X_new.astype(dtype)),
            np.repeat(rows.X_new, 2, axis=1)[::3, ::2],
        ):
            parts["predictions"][f"{type(X).__name__} {len(parts['predictions'])}"] = [
                model.forward(X),
                model.predict(X),
                model.predict(X[:1]),
                model.predict_one(X[0]),
            ]
        results.append(parts)
    return joined(results)


@golden("predictions that overflow")
def predictions_that_overflow(n_threads, dtype):
    """Outputs of NaN: the first one wins, and a warning says so."""
    rows = data.classes(6, 3)
    model = fitted(rows, n_threads, dtype, hidden=(9,))
    X = rows.X_new.astype(dtype) * np.float32(3e38)
    parts = results_on(model, rows, dtype)
    parts["predictions"]["far"] = [model.predict(X), model.predict(X[:1]), model.forward(X)]
    return parts


# Numbers below the normal range, which all computing of a network takes for zero.


@golden("subnormal predictions", threads=ALL, dtypes=BOTH)
def subnormal_predictions(n_threads, dtype):
    """Outputs, and numbers on the way, below the smallest normal number."""
    exponent, far = (-130, 87) if dtype == "float32" else (-1030, 708)
    X = data.uniform(1, 3000, 20)
    rows = data.Data(X[:60], X[:60, 0], X[60:], X[60:, 0])
    results = []
    for activation in ("relu", "gelu", "swish"):
        model = fitted(rows, n_threads, dtype, hidden=(24,), activation=activation, epochs=1)
        model.biases_ = [0 * b for b in model.biases_]
        parts = results_on(model, rows, dtype)
        small = np.ldexp(rows.X_new, exponent).astype(dtype)
        parts["predictions"]["small"] = [model.forward(small), model.forward(small[:1])]
        parts["gradient"].append(traced(model, small, rows.y_new))
        results.append(parts)
    two = rows._replace(y=(rows.y > 0).astype(int), y_new=(rows.y_new > 0).astype(int))
    model = fitted(two, n_threads, dtype, hidden=(), output="softmax")
    model.weights_ = [np.eye(2, 20)]
    unlikely = np.zeros_like(small)
    unlikely[:, 0] = far + 20 * np.abs(rows.X_new[:, 1])
    parts = results_on(model, two, dtype)
    parts["predictions"]["unlikely"] = [
        model.predict_proba(unlikely),
        model.predict_proba(unlikely[:1]),
    ]
    return joined([*results, parts])


@golden("subnormal numbers in training", threads=(1, 3), dtypes=BOTH)
def subnormal_training(n_threads, dtype):
    small = 2.0 ** (-70 if dtype == "float32" else -520)
    rows = data.numbers(12, rows=600)
    rows = data.made(rows._replace(X=rows.X * small, X_new=rows.X_new * small), lambda y: y * small)
    settings = dict(hidden=(64,), batch_size=500, optimizer=SGD(0.1, momentum=0.9))
    return results_on(fitted(rows, n_threads, dtype, **settings), rows, dtype)
