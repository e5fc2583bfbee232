"""Checks of what users give: messages name the argument, what was found where, what is allowed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from cnn_core._checks import as_native, shown
from cnn_core._cpu import with_subnormals
from cnn_core._few import counted, other_features
from cnn_core._linalg import is_finite
from cnn_core._memory import aligned_zeros
from cnn_core._warn import warn
from cnn_core.data.kinds import CURES, DATES, SPANS, kind_of_class, kind_of_type, typed_columns

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from cnn_core.data.scaling import Scaling

_BLOCK = 1 << 20  # elements looked at together
_MANY = 1 << 36  # rows from which on it is asked first whether there is memory for their results


def feature_names(X: object, name: str = "X") -> np.ndarray | None:
    """Labels of the columns of a data frame, or names of those of a pyarrow table; None where there
    are none."""
    refuse_lazy(X, name)
    if type(X).__module__.startswith("pyarrow"):
        return _labels(getattr(getattr(X, "schema", None), "names", None))
    return _labels(getattr(X, "columns", None))


def column_names(values: object, name: str) -> np.ndarray | None:
    """The same; for y also the name of a series, which is a column of a frame or table."""
    labels = feature_names(values, name)
    if labels is not None or name.rsplit(maxsplit=1)[-1] != "y":  # a row of X may be a series too
        return labels
    label = getattr(values, "name", None)
    named = getattr(values, "ndim", 1) == 1 and isinstance(label, (str, bytes, int, tuple))
    return _labels([label]) if named and label != "" else None


def target_names(y: object) -> tuple[str, ...]:
    """Names of the columns of y; none of what has none, or of a single one."""
    labels = feature_names(y, "y")
    return () if labels is None or len(labels) == 1 else tuple(map(str, labels))


def check_target_names(y: object, names: tuple[str, ...], name: str = "y") -> None:
    """Raise where the columns of y are those of the fit in another order."""
    check_order_of_targets(target_names(y), names, name)


def check_order_of_targets(given: tuple[Any, ...], names: tuple[str, ...], name: str = "y") -> None:
    """The same for their names."""
    if names and given != names and Counter(given) == Counter(names):
        i = next(i for i, label in enumerate(given) if label != names[i])
        raise ValueError(
            f"{name} has the columns of the fit in another order, {given[i]!r} where {names[i]!r} "
            "was; give them in the order of the fit"
        )


def which_target(i: int, n: int, names: tuple[str, ...] = (), begins: bool = False) -> str:
    """A column of y as messages call it; `begins` a sentence."""
    return "y" if n == 1 else f"{'C' if begins else 'c'}olumn {target_name(i, names)} of y"


def target_name(i: int, names: tuple[str, ...]) -> str:
    """Number or quoted name of a column of y."""
    return repr(names[i]) if i < len(names) else str(i)


def refuse_lazy(X: object, name: str) -> None:
    """Raise for a query of polars, whose columns may not even be asked for without a warning."""
    if type(X).__name__ == "LazyFrame" and type(X).__module__.startswith("polars"):
        what = name.rsplit(maxsplit=1)[-1]
        raise TypeError(f"{name} is a LazyFrame, which holds no rows yet; give {what}.collect()")


def _labels(columns: Any) -> np.ndarray | None:
    """Labels as objects, tuples of a MultiIndex among them."""
    if columns is None or callable(columns) or len(columns) == 0:
        return None
    labels = np.empty(len(columns), object)
    for i, label in enumerate(columns):
        labels[i] = label
    return labels


def are_names(labels: np.ndarray | None) -> bool:
    """Whether all labels are strings: only those are `feature_names_in_`."""
    return labels is not None and all(isinstance(label, str) for label in labels)


def as_numbers(name: str, values: ArrayLike | None) -> np.ndarray:
    """`values` as an array of real numbers, or a TypeError that shows the first entry that is
    none."""
    if hasattr(values, "toarray"):
        raise TypeError(
            f"{name} is a sparse matrix; a dense array is needed, such as {name}.toarray()"
        )
    if values is None:
        raise TypeError(f"{name} is None; an array of numbers is needed")
    if np.ma.is_masked(values):
        raise TypeError(f"{name} has masked entries; every entry must be a number")
    refuse_columns(name, values, cures=_CURES_OF_X if _is_X(name) else CURES)
    array = _as_array(name, values)
    if array.dtype.kind in "biuf":
        return array
    if array.size and array.dtype.kind in "UST":
        # NumPy makes texts of all where one entry of a list is a text.
        listed = isinstance(values, (list, tuple))
        array = np.array(values, object) if listed else array.astype(object)
    if array.dtype.kind == "O":  # such as the columns of mixed types that a data frame gives
        _refuse_objects(name, array, values)
        try:
            return array.astype(np.float64)
        except OverflowError:
            raise ValueError(f"{name} holds a whole number beyond the range of float64") from None
    refuse_columns(name, array)  # of a list
    if array.dtype.kind == "V":
        _refuse_type(name, array.dtype)
    raise TypeError(f"{name} must hold real numbers, got an array of {array.dtype}")


def refuse_columns(
    name: str, values: Any, what: str = "no numbers", cures: Mapping[str, str] = CURES
) -> None:
    """Raise where the type of an array, or of a column of a frame, says that it holds dates, time
    spans, complex numbers or records.

    Parameters
    ----------
    name : str
    values : object
        Of what says nothing about types, such as a list, nothing is known here.
    what : str
        What these are not.
    cures : mapping of str to str
        What helps against each kind; one that is not in it is let through.
    """
    if type(values) is np.ndarray and values.dtype.kind in "biufO":
        return
    refuse_lazy(values, name)
    bad = [
        (label, dtype, kind)
        for label, dtype in typed_columns(values)
        if (kind := kind_of_type(dtype)) is not None and kind in cures
    ]
    if not bad:
        return
    label, dtype, kind = bad[0]
    if label is None and (labels := column_names(values, name)) is not None:
        label = labels[0]
    where = "" if label is None else f" in column {plain(label)!r}"
    if len(bad) > 1:
        where += f" and in {len(bad) - 1} other column{'s' * (len(bad) > 2)}"
    raise TypeError(f"{name} holds {kind} ({dtype}){where}, which are {what}; {cures[kind]}")


def refuse_kinds(name: str, values: Any) -> None:
    """Raise for dates, time spans, complex numbers and records in what somebody else is going to
    convert: in arrays, frames and lists, among objects too. Likewise for rows of different lengths.

    Parameters
    ----------
    name : str
    values : object
    """
    refuse_columns(name, values)
    numbers = type(values) is np.ndarray and values.dtype.kind in "biuf"
    if numbers or hasattr(values, "toarray"):  # sparse
        return
    objects = [label for label, dtype in typed_columns(values) if str(dtype).lower() == "object"]
    if not (objects or isinstance(values, (list, tuple))):
        return
    array = _as_array(name, values)
    refuse_columns(name, array)
    if array.dtype.kind == "O":
        _refuse_objects(name, array, values, only_kinds=True)


def _refuse_objects(name: str, array: np.ndarray, values: Any, only_kinds: bool = False) -> None:
    """Raise for the first object that is no number; with `only_kinds`, the first date or the like,
    or that is several numbers."""
    for index, value in np.ndenumerate(array):
        kind = _kind(value)
        if kind in CURES or kind == "several" or (kind != "number" and not only_kinds):
            _refuse_object(name, array, index, values)


def _as_array(name: str, values: Any) -> np.ndarray:
    """What NumPy makes of `values`."""
    refuse_lazy(values, name)
    try:
        return np.asarray(values)
    except ValueError:
        raise ValueError(
            f"{name} must be a rectangular array; its rows have different lengths"
        ) from None
    except TypeError:
        dtype = getattr(values, "dtype", None)
        if "bfloat16" in str(dtype) or "float8" in str(dtype):
            _refuse_type(name, dtype)
        raise


def _refuse_type(name: str, dtype: object) -> NoReturn:
    last = name.rsplit(maxsplit=1)[-1]
    raise TypeError(
        f"{name} must hold real numbers of a type that NumPy has, got {dtype}; convert it first, "
        f"such as {last}.float() in PyTorch or {last}.astype('float32')"
    ) from None


def _kind(value: Any) -> str:
    """What an object is where a number is wanted: 'number', 'text', 'gap', 'several', a kind that
    `CURES` knows, or 'other'."""
    if isinstance(value, (str, bytes)):
        return "text"
    if isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) > 0:
        return "several"
    kind = kind_of_class(type(value))
    if kind is None and hasattr(value, "__float__"):
        return "number"
    return "gap" if is_missing(value) else kind or "other"


def _is_number(value: Any) -> bool:
    """Whether a text, or an object, is a number."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


