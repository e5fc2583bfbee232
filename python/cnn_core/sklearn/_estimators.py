"""`MLPClassifier` and `MLPRegressor`: what they do each in its way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import validate_data

from cnn_core._checks import as_native
from cnn_core._frozen import replace
from cnn_core.activations import Activation
from cnn_core.losses import Huber, LossParam, get_loss
from cnn_core.optimizers import Optimizer
from cnn_core.schedules import Schedule
from cnn_core.sklearn._base import BaseMLP, fit_context
from cnn_core.sklearn._checks import check_labels, check_numbers
from cnn_core.sklearn._intervals import Calibrated
from cnn_core.sklearn._model import FittedAttribute, FittedModel
from cnn_core.sklearn._parameters import ATTRIBUTES, PARAMETERS
from cnn_core.sklearn._policies import Scorer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from cnn_core._typing import Labels, MatrixLike, Reals


_Method = TypeVar("_Method", bound=Callable[..., Any])


def _with_steps(method: _Method) -> _Method:
    """A method that is there for the solvers that take steps alone."""
    return cast("_Method", available_if(lambda self: self._check_solver())(method))


def _kind(model: FittedModel) -> str:
    """'binary' (one class counts as two), 'multiclass' or 'multilabel'."""
    kind: str = model.label_binarizer.y_type_
    return kind.partition("-")[0]


class MLPClassifier(ClassifierMixin, BaseMLP):
    __doc__ = f"""Multilayer perceptron for classification, as scikit-learn's
    ``MLPClassifier``, on the native core.

    The cost is the cross-entropy: of a softmax for several classes; of a sigmoid for two and,
    summed, for several labels a row. docs/scikit-learn.md says what is equal to scikit-learn's and
    what is not.

    Parameters
    ----------
    {PARAMETERS}
    class_weight : dict or 'balanced', optional
        Weight of each class's rows, 1 for those not named; 'balanced': n_samples / (n_classes *
        rows of the class). Not for several labels a row.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels, sorted.
    {ATTRIBUTES}

    Examples
    --------
    >>> from cnn_core.sklearn import MLPClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(max_iter=500, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    _parameter_constraints = {
        **BaseMLP._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    loss = "log_loss"

    classes_: FittedAttribute[Labels] = FittedAttribute()

    _in_files = "sklearn.MLPClassifier"

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Activation | Sequence[str | Activation] = "relu",
        *,
        solver: str | Optimizer = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str | Schedule = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float | Sequence[float] | np.ndarray | None = 0.0,
        callbacks: Any = (),
        restore_best_weights: bool | None = None,
        dtype: DTypeLike | None = None,
        n_threads: int | None = None,
        compatible: bool = False,
        class_weight: dict[Any, float] | str | None = None,
    ) -> None:
        self._keep(locals())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @_with_steps
    @fit_context
    def partial_fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on some rows, from where the last call, or a fit, has left off.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array-like, shape (n_classes,), optional
            All labels that will ever come; needed in the first call.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, True, classes=classes)

    def _set_classes(self, y: Any, classes: ArrayLike | None) -> None:
        if _check_partial_fit_first_call(self, classes):
            labels = y if type_of_target(y).startswith("multilabel") else classes
            self._model = replace(self._model, label_binarizer=LabelBinarizer().fit(labels))

    def _validate_input(
        self, X: Any, y: Any, incremental: bool, reset: bool
    ) -> tuple[Any, np.ndarray]:
        check_labels(y)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            binarizer = LabelBinarizer().fit(y)
            self._model = replace(
                self._model, label_binarizer=binarizer, classes=binarizer.classes_
            )
            return X, y
        classes = unique_labels(y)
        if self.warm_start and not incremental:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous "
                    f"call to fit. Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. `self.classes_` has "
                f"{self.classes_}. 'y' has {classes}."
            )
        return X, y

    def _count_outputs(self, y: np.ndarray) -> int:
        kind = _kind(self._model)
        if kind == "multilabel":
            return int(y.shape[-1])
        return len(self.classes_) if kind == "multiclass" else 1

    def _targets(self, y: Any, dtype: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
        if _kind(self._model) == "multilabel":
            return np.ascontiguousarray(self._model.label_binarizer.transform(y), dtype), None
        labels = np.searchsorted(self.classes_, y)[:, None]
        return (
            (None, labels.astype(np.int32))
            if _kind(self._model) == "multiclass"
            else (labels.astype(dtype), None)
        )

    def _class_weights(self, y: np.ndarray, incremental: bool) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if _kind(self._model) == "multilabel":
            raise ValueError("class_weight is for one label a row, but y has several")
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit, which does not see "
                "all rows at once; give the weights as a dict"
            )
        weights: np.ndarray = compute_sample_weight(self.class_weight, y)
        return weights

    def _stratify_labels(
        self, targets: np.ndarray | None, labels: np.ndarray | None
    ) -> np.ndarray | None:
        if labels is not None and not self.compatible:
            counts = np.bincount(labels[:, 0])
            counts, apart = counts[counts > 0], ceil(self.validation_fraction * len(labels))
            # Where a class cannot be on both sides, the split is drawn without regard to classes.
            return (
                labels[:, 0]
                if counts.min() > 1 and len(counts) <= min(apart, len(labels) - apart)
                else None
            )
        assert targets is not None or labels is not None
        return (
            targets.astype(bool) if targets is not None and _kind(self._model) == "binary" else None
        )

    def _scorer(
        self,
        X: Any,
        targets: np.ndarray | None,
        labels: np.ndarray | None,
        weights: np.ndarray | None,
    ) -> Scorer:
        y = np.asarray(targets) > 0.5 if labels is None else labels[:, 0]
        # Where y had one class only, that class is what is predicted.
        threshold = 0.5 if len(self.classes_) > 1 else np.inf
        return Scorer(
            X, y[:, 0] if _kind(self._model) == "binary" else y, weights, False, threshold
        )

    def _native_loss(self) -> tuple[str, LossParam | None]:
        return (
            "sparse_categorical_crossentropy"
            if _kind(self._model) == "multiclass"
            else "binary_crossentropy",
            None,
        )

    def _output_activation(self) -> str:
        return "softmax" if _kind(self._model) == "multiclass" else "logistic"

    def predict(self, X: MatrixLike) -> Labels:
        """The labels of the most probable classes.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples,) or (n_samples, n_outputs)
            With several labels a row 0 and 1, sparse if y was.
        """
        model, a = self._outputs(X)
        if _kind(model) == "multilabel":
            several: Labels = model.label_binarizer.inverse_transform(a)
            return several
        classes: Labels = model.classes
        # Where y had one class only, that class is all there is.
        one = (a[:, 0] > 0.5) & (len(classes) > 1)
        labels: Labels = classes.take(a.argmax(axis=1) if a.shape[1] > 1 else one)
        return labels

    def predict_proba(self, X: MatrixLike) -> Reals:
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples, n_classes)
            In the order of `classes_`. With several labels a row: of each of them.
        """
        _, a = self._outputs(X)
        if a.shape[1] > 1:
            return a
        p = np.empty((len(a), 2), a.dtype)
        p[:, 1], p[:, 0] = a[:, 0], 1 - a[:, 0]
        return p

    def predict_log_proba(self, X: MatrixLike) -> Reals:
        """Logarithms of `predict_proba`; -inf where a probability is 0.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples, n_classes)
        """
        p = self.predict_proba(X)
        np.log(p, out=p)
        return p


class MLPRegressor(RegressorMixin, Calibrated, BaseMLP):
    __doc__ = f"""Multilayer perceptron for regression, as scikit-learn's
    ``MLPRegressor``, on the native core.

    docs/scikit-learn.md says what is equal to scikit-learn's and what is not.

    Parameters
    ----------
    loss : str or Huber, default 'squared_error'
        'squared_error' or 'mse': 1/2 the squares, summed over the outputs. 'poisson': half the
        Poisson deviance, summed over the outputs, for y of at least 0; the output is the mean, e^z.
        'absolute_error' or 'mae'. 'huber', or ``Huber(delta)``.
    {PARAMETERS}

    Attributes
    ----------
    {ATTRIBUTES}

    Examples
    --------
    >>> from cnn_core.sklearn import MLPRegressor
    >>> from sklearn.datasets import make_regression
    >>> X, y = make_regression(n_samples=200, n_features=20, random_state=1)
    >>> model = MLPRegressor(random_state=1, max_iter=2000, tol=0.1).fit(X, y)
    >>> bool(model.score(X, y) > 0.98)
    True
    """

    _LOSSES = {
        "squared_error": "mse",
        "mse": "mse",
        "poisson": "poisson",
        "absolute_error": "mae",
        "mae": "mae",
        "huber": "huber",
    }

    _fewest_validation_rows = 2  # of one row there is no R^2

    _parameter_constraints = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions({*_LOSSES}), Huber],
    }

    _in_files = "sklearn.MLPRegressor"

    def __init__(
        self,
        loss: str | Huber = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Activation | Sequence[str | Activation] = "relu",
        *,
        solver: str | Optimizer = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str | Schedule = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float | Sequence[float] | np.ndarray | None = 0.0,
        callbacks: Any = (),
        restore_best_weights: bool | None = None,
        dtype: DTypeLike | None = None,
        n_threads: int | None = None,
        compatible: bool = False,
    ) -> None:
        self._keep(locals())

    @_with_steps
    @fit_context
    def partial_fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one epoch on some rows, from where the last call, or a fit, has left off.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, True)

    def _validate_input(
        self, X: Any, y: Any, incremental: bool, reset: bool
    ) -> tuple[Any, np.ndarray]:
        check_numbers("y", y)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=True,
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if self.loss == "poisson" and np.min(y) < 0:
            raise ValueError(
                "Some value(s) of y are out of the valid range of the loss 'poisson', which is at "
                "least 0."
            )
        return X, y

    def _count_outputs(self, y: np.ndarray) -> int:
        return 1 if y.ndim == 1 else y.shape[1]

    def _targets(self, y: Any, dtype: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
        return as_native(y, dtype).reshape(len(y), -1), None

    def _scorer(
        self,
        X: Any,
        targets: np.ndarray | None,
        labels: np.ndarray | None,
        weights: np.ndarray | None,
    ) -> Scorer:
        assert targets is not None
        return Scorer(X, targets, weights, True)

    def _native_loss(self) -> tuple[str, LossParam | None]:
        loss = self.loss
        return get_loss(self._LOSSES[loss] if isinstance(loss, str) else loss)

    def _output_activation(self) -> str:
        return "exp" if self.loss == "poisson" else "identity"

    def score(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """R^2 of the predictions, averaged over the outputs.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like, shape (n_samples,), optional

        Returns
        -------
        float
        """
        check_numbers("y", y)
        check_numbers("sample_weight", sample_weight)
        return float(super().score(X, y, sample_weight))

    def predict(self, X: MatrixLike) -> Reals:
        """Predicted numbers.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples,) or (n_samples, n_outputs)
        """
        _, a = self._outputs(X)
        return a[:, 0] if a.shape[1] == 1 else a
