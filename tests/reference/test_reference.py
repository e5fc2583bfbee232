"""The reference implementation in plain Python: after 50 steps it stands where the native core
does, for every activation, loss, optimizer."""

import ast
import builtins
import math
from pathlib import Path

import numpy as np
import pytest
from cnn_core._dropout import drop
from cnn_core._optimizer import optimizer_names
from cnn_core.reference.penalties import shorten
from cnn_core.spec import TrainingSpec

from cnn_core import MLP, _activations, _losses, _random, functional, optimizers, reference

RNG = np.random.default_rng(11)
X = RNG.normal(size=(40, 5))
TWO, THREE = (X[:, 0] > 0).astype(int), np.digitize(X[:, 0], [-0.5, 0.5])
LINE = X @ [1.0, -2, 0, 0, 3] + 0.1 * RNG.normal(size=40)
MANY = np.column_stack((TWO, X[:, 1] > 0, X[:, 2] > 0)).astype(int)
ONE_HOT = np.eye(3)[THREE]
#: Targets for each loss, by the bounds in its row of the table.
BOUNDED = {
    (-np.inf, np.inf): LINE, (0, np.inf): np.round(np.exp(X[:, 0])), (0, 1): TWO, (-1, 1): TWO,
}  # fmt: skip
TARGETS = {name: BOUNDED[row.low, row.high] for name, row in _losses.table().items()} | {
    "categorical_crossentropy": ONE_HOT,
    "sparse_categorical_crossentropy": THREE,
}
#: Each optimizer with its defaults or, where these test less, with others.
RULES = {name: make() for name, make in optimizers.OPTIMIZERS.items()} | {
    "sgd": optimizers.SGD(momentum=0.9, nesterov=True),
    "rmsprop": optimizers.RMSprop(momentum=0.5),
    "amsgrad": optimizers.Adam(amsgrad=True, beta2=0.9),
    "adam_hat": optimizers.Adam(epsilon_hat=True, epsilon=1e-3),
    "adamw": optimizers.AdamW(weight_decay=0.1),
    "lbfgs": optimizers.LBFGS(tolerance=0),
}


def pair(y, steps=50, rows=X, fit=None, **options):
    """The same fit on the native core and on the reference implementation, in mini-batches of 8."""
    options = (
        dict(
            hidden=(6, 4),
            activation="tanh",
            batch_size=8,
            epochs=steps // 5,
            random_state=3,
            dtype="float64",
        )
        | options
    )
    return [
        MLP(**options, backend=backend).fit(rows, y, **fit or {})
        for backend in ("native", "python")
    ]


def agree(native, ref, X=X, limit=1e-12):
    w, v = native.parameters_, ref.parameters_
    assert np.abs(w - v).max() <= limit * np.abs(w).max()
    for name in ("loss", "metric", "val_loss", "val_metric", "learning_rate"):
        if name in native.history_:
            np.testing.assert_allclose(
                ref.history_[name], native.history_[name], rtol=limit, atol=limit
            )
    np.testing.assert_allclose(ref.forward(X), native.forward(X), rtol=10 * limit, atol=10 * limit)


def test_the_reference_implementation_knows_every_name_of_the_native_core():
    assert {*reference.ACTIVATIONS, "softmax"} == set(_activations.names())
    assert list(reference.LOSSES) == list(_losses.names())
    assert list(reference.OPTIMIZERS) == list(optimizer_names())


@pytest.mark.parametrize(
    "activation", [name for name in _activations.names() if name not in ("step", "sign")]
)
def test_fifty_steps_agree_for_every_activation(activation):
    agree(*pair(THREE, activation=activation))


@pytest.mark.parametrize(
    "output", [name for name in _activations.names() if name not in ("step", "sign")]
)
def test_fifty_steps_agree_for_every_output_activation(output):
    agree(*pair(MANY.astype(float), output=output, loss="mse", task="regression"))


@pytest.mark.parametrize("loss", _losses.names())
def test_fifty_steps_agree_for_every_loss(loss):
    hidden = () if loss == "perceptron" else (6, 4)
    agree(
        *pair(
            TARGETS[loss],
            loss=loss,
            hidden=hidden,
            output="sign" if loss == "perceptron" else "auto",
        )
    )


@pytest.mark.parametrize("rule", RULES)
def test_fifty_steps_agree_for_every_optimizer(rule):
    full = RULES[rule].full_batch
    # L-BFGS divides by differences of gradients, which magnifies their last bits from step to step.
    limit = 1e-9 if rule == "lbfgs" else 1e-12  # measured: 7e-13 and 5e-16
    agree(
        *pair(
            LINE, optimizer=RULES[rule], batch_size="full" if full else 8, epochs=50 if full else 10
        ),
        limit=limit,
    )


