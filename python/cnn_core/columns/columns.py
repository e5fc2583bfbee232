"""`Columns`: from the tables that users have to the matrix that the network reads."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import numpy as np

from cnn_core._few import few_lines
from cnn_core._frozen import Frozen, replace
from cnn_core._warn import warn
from cnn_core.columns.choose import choose_columns, omissions
from cnn_core.columns.kinds import Category, Column, Embedded, Number, Omitted
from cnn_core.columns.rows import Encoder, row_encoder
from cnn_core.columns.table import Table, is_table, read_table
from cnn_core.data.validation import listed
from cnn_core.spec import Embeddings


class _Layout:
    """Where the columns stand in the matrix, made from the fields."""

    #: Those that the network sees, each with the first of its columns of the matrix; embedded ones
    #: come last.
    placed: list[tuple[Column, int]]
    #: Columns of the matrix.
    width: int
    embeddings: Embeddings
    #: The embedded ones.
    embedded: tuple[Embedded, ...]
    #: What encodes single rows.
    encode_row: Encoder


class Columns(_Layout, Frozen):
    """The columns of the training rows, each with what it becomes; part of a model.

    Parameters
    ----------
    columns : tuple of Column
        In the order of the training table.
    """

    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        placed, width = [], 0
        embedded = tuple(one for one in self.columns if isinstance(one, Embedded))
        others = [one for one in self.columns if not isinstance(one, Embedded)]
        for column in (*others, *embedded):
            if not isinstance(column, Omitted):
                placed.append((column, width))
                width += column.width
        embeddings = tuple((len(one.values), one.dim) for one in embedded)
        self._set(placed=placed, width=width, embedded=embedded, embeddings=embeddings)
        self._set(encode_row=row_encoder(self))

    def __getstate__(self) -> dict[str, Any]:
        return {"columns": self.columns}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set(columns=state["columns"])
        self.__post_init__()

    def __repr__(self) -> str:
        """As `str`, but of more than 60 columns the first and the last ones."""
        return few_lines(str(self).split("\n"))

    def __str__(self) -> str:
        """A line a column: its name, and what it becomes."""
        names = [str(column.name) for column in self.columns]
        longest = max(map(len, names))
        return "\n".join(
            f"{name:<{longest}}  {column.words}" for name, column in zip(names, self.columns)
        )

    @classmethod
    def fitted(cls, table: Table, kinds: Mapping[Any, Any] | None) -> Columns:
        """Learn from the training rows, and say what is left out.

        Parameters
        ----------
        table : Table
        kinds : mapping, optional
            What the user says of some columns.

        Returns
        -------
        Columns
        """
        remarks: list[str] = []
        found = cls(tuple(choose_columns(table, kinds, remarks)))
        left_out = list(omissions(found.columns))
        if not found.placed:
            raise ValueError(
                f"{table.what} has no column to learn from; left out are "
                f"{', '.join(left_out) or 'all, as was asked'}"
            )
        if left_out:
            warn(
                f"columns='auto' leaves out {', '.join(left_out)}; columns={{name: 'category'}} or "
                "another kind keeps a column, and 'drop' leaves it out without a word",
                UserWarning,
            )
        for remark in remarks:
            warn(remark, UserWarning)
        return found

    def with_gaps(self, names: Container[Any]) -> Columns:
        """The same, learned from some of the rows, where these columns have gaps in others."""
        return Columns(
            tuple(
                replace(one, gaps=True)
                if one.name in names and not getattr(one, "gaps", True)
                else one
                for one in self.columns
            )
        )

    @property
    def names(self) -> list[Any]:
        """Of the training table."""
        return [column.name for column in self.columns]

    @property
    def names_in(self) -> np.ndarray | None:
        """The same, where they are names and not numbers."""
        return labels_of(self.names) if self.named else None

    @property
    def named(self) -> bool:
        """Whether the training table had names, and not numbers, for its columns."""
        return all(isinstance(name, str) for name in self.names)

    @property
    def mixed(self) -> bool:
        """Whether the network sees categories and others."""
        return len({isinstance(column, Category) for column, _ in self.placed}) == 2

    @property
    def measured(self) -> np.ndarray:
        """Which columns of the matrix are numbers of the table."""
        found = np.zeros(self.width, bool)
        found[[at for column, at in self.placed if isinstance(column, Number)]] = True
        return found

    @property
    def encoded(self) -> np.ndarray:
        """Names of the columns of the matrix."""
        return labels_of([name for column, _ in self.placed for name in column.encoded])

    def table(self, source: Any, what: str = "X") -> Table:
        """A table that has all columns that are needed, whatever their order and beside which
        others.

        Raises
        ------
        ValueError
            Where one is missing, with its name.
        """
        if self.named and not is_table(source) and np.ndim(source) == 2:
            raise ValueError(
                f"{what} has no names for its columns, and the model was fitted on a table with "
                f"{listed(self.names)}; give such a table, or a dict of columns"
            )
        table = read_table(source, what)
        missing = [column.name for column, _ in self.placed if column.name not in table]
        if missing:
            raise ValueError(
                f"{what} has no column{'s' * (len(missing) > 1)} {listed(missing)}, which the "
                f"model was fitted with; it has {listed(table.names)}"
            )
        return table

    def encode(self, source: Any, what: str = "X") -> np.ndarray:
        """The matrix of a table.

        Parameters
        ----------
        source : Table, frame, dict of columns, list of dicts, structured array or 2-D array
        what : str
            What to call it in messages.

        Returns
        -------
        ndarray of float64, shape (rows, width)

        Warns
        -----
        UserWarning
            For entries that are missing in columns that had no gaps in training.
        """
        table = self.table(source, what)
        matrix = np.zeros((table.n_rows, self.width))
        unlike = []
        for column, at in self.placed:
            count = column.encode(table[column.name], matrix[:, at : at + column.width], what)
            if count:
                rows = f"{count:,} row{'s' * (count > 1)}"
                unlike.append(f"{column.name!r} ({rows})")
        if unlike:
            self.warn_of_gaps(unlike, what)
        return matrix

    def warn_of_gaps(self, unlike: list[str], what: str) -> None:
        """Say which columns have missing entries, and had none in training."""
        warn(
            f"{what} has missing entries in {', '.join(unlike)}, where the training rows had none: "
            "the mean of the training rows, or no category, stands in for them",
            UserWarning,
        )


def labels_of(names: list[Any]) -> np.ndarray:
    """Names as an array of objects."""
    labels = np.empty(len(names), object)
    labels[:] = names
    return labels
