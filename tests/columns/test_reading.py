"""Tables of every library are read as the same columns."""

import datetime
import decimal

import numpy as np
import pytest
from cnn_core.columns.columns import Columns
from cnn_core.columns.table import read_table

DAYS = [datetime.datetime(2024, 2, 27) + datetime.timedelta(hours=7 * i) for i in range(20)]
COLUMNS = {
    "island": ["B", "D", None, "T"] * 5,
    "mass": [1.5, None, 3.0, 4.25] * 5,
    "count": [3, None, 5, 7] * 5,
    "ok": [True, False, None, True] * 5,
    "when": DAYS,
    "code": ["02139", "10001", "00501", None] * 5,
    "text of numbers": ["1", "2.5", None, "-3e2"] * 5,
}


def records():
    return [dict(zip(COLUMNS, row)) for row in zip(*COLUMNS.values())]


def pandas_frame(**dtypes):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(COLUMNS).astype(dtypes)


def pandas_nullable():
    return pandas_frame(count="Int64", ok="boolean", island="category", mass="Float64")


def polars_frame():
    return pytest.importorskip("polars").DataFrame(COLUMNS)


def pyarrow_table():
    return pytest.importorskip("pyarrow").table(COLUMNS)


def pyarrow_batch():
    return pyarrow_table().to_batches()[0]


def duckdb_relation():
    duckdb = pytest.importorskip("duckdb")
    rows = pyarrow_table()
    return duckdb.from_arrow(rows)


class Stream:
    """Nothing but a stream of Arrow."""

    def __arrow_c_stream__(self, requested_schema=None):
        return pyarrow_table().__arrow_c_stream__(requested_schema)


def structured():
    array = np.zeros(20, [("mass", "f4"), ("count", "i4"), ("island", "U1"), ("when", "M8[s]")])
    array["mass"], array["count"] = range(20), range(20, 0, -1)
    array["island"], array["when"] = ["B", "D"] * 10, DAYS
    return array


SOURCES = [
    records, pandas_frame, pandas_nullable, polars_frame, pyarrow_table, pyarrow_batch,
    duckdb_relation, Stream, lambda: {name: np.array(column) for name, column in COLUMNS.items()},
    lambda: pandas_frame()[list(COLUMNS)[::-1]],
]  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
def test_the_same_table_of_every_library_is_the_same_matrix_to_the_bit(source):
    columns = Columns.fitted(read_table(COLUMNS), None)
    assert columns.encode(source()).tobytes() == columns.encode(COLUMNS).tobytes()
    again = Columns.fitted(read_table(source()), None)
    assert {one.name: repr(vars(one)) for one in again.columns} == {
        one.name: repr(vars(one)) for one in columns.columns
    }


def test_the_matrix_is_what_the_page_says():
    columns = Columns.fitted(read_table(COLUMNS), None)
    matrix = dict(zip(columns.encoded, columns.encode(COLUMNS).T))
    assert list(matrix) == [
        "island=B", "island=D", "island=T", "mass", "mass is missing", "count", "count is missing",
        "ok=False", "ok=True", "when: year", "when: sine of the year", "when: cosine of the year",
        "when: sine of the week", "when: cosine of the week", "when: sine of the day",
        "when: cosine of the day", "code=00501", "code=02139", "code=10001", "text of numbers",
        "text of numbers is missing",
    ]  # fmt: skip
    for name in ("B", "D", "T"):
        assert (matrix[f"island={name}"] == [one == name for one in COLUMNS["island"]]).all()
    missing = np.array([one is None for one in COLUMNS["mass"]])
    assert (matrix["mass is missing"] == missing).all()
    assert matrix["mass"][missing] == pytest.approx((1.5 + 3 + 4.25) / 3)
    assert (matrix["mass"][~missing] == [one for one in COLUMNS["mass"] if one]).all()
    assert (matrix["ok=True"] == [one is True for one in COLUMNS["ok"]]).all()
    assert (matrix["ok=False"] == [one is False for one in COLUMNS["ok"]]).all()
    turns = [(day.timetuple().tm_yday - 1) / 366 for day in DAYS]
    assert matrix["when: year"] == pytest.approx(2024 + np.array(turns), abs=1e-12)
    for part, turn in (
        ("year", turns),
        ("week", [day.weekday() / 7 for day in DAYS]),
        ("day", [(day.hour + day.minute / 60) / 24 for day in DAYS]),
    ):
        angle = 2 * np.pi * np.array(turn)
        assert matrix[f"when: sine of the {part}"] == pytest.approx(np.sin(angle), abs=1e-12)
        assert matrix[f"when: cosine of the {part}"] == pytest.approx(np.cos(angle), abs=1e-12)