#: What takes tables with words, dates and gaps.
AS_IT_IS = "columns='auto', which takes such a column as it is"
#: The same for gaps, of which it takes those of rows that it is fitted to.
WITH_GAPS = "columns='auto' to rows that have gaps, which takes such a column as it is"
_CURES_OF_X = CURES | {kind: f"{CURES[kind]}, or fit with {AS_IT_IS}" for kind in (DATES, SPANS)}
#: What helps against objects that are no numbers.
_CURES = {kind: f"; {cure}" for kind, cure in CURES.items()} | {
    "text": "; encode text as numbers, such as pandas.get_dummies does, or leave it out",
    "gap": "; fill the gaps or drop the rows",
    "several": "; give each of its numbers a column of its own",
}


def _refuse_object(name: str, array: np.ndarray, index: tuple[int, ...], values: Any) -> NoReturn:
    """Show an object that is no number, the column's name, and how many rows have one there."""
    value, kind = array[index], _kind(array[index])
    column = array[:, index[1]] if array.ndim == 2 else array.ravel()
    alike = [_kind(one) == kind or (kind == "gap" and is_missing(one)) for one in column]
    where = place(index, sum(alike), column_names(values, name))
    what = f"{'the text ' if kind == 'text' else ''}{shown(value)}"
    cure = _CURES.get(kind, "") if _is_data(name) else ""
    if _is_X(name) and kind in ("text", "gap"):
        cure = f"{cure}, or fit with {WITH_GAPS if kind == 'gap' else AS_IT_IS}"
    if kind == "text" and cure:
        from cnn_core.data.number_texts import conversion

        words = conversion([one for one in column if isinstance(one, str)])
        words = "astype(float)" if all(map(_is_number, column)) else words
        cure = f"; {words} makes numbers of such texts" if words else cure
    raise TypeError(f"{name} must hold numbers, got {what} {where}{cure}")


