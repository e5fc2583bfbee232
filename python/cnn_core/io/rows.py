"""The rows of a CSV, in chunks by columns.

Text is split as long as quotes, if any, stand around whole entries that need none; from the first
other piece on the standard library's reader takes over.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from typing import Any, NamedTuple, NoReturn, TextIO

from cnn_core._spoken import option
from cnn_core.io.dialect import Dialect

PIECE = 1 << 15  #: Characters that are split together, so few that their entries stay in the cache.
_ROWS = 2048  # rows that the standard library's reader gives together
_BREAK = re.compile(r"\r\n|\n|\r")


class Chunk(NamedTuple):
    """Some rows of a CSV, by columns."""

    columns: Sequence[Sequence[str]]
    n_rows: int
    #: The line of the first row; the others stand in the lines after it, or in `lines`.
    line: int
    lines: list[int] | None


class Rows:
    """What stands in a CSV that is open.

    Parameters
    ----------
    text : text file
        At its beginning, opened with ``newline=""``.
    dialect : Dialect
    what : str
        What to call the file in messages.
    """

    def __init__(self, text: TextIO, dialect: Dialect, what: str) -> None:
        self._text, self._what = text, what
        self._delimiter, self._quote = dialect.delimiter or ",", dialect.quote or '"'
        #: The line that is read next.
        self.line = 1

    def _reader(self, lines: Iterable[str]) -> Any:
        return csv.reader(
            lines,
            delimiter=self._delimiter,
            quotechar=self._quote,
            skipinitialspace=True,
            strict=True,
        )

    def first(self) -> tuple[list[str], int, str]:
        """The first row that is not blank, the line in which it begins, and its text."""
        taken: list[str] = []

        def lines() -> Iterator[str]:
            while line := self._text.readline():
                if self.line == 1 and not taken:
                    line = line.removeprefix("\ufeff")
                    if re.fullmatch(r"sep=.[\r\n]*", line):  # as Excel writes it
                        self.line += 1
                        continue
                taken.append(line)
                yield line

        try:
            for row in self._reader(lines()):
                start, height = self.line, len(taken)
                self.line += height
                if len(row) > 1 or (row and row[0].strip()):
                    return row, start, "".join(taken)
                taken.clear()
        except csv.Error as error:
            self._refuse_record(error, self.line)
        return [], self.line, ""

    def chunks(self, width: int, pending: str = "") -> Iterator[Chunk]:
        """The rows from here on.

        Parameters
        ----------
        width : int
            Entries of each row.
        pending : str
            Text that has been read already and belongs to them.
        """
        delimiter = self._delimiter
        self.line -= len(_BREAK.findall(pending))
        while piece := pending or self._text.read(PIECE):
            pending = ""
            piece += self._text.readline()
            simple = piece
            if "\r" in piece:
                simple = piece.replace("\r\n", "\n").replace("\r", "\n")
            if delimiter + " " in piece or "\n " in simple or piece[:1] == " ":
                yield from self._read(width, piece)
                return
            chunk = self._split(width, simple)
            if chunk is None:
                yield from self._read(width, piece)
                return
            if chunk.n_rows:
                yield chunk

    def _split(self, width: int, piece: str) -> Chunk | None:
        """Rows without quotes, or with quotes around whole entries alone; None for others."""
        delimiter, line, quoted = self._delimiter, self.line, self._quote in piece
        lines = piece.removesuffix("\n").split("\n")
        height, numbers = len(lines), None
        counts = set(map(str.count, lines, repeat(delimiter)))
        if counts != {width - 1} or (width == 1 and "" in lines):
            if quoted:
                return None
            kept, numbers = [], []
            for number, text in enumerate(lines, line):
                if text.count(delimiter) == width - 1 and (width > 1 or text):
                    kept.append(text)
                    numbers.append(number)
                elif text.strip():
                    self._refuse_length(text.split(delimiter), width, number)
            lines, piece = kept, "\n".join(kept)
        flat = piece.removesuffix("\n").replace("\n", delimiter).split(delimiter)
        columns = [flat[i::width] for i in range(width)]
        if quoted:
            found = [_without_quotes(column, self._quote) for column in columns]
            if any(column is None for column in found):
                return None
            columns = [column for column in found if column is not None]
        self.line += height
        first = numbers[0] if numbers else line
        return Chunk(columns, len(lines), first, numbers)

    def _read(self, width: int, piece: str) -> Iterator[Chunk]:
        """Rows that may have quotes, up to the end."""
        reader = self._reader(chain(io.StringIO(piece, newline=""), self._text))
        start, line = self.line, self.line
        while True:
            rows: list[list[str]] = []
            try:
                rows.extend(islice(reader, _ROWS))
            except csv.Error as error:
                self._refuse_record(error, line + sum(map(_height, rows)))
            if not rows:
                return
            after, numbers = start + reader.line_num, None
            if after - line != len(rows):
                numbers, at = [], line
                for row in rows:
                    numbers.append(at)
                    at += _height(row)
            if set(map(len, rows)) != {width}:
                rows, numbers = self._even(rows, width, numbers or range(line, after))
            if rows:
                yield Chunk(list(zip(*rows)), len(rows), numbers[0] if numbers else line, numbers)
            line = after

    def _even(
        self, rows: list[list[str]], width: int, numbers: Sequence[int]
    ) -> tuple[list[list[str]], list[int]]:
        """Without blank lines; an error for a row of another length."""
        kept, lines = [], []
        for row, line in zip(rows, numbers):
            if len(row) == width:
                kept.append(row)
                lines.append(line)
            elif len(row) > 1 or (row and row[0].strip()):
                self._refuse_length(row, width, line)
        return kept, lines

    def _refuse_length(self, row: list[str], width: int, line: int) -> NoReturn:
        shown = self._delimiter.join(row)
        entries = f"{len(row):,} entr{'ies' if len(row) > 1 else 'y'}"
        hint = f"; {option('delimiter')} says what separates entries" if width == 1 else ""
        raise ValueError(
            f"{self._what}, line {line}: {entries}, where the first line has {width:,}: "
            f"{shown[:60]!r}{hint}"
        )

    def _refuse_record(self, error: csv.Error, line: int) -> NoReturn:
        known = str(error)
        if "unexpected end" in known or "field larger" in known:
            limit = csv.field_size_limit()
            why = f"a quote is opened and never closed, or an entry has over {limit:,} characters"
        elif "expected after" in known:
            why = "a closing quote is followed by other text than a delimiter"
        else:
            why = known
        raise ValueError(f"{self._what}, line {line}: {why}") from None


def _without_quotes(column: list[str], quote: str) -> list[str] | None:
    """Entries without the quotes around them; None where a quote stands elsewhere."""
    if quote not in "".join(column):
        return column
    meant: dict[str, str] = {}
    for entry in set(column):
        inner = entry
        if quote in entry:
            inner = entry[1:-1]
            if len(entry) < 2 or entry[0] != quote or entry[-1] != quote or quote in inner:
                return None
        meant[entry] = inner
    return [meant[entry] for entry in column]


def _height(row: list[str]) -> int:
    """How many lines a row takes."""
    return 1 + sum(len(_BREAK.findall(one)) for one in row if "\n" in one or "\r" in one)
