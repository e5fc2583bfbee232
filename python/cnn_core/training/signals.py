"""Signals while a training keeps checkpoints: what a handler raises ends it between two steps, so
that it can be kept."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn, Protocol, Self

#: Those whose handlers raise, or end the process.
ENDING = ("SIGINT", "SIGTERM", "SIGALRM", "SIGHUP", "SIGQUIT", "SIGBREAK", "SIGUSR1", "SIGUSR2")

#: Seconds after which what is held no longer waits, when another signal comes.
LONGEST = 1.0


class Ends(Protocol):
    """An `EndRequest`, or what asks for the end of several runs."""

    def request(self) -> None: ...


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


class Signals:
    """A context in which the handlers of signals are called as ever, and what they raise can wait.

    SIGTERM raises SystemExit where nobody has a handler for it. Only in the main thread, which gets
    the signals: elsewhere this does nothing.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._now: dict[int, Any] = {}
        self._end: Ends | None = None  # of the run that is not to be torn
        self._held: BaseException | None = None
        self._since = 0.0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            try:
                for name in ENDING:
                    self._replace(getattr(signal, name, None))
            except BaseException:  # a signal between two lines here
                self._restore()
                raise
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def _replace(self, number: int | None) -> None:
        if number is None:
            return
        handler = signal.getsignal(number)
        raising = _leave if number == signal.SIGTERM and handler is signal.SIG_DFL else handler
        if callable(raising):
            self._before[number], self._now[number] = handler, self._holding(raising)
            signal.signal(number, self._now[number])

    def _restore(self) -> None:
        for number, handler in self._before.items():
            if signal.getsignal(number) is self._now[number]:
                signal.signal(number, handler)

    def _holding(self, handler: Callable[[int, FrameType | None], Any]) -> Callable[..., None]:
        """A handler that has what another raises wait for `release`."""

        def handle(number: int, frame: FrameType | None) -> None:
            try:
                handler(number, frame)
            except BaseException as error:
                again = self._held is not None and time.monotonic() > self._since + LONGEST
                if self._end is None or again:
                    self._held = None
                    raise
                self._held, self._since = error, time.monotonic()
                self._end.request()

        return handle

    def hold(self, end: Ends) -> None:
        """Have what handlers raise from now on ask for the end of a run, and wait."""
        self._end = end

    def release(self) -> None:
        """Raise what has waited; from now on handlers raise at once."""
        self._end = None
        if self._held is not None:
            held, self._held = self._held, None
            raise held
