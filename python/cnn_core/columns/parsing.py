"""The entries of a column as numbers, texts or dates, whatever kind they come as."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from cnn_core._spoken import kind_of_column
from cnn_core.columns.table import BOOL, DATE, NUMBER, TEXT, Values, text_of, text_of_date

#: Texts that stand for a missing entry, beside the empty one.
MISSING = frozenset(("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "none", "<NA>"))
#: Texts that do so beside numbers or dates, without blanks around them and in small letters.
MARKS = frozenset(
    ("?", "-", "--", "---", ".", "..", "...", "\u2013", "\u2014", "n/a", "na", "#n/a", "n.a.")
) | {"nan", "nat", "null", "nil", "none", "<na>", "missing", "unknown"}

_ZONE = r"(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?"
_TIME = rf"(?:[T ](\d{{1,2}}):(\d\d)(?::(\d\d)(?:\.(\d{{1,9}}))?)?)?{_ZONE}"
_DATE = re.compile(rf"\s*(\d{{4}})(?:([-/.])(\d\d?)\2(\d\d?){_TIME}|-(\d\d))\s*", re.ASCII)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
#: Dates whose day and month may be mistaken for one another, or with names of months.
_OTHER_DATE = re.compile(
    rf"\s*(?:\w{{2,9}},? )?(?:\d\d?\. ?\d\d?\. ?\d{{4}}|\d\d?([-/])\d\d?\1(?:\d\d|\d{{4}})"
    rf"|\d\d?(?:st|nd|rd|th|\.)?[- /]?{_MONTH}[-, /]{{1,2}}(?:\d\d|\d{{4}})"
    rf"|{_MONTH}[- ]\d\d?(?:st|nd|rd|th)?,? ?\d{{4}}|\d{{4}}[- ]?{_MONTH}[- ]?\d\d?"
    rf"|{_MONTH}[- /]\d{{2,4}})(?:,?[T ]+\d\d?:.*)?\s*",
    re.ASCII | re.IGNORECASE,
)
_IN_NUMBERS = re.compile(r"(\d\d?)([-/.])(\d\d?)\2(\d{4}|\d\d)", re.ASCII)
#: How dates are to be written.
WRITTEN = "dates are written as 2026-11-26 or 2026-11-26 14:30"


def as_texts(values: Values) -> Sequence[str | None]:
    """Categories, as `text_of` has them, None where one is missing."""
    if values.kind == TEXT:
        texts: list[str | None] = values.array.tolist()
        return texts
    if values.kind == DATE:
        return [None if np.isnat(one) else text_of_date(one) for one in values.array]
    if values.exact is not None:
        return [None if one is None else str(one) for one in values.exact.tolist()]
    numbers, indices = np.unique(values.array, return_inverse=True)
    of_numbers = np.empty(len(numbers), object)
    for i, number in enumerate(numbers.tolist()):
        known = text_of(bool(number) if values.kind == BOOL else number)
        of_numbers[i] = None if math.isnan(number) else known
    found: list[str | None] = of_numbers[indices].tolist()
    return found


def is_mark(text: str) -> bool:
    """Whether a text stands for a missing entry beside numbers or dates."""
    bare = text.strip()
    return bare in MISSING or bare.casefold() in MARKS


def number_of(text: str) -> float | None:
    """The number that a text is, NaN for one that stands for a missing entry, None for another."""
    try:
        return None if "_" in text else float(text)  # to Python 1_000 is a number
    except ValueError:
        return math.nan if is_mark(text) else None


def as_numbers(values: Values, name: Any, what: str) -> np.ndarray:
    """Numbers of float64, NaN where one is missing.

    Raises
    ------
    ValueError
        For a text that is no number, and for infinity: with the first row that has it.
    """
    if values.kind in (NUMBER, BOOL):
        array = values.array
    elif values.kind == TEXT:
        array = np.empty(len(values.array))
        for row, text in enumerate(values.array):
            number = math.nan if text is None else number_of(text)
            if number is None:
                cure = "write missing ones as NaN or None"
                raise refusal(name, what, values, row, "number", cure)
            array[row] = number
    else:
        cure = f"say {kind_of_column(name, 'date')}"
        raise refusal(name, what, values, 0, "number", cure)
    if np.isinf(array).any():
        row = int(np.isinf(array).argmax())
        why = "is no number; every number must be finite"
        raise values.refusal(row, str(array[row]), name, what, why)
    return array


def as_dates(values: Values, name: Any, what: str) -> np.ndarray:
    """Dates of datetime64[us], NaT where one is missing.

    Raises
    ------
    ValueError
        For what is no date: with the first row that has it.
    """
    if values.kind == DATE:
        return values.array
    if values.kind == TEXT:
        found = dates_of(values.array)
        if isinstance(found, np.ndarray):
            return found
        row = found
    else:
        present = np.flatnonzero(~np.isnan(values.array))
        if not len(present):
            return np.full(len(values.array), "NaT", "datetime64[us]")
        row = int(present[0])
    raise refusal(name, what, values, row, "date", WRITTEN)


def dates_of(texts: np.ndarray) -> np.ndarray | int:
    """Texts as dates, or the row of the first that is none."""
    stamps = np.full(len(texts), "NaT", "datetime64[us]")
    for row, text in enumerate(texts):
        if text is not None:
            stamp = date_of(text)
            if stamp is not None:
                stamps[row] = stamp
            elif not is_mark(text):
                return row
    return stamps


def date_of(text: str) -> datetime.datetime | None:
    """The date that a text is, without its time zone; None for another."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, _, month, day, hour, minute, second, fraction, month_alone = found.groups("0")
    if not found[2]:
        month, day = month_alone, "1"
    micro = int(f"{fraction:0<6}"[:6])
    try:
        date = datetime.date(int(year), int(month), int(day))
        return datetime.datetime.combine(
            date, datetime.time(int(hour), int(minute), int(second), micro)
        )
    except ValueError:  # such as February 30
        return None


