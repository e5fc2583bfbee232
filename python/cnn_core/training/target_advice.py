"""What is told of single targets before a training: codes for missing entries, and outliers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core.causes.codes import code, code_of_targets, may_be_code
from cnn_core.causes.data import ENOUGH
from cnn_core.causes.outliers import FEWEST, ROBUST, beyond, far_from, outliers, words
from cnn_core.data.validation import as_numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.causes.codes import Code
    from cnn_core.causes.outliers import Outliers
    from cnn_core.causes.seen import Seen
    from cnn_core.data.prepare import Prepared
    from cnn_core.task import Task

LOPSIDED = 3.0  # ratio of the ends of y above which a code for a missing entry is looked for


class Found(NamedTuple):
    """What there is to say."""

    told: list[str]  #: at once
    begin: list[str]  #: of codes, where the result is poor
    outlier: str  #: of outliers, the same
    pending: str = ""  #: the same of one that may be the first of many


def of_first_targets(task: Task, data: Prepared, given: ArrayLike, ends: np.ndarray) -> Found:
    """Codes and outliers in the rows of a fit, or the first rows of a stream.

    Parameters
    ----------
    task : Task
    data : Prepared
    given : array-like
        y as the user gave it.
    ends : ndarray, shape (2, n_outputs)
        The lowest and the highest y; become those of the other targets.

    Returns
    -------
    Found
    """
    y, n, names = _rows(task, data, given), task.n_outputs, data.target_names
    missing = _code(y, ends, data)
    told: list[str] = []
    begin: list[str] = []
    if missing is not None:
        ends[:, missing.column] = missing.low, missing.high
        told = [code_of_targets(missing, n, "", names)]
        begin = [code_of_targets(missing, n, "training", names)]
        y = y[y[:, missing.column] != missing.number]
    found = _of_outliers(task, data, outliers(y, ENOUGH), ends)
    return found._replace(told=told + found.told, begin=begin)


def of_later_targets(
    task: Task, data: Prepared, given: ArrayLike, ends: np.ndarray, past: Seen
) -> Found:
    """Outliers in a later call of a stream, which are told once. One that stands last may be the
    first of many, if the targets move: it is told when the next call has brought nearer ones.

    Parameters
    ----------
    task, data, given, ends
        As for `of_first_targets`.
    past : Seen
        Of the calls before.

    Returns
    -------
    Found
    """
    y = _rows(task, data, given)
    far = far_from(past.y, past.rows, y)
    moved = far[-1:].any() and (past.pending or 2 * far.any(axis=1).sum() > max(len(y), ENOUGH))
    if moved:
        return Found([], [], past.outlier)
    found = Found([], [], past.outlier)
    if far.any():
        assert past.y is not None
        found = _of_outliers(task, data, beyond(past.y, y, far), ends)
        if far[-1].any():
            pending = "" if past.outlier else found.outlier
            return Found([], [], past.outlier, pending)
    elif len(y) >= FEWEST:
        found = _of_outliers(task, data, outliers(y), ends)
    if past.outlier or not (found.outlier or past.pending):
        return Found([], [], past.outlier)
    if past.pending:
        told = [] if task.loss in ROBUST else [past.pending]
        return Found(told, [], past.pending)
    return found


def _rows(task: Task, data: Prepared, given: ArrayLike) -> np.ndarray:
    """The rows of y that count, as they were given."""
    y = as_numbers("y", given).reshape(-1, task.n_outputs)
    weights = data.train.row_weights()
    if weights is not None and len(weights) == len(y) and not weights.all():
        y = y[weights[:, 0] > 0]
    return y


def _code(y: np.ndarray, ends: np.ndarray, data: Prepared) -> Code | None:
    """A code for a missing y, which is looked for where an end of the range may be one, or lies
    much further from the middle than the other."""
    scaling = data.target_scaling
    low, high = np.abs(ends if scaling is None else (ends - scaling.shift) / scaling.factor)
    lopsided = (np.maximum(low, high) > LOPSIDED * np.minimum(low, high)).any()
    return code(y) if lopsided or may_be_code(ends).any() else None


def _of_outliers(task: Task, data: Prepared, found: list[Outliers], ends: np.ndarray) -> Found:
    """Far outliers of y, in the words of the fit and of later advice; `ends` become those of the
    other targets."""
    if not found:
        return Found([], [], "")
    for one in found:  # a code for a missing entry may have been left out already
        ends[0, one.column] = max(ends[0, one.column], one.low)
        ends[1, one.column] = min(ends[1, one.column], one.high)
    worst = max(found, key=lambda one: one.share)
    n, names = task.n_outputs, data.target_names
    told = [] if task.loss in ROBUST else [words(worst, n, task.loss, "", names)]
    return Found(told, [], words(worst, n, task.loss, "training", names))
