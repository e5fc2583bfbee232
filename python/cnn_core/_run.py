"""A training run: what it trains on, what it leaves behind, and the epochs between."""

import math
import time
import warnings
from dataclasses import dataclass, field, replace

import numpy as np

from cnn_core._backprop import Backprop
from cnn_core._dataset import RowSource
from cnn_core._network import Network
from cnn_core._plan import Plan, make_targets, make_weights
from cnn_core._predict import RowPredictor
from cnn_core._scaling import Scaling
from cnn_core._trainer import Trainer
from cnn_core._validation import check_rows
from cnn_core.exceptions import DivergenceWarning
from cnn_core.schedules import Constant, Schedule
from cnn_core.threads import threads_of


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """Rows to train or to judge on, checked and in the model's dtype."""

    X: RowSource
    y: RowSource | None  # None for a sparse loss
    labels: RowSource | None  # None for regression and multilabel
    weights: RowSource | None = None

    def take(self, chosen):
        """Some of the rows; those of X, which may be large, stay where they are."""
        y, labels, weights = (
            None if part is None else RowSource(part.array[chosen])
            for part in (self.y, self.labels, self.weights)
        )
        return Data(RowSource(self.X.array, np.flatnonzero(chosen)), y, labels, weights)

    def spread(self):
        """Sum of (y - mean y)^2 of each output, for R^2."""
        y = self.y.array
        return ((y - y.mean(axis=0, dtype=np.float64)) ** 2).sum(axis=0)


def make_data(
    plan, X, y, labels, dtype, sample_weight=None, class_weight=None, smoothing=0.0, name="y"
):
    """Targets and weights in the form that training wants, beside X."""
    targets, labels = make_targets(plan, y, labels, dtype, smoothing, name)
    check_rows(X, labels if targets is None else targets, name, name.replace("y", "X"))
    weights = make_weights(plan, labels, len(X), sample_weight, class_weight, dtype)
    return Data(
        RowSource(X),
        None if targets is None else RowSource(targets),
        None if labels is None else RowSource(labels[:, None]),
        None if weights is None else RowSource(weights),
    )


@dataclass(frozen=True, eq=False, repr=False)
class Fitted:
    """All that a fit leaves behind. Never changed: the next fit puts another one in its place, so
    that a prediction that runs meanwhile sees the old model or the new one, nothing between."""

    network: Network
    plan: Plan
    n_features: int
    feature_names: np.ndarray | None
    scaling: Scaling | None
    seed: int
    baseline: float  # the metric of the best constant prediction
    history: dict = field(default_factory=dict)
    state: dict | None = None  # of the run, for those that go on
    best_epoch: int | None = (
        None  # where early stopping has brought back the weights of its best epoch: that one
    )
    one_row: RowPredictor = field(
        init=False
    )  # the network again, with its scaling, ready for rows that come one by one

    def __post_init__(self):
        object.__setattr__(self, "one_row", RowPredictor(self.network, *(self.scaling or ())))


def make_training(
    backend,
    network,
    plan,
    capacity,
    optimizer=None,
    settings=None,
    seed=0,
    l1=0.0,
    l2=0.0,
    dropout=None,
    clip_norm=0.0,
    max_norm=0.0,
    timing=False,
    n_threads=None,
):
    """The native run or its twin; without an optimizer it computes costs and gradients only."""
    name = None if optimizer == "lbfgs" else optimizer
    numbers = {} if name is None else settings
    multilabel = plan.task == "multilabel"
    if backend == "python":
        from cnn_core import reference  # not needed by those who train on the native core

        run = reference.Training(
            network,
            plan.loss,
            capacity,
            plan.loss_alpha,
            l1,
            l2,
            dropout,
            name,
            numbers,
            seed,
            clip_norm,
            max_norm,
            multilabel,
        )
    else:
        backprop = Backprop(network, plan.loss, capacity, plan.loss_alpha, l1, l2, dropout)
        run = Trainer(
            backprop,
            name,
            numbers,
            seed,
            timing=timing,
            clip_norm=clip_norm,
            max_norm=max_norm,
            multilabel=multilabel,
            threads=threads_of(n_threads),
            adaptive=n_threads is None,
        )
    if optimizer == "lbfgs":
        from cnn_core._lbfgs import ArrayVectors, LBFGSTraining

        run = LBFGSTraining(
            run, reference.ListVectors if backend == "python" else ArrayVectors, settings
        )
    return run


