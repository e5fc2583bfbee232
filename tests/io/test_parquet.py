"""`parquet`: tables from Parquet and Feather files."""

import subprocess
import sys

import numpy as np
import pytest
from cnn_core.cli.main import main
from cnn_core.io import parquet

pyarrow = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def table():
    return pyarrow.table(
        {
            "whole": pyarrow.array([1, None, 3, 2**53 + 1], "int64"),
            "real": pyarrow.array([0.5, None, float("nan"), 1.5], "float32"),
            "town": pyarrow.array(["sea", None, "Köln", "sea"]).dictionary_encode(),
            "yes": [True, None, False, True],
        }
    )


def check(found, rows=slice(None)):
    assert np.array_equal(
        found["whole"].array, np.array([1, np.nan, 3, 2**53])[rows], equal_nan=True
    )
    assert np.array_equal(found["real"].array, [0.5, np.nan, np.nan, 1.5][rows], equal_nan=True)
    assert found["town"].array.tolist() == ["sea", None, "Köln", "sea"][rows]
    assert np.array_equal(found["yes"].array, [1, np.nan, 0, 1][rows], equal_nan=True)
    assert found["whole"].whole and not found["real"].whole


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrow"])
def test_every_type_of_column_is_read(tmp_path, table, name):
    path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(table, path, row_group_size=3)
    else:
        with pyarrow.ipc.new_file(path, table.schema) as file:
            file.write_table(table, 3)
    check(parquet(path))
    assert parquet(path, columns=["town", "whole"]).names == ("town", "whole")


def test_several_files_are_one_table_by_the_names_of_their_columns(tmp_path, table):
    pq.write_table(table.slice(0, 1), tmp_path / "a1.parquet")
    pq.write_table(table.slice(1).select(table.column_names[::-1]), tmp_path / "a2.parquet")
    check(parquet(tmp_path / "a*.parquet"))
    pq.write_table(table.drop(["town"]), tmp_path / "a2.parquet")
    with pytest.raises(ValueError, match=r"a2.parquet has no column 'town'"):
        parquet(tmp_path / "a*.parquet")


def test_damaged_files_are_one_error_with_their_name(tmp_path, table):
    for name in ("a.parquet", "a.feather"):
        (tmp_path / name).write_bytes(b"PAR1 this is none" * 9)
        with pytest.raises(ValueError, match=f"{name} cannot be read: "):
            parquet(tmp_path / name)
    pq.write_table(table, tmp_path / "a.parquet")
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    data[20:60] = bytes(40)
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(ValueError, match=r"a.parquet cannot be read: "):
        parquet(tmp_path / "a.parquet")


def test_without_pyarrow_the_error_names_it(tmp_path):
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from cnn_core.io import parquet\n"
        "try: parquet(sys.argv[1])\n"
        "except ImportError as error: print(error)"
    )
    path = tmp_path / "a.parquet"
    path.write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert "a.parquet is read and written through pyarrow, which is not installed" in done.stdout


def test_numbers_are_read_without_pandas(tmp_path, table):
    path = tmp_path / "a.parquet"
    pq.write_table(table.select(["whole", "real"]), path)
    code = (
        "import sys\nfrom cnn_core.io import parquet\n"
        "t = parquet(sys.argv[1]); t['whole'], t['real']; print('pandas' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_tables_are_streams_of_arrow_with_nulls(tmp_path, table):
    pq.write_table(table, tmp_path / "a.parquet")
    found = pyarrow.table(parquet(tmp_path / "a.parquet"))
    assert found.to_pydict() == {
        "whole": [1, None, 3, 2**53],
        "real": [0.5, None, None, 1.5],
        "town": ["sea", None, "Köln", "sea"],
        "yes": [True, None, False, True],
    }


@pytest.mark.parametrize("block", [7, 32768])
def test_kept_columns_of_a_csv_are_numbers_in_parquet_where_all_entries_are(
    tmp_path, monkeypatch, block
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cnn_core.io.tables.BLOCK", block)
    monkeypatch.setattr("cnn_core.io.rows.PIECE", 64)
    gaps = ["" if i == 50 else i for i in range(60)]
    rows = [f"{i % 7},{i % 5},{i},{i / 4},{i:05},{gaps[i]},{2**60 + i},t{i}" for i in range(60)]
    names = "x,y,n,r,zip,gap,big,town"
    (tmp_path / "rows.csv").write_text("\n".join((names, *rows)) + "\n")
    drop = [word for name in names.split(",")[2:] for word in ("--drop", name)]
    train = ["train", "rows.csv", "--target", "y", "--epochs", "1", "-o", "m.st", *drop]
    assert main(train) == 0
    keep = [word for name in names.split(",")[2:] for word in ("--keep", name)]
    assert main(["predict", "m.st", "rows.csv", "-o", "out.parquet", *keep]) == 0
    found = pq.read_table("out.parquet")
    kinds = {name: str(found.schema.field(name).type) for name in names.split(",")[2:]}
    assert kinds == {"n": "int64", "r": "double", "zip": "string", "gap": "int64",
                     "big": "string", "town": "string"}  # fmt: skip
    assert found["n"].to_pylist() == list(range(60))
    assert found["gap"].to_pylist()[49:52] == [49, None, 51]
    assert found["r"].to_pylist() == [i / 4 for i in range(60)]
    assert found["big"].to_pylist()[1] == str(2**60 + 1) and found["zip"].to_pylist()[1] == "00001"
