"""What estimators have that predict the mean of several fitted MLPs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Never, cast

import numpy as np

from cnn_core._foreign_attributes import OnlyOfNetworks
from cnn_core._frozen import replace
from cnn_core._names import refuse_keywords, without_unknown
from cnn_core._warn import kept_warnings
from cnn_core.exceptions import not_fitted
from cnn_core.explainable import Explainable
from cnn_core.exportable import ExportableC
from cnn_core.files.saved import Saved
from cnn_core.intervals import Intervals
from cnn_core.mean import MeanModel
from cnn_core.model_checks import check_calibration
from cnn_core.notebook import InNotebooks
from cnn_core.plottable import Plottable
from cnn_core.predictions import Predictions

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core._typing import Evaluation
    from cnn_core.conformal import Calibration
    from cnn_core.data.prepare import Dataset
    from cnn_core.explanations.explained import Explained
    from cnn_core.inspection import Summary
    from cnn_core.mlp import MLP
    from cnn_core.model import Model

FIRST = "Of the first model by itself"
#: What is better at columns that a network of this kind learns badly.
CURE = (
    "Trees such as HistGradientBoosting are better at y that jumps with a column; or MLP with "
    "numeric_embedding=PeriodicEmbedding(scale=1)."
)


class Averaging(
    Predictions,
    Intervals,
    Explainable,
    ExportableC,
    Plottable,
    InNotebooks,
    Saved,
    OnlyOfNetworks,
):
    """Predictions, intervals, explanations, scores, a summary and exports of a `MeanModel`."""

    backend = "native"
    _fitted: MeanModel | None = None

    def _model(self) -> MeanModel:
        model = self._fitted
        if model is None:
            raise not_fitted(f"this {type(self).__name__} is not fitted yet; call fit first")
        return model

    def _take_calibration(self, found: Calibration | None) -> None:
        """Take what a file or a pickle has of the mean's calibration."""
        if found is not None:
            check_calibration(found, self._model().task)
            self._fitted = replace(self._model(), calibration=found)

    def _explained(self) -> Explained:
        return self._model().explained

    def _first(self) -> MLP:
        """The first of the fitted MLPs."""
        raise NotImplementedError

    def _check_of(self, of: Any) -> None:
        n = len(self._model().models)
        if n > 1 and isinstance(of, str) and of == "z":
            raise ValueError(
                f"of='z' is of one network, and this is the mean of the outputs of {n}, which has "
                f"no z: {self._networks}[k].input_gradient(X, of='z') is that of one of them"
            )

    @without_unknown
    def evaluate(self, X: ArrayLike, y: ArrayLike, **unknown: Never) -> Evaluation:
        """Loss and metric of the mean on some rows, beside those of the single models.

        Parameters
        ----------
        X : array-like, shape (rows, features)
        y : array-like, shape (rows,) or (rows, outputs)

        Returns
        -------
        dict
            ``loss``, of targets as the first model learns them; ``accuracy`` or ``r2``, of several
            outputs also a list, ``accuracy_per_label`` or ``r2_per_output`` (of a quantile
            ``d2_pinball`` and ``d2_pinball_per_output``, see `score`); ``diagnosis``, which
            says how good each model is by itself and, where the mean is hardly better than a
            constant prediction, the likely causes for the first of them. Where a class is rare
            (below a tenth of the rows), also ``balanced_accuracy``, and ``average_precision`` of
            the rarer of two classes, or the mean over more.
        """
        if unknown:
            refuse_keywords("evaluate", unknown, ("X", "y"))
        mean = self._model()
        found = _evaluation(mean, X, y, self.n_threads, lambda: self._first().evaluate(X, y))
        found["diagnosis"] += self._settings_in(found["diagnosis"])
        return found

    def _settings_in(self, words: str) -> str:
        """Where the settings are that a diagnosis advises to change, if this estimator has none of
        them."""
        return ""

    def summary(self) -> Summary:
        """The models, one a line, with their layers and why their training ended.

        Returns
        -------
        Summary
            A text, which an interactive session shows and `print` prints.
        """
        from cnn_core.inspection.summary import Summary, columns_in_words, model_rows

        model, lines = self._model(), list[str]()
        total = sum(one.network.parameters.nbytes for one in model.models)
        n = len(model.models)
        lines.append(f"the mean of {n} model{'s' * (n > 1)}, {total:,} bytes of parameters")
        if model.columns is not None:
            lines.append(columns_in_words(model.columns))
        return Summary.of(model_rows(model), (1, 5), lines)


