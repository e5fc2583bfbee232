"""What a fitted regression says of how far y may lie from what it predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from cnn_core._checks import check_number, shown
from cnn_core._control import Exclusive
from cnn_core._frozen import replace

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    Doubles = NDArray[np.float64]


#: By how much a quantile that is asked for may differ from one that was fitted: float32 rounds.
SAME = 1e-6


class Intervals:
    """Quantiles, standard deviations and calibrated intervals of a regression, of one network or of
    the mean of several."""

    backend: str
    n_threads: int | None

    if TYPE_CHECKING:

        def _model(self) -> Any:
            """What has been fitted, or a NotFittedError."""

    def predict_quantiles(self, X: ArrayLike, q: float | ArrayLike | None = None) -> Doubles:
        """Quantiles of y given x, of a model with the loss `Pinball` or `GaussianNLL`.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        q : float or array-like, shape (n_quantiles,), optional
            Which: of `Pinball` some of those that were fitted, by default all; of `GaussianNLL` any
            above 0 and below 1.

        Returns
        -------
        ndarray of float64, shape (rows, n_quantiles) or (rows, outputs, n_quantiles)
            In the order of `q`; the second shape where y has two dimensions. A higher quantile is
            never below a lower one, to the bit. Not calibrated; see `predict_interval`.

        Raises
        ------
        ValueError
            For another loss, and for quantiles that the model does not have.
        """
        model = self._regression("predict_quantiles")
        task = model.task
        if task.quantiles:
            places = _places(q, task.quantiles)
            return _in_shape(task, self._of(model.quantiles, X)[:, :, places])
        if task.loss != "gaussian_nll":
            raise _other_loss("predict_quantiles", task, "'pinball' or 'gaussian_nll'")
        if q is None:
            raise ValueError("q must say which quantiles, such as (0.05, 0.95), for gaussian_nll")
        from cnn_core.distributions import normal_quantile

        at = np.array([normal_quantile(one) for one in _checked(q)])
        mean, variance = self._of(model.mean_and_variance, X)
        return _in_shape(task, mean[:, :, None] + at * np.sqrt(variance)[:, :, None])

    def predict_std(self, X: ArrayLike) -> Doubles:
        """The standard deviation of y given x, of a model with the loss `GaussianNLL`.

        Parameters
        ----------
        X : array-like, shape (rows, features)

        Returns
        -------
        ndarray of float64, shape (rows,) or (rows, outputs)
            In the units of y; the mean is what `predict` gives. Of several models: that of the
            equal mixture of their distributions.

        Raises
        ------
        ValueError
            For another loss.
        """
        model = self._regression("predict_std")
        if model.task.loss != "gaussian_nll":
            raise _other_loss("predict_std", model.task, "'gaussian_nll'")
        return _in_shape(model.task, np.sqrt(self._of(model.mean_and_variance, X)[1]))

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

        Warns
        -----
        UserWarning
            Where most of the rows are some that this object was fitted to, or that early stopping
            has chosen the epoch by, as far as 32 of these tell; not of a model from a file, and not
            where rows come several times.
        """
        from cnn_core.conformal import calibration

        with Exclusive(self):
            model = self._regression("calibrate")
            table, targets = model.split(X, y)
            known, _, _ = model.true_targets(table, targets, None)
            found = calibration(model, table, known, self.backend, self.n_threads)
            vars(self)["_fitted"] = replace(model, calibration=found)
        _warn_of_training_rows(model, table, known)
        return self

    def predict_interval(
        self, X: ArrayLike, level: float = 0.9, *, calibrated: bool = True
    ) -> Doubles:
        """Intervals that a new y lies in with a probability of at least `level`.

        So it is on average over x and over the rows that `calibrate` was given, if these and the
        new rows are exchangeable, such as drawn alike from one source; however good the model is
        (Lei et al. 2018, Romano et al. 2019). It is not promised for each x by itself, for rows
        that come otherwise, such as later ones of a source that changes, and for several outputs
        at once. `Pinball` and `GaussianNLL` give intervals that are wide where y spreads far; with
        other losses all are of one width.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        level : float, default 0.9
            Above 0 and below 1. The interval of a higher level holds that of a lower one.
        calibrated : bool, default True
            False: what a model with the loss `Pinball` or `GaussianNLL` says by itself, of which
            nothing is promised.

        Returns
        -------
        ndarray of float64, shape (rows, 2) or (rows, outputs, 2)
            The lowest and the highest y; the second shape where y has two dimensions. Not rounded
            to the dtype of the model, and not kept in a range by `clip_outputs`.

        Raises
        ------
        ValueError
            Where the model is not calibrated, or with too few rows for the level; for a classifier.
        """
        from cnn_core.conformal import interval, raw_interval

        model = self._regression("predict_interval")
        check_number("level", level, 0, 1, above=True)
        if not calibrated:
            found = raw_interval(model, X, float(level), self.backend, self.n_threads)
        elif model.calibration is None:
            raise ValueError(
                "predict_interval needs a calibrated model: give calibrate rows that it was not "
                "fitted to (what it has learned is lost where the model is fitted, or its weights "
                "are set, anew)"
            )
        else:
            known = model.calibration
            found = interval(model, known, X, float(level), self.backend, self.n_threads)
        return _in_shape(model.task, found)

    def _of(self, method: Any, X: ArrayLike) -> Any:
        """What a method of the model gives for some rows."""
        return method(X, self.backend, self.n_threads)

    def _regression(self, what: str) -> Any:
        """What has been fitted, if it predicts numbers."""
        model = self._model()
        if model.task.name != "regression":
            raise ValueError(
                f"{what} is for regression, but this model does {model.task.name}; predict_proba "
                "says how sure it is"
            )
        return model


