"""Where CSVs come from, whatever their names, and what a table of a file shows of itself."""

import gzip
import io
import os
import subprocess
import sys

import numpy as np
import pytest
from cnn_core.cli.main import main
from cnn_core.io import read_csv

TEXT = "rooms,place\n1.5,sea\n2,\n"


@pytest.fixture
def stdin(monkeypatch):
    """Give bytes to standard input."""

    def give(data):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    return give


def columns(table):
    return {name: column.tolist() for name, column in table.to_dict().items()}


ROOMS = {"rooms": [1.5, 2.0], "place": ["sea", None]}


def test_files_that_gzip_has_compressed_are_read_by_any_name_and_from_a_pipe(tmp_path, stdin):
    packed = gzip.compress(TEXT.encode())
    (tmp_path / "rows.csv").write_bytes(packed)
    assert columns(read_csv(tmp_path / "rows.csv")) == ROOMS
    stdin(packed)
    assert columns(read_csv("-")) == ROOMS
    stdin(packed[:-9])
    with pytest.raises(ValueError, match="standard input is damaged or cut off"):
        read_csv("-")
    stdin(TEXT.encode())
    assert columns(read_csv("-")) == ROOMS


def test_files_that_zstd_has_compressed_are_read_by_any_name_and_from_a_pipe(tmp_path, stdin):
    pyarrow = pytest.importorskip("pyarrow")
    with pyarrow.output_stream(tmp_path / "rows.csv", compression="zstd") as file:
        file.write(TEXT.encode())
    assert columns(read_csv(tmp_path / "rows.csv")) == ROOMS
    stdin((tmp_path / "rows.csv").read_bytes())
    assert columns(read_csv("-")) == ROOMS


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PAR1\x15\x04", "a Parquet file and no CSV; give it by a name that ends in .parquet"),
        (b"ARROW1\0\0", "a Feather file"),
        (b"PK\x03\x04\x14\0", "a zip archive or an Excel workbook and no CSV; unpack it, or save"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel workbook"),
        (b"BZh91AY&SY", "compressed by bzip2 and no CSV; unpack it"),
        (b"\xfd7zXZ\0\0", "compressed by xz"),
        (b"\x93NUMPY\x01\0", "a .npy file of NumPy"),
    ],
)
def test_other_files_are_named_in_one_sentence(tmp_path, stdin, head, kind):
    data = head + bytes(range(256))
    (tmp_path / "rows.csv").write_bytes(data)
    with pytest.raises(ValueError, match=f"rows.csv is {kind}"):
        read_csv(tmp_path / "rows.csv")
    stdin(data)
    with pytest.raises(ValueError, match=f"standard input is {kind}"):
        read_csv("-")


def test_a_file_that_is_given_twice_is_refused(tmp_path, capsys):
    path = tmp_path / "rows.csv"
    path.write_text(TEXT)
    (tmp_path / "link.csv").symlink_to(path)
    for other in (path, tmp_path / "*.csv", tmp_path / "." / "rows.csv", tmp_path / "link.csv"):
        with pytest.raises(ValueError, match="is given twice.*; its rows would count twice"):
            read_csv([path, other])
    assert main(["train", str(path), str(path), "--target", "rooms"]) == 1
    assert "rows.csv is given twice" in capsys.readouterr().err


def test_a_byte_order_mark_that_lacks_is_an_error_that_names_the_file(tmp_path):
    (tmp_path / "rows.csv").write_text(TEXT)
    with pytest.raises(ValueError, match=r"rows.csv does not begin as .* utf-16 do"):
        read_csv(tmp_path / "rows.csv", encoding="utf-16")


def test_open_files_of_bytes_and_of_text_are_read():
    assert columns(read_csv(io.StringIO("rooms;place\n1,5;sea\n2;\n"))) == ROOMS
    assert columns(read_csv(io.StringIO("place\nKöln\n"), encoding="cp1252")) == {"place": ["Köln"]}
    assert columns(read_csv(io.BytesIO(gzip.compress(TEXT.encode())))) == ROOMS
    with pytest.raises(ValueError, match="the open file, line 3: 1 entry"):
        read_csv(io.StringIO("a,b\n1,2\n3\n"))


def test_a_table_shows_its_rows_columns_and_kinds(tmp_path):
    (tmp_path / "rows.csv").write_text(TEXT)
    table = read_csv(tmp_path / "rows.csv")
    assert repr(table) == (
        f"{tmp_path / 'rows.csv'}: 2 rows, 2 columns\n  rooms  number\n  place  text, 1 missing"
    )
    assert (list(table), len(table), "place" in table) == (["rooms", "place"], 2, True)
    assert dict(table)["rooms"].array.tolist() == [1.5, 2]
    wide = read_csv(
        io.StringIO(",".join(map(str, range(99))) + "\n" + "1," * 98 + "1"), header=True
    )
    assert repr(wide).endswith("\n  and 69 more")


