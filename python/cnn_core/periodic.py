"""Periodic embeddings of numbers as they are shown: the parameters of a column, or gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class PeriodicColumn(NamedTuple):
    """What a number x becomes: e = V cos(2 pi w x + c) + d, beside x itself."""

    w: NDArray[Any]  #: (frequencies,)
    c: NDArray[Any]  #: (frequencies,): phases
    V: NDArray[Any]  #: (width, frequencies)
    d: NDArray[Any]  #: (width,)


def columns_of(parts: Sequence[NDArray[Any]]) -> tuple[PeriodicColumn, ...]:
    """Each column, from `Network.periodic_parameters`."""
    return tuple(PeriodicColumn(*one) for one in zip(*parts))
