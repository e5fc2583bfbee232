"""The order of the flat vector of all parameters: W^1 row by row, b^1, W^2, b^2, ...; without b
where there are no biases; then the vectors of each embedded column, row by row; then w, c, V row
by row and d of each number with a periodic embedding."""

import math
from itertools import pairwise
from operator import index as whole
from typing import NamedTuple

from cnn_core.functional import Network


class Place(NamedTuple):
    """Which parameter an entry of `MLP.parameters_`, or of a gradient, is."""

    layer: str
    parameter: str  #: 'W' or 'b'; 'E' of an embedding; 'w', 'c', 'V' or 'd' of a periodic one
    index: tuple[int, ...]  # type: ignore[assignment]  # hides tuple.index


def layer_names(network: Network) -> list[str]:
    """'hidden 1', 'hidden 2', ..., 'output'."""
    return [f"hidden {l + 1}" for l in range(network.n_layers - 1)] + ["output"]


def table_names(network: Network) -> list[str]:
    """'embedding 1', 'embedding 2', ..."""
    return [f"embedding {i + 1}" for i in range(network.n_tables)]


def periodic_names(network: Network) -> list[str]:
    """'periodic 1', 'periodic 2', ..., one for each number that is embedded."""
    return [f"periodic {i + 1}" for i in range(len(network.periodic[0]) if network.periodic else 0)]


def parameter_shapes(network: Network) -> list[tuple[str, str, tuple[int, ...]]]:
    """Layer, name and shape of the parts of the flat vector, in its order."""
    parts: list[tuple[str, str, tuple[int, ...]]] = []
    for name, (n_in, n_out) in zip(layer_names(network), pairwise(network.widths)):
        parts.append((name, "W", (n_out, n_in)))
        if network.has_bias:
            parts.append((name, "b", (n_out,)))
    for name, shape in zip(table_names(network), network.embeddings):
        parts.append((name, "E", shape))
    _, frequencies, width = network.periodic or ((), 0, 0)
    for name in periodic_names(network):
        parts += [(name, "w", (frequencies,)), (name, "c", (frequencies,))]
        parts += [(name, "V", (width, frequencies)), (name, "d", (width,))]
    return parts


def place_of(network: Network, position: int) -> Place:
    """The parameter at a position of the flat vector."""
    left = position = whole(position)
    for layer, parameter, shape in parameter_shapes(network):
        if 0 <= left < math.prod(shape):
            return Place(layer, parameter, divmod(left, shape[1]) if len(shape) > 1 else (left,))
        left -= math.prod(shape)
    count = sum(math.prod(shape) for *_, shape in parameter_shapes(network))
    raise IndexError(f"the network has the parameters 0 to {count - 1}; got {position}")


def position_of(network: Network, place: Place) -> int:
    """The position of a parameter, the reverse of `place_of`."""
    names = [*layer_names(network), *table_names(network), *periodic_names(network)]
    if place.layer not in names:
        raise ValueError(f"there is no layer {place.layer!r}; there are {', '.join(names)}")
    before = 0
    for layer, parameter, shape in parameter_shapes(network):
        if (layer, parameter) == (place.layer, place.parameter):
            at = place.index
            if len(at) != len(shape) or not all(0 <= i < n for i, n in zip(at, shape)):
                raise IndexError(f"{parameter} of {layer!r} has shape {shape}; got index {at}")
            return before + (at[0] * shape[1] + at[1] if len(shape) > 1 else at[0])
        before += math.prod(shape)
    if place.layer in table_names(network):
        raise ValueError(f"the parameter of an embedding must be 'E', got {place.parameter!r}")
    if place.layer in periodic_names(network):
        raise ValueError(
            "the parameter of a periodic embedding must be 'w', 'c', 'V' or 'd', got "
            f"{place.parameter!r}"
        )
    if place.parameter == "b":
        raise ValueError("the parameter must be 'W', as the network has no biases; got 'b'")
    raise ValueError(f"the parameter must be 'W' or 'b', got {place.parameter!r}")
