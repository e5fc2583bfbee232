"""By how much a score falls when a column is shuffled among the rows: Breiman 2001, "Random
forests", section 10."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._linalg import column_sums
from cnn_core._random import permutation
from cnn_core.answers import in_range
from cnn_core.data.scaling import mean_and_deviation
from cnn_core.explanations.encoded import Encoded
from cnn_core.explanations.explained import blocks
from cnn_core.scores import constant_of, pinball_sums, share_of_constant
from cnn_core.task import r2

if TYPE_CHECKING:
    from cnn_core.explanations.explained import Explained


class Falls(NamedTuple):
    """Of the score of some rows."""

    matrices: list[np.ndarray]  #: that were read
    score: float  #: before a column is shuffled
    mean: np.ndarray  #: (columns,): over the repeats
    sd: np.ndarray


def falls_of_score(explained: Explained, X: Any, y: Any, repeats: int, threads: int) -> Falls:
    """Of accuracy, R^2 or D^2, for each column; all networks read the same shuffled column.

    The rows pass in blocks, each of which is predicted once for every column and repeat while it is
    in the cache.
    """
    measure, score = _measure(explained, X, y)
    matrices = explained.read(X)
    n, seed = len(matrices[0]), explained.members[0].seed
    orders = [permutation(seed, repeat, n) for repeat in range(repeats)]
    columns = range(len(explained.names))
    encoded, all_of = Encoded(explained, threads), [np.arange(m.shape[1]) for m in matrices]
    places = [[np.flatnonzero(one.owner == c) for one in explained.matrices] for c in columns]
    whole: Any = None
    sums: list[list[Any]] = [[None] * len(columns) for _ in range(repeats)]
    for some in blocks(n, sum(matrix.shape[1] for matrix in matrices)):
        rows = [encoded.scaled(i, one[some], all_of[i]) for i, one in enumerate(matrices)]
        whole = measure(encoded.outputs(rows), some, whole)
        for column, numbers in enumerate(places):
            kept = [one[:, at].copy() for one, at in zip(rows, numbers)]
            for order, row in zip(orders, sums):
                for i, at in enumerate(numbers):
                    rows[i][:, at] = encoded.scaled(i, matrices[i][order[some, None], at], at)
                row[column] = measure(encoded.outputs(rows), some, row[column])
            for one, at, values in zip(rows, numbers, kept):
                one[:, at] = values
    best = score(whole)
    falls = np.array([[best - score(one) for one in row] for row in sums])
    return Falls(matrices, best, *mean_and_deviation(falls))


def _measure(
    explained: Explained, X: Any, y: Any
) -> tuple[Callable[[np.ndarray, slice, Any], Any], Callable[[Any], float]]:
    """What adds the outputs of some rows up for the score, to what earlier rows gave; and the
    score."""
    targets, labels, _ = explained.true_targets(X, y, None)
    if explained.task.name != "regression":

        def count(a: np.ndarray, some: slice, before: Any) -> Any:
            wanted = None if targets is None else targets[some]
            known = None if labels is None else labels[some]
            right = explained.are_right(explained.labels(a), wanted, known)
            return (before or 0) + int(np.count_nonzero(right))

        n = len(labels) if labels is not None else len(targets)  # type: ignore[arg-type]
        return count, lambda right: float(right / n)
    assert targets is not None
    quantile = explained.task.judged_quantile
    if quantile is not None:
        constant = constant_of(targets, quantile)[None]
        least = pinball_sums(targets, constant, quantile)

        def loss(a: np.ndarray, some: slice, before: Any) -> Any:
            return pinball_sums(targets[some], a, quantile, None, before)

        return loss, lambda sums: float(share_of_constant(sums, least).mean())
    exponent = in_range(targets)
    scaled = np.ldexp(targets, exponent)
    total = column_sums(scaled, mean_and_deviation(scaled)[0], 2)
    zeros = np.zeros(targets.shape[1])

    def residual(a: np.ndarray, some: slice, before: Any) -> Any:
        difference = scaled[some] - np.ldexp(a, exponent)
        return column_sums(np.ascontiguousarray(difference), zeros, 2, before)

    return residual, lambda squares: r2(squares, total)
