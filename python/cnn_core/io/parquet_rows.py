"""`parquet`: tables from Parquet files as a whole, or in blocks of rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np

from cnn_core.blocks.source import WINDOW, Block, Mark, Reader, RowBlocks, as_weights, changed
from cnn_core.columns.table import Table
from cnn_core.columns.target import target_of
from cnn_core.io import arrow
from cnn_core.io.places import FileTable
from cnn_core.io.sources import Files, ending, expand, need_pyarrow

#: Rows that are decoded together: so many, or fewer that have so many numbers.
_BATCH, _NUMBERS = 1 << 15, 1 << 20
#: Times that a shuffled epoch may decode a row, on average, before that is said.
_OFTEN = 3.0


@overload
def parquet(files: Files, *, columns: Sequence[str] | None = None) -> FileTable: ...
@overload
def parquet(
    files: Files,
    *,
    columns: Sequence[str] | None = None,
    target: str,
    weight: str | None = None,
    block_rows: int | None = None,
    window: int = WINDOW,
) -> ParquetRows: ...
def parquet(
    files: Files,
    *,
    columns: Sequence[str] | None = None,
    target: str | None = None,
    weight: str | None = None,
    block_rows: int | None = None,
    window: int = WINDOW,
) -> FileTable | ParquetRows:
    """Read a table from Parquet or Feather files; with `target`, rows of Parquet files in blocks,
    which `MLP.fit` reads as it needs them. Needs pyarrow.

    Parameters
    ----------
    files : path-like or sequence of them
        Globs among them. Several files have the same columns, in any order.
    columns : sequence of str, optional
        Those to read, beside target and weight; default all.
    target : str, optional
        The column that is y.
    weight : str, optional
        The column of the weights of the rows.
    block_rows, window : int
        As for `RowBlocks`.

    Returns
    -------
    Table, or with `target` RowBlocks
    """
    if target is not None:
        return ParquetRows(
            files, target, columns=columns, weight=weight, block_rows=block_rows, window=window
        )
    return arrow.read_files(expand(files), columns)


class ParquetRows(RowBlocks):
    """The rows of Parquet files.

    Parameters
    ----------
    files : path-like or sequence of them
        Globs among them. All have the same columns, in any order.
    target : str
        The column that is y.
    columns : sequence of str, optional
        Those that X has; default all others.
    weight : str, optional
        The column of the weights of the rows.
    block_rows, window
        As for `RowBlocks`.
    """

    reads_targets_alone = True
    visits_any = True

    def __init__(
        self,
        files: Files,
        target: str,
        *,
        columns: Sequence[str] | None = None,
        weight: str | None = None,
        block_rows: int | None = None,
        window: int = WINDOW,
    ) -> None:
        super().__init__((), target, block_rows=block_rows, window=window)
        self.paths, self.weight = expand(files), weight
        for path in self.paths:
            need_pyarrow(path)
            if ending(path)[0] not in ("parquet", "pq"):
                raise ValueError(f"{path}: blocks of rows are read from Parquet files")
        aside = [name for name in (target, weight) if name is not None]
        known = arrow.check_names(self.paths[:1], None)
        wanted = known if columns is None else columns
        self.names = [name for name in wanted if name not in aside]
        arrow.check_names(self.paths, [*self.names, *aside])
        if not self.names:
            raise ValueError(f"{self.paths[0]} has no column beside {' and '.join(aside)}")
        schemas = [arrow.schema(path) for path in self.paths]
        kinds = {schema.field(name).type for schema in schemas for name in self.names}
        self.dtype, self.numeric = arrow.dtype_of(kinds)
        self.size = max(1, min(_BATCH, _NUMBERS // len(self.names)))
        #: File, number in it, and rows of each row group.
        self.footers = {path: arrow.read_footer(path) for path in self.paths}
        self.groups = [
            (path, i, footer.row_group(i).num_rows)
            for path, footer in ((path, self.footers[path]) for path in self.paths)
            for i in range(footer.num_row_groups)
        ]

    def read(self, tables: bool = True) -> Iterator[Block]:
        """The rows, some at a time; see `RowBlocks.read`."""
        for number, (what, batch) in enumerate(self._parts(self.names)):
            X = self.rows(batch, what, tables)
            yield Block(X, None, None, what, number, tuple(self.names))

    def targets(self) -> Iterator[Block]:
        """The same with targets and weights, and of X no more than its number of rows and
        columns."""
        aside, width = [name for name in (self.target, self.weight) if name], len(self.names)
        for number, (what, batch) in enumerate(self._parts(aside)):
            table = self._table(batch, what)
            y = target_of(table[self.target], str(self.target), what)
            weights = None
            if self.weight is not None:
                weights = as_weights(table[self.weight].array, len(table), what)
            X = np.broadcast_to(np.zeros((), self.dtype), (len(table), width))
            yield Block(X, y, weights, what, number, tuple(self.names))

    def _parts(self, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """Record batches, and what to call them."""
        for path in self.paths:
            row = 0
            for batch in self.batches(path, names):
                if batch.num_rows:
                    yield f"{path} (from row {row + 1:,} on)", batch
                    row += batch.num_rows

    def batches(self, path: str, names: Sequence[str], group: int | None = None) -> Iterator[Any]:
        """The rows of a file, or of one of its row groups, in record batches."""
        return arrow.batches(path, names, self.size, group, self.footers[path])

    def rows(self, batch: Any, what: str, tables: bool) -> np.ndarray | Table:
        """X of a record batch."""
        if self.numeric and not tables:
            return arrow.matrix_of(batch, self.dtype)
        return self._table(batch, what)

    def _table(self, batch: Any, what: str) -> Table:
        return arrow.table_of(need_pyarrow(what).Table.from_batches([batch]), what, 0)

    def in_any_order(self, marks: Mapping[int, Mark], tables: bool) -> Reader:
        """What reads rows in any order; see `RowBlocks.in_any_order`."""
        return _ByGroup(self, tables)

    def remark(self, block_rows: int) -> str:
        """That row groups are so large that reading blocks in any order decodes much in vain."""
        rows = np.array([rows for *_, rows in self.groups])
        times = np.maximum(1, (rows / block_rows + 1) / 2)
        often = (rows * times).sum() / rows.sum()
        if often <= _OFTEN:
            return ""
        return (
            f"{self.paths[0]} has row groups of up to {rows.max():,} rows, and blocks of "
            f"{block_rows:,} rows in a random order decode each row about {often:.0f} times an "
            f"epoch: write row groups of at most {block_rows:,} rows, or shuffle the rows once, by "
            "cnn-core convert --shuffle, and train on the memory map"
        )


class _ByGroup:
    """Rows in any order; see `Reader`. Rows of a group that come one after the other are decoded
    once.

    Parameters
    ----------
    source : ParquetRows
    tables : bool
        See `RowBlocks.read`.
    """

    def __init__(self, source: ParquetRows, tables: bool) -> None:
        self._source, self._tables = source, tables
        self._ends = np.cumsum([rows for *_, rows in source.groups]).tolist()
        self._batches: Iterator[Any] = iter(())
        self._batch: Any = None
        self._group, self._row = -1, 0  # which is read, and the row of all that its batch begins at

    def pieces(self, first: int, stop: int) -> Iterator[tuple[Block, int, int]]:
        """Rows first .. stop - 1."""
        while first < stop:
            group = bisect_right(self._ends, first)
            if group >= len(self._ends):
                raise changed(self._ends[-1], first)
            if group != self._group or first < self._row:
                self._open(group)
            while self._batch is None or first >= self._row + self._batch.num_rows:
                self._row += 0 if self._batch is None else self._batch.num_rows
                self._batch = next(self._batches, None)
                if self._batch is None:
                    raise changed(self._ends[-1], first)
            start = first - self._row
            end = min(stop - self._row, self._batch.num_rows)
            piece = self._batch.slice(start, end - start)
            path, _, _ = self._source.groups[group]
            X = self._source.rows(piece, path, self._tables)
            yield Block(X, None, None, path, group), 0, end - start
            first += end - start

    def _open(self, group: int) -> None:
        path, number, rows = self._source.groups[group]
        self._batches = self._source.batches(path, self._source.names, number)
        self._batch, self._group, self._row = None, group, self._ends[group] - rows
