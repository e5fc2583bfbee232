"""DivergenceWarning: it names the likely cause, measured on the data, and the cure."""

import re
import warnings

import numpy as np
import pytest
from cnn_core.initializers import Normal

from cnn_core import MLP, SGD, Adam, DivergenceWarning

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 4))
LINE = X @ [1.0, 2.0, -1.0, 0.5]
TWO = (LINE > 0).astype(int)
PLAIN = dict(scale_inputs=None, scale_targets=None, random_state=0, epochs=20, hidden=8)
BIG = [(np.full((2, 4), 1e6) * [[1], [2]], [0, 0]), (np.ones((1, 2)), [0])]


def warning(X, y, **options):
    """The model, and the only warning of its fit."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = MLP(**PLAIN | options).fit(X, y)
    assert [one.category for one in caught] == [DivergenceWarning]
    return model, str(caught[0].message)


CASES = {
    "rate": (X, LINE, dict(optimizer=SGD(1e6)), r"the learning rate is 1e\+08 times sgd's own"),
    "rate of adam": (X, LINE, dict(optimizer=Adam(1e38)),
                     r"the learning rate is 1e\+41 times adam's own; take 0\.001"),
    "rate, classes": (X, TWO, dict(optimizer=SGD(1e30)),
                      r"the learning rate is 1e\+32 times sgd's own; take 0\.01"),
    "feature": (X * [1, 1, 1e5, 1], LINE, dict(optimizer="sgd"),
                r"column 2 of X reaches [34]\.?\d*e\+05 \(standard deviation .*\); scale_inputs="),
    "all features": (X * 1e6, LINE, dict(optimizer="sgd"), r"column \d of X reaches"),
    "outlier": (np.vstack((X, [0, 0, 0, 1e9])), np.append(LINE, 0), dict(optimizer="sgd"),
                r"column 3 of X reaches 1e\+09"),
    "features, classes": (X * 1e5, TWO, dict(optimizer="sgd", loss="mse", output="identity"),
                          r"column \d of X reaches"),
    "prices": (X, 250_000 + 80_000 * LINE, dict(optimizer="sgd"),
               r"y has mean \S+e\+05 and standard deviation \S+e\+05; scale_targets='standard' is"),
    "one target of three": (X, np.column_stack((LINE, LINE * 1e6, LINE)), dict(optimizer="sgd"),
                            r"column 1 of y has mean"),
    "counts": (X, np.exp(2 * LINE).round(), dict(
        loss="poisson", task="regression", optimizer=SGD(0.01)), r"y has mean .* divide it by"),
    "momentum": (X, LINE, dict(optimizer=SGD(0.05, momentum=0.999)),
                 "momentum=0.999 makes each step 1000 times as long"),
    "penalty": (X, LINE, dict(optimizer="sgd", l2=1e4), r"l2=10000 at this learning rate"),
    "weights": (X, LINE, dict(hidden=2, optimizer="sgd", init=BIG),
                r"the weights begin at up to 2e\+06; init='auto'"),
    "long rows": (X + 6, LINE, dict(hidden=(), optimizer=SGD(0.09), epochs=2000),
                  r"the mean of \|x\|\^2 is 14\d\) gradient descent needs .* below about 0\.01"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_cause_is_named_and_the_kept_weights(case):
    rows, y, options, words = CASES[case]
    model, text = warning(rows, y, **options)
    head = r"training diverged in epoch \d+ at learning rate \S+ \(loss (nan|inf)\): "
    assert re.match(head + ".*" + words, text), text
    assert re.search(r"; the weights after epoch \d+, the last finite ones, are kept$", text)
    assert "\n" not in text
    first = text.split("): ", 1)[1]
    assert re.match(words, first) or case in ("counts", "long rows"), first
    assert np.isfinite(model.parameters_).all()


def test_a_column_is_called_by_its_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X * [1, 1, 1e5, 1], columns=["a", "b", "income", "d"])
    assert "column 'income' of X reaches" in warning(frame, LINE, optimizer="sgd")[1]


def test_several_causes_come_by_how_far_they_are_from_usual():
    text = warning(X * 1e4, 1e3 * LINE, optimizer=SGD(1.0))[1]
    at = [text.index(words) for words in ("of X reaches", "times sgd's own", "y has mean")]
    assert at[0] == min(at)


def test_scaled_data_are_not_to_be_scaled():
    wild = np.vstack((X, [0, 0, 0, 1e9]))
    text = warning(wild, np.append(LINE, 0), optimizer=SGD(10.0), scale_inputs="robust")[1]
    assert "even scaled; scale_inputs='robust_clip' limits it" in text
    text = warning(X, 1e6 * LINE, optimizer=SGD(1e6), scale_targets="auto", scale_inputs="auto")[1]
    assert "scale_" not in text


def test_evaluate_and_summary_name_it_too(capsys):
    model, _ = warning(X, LINE, optimizer=SGD(1e6))
    words = "Training diverged in epoch 1 at learning rate 1e+06 (loss nan): the learning rate is "
    assert model.evaluate(X, LINE)["diagnosis"].startswith(words)
    print(model.summary())
    assert words in capsys.readouterr().out
    model, said = warning(X * [1, 1, 1e6, 1], LINE, optimizer="sgd")
    text = model.evaluate(X * [1, 1, 1e6, 1], LINE)["diagnosis"]
    assert text == f"T{said[1:]}. Not trained for a whole epoch."


@pytest.mark.parametrize("options, words", [
    (dict(init=Normal(5.0), hidden=(8, 8), optimizer=SGD(0.03)),
     r"the weights of hidden layer \d begin at about \d+ times the usual size; init='auto'"),
    (dict(activation="exp", hidden=(64, 64), optimizer=SGD(0.05)), "the activation 'exp' of the"),
    (dict(l2=500.0, optimizer="sgd"), "l2=500 at this learning rate"),
])  # fmt: skip
def test_what_the_network_does_is_named(options, words):
    model, text = warning(X, LINE, **options)
    assert re.search(words, text) and "neither X" not in text, text
    text = model.evaluate(X, LINE)["diagnosis"]
    assert text.startswith("Training diverged") and "keeps the weights near 0" not in text


def test_weights_of_rows_are_named():
    with pytest.warns(DivergenceWarning, match=r"gradient up to 1e\+04 times .* by its mean"):
        MLP(8, optimizer="sgd", random_state=0).partial_fit(X, LINE, sample_weight=[1e4] * 400)
    heavy = np.where(np.arange(400) == 3, 1e9, 1.0)
    model = MLP(**PLAIN | dict(optimizer=SGD(0.09), batch_size=8))
    with pytest.warns(DivergenceWarning, match="gradient up to 50 .* smaller ratio in sample_w"):
        model.fit(X, LINE, sample_weight=heavy)


def test_outputs_whose_targets_are_not_scaled_are_named():
    model, text = warning(X, 3000 + 100 * LINE, output="exp", loss="mse", optimizer="sgd")
    assert "output='identity', whose targets are scaled, is the cure" in text
    assert "the output 'exp' grows exponentially" in text
    assert "higher learning rate" not in model.evaluate(X, 3000 + 100 * LINE)["diagnosis"]


def test_counts_that_diverge_are_not_to_take_a_higher_rate():
    y = np.random.default_rng(1).poisson(5000 * np.exp(X[:, 0]))
    model, text = warning(X, y, loss="poisson", optimizer="sgd")
    found = model.evaluate(X, y)["diagnosis"]
    assert found.startswith(f"T{text[1:]}") and "higher" not in found


def test_a_usual_training_does_not_diverge():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLP(8, optimizer="sgd", random_state=0).fit(X * [1, 1, 1e5, 1], 250_000 + 80_000 * LINE)


@pytest.mark.parametrize("far", [1e12, 1e10, -1e12])
def test_the_deviation_of_a_column_that_rounding_swallows_is_not_called_0(far):
    rows = X + np.array([0, far, 0, 0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MLP(**PLAIN | dict(optimizer="sgd", activation="identity")).fit(rows, LINE)
    (text,) = [str(one.message) for one in caught if one.category is DivergenceWarning]
    assert "column 1 of X reaches 1e+1" in text and "standard deviation" not in text
    assert "so far from 0 that float32 rounds its differences away" in text
