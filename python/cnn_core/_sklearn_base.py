"""What scikit-learn's two estimators share: from the parameters and the data that users give to a
training run, and back to `coefs_` and `intercepts_`."""

import operator
import threading
from numbers import Integral, Real

import numpy as np
from joblib.parallel import get_active_backend
from sklearn.base import BaseEstimator, _fit_context
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from cnn_core import _activations
from cnn_core._backprop import Backprop
from cnn_core._sklearn_network import Served, arrays_of, check_shapes, dense_rows, make_network, put
from cnn_core._sklearn_solvers import (
    DenseSource,
    Deviance,
    Judge,
    Run,
    SparseSource,
    Steps,
    initial_rate,
    minimize_loss,
    train,
)
from cnn_core._trainer import Trainer
from cnn_core.activations import Activation
from cnn_core.callbacks import Callback, check_callbacks
from cnn_core.optimizers import LBFGS, OPTIMIZERS, SGD, Adam, Optimizer
from cnn_core.schedules import Schedule
from cnn_core.threads import check_threads, get_num_threads

ACTIVATIONS = {"logistic", *_activations.names()} - {"step", "sign"}


class _Precision(Options):
    """Whatever NumPy takes for float32 or float64: a name, a type or a dtype."""

    def __init__(self):
        super().__init__(object, {"float32", "float64"})

    def is_satisfied_by(self, value):
        try:
            return value is not None and np.dtype(value) in (np.float32, np.float64)
        except Exception:  # an object may answer NumPy with an error of any kind
            return False

    def __str__(self):
        return "float32 or float64 in a form that numpy.dtype takes"


