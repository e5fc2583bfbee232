"""MLP: what users type, what they get, and what they are told when it cannot work."""

import copy
import pickle
import signal
import threading
import warnings

import numpy as np
import pytest
from cnn_core._random import uniform
from cnn_core.datasets import load_digits

from cnn_core import (
    ELU,
    MLP,
    SGD,
    Adam,
    DivergenceWarning,
    Huber,
    LeakyReLU,
    NotFittedError,
    _memory,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 5)).astype("float32")
TWO = np.where(X[:, 0] + X[:, 1] > 0, 1, 0)
THREE = np.digitize(X[:, 0] + 0.5 * X[:, 1], [-0.5, 0.5])
LINE = (2 * X[:, 0] - X[:, 1] + 1).astype("float64")


def quick(**options):
    return MLP(
        **{"hidden": (16,), "epochs": 30, "random_state": 0, "learning_rate": 0.01} | options
    )


def with_entry(array, index, value):
    array = np.array(array)
    array[index] = value
    return array


# Tasks


@pytest.mark.parametrize(
    "labels",
    [
        np.array([3, 7]),
        np.array([-1, 1], dtype="int8"),
        np.array([False, True]),
        np.array(["no", "yes"]),
        np.array(["no", "yes"], dtype=object),
        np.array([0, 2**40]),
    ],
)
def test_two_classes_of_any_kind_have_one_sigmoid_output(labels):
    model = quick().fit(X, labels[TWO])
    assert model.score(X, labels[TWO]) > 0.95
    assert model.weights_[-1].shape == (1, 16)
    assert np.array_equal(model.classes_, labels) and model.predict(X).dtype == model.classes_.dtype
    proba = model.predict_proba(X)
    assert proba.shape == (200, 2) and np.allclose(proba.sum(axis=1), 1)
    assert np.array_equal(labels[proba.argmax(axis=1)], model.predict(X))


@pytest.mark.parametrize(
    "labels", [np.array(["a", "bb", "ccc"]), np.array([10, 5, 7]), np.array([0.5, 1.5, 2.5])]
)
def test_more_classes_have_a_softmax_output(labels):
    model = quick(task="classification").fit(X, labels[THREE])
    assert model.score(X, labels[THREE]) > 0.9
    assert model.weights_[-1].shape == (3, 16)
    assert np.array_equal(model.classes_, np.sort(labels))
    proba = model.predict_proba(X)
    assert proba.shape == (200, 3) and np.allclose(proba.sum(axis=1), 1)
    assert np.array_equal(model.classes_[proba.argmax(axis=1)], model.predict(X))


@pytest.mark.parametrize(
    "loss, output, n_outputs",
    [
        ("sparse_categorical_crossentropy", "softmax", 2),
        ("categorical_crossentropy", "softmax", 2),
        ("binary_crossentropy", "sigmoid", 1),
        ("mse", "sigmoid", 1),
        ("mse", "softmax", 2),
        ("mse", "identity", 1),
    ],
)
def test_two_classes_with_every_loss(loss, output, n_outputs):
    model = quick(loss=loss, output=output).fit(X, TWO)
    assert model.score(X, TWO) > 0.95
    assert model.forward(X).shape == (200, n_outputs)


def test_one_hot_rows_train_the_same_model_as_class_indices():
    sparse = quick().fit(X, THREE)
    one_hot = quick(loss="categorical_crossentropy").fit(X, np.eye(3)[THREE])
    assert np.array_equal(sparse.parameters_, one_hot.parameters_)
    assert one_hot.score(X, np.eye(3)[THREE]) == sparse.score(X, THREE)


def test_regression_predicts_in_the_shape_of_y():
    line = quick(epochs=100).fit(X, LINE)
    assert line.predict(X).shape == (200,) and line.score(X, LINE) > 0.98
    column = quick(epochs=100).fit(X, LINE[:, None])
    assert column.predict(X).shape == (200, 1)
    both = quick(epochs=100).fit(X, np.column_stack((LINE, -LINE)))
    assert (
        both.predict(X).shape == (200, 2) and both.score(X, np.column_stack((LINE, -LINE))) > 0.98
    )


def test_integers_can_be_asked_to_be_a_regression():
    model = quick(task="regression", epochs=100).fit(X, THREE)
    assert model.predict(X).dtype == np.float32 and model.score(X, THREE) > 0.8


def test_no_hidden_layer_is_linear_regression():
    model = MLP(hidden=(), epochs=200, learning_rate=0.05, random_state=0, dtype="float64").fit(
        X, LINE
    )
    np.testing.assert_allclose(model.weights_[0], [[2, -1, 0, 0, 0]], atol=1e-3)
    np.testing.assert_allclose(model.biases_[0], [1], atol=1e-3)


def test_score_is_r_squared_averaged_over_outputs():
    targets = np.column_stack((LINE, X[:, 2] ** 2))
    model = quick().fit(X, targets)
    predicted = model.predict(X)
    r2 = [
        1 - ((t - p) ** 2).sum() / ((t - t.mean()) ** 2).sum()
        for t, p in zip(targets.T, predicted.T)
    ]
    assert model.score(X, targets) == pytest.approx(np.mean(r2), rel=1e-6)


def test_a_column_of_labels_and_lists_are_taken():
    a = quick().fit(X, THREE)
    b = quick().fit(X.tolist(), THREE[:, None].tolist())
    assert np.array_equal(a.parameters_, b.parameters_)
    assert a.predict(X.tolist()).tolist() == b.predict(X).tolist()


def test_whole_numbers_in_an_array_of_objects_are_classes_and_fractions_a_regression():
    assert quick(epochs=1).fit(X, THREE.astype(object)).classes_.tolist() == [0, 1, 2]
    assert quick(epochs=1).fit(X, LINE.astype(object)).predict(X).dtype == np.float32


def test_nearly_as_many_classes_as_rows_are_worth_a_warning():
    with pytest.warns(UserWarning, match="200 classes in 200 rows.*task='regression'"):
        quick(epochs=1).fit(X, np.arange(200))


