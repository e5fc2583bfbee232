"""What training needs to know of blocks before its first step: as `data.prepare`, but X is read one
block after the other.

Targets, labels and weights are in memory, as those of arrays, so whatever is learned from them is
the same. Of X, rows that are evenly spaced decide whether 'auto' scales, and give quartiles; ends,
means and deviations are of all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core._cpu import with_subnormals
from cnn_core._dataset import RowSource
from cnn_core._frozen import Frozen, replace
from cnn_core.blocks.gather import Gathered, joined
from cnn_core.blocks.source import rows_at
from cnn_core.columns.table import Table, read_table
from cnn_core.data.auto_scaling import USUAL_OF_LINEAR, choose_scaling, go_on
from cnn_core.data.prepare import (
    Dataset,
    Preparation,
    Prepared,
    learn_target_scaling_of,
    make_dataset,
    set_apart,
    target_dtype_of,
    targets_go_on,
    validation_dataset,
)
from cnn_core.data.scaling import Whole, step_of_some, weighted_sums

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.columns.columns import Columns
    from cnn_core.data.scaling import Scaling
    from cnn_core.model import Model
    from cnn_core.task import Task


class BlockData(Frozen):
    """The rows that are trained on, which come in blocks."""

    gathered: Gathered
    columns: Columns | None
    scaling: Scaling | None
    dtype: str
    apart: np.ndarray | None  #: bool: the rows that are not trained on; None where all are
    #: Some of them, evenly spaced: they stand for all where not every row is looked at.
    sample: Dataset
    chosen: np.ndarray  #: their numbers
    ends: np.ndarray  #: the smallest and the largest numbers of all columns, shape (2, features)

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return self.sample.X.array.shape[1]  # type: ignore[no-any-return]

    @property
    def layout(self) -> np.ndarray:
        """What the order of the rows depends on: how many there are, the rows of a block, the
        blocks of a window, and whether these can be visited in any order."""
        X = self.gathered
        return np.array([len(X), X.block_rows, X.source.window, X.source.visits_any])

    def read(self, X: np.ndarray | Table) -> np.ndarray:
        """Rows of blocks as the network reads them."""
        return self.gathered.encode(X, self.columns, self.scaling, self.dtype)


class _Rows(NamedTuple):
    """Which rows of all serve for what."""

    train: np.ndarray  #: bool: those that X's scaling is learned from
    weights: np.ndarray | None  #: float64, of these, shape (rows, 1)
    sample: np.ndarray  #: the numbers of some of them, evenly spaced
    validation: np.ndarray  #: the numbers of those that are set apart


def _refuse_shards(shards: int) -> None:
    if shards > 1:
        raise ValueError(
            f"shards={shards} cuts all rows, and X comes in blocks of them; give arrays, such as a "
            "memory map of what cnn-core convert writes, or leave shards at 1"
        )


def prepare_blocks(
    X: Gathered,
    y: ArrayLike,
    task: tuple[Task, np.ndarray | None],
    how: Preparation,
    seed: Callable[[], int],
    before: Model | None = None,
    sample_weight: ArrayLike | None = None,
    validation_data: tuple[ArrayLike, ArrayLike] | None = None,
) -> Prepared:
    """Check, encode, weigh, split and scale; see `data.prepare.prepare`."""
    meaning, labels = task
    _refuse_shards(how.shards)
    if before is not None and before.knows_no_rows:
        before = None
    how = replace(how, target_dtype=target_dtype_of(meaning, y, how, before))
    stand_in = np.zeros((len(X), 1), how.dtype)
    train = make_dataset(meaning, stand_in, y, how, labels=labels, sample_weight=sample_weight)
    validation = drawn = apart = None
    if how.validation_fraction is not None and validation_data is None:
        drawn = seed()
        apart = set_apart(drawn, train, min(how.validation_fraction, X.window_rows / len(X)))
        stood = make_dataset(meaning, stand_in, y, how.of_validation, labels=labels)
        validation, train = stood.take(apart), train.take(~apart)
    rows = _rows_for(X, train, apart)
    look = _Look(X, rows, before.columns if before else None)
    columns = look.columns = _columns(how, look, before)
    whole, scaling = _scaling(how, look, before)
    if before is None:
        targets = learn_target_scaling_of(how, meaning, train, how.target_names)
    else:
        targets = targets_go_on(before, train)
    train = train.learning(targets, how.dtype).shared(False)
    at = np.searchsorted(np.flatnonzero(_kept(apart, len(X))), rows.sample)
    sample = train.at(at, X.encode(look.sample, columns, scaling, how.dtype))
    ends = np.array([whole.low, whole.high])
    data = BlockData(X, columns, scaling, how.dtype, apart, sample, rows.sample, ends)
    known_names = before.feature_names if before else columns.names_in if columns else _names(X)
    prepared = Prepared(
        train,
        validation,
        scaling,
        targets,
        len(whole.low),
        known_names,
        seed() if drawn is None else drawn,
        columns,
        look.numbers,
        how.target_names,
        blocks=data,
    )
    if validation_data is not None:
        given = validation_dataset(validation_data, meaning, how, prepared)
        prepared = replace(prepared, validation=given)
    elif validation is not None:
        read = X.encode(look.validation, columns, scaling, how.dtype)
        validation = replace(validation, X=RowSource(read)).learning(targets, how.dtype)
        prepared = replace(prepared, validation=validation)
    return prepared


def _scaling(how: Preparation, look: _Look, before: Model | None) -> tuple[Whole, Scaling | None]:
    """What is known of all rows, and the scaling of the inputs."""
    embedded = len(look.columns.embeddings) if look.columns else 0
    n = look.numbers.shape[1] - embedded  # numbers of categories follow
    if before is None:
        names = look.columns.encoded if look.columns else _names(look.X)
        kind = USUAL_OF_LINEAR if how.scale_inputs == "auto" and how.linear else how.scale_inputs
        whole = look.whole(deviates=kind == "standard")
        if n == 0:
            return whole, None
        some, of_some = RowSource(np.ascontiguousarray(look.numbers[:, :n])), whole.first(n)
        weights = look.sample_weights()
        return whole, choose_scaling(how, None, some, weights, names, of_some, look.columns)
    whole, scaling = look.whole(False), before.scaling
    if scaling is not None:
        scaling = go_on(scaling, look.numbers[:, :n])
    return whole, scaling


def _kept(apart: np.ndarray | None, n_rows: int) -> np.ndarray:
    return np.ones(n_rows, bool) if apart is None else ~apart


def _names(X: Gathered) -> np.ndarray | None:
    names = X.columns
    if names is None:
        return None
    labels = np.empty(len(names), object)
    labels[:] = names
    return labels


def _rows_for(X: Gathered, train: Dataset, apart: np.ndarray | None) -> _Rows:
    """Which rows are looked at: those of a weight above 0."""
    chosen, weights = _kept(apart, len(X)), train.row_weights()
    if weights is not None:
        counts = weights[:, 0] > 0
        weights = weights[counts].astype(np.float64)
        chosen[np.flatnonzero(chosen)[~counts]] = False
    numbers = np.flatnonzero(chosen)
    sample = numbers[:: step_of_some(len(numbers), X.layout.width)].copy()
    validation = np.empty(0, np.intp) if apart is None else np.flatnonzero(apart)
    return _Rows(chosen, weights, sample, validation)


def _columns(how: Preparation, look: _Look, before: Model | None) -> Columns | None:
    """What the columns of tables become; reads the rows that are looked at."""
    if before is not None:
        return before.columns
    if not look.X.keeps_tables:
        return None
    from cnn_core.columns.columns import Columns

    return Columns.fitted(read_table(look.sample), how.columns).with_gaps(look.gaps)


class _Look:
    """Passes over all rows of X.

    Parameters
    ----------
    X : Gathered
    rows : _Rows
    columns : Columns or None
        What the columns of tables become, where that is known.
    """

    def __init__(self, X: Gathered, rows: _Rows, columns: Columns | None) -> None:
        self.X, self.rows, self.columns = X, rows, columns
        self._some: tuple[np.ndarray | Table, ...] | None = None
        self._numbers: np.ndarray | None = None
        self.gaps: set[object] = set()  # columns of tables that have some

    @property
    def sample(self) -> np.ndarray | Table:
        """The rows that stand for all."""
        return self._found()[0]

    @property
    def validation(self) -> np.ndarray | Table:
        """The rows that are set apart."""
        return self._found()[1]

    def _found(self) -> tuple[np.ndarray | Table, ...]:
        if self._some is None:
            for _ in self._blocks():
                pass
        assert self._some is not None
        return self._some

    def sample_weights(self) -> np.ndarray | None:
        """Of the sample, shape (rows, 1)."""
        if self.rows.weights is None:
            return None
        at = np.searchsorted(np.flatnonzero(self.rows.train), self.rows.sample)
        weights: np.ndarray = self.rows.weights[at]
        return weights

    @property
    def numbers(self) -> np.ndarray:
        """The sample as numbers, before scaling."""
        if self._numbers is None:
            self._numbers = self.X.matrix(self.sample, self.columns, "X")
        return self._numbers

    def _blocks(self) -> Iterator[tuple[int, np.ndarray | Table, str]]:
        """Each block as a whole: its first row, X, and what to call it. The first pass takes the
        rows that are looked at."""
        X, row = self.X, 0
        wanted = self.rows.sample, self.rows.validation
        found: tuple[list[np.ndarray | Table], ...] = ([], [])
        for block in X.blocks():
            if self._some is None:
                for numbers, parts in zip(wanted, found):
                    ends = np.searchsorted(numbers, (row, row + block.n_rows))
                    if ends[0] < ends[1]:
                        some = rows_at(block.X, numbers[slice(*ends)] - row)
                        if not X.keeps_tables:
                            some = X.matrix(some, None, f"X of {block.what}")
                        parts.append(some)
                if X.keeps_tables:
                    table = read_table(block.X)
                    left = [name for name in table.names if name not in self.gaps]
                    self.gaps.update(name for name in left if table[name].missing.any())
            yield row, block.X, block.what
            row += block.n_rows
        if self._some is None:
            self._some = tuple(_joined(X, parts) for parts in found)

    def whole(self, deviates: bool) -> Whole:
        """What is known of all rows that scaling is learned from; every entry of X is checked."""
        return with_subnormals(self._whole, (deviates,))  # type: ignore[no-any-return]

    def _whole(self, deviates: bool) -> Whole:
        low = high = sums = squares = None
        for block, weights in self._matrices():
            if not len(block):
                continue
            low = block.min(axis=0) if low is None else np.minimum(low, block.min(axis=0))
            high = block.max(axis=0) if high is None else np.maximum(high, block.max(axis=0))
            if deviates:
                sums = weighted_sums(block, weights, np.zeros(block.shape[1]), 1, sums)
        assert low is not None and high is not None
        low, high = low.astype(np.float64), high.astype(np.float64)
        if sums is None:
            return Whole(low, high)
        weights = self.rows.weights
        total = np.count_nonzero(self.rows.train) if weights is None else np.cumsum(weights)[-1]
        mean = sums / total
        for block, w in self._matrices():
            if len(block):
                squares = weighted_sums(block, w, mean, 2, squares)
        assert squares is not None
        return Whole(low, high, mean, np.sqrt(squares / total))

    def _matrices(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """The rows of each block that the scaling is learned from, and their weights."""
        used = 0
        for first, part, what in self._blocks():
            matrix = self.X.matrix(part, self.columns, f"X of {what}")
            chosen = self.rows.train[first : first + len(matrix)]
            count = int(np.count_nonzero(chosen))
            weights = self.rows.weights
            if weights is not None:
                weights = weights[used : used + count]
            used += count
            yield (matrix if count == len(matrix) else matrix[chosen]), weights


def _joined(X: Gathered, parts: list[np.ndarray | Table]) -> np.ndarray | Table:
    if X.keeps_tables and X.layout.names is not None:
        return joined([one for one in parts if isinstance(one, Table)], X.layout.names)
    arrays = [one for one in parts if isinstance(one, np.ndarray)]
    return np.concatenate(arrays) if arrays else np.empty((0, X.layout.width))
