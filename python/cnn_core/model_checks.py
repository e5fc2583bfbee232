"""Whether the parts of a model that comes from outside, such as a file or a pickle, fit each
other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core import _activations, _losses
from cnn_core._checks import is_whole
from cnn_core._network import Network
from cnn_core.causes.seen import Seen
from cnn_core.data.scaling import SCALINGS, Scaling
from cnn_core.data.target_scaling import TargetScaling, scales_targets
from cnn_core.history import Past
from cnn_core.spec import NetworkSpec, TrainingSpec
from cnn_core.task import Task
from cnn_core.training.backends import BACKENDS
from cnn_core.training.first_rows import FirstRows

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
        ("first_rows", (FirstRows, type(None))),
        ("seen", Seen),
    ):
        value = getattr(model, name)
        _require(isinstance(value, kinds), name, f"is of type {type(value).__name__}")
    _check_network(model.network_spec, model.network)
    _check_task(model.task, model.network_spec)
    _check_features(model)
    _check_targets(model)
    _require(is_whole(model.seed) and 0 <= model.seed < 1 << 64, "seed", f"is {model.seed!r}")
    for name in ("history", "step_history"):
        _check_history(name, getattr(model, name))
    best = model.best_epoch
    _require(
        best is None or (is_whole(best) and model.history.forgotten < best <= model.n_epochs),
        "best_epoch",
        f"is {best!r}, and there are {model.n_epochs} epochs",
    )
    if model.state is not None:
        _check_state(model)


def _require(right: bool, part: str, wrong: str) -> None:
    if not right:
        raise ValueError(f"{part} {wrong}")


def _check_network(spec: NetworkSpec, network: Network) -> None:
    has = (tuple(network.widths), tuple(network.activations), np.dtype(network.dtype).name)
    says = (spec.widths, spec.activations, spec.dtype)
    _require(has == says, "network", f"is {has}, and network_spec says {says}")


def _check_task(task: Task, spec: NetworkSpec) -> None:
    _require(
        task.name in ("classification", "multilabel", "regression"), "task", f"is {task.name!r}"
    )
    _require(task.loss in _losses.names(), "task", f"has the loss {task.loss!r}")
    _require(task.output in _activations.names(), "task", f"has the output {task.output!r}")
    for name in ("loss_param", "output_param"):
        value = getattr(task, name)
        known = value is None or (
            isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        )
        _require(known, f"task.{name}", f"is {value!r}")
    _require(
        (task.output, task.n_outputs) == (spec.activations[-1], spec.widths[-1]),
        "task",
        f"has {task.n_outputs!r} outputs {task.output!r}, and the network {spec.widths[-1]} of "
        f"{spec.activations[-1]!r}",
    )
    classes = task.classes
    if task.name == "regression":
        _require(classes is None, "task", "has classes, and is a regression")
        return
    vector = isinstance(classes, np.ndarray) and classes.ndim == 1
    _require(vector, "task.classes", "is no vector")
    assert classes is not None
    alone = task.name == "classification" and len(classes) == 2
    _require(
        len(classes) == task.n_outputs or (alone and task.n_outputs == 1),
        "task",
        f"has {len(classes)} classes and {task.n_outputs} outputs",
    )
    try:
        ascending = all(a < b for a, b in zip(classes.tolist(), classes.tolist()[1:]))
    except TypeError as error:
        raise ValueError(f"task.classes cannot be compared: {error}") from None
    _require(ascending, "task.classes", "is not in ascending order")


def _check_features(model: Model) -> None:
    names, n = model.feature_names, model.n_features
    if names is not None:
        _require(isinstance(names, np.ndarray), "feature_names", "is no array")
        _require(names.shape == (n,), "feature_names", f"has the shape {names.shape}, not ({n},)")
    for name, width in (("X", n), ("y", model.task.n_outputs)):
        seen = getattr(model.seen, name)
        fits = seen is None or (isinstance(seen, np.ndarray) and seen.shape == (2, width))
        _require(fits, f"seen.{name}", f"is no array of shape (2, {width})")
    first = model.first_rows
    if first is not None:
        _require(np.shape(first.X)[1:] == (n,), "first_rows", f"have no {n} features")
        _check_network(model.network_spec, first.network)
    if model.scaling is not None:
        known = model.scaling.kind in ("", "auto", *SCALINGS)
        _require(known, "scaling", f"is {model.scaling.kind!r}")
        _check_vectors("scaling", model.scaling, ("shift", "factor"), n)


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


def _check_history(name: str, past: Past) -> None:
    for columns, length in past.parts:
        for column, entries in columns.items():
            _require(len(entries) >= length, name, f"has {len(entries)} of {length} {column!r}")


def _check_state(model: Model) -> None:
    state, spec = model.state, model.training_spec
    assert state is not None
    backend = str(state.get("backend"))
    _require(backend in BACKENDS, "state", f"is of the backend {backend!r}")
    if state.get("optimizer") == spec.optimizer:
        BACKENDS[backend].trainer(spec, model.network.copy(), threads=1).restore(state)
    else:
        _require(is_whole(state.get("epochs")), "state", f"has {state.get('epochs')!r} epochs")
