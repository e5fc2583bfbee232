"""The rows of a training that ranks share: each gives its own, or all have the same and take
their part."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from cnn_core._dataset import RowSource
from cnn_core._few import counted
from cnn_core._warn import warn
from cnn_core.columns.table import TEXT, Table, Values, read_table
from cnn_core.columns.target import names_of_target
from cnn_core.data.prepare import precise_dtype
from cnn_core.data.shards import kept_bounds, shard_bounds, sum_of_shards
from cnn_core.data.validation import check_X, feature_names, target_names
from cnn_core.distributed.pieces import Pieces
from cnn_core.distributed.tree import Tree

if TYPE_CHECKING:
    from cnn_core.distributed.ranks import Ranks

_CHECKED = 1 << 16  # rows that are checked together
_COMPARED = 1 << 10  # rows of those that ranks give that are compared
_FEW = 1 << 6  # the same of a table


class Shared:
    """Rows that every rank has, such as a memory map of a file that all can read: `MLP.fit` takes
    this rank's part of them.

    Parameters
    ----------
    rows : array-like or table
        The same on all ranks.

    Examples
    --------
    >>> import numpy as np
    >>> from cnn_core.distributed import Shared
    >>> len(Shared(np.zeros((10, 3))))
    10
    """

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of all rows."""
        return np.shape(self.rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.rows, dtype)

    def __repr__(self) -> str:
        return f"Shared({type(self.rows).__name__} of {counted(len(self), 'row')})"


class Reader(Protocol):
    """What makes a checked matrix of rows as they are given, before scaling."""

    def numbers(self, rows: Any) -> np.ndarray:
        """Of some rows."""

    @property
    def nothing(self) -> np.ndarray:
        """Of no rows."""


