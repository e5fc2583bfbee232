"""The entries of a column as numbers, texts or dates, whatever kind they come as."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnn_core._spoken import kind_of_column
from cnn_core.columns.table import BOOL, DATE, NUMBER, TEXT, Values

#: Texts that stand for a missing entry, beside the empty one.
MISSING = frozenset(("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "none", "<NA>"))
#: Texts that stand for a missing entry in columns whose other entries are numbers or dates, in
#: letters of any case.
MARKS = frozenset(
    ("?", "-", "--", ".", "n/a", "na", "#n/a", "n.a.", "nan", "nat", "none", "null", "missing")
)

_DATE = re.compile(r"\s*\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?(Z|[+-]\d\d:?\d\d)?\s*")


def is_mark(text: str) -> bool:
    """Whether a text stands for a missing entry among numbers or dates."""
    return text.strip().casefold() in MARKS


def text_of(value: Any) -> str:
    """A category as a text: 3, 3.0 and '3' are the same one."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, float, np.integer, np.floating)):
        number = float(value)
        if number.is_integer() and abs(number) < 2**53:
            return str(int(number))
        return repr(number)
    return str(value)


def as_texts(values: Values) -> Sequence[str | None]:
    """Categories, as `text_of` has them, None where one is missing."""
    if values.kind == TEXT:
        texts: list[str | None] = values.array.tolist()
        return texts
    if values.kind == DATE:
        return [None if np.isnat(one) else str(one) for one in values.array]
    numbers, indices = np.unique(values.array, return_inverse=True)
    of_numbers = np.empty(len(numbers), object)
    for i, number in enumerate(numbers.tolist()):
        known = text_of(bool(number) if values.kind == BOOL else number)
        of_numbers[i] = None if math.isnan(number) else known
    found: list[str | None] = of_numbers[indices].tolist()
    return found


def number_of(text: str) -> float | None:
    """The number that a text is, NaN for one that stands for a missing entry, None for another."""
    try:
        return float(text)
    except ValueError:
        return math.nan if text.strip() in MISSING else None


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
                raise _refusal(name, what, row, text, "number", "write missing ones as NaN or None")
            array[row] = number
    else:
        raise _refusal(
            name, what, 0, values.array[0], "number", f"say {kind_of_column(name, 'date')}"
        )
    if np.isinf(array).any():
        row = int(np.isinf(array).argmax())
        raise ValueError(
            f"{what} has {array[row]} in column {name!r}, row {row}; every number must be finite"
        )
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
        row, entry = found, values.array[found]
    else:
        present = np.flatnonzero(~np.isnan(values.array))
        if not len(present):
            return np.full(len(values.array), "NaT", "datetime64[us]")
        row, entry = int(present[0]), values.array[present[0]].item()
    raise _refusal(
        name, what, row, entry, "date", "dates are written as 2026-11-26 or 2026-11-26 14:30"
    )


def dates_of(texts: np.ndarray) -> np.ndarray | int:
    """Texts as dates, or the row of the first that is none."""
    stamps = np.full(len(texts), "NaT", "datetime64[us]")
    for row, text in enumerate(texts):
        if text is None or text in MISSING:
            continue
        if not _DATE.fullmatch(text):
            return row
        try:
            stamp = datetime.datetime.fromisoformat(text.strip())
        except ValueError:  # such as February 30
            return row
        stamps[row] = stamp.replace(tzinfo=None)
    return stamps


def looks_like_date(text: str) -> bool:
    """Whether a text is written as dates are."""
    return _DATE.fullmatch(text) is not None


def _refusal(name: Any, what: str, row: int, entry: Any, wanted: str, cure: str) -> ValueError:
    shown = repr(str(entry)[:60])
    raise ValueError(
        f"{what} has {shown} in column {name!r}, row {row}, which is no {wanted}; {cure}"
    )
