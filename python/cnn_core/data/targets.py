"""y as users give it: labels and targets, checked and encoded, and one clear error where it cannot
be."""

from __future__ import annotations

import enum
import numbers
from collections import Counter
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from cnn_core import _losses
from cnn_core._checks import as_native, shown
from cnn_core._cpu import with_subnormals
from cnn_core._few import counted
from cnn_core.data.kinds import CURES, kind_of_class
from cnn_core.data.validation import (
    as_numbers,
    check_finite,
    check_room,
    is_missing,
    place_of_first,
    plain,
    refuse_columns,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike


#: Classes that are numbers, more of which may be amounts.
_MANY = 10


class OneClassError(ValueError):
    """y holds one class only, and nothing says which others there are."""


class UnknownClassError(ValueError):
    """y holds a class that the model does not know."""


def check_given(name: str, y: Any) -> None:
    """Raise for what is no list or array with an entry for each row, and for more rows than memory
    is for."""
    if y is None:
        raise TypeError(f"{name} is None; a label or number for each row is needed")
    if isinstance(y, (np.ndarray, list, tuple)):
        check_room(name, y)
        return
    kind, needed = type(y).__name__, "a list or an array with an entry for each row is needed"
    if hasattr(y, "toarray"):
        raise TypeError(
            f"{name} is a sparse matrix; a dense array is needed, such as {name}.toarray()"
        )
    if isinstance(y, (str, bytes)):
        column = "; the name of a column of X needs columns='auto'" if name == "y" else ""
        raise TypeError(f"{name} is the single text {y[:50]!r}; {needed}{column}")
    if isinstance(y, Mapping):
        raise TypeError(f"{name} is of type {kind}; {needed}, such as list({name}.values())")
    if isinstance(y, Set):
        raise TypeError(f"{name} is of type {kind}, which has no order; {needed}")
    if hasattr(y, "__next__"):
        raise TypeError(f"{name} is of type {kind}, which can be read once only; use list({name})")
    if hasattr(y, "__iter__") and not (hasattr(y, "__getitem__") or hasattr(y, "__array__")):
        raise TypeError(f"{name} is of type {kind}; {needed}, such as list({name})")


def as_rows(name: str, y: Any) -> np.ndarray:
    """y as an array of at least one dimension."""
    check_given(name, y)
    try:
        array = np.asarray(y)
    except ValueError:
        if not isinstance(y, (list, tuple)):
            raise
        refuse_ragged(name)
    except TypeError:  # columns of types that have none in common
        refuse_columns(name, y, _NOTHING, _CURES)
        raise
    if array.ndim == 0:
        value = plain(array[()])
        what = f"the single number {value!r}" if array.dtype.kind in "biufc" else "a single object"
        raise TypeError(
            f"{name} is {what}, of type {type(value).__name__}; a list or an array with an entry "
            "for each row is needed"
        )
    return array


def refuse_ragged(name: str) -> NoReturn:
    """Raise for rows of different lengths."""
    raise ValueError(
        f"{name} must be a rectangular array; its rows have different lengths"
    ) from None


_NOTHING = "neither class labels nor numbers to predict"
#: What helps against these.
_CURES = dict.fromkeys(CURES, "convert them to texts or to real numbers")


def refuse_types(name: str, y: Any, array: np.ndarray) -> None:
    """Raise for dates, time spans, complex numbers and records in y, of which NumPy has made
    `array`."""
    for values in (y, array):
        refuse_columns(name, values, _NOTHING, _CURES)
    if array.dtype.kind == "O":
        for cls in {type(value) for value in array.flat}:
            kind = kind_of_class(cls)
            if kind is not None:
                found = np.array([type(value) is cls for value in array.flat])
                where = place_of_first(found.reshape(array.shape), name, y)[1]
                raise TypeError(
                    f"{name} holds {kind} ({cls.__name__}) {where}, which are {_NOTHING}; "
                    f"{_CURES[kind]}"
                )


def as_labels(y: ArrayLike | None, name: str = "y") -> np.ndarray:
    """Class labels as a one-dimensional array without missing entries."""
    check_given(name, y)
    if np.ma.is_masked(y):
        raise TypeError(f"{name} has masked entries; every row needs a class label")
    # NumPy would turn a list of texts and numbers, or of texts and NaN, into texts.
    array = np.array(y, object) if isinstance(y, (list, tuple)) else np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"{name} must hold one class label a row, shape (rows,), got shape {array.shape}"
        )
    if len(array) == 0:
        raise ValueError(f"{name} must have at least one row, got none")
    if array.dtype.kind == "f":
        check_finite(name, array, np.float64, y)
    elif array.dtype.kind in "mM" and np.isnat(array).any():
        where = place_of_first(np.isnat(array), name, y)[1]
        raise ValueError(f"{name} has NaT {where}; every row needs a class label")
    elif array.dtype.kind == "T":  # NumPy's StringDType, which may name what stands for a gap
        _check_missing(name, array, getattr(array.dtype, "na_object", None), y)
    elif array.dtype.kind == "O":
        array = _checked_objects(name, array, y)
    return array


