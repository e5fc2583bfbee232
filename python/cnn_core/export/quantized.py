"""A network in integers: scales, weights, and what it is off at most, by interval bounds.

An integer q stands for q 2^-f, with a number of bits f for each layer. Weights and activations have
8 or 16 bits, sums 32 or 64. For every layer the interval of each sum follows from those of its
inputs, so that shifts are chosen with which nothing can overflow, and so does the error:

    |z^ - z| <= sum |W| |a^ - a| + sum |W^ - W| max |a^| + |b^ - b|
    |a^ - a| <= L |z^ - z| + the error of the table + half a unit of a^

with the Lipschitz constant L of the activation. The error of a table is the largest one over all of
its arguments, which are finitely many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnn_core._checks import shown
from cnn_core._frozen import Frozen
from cnn_core._spoken import argument
from cnn_core.export.tables import Table, lipschitz, shifted, split_off, table_of

if TYPE_CHECKING:
    from cnn_core.model import Model

TOO_LARGE = "the weights of the model, or the input_range, are too large for integers of 64 bits"
UNFIT = (
    "the input_range is too wide, or too narrow, for integers: give the range that the inputs have"
)

#: Bits of a number, and of the fraction of what tables hold.
BITS = {"int8": 8, "int16": 16}
#: Deviations from the middle of the training rows that inputs may lie away by default.
DEVIATIONS = 4.0


class Layer(NamedTuple):
    """A layer in integers."""

    W: np.ndarray  #: int64, shape (outputs, inputs)
    bias: np.ndarray  #: int64, of the fraction of the sums
    fraction: int  #: bits of the sums
    activation: str
    slope: int  #: leaky_relu: of 15 bits
    table: Table | None
    out: int  #: bits of the outputs' fraction
    low: np.ndarray  #: of the sums
    high: np.ndarray
    #: The largest value that the sums have on the way to outputs.
    largest: int

    @property
    def fine(self) -> int:
        """Bits in which relu and a table are added."""
        return self.fraction if self.table is None else max(self.fraction, self.table.fraction)

    @property
    def wide(self) -> bool:
        """Whether sums need 64 bits."""
        return self.largest >= 2**31 - 1


class Quantized(Frozen):
    """A network in integers.

    Parameters
    ----------
    kind : str
        'int8' or 'int16'.
    low, high, step : ndarray
        The range of each input, and what a unit of it is.
    layers : tuple of Layer
    bound : ndarray, shape (n_outputs,)
        How far outputs are off at most, in their units.
    """

    kind: str
    low: np.ndarray
    high: np.ndarray
    step: np.ndarray
    layers: tuple[Layer, ...]
    bound: np.ndarray

    @property
    def most(self) -> int:
        """The largest number of the kind that is used."""
        return int(2 ** (BITS[self.kind] - 1) - 1)

    def quantize(self, X: np.ndarray) -> np.ndarray:
        """Inputs as integers, as the header's helper has them."""
        middle = (self.low + self.high) / 2
        t = (np.clip(X.astype(np.float64), self.low, self.high) - middle) / self.step
        away = np.where(t < 0, np.ceil(t - 0.5), np.floor(t + 0.5))
        found: np.ndarray = np.clip(away, -self.most, self.most).astype(np.int64)
        return found

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The outputs in integers, for inputs in integers."""
        a = x.astype(np.int64)
        for layer in self.layers:
            z = a @ layer.W.T + layer.bias
            a = _activated(layer, z)
        return a


def _activated(layer: Layer, z: np.ndarray) -> np.ndarray:
    """The activation of sums, of the outputs' fraction."""
    if layer.activation == "relu":
        z = np.maximum(z, 0)
    elif layer.activation == "leaky_relu":
        z = np.where(z >= 0, z, shifted(z * layer.slope, 15))
    elif layer.table is not None:
        value = layer.table.value(z, layer.fraction) << (layer.fine - layer.table.fraction)
        linear = np.maximum(z, 0) << (layer.fine - layer.fraction)
        z = value + linear if layer.table.has_relu else value
    return shifted(z, layer.fine - layer.out)


