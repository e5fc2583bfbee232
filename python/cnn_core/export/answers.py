"""The functions that users of a header call, and what they read and give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from cnn_core.export import places
from cnn_core.export.net import last_buffer
from cnn_core.export.text import number, numbers, quoted, table
from cnn_core.export.writing import Writing, reads

if TYPE_CHECKING:
    from cnn_core.model import Model
    from cnn_core.task import Task


def scaling(writing: Writing, prefix: str, model: Model) -> str:
    """The function that puts what the first layer reads into a buffer: numbers, scaled, and
    vectors of categories. Embeddings of numbers come later, as layers do."""
    spec, real, given = model.network_spec, writing.real, writing.given
    learned = places.vectors(model) if writing.training is not None else []
    more = f", const {real} *p" if learned else ""
    head = f"static inline void {prefix}_read(const {given} *x, {real} *out{more})\n{{\n"
    loop = f"    for (int i = 0; i < {spec.n_numbers}; i++)"
    t, tables = "x[i]", ""
    if model.scaling is not None:
        shift, factor, curve = model.scaling.arrays
        t = f"(x[i] - {prefix}_shift[i]) * {prefix}_factor[i]"
        if curve == "smooth clip":
            t = f"{writing.doubles('smooth_clip')}({t})"
        elif curve == "asinh":
            t = f"{writing.doubles('asinh_v')}({t})"
        tables = numbers(f"{prefix}_shift", shift, True) + numbers(f"{prefix}_factor", factor, True)
    if given != real or model.scaling is not None:
        t = f"({real})({t})" if " " in t or "(" in t else f"({real}){t}"
    lines = f"{loop} out[i] = {t};\n" if spec.n_numbers else ""
    at = spec.widths[0] - sum(width for _, width in spec.embeddings)
    for k, (n, width) in enumerate(spec.embeddings):
        vectors = f"(p + {learned[k].at})" if learned else f"{prefix}_vectors{k + 1}"
        if k == 0:
            lines += f"    int category = {writing.name}_category(x[{spec.n_numbers}], {n});\n"
        else:
            lines += f"    category = {writing.name}_category(x[{spec.n_numbers + k}], {n});\n"
        lines += f"    for (int j = 0; j < {width}; j++)\n"
        lines += f"        out[{at} + j] = category < 0 ? 0 : {vectors}[category * {width} + j];\n"
        at += width
    return f"{tables}\n{head}{lines}}}\n"


def category(name: str, given: str) -> str:
    """The function that takes categories from the numbers of a row."""
    return f"""\
/* The category that a number of a row is, of n; -1 for none, whose vector is 0. */
static inline int {name}_category({given} x, int n)
{{
    return x >= 0 && x < n && x == ({given})(int)x ? (int)x : -1;
}}
"""


def in_units(writing: Writing, prefix: str, model: Model, z: str) -> tuple[str, str]:
    """Tables, and output j of a network in the units of its target, in double."""
    if model.target_scaling is None:
        return "", f"{z}[j]"
    factor, shift, low, high = model.target_scaling.arrays
    tables = numbers(f"{prefix}_y_factor", factor, True)
    tables += numbers(f"{prefix}_y_shift", shift, True)
    ends = [number(one, True) for one in (-np.inf, np.inf)]
    if np.isfinite(low).any() or np.isfinite(high).any():
        tables += numbers(f"{prefix}_low", low, True) + numbers(f"{prefix}_high", high, True)
        ends = [f"{prefix}_low[j]", f"{prefix}_high[j]"]
    given = f"{z}[j], {prefix}_y_factor[j], {prefix}_y_shift[j], {', '.join(ends)}"
    return tables, f"{writing.doubles('to_unit')}({given})"


def outputs_of_members(
    writing: Writing,
    before: list[str],
    taken: Callable[[int, str, Model], list[str]],
    steps: Mapping[str, bool] = MappingProxyType({}),
) -> list[str]:
    """The lines that compute all networks.

    Parameters
    ----------
    writing : Writing
    before : list of str
        Lines in front of the first network.
    taken : callable
        Gives the lines for what becomes of the outputs of the k-th network, which has a prefix.
    steps : mapping
        For each prefix whether there is a function for its other outputs.
    """
    name, lines, mode = writing.name, list[str](), -1

    def to(wanted: int) -> None:
        """The processor's mode from here on, where it is another."""
        nonlocal mode
        if mode != wanted:
            change = f"{name}_mode({wanted});"
            lines.append(f"const uint64_t before = {change}" if mode < 0 else f"(void){change}")
            mode = wanted

    if writing.columns is not None:
        to(0)
        lines.append(f"{name}_encode(x, work->row);")
    lines += before
    last: Model | None = None
    for k, (prefix, model) in enumerate(writing.members):
        source = writing.numbers
        if reads(model):
            source = writing.read
            if not _reads_alike(last, model):
                to(0)
                lines.append(f"{prefix}_read({writing.numbers}, {source}{writing.also_read});")
            last = model
        to(1)
        given = "x, " if source == "x" else ""
        lines.append(f"{prefix}_layers({given}work);")
        if steps.get(prefix):
            given = "x, " if source == "x" and len(model.network.activations) == 1 else ""
            lines.append(f"{prefix}_steps({given}work);")
        then = taken(k, prefix, model)
        if then:
            to(0)
            lines += then
    return lines


