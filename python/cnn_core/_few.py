"""How many there are, and the beginning and the end of what is too long to be shown as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")

#: Lines of a table that an interactive session shows by itself; `print` shows all.
MOST_LINES = 60
#: Most characters of a name, and of a value.
LONGEST = 60


def counted(n: int, what: str, many: str = "") -> str:
    """ "1 row", "2,000 rows"; `many` is a plural that the ending does not tell."""
    plural = many or (f"{what}es" if what.endswith("s") else f"{what}s")
    return f"{n:,} {what if n == 1 else plural}"


def other_features(what: str, n: int, fitted: int) -> str:
    """Why rows cannot be read: "X has 1 feature, but the model was fitted with 3"."""
    return f"{what} has {counted(n, 'feature')}, but the model was fitted with {fitted}"


def more(count: int) -> str:
    """What stands for those that are left out: "... 9,990 more"."""
    return f"... {count:,} more"


def few(items: Sequence[Item], most: int) -> tuple[Sequence[Item], int, Sequence[Item]]:
    """The first ones, how many are left out, and the last ones; of up to `most` all of them.

    Parameters
    ----------
    items : sequence
    most : int
        At least 3. One place is for the words that say what is left out.

    Returns
    -------
    first, count, last
    """
    if len(items) <= most:
        return items, 0, items[:0]
    end = (most - 1) // 4
    start = most - 1 - end
    return items[:start], len(items) - start - end, items[len(items) - end :]


def few_lines(lines: Sequence[str], most: int = MOST_LINES) -> str:
    """Lines, the middle ones of many left out."""
    first, count, last = few(lines, most)
    return "\n".join([*first, *([more(count)] if count else []), *last])


def few_words(items: Iterable[Any], count: int, most: int = 12) -> str:
    """Names in a line, of many the first ones: "a, b, c, ... 9,990 more".

    Parameters
    ----------
    items : iterable
    count : int
        How many there are.
    most : int
    """
    left = count - most if count > most + 1 else 0
    words = [clipped(one) for _, one in zip(range(count - left), items)]
    return ", ".join([*words, *([more(left)] if left else [])])


def clipped(value: Any, longest: int = LONGEST) -> str:
    """A text in one line; of a long one the beginning."""
    text = value if isinstance(value, str) else str(value)
    text = " ".join(text[: 4 * longest].split()) + text[4 * longest :]
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def course(values: Sequence[float]) -> str:
    """Where a column begins and where it ends."""
    first, last = f"{values[0]:.4g}", f"{values[-1]:.4g}"
    return first if first == last else f"{first} to {last}"
