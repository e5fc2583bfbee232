"""Where the parameters of each layer stand in a header that learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cnn_core.model import Model


class Place(NamedTuple):
    """Where the parameters of a layer stand among all, and its outputs among those of all."""

    inputs: int
    outputs: int
    w: int
    bias: int | None
    z: int


def places(model: Model) -> list[Place]:
    """Those of all layers."""
    network, found, at, z = model.network, list[Place](), 0, 0
    for inputs, outputs in zip(network.widths, network.widths[1:]):
        bias = at + inputs * outputs if network.has_bias else None
        found.append(Place(inputs, outputs, at, bias, z))
        at += (inputs + network.has_bias) * outputs
        z += outputs
    return found


def n_parameters(model: Model) -> int:
    """Weights and biases."""
    return sum((one.inputs + (one.bias is not None)) * one.outputs for one in places(model))


def parameters(place: Place, what: str = "p") -> tuple[str, str]:
    """The weights and biases of a layer in C, as arguments of functions."""
    bias = "" if place.bias is None else f"work->{what} + {place.bias}, "
    return f"work->{what} + {place.w}", bias
