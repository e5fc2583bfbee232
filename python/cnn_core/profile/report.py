"""What `MLP.profile` returns."""

import os
import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

from cnn_core._few import counted
from cnn_core.profile.format import compared, milliseconds, number, of_copy, percent, title, total
from cnn_core.profile.plot import draw

LINE = 100  # columns of what is printed, at most
INDENT = 16 * " "
WITH_BYTES, WITH_RATES = 90, 72  # columns that the table needs for GB/s, and for GFLOP/s


class Profile(dict[str, Any]):
    """What `MLP.profile` returns: a dict that prints as a table.

    The keys, with times in seconds and None where a number makes no sense:

    ``machine``
        system, instruction_set, peak_gflop_per_s (of one thread, in the dtype of the network),
        copy_gb_per_s, copy_bytes.
    ``training``
        widths, activations, loss, optimizer, dtype, parameters, rows, batch_size.
    ``phases``
        A list of dicts: layer, phase, seconds, share (of the sum), gflop_per_s, peak_share,
        gb_per_s, copy_share.
    ``totals``
        phase_seconds (the sum of the phases, reading the clock included), epoch_seconds (without),
        rows_per_s, gflop_per_s, peak_share; threads, threads_epoch_seconds, threads_speedup; numpy
        and reference: dicts of rows, batch_size, threads (None: unknown), epoch_seconds,
        rows_per_s, speedup (how much faster one thread of the core is), and unsupported_reason, a
        sentence where they were not measured.
    ``rounds``
        Of which the fastest counts.
    """

    def __str__(self) -> str:
        # A terminal's columns; a file and a notebook have no limit.
        width = min(LINE, shutil.get_terminal_size((LINE, 0)).columns)
        head, totals = (
            [
                part
                for line in lines
                for part in textwrap.wrap(
                    line,
                    width,
                    subsequent_indent="  ",
                    replace_whitespace=False,
                    drop_whitespace=True,
                )
            ]
            for lines in (self.head(), self._totals(width))
        )
        return "\n".join([*head, "", *self._table(width), "", *totals])

    __repr__ = __str__

    def plot(self, file: str | os.PathLike[str]) -> None:
        """Draw the phases and their share of the peak as a bar chart.

        Parameters
        ----------
        file : path-like
            Where to write it; the ending, such as .png or .svg, says in which format.

        Raises
        ------
        ImportError
            Without matplotlib, which ``pip install matplotlib`` brings.
        ValueError
            For an ending that matplotlib does not know.
        """
        draw(self, file)

    def head(self) -> list[str]:
        """What was measured, and on what."""
        machine, training = self["machine"], self["training"]
        steps = -(-training["rows"] // training["batch_size"])
        return [
            f"Machine: {machine['system']}, {machine['instruction_set']}; "
            f"{machine['peak_gflop_per_s']:.1f} GFLOP/s at most on one thread in "
            f"{training['dtype']}; copying {machine['copy_bytes'] >> 20} MiB moves "
            f"{machine['copy_gb_per_s']:.1f} GB/s, read and written.",
            f"Training: {title(training)}, {training['parameters']:,} parameters, "
            f"{training['loss']}, {training['optimizer']}; {counted(training['rows'], 'row')} in "
            f"{steps:,} "
            f"mini-batches of {training['batch_size']:,}.",
        ]

    def _table(self, width: int) -> list[str]:
        """The phases; on a narrow terminal without the rates that do not fit."""
        rates, in_bytes = width >= WITH_RATES, width >= WITH_BYTES
        lines = [
            f"{'':21}{'ms an epoch':>12}{'share':>9}"
            + f"{'GFLOP/s':>11}" * rates
            + f"{'of the peak':>13}"
            + f"{'GB/s':>9}{'of the copy':>13}" * in_bytes
        ]
        before = None
        for row in self["phases"]:
            layer = row["layer"] if row["layer"] != before else ""
            before = row["layer"]
            line = (
                f"{layer:<10} {row['phase']:<10}{milliseconds(row['seconds']):>12}"
                f"{percent(row['share']):>9}"
                + f"{number(row['gflop_per_s']):>11}" * rates
                + f"{percent(row['peak_share']):>13}"
                + f"{number(row['gb_per_s']):>9}{of_copy(row['copy_share']):>13}" * in_bytes
            )
            lines.append(line.rstrip())
        seconds = self["totals"]["phase_seconds"]
        lines.append(
            f"{'sum':<21}{milliseconds(seconds):>12}{percent(1.0):>9}"
            + "   reading the clock included" * rates
        )
        return lines

    def _totals(self, width: int) -> list[str]:
        rows, lines = self["training"]["rows"], list[str]()
        for name, seconds, remark, note in self.compared():
            if seconds is None:
                lines.append(f"{name} is {remark}.")
                continue
            lines += _with_remark(total(name, seconds, rows), remark, width)
            if note:
                lines.append((INDENT if len(INDENT + note) <= width else "  ") + note)
        return [*lines, self.last_note]

    def compared(self) -> Iterator[tuple[str, float | None, str, str]]:
        """Who was measured: its name, seconds of an epoch (None: it was not, and why), what they
        mean, and how it was measured."""
        totals = self["totals"]
        yield (
            "1 thread",
            totals["epoch_seconds"],
            f"{number(totals['gflop_per_s'])} GFLOP/s, {percent(totals['peak_share'])} of the peak",
            "",
        )
        if totals["threads"] > 1:
            name, seconds = f"{totals['threads']} threads", totals["threads_epoch_seconds"]
            yield name, seconds, f"{compared(totals['threads_speedup'])} as 1 thread", ""
        for name, key in (("NumPy by hand", "numpy"), ("plain Python", "reference")):
            entry = totals[key]
            if entry["unsupported_reason"]:
                yield name, None, f"not measured: {entry['unsupported_reason']}", ""
            else:
                remark = f"1 thread is {compared(entry['speedup'])}"
                yield name, entry["epoch_seconds"], remark, self._how(entry)

    @property
    def last_note(self) -> str:
        """What was made of several rounds."""
        rounds = f"{self['rounds']} round{'s' * (self['rounds'] > 1)}"
        last = "plain Python came after them"
        return f"The fastest of {rounds} in which all took turns; {last}."

    def _how(self, entry: dict[str, Any]) -> str:
        """How a baseline was measured."""
        rows, batch_size = self["training"]["rows"], self["training"]["batch_size"]
        part = f"{entry['rows']:,} of the {rows:,}" if entry["rows"] < rows else f"all {rows:,}"
        notes = [f"measured on {part} rows"]
        if entry["batch_size"] < batch_size:
            notes.append(f"both in mini-batches of {entry['batch_size']:,}")
        notes.append("1 thread" if entry["threads"] else "as many threads as its BLAS takes")
        return f"({', '.join(notes)})"

    def _repr_html_(self) -> str:
        from cnn_core.notebook.profiles import html_of_profile

        return html_of_profile(self)


def _with_remark(line: str, remark: str, width: int) -> list[str]:
    """A line and what is said of it, beside it or, where that is too long, below."""
    beside = f"{line}  {remark}"
    return [beside] if len(beside) <= width else [line, INDENT + remark]
