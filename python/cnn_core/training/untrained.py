"""The network before its first step, from data or from sizes alone."""

from __future__ import annotations

import functools
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._frozen import replace
from cnn_core.constraints.allowed import check_task
from cnn_core.constraints.bounds import bounds_of, check_within
from cnn_core.data.distinct import have_three_values
from cnn_core.data.targets import encode_labels
from cnn_core.data.validation import as_numbers, check_finite
from cnn_core.embeddings import get_numeric_embedding
from cnn_core.history import Past
from cnn_core.initializers import (
    Initializer,
    initialize,
    initialize_periodic,
    reads_rows,
    sample_of_rows,
)
from cnn_core.model import Model
from cnn_core.parameters import count, draw_seed
from cnn_core.spec import Embeddings, NetworkSpec, Periodic, TrainingSpec
from cnn_core.task import Task
from cnn_core.task_of_y import infer_task
from cnn_core.training.backends import make_network
from cnn_core.training.history import OF_THE_LOOP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from cnn_core.columns.columns import Columns
    from cnn_core.data.prepare import Prepared


def network_spec(
    p: SimpleNamespace,
    task: Task,
    n_features: int,
    embeddings: Embeddings = (),
    periodic: Periodic = (),
) -> NetworkSpec:
    """The network that the parameters describe; the last features may be embedded, and some of the
    others periodically."""
    names, params = zip(*p.activations, (task.output, task.output_param))
    n_inputs = n_features + sum(width - 1 for _, width in embeddings)
    if periodic:
        n_inputs += len(periodic[0]) * periodic[2]
    widths = n_inputs, *p.widths, task.n_outputs * task.heads
    return _network_spec(widths, names, params, p.dtype_name, bool(p.bias), embeddings, periodic)


def periodic_of(p: SimpleNamespace, features: Sequence[int] | np.ndarray) -> Periodic:
    """The periodic embeddings of some features that the parameters ask for."""
    kind = get_numeric_embedding(p.numeric_embedding)
    if kind is None or not len(features):
        return ()
    return tuple(map(int, features)), int(kind.frequencies), int(kind.width)


@functools.lru_cache(maxsize=64)  # each call of a stream asks for the same
def _network_spec(*fields: Any) -> NetworkSpec:
    return NetworkSpec(*fields)


def numeric_features(p: SimpleNamespace, data: Prepared, streams: bool) -> np.ndarray | None:
    """The features that a periodic embedding can tell something of: numbers of the table that have
    three values or more in the training rows, as any function of two is linear; of the first rows
    of a stream, all."""
    if p.numeric_embedding is None:
        return None
    n = data.n_features - (0 if data.columns is None else len(data.columns.embeddings))
    measured = np.ones(n, bool) if data.columns is None else data.columns.measured[:n].copy()
    if not streams:
        if data.ranks is not None:
            measured &= data.ranks.have_three_values(data.train)[:n]
        else:
            rows = data.train if data.blocks is None else data.blocks.sample
            measured &= have_three_values(rows.X)[:n]
    return np.flatnonzero(measured)


def constraints_of(
    p: SimpleNamespace,
    n_features: int,
    columns: Columns | None = None,
    names: np.ndarray | None = None,
) -> dict[str, tuple[int, ...]]:
    """What the parameters promise of the inputs of the first layer, as fields of a
    `TrainingSpec`."""
    if not p.monotone and not p.convex:
        return {}
    from cnn_core.constraints.inputs import signs_of_inputs

    embeddings = () if columns is None else columns.embeddings
    widths = n_features, n_features + sum(width - 1 for _, width in embeddings)
    return {
        name: signs_of_inputs(name, declared, columns, names, widths)
        for name, declared in (("monotone", p.monotone), ("convex", p.convex))
    }


