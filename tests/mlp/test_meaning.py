"""MLP: what y means where it can be read in more than one way, and outputs that do not reach it."""

import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from cnn_core.meaning import output_range
from mlp_cases import LINE, THREE, TWO, X, quick

from cnn_core import ELU, MLP, Huber, MLPClassifier, _activations
from cnn_core import functional as F

FLOATS = THREE.astype(float)
ONE_HOT = np.eye(3)[THREE]


def short(**options):
    return quick(**{"epochs": 1} | options)


def kind_of(model):
    return model._fitted.task.name


# What only regressions take


ALONE = [
    dict(loss="poisson"),
    dict(loss="mae"),
    dict(loss=Huber(0.5)),
    dict(scale_targets="standard"),
    dict(clip_outputs=True),
    dict(clip_outputs=True, scale_targets=None),
    dict(output="relu"),
    dict(output="softplus"),
    dict(output="identity"),
    dict(output=ELU(0.5)),
    dict(output="exp", loss="mse"),
]


@pytest.mark.parametrize("options", ALONE, ids=str)
@pytest.mark.parametrize("convert", [
    np.array, np.uint8, np.float32, list, lambda y: y[:, None], lambda y: y.astype(object),
    lambda y: np.column_stack((y, y)), lambda y: np.minimum(y, 1),
])  # fmt: skip
def test_what_only_regressions_take_makes_numbers_of_whole_numbers(options, convert):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = short(**options).fit(X, convert(THREE))
        same = short(task="regression", **options).fit(X, convert(THREE))
    assert kind_of(model) == "regression"
    assert np.array_equal(model.parameters_, same.parameters_)


@pytest.mark.parametrize("options", ALONE, ids=str)
@pytest.mark.parametrize(
    "contrary", [dict(class_weight="balanced"), dict(label_smoothing=0.1), dict(classes=[0, 1, 2])]
)
def test_what_contradicts_a_regression_is_refused_by_both_names(options, contrary):
    (name, value), *_ = contrary.items()
    name, classes = f"{name} {'are' if name == 'classes' else 'is'}", name == "classes"
    model = short(**options, **({} if classes else contrary))
    with pytest.raises(ValueError, match=f"^{name} for classification, but .*=.* makes this a reg"):
        model.partial_fit(X, THREE, classes=value) if classes else model.fit(X, THREE)


@pytest.mark.parametrize("options", ALONE, ids=str)
def test_texts_and_bools_are_no_numbers_to_predict(options):
    with pytest.raises(
        TypeError, match="makes this a regression, got the text '1' at row 0.*astype"
    ):
        short(**options).fit(X, THREE.astype(str))
    with pytest.raises(TypeError, match="text 'a'.*task='classification' without .* classes$"):
        short(**options).fit(X, np.array(["a", "b"])[TWO].tolist())
    with pytest.raises(ValueError, match="is for a regression, but y holds bools"):
        short(**options).fit(X, TWO == 1)
    with pytest.raises(
        TypeError, match="text 'a' at row .; task='classification' or MLPClassifier takes"
    ):
        short(task="regression", **options).fit(X, np.array(["a", "b"], object)[TWO])


@pytest.mark.parametrize(
    "options",
    [
        dict(loss="mse"),
        dict(loss="mse", output="tanh"),
        dict(loss="mse", output="sigmoid"),
        dict(output="sigmoid"),
        dict(loss="hinge", output="identity"),
        dict(loss="mae", task="classification", output="softmax"),
        dict(scale_targets=None),
        dict(scale_targets="auto"),
    ],
    ids=str,
)
def test_what_both_take_leaves_whole_numbers_classes(options):
    assert kind_of(short(**options).fit(X, TWO)) == "classification"


# Floats that are classes


