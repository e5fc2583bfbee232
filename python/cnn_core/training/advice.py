"""What users are told of a training: before its first step, and when it has diverged."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core._settable import settable
from cnn_core.causes import data as of_data
from cnn_core.causes.begin import (
    constant_targets,
    few_rows,
    initial_weights,
    smoothed,
    uneven,
    unweighted,
)
from cnn_core.causes.data import GROWING
from cnn_core.causes.matching import LOOKED_AT, contradictions, other_targets
from cnn_core.causes.network import alike
from cnn_core.causes.outliers import outliers, without
from cnn_core.causes.seen import (
    Rules,
    Seen,
    ends_of,
    in_units,
    learned,
    marks_of_some,
    rows_seen,
)
from cnn_core.causes.training import Diverged, divergence
from cnn_core.data.following import FALSE
from cnn_core.data.prepare import Dataset, Prepared
from cnn_core.data.stream import BLOCK, QUIET, unlike
from cnn_core.data.target_scaling import SCALED_LOSSES, scales_targets
from cnn_core.data.validation import as_numbers, which_target
from cnn_core.diagnosis import GOOD
from cnn_core.initializers import INITIALIZERS, Initializer, Zeros, reads_rows
from cnn_core.meaning import ROWS_A_CLASS, are_amounts, whole_numbers, words_of_amounts
from cnn_core.task import Task
from cnn_core.training.target_advice import of_first_targets, of_later_targets
from cnn_core.training.validating import away, of_validation, some
from cnn_core.training.validating import unlike as unlike_training

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core._dataset import RowSource
    from cnn_core.causes.data import Run
    from cnn_core.data.scaling import Scaling
    from cnn_core.data.stream import StreamRows
    from cnn_core.model import Model
    from cnn_core.training.fit import Job
    from cnn_core.training.loop import TrainingLoop

ELSEWHERE = "lie elsewhere than before in the stream"
SLACK = 2.0  # ranges by which the targets of a training that goes on may lie away
FEW = 64  # rows that are looked at together
#: Epochs and rows from which a fit takes so long that its rows can be compared with each other.
LONG, MANY = 5, 100


class Given(NamedTuple):
    """What a training is asked for beside its parameters."""

    y: ArrayLike  #: as the user gave it
    purpose: str  #: as `fit.begin` takes it
    batch_size: int
    validates: bool  #: whether the user has given the validation rows
    first: bool  #: whether these are the rows of a fit, or of a stream the first that are enough
    anew: bool  #: whether these rows of a stream have been trained on, each in a call before


def before_training(
    p: SimpleNamespace, model: Model, data: Prepared, given: Given
) -> tuple[list[str], Seen]:
    """What is known of a training before it begins.

    Parameters
    ----------
    p : namespace
        The parameters of MLP, from `check_parameters`.
    model : Model
        Before its next step.
    data : Prepared
    given : Given

    Returns
    -------
    findings : list of str
        What keeps it from learning.
    seen : Seen
        What later advice is to know.
    """
    fits, streams = given.purpose == "fit", given.purpose == "partial_fit"
    if not (fits or streams):
        return [], Seen()
    train, past, begins = data.train, model.seen, fits or not model.n_epochs
    findings: list[str] = []
    begin: list[str] = []
    ends = ends_of(train, data.target_scaling) if model.task.name == "regression" else None
    outlier = pending = ""
    if ends is not None:
        if begins:
            _check_size(ends, data, given.y, p.dtype_name)
        arguments = model.task, data, given.y, ends
        found = of_first_targets(*arguments) if given.first else of_later_targets(*arguments, past)
        findings, begin, outlier, pending = list(found.told), *found[1:]
        if begins and fits:
            findings = _of_constant_targets(given.y, train.X.count) + findings
    seen = rows_seen(past if streams else None, train, model.task, ends)
    if seen.X is not None and seen.quartiles is not None:
        X, quartiles = map(model.without_categories, (seen.X, seen.quartiles))
        seen = seen._replace(X=X, quartiles=quartiles)
    early = bool(p.early_stopping) and fits
    rules = Rules(early, float(p.min_delta), p.tol, min(int(p.patience), sys.maxsize))
    seen = seen._replace(rules=rules, outlier=outlier, pending=pending, targets=data.target_names)
    if streams:
        seen = seen._replace(changed=past.changed, rehearsed=past.rehearsed)
    if streams and model.history.kept and not past.rows:  # a model of an older version
        seen = seen._replace(absent=())
    if model.n_epochs and (fits or model.stream_rows is None):
        findings += _of_other_rows(model, data, _anew(given.purpose))
    if not (begins or given.anew):
        return findings, seen._replace(begin=_begin_of_stream(past.begin, data))
    if fits and p.task == "auto" and not model.n_epochs:
        told, words = _of_amounts(model.task, train)
        findings, begin = findings + told, begin + words
    for part in (_of_beginning(p, model, data), _before_first_step(p, model, data, given)):
        findings, begin = findings + ([] if given.anew else part[0]), part[1] + begin
    if fits and of_data.CONSTANT in begin:
        findings.append(_as_finding(of_data.CONSTANT))
    if data.validation is not None:
        chosen = marks_of_some(data.validation, model.task) if early else ()
        seen = seen._replace(validated=data.validation.X.count, chosen=chosen)
        findings += of_validation(model.task, data.validation, early)
        if given.validates:
            seen = seen._replace(validation=tuple(unlike_training(model, data, seen)))
            findings += seen.validation
    return findings, seen._replace(begin=tuple(begin))


def _of_constant_targets(y: ArrayLike, rows: int) -> list[str]:
    """Numbers to predict that are the same in every row, also before they are rounded; of a single
    row that is no news."""
    if rows < 2:
        return []
    targets = as_numbers("y", y).reshape(len(np.asarray(y)), -1)
    found = list(constant_targets(targets.min(axis=0), targets.max(axis=0)))
    return list(map(_as_finding, found))


def _as_finding(sentence: str) -> str:
    """A sentence as a part of what a warning lists."""
    return f"{sentence[0].lower()}{sentence[1:].rstrip('.')}"


def _check_size(ends: np.ndarray, data: Prepared, y: ArrayLike, dtype: str) -> None:
    """Raise for targets that are not scaled and so small that they are 0 in the model's dtype."""
    largest = float(np.abs(ends).max())
    scaled = data.target_scaling is not None and data.target_scaling.scales
    if scaled or largest >= float(np.finfo(dtype).tiny):
        return
    largest = float(np.abs(as_numbers("y", y)).max())
    if largest > 0:
        raise ValueError(
            f"y has no number larger than {largest:.3g}, which training in {dtype} takes for 0; "
            "scale_targets='auto' scales it, or multiply it by a number"
        )


