"""The moments of an optimizer, from scikit-learn's estimators to ours and back, so that
`partial_fit` goes on as if it had never changed the library."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._frozen import replace
from cnn_core.schedules import power
from cnn_core.training.backends import BACKENDS

if TYPE_CHECKING:
    from cnn_core.model import Model

#: scikit-learn's solvers, the native optimizers with the same moments, and their names there.
_MOMENTS = {
    "sgd": (("sgd",), ("velocities",)),
    "adam": (("adam", "adam_hat"), ("ms", "vs")),
}

#: Where the native optimizers keep beta1^t and beta2^t, see `kernels/optimizers.inc.h`.
_BETA_POWERS = {12: "beta1", 13: "beta2"}


def take_moments(model: Model, net: Any) -> Model:
    """A model with the moments of the estimator that it was made from, where it has any.

    Parameters
    ----------
    model : Model
        Of the same layers.
    net : estimator
        Fitted, of scikit-learn.

    Returns
    -------
    Model
    """
    names, attributes = _MOMENTS.get(net.solver, ((), ()))
    theirs = getattr(net, "_optimizer", None)
    if model.training_spec.optimizer not in names or theirs is None:
        return model
    groups = [getattr(theirs, attribute, None) for attribute in attributes]
    trainer = BACKENDS["native"].trainer(replace(model.training_spec, batch_size=1), model.network)
    state, n = trainer.state(), model.network.n_layers
    shapes = [(*shape[::-1],) for shape in _shapes(model)] + [s[:1] for s in _shapes(model)]
    slots = []
    for group in groups:
        if group is None or [np.shape(part) for part in group] != shapes:
            return model  # of another version of scikit-learn
        holder = model.network.copy()
        for l in range(n):
            holder.set_layer(l, np.ascontiguousarray(group[l].T), group[n + l])
        slots.append(holder.parameters.copy())
    settings, numbers = model.training_spec.settings, list(state["numbers"])
    # SGD counts none, and its steps do not depend on their number.
    steps = int(getattr(theirs, "t", model.n_epochs))
    for place, beta in _BETA_POWERS.items() if net.solver == "adam" else ():
        numbers[place] = power(settings[beta], steps)
    counts = {"backend": "native", "epochs": model.n_epochs, "steps": steps}
    return replace(model, state=state | counts | {"numbers": numbers, "slots": slots})


def _shapes(model: Model) -> list[tuple[int, int]]:
    widths = model.network_spec.widths
    return [(n_out, n_in) for n_in, n_out in pairwise(widths)]


def give_moments(model: Model, net: Any) -> None:
    """Give one of scikit-learn's estimators the moments of the model that it was made from, where
    its layers and its solver have the same.

    Parameters
    ----------
    model : Model
    net : estimator
        With `coefs_`, `intercepts_` and its parameters.
    """
    state, network = model.state, model.network
    names, attributes = _MOMENTS.get(net.solver, ((), ()))
    if (
        state is None
        or state["backend"] != "native"
        or state["optimizer"] not in names
        or [part.shape for part in net.coefs_] != [s[::-1] for s in _shapes(model)]
        or not network.has_bias
    ):
        return
    try:
        from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
    except ImportError:  # it stands elsewhere in another version; moments begin anew there
        return
    params, rate = net.coefs_ + net.intercepts_, net.learning_rate_init
    if net.solver == "sgd":
        optimizer = SGDOptimizer(params, rate, momentum=net.momentum)
        optimizer.nesterov = net.nesterovs_momentum
    else:
        optimizer = AdamOptimizer(params, rate, net.beta_1, net.beta_2, net.epsilon)
        optimizer.t = int(state["steps"])
    for attribute, slot in zip(attributes, state["slots"]):
        setattr(optimizer, attribute, _parts(network, slot))
    net._optimizer = optimizer


def _parts(network: Any, slot: Sequence[float] | np.ndarray) -> list[np.ndarray]:
    """A slot as arrays in scikit-learn's order."""
    layers = range(network.n_layers)
    vector: Any = slot
    return [
        *(np.ascontiguousarray(network.weights(l, vector).T) for l in layers),
        *(network.bias(l, vector).copy() for l in layers),
    ]
