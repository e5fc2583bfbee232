"""Options of the commands that read tables, and a model's columns in such a table."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnn_core._few import counted
from cnn_core._frozen import replace
from cnn_core.causes.seen import Seen
from cnn_core.cli.arguments import UsageError
from cnn_core.cli.telling import NO_BREAK, Telling
from cnn_core.columns.kinds import KINDS, Column, Date, Number
from cnn_core.columns.parsing import as_dates, as_numbers, as_texts, number_of
from cnn_core.columns.table import DATE, NUMBER, TEXT, Table, Values, text_of
from cnn_core.data.validation import listed
from cnn_core.io.dialect import Dialect
from cnn_core.io.places import FileTable
from cnn_core.io.tables import Reading, are_arrow
from cnn_core.io.texts import Missing

FILES = "CSV, Parquet or Feather; several, globs, .gz and .zst among them; - is standard input"


def add_options(parser: argparse.ArgumentParser) -> None:
    """How the files are read."""
    group = parser.add_argument_group("how CSV files are written, where it is not recognised")
    group.add_argument("--delimiter", metavar="C", help="between entries: , ; | tab or another")
    group.add_argument("--encoding", metavar="NAME", help="such as utf-8 or cp1252")
    group.add_argument("--decimal", metavar="C", help="the decimal sign, . or ,")
    group.add_argument("--quote", metavar="C", help='around entries (default ")')
    group.add_argument(
        "--header", choices=("yes", "no"), help="whether the first line has the columns' names"
    )
    group.add_argument(
        "--missing",
        metavar="TEXT",
        action="append",
        default=[],
        help="stands for a missing entry, beside nothing, NA, NaN, null and None; '' for nothing "
        "alone; may come again",
    )


def reading(options: argparse.Namespace) -> Reading:
    """How the options say that files are read."""
    delimiter = {"tab": "\t", "\\t": "\t", "space": " "}.get(options.delimiter, options.delimiter)
    header = None if options.header is None else options.header == "yes"
    dialect = Dialect(delimiter, options.encoding, options.decimal, options.quote, header)
    try:
        dialect.check()
    except ValueError as error:
        raise UsageError(str(error)) from None
    return Reading(dialect, Missing(options.missing))


def as_in_training(
    options: argparse.Namespace, model: Any, paths: Sequence[str], telling: Telling
) -> Reading:
    """The same for a model, with what stood for missing entries in its training unless the options
    say otherwise."""
    how, texts = reading(options), missing_texts(model)
    if options.missing or not texts:
        return how
    if not are_arrow(paths):
        telling.remark(
            f"missing entries as in training: {listed(texts)} (--missing says otherwise)"
        )
    return how._replace(missing=Missing(texts))


def missing_texts(model: Any) -> tuple[str, ...]:
    """What --missing said in the training; nothing where that is not known."""
    return _seen(model).missing


def remember_missing(model: Any, texts: Sequence[str]) -> None:
    """Keep what --missing says in the model's file."""
    if texts:
        fitted = model._model()
        model._publish(replace(fitted, seen=fitted.seen._replace(missing=tuple(texts))))


def column_kind(text: str) -> tuple[str, str]:
    """'zip=category' as a pair."""
    name, sign, kind = text.rpartition("=")
    if not sign or not name or kind not in (*KINDS, "auto"):
        raise argparse.ArgumentTypeError(
            f"must be NAME=KIND with a kind of {', '.join((*KINDS, 'auto'))}, got {text!r}"
        )
    return name, kind


def direction(text: str) -> tuple[str, int]:
    """'age=rise' as a pair, with 1 for rise and -1 for fall."""
    name, sign, way = text.rpartition("=")
    ways = {"rise": 1, "fall": -1}
    if not sign or not name or way not in ways:
        raise argparse.ArgumentTypeError(f"must be NAME=rise or NAME=fall, got {text!r}")
    return name, ways[way]


