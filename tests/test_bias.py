"""Networks without biases: the bits of networks whose biases stay 0, and no trace of b among the
parameters, in files and in training."""

import pickle

import numpy as np
import pytest
import reference_numpy as referee
from cnn_core._backprop import Backprop
from cnn_core._dataset import RowSource
from cnn_core._network import Network, _restore
from cnn_core._optimizer import optimizer_names
from cnn_core._predict import BatchPredictor, RowPredictor
from cnn_core._random import uniform
from cnn_core._trainer import Trainer
from cnn_core.spec import NetworkSpec
from mlp_cases import LINE, THREE, TWO, X
from reference_numpy import same_bits
from training_cases import SETTINGS

from cnn_core import LBFGS, MLP, SGD, MLPRegressor

#: Blockwise with a transposed last layer, the same row-major, one layer, two-phase, layer-parallel.
NETS = {
    "blockwise": ((7, 20, 3), ("relu", "softmax"), 1),
    "row-major": ((7, 20, 40), ("tanh", "softmax"), 1),
    "one layer": ((5, 3), ("softmax",), 1),
    "two-phase": ((100, 200, 3), ("relu", "softmax"), 1),
    "layer-parallel": ((130, 300, 200, 7), ("relu", "gelu", "softmax"), 2),
}
ROWS = 40


def numbers(seed, *shape):
    return (2 * uniform(seed, 0, int(np.prod(shape))) - 1).reshape(shape)


def pair(net, dtype):
    """A network without biases, and one with, all of them 0."""
    widths, activations, _ = NETS[net]
    bare = Network(widths, activations, dtype, bias=False)
    bare.set_flat(numbers(1, bare.flat().size) * 0.3)
    full = Network(widths, activations, dtype)
    for l in range(full.n_layers):
        full.set_layer(l, bare.weights(l), np.zeros(widths[l + 1]))
    return bare, full


def make_trainer(network, optimizer, threads, batch=ROWS, l1=0.0, l2=0.0, dropout=None, **options):
    backprop = Backprop(
        network, "sparse_categorical_crossentropy", batch, l1=l1, l2=l2, dropout=dropout
    )
    return Trainer(backprop, optimizer, SETTINGS[optimizer], 7, threads=threads, **options)


def make_rows(net, dtype):
    widths = NETS[net][0]
    labels = (uniform(3, 0, ROWS) * widths[-1]).astype(np.int32)[:, None]
    return RowSource(numbers(2, ROWS, widths[0]).astype(dtype)), None, RowSource(labels)


def weights_of(network, vector=None):
    return [network.weights(l, vector) for l in range(network.n_layers)]


# The native core


@pytest.mark.parametrize("net", NETS)
def test_predictions_have_the_bits_of_biases_that_are_0(net, isa, dtype):
    bare, full = pair(net, dtype)
    rows = numbers(4, 300, bare.widths[0]).astype(dtype)
    a = BatchPredictor(bare).forward(rows, 2)
    assert same_bits(a, BatchPredictor(full).forward(rows, 2))
    one = RowPredictor(bare)
    for r in range(3):
        assert same_bits(one.forward(rows[r]), a[r])


@pytest.mark.parametrize("net", NETS)
def test_parameters_are_the_weights_alone(net, dtype):
    bare, full = pair(net, dtype)
    flat = bare.flat()
    assert flat.size == sum(a * b for a, b in zip(bare.widths, bare.widths[1:]))
    assert same_bits(flat, np.concatenate([W.ravel() for W in weights_of(bare)]))
    assert bare.parameters.size == sum(bare.panels(l).size for l in range(bare.n_layers))
    assert bare.parameters.size < full.parameters.size
    assert not bare.has_bias and full.has_bias
    for l in range(bare.n_layers):
        b = bare.bias(l)
        assert b.shape == (bare.widths[l + 1],) and not b.any() and b.dtype == dtype
        with pytest.raises(ValueError, match="read-only"):
            b[0] = 1


