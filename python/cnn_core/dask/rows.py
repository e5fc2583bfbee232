"""The rows of Dask collections, cut into shards: pure functions of the partitions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from cnn_core._cpu import with_subnormals
from cnn_core._dataset import RowSource
from cnn_core._few import counted
from cnn_core._random import uniform
from cnn_core.dask.engine import Engine, package
from cnn_core.data.auto_scaling import extent, squares_of, sums_of
from cnn_core.data.prepare import make_dataset, precise_dtype
from cnn_core.data.scaling import weighed, weighted_sums
from cnn_core.data.validation import check_X, feature_names, listed

if TYPE_CHECKING:
    from cnn_core.data.prepare import Preparation
    from cnn_core.data.scaling import Scaling
    from cnn_core.data.target_scaling import TargetScaling
    from cnn_core.task import Task


_DEALS = 0xFFFFFFFE  # the stream of `uniform` that rows are dealt by


class Raw(NamedTuple):
    """Rows of a shard as they were given."""

    X: Any  #: an array of float32 or float64, as precise as it was; or part of a table
    y: Any


class Rows(NamedTuple):
    """Rows of a shard as the network reads them."""

    X: np.ndarray
    y: np.ndarray | None
    labels: np.ndarray | None
    weights: np.ndarray | None

    @property
    def sources(self) -> tuple[RowSource, RowSource | None, RowSource | None, RowSource | None]:
        """For a trainer: X, y, labels and weights."""
        y, labels, weights = (None if one is None else RowSource(one) for one in self[1:])
        return RowSource(self.X), y, labels, weights


#: Rows of shards that one task works on: those of a node of the tree over the shards.
Bundle: TypeAlias = tuple[Rows, ...]


def bundled(*rows: Rows) -> Bundle:
    """The rows of some shards together."""
    return rows


class Collection(NamedTuple):
    """A Dask DataFrame, Series or Array as its partitions."""

    pieces: list[Any]  #: delayed
    meta: Any  #: an empty frame or array of its kind
    lengths: list[int] | None  #: rows of each partition, where they are known
    width: int  #: columns; 1 of a series


def is_collection(values: object) -> bool:
    """Whether it is a DataFrame, a Series or an Array of Dask."""
    return hasattr(values, "to_delayed") and hasattr(values, "__dask_graph__")


def collection(name: str, values: Any) -> Collection:
    """The partitions of a collection; raises for everything else."""
    if isinstance(values, str):
        raise TypeError(
            f"{name} must be a Dask Series, DataFrame or Array, got the text {values!r}; "
            f"frame[{values!r}] is the column of that name"
        )
    if not is_collection(values):
        raise TypeError(
            f"{name} must be a Dask DataFrame, Series or Array, got {type(values).__name__}; "
            "MLP takes rows in memory, and dask.array.from_array makes an Array of them"
        )
    if not hasattr(values, "chunks"):
        width = len(getattr(values, "columns", (None,)))
        return Collection(list(values.to_delayed()), values._meta, None, width)
    if values.ndim > 2:
        raise ValueError(
            f"{name} must have two dimensions at most, got shape {values.shape}; "
            "reshape((len(X), -1)) makes a row of each entry"
        )
    width = values.shape[1] if values.ndim == 2 else 1
    if width != width:
        raise ValueError(
            f"{name} must say how many columns it has; compute_chunk_sizes() finds out"
        )
    if values.ndim == 2:
        values = values.rechunk({1: -1})
    known = values.shape[0] == values.shape[0]  # NaN is not
    lengths = [int(n) for n in values.chunks[0]] if known else None
    return Collection(values.to_delayed().ravel().tolist(), values._meta, lengths, int(width))


def check_X_is_a_matrix(X: Any, columns: Collection, tables: bool) -> None:
    """Raise for an X of one dimension, and for columns that hold no numbers where X is no table."""
    if getattr(X, "ndim", 2) != 2:
        raise ValueError("X must have two dimensions (rows, features); X.to_frame() has them")
    for name, dtype in {} if tables else getattr(columns.meta, "dtypes", {}).items():
        kind = getattr(dtype, "kind", "O")
        if kind not in "biuf":
            raise ValueError(
                f"X has the column {name!r} of dtype {dtype}, which is no number; columns='auto' "
                "makes numbers of words, categories and dates"
            )


def names_of(meta: Any) -> np.ndarray | None:
    """Labels of the columns; None for an Array."""
    return feature_names(meta)


def precision(X: Collection) -> str:
    """The dtype that holds each number of X as it is, float64 at most."""
    return precise_dtype(X.meta)


def lengths_of(engine: Engine, X: Collection) -> list[int]:
    """Rows of each partition."""
    if X.lengths is not None:
        return X.lengths
    delayed = package("dask").delayed
    counts = engine.compute([delayed(len)(piece) for piece in X.pieces])
    return [int(n) for n in engine.results(counts)]


def columns_of(frame: Any) -> list[Any] | None:
    """Labels of the columns of a frame; None of what has none."""
    return frame.columns.tolist() if hasattr(frame, "columns") else None


def check_columns(what: str, piece: Any, columns: list[Any] | None) -> None:
    """Raise for a partition that has other columns than its collection says, as those of
    categories that only some partitions know."""
    if columns is not None and columns_of(piece) != columns:
        raise ValueError(
            f"{what} has the columns {listed(columns_of(piece) or ())}, and the collection has "
            f"{listed(columns)}: each partition must have these, in this order"
        )


def in_memory(engine: Engine, name: str, values: Collection) -> tuple[Any, list[int]]:
    """y or weights as a whole, and the rows of each partition."""
    parts = engine.results(engine.compute(values.pieces))
    for i, part in enumerate(parts):
        check_columns(f"{name} of partition {i}", part, columns_of(values.meta))
    lengths = [len(part) for part in parts]
    if not sum(lengths):
        raise ValueError("the collections have no rows")
    return joined([part for part in parts if len(part)]), lengths


def joined(parts: Sequence[Any]) -> Any:
    """Arrays, frames or series below each other."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    # Of pandas' own, categories that differ by partition would come out as plain objects.
    return package("dask.dataframe.dispatch").concat(parts)


