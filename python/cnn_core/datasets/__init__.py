"""Data: digits for examples and tests, files in MNIST's format, rows to train and to test on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_core.datasets.idx import read_idx
from cnn_core.datasets.splitting import split

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["load_digits", "read_idx", "split"]


def load_digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Handwritten digits, 8 x 8 pixels.

    The test set of "Optical Recognition of Handwritten Digits" (E. Alpaydin & C. Kaynak 1998, UCI
    Machine Learning Repository, https://doi.org/10.24432/C50P49, licence CC BY 4.0), in the form in
    which scikit-learn distributes it. Each pixel counts the inked points of a 4 x 4 field of the
    scanned image; the digits of 13 writers, none of whom is in the original training set.

    Returns
    -------
    X : ndarray of float32, shape (1797, 64)
        Whole numbers 0 to 16, row by row from the top left.
    y : ndarray of int64, shape (1797,)
        The digit, 0 to 9.
    """
    from importlib.resources import files  # some milliseconds that `import cnn_core` need not pay

    with (files(__name__) / "digits.npz").open("rb") as file, np.load(file) as data:
        return data["X"].astype(np.float32), data["y"].astype(np.int64)
