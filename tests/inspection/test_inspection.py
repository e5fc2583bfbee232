"""Inspection: what it shows are the bits of training, and they are right."""

import numpy as np
import pytest
import reference_numpy as reference
from cnn_core.data.prepare import Preparation, make_dataset
from cnn_core.spec import TrainingSpec
from cnn_core.task_of_y import infer_task
from cnn_core.training import backends

from cnn_core import (
    ELU,
    MLP,
    Embedding,
    Huber,
    NotFittedError,
    PeriodicEmbedding,
    inspection,
)
from cnn_core import functional as F

RNG = np.random.default_rng(3)
X = RNG.normal(size=(61, 5))
TWO, THREE = (X[:, 0] > 0).astype(int), np.digitize(X[:, 0], [-0.5, 0.5])
LINE = X @ [1.0, -2, 0, 0, 3]
CASES = {
    "softmax": (dict(hidden=(17, 4), activation=("tanh", "gelu")), THREE),
    "sigmoid": (dict(hidden=3, activation=ELU(0.5)), TWO),
    "softmax_mse": (dict(hidden=6, loss="mse", output="softmax", activation="swish"), THREE),
    "regression": (dict(hidden=6, activation="softplus", loss=Huber(0.5)), LINE),
    "multilabel": (dict(hidden=6, activation="mish"), np.column_stack((TWO, np.roll(TWO, 1)))),
    "linear": (dict(hidden=()), LINE),
}


@pytest.fixture(params=CASES)
def case(request, dtype):
    options, y = CASES[request.param]
    return MLP(**options, epochs=2, random_state=0, dtype=dtype).fit(X, y), y


def flat_gradient(trace):
    return np.concatenate([part.ravel() for layer in trace.layers for part in (layer.dW, layer.db)])


def test_a_trace_shows_the_bits_of_training(case, isa):
    model, y = case
    loss, gradient = model.loss_and_gradient(X, y)
    trace = model.trace(X, y)
    assert trace.loss == loss
    assert reference.same_bits(flat_gradient(trace), gradient)
    a = trace["output"].a
    targets = model._fitted.target_scaling
    assert (targets is not None) == (y is LINE)
    assert reference.same_bits(
        a if targets is None else targets.invert(a, a.dtype), model.forward(X)
    )


def test_a_trace_follows_the_four_equations(case):
    model, y = case
    tolerance = 1e-12 if model.dtype == "float64" else 1e-5
    trace, below = model.trace(X, y), X
    for W, b, layer in zip(model.weights_, model.biases_, trace.layers):
        np.testing.assert_allclose(
            layer.z, below @ W.T.astype("float64") + b, atol=10 * tolerance, rtol=tolerance
        )
        np.testing.assert_allclose(
            layer.dW, layer.delta.T.astype("float64") @ below, atol=tolerance
        )
        np.testing.assert_allclose(layer.db, layer.delta.sum(axis=0), atol=tolerance)
        assert layer.z.shape == layer.a.shape == layer.delta.shape == (61, len(W))
        below = layer.a
    assert [layer.name for layer in trace.layers][-1] == "output"


