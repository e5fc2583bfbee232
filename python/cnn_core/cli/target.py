"""The column to predict: classes or numbers, and why."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cnn_core._few import counted
from cnn_core.columns.parsing import as_texts, number_of
from cnn_core.columns.table import BOOL, DATE, NUMBER, TEXT, Table, Values
from cnn_core.columns.target import FEW, as_classes, numbers_of_texts, task_of, too_many
from cnn_core.columns.target import target_of as labels_of
from cnn_core.data.validation import listed
from cnn_core.io.places import FileTable

#: Rows that are needed.
FEWEST = 10


class Target(NamedTuple):
    """What is to be predicted."""

    name: str
    y: np.ndarray
    task: str
    #: Why it is that task.
    words: str
    present: np.ndarray

    @property
    def classes(self) -> bool:
        """Whether it holds classes."""
        return self.task == "classification"

    @property
    def left_out(self) -> int:
        """Rows of the table that have no target."""
        return int(np.sum(~self.present))

    def rows(self, table: Table) -> Table:
        """Those of a table that have one, with the target as it is learned."""
        rows = table if self.present.all() else table.take(np.flatnonzero(self.present))
        if self.classes or table[self.name].kind == NUMBER:
            return rows

        def read(name: Any) -> Values:
            return Values(NUMBER, self.y) if name == self.name else rows[name]

        return Table(rows.names, rows.n_rows, read, rows.what)


def target_of(table: FileTable, name: str, task: str | None) -> Target:
    """The target of a table.

    Parameters
    ----------
    table : FileTable
    name : str
    task : {'classification', 'regression'}, optional
        Default by what the column holds.
    """
    if name not in table:
        raise ValueError(f"{table.what} has no column {name!r}; it has {listed(table.names)}")
    values = table[name]
    present = ~values.missing
    n_rows = int(present.sum())
    if n_rows < FEWEST:
        raise ValueError(
            f"{table.what} has {counted(n_rows, 'row')} with a {name!r}; at least {FEWEST} are "
            "needed"
        )
    values = values.take(np.flatnonzero(present))
    if values.kind == DATE:
        raise ValueError(f"the target {name!r} holds dates; give it as numbers, such as days")
    different = len(set(as_texts(values)))
    words, chosen = task_of(values)
    if task == "regression" and values.kind not in (NUMBER, BOOL):
        texts = enumerate(values.array)
        row = next((i for i, one in texts if number_of(one) is None), 0)
        place = table.place(int(np.flatnonzero(present)[row]))
        raise ValueError(
            f"{place}, column {name!r}: {values.array[row][:60]!r} is no number to predict by a "
            "regression"
        )
    said = "as --task says" if task else "--task says otherwise"
    task = task or chosen
    _check_classes(table.what, name, task, different, values)
    if values.kind == TEXT and task != "regression" and (why := too_many(values)):
        raise ValueError(f"the target {name!r} of {table.what} has {why}")
    words = f"{name}: {words} -> {task} ({said})"
    y: Any = labels_of(values, name, table.what)
    y = np.asarray(y, np.float64) if task == "regression" else as_classes(y)
    return Target(name, y, task, words, present)


def _check_classes(what: str, name: str, task: str, different: int, values: Values) -> None:
    rows = len(values.array)
    if different < 2:
        raise ValueError(f"every row of {what} has the same {name!r}; there is nothing to learn")
    if task == "classification" and different > FEW and 2 * different > rows:
        numbers = values.kind == NUMBER or numbers_of_texts(values) is not None
        raise ValueError(
            f"the target {name!r} has {different:,} different values in {rows:,} rows of {what}, "
            "too many to be classes; --target names another column"
            f"{', or --task regression' * numbers}"
        )
