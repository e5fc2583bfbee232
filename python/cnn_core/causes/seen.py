"""What a training leaves for later advice: where its rows lay, what may have ended it, and what was
wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from cnn_core.data.prepare import Dataset
    from cnn_core.data.scaling import Scaling
    from cnn_core.data.target_scaling import TargetScaling

ROWS = 64  # of X whose mean and deviation are kept


class Rules(NamedTuple):
    """What may end a fit early, as the parameters of MLP have it."""

    early_stopping: bool = False
    min_delta: float = 0.0
    tol: float | None = None
    patience: int = 0


class Seen(NamedTuple):
    """Of the rows of all calls, those of a stream included."""

    rows: int = 0
    #: The lowest and the highest y of each output, in the units of y; None for classes.
    y: np.ndarray | None = None
    #: Mean and standard deviation of each feature in some of the first rows; None where the model
    #: scales them.
    X: np.ndarray | None = None
    rules: Rules = Rules()
    begin: tuple[str, ...] = ()  #: what was wrong before the first step
    diverged: str = ""  #: what was said of it when the training diverged

    @property
    def constant(self) -> np.ndarray:
        """The outputs whose targets were all the same."""
        return np.flatnonzero(self.y[0] == self.y[1]) if self.y is not None else np.zeros(0, int)


def rows_seen(
    before: Seen | None,
    train: Dataset,
    regression: bool,
    scaled: bool,
    targets: TargetScaling | None,
) -> Seen:
    """What is to be kept of the rows of a fit, or of one more call of a stream.

    Parameters
    ----------
    before : Seen or None
        Of the calls before, if these rows come beside theirs.
    train : Dataset
        As the network reads it.
    regression : bool
    scaled : bool
        Whether the model scales its inputs.
    targets : TargetScaling or None

    Returns
    -------
    Seen
    """
    X = y = None
    if regression and train.y is not None:
        found = train.y.array
        y = in_units(
            targets, np.array([np.minimum.reduce(found), np.maximum.reduce(found)], np.float64)
        )
    if before is not None and before.rows:
        X = before.X
        if y is not None and before.y is not None:
            y = np.array([np.minimum(y[0], before.y[0]), np.maximum(y[1], before.y[1])])
    elif not scaled:
        step = -(-train.X.count // ROWS)
        indices = train.X.indices
        some = train.X.array[::step] if indices is None else train.X.array[indices[::step]]
        with np.errstate(all="ignore"):
            mean = np.add.reduce(some, 0, np.float64) / len(some)
            X = np.array([mean, np.sqrt(np.add.reduce((some - mean) ** 2) / len(some))])
    rows = train.X.count + (0 if before is None else before.rows)
    return Seen(rows, y, X)


def in_units(targets: TargetScaling | None, learned: np.ndarray) -> np.ndarray:
    """What a network learns or gives, in float64 and in the units of y; never clipped."""
    y = learned.astype(np.float64)
    return y if targets is None else y * targets.factor + targets.shift


def learned(scaling: Scaling | None) -> bool:
    """Whether the inputs have a scaling that was learned from rows; that of a stream that 'auto'
    has not decided on does nothing."""
    return scaling is not None and scaling.kind != "auto"
