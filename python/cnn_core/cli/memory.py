"""How much memory a network needs, and how much there is: asked before anything is allocated."""

import os
from collections.abc import Sequence
from itertools import pairwise

#: Copies of its parameters that a profile keeps, at least: weights, their transpose, gradient and
#: two slots of three native trainers.
COPIES = 12
#: Bytes of a parameter in plain Python, at least: a weight, its gradient and a slot as floats.
IN_PYTHON = 72


def parameters_of(widths: Sequence[int]) -> int:
    """Weights and biases of a network."""
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(widths))


def needed(widths: Sequence[int], rows: int, itemsize: int) -> int:
    """Bytes that profiling a network takes at least."""
    return parameters_of(widths) * (COPIES * itemsize + IN_PYTHON) + rows * widths[0] * itemsize


def available() -> int | None:
    """Bytes that this process may still use; None where nobody says."""
    found = []
    for file, key, unit in (
        ("/proc/meminfo", "MemAvailable:", 1024),
        ("/sys/fs/cgroup/memory.max", "", 1),
    ):
        try:
            with open(file) as lines:
                words = next((line for line in lines if line.startswith(key)), "").split()
        except OSError:
            continue
        if words and words[bool(key)].isdecimal():  # "max" is no limit
            found.append(int(words[bool(key)]) * unit)
    if found:
        return min(found)
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows; a name that the system does not know
        return None


def gigabytes(size: int) -> str:
    """'1.5 GB'"""
    return f"{size / 1e9:,.0f} GB" if size >= 1e10 else f"{size / 1e9:,.1f} GB"
