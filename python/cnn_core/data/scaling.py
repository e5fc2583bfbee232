"""Scaling of the inputs: learned from the training rows, part of the model, the same bits on every
machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core._cpu import with_subnormals
from cnn_core._frozen import Frozen
from cnn_core._functions import exponentials
from cnn_core._linalg import column_sums, scale_rows
from cnn_core._settable import settable
from cnn_core.data.shards import CutHere, cut

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from cnn_core.data.shards import Cut

_BLOCK = 1 << 20  # elements converted together
#: Numbers that quartiles are taken of, and the least and the most rows: where there are more, rows
#: that are evenly spaced. Sorting all of them would cost a copy of X, and seconds.
QUARTILE_NUMBERS, QUARTILE_ROWS = 1 << 22, (1 << 12, 1 << 16)


# Each takes the training rows, float32 or float64, their weights, float64 and above 0, shape
# (rows, 1), or None, and how all rows are cut, and gives each column's shift and spread. A weight
# of 2 is the row given twice.


def extent(X: np.ndarray, rows: Cut) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest number of each column of all rows."""
    return (
        rows.least(X.min(axis=0, initial=np.inf)),
        rows.greatest(X.max(axis=0, initial=-np.inf)),
    )


def _minmax(X: np.ndarray, weights: np.ndarray | None, rows: Cut) -> tuple[np.ndarray, np.ndarray]:
    low, high = extent(X, rows)
    low = low.astype(np.float64)
    return low, high - low


