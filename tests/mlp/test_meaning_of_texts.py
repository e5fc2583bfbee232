"""Texts and shares that may mean something else than what y is taken for, and y among the columns
of X."""

import warnings

import numpy as np
import pytest

from cnn_core import MLP

RNG = np.random.default_rng(1)
X = RNG.normal(size=(120, 3))
LINE = X[:, 0]


def told(rows, y, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MLP(2, epochs=1, random_state=0, **options).fit(rows, y)
    return [str(one.message) for one in caught]


@pytest.mark.parametrize("write", [
    "{:.1f}%".format, "${:,.2f}".format, "{:.0f} kg".format, "€ {:.2f}".format,
    lambda v: f"{v:.3f}".replace(".", ","), lambda v: f"{1000 * v:,.0f} €".replace(",", "."),
    lambda v: f"-{v:.2f} °C"[:-3] + "K", "{:,.0f}".format,
])  # fmt: skip
def test_texts_of_amounts_are_told(write):
    y = [write(value) for value in 5000 + 1000 * LINE]
    messages = told(X, y)
    assert len(messages) == 1 and "y holds texts such as" in messages[0]
    assert not told(X, y, task="classification")


@pytest.mark.parametrize("write", [
    "id{:.0f}".format, lambda v: f"{v:.0f}{'AB'[int(v) % 2]}",
    lambda v: f"{int(v) % 28 + 1:02d}.01.2020",
])  # fmt: skip
def test_identifiers_and_dates_are_no_amounts(write):
    assert not [one for one in told(X, [write(v) for v in 5000 + 1000 * LINE]) if "amounts" in one]


@pytest.mark.parametrize("labels", [["Yes", "yes"], ["no", "no "], ["New  York", "new york"]])
def test_classes_that_differ_in_case_or_spaces_are_told(labels):
    names = [*labels, "other"]
    messages = told(X, [names[i % 3] for i in range(120)])
    assert len(messages) == 1 and "which differ in case or spaces alone" in messages[0]
    assert repr(labels[0]) in messages[0] and repr(labels[1]) in messages[0]


def test_letters_of_both_cases_are_classes():
    assert not told(X, ["aAbB"[i % 4] for i in range(120)])


@pytest.mark.parametrize("columns", [2, 3, 5])
def test_rows_of_shares_are_told(columns):
    shares = RNG.dirichlet(np.ones(columns), 120)
    messages = told(X, shares)
    assert len(messages) == 1 and "sums to 1, as class probabilities do" in messages[0]
    for options in ({"task": "regression"}, {"loss": "categorical_crossentropy"}):
        assert not told(X, shares, **options)
    assert not told(X, shares - 0.5)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_column_of_X_that_is_y_is_told(kind):
    library = pytest.importorskip(kind)
    frame = library.DataFrame({"size": X[:, 0], "price": X[:, 1], "age": X[:, 2]})
    for y in (frame["price"], frame[["price"]]):
        messages = told(frame, y)
        assert len(messages) == 1 and "X has the column 'price', which is y itself" in messages[0]
    assert not told(frame, frame["price"] * 2)
    assert not told(frame[["size", "age"]], frame["price"])
    assert not told(frame, frame["price"].to_numpy())
