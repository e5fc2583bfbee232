"""Parquet and Feather files, through pyarrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from cnn_core.columns.table import NUMBER, Values, read_table
from cnn_core.data.rounding import EXACT
from cnn_core.io.places import FileTable
from cnn_core.io.sources import STDIN, ending, need_pyarrow

# Bytes of a column that are read together, and the most of all columns, if a column has enough.
_BUFFER, _LEAST, _BUFFERS = 1 << 18, 1 << 14, 1 << 24

ENDINGS = ("parquet", "pq", "feather", "arrow")


def read_files(paths: Sequence[str], columns: Sequence[str] | None = None) -> FileTable:
    """The table of some files."""
    pyarrow = need_pyarrow(paths[0])
    names = check_names(paths, columns)
    tables = [
        pyarrow.Table.from_batches(batches(path, names), schema=_selected(path, names))
        for path in paths
    ]
    common, what = common_schema(paths, names), called(paths)
    return table_of(
        pyarrow.concat_tables([one.cast(common, safe=False) for one in tables]), what, 0
    )


def called(paths: Sequence[str]) -> str:
    """What messages call some files."""
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def common_schema(paths: Sequence[str], names: Sequence[str]) -> Any:
    """Types that hold the entries of these columns in all files."""
    pyarrow = need_pyarrow(paths[0])
    schemas = [_selected(path, names).remove_metadata() for path in paths]
    try:
        return pyarrow.unify_schemas(schemas, promote_options="permissive")
    except pyarrow.ArrowException as error:
        raise ValueError(
            f"the columns of {called(paths)} differ in type: {first_line(error)}"
        ) from None


def table_of(frame: Any, what: str, row: int) -> FileTable:
    """A table of pyarrow, whose first row is `row` of its file."""
    table = read_table(frame, what)

    def read(name: Any) -> Values:
        column = frame.column(name)
        kind = column.type
        types = need_pyarrow(what).types
        if types.is_integer(kind) or types.is_floating(kind):
            floats, whole = floats_of(column), types.is_integer(kind)
            if not (whole and (np.abs(floats) >= EXACT).any()):
                return Values(NUMBER, floats, whole)
        return table[name]

    return FileTable(
        table.names,
        table.n_rows,
        read,
        what,
        lambda at: f"{what}, row {row + at + 1:,}",
    )


def floats_of(column: Any) -> np.ndarray:
    """Numbers of pyarrow as float64, NaN where one is missing.

    Through their memory: pyarrow's own conversion imports pandas, which takes 35 MB and half a
    second.
    """
    parts = [_floats(chunk) for chunk in column.chunks]
    return np.concatenate(parts) if parts else np.empty(0)


def _floats(chunk: Any) -> np.ndarray:
    from pyarrow import compute

    numbers = compute.cast(chunk, "float64", safe=False)
    valid, memory = numbers.buffers()
    start, size = numbers.offset, len(numbers)
    found = np.frombuffer(memory, np.float64, size, 8 * start)
    if numbers.null_count:
        bits = np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little")
        found = np.where(bits[start : start + size], found, np.nan)
    return found


def dtype_of(kinds: Iterable[Any]) -> tuple[str, bool]:
    """The dtype that holds every number of columns of some types, and whether all are numbers."""
    from pyarrow import types

    small = (types.is_float32, types.is_float16, types.is_int8, types.is_int16, types.is_uint8,
             types.is_uint16)  # fmt: skip
    found = list(kinds)
    exact = all(any(is_of(kind) for is_of in small) for kind in found)
    numeric = all(types.is_integer(kind) or types.is_floating(kind) for kind in found)
    return "float32" if exact else "float64", numeric


def matrix_of(batch: Any, dtype: str) -> np.ndarray:
    """The numbers of a record batch, NaN where one is missing."""
    found = np.empty((batch.num_rows, batch.num_columns), dtype)
    for i, column in enumerate(batch.columns):
        if column.null_count or column.type.bit_width == 16:
            found[:, i] = _floats(column)
        else:
            kind = _NUMPY.get(str(column.type), str(column.type))
            memory = column.buffers()[1]
            itemsize = column.type.bit_width // 8
            found[:, i] = np.frombuffer(memory, kind, len(column), itemsize * column.offset)
    return found


#: What NumPy calls types of pyarrow that it calls otherwise.
_NUMPY = {"float": "float32", "double": "float64", "halffloat": "float16"}


def check_names(paths: Sequence[str], columns: Sequence[str] | None) -> list[str]:
    """The columns that are read, which all files must have."""
    names: list[str] = list(columns) if columns is not None else list(schema(paths[0]).names)
    for path in paths:
        there = schema(path).names
        for name in names:
            if there.count(name) != 1:
                many = "several columns" if name in there else "no column"
                raise ValueError(f"{path} has {many} {name!r}")
    return names


def schema(path: str) -> Any:
    """The names and types of a file's columns."""
    pyarrow = need_pyarrow(path)
    with _errors(path, pyarrow):
        if _is_parquet(path):
            from pyarrow import parquet as pq

            return pq.read_schema(path)
        with pyarrow.ipc.open_file(path) as file:
            return file.schema


def _selected(path: str, names: Sequence[str]) -> Any:
    found = schema(path)
    return need_pyarrow(path).schema([found.field(name) for name in names])


def read_footer(path: str) -> Any:
    """What a Parquet file says of its row groups."""
    pyarrow = need_pyarrow(path)
    with _errors(path, pyarrow):
        from pyarrow import parquet as pq

        return pq.read_metadata(path)


def batches(
    path: str,
    names: Sequence[str],
    size: int = 32768,
    group: int | None = None,
    footer: Any = None,
) -> Iterator[Any]:
    """The rows of a file, or of a row group of a Parquet file, in record batches, with the columns
    in the order of `names`; the footer of a file that is read often may be known."""
    pyarrow = need_pyarrow(path)
    with _errors(path, pyarrow):
        if _is_parquet(path):
            from pyarrow import parquet as pq

            buffer = max(_LEAST, min(_BUFFER, _BUFFERS // max(1, len(names))))
            options: dict[str, Any] = {"buffer_size": buffer, "pre_buffer": False}
            with pq.ParquetFile(path, metadata=footer, **options) as file:
                groups = None if group is None else [group]
                for batch in file.iter_batches(size, groups, list(names), use_threads=False):
                    yield batch.select(list(names))
            return
        with pyarrow.ipc.open_file(path) as file:
            for i in range(file.num_record_batches):
                batch = file.get_batch(i).select(list(names))
                for start in range(0, batch.num_rows, size):
                    yield batch.slice(start, size)


def _is_parquet(path: str) -> bool:
    kind, packed = ending(path)
    if path == STDIN or packed:
        raise ValueError(f"{path} can be read as CSV only")
    return kind in ("parquet", "pq")


class _errors:
    """Say which file is damaged."""

    def __init__(self, path: str, pyarrow: Any) -> None:
        self._path, self._pyarrow = path, pyarrow

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, _: Any) -> None:
        damaged = isinstance(error, (self._pyarrow.ArrowException, OSError))
        if damaged and getattr(error, "errno", None) is None:
            raise ValueError(f"{self._path} cannot be read: {first_line(error)}") from None


def first_line(error: BaseException) -> str:
    """What an error says, at most a line of it."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