@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y.astype("float16"),
        lambda y: y.astype("float32"),
        lambda y: y.astype("float64"),
        lambda y: y.astype("float64")[:, None],
        lambda y: y.astype("float64").tolist(),
        lambda y: [0 if v == 0 else float(v) for v in y.tolist()],
        lambda y: y.astype("float64")[:, None].tolist(),
        lambda y: y.astype("float64").astype(object),
        lambda y: np.where(y == 0, -0.0, y),
    ],
)
def test_floats_are_two_classes_and_train_the_same_model_as_ints(convert):
    for low in (0, -1):
        ints = np.where(TWO == 0, low, 1)
        model, plain = quick().fit(X, convert(ints)), quick().fit(X, ints)
        assert np.array_equal(model.parameters_, plain.parameters_)
        assert model.classes_.tolist() == [low, 1] and model.score(X, convert(ints)) > 0.95
        assert np.asarray(model.classes_).dtype == np.asarray(convert(ints)).dtype
        assert np.array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_floats_of_data_frames_are_two_classes():
    pandas = pytest.importorskip("pandas")
    labels = pandas.Series([*TWO.tolist(), None])
    gone = labels.dropna()
    for y in (gone, gone.astype("Float64"), gone.astype("Float32"), gone.to_frame()):
        assert quick().fit(X, y).classes_.tolist() == [0, 1]


@pytest.mark.parametrize(
    "options",
    [
        dict(loss="sparse_categorical_crossentropy"),
        dict(loss="categorical_crossentropy"),
        dict(loss="hinge"),
        dict(class_weight="balanced"),
        dict(class_weight={0: 2, 2.0: 3}),
        dict(label_smoothing=0.1),
        dict(output="softmax"),
        dict(output="softmax", loss="mse"),
    ],
)
@pytest.mark.parametrize("y", [FLOATS, FLOATS.astype("float32")[:, None], FLOATS.tolist()])
def test_what_only_classifiers_take_makes_whole_floats_classes(options, y):
    model, plain = short(**options).fit(X, y), short(**options).fit(X, THREE)
    assert np.array_equal(model.parameters_, plain.parameters_)
    assert model.classes_.tolist() == [0, 1, 2] and model.classes_.dtype.kind == "f"


@pytest.mark.parametrize("low", [0.0, -1.0, 5.0])
@pytest.mark.parametrize("output", ["step", "sign"])
def test_the_perceptron_takes_floats_for_classes(output, low):
    y = np.where(TWO == 0, low, 1.0)
    assert MLP((), output=output, epochs=1).fit(X, y).classes_.tolist() == sorted([low, 1])
    assert MLP((), loss="perceptron", epochs=1).fit(X, y).classes_.tolist() == sorted([low, 1])


def test_binary_crossentropy_takes_0_and_1_for_classes_and_shares_for_numbers():
    classes = quick(loss="binary_crossentropy").fit(X, TWO.astype("float32"))
    assert classes.predict_proba(X).shape == (200, 2) and classes.score(X, TWO) > 0.95
    assert kind_of(short(loss="binary_crossentropy").fit(X, np.where(TWO == 0, -1.0, 1.0))) == (
        "classification"
    )
    for shares in (np.clip(TWO, 0.1, 0.9), np.where(X[:, 0] > 1, 0.5, TWO), TWO / 2):
        assert kind_of(short(loss="binary_crossentropy").fit(X, shares)) == "regression"


def test_columns_of_0_and_1_are_several_labels_a_row_with_a_loss_for_classes():
    floats = np.column_stack((TWO, X[:, 1] > 0)).astype(float)
    for options in (
        dict(loss="binary_crossentropy"),
        dict(loss="hinge"),
        dict(label_smoothing=0.1),
    ):
        model, plain = short(**options).fit(X, floats), short(**options).fit(X, floats.astype(int))
        assert kind_of(model) == "multilabel"
        assert np.array_equal(model.parameters_, plain.parameters_)
    with pytest.warns(UserWarning, match="2 columns of 0 and 1 and is taken for numbers"):
        assert kind_of(short().fit(X, floats)) == "regression"
    assert kind_of(short(loss="binary_crossentropy").fit(X, floats / 2)) == "regression"


