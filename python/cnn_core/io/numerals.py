"""How the numbers of a column are written: the decimal sign, and what stands between thousands."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from cnn_core.io.texts import float_of, pointed

_OTHER = {".": ",", ",": "."}
_POINTS = {".": "decimal points", ",": "decimal commas"}
_BETWEEN = {".": "dots", ",": "commas", " ": "blanks", "'": "apostrophes"}
#: Blanks of other widths, other apostrophes and minus signs as the usual ones.
_USUAL = str.maketrans("\xa0\u2009\u202f\u2019\u2212", "   '-")
_MAYBE = re.compile(r"[+-]?[\d.,][\d.,eE+' -]*")
#: Such as 1.234, which is above a thousand or between one and two.
_DOUBTFUL = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
_FRACTION = re.compile(r"[+-]?\d*([.,])\d*([eE][+-]?\d+)?")
_GROUPED = {
    (decimal, sign): re.compile(rf"[+-]?[1-9]\d{{0,2}}({re.escape(sign)}\d{{3}})+([{decimal}]\d*)?")
    for decimal in ".,"
    for sign in (_OTHER[decimal], " ", "'")
}


class Ambiguous(Exception):
    """A text is one number with a decimal point and another one with a decimal comma."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Numerals(NamedTuple):
    """A way to write numbers."""

    decimal: str
    thousands: str = ""

    def number(self, text: str) -> float | None:
        """The number that a text is, None for another text."""
        text = _usual(text)
        if not _MAYBE.fullmatch(text):
            return None
        if self.thousands and self.thousands in text:
            if not _GROUPED[self].fullmatch(text):
                return None
            text = text.replace(self.thousands, "")
        return float_of(pointed(text, self.decimal))

    def words(self, decimal: str) -> str:
        """What differs from the usual with a decimal sign: 'dots between thousands'; or nothing."""
        found = [] if self.decimal == decimal else [_POINTS[self.decimal]]
        if self.thousands:
            found.append(f"{_BETWEEN[self.thousands]} between thousands")
        return ", ".join(found)


def ways(decimal: str) -> list[Numerals]:
    """The ways to write numbers, those with the decimal sign of the file first."""
    return [
        Numerals(sign, thousands)
        for sign in (decimal, _OTHER[decimal])
        for thousands in ("", _OTHER[sign], " ", "'")
    ]


def _usual(text: str) -> str:
    return text.strip() if text.isascii() else text.translate(_USUAL).strip()


def decimal_of(text: str) -> str:
    """The decimal sign that a number proves: ',' for 1,5 and 1.234,5 and 1.234.567; '' where a text
    is no number, a whole one, or one such as 1.234."""
    text = _usual(text)
    if not _MAYBE.fullmatch(text) or _DOUBTFUL.fullmatch(text):
        return ""
    if match := _FRACTION.fullmatch(text):
        return match[1] if len(match[0].strip("+-")) > 1 else ""
    for (decimal, sign), pattern in _GROUPED.items():
        if (match := pattern.fullmatch(text)) and (match[2] or sign in ".,"):
            return decimal
    return ""


def is_doubtful(text: str) -> bool:
    """Whether a text is one number or another, by the decimal sign: 1.234."""
    return _DOUBTFUL.fullmatch(_usual(text)) is not None


def numerals_of(texts: Collection[str], decimal: str | None) -> Numerals | None:
    """The way in which all of some texts are numbers, None where there is none.

    Parameters
    ----------
    texts : collection of str
    decimal : str or None
        The decimal sign of the file, if it is known.

    Raises
    ------
    Ambiguous
        Where the texts are other numbers by another decimal sign, and nothing shows which it is.
    """
    for way in ways(decimal or "."):
        if all(way.number(one) is not None for one in texts):
            break
    else:
        return None
    if way.decimal != decimal and not any(decimal_of(one) == way.decimal for one in texts):
        for one in texts:
            if is_doubtful(one):
                raise Ambiguous(one)
    return way


def closest(counts: Mapping[str, int], decimal: str) -> tuple[Numerals, int]:
    """The way in which most entries are numbers, and how many are."""
    found = {
        way: sum(n for one, n in counts.items() if way.number(one) is not None)
        for way in ways(decimal)
    }
    best = max(found, key=found.__getitem__)  # the first of several
    return best, found[best]
