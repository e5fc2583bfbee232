"""What training needs to know of the rows of a cluster before its first step: as
`data.prepare.prepare`, to the same bits, but X stays with the workers.

y and the weights of rows come to the client, where classes, rows that are set apart, weights and
the scaling of the targets are found as those of arrays. Sums over X are made shard by shard; the
rows that quartiles are taken of come to the client.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from cnn_core._cpu import with_subnormals
from cnn_core._dataset import RowSource
from cnn_core._few import counted, other_features
from cnn_core._frozen import Frozen, replace
from cnn_core.dask.engine import Engine, bundle_size, hold
from cnn_core.dask.rows import (
    Collection,
    Deal,
    Encoding,
    aligned,
    bundled,
    check_X_is_a_matrix,
    collection,
    cut_rows,
    cuts,
    dealt_rows,
    encoded,
    first_sums,
    in_memory,
    lengths_of,
    look,
    names_of,
    power_sums,
    precision,
    second_sums,
)
from cnn_core.dask.tables import in_numbers, learn_columns
from cnn_core.data.auto_scaling import (
    middle_and_size_of,
    numbers_of_few,
    reason_of,
    usual_scaling,
    whatever_they_are,
)
from cnn_core.data.prepare import (
    Dataset,
    Preparation,
    Prepared,
    SetApart,
    learn_target_scaling_of,
    make_dataset,
    set_apart,
    target_dtype_of,
)
from cnn_core.data.scaling import Whole, learn_scaling, step_of_some, total_of
from cnn_core.data.shards import CutHere, shard_bounds, sum_of_shards
from cnn_core.data.targets import check_given
from cnn_core.data.validation import check_names, check_target_names, target_names
from cnn_core.parameters import draw_seed
from cnn_core.training import fit

if TYPE_CHECKING:
    from cnn_core.blocks.learn import BlockData
    from cnn_core.columns.columns import Columns
    from cnn_core.data.scaling import Scaling
    from cnn_core.task import Task


class Shards(NamedTuple):
    """Rows in shards, at the workers."""

    tasks: list[Any]  #: of `rows.Bundle`, `size` shards in each but the last
    bounds: list[int]  #: where each shard begins, and how many rows there are
    size: int

    @property
    def counts(self) -> list[int]:
        """Rows of each shard."""
        return [end - first for first, end in pairwise(self.bounds)]

    def bundles(self, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """What there is of each shard, as the tasks have them."""
        firsts = range(0, len(values), self.size)
        return [tuple(values[first : first + self.size]) for first in firsts]


class ClusterData(Frozen):
    """The rows of a training. `sample` and `chosen` are those of `blocks.learn.BlockData`, which is
    what advice asks for where X is not in memory."""

    train: Shards
    validation: Shards | None
    sample: Dataset
    chosen: np.ndarray


class Given(NamedTuple):
    """What a fit is given, as collections; y and weights also in memory."""

    X: Collection
    y: Collection
    lengths: list[int]  #: rows of each partition
    y_whole: Any
    weights: Any


def given(
    engine: Engine, X: Any, y: Any, weights: Any, tables: bool = False, name: str = ""
) -> Given:
    """Take in collections, whose columns may hold more than numbers where X are tables; `name`
    begins that of X and y in messages."""
    of_X, of_y = collection(f"{name}X", X), collection(f"{name}y", y)
    check_X_is_a_matrix(X, of_X, tables)
    y_whole, y_lengths = in_memory(engine, f"{name}y", of_y)
    check_given(f"{name}y", y_whole)
    lengths = y_lengths
    if of_X.lengths is not None or len(of_X.pieces) != len(y_lengths):
        lengths = lengths_of(engine, of_X)
    n, others = sum(lengths), [(f"{name}y", sum(y_lengths))]
    w_whole = None
    if weights is not None:
        w_whole, w_lengths = in_memory(
            engine, "sample_weight", collection("sample_weight", weights)
        )
        others.append(("sample_weight", sum(w_lengths)))
    for what, rows in others:
        if rows != n:
            raise ValueError(f"{name}X has {counted(n, 'row')}, but {what} has {rows}")
    return Given(of_X, aligned(of_X, of_y, (lengths, y_lengths)), lengths, y_whole, w_whole)


def read(
    p: SimpleNamespace,
    engine: Engine,
    rows: tuple[Any, Any, Any],
    validation_data: tuple[Any, Any] | None,
) -> fit.Read:
    """As `training.fit.read`, of Dask collections."""
    pair = None if validation_data is None else SetApart(validation_data)
    asked = fit.Given(rows, pair, None, "fit")
    fit.check_asked(p, asked)
    found = given(engine, *rows, p.columns is not None)
    task, labels = fit.task_or_cure(p, (found.X.meta, found.y_whole), None, None, "fit")
    how = fit.preparation(p, "fit")
    fit.check_scaling_of_targets(p, task)
    fit.check_trains(p, task, "fit")
    data = _Preparing(p, engine, found, (task, labels), how).prepared(validation_data)
    return fit.Read(asked, (data.X, found.y_whole, found.weights), None, task, how, data)


class _Preparing:
    """The parts of `prepare`."""

    def __init__(
        self,
        p: SimpleNamespace,
        engine: Engine,
        rows: Given,
        task: tuple[Task, np.ndarray | None],
        how: Preparation,
    ) -> None:
        self.engine, self.given, self.task = engine, rows, task[0]
        self.labels, self.names = task[1], names_of(rows.X.meta)
        self.columns: Columns | None = None
        self.tables = p.columns is not None
        self.scales = how.scale_inputs is not None
        self.precise = precision(rows.X) if self.scales else how.dtype
        self.how = replace(how, target_dtype=target_dtype_of(self.task, rows.y_whole, how, None))
        self.p = p

    def prepared(self, validation_data: tuple[Any, Any] | None) -> Prepared:
        """Check, encode, weigh, split and scale."""
        how, rows, of_targets = self.how, self.given, target_names(self.given.y_whole)
        whole = self._dataset(rows.y_whole, how, rows.weights)
        seed, train, validation, apart = draw_seed(self.p.random_state), whole, None, None
        if how.validation_fraction is not None and validation_data is None:
            apart = set_apart(seed, train, how.validation_fraction)
            validation = self._dataset(rows.y_whole, how.of_validation).take(apart)
            validation, train = self._stand_in(validation), self._stand_in(train.take(~apart))
        n = train.X.count
        if n < how.shards:
            raise ValueError(
                f"shards={how.shards} needs a row for each, and X has {n} to train on; take fewer"
            )
        bounds, kept = shard_bounds(n, how.shards), None if apart is None else ~apart
        # Sums of L-BFGS have the bits of MLP's, whose shards are cut.
        deal = None if self.p.rule.name == "lbfgs" else Deal(seed, how.shards, n)
        order = None if deal is None else deal.order
        if order is not None:
            train = train.at(order, np.zeros((n, 1), how.dtype))
        raw = self._raw(rows, kept, bounds, deal)
        raw = self._with_columns(raw, bounds, train.row_weights())
        looked = _Look(self.engine, raw, bounds, train.row_weights(), *self._widths)
        scaling = self._scaling(looked)
        targets = learn_target_scaling_of(how, self.task, train, of_targets)
        train = train.learning(targets, how.dtype).shared(False, how.shards)
        encoding = Encoding(self.task, replace(how, class_weight=None), scaling, targets)
        shards = self._ready(raw, encoding, train.weights, bounds)
        judged = None
        if validation_data is not None:
            validation, judged = self._given_validation(validation_data, encoding, of_targets)
        elif validation is not None:
            v_bounds = shard_bounds(validation.X.count, how.shards)
            apart_rows = self._in_numbers(self._raw(rows, apart, v_bounds), "X")
            judged = self._ready(apart_rows, _judging(encoding), None, v_bounds)
            validation = validation.learning(targets, how.dtype)
        chosen = looked.sample_numbers
        sample = train.at(chosen, _network_rows(looked.sample, scaling, how.dtype))
        if order is not None:
            chosen = order[chosen]
        if kept is not None:
            chosen = np.flatnonzero(kept)[chosen]
        data = ClusterData(shards, judged, sample, chosen)
        return Prepared(
            train,
            validation,
            scaling,
            targets,
            looked.n_features,
            self.columns.names_in if self.columns else self.names,
            seed,
            self.columns,
            looked.sample,
            of_targets,
            apart,
            cast("BlockData", data),
        )

    def _dataset(self, y: Any, how: Preparation, weights: Any = None) -> Dataset:
        """Targets and weights, with nothing in the place of X."""
        rows = np.zeros((sum(self.given.lengths), 1), how.dtype)
        return make_dataset(self.task, rows, y, how, labels=self.labels, sample_weight=weights)

    def _stand_in(self, data: Dataset) -> Dataset:
        return replace(data, X=RowSource(np.zeros((data.X.count, 1), self.how.dtype)))

    def _raw(
        self, rows: Given, kept: np.ndarray | None, bounds: list[int], deal: Deal | None = None
    ) -> list[Any]:
        """Tasks of `Raw`. Where there are fewer rows than shards, the last ones have none, which
        would add zeros."""
        dtype = None if self.tables else self.precise
        if deal is not None:
            (partitions,) = cuts(rows.lengths, kept, (0, deal.rows))
            return self.engine.compute(dealt_rows(rows.X, rows.y, partitions, deal, dtype))
        shards = [shard for shard in cuts(rows.lengths, kept, bounds) if shard]
        return self.engine.compute(cut_rows(rows.X, rows.y, shards, dtype))

    def _with_columns(
        self, raw: list[Any], bounds: list[int], weights: np.ndarray | None
    ) -> list[Any]:
        """Of tables their numbers, once it is learned what the columns become."""
        if not self.tables:
            return raw
        numbers = sample_of(bounds[-1], weights, self.given.X.width)
        each = [_between(numbers, *ends) for ends in pairwise(bounds)]
        self.columns = learn_columns(self.engine, raw, each, self.how.columns)
        return self._in_numbers(raw, "X")

    def _in_numbers(self, raw: list[Any], name: str) -> list[Any]:
        if self.columns is None:
            return raw
        return in_numbers(self.engine, raw, self.columns, self.precise, name)

    @property
    def _widths(self) -> tuple[int, int]:
        """Columns of the matrix, and how many of them are no numbers of categories."""
        if self.columns is None:
            return self.given.X.width, self.given.X.width
        return self.columns.width, self.columns.width - len(self.columns.embeddings)

    def _ready(
        self, raw: list[Any], encoding: Encoding, weights: RowSource | None, bounds: list[int]
    ) -> Shards:
        """The rows as the network reads them."""
        engine, tasks = self.engine, []
        held = engine.submit(hold, encoding)
        for one, (first, end) in zip(raw, pairwise(bounds)):
            part = None if weights is None else weights.array[first:end]
            tasks.append(engine.submit(encoded, one, held, part))
        shards = Shards([], bounds[: len(raw) + 1], bundle_size(engine, len(raw)))
        return shards._replace(
            tasks=[engine.submit(bundled, *some) for some in shards.bundles(tasks)]
        )

    def _scaling(self, looked: _Look) -> Scaling | None:
        """That of the inputs."""
        how, columns, weights = self.how, self.columns, looked.sample_weights
        kind, reason = how.scale_inputs, ""
        if kind is None or not looked.n_numbers:
            return None
        if kind == "auto":
            names = columns.encoded if columns else self.names
            with np.errstate(over="ignore", invalid="ignore"):
                reason = with_subnormals(reason_of, (looked, names))
            reason = reason or whatever_they_are(how, columns)
            if not reason:
                return None
            kind = "standard" if how.linear else ""
        whole, shards = looked.whole(kind == "standard"), how.shards
        sample = RowSource(np.ascontiguousarray(looked.sample[:, : looked.n_numbers]))
        if reason:
            return usual_scaling(how, reason, sample, weights, whole, shards)
        return learn_scaling(kind, sample.rows(), weights, whole=whole, shards=shards)

    def _given_validation(
        self, pair: tuple[Any, Any], encoding: Encoding, of_targets: tuple[str, ...]
    ) -> tuple[Dataset, Shards]:
        """The rows that a user gives to validate on."""
        try:
            X, y = pair
        except (TypeError, ValueError):
            raise ValueError("validation_data must be a pair (X, y)") from None
        name = "validation_data's "
        rows = given(self.engine, X, y, None, self.tables, name)
        if not self.tables:
            check_names(rows.X.meta, self.names, f"{name}X")
            if rows.X.width != self.given.X.width:
                raise ValueError(other_features(f"{name}X", rows.X.width, self.given.X.width))
        check_target_names(rows.y_whole, of_targets, f"{name}y")
        n, how = sum(rows.lengths), self.how
        stand_in = np.zeros((n, 1), how.dtype)
        data = make_dataset(
            self.task, stand_in, rows.y_whole, how.of_validation, names=(f"{name}X", f"{name}y")
        )
        bounds = shard_bounds(n, how.shards)
        raw = self._in_numbers(self._raw(rows, None, bounds), f"{name}X")
        shards = self._ready(raw, _judging(encoding), None, bounds)
        return data.learning(encoding.targets, how.dtype), shards


def _judging(encoding: Encoding) -> Encoding:
    """How rows to validate on are encoded."""
    return encoding._replace(how=encoding.how.of_validation)


def _network_rows(rows: np.ndarray, scaling: Scaling | None, dtype: str) -> np.ndarray:
    if scaling is not None:
        return scaling.apply(rows, dtype)
    return np.ascontiguousarray(rows, dtype)


def sample_of(n: int, weights: np.ndarray | None, width: int) -> np.ndarray:
    """The numbers of rows that stand for all where not every one is looked at, evenly spaced."""
    numbers = np.arange(n) if weights is None else np.flatnonzero(weights[:, 0] > 0)
    return numbers[:: step_of_some(len(numbers), width)].copy()


def _between(numbers: np.ndarray, first: int, end: int) -> np.ndarray:
    """Those from first to end, counted from first."""
    some = numbers[np.searchsorted(numbers, first) : np.searchsorted(numbers, end)]
    found: np.ndarray = some - first
    return found


class _Look:
    """What is asked of the rows of all shards before they are scaled; see
    `auto_scaling.Measured`.

    Parameters
    ----------
    engine : Engine
    raw : list
        Tasks of `Raw`.
    bounds : list of int
    weights : ndarray, shape (rows, 1), or None
    n_features : int
    n_numbers : int
        The first of these, which are scaled; numbers of categories follow.
    """

    def __init__(
        self,
        engine: Engine,
        raw: list[Any],
        bounds: list[int],
        weights: np.ndarray | None,
        n_features: int,
        n_numbers: int,
    ) -> None:
        self.engine, self.raw, self.bounds, self.weights = engine, raw, bounds, weights
        n, self.n_features, self.n_numbers = bounds[-1], n_features, n_numbers
        self.sample_numbers = sample_of(n, weights, n_features)
        found = self._each(look, lambda s: (self._in(numbers_of_few(n), s),
                                            self._in(self.sample_numbers, s)))  # fmt: skip
        self.low = np.minimum.reduce([one.low for one in found])[:n_numbers]
        self.high = np.maximum.reduce([one.high for one in found])[:n_numbers]
        self._few = np.concatenate([one.few for one in found])[:, :n_numbers]
        self.sample = np.ascontiguousarray(np.concatenate([one.sample for one in found]))

    def _in(self, numbers: np.ndarray, shard: int) -> np.ndarray:
        """Those of some rows that are of a shard, counted from its first."""
        return _between(numbers, self.bounds[shard], self.bounds[shard + 1])

    def _each(self, function: Any, arguments: Any) -> list[Any]:
        """The results of a function of each shard, its weights and more."""
        tasks = []
        for s, rows in enumerate(self.raw):
            w = None if self.weights is None else self.weights[self.bounds[s] : self.bounds[s + 1]]
            tasks.append(self.engine.submit(function, rows, w, *arguments(s)))
        return self.engine.results(tasks)

    def _sum(self, parts: list[np.ndarray]) -> np.ndarray:
        return sum_of_shards(lambda s, _: parts[s], range(len(parts) + 1))

    @property
    def sample_weights(self) -> np.ndarray | None:
        """Of the sample, shape (rows, 1), in float64."""
        if self.weights is None:
            return None
        found: np.ndarray = self.weights[self.sample_numbers].astype(np.float64)
        return found

    def extent(self) -> tuple[np.ndarray, np.ndarray]:
        """The smallest and the largest entry of each column."""
        return self.low, self.high

    def few(self) -> np.ndarray:
        """Rows that a background is looked for in."""
        return self._few

    def middle_and_size(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each column."""
        found = self._each(first_sums, lambda s: (low, high))
        sums = self._sum([one[0] for one in found])
        two = np.logical_and.reduce([one[1] for one in found])
        mean = sums[:-1] / sums[-1]
        squares = self._sum(self._each(second_sums, lambda s: (mean,)))
        return middle_and_size_of(sums, squares, two, low, high)

    def whole(self, deviates: bool) -> Whole:
        """What is known of all rows."""
        ends = self.low.astype(np.float64), self.high.astype(np.float64)
        if not deviates:
            return Whole(*ends)
        total: float = self.bounds[-1]
        if self.weights is not None:
            counts = self.weights[:, 0] > 0
            rows = CutHere(self.bounds).kept(counts)
            total = total_of(self.weights[counts].astype(np.float64), rows)
        zeros = np.zeros(self.n_numbers)
        mean = self._sum(self._each(power_sums, lambda s: (zeros, 1))) / total
        squares = self._sum(self._each(power_sums, lambda s: (mean, 2)))
        return Whole(*ends, mean, np.sqrt(squares / total))
