"""Tables from whatever files: as a whole, or in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from cnn_core.columns.table import NUMBER, Values
from cnn_core.data.rounding import EXACT
from cnn_core.data.validation import listed
from cnn_core.io import arrow, csv
from cnn_core.io.building import ColumnBuilder, Seen
from cnn_core.io.dialect import Dialect
from cnn_core.io.places import FileTable, Places
from cnn_core.io.rows import Chunk
from cnn_core.io.sources import ending, is_stream, name_of, need_pyarrow
from cnn_core.io.texts import Missing, numbers_of
from cnn_core.io.to_arrow import column_of

BLOCK = 65536  #: Rows that are in memory at the same time, at least.


class Reading(NamedTuple):
    """How files are read.

    Parameters
    ----------
    dialect : Dialect
        What is said of CSVs.
    missing : Missing
    """

    dialect: Dialect
    missing: Missing


class Block(NamedTuple):
    """Some rows: the columns that were asked for, and others as they stand in the file."""

    table: FileTable
    #: Lists of texts, or columns of pyarrow.
    kept: dict[str, Any]


def are_arrow(paths: Sequence[str]) -> bool:
    """Whether files are Parquet or Feather; a ValueError where only some are."""
    kinds = {ending(path)[0] in arrow.ENDINGS for path in paths}
    if len(kinds) > 1:
        raise ValueError("give either CSV files or Parquet files, not both at once")
    return kinds == {True}


def read(paths: Sequence[str], how: Reading, kinds: Mapping[str, str]) -> FileTable:
    """All rows of some files."""
    if are_arrow(paths):
        return arrow.read_files(paths)
    return csv.read_files(paths, how.dialect, how.missing, kinds)


class Blocks:
    """The rows of some files, in blocks.

    Parameters
    ----------
    paths : sequence of str
    how : Reading

    Attributes
    ----------
    names : list of str
        Of the columns.
    words : list of str
        Remarks on how the files are read.
    """

    def __init__(self, paths: Sequence[str], how: Reading) -> None:
        self.paths, self._how = list(paths), how
        #: Columns that are kept as numbers, and whether these are whole.
        self._numbers: dict[str, bool] = {}
        self._seen: list[tuple[csv.CsvFile, dict[str, Seen]]] = []
        self.arrow = are_arrow(paths)
        self.what, self._opened = name_of(self.paths[0]), list[csv.CsvFile]()
        if self.arrow:
            self.names = arrow.check_names(self.paths, None)
            self.words: list[str] = []
            return
        self._opened = [csv.CsvFile(path, how.dialect) for path in self.paths]
        self.names = self._opened[0].names
        self.words = [f"{one.what}: {word}" for one in self._opened for word in one.words]

    def keep_numbers(self, names: Sequence[str]) -> None:
        """Make numbers of the columns that are kept where all their entries are, as Parquet files
        have them. For that the files are read; a stream keeps its texts."""
        if self.arrow or any(map(is_stream, self.paths)):
            return
        whole = dict.fromkeys(names, True)
        for file in self._opened:
            decimal = file.dialect.decimal
            for chunk in file.chunks() if whole else ():
                for name in list(whole):
                    texts = chunk.columns[file.position(name)]
                    found = numbers_of(texts, decimal or ".", self._how.missing)
                    if found is None or not _exact(*found) or not (decimal or found[1]):
                        del whole[name]
                    else:
                        whole[name] &= found[1]
        self._numbers = whole

    @property
    def remarks(self) -> list[str]:
        """Remarks on the columns that have been read."""
        return [
            f"{file.what}: {word}"
            for file, seen in self._seen
            for name, one in seen.items()
            for word in one.words(name, file.dialect.decimal)
        ]

    def check(self, names: Sequence[str], why: str) -> None:
        """Raise a ValueError for columns that are not there."""
        for name in names:
            if name not in self.names:
                raise ValueError(
                    f"{self.what} has no column {name!r}{why}; it has {listed(self.names)}"
                )

    def nothing(self, names: Sequence[str]) -> dict[str, Any]:
        """Columns without rows, as `read` keeps them."""
        if not self.arrow:
            return {name: [] for name in names}
        schema = arrow.schema(self.paths[0])
        columns = [need_pyarrow(self.paths[0]).array([], schema.field(name).type) for name in names]
        return dict(zip(names, columns))

    def read(self, kinds: Mapping[str, str], keep: Sequence[str] = ()) -> Iterator[Block]:
        """The blocks.

        Parameters
        ----------
        kinds : mapping
            From the names of the columns that are needed to 'number' or 'text', as a CSV's are to
            be read.
        keep : sequence of str
            Columns that are wanted as they stand.

        Yields
        ------
        Block
        """
        return self._arrow_blocks(kinds, keep) if self.arrow else self._csv_blocks(kinds, keep)

    def _arrow_blocks(self, kinds: Mapping[str, str], keep: Sequence[str]) -> Iterator[Block]:
        pyarrow = need_pyarrow(self.paths[0])
        names = list(dict.fromkeys((*kinds, *keep)))
        for path in self.paths:
            row = 0
            for batch in arrow.batches(path, names, BLOCK):
                if not batch.num_rows:
                    continue
                frame = pyarrow.Table.from_batches([batch])
                what = path if not row else f"{path} from row {row + 1:,} on"
                kept = {name: frame.column(name) for name in keep}
                yield Block(arrow.table_of(frame.select(list(kinds)), what, row), kept)
                row += batch.num_rows

    def _csv_blocks(self, kinds: Mapping[str, str], keep: Sequence[str]) -> Iterator[Block]:
        for file in self._opened:
            positions = dict(zip(self.names, csv.order(file, self._opened[0])))
            file.check((*kinds, *keep))
            seen = {name: Seen() for name in kinds}
            self._seen.append((file, seen))
            gathered = _Gathered(file, (kinds, keep), self._how.missing, seen)
            for chunk in file.chunks():
                gathered.add(chunk, positions)
                if gathered.n_rows >= BLOCK:
                    yield gathered.block(self._numbers)
                    gathered = _Gathered(file, (kinds, keep), self._how.missing, seen)
            if gathered.n_rows:
                yield gathered.block(self._numbers)


class _Gathered:
    """Chunks of a CSV that become a block.

    Parameters
    ----------
    file : CsvFile
    wanted : tuple of a mapping and a sequence
        As for `Blocks.read`.
    missing : Missing
    seen : dict
        Of each column what the blocks before have shown.
    """

    def __init__(
        self,
        file: csv.CsvFile,
        wanted: tuple[Mapping[str, str], Sequence[str]],
        missing: Missing,
        seen: Mapping[str, Seen],
    ) -> None:
        kinds, keep = wanted
        self._file, self._places, self.n_rows, self._missing = file, Places(), 0, missing
        self._builders = {
            name: ColumnBuilder(name, missing, kind, seen[name]) for name, kind in kinds.items()
        }
        for builder in self._builders.values():
            builder.begin(0, file.dialect.decimal)
        self._kept: dict[str, list[str]] = {name: [] for name in keep}

    def add(self, chunk: Chunk, positions: Mapping[str, int]) -> None:
        """The rows of a chunk."""
        self._places.add(self.n_rows, self._file.path, chunk.line, chunk.lines)
        for name, builder in self._builders.items():
            builder.add(chunk.columns[positions[name]], self.n_rows, self._places)
        for name, texts in self._kept.items():
            texts += chunk.columns[positions[name]]
        self.n_rows += chunk.n_rows

    def block(self, numbers: Mapping[str, bool]) -> Block:
        """The rows as they are needed; of what is kept some columns as numbers, whole or not."""
        columns: dict[str, Values] = {
            name: builder.finish(self._places) for name, builder in self._builders.items()
        }
        table = FileTable(
            tuple(columns), self.n_rows, columns.__getitem__, self._file.what, self._places
        )
        kept: dict[str, Any] = dict(self._kept)
        decimal = self._file.dialect.decimal or "."
        for name in kept.keys() & numbers.keys():
            found = numbers_of(kept[name], decimal, self._missing)
            if found is not None:
                kept[name] = column_of(Values(NUMBER, found[0], numbers[name]))
        return Block(table, kept)


def _exact(numbers: np.ndarray, whole: bool) -> bool:
    """Whether float64 has numbers as they are written."""
    return not np.isinf(numbers).any() and not (whole and (np.abs(numbers) > EXACT).any())
