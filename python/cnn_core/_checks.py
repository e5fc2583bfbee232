"""Checks of numbers that users choose."""

import math
import operator


def check_number(what, value, low, high=None, above=False):
    """Raise unless `value` is a finite number in [low, high), or in (low, high) with `above`."""
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__") or getattr(value, "ndim", 0):
        raise TypeError(f"{what} must be a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    inside = number > low if above else number >= low
    if not (inside and (number < high if high is not None else math.isfinite(number))):
        allowed = f"{'above' if above else 'at least'} {low}" + (f" and below {high}" if high is not None else "")
        raise ValueError(f"{what} must be a finite number {allowed}, got {value!r}")


def is_whole(value):
    """Whether `value` is one whole number and no bool: an int, a NumPy integer, ..."""
    if isinstance(value, bool) or getattr(value, "ndim", 0):
        return False
    try:
        operator.index(value)
    except TypeError:
        return False
    return True
