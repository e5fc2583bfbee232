"""Which kind each column of a table is where nobody says so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from cnn_core._spoken import option
from cnn_core.columns.kinds import (
    FEW,
    KINDS,
    Column,
    Omitted,
    category_counts,
)
from cnn_core.columns.parsing import as_dates, as_numbers, dates_of, looks_like_date, number_of
from cnn_core.columns.table import BOOL, DATE, NUMBER, Table, Values
from cnn_core.data.validation import listed, plain

#: Texts that come less often than this on average tell rows apart and not groups of them.
REPEATED = 2.0
#: Different whole numbers that number rows, some of which may be set apart: at least so many, and
#: no more than so many times as far from the first to the last.
_SOME, _ROWS_NUMBERED = 30, 3

_IDENTIFIER = re.compile(r"(?:.*[_\W])?id|.*[a-z]I[dD]|.*ID", re.ASCII)
_LEADING_ZERO = re.compile(r"[+-]?0\d")


def choose_columns(table: Table, kinds: Mapping[Any, str] | None) -> list[Column]:
    """Fit a `Column` to each column of the training rows.

    Parameters
    ----------
    table : Table
        Of the training rows alone.
    kinds : mapping, optional
        What the user says of some columns: a name of `KINDS`, or 'auto'.

    Returns
    -------
    list of Column
    """
    said = dict(kinds or {})
    for name in said:
        if name not in table:
            raise ValueError(
                f"{option('columns')} names {name!r}, which {table.what} does not have; it has "
                f"{listed(table.names)}"
            )
    return [_column(table, name, said.get(name, "auto")) for name in table.names]


def _column(table: Table, name: Any, kind: str) -> Column:
    if kind == "drop":
        return Omitted(plain(name))
    values = table[name]
    if kind == "auto":
        values, kind, why = _kind(name, values)
        if why:
            return Omitted(plain(name), why)
    elif kind == "number":
        values = Values(NUMBER, as_numbers(values, name, table.what))
    elif kind == "date":
        values = Values(DATE, as_dates(values, name, table.what))
    if values.missing.all():
        return Omitted(plain(name), "every entry is missing")
    fitted: Column = KINDS[kind].fitted(plain(name), values)  # type: ignore[attr-defined]
    return fitted


def _kind(name: Any, values: Values) -> tuple[Values, str, str]:
    """The entries as they are to be read, which kind they are, and why the column is left out, if
    it is."""
    if values.missing.all():
        return values, "drop", "every entry is missing"
    if values.kind == NUMBER:
        return values, "number", _identifies(name, values)
    if values.kind == DATE:
        return values, "date", ""
    if values.kind == BOOL:
        return values, "category", ""
    return _kind_of_texts(values)


def _kind_of_texts(values: Values) -> tuple[Values, str, str]:
    """Texts are numbers or dates where all of them are, categories where they come again and
    again."""
    numbers = None if values.words else _as_numbers(values)
    if numbers is not None:
        return numbers, "number", ""
    first = next(text for text in values.array if text is not None)
    if looks_like_date(first):
        dates = dates_of(values.array)
        if isinstance(dates, np.ndarray):
            return Values(DATE, dates), "date", ""
    counts, _ = category_counts(values)
    if len(counts) > FEW and counts.total() < REPEATED * len(counts):
        single = next((one for one, count in counts.items() if count == 1), first)
        return values, "drop", f"nearly every row has a text of its own, such as {_short(single)}"
    if len(counts) == 1 and not values.missing.any():
        return values, "drop", f"every row has {_short(first)}"
    return values, "category", ""


def _short(text: str) -> str:
    return repr(text if len(text) <= 30 else text[:27] + "...")


def _as_numbers(values: Values) -> Values | None:
    """Texts that are all numbers, as such; None where one is not, or where one has leading zeros,
    as codes have."""
    found = np.full(len(values.array), np.nan)
    for row, text in enumerate(values.array):
        if text is None:
            continue
        number = number_of(text)
        if number is None or _LEADING_ZERO.match(text.strip()):
            return None
        found[row] = number
    return None if np.isnan(found).all() else Values(NUMBER, found)


def _identifies(name: Any, values: Values) -> str:
    """Why numbers only tell rows apart, if they do."""
    numbers = values.array
    if not values.whole or len(numbers) < 3 or np.isnan(numbers).any():
        return ""
    if (np.diff(numbers) == 1).all():
        return "it numbers the rows"
    if len(np.unique(numbers)) < len(numbers):
        return ""
    if len(numbers) >= _SOME and np.ptp(numbers) < _ROWS_NUMBERED * len(numbers):
        return "it numbers the rows"
    if isinstance(name, str) and _IDENTIFIER.fullmatch(name) is not None:
        return "every row has a number of its own"
    return ""


def omissions(columns: Iterable[Column]) -> Iterator[str]:
    """A word on each column that is left out, but for those that the user has named."""
    for column in columns:
        if isinstance(column, Omitted) and column.why:
            yield f"{column.name!r} ({column.why})"