def place(index: tuple[int, ...], rows: int, labels: np.ndarray | None) -> str:
    """Where an entry stands: by row and column, or by the column's name and how many rows have the
    like there."""
    column = index[1] if len(index) == 2 else 0
    if labels is None or not index or column >= len(labels) > 0 or (len(index) == 1 < len(labels)):
        return f"at {position(index)}"
    which = f"row {index[0]}" if rows == 1 else f"{rows} rows, the first is row {index[0]}"
    return f"in column {plain(labels[column])!r} ({which})"


def place_of_first(found: np.ndarray, name: str, source: object) -> tuple[tuple[int, ...], str]:
    """Index and place of the first entry for which `found` is True.

    Parameters
    ----------
    found : ndarray of bool, shape (rows,) or (rows, columns)
    name : str
        What the values are called.
    source : object
        The values as the user gave them: a frame or a series names its columns.
    """
    index = tuple(int(i) for i in np.argwhere(found)[0])
    rows = int(np.count_nonzero(found, axis=0)[index[1:]])
    return index, place(index, rows, column_names(source, name))


def _is_data(name: str) -> bool:
    """Whether an argument holds rows of a user's data."""
    return name.rsplit(maxsplit=1)[-1] in ("X", "x", "y")


def _is_X(name: str) -> bool:
    return name.rsplit(maxsplit=1)[-1] == "X"


