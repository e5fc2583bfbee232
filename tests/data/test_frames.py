"""Frames and tables: their columns' names, in checks and in messages; what NumPy cannot read."""

import re

import numpy as np
import pytest
from mlp_cases import TWO, X, quick

from cnn_core import MLP

NAMES = ["a", "b", "c", "d", "e"]


class Table:
    """What a pyarrow table shows: columns without names, and the names in its schema."""

    __module__ = "pyarrow.lib"

    def __init__(self, names, array=X):
        self.columns = list(array.T)
        self.schema = type("Schema", (), {"names": names})()
        self.array, self.shape = array, array.shape

    def __array__(self, dtype=None, copy=None):
        return self.array


class Bfloat16:
    """What a torch tensor of bfloat16 does."""

    dtype = "torch.bfloat16"

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Got unsupported ScalarType BFloat16")


# Names


def arrow(kind):
    pyarrow = pytest.importorskip("pyarrow")
    make = getattr(pyarrow, kind).from_arrays
    return tuple(
        make([pyarrow.array(X[:, i]) for i in order], names=[NAMES[i] for i in order])
        for order in (range(5), (1, 0, 2, 3, 4))
    )


@pytest.mark.parametrize("kind", ["like pyarrow", "Table", "RecordBatch"])
def test_names_of_pyarrow_tables_are_read(kind):
    if kind == "like pyarrow":
        table, reordered = Table(NAMES), Table(["b", "a", "c", "d", "e"])
    else:
        table, reordered = arrow(kind)
    model = quick(epochs=2).fit(table, TWO)
    assert model.feature_names_in_.tolist() == NAMES
    plain = quick(epochs=2).fit(X, TWO)
    assert np.array_equal(model.predict_proba(table), plain.predict_proba(X))
    for use in (
        model.predict,
        lambda rows: model.score(rows, TWO),
        lambda rows: model.partial_fit(rows, TWO),
        lambda rows: quick(epochs=1).fit(table, TWO, validation_data=(rows, TWO)),
    ):
        with pytest.raises(ValueError, match="X has other columns .*: their order differs"):
            use(reordered)


def test_columns_in_another_order_name_the_cure_which_works():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=NAMES)
    model = quick(epochs=2).fit(frame, TWO)
    for given in (frame[NAMES[::-1]], frame.assign(row=0), frame.assign(row=0)[["row", *NAMES]]):
        words = r"; (X\[list\(model.feature_names_in_\)\]) has those of the fit, in its order$"
        with pytest.raises(ValueError, match=words) as caught:
            model.predict(given)
        cure = re.search(words, str(caught.value))[1]
        assert np.array_equal(
            model.predict(eval(cure, {"X": given, "model": model})), model.predict(X)
        )
    for given, words in (
        (frame[NAMES[:4]], "missing: e$"),
        (frame.rename(columns={"b": "z"}), "missing: b; unknown: z$"),
        (frame[["a", "b", "c", "d", "a"]], "missing: e; more than once: a$"),
        (frame[[*NAMES, "a"]], "more than once: a$"),
    ):
        with pytest.raises(ValueError, match=words):
            model.predict(given)


@pytest.mark.parametrize("kind", ["Table", "RecordBatch"])
def test_the_cure_for_columns_in_another_order_works_for_pyarrow(kind):
    pyarrow = pytest.importorskip("pyarrow")
    given = getattr(pyarrow, kind).from_pydict(dict(zip(NAMES, X.T)))
    model = quick(epochs=2).fit(given, TWO)
    words = r"; (X.select\(list\(model.feature_names_in_\)\)) has those of the fit, in its order$"
    with pytest.raises(ValueError, match=words) as caught:
        model.predict(given.select(NAMES[::-1]))
    cure = re.search(words, str(caught.value))[1]
    there = eval(cure, {"X": given.select(NAMES[::-1]), "model": model})
    assert np.array_equal(model.predict(there), model.predict(given))


def test_tables_that_need_columns_are_told_of_them():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=NAMES).assign(y=TWO)
    with pytest.raises(TypeError, match=r"the name of a column of X needs columns='auto'$"):
        quick().fit(frame, "y")
    dates = frame.assign(a=pandas.Timestamp("2026-11-26"))
    for bad in (dates, frame.assign(a="u")):
        with pytest.raises(TypeError, match="or fit with columns='auto', which takes"):
            quick().fit(bad, TWO)


