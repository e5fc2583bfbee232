"""`ParquetRows`: the rows of Parquet files in blocks, read through pyarrow."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cnn_core.blocks.source import WINDOW, Block, InOrder, Reader, RowBlocks, as_weights, changed
from cnn_core.columns.table import Table, Values
from cnn_core.columns.target import target_of
from cnn_core.io import arrow
from cnn_core.io.sources import Files, ending, expand, need_pyarrow

_BATCH = 1 << 15  # rows that are decoded together
#: Times that a shuffled epoch may decode a row, on average, before that is said.
_OFTEN = 3.0


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
        #: File, number in it, and rows of each row group.
        self.groups = [
            (path, i, rows) for path in self.paths for i, rows in enumerate(arrow.group_rows(path))
        ]

    def __iter__(self) -> Iterator[Block]:
        """The rows, some at a time."""
        return self._blocks(self.names)

    def targets(self) -> Iterator[Block]:
        """The same with no more of X than its number of rows and columns."""
        return self._blocks([])

    def _blocks(self, names: Sequence[str]) -> Iterator[Block]:
        number = 0
        for path in self.paths:
            row = 0
            for batch in arrow.batches(path, self._needed(names), _BATCH):
                if batch.num_rows:
                    yield self.block(batch, names, f"{path} (from row {row + 1:,} on)", number)
                    row, number = row + batch.num_rows, number + 1

    def _needed(self, names: Sequence[str]) -> list[str]:
        assert self.target is not None
        return [*names, self.target, *([] if self.weight is None else [self.weight])]

    def block(self, batch: Any, names: Sequence[str], what: str, number: int) -> Block:
        """A record batch as a block."""
        frame = need_pyarrow(what).Table.from_batches([batch])
        table = arrow.table_of(frame, what, 0)
        y = target_of(table[self.target], str(self.target), what)
        weights = None
        if self.weight is not None:
            weights = as_weights(table[self.weight].array, len(table), what)

        def read(name: Any) -> Values:
            return table[name]

        return Block(Table(self.names, len(table), read, what), y, weights, what, number)

    def reader(self, counts: Mapping[int, int], in_order: bool) -> Reader:
        """What reads the rows once; see `RowBlocks.reader`."""
        n_rows = sum(counts.values())
        return InOrder(iter(self), n_rows) if in_order else _ByGroup(self, n_rows)

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
    n_rows : int
        That were there when they were read first.
    """

    def __init__(self, source: ParquetRows, n_rows: int) -> None:
        self._source, self._n_rows = source, n_rows
        self._ends = np.cumsum([rows for *_, rows in source.groups]).tolist()
        self._batches: Iterator[Any] = iter(())
        self._batch: Any = None
        self._group, self._row = -1, 0  # which is read, and the row of all that its batch begins at

    def pieces(self, first: int, stop: int) -> Iterator[tuple[Block, int, int]]:
        """Rows first .. stop - 1."""
        while first < stop:
            group = bisect_right(self._ends, first)
            if group >= len(self._ends):
                raise changed(self._n_rows, first)
            if group != self._group or first < self._row:
                self._open(group)
            while self._batch is None or first >= self._row + self._batch.num_rows:
                self._row += 0 if self._batch is None else self._batch.num_rows
                self._batch = next(self._batches, None)
                if self._batch is None:
                    raise changed(self._n_rows, first)
            start = first - self._row
            end = min(stop - self._row, self._batch.num_rows)
            piece = self._batch.slice(start, end - start)
            path, _, _ = self._source.groups[group]
            yield self._source.block(piece, self._source.names, path, group), 0, end - start
            first += end - start

    def _open(self, group: int) -> None:
        path, number, rows = self._source.groups[group]
        names = self._source._needed(self._source.names)
        self._batches = arrow.batches(path, names, _BATCH, number)
        self._batch, self._group, self._row = None, group, self._ends[group] - rows
