"""Ctrl-C and other ends of work in progress: all of it answers, and no step is left half done.

Each piece of work below takes half a minute or more. A process of its own does them all; a timer
sends it signals.
"""

import functools
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from cnn_core._backprop import Backprop
from cnn_core._control import Ended, EndRequest
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._trainer import Trainer
from cnn_core.spec import TrainingSpec
from cnn_core.training.backends import BACKENDS

from cnn_core import MLP

#: Seconds from a signal to its exception, at most; a quiet machine takes a twentieth of it.
LIMIT = 2.0

SCRIPT = """
import json, os, signal, sys, threading, time
import numpy as np
from cnn_core import MLP
signal.signal(signal.SIGINT, signal.default_int_handler)
X = np.random.default_rng(0).normal(size=(20_000, 100)).astype("float32")
y = X[:, :10].argmax(axis=1)
threads = int(sys.argv[1])

def tiled(times):
    return np.tile(X, (times, 1)), np.tile(y, times)

def mlp(**options):
    given = dict(hidden=(1500, 1500), epochs=10**6, n_threads=threads, random_state=0)
    return MLP(**given | options)

def estimator(**options):
    from cnn_core.sklearn import MLPClassifier
    given = dict(hidden_layer_sizes=(1500, 1500), max_iter=10**6, n_threads=threads)
    return MLPClassifier(**given | options)

def predictions(name, of_labels=False):
    model = mlp().initialize(X, y)
    many, labels = tiled(40)
    return lambda: getattr(model, name)(many, *([labels] if of_labels else []))

WORK = {
    "fit": lambda: lambda: mlp().fit(X, y),
    "fit of one mini-batch": lambda: lambda: mlp(batch_size="full").fit(X, y),
    "fit in float64": lambda: lambda: mlp(batch_size="full", dtype="float64").fit(X, y),
    "fit of a small network": lambda: lambda: mlp(hidden=8, batch_size="full").fit(X, y),
    "validation": lambda: lambda: mlp().fit(X[:64], y[:64], validation_data=tiled(40)),
    "lbfgs": lambda: lambda: mlp(optimizer="lbfgs").fit(X, y),
    "reference": lambda: lambda: mlp(hidden=20, backend="python", batch_size="full").fit(X, y),
    "predict": lambda: predictions("predict"),
    "predict_proba": lambda: predictions("predict_proba"),
    "forward": lambda: predictions("forward"),
    "decision_function": lambda: predictions("decision_function"),
    "score": lambda: predictions("score", True),
    "evaluate": lambda: predictions("evaluate", True),
    "estimator, fit": lambda: lambda: estimator(batch_size=20_000).fit(X, y),
    "estimator, lbfgs": lambda: lambda: estimator(solver="lbfgs").fit(X, y),
}

def estimated():
    model = estimator(max_iter=1).fit(X[:100], y[:100])
    many, _ = tiled(40)
    return lambda: model.predict(many)

if "sklearn" in sys.argv:
    import warnings
    import cnn_core.sklearn  # else the signal may come during the import of pandas
    warnings.simplefilter("ignore")
    WORK["estimator, predict"] = estimated
else:
    WORK = {name: make for name, make in WORK.items() if not name.startswith("estimator")}
for name, make in WORK.items():
    work, sent = make(), []
    def send():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
    timer = threading.Timer(0.6, send)
    began = time.monotonic()
    try:
        timer.start()
        work()
        seconds = None
    except KeyboardInterrupt:
        seconds = time.monotonic() - sent[0]
    timer.join()
    print(json.dumps([name, seconds]), flush=True)
"""

NAMES = [
    "fit",
    "fit of one mini-batch",
    "fit in float64",
    "fit of a small network",
    "validation",
    "lbfgs",
    "reference",
    "predict",
    "predict_proba",
    "forward",
    "decision_function",
    "score",
    "evaluate",
    "estimator, fit",
    "estimator, lbfgs",
    "estimator, predict",
]


@functools.cache
def answers(threads):
    """Seconds that each piece of work has taken to answer."""
    try:
        import sklearn

        kinds = ["sklearn"] if tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 7) else []
    except ImportError:
        kinds = []
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(threads), *kinds],
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    )
    return dict(map(json.loads, done.stdout.splitlines()))


