"""Rows divided into some to train and some to test on: which, of what kinds, in what shares."""

import json
import subprocess
import sys

import numpy as np
import pytest
from cnn_core._random import permutation
from cnn_core.data.split import stratified_split
from cnn_core.datasets import load_digits, split
from cnn_core.parameters import draw_seed

X = np.arange(40.0).reshape(20, 2)
y = np.array(list("abbabbabbabbabbabbab"))


def test_each_row_is_on_one_side_and_all_arrays_are_divided_alike():
    for options in ({}, {"stratify": y}, {"test": 7}, {"test": 0.9, "random_state": 3}):
        parts = split(X, y, np.arange(20), **options)
        assert len(parts) == 6
        for train, test, whole in zip(parts[::2], parts[1::2], (X, y, np.arange(20))):
            assert np.array_equal(train, whole[parts[4]])
            assert np.array_equal(test, whole[parts[5]])
        assert sorted([*parts[4], *parts[5]]) == list(range(20))


def test_the_order_is_that_of_the_generator_and_not_that_of_a_fit():
    seed = draw_seed(5)
    choice, order = (permutation(seed, i, 20, split=True).tolist() for i in (1, 2))
    train, test = split(list(range(20)), random_state=5)
    assert test == [i for i in order if i in choice[:4]]
    assert train == [i for i in order if i in choice[4:]]
    assert set(test) != set(np.flatnonzero(stratified_split(seed, 20, 0.2)))


@pytest.mark.slow
def test_rows_are_the_same_in_every_process_and_on_every_instruction_set(isa):
    code = (
        "import json, numpy as np; from cnn_core.datasets import split;"
        "print(json.dumps(split(list(range(50)), stratify=[0, 1] * 25, random_state=7)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    here = split(list(range(50)), stratify=[0, 1] * 25, random_state=7)
    assert json.loads(done.stdout) == list(here)
    assert here[1] == [24, 33, 39, 46, 2, 8, 37, 18, 13, 25]


def test_the_rows_do_not_depend_on_what_the_arrays_hold():
    numbers, words = split(np.arange(30), random_state=1), split([*"x" * 30], random_state=1)
    assert len(numbers[1]) == len(words[1]) == 6
    assert np.array_equal(numbers[1], split(range(30), random_state=1)[1])


def test_without_a_seed_the_rows_differ_and_generators_are_drawn_from():
    rows = list(range(100))
    assert split(rows) != split(rows)
    for make in (np.random.default_rng, np.random.RandomState):
        assert split(rows, random_state=make(3)) == split(rows, random_state=make(3))
        generator = make(3)
        assert split(rows, random_state=generator) != split(rows, random_state=generator)


@pytest.mark.parametrize(
    "rows, test, n_test",
    [
        (5, 0.2, 1),
        (100, 0.07, 7),
        (1797, 0.2, 360),
        (10, 0.25, 3),
        (2, 0.5, 1),
        (10, 9, 9),
        (30, 0.1, 3),
        (3, np.float32(0.4), 2),
        (10, np.int64(4), 4),
    ],
)
def test_the_test_rows_are_as_many_as_was_asked_for(rows, test, n_test):
    train, tests = split(list(range(rows)), test=test, random_state=0)
    assert (len(train), len(tests)) == (rows - n_test, n_test)


# Kinds


def test_each_argument_keeps_its_kind(tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    many = np.arange(60).reshape(20, 3, 1)
    given = (X, X.tolist(), tuple(y), many, mapped, range(20), np.asfortranarray(X))
    parts = split(*given, random_state=2)
    kinds = (np.ndarray, list, tuple, np.ndarray, np.ndarray, list, np.ndarray)
    rows = parts[10], parts[11]
    for i, (whole, kind) in enumerate(zip(given, kinds)):
        for part, chosen in zip(parts[2 * i : 2 * i + 2], rows):
            assert isinstance(part, kind)
            assert np.array_equal(np.asarray(part), np.asarray(whole)[list(chosen)])
    parts[0][:] = 0  # a copy
    assert X[0, 1] == 1


def test_a_dict_of_columns_is_divided_by_rows():
    table = {"u": X[:, 0], "name": y.tolist()}
    train, test, rows, test_rows = split(table, np.arange(20), random_state=2)
    for part, chosen in ((train, rows), (test, test_rows)):
        assert np.array_equal(part["u"], X[chosen, 0])
        assert part["name"] == y[chosen].tolist()


def test_frames_and_series_keep_columns_and_labels():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"u": X[:, 0], "name": y}, index=np.arange(20) * 10)
    train, test, y_train, y_test = split(frame, frame["name"], stratify=frame["name"])
    assert isinstance(train, pd.DataFrame) and isinstance(y_test, pd.Series)
    assert list(train.columns) == ["u", "name"] and (test.index == y_test.index).all()
    assert sorted([*train.index, *test.index]) == list(frame.index)
    assert (train["name"] == y_train).all()
    index, _ = split(frame.index)
    assert isinstance(index, pd.Index)


