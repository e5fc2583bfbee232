"""Where the rows of a table stand in files."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from cnn_core.columns.table import Table, Values
from cnn_core.io.dialect import Dialect
from cnn_core.io.sources import name_of


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