def training_spec(
    p: SimpleNamespace, task: Task, rows: int, seed: int, **constraints: tuple[int, ...]
) -> TrainingSpec:
    """The training that the parameters describe."""
    whole = p.batch_size == "full" or p.rule.full_batch
    return _training_spec(
        tuple(p.rule.settings(p.schedule.initial).items()),
        loss=task.loss,
        loss_param=task.loss_param,
        optimizer=p.rule.name,
        batch_size=rows if whole else min(int(p.batch_size), rows),
        seed=seed,
        l1=float(p.l1),
        l2=float(p.l2),
        dropout=p.rates,
        clip_norm=float(p.clip_norm or 0),
        max_norm=float(p.max_norm or 0),
        rate_factors=p.rate_factors_of_groups,
        decay_factors=p.decay_factors_of_groups,
        alpha_dropout=bool(p.alpha_dropout),
        shards=int(p.shards),
        multilabel=task.name == "multilabel",
        **constraints,
    )


@functools.lru_cache(maxsize=64)
def _training_spec(settings: tuple[tuple[str, float], ...], **fields: Any) -> TrainingSpec:
    return TrainingSpec(settings=dict(settings), **fields)


def untrained(
    p: SimpleNamespace,
    task: Task,
    spec: TrainingSpec,
    n_features: int,
    data: Prepared | None = None,
    measured: Sequence[int] | np.ndarray | None = None,
    **of_data: Any,
) -> Model:
    """The model with its initial weights. Of `data` come the rows that weights are fitted to;
    `measured`: the features that are numbers, all where it is None; `of_data` are further fields of
    it."""
    columns = of_data.get("columns")
    embeddings = () if columns is None else columns.embeddings
    periodic = periodic_of(p, range(n_features) if measured is None else measured)
    shape = network_spec(p, task, n_features, embeddings, periodic)
    network = make_network(shape)
    bounds = bounds_of(network, spec)
    if not isinstance(p.init, (str, Initializer)):
        _check_layers(p.init, shape)
        check_within(bounds, [W for W, _ in p.init], "init")
    kind = get_numeric_embedding(p.numeric_embedding)
    if periodic and kind is not None:
        initialize_periodic(network, kind.scale, spec.seed)
    initialize(network, p.init, spec.seed, rows_for(p.init, shape, data), bounds)
    fields = {"feature_names": None, "scaling": None} | of_data
    history = Past(names=("loss", "metric", *OF_THE_LOOP))
    return Model(
        network_spec=shape,
        training_spec=spec,
        network=network,
        task=task,
        seed=spec.seed,
        history=history,
        **fields,
    )


def rows_for(init: object, shape: NetworkSpec, data: Prepared | None) -> np.ndarray | None:
    """Some of the rows that are trained on, as the network reads them, for an `init` that is fitted
    to rows; None for others. Rows of the weight 0 are none of them, all others count alike."""
    if data is None or not reads_rows(init):
        return None
    train = data.train if data.blocks is None else data.blocks.sample
    counting = np.arange(train.X.count)
    if train.weights is not None:
        counting = counting[train.weights.rows()[:, 0] > 0]
    chosen = counting[sample_of_rows(data.seed, len(counting), max(shape.widths))]
    if data.ranks is not None:
        return data.ranks.rows_at(train, chosen)
    rows: np.ndarray = train.X.array[chosen if train.X.indices is None else train.X.indices[chosen]]
    return rows


def fitted_anew(p: SimpleNamespace, model: Model, data: Prepared) -> Model:
    """The model of a stream before its first row, whose layers are fitted to the rows that have
    come in the meantime, where `init` asks for it."""
    rows = rows_for(p.init, model.network_spec, data)
    if rows is None:
        return model
    network = model.network.copy()
    initialize(network, p.init, model.seed, rows, bounds_of(network, model.training_spec))
    return replace(model, network=network)


