"""What the weights of a fitted network prove: with which inputs its outputs only rise or fall, and
in which they are convex or concave.

A path is a product of weights and slopes. Where no activation ever falls, an output rises with an
input if every path between them has an even number of negative weights. This is proved for all
inputs, not for some that were tried, and to the last bit: sums of products and roundings to the
nearest number keep the order of what goes into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._few import few_lines
from cnn_core.constraints.allowed import NEVER_FALL, is_convex

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnn_core._network import Network
    from cnn_core.explanations.explained import Explained, Member

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
        """As `str`, but of many columns the first and the last ones."""
        return few_lines(str(self).split("\n"))

    def __str__(self) -> str:
        from cnn_core._lines import aligned

        rows = [("column", "outputs", "curve")]
        for name, way, bend in zip(self.names, self.monotone, self.convex):
            outputs = {1: "rise", -1: "fall", 0: "do not depend on it"}.get(way, "not certified")
            curve = {1: "convex", -1: "concave", 0: "linear"}.get(bend, "")
            rows.append((str(name), outputs, curve))
        return "\n".join(line.rstrip() for line in aligned(rows, (0, 1, 2)))


def certificate(explained: Explained) -> Certificate:
    """As `MLP.certify` describes."""
    members = []
    for k, member in enumerate(explained.members):
        matrix = explained.matrices[explained.matrix_of(k)]
        found = _of_member(member, matrix.measured)
        columns = np.full((2, len(explained.names)), np.nan)
        columns[:, matrix.owner[matrix.measured]] = found[:, matrix.measured]
        members.append(columns)
    lowest, highest = np.min(members, axis=0), np.max(members, axis=0)  # NaN where one of them is
    together = np.where(lowest * highest >= 0, lowest + highest, np.nan)
    return Certificate(explained.names, *np.sign(together))


def _of_member(member: Member, measured: Flags) -> np.ndarray:
    """What is proved of each feature that one network reads, shape (2, features)."""
    network = member.network
    found = np.full((2, len(measured)), np.nan)
    if not network.is_finite():
        return found
    is_linear = member.inputs is None or member.inputs[2] == "linear"
    clips = member.outputs is not None and bool(np.isfinite(member.outputs[2]).any())
    (rises, falls), (bends_up, bends_down) = directions(network), curves(network)
    periodic = set(network.periodic[0]) if network.periodic else set()
    for i in np.flatnonzero(measured).tolist():
        if i in periodic:
            continue
        up, down = rises[:, i].any(), falls[:, i].any()
        if not (up or down):
            found[:, i] = 0
        elif is_linear:
            found[0, i] = np.nan if up and down else float(up) - float(down)
            bends = bends_up[:, i].all(), bends_down[:, i].all()
            if any(bends) and not clips:
                found[1, i] = float(bends[0]) - float(bends[1])
    return found


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