def column_name(i: int, labels: np.ndarray | None) -> str:
    """A column as messages call it: 'column 3', or its quoted name."""
    return f"column {i}" if labels is None else repr(str(labels[i]))


def plain(value: Any) -> Any:
    """A NumPy scalar as the Python object that a user would have typed."""
    return value.item() if isinstance(value, np.generic) else value


def listed(names: Iterable[Any]) -> str:
    """Names, quoted, the first ten of many."""
    names = list(names)
    shown = ", ".join(map(repr, names[:10]))
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown


def position(index: tuple[int, ...]) -> str:
    """Words for an index: 'row 3, column 2'."""
    return ", ".join(f"{word} {i}" for word, i in zip(("row", "column"), index)) or "the only entry"


def check_finite(name: str, array: np.ndarray, dtype: DTypeLike, source: object = None) -> None:
    """Raise if an entry of `array` is NaN, infinite, or too large for `dtype`. Looks at a block of
    rows at a time. `source` is what the array was made of: a data frame names its columns."""
    if array.dtype.kind != "f":
        return
    for first, block in _blocks(array):
        if array.dtype == dtype and block.flags.c_contiguous and is_finite(block):
            continue
        bad = ~(np.abs(block) <= np.finfo(dtype).max)
        if bad.any():
            index = tuple(int(i) for i in np.argwhere(bad)[0])
            _refuse_entry(name, array, dtype, (first + index[0], *index[1:]), source)


