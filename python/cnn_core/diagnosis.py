"""What the learning curves suggest: over- or underfitting, in words that promise no more than
curves can show; and what in the data or the network may be the cause."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._dataset import RowSource
from cnn_core.data.prepare import Dataset

if TYPE_CHECKING:
    from cnn_core.model import Model

RISE = 0.05  # by which the validation loss must have risen from its lowest, as a share of it
GAP = 0.5  # by which it must lie above the training loss
FALL = 0.02  # by which a loss still falls in the last tenth of the epochs
POOR = 0.25  # of the way from the trivial prediction to the perfect one
WORSE = 0.05  # of that way, by which the metric on other rows must lie below that of training
SAMPLE = 300  # rows in which causes are looked for
UNEQUAL = 100  # by which sizes of features may differ, and a size may differ from 1
FAR = 10  # standard deviations that a feature or target may lie from 0
DEAD = 0.5  # share of a layer's units that never fire, from which it is said


def diagnose(
    history: Mapping[str, Sequence[float]],
    baseline: float,
    best_epoch: int | None = None,
    loss: float | None = None,
    metric: float | None = None,
    causes: Callable[[], Sequence[str]] = tuple,
) -> str:
    """A hint from training against validation loss.

    Parameters
    ----------
    history : dict of str to list
        ``MLP.history_``.
    baseline : float
        The metric of the best constant prediction.
    best_epoch : int, optional
        The epoch, counted from 1, that the model's weights are of, where they are not of the last.
    loss, metric : float, optional
        On some rows, in the place of the last validation loss and metric.
    causes : callable
        Called where the model is poor: sentences from `find_causes`, which are then named first.

    Returns
    -------
    str
        One or two sentences.
    """
    train, scores = history["loss"], history["metric"]
    curve, rows = history.get("val_loss"), "the validation rows" if loss is None else "these rows"
    if not train:
        return "not trained for a whole epoch"
    if curve and any(map(math.isnan, curve)):  # some of the epochs were without validation
        curve = None
    lowest = min(range(len(curve)), key=curve.__getitem__) if curve else 0
    at = (best_epoch or len(train)) - 1
    unseen = loss if loss is not None else curve[at] if curve else None
    falling = _still_falls(train) and (curve is None or _still_falls(curve))
    more = "; the loss was still falling, so more epochs may help" if falling else ""
    reached = (scores[at] - baseline) / (1 - baseline) if baseline < 1 else 1.0
    if loss is None and curve and "val_metric" in history:
        metric = history["val_metric"][at]
    # Of a model that is nearly always right the loss may be many times larger on other rows.
    worse = metric is None or scores[at] - metric > WORSE * (1 - baseline)

    if (
        curve
        and best_epoch is None
        and loss is None
        and curve[-1] > curve[lowest] + RISE * abs(curve[lowest])
        and (train[-1] < train[lowest])
        and worse
    ):
        return (
            f"may be overfitting: the validation loss was lowest in epoch {lowest + 1} "
            f"({curve[lowest]:.4g}) and has risen to {curve[-1]:.4g} while the training loss "
            f"fell to {train[-1]:.4g}. Early stopping, l2, dropout, a smaller net or more data "
            "may help."
        )
    if reached < POOR:
        named, advice = causes(), more or "; a larger net or another learning rate may help"
        found = (
            f"may be underfitting: on the training rows the metric is {scores[at]:.4g}, where a "
            f"constant prediction reaches {baseline:.4g}"
        )
        return " ".join([f"{found}.", *named]) if named else f"{found}{advice}."
    if unseen is None:
        return (
            f"no validation loss to compare the training loss ({train[at]:.4g}) with{more}. Give "
            "validation_data or early_stopping, or evaluate on other rows."
        )
    both = f"the loss is {unseen:.4g} on {rows} and {train[at]:.4g} in training"
    if (
        worse
        and unseen > train[at] + GAP * abs(train[at])
        and not math.isclose(unseen, train[at], abs_tol=1e-12)
    ):
        return (
            f"may be overfitting: {both}. Early stopping, l2, dropout, a smaller net or more data "
            "may help."
        )
    return f"no sign of over- or underfitting: {both}{more}."


def causes_in(model: Model, data: Dataset, backend: Any) -> list[str]:
    """`find_causes` for a model and the rows on which it is poor."""
    step = -(-data.X.count // SAMPLE)
    X, y, labels = (
        None if part is None else RowSource(np.ascontiguousarray(part.rows()[::step]))
        for part in (data.X, data.y, data.labels)
    )
    assert X is not None
    some = Dataset(X, y, labels)
    layers = [layer.a for layer in backend.trace(model, some).layers]
    inputs = X.array if model.scaling is None else None
    learns_y = model.task.name == "regression" and model.target_scaling is None
    targets = y.array if y is not None and learns_y else None
    return find_causes(inputs, targets, layers, model.feature_names)


def find_causes(
    X: np.ndarray | None,
    y: np.ndarray | None,
    layers: Sequence[np.ndarray],
    names: np.ndarray | None,
) -> list[str]:
    """What in data and network often keeps a net from learning, the likeliest first.

    Parameters
    ----------
    X : ndarray, shape (rows, features), or None
        The inputs as the network reads them; None where the model scales them.
    y : ndarray, shape (rows, n_outputs), or None
        Targets of a regression.
    layers : sequence of ndarray
        Activations of each layer for some rows, the outputs last.
    names : ndarray of str or None
        Of the features.

    Returns
    -------
    list of str
        Sentences with the finding first and the cure after it.
    """
    found = []
    if X is not None:
        found += _unequal_features(np.asarray(X, np.float64), names)
    if y is not None:
        found += _far_targets(np.asarray(y, np.float64))
    *hidden, outputs = layers
    for number, a in enumerate(hidden, start=1):
        dead = float((a == 0).all(axis=0).mean())
        if dead > DEAD:
            found.append(
                f"{dead:.0%} of the units of hidden layer {number} are 0 for every row and learn "
                "no more: a lower learning rate, scaled inputs or another activation may help."
            )
    if len(outputs) > 1 and (np.ptp(outputs, axis=0) <= 1e-6 * np.abs(outputs).max(axis=0)).all():
        found.append("The outputs do not depend on the inputs: every row gets the same answer.")
    return found


def _unequal_features(X: np.ndarray, names: np.ndarray | None) -> list[str]:
    mean, spread = np.abs(X.mean(axis=0)), X.std(axis=0)
    varies = spread > 1e-9 * mean
    if not varies.any():
        return ["All features are constant in these rows: there is nothing to learn from."]

    def called(i: int) -> str:
        return repr(str(names[i])) if names is not None else f"column {i}"

    largest = int(np.where(varies, spread, -np.inf).argmax())
    smallest = int(np.where(varies, spread, np.inf).argmin())
    size = spread[largest] / spread[smallest]
    far = np.where(varies, mean / np.where(varies, spread, 1), 0)
    furthest = int(far.argmax())
    if size > UNEQUAL or not 1 / UNEQUAL < spread[largest] < UNEQUAL:
        what = (
            f"Features spread from {spread[smallest]:.2g} ({called(smallest)}) to "
            f"{spread[largest]:.2g} ({called(largest)})"
        )
    elif far[furthest] > FAR:
        what = f"Feature {called(furthest)} lies {far[furthest]:.2g} standard deviations from 0"
    else:
        return []
    return [f"{what}: scale_inputs='auto' is likely to help."]


def _far_targets(y: np.ndarray) -> list[str]:
    mean, spread = y.mean(axis=0), y.std(axis=0)
    worst = int(np.argmax(np.abs(np.log10(np.maximum(spread, 1e-300)))))
    off = int(np.argmax(np.abs(mean) / np.maximum(spread, 1e-300)))
    i = off if abs(mean[off]) > FAR * max(spread[off], 1.0) else worst
    if abs(mean[i]) <= FAR * max(spread[i], 1.0) and 1 / FAR <= spread[i] <= FAR:
        return []
    which = "y" if y.shape[1] == 1 else f"column {i} of y"
    return [
        f"{which[0].upper()}{which[1:]} has mean {mean[i]:.4g} and standard deviation "
        f"{spread[i]:.2g}: scale_targets='auto' is likely to help."
    ]


def _still_falls(curve: Sequence[float]) -> bool:
    """Whether the mean of the last tenth lies clearly below that of the tenth before."""
    n = max(1, len(curve) // 10)
    if len(curve) < 2 * n:
        return False
    last, before = sum(curve[-n:]) / n, sum(curve[-2 * n : -n]) / n
    return last < before - FALL * abs(before)