def of_stream(job: Job, findings: list[str]) -> Job:
    """A job of partial_fit with what its rows show beside those before; what is to be said of it
    goes to `findings`."""
    rows, seen, before = job.rows, job.seen, len(findings)
    rows = of_last_rows(job.model, rows, findings)
    if findings[before:]:
        said = findings[before].replace(" in the stream", "", 1)
        seen = seen._replace(changed=said.replace("These rows lie", "rows lay", 1))
    stream = in_stream(job.model.stream, job.train, findings)
    return job._replace(rows=rows, stream=stream, seen=seen)


def of_last_rows(model: Model, rows: StreamRows | None, findings: list[str]) -> StreamRows | None:
    """The rows of a stream after those since the last comparison are compared with those before, if
    they are enough; what is to be said of them goes to `findings`."""
    if rows is None or rows.since < BLOCK:
        return rows
    if len(rows.kept):
        n, regression = model.n_features, model.task.name == "regression"
        found = [one for one in unlike(rows) if one[0] < n or regression]  # the others are classes
        for i, _ in found:
            rows = rows.silent(i)
        if found:
            i, clause = found[0]
            if i < n:
                column = of_data.named(i, model.input_names)
                said = f"These rows {ELSEWHERE}, as {column} of X tells"
            else:
                which = which_target(i - n, model.task.n_outputs, model.seen.targets)
                said = f"{which} {ELSEWHERE.replace('lie', 'lies', 1)}"
            more = len(found) - 1
            others = f", and so {'do' if more > 1 else 'does'} {more} more" if more else ""
            findings.append(f"{said}{others}: {clause}; take the same units, or fit anew")
        else:
            rows = _of_false_numbers(model, rows, findings)
    return rows.settled()