def labels():
    pandas = pytest.importorskip("pandas")
    yield list(range(5))
    yield [10, 7, 3, 1, 0]
    yield pandas.MultiIndex.from_product([["x"], NAMES])
    yield pandas.MultiIndex.from_tuples([(1, "a"), (1, "b"), (2, "a"), (2, "b"), (3, "a")])
    yield [1.5, 2.5, 3.5, 4.5, 5.5]
    yield ["a", 1, ("b", 2), 3.5, None]
    yield pandas.date_range("2020-01-01", periods=5)
    yield pandas.CategoricalIndex(NAMES)


@pytest.mark.parametrize("which", range(8))
def test_a_reordering_is_noticed_whatever_the_labels_are(which):
    pandas = pytest.importorskip("pandas")
    columns = list(labels())[which]
    frame = pandas.DataFrame(X, columns=columns)
    model = quick(epochs=2).fit(frame, TWO)
    assert np.array_equal(model.predict(frame), model.predict(X))
    reordered = frame.iloc[:, [1, 0, 2, 3, 4]]
    with pytest.raises(ValueError, match="other columns .*: their order differs"):
        model.predict(reordered)
    with pytest.raises(ValueError, match="x has other columns .*: their order differs"):
        model.predict_one(reordered.iloc[0])
    if which != 7:  # strings
        assert not hasattr(model, "feature_names_in_")
        model.predict(pandas.DataFrame(X, columns=list("vwxyz")))  # other labels: as before


def test_a_frame_without_names_may_follow_one_with_names_and_the_other_way_round():
    pandas = pytest.importorskip("pandas")
    named, unnamed = pandas.DataFrame(X, columns=NAMES), pandas.DataFrame(X)
    assert np.array_equal(
        quick(epochs=1).fit(named, TWO).predict(unnamed),
        quick(epochs=1).fit(unnamed, TWO).predict(named),
    )


# Gaps and texts


def frame_of(kind, **changes):
    """A frame with other columns in some places."""
    library = pytest.importorskip(kind)
    columns = {name: X[:6, i].tolist() for i, name in enumerate(NAMES)} | changes
    return library.DataFrame(columns)


NAN = float("nan")
FINITE = "; every entry must be a finite number"
AS_IT_IS = ", or fit with columns='auto', which takes such a column as it is"
WITH_GAPS = AS_IT_IS.replace("'auto',", "'auto' to rows that have gaps,")
FILL = f": fill the gaps or drop the rows{WITH_GAPS}"
FAULTS = [
    (dict(b=[1.0, NAN, 2, NAN, 3, 4]), ValueError,
     "X has nan in column 'b' (2 rows, the first is row 1)", FINITE + FILL),
    (dict(b=[1.0, 2, 3, 4, 5, NAN]), ValueError, "X has nan in column 'b' (row 5)", FINITE + FILL),
    (dict(b=[1.0, 2, 3, NAN, 5, 6], d=[NAN] * 6, e=[NAN] * 6), ValueError,
     "X has nan in column 'd' (6 rows, the first is row 0) and in 2 other columns", FINITE + FILL),
    (dict(b=[1.0, NAN, 2, NAN, 3, 4], c=[NAN, 1.0, 2, 3, 4, 5]), ValueError,
     "X has nan in column 'c' (row 0) and in 1 other column", FINITE + FILL),
    (dict(c=[1.0, float("inf"), 2, 3, 4, 5]), ValueError,
     "X has inf in column 'c' (row 1)", FINITE),
    (dict(a=["Torgersen", "Biscoe"] * 3), TypeError,
     "X must hold numbers, got the text 'Torgersen' in column 'a' (6 rows, the first is row 0)",
     f"; encode text as numbers, such as pandas.get_dummies does, or leave it out{AS_IT_IS}"),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["pandas", "polars"])
@pytest.mark.parametrize("changes, error, what, cure", FAULTS)
def test_messages_name_the_column_and_count_the_rows(kind, changes, error, what, cure):
    bad, y = frame_of(kind, **changes), [0, 1] * 3
    model = quick(hidden=2, epochs=1).fit(frame_of(kind), y)
    for use in (
        lambda: quick(hidden=2, epochs=1).fit(bad, y),
        lambda: quick(epochs=1, scale_inputs="standard").fit(bad, y),
        lambda: model.predict(bad),
        lambda: model.forward(bad),
        lambda: model.score(bad, y),
        lambda: model.partial_fit(bad, y),
    ):
        with pytest.raises(error) as caught:
            use()
        assert str(caught.value) == what + cure
    with pytest.raises(error) as caught:
        quick(epochs=1).fit(frame_of(kind), y, validation_data=(bad, y))
    assert str(caught.value) == "validation_data's " + what + cure


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_number_beyond_the_dtype_has_its_column_named(kind):
    bad = frame_of(kind, c=[1.0, 1e300, 2, -1e300, 4, 5])
    wanted = r"X has 1e\+300 in column 'c' \(2 rows, the first is row 1\); .* range of float32$"
    with pytest.raises(ValueError, match=wanted):
        quick(epochs=1, scale_inputs=None).fit(bad, TWO[:6])


