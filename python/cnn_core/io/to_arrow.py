"""Columns and tables as those of pyarrow, without pandas, which its own conversion imports."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_core.columns.table import BOOL, DATE, NUMBER, TEXT, Table, Values
from cnn_core.io.sources import need_pyarrow


def array_of(column: np.ndarray | list[str]) -> Any:
    """A column for pyarrow, without pandas as well."""
    import pyarrow

    if isinstance(column, np.ndarray) and column.dtype.kind in "iuf":
        memory = pyarrow.py_buffer(np.ascontiguousarray(column))
        kind = pyarrow.from_numpy_dtype(column.dtype)
        return pyarrow.Array.from_buffers(kind, len(column), [None, memory])
    if isinstance(column, np.ndarray) and column.dtype.kind != "U":
        return pyarrow.array(column)
    texts = [one.encode() for one in column]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    memory = [None, pyarrow.py_buffer(ends), pyarrow.py_buffer(b"".join(texts))]
    return pyarrow.Array.from_buffers(pyarrow.string(), len(texts), memory)


def arrow_of(table: Table) -> Any:
    """A table as one of pyarrow, with nulls where entries are missing."""
    pyarrow = need_pyarrow(table.what)
    columns = [column_of(table[name]) for name in table.names]
    return pyarrow.table(columns, list(map(str, table.names)))


def column_of(values: Values) -> Any:
    """A column as an array of pyarrow, with nulls where entries are missing."""
    import pyarrow

    if values.kind != NUMBER:
        kind = {TEXT: pyarrow.string(), DATE: pyarrow.timestamp("us"), BOOL: pyarrow.bool_()}
        make = bool if values.kind == BOOL else lambda one: one
        missing = values.missing.tolist()
        entries = [None if gap else make(one) for one, gap in zip(values.array.tolist(), missing)]
        return pyarrow.array(entries, kind[values.kind])
    gaps, array = values.missing, np.ascontiguousarray(values.array)
    if values.whole:
        array = np.where(gaps, 0, array).astype(np.int64)
    valid = pyarrow.py_buffer(np.packbits(~gaps, bitorder="little")) if gaps.any() else None
    memory = [valid, pyarrow.py_buffer(array)]
    return pyarrow.Array.from_buffers(pyarrow.from_numpy_dtype(array.dtype), len(array), memory)
