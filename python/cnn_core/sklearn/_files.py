"""What a file holds of scikit-learn's estimators, fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer

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
from cnn_core.files.schema import CALIBRATION, State
from cnn_core.files.values import Labels, Parameter, Stream
from cnn_core.optimizers import OPTIMIZERS
from cnn_core.sklearn._model import ABSENT, FittedModel, OptimizerState
from cnn_core.sklearn._model_checks import check_fitted
from cnn_core.sklearn._parameters import ACTIVATIONS


class _Layers(Codec):
    """`coefs` and `intercepts`, with the names and in the shapes of `schema.Parameters`; the JSON
    has the number of layers."""

    def write(self, value: Any, where: str, tensors: Tensors) -> int:
        coefs, intercepts = (list(map(np.asarray, one)) for one in value)
        single = np.result_type(*coefs, *intercepts) == np.float32
        dtype = np.float32 if single else np.float64  # in which predictions are computed
        for l, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
            tensors[f"{2 * l}.weight"] = W.T.astype(dtype, copy=False)
            tensors[f"{2 * l}.bias"] = b.astype(dtype, copy=False)
        return len(coefs)

    def read(self, json: Any, where: str, tensors: Tensors) -> tuple[list[Any], list[Any]]:
        coefs: list[np.ndarray] = []
        intercepts: list[np.ndarray] = []
        for l in range(Whole(1, 1 + len(tensors)).read(json, where, tensors)):
            for name, arrays in ((f"{2 * l}.weight", coefs), (f"{2 * l}.bias", intercepts)):
                if name not in tensors:
                    raise ModelFormatError(f"the tensor {name!r} is missing")
                arrays.append(np.array(tensors.pop(name).T, order="C"))
        if len({array.dtype for array in (*coefs, *intercepts)}) > 1:
            raise ModelFormatError("weights and biases must be of one dtype")
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


class _Float64(Real):
    """A float of NumPy's."""

    def read(self, json: Any, where: str, tensors: Tensors) -> np.float64:
        return np.float64(super().read(json, where, tensors))

    def read_all(self, json: list[Any], where: str, tensors: Tensors) -> list[Any]:
        return list(map(np.float64, super().read_all(json, where, tensors)))


_FLOATS = List(Real(finite=False))
_LOSS = _Float64(finite=False)

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
    "loss": _LOSS,
    "loss_curve": List(_LOSS),
    "best_loss": Optional(_LOSS),
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
    "calibration": CALIBRATION,
}


_DEFAULTS = {name: FittedModel._defaults[name] for name in _FIELDS}


class _Fields(Record):
    """A record whose fields may be absent."""

    def write(self, value: Any, where: str, tensors: Tensors) -> dict[str, Any]:
        there = {name: codec for name, codec in self.fields.items() if value[name] is not ABSENT}
        return Record(dict, there, get=lambda one: one).write(value, where, tensors)


def _values(model: FittedModel) -> Mapping[str, Any]:
    return {**vars(model), "layers": (model.coefs, model.intercepts)}


class _Model(Codec):
    """A `FittedModel`."""

    record = _Fields(dict, {"layers": _Layers(), **_FIELDS}, _DEFAULTS)

    def write(self, value: Any, where: str, tensors: Tensors) -> Any:
        return self.record.write(_values(value), where, tensors)

    def read(self, json: Any, where: str, tensors: Tensors) -> FittedModel:
        values = self.record.read(json, where, tensors)
        coefs, intercepts = values.pop("layers")
        model = FittedModel(coefs=coefs, intercepts=intercepts, **values)
        try:
            check_fitted(model)
        except (ValueError, TypeError) as error:
            raise ModelFormatError(str(error)) from None
        return model


MODEL = _Model()