class Cut(NamedTuple):
    """Some rows of a partition."""

    partition: int
    rows: int  #: that the partition has
    first: int
    end: int
    kept: np.ndarray | None  #: bits of those from first to end that are taken; None: all

    @property
    def n_taken(self) -> int:
        """How many rows are taken."""
        return self.end - self.first if self.kept is None else int(np.count_nonzero(self.which))

    @property
    def which(self) -> np.ndarray:
        """Whether each row from first to end is taken."""
        assert self.kept is not None
        return np.unpackbits(self.kept, count=self.end - self.first).astype(bool)


def cuts(lengths: Sequence[int], kept: np.ndarray | None, bounds: Sequence[int]) -> list[list[Cut]]:
    """What each shard takes of the partitions.

    Parameters
    ----------
    lengths : sequence of int
        Rows of each partition.
    kept : ndarray of bool, shape (rows,), or None
        Which rows are cut into shards.
    bounds : sequence of int
        Where each shard begins, counted in rows that are kept.
    """
    ends = np.concatenate(([0], np.cumsum(lengths)))
    numbers = None if kept is None else np.flatnonzero(kept)
    found = []
    for first, end in pairwise(bounds):
        if numbers is not None and end > first:
            first, end = int(numbers[first]), int(numbers[end - 1]) + 1
        shard = []
        for i in range(int(np.searchsorted(ends, first, "right")) - 1, len(lengths)):
            begin, stop = max(first, int(ends[i])), min(end, int(ends[i + 1]))
            if begin >= end:
                break
            if begin < stop:
                bits = None if kept is None else np.packbits(kept[begin:stop])
                low = int(ends[i])
                shard.append(Cut(i, lengths[i], begin - low, stop - low, bits))
        found.append(shard)
    return found