def metric_of(plan, measured, spread):
    """The metric as users see it: the share of rows that are right, or R^2."""
    return r2(measured, spread) if plan.task == "regression" else measured


def r2(residual, spread):
    """R^2 of each output, averaged. An output that does not vary counts 1 where it is met exactly,
    else 0."""
    constant = spread == 0
    scores = np.where(
        constant, np.where(residual == 0, 1.0, 0.0), 1 - residual / np.where(constant, 1, spread)
    )
    return float(scores.mean())


def baseline_of(plan, data):
    """The metric that the best constant prediction reaches: the share of the largest class, or R^2
    = 0."""
    if plan.task == "regression":
        return 0.0
    if data.labels is not None:
        return float(np.bincount(data.labels.array[:, 0]).max() / data.X.count)
    rows = data.y.array > plan.threshold
    return float(np.unique(rows, axis=0, return_counts=True)[1].max() / len(rows))


def train(
    training, network, schedule, data, judged, fitted, capacity, epochs, options, publish, watch
):
    """Run the epochs and publish what stands after the last good one.

    Parameters
    ----------
    training : Training, LBFGSTraining or reference.Training
    network : Network
        What `training` trains.
    schedule : Schedule
    data, judged : Data
        Rows to train on and to judge on; `judged` may be None.
    fitted : Fitted
        Its network is the one to start from, its history that of the epochs before.
    capacity : int
        Rows of a mini-batch.
    epochs : int
    options : namespace
        backend, epochs, shuffle, early_stopping, patience, min_delta, restore_best, verbose: as MLP
        has them.
    publish : callable
        Takes the Fitted that users are to see.
    watch : callable or None
        Called after each epoch with the epoch's number and entries, once the model is published;
        True ends the training.
    """
    plan = fitted.plan
    spreads = [
        part.spread() if plan.task == "regression" and part else None for part in (data, judged)
    ]
    before = len(fitted.history.get("loss", ()))
    names = (
        ["loss", "metric"]
        + (["val_loss", "val_metric"] if judged else [])
        + ["learning_rate", "seconds"]
    )
    names += [name for name in fitted.history if name not in names]
    columns = {
        name: [] for name in names[: names.index("seconds") + 1]
    }  # of the history, an entry an epoch
    # The weights after the last good epoch and their number of epochs, replaced in one step: Ctrl-C
    # may strike between any two others.
    kept, spare = (fitted.network, 0, training.steps), None
    best, best_epoch, lowest, waited = None, None, np.inf, 0
    losses = list(fitted.history.get("val_loss" if judged else "loss", ()))
    if before and judged and options.early_stopping:
        best, best_epoch = fitted.network, fitted.best_epoch or before
        lowest, _ = training.evaluate(judged.X, judged.y, judged.labels)
    diverged, done = False, 0
    constant = type(schedule) is Constant
    first, last = training.epochs, training.epochs + epochs
    planned = max(last, int(options.epochs))  # for schedules that look ahead
    initial = training_rate = training.learning_rate
    per_epoch = -(-data.X.count // capacity)

    def outcome(final=False):
        network, done, steps = kept
        history = {
            name: [
                *fitted.history.get(name, [np.nan] * before),
                *columns.get(name, [np.nan] * done)[:done],
            ]
            for name in names
        }
        state = (
            None
            if diverged
            else training.state(copy=not final) | {"backend": options.backend, "steps": steps}
        )
        with_best = final and best is not None and options.restore_best
        return replace(
            fitted,
            network=best if with_best else network,
            history=history,
            state=state,
            best_epoch=best_epoch if with_best else None,
        )

    try:
        for epoch in range(first, last):
            start = time.perf_counter()
            rates = None
            if not constant:
                initial = schedule.after(losses, training_rate)
                steps = np.arange(training.steps, training.steps + per_epoch)
                rates = schedule.rates(initial, steps, epoch, per_epoch, planned)
                if type(schedule).__module__ != Schedule.__module__:
                    rates = check_rates(schedule, rates, epoch, per_epoch)
            loss, measured = training.epoch(
                data.X,
                data.y,
                data.labels,
                bool(options.shuffle),
                weights=data.weights,
                rates=rates,
            )
            diverged = not (math.isfinite(loss) and network.is_finite())
            if diverged:
                last_good = before + done, "the last finite ones"
                if best is not None and options.restore_best:
                    last_good = (
                        best_epoch,
                        "the best on the validation data" if judged else "the best",
                    )
                warnings.warn(
                    f"training diverged in epoch {before + done + 1} at learning rate "
                    f"{training.learning_rate:g} (loss {loss}); the weights after epoch {last_good[0]}, "
                    f"{last_good[1]}, are kept; a lower learning rate, features of similar scale or clip_norm may "
                    "help",
                    DivergenceWarning,
                    stacklevel=4,
                )
                break
            done += 1
            entry = {"loss": loss, "metric": metric_of(plan, measured, spreads[0])}
            if judged:
                val_loss, measured = training.evaluate(judged.X, judged.y, judged.labels)
                if not math.isfinite(val_loss) and all(map(math.isfinite, columns["val_loss"])):
                    warnings.warn(
                        f"the loss on the validation data is {val_loss} after epoch {before + done}: some of its rows are "
                        f"so far from the others that their outputs overflow {network.dtype}",
                        RuntimeWarning,
                        stacklevel=4,
                    )
                entry |= {"val_loss": val_loss, "val_metric": metric_of(plan, measured, spreads[1])}
            entry["learning_rate"], entry["seconds"] = (
                training.learning_rate,
                time.perf_counter() - start,
            )
            for name, value in entry.items():
                columns[name].append(value)
            spare = spare or network.copy()
            network.copy_to(spare)
            # What a fit began with may be a model in use, and what a callback has seen is: never
            # written again.
            last_one = None if kept[0] is fitted.network or watch is not None else kept[0]
            kept, spare = (spare, done, training.steps), last_one
            if options.verbose:
                report(before + done, before + epochs, entry, plan)
            losses.append(entry["val_loss" if judged else "loss"])
            if options.early_stopping:
                if losses[-1] < lowest - options.min_delta:
                    best, best_epoch, lowest, waited = kept[0].copy(), before + done, losses[-1], 0
                else:
                    waited += 1
            if watch is not None:
                publish(outcome())
                if watch(before + done, entry):
                    break
            if (options.early_stopping and waited >= options.patience) or getattr(
                training, "converged", False
            ):
                break
    finally:
        # An error or Ctrl-C in the first epoch leaves the model as it was before the fit.
        if kept[1] or diverged:
            publish(outcome(final=True))


def check_rates(schedule, rates, epoch, per_epoch):
    """The rates of a schedule of a user's own."""
    try:
        rates = np.asarray(rates, np.float64)
    except (TypeError, ValueError):
        rates = np.array(np.nan)
    if rates.shape != (per_epoch,) or not (np.isfinite(rates) & (rates >= 0)).all():
        raise ValueError(
            f"{type(schedule).__name__} must give a finite rate of at least 0 for each of the {per_epoch} "
            f"mini-batches of an epoch; for epoch {epoch + 1} it gave {rates}"
        )
    return rates


def report(epoch, epochs, entry, plan):
    """A line about an epoch."""
    metric = "R2" if plan.task == "regression" else "accuracy"
    words = {
        "loss": "loss",
        "metric": metric,
        "val_loss": "val_loss",
        "val_metric": f"val_{metric}",
    }
    values = "  ".join(f"{word} {entry[name]:.4f}" for name, word in words.items() if name in entry)
    print(
        f"epoch {epoch:{len(str(epochs))}d}/{epochs}  {values}  {entry['seconds'] * 1e3:.1f} ms",
        flush=True,
    )
