"""Checks of what users choose and hand in."""

from __future__ import annotations

import functools
import inspect
import math
import operator
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

P = ParamSpec("P")
R = TypeVar("R")

#: Most characters of an object that a message shows.
_SHOWN = 60


def shown(value: Any) -> str:
    """The beginning of an object's repr for a message, in one line; of a NumPy scalar that of the
    Python object."""
    try:
        text = " ".join(repr(value.item() if isinstance(value, np.generic) else value).split())
    except ValueError:  # a whole number of more digits than Python writes
        return "a whole number of thousands of digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def check_number(
    what: str, value: Any, low: float, high: float | None = None, above: bool = False
) -> None:
    """Raise unless `value` is a finite number in [low, high), or in (low, high) with `above`."""
    if type(value) is not float and (
        isinstance(value, (bool, str, bytes))
        or not hasattr(value, "__float__")
        or getattr(value, "ndim", None)
    ):
        raise TypeError(f"{what} must be a number, got {shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    inside = number > low if above else number >= low
    if not (inside and (number < high if high is not None else math.isfinite(number))):
        allowed = f"{'above' if above else 'at least'} {low}" + (
            f" and below {high}" if high is not None else ""
        )
        hint = of_percent(number) if (low, high) == (0, 1) else ""
        raise ValueError(f"{what} must be a finite number {allowed}, got {shown(value)}{hint}")


def of_percent(number: float) -> str:
    """What follows an error about a share, where percent were meant."""
    return f"; {number:g} % is {number / 100:g}" if 1 < number < 100 else ""


def is_whole(value: Any) -> bool:
    """Whether `value` is one whole number and no bool: an int, a NumPy integer, ..."""
    if type(value) is int:
        return True
    if isinstance(value, bool) or getattr(value, "ndim", None):
        return False
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def check_state(state: object, counts: Collection[str], others: Collection[str]) -> None:
    """Raise unless what a training is to go on from is a dict with these entries, as the `state` of
    a trainer gives it.

    Parameters
    ----------
    state : object
        Perhaps from a pickle that is damaged or was edited.
    counts : collection of str
        Entries that hold whole numbers.
    others : collection of str
        Entries that hold something else.
    """
    parts = ("optimizer", *counts, *others)
    if not isinstance(state, dict) or not set(parts) <= set(state):
        raise ValueError(f"a state must be a dict of {', '.join(parts)}, as `state` gives it")
    for part in counts:
        if not is_whole(state[part]) or not 0 <= state[part] < 2**63:
            raise ValueError(
                f"the {part} of a state must be a whole number from 0 to 2**63 - 1, got "
                f"{shown(state[part])}"
            )


class Array:
    """What a function takes as an array: a C-contiguous ndarray; with `alike`, of the same dtype as
    the first array."""

    def __init__(
        self,
        ndim: int | None = None,
        dtypes: tuple[str, ...] = ("float32", "float64"),
        writable: bool = False,
        alike: bool = True,
    ) -> None:
        self.ndim, self.dtypes, self.writable, self.alike = ndim, dtypes, writable, alike

    def as_output(self) -> Array:
        """The same, to be written to."""
        return Array(self.ndim, self.dtypes, True, self.alike)

    def check(self, name: str, value: Any) -> None:
        """Raise for anything else, with its name, what is given and what is allowed."""
        allowed = f"an ndarray of {' or '.join(self.dtypes)}"
        if not isinstance(value, np.ndarray):
            raise TypeError(f"{name} must be {allowed}, got {type(value).__name__}") from None
        if value.dtype not in self.dtypes:
            raise TypeError(f"{name} must be {allowed}, got {value.dtype}") from None
        if self.ndim is not None and value.ndim != self.ndim:
            wanted = f"{self.ndim} dimension{'s' if self.ndim != 1 else ''}"
            raise ValueError(
                f"{name} must have {wanted}, got an array of shape {value.shape}"
            ) from None
        if not value.flags.c_contiguous:
            raise ValueError(
                f"{name} must be C-contiguous, got an array of shape {value.shape} with strides of "
                f"{value.strides} bytes; np.ascontiguousarray({name}) makes a copy that is"
            ) from None
        if self.writable and not value.flags.writeable:
            raise ValueError(f"{name} is written to, got a read-only array") from None


class Whole:
    """What a function takes as a whole number: 0 to `high`."""

    def __init__(self, high: int = 2**63 - 1) -> None:
        self.high = high

    def check(self, name: str, value: Any) -> None:
        """Raise for anything else."""
        if not is_whole(value):
            raise TypeError(f"{name} must be a whole number, got {shown(value)}") from None
        if not 0 <= value <= self.high:
            bits = (self.high + 1).bit_length() - 1
            raise ValueError(f"{name} must lie in 0 to 2**{bits} - 1, got {shown(value)}") from None


class Number:
    """What a function takes as a number."""

    def check(self, name: str, value: Any) -> None:
        """Raise for anything else."""
        try:
            float(value)
        except (TypeError, ValueError):
            raise TypeError(f"{name} must be a number, got {shown(value)}") from None


VECTOR, MATRIX, PANELS = Array(1), Array(2), Array(3)
DOUBLES = Array(1, ("float64",), alike=False)
NUMBER, WHOLE, WORD, SEED = Number(), Whole(), Whole(2**32 - 1), Whole(2**64 - 1)


def takes(**rules: Array | Whole | Number) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator: errors name the argument that is not what the function takes; what equals a
    default is always taken. Arrays whose numbers stand at addresses that are no multiples of their
    size are copied.

    Cython converts arguments, and chooses between float32 and float64, before the function's own
    checks run, and its errors name none. So the arguments are looked at after an error, and calls
    that go well do not pay for it.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def named(*args: P.args, **kwargs: P.kwargs) -> R:
            if any(map(_misaligned, args)) or (kwargs and any(map(_misaligned, kwargs.values()))):
                return _with_copies(named, args, kwargs)
            try:
                return function(*args, **kwargs)
            except (AttributeError, IndexError, OverflowError, TypeError, ValueError):
                signature = inspect.signature(function)
                arguments = signature.bind_partial(*args, **kwargs).arguments
                _check_arguments(arguments, signature.parameters, rules)
                raise

        return named

    return decorate


def as_native(array: ArrayLike, dtype: DTypeLike | None = None) -> np.ndarray:
    """An array as the kernels read it: C-contiguous, of `dtype`, and each number at an address that
    is a multiple of its size; not copied where it is one already.

    Parameters
    ----------
    array : array-like
    dtype : dtype-like, optional
        Default its own.

    Returns
    -------
    ndarray
    """
    native: np.ndarray = np.asarray(array, dtype, order="C")
    return native if native.flags.aligned else native.copy()


def _misaligned(value: Any) -> bool:
    """Whether this would be an array for the kernels if its numbers stood at other addresses."""
    if not isinstance(value, np.ndarray):
        return False
    flags = value.flags
    return not flags.aligned and flags.c_contiguous


def _with_copies(function: Callable[..., R], args: Any, kwargs: Any) -> R:
    """Call a function with aligned copies of arrays, and put back what it writes into them."""
    copies: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def aligned(value: Any) -> Any:
        if not _misaligned(value):
            return value
        return copies.setdefault(id(value), (value, value.copy()))[1]

    result = function(*map(aligned, args), **{name: aligned(kwargs[name]) for name in kwargs})
    for value, copy in copies.values():
        if value.flags.writeable:
            value[...] = copy
            if isinstance(result, np.ndarray) and np.may_share_memory(result, copy):
                result = value  # type: ignore[assignment]
    return result


def _check_arguments(
    arguments: Mapping[str, Any],
    parameters: Mapping[str, inspect.Parameter],
    rules: Mapping[str, Array | Whole | Number],
) -> None:
    first: tuple[str, object] | None = None
    for name, rule in rules.items():
        value = arguments.get(name, parameters[name].default)
        if value is parameters[name].default:
            continue
        rule.check(name, value)
        if isinstance(rule, Array) and rule.alike:
            first = first or (name, value.dtype)
            if value.dtype != first[1]:
                raise TypeError(
                    f"{name} must be of {first[1]} as {first[0]} is, got {value.dtype}"
                ) from None


def as_array(name: str, value: Any, dtype: Any) -> np.ndarray[Any, Any]:
    """An array-like of numbers as a C-contiguous array of `dtype`."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):  # a list with rows of different lengths
        array = np.array(None)
    if array.dtype.kind not in "fiub":
        what = array.dtype if isinstance(value, np.ndarray) else type(value).__name__
        raise TypeError(f"{name} must be an array of real numbers, got {what}") from None
    return as_native(array, dtype)