def _of_false_numbers(model: Model, rows: StreamRows, findings: list[str]) -> StreamRows:
    """The rows of a stream, of whose last ones a column of X may have a number far from all
    others; what is to be said of it goes to `findings`."""
    n, before = model.n_features, len(rows.kept)
    X = np.ascontiguousarray(rows.sample()[:, :n])
    for one in outliers(X, few=FALSE):
        i, x = one.column, X[before:, one.column]
        many = int(((x < one.low) | (x > one.high)).sum())
        if many and rows.marks[QUIET, i] <= rows.total:
            findings.append(
                f"{of_data.named(i, model.input_names)} of X is {one.number:.4g} in {many} of the "
                f"last {rows.held} rows in the stream, far from the others ({one.low:.4g} to "
                f"{one.high:.4g}): leave such rows out, as a step on one may spoil the network"
            )
            return rows.silent(i)
    return rows


def _of_other_rows(model: Model, data: Prepared, fresh: str) -> Iterator[str]:
    """Rows that lie elsewhere than those of the training that goes on: scaling stays its own."""
    cure = f"take the same units, or {fresh}"
    seen, scaled = model.seen, learned(model.scaling)
    limits = of_data.Limits(away(model.scaling), of_data.NARROW_IN_STREAM, np.inf)
    said = f"{of_data.ELSEWHERE}, as", cure
    few = seen.X if seen.rows >= of_data.ENOUGH else None
    yield from of_data.elsewhere(
        model.without_categories(some(data.train.X)),
        model.input_names,
        scaled,
        few,
        False,
        limits,
        said,
    )
    if seen.y is not None and seen.rows >= of_data.ENOUGH and data.train.y is not None:
        y = in_units(data.target_scaling, some(data.train.y))
        y = y[without(outliers(y), y)]
        names = data.target_names
        yield from other_targets(seen.y, y, slack=SLACK, said=("y", "", cure), names=names)


def _of_beginning(p: SimpleNamespace, model: Model, data: Prepared) -> tuple[list[str], list[str]]:
    """What is wrong with the weights of rows and with initial weights: what is told at once, and
    what is told where the result is poor."""
    told: list[str] = []
    begin: list[str] = []
    train = data.train
    weights = train.row_weights()
    if weights is not None:
        labels = None if train.labels is None else train.labels.array[:, 0]
        arguments = model.task, labels, weights[:, 0], p.class_weight
        told += list(unweighted(*arguments)) or few_rows(*arguments)
        begin += told or uneven(*arguments)
    begin += smoothed(p.label_smoothing)
    if train.X.count > 1 and _is_constant(train.X):
        begin.append(of_data.CONSTANT)
    if model.task.name == "regression" and model.task.output in GROWING:
        assert train.y is not None
        cure = of_data.cure_of_growing(model.task.loss)
        begin += of_data.targets(train.y.array, cure, data.target_names)
    if not (model.n_epochs or isinstance(p.init, str) or reads_rows(p.init)):
        begin += initial_weights(model.network)
        if isinstance(p.init, Initializer):  # weights that are given may be meant so
            told += initial_weights(model.network, strict=True)
    return told, begin


