"""A search for a network whose gradient is wrong: architectures, options, data and weights at
random."""

import numpy as np
import pytest
from cnn_core.training.backends import native
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnn_core import ELU, MLP, Huber, LeakyReLU, _activations

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:y reaches from"),
    pytest.mark.filterwarnings("ignore:.* in every row"),
]

# step and sign have derivative 0 by decree; the others' derivatives are those of f wherever f has
# one.
SMOOTH = [name for name in _activations.names() if name not in ("step", "sign")]
# An exp of an exp of an exp is too steep for differences, so the search has exp at the output
# alone.
WITH_NUMBERS = st.one_of(
    st.sampled_from([name for name in SMOOTH if name != "exp"]),
    st.builds(LeakyReLU, st.floats(0, 0.9)),
    st.builds(ELU, st.floats(0, 3)),
)
OUTPUTS = {
    "mse": SMOOTH, "mae": SMOOTH, "huber": SMOOTH, "binary_crossentropy": ["sigmoid"],
    "categorical_crossentropy": ["softmax"], "sparse_categorical_crossentropy": ["softmax"],
    "poisson": ["exp"],
    "hinge": ["identity", "tanh", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "swish", "mish",
              "hard_swish"],
}  # fmt: skip
PAIRS = [(loss, output) for loss, outputs in OUTPUTS.items() for output in outputs]
# A kink between the two points of a difference shows as a jump of a derivative, not as an error of
# the size of h.
KINKS = 3


def targets(rng, loss, rows, outputs):
    if loss.endswith("categorical_crossentropy"):
        labels = np.r_[np.arange(outputs), rng.integers(0, outputs, rows)][:rows]
        return np.eye(outputs)[labels] if loss.startswith("cat") else labels
    if loss == "hinge":
        return np.r_[0, 1, rng.integers(0, 2, rows)][:rows]
    if loss == "poisson":
        return rng.poisson(2.0, (rows, outputs)).astype(float)
    return (
        rng.uniform(0, 1, (rows, outputs))
        if loss == "binary_crossentropy"
        else rng.normal(size=(rows, outputs))
    )


def worst_differences(model, X, y, w, l1, l2, h=1e-6):
    """Relative differences between the gradient and central differences, of all parameters, the
    largest first."""
    cost, gradient = model.loss_and_gradient(X, y, parameters=w)
    # The trainer that computes it, without a check of X and y for each of the costs.
    fitted = model._fitted
    data, spec = fitted.dataset(X, y), fitted.training_spec.without_steps(len(X), l1, l2)
    trainer = native.trainer(spec, fitted.network.copy())

    # Where each of them stands in the trainer's vector, in which one is changed at a time: to set
    # all of them takes longer than a cost.
    trainer.set_flat(np.arange(1.0, len(w) + 1))
    places = np.argsort(trainer.parameters)[-len(w) :]
    trainer.set_flat(w)

    def cost_with(place, value):
        trainer.parameters[place] = value
        return trainer.loss_and_gradient(data.X, data.y, data.labels)[0]

    assert cost_with(places[0], w[0]) == cost
    numeric = np.empty_like(w)
    for i, place in enumerate(places):
        numeric[i] = (cost_with(place, w[i] + h) - cost_with(place, w[i] - h)) / (2 * h)
        trainer.parameters[place] = w[i]
    # A cost of 1e3 is known to 1e-13, so a difference of costs over 2e-6 to 1e-7.
    size = np.maximum(1, np.maximum(np.abs(gradient), abs(cost)))
    return np.sort(np.abs(gradient - numeric) / size)[::-1]


def check(loss, output, hidden, activation, l1, l2, rows, features, outputs, seed):
    rng = np.random.default_rng(seed)
    if output == "softmax" or loss.endswith("categorical_crossentropy"):
        outputs = max(2, outputs)
        rows = max(rows, outputs)
    X, y = rng.normal(size=(max(2, rows), features)), targets(rng, loss, max(2, rows), outputs)
    name = Huber(0.3 + rng.uniform()) if loss == "huber" else loss
    task = "auto" if loss == "hinge" or loss.endswith("categorical_crossentropy") else "regression"
    model = MLP(
        hidden,
        activation,
        loss=name,
        output=output,
        task=task,
        l1=l1,
        l2=l2,
        epochs=1,
        learning_rate=1e-300,
        dtype="float64",
        random_state=seed,
    ).fit(X, y)
    w = model.parameters_ + rng.normal(size=model.parameters_.shape) * 0.3
    worst = worst_differences(model, X, y, w, l1, l2)
    assert len(worst) <= KINKS or worst[KINKS] < 1e-6, f"{model}: {worst[:5]}"
    if worst[0] >= 1e-6:  # nearer than h to a kink, or wrong: a kink is left behind by a small move
        worst = worst_differences(model, X, y, w + rng.normal(size=w.shape) * 1e-2, l1, l2)
        assert worst[0] < 1e-6, f"{model}: {worst[:5]}"


@pytest.mark.parametrize("loss, output", PAIRS)
def test_every_pair_of_loss_and_output_has_the_gradient_of_central_differences(loss, output, isa):
    check(loss, output, (5, 4), "tanh", 0.0, 0.0, 6, 3, 3, 0)


@pytest.mark.parametrize("activation", SMOOTH)
def test_every_hidden_activation_has_the_gradient_of_central_differences(activation, isa):
    check(
        "mse",
        "identity",
        (5, 4) if activation != "exp" else (5,),
        activation,
        0.01,
        0.1,
        6,
        3,
        3,
        0,
    )


@settings(
    max_examples=500, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    pair=st.sampled_from(PAIRS),
    layers=st.lists(st.tuples(st.integers(1, 19), WITH_NUMBERS), max_size=3),
    l1=st.sampled_from([0.0, 0.01]),
    l2=st.sampled_from([0.0, 0.1]),
    rows=st.integers(1, 20),
    features=st.integers(1, 9),
    outputs=st.integers(1, 10),
    seed=st.integers(0, 2**32),
)
def test_no_architecture_has_a_wrong_gradient(pair, layers, l1, l2, rows, features, outputs, seed):
    hidden = tuple(width for width, _ in layers)
    check(
        *pair,
        hidden,
        tuple(activation for _, activation in layers),
        l1,
        l2,
        rows,
        features,
        outputs,
        seed,
    )
