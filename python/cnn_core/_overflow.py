"""What is said of outputs that are no numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._warn import warn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnn_core._network import Network


def warn_of_overflow(network: Network, X: NDArray[Any], rows: int, classes: bool = False) -> None:
    """Say how many rows have outputs that are no numbers, and what may be the cause.

    Parameters
    ----------
    network : Network
    X : ndarray, shape (rows, n_features)
        What it has read.
    rows : int
        Of how many rows an output is NaN or, unless classes were asked for, infinite.
    classes : bool
        Whether classes were predicted from them.
    """
    x = network.read(X) if network.embeds else X  # which may be sparse
    largest, weight = max(x.max(), -x.min()), np.abs(network.parameters).max()
    cause = (
        f"numbers on the way overflow {network.dtype}: the network's largest input is "
        f"{largest:.3g}, its largest weight {weight:.3g}"
    )
    if not np.isfinite(largest):
        cause = "inputs are"
    elif not np.isfinite(weight):
        cause = "weights are"
    warn(
        f"{rows:,} of {X.shape[0]:,} rows {'has' if rows == 1 else 'have'} outputs that are NaN"
        f"{'' if classes else ' or infinite'}, as {cause}"
        f"{'; the classes predicted for them mean nothing' if classes else ''}",
        RuntimeWarning,
    )
