"""How scikit-learn's estimators train: epochs of mini-batches in the order that its random stream
gives, and L-BFGS-B.

The rules - what is drawn when, what stops a run, what is printed - are those of scikit-learn 1.9's
`sklearn.neural_network`; the arithmetic is the native core's.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize
from scipy.special import xlogy
from sklearn.exceptions import ConvergenceWarning

from cnn_core._dataset import RowSource
from cnn_core._sklearn_network import dense_rows, flat_views, forward, put, rows_at_once, take
from cnn_core.schedules import Schedule
from cnn_core.training.rates import check_rates


@dataclass
class Steps:
    """The optimizer of a model and how far it is, for a `partial_fit` to go on from."""

    name: str
    learning_rate: float
    epochs: int = 0
    seed: int = 0
    state: dict | None = field(
        default=None, repr=False
    )  # of the native run: moments, number of steps


class DenseSource:
    """Rows to train on, those of X read where they stand.

    Parameters
    ----------
    X : ndarray, shape (n, features)
    chosen : ndarray of intp or None
        The rows of X to train on; the other arrays hold these alone.
    y : ndarray, shape (rows, n_outputs), or None
        Targets; None where there are labels.
    labels : ndarray of int32, shape (rows, 1), or None
    weights : ndarray, shape (rows, 1), or None
    """

    def __init__(self, X, chosen, y, labels, weights):
        self.X = RowSource(X, chosen)
        self.y, self.labels, self.weights = (
            None if part is None else RowSource(part) for part in (y, labels, weights)
        )
        self.count = self.X.count

    def epoch(self, training, order, rates):
        """Train on every row once, in the given order or as they stand; returns the loss."""
        return training.epoch(self.X, self.y, self.labels, False, order, self.weights, rates)[0]


class SparseSource:
    """The same for a sparse X, of which some mini-batches at a time are made dense."""

    def __init__(self, X, chosen, y, labels, weights, dtype, batch):
        self.X, self.chosen, self.parts, self.dtype, self.batch = (
            X,
            chosen,
            (y, labels, weights),
            dtype,
            batch,
        )
        self.count = X.shape[0] if chosen is None else len(chosen)
        self.block = max(1, rows_at_once(X, np.dtype(dtype).itemsize) // batch) * batch

    def epoch(self, training, order, rates):
        """Train on every row once, in the given order or as they stand; returns the loss."""
        order = np.arange(self.count) if order is None else order
        total = 0.0
        for first in range(0, self.count, self.block):
            rows = order[first : first + self.block]
            X = Rows(
                dense_rows(self.X[rows if self.chosen is None else self.chosen[rows]], self.dtype)
            )
            y, labels, weights = (
                None if part is None else RowSource(part[rows]) for part in self.parts
            )
            some = (
                None
                if rates is None
                else rates[first // self.batch : -(-(first + len(rows)) // self.batch)]
            )
            total += len(rows) * training.epoch(X, y, labels, False, None, weights, some)[0]
        return total / self.count


class Deviance:
    """y log y - y, by which half the Poisson deviance is larger than the core's cost of a row, e^z
    - y z."""

    def __init__(self, y, weights, batch):
        self.rows, self.weights, self.batch = (
            (xlogy(y, y) - y).sum(axis=1, dtype=np.float64),
            weights,
            batch,
        )
        self.mean = self.rows.mean()

    def of(self, order):
        """What it adds to the loss of an epoch: a mini-batch's weighted mean counts by its rows."""
        if self.weights is None:
            return self.mean
        order = np.arange(len(self.rows)) if order is None else order
        first = np.arange(0, len(order), self.batch)
        weights = self.weights[order, 0].astype(np.float64)
        total = np.add.reduceat(weights, first)
        means = np.add.reduceat(weights * self.rows[order], first) / np.where(total > 0, total, 1)
        return float((means * np.diff(first, append=len(order))).sum() / len(order))


