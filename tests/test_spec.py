"""NetworkSpec and TrainingSpec: they travel as JSON and come back equal, or are refused."""

import json
import pickle

import numpy as np
import pytest
from cnn_core._frozen import replace
from cnn_core.spec import VERSION, NetworkSpec, TrainingSpec
from cnn_core.training import backends

from cnn_core import MLP

NETWORK = NetworkSpec((3, 4, 2), ("leaky_relu", "softmax"), (None, 0.0), "float64")
ADAM = dict(learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-8)
TRAINING = TrainingSpec(
    "huber",
    0.5,
    optimizer="adam",
    settings=ADAM,
    batch_size=16,
    seed=2**64 - 1,
    l1=0.1,
    l2=1e-3,
    dropout=(0.0, 0.5),
    clip_norm=1.0,
    max_norm=3.0,
    multilabel=True,
    penalty_per_row=True,
    average_by_rows=True,
    cost_scale=0.5,
)
PROMISED = replace(TRAINING, monotone=(1, 0, -1), convex=(0, -1, 0))
SHARDED = replace(TRAINING, shards=8)
LBFGS = TrainingSpec(
    "mse",
    optimizer="lbfgs",
    settings=dict(learning_rate=1, memory=10, tolerance=0, max_evaluations=25),
)


EMBEDDED = replace(NETWORK, widths=(3 + 8 + 1, 4, 2), embeddings=[[500, 8], (3, 1)])
PERIODIC = replace(
    NETWORK, widths=(3 + 2 * 3 + 1, 4, 2), embeddings=[(5, 1)], periodic=([0, 2], 4, 3)
)


@pytest.mark.parametrize(
    "spec", [NETWORK, EMBEDDED, PERIODIC, TRAINING, PROMISED, SHARDED, LBFGS, TrainingSpec("mse")]
)
def test_a_spec_comes_back_from_json_as_it_was(spec):
    values = json.loads(json.dumps(spec.to_dict()))
    back = type(spec).from_dict(values)
    assert back == spec and back.to_dict() == spec.to_dict() and hash(back) == hash(spec)


def test_the_oldest_version_that_can_say_it_is_written():
    pinball = replace(TRAINING, loss="pinball", loss_param=[0.1, 0.5])
    assert TrainingSpec.from_dict(json.loads(json.dumps(pinball.to_dict()))) == pinball
    specs = NETWORK, TRAINING, EMBEDDED, PERIODIC, PROMISED, pinball, SHARDED
    assert [spec.to_dict()["version"] for spec in specs] == [2, 2, 3, 5, 6, 6, 7]
    assert VERSION == 7
    assert "embeddings" not in NETWORK.to_dict()
    assert EMBEDDED.to_dict()["embeddings"] == [[500, 8], [3, 1]]
    given = NETWORK.to_dict() | {"version": 3}
    with pytest.raises(ValueError, match="the key 'embeddings' is missing"):
        NetworkSpec.from_dict(given)
    assert NetworkSpec.from_dict(given | {"embeddings": []}) == NETWORK
    assert (EMBEDDED.n_numbers, EMBEDDED.n_features) == (3, 5)
    assert PERIODIC.to_dict()["periodic"] == [[0, 2], 4, 3]
    assert (PERIODIC.n_numbers, PERIODIC.n_features) == (3, 4)


