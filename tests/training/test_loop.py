"""The training loop: what stands after Ctrl-C at any line, how a run ends, who sees which weights,
and where its warnings point."""

import math
import sys
import time
import warnings

import numpy as np
import pytest
from cnn_core.schedules import InverseTime, Schedule, Warmup
from cnn_core.training.history import History
from cnn_core.training.loop import Start, TrainingLoop
from cnn_core.training.stopping import Patience, Stopping

from cnn_core import MLP, SGD, Callback

RNG = np.random.default_rng(6)
X = RNG.normal(size=(40, 3)).astype("float32")
LINE = X @ [1.0, -2.0, 0.5]
TWO = (LINE > 0).astype(int)

#: Files whose lines Ctrl-C strikes between.
STRUCK = (
    *(f"training/{name}.py" for name in ("loop", "history", "stopping", "monitor", "steps")),
    "cnn_core/callbacks.py",
)


class Steps(Callback):
    def after_step(self, model, step, logs):
        return None


def strike(fit, at):
    """Call `fit` with Ctrl-C at the at-th line of the loop; whether it came that far."""
    left = at

    def trace(frame, event, argument):
        nonlocal left
        if not frame.f_code.co_filename.endswith(STRUCK):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        fit()
        return False
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)


@pytest.mark.slow
@pytest.mark.parametrize("options", [
    {},
    dict(early_stopping=True, patience=1, min_delta=10.0),
    dict(callbacks=lambda model, epoch, logs: None),
    dict(early_stopping=True, restore_best=False, learning_rate=InverseTime()),
    dict(callbacks=Steps(), step_history=True, tol=1e-9, epochs=2),
], ids=["plain", "early stopping", "callback", "schedule", "steps"])  # fmt: skip
def test_after_ctrl_c_at_any_line_the_model_is_that_of_a_whole_epoch(options):
    options = dict(hidden=4, epochs=4, random_state=0) | options
    early = options.get("early_stopping", False)
    data = dict(validation_data=(X[36:], LINE[36:])) if early else {}
    whole = {}
    for n in range(1, 5):
        model = MLP(**options | dict(epochs=n, callbacks=()))
        model.fit(X[:36], LINE[:36], **data)
        whole[model.parameters_.tobytes()] = model.n_epochs_
    struck = 0
    for at in range(1, 1000):
        model = MLP(**options)
        if not strike(lambda: model.fit(X[:36], LINE[:36], **data), at):
            break
        struck += 1
        if model._fitted is None:
            continue
        lengths = {len(values) for values in model.history_.values()}
        assert lengths == {model.n_epochs_}
        assert model.parameters_.tobytes() in whole
        if not early:
            assert whole[model.parameters_.tobytes()] == model.n_epochs_
        assert np.isfinite(model.predict(X)).all()
    assert struck > 60


class Weights:
    """A network of one number."""

    def __init__(self, value=0.0):
        self.value, self.copies = value, 0

    def is_finite(self):
        return math.isfinite(self.value)

    def copy(self):
        self.copies += 1
        return Weights(self.value)

    def copy_to(self, other):
        other.value = self.value


class Counting:
    """A trainer whose weights are the number of its epochs, and whose losses are given."""

    learning_rate, steps, epochs = 0.1, 0, 0

    def __init__(self, losses):
        self.losses, self.network = list(losses), Weights()

    def state(self, copy=True):
        return {"copied": copy}

    def is_finite(self):
        return self.network.is_finite()


class AllRows:
    """What `Counting` is trained on."""

    def epoch(self, trainer, rates):
        trainer.network.value += 1
        trainer.steps += 1
        return trainer.losses[trainer.steps - 1], None


class Loss:
    """A monitor of the loss alone."""

    names, watched, sign = ("loss",), "loss", 1.0

    def entry(self, trainer, epoch, loss, measured):
        return {"loss": loss}


def loop_over(losses, stopping=None, hooks=(), **start):
    trainer = Counting(losses)
    begin = Start(Weights(-1.0), **start)
    return TrainingLoop(
        trainer, trainer.network, AllRows(), Loss(), begin, stopping=stopping, hooks=hooks
    )


