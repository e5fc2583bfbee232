"""`read_csv`: right tables from whatever files there are, or one error with the place."""

import csv
import gzip
import random

import numpy as np
import pytest
from cnn_core.io import read_csv

from cnn_core import MLP


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.fixture
def read(tmp_path):
    """Read a text as a CSV, as lists with None where an entry is missing."""

    def read(text, written="utf-8", **options):
        return lists(read_csv(write(tmp_path / "rows.csv", text, written), **options))

    return read


def lists(table):
    found = {}
    for name in table.names:
        array = table[name].array
        if array.dtype == object:
            found[name] = array.tolist()
        else:
            found[name] = [None if np.isnan(one) else one for one in array.tolist()]
    return found


ROOMS = {"rooms": [1.5, None, 3.0], "place": ["sea", "Köln", None]}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("rooms,place\n1.5,sea\nNA,Köln\n3,\n", "utf-8"),
        ("rooms,place\n1.5,sea\nNA,Köln\n3,", "utf-8-sig"),
        ("rooms,place\r\n1.5,sea\r\n,Köln\r\n3,null\r\n", "utf-16"),
        ("rooms,place\r1.5,sea\rNaN,Köln\r3,N/A\r", "cp1252"),
        ("rooms;place\n1,5;sea\n;Köln\n3;\n", "utf-16-le"),
        ("sep=;\nrooms;place\n1,5;sea\n;Köln\n3;\n", "utf-8"),
        ("rooms\tplace\n1.5\tsea\nNone\tKöln\n3\t\n", "utf-8"),
        ('"rooms","place"\n"1.5","sea"\n"","Köln"\n"3",""\n', "utf-8"),
        ("'rooms','place'\n'1.5','sea'\n'','Köln'\n'3',''\n", "utf-8"),
        ("rooms, place\n1.5, sea\nNA, Köln\n3, \n", "utf-8"),
        ("\n\nrooms,place\n\n1.5,sea\n  \nNA,Köln\n3,\n\n", "utf-8"),
        ("rooms|place\n1.5|sea\n|Köln\n3|\n", "utf-32"),
    ],
)
def test_delimiter_quotes_encoding_and_decimal_sign_are_recognised(read, text, encoding):
    assert read(text, encoding) == ROOMS


def test_what_is_recognised_can_be_given(read):
    assert read("a:b\n1:x\n2:y\n", delimiter=":") == {"a": [1, 2], "b": ["x", "y"]}
    assert read("a;b\n1,5;2\n", decimal=".", kinds={"a": "text"})["a"] == ["1,5"]
    assert read("a,b\n*x,1*,2\n", quote="*") == {"a": ["x,1"], "b": [2]}
    assert read("a\nß\n", "cp1252", encoding="cp437") == {"a": ["▀"]}
    assert read("1,2\n3,4\n", header=False) == {"column1": [1, 3], "column2": [2, 4]}
    assert read("2019,2020\n3,4\n", header=True) == {"2019": [3], "2020": [4]}


def test_missing_adds_to_what_stands_for_missing_entries(read):
    assert read("a,b\n-999,?\n1,x\n-999.0,NA\n", missing=["-999", "?"]) == {
        "a": [None, 1, None],
        "b": [None, "x", None],
    }


def test_codes_with_leading_zeros_are_texts_and_numbers_with_them_if_said(read):
    text = "zip,share\n02139,0.5\n10115,0.25\n"
    assert read(text) == {"zip": ["02139", "10115"], "share": [0.5, 0.25]}
    assert read(text, kinds={"zip": "number"})["zip"] == [2139, 10115]


@pytest.mark.parametrize("quote", ["", '"'])
def test_texts_far_below_numbers_make_the_whole_column_texts_as_written(read, quote):
    texts = [f"{i}.0" for i in range(9000)] + ["x", "y"] * 2000
    text = "a,b\n" + "".join(f"{quote}{one}{quote},1\n" for one in texts)
    assert read(text) == {"a": texts, "b": [1] * len(texts)}


def test_whole_numbers_are_known_as_such(tmp_path):
    table = read_csv(write(tmp_path / "a.csv", "a,b,c,d\n1,1.0,1e3,3\n2,2.0,1,\n"))
    assert [table[name].whole for name in "abcd"] == [True, False, False, True]


def test_whole_numbers_stay_whole_in_a_dict_so_that_numbers_of_rows_are_known(tmp_path):
    rows = "".join(f"{1000 + 7 * i},{i / 2},{i if i else ''}\n" for i in range(40))
    table = read_csv(write(tmp_path / "a.csv", f"id,half,gap\n{rows}")).to_dict()
    assert [column.dtype for column in table.values()] == [np.int64, np.float64, np.float64]
    with pytest.warns(UserWarning, match="leaves out 'id' \\(every row has a number of its own"):
        MLP(2, columns="auto", epochs=1, random_state=0).fit(table, table["half"])


