"""The product of the Hessian of the cost with a vector, by the native core or the reference
implementation."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnn_core._hessian import HessianProduct
from cnn_core.functional import Network, loss_table

if TYPE_CHECKING:
    from cnn_core.data.prepare import Dataset
    from cnn_core.spec import TrainingSpec


def product_native(
    network: Network, spec: "TrainingSpec", v: NDArray[Any], data: "Dataset", threads: int
) -> NDArray[Any]:
    """H v of the mean cost of some rows, with its penalty, by the native core.

    Parameters
    ----------
    network : Network
    spec : TrainingSpec
        Without an optimizer.
    v : ndarray, shape (n_parameters,)
    data : Dataset
    threads : int
        The most to use.

    Returns
    -------
    ndarray, shape (n_parameters,)
    """
    direction = network.copy()
    direction.set_flat(v)
    product = HessianProduct(network, direction, spec.loss, data.X.count, spec.loss_param, spec.l2)
    y = data.targets_of(loss_table()[spec.loss].sparse)
    return product.of_rows(data.X.array, y, threads)


def product_reference(
    network: Network, spec: "TrainingSpec", v: NDArray[Any], data: "Dataset"
) -> NDArray[np.float64]:
    """The same by the reference implementation."""
    from cnn_core.reference import Trainer, hessian_vector_product

    trainer = Trainer(spec, network)
    rows, targets, *_ = trainer.as_lists(data.X, data.y, data.labels, None)
    return np.array(hessian_vector_product(trainer, v.astype(float).tolist(), rows, targets))
