"""Why rows say little of how good a model is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cnn_core.data.validation import plain

if TYPE_CHECKING:
    from cnn_core.data.prepare import Dataset
    from cnn_core.model import Model

FEW_OTHERS = 4  # rows, fewer of which say little of accuracy


def doubts(model: Model, data: Dataset) -> Iterator[str]:
    """Why these rows can say little, however good the model is."""
    rows = data.X.count
    if data.labels is not None:
        labels = data.labels.array[:, 0]
        if rows < FEW_OTHERS and rows != model.seen.rows:
            yield (
                f"{'One row does' if rows == 1 else f'{rows} rows do'} not show how good the model "
                f"is: accuracy goes in steps of 1/{rows}; take more rows."
            )
        elif rows > 1 and (labels == labels[0]).all():
            assert model.task.classes is not None
            yield (
                f"All these {rows} rows are of class {plain(model.task.classes[labels[0]])!r}: "
                "they do not show whether the classes are told apart."
            )
    elif model.task.name == "regression":
        assert data.y is not None
        y = data.y.array
        if rows == 1:
            yield "One row does not show how good the model is: R^2 compares rows with their mean."
        elif (y == y[0]).all():
            yield "y is the same in all these rows: R^2 means nothing here."
