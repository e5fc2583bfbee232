"""How numbers of a profile are printed, in its table and on its chart."""

from collections.abc import Mapping
from typing import Any


def number(value: float | None) -> str:
    """Three digits that count, or nothing for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def milliseconds(seconds: float) -> str:
    """'31.088'; of less than 0.1 ms, as a small network takes, more digits."""
    value = 1e3 * seconds
    return f"{value:,.5f}" if value < 0.1 else f"{value:,.3f}"


def percent(share: float | None) -> str:
    """'12.3 %', or nothing for None."""
    return "" if share is None else f"{100 * share:.1f} %"


def of_copy(share: float | None) -> str:
    """As `percent`; more than a copy of memory can do came from a cache."""
    return "cache" if share is not None and share > 1 else percent(share)


def compared(ratio: float) -> str:
    """'1.73 times as fast', or 'slower: 1.15 times as long'."""
    if ratio >= 1:
        return f"{number(ratio)} times as fast"
    return f"slower: {number(1 / ratio)} times as long"


def title(training: Mapping[str, Any]) -> str:
    """'784-128-10, relu and softmax, float32'"""
    words = " and ".join(dict.fromkeys(training["activations"]))
    return f"{'-'.join(map(str, training['widths']))}, {words}, {training['dtype']}"


def total(name: str, seconds: float, rows: int) -> str:
    """The begin of a line about an epoch."""
    return f"{name:<14}{milliseconds(seconds):>14} ms an epoch{number(rows / seconds):>12} rows/s"
