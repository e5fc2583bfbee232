"""What `TabularMLP` reads: a matrix of numbers, or a table, and the rows that it sets apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core.columns.kinds import Category
from cnn_core.columns.table import Table, is_table, read_table
from cnn_core.columns.target import chosen_target, split_target, texts_of_target
from cnn_core.data.split import stratified_split
from cnn_core.data.targets import check_given
from cnn_core.data.validation import as_numbers, check_lengths, check_rows, target_names
from cnn_core.embeddings import Embedding

if TYPE_CHECKING:
    from cnn_core.columns.columns import Columns

#: Categories of a column up to which each has a column of 0 and 1, and numbers of a vector where
#: there are more.
FEW, WIDTH = 9, 8


class Given(NamedTuple):
    """The rows of a fit: X is a `Table`, or a matrix of numbers."""

    X: Any
    y: Any
    columns: Any  #: what is said of the columns, as `MLP` takes it; None of a matrix
    weights: np.ndarray | None = None
    target_names: tuple[str, ...] = ()  #: of the columns of y, where they have names

    def take(self, rows: np.ndarray) -> Given:
        """Those of some rows, for which `rows` is True."""
        X = self.X.take(rows) if isinstance(self.X, Table) else self.X[rows]
        weights = None if self.weights is None else self.weights[rows]
        return self._replace(X=X, y=self.y[rows], weights=weights)


def read(X: Any, y: Any, task: str, columns: Any, weights: Any) -> Given:
    """The rows that users give.

    Parameters
    ----------
    X, y
        As `TabularMLP.fit` takes them.
    task : str
        The parameter.
    columns : 'auto', dict or None
        The parameter.
    weights : array-like or None

    Returns
    -------
    Given
    """
    kinds, names = _kinds(X, columns), target_names(y)
    if kinds is not None:
        table = read_table(X)
        names = names or texts_of_target(table, y)
        X, y = (chosen_target if task == "auto" else split_target)(table, y)
    else:
        check_given("y", y)
        check_lengths(X, y)
        X = as_numbers("X", X)
    y = np.asarray(y)
    check_rows(len(X), len(y))
    if weights is not None:
        weights = as_numbers("sample_weight", weights)
        check_rows(len(X), len(weights), "sample_weight")
        if weights.ndim == 1 and len(weights) and weights[0] > 0 and (weights == weights[0]).all():
            weights = None  # all rows count alike
    return Given(X, y, kinds, weights, names)


def _kinds(X: Any, columns: Any) -> dict[Any, Any] | None:
    """What is said of the columns of X; None where it is a matrix of numbers."""
    if columns is None:
        return None
    said = dict(columns) if isinstance(columns, Mapping) else {}
    if said or is_table(X) or _dtype_kind(X) not in "fiub":
        return said
    array = np.asarray(X)
    if array.ndim != 2 or array.dtype.kind != "f" or not np.isnan(array).any():
        return None
    return dict.fromkeys(range(array.shape[1]), "number")


def _dtype_kind(X: Any) -> str:
    """That of the array that X is; of what is no array as it is, of the array of its entries."""
    dtype = getattr(X, "dtype", None)
    try:
        return (np.asarray(X).dtype if dtype is None else dtype).kind
    except (ValueError, TypeError, AttributeError):
        return "f"  # the checks of a matrix say what is wrong


def with_embeddings(kinds: Mapping[Any, Any], columns: Columns) -> dict[Any, Any]:
    """What is said of the columns, and which categories of the others are too many for a column of
    0 and 1 each."""
    found = dict(kinds)
    for one in columns.columns:
        if type(one) is Category and len(one.values) > FEW:
            found.setdefault(one.name, Embedding(WIDTH))
    return found


def set_apart(seed: int, labels: np.ndarray | None, rows: int, fraction: float) -> np.ndarray:
    """Which rows to choose the epoch by, the same share of each class: bool, shape (rows,)."""
    if labels is not None:
        values, labels = np.unique(labels, return_inverse=True)
        if len(values) == rows:
            raise ValueError(
                f"y has {rows} different values in {rows} rows, each a class of one row; numbers "
                "to predict are a regression: task='regression'"
            )
        labels = labels.astype(np.int32)
    return stratified_split(seed, rows, fraction, labels)