@pytest.mark.parametrize(
    "options, y",
    [
        (dict(task="regression"), TWO.astype(float)),
        (dict(loss="poisson"), FLOATS),
        (dict(loss="poisson"), TWO.astype(float)),
        (dict(output="tanh"), TWO * 2.0 - 1),
        (dict(output="relu"), FLOATS),
        (dict(), LINE),
        (dict(), np.round(LINE * 20)),  # many values
        (dict(), np.where(np.arange(200) % 40 == 7, np.arange(200) / 3, TWO)),  # more than a few
        (dict(), np.where(np.arange(200) == 7, 5.5, 0.0)),
        (dict(), np.where(TWO == 0, 0.0, 0.5)),
        (dict(task="regression"), FLOATS),
    ],
)
def test_other_floats_are_a_regression_without_a_word(options, y):
    assert kind_of(short(**options).fit(X, y)) == "regression"


@pytest.mark.parametrize(
    "y, n",
    [
        (FLOATS, 3),
        (FLOATS.astype("float16"), 3),
        (FLOATS[:, None], 3),
        (FLOATS.tolist(), 3),
        (TWO + 1.0, 2),
        (np.where(TWO == 0, -5.0, 1000.0), 2),
        (np.arange(200) % 20.0, 20),
        ([Decimal(int(v)) for v in THREE], 3),
        (np.array([Fraction(int(v)) for v in THREE], object), 3),
    ],
)
def test_few_different_whole_floats_are_worth_a_warning(y, n):
    message = f"only {n} different whole values .*task='classification'.*task='regression'"
    with pytest.warns(UserWarning, match=message):
        model = short().fit(X, y)
    assert kind_of(model) == "regression"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kind_of(short(task="regression").fit(X, y)) == "regression"
        assert kind_of(short(task="classification").fit(X, y)) == "classification"


def test_a_fit_that_goes_on_keeps_the_task_without_a_warning():
    model = short(warm_start=True)
    with pytest.warns(UserWarning, match="3 different whole values"):
        model.fit(X, FLOATS)
    model.fit(X, TWO.astype(float)).partial_fit(X, FLOATS).partial_fit(X, THREE)
    assert kind_of(model) == "regression"
    two = short(warm_start=True).fit(X, TWO.astype(float))
    two.fit(X, TWO).partial_fit(X[:20], np.zeros(20)).partial_fit(X, TWO.astype("float32"))
    assert kind_of(two) == "classification"
    stream = short().partial_fit(X[:5], np.zeros(5), classes=[0, 1, 2])
    assert stream.partial_fit(X, FLOATS).classes_.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="unknown class 2.5 at row 0"):
        short().partial_fit(X, LINE * 0 + 2.5, classes=[0, 1])
    with pytest.raises(ValueError, match="label_smoothing is for .*, but this is a regression"):
        model.set_params(label_smoothing=0.1).fit(X, FLOATS)


@pytest.mark.parametrize(
    "options, y, message",
    [
        (
            dict(loss="hinge"),
            LINE,
            "'hinge' is for classification, but y holds floats and",
        ),
        (dict(loss="perceptron"), LINE, "y holds floats and is taken for numbers to predict"),
        (dict(class_weight="balanced"), LINE, "class_weight is for classification, but y holds"),
        (dict(label_smoothing=0.1), LINE, "label_smoothing is for classification, but y holds"),
        (dict(loss="sparse_categorical_crossentropy"), LINE, "task='classification' takes them"),
        (dict(loss="hinge"), np.column_stack((LINE, LINE)), "takes columns of 0 and 1"),
        (
            dict(output="softmax"),
            LINE,
            "'softmax' of a single number .*output='identity' is for numbers",
        ),
        (dict(loss="binary_crossentropy"), TWO + 1.0, "2.0 at row .* and y holds floats"),
        (dict(loss="binary_crossentropy"), FLOATS, "takes targets from 0 to 1, and y holds floats"),
        (dict(loss="hinge", task="regression"), LINE, "but this is a regression"),
        (dict(class_weight={0: 1}, task="regression"), LINE, "but this is a regression"),
        (dict(class_weight={0: 1}), np.array([0, 1, np.nan] * 2), "y has nan at row 2"),
        (dict(loss="hinge"), np.array([0, 1, np.inf] * 2), "y has inf at row 2"),
        (dict(loss="hinge"), np.zeros(6), "one class only, 0.0.*partial_fit.*task='regression'"),
    ],
)
def test_errors_speak_of_what_y_holds(options, y, message):
    with pytest.raises(ValueError, match=message):
        short(**options).fit(X[: len(y)], y)


