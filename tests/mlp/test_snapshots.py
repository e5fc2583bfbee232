"""MLP in use: whoever predicts, scores or looks while something else happens to the model sees one
whole model, to the bit."""

import pickle
import threading

import numpy as np
import pytest
from mlp_cases import LINE, TWO, X, quick, with_entry

from cnn_core import MLP, Callback


def answers(model):
    """The bits of every kind of answer."""
    return b"".join(
        np.ascontiguousarray(a).tobytes()
        for a in (
            model.predict(X),
            model.predict_proba(X),
            model.forward(X[:1]),
            model.predict_one(X[0]),
            model.parameters_,
            model.score(X, TWO),
        )
    )


class Spying(dict):
    """A class_weight that looks at a model while it is being checked."""

    def __init__(self, look, weights):
        super().__init__(weights)
        self.look = look

    def items(self):
        self.look()
        return super().items()


def test_nobody_sees_a_set_params_that_is_refused():
    model, seen = quick(epochs=2).fit(X, TWO), []
    before, params = answers(model), model.get_params()

    def look():
        seen.append((answers(model), model.get_params()))

    weights = Spying(look, {0: -1})
    with pytest.raises(ValueError, match="class_weight of 0"):
        model.set_params(n_threads=1, verbose=1, hidden=7, backend="python", class_weight=weights)
    assert seen == [(before, params)] and model.get_params() == params


def test_a_set_params_is_seen_as_a_whole():
    model, seen = quick(epochs=2), []
    model.set_params(
        l1=0.5,
        l2=0.25,
        class_weight=Spying(lambda: seen.append((model.l1, model.l2)), {}),
    )
    assert seen[0] == (0.0, 0.0) and (model.l1, model.l2) == (0.5, 0.25)


class Refitting:
    """Labels that refit a model, with other labels, when they are looked at."""

    def __init__(self, model, labels):
        self.model, self.labels = model, labels

    def __array__(self, dtype=None, copy=None):
        if self.model is not None:
            model, self.model = self.model, None
            model.fit(X, np.array(["no", "yes"])[1 - self.labels])
        return self.labels


def test_a_score_is_of_one_model():
    model = quick(epochs=5).fit(X, TWO)
    expected = model.score(X, TWO)
    assert expected > 0.5
    assert model.score(X, Refitting(model, TWO)) == expected
    assert model.classes_.tolist() == ["no", "yes"]


def test_an_evaluation_and_a_trace_are_of_one_model():
    model = quick(epochs=2).fit(X, TWO)
    for use in (
        lambda y: model.evaluate(X, y)["loss"],
        lambda y: model.trace(X, y).loss,
        lambda y: model.loss_and_gradient(X, y)[0],
    ):
        model.fit(X, TWO)
        expected = use(TWO)
        assert use(Refitting(model, TWO)) == expected
        assert model.classes_.tolist() == ["no", "yes"]


def test_a_refused_fit_leaves_every_answer_as_it_was():
    model, seen = quick(epochs=2).fit(X, TWO), []
    before = answers(model)

    class Rows:
        shape = X.shape

        def __array__(self, dtype=None, copy=None):
            seen.append(answers(model))
            return with_entry(X, (7, 3), np.nan)

    for use in (model.fit, model.partial_fit, model.set_params(warm_start=True).fit):
        with pytest.raises(ValueError, match="X has nan at row 7, column 3"):
            use(Rows(), TWO)
    assert len(seen) >= 3 and set(seen) == {before} and answers(model) == before


def test_a_refit_is_seen_from_its_first_whole_epoch_on():
    seen = {}

    class Look(Callback):
        def before_fit(self, model):
            seen["before"] = answers(model)

        def after_epoch(self, model, epoch, logs):
            seen[epoch] = answers(model)

    model = quick(epochs=2).fit(X, TWO)
    before = answers(model)
    model.set_params(callbacks=Look(), random_state=1, epochs=3).fit(X, TWO)
    ends = [answers(quick(epochs=n, random_state=1).fit(X, TWO)) for n in (1, 2, 3)]
    assert [seen[key] for key in ("before", 1, 2, 3)] == [before, *ends]


def test_a_fit_works_with_the_parameters_that_it_began_with():
    # A callback may change or even delete them: that is for the next fit.
    def meddle(model, epoch, logs):
        if epoch == 1:
            model.set_params(shuffle=False, verbose=1, patience=1, epochs=1, l2=3.0)
            for name in ("early_stopping", "backend", "restore_best", "min_delta", "n_threads"):
                delattr(model, name)

    options = dict(early_stopping=True, patience=3, epochs=6)
    with pytest.warns(UserWarning, match="takes effect at the next fit"):
        model = quick(callbacks=meddle, **options).fit(X, LINE)
    expected = quick(**options).fit(X, LINE)
    assert np.array_equal(model.parameters_, expected.parameters_)
    assert model.history_["val_loss"] == expected.history_["val_loss"]


def test_weights_can_be_set_while_others_predict():
    model = quick(epochs=1).fit(X, LINE)
    sets = [[W * factor for W in model.weights_] for factor in (1, 2)]
    expected = set()
    for weights in sets:
        model.weights_ = weights
        expected.add(model.forward(X).tobytes())
    seen, stop = set(), threading.Event()

    def predict():
        while not stop.is_set():
            seen.add(model.forward(X).tobytes())

    thread = threading.Thread(target=predict)
    thread.start()
    for _ in range(200):
        for weights in sets:
            model.weights_ = weights
    stop.set()
    thread.join()
    assert seen <= expected


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_refit_of_a_pickled_model_goes_on_where_it_was(optimizer):
    model = MLP(8, optimizer=optimizer, epochs=2, random_state=0, warm_start=True).fit(X, TWO)
    other = pickle.loads(pickle.dumps(model))
    assert answers(other) == answers(model)
    assert answers(other.fit(X, TWO)) == answers(model.fit(X, TWO))
