"""`DaskMLP`: the multilayer perceptron on a Dask cluster."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Never, Self

import numpy as np

from cnn_core._control import Exclusive
from cnn_core._names import choose, refuse, without_unknown
from cnn_core._settable import only_settable
from cnn_core.conventions import Parameters
from cnn_core.dask import prepare
from cnn_core.dask.engine import engine_for
from cnn_core.dask.predict import lazily
from cnn_core.dask.rounds import Nesterov
from cnn_core.dask.rows import collection, in_memory
from cnn_core.dask.run import ClusterRun
from cnn_core.fitted import Fitted
from cnn_core.mlp import MLP
from cnn_core.parameters import count, optional
from cnn_core.training import fit

if TYPE_CHECKING:
    import os
    from typing import BinaryIO

    from numpy.typing import ArrayLike, DTypeLike

    from cnn_core._typing import (
        ActivationName,
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
    from cnn_core.data.weights import ClassWeight
    from cnn_core.embeddings import PeriodicEmbedding
    from cnn_core.initializers import Initializer
    from cnn_core.losses import ParametrizedLoss
    from cnn_core.mlp import Watcher
    from cnn_core.model import Model
    from cnn_core.optimizers import Optimizer
    from cnn_core.schedules import Schedule


class DaskMLP(Fitted, Parameters):
    """Multilayer perceptron that is trained on the rows of Dask collections.

    The rows are dealt to `shards`, whatever the partitions and the order are. In a round each
    shard's rows train the same weights, with an optimizer of their own, and the weights are
    averaged (Stich 2019, "Local SGD converges fast and communicates little"; McMahan et al. 2017,
    Algorithm 1). That is another algorithm than that of `MLP`: docs/dask.md compares them. With
    ``optimizer='lbfgs'`` it is the same one, and the weights have the bits of ``MLP(shards=...)``
    on the same rows.

    Each task is a function of its arguments alone. So the number of workers changes no bit, and
    what a worker had that dies Dask makes anew.

    Parameters
    ----------
    hidden, activation, task, output, loss, optimizer, learning_rate, ...
        As for `MLP`. `batch_size` counts rows of one shard, 'full' is all of them; `n_threads`
        are those of a task, one by default; `monitor` is 'val_loss', 'val_metric' or 'loss'.
    epochs : int, default 100
        Times that every row is visited, each in its shard; with L-BFGS its steps.
    shards : int, default 8
        How many the rows are dealt to: at least as many as workers have threads. It changes the
        result, unlike the number of workers: the fewer the nearer to `MLP`.
    local_steps : int, optional
        Mini-batches of each shard between two averages; default a whole epoch.
    outer : {'auto', 'average', 'nesterov'} or Nesterov, default 'auto'
        What becomes of the averages, see `Nesterov`. 'auto': Nesterov momentum where there are two
        shards, a round has at least 8 mini-batches of each and nothing limits the weights
        (`max_norm`, `monotone`, `convex`), else the average.
    keep_every : int, default 10
        Rounds after which the client also keeps the optimizers' states: what a dead worker had is
        made anew from there.
    client : distributed.Client, optional
        Default: that of the process. Where there is none, everything is done in this process. Or
        another object that runs tasks, as docs/recipes.md has one for Ray.

    Attributes
    ----------
    classes_, weights_, biases_, history_, n_features_in_, feature_names_in_, ...
        Those of `MLP`.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from cnn_core.dask import DaskMLP
    >>> X = da.from_array(np.arange(64.0).reshape(32, 2), chunks=(10, 2))
    >>> y = (X[:, 0] > 30).astype(int)
    >>> model = DaskMLP(8, shards=2, epochs=20, random_state=0).fit(X, y)
    >>> model.predict(X).compute().shape
    (32,)
    """

    # What does not go with rows in many places.
    step_history: ClassVar[bool] = False
    warm_start: ClassVar[bool] = False
    backend: ClassVar[str] = "native"

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
        shards: int = 8,
        local_steps: int | None = None,
        outer: Literal["auto", "average", "nesterov"] | Nesterov = "auto",
        keep_every: int = 10,
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
        monitor: MonitorName = "val_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        validation_fraction: float = 0.1,
        restore_best: bool | Literal["latest"] = True,
        dtype: DtypeName | DTypeLike = "float32",
        n_threads: int | None = None,
        random_state: int | np.random.Generator | np.random.RandomState | None = None,
        verbose: int = 0,
        callbacks: Watcher | Sequence[Watcher] = (),
        client: Any = None,
    ) -> None:
        given: dict[str, Any] = dict(locals())
        del given["self"]
        vars(self).update(given)
        self._fitted = None
        self._check_parameters()

    # Training

    @without_unknown
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        validation_data: tuple[Any, Any] | None = None,
        **unknown: Never,
    ) -> Self:
        """Train, from new initial weights.

        Parameters
        ----------
        X : dask DataFrame or Array, shape (rows, features)
            Of numbers.
        y : dask Series, DataFrame or Array, shape (rows,) or (rows, outputs)
            As for `MLP.fit`. It passes through the client, as do the weights of rows: a number a
            row.
        sample_weight : dask Series or Array, shape (rows,), optional
        validation_data : (X, y), optional
            Collections of the same kinds. Evaluated after every epoch, never trained on.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For input that cannot be trained on. The model is then as it was before.
        ImportError
            Without the packages of the extra ``dask``.
        RuntimeError
            While another thread fits this object.
        KeyboardInterrupt
            On Ctrl-C; the model is the one of the last whole epoch.

        Warns
        -----
        DivergenceWarning, UserWarning
            As `MLP.fit`.
        """
        if unknown:
            refuse(DaskMLP.fit, self, unknown)
        from cnn_core.callbacks import Watch, check_callbacks

        began = time.perf_counter()
        p = self._check_parameters()
        engine = engine_for(self.client)
        callbacks = check_callbacks(p.callbacks)
        watch = Watch(callbacks, self, lambda: self._fitted, self._publish)
        with only_settable(self.get_params()), Exclusive(self) as exclusive:
            rows = prepare.read(p, engine, (X, y, sample_weight), validation_data)
            job = fit.job_of(p, rows, began)
            for callback in callbacks:
                callback.before_fit(self)  # type: ignore[arg-type]
            if p.epochs:
                ClusterRun(p, job, self._publish, watch, engine).run(int(p.epochs))
            else:
                self._publish(job.model)
            exclusive.over = True
            for callback in callbacks:
                callback.after_fit(self)  # type: ignore[arg-type]
        return self

    def to_local(self) -> MLP:
        """The fitted model as an `MLP`, which saves, explains, exports and predicts rows in memory.

        Returns
        -------
        MLP
        """
        model, taken = self._model(), MLP._defaults()
        values = {name: one for name, one in self.get_params().items() if name in taken}
        local = MLP(**values)
        local._publish(model)
        return local

    # Predictions

    def predict(self, X: Any) -> Any:
        """Predicted classes or numbers, lazily: nothing is computed before somebody asks for it.

        Parameters
        ----------
        X : dask DataFrame or Array, shape (rows, features)

        Returns
        -------
        dask Series, DataFrame or Array
            With the partitions of X; what `MLP.predict` gives.
        """
        return lazily(self.to_local(), X, "labels")

    def predict_proba(self, X: Any) -> Any:
        """Probabilities of the classes, lazily.

        Parameters
        ----------
        X : dask DataFrame or Array, shape (rows, features)

        Returns
        -------
        dask DataFrame or Array, shape (rows, classes)
            What `MLP.predict_proba` gives; the columns of a DataFrame are the classes.
        """
        return lazily(self.to_local(), X, "proba")

    def forward(self, X: Any) -> Any:
        """The output layer's activations, lazily.

        Parameters
        ----------
        X : dask DataFrame or Array, shape (rows, features)

        Returns
        -------
        dask DataFrame or Array, shape (rows, n_outputs)
        """
        return lazily(self.to_local(), X, "forward")

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """As `MLP.score`: accuracy, R^2 or D^2. Predictions and y pass through the client.

        Parameters
        ----------
        X : dask DataFrame or Array, shape (rows, features)
        y : dask Series, DataFrame or Array, shape (rows,) or (rows, outputs)
        sample_weight : dask Series or Array, shape (rows,), optional

        Returns
        -------
        float
        """
        model, engine = self._model(), engine_for(self.client)

        def whole(name: str, values: Any) -> Any:
            return in_memory(engine, name, collection(name, values))[0]

        predicted = np.asarray(whole("X", self.predict(X)))
        weights = None if sample_weight is None else whole("sample_weight", sample_weight)
        true = model.true_targets_of(len(predicted), whole("y", y), weights)
        if model.task.name == "regression":
            predicted = predicted.reshape(len(predicted), -1).astype(np.float64)
        return model.score_of(predicted, true)

    def save(
        self,
        file: str | os.PathLike[str] | BinaryIO,
        *,
        optimizer: bool = False,
        allow_nonfinite: bool = False,
        times: bool = True,
    ) -> None:
        """Write the fitted model as an `MLP`; see `MLP.save`."""
        kept = dict(optimizer=optimizer, allow_nonfinite=allow_nonfinite, times=times)
        self.to_local().save(file, **kept)

    # Conventions

    def _check_parameters(self) -> SimpleNamespace:
        p = self._checked(self._all())
        count()("keep_every", self.keep_every)
        optional(count())("local_steps", self.local_steps)
        p.local_steps, p.keep_every = self.local_steps, int(self.keep_every)
        limits = [name for name in ("max_norm", "monotone", "convex") if getattr(p, name)]
        p.outer_rule = _outer(self.outer, bool(limits) or p.rule.name == "lbfgs")
        if p.monitor not in ("val_loss", "val_metric", "loss"):
            raise ValueError(
                f"monitor={p.monitor!r} scores rows in one place; take 'val_loss', 'val_metric' or "
                "'loss'"
            )
        if isinstance(p.outer_rule, Nesterov):
            if limits:
                raise ValueError(
                    f"{limits[0]} limits the weights, and the step of {p.outer_rule!r} may leave "
                    "the limits; take outer='average'"
                )
            if p.rule.name == "lbfgs":
                raise ValueError("L-BFGS averages no weights; take outer='average'")
        if p.rule.name == "lbfgs" and p.local_steps is not None:
            raise ValueError("L-BFGS has no local steps; leave local_steps at None")
        return p

    def set_params(self, **params: Any) -> Self:
        """Change parameters; the fitted model stays until the next fit."""
        values = self.get_params()
        for name in params:
            choose("parameter", name, tuple(values))
        type(self)(**values | params)  # checks them
        vars(self).update(params)
        return self

    def __sklearn_clone__(self) -> Self:
        from sklearn.base import clone

        values = {
            name: value if name == "client" else clone(value, safe=False)
            for name, value in self.get_params().items()
        }
        return type(self)(**values)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "client": None}

    if TYPE_CHECKING:
        client: Any
        keep_every: int
        local_steps: int | None
        outer: Any
        _fitted: Model | None


def _outer(outer: object, averages: bool) -> Nesterov | Literal["auto"] | None:
    """What `outer` means; None is the average, which 'auto' is where nothing else goes."""
    if outer == "auto":
        return None if averages else "auto"
    if outer == "average":
        return None
    if outer == "nesterov":
        return Nesterov()
    if isinstance(outer, Nesterov):
        return outer
    raise (ValueError if isinstance(outer, str) else TypeError)(
        f"outer must be 'auto', 'average', 'nesterov' or a Nesterov, got {outer!r}"
    )