# One-hot rows


@pytest.mark.parametrize(
    "y", [ONE_HOT, ONE_HOT.astype(int), ONE_HOT.astype("uint8"), ONE_HOT > 0, ONE_HOT.tolist()]
)
def test_one_hot_rows_taken_for_something_else_are_worth_a_warning(y):
    for options in (dict(), dict(task="classification"), dict(loss="mse")):
        if options.get("task") and np.asarray(y).dtype.kind == "f":
            y = ONE_HOT.astype(int)
        with pytest.warns(UserWarning, match="a single 1.*'categorical_crossentropy'"):
            short(**options).fit(X, y)
    short(loss="categorical_crossentropy").fit(X, y)
    short(task="classification", loss="binary_crossentropy").fit(X, y)
    short(task="regression").fit(X, y)


def test_a_table_of_dummies_is_one_hot():
    pandas = pytest.importorskip("pandas")
    with pytest.warns(UserWarning, match="a single 1, .*3 columns are taken for several labels"):
        short().fit(X, pandas.get_dummies(np.array(["a", "b", "c"])[THREE]))


@pytest.mark.parametrize(
    "y",
    [
        np.eye(2, dtype=int)[TWO[:9]],
        np.where(np.arange(200)[:, None] % 9 == 0, 0, ONE_HOT).astype(int),
        np.where(np.arange(200)[:, None] == 9, 1, ONE_HOT).astype(int),
        ONE_HOT / 2,
        np.column_stack((TWO, TWO, TWO)),
    ],
)
def test_other_columns_are_not_one_hot(y):
    short().fit(X[: len(y)], y)


@pytest.mark.parametrize(
    "convert", [float, int, bool, lambda y: 2.0 * y - 1], ids=["float", "int", "bool", "signs"]
)
@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("zeros", [0, 4])
def test_one_hot_rows_of_any_kind_are_worth_a_warning(convert, n, zeros):
    y = np.eye(n, dtype=int)[THREE % n]
    y[:zeros] = 0
    y = y.astype(convert) if isinstance(convert, type) else convert(y)
    cure = "y.argmax" if zeros or y.min() < 0 else "categorical_crossentropy'.*y.argmax"
    rows = "4 rows without" if zeros else "a single 1, as"
    with pytest.warns(UserWarning, match=f"{rows}.* {n} columns are taken for .*{cure}"):
        short().fit(X, y)


@pytest.mark.parametrize("no", [0, -1])
def test_columns_of_floats_that_may_be_labels_are_worth_a_warning(no):
    y = np.where(np.column_stack((TWO, X[:, 1] > 0, X[:, 2] > 0)), 1.0, no)
    given = "give y" if no == 0 else r"give \(y \+ 1\) / 2"
    with pytest.warns(UserWarning, match=f"3 columns of {no} and 1 .*{given} with task='class"):
        assert kind_of(short().fit(X, y)) == "regression"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        short(task="regression").fit(X, y)
        short(loss="mae").fit(X, y)


STREAMS = {
    "two": (TWO * 1.0, "only 2 different whole values"),
    "signs": (TWO * 2.0 - 1, "only 2 different whole values"),
    "three": (FLOATS, "only 3 different whole values"),
    "one hot": (ONE_HOT, "as one-hot classes do"),
    "two columns": (np.eye(2)[TWO], "as one-hot classes do"),
    "labels": (np.column_stack((TWO, X[:, 1] > 0)) * 1.0, "2 columns of 0 and 1"),
}


@pytest.mark.parametrize("name, step", [
    *((name, 1) for name in STREAMS), ("three", 4), ("one hot", 4), ("labels", 4),
])  # fmt: skip
def test_a_stream_says_at_its_tenth_row_what_else_y_may_mean(name, step):
    y, message = STREAMS[name]
    model = short()
    for first in range(0, 60, step):
        part = slice(first, first + step)
        if first < 10 <= first + step:
            with pytest.warns(UserWarning, match=message) as caught:
                model.partial_fit(X[part], y[part])
            assert len(caught) == 1
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                model.partial_fit(X[part], y[part])
    assert kind_of(model) == "regression"


