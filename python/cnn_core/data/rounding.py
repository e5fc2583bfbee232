"""Numbers that rounding to float32 makes equal: dates as 20180130, counters, seconds since 1970."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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
    for column in map(int, np.flatnonzero((low < high) & (high - low < _SPACINGS * spacing))):
        numbers = np.unique(array[:: -(-len(array) // _SAMPLE), column])
        rounded = numbers.astype(np.float32)
        same = np.flatnonzero(rounded[1:] == rounded[:-1])
        if len(same) > MERGED * len(numbers):
            one, other = (plain(number) for number in numbers[same[0] : same[0] + 2])
            where = name
            if np.ndim(values) == 2:
                where = f"{column_name(column, feature_names(values, name))} of {name}"
            return f"{where} has numbers that float32 cannot tell apart, such as {one} and {other}"
    return ""
