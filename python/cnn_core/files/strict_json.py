"""JSON read strictly: one meaning for every text, and bounds on what it may ask for."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn

from cnn_core.exceptions import ModelFormatError

#: Digits of a whole number: those of 2^64.
DIGITS = 20
#: Lists and objects in one text. Each takes 60 to 200 bytes, for two to six characters.
CONTAINERS = 50_000


def containers(text: bytes) -> int:
    """The most lists and objects that a text can have."""
    return text.count(b"[") + text.count(b"{")


def parse(text: bytes, what: str) -> Any:
    """The value of a JSON text.

    Parameters
    ----------
    text : bytes
    what : str
        What it is, for messages.

    Returns
    -------
    object
        Of dict, list, str, int, float, bool and None. A number beyond float64 is infinite.

    Raises
    ------
    ModelFormatError
        For what is not UTF-8 or no JSON; a key that stands twice in one object, of which readers
        take the first or the last; NaN and Infinity, which are no JSON; whole numbers of more
        than `DIGITS` digits; more than `CONTAINERS` lists and objects, or so many within
        each other that they cannot be read.
    """

    def fail(reason: str) -> NoReturn:
        raise ModelFormatError(f"{what} {reason}")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
            fail(f"has the key {twice[:50]!r} twice in one object")
        return found

    def whole(digits: str) -> int:
        return (
            int(digits)
            if len(digits) <= DIGITS + 1
            else fail(f"has a number of {len(digits)} digits")
        )

    if containers(text) > CONTAINERS:
        fail(f"has more than {CONTAINERS:,} lists and objects")
    try:
        return json.loads(
            text.decode("utf-8"),
            object_pairs_hook=unique,
            parse_int=whole,
            parse_constant=lambda name: fail(f"has {name}, which is no JSON"),
        )
    except UnicodeDecodeError as error:
        fail(f"is not UTF-8 at byte {error.start}")
    except RecursionError:
        fail("has too many lists and objects within each other")
    except json.JSONDecodeError as error:
        fail(f"is no JSON: {error.msg} at character {error.pos}")


def write(value: Any) -> bytes:
    """The JSON text of a value, in ASCII and without spaces: the same bytes for the same value."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
