"""Checkpoints of every kind of training, what interrupts one, and what is done with a file that was
changed at random."""

import contextlib
import os
import signal
import tempfile
import warnings

import numpy as np

import cnn_core
from cnn_core import LBFGS, MLP, SGD, Callback, MLPClassifier, OneCycle, ReduceOnPlateau, Warmup

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = X[:, 0] * X[:, 1]
LABELS = np.array(["a", "b", "c"])[np.digitize(Y, [-0.3, 0.3])]
#: The longest that a training may take before it is interrupted.
SECONDS = 0.5


class Interrupt(Callback):
    """Ctrl-C, or another error, after the epoch of a number."""

    def __init__(self, epoch=None, error=KeyboardInterrupt):
        self.epoch, self.error = epoch, error

    def after_epoch(self, model, epoch, logs):
        if epoch == self.epoch:
            raise self.error(f"after epoch {epoch}")


class InterruptStep(Callback):
    """The same after some steps of a fit, whose numbers go into a list."""

    def __init__(self, steps, error=KeyboardInterrupt, seen=None):
        self.left, self.error, self.seen = steps, error, [] if seen is None else seen

    def after_step(self, model, step, logs):
        self.seen.append(step)
        self.left -= 1
        if not self.left:
            raise self.error(f"after step {step}")


def _between():
    return Interrupt(2)


def _within():
    return InterruptStep(6)


def _mlp(y=Y, kind=MLP, when=_within, fit=None, **options):
    given = dict(hidden=(4, 3), epochs=3, batch_size=16, random_state=1) | options
    return kind, given, y, fit or {}, when


def _sklearn(name, y=Y, when=_within, **options):
    import cnn_core.sklearn

    given = dict(hidden_layer_sizes=(4, 3), max_iter=3, batch_size=16, random_state=1) | options
    return getattr(cnn_core.sklearn, name), given, y, {}, when


#: Each has (class, parameters, y, further arguments of fit, when it was interrupted).
CASES = {
    "adam": _mlp,
    "between epochs": lambda: _mlp(when=_between),
    "finished": lambda: _mlp(when=Interrupt),
    "labels": lambda: _mlp(LABELS, MLPClassifier, dtype="float64"),
    "several labels": lambda: _mlp((X > 0).astype(int)),
    "momentum": lambda: _mlp(optimizer=SGD(0.01, momentum=0.9), class_weight=None),
    "nadam, schedule of steps": lambda: _mlp(optimizer="nadam", learning_rate=OneCycle(0.01)),
    "schedule that looks back": lambda: _mlp(learning_rate=Warmup(1, ReduceOnPlateau(patience=1))),
    "early stopping, tol": lambda: _mlp(
        early_stopping=True, tol=1e-4, patience=3, epochs=5, when=_between
    ),
    "best by another monitor": lambda: _mlp(
        LABELS, early_stopping=True, monitor="val_metric", patience=3, epochs=5, when=_between
    ),
    "best weights within": lambda: _mlp(early_stopping=True, patience=3, epochs=5),
    "dropout, steps": lambda: _mlp(dropout=0.2, step_history=True),
    "weights, validation": lambda: _mlp(
        fit=dict(sample_weight=np.arange(60) % 3, validation_data=(X[:20], Y[:20]))
    ),
    "L-BFGS": lambda: _mlp(optimizer=LBFGS(), batch_size="full", when=_between),
    "python": lambda: _mlp(backend="python", hidden=3, dtype="float64"),
    "python, L-BFGS": lambda: _mlp(
        backend="python", hidden=3, optimizer="lbfgs", batch_size="full", when=_between
    ),
    "a drawn seed": lambda: _mlp(random_state=None),
}
SKLEARN = {
    "MLPRegressor": lambda: _sklearn("MLPRegressor"),
    "MLPClassifier": lambda: _sklearn("MLPClassifier", LABELS, early_stopping=True, when=_between),
    "MLPClassifier, finished": lambda: _sklearn("MLPClassifier", LABELS, when=Interrupt),
    "adaptive": lambda: _sklearn("MLPRegressor", solver="sgd", learning_rate="adaptive"),
    "schedule": lambda: _sklearn("MLPRegressor", learning_rate=ReduceOnPlateau(patience=2)),
    "dropout": lambda: _sklearn("MLPClassifier", LABELS, dropout=0.3, random_state=None),
}


def cases():
    """The cases that this Python can run."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        return CASES
    return CASES | SKLEARN


def base_files(names=None):
    """The files that are changed: one of each case, in their order."""
    files, known = [], cases()
    for name in names or known:
        kind, options, y, fit, when = known[name]()
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = os.path.join(folder, "run.ckpt")
            with contextlib.suppress(KeyboardInterrupt):
                kind(**options, callbacks=[when()]).fit(X, y, checkpoint=path, **fit)
            with open(path, "rb") as file:
                files.append(file.read())
    return files


def _in_time(call, *arguments, **named):
    """What a call returns; None where it took too long, and was interrupted."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        return call(*arguments, **named)
    except KeyboardInterrupt:
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def go_on(path, data, case):
    """Have both calls go on from a file: for each what has become of it, and the message of an
    error that it may raise.

    Raises
    ------
    AssertionError
        For an error that changes the file, and for a file that does not load afterwards.
    """
    kind, options, y, fit, _ = case
    for name, call in (
        ("resume", lambda: kind.resume(path, X, y, **fit)),
        ("fit", lambda: kind(**options).fit(X, y, checkpoint=path, **fit)),
    ):
        with open(path, "wb") as file:
            file.write(data)
        try:
            model = _in_time(call)
        except ValueError as error:
            message = str(error)
            assert 20 < len(message) < 1000, f"a message of {len(message)} characters: {message}"
            yield f"refused by {name}", message
            continue
        if model is None:
            with open(path, "rb") as file:
                if file.read() != data:  # else it was interrupted before it had read all of it
                    cnn_core.load(path, allow_nonfinite=True)
            yield f"interrupted in {name}", ""
            continue
        again = cnn_core.load(path, allow_nonfinite=True)
        fitted = getattr(model, "_fitted", None)
        if fitted is not None and fitted.ended == "divergence":  # it keeps the last whole epoch
            again = kind.resume(path, X, y, **fit)
        same = np.array_equal(again.predict(X), model.predict(X), equal_nan=y is not LABELS)
        assert same, "the file at the end has another model"
        yield f"ended by {name}", ""
