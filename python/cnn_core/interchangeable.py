"""Methods of `MLP` that take nets from other libraries and give them to these."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

from cnn_core.fitted import Fitted

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core._typing import OutputName, TaskName
    from cnn_core.activations import Activation


class Interchangeable(Fitted):
    """What takes a net to other libraries, and what takes theirs."""

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

    def to_torch(self) -> Any:
        """The fitted net as a module of PyTorch, whose outputs are those of `forward` to rounding.

        Returns
        -------
        torch.nn.Sequential
            Of Linear and activations in turn, ``sequential[2 * l]`` being layer l, in the model's
            dtype, without dropout; a classifier ends with its Softmax or Sigmoid, and
            ``sequential[:-1]`` gives logits. Where inputs or targets are scaled, a Sequential of
            `inputs`, `network` (that one) and `targets`, whose scalings are modules of cnn_core.

        Raises
        ------
        NotFittedError
            Before the first fit.
        NotImplementedError
            For a model of tables, and with `numeric_embedding`.
        ValueError
            For weights that are not finite.
        ImportError
            Without PyTorch.
        """
        from cnn_core.interchange.to_torch import to_torch

        return to_torch(self._model())

    @classmethod
    def from_torch(
        cls,
        sequential: Any,
        *,
        task: TaskName = "auto",
        classes: ArrayLike | None = None,
        output: OutputName | Activation = "auto",
        **parameters: Any,
    ) -> Self:
        """The same net as a module of PyTorch, with the same outputs to rounding.

        Parameters
        ----------
        sequential : torch.nn.Sequential
            Of Linear, activations, Dropout and Identity, also nested, and what `to_torch` gives. It
            is not changed. BatchNorm1d and others have no counterpart.
        task : {'auto', 'classification', 'regression'}
            What the outputs are; 'auto' knows it where they end with Softmax or LogSoftmax, or
            `classes` are named.
        classes : array-like, optional
            Class labels, in the order of the outputs; default 0, 1, .... One output is the second
            of two classes.
        output : str or Activation, default 'auto'
            What becomes of outputs without an activation. 'auto': identity in a regression; those
            of a classifier are logits, for a sigmoid if there is one, for softmax if there are
            more. 'sigmoid': several are yes-or-no labels of each row.
        **parameters
            Further parameters of the estimator, such as ``optimizer="adamw"``, for training that
            goes on.

        Returns
        -------
        MLP
            In float64 if a weight is, else in float32. It reads X as the modules do, without a
            scaling of its own.

        Raises
        ------
        TypeError, ValueError
            For modules that have no counterpart; the message says which and where, and what there
            is. For outputs of which nothing says what they are.
        ImportError
            Without PyTorch.
        """
        from cnn_core.interchange.from_torch import Asked, from_torch

        found: Self = from_torch(cls, sequential, Asked(task, classes, output), parameters)
        return found
