"""From MLP's parameters and data to a training run, and to the model that it leaves."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from cnn_core._frozen import replace
from cnn_core._settable import settable
from cnn_core._warn import warn
from cnn_core.blocks.gather import Gathered
from cnn_core.causes.seen import Seen
from cnn_core.constraints.allowed import check_task
from cnn_core.constraints.bounds import check_kept
from cnn_core.data.auto_scaling import FEWEST_ROWS, log_scaling
from cnn_core.data.prepare import (
    Dataset,
    Preparation,
    Prepared,
    SetApart,
    precise_dtype,
    prepare,
)
from cnn_core.data.rounding import merged, merged_integers
from cnn_core.data.row_order import warn_of_order
from cnn_core.data.target_scaling import SCALED_LOSSES, scales_targets
from cnn_core.data.targets import (
    OneClassError,
    UnknownClassError,
    as_labels,
    check_given,
    encode_labels,
)
from cnn_core.data.validation import (
    check_lengths,
    check_names,
    check_target_names,
    check_X,
    plain,
    warn_of_target_in_X,
    which_target,
)
from cnn_core.initializers import Initializer, reads_rows
from cnn_core.losses import get_loss
from cnn_core.meaning import only_for_numbers, target_warnings
from cnn_core.model import Model
from cnn_core.monitors import Scorer
from cnn_core.parameters import draw_seed
from cnn_core.spec import TrainingSpec
from cnn_core.task import Task, check_trainable
from cnn_core.task_of_y import infer_task
from cnn_core.training import advice, cures, scoring
from cnn_core.training.first_rows import FirstRows, before_first_row
from cnn_core.training.first_rows import scales as has_scaling
from cnn_core.training.given import as_given, as_ranks_give, check_weights_of_stream
from cnn_core.training.rescaled import follow, rehearsal
from cnn_core.training.untrained import (
    constraints_of,
    fitted_anew,
    network_spec,
    numeric_features,
    periodic_of,
    training_spec,
    untrained,
)
from cnn_core.training.unused import without_effect

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.blocks.learn import BlockData
    from cnn_core.causes.data import Run
    from cnn_core.data.stream import StreamRows
    from cnn_core.distributed.prepare import RankData
    from cnn_core.distributed.ranks import Ranks
    from cnn_core.training.scoring import Scored


class Job(NamedTuple):
    """All that a training begins with."""

    model: Model  #: before its next step
    spec: TrainingSpec
    train: Dataset
    validation: Dataset | None
    purpose: str  #: 'fit', 'initialize', 'partial_fit' or 'profile'
    stream: Run = None  #: how the classes have come in partial_fit, these rows included
    seen: Seen = Seen()  #: what later advice is to know
    began: float = 0.0  #: when, as `time.perf_counter` has it
    scored: Scored | None = None  #: what is scored after each epoch
    blocks: BlockData | None = None  #: where X comes in blocks: `train` has none of its rows
    rows: StreamRows | None = None  #: of a stream
    rehearsal: Dataset | None = None  #: those that are to be learned anew first
    renews: bool = False  #: whether the moments of the optimizer are to be those of it then
    validates: bool = False  #: whether the user has given the validation rows
    ranks: RankData | None = None  #: where ranks share X: `train` has none of its rows

    @property
    def batches(self) -> int:
        """Mini-batches of an epoch."""
        return -(-self.train.X.count // self.spec.batch_size)

    @property
    def looked_at(self) -> Job:
        """The same with rows of X that can be looked at: of blocks, and of ranks, those that stand
        for all."""
        if self.ranks is not None:
            return self._replace(train=self.ranks.sample, validation=self.ranks.validation)
        return self if self.blocks is None else self._replace(train=self.blocks.sample)


def begin(
    p: SimpleNamespace,
    X: ArrayLike,
    y: ArrayLike,
    before: Model | None = None,
    *,
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    validation_data: tuple[ArrayLike, ArrayLike] | None = None,
    purpose: Literal["fit", "initialize", "partial_fit", "profile"] = "profile",
) -> Job:
    """Check what a fit is given; nothing is changed.

    Parameters
    ----------
    p : namespace
        The parameters of MLP, from `check_parameters`.
    X, y : array-like
    before : Model, optional
        The model that training goes on with.
    classes : array-like, optional
        All class labels that will ever come.
    sample_weight, validation_data
        As `MLP.fit` takes them.
    purpose : {'fit', 'initialize', 'partial_fit', 'profile'}
        Only for a fit, and the model that it begins with, `early_stopping` sets rows apart; those
        of partial_fit are some of many. Layers that cannot learn are refused where they would be
        trained.

    Returns
    -------
    Job
    """
    return begin_given(p, Given((X, y, sample_weight), validation_data, classes, purpose), before)


def begin_given(p: SimpleNamespace, given: Given, before: Model | None) -> Job:
    """`begin`, also where ranks share the rows."""
    began = time.perf_counter()

    def seed() -> int:
        return draw_seed(p.random_state) if before is None else before.seed

    return job_of(p, read(p, given, before, seed), began)


class Given(NamedTuple):
    """What a fit is given beside the parameters."""

    rows: tuple[Any, Any, Any]  #: X, y and sample_weight
    validation: tuple[Any, Any] | None
    classes: ArrayLike | None
    purpose: str
    ranks: Ranks | None = None  #: who shares the rows
    target_names: tuple[str, ...] = ()  #: of the columns of y, where these have none of their own

    @property
    def validates(self) -> bool:
        """Whether the user has given rows to validate on."""
        return self.validation is not None and not isinstance(self.validation, SetApart)


class Read(NamedTuple):
    """The rows of a fit, checked and encoded. Where training begins anew, other networks may be
    trained on them as well."""

    given: Given
    rows: tuple[Any, Any, Any]  #: X as the network reads it before it is scaled, y, sample_weight
    before: Model | None
    task: Task
    how: Preparation
    data: Prepared


def check_asked(p: SimpleNamespace, given: Given) -> Scorer | None:
    """The scorer of a fit, if it has one; raises where the monitor has no rows."""
    validates = given.validation is not None
    scorer = scoring.check_rows(p, validates) if given.purpose == "fit" else None
    if scorer is not None and given.ranks is not None:
        raise ValueError(
            f"monitor={p.monitor!r} scores all validation rows together, and each rank has its own "
            "of them; take 'val_loss', 'val_metric' or 'loss'"
        )
    return scorer


def check_trains(p: SimpleNamespace, task: Task, purpose: str) -> None:
    """Raise for outputs that cannot keep what is declared, and for layers that cannot learn, where
    they would be trained."""
    check_task(p, task)
    if purpose != "initialize" and (purpose != "fit" or p.epochs):
        check_trainable([*(name for name, _ in p.activations), task.output], task.loss)


def read(p: SimpleNamespace, given: Given, before: Model | None, seed: Callable[[], int]) -> Read:
    """Check, encode and scale the rows that a fit is given.

    Parameters
    ----------
    p, before
        As for `begin`.
    given : Given
    seed : callable
        Draws the seed, once the rows are known to be good.
    """
    (X, y, sample_weight), classes, purpose = given.rows, given.classes, given.purpose
    warn_of_order(X, y)
    warn_of_order(X, sample_weight, "sample_weight")
    needs_rows = check_asked(p, given) and given.validation is None
    rows = X, y, sample_weight
    if given.ranks is None:
        X, y, sample_weight, names = as_given(p, rows, before, purpose, needs_rows, classes)
    else:
        X, y, sample_weight, names = as_ranks_give(p, rows, before, given.ranks, classes)
    check_given("y", y)
    check_lengths(X, y)
    if purpose == "partial_fit":
        check_weights_of_stream(p.class_weight)
    task, labels = task_or_cure(p, (X, y), before, classes, purpose)
    how = replace(preparation(p, purpose), target_names=names or given.target_names)
    check_scaling_of_targets(p, task)
    check_trains(p, task, purpose)
    rest = (task, labels), how, seed, before, sample_weight, given.validation
    data = _prepared(given.ranks, X, y, *rest)
    return Read(given, (data.X, y, sample_weight), before, task, how, data)


#: Says what the rows of a training show; what else is to be told, and what later advice is to know.
Advising = Callable[[SimpleNamespace, Model, Read, int], tuple[list[str], Seen]]


def advise(p: SimpleNamespace, model: Model, rows: Read, batch_size: int) -> tuple[list[str], Seen]:
    """What is known of a training before it begins."""
    given, before, data = rows.given, rows.before, rows.data
    begins = before is None or before.knows_no_rows
    anew, collects = before is not None and before.is_begun_anew, _collects(rows)
    if not collects and (before is None or anew):
        _warn_of_data(p, rows.rows[:2], data, rows.task, given.classes is not None, anew)
    data, y = _looked_at(data, rows.rows[1])
    first = given.purpose == "fit" or (begins and not collects)
    validates = given.validates
    asked = advice.Given(y, given.purpose, batch_size, validates, first, anew)
    return advice.before_training(p, model, data, asked)


def job_of(p: SimpleNamespace, rows: Read, began: float, advises: Advising = advise) -> Job:
    """All that a training on some rows begins with.

    Parameters
    ----------
    p : namespace
        The parameters of MLP, from `check_parameters`.
    rows : Read
    began : float
        When, as `time.perf_counter` has it.
    advises : callable
        `advise`, or what knows its answer.
    """
    given, before, data = rows.given, rows.before, rows.data
    purpose, stream_begins = given.purpose, before is None or before.knows_no_rows
    if before is not None and before.knows_no_rows:
        before = _with_rows(before, data, rows.task)
    constraints = constraints_of(p, data.n_features, data.columns, data.feature_names)
    spec = training_spec(p, rows.task, data.train.X.count, data.seed, **constraints)
    sample, anew = data.streamed and data.streamed.rows, False
    if before is None:
        model = _initial(p, rows.task, spec, data, purpose == "partial_fit")
        log_scaling(data.scaling, data.target_scaling)
    else:
        begins_anew = rows.before is not None and rows.before.is_begun_anew
        model, sample, anew = _followed(p, before, data, stream_begins, begins_anew)
        check_kept(model.network, spec, "the fitted model that training goes on with")
    findings, seen = advises(p, model, rows, spec.batch_size)
    if purpose == "fit" and rows.before is None:
        findings = [*without_effect(p, model.network_spec), *findings]
    job = Job(model, spec, data.train, data.validation, purpose, None, seen, began)
    job = job._replace(blocks=data.blocks, rows=sample, validates=given.validates)
    job = job._replace(ranks=data.ranks)
    scorer = check_asked(p, given)
    if scorer is not None:
        _, y = _looked_at(data, rows.rows[1])
        pair = (given.rows[0], y) if given.validation is None else given.validation
        job = job._replace(scored=scoring.scored(p.monitor, scorer, model, data, pair))
    if anew:
        job = _rehearsing(job, data, rows.task, rows.how)
    job = _telling(job, findings)
    if purpose != "partial_fit":
        return job
    return _first_rows(p, job, rows.rows, before, _collects(rows))


def _followed(
    p: SimpleNamespace, before: Model, data: Prepared, stream_begins: bool, begins_anew: bool
) -> tuple[Model, StreamRows | None, bool]:
    """As `follow`; weights that are fitted to rows are fitted anew where a stream begins anew."""
    model, rows, anew = follow(before, data, stream_begins)
    return (fitted_anew(p, model, data) if begins_anew else model), rows, anew


def _prepared(ranks: Ranks | None, X: Any, y: Any, *rest: Any) -> Prepared:
    """The same as `prepare`, of blocks and of ranks too."""
    if isinstance(X, Gathered):
        from cnn_core.blocks.learn import prepare_blocks  # of no use to those who give arrays

        return prepare_blocks(X, y, *rest)
    if ranks is not None:
        from cnn_core.distributed.prepare import prepare_ranks  # nor here

        return prepare_ranks(X, y, *rest)
    return prepare(X, y, *rest)


def _looked_at(data: Prepared, y: ArrayLike) -> tuple[Prepared, ArrayLike]:
    """What advice looks at: of blocks, and of ranks, the rows that stand for all."""
    if data.ranks is not None:
        known = replace(data, train=data.ranks.sample, validation=data.ranks.validation)
        return known, np.asarray(y)[data.ranks.chosen]
    if data.blocks is None:
        return data, y
    return replace(data, train=data.blocks.sample), np.asarray(y)[data.blocks.chosen]


def _rehearsing(job: Job, data: Prepared, task: Task, how: Preparation) -> Job:
    """A job of partial_fit that first trains on the sample of its stream's rows."""
    assert data.streamed is not None
    sample = rehearsal(data, task, how)
    return job._replace(rehearsal=sample, renews=data.streamed.renews)


