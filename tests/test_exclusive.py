"""One fit of an object at a time: a second one is refused, and the first goes on unharmed."""

import copy
import os
import pickle
import sys
import threading

import numpy as np
import pytest
from cnn_core._control import Exclusive

from cnn_core import MLP, Callback

RNG = np.random.default_rng(5)
X = RNG.normal(size=(150, 6))
TWO = (X[:, 0] > 0).astype(int)


class Gate(Callback):
    """Stops a fit after its first epoch until it is opened."""

    def __init__(self):
        self.reached, self.opened = threading.Event(), threading.Event()

    def after_epoch(self, model, epoch, logs):
        self.reached.set()
        assert self.opened.wait(30)


def make_mlp(**options):
    return MLP(8, epochs=5, random_state=0, **options)


def make_estimator(**options):
    neural = pytest.importorskip("cnn_core.sklearn")
    return neural.MLPClassifier((8,), max_iter=5, solver="sgd", random_state=0, **options)


def weights_of(model):
    if isinstance(model, MLP):
        return model.parameters_.copy()
    return np.concatenate([part.ravel() for part in (*model.coefs_, *model.intercepts_)])


MAKERS = [make_mlp, make_estimator]
pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

CHANGES = {
    "fit": lambda model: model.fit(X, TWO),
    "partial_fit": lambda model: (
        model.partial_fit(X, TWO)
        if isinstance(model, MLP)
        else model.partial_fit(X, TWO, classes=[0, 1])
    ),
    "weights": lambda model: (
        setattr(model, "parameters_", 0 * model.parameters_)
        if isinstance(model, MLP)
        else setattr(model, "coefs_", [0 * W for W in model.coefs_])
    ),
    "biases": lambda model: (
        setattr(model, "biases_", [0 * b for b in model.biases_])
        if isinstance(model, MLP)
        else setattr(model, "intercepts_", [0 * b for b in model.intercepts_])
    ),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("make", MAKERS)
def test_a_second_thread_is_refused_while_an_object_is_fitted(make, change):
    expected = weights_of(make().fit(X, TWO))
    gate = Gate()
    model = make(callbacks=gate)
    thread = threading.Thread(target=model.fit, args=(X, TWO))
    thread.start()
    assert gate.reached.wait(30)
    try:
        for _ in range(2):
            with pytest.raises(RuntimeError, match="is being fitted by another thread; "):
                CHANGES[change](model)
        assert model.predict(X).shape == (150,)
        make().fit(X, TWO)  # others are free
    finally:
        gate.opened.set()
        thread.join()
    assert np.array_equal(weights_of(model), expected)
    model.set_params(callbacks=())
    CHANGES[change](model)  # and now this one is


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("moment", ["before_fit", "after_epoch", "after_step", "after_fit"])
@pytest.mark.parametrize("make", MAKERS)
def test_a_callback_cannot_fit_its_own_object(make, moment, change):
    refused = []

    def again(self, model, *rest):
        if moment != "after_fit" or "fit" in change:
            with pytest.raises(RuntimeError, match="is being fitted, and a callback is no place"):
                CHANGES[change](model)
        else:  # nothing that follows would take its place
            CHANGES[change](model)
        refused.append(moment)

    model = make().fit(X, TWO)
    expected = weights_of(model)
    model.set_params(callbacks=type("Again", (Callback,), {moment: again})()).fit(X, TWO)
    assert refused
    if moment == "after_fit" and "fit" not in change:
        assert not np.array_equal(weights_of(model), expected)
    else:
        assert np.array_equal(weights_of(model), expected)


@pytest.mark.parametrize("make", MAKERS)
def test_a_fit_that_is_refused_or_fails_leaves_the_object_free(make):
    model = make()

    def fail(model, epoch, logs):
        raise KeyError("a callback's own")

    for options, error in ((dict(callbacks=fail), KeyError), (dict(callbacks=3), TypeError)):
        with pytest.raises(error):
            make().set_params(**options).fit(X, TWO)
        with pytest.raises((ValueError, TypeError)):
            model.fit(X, TWO[:3])
    model.fit(X, TWO)


@pytest.mark.parametrize("make", MAKERS)
def test_copies_that_are_made_during_a_fit_are_free(make):
    copies = []

    def look(model, epoch, logs):
        callbacks, model.callbacks = model.callbacks, ()
        copies.append(pickle.loads(pickle.dumps(model)))
        copies.append(copy.deepcopy(model))
        model.callbacks = callbacks
        copies[-1].fit(X, TWO)
        copies[-2].fit(X, TWO)

    make(callbacks=look).fit(X, TWO)
    assert len(copies) == 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
@pytest.mark.parametrize("make", MAKERS)
def test_a_child_that_is_forked_during_a_fit_can_fit(make):
    gate = Gate()
    model = make(callbacks=gate)
    thread = threading.Thread(target=model.fit, args=(X, TWO))
    thread.start()
    assert gate.reached.wait(30)
    code = 1
    try:
        child = os.fork()
        if child == 0:
            try:
                model.set_params(callbacks=())
                model.fit(X, TWO)
                os._exit(
                    0 if np.array_equal(weights_of(model), weights_of(make().fit(X, TWO))) else 2
                )
            finally:
                os._exit(3)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        gate.opened.set()
        thread.join()
    assert code == 0


def test_nothing_of_it_stays_with_the_object():
    model = make_mlp().fit(X, TWO)
    before = sys.getrefcount(model), set(vars(model))
    with Exclusive(model):
        assert set(vars(model)) == before[1]
    assert (sys.getrefcount(model), set(vars(model))) == before


def test_untrained_networks_are_not_made_in_the_midst_of_a_fit():
    def initialize(model, epoch, logs):
        with pytest.raises(RuntimeError, match="MLP is being fitted"):
            model.initialize(X, TWO)
        with pytest.raises(RuntimeError, match="MLP is being fitted"):
            model.initialize(n_features=6, classes=[0, 1])

    make_mlp(callbacks=initialize).fit(X, TWO)
