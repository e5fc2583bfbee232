"""Texts that are numbers or dates, nearly are, or only look like it."""

import datetime
import warnings

import numpy as np
import pytest
from cnn_core.columns.columns import Columns
from cnn_core.columns.table import read_table
from cnn_core.io import read_csv

from cnn_core import MLP

X = list(np.random.default_rng(0).random(60))
DAYS = [datetime.date(2020, 1, 5) + datetime.timedelta(9 * i) for i in range(60)]


def fitted(column, kinds=None):
    return Columns.fitted(read_table({"c": column, "x": X}), kinds)


def with_mark(mark, column, every=7):
    return [mark if i % every == 3 else one for i, one in enumerate(column)]


AGES = [str(i + 20) for i in range(60)]


@pytest.mark.parametrize("mark", [
    "?", "-", "--", ".", "n/a", "na", "#N/A", "Null", "NaT", "N.A.", "missing", "MISSING", " ? ",
])  # fmt: skip
@pytest.mark.parametrize("column, kind", [
    (AGES, "number"), ([float(one) for one in AGES], "number"), (list(map(str, DAYS)), "date"),
])  # fmt: skip
def test_known_marks_beside_numbers_or_dates_are_missing_and_said(mark, column, kind):
    with pytest.warns(UserWarning, match="in column 'c' stands for missing entries beside") as seen:
        columns = fitted(with_mark(mark, column))
    assert len(seen) == 1
    gaps = fitted(with_mark(None, column))
    assert [vars(one) for one in columns.columns] == [vars(one) for one in gaps.columns]
    assert columns.columns[0].kind == kind and columns.columns[0].gaps
    rows = columns.encode({"c": [mark, column[0]], "x": [0.5, 0.5]})
    assert (rows == gaps.encode({"c": [None, column[0]], "x": [0.5, 0.5]})).all()
    assert columns.encode_row({"c": mark, "x": 0.5}) == rows[0].tolist()


def test_marks_among_words_and_where_a_category_is_asked_for_are_texts():
    words = fitted(with_mark("?", ["a", "b"] * 30)).columns[0]
    assert words.values == ("?", "a", "b") and not words.gaps
    assert "?" in fitted(with_mark("?", AGES), {"c": "category"}).columns[0].values


@pytest.mark.parametrize("text, every", [("unk", 4), ("unk", 15), ("1O", 50)])
@pytest.mark.parametrize("kind, column", [("number", AGES), ("date", list(map(str, DAYS)))])
def test_another_text_beside_numbers_or_dates_is_an_error_with_its_place(text, every, kind, column):
    with pytest.raises(
        ValueError, match=f"X has '{text}' in column 'c', row 3, which is no {kind}, .* columns="
    ):
        fitted(with_mark(text, column, every))


def test_few_numbers_beside_a_word_are_categories():
    column = fitted(["0", "1", "2", "3+"] * 15).columns[0]
    assert column.values == ("0", "1", "2", "3+")


def test_an_unreadable_date_is_named_by_the_row_of_the_user_or_the_line_of_the_file(tmp_path):
    days = list(map(str, DAYS))
    days[17] = "2O21-04-28"
    table = {"c": days, "x": X}
    for seed in range(4):  # whether the row is trained on or set apart
        model = MLP(2, columns="auto", epochs=1, early_stopping=True, random_state=seed)
        with pytest.raises(ValueError, match="X has '2O21-04-28' in column 'c', row 17, which"):
            model.fit(table, X)
    file = tmp_path / "days.csv"
    file.write_text("c,x\n" + "".join(f"{c},{x}\n" for c, x in zip(days, X)))
    rows = np.arange(60)[::-1]
    with pytest.raises(ValueError, match="days.csv, line 19, column 'c': '2O21-04-28' is no date"):
        Columns.fitted(read_csv(str(file)).take(rows).take(rows > 3), None)


@pytest.mark.parametrize("form", [
    "%Y/%m/%d", "%Y.%m.%d", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%dT%H:%M:%SZ",
    "{0.year}-{0.month}-{0.day}",
])  # fmt: skip
def test_dates_with_the_year_first_are_read(form):
    texts = [form.format(day) if "{" in form else day.strftime(form) for day in DAYS]
    columns, wanted = fitted(texts), fitted(DAYS)
    assert columns.columns[0].kind == "date"
    rows = {"c": texts, "x": X}
    assert (columns.encode(rows) == wanted.encode({"c": DAYS, "x": X})).all()


def test_months_are_dates_and_seasons_are_none():
    months = [f"{2015 + i // 12}-{i % 12 + 1:02}" for i in range(60)]
    assert fitted(months).columns[0].kind == "date"
    seasons = [f"{2009 + i % 6}-{10 + i % 6}" for i in range(60)]
    assert fitted(seasons).columns[0].kind == "category"
    assert fitted([day.strftime("%Y%m%d") for day in DAYS]).columns[0].kind == "number"


@pytest.mark.parametrize("form", [
    "%d.%m.%Y", "%m/%d/%Y", "%d %b %Y", "%B %d, %Y", "%d-%b-%y", "%a %d %b %Y", "%d/%m/%y %H:%M",
])  # fmt: skip
def test_other_dates_are_left_out_with_a_word_and_refused_as_dates(form):
    texts = [day.strftime(form) for day in DAYS]
    with pytest.warns(UserWarning, match="looks like dates, and dates are written as 2026-11-26"):
        fitted(texts)
    with pytest.raises(ValueError, match="row 0, which is no date; dates are written as 2026-11"):
        fitted(texts, {"c": "date"})


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%y"])
def test_the_word_on_dates_in_numbers_has_their_format(form):
    texts = [day.strftime(form) for day in DAYS]
    with pytest.warns(UserWarning, match=rf"datetime.strptime\(text, '{form}'\) makes one of each"):
        fitted(texts)


def test_no_format_is_said_of_dates_whose_day_may_be_the_month():
    texts = [f"0{1 + i % 9}/0{1 + i // 9}/20{j}" for i in range(81) for j in (19, 23)]
    with pytest.warns(UserWarning, match=r"or 2026-11-26 14:30\);"):
        fitted(texts[: len(X)])


@pytest.mark.parametrize("form, change", [
    ("${}.50", "text.replace('$', '')"), ("{},234", "text.replace(',', '')"),
    ("{} 234", "text.replace(' ', '')"), ("{}.86%", "text.replace('%', '')"),
    ("\u2212{}.5", "text.replace('\u2212', '-')"), ("{}\u202f234", r"text.replace('\u202f', '')"),
])  # fmt: skip
@pytest.mark.parametrize("different, said", [(60, "leaves out 'c'"), (12, "becomes categories")])
def test_what_looks_like_numbers_is_said_with_what_makes_numbers_of_it(
    form, change, different, said
):
    texts = [form.format(i % different + 1) for i in range(60)]
    with pytest.warns(UserWarning, match=said) as seen:
        fitted(texts)
    assert len(seen) == 1 and f"looks like numbers, which float({change})" in str(seen[0].message)
    assert eval(f"float({change})", {"text": form.format(3)}) in (3.5, 3234, 3.86, -3.5)


def test_a_kind_that_is_named_is_taken_without_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fitted([f"${i % 12}" for i in range(60)], {"c": "category"}).columns[0].other