def test_several_labels_a_row_have_a_sigmoid_each():
    labels = np.column_stack((X[:, 0] > 0, X[:, 1] > 0, X[:, 0] + X[:, 1] > 0)).astype(int)
    for y in (labels, labels.astype(bool)):
        model = quick(epochs=100).fit(X, y, validation_data=(X[:50], y[:50]))
        assert model.predict(X).shape == (200, 3) and set(np.unique(model.predict(X))) == {0, 1}
        assert model.score(X, y) == np.mean((model.predict(X) == labels).all(axis=1)) > 0.8
        assert model.history_["val_metric"][-1] == model.score(X[:50], y[:50])
        assert np.array_equal(model.predict_proba(X) > 0.5, model.predict(X))
        assert model.weights_[-1].shape == (3, 16)
    assert quick(epochs=60, loss="hinge").fit(X, labels).score(X, labels) > 0.8


@pytest.mark.parametrize("output", ["step", "sign"])
def test_a_single_layer_with_a_step_is_rosenblatts_perceptron(output):
    easy = X[np.abs(X[:, 0] + X[:, 1]) > 0.3]
    y = (easy[:, 0] + easy[:, 1] > 0).astype(int)
    init = [(np.zeros((1, 5)), np.zeros(1))]
    model = MLP(
        hidden=(),
        output=output,
        optimizer=SGD(1.0),
        batch_size=1,
        epochs=20,
        shuffle=False,
        init=init,
        dtype="float64",
    ).fit(easy, np.array(["no", "yes"])[y])
    w, b = np.zeros(5), 0.0
    for _ in range(20):
        for x, target in zip(easy.astype("float64"), y):
            error = (w @ x + b > 0) - target
            w, b = w - error * x, b - error
    np.testing.assert_allclose(model.weights_[0][0], w, rtol=1e-12)
    assert model.biases_[0][0] == b
    assert model.score(easy, np.array(["no", "yes"])[y]) == 1
    assert set(np.unique(model.forward(easy))) == ({0, 1} if output == "step" else {-1, 1})


def test_every_class_loss_learns_two_and_three_classes():
    for loss in ("hinge", "mse", "mae", "huber", "categorical_crossentropy"):
        for labels in (TWO, THREE):
            model = quick(loss=loss, epochs=60).fit(X, labels, validation_data=(X, labels))
            assert model.score(X, labels) > 0.9, loss
            assert model.history_["val_metric"][-1] == model.score(X, labels)


def test_counts_are_predicted_by_their_mean():
    counts = np.random.default_rng(1).poisson(np.exp(0.5 + X[:, 0]))
    model = MLP(
        hidden=(), task="regression", loss="poisson", epochs=200, learning_rate=0.02, random_state=0
    )
    model.fit(X, counts)
    assert (model.predict(X) > 0).all()
    assert model.weights_[0][0, 0] == pytest.approx(1, abs=0.15) and model.biases_[0][
        0
    ] == pytest.approx(0.5, abs=0.15)
    assert model.predict(X).mean() == pytest.approx(
        counts.mean(), rel=0.03
    )  # the score equation of the bias


