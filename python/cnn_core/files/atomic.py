"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

if sys.platform != "win32":
    import fcntl

#: What tells that a file cannot grow, and not what could not be read.
FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))

#: Bytes of a file's name that the name of its temporary file begins with.
_NAME = 200


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that at every moment its name has the old content or the new one, also after
    a crash: into a temporary file beside it, which is then flushed to the disk and renamed.

    Temporary files of writers that were killed are removed. A symbolic link stays one, and its
    target is replaced.

    Parameters
    ----------
    path : path-like
        Keeps its permissions, and owner and extended attributes where this process may set them,
        if there is such a file.
    data : bytes

    Raises
    ------
    OSError
        Where the file cannot be written. The old one is as it was then; or, where the folder alone
        could not be flushed, the new one is there, and a crash of the machine may undo it.
    """
    named = os.fspath(path)
    try:
        with replacing(named) as file:
            _fill(file, data)
    except OSError as error:  # which names the temporary file, or none
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, named) from None


def check_path(path: object, method: str) -> None:
    """Raise a TypeError for what is no path, which a method takes."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{method} takes a path, got {type(path).__name__}")


def check_folder(path: str | os.PathLike[str]) -> None:
    """Raise FileNotFoundError where the folder that a file is to be in does not exist."""
    folder = os.path.dirname(os.fspath(path))
    try:
        os.stat(folder or ".")
    except FileNotFoundError as error:
        reason = f"The folder {folder} does not exist"
        raise FileNotFoundError(error.errno, reason, os.fspath(path)) from None
    except OSError:  # which writing meets again
        return


def _target_of(named: str) -> tuple[str, os.stat_result | None]:
    """The file that a path means, and its status if it is there."""
    if not named:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), named)
    if os.path.basename(named) in ("", os.curdir, os.pardir):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), named)
    path = os.path.realpath(named)
    return path, _status_of(path)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[int]:
    """The same for content that comes in pieces.

    Parameters
    ----------
    path : path-like

    Yields
    ------
    int
        The descriptor of the temporary file. An exception leaves the old file as it is.
    """
    named = os.fspath(path)
    path, before = _target_of(named)
    check_folder(named)
    folder, name = os.path.split(path)
    start = f".{name.encode(errors='ignore')[:_NAME].decode(errors='ignore')}."
    _remove_leftovers(folder, start)
    try:
        temporary, file = _create(folder, start)
    except OSError as error:  # which names the temporary file
        raise OSError(error.errno, error.strerror, named) from None
    try:
        try:
            yield file
            if before is not None:
                _take_over(file, path, before)
            os.fsync(file)
            if sys.platform == "win32":  # an open file cannot be renamed there
                os.close(file)
                file = -1
            os.replace(temporary, path)
        finally:
            _close(file)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename is None and error.errno in FULL:
            error.filename = named
        raise
    _flush_folder(folder)


def _status_of(path: str) -> os.stat_result | None:
    """The status of a file that is there."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):  # to replace a device or a pipe is never meant
        raise OSError(errno.EINVAL, "Not a regular file; open it and save to that", path)
    return status


def _fill(file: int, data: bytes) -> None:
    """Write all of the temporary file."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _take_over(file: int, path: str, before: os.stat_result) -> None:
    """Give the temporary file what the file that it replaces has beside its content. Its owner and
    its extended attributes are left as they are where this process may not set them."""
    if hasattr(os, "fchown"):
        for owner in ((before.st_uid, -1), (-1, before.st_gid)):
            with suppress(OSError):
                os.fchown(file, *owner)
    if hasattr(os, "fchmod"):
        os.fchmod(file, stat.S_IMODE(before.st_mode))
    if hasattr(os, "listxattr"):
        with suppress(OSError):
            for name in os.listxattr(path):
                with suppress(OSError):
                    os.setxattr(file, name, os.getxattr(path, name))


def _close(file: int) -> None:
    if file >= 0:
        with suppress(OSError):  # of content that could not be written, fsync has told
            os.close(file)


def _create(folder: str, start: str) -> tuple[str, int]:
    """A new temporary file, locked, so that others see that its writer lives."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    while True:
        temporary = os.path.join(folder, f"{start}{secrets.token_hex(6)}.tmp")
        file = os.open(temporary, flags | getattr(os, "O_CLOEXEC", 0), 0o666)
        if sys.platform == "win32":
            return temporary, file
        with suppress(OSError):  # some file systems know no locks; nobody removes leftovers there
            fcntl.flock(file, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(file), os.stat(temporary)):
                return temporary, file
            _close(file)
        except FileNotFoundError:  # removed as a leftover before it was locked
            _close(file)
        except BaseException:
            _close(file)
            with suppress(OSError):
                os.unlink(temporary)
            raise


def _remove_leftovers(folder: str, start: str) -> None:
    """Remove what writers of this file have left that are dead."""
    if sys.platform == "win32":  # the system has closed their files, and does not tell
        return
    leftover = re.compile(re.escape(start) + "[0-9a-f]{12}[.]tmp")
    with suppress(OSError):
        for entry in filter(leftover.fullmatch, os.listdir(folder)):
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
    try:
        file = os.open(folder, os.O_RDONLY)
    except PermissionError:  # one may create files in a folder that one may not read
        return
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        _close(file)
