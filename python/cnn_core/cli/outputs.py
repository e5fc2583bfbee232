"""The file that a command writes: refused before anything is read where it is one of the inputs, or
cannot be written."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress

from cnn_core.cli.arguments import UsageError
from cnn_core.files.atomic import check_folder, replacing
from cnn_core.io.sources import STDIN, name_of


def check_output(output: str, inputs: Sequence[str]) -> None:
    """Raise an error for an output that is an input or cannot be written.

    Parameters
    ----------
    output : str
        ``-`` is standard output.
    inputs : sequence of str
        Files that are read; ``-`` is standard input.

    Raises
    ------
    UsageError
        Where both are one file, also by links or another spelling of its name.
    OSError
        Where the folder does not exist or takes no file, and where something else than a file has
        the name.
    """
    status = _status(output, 1)
    if status is not None:
        for path in inputs:
            other = _status(path, 0)
            if other is not None and os.path.samestat(status, other):
                shown = "standard output" if output == STDIN else output
                raise UsageError(
                    f"{shown} is the file that is read"
                    + (f", {name_of(path)}" if path != output else "")
                    + "; its content would be lost: give another name to write"
                )
    if output != STDIN:
        check_folder(output)
        _check_writable(output)


def _status(path: str, standard: int) -> os.stat_result | None:
    """That of a regular file; `standard` is the descriptor that ``-`` means."""
    with suppress(OSError, ValueError, AttributeError):  # none, or a stream without descriptor
        if path == STDIN:
            status = os.fstat((sys.stdin, sys.stdout)[standard].fileno())
        else:
            status = os.stat(path)
        if stat.S_ISREG(status.st_mode):
            return status
    return None


class _Enough(Exception):
    """The file could be begun."""


def _check_writable(output: str) -> None:
    """Begin the file as it is written later, and take it back."""
    try:
        with replacing(output):
            raise _Enough
    except _Enough:
        return
    except OSError as error:
        if error.errno == errno.ENOENT:  # of a folder such as /proc, which takes no files
            reason = "the folder takes no such file"
            raise OSError(error.errno, reason, output) from None
        raise type(error)(error.errno, error.strerror, output) from None