@pytest.mark.parametrize(
    "optimizer", ["sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "nadam", "rprop"]
)
def test_every_optimizer_learns_by_its_name(optimizer):
    rate = {"sgd": 0.1, "adagrad": 0.1, "adadelta": 1.0, "rprop": 0.01}.get(optimizer, 0.01)
    assert (
        MLP(16, optimizer=optimizer, learning_rate=rate, epochs=60, random_state=0)
        .fit(X, TWO)
        .score(X, TWO)
        > 0.95
    )


def test_activations_with_a_number_use_it():
    plain, same, other = (
        quick(activation=a, epochs=2).fit(X, TWO).parameters_
        for a in ("leaky_relu", LeakyReLU(), LeakyReLU(0.3))
    )
    assert np.array_equal(plain, same) and not np.array_equal(plain, other)
    model = quick(hidden=(8, 8), activation=(ELU(2.0), "gelu"), epochs=2).fit(X, TWO)
    assert pickle.loads(pickle.dumps(model)).forward(X).tobytes() == model.forward(X).tobytes()
    for wrong, error in ((-0.1, ValueError), ("steep", TypeError)):
        with pytest.raises(error, match="LeakyReLU: negative_slope"):
            LeakyReLU(wrong)
    with pytest.raises(ValueError, match="Huber: delta"):
        Huber(0)


# Weights of rows and classes


def test_sample_weights_act_like_repeated_rows():
    counts = np.arange(200) % 3
    options = dict(batch_size="full", optimizer="sgd", learning_rate=0.1, epochs=5, dtype="float64")
    weighted = quick(**options).fit(X, THREE, sample_weight=counts)
    repeated = quick(**options).fit(np.repeat(X, counts, axis=0), np.repeat(THREE, counts))
    np.testing.assert_allclose(weighted.parameters_, repeated.parameters_, atol=1e-12)
    np.testing.assert_allclose(weighted.history_["loss"], repeated.history_["loss"], rtol=1e-12)


def test_class_weights_are_sample_weights_by_class():
    labels = np.array(["a", "b", "c"])[THREE]
    by_class = quick(class_weight={"a": 2, "c": 0.5}, epochs=3).fit(X, labels).parameters_
    by_row = quick(epochs=3).fit(X, labels, sample_weight=np.array([2, 1, 0.5])[THREE]).parameters_
    assert np.array_equal(by_class, by_row)
    balanced = quick(class_weight="balanced", epochs=3).fit(X, labels).parameters_
    share = 200 / (3 * np.bincount(THREE))
    assert np.array_equal(
        balanced, quick(epochs=3).fit(X, labels, sample_weight=share[THREE]).parameters_
    )


@pytest.mark.parametrize("weights, message", [
    (np.ones(5), "sample_weight has 5"), (-np.ones(200), "at least 0"), (np.zeros(200), "at least one must be above 0"),
    (with_entry(np.ones(200), 3, np.nan), "sample_weight has nan at row 3"), (np.ones((200, 2)), "sample_weight"),
])  # fmt: skip
def test_bad_sample_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(X, TWO, sample_weight=weights)


def test_label_smoothing_is_training_on_softer_targets():
    smooth = quick(label_smoothing=0.3, epochs=3).fit(X, THREE)
    soft = quick(loss="categorical_crossentropy", epochs=3).fit(X, 0.7 * np.eye(3)[THREE] + 0.1)
    np.testing.assert_allclose(smooth.parameters_, soft.parameters_, atol=1e-6)
    two = quick(label_smoothing=0.2, epochs=300).fit(X, TWO).predict_proba(X)[:, 1]
    assert 0.85 < np.median(two[TWO == 1]) < 0.95 and 0.05 < np.median(two[TWO == 0]) < 0.15


def test_penalties_and_limits_reach_the_training():
    plain = quick(epochs=30).fit(X, TWO)
    size = lambda model: sum((W**2).sum() for W in model.weights_)
    assert size(quick(epochs=30, l2=0.1).fit(X, TWO)) < 0.7 * size(plain)
    sparse = quick(epochs=60, l1=0.05).fit(X, TWO)
    assert sum((np.abs(W) < 1e-3).sum() for W in sparse.weights_) > 20
    held = quick(epochs=30, max_norm=0.5).fit(X, TWO)
    assert max(np.linalg.norm(W, axis=1).max() for W in held.weights_) <= 0.5 * (1 + 1e-6)
    one = quick(epochs=1, batch_size="full", optimizer=SGD(), clip_norm=1e-3)
    start = quick(epochs=1, batch_size="full", optimizer=SGD(), learning_rate=1e-30)
    moved = one.fit(X, TWO).parameters_ - start.fit(X, TWO).parameters_
    assert np.linalg.norm(moved) == pytest.approx(
        1e-5, rel=1e-2
    )  # quick's learning rate of 0.01 times 1e-3


# Early stopping


def noisy():
    labels = np.where(np.random.default_rng(5).random(200) < 0.25, 1 - TWO, TWO)
    return MLP(
        64, early_stopping=True, patience=5, epochs=500, learning_rate=0.02, random_state=0
    ), labels


def test_early_stopping_sets_rows_apart_and_ends_with_the_best_weights():
    model, labels = noisy()
    model.fit(X, labels)
    losses = model.history_["val_loss"]
    assert model.n_epochs_ == len(losses) < 500
    assert model.best_epoch_ == np.argmin(losses) + 1 == model.n_epochs_ - 5
    last = noisy()[0].set_params(restore_best=False).fit(X, labels)
    assert last.history_["loss"] == model.history_["loss"]
    assert not np.array_equal(last.parameters_, model.parameters_)
    stopped = noisy()[0].set_params(epochs=model.best_epoch_).fit(X, labels)
    assert np.array_equal(stopped.parameters_, model.parameters_)


def test_early_stopping_looks_at_validation_data_where_given():
    model, labels = noisy()
    model.fit(X[:150], labels[:150], validation_data=(X[150:], labels[150:]))
    assert model.best_epoch_ == model.n_epochs_ - 5
    assert model.history_["val_loss"][model.best_epoch_ - 1] == min(model.history_["val_loss"])
    assert model.score(X[150:], labels[150:]) == model.history_["val_metric"][model.best_epoch_ - 1]


def spy_on_training(monkeypatch):
    """A list that takes the (data, judged) of every fit from now on."""
    from cnn_core import mlp

    seen, train = [], mlp.train
    monkeypatch.setattr(mlp, "train", lambda *a: seen.append(a[3:5]) or train(*a))
    return seen


def test_rows_set_apart_are_the_same_share_of_each_class(monkeypatch):
    seen = spy_on_training(monkeypatch)
    labels = np.repeat(["a", "b", "c"], [100, 60, 40])
    MLP(4, early_stopping=True, validation_fraction=0.2, epochs=1, random_state=1).fit(X, labels)
    ((train, apart),) = seen
    assert np.bincount(apart.labels.array[:, 0]).tolist() == [20, 12, 8]
    assert np.bincount(train.labels.array[:, 0]).tolist() == [80, 48, 32]
    rows = {row.tobytes() for part in (train, apart) for row in part.X.rows()}
    assert rows == {row.tobytes() for row in X} and train.X.array is apart.X.array  # not copied


def test_min_delta_is_what_an_improvement_must_exceed():
    model, labels = noisy()
    assert (
        model.set_params(min_delta=10.0).fit(X, labels).n_epochs_ == 6
    )  # the first is one, five are not
    assert model.best_epoch_ >= 1


def test_too_few_rows_to_set_apart_are_a_clear_error():
    with pytest.raises(
        ValueError, match="validation_fraction 0.1 of 4 rows leaves none to validate on"
    ):
        MLP(4, early_stopping=True).fit(X[:4], LINE[:4])
    with pytest.raises(ValueError, match="sample_weight has 5"):
        MLP(4, early_stopping=True).fit(X, LINE, sample_weight=np.ones(5))


# The same bits


def test_the_same_seed_gives_the_same_bits_on_every_path(isa, dtype):
    reference = quick(dtype=dtype, epochs=3).fit(X, THREE)
    from cnn_core._cpu import use_instruction_set

    use_instruction_set("generic")  # the isa fixture restores
    oracle = quick(dtype=dtype, epochs=3).fit(X, THREE)
    assert reference.parameters_.tobytes() == oracle.parameters_.tobytes()
    assert reference.history_["loss"] == oracle.history_["loss"]


def test_seeds_matter():
    fits = [
        quick(random_state=seed, epochs=1).fit(X, TWO).parameters_ for seed in (0, 1, None, None)
    ]
    assert len({fit.tobytes() for fit in fits}) == 4


def test_a_numpy_generator_or_random_state_can_be_the_seed():
    for make in (np.random.default_rng, np.random.RandomState):
        a, b = (quick(random_state=make(3), epochs=2).fit(X, TWO).parameters_ for _ in range(2))
        assert np.array_equal(a, b)


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: np.asfortranarray(x),
        lambda x: x.astype("float64"),
        lambda x: x.astype(">f4"),
        lambda x: x[::-1][::-1],
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x.astype(object),
    ],
)
def test_layout_and_type_of_x_do_not_matter(convert):
    a = quick(epochs=2).fit(X, TWO)
    b = quick(epochs=2).fit(convert(X), TWO)
    assert np.array_equal(a.parameters_, b.parameters_)
    assert np.array_equal(a.forward(convert(X)), a.forward(X))


def test_x_of_the_right_type_is_neither_copied_nor_written(monkeypatch):
    seen = spy_on_training(monkeypatch)
    frozen = X.copy()
    frozen.flags.writeable = False
    quick(epochs=1).fit(frozen, TWO)
    assert seen[0][0].X.array is frozen
    assert np.array_equal(frozen, X)


