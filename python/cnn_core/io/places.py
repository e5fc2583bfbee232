"""Where the rows of a table stand in files."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from cnn_core._few import counted
from cnn_core.columns.table import Table, Values
from cnn_core.io.dialect import Dialect
from cnn_core.io.sources import name_of

_SHOWN = 30  #: Columns that the text of a table shows.


class Places:
    """The file and line of each row."""

    def __init__(self) -> None:
        self._rows: list[int] = []
        self._chunks: list[tuple[str, int, Sequence[int] | None]] = []

    def add(self, row: int, path: str, line: int, lines: Sequence[int] | None) -> None:
        """Rows from `row` on stand at `line` and the lines after it, or at `lines`."""
        self._rows.append(row)
        self._chunks.append((path, line, lines))

    def __call__(self, row: int) -> str:
        """'houses.csv, line 812'."""
        if not self._rows:
            return f"row {row + 1:,}"
        at = bisect.bisect_right(self._rows, row) - 1
        path, line, lines = self._chunks[at]
        offset = row - self._rows[at]
        return f"{name_of(path)}, line {line + offset if lines is None else lines[offset]}"


class FileTable(Table):
    """A table that was read from files.

    Parameters
    ----------
    names, n_rows, read, what
        As for `Table`.
    place : callable
        From the number of a row to where it stands.
    words : tuple of str
        Remarks on how the files were read.
    """

    def __init__(
        self,
        names: Sequence[Hashable],
        n_rows: int,
        read: Callable[[Any], Values],
        what: str,
        place: Callable[[int], str],
        words: Sequence[str] = (),
    ) -> None:
        super().__init__(names, n_rows, read, what)
        self.place, self.words = place, tuple(words)
        #: How each CSV is written.
        self.dialects: list[Dialect] = []

    def __getitem__(self, name: Hashable) -> Values:
        values = super().__getitem__(name)
        return values if values.place is not None else values._replace(place=self.place)

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.names)

    def keys(self) -> tuple[Hashable, ...]:
        """The names of the columns."""
        return self.names

    def __repr__(self) -> str:
        size = f"{counted(self.n_rows, 'row')}, {counted(len(self.names), 'column')}"
        lines = [f"{self.what}: {size}"]
        shown = self.names[:_SHOWN]
        width = max((len(str(name)) for name in shown), default=0)
        for name in shown:
            values = self[name]
            missing = int(values.missing.sum())
            gaps = f", {missing:,} missing" if missing else ""
            lines.append(f"  {name!s:<{width}}  {values.kind}{gaps}")
        if len(self.names) > _SHOWN:
            lines.append(f"  and {len(self.names) - _SHOWN:,} more")
        return "\n".join(lines)

    def to_dict(self) -> dict[Hashable, np.ndarray]:
        """The columns as arrays, such as for ``pandas.DataFrame``: int64 for whole numbers that are
        all there, float64 with NaN, objects with None, datetime64 with NaT where an entry is
        missing."""
        return {name: _array_of(self[name]) for name in self.names}

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError(
            f"{self.what} is a table, which an MLP with columns='auto' takes; to_dict() gives its "
            "columns as arrays, such as for pandas.DataFrame"
        )

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        from cnn_core.io.to_arrow import arrow_of

        return arrow_of(self).__arrow_c_stream__(requested_schema)

    def without_columns(self, left_out: Sequence[Hashable]) -> FileTable:
        """Without some of the columns."""
        if not left_out:
            return self
        names = [name for name in self.names if name not in left_out]
        found = FileTable(names, self.n_rows, self.__getitem__, self.what, self.place, self.words)
        found.dialects = self.dialects
        return found

    def without_rows(self, left_out: np.ndarray) -> FileTable:
        """Without the rows where `left_out` is True."""
        rows = np.flatnonzero(~left_out)
        return FileTable(
            self.names,
            len(rows),
            lambda name: self[name].take(rows),
            self.what,
            lambda row: self.place(int(rows[row])),
            self.words,
        )


def _array_of(values: Values) -> np.ndarray:
    """The entries of a column; whole numbers as such, by which classes and numbers of rows are
    known."""
    if not values.whole or values.exact is not None or values.missing.any():
        return values.array
    return values.array.astype(np.int64)
