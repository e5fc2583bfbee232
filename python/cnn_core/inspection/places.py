"""The order of the flat vector of all parameters: W^1 row by row, b^1, W^2, b^2, ...; without b
where there are no biases."""

from itertools import pairwise
from operator import index as whole
from typing import NamedTuple

from cnn_core.functional import Network


class Place(NamedTuple):
    """Which parameter an entry of `MLP.parameters_`, or of a gradient, is."""

    layer: str
    parameter: str  #: 'W' or 'b'
    index: tuple[int, ...]  # type: ignore[assignment]  # hides tuple.index


def layer_names(network: Network) -> list[str]:
    """'hidden 1', 'hidden 2', ..., 'output'."""
    return [f"hidden {l + 1}" for l in range(network.n_layers - 1)] + ["output"]


def place_of(network: Network, position: int) -> Place:
    """The parameter at a position of the flat vector."""
    left = position = whole(position)
    for name, (n_in, n_out) in zip(layer_names(network), pairwise(network.widths)):
        if 0 <= left < n_in * n_out:
            return Place(name, "W", divmod(left, n_in))
        left -= n_in * n_out
        if network.has_bias:
            if 0 <= left < n_out:
                return Place(name, "b", (left,))
            left -= n_out
    count = sum((n_in + network.has_bias) * n_out for n_in, n_out in pairwise(network.widths))
    raise IndexError(f"the network has the parameters 0 to {count - 1}; got {position}")


def position_of(network: Network, place: Place) -> int:
    """The position of a parameter, the reverse of `place_of`."""
    names = layer_names(network)
    if place.layer not in names:
        raise ValueError(f"there is no layer {place.layer!r}; there are {', '.join(names)}")
    if place.parameter not in ("W", "b"):
        raise ValueError(f"the parameter must be 'W' or 'b', got {place.parameter!r}")
    if place.parameter == "b" and not network.has_bias:
        raise ValueError("the parameter must be 'W', as the network has no biases; got 'b'")
    l = names.index(place.layer)
    widths = list(pairwise(network.widths))
    before = sum((m + network.has_bias) * n for m, n in widths[:l])
    n_in, n_out = widths[l]
    shape = (n_out, n_in) if place.parameter == "W" else (n_out,)
    at = place.index
    if len(at) != len(shape) or not all(0 <= i < n for i, n in zip(at, shape)):
        raise IndexError(f"{place.parameter} of {place.layer!r} has shape {shape}; got index {at}")
    return before + (at[0] * n_in + at[1] if place.parameter == "W" else n_out * n_in + at[0])
