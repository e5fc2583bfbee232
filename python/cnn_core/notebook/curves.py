"""Learning curves as HTML: a picture in SVG, and the first and last epochs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from cnn_core._few import counted, course
from cnn_core.notebook.html import card, note, table

if TYPE_CHECKING:
    from cnn_core.curves import Curves

#: Of the picture, and of the part in it that has the lines, in pixels.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 440, 120, 58, 432, 8, 100
#: A line has at most two points in each of so many parts of its width.
PARTS = 150
#: Rows of the table that are shown.
MOST_EPOCHS = 9


def html_of_curves(curves: Curves) -> str:
    """What a notebook shows of `history_`."""
    numbers, unit = curves.numbers, curves._unit
    n = len(numbers)
    title = counted(n, unit)
    if curves._chosen is not None:
        title += f"; the weights are those of epoch {curves._chosen:,}"
    names = list(curves)

    def cells(k: int) -> list[str]:
        entries = (curves[name][k : k + 1] for name in names)
        return [f"{numbers[k]:,}", *(f"{one[0]:.4g}" if one else "" for one in entries)]

    rows = table([unit, *names], range(n), (), most=MOST_EPOCHS, cells=cells)
    return card(title, picture(curves), rows)


def picture(curves: Curves) -> str:
    """The losses of a training, those of validation rows dashed; nothing where there are none."""
    names = [name for name in ("loss", "val_loss") if curves.get(name)]
    words = [f"{name.replace('_', ' ')} {course(curves[name])}" for name in names]
    if len(words) > 1:
        words = [f"{stroke}: {word}" for stroke, word in zip(("solid", "dashed"), words)]
    said = "; ".join(words)
    if curves._chosen is not None:
        said += "; dotted: the chosen epoch"
    lines = list(zip(("blue", "orange"), (curves[name] for name in names)))
    return drawn(curves.numbers, lines, said, curves._unit, curves._chosen)


def drawn(
    numbers: Sequence[int],
    lines: Sequence[tuple[str, Sequence[float]]],
    words: str,
    unit: str = "epoch",
    chosen: int | None = None,
) -> str:
    """Lines over epochs, and words below them; nothing where there is no line to see.

    Parameters
    ----------
    numbers : sequence of int
        Of the epochs.
    lines : sequence of (str, sequence of float)
        'blue', which is solid, or 'orange', which is dashed; and the values.
    words : str
    unit : str
    chosen : int, optional
        Where to draw a vertical line.
    """
    known = [value for _, values in lines for value in values if math.isfinite(value)]
    if not known or len(numbers) < 2:
        return ""
    low, high = min(known), max(known)
    scale = math.log if low > 0 and high > 10 * low else float
    span = scale(high) - scale(low) or 1.0
    if scale is math.log:
        words += "; logarithmic axis"
    first, last = numbers[0], numbers[-1]

    def x(number: float) -> float:
        return LEFT + (RIGHT - LEFT) * (number - first) / (last - first)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (scale(value) - scale(low)) / span

    paths = "".join(
        f'<path class="{look}" d="{_way(numbers, values, x, y)}"/>' for look, values in lines
    )
    if chosen is not None and first <= chosen <= last:
        paths += f'<path class="mark" d="M{x(chosen):.1f} {TOP}V{BOTTOM}"/>'
    paths += f'<path class="axis" d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"/>'
    ticks = (
        (LEFT - 5, TOP + 5, "end", f"{high:.3g}"),
        (LEFT - 5, BOTTOM, "end", f"{low:.3g}"),
        (LEFT, HEIGHT - 5, "start", f"{unit} {first:,}"),
        (RIGHT, HEIGHT - 5, "end", f"{last:,}"),
    )
    texts = "".join(
        f'<text x="{at}" y="{below}" text-anchor="{anchor}">{escape(text)}</text>'
        for at, below, anchor, text in ticks
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">{paths}'
        f"{texts}</svg>{note(words)}"
    )


def _way(
    numbers: Sequence[int],
    values: Sequence[float],
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> str:
    """A path through the values, which has gaps where they are not finite. Of many values the
    smallest and the largest of each part are drawn, so that no peak is lost."""
    points, size = list(zip(numbers, values)), -(-len(values) // PARTS)
    if size > 2:
        points = [
            point
            for start in range(0, len(points), size)
            for point in _ends(points[start : start + size])
        ]
    way, pen = list[str](), "M"
    for number, value in points:
        if math.isfinite(value):
            way.append(f"{pen}{x(number):.1f} {y(value):.1f}")
        pen = "L" if math.isfinite(value) else "M"
    return "".join(way)


def _ends(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """The points with the smallest and the largest finite value, in their order."""
    known = [point for point in points if math.isfinite(point[1])]
    if not known:
        return list(points[:1])
    ends = {min(known, key=lambda point: point[1]), max(known, key=lambda point: point[1])}
    return sorted(ends)
