"""`Table`: rows with named columns, read from whatever frame a user has.

Frames of pandas, polars, pyarrow, Modin and cuDF are read through narwhals, and so is whatever has
`__arrow_c_stream__`; dicts of columns, lists of dicts, structured arrays and plain arrays need no
package.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from cnn_core._checks import shown
from cnn_core._few import counted
from cnn_core._spoken import kind_of_column
from cnn_core.data.rounding import EXACT
from cnn_core.data.validation import feature_names, is_missing, plain

#: What a column may hold.
NUMBER, BOOL, TEXT, DATE = "number", "bool", "text", "date"


class Values(NamedTuple):
    """The entries of a column in the form that its kind has."""

    kind: str
    #: NUMBER and BOOL: float64, NaN where an entry is missing. TEXT: objects, each a str or None.
    #: DATE: datetime64[us], NaT where one is missing.
    array: np.ndarray
    #: Whether numbers have a type of whole numbers.
    whole: bool = False
    #: Whether texts are known to be no numbers, whatever some of them look like.
    words: bool = False
    #: TEXT of a type of categories: from each text to the label that it is.
    labels: Mapping[str, Any] | None = None
    #: From a row to its number in the table that the user has, or to its file and line; None where
    #: they are the same.
    place: Callable[[int], int | str] | None = None
    #: Whole numbers of which float64 has not all, as objects; None where one is missing.
    exact: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Values:
        """Those of some rows, chosen as NumPy indexes."""
        chosen = np.flatnonzero(rows) if rows.dtype == bool else rows
        before = self.place or int
        exact = None if self.exact is None else self.exact[rows]
        return self._replace(
            array=self.array[rows], place=lambda row: before(int(chosen[row])), exact=exact
        )

    def refusal(self, row: int, shown: str, name: Any, what: str, why: str) -> ValueError:
        """The error about an entry: "X has '?' in column 'age', row 3, which is no number"."""
        place = row if self.place is None else self.place(row)
        if isinstance(place, str):
            return ValueError(f"{place}, column {name!r}: {shown} {why}")
        return ValueError(f"{what} has {shown} in column {name!r}, row {place}, which {why}")

    @property
    def missing(self) -> np.ndarray:
        """Where entries are missing."""
        if self.kind == TEXT:
            return np.fromiter((one is None for one in self.array), bool, len(self.array))
        found: np.ndarray = np.isnat(self.array) if self.kind == DATE else np.isnan(self.array)
        return found


class Table:
    """Rows with named columns, which are converted when they are asked for.

    Parameters
    ----------
    names : sequence of str or int
        Numbers for the columns of an array without names.
    n_rows : int
    read : callable
        From a name to the entries of its column, as `Values`.
    what : str
        What to call the table in messages, such as ``'X'``.
    """

    def __init__(
        self,
        names: Sequence[Hashable],
        n_rows: int,
        read: Callable[[Any], Values],
        what: str = "X",
    ) -> None:
        self.names, self.n_rows, self.what = tuple(map(plain, names)), n_rows, what
        self._read, self._known = read, dict[Hashable, Values]()
        _check_names(self.names, what)

    def __len__(self) -> int:
        return self.n_rows

    def __contains__(self, name: Hashable) -> bool:
        return name in self.names

    def __getitem__(self, name: Hashable) -> Values:
        """The entries of a column."""
        values = self._known.get(name)
        if values is None:
            values = self._known[name] = self._read(name)
        return values

    def take(self, rows: np.ndarray) -> Table:
        """Some of the rows, chosen as NumPy indexes."""
        count = int(np.count_nonzero(rows)) if rows.dtype == bool else len(rows)
        return Table(self.names, count, lambda name: self[name].take(rows), self.what)

    def without(self, name: Hashable) -> Table:
        """All columns but one."""
        names = [one for one in self.names if one != name]
        return Table(names, self.n_rows, self.__getitem__, self.what)


def read_table(source: Any, what: str = "X") -> Table:
    """The table that an object is.

    Parameters
    ----------
    source : frame, Table, dict of columns, list of dicts, structured array or 2-D array
    what : str
        What to call it in messages.

    Returns
    -------
    Table

    Raises
    ------
    TypeError, ValueError
        For what is no table, has no rows, or columns of different lengths.
    ImportError
        For a frame, where narwhals is missing.
    """
    if isinstance(source, Table):
        table = source
    elif isinstance(source, Mapping):
        table = _of_mapping(source, what)
    elif isinstance(source, (list, tuple)) and source and isinstance(source[0], Mapping):
        table = _of_records(source, what)
    elif isinstance(source, np.ndarray) and source.dtype.names:
        table = _of_structured(source, what)
    elif isinstance(source, (np.ndarray, list, tuple)):
        table = _of_array(source, what)
    else:
        table = _of_frame(source, what)
    if table.n_rows == 0 or not table.names:
        size = f"{counted(table.n_rows, 'row')} and {counted(len(table.names), 'column')}"
        raise ValueError(f"{what} must have at least one row and one column, got {size}")
    return table


def is_table(source: Any) -> bool:
    """Whether an object has named columns."""
    if isinstance(source, np.ndarray):
        return source.dtype.names is not None
    if isinstance(source, (list, tuple)):
        return bool(source) and isinstance(source[0], Mapping)
    names = getattr(source, "columns", None)
    has_names = names is not None and not callable(names)
    return (
        isinstance(source, (Table, Mapping)) or has_names or hasattr(source, "__arrow_c_stream__")
    )


def _check_names(names: Iterable[Hashable], what: str) -> None:
    seen = set()
    for name in map(plain, names):
        if not isinstance(name, (str, int)) or isinstance(name, bool):
            raise TypeError(
                f"{what} has a column labelled {name!r}; labels of columns must be texts or whole "
                "numbers, as X.columns = map(str, X.columns) makes those of a frame"
            )
        if name in seen:
            raise ValueError(f"{what} has two columns named {name!r}; each needs its own name")
        seen.add(name)


# Sources without a package


def _of_mapping(source: Mapping[Any, Any], what: str) -> Table:
    columns = dict(source)
    if columns and not any(map(_has_length, columns.values())):  # a single row
        columns = {name: [value] for name, value in columns.items()}
    lengths = {name: len(column) if _has_length(column) else -1 for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        (one, n_one), (other, n_other) = _unlike(lengths)
        raise ValueError(
            f"the columns of {what} must have the same number of entries; {one!r} has "
            f"{_entries(n_one)} and {other!r} {_entries(n_other)}"
        )

    def read(name: Any) -> Values:
        return values_of(columns[name], name, what)

    return Table(tuple(columns), max(lengths.values(), default=0), read, what)


def _has_length(column: Any) -> bool:
    shape = getattr(column, "shape", None)
    if shape is not None:
        return len(shape) > 0
    return hasattr(column, "__len__") and not isinstance(column, (str, bytes, Mapping))


def _unlike(lengths: Mapping[Any, int]) -> list[tuple[Any, int]]:
    """The first column, and the first one of another length."""
    items = list(lengths.items())
    return [items[0], next(item for item in items if item[1] != items[0][1])]


def _entries(count: int) -> str:
    return "a single value" if count < 0 else f"{count:,}"


def _of_records(source: Sequence[Any], what: str) -> Table:
    for i, row in enumerate(source):
        if not isinstance(row, Mapping):
            kind = type(row).__name__
            raise TypeError(f"{what} must be a list of dicts, a row each; entry {i} is a {kind}")
    names = list(dict.fromkeys(name for row in source for name in row))

    def read(name: Any) -> Values:
        return values_of([row.get(name) for row in source], name, what)

    return Table(names, len(source), read, what)


def _of_structured(source: np.ndarray, what: str) -> Table:
    rows = source.reshape(-1)

    def read(name: Any) -> Values:
        return values_of(rows[name], name, what)

    return Table(rows.dtype.names or (), len(rows), read, what)


def _of_array(source: Any, what: str) -> Table:
    try:
        array = np.asanyarray(source)  # which keeps a mask
        if array.dtype.kind in "UST" and not isinstance(source, np.ndarray):
            array = np.asarray(source, object)  # a list in which one entry is a text
    except ValueError:
        raise ValueError(f"{what} must be rectangular; its rows have different lengths") from None
    if array.ndim != 2:
        raise ValueError(
            f"{what} must have two dimensions (rows, columns), got shape {array.shape}"
        )

    def read(name: Any) -> Values:
        return values_of(array[:, name], name, what)

    return Table(range(array.shape[1]), len(array), read, what)


# Frames


def _of_frame(source: Any, what: str) -> Table:
    nw = _narwhals(type(source).__name__)
    labels = feature_names(source, what)
    if labels is not None:
        _check_names(labels, what)
        if not all(isinstance(label, str) for label in labels):
            return _of_positions(source, list(map(plain, labels)), what)
    frame = nw.from_native(source, allow_series=True, pass_through=True)
    if isinstance(frame, nw.Series):
        raise TypeError(
            f"{what} is a single column or row ({type(source).__name__}), and a table is needed; "
            "predict_one takes a row"
        )
    if isinstance(frame, nw.LazyFrame):
        if not hasattr(source, "__arrow_c_stream__"):
            raise TypeError(
                f"{what} is a query ({type(source).__name__}) that holds no rows yet; run it "
                "first, such as by collect()"
            )
        frame = source
    if not isinstance(frame, nw.DataFrame):
        if hasattr(source, "block_rows"):
            raise TypeError(
                f"{what} comes in blocks ({type(source).__name__}), which fit alone takes; "
                "io.parquet without target gives a table"
            )
        if not hasattr(source, "__arrow_c_stream__"):
            raise TypeError(
                f"{what} must be a table: a data frame, a dict of columns, a list of dicts or an "
                f"array, got {type(source).__name__}"
            )
        frame = nw.from_arrow(source, backend=_backend(type(source).__name__))

    def read(name: Any) -> Values:
        return _of_series(frame[name], name, what, nw)

    return Table(frame.columns, len(frame), read, what)


def _of_positions(source: Any, labels: list[Any], what: str) -> Table:
    """A frame of pandas some of whose labels are numbers, which narwhals takes for positions."""

    def read(name: Any) -> Values:
        return values_of(source.iloc[:, labels.index(name)], name, what)

    return Table(labels, len(source), read, what)


def _narwhals(kind: str) -> Any:
    try:
        import narwhals.stable.v2 as nw
    except ImportError:
        raise ImportError(
            f"a table of type {kind} is read through narwhals, which is not installed: "
            "pip install narwhals"
        ) from None
    return nw


def _backend(kind: str) -> str:
    """An installed package that can hold what comes as a stream of Arrow."""
    import importlib.util

    for name in ("pyarrow", "polars"):
        if importlib.util.find_spec(name) is not None:
            return name
    raise ImportError(
        f"a table of type {kind} comes as a stream of Arrow, which pyarrow or polars reads, and "
        "neither is installed: pip install pyarrow"
    )


def _of_series(series: Any, name: Any, what: str, nw: Any) -> Values:
    """A column of a frame."""
    dtype = series.dtype
    if dtype == nw.Boolean:
        if series.null_count():
            return values_of(series.to_list(), name, what)
        return Values(BOOL, series.to_numpy().astype(np.float64))
    if dtype.is_integer():
        low, high = series.min(), series.max()
        if not is_missing(low) and not -EXACT < low <= high < EXACT:
            return whole_numbers(series.to_list())
    if dtype.is_numeric():
        return Values(NUMBER, _floats(series, nw), dtype.is_integer())
    if dtype in (nw.Categorical, nw.Enum):
        return _of_categories(series.to_list())
    if dtype == nw.String:
        return _of_texts(series.to_list())
    if dtype == nw.Date or dtype == nw.Datetime:
        return values_of(series.to_list() if dtype == nw.Date else _stamps(series), name, what)
    if dtype == nw.Duration:
        return values_of(series.to_list(), name, what)
    if dtype == nw.Object or dtype == nw.Unknown:
        return values_of(series.to_list(), name, what)
    raise _refusal(name, what, str(dtype))


def _floats(series: Any, nw: Any) -> np.ndarray:
    """Numbers as float64, NaN where an entry is missing."""
    numbers: np.ndarray = series.cast(nw.Float64).to_numpy()
    if numbers.dtype == np.float64:
        return numbers
    return np.array([math.nan if is_missing(one) else float(one) for one in numbers], np.float64)


def _stamps(series: Any) -> Any:
    """Dates with times as NumPy has them, without their time zone."""
    if getattr(series.dtype, "time_zone", None) is not None:
        series = series.dt.replace_time_zone(None)
    return series.to_numpy()


# The entries of one column


def values_of(column: Any, name: Any, what: str) -> Values:
    """A column of an array, a list or a series.

    Parameters
    ----------
    column : array-like, shape (rows,)
    name : str or int
        Of the column, for messages.
    what : str
        Of the table.

    Returns
    -------
    Values
    """
    if hasattr(column, "to_list") and not isinstance(column, np.ndarray):  # a series
        nw = _narwhals(type(column).__name__)
        series = nw.from_native(column, series_only=True, pass_through=True)
        if isinstance(series, nw.Series):
            return _of_series(series, name, what, nw)
    if not isinstance(column, np.ndarray):
        array = np.empty(len(column), object)
        array[:] = list(column)
    elif np.ma.is_masked(column):
        dtype = column.dtype if column.dtype.kind in "mM" else object
        array = np.ma.getdata(column).astype(dtype)
        array[np.ma.getmaskarray(column)] = None
    else:
        array = np.asarray(column)
    if array.ndim != 1:
        raise ValueError(
            f"the column {name!r} of {what} has the shape {array.shape}; each column must have one "
            "entry for each row"
        )
    kind = array.dtype.kind
    if kind == "b":
        return Values(BOOL, array.astype(np.float64))
    if kind in "iuf":
        floats = array.astype(np.float64)
        if kind != "f" and (np.abs(floats) >= EXACT).any():
            return whole_numbers(array.tolist())
        return Values(NUMBER, floats, kind != "f")
    if kind == "M":
        return Values(DATE, array.astype("datetime64[us]"))
    if kind == "m":
        return Values(NUMBER, _seconds(array))
    if kind in "UT":
        return _of_texts(array.tolist())
    if kind == "O":
        return _of_objects(array.tolist(), name, what)
    raise _refusal(name, what, f"entries of type {array.dtype}")


def _seconds(spans: np.ndarray) -> np.ndarray:
    seconds: np.ndarray = spans / np.timedelta64(1, "s")
    return np.where(np.isnat(spans), np.nan, seconds)


def _of_texts(texts: list[Any]) -> Values:
    array = np.empty(len(texts), object)
    array[:] = [str(one) if isinstance(one, str) else None for one in texts]
    return Values(TEXT, array)


def _of_categories(labels: list[Any]) -> Values:
    """Entries of a type of categories, numbers among them."""
    known: dict[Any, str | None] = {}
    for label in labels:
        if label not in known:
            known[label] = None if is_missing(label) else text_of(label)
    array = np.empty(len(labels), object)
    array[:] = [known[label] for label in labels]
    return Values(
        TEXT, array, labels={text: one for one, text in known.items() if text is not None}
    )


def whole_numbers(given: list[Any]) -> Values:
    """Whole numbers, of which float64 has not all."""
    exact = np.empty(len(given), object)
    exact[:] = [None if is_missing(one) else int(one) for one in given]
    floats = np.array([math.nan if one is None else float(one) for one in exact], np.float64)
    return Values(NUMBER, floats, True, exact=exact)


def text_of(value: Any) -> str:
    """A category as a text: 3, 3.0 and '3' are the same one, and so is a date of every type."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if _is_date(type(value)):
        return text_of_date(_stamp(value))
    if isinstance(value, (datetime.timedelta, np.timedelta64)):
        value = float(_seconds(np.array([value], "timedelta64[us]"))[0])
    if _is_number(type(value)):
        number = float(value)
        whole = isinstance(value, (int, np.integer))
        if whole or (number.is_integer() and abs(number) < EXACT):
            return str(int(value))
        return repr(number)
    return str(value)


