"""Whether the parts of a fitted model of scikit-learn's estimators, from a file or a pickle, fit
each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer

from cnn_core._checks import check_number, is_whole
from cnn_core._names import choose
from cnn_core._optimizer import Optimizer, optimizer_names, optimizer_settings
from cnn_core.activations import Activation
from cnn_core.model_checks import check_calibration
from cnn_core.sklearn._model import ABSENT, FittedModel, OptimizerState
from cnn_core.sklearn._parameters import ACTIVATIONS
from cnn_core.sklearn._weights import check_shapes, make_network
from cnn_core.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable

#: The most that a count can be: that of int64.
_MOST = 1 << 63

#: What every model has.
_NEEDED = ("n_layers", "n_outputs", "out_activation", "n_features_in", "activations", "n_iter", "t")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return is_whole(value) and 0 <= value < _MOST


def _optional(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _all(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _is_vector(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 1


_RIGHT: dict[str, Callable[[Any], bool]] = {
    "loss": _is_number,
    "loss_curve": _all(_is_number),
    "best_loss": _optional(_is_number),
    "validation_scores": _optional(_all(_is_number)),
    "best_validation_score": _optional(_is_number),
    "n_iter": _is_count,
    "t": _is_count,
    "n_layers": _is_count,
    "n_outputs": _is_count,
    "out_activation": lambda value: isinstance(value, str) and value in ACTIVATIONS,
    "n_features_in": _is_count,
    "feature_names_in": _is_vector,
    "classes": _is_vector,
    "label_binarizer": lambda value: isinstance(value, LabelBinarizer),
    "activations": _all(lambda one: isinstance(one, (str, Activation))),
    "no_improvement_count": _is_count,
    "optimizer": _optional(lambda value: isinstance(value, OptimizerState)),
    "stream": _optional(lambda value: isinstance(value, np.random.mtrand.RandomState)),
}


def check_fitted(model: FittedModel) -> None:
    """Raise for a model that no fit can have left behind.

    Parameters
    ----------
    model : FittedModel

    Raises
    ------
    ValueError, TypeError
        With the part that is wrong.
    """
    for name, right in _RIGHT.items():
        value = getattr(model, name)
        if value is not ABSENT and not right(value):
            raise ValueError(f"{name} cannot be {value!r}"[:200])
    if model.coefs is ABSENT:
        return
    for name in _NEEDED:
        if getattr(model, name) is ABSENT:
            raise ValueError(f"the model has no {name!r}")
    coefs, intercepts = _arrays(model.coefs), _arrays(model.intercepts)
    widths = check_shapes(coefs, intercepts, len(model.activations), model.n_features_in)
    if (len(widths), widths[-1]) != (model.n_layers, model.n_outputs):
        raise ValueError(
            f"the weights are of widths {widths}, and n_layers is {model.n_layers} and n_outputs "
            f"{model.n_outputs}"
        )
    for one in model.activations:
        if isinstance(one, str):
            choose("activation", one, tuple(sorted(ACTIVATIONS)))
    names = model.feature_names_in
    if names is not ABSENT and names.shape != (widths[0],):
        raise ValueError(f"there are {len(names)} feature names and {widths[0]} features")
    _check_classes(model, widths[-1])
    if model.calibration is not ABSENT:
        name = "regression" if model.classes is ABSENT else "classification"
        check_calibration(model.calibration, Task(name, "mse", "identity", widths[-1]))
    if model.optimizer is not None:
        _check_optimizer(model.optimizer, widths, coefs, intercepts)


def _arrays(given: Any) -> list[np.ndarray]:
    """Weights or biases, which users may have changed."""
    if not isinstance(given, (list, tuple)):
        raise TypeError(f"coefs_ and intercepts_ must be lists, got {type(given).__name__}")
    arrays = [np.asarray(one) for one in given]
    for array in arrays:
        if array.dtype.kind not in "biuf":
            raise TypeError(f"coefs_ and intercepts_ must be of numbers, got {array.dtype}")
    return arrays


def _check_classes(model: FittedModel, outputs: int) -> None:
    binarizer, classes = model.label_binarizer, model.classes
    if (binarizer is ABSENT) != (classes is ABSENT):
        raise ValueError("there are classes, or a label_binarizer, without the other")
    if classes is ABSENT:
        return
    own, kind = getattr(binarizer, "classes_", None), getattr(binarizer, "y_type_", None)
    wanted = 1 if kind == "binary" else len(classes)
    if own is None or not _is_vector(own) or own.tolist() != classes.tolist() or wanted != outputs:
        raise ValueError(f"the classes do not fit {outputs} outputs of {kind!r}")


def _check_optimizer(
    optimizer: OptimizerState,
    widths: list[int],
    coefs: list[np.ndarray],
    intercepts: list[np.ndarray],
) -> None:
    choose("optimizer", optimizer.name, (*optimizer_names(), "lbfgs"))
    check_number("optimizer.learning_rate", optimizer.learning_rate, 0)
    if not (_is_count(optimizer.epochs) and _is_count(optimizer.seed)):
        raise ValueError("optimizer.epochs and optimizer.seed must be whole numbers of at least 0")
    if optimizer.state is not None:
        network = make_network(
            widths, ["identity"] * len(coefs), np.result_type(*coefs, *intercepts)
        )
        settings = dict.fromkeys(optimizer_settings(optimizer.name), 0.0)
        Optimizer(network, optimizer.name, settings).check_state(
            optimizer.state, ("epochs", "steps")
        )
