"""What scikit-learn's two estimators share: one immutable model, fitting that computes the next one
aside, and predictions with one snapshot."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import numpy as np
from joblib.parallel import get_active_backend
from sklearn import get_config
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils.validation import check_is_fitted, validate_data

from cnn_core._control import Exclusive
from cnn_core._few import counted
from cnn_core._foreign_attributes import OnlyOfMLP
from cnn_core._frozen import replace
from cnn_core._names import Keywords
from cnn_core._state import damage_told, restored, with_versions
from cnn_core.data.weights import scaled_near_one
from cnn_core.explainable import Explainable
from cnn_core.exportable import Exportable
from cnn_core.files.saved import Resumable
from cnn_core.sklearn import _fit, _job
from cnn_core.sklearn._checks import check_numbers, check_weights, refuse_blocks
from cnn_core.sklearn._model import ABSENT, FittedAttribute, FittedModel
from cnn_core.sklearn._parameters import (
    CONSTRAINTS,
    are_activations,
    hidden_sizes,
    layer_activations,
)
from cnn_core.sklearn._policies import Scorer
from cnn_core.threads import check_threads, get_num_threads

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core._typing import Labels, MatrixLike, Reals
    from cnn_core.causes.seen import Seen
    from cnn_core.explanations.explained import Explained
    from cnn_core.export.content import Content
    from cnn_core.files.codecs import Codec
    from cnn_core.losses import LossParam
    from cnn_core.training.checkpoint import Checkpoint
    from cnn_core.training.signals import Signals

_Method = TypeVar("_Method", bound=Callable[..., Any])


def fit_context(method: _Method) -> _Method:
    """scikit-learn's checks of parameters around a method, whose type stays."""
    return cast("_Method", _fit_context(prefer_skip_nested_validation=True)(method))


