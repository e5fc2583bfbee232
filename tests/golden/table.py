"""The table of golden runs, and the usual way into it: a fit of an MLP, then its results."""

from functools import partial

from cnn_core import MLP
from golden.results import Run, joined, results_of

#: name: Run
RUNS = {}

BOTH = ("float32", "float64")
ALL = (1, 2, 3, 4)


def golden(name, threads=(1,), dtypes=("float32",)):
    """Decorator: ``compute(n_threads, dtype)`` returns the parts of a golden run.

    Parameters
    ----------
    name : str
    threads : sequence of int or None
        Numbers of threads, each of which must give the same bits.
    dtypes : sequence of str
        A run each.
    """

    def add(compute):
        for dtype in dtypes:
            run = f"{name}, {dtype}"
            assert run not in RUNS, f"two golden runs are called {run!r}"
            RUNS[run] = Run(partial(compute, dtype=dtype), threads)
        return compute

    return add


#: Of the runs that are not about scaling.
UNSCALED = {"scale_inputs": None, "scale_targets": None}


def in_dtype(rows, dtype):
    """`rows` with their X as the model reads it."""
    return rows._replace(X=rows.X.astype(dtype), X_new=rows.X_new.astype(dtype))


def fitted(rows, n_threads=1, dtype="float32", fit=None, **parameters):
    """An MLP with these parameters, fitted to rows of its dtype; `fit` holds arguments of fit."""
    parameters = {"epochs": 3, "random_state": 5, **UNSCALED, **parameters}
    model = MLP(dtype=dtype, n_threads=n_threads, **parameters)
    return model.fit(rows.X.astype(dtype), rows.y, **fit or {})


def results_on(model, rows, dtype="float32"):
    """The parts of a run that has led to this model."""
    return results_of(model, rows.X_new.astype(dtype), rows.y_new)


def add(name, *variants, threads=(1,), dtypes=("float32",), **parameters):
    """Add a golden run: one fit, or several whose parts are joined.

    Parameters
    ----------
    name : str
    *variants : Data or (Data, dict)
        Rows, and what parameters this fit has beside those that all have.
    threads, dtypes
        As for `golden`.
    **parameters
        Those of `MLP`, and `fit`, a dict of arguments of its `fit`.
    """

    def compute(n_threads, dtype):
        results = []
        for variant in variants:
            rows, more = variant if isinstance(variant[-1], dict) else (variant, {})
            model = fitted(rows, n_threads, dtype, **{**parameters, **more})
            results.append(results_on(model, rows, dtype))
        return joined(results)

    golden(name, threads, dtypes)(compute)
