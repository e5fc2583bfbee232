"""A fitted `MLP` from layers that another library has trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._frozen import replace
from cnn_core.interchange.checks import Layers, check_layers

if TYPE_CHECKING:
    from cnn_core.model import Model


def fitted(
    kind: Any,
    parameters: Mapping[str, Any],
    layers: Layers,
    source: str,
    *,
    classes: np.ndarray | None = None,
    **of_model: Any,
) -> Any:
    """An estimator whose model has these layers, and which goes on learning from them.

    Parameters
    ----------
    kind : type
        `MLP` or a class derived from it.
    parameters : mapping
        Of the estimator.
    layers : sequence of (ndarray, ndarray or None)
        W, shape (n_out, n_in), and b, shape (n_out,), of each layer; no b where there is none.
    source : str
        What they come from, for messages.
    classes : ndarray, optional
        Labels of a classifier; without them a classifier gives each row several labels.
    **of_model
        Further fields of its `Model`, such as its scaling.

    Returns
    -------
    estimator
    """
    from cnn_core.model_checks import check_model
    from cnn_core.training.untrained import from_sizes

    check_layers(layers, source)
    estimator = kind(**parameters)
    p = estimator._check_parameters()
    # The scalings come with the layers; from sizes alone none could be learned.
    p.scale_inputs, p.scale_targets, p.clip_outputs = None, None, False
    p.init = [(W, b) for W, b in layers]
    if not p.bias:
        p.init = [(W, None) for W, _ in layers]
    n_outputs = None if classes is not None else len(layers[-1][0])
    model = from_sizes(p, layers[0][0].shape[1], n_outputs, classes)
    model = replace(model, baseline=_least_baseline(model), **of_model)
    check_model(model)
    estimator._publish(model)
    return estimator


def _least_baseline(model: Model) -> float:
    """The least metric that the best constant prediction can have on rows that are not known."""
    return 1 / model.task.n_classes if model.task.name == "classification" else 0.0
