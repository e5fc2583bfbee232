"""What evaluate says of several labels a row: those that are rare, constant or not learned, which
the share of rows that are right in all does not show."""

import re
import warnings

import numpy as np
import pytest
from cnn_core.causes.labels import rank_score

from cnn_core import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1500, 4))
GOOD = X[:, 0] + X[:, 1] > 0
OTHER = X[:, 2] > 0.5
LEARN, REST = slice(0, 1000), slice(1000, 1500)


def evaluated(*labels, **options):
    Y = np.column_stack(labels).astype(int)
    model = MLP(**dict(hidden=16, epochs=30, random_state=0) | options).fit(X[LEARN], Y[LEARN])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model, Y, model.evaluate(X[REST], Y[REST])


RARE = np.arange(1500) % 50 == 0
NOISE = RNG.random(1500) < 0.5
CASES = {
    "rare": (RARE, r"Only 10 of these 500 rows have a 1 in column 1 of y; none of them are found. "
             r"As 0 for every row has accuracy 0.98, judge it by average precision \(0.0"),
    "rarely none": (~RARE, r"Only 10 of these 500 rows have a 0 in column 1 of y; none of them"),
    "constant 0": (np.zeros(1500), r"Column 1 of y is 0 in all these rows, which show nothing"),
    "constant 1": (np.ones(1500), r"Column 1 of y is 1 in all these rows"),
    "noise": (NOISE, r"Column 1 of y is not learned: a row with a 1 is ranked above one with a 0 "
              r"in \d\d% of all pairs, and by lot in 50%"),
    "uneven noise": (RNG.random(1500) < 0.25, r"Column 1 of y is not learned"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_label_that_accuracy_hides_is_named(case):
    label, words = CASES[case]
    _, _, found = evaluated(GOOD, label)
    assert re.match(words, found["diagnosis"]), found["diagnosis"]


def test_several_of_a_kind_share_a_sentence():
    zeros = np.zeros(1500)
    _, _, found = evaluated(GOOD, zeros, OTHER, zeros, zeros, zeros, zeros)
    assert found["diagnosis"].startswith(
        "Columns 1, 3, 4 and 2 others of y are 0 in all these rows, which show nothing of them."
    )
    _, _, found = evaluated(GOOD, NOISE, OTHER, RNG.random(1500) < 0.5)
    assert found["diagnosis"].startswith("Columns 1, 3 of y are not learned: ")


def test_accuracy_of_each_label_is_that_of_its_column():
    for options in ({}, dict(backend="python", hidden=2, epochs=2, batch_size=200)):
        model, Y, found = evaluated(GOOD, NOISE, RARE, **options)
        right = (model.predict(X[REST]) == Y[REST]).mean(axis=0)
        assert found["accuracy_per_label"] == right.tolist()
        assert found["accuracy"] < min(found["accuracy_per_label"])
    for y in (GOOD.astype(int), X[:, 0]):
        assert "accuracy_per_label" not in MLP(2, epochs=1).fit(X, y).evaluate(X, y)


@pytest.mark.parametrize("seed", range(4))
def test_of_labels_that_are_learned_nothing_is_said(seed):
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(4, 6))
    labels = (X @ W - 1.5 * np.abs(W).sum(axis=0) * np.linspace(-0.3, 0.3, 6) > 0).T
    _, _, found = evaluated(GOOD, OTHER, *labels, epochs=100, learning_rate=0.01)
    assert found["diagnosis"].lower().startswith(("no sign", "may be", "has")), found["diagnosis"]
    assert " of y " not in found["diagnosis"]


def test_the_area_under_the_roc_curve_is_that_of_all_pairs():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        positive, score = rng.random(60) < 0.3, rng.integers(0, 9, 60) / 8
        one, other = score[positive][:, None], score[~positive]
        assert np.isclose(rank_score(positive, score), ((one > other) + (one == other) / 2).mean())
    assert rank_score(np.array([True, False]), np.array([2.0, 1.0])) == 1
