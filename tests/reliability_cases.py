"""What tests/reliability share: small models of each kind, and what is asked of them."""

import pickle
import subprocess
import sys
import warnings

import numpy as np

from cnn_core import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 6))
CLASSES = np.argmax(X[:, :3], 1)
NUMBERS = X @ np.arange(6.0)


def look(model, epoch, logs):
    """A callback: the model of each epoch is published for it."""


def make_sklearn(name, solver):
    """An estimator of cnn_core.sklearn, unfitted."""
    import cnn_core.sklearn

    return getattr(cnn_core.sklearn, name)(
        hidden_layer_sizes=(16, 8), solver=solver, max_iter=3, random_state=0
    )


#: Name to the unfitted model and its targets.
MODELS = {
    "classes": (
        lambda: MLP((16, 8), epochs=3, dropout=0.2, n_threads=2, random_state=0), CLASSES
    ),
    "numbers": (
        lambda: MLP((16, 8), epochs=3, early_stopping=True, random_state=0), NUMBERS
    ),
    "callbacks": (
        lambda: MLP(4, epochs=3, callbacks=look, random_state=0), CLASSES
    ),
    "lbfgs": (lambda: MLP((16, 8), optimizer="lbfgs", epochs=3, random_state=0), NUMBERS),
    "MLPClassifier": (lambda: make_sklearn("MLPClassifier", "adam"), CLASSES),
    "MLPRegressor": (lambda: make_sklearn("MLPRegressor", "sgd"), NUMBERS),
    "MLPRegressor, lbfgs": (lambda: make_sklearn("MLPRegressor", "lbfgs"), NUMBERS),
}  # fmt: skip

ACTIONS = {
    "fit": lambda model, y: model.fit(X, y),
    "partial_fit": lambda model, y: model.partial_fit(X, y),
    "predict": lambda model, y: model.predict(X),
    "predict_one": lambda model, y: model.predict_one(X[0]),
    "evaluate": lambda model, y: model.evaluate(X, y),
    "score": lambda model, y: model.score(X, y),
    "dumps": lambda model, y: pickle.dumps(model),
    "loads": lambda model, y: pickle.loads(model.as_bytes),
}


def model_actions():
    """Pairs of a model and an action that it has."""
    for name in MODELS:
        for action in ACTIONS:
            drop_in = name.startswith("MLP")
            if drop_in and action in ("predict_one", "evaluate"):
                continue
            if "lbfgs" in name and action == "partial_fit":
                continue
            yield name, action


def fitted(name):
    """A fitted model and its targets."""
    make, y = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make().fit(X, y), y


def answers(model):
    """The bits of what a model answers."""
    ask = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    if isinstance(model, MLP):
        ask = model.forward
    return np.asarray(ask(X)).tobytes()


def act(action, model, y):
    """Do one of `ACTIONS`; warnings do not count."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ACTIONS[action](model, y)


def run_python(code, timeout=60, **options):
    """Run code in a process of its own, which must succeed in time; returns its words."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code],
        capture_output=True, text=True, timeout=timeout, check=False, **options,
    )  # fmt: skip
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.split()
