"""`RowBlocks`: blocks of rows as users give them, one after the other and as often as is asked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from zlib import crc32

import numpy as np

from cnn_core._checks import is_whole
from cnn_core._few import counted
from cnn_core.columns.table import Table, is_table, read_table
from cnn_core.columns.target import split_target
from cnn_core.data.validation import as_numbers, listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

#: Blocks of one size are cut from those that come: so many rows, or fewer, a power of two, whose
#: numbers are at most so many. And blocks that are in memory together, shuffled with each other.
BLOCK_ROWS, FEWEST, BLOCK_NUMBERS, WINDOW = 1 << 16, 1 << 8, 1 << 21, 4


class Block(NamedTuple):
    """Some rows that come together."""

    X: np.ndarray | Table
    y: Any
    weights: Any  #: None where there are none
    what: str  #: what to call it in messages
    number: int  #: counted from 0, those without rows among them
    names: tuple[Any, ...] | None = None  #: of the columns of an array that was a table

    @property
    def n_rows(self) -> int:
        """How many rows it has."""
        return len(self.X)

    def rows(self, first: int, stop: int) -> np.ndarray | Table:
        """Some rows of X."""
        if isinstance(self.X, np.ndarray):
            return self.X[first:stop]
        return self.X if stop - first == len(self.X) else rows_at(self.X, np.arange(first, stop))


def rows_at(X: np.ndarray | Table, numbers: np.ndarray) -> np.ndarray | Table:
    """Some rows of X, which keep none of the others alive."""
    if isinstance(X, np.ndarray):
        some: np.ndarray = X[numbers]
        return some
    columns = {name: X[name].take(numbers) for name in X.names}
    return Table(X.names, len(numbers), columns.__getitem__, X.what)


class Layout(NamedTuple):
    """What all blocks have in common."""

    width: int
    names: tuple[Any, ...] | None  #: of the columns of tables
    weighted: bool


class Reader(Protocol):
    """Reads rows for one epoch, or for one pass over all of them."""

    def pieces(self, first: int, stop: int) -> Iterator[tuple[Block, int, int]]:
        """Rows first .. stop - 1, in their order: blocks, and which of their rows."""


class RowBlocks:
    """Rows in blocks, read anew for each epoch; `MLP.fit` takes it in the place of X and y.

    Parameters
    ----------
    blocks : iterable
        Each time that it is iterated over, it gives the same blocks in the same order: pairs
        (X, y), or (X, y, sample_weight), or with `target` tables. A sequence, such as a list, is
        also shuffled by blocks.
    target : str, optional
        The column of the tables that is y.
    block_rows : int, optional
        Rows of the blocks that are cut from those that come, whose sizes change no result. Default
        65,536, or fewer where rows are wide, so that a block has at most 2,097,152 numbers.
    window : int, default 4
        Blocks that are in memory together, and whose rows are shuffled with each other.
    """

    def __init__(
        self,
        blocks: Iterable[Any],
        target: str | None = None,
        *,
        block_rows: int | None = None,
        window: int = WINDOW,
    ) -> None:
        if hasattr(blocks, "__next__"):
            raise TypeError(
                f"the blocks are of type {type(blocks).__name__}, which can be iterated over once "
                "only, and each epoch reads them anew; give a list of them, or an object whose "
                "__iter__ begins anew"
            )
        if isinstance(blocks, RowBlocks):
            raise TypeError(
                f"the blocks are {type(blocks).__name__} already: give block_rows and window to "
                "what made them, such as io.parquet"
            )
        if not hasattr(blocks, "__iter__"):
            raise TypeError(
                f"the blocks are of type {type(blocks).__name__}; an iterable of (X, y) is needed"
            )
        for name, value in (("block_rows", block_rows), ("window", window)):
            if value is not None and not (is_whole(value) and value >= 1):
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        self.blocks, self.target = blocks, target
        self.block_rows, self.window = block_rows, int(window)

    #: Whether `targets` reads no more than it must, so that X is to be read again.
    reads_targets_alone = False

    @property
    def visits_any(self) -> bool:
        """Whether blocks can be read in any order."""
        return isinstance(self.blocks, Sequence)

    def read(self, tables: bool = True) -> Iterator[Block]:
        """The blocks that have rows, checked against the first one; without `tables` those of
        numbers may come as arrays."""
        layout, row = None, 0
        for i, given in enumerate(self.blocks):
            block = block_of(given, i, row, self.target)
            if block is None:
                continue
            if layout is None:
                layout, first = layout_of(block), block.what
            else:
                check_layout(block, layout, first)
            row += block.n_rows
            yield block

    def targets(self) -> Iterator[Block]:
        """The same for those who need no more of X than its number of rows and columns."""
        return self.read()

    def in_any_order(self, marks: Mapping[int, Mark], tables: bool) -> Reader:
        """What reads rows in any order.

        Parameters
        ----------
        marks : mapping of int to Mark
            Of the blocks, by their numbers, as they were.
        tables : bool
            See `read`.
        """
        return _ByNumber(self, marks)

    def rows_for(self, width: int) -> int:
        """Rows of a block whose rows have so many numbers."""
        if self.block_rows is not None:
            return int(self.block_rows)
        most = max(FEWEST, min(BLOCK_ROWS, BLOCK_NUMBERS // max(1, width)))
        return 1 << (most.bit_length() - 1)

    def remark(self, block_rows: int) -> str:
        """What makes reading them in any order slow, if anything does."""
        return ""


class Mark(NamedTuple):
    """What a block is known by when it comes again."""

    n_rows: int
    of_y: int  #: a checksum of its targets

    @classmethod
    def of(cls, block: Block) -> Mark:
        """That of a block."""
        y = np.asarray(block.y)
        data = "\0".join(map(str, y.ravel())).encode() if y.dtype.kind in "OT" else y.tobytes()
        return cls(block.n_rows, crc32(data))


class InOrder:
    """One row after the other; see `Reader`.

    Parameters
    ----------
    blocks : iterator of Block
        From `Gathered.blocks`.
    n_rows : int
        That were there when they were read first.
    """

    def __init__(self, blocks: Iterator[Block], n_rows: int) -> None:
        self._blocks, self._n_rows = blocks, n_rows
        self._block: Block | None = None
        self._row = self._used = 0  # the next row, and those of the block that have been read

    def pieces(self, first: int, stop: int) -> Iterator[tuple[Block, int, int]]:
        """Rows first .. stop - 1; `first` is where the last call has ended."""
        while self._row < stop:
            if self._block is None or self._used == self._block.n_rows:
                self._block, self._used = next(self._blocks, None), 0
                if self._block is None:
                    raise changed(self._n_rows, self._row)
            count = min(self._block.n_rows - self._used, stop - self._row)
            start, self._used = self._used, self._used + count
            self._row += count
            yield self._block, start, self._used
        if self._row == self._n_rows:
            next(self._blocks, None)  # which sees to it that there is none


class _ByNumber:
    """The blocks of a sequence; see `Reader`."""

    def __init__(self, source: RowBlocks, marks: Mapping[int, Mark]) -> None:
        self._source, self._marks, self._numbers = source, marks, list(marks)
        self._ends = np.cumsum([mark.n_rows for mark in marks.values()]).tolist()

    def pieces(self, first: int, stop: int) -> Iterator[tuple[Block, int, int]]:
        """Rows first .. stop - 1."""
        while first < stop:
            i = bisect_right(self._ends, first)
            begin = self._ends[i - 1] if i else 0
            number = self._numbers[i]
            blocks: Any = self._source.blocks
            block = block_of(blocks[number], number, begin, self._source.target)
            if block is None or Mark.of(block) != self._marks[number]:
                raise changed(self._ends[-1], begin)
            last = min(stop, self._ends[i])
            yield block, first - begin, last - begin
            first = last


def changed(n_rows: int, row: int) -> ValueError:
    """The blocks are not what they were."""
    return ValueError(
        f"the blocks have changed: they had {counted(n_rows, 'row')} when they were read first, "
        f"and others "
        f"come now from row {row:,} on; each iteration must give the same blocks in the same order"
    )


def block_of(given: Any, number: int, row: int, target: str | None) -> Block | None:
    """A block as a user gives it, checked by itself; None for one without rows.

    Parameters
    ----------
    given : tuple or table
    number : int
        Of the block, counted from 0.
    row : int
        Of all rows, the first that it has.
    target : str, optional
        The column of a table that is y.
    """
    what, weights = f"block {number} (from row {row:,} on)", None
    if target is None:
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            raise TypeError(
                f"{what} is of type {type(given).__name__}; each must be a pair (X, y), or (X, y, "
                "sample_weight); y='name' says which column of tables is the target"
            )
        X, y, *more = given
        weights = more[0] if more else None
    else:
        X, y = given, target
        if isinstance(X, str):
            raise TypeError(
                f"{what} is the text {X!r}, as a single table has for its blocks; a list of tables "
                "is needed, and of files io.parquet(..., target=...) makes blocks"
            )
    if not _has_rows(X):
        return None
    rows: np.ndarray | Table
    if hasattr(X, "__arrow_c_array__") and not hasattr(X, "__arrow_c_stream__"):
        X = _as_stream(X)
    if is_table(X) or target is not None:
        rows, y = split_target(read_table(X, f"X of {what}"), y, f"y of {what}")
    else:
        rows = _as_matrix(X, f"X of {what}")
    y = _as_rows(y, len(rows), f"y of {what}")
    return Block(rows, y, as_weights(weights, len(rows), what), what, number)


def _as_stream(batch: Any) -> Any:
    """A record batch as a table."""
    import pyarrow

    return pyarrow.Table.from_batches([pyarrow.record_batch(batch)])


def _as_matrix(X: Any, name: str) -> np.ndarray:
    """Rows of numbers."""
    array = as_numbers(name, X)
    if array.ndim != 2:
        raise ValueError(
            f"{name} must have two dimensions (rows, features), got shape {array.shape}"
        )
    return array


def _has_rows(X: Any) -> bool:
    """Whether there are any; what has no length is looked at later."""
    if isinstance(X, Mapping):
        columns = list(X.values())
        return not columns or not hasattr(columns[0], "__len__") or len(columns[0]) > 0
    count = getattr(X, "num_rows", None)
    if count is None:
        count = len(X) if hasattr(X, "__len__") else 1
    return bool(count)


def _as_rows(y: Any, n_rows: int, name: str) -> np.ndarray:
    """y as an array with an entry for each row."""
    from cnn_core.data.targets import as_rows

    array = as_rows(name, y)
    if len(array) != n_rows:
        raise ValueError(
            f"{name} has {counted(len(array), 'entry', 'entries')}, and X has "
            f"{counted(n_rows, 'row')}"
        )
    return array


def as_weights(weights: Any, n_rows: int, what: str) -> np.ndarray | None:
    """The same of sample_weight, which may not be there."""
    if weights is None:
        return None
    from cnn_core.data.targets import check_targets

    name = f"sample_weight of {what}"
    array = check_targets(weights, np.float64, 1, name)[:, 0]
    if len(array) != n_rows:
        raise ValueError(
            f"{name} has {counted(len(array), 'entry', 'entries')}, and X has "
            f"{counted(n_rows, 'row')}"
        )
    return array


def layout_of(block: Block) -> Layout:
    """What the others must have too."""
    if isinstance(block.X, Table):
        return Layout(len(block.X.names), block.X.names, block.weights is not None)
    return Layout(block.X.shape[1], block.names, block.weights is not None)


def check_layout(block: Block, layout: Layout, first: str) -> None:
    """Raise for a block with other columns than the first one, called `first`."""
    own = layout_of(block)
    if (own.names is None) != (layout.names is None):
        kinds = ("an array", "a table") if own.names is None else ("a table", "an array")
        raise ValueError(f"{block.what} is {kinds[0]}, and {first} is {kinds[1]}")
    if own.names is None or layout.names is None:
        if own.width != layout.width:
            raise ValueError(
                f"{block.what} has {counted(own.width, 'column')}, and {first} has {layout.width}; "
                f"all blocks "
                "must have the same"
            )
    elif set(own.names) != set(layout.names):
        lacking = [name for name in layout.names if name not in own.names]
        more = [name for name in own.names if name not in layout.names]
        said = [f"no column {listed(lacking)}"] * bool(lacking)
        said += [f"the column {listed(more)}, which {first} has not"] * bool(more)
        raise ValueError(f"{block.what} has {' and '.join(said)}; all blocks must have the same")
    if own.weighted != layout.weighted:
        kinds = ("has", "has no") if own.weighted else ("has no", "has")
        raise ValueError(
            f"{block.what} {kinds[0]} sample_weight, and {first} {kinds[1]}; all blocks must agree"
        )


def are_blocks(X: Any, y: Any) -> bool:
    """Whether X is blocks of rows: what y says leaves no other meaning."""
    if isinstance(X, RowBlocks):
        return True
    if y is not None and not isinstance(y, str):
        return False
    if isinstance(X, (np.ndarray, str, bytes, Mapping, Set)) or hasattr(X, "__array__"):
        return False
    if isinstance(X, (list, tuple)):
        if not X:
            return False
        if y is None:
            return isinstance(X[0], tuple) and len(X[0]) in (2, 3)
        return not isinstance(X[0], Mapping) and is_table(X[0])
    return hasattr(X, "__iter__") and not is_table(X) and not hasattr(X, "toarray")


def as_blocks(X: Any, y: Any, sample_weight: ArrayLike | None) -> RowBlocks:
    """What `are_blocks` has found."""
    if sample_weight is not None:
        raise ValueError("the weights of blocks come with them: (X, y, sample_weight)")
    if not isinstance(X, RowBlocks):
        return RowBlocks(X, y)
    if y is not None:
        raise ValueError("X has its own y: leave y out")
    return X
