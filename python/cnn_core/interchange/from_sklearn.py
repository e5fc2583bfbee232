"""scikit-learn's fitted MLPs, alone or with scalers around them, as a fitted `MLP`."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from cnn_core._frozen import replace
from cnn_core.causes.seen import Seen
from cnn_core.conformal import Calibration
from cnn_core.exceptions import NotFittedError
from cnn_core.history import Past
from cnn_core.interchange.fitted import fitted
from cnn_core.interchange.moments import take_moments
from cnn_core.interchange.scalers import scaling_of, target_scaling_of
from cnn_core.interchange.settings import ACTIVATIONS, parameters_from_sklearn, rows_of

#: Losses of the drop-in, which has those of MLP beside scikit-learn's.
_LOSSES = {"absolute_error": "mae"}


def from_sklearn(kind: Any, estimator: Any) -> Any:
    """See `MLP.from_sklearn`; `kind` is the class to make."""
    whole = getattr(estimator, "best_estimator_", estimator)  # of a search
    if isinstance(whole, type):
        raise TypeError(
            f"MLP.from_sklearn takes a fitted estimator, got the class {whole.__name__}"
        )
    regressor, targets = _without_targets(whole)
    steps, net = _without_scalers(regressor)
    task = _task_of(net, whole)
    if not hasattr(net, "coefs_"):
        raise NotFittedError(
            f"the {type(net).__name__} is not fitted yet; fit it before MLP.from_sklearn takes it"
        )
    only = getattr(kind, "_task", task)
    if only != task:
        raise TypeError(f"{kind.__name__} is for {only}, and {type(net).__name__} for {task}")
    layers = [
        (np.ascontiguousarray(np.asarray(W).T), np.asarray(b))
        for W, b in zip(net.coefs_, net.intercepts_)
    ]
    parameters = parameters_from_sklearn(net) | _shape(net, layers)
    if "task" in kind._defaults():
        parameters["task"] = task
    scaling, parameters["scale_inputs"] = scaling_of(steps, len(net.coefs_[0]))
    target_scaling, parameters["scale_targets"] = None, None
    if targets is not None:
        target_scaling = target_scaling_of(targets, len(layers[-1][0]))
        if target_scaling.scales:
            if parameters.get("loss") == "poisson":
                raise ValueError("MLP scales no targets of loss='poisson', as these are counts")
            parameters["scale_targets"] = "standard"
        parameters["clip_outputs"] = target_scaling.clips
    names = getattr(whole, "feature_names_in_", None)
    made = fitted(
        kind,
        parameters,
        layers,
        f"the {type(net).__name__}",
        classes=_classes(net),
        seen=Seen(last=rows_of(net) or 0),
        **_past(net),
        scaling=scaling,
        target_scaling=target_scaling,
        feature_names=None if names is None else np.array(names, dtype=object),
    )
    model = take_moments(made._model(), net)
    made._publish(model if targets is not None else replace(model, calibration=_calibration(net)))
    return made


def _calibration(net: Any) -> Calibration | None:
    """What the drop-in has learned from rows that it was not fitted to, in the units of its y."""
    found = getattr(getattr(net, "_model", None), "calibration", None)
    return found if isinstance(found, Calibration) else None


def _without_targets(estimator: Any) -> tuple[Any, Any]:
    """The regressor of a TransformedTargetRegressor, and the transformer of its targets."""
    if _is(estimator, "sklearn.compose", "TransformedTargetRegressor"):
        if not hasattr(estimator, "regressor_"):
            raise NotFittedError(
                "the TransformedTargetRegressor is not fitted yet; fit it before MLP.from_sklearn "
                "takes it"
            )
        return estimator.regressor_, estimator.transformer_
    return estimator, None


def _without_scalers(estimator: Any) -> tuple[list[tuple[str, Any]], Any]:
    """The steps of a Pipeline before the last one, and that one."""
    if _is(estimator, "sklearn.pipeline", "Pipeline"):
        *steps, (_, last) = estimator.steps
        flat: list[tuple[str, Any]] = []
        for name, step in steps:
            inner, end = _without_scalers(step)
            flat += [*inner, (name, end)]
        inner, last = _without_scalers(last)
        return [*flat, *inner], last
    return [], estimator


def _is(estimator: Any, module: str, name: str) -> bool:
    """Whether it is of a class of a module, without importing that."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(estimator, getattr(loaded, name))


def _task_of(net: Any, whole: Any) -> str:
    for module in ("sklearn.neural_network", "cnn_core.sklearn"):
        for name, task in (("MLPClassifier", "classification"), ("MLPRegressor", "regression")):
            if _is(net, module, name):
                return task
    last = "" if net is whole else f", whose net is a {type(net).__name__}"
    raise TypeError(
        "MLP.from_sklearn takes a fitted MLPClassifier or MLPRegressor of scikit-learn or of "
        "cnn_core.sklearn, also as the last step of a Pipeline of scalers or in a "
        f"TransformedTargetRegressor; got a {type(whole).__name__}{last}"
    )


def _shape(net: Any, layers: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """The parameters of MLP that say what network it is."""
    dtypes = {part.dtype for layer in layers for part in layer}
    single = all(dtype.itemsize < 8 and dtype.kind == "f" for dtype in dtypes)
    found: dict[str, Any] = {
        "hidden": tuple(len(W) for W, _ in layers[:-1]),
        "activation": _activation(net.activation),
        "dtype": "float32" if single else "float64",
    }
    for name in ("dropout", "class_weight"):  # of the drop-in
        value = getattr(net, name, None)
        if value is not None:
            found[name] = value
    loss = getattr(net, "loss", "")
    if loss not in ("log_loss", "squared_error"):
        found["loss"] = _LOSSES.get(loss, loss) if isinstance(loss, str) else loss
    return found


def _activation(given: Any) -> Any:
    """Ours for theirs; the drop-in has all of ours too, and one for each layer."""
    if isinstance(given, (list, tuple)):
        return tuple(map(_activation, given))
    return ACTIVATIONS.get(given, given) if isinstance(given, str) else given


def _classes(net: Any) -> np.ndarray | None:
    """The class labels; None for a regression and for several labels a row."""
    classes = getattr(net, "classes_", None)
    several = net.out_activation_ == "logistic" and net.n_outputs_ > 1
    return None if classes is None or several else np.asarray(classes)


def _past(net: Any) -> dict[str, Any]:
    """What it has kept of its epochs, and which was the best, as fields of a model."""
    losses = getattr(net, "loss_curve_", None) or []
    scores = getattr(net, "validation_scores_", None) or []
    if not losses:  # 'lbfgs' keeps their number alone
        epochs = int(getattr(net, "n_iter_", 0))
        return {"history": Past(gaps=((0, epochs),) if epochs else ())}
    history = {"loss": [float(loss) for loss in losses], "metric": [float("nan")] * len(losses)}
    found: dict[str, Any] = {}
    if len(scores) == len(losses):
        history["val_metric"] = [float(score) for score in scores]
        best = int(np.argmax(history["val_metric"])) + 1
        found = {"watched": "val_metric", "best_epoch": best if net.early_stopping else None}
    return found | {"history": Past.of(history)}