def test_a_frame_that_is_read_in_place_has_its_names_in_messages_too():
    pandas = pytest.importorskip("pandas")
    rows = X[:6].copy()
    rows[3, 1] = np.nan
    model = quick(epochs=1).fit(X, TWO)
    with pytest.raises(ValueError, match=r"X has nan in column 'b' \(row 3\)"):
        model.predict(pandas.DataFrame(rows, columns=NAMES))


@pytest.mark.parametrize("gap", ["None", "NA", "NaT"])
def test_gaps_among_objects_are_counted(gap):
    pandas = pytest.importorskip("pandas")
    value = None if gap == "None" else getattr(pandas, gap)
    frame = frame_of("pandas").astype(object)
    frame.iloc[2, 3] = frame.iloc[4, 3] = value
    frame.iloc[5, 3] = float("nan")
    with pytest.raises(
        TypeError, match=r"in column 'd' \(3 rows, the first is row 2\); fill the gaps"
    ):
        quick(epochs=1).fit(frame, TWO[:6])


def test_arrays_count_the_rows_with_gaps():
    rows = X[:6].copy()
    rows[1, 3] = rows[4, 2] = rows[4, 3] = np.nan
    with pytest.raises(ValueError) as caught:
        quick(epochs=1).fit(rows, TWO[:6])
    assert str(caught.value) == f"X has nan at row 1, column 3{FINITE} (2 rows have nan){FILL}"
    with pytest.raises(ValueError, match=r"y has nan at row 0; .*\(1 row has nan\)"):
        MLP(2).fit(X[:6], [np.nan, 1.0, 2, 3, 4, 5])
    with pytest.raises(ValueError, match="parameters_ has nan at row 0; .* a finite number$"):
        model = quick(epochs=1).fit(X, TWO)
        model.parameters_ = model.parameters_ * np.nan


def test_columns_of_y_have_names_too():
    pandas = pytest.importorskip("pandas")
    y = pandas.DataFrame({"height": [1.0, 2, 3], "weight": [1.0, np.nan, np.nan]})
    with pytest.raises(
        ValueError, match=r"y has nan in column 'weight' \(2 rows, the first is row 1"
    ):
        MLP(2).fit(X[:3], y)


@pytest.mark.parametrize("rows, message", [
    ([[1, "a"], [2, "b"]], "got the text 'a' at row 0, column 1"),
    ([[1, 2.5], [2, "b"]], "got the text 'b' at row 1, column 1"),
    (([1, 2], (b"b", 3)), "got the text b'b' at row 1, column 0"),
    ([[1.0, None], [2.0, "b"]], "got None at row 0, column 1; fill the gaps"),
    ([[True, "no"], [False, "yes"]], "got the text 'no' at row 0, column 1; encode text"),
    ([["3", "a"], ["4", "b"]], "got the text '3' at row 0, column 0"),
    (np.array([[1, "a"], [2, "b"]]), "got the text '1' at row 0, column 0"),
    ([np.array([1.0, 2.0]), np.array(["x", "y"])], "got the text 'x' at row 1, column 0"),
    ([[1, [2]], [3, [4]]], "rectangular"),
])  # fmt: skip
def test_a_list_of_numbers_and_texts_shows_the_text(rows, message):
    with pytest.raises((TypeError, ValueError), match=message):
        quick().fit(rows, [0, 1])


# What NumPy cannot read


def test_bfloat16_is_refused_in_words():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    message = r"X must hold real numbers of a type that NumPy has, got .*bfloat16; convert it first"
    for given in (X.astype(ml_dtypes.bfloat16), Bfloat16()):
        with pytest.raises(TypeError, match=message):
            quick().fit(given, TWO)
    with pytest.raises(TypeError, match="float8"):
        quick().fit(X.astype(ml_dtypes.float8_e4m3fn), TWO)
    with pytest.raises(TypeError, match=message):
        quick(epochs=1).fit(X, TWO).predict(Bfloat16())


def test_bfloat16_of_torch_is_refused_in_words():
    torch = pytest.importorskip("torch")
    with pytest.raises(
        TypeError, match=r"got torch.bfloat16; convert it first, such as X.float\(\)"
    ):
        quick().fit(torch.tensor(X).bfloat16(), TWO)


def test_bfloat16_of_jax_is_refused_in_words():
    numpy = pytest.importorskip("jax.numpy")
    with pytest.raises(TypeError, match="got bfloat16; convert it first"):
        quick().fit(numpy.asarray(X, numpy.bfloat16), TWO)


