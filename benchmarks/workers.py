"""Processes that take turns: one for each peer, so that the threads and libraries of one do not
reach another."""

import argparse
import contextlib
import importlib
import multiprocessing
import os
import traceback

from peers import environment


class Absent(Exception):
    """A package that a peer needs is not installed."""


class Failed(Exception):
    """A peer could not do what it was asked for."""


def serve(connection, module, threads):
    """What a worker's process does: call the functions it is sent with its peer and its
    contestants, a dict."""
    try:
        peer = importlib.import_module(f"peers.{module}")
    except ImportError as error:
        connection.send((Absent, str(error)))
        return
    peer.set_threads(threads)
    connection.send((None, None))
    contestants = {}
    while (task := connection.recv()) is not None:
        function, arguments = task
        try:
            connection.send((None, function(peer, contestants, *arguments)))
        except Exception:
            connection.send((Failed, traceback.format_exc()))


class Worker:
    """A new process that has imported one peer, held to a number of threads.

    Raises `Absent` if it cannot be imported.
    """

    def __init__(self, peer, threads):
        context = multiprocessing.get_context("spawn")
        self.peer = peer
        self._connection, theirs = context.Pipe()
        before = os.environ.copy()
        os.environ.update(
            environment(threads)
        )  # for the new process, which reads it when it imports
        try:
            self._process = context.Process(
                target=serve, args=(theirs, peer.module, threads), daemon=True
            )
            self._process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        theirs.close()
        self._answer()

    def call(self, function, *arguments):
        """The result of ``function(peer's module, contestants, *arguments)`` there; raises `Failed`
        if it raises."""
        try:
            self._connection.send((function, arguments))
        except OSError as error:
            raise Failed(f"the process has ended: {error}") from None
        return self._answer()

    def _answer(self):
        try:
            error, value = self._connection.recv()
        except (EOFError, OSError):
            raise Failed("the process has ended") from None
        if error is not None:
            raise error(value)
        return value

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):  # it has ended already
            self._connection.send(None)
        self._process.join()


def interleave(contestants, rounds):
    """{name: list of results} of {name: function}, each called once a round, in an order that
    rotates."""
    results = {name: [] for name in contestants}
    names = list(contestants)
    for r in range(rounds):
        first = r % len(names) if names else 0
        for name in names[first:] + names[:first]:
            results[name].append(contestants[name]())
    return results


def thread_counts(text):
    """'all', '2' or '1,2' as numbers."""
    try:
        counts = [os.cpu_count() if part == "all" else int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers or 'all'") from None
    if min(counts) < 1:
        raise argparse.ArgumentTypeError("at least one thread")
    return list(dict.fromkeys(counts))
