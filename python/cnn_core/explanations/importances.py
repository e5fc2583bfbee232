"""How much a model listens to each column, over many rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._linalg import column_sums
from cnn_core._names import choose
from cnn_core._random import permutation
from cnn_core.data.scaling import mean_and_deviation
from cnn_core.explanations.attributions import METHODS as BY_ATTRIBUTIONS
from cnn_core.explanations.attributions import attribute
from cnn_core.explanations.dense import Dense
from cnn_core.explanations.outputs import Output, output_of
from cnn_core.task import r2

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnn_core.model import Model

METHODS = ("permutation", "gradient", *BY_ATTRIBUTIONS)


class Importances(NamedTuple):
    """How much a model listens to each column, and which way."""

    names: list[Any]  #: of the columns, or their numbers
    values: np.ndarray  #: (columns,): in the unit of `measure`
    sd: np.ndarray  #: (columns,): of the values over repeats; NaN where there are none
    #: (columns,): share of the rows whose prediction rises with the column, less the share of those
    #: where it falls; 1 or -1 is monotone on these rows, NaN for columns that are no single number
    direction: np.ndarray
    method: str
    measure: str  #: what the values are

    @property
    def order(self) -> np.ndarray:
        """Columns by importance, the largest first."""
        return np.argsort(-self.values, kind="stable")

    def __repr__(self) -> str:
        from cnn_core.inspection.summary import aligned

        rows = [("column", "importance", "sd", "direction")]
        for i in self.order.tolist():
            way = self.direction[i]
            word = "" if np.isnan(way) else f"{way:+.2f}"
            word += {1.0: " rises", -1.0: " falls"}.get(float(way), "")
            sd = "" if np.isnan(self.sd[i]) else f"{self.sd[i]:.2g}"
            rows.append((str(self.names[i]), f"{self.values[i]:.4g}", sd, word))
        lines = [line.rstrip() for line in aligned(rows, (0, 3))]
        return "\n".join([*lines, f"importance: {self.measure}"])


def importances(
    model: Model,
    X: Any,
    y: Any,
    method: str,
    *,
    repeats: int,
    output: Any,
    threads: int,
) -> Importances:
    """As `MLP.importances` describes."""
    name = METHODS[choose("method", method, METHODS)]
    if name == "permutation":
        if y is None:
            raise ValueError("permutation importances compare predictions with y; give it")
        return _permutation(model, X, y, repeats, threads)
    if name == "gradient":
        return _gradient(model, X, output, threads)
    dense = Dense(model, output_of(model.task, output, "output"), threads)
    rows = dense.rows(X)
    found = attribute(dense, rows, rows, name)
    values = mean_and_deviation(np.abs(found.values))[0]
    direction = _direction(dense, dense.gradients(rows))
    nothing = np.full(len(values), np.nan)
    measure = f"mean size of the {name} gradients, in the unit of the prediction"
    return Importances(found.names, values, nothing, direction, name, measure)


def _direction(dense: Dense, gradients: np.ndarray) -> np.ndarray:
    """Of columns that are one number each."""
    found = np.full(len(dense.names), np.nan)
    counts = np.bincount(dense.owner, minlength=len(found))
    shares = (np.sign(gradients).sum(axis=0)) / max(1, len(gradients))
    single = counts[dense.owner] == 1
    found[dense.owner[single]] = shares[single]
    return found


def _gradient(model: Model, X: Any, output: Any, threads: int) -> Importances:
    """The mean size of dy/dx_j times the standard deviation of x_j."""
    dense = Dense(model, output_of(model.task, output, "output"), threads)
    rows = dense.rows(X)
    gradients = dense.gradients(rows)
    spread = mean_and_deviation(rows)[1]
    # The numbers of a column move together: a step along each by its spread.
    values = mean_and_deviation(dense.by_column(np.abs(gradients) * spread))[0]
    nothing = np.full(len(values), np.nan)
    measure = "mean |dy/dx| times the standard deviation of x, in the unit of the prediction"
    direction = _direction(dense, gradients)
    return Importances(dense.names, values, nothing, direction, "gradient", measure)


def _permutation(model: Model, X: Any, y: Any, repeats: int, threads: int) -> Importances:
    """By how much the score falls when a column is shuffled among the rows: Breiman 2001, "Random
    forests", section 10."""
    task = model.task
    X, y = model.split(X, y)
    shared = task.classes is not None and task.name == "classification"
    first = None if task.classes is None else task.classes[-1]
    chosen = output_of(task, first, "output") if shared else Output(0, 1, False)
    dtype: Any = model.network_spec.dtype  # scores need no more digits than predictions have
    dense = Dense(model, chosen, threads, dtype)
    rows = dense.rows(X)
    whole = dense.scaled(rows)
    score = _scorer(model, dense, X, y)
    best = score(whole)
    falls = np.zeros((repeats, len(dense.names)))
    for column in range(len(dense.names)):
        numbers = np.flatnonzero(dense.owner == column)
        kept = whole[:, numbers].copy()
        for repeat in range(repeats):
            order = permutation(model.seed, repeat, len(rows))
            whole[:, numbers] = kept[order]
            falls[repeat, column] = best - score(whole)
        whole[:, numbers] = kept
    mean, sd = mean_and_deviation(falls)
    direction = np.full(len(mean), np.nan)
    if task.n_outputs == 1:
        direction = _direction(dense, dense.gradients(rows))
    word = "R2" if task.name == "regression" else "accuracy"
    measure = f"by how much the {word}, {best:.4g}, falls when the column is shuffled"
    return Importances(dense.names, mean, sd, direction, "permutation", measure)


def _scorer(model: Model, dense: Dense, X: Any, y: Any) -> Callable[[np.ndarray], float]:
    """What scores rows as the dense network reads them."""
    targets, labels, _ = model.judged(X, y, None)

    def score(rows: np.ndarray) -> float:
        a = dense.predictor.forward(np.ascontiguousarray(rows), dense.threads)
        assert a is not None
        if model.task.name != "regression":
            right = model.are_right(model.labels(a), targets, labels)
            return float(np.count_nonzero(right) / len(right))
        assert targets is not None
        residual = column_sums(np.ascontiguousarray(targets - a), np.zeros(a.shape[1]), 2)
        middle = mean_and_deviation(targets)[0]
        return r2(residual, column_sums(targets, middle, 2))

    return score
