"""Causes in the network: units that are alike, silent or saturated, gradients that vanish, outputs
that do not depend on the inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.diagnosis import NO_HIDDEN

if TYPE_CHECKING:
    from cnn_core._network import Network
    from cnn_core.inspection.trace import LayerTrace

SHARE = 0.5  # of a layer's units, above which a finding is told
EDGE = 0.01  # distance from an activation's limit within which a unit is saturated
ROWS = 0.95  # share of the rows for which it must be
VANISHED = 1e-3  # size of the first layer's delta beside the last one's
CONSTANT = 1e-6  # spread of an output beside its size
FIRST = 8  # weights of a unit that are compared first
ENOUGH = 10  # rows, below which units and outputs may be equal by chance

#: What is added to a cure where the model does not scale its inputs.
SCALE = ("", ", scale_inputs='auto'")

#: activation: its limits, near which f' is about 0
LIMITS = {"sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}


def alike(network: Network, trained: bool = True) -> Iterator[str]:
    """Hidden layers whose units are the same.

    Parameters
    ----------
    network : Network
    trained : bool
        Whether it has learned: units that are then still equal will stay so. Before that they must
        also be read alike by the layer above.

    Yields
    ------
    str
    """
    for l in range(network.n_layers - 1):
        W = network.weights(l)
        if _kinds(W[:, :FIRST]) > SHARE * len(W):
            continue
        units = np.column_stack((W, network.bias(l)))
        if not trained:
            units = np.column_stack((units, network.weights(l + 1).T))
        n, kinds = len(units), _kinds(units)
        if n > 1 and kinds <= SHARE * n:
            what = (
                f"All {n} units of hidden layer {l + 1} have the same weights"
                if kinds == 1
                else f"The {n} units of hidden layer {l + 1} are only {kinds} different ones"
            )
            yield (
                f"{what}: those that begin alike get the same gradient and stay alike; an init "
                "that draws at random, such as 'auto', is the cure."
            )
            return


def _kinds(units: np.ndarray) -> int:
    """How many different rows there are."""
    return len({unit.tobytes() for unit in units + 0.0})  # -0 is 0


def silent(activations: Sequence[np.ndarray]) -> list[int]:
    """How many units of each layer are 0 for every row."""
    return [int((a == 0).all(axis=0).sum()) for a in activations]


def has_dead_layer(layers: Sequence[Any]) -> bool:
    """Whether most units of a hidden layer are 0 for every row of a trace, of enough rows."""
    hidden = [layer.a for layer in layers[:-1]]
    if len(layers[-1].a) < ENOUGH:
        return False
    return any(count > SHARE * a.shape[1] for count, a in zip(silent(hidden), hidden))


def dead(activations: Sequence[np.ndarray], scaled: bool) -> Iterator[str]:
    """Hidden layers most of whose units are 0 for every row.

    Parameters
    ----------
    activations : sequence of ndarray, shape (rows, n_out)
        Of the hidden layers.
    scaled : bool
        Whether the model scales its inputs.

    Yields
    ------
    str
    """
    for number, count in enumerate(silent(activations), start=1):
        n = activations[number - 1].shape[1]
        if count > SHARE * n:
            yield (
                f"{count / n:.0%} of the units of hidden layer {number} are 0 for every row and "
                f"learn no more: a lower learning rate{SCALE[not scaled]} or "
                "activation='leaky_relu' may help."
            )


def saturated(
    names: Sequence[str], activations: Sequence[np.ndarray], scaled: bool
) -> Iterator[str]:
    """Hidden layers most of whose units lie at a limit of their activation.

    Parameters
    ----------
    names : sequence of str
        Of the activations.
    activations : sequence of ndarray, shape (rows, n_out)
    scaled : bool
        Whether the model scales its inputs.

    Yields
    ------
    str
    """
    for number, (name, a) in enumerate(zip(names, activations), start=1):
        if name not in LIMITS:
            continue
        low, high = LIMITS[name]
        at_limit = (a <= low + EDGE) | (a >= high - EDGE)
        share = float((at_limit.mean(axis=0) >= ROWS).mean())
        if share > SHARE:
            yield (
                f"{share:.0%} of the units of hidden layer {number} are saturated: their {name} is "
                f"{low:g} or {high:g} for nearly every row, where its slope is 0: "
                f"smaller initial weights{SCALE[not scaled]} or a lower learning rate may help."
            )


def gradients(layers: Sequence[LayerTrace], names: Sequence[str], clips: bool) -> Iterator[str]:
    """Gradients that become much smaller or larger on their way down to the first layer.

    Parameters
    ----------
    layers : sequence of LayerTrace
    names : sequence of str
        Of the activations.
    clips : bool
        Whether long gradients are shortened already.

    Yields
    ------
    str
    """
    if len(layers) < 3:
        return
    first, last = (
        float(np.sqrt(np.square(layer.delta, dtype=np.float64).mean()))
        for layer in (layers[0], layers[-1])
    )
    if not (first and last):
        return  # a layer without any gradient is dead or alike
    way = f"on its way down through {len(layers) - 1} hidden layers the gradient"
    if first < VANISHED * last:
        squashes = next((name for name in names[:-1] if "sigmoid" in name), None)
        other = "larger initial weights, such as those of init='auto',"
        if squashes:
            other = f"'relu' or 'tanh' in the place of {squashes!r},"
        yield (
            f"The gradient vanishes: {way} shrinks to {first / last:.1g} of its size, and the "
            f"first ones hardly learn; fewer layers, or {other} may help."
        )
    elif first > last / VANISHED:
        yield (
            f"The gradient explodes: {way} grows {first / last:.1g} times; smaller initial weights"
            f"{' or fewer layers' if clips else ' or clip_norm=1'} may help."
        )


def constant(outputs: np.ndarray) -> bool:
    """Whether every row gets the same outputs."""
    sizes = np.abs(outputs).max(axis=0)
    return len(outputs) > 1 and bool((np.ptp(outputs, axis=0) <= CONSTANT * sizes).all())


def causes(
    network: Network, layers: Sequence[Any], same_rows: bool, scaled: bool, clips: bool
) -> Iterator[str]:
    """All that is found in a network.

    Parameters
    ----------
    network : Network
    layers : sequence of LayerTrace
        What some rows have led to.
    same_rows : bool
        Whether all these rows are the same.
    scaled : bool
        Whether the model scales its inputs.
    clips : bool
        Whether long gradients are shortened.

    Yields
    ------
    str
    """
    equal = list(alike(network))
    if len(layers[-1].a) < ENOUGH or same_rows:
        yield from equal
        return
    hidden = [layer.a for layer in layers[:-1]]
    silenced = [] if equal else list(dead(hidden, scaled))
    saturation = list(saturated(network.activations, hidden, scaled))
    yield from (*equal, *silenced, *saturation)
    if not (equal or silenced or saturation):
        yield from gradients(layers, network.activations, clips)
    if constant(layers[-1].a):
        yield "The outputs do not depend on the inputs: every row gets the same answer."


def linear(names: Sequence[str]) -> str:
    """Why a network is linear in x, as a clause; nothing where it is not.

    Parameters
    ----------
    names : sequence of str
        The activations of all layers.

    Returns
    -------
    str
    """
    if len(names) == 1:
        return NO_HIDDEN
    return "its hidden layers are 'identity'" if set(names[:-1]) == {"identity"} else ""
