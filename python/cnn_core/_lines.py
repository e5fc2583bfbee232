"""A table in lines of text."""

from collections.abc import Sequence


def padded(rows: Sequence[Sequence[str]], words: Sequence[int]) -> list[str]:
    """Lines with columns of one width each; `words` are those that begin at the left."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join(
            cell.ljust(width) if i in words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        )
        for row in rows
    ]


def aligned(rows: Sequence[Sequence[str]], words: Sequence[int]) -> list[str]:
    """The lines of a table whose first row is its head; `words` are columns of words."""
    lines = padded(rows, words)
    return [lines[0], "-" * len(lines[0]), *lines[1:]]
