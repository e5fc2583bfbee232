"""Numbers that rounding makes equal: dates as 20180130, counters and seconds since 1970 in float32,
identifiers beyond 2^53 in float64."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.data.scaling import is_constant
from cnn_core.data.validation import as_numbers, column_name, feature_names, plain

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

#: Share of the different numbers of a column that has to be lost: of numbers that are measured,
#: and not counted, a few may be so close together that it does not matter.
MERGED = 0.1
_SAMPLE = 1000  # rows that are looked at
#: Spacings of float32 near the largest number that a column must at least span to be above
#: suspicion.
_SPACINGS = 1e4


#: Whole numbers up to here are exact in float64.
EXACT = 1 << 53


def merged_integers(name: str, values: Any) -> str:
    """Which whole numbers become equal in float64, in a few words; nothing where none do.

    Parameters
    ----------
    name : str
        What to call the values.
    values : array-like, shape (rows,) or (rows, columns)
        Numbers, finite.

    Returns
    -------
    str
    """
    for column, numbers in enumerate(_columns(values)):
        numbers = numbers.reshape(-1)
        if numbers.dtype.kind == "O":  # beyond 64 bits, or beside other kinds of numbers
            whole = [int(one) for one in numbers if isinstance(one, Integral)]
            numbers = np.array(whole, object)
        elif numbers.dtype.kind not in "iu" or numbers.dtype.itemsize < 8:
            continue
        if not len(numbers) or not _beyond_exact(numbers):
            continue
        different = sorted({int(one) for one in numbers[:: -(-len(numbers) // _SAMPLE)]})
        same = [pair for pair in pairwise(different) if float(pair[0]) == float(pair[1])]
        if len(same) > MERGED * len(different):
            where = _where(name, values, column)
            one, other = same[0]
            return (
                f"{where} has whole numbers that float64 cannot tell apart, such as {one} and "
                f"{other}"
            )
    return ""


def _beyond_exact(numbers: np.ndarray) -> bool:
    return max(abs(int(numbers.min())), abs(int(numbers.max()))) > EXACT


def _columns(values: Any) -> Iterator[np.ndarray]:
    """The columns of an array or a frame, each in a dtype of its own."""
    if hasattr(values, "iloc") and values.ndim == 2:  # pandas would convert them to one dtype
        for column in range(values.shape[1]):
            yield np.asarray(values.iloc[:, column])
    elif hasattr(values, "get_columns"):  # polars
        yield from map(np.asarray, values.get_columns())
    else:
        array = np.asarray(values)
        if array.dtype.kind == "O" or (array.dtype.kind in "iu" and _beyond_exact(array)):
            yield from array.reshape(len(array), -1).T


def _where(name: str, values: Any, column: int) -> str:
    if np.ndim(values) == 2:
        return f"{column_name(column, feature_names(values, name))} of {name}"
    return name


def merged(name: str, values: ArrayLike, dtype: DTypeLike) -> str:
    """Which numbers become equal, in a few words; nothing where none do.

    Parameters
    ----------
    name : str
        What to call the values.
    values : array-like, shape (rows,) or (rows, columns)
        Numbers, finite.
    dtype : dtype-like
        What they are rounded to.

    Returns
    -------
    str
    """
    if np.dtype(dtype) != np.float32:
        return ""
    array = as_numbers(name, values)
    if np.can_cast(array.dtype, np.float32):
        return ""
    array = array.reshape(len(array), -1)
    low, high = array.min(axis=0).astype(float), array.max(axis=0).astype(float)
    spacing = np.spacing(np.maximum(np.abs(low), np.abs(high)).astype(np.float32))
    for column in map(
        int, np.flatnonzero(~is_constant(low, high) & (high - low < _SPACINGS * spacing))
    ):
        numbers = np.unique(array[:: -(-len(array) // _SAMPLE), column])
        rounded = numbers.astype(np.float32)
        same = np.flatnonzero(rounded[1:] == rounded[:-1])
        if len(same) > MERGED * len(numbers):
            one, other = (plain(number) for number in numbers[same[0] : same[0] + 2])
            where = _where(name, values, column)
            return f"{where} has numbers that float32 cannot tell apart, such as {one} and {other}"
    return ""
