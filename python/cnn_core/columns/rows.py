"""Single rows of tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cnn_core.columns.kinds import Category, Column, Embedded, Number

if TYPE_CHECKING:
    import numpy as np

    from cnn_core._predict import RowPredictor
    from cnn_core.columns.columns import Columns

#: What the entries of a single row are; columns have a length.
_ENTRIES = {float, int, str, bool, type(None)}
#: Numbers below this are plainly no infinity.
_LARGE = 1e300

#: From a row to what the network reads.
Encoder = Callable[[Mapping[Any, Any]], list[float]]


def row_encoder(columns: Columns) -> Encoder:
    """What encodes single rows, fast: with all that is known of the columns laid out beforehand.

    Several threads may call it at once.

    Parameters
    ----------
    columns : Columns

    Returns
    -------
    callable
        Takes a mapping from the names of the columns to their entries, and returns the numbers of
        the columns of the matrix.
    """
    numbers: list[tuple[Any, int, Column]] = []
    categories: list[tuple[Any, Callable[[str], int | None], int, Column]] = []
    others: list[tuple[Any, int, Column]] = []
    for column, at in columns.placed:
        if isinstance(column, Number):
            numbers.append((column.name, at, column))
        elif isinstance(column, Category) and not isinstance(column, Embedded):
            places = {value: at + i for i, value in enumerate(column.values)}
            categories.append((column.name, places.get, at, column))
        else:
            others.append((column.name, at, column))
    blank = [0.0] * columns.width
    low, high = -_LARGE, _LARGE

    def encode(row: Mapping[Any, Any]) -> list[float]:
        # What most entries are is done here, as a call takes as long as the rest.
        values, unlike = blank.copy(), []
        try:
            for name, at, column in numbers:
                value = row[name]
                if type(value) is float and low < value < high:
                    values[at] = value
                elif type(value) is int and low < value < high:
                    values[at] = float(value)
                elif column.encode_one(value, values, at):
                    unlike.append(name)
            for name, place_of, at, column in categories:
                value = row[name]
                place = place_of(value) if type(value) is str else None
                if place is not None:
                    values[place] = 1.0
                elif column.encode_one(value, values, at):
                    unlike.append(name)
            for name, at, column in others:
                if column.encode_one(row[name], values, at):
                    unlike.append(name)
        except KeyError:
            columns.table(row, "x")  # says which are missing
            raise
        if unlike:
            columns.warn_of_gaps([repr(one) for one in columns.names if one in unlike], "x")
        return values

    return encode


class TableRows:
    """Stands where `RowPredictor` does for models that read matrices: takes rows as dicts from the
    names of the columns to their entries.

    Parameters
    ----------
    columns : Columns
    rows : RowPredictor
        Of the network.
    """

    def __init__(self, columns: Columns, rows: RowPredictor) -> None:
        self.encode, self.rows = columns.encode_row, rows.forward
        self.checked_rows = rows.forward_checked

    def forward(
        self, x: object, out: np.ndarray | None = None, check: bool = False
    ) -> np.ndarray | None:
        """The output a^L, shape (n_outputs,); None for what is no dict."""
        if type(x) is not dict:
            return None
        a: np.ndarray | None = self.rows(self.encode(x), out, check)
        return a

    def forward_checked(self, X: object) -> np.ndarray | None:
        """The same of a table with one row, shape (1, n_outputs): of a dict, or a list of one; None
        for other tables, and where outputs are not finite."""
        row = X[0] if type(X) is list and len(X) == 1 else X
        if type(row) is not dict or not _ENTRIES.issuperset(map(type, row.values())):
            return None
        a: np.ndarray | None = self.checked_rows([self.encode(row)])
        return a


def row_of(x: Any, names: list[Any]) -> Mapping[Any, Any]:
    """A row as a mapping from the names of its columns.

    Parameters
    ----------
    x : mapping, row of a frame, record of a structured array, or sequence
        A sequence only where the columns of the training table had no names.
    names : list
        Of the columns.

    Returns
    -------
    mapping
    """
    if isinstance(x, Mapping):
        return x
    if hasattr(x, "columns"):
        raise TypeError(
            f"x is a table ({type(x).__name__}), which predict takes; predict_one takes a single "
            "row, such as a dict from the name of each column to its entry"
        )
    labels = getattr(x, "index", None)  # as a row of a pandas frame has them
    if labels is not None and not callable(labels):
        return dict(zip(labels, x, strict=True))
    fields = getattr(getattr(x, "dtype", None), "names", None)
    if fields:
        return {name: x[name] for name in fields}
    if all(isinstance(name, int) for name in names) and len(x) == len(names):
        return dict(enumerate(x))
    raise TypeError(
        "x must be a row with names, such as a dict from the name of each column to its entry, got "
        f"{type(x).__name__}"
    )