def test_equal_texts_are_one_object(tmp_path):
    array = read_csv(write(tmp_path / "a.csv", "a\n" + "a town\nanother\n" * 9000))["a"].array
    assert len({id(one) for one in array}) == 2


def test_several_files_and_globs_are_one_table_by_the_names_of_their_columns(tmp_path):
    write(tmp_path / "a1.csv", "x,y\n1,a\n")
    write(tmp_path / "a2.csv", "y;x\nb;2,5\n")
    (tmp_path / "a3.csv.gz").write_bytes(gzip.compress(b"x,y\n3,c\n"))
    table = read_csv([tmp_path / "a?.csv", tmp_path / "a3.csv.gz"])
    assert lists(table) == {"x": [1, 2.5, 3], "y": ["a", "b", "c"]}
    assert table.place(1).endswith("a2.csv, line 2")
    write(tmp_path / "a2.csv", "x,z\n1,2\n")
    with pytest.raises(ValueError, match=r"a2.csv has no column 'y'; all files must have"):
        read_csv(tmp_path / "a?.csv")
    write(tmp_path / "a2.csv", "x,z,y\n1,2,3\n")
    with pytest.raises(ValueError, match=r"a2.csv has a column 'z', which .*a1.csv has not"):
        read_csv(tmp_path / "a?.csv")


