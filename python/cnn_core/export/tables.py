"""Activations in integers: tables with straight lines between their entries, and their errors."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from cnn_core import _activations
from cnn_core._frozen import Frozen

#: Bits of the fraction of a table's entries, which lie between -2 and 2.
FRACTION = 14
#: Of each activation that has a table: the number (a power of two) beyond which its curve is
#: constant, and whether that is what is left of it without relu.
_CURVES = {
    "tanh": (8, False),
    "sigmoid": (16, False),
    "hard_sigmoid": (4, False),
    "gelu": (8, True),
    "gelu_tanh": (8, True),
    "swish": (16, True),
    "mish": (16, True),
    "softplus": (16, True),
    "elu": (16, True),
    "hard_swish": (4, True),
}
#: The largest slopes of activations, rounded up.
_LIPSCHITZ = {
    "sigmoid": 0.25,
    "hard_sigmoid": 0.1667,
    "gelu": 1.13,
    "gelu_tanh": 1.13,
    "swish": 1.1,
    "mish": 1.09,
    "hard_swish": 1.5,
}
_SELU_LAMBDA, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
#: Where those that dip below 0 are lowest.
_LOWEST = {"gelu": -0.7518, "gelu_tanh": -0.7525, "swish": -1.2785, "mish": -1.1925}
_LOWEST["hard_swish"] = -1.5


def shifted(z: np.ndarray, bits: int) -> np.ndarray:
    """z / 2^bits, rounded to the nearest, halves away from 0."""
    if bits <= 0:
        return z << -bits
    half = 1 << (bits - 1)
    found: np.ndarray = np.where(z >= 0, (z + half) >> bits, -((-z + half) >> bits))
    return found


def can_be_written(activation: str) -> bool:
    """Whether an activation of a hidden layer can be had in integers."""
    return activation in {*_CURVES, "identity", "relu", "leaky_relu", "selu"}


def split_off(activation: str, param: float) -> tuple[str, float, float]:
    """An activation, with a factor that the next layer's weights take in: selu is lambda elu."""
    if activation == "selu":
        return "elu", _SELU_ALPHA, _SELU_LAMBDA
    return activation, param, 1.0


def lipschitz(activation: str, param: float) -> float:
    """The largest slope."""
    if activation in ("elu", "leaky_relu"):
        return max(1.0, param)
    return _LIPSCHITZ.get(activation, 1.0)


class Table(Frozen):
    """A curve between -end and end, as entries of `FRACTION` bits.

    Parameters
    ----------
    name : str
    param : float
    end : int
        A power of two; beyond it the curve is constant.
    has_relu : bool
        Whether the activation is the curve plus relu.
    segments, steps : int
        Straight lines, and arguments of each of them; powers of two.
    entries : ndarray of int64, shape (segments + 2,)
        The last one is there for the last argument.
    fraction : int
        Bits of the entries' fraction.
    """

    name: str
    param: float
    end: int
    has_relu: bool
    segments: int
    steps: int
    entries: np.ndarray
    fraction: int

    @property
    def argument(self) -> int:
        """Bits of the arguments' fraction."""
        return int(math.log2(self.segments * self.steps // (2 * self.end)))

    @property
    def dips(self) -> bool:
        return self.name in _LOWEST

    def lowest(self, fraction: int) -> list[int]:
        """Sums around the lowest point of an activation."""
        z = _LOWEST[self.name]
        at = round(math.ldexp(z, fraction))
        reach = int(math.ldexp(0.5, fraction)) + 1
        return [at + reach * k // 64 for k in range(-64, 65)]

    def value(self, z: np.ndarray, fraction: int) -> np.ndarray:
        """The curve at sums of that fraction."""
        end = self.end << fraction if fraction >= 0 else self.end >> -fraction
        at = shifted(np.clip(z, -end, end), fraction - self.argument)
        return self.at(at)

    def at(self, argument: np.ndarray) -> np.ndarray:
        """The curve at some arguments."""
        u = argument + self.segments * self.steps // 2
        k, part = u // self.steps, u % self.steps
        rise = self.entries[k + 1] - self.entries[k]
        bits = int(math.log2(self.steps))
        found: np.ndarray = self.entries[k] + shifted(rise * part, bits)
        return found

    def error(self, fraction: int) -> float:
        """How far the curve is off at most, at sums of that fraction: at its arguments, between
        them, and beyond the end."""
        slope = lipschitz(self.name, self.param)
        if self.has_relu and self.name != "elu":
            slope = 1.0  # of what is left of them
        between = 0.0 if fraction <= self.argument else slope * 2.0 ** -(self.argument + 1)
        return _errors(self.name, self.param, self.segments) + between


@lru_cache(maxsize=64)
def table_of(name: str, param: float, most: int) -> Table | None:
    """The table of an activation for outputs up to `most`; None where it needs none."""
    if name not in _CURVES:
        return None
    end, has_relu = _CURVES[name]
    segments, steps = (128, 256) if most < 2**8 else (1024, 1024)
    at = np.arange(segments + 2) * (2.0 * end / segments) - end
    at[-1] = end
    curve = _curve(name, param, at)
    fraction = FRACTION
    while np.abs(curve).max() * 2**fraction > 32767:
        fraction -= 1
    entries = np.rint(np.ldexp(curve, fraction)).astype(np.int64)
    return Table(name, param, end, has_relu, segments, steps, entries, fraction)


def _curve(name: str, param: float, z: np.ndarray) -> np.ndarray:
    """What a table holds of an activation."""
    z = np.ascontiguousarray(z, np.float64)
    a: np.ndarray = _activations.activation(name, z[None], param or None)[0]
    return a - np.maximum(z, 0) if _CURVES[name][1] else a


@lru_cache(maxsize=64)
def _errors(name: str, param: float, segments: int) -> float:
    """The largest error of a table over all of its arguments, and beyond them."""
    found = table_of(name, param, 127 if segments == 128 else 32767)
    assert found is not None
    half = found.segments * found.steps // 2
    arguments = np.arange(-half, half + 1)
    exact = _curve(name, param, np.ldexp(arguments.astype(np.float64), -found.argument))
    inside = np.abs(np.ldexp(found.at(arguments).astype(np.float64), -found.fraction) - exact).max()
    ends = np.array([-2000.0, -found.end, found.end, 2000.0])
    far = _curve(name, param, ends)  # beyond the end the curve goes to its limit and not back
    tail = max(abs(far[0] - far[1]), abs(far[3] - far[2]))
    return float(inside + tail + 1e-12)
