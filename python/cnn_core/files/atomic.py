"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from contextlib import suppress

if sys.platform != "win32":
    import fcntl


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that at every moment its name has the old content or the new one, also after
    a crash: into a temporary file beside it, which is then flushed to the disk and renamed.

    Temporary files of writers that were killed are removed. A symbolic link stays one, and its
    target is replaced.

    Parameters
    ----------
    path : path-like
        Keeps its permissions, if there is such a file.
    data : bytes

    Raises
    ------
    OSError
        Where the file cannot be written. The old one is as it was then; or, where the folder alone
        could not be flushed, the new one is there, and a crash of the machine may undo it.
    """
    path = os.path.realpath(os.fspath(path))
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    folder, name = os.path.split(path)
    _remove_leftovers(folder, name)
    temporary, file = _create(folder, name)
    try:
        try:
            if hasattr(os, "fchmod"):
                with suppress(FileNotFoundError):
                    os.fchmod(file, stat.S_IMODE(os.stat(path).st_mode))
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
            if sys.platform == "win32":  # an open file cannot be renamed there
                os.close(file)
                file = -1
            os.replace(temporary, path)
        finally:
            if file >= 0:
                os.close(file)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _flush_folder(folder)


def _create(folder: str, name: str) -> tuple[str, int]:
    """A new temporary file, locked, so that others see that its writer lives."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    while True:
        temporary = os.path.join(folder, f".{name[:200]}.{secrets.token_hex(6)}.tmp")
        file = os.open(temporary, flags | getattr(os, "O_CLOEXEC", 0), 0o666)
        if sys.platform == "win32":
            return temporary, file
        with suppress(OSError):  # some file systems know no locks; nobody removes leftovers there
            fcntl.flock(file, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), os.stat(temporary)):
                return temporary, file
        os.close(file)  # removed as a leftover before it was locked


def _remove_leftovers(folder: str, name: str) -> None:
    """Remove what writers of this file have left that are dead."""
    if sys.platform == "win32":  # the system has closed their files, and does not tell
        return
    start = f".{name[:200]}."
    with suppress(OSError):
        for entry in os.listdir(folder):
            if not (
                entry.startswith(start) and entry.endswith(".tmp") and len(entry) == len(start) + 16
            ):
                continue
            with suppress(OSError):
                temporary = os.path.join(folder, entry)
                file = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(temporary)
                finally:
                    os.close(file)


def _flush_folder(folder: str) -> None:
    """Have the new name survive a crash too, where folders can be flushed."""
    if sys.platform == "win32":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(file)