class RankRows:
    """X of all ranks, of which some rows are here.

    Parameters
    ----------
    ranks : Ranks
    X : array-like, table or Shared
        As a rank gives it; others than Shared may have no rows.
    keeps : bool
        Whether a table stays one.
    """

    def __init__(self, ranks: Ranks, X: Any, keeps: bool) -> None:
        self.ranks, self.shared = ranks, isinstance(X, Shared)
        _check_given_alike(ranks, "Shared rows" if self.shared else "rows of its own", "X")
        given = X.rows if isinstance(X, Shared) else X
        if given is None:
            raise TypeError("X is None; a rank without rows gives an array of no rows")
        self.given, self.table, self.names = given, None, None
        self._compared, self._keeps = False, keeps
        #: The inputs of all rows, where a table stays one; `training.given` sets it.
        self.table_of_all: Table | None = None
        here = _count(given)
        if keeps:
            self.table = read_table(given) if here else None
        else:
            self.names = feature_names(given)
        described = self._described(given, here)
        known = [one for one in ranks.gather(described) if one is not None]
        if not known:
            raise ValueError("no rank has any rows of X")
        self._check_alike(described)
        first = known[0]
        #: Columns, the dtype that holds every number, and whether it is a memory map, in which.
        self.width, self.precise = first["columns"], first["dtype"]
        self._mapped = first["memory map"]
        if self.names is None and first["names"] is not None and not keeps:
            self.names = feature_names(_Named(first["names"]))
        self._names_of_table = first["names"]
        counts = ranks.gather(here)
        if self.shared and len(set(counts)) > 1:
            raise ValueError(f"Shared rows are the same on all ranks, which have {counts} of them")
        self.offsets = [0] * (ranks.size + 1) if self.shared else _sums(counts)
        self.n_rows = here if self.shared else self.offsets[-1]
        if self.shared:
            check_shared(ranks, "X", self._some_of_shared())

    def __len__(self) -> int:
        return self.n_rows

    @property
    def shape(self) -> tuple[int, int]:
        """Rows of all ranks, and columns as they come."""
        return self.n_rows, self.width

    @property
    def columns(self) -> list[Any] | None:
        """Names of the columns, where they come with names."""
        return None if self.names is None else self.names.tolist()

    def is_read_in_place(self, dtype: str) -> bool:
        """Whether it is a memory map that training reads from its file."""
        return bool(self._mapped == dtype)

    @property
    def table_here(self) -> Table | None:
        """The table of this rank's rows, without entries where there are none; None of a matrix."""
        if self.table is None and self._names_of_table is not None and self._keeps:
            return Table(self._names_of_table, 0, lambda _: Values(TEXT, np.empty(0, object)))
        return self.table

    def whole_table(self) -> Table:
        """The table of all rows, each of whose columns is gathered when it is asked for, by all
        ranks."""
        names, here = self._names_of_table, self.table
        assert names is not None
        if self.shared:
            assert here is not None
            return here

        def read(name: Any) -> Values:
            own = None if here is None else here[name]._replace(place=None)
            return _joined(name, [one for one in self.ranks.gather(own) if one is not None])

        return Table(names, self.n_rows, read)

    def part(self, reader: Reader, numbers: np.ndarray | None, tree: Tree) -> RowSource:
        """This rank's rows of some of all, as a matrix before scaling.

        Parameters
        ----------
        reader : Reader
        numbers : ndarray of intp or None
            The rows that are wanted, ascending; None: all.
        tree : Tree
        """
        count, rank = self.n_rows if numbers is None else len(numbers), self.ranks.rank
        bounds = tree.rows_of(count)
        wanted = [_Wanted(numbers, *bounds[r : r + 2]) for r in range(self.ranks.size)]
        if self.shared:
            return self._of_shared(reader, wanted[rank])
        here, matrix = self.table if self.table is not None else self.given, reader.nothing
        if _count(self.given):
            matrix = reader.numbers(here)
        self._warn_of_copies(matrix)
        if all(one.within(*self.offsets[r : r + 2]) for r, one in enumerate(wanted)):
            return wanted[rank].of(matrix, self.offsets[rank])
        return RowSource(self._moved(matrix, wanted))

    def _warn_of_copies(self, matrix: np.ndarray) -> None:
        """Say where all ranks give the same rows, as if each had some of its own."""
        if self._compared:
            return
        self._compared, step = True, -(-max(len(matrix), 1) // _COMPARED)
        some = np.ascontiguousarray(matrix[::step])
        found = self.ranks.gather((len(matrix), hashlib.sha256(some.data).digest()))
        if len(found) > 1 and len(set(found)) == 1 and len(matrix):
            warn(
                f"all {len(found)} ranks give the same {len(matrix):,} rows, each of which counts "
                f"{len(found)} times then; where they have all rows, say Shared(X) and Shared(y) "
                "of cnn_core.distributed, of which each takes its part",
                UserWarning,
            )

    def _some_of_shared(self) -> list[Any]:
        """Some of the entries, which tell rows apart."""
        step = -(-max(self.n_rows, 1) // _COMPARED)
        some = np.arange(0, self.n_rows, step)
        if self.table is not None:
            return [self.table[name].array[some[:_FEW]].tolist() for name in self.table.names]
        if isinstance(self.given, (np.ndarray, Pieces)):
            return self.given[some].tolist()  # type: ignore[no-any-return]
        return np.asarray(self.given)[some].tolist()  # type: ignore[no-any-return]

    def _of_shared(self, reader: Reader, wanted: _Wanted) -> RowSource:
        read = reader.numbers
        if wanted.first == wanted.end:
            return RowSource(reader.nothing)
        if self.table is not None:
            return RowSource(read(self.table.take(wanted.between(0, self.n_rows))))
        given = self.given
        if not isinstance(given, (np.ndarray, Pieces)):
            given = check_X(given, self.precise, check_entries=False)
        if wanted.numbers is None:
            return RowSource(read(given[wanted.first : wanted.end]))
        in_place = isinstance(given, np.ndarray) and given.flags.c_contiguous
        if not (in_place and given.dtype.name in ("float32", "float64")):
            return RowSource(read(given[wanted.numbers]))
        for first in range(0, len(wanted.numbers), _CHECKED):  # they stay where they are
            read(given[wanted.numbers[first : first + _CHECKED]])
        return RowSource(given, wanted.numbers)

    def _moved(self, matrix: np.ndarray, wanted: Sequence[_Wanted]) -> np.ndarray:
        """The rows that are wanted here, from the ranks that give them."""
        rank, size, offsets = self.ranks.rank, self.ranks.size, self.offsets
        mine = [wanted[rank].between(*offsets[r : r + 2]) for r in range(size)]
        found = np.empty((sum(map(len, mine)), matrix.shape[1]), matrix.dtype)
        ends = _sums(list(map(len, mine)))
        first = offsets[rank]
        found[ends[rank] : ends[rank + 1]] = matrix[mine[rank] - first]
        for d in range(1, size):
            to, origin = (rank + d) % size, (rank - d) % size
            asked = wanted[to].between(*offsets[rank : rank + 2])
            into = found[ends[origin] : ends[origin + 1]]
            self.ranks.exchange(
                np.ascontiguousarray(matrix[asked - first]) if len(asked) else None,
                to,
                into if len(into) else None,
                origin,
            )
        return found

    def _described(self, given: Any, here: int) -> dict[str, Any] | None:
        """What the rows of all ranks have to have in common; None of no rows."""
        if not here:
            return None
        if self.table is not None:
            names: tuple[Any, ...] | None = self.table.names
            return {"names": names, "columns": len(names or ()), "dtype": "", "memory map": ""}
        shape = np.shape(given)
        contiguous = isinstance(given, np.memmap) and given.flags.c_contiguous
        return {
            "names": None if self.names is None else tuple(self.names.tolist()),
            "columns": shape[1] if len(shape) == 2 else shape[1:],
            "dtype": precise_dtype(given),
            "memory map": given.dtype.name if contiguous else "",
        }

    def _check_alike(self, described: dict[str, Any] | None) -> None:
        said = self.ranks.gather(described)
        with_rows = [(rank, one) for rank, one in enumerate(said) if one is not None]
        known, first = with_rows[0]
        for rank, one in with_rows:
            for what, value in first.items():
                if one[what] != value:
                    raise ValueError(
                        f"X of all ranks must be alike: {what} is {one[what]!r} on rank {rank} and "
                        f"{value!r} on rank {known}"
                    )


class _Named:
    def __init__(self, names: Sequence[Any]) -> None:
        self.columns = list(names)


class _Wanted:
    """Some rows of all: numbers[first:end], or first to end."""

    def __init__(self, numbers: np.ndarray | None, first: int, end: int) -> None:
        self.numbers = None if numbers is None else numbers[first:end]
        self.first, self.end = first, end

    def within(self, low: int, high: int) -> bool:
        """Whether a rank that gives the rows low to high gives all of them."""
        if self.first == self.end:
            return True
        if self.numbers is None:
            return low <= self.first and self.end <= high
        return bool(low <= self.numbers[0] and self.numbers[-1] < high)

    def between(self, low: int, high: int) -> np.ndarray:
        """Those of the rows low to high."""
        if self.numbers is None:
            return np.arange(max(self.first, low), max(min(self.end, high), self.first, low))
        return self.numbers[slice(*np.searchsorted(self.numbers, (low, high)))]

    def of(self, matrix: np.ndarray, offset: int) -> RowSource:
        """These rows of a matrix that begins with row `offset`."""
        if self.numbers is None:
            return RowSource(matrix[self.first - offset : self.end - offset])
        return RowSource(matrix, self.numbers - offset)


class RankCut:
    """How the rows of all ranks are cut, as `data.shards.Cut`; those of this rank are here.

    Parameters
    ----------
    ranks : Ranks
    tree : Tree
    bounds : sequence of int
        Where the shards of this rank begin among its rows, and where the last one ends.
    before, n_rows : int
        Rows of the ranks before this one, and of all.
    """

    def __init__(
        self, ranks: Ranks, tree: Tree, bounds: Sequence[int] | np.ndarray, before: int, n_rows: int
    ) -> None:
        self.ranks, self.tree, self.bounds = ranks, tree, bounds
        self.before, self.n_rows = before, n_rows

    @classmethod
    def of(cls, ranks: Ranks, tree: Tree, n_rows: int) -> RankCut:
        """Of so many rows of all ranks."""
        begin, until = tree.shards_of(ranks.rank)
        bounds = np.array(shard_bounds(n_rows, tree.shards))[begin : until + 1]
        return cls(ranks, tree, bounds - bounds[0], int(bounds[0]), n_rows)

    def count(self, rows: int) -> int:
        return self.n_rows

    def sum(self, of_rows: Callable[[int, int], np.ndarray]) -> np.ndarray:
        begin, own = self.tree.shards_of(self.ranks.rank)[0], []
        for first, end in self.tree.nodes[self.ranks.rank]:
            own.append(sum_of_shards(of_rows, self.bounds[first - begin : end - begin + 1]))
        sums = [np.array(one) for part in self.ranks.gather(own) for one in part]
        return self.tree.total(sums)

    def least(self, values: np.ndarray) -> np.ndarray:
        least: np.ndarray = np.min(self.ranks.gather(values), axis=0)
        return least

    def greatest(self, values: np.ndarray) -> np.ndarray:
        greatest: np.ndarray = np.max(self.ranks.gather(values), axis=0)
        return greatest

    def every(self, rows: Any, step: int) -> np.ndarray:
        some = np.asarray(rows[-self.before % step :: step])
        return np.concatenate([one for one in self.ranks.gather(some) if len(one)])

    def kept(self, kept: np.ndarray) -> RankCut:
        counts = self.ranks.gather(int(np.count_nonzero(kept)))
        before = sum(counts[: self.ranks.rank])
        bounds = kept_bounds(self.bounds, kept)
        return RankCut(self.ranks, self.tree, bounds, before, sum(counts))


class OfAllRanks(NamedTuple):
    """y, or weights, of all ranks."""

    values: Any
    names: tuple[str, ...]  #: of the columns, where a frame has several


def gather_values(ranks: Ranks, values: Any, name: str, table: Table | None = None) -> OfAllRanks:
    """y, or weights, of all ranks: they are small, and every rank has them all.

    Parameters
    ----------
    ranks : Ranks
    values : array-like, Shared, str, list of str or None
        Names of columns, and None, are what they are.
    name : str
        What to call them in messages.
    table : Table, optional
        That whose columns may be named; it has the rows of this rank.
    """
    names = () if table is None else names_of_target(table, values)
    shared = isinstance(values, Shared)
    whole = values.rows if shared else values
    if values is None or names or isinstance(values, str):
        _check_given_alike(ranks, f"{values!r}", name)
        return OfAllRanks(values, ())
    _check_given_alike(ranks, "Shared rows" if shared else "rows of its own", name)
    array, columns = np.asarray(whole), target_names(whole)
    if shared:
        some = array[:: -(-max(len(array), 1) // _COMPARED)]
        check_shared(ranks, name, (len(array), some.tolist()))
        return OfAllRanks(array, columns)
    with_rows = len(array) > 0
    kind = (_kind_of(array), array.shape[1:], columns) if with_rows else None
    said = [(rank, one) for rank, one in enumerate(ranks.gather(kind)) if one is not None]
    for rank, one in said:
        for what, this, first in zip(("holds", "rows of shape", "columns"), one, said[0][1]):
            if this != first:
                raise ValueError(
                    f"{name} of all ranks must be alike: {what} {this} on rank {rank} and {first} "
                    f"on rank {said[0][0]}"
                )
    parts = [one for one in ranks.gather(array) if len(one)]
    return OfAllRanks(np.concatenate(parts) if parts else array, said[0][1][2] if said else ())


def _check_given_alike(ranks: Ranks, how: str, name: str) -> None:
    """Raise where ranks give y, or weights, in different ways; else they would wait for ever."""
    said = ranks.gather(how)
    for rank, one in enumerate(said):
        if one != said[0]:
            raise ValueError(
                f"all ranks must give {name} alike: {one} on rank {rank}, and {said[0]} on rank 0; "
                "of a rank without rows an array of no rows"
            )


def check_shared(ranks: Ranks, name: str, some: object) -> None:
    """Raise where what ranks call Shared differs; `some` is what is compared."""
    said = ranks.gather(hashlib.sha256(repr(some).encode()).digest())
    for rank, one in enumerate(said):
        if one != said[0]:
            raise ValueError(
                f"{name} is Shared, and so the same on all ranks, but rank {rank} has other rows "
                "than rank 0; leave Shared out where each rank has its own"
            )


def _kind_of(array: np.ndarray) -> str:
    """What entries are, as far as those of several ranks have to be alike."""
    if array.dtype.kind in "UST" or any(
        isinstance(one, str) for one in (array.flat if array.dtype.kind == "O" else ())
    ):
        return "texts"
    return "dates" if array.dtype.kind in "mM" else "numbers"


def _count(X: Any) -> int:
    """Rows of what a rank gives, which may be none."""
    if isinstance(X, Mapping):
        return len(next(iter(X.values()), ()))
    shape = getattr(X, "shape", None) or (getattr(X, "num_rows", None),)
    return len(X) if shape[0] is None else int(shape[0])


def _sums(counts: Sequence[int]) -> list[int]:
    return [sum(counts[:i]) for i in range(len(counts) + 1)]


def _joined(name: Any, parts: list[Values]) -> Values:
    """A column of all ranks."""
    from cnn_core.blocks.gather import joined

    def table(values: Values) -> Table:
        return Table((name,), len(values.array), lambda _: values)

    if len(parts) == 1:
        return parts[0]
    return joined([table(one) for one in parts], (name,), "ranks")[name]