def weighted_sums(
    X: np.ndarray,
    weights: np.ndarray | None,
    shift: np.ndarray,
    power: int,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """`column_sums` of rows that count by their weights."""
    if weights is None:
        return column_sums(X, shift, power, start)
    return column_sums(weights * (X - shift) ** power, np.zeros(X.shape[1]), 1, start)


def mean_and_deviation(
    X: np.ndarray, weights: np.ndarray | None = None, rows: Cut | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column; where rows are in shards, `rows` says of
    which."""
    rows = CutHere((0, len(X))) if rows is None else rows

    def sums(shift: np.ndarray, power: int) -> np.ndarray:
        def of_rows(first: int, end: int) -> np.ndarray:
            some = None if weights is None else weights[first:end]
            return weighted_sums(X[first:end], some, shift, power)

        return rows.sum(of_rows)

    total = rows.count(len(X)) if weights is None else total_of(weights, rows)
    mean = sums(np.zeros(X.shape[1]), 1) / total
    return mean, np.sqrt(sums(mean, 2) / total)


def total_of(weights: np.ndarray, rows: Cut) -> float:
    """The sum of weights, shape (rows, 1), of rows in shards."""

    def of_rows(first: int, end: int) -> np.ndarray:
        # One after the other, as the core adds: NumPy's own sum depends on the processor.
        sums = np.cumsum(weights[first:end], dtype=np.float64)
        return sums[-1:] if end > first else np.zeros(1)

    return float(rows.sum(of_rows)[0])


def _robust(X: np.ndarray, weights: np.ndarray | None, rows: Cut) -> tuple[np.ndarray, np.ndarray]:
    if weights is None:
        some = _some(X, X, rows)
        low, middle, high = np.percentile(some, [25, 50, 75], axis=0).astype(np.float64)
    elif rows.least(np.array([(weights == np.floor(weights)).all()]))[0]:
        low, middle, high = _quartiles_of_repeated(X, weights, rows)
    else:  # no rows that could be counted
        return median_and_quartiles(X, weights, rows)
    return middle, high - low


def _quartiles_of_repeated(X: np.ndarray, weights: np.ndarray, rows: Cut) -> np.ndarray:
    """`np.percentile` of rows that are given as often as their weights say."""
    some = _some(X, X, rows)
    order = some.argsort(axis=0, kind="stable")
    sums = np.cumsum(_some(weights, X, rows)[:, 0][order], axis=0)
    place = np.array([0.25, 0.5, 0.75])[:, None] * (sums[-1] - 1)
    first = np.floor(place)
    low, high = (
        np.take_along_axis(
            np.take_along_axis(some, order, 0),
            np.minimum((sums <= at[:, None]).sum(axis=1), len(some) - 1),
            0,
        )
        for at in (first, first + 1)
    )
    # With the roundings of NumPy's interpolation.
    t, between = place - first, high - low
    found = np.where(t < 0.5, low + between * t, high - between * (1 - t))
    quartiles: np.ndarray = found.astype(np.float64)
    return quartiles


def _robust_with_rare(
    X: np.ndarray, weights: np.ndarray | None, rows: Cut
) -> tuple[np.ndarray, np.ndarray]:
    middle, spread = median_and_quartiles(X, weights, rows)
    return middle, np.where(spread > 0, spread, _minmax(X, weights, rows)[1] / 2)


def median_and_quartiles(
    X: np.ndarray, weights: np.ndarray | None, rows: Cut | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Median, and distance of the quartiles. Quantile q is the smallest entry up to which lies the
    share q of the weights."""
    rows = CutHere((0, len(X))) if rows is None else rows
    some = _some(X, X, rows)
    shares = np.array([0.25, 0.5, 0.75])
    if weights is None:
        found = np.quantile(some, shares, axis=0, method="inverted_cdf")
    else:
        weights = _some(weights, X, rows)
        order = some.argsort(axis=0, kind="stable")
        sums = np.cumsum(weights[:, 0][order], axis=0)
        at = (sums < shares[:, None, None] * sums[-1]).sum(axis=1)
        found = np.take_along_axis(np.take_along_axis(some, order, 0), at, 0)
    low, middle, high = found.astype(np.float64)
    return middle, high - low


def _some(values: np.ndarray, X: np.ndarray, rows: Cut) -> np.ndarray:
    """What there is of the rows that quartiles are taken of."""
    return rows.every(values, step_of_some(rows.count(len(X)), X.shape[1]))


def step_of_some(rows: int, features: int) -> int:
    """The distance between the rows that quartiles are taken of."""
    fewest, most = QUARTILE_ROWS
    return -(-rows // min(max(QUARTILE_NUMBERS // features, fewest), most))


SCALINGS = {
    "minmax": _minmax,
    "standard": mean_and_deviation,
    "robust": _robust,
    "robust_clip": _robust_with_rare,
    "robust_asinh": _robust_with_rare,
}
#: What becomes of the scaled numbers: t / sqrt(1 + (t / 3)^2), between -3 and 3 (Holzmüller,
#: Grinsztajn & Steinwart 2024, arXiv 2407.04491, "smooth clipping"), or asinh t, which is linear
#: near 0 and grows as log 2 |t| (Burbidge, Magee & Robb 1988, "Alternative transformations to
#: handle extreme values of the dependent variable").
_CURVES = {"robust_clip": "smooth clip", "robust_asinh": "asinh"}


#: Share of its size by which a column may vary, in float64, and be of one number but for rounding.
ROUNDING = 1e-12

#: Rows of a stream since a column varies that decide its scaling.
ENOUGH = 10

#: Shift and factor of columns, of which the first row is the number that they had before; whether
#: there are `ENOUGH` rows since they vary.
Learn = Callable[[np.ndarray, bool], tuple[np.ndarray, np.ndarray]]


class Scaling(NamedTuple):
    """x becomes t = (x - shift) * factor, and then what `curve` makes of t; in float64, rounded
    once to the model's dtype."""

    shift: np.ndarray  #: float64, shape (features,)
    factor: np.ndarray  #: float64, shape (features,)
    kind: str = ""  #: one of `SCALINGS`; empty in pickles of a version that did not keep it
    #: bool, shape (features,): the columns that have not varied yet; None: it is not known
    constant: np.ndarray | None = None
    reason: str = ""  #: why 'auto' scales
    #: Of a stream, shape (rows, features): the numbers of the columns that had not varied, and the
    #: rows since one has, as long as they are fewer than `ENOUGH`.
    kept: np.ndarray | None = None

    @property
    def scales(self) -> bool:
        """Whether the network reads anything but x itself."""
        varies = self.curve != "linear" or (self.factor != 1).any() or (self.shift != 0).any()
        return bool(varies)

    @property
    def curve(self) -> str:
        """'linear', 'smooth clip' or 'asinh'."""
        return _CURVES.get(self.kind, "linear")

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, str]:
        """What the native core scales one row with."""
        return self.shift, self.factor, self.curve

    def apply(self, X: np.ndarray, dtype: DTypeLike, check: bool = True) -> np.ndarray:
        """Scaled rows as a C-contiguous array of `dtype`; with `check`, all of them finite. Numbers
        of categories, which follow the features that are scaled, stay as they are."""
        out, n = np.empty(X.shape, dtype), len(self.shift)
        if X.shape[1] > n:
            out[:, :n], out[:, n:] = self.apply(X[:, :n], dtype, check), X[:, n:]
            return out
        rows = max(1, _BLOCK // X.shape[1])
        for first in range(0, len(X), rows):
            block = X[first : first + rows]
            if block.dtype not in (np.float32, np.float64):
                block = with_subnormals(block.astype, (np.float64,))
            block = np.ascontiguousarray(block)
            scale_rows(block, self.shift, self.factor, out[first : first + rows], self.curve)
            beyond = check and ~np.isfinite(out[first : first + rows])
            if np.any(beyond):
                row, column = np.argwhere(beyond)[0]
                raise ValueError(
                    f"X has {X[first + row, column]} at row {first + row}, column {column}, which "
                    f"the scaling of the inputs takes beyond the range of {np.dtype(dtype)}"
                )
        return out

    def slope(self, scaled: np.ndarray) -> np.ndarray:
        """The derivative of scaled rows by the rows before scaling, in float64."""
        if self.curve == "linear":
            return np.broadcast_to(self.factor, scaled.shape)
        t = scaled.astype(np.float64)
        if self.curve == "asinh":  # 1 / cosh
            e = exponentials(-np.abs(t))
            slope: np.ndarray = self.factor * (2 * e / (1 + e * e))
        else:
            slope = self.factor * np.maximum(1 - (t / 3) ** 2, 0) ** 1.5
        return slope

    def goes_on(self, X: np.ndarray) -> Scaling:
        """The scaling of a stream after some more rows: columns that were constant so far learn
        from the first `ENOUGH` rows since they vary, anew with each call until there are as many,
        with the number that they had before as one row more. What the network knows of such a
        column is not lost, as its weights have seen 0."""
        if not self.kind:
            return self

        def learn(columns: np.ndarray, _: bool) -> tuple[np.ndarray, np.ndarray]:
            learned = learn_scaling(self.kind, columns)
            return learned.shift, learned.factor

        return self.learning(X, learn)

    def learning(self, X: np.ndarray, learn: Learn) -> Scaling:
        """What `learn` makes of the columns that vary for the first time, or have begun to."""
        if self.constant is None or not self.constant.any():
            return self
        if self.kept is None and self.kind == "auto":  # of a version that did not keep them
            return self._replace(kept=X[:1].astype(np.float64)).learning(X, learn)
        kept = self.shift[None] if self.kept is None else self.kept
        at = np.flatnonzero(self.constant)
        before = kept[:, at].astype(X.dtype)
        if len(kept) == 1 and (X[:, at] == before).all():
            return self
        rows = np.concatenate((before, X[:, at]))
        differs = ~is_constant(np.minimum(rows, rows[0]), np.maximum(rows, rows[0]))
        varies = differs.any(axis=0)
        if not varies.any():
            return self
        shift, factor, constant = self.shift.copy(), self.factor.copy(), self.constant.copy()
        rows, differs, at = rows[:, varies], differs[:, varies], at[varies]
        enough = len(rows) - differs.argmax(axis=0) >= ENOUGH
        for some, settled in ((enough, True), (~enough, False)):
            if some.any():
                columns = np.ascontiguousarray(rows[:, some])
                shift[at[some]], factor[at[some]] = learn(columns, settled)
        constant[at[enough]] = False
        begun = kept[:1] if self.kind == "auto" else None
        if not enough.all():
            since = np.concatenate((kept[1:], X[1 - ENOUGH :]))[1 - ENOUGH :]
            begun = np.concatenate((kept[:1], since))
        return self._replace(shift=shift, factor=factor, constant=constant, kept=begun)


def is_constant(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Which columns are one number but for rounding errors of float64, which whole numbers and
    those of float32 have none of."""
    with np.errstate(over="ignore"):
        span = high.astype(np.float64) - low
    least: np.ndarray = ROUNDING * np.maximum(np.abs(low), np.abs(high))
    whole = (low == np.floor(low)) & (high == np.floor(high))
    same: np.ndarray = np.where(whole, low == high, span <= least)
    return same


class Whole(Frozen):
    """What is known of all rows, where some of them stand for the others; float64, shape
    (features,)."""

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray | None = None
    deviation: np.ndarray | None = None

    def first(self, n: int) -> Whole:
        """The same of the first n features."""
        mean = None if self.mean is None else self.mean[:n]
        deviation = None if self.deviation is None else self.deviation[:n]
        return Whole(self.low[:n], self.high[:n], mean, deviation)

    def shift_and_spread(
        self, kind: str, some: np.ndarray, weights: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """What `SCALINGS` gives for all rows; quartiles are those of `some`."""
        if kind == "standard":
            assert self.mean is not None and self.deviation is not None
            return self.mean, self.deviation
        if kind == "minmax":
            return self.low, self.high - self.low
        if kind == "robust":
            return _robust(some, weights, CutHere((0, len(some))))
        middle, spread = median_and_quartiles(some, weights)
        return middle, np.where(spread > 0, spread, (self.high - self.low) / 2)


def _shift_factor_constant(
    kind: str, X: np.ndarray, weights: np.ndarray | None, whole: Whole | None, rows: Cut
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if whole is None:
        shift, spread = SCALINGS[kind](X, weights, rows)
        low, high = extent(X, rows)
    else:
        shift, spread = whole.shift_and_spread(kind, X, weights)
        low, high = whole.low, whole.high
    constant = is_constant(low, high)
    # A column of one number, whose mean and spread may have rounding errors, is not stretched.
    shift = np.where(constant, low, shift)
    return shift, 1 / np.where((spread > 0) & ~constant, spread, 1.0), constant


def weighed(X: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Rows of a weight above 0, and their weights in float64."""
    if weights is None:
        return X, None
    counts = weights[:, 0] > 0
    return (X if counts.all() else X[counts]), weights[counts].astype(np.float64)


def cut_of_weighed(n: int, weights: np.ndarray | None, shards: int | Cut) -> Cut:
    """How the n rows are cut of which `weighed` keeps some."""
    rows = cut(n, shards)
    return rows if weights is None else rows.kept(weights[:, 0] > 0)


def learn_scaling(
    kind: str,
    X: np.ndarray,
    weights: np.ndarray | None = None,
    asked: str = "",
    whole: Whole | None = None,
    shards: int | Cut = 1,
) -> Scaling:
    """The scaling of the columns of X.

    Parameters
    ----------
    kind : str
        One of `SCALINGS`.
    X : ndarray of float32 or float64, shape (rows, features)
        C-contiguous and finite.
    weights : ndarray, shape (rows, 1), optional
        Of the rows.
    asked : str
        What was asked for, if not `kind`.
    whole : Whole, optional
        Of all rows, where X are some of them.
    shards : int or Cut
        How many the rows are cut into, or how all are of which these are some.

    Returns
    -------
    Scaling
        A column that does not vary is shifted only.
    """
    with np.errstate(over="ignore", divide="ignore"):
        arguments = kind, *weighed(X, weights), whole, cut_of_weighed(len(X), weights, shards)
        shift, factor, constant = with_subnormals(_shift_factor_constant, arguments)
    too_wide = ~(np.isfinite(shift) & np.isfinite(factor) & (factor > 0))
    if too_wide.any():
        which = f" (scale_inputs={asked or repr(kind)})" if settable("scale_inputs") else ""
        raise ValueError(
            f"the scaling of the inputs{which} fails, as column "
            f"{too_wide.argmax()} of X spans more than float64 can hold, or so little that "
            "dividing by it overflows"
        )
    return Scaling(shift, factor, kind, constant)