@pytest.mark.parametrize("options", [{}, dict(l1=1e-3, l2=1e-2), dict(max_norm=0.4)])
@pytest.mark.parametrize("optimizer", optimizer_names())
def test_every_optimizer_steps_as_with_biases_that_are_set_back_to_0(optimizer, options, dtype):
    for net in NETS if optimizer == "adam" else ("blockwise", "two-phase"):
        check_steps(net, optimizer, dtype, 3, **options)


@pytest.mark.parametrize("net", NETS)
def test_steps_have_these_bits_on_every_instruction_set(net, isa, dtype):
    layers = len(NETS[net][1])
    check_steps(net, "adamw", dtype, 2, dropout=[0.1] * layers, l2=1e-3, max_norm=0.5)


def check_steps(net, optimizer, dtype, steps, **options):
    bare, full = pair(net, dtype)
    threads, rows = NETS[net][2], make_rows(net, dtype)
    without = make_trainer(bare, optimizer, threads, **options)
    with_0 = make_trainer(full, optimizer, threads, **options)
    for _ in range(steps):
        assert without.epoch(*rows) == with_0.epoch(*rows)
        for got, expected in zip(without.slots, with_0.slots):
            assert all(map(same_bits, weights_of(bare, got), weights_of(full, expected)))
        moved = any(full.bias(l).any() for l in range(full.n_layers))
        assert moved or dtype == "float32"
        for l in range(full.n_layers):
            full.bias(l)[:] = 0
        assert all(map(same_bits, weights_of(bare), weights_of(full))), net
    assert without.flat_gradient().size == bare.flat().size


