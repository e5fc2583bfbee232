"""How messages name what users can say: as Python or as the command line has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from shlex import quote
from typing import Any

_by_command: ContextVar[bool] = ContextVar("by_command", default=False)


@contextmanager
def on_the_command_line() -> Iterator[None]:
    """Options are named as the command line has them."""
    token = _by_command.set(True)
    try:
        yield
    finally:
        _by_command.reset(token)


def option(name: str) -> str:
    """'delimiter', or '--delimiter'."""
    return f"--{name}" if _by_command.get() else name


def argument(name: str, *values: str, of: str = "") -> str:
    """ "export_c(dtype='int8')" of that function, "dtype='int8'" or "intervals=" without one; on
    the command line '--dtype int8', '--interval'. 'True' is no value there."""
    if _by_command.get():
        words = name.removesuffix("s") if name == "intervals" else name.replace("_", "-")
        said = [one for one in values if one != "True"]
        return f"--{words}" + (f" {' or '.join(said)}" if said else "")
    shown = " or ".join(one if one == "True" else repr(one) for one in values)
    return f"{of}({name}={shown or '...'})" if of else f"{name}={shown}"


def kind_of_column(name: Any, kind: str) -> str:
    """ "columns={'zip': 'category'}", or '--columns zip=category'."""
    if not _by_command.get():
        return f"columns={{{name!r}: {kind!r}}}"
    return (
        f"--drop {quote(str(name))}" if kind == "drop" else f"--columns {quote(f'{name}={kind}')}"
    )