class Judge:
    """Rows that are not trained on, and the score on them: accuracy (with several labels a row: of
    rows that are right in all), or R^2.

    Parameters
    ----------
    X : ndarray or sparse array, shape (rows, features)
    y : ndarray
        Class indices of shape (rows,), or targets of shape (rows, n_outputs).
    weights : ndarray, shape (rows,), or None
    regression : bool
    threshold : float
        The output above which a sigmoid says yes.
    """

    def __init__(self, X, y, weights, regression, threshold=0.5):
        self.X, self.y, self.weights, self.regression, self.threshold = (
            X,
            y,
            weights,
            regression,
            threshold,
        )
        if regression:
            self.y = y.astype(np.float64)
            self.w = (
                np.ones((len(y), 1)) if weights is None else weights[:, None].astype(np.float64)
            )
            self.spread = (
                self.w * (self.y - np.average(self.y, axis=0, weights=self.w[:, 0])) ** 2
            ).sum(axis=0)

    def score(self, network, threads):
        """The score of what `network` predicts; NaN for a regression whose predictions are not
        finite."""
        a = forward(network, self.X, threads)
        if self.regression:
            if not np.isfinite(a).all():
                return np.nan
            residual = (self.w * (self.y - a) ** 2).sum(axis=0)
            constant = self.spread == 0
            scores = np.where(
                constant, residual == 0, 1 - residual / np.where(constant, 1, self.spread)
            )
            return float(scores.mean())
        if self.y.ndim == 2:
            right = ((a > self.threshold) == self.y).all(axis=1)
        else:
            right = (a[:, 0] > self.threshold if a.shape[1] == 1 else a.argmax(axis=1)) == self.y
        return float(np.average(right, weights=self.weights))


@dataclass
class Run:
    """All that a training works with."""

    source: DenseSource | SparseSource
    training: object
    batch: int
    stream: np.random.RandomState
    steps: Steps
    judge: Judge | None
    deviance: Deviance | None
    threads: int
    sgd: bool  # whether the rule is SGD, which alone follows a schedule that is named
    callbacks: list = field(default_factory=list)


