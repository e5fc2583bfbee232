"""How many threads: `set_num_threads`, `get_num_threads`, and what holds when nobody says anything.

Results never depend on it.
"""

import functools
import os
import sys

from cnn_core._checks import is_whole
from cnn_core._cpu import most_threads

_chosen: int | None = None  # by set_num_threads
_limit: int | None = None  # by threadpoolctl
_before: int | None = None  # what held when that limit began


def set_num_threads(n: int | None) -> None:
    """Let the whole process use at most n threads for one training or prediction.

    Parameters
    ----------
    n : int or None
        At least 1; None brings back what the environment and the processors say.
    """
    global _chosen
    _chosen = None if n is None else check_threads(n)


def get_num_threads() -> int:
    """The most threads that one training or prediction uses.

    Returns
    -------
    int
        What `set_num_threads` has said; else the variable CNN_CORE_NUM_THREADS; else
        OMP_NUM_THREADS, which joblib and others set in their workers; else the processors that this
        process may use, by its affinity and by the quota of its control group when it first asked.
    """
    join_threadpoolctl()
    return _number() if _limit is None else _limit


def _number() -> int:
    """What holds while threadpoolctl does not limit it."""
    if _chosen is not None:
        return _chosen
    own = os.environ.get("CNN_CORE_NUM_THREADS", "").strip()
    if own:
        number = _whole(own)
        if number is None:
            shown = own if len(own) <= 40 else f"{own[:40]}..."
            raise ValueError(
                f"CNN_CORE_NUM_THREADS must be a whole number from 1 to 999999999, got {shown!r}"
            )
        return min(number, most_threads)
    # A list has a number for each level of nested teams. What OpenMP would not read is nobody's
    # wish.
    levels = [_whole(one.strip()) for one in os.environ.get("OMP_NUM_THREADS", "").split(",")]
    if levels[0] is not None and None not in levels:
        return min(levels[0], most_threads)
    return min(processors(), most_threads)


def _whole(text: str) -> int | None:
    """The number that up to nine digits write, at least 1; None for all else, such as the digits of
    other scripts."""
    digits = text.lstrip("0")
    good = digits.isascii() and digits.isdecimal() and len(digits) <= 9
    return int(digits) if good else None


def limit(n: int) -> None:
    """For threadpoolctl: hold the number at n. It ends a limit by giving back the number from
    before."""
    global _limit, _before
    n = check_threads(n)
    if _limit is None:
        _limit, _before = n, _number()
    else:
        _limit = None if n == _before else n


def join_threadpoolctl() -> None:
    """Let threadpoolctl, where a program uses it, count and limit these threads too.

    Called when cnn_core is imported and whenever it asks for the number of threads. A program that
    imports threadpoolctl in between and limits threads before that calls it itself.
    """
    # Importing it for those who do not use it would take as long as cnn_core itself.
    if "threadpoolctl" in sys.modules:
        from cnn_core import _threadpoolctl

        _threadpoolctl.register(get_num_threads, limit)


def check_threads(n: int, name: str = "n_threads") -> int:
    """`n` if it is a number of threads that can be had."""
    if not is_whole(n):
        raise TypeError(f"{name} must be a whole number of at least 1 or None, got {n!r}")
    if n < 1:
        raise ValueError(f"{name} must be at least 1, got {n}")
    return min(int(n), most_threads)


def threads_of(n_threads: int | None) -> int:
    """The number that somebody's `n_threads` means: that of `get_num_threads` where it is None."""
    return get_num_threads() if n_threads is None else check_threads(n_threads)


def affinity() -> frozenset[int]:
    """The numbers of the processors that this process may use."""
    try:
        return frozenset(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        return frozenset(range(os.cpu_count() or 1))


def processors() -> int:
    """How many processors this process may use."""
    count = len(affinity())
    quota = _quota("/sys/fs/cgroup")
    return max(1, min(count, quota)) if quota else count


@functools.cache  # three files to open take as long as a small fit's epoch
def _quota(root: str) -> int | None:
    """Processors that the control group may use, rounded up; None where there is no limit."""
    try:
        with open(f"{root}/cpu.max") as file:  # version 2: "max 100000" or "150000 100000"
            quota, period = file.read().split()[:2]
    except (OSError, ValueError):
        try:
            with (
                open(f"{root}/cpu/cpu.cfs_quota_us") as a,
                open(f"{root}/cpu/cpu.cfs_period_us") as b,
            ):  # version 1
                quota, period = a.read().strip(), b.read().strip()
        except OSError:
            return None
    if not quota.isdigit() or not period.isdigit() or not int(period):  # "max", or -1
        return None
    return -(-int(quota) // int(period)) or None
