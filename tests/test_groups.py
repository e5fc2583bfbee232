"""Learning rates and decays of groups of parameters."""

import numpy as np
import pytest
from cnn_core.schedules import Schedule
from cnn_core.spec import TrainingSpec

from cnn_core import (
    MLP,
    AdamW,
    Coslog,
    DivergenceWarning,
    FlatCosine,
    ReduceOnPlateau,
    fit_many,
)


def data(rows=96, features=7, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, features))
    return X, (X[:, :3] @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=rows))


def trained(X, y, **options):
    return MLP(
        **{
            "hidden": (9, 5),
            "activation": "tanh",
            "epochs": 3,
            "batch_size": 16,
            "random_state": 3,
            "scale_inputs": None,
            "scale_targets": None,
            **options,
        }
    ).fit(X, y)


OPTIMIZERS = ("sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "nadam", "rprop")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_half_the_rate_by_factors_is_half_the_rate(isa, dtype, optimizer):
    X, y = data()
    halves = {"weights": 0.5, "biases": 0.5}
    options = {"optimizer": optimizer, "dtype": dtype}
    options |= {"batch_size": "full"} if optimizer == "rprop" else {}
    by_factors = trained(X, y, learning_rate=0.02, rate_factors=halves, **options)
    by_rate = trained(X, y, learning_rate=0.01, **options)
    assert np.array_equal(by_factors.parameters_, by_rate.parameters_)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_both_backends_take_the_same_steps(optimizer):
    X, y = data(rows=40, features=3)
    factors = {"weights": 0.5, "b1": 2, "biases": 0.1, "W2": 3.0}
    options = {"hidden": (4, 3), "optimizer": optimizer, "rate_factors": factors, "epochs": 2}
    options |= {"batch_size": "full"} if optimizer == "rprop" else {}
    if optimizer == "adamw":
        options |= {"decay_factors": {"biases": 0, "W1": 5}, "optimizer": AdamW(weight_decay=0.3)}
    native, reference = (
        trained(X, y, dtype="float64", backend=backend, **options)
        for backend in ("native", "python")
    )
    assert np.allclose(native.parameters_, reference.parameters_, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("group", ["W1", "b1", "W2", "b2", "W3", "b3"])
def test_a_factor_of_0_leaves_a_group_as_it_is_and_trains_the_others(isa, dtype, group):
    X, y = data()
    model = trained(X, y, dtype=dtype, optimizer="adamw", rate_factors={group: 0})
    before = trained(X, y, dtype=dtype, optimizer="adamw", epochs=0)
    for l in range(3):
        for part, now, then in (
            ("W", model.weights_, before.weights_),
            ("b", model.biases_, before.biases_),
        ):
            assert np.array_equal(now[l], then[l]) == (f"{part}{l + 1}" == group)


FACTORS = {"weights": 0.125, "biases": 0.03125, "W1": 0.0625}


@pytest.mark.parametrize("hidden", [(9, 5), (600, 500)])
@pytest.mark.parametrize("batch_size", [8, 96, "full"])
def test_any_number_of_threads_gives_a_group_the_same_steps(hidden, batch_size):
    X, y = data()
    options = {"hidden": hidden, "batch_size": batch_size, "epochs": 2, "rate_factors": FACTORS}
    one, *others = (trained(X, y, n_threads=n, **options) for n in (1, 2, 3))
    for other in others:
        assert np.array_equal(other.parameters_, one.parameters_)


@pytest.mark.parametrize("hidden", [(9, 5), (600, 500)])
def test_a_step_of_gradient_descent_is_the_gradient_times_the_rate_of_its_group(hidden):
    X, y = data()
    options = {"hidden": hidden, "batch_size": "full", "optimizer": "sgd", "learning_rate": 0.25}
    options |= {"dtype": "float64"}
    begun, plain, given = (
        trained(X, y, epochs=epochs, rate_factors=factors, **options)
        for epochs, factors in ((0, None), (1, None), (1, FACTORS))
    )
    for l, rate in enumerate((0.0625, 0.125, 0.125)):
        W, b = begun.weights_[l], begun.biases_[l]
        assert np.allclose(given.weights_[l] - W, rate * (plain.weights_[l] - W), atol=1e-15)
        assert np.allclose(given.biases_[l] - b, 0.03125 * (plain.biases_[l] - b), atol=1e-15)


def test_decay_that_spares_biases_shrinks_weights_alone():
    X, y = data()
    options = {"optimizer": AdamW(0.01, weight_decay=0.5), "epochs": 1}
    spared = trained(X, y, decay_factors={"biases": 0}, **options)
    none = trained(X, y, decay_factors={"biases": 0, "weights": 0}, **options)
    adam = trained(X, y, optimizer="adam", learning_rate=0.01, epochs=1)
    assert np.array_equal(none.parameters_, adam.parameters_)
    decayed = trained(X, y, **options)
    for l in range(3):  # in the first steps the gradients hardly differ
        assert np.linalg.norm(spared.weights_[l]) < np.linalg.norm(none.weights_[l])
        assert np.allclose(spared.weights_[l], decayed.weights_[l], rtol=1e-2)
        assert np.allclose(spared.biases_[l], none.biases_[l], rtol=0.1, atol=1e-3)
        assert np.linalg.norm(decayed.biases_[l]) < np.linalg.norm(spared.biases_[l])


def test_embedded_columns_are_a_group(dtype):
    rng = np.random.default_rng(0)
    city, x = rng.choice(list("abcdefgh"), 80), rng.normal(size=80)
    table, y = {"city": city, "x": x}, x + (city == "a")
    options = {"columns": {"city": "embedding"}, "epochs": 2, "dtype": dtype, "random_state": 0}
    model = MLP((5,), rate_factors={"embeddings": 0}, **options).fit(table, y)
    before = MLP((5,), **options | {"epochs": 0}).fit(table, y)
    for now, then in zip(model.embeddings_.values(), before.embeddings_.values()):
        assert np.array_equal(now, then)
    assert not np.array_equal(model.weights_[0], before.weights_[0])


def test_factors_are_kept_by_files_streams_and_checkpoints(tmp_path):
    X, y = data()
    factors = {"rate_factors": {"biases": 0.1}, "decay_factors": {"biases": 0}}
    options = {"optimizer": "adamw", **factors}
    whole = trained(X, y, epochs=4, **options)
    half = trained(X, y, epochs=2, warm_start=True, **options)
    half.save(tmp_path / "model", optimizer=True)
    loaded = MLP.load(tmp_path / "model")
    assert factors == {name: getattr(loaded, name) for name in factors}
    loaded.fit(X, y)
    assert np.array_equal(loaded.parameters_, whole.parameters_)
    path = tmp_path / "checkpoint"
    kept = MLP(**whole.get_params()).fit(X, y, checkpoint=path, checkpoint_every=1e-9)
    assert np.array_equal(kept.parameters_, whole.parameters_)


@pytest.mark.parametrize(
    ("factors", "kind", "message"),
    [
        ({"bias": 0.1}, ValueError, "has no group 'bias'; there are 'weights', 'biases'"),
        ({"W0": 0.1}, ValueError, "has no group 'W0'"),
        ({3: 0.1}, ValueError, "has no group 3"),
        ({"W4": 0.1}, ValueError, "has 'W4', and this network has 3 layers"),
        ({"W1": -1}, ValueError, "of 'W1' must"),
        ({"W1": np.nan}, ValueError, "of 'W1' must"),
        ({"W1": "0.1"}, TypeError, "of 'W1' must"),
        ([0.1], TypeError, "must be a dict such as"),
        (0.1, TypeError, "must be a dict such as"),
    ],
)
@pytest.mark.parametrize("parameter", ["rate_factors", "decay_factors"])
def test_bad_factors_are_refused_before_training(parameter, factors, kind, message):
    with pytest.raises(kind, match=f"{parameter}.* ?{message}"):
        MLP((3, 3), optimizer="adamw", **{parameter: factors})


def test_factors_need_an_optimizer_that_has_them():
    with pytest.raises(ValueError, match="decay_factors are of AdamW's weight_decay, which Adam"):
        MLP(decay_factors={"biases": 0})
    with pytest.raises(ValueError, match="LBFGS minimises .* does not go with rate_factors"):
        MLP(optimizer="lbfgs", rate_factors={"biases": 0.1})


def test_factors_of_1_change_nothing():
    X, y = data()
    plain = MLP((4,), epochs=2, random_state=0).fit(X, y)
    ones = MLP((4,), epochs=2, random_state=0, rate_factors={"W1": 1, "biases": 1.0}).fit(X, y)
    assert np.array_equal(plain.parameters_, ones.parameters_)
    assert ones._fitted.training_spec == plain._fitted.training_spec


def test_specs_with_factors_travel_and_those_without_stay_as_old_versions_wrote_them():
    spec = TrainingSpec("mse", rate_factors=(1.0, 0.1, 1.0))
    assert TrainingSpec.from_dict(spec.to_dict()) == spec
    assert "rate_factors" not in TrainingSpec("mse").to_dict()
    with pytest.raises(ValueError, match=r"rate_factors\[1\] must be"):
        TrainingSpec("mse", rate_factors=(1.0, -0.1, 1.0))


# Schedules of decay and dropout


class Half(Schedule):
    def factor(self, epoch):
        return 0.5


@pytest.mark.parametrize("backend", ["native", "python"])
def test_a_schedule_of_half_the_dropout_is_half_the_dropout(backend):
    X, y = data(rows=40)
    options = {"hidden": (6, 4), "backend": backend, "epochs": 2, "activation": "selu"}
    for alpha in (True, False):
        options |= {"alpha_dropout": alpha}
        scheduled = trained(X, y, dropout=(0.25, 0.5, 0.5), dropout_schedule=Half(), **options)
        halved = trained(X, y, dropout=(0.125, 0.25, 0.25), **options)
        assert np.array_equal(scheduled.parameters_, halved.parameters_)


@pytest.mark.parametrize("backend", ["native", "python"])
def test_a_schedule_of_half_the_decay_is_half_the_decay(backend):
    X, y = data(rows=40)
    options = {"hidden": (6, 4), "backend": backend, "epochs": 2}
    scheduled = trained(
        X, y, optimizer=AdamW(weight_decay=0.5), decay_schedule=Half(), **options
    )  # fmt: skip
    halved = trained(X, y, optimizer=AdamW(weight_decay=0.25), **options)
    assert np.array_equal(scheduled.parameters_, halved.parameters_)


def test_both_backends_follow_schedules_step_by_step(isa):
    X, y = data(rows=50, features=3)
    native, reference = (
        trained(
            X,
            y,
            hidden=(5, 4),
            activation="selu",
            dtype="float64",
            backend=backend,
            optimizer=AdamW(0.01, weight_decay=0.3),
            learning_rate=Coslog(),
            dropout=0.4,
            decay_schedule=FlatCosine(),
            dropout_schedule=FlatCosine(0.2),
            decay_factors={"biases": 0},
            alpha_dropout=False,
            epochs=4,
        )
        for backend in ("native", "python")
    )
    assert np.allclose(native.parameters_, reference.parameters_, rtol=1e-9, atol=1e-12)


def test_schedules_go_on_from_checkpoints_and_files_to_the_same_bits(tmp_path):
    X, y = data()
    options = {
        "optimizer": "adamw",
        "dropout": 0.3,
        "decay_schedule": FlatCosine(0.25),
        "dropout_schedule": FlatCosine(),
        "epochs": 6,
        "activation": "selu",
        "alpha_dropout": False,
    }
    whole = trained(X, y, **options)
    path = tmp_path / "run"

    def interrupt(model, epoch, logs):
        if epoch == 3:
            raise KeyboardInterrupt

    def stop(model, epoch, logs):
        return epoch == 3

    with pytest.raises(KeyboardInterrupt):
        MLP(**whole.get_params() | {"callbacks": interrupt}).fit(X, y, checkpoint=path)
    assert np.array_equal(MLP.resume(path, X, y).parameters_, whole.parameters_)
    # An end by a callback is an end: warm starts go on within the plan of six epochs.
    half = trained(X, y, **options | {"callbacks": stop, "warm_start": True})
    half.set_params(callbacks=(), epochs=3)
    half.save(tmp_path / "model", optimizer=True)
    loaded = MLP.load(tmp_path / "model")
    assert loaded.dropout_schedule == FlatCosine() and loaded.alpha_dropout is False
    assert np.array_equal(loaded.fit(X, y).parameters_, whole.parameters_)


def test_plain_dropout_of_selu_differs_from_alpha_dropout_and_not_where_there_is_none():
    X, y = data()
    options = {"activation": "selu", "epochs": 1}
    plain, alpha = (trained(X, y, dropout=0.3, alpha_dropout=a, **options) for a in (False, True))
    assert not np.array_equal(plain.parameters_, alpha.parameters_)
    options |= {"activation": "relu", "dropout": 0.3}
    with pytest.warns(UserWarning, match="alpha_dropout=False has no effect: it is of dropout aft"):
        plain = trained(X, y, alpha_dropout=False, **options)
    assert np.array_equal(plain.parameters_, trained(X, y, **options).parameters_)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate_factors": {"embeddings": 2}}, "rate_factors of 'embeddings' has no effect: no col"),
        ({"rate_factors": {"periodic": 0.1}}, "rate_factors of 'periodic' has no effect: no numb"),
        ({"rate_factors": {"b1": 0.1}, "bias": False}, "of 'b1' has no effect: the network has no"),
        (
            {"optimizer": AdamW(weight_decay=0), "decay_schedule": FlatCosine()},
            "decay_schedule has no effect, as the optimizer's weight_decay is 0",
        ),
    ],
)
def test_what_is_asked_for_and_can_do_nothing_is_said_once(options, message):
    X, y = data()
    options = {"epochs": 1} | options
    models = [MLP(3, random_state=k, **options) for k in range(2)]
    models.append(MLP(3, epochs=1, random_state=0))
    with pytest.warns(UserWarning, match=message) as caught:
        fit_many(models, X, y)
    assert len(caught) == 1 and str(caught[0].message).startswith("models[0] and models[1]: ")


