"""`Model`: what a fit leaves behind, and predictions with it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._frozen import Frozen, replace
from cnn_core._functions import logarithms
from cnn_core._linalg import is_finite
from cnn_core._network import Network
from cnn_core._state import damage_told, opened, sealed
from cnn_core._warn import warn
from cnn_core.causes.seen import Seen
from cnn_core.data.scaling import Scaling
from cnn_core.data.target_scaling import TargetScaling
from cnn_core.data.validation import (
    as_numbers,
    check_entries,
    check_names,
    check_out,
    check_rows,
    check_target_names,
    check_X,
    check_x,
)
from cnn_core.history import Past
from cnn_core.spec import NetworkSpec, TrainingSpec
from cnn_core.task import Task, r2_of_outputs
from cnn_core.threads import threads_of
from cnn_core.training.backends import (
    BACKENDS,
    ByBackend,
    RowPredictor,
    make_network,
    native,
    reference,
    warn_of_overflow,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.causes.data import Run
    from cnn_core.columns.columns import Columns
    from cnn_core.data.prepare import Dataset
    from cnn_core.data.stream import StreamRows
    from cnn_core.training.first_rows import FirstRows
    from cnn_core.training.protocols import Predictor


class _Predicts:
    """What a model predicts with, made from its fields."""

    predictors: ByBackend[Predictor]
    #: What predicts single rows for `FAST_BACKEND`.
    one_row: RowPredictor


class Model(_Predicts, Frozen):
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

    def __post_init__(self) -> None:
        fast = native.predictor(self.network, self.scaling, self.target_scaling)
        other = reference.predictor(self.network, self.scaling, self.target_scaling)
        one_row: Any = fast.one_row
        if self.columns is not None:  # a row of a table is no row of the matrix
            from cnn_core.columns.rows import TableRows

            one_row = TableRows(self.columns, fast.one_row)
            fast.checked_row = one_row.forward_checked
        self._set(
            history=Past.of(self.history),  # older pickles have a dict
            predictors=ByBackend(native=fast, python=other),
            one_row=one_row,
        )

    def __getstate__(self) -> dict[str, Any]:
        state = dict(vars(self))
        del state["predictors"], state["one_row"]
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
            self.__post_init__()
            check_model(self)

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

    def split(self, X: ArrayLike, y: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        """X and y; of a table without the column that y names."""
        if self.columns is None:
            return X, y
        from cnn_core.columns.target import known_target
        from cnn_core.data.row_order import warn_of_order

        warn_of_order(X, y)
        table, classes = self.columns.table(X), self.task.classes
        return known_target(table, y, classes)  # type: ignore[return-value]

    def unscaled(self, X: ArrayLike) -> np.ndarray:
        """What the network reads, before it is scaled, in float64."""
        return check_X(X if self.columns is None else self.columns.encode(X), "float64")

    def dataset(self, X: ArrayLike, y: ArrayLike) -> Dataset:
        """Rows with their targets as the network learns them, to evaluate."""
        # Here and in `score`, because those who only predict need nothing of it.
        from cnn_core.data.prepare import Preparation, make_dataset
        from cnn_core.data.row_order import warn_of_order

        X, y = self.split(X, y)
        check_target_names(y, self.seen.targets)
        warn_of_order(X, y)  # a table has been compared before
        dtype, scaling = self.network_spec.dtype, self.target_scaling
        how = Preparation(dtype, target_dtype=None if scaling is None else "float64")
        return make_dataset(self.task, self.check_X(X), y, how).learning(scaling, dtype)

    def network_outputs(
        self, rows: np.ndarray, threads: int, backend: str = "native"
    ) -> np.ndarray:
        """a^L in the units of the network, for rows as it reads them."""
        return BACKENDS[backend].predictor(self.network, self.scaling).outputs(rows, threads)

    def finite_outputs(self, rows: np.ndarray) -> np.ndarray:
        """The same in float64, without a word where they are not finite: they are 0 then."""
        a = BACKENDS["native"].predictor(self.network, self.scaling).unchecked(rows)
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

    def label(self, a: np.ndarray) -> Any:
        """What `predict` makes of a row's outputs, which have the shape (n_outputs,)."""
        task = self.task
        if task.name == "regression":
            return a[0] if task.flat else a
        if task.name == "multilabel":
            return (a > task.threshold).astype(np.int64)
        assert task.classes is not None
        return task.classes[self._class_of(a)]

    def _class_of(self, a: np.ndarray) -> int:
        """The index of the class that the outputs of a row mean."""
        # NumPy would compare longer than the network has computed.
        return int(a.item() > self.task.threshold) if a.size == 1 else int(a.argmax())

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
        if task.name == "regression":
            return a.ravel() if task.flat else a
        if task.name == "multilabel":
            return (a > task.threshold).astype(np.int64)
        assert task.classes is not None
        index = self._class_of(a)
        return task.classes[index : index + 1].copy()

    def predict_proba(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
        """Probabilities, as `MLP.predict_proba` describes."""
        task = self.task
        name, output = task.name, task.output
        if output == ("sigmoid" if name == "multilabel" else "softmax") and name != "regression":
            return self.outputs(X, backend, n_threads)
        if name == "classification" and output == "sigmoid" and task.n_outputs == 1:
            a = self.outputs(X, backend, n_threads)
            return np.column_stack((1 - a[:, 0], a[:, 0]))
        raise ValueError(
            "predict_proba needs a classifier with softmax or one sigmoid as its output; this "
            f"model does {name} with {task.n_outputs} {output} output(s)"
        )

    def predict_log_proba(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
        """Their logarithms, as `MLP.predict_log_proba` describes."""
        return logarithms(self.predict_proba(X, backend, n_threads))

    def decision_function(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
        """z of the output layer, as `MLP.decision_function` describes."""
        task, spec = self.task, self.network_spec
        if task.name == "regression":
            raise ValueError(
                "decision_function is for classification, and this model does regression; forward "
                "gives its outputs"
            )
        linear = make_network(
            replace(
                spec,
                activations=(*spec.activations[:-1], "identity"),
                activation_params=(*spec.activation_params[:-1], 0.0),
            )
        )
        linear.set_flat(self.network.flat())
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

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        backend: str,
        n_threads: int | None,
    ) -> float:
        """Accuracy or R^2, as `MLP.score` describes."""
        from cnn_core.data.row_order import warn_of_order

        task = self.task
        warn_of_order(X, sample_weight, "sample_weight")
        X, y = self.split(X, y)
        warn_of_order(X, y)  # a table has been compared before
        if task.name == "regression":
            return float(self.r2_of_outputs(X, y, sample_weight, backend, n_threads).mean())
        targets, labels, weights = self._judged(X, y, sample_weight)
        predicted = self.predict(X, backend, n_threads)
        if task.name == "multilabel":
            assert targets is not None
            right = (predicted == (targets > task.threshold)).all(axis=1)
        else:
            assert task.classes is not None and labels is not None
            right = predicted == task.classes[labels]
        return float(np.average(right, weights=None if weights is None else weights[:, 0]))

    def r2_of_outputs(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        backend: str,
        n_threads: int | None,
    ) -> np.ndarray:
        """R^2 of each output of a regression."""
        targets, _, weights = self._judged(X, y, sample_weight)
        assert targets is not None
        warn_of_single_row(len(targets) if weights is None else int(np.count_nonzero(weights)))
        w = np.ones((len(targets), 1)) if weights is None else weights
        # Of predictions that are not rounded: far from 0 float32 has few numbers.
        rows = self.check_X(X, False)
        predicted = self.network_outputs(rows, threads_of(n_threads), backend)
        if self.target_scaling is not None:
            predicted = self.target_scaling.invert(predicted, np.float64)
        # Squares of numbers of this size are beyond float64, or 0, and R^2 depends on no factor.
        exponent = int(np.frexp(np.abs(targets).max())[1])
        if not -530 < exponent <= 400:
            with np.errstate(over="ignore"):
                targets, predicted = (np.ldexp(one, -exponent) for one in (targets, predicted))
        mean = (w * targets).sum(axis=0) / w.sum()
        with np.errstate(over="ignore"):  # of predictions that are much larger
            residual = (w * (targets - predicted) ** 2).sum(axis=0)
        return r2_of_outputs(residual, (w * (targets - mean) ** 2).sum(axis=0))

    def _judged(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
        """Targets, class indices and weights of the rows that predictions are compared with."""
        from cnn_core.data.prepare import make_targets, make_weights

        rows = self._count(X)
        check_target_names(y, self.seen.targets)
        targets, labels = make_targets(self.task, y, None, np.float64)
        wanted = labels if targets is None else targets
        assert wanted is not None
        check_rows(rows, len(wanted))
        weights, _ = make_weights(self.task, labels, rows, sample_weight, None, np.float64)
        return targets, labels, weights

    def _count(self, X: ArrayLike) -> int:
        """The rows of X, which has two dimensions."""
        if self.columns is not None:
            return len(self.columns.table(X))
        shape = np.shape(X) if hasattr(X, "shape") else as_numbers("X", X).shape
        if len(shape) != 2:
            self.check_X(X)  # says what is wrong
        return int(shape[0])


def warn_of_single_row(rows: int) -> None:
    """Say that R^2 compares rows with their mean, where there is only one."""
    if rows == 1:
        warn(
            "R^2 of a single row means nothing, as the row is its own mean: it is 0 unless the "
            "prediction is exact; take two rows or more",
            RuntimeWarning,
        )
