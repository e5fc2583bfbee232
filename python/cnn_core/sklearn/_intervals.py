"""Calibrated intervals of scikit-learn's regressor, as `cnn_core.MLP` has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from cnn_core._checks import check_number
from cnn_core._control import Exclusive
from cnn_core._few import counted
from cnn_core._frozen import replace
from cnn_core._warn import warn
from cnn_core.causes.seen import MARKED, NOT_APART, Seen, are_known, marks_of
from cnn_core.conformal import calibration, interval
from cnn_core.sklearn._checks import check_numbers
from cnn_core.sklearn._model import ABSENT, FittedModel
from cnn_core.sklearn._weights import dense_rows, rows_at_once
from cnn_core.task import Task

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core._typing import MatrixLike, Reals
    from cnn_core.answers import Answers


class _Outputs:
    """The predictions of one fitted model, as intervals are made from."""

    def __init__(self, estimator: Calibrated, n_outputs: int) -> None:
        self.estimator = estimator
        self.task = Task("regression", "mse", "identity", n_outputs, flat=n_outputs == 1)

    def precise_outputs(self, X: Any, backend: str, n_threads: int | None) -> np.ndarray:
        return self.estimator._outputs(X)[1].astype(np.float64)


def _are_of_training(model: FittedModel, X: Any, y: np.ndarray) -> bool:
    """Whether most of some rows are rows that a model was fitted to."""
    dtype = model.coefs[0].dtype
    with np.errstate(over="ignore"):
        targets = y.astype(dtype, copy=False)
        at_once = rows_at_once(X, dtype.itemsize)
        marks = [
            mark
            for first in range(0, X.shape[0], at_once)
            for mark in marks_of(
                dense_rows(X, dtype, first, first + at_once), targets[first : first + at_once]
            )
        ]
    return are_known(model.seen.rows, model.seen.marks, marks)


class Calibrated:
    """The methods of a regressor that make intervals."""

    if TYPE_CHECKING:
        _model: FittedModel

        def _outputs(self, X: Any) -> tuple[FittedModel, np.ndarray]:
            """The present model, and its outputs for all rows of X."""

        def _copy(self, model: FittedModel) -> Self:
            """Another estimator with that model."""

    def calibrate(self, X: MatrixLike, y: ArrayLike) -> Self:
        """Learn from rows that the model was not fitted to how far y lies from what it predicts,
        for `predict_interval`. Nothing that `predict` gives changes.

        It is lost where the model is fitted or its weights are set anew; weights that are changed
        in their arrays need another `calibrate`.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
            Rows by which early stopping has chosen the epoch count as fitted to.
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
            An interval of 90 % needs 9 rows at least, one of 95 % 19, one of 99 % 99.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For rows that cannot be predicted. The model is then as it was.

        Warns
        -----
        UserWarning
            Where most of the rows are some that this object was given to fit, as far as 32 of
            these tell; not of a model from a file, and not where rows come several times.
        """
        with Exclusive(self):
            model = self._model
            snapshot = self._copy(model)
            check_is_fitted(snapshot)
            check_numbers("X", X)
            check_numbers("y", y)
            X, targets = validate_data(
                snapshot, X, y, accept_sparse=["csr", "csc"], multi_output=True, y_numeric=True,
                reset=False,
            )  # fmt: skip
            wide = np.asarray(targets, np.float64).reshape(len(targets), -1)
            if wide.shape[1] != model.n_outputs:
                raise ValueError(
                    f"y has {counted(wide.shape[1], 'column')}, and the model predicts "
                    f"{model.n_outputs}"
                )
            outputs = cast("Answers", _Outputs(snapshot, model.n_outputs))
            found = calibration(outputs, X, wide, "native", None)
            self._model = replace(model, calibration=found)
            trained = model.seen is not ABSENT and _are_of_training(model, X, wide)
        if trained:
            warn(NOT_APART, UserWarning)
        return self

    def _seen(self, X: Any, targets: np.ndarray | None, before: Seen) -> Seen:
        """What is kept of the rows of a fit, and of those before."""
        assert targets is not None
        if before is not ABSENT:
            return before._replace(rows=before.rows + X.shape[0])
        step = -(-X.shape[0] // MARKED)
        marks = marks_of(dense_rows(X[::step], targets.dtype), targets[::step])
        return Seen(X.shape[0], marks=marks)

    def predict_interval(self, X: MatrixLike, level: float = 0.9) -> Reals:
        """Intervals that a new y lies in with a probability of at least `level`, on average, if it
        and the rows that `calibrate` was given are exchangeable (Lei et al. 2018), see
        docs/intervals.md. All are of one width.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
        level : float, default 0.9
            Above 0 and below 1.

        Returns
        -------
        ndarray of float64, shape (n_samples, 2) or (n_samples, n_outputs, 2)
            The lowest and the highest y.

        Raises
        ------
        ValueError
            Where the model is not calibrated, or with too few rows for the level.
        """
        snapshot = self._copy(self._model)
        check_is_fitted(snapshot)
        check_number("level", level, 0, 1, above=True)
        model, known = snapshot._model, snapshot._model.calibration
        if known is ABSENT:
            raise ValueError(
                "predict_interval needs a calibrated model: give calibrate rows that it was not "
                "fitted to (what it has learned is lost where the model is fitted, or its weights "
                "are set, anew)"
            )
        outputs = cast("Answers", _Outputs(snapshot, model.n_outputs))
        found = interval(outputs, known, X, float(level), "native", None)
        return np.ascontiguousarray(found[:, 0]) if model.n_outputs == 1 else found