# History and validation


def test_history_has_an_entry_an_epoch():
    model = quick(epochs=7).fit(X, THREE, validation_data=(X[:50], THREE[:50]))
    assert set(model.history_) == {
        "loss",
        "metric",
        "val_loss",
        "val_metric",
        "learning_rate",
        "seconds",
    }
    assert {len(values) for values in model.history_.values()} == {7} and model.n_epochs_ == 7
    assert model.history_["learning_rate"] == [0.01] * 7
    assert model.history_["val_metric"][-1] == model.score(X[:50], THREE[:50])
    assert "val_loss" not in quick(epochs=1).fit(X, THREE).history_


def test_validation_metric_of_a_regression_is_r_squared():
    model = quick(epochs=5).fit(X, LINE, validation_data=(X[:50], LINE[:50]))
    assert model.history_["val_metric"][-1] == pytest.approx(
        model.score(X[:50], LINE[:50]), rel=1e-6
    )
    still = quick(epochs=1, learning_rate=1e-30).fit(X, LINE)
    assert still.history_["metric"] == pytest.approx([still.score(X, LINE)], rel=1e-6)


@pytest.mark.parametrize("backend", ["native", "python"])
@pytest.mark.parametrize("loss", ["poisson", "binary_crossentropy"])
@pytest.mark.parametrize("n_outputs", [1, 20])  # transposed or not
def test_r_squared_of_an_epoch_is_that_of_the_outputs(loss, n_outputs, backend):
    # These losses work on z of the last layer; R^2 compares a with y.
    y = np.exp(X[:, :3].sum(axis=1, keepdims=True) * np.linspace(0.1, 0.2, n_outputs)) / 5
    still = quick(
        loss=loss,
        task="regression",
        learning_rate=1e-30,
        epochs=1,
        batch_size=70,
        backend=backend,
    ).fit(X, y if n_outputs > 1 else y[:, 0])
    expected = still.score(X, y if n_outputs > 1 else y[:, 0])
    assert still.history_["metric"] == pytest.approx([expected], rel=1e-4)


def test_the_validation_metric_counts_as_predictions_do():
    # sigmoid(1e-9) rounds to 1/2, and that is a "no".
    model = MLP((), init=[([[1e-9]], [0.0])], learning_rate=1e-30, epochs=1)
    model.fit([[1.0], [1.0]], [1, 0], validation_data=([[1.0], [1.0]], [1, 1]))
    assert model.history_["val_metric"] == [model.score([[1.0], [1.0]], [1, 1])] == [0]


def test_validation_data_never_change_a_weight():
    alone = quick(epochs=5).fit(X, THREE)
    watched = quick(epochs=5).fit(X, THREE, validation_data=(X[:50] * 3, THREE[:50]))
    assert np.array_equal(alone.parameters_, watched.parameters_)


def test_verbose_prints_a_line_an_epoch(capsys):
    quick(epochs=3, verbose=1).fit(X, THREE, validation_data=(X, THREE))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for word in ("epoch 1/3", "loss", "accuracy", "val_loss", "val_accuracy", "ms"):
        assert word in lines[0]
    quick(epochs=1, verbose=1).fit(X, LINE)
    assert "R2" in capsys.readouterr().out
    quick(epochs=1).fit(X, LINE)
    assert capsys.readouterr().out == ""


# Life of an estimator


def test_before_fit_everything_fitted_is_a_clear_error():
    model = MLP()
    for use in (
        lambda: model.predict(X),
        lambda: model.score(X, TWO),
        lambda: model.weights_,
        lambda: model.history_,
    ):
        with pytest.raises(NotFittedError, match="call fit first"):
            use()
    assert not hasattr(model, "classes_")


def test_pickles_and_deep_copies_predict_the_same_bits():
    model = quick(optimizer=SGD(0.1, momentum=0.9)).fit(X, np.array(["a", "b", "c"])[THREE])
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert other.forward(X).tobytes() == model.forward(X).tobytes()
        assert other.predict(X).tolist() == model.predict(X).tolist()
        assert other.history_ == model.history_ and repr(other) == repr(model)
    pickle.loads(pickle.dumps(MLP())).fit(X, TWO)


def test_changing_what_an_attribute_returned_does_not_change_the_model():
    model = quick(epochs=1).fit(X, TWO)
    before = model.forward(X)
    predicted = model.predict(X)
    for array in (*model.weights_, *model.biases_, model.parameters_, model.classes_):
        array[...] = 0
    model.history_["loss"].clear()
    assert np.array_equal(model.forward(X), before) and np.array_equal(model.predict(X), predicted)
    assert model.n_epochs_ == 1


def test_get_params_and_set_params_are_inverse():
    model = MLP(hidden=(3,), optimizer=Adam(beta1=0.5))
    assert MLP(**model.get_params()).get_params() == model.get_params()
    assert model.set_params(epochs=3, verbose=1) is model and model.epochs == 3
    with pytest.raises(ValueError, match="unknown parameter 'epoch'; did you mean 'epochs'"):
        model.set_params(verbose=0, epoch=4)
    with pytest.raises(ValueError, match="batch_size"):
        model.set_params(epochs=9, batch_size=0)
    assert (model.epochs, model.verbose, model.batch_size) == (3, 1, 32)


def test_repr_names_what_differs_from_the_defaults():
    assert repr(MLP()) == "MLP()"
    assert repr(MLP((3, 4), "tanh", epochs=5)) == "MLP(hidden=(3, 4), activation='tanh', epochs=5)"
    assert eval(repr(MLP(hidden=7, optimizer=SGD(momentum=0.5)))).optimizer == SGD(momentum=0.5)


def test_initial_weights_can_be_handed_in_and_short_runs_start_from_them():
    init = [(np.full((2, 5), 0.25), np.array([0.5, -0.5])), (np.ones((1, 2)), np.zeros(1))]
    model = MLP(hidden=2, init=init, epochs=1, learning_rate=1e-30).fit(X, LINE)
    assert np.array_equal(model.weights_[0], init[0][0]) and np.array_equal(
        model.biases_[0], [0.5, -0.5]
    )
    with pytest.raises(ValueError, match=r"\(2, 5\)"):
        MLP(hidden=2, init=init[::-1]).fit(X, LINE)
    for wrong in (3, ["a", "b"], [1, [2, [3]]]):
        with pytest.raises((TypeError, ValueError), match="init"):
            MLP(hidden=2, init=wrong).fit(X, LINE)
    with pytest.raises(ValueError, match="W of init's layer 0 has nan at row 1, column 2"):
        MLP(hidden=2, init=[(with_entry(init[0][0], (1, 2), np.nan), init[0][1]), init[1]]).fit(
            X, LINE
        )