def from_sizes(
    p: SimpleNamespace, n_features: int | None, n_outputs: int | None, classes: ArrayLike | None
) -> Model:
    """The untrained model, as `MLP.initialize` makes it without data."""
    for name in ("scale_inputs", "scale_targets", "clip_outputs"):
        value = getattr(p, name)
        if value not in (None, "auto", False):
            raise ValueError(f"{name}={value!r} is learned from rows; give initialize X and y")
    if not isinstance(p.init, (str, Initializer)):
        n_features, n_outputs = _sizes_of(p.init, n_features, n_outputs, classes)
    for name, size in (("n_features", n_features), ("n_outputs", n_outputs)):
        if size is not None:
            count()(name, size)
    if n_features is None:
        raise ValueError("initialize needs X and y, or n_features with classes or n_outputs")
    task = _task_of_sizes(p, n_outputs, classes)
    rows = 1 if p.batch_size == "full" else int(p.batch_size)
    constraints = constraints_of(p, int(n_features))
    check_task(p, task)
    spec = training_spec(p, task, rows, draw_seed(p.random_state), **constraints)
    return untrained(p, task, spec, int(n_features), baseline=math.nan)


def _sizes_of(
    layers: Any, n_features: int | None, n_outputs: int | None, classes: ArrayLike | None
) -> tuple[int | None, int | None]:
    """The sizes that a list of (W, b) has, in the place of those that are not given."""
    try:
        inputs, outputs = np.shape(layers[0][0])[1], np.shape(layers[-1][0])[0]
    except (TypeError, ValueError, LookupError):  # `_check_layers` says what is wrong
        return n_features, n_outputs
    if n_outputs is None and classes is None:
        n_outputs = outputs
    return inputs if n_features is None else n_features, n_outputs


def _task_of_sizes(p: SimpleNamespace, n_outputs: int | None, classes: ArrayLike | None) -> Task:
    """What outputs mean of which only the number, or the classes, is known: that of a y that would
    have been given."""
    y: np.ndarray
    name, known = p.task, None
    if classes is not None:
        if n_outputs is not None:
            raise ValueError("initialize takes classes or n_outputs, got both")
        if name == "regression":
            raise ValueError("classes are for classification, but task is 'regression'")
        name, y = "classification", np.asarray(classes)
        known = encode_labels(classes, name="classes")[0]
    elif n_outputs is None:
        raise ValueError("initialize without X and y needs classes, or n_outputs for a regression")
    elif name == "classification":
        if n_outputs == 1:
            raise ValueError(
                "one output may be one label or the second of two classes; name the classes, such "
                "as classes=[0, 1]"
            )
        y = np.zeros((2, n_outputs), int)
    else:
        name, y = "regression", np.zeros((2, n_outputs) if n_outputs > 1 else 2)
    output, smoothing = p.output_activation, float(p.label_smoothing)
    return infer_task(y, name, p.loss, output, smoothing, known, p.class_weight)[0]


def _check_layers(layers: Any, spec: NetworkSpec) -> None:
    """Raise for an `init` that does not give each layer its (W, b)."""
    shapes = [(n_out, n_in) for n_in, n_out in zip(spec.widths, spec.widths[1:])]
    try:
        if not spec.bias:
            layers = [(W, np.zeros(len(W)) if b is None else b) for W, b in layers]
        given = [tuple(np.shape(part) for part in pair) for pair in layers]
    except (TypeError, ValueError):
        raise TypeError(
            f"init must be a name, an Initializer or a list of (W, b), got {layers!r}"
        ) from None
    if given != [(shape, shape[:1]) for shape in shapes]:
        wanted = ", ".join(f"({shape}, {shape[:1]})" for shape in shapes)
        raise ValueError(f"init must give each layer (W, b) of the shapes {wanted}; got {given}")
    names = [*(f"hidden {l}" for l in range(1, len(shapes))), "output"]
    for layer, pair in enumerate(layers):
        for part, values in zip("Wb", pair):
            name = f"{part} of init's {names[layer]}"
            check_finite(name, as_numbers(name, values), spec.dtype)
