"""Causes in what is promised of the inputs: promises that y does not keep in the training rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cnn_core.causes.data import named
from cnn_core.data.scaling import mean_and_deviation

if TYPE_CHECKING:
    from cnn_core._network import Network
    from cnn_core.data.prepare import Dataset
    from cnn_core.training.fit import Job

#: How far y, and what a network leaves of it, goes against a promise: its correlation with the
#: column, or with the square of its distance from the mean; and that times the root of the rows,
#: which for independent numbers is normal with deviation 1.
AGAINST, SURELY = 0.2, 4.0


def unkept(job: Job, network: Network) -> Iterator[str]:
    """Columns with which y falls where it is said to rise, or bends the other way, beyond what the
    trained network says.

    A network that may learn a column's effect leaves little of it. What is left on the other side
    of a promise is what it forbids, unless y itself goes the promised way: weights of one sign make
    the outputs rise too steeply at first.

    Parameters
    ----------
    job : Job
        What the training began with.
    network : Network
        After it.

    Yields
    ------
    str
    """
    spec = job.spec
    declared = [("monotone", i, sign) for i, sign in enumerate(spec.monotone) if sign]
    declared += [("convex", i, sign) for i, sign in enumerate(spec.convex) if sign]
    if not declared or not network.is_finite():
        return
    from cnn_core._frozen import replace
    from cnn_core.evaluation import sample  # of no use to fits that promise nothing
    from cnn_core.training.backends import native

    data = sample(job.train)
    errors = native.trace(replace(job.model, network=network), data).layers[-1].delta
    task = job.model.task
    first = 1 if task.name == "classification" and task.n_outputs == 2 else 0  # the second class
    left = -errors[:, first : task.n_outputs].astype(np.float64)
    y = _targets(data, task.n_outputs)[:, first:].astype(np.float64)
    names = job.model.input_names
    for name, i, sign in declared:
        x = data.X.array[:, i].astype(np.float64)
        if name == "convex":
            away = x - mean_and_deviation(x[:, None])[0][0]
            x = away * away
        # Of several outputs, the one that goes furthest against it.
        worst = min(
            max(sign * _correlation(x, of_y), sign * _correlation(x, of_left))
            for of_y, of_left in zip(y.T, left.T)
        )
        if worst < -AGAINST and worst * math.sqrt(len(x)) < -SURELY:
            column = i if names is None else names[i]
            yield (
                f"{name}={{{column!r}: {sign}}} does not fit the training rows: in what the "
                f"network leaves of y, y {_WAYS[name, -sign]} with {named(i, names)}, which it may "
                f"not learn; say {-sign} or leave it free"
            )


def _targets(data: Dataset, n_outputs: int) -> np.ndarray:
    """Those of each output, shape (rows, n_outputs); of classes 1 for their own."""
    if data.y is not None:
        return np.asarray(data.y.array)
    assert data.labels is not None
    return np.asarray(data.labels.array == np.arange(max(2, n_outputs))[-n_outputs:])


#: What y does on the other side of a promise.
_WAYS = {
    ("monotone", 1): "rises",
    ("monotone", -1): "falls",
    ("convex", 1): "bends up",
    ("convex", -1): "bends down",
}


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    """0 where one of them does not vary, or is not finite."""
    (mean_x, mean_y), (sd_x, sd_y) = mean_and_deviation(np.column_stack((x, y)))
    if not (0 < sd_x < math.inf and 0 < sd_y < math.inf):
        return 0.0
    products = (x - mean_x) / sd_x * ((y - mean_y) / sd_y)
    return float(mean_and_deviation(products[:, None])[0][0])