def test_feature_names_of_a_data_frame_are_kept_and_checked():
    class Frame:
        def __init__(self, columns):
            self.columns = columns

        def __array__(self, dtype=None, copy=None):
            return X

    model = quick(epochs=1).fit(Frame(["a", "b", "c", "d", "e"]), TWO)
    assert model.feature_names_in_.tolist() == ["a", "b", "c", "d", "e"]
    model.predict(X)
    with pytest.raises(ValueError, match="missing: e; unknown: f"):
        model.predict(Frame(["a", "b", "c", "d", "f"]))
    with pytest.raises(ValueError, match="their order differs"):
        model.predict(Frame(["b", "a", "c", "d", "e"]))
    assert not hasattr(quick(epochs=1).fit(X, TWO), "feature_names_in_")


def test_scikit_learn_takes_it_in_pipelines_and_searches():
    from sklearn.base import clone, is_classifier, is_regressor
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = quick(task="classification")
    assert is_classifier(model) and is_regressor(quick(task="regression"))
    assert clone(model).get_params() == model.get_params()
    assert cross_val_score(model, X, THREE, cv=3).mean() > 0.8
    assert make_pipeline(StandardScaler(), model).fit(X, THREE).score(X, THREE) > 0.9
    search = GridSearchCV(quick(), {"hidden": [(2,), (16,)]}, cv=3).fit(X, THREE)
    assert search.predict(X).shape == (200,)


# Wrong input


@pytest.mark.parametrize(
    "bad_X, y, error, message",
    [
        (
            with_entry(X, (7, 3), np.nan),
            TWO,
            ValueError,
            "X has nan at row 7, column 3; every entry must be a finite number",
        ),
        (with_entry(X, (0, 0), -np.inf), TWO, ValueError, "X has -inf at row 0, column 0"),
        (
            with_entry(X.astype("float64"), (9, 1), 1e300),
            TWO,
            ValueError,
            r"1e\+300 at row 9, column 1.*range of float32",
        ),
        (X[0], TWO, ValueError, "two dimensions"),
        (X[:0], TWO[:0], ValueError, "at least one row"),
        (X[:, :0], TWO, ValueError, "at least one row and one feature"),
        (X[:100], TWO, ValueError, "X has 100 rows and y has 200"),
        (with_entry(X.astype(object), (2, 1), "a"), TWO, TypeError, "'a' at row 2, column 1"),
        (with_entry(X.astype(object), (2, 1), None), TWO, TypeError, "None at row 2, column 1"),
        ([["1", "2"], ["3", "4"]], [0, 1], TypeError, "the text '1' at row 0, column 0"),
        (X.astype("datetime64[s]"), TWO, TypeError, "datetime64"),
        (None, TWO, TypeError, "X is None"),
        (X, None, TypeError, "y is None"),
        ([[1, 2], [3]], [0, 1], ValueError, "rectangular"),
        (X.astype(complex), TWO, TypeError, "real numbers"),
        (X, with_entry(LINE, 5, np.nan), ValueError, "y has nan at row 5"),
        (X, np.zeros(200, int), ValueError, "one class only"),
        (X, np.eye(3)[THREE].astype(int) * 2, ValueError, "y has 2 at row .* must each be 0 or 1"),
        (X, ["a", float("nan")] * 100, ValueError, "nan at row 1"),
        (X, [1, "a"] * 100, TypeError, "mixes labels of types int, str"),
        (X, np.array(["2020", "NaT"] * 100, "datetime64[Y]"), ValueError, "NaT at row 1"),
        (np.ma.masked_array(X, X > 2), TWO, TypeError, "masked"),
        (
            with_entry(X.astype(object), (2, 1), 10**400),
            TWO,
            ValueError,
            "beyond the range of float64",
        ),
        (X, [], ValueError, "at least one row"),
        (X, np.array(["a", None] * 100, object), ValueError, "None at row 1"),
        (X, np.array(["a", 3] * 100, object), TypeError, "mixes labels of types int, str"),
        (X, TWO[:, None, None], ValueError, "one class label a row"),
    ],
)
def test_bad_data_are_refused_in_words_and_the_model_stays(bad_X, y, error, message):
    model = quick(epochs=1).fit(X, TWO)
    before = model.parameters_
    with pytest.raises(error, match=message):
        model.fit(bad_X, y)
    assert np.array_equal(model.parameters_, before)


@pytest.mark.parametrize(
    "options, y, message",
    [
        (dict(loss="binary_crossentropy"), THREE, "two classes, y has 3"),
        (dict(loss="binary_crossentropy", task="regression"), LINE, r"targets from 0 to 1"),
        (dict(loss="poisson", task="regression"), LINE, "targets of at least 0"),
        (dict(loss="poisson"), TWO, "for counts"),
        (dict(loss="hinge"), LINE, "for classification"),
        (
            dict(loss="hinge", output="sigmoid"),
            TWO,
            "'sigmoid' is never negative; choose 'identity' or 'tanh'",
        ),
        (
            dict(loss="hinge", label_smoothing=0.1),
            np.column_stack((TWO, TWO)),
            "label_smoothing does not go with .* 'hinge'",
        ),
        (dict(output="tanh"), TWO, "no loss goes with output 'tanh' by itself; name one"),
        (dict(class_weight={0: 0, 1: 0}), TWO, "leave every row with the weight 0"),
        (dict(output="step"), TWO, "perceptron rule alone"),
        (dict(hidden=(), output="step"), THREE, "two classes, y has 3"),
        (dict(label_smoothing=0.1), LINE, "label_smoothing is for classification"),
        (dict(class_weight={5: 1}), TWO, "unknown class 5; y holds 0, 1"),
        (
            dict(loss="binary_crossentropy", output="tanh"),
            TWO,
            "needs output 'sigmoid', got 'tanh'",
        ),
        (
            dict(loss="sparse_categorical_crossentropy"),
            LINE,
            "for classification, but task is 'regression'",
        ),
        (dict(loss="categorical_crossentropy"), np.eye(3)[THREE] * 0.9, "must sum to 1"),
    ],
)
def test_targets_outside_the_domain_of_the_loss_are_refused(options, y, message):
    with pytest.raises(ValueError, match=message):
        quick(**options).fit(X, y)


