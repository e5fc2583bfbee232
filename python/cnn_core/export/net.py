"""Weights, and the pass through all layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_core.export.functions import Functions, function_of
from cnn_core.export.text import number, numbers

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
    sizes = [*network.widths, model.network_spec.n_features]
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
        what = f"{inputs} inputs, each with its weights to {outputs} outputs"
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
    return "".join(parts)


def layer(name: str, real: str, functions: Functions, has_bias: bool) -> str:
    """The function of one layer before its activation."""
    bias = f"const {real} *bias, " if has_bias else ""
    first = "bias[j]" if has_bias else "0"
    fma = functions("FMA")
    return f"""\
/* z = W x + b: each output is one chain of fused multiply-adds over the inputs, in their order. */
static inline void {name}_layer(ptrdiff_t inputs, ptrdiff_t outputs, const {real} *w, {bias}
                                const {real} *x, {real} *{name.upper()}_RESTRICT z)
{{
    for (ptrdiff_t j = 0; j < outputs; j++) z[j] = {first};
    for (ptrdiff_t i = 0; i < inputs; i++, w += outputs)
        for (ptrdiff_t j = 0; j < outputs; j++) z[j] = {fma}(x[i], w[j], z[j]);
}}
"""


def layers(name: str, model: Model, functions: Functions, source: str) -> str:
    """All layers; `source` is where the first one reads."""
    network = model.network
    f64 = functions.f64
    real = "double" if f64 else "float"
    lines = []
    if network.periodic:
        lines += _periodic_lines(name, model, functions)
    x = source
    for l, activation in enumerate(network.activations):
        inputs, outputs = network.widths[l : l + 2]
        z = f"work->{BUFFERS[l % 2]}"
        bias = f"{name}_bias{l + 1}, " if network.has_bias else ""
        lines.append(f"{name}_layer({inputs}, {outputs}, {name}_w{l + 1}, {bias}{x}, {z});")
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
    unused = "" if source == "x" else "    (void)x;\n"
    return f"""\
{name.upper()}_APART void {name}_layers(const {real} *x, {name}_work *work)
{{
{unused}{body}
}}
"""


def _periodic_lines(name: str, model: Model, functions: Functions) -> list[str]:
    """Embeddings of numbers, behind the numbers in the buffer that the first layer reads."""
    spec = model.network_spec
    columns, frequencies, width = spec.periodic  # type: ignore[misc]
    f, at = functions("embed_vector"), spec.n_numbers
    return [
        f"{f}({frequencies}, {width}, 1, {name}_periodic{k + 1}, work->b[{column}], "
        f"work->b + {at + k * width});"
        for k, column in enumerate(columns)
    ]
