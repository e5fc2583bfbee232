"""Which parameters users can set on the estimator that is being fitted: advice names no others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: None: all that `MLP` has.
_settable: ContextVar[frozenset[str] | None] = ContextVar("settable", default=None)


@contextmanager
def only_settable(names: Iterable[str]) -> Iterator[None]:
    """A context in which an estimator with these parameters is fitted."""
    token = _settable.set(frozenset(names))
    try:
        yield
    finally:
        _settable.reset(token)


def settable(name: str) -> bool:
    """Whether there is a parameter that users can set."""
    known = _settable.get()
    return known is None or name in known
