"""Golden runs of `cnn_core.sklearn`.

What would not be the same on every machine is kept out. NumPy's ``RandomState.uniform`` may round
otherwise where a compiler contracts its product and sum, so the initial weights come from a stream
that computes them in two steps. SciPy's L-BFGS-B goes where its BLAS leads it, so for 'lbfgs' cost
and gradient at fixed points are looked at, and the last of the points is the result. Rates under
'invscaling' are divided by a whole power, and y of a Poisson deviance is 0 or 1, whose logarithm is
exact or not wanted.
"""

import pickle
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import scipy.optimize
from cnn_core.activations import LeakyReLU
from cnn_core.losses import Huber
from cnn_core.optimizers import SGD, AdamW
from cnn_core.schedules import Cosine, StepDecay
from cnn_core.sklearn import MLPClassifier, MLPRegressor
from scipy import sparse

from golden import data
from golden.results import joined, results_of_sklearn
from golden.table import BOTH, golden, in_dtype


class Stream(np.random.RandomState):
    """A stream whose uniform numbers are the same on every machine."""

    def uniform(self, low=0.0, high=1.0, size=None):
        return low + (high - low) * self.random_sample(size)


def new(kind, n_threads=1, **parameters):
    settings = {"hidden_layer_sizes": (9,), "batch_size": 40, "max_iter": 4, "random_state": 3}
    return kind(n_threads=n_threads, **{**settings, **parameters})


def fitted(kind, rows, n_threads=1, precision="float32", fit=None, **parameters):
    """An estimator after a fit to rows of this precision."""
    with mock.patch("numpy.random.RandomState", Stream):
        rows = in_dtype(rows, precision)
        return new(kind, n_threads, **parameters).fit(rows.X, rows.y, **fit or {})


def results_on(model, rows, dtype="float32"):
    return results_of_sklearn(model, rows.X_new.astype(dtype), rows.y_new)


def add(name, kind, *variants, threads=(1,), dtypes=("float64",), **parameters):
    """Add a golden run, as `table.add` does for MLP."""

    def compute(n_threads, dtype):
        results = []
        for variant in variants:
            rows, more = variant if isinstance(variant[-1], dict) else (variant, {})
            model = fitted(kind, rows, n_threads, dtype, **{**parameters, **more})
            results.append(results_on(model, rows, dtype))
        return joined(results)

    golden(f"scikit-learn, {name}", threads, dtypes)(compute)


three, twenty, two = data.classes(7, 3), data.classes(7, 20), data.classes(7, 2)
several, one, both = data.labels(7, 3), data.numbers(7), data.numbers(7, 2)

# Solvers and what they minimise.

for solver in (
    "sgd",
    "adam",
    "adam_hat",
    "amsgrad",
    "adamw",
    "nadam",
    "adagrad",
    "adadelta",
    "rmsprop",
    "rprop",
    SGD(0.1, 0.5),
    AdamW(0.01),
):
    add(
        f"solver {solver}",
        MLPClassifier,
        three,
        (data.classes(64, 4), {"hidden_layer_sizes": (256,), "max_iter": 2}),
        dtypes=BOTH,
        solver=solver,
    )
add(
    "sgd",
    MLPRegressor,
    (one, {"momentum": 0}),
    (one, {"nesterovs_momentum": False}),
    (one, {"momentum": 1.0, "learning_rate_init": 1e-5}),
    solver="sgd",
)
add("adam", MLPRegressor, one, solver="adam", beta_1=0.8, beta_2=0.99, epsilon=1e-3)
add(
    "classifier",
    MLPClassifier,
    two,
    three,
    twenty,
    several,
    data.labels(7, 18),
    data.made(two, lambda y: 0 * y),
    data.made(three, np.array(["c", "a", "b"]).take),
    dtypes=BOTH,
)
add(
    "regressor",
    MLPRegressor,
    one,
    both,
    data.numbers(7, 18),
    (one, {"hidden_layer_sizes": ()}),
    dtypes=BOTH,
)
yes_or_no = data.made(data.counts(7), lambda y: np.minimum(y, 1))
many_yes_or_no = data.made(data.counts(7, 3), lambda y: np.minimum(y, 1))
weights = data.row_weights(150)
weighted = {"fit": {"sample_weight": weights}}
for loss in ("squared_error", "absolute_error", "huber", Huber(0.2)):
    add(
        f"loss {loss}",
        MLPRegressor,
        one,
        both,
        (both, weighted),
        (both, {"compatible": True}),
        loss=loss,
        dtypes=BOTH,
    )