def test_a_structured_array_is_a_table():
    columns = Columns.fitted(read_table(structured()), None)
    assert [type(one).__name__ for one in columns.columns] == [
        "Number", "Number", "Category", "Date",
    ]  # fmt: skip


def test_columns_of_an_array_go_by_their_numbers():
    array = np.array([[1.0, np.nan], [2.0, 5.0], [4.0, 7.0]])
    columns = Columns.fitted(read_table(array), None)
    assert columns.names_in is None
    assert (columns.encode(array) == [[1, 6, 1], [2, 5, 0], [4, 7, 0]]).all()
    mixed = [["a", 1], ["b", 2], ["a", 7]]
    assert (Columns.fitted(read_table(mixed), None).encode(mixed)[:, :2].sum(axis=1) == 1).all()


@pytest.mark.parametrize("entries, kind", [
    ([1, 2.5, decimal.Decimal("3.5")], "Number"), ([True, False, True], "Category"),
    ([datetime.date(2020, 1, 1), None, datetime.date(2021, 5, 5)], "Date"),
    ([datetime.timedelta(1), datetime.timedelta(2), None], "Number"),
    (["2020-01-01", "2021-05-05 14:30", ""], "Date"), (["1", " 2", "NA"], "Number"),
    (["a", "b", "a"], "Category"), ([1, "a", 2], "Category"), ([None, None, 3.0], "Number"),
    (np.array(["2020-01", "NaT", "2021-05"], "M8[M]"), "Date"),
])  # fmt: skip
def test_kinds_are_recognised(entries, kind):
    columns = Columns.fitted(read_table({"x": entries, "y": [1.0, 5.0, 9.0]}), None)
    assert type(columns.columns[0]).__name__ == kind


@pytest.mark.parametrize("names, entries, why", [
    (["row", "index"], list(range(10, 30)), "it numbers the rows"),
    (["row", ""], np.random.default_rng(0).permutation(1000)[:400], "it numbers the rows"),
    (["id", "PassengerId", "user_id", "ID", "customerID"], [7 * i % 23 for i in range(20)],
     "every row has a number of its own"),
    (["name", "ticket"], [f"t {i}" for i in range(20)], "nearly every row has a text of its own"),
    (["empty"], [None] * 20, "every entry is missing"),
    (["same"], ["a"] * 20, "every row has 'a'"),
])  # fmt: skip
def test_what_tells_no_rows_apart_or_every_row_is_left_out_with_a_word(names, entries, why):
    for name in names:
        table = read_table({name: entries, "x": np.arange(1.0 * len(entries)) ** 2})
        with pytest.warns(UserWarning, match=f"leaves out '{name}' \\({why}"):
            columns = Columns.fitted(table, None)
        assert columns.width == 1 and not columns.encode({"x": [1.0]})[0, 0] - 1


