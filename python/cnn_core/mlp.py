"""MLP: the multilayer perceptron as users see it. It checks what it is given and publishes models;
the work is done by `training.fit` and `model.Model`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, Never, Self

from cnn_core._control import Exclusive
from cnn_core._names import refuse, without_unknown
from cnn_core.conventions import Parameters
from cnn_core.explainable import Explainable
from cnn_core.exportable import ExportableC
from cnn_core.initialization import Initialization
from cnn_core.inspectable import Inspectable
from cnn_core.interchangeable import Interchangeable
from cnn_core.intervals import Intervals
from cnn_core.notebook import InNotebooks
from cnn_core.plottable import Plottable
from cnn_core.predictions import Predictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, DTypeLike

    from cnn_core._typing import (
        ActivationName,
        BackendName,
        ColumnKind,
        DtypeName,
        InitName,
        LossName,
        MonitorName,
        OptimizerName,
        OutputName,
        ScalingName,
        TaskName,
    )
    from cnn_core.activations import Activation
    from cnn_core.callbacks import Callback
    from cnn_core.data.weights import ClassWeight
    from cnn_core.distributed.ranks import Ranks
    from cnn_core.embeddings import PeriodicEmbedding
    from cnn_core.initializers import Initializer
    from cnn_core.losses import ParametrizedLoss
    from cnn_core.optimizers import Optimizer
    from cnn_core.schedules import Schedule
    from cnn_core.training.checkpoint import Checkpoint

    #: A callback, or a function ``(model, epoch, logs)``.
    Watcher = Callback | Callable[["MLP", int, dict[str, float]], bool | None]
    #: A function ``(model, X, y)``; the greater its number the better.
    Monitoring = Callable[["MLP", Any, np.ndarray], float]


class MLP(
    Predictions,
    Intervals,
    Explainable,
    Inspectable,
    ExportableC,
    Interchangeable,
    Plottable,
    InNotebooks,
    Initialization,
    Parameters,
):
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
        'auto': classification, but of float y a regression (which floats are classes:
        docs/losses.md). Classification of a 2-D y of 0 and 1 gives each row several labels.
    output : str or Activation, default 'auto'
        Output activation. 'auto': sigmoid for two classes (one output) and for several labels a
        row, softmax for more classes, identity for regression. 'step' or 'sign', for two classes
        and with ``hidden=()``, is Rosenblatt's perceptron; his rule is ``optimizer=SGD(1.0),
        batch_size=1``.
    loss : str, Huber, Pinball or GaussianNLL, default 'auto'
        'mse' (1/2 the sum of squares over the outputs, averaged over the rows), 'mae', 'huber',
        'poisson' (counts; the output is their mean), 'binary_crossentropy',
        'categorical_crossentropy' (y one-hot or probabilities, shape (rows, classes); labels work
        too), 'sparse_categorical_crossentropy', 'hinge', 'perceptron', 'pinball' (quantiles, as
        `predict_quantiles` gives them; `predict` the median), or 'gaussian_nll' (mean and
        variance). 'auto': mse, for classes the cross-entropy.
    optimizer : str or Optimizer, default 'adam'
        'sgd', 'adagrad', 'adadelta', 'rmsprop', 'adam', 'adamw', 'nadam', 'rprop' and 'lbfgs' (both
        full batch), or an object such as ``cnn_core.optimizers.SGD(momentum=0.9, nesterov=True)``.
    learning_rate : float or Schedule, optional
        Above 0, or an object of `cnn_core.schedules`; default the optimizer's own.
    batch_size : int or 'full', default 32
        Rows whose gradients are averaged for one step; 1 is the textbook's per-sample descent. More
        than there are rows means all of them.
    epochs : int, default 100
        0 trains nothing: the model has its initial weights, as after `initialize`.
    shuffle : bool, default True
        Visit the rows in a new order every epoch; where one mini-batch holds them all, they are
        left as they stand.
    shards : int, default 1
        Cut the training rows into so many runs, at most 4096, of which each mini-batch takes equal
        shares; what is summed over rows is summed over those of each shard first. The result has
        other bits for another number, and the same for any number of threads. Not for X in blocks.
    l1, l2 : float, default 0
        The cost of each mini-batch is increased by ``l1 * sum |W| + l2 / 2 * sum W^2`` over all
        weights, those of embedded columns too, biases left out.
    max_norm : float, optional
        Longest that the weights to a neuron may be, as a Euclidean vector; enforced after each
        step.
    clip_norm : float, optional
        Longest that the gradient of a mini-batch may be; a longer one is shortened.
    rate_factors : dict of str to float, optional
        Of the learning rate of groups of parameters, such as ``{"biases": 0.1, "W1": 2}``; 0 leaves
        a group as it is. The groups are 'weights', 'biases', 'embeddings' and 'periodic', and of
        each layer 'W1', 'b1', 'W2', ..., which go before these. Others have 1.
    decay_factors : dict of str to float, optional
        The same for the weight_decay of AdamW: ``{"biases": 0}`` spares the biases.
    decay_schedule, dropout_schedule : Schedule, optional
        Factors of that weight_decay, and of the rates of dropout, step by step, such as
        `FlatCosine`.
    alpha_dropout : bool, default True
        Whether outputs of selu are dropped by alpha dropout; False: as all others.
    dropout : float or sequence of float, default 0
        Share of a layer's outputs that each training step leaves out, in [0, 1): one number for all
        hidden layers, or one for the inputs and one for each hidden layer. What stays is scaled up,
        so that predictions need no change; outputs of selu are dropped as Klambauer et al. 2017
        describe, unless `alpha_dropout` is False.
    label_smoothing : float, default 0
        Share of each class target that is spread evenly over the classes, in [0, 1).
    bias : bool, default True
        Whether the layers have biases: z = W a + b, or else z = W a, a line through the origin.
        Without biases scalings that are 'auto' scale nothing, as a shift would be a bias.
    init : str, Initializer, or list of (W, b), default 'auto'
        'he', 'glorot', 'lecun' (uniform), 'normal', 'orthogonal', 'zeros', or an object of
        `cnn_core.initializers` such as ``Normal(scale=0.01)``; biases are 0. 'auto': He for relu
        and its relatives, LeCun for selu, Glorot for the others. 'data_driven': fitted to a sample
        of the training rows, biases too. A list gives each layer its W, shape (n_out, n_in), and b,
        shape (n_out,), or None with ``bias=False``.
    columns : 'auto', dict or None, default None
        How the columns of a table become numbers, as a part of the model: every method then takes
        the table itself. 'auto': numbers stay numbers, with the mean in the place of missing ones
        and a column that says so; words and bools are categories, of which each has a column of 0
        and 1, or the 63 most frequent and one for all others; dates are year, day of the year and
        day of the week; identifiers and free text are left out, with a warning. A dict says for
        some columns what they are: 'number', 'category', `Embedding(8)` or 'embedding' (learned
        numbers), 'date', 'drop' or 'auto'. X is a data frame, a dict of columns, a list of dicts, a
        structured array or an array; y may name a column. See docs/tables.md. None: X is a matrix.
    numeric_embedding : 'periodic', PeriodicEmbedding or None, default None
        What the first layer reads of each column of numbers beside the number: linear functions of
        cosines of it that are learned, as `PeriodicEmbedding` says. Columns of one or two values
        need none.
    monotone, convex : dict, optional
        Names or numbers of columns, each with 1 where the outputs are to rise with it to the last
        bit, whatever the others are, or to be convex in it, or -1 where they are to fall, or to be
        concave; docs/monotone.md.
    scale_inputs : {'auto', None, 'minmax', 'standard', 'robust', 'robust_clip', 'robust_asinh'}
        Scale each feature to [0, 1], to mean 0 and standard deviation 1, to median 0 and distance 1
        between the quartiles, or to these and then smoothly clipped to -3 and 3 or made asinh t,
        which is linear near 0 and logarithmic far from it. 'auto': 'robust_asinh' (without hidden
        layers 'standard') where features differ in size, lie far from 0 or have far outliers;
        nothing where they are alike. Learned from the training rows and part of the model: every
        method takes unscaled X.
    scale_targets : {'auto', None, 'standard'}
        In a regression with output identity and loss mse, mae or huber the network learns each
        output less its mean, divided by its standard deviation, and predictions come in the units
        of y. 'auto': unless y is standardised already.
    clip_outputs : bool, default False
        Keep the predictions of a regression in the range of the training targets.
    class_weight : dict or 'balanced', optional
        Weight of each class's rows, 1 for those not named; 'balanced', not for `partial_fit`: rows
        / (classes * rows of the class).
    tol : float, optional
        Stop as converged when the training loss has not fallen by more than this for `patience`
        epochs. The weights are those of the last epoch.
    max_seconds : float, optional
        Stop after the first epoch that is over later than that after the fit began; an epoch that
        takes longer by itself is given up. The weights are those of the last whole epoch. Not for
        `partial_fit`.
    early_stopping : bool, default False
        Stop when `monitor` has not improved for `patience` epochs. Without validation_data a share
        of the training rows, the same of each class, is set apart for it.
    monitor : str or callable, default 'val_loss'
        What says how good an epoch is, for early stopping, the best weights and `ReduceOnPlateau`.
        'val_loss', or without validation rows 'loss', that of training, for which no rows are set
        apart: the lower the better. The greater the better: 'val_metric' (accuracy or R^2), the
        name of a scorer of scikit-learn such as 'balanced_accuracy', or a function
        ``(model, X, y)`` that returns a number, called after each epoch with a model that predicts
        and the validation rows. `history_` has it under its name. See docs/regularisation.md.
    patience : int, default 10
    min_delta : float, default 0
        What counts as an improvement: better than the best so far by more than this.
    validation_fraction : float, default 0.1
        Share of the rows to set apart, in (0, 1).
    restore_best : bool or 'latest', default True
        Whether early stopping ends with the weights of its best epoch instead of the last; of equal
        ones, as of an accuracy, with those of the first, or, with 'latest', of the last.
    dtype : {'float32', 'float64'}
        In which everything is computed.
    n_threads : int, optional
        The most threads for training and prediction; small steps take fewer. Default
        `cnn_core.get_num_threads()`, and only as long as they are faster than one. Results do not
        depend on it.
    random_state : int, numpy Generator, RandomState or None
        Determines initial weights and the order of the rows. An int gives the same bits on every
        machine, instruction set and run (but for the sign of NaN, where numbers overflow); None is
        different every time.
    verbose : int, default 0
        1: one line that lives, on a terminal and in a notebook where tqdm is installed, or else
        the first line, the last and one a second; 2: a line an epoch. At an early end also why, and
        which epoch's weights the model has. The logger 'cnn_core' has the same as records.
    callbacks : Callback, function, or sequence of them, default ()
        Functions ``(model, epoch, logs)`` are called after each epoch and end the training by
        returning True, and nothing but True; see `cnn_core.callbacks.Callback`.
    step_history : bool, default False
        Whether to record each step in `step_history_`.
    warm_start : bool, default False
        fit goes on from the present weights, with the optimizer's moments, the seed and the number
        of epochs: 10 epochs and 10 more are 20, unless the schedule plans for the last epoch as
        `Cosine`, `OneCycle` and their kin do.
    backend : {'native', 'python'}
        'python': the reference implementation, `cnn_core.reference`, hundreds to thousands of times
        slower, to be read and compared.

    Attributes
    ----------
    weights_ : tuple of ndarray, shape (n_out, n_in)
        Row j holds the weights to neuron j, in the units of the network: of scaled inputs and
        targets, where these are scaled. Read-only copies, as are the next two; to change the model,
        assign to the whole attribute.
    biases_ : tuple of ndarray, shape (n_out,)
        With ``bias=False`` zeros, which are no parameters.
    parameters_ : ndarray, shape (n_parameters,)
        W^1 row by row, b^1, W^2, b^2, ..., no b with ``bias=False``; then `embeddings_`, and of
        each column with a `numeric_embedding` w, c, V row by row, and d.
    history_ : Curves, a dict of str to list
        One entry an epoch, of `partial_fit` the last 1,000: 'loss', 'metric' (accuracy, or R^2 for
        regression, of the rows as they passed by in training), 'val_loss', 'val_metric' (with
        validation_data), a score as `monitor`, 'learning_rate', 'seconds'. ``history_.frame()``
        makes a data frame of it, ``history_.plot()`` draws it.
    step_history_ : Curves, a dict of str to list
        With `step_history`, one entry a step, of `partial_fit` the last 1,000: 'loss' (the mean
        cost of the mini-batch before the step, with penalties), 'learning_rate'.
    converged_ : bool
        Whether the last training ended because of `tol`, or 'lbfgs' found nothing lower.
    classes_ : ndarray, shape (n_classes,)
        The class labels, sorted. Not there for regression.
    input_shift_, input_factor_ : ndarray of float64, shape (features,)
        Where inputs are scaled: the network reads ``(x - input_shift_) * input_factor_``, which
        'robust_clip' then clips, and 'robust_asinh' takes the asinh of.
    target_shift_, target_factor_ : ndarray of float64, shape (outputs,)
        Where targets are scaled: predictions are ``a^L * target_factor_ + target_shift_``.
    columns_ : Columns
        With `columns`: prints as a line for each column, with what it becomes.
    embeddings_, categories_ : dict of ndarray, shape (categories, dim); dict of tuple of str
        By columns: the vectors, read-only copies, and the categories that they are of.
    numeric_embeddings_ : dict of PeriodicColumn
        By features, w, c, V and d of each that has a `numeric_embedding`: read-only copies.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        There when X was a data frame, or a pyarrow table, with string column names. Columns with
        other labels, such as ints, may not be reordered either.
    n_epochs_ : int
        Epochs done.
    best_epoch_ : int
        The epoch, counted from 1, that is best by `monitor`. Where early stopping has brought back
        the best weights: the epoch they are of.

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
        hidden: int | Sequence[int] = (100,),
        activation: ActivationName | Activation | Sequence[ActivationName | Activation] = "relu",
        *,
        task: TaskName = "auto",
        output: OutputName | Activation = "auto",
        loss: LossName | ParametrizedLoss = "auto",
        optimizer: OptimizerName | Optimizer = "adam",
        learning_rate: float | Schedule | None = None,
        batch_size: int | Literal["full"] = 32,
        epochs: int = 100,
        shuffle: bool = True,
        shards: int = 1,
        l1: float = 0.0,
        l2: float = 0.0,
        max_norm: float | None = None,
        clip_norm: float | None = None,
        rate_factors: Mapping[str, float] | None = None,
        decay_factors: Mapping[str, float] | None = None,
        decay_schedule: Schedule | None = None,
        dropout_schedule: Schedule | None = None,
        alpha_dropout: bool = True,
        dropout: float | Sequence[float] = 0.0,
        label_smoothing: float = 0.0,
        bias: bool = True,
        init: InitName | Initializer | Sequence[tuple[ArrayLike, ArrayLike | None]] = "auto",
        columns: Literal["auto"] | Mapping[Any, ColumnKind] | None = None,
        numeric_embedding: Literal["periodic"] | PeriodicEmbedding | None = None,
        monotone: Mapping[Any, int] | None = None,
        convex: Mapping[Any, int] | None = None,
        scale_inputs: ScalingName | None = "auto",
        scale_targets: Literal["auto", "standard"] | None = "auto",
        clip_outputs: bool = False,
        class_weight: ClassWeight = None,
        tol: float | None = None,
        max_seconds: float | None = None,
        early_stopping: bool = False,
        monitor: MonitorName | str | Monitoring = "val_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        validation_fraction: float = 0.1,
        restore_best: bool | Literal["latest"] = True,
        dtype: DtypeName | DTypeLike = "float32",
        n_threads: int | None = None,
        random_state: int | np.random.Generator | np.random.RandomState | None = None,
        verbose: int = 0,
        callbacks: Watcher | Sequence[Watcher] = (),
        step_history: bool = False,
        warm_start: bool = False,
        backend: BackendName = "native",
    ) -> None:
        self.hidden, self.activation, self.task, self.output = hidden, activation, task, output
        self.loss, self.optimizer, self.learning_rate = loss, optimizer, learning_rate
        self.batch_size, self.epochs, self.shuffle = batch_size, epochs, shuffle
        self.shards = shards
        self.l1, self.l2, self.max_norm, self.clip_norm = l1, l2, max_norm, clip_norm
        self.rate_factors, self.decay_factors = rate_factors, decay_factors
        self.decay_schedule, self.dropout_schedule = decay_schedule, dropout_schedule
        self.alpha_dropout = alpha_dropout
        self.dropout, self.label_smoothing, self.bias = dropout, label_smoothing, bias
        self.init, self.columns, self.numeric_embedding = init, columns, numeric_embedding
        self.monotone, self.convex = monotone, convex
        self.scale_inputs, self.scale_targets = scale_inputs, scale_targets
        self.clip_outputs, self.class_weight = clip_outputs, class_weight
        self.tol, self.max_seconds, self.early_stopping = tol, max_seconds, early_stopping
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta
        self.validation_fraction, self.restore_best = validation_fraction, restore_best
        self.dtype, self.n_threads, self.random_state = dtype, n_threads, random_state
        self.verbose, self.callbacks, self.step_history = verbose, callbacks, step_history
        self.warm_start, self.backend = warm_start, backend
        self._fitted = None
        self._check_parameters()

    # Training

    @without_unknown
    def fit(
        self,
        X: ArrayLike | Iterable[Any],
        y: ArrayLike | str | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: float | str = 60.0,
        ranks: Ranks | None = None,
        **unknown: Never,
    ) -> Self:
        """Train, from new initial weights or, with `warm_start`, from the present ones.

        Parameters
        ----------
        X : array-like, shape (rows, features)
            A C-contiguous array of the model's dtype is read where it stands; others are converted
            once. Or blocks of rows, together larger than memory: an iterable of (X, y) or (X, y,
            sample_weight), of tables with the name of a column as y, or `io.RowBlocks`.
        y : array-like, shape (rows,) or (rows, outputs)
            Class labels (numbers, strings, bools), or numbers to predict. A 2-D y of 0 and 1 is
            several yes-or-no labels a row.
        sample_weight : array-like, shape (rows,), optional
            At least 0. A weight of 2 is the row given twice.
        validation_data : (X, y), optional
            Judged after every epoch, never trained on.
        checkpoint : path-like, optional
            A file that keeps all that the training consists of. Where it exists already, `fit` goes
            on from it, to the bits of a training that was never interrupted; where it is of a
            training that is over, its model is taken. Parameters and data must be the same, but for
            `n_threads`, `verbose` and `callbacks`; with `warm_start` also the fitted model.
        checkpoint_every : float or str, default 60
            Seconds between two of them, or epochs, such as ``'5 epochs'``. The first one is written
            before the first step, the last one when the training ends. A later one that cannot be
            written is a warning, and training goes on.
        ranks : Ranks, optional
            From `distributed.mpi`: who shares the training, which has the weights of one process
            with the same `shards`, 2 or more. Each rank gives rows of its own, which together are
            all rows, or what ``ranks.open`` gives; the model is the same on all of them. See
            docs/scale.md.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For input that cannot be trained on. The model is then as it was before.
        ModelFormatError, OSError
            For a `checkpoint` that is none, or damaged, and where the first one cannot be written.
        RuntimeError
            While another thread fits this object or sets its weights, and in a callback of a fit of
            this object; the fit that is running goes on unharmed.
        MemoryError
            At any moment. The model is then as it was before, whole epochs notwithstanding.
        KeyboardInterrupt, SystemExit
            On Ctrl-C, and with a `checkpoint` on SIGTERM, within about 0.1 s. After it, and after
            an exception in a callback, the model is the one of the last whole epoch (with early
            stopping, of the best one), or as it was before if there was none.

        Warns
        -----
        DivergenceWarning
            If the loss or a weight becomes NaN or infinite; it names the likely cause. The model is
            the one after the last whole epoch before, or, with early stopping and `restore_best`,
            of the best one.
        UserWarning
            For what keeps a fit from learning and is known beforehand, such as sorted rows without
            `shuffle`, units that begin alike, or other units of X or y than in the fit before.
        RuntimeWarning
            If the loss on the validation data is not finite.
        """
        if unknown:
            refuse(MLP.fit, self, unknown)
        rows = X, y, sample_weight, validation_data
        if checkpoint is None:
            return self._fit(rows, None, ranks)
        from cnn_core.training.signals import Signals

        with Signals() as signals:
            return self._fit(rows, (checkpoint, checkpoint_every, signals), ranks)

    def _fit(
        self, rows: tuple[Any, ...], checkpoint: tuple[Any, ...] | None, ranks: Ranks | None
    ) -> Self:
        """`fit`, with the arguments of a `Checkpoint`, if there is one."""
        if ranks is None:
            return self._fit_here(rows, checkpoint)
        from cnn_core.distributed.training import begin

        with begin(ranks, self, validation_data=rows[3], checkpoint=checkpoint):
            return self._fit_here(rows, checkpoint, ranks)

    def _fit_here(
        self,
        rows: tuple[Any, ...],
        checkpoint: tuple[Any, ...] | None,
        ranks: Ranks | None = None,
    ) -> Self:
        from cnn_core.callbacks import PhaseTimer, Watch, check_callbacks
        from cnn_core.training import fit, run  # not needed by those who only predict

        p = self._check_parameters()
        *of_all, validation_data = rows
        given = fit.Given((*of_all,), validation_data, None, "fit", ranks)
        callbacks = check_callbacks(p.callbacks)
        timers = [one for one in callbacks if isinstance(one, PhaseTimer)]
        watch = Watch(callbacks, self, lambda: self._fitted, self._publish)
        with Exclusive(self) as exclusive:
            kept = None
            if checkpoint is not None:
                kept = _checkpoint(self, checkpoint, ranks)
            before = self._fitted if p.warm_start else None
            if kept is not None:
                before = kept.start(before)
            with nullcontext() if kept is None else kept.compared():
                job = fit.begin_given(p, given, before)
            for callback in callbacks:
                callback.before_fit(self)
            seconds = run.train(
                p,
                job,
                int(p.epochs),
                self._publish,
                watch,
                timing=bool(timers),
                checkpoint=kept,
            )
            exclusive.over = True
            for timer in timers:
                timer.seconds = dict(seconds)
            for callback in callbacks:
                callback.after_fit(self)
        return self

    @without_unknown
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        **unknown: Never,
    ) -> Self:
        """Train for one epoch on some rows, from where the last call, or a fit, has left off.

        The optimizer goes on with its moments, the schedule and the shuffling with their counts.
        Early stopping, `monitor`, `tol`, `epochs` and callbacks do not apply, but for their
        `after_step`; `scale_inputs` and `scale_targets` learn from the first call's rows; fewer
        than ten are kept until there are ten, and training begins anew if they are to be scaled. A
        feature that was constant learns from the first ten rows since it varies. Sizes that grow
        later are learned anew, and targets that move, at once or slowly, are followed. Of all such
        epochs `history_` keeps the last 1,000, so that a call costs the same however many there
        have been.

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
        if unknown:
            refuse(MLP.partial_fit, self, unknown)
        from cnn_core.callbacks import Watch, check_callbacks
        from cnn_core.training import fit, run  # not needed by those who only predict

        p = self._check_parameters()
        watch = Watch(check_callbacks(p.callbacks), self, lambda: self._fitted, self._publish)
        with Exclusive(self):
            job = fit.begin(
                p,
                X,
                y,
                self._fitted,
                classes=classes,
                sample_weight=sample_weight,
                purpose="partial_fit",
            )
            run.train(p, job, 1, self._publish, watch)
        return self


def _name_methods(*bases: type) -> None:
    """Call inherited methods as users know them, so that Python's own errors say MLP.score."""
    for base in bases:
        for name, method in vars(base).items():
            if isinstance(method, FunctionType) and not name.startswith("_"):
                method.__qualname__, method.__module__ = f"MLP.{name}", MLP.__module__


_name_methods(
    Predictions, Intervals, Inspectable, ExportableC, Interchangeable, Plottable, Initialization
)


def _checkpoint(model: MLP, given: tuple[Any, ...], ranks: Ranks | None) -> Checkpoint:
    """That of a training, which ranks may share; `given` are path, interval and signals."""
    path, every, signals = given
    if ranks is None:
        from cnn_core.training.checkpoint import Checkpoint

        return Checkpoint(model, path, every, signals)
    from cnn_core.distributed.training import RankCheckpoint

    return RankCheckpoint(model, path, every, signals, ranks)
