"""The results of a golden run, and how they become hashes."""

import hashlib
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import numpy as np

PARTS = ("parameters", "optimizer", "history", "predictions", "gradient")


class Run(NamedTuple):
    """A golden run: `compute(n_threads)` returns a dict with an entry for each of `PARTS`."""

    compute: Callable
    threads: tuple = (1,)


def hashes_of(run, n_threads):
    """The hash of each part of what a run leaves behind.

    Parameters
    ----------
    run : Run
    n_threads : int or None

    Returns
    -------
    dict of str to str
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parts = run.compute(n_threads)
    expected = [one for one in caught if issubclass(one.category, (UserWarning, RuntimeWarning))]
    for one in caught:
        if one not in expected:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    kinds = sorted({one.category.__name__ for one in expected})
    parts["history"] = {"entries": parts["history"], "warnings": kinds}
    return {name: digest(parts[name]) for name in PARTS}


def digest(value):
    """The first 16 digits of the SHA-256 hash of numbers, names, and containers of them."""
    sha = hashlib.sha256()
    feed(sha.update, value)
    return sha.hexdigest()[:16]


def feed(update, value):
    """Pass on the bits of `value`, with what tells it from others.

    One NaN stands for all: the sign and payload of a NaN are no part of the promise.
    """
    if isinstance(value, dict):
        value = sorted(value.items())
    if isinstance(value, (float, np.floating)):
        value = np.array(value, np.float64)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        value = np.where(np.isnan(value), np.nan, value).astype(value.dtype.newbyteorder("<"))
        update(f"{value.dtype.str}{value.shape}".encode())
        update(value.tobytes())
        return
    if isinstance(value, np.ndarray):
        update(f"array{value.shape}".encode())
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        update(f"list{len(value)}".encode())
        for one in value:
            feed(update, one)
        return
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        value = int(value)
    elif not (value is None or isinstance(value, str)):
        raise TypeError(f"no hash for {type(value).__name__}")
    update(f"{value!r};".encode())


def optimizer_of(model):
    """Slots, numbers and counts of a model's optimizer; None where it keeps none.

    The golden runs' only access to the inside of the package: everything else is public.
    """
    if hasattr(model, "coefs_"):
        steps = model._model.optimizer
        if steps is None:
            return None
        network, state = model._model.weights._packed.network, dict(steps.state)
        state |= {"learning_rate": steps.learning_rate, "fits": steps.epochs, "seed": steps.seed}
    else:
        network, state = model._fitted.network, model._fitted.state
        if state is None:
            return None

    def in_order(value):
        """Vectors in the order of `parameters_`, without the padding of the kernels' layout."""
        if isinstance(value, np.ndarray) and value.shape == network.parameters.shape:
            return network.flat(value)
        return [in_order(one) for one in value] if isinstance(value, (list, tuple)) else value

    return {name: in_order(value) for name, value in state.items()}


def results_of(model, X, y):
    """All parts of a fitted MLP, with rows that it has not seen."""
    shape = [getattr(model, name, None) for name in ("input_shift_", "input_factor_")]
    history = {name: values for name, values in model.history_.items() if name != "seconds"}
    every = ("loss", "accuracy", "r2")  # the scores that do not depend on how rare a class is
    evaluated = {k: v for k, v in model.evaluate(X, y).items() if k in every}
    predictions = {
        "forward": model.forward(X),
        "predict": model.predict(X),
        "one": model.predict_one(np.asarray(X)[0]),
        "first": model.predict(X[:1]),
        "score": model.score(X, y),
        "evaluate": evaluated,
    }
    with suppress(ValueError):  # of a regression, or of outputs that are none
        predictions["probabilities"] = model.predict_proba(X)
    return {
        "parameters": [model.parameters_, shape],
        "optimizer": optimizer_of(model),
        "history": [history, model.n_epochs_, getattr(model, "best_epoch_", None)],
        "predictions": predictions,
        "gradient": [model.loss_and_gradient(X, y), traced(model, X, y)],
    }


def traced(model, X, y):
    """The loss, and z, a, delta, dW and db of each layer."""
    trace = model.trace(X, y)
    return [trace.loss, [layer[:6] for layer in trace.layers]]


def results_of_sklearn(model, X, y):
    """All parts of one of scikit-learn's estimators."""
    names = "loss_ loss_curve_ best_loss_ validation_scores_ best_validation_score_ n_iter_ t_"
    predictions = {"predict": model.predict(X), "one": model.predict(X[:1])}
    predictions["score"] = model.score(X, y)
    if hasattr(model, "predict_proba"):
        predictions["probabilities"] = model.predict_proba(X)
    return {
        "parameters": [model.coefs_, model.intercepts_],
        "optimizer": optimizer_of(model),
        "history": {name: getattr(model, name, None) for name in names.split()},
        "predictions": predictions,
        "gradient": None,
    }


def joined(results):
    """The parts of several models as those of one run."""
    results = list(results)
    return {name: [one[name] for one in results] for name in PARTS}
