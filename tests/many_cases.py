"""Models, rows and comparisons that the tests of fit_many share."""

import hashlib
import pickle
import warnings

import numpy as np

from cnn_core import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6)).astype("float32")
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
NUMBERS = (2 * X[:, 0] - X[:, 1] + 30).astype("float64")


def small(**options):
    """An MLP that trains in a moment."""
    return MLP(**{"hidden": 8, "epochs": 6, "random_state": 0} | options)


def facts(model):
    """All that a fit leaves, but for the seconds it took, as bytes."""
    state = dict(vars(model._model()))
    for name in ("predictors", "one_row", "predicting"):
        del state[name]
    history = dict(model.history_)
    history.pop("seconds", None)
    state["history"] = history
    state["network"] = model.parameters_
    state["seen"] = tuple(state["seen"])
    found = {}
    for name, value in state.items():
        parts = value if isinstance(value, (tuple, list)) else [value]
        found[name] = [_of(one) for one in parts]
    return found


def _of(value):
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return value.tolist()
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, dict):
        return {key: _of(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_of(one) for one in value]
    return hashlib.sha256(pickle.dumps(value)).hexdigest() if hasattr(value, "_fields") else value


def own_fits(models, X, y, rows=None, **options):
    """Each fitted by itself, with the warnings of all."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for i, model in enumerate(models):
            which = None if rows is None else rows[i]
            given = dict(options)
            if which is not None and given.get("sample_weight") is not None:
                given["sample_weight"] = given["sample_weight"][which]
            if which is None:
                model.fit(X, y, **given)
            else:
                model.fit(X[which], y[which], **given)
    return [str(one.message) for one in caught]
