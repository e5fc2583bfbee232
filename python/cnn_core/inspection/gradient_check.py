"""The gradient of backpropagation against central differences."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnn_core._memory_size import available, gigabytes
from cnn_core.functional import Network, RowSource
from cnn_core.inspection.places import place_of

if TYPE_CHECKING:
    from cnn_core.data.prepare import Dataset
    from cnn_core.spec import TrainingSpec


class GradientCheck(NamedTuple):
    """The parameter at which backpropagation and central differences are furthest apart."""

    error: float  #: ``|analytic - numeric| / max(1, |analytic|, |numeric|)``
    layer: str
    parameter: str  #: 'W' or 'b'; 'E' of an embedding; 'w', 'c', 'V' or 'd' of a periodic one
    index: tuple[int, ...]  # type: ignore[assignment]  # hides tuple.index
    analytic: float
    numeric: float


def check_gradient(
    network: Network, spec: "TrainingSpec", data: "Dataset", h: float, backend: Any
) -> GradientCheck:
    """Compare the gradient with central differences, in float64.

    Parameters
    ----------
    network : Network
        Of either dtype; the check runs on a float64 copy.
    spec : TrainingSpec
        Without an optimizer.
    data : Dataset
    h : float
        Step to either side.
    backend : object of `training.backends`

    Returns
    -------
    GradientCheck
    """
    copy = network.copy("float64")
    X, y = (part and RowSource(part.array.astype("float64")) for part in (data.X, data.y))
    trainer = backend.trainer(spec, copy)

    def cost_at(parameters: NDArray[np.float64]) -> float:
        trainer.set_flat(parameters)
        return float(trainer.loss_and_gradient(X, y, data.labels)[0])

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
    place = place_of(network, i)
    return GradientCheck(float(error[i]), *place, float(gradient[i]), float(numeric[i]))


def per_sample_gradients(
    network: Network, spec: "TrainingSpec", data: "Dataset", backend: Any
) -> NDArray[Any]:
    """The gradient of each row's cost, row by row.

    Parameters
    ----------
    network : Network
    spec : TrainingSpec
        Without an optimizer, for mini-batches of one row.
    data : Dataset
    backend : object of `training.backends`

    Returns
    -------
    ndarray, shape (rows, n_parameters)

    Raises
    ------
    MemoryError
        Where they take more than there is; nothing is computed then.
    """
    n, there = len(network.flat()), available()
    size = data.X.count * n * network.itemsize
    if there is not None and size > there:
        raise MemoryError(
            f"the gradients of {data.X.count:,} rows by {n:,} parameters take "
            f"{gigabytes(size)} of memory, and there are {gigabytes(there)}; ask for fewer rows at "
            "a time"
        )
    gradients: NDArray[Any] = backend.row_gradients(network, spec, data)
    return gradients
