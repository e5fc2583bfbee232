"""`prepare`: from X and y as users give them to what training reads."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._cpu import with_subnormals
from cnn_core._dataset import RowSource
from cnn_core._frozen import Frozen, replace
from cnn_core.columns.table import Table
from cnn_core.data.auto_scaling import FEWEST_ROWS, choose_scaling, go_on
from cnn_core.data.following import Streamed, streamed
from cnn_core.data.row_order import warn_of_order
from cnn_core.data.scaling import Scaling, total_of
from cnn_core.data.shards import cut
from cnn_core.data.split import stratified_split
from cnn_core.data.target_scaling import (
    ROBUST_LOSSES,
    TargetScaling,
    learn_target_scaling,
    scales_targets,
)
from cnn_core.data.targets import check_given, check_targets, encode_labels
from cnn_core.data.validation import (
    as_numbers,
    check_finite,
    check_names,
    check_rows,
    check_target_names,
    check_X,
    feature_names,
    place_of_first,
    target_names,
)
from cnn_core.data.weights import ClassWeight, make_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from cnn_core.blocks.learn import BlockData
    from cnn_core.columns.columns import Columns
    from cnn_core.distributed.prepare import RankData
    from cnn_core.model import Model
    from cnn_core.task import Task


class Dataset(Frozen):
    """Rows to train or to validate on, checked and in the model's dtype."""

    X: RowSource
    y: RowSource | None  # None for a sparse loss
    labels: RowSource | None  # class indices; None for regression and multilabel
    weights: RowSource | None = None
    weight_scale: float = 1.0  # by what the users' weights are multiplied in `weights`
    total_weight: float | None = None  # what all rows of an epoch share; None where none has one

    def targets_of(self, sparse: bool) -> np.ndarray:
        """Class indices, shape (rows,), or the targets that other losses take."""
        source = self.labels if sparse else self.y
        assert source is not None
        return source.array[:, 0] if sparse else source.array

    def take(self, chosen: np.ndarray) -> Dataset:
        """The rows for which `chosen` is True; those of X, which may be large, stay where they
        are."""
        y, labels, weights = (
            None if part is None else RowSource(part.array[chosen])
            for part in (self.y, self.labels, self.weights)
        )
        rows = RowSource(self.X.array, np.flatnonzero(chosen))
        return Dataset(rows, y, labels, weights, self.weight_scale)

    def at(self, numbers: np.ndarray, rows: np.ndarray) -> Dataset:
        """Some rows, with `rows` for those of X."""
        y, labels, weights = (
            None if part is None else RowSource(part.array[numbers])
            for part in (self.y, self.labels, self.weights)
        )
        return Dataset(RowSource(rows), y, labels, weights, self.weight_scale)

    def with_X(self, rows: np.ndarray) -> Dataset:
        """The same rows of another array."""
        return replace(self, X=RowSource(rows, self.X.indices))

    def shared(self, incremental: bool, shards: int = 1) -> Dataset:
        """The same rows, with the total weight that mini-batches share by their number of rows: the
        sum of the weights; in a partial_fit, where it is not known, the number of rows."""
        if self.weights is None:
            return self
        total = total_of(self.weights.array, cut(len(self.weights.array), shards))
        if incremental and total > 0:
            total = min(self.weight_scale * self.X.count, sys.float_info.max)
        return replace(self, total_weight=total or None)

    def row_weights(self) -> np.ndarray | None:
        """As users gave them where these sums can be counted with, shape (rows, 1); None where all
        count alike."""
        if self.weights is None:
            return None
        weights = self.weights.rows()
        exponent = int(np.frexp(weights.max())[1]) - int(np.frexp(self.weight_scale)[1])
        if self.weight_scale in (0, 1) or abs(exponent) > 50:
            return weights
        return weights.astype(np.float64) / self.weight_scale

    def reading(self, rows: np.ndarray, scaling: Scaling | None) -> Dataset:
        """The same rows as the network reads them: `rows` in its dtype, or scaled to it."""
        if scaling is None:
            return self.with_X(rows)
        return replace(self, X=RowSource(scaling.apply(self.X.rows(), rows.dtype)))

    def learning(self, scaling: TargetScaling | None, dtype: DTypeLike) -> Dataset:
        """The same targets as the network learns them."""
        if self.y is None or (scaling is None and self.y.array.dtype == dtype):
            return self
        y = self.y.rows()
        if scaling is not None:
            return replace(self, y=RowSource(scaling.apply(y, dtype)))
        return replace(self, y=RowSource(with_subnormals(np.ascontiguousarray, (y, dtype))))

    def total_sum_of_squares(self) -> np.ndarray:
        """Sum of (y - mean y)^2 of each output, for R^2."""
        assert self.y is not None
        y = self.y.array
        with np.errstate(over="ignore"):  # as sums of squares of the core may
            total: np.ndarray = ((y - y.mean(axis=0, dtype=np.float64)) ** 2).sum(axis=0)
        return total

    def baseline_score(self, task: Task) -> float:
        """The metric that the best constant prediction reaches: the share of the largest class, or
        R^2 = 0."""
        if task.name == "regression":
            return 0.0
        if self.labels is not None:
            return float(np.bincount(self.labels.array[:, 0]).max() / self.X.count)
        assert self.y is not None
        rows = self.y.array > task.threshold
        return float(np.unique(rows, axis=0, return_counts=True)[1].max() / len(rows))


