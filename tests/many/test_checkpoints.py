"""Checkpoints of models that are trained together: those that were interrupted at any moment end
with the bits of those that were not."""

import os
import re
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
from checkpoint_cases import InterruptStep
from cnn_core.files import atomic
from cnn_core.many.lanes import Lanes
from cnn_core.many.net import Net
from many_cases import NUMBERS, X, Y, small

import cnn_core
from cnn_core import (
    LBFGS,
    MLP,
    DivergenceWarning,
    MLPRegressor,
    ModelFormatError,
    OneCycle,
    TabularMLP,
    fit_many,
)

no_windows = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


def alike(**more):
    """Narrow nets of one shape, which train side by side."""
    return [small(random_state=seed, epochs=7, **more) for seed in range(5)]


def mixed():
    """Nets of every kind, whose trainings end at different times."""
    return [
        small(random_state=0),
        small(random_state=1, hidden=(9, 4), learning_rate=OneCycle(0.01), epochs=9),
        small(random_state=2, early_stopping=True, patience=2, learning_rate=0.05, epochs=60),
        small(random_state=3, dropout=0.2, optimizer="nadam", step_history=True, epochs=3),
        small(random_state=4, optimizer=LBFGS(), batch_size="full", epochs=5),
        small(random_state=5, backend="python", hidden=3, epochs=4),
        small(random_state=6, epochs=0),
        small(random_state=7, optimizer="rprop", tol=1e-3, patience=2, epochs=40),
    ]


def state(model):
    """What a training leaves, but for the seconds it took."""
    fitted = model._model()
    history = {name: list(column) for name, column in fitted.history.items() if name != "seconds"}
    slots = [] if fitted.state is None else list(fitted.state.get("slots", ()))
    return (
        model.parameters_.tobytes(),
        history,
        [np.asarray(one).tobytes() for one in slots],
        fitted.best_epoch,
        fitted.ended,
        fitted.converged,
        fitted.seen.begin,
    )


def states(models):
    return [state(one) for one in models]


def interrupting(*rounds):
    """A callback that is Ctrl-C after these rounds, once after each."""
    left = list(rounds)

    def stop(models, epoch, logs):
        if left and epoch == left[0]:
            left.pop(0)
            raise KeyboardInterrupt

    return stop


def parts(fit, count):
    """Call a fit that is interrupted so many times, and then not, with more and fewer threads."""
    for k in range(count):
        with pytest.raises(KeyboardInterrupt):
            fit(1 + k % 2)
    return fit(1 + count % 2)


@pytest.mark.parametrize("make", [alike, mixed])
def test_trainings_that_were_interrupted_end_with_the_bits_of_others(make, tmp_path):
    path, stop = tmp_path / "run.ckpt", interrupting(1, 3, 4, 9)
    whole = fit_many(make(), X, Y)
    seen = []

    def fit(threads):
        watch = [lambda models, epoch, logs: seen.append(epoch), stop]
        given = dict(checkpoint=path, checkpoint_every="2 epochs", n_threads=threads)
        return fit_many(make(), X, Y, callbacks=watch, **given)

    end = parts(fit, 3 if make is alike else 4)
    assert states(end) == states(whole)
    assert seen == list(range(1, seen[-1] + 1))  # no round is repeated or left out


@pytest.mark.parametrize("make", [alike, mixed])
def test_one_that_ends_within_an_epoch_loses_no_step(make, tmp_path):
    path, steps = tmp_path / "run.ckpt", []
    whole = fit_many(make(), X, Y)
    given = dict(checkpoint=path, checkpoint_every=1e9)
    for count in (14, 17):  # of 10 in an epoch
        models = make()
        models[0].callbacks = InterruptStep(count, seen=steps)
        with pytest.raises(KeyboardInterrupt):
            fit_many(models, X, Y, **given)
    end = fit_many(make(), X, Y, **given)
    assert steps == list(range(1, 32)) and states(end) == states(whole)


