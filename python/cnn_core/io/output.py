"""Files of predictions: CSV or Parquet, written block by block, whole or not there."""

from __future__ import annotations

import csv
import gzip
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from cnn_core.files.atomic import check_folder, replacing
from cnn_core.io.sources import STDIN, ending, need_pyarrow
from cnn_core.io.to_arrow import array_of

#: Columns by their names: arrays, lists of texts, or columns of pyarrow.
Write = Callable[[Mapping[str, Any]], None]

_CSV = ("csv", "tsv", "txt")


def check_name(path: str) -> None:
    """Raise a ValueError for a file of a kind that is not written."""
    check_folder(path)
    kind, packed = ending(path)
    if path == STDIN or (kind in _CSV and packed in ("", "gz")):
        return
    if kind in ("parquet", "pq") and not packed:
        need_pyarrow(path)
        return
    raise ValueError(f"{path}: the name must end in .csv, .tsv, .csv.gz or .parquet, or be -")


def writes_types(path: str) -> bool:
    """Whether a file keeps apart numbers and texts."""
    return ending(path)[0] in ("parquet", "pq")


@contextmanager
def writing(path: str) -> Iterator[Write]:
    """A function that writes blocks to a file, which takes its name when all is written.

    Parameters
    ----------
    path : str
        ``-`` is standard output.

    Yields
    ------
    callable
    """
    check_name(path)
    if path == STDIN:
        try:
            yield _csv_writer(sys.stdout, ",")
            sys.stdout.flush()
        except OSError as error:
            if error.filename is None and not isinstance(error, BrokenPipeError):
                error.filename = "standard output"
            raise
        return
    kind, packed = ending(path)
    with ExitStack() as stack:
        number = stack.enter_context(replacing(path))
        file: Any = stack.enter_context(os.fdopen(number, "wb", closefd=False))
        if kind not in _CSV:
            yield stack.enter_context(_ParquetWriter(path, file)).write
            return
        if packed:
            file = stack.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))
        text = stack.enter_context(io.TextIOWrapper(file, "utf-8", newline=""))
        yield _csv_writer(text, "\t" if kind == "tsv" else ",")


def _csv_writer(file: Any, delimiter: str) -> Write:
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    header: list[Sequence[str]] = []

    def write(columns: Mapping[str, Any]) -> None:
        if not header:
            header.append(tuple(columns))
            writer.writerow(header[0])
        writer.writerows(zip(*map(_texts, columns.values())))

    return write


def _texts(column: Any) -> Any:
    """What a CSV has of a column: of floats the shortest text that reads as the same number."""
    if isinstance(column, np.ndarray):
        if column.dtype.kind == "f":
            # NumPy writes large numbers of float32 as 1.5e+06, and Python as 1500000.0.
            texts = column.astype("U32").tolist()
            return [repr(float(one)) if "e" in one else one for one in texts]
        return column.tolist()
    return column if isinstance(column, list) else column.to_pylist()


class _ParquetWriter:
    def __init__(self, path: str, file: Any) -> None:
        self._pyarrow, self._file = need_pyarrow(path), file
        self._writer: Any = None

    def __enter__(self) -> _ParquetWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, columns: Mapping[str, Any]) -> None:
        from pyarrow import parquet as pq

        arrays = [
            array_of(column) if isinstance(column, (list, np.ndarray)) else column
            for column in columns.values()
        ]
        table = self._pyarrow.Table.from_arrays(arrays, list(columns))
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, table.schema)
        self._writer.write_table(table)
