"""Signals while checkpoints are kept: the training ends between two steps, however short its epochs
are, and nothing of it is lost; handlers are called, and are back afterwards."""

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
import scipy.sparse
from cnn_core.files.checkpoints import read_checkpoint
from cnn_core.sklearn import MLPClassifier, MLPRegressor
from cnn_core.training import signals
from cnn_core.training.monitor import LossAndMetric

import cnn_core
from cnn_core import MLP, Callback, OneCycle

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to be sent"),
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer"),
]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4))
Y = X[:, 0] * X[:, 1]
LABELS = np.array(["a", "b", "c"])[RNG.integers(0, 3, 300)]
FOREVER = 10**6
SKLEARN = dict(max_iter=FOREVER, tol=0, n_iter_no_change=10**7, random_state=0)

ENDLESS = {
    "MLP": lambda: MLP(16, epochs=FOREVER, random_state=0),
    "one step an epoch": lambda: MLP(4, epochs=FOREVER, random_state=0, batch_size="full"),
    "reference": lambda: MLP(3, epochs=FOREVER, random_state=0, backend="python"),
    "callbacks": lambda: MLP(8, epochs=FOREVER, random_state=0, callbacks=lambda *_: None),
    "scikit-learn": lambda: MLPRegressor(hidden_layer_sizes=16, **SKLEARN),
    "scores": lambda: MLPRegressor(early_stopping=True, validation_fraction=0.5, **SKLEARN),
}


def epochs_of(model):
    return model.n_epochs_ if hasattr(model, "n_epochs_") else model.n_iter_


def weights_of(model):
    return model.weights_ if hasattr(model, "weights_") else tuple(model.coefs_)


def send(number, path):
    """Send a signal some time after the first checkpoint has been written, in another thread."""

    def wait_and_send():
        while not path.exists():
            time.sleep(0.01)
        time.sleep(0.2)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=wait_and_send)
    thread.start()
    return thread


def interrupted(model, path):
    """What a fit that a signal ends has raised."""
    try:
        model.fit(X, Y, checkpoint=path)
    except (KeyboardInterrupt, SystemExit) as error:
        return error
    raise AssertionError("the fit was over before the signal came")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ENDLESS)
def test_all_epochs_are_in_model_and_checkpoint_however_short_they_are(name, number, tmp_path):
    path, model = tmp_path / "run.ckpt", ENDLESS[name]()
    thread = send(number, path)
    error = interrupted(model, path)
    thread.join()
    assert isinstance(error, KeyboardInterrupt if number == signal.SIGINT else SystemExit)
    assert epochs_of(model) > 0
    assert epochs_of(cnn_core.load(path)) == epochs_of(model)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("make", "rows"),
    [
        (lambda **more: MLP(8, epochs=400, random_state=0, **more), X),
        (lambda **more: MLP(8, epochs=400, random_state=0, early_stopping=True, **more), X),
        (
            lambda **more: MLPRegressor(max_iter=400, random_state=0, tol=0, **more),
            scipy.sparse.csr_matrix(X),
        ),
    ],
)
def test_a_training_that_signals_end_again_and_again_has_the_bits_of_one_in_one_piece(
    make, rows, tmp_path
):
    path, parts = tmp_path / "run.ckpt", 0
    whole = make().fit(rows, Y)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        while parts < 100:
            parts, model = parts + 1, make()
            signal.setitimer(signal.ITIMER_REAL, 0.05 + 0.01 * parts)
            try:
                model.fit(rows, Y, checkpoint=path)
                break
            except KeyboardInterrupt:
                pass
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert epochs_of(whole) == epochs_of(model)
    assert all(map(np.array_equal, weights_of(whole), weights_of(model)))