def test_narrow_nets_go_on_side_by_side(tmp_path, monkeypatch):
    path, counts, visit = tmp_path / "run.ckpt", [], Lanes._visit
    monkeypatch.setattr(
        Lanes, "_visit", lambda self, group: (counts.append(len(group)), visit(self, group))
    )
    many = dict(checkpoint=path, checkpoint_every="epoch", n_threads=1)

    def make(*callbacks):
        return [*(small(random_state=seed) for seed in range(16)), small(callbacks=callbacks)]

    with pytest.raises(KeyboardInterrupt):  # they have done the second epoch then
        fit_many(make(InterruptStep(14)), X, Y, **many)
    assert len(counts) == 2
    end = fit_many(make(), X, Y, **many)
    assert len(counts) == 2 + 4 and min(counts) > 8
    assert states(end) == states(fit_many(make(), X, Y))


def test_rows_weights_and_a_warm_start_are_part_of_it(tmp_path):
    path, weights = tmp_path / "run.ckpt", np.arange(300) % 3
    given = dict(
        rows=[np.arange(300) % 3 != k for k in range(3)],
        sample_weight=weights,
        validation_data=(X[:50], NUMBERS[:50]),
    )

    def make():
        models = [MLPRegressor(6, epochs=4, random_state=k, warm_start=True) for k in range(3)]
        return fit_many(models, X, NUMBERS)

    whole = fit_many(make(), X, NUMBERS, **given)
    stop = interrupting(2)

    def fit(threads):
        given_now = given | dict(checkpoint=path, checkpoint_every="epoch", callbacks=stop)
        return fit_many(make(), X, NUMBERS, **given_now)

    end = parts(fit, 1)
    assert states(end) == states(whole) and end[0].n_epochs_ == 8
    other = given | dict(checkpoint=path, sample_weight=weights + 1)
    with pytest.raises(ValueError, match=r"models\[0\]: .* on other data: sample_weight differs"):
        fit_many(make(), X, NUMBERS, **other)


def test_seeds_that_were_drawn_are_kept(tmp_path):
    path = tmp_path / "run.ckpt"

    def make():
        return [small(random_state=None) for _ in range(2)]

    with pytest.raises(KeyboardInterrupt):
        fit_many(make(), X, Y, checkpoint=path, callbacks=interrupting(2))
    first, ends = path.read_bytes(), []
    for _ in range(2):
        path.write_bytes(first)
        ends.append(states(fit_many(make(), X, Y, checkpoint=path)))
    assert ends[0] == ends[1]


def test_trainings_that_are_over_give_their_models_without_another_round(tmp_path, capsys):
    path, seen = tmp_path / "run.ckpt", []
    done = fit_many(mixed(), X, Y, checkpoint=path)
    written = path.read_bytes()
    again = fit_many(
        mixed(), X, Y, checkpoint=path, verbose=1, callbacks=lambda *given: seen.append(given)
    )
    assert states(again) == states(done) and not seen and path.read_bytes() == written
    assert "is of trainings that are over: their models are taken" in capsys.readouterr().out


def test_a_divergence_is_told_again(tmp_path):
    path = tmp_path / "run.ckpt"

    def make():
        return [small(epochs=4), small(epochs=9, learning_rate=1e30, optimizer="sgd")]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(KeyboardInterrupt):
            fit_many(make(), X, Y, checkpoint=path, callbacks=interrupting(2))
    with pytest.warns(DivergenceWarning, match=r"models\[1\]: training diverged in epoch"):
        end = fit_many(make(), X, Y, checkpoint=path)
    assert end[0].n_epochs_ == 4 and end[1]._model().ended == "divergence"


