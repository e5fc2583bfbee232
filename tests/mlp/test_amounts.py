"""Classes that may be numbers to predict, and entries of y that make another task of it."""

import re
import warnings

import numpy as np
import pytest
from cnn_core.causes.amounts import confuses_neighbours
from cnn_core.meaning import are_amounts
from mlp_cases import LINE, THREE, TWO, X, quick

from cnn_core import MLP

RANKS = np.argsort(np.argsort(LINE))


def short(**options):
    return quick(**{"epochs": 1} | options)


def kind_of(model):
    return model._fitted.task.name


def test_counts_are_amounts_though_they_begin_at_0():
    for mean in (4, 6, 10, 30):
        counts = np.random.default_rng(0).poisson(mean, 3000)
        assert are_amounts(*np.unique(counts, return_counts=True))


@pytest.mark.parametrize("make", [
    lambda: 18 + RANKS // 11, lambda: RANKS // 11 - 9, lambda: RANKS // 10 * 5,
    lambda: 1950 + RANKS // 17, lambda: (1950 + RANKS // 17).astype(object),
    lambda: np.sqrt(30 + RANKS).round().astype(int),
    lambda: (100 + RANKS // 10).astype("uint8"),
], ids=range(7))  # fmt: skip
def test_dense_whole_numbers_that_count_as_no_labels_do_are_worth_a_warning(make):
    y = make()
    n = len(np.unique(y))
    words = f"y holds {n} classes in 2000 rows; if these are numbers to predict, say task='regr"
    rows, y = np.tile(X, (10, 1)), np.tile(np.asarray(y), 10)
    with pytest.warns(UserWarning, match=f"^{words}") as caught:
        model = short().fit(rows, y)
    assert len(caught) == 1
    text = model.evaluate(rows, y)["diagnosis"]
    assert text.startswith(f"Y{words[1:]}") and "rows are of class" not in text, text
    assert f"Y{words[1:]}" in str(model.summary())
    with pytest.raises(
        ValueError, match="unknown class 500 .*numbers to predict are for task='reg"
    ):
        model.partial_fit(X, np.full(200, 500))
    model = short(task="classification").fit(rows, y)
    assert "numbers to predict" not in model.evaluate(rows, y)["diagnosis"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_labels_however_often_each_comes_are_no_amounts(seed):
    rng = np.random.default_rng(seed)
    for n in (12, 26, 100):
        for even in (0.5, 2, 1000):
            labels = rng.choice(n, size=40 * n, p=rng.dirichlet(np.full(n, even)))
            for names in (np.arange(n), np.arange(1, n + 1), np.sort(rng.choice(9000, n))):
                classes, counts = np.unique(names[labels], return_counts=True)
                assert len(classes) <= 10 or not are_amounts(classes, counts)
            centres = rng.normal(size=(n, 6))
            rows = centres[labels] + rng.normal(size=(len(labels), 6))
            nearest = np.square(rows[:, None] - centres).sum(axis=2).argmin(axis=1)
            assert not confuses_neighbours(labels, nearest)


def test_numbers_counted_from_0_are_named_by_what_is_confused():
    rows, y = np.tile(X, (10, 1)), np.tile(RANKS // 10, 10)
    model = MLP(16, epochs=30, random_state=0).fit(rows, y)
    words = "y holds 20 whole numbers as classes, and errors go to neighbours: if these are numbers"
    assert model.evaluate(rows, y)["diagnosis"].startswith(words)
    model = MLP(16, epochs=30, random_state=0, task="classification").fit(rows, y)
    assert "neighbours" not in model.evaluate(rows, y)["diagnosis"]


# A few entries that make another task of y


@pytest.mark.parametrize("y, words", [
    (np.where(np.arange(200) == 5, 2.0, TWO), "all but 1 of the 200 numbers in y are 0 or 1, and "),
    (np.where(np.arange(200) == 5, 0.5, TWO), "all but 1 of .* as 0.5 at row 5 is not"),
    (np.where(np.arange(200) % 100 == 5, -7.25, 2 * TWO - 1), "all but 2 of .* are -1 or 1"),
    (np.where(np.arange(200) == 5, 9.0, THREE), "all but 1 of .* are 3 whole values"),
    (np.where(np.arange(200) == 5, 2.5, THREE)[:, None], "all but 1 of .* are 3 whole values"),
    (np.where(np.arange(200) == 5, 2.5, THREE).astype(object), "all but 1 of .* 3 whole values"),
    (np.where(np.arange(200) == 5, 2.5, THREE).tolist(), "all but 1 of .* are 3 whole values"),
])  # fmt: skip
def test_a_few_floats_that_make_a_regression_are_named(y, words):
    with pytest.warns(UserWarning, match=words) as caught:
        assert kind_of(short().fit(X, y)) == "regression"
    assert len(caught) == 1
    short(task="regression").fit(X, y)


@pytest.mark.parametrize("gap", ["NA", "n/a", "N/A", "null", "NULL", "?", "", " ", "-", "NaT"])
def test_texts_of_missing_entries_are_named(gap):
    y = np.array(["a", "b"], object)[TWO]
    y[5:9] = gap
    with pytest.warns(UserWarning, match=f"y has the text '{re.escape(gap)}' beside other classes"):
        short().fit(X, y)


@pytest.mark.parametrize("mean, rows", [(1, 1000), (1, 5000)])
def test_rare_counts_are_no_stray_floats(mean, rows):
    y = np.random.default_rng(0).poisson(mean, rows).astype(float)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        short().fit(np.zeros((rows, 1)) + y[:, None], y)
    n = len(np.unique(y))
    assert [str(one.message)[:46] for one in caught] == [
        f"y holds floats of only {n} different whole value"
    ]
