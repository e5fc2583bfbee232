"""`history_` is the dict that it was, and a frame and a picture when asked."""

import copy
import json
import pickle

import numpy as np
import pytest
from cnn_core.curves import Curves

from cnn_core import MLP

X = np.random.default_rng(0).normal(size=(80, 3))


@pytest.fixture(scope="module")
def model():
    options = dict(epochs=6, early_stopping=True, step_history=True, random_state=0)
    return MLP(4, **options).fit(X, X[:, 0])


def test_it_is_a_dict_for_all_who_take_one(model):
    history = model.history_
    plain = {name: list(values) for name, values in history.items()}
    assert isinstance(history, dict) and history == plain
    assert json.loads(json.dumps(history)) == plain and {**history} == plain
    for same in (pickle.loads(pickle.dumps(history)), copy.deepcopy(history), copy.copy(history)):
        assert type(same) is Curves and same == plain and repr(same) == repr(history)
        assert same.numbers == [1, 2, 3, 4, 5, 6]
    history["loss"].clear()
    assert model.history_ == plain


def test_it_shows_itself_in_a_line(model):
    text = repr(model.history_)
    first, last = (f"{model.history_['loss'][k]:.4g}" for k in (0, -1))
    assert text.startswith(f"<6 epochs, epoch {model.best_epoch_} chosen: loss {first} to {last}, ")
    assert "\n" not in text and "learning_rate 0.001," in text
    assert repr(model.step_history_).startswith("<18 steps: loss ")
    assert repr(MLP(4).initialize(X, X[:, 0]).history_) == "<0 epochs>"


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_a_frame_has_a_row_an_epoch(model, kind):
    package = pytest.importorskip(kind)
    frame = model.history_.frame(kind)
    assert type(frame).__module__.partition(".")[0] == package.__name__
    frame = frame.to_pydict() if kind == "pyarrow" else frame
    names = frame if kind == "pyarrow" else frame.columns
    assert [*names] == ["epoch", *model.history_]
    assert list(frame["epoch"]) == [1, 2, 3, 4, 5, 6]
    assert list(frame["val_loss"]) == model.history_["val_loss"]


def test_the_default_frame_is_that_of_the_first_package_there_is(model, monkeypatch):
    pytest.importorskip("polars")
    import importlib.util

    there, found = {"pandas", "polars", "pyarrow"}, importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *a: None if name in missing else found(name, *a),
    )
    missing = {"pandas"}
    assert type(model.step_history_.frame()).__module__.startswith("polars")
    with pytest.raises(ImportError, match="needs pandas: pip install pandas"):
        model.history_.frame("pandas")
    missing = there
    with pytest.raises(ImportError, match="one of pandas, polars, pyarrow, and none is installed"):
        model.history_.frame()
    with pytest.raises(ValueError, match="one of 'pandas', 'polars', 'pyarrow' or None, got 'R'"):
        model.history_.frame("R")


def test_epochs_of_a_stream_have_their_own_numbers(monkeypatch):
    monkeypatch.setattr("cnn_core.history.STREAMED", 5)
    model = MLP(2, random_state=0)
    for _ in range(12):
        model.partial_fit(X[:20], X[:20, 0])
    assert model.history_.numbers == [8, 9, 10, 11, 12]
    assert list(model.history_.frame("pandas")["epoch"]) == [8, 9, 10, 11, 12]


def test_plot_draws_what_learning_curves_draws(model):
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot

    from cnn_core import plot

    one, other = model.history_.plot(), plot.learning_curves(model)
    assert [list(line.get_ydata()) for line in one.lines] == [
        list(line.get_ydata()) for line in other.lines
    ]
    steps = model.step_history_.plot(ax=pyplot.subplots()[1])
    assert steps.get_title("left") == "Loss of 18 steps" and len(steps.lines) == 1
    assert [one.get_text() for one in steps.get_legend().get_texts()] == ["mini-batch"]
    pyplot.close("all")
