"""`MeanModel`: the mean of what several fitted models predict."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._cpu import with_subnormals
from cnn_core._ensemble import EnsemblePredictor
from cnn_core._frozen import Frozen, replace
from cnn_core._state import damage_told
from cnn_core.answers import Answers
from cnn_core.data.validation import (
    check_entries,
    check_names,
    check_out,
    check_X,
    check_x,
    listed,
)
from cnn_core.model import Model
from cnn_core.model_checks import check_calibration
from cnn_core.threads import threads_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.columns.columns import Columns
    from cnn_core.conformal import Calibration
    from cnn_core.explanations.explained import Explained
    from cnn_core.task import Task


class _Predicts:
    """What the mean is computed with, made from the models."""

    #: One for all models, or, where their columns differ, one for each.
    predictors: tuple[EnsemblePredictor, ...]
    #: What takes single rows, as `RowPredictor` does.
    one_row: Any
    checked_row: Any


class MeanModel(_Predicts, Answers, Frozen):
    """The mean of the outputs of some models, in the units of the targets: of numbers, or of
    probabilities. It is summed in the order of the models, in float64, and rounded once.

    Parameters
    ----------
    models : tuple of Model
        As `check_alike` wants them.
    calibration : Calibration or None
        What `calibrate` has learned of the mean.
    """

    models: tuple[Model, ...]
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        models = with_shared_columns(self.models)
        members = [one.arrays for one in models]
        columns = models[0].columns
        rows: Any = SimpleNamespace(forward=_takes_none, forward_checked=_takes_none)
        if any(one.columns is not columns for one in models):
            predictors = tuple(EnsemblePredictor((one,)) for one in members)
        else:
            predictors = (EnsemblePredictor(tuple(members)),)
            rows.forward = predictors[0].forward_one
            rows.forward_checked = predictors[0].forward_checked
            if columns is not None:
                from cnn_core.columns.rows import TableRows

                rows = TableRows(columns, rows)
        self._set(models=models, predictors=predictors, one_row=rows)
        self._set(checked_row=rows.forward_checked)

    def __getstate__(self) -> dict[str, Any]:
        return {"models": self.models, "calibration": self.calibration}

    def __setstate__(self, state: dict[str, Any]) -> None:
        with damage_told("model"):
            check_alike(state["models"])
            known = state.get("calibration")  # older pickles have none
            self._set(models=state["models"], calibration=known)
            self.__post_init__()
            check_calibration(known, self.task)

    @cached_property
    def explained(self) -> Explained:
        """What explanations are made from."""
        from cnn_core.explanations.explained import of_models

        return of_models(self.models, len(self.predictors))

    @property
    def first(self) -> Model:
        """The model that says what all have alike."""
        return self.models[0]

    @property
    def task(self) -> Task:
        return self.first.task

    @property
    def columns(self) -> Columns | None:
        return self.first.columns

    @property
    def feature_names(self) -> np.ndarray | None:
        """As in training."""
        return self.first.feature_names

    @property
    def n_features(self) -> int:
        """Features that X must have."""
        return self.first.n_features

    @property
    def target_names(self) -> tuple[str, ...]:
        return self.first.target_names

    def check_X(self, X: ArrayLike) -> np.ndarray:
        return self.first.check_X(X)

    def outputs(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
        a = self.checked_row(X)  # a single row, if the native core takes it as it is
        return self._outputs(X, n_threads, None) if a is None else a

    def precise_outputs(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
        return self._outputs(X, n_threads, np.float64)

    def quantiles(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
        from cnn_core.distributions import mean_of

        return mean_of([one.quantiles(X, backend, n_threads) for one in self.models])

    def mean_and_variance(
        self, X: ArrayLike, backend: str, n_threads: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        from cnn_core.distributions import total_variance

        found = [one.mean_and_variance(X, backend, n_threads) for one in self.models]
        return total_variance(*zip(*found))

    def predict(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
        return self.labels(self.outputs(X, backend, n_threads))

    def row(self, x: Any, out: np.ndarray | None, backend: str, check: bool) -> np.ndarray:
        """The mean for one row that the native core does not take as it is, shape (n_outputs,)."""
        n_outputs, dtype = self.task.n_outputs, self._dtype
        out = np.empty(n_outputs, dtype) if out is None else out
        check_out(out, dtype, n_outputs)
        if check and self.columns is None:
            check_entries("x", x)
        a = self._mean([_read_row(one, x) for one in self._readers], 1, False, dtype)
        assert a is not None
        if check and not np.isfinite(a).all():
            self._warn_of_overflow([x] if self.columns is not None else np.asarray(x)[None], 1)
        out[:] = a[0]
        return out

    @property
    def _dtype(self) -> np.dtype[Any]:
        return np.result_type(*(one.dtype for one in self.predictors))

    @property
    def _readers(self) -> tuple[Model, ...]:
        """A model for each predictor, whose columns it has."""
        return self.models[: len(self.predictors)]

    def _outputs(self, X: ArrayLike, n_threads: int | None, dtype: Any) -> np.ndarray:
        """The mean for rows that users give, shape (rows, n_outputs)."""
        rows, threads = [_read(one, X) for one in self._readers], threads_of(n_threads)
        a = self._mean(rows, threads, True, dtype)
        if a is None:
            for one in self.models:
                one.check_X(X)  # says which entry is wrong
            a = self._mean(rows, threads, False, dtype)  # only if X has changed since
            assert a is not None
        if not np.isfinite(a).all():
            self._warn_of_overflow(X, n_threads)
        return a

    def _mean(
        self, rows: Sequence[np.ndarray], threads: int, checks: bool, dtype: Any
    ) -> np.ndarray | None:
        """The mean for rows as each predictor takes them; None where they are refused."""
        return mean_outputs(self.predictors, rows, threads, checks, dtype or self._dtype)

    def _warn_of_overflow(self, X: Any, n_threads: int | None) -> None:
        """Say which outputs are no numbers, as the first model says it that has such."""
        for one in self.models:
            if not np.isfinite(one.outputs(X, "native", n_threads)).all():
                return


def mean_outputs(
    predictors: tuple[EnsemblePredictor, ...],
    rows: Sequence[np.ndarray],
    threads: int,
    checks: bool,
    dtype: Any,
) -> np.ndarray | None:
    """The mean over predictors that each have rows of their own, shape (rows, n_outputs); None
    where they are refused."""
    total: np.ndarray | None = None
    for predictor, matrix in zip(predictors, rows):
        one = len(predictors) == 1
        a = predictor.forward(matrix, threads, checks, dtype if one else np.float64)
        if a is None or one:
            return a
        total = a if total is None else total + a
    assert total is not None
    rounded: np.ndarray = with_subnormals((total / len(predictors)).astype, (dtype,))
    return rounded


def _takes_none(*_: object) -> None:
    """What takes single rows where there is no fast way."""


def _read(model: Model, X: ArrayLike) -> np.ndarray:
    """Rows that users give, before they are scaled, in a dtype that the native core takes."""
    if model.columns is not None:
        return model.columns.encode(X)
    check_names(X, model.feature_names)
    given = getattr(X, "dtype", None)
    dtype = "float32" if given == np.float32 else "float64"
    return check_X(X, dtype, model.n_features, check_entries=hasattr(X, "columns"))


def _read_row(model: Model, x: Any) -> np.ndarray:
    """The same of one row, shape (1, n_features)."""
    names = model.feature_names
    if model.columns is not None:
        from cnn_core.columns.rows import row_of

        x, names = model.columns.encode_row(row_of(x, model.columns.names)), None
    return check_x(x, "float64", model.n_features, names)


def with_shared_columns(models: tuple[Model, ...]) -> tuple[Model, ...]:
    """The models with the `Columns` of the first in the place of equal ones."""
    first = models[0].columns
    if first is None or all(one.columns is first for one in models):
        return models
    from cnn_core.files.columns import COLUMNS

    written = COLUMNS.write(first, "", {})
    return tuple(
        replace(one, columns=first)
        if one.columns is not first and COLUMNS.write(one.columns, "", {}) == written
        else one
        for one in models
    )


def check_alike(models: Sequence[Model]) -> None:
    """Raise unless the outputs of the models mean the same and are of the same rows.

    Raises
    ------
    ValueError
        For the first model that differs from models[0]: in what, and what both have.
    """
    first = models[0]
    for k, one in enumerate(models):
        for what, of in _ALIKE:
            mine, others = of(one), of(first)
            if mine != others:
                raise ValueError(
                    "the models of an Ensemble must be of the same task, classes, outputs and "
                    f"columns of X; models[{k}] has {what} {_shown(mine)}, and models[0] "
                    f"{_shown(others)}"
                )


def _shown(value: Any) -> str:
    if value is None or value == ():
        return "none"
    return listed(value) if isinstance(value, tuple) else f"{value!r}"


def _classes(model: Model) -> Any:
    classes = model.task.classes
    return None if classes is None else tuple(classes.tolist())


def _names(model: Model) -> Any:
    names = model.columns.names if model.columns is not None else model.feature_names
    return None if names is None else tuple(names)


#: What models must have alike, in words, and from each of them.
_ALIKE: tuple[tuple[str, Any], ...] = (
    ("the task", lambda one: one.task.name),
    ("the classes", _classes),
    ("the number of outputs", lambda one: one.task.n_outputs),
    ("outputs of the network for each", lambda one: one.task.heads),
    ("the quantiles", lambda one: one.task.quantiles),
    ("the output", lambda one: one.task.output),
    ("targets of", lambda one: one.task.target_range),
    ("y of dimension", lambda one: 1 if one.task.flat else 2),
    ("columns of a table", lambda one: one.columns is not None),
    ("the features", _names),
    ("the number of features", lambda one: one.n_features if one.columns is None else 0),
)