def train(model, run, incremental, warm):
    """Epochs until a rule stops them; the network of the run then holds the weights that are to
    stay.

    Parameters
    ----------
    model : MLPClassifier or MLPRegressor
        Its parameters say how; its counts, curve and scores go on.
    run : Run
    incremental : bool
        Whether to do one epoch, as `partial_fit`.
    warm : bool
        Whether this is a `fit` that goes on from an earlier one's weights.
    """
    training, source, judge, stream = run.training, run.source, run.judge, run.stream
    network, parameters = training.backprop.network, training.parameters
    count, alone = source.count, source.count <= run.batch
    schedule = model.learning_rate if isinstance(model.learning_rate, Schedule) else None
    named = model.learning_rate if run.sgd and schedule is None else "constant"
    per_epoch, first_epoch = -(-count // run.batch), run.steps.epochs
    restore = (
        model.early_stopping if model.restore_best_weights is None else model.restore_best_weights
    )
    # The weights to begin with are the best so far: after an early stop, warm_start goes on from
    # the best ones.
    best = parameters.copy() if restore else None
    if warm and judge is not None:
        # An earlier fit's score is of other rows and may be out of reach on these: what is to be
        # surpassed is judged anew.
        score = judge.score(network, run.threads)
        model.best_validation_score_ = score if score == score else -np.inf
        if model.early_stopping:
            model._no_improvement_count = 0
    curve, tol, patience, verbose, shuffle = (
        model.loss_curve_,
        model.tol,
        model.n_iter_no_change,
        model.verbose,
        model.shuffle,
    )
    initial = (
        initial_rate(model) if schedule is None or schedule.initial is None else schedule.initial
    )
    order, rates, n_iter, lowest = np.arange(count), None, 0, np.inf
    waited, best_loss = (
        model._no_improvement_count,
        np.inf if model.best_loss_ is None else model.best_loss_,
    )
    try:
        for _ in range(1 if incremental else model.max_iter):
            if shuffle:
                picked = np.arange(count)
                stream.shuffle(picked)
                if not alone:  # one mini-batch holds the same rows in any order
                    order = order[picked]
            if schedule is not None:
                steps = np.arange(training.steps, training.steps + per_epoch)
                epoch = first_epoch + n_iter
                rates = check_rates(
                    schedule,
                    schedule.rates(
                        schedule.after(curve, initial),
                        steps,
                        epoch,
                        per_epoch,
                        first_epoch + model.max_iter,
                    ),
                    epoch,
                    per_epoch,
                )
            visit = order if shuffle and not alone else None
            loss = source.epoch(training, visit, rates)
            if run.deviance is not None:
                loss += run.deviance.of(visit)
            n_iter += 1
            model.t_ += count
            model.loss_ = np.float64(loss)  # as scikit-learn's, which has dtype and the like
            curve.append(model.loss_)
            if verbose:
                print("Iteration %d, loss = %.8f" % (n_iter, loss))
            improved = loss < lowest
            lowest = min(lowest, loss)
            if judge is not None:
                score = judge.score(network, run.threads)
                model.validation_scores_.append(score)
                if verbose:
                    print("Validation score: %f" % score)
                bad = score < model.best_validation_score_ + tol
                improved = score > model.best_validation_score_
                if improved:
                    model.best_validation_score_ = score
            if not model.early_stopping:
                bad = loss > best_loss - tol
                if loss < best_loss:
                    model.best_loss_, best_loss = model.loss_, loss
            waited = waited + 1 if bad else 0
            if improved and restore:
                best[:] = parameters
            if named == "invscaling":
                training.learning_rate = initial_rate(model) / (model.t_ + 1) ** model.power_t
            if run.callbacks and tell(model, run, n_iter, loss, waited):
                break
            if waited > patience:
                if stops(model, training, named == "adaptive"):
                    break
                waited = 0
            if (
                not loss - loss == 0
                and not model.early_stopping
                and not np.isfinite(parameters).all()
            ):
                break  # such weights do not come back
            if n_iter == model.max_iter and not incremental:
                model._warn(
                    "Stochastic Optimizer: Maximum iterations (%d) reached and the optimization hasn't converged yet."
                    % model.max_iter,
                    ConvergenceWarning,
                )
    except KeyboardInterrupt:
        model._warn("Training interrupted by user.")
    if restore:
        parameters[:] = best
    model.n_iter_, model._no_improvement_count = n_iter, waited
    run.steps.learning_rate, run.steps.epochs = training.learning_rate, first_epoch + n_iter
    run.steps.state = training.state(copy=False)


def initial_rate(model):
    """The learning rate that a model's parameters name to begin with."""
    return float(getattr(model.solver, "learning_rate", model.learning_rate_init))


def stops(model, training, adaptive):
    """What happens when there has been no improvement for too long: the end, or a lower rate."""
    what = (
        "Validation score did not improve more than"
        if model.early_stopping
        else "Training loss did not improve more than"
    )
    message = f"{what} tol={model.tol:f} for {model.n_iter_no_change} consecutive epochs."
    if adaptive and training.learning_rate > 1e-6:
        training.learning_rate /= 5.0
        if model.verbose:
            print(f"{message} Setting learning rate to {training.learning_rate:f}")
        return False
    if model.verbose:
        print(
            f"{message} Learning rate too small. Stopping." if adaptive else f"{message} Stopping."
        )
    return True


def tell(model, run, n_iter, loss, waited):
    """Show the model as it is now to the callbacks; whether one of them ends the training."""
    model.n_iter_, model._no_improvement_count = n_iter, waited
    model._publish(run.training.backprop.network.copy())
    logs = {"loss": loss, "learning_rate": run.training.learning_rate}
    if run.judge is not None:
        logs["validation_score"] = model.validation_scores_[-1]
    return any([callback.after_epoch(model, n_iter, dict(logs)) for callback in run.callbacks])


def minimize_loss(model, run, coefs, intercepts):
    """L-BFGS-B of SciPy (Byrd et al. 1995, "A limited memory algorithm for bound constrained
    optimization") on the flat vector of all weights, then all biases, from these on; the network of
    the run then holds its result."""
    training, source = run.training, run.source
    network = training.backprop.network
    widths = network.widths
    shift = 0.0 if run.deviance is None else run.deviance.of(None)

    def loss_and_gradient(x):
        put(network, *flat_views(x, widths))
        loss, _ = training.loss_and_gradient(source.X, source.y, source.labels, source.weights)
        gradient = np.empty(len(x))
        take(network, *flat_views(gradient, widths), vector=training.gradient)
        return loss + shift, gradient

    start = np.concatenate([part.ravel() for part in (*coefs, *intercepts)]).astype(np.float64)
    result = minimize(
        loss_and_gradient,
        start,
        method="L-BFGS-B",
        jac=True,
        options={"maxfun": model.max_fun, "maxiter": model.max_iter, "gtol": model.tol},
    )
    model.n_iter_ = model._iterations(result, model.max_iter)
    model.loss_ = np.float64(result.fun)
    put(network, *flat_views(result.x, widths))
