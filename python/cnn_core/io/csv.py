"""CSV files, by the standard library: `CsvFile` reads one, `read_csv` makes a table of several."""

from __future__ import annotations

import io
import re
import shlex
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any, BinaryIO, NoReturn, TextIO

from cnn_core._spoken import option
from cnn_core.data.validation import listed
from cnn_core.io.building import ColumnBuilder
from cnn_core.io.dialect import SAMPLE, Dialect, line_of_bad, recognise, width_below
from cnn_core.io.places import FileTable, Places
from cnn_core.io.rows import Chunk, Rows
from cnn_core.io.sources import (
    Again,
    Files,
    Spool,
    expand,
    is_plain,
    is_stream,
    name_of,
    open_bytes,
    opened,
)
from cnn_core.io.texts import Missing, is_number


class CsvFile:
    """A CSV: how it is written, the names of its columns, and its rows in chunks.

    Parameters
    ----------
    path : str
        ``-`` is standard input.
    given : Dialect
        What is known of how it is written.
    again : bool, default False
        Whether the rows may be asked for more than once, also from standard input.
    stream : binary file, optional
        What is read instead of the file `path`, which is what it is called then.
    """

    def __init__(
        self, path: str, given: Dialect, again: bool = False, stream: BinaryIO | None = None
    ) -> None:
        self.path, self.what = path, name_of(path)
        self._spool: Spool | None = None
        with self._errors():
            if stream is not None:
                self._spool = Spool(opened(stream, path))
            elif again and is_stream(path):
                self._spool = Spool(open_bytes(path))
        self._stream: BinaryIO | None = None
        with ExitStack() as stack:
            file = stack.enter_context(self._open())
            with self._errors():
                sample = file.read(SAMPLE)
            if not sample.strip(b"\0 \r\n\t\xef\xbb\xbf\xff\xfe"):
                raise ValueError(f"{self.what} is empty; its first line must name the columns")
            with self._errors(given.encoding):
                self.dialect = recognise(path, sample, given)
            self.words = [self.dialect.words] if self.dialect.words else []
            self._repeated: dict[str, str] = {}
            self._places = self._names(sample)
            self.names = list(dict.fromkeys(self._places))
            if is_stream(path) and self._spool is None:  # cannot be opened again
                stack.pop_all()
                self._stream = Again(sample, file)

    def _open(self) -> BinaryIO:
        if self._spool is not None:
            return self._spool.open()
        return open_bytes(self.path)

    @contextmanager
    def text(self) -> Iterator[TextIO]:
        """The file as text."""
        stream, self._stream = self._stream, None
        binary = stream if stream is not None else self._open()
        text = io.TextIOWrapper(binary, self.dialect.encoding, newline="")
        try:
            with self._errors():
                yield text
        finally:
            text.close()

    @contextmanager
    def _errors(self, encoding: str | None = None) -> Iterator[None]:
        """Say in which file something is wrong with the bytes."""
        try:
            yield
        except UnicodeError as error:
            self._refuse_bytes(error, encoding or str(self.dialect.encoding))
        except (EOFError, zlib.error) as error:
            raise ValueError(f"{self.what} is damaged or cut off: {error}") from None
        except OSError as error:
            if error.filename is None and error.errno is None:  # of gzip and of pyarrow
                raise ValueError(f"{self.what} cannot be decompressed: {error}") from None
            raise

    def _refuse_bytes(self, error: UnicodeError, encoding: str) -> NoReturn:
        where, found = "", "the file ends within a character"
        if "BOM" in str(error):
            raise ValueError(
                f"{self.what} does not begin as files in the encoding {encoding} do; "
                f"{option('encoding')} says which it is"
            ) from None
        if is_plain(self.path):
            with open(self.path, "rb") as file:
                where = f", line {line_of_bad(file.read(), encoding)}"
        if isinstance(error, UnicodeDecodeError) and "truncated" not in error.reason:
            found = f"the byte 0x{error.object[error.start]:02x} stands for no character"
        raise ValueError(
            f"{self.what}{where}: in the encoding {encoding} {found}; "
            f"{option('encoding')} says which it is"
        ) from None

    # The header

    def _names(self, sample: bytes) -> list[str]:
        """The names in the first line; positions where there are none."""
        encoding = str(self.dialect.encoding)
        text = io.TextIOWrapper(io.BytesIO(sample), encoding, "ignore", newline="")
        row, line, _ = Rows(text, self.dialect, self.what).first()
        if not row:
            raise ValueError(f"{self.what} is empty; its first line must name the columns")
        if self.dialect.header is False:
            return [f"column{i}" for i in range(1, len(row) + 1)]
        lines = re.split("\r\n|\n|\r", sample.decode(encoding, "ignore"))[line - 1 :]
        delimiter, quote = self.dialect.delimiter or ",", self.dialect.quote or '"'
        if width := width_below(lines, delimiter, quote):
            raise ValueError(
                f"{self.what}, line {line}: {lines[0][:60]!r} does not name the columns, and rows "
                f"below have {width:,} entries; the line with the names must be the first"
            )
        return self._checked(row, line)

    def _checked(self, row: list[str], line: int) -> list[str]:
        names = [one.strip() for one in row]
        where = f"{self.what}, line {line}"
        decimal = self.dialect.decimal or "."
        number = next((one for one in names if is_number(one, decimal)), None)
        if number is not None and self.dialect.header is None:
            raise ValueError(
                f"{where}: the first line has the number {number!r} where the name of a column is "
                f"expected; {option('header')} says whether the first line has names"
            )
        for i, name in enumerate(names):
            if "\0" in name or len(name) > 1000:
                raise ValueError(f"{where}: the name of column {i + 1} is damaged: {name[:50]!r}")
            if not name:
                names[i] = f"column{i + 1}"
                self.words.append(f"column {i + 1} has no name and is called {names[i]}")
        for i, name in enumerate(names):
            if name in names[:i]:
                self._repeated[name] = (
                    f"{where}: columns {names.index(name) + 1} and {i + 1} have the same name "
                    f"{name!r}; each needs its own, and kinds={{{name!r}: 'drop'}} (--drop "
                    f"{shlex.quote(name)}) leaves them out"
                )
        return names

    def check(self, names: Iterable[str]) -> None:
        """Raise a ValueError where some names that are needed are those of several columns."""
        for name in names:
            if name in self._repeated:
                raise ValueError(self._repeated[name])

    def position(self, name: str) -> int:
        """Where a column stands."""
        return self._places.index(name)

    def chunks(self) -> Iterator[Chunk]:
        """The rows."""
        with self.text() as text:
            rows = Rows(text, self.dialect, self.what)
            _, _, first = rows.first()
            yield from rows.chunks(len(self._places), first if self.dialect.header is False else "")