add(
    "loss poisson",
    MLPRegressor,
    yes_or_no,
    many_yes_or_no,
    (yes_or_no, weighted),
    loss="poisson",
    dtypes=BOTH,
)
add(
    "activations",
    MLPClassifier,
    *(
        (three, {"activation": activation, "hidden_layer_sizes": sizes})
        for activation, sizes in (
            ("logistic", (9, 8)),
            ("identity", 9),
            (LeakyReLU(0.2), (9,)),
            (["tanh", "gelu"], (17, 5)),
        )
    ),
)
add("no hidden layers", MLPClassifier, two, three, several, hidden_layer_sizes=())
add(
    "several threads",
    MLPClassifier,
    data.classes(30, 3, 700),
    threads=(None, 1, 2, 3),
    dtypes=BOTH,
    hidden_layer_sizes=(64, 32),
    batch_size=350,
    max_iter=2,
)

# Rows, their order and their weights.

add("batch_size", MLPClassifier, *((three, {"batch_size": batch}) for batch in (1, 7, 150)))
add("batch_size 'auto'", MLPRegressor, data.numbers(7, rows=450), batch_size="auto", dtypes=BOTH)
add("in order", MLPClassifier, three, shuffle=False, dtypes=BOTH)
add(
    "dtype",
    MLPClassifier,
    (three, {"dtype": "float32"}),
    (three, {"dtype": "float64"}),
    dtypes=BOTH,
)
add("alpha", MLPRegressor, one, (one, weighted), alpha=3.0)
add("sample_weight", MLPClassifier, three, two, several, batch_size=32, dtypes=BOTH, **weighted)
add(
    "class_weight",
    MLPClassifier,
    *(
        (rows, {"class_weight": weight, **more})
        for rows in (three, two)
        for weight in ("balanced", {0: 3.0, 1: 0.5})
        for more in ({}, weighted)
    ),
)


@golden("scikit-learn, sparse", dtypes=BOTH)
def sparse_rows(n_threads, dtype):
    """Rows of mostly zeros, to train and to predict; the same bits as dense ones."""
    results = []
    for form, parameters in (
        (sparse.csr_matrix, {}),
        (sparse.csc_matrix, {"early_stopping": True}),
        (sparse.csr_array, {"solver": "sgd", "learning_rate": StepDecay(2, 0.5)}),
    ):
        rows = data.classes(30, 3)
        kept = rows._replace(X=np.maximum(rows.X - 0.5, 0), X_new=np.maximum(rows.X_new - 0.5, 0))
        given = kept._replace(X=form(kept.X), X_new=form(kept.X_new))
        model = fitted(MLPClassifier, given, n_threads, dtype, **parameters)
        if not model.early_stopping:
            with mock.patch("numpy.random.RandomState", Stream):
                model.partial_fit(given.X[:50], given.y[:50])
        results.append(results_on(model, given, dtype))
        results[-1]["predictions"]["dense"] = model.predict_proba(kept.X_new)
    return joined(results)


@golden("scikit-learn, rows in a file")
def rows_in_a_file(n_threads, dtype):
    rows = in_dtype(data.classes(40, 3, 300), dtype)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "X.npy"
        np.save(path, rows.X)
        mapped = rows._replace(X=np.load(path, mmap_mode="r"))
        with mock.patch("numpy.random.RandomState", Stream):
            model = new(MLPClassifier, n_threads).fit(mapped.X, rows.y)
        return results_on(model, rows, dtype)


# What changes the rate, and what ends a training.

