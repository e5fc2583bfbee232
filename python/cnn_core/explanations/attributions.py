"""What each input adds to the prediction of a row: integrated and expected gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._few import counted
from cnn_core._linalg import column_sums
from cnn_core._names import choose
from cnn_core._random import permutation, uniform
from cnn_core._warn import warn
from cnn_core.data.scaling import mean_and_deviation
from cnn_core.explanations.dense import Dense
from cnn_core.explanations.explained import is_row
from cnn_core.explanations.outputs import output_of

if TYPE_CHECKING:
    from cnn_core.explanations.explained import Explained

METHODS = ("integrated", "expected")
POINTS = 16, 1024  # of the integral on one way: the fewest, and the most
SAMPLES = 512, 4096  # the same on all ways of expected gradients together
TOGETHER = 1 << 15  # numbers of points that are computed in one pass, 256 KB
STARTS = 128  # background rows of these, at most
MOST_OF_BASELINE = 1024  # rows of which the deviation of predictions is taken
#: By how much the sums may miss predictions, as shares of the difference to the base, or of the
#: deviation of the predictions of the baseline where that is larger: what is good enough, what does
#: for the mean over many rows, and what is told.
GAP = {"integrated": 1e-3, "expected": 5e-2}
GAP_IN_MEANS = {"integrated": 5e-2, "expected": np.inf}
TOLD = {"integrated": 1e-2, "expected": 5e-2}
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
            f"Attributions of {counted(rows, 'row')} to {counted(columns, 'column')}, from "
            f"{self.base:.6g} on; their "
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
    dense = Dense(explained, output_of(explained.task, output, of, explained.target_names), threads)
    name = METHODS[choose("method", method, METHODS)]
    matrices = explained.read(X)
    if baseline is None:
        background = matrices
        if len(matrices[0]) == 1:
            warn(
                "X is one row, and its own baseline, so all attributions are 0; baseline= takes "
                "the rows to compare it with, such as those of the training",
                UserWarning,
            )
    else:
        background = _baseline(explained, baseline)
    ways = Ways(dense, matrices, background, name, GAP[name])
    values = np.empty((len(matrices[0]), dense.n_columns))
    for some, _, found in ways.blocks():
        values[some] = dense.by_column(found)
    ways.warn()
    return Attributions(explained.names, values, ways.base, ways.predictions, ways.gap)


def _baseline(explained: Explained, baseline: Any) -> list[np.ndarray]:
    """Rows to compare with; one may be a row by itself."""
    read = explained.read_row if is_row(explained, baseline) else explained.read
    try:
        return read(baseline)
    except (TypeError, ValueError) as error:
        raise type(error)(f"baseline: {error}") from None


class Ways:
    """The straight lines from a baseline to some rows, along which gradients are summed.

    Integrated gradients start at the mean of the baseline: Sundararajan, Taly & Yan 2017,
    "Axiomatic attribution for deep networks", eq. 1. Expected gradients are the mean over starts at
    baseline rows x', the same for all rows: Erion et al. 2021, "Improving performance of deep
    learning models with axiomatic attribution priors and expected gradients", eq. 3.

    Parameters
    ----------
    dense : Dense
    matrices, background : list of ndarray
        The rows and those of the baseline, as `Explained.read` gives them.
    method : {'integrated', 'expected'}
    gap : float
        By how much sums may miss predictions, see `GAP`.

    Attributes
    ----------
    predictions : ndarray, shape (rows,)
    base : float
        The prediction that attributions are counted from: the mean of those of the starts.
    gap : ndarray, shape (rows,)
        By how much the sums miss the predictions, once all blocks have been seen.
    """

    def __init__(
        self,
        dense: Dense,
        matrices: list[np.ndarray],
        background: list[np.ndarray],
        method: str,
        gap: float,
    ) -> None:
        self.dense, self.matrices, self.method = dense, matrices, method
        self.predictions, self.gap = np.empty(len(matrices[0])), np.zeros(len(matrices[0]))
        for some, rows in dense.blocks(matrices):
            self.predictions[some] = dense.values(rows)
        self.starts, self.offsets = _starts(dense, background, method == "expected")
        self.base = float(mean_and_deviation(dense.values(self.starts)[:, None])[0][0])
        self.spread = float(mean_and_deviation(self._of_baseline(background)[:, None])[1][0])
        self.good, self.worst, self.largest = gap, 0.0, 0.0

    def blocks(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """For all rows, a block at a time: which, their numbers, and what each number adds."""
        few, most = POINTS
        if self.method == "expected":
            few, most = (-(-n // len(self.starts)) for n in SAMPLES)
        for some, rows in self.dense.blocks(self.matrices):
            wanted = self.predictions[some] - self.base
            # What the gap of a row is measured by does not depend on the other rows.
            scale = np.maximum(np.abs(wanted), self.spread)
            found, gap = np.zeros_like(rows), np.zeros(len(rows))
            left, points = np.arange(len(rows)), few
            while len(left) and points <= most:
                found[left] = self._along(rows[left], points)
                gap[left] = wanted[left] - _sums(self.dense.by_column(found[left]))
                left = left[np.abs(gap[left]) > self.good * scale[left]]
                points *= 2
            missed = np.abs(gap[np.abs(gap) > TOLD[self.method] * scale])
            self.worst = max(self.worst, float(missed.max(initial=0)))
            self.largest = max(self.largest, float(np.abs(wanted).max(initial=0)))
            self.gap[some] = gap
            yield some, rows, found

    def _of_baseline(self, background: list[np.ndarray]) -> np.ndarray:
        """Predictions of baseline rows, of many some."""
        n = len(background[0])
        chosen = np.arange(0, n, -(-n // MOST_OF_BASELINE))
        return self.dense.values(self.dense.rows(background, chosen))

    def _along(self, rows: np.ndarray, points: int) -> np.ndarray:
        """The mean over the starts of (x - start) times the mean gradient on the way from there to
        x, which is taken at a point in each of so many equal parts of it."""
        if 0 < points * rows.size <= TOGETHER:
            return self._together(rows, points)
        found = np.zeros_like(rows)
        for start, offset in zip(self.starts, self.offsets.tolist()):
            way, total = rows - start, np.zeros_like(rows)
            for k in range(points):
                at = (k + offset) / points * way
                at += start
                total += self.dense.gradients(at)
            way *= total
            found += way
        found /= len(self.starts) * points
        return found

    def _together(self, rows: np.ndarray, points: int) -> np.ndarray:
        """The same, to the bit, for few rows: all points on some of the ways at a time."""
        found, step = np.zeros(rows.size), max(1, TOGETHER // (points * rows.size))
        for first in range(0, len(self.starts), step):
            starts = self.starts[first : first + step, None]
            ways = rows - starts
            k, offsets = np.arange(points)[:, None], self.offsets[None, first : first + step]
            at = ((k + offsets) / points)[:, :, None, None] * ways
            at += starts
            gradients = self.dense.gradients(at.reshape(-1, rows.shape[1]))
            total = column_sums(gradients.reshape(points, -1), np.zeros(ways.size), 1)
            ways *= total.reshape(ways.shape)
            found = column_sums(ways.reshape(len(ways), -1), np.zeros(rows.size), 1, found)
        found /= len(self.starts) * points
        return found.reshape(rows.shape)

    def warn(self) -> None:
        """Say so where sums miss predictions by much, or cannot meet them."""
        if self.dense.explained.warn_of_steps(self.dense.output.of_z):
            return
        if self.worst:
            warn(
                f"the attributions of a row miss its prediction by up to {self.worst:.3g}, where "
                f"predictions differ from {self.base:.4g} by up to {self.largest:.3g}"
                + ("; method='integrated' comes closer" if self.method == "expected" else ""),
                UserWarning,
            )


def _starts(
    dense: Dense, background: list[np.ndarray], expected: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Where the ways begin, and where the points stand in the equal parts of each of them, from 0
    to 1: in the middle, or of several ways everywhere."""
    if not expected:
        return dense.mean(background)[None], np.array([0.5])
    n, seed = len(background[0]), dense.explained.members[0].seed
    chosen = permutation(seed, 0, n)[:STARTS]
    parts, count = permutation(seed, 1, len(chosen)), len(chosen)
    return dense.rows(background, chosen), (parts + uniform(seed, FOR_SAMPLES, count)) / count


def _sums(values: np.ndarray) -> np.ndarray:
    """Of each row, column after column."""
    total = np.zeros(len(values))
    for column in values.T:
        total += column
    return total
