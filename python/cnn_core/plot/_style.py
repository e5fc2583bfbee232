"""Colours, lines and names that can be told apart in grey and by colour-blind people."""

from __future__ import annotations

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
    text = " ".join(str(name).split()).replace("$", r"\$")
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[: longest - 1 - half]}…{text[-half:]}"


def counted(n: int, what: str) -> str:
    """ "1 row", "2,000 rows"."""
    if n == 1:
        return f"1 {what}"
    return f"{n:,} {what}es" if what.endswith("s") else f"{n:,} {what}s"