class Inputs:
    """What a model reads of a table.

    Parameters
    ----------
    model : estimator
    names : sequence of str
        The table's columns.
    what : str
        What to call it in messages.
    aside : sequence of str
        Columns that are no inputs, where the model's columns have no names.
    """

    def __init__(self, model: Any, names: Sequence[str], what: str, aside: Sequence[str]) -> None:
        self.model, self._what = model, what
        columns = getattr(model, "columns_", None)
        self._columns: list[Column] | None = None
        #: Rows with gaps where training had none, by column.
        self.gaps: dict[str, int] = {}
        if columns is not None and columns.named:
            self._columns = [column for column, _ in columns.placed]
            needed = [str(column.name) for column in self._columns]
            self.kinds = {
                str(column.name): "number" if isinstance(column, Number) else "text"
                for column in self._columns
            }
        else:
            labels = getattr(model, "feature_names_in_", None)
            needed = [one for one in names if one not in aside] if labels is None else list(labels)
            if len(needed) != model.n_features_in_:
                raise ValueError(
                    f"the model reads {counted(model.n_features_in_, 'column')} without names, and "
                    f"{what} has {len(needed):,}"
                )
            self.kinds = dict.fromkeys(needed, "number")
        lacking = [name for name in needed if name not in names]
        if lacking:
            raise ValueError(
                f"{what} has no column{'s' * (len(lacking) > 1)} {listed(lacking)}, which the "
                f"model was trained with; it has {listed(names)}"
            )

    def of(self, table: FileTable) -> Any:
        """What the model's methods take."""
        if self._columns is None:
            matrix = [as_numbers(table[name], name, table.what) for name in self.kinds]
            return np.column_stack(matrix)
        columns = {str(one.name): self._column(one, table) for one in self._columns}
        return Table(tuple(columns), table.n_rows, columns.__getitem__, table.what)

    def _column(self, column: Column, table: FileTable) -> Values:
        name = str(column.name)
        values = table[name]
        if isinstance(column, Number):
            values = Values(NUMBER, as_numbers(values, name, table.what))
        elif isinstance(column, Date):
            values = Values(DATE, as_dates(values, name, table.what))
        if not getattr(column, "gaps", True):
            count = int(values.missing.sum())
            if count:
                self.gaps[name] = self.gaps.get(name, 0) + count
        return values

    def nothing(self) -> Any:
        """A row without entries, of which the model's predictions have their names and types."""
        if self._columns is None:
            return np.zeros((1, len(self.kinds)))
        empty = {
            str(one.name): Values(NUMBER, np.full(1, np.nan))
            if isinstance(one, Number)
            else Values(TEXT, np.full(1, None))
            for one in self._columns
        }
        return Table(tuple(empty), 1, empty.__getitem__, self._what)

    def tell_gaps(self, telling: Telling) -> None:
        """Say in which columns gaps were not expected."""
        if self.gaps:
            shown = ", ".join(f"{name}{NO_BREAK}({count:,})" for name, count in self.gaps.items())
            telling.remark(
                f"note: entries are missing where the training rows had none: {shown}; the mean of "
                "the training rows, or no category, stands in for them"
            )


def load(path: str, threads: int | None = None) -> Any:
    """The model in a file, which takes so many threads at most, if that is said."""
    from cnn_core import load as load_model

    model: Any = load_model(path)
    if threads is not None and hasattr(model, "n_threads"):
        model.set_params(n_threads=threads)
    return model


def target_names(model: Any) -> tuple[str, ...]:
    """What the columns of y were called in the fit; nothing where that is not known."""
    return _seen(model).targets


def _seen(model: Any) -> Seen:
    fitted = getattr(model, "_fitted", None)
    seen: Seen = getattr(getattr(fitted, "first", fitted), "seen", Seen())  # of several, the first
    return seen


def labels_of(model: Any, name: str, table: FileTable, rows: np.ndarray) -> Any:
    """A column as the y of a fitted model, in some rows."""
    values = table[name].take(rows)
    classes = getattr(model, "classes_", None)
    if classes is None:
        return as_numbers(values, name, table.what)
    known: Mapping[str, Any] = {text_of(one): one for one in classes.tolist()}
    texts = [str(text) for text in as_texts(values)]
    for row, text in enumerate(texts):
        if text not in known and text_of(_number(text)) not in known:
            raise ValueError(
                f"{table.place(int(rows[row]))}, column {name!r}: {text[:60]!r} is no class of the "
                f"model; it knows {listed(known)}"
            )
    return np.array([known[t] if t in known else known[text_of(_number(t))] for t in texts])


def _number(text: str) -> Any:
    number = number_of(text)
    return text if number is None else number
