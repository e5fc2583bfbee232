"""The columns of a CSV, built from one chunk of rows after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from shlex import quote
from typing import Any

import numpy as np

from cnn_core.columns.kinds import FEW
from cnn_core.columns.parsing import date_of, is_mark
from cnn_core.columns.table import NUMBER, TEXT, Values, whole_numbers
from cnn_core.data.rounding import EXACT
from cnn_core.io.numerals import (
    Ambiguous,
    Numerals,
    closest,
    decimal_of,
    is_doubtful,
    numerals_of,
)
from cnn_core.io.texts import Missing, is_code, numbers_of

#: Share of the entries that are numbers from which on the others are taken for a mistake.
_MOSTLY = 0.9
_HEAD = 1000  # entries that show whether a column of texts has numbers at all

Place = Callable[[int], str]


class Seen:
    """What is not written as usual in a column, as far as its rows have shown."""

    def __init__(self) -> None:
        #: How its numbers are written; None as in the rest of the file.
        self.way: Numerals | None = None
        #: Texts that are taken for missing entries among numbers or dates.
        self.marks: Counter[str] = Counter()

    def words(self, name: str, decimal: str | None) -> list[str]:
        """Remarks on a column of a file with a decimal sign."""
        found = []
        if self.way is not None and (said := self.way.words(decimal or ".")):
            found.append(f"column {name!r}: {said}")
        if self.marks:
            shown = ", ".join(f"{one!r} ({n:,})" for one, n in self.marks.most_common(5))
            found.append(f"column {name!r}: taken for missing entries: {shown}")
        return found


class ColumnBuilder:
    """A column: numbers while all its entries are, texts from the first chunk on that has another.

    Whether these texts are numbers that are written otherwise, or stand beside marks for missing
    entries, is seen when the whole column is there.

    Parameters
    ----------
    name : str
    missing : Missing
    kind : {'number', 'text', 'drop'}, optional
        What it must be; texts also where it is left out later.
    seen : Seen, optional
        What rows before have shown.
    """

    def __init__(
        self, name: str, missing: Missing, kind: str | None = None, seen: Seen | None = None
    ) -> None:
        self.name, self._missing, self._kind = name, missing, kind
        self.seen = seen or Seen()
        self._parts: list[np.ndarray] = []
        self._before: list[np.ndarray] = []
        #: The number and the decimal sign of the file that each part is from.
        self._files: list[tuple[int, str | None]] = []
        self._files_before: list[tuple[int, str | None]] = []
        self._file: tuple[int, str | None] = (0, None)
        self._whole = True
        self._is_text = kind in ("text", "drop")
        #: Rows that were read as numbers before the first text came.
        self.turned_at = 0
        self._pool: dict[str, str | None] = dict.fromkeys(missing.texts)
        #: The first entry such as 1.234 where no decimal sign is known, as long as none shows it.
        self._doubt: tuple[int, str] | None = None
        self._proved = False

    def begin(self, file: int, decimal: str | None) -> None:
        """A file begins, whose decimal sign is known or not."""
        self._file = file, decimal

    def add(self, texts: Sequence[str], row: int, place: Place) -> None:
        """The entries of a chunk, whose first row is `row`."""
        if not self._is_text:
            found = self._numbers(texts, row, place)
            if found is not None and not (self._kind is None and _beyond_floats(*found)):
                numbers, whole = found
                self._check_finite(numbers, texts, row, place)
                self._parts.append(numbers)
                self._whole &= whole
                return
            self._is_text, self.turned_at, self._parts = True, row, []
        self._parts.append(self._texts(texts, row, place))
        self._files.append(self._file)

    def _check_finite(
        self, numbers: np.ndarray, texts: Sequence[str | None], row: int, place: Place
    ) -> None:
        if np.isinf(numbers).any():
            at = int(np.isinf(numbers).argmax())
            raise ValueError(
                f"{place(row + at)}, column {self.name!r}: {str(texts[at])[:60]!r} is no finite "
                "number"
            )

    def add_before(self, texts: Sequence[str]) -> None:
        """The texts of a chunk that was read as numbers."""
        self._before.append(self._texts(texts, 0, str))
        self._files_before.append(self._file)

    def _texts(self, texts: Sequence[str], row: int, place: Place) -> np.ndarray:
        known = self._pool.setdefault
        size = len(self._pool)
        array = np.empty(len(texts), object)
        array[:] = [known(one, one) for one in texts]
        if len(self._pool) > size and "\0" in "\n".join(texts):
            at = next(i for i, one in enumerate(texts) if "\0" in one)
            raise ValueError(
                f"{place(row + at)}, column {self.name!r}: {texts[at][:60]!r} has a NUL character"
            )
        return array

    # Numbers, chunk by chunk

    def _numbers(
        self, texts: Sequence[str], row: int, place: Place
    ) -> tuple[np.ndarray, bool] | None:
        """A chunk as numbers, and whether all are written as whole ones; None for texts."""
        _, decimal = self._file
        sign = self.seen.way.decimal if self.seen.way else decimal or "."
        found = numbers_of(texts, sign, self._missing, self._kind == NUMBER)
        if found is None:
            return self._forced(texts, row, place) if self._kind == NUMBER else None
        if decimal is None and not found[1] and self.seen.way is None and not self._proved:
            self._look_for_doubt(texts, row)
        return found

    def _look_for_doubt(self, texts: Sequence[str], row: int) -> None:
        for at, text in enumerate(texts):
            if decimal_of(text):
                self._proved = True
                return
            if self._doubt is None and is_doubtful(text):
                self._doubt = row + at, text

    def _forced(self, texts: Sequence[str], row: int, place: Place) -> tuple[np.ndarray, bool]:
        """A chunk of a column that must hold numbers, which are not all as the file has them."""
        counts = Counter(texts)
        rest = [one for one in counts if one not in self._missing and not is_mark(one)]
        fixed = None if self.seen.way is None else self.seen.way.decimal
        if fixed is None and not self._whole:  # some have been read
            fixed = self._file[1] or "."
        try:
            way = numerals_of(rest, fixed or self._file[1])
        except Ambiguous as error:
            at = row + texts.index(error.text)
            raise ValueError(self._ambiguous(place(at), error.text)) from None
        if way is None or fixed not in (None, way.decimal):
            others = dict.fromkeys(rest, 1)
            best, _ = closest(others, fixed or self._file[1] or ".")
            at = next(
                (i for i, one in enumerate(texts) if one in others and best.number(one) is None), 0
            )
            raise ValueError(no_number(place(row + at), self.name, texts[at]))
        self.seen.way = way if way.thousands or self.seen.way is None else self.seen.way
        return self._converted(texts, way)

    def _converted(self, texts: Sequence[str | None], way: Numerals) -> tuple[np.ndarray, bool]:
        """Entries that are numbers, or stand for missing ones, as numbers."""
        known: dict[str | None, float] = {}
        whole = True
        for text, count in Counter(texts).items():
            known[text] = np.nan
            number = None if text is None or text in self._missing else way.number(text)
            if text is not None and number is not None:
                known[text] = number
                whole = whole and not set(text) & {way.decimal, "e", "E"}
            elif text is not None and text not in self._missing:
                self.seen.marks[text.strip()] += count
        found = np.fromiter(map(known.__getitem__, texts), np.float64, len(texts))
        if len(self._missing.numbers):
            found[np.isin(found, self._missing.numbers)] = np.nan
        return found, whole

    # The whole column

    def finish(self, place: Place) -> Values:
        """The whole column."""
        parts = [*self._before, *self._parts]
        self._before, self._parts = [], []
        array = np.concatenate(parts) if len(parts) > 1 else parts[0]
        if not self._is_text:
            if self._doubt is not None and not self._proved:
                row, text = self._doubt
                raise ValueError(self._ambiguous(place(row), text))
            return Values(NUMBER, array, self._whole and not np.isnan(array).all())
        if self._kind is None:
            files = [*self._files_before, *self._files]
            sizes = list(map(len, parts))
            parts.clear()
            found = self._settled(array, list(_runs(files, sizes)), place)
            if found is not None:
                return found
        return Values(TEXT, array, words=True)

    def _settled(
        self, array: np.ndarray, runs: list[tuple[slice, str | None]], place: Place
    ) -> Values | None:
        """Texts of which all are numbers or dates, but for marks, as such; an error where nearly
        all are."""
        head = Counter(one for one in array[:_HEAD].tolist() if one is not None)
        if head and not _promising(head):
            return None
        counts = [Counter(array[rows].tolist()) for rows, _ in runs]
        for one in counts:
            one.pop(None, None)
        marks = {text for one in counts for text in one if is_mark(text)}
        left = marks | {text for one in counts for text in one if text in self._missing}
        rest = [{text: n for text, n in one.items() if text not in left} for one in counts]
        if not any(rest):
            return None
        found: list[Numerals | None] = []
        for texts, (rows, decimal) in zip(rest, runs):
            try:
                found.append(numerals_of(texts, decimal) if texts else Numerals(decimal or "."))
            except Ambiguous as error:
                row = _first(array, {error.text}, rows.start)
                raise ValueError(self._ambiguous(place(row), error.text)) from None
        if all(way is not None for way in found) and not any(map(is_code, _all(rest))):
            return self._as_values(array, zip(runs, found), place)
        if marks and None not in map(date_of, _all(rest)):
            dates = array.copy()
            for row, text in enumerate(array):
                if text in marks:
                    self.seen.marks[text] += 1
                    dates[row] = None
            return Values(TEXT, dates, words=True)
        self._check(array, runs, rest, place)
        return None

    def _as_values(self, array: np.ndarray, runs: Any, place: Place) -> Values:
        parts, whole = [], True
        for (rows, _), way in runs:
            texts = array[rows].tolist()
            numbers, are_whole = self._converted(texts, way)
            self._check_finite(numbers, texts, rows.start, place)
            parts.append(numbers)
            whole &= are_whole
            self.seen.way = way if way.thousands or self.seen.way is None else self.seen.way
        numbers = np.concatenate(parts)
        if not _beyond_floats(numbers, whole):
            return Values(NUMBER, numbers, whole)
        return whole_numbers([_whole(text, one) for text, one in zip(array, numbers.tolist())])

    def _check(
        self,
        array: np.ndarray,
        runs: list[tuple[slice, str | None]],
        rest: list[dict[str, int]],
        place: Place,
    ) -> None:
        """Raise where texts among numbers are a mistake, or missing."""
        cure = (
            f"kinds={{{self.name!r}: 'text'}} (--columns {quote(self.name + '=category')}) reads "
            "the column as texts"
        )
        total, numbers = 0, 0
        others: Counter[str] = Counter()
        shares, rows_of = [], []
        for texts, (rows, decimal) in zip(rest, runs):
            counts = {text: n for text, n in texts.items() if not is_code(text)}
            way, count = closest(counts, decimal or ".") if counts else (Numerals("."), 0)
            others.update(
                {
                    text: n
                    for text, n in texts.items()
                    if text not in counts or way.number(text) is None
                }
            )
            total, numbers = total + sum(texts.values()), numbers + count
            if texts:
                shares.append(count / sum(texts.values()))
                rows_of.append(rows)
        row = _first(array, others.keys(), 0)
        if numbers >= _MOSTLY * total:
            more = f", as {len(others) - 1:,} other entries are" if len(others) > 1 else ""
            text = no_number(place(row), self.name, array[row], more)
            raise ValueError(f"{text}, and {cure}")
        different, code = sum(map(len, rest)) - len(others), is_code(array[row])
        if (
            len(others) == 1
            and others.total() > 1
            and not code
            and different > FEW
            and 2 * numbers > total
        ):
            text = no_number(place(row), self.name, array[row], "", others.total())
            raise ValueError(f"{text}, and {cure}")
        if 1.0 in shares and min(shares) < 1 - _MOSTLY:
            one = rows_of[shares.index(1.0)].start
            raise ValueError(
                f"{place(row)}, column {self.name!r}: {array[row][:60]!r} is no number, as nearly "
                f"all entries of this file, and those from {place(one)} on are numbers; {cure}"
            )

    def _ambiguous(self, where: str, text: str) -> str:
        shown = text.strip()[:60]
        thousands = shown.replace(".", "").replace(",", "")
        return (
            f"{where}, column {self.name!r}: {shown!r} is {thousands} or "
            f"{shown.replace(',', '.')}, and nothing shows which; decimal='.' or ',' (--decimal) "
            "says what the decimal sign is"
        )


def _beyond_floats(numbers: np.ndarray, whole: bool) -> bool:
    """Whether numbers are whole ones of which float64 has not all."""
    return whole and bool((np.abs(numbers) >= EXACT).any()) and not np.isinf(numbers).any()


def _whole(text: str | None, number: float) -> int | None:
    """The whole number that a text is; None for a missing entry, which is NaN as a number."""
    if text is None or number != number:
        return None
    size = int("".join(filter(str.isdecimal, text)))  # without signs between thousands
    return -size if number < 0 else size


def _runs(
    files: Sequence[tuple[int, str | None]], sizes: Sequence[int]
) -> Iterator[tuple[slice, str | None]]:
    """The rows of each file, and its decimal sign."""
    start = 0
    for (_, decimal), parts in groupby(zip(files, sizes), lambda part: part[0]):
        stop = start + sum(size for _, size in parts)
        yield slice(start, stop), decimal
        start = stop


def _promising(head: Counter[str]) -> bool:
    """Whether some texts are numbers, or marks beside dates."""
    return closest(head, ".")[1] > 0 or any(map(is_mark, head))


def _all(counts: list[dict[str, int]]) -> Iterator[str]:
    return (text for one in counts for text in one)


def _first(array: np.ndarray, texts: object, start: int) -> int:
    """The first row from `start` on that has one of some texts."""
    return next(i for i in range(start, len(array)) if array[i] in texts)  # type: ignore[operator]


def no_number(where: str, name: str, text: str, more: str = "", times: int = 1) -> str:
    """The sentence about an entry that is no number, and what takes it for a missing one: in Python
    and on the command line."""
    often = f", {times:,} times beside numbers" if times > 1 else ""
    return (
        f"{where}, column {name!r}: {text[:60]!r} is no number{more}{often}; "
        f"missing=[{text[:60]!r}] (--missing {quote(text[:60])}) takes it for a missing entry"
    )
