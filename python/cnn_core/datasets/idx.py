"""IDX, the format of MNIST's files: 0, 0, the type of the numbers, how many dimensions, each of
them in 4 bytes, and then the numbers, the last index fastest. All is big-endian."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import numpy as np

if TYPE_CHECKING:
    from gzip import GzipFile

    from numpy.typing import NDArray

#: The types, by the third byte of a file.
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP = b"\x1f\x8b"
_PIECE = 1 << 20  # bytes read at a time


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array in an IDX file, the format of MNIST and its relatives.

    Parameters
    ----------
    path : str or path-like
        Compressed by gzip, as they are distributed, or not.

    Returns
    -------
    ndarray
        Of the file's shape and type, in the byte order of this machine; new and writable. MNIST's
        images have shape (rows, 28, 28), which ``X.reshape(len(X), -1)`` makes rows of.

    Raises
    ------
    ValueError
        For a file that is no IDX file, damaged, cut off, or longer than it says. Memory is taken
        only for what there is to read.
    OSError
        Where there is no such file, or it may not be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from cnn_core.datasets import read_idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "labels-idx1-ubyte"
    ...     size = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
    ...     read_idx(path)
    array([5, 0, 4], dtype=uint8)
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be a str or a path, got {path!r}")
    with open(path, "rb") as file:
        compressed = file.read(2) == GZIP
        file.seek(0)
        if not compressed:
            return _read(path, file, os.fstat(file.fileno()).st_size)
        import gzip  # some milliseconds that others need not pay
        import zlib

        try:
            with gzip.GzipFile(fileobj=file) as content:
                return _read(path, content, None)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            _refuse(path, f"is compressed by gzip and damaged or cut off: {error}")


def _read(
    path: str | os.PathLike[str], file: BinaryIO | GzipFile, size: int | None
) -> NDArray[Any]:
    """The array of a file; its size in bytes is not known where it is compressed."""
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES:
        types = ", ".join(f"{code:#04x}" for code in TYPES)
        _refuse(
            path,
            f"is no IDX file: that begins with two bytes 0 and one of {types}, and this "
            f"{f'begins with {head!r}' if head else 'is empty'}",
        )
    dtype, rank = np.dtype(TYPES[head[2]]), head[3]
    dimensions = file.read(4 * rank)
    if len(dimensions) < 4 * rank:
        _refuse(path, f"is cut off among its {rank} dimensions")
    shape = tuple(np.frombuffer(dimensions, ">u4").tolist())
    wanted = math.prod(shape) * dtype.itemsize
    words = f"{dtype.newbyteorder('=').name} of shape {shape}, {wanted:,} bytes"
    if size is not None:
        _check_size(path, words, wanted, size - 4 - 4 * rank)
    data = bytearray()
    while len(data) <= wanted and (piece := file.read(min(_PIECE, wanted + 1 - len(data)))):
        data += piece
    _check_size(path, words, wanted, len(data))
    try:
        array = np.frombuffer(data, dtype).reshape(shape)
    except ValueError:  # more dimensions, or with a 0 among them larger ones, than NumPy has
        _refuse(path, f"has the shape {shape}, which is beyond NumPy")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _check_size(path: str | os.PathLike[str], words: str, wanted: int, found: int) -> None:
    """Raise unless there are as many bytes as the file's beginning says."""
    if found < wanted:
        _refuse(path, f"is cut off: it should hold {words}, and has {found:,}")
    if found > wanted:
        _refuse(path, f"is damaged: it should hold {words}, and goes on after them")


def _refuse(path: str | os.PathLike[str], what: str) -> NoReturn:
    raise ValueError(f"{os.fspath(path)} {what}") from None
