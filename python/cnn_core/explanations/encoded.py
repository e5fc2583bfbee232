"""Rows as networks read them, so that many predictions of almost the same rows scale them once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._cpu import with_subnormals
from cnn_core._ensemble import EnsemblePredictor, same_inputs
from cnn_core._linalg import scale_rows
from cnn_core.mean import mean_outputs

if TYPE_CHECKING:
    from cnn_core.explanations.explained import Explained, Member


class _Reader(NamedTuple):
    """The networks that read a matrix."""

    predictor: EnsemblePredictor
    dtype: np.dtype[Any]  #: of the rows that it takes
    inputs: tuple[Any, ...] | None  #: how these are scaled beforehand


class Encoded:
    """What predicts from scaled rows.

    Parameters
    ----------
    explained : Explained
    threads : int
    """

    def __init__(self, explained: Explained, threads: int) -> None:
        self.explained, self.threads = explained, threads
        members = explained.members
        shared = len(explained.matrices) == 1
        self.readers = [_reader(members)] if shared else [_reader((one,)) for one in members]
        regression = explained.task.name == "regression"
        self.precise: Any = np.float64 if regression else explained.dtype

    def scaled(self, matrix: int, values: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Numbers of some columns of a matrix as its networks read them, in a new array."""
        reader = self.readers[matrix]
        with np.errstate(over="ignore"):
            found: np.ndarray = with_subnormals(values.astype, (reader.dtype,))
        if reader.inputs is not None:
            shift, factor, curve = reader.inputs
            numbers = np.flatnonzero(columns < len(shift))  # the others are those of categories
            some, at = np.ascontiguousarray(values[:, numbers]), columns[numbers]
            scaled = np.empty(some.shape, reader.dtype)
            scale_rows(some, shift[at], factor[at], scaled, curve)
            found[:, numbers] = scaled
        return found

    def outputs(self, rows: list[np.ndarray]) -> np.ndarray:
        """What predictions and scores are made of."""
        predictors = tuple(one.predictor for one in self.readers)
        a = mean_outputs(predictors, rows, self.threads, False, self.precise)
        assert a is not None
        return a


def _reader(members: tuple[Member, ...]) -> _Reader:
    first = members[0]
    alike = all(
        one.dtype == first.dtype and same_inputs(one.inputs, first.inputs) for one in members
    )
    predictor = EnsemblePredictor(
        tuple((one.network, None if alike else one.inputs, one.outputs) for one in members)
    )
    if alike:
        return _Reader(predictor, first.dtype, first.inputs)
    return _Reader(predictor, np.dtype(np.float64), None)