class Preparation(Frozen):
    """What a model's parameters say about its data."""

    dtype: str
    scale_inputs: str | None = None
    class_weight: ClassWeight = None
    label_smoothing: float = 0.0
    validation_fraction: float | None = None  #: None: no rows are set apart
    incremental: bool = False  #: a partial_fit: more rows, not known yet, will come
    scale_targets: str | None = None
    clip_outputs: bool = False
    linear: bool = False  #: whether 'auto' scales by linear maps alone
    needs_scaling: str = ""  #: why 'auto' scales whatever the inputs are
    target_dtype: str | None = None  #: in which targets are read; None: `dtype`
    columns: Mapping[Any, Any] | None = None  #: what is said of some columns of a table
    shards: int = 1  #: how many the training rows are cut into
    target_names: tuple[str, ...] = ()  #: of columns of X that are y

    @property
    def of_validation(self) -> Preparation:
        """How rows to validate on are read: without weights and label smoothing."""
        return Preparation(self.dtype, target_dtype=self.target_dtype)


class Prepared(Frozen):
    """Rows that can be trained on."""

    train: Dataset
    validation: Dataset | None
    scaling: Scaling | None
    target_scaling: TargetScaling | None
    n_features: int
    feature_names: np.ndarray | None
    seed: int
    columns: Columns | None
    X: ArrayLike  #: of a table its matrix
    target_names: tuple[str, ...] = ()  #: of the columns of y; empty where they have none
    apart: np.ndarray | None = None  #: whether each row is set apart; None: none is
    blocks: BlockData | None = None  #: where X comes in blocks: `train` has none of its rows
    streamed: Streamed | None = None  #: of a partial_fit
    ranks: RankData | None = None  #: where ranks share X: `train` has none of its rows


