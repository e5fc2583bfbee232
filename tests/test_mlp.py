"""MLP: what users type, what they get, and what they are told when it cannot work."""

import copy
import pickle
import signal
import threading
import warnings

import numpy as np
import pytest

from cnn_core import MLP, SGD, Adam, DivergenceWarning, NotFittedError, _memory
from cnn_core.datasets import load_digits

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 5)).astype("float32")
TWO = np.where(X[:, 0] + X[:, 1] > 0, 1, 0)
THREE = np.digitize(X[:, 0] + 0.5 * X[:, 1], [-0.5, 0.5])
LINE = (2 * X[:, 0] - X[:, 1] + 1).astype("float64")


def quick(**options):
    return MLP(**{"hidden": (16,), "epochs": 30, "random_state": 0, "learning_rate": 0.01} | options)


# Tasks


@pytest.mark.parametrize("labels", [
    np.array([3, 7]), np.array([-1, 1], dtype="int8"), np.array([False, True]), np.array(["no", "yes"]),
    np.array(["no", "yes"], dtype=object), np.array([0, 2**40]),
])
def test_two_classes_of_any_kind_have_one_sigmoid_output(labels):
    model = quick().fit(X, labels[TWO])
    assert model.score(X, labels[TWO]) > 0.95
    assert model.weights_[-1].shape == (1, 16)
    assert np.array_equal(model.classes_, labels) and model.predict(X).dtype == model.classes_.dtype
    proba = model.predict_proba(X)
    assert proba.shape == (200, 2) and np.allclose(proba.sum(axis=1), 1)
    assert np.array_equal(labels[proba.argmax(axis=1)], model.predict(X))


@pytest.mark.parametrize("labels", [np.array(["a", "bb", "ccc"]), np.array([10, 5, 7]), np.array([0.5, 1.5, 2.5])])
def test_more_classes_have_a_softmax_output(labels):
    model = quick(task="classification").fit(X, labels[THREE])
    assert model.score(X, labels[THREE]) > 0.9
    assert model.weights_[-1].shape == (3, 16)
    assert np.array_equal(model.classes_, np.sort(labels))
    proba = model.predict_proba(X)
    assert proba.shape == (200, 3) and np.allclose(proba.sum(axis=1), 1)
    assert np.array_equal(model.classes_[proba.argmax(axis=1)], model.predict(X))


@pytest.mark.parametrize("loss, output, n_outputs", [
    ("sparse_categorical_crossentropy", "softmax", 2), ("categorical_crossentropy", "softmax", 2),
    ("binary_crossentropy", "sigmoid", 1), ("mse", "sigmoid", 1), ("mse", "softmax", 2), ("mse", "identity", 1),
])
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
    assert both.predict(X).shape == (200, 2) and both.score(X, np.column_stack((LINE, -LINE))) > 0.98


def test_integers_can_be_asked_to_be_a_regression():
    model = quick(task="regression", epochs=100).fit(X, THREE)
    assert model.predict(X).dtype == np.float32 and model.score(X, THREE) > 0.8


def test_no_hidden_layer_is_linear_regression():
    model = MLP(hidden=(), epochs=200, learning_rate=0.05, random_state=0, dtype="float64").fit(X, LINE)
    np.testing.assert_allclose(model.weights_[0], [[2, -1, 0, 0, 0]], atol=1e-3)
    np.testing.assert_allclose(model.biases_[0], [1], atol=1e-3)


def test_score_is_r_squared_averaged_over_outputs():
    targets = np.column_stack((LINE, X[:, 2] ** 2))
    model = quick().fit(X, targets)
    predicted = model.predict(X)
    r2 = [1 - ((t - p) ** 2).sum() / ((t - t.mean()) ** 2).sum() for t, p in zip(targets.T, predicted.T)]
    assert model.score(X, targets) == pytest.approx(np.mean(r2), rel=1e-6)


def test_a_column_of_labels_and_lists_are_taken():
    a = quick().fit(X, THREE)
    b = quick().fit(X.tolist(), THREE[:, None].tolist())
    assert np.array_equal(a.parameters_, b.parameters_)
    assert a.predict(X.tolist()).tolist() == b.predict(X).tolist()


# The same bits


def test_the_same_seed_gives_the_same_bits_on_every_path(isa, dtype):
    reference = quick(dtype=dtype, epochs=3).fit(X, THREE)
    from cnn_core._cpu import use_instruction_set

    use_instruction_set("generic")  # the isa fixture restores
    oracle = quick(dtype=dtype, epochs=3).fit(X, THREE)
    assert reference.parameters_.tobytes() == oracle.parameters_.tobytes()
    assert reference.history_["loss"] == oracle.history_["loss"]


