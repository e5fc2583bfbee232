"""From an estimator's parameters and data to a training, and to the model that it leaves.

Everything here is computed aside. `p` is a copy of the estimator, so that neither its parameters
nor its model change while a training runs; nothing is seen outside until `publish` is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from cnn_core._frozen import replace
from cnn_core.callbacks import Callback, Watch
from cnn_core.history import Past
from cnn_core.optimizers import SGD, Optimizer
from cnn_core.schedules import Schedule
from cnn_core.sklearn._job import Data, Job, arrays_of
from cnn_core.sklearn._model import ABSENT, FittedModel, OptimizerState
from cnn_core.sklearn._parameters import (
    batch_rows,
    dropout_rates,
    initial_rate,
    make_optimizer,
)
from cnn_core.sklearn._policies import (
    InverseScaling,
    LossAndScore,
    Scorer,
    Tolerance,
    print_epoch,
)
from cnn_core.sklearn._rows import (
    DenseSource,
    PoissonLossOffset,
    RandomOrder,
    Source,
    SparseSource,
)
from cnn_core.sklearn._weights import (
    flat_views,
    load_weights,
    store_weights,
)
from cnn_core.spec import TrainingSpec
from cnn_core.training.backends import native
from cnn_core.training.loop import Hook, Start, TrainingLoop, TrainResult
from cnn_core.training.rates import ScheduledRates
from cnn_core.training.steps import Steps

if TYPE_CHECKING:
    from cnn_core.data.fingerprint import Parts
    from cnn_core.sklearn._base import BaseMLP
    from cnn_core.training.checkpoint import Checkpoint
    from cnn_core.training.protocols import Rates

#: Penalty of a row of weight 1/2 to 1 above which it is named as what has spoilt a training.
LARGE_PENALTY = 1e6


def train(
    job: Job,
    estimator: Any,
    publish: Callable[[FittedModel], None],
    callbacks: list[Callback],
    validation: tuple[Any, Any] | None,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Train, and publish the model that comes of it.

    Parameters
    ----------
    job : Job
    estimator : BaseMLP
        What callbacks are shown.
    publish : callable
        Takes the model after each epoch that a callback looks at, and the last one.
    callbacks : list of Callback
    validation : (X, y) or None
        Rows to score on.
    checkpoint : Checkpoint, optional
        What the training goes on from, and where it leaves word of itself.
    """
    if job.p._full_batch_by_scipy():
        publish(_minimize_loss(job))
        return
    epochs = _Epochs(job, validation)
    watch = Watch(callbacks, estimator, lambda: estimator._model, publish)

    def show(loop: TrainingLoop, entry: dict[str, float]) -> bool:
        publish(epochs.model_of(loop.result()))
        logs = {name: value for name, value in entry.items() if name != "seconds"}
        return watch.epoch(loop.epochs, logs)

    for callback in callbacks:
        callback.before_fit(estimator)
    before = estimator._model
    try:
        publish(epochs.run([show] if callbacks else [], watch, checkpoint))
    except BaseException as error:
        watch.hide()
        if not isinstance(error, Exception):  # Ctrl-C, or sys.exit
            publish(epochs.last_whole() or before)
        raise
    finally:
        watch.hide()


def _forget_scores(start: FittedModel) -> FittedModel:
    """Without the scores of an earlier fit, which are not those of these weights."""
    if start.validation_scores is ABSENT:
        return start
    return replace(start, validation_scores=None, best_validation_score=None)


def _make_trainer(job: Job, batch: int, optimizer: Optimizer | None, state: OptimizerState) -> Any:
    """The native trainer."""
    p, network = job.p, job.network
    loss, loss_param = p._native_loss()
    spec = TrainingSpec(
        loss,
        loss_param,
        None if optimizer is None else optimizer.name,
        {} if optimizer is None else optimizer.settings(state.learning_rate),
        batch,
        state.seed,
        # The penalty is divided by the weight of a mini-batch, so it is scaled as the weights are.
        l2=_penalty(p, job.weight_scale),
        dropout=dropout_rates(p, network.n_layers),
        penalty_per_row=True,
        average_by_rows=True,
        # Where scikit-learn's value of a squared error is asked for, which its gradient does not go
        # with.
        cost_scale=1 / network.widths[-1] if p.compatible and loss == "mse" else 1.0,
    )
    return native.trainer(spec, network, threads=p._threads(), adaptive=p.n_threads is None)


