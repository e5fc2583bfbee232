"""The target of a table: y, or the name of the column that holds it."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_core.columns.parsing import as_texts
from cnn_core.columns.table import DATE, NUMBER, TEXT, Table, Values
from cnn_core.data.validation import listed


def names_of_target(table: Table, y: Any) -> tuple[str, ...]:
    """The columns that y names: by a text, or by some texts of which one is a column and which are
    not as many as the rows, whose labels they would be. None for another y."""
    if isinstance(y, str):
        return (y,)
    if not hasattr(y, "__len__") or len(y) == table.n_rows or getattr(y, "ndim", 1) != 1:
        return ()
    names = tuple(y.tolist() if hasattr(y, "tolist") else y)
    known = all(isinstance(one, str) for one in names) and any(one in table for one in names)
    return names if known else ()


def split_target(table: Table, y: Any, what: str = "y") -> tuple[Table, Any]:
    """The table without the columns that y names, and their entries; of another y both as they
    are.

    Parameters
    ----------
    table : Table
    y : array-like, str or list of str
    what : str
        What to call y in messages.

    Returns
    -------
    (Table, array-like)

    Raises
    ------
    ValueError
        Where there is no such column, or an entry of it is missing.
    """
    names = names_of_target(table, y)
    if not names:
        return table, y
    rest = table
    for name in names:
        if name not in table:
            raise ValueError(
                f"{what} names the column {name!r}, which {table.what} does not have; it has "
                f"{listed(table.names)}"
            )
        rest = rest.without(name)
    if not rest.names:
        raise ValueError(
            f"{table.what} has no column beside the target {listed(names)}, and so nothing to "
            "predict it from"
        )
    if isinstance(y, str):
        return rest, target_of(table[y], y, table.what)
    columns = [target_of(table[name], name, table.what) for name in names]
    for name, column in zip(names, columns):
        if column.dtype.kind not in "iufb":
            raise TypeError(
                f"{what} names several columns, which must hold numbers, and {name!r} of "
                f"{table.what} holds texts; fit one model for each column of classes"
            )
    return rest, np.column_stack(columns)


def target_of(values: Values, name: str, what: str) -> np.ndarray:
    """A column as y: numbers, or the labels of classes."""
    missing = values.missing
    if missing.any():
        count, row = int(missing.sum()), int(missing.argmax())
        raise ValueError(
            f"the target {name!r} of {what} is missing in {count:,} row{'s' * (count > 1)}, the "
            f"first is row {row}; drop such rows"
        )
    if values.kind == DATE:
        raise TypeError(
            f"the target {name!r} of {what} holds dates; give it as numbers, such as days since a "
            "fixed date"
        )
    if values.kind == TEXT:
        return np.array(as_texts(values), str)
    if values.kind == NUMBER:
        whole = values.whole and (np.abs(values.array) < 2**53).all()
        return values.array.astype(np.int64) if whole else values.array
    return values.array.astype(bool)
