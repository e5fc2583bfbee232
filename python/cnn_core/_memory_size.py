"""How much memory there is."""

import os


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
