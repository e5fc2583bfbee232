"""One step at a time: callbacks and history of each step, with which training is the same."""

import warnings

import numpy as np
import pytest
from mlp_cases import LINE, THREE, TWO, X, quick

from cnn_core import MLP, SGD, Callback, Cosine, DivergenceWarning

RUNS = {
    "plain": (dict(), THREE),
    "one row": (dict(batch_size=1, optimizer=SGD()), TWO),
    "full batch": (dict(batch_size="full", l2=0.1), LINE),
    "schedule": (dict(learning_rate=Cosine(0.01), l1=0.01), THREE),
    "dropout": (dict(dropout=0.3, clip_norm=0.1, max_norm=1.0), THREE),
    "lbfgs": (dict(optimizer="lbfgs", batch_size="full", learning_rate=None), LINE),
}


class Seen(Callback):
    def __init__(self, answer=None):
        self.steps, self.answer = [], answer

    def after_step(self, model, step, logs):
        self.steps.append((step, logs, model.parameters_, model.n_epochs_))
        return self.answer(step) if callable(self.answer) else self.answer


def columns(seen):
    return {name: [logs[name] for _, logs, *_ in seen.steps] for name in ("loss", "learning_rate")}


def without_seconds(history):
    return {name: column for name, column in history.items() if name != "seconds"}


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("run", RUNS)
def test_training_is_the_same_with_and_without_a_look_at_each_step(run, backend):
    options, y = RUNS[run]
    options = dict(epochs=3, hidden=4, backend=backend) | options
    X_few, y_few, seen = X[:70], y[:70], Seen()
    plain = quick(**options).fit(X_few, y_few)
    watched = quick(**options, callbacks=seen, step_history=True).fit(X_few, y_few)
    assert np.array_equal(watched.parameters_, plain.parameters_)
    assert without_seconds(watched.history_) == without_seconds(plain.history_)
    assert [step for step, *_ in seen.steps] == list(range(1, len(seen.steps) + 1))
    assert watched.step_history_ == columns(seen)
    assert np.array_equal(seen.steps[-1][2], plain.parameters_)
    per_epoch = len(seen.steps) // 3
    assert [epochs for *_, epochs in seen.steps] == sorted([0, 1, 2] * per_epoch)


@pytest.mark.parametrize("widths", [(4,), (300, 200)])
def test_steps_of_several_threads_are_those_of_one(widths):
    seen = Seen(), Seen()
    for n_threads, one in zip((1, 2), seen):
        quick(hidden=widths, epochs=2, n_threads=n_threads, callbacks=one).fit(X, THREE)
    assert len(seen[0].steps) == 14 and columns(seen[0]) == columns(seen[1])
    assert all(np.array_equal(one[2], other[2]) for one, other in zip(*(s.steps for s in seen)))


@pytest.mark.parametrize("backend", ["native", "python"])
def test_a_step_follows_the_gradient_of_the_cost_that_is_told(backend):
    seen = Seen()
    model = MLP(
        5, optimizer="sgd", learning_rate=0.1, l2=0.1, shuffle=False, epochs=2, dtype="float64",
        random_state=0, callbacks=seen, batch_size=30, backend=backend,
    ).fit(X[:70], LINE[:70])  # fmt: skip
    w = model.initialize(X[:70], LINE[:70]).parameters_
    for i, (_, logs, after, _) in enumerate(seen.steps):
        rows = slice(i % 3 * 30, min(70, i % 3 * 30 + 30))
        loss, gradient = model.loss_and_gradient(X[rows], LINE[rows], parameters=w)
        assert logs == {"loss": pytest.approx(loss, rel=1e-12), "learning_rate": 0.1}
        np.testing.assert_allclose(after, w - 0.1 * gradient, rtol=1e-11, atol=1e-14)
        w = after
    assert len(seen.steps) == 6


@pytest.mark.parametrize("backend", ["native", "python"])
def test_a_weighted_step_tells_the_weighted_cost(backend):
    weights, seen = np.arange(70) % 3, Seen()
    options = dict(hidden=3, shuffle=False, epochs=1, batch_size=30, dtype="float64")
    options["scale_targets"] = None
    model = quick(**options, backend=backend, callbacks=seen)
    model.fit(X[:70], LINE[:70], sample_weight=weights)
    w, total = model.initialize(X[:70], LINE[:70]).parameters_, weights.sum()
    model.parameters_ = w
    costs = 0.5 * (model.predict(X[:30]) - LINE[:30]) ** 2
    expected = (weights[:30] * costs).sum() / (total * 30 / 70)
    assert seen.steps[0][1]["loss"] == pytest.approx(expected, rel=1e-12)
    # The epoch's loss is made of the steps' by the share of the rows.
    shares = np.array([30, 30, 10]) / 70
    assert model.history_ == {name: [] for name in model.history_}
    model.set_params(callbacks=(), step_history=True).fit(X[:70], LINE[:70], sample_weight=weights)
    assert shares @ model.step_history_["loss"] == pytest.approx(model.history_["loss"][0])


def test_the_model_shows_a_step_during_the_call_alone():
    model, shown = quick(epochs=2), []

    class Look(Callback):
        def after_step(self, given, step, logs):
            shown.append((given is model, given.predict(X[:1]).shape, given.history_["loss"]))

        def after_epoch(self, given, epoch, logs):
            shown.append(given.parameters_)

    model.set_params(callbacks=Look()).fit(X, THREE)
    assert all(one[:2] == (True, (1,)) for one in shown if isinstance(one, tuple))
    assert [len(one[2]) for one in shown if isinstance(one, tuple)] == [0] * 7 + [1] * 7
    assert np.array_equal(shown[-1], model.parameters_)


