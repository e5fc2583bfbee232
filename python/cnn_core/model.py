"""`Model`: what a fit leaves behind, and predictions with it."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._frozen import Frozen
from cnn_core._linalg import is_finite
from cnn_core._network import Network
from cnn_core._state import damage_told, opened, sealed
from cnn_core.answers import Answers
from cnn_core.causes.seen import Seen
from cnn_core.data.scaling import Scaling
from cnn_core.data.target_scaling import TargetScaling
from cnn_core.data.validation import (
    check_entries,
    check_names,
    check_out,
    check_target_names,
    check_X,
    check_x,
)
from cnn_core.history import Past
from cnn_core.spec import NetworkSpec, TrainingSpec
from cnn_core.task import Task
from cnn_core.threads import threads_of
from cnn_core.training.backends import (
    BACKENDS,
    ByBackend,
    RowPredictor,
    native,
    reference,
    warn_of_overflow,
    with_first_outputs,
    with_linear_output,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.causes.data import Run
    from cnn_core.columns.columns import Columns
    from cnn_core.conformal import Calibration
    from cnn_core.data.prepare import Dataset
    from cnn_core.data.stream import StreamRows
    from cnn_core.explanations.explained import Explained
    from cnn_core.training.first_rows import FirstRows
    from cnn_core.training.protocols import Predictor


class _Predicts:
    """What a model predicts with, made from its fields."""

    predictors: ByBackend[Predictor]
    #: What predicts single rows for `FAST_BACKEND`.
    one_row: RowPredictor
    #: The network that predicts: with the first of several heads alone.
    predicting: Network


class Model(_Predicts, Answers, Frozen):
    """All that a fit leaves behind. Never changed: the next fit publishes another one, so whoever
    has taken one predicts with the old model or the new one, and never with anything between.

    Parameters
    ----------
    network_spec : NetworkSpec
    training_spec : TrainingSpec
        Of the last fit.
    network : Network
    task : Task
    feature_names : ndarray or None
    scaling : Scaling or None
    seed : int
    baseline : float
        The metric of the best constant prediction.
    history : Past
    state : dict or None
        The trainer's, for training that goes on.
    best_epoch : int or None
        Where early stopping has brought back the weights of its best epoch: that one.
    target_scaling : TargetScaling or None
    step_history : Past
        The same of each step, where it was asked for.
    converged : bool
        Whether the last training has ended by itself.
    weighted : bool
        Whether rows counted unequally in the last fit.
    ended : str
        Why it ended, as `TrainResult` has it.
    stream : Run
        How the classes have come in the calls of partial_fit, see `causes.data.stream`.
    first_rows : FirstRows or None
        Those of a stream, while they are too few to learn a scaling from.
    seen : Seen
        What else later advice is to know of the training.
    columns : Columns or None
        What the columns of tables become; None where X is a matrix.
    watched : str
        The column of the history that says how good the weights are, if it is there.
    stream_rows : StreamRows or None
        A sample of the rows of a stream.
    calibration : Calibration or None
        What `calibrate` has learned of this very network.
    """

    network_spec: NetworkSpec
    training_spec: TrainingSpec
    network: Network
    task: Task
    feature_names: np.ndarray | None
    scaling: Scaling | None
    seed: int
    baseline: float
    history: Past = Past()
    state: dict[str, Any] | None = None
    best_epoch: int | None = None
    target_scaling: TargetScaling | None = None
    step_history: Past = Past()
    converged: bool = False
    weighted: bool = False
    ended: str = ""
    stream: Run = None
    first_rows: FirstRows | None = None
    seen: Seen = Seen()
    columns: Columns | None = None
    watched: str = "val_loss"
    stream_rows: StreamRows | None = None
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        network, task = self.network, self.task
        if task.heads > 1:
            network = with_first_outputs(network, task.n_outputs)
        fast = native.predictor(network, self.scaling, self.target_scaling)
        other = reference.predictor(network, self.scaling, self.target_scaling)
        one_row: Any = fast.one_row
        if self.columns is not None:  # a row of a table is no row of the matrix
            from cnn_core.columns.rows import TableRows

            one_row = TableRows(self.columns, fast.one_row)
            fast.checked_row = one_row.forward_checked
        self._set(
            history=Past.of(self.history),
            predictors=ByBackend(native=fast, python=other),
            one_row=one_row,
            predicting=network,
        )

    def __getstate__(self) -> dict[str, Any]:
        state = dict(vars(self))
        for made in ("predictors", "one_row", "predicting", "explained"):
            state.pop(made, None)
        return sealed(state)

    def __setstate__(self, state: dict[str, Any]) -> None:
        from cnn_core.model_checks import check_model

        with damage_told("model"):
            found = opened(state)
            # Fields that an older version did not have are those of the class; ones that only a
            # newer version knows would not survive the next fit either.
            vars(self).update({name: found[name] for name in self._fields if name in found})
            for name in self._fields:
                if not hasattr(self, name):
                    raise ValueError(f"it has no {name!r}")
            self._set(history=Past.of(self.history))  # older pickles have a dict
            check_model(self)
            self.__post_init__()

    @property
    def arrays(self) -> tuple[Network, Any, Any]:
        """What predictions are computed from: the network, and the arrays of the scalings of inputs
        and targets, None where there is none."""
        inputs, targets = self.scaling, self.target_scaling
        return (
            self.predicting,
            None if inputs is None else inputs.arrays,
            None if targets is None else targets.arrays,
        )

    @cached_property
    def explained(self) -> Explained:
        """What explanations are made from."""
        from cnn_core.explanations.explained import of_models

        return of_models((self,), 1)

    @property
    def knows_no_rows(self) -> bool:
        """Whether it was made from sizes alone."""
        return math.isnan(self.baseline)

    @property
    def is_begun_anew(self) -> bool:
        """Whether it is that of a stream before its first rows, which have been trained on."""
        return self.knows_no_rows and self.n_epochs > 0

    @property
    def n_features(self) -> int:
        """Features that X must have."""
        return self.network_spec.n_features

    def without_categories(self, rows: np.ndarray) -> np.ndarray:
        """Rows, or numbers for each feature, with 0 in the place of the numbers of categories, of
        which sizes and distances mean nothing."""
        spec = self.network_spec
        if not spec.embeddings:
            return rows
        numbers = rows.copy()
        numbers[:, spec.n_numbers :] = 0
        return numbers

    @property
    def target_names(self) -> tuple[str, ...]:
        """Of the columns of y in training."""
        return self.seen.targets

    @property
    def input_names(self) -> np.ndarray | None:
        """Names of what the network reads."""
        return self.feature_names if self.columns is None else self.columns.encoded

    @property
    def n_epochs(self) -> int:
        """Epochs done."""
        return self.history.n_epochs

    @property
    def monitor(self) -> str:
        """The column of the history that says how good the weights are: the one that the last fit
        has watched, or the training loss."""
        return self.watched if self.watched in self.history else "loss"

    @property
    def best_entry(self) -> int | None:
        """Where the entries of `best_epoch` stand in `history`, counted from 1; nothing is
        forgotten since."""
        return None if self.best_epoch is None else self.best_epoch - self.history.forgotten

    def check_X(self, X: ArrayLike, check_entries: bool = True) -> np.ndarray:
        """Rows that users give: checked, scaled, in the network's dtype."""
        if self.columns is not None:
            X = self.columns.encode(X)
        else:
            check_names(X, self.feature_names)
        check_entries = check_entries or hasattr(X, "columns")  # whose names messages are to have
        return check_X(
            X,
            self.network.dtype,
            self.n_features,
            scaling=self.scaling,
            check_entries=check_entries,
        )

    def unscaled(self, X: ArrayLike) -> np.ndarray:
        """What the network reads, before it is scaled, in float64."""
        return check_X(X if self.columns is None else self.columns.encode(X), "float64")

    def dataset(self, X: ArrayLike, y: ArrayLike) -> Dataset:
        """Rows with their targets as the network learns them, to evaluate."""
        # Here and in `score`, because those who only predict need nothing of it.
        from cnn_core.data.prepare import Preparation, make_dataset
        from cnn_core.data.row_order import warn_of_order

        X, y = self.split(X, y)
        check_target_names(y, self.target_names)
        warn_of_order(X, y)  # a table has been compared before
        dtype, scaling = self.network_spec.dtype, self.target_scaling
        how = Preparation(dtype, target_dtype=None if scaling is None else "float64")
        return make_dataset(self.task, self.check_X(X), y, how).learning(scaling, dtype)

    def network_outputs(
        self, rows: np.ndarray, threads: int, backend: str = "native"
    ) -> np.ndarray:
        """a^L in the units of the network, for rows as it reads them."""
        return BACKENDS[backend].predictor(self.predicting, self.scaling).outputs(rows, threads)

    def finite_outputs(self, rows: np.ndarray) -> np.ndarray:
        """The same in float64, without a word where they are not finite: they are 0 then."""
        a = BACKENDS["native"].predictor(self.predicting, self.scaling).unchecked(rows)
        finite: np.ndarray = np.where(np.isfinite(a), a, 0).astype(np.float64)
        return finite

    # Predictions; `backend` and `n_threads` are as MLP has them

    def outputs(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
        """a^L for rows that users give, shape (rows, n_outputs)."""
        predictor = self.predictors[backend]
        a = predictor.checked_row(X)  # a single row, if the native core takes it as it is
        if a is None:
            a = predictor.outputs(self.check_X(X, False), threads_of(n_threads))
        return a

    def row(self, x: Any, out: np.ndarray | None, backend: str, check: bool) -> np.ndarray:
        """a^L for one row that the native core does not take as it is, shape (n_outputs,)."""
        n_outputs, dtype = self.task.n_outputs, self.network.dtype
        out = np.empty(n_outputs, dtype) if out is None else out
        check_out(out, dtype, n_outputs)
        row = self._read_row(x, check)
        a = self.predictors[backend].unchecked(row)[0]
        if check and not np.isfinite(a).all():
            warn_of_overflow(self.network, row, 1)
        out[:] = a
        return out

    def _read_row(self, x: Any, check: bool) -> np.ndarray:
        """A row as the network reads it, shape (1, n_features)."""
        names = self.feature_names
        if self.columns is not None:
            from cnn_core.columns.rows import row_of

            x, names = self.columns.encode_row(row_of(x, self.columns.names)), None
        elif check:
            check_entries("x", x)
        return check_x(x, self.network.dtype, self.n_features, names, self.scaling)

    def predict(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
        """Classes or numbers, as `MLP.predict` describes."""
        task, predictor = self.task, self.predictors[backend]
        a = predictor.checked_row(X)
        if a is None:
            rows, threads = self.check_X(X, False), threads_of(n_threads)
            if task.name == "classification":
                assert task.classes is not None
                return task.classes.take(predictor.argmax(rows, task.threshold, threads))
            a = predictor.outputs(rows, threads)
        if task.name == "regression":  # for the sake of single rows, without a call
            return a.ravel() if task.flat else a
        return self.labels(a)

    def decision_function(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
        """z of the output layer, as `MLP.decision_function` describes."""
        task = self.task
        if task.name == "regression":
            raise ValueError(
                "decision_function is for classification, and this model does regression; forward "
                "gives its outputs"
            )
        linear = with_linear_output(self.network)
        predictor = BACKENDS[backend].predictor(linear, self.scaling)
        rows = self.check_X(X)
        z = predictor.outputs(rows, threads_of(n_threads))
        if task.name == "multilabel":
            return z
        if task.n_outputs == 2:
            with np.errstate(over="ignore", invalid="ignore"):
                difference: np.ndarray = z[:, 1] - z[:, 0]
            if not is_finite(difference) and np.isfinite(z).all():
                warn_of_overflow(linear, rows, int(np.count_nonzero(~np.isfinite(difference))))
            return difference
        return z.ravel() if task.n_outputs == 1 else z

    def _heads(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
        """z^L of all heads."""
        rows = self.check_X(X, False)
        predictor = BACKENDS[backend].predictor(self.network, self.scaling)
        return predictor.outputs(rows, threads_of(n_threads))

    def quantiles(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
        from cnn_core.distributions import quantiles_of

        return quantiles_of(self._heads(X, backend, n_threads), self.task, self.target_scaling)

    def mean_and_variance(
        self, X: ArrayLike, backend: str, n_threads: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        from cnn_core.distributions import mean_and_variance_of

        z = self._heads(X, backend, n_threads)
        return mean_and_variance_of(z, self.task, self.target_scaling)

    def precise_outputs(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
        """`outputs` that are not rounded: far from 0 float32 has few numbers."""
        rows = self.check_X(X, False)
        a = self.network_outputs(rows, threads_of(n_threads), backend)
        scaling = self.target_scaling
        return a if scaling is None else scaling.invert(a, np.float64)
