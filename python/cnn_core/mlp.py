"""MLP: the multilayer perceptron as users see it. Checks what it is given, decides task, loss and
output, and leaves all arithmetic over samples to the native core."""

from dataclasses import replace

import numpy as np

from cnn_core._checks import check_number
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._parameters import Parameters
from cnn_core._plan import make_plan, make_targets, make_weights
from cnn_core._predict import BatchPredictor, warn_of_nan
from cnn_core._random import permutation
from cnn_core._run import Fitted, baseline_of, make_data, make_training, metric_of, r2, train
from cnn_core._scaling import learn_scaling
from cnn_core._validation import (
    as_labels,
    as_numbers,
    check_finite,
    check_names,
    check_out,
    check_rows,
    check_X,
    check_x,
    encode_labels,
    feature_names,
    plain,
)
from cnn_core.callbacks import check_callbacks
from cnn_core.exceptions import NotFittedError
from cnn_core.initializers import Initializer, initialize
from cnn_core.optimizers import get_optimizer
from cnn_core.schedules import Constant, Schedule
from cnn_core.threads import threads_of


class MLP(Parameters):
    """Multilayer perceptron for classification and regression.

    Parameters
    ----------
    hidden : int or sequence of int, default (100,)
        Widths of the hidden layers. ``()`` has none: logistic or linear regression.
    activation : str, Activation, or sequence of them, default 'relu'
        One for all hidden layers, or one for each: 'identity', 'sigmoid', 'tanh', 'relu',
        'leaky_relu', 'elu', 'selu', 'gelu', 'gelu_tanh', 'softplus', 'swish', 'mish',
        'hard_sigmoid', 'hard_swish', 'exp', 'softmax', or `LeakyReLU(negative_slope)`,
        `ELU(alpha)`.
    task : {'auto', 'classification', 'regression'}
        'auto': classification for integer, boolean and string y, regression for float y.
        Classification of a 2-D y of 0 and 1 gives each row several labels.
    output : str or Activation, default 'auto'
        Output activation. 'auto': sigmoid for two classes (one output) and for several labels a
        row, softmax for more classes, identity for regression. 'step' or 'sign', for two classes
        and with ``hidden=()``, is Rosenblatt's perceptron; his rule is ``optimizer=SGD(1.0),
        batch_size=1``.
    loss : str or Huber, default 'auto'
        'mse' (1/2 the sum of squares over the outputs, averaged over the rows), 'mae', 'huber',
        'poisson' (counts; the output is their mean), 'binary_crossentropy',
        'categorical_crossentropy' (y one-hot or probabilities, shape (rows, classes); labels work
        too), 'sparse_categorical_crossentropy', 'hinge', or 'perceptron'. 'auto': the cross-entropy
        that fits the classes, mse for regression.
    optimizer : str or Optimizer, default 'adam'
        'sgd', 'adagrad', 'adadelta', 'rmsprop', 'adam', 'adamw', 'nadam', 'rprop' and 'lbfgs' (both
        full batch), or an object such as ``cnn_core.optimizers.SGD(momentum=0.9, nesterov=True)``.
    learning_rate : float or Schedule, optional
        Above 0, or an object of `cnn_core.schedules`; default the optimizer's own.
    batch_size : int or 'full', default 32
        Rows whose gradients are averaged for one step; 1 is the textbook's per-sample descent. More
        than there are rows means all of them.
    epochs : int, default 100
    shuffle : bool, default True
        Visit the rows in a new order every epoch; where one mini-batch holds them all, they are
        left as they stand.
    l1, l2 : float, default 0
        The cost of each mini-batch is increased by ``l1 * sum |W| + l2 / 2 * sum W^2`` over all
        weights, biases left out.
    max_norm : float, optional
        Longest that the weights to a neuron may be, as a Euclidean vector; enforced after each
        step.
    clip_norm : float, optional
        Longest that the gradient of a mini-batch may be; a longer one is shortened.
    dropout : float or sequence of float, default 0
        Share of a layer's outputs that each training step leaves out, in [0, 1): one number for all
        hidden layers, or one for the inputs and one for each hidden layer. What stays is scaled up,
        so that predictions need no change; outputs of selu are dropped as Klambauer et al. 2017
        describe (alpha dropout).
    label_smoothing : float, default 0
        Share of each class target that is spread evenly over the classes, in [0, 1).
    init : str, Initializer, or list of (W, b), default 'auto'
        'he', 'glorot', 'lecun' (uniform), 'normal', 'orthogonal', 'zeros', or an object of
        `cnn_core.initializers` such as ``Normal(scale=0.01)``; biases are 0. 'auto': He for relu
        and its relatives, LeCun for selu, Glorot for the others. A list gives each layer its W,
        shape (n_out, n_in), and b, shape (n_out,).
    scale_inputs : {None, 'minmax', 'standard', 'robust'}
        Scale each feature to [0, 1], to mean 0 and standard deviation 1, or to median 0 and
        distance 1 between the quartiles. Learned from the training rows in fit and part of the
        model: every method takes unscaled X.
    class_weight : dict or 'balanced', optional
        Weight of each class's rows, 1 for those not named; 'balanced': rows / (classes * rows of
        the class).
    early_stopping : bool, default False
        Stop when the loss on validation rows has not improved for `patience` epochs. Without
        validation_data a share of the training rows, the same of each class, is set apart for it.
    patience : int, default 10
    min_delta : float, default 0
        What counts as an improvement: a loss lower than the lowest so far by more than this.
    validation_fraction : float, default 0.1
        Share of the rows to set apart, in (0, 1).
    restore_best : bool, default True
        Whether early stopping ends with the weights of its best epoch instead of the last.
    dtype : {'float32', 'float64'}
        In which everything is computed.
    n_threads : int, optional
        The most threads for training and prediction; small steps take fewer. Default
        `cnn_core.get_num_threads()`, and only as long as they are faster than one. Results do not
        depend on it.
    random_state : int, numpy Generator, RandomState or None
        Determines initial weights and the order of the rows. An int gives the same bits on every
        machine, instruction set and run; None is different every time.
    verbose : int, default 0
        1: a line an epoch.
    callbacks : Callback, function, or sequence of them, default ()
        Functions ``(model, epoch, logs)`` are called after each epoch and end the training by
        returning True; see `cnn_core.callbacks.Callback`.
    warm_start : bool, default False
        fit goes on from the present weights, with the optimizer's moments, the seed and the number
        of epochs: 10 epochs and 10 more are 20, unless the schedule plans for the last epoch as
        `Cosine` and `OneCycle` do.
    backend : {'native', 'python'}
        'python': the twin in plain Python (`cnn_core.reference`), hundreds to thousands of times
        slower, to be read and compared.

    Attributes
    ----------
    weights_ : list of ndarray, shape (n_out, n_in)
        Row j holds the weights to neuron j. Copies, as are the next two; all three can be assigned
        to.
    biases_ : list of ndarray, shape (n_out,)
    parameters_ : ndarray, shape (n_parameters,)
        W^1 row by row, b^1, W^2, b^2, ...
    history_ : dict of str to list
        One entry an epoch: 'loss', 'metric' (accuracy, or R^2 for regression, of the rows as they
        passed by in training), 'val_loss', 'val_metric' (with validation_data), 'learning_rate',
        'seconds'.
    classes_ : ndarray, shape (n_classes,)
        The class labels, sorted. Not there for regression.
    input_shift_, input_factor_ : ndarray of float64, shape (features,)
        With `scale_inputs`: the network reads (x - input_shift_) * input_factor_.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        There when X was a data frame with string column names.
    n_epochs_ : int
        Epochs done.
    best_epoch_ : int
        The epoch, counted from 1, with the lowest validation loss, or training loss without
        validation data. Where early stopping has brought back the best weights: the epoch they are
        of.

    Examples
    --------
    >>> from cnn_core import MLP
    >>> from cnn_core.datasets import load_digits
    >>> X, y = load_digits()
    >>> model = MLP(hidden=(64,), epochs=20, random_state=0).fit(X[:1400] / 16, y[:1400])
    >>> model.score(X[1400:] / 16, y[1400:]) > 0.9
    True
    """

    def __init__(
        self,
        hidden=(100,),
        activation="relu",
        *,
        task="auto",
        output="auto",
        loss="auto",
        optimizer="adam",
        learning_rate=None,
        batch_size=32,
        epochs=100,
        shuffle=True,
        l1=0.0,
        l2=0.0,
        max_norm=None,
        clip_norm=None,
        dropout=0.0,
        label_smoothing=0.0,
        init="auto",
        scale_inputs=None,
        class_weight=None,
        early_stopping=False,
        patience=10,
        min_delta=0.0,
        validation_fraction=0.1,
        restore_best=True,
        dtype="float32",
        n_threads=None,
        random_state=None,
        verbose=0,
        callbacks=(),
        warm_start=False,
        backend="native",
    ):
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
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.init = init
        self.scale_inputs = scale_inputs
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.patience = patience
        self.min_delta = min_delta
        self.validation_fraction = validation_fraction
        self.restore_best = restore_best
        self.dtype = dtype
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.backend = backend
        self._fitted = None
        self._timing = False
        self._check_parameters()

    def __sklearn_tags__(self):
        # Asked for by scikit-learn alone, so it is there to be imported.
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        task = self.task if self._fitted is None else self._fitted.plan.task
        kind = {
            "classification": "classifier",
            "multilabel": "classifier",
            "regression": "regressor",
        }.get(task)
        return Tags(
            estimator_type=kind,
            target_tags=TargetTags(required=True, multi_output=True),
            classifier_tags=ClassifierTags() if kind == "classifier" else None,
            regressor_tags=RegressorTags() if kind == "regressor" else None,
            input_tags=InputTags(),
        )

    def __sklearn_is_fitted__(self):
        return self._fitted is not None

    # Training

    def fit(self, X, y, *, sample_weight=None, validation_data=None):
        """Train, from new initial weights or, with `warm_start`, from the present ones.

        Parameters
        ----------
        X : array-like, shape (rows, features)
            A C-contiguous array of the model's dtype is read where it stands; others are converted
            once.
        y : array-like, shape (rows,) or (rows, outputs)
            Class labels (numbers, strings, bools), or numbers to predict. A 2-D y of 0 and 1 is
            several yes-or-no labels a row.
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
            On Ctrl-C. After it, and after an exception in a callback, the model is the one of the
            last whole epoch (with early stopping, of the best one), or as it was before if there
            was none.

        Warns
        -----
        DivergenceWarning
            If the loss or a weight becomes NaN or infinite. The model is the one after the last
            whole epoch before, or, with early stopping and `restore_best`, of the best one.
        RuntimeWarning
            If the loss on the validation data is not finite.
        """
        self._check_parameters()
        before = self._fitted if self.warm_start else None
        names = feature_names(X)
        plan, labels = self._plan(X, y, before)
        split = self.early_stopping and validation_data is None
        fitted, data, judged = self._begin(
            plan, labels, names, X, y, before, sample_weight, split=split
        )
        if validation_data is not None:
            try:
                X_val, y_val = validation_data
            except (TypeError, ValueError):
                raise ValueError("validation_data must be a pair (X, y)") from None
            check_names(X_val, names, "validation_data's X")
            X_val = check_X(
                X_val, self.dtype, fitted.n_features, "validation_data's X", fitted.scaling
            )
            judged = make_data(plan, X_val, y_val, None, self.dtype, name="validation_data's y")
        callbacks = check_callbacks(self.callbacks)
        for callback in callbacks:
            callback.before_fit(self)
        self._train(fitted, data, judged, int(self.epochs), callbacks)
        for callback in callbacks:
            callback.after_fit(self)
        return self

    def partial_fit(self, X, y, *, classes=None, sample_weight=None):
        """Train for one epoch on some rows, from where the last call, or a fit, has left off.

        The optimizer goes on with its moments, the schedule and the shuffling with their counts.
        Early stopping, callbacks and `epochs` do not apply; `scale_inputs` learns from the first
        call's rows.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array-like, optional
            All class labels that will ever come; default those of the first call.

        Returns
        -------
        self
        """
        self._check_parameters()
        before = self._fitted
        names = feature_names(X)
        plan, labels = self._plan(X, y, before, classes)
        if classes is not None and plan.task == "regression":
            raise ValueError("classes are for classification, but this is a regression")
        fitted, data, _ = self._begin(plan, labels, names, X, y, before, sample_weight)
        self._train(fitted, data, None, 1, ())
        return self

    def profile(self, X, y, *, seconds=1.0, plot=None):
        """Where the time of training on these rows goes, layer by layer and phase by phase, against
        what the machine can do and against NumPy and plain Python.

        Trains copies with the parameters of this model, which may be unfitted, and leaves the model
        as it is. Schedules, callbacks and validation are left out: they are no part of an epoch's
        work.

        Parameters
        ----------
        X, y
            As for `fit`.
        seconds : float, default 1
            About how long to measure the native core and NumPy in turn; the twin takes as much
            again, or twice that. Where a few epochs take longer, so does this.
        plot : path-like, optional
            A file for a bar chart, such as ``'profile.png'``; needs matplotlib (``pip install
            'cnn-core[plot]'``).

        Returns
        -------
        Profile
            A dict that prints as a table: ``machine``, ``training``, ``phases``, ``totals``,
            ``rounds``. Its ``plot(file)`` draws the chart.

        Raises
        ------
        ValueError, TypeError
            For input that cannot be trained on, for the optimizer lbfgs, which has no mini-batches,
            and for ``backend='python'``.
        ImportError
            For `plot` without matplotlib.
        """
        from cnn_core import _profile  # not needed by those who train and predict

        self._check_parameters()
        _profile.check(self, seconds, plot)
        before = self._fitted if self.warm_start else None
        plan, labels = self._plan(X, y, before)
        # A seed of its own: that of a numpy Generator would be drawn from it.
        fitted, data, _ = self._begin(plan, labels, feature_names(X), X, y, before, seed=0)
        found = _profile.measure(self, fitted, data, float(seconds))
        if plot is not None:
            found.plot(plot)
        return found

    def _begin(self, plan, labels, names, X, y, before, sample_weight=None, seed=None, split=False):
        """The model before its next step, the rows to train it on and, with `split`, those set
        apart to judge it."""
        raw = self._inputs(X, before)
        if before is not None:
            seed = before.seed
        elif seed is None:
            seed = self._seed()
        data = make_data(
            plan,
            raw,
            y,
            labels,
            self.dtype,
            sample_weight,
            self.class_weight,
            float(self.label_smoothing),
        )
        judged = None
        if split:
            apart = self._set_apart(seed, data)
            judged = make_data(plan, raw, y, labels, self.dtype).take(apart)
            data = data.take(~apart)
        scaling = before.scaling if before else None
        if self.scale_inputs is not None and before is None:
            scaling = learn_scaling(self.scale_inputs, data.X.rows())
        data, judged = self._scaled(scaling, data), self._scaled(scaling, judged)
        return before or self._initial(plan, raw.shape[1], names, scaling, seed, data), data, judged

    def _plan(self, X, y, before, classes=None):
        """What the outputs mean, and y's class indices where they were needed; that of the fit
        before, if it goes on."""
        hidden = len(self._hidden_widths())
        if before is None:
            if classes is not None:
                classes = encode_labels(classes, name="classes")[0]
            return make_plan(
                y,
                self.task,
                self.loss,
                self._output(),
                hidden,
                float(self.label_smoothing),
                classes,
            )
        plan = before.plan
        if classes is not None and plan.classes is not None:
            unknown = np.setdiff1d(as_labels(classes, "classes"), plan.classes)
            if len(unknown):
                raise ValueError(
                    f"classes has {plain(unknown[0])!r}, which the model does not know; it was fitted with "
                    f"{', '.join(map(repr, plan.classes.tolist()))}"
                )
        check_names(X, before.feature_names)
        task = "regression" if plan.task == "regression" else "classification"
        if self.task not in ("auto", task):
            raise ValueError(
                f"training goes on with a model for {task}, but task is now {self.task!r}"
            )
        now, labels = make_plan(
            y, task, self.loss, self._output(), hidden, float(self.label_smoothing), plan.classes
        )
        widths = (before.n_features, *self._hidden_widths(), now.n_outputs)
        activations, alphas = zip(*self._hidden_activations(), (now.output, now.output_alpha))
        network = Network(widths, activations, self.dtype, alphas)
        for what, old, new in (
            ("layers of widths", before.network.widths, network.widths),
            ("activations", before.network.activations, network.activations),
            ("numbers of the activations", before.network.alphas, network.alphas),
            ("dtype", before.network.dtype, network.dtype),
            ("loss", plan.loss, now.loss),
            ("number of the loss", plan.loss_alpha, now.loss_alpha),
        ):
            if old != new:
                raise ValueError(
                    f"training goes on with the {what} of the fitted model, {old}, but parameters and y now "
                    f"ask for {new}; set them back, or fit anew with warm_start=False"
                )
        return plan, labels

    def _inputs(self, X, before):
        """X as numbers: in the model's dtype, or, where scaling comes first, as precise as it was
        given."""
        scaled = self.scale_inputs is not None if before is None else before.scaling is not None
        single = scaled and getattr(X, "dtype", None) == np.float32
        dtype = self.dtype if not scaled else np.float32 if single else np.float64
        return check_X(X, dtype, before.n_features if before else None)

    def _scaled(self, scaling, data):
        if scaling is None or data is None:
            return data
        return replace(data, X=RowSource(scaling.apply(data.X.rows(), self.dtype)))

    def _set_apart(self, seed, data):
        """Which rows serve for validation: the same share of each class."""
        rows = data.X.count
        order = permutation(seed, 0, rows, split=True)
        groups = np.zeros(rows, np.intp) if data.labels is None else data.labels.array[order, 0]
        sizes = np.bincount(groups)
        # Each class gives its share rounded down, those with the largest remainders one more, until
        # all are enough.
        shares = self.validation_fraction * sizes
        taken = np.minimum(shares.astype(np.intp), np.maximum(sizes - 1, 0))
        missing = int(self.validation_fraction * rows + 0.5) - taken.sum()
        for group in np.argsort(taken - shares, kind="stable")[: max(0, missing)]:
            taken[group] += taken[group] + 1 < sizes[group]
        apart = np.zeros(rows, bool)
        for group, n in enumerate(taken):
            apart[order[groups == group][:n]] = True
        if not apart.any() or apart.all():
            raise ValueError(
                f"validation_fraction {self.validation_fraction} of {rows} rows leaves none to "
                f"{'train' if apart.all() else 'validate'} on; give validation_data or another fraction"
            )
        return apart

    def _initial(self, plan, n_features, names, scaling, seed, data):
        """The model before its first step."""
        activations, alphas = zip(*self._hidden_activations(), (plan.output, plan.output_alpha))
        network = Network(
            (n_features, *self._hidden_widths(), plan.n_outputs), activations, self.dtype, alphas
        )
        self._check_init(network)
        initialize(network, self.init, seed)
        return Fitted(network, plan, n_features, names, scaling, seed, baseline_of(plan, data))

    def _check_init(self, network):
        if isinstance(self.init, (str, Initializer)):
            return
        shapes = [(n_out, n_in) for n_in, n_out in zip(network.widths, network.widths[1:])]
        try:
            given = [tuple(np.shape(part) for part in pair) for pair in self.init]
        except (TypeError, ValueError):
            raise TypeError(
                f"init must be a name, an Initializer or a list of (W, b), got {self.init!r}"
            ) from None
        if given != [(shape, shape[:1]) for shape in shapes]:
            wanted = ", ".join(f"({shape}, {shape[:1]})" for shape in shapes)
            raise ValueError(
                f"init must give each layer (W, b) of the shapes {wanted}; got {given}"
            )
        for layer, (W, b) in enumerate(self.init):
            check_finite(
                f"W of init's layer {layer}",
                as_numbers(f"W of init's layer {layer}", W),
                self.dtype,
            )
            check_finite(
                f"b of init's layer {layer}",
                as_numbers(f"b of init's layer {layer}", b),
                self.dtype,
            )

    def _capacity(self, rows):
        """Rows of a mini-batch."""
        whole = self.batch_size == "full" or get_optimizer(self.optimizer).full_batch
        return rows if whole else min(int(self.batch_size), rows)

    def _schedule(self):
        return (
            self.learning_rate
            if isinstance(self.learning_rate, Schedule)
            else Constant(initial=self.learning_rate)
        )

    def _make_run(self, fitted, network, capacity, backend, timing, n_threads):
        """A run that trains `network` with the parameters of this model."""
        optimizer = get_optimizer(self.optimizer)
        return make_training(
            backend,
            network,
            fitted.plan,
            capacity,
            optimizer.name,
            optimizer.settings(self._schedule().initial),
            fitted.seed,
            self.l1,
            self.l2,
            self._dropout_rates(),
            self.clip_norm or 0,
            self.max_norm or 0,
            timing,
            n_threads,
        )

    def _train(self, fitted, data, judged, epochs, callbacks):
        """Epochs on a copy of the network; what stands after each good one replaces the model."""
        network = fitted.network.copy()
        optimizer, schedule, capacity = (
            get_optimizer(self.optimizer),
            self._schedule(),
            self._capacity(data.X.count),
        )
        training = self._make_run(
            fitted, network, capacity, self.backend, self._timing, self.n_threads
        )
        if fitted.state is not None:
            if (fitted.state["optimizer"], fitted.state["backend"]) == (
                optimizer.name,
                self.backend,
            ):
                training.restore(fitted.state)
            else:  # another optimizer starts anew, with the same weights
                training.restore({**training.state(), "epochs": fitted.state["epochs"]})

        def publish(model):
            self._fitted = model

        def watch(epoch, entry):
            return any([callback.after_epoch(self, epoch, dict(entry)) for callback in callbacks])

        try:
            train(
                training,
                network,
                schedule,
                data,
                judged,
                fitted,
                capacity,
                epochs,
                self,
                publish,
                watch if callbacks else None,
            )
        finally:
            if self._timing:
                self._phase_seconds = training.seconds

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

    def _forward(self, model, X):
        a = self._one_row(model, X)
        return self._outputs(model, X) if a is None else a

    def _one_row(self, model, X):
        """The outputs for a single row, or None for what is not one that the native core takes as
        it is."""
        return model.one_row.forward_checked(X) if self.backend == "native" else None

    def _threads(self):
        return threads_of(self.n_threads)

    def _outputs(self, model, X):
        """a^L for rows as a user gives them."""
        if self.backend == "native":
            return self._many_rows(
                model,
                X,
                lambda rows, **checks: BatchPredictor(model.network).forward(
                    rows, self._threads(), **checks
                ),
            )
        return self._on_twin(model, self._checked(model, X))

    @staticmethod
    def _on_twin(model, rows):
        from cnn_core import reference

        return reference.predict(model.network, rows)

    def _many_rows(self, model, X, predict):
        """What `predict`, of the native network, makes of rows as a user gives them. It looks at
        their entries itself."""
        rows = self._checked(model, X, later=True)
        predicted = predict(rows, check_finite=True)
        if predicted is None:
            check_finite("X", rows, model.network.dtype)
            predicted = predict(rows)  # only if X has changed since
        return predicted

    def predict_one(self, x, out=None):
        """The output layer's activations a^L for one row, fast: ``forward(x[None])[0]`` to the bit.

        Several threads may call it at once.

        Parameters
        ----------
        x : array-like, shape (features,)
            Fast where it is a C-contiguous array of the model's dtype. NaN and infinity are not
            looked for, as `forward` does: NaN in x gives NaN in every output.
        out : ndarray, shape (n_outputs,), optional
            Where to put the result: C-contiguous, writable and of the model's dtype. It may be x.

        Returns
        -------
        ndarray, shape (n_outputs,)
            `out`, or a new array.
        """
        model = self._fitted
        if model is not None and self.backend == "native":
            a = model.one_row.forward(x, out)
            if a is not None:
                return a
        return self._predict_one(self._model(), x, out)

    def _predict_one(self, model, x, out):
        """`predict_one` for what the native core does not take as it is."""
        n_outputs, dtype = model.plan.n_outputs, model.network.dtype
        out = np.empty(n_outputs, dtype) if out is None else out
        check_out(out, dtype, n_outputs)
        row = check_x(x, dtype, model.n_features, model.feature_names, model.scaling)
        out[:] = (
            BatchPredictor(model.network).forward(row)
            if self.backend == "native"
            else self._on_twin(model, row)
        )[0]
        return out

    @staticmethod
    def _checked(model, X, later=False):
        """Rows for a fitted model: checked, scaled, in its dtype."""
        check_names(X, model.feature_names)
        return check_X(X, model.network.dtype, model.n_features, scaling=model.scaling, later=later)

    def predict(self, X):
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
            Where classes come from outputs that are NaN, because numbers on the way overflow the
            dtype: the first NaN wins.
        """
        model = self._model()
        plan = model.plan
        a = self._one_row(model, X)
        if a is None:
            if plan.task == "classification" and self.backend == "native":
                return plan.classes.take(
                    self._many_rows(
                        model,
                        X,
                        lambda rows, **checks: BatchPredictor(model.network).argmax(
                            rows, plan.threshold, self._threads(), **checks
                        ),
                    )
                )
            a = self._outputs(model, X)
        if plan.task == "regression":
            return a.ravel() if plan.flat else a
        if plan.task == "multilabel":
            return (a > plan.threshold).astype(np.int64)
        if a.size == 1:  # NumPy would compare longer than the network has computed
            top = a.item()
            winner = int(top > plan.threshold)
            predicted = plan.classes[winner : winner + 1].copy()
        else:
            winners = (
                (a[:, 0] > plan.threshold).astype(np.intp) if a.shape[1] == 1 else a.argmax(axis=1)
            )
            top = (
                a.item(0 if a.shape[1] == 1 else winners[0]) if len(a) == 1 else a.sum()
            )  # NaN where there is one
            predicted = plan.classes[winners]
        if top != top and np.isnan(a).any():
            warn_of_nan(model.network.dtype, 2)
        return predicted

    def predict_proba(self, X):
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
        model = self._model()
        plan = model.plan
        together = plan.output == "softmax" and plan.task == "classification"
        apart = plan.output == "sigmoid" and (plan.task == "multilabel" or plan.n_outputs == 1)
        if plan.task == "regression" or not (together or apart):
            raise ValueError(
                f"predict_proba needs a classifier with softmax or one sigmoid as its output; this model "
                f"does {plan.task} with {plan.n_outputs} {plan.output} output(s)"
            )
        a = self._forward(model, X)
        return (
            a if together or plan.task == "multilabel" else np.column_stack((1 - a[:, 0], a[:, 0]))
        )

    def score(self, X, y, sample_weight=None):
        """Accuracy (with several labels a row: of rows that are right in all), or R^2 for
        regression (averaged over the outputs).

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
        model = self._model()
        plan = model.plan
        shape = np.shape(X) if hasattr(X, "shape") else as_numbers("X", X).shape
        if len(shape) != 2:
            self._checked(model, X)  # says what is wrong
        targets, labels = make_targets(plan, y, None, np.float64)
        check_rows(np.empty(shape[0]), labels if targets is None else targets)
        weights = make_weights(plan, labels, shape[0], sample_weight, None, np.float64)
        if plan.task == "regression":
            weights = np.ones((len(targets), 1)) if weights is None else weights
            mean = (weights * targets).sum(axis=0) / weights.sum()
            residual = (weights * (targets - self._forward(model, X)) ** 2).sum(axis=0)
            return r2(residual, (weights * (targets - mean) ** 2).sum(axis=0))
        predicted = self.predict(X)
        if plan.task == "multilabel":
            right = (predicted == (targets > plan.threshold)).all(axis=1)
        else:
            right = predicted == plan.classes[labels]
        return float(np.average(right, weights=None if weights is None else weights[:, 0]))

    def evaluate(self, X, y):
        """Loss and metric on some rows, and what they suggest beside the training loss.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)

        Returns
        -------
        dict
            ``loss``, without penalties; ``accuracy`` or ``r2``; ``diagnosis``, a sentence about
            over- or underfitting that takes these rows for ones that were not trained on.
        """
        from cnn_core.diagnosis import diagnose

        model, data = self._rows(X, y)
        plan = model.plan
        run = make_training(
            self.backend, model.network, plan, min(data.X.count, 480), n_threads=self.n_threads
        )
        loss, measured = run.evaluate(data.X, data.y, data.labels)
        regression = plan.task == "regression"
        return {
            "loss": loss,
            "r2" if regression else "accuracy": metric_of(
                plan, measured, data.spread() if regression else None
            ),
            "diagnosis": diagnose(model.history, model.baseline, model.best_epoch, loss),
        }

    # The open box

    def _rows(self, X, y):
        """(fitted model, its rows)."""
        model = self._model()
        return model, make_data(model.plan, self._checked(model, X), y, None, model.network.dtype)

    def loss_and_gradient(self, X, y, *, parameters=None):
        """The cost of some rows and its gradient, with the penalties l1 and l2, without dropout.

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
        model, data = self._rows(X, y)
        run = make_training(
            self.backend,
            model.network.copy(),
            model.plan,
            data.X.count,
            l1=self.l1,
            l2=self.l2,
            n_threads=self.n_threads,
        )
        if parameters is not None:
            run.set_flat(self._numbers("parameters", parameters))
        loss, _ = run.loss_and_gradient(data.X, data.y, data.labels)
        return loss, run.flat_gradient()

    def check_gradient(self, X, y, *, h=1e-6):
        """Compare backpropagation with central differences, in float64, one parameter after the
        other.

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
            The parameter where they differ most: error, relative above 1 and absolute below; layer;
            'W' or 'b'; index; both values.
        """
        from cnn_core import inspection  # not needed by those who train and predict

        check_number("h", h, 0, above=True)
        model, data = self._rows(X, y)
        return inspection.check_gradient(model, data, self.l1, self.l2, h, self.backend)

    def trace(self, X, y):
        """Everything that one forward and one backward pass compute.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)

        Returns
        -------
        Trace
            ``loss`` and ``layers``; each layer has ``name``, ``z``, ``a``, ``delta``, ``dW`` and
            ``db``, and can be had by its name: ``trace['hidden 1'].dW``. Gradients are averages
            over the rows, without penalties.
        """
        from cnn_core import inspection

        model, data = self._rows(X, y)
        return inspection.trace(model, data, self.backend)

    def summary(self):
        """Print layers, shapes, parameters and memory of the fitted network, and what its learning
        curves suggest."""
        from cnn_core import inspection

        print(inspection.summary(self._model(), self._dropout_rates()))

    def _numbers(self, name, values):
        """`values` as an array of numbers that the network can hold."""
        dtype = self._model().network.dtype
        array = as_numbers(name, values)
        check_finite(name, array, dtype)
        return array.astype(dtype)

    def _with_parameters(self, set_on):
        """Publish a copy of the fitted network on which `set_on` has changed parameters."""
        model = self._model()
        network = model.network.copy()
        set_on(network)
        self._fitted = replace(model, network=network)

    def _set_layers(self, weights, biases):
        def set_on(network):
            for name, given in (("weights_", weights), ("biases_", biases)):
                if not isinstance(given, (list, tuple)) or len(given) != network.n_layers:
                    what = f"{len(given)}" if isinstance(given, (list, tuple)) else f"{given!r}"
                    raise ValueError(
                        f"{name} must be a list of an array for each of the {network.n_layers} layers, got "
                        f"{what}"
                    )
            for l, (W, b) in enumerate(zip(weights, biases)):
                network.set_layer(
                    l, self._numbers(f"weights_[{l}]", W), self._numbers(f"biases_[{l}]", b)
                )

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
        numbers = self._numbers("parameters_", values)
        self._with_parameters(lambda network: network.set_flat(numbers))

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
    def input_shift_(self):
        return self._scaling().shift.copy()

    @property
    def input_factor_(self):
        return self._scaling().factor.copy()

    def _scaling(self):
        scaling = self._model().scaling
        if scaling is None:
            raise AttributeError("the model was fitted without scale_inputs")
        return scaling

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
        model = self._model()
        losses = model.history.get("val_loss", model.history["loss"])
        if not losses or np.isnan(losses).all():
            raise AttributeError(
                "the model has not been trained for a whole epoch"
                if not losses
                else "no epoch is the best: the losses on the validation data are all NaN"
            )
        return model.best_epoch or int(np.nanargmin(losses)) + 1