def test_what_only_looks_like_an_identifier_stays():
    kept = {
        "humid": [7 * i % 23 for i in range(20)],  # ends in id, but is a word
        "age": [i // 2 for i in range(20)],
        "id": [i // 2 for i in range(20)],  # comes twice
        "city": [f"c{i % 10}" for i in range(20)],
        "rank": [3 * i % 20 for i in range(20)],  # few rows may all differ
        "price": [1000 + 37 * i for i in range(20)],
    }
    columns = Columns.fitted(read_table(kept), None)
    assert not any(type(one).__name__ == "Omitted" for one in columns.columns)


@pytest.mark.parametrize("source, error, message", [
    (3, TypeError, "X must be a table: a data frame, a dict of columns"),
    ({}, ValueError, "at least one row and one column, got 0 rows and 0 columns"),
    ({"a": []}, ValueError, "at least one row and one column"),
    ({"a": [1, 2], "b": [1]}, ValueError, "'a' has 2 and 'b' 1"),
    ({"a": [1, 2], "b": 3}, ValueError, "'a' has 2 and 'b' a single value"),
    ({"a": np.ones((2, 2))}, ValueError, r"column 'a' of X has the shape \(2, 2\)"),
    ({"a": [1, 2j]}, TypeError, "column 'a' of X holds a complex"),
    ({"a": [[1], [2]]}, TypeError, "column 'a' of X holds a list"),
    ({"a": [1, datetime.date(2020, 1, 1)]}, TypeError, "column 'a' of X holds date and int"),
    ({"a": np.ones(2, complex)}, TypeError, "column 'a' of X holds entries of type complex128"),
    ({"a": [1.0, np.inf]}, ValueError, "X has inf in column 'a', row 1"),
    ([{"a": 1}, 3], TypeError, "a row each; entry 1 is a int"),
    ([[1, 2], [3]], ValueError, "its rows have different lengths"),
    ([1, 2], ValueError, r"two dimensions \(rows, columns\), got shape \(2,\)"),
])  # fmt: skip
def test_what_is_no_table_is_refused_in_one_sentence(source, error, message):
    with pytest.raises(error, match=message):
        Columns.fitted(read_table(source), None).encode(source)


def test_two_columns_of_one_name_are_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([[1, 2.0], [3, 4.5]], columns=["a", "a"])
    with pytest.raises(ValueError, match="two columns named 'a'"):
        read_table(frame)


def test_a_query_without_rows_is_refused():
    polars = pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"LazyFrame, which holds no rows yet; give X.collect\(\)"):
        read_table(polars.DataFrame(COLUMNS).lazy())


def labelled(labels):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(np.random.default_rng(0).random((20, 3)), columns=labels)


@pytest.mark.parametrize("labels", [[0, 1, 2], ["a", 3, 5], [2001, 2002, 2003]])
def test_labels_of_columns_may_be_whole_numbers(labels):
    frame = labelled(labels)
    columns = Columns.fitted(read_table(frame), None)
    assert columns.names == labels
    assert (columns.encode(frame[labels[::-1]]) == frame.to_numpy()).all()
    assert (columns.encode(dict(zip(labels, frame.to_numpy().T))) == frame.to_numpy()).all()


@pytest.mark.parametrize("labels", [
    [("a", 1), ("a", 2), ("b", 1)], [None, "a", "b"], [1.5, 2.5, 3.5], [True, "a", "b"],
])  # fmt: skip
def test_other_labels_are_refused_in_one_sentence(labels):
    with pytest.raises(
        TypeError, match=r"X has a column labelled .*; labels of columns must be te"
    ):
        read_table(labelled(labels))
    with pytest.raises(TypeError, match="X has a column labelled"):
        read_table({label: [1.0, 2.0] for label in labels})


def categorical(entries):
    return pytest.importorskip("pandas").DataFrame({"k": entries}, dtype="category")


def dictionary(entries):
    pyarrow = pytest.importorskip("pyarrow")
    return pyarrow.table({"k": pyarrow.array(entries).dictionary_encode()})


@pytest.mark.parametrize("source", [categorical, dictionary])
@pytest.mark.parametrize("entries, values", [
    ([1, 2, 5, 2], "125"), ([1, None, 5, 5], "15"), ([1.0, 2.5, 1.0, 1.0], ["1", "2.5"]),
])  # fmt: skip
def test_numbers_of_a_type_of_categories_are_categories(source, entries, values):
    columns = Columns.fitted(read_table(source(entries * 5)), None)
    (column,) = columns.columns
    assert column.kind == "category" and column.values == tuple(values)
    assert (columns.encode({"k": entries}) == columns.encode(source(entries))).all()


@pytest.mark.parametrize("frequency", ["D", "M", "h"])
def test_periods_of_pandas_are_dates(frequency):
    pandas = pytest.importorskip("pandas")
    periods = pandas.period_range("2020-01", periods=20, freq=frequency)
    starts = pandas.DataFrame({"d": periods.start_time})
    for source in (pandas.DataFrame({"d": periods}), {"d": list(periods)}):
        columns = Columns.fitted(read_table(source), None)
        assert columns.columns[0].kind == "date"
        assert (columns.encode(source) == columns.encode(starts)).all()


@pytest.mark.parametrize(
    "entries",
    [
        [1.5, 2.0, 4.0],
        [1, 2, 4],
        ["a", "b", "c"],
        [True, False, True],
        np.array(["2024-01-01", "2024-01-02", "2024-01-03"], "M8[D]"),
    ],
)
def test_masked_entries_are_missing(entries):
    column = np.ma.MaskedArray(entries, mask=[False, True, False])
    records = np.ma.MaskedArray(np.zeros(3, [("c", column.dtype)]))
    records["c"] = column
    for source in ({"c": column}, records):
        assert read_table(source)["c"].missing.tolist() == [False, True, False]
    matrix = np.ma.column_stack([column, column[::-1]])
    assert read_table(matrix)[1].missing.tolist() == [False, True, False]
