"""How a CSV is written: encoding, delimiter, quotes, decimal sign, header. Each can be given, and
is recognised from the first rows otherwise."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from cnn_core._spoken import option
from cnn_core.io.numerals import decimal_of
from cnn_core.io.sources import is_plain, name_of, open_bytes

SAMPLE = 1 << 18  #: Bytes that a dialect is recognised from.
_RECORDS = 200
_ABOVE = 20  # lines above the names of the columns that are looked at
_NUMBER = re.compile(r"[+-]?[\d.,]+([eE][+-]?\d+)?")
#: What may separate entries. A header of several names has one of them, and a file in which the
#: later ones separate seldom has an earlier one in its header.
DELIMITERS = ("\t", ";", "|", ",")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}


class Dialect(NamedTuple):
    """How a CSV is written; what is None is recognised."""

    delimiter: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    quote: str | None = None
    #: Whether the first line has the names of the columns. None: it must, unless it holds numbers,
    #: which is an error.
    header: bool | None = None

    def check(self) -> None:
        """Raise a ValueError for what no CSV is written in."""
        for name in ("delimiter", "quote"):
            sign = getattr(self, name)
            if sign is not None and (len(sign) != 1 or sign in "\r\n\0"):
                raise ValueError(f"{option(name)} must be a single character, got {sign!r}")
        if self.delimiter is not None and self.delimiter == self.quote:
            raise ValueError(f"{option('delimiter')} and {option('quote')} are both {self.quote!r}")
        if self.decimal not in (None, ".", ","):
            raise ValueError(f"{option('decimal')} must be '.' or ',', got {self.decimal!r}")
        if self.encoding is not None:
            try:
                known = codecs.lookup(self.encoding)
            except (LookupError, ValueError):
                known = None
            if known is None or not getattr(known, "_is_text_encoding", True):
                raise ValueError(
                    f"{option('encoding')} must be such as 'utf-8' or 'cp1252', got "
                    f"{self.encoding!r}"
                )

    @property
    def words(self) -> str:
        """What is not as most files have it: 'semicolons, decimal commas, cp1252'; or nothing."""
        found = []
        if self.delimiter != ",":
            found.append(_WORDS.get(str(self.delimiter), f"delimiter {self.delimiter!r}"))
        if self.decimal == ",":
            found.append("decimal commas")
        if self.quote != '"':
            found.append(f"quotes {self.quote}")
        if self.encoding not in ("utf-8", "utf-8-sig"):
            found.append(str(self.encoding))
        return ", ".join(found)


def recognise(path: str, sample: bytes, given: Dialect) -> Dialect:
    """The dialect of a file.

    Parameters
    ----------
    path : str
    sample : bytes
        Its beginning.
    given : Dialect
        What is known already.

    Returns
    -------
    Dialect
        Without None, but perhaps for `header`, and for `decimal` where nothing shows it.
    """
    encoding = given.encoding or _encoding(path, sample)
    text = codecs.getincrementaldecoder(encoding)("ignore").decode(sample)
    text = text.removeprefix("\ufeff")
    delimiter = given.delimiter
    if delimiter is None and (said := re.match(r"sep=(.)(\r\n|\n|\r)", text)):
        delimiter, text = said[1], text[said.end() :]
    if len(sample) >= SAMPLE:  # the last line may not be whole
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    quote = given.quote or _quote(text)
    if delimiter is None:
        options = [one for one in DELIMITERS if one != quote]
        delimiter = next((one for one in options if _separates(text, one, quote)), None)
        delimiter = delimiter or (";" if given.decimal == "," else ",")
    decimal = given.decimal or _decimal(text, delimiter, quote, given.header is False)
    return Dialect(delimiter, encoding, decimal, quote, given.header)


def records(text: str, delimiter: str, quote: str, limit: int = _RECORDS) -> list[list[str]]:
    """The first rows, as far as they can be read; all without a limit."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, skipinitialspace=True
    )
    found: list[list[str]] = []
    try:
        for row in reader:
            if row:
                found.append(row)
            if len(found) == limit:
                break
    except csv.Error:
        pass
    return found


# The encoding


