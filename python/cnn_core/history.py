"""`Past`: the entries of the epochs that a model has been through."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnn_core.schedules import Schedule

    #: Columns, and how many of their entries count: a run may have appended more since.
    Part = tuple[Mapping[str, list[float]], int]

#: Epochs of `MLP.partial_fit` whose entries a model keeps, the newest ones, so that the millionth
#: call costs as much as the first. Those of `MLP.fit` are all kept.
STREAMED = 1000


class Losses(list[float]):
    """The losses that schedules look at, and what is still known of those that were forgotten.

    Parameters
    ----------
    values : sequence of float
        Those that are kept.
    gaps : sequence of (int, int)
        See `Past`.
    memory : object
        What a schedule has made of the forgotten losses and of the first `covered` kept ones.
    covered : int
    """

    def __init__(
        self,
        values: Sequence[float],
        gaps: Sequence[tuple[int, int]] = (),
        memory: Any = None,
        covered: int = 0,
    ) -> None:
        super().__init__(values)
        self.gaps, self.memory, self.covered = gaps, memory, covered

    def after(self, epochs: int) -> int:
        """How many of the kept ones are of the first `epochs` epochs."""
        forgotten = 0
        for position, count in self.gaps:
            if position + forgotten >= epochs:
                break
            forgotten += count
            if position + forgotten >= epochs:
                return position
        return max(0, epochs - forgotten)


class Past(Mapping[str, list[float]]):
    """Columns of numbers, an entry an epoch. Never changed: training that goes on makes another
    one, which shares what it can with this one, so that nothing is copied as a whole for an entry.

    Parameters
    ----------
    parts : sequence of Part
        The columns in pieces; NaN where one has no such entry.
    names : sequence of str
        Of the columns.
    streamed : int
        Entries of the last part, if it is one that `partial_fit` goes on with.
    gaps : sequence of (int, int)
        Before which of the kept entries how many are forgotten.
    memory : object
        What a schedule has made of the forgotten losses and of the first `covered` kept ones.
    covered : int
    """

    def __init__(
        self,
        parts: Sequence[Part] = (),
        names: Sequence[str] = (),
        streamed: int = 0,
        gaps: Sequence[tuple[int, int]] = (),
        memory: Any = None,
        covered: int = 0,
    ) -> None:
        self.parts, self.names, self.streamed = tuple(parts), tuple(names), streamed
        self.gaps, self.memory, self.covered = tuple(gaps), memory, covered
        #: How many entries there are, and how many there have been.
        self.kept = sum(length for _, length in self.parts)
        self.n_epochs = self.kept + self.forgotten

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[float]]) -> Past:
        """Columns as they stand in any mapping."""
        if isinstance(columns, cls):
            return columns
        lists = {name: list(values) for name, values in columns.items()}
        length = len(lists.get("loss", next(iter(lists.values()), [])))
        return cls([(lists, length)] if length else [], tuple(lists))

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.names:
            raise KeyError(name)
        return _column(self.parts, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __getstate__(self) -> dict[str, Any]:
        whole = self.parts[: len(self.parts) - bool(self.streamed)]
        parts = [_joined(some) for some in (whole, self.parts[len(whole) :]) if some]
        return vars(self) | {"parts": tuple(parts)}

    @property
    def forgotten(self) -> int:
        """How many entries are not kept."""
        return sum(count for _, count in self.gaps)

    def epoch_at(self, position: int) -> int:
        """The epoch, counted from 1, of a kept entry."""
        return epoch_at(self.gaps, position)

    def losses(self, name: str) -> Losses:
        """A column as schedules look at it; empty where there is none."""
        if name not in self.names:
            return Losses([])
        if name != "loss":  # what is remembered is the training loss
            return Losses(self[name], self.gaps)
        return Losses(self[name], self.gaps, self.memory, self.covered)

    def last(self, epochs: int) -> dict[str, list[float]]:
        """The last entries of each column."""
        return {name: self[name][self.kept - epochs :] for name in self.names}

    def settled(self) -> Past:
        """The same in few parts, each more than twice as long as the next: however often training
        goes on, an entry is copied only a few times."""
        if self.streamed:
            return self
        parts = list(self.parts)
        while len(parts) > 1 and 2 * parts[-1][1] >= parts[-2][1]:
            parts[-2:] = [_joined(parts[-2:])]
        return self._with(parts, self.names, 0)

    def extended(self, columns: Mapping[str, list[float]], epochs: int) -> Past:
        """With the first `epochs` entries of a run."""
        parts = (*self.parts, (columns, epochs)) if epochs else self.parts
        return self._with(parts, self._names(columns), 0)

    def streamed_on(self, after: Past, schedule: Schedule) -> Past:
        """With the entries that a run of `partial_fit` has added, of which only the last `STREAMED`
        are kept.

        Parameters
        ----------
        after : Past
            This one, extended by the run.
        schedule : Schedule
            May take a note of what is forgotten.

        Returns
        -------
        Past
        """
        if after.n_epochs == self.n_epochs:
            return self
        before = self.settled()
        whole = before.parts[: len(before.parts) - bool(before.streamed)]
        pieces = (*before.parts[len(whole) :], after.parts[-1])
        length = sum(size for _, size in pieces)
        over = max(0, length - STREAMED)
        tail = _joined(pieces, over)
        if not over:
            return self._with((*whole, tail), after.names, length)
        start = sum(size for _, size in whole)
        seen: list[float] = []
        if schedule.looks_back:
            seen = [*_column(whole, "loss"), *_column(pieces, "loss")[:over]]
        memory = schedule.remember(Losses(seen, self.gaps, self.memory, self.covered))
        gaps = [gap for gap in self.gaps if gap[0] < start]
        there = sum(count for position, count in self.gaps if position >= start)
        return Past(
            (*whole, tail),
            after.names,
            STREAMED,
            (*gaps, (start, there + over)),
            memory,
            start if memory is not None else 0,
        )

    def without(self, name: str) -> Past:
        """Without a column."""
        names = tuple(one for one in self.names if one != name)
        return self._with(self.parts, names, self.streamed)

    def counted_only(self) -> Past:
        """Without the entries, of which the number is kept."""
        return Past(gaps=((0, self.n_epochs),)) if self.n_epochs else self

    def _with(self, parts: Sequence[Part], names: Sequence[str], streamed: int) -> Past:
        return Past(parts, names, streamed, self.gaps, self.memory, self.covered)

    def _names(self, columns: Mapping[str, list[float]]) -> tuple[str, ...]:
        """Those of a run, then those that only earlier ones had."""
        return (*columns, *(name for name in self.names if name not in columns))


def epoch_at(gaps: Sequence[tuple[int, int]], position: int) -> int:
    """The epoch, counted from 1, of an entry with so many kept ones before it."""
    return position + 1 + sum(count for before, count in gaps if before <= position)


def _column(parts: Sequence[Part], name: str, skip: int = 0) -> list[float]:
    """A column of some parts, without its first `skip` entries."""
    found: list[float] = []
    for columns, length in parts:
        first = min(skip, length)
        skip -= first
        values = columns.get(name)
        piece = [math.nan] * (length - first) if values is None else values[first:length]
        if found:
            found += piece
        else:
            found = piece
    return found


def _joined(parts: Sequence[Part], skip: int = 0) -> Part:
    """Some parts as one, with columns of their own, without its first `skip` entries."""
    names = dict.fromkeys(name for columns, _ in parts for name in columns)
    length = sum(length for _, length in parts) - skip
    return {name: _column(parts, name, skip) for name in names}, length
