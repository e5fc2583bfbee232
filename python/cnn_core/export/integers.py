"""A header in integers, see `quantized`."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import cnn_core
from cnn_core._random import uniform
from cnn_core._spoken import argument
from cnn_core._warn import kept_warnings
from cnn_core.export.answers import label_table
from cnn_core.export.header import check_model
from cnn_core.export.opening import in_comment_line
from cnn_core.export.quantized import BITS, UNFIT, Layer, Quantized, quantized, range_of
from cnn_core.export.tables import Table, can_be_written
from cnn_core.export.text import check_name, enumeration, guard, numbers, table
from cnn_core.files.atomic import check_path, write_whole
from cnn_core.training.backends import native, with_linear_output

if TYPE_CHECKING:
    from cnn_core.mean import MeanModel
    from cnn_core.model import Model

#: Rows that the error is measured on, and rows of the test.
MEASURED, TESTED = 4096, 16


def export_c(
    model: Model | MeanModel,
    path: str | os.PathLike[str],
    name: str,
    kind: str,
    input_range: Sequence[object] | None,
) -> None:
    """Write the header of a fitted model in integers, see `MLP.export_c`."""
    check_path(path, "export_c")
    write_whole(path, header(model, name, kind, input_range).encode("ascii"))


def header(
    model: Model | MeanModel, name: str, kind: str, input_range: Sequence[object] | None = None
) -> str:
    """The text of a header."""
    name, model = check_name(name), _checked(model, kind)
    try:
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            net = quantized(model, kind, range_of(model, input_range))
            share = uniform(0, 1, MEASURED * len(net.low)).reshape(MEASURED, -1)
            rows = net.low + (net.high - net.low) * share
            rows = np.clip(rows.astype(model.network.dtype), net.low, net.high).astype(rows.dtype)
            net.quantize(rows)
    except (FloatingPointError, OverflowError):
        raise ValueError(UNFIT) from None
    measured = np.abs(in_units(model, net, net.outputs(net.quantize(rows))) - exact(model, rows))
    return "\n".join(
        (
            _opening(model, net, name, measured.max(axis=0)),
            f"{guard(name)}\n#include <stddef.h>\n#include <stdint.h>\n",
            '#ifdef __cplusplus\nextern "C" {\n#endif\n',
            _sizes(model, net, name),
            *_functions(model, net, name),
            "#ifdef __cplusplus\n}\n#endif\n",
            _test(model, net, name, net.quantize(rows[:TESTED])),
            "#endif\n",
        )
    )


def exact(model: Model, rows: np.ndarray) -> np.ndarray:
    """What the outputs in integers stand for: numbers of a regression, else z of the last layer."""
    X = rows.astype(model.network.dtype)
    with kept_warnings():
        if model.task.name == "regression":
            return model.outputs(X, "native", 1).astype(np.float64)
        linear = native.predictor(with_linear_output(model.network), model.scaling)
        z: np.ndarray = linear.unchecked(model.check_X(X)).astype(np.float64)
    return z


def in_units(model: Model, net: Quantized, y: np.ndarray) -> np.ndarray:
    """Outputs in integers as those of `exact`."""
    a = np.ldexp(y.astype(np.float64), -net.layers[-1].out)
    return a if model.target_scaling is None else model.target_scaling.invert(a, np.float64)


def _checked(model: Model | MeanModel, kind: str) -> Model:
    """The model, if it can be had in integers."""
    from cnn_core.model import Model

    words = argument("dtype", kind, of="export_c")
    if not isinstance(model, Model):
        raise NotImplementedError(f"{words} writes one network, not a mean")
    network, task = model.network, model.task
    output = network.activations[-1]
    outputs = ("identity",) if task.name == "regression" else ("identity", "softmax", "sigmoid")
    hidden = [one for one in network.activations[:-1] if not can_be_written(one)]
    curve = "linear" if model.scaling is None else model.scaling.curve
    refused = {
        "columns of tables": model.columns is not None,
        "embedded categories or numbers": network.embeds,
        f"inputs scaled by {curve}": curve != "linear",
        f"the activation {hidden[0] if hidden else ''!r}": hidden,
        f"the output {output!r} of a {task.name}": output not in outputs,
    }
    found = [what for what, there in refused.items() if there]
    if found:
        raise NotImplementedError(f"{words} does not write {', '.join(found)}")
    check_model(model)
    return model


def _opening(model: Model, net: Quantized, name: str, measured: np.ndarray) -> str:
    """The comment at the top."""
    spec, task = model.network_spec, model.task
    n, unit = len(measured), ""
    if task.name != "regression":
        unit = ", the z of the last layer"
    pairs = [f"{bound:.3g} ({error:.3g})" for bound, error in zip(net.bound[:8], measured)]
    more = ", ..." if n > 8 else ""
    lines = [
        f"{name}: a multilayer perceptron for {task.name} in integers of {BITS[net.kind]} bits, "
        "written by",
        f"cnn_core {cnn_core.__version__}.",
        "",
        f"Layers      {'-'.join(map(str, spec.widths))}, {', '.join(spec.activations)}",
        f"Bound       {', '.join(pairs)}{more}",
        "",
        "Bound is how far outputs are off at most from those in Python, for all inputs in",
        f"their range{unit} (in parentheses: the largest error of {MEASURED} random rows).",
        "Inputs outside are taken for the end of the range. No sum can overflow: the shifts follow",
        "from the intervals of all numbers.",
        "",
        f"{name}_quantize and {name}_value convert numbers of double to integers and back; with",
        f"-D{name.upper()}_NO_FLOAT there is nothing but integers. Input i is middle + step q:",
        "",
    ]
    middle = (net.low + net.high) / 2
    for i, (m, step) in enumerate(zip(middle, net.step)):
        if i == 20:
            lines.append("    ...")
            break
        feature = "" if model.feature_names is None else f" {model.feature_names[i]}"
        low, high = net.low[i], net.high[i]
        lines.append(f"    {i}{feature}: {m:.9g} + {step:.9g} q, from {low:.6g} to {high:.6g}")
    lines.append("")
    lines.append(f"-D{name.upper()}_TEST makes a program of it that tests itself.")
    body = "\n".join(f" * {in_comment_line(line)}".rstrip() for line in lines)
    return f"/*{body[2:]}\n */\n"


def _sizes(model: Model, net: Quantized, name: str) -> str:
    """Constants, the types of numbers, and the workspace."""
    task, NAME, bits = model.task, name.upper(), BITS[net.kind]
    values = [("INPUTS", model.n_features), ("OUTPUTS", task.n_outputs)]
    if task.name == "classification":
        values.append(("CLASSES", task.n_classes))
    values.append(("FRACTION", net.layers[-1].out))
    width = max(model.network.widths)
    return f"""\
