"""What the commands share: a parser that suggests what may be meant, and types of arguments."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias

from cnn_core._checks import of_percent
from cnn_core._launcher import leave_it_to_the_first
from cnn_core._names import choose, nearest
from cnn_core.monitors import check_monitor, scorer_of


class UsageError(ValueError):
    """Options that contradict each other, or that mean nothing here: exit code 2."""


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


class Parser(argparse.ArgumentParser):
    """Of the program and of each command. An option that it does not know is an error of the
    command it was given to, and the nearest one is named."""

    shared = False  #: whether processes that a launcher of MPI has started share the command

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end: exit code 2."""
        if self.shared:
            leave_it_to_the_first(2)
        super().error(message)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """The options; there are never unknown ones."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            word = unknown[0].partition("=")[0]
            known = [one for action in self._actions for one in action.option_strings]
            close = nearest(word, known) if word.startswith("-") else None
            hint = f"did you mean {close}?" if close else f"{self.prog} --help lists all options"
            kind = "option" if word.startswith("-") else "argument"
            self.error(f"unknown {kind} {word}; {hint}")
        return options, unknown


def positive(text: str) -> int:
    """A whole number of at least 1."""
    return _whole(text, 1)


def not_negative(text: str) -> int:
    """A whole number of at least 0."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < least:
        raise argparse.ArgumentTypeError(
            f"must be a whole number of at least {least}, got {text!r}"
        )
    return int(text)


def seconds(text: str) -> float:
    """A finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a finite number above 0, got {text!r}")
    return value


def share(text: str) -> float:
    """A number above 0 and below 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(
            f"must be a number above 0 and below 1, got {text!r}{of_percent(value)}"
        )
    return value


def one_of(kind: str, names: tuple[str, ...]) -> Callable[[str], str]:
    """One of some names; the error says which may be meant."""

    def name(text: str) -> str:
        try:
            return names[choose(kind, text, names)]
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return name


def monitor(text: str) -> str:
    """What `monitor` of MLP names."""
    try:
        check_monitor("monitor", text)
        scorer_of(text)
    except (ValueError, ImportError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def widths(text: str) -> tuple[int, ...]:
    """'784-128-10' as numbers."""
    parts = text.split("-")
    if len(parts) < 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(
            f"must be two numbers or more such as 784-128-10, got {text!r}"
        )
    return tuple(map(int, parts))


def hidden_widths(text: str) -> tuple[int, ...]:
    """'64-32' as numbers; '0' as none."""
    parts = text.replace(",", "-").split("-")
    if text == "0":
        return ()
    if not all(part.isascii() and part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"must be numbers such as 64-32, or 0, got {text!r}")
    return tuple(map(int, parts))