def quantized(model: Model, kind: str, input_range: tuple[np.ndarray, np.ndarray]) -> Quantized:
    """A model in integers."""
    most = 2 ** (BITS[kind] - 1) - 1
    low, high = input_range
    step = (high - low) / (2 * most)
    rounding = float(np.finfo(model.network.dtype).eps) / 2
    middle = (low + high) / 2
    shift, factor = np.zeros_like(low), np.ones_like(low)
    if model.scaling is not None:
        shift, factor, _ = model.scaling.arrays
    # The first layer takes in the scaling, and what a unit of each input is.
    far = np.maximum(np.abs(low - shift), np.abs(high - shift)) * factor
    error = factor * step / 2 + rounding * far
    a_low, a_high = np.full(len(low), -most), np.full(len(low), most)
    unit, offset, size = factor * step, (middle - shift) * factor, far
    layers = list[Layer]()
    n_layers, bits = model.network.n_layers, 0
    scale = 1.0
    for l in range(n_layers):
        W = model.network.weights(l).astype(np.float64)
        b = np.zeros(len(W))
        if model.network.has_bias:
            b = model.network.bias(l).astype(np.float64)
        last = l == n_layers - 1
        made = _layer(
            _Exact(W * scale, b, unit, offset, error, size, rounding),
            (a_low, a_high, bits),
            ("identity" if last else model.network.activations[l]),
            model.network.activation_params[l],
            None if last else most,
        )
        layers.append(made.layer)
        error, size, bits, scale = made.error, made.size, made.layer.out, made.scale
        a_low, a_high = made.low, made.high
        unit, offset = np.full(len(W), 2.0**-bits), np.zeros(len(W))
    bound = error * (1 + 1e-9)
    if model.target_scaling is not None:
        y_factor, y_shift, _, _ = model.target_scaling.arrays
        y = np.abs(y_shift) + size * np.abs(y_factor)
        bound = bound * np.abs(y_factor) + 2 * rounding * y
    return Quantized(kind, low, high, step, tuple(layers), bound)


class _Exact(NamedTuple):
    """A layer in real numbers: its input i is unit[i] q + offset[i], but for an error, and at most
    `size`; `rounding` is that of the arithmetic that it is compared with."""

    W: np.ndarray
    b: np.ndarray
    unit: np.ndarray
    offset: np.ndarray
    error: np.ndarray
    size: np.ndarray
    rounding: float


class _Made(NamedTuple):
    layer: Layer
    error: np.ndarray  #: of the outputs
    size: np.ndarray  #: of the outputs at most
    low: np.ndarray  #: of the outputs in integers
    high: np.ndarray
    scale: float  #: that the next layer's weights are to have


def _layer(
    exact: _Exact,
    given: tuple[np.ndarray, np.ndarray, int],
    activation: str,
    param: float,
    most: int | None,
) -> _Made:
    """A layer in integers; without `most` the last one, whose outputs are sums of 32 bits."""
    a_low, a_high, _ = given
    V = exact.W * exact.unit  # of a unit of each input
    b = exact.b + exact.W @ exact.offset
    limit = int(a_high.max()) if most is None else most
    fraction = fraction_of(float(np.abs(V).max()), limit if most else _limit(a_high))
    W, bias = _rounded(V, fraction), _rounded(b, fraction)
    low = bias + np.minimum(W * a_low, W * a_high).sum(axis=1)
    high = bias + np.maximum(W * a_low, W * a_high).sum(axis=1)
    reach = np.maximum(np.abs(a_low), np.abs(a_high))
    error = np.abs(exact.W) @ exact.error
    error += np.abs(V - W * 2.0**-fraction) @ reach + np.abs(b - bias * 2.0**-fraction)
    size = np.abs(exact.W) @ exact.size + np.abs(exact.b)
    error += 1.01 * (exact.W.shape[1] + 3) * exact.rounding * size
    # Sums on the way may be larger than at the end.
    at_most = max(1, int((np.abs(bias) + np.abs(W) @ reach).max()))
    if fraction < 0 or at_most.bit_length() > 60:
        raise ValueError(TOO_LARGE)
    layer = Layer(W, bias, fraction, activation, 0, None, fraction, low, high, at_most)
    if most is None:
        out = fraction - max(0, at_most.bit_length() - 30)
        error += 0.5 * 2.0**-out if out < fraction else 0
        largest = at_most + (1 << (fraction - out))
        return _Made(layer._replace(out=out, largest=largest), error, size, low, high, 1.0)
    return _activate(layer, param, most, exact.rounding, (error, size))


def _limit(a_high: np.ndarray) -> int:
    """The largest weight that goes with such inputs."""
    return 127 if int(a_high.max()) <= 127 else 32767


