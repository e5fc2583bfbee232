"""What the column that y names is: classes or numbers, in Python and on the command line."""

import warnings

import numpy as np
import pytest
from cnn_core.cli.main import main
from cnn_core.cli.scoring import is_classifier
from cnn_core.cli.target import target_of as target_of_command
from cnn_core.columns.table import values_of
from cnn_core.io.places import FileTable

from cnn_core import MLP

RNG = np.random.default_rng(0)
X = list(RNG.random(60))
WORDS = [f"w{i % 3}" for i in range(60)]
CASES = {
    "prices": ([1000 + 7 * (i * i % 59) for i in range(60)], False),
    "prices that are floats": ([1000.0 + 7 * (i * i % 59) for i in range(60)], False),
    "0 and 1": ([i % 2 for i in range(60)], True),
    "0.0 and 1.0": ([float(i % 2) for i in range(60)], True),
    "five": ([i % 5 for i in range(60)], True),
    "twenty": ([i % 20 for i in range(60)], True),
    "21": ([i % 21 for i in range(60)], False),
    "halves": ([i % 4 / 2 for i in range(60)], False),
    "words": (WORDS, True),
    "bools": ([i % 2 == 0 for i in range(60)], True),
    "texts of numbers": ([f"{i}.5" for i in range(60)], False),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:the target", "ignore:y holds")
def test_one_rule_says_whether_a_column_holds_classes(name):
    y, classes = CASES[name]
    model = MLP(2, columns="auto", epochs=1, random_state=0).fit({"x": X, "y": y}, "y")
    assert is_classifier(model) == classes
    if name != "texts of numbers":  # which are numbers when they come from a file
        values = {"y": values_of(y, "y", "X")}
        table = FileTable(("y",), 60, values.__getitem__, "a.csv", str)
        assert target_of_command(table, "y", None).classes == classes
    assert np.isfinite(model.score({"x": X, "y": y}, "y"))


def test_several_whole_numbers_are_said_to_be_classes():
    table = {"x": X, "y": [i % 5 for i in range(60)], "two": [i % 2 for i in range(60)]}
    with pytest.warns(UserWarning, match="target 'y' has 5 different whole numbers, .* task='regr"):
        MLP(2, columns={"two": "drop"}, epochs=1).fit(table, "y")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="the target")
        MLP(2, columns={"y": "drop"}, epochs=1).fit(table, "two")
        for task in ("classification", "regression"):
            model = MLP(2, columns={"two": "drop"}, epochs=1, task=task).fit(table, "y")
            assert is_classifier(model) == (task == "classification")


@pytest.mark.filterwarnings("ignore:y holds")
def test_an_array_beside_columns_keeps_the_rule_for_arrays():
    model = MLP(2, columns="auto", epochs=1).fit({"x": X}, np.array([0.0, 1.0, 2.0] * 20))
    assert not is_classifier(model)
    assert is_classifier(MLP(2, columns="auto", epochs=1).fit({"x": X}, np.arange(60) // 6))


def test_a_column_with_a_number_for_a_name_may_be_the_target():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(RNG.random((50, 4)))
    model = MLP(2, columns="auto", epochs=1).fit(frame, 3)
    assert model.columns_.names == [0, 1, 2] and np.isfinite(model.score(frame, np.int64(3)))
    assert MLP(2, columns="auto", epochs=1).fit(frame.to_numpy(), 3).n_features_in_ == 3
    with pytest.raises(ValueError, match="y names the column 7, which X does not have"):
        MLP(2, columns="auto", epochs=1).fit(frame, 7)


def test_classes_of_a_type_of_categories_keep_their_type():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": X, "y": pandas.Categorical([5, 7, 9] * 20)})
    model = MLP(2, columns="auto", epochs=1).fit(frame, "y")
    assert model.classes_.tolist() == [5, 7, 9] and model.classes_.dtype.kind == "i"
    assert np.isfinite(model.score(frame, "y"))
    frame["y"] = pandas.cut(frame["x"], 3)
    assert MLP(2, columns="auto", epochs=1).fit(frame, "y").classes_.dtype.kind == "U"


@pytest.mark.parametrize("form, why", [
    ("${}.50", r"look like numbers, such as '\$0.50', which float\(text.replace\('\$', ''\)\)"),
    ("t{}", "60 different texts in 60 rows, too many to be classes"),
])  # fmt: skip
def test_texts_that_are_no_classes_are_refused(form, why):
    y = [form.format(i) for i in range(60)]
    with pytest.raises(ValueError, match=f"the target 'y' of X has .*{why}"):
        MLP(2, columns="auto", epochs=1).fit({"x": X, "y": y}, "y")


def test_true_of_a_file_is_the_class_true_of_a_frame(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = [x > 0.5 for x in X]
    rows = "".join(f"{x},{str(flag).upper()}\n" for x, flag in zip(X, flags))
    (tmp_path / "a.csv").write_text("x,y\n" + rows)
    assert main(["train", "a.csv", "--target", "y", "--quiet", "-o", "a.safetensors"]) == 0
    from cnn_core import load

    model = load("a.safetensors")
    labels = np.array([str(flag).upper() for flag in flags])
    wanted = model.score({"x": X}, labels)
    assert model.score({"x": X, "y": flags}, "y") == wanted > 0.8
    assert model.evaluate({"x": X, "y": flags}, "y")["accuracy"] == wanted


def test_a_scorer_watches_the_column_that_a_number_names():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("sklearn")
    frame = pandas.DataFrame(RNG.random((80, 4)))
    how = {"epochs": 2, "monitor": "neg_mean_absolute_error", "early_stopping": True}
    model = MLP(2, columns="auto", **how).fit(frame, 3, validation_data=(frame, 3))
    assert model.n_epochs_ == 2