def test_a_stream_with_classes_or_a_task_is_not_asked():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for options, classes in (({}, range(100)), ({"task": "regression"}, None)):
            model = short(**options)
            for i in range(12):
                model.partial_fit(X[i : i + 1], FLOATS[i : i + 1], classes=classes)


# Softmax


@pytest.mark.parametrize("y", [ONE_HOT, ONE_HOT.astype(int), np.eye(2)[TWO], 0.8 * ONE_HOT + 0.1])
@pytest.mark.parametrize("options", [{}, {"task": "classification"}, {"loss": "mse"}], ids=str)
def test_softmax_takes_rows_of_class_probabilities_for_one_class_each(y, options):
    y = y / y.sum(axis=1, keepdims=True)
    model = short(output="softmax", **options).fit(X, y)
    assert kind_of(model) == "classification" and model._fitted.task.one_hot
    if not options:
        same = short(loss="categorical_crossentropy").fit(X, y)
        assert np.array_equal(model.parameters_, same.parameters_)


@pytest.mark.parametrize("y", [
    np.column_stack((LINE, LINE)), np.column_stack((TWO, TWO)), np.column_stack((TWO, 2 - TWO)),
])  # fmt: skip
def test_softmax_refuses_other_columns(y):
    with pytest.raises(ValueError, match="rows of class probabilities.* in row 0.*'identity'"):
        short(output="softmax").fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what softmax does not reach
        model = short(output="softmax", task="regression").fit(X, y)
    assert kind_of(model) == "regression"


# Outputs that do not go with y


def test_errors_name_what_the_user_has_given():
    for options in (dict(output="sigmoid"), dict(hidden=(), output="step")):
        (output,) = (options["output"],)
        with pytest.raises(ValueError, match=f"3 classes, and .*'{output}'.*task='regression'"):
            short(**options).fit(X, THREE)
        with pytest.raises(ValueError, match="3 classes.* softmax for them$"):
            short(task="classification", **options).fit(X, THREE)
    with pytest.raises(ValueError, match="2 columns of 0 and 1.*output 'step'.*task='regression'"):
        short(output="step").fit(X, np.column_stack((TWO, TWO)))
    with pytest.raises(ValueError, match="always 1: output='identity' is for numbers"):
        short(output="softmax").fit(X, LINE)


def test_one_amount_is_told_that_it_may_be_a_regression():
    for y in ([300], np.array([300], "uint16")):
        for train in (short(loss="auto").partial_fit, short().fit):
            with pytest.raises(
                ValueError, match="one class only.*task='regression' if y holds num"
            ):
                train(X[:1], y)
    with pytest.raises(ValueError, match="one class only.*classes=\\[0, 1\\]\\)$"):
        short().partial_fit(X[:1], ["a"])


# Amounts taken for classes


COUNTS = np.arange(200) * 7 % 40


@pytest.mark.parametrize(
    "y, message",
    [
        (COUNTS, r"40 classes in 200 rows; .*task='regression'.*task='classification'"),
        (COUNTS.astype("uint8"), "40 classes in 200 rows; .*task='regression'"),
        (COUNTS.astype(object), "40 classes in 200 rows; .*task='regression'"),
        (COUNTS.tolist(), "40 classes in 200 rows; .*task='regression'"),
        (np.arange(200), "200 classes in 200 rows"),
        (np.array([f"id{n}" for n in COUNTS]), "40 classes .* look like identifiers"),
        (np.array([f"id{n}" for n in COUNTS], object), "40 classes .* look like identifiers"),
        (np.array([b"id%d" % n for n in COUNTS]), "40 classes .* look like identifiers"),
        (COUNTS.astype(str), r"texts that are numbers, such as '0'.*y.astype\(float\)"),
        ([f"{n / 2}" for n in THREE], "texts that are numbers, such as '0.0'"),
        (np.array(["1.5", "1e3"])[TWO], "texts that are numbers, such as '1.5'"),
    ],
)
def test_amounts_and_identifiers_taken_for_classes_are_worth_a_warning(y, message):
    with pytest.warns(UserWarning, match=message):
        short().fit(X, y)
    short(task="classification").fit(X, y)


