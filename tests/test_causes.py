"""Likely causes, measured on data, network and training: each is named first, with its cure, and
sound cases are left in peace."""

import itertools
import re
import warnings

import numpy as np
import pytest
from cnn_core.datasets import load_digits
from cnn_core.initializers import Initializer, Normal, Zeros
from cnn_core.schedules import Cosine

from cnn_core import MLP, SGD

RNG = np.random.default_rng(0)
X = RNG.normal(size=(500, 4))
TWO = (X[:, 0] + X[:, 3] > 0).astype(int)
THREE = np.digitize(X[:, 0], [-0.5, 0.5])
LINE = X @ [1.0, 2.0, -1.0, 0.5]
HARD = ((X[:, 0] > 0) ^ (X[:, 1] > 0)).astype(int)
PLAIN = dict(scale_inputs=None, scale_targets=None, random_state=0)


def diagnosis(X, y, rows=None, **options):
    """What evaluate says, without the warnings of the fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLP(**dict(hidden=16, epochs=30) | PLAIN | options).fit(X, y)
        return model.evaluate(*(rows or (X, y)))["diagnosis"]


def begins(text, pattern):
    assert re.match(pattern, text), text


# Inputs

AUTO = r"scale_inputs='auto' is likely to help\. "


@pytest.mark.parametrize("inputs, words", [
    (X * [1, 1e3, 1e6, 1e-3] + [0, 5e3, 0, 7], r"Features differ in size, from 0\.001 \(column 3"),
    (X * [1, 1, 500, 1], r"Features differ in size, .* \(column 2\): "),
    (X + 1000, r"Column \d lies .* standard deviations from 0: "),
    (X * 1e-6, r"Column \d has the standard deviation 1e-06: "),
    (RNG.integers(0, 256, (500, 4)), r"Column \d has the standard deviation 7"),
    (np.column_stack((X[:, :3], 20180101 + np.arange(500) % 365)), r"Features differ in size"),
    (np.column_stack((X[:, :3], np.full(500, 1e4))), r"Column 3 is 1e\+04 in every row: "),
])  # fmt: skip
def test_unscaled_inputs_are_named_first(inputs, words):
    text = diagnosis(inputs, HARD, epochs=10)
    begins(text, words)
    assert re.search(AUTO, text) and "more epochs" not in text and "larger net" not in text


def test_inputs_are_named_by_their_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X * [1, 1e4, 1, 1], columns=["age", "income", "height", "weight"])
    assert "('income')" in diagnosis(frame, HARD, epochs=10)


@pytest.mark.parametrize("inputs", [
    X, np.column_stack((X, np.arange(500) == 3)), X * [1, 2, 0.5, 1] + 0.5,
    (RNG.uniform(size=(500, 64)) ** 20 * 16).round() / 16,
])  # fmt: skip
def test_sound_inputs_are_not_blamed(inputs):
    text = diagnosis(inputs, RNG.integers(0, 2, 500), epochs=3)
    assert "scale_inputs" not in text and "may be underfitting" in text


def test_a_model_that_scales_is_not_told_to():
    wild = X * [1, 1e3, 1e6, 1e-3] + [0, 5e3, 0, 7]
    for kind in ("auto", "standard", "minmax", "robust"):
        assert "scale_inputs" not in diagnosis(wild, RNG.integers(0, 2, 500), scale_inputs=kind)
    outlier = np.vstack((X, [0, 0, 1e7, 0]))
    for kind in ("standard", "minmax"):
        text = diagnosis(outlier, np.append(RNG.integers(0, 2, 500), 0), scale_inputs=kind)
        begins(text, r"Column 2 of X has an entry .*: scale_inputs='robust_asinh'")


def test_features_that_are_constant_teach_nothing():
    text = diagnosis(np.ones((100, 3)), np.arange(100) % 2)
    begins(text, "All features are constant")
    assert "do not depend" not in text


# Targets


@pytest.mark.parametrize("y, words", [
    (300 + LINE, r"y has mean 299\.9 and standard deviation 2\.4: "),
    (20000 + 1000 * LINE, r"y has mean 1\.988e\+04 and"),
    (1e5 * LINE, r"y has mean .* and standard deviation 2\.\de\+05"),
    (1e-3 * LINE * X[:, 1], r"y has mean .* and standard deviation 0\.00"),
    (np.column_stack((LINE, LINE * 1e4)), r"column 1 of y has mean"),
    (np.column_stack((LINE, 0.15 * LINE * X[:, 0])) * [4, 0.4], r"Columns of y spread from"),
    (3e8 + 1e8 * LINE, r"y has mean 2\.\d+e\+08"),
])  # fmt: skip
def test_targets_far_from_0_or_1_are_named_first(y, words):
    text = diagnosis(X, y, epochs=5)
    begins(text, words)
    assert "scale_targets='standard' is likely to help." in text
    assert "overfitting" not in text and "more epochs" not in text


def test_sound_or_scaled_targets_are_not_blamed():
    for options in ({}, dict(scale_targets="auto")):
        assert "scale_targets" not in diagnosis(X, LINE * X[:, 1], epochs=3, **options)
    assert "scale_targets" not in diagnosis(X, 1e5 * LINE * X[:, 1], scale_targets="auto", epochs=3)
    counts = RNG.poisson(300, 500) * 1.0
    assert "scale_targets" not in diagnosis(X, counts, loss="poisson", task="regression")


@pytest.mark.parametrize("output, y", [
    ("sigmoid", LINE), ("tanh", 3 * LINE), ("relu", LINE - 5), ("softplus", LINE - 5),
    ("hard_sigmoid", 2 + LINE), ("exp", -np.abs(LINE)),
])  # fmt: skip
def test_an_output_that_cannot_reach_y_is_named(output, y):
    text = diagnosis(X, y, output=output, epochs=10)
    assert re.search(rf"y reaches from \S+ to \S+, the output '{output}' from", text), text
    assert "no sign" not in text.lower()


# Units and gradients


class Same(Initializer):
    """Every weight the same."""

    def __init__(self):
        self._set()

    def weights(self, seed, layer, n_in, n_out, activation, alpha):
        return np.full((n_out, n_in), 0.2)


def layers(*widths, value=0.3):
    return [
        (np.full((n_out, n_in), value), np.zeros(n_out))
        for n_in, n_out in itertools.pairwise(widths)
    ]


ALIKE = [
    dict(hidden=8, init="zeros"), dict(hidden=8, init="zeros", activation="sigmoid"),
    dict(hidden=(8, 4), init=Zeros(), activation="tanh"), dict(hidden=8, init=Same()),
    dict(hidden=8, init=layers(4, 8, 1)), dict(hidden=(5, 3), init=layers(4, 5, 3, 1)),
    dict(hidden=8, init=Same(), optimizer="sgd"), dict(hidden=8, init=Same(), backend="python"),
]  # fmt: skip


@pytest.mark.parametrize("options", ALIKE, ids=str)
def test_units_that_begin_alike_are_named_by_fit_and_by_evaluate(options, capsys):
    model = MLP(**dict(epochs=3) | PLAIN | options)
    words = r"All \d units of hidden layer 1 have the same weights: .* init .* 'auto', is the cure"
    with pytest.warns(UserWarning, match=words) as caught:
        model.fit(X[:100], HARD[:100])
    assert len(caught) == 1 and caught[0].filename == __file__
    text = model.evaluate(X[:100], HARD[:100])["diagnosis"]
    begins(text, words)
    assert "larger net" not in text and "learn no more" not in text
    print(model.summary())
    assert "hidden layer 1 have the same weights" in capsys.readouterr().out


def test_units_in_groups_are_alike_too():
    W = np.repeat([[0.1, 0.2, 0.3, 0.4], [0.4, 0.1, 0.2, 0.3]], 4, axis=0)
    init = [(W, np.zeros(8)), (np.full((1, 8), 0.1), [0.0])]
    with pytest.warns(UserWarning, match="8 units of hidden layer 1 are only 2 different ones"):
        MLP(8, init=init, epochs=1).fit(X, HARD)


@pytest.mark.parametrize("options", [
    dict(hidden=(), init="zeros"), dict(hidden=8, init=Normal(0.01)), dict(hidden=8),
    dict(hidden=1, init=layers(4, 1, 1)), dict(hidden=2, init=[
        (np.full((2, 4), 0.1), [0, 0]), ([[0.1, -0.1]], [0])]),
], ids=str)  # fmt: skip
def test_units_that_differ_or_stand_alone_are_not_told(options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MLP(**dict(epochs=3) | PLAIN | options).fit(X, HARD)
    assert "same weights" not in model.evaluate(X, HARD)["diagnosis"]


def with_biases(layer, value, **options):
    """A model whose biases of a layer are moved by a number."""
    model = MLP(**dict(hidden=(8, 8), epochs=1) | PLAIN | options).fit(X, LINE)
    biases = [b.copy() for b in model.biases_]
    biases[layer] += value
    model.biases_ = biases
    return model


@pytest.mark.parametrize("hidden, layer", [(8, 0), ((8, 8), 0), ((8, 8), 1), ((8, 1), 1), (1, 0)])
def test_dead_units_are_named(hidden, layer):
    text = with_biases(layer, -100, hidden=hidden).evaluate(X, LINE)["diagnosis"]
    begins(
        text, rf"100% of the units of hidden layer {layer + 1} are 0 for every row .* may help\."
    )
    assert "every row gets the same answer" in text and "more epochs" not in text


def test_a_narrow_net_that_dies_in_training_is_told():
    told = 0
    for seed in range(10):
        text = diagnosis(X[:, :3], LINE, hidden=(8, 1), random_state=seed, optimizer=SGD(0.5))
        told += "are 0 for every row" in text
    assert told >= 3


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "hard_sigmoid"])
@pytest.mark.parametrize("size", [30, -30])
def test_saturated_units_are_named(activation, size):
    text = with_biases(0, size, activation=activation).evaluate(X, LINE)["diagnosis"]
    begins(text, r".*100% of the units of hidden layer 1 (are saturated|are 0 for every row)")


def test_large_inputs_saturate():
    text = diagnosis(X * 300, HARD, activation="tanh", epochs=5)
    begins(
        text,
        r"Column \d has .* \d+% of the units of hidden layer 1 are saturated: their tanh is -1",
    )


@pytest.mark.parametrize("options", [
    dict(hidden=(16,) * 8, activation="sigmoid"), dict(hidden=(16,) * 5, activation="hard_sigmoid"),
    dict(hidden=(8,) * 12, activation="sigmoid", init="normal"),
    dict(hidden=(8,) * 6, activation="tanh", init=Normal(0.03)),
    dict(hidden=(8,) * 6, activation="leaky_relu", init=Normal(0.03)),
])  # fmt: skip
def test_a_gradient_that_vanishes_is_named(options):
    text = diagnosis(X, TWO, optimizer="sgd", epochs=3, **options)
    begins(text, r"The gradient vanishes: on its way down through \d+ hidden layers")


def test_a_gradient_that_explodes_is_named():
    options = dict(hidden=(32,) * 6, activation="identity", init=Normal(2.0), learning_rate=1e-5)
    begins(diagnosis(X, LINE, epochs=1, **options), "The gradient explodes")


def test_a_few_rows_do_not_make_units_dead():
    text = diagnosis(X, HARD, rows=(X[:3], HARD[:3]), epochs=2)
    assert "for every row" not in text and "every row gets" not in text


# Training


@pytest.mark.parametrize("options", [
    dict(learning_rate=1e-8), dict(optimizer=SGD(1e-9)), dict(optimizer="rmsprop",
    learning_rate=1e-9), dict(learning_rate=Cosine(), optimizer=SGD(1e-7)),
    dict(optimizer="adadelta", learning_rate=1e-6), dict(optimizer="adamw", learning_rate=1e-7),
], ids=str)  # fmt: skip
def test_a_rate_at_which_nothing_moves_is_named(options, capsys):
    text = diagnosis(X, TWO, **options)
    begins(text, r"The learning rate \S+ is \S+ times smaller than \w+'s own, .*take a larger one")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        print(MLP(16, epochs=5, **PLAIN | options).fit(X, TWO).summary())
    assert "take a larger one" in capsys.readouterr().out


def test_a_rate_at_which_the_loss_jumps_is_named():
    text = diagnosis(X, RNG.normal(size=500), learning_rate=30.0)
    assert "times adam's own, 0.001: in 30 epochs the loss went from" in text
    assert "take a smaller one" in text


def test_usual_rates_are_not_blamed():
    for options in ({}, dict(optimizer=SGD(0.1)), dict(learning_rate=1e-4)):
        assert "learning rate 0" not in diagnosis(X, RNG.integers(0, 2, 500), **options)


@pytest.mark.parametrize("options, words", [
    (dict(l2=10.0), "l2=10 keeps the weights near 0"), (dict(l1=1.0), "l1=1 keeps the weights"),
    (dict(dropout=0.95), "dropout=0.95 leaves out nearly everything"),
    (dict(dropout=(0.9, 0.0)), "dropout=0.9 leaves out"),
    (dict(max_norm=1e-4), "max_norm=0.0001 keeps all weights"),
    (dict(clip_norm=1e-6, optimizer="sgd"), "clip_norm=1e-06 shortens each step"),
    (dict(l2=1.0), "l2=1 keeps the weights"),
])  # fmt: skip
def test_regularisation_that_leaves_no_room_is_named(options, words):
    begins(diagnosis(X, HARD, **options), words)


# The order of the rows

BY_CLASS, BY_THREE = np.argsort(TWO, kind="stable"), np.argsort(-THREE, kind="stable")
NEARLY = BY_CLASS.copy()
NEARLY[[3, 450]] = NEARLY[[450, 3]]


@pytest.mark.parametrize("order, y, words", [
    (BY_CLASS, TWO, "sorted by class"), (BY_THREE, THREE, "sorted by class"),
    (BY_CLASS[::-1], TWO, "sorted by class"), (NEARLY, TWO, "sorted by class"),
    (BY_THREE, np.array(["a", "b", "c"])[THREE], "sorted by class"),
    (BY_THREE, np.eye(3)[THREE], "sorted by class"),
    (BY_CLASS, np.column_stack((TWO, TWO)), "sorted by class"),
    (np.argsort(LINE), LINE, "in the order of y"), (np.argsort(-LINE), LINE, "in the order of y"),
])  # fmt: skip
def test_sorted_rows_that_are_not_shuffled_are_told_once_by_fit_and_by_evaluate(order, y, words):
    options = dict(hidden=8, epochs=3, shuffle=False, random_state=0)
    if y.ndim == 2 and y.dtype == float:
        options["loss"] = "categorical_crossentropy"
    model = MLP(**options)
    with pytest.warns(UserWarning, match=f"{words}.* shuffle=True is the cure") as caught:
        model.fit(X[order], y[order])
    assert len(caught) == 1 and caught[0].filename == __file__
    begins(model.evaluate(X[order], y[order])["diagnosis"], f"The rows come .*{words}")


@pytest.mark.parametrize("order, y, options", [
    (BY_CLASS, TWO, dict(shuffle=True)), (BY_CLASS, TWO, dict(batch_size="full")),
    (BY_CLASS, TWO, dict(batch_size=500)), (BY_CLASS, TWO, dict(optimizer="rprop")),
    (np.arange(500), TWO, {}), (np.arange(500), THREE, {}), (np.arange(500), LINE, {}),
    (np.arange(500), (LINE > 4.5).astype(int), {}),
    (np.arange(500), np.arange(500) % 2, {}), (np.arange(500), np.arange(500) // 5 % 3, {}),
    (np.arange(500), np.sin(np.arange(500)), {}),
])  # fmt: skip
def test_mixed_or_shuffled_rows_are_not_told(order, y, options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLP(**dict(hidden=8, epochs=1, shuffle=False, task="auto") | options).fit(
            X[order], y[order]
        )


def stream(parts, y=TWO, **options):
    """What partial_fit warns of, call after call."""
    model, said = MLP(8, random_state=0, **options), []
    for rows in parts:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.partial_fit(X[rows], y[rows], classes=np.unique(y))
        said.append([str(warning.message) for warning in caught])
    return model, said


ZEROS, ONES = np.flatnonzero(TWO == 0), np.flatnonzero(TWO == 1)
MIXED = np.arange(500)


@pytest.mark.parametrize("parts", [
    [ZEROS, ONES], [*np.split(ZEROS[:200], 10), *np.split(ONES[:200], 10)],
    [*ZEROS[:30, None], *ONES[:30, None]], [ZEROS[:20], ONES[:20], ZEROS[20:40], ONES[20:40]],
    [MIXED[:50], ZEROS[:30], ONES[:30], MIXED[:50]],
], ids=range(5))  # fmt: skip
def test_a_stream_by_class_is_told_once(parts):
    model, said = stream(parts)
    told = [words for words in said if words]
    assert len(told) == 1 and len(told[0]) == 1
    assert "bring the classes one after the other" in told[0][0]
    if len(parts[-1]) < 50:
        begins(model.evaluate(X, TWO)["diagnosis"], "The calls of partial_fit bring the classes")


@pytest.mark.parametrize("parts", [
    np.split(MIXED, 10), MIXED[:200, None], [ZEROS], [ZEROS[:5], ONES[:5], ZEROS[5:9], ONES[5:9]],
    [ZEROS, MIXED, ONES], np.split(ZEROS[:200], 5),
], ids=range(6))  # fmt: skip
def test_a_mixed_stream_is_not_told(parts):
    assert not any(stream(parts)[1])


def test_a_stream_of_one_common_class_and_a_rare_one_is_not_told():
    y = (np.arange(500) % 50 == 49).astype(int)
    assert not any(stream(np.split(MIXED, 20), y)[1])


# Few steps, other rows, outliers


@pytest.mark.parametrize("options", [
    dict(epochs=1), dict(epochs=20, batch_size="full"), dict(epochs=3, batch_size=100),
    dict(epochs=10, batch_size=32, early_stopping=False), dict(epochs=2, optimizer="sgd"),
], ids=str)  # fmt: skip
def test_few_steps_are_named(options, capsys):
    text = diagnosis(X[:200], HARD[:200], **options)
    assert re.search(r"; only \d+ steps were taken, so more epochs or a smaller batch_size", text)


@pytest.mark.parametrize("options", [
    dict(epochs=200), dict(epochs=20, optimizer="rprop"), dict(epochs=5, optimizer="lbfgs"),
    dict(epochs=500, early_stopping=True, patience=1),
], ids=str)  # fmt: skip
def test_enough_steps_are_not_told(options):
    assert "steps were" not in diagnosis(X[:200], RNG.integers(0, 2, 200), **options)


@pytest.mark.parametrize("kind, inputs, rows", [
    ("auto", X, X * 255 + 100), ("auto", X * 255 + 100, X),
    ("standard", X, X + np.array([0, 9, 0, 0])),
    ("minmax", X * 100, X * 100 + 2000), ("robust_clip", X * 10, 1000 * X + 5000),
])  # fmt: skip
def test_rows_in_other_units_than_those_of_training_are_told(kind, inputs, rows):
    text = diagnosis(inputs, TWO, (rows, 1 - TWO), scale_inputs=kind, epochs=100)
    begins(text, "These rows lie elsewhere than those of training, as .*: take the same units")
    assert "overfitting" not in text


def test_rows_like_those_of_training_are_not_told():
    others = np.random.default_rng(1).normal(size=(500, 4))
    for kind in ("auto", "standard", "minmax", "robust", "robust_clip", "robust_asinh", None):
        text = diagnosis(X, TWO, (others, 1 - TWO), scale_inputs=kind, epochs=100)
        begins(text, "may be overfitting")


def test_an_outlier_of_y_is_told():
    y = np.append(LINE[:-1] * X[:-1, 1], 1e6)
    for options in (dict(scale_targets="auto"), dict(scale_targets="auto", output="identity")):
        begins(diagnosis(X, y, epochs=10, **options), r"In training y was 1e\+06 in 1 row, far")
    two = np.column_stack((LINE, y))
    assert "column 1 of y was 1e+06" in diagnosis(X, two, epochs=10, scale_targets="auto")
    y[-1] = 200  # not so far that it is an error for sure
    begins(diagnosis(X, y, epochs=1, scale_targets="auto"), "y has an entry .* standard deviations")
    assert "entry" not in diagnosis(X, y, epochs=10, scale_targets="auto", loss="mae")


def test_counts_that_the_output_is_far_from_are_told():
    y = np.random.default_rng(2).poisson(np.exp(5 + 0.3 * X[:, 0])) * 1.0
    text = diagnosis(X, y, loss="poisson", task="regression", epochs=3)
    begins(text, "y has mean 15.* more epochs, a higher learning rate or smaller units may help")


# Rows that say little


def test_rows_of_one_class_say_little():
    model = MLP(8, epochs=20, random_state=0).fit(X, TWO)
    text = model.evaluate(X[ONES], TWO[ONES])["diagnosis"]
    begins(text, "All these .* rows are of class 1: they do not show")
    assert "fitting" not in text
    model = MLP(8, epochs=20, random_state=0).fit(X, np.array(["a", "b", "c"])[THREE])
    begins(model.evaluate(X[:9], ["b"] * 9)["diagnosis"], "All these 9 rows are of class 'b'")


@pytest.mark.parametrize("y, validation, words", [
    (LINE, (X[:1], LINE[:1]), "a single validation row"),
    (LINE, (X[:9], np.ones(9)), "All validation rows have the same y"),
    (TWO, (X[ONES], TWO[ONES]), "validation rows are of class 1"),
    (THREE, (X[:20], np.full(20, 2)), "All 20 validation rows are of class 2"),
    (np.array(["a", "b"])[TWO], (X[:20], ["b"] * 20), "are of class 'b'"),
])  # fmt: skip
def test_validation_rows_that_say_little_are_told(y, validation, words):
    with pytest.warns(UserWarning, match=words) as caught:
        MLP(8, epochs=2).fit(X, y, validation_data=validation)
    assert len(caught) == 1


def test_other_validation_rows_are_not_told():
    for y, rows in ((LINE, 2), (TWO, 20), (TWO, 1), (THREE, 30)):
        MLP(8, epochs=1).fit(X, y, validation_data=(X[:rows], y[:rows]))


def test_r2_that_means_nothing_is_told_by_evaluate():
    model = MLP(8, epochs=20, random_state=0).fit(X, LINE)
    text = model.evaluate(X[:9], np.full(9, 2.0))["diagnosis"]
    begins(text, "y is the same in all these rows")
    with pytest.warns(RuntimeWarning, match="single row"):
        text = model.evaluate(X[:1], LINE[:1])["diagnosis"]
    begins(text, "One row does not show how good the model is")
    assert "fitting" not in text


def test_a_prediction_worse_than_the_mean_is_told():
    text = diagnosis(X[:20], RNG.normal(size=20), hidden=64, epochs=300, learning_rate=0.01,
                     rows=(X[20:], RNG.normal(size=480)))  # fmt: skip
    assert re.search(r"R2 is -\S+ on these rows, worse than their mean, and \S+ in", text), text


# What is on, and what is about other rows, is not advised


@pytest.mark.parametrize("kind", ["auto", "robust_asinh", "robust_clip"])
def test_outliers_that_the_scaling_tames_are_no_finding(kind):
    outlier = np.vstack((300 * X, [0, 0, 1e7, 0]))
    text = diagnosis(outlier, np.append(RNG.integers(0, 2, 500), 0), scale_inputs=kind)
    assert "entry" not in text and "scale_inputs" not in text


def test_pixels_in_other_units_are_named_where_auto_scales():
    digits, labels = load_digits()
    model = MLP(epochs=3, random_state=0).fit(digits, labels)
    assert "scale_inputs" not in model.evaluate(digits, labels)["diagnosis"]
    text = model.evaluate(digits / 16, labels)["diagnosis"]
    begins(text, "These rows lie elsewhere than those of training, as most features spread 0.0")
    assert "scale_inputs" not in text


NOISY = X[:, 0] + np.sin(2 * X[:, 1])


@pytest.mark.parametrize("rows, words", [
    ((1000 * X, NOISY), "These rows lie elsewhere"), ((X, 1000 * NOISY + 5), "y lies elsewhere"),
    ((X, -NOISY), r"y is about -\S+ times the prediction"),
])  # fmt: skip
@pytest.mark.parametrize("options", [{}, dict(scale_inputs="auto", scale_targets="auto")])
def test_nothing_is_said_after_what_is_right(rows, words, options):
    text = diagnosis(X, NOISY, rows, epochs=60, **options)
    begins(text, words)
    assert "scale_" not in text and "overfitting" not in text
    assert rows[0] is X or "times the prediction" not in text


def test_targets_that_auto_scales_are_not_to_be_scaled():
    y = np.where(np.arange(500) % 20, NOISY, -999.0)
    text = diagnosis(X, y, loss="mae", scale_targets="auto")
    assert "code for a missing entry" in text and "scale_targets" not in text


def test_rows_sorted_in_training_are_named_for_mixed_rows_too(capsys):
    order = np.argsort(HARD, kind="stable")
    with pytest.warns(UserWarning, match="sorted by class"):
        model = MLP(16, epochs=10, shuffle=False, random_state=0).fit(X[order], HARD[order])
    begins(model.evaluate(X, HARD)["diagnosis"], "The rows come sorted by class")
    assert "The rows come sorted by class" in model.summary()
    model = MLP(16, epochs=3, shuffle=False, random_state=0).fit(X, HARD)
    assert "sorted" not in model.evaluate(X[order], HARD[order])["diagnosis"]


def test_smoothing_that_leaves_nothing_is_named():
    model = MLP(16, epochs=10, label_smoothing=0.95, random_state=0).fit(X, THREE)
    words = "label_smoothing=0.95 leaves little of the targets"
    text = model.evaluate(X, THREE)["diagnosis"]
    assert text.startswith(words) == (model.score(X, THREE) < 0.95)
    model = MLP(4, epochs=2, label_smoothing=0.95, random_state=0).fit(X, HARD)
    begins(model.evaluate(X, HARD)["diagnosis"], words)
    assert words in model.summary()


def test_constant_features_are_the_only_finding(capsys):
    with pytest.warns(UserWarning, match="all features are constant in the training rows"):
        model = MLP(8, epochs=20, random_state=0).fit(np.ones((200, 3)), np.arange(200) % 2)
    text = model.evaluate(np.ones((200, 3)), np.arange(200) % 2)["diagnosis"]
    begins(text, "All features are constant in the training rows")
    assert "units" not in text and "learning rate" not in text
    assert "All features are constant in the training rows" in model.summary()


@pytest.mark.parametrize("output", ["softplus", "relu", "exp"])
def test_an_output_whose_targets_are_not_scaled_is_named(output):
    model = MLP(16, epochs=10, output=output, random_state=0).fit(X, 3000 + 100 * NOISY)
    words = r"y has mean [23]\d+ and .*: output='identity', whose targets are scaled, is likely"
    text = model.evaluate(X, 3000 + 100 * NOISY)["diagnosis"]
    begins(text, words)
    assert "learning rate" not in text and text.count("output='identity'") == 1
    assert re.search(words, model.summary())


# Streams of few rows


@pytest.mark.parametrize("size", [1, 7, 50])
def test_a_stream_of_few_rows_is_compared_by_as_many_of_its_rows(size):
    model = MLP(8, random_state=0)
    for i in range(0, 500, size):
        model.partial_fit(X[i : i + size], TWO[i : i + size], classes=[0, 1])
    text = model.evaluate(X, TWO)["diagnosis"]
    assert "overfitting: " not in text.replace("over- or under", ""), text
    shown = float(re.search(r"(\S+) in training", text)[1])
    calls = -(-300 // size)
    assert shown == pytest.approx(np.mean(model.history_["metric"][-calls:]), rel=1e-3)


def test_a_stream_of_few_numbers_is_compared_by_its_loss():
    model = MLP(16, random_state=0)
    for i in range(500):
        model.partial_fit(X[i : i + 1], NOISY[i : i + 1])
    text = model.evaluate(X, NOISY)["diagnosis"]
    assert "R2 is 0 in training" not in text and "overfitting: " not in text
    assert re.search(r"R2 is 0\.\d+ on these rows", text), text


def test_a_class_that_never_came_is_named(capsys):
    model, _ = stream(np.split(ZEROS[:200], 10))
    words = "Class 1 never came in the calls of partial_fit"
    begins(model.evaluate(X, TWO)["diagnosis"], words)
    assert words in model.summary()
    model.partial_fit(X[ONES[:1]], TWO[ONES[:1]])
    assert "never came" not in model.evaluate(X, TWO)["diagnosis"]
    model = MLP(8, random_state=0).partial_fit(X[:12], ["b"] * 12, classes=["a", "b", "c"])
    begins(
        model.evaluate(X[:60], (["a", "b", "c"] * 20))["diagnosis"], "Class 'a' and 1 more never"
    )


@pytest.mark.parametrize("options", [
    dict(output="step", batch_size=1, epochs=50, init="zeros"), dict(epochs=3000),
], ids=str)  # fmt: skip
def test_a_linear_network_on_xor_is_not_blamed_on_a_large_learning_rate(options):
    X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    options = dict(optimizer="sgd", learning_rate=1.0, random_state=0) | options
    model = MLP(hidden=(), **options).fit(X, y)
    for text in (model.evaluate(X, y)["diagnosis"], str(model.summary())):
        assert "learning rate" not in text, text
    begins(model.evaluate(X, y)["diagnosis"], "The network is linear in x")