def test_max_seconds_ends_a_part(tmp_path):
    path = tmp_path / "run.ckpt"

    def make(seconds):
        return [small(random_state=k, epochs=5, max_seconds=seconds) for k in range(2)]

    whole = fit_many(make(None), X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        part = fit_many(make(1e-9), X, Y, checkpoint=path)
    assert part[0].n_epochs_ < 5
    assert states(fit_many(make(None), X, Y, checkpoint=path)) == states(whole)


@pytest.mark.parametrize(
    "change, arguments, error, message",
    [
        (lambda m: m[:2], {}, ValueError, "is of 3 models, and now there are 2; give the same"),
        (
            lambda m: [m[0], m[1].set_params(hidden=7), m[2]],
            {},
            ValueError,
            "models[1]: the checkpoint {} is of a training with hidden=8, and now it is hidden=7",
        ),
        (lambda m: m, {"X": X + 1}, ValueError, "models[0]: the checkpoint {} is of a training on"),
        (lambda m: m, {"y": 1 - Y}, ValueError, "other data: y differs; give the same"),
        (lambda m: m, {"rows": [None, X[:, 0] < 1, None]}, ValueError, "models[1]: the checkpoint"),
        (lambda m: m, {"checkpoint_every": "5"}, ValueError, "checkpoint_every must be a number"),
    ],
)
def test_other_models_or_data_are_named_and_change_nothing(
    change, arguments, error, message, tmp_path
):
    path = tmp_path / "run.ckpt"

    def make():
        return [small(random_state=k) for k in range(3)]

    with pytest.raises(KeyboardInterrupt):
        fit_many(make(), X, Y, checkpoint=path, callbacks=interrupting(2))
    written, models = path.read_bytes(), change(fit_many(make(), X, NUMBERS))
    before = states(models)
    with pytest.raises(error, match=re.escape(message.format(path))):
        fit_many(models, **{"X": X, "y": Y, "checkpoint": path} | arguments)
    assert states(models) == before and path.read_bytes() == written


def test_a_file_of_something_else_is_refused(tmp_path):
    path, model = tmp_path / "run.ckpt", tmp_path / "model.st"
    fit_many(alike(), X, Y, checkpoint=path)
    small().fit(X, Y, checkpoint=model)
    for call, message in (
        (lambda: fit_many(alike(), X, Y, checkpoint=model), "it holds a cnn_core.MLP, and not the"),
        (lambda: MLP.resume(path, X, Y), "it holds the checkpoint of a fit_many, and not a cnn_"),
        (lambda: cnn_core.load(path), "it holds the checkpoint of a fit_many, which goes on from"),
    ):
        with pytest.raises(ModelFormatError, match=re.escape(message)):
            call()
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ModelFormatError, match=r"run\.ckpt: "):
        fit_many(alike(), X, Y, checkpoint=path)


def test_a_class_with_parameters_of_its_own_is_refused_before_the_first_step(tmp_path):
    class Own(MLP):
        def __init__(self, hidden=8, colour="red"):
            super().__init__(hidden)
            self.colour = colour

    with pytest.raises(TypeError, match=r"Own has parameters of its own, colour, which"):
        fit_many([Own()], X, Y, checkpoint=tmp_path / "run.ckpt")


def test_a_first_one_that_cannot_be_written_is_an_error_and_a_later_one_a_warning(
    tmp_path, monkeypatch
):
    path, models = tmp_path / "run.ckpt", alike()
    with pytest.raises(FileNotFoundError):
        fit_many(models, X, Y, checkpoint=tmp_path / "none" / "run.ckpt")
    whole, calls, write = states(fit_many(alike(), X, Y)), [], atomic.write_whole

    def fails(*given):
        calls.append(given)
        if len(calls) in fail:
            raise OSError("no space")
        write(*given)

    monkeypatch.setattr(atomic, "write_whole", fails)
    fail = [1]
    with pytest.raises(OSError, match="no space"):
        fit_many(models, X, Y, checkpoint=path)
    assert not hasattr(models[0], "weights_")
    fail = [4, 5]
    with pytest.warns(UserWarning, match="no space; the one before stays, training goes on"):
        fit_many(models, X, Y, checkpoint=path, checkpoint_every="epoch")
    assert states(models) == whole
    assert states(fit_many(alike(), X, Y, checkpoint=path)) == whole


