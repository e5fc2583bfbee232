"""What tests/reliability share: small models of each kind, and what is asked of them."""

import contextlib
import copy
import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
from checkpoint_cases import Interrupt

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


def fit_and_keep(model, y):
    """A fit with checkpoints, the first."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(model.checkpoint)
    model.fit(X, y, checkpoint=model.checkpoint, checkpoint_every="epoch")


def go_on(model, y):
    """A fit that goes on from the checkpoint of one that was interrupted."""
    with open(model.checkpoint, "wb") as file:
        file.write(model.interrupted)
    model.fit(X, y, checkpoint=model.checkpoint)


ACTIONS = {
    "fit": lambda model, y: model.fit(X, y),
    "partial_fit": lambda model, y: model.partial_fit(X, y),
    "predict": lambda model, y: model.predict(X),
    "predict_one": lambda model, y: model.predict_one(X[0]),
    "evaluate": lambda model, y: model.evaluate(X, y),
    "score": lambda model, y: model.score(X, y),
    "dumps": lambda model, y: pickle.dumps(model),
    "loads": lambda model, y: pickle.loads(model.as_bytes),
    "fit and keep": fit_and_keep,
    "go on": go_on,
}


#: Those that write checkpoints.
OF_CHECKPOINTS = ("fit and keep", "go on")


def prepare(model, y, folder):
    """Give a model what `ACTIONS` need."""
    model.as_bytes, model.checkpoint = pickle.dumps(model), os.path.join(folder, "run.ckpt")
    other = copy.deepcopy(model)
    with contextlib.suppress(KeyboardInterrupt, ValueError):  # solver="lbfgs" of SciPy has none
        other.set_params(callbacks=[Interrupt(2)]).fit(X, y, checkpoint=model.checkpoint)
    if os.path.exists(model.checkpoint):
        with open(model.checkpoint, "rb") as file:
            model.interrupted = file.read()


def model_actions():
    """Pairs of a model and an action that it has."""
    for name in MODELS:
        for action in ACTIONS:
            drop_in = name.startswith("MLP")
            if drop_in and action in ("predict_one", "evaluate"):
                continue
            if "lbfgs" in name and action == "partial_fit":
                continue
            if name == "MLPRegressor, lbfgs" and action in OF_CHECKPOINTS:
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


def failing_call(monkeypatch, name, at, error):
    """Have a function of os fail once, the call of that number; returns a list of its calls."""
    real, calls = getattr(os, name), []

    def call(*arguments, **named):
        calls.append(arguments)
        if len(calls) == at + 1:
            if name == "close":
                real(*arguments)  # the number is free then, as POSIX leaves it on Linux
            raise OSError(error, os.strerror(error))
        return real(*arguments, **named)

    monkeypatch.setattr(os, name, call)
    return calls
