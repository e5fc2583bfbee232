"""The rounds of many trainings: in each, every model that still trains does an epoch. One thread
controls all of them; others only visit rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from cnn_core._control import Ended
from cnn_core._warn import kept_warnings
from cnn_core.many.lanes import Lanes
from cnn_core.many.net import Net
from cnn_core.many.progress import Watching
from cnn_core.many.threads import Threads


class Rounds:
    """All trainings, from their first epoch to their last.

    Parameters
    ----------
    nets : sequence of Net
        With their jobs.
    threads : int
        The most to use.
    watching : Watching
    """

    def __init__(self, nets: Sequence[Net], threads: int, watching: Watching) -> None:
        self.nets, self.threads, self.watching = nets, threads, watching

    def run(self) -> None:
        """Train. After an exception each model is that of its last whole epoch."""
        for net in self.nets:
            net.before_fit()
        # Nets that are too few for the threads share them in each step.
        threads_of_a_net = 1 if len(self.nets) >= self.threads else self.threads
        try:
            for net in self.nets:
                net.begin(threads_of_a_net)
            with Threads(self.threads, self.nets) as threads:
                self._run(Lanes(self.nets, self.threads), threads)
        except BaseException as error:
            with kept_warnings(), ExitStack() as stack:  # all of them, whatever one raises
                for net in reversed(self.nets):
                    stack.callback(net.leave_after, error)
            raise

    def _run(self, lanes: Lanes, threads: Threads) -> None:
        active = hearing(self.nets, Net.advance)
        while active:
            lanes.visit()
            threads.visit([net for net in active if net.has_work])
            for net in active:
                if net.error is not None and not isinstance(net.error, Ended):
                    raise net.error
            visited, active = active, hearing(active, Net.advance)
            if self.watching([net for net in visited if net.has_new_entry], active):
                hearing(active, lambda net: net.end("hook"))
                return


def hearing(nets: Iterable[Net], do: Callable[[Net], object]) -> list[Net]:
    """Do something with each net, whose warnings it keeps; those of which that is true."""
    found = []
    with kept_warnings() as said:
        for net in nets:
            if do(net):
                found.append(net)
            if said:
                net.said += said
                said.clear()
    return found