add(
    "learning_rate",
    MLPRegressor,
    *(
        (one, {"learning_rate": rate, **more})
        for rate, more in (
            ("invscaling", {"power_t": 1.0, "solver": "sgd", "learning_rate_init": 0.5}),
            ("adaptive", {"solver": "sgd", "learning_rate_init": 0.2, "max_iter": 40}),
            (StepDecay(2, 0.5), {}),
            (Cosine(initial=0.02), {"solver": "nadam"}),
        )
    ),
    n_iter_no_change=2,
    tol=0.01,
)
add(
    "dropout",
    MLPClassifier,
    (three, {"dropout": 0.3}),
    (three, {"dropout": (0.1, 0.4)}),
    (three, {"dropout": 0.2, "activation": "selu"}),
)
ending = dict(max_iter=30, learning_rate_init=0.05, n_iter_no_change=2)
add("tol", MLPClassifier, three, tol=0.03, dtypes=BOTH, **ending)
same = dict(learning_rate_init=2.0**-90, tol=0.0, n_iter_no_change=2, shuffle=False, max_iter=6)
for kind, rows in ((MLPClassifier, three), (MLPRegressor, one)):
    add(
        f"losses and scores that are equal, {kind.__name__}",
        kind,
        rows,
        (rows, {"early_stopping": True}),
        (rows, {"solver": "sgd", "learning_rate": "adaptive"}),
        (rows, {"restore_best_weights": True}),
        dtypes=BOTH,
        **same,
    )
add(
    "early_stopping",
    MLPClassifier,
    three,
    two,
    several,
    (three, weighted),
    (three, {"compatible": True}),
    early_stopping=True,
    dtypes=BOTH,
    **ending,
)
add(
    "early_stopping, numbers",
    MLPRegressor,
    one,
    both,
    (one, weighted),
    early_stopping=True,
    validation_fraction=0.25,
    dtypes=("float32",),
    **ending,
)
held = {"fit": {"X_val": three.X_new, "y_val": three.y_new}}
held_numbers = {"fit": {"X_val": both.X_new, "y_val": both.y_new}}
add("X_val", MLPClassifier, (three, held), (three, {**held, "early_stopping": True}), **ending)
add(
    "X_val, numbers",
    MLPRegressor,
    (both, held_numbers),
    (both, {**held_numbers, "restore_best_weights": True}),
    **ending,
)
add(
    "restore_best_weights",
    MLPRegressor,
    (one, {"restore_best_weights": True}),
    solver="sgd",
    max_iter=6,
    learning_rate_init=0.4,
)
add("callbacks", MLPClassifier, three, callbacks=lambda model, epoch, logs: epoch == 2)


# Trainings that go on.


@golden("scikit-learn, partial_fit", dtypes=BOTH)
def partial_fit(n_threads, dtype):
    """Pieces of several sizes; seeds whose stream goes on or, as in scikit-learn, begins anew."""
    results = []
    for kind, rows, parameters in (
        (MLPClassifier, three, {}),
        (MLPClassifier, three, {"compatible": True}),
        (MLPClassifier, two, {"solver": "sgd", "random_state": Stream(4), "dropout": 0.2}),
        (MLPClassifier, several, {"solver": "nadam", "learning_rate": StepDecay(2)}),
        (MLPRegressor, both, {"solver": "rmsprop", "batch_size": 20}),
        (MLPRegressor, one, {"solver": "rprop"}),
    ):
        X, model = rows.X.astype(dtype), new(kind, n_threads, **parameters)
        with mock.patch("numpy.random.RandomState", Stream):
            for number, part in enumerate(np.split(np.arange(150), (60, 75, 120))):
                more = {"classes": np.unique(rows.y)} if kind is MLPClassifier else {}
                if rows is several:
                    more["classes"] = np.arange(3)
                weight = None if number % 2 else np.arange(len(part)) % 3 + 1.0
                model.partial_fit(X[part], rows.y[part], weight, **more)
        results.append(results_on(model, rows, dtype))
    return joined(results)