def test_a_loop_ends_with_the_last_epoch():
    loop = loop_over([3.0, 2.0, 1.0])
    loop.run(3)
    result = loop.result(final=True)
    assert (result.network.value, result.epochs, result.reason) == (3, 3, "epochs")
    assert result.history["loss"] == [3, 2, 1] and result.best_epoch is None
    assert result.state == {"copied": False, "steps": 3}


def test_weights_that_nobody_sees_are_kept_in_one_network():
    loop = loop_over([1.0] * 50)
    loop.run(50)
    assert loop.network.copies == 1 and loop.result(final=True).network.value == 50
    loop = loop_over([1.0])
    loop.run(1)
    assert loop.result(final=True).network.value == 1 and loop.network.copies == 0
    seen = []
    loop = loop_over([1.0] * 50, hooks=[lambda loop, entry: seen.append(loop.result()) and None])
    loop.run(50)
    assert [result.network.value for result in seen] == list(range(1, 51))  # each its own
    assert all(result.state["copied"] for result in seen)


def test_somebody_else_may_visit_the_rows_of_several_loops():
    loops = [loop_over(losses, Patience("loss", 1, 0.0, True)) for losses in ([3, 4, 1], [3, 2, 1])]
    courses, visited = [(loop, loop.course(3)) for loop in loops], []
    while courses:
        courses = [(loop, course) for loop, course in courses if next(course, 0) is None]
        for loop, _ in courses:
            assert loop.result().network.value == (loop.epochs or -1)  # whatever comes of it
            loop.measured = loop.visit(None)
        visited.append(len(courses))
    assert visited == [2, 2, 1, 0]
    assert [loop.reason for loop in loops] == ["stopping", "epochs"]
    for loop, losses in zip(loops, ([3, 4, 1], [3, 2, 1]), strict=True):
        own = loop_over(losses, Patience("loss", 1, 0.0, True))
        own.run(3)
        found, expected = loop.result(final=True), own.result(final=True)
        assert found.network.value == expected.network.value
        assert found.history["loss"] == expected.history["loss"]
        assert found[3:] == expected[3:]


def test_seconds_of_an_epoch_are_without_those_it_has_waited():
    loop = loop_over([1.0])
    course = loop.course(1)
    next(course)
    time.sleep(0.05)
    loop.measured, loop.waited = loop.visit(None), 0.05
    assert next(course, None) is None
    assert loop.history.columns["seconds"][0] < 0.04


def test_what_a_loop_begins_with_is_never_written():
    loop = loop_over([1.0] * 5)
    begun = loop.result().network
    loop.run(5)
    assert begun.value == -1


def test_patience_brings_back_the_best_weights():
    loop = loop_over([5.0, 3.0, 4.0, 3.5, 9.0], Patience("loss", 2, 0.0, True))
    loop.run(5)
    result = loop.result(final=True)
    assert (result.network.value, result.best_epoch, result.epochs) == (2, 2, 4)
    assert result.reason == "stopping" and loop.result().network.value == 4
    loop = loop_over([5.0, 3.0, 4.0, 3.5], Patience("loss", 2, 0.0, False))
    loop.run(5)
    result = loop.result(final=True)
    assert (result.network.value, result.best_epoch) == (4, None)


def test_what_is_to_be_surpassed_stays_where_nothing_is_better():
    loop = loop_over([5.0, 6.0], Patience("loss", 2, 0.0, True, lowest=4.0), best_epoch=7)
    loop.run(9)
    result = loop.result(final=True)
    assert (result.network.value, result.best_epoch) == (-1, 7)


def test_a_hook_ends_the_training_and_all_hooks_are_called():
    called = []
    hooks = [lambda loop, entry: loop.epochs == 2, lambda loop, entry: called.append(entry["loss"])]
    loop = loop_over([3.0, 2.0, 1.0], hooks=hooks)
    loop.run(3)
    assert loop.reason == "hook" and loop.epochs == 2 and called == [3.0, 2.0]


def test_an_epoch_that_diverges_does_not_count():
    loop = loop_over([3.0, math.nan, 1.0])
    loop.run(3)
    assert math.isnan(loop.last_loss)
    result = loop.result(final=True)
    assert (result.network.value, result.epochs, result.state) == (1, 1, None)
    assert result.reason == "divergence"


