"""Which kind each column of a table is where nobody says so."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from cnn_core._spoken import kind_of_column, option
from cnn_core.columns.kinds import (
    FEW,
    KINDS,
    Column,
    Embedded,
    Omitted,
    category_counts,
)
from cnn_core.columns.parsing import (
    MISSING,
    WRITTEN,
    as_dates,
    as_numbers,
    date_of,
    format_of,
    is_mark,
    is_month,
    is_other_date,
    number_of,
    refusal,
)
from cnn_core.columns.table import BOOL, DATE, NUMBER, Table, Values
from cnn_core.data.number_texts import conversion
from cnn_core.data.validation import listed, plain
from cnn_core.embeddings import Embedding

#: Texts that come less often than this on average tell rows apart and not groups of them.
REPEATED = 2.0
#: Different whole numbers that number rows, some of which may be set apart: at least so many, and
#: no more than so many times as far from the first to the last.
_SOME, _ROWS_NUMBERED = 30, 3
#: Share of the entries that are numbers or dates from which on the others are taken for mistakes.
_MOSTLY = 0.9
#: Different texts of which one at least is a number or date where the column may hold them.
_LOOKED_AT = 1000

_IDENTIFIER = re.compile(r"(?:.*[_\W])?id|.*[a-z]I[dD]|.*ID", re.ASCII)
_LEADING_ZERO = re.compile(r"[+-]?0\d")


def choose_columns(
    table: Table,
    kinds: Mapping[Any, str | Embedding] | None,
    remarks: list[str] | None = None,
) -> list[Column]:
    """Fit a `Column` to each column of the training rows.

    Parameters
    ----------
    table : Table
        Of the training rows alone.
    kinds : mapping, optional
        What the user says of some columns: a name of `KINDS`, 'auto', or an Embedding.
    remarks : list of str, optional
        Gets a sentence on each column that may be meant otherwise.

    Returns
    -------
    list of Column

    Raises
    ------
    ValueError
        Where nearly all entries of a column are numbers or dates, and others are none.
    """
    remarks = [] if remarks is None else remarks
    said = dict(kinds or {})
    for name in said:
        if name not in table:
            raise ValueError(
                f"{option('columns')} names {name!r}, which {table.what} does not have; it has "
                f"{listed(table.names)}"
            )
    return [_column(table, name, said.get(name, "auto"), remarks) for name in table.names]


def _column(table: Table, name: Any, kind: str | Embedding, remarks: list[str]) -> Column:
    if kind == "drop":
        return Omitted(plain(name))
    values = table[name]
    if isinstance(kind, Embedding):
        if values.missing.all():
            return Omitted(plain(name), "every entry is missing")
        return Embedded.fitted(plain(name), values, kind)
    if kind == "auto":
        values, kind, why = _kind(name, values, table.what, remarks)
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


def _kind(name: Any, values: Values, what: str, remarks: list[str]) -> tuple[Values, str, str]:
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
    return _kind_of_texts(name, values, what, remarks)


def _kind_of_texts(
    name: Any, values: Values, what: str, remarks: list[str]
) -> tuple[Values, str, str]:
    """Texts are numbers or dates where all of them are, categories where they come again and
    again."""
    counts, gaps = category_counts(values)
    if values.labels is None:
        for kind, parted in (("number", _numbers(counts)), ("date", _dates(counts))):
            if not parted.some or (kind == "number" and values.words):
                continue
            if not parted.others:
                marks = sorted(text for text in parted.marks if text.strip() not in MISSING)
                if marks:
                    remarks.append(
                        f"{listed(marks)} in column {name!r} stands for missing entries beside "
                        f"{kind}s; {kind_of_column(name, 'category')} makes a category of it"
                    )
                return _read(values, name, what, kind), kind, ""
            _check_mostly(name, values, what, kind, parted)
    some = list(islice(counts, _LOOKED_AT))
    texts = [text for text in some if not is_mark(text)] or some
    like = _looks_like(texts)
    if len(counts) > FEW and counts.total() < REPEATED * len(counts):
        shown = _short(next((text for text in texts if counts[text] == 1), texts[0]))
        why = f"nearly every row has a text of its own, such as {shown}{like and f'; {like}'}"
        return values, "drop", why
    if len(counts) == 1 and not gaps:
        return values, "drop", f"every row has {_short(texts[0])}"
    if like and len(counts) > FEW:
        remarks.append(
            f"column {name!r} becomes categories, such as {_short(texts[0])}, though {like}; "
            f"{kind_of_column(name, 'category')} keeps it as it is"
        )
    return values, "category", ""


def _short(text: str) -> str:
    return repr(text if len(text) <= 30 else text[:27] + "...")


def _looks_like(texts: list[str]) -> str:
    """What texts look like that are not read as such, and what would be."""
    if all(map(is_other_date, texts)) or all(is_other_date(one) or date_of(one) for one in texts):
        form = format_of(texts)
        how = f"; datetime.strptime(text, {form!r}) makes one of each text" if form else ""
        return f"it looks like dates, and {WRITTEN}{how}"
    change = conversion(texts)
    return f"it looks like numbers, which {change} makes of each text" if change else ""


class _Parted(NamedTuple):
    """The different texts of a column: how many entries are of a kind and how many not, beside
    marks for missing ones."""

    some: int
    different: int
    others: Counter[str]
    marks: set[str]


def _of_kind(counts: Counter[str], is_of_kind: Callable[[str], bool]) -> set[str]:
    """The texts of a kind; none where the first ones are of another."""
    if not any(map(is_of_kind, islice(counts, _LOOKED_AT))):
        return set()
    return set(filter(is_of_kind, counts))


def _parted(counts: Counter[str], of_kind: set[str]) -> _Parted:
    if not of_kind:
        return _Parted(0, 0, Counter(), set())
    rest = [text for text in counts if text not in of_kind]
    marks = set(filter(is_mark, rest))
    others = Counter({text: counts[text] for text in rest if text not in marks})
    some = sum(counts[text] for text in of_kind)
    return _Parted(some, len(of_kind), others, marks)


def _numbers(counts: Counter[str]) -> _Parted:
    """Numbers among texts; none where one has leading zeros, as codes have."""
    found = _of_kind(counts, lambda text: not is_mark(text) and number_of(text) is not None)
    if any(_LEADING_ZERO.match(text.strip()) for text in found):
        found = set()
    return _parted(counts, found)


def _dates(counts: Counter[str]) -> _Parted:
    """Dates among texts; months such as 2009-10 only where all are months, as they may be
    seasons."""
    found = _of_kind(counts, lambda text: date_of(text) is not None)
    parted = _parted(counts, found)
    if parted.others and any(map(is_month, found)):
        return _parted(counts, set())
    return parted


def _read(values: Values, name: Any, what: str, kind: str) -> Values:
    """Texts as the numbers or dates that they are."""
    if kind == "number":
        return values._replace(kind=NUMBER, array=as_numbers(values, name, what))
    return values._replace(kind=DATE, array=as_dates(values, name, what))


def _check_mostly(name: Any, values: Values, what: str, kind: str, parted: _Parted) -> None:
    """Raise where nearly all entries are numbers or dates, and the others so are mistakes, or a
    single text beside many of them stands for what is missing."""
    if parted.different <= FEW:
        return
    share = parted.some / (parted.some + parted.others.total())
    if share < _MOSTLY and len(parted.others) > 1:
        return
    row = next(i for i, text in enumerate(values.array) if text in parted.others)
    n = parted.others.total() - 1
    more = f" (and {n:,} other such entr{'ies' if n > 1 else 'y'})" if n else ""
    cure = f"replace it by None, or say {kind_of_column(name, 'category')}"
    if kind == "date":
        cure += f"; {WRITTEN}"
    raise refusal(name, what, values, row, f"{kind}, as most others are{more}", cure)


def _identifies(name: Any, values: Values) -> str:
    """Why numbers only tell rows apart, if they do."""
    numbers = values.array
    if not values.whole or len(numbers) < 3 or np.isnan(numbers).any():
        return ""
    if values.exact is not None:
        numbers = values.exact
    if (np.diff(numbers) == 1).all():
        return "it numbers the rows"
    if len(np.unique(numbers)) < len(numbers):
        return ""
    if len(numbers) >= _SOME and numbers.max() - numbers.min() < _ROWS_NUMBERED * len(numbers):
        return "it numbers the rows"
    if isinstance(name, str) and _IDENTIFIER.fullmatch(name) is not None:
        return "every row has a number of its own"
    return ""


def omissions(columns: Iterable[Column]) -> Iterator[str]:
    """A word on each column that is left out, but for those that the user has named."""
    for column in columns:
        if isinstance(column, Omitted) and column.why:
            yield f"{column.name!r} ({column.why})"