@no_windows
def test_sigterm_writes_one_and_ends_the_process(tmp_path):
    path, before = tmp_path / "run.ckpt", signal.getsignal(signal.SIGTERM)

    def end(models, epoch, logs):
        if epoch == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as ended:
        fit_many(alike(), X, Y, checkpoint=path, callbacks=end)
    assert ended.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before
    rounds = []
    end = fit_many(
        alike(), X, Y, checkpoint=path, callbacks=lambda models, epoch, logs: rounds.append(epoch)
    )
    assert rounds[0] == 4 and states(end) == states(fit_many(alike(), X, Y))


@no_windows
def test_what_a_signal_raises_waits_until_all_nets_are_between_two_steps(tmp_path, monkeypatch):
    path, advance, waited = tmp_path / "run.ckpt", Net.advance, []

    def signalled(net):
        if net.number == 2 and net.loop.epochs == 3:
            os.kill(os.getpid(), signal.SIGINT)
            waited.append(net.loop.epochs)
        return advance(net)

    with monkeypatch.context() as patch:
        patch.setattr(Net, "advance", signalled)
        with pytest.raises(KeyboardInterrupt):
            fit_many(alike(), X, Y, checkpoint=path)
    assert waited == [3]
    assert states(fit_many(alike(), X, Y, checkpoint=path)) == states(fit_many(alike(), X, Y))


@no_windows
# What is raised in a callback of Python's own garbage collection Python only reports.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_handler_that_raises_within_a_round_ends_it_between_two_steps(tmp_path):
    path = tmp_path / "run.ckpt"
    many = dict(hidden=(60, 60), batch_size=8)
    whole = states(fit_many(alike(**many), X, Y, n_threads=2))
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for k in range(1000):  # longer and longer, however slow the machine is
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.02 + 0.005 * k)
                end = fit_many(alike(**many), X, Y, checkpoint=path, n_threads=2)
                break
            except KeyboardInterrupt:
                continue
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert states(end) == whole


TRAINING = """
import sys
import numpy as np
from cnn_core import MLP, TabularMLP, fit_many
rng = np.random.default_rng(0)
X = rng.normal(size=(400, 5))
y = X[:, 0] * X[:, 1] + 0.1 * rng.normal(size=400)
kind, path, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
many = dict(checkpoint=path, checkpoint_every=0.02)
shout = lambda models, epoch, logs: print(epoch, flush=True)
if kind == "tabular":
    model = TabularMLP(members=2, random_state=3, n_threads=threads, callbacks=shout)
    model.fit(X, y, **many)
else:
    hidden = 8 if kind == "lanes" else (150, 150)
    models = [MLP(hidden, epochs=60, random_state=k, early_stopping=k % 2 == 0) for k in range(6)]
    fit_many(models, X, y, n_threads=threads, callbacks=shout, **many)
"""


@no_windows
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lanes", "alone", "tabular"])
def test_trainings_that_were_killed_end_with_the_bits_of_others(kind, tmp_path):
    path, rounds, said = tmp_path / "run.ckpt", [], ""
    for threads, killed_after in ((1, 9), (2, 12), (1, 15), (2, None)):
        command = [sys.executable, "-W", "ignore", "-c", TRAINING, kind, str(path), str(threads)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            for count, line in enumerate(child.stdout, 1):
                rounds.append(int(line))
                if count == killed_after:
                    child.kill()
                    break
            said = child.communicate(timeout=60)[1]
        finally:
            child.kill()
        assert child.returncode == (0 if killed_after is None else -signal.SIGKILL), said
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 5))
    y = rows[:, 0] * rows[:, 1] + 0.1 * rng.normal(size=400)
    if kind == "tabular":
        whole = TabularMLP(members=2, random_state=3).fit(rows, y)
        end = TabularMLP(members=2, random_state=3).fit(rows, y, checkpoint=path)
        assert states(end.members_) == states(whole.members_)
        return
    hidden = 8 if kind == "lanes" else (150, 150)

    def make():
        return [MLP(hidden, epochs=60, random_state=k, early_stopping=k % 2 == 0) for k in range(6)]

    end = fit_many(make(), rows, y, checkpoint=path)
    assert states(end) == states(fit_many(make(), rows, y))


