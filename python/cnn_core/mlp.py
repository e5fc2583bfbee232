"""MLP: the multilayer perceptron as users see it. Checks what it is given, decides task, loss and output, and leaves
all arithmetic over samples to the native core."""

import time
import warnings
from dataclasses import dataclass, field, replace

import numpy as np

from cnn_core import _activations, _losses
from cnn_core._backprop import Backprop, Network
from cnn_core._checks import check_number, is_whole
from cnn_core._cpu import choose
from cnn_core._plan import STEPS, Plan, make_plan, make_targets, make_weights
from cnn_core._random import permutation
from cnn_core._training import Rows, Training
from cnn_core._validation import as_numbers, check_finite, check_names, check_rows, check_X, feature_names
from cnn_core.activations import Activation, get_activation
from cnn_core.exceptions import DivergenceWarning, NotFittedError
from cnn_core.initializers import initialize
from cnn_core.losses import Huber
from cnn_core.optimizers import get_optimizer
from cnn_core.schedules import Constant, Schedule


@dataclass(frozen=True, eq=False, repr=False)
class _Data:
    """Rows to train or to judge on, checked and in the model's dtype."""

    X: Rows
    y: Rows | None  # None for a sparse loss
    labels: Rows | None  # None for regression and multilabel
    weights: Rows | None = None

    def take(self, chosen):
        """Some of the rows, copied."""
        return _Data(*(None if part is None else Rows(part.array[chosen])
                       for part in (self.X, self.y, self.labels, self.weights)))

    def spread(self):
        """Sum of (y - mean y)^2 of each output, for R^2."""
        y = self.y.array
        return ((y - y.mean(axis=0, dtype=np.float64)) ** 2).sum(axis=0)


@dataclass(frozen=True, eq=False, repr=False)
class _Fitted:
    """All that a fit leaves behind. Never changed: the next fit puts another one in its place, so that a prediction
    that runs meanwhile sees the old model or the new one, nothing between."""

    network: Network
    plan: Plan
    n_features: int
    feature_names: np.ndarray | None
    history: dict = field(default_factory=dict)


