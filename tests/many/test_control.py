"""fit_many as a whole: callbacks, early ends, errors, warnings, Ctrl-C, and what is printed."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from cnn_core.callbacks import PhaseTimer
from many_cases import NUMBERS, X, Y, facts, own_fits, small

from cnn_core import MLP, Callback, DivergenceWarning, MLPClassifier, fit_many


def fitted(count=3, **options):
    """Some models that were trained on other rows."""
    return [small(random_state=i, **options).fit(X[:100], Y[:100]) for i in range(count)]


# Callbacks


def test_callbacks_see_all_models_after_each_round():
    models, rounds = [small(epochs=e, random_state=e) for e in (1, 3, 0)], []

    def see(given, epoch, logs):
        assert given == models and all(model.n_epochs_ >= 0 for model in given)
        for number, entry in logs.items():
            history = models[number].history_
            assert entry == {name: column[-1] for name, column in history.items()}
            assert len(history["loss"]) == epoch
        rounds.append((epoch, sorted(logs), [model.n_epochs_ for model in given]))

    fit_many(models, X, Y, callbacks=see)
    assert rounds == [(1, [0, 1], [1, 1, 0]), (2, [1], [1, 2, 0]), (3, [1], [1, 3, 0])]


def test_a_callback_changes_no_bits():
    models = fit_many([small(random_state=i) for i in (0, 1)], X, Y, callbacks=lambda *_: None)
    assert [facts(one) for one in models] == [
        facts(small(random_state=i).fit(X, Y)) for i in (0, 1)
    ]


def test_true_ends_all_and_each_is_as_after_so_many_epochs():
    models = [small(random_state=i, epochs=9) for i in range(3)]
    fit_many(models, X, Y, callbacks=[lambda models, epoch, logs: epoch == 2, lambda *_: False])
    for i, model in enumerate(models):
        own = small(random_state=i, epochs=9, callbacks=lambda model, epoch, logs: epoch == 2)
        assert facts(model) == facts(own.fit(X, Y))


@pytest.mark.parametrize(
    "callbacks, message",
    [
        (3, "callbacks must be a list of functions, got 3"),
        ([Callback()], "must be a function (models, epoch, logs)"),
        ([print, 4], "must be a function (models, epoch, logs), got 4"),
        (lambda model: None, "is called with (models, epoch, logs), and it takes (model)"),
    ],
)
def test_callbacks_that_are_none(callbacks, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        fit_many([small()], X, Y, callbacks=callbacks)


def test_a_callback_must_return_a_bool_or_nothing():
    models = [small(epochs=5)]
    with pytest.raises(TypeError, match="returned 3 after round 1"):
        fit_many(models, X, Y, callbacks=lambda *_: 3)
    assert models[0].n_epochs_ == 1


def test_callbacks_of_single_models_are_theirs():
    called, timer = [], PhaseTimer()

    class Told(Callback):
        def __init__(self, name):
            self.name = name

        def before_fit(self, model):
            called.append((self.name, "before"))

        def after_epoch(self, model, epoch, logs):
            called.append((self.name, epoch, model.n_epochs_))
            return epoch == 2

        def after_step(self, model, step, logs):
            assert threading.current_thread() is threading.main_thread()

        def after_fit(self, model):
            called.append((self.name, "after"))

    models = [small(callbacks=[Told(0)]), small(callbacks=[timer]), small(callbacks=[Told(2)])]
    fit_many(models, X, Y, n_threads=2)
    assert [model.n_epochs_ for model in models] == [2, 6, 2]
    assert called[:2] == [(0, "before"), (2, "before")]
    for name in (0, 2):
        own = [what[1:] for what in called if what[0] == name]
        assert own == [("before",), (1, 1), (2, 2), ("after",)]
    assert sum(timer.seconds.values()) > 0


def test_a_model_that_trains_is_taken():
    def see(models, epoch, logs):
        with pytest.raises(RuntimeError, match="being fitted"):
            models[0].fit(X, Y)
        return True

    models = fit_many(fitted(), X, Y, callbacks=see)
    models[0].fit(X, Y)


# Ends of single models


def test_early_ends_of_some_leave_the_others_training():
    models = [
        small(epochs=99, early_stopping=True, patience=1, learning_rate=0.1, random_state=0),
        small(epochs=12, random_state=1),
        small(epochs=10**6, max_seconds=0.05, random_state=2),
        small(epochs=9, learning_rate=1e30, optimizer="sgd", random_state=3),
    ]
    with pytest.warns(DivergenceWarning, match=r"models\[3\]: training diverged in epoch"):
        fit_many(models, X, Y)
    assert models[0].n_epochs_ < 99 and models[0]._model().ended == "stopping"
    assert models[1].n_epochs_ == 12
    assert models[2]._model().ended == "max_seconds" and models[2].n_epochs_ > 0
    assert models[3]._model().ended == "divergence"


def test_seconds_of_an_epoch_are_its_own():
    slow = small(hidden=(300, 300), epochs=4)
    quick = small(epochs=4)
    fit_many([slow, quick], np.tile(X, (20, 1)), np.tile(Y, 20), n_threads=1)
    assert sum(quick.history_["seconds"]) < sum(slow.history_["seconds"]) / 3
    assert min(quick.history_["seconds"]) > 0


# Errors


class Own(MLP):
    def fit(self, X, y):
        return self


def bad_row(X):
    X = X.copy()
    X[7, 2] = np.nan
    return X


@pytest.mark.parametrize(
    "make, arguments, error, message",
    [
        (lambda m: [*m, m[0]], {}, ValueError, "models[0] and models[3] are the same object"),
        (lambda m: [*m, Own()], {}, TypeError, "models[3] is of the class Own, which has a fit"),
        (lambda m: m[0], {}, TypeError, "models must be a list of MLPs, got MLP("),
        (lambda m: [*m, "mlp"], {}, TypeError, "models[3] must be an MLP, MLPClassifier or"),
        (lambda m: m, {"X": bad_row(X)}, ValueError, "X has nan at row 7, column 2"),
        (lambda m: m, {"y": Y[:9]}, ValueError, "X has 300 rows and y has 9"),
        (lambda m: m, {"rows": [None]}, ValueError, "for all; got 1 entry"),
        (lambda m: m, {"rows": 3}, TypeError, "rows must be a list with the rows of each model"),
        (lambda m: m, {"rows": [None, None, [300]]}, ValueError, "rows[2] must hold row numbers"),
        (lambda m: m, {"rows": [None, [True], None]}, ValueError, "rows[1] has 1 bool"),
        (lambda m: m, {"rows": [[], None, None]}, ValueError, "rows[0] has no row"),
        (lambda m: m, {"rows": [[0.5], None, None]}, TypeError, "rows[0] must be a slice"),
        (lambda m: m, {"n_threads": 0}, ValueError, "n_threads must be at least 1"),
        (lambda m: m, {"verbose": -1}, ValueError, "verbose must be 0, 1 or 2"),
        (lambda m: m, {"sample_weight": -np.ones(300)}, ValueError, "sample_weight"),
        (
            lambda m: [*m, small(monitor="val_metric", epochs=3)],
            {},
            ValueError,
            "models[3]: monitor='val_metric' is of validation rows",
        ),
        (
            lambda m: [*m, MLPClassifier(output="step", hidden=3)],
            {},
            ValueError,
            "models[3]: ",
        ),
        (lambda m: m, {"X": iter([(X, Y)]), "y": None}, TypeError, "X comes in blocks"),
    ],
)
def test_an_error_changes_nothing(make, arguments, error, message):
    models = fitted()
    before = [facts(model) for model in models]
    with pytest.raises(error, match=re.escape(message)):
        fit_many(make(models), **{"X": X, "y": Y} | arguments)
    assert [facts(model) for model in models] == before
    models[0].fit(X, Y)  # nobody has it


def test_a_parameter_that_was_set_wrong_names_the_model():
    models = fitted()
    models[1].epochs = -1
    with pytest.raises(ValueError, match=re.escape("models[1]: epochs must be")):
        fit_many(models, X, Y)


def test_an_error_leaves_generators_where_they_were():
    stream, old = np.random.default_rng(3), np.random.RandomState(3)
    models = [small(random_state=stream), small(random_state=old), small(random_state=stream)]
    with pytest.raises(ValueError):
        fit_many(models, bad_row(X), Y)
    assert stream.random() == np.random.default_rng(3).random()
    assert old.rand() == np.random.RandomState(3).rand()


def test_an_exception_in_a_callback_leaves_whole_epochs_and_names_the_model():
    def fails(model, epoch, logs):
        if epoch == 3:
            raise OSError("no")

    models = [small(random_state=i, epochs=9) for i in range(3)]
    models[1].callbacks = fails
    with pytest.raises(OSError, match="no") as caught:
        fit_many(models, X, Y)
    assert caught.value.__notes__ == ["in the training of models[1]"]
    assert models[1].n_epochs_ == 3
    for i, model in enumerate(models):
        own = small(random_state=i, epochs=model.n_epochs_).fit(X, Y)
        assert model.n_epochs_ in (2, 3) and np.array_equal(model.parameters_, own.parameters_)


def test_a_score_that_fails_leaves_its_model_as_it_was():
    models = fitted(2)
    before = facts(models[1])
    models[1].set_params(monitor=lambda model, X, y: np.nan, early_stopping=True)
    with pytest.raises(ValueError, match="must give a finite number"):
        fit_many(models, X, Y)
    assert facts(models[1]) == before


def test_short_memory_leaves_all_as_they_were(monkeypatch):
    from cnn_core.training.loop import DatasetRows

    models = fitted(3, batch_size=7)
    before, epoch = [facts(model) for model in models], DatasetRows.epoch

    def fails(self, trainer, rates):
        if trainer.epochs == 2:
            raise MemoryError
        return epoch(self, trainer, rates)

    monkeypatch.setattr(DatasetRows, "epoch", fails)
    models[0].hidden, models[1].hidden = 9, 10  # no two alike
    with pytest.raises(MemoryError):
        fit_many(models, X, Y, n_threads=2)
    assert [facts(model) for model in models] == before


# Warnings

FAR = np.array([0, 0, 3e7, 0, 0, 0])


def said(models, X, y, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit_many(models, X, y, **options)
    assert all(one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


def test_what_all_say_is_said_once():
    models = [small(random_state=i, scale_inputs=None) for i in range(60)]
    (own,) = own_fits([small(scale_inputs=None)], X + FAR, Y)
    assert said(models, X + FAR, Y) == [f"all 60 models: {own}"]


def test_what_some_say_names_them():
    def make():
        return [small(random_state=i, shuffle=i in (0, 2)) for i in range(9)]

    order = np.argsort(Y, kind="stable")
    own = own_fits(make(), X[order], Y[order])
    assert len(own) == 7 and len(set(own)) == 1
    (one,) = said(make(), X[order], Y[order])
    assert one == f"models[1], models[3], models[4], models[5] and 3 more: {own[0]}"


def test_divergence_of_many_is_said_once():
    models = [small(random_state=i, learning_rate=1e30, optimizer="sgd") for i in range(20)]
    (one,) = said(models, X, Y)
    assert one.startswith("all 20 models: training diverged in epoch 1")


def test_what_differs_by_its_numbers_is_said_once():
    models = [
        small(random_state=i, learning_rate=10.0 ** (20 + i), optimizer="sgd") for i in range(3)
    ]
    (one,) = said([*models, small()], X, Y)
    assert one.startswith("models[0]: training diverged in epoch 1 at learning rate 1e+20 ")
    assert one.endswith("; models[1] and models[2]: alike")


def test_a_warning_as_an_error_ends_before_anything_trains():
    models = fitted(3, shuffle=False)
    before, order = [facts(model) for model in models], np.argsort(Y, kind="stable")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="all 3 models: "):
            fit_many(models, X[order], Y[order])
    assert [facts(model) for model in models] == before


# What is printed


def test_lines_of_rounds(capsys):
    models = [small(random_state=i, epochs=3 + i, verbose=2) for i in range(2)]
    fit_many(models, X, Y, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [f"round {i}" for i in range(1, 5)]
    assert re.fullmatch(
        r"round 1  2 of 2 models train  best loss \d\.\d{4} of models\[\d\]  \d+\.\d s", lines[0]
    )
    assert "  0 of 2 models train  " in lines[-1]
    fit_many(models, X, Y, verbose=1)
    assert len(capsys.readouterr().out.splitlines()) == 2
    fit_many(models, X, Y)
    assert capsys.readouterr().out == ""


# Ctrl-C


SCRIPT = """
import os, signal, sys, threading, time
import numpy as np
from cnn_core import MLP, fit_many
signal.signal(signal.SIGINT, signal.default_int_handler)
X = np.random.default_rng(0).normal(size=(3000, 30)).astype("float32")
y = X[:, :3].argmax(axis=1)
hidden, threads, seconds = eval(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
def make(**options):
    given = dict(hidden=hidden, epochs=10**6, patience=10**6, early_stopping=True, n_threads=1)
    return MLP(**given | options)
models = [make(random_state=i) for i in range(9)]
def send():
    global sent
    sent = time.monotonic()
    os.kill(os.getpid(), signal.SIGINT)
timer = threading.Timer(seconds, send)
timer.start()
try:
    fit_many(models, X, y, n_threads=threads)
except KeyboardInterrupt:
    took = time.monotonic() - sent
    print("interrupted", took)
assert threading.active_count() == 1, threading.enumerate()
epochs = [model._fitted.n_epochs if model._fitted else None for model in models]
print(epochs)
for i, model in enumerate(models):
    if epochs[i]:
        own = make(random_state=i, epochs=epochs[i]).fit(X, y)
        assert np.array_equal(model.parameters_, own.parameters_), i
        assert model._fitted.ended == "interrupted"
models[0].epochs = 1
models[0].fit(X, y)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("hidden, seconds", [("(8,)", 0.7), ("(64, 32)", 0.7), ("(700, 700)", 2.5)])
def test_ctrl_c_ends_all_and_each_has_its_last_whole_epoch(threads, hidden, seconds):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, hidden, str(threads), str(seconds)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    took = float(done.stdout.split()[1])
    assert took < 2.0  # on a busy machine; a quiet one takes a twentieth of it


def test_ctrl_c_in_the_first_epoch_leaves_all_as_they_were():
    models = fitted(3, hidden=8)
    before = [facts(model) for model in models]
    many = np.tile(X, (3000, 1)), np.tile(Y, 3000)
    timer = threading.Timer(0.8, lambda: os.kill(os.getpid(), signal.SIGINT))
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        fit_many([*models, *(MLP(300, random_state=i) for i in range(3))], *many, n_threads=2)
    timer.join()
    assert time.monotonic() - began < 30
    assert [facts(model) for model in models] == before or models[0].n_epochs_ > 0


def test_numbers_are_learned_beside_classes():
    models = [small(task="regression", random_state=0), small(task="classification")]
    fit_many(models, X, Y)
    assert [model._model().task.name for model in models] == ["regression", "classification"]
    assert fit_many([small(random_state=i) for i in (0, 1)], X, NUMBERS)[1].score(X, NUMBERS) > -9
