"""Networks of step and sign whose weights are given: they predict and can be looked into, and are
not trained."""

import numpy as np
import pytest
from mlp_cases import LINE, TWO, X

from cnn_core import MLP

INPUTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR = np.array([0, 1, 1, 0])
#: At least one; both. At least one and not both.
STEP = [
    (np.ones((2, 2)), np.array([-0.5, -1.5])),
    (np.array([[1.0, -1.0]]), np.array([-0.5])),
]
#: The same with outputs of -1 and 1.
SIGN = [STEP[0], (np.array([[1.0, -1.0]]), np.array([-1.0]))]


def xor(name, **options):
    init = STEP if name == "step" else SIGN
    options = dict(hidden=2, activation=name, output=name, init=init) | options
    return MLP(**options)


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("name", ["step", "sign"])
def test_three_thresholds_solve_xor(name, backend, isa, dtype):
    net = xor(name, backend=backend, dtype=dtype).initialize(INPUTS, XOR)
    low = 0 if name == "step" else -1
    assert net.predict(INPUTS).tolist() == XOR.tolist() and net.score(INPUTS, XOR) == 1
    assert net.forward(INPUTS)[:, 0].tolist() == [low, 1, 1, low]
    assert [net.predict_one(x)[0] for x in INPUTS] == [low, 1, 1, low]
    assert net.evaluate(INPUTS, XOR)["accuracy"] == 1
    trace = net.trace(INPUTS, XOR)
    assert trace["hidden 1"].a.tolist() == [[low, low], [1, low], [1, low], [1, 1]]
    assert not trace["hidden 1"].delta.any() and not trace["hidden 1"].dW.any()
    loss, gradient = net.loss_and_gradient(INPUTS, XOR)
    assert loss == 0 and not gradient[:6].any()


def test_weights_may_be_given_afterwards():
    net = MLP(2, "step", output="step", random_state=0).initialize(INPUTS, XOR)
    net.weights_, net.biases_ = zip(*STEP)
    assert net.predict(INPUTS).tolist() == XOR.tolist()
    other = MLP(2, "step", output="step", init=STEP).initialize(classes=[0, 1])
    assert other.predict(INPUTS).tolist() == XOR.tolist()


@pytest.mark.parametrize(
    "options, y, message",
    [
        (dict(hidden=2, activation="step"), TWO, "activation 'step' has derivative 0 everywhere"),
        (dict(hidden=(2, 2), activation=("relu", "sign")), LINE, "activation 'sign' has deriv"),
        (dict(hidden=2, output="step"), TWO, "output 'step' .* by the perceptron rule alone"),
        (dict(hidden=(), output="sign", loss="mse"), TWO, "output 'sign' .* perceptron rule"),
    ],
)
def test_training_through_a_threshold_is_refused_in_one_sentence(options, y, message):
    net = MLP(**options, random_state=0).initialize(X, y)
    before = net.parameters_
    for train in (net.fit, net.partial_fit, net.profile, net.set_params(warm_start=True).fit):
        with pytest.raises(ValueError, match=message):
            train(X, y)
    assert np.array_equal(net.parameters_, before) and net.n_epochs_ == 0
    assert len(net.predict(X)) == len(X)
    net.set_params(epochs=0).fit(X, y)  # trains nothing


def test_rosenblatts_perceptron_still_trains():
    y = np.array([0, 0, 0, 1])
    neuron = MLP((), output="step", batch_size=1, epochs=20, random_state=0).fit(INPUTS, y)
    assert neuron.n_epochs_ == 20
