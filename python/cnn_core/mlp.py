"""MLP: the multilayer perceptron as users see it. Checks what it is given, decides task, loss and output, and leaves
all arithmetic over samples to the native core."""

import time
import warnings
from dataclasses import dataclass, field, replace

import numpy as np

from cnn_core import _activations, _losses
from cnn_core._backprop import Backprop, Network
from cnn_core._cpu import choose
from cnn_core._training import Rows, Training
from cnn_core._validation import (check_names, check_rows, check_targets, check_X, encode_labels,
                                  feature_names)
from cnn_core.exceptions import DivergenceWarning, NotFittedError
from cnn_core.initializers import initialize
from cnn_core.optimizers import check_number, get_optimizer


@dataclass(frozen=True)
class _Plan:
    """What the outputs mean: decided from the parameters and y, then fixed for the life of the fitted model."""

    task: str
    loss: str
    output: str
    n_outputs: int
    classes: np.ndarray | None = None  # None for regression
    flat: bool = True  # whether predictions have shape (rows,)


@dataclass(frozen=True)
class _Data:
    """Rows to train or to judge on, checked and in the model's dtype."""

    X: Rows
    y: Rows | None  # None for a sparse loss
    labels: Rows | None  # None for regression
    spread: np.ndarray | None  # sum of (y - mean y)^2 of each output, for R^2


@dataclass(frozen=True)
class _Fitted:
    """All that a fit leaves behind. Never changed: the next fit puts another one in its place, so that a prediction
    that runs meanwhile sees the old model or the new one, nothing between."""

    network: Network
    plan: _Plan
    n_features: int
    feature_names: np.ndarray | None
    history: dict = field(default_factory=dict)


_LOSS_DOMAIN = {"binary_crossentropy": (0, 1), "categorical_crossentropy": (0, 1)}


