"""Files by their names: globs, several files, compressed ones, and ``-`` for standard input."""

from __future__ import annotations

import glob
import gzip
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, BinaryIO, TypeAlias, cast

Files: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]]"

STDIN = "-"  #: The name of standard input.
_SPOOLED = 1 << 24  # bytes of a stream that are kept in memory
#: The first bytes of compressed files.
_PACKED = {b"\x1f\x8b\x08": "gz", b"\x28\xb5\x2f\xfd": "zst"}
#: The first bytes of files that are no text, and what to do with these.
_OTHERS = {
    b"PAR1": ("a Parquet file", "give it by a name that ends in .parquet"),
    b"ARROW1": ("a Feather file", "give it by a name that ends in .feather"),
    b"PK\x03\x04": ("a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    b"\xd0\xcf\x11\xe0": ("an Excel workbook", "save the sheet as CSV"),
    b"BZh": ("compressed by bzip2", "unpack it, or compress it by gzip"),
    b"\xfd7zXZ\0": ("compressed by xz", "unpack it, or compress it by gzip"),
    b"7z\xbc\xaf": ("a 7z archive", "unpack it"),
    b"SQLite format 3": ("an SQLite database", "write the table as CSV"),
    b"\x89HDF": ("an HDF5 file", "write the table as CSV or Parquet"),
    b"\x93NUMPY": ("a .npy file of NumPy", "np.load reads it"),
    b"%PDF": ("a PDF", "write the table as CSV"),
}
_HEAD = 16  # bytes that show which of these a file is


def expand(files: Files) -> list[str]:
    """The files that some names and globs mean.

    Parameters
    ----------
    files : path-like or sequence of them
        What holds ``*``, ``?`` or ``[`` and is no file stands for all files that match, sorted.

    Returns
    -------
    list of str

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        Where there is no such file.
    ValueError
        For no files at all, and for a file that comes twice.
    """
    given = [files] if isinstance(files, (str, os.PathLike)) else list(files)
    found: list[str] = []
    for one in [os.fspath(path) for path in given]:
        if one == STDIN or os.path.exists(one):
            found.append(one)
            continue
        matches = sorted(glob.glob(one, recursive=True)) if glob.has_magic(one) else []
        if not matches:
            raise FileNotFoundError(
                f"no file matches {one}" if glob.has_magic(one) else f"there is no file {one}"
            )
        found += matches
    if not found:
        raise ValueError("at least one file is needed")
    if found.count(STDIN) > 1:
        raise ValueError("standard input, -, can be read once only")
    seen: dict[str, str] = {}
    for one in found:
        real = os.path.realpath(one)
        if real in seen and os.path.isfile(one):
            as_well = f", as {seen[real]} too" if seen[real] != one else ""
            raise ValueError(f"{one} is given twice{as_well}; its rows would count twice")
        seen[real] = one
        if os.path.isdir(one):
            raise IsADirectoryError(
                f"{one} is a folder; {os.path.join(one, '*.csv')} are its files"
            )
    return found


def name_of(path: str) -> str:
    """What to call a file in messages."""
    return "standard input" if path == STDIN else path


def ending(path: str) -> tuple[str, str]:
    """What a file is by its name, and how it is compressed: ('csv', 'gz') for rows.csv.gz."""
    name = os.path.basename(path).lower()
    packed = ""
    for one in ("gz", "zst"):
        if name.endswith(f".{one}"):
            name, packed = name[: -len(one) - 1], one
    return name.rpartition(".")[2] if "." in name else "", packed


def is_plain(path: str) -> bool:
    """Whether a file can be read again and again at no cost but that of reading."""
    return path != STDIN and os.path.isfile(path) and not _packed(path)


def is_stream(path: str) -> bool:
    """Whether a file can be read once only, such as a pipe."""
    return path == STDIN or not os.path.isfile(path)


def open_bytes(path: str) -> BinaryIO:
    """Open a file for reading, decompressed, whatever its name is.

    Raises
    ------
    ValueError
        For a file of another kind that is known by its first bytes.
    """
    if is_stream(path):
        return opened(sys.stdin.buffer if path == STDIN else open(path, "rb"), path)
    packed = _packed(path)
    if packed == "gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    if packed == "zst":
        pyarrow = need_pyarrow(path)
        return cast("BinaryIO", io.BufferedReader(pyarrow.input_stream(path, compression="zstd")))
    file = open(path, "rb")  # noqa: SIM115, is returned
    try:
        _refuse_others(file.read(_HEAD), path)
    except ValueError:
        file.close()
        raise
    file.seek(0)
    return file


def opened(stream: BinaryIO, path: str) -> BinaryIO:
    """A stream from its beginning on, decompressed; `path` is what to call it."""
    head = stream.read(_HEAD)
    whole: BinaryIO = Again(head, stream)
    packed = _packing(head)
    if packed == "gz":
        return cast("BinaryIO", gzip.open(whole, "rb"))
    if packed == "zst":
        pyarrow = need_pyarrow(name_of(path))
        file = pyarrow.CompressedInputStream(pyarrow.PythonFile(whole, "r"), "zstd")
        return cast("BinaryIO", io.BufferedReader(file))
    _refuse_others(head, path)
    return whole


def _packed(path: str) -> str:
    """How a file is compressed, by its first bytes or its name."""
    with open(path, "rb") as file:
        return _packing(file.read(_HEAD)) or ending(path)[1]


def _packing(head: bytes) -> str:
    return next((packed for mark, packed in _PACKED.items() if head.startswith(mark)), "")


def _refuse_others(head: bytes, path: str) -> None:
    for mark, (kind, cure) in _OTHERS.items():
        if head.startswith(mark):
            raise ValueError(f"{name_of(path)} is {kind} and no CSV; {cure}")


class Again(io.BufferedReader):
    """A stream whose beginning has been read already."""

    def __init__(self, sample: bytes, rest: BinaryIO) -> None:
        super().__init__(_Joined(sample, rest), 1 << 16)


class _Joined(io.RawIOBase):
    def __init__(self, sample: bytes, rest: BinaryIO) -> None:
        self._sample, self._rest = memoryview(sample), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: Any = self._sample[: len(buffer)]
        self._sample = self._sample[len(data) :]
        if not len(data):
            read = getattr(self._rest, "read1", self._rest.read)
            data = read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed and self._rest is not sys.stdin.buffer:
            self._rest.close()
        super().close()


def need_pyarrow(path: str) -> Any:
    """pyarrow, or an ImportError that says what it is needed for."""
    try:
        import pyarrow
    except ImportError:
        raise ImportError(
            f"{path} is read and written through pyarrow, which is not installed: "
            "pip install 'cnn-core[table]'"
        ) from None
    return pyarrow


class Spool:
    """A stream, kept so that it can be read again.

    Parameters
    ----------
    stream : binary file
    """

    def __init__(self, stream: BinaryIO) -> None:
        import tempfile

        self._kept = tempfile.SpooledTemporaryFile(_SPOOLED)  # noqa: SIM115, lives with the object
        while block := stream.read(1 << 20):
            self._kept.write(block)

    def __del__(self) -> None:
        self._kept.close()

    def open(self) -> BinaryIO:
        """From its first byte on; ends what was read before."""
        self._kept.seek(0)
        return cast("BinaryIO", io.BufferedReader(_Open(self._kept)))


class _Open(io.RawIOBase):
    """A file that stays open when its reader closes."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
