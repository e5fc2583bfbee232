"""`Answers`: from outputs to classes, numbers, probabilities and scores, whatever has computed
them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cnn_core._functions import logarithms
from cnn_core._warn import warn
from cnn_core.data.validation import as_numbers, check_rows, check_target_names
from cnn_core.scores import d2_of_outputs
from cnn_core.task import Task, r2_of_outputs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.columns.columns import Columns

#: Ground truth: targets, class indices and weights of rows.
Truth: TypeAlias = tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]


class Answers:
    """What a fitted model makes of its outputs; `backend` and `n_threads` are as MLP has them."""

    if TYPE_CHECKING:  # what each kind of model has

        @property
        def task(self) -> Task:
            """What the outputs mean."""

        @property
        def columns(self) -> Columns | None:
            """What the columns of tables become."""

        @property
        def target_names(self) -> tuple[str, ...]:
            """Of the columns of y in training."""

        def outputs(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
            """a^L for rows that users give, shape (rows, n_outputs)."""

        def precise_outputs(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
            """The same, not rounded where they are in the units of targets."""

        def quantiles(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
            """Those of the loss, in float64, shape (rows, n_outputs, n_quantiles)."""

        def mean_and_variance(
            self, X: ArrayLike, backend: str, n_threads: int | None
        ) -> tuple[np.ndarray, np.ndarray]:
            """Those of y given x, in float64, each of shape (rows, n_outputs)."""

        def predict(self, X: ArrayLike, backend: str, n_threads: int | None) -> np.ndarray:
            """Classes or numbers."""

        def check_X(self, X: ArrayLike) -> np.ndarray:
            """Rows as a network reads them."""

    def split(self, X: ArrayLike, y: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        """X and y; of a table without the column that y names."""
        if self.columns is None:
            return X, y
        from cnn_core.columns.target import known_target
        from cnn_core.data.row_order import warn_of_order

        warn_of_order(X, y)
        known = self.task.classes, self.target_names
        return known_target(self.columns.table(X), y, *known)  # type: ignore[return-value]

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

    def labels(self, a: np.ndarray) -> np.ndarray:
        """What `predict` makes of outputs, which have the shape (rows, n_outputs)."""
        task = self.task
        if task.name == "regression":
            return a.ravel() if task.flat else a
        if task.name == "multilabel":
            return (a > task.threshold).astype(np.int64)
        assert task.classes is not None
        if len(a) == 1:
            index = self._class_of(a)
            return task.classes[index : index + 1].copy()
        if a.shape[1] == 1:
            found: np.ndarray = task.classes.take(a[:, 0] > task.threshold)
        else:
            found = task.classes.take(a.argmax(axis=1))
        return found

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

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        backend: str,
        n_threads: int | None,
    ) -> float:
        """Accuracy, R^2 or D^2, as `MLP.score` describes."""
        from cnn_core.data.row_order import warn_of_order

        task = self.task
        warn_of_order(X, sample_weight, "sample_weight")
        X, y = self.split(X, y)
        warn_of_order(X, y)  # a table has been compared before
        true = self.true_targets(X, y, sample_weight)
        if task.name == "regression":
            predicted = self.precise_outputs(X, backend, n_threads)
        else:
            predicted = self.predict(X, backend, n_threads)
        return self.score_of(predicted, true)

    def score_of(self, predicted: np.ndarray, true: Truth) -> float:
        """Accuracy, R^2 or D^2 of predictions: classes, or numbers of shape (rows, outputs)."""
        targets, labels, weights = true
        if self.task.name == "regression":
            assert targets is not None
            return float(self._of_outputs(predicted, targets, weights).mean())
        right = self.are_right(predicted, targets, labels)
        return float(np.average(right, weights=None if weights is None else weights[:, 0]))

    def are_right(
        self, predicted: np.ndarray, targets: np.ndarray | None, labels: np.ndarray | None
    ) -> np.ndarray:
        """Whether each row's classes, or all of its labels, are those of y: `targets` of several
        labels a row, else the class indices."""
        task = self.task
        if task.name == "multilabel":
            assert targets is not None
            several: np.ndarray = (predicted == (targets > task.threshold)).all(axis=1)
            return several
        assert task.classes is not None and labels is not None
        one: np.ndarray = predicted == task.classes[labels]
        return one

    def scores_of_outputs(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        backend: str,
        n_threads: int | None,
    ) -> np.ndarray:
        """R^2 of each output of a regression, or D^2 of the pinball loss of a quantile."""
        targets, _, weights = self.true_targets(X, y, sample_weight)
        assert targets is not None
        return self._of_outputs(self.precise_outputs(X, backend, n_threads), targets, weights)

    def _of_outputs(
        self, predicted: np.ndarray, targets: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        rows = len(targets) if weights is None else int(np.count_nonzero(weights))
        warn_of_single_row(rows, self.task.judged_quantile)
        if (quantile := self.task.judged_quantile) is not None:
            return d2_of_outputs(targets, predicted, quantile, weights)
        w = np.ones((len(targets), 1)) if weights is None else weights
        if exponent := in_range(targets):
            with np.errstate(over="ignore"):
                targets, predicted = (np.ldexp(one, exponent) for one in (targets, predicted))
        mean = (w * targets).sum(axis=0) / w.sum()
        with np.errstate(over="ignore"):  # of predictions that are much larger
            residual = (w * (targets - predicted) ** 2).sum(axis=0)
        return r2_of_outputs(residual, (w * (targets - mean) ** 2).sum(axis=0))

    def true_targets(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> Truth:
        """Targets, class indices and weights of the rows that predictions are compared with."""
        return self.true_targets_of(self._count(X), y, sample_weight)

    def true_targets_of(self, rows: int, y: ArrayLike, sample_weight: ArrayLike | None) -> Truth:
        """The same of so many rows."""
        from cnn_core.data.prepare import make_targets
        from cnn_core.data.weights import make_weights

        check_target_names(y, self.target_names)
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


def in_range(targets: np.ndarray) -> int:
    """The power of two by which targets, and predictions, are multiplied before they are squared: 0
    but where squares of numbers of this size are beyond float64, or 0. R^2 depends on no factor."""
    exponent = int(np.frexp(np.abs(targets).max())[1])
    return 0 if -530 < exponent <= 400 else -exponent


def warn_of_single_row(rows: int, quantile: float | None) -> None:
    """Say that R^2 compares rows with their mean, or D^2 with their quantile, where there is only
    one."""
    if rows == 1:
        name, own = ("R^2", "mean") if quantile is None else ("D^2", "quantile")
        warn(
            f"{name} of a single row means nothing, as the row is its own {own}: it is 0 unless "
            "the prediction is exact; take two rows or more",
            RuntimeWarning,
        )