def prepare(
    X: ArrayLike,
    y: ArrayLike,
    task: tuple[Task, np.ndarray | None],
    how: Preparation,
    seed: Callable[[], int],
    before: Model | None = None,
    sample_weight: ArrayLike | None = None,
    validation_data: tuple[ArrayLike, ArrayLike] | None = None,
) -> Prepared:
    """Check, encode, weigh, split and scale.

    Parameters
    ----------
    X, y : array-like
        X may be a `Table`, whose columns become a matrix.
    task : (Task, ndarray or None)
        From `infer_task`.
    how : Preparation
    seed : callable
        Draws the seed, by which rows are set apart, once X and y are known to be good.
    before : Model, optional
        The model that training goes on with: features, scaling and names stay its own.
    sample_weight : array-like, optional
    validation_data : (X, y), optional, in the place of rows set apart

    Returns
    -------
    Prepared
    """
    meaning, labels = task
    table: Table | None = X if isinstance(X, Table) else None
    names = feature_names(X) if table is None else None
    of_targets = how.target_names or target_names(y)
    of_targets = of_targets or (() if before is None else before.seen.targets)
    n_features = None if before is None else before.n_features
    if before is not None and before.knows_no_rows:  # these are the first
        before = None
    scales = how.scale_inputs is not None if before is None else before.scaling is not None
    # Where scaling may come first, X and y stay as precise as they were given.
    precise = precise_dtype(X) if scales else how.dtype
    rows = _stand_in(table) if table is not None else check_X(X, precise, n_features)
    how = replace(how, target_dtype=target_dtype_of(meaning, y, how, before))
    train = make_dataset(meaning, rows, y, how, labels=labels, sample_weight=sample_weight)
    validation, drawn, stream, apart = None, seed(), None, None
    if how.validation_fraction is not None and validation_data is None:
        apart = set_apart(drawn, train, how.validation_fraction)
        validation = make_dataset(meaning, rows, y, how.of_validation, labels=labels).take(apart)
        train = train.take(~apart)
    columns = None if before is None else before.columns
    if table is not None:
        columns = columns or _learn_columns(how, table, train)
        X, names = columns.encode(table), columns.encoded
        rows = check_X(X, precise, n_features)
        train, validation = train.with_X(rows), validation and validation.with_X(rows)
    if before is None:
        scaling = _learn_scaling(how, X, train, names, columns)
        targets = learn_target_scaling_of(how, meaning, train, of_targets)
    else:
        scaling = before.scaling
        if scaling is not None:
            scaling = go_on(scaling, rows[:, : len(scaling.shift)])
        targets = targets_go_on(before, train)
    if how.incremental:
        stream = streamed(before, how, meaning, train, (scaling, targets))
        scaling, targets = stream.scaling, stream.targets
    if scaling is None and precise != how.dtype:
        rows = check_X(X, how.dtype)
    read = rows if scaling is None else rows[:0].astype(how.dtype)
    train = train.reading(read, scaling).learning(targets, how.dtype)
    train = train.shared(how.incremental, how.shards)
    if validation is not None:
        validation = validation.reading(read, scaling).learning(targets, how.dtype)
    names = before.feature_names if before else columns.names_in if columns else names
    read_as = rows.shape[1], names, drawn, columns, X, of_targets, apart
    prepared = Prepared(train, validation, scaling, targets, *read_as, streamed=stream)
    if validation_data is not None:
        given = validation_dataset(validation_data, meaning, how, prepared)
        prepared = replace(prepared, validation=given)
    return prepared


def set_apart(seed: int, train: Dataset, fraction: float) -> np.ndarray:
    """Which rows to validate on, a share of each class: bool, shape (rows,)."""
    known = None if train.labels is None else train.labels.array[:, 0]
    return stratified_split(seed, train.X.count, fraction, known)


def targets_go_on(before: Model, train: Dataset) -> TargetScaling | None:
    """A model's scaling of targets, with what more rows tell of those that were constant so far."""
    if before.target_scaling is None:
        return None
    assert train.y is not None
    return before.target_scaling.goes_on(train.y.rows())


def _stand_in(table: Table) -> np.ndarray:
    """Rows in the place of a table's, until it is known which of them its columns learn from."""
    return np.zeros((len(table), 1))


def _learn_columns(how: Preparation, table: Table, train: Dataset) -> Columns:
    """What the columns of the rows that are trained on become."""
    from cnn_core.columns.columns import Columns  # of no use to those who give arrays

    if how.incremental and len(table) < FEWEST_ROWS:
        raise ValueError(
            f"the columns of a table learn from the first partial_fit, and X has {len(table)} "
            f"row{'s' * (len(table) > 1)}; give it {FEWEST_ROWS} typical rows or more, or begin "
            "with a fit"
        )
    indices = train.X.indices
    return Columns.fitted(table if indices is None else table.take(indices), how.columns)


