"""What each input adds to the prediction of a row: integrated and expected gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._names import choose
from cnn_core._random import permutation, uniform
from cnn_core._warn import warn
from cnn_core.data.scaling import mean_and_deviation
from cnn_core.explanations.dense import Dense
from cnn_core.explanations.outputs import output_of

if TYPE_CHECKING:
    from cnn_core.explanations.explained import Explained

METHODS = ("integrated", "expected")
FEWEST, MOST = 16, 1024  # points of the integral
GAP = 1e-3  # of the completeness, as a share of the largest difference, that is good enough
TOLD, TOLD_OF_SAMPLES = 1e-2, 5e-2  # above which it is told
SAMPLES = 128  # of expected gradients
FOR_SAMPLES = 7 << 28  # stream of random numbers


class Attributions(NamedTuple):
    """What each column adds to the predictions of some rows."""

    names: list[Any]  #: of the columns, or their numbers
    values: np.ndarray  #: (rows, columns)
    base: float  #: the prediction that the values are counted from
    predictions: np.ndarray  #: (rows,)
    gap: np.ndarray  #: (rows,): predictions - base - the sum of the values, which is 0 on paper

    def __repr__(self) -> str:
        rows, columns = self.values.shape
        worst = float(np.abs(self.gap).max(initial=0))
        return (
            f"Attributions of {rows} rows to {columns} columns, from {self.base:.6g} on; their "
            f"sums miss the predictions by {worst:.2g} at most"
        )


def attributions(
    explained: Explained,
    X: Any,
    method: str,
    baseline: Any,
    output: Any,
    of: str,
    threads: int,
) -> Attributions:
    """As `MLP.attributions` describes."""
    dense = Dense(explained, output_of(explained.task, output, of), threads)
    name = METHODS[choose("method", method, METHODS)]
    matrices = explained.read(X)
    background = matrices if baseline is None else _baseline(explained, baseline)
    ways = Ways(dense, matrices, background, name)
    values = np.empty((len(matrices[0]), dense.n_columns))
    for some, _, found in ways.blocks():
        values[some] = dense.by_column(found)
    return Attributions(explained.names, values, ways.base, ways.predictions, ways.end())


def _baseline(explained: Explained, baseline: Any) -> list[np.ndarray]:
    """Rows to compare with; one may be a row by itself."""
    if explained.columns is None and np.ndim(baseline) == 1 and not hasattr(baseline, "toarray"):
        baseline = np.asarray(baseline)[None]
    return explained.read(baseline)


class Ways:
    """The ways from a baseline to some rows, along which gradients are summed.

    Parameters
    ----------
    dense : Dense
    matrices, background : list of ndarray
        The rows and those of the baseline, as `Explained.read` gives them.
    method : {'integrated', 'expected'}

    Attributes
    ----------
    predictions : ndarray, shape (rows,)
    base : float
        The prediction that attributions are counted from.
    """

    def __init__(
        self, dense: Dense, matrices: list[np.ndarray], background: list[np.ndarray], method: str
    ) -> None:
        self.dense, self.matrices, self.expected = dense, matrices, method == "expected"
        self.predictions = self._values(matrices)
        self.gap = np.zeros(len(self.predictions))
        if self.expected:
            known = self.predictions if background is matrices else self._values(background)
            self.base = float(mean_and_deviation(known[:, None])[0][0])
            self.samples = _Samples(dense, background)
        else:
            self.start = dense.mean(background)
            self.base = float(dense.values(self.start[None])[0])
        self.scale = float(np.abs(self.predictions - self.base).max(initial=0))

    def _values(self, matrices: list[np.ndarray]) -> np.ndarray:
        found = np.empty(len(matrices[0]))
        for some, rows in self.dense.blocks(matrices):
            found[some] = self.dense.values(rows)
        return found

    def blocks(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """For all rows, a block at a time: which, their numbers, and what each number adds."""
        for some, rows in self.dense.blocks(self.matrices):
            wanted = self.predictions[some] - self.base
            found = self.samples.along(rows) if self.expected else self._integrated(rows, wanted)
            self.gap[some] = wanted - _sums(self.dense.by_column(found))
            yield some, rows, found

    def end(self) -> np.ndarray:
        """By how much the sums miss each prediction; with a word where it is much."""
        if self.dense.explained.warn_of_steps(self.dense.output.of_z):
            return self.gap
        worst = float(np.abs(self.gap).max(initial=0))
        told = TOLD_OF_SAMPLES if self.expected else TOLD
        if self.scale > 0 and worst > told * self.scale:
            warn(
                f"the attributions of a row miss its prediction by up to {worst:.3g}, where "
                f"predictions differ from {self.base:.4g} by up to {self.scale:.3g}"
                + ("; method='integrated' comes closer" if self.expected else ""),
                UserWarning,
            )
        return self.gap

    def _integrated(self, rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """(x - start) times the mean gradient on the way from `start` to x, by the midpoint rule
        with so many points that the sums are those of `wanted`: Sundararajan, Taly & Yan 2017,
        "Axiomatic attribution for deep networks", eq. 1 and 3."""
        found, dense = np.zeros_like(rows), self.dense
        left, points = np.arange(len(rows)), FEWEST
        while len(left):
            way = rows[left] - self.start
            total = np.zeros_like(way)
            for k in range(points):
                total += dense.gradients(self.start + (k + 0.5) / points * way)
            found[left] = way * (total / points)
            gap = np.abs(_sums(found[left]) - wanted[left])
            points *= 2
            if points > MOST:
                break
            left = left[gap > GAP * self.scale]
        return found


class _Samples:
    """Background rows x', and points u in [0, 1) of the ways from them, the same for all rows;
    there is a point in each of as many equal parts of [0, 1) as there are samples."""

    def __init__(self, dense: Dense, background: list[np.ndarray]) -> None:
        n, seed = len(background[0]), dense.explained.members[0].seed
        self.dense, self.count = dense, min(max(SAMPLES, n), 4 * SAMPLES)
        chosen = permutation(seed, 0, n)[: self.count]
        self.starts = dense.rows(background, chosen)
        parts = permutation(seed, 1, self.count)
        self.u = (parts + uniform(seed, FOR_SAMPLES, self.count)) / self.count

    def along(self, rows: np.ndarray) -> np.ndarray:
        """The mean over the samples of (x - x') times the gradient at x' + u (x - x'): Erion et al.
        2021, "Improving performance of deep learning models with axiomatic attribution priors and
        expected gradients", eq. 3."""
        found = np.zeros_like(rows)
        for k in range(self.count):
            start = self.starts[k % len(self.starts)]
            way = rows - start
            found += way * self.dense.gradients(start + self.u[k] * way)
        found /= self.count
        return found


def _sums(values: np.ndarray) -> np.ndarray:
    """Of each row, column after column."""
    total = np.zeros(len(values))
    for column in values.T:
        total += column
    return total