def _telling(job: Job, findings: list[str]) -> Job:
    """A job of which all is told that its rows show."""
    if job.purpose == "partial_fit":
        job = advice.of_stream(job, findings)
    for finding in findings:
        warn(finding, UserWarning)
    return job


def _with_rows(before: Model, data: Prepared, task: Task) -> Model:
    """A model that knew no rows, with what the first ones say."""
    if data.columns is not None and data.columns.embeddings:
        raise ValueError(
            "columns embeds categories, which a model that was initialized by sizes alone has no "
            "vectors for; give initialize X and y, or fit anew"
        )
    baseline = data.train.baseline_score(task)
    return replace(
        before, baseline=baseline, feature_names=data.feature_names, columns=data.columns
    )


def task_or_cure(
    p: SimpleNamespace,
    rows: tuple[Any, Any],
    before: Model | None,
    classes: ArrayLike | None,
    purpose: str,
) -> tuple[Task, np.ndarray | None]:
    """`_task`, or an error that says what helps."""
    try:
        return _task(p, *rows, before, classes)
    except OneClassError as error:
        raise ValueError(f"{error}{cures.of_one_class(p, rows[1], purpose, classes)}") from None
    except UnknownClassError as error:
        raise ValueError(f"{error}{cures.of_unknown(p, rows[1], before, error)}") from None