@pytest.mark.slow
@pytest.mark.parametrize("threads", [2, 1])
@pytest.mark.parametrize("name", NAMES)
def test_ctrl_c_is_answered_whatever_is_in_progress(name, threads):
    if name.startswith("estimator"):
        pytest.importorskip("sklearn", minversion="1.7")
    seconds = answers(threads)[name]
    assert seconds is not None and seconds < LIMIT


RNG = np.random.default_rng(3)
X = RNG.normal(size=(6000, 60)).astype("float32")
LABELS = RNG.integers(0, 3, (6000, 1)).astype("int32")
ADAM = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def make_trainer(batch, threads, widths=(60, 300, 300, 3)):
    network = Network(widths, ("relu", "tanh", "softmax")[3 - len(widths) + 1 :])
    for l in range(network.n_layers):
        shape = widths[l + 1], widths[l]
        W = np.random.default_rng(l).normal(scale=0.1, size=shape).astype("float32")
        network.set_layer(l, W, np.zeros(shape[0], "float32"))
    rates = (0.1,) + (0.0,) * (network.n_layers - 1)
    backprop = Backprop(network, "sparse_categorical_crossentropy", batch, dropout=rates)
    return Trainer(backprop, "adam", ADAM, 1, threads=threads)


def bits_of(trainer):
    return [trainer.parameters.tobytes(), *(slot.tobytes() for slot in trainer.slots)]


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("batch", [32, 500, 1500])
def test_an_epoch_that_is_given_up_leaves_whole_steps(batch, threads):
    # Batches of 1,500 rows compute the gradient in a pass of its own, 500 with the step.
    rows, labels = RowSource(X), RowSource(LABELS)
    whole, expected = make_trainer(batch, threads), {}
    whole.after_step = lambda cost: expected.setdefault(whole.steps, bits_of(whole))
    expected[0] = bits_of(whole)
    whole.epoch(rows, None, labels)
    seen = set()
    for k in range(40):
        trainer = make_trainer(batch, threads)
        trainer.end = EndRequest()
        trainer.end.after(0.0015 * k)
        try:
            trainer.epoch(rows, None, labels)
            assert trainer.epochs == 1
        except Ended:
            assert trainer.epochs == 0
        assert bits_of(trainer) == expected[trainer.steps]
        seen.add(trainer.steps)
    assert len(seen) > 1 and min(seen) < len(expected) - 1