@golden("scikit-learn, warm_start", dtypes=BOTH)
def warm_start(n_threads, dtype):
    """A fit, a pickle of it, two fits more, one of them of other rows; then a partial_fit."""
    results = []
    for kind, rows, parameters in (
        (MLPClassifier, three, {}),
        (MLPClassifier, three, {"early_stopping": True, "max_iter": 9, "n_iter_no_change": 3}),
        (MLPRegressor, one, {"solver": "sgd", "learning_rate": "adaptive"}),
    ):
        X = rows.X.astype(dtype)
        model = fitted(kind, rows, n_threads, dtype, warm_start=True, **parameters)
        with mock.patch("numpy.random.RandomState", Stream):
            model = pickle.loads(pickle.dumps(model)).fit(X, rows.y).fit(X[20:], rows.y[20:])
            if not model.early_stopping:
                model.partial_fit(X, rows.y)
        results.append(results_on(model, rows, dtype))
    return joined(results)


@golden("scikit-learn, weights set by hand")
def weights_set_by_hand(n_threads, dtype):
    """Predictions follow `coefs_`; a fit that is refused leaves them; rows of float64 promote."""
    model = fitted(MLPClassifier, three, n_threads, dtype)
    parts = results_on(model, three, dtype)
    model.coefs_[0] = model.coefs_[0] / 2
    model.intercepts_[1] += 0.25
    try:
        model.fit(three.X * 1e200, three.y)
    except ValueError:
        parts["history"]["refused"] = True
    parts["predictions"]["by hand"] = [
        model.predict_proba(three.X_new),
        model.predict_proba(three.X_new[:1]),
        model.predict_proba(three.X_new.astype(dtype)),
        model.predict_proba(np.floor(9 * three.X_new).astype(int)),
    ]
    return parts


# L-BFGS: our cost and gradient at points that SciPy has no part in.


@contextmanager
def at_fixed_points(found):
    """Cost and gradient at three points go to `found`; `scipy.optimize.minimize` is not called."""

    def minimize(function, start, **options):
        for number in range(3):
            x = start + number * data.uniform(number, len(start)) / 8
            cost, gradient = function(x)
            found.append([float(cost), np.array(gradient)])
        return scipy.optimize.OptimizeResult(
            x=x, fun=cost, jac=gradient, nit=2, nfev=3, status=0, success=True, message="fixed"
        )

    held = [
        module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in ("cnn_core", "scipy")
        and vars(module).get("minimize") is scipy.optimize.minimize
    ]
    with ExitStack() as stack:
        for module in held:
            stack.enter_context(mock.patch.object(module, "minimize", minimize))
        yield


def add_lbfgs(name, kind, *variants, threads=(1,), dtypes=("float64",), **parameters):
    def compute(n_threads, dtype):
        results = []
        for rows, more in variants:
            found = []
            with at_fixed_points(found):
                model = fitted(
                    kind, rows, n_threads, dtype, solver="lbfgs", **{**parameters, **more}
                )
            assert len(found) == 3, "the estimator has not called scipy.optimize.minimize"
            results.append({**results_on(model, rows, dtype), "gradient": found})
        return joined(results)

    golden(f"scikit-learn, lbfgs, {name}", threads, dtypes)(compute)


add_lbfgs(
    "classifier",
    MLPClassifier,
    *(
        (rows, more)
        for rows in (two, three, twenty, several)
        for more in ({}, {"alpha": 0.5, **weighted})
    ),
    dtypes=BOTH,
)
add_lbfgs(
    "regressor",
    MLPRegressor,
    (one, {}),
    (both, {"compatible": True}),
    (both, weighted),
    (yes_or_no, {"loss": "poisson"}),
    (both, {"loss": "huber"}),
    dtypes=BOTH,
)
add_lbfgs("float32", MLPClassifier, (three, {"dtype": "float32"}), (two, {"dtype": "float32"}))
add_lbfgs(
    "several threads",
    MLPClassifier,
    (data.classes(30, 3, 700), {}),
    threads=(1, 2, 3),
    hidden_layer_sizes=(64, 32),
)
