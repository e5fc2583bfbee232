"""What a training leaves for later advice: where its rows lay, what may have ended it, and what was
wrong with it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnn_core._dataset import RowSource
    from cnn_core.causes.spread import Known
    from cnn_core.columns.columns import Columns
    from cnn_core.data.prepare import Dataset
    from cnn_core.data.scaling import Scaling
    from cnn_core.data.target_scaling import TargetScaling
    from cnn_core.task import Task

FEW_ROWS, LOOKED_AT = 10, 1000  # different rows that are few; rows that are looked at
ENOUGH = 20  # rows whose quartiles tell where the others lie
MARKED = 32  # rows that are known again
#: What to say of rows of training that a model is to be calibrated with.
NOT_APART = (
    "calibrate was given rows that the model was fitted to, where its errors are too small: "
    "intervals will be too narrow; give it rows that were set apart"
)
#: The same of rows of validation: `docs/intervals.md` has what was measured.
CHOSE_THE_EPOCH = (
    "calibrate was given the rows by which the epoch was chosen, where errors are somewhat too "
    "small: of a few hundred such rows 1 to 3 % fewer lie inside than the level says; give it "
    "rows that were set apart for it alone"
)
ROWS = 64  # of X whose mean and deviation are kept
#: Entries, and the most rows, of which quartiles are kept.
OF_QUARTILES, MOST = 1 << 12, 512


class Rules(NamedTuple):
    """What may end a fit early, as the parameters of MLP have it."""

    early_stopping: bool = False
    min_delta: float = 0.0
    tol: float | None = None
    patience: int = 0


class Seen(NamedTuple):
    """Of the rows of all calls, those of a stream included."""

    rows: int = 0
    #: The lowest and the highest y of each output, in the units of y, codes for missing entries and
    #: far outliers left out; None for classes.
    y: np.ndarray | None = None
    #: Mean and standard deviation of each feature in some of the first rows, as the network reads
    #: them; None in models of older versions.
    X: np.ndarray | None = None
    rules: Rules = Rules()
    begin: tuple[str, ...] = ()  #: what was wrong before the first step
    diverged: str = ""  #: what was said of it when the training diverged
    outlier: str = ""  #: targets so far from the others that they make up the squared error
    validation: tuple[str, ...] = ()  #: how the validation rows differ from those of training
    absent: tuple[int, ...] = ()  #: indices of the classes that no call of partial_fit has brought
    last: int = 0  #: rows of the last call
    pending: str = ""  #: of an outlier that the last call has ended with, as `outlier` has it
    targets: tuple[
        str, ...
    ] = ()  #: of the columns of y, where they have names; see `names_of_target`
    quartiles: np.ndarray | None = None  #: the lower and the upper one of each feature, as in `X`
    distinct: int = 0  #: different rows among those looked at, if they are few; 0: they are not
    validated: int = 0  #: rows that the history's validation loss is of
    changed: str = ""  #: what was said when the targets of a stream went elsewhere
    rehearsed: int = 0  #: steps on the sample of a stream that its optimizer does not count
    missing: tuple[str, ...] = ()  #: texts that the command line took for missing entries
    #: Of some rows of a regression, evenly spread, see `marks_of`; not in files.
    marks: tuple[int, ...] = ()
    chosen: tuple[int, ...] = ()  #: the same of the validation rows, if these chose the epoch

    def known(
        self, scaling: Scaling | None, columns: Columns | None, away: float | None = None
    ) -> Known | None:
        """What each feature of other rows is compared with; nothing where there are few rows, or
        only those a stream began with. Of a table's `columns` dates and categories have no
        units."""
        if self.X is None or self.quartiles is None or self.rows < ENOUGH:
            return None
        from cnn_core.causes.spread import AWAY, Known  # who predicts needs none of it

        curve = "linear" if scaling is None else scaling.curve
        zero = np.zeros(self.X.shape[1])
        if scaling is not None:
            zero[: len(scaling.shift)] = -scaling.shift * scaling.factor
        return Known(
            self.X,
            self.quartiles,
            min(self.rows, MOST),
            curve,
            AWAY if away is None else away,
            zero,
            None if columns is None else columns.measured,
        )

    @property
    def constant(self) -> np.ndarray:
        """The outputs whose targets were all the same."""
        return np.flatnonzero(self.y[0] == self.y[1]) if self.y is not None else np.zeros(0, int)


def rows_seen(
    before: Seen | None,
    train: Dataset,
    task: Task,
    ends: np.ndarray | None,
) -> Seen:
    """What is to be kept of the rows of a fit, or of one more call of a stream.

    Parameters
    ----------
    before : Seen or None
        Of the calls before, if these rows come beside theirs.
    train : Dataset
        As the network reads it.
    task : Task
    ends : ndarray, shape (2, n_outputs), or None
        The lowest and the highest y of these rows, in the units of y.

    Returns
    -------
    Seen
    """
    X, y, quartiles, distinct = None, ends, None, 0
    absent: tuple[int, ...] = ()
    marks: tuple[int, ...] = ()
    if before is not None and before.rows:
        X, quartiles, absent, marks = before.X, before.quartiles, before.absent, before.marks
        if y is not None and before.y is not None:
            y = np.array([np.minimum(y[0], before.y[0]), np.maximum(y[1], before.y[1])])
    else:
        if before is not None and train.labels is not None:
            absent = tuple(range(task.n_classes))
        some, quartiles = _some(train.X, ROWS), quartiles_of(train.X)
        distinct = _distinct(train.X, some)
        marks = marks_of_some(train, task)
        with np.errstate(all="ignore"):
            mean = np.add.reduce(some, 0, np.float64) / len(some)
            X = np.array([mean, np.sqrt(np.add.reduce((some - mean) ** 2) / len(some))])
    if absent and train.labels is not None:
        absent = tuple(np.setdiff1d(absent, train.labels.array).tolist())
    rows = train.X.count + (0 if before is None else before.rows)
    found = Seen(rows, y, X, absent=absent, last=train.X.count, quartiles=quartiles)
    return found._replace(distinct=distinct, marks=marks)


def marks_of_some(data: Dataset, task: Task) -> tuple[int, ...]:
    """`marks_of` some rows of a regression, evenly spread."""
    if data.y is None or task.name != "regression":
        return ()
    return marks_of(_some(data.X, MARKED), _some(data.y, MARKED))


def marks_of(X: np.ndarray, y: np.ndarray) -> tuple[int, ...]:
    """64 bits of each row and its targets, as the network reads them, that other rows do not have
    but by a rare chance: a sum of its 32-bit words, each times a number of its own."""
    words = np.concatenate([np.ascontiguousarray(one).view(np.uint32) for one in (X, y)], axis=1)
    products = words.astype(np.uint64) * _multipliers(words.shape[1])
    return tuple(np.add.reduce(products, axis=1).tolist())


@lru_cache(maxsize=8)
def _multipliers(n: int) -> np.ndarray:
    """Odd numbers of 64 bits in no order: splitmix64 of 1 to n (Steele, Lea & Flood 2014, "Fast
    splittable pseudorandom number generators")."""
    z = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: np.ndarray = (z ^ (z >> np.uint64(31))) | np.uint64(1)
    return found


def use_of(seen: Seen, X: np.ndarray, y: np.ndarray) -> str:
    """What is wrong with rows for a calibration, as the network reads them: most of them were
    trained on, or chose the epoch; empty where they are others."""
    if seen.distinct or not (seen.marks or seen.chosen):
        return ""
    found = marks_of(X, y)
    if are_known(seen.rows, seen.marks, found):
        return NOT_APART
    return CHOSE_THE_EPOCH if are_known(seen.validated, seen.chosen, found) else ""


def are_known(rows: int, marks: Sequence[int], found: Sequence[int]) -> bool:
    """Whether most of the rows with the marks `found` are among so many rows, by how many of those
    of these that are marked are there. Data in which rows come several times tell nothing."""
    marked, here = {*marks}, {*found}
    if len(marked) < len(marks) or len(here) < 0.9 * len(found):
        return False
    known = len(marked & here)
    return known >= 2 and known * rows >= 0.5 * len(marked) * len(found)


def _some(X: RowSource, rows: int) -> np.ndarray:
    """About so many rows, evenly spread."""
    step = -(-X.count // rows)
    found: np.ndarray = X.array[::step] if X.indices is None else X.array[X.indices[::step]]
    return found


def _distinct(X: RowSource, some: np.ndarray) -> int:
    """How many different rows there are, where they are few; else 0."""
    found: set[bytes] = set()
    found.update(row.tobytes() for row in some)
    if len(found) <= FEW_ROWS:  # else more need not be copied
        found.update(row.tobytes() for row in _some(X, LOOKED_AT))
    if len(found) > FEW_ROWS:
        return 0
    return len(found) if len(found) < X.count else 0


def quartiles_of(X: RowSource) -> np.ndarray:
    """The lower and the upper quartile of each feature in some rows, shape (2, features)."""
    some = _some(X, min(max(ROWS, OF_QUARTILES // X.array.shape[1]), MOST))
    at = [len(some) // 4, 3 * len(some) // 4]
    return np.partition(some.T, at, axis=1)[:, at].T.astype(np.float64)


def ends_of(train: Dataset, targets: TargetScaling | None) -> np.ndarray | None:
    """The lowest and the highest target of each output in the units of y."""
    if train.y is None:
        return None
    y = train.y.array
    return in_units(targets, np.array([np.minimum.reduce(y), np.maximum.reduce(y)], np.float64))


def in_units(targets: TargetScaling | None, learned: np.ndarray) -> np.ndarray:
    """What a network learns or gives, in float64 and in the units of y; never clipped."""
    return learned.astype(np.float64) if targets is None else targets.in_units(learned)


def learned(scaling: Scaling | None) -> bool:
    """Whether the inputs have a scaling that was learned from rows; that of a stream that 'auto'
    has not decided on does nothing."""
    return scaling is not None and scaling.kind != "auto"