def _blocks(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Some rows after the other, each with the number of the first."""
    rows = max(1, _BLOCK // max(1, math.prod(array.shape[1:])))
    for first in range(0, len(array), rows):
        yield first, array[first : first + rows]


def _refuse_entry(
    name: str, array: np.ndarray, dtype: DTypeLike, index: tuple[int, ...], source: object
) -> NoReturn:
    """Show the first number that cannot be, and how many rows have the like of it."""
    value, labels = array[index], column_names(source, name)
    same = np.isnan if np.isnan(value) else np.isinf if np.isinf(value) else np.isfinite
    largest, rows, counts = np.finfo(dtype).max, 0, np.zeros(array.shape[1:], np.int64)
    for _, block in _blocks(array):
        found = same(block) & ~(np.abs(block) <= largest)
        rows += int(found.reshape(len(block), -1).any(axis=1).sum())
        counts += found.sum(axis=0)
    where = place(index, int(counts[index[1:]]), labels)
    others = int(np.count_nonzero(counts)) - 1
    named = labels is not None
    if named and others:
        where += f" and in {others} other column{'s' * (others > 1)}"
    what = "a finite number" if not np.isfinite(value) else f"within the range of {np.dtype(dtype)}"
    cure = ""
    if np.isnan(value) and _is_data(name):
        count = "" if named else f" ({rows} row{' has' if rows == 1 else 's have'} nan)"
        cure = f"{count}: fill the gaps or drop the rows"
        cure += f", or fit with {WITH_GAPS}" if _is_X(name) else ""
    raise ValueError(f"{name} has {value} {where}; every entry must be {what}{cure}")


def check_X(
    X: ArrayLike,
    dtype: DTypeLike,
    n_features: int | None = None,
    name: str = "X",
    scaling: Scaling | None = None,
    check_entries: bool = True,
) -> np.ndarray:
    """Inputs as a C-contiguous array of `dtype`, shape (rows, features), scaled if there is a
    `scaling`; not copied where it is one already. Without `check_entries` the caller sees to it
    that the entries of one that is not copied are finite."""
    check_room(name, X)
    array = as_numbers(name, X)
    if array.ndim != 2:
        hint = ""
        if array.ndim == 1:
            hint = ": reshape(1, -1) makes one row, reshape(-1, 1) one feature"
        elif array.ndim > 2:
            hint = ": X.reshape(len(X), -1) makes a row of each entry of X"
        raise ValueError(
            f"{name} must have two dimensions (rows, features), got shape {array.shape}{hint}"
        )
    if 0 in array.shape:
        raise ValueError(
            f"{name} must have at least one row and one feature, got shape {array.shape}"
        )
    if n_features is not None and array.shape[1] != n_features:
        hint = ""
        if array.size == n_features:  # such as one image
            hint = (
                "; X.reshape(1, -1) makes one row of all entries, as X.reshape(len(X), -1) makes a "
                "row of each of several images"
            )
        raise ValueError(f"{other_features(name, array.shape[1], n_features)}{hint}")
    if scaling is not None:
        check_finite(name, array, np.float64, X)
        return scaling.apply(array, dtype)
    if check_entries or not (array.dtype == dtype and array.flags.c_contiguous):
        check_finite(name, array, dtype, X)
    converted: np.ndarray = with_subnormals(as_native, (array, dtype))
    return converted


def check_x(
    x: ArrayLike,
    dtype: DTypeLike,
    n_features: int,
    names: np.ndarray | None = None,
    scaling: Scaling | None = None,
) -> np.ndarray:
    """A row of inputs, shape (features,), as `check_X` would give it: shape (1, features). NaN and
    infinity may pass."""
    labels = getattr(x, "index", None)  # as a row of a data frame has them
    if labels is not None and not callable(labels):
        _check_names(_labels(labels), names, "x")
    array = as_numbers("x", x)
    if array.ndim != 1:
        hint = ""
        if array.ndim == 2:
            hint = (
                ": x[0] is its only row"
                if len(array) == 1
                else ": forward and predict take several rows"
            )
        raise ValueError(f"x must have one dimension (features,), got shape {array.shape}{hint}")
    if len(array) != n_features:
        raise ValueError(other_features("x", len(array), n_features))
    with np.errstate(over="ignore"):
        row = (
            with_subnormals(as_native, (array[None], dtype))
            if scaling is None
            else scaling.apply(array[None], dtype, False)
        )
    beyond = np.isinf(row[0]) & np.isfinite(array)
    if beyond.any():
        i = int(beyond.argmax())
        what = (
            "; every entry must be within"
            if scaling is None
            else ", which scale_inputs takes beyond"
        )
        raise ValueError(f"x has {array[i]} at feature {i}{what} the range of {np.dtype(dtype)}")
    return row


def check_entries(name: str, x: ArrayLike) -> None:
    """Raise if a row of inputs has an entry that is not finite."""
    array = x if type(x) is np.ndarray and x.dtype.kind == "f" else as_numbers(name, x)
    if array.dtype.kind != "f":
        return
    if array.dtype in (np.float32, np.float64) and array.flags.c_contiguous and is_finite(array):
        return
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        i, labels = int(bad[0]), getattr(x, "index", None)
        which = f"{i}" if labels is None or callable(labels) else repr(plain(labels[i]))
        raise ValueError(
            f"{name} has {array.ravel()[i]} at feature {which}; every entry must be a finite number"
        )


def check_out(out: object, dtype: DTypeLike, n_outputs: int) -> None:
    """Raise unless a row of outputs can be written to `out`."""
    wanted = f"out must be a C-contiguous, writable ndarray of {dtype}, shape {(n_outputs,)}"
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{wanted}, got {type(out).__name__}")
    if out.dtype != dtype:
        raise TypeError(f"{wanted}, got {out.dtype}")
    if out.shape != (n_outputs,):
        raise ValueError(f"{wanted}, got shape {out.shape}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        what = "read-only" if out.flags.c_contiguous else "not contiguous"
        raise ValueError(f"{wanted}, got one that is {what}")


def check_names(X: object, names: np.ndarray | None, name: str = "X") -> None:
    """Raise if a data frame's columns are not those of the fit, in the same order; of labels that
    are no strings, if they are the same in another order."""
    _check_names(
        feature_names(X, name), names, name, hasattr(X, "select") and not hasattr(X, "iloc")
    )


def _check_names(
    given: np.ndarray | None, names: np.ndarray | None, name: str, selects: bool = False
) -> None:
    if names is None or given is None or names.tolist() == given.tolist():
        return
    strict = are_names(names) and are_names(given)
    if not strict and Counter(names.tolist()) != Counter(given.tolist()):
        return
    missing = [n for n in names if n not in set(given)]
    counts, had = Counter(given.tolist()), Counter(names.tolist())
    twice = [n for n in counts if 0 < had[n] < counts[n]]
    unknown = [n for n in given if n not in set(names)]
    parts = [
        f"{word}: {', '.join(map(str, found[:5]))}{', ...' if len(found) > 5 else ''}"
        for word, found in (("missing", missing), ("unknown", unknown), ("more than once", twice))
        if found
    ]
    cure = ""
    if strict and not (missing or twice) and name.isidentifier():
        asked = "list(model.feature_names_in_)"
        asked = f".select({asked})" if selects else f"[{asked}]"
        cure = f"; {name}{asked} has those of the fit, in its order"
    raise ValueError(
        f"{name} has other columns than the model was fitted with: "
        f"{'; '.join(parts) or 'their order differs'}{cure}"
    )


def check_rows(rows_X: int, rows_y: int, name: str = "y", X_name: str = "X") -> None:
    """Raise unless two arrays have the same number of rows."""
    if rows_X != rows_y:
        raise ValueError(
            f"{X_name} has {counted(rows_X, 'row')} and {name} has {rows_y}; they must have the "
            "same number"
        )


def check_lengths(X: object, y: object) -> None:
    """Raise where X and y plainly differ in rows, or have more than memory is for."""
    rows_X, rows_y = _rows(X, 2), _rows(y, 1)
    if rows_X and rows_y:
        check_rows(rows_X, rows_y)
    check_room("X", X)


def check_room(name: str, X: object) -> None:
    """Raise where not even four bytes for each row can be had. A view that repeats a row may have
    2**60 of them; to look at each would have no end."""
    rows = _rows(X, 1) or 0
    if rows >= _MANY:
        try:
            aligned_zeros(rows, np.float32)
        except MemoryError as error:
            raise MemoryError(f"{name} has {counted(rows, 'row')}: {error}") from None


def warn_of_target_in_X(X: object, y: object) -> None:
    """Say that a column of X is y itself, by its name and by what it holds."""
    if type(X) is np.ndarray or type(y) is np.ndarray:
        return
    names, of_y = feature_names(X), column_names(y, "y")
    if names is None or of_y is None:
        return
    for label in of_y:
        if type(label) is str and np.count_nonzero(names == label) == 1 and _same(X, y, label):
            warn(
                f"X has the column {label!r}, which is y itself: leave it out, unless it is known "
                "when predictions are made",
                UserWarning,
            )
            return


def _same(X: Any, y: Any, label: str) -> bool:
    """Whether X and y hold the same in a column of that name."""
    column = y[label] if getattr(y, "ndim", 1) == 2 or hasattr(y, "schema") else y
    one, other = np.asarray(X[label]), np.asarray(column)
    return one.shape == other.shape and bool(np.all(one == other))


def _rows(values: Any, ndim: int) -> int | None:
    """Rows of what has `ndim` dimensions or more; None where that takes a closer look."""
    shape = getattr(values, "shape", None)
    if isinstance(shape, tuple):
        return shape[0] if len(shape) >= ndim and isinstance(shape[0], int) else None
    if not isinstance(values, (list, tuple)) or not values:
        return None
    return len(values) if ndim == 1 or isinstance(values[0], (list, tuple, np.ndarray)) else None


def is_missing(value: Any) -> bool:
    """None, NaN, NaT, and pandas' NA, which refuses to say whether it equals itself."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        return True
    except ValueError:  # an array
        return False
