"""The functions that users of a header call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_core.export.functions import Functions
from cnn_core.export.net import last_buffer
from cnn_core.export.text import number, numbers, quoted, table

if TYPE_CHECKING:
    from cnn_core.model import Model


def scaling(name: str, model: Model, real: str, doubles: Functions) -> str:
    """The function that puts what the first layer reads into a buffer."""
    spec = model.network_spec
    head = f"static inline void {name}_read(const {real} *x, {real} *out)\n{{\n"
    loop = f"    for (int i = 0; i < {spec.n_numbers}; i++)"
    if model.scaling is None:
        return f"{head}{loop} out[i] = x[i];\n}}\n"
    shift, factor, curve = model.scaling.arrays
    t = f"(x[i] - {name}_shift[i]) * {name}_factor[i]"
    if curve == "smooth clip":
        t = f"{doubles('smooth_clip')}({t})"
    elif curve == "asinh":
        t = f"{doubles('asinh_v')}({t})"
    tables = numbers(f"{name}_shift", shift, True) + numbers(f"{name}_factor", factor, True)
    return f"{tables}\n{head}{loop} out[i] = ({real})({t});\n}}\n"


def run(name: str, model: Model, real: str, doubles: Functions) -> str:
    """The function that leaves the outputs in the workspace."""
    reads = model.scaling is not None or bool(model.network_spec.periodic)
    out = last_buffer(model)
    lines = [f"const uint64_t before = {name}_mode({0 if reads else 1});"]
    if reads:
        lines += [f"{name}_read(x, work->b);", f"(void){name}_mode(1);"]
    lines.append(f"{name}_layers({'work->b' if reads else 'x'}, work);")
    tables = ""
    if model.target_scaling is not None:
        factor, shift, low, high = model.target_scaling.arrays
        tables = numbers(f"{name}_y_factor", factor, True) + numbers(f"{name}_y_shift", shift, True)
        ends = [number(one, True) for one in (-np.inf, np.inf)]
        if np.isfinite(low).any() or np.isfinite(high).any():
            tables += numbers(f"{name}_low", low, True) + numbers(f"{name}_high", high, True)
            ends = [f"{name}_low[j]", f"{name}_high[j]"]
        given = f"{out}[j], {name}_y_factor[j], {name}_y_shift[j], {', '.join(ends)}"
        lines += [
            f"(void){name}_mode(0);",
            f"for (int j = 0; j < {model.task.n_outputs}; j++)",
            f"    {out}[j] = ({real}){doubles('to_unit')}({given});",
        ]
    lines += [f"{name}_restore(before);", f"return {out};"]
    body = "\n".join(f"    {line}" for line in lines)
    return f"""{tables}
/* The outputs, which stand in the workspace until its next use. */
static inline const {real} *{name}_outputs(const {real} *x, {name}_work *work)
{{
{body}
}}
"""


def forward(name: str, real: str) -> str:
    """What `forward` of the estimator gives."""
    return f"""\
/* The outputs of the last layer, in the units of the targets. */
static inline void {name}_forward(const {real} *x, {real} *y, {name}_work *work)
{{
    memcpy(y, {name}_outputs(x, work), {name.upper()}_OUTPUTS * sizeof *y);
}}
"""


def predictions(name: str, model: Model, functions: Functions) -> str:
    """What `predict` and `predict_proba` give."""
    task = model.task
    real = "double" if functions.f64 else "float"
    threshold = number(task.threshold, functions.f64)
    outputs = f"{name.upper()}_OUTPUTS"
    head = f"(const {real} *x, {name}_work *work)"
    if task.name == "regression":
        if task.n_outputs > 1:
            return f"""\
/* The numbers that are predicted, those of {name}_forward. */
static inline void {name}_predict(const {real} *x, {real} *y, {name}_work *work)
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
static inline void {name}_predict(const {real} *x, int *labels, {name}_work *work)
{{
    const {real} *y = {name}_outputs(x, work);
    for (int j = 0; j < {outputs}; j++) labels[j] = y[j] > {threshold};
}}
""" + probabilities(name, model, real)
    kind, labels = label_table(name, model)
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
""" + probabilities(name, model, real)


def probabilities(name: str, model: Model, real: str) -> str:
    """The function for probabilities, where the outputs are some."""
    task = model.task
    head = f"""
/* The probabilit{{}}. */
static inline void {name}_probabilities(const {real} *x, {real} *p, {name}_work *work)
"""
    if task.output == ("sigmoid" if task.name == "multilabel" else "softmax"):
        each = "y of each label" if task.name == "multilabel" else "ies of the classes"
        return f"{head.format(each)}{{\n    {name}_forward(x, p, work);\n}}\n"
    if task.name == "classification" and task.output == "sigmoid" and task.n_outputs == 1:
        body = f"    p[1] = {name}_outputs(x, work)[0];\n    p[0] = 1 - p[1];\n"
        return f"{head.format('ies of the two classes')}{{\n{body}}}\n"
    return ""


def label_table(name: str, model: Model) -> tuple[str, str]:
    """Their type in C, and the table of class labels."""
    assert model.task.classes is not None
    labels = model.task.classes.tolist()
    if all(type(one) is str for one in labels):
        kind, words = "const char *", [quoted(one) for one in labels]
        return kind, table("char *const", f"{name}_labels", words)
    if all(type(one) in (int, bool) and -(2**31) < one < 2**31 for one in labels):
        return "int32_t ", table("int32_t", f"{name}_labels", [str(int(one)) for one in labels])
    if all(type(one) is int and -(2**63) < one < 2**63 for one in labels):
        words = [f"INT64_C({one})" for one in labels]
        return "int64_t ", table("int64_t", f"{name}_labels", words)
    if all(type(one) is float for one in labels):
        return "double ", table("double", f"{name}_labels", [number(one, True) for one in labels])
    odd = next(one for one in labels if type(one) not in (str, int, bool, float))
    raise ValueError(
        f"export_c writes class labels that are texts or numbers, and all of one kind; got {odd!r}"
    )
