"""Targets that are the same in every row: fit says that there is nothing to learn."""

import numpy as np
import pytest
from mlp_cases import LINE, X, quick

from cnn_core import MLPRegressor


@pytest.mark.parametrize("number", [1.0, 0.1, 0.0, 1e6, -3.0])
@pytest.mark.parametrize("options", [{}, dict(scale_targets=None), dict(loss="mae")], ids=str)
def test_fit_says_that_there_is_nothing_to_learn(number, options):
    model = MLPRegressor(4, epochs=2, random_state=0, **options)
    with pytest.warns(UserWarning, match="^y is the same in every row: there is nothing to learn$"):
        model.fit(X, np.full(len(X), number))


def test_a_column_of_several_is_named():
    with pytest.warns(UserWarning, match="^column 1 of y is 3 in every row and counts 0 in R.2"):
        quick(epochs=2).fit(X, np.column_stack((LINE, np.full(len(X), 3.0))))
    with pytest.warns(UserWarning, match="^each column of y is the same in every row"):
        quick(epochs=2).fit(X, np.full((len(X), 2), 3.5))


def test_nothing_is_said_of_one_row_of_a_stream_or_of_targets_that_vary():
    MLPRegressor(4, epochs=2, random_state=0).fit(X[:1], [1.0])
    MLPRegressor(4, random_state=0).partial_fit(X, np.full(len(X), 1.0))
    for small in (1e-3, 1.0):
        MLPRegressor(4, epochs=2, random_state=0).fit(X, 1 + small * (np.arange(len(X)) == 7))