def test_frames_are_made_of_a_table(tmp_path):
    table = read_csv(io.StringIO("n,x,w\n1,1.5,a\n2,,\n"))
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table.to_dict())
    assert frame["w"].tolist()[0] == "a" and np.isnan(frame["x"][1])
    with pytest.raises(TypeError, match=r"to_dict\(\) gives its columns"):
        pandas.DataFrame(table)
    pyarrow = pytest.importorskip("pyarrow")
    assert pyarrow.table(table).to_pydict() == {"n": [1, 2], "x": [1.5, None], "w": ["a", None]}
    polars = pytest.importorskip("polars")
    assert polars.DataFrame(table)["w"].to_list() == ["a", None]


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("# made by x\n", "a,b\n1,2\n3,4\n"),
        ("Sales report, 2024\n\n", "a;b;c\n1;2;3\n3;4;5\n"),
        ("# a, b, c\n# d\n", "x,y\n1,p\n"),
        ("\nA title\n", '"x","y"\n1,p\n'),
    ],
)
def test_a_title_or_comments_above_the_names_are_an_error_that_says_so(above, below):
    line, shown = (2, above.strip()) if above[0] == "\n" else (1, above.partition("\n")[0])
    width = 3 if ";" in below else 2
    with pytest.raises(ValueError, match="line with the names must be the first") as error:
        read_csv(io.StringIO(above + below))
    assert f"line {line}: {shown!r} does not name the columns" in str(error.value)
    assert f"rows below have {width} entries" in str(error.value)
    assert read_csv(io.StringIO(below)).n_rows


def test_what_looks_like_a_title_is_a_name_where_it_is_one():
    assert list(read_csv(io.StringIO("#id,b\n1,2\n3,4\n"))) == ["#id", "b"]
    assert list(read_csv(io.StringIO("sep=;\nsea;b\n1;2\n"))) == ["sea", "b"]
    assert columns(read_csv(io.StringIO("note\nx; y\nz\nw\n"))) == {"note": ["x; y", "z", "w"]}


def test_columns_of_one_name_can_be_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i % 7},{i},{i % 3},{i % 7 + 1}\n" for i in range(60))
    (tmp_path / "rows.csv").write_text("x,a,a,y\n" + rows)
    (tmp_path / "clean.csv").write_text(
        "x,y\n" + "".join(f"{i % 7},{i % 7 + 1}\n" for i in range(60))
    )
    with pytest.raises(ValueError, match=r"same name 'a'; .*kinds=\{'a': 'drop'\} \(--drop a\)"):
        read_csv("rows.csv")
    assert list(read_csv("rows.csv", kinds={"a": "drop"})) == ["x", "y"]
    train = ["train", "rows.csv", "--target", "y", "--epochs", "2", "-o", "m.st"]
    assert main(train) == 1
    assert main([*train, "--drop", "a"]) == 0
    for name in ("rows", "clean"):
        assert main(["predict", "m.st", f"{name}.csv", "-o", f"{name}.out.csv"]) == 0
    assert (tmp_path / "rows.out.csv").read_text() == (tmp_path / "clean.out.csv").read_text()
    assert main(["evaluate", "m.st", "rows.csv", "--target", "y"]) == 0
    assert main(["convert", "rows.csv", "rows.npy", "--drop", "a"]) == 0
    assert np.load("rows.npy").shape == (60, 2)
    capsys.readouterr()
    assert main(["predict", "m.st", "rows.csv", "--keep", "a", "-o", "o.csv"]) == 1
    assert "columns 2 and 3 have the same name 'a'" in capsys.readouterr().err


def test_a_full_standard_output_is_named(tmp_path, monkeypatch, capsys):
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("x,y\n" + "".join(f"{i % 7},{i % 7}\n" for i in range(60)))
    assert main(["train", "rows.csv", "--target", "y", "--epochs", "1", "-o", "m.st"]) == 0
    code = "import sys; from cnn_core.cli.main import main; sys.exit(main(sys.argv[1:]))"
    with open("/dev/full", "w") as full:
        found = subprocess.run(
            [sys.executable, "-c", code, "predict", "m.st", "rows.csv"],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert found.returncode != 0
    assert "cnn-core: standard output: No space left on device" in found.stderr
