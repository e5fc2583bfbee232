"""What is written down of each epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

#: Entries that the loop itself makes, after those of the monitor.
OF_THE_LOOP = ("learning_rate", "seconds")


class History:
    """Columns of numbers, an entry an epoch, behind those of earlier runs.

    Parameters
    ----------
    names : sequence of str
        The monitor's entries.
    watched : str
        The one that schedules look at.
    before : mapping of str to sequence of float
        Of the epochs before this run.
    """

    def __init__(
        self, names: Sequence[str], watched: str, before: Mapping[str, Sequence[float]]
    ) -> None:
        self.before = before
        self.epochs_before = len(before.get("loss", ()))
        self.columns: dict[str, list[float]] = {name: [] for name in (*names, *OF_THE_LOOP)}
        self.watched = watched
        #: The watched column, earlier runs included.
        self.losses = list(before.get(watched, ()))

    def append(self, entry: dict[str, float]) -> None:
        """Take the numbers of an epoch."""
        columns = self.columns
        for name, value in entry.items():
            columns[name].append(value)
        self.losses.append(entry[self.watched])

    def first(self, epochs: int) -> dict[str, list[float]]:
        """All columns up to this run's first `epochs` epochs; NaN where a run had no such
        entry."""
        absent_before, absent = [math.nan] * self.epochs_before, [math.nan] * epochs
        names = (*self.columns, *(name for name in self.before if name not in self.columns))
        return {
            name: [
                *self.before.get(name, absent_before),
                *(self.columns[name][:epochs] if name in self.columns else absent),
            ]
            for name in names
        }
