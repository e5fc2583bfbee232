"""What a callback may answer and do: True ends the training, and nothing else does so by accident;
parameters that it sets are those of the next fit."""

import functools
import re
import warnings

import numpy as np
import pytest
from cnn_core.callbacks import PhaseTimer
from mlp_cases import LINE, THREE, X, quick

from cnn_core import Callback

END, GO_ON = (True, np.True_), (None, False, np.False_)
REFUSED = [
    0.25,
    np.float64(0.25),
    0.0,
    1,
    0,
    "stop",
    "",
    [],
    {"loss": 1.0},
    np.array(True),
    np.array([True]),
    object(),
]


def estimators():
    """A way to fit three epochs with a callback, for MLP and for scikit-learn's estimators."""
    yield "MLP", lambda callback: quick(epochs=3, callbacks=callback).fit(X, LINE).n_epochs_
    yield (
        "reference",
        lambda callback: (
            quick(hidden=2, epochs=3, batch_size="full", backend="python", callbacks=callback)
            .fit(X[:20], LINE[:20])
            .n_epochs_
        ),
    )
    for name, y in (("MLPClassifier", THREE), ("MLPRegressor", LINE)):
        yield name, functools.partial(fit_of_sklearn, name, y)


def fit_of_sklearn(name, y, callback):
    from sklearn.exceptions import ConvergenceWarning

    estimator = getattr(pytest.importorskip("cnn_core.sklearn"), name)
    model = estimator(hidden_layer_sizes=(4,), max_iter=3, random_state=0, callbacks=callback)
    try:
        return model.fit(X, y).n_iter_
    except ConvergenceWarning:
        return 3


FITS = dict(estimators())


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_true_alone_ends_the_training(fit):
    assert [fit(lambda *given, answer=answer: answer) for answer in END] == [1, 1]
    assert [fit(lambda *given, answer=answer: answer) for answer in GO_ON] == [3, 3, 3]


@pytest.mark.parametrize("answer", REFUSED, ids=lambda answer: type(answer).__name__)
@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_any_other_answer_is_an_error_that_names_the_callback(fit, answer):
    def watcher(model, epoch, logs):
        return answer

    with pytest.raises(
        TypeError, match=r"the callback .*watcher returned .* after epoch 1; it must"
    ):
        fit(watcher)


class Answering(Callback):
    def after_epoch(self, model, epoch, logs):
        return epoch * 0.5


def count(answer, model, epoch, logs):
    return answer


class Callable:
    def __call__(self, model, epoch, logs):
        return logs

    def __repr__(self):
        return "Callable(\n1)"


@pytest.mark.parametrize("callback, name, returned", [
    (Answering(), "Answering", "0.5"),
    (lambda model, epoch, logs: logs["loss"], r"<lambda>", r"\d"),
    (functools.partial(count, 3), r"functools.partial\(.*", "3"),
    (Callable(), r"Callable\( 1\)", "{'loss'"),
    (lambda model, epoch, logs: "x" * 10_000, "<lambda>", "'x{59}[.]{3} after"),
])  # fmt: skip
def test_the_error_names_functions_objects_and_classes(callback, name, returned):
    with pytest.raises(TypeError, match=f"the callback .*{name} returned {returned}") as caught:
        quick(epochs=2, callbacks=[lambda *given: None, callback]).fit(X, LINE)
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)


def test_every_callback_is_called_although_the_first_ends_the_training():
    seen = []
    model = quick(callbacks=[lambda *given: True, lambda *given: seen.append(given[1])])
    assert model.fit(X, LINE).n_epochs_ == 1 and seen == [1]


def test_a_refused_answer_keeps_the_last_whole_epoch():
    model = quick(epochs=5, callbacks=lambda model, epoch, logs: epoch if epoch == 3 else None)
    with pytest.raises(TypeError, match="returned 3 after epoch 3"):
        model.fit(X, LINE)
    assert np.array_equal(model.parameters_, quick(epochs=3).fit(X, LINE).parameters_)


