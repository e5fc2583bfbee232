"""Validation rows that do not belong to the training rows: fit tells it once, summary names it
first, and sound ones are left in peace."""

import warnings

import numpy as np
import pytest
from cnn_core.datasets import load_digits

from cnn_core import MLP

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 4))
LINE = X @ [1.0, 2.0, -1.0, 0.5]
NOISY = X[:, 0] + np.sin(2 * X[:, 1])
TWO = (LINE > 0).astype(int)
FOUR = np.digitize(LINE, [-2, 0, 2])
BOTH = np.column_stack((LINE, X[:, 0]))
LEARN, REST = slice(0, 400), slice(400, 600)


def fitted(y, other_X, other_y, x=X, **options):
    """A model, and what its fit warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = MLP(**dict(hidden=16, epochs=60, random_state=0) | options)
        model.fit(x[LEARN], y[LEARN], validation_data=(other_X, other_y))
    return model, [str(warning.message) for warning in caught]


DIGITS, LABELS = load_digits()
OF_X = "X of the validation data lies elsewhere than that of the training rows, as "
OF_Y = "y of the validation data lies elsewhere, from "
CASES = {
    "X times 1000": (NOISY, 1000 * X[REST], NOISY[REST], {}, OF_X),
    "X of classes": (TWO, 1000 * X[REST], TWO[REST], {}, OF_X),
    "X / 16": (TWO, X[REST] / 16, TWO[REST], {}, OF_X),
    "X scaled": (TWO, X[REST] / 16, TWO[REST], dict(scale_inputs="standard"), OF_X),
    "X far": (TWO, X[REST] + 300, TWO[REST], dict(scale_inputs="robust_clip"), OF_X),
    "y times 1000": (NOISY, X[REST], 1000 * NOISY[REST] + 3, {}, OF_Y),
    "y / 1000": (NOISY, X[REST], NOISY[REST] / 1000, {}, OF_Y),
    "y + 50": (LINE, X[REST], LINE[REST] + 50, dict(early_stopping=True), OF_Y),
    "-y": (NOISY, X[REST], -NOISY[REST], {}, "y of the validation data is about -"),
    "one column": (BOTH, X[REST], BOTH[REST] * [1, 1000], {}, "Column 1 of y of the validation"),
    "columns": (BOTH, X[REST], BOTH[REST, ::-1], {}, "The columns of y of the validation data "),
    "labels": (TWO, X[REST], 1 - TWO[REST], {}, "The labels of the validation data look permuted"),
    "four": (FOUR, X[REST], (FOUR[REST] + 1) % 4, {}, "The labels of the validation data look "),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_told_once_by_fit_and_first_by_summary(case):
    y, other_X, other_y, options, words = CASES[case]
    model, said = fitted(y, other_X, other_y, **options)
    assert len(said) == 1 and said[0].startswith(words), said
    last = str(model.summary()).splitlines()[-1]
    assert last.startswith(said[0]) and "overfitting" not in last
    text = model.evaluate(X[REST], y[REST])["diagnosis"]  # which are sound
    assert "validation" not in text and "elsewhere" not in text and "permuted" not in text


def test_pixels_of_another_range_are_told():
    rest = DIGITS[400:], LABELS[400:]
    for factor in (1 / 16, 1 / 255, 16):
        _, said = fitted(LABELS, rest[0] * factor, rest[1], DIGITS, epochs=3)
        assert len(said) == 1 and said[0].startswith(OF_X), said
    assert not fitted(LABELS, *rest, DIGITS, epochs=3)[1]


def test_sound_validation_rows_are_left_in_peace():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=(60, 3))
        sparse = np.where(rng.random((60, 6)) < 0.95, 0, rng.exponential(size=(60, 6)))
        one_hot = np.eye(5)[rng.integers(0, 5, 60)]
        for y in (rows[:, 0], np.exp(2.5 * rows[:, 0]), np.where(rows[:, 1] > 0, rows[:, 0], 0)):
            for some in (rows, np.exp(2 * rows), sparse, one_hot, rows[:, :1]):
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    MLP(4, epochs=30, random_state=0).fit(
                        some[12:], y[12:], validation_data=(some[:12], y[:12])
                    )
