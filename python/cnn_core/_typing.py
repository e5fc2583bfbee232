"""Names for the types of arrays; imported by type checkers only."""

from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float32 | np.float64]  #: computed by the core, in the model's dtype
Labels = NDArray[np.generic]  #: classes and predictions, in the dtype that y had


class Evaluation(TypedDict):
    """What `MLP.evaluate` returns: accuracy for classes, r2 for a regression."""

    loss: float
    accuracy: NotRequired[float]
    r2: NotRequired[float]
    diagnosis: str