def test_a_timer_measures_the_phases_of_a_fit_and_changes_no_bit():
    timer, plain = PhaseTimer(), quick(epochs=3).fit(X, LINE)
    model = quick(epochs=3, callbacks=timer).fit(X, LINE)
    assert {"forward", "backward", "gradient"} <= set(timer.seconds)
    assert all(seconds >= 0 for seconds in timer.seconds.values()) and sum(timer.seconds.values())
    assert np.array_equal(model.parameters_, plain.parameters_)
    first = timer.seconds
    model.fit(X, LINE)
    assert timer.seconds is not first
    reference = quick(hidden=2, epochs=1, backend="python", callbacks=timer).fit(X[:9], LINE[:9])
    assert timer.seconds == {} and reference.n_epochs_ == 1


class OfEpochs(Callback):
    def after_epoch(self, epoch, logs):
        return None


class OfSteps(Callback):
    def after_step(self, model, step):
        return None


class Ends(Callback):
    def after_fit(self):
        return None


class Begins(Callback):
    def before_fit(self, model, epochs):
        return None


class Called:
    def __call__(self, model):
        return None


@pytest.mark.parametrize(
    "callback, words",
    [
        (lambda model: True, r"<lambda> is called with \(model, epoch, logs\), .* takes \(model\)"),
        (lambda model, epoch: True, r"and it takes \(model, epoch\)"),
        (lambda: True, r"and it takes \(\)"),
        (lambda a, b, c, d: True, r"and it takes \(a, b, c, d\)"),
        (lambda a, b, *, logs: True, r"and it takes \(a, b, \*, logs\)"),
        (lambda a, b, c, *, d: True, r"and it takes \(a, b, c, \*, d\)"),
        (functools.partial(lambda a, b, c: True, 1), r"and it takes \(b, c\)"),
        (
            Called(),
            r"Called object.* is called with \(model, epoch, logs\), and it takes \(model\)",
        ),
        (OfEpochs(), r"after_epoch of the callback OfEpochs is called .* takes \(epoch, logs\)"),
        (OfSteps(), r"after_step of the callback OfSteps is called with \(model, step, logs\)"),
        (Ends(), r"after_fit of the callback Ends is called with \(model\), and it takes \(\)"),
        (Begins(), r"before_fit of the callback Begins is called with \(model\)"),
    ],
    ids=range(12),
)
@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_other_arguments_are_refused_before_the_first_epoch(fit, callback, words):
    with pytest.raises(TypeError, match=words):
        fit(callback)


def test_every_function_that_takes_three_arguments_is_a_callback():
    class Method:
        def see(self, model, epoch, logs):
            return None

        @staticmethod
        def static(model, epoch, logs):
            return None

        def __call__(self, *given):
            return None

    for callback in (
        Method().see,
        Method.static,
        Method(),
        lambda *given: None,
        lambda a, b, c=3, d=4: None,
        lambda a, *rest, e=5: None,
        functools.partial(lambda a, b, c, d: None, d=3),
        functools.partial(Method().see),
    ):
        assert quick(epochs=2, callbacks=callback).fit(X, LINE).n_epochs_ == 2


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_a_parameter_that_a_callback_sets_is_said_to_be_that_of_the_next_fit(fit):
    def change(model, epoch, logs):
        if epoch == 2:
            rate = "learning_rate" if hasattr(model, "history_") else "learning_rate_init"
            model.set_params(**{rate: 0.25})

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert fit(change) == 3
    said = [str(one.message) for one in caught if "a callback has set" in str(one.message)]
    assert len(said) == 1
    assert re.search(r"rate\w*=0.25, which takes effect at the next fit; a Schedule ch", said[0])


def test_so_is_one_that_is_assigned_or_set_before_the_first_epoch():
    class Sets(Callback):
        def before_fit(self, model):
            model.l2 = 0.125

    def assigns(model, epoch, logs):
        model.batch_size = 16

    for callback, words in ((Sets(), "has set l2=0.125, which"), (assigns, "batch_size=16, which")):
        with pytest.warns(UserWarning, match=f"{words} takes effect at the next fit$"):
            quick(epochs=3, callbacks=callback).fit(X, LINE)
    model = quick(epochs=3, callbacks=lambda model, epoch, logs: model.set_params(l2=0.0) and None)
    model.fit(X, LINE)  # as it was


def test_weights_that_a_callback_assigns_are_refused():
    def doubles(model, epoch, logs):
        model.parameters_ = 2 * model.parameters_

    with pytest.raises(RuntimeError, match="a callback is no place to set its weights"):
        quick(epochs=3, callbacks=doubles).fit(X, LINE)
