"""Causes in the data: sizes of features and targets, the order of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core._dataset import RowSource
from cnn_core.causes.spread import NORMAL, Known, other_columns
from cnn_core.data.auto_scaling import FEWEST_ROWS, OUTLIER, why_scale
from cnn_core.data.target_scaling import SCALED_LOSSES
from cnn_core.data.validation import target_name, which_target

if TYPE_CHECKING:
    from cnn_core.model import Model

FAR = 10  # mean, spread and inverse of the spread that y may have, and ratio of those of columns
ELEMENTS = 1 << 20  # that are looked at
CONSTANT = (
    "All features are constant in the training rows: there is nothing to learn from, and all rows "
    "get the same prediction."
)
SLOW = "more epochs, a higher learning rate or smaller units may help"
OTHER_OUTPUT = "output='identity', whose targets are scaled, is likely to help"
CURE_OF_TARGETS = "scale_targets='standard' is likely to help"
AWAY = 2.5  # median of |x| after scaling that a feature of other rows may have
AWAY_OF_FEW = 8.0  # the same beside the mean and deviation of few training rows
COMPARED = 1 << 15  # elements whose medians are compared with those of training
#: Standard deviations beside those of training, which a quarter of the features must exceed: of
#: rows that go badly, and of a stream, whose features may rest for a while.
NARROW, NARROW_IN_STREAM = 0.15, 0.02
ELSEWHERE = "These rows lie elsewhere than those of training"
TAKE_THE_SAME = "take the same units, and whatever else was done to the training rows"
GROWING = ("exp", "softplus", "relu")  # outputs that begin near 1 or 0, however large y is
WIDE = 10.0  # the same, which a quarter of the features must stay below
ENOUGH = 10  # rows, fewer of which may lie anywhere
NEWEST = 20  # rows of a stream that others are compared with beside all of them
#: Rows of one class in a row, then of another, that no mixed stream has: of two equally frequent
#: classes one time in 2^32.
RUN = 16
SORTED = 0.2  # share of the changes of class in a random order, below which rows are sorted


def some_rows(X: np.ndarray, elements: int = ELEMENTS) -> np.ndarray:
    """Evenly spread rows of X, few enough to be measured quickly, in float64."""
    step = -(-X.size // elements) or 1
    return np.ascontiguousarray(X[::step], np.float64)


def named(i: int, names: np.ndarray | None) -> str:
    """A feature as messages call it."""
    return f"column {i}" if names is None else f"column {str(names[i])!r}"


def features(
    X: np.ndarray, names: np.ndarray | None, curve: str | None, cure: str
) -> Iterator[str]:
    """Features that need scaling, or have outliers that the scaling leaves.

    Parameters
    ----------
    X : ndarray, shape (rows, features)
        As the network reads it.
    names : ndarray or None
        Of the features.
    curve : str or None
        Of the scaling; None where there is none.
    cure : str
        What to ask for then.

    Yields
    ------
    str
    """
    if len(X) < 2:
        return
    X = some_rows(X)
    varies = X.min(axis=0) < X.max(axis=0)
    if not varies.any():
        yield "All features are constant in these rows: there is nothing to learn from."
    elif curve is None:
        reason = why_scale(RowSource(X), None, names)
        if reason:
            yield f"{reason[0].upper()}{reason[1:]}: {cure} is likely to help."
    elif curve == "linear":
        yield from _outliers(X, names)


class Limits(NamedTuple):
    """How far features may lie from those of training."""

    away: float = AWAY  #: median of |x| after scaling
    narrow: float = NARROW  #: see `NARROW`
    wide: float = WIDE
    each: Known | None = None  #: the features of training, if each is compared by itself


AS_THERE = Limits()


def elsewhere(
    X: np.ndarray,
    names: np.ndarray | None,
    scaled: bool,
    seen: np.ndarray | None = None,
    alike: bool = True,
    limits: Limits = AS_THERE,
    said: tuple[str, str] = (f"{ELSEWHERE}, as", TAKE_THE_SAME),
) -> Iterator[str]:
    """Features that lie elsewhere than in the training rows.

    Parameters
    ----------
    X : ndarray, shape (rows, features)
        As the network reads it.
    names : ndarray or None
        Of the features.
    scaled : bool
        Whether the model has scaled it.
    seen : ndarray, shape (2, features), optional
        Mean and standard deviation of some training rows.
    alike : bool
        Whether training rows that are not scaled were found to need no scaling.
    limits : Limits
    said : (str, str)
        What is said before the finding, and the cure after it.

    Yields
    ------
    str
    """
    if len(X) < ENOUGH:
        return
    X = some_rows(X, COMPARED)
    with np.errstate(all="ignore"):
        where = _distance(X, names, scaled, seen, limits)
        if alike and not (scaled or where):
            where = why_scale(RowSource(X), None, names)
    if where:
        yield f"{said[0]} {where}: {said[1]}."


def _distance(
    X: np.ndarray, names: np.ndarray | None, scaled: bool, seen: np.ndarray | None, limits: Limits
) -> str:
    """Where features lie from those of training, which are scaled or have such means and standard
    deviations: a clause, empty where they are near."""
    away, beside, T = limits.away, "after scaling", X
    if not scaled:
        if seen is None:
            return ""
        varied = seen[1] > 1e-6 * np.abs(seen[0])
        T = (X - seen[0]) / np.where(varied, seen[1], np.inf)
        away, beside = max(away, AWAY_OF_FEW), "beside the mean and deviation there"
    size = np.median(np.abs(T), axis=0)
    i = int(size.argmax())
    if size[i] > away:
        return f"{named(i, names)} of X has median size {size[i]:.2g} {beside}"
    if seen is None:
        return ""
    spread = _spread(X, seen, limits)
    if spread:
        return spread
    of_one = None if limits.each is None else other_columns(X, limits.each)
    return "" if of_one is None else f"{named(of_one[0], names)} of X {of_one[1]}"


def _spread(X: np.ndarray, seen: np.ndarray, limits: Limits) -> str:
    """How far most features spread beside those of training, if it is much more or less."""
    varied = (seen[1] > 1e-6 * np.abs(seen[0])) & (seen[1] > 0)
    ratio = X.std(axis=0)[varied] / seen[1][varied]
    n, ratio = len(ratio), ratio[ratio > 0]
    if len(ratio) < max(1, n / 2):  # without rare ones, which may be missing here
        return ""
    low, high = np.sort(ratio)[[len(ratio) // 4, (3 * len(ratio) - 1) // 4]]
    if not (high < limits.narrow or low > limits.wide):
        return ""
    factor = high if high < limits.narrow else low
    each = "its feature spreads" if len(ratio) == 1 else "most features spread"
    return f"{each} {factor:.2g} times as far"


def sample_of_stream(model: Model) -> np.ndarray | None:
    """Of all rows that a model has learned from a stream, as the network reads them, in their
    order; None of a fit, or where the same rows came anew."""
    if model.stream_rows is None or not model.history.streamed:
        return None
    rows = model.stream_rows.sample()
    there = rows[rows[:, -1].argsort(kind="stable"), : model.n_features]
    if len(np.unique(there, axis=0)) < NEWEST:
        return None
    if model.scaling is not None:
        there = model.scaling.apply(there, np.float64, check=False)
    return model.without_categories(there)


def beside_stream(X: np.ndarray, names: np.ndarray | None, there: np.ndarray) -> Iterator[str]:
    """Features that lie elsewhere than in a sample of a stream.

    Parameters
    ----------
    X, there : ndarray, shape (rows, features)
        As the network reads them; the last rows of the stream are the last ones.
    names : ndarray or None
        Of the features.

    Yields
    ------
    str
    """
    if min(len(X), len(there)) < ENOUGH:
        return
    X = some_rows(X, COMPARED)
    low, middle, high = np.percentile(there, [25, 50, 75], axis=0)
    size = (high - low) / NORMAL
    size = np.where(size > 0, size, there.std(axis=0))
    limits = Limits(narrow=NARROW_IN_STREAM)
    with np.errstate(all="ignore"):
        varied = size > 1e-6 * np.abs(middle)
        away = np.median(np.abs(X - middle) / np.where(varied, size, np.inf), axis=0)
        here = np.median(X, axis=0)
        away[(there.min(axis=0) <= here) & (here <= there.max(axis=0))] = 0
        i, last = int(away.argmax()), there[-NEWEST:]
        where = _spread(X, np.array([middle, size]), limits)
        where = where and _spread(X, np.array([last.mean(axis=0), last.std(axis=0)]), limits)
        if away[i] > limits.away:
            where = f"{named(i, names)} of X lies {away[i]:.2g} sizes from its middle in the stream"
    if where:
        yield f"{ELSEWHERE}, as {where}: {TAKE_THE_SAME}."


def _outliers(X: np.ndarray, names: np.ndarray | None) -> Iterator[str]:
    """A feature with an entry so far away that scaling presses the others together.

    Where most entries are the same, as of a pixel that is rarely lit or of a rare yes, it must lie
    far beside the others that differ from these too.
    """
    mean, spread = X.mean(axis=0), X.std(axis=0)
    far = np.abs(X - mean).max(axis=0) / np.where(spread > 0, spread, np.inf)
    beside = np.abs(X - np.median(X, axis=0))
    differ = (beside > 0).sum(axis=0)
    size = np.sqrt(np.square(beside).sum(axis=0) / np.maximum(differ, 1))
    pressed = beside.max(axis=0) > OUTLIER * size
    far = np.where(pressed | (2 * differ > len(X)), far, 0)
    i = int(far.argmax())
    if far[i] > OUTLIER:
        yield (
            f"C{named(i, names)[1:]} of X has an entry {far[i]:.2g} standard deviations from its "
            "mean: scale_inputs='robust_asinh' is likely to help."
        )


def targets(
    y: np.ndarray, cure: str = CURE_OF_TARGETS, names: tuple[str, ...] = ()
) -> Iterator[str]:
    """Numbers to predict that lie far from 0, or are of another size than 1 or than each other.

    Parameters
    ----------
    y : ndarray, shape (rows, n_outputs)
        As the network is to give them.
    cure : str
    names : tuple of str
        Of the columns.

    Yields
    ------
    str
    """
    if len(y) < 2:
        return
    y = some_rows(y)
    mean, spread = y.mean(axis=0), y.std(axis=0)
    varies = spread > 1e-9 * np.abs(mean)
    if not varies.any():
        return
    worst = int(np.where(varies, np.abs(np.log10(np.where(varies, spread, 1))), -1).argmax())
    off = int(np.where(varies, np.abs(mean) / np.where(varies, spread, 1), 0).argmax())
    i = off if abs(mean[off]) > FAR * max(spread[off], 1.0) else worst
    if abs(mean[i]) > FAR * max(spread[i], 1.0) or not 1 / FAR <= spread[i] <= FAR:
        which = which_target(i, y.shape[1], names)
        yield f"{which} has mean {mean[i]:.4g} and standard deviation {spread[i]:.2g}: {cure}."
        return
    least = int(np.where(varies, spread, np.inf).argmin())
    if spread.max() > FAR * spread[least]:
        most = int(spread.argmax())
        yield (
            f"Columns of y spread from {spread[least]:.2g} (column {target_name(least, names)}) "
            f"to {spread[most]:.2g} (column {target_name(most, names)}), and the larger ones make "
            f"up the loss: {cure}."
        )


def cure_of_growing(loss: str) -> str:
    """What helps where y is far from where an output of `GROWING` begins."""
    return OTHER_OUTPUT if loss in SCALED_LOSSES else SLOW


def wild_targets(y: np.ndarray, names: tuple[str, ...] = ()) -> Iterator[str]:
    """A number to predict that is so far from the others that it makes up the squared error.

    Parameters
    ----------
    y : ndarray, shape (rows, n_outputs)
    names : tuple of str
        Of the columns.

    Yields
    ------
    str
    """
    y = some_rows(y)
    spread = y.std(axis=0)
    far = np.abs(y - y.mean(axis=0)).max(axis=0) / np.where(spread > 0, spread, 1)
    far[spread == 0] = 0
    i = int(far.argmax())
    if far[i] > OUTLIER:
        which = which_target(i, y.shape[1], names)
        yield (
            f"{which} has an entry {far[i]:.2g} standard deviations from its mean, which makes up "
            "the squared error: check it, or take loss='mae' or Huber()."
        )


def order(y: np.ndarray, batch_size: int) -> Iterator[str]:
    """Rows that come class by class, or by the size of y, where they are not shuffled.

    Parameters
    ----------
    y : ndarray
        Class indices, shape (rows,) or (rows, 1); several labels a row; or numbers to predict.
    batch_size : int

    Yields
    ------
    str
    """
    rows = len(y)
    if rows <= batch_size or rows < 2:
        return
    y = y.reshape(rows, -1)
    if y.shape[1] > 1:  # each combination of labels is a class; of numbers nobody sorts by all
        if not ((y == 0) | (y == 1)).all():
            return
        y = (y[:, :50] @ 2.0 ** np.arange(min(50, y.shape[1])))[:, None]
    steps = np.diff(y[:, 0])
    runs = 1 + int(np.count_nonzero(steps))
    if runs == 1:
        return
    by_size = (steps >= 0).all() or (steps <= 0).all()
    if not by_size and runs > SORTED * (rows + 1):
        return  # most fits without shuffling: nothing more is computed
    counts = np.unique(y, return_counts=True)[1]
    if len(counts) > rows / 10:
        if by_size:
            yield (
                "The rows come in the order of y and shuffle=False leaves them there, so that each "
                f"mini-batch of {batch_size} shows one end of it alone: shuffle=True is the cure."
            )
        return
    expected = 1 + rows - (counts / rows * counts).sum()
    if runs <= SORTED * expected and (runs == len(counts) or rows >= batch_size * runs):
        yield (
            "The rows come sorted by class and shuffle=False leaves them there, so that most "
            f"mini-batches of {batch_size} show one class alone and the network tends to "
            "forget the others: shuffle=True is the cure."
        )


#: How a stream's rows have come: the class of the last ones and how many they are, and how many of
#: another class came before them. None: mixed; () once the user has been told.
Run = tuple[int, int, int] | tuple[()] | None


def stream(run: Run, labels: np.ndarray) -> tuple[Run, bool]:
    """Whether the calls of partial_fit bring one class after the other.

    Parameters
    ----------
    run : Run
        Of the calls before.
    labels : ndarray of int32, shape (rows, 1)
        Of this call.

    Returns
    -------
    run : Run
        With this call.
    found : bool
        Whether this call shows it.
    """
    if run == ():
        return run, False
    first, rows = int(labels[0, 0]), len(labels)
    column, length, before = labels[:, 0], rows, 0
    pure = first == column[-1] and labels.tobytes() == labels[0].tobytes() * rows
    starts = [] if pure else (np.flatnonzero(column[1:] != column[:-1]) + 1).tolist()
    if len(starts) > max(1, rows // RUN):
        return None, False
    if starts:
        length = starts[0]
    if run and (pure or run[0] == first):
        length, before = (length + run[1], run[2]) if run[0] == first else (length, run[1])
        if min(length, before) >= RUN:
            return (), True
    if starts:  # one class, then others, whose rows the call shuffles with its own
        ends = [*starts, rows]
        before = length if len(starts) == 1 else ends[-2] - ends[-3]
        first, length = int(column[-1]), ends[-1] - ends[-2]
    return (first, length, before), False


STREAMED_BY_CLASS = (
    "The calls of partial_fit bring the classes one after the other, and the network forgets those "
    "before: give each call rows of all classes, in a mixed order."
)


def first_rows_words(count: int) -> str:
    """What is to be said of a stream that is too short to learn a scaling from."""
    return (
        f"the stream has brought {count} row{'s' * (count > 1)}: once there are {FEWEST_ROWS}, "
        "partial_fit learns the scaling from them and, where there is one, begins training anew."
    )