@pytest.mark.parametrize(
    "options, error, message",
    [
        (dict(activation="rleu"), ValueError, "unknown activation 'rleu'; did you mean 'relu'"),
        (
            dict(activation=("relu", "tanh")),
            ValueError,
            "one for each of the 1 hidden layers, got 2",
        ),
        (dict(activation=3), TypeError, "activation"),
        (dict(hidden=(0,)), ValueError, "at least one neuron each, got"),
        (dict(hidden=(2.5,)), TypeError, r"sequence of them, got \(2.5,\)"),
        (dict(hidden=2.5), TypeError, "hidden"),
        (dict(loss="rmse"), ValueError, "did you mean 'mse'"),
        (dict(output="softmaxx"), ValueError, "did you mean 'softmax'"),
        (dict(task="ranking"), ValueError, "choose from auto, classification, regression"),
        (dict(hidden=iter([5])), TypeError, "sequence"),
        (dict(hidden={7}), TypeError, "sequence"),
        (dict(hidden=b"ab"), TypeError, "sequence"),
        (dict(hidden="12"), TypeError, "sequence"),
        (dict(hidden=np.array([[5]])), TypeError, "sequence"),
        (dict(activation="step"), ValueError, "derivative 0"),
        (dict(optimizer="adamw2"), ValueError, "did you mean 'adamw'"),
        (dict(optimizer=3), TypeError, "a name or an object"),
        (dict(optimizer=SGD), TypeError, "a name or an object"),
        (
            dict(optimizer=Adam(epsilon=1e-40)),
            ValueError,
            "epsilon must be at least 1.18e-38 in float32",
        ),
        (dict(optimizer="rprop", batch_size=10), ValueError, "whole training set"),
        (dict(verbose=-1), ValueError, "verbose"),
        (dict(verbose="no"), ValueError, "verbose"),
        (dict(l1=-1), ValueError, "l1 must be a finite number at least 0"),
        (dict(l2="much"), TypeError, "l2"),
        (dict(max_norm=0), ValueError, "max_norm must be a finite number above 0"),
        (dict(clip_norm=-1), ValueError, "clip_norm"),
        (dict(label_smoothing=1), ValueError, "below 1"),
        (dict(class_weight="even"), ValueError, "balanced"),
        (dict(class_weight=[1, 2]), TypeError, "class_weight must be a dict"),
        (dict(class_weight={0: -1}), ValueError, "class_weight of 0"),
        (dict(learning_rate=10**400), ValueError, "finite"),
        (dict(learning_rate=np.array([0.1])), TypeError, "number"),
        (dict(random_state=np.array([5])), TypeError, "random_state"),
        (dict(learning_rate=0), ValueError, "above 0"),
        (dict(learning_rate=float("nan")), ValueError, "finite"),
        (dict(learning_rate="fast"), TypeError, "number"),
        (dict(batch_size=0), ValueError, "at least 1 or 'full'"),
        (dict(batch_size="all"), TypeError, "'full'"),
        (dict(epochs=0), ValueError, "epochs must be a whole number of at least 1"),
        (dict(epochs=2.0), TypeError, "epochs"),
        (dict(shuffle="yes"), TypeError, "True or False"),
        (dict(early_stopping=1), TypeError, "early_stopping must be True or False"),
        (dict(patience=0), ValueError, "patience must be a whole number of at least 1"),
        (dict(validation_fraction=1), ValueError, "below 1"),
        (dict(min_delta=-1), ValueError, "min_delta"),
        (dict(init="zero"), ValueError, "unknown init"),
        (dict(dtype="float16"), ValueError, "'float32' or 'float64'"),
        (dict(dtype="real"), ValueError, "'float32' or 'float64', got 'real'"),
        (dict(dtype=None), ValueError, "'float32' or 'float64', got None"),
        (dict(random_state=-1), ValueError, "negative"),
        (dict(random_state="seed"), TypeError, "random_state"),
    ],
)
def test_bad_parameters_are_refused_at_once(options, error, message):
    with pytest.raises(error, match=message):
        MLP(**options)


@pytest.mark.parametrize(
    "settings, error, message",
    [
        (
            dict(learning_rate=-1),
            ValueError,
            "SGD: learning_rate must be a finite number above 0, got -1",
        ),
        (dict(momentum=1), ValueError, "at least 0 and below 1, got 1"),
        (dict(momentum="0.9"), TypeError, "must be a number"),
        (dict(nesterov="yes"), TypeError, "nesterov must be True or False"),
    ],
)
def test_optimizers_refuse_settings_out_of_range(settings, error, message):
    with pytest.raises(error, match=message):
        SGD(**settings)


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda m: m.predict(X[:, :4]), "X has 4 features, but the model was fitted with 5"),
        (lambda m: m.predict(X[0]), "reshape"),
        (
            lambda m: m.score(X, THREE + 1),
            r"y has the unknown class 3 at row \d+; the model knows 0, 1, 2",
        ),
        (lambda m: m.score(X, THREE[:9]), "X has 200 rows and y has 9"),
        (lambda m: m.predict(with_entry(X, (3, 2), np.nan)), "row 3, column 2"),
    ],
)
def test_bad_rows_after_the_fit_are_refused_in_words(use, message):
    with pytest.raises(ValueError, match=message):
        use(quick(epochs=1).fit(X, THREE))


@pytest.mark.parametrize(
    "pair, message",
    [
        ((X, THREE + 1), "validation_data's y has the unknown class 3"),
        ((X[:, :4], THREE), "validation_data's X has 4 features"),
        ((X[:5], THREE), "validation_data's X has 5 rows and validation_data's y has 200"),
        ((X,), r"pair \(X, y\)"),
    ],
)
def test_bad_validation_data_are_refused_before_training(pair, message):
    model = quick()
    with pytest.raises(ValueError, match=message):
        model.fit(X, THREE, validation_data=pair)
    assert model._fitted is None