def test_categories_are_counted_too():
    pandas = pytest.importorskip("pandas")
    for y in (COUNTS, COUNTS.astype(str)):
        with pytest.warns(UserWarning, match="texts that are numbers|40 classes in 200 rows"):
            short().fit(X, pandas.Series(y).astype("category"))


@pytest.mark.parametrize("y", [np.arange(200) % 10, np.arange(200) % 20, np.arange(8)])
def test_classes_with_ten_rows_each_or_ten_classes_are_no_amounts(y):
    short().fit(X[: len(y)], y)
    short().partial_fit(X, COUNTS, classes=range(40))


# Outputs that do not reach y


@pytest.mark.parametrize(
    "output, y, span",
    [
        ("sigmoid", LINE, "'sigmoid' from 0 to 1"),
        ("tanh", LINE, "'tanh' from -1 to 1"),
        ("hard_sigmoid", LINE, "'hard_sigmoid' from 0 to 1"),
        ("relu", LINE, "'relu' from 0 upwards"),
        ("softplus", LINE, "'softplus' from 0 upwards"),
        ("exp", LINE, "'exp' from 0 upwards"),
        ("gelu", LINE, "'gelu' from -0.17 upwards"),
        (ELU(0.5), LINE, "'elu' from -0.5 upwards"),
        ("softmax", np.column_stack((LINE, LINE)), "'softmax' from 0 to 1"),
        ("sigmoid", TWO * 0.5 + 0.75, "'sigmoid' from 0 to 1"),
    ],
)
def test_an_output_that_does_not_reach_y_is_worth_a_warning(output, y, span):
    low, high = np.min(y), np.max(y)
    with pytest.warns(UserWarning, match=f"y reaches from {low:.4g} to {high:.4g}, the .*{span}"):
        short(output=output, loss="mse", task="regression").fit(X, y)


@pytest.mark.parametrize(
    "output, y",
    [
        ("sigmoid", (LINE - LINE.min()) / np.ptp(LINE)),
        ("tanh", LINE / np.abs(LINE).max()),
        ("relu", np.abs(LINE)),
        ("leaky_relu", LINE),
        (ELU(20.0), LINE),
        ("identity", LINE),
        ("exp", np.abs(LINE)),
    ],
)
def test_an_output_that_reaches_y_is_fine(output, y):
    short(output=output, loss="mse").fit(X, y)


@pytest.mark.parametrize("output", [o for o in _activations.names() if o != "softmax"])
def test_the_reach_of_an_activation_is_that_of_its_values(output):
    low, high = output_range(output, None)
    a = F.activation(output, np.linspace(-300, 300, 60_001)[None])
    assert low <= a.min() + 1e-9 and a.max() <= high + 1e-9
    assert low == -np.inf or a.min() < low + 1e-4
    assert high == np.inf or a.max() > high - 1e-4


@pytest.mark.parametrize("y", [LINE, LINE[:, None], LINE.astype("float32"), LINE.tolist(), THREE])
def test_softmax_of_a_single_number_is_refused(y):
    with pytest.raises(ValueError, match="'softmax' of a single number a row is always 1"):
        short(output="softmax", task="regression", loss="mse").fit(X, y)


@pytest.mark.parametrize(
    "make", [lambda: MLPClassifier(4, epochs=1), lambda: MLP(4, epochs=1, task="classification")]
)
def test_measurements_as_classes_are_said_and_scores_of_few_levels_are_not(make):
    rng = np.random.default_rng(0)
    features, levels = rng.normal(size=(300, 3)), np.arange(300) % 12 / 2
    with pytest.warns(
        UserWarning, match="y holds 300 different numbers with fractions in 300 rows"
    ):
        make().fit(features, features[:, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make().fit(features, levels)
        make().fit(features, np.arange(300.0))
