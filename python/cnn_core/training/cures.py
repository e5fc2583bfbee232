"""What helps where the labels of a training are not what it can learn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.model import Model


def of_one_class(p: SimpleNamespace, y: ArrayLike, purpose: str, classes: ArrayLike | None) -> str:
    """What helps where all labels are the same."""
    cures = []
    if purpose == "partial_fit" and classes is None:
        cures.append("name all that will ever come, such as partial_fit(X, y, classes=[0, 1])")
    if p.task == "auto" and classes is None and np.asarray(y).dtype.kind in "iuf":
        cures.append("say task='regression' if y holds numbers to predict")
    return f"; {', or '.join(cures)}" if cures else ""


def of_unknown(p: SimpleNamespace, y: ArrayLike, before: Model | None, error: ValueError) -> str:
    """What helps where training that goes on meets a class that did not come before."""
    if before is None or before.task.classes is None:
        return ""
    cure = f"other classes need a new fit{', with warm_start=False' if p.warm_start else ''}"
    if before.history.streamed:
        cure = (
            "the first y of the stream was taken for classes, all of which partial_fit(X, y, "
            "classes=[...]) names then"
        )
    numbers = before.task.classes.dtype.kind in "iuf" and np.asarray(y).dtype.kind in "iuf"
    if numbers and "MLPRegressor" not in str(error):
        say = "task='regression' or " if p.task == "auto" else ""
        cure += f"; if it holds numbers to predict, take {say}MLPRegressor from the beginning"
    return f"; {cure}"