def test_seeds_matter():
    fits = [quick(random_state=seed, epochs=1).fit(X, TWO).parameters_ for seed in (0, 1, None, None)]
    assert len({fit.tobytes() for fit in fits}) == 4


def test_a_numpy_generator_or_random_state_can_be_the_seed():
    for make in (np.random.default_rng, np.random.RandomState):
        a, b = (quick(random_state=make(3), epochs=2).fit(X, TWO).parameters_ for _ in range(2))
        assert np.array_equal(a, b)


@pytest.mark.parametrize("convert", [
    lambda x: np.asfortranarray(x), lambda x: x.astype("float64"), lambda x: x.astype(">f4"), lambda x: x[::-1][::-1],
    lambda x: np.repeat(x, 2, axis=0)[::2], lambda x: x.astype(object),
])
def test_layout_and_type_of_x_do_not_matter(convert):
    a = quick(epochs=2).fit(X, TWO)
    b = quick(epochs=2).fit(convert(X), TWO)
    assert np.array_equal(a.parameters_, b.parameters_)
    assert np.array_equal(a.forward(convert(X)), a.forward(X))


def test_x_of_the_right_type_is_neither_copied_nor_written(monkeypatch):
    from cnn_core import mlp

    seen = []
    monkeypatch.setattr(mlp, "Rows", lambda array: seen.append(array) or Rows(array))
    Rows = mlp_rows()
    frozen = X.copy()
    frozen.flags.writeable = False
    quick(epochs=1).fit(frozen, TWO)
    assert seen[0] is frozen
    assert np.array_equal(frozen, X)


def mlp_rows():
    from cnn_core._training import Rows

    return Rows


# History and validation


def test_history_has_an_entry_an_epoch():
    model = quick(epochs=7).fit(X, THREE, validation_data=(X[:50], THREE[:50]))
    assert set(model.history_) == {"loss", "metric", "val_loss", "val_metric", "learning_rate", "seconds"}
    assert {len(values) for values in model.history_.values()} == {7} and model.n_epochs_ == 7
    assert model.history_["learning_rate"] == [0.01] * 7
    assert model.history_["val_metric"][-1] == model.score(X[:50], THREE[:50])
    assert "val_loss" not in quick(epochs=1).fit(X, THREE).history_


def test_validation_metric_of_a_regression_is_r_squared():
    model = quick(epochs=5).fit(X, LINE, validation_data=(X[:50], LINE[:50]))
    assert model.history_["val_metric"][-1] == pytest.approx(model.score(X[:50], LINE[:50]), rel=1e-6)
    still = quick(epochs=1, learning_rate=1e-30).fit(X, LINE)
    assert still.history_["metric"] == pytest.approx([still.score(X, LINE)], rel=1e-6)


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
    for use in (lambda: model.predict(X), lambda: model.score(X, TWO), lambda: model.weights_, lambda: model.history_):
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
    for array in (*model.weights_, *model.biases_, model.parameters_):
        array[...] = 0
    assert np.array_equal(model.forward(X), before)


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
    assert np.array_equal(model.weights_[0], init[0][0]) and np.array_equal(model.biases_[0], [0.5, -0.5])
    with pytest.raises(ValueError, match=r"\(2, 5\)"):
        MLP(hidden=2, init=init[::-1]).fit(X, LINE)
    with pytest.raises(TypeError, match="'auto' or a list"):
        MLP(hidden=2, init=3).fit(X, LINE)


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


# Wrong input


def with_entry(array, index, value):
    array = np.array(array)
    array[index] = value
    return array


@pytest.mark.parametrize("bad_X, y, error, message", [
    (with_entry(X, (7, 3), np.nan), TWO, ValueError, "X has nan at row 7, column 3; every entry must be a finite number"),
    (with_entry(X, (0, 0), -np.inf), TWO, ValueError, "X has -inf at row 0, column 0"),
    (with_entry(X.astype("float64"), (9, 1), 1e300), TWO, ValueError, r"1e\+300 at row 9, column 1.*range of float32"),
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
    (X, np.eye(3)[THREE].astype(int), ValueError, "loss='categorical_crossentropy'"),
    (X, np.array(["a", None] * 100, object), ValueError, "None at row 1"),
    (X, np.array(["a", 3] * 100, object), TypeError, "mixes labels of types int, str"),
    (X, TWO[:, None, None], ValueError, "one class label a row"),
])
def test_bad_data_are_refused_in_words_and_the_model_stays(bad_X, y, error, message):
    model = quick(epochs=1).fit(X, TWO)
    before = model.parameters_
    with pytest.raises(error, match=message):
        model.fit(bad_X, y)
    assert np.array_equal(model.parameters_, before)


