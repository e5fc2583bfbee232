"""Rows to train on and rows to test on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Never, TypeVar, overload

import numpy as np

from cnn_core._checks import is_whole
from cnn_core._few import counted
from cnn_core._names import refuse_keywords, without_unknown
from cnn_core._random import permutation
from cnn_core.data.targets import as_labels, label_indices
from cnn_core.data.validation import plain, refuse_lazy
from cnn_core.parameters import check_random_state, draw_seed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Rows = NDArray[np.intp]
    Seed = int | np.random.Generator | np.random.RandomState | None

_X = TypeVar("_X")
_Y = TypeVar("_Y")

#: Which of the orders that serve to set rows apart; a fit takes number 0. The first rows of each
#: class in one order are tested on, so that it is another one in which rows are handed out.
_CHOICE, _ORDER = 1, 2


@overload
def split(
    X: _X, /, *, test: float = ..., stratify: ArrayLike | None = ..., random_state: Seed = ...
) -> tuple[_X, _X]: ...
@overload
def split(
    X: _X,
    y: _Y,
    /,
    *,
    test: float = ...,
    stratify: ArrayLike | None = ...,
    random_state: Seed = ...,
) -> tuple[_X, _X, _Y, _Y]: ...
@overload
def split(
    *arrays: Any, test: float = ..., stratify: ArrayLike | None = ..., random_state: Seed = ...
) -> tuple[Any, ...]: ...
@without_unknown
def split(
    *arrays: Any,
    test: float = 0.2,
    stratify: ArrayLike | None = None,
    random_state: Seed = None,
    **unknown: Never,
) -> tuple[Any, ...]:
    """Divide rows at random into some to train on and some to test on.

    Parameters
    ----------
    *arrays : array, list, tuple, data frame, series or dict of columns
        Such as X and y, with the same number of rows each.
    test : float or int, default 0.2
        Share of the rows to test on, in (0, 1), rounded up to whole rows; or their number.
    stratify : array-like, shape (rows,), optional
        Class labels, usually y: each class then has the same share of the rows on both sides, as
        nearly as whole rows allow, and at least one.
    random_state : int, numpy Generator, RandomState or None
        An int gives the same rows on every machine, whatever the arrays hold; None others each
        time.

    Returns
    -------
    tuple
        ``X_train, X_test, y_train, y_test, ...``: two parts of each argument, of its own kind, in
        the same random order of the rows. They are copies.

    Raises
    ------
    ValueError, TypeError
        For arguments without rows or of different lengths, a `test` that leaves none to train or to
        test on, and classes that cannot be on both sides.

    Examples
    --------
    >>> from cnn_core.datasets import load_digits, split
    >>> X, y = load_digits()
    >>> X_train, X_test, y_train, y_test = split(X, y, stratify=y, random_state=0)
    >>> len(X_train), len(X_test)
    (1437, 360)
    """
    if unknown:
        refuse_keywords("split", unknown, ("test", "stratify", "random_state"))
    if not arrays:
        raise TypeError("split takes at least one array, such as split(X, y)")
    rows = _n_rows(arrays[0], 1)
    for i, array in enumerate(arrays[1:], 2):
        if (others := _n_rows(array, i)) != rows:
            raise ValueError(
                f"array 1 has {counted(rows, 'row')} and array {i} has {others}; they must have "
                f"the same "
                "number"
            )
    n_test = _n_test(test, rows)
    check_random_state("random_state", random_state)
    groups = np.zeros(rows, np.intp) if stratify is None else _groups(stratify, rows, n_test)
    seed, tests = draw_seed(random_state), np.zeros(rows, bool)
    choice, order = (permutation(seed, i, rows, split=True) for i in (_CHOICE, _ORDER))
    tests[choice[_chosen(groups[choice], n_test)]] = True
    parts = order[~tests[order]], order[tests[order]]
    return tuple(_taken(array, part) for array in arrays for part in parts)


def _n_rows(array: Any, i: int) -> int:
    """The rows of the i-th array."""
    refuse_lazy(array, f"array {i}")
    shape = getattr(array, "shape", None)
    if isinstance(shape, tuple) and shape:
        return int(shape[0])
    is_list = isinstance(array, Sequence) and not isinstance(array, (str, bytes))
    if isinstance(array, Mapping):
        return _n_rows_of_columns(array, i)
    if isinstance(shape, tuple) or not (is_list or _takes(array)):
        raise TypeError(
            f"array {i} is of type {type(array).__name__}; split takes arrays, lists, data frames, "
            "dicts of columns and the like, with an entry for each row"
        )
    return len(array)


def _n_rows_of_columns(table: Mapping[Any, Any], i: int) -> int:
    """The rows of a dict of columns."""
    if not table:
        raise ValueError(f"array {i} is a dict without columns")
    rows: dict[Any, int] = {}
    for name, column in table.items():
        if isinstance(column, Mapping):
            raise TypeError(
                f"column {name!r} of array {i} is of type {type(column).__name__}; a dict of "
                "columns has an array or a list for each"
            )
        try:
            rows[name] = _n_rows(column, i)
        except TypeError as error:
            raise TypeError(f"column {name!r} of {error}") from None
    first, number = next(iter(rows.items()))
    for name, other in rows.items():
        if other != number:
            raise ValueError(
                f"column {first!r} of array {i} has {counted(number, 'row')} and column {name!r} "
                f"has "
                f"{other}; they must have the same number"
            )
    return number


def _takes(array: Any) -> bool:
    """Whether rows are had by the method `take`, as those of pyarrow's arrays without a shape."""
    return type(array).__module__.startswith("pyarrow") and hasattr(array, "take")


