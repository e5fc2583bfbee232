"""Tables: as text, as Markdown and as what JSON takes."""

import math
import statistics
from dataclasses import dataclass, field


@dataclass
class Line:
    """One contestant: its values, one a round; `peer` is None for what is shown but does not
    compete."""

    name: str
    peer: str | None
    values: list[float]
    ratio: float | None = None  # to cnn_core, the median over the rounds

    @property
    def median(self):
        return statistics.median(self.values)


class Block:
    """A workload and its contestants. Smaller values are better."""

    def __init__(self, title, lines, remarks=()):
        self.title, self.lines, self.remarks = title, lines, list(remarks)
        ours = [line for line in lines if line.peer == "cnn_core"]
        self.ours = min(ours, key=lambda line: line.median) if ours else None
        for line in lines:
            if self.ours and line is not self.ours:
                line.ratio = statistics.median(a / b for a, b in zip(line.values, self.ours.values))
        others = [
            line for line in lines if line.peer not in (None, "cnn_core") and line.ratio is not None
        ]
        self.best = min(others, key=lambda line: line.ratio) if others else None

    @property
    def lost(self):
        return self.best is not None and self.best.ratio < 1

    def data(self):
        return {
            "title": self.title,
            "remarks": self.remarks,
            "lost": self.lost,
            "contestants": {
                line.name: {"median": line.median, "ratio": line.ratio, "values": line.values}
                for line in self.lines
            },
        }


@dataclass
class Section:
    """Blocks of one kind, in one unit."""

    title: str
    blocks: list[Block]
    remarks: list[str] = field(default_factory=list)

    def data(self):
        return {
            "title": self.title,
            "remarks": self.remarks,
            "blocks": [block.data() for block in self.blocks],
        }

    def text(self):
        lines = [self.title, ""]
        width = max(
            (len(line.name) + 2 for block in self.blocks for line in block.lines), default=0
        )
        for block in self.blocks:
            lines.append(f"  {block.title}")
            for line in block.lines:
                ratio = "" if line.ratio is None else f"{times(line.ratio):>9}"
                faster = (
                    "  better than cnn_core"
                    if line.peer and line.ratio is not None and line.ratio < 1
                    else ""
                )
                lines.append(
                    f"    {line.name:<{width}}{number(line.median):>10}{ratio}{faster}".rstrip()
                )
            if block.best:
                lost = "   <-- CNN_CORE LOSES" if block.lost else ""
                lines.append(f"    best peer: {block.best.name}, {times(block.best.ratio)}{lost}")
            lines += [f"    {remark}" for remark in block.remarks] + [""]
        if self.remarks:
            lines += [f"  {remark}" for remark in self.remarks] + [""]
        return "\n".join(lines)

    def markdown(self):
        """A table with a row for each block; where cnn_core loses, the best peer is in bold."""
        names = list(dict.fromkeys(line.name for block in self.blocks for line in block.lines))
        rows = [["", *names, "best peer"], ["---"] * (len(names) + 2)]
        for block in self.blocks:
            found = {line.name: line for line in block.lines}
            best = f"{block.best.name}, {times(block.best.ratio)}" if block.best else ""
            rows.append(
                [
                    block.title,
                    *(cell(found.get(name)) for name in names),
                    f"**{best}**" if block.lost else best,
                ]
            )
        table = [f"| {' | '.join(row)} |" for row in rows]
        remarks = self.remarks + [
            f"{block.title}: {remark}" for block in self.blocks for remark in block.remarks
        ]
        return "\n".join(
            [f"{self.title}:", "", *table, "", *(f"- {remark}" for remark in remarks), ""]
        )


@dataclass
class Plain:
    """A table that compares nothing: a head and rows of strings."""

    title: str
    rows: list[list[str]]

    def data(self):
        return {"title": self.title, "rows": self.rows}

    def text(self):
        widths = [max(map(len, column)) for column in zip(*self.rows)]
        lines = ["    " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in self.rows]
        return "\n".join([self.title, "", *lines, ""])

    def markdown(self):
        rows = [self.rows[0], ["---"] * len(self.rows[0]), *self.rows[1:]]
        return "\n".join([f"{self.title}:", "", *(f"| {' | '.join(row)} |" for row in rows), ""])


def number(value):
    """Three digits, and all those before the point."""
    return (
        f"{value:.{min(max(0, 2 - math.floor(math.log10(value))), 4)}f}"
        if value > 0
        else f"{value:.2f}"
    )


def times(ratio):
    return f"{ratio:.{2 if ratio < 2 else 1 if ratio < 20 else 0}f} x"


def cell(line):
    if line is None:
        return "-"
    return number(line.median) + ("" if line.ratio is None else f" ({times(line.ratio)})")
