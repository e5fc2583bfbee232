"""`max_seconds`, and the end of a training on request: both keep the last whole epoch."""

import pickle
import signal
import threading
import time

import numpy as np
import pytest
from cnn_core._control import EndRequest
from cnn_core.training import run

from cnn_core import MLP, Callback, MLPClassifier, MLPRegressor

RNG = np.random.default_rng(4)
X = RNG.normal(size=(3000, 30)).astype("float32")
TWO = (X[:, 0] > 0).astype(int)
LINE = X[:, 0] - X[:, 1]


class Sleep(Callback):
    """Epochs of a known length."""

    def __init__(self, seconds):
        self.seconds = seconds

    def after_epoch(self, model, epoch, logs):
        time.sleep(self.seconds)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{}, dict(optimizer="lbfgs"), dict(backend="python"), dict(batch_size="full")]
)
def test_a_fit_ends_after_the_first_epoch_beyond_its_seconds(options, capsys):
    given = dict(hidden=4, random_state=0, callbacks=Sleep(0.02), dtype="float64") | options
    rows = slice(20 if options.get("backend") == "python" else None)
    began = time.perf_counter()
    model = MLP(**given, epochs=10**6, max_seconds=0.3, verbose=1).fit(X[rows], LINE[rows])
    took = time.perf_counter() - began
    done = model.n_epochs_
    assert 1 < done < 16 and took > 0.3
    assert not model.converged_ and len(model.history_["loss"]) == done
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        f"stopped: max_seconds was over after epoch {done}; the weights are those of epoch {done}"
    )
    assert "ended as max_seconds was over" in model.summary()
    again = MLP(**given | dict(callbacks=()), epochs=done).fit(X[rows], LINE[rows])
    assert np.array_equal(model.parameters_, again.parameters_)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, dict(optimizer="lbfgs"), dict(backend="python")])
def test_a_first_epoch_that_takes_longer_is_given_up_with_a_warning(options, capsys):
    # Of each a second or more.
    wide = (10,) if options.get("backend") == "python" else (1500, 1500)
    model = MLP(wide, batch_size="full", epochs=3, max_seconds=0.05, verbose=1, **options)
    model.set_params(random_state=0)
    began = time.perf_counter()
    with pytest.warns(UserWarning, match="max_seconds=0.05 was over before the first epoch ended"):
        model.fit(np.tile(X, (10, 1)), np.tile(TWO, 10))
    assert time.perf_counter() - began < 5
    untrained = MLP(wide, random_state=0).initialize(X, TWO)
    assert np.array_equal(model.parameters_, untrained.parameters_)
    assert model.n_epochs_ == 0 and model.history_["loss"] == [] and not model.converged_
    assert model.predict(X[:5]).shape == (5,)
    assert capsys.readouterr().out == (
        "stopped: max_seconds was over in epoch 1; the weights are those before it\n"
    )


def test_validation_counts_as_part_of_its_epoch():
    model = MLP((1500, 1500), epochs=10, max_seconds=0.1, random_state=0).initialize(X, TWO)
    before = model._fitted
    model.set_params(warm_start=True)
    many = np.tile(X, (20, 1)), np.tile(TWO, 20)
    with pytest.warns(UserWarning, match="before the first epoch ended: the model is untrained"):
        model.fit(X[:32], TWO[:32], validation_data=many)
    assert np.array_equal(model.parameters_, before.network.flat()) and model.n_epochs_ == 0


def test_early_stopping_ends_with_the_best_weights_where_the_time_is_over():
    def make(**more):
        return MLP(8, early_stopping=True, patience=1000, random_state=0, **more)

    model = make(epochs=10**6, max_seconds=0.3, optimizer="sgd", learning_rate=1.0).fit(X, TWO)
    done, best = model.n_epochs_, model.best_epoch_
    again = make(epochs=done, optimizer="sgd", learning_rate=1.0).fit(X, TWO)
    assert again.best_epoch_ == best and np.array_equal(again.parameters_, model.parameters_)


