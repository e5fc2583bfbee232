"""Columns of numbers in CSV files: thousands, decimal signs, and marks for missing entries."""

import numpy as np
import pytest
from cnn_core.cli.main import main
from cnn_core.io import read_csv

from cnn_core import MLP


@pytest.fixture
def read(tmp_path):
    """Read lines as a CSV."""

    def read(header, *rows, **options):
        path = tmp_path / "rows.csv"
        path.write_text("\n".join((header, *rows)) + "\n")
        return read_csv(path, **options)

    return read


@pytest.mark.parametrize(
    ("header", "row", "number", "word"),
    [
        ("n;x", "1.578;3,5", 1578, "dots between thousands"),
        ("x;n", "3,5;1.578", 1578, "dots between thousands"),
        ("n;x", "1.851,75;3,5", 1851.75, "dots between thousands"),
        ("n;x", "-1.234.567;3", -1234567, "dots between thousands"),
        ("n;x", "1,578;3.5", 1578, "commas between thousands"),
        ("n,x", '"1,578",3.5', 1578, "commas between thousands"),
        ("n,x", '"1,578.25",3', 1578.25, "commas between thousands"),
        ("n,x", "1 578,3.5", 1578, "blanks between thousands"),
        ("n;x", "1\u202f578,5;3,5", 1578.5, "blanks between thousands"),
        ("n,x", "1'578,3.5", 1578, "apostrophes between thousands"),
        ("n,x", "\u22121'578,3.5", -1578, "apostrophes between thousands"),
    ],
)
@pytest.mark.parametrize("n_small", [0, 3, 9000])
def test_thousands_are_read_as_such_and_said(read, header, row, number, word, n_small):
    delimiter, names = header[1], header.split(header[1])
    other = row.split(delimiter)[names.index("x")] if '"' not in row else row.rpartition(",")[2]
    small = delimiter.join("905" if name == "n" else other for name in names)
    table = read(header, *[small] * n_small, *[row] * 3)
    assert table["n"].array.tolist() == [905.0] * n_small + [number] * 3
    assert any(word in one and "'n'" in one for one in table.words)
    assert table["n"].whole == (number == int(number))


@pytest.mark.parametrize("row", ["1.578;3", "1,578;3", "1.578;x", "1.578\t3"])
def test_what_may_be_thousands_or_decimals_is_an_error_with_its_place(read, row):
    header = "n\tx" if "\t" in row else "n;x"
    delimiter = header[1]
    shown = row.partition(delimiter)[0]
    with pytest.raises(ValueError, match=f"line 3, column 'n': '{shown}' is 1578 or 1.578, and"):
        read(header, f"905{delimiter}3", row)
    for decimal, number in ((".", 1.578), (",", 1578)):
        wanted = number if "." in shown else {1.578: 1578, 1578: 1.578}[number]
        table = read(header, f"905{delimiter}3", row, decimal=decimal)
        assert table["n"].array.tolist() == [905, wanted]


def test_a_file_with_both_decimal_signs_is_read_column_by_column(read):
    table = read("lat;price", *(f"47.{i}5;{i},5" for i in range(9)))
    assert table["lat"].array[1] == 47.15 and table["price"].array[1] == 1.5
    with pytest.raises(ValueError, match="column 'pop': '1.578' is 1578 or 1.578"):
        read("lat;price;pop", *(f"47.{i}5;{i},5;1.578" for i in range(9)))


def test_texts_are_not_taken_for_numbers_of_another_kind_later(read):
    table = read("n;x", *["1.578;3,5"] * 40, *["905;3,5"] * 40, *["x;3,5", "y;3,5"] * 20)
    assert table["n"].kind == "text"
    model = MLP(4, columns="auto", epochs=2, random_state=0)
    model.fit(table.take(np.arange(80)), np.arange(80.0))
    assert "category" in {column.kind for column, _ in model.columns_.placed}
    table = read("zip,x", *["1234,3", "5678,4"] * 20, kinds={"zip": "text"})
    model.fit(table, np.arange(40.0))
    assert "2 categories: 1234, 5678" in str(model.columns_)


