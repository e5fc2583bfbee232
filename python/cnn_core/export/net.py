"""Weights, and the pass through all layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_core._few import counted
from cnn_core.export.functions import function_of
from cnn_core.export.machine import apart
from cnn_core.export.places import parameters, places
from cnn_core.export.text import number, numbers
from cnn_core.export.writing import Writing, reads

if TYPE_CHECKING:
    from cnn_core.model import Model

#: The two buffers of a workspace; layers write them in turn, the first one `a`.
BUFFERS = ("a", "b")


def last_buffer(model: Model) -> str:
    """The one that the outputs stand in."""
    return f"work->{BUFFERS[(len(model.network.activations) - 1) % 2]}"


def buffer_size(model: Model) -> int:
    """Numbers in a buffer: the widest layer; whole panels where a wide softmax is among them."""
    network = model.network
    lanes = 64 // network.dtype.itemsize
    sizes = [*network.widths]
    for width, activation in zip(network.widths[1:], network.activations):
        if activation == "softmax" and width > lanes:
            sizes.append(-(-width // lanes) * lanes)
    return max(sizes)


def weights(name: str, model: Model, f64: bool) -> str:
    """The weights and biases of all layers, input by input."""
    parts = []
    network = model.network
    for l in range(len(network.activations)):
        W = network.weights(l)
        outputs, inputs = W.shape
        what = f"{counted(inputs, 'input')}, each with its weights to {counted(outputs, 'output')}"
        parts.append(f"/* Layer {l + 1}: {what}. */\n")
        parts.append(numbers(f"{name}_w{l + 1}", W.T, f64))
        if network.has_bias:
            parts.append(numbers(f"{name}_bias{l + 1}", network.bias(l), f64))
    if network.periodic:
        columns = zip(*network.periodic_parameters())
        parts.append("/* Of each embedded number: w, c and V of each frequency, then d. */\n")
        for k, (w, c, V, d) in enumerate(columns):
            values = [one for i in range(len(w)) for one in (w[i], c[i], *V[:, i])]
            parts.append(
                numbers(f"{name}_periodic{k + 1}", np.array([*values, *d], network.dtype), f64)
            )
    for k, (n, width) in enumerate(network.embeddings):
        of = f"{counted(width, 'number')} of {counted(n, 'category', 'categories')}"
        parts.append(f"/* Vectors of {of}. */\n")
        parts.append(numbers(f"{name}_vectors{k + 1}", network.vectors(k), f64))
    return "".join(parts)


def layer(writing: Writing, has_bias: bool) -> str:
    """The function of one layer before its activation."""
    name, real = writing.name, writing.real
    bias = f"const {real} *bias, " if has_bias else ""
    first = "bias[j]" if has_bias else "0"
    fma = writing.functions("FMA")
    return f"""\
/* z = W x + b: each output is one chain of fused multiply-adds over the inputs, in their order. */
{writing.NAME}_INLINE void {layer_name(name, has_bias)}(ptrdiff_t inputs, ptrdiff_t outputs,
                                const {real} *w, {bias}const {real} *x,
                                {real} *{writing.NAME}_RESTRICT z)
{{
    for (ptrdiff_t j = 0; j < outputs; j++) z[j] = {first};
    for (ptrdiff_t i = 0; i < inputs; i++, w += outputs)
        for (ptrdiff_t j = 0; j < outputs; j++) z[j] = {fma}(x[i], w[j], z[j]);
}}
"""


def layer_name(name: str, has_bias: bool) -> str:
    """The function of layers with a bias, or without."""
    return f"{name}_layer" if has_bias else f"{name}_layer_unbiased"


def layers(writing: Writing, prefix: str, model: Model) -> str:
    """All layers of a network."""
    network, name, real = model.network, writing.name, writing.real
    functions, f64 = writing.functions, writing.f64
    lines = []
    if network.periodic:
        lines += _periodic_lines(writing, prefix, model)
    x = source = writing.read if reads(model) else "x"
    for l, activation in enumerate(network.activations):
        inputs, outputs = network.widths[l : l + 2]
        z = f"work->{BUFFERS[l % 2]}"
        w, bias = _parameters(writing, prefix, l)
        call = layer_name(name, network.has_bias)
        lines.append(f"{call}({inputs}, {outputs}, {w}, {bias}{x}, {z});")
        if activation == "softmax":
            if outputs <= 64 // network.dtype.itemsize:
                lines.append(f"{functions('softmax_transposed')}(1, {outputs}, 1, {z}, {z});")
            else:
                lines.append(f"{functions('softmax_row')}({outputs}, {z}, {z});")
        elif activation != "identity":
            f = functions(function_of(activation))
            param = number(network.dtype.type(network.activation_params[l]), f64)
            lines.append(f"for (int j = 0; j < {outputs}; j++) {z}[j] = {f}({z}[j], {param});")
        x = z
    body = "\n".join(f"    {line}" for line in lines)
    taken, given = (f"const {real} *x, ", "x, ") if source == "x" else ("", "")
    takes = f"{taken}{name}_work *work"
    return apart(writing.NAME, f"{prefix}_layers", takes, f"{given}work", body)


def _parameters(writing: Writing, prefix: str, l: int) -> tuple[str, str]:
    """Weights and biases of a layer, as arguments: constants, or those that are learned."""
    if writing.training is not None:
        return parameters(places(writing.first)[l])
    bias = f"{prefix}_bias{l + 1}, " if writing.first.network.has_bias else ""
    return f"{prefix}_w{l + 1}", bias


def _periodic_lines(writing: Writing, prefix: str, model: Model) -> list[str]:
    """Embeddings of numbers, behind the numbers in the buffer that the first layer reads."""
    spec, read = model.network_spec, writing.read
    columns, frequencies, width = spec.periodic  # type: ignore[misc]
    f, at = writing.functions("embed_vector"), spec.n_numbers
    return [
        f"{f}({frequencies}, {width}, 1, {prefix}_periodic{k + 1}, {read}[{column}], "
        f"{read} + {at + k * width});"
        for k, column in enumerate(columns)
    ]
