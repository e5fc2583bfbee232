"""Intervals in which a new y lies with a probability that is guaranteed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from cnn_core._checks import check_number
from cnn_core._control import Exclusive
from cnn_core._frozen import replace

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray


class Intervals:
    """Calibrated intervals of a regression, of one network or of the mean of several."""

    backend: str
    n_threads: int | None

    if TYPE_CHECKING:

        def _model(self) -> Any:
            """What has been fitted, or a NotFittedError."""

    def calibrate(self, X: ArrayLike, y: ArrayLike | str) -> Self:
        """Learn from rows that the model was not fitted to how far y lies from what it predicts,
        for `predict_interval`. Nothing that `predict` gives changes.

        Rows by which early stopping has chosen the epoch count as fitted to. What is learned is a
        part of the model, in files and pickles too, until it is fitted or its weights are set
        anew.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs), or str
            An interval of 90 % needs 9 rows at least, one of 95 % 19, one of 99 % 99; with some
            hundred of them the share of later rows inside is near the level.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For a classifier, and for rows that cannot be predicted. The model is then as it was.
        """
        from cnn_core.conformal import calibration

        with Exclusive(self):
            model = self._regression("calibrate")
            table, targets = model.split(X, y)
            known, _, _ = model.judged(table, targets, None)
            found = calibration(model, table, known, self.backend, self.n_threads)
            vars(self)["_fitted"] = replace(model, calibration=found)
        return self

    def predict_interval(self, X: ArrayLike, level: float = 0.9) -> NDArray[np.float64]:
        """Intervals that a new y lies in with a probability of at least `level`.

        So it is on average over x and over the rows that `calibrate` was given, if these and the
        new rows are exchangeable, such as drawn alike from one source, however good the model is
        (Lei et al. 2018, theorem 2.2). It is not promised for each x by itself, for rows that come
        otherwise, such as later ones of a source that changes, and for several outputs at once. All
        intervals of an output have one width.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        level : float, default 0.9
            Above 0 and below 1.

        Returns
        -------
        ndarray of float64, shape (rows, 2) or (rows, outputs, 2)
            The lowest and the highest y; the second shape where y has two dimensions. Not kept in a
            range by `clip_outputs`.

        Raises
        ------
        ValueError
            Where the model is not calibrated, or with too few rows for the level; for a classifier.
        """
        from cnn_core.conformal import interval

        model = self._regression("predict_interval")
        check_number("level", level, 0, 1, above=True)
        if model.calibration is None:
            raise ValueError(
                "predict_interval needs a calibrated model: give calibrate rows that it was not "
                "fitted to (what it has learned is lost where the model is fitted, or its weights "
                "are set, anew)"
            )
        known, backend = model.calibration, self.backend
        found = interval(model, known, X, float(level), backend, self.n_threads)
        return np.ascontiguousarray(found[:, 0]) if model.task.flat else found

    def _regression(self, what: str) -> Any:
        """What has been fitted, if it predicts numbers."""
        model = self._model()
        if model.task.name != "regression":
            raise ValueError(
                f"{what} is for regression, but this model does {model.task.name}; predict_proba "
                "says how sure it is"
            )
        return model
