"""The first reading of blocks: what fits into memory becomes arrays, of the rest the targets do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._warn import warn
from cnn_core.blocks.source import (
    Block,
    InOrder,
    Layout,
    Mark,
    Reader,
    RowBlocks,
    as_blocks,
    changed,
    layout_of,
)
from cnn_core.columns.parsing import as_numbers
from cnn_core.columns.table import BOOL, NUMBER, TEXT, Table, Values, whole_numbers
from cnn_core.data.validation import check_X

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.columns.columns import Columns
    from cnn_core.data.scaling import Scaling


class NamedMatrix:
    """Rows of numbers whose columns have names, as those of a data frame."""

    def __init__(self, array: np.ndarray, names: Sequence[Any]) -> None:
        self.array, self.columns, self.shape = array, list(names), array.shape

    def __len__(self) -> int:
        return len(self.array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.array, dtype)


class Gathered(NamedTuple):
    """Blocks that are larger than a window, as far as they are known after the first reading."""

    source: RowBlocks
    layout: Layout
    marks: Mapping[int, Mark]  #: of the blocks, by their numbers
    n_rows: int
    block_rows: int  #: of those that are cut from them
    precise: str  #: the dtype that holds every number of X
    keeps_tables: bool  #: whether columns of words and dates are to become numbers

    def __len__(self) -> int:
        return self.n_rows

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and columns as they come."""
        return len(self), self.layout.width

    @property
    def columns(self) -> list[Any] | None:
        """Names of the columns, where they come with names."""
        return None if self.layout.names is None else list(self.layout.names)

    @property
    def window_rows(self) -> int:
        """Rows that are in memory together."""
        return self.block_rows * self.source.window

    def reader(self, in_order: bool) -> Reader:
        """What reads the rows once."""
        if in_order:
            return InOrder(self.blocks(), self.n_rows)
        return self.source.in_any_order(self.marks, self.keeps_tables)

    def blocks(self) -> Iterator[Block]:
        """All blocks, which must be those of the first reading."""
        row = 0
        for block in self.source.read(self.keeps_tables):
            if self.marks and Mark.of(block) != self.marks.get(block.number):
                raise changed(self.n_rows, row)
            yield block
            row += block.n_rows
        if row != self.n_rows:
            raise changed(self.n_rows, row)

    def matrix(self, X: np.ndarray | Table, columns: Columns | None, what: str) -> np.ndarray:
        """Rows of blocks as numbers, which are finite."""
        if columns is not None:
            return check_X(columns.encode(X, what), self.precise, name=what)
        if isinstance(X, Table):
            X = numbers_of(X, self.layout.names or ())
        return check_X(X, self.precise, self.layout.width, what)

    def encode(
        self, X: np.ndarray | Table, columns: Columns | None, scaling: Scaling | None, dtype: str
    ) -> np.ndarray:
        """Rows of blocks as the network reads them."""
        rows = self.matrix(X, columns, "X")
        if scaling is not None:
            return scaling.apply(rows, dtype)
        return check_X(rows, dtype)


def numbers_of(table: Table, names: Sequence[Any]) -> np.ndarray:
    """A table of numbers as a matrix."""
    for name in names:
        if table[name].kind not in (NUMBER, BOOL):
            raise ValueError(
                f"the column {name!r} of {table.what} holds {table[name].kind}s; columns='auto' "
                "makes numbers of them"
            )
    return np.column_stack([as_numbers(table[name], name, table.what) for name in names])


