"""What a fitted estimator predicts: each method takes its model once and asks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Never, overload

from cnn_core._names import refuse, without_unknown
from cnn_core.learned import Learned
from cnn_core.training.backends import FAST_BACKEND

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core._typing import Labels, Reals

    #: A row of a matrix, or of a table by the names of its columns.
    RowLike = ArrayLike | Mapping[Any, Any]


class Predictions(Learned):
    """The methods that predict, and `score`."""

    backend: str
    n_threads: int | None

    def forward(self, X: ArrayLike) -> Reals:
        """The output layer's activations a^L.

        Parameters
        ----------
        X : array-like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows, n_outputs)
            Each row's bits are the same however the rows are split over calls.

        Warns
        -----
        RuntimeWarning
            Where outputs are NaN or infinite, because numbers on the way overflow the dtype: in how
            many rows, and how large inputs and weights are. Every method here that takes rows warns
            so.
        """
        found: Reals = self._model().outputs(X, self.backend, self.n_threads)
        return found

    @overload
    def predict_one(
        self,
        x: RowLike,
        out: Reals | None = None,
        check: bool = True,
        labels: Literal[False] = False,
    ) -> Reals: ...

    @overload
    def predict_one(
        self, x: RowLike, out: Reals | None = None, check: bool = True, *, labels: bool
    ) -> Any: ...

    def predict_one(
        self, x: RowLike, out: Reals | None = None, check: bool = True, labels: bool = False
    ) -> Any:
        """The output layer's activations a^L for one row, fast: ``forward(x[None])[0]`` to the bit;
        or what `predict` gives for it.

        Several threads may call it at once.

        Parameters
        ----------
        x : array-like, shape (features,)
            Fastest as a C-contiguous array of the model's dtype; other arrays of numbers, lists and
            tuples take up to a microsecond more. With `columns` a dict from the names of the
            columns to their entries, or a row of a pandas frame.
        out : ndarray, shape (n_outputs,), optional
            Where to put a^L: C-contiguous, writable and of the model's dtype. It may be x.
        check : bool, default True
            Whether to raise a ValueError where an entry of x is not finite, and to warn where an
            output is not. Else NaN in x gives NaN in every output.
        labels : bool, default False
            Whether to return the class label of the row, or the number of a regression, instead of
            a^L: ``predict(x[None])[0]``.

        Returns
        -------
        ndarray, shape (n_outputs,)
            `out`, or a new array. With `labels` what the result of `predict` holds for a row.
        """
        model = self._fitted
        if model is not None and self.backend == FAST_BACKEND:
            a = model.one_row.forward(x, out, check)
            if a is not None:
                return model.label(a) if labels else a
        model = self._model()
        a = model.row(x, out, self.backend, check)
        return model.label(a) if labels else a

    def predict(self, X: ArrayLike) -> Labels:
        """Predicted classes or numbers.

        Parameters
        ----------
        X : array-like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows,) or (rows, outputs)
            Class labels: the class with the largest output, the first among equals. Several labels
            a row: 0 and 1. Regression: numbers, in the shape of the y that was fitted.

        Warns
        -----
        RuntimeWarning
            As `forward`. Classes come from outputs that are NaN, too: the first NaN wins.
        """
        found: Labels = self._model().predict(X, self.backend, self.n_threads)
        return found

    def predict_proba(self, X: ArrayLike) -> Reals:
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows, n_classes)
            In the order of `classes_`; rows sum to 1, unless there are several labels a row: then
            each is the probability of a 1.

        Raises
        ------
        ValueError
            For regression, and where the outputs are no probabilities (an output other than
            softmax, or one sigmoid).
        """
        found: Reals = self._model().predict_proba(X, self.backend, self.n_threads)
        return found

    def predict_log_proba(self, X: ArrayLike) -> Reals:
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : array-like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows, n_classes)
            As `predict_proba` orders them; -inf for a probability of 0.

        Raises
        ------
        ValueError
            Where `predict_proba` does.
        """
        found: Reals = self._model().predict_log_proba(X, self.backend, self.n_threads)
        return found

    @without_unknown
    def score(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, **unknown: Never
    ) -> float:
        """Accuracy (with several labels a row: of rows that are right in all), or R^2 for
        regression (averaged over the outputs); of a loss `Pinball` with one quantile other than the
        median D^2 of the pinball loss, scikit-learn's ``d2_pinball_score``: 1 - loss / that of the
        best constant (Koenker & Machado 1999).

        Parameters
        ----------
        X : array-like, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)
        sample_weight : array-like, shape (rows,), optional
            How much each row counts, at least 0.

        Returns
        -------
        float
        """
        if unknown:
            refuse(Predictions.score, self, unknown)
        return float(self._model().score(X, y, sample_weight, self.backend, self.n_threads))
