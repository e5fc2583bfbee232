"""`Explained`: what is known of a prediction that is to be explained, be it that of one network or
the mean of several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._frozen import Frozen
from cnn_core._jacobian import Jacobian
from cnn_core._warn import warn
from cnn_core.answers import Answers
from cnn_core.columns.columns import labels_of
from cnn_core.data.validation import are_names, check_entries, check_names, check_X, check_x
from cnn_core.task import HARD_THRESHOLD, Task

if TYPE_CHECKING:
    from cnn_core._network import Network
    from cnn_core.columns.columns import Columns
    from cnn_core.model import Model

#: Numbers of rows that are worked on at a time, so that memory does not grow with the rows.
NUMBERS = 1 << 18


class Member(NamedTuple):
    """A network, how it scales what it reads, and what becomes of its outputs."""

    network: Network
    inputs: tuple[Any, ...] | None  #: as `Jacobian` takes them
    outputs: tuple[Any, ...] | None
    seed: int

    @property
    def dtype(self) -> np.dtype[Any]:
        found: np.dtype[Any] = self.network.dtype
        return found


class Matrix(NamedTuple):
    """The features that networks read, and the columns that users give them by."""

    owner: np.ndarray  #: for each feature the position of its column in `Explained.names`
    measured: np.ndarray  #: whether it is the number itself that users give
    encoded: tuple[Any, ...]  #: names


class _Kept:
    """What is made once."""

    #: What differentiates single rows, by the output that users name.
    row_gradients: dict[Any, Callable[[Any], np.ndarray | None]]


class Explained(_Kept, Answers, Frozen):
    """The mean of what some networks predict, which for one network is its prediction.

    Parameters
    ----------
    task : Task
    members : tuple of Member
    names : list
        Of the columns that users give and networks see, or their numbers.
    matrices : tuple of Matrix
        One for all members, or, where their columns of tables differ, one for each.
    read : callable
        From what users give to an array for each matrix, in float64, before scaling.
    columns : Columns or None
        Of tables.
    target_names : tuple of str
        Of the columns of y in training.
    """

    task: Task
    members: tuple[Member, ...]
    names: list[Any]
    matrices: tuple[Matrix, ...]
    read: Callable[[Any], list[np.ndarray]]
    columns: Columns | None = None
    target_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._set(row_gradients={})

    @cached_property
    def jacobians(self) -> list[Jacobian]:
        """What differentiates each network."""
        return [Jacobian(one.network, one.inputs, one.outputs) for one in self.members]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of predictions."""
        return np.result_type(*(one.dtype for one in self.members))

    def read_row(self, x: Any) -> list[np.ndarray]:
        """The same of a row of a matrix, shape (features,)."""
        names = labels_of([*self.matrices[0].encoded])
        check_entries("x", x)
        return [check_x(x, "float64", len(names), names if are_names(names) else None)]

    def matrix_of(self, member: int) -> int:
        """The position of the matrix that a member reads."""
        return member if len(self.matrices) > 1 else 0

    def warn_of_steps(self, of_z: bool) -> bool:
        """Whether derivatives are 0 whatever the rows, which is said then."""
        for one in self.members:
            names = one.network.activations
            hidden = [name for name in names[:-1] if name in HARD_THRESHOLD]
            if hidden or (names[-1] in HARD_THRESHOLD and not of_z):
                name = hidden[0] if hidden else names[-1]
                cure = "" if hidden else "of='z', or "
                warn(
                    f"the activation {name!r} has the derivative 0 everywhere, so all derivatives "
                    f"of this prediction are 0; {cure}importances(X, y, 'permutation') says what "
                    "it depends on",
                    UserWarning,
                )
                return True
        return False


def is_row(explained: Explained, X: Any) -> bool:
    """Whether X is a single row of a matrix."""
    return explained.columns is None and np.ndim(X) == 1 and not hasattr(X, "toarray")


def blocks(rows: int, width: int) -> Iterator[slice]:
    """Slices of some rows of so many numbers."""
    step = max(64, NUMBERS // max(1, width))
    return (slice(first, min(first + step, rows)) for first in range(0, rows, step))


def of_models(models: Sequence[Model], readers: int) -> Explained:
    """The mean of some models, of which the first `readers` each have columns of their own, or the
    first one's are those of all."""
    first, readable = models[0], models[:readers]
    members = tuple(Member(*one.arrays, one.seed) for one in models)
    if first.columns is None:
        n, given = first.n_features, first.feature_names
        names = list(range(n)) if given is None else given.tolist()
        matrices: tuple[Matrix, ...] = (of_features(names),)
    else:
        tables = [one.columns for one in readable if one.columns is not None]
        names = list(dict.fromkeys(one.name for table in tables for one, _ in table.placed))
        matrices = tuple(_of_columns(table, names) for table in tables)
    return Explained(
        first.task,
        members,
        names,
        matrices,
        lambda X: [_read(one, X) for one in readable],
        first.columns,
        first.target_names,
    )


def of_features(names: list[Any]) -> Matrix:
    """A matrix of which each column is a number that users give."""
    return Matrix(np.arange(len(names)), np.ones(len(names), bool), tuple(names))


def _of_columns(columns: Columns, names: list[Any]) -> Matrix:
    owner = np.zeros(columns.width, np.intp)
    for column, at in columns.placed:
        owner[at : at + column.width] = names.index(column.name)
    return Matrix(owner, columns.measured, tuple(columns.encoded))


def _read(model: Model, X: Any) -> np.ndarray:
    """What a network reads of rows, before it is scaled, in float64; checked."""
    if model.columns is None:
        check_names(X, model.feature_names)
        return check_X(X, "float64", model.n_features)
    return np.ascontiguousarray(model.unscaled(X))
