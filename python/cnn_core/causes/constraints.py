"""Causes in what is promised of the inputs: columns that training has silenced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cnn_core.causes.data import named
from cnn_core.data.scaling import mean_and_deviation

if TYPE_CHECKING:
    from cnn_core._network import Network
    from cnn_core.training.fit import Job

#: How far z moves with a column by the deviation of that, as a share of how far it moves with the
#: column that moves it most, below which the outputs do not depend on it. Of log-odds and scaled
#: targets the latter is taken to be `LEAST` or more.
NOTHING, LEAST = 0.02, 3.0
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
    from cnn_core._jacobian import Jacobian  # of no use to fits that promise nothing

    outputs = np.arange(network.widths[-1], dtype=np.intp)
    at = np.arange(0, X.count, -(-X.count // ROWS))
    rows = np.ascontiguousarray(X.array[at if X.indices is None else X.indices[at]], np.float64)
    slopes = np.abs(Jacobian(network, None, None).rows(rows, outputs, 1, True))
    sizes = mean_and_deviation(slopes.reshape(-1, slopes.shape[-1]))[0]
    sizes = sizes * mean_and_deviation(rows)[1]
    names, model = job.model.input_names, job.model
    scaled = model.task.name != "regression" or model.target_scaling is not None
    largest = max(float(sizes.max()), LEAST if scaled else 0.0)
    for place, sign in declared:
        if sizes[place] < NOTHING * largest:
            column = place if names is None else names[place]
            way = "rise" if sign > 0 else "fall"
            yield (
                f"monotone={{{column!r}: {sign}}} makes the outputs almost independent of "
                f"{named(place, names)}, as y does not {way} with it in the training rows; if it "
                f"is to count, say {-sign} or leave it free"
            )