class BaseMLP(BaseEstimator):
    """A multilayer perceptron with the parameters, attributes and random stream of
    scikit-learn's."""

    _parameter_constraints = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(ACTIVATIONS), Activation, list, tuple],
        "solver": [StrOptions({*OPTIMIZERS}), Optimizer],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), Schedule],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple, np.ndarray, None],
        "callbacks": [Callback, callable, list, tuple, None],
        "restore_best_weights": ["boolean", None],
        "dtype": [_Precision(), None],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "compatible": ["boolean"],
    }

    #: Rows that `X_val` must have.
    _fewest_judged = 1

    #: What predictions are computed with, made from `coefs_` and `intercepts_` when it is first
    #: wanted.
    _served = None

    def _keep(self, parameters):
        """Take the constructor's arguments as they are."""
        del parameters["self"]
        vars(self).update(parameters)

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_served", None)
        return state

    def __sklearn_is_fitted__(self):
        return hasattr(self, "coefs_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # Training

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None):
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
            Rows that are judged after every epoch and never trained on, in the place of those that
            `early_stopping` would set apart. Without `early_stopping` they are judged alone. Not
            with solver 'lbfgs'.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For parameters and data that cannot be trained on, and where the weights become infinite
            or NaN. The model is then as it was before.

        Warns
        -----
        ConvergenceWarning
            Where `max_iter` ends the training before another rule does.
        """
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together")
        return self._fit(X, y, sample_weight, False, None if X_val is None else (X_val, y_val))

    def _check_solver(self):
        if self._full_batch_by_scipy():
            raise AttributeError(
                f"partial_fit is only available for stochastic optimizers. {self.solver} is not "
                "stochastic."
            )
        return True

    def _full_batch_by_scipy(self):
        return isinstance(self.solver, str) and self.solver == "lbfgs"

    def _fit(self, X, y, sample_weight, incremental, validation=None, classes=None):
        """`fit` or `partial_fit`; an error leaves the model as it was."""
        before = dict(vars(self))
        lists = {
            name: len(before[name])
            for name in ("loss_curve_", "validation_scores_")
            if before.get(name) is not None
        }
        try:
            if classes is not None or incremental:
                self._know_classes(y, classes)
            self._fit_or_fail(X, y, sample_weight, incremental, validation)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            for name, length in lists.items():
                del before[name][length:]
            raise
        return self

    def _fit_or_fail(self, X, y, sample_weight, incremental, validation):
        hidden = self._hidden()
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        lbfgs = self._full_batch_by_scipy()
        callbacks = check_callbacks(() if self.callbacks is None else self.callbacks)
        for what, wanted in (
            ("X_val and y_val do", validation is not None),
            ("dropout does", np.any(self.dropout)),
            ("a schedule does", isinstance(self.learning_rate, Schedule)),
            ("callbacks do", callbacks),
            ("restore_best_weights=True does", self.restore_best_weights),
        ):
            if lbfgs and wanted:
                raise ValueError(f"{what} not go with solver='lbfgs', which has no epochs")
        X, y = self._validate_input(X, y, incremental, reset=first)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        stream = self._stream(incremental)
        # scikit-learn's L-BFGS gives float64 for any X.
        dtype = np.dtype(
            self.dtype
            if self.dtype is not None
            else np.float64
            if lbfgs
            else X.dtype
            if first
            else np.result_type(*self.coefs_[:1], np.float32)
        )
        targets, labels = self._targets(y, dtype)
        n_outputs = self._count_outputs(y)
        if first:
            self._begin(X.shape[1], hidden, n_outputs, stream, dtype)
        coefs, intercepts = (
            [np.asarray(one) for one in self.coefs_],
            [np.asarray(one) for one in self.intercepts_],
        )
        self.n_outputs_ = n_outputs
        weights, scale = self._weights(weights, y, incremental, dtype)
        activations = self._activations(self.n_layers_ - 1)
        widths = check_shapes(coefs, intercepts, len(activations), X.shape[1])
        if n_outputs != widths[-1]:
            raise ValueError(
                f"y has {n_outputs} outputs, but the model was fitted with {widths[-1]}"
            )
        network = make_network(widths, activations, dtype)
        put(network, coefs, intercepts)
        if hasattr(X, "tocsr"):
            X = X.tocsr() if not lbfgs else dense_rows(X, dtype)
        else:
            X = np.ascontiguousarray(X, dtype)
        run = self._run(
            network, X, targets, labels, weights, scale, stream, incremental, validation, callbacks
        )
        if lbfgs:
            minimize_loss(self, run, coefs, intercepts)
        else:
            for callback in run.callbacks:
                callback.before_fit(self)
            train(self, run, incremental, not (first or incremental))
            self._optimizer = run.steps
        if not np.isfinite(network.parameters).all():
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need "
                "to be preprocessed."
            )
        self._publish(network)
        for callback in run.callbacks:
            callback.after_fit(self)

    def _hidden(self):
        sizes = self.hidden_layer_sizes
        sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
        if np.any(np.array(sizes) <= 0):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        return [operator.index(size) for size in sizes]

    def _activations(self, n_layers):
        """The activations of all layers, as users name them."""
        hidden = self.activation
        if not isinstance(hidden, (list, tuple)):
            return [hidden] * (n_layers - 1) + [self.out_activation_]
        if len(hidden) != n_layers - 1:
            raise ValueError(
                f"activation must be one for all hidden layers or one for each of the {n_layers - 1}, got "
                f"{len(hidden)}"
            )
        for one in hidden:
            if not (isinstance(one, Activation) or (isinstance(one, str) and one in ACTIVATIONS)):
                raise ValueError(
                    f"activation must hold names among {', '.join(sorted(ACTIVATIONS))}, got {one!r}"
                )
        return [*hidden, self.out_activation_]

    def _stream(self, incremental):
        """The random stream, from which everything is drawn in scikit-learn's order.

        There a seed begins it anew in each `partial_fit`, which so visits its rows in one and the
        same order; here it goes on.
        """
        if not (
            incremental
            and not self.compatible
            and isinstance(self.random_state, Integral)
            and hasattr(self, "_random_state")
        ):
            self._random_state = check_random_state(self.random_state)
        return self._random_state

    def _begin(self, n_features, hidden, n_outputs, stream, dtype):
        """Initial weights and biases, uniform with Glorot & Bengio's bound (2010, eq. 16), and
        counts at 0."""
        widths = (n_features, *hidden, n_outputs)
        self.n_layers_, self.out_activation_ = len(widths), self._output_activation()
        activations = self._activations(len(widths) - 1)[:-1]
        # The output layer's bound is that of the hidden layer below, as where one activation serves
        # all.
        activations.append(activations[-1] if activations else self.activation)
        self.coefs_, self.intercepts_ = [], []
        for n_in, n_out, activation in zip(widths, widths[1:], activations):
            sigmoid = isinstance(activation, str) and activation in ("logistic", "sigmoid")
            bound = np.sqrt((2.0 if sigmoid else 6.0) / (n_in + n_out))
            self.coefs_.append(
                stream.uniform(-bound, bound, (n_in, n_out)).astype(dtype, copy=False)
            )
            self.intercepts_.append(stream.uniform(-bound, bound, n_out).astype(dtype, copy=False))
        self.n_iter_ = self.t_ = 0
        if not self._full_batch_by_scipy():
            self._begin_curve()

    def _begin_curve(self):
        self.loss_curve_, self._no_improvement_count = [], 0
        self.best_loss_ = None if self.early_stopping else np.inf
        self.validation_scores_ = self.best_validation_score_ = None

    def _run(
        self,
        network,
        X,
        targets,
        labels,
        weights,
        scale,
        stream,
        incremental,
        validation,
        callbacks,
    ):
        """Who trains on what, and who judges."""
        dtype, chosen, judge, deviance = network.dtype, None, None, None
        threads = self._threads()
        if (
            validation is None
            and not self.early_stopping
            and getattr(self, "validation_scores_", None) is not None
        ):
            # Nobody judges: scores of an earlier fit are not those of these weights.
            self.validation_scores_ = self.best_validation_score_ = None
        if self._full_batch_by_scipy():
            batch, steps, sgd, name, settings = X.shape[0], None, False, None, {}
        else:
            if not hasattr(self, "loss_curve_"):  # a warm start after lbfgs
                self._begin_curve()
            if validation is not None:
                judge = self._judge(*validation, dtype)
            elif self.early_stopping:
                chosen, kept = self._split(targets, labels, X.shape[0], stream)
                judge = self._judge_of(
                    X[kept],
                    *(None if part is None else part[kept] for part in (targets, labels)),
                    None if weights is None else weights[kept, 0],
                )
                targets, labels, weights = (
                    None if part is None else part[chosen] for part in (targets, labels, weights)
                )
            if judge is not None and self.validation_scores_ is None:
                self.validation_scores_, self.best_validation_score_ = [], -np.inf
            optimizer = self._rule()
            batch = self._batch(X.shape[0] if chosen is None else len(chosen), optimizer.full_batch)
            steps = getattr(self, "_optimizer", None) if incremental else None
            if steps is None or steps.name != optimizer.name:
                seed = int(stream.randint(np.iinfo(np.int32).max)) if np.any(self.dropout) else 0
                steps = Steps(optimizer.name, initial_rate(self), seed=seed)
            sgd, name = isinstance(optimizer, SGD), optimizer.name
            settings = optimizer.settings(steps.learning_rate)
        loss, alpha = self._native_loss()
        # Where scikit-learn's value of a squared error is asked for, which its gradient does not go
        # with.
        cost_scale = 1 / network.widths[-1] if self.compatible and loss == "mse" else 1.0
        # The penalty is divided by the weight of a mini-batch, so it is scaled as the weights are.
        backprop = Backprop(
            network,
            loss,
            batch,
            alpha,
            0.0,
            float(self.alpha) * scale,
            self._dropout_rates(network.n_layers),
            penalty_per_row=True,
        )
        training = Trainer(
            backprop,
            name,
            settings,
            steps.seed if steps else 0,
            threads=threads,
            adaptive=self.n_threads is None,
            by_rows=True,
            cost_scale=cost_scale,
        )
        if steps is not None and steps.state is not None:
            if [slot.shape for slot in steps.state["slots"]] == [
                slot.shape for slot in training.slots
            ]:
                training.restore(steps.state)
        if loss == "poisson":
            deviance = Deviance(targets, weights, batch)
        if hasattr(X, "tocsr"):
            source = SparseSource(X, chosen, targets, labels, weights, dtype, batch)
        else:
            source = DenseSource(X, chosen, targets, labels, weights)
        return Run(source, training, batch, stream, steps, judge, deviance, threads, sgd, callbacks)

    def _rule(self):
        """The optimizer that `solver` means, with the numbers that scikit-learn's parameters give
        it."""
        solver = self.solver
        if isinstance(solver, LBFGS):
            raise ValueError("solver=LBFGS(...) is for cnn_core.MLP; say solver='lbfgs'")
        if isinstance(solver, Optimizer):
            return solver
        if solver == "sgd":
            return _AnySGD(
                float(self.learning_rate_init), float(self.momentum), bool(self.nesterovs_momentum)
            )
        if solver == "adam":
            return Adam(
                float(self.learning_rate_init),
                float(self.beta_1),
                float(self.beta_2),
                float(self.epsilon),
                epsilon_hat=True,
            )
        return OPTIMIZERS[solver]()

    def _batch(self, count, whole):
        """Rows of a mini-batch."""
        if whole:
            return count
        if isinstance(self.batch_size, str):
            return min(200, count)
        if self.batch_size > count:
            self._warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"
            )
        return min(int(self.batch_size), count)

    def _dropout_rates(self, n_layers):
        """One for each layer's inputs: a number is for all hidden layers, a sequence for the inputs
        and each of them."""
        rates = 0.0 if self.dropout is None else self.dropout
        if np.ndim(rates) == 0:
            rates = [0.0] + [rates] * (n_layers - 1)
        rates = np.asarray(rates, float).ravel().tolist()
        if len(rates) != n_layers or not all(0 <= rate < 1 for rate in rates):
            raise ValueError(
                f"dropout must be one rate for all hidden layers, or {n_layers}, for the inputs and each hidden "
                f"layer, each at least 0 and below 1; got {self.dropout}"
            )
        return rates

    def _threads(self):
        """How many threads: not more than one each where joblib runs several fits in the threads of
        this process."""
        if self.n_threads is not None:
            return check_threads(self.n_threads)
        if (
            threading.current_thread() is not threading.main_thread()
            and get_active_backend()[0].nesting_level
        ):
            return 1
        return get_num_threads()

    def _split(self, targets, labels, count, stream):
        """Rows to train on and rows to judge on, drawn as `train_test_split` of all arrays would
        be."""
        train_rows, kept = train_test_split(
            np.arange(count),
            random_state=stream,
            test_size=self.validation_fraction,
            stratify=self._strata(targets, labels),
        )
        if len(kept) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        return train_rows, kept

    def _know_classes(self, y, classes):
        """What `partial_fit` says about the labels to come."""

    def _strata(self, targets, labels):
        """What the split keeps the shares of; None for a regression."""
        return

    def _judge(self, X, y, dtype):
        """Who judges on rows that the user gives."""
        X, y = self._validate_input(X, y, True, reset=False)
        if self._count_outputs(y) != self.n_outputs_:
            raise ValueError(
                f"y_val must have {self.n_outputs_} outputs a row as y has, got {self._count_outputs(y)}"
            )
        if X.shape[0] < self._fewest_judged:
            raise ValueError(
                f"The validation set is too small: X_val must have at least {self._fewest_judged} rows, got "
                f"{X.shape[0]}."
            )
        return self._judge_of(X, *self._targets(y, dtype), None)

    def _judge_of(self, X, targets, labels, weights):
        return Judge(X, targets, weights, True)

    def _weights(self, weights, y, incremental, dtype):
        """A weight for each row as the native core wants them, shape (rows, 1), and by what they
        are scaled; None for none.

        The largest becomes 1/2 to 1, so that no sum overflows or vanishes, in float32 either. A
        power of two changes no bit.
        """
        if weights is None:
            return None, 1.0
        if not np.isfinite(weights).all():
            row = int(np.argmin(np.isfinite(weights)))
            raise ValueError(
                f"sample_weight times class_weight must be finite, got {weights[row]} for row {row}"
            )
        if np.min(weights) < 0:
            row = int(np.argmax(weights < 0))
            raise ValueError(
                f"Negative weights cannot be trained with: they must be at least 0, got {weights[row]} for row "
                f"{row}"
            )
        if not np.any(weights):  # before 1.9 scikit-learn does not say so
            raise ValueError("Sample weights must contain at least one non-zero number.")
        exponent = min(-int(np.frexp(np.max(weights))[1]), 1023)
        return np.ascontiguousarray(np.ldexp(weights, exponent), dtype)[:, None], float(
            np.ldexp(1.0, exponent)
        )

    def _publish(self, network):
        """What `coefs_` and `intercepts_` say from now on."""
        self.coefs_, self.intercepts_ = arrays_of(network)
        self._served = Served.of(network, self._activations(network.n_layers))

    # Predicting

    def _outputs(self, X):
        """The output layer's activations for all rows of X, checked as scikit-learn does."""
        served = self._served
        one = type(X) is np.ndarray and X.ndim == 2 and len(X) == 1
        if one and served is not None and "feature_names_in_" not in vars(self):
            # One row in a moment: its checks are done natively, and what it does not take as it is
            # goes the long way.
            if served.holds(self.coefs_, self.intercepts_, self._activations(self.n_layers_ - 1)):
                a = served.one_row.forward_checked(X)
                if a is not None:
                    return a
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        served, activations = self._served, self._activations(self.n_layers_ - 1)
        if served is None or not served.holds(self.coefs_, self.intercepts_, activations):
            served = self._served = Served(self.coefs_, self.intercepts_, activations)
        return served.forward(X, self._threads())


class _AnySGD(SGD):
    """SGD with momentum up to 1, which scikit-learn takes."""

    name = "sgd"

    def _validate(self):
        pass
