"""Warnings in the name of the line that called this package, however deep the call is, and the
lines of `verbose`."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_PACKAGE = os.path.dirname(__file__) + os.sep

#: What is kept, in its order, instead of being shown.
_kept: ContextVar[list[tuple[str, type[Warning]]] | None] = ContextVar("kept", default=None)


@contextmanager
def kept_warnings() -> Iterator[list[tuple[str, type[Warning]]]]:
    """A context in which `warn` adds to a list, and nobody sees it."""
    said: list[tuple[str, type[Warning]]] = []
    token = _kept.set(said)
    try:
        yield said
    finally:
        _kept.reset(token)


def warn(message: str, category: type[Warning]) -> None:
    """As `warnings.warn`; the line that is shown is the innermost one outside the package.

    Parameters
    ----------
    message : str
    category : type
    """
    kept = _kept.get()
    if kept is not None:
        kept.append((message, category))
        return
    if sys.version_info >= (3, 12):
        warnings.warn(message, category, skip_file_prefixes=(_PACKAGE,))
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def shows(write: Callable[..., object], *arguments: Any, **options: Any) -> bool:
    """Whether something that `verbose` asks for could be written; a full disk or a closed pipe is a
    warning, and ends no training.

    Parameters
    ----------
    write : callable
        Called with the other arguments.
    """
    try:
        write(*arguments, **options)
    except (OSError, ValueError) as error:  # ValueError: a stream that is closed
        reason = str(error).rstrip(".")
        warn(f"verbose cannot print its lines: {reason}; nothing else changes", UserWarning)
        return False
    return True


def show(line: str) -> None:
    """Print a line that `verbose` asks for.

    Parameters
    ----------
    line : str
    """
    shows(print, line, flush=True)
