"""Whether the parts of a model that comes from outside, such as a file or a pickle, fit each
other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core import _activations, _losses
from cnn_core._checks import is_whole
from cnn_core._frozen import replace
from cnn_core._network import Network
from cnn_core.causes.seen import Seen
from cnn_core.data.scaling import SCALINGS, Scaling
from cnn_core.data.target_scaling import TargetScaling, scales_targets
from cnn_core.history import Past
from cnn_core.spec import NetworkSpec, TrainingSpec
from cnn_core.task import Task, check_task
from cnn_core.training.backends import BACKENDS

if TYPE_CHECKING:
    from cnn_core.model import Model


def check_model(model: Model) -> None:
    """Raise for a model that no fit can have left behind.

    Parameters
    ----------
    model : Model

    Raises
    ------
    ValueError, TypeError
        With the part that is wrong.
    """
    for name, kinds in (
        ("network_spec", NetworkSpec),
        ("training_spec", TrainingSpec),
        ("network", Network),
        ("task", Task),
        ("scaling", (Scaling, type(None))),
        ("target_scaling", (TargetScaling, type(None))),
        ("history", Past),
        ("step_history", Past),
        ("state", (dict, type(None))),
        ("seen", Seen),
        ("converged", bool),
        ("weighted", bool),
        ("ended", str),
        ("watched", str),
        ("baseline", float),
        ("stream", (tuple, type(None))),
    ):
        _check_kind(model, name, kinds)
    _check_network(model.network_spec, model.network)
    _check_task(model.task, model.network_spec)
    _check_training(model.training_spec, model.task, model.network_spec.n_layers)
    _check_features(model)
    _check_first_rows(model)
    _check_targets(model)
    _check_seen(model)
    _check_stream_rows(model)
    _require(is_whole(model.seed) and 0 <= model.seed < 1 << 64, "seed", f"is {model.seed!r}")
    for name in ("history", "step_history"):
        _check_history(name, getattr(model, name))
    best, stream = model.best_epoch, model.stream
    _require(
        best is None or (is_whole(best) and model.history.forgotten < best <= model.n_epochs),
        "best_epoch",
        f"is {best!r}, and there are {model.n_epochs} epochs",
    )
    _require(
        not stream or (len(stream) == 3 and all(is_whole(n) and n >= 0 for n in stream)),
        "stream",
        f"is {stream!r}",
    )
    check_calibration(model.calibration, model.task)
    if model.state is not None:
        _check_state(model)


def _require(right: bool, part: str, wrong: str) -> None:
    if not right:
        raise ValueError(f"{part} {wrong}")


def _check_network(spec: NetworkSpec, network: Network) -> None:
    has: Any = (network.widths, network.activations, network.activation_params)
    has = (*has, network.dtype.name, network.has_bias, network.embeddings, network.periodic)
    says: Any = (spec.widths, spec.activations, spec.activation_params)
    says = (*says, spec.dtype, spec.bias, spec.embeddings, spec.periodic)
    _require(has == says, "network", f"is {has}, and network_spec says {says}")


def _check_task(task: Task, spec: NetworkSpec) -> None:
    _require(
        task.name in ("classification", "multilabel", "regression"), "task", f"is {task.name!r}"
    )
    _require(task.loss in _losses.names(), "task", f"has the loss {task.loss!r}")
    _require(task.output in _activations.names(), "task", f"has the output {task.output!r}")
    for name in ("flat", "one_hot"):
        value = getattr(task, name)
        _require(isinstance(value, bool), f"task.{name}", f"is {value!r}")
    for name in ("loss_param", "output_param"):
        value = getattr(task, name)
        if name == "loss_param" and isinstance(value, tuple):
            _require(_losses.table()[task.loss].heads is None, "task.loss_param", f"is {value!r}")
            _losses.check_param("task.loss_param", task.loss, value)
            continue
        known = value is None or (
            isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        )
        _require(known, f"task.{name}", f"is {value!r}")
    _require(
        (task.output, task.n_outputs * task.heads) == (spec.activations[-1], spec.widths[-1]),
        "task",
        f"has {task.n_outputs!r} outputs {task.output!r}, and the network {spec.widths[-1]} of "
        f"{spec.activations[-1]!r}",
    )
    classes = task.classes
    if task.name == "regression":
        _require(classes is None, "task", "has classes, and is a regression")
        _require(not task.flat or task.n_outputs == 1, "task", "has a flat y of several outputs")
        check_task(task)
        return
    vector = isinstance(classes, np.ndarray) and classes.ndim == 1
    _require(vector, "task.classes", "is no vector")
    assert classes is not None
    several = len(classes) > 1 or task.name == "multilabel"
    _require(several, "task.classes", f"has {len(classes)} classes, fewer than two")
    outputs = [len(classes)]
    if task.name == "classification" and len(classes) == 2:
        outputs = [2] if task.output == "softmax" else [1, 2] if task.one_hot else [1]
    _require(
        task.n_outputs in outputs,
        "task",
        f"has {len(classes)} classes and {task.n_outputs} outputs",
    )
    try:
        ascending = all(a < b for a, b in zip(classes.tolist(), classes.tolist()[1:]))
    except TypeError as error:
        raise ValueError(f"task.classes cannot be compared: {error}") from None
    _require(ascending, "task.classes", "is not in ascending order")
    check_task(task)


def _check_training(spec: TrainingSpec, task: Task, n_layers: int) -> None:
    for name in ("loss", "loss_param"):
        own, wanted = getattr(spec, name), getattr(task, name)
        _require(own == wanted, "training_spec", f"has the {name} {own!r}, and task {wanted!r}")
    _require(spec.multilabel == (task.name == "multilabel"), "training_spec", "is of another task")
    for name in ("rate_factors", "decay_factors"):
        count = len(getattr(spec, name))
        right = count in (0, 2 * n_layers + 1, 2 * n_layers + 2)
        _require(right, "training_spec", f"has {count} {name}, not one for each group")


def _check_features(model: Model) -> None:
    names, n = model.feature_names, model.n_features
    spec = model.network_spec
    if model.columns is not None:
        _check_columns(model.columns, names, n)
        known = model.columns.embeddings
        _require(known == spec.embeddings, "columns", f"has the embeddings {known}")
    else:
        _require(not spec.embeddings, "network_spec", "has embeddings, and there are no columns")
    if model.columns is None and names is not None:
        _require(isinstance(names, np.ndarray), "feature_names", "is no array")
        _require(names.shape == (n,), "feature_names", f"has the shape {names.shape}, not ({n},)")
    if model.scaling is not None:
        kind, reason = model.scaling.kind, model.scaling.reason
        _require(kind in ("", "auto", *SCALINGS), "scaling", f"is {kind!r}")
        _require(isinstance(reason, str), "scaling.reason", f"is {reason!r}")
        _check_vectors("scaling", model.scaling, ("shift", "factor"), spec.n_numbers)


def _check_columns(columns: Any, names: np.ndarray | None, n_features: int) -> None:
    from cnn_core.columns.columns import Columns
    from cnn_core.columns.kinds import KINDS

    _require(isinstance(columns, Columns), "columns", f"is of type {type(columns).__name__}")
    for column in columns.columns:
        _require(type(column) in KINDS.values(), "columns", f"has a {type(column).__name__}")
        column.check()
    known = columns.names
    _require(len(set(known)) == len(known), "columns", "has a name twice")
    _require(
        all(isinstance(name, str) for name in known) or known == list(range(len(known))),
        "columns",
        "has neither names nor numbers in their order",
    )
    _require(columns.width == n_features, "columns", f"becomes {columns.width} features")
    given = None if names is None else list(names)
    _require(given == (known if columns.named else None), "feature_names", "is not columns' own")


def _check_seen(model: Model) -> None:
    seen, rules = model.seen, model.seen.rules
    n = model.n_features
    for name, width in (("X", n), ("quartiles", n), ("y", model.task.n_outputs)):
        found = getattr(seen, name)
        fits = found is None or (
            isinstance(found, np.ndarray)
            and (found.shape, found.dtype.name) == ((2, width), "float64")
        )
        _require(fits, f"seen.{name}", f"is no array of float64 of shape (2, {width})")
    for name in ("rows", "last", "distinct", "validated", "rehearsed"):
        count = getattr(seen, name)
        _require(is_whole(count) and count >= 0, f"seen.{name}", f"is {count!r}")
    lists = all(isinstance(one, tuple) for one in (seen.begin, seen.validation, seen.targets))
    texts = [seen.diverged, seen.outlier, seen.pending, seen.changed]
    for one in (seen.begin, seen.validation, seen.targets) if lists else ():
        texts += one
    _require(lists and {*map(type, texts)} == {str}, "seen", "has something else than texts")
    absent = isinstance(seen.absent, tuple) and all(
        is_whole(k) and 0 <= k < model.task.n_classes for k in seen.absent
    )
    _require(absent, "seen.absent", f"is {seen.absent!r}")
    numbers = {name: getattr(rules, name, "") for name in ("min_delta", "tol", "patience")}
    for name, value in numbers.items():
        none = name == "tol" and value is None
        number = isinstance(value, (int, float)) and math.isfinite(value)
        _require(none or number, f"seen.rules.{name}", f"is {value!r}")


def _check_kind(model: Model, name: str, kinds: Any) -> None:
    value = getattr(model, name)
    _require(isinstance(value, kinds), name, f"is of type {type(value).__name__}")


def _check_first_rows(model: Model) -> None:
    first = model.first_rows
    if first is None:
        return
    from cnn_core.training.first_rows import FirstRows  # few models have any

    _check_kind(model, "first_rows", FirstRows)
    X, y, weights = first.X, first.y, first.weights
    _require(isinstance(X, np.ndarray), "first_rows.X", "is no array")
    shape, wanted = (X.dtype.name, *X.shape[1:]), model.n_features
    right = shape in (("float32", wanted), ("float64", wanted))
    _require(right, "first_rows.X", f"has no {wanted} features of float32 or float64")
    rows = len(X)
    right = isinstance(y, np.ndarray) and y.ndim in (1, 2) and len(y) == rows
    _require(right, "first_rows.y", f"has no {rows} rows")
    _require(
        weights is None
        or (
            isinstance(weights, np.ndarray)
            and (weights.shape, weights.dtype.name) == ((rows,), "float64")
            and bool((weights >= 0).all() and np.isfinite(weights).all())
        ),
        "first_rows.weights",
        f"are no {rows} numbers of at least 0",
    )
    _require(isinstance(first.network, Network), "first_rows.network", "is no network")
    _check_network(model.network_spec, first.network)


def _check_stream_rows(model: Model) -> None:
    rows = model.stream_rows
    if rows is None:
        return
    from cnn_core.data.stream import MARKS, StreamRows  # few models have any

    _check_kind(model, "stream_rows", StreamRows)
    task, name = model.task, "stream_rows"
    width = model.n_features + (1 if task.classes is not None else task.n_outputs)
    for part, n in ((rows.kept, width + 1), (rows.last, width + 1), (rows.marks, width)):
        right = isinstance(part, np.ndarray) and part.dtype == np.float64
        right = right and part.shape[1:] == (n,)
        _require(right, name, f"has no rows of {n} numbers of float64")
        finite = part is rows.marks or bool(np.isfinite(part).all())
        _require(finite and not np.isnan(part).any(), name, "is not finite")
    _require(len(rows.marks) == MARKS, name, f"has no {MARKS} numbers of each column")
    counts = rows.total, rows.since, rows.check, rows.held
    _require(all(is_whole(count) and count >= 0 for count in counts), name, f"counts {counts!r}")
    _require(rows.held <= len(rows.last), f"{name}.held", f"is {rows.held!r}")
    _require(isinstance(rows.follows, bool), f"{name}.follows", f"is {rows.follows!r}")
    levels, shape = rows.levels, (2, task.n_outputs)
    right = levels is None or (isinstance(levels, np.ndarray) and levels.shape == shape)
    _require(right, f"{name}.levels", f"is no array of shape {shape}")
    if task.classes is not None:
        for part in (rows.kept, rows.block):
            known = np.isin(part[:, -2], np.arange(task.n_classes)).all()
            _require(bool(known), name, "has classes that the model does not know")


def _check_targets(model: Model) -> None:
    scaling, task = model.target_scaling, model.task
    if scaling is None:
        return
    _require(task.name == "regression", "target_scaling", f"is there for {task.name}")
    _require(
        scales_targets(task) or not scaling.scales,
        "target_scaling",
        f"scales targets of output {task.output!r} and loss {task.loss!r}",
    )
    _check_vectors("target_scaling", scaling, ("factor", "shift"), task.n_outputs)
    _check_vectors("target_scaling", scaling, ("low", "high"), task.n_outputs, finite=False)
    _require(bool((scaling.low <= scaling.high).all()), "target_scaling", "has low above high")


def _check_vectors(
    part: str, scaling: Any, names: tuple[str, ...], n: int, finite: bool = True
) -> None:
    for name in names:
        value = getattr(scaling, name)
        right = isinstance(value, np.ndarray) and value.dtype == np.float64 and value.shape == (n,)
        _require(right, f"{part}.{name}", f"is no vector of {n} numbers of float64")
        _require(not finite or bool(np.isfinite(value).all()), f"{part}.{name}", "is not finite")
        _require(name != "factor" or bool((value > 0).all()), f"{part}.factor", "is not above 0")
    constant = scaling.constant
    _require(
        constant is None
        or (isinstance(constant, np.ndarray) and constant.dtype == bool and constant.shape == (n,)),
        f"{part}.constant",
        f"is no vector of {n} bools",
    )
    for name in ("kept",) if isinstance(scaling, Scaling) else ("recent", "predicted", "tracked"):
        _check_kept_rows(f"{part}.{name}", getattr(scaling, name), n)


def _check_kept_rows(name: str, rows: Any, n: int) -> None:
    right = isinstance(rows, np.ndarray) and rows.dtype == np.float64 and rows.shape[1:] == (n,)
    right = rows is None or (right and len(rows) > 0 and bool(np.isfinite(rows).all()))
    _require(right, name, f"are no rows of {n} numbers of float64")


def _check_history(name: str, past: Past) -> None:
    for columns, length in past.parts:
        for column, entries in columns.items():
            _require(isinstance(entries, list), name, f"has no list of {column!r}")
            _require(len(entries) >= length, name, f"has {len(entries)} of {length} {column!r}")
            numbers = {*map(type, entries)} <= {float}
            _require(numbers, name, f"has something else than floats among its {column!r}")
    counts = (past.streamed, past.covered, *(count for gap in past.gaps for count in gap))
    right = all(is_whole(count) and count >= 0 for count in counts)
    _require(right, name, f"has the counts {counts!r}")
    _require(max(past.streamed, past.covered) <= past.kept, name, "counts entries it has not")


def _check_state(model: Model) -> None:
    state, spec = model.state, model.training_spec
    assert state is not None
    backend = str(state.get("backend"))
    _require(backend in BACKENDS, "state", f"is of the backend {backend!r}")
    # Of one row, as nothing is trained here and a mini-batch may be of any size.
    trainer = BACKENDS[backend].trainer(replace(spec, batch_size=1), model.network)
    trainer.check_state(state)


def check_calibration(found: Any, task: Task) -> None:
    """Raise for a calibration that no model of this task has."""
    if found is None:
        return
    from cnn_core.conformal import Calibration, kind_of, pairs_of

    _require(isinstance(found, Calibration), "calibration", f"is of type {type(found).__name__}")
    _require(task.name == "regression", "calibration", f"is there for {task.name}")
    _require(found.kind == kind_of(task), "calibration", f"is of {found.kind!r}")
    scores, shape = found.scores, (task.n_outputs, max(1, len(pairs_of(task.quantiles))))
    right = isinstance(scores, np.ndarray) and scores.dtype == np.float64 and scores.ndim == 3
    right = right and scores.shape[:2] == shape and scores.shape[2] > 0
    _require(right, "calibration.scores", f"are no numbers of float64 of shape {shape}")
    ascending = not np.isnan(scores).any() and bool((scores[..., 1:] >= scores[..., :-1]).all())
    _require(ascending, "calibration.scores", "are not in ascending order")