def _n_test(test: Any, rows: int) -> int:
    """How many rows to test on."""
    allowed = "a share of the rows above 0 and below 1, or their number"
    if is_whole(test):
        n_test = int(test)
    elif isinstance(test, (float, np.floating)):
        if not 0 < test < 1:
            raise ValueError(f"test must be {allowed}, got {test!r}")
        n_test = math.ceil(round(float(test) * rows, 6))  # 0.07 * 100 is 7.000000000000001
    else:
        raise TypeError(f"test must be {allowed}, got {test!r}")
    if not 0 < n_test < rows:
        raise ValueError(
            f"test={test!r} of {rows} row{'s' * (rows != 1)} leaves none to "
            f"{'test' if n_test < 1 else 'train'} on"
        )
    return n_test


def _groups(stratify: ArrayLike, rows: int, n_test: int) -> Rows:
    """The class of each row as an index; an error where no division has all on both sides."""
    labels = as_labels(stratify, "stratify")
    if len(labels) != rows:
        raise ValueError(
            f"array 1 has {counted(rows, 'row')} and stratify has {len(labels)}; they must have "
            f"the same "
            "number"
        )
    classes, groups = label_indices(labels, "stratify")
    sizes = np.bincount(groups)
    if sizes.min() < 2:
        raise ValueError(
            f"stratify has a single row of the class {plain(classes[sizes.argmin()])!r}; each "
            "class needs two at least, one to train and one to test on"
        )
    for what, n in (("test", n_test), ("train", rows - n_test)):
        if n < len(classes):
            raise ValueError(
                f"stratify has {len(classes)} classes, which cannot all be among the {n} "
                f"row{'s' * (n != 1)} to {what} on"
            )
    return groups.astype(np.intp)


def _chosen(groups: Rows, n_test: int) -> NDArray[np.bool_]:
    """Which rows to test on: of each group the first ones, its share of `n_test`."""
    sizes = np.bincount(groups)
    shares = n_test / len(groups) * sizes
    if len(sizes) == 1:
        taken = np.array([n_test])
    else:
        taken = np.clip(np.floor(shares).astype(np.intp), 1, sizes - 1)
    # Whole rows that are missing, or too many, go to and from those furthest from their shares.
    while missing := n_test - int(taken.sum()):
        step = 1 if missing > 0 else -1
        free = taken < sizes - 1 if missing > 0 else taken > 1
        gaps = np.where(free, step * (shares - taken), -np.inf)
        nearest = np.argsort(-gaps, kind="stable")[: abs(missing)]
        taken[nearest[free[nearest]]] += step
    by_group = np.argsort(groups, kind="stable")
    rank = np.empty(len(groups), np.intp)
    rank[by_group] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rank < taken[groups]


def _taken(array: Any, rows: Rows) -> Any:
    """Some rows of an array, as a new one of its kind."""
    if isinstance(array, Mapping):
        return {name: _taken(column, rows) for name, column in array.items()}
    if hasattr(array, "iloc"):  # pandas
        return array.iloc[rows]
    if _takes(array):
        return array.take(rows)
    if hasattr(array, "shape"):
        return array[rows]
    entries = (array[i] for i in rows.tolist())
    return tuple(entries) if isinstance(array, tuple) else list(entries)
