"""How good predictions are, in the numbers that people ask for."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_core.cli.telling import aligned, number
from cnn_core.scores import balanced_accuracy, has_rare_class


def regression_scores(y: np.ndarray, predicted: Any) -> dict[str, float]:
    """RMSE, MAE and R2; R2 is NaN where y does not vary."""
    y = np.asarray(y, np.float64)
    difference = np.asarray(predicted, np.float64) - y
    total = float(((y - y.mean()) ** 2).sum())
    squares = float((difference**2).sum())
    return {
        "RMSE": float(np.sqrt(squares / len(y))),
        "MAE": float(np.abs(difference).mean()),
        "R2": 1 - squares / total if total > 0 else float("nan"),
    }


def class_scores(y: np.ndarray, predicted: Any, rare: bool) -> dict[str, float]:
    """Accuracy, and balanced accuracy where a class is rare."""
    right = np.asarray(predicted) == y
    found = {"accuracy": float(np.mean(right))}
    if rare:
        labels = np.unique(y, return_inverse=True)[1]
        found["balanced accuracy"] = balanced_accuracy(labels, np.where(right, labels, -1))
    return found


def has_rare(y: np.ndarray) -> bool:
    """Whether some class comes so seldom that accuracy says little."""
    return has_rare_class(np.unique(y, return_counts=True)[1])


def scores(model: Any, X: Any, y: np.ndarray, rare: bool) -> dict[str, float]:
    """Of a model on some rows, with the loss; `rare` as in `class_scores`."""
    predicted = model.predict(X)
    if is_classifier(model):
        found = class_scores(y, predicted, rare)
    else:
        found = regression_scores(y, predicted)
    if hasattr(model, "evaluate"):
        evaluated = model.evaluate(X, y)
        if "d2_pinball" in evaluated:  # a quantile is far from the mean by design
            found = {"D2": float(evaluated["d2_pinball"])}
        found["loss"] = float(evaluated["loss"])
    return found


def is_classifier(model: Any) -> bool:
    """Whether a fitted model predicts classes."""
    return getattr(model, "classes_", None) is not None


def baseline(
    y: np.ndarray, learned: np.ndarray, classes: bool, rare: bool
) -> tuple[str, dict[str, float]]:
    """The same scores of always guessing the largest class, or the mean, of `learned`."""
    if classes:
        found, counts = np.unique(learned, return_counts=True)
        largest = found[counts.argmax()]
        return f"always {largest}", class_scores(y, np.full(len(y), largest), rare)
    mean = float(np.mean(learned))
    return f"always the mean, {number(mean)}", regression_scores(y, np.full(len(y), mean))


def table_of(rows: dict[str, dict[str, float]]) -> list[str]:
    """Lines with a column for each score."""
    names = list(dict.fromkeys(name for found in rows.values() for name in found))
    lines = [["", *names]]
    for what, found in rows.items():
        shown = what if len(what) <= 40 else what[:37] + "..."
        lines.append([shown, *(number(found[n]) if n in found else "" for n in names)])
    return aligned(lines)


def finite(found: dict[str, float]) -> dict[str, float | None]:
    """Scores as JSON has them."""
    return {
        name.replace(" ", "_"): value if np.isfinite(value) else None
        for name, value in found.items()
    }
