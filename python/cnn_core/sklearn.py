"""MLPClassifier and MLPRegressor of scikit-learn on the native core: change the import, and the
same model trains faster.

scikit-learn is needed here and nowhere else in the package: ``pip install 'cnn-core[sklearn]'``.
"""

try:
    from sklearn.utils.validation import validate_data  # the youngest of what is used here
except ImportError as error:
    raise ImportError(
        "cnn_core.sklearn needs scikit-learn, 1.7 or later: pip install 'cnn-core[sklearn]'"
    ) from error

import warnings
from math import ceil

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.optimize import _check_optimize_result

from cnn_core._sklearn_base import BaseMLP
from cnn_core._sklearn_solvers import Judge
from cnn_core.losses import Huber, get_loss

__all__ = ["MLPClassifier", "MLPRegressor"]

_PARAMETERS = """hidden_layer_sizes : int or sequence of int, default (100,)
        Widths of the hidden layers. ``()`` has none: logistic, softmax or linear regression.
    activation : str, Activation, or sequence of them, default 'relu'
        Of the hidden layers: 'identity', 'logistic', 'tanh', 'relu', any other that
        `cnn_core.activations` names ('leaky_relu', 'gelu', 'swish', ...), or an object such as
        ``LeakyReLU(0.1)``. A sequence has one for each layer.
    solver : str or Optimizer, default 'adam'
        'lbfgs' (SciPy's L-BFGS-B, full batch), 'sgd', 'adam', any other that `cnn_core.optimizers`
        names ('adamw', 'rmsprop', ...) with its own defaults and `learning_rate_init`, or an object
        such as ``AdamW(0.01)``, whose numbers then hold.
    alpha : float, default 0.0001
        Strength of the L2 penalty, at least 0: the cost of a mini-batch is increased by ``alpha / 2
        * sum W^2``, weights only, divided by its rows (by their weight, where they have one).
    batch_size : int or 'auto', default 'auto'
        Rows of a mini-batch; 'auto': 200, or all where there are fewer. Not for 'lbfgs'.
    learning_rate : {'constant', 'invscaling', 'adaptive'} or Schedule, default 'constant'
        'invscaling': ``learning_rate_init / (t_ + 1) ** power_t`` after each epoch. 'adaptive': a
        fifth of the rate whenever there has been no improvement for `n_iter_no_change` epochs, down
        to 1e-6. These two are for SGD; a schedule of `cnn_core.schedules` goes with every solver
        but 'lbfgs'.
    learning_rate_init : float, default 0.001
        Above 0.
    power_t : float, default 0.5
        At least 0.
    max_iter : int, default 200
        Epochs; for 'lbfgs' iterations.
    shuffle : bool, default True
        Whether to visit the rows in a new order in each epoch.
    random_state : int, RandomState or None
        Determines the initial weights, the rows set apart and the order of the rows.
    tol : float, default 0.0001
        What counts as an improvement, at least 0; for 'lbfgs' the largest entry of the gradient
        with which it stops.
    verbose : bool or int, default False
        Whether to print a line an epoch.
    warm_start : bool, default False
        Whether fit goes on from the present weights, with a new optimizer. Where rows are judged,
        the present weights are judged first, and their score on this fit's rows is what an epoch
        has to surpass.
    momentum : float, default 0.9
        Of 'sgd', in [0, 1].
    nesterovs_momentum : bool, default True
        Of 'sgd': whether the gradient counts as that of the point to which the momentum leads
        (Nesterov). No difference where `momentum` is 0.
    early_stopping : bool, default False
        Set rows apart, stop when the score on them has not improved for `n_iter_no_change` epochs,
        and bring back the best weights.
    validation_fraction : float, default 0.1
        Share of the rows to set apart, in (0, 1).
    beta_1 : float, default 0.9
        Of 'adam', in [0, 1): how much of the mean of the gradients each step keeps.
    beta_2 : float, default 0.999
        Of 'adam', in [0, 1): how much of the mean of their squares each step keeps.
    epsilon : float, default 1e-8
        Of 'adam', above 0.
    n_iter_no_change : int or inf, default 10
        Epochs without improvement that are borne; the next one ends the training.
    max_fun : int, default 15000
        Of 'lbfgs': most calls of cost and gradient.
    dropout : float, sequence of float or None, default 0
        Share of a layer's outputs that each step leaves out, in [0, 1): one number for all hidden
        layers, or one for the inputs and one for each hidden layer. None is 0. Not for 'lbfgs'.
    callbacks : Callback, function, sequence of them or None, default ()
        Functions ``(model, epoch, logs)`` are called after each epoch and end the training by
        returning True; see `cnn_core.callbacks.Callback`. The model is as it is then; logs has
        loss, learning_rate and, where rows are judged, validation_score. The model's weights are a
        copy: changes to them do not reach the training, and are gone after it. An exception in a
        callback ends the fit and leaves the model as it was before. Not for 'lbfgs', where any but
        none are an error.
    restore_best_weights : bool, optional
        Whether to end with the weights of the best epoch instead of the last: by the score where
        rows are judged, else by the loss. None: with `early_stopping` only. True is not for
        'lbfgs'.
    dtype : {'float32', 'float64'} or what ``numpy.dtype`` makes these of, optional
        In which to train. None: that of X (other types than these two become float64), and float64
        for 'lbfgs'.
    n_threads : int, optional
        The most threads. None: `cnn_core.get_num_threads()`, but one where joblib runs fits in
        several threads of one process. Results do not depend on it.
    compatible : bool, default False
        Whether to do as scikit-learn does also where that is held to be a defect: an early stop of
        several classes splits them without regard to their shares; each `partial_fit` with an int
        `random_state` visits the rows in the same order; the value of a squared error is averaged
        over several outputs, while its gradient is that of their sum. The value of the log loss
        stays exact also then, where scikit-learn cuts probabilities off; docs/scikit-learn.md says
        where `loss_`, `loss_curve_`, `best_loss_`, printed lines and, through `tol`, `n_iter_` and
        the weights differ so."""