def test_probabilities_are_refused_where_there_are_none():
    with pytest.raises(ValueError, match="does regression"):
        quick(epochs=1).fit(X, LINE).predict_proba(X)
    with pytest.raises(ValueError, match="identity"):
        quick(epochs=1, loss="mse", output="identity").fit(X, TWO).predict_proba(X)


# What goes wrong on the way


def test_divergence_stops_with_a_warning_and_keeps_the_last_finite_weights():
    model = MLP(hidden=(8,), optimizer=SGD(1e6), epochs=50, random_state=0)
    with pytest.warns(DivergenceWarning, match=r"epoch \d+ at learning rate 1e\+06"):
        model.fit(X, LINE)
    assert np.isfinite(model.parameters_).all() and model.n_epochs_ < 50
    assert np.isfinite(model.history_["loss"]).all()
    assert np.isfinite(model.predict(X)).all()


def test_ctrl_c_keeps_the_last_whole_epoch():
    model = MLP(hidden=(64,), epochs=10_000_000, random_state=0)
    timer = threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, LINE)
    timer.join()
    done = model.n_epochs_
    assert 0 < done < 10_000_000
    again = MLP(hidden=(64,), epochs=done, random_state=0).fit(X, LINE)
    assert np.array_equal(again.parameters_, model.parameters_)


def test_predictions_during_a_fit_come_from_the_old_model():
    model = quick(epochs=2000).fit(X, LINE)
    before = model.forward(X).tobytes()
    thread = threading.Thread(target=model.set_params(random_state=1).fit, args=(X, LINE))
    thread.start()
    seen = set()
    while thread.is_alive():
        seen.add(model.forward(X).tobytes())
    thread.join()
    assert seen <= {before, model.forward(X).tobytes()} and before in seen


def test_every_failed_allocation_is_a_memory_error_that_leaves_the_model_alone():
    model = quick(epochs=1).fit(X, TWO)
    before = model.parameters_
    try:
        for n in range(1, 100):
            _memory.fail_after = n
            try:
                model.fit(X, THREE)
                break
            except MemoryError:
                assert np.array_equal(model.parameters_, before)
        assert 10 < n < 99 and _memory.fail_after is not None
    finally:
        _memory.fail_after = None


def test_a_network_too_large_for_memory_is_a_memory_error():
    with pytest.raises(MemoryError, match="cannot allocate"):
        MLP(hidden=2**45).fit(X, TWO)


# Real data


def test_digits_are_learned():
    images, digits = load_digits()
    images /= 16
    test = np.arange(len(digits)) % 5 == 0
    model = MLP(hidden=(128,), epochs=50, random_state=0).fit(images[~test], digits[~test])
    assert model.score(images[test], digits[test]) >= 0.97


def test_no_warning_is_given_without_a_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(epochs=1).fit(X, THREE, validation_data=(X, THREE)).score(X, THREE)


# Memory


def test_a_memory_map_is_trained_from_where_it_lies(tmp_path, monkeypatch):
    seen = spy_on_training(monkeypatch)
    file = tmp_path / "rows.npy"
    np.save(file, X)
    mapped = np.load(file, mmap_mode="r")
    for early_stopping in (False, True):
        model = quick(epochs=3, early_stopping=early_stopping).fit(mapped, TWO)
        assert np.shares_memory(seen[-1][0].X.array, mapped)
        assert np.array_equal(
            model.parameters_,
            quick(epochs=3, early_stopping=early_stopping).fit(X, TWO).parameters_,
        )
    assert np.array_equal(model.predict(mapped), model.predict(X))
    assert isinstance(model.predict(mapped), np.ndarray) and not isinstance(
        model.forward(mapped), np.memmap
    )


def test_the_memory_of_a_fit_does_not_grow_with_the_rows():
    # Beside X and y: the order of the rows, 8 bytes each, and their labels, 4.
    import tracemalloc

    peaks = []
    for rows in (2_000, 50_000):
        big, labels = np.zeros((rows, 5), "float32"), np.arange(rows) % 2
        tracemalloc.start()
        MLP(8, epochs=1, batch_size=100).fit(big, labels)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 48_000 * 64


# Data frames


def test_data_frames_are_numbers_with_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde"), index=range(100, 300))
    series = pandas.Series(TWO, index=frame.index)
    weights = pandas.Series(np.ones(200), index=frame.index)
    model = quick(epochs=3).fit(
        frame, series, sample_weight=weights, validation_data=(frame, series)
    )
    plain = quick(epochs=3).fit(X, TWO, sample_weight=np.ones(200))
    assert model.feature_names_in_.tolist() == list("abcde") and np.array_equal(
        model.parameters_, plain.parameters_
    )
    assert np.array_equal(model.predict(frame), plain.predict(X)) and model.score(
        frame, series
    ) == plain.score(X, TWO)
    with pytest.raises(ValueError, match="their order differs"):
        model.predict(frame[list("bacde")])
    with pytest.raises(TypeError, match="X must hold numbers, got <NA> at row 3, column 1"):
        with_gap = frame.astype("Float64")
        with_gap.iloc[3, 1] = pandas.NA
        model.predict(with_gap)


def test_weights_count_in_a_score():
    weights = np.arange(200) % 3
    for y in (TWO, LINE, np.column_stack((TWO, 1 - TWO))):
        model = quick(epochs=5).fit(X, y)
        repeated = model.score(np.repeat(X, weights, axis=0), np.repeat(y, weights, axis=0))
        assert model.score(X, y, sample_weight=weights) == pytest.approx(repeated, rel=1e-12)


@pytest.mark.parametrize("rows_a_class", [3, 4, 5, 6, 14])
def test_many_small_classes_give_their_share_together(rows_a_class, monkeypatch):
    seen = spy_on_training(monkeypatch)
    labels = np.repeat(np.arange(40), rows_a_class)
    MLP(4, early_stopping=True, epochs=1, random_state=0).fit(np.zeros((len(labels), 2)), labels)
    ((train, apart),) = seen
    assert apart.X.count == int(0.1 * len(labels) + 0.5)
    counts = np.bincount(apart.labels.array[:, 0], minlength=40)
    assert counts.max() - counts.min() <= 1 and np.bincount(train.labels.array[:, 0]).min() > 0


