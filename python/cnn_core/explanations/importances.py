"""How much a model listens to each column, over many rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

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
        from cnn_core.inspection.summary import aligned

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
    dense = Dense(explained, output_of(explained.task, output, "output"), threads)
    explained.warn_of_steps(False)
    matrices = explained.read(X)
    _warn_of_one_row(matrices)
    if name == "gradient":
        sums = _GradientSums(dense, dense.deviation(matrices))
        for _, rows in dense.blocks(matrices):
            sums.add(dense.gradients(rows))
        total, direction = sums.sizes, sums.direction()
        measure = "mean |dy/dx| times the standard deviation of x, in the unit of the prediction"
    else:
        ways, total = (
            Ways(dense, matrices, matrices, name, GAP_IN_MEANS[name]),
            np.zeros(dense.n_columns),
        )
        sums = _GradientSums(dense)
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


class _GradientSums:
    """Sums over the rows of derivatives, of their sizes, and of those times `spread`."""

    def __init__(self, dense: Dense, spread: np.ndarray | None = None) -> None:
        self.dense, self.spread = dense, spread
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
            # The numbers of a column move together: a step along each by its spread.
            sizes = self.dense.by_column(np.abs(gradients) * self.spread)
            self.sizes = _add_rows(self.sizes, sizes)

    def direction(self) -> np.ndarray:
        """Of columns that are numbers."""
        found = np.full(self.dense.n_columns, np.nan)
        with np.errstate(invalid="ignore"):  # of infinite derivatives
            found[self.columns] = self.up / np.where(self.moved > 0, self.moved, 1)
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
        chosen = output_of(task, output, "output")
    X, y = explained.split(X, y)
    found = falls_of_score(explained, X, y, repeats, threads)
    _warn_of_one_row(found.matrices)
    direction = np.full(len(explained.names), np.nan)
    if chosen is not None:
        direction = _direction(Dense(explained, chosen, threads), found.matrices)
    word = "R2" if task.name == "regression" else "accuracy"
    measure = f"by how much the {word}, {found.score:.4g}, falls when the column is shuffled"
    return Importances(explained.names, found.mean, found.sd, direction, "permutation", measure)


def _direction(dense: Dense, matrices: list[np.ndarray]) -> np.ndarray:
    sums = _GradientSums(dense)
    for _, rows in dense.blocks(matrices):
        sums.add(dense.gradients(rows))
    return sums.direction()
