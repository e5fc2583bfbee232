"""What is written down of each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cnn_core.history import Losses, Past

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
    sign : float
        What they see it multiplied with, so that they see it fall.
    """

    def __init__(
        self,
        names: Sequence[str],
        watched: str,
        before: Mapping[str, Sequence[float]],
        sign: float = 1.0,
    ) -> None:
        self.before = Past.of(before).settled()
        self.epochs_before = self.before.n_epochs
        self.columns: dict[str, list[float]] = {name: [] for name in (*names, *OF_THE_LOOP)}
        self.watched, self.sign = watched, sign
        self._losses: Losses | None = None

    @property
    def losses(self) -> Losses:
        """The watched column, earlier runs included: copied for those who ask for it."""
        if self._losses is None:
            losses = self.before.losses(self.watched)
            losses += self.columns[self.watched]
            losses[:] = [self.sign * one for one in losses]
            self._losses = losses
        return self._losses

    def append(self, entry: dict[str, float]) -> None:
        """Take the numbers of an epoch."""
        columns = self.columns
        for name, value in entry.items():
            columns[name].append(value)
        if self._losses is not None:
            self._losses.append(self.sign * entry[self.watched])

    def first(self, epochs: int) -> Past:
        """All columns up to this run's first `epochs` epochs; NaN where a run had no such
        entry."""
        return self.before.extended(self.columns, epochs)