def test_frames_of_polars_keep_their_columns():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"u": X[:, 0], "name": y})
    train, test, y_train, y_test = split(frame, frame["name"], stratify=frame["name"])
    assert isinstance(train, pl.DataFrame) and isinstance(y_test, pl.Series)
    assert train["name"].to_list() == y_train.to_list() and test.columns == ["u", "name"]
    with pytest.raises(TypeError, match=r"array 1 is a LazyFrame, .*collect\(\)"):
        split(frame.lazy())


def test_tables_of_pyarrow_keep_their_columns():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"u": X[:, 0], "name": y})
    train, test, y_train, _ = split(table, table["name"], stratify=table["name"])
    assert isinstance(train, pa.Table) and train["name"].to_pylist() == y_train.to_pylist()
    assert (train.num_rows, test.num_rows) == (16, 4)


def test_no_library_is_imported_for_it():
    code = (
        "import sys, cnn_core.datasets as d; d.split([1, 2, 3], [1, 2, 3]);"
        "print(*({'pandas', 'polars', 'pyarrow', 'sklearn', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.split() == []


# Shares of classes


@pytest.mark.parametrize("test", [0.1, 0.2, 0.3, 0.5, 0.85, 13])
@pytest.mark.parametrize("sizes", [(50, 50), (80, 15, 5), (3, 2, 2, 93), (2,) * 5 + (90,), (100,)])
def test_every_class_has_its_share_on_both_sides(sizes, test):
    labels = np.repeat([f"class {i}" for i in range(len(sizes))], sizes)
    _, _, train, tests = split(np.arange(100), labels, test=test, stratify=labels, random_state=1)
    for i, size in enumerate(sizes):
        name, share = f"class {i}", size * len(tests) / 100
        n = int(np.sum(tests == name))
        assert n + np.sum(train == name) == size
        if len(sizes) > 1:
            assert 1 <= n < size
        least = sum(min(s, 2) for s in sizes)  # classes of two rows give one, whatever their share
        assert abs(n - share) < 1 or least > len(sizes), (name, n, share)


@pytest.mark.parametrize("stratify", [True, False])
def test_both_parts_have_their_classes_in_no_order(stratify):
    labels = np.repeat([0, 1, 2, 3], 2000)
    for part in split(labels, test=0.5, stratify=labels if stratify else None, random_state=0):
        for piece in (part[:400], part[-400:]):
            assert np.bincount(piece).min() > 70  # 100 are expected, give or take 8.7


def test_classes_are_rows_of_any_kind_of_label():
    labels = [True, False] * 10
    for given in (labels, np.array(labels), [str(label) for label in labels], np.array([labels]).T):
        _, test = split(labels, stratify=given, test=0.5, random_state=0)
        assert sum(test) == 5


@pytest.mark.parametrize(
    "stratify, test, message",
    [
        (["a"] * 19 + ["b"], 0.2, "a single row of the class 'b'; each class needs two at least"),
        (list(range(10)) * 2, 9, "10 classes, which cannot all be among the 9 rows to test on"),
        (list(range(10)) * 2, 0.9, "10 classes, which cannot all be among the 2 rows to train on"),
        (["a", "b"] * 9, 0.2, "array 1 has 20 rows and stratify has 18"),
        ([0.5, np.nan] * 10, 0.2, "stratify has nan at row 1"),
        (np.zeros((20, 2)), 0.2, "stratify must hold one class label a row"),
    ],
)
def test_a_division_that_cannot_be_is_refused(stratify, test, message):
    with pytest.raises(ValueError, match=message):
        split(X, test=test, stratify=stratify)


@pytest.mark.parametrize(
    "arrays, options, error, message",
    [
        ((), {}, TypeError, "at least one array"),
        ((X, y[:9]), {}, ValueError, "array 1 has 20 rows and array 2 has 9; they must"),
        ((X, {"a": 1}), {}, TypeError, "column 'a' of array 2 is of type int; split takes"),
        (({"a": X, "b": y[:9]},), {}, ValueError, "'a' of array 1 has 20 rows and column 'b' has"),
        (({"a": {"b": X}},), {}, TypeError, "column 'a' of array 1 is of type dict"),
        (({},), {}, ValueError, "array 1 is a dict without columns"),
        (("text",), {}, TypeError, "array 1 is of type str"),
        ((np.float64(3),), {}, TypeError, "array 1 is of type float64"),
        ((iter([1, 2]),), {}, TypeError, "array 1 is of type list_iterator"),
        ((None,), {}, TypeError, "array 1 is of type NoneType"),
        ((X[:1],), {}, ValueError, "test=0.2 of 1 row leaves none to train on"),
        ((X[:0],), {}, ValueError, "test=0.2 of 0 rows leaves none to test on"),
        ((X,), {"test": 0}, ValueError, "test=0 of 20 rows leaves none to test on"),
        ((X,), {"test": 20}, ValueError, "test=20 of 20 rows leaves none to train on"),
        ((X,), {"test": 1.0}, ValueError, "test must be a share .* or their number, got 1.0"),
        ((X,), {"test": float("nan")}, ValueError, "test must be .*, got nan"),
        ((X,), {"test": True}, TypeError, "test must be .*, got True"),
        ((X,), {"test": "0.2"}, TypeError, "test must be .*, got '0.2'"),
        ((X,), {"random_state": -1}, ValueError, "random_state must not be negative"),
        ((X,), {"random_state": 0.5}, TypeError, "random_state must be an int"),
        ((X,), {"test_size": 0.2}, TypeError, "no parameter 'test_size'; it is called test here"),
        ((X,), {"train_size": 0.8}, TypeError, r"not tested on are trained on: split\(X, y, test"),
        ((X,), {"shuffle": False}, TypeError, "in random order always"),
        ((X,), {"startify": y}, TypeError, "did you mean 'stratify'"),
        ((X,), {"stratify": [[1], ["a"]] * 10}, TypeError, "stratify"),
    ],
)
def test_misuse_is_refused_with_what_is_allowed(arrays, options, error, message):
    with pytest.raises(error, match=message):
        split(*arrays, **options)


def test_two_hundred_thousand_rows_of_a_thousand_classes_take_no_second():
    labels = np.arange(200_000) % 1000
    train, test = split(labels, stratify=labels, random_state=0)
    assert np.bincount(test).tolist() == [40] * 1000 and len(train) == 160_000


def test_the_first_example_divides_the_digits_as_the_documents_say():
    X, y = load_digits()
    X_train, _, _, y_test = split(X, y, stratify=y, random_state=0)
    assert X_train.shape == (1437, 64) and y_test.shape == (360,)
    assert np.ptp(np.bincount(y_test) / np.bincount(y)) < 0.006