def test_evaluate_advises_more_time_where_that_has_ended_a_fit():
    given = dict(hidden=4, batch_size="full", random_state=0, callbacks=Sleep(0.02))
    model = MLP(**given, epochs=10**6, max_seconds=0.1).fit(X, TWO)
    assert "so a larger max_seconds" in model.evaluate(X, TWO)["diagnosis"]
    model = MLP(**given, epochs=model.n_epochs_).fit(X, TWO)
    assert "so more epochs" in model.evaluate(X, TWO)["diagnosis"]


def test_a_warm_start_goes_on_from_where_the_time_was_over():
    given = dict(hidden=8, random_state=0, warm_start=True)
    model = MLP(**given, epochs=10**6, max_seconds=0.1).fit(X, TWO)
    done = model.n_epochs_
    model.set_params(epochs=3, max_seconds=None).fit(X, TWO)
    whole = MLP(**given, epochs=done + 3).fit(X, TWO)
    assert np.array_equal(model.parameters_, whole.parameters_)


def test_partial_fit_does_not_look_at_max_seconds():
    model = MLP(8, max_seconds=1e-9, random_state=0)
    for _ in range(3):
        model.partial_fit(X, TWO)
    assert model.n_epochs_ == 3


@pytest.mark.parametrize("kind", [MLP, MLPClassifier, MLPRegressor])
def test_max_seconds_is_a_positive_number_or_none(kind):
    assert kind(max_seconds=2).get_params()["max_seconds"] == 2
    for value, error in (
        (0, ValueError),
        (-1.0, ValueError),
        (np.nan, ValueError),
        ("1", TypeError),
    ):
        with pytest.raises(error, match="max_seconds"):
            kind(max_seconds=value)
    assert pickle.loads(pickle.dumps(kind(max_seconds=3.5))).max_seconds == 3.5


@pytest.fixture
def loops(monkeypatch):
    """The loops that fits have made."""
    made, make = [], run.TrainingLoop

    def remember(*arguments):
        made.append(make(*arguments))
        return made[-1]

    monkeypatch.setattr(run, "TrainingLoop", remember)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, dict(batch_size="full", hidden=(300, 300))])
def test_a_signal_handler_ends_a_training_without_an_exception(loops, options):
    given = dict(hidden=8, random_state=0) | options
    before = signal.signal(signal.SIGTERM, lambda *_: loops[-1].end.request())
    timer = threading.Timer(0.3, signal.raise_signal, (signal.SIGTERM,))
    try:
        timer.start()
        model = MLP(**given, epochs=10**6).fit(X, TWO)
    finally:
        timer.join()
        signal.signal(signal.SIGTERM, before)
    assert loops[-1].reason == "requested" and model.n_epochs_ > 0
    assert "ended by request" in model.summary()
    again = MLP(**given, epochs=model.n_epochs_).fit(X, TWO)
    assert np.array_equal(model.parameters_, again.parameters_)


def test_another_thread_ends_a_training_in_the_midst_of_an_epoch(loops):
    model = MLP((2000, 2000), batch_size="full", epochs=10, random_state=0)
    many, labels = np.tile(X, (40, 1)), np.tile(TWO, 40)

    asked = []

    def ask():
        while not loops:
            time.sleep(0.01)
        time.sleep(0.3)
        asked.append(time.perf_counter())
        loops[-1].end.request()

    asker = threading.Thread(target=ask)
    asker.start()
    model.fit(many, labels)
    asker.join()
    assert time.perf_counter() - asked[0] < 5  # an epoch takes 20 or more
    assert loops[-1].reason == "requested" and model.n_epochs_ == 0
    assert np.array_equal(
        model.parameters_, MLP((2000, 2000), random_state=0).initialize(X, TWO).parameters_
    )


def test_a_request_stands_until_it_is_seen():
    end = EndRequest()
    assert not end.requested
    end.after(3600.0)
    end.check()
    end.request()
    assert end.requested
    with pytest.raises(Exception, match="^$"):
        end.check()
