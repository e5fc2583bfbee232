"""Texts that are numbers with signs around them: '$15,868', '12.5 %', '3 kg'."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MINUS = "\u2212"  # as typesetters have it
_BETWEEN = ",' \u00a0\u2009\u202f\u2019"
_SIGNS = r"[^\w\s.,+'()<>=~≤≥≈-]{1,2}"
_TEXT = re.compile(
    rf"\s*({_SIGNS})?\s*[+-]?\s*({_SIGNS})?\s*(\d[\d.{_BETWEEN}]*?)\s*"
    rf"({_SIGNS}|[^\W\d_]{{1,4}})?\s*"
)
_GROUPS = re.compile(rf"\d{{1,3}}([{_BETWEEN}]\d{{3}})+(\.\d+)?")  # thousands apart
_COMMA = re.compile(r"\d+,\d+")  # in the place of the decimal point


def conversion(texts: Sequence[str]) -> str:
    """What makes numbers of such texts.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    str
        An expression of a ``text``, such as ``float(text.replace('$', ''))``; empty where the texts
        are numbers already, or are none.
    """
    signs: dict[str, None] = {}
    separators, decimal = set(), False
    minus = any(_MINUS in text for text in texts)
    for text in texts:
        found = _TEXT.fullmatch(text.replace(_MINUS, "-"))
        if not found:
            return ""
        digits = found[3]
        if _GROUPS.fullmatch(digits):
            separators |= {one for one in _BETWEEN if one in digits}
        elif _COMMA.fullmatch(digits):
            decimal = True
        elif not re.fullmatch(r"\d+(\.\d*)?", digits):
            return ""
        signs.update(dict.fromkeys(sign for sign in found.group(1, 2, 4) if sign))
    letters = [sign for sign in signs if sign.isalpha()]
    if len(letters) > 1 or (decimal and separators):  # such as 1st and 2nd
        return ""
    changes = [f".replace({sign!r}, '')" for sign in (*signs, *sorted(separators))]
    changes += [".replace(',', '.')"] * decimal + [f".replace('{_MINUS}', '-')"] * minus
    return f"float(text{''.join(changes)})" if changes else ""