@pytest.mark.slow
@pytest.mark.parametrize("call", ["epoch", "evaluate", "loss_and_gradient", "accumulate"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_trainer_can_be_used_after_it_was_ended(call, threads):
    rows, labels = RowSource(X), RowSource(LABELS)
    trainer, other = make_trainer(6000, threads), make_trainer(6000, threads)
    trainer.end = EndRequest()
    trainer.end.request()
    assert trainer.end.requested
    before = bits_of(trainer)
    with pytest.raises(Ended):
        getattr(trainer, call)(rows, None, labels)
    assert bits_of(trainer) == before
    trainer.end = None
    trainer.evaluate(rows, None, labels)
    assert trainer.epoch(rows, None, labels) == other.epoch(rows, None, labels)
    assert bits_of(trainer) == bits_of(other)


@pytest.mark.parametrize("backend", ["native", "python"])
def test_lbfgs_that_is_ended_in_a_line_search_has_the_parameters_before_it(backend):
    spec = TrainingSpec(
        "sparse_categorical_crossentropy",
        None,
        "lbfgs",
        {"learning_rate": 1.0, "memory": 5, "tolerance": 0.0, "max_evaluations": 20},
        60,
        0,
    )
    network = make_trainer(60, 1, (60, 5, 3)).backprop.network
    trainer = BACKENDS[backend].trainer(spec, network)
    rows, labels = RowSource(X[:60]), RowSource(LABELS[:60])
    trainer.epoch(rows, None, labels)
    before, epochs, calls = list(trainer.inner.parameters), trainer.epochs, []
    evaluate = trainer._point

    def point(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise Ended
        return evaluate(*arguments)

    trainer._point = point
    with pytest.raises(Ended):
        trainer.epoch(rows, None, labels)
    assert list(trainer.inner.parameters) == before and trainer.epochs == epochs
    trainer.epoch(rows, None, labels)
    assert trainer.epochs == epochs + 1 and list(trainer.inner.parameters) != before


def interrupted(work, seconds=0.1, what=signal.SIGINT):
    """Do some work, into which a signal falls."""
    timer = threading.Timer(seconds, signal.raise_signal, (what,))
    timer.start()
    try:
        return work()
    finally:
        timer.join()


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_after_ctrl_c_in_a_large_step_the_model_is_that_of_the_last_whole_epoch(threads):
    options = dict(hidden=(200, 200), batch_size="full", random_state=0, n_threads=threads)
    model = MLP(epochs=10**6, **options)
    with pytest.raises(KeyboardInterrupt):
        interrupted(lambda: model.fit(X, LABELS[:, 0]), 0.5)
    again = MLP(epochs=model.n_epochs_, **options).fit(X, LABELS[:, 0])
    assert np.array_equal(model.parameters_, again.parameters_)
    assert model.history_["loss"] == again.history_["loss"]


def test_ctrl_c_before_the_first_whole_epoch_leaves_the_model_as_it_was():
    model = MLP((2000, 2000), batch_size="full", epochs=5, random_state=0)
    many, labels = np.tile(X, (20, 1)), np.tile(LABELS[:, 0], 20)
    with pytest.raises(KeyboardInterrupt):
        interrupted(lambda: model.fit(many, labels))
    assert model._fitted is None
    model.initialize(X, LABELS[:, 0])
    before = model._fitted
    with pytest.raises(KeyboardInterrupt):
        interrupted(lambda: model.fit(many, labels))
    assert model._fitted is before


def test_predictions_that_are_interrupted_change_nothing():
    model = MLP((1500, 1500), random_state=0).initialize(X, LABELS[:, 0])
    few = model.predict_proba(X[:50])
    many = np.tile(X, (50, 1))
    for name in ("predict", "predict_proba", "forward"):
        with pytest.raises(KeyboardInterrupt):
            interrupted(lambda name=name: getattr(model, name)(many))
    assert np.array_equal(model.predict_proba(X[:50]), few)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="a system without such signals")
def test_what_another_signal_handler_does_happens_in_the_midst_of_work():
    seen, model = [], MLP(16, epochs=10**6, random_state=0)

    def note(number, frame):
        seen.append(np.float32(1e-39) * np.float32(0.5))  # with the caller's floating-point mode
        if len(seen) == 2:
            raise TimeoutError("enough")

    before = signal.signal(signal.SIGUSR1, note)
    first = threading.Timer(0.1, signal.raise_signal, (signal.SIGUSR1,))
    try:
        first.start()
        with pytest.raises(TimeoutError, match="enough"):
            interrupted(lambda: model.fit(X, LABELS[:, 0]), 0.4, signal.SIGUSR1)
    finally:
        first.join()
        signal.signal(signal.SIGUSR1, before)
    assert len(seen) == 2 and all(seen) and model.n_epochs_ > 0


def test_a_fit_in_another_thread_goes_on_while_the_main_thread_is_interrupted():
    options = dict(hidden=(64, 64), epochs=30, random_state=0)
    model, expected = MLP(**options), MLP(**options).fit(X, LABELS[:, 0])
    thread = threading.Thread(target=model.fit, args=(X, LABELS[:, 0]))
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        interrupted(thread.join, 0.05)
    thread.join()
    assert np.array_equal(model.parameters_, expected.parameters_)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_forked_child_answers_ctrl_c_too():
    # The thread that forks is the child's main one.
    code = """
import os, signal, sys, threading, time
import numpy as np
from cnn_core import MLP
signal.signal(signal.SIGINT, signal.default_int_handler)
X = np.zeros((6000, 60), "float32")
def child():
    if os.fork() == 0:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            model = MLP((1500, 1500), batch_size="full", epochs=10**6)
            model.fit(np.tile(X, (20, 1)), np.arange(120_000) % 2)
        except KeyboardInterrupt:
            os._exit(7)
        os._exit(1)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
MLP(8, epochs=1).fit(X, X[:, 0] + 1.5)
thread = threading.Thread(target=child)
thread.start()
thread.join()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("7\n", "")
