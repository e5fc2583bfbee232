"""Targets above 0 that spread over orders of magnitude, whose largest ones make up the error."""

from __future__ import annotations

import numpy as np

from cnn_core.causes.data import some_rows
from cnn_core.data.validation import which_target

ROWS = 20  # fewer tell nothing
DECADES = 1.0  # deviation of log y: a factor of 100 between its first and its last percent
SKEWED, EVEN = 2.0, 1.0  # third moments of y, above, and of log y, below


def skewed_targets(y: np.ndarray, names: tuple[str, ...] = ()) -> str:
    """A sentence about targets of which the logarithm is to be learned; empty where there are none.

    Parameters
    ----------
    y : ndarray, shape (rows, n_outputs)
        In the units of the user.
    names : tuple of str
        Of the columns.

    Returns
    -------
    str
    """
    y = some_rows(y)
    for i, column in enumerate(y.T):
        mean = column.mean()
        if len(column) < ROWS or column.min() < 0 or not mean > 0:
            continue
        zeros = bool((column == 0).any())
        median = float(np.median(column))
        if zeros and median < 1:
            continue
        logs = np.log1p(column) if zeros else np.log(column)
        if logs.std() < DECADES or _skewness(column) < SKEWED or abs(_skewness(logs)) > EVEN:
            continue
        which, function = which_target(i, y.shape[1], names), "log1p" if zeros else "log"
        inverse = "expm1" if zeros else "exp"
        low, high = np.percentile(column, [1, 99])
        return (
            f"{which} is {'never below' if zeros else 'above'} 0 and spreads over orders of "
            f"magnitude (98 % from {low:.2g} to {high:.2g}), so that its largest numbers "
            f"make up the error: learn {function}({which}), as scikit-learn's "
            f"TransformedTargetRegressor(model, func=np.{function}, inverse_func=np.{inverse}) "
            "does."
        )
    return ""


def _skewness(x: np.ndarray) -> float:
    t = (x - x.mean()) / x.std()
    return float((t**3).mean())