/* Outputs are q / 2^{NAME}_FRACTION. */
{enumeration(NAME, values)}
typedef int{bits}_t {name}_number;

/* Where a call computes; each thread has its own, and nothing in it need be set. */
typedef struct {{
    {name}_number a[{width}], b[{width}];
}} {name}_work;
"""


def _functions(model: Model, net: Quantized, name: str) -> list[str]:
    """Weights, tables, layers, and what users call."""
    parts = [_shift(name, bits) for bits in _widths(net)]
    known = set[tuple[str, float]]()
    for layer in net.layers:
        if layer.table is not None and (layer.table.name, layer.table.param) not in known:
            known.add((layer.table.name, layer.table.param))
            parts.append(_table(name, layer.table))
    for l, layer in enumerate(net.layers):
        parts.append(_layer(net, name, l, layer))
    return [*parts, _forward(net, name), _predict(model, net, name), _conversions(model, net, name)]


def _widths(net: Quantized) -> list[int]:
    """The widths of numbers that are shifted: that of tables, and of sums."""
    tables = any(layer.table is not None for layer in net.layers)
    wide = {layer.wide for layer in net.layers if _shifts(layer)}
    return [bits for bits in (32, 64) if (bits == 64) in wide or (bits == 32 and tables)]


def _shifts(layer: Layer) -> bool:
    at = layer.table is not None and layer.fraction > layer.table.argument
    return layer.fine > layer.out or bool(layer.slope) or at


def _shift(name: str, bits: int) -> str:
    t = f"int{bits}_t"
    return f"""\
/* z / 2^bits, rounded to the nearest; bits > 0. */
static inline {t} {name}_shift{bits}({t} z, int bits)
{{
    const {t} half = ({t})1 << (bits - 1);
    return z >= 0 ? (z + half) >> bits : -((half - z) >> bits);
}}
"""


def _table_name(name: str, one: Table) -> str:
    """The name of a table's function."""
    param = re.sub(r"[^0-9]+", "_", repr(one.param)).strip("_") if one.param else ""
    return f"{name}_{one.name}_{param}".rstrip("_")


