"""MLP: what users are told when it cannot work, and what stays then."""

import signal
import threading
import warnings

import numpy as np
import pytest
from cnn_core._random import uniform
from mlp_cases import LINE, THREE, TWO, X, quick, with_entry

from cnn_core import MLP, SGD, Adam, DivergenceWarning, _memory

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
        (X.astype(complex), TWO, TypeError, "holds complex numbers"),
        (X, with_entry(LINE, 5, np.nan), ValueError, "y has nan at row 5"),
        (X, np.zeros(200, int), ValueError, "one class only"),
        (X, np.eye(3)[THREE].astype(int) * 2, ValueError, "y has 2 at row .* must each be 0 or 1"),
        (X, ["a", float("nan")] * 100, ValueError, "nan at row 1"),
        (X, [1, "a"] * 100, TypeError, "mixes labels of types int, str"),
        (X, np.array(["2020", "NaT"] * 100, "datetime64[Y]"), TypeError, "holds dates or times"),
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
    model = quick(epochs=1, scale_inputs=None).fit(X, TWO)
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
        (dict(loss="poisson", task="classification"), TWO, "for counts, which are a regression"),
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
        (
            dict(output="tanh", task="classification"),
            TWO,
            "no loss goes with output 'tanh' by itself; name one",
        ),
        (dict(class_weight={0: 0, 1: 0}), TWO, "leave every row with the weight 0"),
        (dict(output="step"), TWO, "perceptron rule alone"),
        (dict(hidden=(), output="step", loss="mse"), TWO, "perceptron rule alone"),
        (dict(activation="step"), TWO, "'step' has derivative 0 everywhere, so the layers below"),
        (dict(hidden=(3, 3), activation=("tanh", "sign")), LINE, "'sign' has derivative 0 every"),
        (dict(hidden=(), output="step"), THREE, "3 classes, and the output .* is for two"),
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
            "for classification, but y holds floats .* task='classification' takes them",
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
        (dict(epochs=-1), ValueError, "epochs must be a whole number of at least 0"),
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


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda m: setattr(m, "weights_", 3),
            "weights_ must be a list of an array for each of the 2 layers, got 3",
        ),
        (
            lambda m: setattr(m, "parameters_", "a"),
            "parameters_ must hold numbers, got the text 'a' at the only entry",
        ),
        (
            lambda m: setattr(m, "parameters_", m.parameters_ * 1j),
            "parameters_ holds complex numbers",
        ),
        (
            lambda m: setattr(m, "parameters_", np.full(len(m.parameters_), 1e300)),
            "within the range of float32",
        ),
        (
            lambda m: m.loss_and_gradient(X, TWO, parameters=m.parameters_ * np.nan),
            "parameters has nan at row 0",
        ),
        (lambda m: m.check_gradient(X, TWO, h=0), "h must be a finite number above 0"),
        (lambda m: m.check_gradient(X, TWO, h="a"), "h must be a number"),
        (lambda m: m.fit(X, np.ma.masked_array(TWO, X[:, 0] > 1)), "y has masked entries"),
        (
            lambda m: m.set_params(class_weight="equal"),
            "class_weight must be a dict, 'balanced' or None, got 'equal'",
        ),
    ],
)
def test_inspection_refuses_in_words(call, message):
    model = quick(epochs=1).fit(X, TWO)
    before = model.parameters_
    with pytest.raises((ValueError, TypeError), match=message):
        call(model)
    assert np.array_equal(model.parameters_, before)


@pytest.mark.parametrize(
    "given, message",
    [
        (3, "two dimensions"),
        (None, "X is None"),
        ("abc", "the text 'abc'"),
        ([[1, 2], [3]], "rectangular"),
    ],
)
def test_score_says_what_is_wrong_with_x(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        quick().fit(X, TWO).score(given, [0])


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


def test_a_divergence_says_which_weights_are_kept():
    x = (uniform(0, 0, 400)[:, None] + 5).astype(np.float32)
    model = MLP(
        (), optimizer=SGD(0.1), epochs=50, random_state=0, early_stopping=True,
        scale_inputs=None, scale_targets=None,
    )  # fmt: skip
    with pytest.warns(
        DivergenceWarning,
        match=r"the weights after epoch \d+, the best on the validation data, are kept",
    ) as caught:
        model.fit(x, 3 * x[:, 0])
    assert f"after epoch {model.best_epoch_}, the best" in str(caught[0].message)


def test_no_warning_is_given_without_a_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(epochs=1).fit(X, THREE, validation_data=(X, THREE)).score(X, THREE)


# Numbers that overflow on the way


def test_validation_rows_whose_loss_is_not_finite_are_reported_and_no_epoch_is_the_best():
    far = np.full((10, X.shape[1]), 3e38, np.float32)
    model = quick(epochs=5)
    with pytest.warns(RuntimeWarning, match="loss on the validation data is nan after epoch 1"):
        model.fit(X, TWO, validation_data=(far, TWO[:10]))
    assert np.isnan(model.history_["val_loss"]).all()
    with pytest.raises(AttributeError, match="no epoch is the best"):
        model.best_epoch_
    assert not hasattr(model, "best_epoch_")
