"""What the learning curves suggest: over- or underfitting, in words that promise no more than
curves can show."""

import math
from collections.abc import Mapping, Sequence

RISE = 0.05  # by which the validation loss must have risen from its lowest, as a share of it
GAP = 0.5  # by which it must lie above the training loss
FALL = 0.02  # by which a loss still falls in the last tenth of the epochs
POOR = 0.25  # of the way from the trivial prediction to the perfect one


def diagnose(
    history: Mapping[str, Sequence[float]],
    baseline: float,
    best_epoch: int | None = None,
    loss: float | None = None,
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
    loss : float, optional
        The loss on rows that were not trained on, in the place of the last validation loss.

    Returns
    -------
    str
        One or two sentences.
    """
    train, metric = history["loss"], history["metric"]
    curve = history.get("val_loss")
    if not train:
        return "not trained for a whole epoch"
    if curve and any(map(math.isnan, curve)):  # some of the epochs were without validation
        curve = None
    lowest = min(range(len(curve)), key=curve.__getitem__) if curve else 0
    at = (best_epoch or len(train)) - 1
    unseen = loss if loss is not None else curve[at] if curve else None
    falling = _still_falls(train) and (curve is None or _still_falls(curve))
    more = "; the loss was still falling, so more epochs may help" if falling else ""
    reached = (metric[at] - baseline) / (1 - baseline) if baseline < 1 else 1.0

    if (
        curve
        and best_epoch is None
        and loss is None
        and curve[-1] > curve[lowest] + RISE * abs(curve[lowest])
        and (train[-1] < train[lowest])
    ):
        return (
            f"may be overfitting: the validation loss was lowest in epoch {lowest + 1} "
            f"({curve[lowest]:.4g}) and has risen to {curve[-1]:.4g} while the training loss "
            f"fell to {train[-1]:.4g}. Early stopping, l2, dropout, a smaller net or more data "
            "may help."
        )
    if reached < POOR:
        advice = more or "; a larger net, another learning rate or scaled inputs may help"
        return (
            f"may be underfitting: on the training rows the metric is {metric[at]:.4g}, where a "
            f"constant prediction reaches {baseline:.4g}{advice}."
        )
    if unseen is None:
        return (
            f"no validation loss to compare the training loss ({train[at]:.4g}) with{more}. Give "
            "validation_data or early_stopping, or evaluate on other rows."
        )
    if unseen > train[at] + GAP * abs(train[at]) and not math.isclose(
        unseen, train[at], abs_tol=1e-12
    ):
        return (
            f"may be overfitting: the loss is {unseen:.4g} on rows that were not trained on and "
            f"{train[at]:.4g} on those that were. Early stopping, l2, dropout, a smaller net or "
            "more data may help."
        )
    return (
        f"no sign of over- or underfitting: the loss is {unseen:.4g} on rows that were not trained "
        f"on and {train[at]:.4g} on those that were{more}."
    )


def _still_falls(curve: Sequence[float]) -> bool:
    """Whether the mean of the last tenth lies clearly below that of the tenth before."""
    n = max(1, len(curve) // 10)
    if len(curve) < 2 * n:
        return False
    last, before = sum(curve[-n:]) / n, sum(curve[-2 * n : -n]) / n
    return last < before - FALL * abs(before)