def test_decimal_commas_in_quotes_between_commas_are_recognised_and_can_be_said(read):
    rows = ['"13,86",x,16,"45,5"'] * 3
    for options in ({}, {"delimiter": ",", "decimal": ","}, {"decimal": ","}):
        table = read("a,b,c,d", *rows, **options)
        assert table["a"].array.tolist() == [13.86] * 3 and table["d"].array.tolist() == [45.5] * 3
        assert "decimal commas" in table.words[0]


MARKS = ["?", "-", "--", ".", "n/a", "na", "#N/A", "Null", "NaT", "N.A.", "Missing"]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("values", ["{}.5", "{}", "2020-01-{:02}"])
def test_known_marks_among_numbers_and_dates_are_missing_entries_and_said(read, mark, values):
    rows = [mark if i % 5 == 2 else values.format(i % 28 + 1) for i in range(1000)]
    table = read("age,town", *(f"{one},x" for one in rows))
    assert table["age"].missing.tolist() == [one == mark for one in rows]
    assert any(f"taken for missing entries: {mark!r} (200)" in one for one in table.words)
    assert table["age"].kind == ("text" if "-" in values else "number")


def test_marks_among_words_are_words(read):
    assert read("a,b", "-,1", "x,2", "na,3")["a"].array.tolist() == ["-", "x", "na"]


@pytest.mark.parametrize("values", ["{}.5", "{}"])
def test_another_text_that_recurs_among_numbers_is_an_error(read, values):
    rows = ["xx" if i % 3 == 2 else values.format(i % 54) for i in range(999)]
    with pytest.raises(
        ValueError,
        match=r"line 4, column 'age': 'xx' is no number, 333 times beside numbers; .*"
        r"--missing xx",
    ):
        read("age,town", *(f"{one},x" for one in rows))
    assert read("n", *(["1", "2", "3+"] * 9))["n"].array.tolist() == ["1", "2", "3+"] * 9


def test_a_file_of_numbers_and_one_of_words_are_an_error(tmp_path):
    for name, rows in (("a1.csv", "123456789"), ("a2.csv", "pqrstuvwx")):
        (tmp_path / name).write_text("a,b\n" + "".join(f"{one},1\n" for one in rows))
    with pytest.raises(ValueError, match=r"a2.csv, line 2, column 'a': 'p' is no number, .*a1.csv"):
        read_csv(tmp_path / "a?.csv")


def test_the_empty_text_alone_stands_for_missing_entries_if_said(read):
    rows = ["NA,1", ",NA", "EU,3"]
    table = read("region,n", *rows, missing=[""])
    assert table["region"].array.tolist() == ["NA", None, "EU"]
    assert table["n"].missing.tolist() == [False, True, False]  # no number, whatever is said
    assert read("region,n", *rows)["region"].array.tolist() == [None, None, "EU"]


def test_the_commands_read_numbers_alike(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = [f"{1 + i // 100}.{i % 10}{i * 7 % 10}8;{i % 7},5;{i},25" for i in range(300)]
    plain = [row.replace(".", "") for row in rows]
    marked = [row if i % 10 else f"-{row[row.index(';') :]}" for i, row in enumerate(rows)]
    for name, lines in (("dots", rows), ("plain", plain), ("marked", marked)):
        (tmp_path / f"{name}.csv").write_text("\n".join(("n;x;y", *lines)) + "\n")
    assert main(["train", "dots.csv", "--target", "y", "--epochs", "2", "-o", "m.st"]) == 0
    assert "column 'n': dots between thousands" in capsys.readouterr().err.replace("\n  ", " ")
    for name in ("dots", "plain"):
        assert main(["predict", "m.st", f"{name}.csv", "-o", f"{name}.out.csv"]) == 0
    assert (tmp_path / "dots.out.csv").read_text() == (tmp_path / "plain.out.csv").read_text()
    assert "column 'n': dots between thousands" in capsys.readouterr().err.replace("\n  ", " ")
    assert main(["predict", "m.st", "marked.csv", "-o", "o.csv"]) == 0
    assert "taken for missing entries: '-' (30)" in capsys.readouterr().err.replace("\n  ", " ")
