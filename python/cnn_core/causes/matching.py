"""Rows whose y does not belong to what the model has learned: other units, another sign, labels or
columns in another order, and rows that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cnn_core.causes.data import ENOUGH
from cnn_core.data.validation import plain, target_name

NARROWER = 0.01  # range of y beside that of training, below which it has another unit
CLOSE = 0.9  # correlation of y and prediction above which one is a multiple of the other
OTHER_SLOPE, OTHER_SHIFT = 1.5, 1.0  # from which such a multiple is another unit; deviations of y
EXTREME = 10.0  # and from which it is one even where noise hides much of it
MATCHED = 0.6  # share of the rows of a predicted class that have one other label
MET, MET_EACH = (
    0.75,
    0.5,
)  # of all such rows and of one class, as shares of the accuracy in training
ROUNDING = 1e-6
SAME_UNITS = "take the same units and sign"
#: Ratio of the ranges of y, and by how many of them its median may lie beyond that of training, up
#: to which it may have moved with time.
ALIKE, MOVED = 4.0, 2.0
COLUMNS = 50  # of y that are compared with each other
CLASSES = 1000
LOOKED_AT = 1000  # rows that are compared with each other
CONTRADICTION = 0.9  # of the way to the perfect prediction that equal rows must leave open
NEAR_BOUND = 0.2  # by which the metric may lie below what they leave open


def elsewhere(
    seen: np.ndarray, y: np.ndarray, slack: float = 0.0, spread: np.ndarray | None = None
) -> int | None:
    """The output whose targets lie elsewhere than in training.

    Parameters
    ----------
    seen : ndarray, shape (2, n_outputs)
        The lowest and the highest in training.
    y : ndarray, shape (rows, n_outputs)
    slack : float
        By which their median may lie beyond, and half the distance of their quartiles be larger
        than half the range of training, in such ranges.
    spread : ndarray, shape (n_outputs,), optional
        Distance of the quartiles in training: that of narrow targets is to be as much smaller.

    Returns
    -------
    int or None
    """
    if len(y) < ENOUGH:
        return None
    low, high = seen
    width = high - low
    lower, median, upper = np.percentile(y, [25, 50, 75], axis=0)
    varied = (width > 0) & _varies(y)
    beyond = (median < low - slack * width) | (median > high + slack * width)
    beyond |= upper - lower > (2 * slack + 1) * width
    narrow = np.ptp(y, axis=0) < NARROWER * width
    if spread is not None:
        narrow &= upper - lower < NARROWER * spread
    found = np.flatnonzero(varied & (beyond | narrow))
    return int(found[0]) if len(found) else None


def _varies(y: np.ndarray) -> np.ndarray:
    """Which columns are not the same but for rounding."""
    varies: np.ndarray = np.ptp(y, axis=0) > ROUNDING * np.abs(y).max(axis=0)
    return varies


def multiple(
    y: np.ndarray, predicted: np.ndarray, r2: float = 1.0
) -> tuple[int, float, float] | None:
    """An output whose targets are a multiple of the predictions, shifted.

    Parameters
    ----------
    y, predicted : ndarray, shape (rows, n_outputs)
    r2 : float
        In training, whose square root is the correlation there: that of a negative or a very
        different multiple need not be higher.

    Returns
    -------
    (int, float, float) or None
        The number of the output, the factor and the shift.
    """
    if len(y) < ENOUGH:
        return None
    least = max(CLOSE * np.sqrt(min(max(r2, 0.0), 1.0)), 4 / np.sqrt(len(y)))
    spread, of_model = y.std(axis=0), predicted.std(axis=0)
    for i in np.flatnonzero(_varies(y) & _varies(predicted)):
        r = float(np.corrcoef(y[:, i], predicted[:, i])[0, 1])
        slope = r * spread[i] / of_model[i]
        shift = float(y[:, i].mean() - slope * predicted[:, i].mean())
        near = 1 / OTHER_SLOPE < slope < OTHER_SLOPE
        off = abs(y[:, i].mean() - predicted[:, i].mean()) > OTHER_SHIFT * spread[i]
        close = CLOSE if 1 / EXTREME < slope < EXTREME else min(CLOSE, least)
        if abs(r) > close and (not near or off):
            return int(i), float(slope), shift
    return None


def other_targets(
    seen: np.ndarray,
    y: np.ndarray,
    found: tuple[int, float, float] | None = None,
    slack: float = 0.0,
    spread: np.ndarray | None = None,
    said: tuple[str, str, str] = ("y", " in these rows", SAME_UNITS),
    names: tuple[str, ...] = (),
) -> Iterator[str]:
    """Targets in other units, or of another sign, than those of training.

    Parameters
    ----------
    seen : ndarray, shape (2, n_outputs)
        The lowest and the highest in training.
    y : ndarray, shape (rows, n_outputs)
        In the same units.
    found : (int, float, float), optional
        What `multiple` gives.
    slack, spread
        As for `elsewhere`.
    said : (str, str, str)
        What y is called, which rows these are, and the cure.
    names : tuple of str
        Of the columns of y.

    Yields
    ------
    str
    """
    i = elsewhere(seen, y, slack, spread)
    far = i is not None
    if i is None and found is not None:
        i = found[0]
    if i is None:
        return
    about = ""
    if found is not None and found[0] == i:
        _, slope, shift = found
        small = abs(shift) < 0.1 * max(abs(float(y[:, i].mean())), float(y[:, i].std()))
        about = f"about {slope:.3g} times the prediction"
        about += "" if small else f" {'-' if shift < 0 else '+'} {abs(shift):.3g}"
    here = f"from {y[:, i].min():.4g} to {y[:, i].max():.4g}"
    there = f"from {seen[0, i]:.4g} to {seen[1, i]:.4g}"
    name, rows, cure = said
    if far and cure == SAME_UNITS and _may_have_moved(seen[:, i], y[:, i]):
        cure += ", or, if y moves with time, learn its change since an earlier row"
    which = name if y.shape[1] == 1 else f"Column {target_name(i, names)} of {name}"
    if far:
        about = f" ({about})" if about else ""
        yield f"{which} lies elsewhere, {here}, than in training, {there}{about}: {cure}."
    else:
        yield f"{which} is {about}{rows}, {here}, and was {there} in training: {cure}."


def _may_have_moved(seen: np.ndarray, y: np.ndarray) -> bool:
    """Whether numbers lie beside a range, and about as far apart as it is wide."""
    low, high = seen
    width, median = high - low, float(np.median(y))
    beyond = max(low - median, median - high, 0.0)
    return bool(width / ALIKE <= np.ptp(y) <= ALIKE * width and beyond <= MOVED * width)


def permuted_labels(
    labels: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[Any] | np.ndarray,
    accuracy: float = 1.0,
    whose: str = "",
) -> Iterator[str]:
    """Classes that the model tells apart and y calls by each other's names.

    Parameters
    ----------
    labels, predicted : ndarray of int, shape (rows,)
    classes : sequence
        Their names.
    accuracy : float
        In training: a class that is right less often need not be met more often.
    whose : str
        Which rows these are, such as 'the validation data'.

    Yields
    ------
    str
    """
    n = len(classes)
    if n > CLASSES or len(labels) < ENOUGH:
        return
    table = np.bincount(predicted.astype(np.intp) * n + labels, minlength=n * n).reshape(n, n)
    rows, most, own = table.sum(axis=1), table.argmax(axis=1), np.arange(n)
    there = rows > 0
    hits, right = table[own, most], table.diagonal()
    matched, each = min(MATCHED, MET * accuracy), min(MATCHED, MET_EACH * accuracy)
    moved = there & (most != own) & (hits >= each * rows)
    names = np.where(moved, most, own)[there]
    if moved.sum() < 2 or len(np.unique(names)) < len(names):
        return
    total = rows[moved].sum()
    if hits[moved].sum() < matched * total or (hits - right)[moved].sum() < 2 * np.sqrt(
        total
    ):  # four standard errors of a coin
        return
    k = int(np.where(moved, hits, -1).argmax())
    others = int(moved.sum()) - 1
    yield (
        f"The labels{_of(whose)} look permuted: of the rows that the model takes for "
        f"{plain(classes[k])!r} {hits[k] / rows[k]:.0%} are labelled {plain(classes[most[k]])!r} "
        f"and {right[k] / rows[k]:.0%} as such, and so on for {others} other "
        f"class{'es' * (others > 1)}: encode the labels as in training."
    )


def _of(whose: str) -> str:
    return f" of {whose}" if whose else ""


def permuted_columns(
    y: np.ndarray, predicted: np.ndarray, whose: str = "", names: tuple[str, ...] = ()
) -> Iterator[str]:
    """Columns of y that follow each other's predictions.

    Parameters
    ----------
    y, predicted : ndarray, shape (rows, n_outputs)
    whose : str
        As for `permuted_labels`.
    names : tuple of str
        Of the columns of y in training.

    Yields
    ------
    str
    """
    n = y.shape[1]
    if not 1 < n <= COLUMNS or len(y) < ENOUGH:
        return
    parts = []
    for part in (y, predicted):
        centred = part - part.mean(axis=0)
        size = np.sqrt(np.square(centred).sum(axis=0))
        parts.append(centred / np.where(size > 0, size, 1))
    r = parts[0].T @ parts[1]
    best, own = r.argmax(axis=1), np.arange(n)
    moved = (best != own) & (r[own, best] > CLOSE) & (r.diagonal() < r[own, best] - 0.3)
    if moved.sum() < 2 or len(np.unique(np.where(moved, best, own))) < n:
        return
    i = int(moved.argmax())
    one, other = target_name(i, names), target_name(int(best[i]), names)
    yield (
        f"The columns of y{_of(whose)} look permuted: column {one} follows the prediction of "
        f"column {other}: give them the order of the training."
    )


def contradictions(
    X: np.ndarray, y: np.ndarray, classes: bool, metric: float, which: str = ""
) -> Iterator[str]:
    """Rows that are equal and have different y, so many that no network can be much better.

    Parameters
    ----------
    X : ndarray, shape (rows, features)
    y : ndarray, shape (rows, n)
        Class indices, or numbers to predict.
    classes : bool
        Which of the two.
    metric : float
        Accuracy or R^2 on these rows.
    which : str
        Which rows these are, such as ' training'.

    Yields
    ------
    str
    """
    step = -(-len(X) // LOOKED_AT)
    X, y = np.ascontiguousarray(X[::step]), y[::step].reshape(-1, y.shape[-1])
    n = len(X)
    numbers: dict[bytes, int] = {}
    group = np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in X])
    if n < ENOUGH or len(numbers) > 0.9 * n or len(numbers) < 2:
        return
    if classes:
        label = y[:, 0].astype(np.int64)
        pairs, counts = np.unique(group * (label.max() + 1) + label, return_counts=True)
        most = np.zeros(len(numbers), np.int64)
        np.maximum.at(most, pairs // (label.max() + 1), counts)
        share, rarest = most.sum() / n, np.bincount(label).max() / n
        open_to, what = (share - rarest) / (1 - rarest) if rarest < 1 else 1.0, "accuracy"
    else:
        y = y.astype(np.float64)
        size = np.bincount(group)
        means = np.column_stack([np.bincount(group, column) for column in y.T]) / size[:, None]
        total = np.square(y - y.mean(axis=0)).sum(axis=0)
        within = np.square(y - means[group]).sum(axis=0)
        share = float((1 - within / np.where(total > 0, total, 1)).mean())
        open_to, what = share, "R2"
    if open_to < CONTRADICTION and metric > share - NEAR_BOUND:
        equal = n - int((np.bincount(group) == 1).sum())
        yield (
            f"{equal} of {n}{which} rows are equal to others in X and differ in y, so that no "
            f"network reaches more than {what} {share:.3g} on them: more features, or the "
            "correction of rows given twice, may help."
        )