def _penalty(p: BaseMLP, scale: float) -> float:
    """alpha for weights of rows that are multiplied by `scale`."""
    return min(float(p.alpha) * scale, float(np.finfo(np.float64).max)) if p.alpha else 0.0


def refuse_weights(job: Job) -> NoReturn:
    """Raise for weights that are not finite: no training comes back from them."""
    message = (
        "Solver produced non-finite parameter weights. The input data may contain large values "
        "and need to be preprocessed."
    )
    if _penalty(job.p, job.weight_scale) > LARGE_PENALTY:
        message += (
            f" The penalty alpha={job.p.alpha} is divided by the sum of the sample weights, which "
            "are so small that little else counts: take larger ones, or alpha=0."
        )
    raise ValueError(message)


def _offset(job: Job, data: Data, batch: int) -> PoissonLossOffset | None:
    if job.p._native_loss()[0] != "poisson":
        return None
    assert data.targets is not None
    return PoissonLossOffset(data.targets, data.weights, batch)


def _dense_parts(X: Any) -> list[np.ndarray | None]:
    """The arrays of a dense or sparse matrix."""
    return [X.data, X.indices, X.indptr] if hasattr(X, "indptr") else [X]


class _Epochs:
    """A training in epochs of mini-batches: the loop with scikit-learn's policies.

    What is drawn from the stream is drawn in scikit-learn's order: initial weights, rows to set
    apart, a seed for dropout, and the order of the rows in each epoch.
    """

    def __init__(self, job: Job, validation: tuple[Any, Any] | None) -> None:
        self.job, p = job, job.p
        self.loop: TrainingLoop | None = None
        scorer, chosen, data = self._set_apart(validation)
        self.count = data.X.shape[0] if chosen is None else len(chosen)
        self.before = job.start.n_iter if job.resumed else 0  # epochs of this training so far
        optimizer = make_optimizer(p)
        batch = batch_rows(p, self.count, optimizer.full_batch)
        self.state = self._optimizer_state(optimizer)
        self.trainer = self._make_trainer(optimizer, batch)
        self.start = self._start(scorer is not None)
        source: Source
        if hasattr(data.X, "tocsr"):
            source = SparseSource(data.X, chosen, data[1:], job.network.dtype, batch)
        else:
            source = DenseSource(data.X, chosen, *data[1:])
        offset = _offset(job, data, batch)
        self.rows = RandomOrder(source, job.stream, p.shuffle, batch, offset)
        self.monitor = LossAndScore(scorer, job.network, p._threads())
        sgd = isinstance(optimizer, SGD)  # it alone follows a rule that is named
        self.batches = -(-self.count // batch)
        self.rates = self._rates(sgd, self.batches)
        self.stopping = self._stopping(sgd and p.learning_rate == "adaptive")

    def run(
        self, hooks: list[Hook], watch: Watch, checkpoint: Checkpoint | None = None
    ) -> FittedModel:
        """Train; the model that it leaves."""

        def tell(step: int, entry: dict[str, float]) -> bool:
            model = self.model_of(loop.in_epoch())
            with loop.open_to_signals():
                return watch.step(model, step, entry)

        p, job = self.job.p, self.job
        # A schedule may look at the losses of earlier trainings; without one they need no copy.
        scheduled = isinstance(self.rates, ScheduledRates)
        losses = {"loss": self.start.loss_curve} if scheduled else {}
        # The weights to begin with are the best so far: after an early stop, warm_start goes on
        # from the best ones.
        best_epoch = 0 if self.stopping.restore else None
        start = Start(job.network.copy(), losses, self.state.epochs, best_epoch)
        hooks = [print_epoch, *hooks] if p.verbose else hooks
        if watch.of_steps:
            steps = Steps(self.trainer, Past(), False, tell)
            hooks = [*hooks, lambda loop, entry: steps.ends]
        epochs = 1 if job.incremental else p.max_iter
        if checkpoint is not None:
            epochs = checkpoint.begin(self._parts(), self.before, epochs, self.batches)
            if checkpoint.is_finished:
                return job.start
        loop = TrainingLoop(
            self.trainer,
            job.network,
            self.rows,
            self.monitor,
            start,
            self.rates,
            self.stopping,
            hooks,
        )
        self.loop = loop
        writing = model = None
        if checkpoint is not None:
            self.rows.skip(self.before)
            writing = checkpoint.attach(loop, self.model_of, self.rows.source.is_whole)
        try:
            loop.run(epochs)
            model = self._final()
        finally:
            if writing is not None:
                writing.at_end(model)
        if loop.reason == "epochs" and not job.incremental:
            p._warn(
                f"Stochastic Optimizer: Maximum iterations ({p.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
            )
        if model is None:
            refuse_weights(job)
        return model

    def _parts(self) -> Parts:
        """The rows, for their fingerprint."""
        data, scorer = self.job.data, self.monitor.scorer
        parts: dict[str, list[np.ndarray | None]] = {
            "X": _dense_parts(data.X),
            "y": [data.targets, data.labels],
            "sample_weight": [data.weights],
        }
        if scorer is not None:
            parts["X_val and y_val"] = [*_dense_parts(scorer.X), scorer.y]
        return parts

    def _final(self) -> FittedModel | None:
        """The model that there is now; None where its weights are not finite."""
        assert self.loop is not None
        result = self.loop.result(final=True)
        # What another partial_fit goes on with must be finite too: the optimizer's slots.
        trained = self.trainer if self.job.incremental else result.network
        return self.model_of(result) if trained.is_finite() else None

    def last_whole(self) -> FittedModel | None:
        """The model after Ctrl-C; None where no epoch was whole, or its weights are not finite."""
        if self.loop is None or not (self.loop.epochs or self.before):
            return None
        return self._final()

    def model_of(self, result: TrainResult) -> FittedModel:
        """The model after some epochs."""
        start, state, stopping, epochs = self.start, self.state, self.stopping, result.epochs
        new = result.history.last(epochs)
        losses = list(map(np.float64, new["loss"]))  # as scikit-learn's, with dtype and the like
        scores = start.validation_scores
        if "validation_score" in new:
            scores = [*(scores or ()), *new["validation_score"]]
        return self.job.model(
            start,
            result.network,
            loss=losses[-1] if losses else start.loss,
            loss_curve=[*start.loss_curve, *losses],
            best_loss=stopping.best_loss,
            validation_scores=scores,
            best_validation_score=stopping.best_score,
            no_improvement_count=stopping.waited,
            n_iter=self.before + epochs,
            t=start.t + epochs * self.count,
            optimizer=replace(
                state,
                learning_rate=self.trainer.learning_rate,
                epochs=state.epochs + epochs,
                state=result.state,
            ),
        )

    def _set_apart(
        self, validation: tuple[Any, Any] | None
    ) -> tuple[Scorer | None, np.ndarray | None, Data]:
        """Who scores, which rows of X are trained on (None: all), and their targets and
        weights."""
        p, data = self.job.p, self.job.data
        if validation is not None:
            return p._validation_scorer(*validation, self.job.network.dtype), None, data
        if not p.early_stopping:
            return None, None, data
        # Drawn as `train_test_split` of all arrays would be.
        chosen, kept = train_test_split(
            np.arange(data.X.shape[0]),
            random_state=self.job.stream,
            test_size=p.validation_fraction,
            stratify=p._stratify_labels(data.targets, data.labels),
        )
        if len(kept) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        targets, labels, weights = data.take(kept)
        weights = None if weights is None else weights[:, 0]
        scorer = p._scorer(data.X[kept], targets, labels, weights)
        return scorer, chosen, Data(data.X, *data.take(chosen))

    def _start(self, scored: bool) -> FittedModel:
        """The model to start from, with curves that go on or begin."""
        start, p = self.job.start, self.job.p
        if not scored:
            start = _forget_scores(start)
        if start.loss_curve is ABSENT:  # of new weights, or after 'lbfgs'
            start = replace(
                start,
                loss_curve=[],
                best_loss=None if p.early_stopping else np.inf,
                validation_scores=None,
                best_validation_score=None,
                no_improvement_count=0,
            )
        if scored and (start.validation_scores is ABSENT or start.validation_scores is None):
            start = replace(start, validation_scores=[], best_validation_score=-np.inf)
        return start

    def _optimizer_state(self, optimizer: Optimizer) -> OptimizerState:
        """How far the optimizer is."""
        job, p = self.job, self.job.p
        state = job.start.optimizer if job.incremental or job.resumed else None
        if state is not None and state.name != optimizer.name:
            state = None
        if state is not None and job.incremental:
            return state
        seed = int(job.stream.randint(np.iinfo(np.int32).max)) if np.any(p.dropout) else 0
        if state is not None:
            return state
        return OptimizerState(optimizer.name, initial_rate(p), seed=seed)

    def _make_trainer(self, optimizer: Optimizer, batch: int) -> Any:
        """The trainer, which goes on from that state."""
        trainer, state = _make_trainer(self.job, batch, optimizer, self.state), self.state.state
        if state is not None:
            shapes = [slot.shape for slot in trainer.slots]
            if [slot.shape for slot in state["slots"]] == shapes:
                trainer.restore(state)
        return trainer

    def _rates(self, sgd: bool, per_epoch: int) -> Rates | None:
        """Who sets the learning rate."""
        p, schedule = self.job.p, self.job.p.learning_rate
        if isinstance(schedule, Schedule):
            initial = initial_rate(p) if schedule.initial is None else schedule.initial
            # Of a checkpoint's training those that are done belong to the plan.
            planned = self.state.epochs - self.before + p.max_iter
            return ScheduledRates(schedule, initial, per_epoch, planned)
        if sgd and schedule == "invscaling":
            return InverseScaling(initial_rate(p), p.power_t, self.start.t, self.count)
        return None

    def _stopping(self, adaptive: bool) -> Tolerance:
        """The rule that ends the training, with the best loss and score so far."""
        p, job, start = self.job.p, self.job, self.start
        restore = p.early_stopping if p.restore_best_weights is None else p.restore_best_weights
        rule = Tolerance(p, self.trainer, job.network, adaptive=adaptive, restore=restore)
        rule.waited, rule.best_loss = start.no_improvement_count, start.best_loss
        rule.best_score = start.best_validation_score
        scorer = self.monitor.scorer
        if job.warm and scorer is not None:
            # An earlier fit's score is of other rows and may be out of reach on these: what is to
            # be surpassed is scored anew.
            score = scorer.score(job.network, self.monitor.threads)
            rule.best_score = score if score == score else -np.inf
            if p.early_stopping:
                rule.waited = 0
        return rule


def _minimize_loss(job: Job) -> FittedModel:
    """L-BFGS-B of SciPy (Byrd et al. 1995, "A limited memory algorithm for bound constrained
    optimization") on the flat vector of all weights, then all biases."""
    p, network, data = job.p, job.network, job.data
    widths, batch = network.widths, data.X.shape[0]
    trainer = _make_trainer(job, batch, None, OptimizerState("lbfgs", 0.0))
    source, offset = DenseSource(data.X, None, *data[1:]), _offset(job, data, batch)
    shift = 0.0 if offset is None else offset.of(None)

    def loss_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
        load_weights(network, *flat_views(x, widths))
        loss, _ = trainer.loss_and_gradient(source.X, source.y, source.labels, source.weights)
        gradient = np.empty(len(x))
        store_weights(network, *flat_views(gradient, widths), vector=trainer.gradient)
        return loss + shift, gradient

    coefs, intercepts = arrays_of(job.start)
    weights = np.concatenate([part.ravel() for part in (*coefs, *intercepts)])
    result = minimize(
        loss_and_gradient,
        weights.astype(np.float64),
        method="L-BFGS-B",
        jac=True,
        options={"maxfun": p.max_fun, "maxiter": p.max_iter, "gtol": p.tol},
    )
    load_weights(network, *flat_views(result.x, widths))
    start, n_iter = _forget_scores(job.start), p._count_iterations(result, p.max_iter)
    if not network.is_finite():
        refuse_weights(job)
    return job.model(start, network, n_iter=n_iter, loss=np.float64(result.fun))
