"""Rows that do not belong to what a model has learned, and trainings that could not become good:
each is named first, with its cure, and sound cases are left in peace."""

import copy
import re
import warnings

import numpy as np
import pytest
from cnn_core._state import opened
from cnn_core.causes.begin import initial_weights
from cnn_core.causes.codes import codes
from cnn_core.causes.matching import contradictions, permuted_columns, permuted_labels
from cnn_core.datasets import load_digits
from cnn_core.exceptions import DivergenceWarning
from cnn_core.initializers import Normal
from cnn_core.model import Model

from cnn_core import MLP, SGD

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 4))
LINE = X @ [1.0, 2.0, -1.0, 0.5]
TWO = (LINE > 0).astype(int)
XOR = ((X[:, 0] > 0) ^ (X[:, 1] > 0)).astype(int)
NOISY = 0.5 * X[:, 0] + RNG.normal(size=600)
BOTH = np.column_stack((LINE, X[:, 0]))
LEARN, REST = slice(0, 400), slice(400, 600)


def fitted(X, y, weights=None, **options):
    """A model, and what its fit warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = MLP(**dict(hidden=16, epochs=40, random_state=0) | options)
        model.fit(X, y, sample_weight=weights)
    return model, [str(warning.message) for warning in caught]


def diagnosis(X, y, rows=None, weights=None, **options):
    """What evaluate says, without the warnings of the fit."""
    model, _ = fitted(X, y, weights, **options)
    return model.evaluate(*(rows or (X, y)))["diagnosis"]


def said_by_summary(model, capsys):
    print(model.summary())
    return capsys.readouterr().out


# Sound cases


def sound_cases():
    digits, labels = load_digits()
    line = np.linspace(-3, 3, 400)[:, None]
    noise = RNG.normal(size=(300, 5))
    return {
        "digits": (digits, labels, {}),
        "three classes": (X, np.digitize(X[:, 0], [-0.5, 0.5]), {}),
        "diabetes-like": (X, 150 + 77 * NOISY, {}),
        "sin": (line, np.sin(line[:, 0]), dict(epochs=100)),
        "several outputs": (X, BOTH, {}),
        "labels": (X, (X[:, :3] > 0).astype(int), {}),
        "skewed": (np.exp(X), np.exp(LINE / 3), {}),
        "zeros": (np.where(X < 1, 0, 50 * X), np.where(LINE < 1, 0.0, LINE), {}),
        "a rare class": (X, (LINE > 4).astype(int), dict(class_weight="balanced")),
        "coins": (noise, RNG.integers(0, 2, 300), {}),
        "linear": (X, 150 + 77 * (LINE + NOISY), dict(hidden=(), epochs=100)),
    }


FALSE = (
    "elsewhere|permuted|times the prediction|code for|linear in x|rows are equal|initial weights|"
    "% of the loss|rows count|ended the fit|diverged|is the same|R2, a mean"
)


@pytest.mark.slow
@pytest.mark.parametrize("options", [
    {}, dict(epochs=4), dict(scale_inputs=None, scale_targets=None),
    dict(scale_inputs="standard", activation="tanh"), dict(early_stopping=True, min_delta=1e-4),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("name", sound_cases())
def test_sound_cases_are_left_in_peace(name, options, recwarn):
    rows, y, more = sound_cases()[name]
    order = np.random.default_rng(1).permutation(len(rows))
    learn, rest = order[len(rows) // 4 :], order[: len(rows) // 4]
    model = MLP(**dict(hidden=16, epochs=40, random_state=0) | more | options)
    model.fit(rows[learn], y[learn])
    on, stream = (one.set_params(warm_start=True) for one in (copy.copy(model), copy.copy(model)))
    on.fit(rows[rest], y[rest])
    for part in np.array_split(learn, 8):
        stream.set_params(class_weight=None).partial_fit(rows[part], y[part])
    assert not recwarn.list, recwarn.list[0].message
    for part in (learn, rest):
        text = model.evaluate(rows[part], y[part])["diagnosis"]
        for words in FALSE.split("|"):
            assert words not in text, text


# Targets of other units


@pytest.mark.parametrize("change, words", [
    (lambda y: 1000 * y, "y lies elsewhere, from -6985 to 6585, than in training, from -7.762 to"),
    (lambda y: y / 1000, "y lies elsewhere, from -0.006985 to"),
    (lambda y: y + 50, r"y lies elsewhere, from 43.02 to"),
    (lambda y: 9 / 5 * y + 32, "y lies elsewhere"), (lambda y: 30 - y, "y lies elsewhere"),
    (lambda y: 3 * y, "y is about 2.98 times the prediction in these rows, from -20.95 to 19.75"),
    (lambda y: -y, "y is about -0.993 times the prediction in these rows, from"),
], ids=range(7))  # fmt: skip
@pytest.mark.parametrize("options", [{}, dict(clip_outputs=True)], ids=str)
def test_targets_in_other_units_are_named_first(change, words, options):
    text = diagnosis(X[LEARN], LINE[LEARN], (X[REST], change(LINE[REST])), epochs=100, **options)
    assert text.startswith(words), text
    assert "take the same units and sign" in text
    assert "epochs" not in text and "larger net" not in text and "overfitting" not in text


def test_y_that_moves_with_time_is_not_blamed_on_units_alone():
    words = "or, if y moves with time, learn its change since an earlier row"
    time = np.arange(len(LINE))
    for trend in (0.05, -0.05):
        rows = np.column_stack((X, time))
        y = LINE + trend * time
        text = diagnosis(rows[LEARN], y[LEARN], (rows[REST], y[REST]), epochs=30)
        assert re.search(r"y lies elsewhere, .*: take the same units and sign, " + words, text), (
            text
        )
    for change in (lambda y: 1000 * y, lambda y: y / 1000, lambda y: y + 500):
        text = diagnosis(X[LEARN], LINE[LEARN], (X[REST], change(LINE[REST])), epochs=30)
        assert "y lies elsewhere" in text and words not in text, text


def test_the_column_in_other_units_is_named():
    other = BOTH[REST] * [1, 1000]
    text = diagnosis(X[LEARN], BOTH[LEARN], (X[REST], other), epochs=100)
    assert text.startswith("Column 1 of y lies elsewhere, from -2"), text


def test_a_model_of_an_older_pickle_is_evaluated_without_what_it_has_not_seen():
    model, _ = fitted(X, LINE, epochs=100)
    state = opened(model._fitted.__getstate__())
    del state["seen"]
    older = Model.__new__(Model)
    older.__setstate__(state)
    model._fitted = older
    assert "lies elsewhere" not in model.evaluate(X, 1000 * LINE)["diagnosis"]
    model.set_params(warm_start=True, epochs=1).fit(X, LINE)
    assert "lies elsewhere" in model.evaluate(X, 1000 * LINE)["diagnosis"]


# Labels and columns in another order


def test_permuted_labels_are_named_first():
    words = "The labels look permuted: of the rows that the model takes for"
    assert diagnosis(X[LEARN], TWO[LEARN], (X[REST], 1 - TWO[REST])).startswith(words)
    names = np.array(["a", "b"])
    text = diagnosis(X[LEARN], names[TWO[LEARN]], (X[REST], names[1 - TWO[REST]]))
    assert text.startswith(f"{words} 'a' "), text
    digits, labels = load_digits()
    shifted, swapped = (labels + 1) % 10, labels.copy()
    swapped[labels == 3], swapped[labels == 5] = 5, 3
    model, _ = fitted(digits[:1200], labels[:1200])
    for other, count in ((shifted, "9 other classes"), (swapped, "1 other class:")):
        text = model.evaluate(digits[1200:], other[1200:])["diagnosis"]
        assert text.startswith(words) and count in text, text


def test_permuted_columns_are_named_first():
    words = "The columns of y look permuted: column 0 follows the prediction of column 1"
    text = diagnosis(X[LEARN], BOTH[LEARN], (X[REST], BOTH[REST, ::-1]), epochs=100)
    assert text.startswith(words), text
    labels = (X[:, :2] > 0).astype(int)
    text = diagnosis(X[LEARN], labels[LEARN], (X[REST], labels[REST, ::-1]), epochs=300)
    assert text.startswith(words), text


def test_errors_of_a_poor_model_are_no_permutation():
    labels, coin = np.arange(400) % 4, RNG.integers(0, 4, 400)
    assert not list(permuted_labels(labels, coin, range(4)))
    assert not list(permuted_labels(labels, np.zeros(400, int), range(4)))  # one class for all
    assert not list(permuted_labels(labels, np.minimum(labels, 2), range(4)))
    assert not list(permuted_labels(labels[:8], 3 - labels[:8], range(4)))  # too few rows
    alike = np.column_stack((LINE, LINE + 0.01 * X[:, 0]))
    assert not list(permuted_columns(alike, alike[:, ::-1]))


# Weights


@pytest.mark.parametrize("options, words", [
    (dict(class_weight={0: 0, 1: 1}), "Class 0 has class_weight 0 in all of its 303 rows"),
    (dict(weights=TWO * 1.0), "Class 0 has sample_weight 0 in all of its 303 rows"),
])  # fmt: skip
def test_a_class_of_weight_0_is_told_by_fit_evaluate_and_summary(options, words, capsys):
    model, said = fitted(X, TWO, **options)
    assert len(said) == 1 and said[0].startswith(words)
    assert model.evaluate(X, TWO)["diagnosis"].startswith(words)
    assert words in said_by_summary(model, capsys)


@pytest.mark.parametrize("y, options, words", [
    (TWO, dict(class_weight={0: 1, 1: 1e6}), "class_weight gives class 1 99.9999 % of the loss"),
    (TWO, dict(class_weight={0: 1e-5, 1: 1}), "class_weight gives class 1 99.999 % of the loss"),
    (TWO, dict(weights=np.where(TWO, 1.0, 1e4)), "sample_weight gives class 0 99.99"),
    (LINE, dict(weights=np.where(np.arange(600) == 3, 1e6, 1.0)), "sample_weight lets about 1 of"),
    (TWO, dict(weights=np.where(np.arange(600) == 3, 1e9, 1.0)), "sample_weight lets about 1 of"),
], ids=range(5))  # fmt: skip
def test_weights_that_leave_little_to_learn_from_are_named(y, options, words):
    assert diagnosis(X, y, **options).startswith(words)


def test_usual_weights_are_not_told():
    rare = (LINE > 5).astype(int)
    for y, options in (
        (rare, dict(class_weight="balanced")), (rare, dict(class_weight={0: 1, 1: 50})),
        (XOR, dict(weights=RNG.exponential(size=600))),
        (XOR, dict(weights=(np.arange(600) < 500) * 1.0)),
        (NOISY, dict(weights=0.99 ** np.arange(600))),
    ):  # fmt: skip
        model, said = fitted(X, y, epochs=10, **options)
        text = model.evaluate(X, y)["diagnosis"]
        assert not said and "of the loss" not in text and "rows count" not in text, text


# Initial weights


@pytest.mark.parametrize("scale, activation, words", [
    (100.0, "tanh", "its units begin saturated"), (100.0, "relu", "its outputs begin far off"),
    (1e-8, "tanh", "nearly vanish"), (1e-8, "relu", "nearly vanish"),
])  # fmt: skip
def test_initial_weights_of_another_size_are_told_by_fit_evaluate_and_summary(
    scale, activation, words, capsys
):
    options = dict(init=Normal(scale), activation=activation, optimizer="sgd", epochs=5)
    model, said = fitted(X, XOR, **options)
    assert len(said) == 1 and said[0].startswith("The initial weights of hidden layer 1 are about")
    assert words in said[0] and "init='auto' is the cure" in said[0]
    assert model.evaluate(X, XOR)["diagnosis"].startswith(said[0])
    assert said[0] in said_by_summary(model, capsys)


def test_initial_weights_that_are_a_little_small_are_told_where_nothing_is_learned():
    model, said = fitted(X, XOR, init=Normal(1e-3), optimizer="sgd")
    assert not said
    assert model.evaluate(X, XOR)["diagnosis"].startswith("The initial weights of hidden layer 1")


@pytest.mark.parametrize("init", ["auto", "normal", "he", "glorot", "lecun", "orthogonal"])
@pytest.mark.parametrize("n", [1, 4, 784])
def test_usual_initial_weights_are_not_told(init, n):
    model = MLP((64, 8), init=init, random_state=0).initialize(np.zeros((2, n)), [0.0, 1.0])
    assert not list(initial_weights(model._model().network))


# A linear network


@pytest.mark.parametrize("options", [
    dict(hidden=()), dict(hidden=(8, 8), activation="identity"),
    dict(hidden=(), optimizer="lbfgs"),
])  # fmt: skip
@pytest.mark.parametrize("y", [XOR, np.abs(X[:, 0]), np.cos(3 * X[:, 1])])
def test_a_linear_network_is_named_where_it_learns_little(options, y, capsys):
    model, _ = fitted(X, y, epochs=60, **options)
    words = "The network is linear in x, as it"
    text = model.evaluate(X, y)["diagnosis"]
    assert text.startswith(words) and "shows whether there is more to learn" in text
    assert words in said_by_summary(model, capsys)


def test_a_linear_network_that_learns_is_not_told():
    for y in (TWO, LINE, 150 + 77 * (LINE + NOISY)):
        assert "linear" not in diagnosis(X, y, hidden=(), epochs=100)


# Codes for missing entries


@pytest.mark.parametrize("number", [-99999, -999, 9999, 99, -1e6, 32767])
@pytest.mark.parametrize("options", [
    {}, dict(scale_inputs=None), dict(scale_inputs="standard"), dict(scale_inputs="minmax"),
], ids=str)  # fmt: skip
def test_a_code_in_X_is_named_with_its_column_and_count(number, options):
    rows = X.copy()
    rows[7:600:20, 2] = number
    text = diagnosis(rows, XOR, epochs=5, **options)
    assert text.startswith(f"Column 2 of X is {number:.7g} in 30 rows, far from the others (-"), (
        text
    )
    assert "looks like a code for a missing entry" in text


def test_a_code_in_y_is_named_with_its_count():
    y = LINE.copy()
    y[::20] = -999.0
    others = "far from the others (-7.762 to 7.328)"
    here, there = f"is -999 in 30 of these rows, {others}", f"was -999 in 30 rows, {others}"
    for options in ({}, dict(loss="mae"), dict(scale_targets=None)):
        text = diagnosis(X, y, **options)
        assert text.startswith(f"In training y {there}") and f"y {here}" in text
    text = diagnosis(X, y, (X[1:20], y[1:20]))  # in training alone
    assert text.startswith(f"In training y {there}") and "of these rows" not in text
    text = diagnosis(X, LINE, (X, y), epochs=2)  # in these rows alone
    assert f"y {here}" in text and "In training y" not in text and "elsewhere" not in text
    text = diagnosis(X, np.column_stack((LINE, y)))
    assert text.startswith(f"In training column 1 of y {there}") and f"Column 1 of y {here}" in text


def test_a_code_is_named_by_the_column_of_a_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["age", "income", "height", "weight"])
    frame.loc[::30, "income"] = -1.0e5
    assert diagnosis(frame, XOR).startswith("Column 'income' of X is -100000 in 20 rows")


def test_numbers_far_away_that_are_no_codes_are_not_told():
    digits = load_digits()[0]
    counts = RNG.poisson(0.1, (500, 5)) * 1.0
    counts[3:5] = 16
    once = X.copy()
    once[5, 2] = -99999
    capped = np.minimum(np.exp(3 * X), 50)
    for values in (digits, counts, once, capped, np.eye(4)[TWO], X[:5] * 0 - 999):
        assert not list(codes(values))


# Training that goes on


@pytest.mark.parametrize("change, target", [
    (lambda X: 1000 * X, LINE), (lambda X: X * [1, 1000, 1, 1], LINE), (lambda X: X + 300, LINE),
    (lambda X: X, 1000 * LINE), (lambda X: X, LINE + 300), (lambda X: X * 1e-3, LINE),
], ids=range(6))  # fmt: skip
@pytest.mark.parametrize("options", [
    {}, dict(scale_inputs=None), dict(scale_inputs="standard"), dict(scale_inputs="robust_clip"),
    dict(scale_inputs="robust_asinh"),
], ids=str)  # fmt: skip
def test_going_on_with_other_units_is_told_once(change, target, options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = MLP(16, epochs=3, warm_start=True, random_state=0, **options).fit(X, LINE)
        stream = MLP(16, random_state=0, **options).partial_fit(X, LINE)
    for go_on in (first.fit, stream.partial_fit):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            go_on(change(X), target)
        said = [str(one.message) for one in caught if "elsewhere" in str(one.message)]
        assert len(said) == 1 and "take the same units, or fit anew" in said[0], said
        assert caught[0].filename == __file__


# Divergence


def test_a_divergence_after_the_first_epoch_is_said_first(capsys):
    options = dict(optimizer=SGD(0.15), batch_size=200, scale_targets=None, epochs=20)
    model, said = fitted(2 * X, 2 * LINE, **options)
    assert model.n_epochs_ == 2 and said[0].startswith("training diverged in epoch 3")
    words = f"T{said[0][1:]}. "
    text = model.evaluate(2 * X, 2 * LINE)["diagnosis"]
    assert text.startswith(words) and "more epochs" not in text and "larger net" not in text
    assert words in said_by_summary(model, capsys)


@pytest.mark.parametrize("options, words", [
    (dict(bias=False), "scale_inputs='auto' has left it as it is; 'robust_asinh' is the cure"),
    (dict(scale_inputs="standard"), ""), (dict(scale_inputs="robust_clip"), ""),
    (dict(scale_inputs=None), "scale_inputs='auto' is the cure"),
], ids=str)  # fmt: skip
def test_a_divergence_names_no_scaling_that_is_on(options, words):
    for factor in (1, 1e4):
        text = fitted(factor * X, LINE, optimizer=SGD(30.0), **options)[1][-1]
        assert text.startswith("training diverged")
        assert ("scale_inputs" in text) == bool(words and factor > 1), text
        assert words in text or factor == 1


def test_a_stream_that_diverges_is_not_told_to_begin_with_small_weights():
    model = MLP(16, random_state=0, scale_inputs=None).partial_fit(X, LINE)
    model.parameters_ = model.parameters_ * 1e6
    with pytest.warns(DivergenceWarning) as caught:
        model.set_params(optimizer=SGD(1.0)).partial_fit(X, LINE)
    assert "init=" not in str(caught[0].message)


# Nothing that is on is advised


@pytest.mark.parametrize("options, words", [
    (dict(l2=1e-3), "Early stopping, a larger l2 than 0.001, dropout, a smaller net"),
    (dict(dropout=0.2), "Early stopping, l2, more dropout than 0.2, a smaller net"),
    (dict(early_stopping=True, patience=200), "A smaller net, l2, dropout or more data may help"),
    (dict(early_stopping=True, patience=200, l2=1e-4, dropout=0.1),
     "A smaller net, a larger l2 than 0.0001, more dropout than 0.1 or more data may help"),
])  # fmt: skip
def test_what_is_on_is_not_advised(options, words):
    noise, coin = RNG.normal(size=(300, 20)), RNG.integers(0, 2, 300)
    text = diagnosis(noise[:200], coin[:200], (noise[200:], coin[200:]), hidden=64, epochs=150,
                     restore_best=False, **options)  # fmt: skip
    assert text.startswith("may be overfitting") and words in text, text


def test_a_linear_network_is_told_to_use_fewer_features():
    noise, y = RNG.normal(size=(120, 50)), RNG.normal(size=120)
    text = diagnosis(noise[:60], y[:60], (noise[60:], y[60:]), hidden=(), epochs=500)
    assert "fewer features or more data" in text and "dropout" not in text and "net" not in text


# Rules that end a fit


@pytest.mark.parametrize("y, options, words", [
    (1e-4 * LINE, dict(early_stopping=True, min_delta=1e-4), "min_delta=0.0001 ended the fit"),
    (LINE, dict(early_stopping=True, min_delta=0.1), "min_delta=0.1 ended the fit"),
    (1e-3 * LINE, dict(tol=1e-4), "tol=0.0001 ended the fit"),
    (LINE, dict(tol=0.05), "tol=0.05 ended the fit"),
], ids=range(4))  # fmt: skip
def test_a_rule_that_ended_a_fit_too_early_is_named(y, options, words, capsys):
    options |= dict(scale_targets=None, epochs=500, optimizer=SGD(1e-3))
    model, _ = fitted(X, y, **options)
    text = model.evaluate(X, y)["diagnosis"]
    assert words in text and "more epochs" not in text, text
    assert words in said_by_summary(model, capsys)


def test_a_rule_that_ended_a_fit_in_time_is_not_named():
    for options in (dict(early_stopping=True, min_delta=1e-4), dict(tol=1e-4)):
        assert "ended the fit" not in diagnosis(X, NOISY, epochs=500, **options)


def test_more_epochs_are_not_advised_where_early_stopping_ended_the_fit():
    options = dict(early_stopping=True, patience=1, epochs=500)
    text = diagnosis(X, np.sin(3 * X[:, 0]), optimizer=SGD(3e-3), random_state=1, **options)
    assert "more epochs may help" not in text


# Noise


def test_noise_is_not_called_a_net_that_is_too_small():
    rows = RNG.normal(size=(2000, 4))
    noisy = 0.4 * rows[:, 0] + RNG.normal(size=2000)
    for y in (noisy, np.digitize(noisy, [-1, -0.5, 0, 0.5, 1])):
        text = diagnosis(rows[:1000], y[:1000], (rows[1000:], y[1000:]), hidden=4)
        assert "either X says little about y, or the network is too small" in text, text
        assert "and more epochs; if the metric stays, the rest is noise" in text


# Outputs that are the same, rows that contradict each other


def test_an_output_that_is_the_same_is_named(capsys):
    y = np.column_stack((LINE, np.full(600, 3.0)))
    model, said = fitted(X, y, epochs=100)
    assert len(said) == 1 and said[0].startswith("column 1 of y is 3 in every row and counts 0")
    result = model.evaluate(X, y)
    assert result["r2"] < 0.6
    words = (
        "Column 1 of y is the same in all these rows and counts 0 in R2, the mean over 2 columns"
    )
    assert result["diagnosis"].startswith(words)
    assert "without such columns R2 is 0.9" in result["diagnosis"]
    assert "underfitting: R2" not in result["diagnosis"].replace("over- or underfitting", "")
    assert "Column 1 of y is 3 in every row and counts 0 in R^2" in said_by_summary(model, capsys)


def test_an_output_that_is_learned_worst_is_named():
    y = np.column_stack((LINE, RNG.normal(size=600)))
    text = diagnosis(X, y, hidden=8)
    assert text.startswith("R2, a mean, is ") and "for column 1 of y and 0.9" in text, text


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_equal_rows_that_differ_in_y_are_named(task):
    rows = RNG.integers(0, 3, (600, 2)) * 1.0
    y = RNG.integers(0, 2, 600) if task == "classification" else rows[:, 0] + 3 * NOISY
    assert " rows are equal to others in X and differ in y, so that no network" in diagnosis(
        rows, y
    )
    twice = np.vstack((X, X))
    y = np.append(TWO, 1 - TWO) if task == "classification" else np.append(LINE, -LINE)
    text = diagnosis(twice, y, hidden=64, epochs=10)
    assert "rows are equal to others in X and differ in y" in text, text


def test_equal_rows_that_agree_or_are_few_are_not_told():
    y = LINE[:, None]
    assert not list(contradictions(np.vstack((X, X)), np.vstack((y, y)), False, 0.2))
    assert not list(contradictions(X, y, False, 0.2))
    rows = RNG.integers(0, 3, (600, 2)) * 1.0
    assert not list(contradictions(rows, rows[:, :1], False, 0.2))  # which could be learned
