"""Colours, lines and names that can be told apart in grey and by colour-blind people."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import Any

#: Okabe & Ito 2008, "Color universal design"; of different lightness from one to the next.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#777777"

#: What differs from one series to the next beside the colour.
COLOURS = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, BLACK, YELLOW)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", ":", "-.")

#: Most columns, classes and the like that one picture shows.
MOST = 20
#: Most characters of a name.
LONGEST = 18


def short(name: Any, longest: int = LONGEST) -> str:
    """A name that fits beside an axis: its middle left out where it is long."""
    text = " ".join(str(name).split())
    if len(text) > longest:
        half = (longest - 1) // 2
        text = f"{text[: longest - 1 - half]}…{text[-half:]}"
    return text.replace("$", r"\$")  # which would begin a formula


def shortened(names: Iterable[Any], longest: int = LONGEST) -> list[str]:
    """The same of several names, which stay different: from where they begin to differ, if their
    middle is what tells them apart, and with their number where that does not help either."""
    whole = [" ".join(str(name).split()) for name in names]
    found = [short(name, longest) for name in whole]
    alike = [k for k, name in enumerate(found) if found.count(name) > 1]
    if alike:
        first, last = min(whole[k] for k in alike), max(whole[k] for k in alike)
        start = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last)))
        if 0 < start < len(last):
            for k in alike:
                found[k] = short("…" + whole[k][start:], longest)
    return [f"{k}: {one}" if found.count(one) > 1 else one for k, one in enumerate(found)]
