"""How many units of a layer are dead, and how many entries saturated."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: A unit is saturated for a row where the slope of its activation is below this share of the
#: steepest one.
FLAT = 0.05
#: Activations that level off on both sides, with their steepest slopes.
LEVEL_OFF = {"sigmoid": 0.25, "tanh": 1.0, "hard_sigmoid": 1 / 6}
#: Activations whose units can be 0, or nearly so, for all rows.
CAN_DIE = ("relu",)


def idle_share(activation: str, z: NDArray[Any], a: NDArray[Any]) -> tuple[str, float] | None:
    """The share of units that are 0 for all rows, of activations whose units can be; or of entries
    whose slope is below 5 % of the steepest, of activations that level off on both sides.

    Parameters
    ----------
    activation : str
    z, a : ndarray, shape (rows, n_out)

    Returns
    -------
    (word, share) or None
        "dead" or "saturated", and 0 to 1; None for other activations.
    """
    if activation in CAN_DIE:
        from cnn_core.causes.network import silent

        return "dead", silent([a])[0] / a.shape[1]
    if activation in LEVEL_OFF:
        from cnn_core import functional as F

        slopes = F.activation_derivative(activation, np.ascontiguousarray(z))
        flat = np.count_nonzero(slopes < FLAT * LEVEL_OFF[activation])
        return "saturated", flat / slopes.size
    return None