def _learn_scaling(
    how: Preparation,
    X: ArrayLike,
    train: Dataset,
    names: np.ndarray | None,
    columns: Columns | None,
) -> Scaling | None:
    """The scaling of the features that are no numbers of categories; None where it does nothing."""
    source, embedded = train.X, 0 if columns is None else len(columns.embeddings)
    if embedded:
        numbers = source.array[:, :-embedded]
        if not numbers.size:
            return None
        source = RowSource(np.ascontiguousarray(numbers), source.indices)
    return choose_scaling(how, X, source, train.row_weights(), names, None, columns)


def precise_dtype(array: object) -> str:
    """The dtype that holds each entry of an array as it is, float64 at most."""
    dtype = getattr(array, "dtype", None)
    exact = isinstance(dtype, np.dtype) and np.can_cast(dtype, np.float32)
    return "float32" if exact else "float64"


def target_dtype_of(task: Task, y: ArrayLike, how: Preparation, before: Model | None) -> str:
    """In which dtype targets are read: where they are scaled, as precise as they were given."""
    if before is not None:
        scales = before.target_scaling is not None
    else:
        scales = how.clip_outputs or (how.scale_targets is not None and scales_targets(task))
    return precise_dtype(y) if task.name == "regression" and scales else how.dtype


def learn_target_scaling_of(
    how: Preparation, task: Task, train: Dataset, names: tuple[str, ...]
) -> TargetScaling | None:
    """The scaling of the targets that are trained on; None where it does nothing."""
    if task.name != "regression":
        return None
    assert train.y is not None
    y, kind = train.y.rows(), how.scale_targets if scales_targets(task) else None
    if kind == "auto" and how.incremental and len(y) < FEWEST_ROWS:
        kind = None  # `training.first_rows` keeps them
    robust = task.loss in ROBUST_LOSSES
    rest = train.row_weights(), robust, how.incremental, names, how.shards
    return learn_target_scaling(kind, how.clip_outputs, y, *rest)


class SetApart(tuple[Any, Any]):
    """Rows to validate on, (X, y), that are some of those that a user gave to train on."""

    __slots__ = ()


def validation_dataset(
    pair: tuple[ArrayLike, ArrayLike], task: Task, how: Preparation, prepared: Prepared
) -> Dataset:
    """The rows that a user gives to validate on."""
    try:
        X, y = pair
    except (TypeError, ValueError):
        raise ValueError("validation_data must be a pair (X, y)") from None
    name, y_name = "validation_data's X", "validation_data's y"
    if isinstance(pair, SetApart):
        name, y_name = "the validation rows' X", "the validation rows' y"
    warn_of_order(X, y, y_name, name)
    if prepared.columns is not None:
        from cnn_core.columns.target import known_target

        table, of_y = prepared.columns.table(X, name), (prepared.target_names, y_name)
        table, y = known_target(table, y, task.classes, *of_y)
        X = prepared.columns.encode(table, name)
    else:
        check_names(X, prepared.feature_names, name)
    check_target_names(y, prepared.target_names, y_name)
    rows = check_X(X, how.dtype, prepared.n_features, name, prepared.scaling)
    data = make_dataset(task, rows, y, how.of_validation, names=(name, y_name))
    return data.learning(prepared.target_scaling, how.dtype)


def make_dataset(
    task: Task,
    X: np.ndarray,
    y: ArrayLike | None,
    how: Preparation,
    *,
    labels: np.ndarray | None = None,
    sample_weight: ArrayLike | None = None,
    names: tuple[str, str] = ("X", "y"),
) -> Dataset:
    """Targets and weights in the form that training wants, beside X.

    Parameters
    ----------
    task : Task
    X : ndarray, shape (rows, features)
        Checked.
    y : array-like
    how : Preparation
    labels : ndarray of int32, optional
        y's class indices, where they are known already.
    sample_weight : array-like, optional
    names : (str, str)
        What to call X and y in messages.

    Returns
    -------
    Dataset
    """
    dtype = how.target_dtype or how.dtype
    targets, labels = make_targets(task, y, labels, dtype, how.label_smoothing, names[1])
    found = labels if targets is None else targets
    assert found is not None
    if dtype != how.dtype:
        check_finite(names[1], found, how.dtype, y)
    check_rows(len(X), len(found), names[1], names[0])
    weights, weight_scale = make_weights(
        task, labels, len(X), sample_weight, how.class_weight, how.dtype
    )
    return Dataset(
        RowSource(X),
        None if targets is None else RowSource(targets),
        None if labels is None else RowSource(labels[:, None]),
        None if weights is None else RowSource(weights),
        weight_scale,
    )


