"""Names for the types of arrays; imported by type checkers only."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float32 | np.float64]  #: computed by the core, in the model's dtype
Labels = NDArray[Any]  #: classes and predictions, in the dtype that y had
