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


class Vectors(NamedTuple):
    """Where the vectors of an embedded column stand among all parameters, and that of a row in what
    the first layer reads."""

    categories: int
    width: int
    at: int
    x: int

    @property
    def size(self) -> int:
        return self.categories * self.width


def vectors(model: Model) -> list[Vectors]:
    """Those of all embedded columns, behind the layers."""
    found, at = list[Vectors](), sum(map(size_of, places(model)))
    x = model.network.widths[0] - sum(width for _, width in model.network.embeddings)
    for n, width in model.network.embeddings:
        found.append(Vectors(n, width, at, x))
        at, x = at + n * width, x + width
    return found


def size_of(place: Place) -> int:
    """Weights and biases of a layer."""
    return (place.inputs + (place.bias is not None)) * place.outputs


def n_parameters(model: Model) -> int:
    """All numbers that are learned."""
    return sum(map(size_of, places(model))) + sum(one.size for one in vectors(model))


def weights_in(model: Model) -> list[tuple[int, int]]:
    """From where to where what is penalised stands: weights and vectors."""
    of_layers = [(one.w, one.w + one.inputs * one.outputs) for one in places(model)]
    return of_layers + [(one.at, one.at + one.size) for one in vectors(model)]


def parameters(place: Place, what: str = "p") -> tuple[str, str]:
    """The weights and biases of a layer in C, as arguments of functions."""
    bias = "" if place.bias is None else f"work->{what} + {place.bias}, "
    return f"work->{what} + {place.w}", bias
