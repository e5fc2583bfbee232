"""What a file holds of scikit-learn's estimators, fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer

from cnn_core._names import choose
from cnn_core.exceptions import ModelFormatError
from cnn_core.files.codecs import (
    Codec,
    List,
    Optional,
    Real,
    Record,
    Tensors,
    Text,
    Whole,
)
from cnn_core.files.schema import State
from cnn_core.files.values import Labels, Parameter, Stream
from cnn_core.optimizers import OPTIMIZERS
from cnn_core.sklearn._model import ABSENT, FittedModel, OptimizerState
from cnn_core.sklearn._parameters import ACTIVATIONS
from cnn_core.sklearn._weights import check_shapes


class _Layers(Codec):
    """`coefs` and `intercepts`, with the names and in the shapes of `schema.Parameters`; the JSON
    has the number of layers."""

    def write(self, value: Any, where: str, tensors: Tensors) -> int:
        coefs, intercepts = value
        for l, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
            tensors[f"{2 * l}.weight"], tensors[f"{2 * l}.bias"] = np.asarray(W).T, np.asarray(b)
        return len(coefs)

    def read(self, json: Any, where: str, tensors: Tensors) -> tuple[list[Any], list[Any]]:
        coefs: list[np.ndarray] = []
        intercepts: list[np.ndarray] = []
        for l in range(Whole(1, 1 + len(tensors)).read(json, where, tensors)):
            for name, arrays in ((f"{2 * l}.weight", coefs), (f"{2 * l}.bias", intercepts)):
                if name not in tensors:
                    raise ModelFormatError(f"the tensor {name!r} is missing")
                arrays.append(np.array(tensors.pop(name).T, order="C"))
        return coefs, intercepts


class _NativeState(Codec):
    """The state of a native trainer."""

    def write(self, value: Any, where: str, tensors: Tensors) -> Any:
        return State().write({**value, "backend": "native"}, where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        state = State().read(json, where, tensors)
        del state["backend"]
        return state


class _Binarizer(Codec):
    """A `LabelBinarizer`: the kind of y and the labels."""

    kinds = ("binary", "multiclass", "multilabel-indicator")
    fields = Record(dict, {"y_type": Text(*kinds), "classes": Labels()}, get=lambda values: values)

    def write(self, value: Any, where: str, tensors: Tensors) -> Any:
        values = {"y_type": value.y_type_, "classes": value.classes_}
        return self.fields.write(values, where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> LabelBinarizer:
        values = self.fields.read(json, where, tensors)
        found = LabelBinarizer()
        found.y_type_, found.classes_, found.sparse_input_ = (
            values["y_type"],
            values["classes"],
            False,
        )
        return found


_FLOATS = List(Real(finite=False))
_LOSS = List(Real(finite=False), lambda losses: [np.float64(loss) for loss in losses])

_OPTIMIZER = Record(
    OptimizerState,
    {
        "name": Text(*OPTIMIZERS),
        "learning_rate": Real(),
        "epochs": Whole(),
        "seed": Whole(),
        "state": Optional(_NativeState()),
    },
)

#: The fields of a model but its weights. Those that the model does not have are not in the file.
_FIELDS: dict[str, Codec] = {
    "loss": Real(finite=False),
    "loss_curve": _LOSS,
    "best_loss": Optional(Real(finite=False)),
    "validation_scores": Optional(_FLOATS),
    "best_validation_score": Optional(Real(finite=False)),
    "n_iter": Whole(),
    "t": Whole(),
    "n_layers": Whole(2),
    "n_outputs": Whole(1),
    "out_activation": Text(*sorted(ACTIVATIONS)),
    "n_features_in": Whole(1),
    "feature_names_in": Labels(),
    "classes": Labels(),
    "label_binarizer": _Binarizer(),
    "activations": List(Parameter()),
    "no_improvement_count": Whole(),
    "optimizer": Optional(_OPTIMIZER),
    "stream": Optional(Stream()),
}


class _Fields(Record):
    """A record whose fields may be absent."""

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        there = {name: codec for name, codec in self.fields.items() if value[name] is not ABSENT}
        return Record(dict, there, get=lambda one: one).write(value, where, tensors)


def _values(model: FittedModel) -> Mapping[str, Any]:
    return {**vars(model), "layers": (model.coefs, model.intercepts)}


class _Model(Codec):
    """A `FittedModel`."""

    record = _Fields(dict, {"layers": _Layers(), **_FIELDS}, dict.fromkeys(_FIELDS, ABSENT))

    def write(self, value: Any, where: str, tensors: Tensors) -> Any:
        return self.record.write(_values(value), where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> FittedModel:
        values = self.record.read(json, where, tensors)
        coefs, intercepts = values.pop("layers")
        if values["loss"] is not ABSENT:
            values["loss"] = np.float64(values["loss"])
        try:
            _check(values, coefs, intercepts)
        except (ValueError, TypeError) as error:
            raise ModelFormatError(str(error)) from None
        return FittedModel(coefs=coefs, intercepts=intercepts, **values)


def _check(values: dict[str, Any], coefs: list[np.ndarray], intercepts: list[np.ndarray]) -> None:
    """Raise for parts that do not fit each other."""
    for name in (
        "n_layers",
        "n_outputs",
        "out_activation",
        "n_features_in",
        "activations",
        "n_iter",
        "t",
    ):
        if values[name] is ABSENT:
            raise ValueError(f"the model has no {name!r}")
    if any(W.ndim != 2 for W in coefs) or any(b.ndim != 1 for b in intercepts):
        raise ValueError("weights must have two dimensions, and biases one")
    if len({array.dtype for array in (*coefs, *intercepts)}) > 1:
        raise ValueError("weights and biases must be of one dtype")
    widths = check_shapes(coefs, intercepts, len(values["activations"]), values["n_features_in"])
    if (len(widths), widths[-1]) != (values["n_layers"], values["n_outputs"]):
        raise ValueError(
            f"the weights are of widths {widths}, and n_layers is {values['n_layers']}"
        )
    for one in values["activations"]:
        if isinstance(one, str):
            choose("activation", one, tuple(sorted(ACTIVATIONS)))
    names = values["feature_names_in"]
    if names is not ABSENT and names.shape != (widths[0],):
        raise ValueError(f"there are {len(names)} feature names and {widths[0]} features")
    binarizer, classes = values["label_binarizer"], values["classes"]
    if (binarizer is ABSENT) != (classes is ABSENT):
        raise ValueError("there are classes, or a label_binarizer, without the other")
    if classes is not ABSENT:
        outputs = 1 if binarizer.y_type_ == "binary" else len(classes)
        if binarizer.classes_.tolist() != classes.tolist() or outputs != widths[-1]:
            raise ValueError(
                f"the classes do not fit {widths[-1]} outputs of {binarizer.y_type_!r}"
            )


MODEL = _Model()