class MLP:
    """Multilayer perceptron for classification and regression.

    Parameters
    ----------
    hidden : int or sequence of int, default (100,)
        Widths of the hidden layers. ``()`` has none: logistic or linear regression.
    activation : str, Activation, or sequence of them, default 'relu'
        One for all hidden layers, or one for each: 'identity', 'sigmoid', 'tanh', 'relu', 'leaky_relu', 'elu', 'selu',
        'gelu', 'gelu_tanh', 'softplus', 'swish', 'mish', 'hard_sigmoid', 'hard_swish', 'exp', 'softmax', or
        `LeakyReLU(negative_slope)`, `ELU(alpha)`.
    task : {'auto', 'classification', 'regression'}
        'auto': classification for integer, boolean and string y, regression for float y. Classification of a 2-D y of 0
        and 1 gives each row several labels.
    output : str or Activation, default 'auto'
        Output activation. 'auto': sigmoid for two classes (one output) and for several labels a row, softmax for more
        classes, identity for regression; 'step' or 'sign' with ``hidden=()`` is Rosenblatt's perceptron.
    loss : str or Huber, default 'auto'
        'mse' (1/2 the sum of squares over the outputs, averaged over the rows), 'mae', 'huber', 'poisson' (counts; the
        output is their mean), 'binary_crossentropy', 'categorical_crossentropy' (y one-hot or probabilities, shape
        (rows, classes); labels work too), 'sparse_categorical_crossentropy', 'hinge', or 'perceptron'. 'auto': the
        cross-entropy that fits the classes, mse for regression.
    optimizer : str or Optimizer, default 'adam'
        'sgd', 'adagrad', 'adadelta', 'rmsprop', 'adam', 'adamw', 'nadam', 'rprop' (full batch), or an object such as
        ``cnn_core.optimizers.SGD(momentum=0.9, nesterov=True)``.
    learning_rate : float or Schedule, optional
        Above 0, or an object of `cnn_core.schedules`; default the optimizer's own.
    batch_size : int or 'full', default 32
        Rows whose gradients are averaged for one step; 1 is the textbook's per-sample descent. More than there are
        rows means all of them.
    epochs : int, default 100
    shuffle : bool, default True
        Visit the rows in a new order every epoch.
    l1, l2 : float, default 0
        The cost of each mini-batch is increased by ``l1 * sum |W| + l2 / 2 * sum W^2`` over all weights, biases left
        out.
    max_norm : float, optional
        Longest that the weights to a neuron may be, as a Euclidean vector; enforced after each step.
    clip_norm : float, optional
        Longest that the gradient of a mini-batch may be; a longer one is shortened.
    label_smoothing : float, default 0
        Share of each class target that is spread evenly over the classes, in [0, 1).
    init : 'auto' or list of (W, b), default 'auto'
        'auto': uniform weights scaled after He et al. 2015 (relu) or Glorot & Bengio 2010 (others), biases 0.
        A list gives each layer its W, shape (n_out, n_in), and b, shape (n_out,).
    class_weight : dict or 'balanced', optional
        Weight of each class's rows, 1 for those not named; 'balanced': rows / (classes * rows of the class).
    early_stopping : bool, default False
        Stop when the loss on validation rows has not improved for `patience` epochs. Without validation_data a share of
        the training rows, the same of each class, is set apart for it.
    patience : int, default 10
    min_delta : float, default 0
        What counts as an improvement: a loss lower than the lowest so far by more than this.
    validation_fraction : float, default 0.1
        Share of the rows to set apart, in (0, 1).
    restore_best : bool, default True
        Whether early stopping ends with the weights of its best epoch instead of the last.
    dtype : {'float32', 'float64'}
        In which everything is computed.
    random_state : int, numpy Generator, RandomState or None
        Determines initial weights and the order of the rows. An int gives the same bits on every machine, instruction
        set and run; None is different every time.
    verbose : int, default 0
        1: a line an epoch.

    Attributes
    ----------
    weights_ : list of ndarray, shape (n_out, n_in)
        Row j holds the weights to neuron j. Copies, as are the next two; all three can be assigned to.
    biases_ : list of ndarray, shape (n_out,)
    parameters_ : ndarray, shape (n_parameters,)
        W^1 row by row, b^1, W^2, b^2, ...
    history_ : dict of str to list
        One entry an epoch: 'loss', 'metric' (accuracy, or R^2 for regression, of the rows as they passed by in
        training), 'val_loss', 'val_metric' (with validation_data), 'learning_rate', 'seconds'.
    classes_ : ndarray, shape (n_classes,)
        The class labels, sorted. Not there for regression.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        There when X was a data frame with string column names.
    n_epochs_ : int
        Epochs done.
    best_epoch_ : int
        The epoch, counted from 1, with the lowest validation loss, or training loss without validation data.

    Examples
    --------
    >>> from cnn_core import MLP
    >>> from cnn_core.datasets import load_digits
    >>> X, y = load_digits()
    >>> model = MLP(hidden=(64,), epochs=20, random_state=0).fit(X[:1400] / 16, y[:1400])
    >>> model.score(X[1400:] / 16, y[1400:]) > 0.9
    True
    """

    def __init__(self, hidden=(100,), activation="relu", *, task="auto", output="auto", loss="auto", optimizer="adam",
                 learning_rate=None, batch_size=32, epochs=100, shuffle=True, l1=0.0, l2=0.0, max_norm=None, clip_norm=None,
                 label_smoothing=0.0, init="auto", class_weight=None, early_stopping=False,
                 patience=10, min_delta=0.0, validation_fraction=0.1, restore_best=True, dtype="float32",
                 random_state=None, verbose=0):
        self.hidden = hidden
        self.activation = activation
        self.task = task
        self.output = output
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.shuffle = shuffle
        self.l1 = l1
        self.l2 = l2
        self.max_norm = max_norm
        self.clip_norm = clip_norm
        self.label_smoothing = label_smoothing
        self.init = init
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.patience = patience
        self.min_delta = min_delta
        self.validation_fraction = validation_fraction
        self.restore_best = restore_best
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose
        self._fitted = None
        self._timing = False
        self._check_parameters()

    # Parameters

    @classmethod
    def _defaults(cls):
        code = cls.__init__.__code__
        names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
        return dict(zip(names, cls.__init__.__defaults__)) | cls.__init__.__kwdefaults__

    def get_params(self, deep=True):
        """The constructor's parameters.

        Parameters
        ----------
        deep : bool
            There for scikit-learn's sake; no parameter has parameters of its own.

        Returns
        -------
        dict
        """
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self, **params):
        """Change parameters; the fitted model stays until the next fit.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For an unknown name or a bad value; then nothing has changed.
        """
        before = self.get_params()
        for name in params:
            choose("parameter", name, tuple(before))
        try:
            for name, value in params.items():
                setattr(self, name, value)
            self._check_parameters()
        except Exception:
            for name in params:
                setattr(self, name, before[name])
            raise
        return self

    def __repr__(self):
        defaults = self._defaults()
        changed = [f"{name}={value!r}" for name, value in self.get_params().items()
                   if value is not defaults[name] and repr(value) != repr(defaults[name])]
        return f"MLP({', '.join(changed)})"

    def __sklearn_tags__(self):
        # Asked for by scikit-learn alone, so it is there to be imported.
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        task = self.task if self._fitted is None else self._fitted.plan.task
        kind = {"classification": "classifier", "multilabel": "classifier", "regression": "regressor"}.get(task)
        return Tags(estimator_type=kind, target_tags=TargetTags(required=True, multi_output=True),
                    classifier_tags=ClassifierTags() if kind == "classifier" else None,
                    regressor_tags=RegressorTags() if kind == "regressor" else None, input_tags=InputTags())

    def __sklearn_is_fitted__(self):
        return self._fitted is not None

    def _check_parameters(self):
        """Raise for a parameter that no data could make sense of."""
        self._hidden_widths()
        for name, _ in self._hidden_activations():
            if name in STEPS:
                raise ValueError(f"activation {name!r} has derivative 0, so the layers below it cannot learn; it "
                                 f"trains only as the output of a single layer: hidden=(), output={name!r}")
        choose("task", self.task, ("auto", "classification", "regression"))
        if not isinstance(self.output, Activation):
            choose("output", self.output, ("auto", *_activations.names()))
        if not isinstance(self.loss, Huber):
            choose("loss", self.loss, ("auto", *_losses.names()))
        optimizer = get_optimizer(self.optimizer)
        if self.learning_rate is not None and not isinstance(self.learning_rate, Schedule):
            check_number("learning_rate", self.learning_rate, 0, None, above=True)
        self._check_count("batch_size", "full")
        if optimizer.full_batch and self.batch_size not in ("full", 32):
            raise ValueError(f"{type(optimizer).__name__} works on the whole training set; batch_size must be 'full', "
                             f"got {self.batch_size!r}")
        for name in ("l1", "l2"):
            check_number(name, getattr(self, name), 0)
        for name in ("max_norm", "clip_norm"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), 0, None, above=True)
        check_number("label_smoothing", self.label_smoothing, 0, 1)
        if isinstance(self.class_weight, str):
            choose("class_weight", self.class_weight, ("balanced",))
        elif self.class_weight is not None:
            if not hasattr(self.class_weight, "items"):
                raise TypeError(f"class_weight must be a dict, 'balanced' or None, got {self.class_weight!r}")
            for label, weight in self.class_weight.items():
                check_number(f"class_weight of {label!r}", weight, 0)
        self._check_count("epochs")
        self._check_count("patience")
        check_number("min_delta", self.min_delta, 0)
        check_number("validation_fraction", self.validation_fraction, 0, 1, above=True)
        for name in ("shuffle", "early_stopping", "restore_best"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}")
        if isinstance(self.init, str):
            choose("init", self.init, ("auto",))
        try:
            known = self.dtype is not None and np.dtype(self.dtype) in (np.float32, np.float64)
        except TypeError:
            known = False
        if not known:
            raise ValueError(f"dtype must be 'float32' or 'float64', got {self.dtype!r}")
        state = self.random_state
        if not (state is None or isinstance(state, (np.random.Generator, np.random.RandomState)) or is_whole(state)):
            raise TypeError(f"random_state must be an int, a numpy Generator or RandomState, or None; got {state!r}")
        if is_whole(state) and state < 0:
            raise ValueError(f"random_state must not be negative, got {state}")
        if not (isinstance(self.verbose, bool) or is_whole(self.verbose)) or self.verbose < 0:
            raise ValueError(f"verbose must be 0, 1, False or True, got {self.verbose!r}")
        tiny = float(np.finfo(self.dtype).tiny)
        if optimizer.settings().get("epsilon", 1) < tiny:
            raise ValueError(f"{type(optimizer).__name__}: epsilon must be at least {tiny:.3g} in {self.dtype}, got "
                             f"{optimizer.epsilon!r}")

    def _check_count(self, name, word=None):
        value = getattr(self, name)
        choices = f"a whole number of at least 1{f' or {word!r}' if word else ''}"
        if word is not None and isinstance(value, str) and value == word:
            return
        if not is_whole(value):
            raise TypeError(f"{name} must be {choices}, got {value!r}")
        if value < 1:
            raise ValueError(f"{name} must be {choices}, got {value}")

    def _hidden_widths(self):
        given = self.hidden
        widths = (given,) if is_whole(given) else given
        if not isinstance(widths, (tuple, list, range, np.ndarray)) or not all(is_whole(width) for width in widths):
            raise TypeError(f"hidden must be a whole number or a sequence of them, got {given!r}")
        if any(width < 1 for width in widths):
            raise ValueError(f"hidden layers need at least one neuron each, got {given!r}")
        return tuple(int(width) for width in widths)

    def _hidden_activations(self):
        """(name, alpha) of each hidden layer."""
        n = len(self._hidden_widths())
        if isinstance(self.activation, (str, Activation)):
            return (get_activation(self.activation),) * n
        given = self.activation
        if not isinstance(given, (tuple, list)):
            raise TypeError(f"activation must be a name or a list of names, got {given!r}")
        if len(given) != n:
            raise ValueError(f"activation must be one name or one for each of the {n} hidden layers, got {len(given)}")
        return tuple(get_activation(one) for one in given)

    def _seed(self):
        """64 bits for the counter-based generator."""
        state = self.random_state
        if isinstance(state, np.random.Generator):
            return int(state.integers(1 << 64, dtype=np.uint64))
        if isinstance(state, np.random.RandomState):
            return int.from_bytes(state.bytes(8), "little")
        return int(np.random.SeedSequence(None if state is None else int(state)).generate_state(1, np.uint64)[0])

    def _data(self, plan, X, y, labels=None, sample_weight=None, class_weight=None, smoothing=0.0, name="y"):
        """Targets and weights in the form that training wants, beside X."""
        targets, labels = make_targets(plan, y, labels, self.dtype, smoothing, name)
        check_rows(X, labels if targets is None else targets, name, name.replace("y", "X"))
        weights = make_weights(plan, labels, len(X), sample_weight, class_weight, self.dtype)
        return _Data(Rows(X), None if targets is None else Rows(targets),
                     None if labels is None else Rows(labels[:, None]), None if weights is None else Rows(weights))

    # Training

    def fit(self, X, y, *, sample_weight=None, validation_data=None):
        """Train from new initial weights.

        Parameters
        ----------
        X : array-like, shape (rows, features)
            A C-contiguous array of the model's dtype is read where it stands; others are converted once.
        y : array-like, shape (rows,) or (rows, outputs)
            Class labels (numbers, strings, bools), or numbers to predict. A 2-D y of 0 and 1 is several yes-or-no
            labels a row.
        sample_weight : array-like, shape (rows,), optional
            At least 0. The cost of a mini-batch is the weighted mean of its rows' costs.
        validation_data : (X, y), optional
            Judged after every epoch, never trained on.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For input that cannot be trained on. The model is then as it was before.
        KeyboardInterrupt
            On Ctrl-C; the model is the one after the last whole epoch, or as it was before if there was none.

        Warns
        -----
        DivergenceWarning
            If the loss or a weight becomes NaN or infinite. The model is the one after the last whole epoch before.
        """
        self._check_parameters()
        names = feature_names(X)
        X = check_X(X, self.dtype)
        smoothing = float(self.label_smoothing)
        plan, labels = make_plan(y, self.task, self.loss, self.output, len(self._hidden_widths()), smoothing)
        seed = self._seed()
        data = self._data(plan, X, y, labels, sample_weight, self.class_weight, smoothing)
        judged = None
        if self.early_stopping and validation_data is None:
            data, judged = self._split(seed, data, self._data(plan, X, y, labels))
        if validation_data is not None:
            try:
                X_val, y_val = validation_data
            except (TypeError, ValueError):
                raise ValueError("validation_data must be a pair (X, y)") from None
            check_names(X_val, names, "validation_data's X")
            X_val = check_X(X_val, self.dtype, X.shape[1], "validation_data's X")
            judged = self._data(plan, X_val, y_val, name="validation_data's y")

        names_of, alphas = zip(*self._hidden_activations(), (plan.output, plan.output_alpha))
        network = Network((X.shape[1], *self._hidden_widths(), plan.n_outputs), names_of, self.dtype, alphas)
        self._check_init(network)
        initialize(network, self.init, seed)
        optimizer = get_optimizer(self.optimizer)
        whole = self.batch_size == "full" or optimizer.full_batch
        batch = data.X.count if whole else min(int(self.batch_size), data.X.count)
        schedule = self.learning_rate if isinstance(self.learning_rate, Schedule) else Constant(
            initial=self.learning_rate)
        training = Training(Backprop(network, plan.loss, batch, plan.loss_alpha, self.l1, self.l2), optimizer.name,
                            optimizer.settings(schedule.initial), seed, self._timing, self.clip_norm or 0,
                            self.max_norm or 0, plan.task == "multilabel")
        self._train(training, schedule, data, judged, _Fitted(network, plan, X.shape[1], names))
        return self

    def _check_init(self, network):
        if isinstance(self.init, str):
            return
        shapes = [(n_out, n_in) for n_in, n_out in zip(network.widths, network.widths[1:])]
        try:
            given = [tuple(np.shape(part) for part in pair) for pair in self.init]
        except (TypeError, ValueError):
            raise TypeError(f"init must be 'auto' or a list of (W, b), got {self.init!r}") from None
        if given != [(shape, shape[:1]) for shape in shapes]:
            wanted = ", ".join(f"({shape}, {shape[:1]})" for shape in shapes)
            raise ValueError(f"init must give each layer (W, b) of the shapes {wanted}; got {given}")
        for layer, (W, b) in enumerate(self.init):
            check_finite(f"W of init's layer {layer}", as_numbers(f"W of init's layer {layer}", W), self.dtype)
            check_finite(f"b of init's layer {layer}", as_numbers(f"b of init's layer {layer}", b), self.dtype)

    def _split(self, seed, data, judged):
        """The training rows of `data`, and of `judged` those set apart for validation: the same share of each class."""
        rows = data.X.count
        order = permutation(seed, 0, rows, split=True)
        groups = np.zeros(rows, np.intp) if data.labels is None else data.labels.array[order, 0]
        apart = np.zeros(rows, bool)
        for group in np.unique(groups):
            members = order[groups == group]
            apart[members[: int(self.validation_fraction * len(members) + 0.5)]] = True
        if not apart.any() or apart.all():
            raise ValueError(f"validation_fraction {self.validation_fraction} of {rows} rows leaves none to "
                             f"{'train' if apart.all() else 'validate'} on; give validation_data or another fraction")
        return data.take(~apart), judged.take(apart)

    def _train(self, training, schedule, data, judged, fitted):
        """Run the epochs and publish what stands after the last good one."""
        network = training.backprop.network
        regression = fitted.plan.task == "regression"
        metric_of = _r2 if regression else lambda share, _: share
        spread, judged_spread = (part.spread() if regression and part else None for part in (data, judged))
        names = ["loss", "metric"] + (["val_loss", "val_metric"] if judged else []) + ["learning_rate", "seconds"]
        entries = []
        # The weights after the last good epoch and their number of epochs, replaced in one step: Ctrl-C may strike
        # between any two others.
        kept, spare = (network.copy(), 0), network.copy()
        losses, best, lowest, waited = [], None, np.inf, 0
        diverged = False
        initial = training_rate = training.learning_rate
        per_epoch = -(-data.X.count // training.backprop.capacity)
        try:
            for epoch in range(int(self.epochs)):
                start = time.perf_counter()
                rates = schedule.rates(initial, np.arange(training.steps, training.steps + per_epoch), epoch, per_epoch,
                                       int(self.epochs))
                loss, metric = training.epoch(data.X, data.y, data.labels, bool(self.shuffle), weights=data.weights,
                                              rates=rates)
                diverged = not (np.isfinite(loss) and np.isfinite(network.parameters).all())
                if diverged:
                    warnings.warn(f"training diverged in epoch {epoch + 1} at learning rate "
                                  f"{training.learning_rate:g} (loss {loss}); the weights after epoch {epoch}, the "
                                  "last finite ones, are kept; a lower learning rate, features of similar scale or "
                                  "clip_norm may help", DivergenceWarning, stacklevel=3)
                    break
                entry = {"loss": loss, "metric": metric_of(metric, spread)}
                if judged:
                    val_loss, val_metric = training.evaluate(judged.X, judged.y, judged.labels)
                    entry |= {"val_loss": val_loss, "val_metric": metric_of(val_metric, judged_spread)}
                entry |= {"learning_rate": training.learning_rate, "seconds": time.perf_counter() - start}
                entries.append(entry)
                spare.parameters[:] = network.parameters
                kept, spare = (spare, epoch + 1), kept[0]
                if self.verbose:
                    self._report(epoch, entry, fitted.plan)
                losses.append(entry["val_loss" if judged else "loss"])
                initial = schedule.after(losses, training_rate)
                if self.early_stopping:
                    if losses[-1] < lowest - self.min_delta:
                        best, lowest, waited = kept[0].copy(), losses[-1], 0
                    else:
                        waited += 1
                    if waited >= self.patience:
                        break
        finally:
            if self._timing:
                self._phase_seconds = training.seconds
            network, epochs = kept
            if best is not None and self.restore_best:
                network = best
            # An error or Ctrl-C in the first epoch leaves the model as it was before the fit.
            if epochs or diverged:
                history = {name: [entry[name] for entry in entries[:epochs]] for name in names}
                self._fitted = replace(fitted, network=network, history=history)

    def _report(self, epoch, entry, plan):
        metric = "R2" if plan.task == "regression" else "accuracy"
        words = {"loss": "loss", "metric": metric, "val_loss": "val_loss", "val_metric": f"val_{metric}"}
        values = "  ".join(f"{word} {entry[name]:.4f}" for name, word in words.items() if name in entry)
        number = f"{epoch + 1:{len(str(self.epochs))}d}/{self.epochs}"
        print(f"epoch {number}  {values}  {entry['seconds'] * 1e3:.1f} ms", flush=True)

    # Predicting

    def _model(self):
        if self._fitted is None:
            raise NotFittedError("this MLP is not fitted yet; call fit first")
        return self._fitted

    def forward(self, X):
        """The output layer's activations a^L.

        Parameters
        ----------
        X : array-like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows, n_outputs)
            Each row's bits are the same however the rows are split over calls.
        """
        return self._forward(self._model(), X)

    @staticmethod
    def _forward(model, X):
        check_names(X, model.feature_names)
        return model.network.forward(check_X(X, model.network.dtype, model.n_features))

    def predict(self, X):
        """Predicted classes or numbers.

        Parameters
        ----------
        X : array-like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows,) or (rows, outputs)
            Class labels: the class with the largest output, the first among equals. Several labels a row: 0 and 1.
            Regression: numbers, in the shape of the y that was fitted.
        """
        model = self._model()
        a = self._forward(model, X)
        plan = model.plan
        if plan.task == "regression":
            return a[:, 0] if plan.flat else a
        if plan.task == "multilabel":
            return (a > plan.threshold).astype(np.int64)
        winners = (a[:, 0] > plan.threshold).astype(np.intp) if a.shape[1] == 1 else a.argmax(axis=1)
        return plan.classes[winners]

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows, n_classes)
            In the order of `classes_`; rows sum to 1, unless there are several labels a row: then each is the
            probability of a 1.

        Raises
        ------
        ValueError
            For regression, and where the outputs are no probabilities (an output other than softmax, or one sigmoid).
        """
        model = self._model()
        plan = model.plan
        together = plan.output == "softmax" and plan.task == "classification"
        apart = plan.output == "sigmoid" and (plan.task == "multilabel" or plan.n_outputs == 1)
        if plan.task == "regression" or not (together or apart):
            raise ValueError(f"predict_proba needs a classifier with softmax or one sigmoid as its output; this model "
                             f"does {plan.task} with {plan.n_outputs} {plan.output} output(s)")
        a = self._forward(model, X)
        return a if together or plan.task == "multilabel" else np.column_stack((1 - a[:, 0], a[:, 0]))

    def score(self, X, y):
        """Accuracy (with several labels a row: of rows that are right in all), or R^2 for regression (averaged over the
        outputs).

        Parameters
        ----------
        X : array-like, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)

        Returns
        -------
        float
        """
        model = self._model()
        plan = model.plan
        targets, labels = make_targets(plan, y, None, np.float64)
        check_rows(np.empty(np.shape(X)[0]), labels if targets is None else targets)
        if plan.task == "regression":
            residual = ((targets - self._forward(model, X)) ** 2).sum(axis=0)
            return _r2(residual, ((targets - targets.mean(axis=0)) ** 2).sum(axis=0))
        predicted = self.predict(X)
        if plan.task == "multilabel":
            return float(np.mean((predicted == (targets > plan.threshold)).all(axis=1)))
        return float(np.mean(predicted == plan.classes[labels]))

    # The open box

    def _rows(self, X, y):
        """(fitted model, X, y as its loss takes it)."""
        model = self._model()
        check_names(X, model.feature_names)
        X = check_X(X, model.network.dtype, model.n_features)
        targets, labels = make_targets(model.plan, y, None, model.network.dtype)
        check_rows(X, labels if targets is None else targets)
        return model, X, labels if targets is None else targets

    def loss_and_gradient(self, X, y, *, parameters=None):
        """The cost of some rows and its gradient, with the penalties l1 and l2.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)
        parameters : array-like, shape (n_parameters,), optional
            Where to compute them, in the order of `parameters_`; default there.

        Returns
        -------
        loss : float
        gradient : ndarray, shape (n_parameters,)
            In the order of `parameters_`.
        """
        model, X, y = self._rows(X, y)
        network = model.network
        if parameters is not None:
            network = network.copy()
            network.set_flat(parameters)
        backprop = Backprop(network, model.plan.loss, len(X), model.plan.loss_alpha, self.l1, self.l2)
        return backprop.loss_and_gradient(X, y)

    def check_gradient(self, X, y, *, h=1e-6):
        """Compare backpropagation with central differences, in float64, one parameter after the other.

        Parameters
        ----------
        X : array-like, shape (rows, features)
            A few rows will do.
        y : array-like, shape (rows,) or (rows, outputs)
        h : float, default 1e-6
            Step to either side.

        Returns
        -------
        GradientCheck
            The parameter where they differ most: error, relative above 1 and absolute below; layer; 'W' or 'b'; index;
            both values.
        """
        from cnn_core import inspection  # not needed by those who train and predict

        model, X, y = self._rows(X, y)
        plan = model.plan
        return inspection.check_gradient(model.network, plan.loss, plan.loss_alpha, self.l1, self.l2, X, y, h)

    def trace(self, X, y):
        """Everything that one forward and one backward pass compute.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)

        Returns
        -------
        Trace
            ``loss`` and ``layers``; each layer has ``name``, ``z``, ``a``, ``delta``, ``dW`` and ``db``, and can be had
            by its name: ``trace['hidden 1'].dW``. Gradients are averages over the rows, without penalties.
        """
        from cnn_core import inspection

        model, X, y = self._rows(X, y)
        return inspection.trace(model.network, model.plan.loss, model.plan.loss_alpha, X, y)

    def summary(self):
        """Print layers, shapes, parameters and memory of the fitted network."""
        from cnn_core import inspection

        print(inspection.summary(self._model().network))

    def _with_parameters(self, set_on):
        """Publish a copy of the fitted network on which `set_on` has changed parameters."""
        model = self._model()
        network = model.network.copy()
        set_on(network)
        if not np.isfinite(network.parameters).all():
            raise ValueError("weights and biases must be finite numbers")
        self._fitted = replace(model, network=network)

    def _set_layers(self, weights, biases):
        def set_on(network):
            for name, given in (("weights_", weights), ("biases_", biases)):
                if len(given) != network.n_layers:
                    raise ValueError(f"{name} must have an array for each of the {network.n_layers} layers, got "
                                     f"{len(given)}")
            for l, (W, b) in enumerate(zip(weights, biases)):
                network.set_layer(l, W, b)

        self._with_parameters(set_on)

    # Fitted attributes

    @property
    def weights_(self):
        network = self._model().network
        return [network.weights(l) for l in range(network.n_layers)]

    @weights_.setter
    def weights_(self, values):
        self._set_layers(values, self.biases_)

    @property
    def biases_(self):
        network = self._model().network
        return [network.bias(l).copy() for l in range(network.n_layers)]

    @biases_.setter
    def biases_(self, values):
        self._set_layers(self.weights_, values)

    @property
    def parameters_(self):
        return self._model().network.flat()

    @parameters_.setter
    def parameters_(self, values):
        self._with_parameters(lambda network: network.set_flat(values))

    @property
    def history_(self):
        return {name: list(values) for name, values in self._model().history.items()}

    @property
    def classes_(self):
        classes = self._model().plan.classes
        if classes is None:
            raise AttributeError("a regression model has no classes_")
        return classes.copy()

    @property
    def n_features_in_(self):
        return self._model().n_features

    @property
    def feature_names_in_(self):
        names = self._model().feature_names
        if names is None:
            raise AttributeError("the model was fitted without feature names")
        return names.copy()

    @property
    def n_epochs_(self):
        return len(self._model().history["loss"])

    @property
    def best_epoch_(self):
        history = self._model().history
        return int(np.argmin(history.get("val_loss", history["loss"]))) + 1


def _r2(residual, spread):
    """R^2 of each output, averaged. An output that does not vary counts 1 where it is met exactly, else 0."""
    constant = spread == 0
    scores = np.where(constant, np.where(residual == 0, 1.0, 0.0), 1 - residual / np.where(constant, 1, spread))
    return float(scores.mean())
