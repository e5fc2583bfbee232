"""Categories that are dates or large whole numbers are the same ones whatever their type, in tables
and in single rows; unknown ones have no column whose weights training has not seen."""

import datetime
import fractions
import warnings

import numpy as np
import pytest
from cnn_core.columns.columns import Columns
from cnn_core.columns.table import read_table
from cnn_core.io import parquet, read_csv

from cnn_core import MLP, Embedding, MLPRegressor

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")

DAYS = [datetime.date(2024, 2, 27 + i) for i in range(3)]
STAMPS = [datetime.datetime(2024, 2, 27 + i, 9 * i, 5 * i) for i in range(3)]
#: float64 has one number for all of them.
IDS = [2**60 + i for i in range(3)]


def fitted(entries, kind="category"):
    return Columns.fitted(read_table({"c": entries}), {"c": kind})


def forms(days):
    """The same dates of all types."""
    stamps = [pd.Timestamp(day) for day in days]
    return {
        "date": days,
        "datetime64": np.array(days, "datetime64[s]"),
        "text": [str(day) for day in days],
        "microseconds": [one.isoformat("T", "microseconds") for one in stamps],
        "slashes": [str(day).replace("-", "/") for day in days],
        "pandas": pd.Series(stamps),
        "category": pd.Series(stamps, dtype="category"),
        "zone": pd.Series(stamps).dt.tz_localize("Asia/Tokyo"),
        "polars": pl.Series(days),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["category", "embedding"])
@pytest.mark.parametrize("days", [DAYS, STAMPS])
def test_a_date_is_one_category_in_every_type_and_in_rows(kind, days):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for trained in forms(days).values():
            columns = fitted(trained, kind)
            wanted = columns.encode({"c": days})
            assert len({tuple(row) for row in wanted}) == 3
            for given in forms(days).values():
                assert columns.encode({"c": given}).tobytes() == wanted.tobytes()
                rows = [columns.encode_row({"c": one}) for one in list(given)]
                assert np.array(rows).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("entries", [
    [datetime.timedelta(hours=7 * i) for i in range(3)],
    [np.timedelta64(7 * i, "h") for i in range(3)],
    list(pd.period_range("2024-01", periods=3, freq="M")),
    [fractions.Fraction(i, 3) for i in range(3)],
    IDS,
])  # fmt: skip
def test_a_row_has_the_categories_of_its_table(entries):
    columns = fitted(entries)
    rows = [columns.encode_row({"c": one}) for one in entries]
    assert np.array(rows).tobytes() == columns.encode({"c": entries}).tobytes()
    assert (np.array(rows) == np.eye(3)).all()


def id_tables(folder):
    """A column of ids beside numbers, from everything that has columns."""
    y = [1.5, 3.0, 0.0] * 20
    frame = pd.DataFrame({"id": IDS * 20, "z": np.arange(60) % 7 / 2, "y": y})
    arrow = pa.Table.from_pandas(frame)
    frame.to_parquet(folder / "ids.parquet", row_group_size=7)
    frame.to_csv(folder / "ids.csv", index=False)
    rows = zip(frame["id"], frame["z"], frame["y"])
    lines = [f"{one:,}".replace(",", "'") + f";{z};{y}" for one, z, y in rows]
    (folder / "signs.csv").write_text("\n".join(("id;z;y", *lines)))
    return {
        "arrow": arrow, "batches": arrow.to_batches(max_chunksize=25), "pandas": frame,
        "polars": pl.from_pandas(frame), "dict": arrow.to_pydict(), "rows": arrow.to_pylist(),
        "arrays": {name: frame[name].to_numpy() for name in frame},
        "nullable": frame.astype({"id": "Int64"}), "csv": read_csv(folder / "ids.csv"),
        "thousands": read_csv(folder / "signs.csv"), "parquet": parquet(folder / "ids.parquet"),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["category", Embedding(2)])
def test_whole_numbers_beyond_float64_are_categories_of_their_own(tmp_path, kind):
    tables, found = id_tables(tmp_path), set()
    for table in tables.values():
        model = MLPRegressor(4, columns={"id": kind}, epochs=2, random_state=0).fit(table, "y")
        assert model.columns_.columns[0].values == tuple(map(str, IDS))
        found.add(model.parameters_.tobytes())
    assert len(found) == 1
    wanted = model.predict(tables["arrow"])
    row = tables["rows"][1]
    assert model.predict_one(row, labels=True) == wanted[1]
    assert model.predict_one(row | {"id": str(IDS[1])}, labels=True) == wanted[1]


def test_whole_numbers_beyond_float64_are_classes_of_their_own(tmp_path):
    for table in id_tables(tmp_path).values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 3 whole numbers are taken for classes
            model = MLP(4, columns="auto", epochs=1).fit(table, "id")
        assert model.classes_.tolist() == IDS


@pytest.mark.parametrize("numbers", [
    np.arange(40) * 2**55, (np.arange(40) * 2**55).astype(np.uint64) + 2**63,
    [None, *(-(2**61) + 9**18 * i for i in range(39))],
])  # fmt: skip
def test_arrow_reads_whole_numbers_beyond_float64(numbers):
    table = {"n": pa.array(numbers), "y": pa.array(np.arange(40) / 3)}
    models = [
        MLPRegressor(4, columns="auto", epochs=2, random_state=0).fit(one, "y")
        for one in (pa.table(table), pl.from_arrow(pa.table(table)), pa.table(table).to_pydict())
    ]
    assert len({model.parameters_.tobytes() for model in models}) == 1


def test_ids_beyond_float64_are_left_out():
    ids = pa.table({"id": pa.array([2**60 + i * i for i in range(50)]), "z": np.arange(50) / 3})
    with pytest.warns(UserWarning, match="every row has a number of its own"):
        MLPRegressor(4, columns="auto", epochs=1).fit(ids, np.arange(50) / 7)


@pytest.mark.parametrize(("different", "rest"), [(9, False), (12, False), (40, False), (64, True)])
def test_an_unknown_category_is_zero_unless_training_had_others(different, rest):
    columns = fitted([f"c{i:02}" for i in range(different)] * 2)
    assert ("and others" in columns.columns[0].words) == rest
    for encoded in (columns.encode({"c": ["new"] * 5})[0], columns.encode_row({"c": "new"})):
        assert np.count_nonzero(encoded) == rest


@pytest.mark.parametrize("times", [False, True])
def test_dates_of_numpy_in_rows_are_those_of_tables(times):
    columns = Columns.fitted(read_table({"c": STAMPS if times else DAYS}), None)
    for text in ("2024-02-29T23:59:59.5", "1969-07-20", "0001-01-01", "20000-05-06", "-0044-03-15"):
        for unit in ("D", "s", "us"):
            date = np.datetime64(text).astype(f"M8[{unit}]")
            wanted = columns.encode({"c": np.array([date])})
            assert np.array(columns.encode_row({"c": date})).tobytes() == wanted.tobytes()