class MLP:
    """Multilayer perceptron for classification and regression.

    Parameters
    ----------
    hidden : int or sequence of int, default (100,)
        Widths of the hidden layers. ``()`` has none: logistic or linear regression.
    activation : str or sequence of str, default 'relu'
        One for all hidden layers, or one for each: 'identity', 'sigmoid', 'tanh', 'relu', 'softmax'.
    task : {'auto', 'classification', 'regression'}
        'auto': classification for integer, boolean and string y, regression for float y.
    output : str, default 'auto'
        Output activation. 'auto': sigmoid for two classes (one output), softmax for more, identity for regression.
    loss : str, default 'auto'
        'mse' (1/2 the sum of squares over the outputs, averaged over the rows), 'binary_crossentropy',
        'categorical_crossentropy' (y one-hot or probabilities, shape (rows, classes); labels work too) or
        'sparse_categorical_crossentropy'. 'auto': the cross-entropy that fits the classes, mse for regression.
    optimizer : str or optimizer object, default 'adam'
        'adam', 'sgd', or such as ``cnn_core.optimizers.SGD(momentum=0.9, nesterov=True)``.
    learning_rate : float, optional
        Above 0; default the optimizer's own.
    batch_size : int or 'full', default 32
        Rows whose gradients are averaged for one step; 1 is the textbook's per-sample descent. More than there are
        rows means all of them.
    epochs : int, default 100
    shuffle : bool, default True
        Visit the rows in a new order every epoch.
    init : 'auto' or list of (W, b), default 'auto'
        'auto': uniform weights scaled after He et al. 2015 (relu) or Glorot & Bengio 2010 (others), biases 0.
        A list gives each layer its W, shape (n_out, n_in), and b, shape (n_out,).
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
        Row j holds the weights to neuron j. Copies, as are the next two.
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
                 learning_rate=None, batch_size=32, epochs=100, shuffle=True, init="auto", dtype="float32",
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
        self.init = init
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

    def _check_parameters(self):
        """Raise for a parameter that no data could make sense of."""
        for width in self._hidden_widths():
            if isinstance(width, bool) or not hasattr(width, "__index__"):
                raise TypeError(f"hidden must hold whole numbers, got {width!r}")
            if width < 1:
                raise ValueError(f"hidden layers need at least one neuron, got {width}")
        for name in self._hidden_activations():
            choose("activation", name, _activations.names())
        choose("task", self.task, ("auto", "classification", "regression"))
        choose("output", self.output, ("auto", *_activations.names()))
        choose("loss", self.loss, ("auto", *_losses.names()))
        get_optimizer(self.optimizer)
        if self.learning_rate is not None:
            check_number("learning_rate", self.learning_rate, 0, None, above=True)
        self._check_count("batch_size", "full")
        self._check_count("epochs")
        if not isinstance(self.shuffle, (bool, np.bool_)):
            raise TypeError(f"shuffle must be True or False, got {self.shuffle!r}")
        if isinstance(self.init, str):
            choose("init", self.init, ("auto",))
        try:
            known = self.dtype is not None and np.dtype(self.dtype) in (np.float32, np.float64)
        except TypeError:
            known = False
        if not known:
            raise ValueError(f"dtype must be 'float32' or 'float64', got {self.dtype!r}")
        state = self.random_state
        if not (state is None or isinstance(state, (np.random.Generator, np.random.RandomState))
                or hasattr(state, "__index__") and not isinstance(state, bool)):
            raise TypeError(f"random_state must be an int, a numpy Generator or RandomState, or None; got {state!r}")
        if hasattr(state, "__index__") and state < 0:
            raise ValueError(f"random_state must not be negative, got {state}")

    def _check_count(self, name, word=None):
        value = getattr(self, name)
        choices = f"a whole number of at least 1{f' or {word!r}' if word else ''}"
        if word is not None and isinstance(value, str) and value == word:
            return
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise TypeError(f"{name} must be {choices}, got {value!r}")
        if value < 1:
            raise ValueError(f"{name} must be {choices}, got {value}")

    def _hidden_widths(self):
        if hasattr(self.hidden, "__index__") and not isinstance(self.hidden, bool):
            return (self.hidden,)
        try:
            return tuple(self.hidden)
        except TypeError:
            raise TypeError(f"hidden must be a whole number or a sequence of them, got {self.hidden!r}") from None

    def _hidden_activations(self):
        n = len(self._hidden_widths())
        if isinstance(self.activation, str):
            return (self.activation,) * max(1, n) if n else ()
        try:
            names = tuple(self.activation)
        except TypeError:
            raise TypeError(f"activation must be a name or a sequence of names, got {self.activation!r}") from None
        if len(names) != n:
            raise ValueError(f"activation must be one name or one for each of the {n} hidden layers, got {len(names)}")
        return names

    def _seed(self):
        """64 bits for the counter-based generator."""
        state = self.random_state
        if isinstance(state, np.random.Generator):
            return int(state.integers(1 << 64, dtype=np.uint64))
        if isinstance(state, np.random.RandomState):
            return int.from_bytes(state.bytes(8), "little")
        return int(np.random.SeedSequence(None if state is None else int(state)).generate_state(1, np.uint64)[0])

    # What the outputs mean

    def _plan(self, y):
        """Decide task, loss and output for targets y. Returns the plan, and y's class indices if they were needed."""
        array = np.asarray(y)
        columns = array.shape[1] if array.ndim == 2 else 1
        one_hot = self.loss == "categorical_crossentropy" and columns > 1
        task = self.task
        if task == "auto":
            task = "regression" if array.dtype.kind == "f" and not one_hot else "classification"
        if task == "regression":
            loss = "mse" if self.loss == "auto" else self.loss
            if "categorical" in loss:
                raise ValueError(f"the loss {loss!r} is for classification, but task is 'regression'")
            output = self._output(loss, "identity")
            return _Plan(task, loss, output, columns, flat=array.ndim == 1), None
        if one_hot:
            return _Plan(task, self.loss, self._output(self.loss, "softmax"), columns, np.arange(columns)), None
        if columns > 1:
            raise ValueError(f"y has shape {array.shape}; classification takes one label a row, or rows of class "
                             "probabilities with loss='categorical_crossentropy'; task='regression' takes several "
                             "outputs")
        classes, labels = encode_labels(y)
        binary = len(classes) == 2
        loss = self.loss
        if loss == "auto":
            alone = binary and self.output in ("auto", "sigmoid")
            loss = "binary_crossentropy" if alone else "sparse_categorical_crossentropy"
        if loss == "binary_crossentropy" and not binary:
            raise ValueError(f"the loss 'binary_crossentropy' is for two classes, y has {len(classes)}; "
                             "choose 'sparse_categorical_crossentropy'")
        output = self._output(loss, "sigmoid" if binary else "softmax")
        n_outputs = 1 if binary and output != "softmax" else len(classes)
        return _Plan(task, loss, output, n_outputs, classes), labels

    def _output(self, loss, default):
        """The output activation: the one the loss takes in, or what was asked for, or the task's default."""
        needed = _losses.table()[loss][0]
        if needed is not None and self.output not in ("auto", needed):
            raise ValueError(f"the loss {loss!r} needs output {needed!r}, got {self.output!r}")
        return needed or (default if self.output == "auto" else self.output)

    def _data(self, plan, X, y, labels=None, name="y"):
        """Targets in the form that the loss wants, beside X; `labels` where y's class indices are known already."""
        dtype = np.dtype(self.dtype)
        spread = None
        if plan.classes is None:
            low, high = _LOSS_DOMAIN.get(plan.loss, (None, None))
            targets = check_targets(y, dtype, plan.n_outputs, low, high, plan.loss, name)
            spread = ((targets - targets.mean(axis=0, dtype=np.float64)) ** 2).sum(axis=0)
        elif np.ndim(y) == 2 and np.shape(y)[1] > 1:
            targets = check_targets(y, dtype, plan.n_outputs, 0, 1, plan.loss, name)
            wrong = np.flatnonzero(np.abs(targets.sum(axis=1) - 1) > 1e-3)
            if len(wrong):
                raise ValueError(f"{name} has row {wrong[0]} with the sum {targets[wrong[0]].sum():g}; rows of class "
                                 "probabilities must sum to 1")
            labels = targets.argmax(axis=1).astype(np.int32)
        else:
            labels = encode_labels(y, plan.classes, name)[1] if labels is None else labels
            if _losses.table()[plan.loss][1]:
                targets = None
            elif plan.n_outputs == 1:
                targets = labels[:, None].astype(dtype)
            else:
                targets = np.eye(plan.n_outputs, dtype=dtype)[labels]
        check_rows(X, labels if targets is None else targets, name)
        return _Data(Rows(X), None if targets is None else Rows(targets),
                     None if labels is None else Rows(labels[:, None]), spread)

    # Training

    def fit(self, X, y, *, validation_data=None):
        """Train from new initial weights.

        Parameters
        ----------
        X : array-like, shape (rows, features)
            A C-contiguous array of the model's dtype is read where it stands; others are converted once.
        y : array-like, shape (rows,) or (rows, outputs)
            Class labels (numbers, strings, bools), or numbers to predict.
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
        plan, labels = self._plan(y)
        data = self._data(plan, X, y, labels)
        judged = None
        if validation_data is not None:
            try:
                X_val, y_val = validation_data
            except (TypeError, ValueError):
                raise ValueError("validation_data must be a pair (X, y)") from None
            check_names(X_val, names, "validation_data's X")
            X_val = check_X(X_val, self.dtype, X.shape[1], "validation_data's X")
            judged = self._data(plan, X_val, y_val, name="validation_data's y")

        network = Network((X.shape[1], *self._hidden_widths(), plan.n_outputs),
                          (*self._hidden_activations(), plan.output), self.dtype)
        seed = self._seed()
        self._check_init(network)
        initialize(network, self.init, seed)
        optimizer = get_optimizer(self.optimizer)
        batch = len(X) if isinstance(self.batch_size, str) else min(int(self.batch_size), len(X))
        training = Training(Backprop(network, plan.loss, batch), optimizer.name, optimizer.settings(self.learning_rate),
                            seed, self._timing)
        self._train(training, data, judged, _Fitted(network, plan, X.shape[1], names))
        return self

    def _check_init(self, network):
        if isinstance(self.init, str):
            return
        shapes = [(n_out, n_in) for n_in, n_out in zip(network.widths, network.widths[1:])]
        try:
            given = [tuple(np.shape(part) for part in pair) for pair in self.init]
        except TypeError:
            raise TypeError(f"init must be 'auto' or a list of (W, b), got {self.init!r}") from None
        if given != [(shape, shape[:1]) for shape in shapes]:
            wanted = ", ".join(f"({shape}, {shape[:1]})" for shape in shapes)
            raise ValueError(f"init must give each layer (W, b) of the shapes {wanted}; got {given}")

    def _train(self, training, data, judged, fitted):
        """Run the epochs and publish what stands after the last good one."""
        network = training.backprop.network
        names = ["loss", "metric"] + (["val_loss", "val_metric"] if judged else []) + ["learning_rate", "seconds"]
        entries = []
        # The weights after the last good epoch and their number of epochs, replaced in one step: Ctrl-C may strike
        # between any two others.
        kept, spare = (network.copy(), 0), network.copy()
        diverged = False
        try:
            for epoch in range(int(self.epochs)):
                start = time.perf_counter()
                loss, metric = training.epoch(data.X, data.y, data.labels, bool(self.shuffle))
                diverged = not (np.isfinite(loss) and np.isfinite(network.parameters).all())
                if diverged:
                    warnings.warn(f"training diverged in epoch {epoch + 1} at learning rate "
                                  f"{training.learning_rate:g} (loss {loss}); the weights after epoch {epoch}, the "
                                  "last finite ones, are kept", DivergenceWarning, stacklevel=3)
                    break
                entry = {"loss": loss, "metric": _metric(metric, data)}
                if judged:
                    val_loss, val_metric = training.evaluate(judged.X, judged.y, judged.labels)
                    entry |= {"val_loss": val_loss, "val_metric": _metric(val_metric, judged)}
                entry |= {"learning_rate": training.learning_rate, "seconds": time.perf_counter() - start}
                entries.append(entry)
                spare.parameters[:] = network.parameters
                kept, spare = (spare, epoch + 1), kept[0]
                if self.verbose:
                    self._report(epoch, entry, fitted.plan)
        finally:
            if self._timing:
                self._phase_seconds = training.seconds
            network, epochs = kept
            # An error or Ctrl-C in the first epoch leaves the model as it was before the fit.
            if epochs or diverged:
                history = {name: [entry[name] for entry in entries[:epochs]] for name in names}
                self._fitted = replace(fitted, network=network, history=history)

    def _report(self, epoch, entry, plan):
        metric = "accuracy" if plan.classes is not None else "R2"
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
            Class labels: the class with the largest output, the first among equals. Regression: numbers, in the shape
            of the y that was fitted.
        """
        model = self._model()
        a = self._forward(model, X)
        if model.plan.classes is None:
            return a[:, 0] if model.plan.flat else a
        winners = (a[:, 0] > 0.5).astype(np.intp) if a.shape[1] == 1 else a.argmax(axis=1)
        return model.plan.classes[winners]

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows, n_classes)
            In the order of `classes_`; rows sum to 1.

        Raises
        ------
        ValueError
            For regression, and where the outputs are no probabilities (an output other than softmax, or one sigmoid).
        """
        model = self._model()
        plan = model.plan
        if plan.classes is None or not (plan.output == "softmax" or plan.output == "sigmoid" and plan.n_outputs == 1):
            raise ValueError(f"predict_proba needs a classifier with softmax or one sigmoid as its output; this model "
                             f"does {plan.task} with {plan.n_outputs} {plan.output} output(s)")
        a = self._forward(model, X)
        return a if a.shape[1] > 1 else np.column_stack((1 - a[:, 0], a[:, 0]))

    def score(self, X, y):
        """Accuracy, or R^2 for regression (averaged over the outputs).

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
        if plan.classes is not None:
            if np.ndim(y) == 2 and np.shape(y)[1] > 1:
                labels = check_targets(y, np.float64, plan.n_outputs).argmax(axis=1)
            else:
                labels = encode_labels(y, plan.classes)[1]
            predicted = self.predict(X)
            check_rows(predicted, labels)
            return float(np.mean(predicted == plan.classes[labels]))
        targets = check_targets(y, np.float64, plan.n_outputs)
        predicted = self._forward(model, X)
        check_rows(predicted, targets)
        residual = ((targets - predicted) ** 2).sum(axis=0)
        return _r2(residual, ((targets - targets.mean(axis=0)) ** 2).sum(axis=0))

    # Fitted attributes

    @property
    def weights_(self):
        network = self._model().network
        return [network.weights(l) for l in range(network.n_layers)]

    @property
    def biases_(self):
        network = self._model().network
        return [network.bias(l).copy() for l in range(network.n_layers)]

    @property
    def parameters_(self):
        return self._model().network.flat()

    @property
    def history_(self):
        return self._model().history

    @property
    def classes_(self):
        classes = self._model().plan.classes
        if classes is None:
            raise AttributeError("a regression model has no classes_")
        return classes

    @property
    def n_features_in_(self):
        return self._model().n_features

    @property
    def feature_names_in_(self):
        names = self._model().feature_names
        if names is None:
            raise AttributeError("the model was fitted without feature names")
        return names

    @property
    def n_epochs_(self):
        return len(self._model().history["loss"])


def _metric(value, data):
    return value if data.labels is not None else _r2(value, data.spread)


def _r2(residual, spread):
    """R^2 of each output, averaged. An output that does not vary counts 1 where it is met exactly, else 0."""
    constant = spread == 0
    scores = np.where(constant, np.where(residual == 0, 1.0, 0.0), 1 - residual / np.where(constant, 1, spread))
    return float(scores.mean())
