"""The first rows of a stream: they are kept until there are enough of them to learn a scaling from.
If they need one, training begins anew with all of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from cnn_core._frozen import replace
from cnn_core.causes.seen import Seen
from cnn_core.data.targets import as_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cnn_core.model import Model
    from cnn_core.training.backends import Network


class FirstRows(NamedTuple):
    """Rows as users gave them, and the network that has seen none of them."""

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    network: Network

    @classmethod
    def of(
        cls, X: np.ndarray, y: ArrayLike, weights: ArrayLike | None, network: Network
    ) -> FirstRows:
        """A copy of checked rows."""
        targets = as_rows("y", y)
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = targets[:, 0]
        given = None if weights is None else np.array(weights, np.float64).reshape(-1)
        return cls(X.copy(), targets.copy(), given, network)

    def followed_by(self, more: Self) -> Self:
        """These rows and some more; those without weights have the weight 1."""
        weights = None
        if self.weights is not None or more.weights is not None:
            weights = np.concatenate(
                [np.ones(len(r.X)) if r.weights is None else r.weights for r in (self, more)]
            )
        X, y = np.concatenate((self.X, more.X)), np.concatenate((self.y, more.y))
        return self._replace(X=X, y=y, weights=weights)


def before_first_row(model: Model, rows: FirstRows) -> Model:
    """The model of a stream that has seen none of its rows yet, but has counted its epochs, whose
    losses were in other units."""
    return replace(
        model,
        network=rows.network,
        feature_names=None,
        columns=None,
        scaling=None,
        target_scaling=None,
        baseline=math.nan,
        history=model.history.counted_only(),
        step_history=model.step_history.counted_only(),
        state=None,
        first_rows=None,
        seen=Seen(begin=model.seen.begin, targets=model.seen.targets),
        stream_rows=None,
    )


def scales(model: Model) -> bool:
    """Whether the network reads or learns anything but X and y themselves."""
    return any(one is not None and one.scales for one in (model.scaling, model.target_scaling))
