"""The look of everything that notebooks show, and the pieces that it is made of.

The HTML needs nothing from outside and runs no script. Colours are those of JupyterLab, VS Code or
the pydata theme, where their variables exist, otherwise light or dark as the browser asks for.
Every text is escaped here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from html import escape
from typing import Any

from cnn_core._few import LONGEST, clipped, few, more

#: Lines of a table that are shown.
MOST_ROWS = 20

# Both colours always come from the same place: a page that knows neither gets both of them here.
# BLUE and ORANGE have a contrast of 3:1 against white and against #1e1e1e, as graphics must have.
_STYLE = """
.cnn-core{--bg:#fff;--fg:#1c1e21;--blue:#1f7fc4;--orange:#d0661f;
background:var(--jp-layout-color0,var(--vscode-editor-background,
var(--pst-color-background,var(--bg))));
color:var(--jp-content-font-color1,var(--vscode-editor-foreground,
var(--pst-color-text-base,var(--fg))));
font:13px/1.45 system-ui,sans-serif;padding:8px 10px;max-width:70em;box-sizing:border-box;
border:1px solid rgba(128,128,128,.45);border-radius:4px;text-align:left}
@media (prefers-color-scheme:dark){.cnn-core{--bg:#1b1d20;--fg:#e8e8e8}}
.cnn-core .title{margin:0 0 4px;font-size:14px;font-weight:600;overflow-wrap:anywhere}
.cnn-core .note{margin:4px 0;overflow-wrap:anywhere;color:inherit}
.cnn-core .wide{overflow-x:auto;margin:6px 0}
.cnn-core table{border-collapse:collapse;margin:0;border:0;color:inherit;background:none;
font-size:13px;width:auto;table-layout:auto;font-variant-numeric:tabular-nums}
.cnn-core table caption{text-align:left;padding:0 0 2px;color:inherit;caption-side:top}
.cnn-core table tr,.cnn-core table tbody tr:nth-child(odd),.cnn-core table tbody tr:hover
{background:none;border:0;color:inherit}
.cnn-core table th,.cnn-core table td{padding:2px 10px 2px 0;border:0;color:inherit;
text-align:right;vertical-align:top;white-space:nowrap;max-width:none;background:none}
.cnn-core table thead th{border-bottom:1px solid rgba(128,128,128,.6);font-weight:600;
vertical-align:bottom;white-space:normal}
.cnn-core table tbody th{font-weight:400}
.cnn-core table .word{text-align:left}
.cnn-core table .more{text-align:left;font-style:italic}
.cnn-core .facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:2px 14px;
margin:6px 0}
.cnn-core .facts dt{font-weight:600;margin:0;float:none;width:auto;padding:0;color:inherit}
.cnn-core .facts dd{margin:0;overflow-wrap:anywhere;padding:0;color:inherit}
.cnn-core details{margin:6px 0 0}
.cnn-core summary{cursor:pointer;color:inherit}
.cnn-core svg{display:block;width:100%;max-width:440px;height:auto;margin:6px 0}
.cnn-core svg text{fill:currentColor;font:11px system-ui,sans-serif}
.cnn-core svg path{fill:none;stroke-width:1.6;stroke-linejoin:round}
.cnn-core svg .axis{stroke:currentColor;stroke-width:.7;opacity:.55}
.cnn-core svg .blue{stroke:var(--blue)}
.cnn-core svg .orange{stroke:var(--orange);stroke-dasharray:5 3}
.cnn-core svg .mark{stroke:currentColor;stroke-dasharray:1.5 3;stroke-width:1}
@media (max-width:480px){.cnn-core .facts{grid-template-columns:1fr}
.cnn-core .facts dd{margin:0 0 4px}}
"""
_STYLE = "".join(_STYLE.splitlines())


def card(title: str, *parts: str) -> str:
    """A block with a title: what `_repr_html_` returns.

    Parameters
    ----------
    title : str
        Not escaped yet.
    parts : str
        HTML.
    """
    name = escape(clipped(title, 200))
    return (
        f'<div class="cnn-core" role="group" aria-label="{name}"><style>{_STYLE}</style>'
        f'<p class="title">{name}</p>{"".join(parts)}</div>'
    )


def table(
    head: Sequence[Any],
    rows: Sequence[Any],
    words: Collection[int] = (0,),
    caption: str = "",
    most: int = MOST_ROWS,
    longest: int = LONGEST,
    cells: Callable[[Any], Sequence[Any]] = tuple,
) -> str:
    """A table with heads of columns and of rows; of many rows some of the middle ones are left out.

    Parameters
    ----------
    head : sequence
        The names of the columns; the first one names the rows.
    rows : sequence of sequences
        Or of what `cells` makes one of, where it is shown.
    words : collection of int
        Columns that are aligned to the left.
    caption : str
        Beside that the words that name it for screen readers.
    most : int
        Rows that are shown.
    longest : int
        Most characters of a cell.
    cells : callable
    """
    first, count, last = few(rows, most)
    body = [_row(cells(row), words, longest) for row in first]
    if count:
        body.append(f'<tr><td class="more" colspan="{len(head)}">{more(count)}</td></tr>')
    body += [_row(cells(row), words, longest) for row in last]
    heads = "".join(
        f'<th scope="col"{_word(i, words)}>{escape(clipped(name))}</th>'
        for i, name in enumerate(head)
    )
    above = f"<caption>{escape(clipped(caption, 300))}</caption>" if caption else ""
    label = escape(clipped(caption or ", ".join(map(str, head)), 200))
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{label}"><table>{above}'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _row(row: Sequence[Any], words: Collection[int], longest: int) -> str:
    head, *cells = (escape(clipped(cell, longest)) for cell in row)
    rest = "".join(f"<td{_word(i, words)}>{cell}</td>" for i, cell in enumerate(cells, start=1))
    return f'<tr><th scope="row"{_word(0, words)}>{head}</th>{rest}</tr>'


def _word(place: int, words: Collection[int]) -> str:
    return ' class="word"' if place in words else ""


def facts(pairs: Iterable[tuple[str, Any]], longest: int = 400) -> str:
    """A list of names and what is known of each; those of which nothing is known are left out."""
    lines = "".join(
        f"<dt>{escape(clipped(name))}</dt><dd>{escape(clipped(value, longest))}</dd>"
        for name, value in pairs
        if value not in ("", None)
    )
    return f'<dl class="facts">{lines}</dl>' if lines else ""


def note(text: str, longest: int = 2000) -> str:
    """A line of text."""
    return f'<p class="note">{escape(clipped(text, longest))}</p>'


def folded(title: str, part: str) -> str:
    """What is shown once somebody asks for it."""
    return f"<details><summary>{escape(title)}</summary>{part}</details>"