def _of_amounts(task: Task, train: Dataset) -> tuple[list[str], list[str]]:
    """Classes that may be numbers to predict: what is told at once, and what where the result is
    poor."""
    classes, rows = task.classes, train.X.count
    if task.one_hot or train.labels is None or classes is None or not whole_numbers(classes):
        return [], []
    counts = np.bincount(train.labels.array[:, 0], minlength=len(classes))
    few = rows < ROWS_A_CLASS * len(classes)  # of which a warning has told already
    if not (few or are_amounts(classes, counts)):
        return [], []
    words = words_of_amounts(classes, rows)
    return [] if few else [words], [f"{words[0].upper()}{words[1:]}."]


def _begin_of_stream(begin: tuple[str, ...], data: Prepared) -> tuple[str, ...]:
    """What was wrong at the beginning of a stream and still is."""
    if of_data.CONSTANT in begin and data.streamed is not None:
        X = data.streamed.rows.sample()[:, : data.n_features]
        if (X[0] != X).any():
            begin = tuple(one for one in begin if one != of_data.CONSTANT)
    return begin


def _is_constant(X: RowSource) -> bool:
    """Whether all rows are the same; the first ones tell most often."""
    at = np.arange(X.count) if X.indices is None else X.indices
    first = X.array[at[0]]
    return all(bool((X.array[at[i : i + FEW]] == first).all()) for i in range(0, X.count, FEW))


def _before_first_step(
    p: SimpleNamespace, model: Model, data: Prepared, given: Given
) -> tuple[list[str], list[str]]:
    """The order of the rows, and units that begin alike: what is told at once, and what is told
    where the result is poor."""
    told: list[str] = []
    if not p.shuffle:
        known = data.train.y if data.train.labels is None else data.train.labels
        assert known is not None
        told += of_data.order(known.array, given.batch_size)
    order = list(told)
    if not (model.n_epochs or draws(p.init)):
        told += alike(model.network, trained=False)
    return told, order


def draws(init: object) -> bool:
    """Whether initial weights are drawn at random."""
    kind = INITIALIZERS[init] if isinstance(init, str) else type(init)
    return kind is not Zeros and kind in INITIALIZERS.values()


def in_stream(run: Run, train: Dataset, findings: list[str]) -> Run:
    """How the classes have come with a call of partial_fit; what is to be said of it goes to
    `findings`. A fit, which sees all rows in its own order, begins anew."""
    if train.labels is None:
        return None
    run, found = of_data.stream(run, train.labels.array)
    if found:
        findings.append(of_data.STREAMED_BY_CLASS)
    return run


def divergence_words(p: SimpleNamespace, job: Job, loop: TrainingLoop) -> str:
    """When a training diverged, the likely causes, and which weights stay."""
    model, spec, train = job.model, job.spec, job.train
    regression = model.task.name == "regression"
    rate = loop.trainer.learning_rate
    scaled = learned(model.scaling)
    begins = not model.n_epochs
    causes = divergence(
        Diverged(
            spec,
            float(rate),
            model.without_categories(train.X.rows()),
            train.y.array if train.y is not None and regression else None,
            job.seen.targets,
            model.input_names,
            scaled,
            model.network,
            _weight(p, job),
            _growing(model.task, model.network.activations),
            _cure_of_inputs(p.scale_inputs, model.scaling),
            _cure_of_targets(model),
            "init='auto' draws small ones" if begins else _anew(job.purpose),
            not begins,
            p.rate_factors or {},
        )
    )
    best = loop.best_epoch
    kept = loop.n_epochs if best is None else best
    which = "the last finite ones" if best is None else "the best on the validation data"
    return (
        f"training diverged in epoch {loop.n_epochs + 1} at learning rate {rate:g} (loss "
        f"{loop.last_loss}): {causes}; the weights after epoch {kept}, {which}, are kept"
    )


