"""What a file holds of a fitted `Model`: a codec for each part of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core import _activations, _losses
from cnn_core._network import Network
from cnn_core.causes.seen import Rules, Seen
from cnn_core.conformal import KINDS, Calibration
from cnn_core.data.scaling import SCALINGS, Scaling
from cnn_core.data.target_scaling import TargetScaling
from cnn_core.exceptions import ModelFormatError
from cnn_core.files.codecs import (
    ByName,
    Codec,
    Flag,
    Flags,
    List,
    Numbers,
    Optional,
    Real,
    Record,
    Row,
    Tensor,
    Tensors,
    Text,
    Whole,
    fail,
)
from cnn_core.files.values import Labels, Memory
from cnn_core.history import Past
from cnn_core.model import Model
from cnn_core.optimizers import OPTIMIZERS
from cnn_core.spec import NetworkSpec, TrainingSpec
from cnn_core.task import Task
from cnn_core.training.backends import BACKENDS, make_network
from cnn_core.training.stopping import REASONS

if TYPE_CHECKING:
    from cnn_core.data.stream import StreamRows
    from cnn_core.training.first_rows import FirstRows


class Spec(Codec):
    """A `NetworkSpec` or a `TrainingSpec`, as their `to_dict` has it."""

    def __init__(self, kind: type[NetworkSpec] | type[TrainingSpec]) -> None:
        self.kind = kind

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        written: dict[str, Any] = value.to_dict()
        return written

    def read(self, json: Any, where: str, tensors: Tensors) -> Any:
        try:
            return self.kind.from_dict(json)
        except (ValueError, TypeError, OverflowError) as error:
            raise ModelFormatError(f"{where}: {error}") from None


class Parameters(Codec):
    """A network. W and b of layer l are the tensors ``{2 l}.weight``, shape (n_out, n_in), and
    ``{2 l}.bias``: those of PyTorch's ``Sequential(Linear, activation, Linear, ...)``. The vectors
    of the i-th embedded column are ``embedding.{i}.weight``, shape (categories, width), as those of
    a ``ModuleList`` of ``Embedding`` named `embedding`; the parameters of periodic embeddings are
    ``periodic.w``, ``periodic.c``, ``periodic.V`` and ``periodic.d``, a row for each column."""

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        spec, network = value
        for l in range(network.n_layers):
            tensors[f"{2 * l}.weight"] = network.weights(l)
            if spec.bias:
                tensors[f"{2 * l}.bias"] = network.bias(l)
        for i in range(network.n_tables):
            tensors[f"embedding.{i}.weight"] = network.vectors(i)
        if network.periodic:
            for name, values in zip("wcVd", network.periodic_parameters()):
                tensors[f"periodic.{name}"] = values
        return Spec(NetworkSpec).write(spec, where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> tuple[NetworkSpec, Network]:
        spec = Spec(NetworkSpec).read(json, where, tensors)
        layers = []
        for l, (n_in, n_out) in enumerate(zip(spec.widths, spec.widths[1:])):
            W = take(tensors, f"{2 * l}.weight", (n_out, n_in), spec.dtype)
            b = take(tensors, f"{2 * l}.bias", (n_out,), spec.dtype) if spec.bias else None
            layers.append((W, b))
        tables = [
            take(tensors, f"embedding.{i}.weight", shape, spec.dtype)
            for i, shape in enumerate(spec.embeddings)
        ]
        try:
            network = make_network(spec)
        except ValueError as error:
            raise ModelFormatError(f"{where}: {error}") from None
        for l, (W, b) in enumerate(layers):
            network.set_layer(l, W, np.zeros(len(W), spec.dtype) if b is None else b)
        for i, table in enumerate(tables):
            network.vectors(i)[:] = table
        if network.periodic:
            shapes = [values.shape for values in network.periodic_parameters()]
            network.set_periodic(
                *(
                    take(tensors, f"periodic.{name}", shape, spec.dtype)
                    for name, shape in zip("wcVd", shapes)
                )
            )
        return spec, network


def take(tensors: Tensors, name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """A tensor that must be there, of this shape and dtype; it is taken out."""
    if name not in tensors:
        raise ModelFormatError(f"the tensor {name!r} is missing")
    array = tensors.pop(name)
    if array.shape != shape or array.dtype != dtype:
        raise ModelFormatError(
            f"the tensor {name!r} must be of {dtype} and of shape {shape}, got {array.dtype} and "
            f"{array.shape}"
        )
    return array


class History(Codec):
    """A `Past`."""

    entries = List(Real(finite=False))
    rest = Record(
        dict,
        {
            "streamed": Whole(),
            "gaps": List(Row(Whole(), Whole(1)), tuple),
            "memory": Memory(),
            "covered": Whole(),
        },
    )

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        columns = {name: self.entries.write(value[name], where, tensors) for name in value.names}
        return {"columns": columns, **self.rest.write(value, where, tensors)}

    def read(self, json: Any, where: str, tensors: Tensors) -> Past:
        if not isinstance(json, dict) or not isinstance(json.get("columns"), dict):
            fail(where, json, "an object with 'columns'")
        read = self.entries.read
        columns = {
            name: read(entries, f"{where}.{name[:50]}", tensors)
            for name, entries in json["columns"].items()
        }
        rest = self.rest.read({k: v for k, v in json.items() if k != "columns"}, where, tensors)
        length, streamed = len(next(iter(columns.values()), ())), rest.pop("streamed")
        if any(len(entries) != length for entries in columns.values()):
            raise ModelFormatError(f"{where}: its columns differ in length")
        if max(streamed, rest["covered"], *(at for at, _ in rest["gaps"]), 0) > length:
            raise ModelFormatError(f"{where} counts more entries than its {length}")
        first = length - streamed
        parts = (
            ({name: entries[:first] for name, entries in columns.items()}, first),
            ({name: entries[first:] for name, entries in columns.items()}, streamed),
        )
        return Past([part for part in parts if part[1]], tuple(columns), streamed, **rest)


class State(Codec):
    """What a trainer goes on from: the optimizer's counts, slots and numbers."""

    def _record(self, backend: str, optimizer: str) -> Record:
        tensor = Tensor("ndarray" if backend == "native" else "list")
        fields: dict[str, Codec] = {
            "backend": Text(*BACKENDS),
            "optimizer": Text(*OPTIMIZERS),
            "epochs": Whole(),
            "steps": Whole(),
        }
        if optimizer == "lbfgs":
            fields["pairs"] = List(Row(tensor, tensor, Real()))
        else:
            fields["slots"] = List(tensor)
            numbers = List(Real(finite=False))
            fields["numbers"] = numbers if backend == "native" else ByName(Real(finite=False))
        return Record(dict, fields, get=lambda state: state)

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        return self._record(value["backend"], value["optimizer"]).write(value, where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        if not isinstance(json, dict):
            fail(where, json, "an object")
        kind = (str(json.get("backend")), str(json.get("optimizer")))
        state: dict[str, Any] = self._record(*kind).read(json, where, tensors)
        return state


class LossNumber(Codec):
    """The number of a loss, or a list of its quantiles."""

    number, several = Real(), List(Real(), tuple)

    def write(self, value: Any, where: str, tensors: Tensors) -> Any:
        return (self.several if isinstance(value, tuple) else self.number).write(
            value, where, tensors
        )

    def read(self, json: Any, where: str, tensors: Tensors) -> Any:
        return (self.several if isinstance(json, list) else self.number).read(json, where, tensors)


TASK = Record(
    Task,
    {
        "name": Text("classification", "multilabel", "regression"),
        "loss": Text(*_losses.names()),
        "output": Text(*_activations.names()),
        "n_outputs": Whole(1),
        "classes": Optional(Labels()),
        "loss_param": Optional(LossNumber()),
        "output_param": Optional(Real()),
        "flat": Flag(),
        "one_hot": Flag(),
    },
)


class Matrix(Codec):
    """A few rows of float64."""

    rows = List(Numbers())

    def write(self, value: Any, where: str, tensors: Tensors) -> list[Any]:
        return self.rows.write(value, where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> np.ndarray:
        rows = self.rows.read(json, where, tensors)
        if not rows or len({len(row) for row in rows}) > 1:
            fail(where, json, "rows of the same length")
        return np.array(rows)


SCALING = Record(
    Scaling,
    {
        "shift": Numbers(),
        "factor": Numbers(),
        "kind": Text("", "auto", *SCALINGS),
        "constant": Optional(Flags()),
        "reason": Text(),
        "kept": Optional(Matrix()),
    },
    {"kept": None},
)

TARGET_SCALING = Record(
    TargetScaling,
    {
        "factor": Numbers(),
        "shift": Numbers(),
        "low": Numbers(finite=False),
        "high": Numbers(finite=False),
        "constant": Optional(Flags()),
        "robust": Flag(),
        "recent": Optional(Matrix()),
        "predicted": Optional(Matrix()),
        "tracked": Optional(Matrix()),
    },
    {"recent": None, "predicted": None, "tracked": None},
)


class Rows(Codec):
    """The `FirstRows` of a stream, but for the object of their network, whose parameters stand
    there."""

    fields = Record(
        dict,
        {
            "rows": Whole(1),
            "X": Tensor(),
            "y": Labels(),
            "columns": Optional(Whole(1)),
            "weights": Optional(Numbers()),
            "network": Tensor(),
        },
        get=lambda values: values,
    )

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        y = value.y
        values = {
            "rows": len(value.X),
            "X": value.X.ravel(),
            "y": y.ravel(),
            "columns": None if y.ndim == 1 else y.shape[1],
            "weights": value.weights,
            "network": value.network.flat(),
        }
        return self.fields.write(values, where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> FirstRows:
        values = self.fields.read(json, where, tensors)
        rows, X, y, weights = (values[name] for name in ("rows", "X", "y", "weights"))
        if X.size % rows or len(y) != rows * (values["columns"] or 1):
            raise ModelFormatError(f"{where}: X and y have no {rows} rows")
        if weights is not None and weights.shape != (rows,):
            raise ModelFormatError(f"{where}: there are {len(weights)} weights of {rows} rows")
        if values["columns"]:
            y = y.reshape(rows, -1)
        from cnn_core.training.first_rows import FirstRows  # few files hold any

        return FirstRows(X.reshape(rows, -1), y, weights, values["network"])


class Sample(Codec):
    """The `StreamRows` of a stream."""

    fields = Record(
        dict,
        {
            "total": Whole(),
            "since": Whole(),
            "columns": Whole(2),
            "kept": Tensor(),
            "last": Tensor(),
            "held": Whole(),
            "marks": List(Numbers(finite=False)),
            "check": Whole(),
            "follows": Flag(),
            "levels": Optional(Matrix()),
        },
        get=lambda values: values,
    )

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        values = value._asdict() | {"kept": value.kept.ravel(), "last": value.last.ravel()}
        values |= {"columns": value.kept.shape[1], "marks": list(value.marks)}
        return self.fields.write(values, where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> StreamRows:
        from cnn_core.data.stream import MARKS, StreamRows  # few files hold any

        values = self.fields.read(json, where, tensors)
        n = values.pop("columns")
        kept, last, marks = (values.pop(name) for name in ("kept", "last", "marks"))
        right = all(len(one) == n - 1 for one in marks) and not (kept.size % n or last.size % n)
        if len(marks) != MARKS or not right:
            raise ModelFormatError(f"{where}: it has no rows of {n} columns")
        kept, last = kept.reshape(-1, n), last.reshape(-1, n)
        return StreamRows(kept=kept, last=last, marks=np.array(marks), **values)


class Pair(Codec):
    """Two vectors of float64 of the same length, in one array."""

    vectors = Row(Numbers(finite=False), Numbers(finite=False))

    def write(self, value: Any, where: str, tensors: Tensors) -> list[Any]:
        return self.vectors.write(value, where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> np.ndarray:
        first, second = self.vectors.read(json, where, tensors)
        if len(first) != len(second):
            raise ModelFormatError(f"{where}: its two lists differ in length")
        return np.array([first, second])


SEEN = Record(
    Seen,
    {
        "rows": Whole(),
        "y": Optional(Pair()),
        "X": Optional(Pair()),
        "rules": Record(
            Rules,
            {
                "early_stopping": Flag(),
                "min_delta": Real(),
                "tol": Optional(Real()),
                "patience": Whole(),
            },
        ),
        "begin": List(Text(), tuple),
        "diverged": Text(),
        "outlier": Text(),
        "validation": List(Text(), tuple),
        "absent": List(Whole(), tuple),
        "last": Whole(),
        "pending": Text(),
        "targets": List(Text(), tuple),
        "quartiles": Optional(Pair()),
        "distinct": Whole(),
        "validated": Whole(),
        "changed": Text(),
        "missing": List(Text(), tuple),
        "rehearsed": Whole(),
    },
    {
        "outlier": "",
        "validation": (),
        "absent": (),
        "last": 0,
        "pending": "",
        "targets": (),
        "quartiles": None,
        "distinct": 0,
        "validated": 0,
        "changed": "",
        "missing": (),
        "rehearsed": 0,
    },
)


class _Columns(Codec):
    """`Columns`, whose codecs are imported where a model has any."""

    def write(self, value: Any, where: str, tensors: Tensors) -> Any:
        from cnn_core.files.columns import COLUMNS

        return COLUMNS.write(value, where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> Any:
        from cnn_core.files.columns import COLUMNS

        return COLUMNS.read(json, where, tensors)


class Calibrated(Codec):
    """A `Calibration`."""

    fields = Record(
        dict,
        {
            "kind": Text(*KINDS),
            "outputs": Whole(1),
            "pairs": Whole(1),
            "scores": Numbers(finite=False),
        },
        get=lambda values: values,
    )

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        outputs, pairs, _ = value.scores.shape
        values = {
            "kind": value.kind,
            "outputs": outputs,
            "pairs": pairs,
            "scores": value.scores.ravel(),
        }
        return self.fields.write(values, where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> Calibration:
        values = self.fields.read(json, where, tensors)
        shape, scores = (values["outputs"], values["pairs"]), values["scores"]
        if not len(scores) or len(scores) % (shape[0] * shape[1]):
            raise ModelFormatError(f"{where}: {len(scores)} scores are none of shape {shape}")
        return Calibration(values["kind"], scores.reshape(*shape, -1))


CALIBRATION = Optional(Calibrated())


def _values(model: Model) -> Mapping[str, Any]:
    return vars(model) | {"network": (model.network_spec, model.network)}


def _model(network: tuple[NetworkSpec, Network], first_rows: Any, **fields: Any) -> Model:
    from cnn_core.model_checks import check_model

    if first_rows is not None:
        before = network[1].copy()
        before.set_flat(first_rows.network)
        first_rows = first_rows._replace(network=before)
    model = Model(network_spec=network[0], network=network[1], first_rows=first_rows, **fields)
    check_model(model)
    return model


#: A model; its tensors are W and b of each layer, and the slots of `state`.
MODEL = Record(
    _model,
    {
        "network": Parameters(),
        "training_spec": Spec(TrainingSpec),
        "task": TASK,
        "feature_names": Optional(Labels()),
        "scaling": Optional(SCALING),
        "target_scaling": Optional(TARGET_SCALING),
        "seed": Whole(0, 1 << 64),
        "baseline": Real(finite=False),
        "history": History(),
        "step_history": History(),
        "best_epoch": Optional(Whole(1)),
        "converged": Flag(),
        "weighted": Flag(),
        "ended": Text("", *REASONS),
        "stream": Optional(List(Whole(), tuple)),
        "state": Optional(State()),
        "first_rows": Optional(Rows()),
        "seen": SEEN,
        "columns": Optional(_Columns()),
        "watched": Text(),
        "stream_rows": Optional(Sample()),
        "calibration": CALIBRATION,
    },
    {"columns": None, "watched": "val_loss", "stream_rows": None, "calibration": None},
    get=_values,
)
