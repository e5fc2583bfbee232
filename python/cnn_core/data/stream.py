"""The rows of a stream: a sample of all of them, which its scaling is learned from anew, and the
last ones, which are compared with those before.

Calls of `partial_fit` may bring neighbours in time: ten rows of a sensor that takes an hour to
cross its range span a hundredth of it. At 2, 4, 8, ... times the rows of its beginning, scaling is
therefore learned from the sample; a size only grows, so that what was seen stays in range.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core.data.scaling import ENOUGH, is_constant

if TYPE_CHECKING:
    from cnn_core.data.target_scaling import Moved, TargetScaling

KEPT = 64  # rows of the sample
BLOCK = 100  # rows that are compared with the sample at a time
ELEMENTS = 1 << 14  # numbers of X above which only every second, third, ... row is looked at
PRIME = 67  # step through the rows of the sample: coprime to any number of them

#: Rows of `StreamRows.marks`, of which each has a number of each column.
NARROWEST = 0  #: range in the block in which it was smallest
GROWTH = 1  #: factor by which the size has grown since the first rows; 0 once that was told
QUIET = 2  #: number of rows up to which nothing is said of the column
RATIO = 3  #: von Neumann's ratio in the last block
FIRST = 4  #: the number in the first row
VARIES = 5  #: the first row with another number; inf while there is none
MARKS = 6

#: Mean square of the difference of a row from the one before, divided by twice the variance (von
#: Neumann 1941, "Distribution of the ratio of the mean square successive difference to the
#: variance"), below which a column is slow: of rows that are drawn at random it is 1.
SLOW = 0.2
#: The last rows are in other units where their median lies more than BEYOND ranges of the sample
#: outside it, where their quartiles are more than WIDER such ranges apart, or where they and their
#: range are below NARROWER times the median size and the narrowest range before.
BEYOND, WIDER, NARROWER = 1.0, 3.0, 0.1
CONTINUOUS = 0.5  # share of different numbers in the sample above which a column is continuous
GAP = 0.5  # share of the way from one level to another, in which a jump has no number
STEADY = 3  # blocks that a continuous column has to vary in before a constant one is an error


class StreamRows(NamedTuple):
    """Of the rows of a stream, X and y side by side and the number of the row, in float64."""

    total: int  #: all of them
    since: int  #: those since the last comparison
    kept: np.ndarray  #: a sample of those before
    last: np.ndarray  #: some of those since, and room for more
    held: int  #: how many
    marks: np.ndarray  #: what is known of each column, shape (MARKS, columns)
    check: int  #: number of rows at which the scaling is learned anew
    follows: bool  #: whether it is; not that of a fit
    levels: np.ndarray | None = None  #: the lowest and the highest y before y went elsewhere

    @classmethod
    def begin(cls, rows: np.ndarray, count: int, follows: bool) -> StreamRows:
        """The first rows; `rows` are some of `count`."""
        n = rows.shape[1] - 1
        ones, zeros, never = np.ones(n), np.zeros(n), np.full(n, np.inf)
        marks = np.array([never, ones, zeros, ones, rows[0, :-1] if len(rows) else zeros, never])
        room, marks = _room(n), _begun(marks, rows)
        empty = cls(count, count, np.empty((0, n + 1)), room, 0, marks, 2 * count, follows)
        return empty.holding(rows)

    def again(self, since: int, levels: np.ndarray) -> StreamRows:
        """From the last rows on, with which y has gone to another level: what was there before
        tells nothing of it."""
        first = self.total - since
        rows = self.block[self.block[:, -1] >= first]
        rows[:, -1] -= first
        after = StreamRows.begin(rows, since, self.follows)
        marks = after.marks.copy()
        for known in (NARROWEST, GROWTH, FIRST):
            marks[known] = self.marks[known]
        marks[VARIES] = np.maximum(self.marks[VARIES] - first, 0)
        return after._replace(
            marks=_begun(marks, rows), levels=levels, check=2 * max(since, ENOUGH)
        )

    def followed_by(self, rows: np.ndarray, count: int) -> StreamRows:
        """With some more."""
        total, marks = self.total + count, _begun(self.marks, rows)
        after = self.holding(rows)._replace(total=total, since=self.since + count, marks=marks)
        if marks is not self.marks and after.origin > self.origin:
            begins = after.origin + 2 * max(total - after.origin, ENOUGH)
            after = after._replace(check=min(self.check, begins))
        return after

    def holding(self, rows: np.ndarray) -> StreamRows:
        """With rows that are compared next."""
        end = self.held + len(rows)
        if end > len(self.last):
            return self._replace(last=np.concatenate((self.block, rows)), held=end)
        last = self.last.copy()
        last[self.held : end] = rows
        return self._replace(last=last, held=end)

    @property
    def block(self) -> np.ndarray:
        """Some of the rows since the last comparison."""
        return self.last[: self.held]

    @property
    def rests(self) -> np.ndarray:
        """How many rows each column was one number in before it began to vary, if they were
        enough to be no accident."""
        return np.where(self.marks[VARIES] < ENOUGH, 0, self.marks[VARIES])

    @property
    def origin(self) -> int:
        """The row from which on all columns vary that do by now."""
        rests = self.rests
        return int(rests[rests < np.inf].max(initial=0))

    def checked(self) -> StreamRows:
        """After the scaling was learned from all so far."""
        return self._replace(check=2 * self.total - self.origin)

    def sample(self) -> np.ndarray:
        """Of all rows, with their numbers."""
        return np.concatenate((self.kept, self.block))

    def since_varying(self, columns: slice) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Columns of the sample in the rows in which they vary, if those are enough: which, counted
        from the first one, and their numbers; together those that vary from the same row on."""
        rows, rests = self.sample(), self.rests[columns]
        for rest in np.unique(rests).tolist():
            (at,) = (rests == rest).nonzero()
            some = rows[rows[:, -1] >= rest] if rest else rows
            if len(some) >= ENOUGH or not rest:
                yield at, np.ascontiguousarray(some[:, columns][:, at])

    def kept_since_varying(self, column: int) -> np.ndarray:
        """The numbers of a column in the rows before the last ones in which it varies; if those are
        too few, one number."""
        rest = self.rests[column]
        one = self.kept[self.kept[:, -1] >= rest, column]
        return one if len(one) >= ENOUGH or not rest else self.marks[FIRST, column : column + 1]

    def is_slow(self, n: int) -> bool:
        """Whether one of the first n columns, those of X, is a slow signal: y may follow it."""
        ratios = self.marks[RATIO]
        if not len(self.kept) or self.held >= 2 * ENOUGH:
            ratios = _successive(self.block[:, :-1])
        return bool((ratios[:n] < SLOW).any())

    def told_levels(self, n: int) -> np.ndarray | None:
        """The levels before y went elsewhere, if the last rows of X, the first n columns, lie
        elsewhere too."""
        if self.levels is None:
            return None
        rows = self.sample()[:, :n]
        last, past = rows[-ENOUGH:], rows[:-ENOUGH]
        if not len(past):
            return None
        middle = np.median(last, axis=0)
        beyond = (middle < past.min(axis=0)) | (middle > past.max(axis=0))
        return self.levels if beyond.any() else None

    def moved(self, targets: TargetScaling, moved: Moved, n: int) -> StreamRows:
        """With targets, the columns from n on, that have moved as the predictions have, but for the
        last rows, which tell that."""

        def at(rows: np.ndarray) -> np.ndarray:
            y, there = rows[:, n:-1], rows.copy()
            there[:, n:-1] = targets.shift + moved.times * (y - targets.shift) + moved.plus
            return there

        last, end = self.last.copy(), max(self.held - ENOUGH + 1, 0)
        last[:end], marks = at(last[:end]), self.marks.copy()
        marks[NARROWEST, n:] *= moved.times
        return self._replace(kept=at(self.kept), last=last, marks=marks)

    def settled(self) -> StreamRows:
        """After a comparison: the last rows are some of those before."""
        block = self.block
        marks, kept, room = self.marks.copy(), self.kept, _room(len(self.marks[NARROWEST]))
        if not len(block):
            return self._replace(since=0)
        varies = self.rests <= block[0, -1]
        marks[NARROWEST] = np.where(
            varies, np.minimum(marks[NARROWEST], np.ptp(block, axis=0)[:-1]), marks[NARROWEST]
        )
        marks[RATIO] = _successive(block[:, :-1])
        if not len(kept):
            kept = block[:: -(-len(block) // KEPT)].copy()
        else:
            # As many of them as their share of all rows is, in the places of others; which, follows
            # from the number of rows alone.
            drawn = self.total * 2654435761 % (1 << 32)
            many = int(len(kept) * self.since / self.total + drawn / (1 << 32))
            many = min(many, len(block), len(kept))
            if many:
                kept = kept.copy()
                places = (drawn // 7 + PRIME * np.arange(many)) % len(kept)
                kept[places] = block[np.arange(many) * len(block) // many]
        return self._replace(since=0, kept=kept, last=room, held=0, marks=marks)

    def silent(self, column: int) -> StreamRows:
        """After a user has been told of a column: no more of it until there are twice the rows."""
        marks = self.marks.copy()
        marks[GROWTH, column], marks[QUIET, column] = 0, 2 * self.total
        return self._replace(marks=marks)


def _room(n: int) -> np.ndarray:
    """For the rows of n columns that are compared next."""
    return np.zeros((-(-BLOCK // -(-BLOCK * n // ELEMENTS)), n + 1))


def _begun(marks: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The marks after some more rows, in which columns may begin to vary."""
    (at,) = (marks[VARIES] == np.inf).nonzero()
    first, values = marks[FIRST, at], rows[:, at]
    if not len(at) or (values == first).all():
        return marks
    varies = ~is_constant(np.minimum(values, first), np.maximum(values, first))
    now = varies.any(axis=0)
    if now.any():
        marks = marks.copy()
        marks[VARIES, at[now]] = rows[varies.argmax(axis=0)[now], -1]
    return marks


def _successive(rows: np.ndarray) -> np.ndarray:
    """Von Neumann's ratio of each column; 1 of one that is constant."""
    size = 2 * rows.var(axis=0)
    with np.errstate(all="ignore"):
        ratio = (np.diff(rows, axis=0) ** 2).mean(axis=0) / size
    return np.where(np.isfinite(ratio), ratio, 1.0)


def beside(
    X: np.ndarray, y: np.ndarray, weights: np.ndarray | None, first: int
) -> tuple[np.ndarray, int]:
    """X and y side by side and the number of the row, without rows of weight 0, and how many there
    are: some of these rows, as many as are enough; `first` is the number of rows before."""
    if weights is not None and not weights.all():
        chosen = weights[:, 0] > 0
        X, y = X[chosen], y[chosen]
    step = max(-(-X.size // ELEMENTS), -(-BLOCK * X.shape[1] // ELEMENTS), 1)
    at = slice(-first % step, None, step)
    numbers = np.arange(first, first + len(X))[at, None]
    return np.concatenate((X[at], y[at], numbers), 1, dtype=np.float64), len(X)


def jumps(values: np.ndarray, here: float, there: float) -> bool:
    """Whether hardly any of these numbers lie between two of them: what drifts from one to the
    other passes all between.

    Parameters
    ----------
    values : ndarray, shape (rows,)
    here, there : float

    Returns
    -------
    bool
    """
    low, high = min(here, there), max(here, there)
    between = values[(values > low) & (values < high)]
    ends = np.sort(np.concatenate(([low, high], between)))
    return bool(np.diff(ends).max() > GAP * (high - low))


def unlike(rows: StreamRows) -> Iterator[tuple[int, str]]:
    """Columns whose last rows are in other units than those before, or stuck.

    Parameters
    ----------
    rows : StreamRows
        With enough of them.

    Yields
    ------
    (int, str)
        The column and a clause about it.
    """
    before, block = rows.kept[:, :-1], rows.block[:, :-1]
    low, high, median_size = before.min(0), before.max(0), np.median(np.abs(before), axis=0)
    for i in rows.rests.nonzero()[0].tolist():
        one = rows.kept_since_varying(i)
        low[i], high[i], median_size[i] = one.min(), one.max(), np.median(np.abs(one))
    span, narrowest = high - low, rows.marks[NARROWEST]
    first, middle, third = np.percentile(block, [25, 50, 75], axis=0)
    span_now, largest = np.ptp(block, axis=0), np.abs(block).max(axis=0)
    heard = (rows.marks[QUIET] <= rows.total) & (span > 0)
    beyond = np.maximum(low - middle, middle - high) > BEYOND * span
    wider = third - first > WIDER * span
    narrower = (largest < NARROWER * median_size) & (span_now < NARROWER * narrowest)
    narrower &= span_now > 0
    for i in np.flatnonzero(heard & (beyond | wider | narrower)).tolist():
        if beyond[i]:
            edge = high[i] if middle[i] > high[i] else low[i]
            every = np.concatenate((rows.kept_since_varying(i), block[:, i]))
            if not (wider[i] or jumps(every, float(edge), float(middle[i]))):
                continue
        there = f"of the last {len(block)} rows lies between {first[i]:.4g} and {third[i]:.4g}"
        yield i, f"most {there}, and all before between {low[i]:.4g} and {high[i]:.4g}"
    steady = rows.total >= STEADY * BLOCK + BLOCK
    for i in np.flatnonzero(heard & (span_now == 0) & (narrowest > 0) & steady).tolist():
        one = rows.kept_since_varying(i)
        if len(np.unique(one)) > CONTINUOUS * len(one):
            yield i, f"it is {middle[i]:.4g} in all of the last {len(block)} rows, as if stuck"