def _encoding(path: str, sample: bytes) -> str:
    for mark, encoding in _BOMS:
        if sample.startswith(mark):
            return encoding
    if len(sample) >= 4:  # text in UTF-16 has a NUL in nearly every other byte
        half = len(sample) // 2
        for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
            if sample[start::2].count(0) > 0.7 * half > 0 == sample[1 - start :: 2].count(0):
                return encoding
    at = _first_bad(path, sample)
    if at is None:
        return "utf-8"
    line, good, byte = at
    if good:
        raise ValueError(
            f"{name_of(path)}, line {line}: the byte 0x{byte:02x} is no UTF-8, though letters "
            f"before it are; the file is damaged, or {option('encoding')} must say what it is in, "
            "such as cp1252"
        )
    return "cp1252"


def _first_bad(path: str, sample: bytes) -> tuple[int, bool, int] | None:
    """The line of the first byte that is no UTF-8, whether letters beyond ASCII came before it, and
    the byte. A file that can be read again is looked at as a whole, others by their beginning."""
    line, good, rest = 1, False, b""
    with open_bytes(path) if is_plain(path) else io.BytesIO(sample) as file:
        while block := file.read(1 << 20):
            data = rest + block
            if data.isascii():
                rest, line = b"", line + _lines(data)
                continue
            try:
                _, used = codecs.utf_8_decode(data, "strict", False)
            except UnicodeDecodeError as error:
                before = data[: error.start]
                good = good or not before.isascii()
                return line + _lines(before), good, data[error.start]
            good = good or not data[:used].isascii()
            rest, line = data[used:], line + _lines(data[:used])
    return None


def _lines(data: bytes) -> int:
    return data.count(b"\n") or data.count(b"\r")


def line_of_bad(data: bytes, encoding: str) -> int:
    """The line of the first byte that is not in the encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        decoder.decode(data, True)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "ignore")
        return 1 + (before.count("\n") or before.count("\r"))
    return 1


# Quotes, delimiter, decimal sign


def _quote(text: str) -> str:
    """Single quotes where they stand around entries and there are no double ones."""
    if '"' in text or text.count("'") < 4:
        return '"'
    lines = text.splitlines()[:_RECORDS]
    quoted = sum(bool(re.search(r"(^|[,;\t|])\s*'[^']*'\s*([,;\t|]|$)", one)) for one in lines)
    return "'" if quoted > 0.5 * len(lines) else '"'


def _separates(text: str, delimiter: str, quote: str) -> bool:
    """Whether a delimiter gives nearly all rows as many entries as the header, and several."""
    rows = records(text, delimiter, quote)
    if not rows or len(rows[0]) < 2:
        return False
    counts = Counter(map(len, rows))
    return counts[len(rows[0])] >= 0.5 * len(rows) or len(rows) == 1


def width_below(lines: Sequence[str], delimiter: str, quote: str) -> int:
    """How many entries the rows below a title or comments have; 0 where there are no such lines.

    That is so where the first line has another number of entries than most rows, and a line soon
    after it names as many columns as these have.
    """
    if _separates("\n".join(lines), delimiter, quote):
        return 0
    for start in range(1, min(len(lines), _ABOVE)):
        rest = "\n".join(lines[start:])
        for sign in dict.fromkeys((delimiter, *DELIMITERS)):
            rows = records(rest, sign, quote)
            if len(rows) < 2 or any(_NUMBER.fullmatch(one.strip()) for one in rows[0]):
                continue
            width = len(rows[0])
            if width > 1 and sum(len(row) == width for row in rows) > 0.9 * len(rows):
                return width
    return 0


def _decimal(text: str, delimiter: str, quote: str, no_header: bool) -> str | None:
    """The sign that nearly all numbers of the first rows have that prove one, or else those of the
    sample; None where there are none, or of both kinds. Between commas the majority counts, and a
    point is usual."""
    for limit in (_RECORDS, 0):
        rows = records(text, delimiter, quote, limit)[0 if no_header else 1 :]
        entries = [one for row in rows for one in row if "." in one or "," in one]
        points = (decimal_of(one) == "." for one in entries)
        if not any("," in one for one in entries) and (delimiter == "," or any(points)):
            return "."
        found = Counter(map(decimal_of, entries))
        more, fewer = sorted((found[","], found["."]), reverse=True)
        if more:
            sure = delimiter == "," or more > 10 * fewer
            return ("," if found[","] > found["."] else ".") if sure else None
    return "." if delimiter == "," else None