def _checked_objects(name: str, array: np.ndarray, y: Any) -> np.ndarray:
    """Labels that are Python objects: none is missing, texts stand alone."""
    kinds, from_list = _kinds(array), isinstance(y, (list, tuple))
    refuse_nested(name, array, from_list)
    _check_missing(name, array, None, y)
    if len(kinds) > 1 and not kinds.isdisjoint((str, bytes)):
        _refuse_order(name, array, y)
    return np.asarray(array.tolist()) if from_list else array


def refuse_nested(name: str, array: np.ndarray, from_list: bool) -> None:
    """Raise for labels, as Python objects, that are lists or the like; in a list of a user these
    are rows of different lengths."""
    containers = (list, dict, set, np.ndarray)
    nested = tuple(one for one in _kinds(array) if issubclass(one, (*containers, tuple)))
    if from_list and any(issubclass(one, (list, tuple, np.ndarray)) for one in nested):
        refuse_ragged(name)
    for row, value in enumerate(array if nested else ()):
        if isinstance(value, containers):
            raise TypeError(
                f"{name} has an object of type {type(value).__name__} at row {row}; every row "
                "needs one class label"
            )


def _check_missing(name: str, array: np.ndarray, gap: object, y: Any) -> None:
    """Raise for the first entry that is missing: None, NaN or the like, or the text `gap`."""
    missing = [is_missing(one) or (isinstance(gap, str) and one == gap) for one in array]
    if any(missing):
        index, where = place_of_first(np.array(missing), name, y)
        raise ValueError(f"{name} has {array[index]!r} {where}; every row needs a class label")


def _kinds(array: np.ndarray) -> set[type]:
    """The types of labels; str and NumPy's str_ are one."""
    return {_kind(value) for value in array}


def _kind(value: object) -> type:
    return next((t for t in (str, bytes) if isinstance(value, t)), type(value))


def _refuse_order(name: str, array: np.ndarray, source: object = None) -> NoReturn:
    """Say why labels cannot be sorted."""
    counts = Counter(map(_kind, array))
    kinds = sorted(kind.__name__ for kind in counts)
    if len(kinds) > 1:
        rarest = min(counts, key=lambda kind: counts[kind])
        found = np.array([_kind(value) is rarest for value in array])
        index, where = place_of_first(found, name, source)
        raise TypeError(
            f"{name} mixes labels of types {', '.join(kinds)}, such as {plain(array[index])!r} "
            f"{where}; they must be of one type"
        ) from None
    cure = "use texts or numbers in their place"
    if isinstance(array[0], enum.Enum):
        cure = f"use their names or values, such as [label.name for label in {name}]"
    raise TypeError(
        f"{name} holds labels of type {kinds[0]}, which cannot be sorted; {cure}"
    ) from None


