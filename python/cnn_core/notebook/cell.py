"""The line that lives in the cell of a notebook: a bar and some words, drawn anew in place.

A saved notebook keeps what was drawn last and nothing else: it is an output that is replaced, where
lines that are printed, or carriage returns, would all be kept. It needs neither tqdm nor widgets.
"""

from __future__ import annotations

import sys
from html import escape
from typing import Any


def in_notebook() -> bool:
    """Whether outputs go to the cell of a notebook."""
    if "ipykernel" not in sys.modules or "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


class LiveCell:
    """An output of the cell that runs.

    Parameters
    ----------
    total : int, optional
        At which count the bar is full; without it there is no bar.
    unit : str
        What is counted, in plural.
    """

    def __init__(self, total: int | None, unit: str) -> None:
        self.total, self.unit = total, unit
        self.handle: Any = None

    def show(self, count: int, words: str) -> None:
        """Draw.

        Parameters
        ----------
        count : int
        words : str
        """
        import IPython.display as shown_by

        display: Any = shown_by.display
        whole = "" if self.total is None else f" of {self.total:,}"
        text = f"{count:,}{whole} {self.unit}  {words}".rstrip()
        shown = {"text/plain": text, "text/html": _html(text, count, self.total)}
        if self.handle is None:
            self.handle = display(shown, raw=True, display_id=True)
        else:
            self.handle.update(shown, raw=True)


def _html(text: str, count: int, total: int | None) -> str:
    """A bar, of which `count` of `total` is filled, and a line of text. It is sent many times a
    second, so it has the colours of the page and no style of its own."""
    words = escape(text)
    bar = ""
    if total is not None:
        bar = (
            f'<progress value="{count}" max="{max(total, 1)}" aria-hidden="true" '
            'style="width:100%;max-width:440px;display:block"></progress>'
        )
    return f'<div style="white-space:pre-wrap;font-variant-numeric:tabular-nums">{bar}{words}</div>'
