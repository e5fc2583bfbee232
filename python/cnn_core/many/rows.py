"""The rows of each model: which they are, and the parts of X, y and weights that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from cnn_core._checks import shown
from cnn_core._few import counted
from cnn_core.columns.table import is_table, read_table
from cnn_core.columns.target import names_column
from cnn_core.data.validation import check_rows
from cnn_core.training.scoring import rows_at


class Part(NamedTuple):
    """Some of the rows."""

    numbers: np.ndarray  #: in their order
    as_slice: slice | None  #: of an array it is a view

    @property
    def key(self) -> bytes:
        """Equal for the same rows, taken alike."""
        return bytes([self.as_slice is None]) + self.numbers.tobytes()


def count_of(X: Any, name: str = "X") -> int:
    """How many rows there are."""
    if isinstance(X, Mapping) and X:
        X = next(iter(X.values()))
    if getattr(X, "shape", None):
        return int(X.shape[0])
    if isinstance(X, (str, bytes)) or not hasattr(X, "__len__"):
        raise TypeError(f"rows are taken of arrays and tables, and {name} is {shown(X)}")
    return len(X)


def rows_of_models(rows: Any, models: int, X: Any) -> list[Part | None]:
    """The rows of each model; None for all as they stand.

    Parameters
    ----------
    rows : iterable or None
        As `fit_many` takes it.
    models : int
        How many there are.
    X : array-like
    """
    if rows is None:
        return [None] * models
    if isinstance(rows, (str, Mapping)) or not isinstance(rows, Iterable):
        raise TypeError(f"rows must be a list with the rows of each model, got {shown(rows)}")
    given = list(rows)
    if len(given) != models:
        raise ValueError(
            f"rows must say the rows of each of the {models} models, or None for all; got "
            f"{counted(len(given), 'entry', 'entries')}"
        )
    count = None if all(one is None for one in given) else count_of(X)
    known: dict[int, Part | None] = {}  # a fold is often the same object
    for i, one in enumerate(given):
        if id(one) not in known:
            known[id(one)] = None if count is None else _part(one, count, f"rows[{i}]")
    return [known[id(one)] for one in given]


def _part(which: Any, count: int, name: str) -> Part | None:
    """Some rows; None for all in their order."""
    if which is None:
        return None
    every = np.arange(count)
    if isinstance(which, slice):
        numbers = every[which]
    else:
        array = np.asarray(which)
        if array.ndim != 1 or (array.dtype.kind not in "iub" and array.size):
            raise TypeError(
                f"{name} must be a slice, row numbers, or a bool for each row, got {shown(which)}"
            )
        if array.dtype.kind == "b" and len(array) != count:
            raise ValueError(
                f"{name} has {counted(len(array), 'bool')}, and X has {counted(count, 'row')}"
            )
        if array.dtype.kind in "iu" and array.size and not _are_within(array, count):
            raise ValueError(
                f"{name} must hold row numbers from 0 to {count - 1}, got {array.min()} to "
                f"{array.max()}"
            )
        numbers = every[array] if array.size else every[:0]
    if not len(numbers):
        raise ValueError(f"{name} has no row")
    if np.array_equal(numbers, every):
        return None
    return Part(numbers, which if isinstance(which, slice) else None)


def _are_within(array: np.ndarray, count: int) -> bool:
    """Whether these are rows, negative ones counted from the end."""
    return bool(-count <= int(array.min()) and int(array.max()) < count)


def rows_of(part: Part | None, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Those of X, y and weights; y that names columns of X stays.

    Raises
    ------
    ValueError, TypeError
        Where these differ in rows.
    """
    if part is None:
        return X, y, sample_weight
    rows = count_of(X)
    if not (y is None or names_column(y) or _are_names(y, rows)):
        check_rows(rows, count_of(y, "y"))
        y = taken(y, part)
    if sample_weight is not None and not isinstance(sample_weight, str):
        check_rows(rows, count_of(sample_weight, "sample_weight"), "sample_weight")
    return taken(X, part), y, taken(sample_weight, part)


def _are_names(y: Any, rows: int) -> bool:
    """Whether y is a list of texts that are not as many as the rows, whose labels they would be."""
    if not hasattr(y, "__len__") or len(y) == rows or getattr(y, "ndim", 1) != 1:
        return False
    return all(isinstance(one, str) for one in y)


def taken(values: Any, part: Part | None) -> Any:
    """Some rows of what a user gave, as the same kind of table, array or series where there is a
    way to take them."""
    if part is None or values is None or isinstance(values, (str, bytes)):
        return values
    if isinstance(values, np.ndarray) and part.as_slice is not None:
        return values[part.as_slice]
    if isinstance(values, (np.ndarray, list, tuple, Mapping)) or hasattr(values, "iloc"):
        return rows_at(values, part.numbers, None)
    if hasattr(values, "tocsr"):  # sparse, which is refused
        return values.tocsr()[part.numbers]
    import narwhals.stable.v2 as nw

    taken: Any = nw.from_native(values, eager_only=True, allow_series=True, pass_through=True)
    if taken is not values:
        return taken[part.numbers].to_native()
    if is_table(values):
        return read_table(values).take(part.numbers)
    return rows_at(values, part.numbers, None)
