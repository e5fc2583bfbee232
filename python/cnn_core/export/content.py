"""What is exported of an estimator, be it one network or the mean of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core.columns.kinds import Column, Omitted
from cnn_core.interchange.checks import check_finite

if TYPE_CHECKING:
    from cnn_core._network import Network
    from cnn_core.columns.columns import Columns
    from cnn_core.explanations.explained import Explained
    from cnn_core.export.spread import Spread
    from cnn_core.model import Model
    from cnn_core.task import Task


class Member(NamedTuple):
    """A network, how it scales what it reads, and what becomes of its outputs."""

    network: Network
    #: Shift and factor, float64, and the curve, as `Scaling.arrays` has them.
    inputs: tuple[np.ndarray, np.ndarray, str] | None
    #: Factor, shift, low and high, as `TargetScaling.arrays` has them.
    outputs: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None
    columns: Columns | None  #: of tables

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its layers."""
        found: np.dtype[Any] = self.network.dtype
        return found

    @property
    def n_numbers(self) -> int:
        """Columns of the matrix that it reads which are no numbers of categories; they come
        first."""
        return int(self.network.n_features) - len(self.network.embeddings)


class Content(NamedTuple):
    """All that predictions are made from."""

    task: Task
    members: tuple[Member, ...]
    n_features: int
    names: list[Any] | None  #: of the features or the columns, where they have some
    target_names: tuple[str, ...]
    spread: Spread | None = None  #: what is written beside predictions

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of predictions."""
        return np.result_type(*(one.dtype for one in self.members))

    @property
    def reads_tables(self) -> bool:
        """Whether X is a table, and no matrix."""
        return self.members[0].columns is not None

    @property
    def has_probabilities(self) -> bool:
        """Whether there is a `predict_proba`."""
        name, output, n = self.task.name, self.task.output, self.task.n_outputs
        if name == "classification":
            return output == "softmax" or (output == "sigmoid" and n == 1)
        return name == "multilabel" and output == "sigmoid"

    @property
    def columns(self) -> list[Column]:
        """Those of tables that a network sees, in the order of the training table."""
        found: dict[Any, Column] = {}
        for member in self.members:
            for one in () if member.columns is None else member.columns.columns:
                if not isinstance(one, Omitted):
                    found.setdefault(one.name, one)
        return list(found.values())

    @property
    def words(self) -> str:
        """The networks in a line."""
        network = self.members[0].network
        shape = "-".join(map(str, network.widths))
        text = f"{shape}, {', '.join(network.activations)}, in {network.dtype}"
        n = len(self.members)
        return text if n == 1 else f"the mean of {n} networks, of which the first is {text}"


def of_models(models: Sequence[Model], what: str, spread: Spread | None) -> Content:
    """The mean of some models, which for one is its prediction; `what` asks for it."""
    first = models[0]
    members = tuple(Member(*one.arrays, one.columns) for one in models)
    names = first.feature_names
    columns = None if first.columns is None else first.columns.names
    given = columns if names is None else names.tolist()
    found = Content(first.task, members, first.n_features, given, first.target_names, spread)
    return checked(found, what)


def of_explained(explained: Explained, what: str, spread: Spread | None) -> Content:
    """Estimators that read a matrix and scale nothing themselves."""
    members = tuple(Member(one.network, one.inputs, one.outputs, None) for one in explained.members)
    names = explained.names if all(isinstance(one, str) for one in explained.names) else None
    found = Content(
        explained.task, members, len(explained.names), names, explained.target_names, spread
    )
    return checked(found, what)


def checked(content: Content, what: str) -> Content:
    """The content of a net that can be exported."""
    check_finite([member.network for member in content.members], what)
    return content


def label_array(content: Content, what: str) -> np.ndarray:
    """The class labels: texts, bool, int64 or float64.

    Raises
    ------
    ValueError
        For labels of another kind, or of several.
    """
    assert content.task.classes is not None
    labels = content.task.classes.tolist()
    kinds = {type(one) for one in labels}
    if kinds == {str}:
        return np.array(labels, object)
    if kinds == {bool} or kinds == {float}:
        return np.array(labels)
    if kinds == {int} and all(-(2**63) <= one < 2**63 for one in labels):
        return np.array(labels, np.int64)
    odd = next((one for one in labels if type(one) not in (str, bool, int, float)), None)
    found = f"of the type {type(odd).__name__}" if odd is not None else "of several kinds"
    raise ValueError(
        f"{what} writes class labels that are all texts, or all whole numbers of 64 bits, "
        f"or all decimal numbers; these are {found}"
    )