def make_targets(
    task: Task,
    y: ArrayLike | None,
    labels: np.ndarray | None,
    dtype: DTypeLike,
    label_smoothing: float = 0.0,
    name: str = "y",
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """y in the form that the loss wants.

    Parameters
    ----------
    task : Task
    y : array-like
    labels : ndarray or None
        y's class indices, where they are known already.
    dtype : dtype-like
    label_smoothing : float
        Share of each target that is spread evenly over the classes: Szegedy et al. 2016,
        "Rethinking the Inception architecture for computer vision", section 7.
    name : str
        What to call y in messages.

    Returns
    -------
    targets : ndarray of dtype, shape (rows, n_outputs), or None
        None for a sparse loss.
    labels : ndarray of int32, shape (rows,), or None
        Class indices; None for regression and multilabel.
    """
    check_given(name, y)
    if task.name == "regression":
        return check_targets(y, dtype, task.n_outputs, name, task.loss), None
    if task.name == "multilabel":
        return _multilabel_targets(task, y, dtype, label_smoothing, name), None
    no, yes = task.target_range
    if task.one_hot and np.ndim(y) == 2:  # type: ignore[arg-type]
        targets = _probabilities(task, y, dtype, name)
        labels = targets.argmax(axis=1).astype(np.int32)
    else:
        if labels is None:
            labels = encode_labels(y, task.classes, name)[1]
        if task.sparse:
            return None, labels
        of_classes = labels[:, None] if task.n_outputs == 1 else np.eye(task.n_outputs)[labels]
        targets = (of_classes * (yes - no) + no).astype(dtype)
    if label_smoothing:
        share = label_smoothing / (2 if task.n_outputs == 1 else task.n_outputs)
        targets = (targets * (1 - label_smoothing) + share).astype(dtype)
    return targets, labels


def _multilabel_targets(
    task: Task, y: ArrayLike | None, dtype: DTypeLike, label_smoothing: float, name: str
) -> np.ndarray:
    """Targets for several yes-or-no labels a row."""
    no, yes = task.target_range
    array = as_numbers(name, y)
    check_finite(name, array, np.float64, y)
    wrong = (array != 0) & (array != 1)
    if wrong.any():
        index, where = place_of_first(wrong, name, y)
        raise ValueError(
            f"{name} has {array[index].item()!r} {where}; several labels a row must each be 0 or "
            "1 (rows of class probabilities need loss='categorical_crossentropy', several numbers "
            "task='regression')"
        )
    targets = check_targets(array, dtype, task.n_outputs, name) * (yes - no) + no
    if label_smoothing:
        targets = targets * (1 - label_smoothing) + label_smoothing / 2
    converted: np.ndarray = with_subnormals(np.ascontiguousarray, (targets, dtype))
    return converted


def _probabilities(task: Task, y: ArrayLike | None, dtype: DTypeLike, name: str) -> np.ndarray:
    """Targets from rows of class probabilities."""
    targets = check_targets(y, dtype, task.n_outputs, name, task.loss)
    wrong = np.flatnonzero(np.abs(targets.sum(axis=1) - 1) > 1e-3)
    if len(wrong):
        raise ValueError(
            f"{name} has row {wrong[0]} with the sum {targets[wrong[0]].sum():g}; rows of class "
            "probabilities must sum to 1"
        )
    return targets