@pytest.mark.parametrize("options, y, fit", [
    (dict(dropout=0.4), THREE, {}),
    (dict(dropout=(0.1, 0.0, 0.5), activation="selu"), LINE, {}),
    (dict(l1=1e-3, l2=1e-2, max_norm=0.8, clip_norm=0.3), THREE, {}),
    (dict(label_smoothing=0.1, class_weight="balanced"), THREE, {}),
    (dict(), MANY, {}),
    (dict(loss="hinge"), MANY, {}),
    (dict(), LINE, dict(sample_weight=np.arange(40) % 3)),
    (dict(scale_inputs="standard", init="orthogonal"), THREE, {}),
    (dict(early_stopping=True, patience=2, min_delta=0.01, validation_fraction=0.3), THREE, {}),
    (dict(), LINE, dict(validation_data=(X[:9], LINE[:9]))),
    (dict(shuffle=False, batch_size=7), THREE, {}),
    (dict(batch_size=1, epochs=2), THREE, {}),
    (dict(hidden=(), output="step", optimizer="sgd"), TWO, {}),
])  # fmt: skip
def test_fifty_steps_agree_with_every_option(options, y, fit):
    agree(*pair(y, fit=fit, **options))


@pytest.mark.parametrize("name", _activations.names())
def test_activations_and_their_derivatives_agree(name):
    z = np.concatenate((np.linspace(-40, 40, 801), [-1000.0, 1000, 3, -3]))[:, None]
    if name == "softmax":
        z = np.hstack((z, z[::-1], 0 * z))
    param = _activations.parameters().get(name, ("", 0.0))[1]
    a = _activations.activation(name, z)
    mine = [reference.activate(name, param, row) for row in z.tolist()]
    # Far out, e^(-z^2 / 2) magnifies the rounding of its argument by z^2 / 2.
    np.testing.assert_allclose(
        mine, a, rtol=1e-12 if name.startswith("gelu") else 2e-15, atol=1e-300
    )
    g = np.linspace(1, 2, z.size).reshape(z.shape)
    delta = [
        reference.through_activation(name, param, *rows)
        for rows in zip(z.tolist(), mine, g.tolist())
    ]
    np.testing.assert_allclose(
        delta, _activations.activation_backward(name, z, g), rtol=1e-13, atol=1e-14
    )


@pytest.mark.parametrize("z", [-np.inf, -1.7e308, -1e155, 1e155, 1e300, np.inf, np.nan])
@pytest.mark.parametrize("name", sorted(set(_activations.names()) - {"softmax"}))
def test_activations_and_their_derivatives_have_the_same_limits(name, z):
    param = _activations.parameters().get(name, ("", 0.0))[1]
    a, delta = (part[0] for part in (
        _activations.activation(name, np.array([[z]])),
        _activations.activation_backward(name, np.array([[z]]), np.ones((1, 1))),
    ))  # fmt: skip
    mine = reference.activate(name, param, [z])
    np.testing.assert_allclose(mine, a, rtol=1e-15)
    np.testing.assert_allclose(reference.through_activation(name, param, [z], mine, [1.0]), delta)


def test_random_numbers_are_those_of_the_native_core():
    for seed, epoch, n in ((0, 0, 1), (7, 3, 50), (2**64 - 1, 2**32 - 1, 33)):
        assert reference.permutation(seed, epoch, n) == _random.permutation(seed, epoch, n).tolist()
    a = RNG.normal(size=(5, 37))
    for seed, step, layer, rate, alpha_dropout in (
        (0, 0, 0, 0.5, False),
        (2**64 - 1, 2**32 + 5, 3, 0.1, True),
    ):
        kept, slope = drop(a, rate, seed, step, layer, alpha_dropout=alpha_dropout)
        mine = [
            reference.drop(row, rate, alpha_dropout, seed, step, layer, r)
            for r, row in enumerate(a.tolist())
        ]
        np.testing.assert_allclose(kept, [row for row, _ in mine], rtol=1e-15, atol=1e-15)
        assert np.array_equal(slope, [row for _, row in mine])


