"""Single rows of tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


class TableRows:
    """Stands where `RowPredictor` does for models that read matrices."""

    def forward(self, x: object, out: np.ndarray | None = None) -> None:
        """None: a row of a table is to be encoded first."""
        return


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