# TabularMLP


def tabular(**more):
    return TabularMLP(**{"members": 2, "random_state": 1, "n_threads": 1} | more)


def test_a_tabular_mlp_goes_on_with_its_seed_and_its_rows_set_apart(tmp_path):
    path, table = tmp_path / "run.ckpt", {"a": X[:, 0], "b": [f"b{k % 11}" for k in range(300)]}

    def fit(threads):  # the seed that was drawn first is kept
        generator = np.random.default_rng(next(seeds))
        model = tabular(random_state=generator, callbacks=stop, n_threads=threads)
        return model.fit(table, Y, checkpoint=path, checkpoint_every="3 epochs")

    stop, seeds = interrupting(2, 30), iter((4, 5, 6))
    end = parts(fit, 2)
    whole = tabular(random_state=np.random.default_rng(4)).fit(table, Y)
    assert states(end.members_) == states(whole.members_)
    loaded = cnn_core.load(path)
    assert isinstance(loaded, TabularMLP)
    assert loaded.predict_proba(table).tobytes() == whole.predict_proba(table).tobytes()


def test_other_parameters_or_data_of_a_tabular_mlp_are_named(tmp_path, monkeypatch):
    path = tmp_path / "run.ckpt"
    with pytest.raises(KeyboardInterrupt):
        tabular(callbacks=interrupting(1)).fit(X[:60], Y[:60], checkpoint=path)
    gaps = np.where(X[:60] > 2, np.nan, X[:60])
    for model, rows, y, message in (
        (tabular(members=3), X[:60], Y[:60], "is of a training with members=2, and now it is mem"),
        (tabular(), X[:60], 1 - Y[:60], "is of a training on other data: y differs"),
        (tabular(), gaps, Y[:60], "on other data, for which the recipe is another; give the same"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(rows, y, checkpoint=path)
        assert not hasattr(model, "members_")
    monkeypatch.setattr("cnn_core.tabular.checkpoint.VERSION", 2)
    with pytest.raises(ValueError, match="by version 1 of the recipe, and this cnn_core trains by"):
        tabular().fit(X[:60], Y[:60], checkpoint=path)


def test_interrupt_of_a_member_leaves_a_tabular_mlp_as_it_was(tmp_path):
    path, model = tmp_path / "run.ckpt", tabular().fit(X[:60], Y[:60])
    before = states(model.members_)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(callbacks=interrupting(3)).fit(X[:80], Y[:80], checkpoint=path)
    assert states(model.members_) == before
    assert cnn_core.load(path).members_[0].n_epochs_ == 3


@pytest.mark.parametrize("change, part", [
    (lambda X, y: (2 * X + 100, y), "X before it was scaled"),
    (lambda X, y: (X, np.array(["a", "b"])[(y > 0).astype(int)]), "classes of y"),
    (lambda X, y: (X, 2.0 * y + 7), "y before it was scaled"),
])  # fmt: skip
def test_data_that_scaling_makes_equal_are_other_data(change, part, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)) * [1, 10, 100]
    y = 5 * X[:, 0] + rng.normal(size=60)
    if part == "classes of y":
        y = (y > 0).astype(int)

    def models():
        return [MLP(4, epochs=3, random_state=seed) for seed in (0, 1)]

    fit_many(models(), X, y, checkpoint=tmp_path / "many.ckpt")
    with pytest.raises(ValueError, match=f"on other data: .*{part} differs"):
        fit_many(models(), *change(X, y), checkpoint=tmp_path / "many.ckpt")
    TabularMLP(members=1, max_seconds=0.1, random_state=0).fit(X, y, checkpoint=tmp_path / "one")
    again = TabularMLP(members=1, max_seconds=0.1, random_state=0)
    with pytest.raises(ValueError, match=f"on other data: .*{part} differs"):
        again.fit(*change(X, y), checkpoint=tmp_path / "one")