def test_a_query_of_polars_is_refused_in_one_sentence_without_a_warning():
    polars = pytest.importorskip("polars")
    model = quick(epochs=1).fit(polars.DataFrame(X, schema=NAMES), TWO)
    lazy = polars.DataFrame(X, schema=NAMES).lazy()
    for use in (
        lambda: quick().fit(lazy, TWO),
        lambda: model.predict(lazy),
        lambda: model.partial_fit(lazy, TWO),
        lambda: model.score(lazy, TWO),
        lambda: quick().fit(X, TWO, validation_data=(lazy, TWO)),
    ):
        with pytest.raises(TypeError, match=r"X is a LazyFrame, .* yet; give X.collect\(\)$"):
            use()


@pytest.mark.parametrize("beside", [{}, {"a": [1.0] * 6}])
@pytest.mark.parametrize("kind", ["Array", "List"])
def test_columns_of_several_numbers_are_refused_in_one_sentence(kind, beside):
    polars = pytest.importorskip("polars")
    dtype = polars.Array(polars.Float64, 2) if kind == "Array" else polars.List(polars.Float64)
    column = polars.Series("v", [[1.0, 2.0]] * 6, dtype=dtype)
    frame = polars.DataFrame({**beside, "v": column})
    with pytest.raises(
        TypeError, match="column 'v' .*; give each of its numbers a column of its own$"
    ):
        quick().fit(frame, TWO[:6])


def test_lists_in_a_frame_of_pandas_are_refused_likewise():
    frame = frame_of("pandas", b=[[1.0, 2.0]] * 6)
    with pytest.raises(
        TypeError, match=r"got \[1.0, 2.0\] in column 'b' \(6 rows, .*a column of its"
    ):
        quick().fit(frame, TWO[:6])


# Rows of different lengths


RAGGED = [
    [[1, 2], [3], [1, 2], [2]],
    [1, [2], 3, 4],
    [["a"], ["b", "c"], ["a"], ["b"]],
    [(1,), (1, 2), (1,), (2,)],
    [np.array([1.0, 2]), np.array([3.0]), np.array([1.0]), np.array([1.0])],
    [[[1]], [[2, 3]], [[1]], [[2]]],
    [1, None, [2], 3],
]


@pytest.mark.parametrize("ragged", RAGGED)
def test_rows_of_different_lengths_are_refused_in_one_sentence(ragged):
    rows, labels, line = X[:4], [0, 1, 0, 1], [0.5, 1.5, 2.5, 4.0]
    own, numbers = MLP(2, epochs=1).fit(rows, labels), MLP(2, epochs=1).fit(rows, line)
    uses = [
        lambda: MLP(2).fit(rows, ragged),
        lambda: MLP(2, task="regression").fit(rows, ragged),
        lambda: MLP(2, task="classification").fit(rows, ragged),
        lambda: MLP(2).fit(ragged, labels),
        lambda: MLP(2).fit(rows, labels, sample_weight=ragged),
        lambda: MLP(2).fit(rows, labels, validation_data=(rows, ragged)),
        lambda: MLP(2).partial_fit(rows, labels, classes=ragged),
        lambda: own.score(rows, ragged),
        lambda: own.evaluate(rows, ragged),
        lambda: own.predict(ragged),
        lambda: numbers.score(rows, ragged),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="must be a rectangular array; its rows have differ"):
            use()


@pytest.mark.parametrize("ragged", [
    *RAGGED,
    np.array([[1, 2], [3], [1], [2]], object),
    np.array([np.ones(2), [1], [1], [2]], object),
])  # fmt: skip
def test_the_drop_in_refuses_them_likewise(ragged):
    pytest.importorskip("sklearn", minversion="1.9")
    from cnn_core.sklearn import MLPClassifier, MLPRegressor

    rows, labels, line = X[:4], [0, 1, 0, 1], [0.5, 1.5, 2.5, 4.0]
    make = MLPRegressor(hidden_layer_sizes=2, max_iter=9, tol=1e9, n_iter_no_change=1)
    uses = [
        lambda: MLPClassifier(2).fit(rows, ragged),
        lambda: MLPClassifier(2).fit(ragged, labels),
        lambda: make.fit(rows, ragged),
        lambda: make.fit(rows, line, sample_weight=ragged),
        lambda: make.fit(rows, line).score(rows, ragged),
        lambda: make.fit(rows, line).predict(ragged),
    ]
    message = (
        "rectangular array; its rows|got .* at row 0|an object of type (list|ndarray) at row 0"
    )
    for use in uses:
        with pytest.raises((TypeError, ValueError), match=message):
            use()
