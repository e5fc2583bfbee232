"""What commands say: results on standard output, progress and remarks on standard error."""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from cnn_core._lines import padded
from cnn_core.files.atomic import FULL

WIDTH = 79
NO_BREAK = "\xa0"  #: A space at which a remark is not wrapped.
_EVERY = 0.1  # seconds between two looks of the progress


class Telling:
    """Says things, unless ``--quiet``; gathers results for ``--json``.

    Parameters
    ----------
    options : Namespace
        Of a command with `add_options`.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._quiet, self._json = options.quiet, options.json
        self._live = False
        self._seen = 0.0

    def remark(self, text: str, indent: str = "  ") -> None:
        """A remark, wrapped."""
        if not self._quiet:
            self.end_progress()
            text = textwrap.fill(text, WIDTH, subsequent_indent=indent)
            print(text.replace(NO_BREAK, " "), file=sys.stderr)

    def progress(self, text: str) -> None:
        """One line that lives, on a terminal."""
        now = time.monotonic()
        if self._quiet or now - self._seen < _EVERY or not sys.stderr.isatty():
            return
        self._seen, self._live = now, True
        self._draw(text)

    def end_progress(self) -> None:
        """Remove the line that lives."""
        if self._live:
            self._live = False
            self._draw("")
            print("\r", end="", file=sys.stderr, flush=True)

    def _draw(self, text: str) -> None:
        """Write over the line that lives, which must not reach the end of the terminal's line."""
        width = WIDTH
        with suppress(OSError, ValueError):
            width = min(width, max(os.get_terminal_size(sys.stderr.fileno()).columns - 1, 1))
        print(f"\r{text[:width]:<{width}}", end="", file=sys.stderr, flush=True)

    def result(self, lines: Sequence[str], values: Mapping[str, Any]) -> None:
        """The result: the lines, or with ``--json`` the values."""
        self.end_progress()
        if self._json:
            print(json.dumps(values, ensure_ascii=False, allow_nan=False))
        else:
            print("\n".join(lines))

    @contextmanager
    def warnings(self, *known: str) -> Iterator[None]:
        """Make remarks of warnings, each once, but for those that begin as some do."""
        said = set()

        def show(message: Warning | str, *_: Any, **__: Any) -> None:
            text = str(message)
            begins = text.partition(", such as ")[0]  # examples differ by block of rows
            if begins not in said and not text.startswith(known):
                said.add(begins)
                self.remark(f"note: {text}")

        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = show
            yield


def filled(text: str) -> str:
    """A description, wrapped: argparse leaves those beside examples as they are."""
    return textwrap.fill(text, WIDTH)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that all commands for tables share."""
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no progress and no remarks")


def size(path: str) -> str:
    """'47 kB'"""
    count = os.path.getsize(path)
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"


def number(value: float) -> str:
    """'49,213', '0.8181'"""
    if value != value:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column on the left, the others on the right."""
    return [line.rstrip() for line in padded(rows, (0,))]


def sentence(error: Exception) -> str:
    """What an error says, in one line."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.filename is None and error.errno in FULL:
        return f"standard output: {error.strerror}"
    if isinstance(error, MemoryError) and not str(error):
        return "there is not enough memory"
    return " ".join(str(error).split())
