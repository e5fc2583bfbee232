"""MLP: what y means, by task, loss, output and optimizer."""

import pickle

import numpy as np
import pytest
from mlp_cases import LINE, THREE, TWO, X, quick

from cnn_core import ELU, MLP, SGD, Adam, Huber, LeakyReLU

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
    model = MLP(
        (), epochs=200, learning_rate=0.05, random_state=0, dtype="float64", scale_targets=None
    ).fit(X, LINE)
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
            model = quick(loss=loss, task="classification", epochs=60)
            model.fit(X, labels, validation_data=(X, labels))
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


@pytest.mark.parametrize("name, option", [("amsgrad", "amsgrad"), ("adam_hat", "epsilon_hat")])
def test_variants_of_adam_have_names_too(name, option):

    assert np.array_equal(
        quick(optimizer=name, epochs=2).fit(X, TWO).parameters_,
        quick(optimizer=Adam(**{option: True}), epochs=2).fit(X, TWO).parameters_,
    )
    with pytest.raises(ValueError, match="amsgrad and epsilon_hat do not go together"):
        Adam(amsgrad=True, epsilon_hat=True)


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
    with pytest.raises(ValueError, match="3 classes, and the output 'step' is for two"):
        MLP((), "step").fit(X, THREE)