def test_periodic_embeddings_that_no_network_can_have_are_refused():
    for periodic, message in (
        (((0, 2), 4), r"must be \(features, frequencies, width\)"),
        (((2, 0), 4, 3), "must be ascending"),
        (((0, 0), 4, 3), "must be ascending"),
        (((), 4, 3), "must be ascending"),
        (((0, 3), 4, 3), "features must be a whole number of at least 0 and below 3, got 3"),
        (((0, 2), 0, 3), "frequencies must be a whole number of at least 1 and below 1025, got 0"),
        (((0, 2), 4, 17), "width must be a whole number of at least 1 and below 17, got 17"),
        (((0, 1, 2), 4, 3), "must be at least the 12 numbers of the features with periodic"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(PERIODIC, periodic=periodic)


def test_numbers_of_activations_have_the_defaults_of_the_literature():
    assert NETWORK.activation_params == (0.01, 0.0)
    assert replace(NETWORK, activation_params=(0.3, None)).activation_params == (0.3, 0.0)


def test_a_spec_does_not_change():
    settings = dict(ADAM)
    spec = replace(TRAINING, settings=settings)
    settings["beta1"] = 0.5
    spec.to_dict()["settings"]["beta1"] = 0.5
    assert spec.settings == ADAM
    with pytest.raises(AttributeError, match="do not change"):
        spec.seed = 3
    with pytest.raises(AttributeError, match="do not change"):
        del spec.seed
    assert spec.seed == TRAINING.seed


def test_settings_are_read_only_and_a_spec_can_be_hashed_and_pickled():
    with pytest.raises(TypeError, match="does not support item assignment"):
        TRAINING.settings["beta1"] = 0.5
    for spec in (NETWORK, TRAINING):
        again = pickle.loads(pickle.dumps(spec))
        assert again == spec and hash(again) == hash(spec) and again.to_dict() == spec.to_dict()


def test_equal_specs_have_one_hash_and_one_repr_in_whatever_order_their_fields_are_named():
    one = TrainingSpec("mse", seed=3, l1=0.5)
    other = TrainingSpec(l1=0.5, seed=3, loss="mse")
    assert one == other and hash(one) == hash(other) and repr(one) == repr(other)


def test_fields_that_are_missing_doubled_or_unknown_are_named():
    for values, named, message in (
        ((), {}, "NetworkSpec needs widths"),
        (((3, 2), ("relu",), (None,)), dict(widths=(3, 2)), "takes each of widths, .* once"),
        (
            ((3, 2), ("relu",), (None,), "float32", True, (), (), 1),
            {},
            "takes each of widths, .* once",
        ),
        (((3, 2), ("relu",), (None,)), dict(depth=2), "NetworkSpec has no field depth"),
    ):
        with pytest.raises(TypeError, match=message):
            NetworkSpec(*values, **named)


def test_numbers_of_numpy_are_taken_as_pythons():
    spec = replace(TRAINING, l1=np.float32(0.5), batch_size=np.int64(16), seed=np.uint64(7))
    assert (type(spec.l1), type(spec.batch_size), type(spec.seed)) == (float, int, int)
    json.dumps(spec.to_dict())


@pytest.mark.parametrize("spec", [NETWORK, TRAINING])
def test_unknown_and_missing_keys_and_other_versions_are_refused(spec):
    values, kind = spec.to_dict(), type(spec)
    name = kind.__name__
    for change, message in (
        ({"version": 8}, f"{name}: version must be from 1 to 7, got 8"),
        ({"version": True}, "version must be from 1 to 7, got True"),
        ({"version": "2"}, "version must be from 1 to 7, got '2'"),
        ({"depth": 3}, f"{name}: the key 'depth' is unknown; the keys are"),
    ):
        with pytest.raises(ValueError, match=message):
            kind.from_dict(values | change)
    for key in values:
        with pytest.raises(ValueError, match=f"{name}: the key '{key}' is missing"):
            kind.from_dict({k: v for k, v in values.items() if k != key})
    for wrong in (None, [], "spec"):
        with pytest.raises(TypeError, match="takes a dict, got"):
            kind.from_dict(wrong)


@pytest.mark.parametrize(
    "change, error, message",
    [
        (dict(widths=[3]), ValueError, "n layers has n . 1 widths.*got 1, 2 and 2"),
        (dict(widths=[3, 0, 2]), ValueError, r"widths\[1\] must be .* at least 1, got 0"),
        (dict(widths=[3, 4.0, 2]), TypeError, r"widths\[1\] must be a whole number"),
        (dict(widths="342"), TypeError, "widths must be a list or a tuple, got '342'"),
        (dict(widths=7), TypeError, "widths must be a list or a tuple, got 7"),
        (dict(activations=["tahn", "softmax"]), ValueError, "unknown .* did you mean 'tanh'"),
        (dict(activations=["tanh"]), ValueError, "got 3, 1 and 2"),
        (dict(activation_params=[-1, 0]), ValueError, r"activation_params\[0\] .* at least 0"),
        (dict(activation_params=["a", 0]), TypeError, r"activation_params\[0\] must be a number"),
        (dict(dtype="float16"), ValueError, "dtype must be 'float32' or 'float64', got 'float16'"),
        (dict(dtype=None), ValueError, "dtype must be"),
    ],
)
def test_a_network_that_cannot_be_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        NetworkSpec.from_dict(NETWORK.to_dict() | change)


@pytest.mark.parametrize(
    "embeddings, error, message",
    [
        ([3, 1], TypeError, "embeddings must be a list or a tuple, got 3"),
        ([(3, 1, 1)], ValueError, "embeddings must be pairs"),
        ([(0, 1)], ValueError, "categories of an embedding must .* got 0"),
        ([(1 << 24, 1)], ValueError, "categories .* below 16777216, got 16777216"),
        ([(3, 0.5)], TypeError, "width of an embedding must be a whole number"),
        ([(3, 2), (2, 2)], ValueError, r"widths\[0\] must be at least the 4 numbers of the emb"),
    ],
)
def test_embeddings_that_cannot_be_are_refused(embeddings, error, message):
    with pytest.raises(error, match=message):
        replace(NETWORK, embeddings=embeddings)


@pytest.mark.parametrize(
    "change, error, message",
    [
        (dict(loss="msee"), ValueError, "unknown loss 'msee'; did you mean 'mse'"),
        (dict(loss=3), TypeError, "loss must be a name, got 3"),
        (dict(loss_param="1"), TypeError, "loss_param must be a number, got '1'"),
        (dict(optimizer="adamm"), ValueError, "unknown optimizer 'adamm'"),
        (dict(optimizer=None), ValueError, "None has the settings"),
        (dict(settings={}), ValueError, "'adam' has the settings .*, got"),
        (dict(settings=ADAM | {"x": 1}), ValueError, "'adam' has the settings"),
        (dict(settings=ADAM | {"beta1": "0"}), TypeError, r"settings\['beta1'\] must be a number"),
        (dict(settings=[]), TypeError, "settings must be a dict"),
        (dict(batch_size=0), ValueError, "batch_size must be .* at least 1, got 0"),
        (dict(batch_size=True), TypeError, "batch_size must be a whole number"),
        (dict(seed=-1), ValueError, "seed must be .* at least 0 and below"),
        (dict(seed=2**64), ValueError, "seed must be"),
        (dict(l1=float("nan")), ValueError, "l1 must be a finite number of at least 0, got nan"),
        (dict(l2=-1), ValueError, "l2 must be"),
        (dict(clip_norm=None), TypeError, "clip_norm must be a number, got None"),
        (dict(max_norm=True), TypeError, "max_norm must be a number, got True"),
        (dict(dropout=[0, 1]), ValueError, r"dropout\[1\] must be .* below 1, got 1"),
        (dict(dropout=0.5), TypeError, "dropout must be a list or a tuple, got 0.5"),
        (dict(multilabel=1), TypeError, "multilabel must be True or False, got 1"),
        (dict(penalty_per_row=None), TypeError, "penalty_per_row must be True or False"),
        (dict(average_by_rows="no"), TypeError, "average_by_rows must be True or False"),
        (dict(cost_scale=float("inf")), ValueError, "cost_scale must be a finite number"),
    ],
)
def test_a_training_that_cannot_be_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        TrainingSpec.from_dict(TRAINING.to_dict() | change)


def test_specs_that_have_travelled_train_the_same_bits():
    X = np.random.default_rng(0).normal(size=(60, 5)).astype("float32")
    y = np.arange(60) % 3
    model = MLP(8, epochs=3, random_state=4, shuffle=False, dropout=0.2, l2=0.01).fit(X, y)
    fitted = model._fitted
    shape = NetworkSpec.from_dict(json.loads(json.dumps(fitted.network_spec.to_dict())))
    spec = TrainingSpec.from_dict(json.loads(json.dumps(fitted.training_spec.to_dict())))
    network = backends.make_network(shape)
    network.set_flat(MLP(8, epochs=1, random_state=4, learning_rate=1e-45).fit(X, y).parameters_)
    trainer = backends.native.trainer(spec, network)
    data = fitted.dataset(X, y)
    for _ in range(3):
        trainer.epoch(data.X, data.y, data.labels, False)
    assert np.array_equal(network.flat(), model.parameters_)
