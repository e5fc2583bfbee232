"""The rounds of many trainings: in each, every model that still trains does an epoch. One thread
controls all of them; others only visit rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

from cnn_core._control import Ended
from cnn_core._warn import kept_warnings
from cnn_core.many.lanes import Lanes
from cnn_core.many.net import Net
from cnn_core.many.progress import Watching
from cnn_core.many.threads import Threads

if TYPE_CHECKING:
    from cnn_core.many.checkpoint import ManyCheckpoint, WritingOfMany


class Rounds:
    """All trainings, from their first epoch to their last.

    Parameters
    ----------
    nets : sequence of Net
        With their jobs.
    threads : int
        The most to use.
    watching : Watching
    checkpoint : ManyCheckpoint, optional
        What they go on from, and where they leave word of themselves.
    """

    def __init__(
        self,
        nets: Sequence[Net],
        threads: int,
        watching: Watching,
        checkpoint: ManyCheckpoint | None = None,
    ) -> None:
        self.nets, self.threads, self.watching = nets, threads, watching
        self.checkpoint = checkpoint
        self.saving: WritingOfMany | None = None

    def run(self) -> None:
        """Train. After an exception each model is that of its last whole epoch."""
        for net in self.nets:
            net.before_fit()
        # Nets that are too few for the threads share them in each step.
        threads_of_a_net = 1 if len(self.nets) >= self.threads else self.threads
        for net in self.nets:
            net.begin(threads_of_a_net)
        if self.checkpoint is not None and not self.checkpoint.is_finished:
            self.saving = self.checkpoint.attach(self.nets, self.watching)
        try:
            hearing(self.nets, Net.settle)
            with self.saving or nullcontext(), Threads(self.threads, self.nets) as threads:
                self._run(threads)
        except BaseException as error:
            with kept_warnings(), ExitStack() as stack:  # all of them, whatever one raises
                for net in reversed(self.nets):
                    stack.callback(net.leave_after, error)
            raise
        finally:
            if self.saving is not None:
                self.saving.at_end()

    def _run(self, threads: Threads) -> None:
        active, lanes, saving = hearing(self.nets, Net.advance), None, self.saving
        while active:
            # Lanes are of nets that begin an epoch, and not in the middle of one.
            if lanes is None and not any(net.loop.trainer.batches_done for net in active):
                lanes = Lanes(self.nets, self.threads)
            if lanes is not None:
                lanes.visit()
            threads.visit([net for net in active if net.has_work])
            for net in active:
                if net.error is not None and not isinstance(net.error, Ended):
                    raise net.error
            if saving is not None:  # what a signal raises, while all are between two steps
                saving.release()
                saving.hold()
            visited, active = active, hearing(active, Net.advance)
            with self._open_to_signals():
                ends = self.watching([net for net in visited if net.has_new_entry], active)
            if ends:
                hearing(active, lambda net: net.end("hook"))
                return
            if saving is not None:
                saving.after_round()

    @contextmanager
    def _open_to_signals(self) -> Iterator[None]:
        """While the user's functions are called: what handlers of signals raise does not wait."""
        if self.saving is None:
            yield
            return
        self.saving.release()
        try:
            yield
        finally:
            self.saving.hold()


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
