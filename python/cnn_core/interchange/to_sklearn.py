"""A fitted `MLP` as one of scikit-learn's estimators."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.data.validation import are_names
from cnn_core.interchange.checks import check_leaves
from cnn_core.interchange.moments import give_moments
from cnn_core.interchange.scalers import input_steps, target_transformer
from cnn_core.interchange.settings import ACTIVATIONS, parameters_for_sklearn

if TYPE_CHECKING:
    from cnn_core.model import Model

_BY_OURS = {ours: theirs for theirs, ours in ACTIVATIONS.items()}


def to_sklearn(model: Model, p: SimpleNamespace) -> Any:
    """See `MLP.to_sklearn`; `p` are the estimator's parameters."""
    try:
        networks = importlib.import_module("sklearn.neural_network")
    except ImportError:
        raise ImportError(
            "to_sklearn needs the package scikit-learn, 1.7 or later: "
            "pip install 'scikit-learn>=1.7'",
            name="sklearn",
        ) from None
    check_leaves(model, "to_sklearn")
    activation, out = hidden_activation(model), output_activation(model)
    classifies = model.task.name != "regression"
    kind = networks.MLPClassifier if classifies else networks.MLPRegressor
    parameters = parameters_for_sklearn(p, model) | {
        "activation": activation,
        "hidden_layer_sizes": model.network_spec.widths[1:-1],
    }
    if not classifies and out == "exp":
        parameters["loss"] = "poisson"
    net = kind(**parameters)
    coefs, intercepts = layers_of(model)
    for name, value in fit_state(model, p, net).items():
        setattr(net, name, value)
    net.coefs_, net.intercepts_, net.out_activation_ = coefs, intercepts, out
    net.n_layers_, net.n_outputs_ = len(coefs) + 1, coefs[-1].shape[1]
    net.n_features_in_ = model.n_features
    if classifies:
        net._label_binarizer = _label_binarizer(model)
        net.classes_ = net._label_binarizer.classes_
    give_moments(model, net)
    return _with_scalings(model, net)


def hidden_activation(model: Model) -> str:
    """scikit-learn's name of the activation of all hidden layers."""
    *hidden, _ = model.network_spec.activations
    for name in hidden:
        if name not in _BY_OURS:
            raise ValueError(
                f"to_sklearn: a hidden layer has the activation {name!r}, and scikit-learn's MLPs "
                f"have {', '.join(map(repr, _BY_OURS))} alone"
            )
    if len(set(hidden)) > 1:
        raise ValueError(
            f"to_sklearn: the hidden layers have the activations {', '.join(map(repr, hidden))}, "
            "and scikit-learn's MLPs have one for all of them"
        )
    return _BY_OURS[hidden[0]] if hidden else "relu"


def output_activation(model: Model) -> str:
    """scikit-learn's name of the activation of its last layer."""
    task = model.task
    if task.name == "regression":
        if task.output in ("identity", "exp"):
            return task.output
        raise ValueError(
            f"to_sklearn: the output is {task.output!r}, and those of scikit-learn's MLPRegressor "
            "are 'identity' and, for counts, 'exp'"
        )
    single = task.n_outputs == 1
    if task.name == "multilabel":
        fits = task.output == "sigmoid" and not single
    else:
        fits = task.output == "softmax" or (task.output == "sigmoid" and single)
    if not fits:
        raise ValueError(
            f"to_sklearn: the classifier has {task.n_outputs} outputs {task.output!r}, and those "
            "of scikit-learn's MLPClassifier are probabilities: 'softmax', or 'sigmoid' for two "
            "classes or several labels a row"
        )
    several = task.name == "classification" and task.n_classes > 2
    return "softmax" if several else "logistic"


def layers_of(model: Model) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """`coefs_` and `intercepts_`. Of a softmax of two outputs the difference of their z is that of
    scikit-learn's only one: e^z1 / (e^z0 + e^z1) = sigmoid(z1 - z0)."""
    network, task = model.predicting, model.task
    coefs, intercepts = [], []
    two = (task.name, task.output, task.n_outputs) == ("classification", "softmax", 2)
    for l in range(network.n_layers):
        W, b = network.weights(l), network.bias(l).copy()
        if two and l == network.n_layers - 1:
            W, b = _difference(W), _difference(b)
        coefs.append(np.ascontiguousarray(W.T))
        intercepts.append(b)
    return coefs, intercepts


def _difference(part: np.ndarray) -> np.ndarray:
    wide = part.astype(np.float64)
    difference: np.ndarray = (wide[1:] - wide[:1]).astype(part.dtype)
    return difference


def fit_state(model: Model, p: SimpleNamespace, net: Any) -> dict[str, Any]:
    """The attributes that a fit of scikit-learn's leaves behind, but for weights and classes."""
    history = model.history
    losses = [float(loss) for loss in history.get("loss", [])]
    rows = int(model.seen.last or model.seen.rows)  # of each epoch, as far as is known
    state: dict[str, Any] = {"n_iter_": model.n_epochs, "t_": model.n_epochs * rows}
    if losses:
        state["loss_"] = losses[-1]
    if net.solver == "lbfgs":
        return state
    scores = None
    if p.early_stopping and "val_metric" in history:
        scores = [float(score) for score in history["val_metric"]]
    best_loss = min(losses, default=np.inf) if scores is None else None
    return state | {
        "loss_curve_": losses,
        "best_loss_": best_loss,
        "validation_scores_": scores,
        "best_validation_score_": None if scores is None else max(scores),
        "_no_improvement_count": 0,
    }


def _label_binarizer(model: Model) -> Any:
    from sklearn.preprocessing import LabelBinarizer

    task = model.task
    labels: np.ndarray | None = task.classes
    assert labels is not None
    if task.name == "multilabel":
        labels = np.array([np.zeros(task.n_outputs, int), np.ones(task.n_outputs, int)])
    try:
        return LabelBinarizer().fit(labels)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"to_sklearn: scikit-learn takes no class labels such as {labels[0]!r}: {error}"
        ) from None


def _with_scalings(model: Model, net: Any) -> Any:
    """A net with what scales its inputs and targets around it."""
    names = model.feature_names
    named = names is not None and are_names(names)
    steps, found = input_steps(model), net
    if steps:
        from sklearn.pipeline import Pipeline

        found = Pipeline([*steps, ("mlp", net)])
    first = steps[0][1] if steps else net
    if named:
        first.feature_names_in_ = np.array(names, dtype=object)  # a Pipeline asks its first step
    targets = model.target_scaling
    if targets is None or not (targets.scales or targets.clips):
        return found
    from sklearn.base import clone
    from sklearn.compose import TransformedTargetRegressor

    transformer = target_transformer(targets, int(model.seen.rows))
    whole = TransformedTargetRegressor(clone(found), transformer=clone(transformer))
    whole.regressor_, whole.transformer_ = found, transformer
    whole._training_dim = 1 if model.task.flat else 2
    if named:
        whole.feature_names_in_ = first.feature_names_in_
    return whole