@pytest.mark.parametrize("net", NETS)
def test_gradients_are_those_of_the_equations(net, isa):
    bare, _ = pair(net, "float64")
    X, _, labels = make_rows(net, "float64")
    y = labels.array[:, 0]
    found = Backprop(bare, "sparse_categorical_crossentropy", ROWS).loss_and_gradient(X.array, y)
    biases = [np.zeros(n) for n in bare.widths[1:]]
    _, dW, _ = referee.backpropagation(
        X.array, y, weights_of(bare), biases, bare.activations, "sparse_categorical_crossentropy"
    )
    expected = np.concatenate([part.ravel() for part in dW])
    np.testing.assert_allclose(found[1], expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("net", NETS)
def test_one_gradient_for_every_number_of_threads_and_way_to_it(net, isa, dtype):
    rows = make_rows(net, dtype)
    results = []
    for threads in (1, 2, 3):
        bare, _ = pair(net, dtype)
        trainer = make_trainer(bare, "adam", threads, clip_norm=0.01)
        trainer.epoch(*rows)
        results.append(bare.parameters.tobytes())
    bare, _ = pair(net, dtype)
    trainer = make_trainer(bare, "adam", 1, clip_norm=0.01)
    for first, last in ((0, 7), (7, ROWS)):
        part = [source and RowSource(source.array[first:last]) for source in rows]
        trainer.accumulate(*part, weight=ROWS, first=first)
    trainer.apply()
    results.append(bare.parameters.tobytes())
    bare, _ = pair(net, dtype)
    make_trainer(bare, "adam", 1, clip_norm=0.01, timing=True).epoch(*rows)
    assert {*results, bare.parameters.tobytes()} == {results[0]}


def test_the_length_of_a_clipped_gradient_is_that_of_the_weights(dtype):
    for net in NETS:
        bare, _ = pair(net, dtype)
        before, rows = bare.flat().astype(float), make_rows(net, dtype)
        backprop = Backprop(bare, "sparse_categorical_crossentropy", ROWS)
        sgd = dict(learning_rate=1.0, momentum=0.0, nesterov=0)
        Trainer(backprop, "sgd", sgd, 7, clip_norm=0.001).epoch(*rows)
        moved = np.linalg.norm(bare.flat().astype(float) - before)
        assert moved == pytest.approx(0.001, rel=1e-3 if dtype == "float32" else 1e-10)


def test_biases_that_are_not_0_are_refused_and_nothing_changes(dtype):
    bare, full = pair("blockwise", dtype)
    before = bare.flat()
    with pytest.raises(ValueError, match="no biases; those of layer 1 must be None or 0, got 2.0"):
        bare.set_layer(1, np.ones((3, 20)), [0, 2, 0])
    with pytest.raises(ValueError, match="this network has 200 parameters"):
        bare.set_flat(full.flat())
    with pytest.raises(ValueError, match="cannot take the parameters"):
        full.copy_to(bare)
    assert same_bits(bare.flat(), before)
    bare.set_layer(1, np.ones((3, 20)), None)
    assert (bare.weights(1) == 1).all()


def test_equality_with_other_weights_looks_at_biases_too(dtype):
    bare, _ = pair("blockwise", dtype)
    Wt, b = np.ascontiguousarray(bare.weights(0).T), np.zeros(20, dtype)
    assert bare.equals(0, Wt, b)
    assert not bare.equals(0, Wt, b + 1)
    assert not bare.equals(0, Wt + 1, b)


def test_copies_and_pickles_have_no_biases_either(dtype):
    bare, full = pair("row-major", dtype)
    for other in (bare.copy(), pickle.loads(pickle.dumps(bare))):
        assert not other.has_bias and same_bits(other.flat(), bare.flat())
    wide = bare.copy("float64")
    assert not wide.has_bias and np.array_equal(wide.flat(), bare.flat())
    assert full.copy("float32").has_bias
    # What an older version has written says nothing of biases.
    older = full.__reduce__()[1][:5]
    assert _restore(*older).has_bias and same_bits(_restore(*older).flat(), full.flat())


# MLP


def fitted(**options):
    options = dict(hidden=(6, 4), activation="tanh", epochs=4, random_state=3) | options
    y = options.pop("y", THREE)
    return MLP(**options, bias=False).fit(X, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_line_through_the_origin_is_that_of_least_squares(dtype):
    x = np.linspace(-1, 2, 30)
    y = 3 * x + 0.5 * np.cos(7 * x)
    line = MLP((), task="regression", bias=False, optimizer=LBFGS(), dtype=dtype, epochs=50)
    line.fit(x[:, None], y)
    assert line.weights_[0][0, 0] == pytest.approx((x @ y) / (x @ x), rel=1e-5)
    assert line.parameters_.shape == (1,) and line.predict([[0.0]]) == 0
    assert [b.tolist() for b in line.biases_] == [[0.0]]


def test_nothing_is_shifted_unless_that_is_asked_for():
    x, y = 100 + 50 * X[:, :1], 1000.0 + X[:, 0]
    options = dict(hidden=(), task="regression", bias=False, epochs=2, random_state=0)
    line = MLP(**options).fit(x, y)
    assert line.predict([[0.0]]) == 0 and line.predict([[2.0]]) == 2 * line.predict([[1.0]])
    scaled = MLP(**options, scale_inputs="standard", scale_targets="standard").fit(x, y)
    assert scaled.predict(x.mean(axis=0)[None])[0] == pytest.approx(y.mean(), rel=1e-4)


OPTIONS = {
    "adam": {},
    "sgd": dict(optimizer=SGD(0.1, momentum=0.9, nesterov=True)),
    "rprop": dict(optimizer="rprop"),
    "lbfgs": dict(optimizer=LBFGS(tolerance=0), epochs=10),
    "adamw": dict(optimizer="adamw"),
    "penalties": dict(l1=1e-3, l2=1e-2),
    "clip_norm": dict(clip_norm=0.05),
    "max_norm": dict(max_norm=0.5),
    "dropout": dict(dropout=0.3),
    "selu, dropout": dict(activation="selu", dropout=(0.1, 0.2, 0.3)),
    "two classes": dict(y=TWO),
    "regression": dict(y=LINE, scale_inputs="standard"),
    "early stopping": dict(early_stopping=True, patience=2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_the_reference_implementation_agrees(name):
    options = dict(batch_size=8, dtype="float64", epochs=10) | OPTIONS[name]
    if "optimizer" in options and options["optimizer"] != "adamw" and name != "sgd":
        options["batch_size"] = "full"
    native, reference = (fitted(**options, backend=backend) for backend in ("native", "python"))
    limit = 1e-9 if name == "lbfgs" else 1e-12
    np.testing.assert_allclose(reference.parameters_, native.parameters_, rtol=limit, atol=limit)
    np.testing.assert_allclose(reference.history_["loss"], native.history_["loss"], rtol=limit)
    np.testing.assert_allclose(reference.forward(X), native.forward(X), rtol=1e-9, atol=1e-9)
    assert native.parameters_.size == sum(W.size for W in native.weights_)
    y = OPTIONS[name].get("y", THREE)
    for one, other in zip(native.trace(X, y).layers, reference.trace(X, y).layers):
        np.testing.assert_allclose(one.dW, other.dW, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("backend", ["native", "python"])
def test_the_gradient_passes_its_check_and_names_weights_alone(backend):
    model = fitted(dtype="float64", epochs=1, backend=backend, l2=0.01)
    check = model.check_gradient(X[:5], THREE[:5])
    assert check.error < 1e-7 and check.parameter == "W"
    loss, gradient = model.loss_and_gradient(X, THREE)
    assert gradient.shape == model.parameters_.shape
    step, h = np.zeros_like(gradient), 1e-6
    for i in (0, len(step) - 1):  # the first and the last weight
        step[:] = 0
        step[i] = h
        up, _ = model.loss_and_gradient(X, THREE, parameters=model.parameters_ + step)
        assert (up - loss) / h == pytest.approx(gradient[i], abs=1e-5)


def test_every_position_of_the_gradient_is_a_weight():
    model = fitted(hidden=3)
    n = X.shape[1]
    assert model.where(2 * n + 1) == ("hidden 1", "W", (2, 1))
    assert model.where(3 * n) == ("output", "W", (0, 0))
    for i in range(model.parameters_.size):
        assert model.index_of(*model.where(i)) == i
    with pytest.raises(IndexError, match=f"the parameters 0 to {3 * n + 8}"):
        model.where(3 * n + 9)
    with pytest.raises(ValueError, match="no biases; got 'b'"):
        model.index_of("output", "b", 0)


def test_gradients_of_rows_are_of_weights_alone():
    model = fitted(dtype="float64")
    rows = model.per_sample_gradients(X, THREE)
    _, gradient = model.loss_and_gradient(X, THREE)
    assert rows.shape == (len(X), model.parameters_.size)
    np.testing.assert_allclose(rows.mean(axis=0), gradient, atol=1e-14)


def test_the_summary_counts_weights_alone(capsys):
    print(fitted(hidden=6).summary())
    said = capsys.readouterr().out
    n = X.shape[1]
    assert f"{6 * n + 3 * 6} parameters" in said and f"{6 * n}\n" in said


def test_initial_weights_are_those_of_a_network_with_biases():
    rng = np.random.default_rng(0)
    given = [(rng.normal(size=(4, X.shape[1])), None), (rng.normal(size=(3, 4)), np.zeros(3))]
    model = fitted(hidden=4, init=given, optimizer=SGD(1e-9), epochs=1, dtype="float64")
    for W, (expected, _) in zip(model.weights_, given):
        np.testing.assert_allclose(W, expected, atol=1e-8)
    bare = fitted(optimizer=SGD(1e-30), epochs=1)
    full = MLP((6, 4), "tanh", optimizer=SGD(1e-30), epochs=1, random_state=3).fit(X, THREE)
    assert all(map(same_bits, bare.weights_, full.weights_))


@pytest.mark.parametrize(
    "b, error, message",
    [
        (np.ones(3), ValueError, "no biases; those of layer 1 must be None or 0, got 1.0"),
        (np.zeros(2), ValueError, "init must give each layer"),
        ("b", ValueError, "init must give each layer"),
    ],
)
def test_initial_biases_are_refused(b, error, message):
    init = [(np.ones((4, X.shape[1])), None), (np.ones((3, 4)), b)]
    with pytest.raises(error, match=message):
        fitted(hidden=4, init=init)
    with pytest.raises(TypeError, match="init must be .* a list of"):
        fitted(hidden=4, init=[3, 4])


def test_weights_may_be_set_and_biases_may_not():
    model = fitted()
    before = model.parameters_
    model.weights_ = [2 * W for W in model.weights_]
    assert same_bits(model.parameters_, 2 * before)
    model.biases_ = [np.zeros(n) for n in (6, 4, 3)]
    with pytest.raises(ValueError, match="this network has no biases; those of layer 0"):
        model.biases_ = [np.ones(n) for n in (6, 4, 3)]
    assert same_bits(model.parameters_, 2 * before)
    model.parameters_ = before
    assert same_bits(model.parameters_, before)


def test_training_goes_on_without_biases_and_not_with():
    model = MLP(6, bias=False, epochs=3, random_state=0, warm_start=True).fit(X, THREE)
    once = MLP(6, bias=False, epochs=6, random_state=0).fit(X, THREE)
    assert same_bits(pickle.loads(pickle.dumps(model)).fit(X, THREE).parameters_, once.parameters_)
    stream = pickle.loads(pickle.dumps(model)).partial_fit(X, THREE)
    assert stream.n_epochs_ == 4 and not any(b.any() for b in stream.biases_)
    model.set_params(bias=True)
    with pytest.raises(ValueError, match="training goes on with the bias of the fitted model"):
        model.fit(X, THREE)


@pytest.mark.parametrize("wrong", [0, 1, None, "no", 0.5])
def test_bias_is_true_or_false(wrong):
    with pytest.raises(TypeError, match="bias must be True or False"):
        MLP(bias=wrong)


def test_it_is_a_parameter_of_all_three_estimators_and_of_no_other():
    assert MLP().bias is True and repr(MLP(bias=False)) == "MLP(bias=False)"
    assert MLPRegressor(2, bias=False, epochs=1).fit(X, LINE).biases_[0].tolist() == [0, 0]
    for name in ("use_bias", "fit_intercept"):
        with pytest.raises(TypeError, match=f"{name}.*bias"):
            MLP(**{name: False})


def test_logits_and_profiles_know_networks_without_biases():
    model = fitted(epochs=2)
    z = model.decision_function(X)
    a1 = np.tanh(X @ model.weights_[0].T)
    expected = np.tanh(a1 @ model.weights_[1].T) @ model.weights_[2].T
    np.testing.assert_allclose(z, expected, rtol=1e-4, atol=1e-5)
    profile = model.profile(X, THREE, seconds=0.01)
    assert "bias=False" in str(profile)


# Specs of before


def test_specs_of_before_have_biases():
    spec = NetworkSpec((3, 4, 2), ("tanh", "softmax"), (None, None), bias=False)
    values = spec.to_dict()
    assert values["bias"] is False and NetworkSpec.from_dict(values) == spec
    older = {key: value for key, value in values.items() if key != "bias"} | {"version": 1}
    assert NetworkSpec.from_dict(older).bias is True
    with pytest.raises(ValueError, match="the key 'bias' is unknown"):
        NetworkSpec.from_dict(values | {"version": 1})
    with pytest.raises(TypeError, match="NetworkSpec: bias must be True or False, got 1"):
        NetworkSpec((3, 2), ("softmax",), (None,), bias=1)