def test_a_divergence_names_the_factor_that_has_caused_it():
    X, y = data()
    model = MLP(4, rate_factors={"weights": 1e30}, epochs=3, random_state=0)
    with pytest.warns(DivergenceWarning, match=r"rate_factors of 'weights', 1e\+30, makes"):
        model.fit(X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decay_schedule": FlatCosine()}, "decay_schedule is of AdamW's weight_decay, which Adam"),
        ({"dropout_schedule": FlatCosine()}, "dropout_schedule .* dropout is 0"),
        ({"dropout": 0.1, "dropout_schedule": FlatCosine(initial=1.0)}, "leave initial out"),
        ({"dropout": 0.1, "dropout_schedule": ReduceOnPlateau()}, "must not look at losses"),
    ],
)
def test_schedules_of_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MLP(**options)
    with pytest.raises(TypeError, match="dropout_schedule must be a schedule"):
        MLP(dropout=0.1, dropout_schedule=0.5)


def test_factors_above_1_are_refused_in_training():
    class Double(Schedule):
        def factor(self, epoch):
            return 2.0

    X, y = data()
    with pytest.raises(ValueError, match="Double must give a finite rate of 0 to 1"):
        trained(X, y, dropout=0.3, dropout_schedule=Double())


def test_the_message_about_restore_best_names_all_that_it_may_be():
    with pytest.raises(ValueError, match="must be True, False or 'latest', got 'last'"):
        MLP(restore_best="last")


def test_factors_that_leave_nothing_to_train_are_told():
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    for factors, bias in (({"weights": 0, "biases": 0}, True), ({"W1": 0, "W2": 0}, False)):
        with pytest.warns(UserWarning, match="rate_factors are 0 for all parameters, so training"):
            MLP(4, epochs=1, rate_factors=factors, bias=bias, random_state=0).fit(X, y)
    MLP(4, epochs=1, rate_factors={"weights": 0}, random_state=0).fit(X, y)