_ATTRIBUTES = """coefs_ : list of ndarray, shape (fan_in, fan_out)
        The weights. They may be set, or changed in place; predictions follow.
    intercepts_ : list of ndarray, shape (fan_out,)
        The biases.
    loss_ : float
        The last epoch's mean loss, with the penalty.
    loss_curve_ : list of float
        The loss of each epoch. Not for 'lbfgs', as the next three.
    best_loss_ : float or None
        The lowest; None with `early_stopping`.
    validation_scores_ : list of float or None
        Scores on rows that are judged; None where the last fit judged none.
    best_validation_score_ : float or None
        The highest of the last fit; with `warm_start` also that of the weights from which it went
        on, on the same rows.
    n_iter_ : int
        Epochs (or iterations) of the last fit.
    t_ : int
        Rows trained on, over all epochs.
    n_layers_ : int
        Layers, the inputs and the outputs among them.
    n_outputs_ : int
    out_activation_ : str
        'softmax', 'logistic', 'identity' or 'exp'.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        There when X has column names."""


# Python attributes a warning to the module whose code gives it. These two are here, so that a
# filter by module finds all warnings under the name that users import, whatever calls fit.


def _warn(message, category=UserWarning):
    warnings.warn(message, category, stacklevel=1)


def _iterations(result, max_iter):
    """How many SciPy's L-BFGS-B did, with scikit-learn's warning where it has not converged."""
    return _check_optimize_result("lbfgs", result, max_iter)


