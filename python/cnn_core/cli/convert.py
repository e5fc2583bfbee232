"""``cnn-core convert``: from a table of numbers to a .npy file, which NumPy maps into memory."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from cnn_core._few import counted
from cnn_core.cli import reading
from cnn_core.cli.arguments import Commands, UsageError, not_negative
from cnn_core.cli.outputs import check_output
from cnn_core.cli.telling import Telling, add_options, filled, size
from cnn_core.columns.parsing import as_numbers
from cnn_core.columns.table import BOOL, NUMBER
from cnn_core.files.atomic import replacing
from cnn_core.io.places import FileTable
from cnn_core.io.sources import expand
from cnn_core.io.tables import BLOCK, Blocks

EXAMPLES = """examples:
  cnn-core convert 'rows/*.parquet' rows.npy --shuffle
  python -c "import numpy as np; print(np.load('rows.npy', mmap_mode='r').shape)"
"""


def add_parser(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser(
        "convert",
        help="write a table of numbers as a .npy file for memory maps",
        description=filled(
            "Write the rows of a table of numbers as one matrix, which may be larger than "
            "memory. Missing entries become NaN."
        ),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help=reading.FILES)
    add("output", metavar="OUT.npy", help="the file to write")
    add("--shuffle", action="store_true", help="in an order that the seed determines")
    add("--seed", type=not_negative, default=0, metavar="N", help="of --shuffle (default 0)")
    add("--dtype", default="float32", choices=("float32", "float64"), help="default float32")
    add("--drop", action="append", default=[], metavar="NAME", help="a column to leave out")
    add_options(parser)
    reading.add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Read, write, shuffle."""
    telling, output = Telling(options), options.output
    if not output.endswith(".npy"):
        raise UsageError(f"{output}: the name of the file to write must end in .npy")
    paths = expand(options.files)
    check_output(output, paths)
    blocks = Blocks(paths, reading.reading(options))
    blocks.check(options.drop, " to leave out")
    for word in blocks.words:
        telling.remark(word)
    names = [name for name in blocks.names if name not in options.drop]
    if not names:
        raise ValueError(f"{blocks.what} has no column that is not left out")
    dtype, gaps = np.dtype(options.dtype), np.zeros(len(names), np.int64)
    folder = os.path.dirname(os.path.abspath(output))
    with replacing(output) as number, os.fdopen(number, "wb", closefd=False) as file:
        if options.shuffle:
            with tempfile.TemporaryFile(dir=folder) as rows:
                n_rows = _write(rows, matrices(blocks, names, dtype, gaps), telling)
                rows.flush()
                _shuffle(rows, file, (n_rows, len(names)), dtype, options.seed)
        else:
            file.write(header((0, len(names)), dtype))
            n_rows = _write(file, matrices(blocks, names, dtype, gaps), telling)
            file.seek(0)
            file.write(header((n_rows, len(names)), dtype))
    for word in blocks.remarks:
        telling.remark(word)
    missing = {name: count for name, count in zip(names, gaps.tolist()) if count}
    if missing:
        shown = ", ".join(f"{name} {count:,}" for name, count in missing.items())
        telling.remark(f"missing entries, NaN in the file: {shown}")
    rows_words = f"{counted(n_rows, 'row')} of {counted(len(names), 'column')} in {dtype}"
    telling.result(
        [f"wrote {output}: {rows_words} ({size(output)})", f"columns: {', '.join(names)}"],
        {
            "rows": n_rows,
            "columns": names,
            "dtype": str(dtype),
            "missing": missing,
            "output": output,
        },
    )


def matrices(
    blocks: Blocks, names: list[str], dtype: np.dtype[Any], gaps: np.ndarray
) -> Iterator[np.ndarray]:
    """The rows in blocks; counts missing entries."""
    kinds: dict[str, Any] = dict.fromkeys(names)  # at first to see which hold texts
    for block in blocks.read(kinds):
        table = block.table
        check_numbers(table)
        columns = [as_numbers(table[name], name, table.what) for name in names]
        matrix = np.column_stack(columns)
        gaps += np.isnan(matrix).sum(0)
        with np.errstate(over="raise"):
            try:
                yield np.ascontiguousarray(matrix, dtype)
            except FloatingPointError:
                raise ValueError(
                    f"{table.what} has numbers beyond {dtype}; --dtype float64"
                ) from None


def check_numbers(table: FileTable) -> None:
    """Raise for columns of texts, with their names and the first such entry."""
    odd = [name for name in table.names if table[name].kind not in (NUMBER, BOOL)]
    if not odd:
        return
    array = table[odd[0]].array
    row = next((i for i, one in enumerate(array) if one is not None), 0)
    shown = ", ".join(f"{name!r}" for name in odd[:10])
    raise ValueError(
        f"{table.place(row)}: {shown} hold{'s' * (len(odd) == 1)} texts, such as "
        f"{str(array[row])[:60]!r}, and a matrix holds numbers alone; --drop leaves a column out, "
        "and train takes the table as it is"
    )


def _write(file: Any, blocks: Iterator[np.ndarray], telling: Telling) -> int:
    n_rows = 0
    for matrix in blocks:
        file.write(matrix.data)
        n_rows += len(matrix)
        telling.progress(counted(n_rows, "row"))
    if not n_rows:
        raise ValueError("there are no rows")
    return n_rows


def _shuffle(
    rows: Any, file: BinaryIO, shape: tuple[int, int], dtype: np.dtype[Any], seed: int
) -> None:
    """Write the rows in another order."""
    from cnn_core._random import permutation

    matrix, order = np.memmap(rows, dtype, "r", shape=shape), permutation(seed, 0, shape[0])
    file.write(header(shape, dtype))
    for start in range(0, shape[0], BLOCK):
        file.write(matrix[order[start : start + BLOCK]].data)


def header(shape: tuple[int, int], dtype: np.dtype[Any]) -> bytes:
    """The first 128 bytes of a .npy file, whatever the number of rows."""
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00v\x00" + f"{text:<117}\n".encode("latin1")
