"""Rows of tables: their struct, categories as numbers, and what the network reads of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cnn_core._checks import shown
from cnn_core.columns.kinds import Category, Column, Date, Embedded, Number
from cnn_core.columns.parsing import number_of
from cnn_core.columns.table import text_of
from cnn_core.export.text import field_names, in_comment, number, quoted, wrapped

if TYPE_CHECKING:
    from cnn_core.columns.columns import Columns
    from cnn_core.export.writing import Writing

#: Categories up to which the comment of a column names them all.
NAMED = 12


def fields_of(columns: Columns) -> list[tuple[Column, int, str]]:
    """The columns that the network sees, in the order of the table, each with the first of its
    numbers and the name of its field."""
    place = {id(column): at for column, at in columns.placed}
    seen = [column for column in columns.columns if id(column) in place]
    names = field_names([column.name for column in seen])
    return [(column, place[id(column)], name) for column, name in zip(seen, names)]


def row_type(writing: Writing) -> str:
    """The struct, and the functions that make its entries."""
    assert writing.columns is not None
    name, fields, functions = writing.name, [], []
    for column, _, field in fields_of(writing.columns):
        said = "" if str(column.name) == field else f"{shown(column.name)}: "
        if isinstance(column, Number):
            kind, comment = "double", f"{said}NAN where it is missing"
        elif isinstance(column, Date):
            kind, comment = "int64_t", f"{said}{name}_date, INT64_MIN where it is missing"
        else:
            assert isinstance(column, Category)
            kind, comment = "int32_t", f"{said}{_codes_in_words(column)}"
            functions.append(_category(name, column, field))
        fields.append(f"    /* {in_comment(comment)} */\n    {kind} {field};")
    if any(isinstance(column, Date) for column, _ in writing.columns.placed):
        functions.append(_DATE.replace("$name", name))
    body = "\n".join(fields)
    return f"""\
/* A row of the table. Categories are numbers, those of {name}_..._code. */
typedef struct {{
{body}
}} {name}_row;

""" + "\n".join(functions)


def _codes_in_words(column: Category) -> str:
    """What the numbers of the categories are."""
    n, other = len(column.values), "another"
    if n <= NAMED:
        codes = ", ".join(f"{i} {shown(value)}" for i, value in enumerate(column.values))
    else:
        codes = f"0 to {n - 1}, from {shown(column.values[0])} to {shown(column.values[-1])}"
    return f"{codes}; {n} {other}, -1 where it is missing"


def _category(name: str, column: Category, field: str) -> str:
    """From texts, and numbers, to the number of a category."""
    positions: dict[str, int] = vars(column)["positions"]
    texts = sorted(positions.items(), key=lambda one: one[0].encode("utf-8", "surrogatepass"))
    f, n = f"{name}_{field}", len(column.values)
    rows = [f"{{{quoted(text)}, {code}}}" for text, code in texts]
    parts = [
        f"""\
/* The number of a category of {in_comment(shown(column.name))}, written as in training;
 * -1 for NULL, {n} for another. */
static inline int32_t {f}_code(const char *text)
{{
    static const struct {{
        const char *text;
        int32_t code;
    }} known[{len(rows)}] = {{
{wrapped(rows, 8)}}};
    int low = 0, high = {len(rows)};
    if (text == NULL) return -1;
    while (low < high) {{
        const int middle = (low + high) / 2, order = strcmp(text, known[middle].text);
        if (order == 0) return known[middle].code;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }}
    return {n};
}}
"""
    ]
    numbers = {text: number_of(text) for text in positions}
    known = [
        f"{{{number(value, True)}, {positions[text]}}}"
        for text, value in numbers.items()
        if value is not None and math.isfinite(value) and text_of(value) == text
    ]
    if known:
        parts.append(f"""\
/* The same of a number; -1 for NAN. */
static inline int32_t {f}_code_of(double number)
{{
    static const struct {{
        double number;
        int32_t code;
    }} known[{len(known)}] = {{
{wrapped(known, 8)}}};
    if (isnan(number)) return -1;
    for (int i = 0; i < {len(known)}; i++)
        if (number == known[i].number) return known[i].code;
    return {n};
}}
""")
    return "\n".join(parts)


_DATE = """\
/* A date as its microseconds since 1970, as NumPy has them in datetime64[us]; a day of the calendar
 * that is now in use, of any year. */