@pytest.mark.parametrize(
    "options",
    [
        {},
        dict(learning_rate=OneCycle(0.01)),
        dict(backend="python", hidden=3, learning_rate=OneCycle()),
    ],
)
@pytest.mark.parametrize("y", [Y, LABELS])
def test_an_interrupted_validation_costs_no_step(options, y, tmp_path, monkeypatch):
    options = dict(hidden=8, epochs=5, random_state=5, batch_size=64) | options
    given = dict(validation_data=(X[:50], y[:50]))
    path, whole = tmp_path / "run.ckpt", MLP(**options).fit(X, y, **given)
    entry, calls = LossAndMetric.entry, []

    def interrupt(self, *args):
        calls.append(1)
        if len(calls) in (1, 3):
            raise KeyboardInterrupt
        return entry(self, *args)

    steps = []

    class Count(Callback):
        def after_step(self, model, step, logs):
            steps.append(step)

    monkeypatch.setattr(LossAndMetric, "entry", interrupt)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            MLP(callbacks=[Count()], **options).fit(X, y, checkpoint=path, **given)
        assert read_checkpoint(path, MLP).progress.position.batches == 5
    end = MLP(callbacks=[Count()], **options).fit(X, y, checkpoint=path, **given)
    assert steps == list(range(1, 26))  # none twice
    assert np.array_equal(whole.parameters_, end.parameters_)
    for name in whole.history_:
        assert name == "seconds" or whole.history_[name] == end.history_[name], name


