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
        For no files at all, and for standard input twice.
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
    for one in found:
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
    return path != STDIN and not ending(path)[1] and os.path.isfile(path)


def is_stream(path: str) -> bool:
    """Whether a file can be read once only, such as a pipe."""
    return path == STDIN or not os.path.isfile(path)


def open_bytes(path: str) -> BinaryIO:
    """Open a file for reading, decompressed."""
    if path == STDIN:
        return cast("BinaryIO", sys.stdin.buffer)
    packed = ending(path)[1]
    if packed == "gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    if packed == "zst":
        pyarrow = need_pyarrow(path)
        return cast("BinaryIO", io.BufferedReader(pyarrow.input_stream(path, compression="zstd")))
    return open(path, "rb")


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
