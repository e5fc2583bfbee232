"""What each input adds to the prediction of a row: integrated and expected gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._names import choose
from cnn_core._random import permutation, uniform
from cnn_core._warn import warn
from cnn_core.data.scaling import mean_and_deviation
from cnn_core.explanations.dense import Dense
from cnn_core.explanations.outputs import output_of

if TYPE_CHECKING:
    from cnn_core.model import Model

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
    model: Model,
    X: Any,
    method: str,
    baseline: Any,
    output: Any,
    of: str,
    threads: int,
) -> Attributions:
    """As `MLP.attributions` describes."""
    dense = Dense(model, output_of(model.task, output, of), threads)
    name = METHODS[choose("method", method, METHODS)]
    rows = dense.rows(X)
    return attribute(dense, rows, rows if baseline is None else _baseline(dense, baseline), name)


def attribute(dense: Dense, rows: np.ndarray, background: np.ndarray, method: str) -> Attributions:
    """The same for rows as `Dense.rows` gives them."""
    expected = method == "expected"
    predictions = dense.values(rows)
    if expected:
        found = _expected(dense, rows, background, dense.model.seed)
        base = float(mean_and_deviation(dense.values(background)[:, None])[0][0])
    else:
        start = mean_and_deviation(background)[0]
        base = float(dense.values(start[None])[0])
        found = _integrated(dense, rows, start, predictions - base)
    values = dense.by_column(found)
    gap = predictions - base - _sums(values)
    scale = np.abs(predictions - base).max(initial=0)
    told = TOLD_OF_SAMPLES if expected else TOLD
    if scale > 0 and np.abs(gap).max() > told * scale:
        warn(
            f"the attributions of a row miss its prediction by up to {np.abs(gap).max():.3g}, "
            f"where predictions differ from {base:.4g} by up to {scale:.3g}"
            + ("; method='integrated' comes closer" if expected else ""),
            UserWarning,
        )
    return Attributions(dense.names, values, base, predictions, gap)


def _baseline(dense: Dense, baseline: Any) -> np.ndarray:
    """Rows to compare with; one may be a row by itself."""
    if dense.model.columns is None and np.ndim(baseline) == 1:
        baseline = np.asarray(baseline)[None]
    return dense.rows(baseline)


def _sums(values: np.ndarray) -> np.ndarray:
    """Of each row, column after column."""
    total = np.zeros(len(values))
    for column in values.T:
        total += column
    return total


def _integrated(
    dense: Dense, rows: np.ndarray, start: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """(x - start) times the mean gradient on the way from `start` to x, by the midpoint rule with
    so many points that the sums are those of `wanted`: Sundararajan, Taly & Yan 2017, "Axiomatic
    attribution for deep networks", eq. 1 and 3."""
    found = np.zeros_like(rows)
    left, points = np.arange(len(rows)), FEWEST
    while len(left):
        way = rows[left] - start
        total = np.zeros_like(way)
        for k in range(points):
            total += dense.gradients(start + (k + 0.5) / points * way)
        found[left] = way * (total / points)
        gap = np.abs(_sums(found[left]) - wanted[left])
        points *= 2
        if points > MOST:
            break
        left = left[gap > GAP * np.abs(wanted).max(initial=0)]
    return found


def _expected(dense: Dense, rows: np.ndarray, background: np.ndarray, seed: int) -> np.ndarray:
    """The mean over background rows x' and points u in [0, 1) of (x - x') times the gradient at x'
    + u (x - x'): Erion et al. 2021, "Improving performance of deep learning models with axiomatic
    attribution priors and expected gradients", eq. 3. Background rows and points are the same for
    all rows; there is a point in each of as many equal parts of [0, 1) as there are samples."""
    found = np.zeros_like(rows)
    samples = max(SAMPLES, len(background)) if len(background) <= 4 * SAMPLES else 4 * SAMPLES
    order = permutation(seed, 0, len(background))
    parts = permutation(seed, 1, samples)
    u = (parts + uniform(seed, FOR_SAMPLES, samples)) / samples
    for k in range(samples):
        way = rows - background[order[k % len(background)]]
        found += way * dense.gradients(background[order[k % len(background)]] + u[k] * way)
    return found / samples