def read_blocks(
    p: SimpleNamespace, X: Any, y: Any, sample_weight: ArrayLike | None, columns: bool
) -> tuple[Any, Any, Any]:
    """X, y and weights of blocks: arrays or a table where one window holds them all, else X as
    `Gathered`.

    Parameters
    ----------
    p : namespace
        The parameters of MLP, from `check_parameters`.
    X, y, sample_weight
        Of which `are_blocks` is true.
    columns : bool
        Whether tables stay tables.
    """
    source = as_blocks(X, y, sample_weight)
    if p.rule.full_batch or p.batch_size == "full":
        what = f"optimizer={p.rule.name!r}" if p.rule.full_batch else "batch_size='full'"
        raise ValueError(
            f"{what} needs all rows at once, and blocks come one after the other; take another "
            "optimizer and a number for batch_size, or give arrays"
        )
    kept: list[np.ndarray | Table] | None = []
    marks: dict[int, Mark] = {}
    ys, weights, n_rows = list[np.ndarray](), list[np.ndarray](), 0
    layout, block_rows, precise = None, 0, "float32"
    for block in source.targets():
        if layout is None:
            layout = layout_of(block)
            block_rows = source.rows_for(layout.width)
        if not source.reads_targets_alone:
            marks[block.number] = Mark.of(block)
        n_rows += block.n_rows
        ys.append(_of_kind(block, ys))
        if block.weights is not None:
            weights.append(block.weights)
        if isinstance(block.X, Table) or not np.can_cast(block.X.dtype, np.float32):
            precise = "float64"
        if n_rows > block_rows * source.window:
            kept = None
        elif kept is not None:
            kept.append(block.X)
    if layout is None:
        raise ValueError("the blocks have no rows")
    y = np.concatenate(ys)
    ys.clear()
    w = np.concatenate(weights) if weights else None
    gathered = Gathered(source, layout, marks, n_rows, block_rows, precise, columns)
    if kept is None:
        remark = source.remark(block_rows) if p.shuffle else ""
        if remark:
            warn(remark, UserWarning)
        return gathered, y, w
    return _whole(source, gathered, kept, columns), y, w


def _of_kind(block: Block, before: list[np.ndarray]) -> np.ndarray:
    """y of a block, which must go with that of the blocks before."""
    y: np.ndarray = block.y
    if not before:
        return y
    first = before[0]
    texts = [one.dtype.kind in "UST" for one in (first, y)]
    if y.shape[1:] != first.shape[1:] or texts[0] != texts[1]:
        raise ValueError(
            f"y of {block.what} has shape {y.shape} and dtype {y.dtype}, and that of the first "
            f"block {first.shape} and {first.dtype}; all blocks must have the same kind"
        )
    return y


def _whole(
    source: RowBlocks, gathered: Gathered, kept: list[np.ndarray | Table], columns: bool
) -> Any:
    """X of all blocks."""
    names = gathered.layout.names
    if source.reads_targets_alone:
        kept = [block.X for block in source.read(columns)]
    if names is None:
        return (
            kept[0]
            if len(kept) == 1
            else np.concatenate([one for one in kept if isinstance(one, np.ndarray)])
        )
    tables = [one for one in kept if isinstance(one, Table)]
    if not tables:
        return NamedMatrix(np.concatenate([one for one in kept if len(one)]), names)
    table = joined(tables, names)
    return table if columns else NamedMatrix(numbers_of(table, names), names)


def joined(tables: Sequence[Table], names: Sequence[Any], what: str = "blocks") -> Table:
    """Tables below each other, which messages call `what`."""
    n_rows = sum(map(len, tables))

    def read(name: Any) -> Values:
        parts = [table[name] for table in tables]
        known = [part for part in parts if not part.missing.all()] or parts
        kinds = {part.kind for part in known}
        if len(kinds) > 1:
            raise ValueError(
                f"the column {name!r} of the {what} holds {'s and '.join(sorted(kinds))}s; each "
                "column must be of one kind"
            )
        arrays = [_as_kind(part, known[0]) for part in parts]
        whole = all(part.whole for part in known)
        if whole and any(part.exact is not None for part in known):
            return whole_numbers([one for part in parts for one in _as_given(part)])
        words, labels = all(part.words for part in known), None
        if all(part.labels is not None for part in known):
            labels = {text: one for part in known for text, one in (part.labels or {}).items()}
        return Values(known[0].kind, np.concatenate(arrays), whole, words, labels)

    return Table(names, n_rows, read, "X")


def _as_given(part: Values) -> list[Any]:
    """The numbers of a column, exact where they are known so."""
    given: list[Any] = (part.array if part.exact is None else part.exact).tolist()
    return given


def _as_kind(part: Values, like: Values) -> np.ndarray:
    """The entries of a column; of one whose entries are all missing, of the kind that others
    have."""
    if part.kind == like.kind:
        return part.array
    if like.kind == TEXT:
        return np.full(len(part.array), None, object)
    return np.full(len(part.array), np.nan if like.array.dtype.kind == "f" else "NaT",
                   like.array.dtype)  # fmt: skip
