"""The rows that scikit-learn's estimators train on, and their order."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from scipy.special import xlogy

from cnn_core._dataset import RowSource
from cnn_core.sklearn._weights import dense_rows, rows_at_once


class Source(Protocol):
    """Rows of X with their targets and weights."""

    count: int
    is_whole: bool  #: whether all rows of an epoch are handed to the trainer in one call

    def epoch(
        self, trainer: Any, order: np.ndarray | None, rates: np.ndarray | None
    ) -> float | None:
        """Train on every row once, in the given order or as they stand; the loss, or None where the
        epoch pauses."""


class DenseSource:
    """Rows to train on, those of X read where they stand.

    Parameters
    ----------
    X : ndarray, shape (n, features)
    chosen : ndarray of intp or None
        The rows of X to train on; the other arrays hold these alone.
    y : ndarray, shape (rows, n_outputs), or None
        Targets; None where there are labels.
    labels : ndarray of int32, shape (rows, 1), or None
    weights : ndarray, shape (rows, 1), or None
    """

    is_whole = True

    def __init__(
        self,
        X: np.ndarray,
        chosen: np.ndarray | None,
        y: np.ndarray | None,
        labels: np.ndarray | None,
        weights: np.ndarray | None,
    ) -> None:
        self.X = RowSource(X, chosen)
        self.y, self.labels, self.weights = (
            None if part is None else RowSource(part) for part in (y, labels, weights)
        )
        self.count = self.X.count

    def epoch(
        self, trainer: Any, order: np.ndarray | None, rates: np.ndarray | None
    ) -> float | None:
        """Train on every row once, in the given order or as they stand; the loss, or None where the
        epoch pauses."""
        found = trainer.epoch(self.X, self.y, self.labels, False, order, self.weights, rates)
        return None if found is None else found[0]


class SparseSource:
    """The same for a sparse X, of which some mini-batches at a time are made dense.

    Parameters
    ----------
    X : sparse array, shape (n, features)
    chosen : ndarray of intp or None
    parts : tuple
        Targets, labels and weights, as `DenseSource` takes them.
    dtype : dtype
    batch : int
        Rows of a mini-batch.
    """

    def __init__(
        self, X: Any, chosen: np.ndarray | None, parts: tuple[Any, ...], dtype: Any, batch: int
    ) -> None:
        self.X, self.chosen, self.parts, self.dtype, self.batch = X, chosen, parts, dtype, batch
        self.count = X.shape[0] if chosen is None else len(chosen)
        self.block = max(1, rows_at_once(X, np.dtype(dtype).itemsize) // batch) * batch
        self.is_whole = self.block >= self.count

    def epoch(
        self, trainer: Any, order: np.ndarray | None, rates: np.ndarray | None
    ) -> float | None:
        """Train on every row once, in the given order or as they stand; the loss, or None where the
        epoch pauses."""
        order = np.arange(self.count) if order is None else order
        total = 0.0
        for first in range(0, self.count, self.block):
            rows = order[first : first + self.block]
            X = RowSource(
                dense_rows(self.X[rows if self.chosen is None else self.chosen[rows]], self.dtype)
            )
            y, labels, weights = (
                None if part is None else RowSource(part[rows]) for part in self.parts
            )
            some = None
            if rates is not None:
                some = rates[first // self.batch : -(-(first + len(rows)) // self.batch)]
            found = trainer.epoch(X, y, labels, False, None, weights, some)
            if found is None:
                return None
            total += len(rows) * found[0]
        return total / self.count


class PoissonLossOffset:
    """y log y - y, by which half the Poisson deviance is larger than the core's cost of a row, e^z
    - y z.

    Parameters
    ----------
    y : ndarray, shape (rows, n_outputs)
    weights : ndarray, shape (rows, 1), or None
    batch : int
        Rows of a mini-batch.
    """

    def __init__(self, y: np.ndarray, weights: np.ndarray | None, batch: int) -> None:
        self.rows: np.ndarray = (xlogy(y, y) - y).sum(axis=1, dtype=np.float64)
        self.weights, self.batch = weights, batch
        self.mean = self.rows.mean()

    def of(self, order: np.ndarray | None) -> float:
        """What it adds to the loss of an epoch: a mini-batch's weighted mean counts by its rows."""
        if self.weights is None:
            return self.mean  # type: ignore[no-any-return]
        order = np.arange(len(self.rows)) if order is None else order
        first = np.arange(0, len(order), self.batch)
        weights = self.weights[order, 0].astype(np.float64)
        total = np.add.reduceat(weights, first)
        means = np.add.reduceat(weights * self.rows[order], first) / np.where(total > 0, total, 1)
        return float((means * np.diff(first, append=len(order))).sum() / len(order))


class RandomOrder:
    """Rows in the order that a `RandomState` draws, epoch after epoch, as scikit-learn draws it:
    each epoch shuffles the order of the epoch before.

    Parameters
    ----------
    source : DenseSource or SparseSource
    stream : RandomState
    shuffle : bool
        Whether there is a new order in each epoch.
    batch : int
        Rows of a mini-batch.
    offset : PoissonLossOffset or None
    """

    def __init__(
        self,
        source: Source,
        stream: np.random.RandomState,
        shuffle: bool,
        batch: int,
        offset: PoissonLossOffset | None,
    ) -> None:
        self.source, self.stream, self.shuffle, self.offset = source, stream, shuffle, offset
        # One mini-batch holds the same rows in any order; the stream is drawn from all the same.
        self.alone = source.count <= batch
        self.order = np.arange(source.count)
        #: The order of an epoch that was ended before it was over, and whether there is one.
        self.visit: np.ndarray | None = None
        self.is_open = False

    def skip(self, epochs: int) -> None:
        """Draw the orders of epochs that are done."""
        for _ in range(epochs):
            self._next_order()

    def _next_order(self) -> np.ndarray | None:
        if not self.shuffle:
            return None
        drawn = np.arange(self.source.count)
        self.stream.shuffle(drawn)
        if self.alone:
            return None
        self.order = self.order[drawn]
        return self.order

    def epoch(self, trainer: Any, rates: np.ndarray | None) -> tuple[float, None] | None:
        """Have every row visited once; the loss, or None where the epoch pauses."""
        if not self.is_open:
            self.visit, self.is_open = self._next_order(), True
        visit = self.visit
        loss = self.source.epoch(trainer, visit, rates)
        if loss is None:
            return None
        if self.offset is not None:
            loss += self.offset.of(visit)
        self.is_open = False
        return loss, None