static inline int64_t $name_date(int year, int month, int day, double seconds)
{
    /* Years of 400 that begin in March, so that the leap day is the last one. */
    const int64_t y = (int64_t)year - (month <= 2);
    const int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
    return days * INT64_C(86400000000) + (int64_t)(seconds * 1e6 + 0.5);
}
"""

_DATE_PARTS = """\
/* sin(2 pi t) of t in [0, 1.25], by its Taylor series, as in Python. */
static inline double $name_sine(double t)
{
    if (t + 0.5 >= 1) t -= 1;
    t = t > 0.25 ? 0.5 - t : t < -0.25 ? -0.5 - t : t;
    const double u = $turn * t, square = u * u;
    double term = u, total = u;
    for (int k = 2; k < 22; k += 2) {
        term = term * square / (double)(-k * (k + 1));
        total = total + term;
    }
    return total;
}

/* Days since 1970 on which a year begins. */
static inline int64_t $name_new_year(int64_t year)
{
    const int64_t y = year - 1;
    const int64_t fours = (y >= 0 ? y : y - 3) / 4, hundreds = (y >= 0 ? y : y - 99) / 100,
                  eras = (y >= 0 ? y : y - 399) / 400;
    return 365 * y + fours - hundreds + eras - 719162;
}

/* The year with its fraction; sine and cosine of the day in the year and in the week, and, with
 * times, of the time of day. */
static inline void $name_date_parts(int64_t date, int times, double *out)
{
    const int64_t of_day = INT64_C(86400000000);
    int64_t days = date / of_day - (date % of_day < 0), weekday = (days + 3) % 7;
    int64_t year = 1970 + days / 366;
    while ($name_new_year(year + 1) <= days) year++;
    while ($name_new_year(year) > days) year--;
    const int64_t first = $name_new_year(year), length = $name_new_year(year + 1) - first;
    const double of_year = (double)(days - first) / (double)length;
    if (weekday < 0) weekday += 7;
    out[0] = (double)year + of_year;
    out[1] = $name_sine(of_year);
    out[2] = $name_sine(of_year + 0.25);
    out[3] = $name_sine((double)weekday / 7);
    out[4] = $name_sine((double)weekday / 7 + 0.25);
    if (times) {
        const double turn = (double)(date - days * of_day) / 86400e6;
        out[5] = $name_sine(turn);
        out[6] = $name_sine(turn + 0.25);
    }
}
"""


def encode(writing: Writing) -> str:
    """The function from a row to the numbers that are scaled."""
    columns = writing.columns
    assert columns is not None
    name, lines, parts = writing.name, list[str](), ""
    for column, at, field in fields_of(columns):
        if isinstance(column, Number):
            mean = number(column.mean, True)
            lines.append(f"out[{at}] = isnan(row->{field}) ? {mean} : row->{field};")
            if column.gaps:
                lines.append(f"if (isnan(row->{field})) out[{at + 1}] = 1;")
        elif isinstance(column, Date):
            parts = _DATE_PARTS.replace("$name", name).replace("$turn", repr(2 * math.pi))
            mean, last = number(column.mean, True), at + column.width - 1
            gap = f"out[{at}] = {mean}, out[{last}] = 1;" if column.gaps else f"out[{at}] = {mean};"
            lines += [
                f"if (row->{field} == INT64_MIN)",
                f"    {gap}",
                "else",
                f"    {name}_date_parts(row->{field}, {int(column.times)}, out + {at});",
            ]
        else:
            assert isinstance(column, Category)
            n, known = (
                len(column.values),
                f"row->{field} >= 0 && row->{field} < {len(column.values)}",
            )
            if isinstance(column, Embedded):
                lines.append(f"out[{at}] = {known} ? (double)row->{field} : {float(n)};")
                continue
            lines.append(f"if ({known}) out[{at} + row->{field}] = 1;")
            if column.rest:
                lines.append(f"if (row->{field} < -1 || row->{field} >= {n}) out[{at + n}] = 1;")
    body = "\n".join(f"    {line}" for line in lines)
    separator = "\n" if parts else ""
    return f"""\
{parts}{separator}/* What becomes of a row before it is scaled. */
static inline void {name}_encode(const {name}_row *row, double *out)
{{
    for (int i = 0; i < {columns.width}; i++) out[i] = 0;
{body}
}}
"""
