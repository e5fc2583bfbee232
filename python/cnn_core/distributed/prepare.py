"""What training needs to know of the rows of all ranks before its first step: as `data.prepare`,
but of X each rank has its own rows alone.

Targets, labels and weights of all rows are on every rank, so whatever is learned from them is the
same as in one process. Of X, sums and ends are made of those of the shards, and rows that are
evenly spaced give quartiles, as in one process too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._dataset import RowSource
from cnn_core._frozen import Frozen, replace
from cnn_core.data.auto_scaling import choose_scaling, go_on
from cnn_core.data.fingerprint import digest_of_all, digests_of_shards
from cnn_core.data.prepare import (
    Dataset,
    Preparation,
    Prepared,
    learn_target_scaling_of,
    make_dataset,
    set_apart,
    target_dtype_of,
    targets_go_on,
)
from cnn_core.data.scaling import QUARTILE_NUMBERS
from cnn_core.data.shards import rows_of
from cnn_core.data.validation import check_names, check_order_of_targets, check_rows, check_X
from cnn_core.distributed.ranks import Ranks
from cnn_core.distributed.rows import RankCut, RankRows, gather_values
from cnn_core.distributed.tree import Tree

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.columns.columns import Columns
    from cnn_core.data.scaling import Scaling
    from cnn_core.model import Model
    from cnn_core.task import Task

LOOKED_AT = 1 << 12  # rows that stand for all where not every row is looked at


class RankData(Frozen):
    """The rows that are trained on, and judged by, of which each rank has some."""

    ranks: Ranks
    tree: Tree
    own: dict[int, Dataset]  #: from the id of an X of all rows to the rows that are here
    cut: RankCut  #: of the rows that are trained on
    sample: Dataset  #: some of these, evenly spaced
    validation: Dataset | None  #: the same of those that are judged by
    chosen: np.ndarray  #: the numbers of the sample among all rows
    ends: np.ndarray  #: the smallest and the largest number of each column, shape (2, features)
    digest: np.ndarray  #: of what each shard has of X, whatever ranks have them

    def rows_at(self, train: Dataset, numbers: np.ndarray) -> np.ndarray:
        """Some rows of all that are trained on, as the network reads them; on every rank."""
        own = self.own[id(train.X)].X
        order = np.argsort(numbers, kind="stable")
        asked = numbers[order]
        first, last = np.searchsorted(asked, (self.cut.before, self.cut.before + own.count))
        here = asked[first:last] - self.cut.before
        rows = own.array[here if own.indices is None else own.indices[here]]
        found = np.concatenate([one for one in self.ranks.gather(rows) if len(one)])
        placed = np.empty_like(found)
        placed[order] = found
        return placed

    def have_three_values(self, train: Dataset) -> np.ndarray:
        """Of each column of X whether it has three different values or more."""
        own, (low, high) = self.own[id(train.X)].X, self.ends
        found = np.zeros(len(low), bool)
        for first in range(0, own.count, LOOKED_AT):
            part = slice(first, first + LOOKED_AT)
            rows = own.array[part] if own.indices is None else own.array[own.indices[part]]
            found |= ((rows != low) & (rows != high)).any(axis=0)
        return self.cut.greatest(found)


def prepare_ranks(
    X: RankRows,
    y: ArrayLike,
    task: tuple[Task, np.ndarray | None],
    how: Preparation,
    seed: Callable[[], int],
    before: Model | None = None,
    sample_weight: ArrayLike | None = None,
    validation_data: tuple[ArrayLike, ArrayLike] | None = None,
) -> Prepared:
    """Check, encode, weigh, split and scale; see `data.prepare.prepare`.

    Parameters
    ----------
    X : RankRows
    y, sample_weight : array-like
        Of all rows.
    validation_data : (X, y), optional
        As the ranks give it.
    """
    meaning, labels = task
    ranks, tree = X.ranks, Tree(how.shards, X.ranks.size)
    if before is not None and before.knows_no_rows:
        before = None
    how = replace(how, target_dtype=target_dtype_of(meaning, y, how, before))
    check_rows(len(X), len(np.asarray(y)), "y", "X")
    stand_in = np.zeros((len(X), 1), how.dtype)
    train = make_dataset(meaning, stand_in, y, how, labels=labels, sample_weight=sample_weight)
    drawn, validation, apart, numbers = ranks.first_says(seed()), None, None, None
    if how.validation_fraction is not None and validation_data is None:
        apart = set_apart(drawn, train, how.validation_fraction)
        validation = make_dataset(meaning, stand_in, y, how.of_validation, labels=labels)
        validation, train = validation.take(apart), train.take(~apart)
        numbers = np.flatnonzero(~apart)
    columns = before.columns if before is not None else _columns(X, how, numbers)
    reader = _Reader(X, how, before, columns)
    here = X.part(reader, numbers, tree)
    cut = RankCut.of(ranks, tree, train.X.count)
    scaling = reader.scaling(here, train, cut)
    if before is None:
        targets = learn_target_scaling_of(how, meaning, train, how.target_names)
    else:
        targets = targets_go_on(before, train)
    train = _alone(train, how.dtype).learning(targets, how.dtype).shared(False, how.shards)
    parts = [(train, reader.read(here, scaling))]
    if validation is not None and apart is not None:
        validation = _alone(validation, how.dtype).learning(targets, how.dtype)
        rows = X.part(reader, np.flatnonzero(apart), tree)
        parts.append((validation, reader.read(rows, scaling)))
    elif validation_data is not None:
        given = _given(validation_data, meaning, how, reader)
        rows = given[1].part(reader, None, tree)
        validation = given[0].learning(targets, how.dtype)
        parts.append((validation, reader.read(rows, scaling)))
    data = _data(ranks, tree, cut, parts, numbers)
    names = before.feature_names if before else columns.names_in if columns else X.names
    read_as = reader.width, names, drawn, columns, stand_in, how.target_names, apart
    return Prepared(train, validation, scaling, targets, *read_as, ranks=data)


class _Reader:
    """What makes the network's inputs of rows."""

    def __init__(
        self, X: RankRows, how: Preparation, before: Model | None, columns: Columns | None
    ) -> None:
        self.X, self.how, self.before, self.columns = X, how, before, columns
        scales = how.scale_inputs is not None if before is None else before.scaling is not None
        if columns is not None:
            self.width, self.precise = columns.width, "float64"
        else:
            self.width = _width(X)
            self.precise = X.precise if scales else how.dtype
        if before is not None and columns is None:
            check_names(X, before.feature_names)

    @property
    def nothing(self) -> np.ndarray:
        """No rows, before scaling."""
        return np.zeros((0, self.width), self.precise)

    def numbers(self, rows: Any) -> np.ndarray:
        """Rows as they are given, as a checked matrix before scaling."""
        if self.columns is not None:
            return check_X(self.columns.encode(rows), self.precise)
        n_features = None if self.before is None else self.before.n_features
        return check_X(rows, self.precise, n_features)

    def scaling(self, here: RowSource, train: Dataset, cut: RankCut) -> Scaling | None:
        """That of the inputs; of numbers of categories none."""
        how, before, columns = self.how, self.before, self.columns
        n = self.width - (len(columns.embeddings) if columns else 0)
        if before is not None:
            if before.scaling is None:
                return None
            if before.scaling.constant is None or not before.scaling.constant.any():
                return before.scaling
            return go_on(before.scaling, self._some_rows(here, cut)[:, :n])
        if n == 0:
            return None
        source, weights = here, train.row_weights()
        if n < self.width:
            source = RowSource(np.ascontiguousarray(here.rows()[:, :n]))
        if weights is not None:
            weights = weights[cut.before : cut.before + here.count]
        names = columns.encoded if columns else self.X.names
        return choose_scaling(
            how, self.X, _as(source, self.precise), weights, names, None, columns, cut
        )

    def _some_rows(self, here: RowSource, cut: RankCut) -> np.ndarray:
        step = max(1, -(-cut.n_rows * self.width // QUARTILE_NUMBERS))
        return cut.every(_as(here, self.precise).rows(), step)

    def read(self, rows: RowSource, scaling: Scaling | None) -> RowSource:
        """Rows as the network reads them."""
        if scaling is not None:
            return RowSource(scaling.apply(_as(rows, self.precise).rows(), self.how.dtype))
        if rows.array.dtype == self.how.dtype:
            return rows
        if not rows.count:
            return _as(rows, self.how.dtype)
        return RowSource(check_X(rows.rows(), self.how.dtype))


def _as(rows: RowSource, dtype: str) -> RowSource:
    """Rows in a dtype; of a rank without rows too."""
    if rows.array.dtype == dtype:
        return rows
    return RowSource(rows.rows().astype(dtype))


def _alone(data: Dataset, dtype: str) -> Dataset:
    """Rows of all ranks whose X is an object that no other data have."""
    return replace(data, X=RowSource(np.zeros((data.X.count, 1), dtype)))


def _width(X: RankRows) -> int:
    if not isinstance(X.width, int):
        raise ValueError(
            f"X must have two dimensions (rows, features), got rows of the shape {X.width}"
        )
    return X.width


def _columns(X: RankRows, how: Preparation, numbers: np.ndarray | None) -> Columns | None:
    """What the columns of a table become, which learn from the rows of all ranks."""
    if X.table_of_all is None:
        return None
    from cnn_core.columns.columns import Columns  # of no use to those who give arrays

    table = X.table_of_all if numbers is None else X.table_of_all.take(numbers)
    return Columns.fitted(table, how.columns)


def _given(pair: Any, task: Task, how: Preparation, reader: _Reader) -> tuple[Dataset, RankRows]:
    """The rows that users give to validate on: the targets of all, and X."""
    try:
        X, y = pair
    except (TypeError, ValueError):
        raise ValueError("validation_data must be a pair (X, y)") from None
    ranks, columns = reader.X.ranks, reader.columns
    name, y_name = "validation_data's X", "validation_data's y"
    rows = RankRows(ranks, X, columns is not None)
    y, names = gather_values(ranks, y, y_name, rows.table_here)
    check_order_of_targets(names, how.target_names, y_name)
    if columns is not None:
        from cnn_core.columns.target import known_target

        _, y = known_target(rows.whole_table(), y, task.classes, how.target_names, y_name)
    stand_in = np.zeros((len(rows), 1), how.dtype)
    data = make_dataset(task, stand_in, y, how.of_validation, names=(name, y_name))
    return _alone(data, how.dtype), rows


def _data(
    ranks: Ranks,
    tree: Tree,
    cut: RankCut,
    parts: list[tuple[Dataset, RowSource]],
    numbers: np.ndarray | None,
) -> RankData:
    own, samples, digests = {}, [], []
    for data, rows in parts:
        of_part = RankCut.of(ranks, tree, data.X.count)
        part = slice(of_part.before, of_part.before + rows.count)
        y, labels, weights = (
            None if one is None else RowSource(one.rows()[part])
            for one in (data.y, data.labels, data.weights)
        )
        fixed = data.weight_scale, data.total_weight
        own[id(data.X)] = Dataset(rows, y, labels, weights, *fixed)
        at = np.arange(0, data.X.count, -(-data.X.count // LOOKED_AT))
        some = of_part.every(rows_of(rows), -(-data.X.count // LOOKED_AT))
        samples.append((data.at(at, np.ascontiguousarray(some)), at))
        digests.append(_digest(ranks, rows, of_part))
    train = own[id(parts[0][0].X)].X
    low, high = _ends(train)
    ends = np.array([cut.least(low), cut.greatest(high)])
    (sample, at), *others = samples
    sample = replace(sample, total_weight=parts[0][0].total_weight)
    return RankData(
        ranks,
        tree,
        own,
        cut,
        sample,
        others[0][0] if others else None,
        at if numbers is None else numbers[at],
        ends,
        np.frombuffer(b"".join(digests), np.uint8),
    )


def _ends(rows: RowSource) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest number of each column."""
    n = rows.array.shape[1]
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    every = rows_of(rows)
    for first in range(0, rows.count, LOOKED_AT):
        block = every[first : first + LOOKED_AT]
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
    return low, high


def _digest(ranks: Ranks, rows: RowSource, cut: RankCut) -> bytes:
    """What tells the X of two trainings apart, whatever ranks have its shards."""
    own = ranks.gather(digests_of_shards(rows, cut.bounds))
    return digest_of_all([one for part in own for one in part])