class BaseMLP(Keywords, Resumable, Explainable, Exportable, BaseEstimator, OnlyOfMLP):
    """A multilayer perceptron with the parameters, attributes and random stream of
    scikit-learn's.

    All that is fitted is in `_model`, which is replaced in one step and never changed. `fit` works
    on a copy of the estimator and publishes at its end (and, where there are callbacks, after each
    epoch); an error publishes nothing. Predictions take `_model` once.
    """

    _parameter_constraints = CONSTRAINTS

    #: Rows that `X_val` must have.
    _fewest_validation_rows = 1

    #: Nothing is fitted.
    _model = FittedModel()

    coefs_: FittedAttribute[list[Reals]] = FittedAttribute()
    intercepts_: FittedAttribute[list[Reals]] = FittedAttribute()
    loss_: FittedAttribute[float] = FittedAttribute()
    loss_curve_: FittedAttribute[list[float]] = FittedAttribute()
    best_loss_: FittedAttribute[float | None] = FittedAttribute()
    validation_scores_: FittedAttribute[list[float] | None] = FittedAttribute()
    best_validation_score_: FittedAttribute[float | None] = FittedAttribute()
    n_iter_: FittedAttribute[int] = FittedAttribute()
    t_: FittedAttribute[int] = FittedAttribute()
    n_layers_: FittedAttribute[int] = FittedAttribute()
    n_outputs_: FittedAttribute[int] = FittedAttribute()
    out_activation_: FittedAttribute[str] = FittedAttribute()
    n_features_in_: FittedAttribute[int] = FittedAttribute()
    feature_names_in_: FittedAttribute[Labels] = FittedAttribute()
    # Private in scikit-learn too, whose own tests look at these.
    _no_improvement_count: FittedAttribute[int] = FittedAttribute()
    _optimizer: FittedAttribute[Any] = FittedAttribute()

    #: Gives a warning in the name of the package; counts the iterations of L-BFGS-B, with a warning
    #: where it has not converged. The package sets both.
    _warn: Callable[..., None]
    _count_iterations: Callable[[Any, int], int]

    def _keep(self, parameters: dict[str, Any]) -> None:
        """Take the constructor's arguments as they are."""
        del parameters["self"]
        self.__dict__.update(parameters)

    def _copy(self, model: FittedModel) -> Self:
        """Another estimator with these parameters and that model."""
        other = object.__new__(type(self))
        other.__dict__.update(vars(self), _model=model)
        return other

    def __getstate__(self) -> dict[str, Any]:
        kind, base = type(self), BaseMLP
        own = (kind.__getstate__, kind.__setstate__) == (base.__getstate__, base.__setstate__)
        return with_versions(super().__getstate__(), self._get_param_names(), own)

    def __setstate__(self, state: dict[str, Any]) -> None:
        from cnn_core.sklearn._model_checks import check_fitted

        state = restored(state, self._parameters_in_files(), type(self).__name__)
        model = state.get("_model")
        if isinstance(model, FittedModel) and model.coefs is not ABSENT:
            with damage_told(type(self).__name__):
                check_fitted(model)
        super().__setstate__(state)

    @classmethod
    def _model_in_files(cls) -> Codec:
        from cnn_core.sklearn._files import MODEL

        return MODEL

    @classmethod
    def _parameters_in_files(cls) -> dict[str, Any]:
        parameters = inspect.signature(cls.__init__).parameters
        return {name: parameters[name].default for name in cls._get_param_names()}

    def _model_to_save(self, optimizer: bool) -> FittedModel:
        from cnn_core.sklearn._model_checks import check_fitted

        check_is_fitted(self)
        model = self._model
        check_fitted(model)
        return model if optimizer else replace(model, optimizer=None, stream=None)

    def _forget(self) -> None:
        self._model = FittedModel()

    @classmethod
    def _loaded(cls, parameters: dict[str, Any], model: FittedModel) -> Self:
        loaded = cls(**parameters)
        loaded._model = model
        return loaded

    def _check_parameters(self) -> None:
        self._validate_params()
        hidden_sizes(self)
        if self.n_threads is not None:
            check_threads(self.n_threads)

    def __sklearn_is_fitted__(self) -> bool:
        return self._model.coefs is not ABSENT

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        """What a notebook shows of an estimator by itself; in a pipeline it is part of
        scikit-learn's diagram. ``sklearn.set_config(display="text")`` is heeded."""
        shown = {"text/plain": repr(self)}
        if get_config()["display"] == "diagram":
            from cnn_core.notebook.drop_in import html_of_drop_in

            shown["text/html"] = html_of_drop_in(self)
        return shown

    @property
    def _repr_html_(self) -> Callable[[], str]:
        # As scikit-learn has it: where it shows text there is no such attribute.
        if get_config()["display"] != "diagram":
            raise AttributeError("_repr_html_ is only defined when the 'display' is 'diagram'")
        return lambda: self._repr_mimebundle_()["text/html"]

    # Training

    @fit_context
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: MatrixLike | None = None,
        y_val: ArrayLike | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: float | str = 60.0,
    ) -> Self:
        """Train, from new initial weights or, with `warm_start`, from the present ones.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
            A C-contiguous array of float64 or float32 is read where it stands; others are converted
            once.
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
            Class labels, or numbers to predict.
        sample_weight : array-like, shape (n_samples,), optional
            The cost of a mini-batch is the weighted mean of its rows' costs.
        X_val, y_val : array-like, optional
            Rows that are evaluated after every epoch and never trained on, in the place of those
            that `early_stopping` would set apart. Without `early_stopping` they are evaluated only.
            Not with solver 'lbfgs'.
        checkpoint : path-like, optional
            A file that keeps all that the training consists of, and from which `fit` goes on where
            it exists, as `cnn_core.MLP.fit` says. Not with solver 'lbfgs', whose state is SciPy's,
            and not with `warm_start`.
        checkpoint_every : float or str, default 60
            Seconds between two of them, or epochs, such as ``'5 epochs'``.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For parameters and data that cannot be trained on, and where the weights become infinite
            or NaN. The model is then as it was before.
        RuntimeError
            While another thread fits this object or sets its weights, and in a callback of a fit of
            this object; the fit that is running goes on unharmed.
        KeyboardInterrupt, SystemExit
            On Ctrl-C, and with a `checkpoint` on SIGTERM, within about 0.1 s. The model is that of
            the last whole epoch (with `early_stopping`, of the best one), or as it was before if
            there was none, as always with solver 'lbfgs'.

        Warns
        -----
        ConvergenceWarning
            Where `max_iter` ends the training before another rule does.
        """
        refuse_blocks(X, y)
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together")
        validation = None if X_val is None else (X_val, y_val)
        if checkpoint is None:
            return self._fit(X, y, sample_weight, False, validation)
        from cnn_core.training.signals import Signals

        with Signals() as signals:
            kept = self._checkpoint(checkpoint, checkpoint_every, signals)
            return self._fit(X, y, sample_weight, False, validation, checkpoint=kept)

    def _checkpoint(self, path: str | os.PathLike[str], every: Any, signals: Signals) -> Checkpoint:
        from cnn_core.training.checkpoint import Checkpoint

        if self._full_batch_by_scipy():
            raise ValueError(
                "checkpoint does not go with solver='lbfgs', whose state is SciPy's; "
                "cnn_core.MLP(optimizer='lbfgs') can go on"
            )
        if self.warm_start:
            raise ValueError("checkpoint does not go with warm_start=True")
        return Checkpoint(self, path, every, signals)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, as scikit-learn's estimators do; a call that is refused changes none.

        Parameters
        ----------
        **params
            By their names.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For an unknown name.
        """
        before = self.__dict__.copy()
        try:
            super().set_params(**params)
        except BaseException:
            self.__dict__.update({name: before[name] for name in params if name in before})
            raise
        return self

    def _check_solver(self) -> bool:
        if self._full_batch_by_scipy():
            raise AttributeError(
                f"partial_fit is only available for stochastic optimizers. {self.solver} is not "
                "stochastic."
            )
        return True

    def _full_batch_by_scipy(self) -> bool:
        return isinstance(self.solver, str) and self.solver == "lbfgs"

    def _fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        incremental: bool,
        validation: tuple[Any, Any] | None = None,
        classes: ArrayLike | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Self:
        """`fit` or `partial_fit`; an error leaves the model as it was, Ctrl-C that of the last
        whole epoch."""
        with Exclusive(self) as exclusive:
            before = self._model
            p = self._copy(before)
            stream = _job.own_stream(p, incremental)
            drawn = None if stream is None else stream.get_state(legacy=False)

            def publish(model: FittedModel) -> None:
                self._model = model

            try:
                if incremental:
                    p._set_classes(y, classes)
                callbacks = _job.callbacks_of(p, validation)
                job = _job.begin(p, X, y, sample_weight, incremental, checkpoint)
                _fit.train(job, self, publish, callbacks, validation, checkpoint)
                exclusive.over = True
                for callback in callbacks:
                    callback.after_fit(self)
            except BaseException as error:
                interrupted = not isinstance(error, Exception)  # Ctrl-C, or sys.exit
                if self._model is not before and not interrupted:  # a callback has looked
                    publish(before)
                if self._model is before and stream is not None and drawn is not None:
                    stream.set_state(drawn)
                raise
        return self

    def _threads(self) -> int:
        """How many threads: not more than one each where joblib runs several fits in the threads of
        this process."""
        if self.n_threads is not None:
            return int(check_threads(self.n_threads))
        if (
            threading.current_thread() is not threading.main_thread()
            and get_active_backend()[0].nesting_level
        ):
            return 1
        return int(get_num_threads())

    def _validate_training_rows(
        self, X: Any, y: Any, incremental: bool, reset: bool
    ) -> tuple[Any, np.ndarray]:
        """X and y, checked as scikit-learn does; with `reset` the features are those of this X."""
        check_numbers("X", X)
        checked: tuple[Any, np.ndarray] = self._validate_input(X, y, incremental, reset)
        return checked

    def _validation_scorer(self, X: Any, y: Any, dtype: Any) -> Scorer:
        """Who scores on rows that the user gives."""
        X, y = self._validate_training_rows(X, y, True, reset=False)
        if self._count_outputs(y) != self.n_outputs_:
            raise ValueError(
                f"y_val must have {counted(self.n_outputs_, 'output')} a row as y has, got "
                f"{self._count_outputs(y)}"
            )
        if X.shape[0] < self._fewest_validation_rows:
            raise ValueError(
                "The validation set is too small: X_val must have at least "
                f"{self._fewest_validation_rows} rows, got {X.shape[0]}."
            )
        return self._scorer(X, *self._targets(y, dtype), None)

    def _scaled_weights(
        self, weights: np.ndarray | None, y: np.ndarray, incremental: bool, dtype: Any
    ) -> tuple[np.ndarray | None, float]:
        """A weight for each row as the native core wants them, shape (rows, 1), and by what they
        are scaled; None for none.

        The largest becomes 1/2 to 1, so that no sum overflows or vanishes, in float32 either. A
        power of two changes no bit.
        """
        parts = {"sample_weight": weights, "class_weight": self._class_weights(y, incremental)}
        product, scale = None, 1.0
        for name, part in parts.items():
            if part is not None:
                check_weights(name, part)
                # Each by itself, so that the product neither overflows nor vanishes.
                scaled, factor = scaled_near_one(part)
                product, scale = scaled if product is None else product * scaled, scale * factor
        if product is None:
            return None, 1.0
        if not np.any(product):  # before 1.9 scikit-learn does not say so
            raise ValueError("Sample weights must contain at least one non-zero number.")
        product, factor = scaled_near_one(product)
        return np.ascontiguousarray(product[:, None], dtype), scale * factor

    # What the two estimators do each in its way

    def _class_weights(self, y: np.ndarray, incremental: bool) -> np.ndarray | None:
        """The weight of each row's class; None where classes have none."""
        return None

    def _seen(self, X: Any, targets: np.ndarray | None, before: Seen) -> Seen:
        """What is kept of the rows of a fit, and of those before."""
        return before

    def _set_classes(self, y: Any, classes: ArrayLike | None) -> None:
        """What `partial_fit` says about the labels to come."""

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> Any:
        raise NotImplementedError

    def _count_outputs(self, y: np.ndarray) -> int:
        raise NotImplementedError

    def _targets(self, y: Any, dtype: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
        """(targets, None) or, for several classes, (None, labels)."""
        raise NotImplementedError

    def _stratify_labels(
        self, targets: np.ndarray | None, labels: np.ndarray | None
    ) -> np.ndarray | None:
        """What the split keeps the shares of; None for a regression."""
        return None

    def _scorer(
        self,
        X: Any,
        targets: np.ndarray | None,
        labels: np.ndarray | None,
        weights: np.ndarray | None,
    ) -> Scorer:
        raise NotImplementedError

    def _native_loss(self) -> tuple[str, LossParam | None]:
        """Name and number of the loss in the native core."""
        raise NotImplementedError

    def _output_activation(self) -> str:
        raise NotImplementedError

    # Predicting

    def _outputs(self, X: Any) -> tuple[FittedModel, np.ndarray]:
        """The present model, and its output layer's activations for all rows of X, checked as
        scikit-learn does."""
        model = self._model
        one = type(X) is np.ndarray and X.ndim == 2 and len(X) == 1
        if one and model.coefs is not ABSENT and model.feature_names_in is ABSENT:
            # One row in a moment: its checks are done natively, and what it does not take as it is
            # goes the long way.
            row = self._packed(model).row
            a = row.forward_checked(X) if X.dtype == row.dtype else None
            if a is not None:
                return model, a
        # scikit-learn's checks look at attributes: those of this model, whatever a fit in another
        # thread publishes meanwhile.
        snapshot = self._copy(model)
        check_is_fitted(snapshot)
        check_numbers("X", X)
        X = validate_data(snapshot, X, accept_sparse=["csr", "csc"], reset=False)
        return model, self._packed(model).forward(X, self._threads())

    def _explained(self) -> Explained:
        model = self._model
        snapshot = self._copy(model)
        check_is_fitted(snapshot)
        packed = self._packed(model)
        if packed.explained is None:
            from cnn_core.sklearn._explained import explained_of

            packed.explained = explained_of(snapshot, model, packed)
        found: Explained = packed.explained
        return found

    def _content(self, what: str, intervals: Any = ()) -> Content:
        from cnn_core.export.content import of_explained
        from cnn_core.export.spread import spread_of

        explained = self._explained()
        networks = [one.network for one in explained.members]
        known = self._model.calibration
        calibration = None if known is ABSENT else known
        spread = spread_of(explained.task, networks, calibration, intervals, what)
        return of_explained(explained, what, spread)

    def _packed(self, model: FittedModel) -> Any:
        """What a model's predictions are computed with."""
        hidden = getattr(self, "activation", None)
        if model.activations is ABSENT or are_activations(hidden, model.n_layers - 2):
            activations = layer_activations(self, model.n_layers - 1, model.out_activation)
        else:  # the next fit refuses them
            activations = model.activations
        return model.weights.get(model.coefs, model.intercepts, activations)