def _table(name: str, one: Table) -> str:
    f, steps = _table_name(name, one), one.steps
    words = [str(entry) for entry in one.entries.tolist()]
    what = f"{one.name}{' without relu' if one.has_relu else ''}"
    bits = int(math.log2(steps))
    return f"""\
/* {what} from -{one.end} to {one.end}, of {one.fraction} bits; its argument has {one.argument}. */
{table("int16_t", f"{f}_table", words)}
static inline int32_t {f}(int32_t z)
{{
    const int32_t u = z + {one.segments * steps // 2}, k = u >> {bits}, part = u & {steps - 1};
    const int32_t rise = {f}_table[k + 1] - {f}_table[k];
    return {f}_table[k] + {name}_shift32(rise * part, {bits});
}}
"""


def _layer(net: Quantized, name: str, l: int, layer: Layer) -> str:
    """Weights and function of a layer."""
    bits, n = (64 if layer.wide else 32), len(layer.W)
    t, last = f"int{bits}_t", l == len(net.layers) - 1
    small, inputs = f"int{BITS[net.kind]}_t", layer.W.shape[1]
    words = [str(one) for one in layer.W.ravel().tolist()]
    suffix = "INT64_C({})" if layer.wide else "{}"
    biases = [suffix.format(one) for one in layer.bias.tolist()]
    out = "int32_t" if last else f"{name}_number"
    lines = _activation(name, layer, t, bits)
    body = "\n".join(f"        {line}" for line in lines)
    product = f"({t})((int32_t)w[i] * x[i])"
    if net.kind == "int8" or not layer.wide:
        product = "(int32_t)w[i] * x[i]"
    return f"""\
/* Layer {l + 1}: weights and sums of {layer.fraction} bits, outputs of {layer.out}. */
{table(small, f"{name}_w{l + 1}", words)}{table(t, f"{name}_bias{l + 1}", biases)}
static inline void {name}_layer{l + 1}(const {name}_number *x, {out} *out)
{{
    const {small} *w = {name}_w{l + 1};
    for (int j = 0; j < {n}; j++, w += {inputs}) {{
        {t} z = {name}_bias{l + 1}[j];
        for (int i = 0; i < {inputs}; i++) z += {product};
{body}
        out[j] = ({out})z;
    }}
}}
"""


def _activation(name: str, layer: Layer, t: str, bits: int) -> list[str]:
    """From a sum to an output, in z."""
    shift, lines = f"{name}_shift{bits}", list[str]()
    if layer.activation == "relu":
        lines.append("if (z < 0) z = 0;")
    elif layer.activation == "leaky_relu":
        lines.append(f"if (z < 0) z = {shift}(z * {layer.slope}, 15);")
    elif layer.table is not None:
        one, more = layer.table, layer.fine - layer.table.fraction
        end = one.end << layer.fraction
        at = "z"
        if end < max(-int(layer.low.min()), int(layer.high.max())):
            limit = f"INT64_C({end})" if bits == 64 else str(end)
            at = f"(z > {limit} ? {limit} : z < -{limit} ? -{limit} : z)"
        down = layer.fraction - one.argument
        if down > 0:
            at = f"{shift}({at}, {down})"
        elif down < 0:
            at = f"{at} * {1 << -down}"
        lines.append(f"const {t} curve = {_table_name(name, one)}((int32_t)({at}));")
        scaled = f"curve * {1 << more}" if more else "curve"
        if one.has_relu:
            up = layer.fine - layer.fraction
            linear = f"(z > 0 ? z : 0){f' * {1 << up}' if up else ''}"
            lines.append(f"z = {linear} + {scaled};")
        else:
            lines.append(f"z = {scaled};")
    if layer.fine > layer.out:
        lines.append(f"z = {shift}(z, {layer.fine - layer.out});")
    return lines


def _forward(net: Quantized, name: str) -> str:
    """All layers."""
    lines, n, x = list[str](), net.layers[0].W.shape[1], "work->b"
    for l in range(len(net.layers)):
        out = "y" if l == len(net.layers) - 1 else ("work->a", "work->b")[l % 2]
        lines.append(f"{name}_layer{l + 1}({x}, {out});")
        x = out
    body = "\n    ".join(lines)
    return f"""\
/* The outputs, in integers. */
static inline void {name}_forward(const {name}_number *x, int32_t *y, {name}_work *work)
{{
    for (int i = 0; i < {n}; i++)
        work->b[i] = ({name}_number)(x[i] < -{net.most} ? -{net.most} : x[i]);
    {body}
}}
"""


