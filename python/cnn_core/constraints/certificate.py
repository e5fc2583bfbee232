"""What the weights of a fitted network prove: with which inputs its outputs only rise or fall, and
in which they are convex or concave.

A path is a product of weights and slopes. Where no activation ever falls, an output rises with an
input if every path between them has an even number of negative weights. This is proved for all
inputs, not for some that were tried, and to the last bit: sums of products and roundings to the
nearest number keep the order of what goes into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core.columns.kinds import Number
from cnn_core.constraints.allowed import NEVER_FALL, WORDS, is_convex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnn_core._network import Network
    from cnn_core.model import Model

    Flags = NDArray[np.bool_]


class Certificate(NamedTuple):
    """What a network's weights prove of each column of X."""

    names: list[Any]  #: of the columns, or their numbers
    #: (columns,): 1 where no output ever falls as the column rises, -1 where none ever rises, 0
    #: where none depends on it; NaN where the weights prove none of this
    monotone: np.ndarray
    #: (columns,): 1 where all outputs are convex in the column, in exact arithmetic, -1 where they
    #: are concave, 0 where they are both, as what is linear is; NaN where nothing is proved
    convex: np.ndarray

    def __repr__(self) -> str:
        from cnn_core.inspection.summary import aligned

        rows = [("column", "outputs", "curve")]
        for name, way, bend in zip(self.names, self.monotone, self.convex):
            outputs = {1: "rise", -1: "fall", 0: "do not depend on it"}.get(way, "not certified")
            curve = WORDS["convex"] | {0: "linear"}
            rows.append((str(name), outputs, curve.get(bend, "")))
        return "\n".join(line.rstrip() for line in aligned(rows, (0, 1, 2)))


def certificate(model: Model) -> Certificate:
    """As `MLP.certify` describes."""
    network, scaling = model.network, model.scaling
    names, places = _columns(model)
    monotone, convex = np.full(len(names), np.nan), np.full(len(names), np.nan)
    if not network.is_finite():
        return Certificate(names, monotone, convex)
    is_linear = scaling is None or scaling.curve == "linear"
    clips = model.target_scaling is not None and model.target_scaling.clips
    (rises, falls), (bends_up, bends_down) = directions(network), curves(network)
    periodic = set(network.periodic[0]) if network.periodic else set()
    for i, place in enumerate(places):
        if place is None or place in periodic:
            continue
        up, down = rises[:, place].any(), falls[:, place].any()
        if not (up or down):
            monotone[i] = convex[i] = 0
        elif is_linear:
            monotone[i] = np.nan if up and down else 1 if up else -1
            if not clips:
                bends = bends_up[:, place].all(), bends_down[:, place].all()
                convex[i] = float(bends[0]) - float(bends[1]) if any(bends) else np.nan
    return Certificate(names, monotone, convex)


def _columns(model: Model) -> tuple[list[Any], list[int | None]]:
    """The columns that users give, and the input of the first layer that each is; None for those
    that are no single number."""
    if model.columns is None:
        n, names = model.n_features, model.feature_names
        return list(range(n)) if names is None else names.tolist(), list(range(n))
    placed = model.columns.placed
    numbers = [place if isinstance(column, Number) else None for column, place in placed]
    return [column.name for column, _ in placed], numbers


def meets(A: Flags, B: Flags) -> Flags:
    """The product of two matrices of bools."""
    met: Flags = A.astype(np.float32) @ B.astype(np.float32) > 0
    return met


def directions(network: Network) -> tuple[Flags, Flags]:
    """Whether each output may rise, and may fall, as an input of the first layer rises; each of
    shape (n_outputs, n_inputs)."""
    rises, falls = np.eye(network.widths[0], dtype=bool), np.zeros((network.widths[0],) * 2, bool)
    for l in range(network.n_layers):
        W = network.weights(l)
        up, down = W > 0, W < 0
        rises, falls = (
            meets(up, rises) | meets(down, falls),
            meets(up, falls) | meets(down, rises),
        )
        if network.activations[l] == "softmax":  # each of them depends on all
            both = np.broadcast_to((rises | falls).any(axis=0), rises.shape)
        elif network.activations[l] not in NEVER_FALL:
            both = rises | falls
        else:
            continue
        rises = falls = both
    return rises, falls


def curves(network: Network) -> tuple[Flags, Flags]:
    """Whether each output is convex, and concave, in an input; each of shape (n_outputs,
    n_inputs)."""
    depends = np.eye(network.widths[0], dtype=bool)
    convex = concave = np.ones((network.widths[0],) * 2, bool)
    for l in range(network.n_layers):
        W = network.weights(l)
        up, down = W > 0, W < 0
        convex, concave = (
            ~(meets(up, ~convex) | meets(down, ~concave)),
            ~(meets(up, ~concave) | meets(down, ~convex)),
        )
        name, param = network.activations[l], network.activation_params[l]
        depends = meets(W != 0, depends)
        if name == "softmax":
            depends = np.broadcast_to(depends.any(axis=0), depends.shape)
        if name != "identity":
            convex = (convex & is_convex(name, param)) | ~depends
            concave = ~depends
    return convex, concave