def test_a_score_that_is_interrupted_costs_no_step(tmp_path, monkeypatch):
    from cnn_core.sklearn._policies import LossAndScore

    options = dict(hidden_layer_sizes=8, max_iter=5, random_state=5, early_stopping=True)
    path, whole = tmp_path / "run.ckpt", MLPRegressor(**options).fit(X, Y)
    entry, calls = LossAndScore.entry, []

    def interrupt(self, *args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return entry(self, *args)

    monkeypatch.setattr(LossAndScore, "entry", interrupt)
    with pytest.raises(KeyboardInterrupt):
        MLPRegressor(**options).fit(X, Y, checkpoint=path)
    assert read_checkpoint(path, MLPRegressor).progress.position.batches == 2
    end = MLPRegressor(**options).fit(X, Y, checkpoint=path)
    assert all(map(np.array_equal, whole.coefs_, end.coefs_))
    assert whole.validation_scores_ == end.validation_scores_


@pytest.mark.parametrize(
    "make",
    [
        lambda **more: MLP(
            8,
            epochs=60,
            random_state=0,
            early_stopping=True,
            patience=2,
            restore_best=False,
            **more,
        ),
        lambda **more: MLP(8, epochs=60, random_state=0, tol=1e-2, patience=2, **more),
        lambda **more: MLPRegressor(
            max_iter=60, random_state=0, tol=1e-3, n_iter_no_change=2, **more
        ),
        lambda **more: MLPRegressor(
            solver="sgd",
            learning_rate="adaptive",
            max_iter=60,
            random_state=0,
            tol=1e-2,
            n_iter_no_change=2,
            **more,
        ),
    ],
)
def test_rules_that_were_about_to_stop_do_so_after_an_interruption(make, tmp_path):
    whole = make().fit(X, Y)

    class Interrupt(Callback):
        def __init__(self, epoch):
            self.epoch = epoch

        def after_epoch(self, model, epoch, logs):
            if epoch == self.epoch:
                raise KeyboardInterrupt

    last = epochs_of(whole)
    for epoch in range(last - 2, last + 1):
        path = tmp_path / f"{epoch}.ckpt"
        with pytest.raises(KeyboardInterrupt):
            make(callbacks=[Interrupt(epoch)]).fit(X, Y, checkpoint=path)
        end = make().fit(X, Y, checkpoint=path)
        assert epochs_of(end) == last, epoch
        assert all(map(np.array_equal, weights_of(whole), weights_of(end))), epoch


class SlowSteps(Callback):
    def after_step(self, model, step, logs):
        time.sleep(60)


class SlowEpochs(Callback):
    def after_epoch(self, model, epoch, logs):
        time.sleep(60)


@pytest.mark.slow
@pytest.mark.parametrize("callback", [SlowSteps, SlowEpochs])
@pytest.mark.parametrize("make", [MLP, MLPRegressor])
def test_a_callback_that_waits_is_interrupted(make, callback, tmp_path):
    began, path = time.perf_counter(), tmp_path / "run.ckpt"
    thread = send(signal.SIGINT, path)
    interrupted(make(callbacks=[callback()]), path)
    thread.join()
    assert time.perf_counter() - began < 30


def test_what_a_handler_of_somebody_else_raises_waits_for_the_end_of_a_step(tmp_path):
    class Preempted(Exception):
        pass

    def leave(number, frame):
        raise Preempted

    path, model = tmp_path / "run.ckpt", ENDLESS["MLP"]()
    before = signal.signal(signal.SIGUSR1, leave)
    thread = send(signal.SIGUSR1, path)
    try:
        with pytest.raises(Preempted):
            model.fit(X, Y, checkpoint=path)
        assert signal.getsignal(signal.SIGUSR1) is leave
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    assert cnn_core.load(path).n_epochs_ == model.n_epochs_ > 0


def test_a_handler_that_is_set_in_a_callback_stays(tmp_path):
    before = signal.getsignal(signal.SIGUSR1)

    def mine(number, frame):
        pass

    def replace(model, epoch, logs):
        signal.signal(signal.SIGUSR1, mine)

    try:
        MLP(3, epochs=2, callbacks=replace).fit(X, Y, checkpoint=tmp_path / "run.ckpt")
        assert signal.getsignal(signal.SIGUSR1) is mine
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_that_comes_again_after_a_second_waits_no_longer(monkeypatch):
    from cnn_core._control import EndRequest

    end = EndRequest()
    with signals.Signals() as held:
        held.hold(end)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert end.requested
        monkeypatch.setattr(signals, "LONGEST", -1.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        held.release()  # nothing waits any more


@pytest.mark.parametrize("make", [MLP, MLPClassifier])
def test_sigterm_is_handled_from_the_beginning_of_a_fit(make, tmp_path):
    seen = []

    class Rows:
        shape, dtype = X.shape, X.dtype

        def __len__(self):
            return len(X)

        def __array__(self, dtype=None, copy=None):
            seen.append(signal.getsignal(signal.SIGTERM))
            return np.array(X, dtype)

    make(random_state=0).fit(Rows(), LABELS, checkpoint=tmp_path / "run.ckpt")
    assert seen and signal.SIG_DFL not in seen
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


class InterruptStep(Callback):
    def __init__(self, error):
        self.error = error

    def after_step(self, model, step, logs):
        raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize(
    "make",
    [
        lambda **more: MLP(4, epochs=9, random_state=0, **more),
        lambda **more: MLPRegressor(max_iter=9, random_state=0, **more),
    ],
)
def test_what_is_interrupted_before_its_first_new_epoch_has_the_model_of_the_checkpoint(
    make, error, tmp_path
):
    path = tmp_path / "run.ckpt"

    def stop(model, epoch, logs):
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(callbacks=stop).fit(X, Y, checkpoint=path)
    model = make(callbacks=[InterruptStep(error)])
    with pytest.raises(error):
        model.fit(X, Y, checkpoint=path)
    assert epochs_of(model) == 3
    assert all(map(np.array_equal, weights_of(model), weights_of(cnn_core.load(path))))


@pytest.mark.parametrize("make", [MLP, MLPRegressor])
def test_a_first_fit_that_is_interrupted_in_its_first_epoch_leaves_no_model(make, tmp_path):
    model = make(callbacks=[InterruptStep(SystemExit)])
    for _ in range(2):  # with a checkpoint of no epoch, too
        with pytest.raises(SystemExit):
            model.fit(X, Y, checkpoint=tmp_path / "run.ckpt")
        assert not hasattr(model, "n_epochs_") and not hasattr(model, "n_iter_")
