"""Entries as a CSV has them, made numbers where a column holds numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np

from cnn_core.columns.parsing import MISSING

#: Codes such as 02139, which are no numbers.
_CODE = re.compile(r"(?:^|\n)[ \t]*[+-]?0\d")


class Missing:
    """What stands for missing entries.

    Parameters
    ----------
    others : iterable of str
        Beside the usual ones; with the empty text among them, these alone.
    """

    def __init__(self, others: Iterable[str] = ()) -> None:
        others = tuple(others)
        given = {one.strip() for one in others}
        self.texts = frozenset(given) if "" in given else MISSING | given
        numbers = [number for one in others if (number := float_of(one)) is not None]
        #: Those that look like numbers, such as -999.
        self.numbers = np.array([one for one in numbers if not math.isnan(one)])

    def __contains__(self, text: str) -> bool:
        return text in self.texts or text.strip() in self.texts


def float_of(text: str) -> float | None:
    """The number that a text with a decimal point is."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def is_number(text: str, decimal: str) -> bool:
    """Whether a text is a number."""
    return float_of(pointed(text, decimal)) is not None


def pointed(text: str, decimal: str) -> str:
    """Numbers with points; with a decimal comma a point is part of no number."""
    return text if decimal == "." else text.replace(".", "x").replace(",", ".")


def is_code(text: str) -> bool:
    """Whether a text is written as codes such as 02139 are."""
    return _CODE.match(text) is not None


def _floats(texts: Sequence[str], decimal: str) -> np.ndarray:
    """Numbers as float64; a ValueError for an entry that is none."""
    if decimal != ".":
        texts = [pointed(one, decimal) for one in texts]
    return np.fromiter(map(float, texts), np.float64, len(texts))


def numbers_of(
    texts: Sequence[str], decimal: str, missing: Missing, codes: bool = False
) -> tuple[np.ndarray, bool] | None:
    """A column as numbers, NaN where an entry is missing, and whether all are written as whole
    numbers; None where an entry is no number.

    Parameters
    ----------
    texts : sequence of str
    decimal : str
    missing : Missing
    codes : bool, default False
        Whether texts such as 02139 are numbers.
    """
    try:
        found = _floats(texts, decimal)
    except ValueError:
        known = missing.texts
        for bare in (str, str.strip):  # the second where there are blanks around such entries
            given = ["nan" if bare(one) in known else one for one in texts]
            with suppress(ValueError):
                found = _floats(given, decimal)
                break
        else:
            return None
        texts = given
    if len(missing.numbers):
        found[np.isin(found, missing.numbers)] = np.nan
    first = float(found[0])
    if first == first and not first.is_integer():  # spares looking at the others
        return found, False
    if not ((np.floor(found) == found) | np.isnan(found)).all():
        return found, False
    joined = pointed("\n".join(texts), decimal)
    if not codes and ("_" in joined or _CODE.search(joined)):  # to Python 1_000 is a number
        return None
    return found, not ("." in joined or "e" in joined or "E" in joined)