def _collects(rows: Read) -> bool:
    """Whether these rows begin a stream and are too few to learn a scaling from, and to say what
    is wrong with them."""
    begins = rows.before is None or rows.before.knows_no_rows
    few = rows.data.train.X.count < FEWEST_ROWS
    return begins and rows.given.purpose == "partial_fit" and few


def _warn_of_data(
    p: SimpleNamespace,
    given: tuple[ArrayLike, ArrayLike],
    data: Prepared,
    task: Task,
    named: bool,
    begins: bool,
) -> None:
    """Say what else y may mean, and what rounding makes equal."""
    X, y = given
    warn_of_target_in_X(X, y)
    targets = None if data.train.y is None else data.train.y.array
    for message in target_warnings(y, p, task, named or begins, targets, begins):
        warn(message, UserWarning)
    _warn_of_rounding(X, y, data, task, p.dtype_name)


def _first_rows(
    p: SimpleNamespace,
    job: Job,
    given: tuple[ArrayLike, ArrayLike, ArrayLike | None],
    before: Model | None,
    collects: bool,
) -> Job:
    """The job of a partial_fit while the rows of its stream are too few to learn a scaling from:
    they are kept; once there are enough and they are to be scaled, training begins anew."""
    model, first = job.model, None if before is None else before.first_rows
    if first is None and not collects:
        return job
    X, y, sample_weight = given
    rows = FirstRows.of(check_X(X, precise_dtype(X)), y, sample_weight, model.network)
    if first is None:
        return job._replace(model=replace(model, first_rows=rows))
    assert before is not None
    rows = first.followed_by(rows)
    if len(rows.X) < FEWEST_ROWS:
        return job._replace(model=replace(model, first_rows=rows))
    start = before_first_row(before, rows)
    spec = model.training_spec  # they are rows of the matrix, whose columns have numbers
    numbered = {name: dict(enumerate(getattr(spec, name))) for name in ("monotone", "convex")}
    encoded = SimpleNamespace(**vars(p) | {"columns": None} | numbered)
    anew = begin(encoded, rows.X, rows.y, start, sample_weight=rows.weights, purpose="partial_fit")
    if has_scaling(before) or has_scaling(anew.model) or reads_rows(p.init):
        log_scaling(anew.model.scaling, anew.model.target_scaling)
        model = replace(anew.model, feature_names=before.feature_names, columns=before.columns)
        return anew._replace(model=model, stream=job.stream)
    scalings = anew.model.scaling, anew.model.target_scaling
    model = replace(model, scaling=scalings[0], target_scaling=scalings[1], first_rows=None)
    return job._replace(model=model, seen=anew.seen, rows=anew.rows)