def test_a_rule_may_let_an_epoch_count_that_is_not_finite():
    class Stubborn(Stopping):
        def diverged(self, loss, network):
            return False

    loop = loop_over([3.0, math.nan, 1.0], Stubborn())
    loop.run(3)
    assert loop.reason == "epochs" and math.isnan(loop.result().history["loss"][1])


def test_an_exception_passes_and_leaves_the_last_whole_epoch():
    def fails(loop, entry):
        if loop.epochs == 2:
            raise RuntimeError("no more")

    loop = loop_over([3.0, 2.0, 1.0], hooks=[fails])
    with pytest.raises(RuntimeError, match="no more"):
        loop.run(3)
    result = loop.result(final=True)
    assert (result.network.value, result.epochs, result.reason) == (2, 2, "interrupted")


@pytest.mark.parametrize("whole", [0, 1, 2, 5])
def test_an_epoch_that_breaks_off_leaves_the_weights_before_it(whole):
    class Breaking(AllRows):
        def epoch(self, trainer, rates):
            found = super().epoch(trainer, rates)
            if trainer.steps > whole:
                raise KeyboardInterrupt
            return found

    loop = loop_over([1.0] * 9)
    loop.rows = Breaking()
    with pytest.raises(KeyboardInterrupt):
        loop.run(9)
    for final in (False, True):
        result = loop.result(final=final)
        assert (result.network.value, result.epochs) == (whole or -1, whole)
    assert loop.network.value == whole + 1


def test_history_goes_on_and_says_nan_where_a_run_had_no_such_entry():
    history = History(("loss", "val_loss"), "val_loss", {"loss": [9.0], "metric": [0.5]})
    history.append({"loss": 8.0, "val_loss": 7.0, "learning_rate": 0.1, "seconds": 1.0})
    found = history.first(1)
    assert found["loss"] == [9, 8] and found["val_loss"][1] == 7 and found["metric"][0] == 0.5
    assert math.isnan(found["val_loss"][0]) and math.isnan(found["metric"][1])
    assert history.losses == [7] and all(len(column) == 1 for column in history.first(0).values())


class Wild(Schedule):
    """A user's schedule that gives what no training can use."""

    def rates(self, initial, steps, epoch, per_epoch, epochs):
        return np.full(len(steps), -1.0)


@pytest.mark.parametrize("schedule", [Wild(), Warmup(1, Wild())])
def test_rates_of_a_users_schedule_are_checked_wherever_it_stands(schedule):
    model = MLP(4, epochs=3, learning_rate=schedule)
    with pytest.raises(ValueError, match="must give a finite rate of at least 0 .* for epoch"):
        model.fit(X, LINE)


# Warnings point at the line that called the package, however deep the call was


def on_outputs_of_nan(use):
    """Call `use` with a model and rows whose outputs are NaN."""
    model = MLP(8, "exp", loss="hinge", epochs=1, random_state=0).fit(X, np.arange(40) % 3)
    model.weights_ = [W * 1e3 for W in model.weights_]
    use(model, X * np.float32(1e3))


WARN = {
    "fit": lambda: MLP(4, optimizer=SGD(1e30), epochs=3, random_state=0).fit(X, LINE),
    "partial_fit": lambda: (
        MLP(4, optimizer=SGD(1e30), random_state=0).partial_fit(X, LINE).partial_fit(X, LINE)
    ),
    "classes": lambda: MLP(4, epochs=1, random_state=0).fit(X, np.arange(40)),
    "validation": lambda: MLP(4, epochs=2, random_state=0).fit(
        X, LINE, validation_data=(np.full((2, 3), 3e38), [0.0, 1.0])
    ),
    "predict": lambda: on_outputs_of_nan(lambda model, rows: model.predict(rows)),
    "row": lambda: on_outputs_of_nan(lambda model, rows: model.predict(rows[:1])),
    "score": lambda: on_outputs_of_nan(lambda model, rows: model.score(rows, np.arange(40) % 3)),
    "python": lambda: on_outputs_of_nan(
        lambda model, rows: model.set_params(backend="python").predict(rows)
    ),
}


@pytest.mark.parametrize("case", WARN)
def test_warnings_point_at_the_callers_line(case):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        WARN[case]()
    assert caught and {warning.filename for warning in caught} == {__file__}
