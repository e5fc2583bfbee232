"""What ``scale_inputs="auto"`` does: whether inputs need scaling, and why, in words.

Measured on 500 rows of 4 normal features with the default network, three seeds (2026-11-26):
accuracy 0.85 and R^2 0.86 on new rows with features of mean 0 and standard deviation 1; 0.75 and
0.52 with mean 3; 0.76 and 0.44 with standard deviation 10; 0.82 and 0.80 with 0.1; 0.78 and 0.65
with standard deviations from 0.1 to 10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_core._cpu import with_subnormals
from cnn_core._warn import warn
from cnn_core.data.scaling import Scaling, learn_scaling, mean_and_deviation, weighed

if TYPE_CHECKING:
    from cnn_core.data.prepare import Preparation
    from cnn_core.data.target_scaling import TargetScaling

#: The largest size of a feature may lie between these, the smallest at most `UNEQUAL` below it.
SMALLEST, LARGEST, UNEQUAL = 0.1, 3.0, 10.0
FAR = 3.0  # sizes that the middle of a feature may lie from 0
OUTLIER = 10.0  # sizes that a number may lie from the middle of its feature
#: Of a stream, whose first rows decide for all.
FEWEST_ROWS = 10
#: Features with a background, such as pixels: this share of all numbers is the smallest number, and
#: this share of the features spans at least half of what all of them span together. They have one
#: unit, and a pixel that is rarely lit is no smaller than the others.
BACKGROUND, FULL_SPAN = 0.1, 0.5
#: Together they span at most this, and at least `SMALLEST`.
LARGEST_SPAN = 5.0


#: What 'auto' means where features need scaling. Without hidden layers a model stays linear in x.
USUAL, USUAL_OF_LINEAR = "robust_clip", "standard"


def choose_scaling(
    how: Preparation,
    given: object,
    X: np.ndarray,
    weights: np.ndarray | None,
    names: np.ndarray | None,
) -> Scaling | None:
    """The scaling of the inputs, learned from the rows that are trained on.

    Parameters
    ----------
    how : Preparation
    given : array-like
        X as the user gave it.
    X : ndarray of float32 or float64, shape (rows, features)
        C-contiguous and finite.
    weights : ndarray, shape (rows, 1), or None
        Of the rows.
    names : ndarray or None
        Of the features.

    Returns
    -------
    Scaling or None
        None where the network reads X as it is.

    Warns
    -----
    UserWarning
        Where 'auto' leaves features unscaled that need it: those of a memory map, which scaling
        would copy, and of a stream whose first rows are few.
    """
    kind = how.scale_inputs
    if kind != "auto":
        return None if kind is None else learn_scaling(kind, X, weights)
    reason = why_scale(*weighed(X, weights), names)
    if not reason:
        return None
    kind = USUAL_OF_LINEAR if how.linear else USUAL
    unless = ""
    if isinstance(given, np.memmap):
        unless = "X is a memory map, which scaling would copy"
    elif how.streams and len(X) < FEWEST_ROWS:
        unless = f"the first partial_fit has {len(X)} rows, too few to learn a scaling from"
    if unless:
        warn(
            f"{reason}, and {unless}, so scale_inputs='auto' leaves it as it is; ask for "
            f"scale_inputs={kind!r}, or None to say that it is wanted",
            UserWarning,
        )
        return None
    return learn_scaling(kind, X, weights)._replace(reason=reason)


def why_scale(X: np.ndarray, weights: np.ndarray | None, names: np.ndarray | None) -> str:
    """Why the features need scaling, in a few words; nothing where they are alike.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (rows, features)
        C-contiguous and finite.
    weights : ndarray of float64, shape (rows, 1), or None
        Above 0.
    names : ndarray or None
        Of the features.

    Returns
    -------
    str
    """
    with np.errstate(over="ignore", invalid="ignore"):
        words: str = with_subnormals(_why, (X, weights, names))
        return words


def _why(X: np.ndarray, weights: np.ndarray | None, names: np.ndarray | None) -> str:
    low, high = X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64)
    varies = low < high
    far = ~varies & (np.abs(low) > LARGEST)
    if far.any() and (varies.any() or len(X) > 1):
        return f"{_called(int(far.argmax()), names)} is {low[far.argmax()]:.4g} in every row"
    if not varies.any():
        return ""
    if _have_background(X, low, high, varies):
        lowest, highest = low.min(), high.max()
        span = highest - lowest
        if SMALLEST <= span <= LARGEST_SPAN and abs(lowest) <= LARGEST_SPAN:
            return ""
        return f"features reach from {lowest:.4g} to {highest:.4g}"
    middle, size = mean_and_deviation(X, weights)
    # The standard deviation of two numbers tells how rare the rarer one is, and not how large.
    two = varies & _are_two(X, low, high)
    middle, size = np.where(two, (low + high) / 2, middle), np.where(two, (high - low) / 2, size)
    size[~varies] = np.nan
    largest, smallest = int(np.nanargmax(size)), int(np.nanargmin(size))
    if not SMALLEST <= size[largest] <= LARGEST or size[largest] > UNEQUAL * size[smallest]:
        if largest == smallest:
            return f"{_called(largest, names)} has the standard deviation {size[largest]:.2g}"
        return (
            f"features differ in size, from {size[smallest]:.2g} ({_called(smallest, names)}) to "
            f"{size[largest]:.2g} ({_called(largest, names)})"
        )
    distance = np.abs(middle) / size
    furthest = int(np.nanargmax(distance))
    if distance[furthest] > FAR:
        return (
            f"{_called(furthest, names)} lies {distance[furthest]:.2g} standard deviations from 0"
        )
    distance = np.maximum(high - middle, middle - low) / size
    furthest = int(np.nanargmax(distance))
    if distance[furthest] > OUTLIER:
        return (
            f"{_called(furthest, names)} has numbers {distance[furthest]:.2g} standard deviations "
            "from its mean"
        )
    return ""


def _have_background(X: np.ndarray, low: np.ndarray, high: np.ndarray, varies: np.ndarray) -> bool:
    """Whether the features share one smallest number, which is a good part of all."""
    lowest = low.min()
    spanning = (high - low)[varies] >= (high.max() - lowest) / 2
    if len(varies) < 2 or spanning.mean() < FULL_SPAN or (low[varies] > lowest).mean() > FULL_SPAN:
        return False
    return bool(np.count_nonzero(lowest == X) >= BACKGROUND * X.size)


def _are_two(X: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether each column holds its smallest and its largest number alone."""
    some = X[: 1 << 10]
    two: np.ndarray = ((some == low) | (some == high)).all(axis=0)
    if two.any() and len(X) > len(some):
        at = np.flatnonzero(two)
        two[at] = ((X[:, at] == low[at]) | (X[:, at] == high[at])).all(axis=0)
    return two


def _called(i: int, names: np.ndarray | None) -> str:
    return f"column {i}" if names is None else repr(str(names[i]))


def scaling_words(scaling: Scaling | None, targets: TargetScaling | None) -> list[str]:
    """What a model does to inputs and targets, for its summary and for a log record."""
    words = []
    if scaling is not None:
        why = f", as {scaling.reason}" if scaling.reason else ""
        words.append(
            f"inputs are scaled: {scaling.kind}{why}" if scaling.kind else "inputs are scaled"
        )
    if targets is not None and targets.scales:
        shift, factor = targets.shift, targets.factor
        how = (
            f"(y - {shift[0]:.4g}) / {factor[0]:.4g}"
            if len(shift) == 1
            else "each column of y less its mean, divided by its standard deviation"
        )
        words.append(f"the network learns {how}, and its losses are in these units")
    if targets is not None and targets.clips:
        words.append("predictions are kept in the range of the training targets")
    return words
