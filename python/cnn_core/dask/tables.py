"""Tables at the workers: some of their rows tell what the columns become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._warn import kept_warnings
from cnn_core.columns.columns import Columns
from cnn_core.columns.table import read_table
from cnn_core.dask.engine import Engine, hold
from cnn_core.dask.rows import Raw, joined, picked
from cnn_core.data.validation import check_X

if TYPE_CHECKING:
    from collections.abc import Mapping


class SomeRows(NamedTuple):
    """What a shard tells of its table."""

    sample: Any  #: rows
    gaps: frozenset[Any]  #: columns with missing entries in any row


def some_rows(raw: Raw, numbers: np.ndarray) -> SomeRows:
    """The rows of these numbers, and which columns have gaps."""
    table = read_table(raw.X)
    gaps = frozenset(name for name in table.names if table[name].missing.any())
    return SomeRows(picked(raw.X, numbers), gaps)


def learn_columns(
    engine: Engine, raw: list[Any], numbers: list[np.ndarray], kinds: Mapping[Any, Any] | None
) -> Columns:
    """What the columns become.

    Parameters
    ----------
    engine : Engine
    raw : list
        Tasks of `Raw`, whose X are tables.
    numbers : list of ndarray
        The rows of each that stand for all.
    kinds : mapping, optional
        What the user says of some columns.
    """
    found = engine.results([engine.submit(some_rows, *one) for one in zip(raw, numbers)])
    sample = joined([one.sample for one in found if len(one.sample)])
    gaps: frozenset[Any] = frozenset().union(*(one.gaps for one in found))
    return Columns.fitted(read_table(sample), kinds).with_gaps(gaps)


def in_numbers(
    engine: Engine, raw: list[Any], columns: Columns, dtype: str, name: str
) -> list[Any]:
    """Tasks of `Raw` whose X are matrices, in the place of tables that messages call `name`."""
    held = engine.submit(hold, columns)
    return [engine.submit(_matrix, one, held, dtype, name) for one in raw]


def _matrix(raw: Raw, columns: Columns, dtype: str, name: str) -> Raw:
    with kept_warnings():  # of gaps, in rows that are only judged by
        return Raw(check_X(columns.encode(raw.X, name), dtype, name=name), raw.y)