def is_month(text: str) -> bool:
    """Whether a text that is a date has no day, as 2020-04; 2009-10 may be a season."""
    return len(text.strip()) == 7


def is_other_date(text: str) -> bool:
    """Whether a text looks like a date that is written in another way than those that are read."""
    return _OTHER_DATE.fullmatch(text) is not None


def format_of(texts: Iterable[str]) -> str:
    """How `datetime.strptime` reads dates that are written in numbers; nothing where day and month
    may be mistaken for one another, or where they are written in another way."""
    found = [_IN_NUMBERS.fullmatch(text.strip()) for text in texts]
    written = {(one[2], len(one[4])) for one in found if one}
    if not all(found) or len(written) != 1:
        return ""
    ((sign, digits),) = written
    first, second = (max(int(one[k]) for one in found if one) for k in (1, 3))
    if first > 12 >= second or (sign == "." and second <= 12):
        order = ("%d", "%m")
    elif second > 12 >= first:
        order = ("%m", "%d")
    else:
        return ""
    return sign.join((*order, "%Y" if digits == 4 else "%y"))


def refusal(name: Any, what: str, values: Values, row: int, wanted: str, cure: str) -> ValueError:
    """The error about an entry that is no number or date."""
    entry = values.array[row]
    shown = repr(str(entry if isinstance(entry, str) else entry.item())[:60])
    return values.refusal(row, shown, name, what, f"is no {wanted}; {cure}")


def positions_of_bools(values: Sequence[str]) -> dict[str, int]:
    """Other texts of the categories of a column of True and False; none of another column."""
    meant = {_BOOLS.get(value.casefold()): i for i, value in enumerate(values)}
    if None in meant or len(meant) < len(values):
        return {}
    return {text: meant[one] for text, one in _SPELT.items() if one in meant}


def positions_of_dates(values: Sequence[str]) -> dict[str, int]:
    """Dates among the categories as `text_of` has them, where all are dates."""
    found: dict[str, int] = {}
    for i, value in enumerate(values):
        date = date_of(value)
        if date is None:
            return {}
        found.setdefault(text_of(date), i)
    return found


#: Texts of True and False, in small letters.
_BOOLS = {"true": True, "false": False, "1": True, "0": False}
_SPELT = {
    spelt: one for text, one in _BOOLS.items() for spelt in (text, text.upper(), text.title())
}
