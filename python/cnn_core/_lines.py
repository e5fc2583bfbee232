"""A table in lines of text."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], words: Sequence[int]) -> list[str]:
    """The lines of a table whose first row is its head; `words` are columns of words."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        "  ".join(
            cell.ljust(width) if i in words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        )
        for row in rows
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]