class MLPClassifier(ClassifierMixin, BaseMLP):
    __doc__ = f"""Multilayer perceptron for classification, as scikit-learn's ``MLPClassifier``, on the native core.

    The cost is the cross-entropy: of a softmax for several classes; of a sigmoid for two and,
    summed, for several labels a row. docs/scikit-learn.md says what is equal to scikit-learn's and
    what is not.

    Parameters
    ----------
    {_PARAMETERS}
    class_weight : dict or 'balanced', optional
        Weight of each class's rows, 1 for those not named; 'balanced': n_samples / (n_classes *
        rows of the class). Not for several labels a row.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels, sorted.
    {_ATTRIBUTES}

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

    _warn, _iterations = staticmethod(_warn), staticmethod(_iterations)

    loss = "log_loss"

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        dropout=0.0,
        callbacks=(),
        restore_best_weights=None,
        dtype=None,
        n_threads=None,
        compatible=False,
        class_weight=None,
    ):
        self._keep(locals())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @available_if(lambda self: self._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
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

    def _know_classes(self, y, classes):
        if _check_partial_fit_first_call(self, classes):
            self._label_binarizer = LabelBinarizer().fit(
                y if type_of_target(y).startswith("multilabel") else classes
            )

    def _validate_input(self, X, y, incremental, reset):
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
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
            return X, y
        classes = unique_labels(y)
        if self.warm_start and not incremental:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                    f"Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has "
                f"{classes}."
            )
        return X, y

    def _kind(self):
        """'binary' (one class counts as two), 'multiclass' or 'multilabel'."""
        return self._label_binarizer.y_type_.partition("-")[0]

    def _count_outputs(self, y):
        return {"multiclass": len(self.classes_), "multilabel": y.shape[-1]}.get(self._kind(), 1)

    def _targets(self, y, dtype):
        """(targets, None) or, for several classes, (None, labels)."""
        if self._kind() == "multilabel":
            return np.ascontiguousarray(self._label_binarizer.transform(y), dtype), None
        labels = np.searchsorted(self.classes_, y)[:, None]
        return (
            (None, labels.astype(np.int32))
            if self._kind() == "multiclass"
            else (labels.astype(dtype), None)
        )

    def _weights(self, weights, y, incremental, dtype):
        if self.class_weight is not None:
            if self._kind() == "multilabel":
                raise ValueError("class_weight is for one label a row, but y has several")
            if incremental and self.class_weight == "balanced":
                raise ValueError(
                    "class_weight 'balanced' is not supported for partial_fit, which does not see all rows at "
                    "once; give the weights as a dict"
                )
            of_class = compute_sample_weight(self.class_weight, y)
            weights = of_class if weights is None else weights * of_class
        return super()._weights(weights, y, incremental, dtype)

    def _strata(self, targets, labels):
        if labels is not None and not self.compatible:
            counts = np.bincount(labels[:, 0])
            counts, apart = counts[counts > 0], ceil(self.validation_fraction * len(labels))
            # Where a class cannot be on both sides, the split is drawn without regard to classes.
            return (
                labels[:, 0]
                if counts.min() > 1 and len(counts) <= min(apart, len(labels) - apart)
                else None
            )
        return targets.astype(bool) if self._kind() == "binary" else None

    def _judge_of(self, X, targets, labels, weights):
        y = labels[:, 0] if labels is not None else targets > 0.5
        # Where y had one class only, that class is what is predicted.
        threshold = 0.5 if len(self.classes_) > 1 else np.inf
        return Judge(X, y[:, 0] if self._kind() == "binary" else y, weights, False, threshold)

    def _native_loss(self):
        return (
            "sparse_categorical_crossentropy"
            if self._kind() == "multiclass"
            else "binary_crossentropy",
            None,
        )

    def _output_activation(self):
        return "softmax" if self._kind() == "multiclass" else "logistic"

    def predict(self, X):
        """The labels of the most probable classes.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples,) or (n_samples, n_outputs)
            With several labels a row 0 and 1, sparse if y was.
        """
        a = self._outputs(X)
        if self._kind() == "multilabel":
            return self._label_binarizer.inverse_transform(a)
        if a.shape[1] > 1:
            return self.classes_.take(a.argmax(axis=1))
        # Where y had one class only, that class is all there is.
        return self.classes_.take((a[:, 0] > 0.5) & (len(self.classes_) > 1))

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples, n_classes)
            In the order of `classes_`. With several labels a row: of each of them.
        """
        a = self._outputs(X)
        if a.shape[1] > 1:
            return a
        p = np.empty((len(a), 2), a.dtype)
        p[:, 1], p[:, 0] = a[:, 0], 1 - a[:, 0]
        return p

    def predict_log_proba(self, X):
        """Logarithms of `predict_proba`; -inf where a probability is 0.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples, n_classes)
        """
        p = self.predict_proba(X)
        return np.log(p, out=p)


class MLPRegressor(RegressorMixin, BaseMLP):
    __doc__ = f"""Multilayer perceptron for regression, as scikit-learn's ``MLPRegressor``, on the native core.

    docs/scikit-learn.md says what is equal to scikit-learn's and what is not.

    Parameters
    ----------
    loss : str or Huber, default 'squared_error'
        'squared_error' or 'mse': 1/2 the squares, summed over the outputs. 'poisson': half the
        Poisson deviance, summed over the outputs, for y of at least 0; the output is the mean, e^z.
        'absolute_error' or 'mae'. 'huber', or ``Huber(delta)``.
    {_PARAMETERS}

    Attributes
    ----------
    {_ATTRIBUTES}

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

    _fewest_judged = 2  # of one row there is no R^2

    _parameter_constraints = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions({*_LOSSES}), Huber],
    }

    _warn, _iterations = staticmethod(_warn), staticmethod(_iterations)

    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        dropout=0.0,
        callbacks=(),
        restore_best_weights=None,
        dtype=None,
        n_threads=None,
        compatible=False,
    ):
        self._keep(locals())

    @available_if(lambda self: self._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
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

    def _validate_input(self, X, y, incremental, reset):
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
                "Some value(s) of y are out of the valid range of the loss 'poisson', which is at least 0."
            )
        return X, y

    def _count_outputs(self, y):
        return 1 if y.ndim == 1 else y.shape[1]

    def _targets(self, y, dtype):
        return np.ascontiguousarray(y, dtype).reshape(len(y), -1), None

    def _native_loss(self):
        return get_loss(self._LOSSES.get(self.loss, self.loss))

    def _output_activation(self):
        return "exp" if self.loss == "poisson" else "identity"

    def predict(self, X):
        """Predicted numbers.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        ndarray, shape (n_samples,) or (n_samples, n_outputs)
        """
        a = self._outputs(X)
        return a[:, 0] if a.shape[1] == 1 else a
