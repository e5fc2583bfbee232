"""Who runs the tasks: the workers of a cluster, or this process. Every task is a function of its
arguments alone, so both give the same bits."""

from __future__ import annotations

import importlib
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from cnn_core._control import EndRequest

_POLL = 0.1  # seconds between two looks at whether a training is to end, while it waits

#: Bytes of a graph from which Dask warns. States that come back from the client are larger.
_LARGE = {"distributed.admin.large-graph-warning-threshold": "1TB"}
_setting = threading.Lock()  # what `config.set` restores belongs to all threads


def package(name: str) -> Any:
    """A module of Dask, or an ImportError that says what is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"cnn_core.dask needs the package {error.name or name}: pip install 'cnn-core[dask]'",
            name=error.name or name,
        ) from None


class Engine(Protocol):
    """What runs tasks."""

    @property
    def threads(self) -> int:
        """How many tasks it can run at once."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What stands for the result of a task; it may be an argument of others."""

    def compute(self, delayed: Sequence[Any]) -> list[Any]:
        """The same of Dask's delayed objects."""

    def results(self, tasks: Sequence[Any], end: EndRequest | None = None) -> list[Any]:
        """The results themselves; `end` may end the waiting."""


class Here:
    """This process: each task at once, one after the other."""

    threads = 1

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    def compute(self, delayed: Sequence[Any]) -> list[Any]:
        return list(package("dask").compute(*delayed))

    def results(self, tasks: Sequence[Any], end: EndRequest | None = None) -> list[Any]:
        if end is not None:
            end.check()
        return list(tasks)


class Cluster:
    """The workers of a Dask cluster.

    What stands for a result is a Future. While one is kept, Dask knows how it was made and makes it
    anew where the worker that had it dies.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    @property
    def threads(self) -> int:
        return sum(self.client.nthreads().values())

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with _setting, package("dask").config.set(_LARGE):
            return self.client.submit(function, *arguments, pure=False)

    def compute(self, delayed: Sequence[Any]) -> list[Any]:
        with _setting, package("dask").config.set(_LARGE):
            return list(self.client.compute(list(delayed)))

    def results(self, tasks: Sequence[Any], end: EndRequest | None = None) -> list[Any]:
        if end is not None:
            self._wait(tasks, end)
        return list(self.client.gather(list(tasks)))

    def _wait(self, tasks: Sequence[Any], end: EndRequest) -> None:
        """Wait for tasks. Not by `distributed.wait`, which asks the client of the process."""
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for task in tasks:
            task.add_done_callback(done.put)
        left = len(tasks)
        while left:
            end.check()
            with suppress(queue.Empty):
                done.get(timeout=_POLL)
                left -= 1


#: What an object has that runs tasks.
_ENGINE = ("threads", "submit", "compute", "results")


def engine_for(client: Any) -> Engine:
    """That of a client, of the client that the process has, or of this process where it has none.

    Parameters
    ----------
    client : distributed.Client, Engine or None
    """
    if all(hasattr(client, name) for name in _ENGINE):
        return client  # type: ignore[no-any-return]
    if client is not None:
        if not (hasattr(client, "submit") and hasattr(client, "nthreads")):
            raise TypeError(
                f"client must be a distributed.Client or None, got {type(client).__name__}"
            )
        if getattr(client, "asynchronous", False):
            raise TypeError(
                "client must wait for results, and this one is asynchronous: give "
                "Client(address), without asynchronous=True"
            )
        return Cluster(client)
    package("dask")
    try:
        return Cluster(package("distributed").get_client())
    except ValueError:  # no client
        return Here()


def added(engine: Engine, add: Callable[[Any, Any], Any], tasks: Sequence[Any]) -> Any:
    """The sum of the results of tasks along the aligned binary tree, as
    `data.shards.sum_of_shards` has it."""
    tasks = list(tasks)
    while len(tasks) > 1:
        pairs = [engine.submit(add, a, b) for a, b in zip(tasks[::2], tasks[1::2])]
        tasks = pairs + tasks[len(tasks) & ~1 :]
    return tasks[0]


def bundle_size(engine: Engine, shards: int) -> int:
    """How many shards one task works on: a power of two, so that they are a node of the tree, and
    such that there are twice as many tasks as threads, if there are as many shards."""
    size, wanted = 1, 2 * (engine.threads or shards)
    while -(-shards // (2 * size)) >= wanted:
        size *= 2
    return size


def hold(value: Any) -> Any:
    """A task whose result stands in the scheduler's own graph: any worker can make it anew."""
    return value
