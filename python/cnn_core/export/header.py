"""A fitted net as one C99 header."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import cnn_core
from cnn_core.export import answers, machine, net
from cnn_core.export.functions import Functions
from cnn_core.export.rows import test_of
from cnn_core.export.text import check_name, enumeration, in_comment
from cnn_core.files.atomic import write_whole

if TYPE_CHECKING:
    from cnn_core.model import Model


def export_c(model: Model, path: str | os.PathLike[str], name: str) -> None:
    """Write the header of a fitted model, see `MLP.export_c`."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"export_c takes a path, got {type(path).__name__}")
    write_whole(path, header(model, name).encode("ascii"))


def header(model: Model, name: str) -> str:
    """The text of a header."""
    name = check_name(name)
    check_model(model)
    f64 = model.network.dtype.itemsize == 8
    real = "double" if f64 else "float"
    functions = Functions(f"{name}_", f64)
    doubles = functions if f64 else Functions(f"{name}_f64_", True)
    reads = model.scaling is not None or bool(model.network_spec.periodic)
    parts = [net.weights(name, model, f64)]
    if reads:
        parts.append(answers.scaling(name, model, real, doubles))
    parts += [
        net.layer(name, real, functions, model.network.has_bias),
        net.layers(name, model, functions, "work->b" if reads else "x"),
        answers.run(name, model, real, doubles),
        answers.forward(name, real),
        answers.predictions(name, model, functions),
    ]
    called = [machine.fused(name, functions.prefix, f64), functions.text]
    if doubles is not functions and doubles.text:
        if "f64_fma(" in doubles.text:
            called.append(machine.fused(name, doubles.prefix, True))
        called.append(doubles.text)
    guard = f"{name.upper()}_H"
    return "\n".join(
        (
            opening(name, model, real),
            f"#ifndef {guard}\n#define {guard}\n",
            machine.start(name),
            sizes(name, model, real),
            machine.mode(name),
            *called,
            *parts,
            machine.end(name),
            test_of(name, model, real),
            "#endif\n",
        )
    )


def check_model(model: Model) -> None:
    """Raise for what no header can hold."""
    if model.columns is not None:
        raise NotImplementedError(
            "export_c writes models that were fitted on a matrix; this one was fitted on a table "
            "with columns='auto', whose texts and gaps a header does not read"
        )
    if model.network_spec.embeddings:
        raise NotImplementedError("export_c does not write embedded categories")
    if not model.network.is_finite():
        raise ValueError("the model has weights that are NaN or infinite, so there is no net")


def sizes(name: str, model: Model, real: str) -> str:
    """Constants, and the workspace."""
    task, values = model.task, [("INPUTS", model.n_features), ("OUTPUTS", model.task.n_outputs)]
    if task.name == "classification":
        values.append(("CLASSES", task.n_classes))
    size = net.buffer_size(model)
    return f"""\
{enumeration(name.upper(), values)}
/* Where a call computes; each thread has its own, and nothing in it need be set. */
typedef struct {{
    {real} a[{size}], b[{size}];
}} {name}_work;
"""


def opening(name: str, model: Model, real: str) -> str:
    """The comment at the top."""
    spec, task = model.network_spec, model.task
    shape = "-".join(map(str, spec.widths))
    scaled = "as they are"
    if model.scaling is not None:
        curves = {
            "linear": "t = (x - shift) * factor",
            "smooth clip": "t / sqrt(1 + (t / 3)^2) of t = (x - shift) * factor",
            "asinh": "asinh t of t = (x - shift) * factor",
        }
        scaled = f"{curves[model.scaling.curve]}, in double and rounded once"
    lines = [
        f"{name}: a multilayer perceptron for {task.name}, written by cnn_core "
        f"{cnn_core.__version__}.",
        "",
        f"Layers      {shape}, {', '.join(spec.activations)}, in {spec.dtype}",
        f"Inputs      {scaled}",
    ]
    if model.target_scaling is not None:
        clips = ", kept in the range of training" if model.target_scaling.clips else ""
        lines.append(f"Outputs     y * factor + shift, in double and rounded once{clips}")
    if model.feature_names is not None:
        names = ", ".join(map(str, model.feature_names[:20]))
        more = ", ..." if len(model.feature_names) > 20 else ""
        lines.append(f"Features    {names}{more}")
    lines += [
        "",
        f'    #include <stdio.h>\n *     #include "{name}.h"',
        *example(name, model, real),
    ]
    NAME, least = name.upper(), "2.3e-308" if real == "double" else "1.2e-38"
    lines += [
        "",
        "It gives the bits of predict in Python, in C99 and C++11, from any thread, without",
        f"malloc; link with -lm. -D{NAME}_TEST makes a program of it that tests this.",
        f"-D{NAME}_NO_FMA is for processors without fused multiply-add: faster, not to the bit.",
        "Subnormal numbers are 0 in the layers, as in Python: the processor's mode is changed",
        f"during a call, and restored. With -D{NAME}_KEEP_SUBNORMALS, and where there is no such",
        f"mode, they count: only nets in which numbers below {least} arise then give other bits.",
    ]
    body = "\n".join(f" * {in_comment_line(line)}".rstrip() for line in lines)
    return f"/*{body[2:]}\n */\n"


def in_comment_line(line: str) -> str:
    """A line of the comment; its own line breaks stay."""
    return "\n".join(in_comment(one) for one in line.split("\n"))


def example(name: str, model: Model, real: Any) -> list[str]:
    """How to call it."""
    task = model.task
    lines = [f"    static {name}_work work;", f"    {real} x[{name.upper()}_INPUTS] = {{0}};"]
    if task.name == "regression" and task.n_outputs == 1:
        return [*lines, f'    printf("%g\\n", {name}_predict(x, &work));']
    if task.name == "classification":
        return [*lines, f'    printf("%d\\n", {name}_predict(x, &work));']
    kind = real if task.name == "regression" else "int"
    return [*lines, f"    {kind} y[{name.upper()}_OUTPUTS];", f"    {name}_predict(x, y, &work);"]
