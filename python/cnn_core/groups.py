"""Groups of parameters: W and b of each layer, the vectors of embedded columns and the periodic
embeddings of numbers, which may have a learning rate and a decay of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cnn_core._checks import check_number, shown

#: Names of several groups; a group's own name goes before them.
SEVERAL = ("weights", "biases", "embeddings", "periodic")

_OWN = re.compile("[Wb][1-9][0-9]{0,5}")


def check_factors(name: str, value: Any) -> None:
    """Raise unless `value` is a dict from names of groups to numbers of at least 0."""
    if not isinstance(value, Mapping):
        raise TypeError(
            f"{name} must be a dict such as {{'biases': 0.1}}, or None, got {shown(value)}"
        )
    for group, factor in value.items():
        if not isinstance(group, str) or not (group in SEVERAL or _OWN.fullmatch(group)):
            raise ValueError(
                f"{name} has no group {shown(group)}; there are 'weights', 'biases', "
                "'embeddings' and 'periodic', and of each layer 'W1', 'b1', 'W2', ..."
            )
        check_number(f"{name} of {group!r}", factor, 0)


def factors(name: str, given: Mapping[str, float] | None, n_layers: int) -> tuple[float, ...]:
    """The factor of each group, in the order in which the core takes them.

    Parameters
    ----------
    name : str
        Of the parameter, for the message.
    given : mapping of str to float, or None
        What `check_factors` lets pass.
    n_layers : int
        Layers of weights.

    Returns
    -------
    tuple of float
        W and b of each layer, the embeddings and the periodic ones; empty where all are 1.

    Raises
    ------
    ValueError
        For a layer that there is not.
    """
    if not given:
        return ()
    for group in given:
        if group not in SEVERAL and int(group[1:]) > n_layers:
            raise ValueError(
                f"{name} has {group!r}, and this network has {n_layers} "
                f"{'layer' if n_layers == 1 else 'layers'}"
            )
    found = [
        float(given.get(f"{part}{l}", given.get(several, 1.0)))
        for l in range(1, n_layers + 1)
        for part, several in zip("Wb", SEVERAL)
    ]
    found += [float(given.get(several, 1.0)) for several in SEVERAL[2:]]
    return tuple(found) if set(found) != {1.0} else ()


def of_each_parameter(
    found: Sequence[float], sizes: Sequence[tuple[int, int]], embedded: tuple[int, int]
) -> list[float]:
    """The factor of each parameter, in the order of `Network.flat`.

    Parameters
    ----------
    found : sequence of float
        From `factors`; empty: 1 throughout.
    sizes : sequence of (int, int)
        Numbers of W and of b, layer by layer.
    embedded : (int, int)
        Numbers of the vectors of embedded columns, and of the periodic embeddings.
    """
    counts = [count for pair in [*sizes, embedded] for count in pair]
    factors = [*found, *[1.0] * (len(counts) - len(found))]
    return [factor for factor, count in zip(factors, counts) for _ in range(count)]
