"""Single rows of tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from cnn_core._predict import RowPredictor
    from cnn_core.columns.columns import Columns


#: What the entries of a single row are; columns have a length.
_ENTRIES = {float, int, str, bool, type(None)}


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
        self.encode, self.rows = columns.encode_row, rows

    def forward(self, x: object, out: np.ndarray | None = None) -> np.ndarray | None:
        """The output a^L, shape (n_outputs,); None for what is no dict."""
        if type(x) is not dict:
            return None
        a: np.ndarray | None = self.rows.forward(self.encode(x)[0], out)
        return a

    def forward_checked(self, X: object) -> np.ndarray | None:
        """The same of a table with one row, shape (1, n_outputs): of a dict, or a list of one; None
        for other tables, and where outputs are not finite."""
        row = X[0] if type(X) is list and len(X) == 1 else X
        if type(row) is not dict or not {*map(type, row.values())} <= _ENTRIES:
            return None
        a: np.ndarray | None = self.rows.forward_checked(self.encode(row))
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
