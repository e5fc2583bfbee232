"""Rows set apart for validation."""

import numpy as np

from cnn_core._random import permutation


def stratified_split(
    seed: int, rows: int, fraction: float, labels: np.ndarray | None = None
) -> np.ndarray:
    """Choose rows for validation, the same share of each class.

    Parameters
    ----------
    seed : int
        Of the fit; determines the rows.
    rows : int
        How many there are.
    fraction : float
        Share of the rows to set apart, in (0, 1).
    labels : ndarray of int32, shape (rows,), optional
        Class indices.

    Returns
    -------
    ndarray of bool, shape (rows,)
        True for the rows that are set apart.

    Raises
    ------
    ValueError
        Where that leaves none to train or none to validate on.
    """
    order = permutation(seed, 0, rows, split=True)
    groups = np.zeros(rows, np.intp) if labels is None else labels[order]
    sizes = np.bincount(groups)
    # Each class gives its share rounded down. Those with the largest remainders give one more,
    # until there are enough.
    shares = fraction * sizes
    taken = np.minimum(shares.astype(np.intp), np.maximum(sizes - 1, 0))
    missing = int(fraction * rows + 0.5) - taken.sum()
    for group in np.argsort(taken - shares, kind="stable")[: max(0, missing)]:
        taken[group] += taken[group] + 1 < sizes[group]
    apart = np.zeros(rows, bool)
    for group, n in enumerate(taken):
        apart[order[groups == group][:n]] = True
    if not apart.any() or apart.all():
        raise ValueError(
            f"validation_fraction {fraction} of {rows} rows leaves none to "
            f"{'train' if apart.all() else 'validate'} on; give validation_data or another fraction"
        )
    return apart