def run(writing: Writing) -> str:
    """The function that leaves the outputs in the workspace."""
    name, n, tables = writing.name, writing.model.task.n_outputs, ""

    def taken(k: int, prefix: str, model: Model) -> list[str]:
        nonlocal tables
        out = last_buffer(model)
        more, value = in_units(writing, prefix, model, out)
        tables += more
        if writing.is_mean:
            return [f"for (int j = 0; j < {n}; j++) work->sums[j] += {value};"]
        if not more:
            return []
        return [f"for (int j = 0; j < {n}; j++)", f"    {out}[j] = ({writing.real}){value};"]

    before = [f"for (int j = 0; j < {n}; j++) work->sums[j] = 0;"] if writing.is_mean else []
    lines = outputs_of_members(writing, before, taken)
    result = last_buffer(writing.models[-1])
    if writing.is_mean:
        count, result = float(len(writing.models)), "work->y"
        mean = f"({writing.real})(work->sums[j] / {count})"
        lines.append(f"for (int j = 0; j < {n}; j++) work->y[j] = {mean};")
    lines += [f"{name}_restore(before);", f"return {result};"]
    body = "\n".join(f"    {line}" for line in lines)
    return f"""{tables}
/* The outputs, which stand in the workspace until its next use. */
static inline const {writing.real} *{name}_outputs({writing.x}, {name}_work *work)
{{
{body}
}}
"""


def _reads_alike(before: Model | None, model: Model) -> bool:
    """Whether two networks read the same of a row."""
    if before is None or before.network.embeds or model.network.embeds:
        return False
    a, b = before.scaling, model.scaling
    if a is None or b is None:
        return a is b
    same = a.curve == b.curve and np.array_equal(a.shift, b.shift)
    return bool(same and np.array_equal(a.factor, b.factor))


def forward(writing: Writing) -> str:
    """What `forward` of the estimator gives."""
    name = writing.name
    return f"""\
/* The outputs of the last layer, in the units of the targets. */
static inline void {name}_forward({writing.x}, {writing.real} *y, {name}_work *work)
{{
    memcpy(y, {name}_outputs(x, work), {writing.NAME}_OUTPUTS * sizeof *y);
}}
"""


def predictions(writing: Writing) -> str:
    """What `predict` and `predict_proba` give."""
    name, task, real, functions = writing.name, writing.model.task, writing.real, writing.functions
    threshold = number(task.threshold, functions.f64)
    outputs = f"{name.upper()}_OUTPUTS"
    head = f"({writing.x}, {name}_work *work)"
    if task.name == "regression":
        if task.n_outputs > 1:
            return f"""\
/* The numbers that are predicted, those of {name}_forward. */
static inline void {name}_predict({writing.x}, {real} *y, {name}_work *work)
{{
    {name}_forward(x, y, work);
}}
"""
        return f"""\
/* The number that is predicted. */
static inline {real} {name}_predict{head} {{ return {name}_outputs(x, work)[0]; }}
"""
    if task.name == "multilabel":
        return f"""\
/* 1 for each label that the row has, else 0. */
static inline void {name}_predict({writing.x}, int *labels, {name}_work *work)
{{
    const {real} *y = {name}_outputs(x, work);
    for (int j = 0; j < {outputs}; j++) labels[j] = y[j] > {threshold};
}}
""" + probabilities(writing)
    kind, labels = label_table(name, task)
    return f"""\
/* The number of the class, from 0 on. */
static inline int {name}_predict{head}
{{
    return (int){functions("argmax")}({outputs}, {name}_outputs(x, work), 1, {threshold});
}}

/* The class labels. */
{labels}
/* The label of the class. */
static inline {kind}{name}_label{head} {{ return {name}_labels[{name}_predict(x, work)]; }}
""" + probabilities(writing)


def probabilities(writing: Writing) -> str:
    """The function for probabilities, where the outputs are some."""
    name, task, real = writing.name, writing.model.task, writing.real
    head = f"""
/* The probabilit{{}}. */
static inline void {name}_probabilities({writing.x}, {real} *p, {name}_work *work)
"""
    if task.output == ("sigmoid" if task.name == "multilabel" else "softmax"):
        each = "y of each label" if task.name == "multilabel" else "ies of the classes"
        return f"{head.format(each)}{{\n    {name}_forward(x, p, work);\n}}\n"
    if task.name == "classification" and task.output == "sigmoid" and task.n_outputs == 1:
        body = f"    p[1] = {name}_outputs(x, work)[0];\n    p[0] = 1 - p[1];\n"
        return f"{head.format('ies of the two classes')}{{\n{body}}}\n"
    return ""


def label_table(name: str, task: Task) -> tuple[str, str]:
    """Their type in C, and the table of class labels."""
    assert task.classes is not None
    labels = task.classes.tolist()
    if all(type(one) is str for one in labels):
        kind, words = "const char *", [quoted(one) for one in labels]
        return kind, table("char *const", f"{name}_labels", words)
    if all(type(one) in (int, bool) and -(2**31) < one < 2**31 for one in labels):
        return "int32_t ", table("int32_t", f"{name}_labels", [str(int(one)) for one in labels])
    if all(type(one) is int and -(2**63) <= one < 2**63 for one in labels):
        words = [f"INT64_C({one})" if one > -(2**63) else "INT64_MIN" for one in labels]
        return "int64_t ", table("int64_t", f"{name}_labels", words)
    if all(type(one) is float for one in labels):
        return "double ", table("double", f"{name}_labels", [number(one, True) for one in labels])
    odd = next((one for one in labels if type(one) not in (str, int, bool, float)), labels)
    raise ValueError(
        f"export_c writes class labels that are texts or numbers, and all of one kind; got {odd!r}"
    )
