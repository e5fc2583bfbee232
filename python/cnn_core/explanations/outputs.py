"""Which output is meant, by the number or the class that a user names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cnn_core._checks import is_whole, shown
from cnn_core._names import choose
from cnn_core.data.validation import listed

if TYPE_CHECKING:
    from cnn_core.task import Task


class Output(NamedTuple):
    """What is explained: an output of the network, or 1 less it."""

    number: int
    sign: int  #: -1 for the first of two classes that share an output
    of_z: bool  #: whether z^L is meant, and not a^L

    @property
    def constant(self) -> float:
        """What is added to the output times the sign."""
        return 1.0 if self.sign < 0 and not self.of_z else 0.0


def has_usual(task: Task) -> bool:
    """Whether there is an output that is meant where none is named."""
    if task.name == "classification":
        return task.n_classes == 2 or task.n_outputs == 1
    return task.n_outputs == 1


def number_of(n_outputs: int, names: Sequence[str], output: Any) -> int:
    """The number of the output that a user names by it, or by the name of its target.

    Raises
    ------
    ValueError
        Where there is no such output, with those that there are.
    """
    known = list(names) if len(names) == n_outputs else []
    if is_whole(output) and 0 <= output < n_outputs:
        return int(output)
    if isinstance(output, str) and known.count(output) == 1:
        return known.index(output)
    named = f", or one of the targets {listed(known)}" if known else ""
    raise ValueError(
        f"output must be a whole number from 0 to {n_outputs - 1}{named}, got {shown(output)}"
    )


def output_of(task: Task, output: Any, of: str, names: Sequence[str] = ()) -> Output:
    """The output that a user means.

    Parameters
    ----------
    task : Task
    output : int, str, class label or None
        None: the only one; of two classes the second.
    of : {'output', 'z'}
    names : sequence of str
        Of the targets, by which users may name outputs of a regression, or one of several labels a
        row.

    Raises
    ------
    ValueError
        Where there is no such output, or None does not say which.
    """
    of_z = choose("of", of, ("output", "z")) == 1
    if task.classes is None:
        if output is None and has_usual(task):
            return Output(0, 1, of_z)
        if output is None:
            named = f", or one of the targets {listed(names)}" if names else ""
            raise ValueError(
                f"output must say which of the {task.n_outputs} outputs is meant, from 0 to "
                f"{task.n_outputs - 1}{named}"
            )
        return Output(number_of(task.n_outputs, names, output), 1, of_z)
    if task.name == "multilabel" and isinstance(output, str) and names:
        return Output(number_of(task.n_outputs, names, output), 1, of_z)
    classes = task.classes.tolist()
    shared = task.name == "classification" and task.n_outputs == 1
    if output is None:
        if not has_usual(task):
            raise ValueError(f"output must be the class that is meant, one of {listed(classes)}")
        return Output(task.n_outputs - 1, 1, of_z)
    matches = [i for i, label in enumerate(classes) if label == output]
    if not matches:
        raise ValueError(
            f"output must be one of the classes {listed(classes)}, got {shown(output)}"
        )
    return Output(0, 1 if matches[0] else -1, of_z) if shared else Output(matches[0], 1, of_z)