#: Losses that inputs of any other size than about 1 spoil, and why.
_NEED_SCALING = {"gaussian_nll": "the loss gaussian_nll divides by a variance that is learned, too"}


def preparation(p: SimpleNamespace, purpose: str) -> Preparation:
    """What the parameters say about the data."""
    watches_loss = isinstance(p.monitor, str) and p.monitor == "loss"
    sets_apart = purpose in ("fit", "initialize") and p.early_stopping and not watches_loss
    return Preparation(
        p.dtype_name,
        scaling_meant(p.scale_inputs, p.init, p.bias),
        p.class_weight,
        float(p.label_smoothing),
        p.validation_fraction if sets_apart else None,
        purpose == "partial_fit",
        scaling_meant(p.scale_targets, p.init, p.bias),
        bool(p.clip_outputs),
        not p.widths or bool(p.monotone or p.convex),
        _NEED_SCALING.get(get_loss(p.loss)[0], "") if p.loss != "auto" else "",
        columns=p.columns if isinstance(p.columns, dict) else None,
        shards=int(p.shards),
    )


def learns_scaling(p: SimpleNamespace) -> bool:
    """Whether a stream learns a scaling from its first rows."""
    return any(scaling_meant(one, p.init, p.bias) for one in (p.scale_inputs, p.scale_targets))