@pytest.mark.parametrize("options, y, message", [
    (dict(loss="binary_crossentropy"), THREE, "two classes, y has 3"),
    (dict(loss="binary_crossentropy", task="regression"), LINE, r"targets from 0 to 1"),
    (dict(loss="binary_crossentropy", output="tanh"), TWO, "needs output 'sigmoid', got 'tanh'"),
    (dict(loss="sparse_categorical_crossentropy"), LINE, "for classification, but task is 'regression'"),
    (dict(loss="categorical_crossentropy"), np.eye(3)[THREE] * 0.9, "must sum to 1"),
])
def test_targets_outside_the_domain_of_the_loss_are_refused(options, y, message):
    with pytest.raises(ValueError, match=message):
        quick(**options).fit(X, y)


@pytest.mark.parametrize("options, error, message", [
    (dict(activation="rleu"), ValueError, "unknown activation 'rleu'; did you mean 'relu'"),
    (dict(activation=("relu", "tanh")), ValueError, "one for each of the 1 hidden layers, got 2"),
    (dict(activation=3), TypeError, "activation"),
    (dict(hidden=(0,)), ValueError, "at least one neuron, got 0"),
    (dict(hidden=(2.5,)), TypeError, "whole numbers, got 2.5"),
    (dict(hidden=2.5), TypeError, "hidden"),
    (dict(loss="rmse"), ValueError, "did you mean 'mse'"),
    (dict(output="softmaxx"), ValueError, "did you mean 'softmax'"),
    (dict(task="ranking"), ValueError, "choose from auto, classification, regression"),
    (dict(optimizer="adamw2"), ValueError, "did you mean 'adam'"),
    (dict(optimizer=3), TypeError, "optimizer"),
    (dict(learning_rate=0), ValueError, "above 0"),
    (dict(learning_rate=float("nan")), ValueError, "finite"),
    (dict(learning_rate="fast"), TypeError, "number"),
    (dict(batch_size=0), ValueError, "at least 1 or 'full'"),
    (dict(batch_size="all"), TypeError, "'full'"),
    (dict(epochs=0), ValueError, "epochs must be a whole number of at least 1"),
    (dict(epochs=2.0), TypeError, "epochs"),
    (dict(shuffle="yes"), TypeError, "True or False"),
    (dict(init="zero"), ValueError, "unknown init"),
    (dict(dtype="float16"), ValueError, "'float32' or 'float64'"),
    (dict(dtype="real"), ValueError, "'float32' or 'float64', got 'real'"),
    (dict(dtype=None), ValueError, "'float32' or 'float64', got None"),
    (dict(random_state=-1), ValueError, "negative"),
    (dict(random_state="seed"), TypeError, "random_state"),
])
def test_bad_parameters_are_refused_at_once(options, error, message):
    with pytest.raises(error, match=message):
        MLP(**options)


@pytest.mark.parametrize("settings, error, message", [
    (dict(learning_rate=-1), ValueError, "SGD: learning_rate must be a finite number above 0, got -1"),
    (dict(momentum=1), ValueError, "at least 0 and below 1, got 1"),
    (dict(momentum="0.9"), TypeError, "must be a number"),
])
def test_optimizers_refuse_settings_out_of_range(settings, error, message):
    with pytest.raises(error, match=message):
        SGD(**settings)


@pytest.mark.parametrize("use, message", [
    (lambda m: m.predict(X[:, :4]), "X has 4 features, but the model was fitted with 5"),
    (lambda m: m.predict(X[0]), "reshape"),
    (lambda m: m.score(X, THREE + 1), r"y has the unknown class 3 at row \d+; the model knows 0, 1, 2"),
    (lambda m: m.score(X, THREE[:9]), "X has 200 rows and y has 9"),
    (lambda m: m.predict(with_entry(X, (3, 2), np.nan)), "row 3, column 2"),
])
def test_bad_rows_after_the_fit_are_refused_in_words(use, message):
    with pytest.raises(ValueError, match=message):
        use(quick(epochs=1).fit(X, THREE))


@pytest.mark.parametrize("pair, message", [
    ((X, THREE + 1), "validation_data's y has the unknown class 3"),
    ((X[:, :4], THREE), "validation_data's X has 4 features"),
    ((X[:5], THREE), "X has 5 rows and validation_data's y has 200"),
    ((X,), r"pair \(X, y\)"),
])
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