# Whole tables


def read_csv(
    files: Files | IO[Any],
    *,
    kinds: Mapping[str, str] | None = None,
    missing: Iterable[str] = (),
    delimiter: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    quote: str | None = None,
    header: bool | None = None,
) -> FileTable:
    """Read a table from CSV files, for an `MLP` with `columns`.

    How a file is written is recognised from its beginning where it is not said. A row of another
    length than the header, a quote that is never closed, bytes that are no text, names that come
    twice and the like are an error with file, line and column.

    Parameters
    ----------
    files : path-like or sequence of them, or an open file
        Globs, compressed files (.gz; .zst with pyarrow) and ``-``, which is standard input, among
        them. Several files have the same columns, in any order. An open file has bytes or text.
    kinds : dict, optional
        Columns that are read as 'number' or 'text', whatever they look like, or left out by 'drop'.
        Otherwise a column whose entries are all numbers holds numbers, but for codes such as 02139.
    missing : iterable of str
        What stands for missing entries, beside nothing at all, NA, N/A, NaN, null and None.
        With the empty text among them nothing else does: ``[""]`` keeps NA as a word. Among
        numbers and dates also ?, -, --, ., #N/A, N.A., NaT and missing do, in any case.
    delimiter, encoding, decimal, quote : str, optional
        Such as ``';'``, ``'cp1252'``, ``','`` and ``"'"``.
    header : bool, optional
        Whether the first line has the names of the columns; without names they are ``column1``,
        ``column2``, ... Default: it has, and numbers in it are an error.

    Returns
    -------
    Table
        Numbers as float64, texts as str, of which equal ones are one object.

    Raises
    ------
    ValueError
        For what is no table; the message says where.
    OSError
        Where a file cannot be read.
    """
    if isinstance(missing, str):
        missing = (missing,)
    given = Dialect(delimiter, encoding, decimal, quote, header)
    given.check()
    if hasattr(files, "read"):
        data = files.read()
        if isinstance(data, str):
            data, given = data.encode(), given._replace(encoding="utf-8")
        file = CsvFile("the open file", given, again=True, stream=io.BytesIO(data))
        table = _table([file], Missing(missing), kinds or {})
    else:
        table = read_files(expand(files), given, Missing(missing), kinds or {})
    return table.without_columns([name for name, kind in (kinds or {}).items() if kind == "drop"])