def scaling_meant(kind: str | None, init: object, bias: bool) -> str | None:
    """What a scaling is; 'auto' is none without biases, as a shift would be a bias, and where
    weights are given, which are to be those of the function that is computed."""
    given = not isinstance(init, (str, Initializer))
    return None if kind == "auto" and (given or not bias) else kind


def check_scaling_of_targets(p: SimpleNamespace, task: Task) -> None:
    """Raise for what was asked of the targets and cannot be done."""
    if p.clip_outputs and task.name != "regression":
        raise ValueError(f"clip_outputs=True is for a regression, and this is a {task.name}")
    if p.scale_targets not in (None, "auto") and not scales_targets(task):
        what = (
            f"output {task.output!r} and loss {task.loss!r}"
            if task.name == "regression"
            else task.name
        )
        raise ValueError(
            f"scale_targets={p.scale_targets!r} is for a regression with output 'identity' and one "
            f"of the losses {', '.join(map(repr, SCALED_LOSSES))}, got {what}"
        )


def _warn_of_rounding(X: ArrayLike, y: ArrayLike, data: Prepared, task: Task, dtype: str) -> None:
    """Say what nothing scales and rounding makes equal."""
    merges = False
    for name, values, parameter, open_to_it in (
        ("X", X, "scale_inputs", data.scaling is None),
        ("y", y, "scale_targets", task.name == "regression" and data.target_scaling is None),
    ):
        used = name == "X" or task.name == "regression"
        found = merged_integers(name, values) if used else ""
        if found:
            warn(
                f"{found}; subtract a number near them first, such as {name} - {name}.min(axis=0), "
                "or leave out what is an identifier",
                UserWarning,
            )
            merges = merges or name == "y"
            continue
        found = merged(name, values, dtype) if open_to_it else ""
        if found:
            warn(f"{found}; {parameter}='auto' scales them before they are rounded", UserWarning)
    targets = data.target_scaling
    too_fine = np.zeros(1, bool) if targets is None else targets.is_too_fine(dtype)
    if targets is not None and too_fine.any() and not merges:
        column = int(too_fine.argmax())
        which = which_target(column, len(targets.shift), data.target_names)
        warn(
            f"{which} has mean {targets.shift[column]:.6g} and standard deviation "
            f"{targets.factor[column]:.2g}, which predictions in {dtype} cannot show: "
            + ("say dtype='float64', or " if dtype != "float64" and settable("dtype") else "")
            + "learn y less its mean",
            UserWarning,
        )


