"""The gradient of backpropagation against central differences."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnn_core._run import make_training
from cnn_core.functional import Network, RowSource
from cnn_core.inspection.trace import layer_names


class GradientCheck(NamedTuple):
    """The parameter at which backpropagation and central differences are furthest apart."""

    error: float  #: |analytic - numeric| / max(1, |analytic|, |numeric|)
    layer: str
    parameter: str  #: 'W' or 'b'
    index: tuple[int, ...]  # type: ignore[assignment]  # hides tuple.index
    analytic: float
    numeric: float


def check_gradient(
    model: Any, data: Any, l1: float, l2: float, h: float, backend: str
) -> GradientCheck:
    """Compare the gradient with central differences, in float64.

    Parameters
    ----------
    model : Fitted
        Of either dtype; the check runs on a float64 copy.
    data : Data
    l1, l2 : float
        Penalties on the weights.
    h : float
        Step to either side.
    backend : {'native', 'python'}

    Returns
    -------
    GradientCheck
    """
    network = model.network
    copy = Network(network.widths, network.activations, "float64", network.alphas)
    X, y = (part and RowSource(part.array.astype("float64")) for part in (data.X, data.y))
    trainer = make_training(backend, copy, model.plan, data.X.count, l1=l1, l2=l2)

    def cost_at(parameters: NDArray[np.float64]) -> float:
        trainer.set_flat(parameters)
        return float(trainer.cost_and_gradient(X, y, data.labels)[0])

    w = network.flat().astype(np.float64)
    cost_at(w)
    gradient = trainer.flat_gradient()
    numeric = np.empty_like(w)
    for i in range(len(w)):
        costs = []
        for step in (h, -h):
            shifted = w.copy()
            shifted[i] += step
            costs.append(cost_at(shifted))
        numeric[i] = (costs[0] - costs[1]) / (2 * h)
    larger = np.maximum(1, np.maximum(np.abs(gradient), np.abs(numeric)))
    error = np.abs(gradient - numeric) / larger
    i = int(error.argmax())
    layer, parameter, index = locate(network, i)
    return GradientCheck(
        float(error[i]), layer, parameter, index, float(gradient[i]), float(numeric[i])
    )


def locate(network: Network, position: int) -> tuple[str, str, tuple[int, ...]]:
    """(layer, 'W' or 'b', index) of a position in the flat vector of all parameters."""
    for name, (n_in, n_out) in zip(layer_names(network), pairwise(network.widths)):
        if position < n_in * n_out:
            return name, "W", divmod(position, n_in)
        position -= n_in * n_out
        if position < n_out:
            return name, "b", (position,)
        position -= n_out
    raise IndexError("beyond the last parameter")
