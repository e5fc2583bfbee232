"""Causes in what is promised of the inputs: columns that training has silenced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cnn_core._jacobian import Jacobian
from cnn_core.data.scaling import mean_and_deviation

if TYPE_CHECKING:
    from cnn_core._network import Network
    from cnn_core.training.fit import Job

#: Share of the largest derivative of the outputs by a column, below which they do not depend on
#: another one.
NOTHING = 0.02
#: Rows at which derivatives are taken.
ROWS = 1 << 9


def silenced(job: Job, network: Network) -> Iterator[str]:
    """Columns that the outputs of a trained network may rise with, or fall with, and do not depend
    on.

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
    declared, X = [(i, sign) for i, sign in enumerate(job.spec.monotone) if sign], job.train.X
    if not declared or not network.is_finite():
        return
    outputs = np.arange(network.widths[-1], dtype=np.intp)
    at = np.arange(0, X.count, -(-X.count // ROWS))
    rows = np.ascontiguousarray(X.array[at if X.indices is None else X.indices[at]], np.float64)
    slopes = np.abs(Jacobian(network, None, None).rows(rows, outputs, 1, False))
    sizes = mean_and_deviation(slopes.reshape(-1, slopes.shape[-1]))[0]
    names = job.model.input_names
    for place, sign in declared:
        if sizes[place] < NOTHING * sizes.max():
            column = place if names is None else names[place]
            way = "rise" if sign > 0 else "fall"
            yield (
                f"monotone={{{column!r}: {sign}}} leaves the outputs almost without {column!r}, as "
                f"y does not {way} with it in the training rows; if it is to count, say {-sign} or "
                "leave it free"
            )
