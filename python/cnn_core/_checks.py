"""Checks of what users choose and hand in."""

import functools
import inspect
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


def check_number(
    what: str, value: Any, low: float, high: float | None = None, above: bool = False
) -> None:
    """Raise unless `value` is a finite number in [low, high), or in (low, high) with `above`."""
    if (
        isinstance(value, (bool, str, bytes))
        or not hasattr(value, "__float__")
        or getattr(value, "ndim", None)
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


def is_whole(value: Any) -> bool:
    """Whether `value` is one whole number and no bool: an int, a NumPy integer, ..."""
    if isinstance(value, bool) or getattr(value, "ndim", None):
        return False
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def takes_reals(**dimensions: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator: errors name the array that is of a wrong type; `dimensions` says how many each
    argument has.

    Cython chooses between float32 and float64 before the function's own checks run, and says no
    more than "No matching signature found". So the arrays are looked at after an error, and calls
    that go well do not pay for it.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def named(*args: P.args, **kwargs: P.kwargs) -> R:
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


def _check_reals(
    arguments: Mapping[str, Any],
    parameters: Mapping[str, inspect.Parameter],
    dimensions: Mapping[str, int],
) -> None:
    first: tuple[str, object] | None = None
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