def encode_labels(
    y: ArrayLike | None, classes: np.ndarray | None = None, name: str = "y"
) -> tuple[np.ndarray, np.ndarray]:
    """Class labels as indices.

    Parameters
    ----------
    y : array-like, shape (rows,)
    classes : ndarray, optional
        The classes that are allowed, sorted; default those found.

    Returns
    -------
    classes : ndarray
    labels : ndarray of int32, shape (rows,)
    """
    array = as_labels(y, name)
    found, labels = label_indices(array, name)
    if classes is None:
        if len(found) < 2:
            raise OneClassError(
                f"{name} holds one class only, {plain(found[0])!r}; classification needs at least "
                "two"
            )
        return found, labels.astype(np.int32)
    try:
        known = _are_among(found, classes)
        if known.all():
            return classes, np.searchsorted(classes, found).astype(np.int32)[labels]
    except TypeError:
        _refuse_order(name, array, y)
    row = int(np.argmin(known[labels]))
    where = place_of_first(labels == labels[row], name, y)[1]
    cure = "; numbers to predict are for task='regression', or MLPRegressor"
    raise UnknownClassError(
        f"{name} has the unknown class {shown(array[row])} {where}; the model knows "
        f"{', '.join(map(shown, classes[:10]))}{', ...' if len(classes) > 10 else ''}"
        f"{cure if _may_be_amounts(array[row], classes) else ''}"
    )


def _may_be_amounts(label: Any, classes: np.ndarray) -> bool:
    """Whether an unknown label may be a number to predict: one with a fraction, or one beside many
    whole numbers."""
    if any(
        isinstance(one, bool) or not isinstance(one, numbers.Real) for one in (label, classes[0])
    ):
        return False
    if isinstance(label, numbers.Rational):  # of any size, which float(label) may not hold
        return len(classes) > _MANY or label.denominator != 1
    return len(classes) > _MANY or label != np.floor(float(label))


def _are_among(found: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Whether each label is one of `classes`, which are sorted."""
    if found.dtype == classes.dtype and found.dtype.kind in "biuf":
        known: np.ndarray = classes.take(classes.searchsorted(found), mode="clip") == found
        return known
    return np.isin(found, classes)


def label_indices(array: np.ndarray, name: str = "y") -> tuple[np.ndarray, np.ndarray]:
    """The classes among labels that `as_labels` gives, sorted, and the index of each label."""
    try:
        return _unique(array)
    except TypeError:
        _refuse_order(name, array)


def _unique(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The entries of `array`, sorted, and the index of each of its entries among them."""
    if np.can_cast(array.dtype, np.int64) and array.dtype.kind != "b" and len(array):
        low, high = int(array.min()), int(array.max())
        if high - low < max(1024, 2 * len(array)):  # counting takes a tenth of the time of sorting
            offsets = array.astype(np.int64) - low  # in int8, 100 - -100 would not fit
            there = np.bincount(offsets) > 0
            (found,) = there.nonzero()
            labels = offsets if len(found) == len(there) else (there.cumsum() - 1)[offsets]
            return (found + low).astype(array.dtype), labels
    return np.unique(array, return_inverse=True)


def check_targets(
    y: ArrayLike | None,
    dtype: DTypeLike,
    n_outputs: int | None = None,
    name: str = "y",
    loss: str | None = None,
) -> np.ndarray:
    """Numeric targets as a C-contiguous array of `dtype`, shape (rows, outputs), within what the
    `loss` takes."""
    array = as_numbers(name, y)
    if array.ndim not in (1, 2):
        raise ValueError(
            f"{name} must have shape (rows,) or (rows, outputs), got shape {array.shape}"
        )
    if 0 in array.shape:
        raise ValueError(
            f"{name} must have at least one row and one column, got shape {array.shape}"
        )
    check_finite(name, array, dtype, y)
    array = array.reshape(len(array), -1)
    if n_outputs is not None and array.shape[1] != n_outputs:
        raise ValueError(
            f"{name} has {counted(array.shape[1], 'output')} a row, but the model has {n_outputs}"
        )
    if loss is not None:
        check_range(name, array, loss, y)
    converted: np.ndarray = with_subnormals(as_native, (array, dtype))
    return converted


def check_range(
    name: str, array: np.ndarray, loss: str, source: object = None, why: str = ""
) -> None:
    """Raise where a target is none that a loss takes; `source` is what the array was made of, and
    `why` ends the sentence."""
    low, high = _losses.table()[loss].low, _losses.table()[loss].high
    if array.min() < low or array.max() > high:
        index, where = place_of_first((array < low) | (array > high), name, source)
        allowed = f"from {low:g} to {high:g}" if np.isfinite(high) else f"of at least {low:g}"
        raise ValueError(
            f"{name} has {array[index]} {where}; the loss {loss!r} takes targets {allowed}{why}"
        )
