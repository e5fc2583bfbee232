"""A fitted net as one C99 header."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cnn_core.export import answers, learning, machine, net, spread_c
from cnn_core.export.columns import encode, row_type
from cnn_core.export.opening import opening
from cnn_core.export.places import n_parameters
from cnn_core.export.rows import test_of
from cnn_core.export.text import check_name, enumeration, guard
from cnn_core.export.writing import Writing, models_of, reads
from cnn_core.files.atomic import check_path, write_whole
from cnn_core.interchange.checks import check_finite

if TYPE_CHECKING:
    from cnn_core.export.spread import Spread
    from cnn_core.export.training import Training
    from cnn_core.mean import MeanModel
    from cnn_core.model import Model


def export_c(
    model: Model | MeanModel,
    path: str | os.PathLike[str],
    name: str,
    training: Training | None = None,
    spread: Spread | None = None,
) -> None:
    """Write the header of a fitted model, see `MLP.export_c`."""
    check_path(path, "export_c")
    write_whole(path, header(model, name, training, spread).encode("ascii"))


def header(
    model: Model | MeanModel,
    name: str,
    training: Training | None = None,
    spread: Spread | None = None,
) -> str:
    """The text of a header."""
    name = check_name(name)
    check_model(model)
    writing = Writing.of(name, model, training, spread)
    functions, doubles = writing.functions, writing.doubles
    parts = _parts(writing)
    called = [machine.fused(name, functions.prefix, writing.f64), functions.text]
    if doubles is not functions and doubles.text:
        if "f64_fma(" in doubles.text:
            called.append(machine.fused(name, doubles.prefix, True))
        called.append(doubles.text)
    return "\n".join(
        (
            opening(writing),
            guard(name),
            machine.start(name),
            sizes(writing),
            machine.mode(name),
            *called,
            *parts,
            machine.end(name),
            test_of(writing),
            "#endif\n",
        )
    )


def _parts(writing: Writing) -> list[str]:
    """The tables and functions of the networks, and what is made of their outputs."""
    parts = [net.weights(prefix, model, writing.f64) for prefix, model in writing.members]
    if writing.columns is not None:
        parts.append(encode(writing))
    if any(one.network_spec.embeddings for one in writing.models):
        parts.append(answers.category(writing.name, writing.given))
    for prefix, model in writing.members:
        if reads(model):
            parts.append(answers.scaling(writing, prefix, model))
    for has_bias in sorted({one.network.has_bias for one in writing.models}, reverse=True):
        parts.append(net.layer(writing, has_bias))
    parts += [net.layers(writing, prefix, model) for prefix, model in writing.members]
    parts += [answers.run(writing), answers.forward(writing), answers.predictions(writing)]
    if writing.spread is not None:
        parts += spread_c.written(writing, writing.spread)
    if writing.training is not None:
        parts.append(learning.written(writing, writing.training))
    return parts


def check_model(model: Model | MeanModel) -> None:
    """Raise for what no header can hold."""
    models = models_of(model)
    if any(one.columns is not models[0].columns for one in models):
        raise NotImplementedError(
            "export_c writes an ensemble whose models read one kind of row, and the columns of "
            "these tables have become different things in different models"
        )
    check_finite([one.network for one in models], "export_c")


def sizes(writing: Writing) -> str:
    """Constants, what a row is, and the workspace."""
    name, real, task = writing.name, writing.real, writing.model.task
    values = [("INPUTS", writing.model.n_features), ("OUTPUTS", task.n_outputs)]
    if writing.columns is not None:
        values = values[1:]
    if task.name == "classification":
        values.append(("CLASSES", task.n_classes))
    size = max(map(net.buffer_size, writing.models))
    buffers = [f"{real} a[{size}], b[{size}];"]
    if writing.is_mean:
        read = max(one.network.widths[0] for one in writing.models)
        buffers.append(f"{real} read[{read}], y[{task.n_outputs}];")
        buffers.append(f"double sums[{task.n_outputs}];")
    row = ""
    if writing.spread is not None:
        values += spread_c.constants(writing, writing.spread)
        buffers += spread_c.fields(writing, writing.spread)
    if writing.training is not None:
        values.append(("PARAMETERS", n_parameters(writing.first)))
        buffers.append(learning.fields(writing, writing.training))
    if writing.columns is not None:
        buffers.append(f"double row[{writing.columns.width}];")
        row = f"{row_type(writing)}\n"
    lines = "\n    ".join(buffers)
    return f"""\
{enumeration(writing.NAME, values)}
{row}/* Where a call computes; each thread has its own, and nothing in it need be set. */
typedef struct {{
    {lines}
}} {name}_work;
"""