def test_zstd_needs_pyarrow_and_works_with_it(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    with pyarrow.output_stream(tmp_path / "a.csv.zst", compression="zstd") as file:
        file.write(b"x,y\n1,a\n")
    assert lists(read_csv(tmp_path / "a.csv.zst")) == {"x": [1], "y": ["a"]}


MANY = "a,b\n" + "1,x\n" * 5000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "rows.csv is empty"),
        ("\n \n\n", "rows.csv is empty"),
        ("a,b\n", "rows.csv has no rows below its header"),
        ("a,b\n1,2\n3\n", "rows.csv, line 3: 1 entry, where the first line has 2: '3'"),
        ("a,b\n1,2\n\n3,4,5\n", "rows.csv, line 4: 3 entries, where the first line has 2: '3,4,5'"),
        (MANY + "1,2,3\n1\n", "line 5002: 3 entries"),
        ('a,b\n"1\n2",2\n"3",4,5\n', "line 4: 3 entries"),
        ('a,b\n1,2\n"3,4\n5,6\n', "line 3: a quote is opened and never closed"),
        (MANY + '"3,4\n' + "5,6\n" * 50000, "line 5002: a quote is opened and never closed"),
        ('a,b\n"1"2,3\n', "line 2: a closing quote is followed by other text"),
        ("a,a\n1,2\n", "line 1: columns 1 and 2 have the same name 'a'"),
        ("a, a\n1,2\n", "line 1: columns 1 and 2 have the same name 'a'"),
        ("1,2\n3,4\n", "line 1: the first line has the number '1' where the name of a column"),
        ("a,b\n1,x\0y\n", "line 2, column 'b': 'x\\x00y' has a NUL character"),
        ("a,b\n1,1e999\n", "line 2, column 'b': '1e999' is no finite number"),
        (
            "a,b\n" + "1,2\n" * 50 + "1,n/a?\n",
            "line 52, column 'b': 'n/a?' is no number; missing=['n/a?'] (--missing 'n/a?') takes",
        ),
        ("a;b\n1;2\n3\n", "line 3: 1 entry, where the first line has 2"),
        ("price\n1,5\n2,5\n", "line 2: 2 entries, where the first line has 1"),
    ],
)
def test_what_is_no_table_is_an_error_with_its_place(read, text, message):
    with pytest.raises(ValueError) as error:
        read(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_bytes_that_are_no_text_are_an_error_with_their_line(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes("a\nö\nü\n".encode() + b"\xff\n")
    with pytest.raises(ValueError, match=r"rows.csv, line 4: the byte 0xff is no UTF-8"):
        read_csv(path)
    with pytest.raises(ValueError, match=r"rows.csv, line 4: in the encoding utf-8 the byte 0xff"):
        read_csv(path, encoding="utf-8")
    path.write_bytes(b"a\n" + b"x\n" * 400000 + b"\xe4\n")
    assert read_csv(path)["a"].array[-1] == "ä"
    path.write_bytes("a\nb\n".encode("utf-16")[:-1])
    with pytest.raises(ValueError, match="the file ends within a character"):
        read_csv(path)
    path.write_bytes(b"a\n\x81\n")
    with pytest.raises(ValueError, match=r"line 2: in the encoding cp1252 the byte 0x81"):
        read_csv(path)


def test_damaged_compressed_files_are_an_error(tmp_path):
    path = tmp_path / "rows.csv.gz"
    whole = gzip.compress(b"a,b\n" + bytes(random.Random(0).choices(b"123,\n", k=9000)))
    path.write_bytes(whole[:-20])
    with pytest.raises(ValueError, match="rows.csv.gz is damaged or cut off"):
        read_csv(path)
    path.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(ValueError, match="rows.csv.gz cannot be decompressed"):
        read_csv(path)


def test_wrong_arguments_are_refused(tmp_path, read):
    for options, message in (
        ({"delimiter": ",,"}, "delimiter must be a single character"),
        ({"quote": ""}, "quote must be a single character"),
        ({"decimal": "x"}, "decimal must be '.' or ','"),
        ({"encoding": "nonsense"}, "encoding must be such as"),
        ({"kinds": {"z": "text"}}, "rows.csv has no column 'z'; it has 'a', 'b'"),
    ):
        with pytest.raises(ValueError, match=message):
            read("a,b\n1,2\n", **options)
    with pytest.raises(FileNotFoundError, match="there is no file none.csv"):
        read_csv("none.csv")
    with pytest.raises(FileNotFoundError, match=r"no file matches none\*.csv"):
        read_csv("none*.csv")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        read_csv(tmp_path)


def test_an_error_in_a_forced_number_names_its_line(read):
    with pytest.raises(ValueError, match="line 3, column 'a': 'x' is no number"):
        read("a\n1\nx\ny\n", kinds={"a": "number"})


def reference(path, encoding, delimiter):
    """The rows as the standard library has them; None where it does not read them all."""
    try:
        with open(path, newline="", encoding=encoding) as file:
            rows = [row for row in csv.reader(file, delimiter=delimiter, strict=True) if row]
    except (csv.Error, UnicodeError):
        return None
    header, *rest = rows
    return header, rest


@pytest.mark.parametrize("seed", range(200))
def test_a_damaged_file_gives_an_error_with_its_place_or_the_right_rows(tmp_path, seed):
    rng = random.Random(seed)
    delimiter, encoding = rng.choice(",;\t"), rng.choice(("utf-8", "utf-16", "cp1252", "utf-8-sig"))
    path = tmp_path / "rows.csv"
    with open(path, "w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=rng.choice((0, 1, 2)))
        writer.writerow(("id", "town", "price", "note"))
        for i in range(60):
            note = rng.choice(("", "a; b, c", 'say "x"', "two\nlines", "Größe"))
            writer.writerow((i, rng.choice(("Köln", "Ulm")), round(rng.random() * 9, 3), note))
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(min(len(data), rng.choice((30, len(data)))))
        kind = rng.randrange(5)
        if kind == 0:
            del data[at : at + rng.choice((1, 2, 40))]
        elif kind == 1:
            data[at:at] = rng.choice((b'"', b",", b";", b"\n", b"\0", b"\xff", b"\t", b"\r", b"x"))
        elif kind == 2:
            data[at] = rng.randrange(256)
        elif kind == 3:
            data[at:at] = data[at : at + 40]
        else:
            del data[-rng.randrange(1, 50) :]
    path.write_bytes(data)
    try:
        table = read_csv(path)
    except ValueError as error:
        message = str(error)
        assert message.startswith(str(path)) and "\n" not in message and len(message) < 600
        return
    assert len(table.names) == len(set(table.names))
    found = reference(path, table.dialects[0].encoding, table.dialects[0].delimiter)
    assert found is not None
    header, rows = found
    rows = [row for row in rows if len(row) == len(header)]
    assert len(header) == len(table.names) and len(rows) == table.n_rows
    for i, name in enumerate(table.names):
        for row, value in zip(rows, lists(table)[name], strict=True):
            text = row[i].lstrip(" ")
            if isinstance(value, float):
                assert float(text.replace(",", ".")) == value
            else:
                assert text == value or value is None


@pytest.mark.parametrize("piece", [20, 1 << 18])
def test_quotes_around_whole_entries_are_read_as_any_others(read, monkeypatch, piece):
    monkeypatch.setattr("cnn_core.io.rows.PIECE", piece)
    plain = ["a,b", *(f'"{i}","t {i % 3}"' for i in range(40))]
    odd = '"7","t, ""1"""'
    for rows in (plain, [*plain, odd, *plain[1:]], [plain[0], odd, *plain[1:]]):
        found = read("\r\n".join(rows))
        wanted = list(csv.reader(rows))[1:]
        assert found["a"] == [float(row[0]) for row in wanted]
        assert found["b"] == [row[1] for row in wanted]


def test_an_entry_that_spans_lines_is_not_taken_for_two_rows(read):
    assert read('a,b\n1,"x\n2,y"\n3,z\n') == {"a": [1, 3], "b": ["x\n2,y", "z"]}
    with pytest.raises(ValueError, match="line 4: 3 entries"):
        read('a,b\n1,"x\n2,y"\n3,z,4\n')
