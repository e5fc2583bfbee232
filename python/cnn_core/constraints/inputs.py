"""From the columns that users name to the inputs of the first layer."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.columns.kinds import Number
from cnn_core.data.validation import listed

if TYPE_CHECKING:
    from cnn_core.columns.columns import Columns


def signs_of_inputs(
    name: str,
    declared: Mapping[Any, int] | None,
    columns: Columns | None,
    names: np.ndarray | None,
    widths: tuple[int, int],
) -> tuple[int, ...]:
    """What is declared, for each input of the first layer; empty where nothing is.

    Parameters
    ----------
    name : str
        Of the parameter of MLP.
    declared : mapping of column to int, or None
    columns : Columns, optional
        Of a table.
    names : ndarray, optional
        Of the features of a matrix.
    widths : (int, int)
        Features of the matrix, and inputs of the first layer, of which they are the first.

    Raises
    ------
    ValueError
        For a column that there is not, and for one that is no number.
    """
    n_features, n_inputs = widths
    signs = [0] * n_inputs
    for column, sign in (declared or {}).items():
        if sign:
            place = (
                _of_matrix(name, column, names, n_features)
                if columns is None
                else _of_table(name, column, columns)
            )
            signs[place] = int(sign)
    return tuple(signs) if any(signs) else ()


def _of_matrix(name: str, column: Any, names: np.ndarray | None, n_features: int) -> int:
    """The place of a feature, by its name or its number."""
    known = [] if names is None else names.tolist()
    if column in known:
        place: int = known.index(column)
        return place
    if isinstance(column, str):
        there = f"X has {listed(known)}" if known else "the features of X have no names"
        raise ValueError(f"{name} names {column!r}, and {there}")
    number = operator.index(column)
    if not 0 <= number < n_features:
        raise ValueError(
            f"{name} has column {number}, and those of X are numbered from 0 to {n_features - 1}"
        )
    return number


def _of_table(name: str, column: Any, columns: Columns) -> int:
    """The place of a column of numbers, by its name."""
    for one, place in columns.placed:
        if one.name == column:
            if isinstance(one, Number):
                return place
            raise ValueError(
                f"{name} names {column!r}, which is {one.words}; only columns of numbers have an "
                "order"
            )
    if column in columns.names:
        words = next(one.words for one in columns.columns if one.name == column)
        raise ValueError(f"{name} names {column!r}, which the network does not see: {words}")
    raise ValueError(f"{name} names {column!r}, and X has {listed(columns.names)}")
