"""The comment at the top of a header."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cnn_core
from cnn_core.columns.kinds import Category, Date
from cnn_core.export.columns import fields_of
from cnn_core.export.text import in_comment, quoted
from cnn_core.export.writing import Writing

if TYPE_CHECKING:
    from cnn_core.model import Model

_CURVES = {
    "linear": "t = (x - shift) * factor",
    "smooth clip": "t / sqrt(1 + (t / 3)^2) of t = (x - shift) * factor",
    "asinh": "asinh t of t = (x - shift) * factor",
}


def opening(writing: Writing) -> str:
    """The comment at the top."""
    name, NAME, model, task = writing.name, writing.NAME, writing.model, writing.model.task
    version = cnn_core.__version__
    what = f"{name}: a multilayer perceptron for {task.name}, written by cnn_core {version}."
    if writing.is_mean:
        n = len(writing.models)
        what = f"{name}: the mean of {n} multilayer perceptron{'s' * (n > 1)} for {task.name}, "
        what += f"written by cnn_core\n{version}."
    lines = [what, ""]
    for k in range(len(writing.models)):
        lines += _of_network(writing, k)
    if model.feature_names is not None and writing.columns is None:
        names = ", ".join(map(str, model.feature_names[:20]))
        more = ", ..." if len(model.feature_names) > 20 else ""
        lines.append(f"Features    {names}{more}")
    if writing.spread is not None and writing.spread.intervals:
        levels = ", ".join(f"{100 * one:.10g} %" for one in writing.spread.levels)
        lines.append(f"Intervals   {levels}: {name}_interval")
    elif model.calibration is not None:
        lines.append("Intervals   are not written: intervals= of export_c says which are to be")
    if writing.spread is not None and writing.spread.quantiles:
        shown = ", ".join(f"{one:.10g}" for one in writing.spread.quantiles)
        lines.append(f"Quantiles   {shown}: {name}_quantiles")
    elif writing.spread is not None and writing.spread.kind == "normalised":
        lines.append(f"Deviation   {name}_std")
    if writing.training is not None:
        spec = writing.training.spec
        lines.append(f"Learning    {spec.optimizer}, loss {spec.loss}")
    lines += [
        "",
        f'    #include <stdio.h>\n *     #include "{name}.h"',
        *example(writing),
    ]
    least = "2.3e-308" if writing.f64 else "1.2e-38"
    lines += [
        "",
        "It gives the bits of predict in Python, in C99 and C++11, from any thread, without",
        f"malloc; link with -lm. -D{NAME}_TEST makes a program of it that tests this.",
        f"-D{NAME}_NO_FMA is for processors without fused multiply-add: faster, not to the bit.",
        "Subnormal numbers are 0 in the layers, as in Python: the processor's mode is changed",
        f"during a call, and restored. With -D{NAME}_KEEP_SUBNORMALS, and where there is no such",
        f"mode, they count: only nets in which numbers below {least} arise then give other bits.",
    ]
    if writing.training is not None:
        lines += [
            f"{name}_learn(&work, ...) then takes the step of partial_fit for one row, and",
            f"{name}_learn_batch that for some; {name}_parameters gives what has been learned.",
        ]
    body = "\n".join(f" * {in_comment_line(line)}".rstrip() for line in lines)
    return f"/*{body[2:]}\n */\n"


def _of_network(writing: Writing, k: int) -> list[str]:
    """Layers, inputs and outputs of the k-th network."""
    one = writing.models[k]
    spec, before = one.network_spec, writing.models[max(0, k - 1)]
    layers = f"{'-'.join(map(str, spec.widths))}, {', '.join(spec.activations)}, in {spec.dtype}"
    inputs, outputs = _inputs(one), ""
    if one.target_scaling is not None:
        clips = ", kept in the range of training" if one.target_scaling.clips else ""
        rounded = "" if writing.is_mean else " and rounded once"
        outputs = f"y * factor + shift, in double{rounded}{clips}"
    lines = [f"Layers      {layers}"]
    if k == 0 or _inputs(before) != inputs:
        lines.append(f"Inputs      {inputs}")
    if outputs and k == 0:
        lines.append(f"Outputs     {outputs}")
    return lines


def _inputs(model: Model) -> str:
    """What the first layer reads of the numbers of a row."""
    if model.scaling is None:
        return "as they are"
    return f"{_CURVES[model.scaling.curve]}, in double and rounded once"


def in_comment_line(line: str) -> str:
    """A line of the comment; its own line breaks stay."""
    return "\n".join(in_comment(one) for one in line.split("\n"))


def example(writing: Writing) -> list[str]:
    """How to call it."""
    name, task, NAME = writing.name, writing.model.task, writing.NAME
    lines = [f"    static {name}_work work;"]
    if writing.training is not None:
        lines.append(f"    {name}_start(&work);")
    if writing.columns is None:
        given = "x"
        lines.append(f"    {writing.real} x[{NAME}_INPUTS] = {{0}};")
    else:
        given = "&row"
        lines.append(f"    {name}_row row;")
        for column, _, field in fields_of(writing.columns)[:3]:
            value = "0"
            if isinstance(column, Category):
                value = f"{name}_{field}_code({quoted(column.values[0])})"
            elif isinstance(column, Date):
                value = f"{name}_date(2026, 1, 31, 0)"
            lines.append(f"    row.{field} = {value};")
        if len(fields_of(writing.columns)) > 3:
            lines.append("    ... and so on")
    if task.name == "regression" and task.n_outputs == 1:
        return [*lines, f'    printf("%g\\n", {name}_predict({given}, &work));']
    if task.name == "classification":
        return [*lines, f'    printf("%d\\n", {name}_predict({given}, &work));']
    kind = writing.real if task.name == "regression" else "int"
    return [*lines, f"    {kind} y[{NAME}_OUTPUTS];", f"    {name}_predict({given}, y, &work);"]