def _anew(purpose: str) -> str:
    """How a training begins with new weights and scalings."""
    return "fit anew" if purpose == "partial_fit" else "fit anew, with warm_start=False"


def is_news(words: str, before: str) -> bool:
    """Whether a divergence is another one than that of the call before: in a stream each call that
    diverges would say the same again."""

    def causes(said: str) -> str:
        return said.partition("): ")[2]

    return not before or causes(words) != causes(before)


def _weight(p: SimpleNamespace, job: Job) -> tuple[float, str]:
    """By what the weights of rows multiply the gradient of a mini-batch at most, and the cure."""
    train = job.train
    if train.weights is None or train.total_weight is None:
        return 1.0, ""
    w = train.weights.rows().astype(np.float64) * (len(train.weights.array) / train.total_weight)
    mean, one = float(w.mean()), float(w.max()) / min(job.spec.batch_size, len(w))
    parameter = "sample_weight" if p.class_weight is None else "class_weight"
    if mean >= one:
        return mean, f"divide {parameter} by its mean"
    return one, f"take a smaller ratio in {parameter}"


def _growing(task: Task, activations: Sequence[str]) -> str:
    """A clause about activations that grow exponentially."""
    if "exp" in activations[:-1]:
        return "the activation 'exp' of the hidden layers grows exponentially; take 'relu'"
    if task.output == "exp" and task.loss != "poisson":
        return "the output 'exp' grows exponentially; take output='softplus' or 'identity'"
    return ""


def _cure_of_targets(model: Model) -> str:
    """Of numbers to predict that are too large for a training."""
    task = model.task
    if model.target_scaling is not None and model.target_scaling.scales:
        cure = "loss='mae' or Huber() limits what such rows do" if settable("loss") else "check it"
        return f"that is scaled already; {cure}"
    if scales_targets(task):
        return "scale_targets='standard' is the cure"
    if task.loss in SCALED_LOSSES and task.output in GROWING:
        return "output='identity', whose targets are scaled, is the cure"
    return "divide it by its size"


def _cure_of_inputs(asked: str | None, scaling: Scaling | None) -> str:
    """Of features that are too large for a training."""
    if scaling is not None and scaling.kind != "auto":
        if scaling.curve == "linear":
            return "scale_inputs='robust_clip' limits it"
        return "check these entries"
    if asked == "auto":
        return "scale_inputs='auto' has left it as it is; 'robust_asinh' is the cure"
    return "scale_inputs='auto' is the cure"


def after_training(job: Job, loop: TrainingLoop) -> list[str]:
    """Rows that contradict each other, which are looked for after a fit that has learned little."""
    train, columns = job.train, loop.history.columns
    if job.purpose != "fit" or loop.epochs < LONG or train.X.count < MANY or train.weights:
        return []
    metric, baseline = columns["metric"][loop.epochs - 1], job.model.baseline
    if not metric < baseline + GOOD * (1 - baseline):
        return []
    targets = train.y if train.labels is None else train.labels
    assert targets is not None
    at = np.arange(0, train.X.count, -(-train.X.count // LOOKED_AT))
    X, y = (one.array[at if one.indices is None else one.indices[at]] for one in (train.X, targets))
    return list(contradictions(X, y, train.labels is not None, metric, " training"))


def out_of_time(p: SimpleNamespace, model: Model, kept: bool) -> str:
    """That no epoch has ended in time, and which weights there are; `kept` in a checkpoint."""
    which = "as it was before" if model.n_epochs else "untrained, with its initial weights"
    cure = "allow more time, or train on fewer rows"
    if kept:
        which = f"that of epoch {model.n_epochs}" if model.n_epochs else which
        cure = "the checkpoint keeps the part of the epoch that is done, and the next fit goes on"
    return (
        f"max_seconds={p.max_seconds:g} was over before the first epoch ended: the model is "
        f"{which}; {cure}"
    )
