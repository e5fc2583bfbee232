"""Checks of what users choose and hand in."""

import functools
import inspect
import math
import operator

import numpy as np


def check_number(what, value, low, high=None, above=False):
    """Raise unless `value` is a finite number in [low, high), or in (low, high) with `above`."""
    if (
        isinstance(value, (bool, str, bytes))
        or not hasattr(value, "__float__")
        or getattr(value, "ndim", 0)
    ):
        raise TypeError(f"{what} must be a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    inside = number > low if above else number >= low
    if not (inside and (number < high if high is not None else math.isfinite(number))):
        allowed = f"{'above' if above else 'at least'} {low}" + (
            f" and below {high}" if high is not None else ""
        )
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


def takes_reals(**dimensions):
    """Decorator: errors name the array that is of a wrong type; `dimensions` says how many each
    argument has.

    Cython chooses between float32 and float64 before the function's own checks run, and says no
    more than "No matching signature found". So the arrays are looked at after an error, and calls
    that go well do not pay for it.
    """

    def decorate(function):
        @functools.wraps(function)
        def named(*args, **kwargs):
            try:
                return function(*args, **kwargs)
            except (AttributeError, IndexError, TypeError, ValueError):
                signature = inspect.signature(function)
                _check_reals(
                    signature.bind_partial(*args, **kwargs).arguments,
                    signature.parameters,
                    dimensions,
                )
                raise

        return named

    return decorate


def _check_reals(arguments, parameters, dimensions):
    first = None
    for name, ndim in dimensions.items():
        value = arguments.get(name, parameters[name].default)
        if value is parameters[name].default:
            continue
        dtype = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
        if dtype not in ("float32", "float64"):
            raise TypeError(
                f"{name} must be an ndarray of float32 or float64, got {dtype}"
            ) from None
        if value.ndim != ndim:
            raise ValueError(
                f"{name} must have {ndim} dimensions, got an array of shape {value.shape}"
            ) from None
        first = first or (name, dtype)
        if dtype != first[1]:
            raise TypeError(f"{name} must be of {first[1]} as {first[0]} is, got {dtype}") from None
