"""What `MLP.evaluate` says of a model on some rows: scores, and the diagnosis with its likely
causes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from cnn_core._dataset import RowSource
from cnn_core.causes import data as of_data
from cnn_core.causes import network as of_network
from cnn_core.causes import training as of_training
from cnn_core.causes.amounts import confuses_neighbours
from cnn_core.causes.codes import code, code_of_targets, codes
from cnn_core.causes.curvature import explained
from cnn_core.causes.data import GROWING
from cnn_core.causes.judging import doubts
from cnn_core.causes.labels import of_labels
from cnn_core.causes.leaks import PERFECT, PERFECT_R2, leaks
from cnn_core.causes.matching import (
    SAME_UNITS,
    contradictions,
    multiple,
    other_targets,
    permuted_columns,
    permuted_labels,
)
from cnn_core.causes.outliers import ROBUST, outliers, without, words
from cnn_core.causes.seen import in_units
from cnn_core.causes.seen import learned as learned_scaling
from cnn_core.causes.skewed import skewed_targets
from cnn_core.causes.spread import needs_scaling
from cnn_core.data.prepare import Dataset
from cnn_core.data.target_scaling import scales_targets
from cnn_core.data.validation import plain, target_name, which_target
from cnn_core.diagnosis import (
    FEW_STEPS,
    GOOD,
    POOR,
    Evaluated,
    Trained,
    at_end,
    cure_of_linear,
    diagnose,
)
from cnn_core.meaning import outside_range, whole_numbers, words_of_amounts
from cnn_core.scores import RARE, average_precision, balanced_accuracy, has_rare_class

if TYPE_CHECKING:
    from cnn_core._typing import Evaluation
    from cnn_core.model import Model

FULL_BATCH = ("lbfgs", "rprop")  # whose steps are epochs by design
LEARNED, HIDES = 0.75, 0.5  # R^2 of one output, and by how much another is told to lie below it
SAMPLE = 300  # rows in which causes in the network are looked for
FEW_ROWS = 20  # to train on
SHOWS = 100  # rows of a call of partial_fit whose metric can be compared


class Settings(NamedTuple):
    """The parameters of MLP that evaluation looks at."""

    weighs_classes: bool
    scale_inputs: str | None  #: None: nothing, or 'auto' where it scales nothing
    scale_targets: str | None
    says_task: bool = False


def trained(model: Model, rows: int = SAMPLE) -> Trained:
    """What a model knows of its training, to be compared with so many other rows."""
    word = model.task.metric_name
    history = dict(model.history)
    diverged = model.ended == "divergence"
    steps = None
    spec, seen = model.training_spec, model.seen
    if model.state is not None and model.ended != "stopping" and spec.optimizer not in FULL_BATCH:
        # Of a stream whose optimizer has begun anew each call was a step at least.
        streamed = model.n_epochs if model.history.streamed else 0
        steps = max(int(model.state["steps"]), streamed) + seen.rehearsed
    recent = _recent(model, rows)
    uses = {"l2": spec.l2, "dropout": max(spec.dropout, default=0.0)}
    if seen.rules.early_stopping or model.ended == "stopping" or model.history.streamed:
        uses["early_stopping"] = 1.0  # to which partial_fit is deaf
    return Trained(
        history,
        model.baseline,
        model.best_entry,
        word,
        model.weighted,
        diverged,
        steps,
        seen.diverged if diverged else "",
        model.ended,
        spec.batch_size,
        {name: number for name, number in uses.items() if number},
        of_network.linear(model.network.activations),
        1 - len(seen.constant) / model.task.n_outputs,
        seen.rules.patience,
        *recent,
        seen.validation,
        seen.validated,
        _few_rows(model),
        recent[0] * seen.last if model.history.streamed else 0,
    )


def _few_rows(model: Model) -> str:
    """That the rows of the training were few, in a sentence; nothing where they were not."""
    seen, n = model.seen, model.n_features
    which = "" if n == 1 else f" of {n} features"
    if 0 < seen.rows < max(FEW_ROWS, n) and not model.history.streamed:
        return f"Only {seen.rows} row{'s' * (seen.rows > 1)}{which} were trained on."
    if seen.distinct > 0:
        return f"The {seen.rows} rows that were trained on are only {seen.distinct} different ones."
    return ""


def _recent(model: Model, rows: int) -> tuple[int, bool]:
    """How many of the last entries of the history are to be averaged, as each is of few rows, and
    whether their mean metric says anything: R^2 of few rows does not, nor beside an outlier that
    the loss is not ruled by."""
    last, streamed = model.seen.last, model.history.streamed
    robust = bool(model.seen.outlier) and model.task.loss in ROBUST
    if not (streamed and last):
        metrics = model.history.get("metric") or [0.0]  # NaN of a net from another library
        return 1, not (robust or np.isnan(metrics[-1]))
    entries = min(-(-min(max(rows, SHOWS), SAMPLE) // last), streamed)
    return entries, not robust if last >= SHOWS else model.task.name != "regression"


def evaluation(
    model: Model,
    data: Dataset,
    measured: tuple[float, float, list[float]],
    outputs: Callable[[], np.ndarray],
    backend: Any,
    settings: Settings,
    given: Callable[[], np.ndarray],
    given_y: Callable[[], np.ndarray],
) -> Evaluation:
    """Scores and diagnosis.

    Parameters
    ----------
    model : Model
    data : Dataset
    measured : (float, float, list of float)
        Loss, metric, and R^2 of each output of a regression.
    outputs : callable
        Computes a^L of the rows; called where a class is rare.
    backend : object of `training.backends`
    settings : Settings
    given : callable
        The rows of X as the user gave them.
    given_y : callable
        The same of the targets of a regression.

    Returns
    -------
    dict
    """
    loss, metric, of_outputs = measured
    task, seen = model.task, model.seen
    regression = task.name == "regression"
    found: dict[str, Any] = {"loss": loss, task.metric_key: metric}
    if regression and task.n_outputs > 1:
        found[f"{task.metric_key}_per_output"] = of_outputs
    baseline = data.baseline_score(task)
    rare, evaluated = "", Evaluated(loss, metric, data.X.count, baseline)
    if not regression:
        scores, rare, n_classes = class_scores(model, data, outputs, settings.weighs_classes)
        found |= scores
        balanced = scores.get("balanced_accuracy")
        evaluated = evaluated._replace(balanced=balanced, n_classes=n_classes)
    amounts = "" if settings.says_task else _of_amounts(model, data, outputs, metric)
    learns = settings.scale_inputs is not None or settings.scale_targets is not None
    if model.first_rows is not None and learns:
        found["diagnosis"] = of_data.first_rows_words(len(model.first_rows.X))
        return cast("Evaluation", found)
    doubtful = list(doubts(model, data))
    notes = [*doubtful, *([rare] if rare and not amounts else [])]
    past = trained(model, data.X.count)
    # A stream may have begun with one class.
    past = past if past.baseline < 1 else past._replace(baseline=baseline)
    if task.metric_name == "R2" and task.n_outputs > 1 and metric < GOOD:
        varying, said = _of_outputs(model, data, outputs())
        evaluated, notes = evaluated._replace(varying=varying), [*said, *notes]
    metrics = Metrics(metric, at_end(past)[1], past.baseline)
    if seen.outlier and (metrics.reached is None or metrics.reached < metric - POOR):
        notes.insert(0, seen.outlier)  # R^2 in training says little
    notes += _leaks(model, data, metric)

    def find_causes(general: bool) -> list[str]:
        traced = backend.trace(model, sample(data))
        raw = model.without_categories(data.X.array if model.scaling is None else given())
        here, away = list(codes(raw, model.input_names)), []
        if general or not here:
            away = list(_of_features_elsewhere(model, data, settings, general))
        # Of rows that lie elsewhere the outputs say nothing.
        known = metrics._replace(reached=None) if away else metrics
        about_y = list(of_other_rows(model, data, traced.layers[-1].a, known))
        if general and data.y is not None and regression and not (about_y or seen.outlier):
            about_y += _of_targets(model, data.y.array, settings, given_y)
        some = [amounts] if amounts else []
        some += [*of_training.absent(model), *here, *away, *_of_training(model), *about_y]
        if general:
            some += _causes(model, data, traced, settings, metric, bool(away))
            if not some:
                some += _curved(model, data, outputs, past)
        return [one for one in dict.fromkeys(some) if one not in notes]

    evaluated = evaluated._replace(says_little=bool(doubtful))
    with np.errstate(all="ignore"):
        found["diagnosis"] = diagnose(past, evaluated, find_causes, notes)
    return cast("Evaluation", found)


def _leaks(model: Model, data: Dataset, metric: float) -> Iterator[str]:
    """A feature that alone gives y, where nothing is missed."""
    y, least = (data.y, PERFECT_R2) if data.labels is None else (data.labels, PERFECT)
    if metric >= least and y is not None and y.array.shape[1] == 1:
        X = model.without_categories(data.X.array)
        yield from leaks(X, y.array, model.input_names, data.labels is not None)


def _curved(
    model: Model, data: Dataset, outputs: Callable[[], np.ndarray], past: Trained
) -> Iterator[str]:
    """That a linear network leaves what squares and products of the features show."""
    linear = past.linear
    if not linear or (past.steps is not None and past.steps < FEW_STEPS):
        return
    a = outputs()
    if data.y is not None:
        y = data.y.rows()
    else:
        assert data.labels is not None
        labels, n = data.labels.array[:, 0], model.task.n_outputs
        y = np.eye(n)[labels] if n > 1 else labels[:, None] * 1.0
    share = explained(model.without_categories(data.X.rows()), y - a)
    if share:
        yield (
            f"The network is linear in x, as {linear}, and squares and products of the features "
            f"explain {share:.0%} of what it leaves of y: {cure_of_linear(linear)}."
        )


def _of_amounts(
    model: Model, data: Dataset, outputs: Callable[[], np.ndarray], metric: float
) -> str:
    """That classes may be numbers to predict, where their numbers say so or what is confused."""
    classes = model.task.classes
    if classes is None or metric >= GOOD or not whole_numbers(classes):
        return ""
    words = words_of_amounts(classes, model.seen.rows)
    words = f"{words[0].upper()}{words[1:]}."
    if words in model.seen.begin:
        return words
    if data.labels is None or not confuses_neighbours(
        data.labels.array[:, 0], _classes_of(model, outputs())
    ):
        return ""
    return (
        f"y holds {len(classes)} whole numbers as classes, and errors go to neighbours: if these "
        "are numbers to predict, say task='regression', if classes, task='classification'."
    )


def _of_training(model: Model) -> Iterator[str]:
    """What was wrong before the first step, and with the order of a stream, which the metric of
    training does not show."""
    yield from model.seen.begin
    if model.seen.outlier:
        yield model.seen.outlier
    if model.seen.changed:
        yield f"In the stream {model.seen.changed}."
    if model.stream == ():
        yield of_data.STREAMED_BY_CLASS


def _of_outputs(model: Model, data: Dataset, a: np.ndarray) -> tuple[float | None, list[str]]:
    """R^2 of the outputs whose y varies, and which outputs the mean hides."""
    assert data.y is not None
    names = model.seen.targets
    y = in_units(model.target_scaling, data.y.rows())
    total = np.square(y - y.mean(axis=0)).sum(axis=0)
    varies = y.min(axis=0) < y.max(axis=0)
    if not varies.any():
        return None, []
    with np.errstate(all="ignore"):  # of a training that has diverged
        r2 = 1 - np.square(y - a).sum(axis=0) / np.where(varies, total, 1)
    mean, n, words = float(r2[varies].mean()), len(varies), []
    if not varies.all():
        i = int(varies.argmin())
        words.append(
            f"{which_target(i, n, names, True)} is the same in all these rows and counts 0 in R2, "
            f"the mean over {n} columns, unless it is met exactly: without such columns R2 is "
            f"{mean:.4g}."
        )
    worst = int(np.where(varies, r2, np.inf).argmin())
    best = int(np.where(varies, r2, -np.inf).argmax())
    if r2[best] > LEARNED and r2[worst] < r2[best] - HIDES:
        words.append(
            f"R2, a mean, is {r2[worst]:.4g} for {which_target(worst, n, names)} and "
            f"{r2[best]:.4g} for column {target_name(best, names)}."
        )
    return mean, words


class Metrics(NamedTuple):
    """Accuracy or R^2."""

    here: float
    reached: float | None  #: in training; None where it is not known
    baseline: float

    @property
    def learned(self) -> bool:
        """Whether the model has learned something."""
        least = self.baseline + POOR * (1 - self.baseline)
        return self.reached is not None and self.reached > least

    @property
    def falls(self) -> bool:
        """Whether much of it is lost on these rows."""
        return self.reached is not None and self.reached - self.here > POOR


def of_other_rows(
    model: Model, data: Dataset, a: np.ndarray, metrics: Metrics, whose: str = ""
) -> Iterator[str]:
    """Targets that do not belong to what the model has learned.

    Parameters
    ----------
    model : Model
    data : Dataset
    a : ndarray, shape (rows of `sample`, n_outputs) or more
        Outputs, as the network gives them; of several a target, the first are those of `predict`.
    metrics : Metrics
    whose : str
        Which rows these are, such as 'the validation data'.

    Yields
    ------
    str
    """
    task, some = model.task, sample(data)
    if task.metric_name == "D2":
        return  # an outer quantile is beside y by design
    if task.name == "regression":
        yield from _of_other_targets(model, data, a, metrics, whose)
    elif task.name == "multilabel":
        assert some.y is not None
        if metrics.learned:
            yield from permuted_columns(some.y.array, a, whose, model.seen.targets)
    elif metrics.learned:
        assert some.labels is not None and task.classes is not None
        predicted = _classes_of(model, a)
        yield from permuted_labels(
            some.labels.array[:, 0], predicted, task.classes, metrics.reached or 1.0, whose
        )


def _of_other_targets(
    model: Model, data: Dataset, a: np.ndarray, metrics: Metrics, whose: str
) -> Iterator[str]:
    """The same for numbers to predict."""
    seen, scaling, some = model.seen, model.target_scaling, sample(data)
    assert data.y is not None and some.y is not None
    every, y = (in_units(scaling, rows) for rows in (data.y.rows(), some.y.array))
    missing = code(every)
    if missing is not None:
        yield code_of_targets(missing, every.shape[1], "these rows", seen.targets)
        return
    far = outliers(every)
    if far:
        worst = max(far, key=lambda one: one.share)
        yield words(worst, every.shape[1], model.task.loss, "these rows", seen.targets)
    kept = without(far, y)
    y, predicted = y[kept], in_units(scaling, a[:, : y.shape[1]])[kept]
    names, found = seen.targets, []
    if metrics.learned:
        found = list(permuted_columns(y, predicted, whose, names))
    if not found and seen.y is not None and seen.rows >= of_data.ENOUGH:
        related = None
        if metrics.learned and metrics.falls:
            assert metrics.reached is not None
            related = multiple(y, predicted, metrics.reached)
        every = every[without(far, every)]
        name, rows = (f"y of {whose}", "") if whose else ("y", " in these rows")
        said = name, rows, SAME_UNITS
        found += other_targets(seen.y, every, related, said=said, names=names)
    yield from found


def _of_targets(
    model: Model, y: np.ndarray, settings: Settings, given_y: Callable[[], np.ndarray]
) -> Iterator[str]:
    """Targets that the network learns badly; `y` as it learns them."""
    task, scaling, names = model.task, model.target_scaling, model.seen.targets
    if scales_targets(task):
        if settings.scale_targets is None and not (scaling is not None and scaling.scales):
            yield from of_data.targets(y, names=names)
    elif task.output in GROWING:
        cure = of_data.cure_of_growing(task.loss)
        if not any(cure in one for one in model.seen.begin):
            yield from of_data.targets(y, cure, names)
    skewed = skewed_targets(given_y(), names) if scales_targets(task) else ""
    if skewed:
        yield skewed[0].upper() + skewed[1:] if skewed.startswith("column") else skewed
    elif task.loss == "mse":
        yield from of_data.wild_targets(y, names)
    if not scales_targets(task):
        yield from (f"{text}." for text in outside_range(task, y))


def _of_features_elsewhere(
    model: Model, data: Dataset, settings: Settings, general: bool
) -> Iterator[str]:
    """Features that lie elsewhere than in training."""
    scaled, seen = learned_scaling(model.scaling), model.seen
    X, names = model.without_categories(data.X.array), model.input_names
    there = of_data.sample_of_stream(model)
    if there is not None:
        yield from of_data.beside_stream(X, names, there)
        return
    # Where 'auto' has left features unscaled and training went well, they were alike.
    alike = settings.scale_inputs == "auto" and not general
    if scaled or alike or seen.X is not None:
        few = seen.X if seen.rows >= of_data.ENOUGH else None
        each = None if model.history.streamed else seen.known(model.scaling, model.columns)
        limits = of_data.Limits(each=each)
        yield from of_data.elsewhere(X, names, scaled, few, alike, limits)


def _classes_of(model: Model, a: np.ndarray) -> np.ndarray:
    """The class index that outputs mean."""
    if a.shape[1] == 1:
        return (a[:, 0] > model.task.threshold).astype(np.intp)
    most: np.ndarray = a.argmax(axis=1)
    return most


def class_scores(
    model: Model, data: Dataset, outputs: Callable[[], np.ndarray], wanted: bool
) -> tuple[dict[str, Any], str, int]:
    """Balanced accuracy and average precision where accuracy says little, a sentence about it, and
    the number of classes that there are."""
    task = model.task
    if data.labels is None:
        return _label_scores(model, data, outputs)
    labels = data.labels.array[:, 0]
    counts = np.bincount(labels, minlength=task.n_classes)
    there = np.flatnonzero(counts)
    rarest = int(there[counts[there].argmin()])
    is_rare = has_rare_class(counts)
    if len(there) < 2 or not (is_rare or wanted):
        return {}, "", len(there)
    a = outputs()
    predicted = _classes_of(model, a)
    asked = [rarest] if task.n_classes == 2 else there.tolist()
    scores = {
        "balanced_accuracy": balanced_accuracy(labels, predicted),
        "average_precision": float(
            np.mean([average_precision(labels == k, _score_of(a, k)) for k in asked])
        ),
    }
    chance = float(counts[asked].mean() / len(labels))
    words = _of_rare_class(model, labels, predicted, scores, chance) if is_rare else ""
    return scores, words, len(there)


def _score_of(a: np.ndarray, k: int) -> np.ndarray:
    """How much the outputs speak for a class."""
    if a.shape[1] == 1:
        return a[:, 0] if k else -a[:, 0]
    of_class: np.ndarray = a[:, k]
    return of_class


def _of_rare_class(
    model: Model,
    labels: np.ndarray,
    predicted: np.ndarray,
    scores: dict[str, float],
    chance: float,
) -> str:
    """What accuracy hides; `chance` is the average precision of a prediction by lot."""
    classes, counts = model.task.classes, np.bincount(labels)
    assert classes is not None
    there = np.flatnonzero(counts)
    rarest = int(there[counts[there].argmin()])
    common, name = plain(classes[counts.argmax()]), plain(classes[rarest])
    taken = predicted == rarest
    hits = int(taken[labels == rarest].sum())
    flagged = ""
    if taken.any():
        share = hits / int(taken.sum())
        flagged = f", among {taken.sum()} that are taken for it (precision {share:.3g})"
        if len(classes) == 2:
            score = "predict_proba" if model.task.output in ("sigmoid", "softmax") else "forward"
            flagged += f"; a threshold on {score} trades one for the other"
    return (
        f"Only {counts[rarest]} of these {len(labels)} rows are of class {name!r}; "
        f"{hits or 'none'} of them {'is' if hits == 1 else 'are'} found{flagged}. As {common!r} "
        f"for every row has accuracy {counts.max() / len(labels):.4g}, judge by balanced_accuracy "
        f"({scores['balanced_accuracy']:.3g}; chance {1 / len(there):.3g}) and average_precision "
        f"({scores['average_precision']:.3g}; chance {chance:.2g})."
    )


def _label_scores(
    model: Model, data: Dataset, outputs: Callable[[], np.ndarray]
) -> tuple[dict[str, Any], str, int]:
    """Accuracy of each of several labels a row, average precision where one is rare, the mean over
    the labels, and sentences about those that the accuracy of rows hides."""
    assert data.y is not None
    yes, a = data.y.array > model.task.threshold, outputs()
    with np.errstate(invalid="ignore"):  # of a training that has diverged
        right = ((a > model.task.threshold) == yes).mean(axis=0)
    scores: dict[str, Any] = {"accuracy_per_label": right.tolist()}
    shares = yes.mean(axis=0)
    there = np.flatnonzero(shares)
    if len(there) and shares[there].min() < RARE:
        scores["average_precision"] = float(
            np.mean([average_precision(yes[:, k], a[:, k]) for k in there])
        )
    words = " ".join(of_labels(yes, a, model.task.threshold)) if np.isfinite(a).all() else ""
    return scores, words, 2  # there is no one number of classes


def _causes(
    model: Model, data: Dataset, traced: Any, settings: Settings, metric: float, elsewhere: bool
) -> Iterator[str]:
    """The other causes, those first that keep a network most from learning; of features not where
    they lie `elsewhere` than in training."""
    spec, X = model.training_spec, data.X.array
    scaled = model.scaling is not None
    # Whether scaling is missing the training rows decide, as other ones may lie elsewhere.
    moments = model.seen.X
    missed = scaled or moments is None or needs_scaling(moments)
    of_features: list[str] = []
    if missed and not (elsewhere or of_data.CONSTANT in model.seen.begin):
        # Of a memory map or a stream 'auto' may have left them unscaled.
        cure = "robust_asinh" if settings.scale_inputs == "auto" else "auto"
        curve = None if model.scaling is None else model.scaling.curve
        numbers = model.without_categories(X)
        cure = f"scale_inputs={cure!r}"
        of_features += of_data.features(numbers, model.input_names, curve, cure)
    coarse, dead = bool(of_features) and not scaled, of_network.has_dead_layer(traced.layers)
    signs = of_training.Signs(dead, of_training.chance(model.task), coarse)
    rate = [*of_training.rate(spec, dict(model.history), model.network.n_layers, signs)]
    # An optimizer that divides by the size of the gradient learns from unscaled features too,
    # with its own rate; sgd does not with any that is usual.
    before = not signs.coarse or spec.optimizer != "sgd"
    yield from (*rate, *of_features) if before else (*of_features, *rate)
    known = data.y if data.labels is None else data.labels
    assert known is not None
    yield from contradictions(X, known.array, data.labels is not None, metric)
    yield from of_training.stopped(
        model.ended, dict(model.history), model.seen.rules, model.monitor
    )
    yield from of_training.penalties(spec)
    rows = X[:: -(-len(X) // SAMPLE)]
    same_rows = bool((rows == rows[0]).all())
    asked = scaled or settings.scale_inputs is not None
    clips = bool(spec.clip_norm)
    yield from of_network.causes(model.network, traced.layers, same_rows, asked, clips)


def sample(data: Dataset) -> Dataset:
    """Some rows, evenly spread."""
    step = -(-data.X.count // SAMPLE)
    X, y, labels = (
        None if part is None else RowSource(np.ascontiguousarray(part.rows()[::step]))
        for part in (data.X, data.y, data.labels)
    )
    assert X is not None
    return Dataset(X, y, labels)