POSITIVE = np.abs(LINE)
ERRORS = CASES | {
    "poisson": (dict(hidden=4, loss="poisson", task="regression"), POSITIVE),
    "one-hot": (dict(hidden=4, loss="categorical_crossentropy"), np.eye(3)[THREE]),
    "hinge": (dict(hidden=4, loss="hinge"), TWO),
    "scaled": (dict(hidden=4, scale_inputs="standard", activation="tanh"), THREE),
    "clipped": (dict(hidden=4, scale_inputs="robust_clip", scale_targets="standard"), LINE),
    "asinh": (dict(hidden=4, scale_inputs="robust_asinh", scale_targets="standard"), LINE),
}


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("name", ERRORS)
def test_each_delta_is_dC_da_through_the_activation(name, backend):
    options, y = ERRORS[name]
    model = MLP(**options, epochs=1, random_state=0, dtype="float64", backend=backend).fit(X, y)
    for l, layer in enumerate(model.trace(X, y).layers):
        f, alpha = model._fitted.network.activations[l], model._fitted.network.activation_params[l]
        delta = F.activation_backward(f, layer.z, layer.da, alpha)
        np.testing.assert_allclose(layer.delta, delta, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("name", ERRORS)
def test_dC_dx_is_the_slope_of_the_cost_along_each_input(name, backend):
    options, y = ERRORS[name]
    model = MLP(**options, epochs=1, random_state=0, dtype="float64").fit(X, y)
    model.set_params(backend=backend)
    dx, h = model.trace(X[:9], y[:9]).dx, 1e-6
    assert dx.shape == (9, 5)
    for row, column in ((0, 0), (3, 1), (8, 4)):
        costs = []
        for step in (h, -h):
            moved = X[:9].copy()
            moved[row, column] += step
            costs.append(model.trace(moved, y[:9]).loss)
        assert dx[row, column] == pytest.approx((costs[0] - costs[1]) / (2 * h), abs=1e-8)


def test_outputs_that_have_reached_their_target_cost_no_error():
    model = MLP((), dtype="float64", random_state=0).initialize(X, TWO)
    model.parameters_ = [800.0, 0, 0, 0, 0, 0]  # outputs of exactly 0 and 1
    trace = model.trace([[1.0, 0, 0, 0, 0], [-1, 0, 0, 0, 0], [-1, 0, 0, 0, 0]], [1, 0, 1])
    assert trace["output"].a[:, 0].tolist() == [1, 0, 0]
    np.testing.assert_array_equal(trace["output"].da[:, 0], [-1 / 3, 1 / 3, -np.inf])


def test_a_cost_that_is_no_function_of_the_output_has_no_slope_along_it():
    model = MLP((), output="step", dtype="float64", random_state=0).initialize(X, TWO)
    assert np.isnan(model.trace(X, TWO)["output"].da).all()


@pytest.mark.parametrize("backend", ["native", "python"])
def test_gradients_of_single_rows_are_those_of_one_row_calls(case, backend, isa):
    model, y = case
    model.set_params(l1=0.01, l2=0.1, backend=backend)
    gradients = model.per_sample_gradients(X[:9], y[:9])
    for i, gradient in enumerate(gradients):
        alone = model.loss_and_gradient(X[i : i + 1], y[i : i + 1])[1]
        assert reference.same_bits(gradient, alone)
    mean, tolerance = model.loss_and_gradient(X[:9], y[:9])[1], 1e-5
    np.testing.assert_allclose(gradients.mean(axis=0), mean, atol=tolerance)


def test_gradients_of_single_rows_of_embedded_columns_are_those_of_one_row_calls(dtype):
    table = {"a": np.array(list("xyz"))[THREE], "b": X[:, 1], "c": X[:, 2]}
    options = dict(columns={"a": Embedding(2)}, numeric_embedding=PeriodicEmbedding(5, 2))
    model = MLP(6, **options, epochs=1, random_state=0, dtype=dtype, l2=0.1).fit(table, LINE)
    rows = {name: column[:7] for name, column in table.items()}
    for i, gradient in enumerate(model.per_sample_gradients(rows, LINE[:7])):
        one = {name: column[i : i + 1] for name, column in rows.items()}
        alone = model.loss_and_gradient(one, LINE[i : i + 1])[1]
        assert reference.same_bits(gradient, alone)


def test_more_gradients_than_memory_are_refused_before_anything_is_computed(monkeypatch):
    model = MLP(4, epochs=1, random_state=0).fit(X, LINE)
    monkeypatch.setattr("cnn_core.inspection.gradient_check.available", lambda: 1000)
    with pytest.raises(MemoryError, match="of 61 rows by 29 parameters take .*; ask for fewer"):
        model.per_sample_gradients(X, LINE)


def test_check_gradient_finds_backpropagation_right(case):
    model, y = case
    check = model.set_params(l2=0.1, l1=0.01).check_gradient(X, y)
    assert check.error < 1e-7
    assert check.analytic == pytest.approx(check.numeric, abs=1e-6)


class WrongBackend:
    """The native core, but for one entry of its gradients."""

    def __init__(self, at):
        self.at = at

    def trainer(self, spec, network):
        trainer = backends.native.trainer(spec, network)
        self.set_flat, self.loss_and_gradient = trainer.set_flat, trainer.loss_and_gradient
        self.right = trainer.flat_gradient
        return self

    def flat_gradient(self):
        gradient = self.right()
        gradient[self.at] += 1
        return gradient


def test_check_gradient_names_the_parameter_that_is_wrong():
    task, _ = infer_task(LINE, "auto", "auto", "auto", 0.0)
    data = make_dataset(task, X, LINE, Preparation("float64"))
    network = backends.Network((5, 4, 1), ("tanh", "identity"), "float64")
    network.set_flat(np.sin(np.arange(29)))
    spec = TrainingSpec("mse", batch_size=61)
    for at, found in (
        (7, ("hidden 1", "W", (1, 2))),
        (22, ("hidden 1", "b", (2,))),
        (24, ("output", "W", (0, 0))),
        (28, ("output", "b", (0,))),
    ):
        check = inspection.check_gradient(network, spec, data, 1e-6, WrongBackend(at))
        assert (check.layer, check.parameter, check.index) == found and check.error > 0.1


def test_every_parameter_has_its_place_in_the_flat_vector():
    model = MLP(2, epochs=0).fit(X[:, :3], LINE)
    places = [model.where(i) for i in range(11)]
    assert places == [
        *(("hidden 1", "W", (j, k)) for j in range(2) for k in range(3)),
        *(("hidden 1", "b", (j,)) for j in range(2)),
        *(("output", "W", (0, k)) for k in range(2)),
        ("output", "b", (0,)),
    ]
    assert [model.index_of(*place) for place in places] == list(range(11))
    assert model.index_of("hidden 1", "b", 1) == 7 and model.where(np.argmax(np.arange(11)))
    for i, (layer, parameter, index) in enumerate(places):
        l = ["hidden 1", "output"].index(layer)
        values = (model.weights_ if parameter == "W" else model.biases_)[l]
        assert values[index] == model.parameters_[i]


@pytest.mark.parametrize("ask, message", [
    (lambda m: m.where(11), "has the parameters 0 to 10; got 11"),
    (lambda m: m.where(-1), "0 to 10; got -1"),
    (lambda m: m.where(1.5), "integer"),
    (lambda m: m.index_of("hidden 2", "W", (0, 0)), "no layer 'hidden 2'; .* hidden 1, output"),
    (lambda m: m.index_of("output", "w", (0, 0)), "must be 'W' or 'b', got 'w'"),
    (lambda m: m.index_of("output", "W", (0, 2)), r"shape \(1, 2\); got index \(0, 2\)"),
    (lambda m: m.index_of("output", "W", 0), r"shape \(1, 2\); got index \(0,\)"),
    (lambda m: m.index_of("output", "b", -1), r"shape \(1,\); got index \(-1,\)"),
])  # fmt: skip
def test_a_place_that_there_is_not_is_refused(ask, message):
    with pytest.raises((IndexError, ValueError, TypeError), match=message):
        ask(MLP(2, epochs=0).fit(X[:, :3], LINE))


def test_gradient_can_be_asked_for_at_other_parameters():
    model = MLP(hidden=4, epochs=1, dtype="float64", random_state=0).fit(X, LINE)
    before, other = model.parameters_, model.parameters_ + 0.5
    loss, gradient = model.loss_and_gradient(X, LINE, parameters=other)
    assert np.array_equal(model.parameters_, before)
    model.parameters_ = other
    again = model.loss_and_gradient(X, LINE)
    assert again[0] == loss and np.array_equal(again[1], gradient)


def test_penalties_are_part_of_loss_and_gradient():
    model = MLP(hidden=4, epochs=1, dtype="float64", random_state=0).fit(X, LINE)
    plain = model.loss_and_gradient(X, LINE)
    held = model.set_params(l2=0.5).loss_and_gradient(X, LINE)
    assert held[0] - plain[0] == pytest.approx(
        0.25 * sum((W**2).sum() for W in model.weights_), rel=1e-12
    )


def test_weights_can_be_set():
    model = MLP(hidden=4, epochs=1, dtype="float64", random_state=0).fit(X, LINE)
    weights, biases = [W + 1 for W in model.weights_], [b - 1 for b in model.biases_]
    model.weights_, model.biases_ = weights, biases
    expected = np.maximum(X @ weights[0].T + biases[0], 0) @ weights[1].T + biases[1]
    expected = expected * model.target_factor_ + model.target_shift_
    np.testing.assert_allclose(model.predict(X), expected[:, 0], rtol=1e-12)


@pytest.mark.parametrize("name, value, message", [
    ("weights_", [np.zeros((4, 5))], "each of the 2 layers, got 1"),
    ("weights_", [np.zeros((4, 5)), np.zeros((1, 5))], r"\(1, 4\)"),
    ("biases_", [np.zeros(4), np.full(1, np.nan)], "finite"),
    ("parameters_", np.zeros(3), "29 parameters"),
])  # fmt: skip
def test_weights_that_do_not_fit_are_refused_and_the_model_stays(name, value, message):
    model = MLP(hidden=4, epochs=1, random_state=0).fit(X, LINE)
    before = model.parameters_
    with pytest.raises(ValueError, match=message):
        setattr(model, name, value)
    assert np.array_equal(model.parameters_, before)


def test_layers_of_a_trace_have_names():
    trace = MLP(hidden=(4, 3), epochs=1).fit(X, LINE).trace(X, LINE)
    assert trace["hidden 2"] is trace.layers[1]
    with pytest.raises(KeyError, match="hidden 1, hidden 2, output"):
        trace["hidden 3"]


def test_summary_lists_layers_shapes_and_sizes(capsys):
    print(MLP(hidden=(17, 4), epochs=1).fit(X, LINE).summary())
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["hidden", "1", "5", "17", "relu", "17", "x", "5", "102"]
    assert lines[5].startswith("179 parameters of float32 in ")


def test_the_box_needs_a_fitted_model_and_fitting_rows():
    with pytest.raises(NotFittedError):
        MLP().trace(X, LINE)
    model = MLP(hidden=4, epochs=1).fit(X, THREE)
    with pytest.raises(ValueError, match="unknown class 7"):
        model.loss_and_gradient(X, np.full(61, 7))
    with pytest.raises(ValueError, match="X has 5 rows and y has 61"):
        model.trace(X[:5], THREE)