def read_files(
    paths: Sequence[str], given: Dialect, missing: Missing, kinds: Mapping[str, str]
) -> FileTable:
    """The table of some CSV files."""
    return _table([CsvFile(path, given, again=True) for path in paths], missing, kinds)


def _table(files: Sequence[CsvFile], missing: Missing, kinds: Mapping[str, str]) -> FileTable:
    names = files[0].names
    for name in kinds:
        if name not in names:
            raise ValueError(f"{files[0].what} has no column {name!r}; it has {listed(names)}")
    builders = [ColumnBuilder(name, missing, kinds.get(name)) for name in names]
    orders = [order(file, files[0]) for file in files]
    for file in files:
        file.check(name for name in names if kinds.get(name) != "drop")
    places, n_rows = Places(), 0
    for number, (file, positions) in enumerate(zip(files, orders), 1):
        for builder in builders:
            builder.begin(number, file.dialect.decimal)
        for chunk in file.chunks():
            places.add(n_rows, file.path, chunk.line, chunk.lines)
            for builder, position in zip(builders, positions):
                builder.add(chunk.columns[position], n_rows, places)
            n_rows += chunk.n_rows
    what = files[0].what if len(files) == 1 else f"{files[0].what} and {len(files) - 1} more"
    if not n_rows:
        raise ValueError(f"{what} has no rows below its header")
    _read_again(files, orders, builders)
    columns = {one.name: one.finish(places) for one in builders}
    words = [f"{file.what}: {word}" for file in files for word in file.words]
    decimal = files[0].dialect.decimal
    words += [f"{what}: {word}" for one in builders for word in one.seen.words(one.name, decimal)]
    table = FileTable(names, n_rows, columns.__getitem__, what, places, words)
    table.dialects = [file.dialect for file in files]
    return table


def _read_again(
    opened: Sequence[CsvFile], orders: Sequence[list[int]], builders: Sequence[ColumnBuilder]
) -> None:
    """Read the beginning of columns that turned out to hold texts below numbers."""
    turned = [(i, one) for i, one in enumerate(builders) if one.turned_at]
    last, row = max((one.turned_at for _, one in turned), default=0), 0
    for number, (file, positions) in enumerate(zip(opened, orders), 1):
        if row >= last:
            return
        for _, one in turned:
            one.begin(number, file.dialect.decimal)
        for chunk in file.chunks():
            for i, one in turned:
                if row < one.turned_at:
                    one.add_before(chunk.columns[positions[i]])
            row += chunk.n_rows
            if row >= last:
                break


def order(file: CsvFile, first: CsvFile) -> list[int]:
    """Where the columns of the first file stand in another one."""
    here = set(file.names)
    if here != set(first.names):
        lacking = [name for name in first.names if name not in here]
        if lacking:
            raise ValueError(
                f"{file.what} has no column {lacking[0]!r}; all files must have the columns of "
                f"{first.what}"
            )
        more = next(name for name in file.names if name not in first.names)
        raise ValueError(
            f"{file.what} has a column {more!r}, which {first.what} has not; all files must have "
            "the same columns"
        )
    return [file.position(name) for name in first.names]