def _evaluation(
    mean: MeanModel,
    X: Any,
    y: Any,
    n_threads: int | None,
    evaluate_first: Callable[[], Evaluation],
) -> Evaluation:
    """See `Averaging.evaluate`."""
    from cnn_core.data.prepare import Preparation, make_dataset
    from cnn_core.diagnosis import progress
    from cnn_core.evaluation import class_scores

    task, first = mean.task, mean.first
    X, y = mean.split(X, y)
    score = mean.score(X, y, None, "native", n_threads)
    a = mean.precise_outputs(X, "native", n_threads)
    found: dict[str, Any] = {}
    data = make_dataset(task, np.zeros((len(a), 1)), y, Preparation("float64"))
    learned = data.learning(first.target_scaling, "float64")
    cost = (
        _cost_of_heads(mean, X, learned, n_threads)
        if task.heads > 1
        else _cost(mean, _learned(first, a), learned)
    )
    if cost is not None:
        found["loss"] = cost
    notes = []
    best, balanced, n_classes = score, None, 2
    if task.name == "regression":
        name = task.metric_key
        found[name] = score
        if task.n_outputs > 1:
            each_output = mean.scores_of_outputs(X, y, None, "native", n_threads)
            found[f"{name}_per_output"] = each_output.tolist()
            best = float(each_output.max())
    else:
        found["accuracy"] = score
        scores, rare, n_classes = class_scores(first, data, lambda: a, False)
        found |= scores
        balanced = scores.get("balanced_accuracy")
        notes += [rare] if rare else []
    each = [one.score(X, y, None, "native", n_threads) for one in mean.models]
    words = [_scores_in_words(task.metric_name, score, each)]
    reached = progress(best, data.baseline_score(task))
    if balanced is not None:
        reached = max(reached, progress(balanced, 1 / n_classes))
    if (judgement := _judgement(first, data, reached)) is not None:
        said = _causes(evaluate_first, len(each), _several_vary(first, X))
        words = [*judgement, *words, *said]
    found["diagnosis"] = " ".join(words + [one for one in notes if one not in " ".join(words)])
    return cast("Evaluation", found)


def _judgement(first: Model, data: Dataset, reached: float) -> list[str] | None:
    """What is said first of a mean that has come so far from a constant prediction, 0, to the best,
    1; None where its causes need not be looked for."""
    from cnn_core.causes.judging import doubts
    from cnn_core.diagnosis import LITTLE, POOR, at_end, progress
    from cnn_core.evaluation import trained

    baseline, useless = data.baseline_score(first.task), not reached >= POOR  # NaN too
    # Less than half of the way, and much less than in training.
    in_training = progress(at_end(trained(first))[1] or 0.0, baseline)
    falls = reached < LITTLE and in_training - reached > POOR
    if not (useless or falls) or next(doubts(first, data), ""):
        return None
    said = f"Hardly better than a constant prediction, which reaches {baseline:.4g}."
    return [said] if useless else []


def _scores_in_words(word: str, score: float, each: list[float]) -> str:
    """The metric of the mean, and those of the models."""
    if len(each) == 1:
        return f"The mean of 1 model: {word} {score:.4g}."
    low, high = f"{min(each):.4g}", f"{max(each):.4g}"
    alone = low if low == high else f"{low} to {high}"
    return f"The mean of {len(each)} models: {word} {score:.4g}; each by itself has {alone}."


def _causes(
    evaluate_first: Callable[[], Evaluation], n_models: int, several_vary: bool
) -> list[str]:
    """What the first model's own diagnosis is, and what is better at such rows."""
    with kept_warnings():  # the mean has warned of these rows
        said = evaluate_first()["diagnosis"].removesuffix(".")
    said = f"{said[0].upper()}{said[1:]}." if n_models == 1 else f"{FIRST}: {said}."
    return [said, *([CURE] if several_vary else [])]


def _several_vary(model: Model, X: Any) -> bool:
    """Whether more than one feature of these rows varies."""
    rows = model.check_X(X)
    return int((rows != rows[0]).any(axis=0).sum()) > 1


def _learned(first: Model, a: np.ndarray) -> np.ndarray:
    """Outputs in the units in which the first model learns them."""
    scaling = first.target_scaling
    return a if scaling is None else scaling.apply(a, np.float64)


def _cost_of_heads(mean: MeanModel, X: Any, data: Dataset, n_threads: int | None) -> float:
    """The mean cost of quantiles, or of mean and variance."""
    from cnn_core import distributions

    assert data.y is not None
    first, y = mean.first, data.y.array
    if mean.task.quantiles:
        q = mean.quantiles(X, "native", n_threads)
        learned = _learned(first, q.transpose(0, 2, 1)).transpose(0, 2, 1)
        return float(distributions.quantile_costs(learned, y, mean.task.quantiles).mean())
    m, v = mean.mean_and_variance(X, "native", n_threads)
    if first.target_scaling is not None:
        v = v / (first.target_scaling.factor * first.target_scaling.factor)
    return float(distributions.normal_costs(_learned(first, m), v, y).mean())


def _cost(mean: MeanModel, a: np.ndarray, data: Any) -> float | None:
    """The mean cost C(y, a) of outputs; None for the perceptron's, which depends on z."""
    from cnn_core._costs import loss_from_a

    task = mean.task
    if task.loss == "perceptron":
        return None
    y = data.labels.array[:, 0] if data.y is None else data.y.array
    if task.name != "regression":
        a = np.clip(a, 0 if task.output != "identity" else -math.inf, math.inf)
    return float(loss_from_a(task.loss, a, y, task.loss_param)[0].mean())