def test_a_stream_shows_its_steps_and_keeps_the_last_thousand():
    seen, epochs = Seen(), []

    class Both(Seen):
        def after_epoch(self, model, epoch, logs):
            epochs.append(epoch)

    seen = Both()
    model = quick(callbacks=seen, step_history=True, batch_size=1)
    plain = quick(batch_size=1)
    for first in (0, 80, 160, 0, 80, 160):
        rows = slice(first, first + 80)
        model.partial_fit(X[rows], TWO[rows], classes=[0, 1])
        plain.partial_fit(X[rows], TWO[rows], classes=[0, 1])
        if first == 160:
            model.partial_fit(np.repeat(X, 2, axis=0), np.repeat(TWO, 2))
            plain.partial_fit(np.repeat(X, 2, axis=0), np.repeat(TWO, 2))
    assert np.array_equal(model.parameters_, plain.parameters_) and not epochs
    assert len(seen.steps) == 2 * (200 + 400) and seen.steps[-1][0] == 1200
    assert model.step_history_ == {name: all_[-1000:] for name, all_ in columns(seen).items()}


def test_steps_of_a_warm_start_go_on():
    once = quick(epochs=4, step_history=True).fit(X, THREE)
    twice = quick(epochs=2, step_history=True, warm_start=True).fit(X, THREE).fit(X, THREE)
    assert twice.step_history_ == once.step_history_ and len(once.step_history_["loss"]) == 28
    with pytest.raises(AttributeError, match="without step_history=True"):
        _ = quick(epochs=1).fit(X, THREE).step_history_


def test_true_ends_the_training_after_the_epoch_of_the_step():
    seen = Seen(answer=lambda step: step == 9)
    model = quick(callbacks=seen).fit(X, THREE)
    assert model.n_epochs_ == 2 and len(seen.steps) == 14
    assert np.array_equal(model.parameters_, quick(epochs=2).fit(X, THREE).parameters_)


def test_any_other_answer_is_an_error_that_names_the_step():
    model = quick(callbacks=Seen(answer=lambda step: "stop" if step == 9 else None))
    with pytest.raises(TypeError, match="callback Seen returned 'stop' after step 9; it must"):
        model.fit(X, THREE)
    assert np.array_equal(model.parameters_, quick(epochs=1).fit(X, THREE).parameters_)


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_exception_in_a_step_keeps_the_last_whole_epoch(error, backend):
    def fail(at):
        def answer(step):
            if step == at:
                raise error

        return Seen(answer)

    options = dict(hidden=3, backend=backend)
    model = quick(**options, callbacks=fail(9))
    with pytest.raises(error):
        model.fit(X, THREE)
    whole = quick(**options, epochs=1).fit(X, THREE)
    assert np.array_equal(model.parameters_, whole.parameters_) and model.n_epochs_ == 1
    fitted = model._fitted
    with pytest.raises(error):  # in the first epoch: the model as it was before
        model.set_params(callbacks=fail(3)).fit(X, THREE)
    assert model._fitted is fitted
    unfitted = quick(callbacks=fail(1))
    with pytest.raises(error):
        unfitted.fit(X, THREE)
    assert not unfitted.__sklearn_is_fitted__()


def test_steps_of_an_epoch_that_diverges_are_told_and_not_kept():
    seen = Seen()
    model = quick(optimizer="sgd", learning_rate=1e3, epochs=50, callbacks=seen, step_history=True)
    with pytest.warns(DivergenceWarning):
        model.fit(X, LINE)
    assert len(seen.steps) == 7 * (model.n_epochs_ + 1)
    assert len(model.step_history_["loss"]) == 7 * model.n_epochs_
    assert np.isfinite(model.parameters_).all()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_the_drop_in_shows_its_steps(name, sparse):
    estimator = getattr(pytest.importorskip("cnn_core.sklearn"), name)
    y = TWO if name == "MLPClassifier" else LINE
    rows = pytest.importorskip("scipy.sparse").csr_array(X) if sparse else X

    class Look(Callback):
        steps = ()

        def after_step(self, model, step, logs):
            self.steps = (*self.steps, (step, logs["loss"], model.coefs_[0].copy()))
            model.predict(X[:2])

    look = Look()
    options = dict(hidden_layer_sizes=(4,), batch_size=50, max_iter=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three epochs are few
        model, plain = (
            estimator(**options, callbacks=callbacks).fit(rows, y) for callbacks in (look, ())
        )
    assert [step for step, *_ in look.steps] == list(range(1, 13))
    assert np.array_equal(look.steps[-1][2], plain.coefs_[0])
    assert np.array_equal(model.coefs_[0], plain.coefs_[0])
    assert np.mean([loss for _, loss, _ in look.steps[:4]]) == pytest.approx(model.loss_curve_[0])


def test_the_drop_in_keeps_its_model_when_a_step_fails():
    pytest.importorskip("sklearn")
    from cnn_core.sklearn import MLPClassifier

    class Fail(Callback):
        def after_step(self, model, step, logs):
            raise ZeroDivisionError

    model = MLPClassifier((4,), max_iter=3, callbacks=Fail())
    with pytest.raises(ZeroDivisionError):
        model.fit(X, TWO)
    assert not hasattr(model, "coefs_")
