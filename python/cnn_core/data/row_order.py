"""Frames and series whose rows go by position, though their labels say another order."""

from __future__ import annotations

from typing import Any

from cnn_core._warn import warn

SHARED = 2  # labels, of which an order can be told


def warn_of_order(X: object, other: object, name: str = "y", X_name: str = "X") -> None:
    """Say that the rows of a frame and of a series go by position, where the labels that both have
    come in another order.

    Parameters
    ----------
    X : object
        The rows.
    other : object
        What has an entry for each of them; None is left alone.
    name, X_name : str
        What to call them.
    """
    one, two = getattr(X, "index", None), getattr(other, "index", None)
    if one is None or two is None or not (hasattr(one, "equals") and hasattr(two, "equals")):
        return
    if one.equals(two):
        return
    first, second = one[one.isin(two)], two[two.isin(one)]
    if len(first) < SHARED or first.equals(second):
        return
    whole = len(first) == len(one) and len(second) == len(two)
    if not whole and (_counts_rows(one) or _counts_rows(two)):  # new labels, as reset_index gives
        return
    which = "the labels" if whole else f"{len(first):,} labels"
    cure = f"{name}.loc[{X_name}.index]" if name.isidentifier() else "both in the order of one"
    warn(
        f"the index of {name} has {which} of {X_name}'s in another order, and rows belong together "
        f"by position; if by label, give {cure}",
        UserWarning,
    )


def _counts_rows(index: Any) -> bool:
    """Whether labels are 0, 1, 2, ... and so say nothing."""
    return bool(index[0] == 0 and index[-1] == len(index) - 1 and index.is_monotonic_increasing)
