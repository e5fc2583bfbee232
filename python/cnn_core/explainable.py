"""Methods that say which inputs a fitted model listens to, and which way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cnn_core._checks import is_whole, shown
from cnn_core.threads import threads_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core._typing import Reals
    from cnn_core.constraints.certificate import Certificate
    from cnn_core.explanations import Attributions, Importances
    from cnn_core.explanations.explained import Explained


class Explainable:
    """The methods that explain predictions, of one network or of the mean of several."""

    n_threads: int | None

    if TYPE_CHECKING:

        def _explained(self) -> Explained:
            """What is known of the prediction, or a NotFittedError."""

    def _check_of(self, of: Any) -> None:
        """Raise where `of` means nothing for this estimator."""

    def input_gradient(
        self, X: ArrayLike, output: Any = None, *, of: Literal["output", "z"] = "output"
    ) -> Reals:
        """The derivative of a prediction by each feature, in the units of y and X: through the
        scaling of both, by the delta recursion.

        Parameters
        ----------
        X : array-like, shape (rows, features) or (features,)
            A single row as an ndarray of float32 or float64 is fastest.
        output : int, str or class label, optional
            Of several outputs the number of one, or the name of its target; of classes the one
            whose probability is
            differentiated, by default the second of two.
        of : {'output', 'z'}
            a^L, or z^L before the output activation: of probabilities the log-odds or their share
            of them, which does not level off near 0 and 1.

        Returns
        -------
        ndarray, shape (rows, features) or (features,)
            Of a table the features are those of its matrix, ``columns_.encoded``; numbers of
            embedded categories have 0. Where `clip_outputs` keeps a prediction at a limit it is 0.
            At a kink of the activation, such as relu's at 0, the derivative that training takes.

        Raises
        ------
        ValueError
            Where there are several outputs or classes and none is named.
        """
        explained = self._explained()
        known = explained.row_gradients
        try:
            row_gradient = known.get((output, of))
        except TypeError:  # of what cannot be a key; the checks say what is wrong with it
            row_gradient = None
        if row_gradient is not None:
            row: Reals | None = row_gradient(X)
            if row is not None:
                return row
        from cnn_core.explanations import input_gradient, row_gradient_of

        self._check_of(of)
        found: Reals = input_gradient(explained, X, output, of, threads_of(self.n_threads))
        if isinstance(X, np.ndarray) and X.ndim == 1:  # more of them will come
            known[output, of] = row_gradient_of(explained, output, of)
        return found

    def jacobian(self, X: ArrayLike, *, of: Literal["output", "z"] = "output") -> Reals:
        """The derivatives of all outputs of the network by each feature.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        of : {'output', 'z'}
            As for `input_gradient`.

        Returns
        -------
        ndarray, shape (rows, n_outputs, features)
            Of two classes that share an output, that of the second one.
        """
        from cnn_core.explanations import jacobian

        explained = self._explained()
        self._check_of(of)
        found: Reals = jacobian(explained, X, of, threads_of(self.n_threads))
        return found

    def attributions(
        self,
        X: ArrayLike,
        method: Literal["integrated", "expected"] = "integrated",
        *,
        baseline: ArrayLike | None = None,
        output: Any = None,
        of: Literal["output", "z"] = "output",
    ) -> Attributions:
        """What each column adds to the prediction of each row, counted from that of a baseline.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        method : {'integrated', 'expected'}
            Integrated gradients (Sundararajan, Taly & Yan 2017) on the straight line from the mean
            of the baseline rows to the row; or their mean over lines from many baseline rows
            (Erion et al. 2021), which tells more where the mean is an unlikely row. Gradients are
            taken at as many points as the sums need, at most 1,024 and 4,096.
        baseline : array-like, optional
            Rows to compare with, or one; default X itself. 'expected' takes at most 128 of them,
            drawn by the model's seed; `base` is the mean of their predictions.
        output, of
            As for `input_gradient`.

        Returns
        -------
        Attributions
            names, values of shape (rows, columns), base, predictions, and the gap by which a row's
            values miss its prediction: on paper they add up to it ("completeness").

        Warns
        -----
        UserWarning
            Where the gap of a row is more than a hundredth, of 'expected' a twentieth, of its
            difference to the base, or of the deviation of the baseline's predictions if that is
            larger. What a row gets does not depend on the others but for their baseline.
        """
        from cnn_core.explanations import attributions

        explained = self._explained()
        self._check_of(of)
        threads = threads_of(self.n_threads)
        return attributions(explained, X, method, baseline, output, of, threads)

    def importances(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        method: Literal["permutation", "gradient", "integrated", "expected"] = "permutation",
        *,
        repeats: int = 5,
        output: Any = None,
    ) -> Importances:
        """How much the model listens to each column of some rows, and which way.

        Parameters
        ----------
        X : array-like, shape (rows, features)
            Rows that were not trained on say what the model has learned that is true of others.
        y : array-like, optional
            For 'permutation'.
        method : {'permutation', 'gradient', 'integrated', 'expected'}
            By how much the score falls when a column is shuffled (Breiman 2001); the mean size of
            the derivative times the standard deviation of the column; the mean size of
            `attributions`. Those by derivatives need no y and say what moves predictions, right or
            wrong.
        repeats : int, default 5
            How often each column is shuffled.
        output : int or class label, optional
            As for `input_gradient`. For 'permutation', whose score is that of all outputs, the one
            that `direction` is of; of several it has none by default.

        Returns
        -------
        Importances
            names, values, sd, direction, `order`; prints as a table, the most important first.
        """
        from cnn_core.explanations import importances

        if not is_whole(repeats) or repeats < 1:
            kind = ValueError if is_whole(repeats) else TypeError
            raise kind(f"repeats must be a whole number of at least 1, got {shown(repeats)}")
        threads = threads_of(self.n_threads)
        return importances(
            self._explained(), X, y, method, repeats=int(repeats), output=output, threads=threads
        )

    def certify(self) -> Certificate:
        """What the weights prove of each column, for all rows that there can be: whether the
        outputs only rise with it, or only fall, and whether they are convex or concave in it.

        It needs no rows, and no `monotone`: the weights of any network may prove it. What they do
        not prove may be true all the same.

        Returns
        -------
        Certificate
            names, monotone, convex; prints as a table. That outputs do not fall is true to the
            last bit, of probabilities of two classes for the second; that they are convex is true
            but for rounding.
        """
        from cnn_core.constraints.certificate import certificate

        return certificate(self._explained())
