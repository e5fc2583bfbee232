"""A net an epoch a thread: the strategy for nets of any shape."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Self

from cnn_core._control import Ended
from cnn_core.many.net import Net

#: Seconds of work in a round from which another thread is woken, which takes some 20 us.
WORTH = 200e-6


class Threads:
    """Visits the rows of many nets; a context. The thread that enters it takes nets as the others
    do, and is the one that looks for signals.

    Parameters
    ----------
    threads : int
        The most at a time.
    nets : sequence of Net
        All that there will be.
    """

    def __init__(self, threads: int, nets: Sequence[Net]) -> None:
        self.nets, self.is_over = nets, False
        self._queue: deque[Net] = deque()
        self._workers = [_Worker(self) for _ in range(min(threads, len(nets)) - 1)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """End all threads; what they work on is given up."""
        self.is_over = True
        self._queue.clear()
        working = [one for one in self._workers if one.is_alive()]
        while working:
            with suppress(KeyboardInterrupt):  # a second one: they need a tenth of a second
                for net in self.nets:
                    net.give_up()
                for one in working:
                    one.wake()
                    one.join()
                working = []

    def visit(self, nets: Iterable[Net]) -> None:
        """An epoch of each; those that take longest go first."""
        shared = sorted(nets, key=lambda net: -net.work)
        alone = [net for net in shared if not net.may_change_threads]
        if alone:
            shared = [net for net in shared if net.may_change_threads]
        self._queue.extend(shared)
        awake: Sequence[_Worker] = ()
        if not 0 < sum([net.work for net in shared]) < WORTH:
            awake = self._workers[: max(0, len(shared) - 1)]
        for one in awake:
            one.wake()
        self.work(True)
        for one in awake:
            one.done.acquire()
        for net in alone:
            net.visit()

    def work(self, raises: bool = False) -> None:
        """Take one net after the other, until there is none or one has failed."""
        while self._queue:
            try:
                net = self._queue.popleft()
            except IndexError:  # another thread has it
                return
            net.visit()
            if net.error is not None and not isinstance(net.error, Ended):
                self._queue.clear()
                if raises:
                    raise net.error


class _Worker(threading.Thread):
    """A thread that works when it is woken, and says when it is done."""

    def __init__(self, threads: Threads) -> None:
        super().__init__(daemon=True)
        self.threads, self.asleep, self.done = threads, threading.Lock(), threading.Lock()
        self.asleep.acquire()
        self.done.acquire()

    def wake(self) -> None:
        """Have it work, or end."""
        if not self.ident:
            self.start()
        with suppress(RuntimeError):  # it has not slept since
            self.asleep.release()

    def run(self) -> None:
        """Work until it is over."""
        while True:
            self.asleep.acquire()
            if self.threads.is_over:
                return
            self.threads.work()
            self.done.release()
