"""Methods of `MLP` that take nets from other libraries and give them to these."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

from cnn_core.fitted import Fitted

if TYPE_CHECKING:
    pass


class Convertible(Fitted):
    """What other libraries' nets become, and what becomes of ours there."""

    _check_parameters: Callable[[], SimpleNamespace]

    def to_sklearn(self) -> Any:
        """The fitted net as one of scikit-learn's, which predicts the same to rounding and goes on
        learning.

        Returns
        -------
        MLPClassifier, MLPRegressor, Pipeline or TransformedTargetRegressor
            scikit-learn's own, in the model's dtype. Where inputs are scaled, a Pipeline of a
            fitted scaler and the net (of 'robust_asinh' and 'robust_clip' with functions of NumPy
            between them); where targets are, a TransformedTargetRegressor around that. The
            parameters that mean the same, the losses of the epochs and the moments of 'sgd' and
            'adam' come along.

        Raises
        ------
        NotFittedError
            Before the first fit.
        NotImplementedError
            For a model of tables, and with `numeric_embedding`.
        ValueError
            For activations that scikit-learn has not: of all hidden layers one of identity,
            sigmoid, tanh and relu, and outputs that are probabilities of a classifier, and identity
            or exp of a regression. Also for weights that are not finite.
        ImportError
            Without scikit-learn.
        """
        from cnn_core.interchange.to_sklearn import to_sklearn

        return to_sklearn(self._model(), self._check_parameters())

    @classmethod
    def from_sklearn(cls, estimator: Any) -> Self:
        """The same net as one of scikit-learn's, which predicts the same to rounding and goes on
        learning.

        Parameters
        ----------
        estimator : estimator
            A fitted MLPClassifier or MLPRegressor of scikit-learn or of cnn_core.sklearn; a
            Pipeline of StandardScaler, MinMaxScaler, RobustScaler or MaxAbsScaler before one, which
            become the model's own scaling; a TransformedTargetRegressor with one of these around
            it; or a search with one as its `best_estimator_`. It is not changed.

        Returns
        -------
        MLP
            In float64, or in float32 where `coefs_` are. The solver, alpha, the rates, the size of
            the mini-batches and the rules to stop become parameters; those of 'sgd' and 'adam' take
            the same steps from the same moments.

        Raises
        ------
        NotFittedError
            For one that is not fitted.
        TypeError
            For other estimators, and for steps of a Pipeline that no scaling equals.
        ValueError
            For weights that are not finite, and a single class.
        """
        from cnn_core.interchange.from_sklearn import from_sklearn

        found: Self = from_sklearn(cls, estimator)
        return found
