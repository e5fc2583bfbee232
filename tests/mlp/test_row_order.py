"""Frames and series whose labels come in another order: rows go by position, and one sentence says
so wherever rows are given together."""

import numpy as np
import pytest
from mlp_cases import TWO, X, quick

pandas = pytest.importorskip("pandas")
FRAME, Y = pandas.DataFrame(X), pandas.Series(TWO)
NAMED = FRAME.set_axis(list("abcde"), axis=1)
ORDER = np.random.default_rng(0).permutation(len(X))
WEIGHTS = pandas.Series(np.linspace(0.5, 1, len(X)))
KEYS = [f"key {i}" for i in range(len(X))]


@pytest.fixture(scope="module")
def model():
    return quick(epochs=1).fit(X, TWO)


CALLS = {
    "fit, y": lambda model: quick(epochs=1).fit(FRAME, Y[::-1]),
    "fit, weights": lambda model: quick(epochs=1).fit(FRAME, Y, sample_weight=WEIGHTS.loc[ORDER]),
    "partial_fit, y": lambda model: quick().partial_fit(FRAME, Y[::-1]),
    "partial_fit, weights": lambda model: quick().partial_fit(
        FRAME, Y, sample_weight=WEIGHTS.loc[ORDER]
    ),
    "fit, validation rows": lambda model: quick(epochs=1).fit(
        X, TWO, validation_data=(FRAME.loc[ORDER], Y)
    ),
    "evaluate": lambda model: model.evaluate(FRAME, Y.loc[ORDER]),
    "score, y": lambda model: model.score(FRAME.loc[ORDER], Y),
    "score, weights": lambda model: model.score(FRAME, Y, WEIGHTS.loc[ORDER]),
    "trace": lambda model: model.trace(FRAME[:20], Y[:20][::-1]),
    "texts": lambda model: model.score(FRAME.set_axis(KEYS), Y.set_axis(KEYS)[::-1]),
    "mixed kinds": lambda model: model.score(
        FRAME[:3].set_axis([1, "a", 2.5]), Y[:3].set_axis(["a", 1, 2.5])
    ),
    "columns, fit": lambda model: quick(epochs=1, columns="auto").fit(NAMED, Y[::-1]),
    "columns, score": lambda model: (
        quick(epochs=1, columns="auto").fit(NAMED, Y).score(NAMED, Y.loc[ORDER])
    ),
    "columns, evaluate": lambda model: (
        quick(epochs=1, columns="auto").fit(NAMED, Y).evaluate(NAMED, Y.loc[ORDER])
    ),
    "columns, validation rows": lambda model: quick(epochs=1, columns="auto").fit(
        NAMED, Y, validation_data=(NAMED.loc[ORDER], Y)
    ),
    "y as a frame": lambda model: model.score(FRAME, Y.to_frame().loc[ORDER].iloc[:, 0]),
}


@pytest.mark.parametrize("call", CALLS)
def test_labels_in_another_order_are_warned_of(model, call):
    with pytest.warns(UserWarning, match="has the labels of .*X's in another order, and rows"):
        CALLS[call](model)


def test_labels_that_two_samples_share_in_another_order_are_warned_of(model):
    one, other = (np.random.default_rng(seed).permutation(len(X))[:150] for seed in (1, 2))
    with pytest.warns(UserWarning, match=r"index of y has 1\d\d labels of X's in another order"):
        model.score(FRAME.loc[one], Y.loc[other])


def test_what_goes_by_position_on_purpose_is_not_warned_of(model):
    some = ORDER[:150]
    for frame, y in (
        (FRAME[::-1], Y[::-1]),
        (FRAME[10:], Y[10:].reset_index(drop=True)),
        (FRAME.loc[some].reset_index(drop=True), Y.loc[some]),  # as a scaler leaves it
        (pandas.DataFrame(X[some], index=np.arange(150)), Y.loc[some]),
        (FRAME[:-1], Y[1:]),  # the next row's y
        (FRAME.set_axis(KEYS)[:-1], Y.set_axis(KEYS)[1:]),
        (FRAME.set_axis(KEYS), Y),
        (FRAME, TWO),
        (FRAME, list(TWO)),
        (X, Y[::-1]),
    ):
        model.score(frame, y)
        model.evaluate(frame, y)
    quick(epochs=1).fit(FRAME, Y, sample_weight=WEIGHTS, validation_data=(FRAME[::-1], Y[::-1]))