def cut_rows(X: Collection, y: Collection, shards: list[list[Cut]], dtype: str | None) -> list[Any]:
    """Delayed `Raw` of each shard; X and y have the same partitions. Without a dtype the rows of X
    stay a table."""
    delayed, columns = package("dask").delayed, columns_of(X.meta)
    return [
        delayed(raw_rows, pure=False)(
            [X.pieces[cut.partition] for cut in shard],
            [y.pieces[cut.partition] for cut in shard],
            shard,
            (dtype, columns),
        )
        for shard in shards
    ]


class Deal(NamedTuple):
    """How rows are dealt to shards, so that each has some of every kind, however files are sorted:
    the first `shards` rows one to each, in an order that begins at random, then the next ones."""

    seed: int
    shards: int
    rows: int  #: of all shards

    def shard_of(self, first: int, count: int) -> np.ndarray:
        """The shards of so many rows from `first` on."""
        turn, place = np.divmod(np.arange(first, first + count), self.shards)
        if not count:
            return place
        turns = np.arange(turn[0], turn[-1] + 1)
        begins = uniform(self.seed, _DEALS, len(turns), first=int(turn[0])) * self.shards
        begins[turns == self.rows // self.shards] = 0  # the rows that remain go to the first ones
        found: np.ndarray = (place + begins.astype(np.intp)[turn - turn[0]]) % self.shards
        return found

    @property
    def order(self) -> np.ndarray:
        """The rows of the first shard, then those of the next ones."""
        return np.argsort(self.shard_of(0, self.rows), kind="stable")


def dealt_rows(
    X: Collection, y: Collection, partitions: list[Cut], deal: Deal, dtype: str | None
) -> list[Any]:
    """As `cut_rows`; each partition gives every shard its part.

    Parameters
    ----------
    partitions : list of Cut
        What is taken of each.
    """
    delayed, first, dealt, how = package("dask").delayed, 0, [], (dtype, columns_of(X.meta))
    for cut in partitions:
        rows = delayed(raw_rows, pure=False)(
            [X.pieces[cut.partition]], [y.pieces[cut.partition]], [cut], how
        )
        dealt.append(delayed(_parts, pure=False)(rows, first, deal))
        first += cut.n_taken
    return [
        delayed(_together, pure=False)([parts[shard] for parts in dealt])
        for shard in range(deal.shards)
    ]


def _parts(rows: Raw, first: int, deal: Deal) -> list[Raw]:
    """What each shard gets of rows, the first of which has that number."""
    shards = deal.shard_of(first, len(rows.X))
    each = [shards == s for s in range(deal.shards)]
    return [Raw(picked(rows.X, own), picked(rows.y, own)) for own in each]


def _together(parts: list[Raw]) -> Raw:
    parts = [part for part in parts if len(part.X)]
    X, y = zip(*parts)
    return Raw(joined(X), joined(y))


def aligned(X: Collection, y: Collection, lengths: tuple[list[int], list[int]]) -> Collection:
    """y with the partitions of X."""
    if lengths[0] == lengths[1]:
        return y
    delayed, ends = package("dask").delayed, np.cumsum(lengths[0])
    pieces = [
        delayed(_taken, pure=False)([y.pieces[cut.partition] for cut in shard], shard)
        for shard in cuts(lengths[1], None, [0, *map(int, ends)])
    ]
    return y._replace(pieces=pieces)


def raw_rows(
    X: list[Any], y: list[Any], shard: list[Cut], how: tuple[str | None, list[Any] | None]
) -> Raw:
    """The rows of a shard; how X is read: its dtype, or None for a table, and its columns."""
    parts, (dtype, columns) = list[Any](), how
    for piece, cut in zip(X, shard):
        what = f"X of partition {cut.partition}"
        if hasattr(piece, "toarray"):
            raise TypeError(
                f"{what} is sparse; X.map_blocks(lambda part: part.toarray()) makes a plain Array"
            )
        if len(piece) != cut.rows:
            raise ValueError(f"{what} has {counted(len(piece), 'row')}, and y {cut.rows}")
        check_columns(what, piece, columns)
        if dtype is None:
            parts.append(_some(piece, cut))
            continue
        what += f", from its row {cut.first} on," if cut.first else ""
        rows = check_X(_some(piece, cut._replace(kept=None)), dtype, name=what)
        parts.append(rows if cut.kept is None else rows[cut.which])
    rows = joined(parts)
    return Raw(rows if dtype is None else np.ascontiguousarray(rows), _taken(y, shard))


def _taken(pieces: list[Any], shard: list[Cut]) -> Any:
    return joined([_some(piece, cut) for piece, cut in zip(pieces, shard)])


def _some(piece: Any, cut: Cut) -> Any:
    """The rows of a partition that a shard takes."""
    part = picked(piece, slice(cut.first, cut.end))
    return part if cut.kept is None else picked(part, cut.which)


def picked(rows: Any, which: slice | np.ndarray) -> Any:
    """Some rows of a frame, a series or an array, by their places."""
    return rows.iloc[which] if hasattr(rows, "iloc") else rows[which]


class Encoding(NamedTuple):
    """How rows become what the network reads."""

    task: Task
    how: Preparation
    scaling: Scaling | None
    targets: TargetScaling | None


def encoded(raw: Raw, encoding: Encoding, weights: np.ndarray | None) -> Rows:
    """Rows of a shard as the network reads them; the weights are those of the dataset."""
    task, how, scaling, targets = encoding
    X = check_X(raw.X, how.dtype) if scaling is None else scaling.apply(raw.X, how.dtype)
    data = make_dataset(task, X, raw.y, how).learning(targets, how.dtype)
    y, labels = (None if one is None else one.rows() for one in (data.y, data.labels))
    return Rows(X, y, labels, weights)


# What the scaling of the inputs is learned from. Weights, shape (rows, 1), are those of the rows.


class Looked(NamedTuple):
    """What a first look at a shard tells."""

    low: np.ndarray
    high: np.ndarray
    few: np.ndarray  #: rows that a background is looked for in
    sample: np.ndarray  #: rows that quartiles are taken of


def look(raw: Raw, weights: np.ndarray | None, few: np.ndarray, sample: np.ndarray) -> Looked:
    """Ends of each column, and the rows of these numbers."""
    low, high = with_subnormals(extent, (RowSource(raw.X), weights))
    return Looked(low, high, raw.X[few], raw.X[sample])


def first_sums(
    raw: Raw, weights: np.ndarray | None, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """See `auto_scaling.sums_of`."""
    sums, two = with_subnormals(sums_of, (_first_columns(raw, low), weights, low, high))
    return sums, two


def second_sums(raw: Raw, weights: np.ndarray | None, mean: np.ndarray) -> np.ndarray:
    """See `auto_scaling.squares_of`."""
    found: np.ndarray = with_subnormals(squares_of, (_first_columns(raw, mean), weights, mean))
    return found


def power_sums(raw: Raw, weights: np.ndarray | None, shift: np.ndarray, power: int) -> np.ndarray:
    """The sums of (x - shift)^power, as `scaling.mean_and_deviation` adds them."""
    rows = weighed(_first_columns(raw, shift).array, weights)
    found: np.ndarray = with_subnormals(weighted_sums, (*rows, shift, power))
    return found


def _first_columns(raw: Raw, like: np.ndarray) -> RowSource:
    """The columns that there is a number of; those of numbers of categories come last."""
    return RowSource(np.ascontiguousarray(raw.X[:, : len(like)]))