def test_only_ratios_of_weights_count():
    plain = quick(epochs=3).fit(X, TWO, sample_weight=1.0 + np.arange(200) % 3)
    for factor in (1e-300, 1e-40, 1e30, 1e300):
        model = quick(epochs=3).fit(X, TWO, sample_weight=factor * (1.0 + np.arange(200) % 3))
        np.testing.assert_allclose(model.parameters_, plain.parameters_, rtol=1e-4, atol=1e-6)
    heavy = quick(epochs=3, class_weight={0: 1e300, 1: 1e300}).fit(
        X, TWO, sample_weight=np.full(200, 1e300)
    )
    assert np.isfinite(heavy.parameters_).all()


# The perceptron


def test_the_perceptron_learns_by_rosenblatts_rule():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(100, 3))
    labels = (points @ [1.0, -2, 0.5] > 0.1).astype(int)
    model = MLP(
        (),
        "step",
        optimizer="sgd",
        learning_rate=1.0,
        batch_size=1,
        shuffle=False,
        init="zeros",
        epochs=3,
        dtype="float64",
    ).fit(points, labels)
    w, b = np.zeros(3), 0.0
    for _ in range(3):
        for x, y in zip(points, labels):
            delta = float(w @ x + b > 0) - y
            w, b = w - delta * x, b - delta
    np.testing.assert_allclose(model.parameters_, [*w, b], rtol=1e-12)
    with pytest.raises(ValueError, match="two classes"):
        MLP((), "step").fit(X, THREE)


@pytest.mark.parametrize("name, option", [("amsgrad", "amsgrad"), ("adam_hat", "epsilon_hat")])
def test_variants_of_adam_have_names_too(name, option):
    from cnn_core import Adam

    assert np.array_equal(
        quick(optimizer=name, epochs=2).fit(X, TWO).parameters_,
        quick(optimizer=Adam(**{option: True}), epochs=2).fit(X, TWO).parameters_,
    )
    with pytest.raises(ValueError, match="amsgrad and epsilon_hat do not go together"):
        Adam(amsgrad=True, epsilon_hat=True)


@pytest.mark.parametrize("call, message", [
    (lambda m: setattr(m, "weights_", 3), "weights_ must be a list of an array for each of the 2 layers, got 3"),
    (lambda m: setattr(m, "parameters_", "a"), "parameters_ must hold numbers, got the text 'a' at the only entry"),
    (lambda m: setattr(m, "parameters_", m.parameters_ * 1j), "parameters_ must hold real numbers"),
    (lambda m: setattr(m, "parameters_", np.full(len(m.parameters_), 1e300)), "within the range of float32"),
    (lambda m: m.loss_and_gradient(X, TWO, parameters=m.parameters_ * np.nan), "parameters has nan at row 0"),
    (lambda m: m.check_gradient(X, TWO, h=0), "h must be a finite number above 0"),
    (lambda m: m.check_gradient(X, TWO, h="a"), "h must be a number"),
    (lambda m: m.fit(X, np.ma.masked_array(TWO, X[:, 0] > 1)), "y has masked entries"),
    (lambda m: m.set_params(class_weight="equal"), "class_weight must be a dict, 'balanced' or None, got 'equal'"),
])  # fmt: skip
def test_the_open_box_refuses_in_words(call, message):
    model = quick(epochs=1).fit(X, TWO)
    before = model.parameters_
    with pytest.raises((ValueError, TypeError), match=message):
        call(model)
    assert np.array_equal(model.parameters_, before)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int64", "uint64"])
def test_labels_at_both_ends_of_their_type_are_told_apart(dtype):
    info = np.iinfo(dtype)
    X, y = (
        np.eye(3).repeat(20, axis=0),
        np.array([info.min, info.max - 1, info.max], dtype).repeat(20),
    )
    model = MLP(hidden=8, epochs=60, learning_rate=0.05, random_state=0).fit(X, y)
    assert (
        model.classes_.tolist() == [info.min, info.max - 1, info.max]
        and model.classes_.dtype == dtype
    )
    assert np.array_equal(model.predict(X), y)


# Numbers that overflow on the way


def test_a_row_gets_the_class_of_its_first_nan_alone_and_among_others_and_a_warning():
    rows = (2 * uniform(7, 0, 600 * 5).reshape(600, 5) - 1).astype(np.float32)
    model = MLP(8, "exp", loss="hinge", epochs=1, random_state=0).fit(
        rows[:300], np.arange(300) % 3
    )
    far = rows * 200  # every entry is finite, but exp is not
    outputs = model.forward(far)
    unknown = np.isnan(outputs).any(axis=1)
    assert 0 < unknown.sum() < 600
    with pytest.warns(
        RuntimeWarning, match="outputs that are NaN, as numbers on the way overflow float32"
    ):
        together = model.predict(far)
    assert np.array_equal(together, outputs.argmax(axis=1))
    with pytest.warns(RuntimeWarning, match="NaN"):
        assert np.array_equal([model.predict(row[None])[0] for row in far], together)
    known = far[~unknown]
    assert np.array_equal(model.predict(known), together[~unknown])  # without a warning


def test_validation_rows_whose_loss_is_not_finite_are_reported_and_no_epoch_is_the_best():
    far = np.full((10, X.shape[1]), 3e38, np.float32)
    model = quick(epochs=5)
    with pytest.warns(RuntimeWarning, match="loss on the validation data is nan after epoch 1"):
        model.fit(X, TWO, validation_data=(far, TWO[:10]))
    assert np.isnan(model.history_["val_loss"]).all()
    with pytest.raises(AttributeError, match="no epoch is the best"):
        model.best_epoch_
    assert not hasattr(model, "best_epoch_")


def test_a_divergence_says_which_weights_are_kept():
    x = (uniform(0, 0, 400)[:, None] + 5).astype(np.float32)
    model = MLP((), optimizer=SGD(0.1), epochs=50, random_state=0, early_stopping=True)
    with pytest.warns(
        DivergenceWarning,
        match=r"the weights after epoch \d+, the best on the validation data, are kept",
    ) as caught:
        model.fit(x, 3 * x[:, 0])
    assert f"after epoch {model.best_epoch_}, the best" in str(caught[0].message)


@pytest.mark.parametrize("given, message", [
    (3, "two dimensions"), (None, "X is None"), ("abc", "the text 'abc'"), ([[1, 2], [3]], "rectangular"),
])  # fmt: skip
def test_score_says_what_is_wrong_with_x(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        quick().fit(X, TWO).score(given, [0])
