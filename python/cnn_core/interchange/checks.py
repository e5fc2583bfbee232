"""What leaves or enters is one matrix network with finite weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnn_core._few import counted
from cnn_core._linalg import is_finite

if TYPE_CHECKING:
    from cnn_core._network import Network
    from cnn_core.model import Model

#: W, shape (n_out, n_in), and b, shape (n_out,), or None, of each layer.
Layers = Sequence[tuple[np.ndarray, "np.ndarray | None"]]


def check_leaves(model: Model, method: str) -> None:
    """Raise for a model that is no plain sequence of layers, or not finite.

    Parameters
    ----------
    model : Model
    method : str
        For messages, such as 'to_sklearn'.
    """
    if model.columns is not None:
        raise NotImplementedError(
            f"{method} takes models that were fitted on a matrix; this one was fitted on a table "
            "with columns='auto', whose texts and gaps the other library's net would not read"
        )
    if model.network.periodic:
        raise NotImplementedError(
            f"{method} takes models without numeric_embedding, which is no layer of the other "
            "library's net"
        )
    check_finite([model.network], method)


def check_finite(networks: Sequence[Network], method: str) -> None:
    """Raise for a network, one or a member of a mean, whose weights are not finite; `method` is
    what was asked to take it elsewhere."""
    for k, network in enumerate(networks):
        if not network.is_finite():
            which = "this one" if len(networks) == 1 else f"member {k} of this one"
            raise ValueError(
                f"{method} takes nets that predict, and {which} has weights that are NaN or "
                "infinite; fit it again with a smaller learning_rate"
            )


def check_layers(layers: Layers, source: str) -> None:
    """Raise for layers that do not follow on each other, or are not finite."""
    for l, (W, b) in enumerate(layers):
        n_in = layers[l - 1][0].shape[0] if l else W.shape[1]
        if W.ndim != 2 or W.shape[1] != n_in or (b is not None and b.shape != W.shape[:1]):
            shape = None if b is None else b.shape
            raise ValueError(
                f"{source}: layer {l + 1} has weights of shape {W.shape} and biases of shape "
                f"{shape}, and reads {counted(n_in, 'number')}"
            )
        for what, part in (("weights", W), ("biases", b)):
            if part is not None and not is_finite(np.ascontiguousarray(part)):
                raise ValueError(f"{source}: layer {l + 1} has {what} that are NaN or infinite")
