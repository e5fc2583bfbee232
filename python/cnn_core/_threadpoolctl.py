"""cnn_core as one of the libraries whose threads threadpoolctl counts and limits."""

from collections.abc import Callable

import threadpoolctl


class CnnCoreController(threadpoolctl.LibController):
    """Found by the shared library that has the thread pool."""

    user_api = "cnn_core"
    internal_api = "cnn_core"
    filename_prefixes = ("_cpu.",)
    check_symbols = ("cnn_core_pool_run",)

    def get_num_threads(self) -> int:
        return _get()

    def set_num_threads(self, num_threads: int) -> None:
        _limit(num_threads)

    def get_version(self) -> str:
        from cnn_core import __version__  # not there yet where cnn_core itself imports this

        return __version__


_get: Callable[[], int]
_limit: Callable[[int], None]
_unregistered = [CnnCoreController]


def register(get: Callable[[], int], limit: Callable[[int], None]) -> None:
    """Make threadpoolctl call `get` and `limit`; further calls change nothing.

    Parameters
    ----------
    get : callable
        Returns the number of threads.
    limit : callable
        Takes the number to hold it at.
    """
    global _get, _limit
    _get, _limit = get, limit
    try:
        controller = _unregistered.pop()  # for one of several threads that come at once
    except IndexError:
        return
    threadpoolctl.register(controller)
