"""The target of a table: y, or the name of the column that holds it."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_core.columns.parsing import as_texts
from cnn_core.columns.table import DATE, NUMBER, TEXT, Table, Values
from cnn_core.data.validation import listed


def split_target(table: Table, y: Any, what: str = "y") -> tuple[Table, Any]:
    """The table without the column that y names, and its entries; of another y both as they are.

    Parameters
    ----------
    table : Table
    y : array-like or str
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
    if not isinstance(y, str):
        return table, y
    if y not in table:
        raise ValueError(
            f"{what} names the column {y!r}, which {table.what} does not have; it has "
            f"{listed(table.names)}"
        )
    return table.without(y), target_of(table[y], y, table.what)


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
