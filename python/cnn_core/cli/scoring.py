"""How good predictions are, in the numbers that people ask for."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_core.cli.telling import aligned, number


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


def scores(model: Any, X: Any, y: np.ndarray) -> dict[str, float]:
    """Of a model on some rows, with the loss."""
    predicted = model.predict(X)
    if is_classifier(model):
        found = {"accuracy": float(np.mean(predicted == y))}
    else:
        found = regression_scores(y, predicted)
    if hasattr(model, "evaluate"):
        found["loss"] = float(model.evaluate(X, y)["loss"])
    return found


def is_classifier(model: Any) -> bool:
    """Whether a fitted model predicts classes."""
    return getattr(model, "classes_", None) is not None


def baseline(y: np.ndarray, learned: np.ndarray, classes: bool) -> tuple[str, dict[str, float]]:
    """The same scores of always guessing the largest class, or the mean, of `learned`."""
    if classes:
        found, counts = np.unique(learned, return_counts=True)
        largest = found[counts.argmax()]
        return f"always {largest}", {"accuracy": float(np.mean(y == largest))}
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
    return {name: value if np.isfinite(value) else None for name, value in found.items()}