def _activate(
    layer: Layer, param: float, most: int, rounding: float, of_z: tuple[np.ndarray, np.ndarray]
) -> _Made:
    """The rest of a hidden layer: its activation, and the integers that it becomes."""
    error, size = of_z
    name, param, scale = split_off(layer.activation, param)
    table = table_of(name, param, most)
    slope = round(param * 2**15) if name == "leaky_relu" else 0
    layer = layer._replace(activation=name, slope=slope, table=table)
    fraction, fine, at_most = layer.fraction, layer.fine, layer.largest
    ends = np.stack((layer.low, layer.high)) * 2.0**-fraction
    error = lipschitz(name, param) * error
    if table is not None:
        error = error + table.error(fraction)
    if slope:
        lost = abs(param - slope / 2**15) * np.abs(ends).max(axis=0)
        error = error + lost + 2.0 ** -(fraction + 1)
    out = min(fine, fraction_of(_reach(name, param, ends), most))
    layer = layer._replace(out=out)
    a_low, a_high = _range(layer)
    while max(-int(a_low.min()), int(a_high.max())) > most:
        out -= 1
        layer = layer._replace(out=out)
        a_low, a_high = _range(layer)
    error = error + (0.5 * 2.0**-out if out < fine else 0)
    size = np.maximum(_reach_of_each(name, param, size), 1e-30)
    error = error + 8 * rounding * size
    largest = (at_most << (fine - fraction)) + (2 << fine) + (1 << (fine - out))
    if slope:
        largest = max(largest, at_most * slope + 2**15)
    if largest.bit_length() > 62:
        raise ValueError("the numbers of the model are too large for integers of 64 bits")
    return _Made(layer._replace(largest=largest), error, size, a_low, a_high, scale)


def _range(layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest output of each neuron over all of its sums."""
    found = [_activated(layer, layer.low), _activated(layer, layer.high)]
    if layer.table is not None and layer.table.dips:
        for z in layer.table.lowest(layer.fraction):
            found.append(_activated(layer, np.clip(z, layer.low, layer.high)))
    stack = np.stack(found)
    slack = 0 if layer.table is None else 1  # between arguments of a table that round differently
    return stack.min(axis=0) - slack, stack.max(axis=0) + slack


def _reach(name: str, param: float, ends: np.ndarray) -> float:
    """How large outputs may be."""
    return float(_reach_of_each(name, param, np.abs(ends).max(axis=0)).max())


def _reach_of_each(name: str, param: float, size: np.ndarray) -> np.ndarray:
    """How large |f(z)| may be for |z| up to a size."""
    if name in ("tanh", "sigmoid", "hard_sigmoid"):
        size = np.minimum(np.ones_like(size), size + 0.5)
    elif name == "softplus":
        size = size + math.log(2)
    elif name in ("leaky_relu", "elu"):
        size = size * max(1.0, param)
    return size


def fraction_of(largest: float, most: int) -> int:
    """The most bits of a fraction with which a number stays below `most`."""
    if largest == 0:
        return 0
    if not most / largest > 0:  # it is infinite, or NaN
        raise ValueError(TOO_LARGE)
    return math.floor(math.log2(most / largest) - 1e-12)


def _rounded(values: np.ndarray, fraction: int) -> np.ndarray:
    whole: np.ndarray = np.rint(np.ldexp(values, fraction)).astype(np.int64)
    return whole


def range_of(model: Model, given: Sequence[object] | None) -> tuple[np.ndarray, np.ndarray]:
    """The range of each input: as given, or what the scaling has learned.

    Raises
    ------
    ValueError
        Where there is none, or it is no range.
    """
    n = model.n_features
    if given is None:
        if model.scaling is None:
            raise ValueError(
                f"{argument('dtype', 'int16', 'int8', of='export_c')} needs "
                f"{argument('input_range').removesuffix('=')}, the least and the largest input, as "
                "this model has no scaling of its inputs to take it from"
            )
        shift, factor, _ = model.scaling.arrays
        if model.scaling.kind == "minmax":
            return shift.copy(), shift + 1 / factor
        return shift - DEVIATIONS / factor, shift + DEVIATIONS / factor
    each = "a number" if n == 1 else f"a number or one for each of the {n} inputs"
    what = f"input_range must be (low, high), each {each}, got {shown(given)}"
    try:
        ends = [np.asarray(one) for one in given]
        if isinstance(given, (str, bytes)) or any(one.dtype.kind not in "iuf" for one in ends):
            raise TypeError
        low, high = (np.broadcast_to(one.astype(np.float64), n).copy() for one in ends)
    except (TypeError, ValueError):
        raise ValueError(what) from None
    wrong = ~(np.isfinite(low) & np.isfinite(high) & (low < high))
    if wrong.any():
        i = int(wrong.argmax())
        which = "" if n == 1 else f" for input {i}"
        raise ValueError(
            f"input_range must be (low, high), finite, with low < high, got ({low[i]:g}, "
            f"{high[i]:g}){which}"
        )
    return low, high