def text_of_date(stamp: Any) -> str:
    """A datetime64[us], as dates are written: without a time where it is midnight."""
    day, _, time = str(stamp).partition("T")
    time = time.removesuffix(".000000")
    return day if time == "00:00:00" else f"{day} {time}"


def _is_date(kind: type) -> bool:
    """Whether objects of a class are dates, periods of pandas among them."""
    return issubclass(kind, (datetime.date, np.datetime64)) or kind.__name__ == "Period"


def _is_number(kind: type) -> bool:
    """Whether objects of a class are real numbers, decimal and fractional ones among them."""
    if issubclass(kind, np.timedelta64):  # to NumPy a kind of whole number
        return False
    return issubclass(kind, (np.integer, np.bool_)) or hasattr(kind, "as_integer_ratio")


def _of_objects(objects: list[Any], name: Any, what: str) -> Values:
    """Objects of one kind, or of numbers and texts, beside gaps."""
    kinds = {type(one) for one in objects}
    if kinds <= {str, type(None)}:
        return _of_texts(objects)
    given = [None if is_missing(one) else one for one in objects]
    kinds = {type(one) for one in given} - {type(None)}
    if all(issubclass(kind, str) for kind in kinds):
        return _of_texts(given)
    if all(issubclass(kind, (bool, np.bool_)) for kind in kinds):
        return Values(BOOL, _as_floats(given, name, what))
    if all(map(_is_number, kinds)):
        whole = all(issubclass(kind, (int, np.integer)) for kind in kinds)
        floats = _as_floats(given, name, what)
        if whole and (np.abs(floats) >= EXACT).any():
            return whole_numbers(given)
        return Values(NUMBER, floats, whole)
    if all(map(_is_date, kinds)):
        return Values(DATE, np.array([_stamp(one) for one in given], "datetime64[us]"))
    if all(issubclass(kind, (datetime.timedelta, np.timedelta64)) for kind in kinds):
        return Values(NUMBER, _seconds(np.array(given, "timedelta64[us]")))
    if all(issubclass(kind, str) or _is_number(kind) for kind in kinds):
        return _of_texts([None if one is None else str(plain(one)) for one in given])
    known = (str, datetime.timedelta, np.timedelta64)
    other = next(
        (one for one in kinds if not (issubclass(one, known) or _is_date(one) or _is_number(one))),
        None,
    )
    named = sorted(kind.__name__ for kind in kinds)
    raise _refusal(name, what, f"a {other.__name__}" if other else " and ".join(named))


def _as_floats(objects: list[Any], name: Any, what: str) -> np.ndarray:
    floats = np.full(len(objects), math.nan)
    for row, one in enumerate(objects):
        if one is not None:
            try:
                floats[row] = float(one)
            except OverflowError:
                raise ValueError(
                    f"{what} has {shown(one)} in column {name!r}, row {row}, beyond the range of "
                    "float64; write what is no amount as a text"
                ) from None
    return floats


def _stamp(one: Any) -> Any:
    """A date as NumPy has it, without a time zone; of a period where it begins."""
    one = getattr(one, "start_time", one)
    if isinstance(one, datetime.datetime):
        return np.datetime64(one.replace(tzinfo=None), "us")
    return np.datetime64("NaT" if one is None else one, "us")


def _refusal(name: Any, what: str, found: str) -> TypeError:
    return TypeError(
        f"the column {name!r} of {what} holds {found}; a column must hold numbers, texts, True and "
        f"False, or dates ({kind_of_column(name, 'drop')} leaves it out)"
    )