def _warn_of_training_rows(model: Any, X: Any, y: np.ndarray) -> None:
    """Say so where most rows of a calibration were trained on, or chose the epoch."""
    from cnn_core._warn import kept_warnings, warn
    from cnn_core.causes.seen import use_of

    for one in getattr(model, "models", (model,)):
        dtype, scaling = one.network.dtype, one.target_scaling
        if not (one.seen.marks or one.seen.chosen):
            continue
        with kept_warnings(), np.errstate(over="ignore"):
            rows, targets = one.check_X(X), y if scaling is None else scaling.apply(y, dtype)
            targets = targets.astype(dtype, copy=False)
        said = use_of(one.seen, rows, targets)
        if said:
            warn(said, UserWarning)
            return


def _in_shape(task: Any, found: np.ndarray) -> np.ndarray:
    """Without the axis of outputs where y has one dimension."""
    return np.ascontiguousarray(found[:, 0]) if task.flat else found


def _other_loss(what: str, task: Any, wanted: str) -> ValueError:
    return ValueError(
        f"{what} needs a model with the loss {wanted}, and this one has {task.loss!r}"
    )


def _checked(q: Any) -> list[float]:
    """The quantiles that a user asks for."""
    array = np.atleast_1d(np.asarray(q))
    if array.ndim != 1 or array.dtype.kind not in "iuf" or not array.size:
        raise TypeError(f"q must be a number or a list of numbers, got {shown(q)}")
    wanted: list[float] = array.astype(float).tolist()
    for one in wanted:
        check_number("q", one, 0, 1, above=True)
    return wanted


def _places(q: Any, known: tuple[float, ...]) -> list[int]:
    """Where the quantiles that a user asks for stand among those of the model."""
    if q is None:
        return list(range(len(known)))
    wanted = _checked(q)
    places = [int(np.argmin([abs(tau - one) for tau in known])) for one in wanted]
    for one, place in zip(wanted, places):
        if abs(known[place] - one) > SAME:
            raise ValueError(
                f"q has {one:g}, and the model has the quantiles "
                f"{', '.join(f'{tau:g}' for tau in known)}"
            )
    return places
