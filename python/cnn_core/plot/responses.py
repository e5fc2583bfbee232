"""How predictions change with one column."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._checks import shown
from cnn_core._few import counted
from cnn_core.plot._axes import axes_for, check_ax, ink, plain, titled
from cnn_core.plot._fitted import fitted_of, output_name, prediction, some_rows
from cnn_core.plot._style import MOST, SKY, short, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cnn_core.plot._fitted import Estimator

#: Points of a curve, and most rows that it is the mean of.
POINTS, MOST_ROWS = 50, 500
#: Rows whose own curves are drawn.
CURVES = 50


def responses(
    model: Estimator,
    X: ArrayLike,
    column: Any,
    *,
    output: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """The prediction for each value of one column, all others being as they are: the mean over the
    rows (partial dependence, Friedman 2001) and the curves of single rows (Goldstein et al. 2015).

    Where the thin curves are parallel the column acts alone; where they cross, how it acts depends
    on other columns. Short strokes at the bottom are tenths of the rows: curves between far ones
    rest on few.

    Parameters
    ----------
    model : MLP, TabularMLP or Ensemble
        Fitted.
    X : array-like, shape (rows, features)
        Of more than 500 rows some are taken, spread evenly; 50 have a curve of their own.
    column : str or int
        Name of the column, or its number where columns have no names. Numbers run from the 1 % to
        the 99 % quantile; of more than 20 categories the most frequent are drawn.
    output : int, str or class label, optional
        As for `MLP.input_gradient`.
    ax : Axes, optional
        Default a new figure.

    Returns
    -------
    Axes
    """
    check_ax(ax)
    name = output_name(model, output)
    column = column.item() if isinstance(column, np.generic) else column
    values, replaced, rows = _column(fitted_of(model), X, column)
    if values.dtype.kind == "f":
        known = values[np.isfinite(values)]
        if not known.size:
            raise ValueError(f"column {column!r} of X has no number to draw")
        low, high = np.quantile(known, (0.01, 0.99))
        places = np.linspace(low, high, POINTS)
        if len(np.unique(known)) <= 10:
            places = np.unique(known)
    else:
        places = _frequent(values)
    curves = np.array([prediction(model, replaced(place), output) for place in places])
    ax = axes_for(ax, (6.0, 4.0))
    single = some_rows(rows, CURVES)
    if values.dtype.kind == "f":
        _lines(ax, places, curves, single)
        tenths = np.quantile(known, np.arange(1, 10) / 10)
        ax.plot(tenths, [0.025] * 9, "|", color=ink(ax), ms=9, transform=ax.get_xaxis_transform())
    else:
        _points(ax, shortened(map(_bare, places)), curves, single)
    whole = f"column {column}" if isinstance(column, int) else str(column)
    ax.set_xlabel(short(whole, 40))
    ax.set_ylabel(name)
    titled(ax, f"{name[0].upper()}{name[1:]} by {short(whole, 30)}, {counted(rows, 'row')}")
    ax.legend(loc="upper right", framealpha=0.9, edgecolor="none", fontsize=8.5)
    plain(ax)
    return ax


def _column(found: Any, X: Any, column: Any) -> tuple[np.ndarray, Callable[[Any], Any], int]:
    """The entries of a column, what makes X with one value in it, and the number of rows."""
    if found.columns is not None:
        return _of_table(found.columns, X, column)
    found.check_X(X)
    names: list[Any] = found.explained.names
    if column not in names:
        raise _no_column(column, names)
    array, at = np.asarray(X, float), names.index(column)
    array = array[some_rows(len(array), MOST_ROWS)]

    def replaced(value: float) -> np.ndarray:
        rows: np.ndarray = array.copy()
        rows[:, at] = value
        return rows

    return array[:, at], replaced, len(array)


def _no_column(column: Any, names: list[Any]) -> ValueError:
    known = ", ".join(map(repr, names[:8])) + (", ..." if len(names) > 8 else "")
    return ValueError(f"the model has no column {shown(column)}; it was fitted to {known}")


def _of_table(columns: Any, X: Any, column: Any) -> tuple[np.ndarray, Callable[[Any], Any], int]:
    from cnn_core.columns.kinds import Category
    from cnn_core.columns.table import DATE, Table

    if column not in columns.names:
        raise _no_column(column, columns.names)
    table = columns.table(X)
    table = table.take(some_rows(len(table), MOST_ROWS))
    values = table[column]
    if values.kind == DATE:
        raise ValueError(f"column {column!r} is a date; responses draws numbers and categories")
    category = isinstance(columns.columns[columns.names.index(column)], Category)

    def replaced(value: Any) -> Any:
        array = values.array.copy()
        array[:] = value
        changed = values._replace(array=array, exact=None)
        return Table(
            table.names, len(table), lambda name: changed if name == column else table[name]
        )

    array = values.array.astype(object) if category else values.array
    return array, replaced, len(table)


def _frequent(values: np.ndarray) -> np.ndarray:
    """The categories, the most frequent first, without missing ones."""
    counts: dict[Any, int] = {}
    for value in values.tolist():
        if value is not None and value == value:
            counts[value] = counts.get(value, 0) + 1
    order = sorted(counts, key=lambda value: (-counts[value], str(value)))[:MOST]
    found = np.empty(len(order), object)
    found[:] = order
    return found


def _bare(value: Any) -> Any:
    """A category that is a whole number, without its point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _lines(ax: Axes, places: np.ndarray, curves: np.ndarray, single: np.ndarray) -> None:
    marker = "o" if len(places) <= 10 else ""
    for i, row in enumerate(single):
        label = "single rows" if not i else "_"
        ax.plot(places, curves[:, row], color=SKY, linewidth=0.7, alpha=0.6, label=label)
    ax.plot(
        places,
        curves.mean(axis=1),
        color=ink(ax),
        linewidth=2.4,
        marker=marker,
        label="mean of all",
    )


def _points(ax: Axes, names: list[str], curves: np.ndarray, single: np.ndarray) -> None:
    """A column of points a category."""
    across = np.arange(len(names))
    for i, row in enumerate(single):
        label = "single rows" if not i else "_"
        ax.plot(across, curves[:, row], "_", color=SKY, ms=14, alpha=0.7, label=label)
    ax.plot(across, curves.mean(axis=1), "D", color=ink(ax), ms=6, label="mean of all")
    long = sum(map(len, names)) + 2 * len(names) > 60
    turned: dict[str, Any] = {"rotation": 40, "ha": "right"} if long else {}
    ax.set_xticks(across, names, **turned)
    ax.set_xlim(-0.6, len(names) - 0.4)
