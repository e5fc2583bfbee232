"""cnn_core as one of the libraries whose threads threadpoolctl counts and limits."""

import threadpoolctl

from cnn_core import threads


class CnnCoreController(threadpoolctl.LibController):
    """Found by the shared library that has the thread pool."""

    user_api = "cnn_core"
    internal_api = "cnn_core"
    filename_prefixes = ("_cpu.",)
    check_symbols = ("cnn_core_pool_run",)

    def get_num_threads(self) -> int:
        return threads.get_num_threads()

    def set_num_threads(self, num_threads: int) -> None:
        threads.limit(num_threads)

    def get_version(self) -> str:
        from cnn_core import (
            __version__,  # not there yet where this is imported from cnn_core itself
        )

        return __version__


threadpoolctl.register(CnnCoreController)