def _task(
    p: SimpleNamespace,
    X: ArrayLike,
    y: ArrayLike,
    before: Model | None,
    classes: ArrayLike | None,
) -> tuple[Task, np.ndarray | None]:
    """What the outputs mean, and y's class indices where they were needed; that of the fit before,
    if training goes on."""
    output, smoothing = p.output_activation, float(p.label_smoothing)
    if before is None:
        known = None if classes is None else encode_labels(classes, name="classes")[0]
        only = only_for_numbers(p)
        return infer_task(y, p.task, p.loss, output, smoothing, known, p.class_weight, only)
    old = before.task
    if classes is not None and old.classes is not None:
        unknown = np.setdiff1d(as_labels(classes, "classes"), old.classes)
        if len(unknown):
            raise ValueError(
                f"classes has {plain(unknown[0])!r}, which the model does not know; it was fitted "
                f"with {', '.join(map(repr, old.classes.tolist()))}"
            )
    if before.columns is None:
        check_names(X, before.feature_names)
    check_target_names(y, before.seen.targets)
    name = "regression" if old.name == "regression" else "classification"
    if p.task not in ("auto", name):
        raise ValueError(f"training goes on with a model for {name}, but task is now {p.task!r}")
    known, weights = old.classes, p.class_weight
    now, labels = infer_task(y, name, p.loss, output, smoothing, known, weights)
    spec = before.network_spec
    periodic = periodic_of(p, spec.periodic[0] if spec.periodic else range(spec.n_numbers))
    asked = network_spec(p, now, before.n_features, spec.embeddings, periodic)
    for what, had, wants in (
        ("numeric_embedding (features, frequencies, width)", spec.periodic, asked.periodic),
        ("layers of widths", spec.widths, asked.widths),
        ("activations", spec.activations, asked.activations),
        ("numbers of the activations", spec.activation_params, asked.activation_params),
        ("dtype", spec.dtype, asked.dtype),
        ("bias", spec.bias, asked.bias),
        ("loss", old.loss, now.loss),
        ("number of the loss", old.loss_param, now.loss_param),
    ):
        if had != wants:
            raise ValueError(
                f"training goes on with the {what} of the fitted model, {had}, but parameters and "
                f"y now ask for {wants}; set them back, or fit anew with warm_start=False"
            )
    return old, labels


def _initial(
    p: SimpleNamespace, task: Task, spec: TrainingSpec, data: Prepared, streams: bool
) -> Model:
    """The model before its first step."""
    return untrained(
        p,
        task,
        spec,
        data.n_features,
        data,
        numeric_features(p, data, streams),
        baseline=data.train.baseline_score(task),
        feature_names=data.feature_names,
        columns=data.columns,
        scaling=data.scaling,
        target_scaling=data.target_scaling,
    )
