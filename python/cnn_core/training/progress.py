"""How far a training is: what checkpoints keep beside a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnn_core._frozen import Frozen


class Position(Frozen):
    """Where in an epoch a trainer is.

    Parameters
    ----------
    parameters : ndarray, shape (n_parameters,)
        Weights and biases after the last step, as `Network.flat` has them; the reference
        implementation's in float64.
    batches : int
        Mini-batches of the epoch that are done.
    sums : sequence of float
        Of their losses and weights, and of what the metric counts.
    """

    parameters: np.ndarray
    batches: int
    sums: Sequence[float]


class Progress(Frozen):
    """What a training that goes on needs beside the model of its last whole epoch.

    Parameters
    ----------
    fingerprint : mapping of str to str
        Of the data, see `data.fingerprint`.
    until : int
        Epochs that are to be done in all.
    finished : bool
        Whether the training is over; then the model is what it has come to.
    best : (ndarray, int) or None
        The weights that early stopping has kept, and their epoch.
    stopping : sequence of (float, int)
        Of each rule that ends the training: the lowest number, and the epochs since.
    position : Position or None
        Where it is in an epoch.
    stream : RandomState or None
        In the state in which scikit-learn's estimators have begun to draw from it.
    """

    fingerprint: Mapping[str, str]
    until: int
    finished: bool = False
    best: tuple[np.ndarray, int] | None = None
    stopping: Sequence[tuple[float, int]] = ()
    position: Position | None = None
    stream: np.random.RandomState | None = None


class ProgressOfMany(Frozen):
    """The same of models that are trained together.

    Parameters
    ----------
    rounds : int
        Those that are done, in which each model that still trained has done an epoch.
    trainings : sequence of Progress
        Of each model.
    """

    rounds: int
    trainings: Sequence[Progress]