def _predict(model: Model, net: Quantized, name: str) -> str:
    """The class, where outputs mean some."""
    task, n = model.task, model.task.n_outputs
    if task.name == "regression":
        return ""
    threshold = task.threshold
    if model.network.activations[-1] == "sigmoid":
        threshold = math.log(threshold / (1 - threshold))
    least = round(math.ldexp(threshold, net.layers[-1].out))
    least = max(-(2**31) + 1, min(2**31 - 1, least))
    if task.name == "multilabel":
        return f"""\
/* 1 for each label that the row has, else 0. */
static inline void {name}_predict(const {name}_number *x, int *labels, {name}_work *work)
{{
    int32_t y[{n}];
    {name}_forward(x, y, work);
    for (int j = 0; j < {n}; j++) labels[j] = y[j] > {least};
}}
"""
    kind, labels = label_table(name, task)
    best = f"return y[0] > {least};"
    if n > 1:
        best = f"int best = 0;\n    for (int j = 1; j < {n}; j++)\n        "
        best += "if (y[j] > y[best]) best = j;\n    return best;"
    return f"""\
/* The number of the class, from 0 on. */
static inline int {name}_predict(const {name}_number *x, {name}_work *work)
{{
    int32_t y[{n}];
    {name}_forward(x, y, work);
    {best}
}}

/* The class labels. */
{labels}
/* The label of the class. */
static inline {kind}{name}_label(const {name}_number *x, {name}_work *work)
{{
    return {name}_labels[{name}_predict(x, work)];
}}
"""


def _conversions(model: Model, net: Quantized, name: str) -> str:
    """From numbers to integers and back."""
    unit, middle = 2.0 ** -net.layers[-1].out, (net.low + net.high) / 2
    given = {"low": net.low, "high": net.high, "middle": middle, "step": net.step}
    lines = [f"const double value = q * {unit!r};"]
    if model.target_scaling is None:
        lines.append("(void)j;")
    else:
        factor, shift, low, high = model.target_scaling.arrays
        given |= {"y_factor": factor, "y_shift": shift}
        lines = [f"{lines[0][:-1]} * {name}_y_factor[j] + {name}_y_shift[j];"]
        if model.target_scaling.clips:
            given |= {"y_low": low, "y_high": high}
            lines += [
                f"if (value < {name}_y_low[j]) return {name}_y_low[j];",
                f"if (value > {name}_y_high[j]) return {name}_y_high[j];",
            ]
    body = "\n    ".join([*lines, "return value;"])
    tables = "".join(numbers(f"{name}_{what}", one, True) for what, one in given.items())
    return f"""\
#if !defined({name.upper()}_NO_FLOAT)
{tables}
/* Input i as an integer. */
static inline {name}_number {name}_quantize(int i, double x)
{{
    x = x > {name}_low[i] ? x < {name}_high[i] ? x : {name}_high[i] : {name}_low[i];
    x = (x - {name}_middle[i]) / {name}_step[i];
    const int q = (int)(x < 0 ? x - 0.5 : x + 0.5);
    return ({name}_number)(q < -{net.most} ? -{net.most} : q > {net.most} ? {net.most} : q);
}}

/* Output j, from its integer. */
static inline double {name}_value(int j, int32_t q)
{{
    {body}
}}
#endif
"""


def _test(model: Model, net: Quantized, name: str, x: np.ndarray) -> str:
    """The part of a header that tests it."""
    y, NAME = net.outputs(x), name.upper()
    xs = table(f"{name}_number", f"{name}_test_x", [str(one) for one in x.ravel().tolist()])
    ys = table("int32_t", f"{name}_test_y", [str(one) for one in y.ravel().tolist()])
    return f"""\
#ifdef {NAME}_TEST
/* {len(x)} rows, and the outputs that they give in Python. */
#include <stdio.h>

{xs}{ys}
int main(void)
{{
    static {name}_work work;
    int wrong = 0;
    for (int r = 0; r < {len(x)}; r++) {{
        int32_t y[{NAME}_OUTPUTS];
        {name}_forward({name}_test_x + r * {NAME}_INPUTS, y, &work);
        for (int j = 0; j < {NAME}_OUTPUTS; j++)
            wrong += y[j] != {name}_test_y[r * {NAME}_OUTPUTS + j];
    }}
    printf("{name}: %d rows, %s\\n", {len(x)}, wrong ? "wrong" : "right");
    return wrong != 0;
}}
#endif
"""
