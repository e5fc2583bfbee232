"""The target of a table: y, or the name of the column that holds it."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_core._warn import warn
from cnn_core.columns.kinds import Category
from cnn_core.columns.parsing import as_numbers, as_texts, number_of
from cnn_core.columns.table import BOOL, DATE, NUMBER, TEXT, Table, Values, text_of
from cnn_core.data.number_texts import conversion
from cnn_core.data.rounding import EXACT
from cnn_core.data.validation import check_order_of_targets, listed, plain

#: Different whole numbers up to which they are classes, where each comes twice on average.
FEW = 20
_WHOLE = (bool, int, np.bool_, np.integer)


def names_of_target(table: Table, y: Any) -> tuple[Any, ...]:
    """The columns that y names: by a text or a number, or by some texts of which one is a column
    and which are not as many as the rows, whose labels they would be. None for another y."""
    if names_column(y):
        return (plain(y),)
    if not hasattr(y, "__len__") or len(y) == table.n_rows or getattr(y, "ndim", 1) != 1:
        return ()
    names = tuple(y.tolist() if hasattr(y, "tolist") else y)
    known = all(isinstance(one, str) for one in names) and any(one in table for one in names)
    return names if known else ()


def texts_of_target(table: Table, y: Any) -> tuple[str, ...]:
    """The same where they are texts, which models keep."""
    names = names_of_target(table, y)
    return names if all(isinstance(one, str) for one in names) else ()


def split_target(table: Table, y: Any, what: str = "y") -> tuple[Table, Any]:
    """The table without the columns that y names, and their entries; of another y both as they
    are.

    Parameters
    ----------
    table : Table
    y : array-like, str, int or list of str
    what : str
        What to call y in messages.

    Returns
    -------
    (Table, array-like)

    Raises
    ------
    ValueError
        Where there is no such column, or an entry of it is missing.
    """
    names = names_of_target(table, y)
    if not names:
        return table, y
    rest = table
    for name in names:
        if name not in table:
            raise ValueError(
                f"{what} names the column {name!r}, which {table.what} does not have; it has "
                f"{listed(table.names)}"
            )
        rest = rest.without(name)
    if not rest.names:
        raise ValueError(
            f"{table.what} has no column beside the target {listed(names)}, and so nothing to "
            "predict it from"
        )
    if names_column(y):
        return rest, target_of(table[y], y, table.what)
    columns = [target_of(table[name], name, table.what) for name in names]
    for name, column in zip(names, columns):
        if column.dtype.kind not in "iufb":
            raise TypeError(
                f"{what} names several columns, which must hold numbers, and {name!r} of "
                f"{table.what} holds texts; fit one model for each column of classes"
            )
    return rest, np.column_stack(columns)


def names_column(y: Any) -> bool:
    """Whether y is the name of a column, or the number that one has for a name."""
    return isinstance(y, (str, int, np.integer)) and not isinstance(y, bool)


def known_target(
    table: Table,
    y: Any,
    classes: np.ndarray | None,
    trained: tuple[str, ...],
    what: str = "y",
) -> tuple[Table, Any]:
    """The same for a model that is fitted: the entries as it has them, True being 'TRUE' where that
    is one of its classes, and texts of numbers numbers where it has none.

    Parameters
    ----------
    table : Table
    y : array-like, str or int
    classes : ndarray or None
        The model's; None for a regression.
    trained : tuple of str
        The names of the targets in training, of which `y` may not name the same in another order.
    what : str
        What to call y in messages.
    """
    check_order_of_targets(names_of_target(table, y), trained, what)
    rest, labels = split_target(table, y, what)
    if labels is y or not names_column(y):
        return rest, labels
    values = table[y]
    if classes is None:
        return rest, as_numbers(values, y, table.what) if values.kind == TEXT else labels
    known = classes.tolist()
    category = Category("y", tuple(map(text_of, known)), False, False)
    texts = as_texts(values)
    places = {text: category.place(str(text)) for text in set(texts)}
    if None in places.values() or len(set(category.values)) < len(known):
        return rest, labels
    return rest, np.array([known[places[text]] for text in texts])


def chosen_target(table: Table, y: Any) -> tuple[Table, Any]:
    """The same for a fit of which the user does not say whether the entries are classes: words and
    few whole numbers are.

    Parameters
    ----------
    table : Table
    y : array-like, str or int

    Raises
    ------
    ValueError
        Where texts are too many to be classes.
    """
    rest, labels = split_target(table, y)
    if labels is y or not names_column(y):
        return rest, labels
    return rest, chosen_labels(table[y], labels, plain(y), table.what)


def chosen_labels(values: Values, labels: np.ndarray, name: Any, what: str = "X") -> np.ndarray:
    """The entries of a column as y: numbers, or labels of classes, whichever they look like.

    Parameters
    ----------
    values : Values
    labels : ndarray
        The same, from `target_of`.
    name : str or int
        Of the column.
    what : str
        What to call the table in messages.
    """
    number = numbers_of_texts(values)
    words, chosen = task_of(values if number is None else number)
    if chosen == "regression":
        return (values if number is None else number).array.astype(np.float64)
    labels = as_classes(labels)
    if values.kind == TEXT:
        why = too_many(values)
        if why:
            raise ValueError(
                f"the target {name!r} of {what} has {why}; name another column, or say "
                "task='classification'"
            )
    elif values.kind == NUMBER and _are_unclear(len(np.unique(labels)), len(labels)):
        warn(
            f"the target {name!r} has {words}, which are taken for classes; task='regression' "
            "predicts them as numbers, and task='classification' says that they are classes",
            UserWarning,
        )
    return labels


def as_classes(labels: np.ndarray) -> np.ndarray:
    """Labels of classes, 1 in the place of 1.0."""
    if labels.dtype.kind != "f" or (np.abs(labels) >= EXACT).any():
        return labels
    whole: np.ndarray = labels.astype(np.int64)
    return whole if (whole == labels).all() else labels


def _are_unclear(different: int, rows: int) -> bool:
    """Whether whole numbers may be amounts, unless `meaning` says so of the classes anyway."""
    from cnn_core.meaning import MANY_CLASSES, ROWS_A_CLASS

    return different > 2 and not (different > MANY_CLASSES and rows < ROWS_A_CLASS * different)


def task_of(values: Values) -> tuple[str, str]:
    """What a column holds, and the task that this suggests; no entry is missing."""
    if values.kind == NUMBER:
        array = values.array
        different = len(np.unique(array if values.exact is None else values.exact))
        whole = bool((np.floor(array) == array).all())
        if whole and (different <= 2 or different <= min(FEW, len(array) / 2)):
            return f"{different} different whole numbers", "classification"
        return f"{different:,} different numbers", "regression"
    different = len(set(as_texts(values)))
    return (
        f"{different:,} different {'values' if values.kind == BOOL else 'texts'}",
        "classification",
    )


def numbers_of_texts(values: Values) -> Values | None:
    """Texts that are all numbers, too many or too long to be classes, as such."""
    if values.kind != TEXT or values.labels is not None:
        return None
    found = [number_of(text) for text in values.array]
    if None in found:
        return None
    numbers = values._replace(kind=NUMBER, array=np.array(found, np.float64))
    if not np.isfinite(numbers.array).all() or task_of(numbers)[1] == "classification":
        return None
    return numbers


def too_many(values: Values) -> str:
    """Why texts are too many to be classes, if they are."""
    texts = list(dict.fromkeys(as_texts(values)))
    if len(texts) <= FEW:
        return ""
    change = conversion([text for text in texts if text is not None])
    many = f"{len(texts):,} different texts in {len(values.array):,} rows"
    if change:
        return f"{many} that look like numbers, such as {texts[0]!r}, which {change} makes of each"
    return f"{many}, too many to be classes" if 2 * len(texts) > len(values.array) else ""


def target_of(values: Values, name: Any, what: str) -> np.ndarray:
    """A column as y: numbers, or the labels of classes."""
    missing = values.missing
    if missing.any():
        count, row = int(missing.sum()), int(missing.argmax())
        place = row if values.place is None else values.place(row)
        raise ValueError(
            f"the target {name!r} of {what} is missing in {count:,} row{'s' * (count > 1)}, the "
            f"first is {place if isinstance(place, str) else f'row {place}'}; drop such rows"
        )
    if values.kind == DATE:
        raise TypeError(
            f"the target {name!r} of {what} holds dates; give it as numbers, such as days since a "
            "fixed date"
        )
    if values.kind == TEXT:
        texts, labels = as_texts(values), values.labels
        if labels is not None and all(isinstance(one, _WHOLE) for one in labels.values()):
            return np.array([labels[text] for text in texts])  # type: ignore[index]
        return np.array(texts, str)
    if values.exact is not None:
        exact = np.array(values.exact.tolist())
        return exact if exact.dtype.kind in "iu" else values.array
    if values.kind == NUMBER:
        whole = values.whole and (np.abs(values.array) < EXACT).all()
        return values.array.astype(np.int64) if whole else values.array
    return values.array.astype(bool)