def test_inspection_works_on_the_reference_implementation():
    native, ref = pair(THREE, l2=0.1)
    ref.parameters_ = native.parameters_
    (loss, gradient), (mine, my_gradient) = (
        native.loss_and_gradient(X, THREE),
        ref.loss_and_gradient(X, THREE),
    )
    assert mine == pytest.approx(loss, rel=1e-13)
    np.testing.assert_allclose(my_gradient, gradient, atol=1e-14)
    shown, traced = native.trace(X, THREE), ref.trace(X, THREE)
    assert traced.loss == pytest.approx(shown.loss, rel=1e-13)
    for layer in shown.layers:
        for quantity in ("z", "a", "delta", "dW", "db", "da"):
            np.testing.assert_allclose(
                getattr(traced[layer.name], quantity), getattr(layer, quantity), atol=1e-13
            )
    np.testing.assert_allclose(traced.dx, shown.dx, atol=1e-14)
    assert ref.check_gradient(X, THREE).error < 1e-7
    assert ref.evaluate(X, THREE)["loss"] == pytest.approx(
        native.evaluate(X, THREE)["loss"], rel=1e-12
    )


def test_the_reference_implementation_goes_on_where_it_stopped():
    once = MLP(4, epochs=4, random_state=0, backend="python", dtype="float64").fit(X, LINE)
    twice = (
        MLP(4, epochs=2, random_state=0, backend="python", dtype="float64", warm_start=True)
        .fit(X, LINE)
        .fit(X, LINE)
    )
    assert np.array_equal(once.parameters_, twice.parameters_)


def test_the_reference_implementation_leaves_its_weights_in_the_dtype_of_the_model():
    native, ref = pair(THREE, dtype="float32")
    assert ref.parameters_.dtype == ref.forward(X).dtype == np.float32
    assert np.abs(ref.parameters_ - native.parameters_).max() < 1e-5


def test_the_arithmetic_of_the_reference_implementation_is_plain_python():
    # NumPy hands rows over and takes results back, in a handful of functions; the equations never
    # touch it.
    chapters = sorted(Path(reference.__file__).parent.glob("*.py"))
    assert len(chapters) >= 9
    users = {
        node.name
        for chapter in chapters
        for node in ast.walk(ast.parse(chapter.read_text()))
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(part, ast.Name) and part.id == "np" for part in ast.walk(node))
    }
    assert users == {
        "set_flat", "flat_gradient", "publish", "_result", "predict", "position", "go_on_at",
    }  # fmt: skip


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_bits_do_not_depend_on_how_python_sums(optimizer, monkeypatch):
    """From version 3.12 on `sum` of floats compensates for rounding."""
    rng = np.random.default_rng(0)
    X, y, weights = rng.normal(size=(30, 4)), rng.normal(size=30), rng.uniform(0.1, 3, 30)
    options = {"optimizer": optimizer, "l1": 0.01, "l2": 0.1}
    if optimizer == "adam":
        options |= {"clip_norm": 0.5, "max_norm": 0.7, "batch_size": 7}

    def run():
        model = MLP(5, backend="python", epochs=3, random_state=0, dtype="float64", **options)
        model.fit(X, y, sample_weight=weights, validation_data=(X, y))
        return model.parameters_.tobytes(), model.history_["loss"], model.history_["val_metric"]

    here = run()
    builtin_sum = builtins.sum

    def compensated(values, start=0):
        values = list(values)
        floats = any(isinstance(value, float) for value in values)
        return math.fsum(values) + start if floats else builtin_sum(values, start)

    monkeypatch.setattr(builtins, "sum", compensated)
    assert run() == here


def test_a_norm_whose_square_overflows_is_that_of_smaller_vectors():
    for unit in (1.0, 2.0**900, 2.0**1000):
        shortened = shorten([3.0 * unit, 4.0 * unit], 10.0)
        assert shortened == ([3.0, 4.0] if unit == 1 else [6.0, 8.0])
    assert shorten([math.inf, 1.0], 1.0)[1] == 0.0


def test_rprop_compares_the_signs_of_gradients_whose_product_underflows():
    h, slots = RULES["rprop"].settings(), [0.0, 0.0]
    for t, (g, size) in enumerate([(1e-170, 0.01), (1e-170, 0.012), (-1e-170, 0.006), (0, 0.006)]):
        reference.rprop(t + 1, h, 0.0, g, slots)
        assert slots[1] == pytest.approx(size)
    assert np.isnan(reference.rprop(5, h, 0.0, np.nan, slots))


@pytest.mark.parametrize("option", [dict(penalty_per_row=True), dict(cost_scale=0.5)])
def test_conventions_of_scikit_learn_are_refused(option):
    spec, network = TrainingSpec("mse", **option), functional.Network((2, 1), ("identity",))
    with pytest.raises(ValueError, match=f"does not know {next(iter(option))}"):
        reference.Trainer(spec, network)
