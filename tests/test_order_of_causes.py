"""Of several likely causes that is named first which mends the model when it is changed."""

import re
import warnings

import numpy as np
import pytest

from cnn_core import MLP, SGD

RNG = np.random.default_rng(0)
#: Mostly 0, up to 255; one is lit in one row alone, 22 standard deviations from its mean.
PIXELS = (RNG.uniform(size=(500, 64)) ** 20 * 255).round()
PIXELS[:, 7] = 0
PIXELS[3, 7], PIXELS[4, 7] = 255, 200
DIGIT = (PIXELS[:, :32].sum(axis=1) > PIXELS[:, 32:].sum(axis=1)).astype(int)
COIN = RNG.integers(0, 2, 500)


def diagnosis(X, y, **options):
    """What evaluate says, without the warnings of the fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLP(**dict(hidden=(16,) * 2, epochs=8, random_state=0) | options).fit(X, y)
        return model.evaluate(X, y)["diagnosis"]


@pytest.mark.parametrize("scaled", ["standard", "minmax", "auto", None])
@pytest.mark.parametrize("rate, cure", [(1e-5, "larger"), (1.0, "smaller")])
def test_a_rate_far_from_usual_comes_before_pixels(rate, cure, scaled):
    text = diagnosis(PIXELS, DIGIT, learning_rate=rate, scale_inputs=scaled)
    assert re.match(f"The learning rate {rate:g} .* take a {cure} one", text), text


def test_unscaled_features_come_before_the_rate_of_sgd():
    text = diagnosis(PIXELS, COIN, optimizer=SGD(1.0), scale_inputs=None)
    assert text.startswith("Features reach from 0 to 255"), text
    assert "The learning rate 1 is 100 times sgd's own" in text


def test_pixels_that_are_rarely_lit_are_no_outliers():
    assert "from its mean" not in diagnosis(PIXELS, COIN, scale_inputs="standard")
    counts = np.where(RNG.uniform(size=(500, 4)) < 0.4, RNG.exponential(size=(500, 4)), 0)
    counts[9, 2] = 1e5
    text = diagnosis(counts, COIN, scale_inputs="standard")
    assert text.startswith("Column 2 of X has an entry 22 standard deviations from its mean"), text


@pytest.mark.parametrize("size, words", [(1e4, "Features differ in size"), (1, "Column 4 is 7 in")])
def test_a_constant_column_is_named_where_no_other_is_larger(size, words):
    X = np.column_stack((RNG.normal(size=(500, 4)) * [1, 1, 1, size], np.full(500, 7.0)))
    text = diagnosis(X, COIN, scale_inputs=None, epochs=3)
    assert text.startswith(words), text
