"""How much a model listens to each column, over many rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._few import few_lines
from cnn_core._linalg import column_sums
from cnn_core._names import choose
from cnn_core._warn import warn
from cnn_core.explanations.attributions import GAP_IN_MEANS, Ways
from cnn_core.explanations.attributions import METHODS as BY_ATTRIBUTIONS
from cnn_core.explanations.dense import Dense
from cnn_core.explanations.outputs import has_usual, output_of
from cnn_core.explanations.shuffled import falls_of_score

if TYPE_CHECKING:
    from cnn_core.explanations.explained import Explained

METHODS = ("permutation", "gradient", *BY_ATTRIBUTIONS)


class Importances(NamedTuple):
    """How much a model listens to each column, and which way."""

    names: list[Any]  #: of the columns, or their numbers
    values: np.ndarray  #: (columns,): in the unit of `measure`
    sd: np.ndarray  #: (columns,): of the values over repeats; NaN where there are none
    #: (columns,): the sum of the derivatives of the rows over the sum of their sizes; 1 or -1 is
    #: monotone on these rows, NaN for columns that are no number
    direction: np.ndarray
    method: str
    measure: str  #: what the values are

    @property
    def order(self) -> np.ndarray:
        """Columns by importance, the largest first."""
        return np.argsort(-self.values, kind="stable")

    def __repr__(self) -> str:
        """As `str`, but of many columns the first and the last ones."""
        return few_lines(str(self).split("\n"))

    def __str__(self) -> str:
        from cnn_core._lines import aligned

        rows = [("column", "importance", "sd", "direction")]
        for i in self.order.tolist():
            way = self.direction[i]
            shown = way if abs(way) == 1 else np.clip(way, -0.99, 0.99)
            word = "" if np.isnan(way) else f"{shown:+.2f}"
            word += {1.0: " rises", -1.0: " falls"}.get(float(way), "")
            sd = "" if np.isnan(self.sd[i]) else f"{self.sd[i]:.2g}"
            rows.append((str(self.names[i]), f"{self.values[i]:.4g}", sd, word))
        lines = [line.rstrip() for line in aligned(rows, (0, 3))]
        return "\n".join([*lines, f"importance: {self.measure}"])


def importances(
    explained: Explained,
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
        return _permutation(explained, X, y, repeats, output, threads)
    dense = Dense(
        explained, output_of(explained.task, output, "output", explained.target_names), threads
    )
    explained.warn_of_steps(False)
    matrices = explained.read(X)
    _warn_of_one_row(matrices)
    if name == "gradient":
        deviation = dense.deviation(matrices)
        sums = _GradientSums(dense, deviation, Spread(dense, matrices, deviation))
        for _, rows in dense.blocks(matrices):
            sums.add(dense.gradients(rows))
        total, direction = sums.sizes, sums.direction()
        measure = (
            "mean over the rows of the deviation of dy/dx times x over the x of the column, in the "
            "unit of the prediction"
        )
    else:
        ways, total = (
            Ways(dense, matrices, matrices, name, GAP_IN_MEANS[name]),
            np.zeros(dense.n_columns),
        )
        sums = _GradientSums(dense, dense.deviation(matrices))
        for _, rows, found in ways.blocks():
            total = _add_rows(total, np.abs(dense.by_column(found)))
            sums.add(dense.gradients(rows))
        direction = sums.direction()
        measure = f"mean size of the {name} gradients, in the unit of the prediction"
    nothing = np.full(dense.n_columns, np.nan)
    values = total / len(matrices[0])
    return Importances(explained.names, values, nothing, direction, name, measure)


def _warn_of_one_row(matrices: list[np.ndarray]) -> None:
    if len(matrices[0]) == 1:
        warn(
            "X is one row, of which nothing varies and nothing can be shuffled, so all importances "
            "are 0; attributions(X, baseline=) is of single rows",
            UserWarning,
        )


class Spread:
    """How the numbers of each column vary over some rows.

    Numbers that a column becomes, such as one of each category, vary together: what dy/dx says of
    them at a row is the standard deviation of sum_i dy/dx_i x_i over the column's x of all rows,
    sqrt(g' C g) with their covariances C. Of a single number that is |dy/dx| times its standard
    deviation. It does not change where all weights of a column's categories grow by the same, which
    changes no prediction.
    """

    def __init__(self, dense: Dense, matrices: list[np.ndarray], deviation: np.ndarray) -> None:
        self.deviation, mean = deviation, dense.mean(matrices)
        self.groups = [np.flatnonzero(dense.owner == i).tolist() for i in range(dense.n_columns)]
        #: Of each column its pairs of different numbers.
        self.pairs = [[(i, j) for i in group for j in group if i < j] for group in self.groups]
        first, second = (
            np.array([pair for pairs in self.pairs for pair in pairs], int).reshape(-1, 2).T
        )
        unit = np.where(deviation > 0, deviation, 1)
        total = np.zeros(len(first))
        for _, rows in dense.blocks(matrices) if len(total) else ():
            t = (rows - mean) / unit
            total = _add_rows(total, t[:, first] * t[:, second])
        correlations = iter((total / len(matrices[0])).tolist())
        self.correlations = [[next(correlations) for _ in pairs] for pairs in self.pairs]

    def times(self, gradients: np.ndarray) -> np.ndarray:
        """Of each row and column, shape (rows, columns)."""
        found = np.zeros((len(gradients), len(self.groups)))
        for column, group in enumerate(self.groups):
            h = {i: gradients[:, i] * self.deviation[i] for i in group}
            for one in h.values():
                np.maximum(found[:, column], np.abs(one), out=found[:, column])
            if len(group) > 1:
                found[:, column] *= self._root(column, h, found[:, column])
        return found

    def _root(self, column: int, h: dict[int, np.ndarray], largest: np.ndarray) -> np.ndarray:
        """sqrt(h' R h) with the correlations R of a column's numbers, over the largest of h."""
        unit, total = np.where(largest > 0, largest, 1), np.zeros(len(largest))
        t = {i: one / unit for i, one in h.items()}
        for one in t.values():
            total += one * one
        for (i, j), correlation in zip(self.pairs[column], self.correlations[column]):
            total += 2 * correlation * (t[i] * t[j])
        root: np.ndarray = np.sqrt(np.maximum(total, 0))
        return root


class _GradientSums:
    """Sums over the rows of derivatives, of their sizes, and of what `spread` makes of them."""

    def __init__(self, dense: Dense, deviation: np.ndarray, spread: Spread | None = None) -> None:
        self.dense, self.deviation, self.spread = dense, deviation, spread
        self.sizes = np.zeros(dense.n_columns)
        # A number that several networks read, each in a matrix of its own, moves in all of them.
        columns: dict[int, list[int]] = {}
        for number in np.flatnonzero(dense.measured).tolist():
            columns.setdefault(int(dense.owner[number]), []).append(number)
        self.columns, self.numbers = [*columns], [*columns.values()]
        self.up, self.moved = np.zeros(len(columns)), np.zeros(len(columns))

    def add(self, gradients: np.ndarray) -> None:
        """Derivatives by the numbers of some rows."""
        for first, *others in self.numbers:
            for number in others:
                gradients[:, first] += gradients[:, number]
                gradients[:, number] = 0
        slopes = gradients[:, [one[0] for one in self.numbers]]
        self.up = _add_rows(self.up, slopes)
        self.moved = _add_rows(self.moved, np.abs(slopes))
        if self.spread is not None:
            self.sizes = _add_rows(self.sizes, self.spread.times(gradients))

    def direction(self) -> np.ndarray:
        """Of columns that are numbers, and not the same in all rows."""
        found = np.full(self.dense.n_columns, np.nan)
        with np.errstate(invalid="ignore"):  # of infinite derivatives
            shares = self.up / np.where(self.moved > 0, self.moved, 1)
        varies = np.array([self.deviation[one[0]] > 0 for one in self.numbers], bool)
        found[self.columns] = np.where(varies, shares, np.nan)
        return found


def _add_rows(total: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The total and the rows, one after the other."""
    sums: np.ndarray = total
    if rows.size:
        sums = column_sums(np.ascontiguousarray(rows), np.zeros(len(total)), 1, total)
    return sums


def _permutation(
    explained: Explained, X: Any, y: Any, repeats: int, output: Any, threads: int
) -> Importances:
    task, chosen = explained.task, None
    if output is not None or has_usual(task):
        chosen = output_of(task, output, "output", explained.target_names)
    X, y = explained.split(X, y)
    found = falls_of_score(explained, X, y, repeats, threads)
    _warn_of_one_row(found.matrices)
    direction = np.full(len(explained.names), np.nan)
    if chosen is not None:
        direction = _direction(Dense(explained, chosen, threads), found.matrices)
    measure = (
        f"by how much the {task.metric_name}, {found.score:.4g}, falls when the column is shuffled"
    )
    return Importances(explained.names, found.mean, found.sd, direction, "permutation", measure)


def _direction(dense: Dense, matrices: list[np.ndarray]) -> np.ndarray:
    sums = _GradientSums(dense, dense.deviation(matrices))
    for _, rows in dense.blocks(matrices):
        sums.add(dense.gradients(rows))
    return sums.direction()
