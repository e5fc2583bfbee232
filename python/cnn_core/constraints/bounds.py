"""From what is promised of the inputs to bounds of the weights.

Each hidden unit has a sign. One of sign + rises with the inputs that the outputs are to rise with,
and falls with those that they are to fall with; one of sign - does the opposite; one of sign 0
depends on none of them. A weight w between units of the signs s and t keeps the promise where
s t w >= 0, whatever its size (Archer & Wang 1993, "Application of the back propagation neural
network algorithm with monotonicity constraints for two-group classification problems"). Units of
both signs make concave functions of convex activations (Runje & Shankaranarayana 2023,
"Constrained monotonic neural networks", arXiv 2205.11775); those of sign 0 leave the other inputs
free (Daniels & Velikova 2010, "Monotone and partially monotone neural networks").

A function that is convex in an input needs weights of at least 0 behind the first layer, and
activations that are convex and never fall (Amos, Xu & Kolter 2017, "Input convex neural networks",
arXiv 1609.07152): units of sign + are convex, those of sign -, which the output subtracts, make it
concave."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cnn_core._network import Network
    from cnn_core.spec import TrainingSpec

    Signs = NDArray[np.int8]
    Limits = NDArray[np.float64]


class Bounds(NamedTuple):
    """The least and the largest value of each weight, layer by layer, shape (n_out, n_in)."""

    lower: list[Limits]
    upper: list[Limits]

    def folded(self, layer: int, W: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights as drawn, with the signs that they may have and their sizes."""
        lower, upper = self.lower[layer], self.upper[layer]
        size = np.abs(W)
        return np.clip(np.where(lower == 0, size, np.where(upper == 0, -size, W)), lower, upper)

    def broken(self, layer: int, W: NDArray[np.floating]) -> NDArray[np.intp]:
        """Places (to, from) of the weights that lie outside, shape (n, 2)."""
        return np.argwhere((self.lower[layer] > W) | (self.upper[layer] < W))


def bounds_of(network: Network, spec: TrainingSpec) -> Bounds | None:
    """The bounds of a network's weights in a training; None where there are none."""
    if not spec.monotone and not spec.convex:
        return None
    n_in = network.widths[0]
    monotone = np.array(spec.monotone or (0,) * n_in, np.int8)
    convex = np.array(spec.convex or (0,) * n_in, np.int8)
    mixes = not convex.any()  # whether units of one sign may read those of the other
    below, bounds = None, Bounds([], [])
    kinds = signs_of_units(monotone, convex)
    for l, width in enumerate(network.widths[1:]):
        is_output = l == network.n_layers - 1
        signs = np.ones(width, np.int8) if is_output else np.resize(kinds, width)
        if below is None:
            found = _of_inputs(monotone, convex, signs, is_output)
        else:
            found = _of_units(below, signs, mixes or is_output)
        for limits, one in zip(bounds, found):
            limits.append(one)
        below = signs
    return bounds


def flat_bounds(network: Network, spec: TrainingSpec) -> tuple[Limits, Limits] | tuple[()]:
    """The same of all parameters, in the order of `Network.flat`; biases and embeddings are
    free."""
    bounds = bounds_of(network, spec)
    if bounds is None:
        return ()
    rest = sum(n * width for n, width in network.embeddings)
    vectors = []
    for layers, free in ((bounds.lower, -math.inf), (bounds.upper, math.inf)):
        parts = []
        for layer in layers:
            parts += [layer.ravel(), np.full(len(layer) * network.has_bias, free)]
        vectors.append(np.concatenate([*parts, np.full(rest, free)]))
    return vectors[0], vectors[1]


def signs_of_units(monotone: Signs, convex: Signs) -> Signs:
    """The signs that the units of a hidden layer have in turn."""
    kinds = []
    if monotone.any() or (convex > 0).any():
        kinds.append(1)
    if monotone.any() or (convex < 0).any():
        kinds.append(-1)
    if ((monotone == 0) & (convex == 0)).any():
        kinds.append(0)
    return np.array(kinds, np.int8)


def _of_inputs(
    monotone: Signs, convex: Signs, signs: Signs, is_output: bool
) -> tuple[Limits, Limits]:
    """Of the weights from the inputs to units of some signs."""
    to = signs[:, None]
    declared = (monotone != 0) | (convex != 0)
    barred = declared & (to == 0)
    if not is_output:  # what is linear is convex and concave
        barred = barred | ((convex != 0) & (convex != to))
    return _limits(monotone * to, barred)


def _of_units(below: Signs, signs: Signs, mixes: bool) -> tuple[Limits, Limits]:
    """Of the weights from units of some signs to others."""
    to = signs[:, None]
    barred = (below != 0) & (to == 0)
    if not mixes:
        barred = barred | (below * to < 0)
    return _limits(below * to, barred)


def _limits(signs: Signs, barred: NDArray[np.bool_]) -> tuple[Limits, Limits]:
    """Of weights with some signs, 0 for both; those that are barred are 0."""
    lower = np.where(barred | (signs > 0), 0.0, -math.inf)
    upper = np.where(barred | (signs < 0), 0.0, math.inf)
    return lower, upper


def check_within(bounds: Bounds | None, layers: Sequence[ArrayLike], what: str) -> None:
    """Raise for weights W of the layers that lie outside; the message names the first."""
    if bounds is None:
        return
    for l, W in enumerate(layers):
        W = np.asarray(W)
        for j, k in bounds.broken(l, W)[:1].tolist():
            low, high = bounds.lower[l][j, k], bounds.upper[l][j, k]
            allowed = "0" if low == high else "at least 0" if low == 0 else "at most 0"
            raise ValueError(
                f"monotone and convex keep W{l + 1}[{j}, {k}] {allowed}, and {what} has "
                f"{W[j, k]:.6g}"
            )


def check_kept(network: Network, spec: TrainingSpec, what: str) -> None:
    """Raise for weights that do not keep what is promised; `what` has them."""
    bounds = bounds_of(network, spec)
    if bounds is not None:
        layers = [network.weights(l) for l in range(network.n_layers)]
        check_within(bounds, layers, what)
