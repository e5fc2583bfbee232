"""The functions of a header that say how far y may lie from a prediction: net_interval,
net_quantiles and net_std."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_core.distributions import SMALLEST_VARIANCE, middle_of
from cnn_core.export.answers import in_units, outputs_of_members
from cnn_core.export.functions import function_of
from cnn_core.export.machine import apart
from cnn_core.export.net import BUFFERS, last_buffer, layer_name
from cnn_core.export.text import number, numbers, table
from cnn_core.export.writing import Writing, reads

if TYPE_CHECKING:
    from cnn_core.export.spread import Spread
    from cnn_core.model import Model


def constants(writing: Writing, spread: Spread) -> list[tuple[str, int]]:
    """Their sizes, and the numbers of levels."""
    found = [("QUANTILES", len(spread.quantiles))] if spread.quantiles else []
    if spread.intervals:
        found.append(("INTERVALS", len(spread.intervals)))
    return found + [(f"INTERVAL_{one.label}", k) for k, one in enumerate(spread.intervals)]


def fields(writing: Writing, spread: Spread) -> list[str]:
    """What the workspace has for them."""
    n, members = writing.model.task.n_outputs, len(writing.models)
    if spread.kind == "residuals":
        return [f"double exact[{n}];"]
    rest = _rest(writing, spread)
    found = [f"{writing.real} heads[{rest}];", f"double steps[{rest}];"]
    if spread.quantiles:
        return [*found, f"double q[{n * len(spread.quantiles)}];"]
    return [*found, f"double means[{n * members}], mean[{n}], variance[{n}];"]


def _rest(writing: Writing, spread: Spread) -> int:
    """Outputs of a network beside those of `predict`."""
    n = writing.model.task.n_outputs
    return int(spread.networks[0].widths[-1]) - n


def written(writing: Writing, spread: Spread) -> list[str]:
    """Tables and functions."""
    parts = []
    if spread.kind != "residuals":
        parts = [_heads(writing, spread, k) for k in range(len(writing.models))]
    parts.append(_spread(writing, spread))
    name = writing.name
    head = f"static inline void {name}_{{}}({writing.x}, {{}}{name}_work *work)\n{{{{\n"
    call = f"    {name}_spread(x, work);\n"
    if spread.quantiles:
        known = ", ".join(f"{one:.10g}" for one in spread.quantiles)
        parts.append(
            f"/* The quantiles {known} of each output, one output after\n"
            " * the other, as predict_quantiles. */\n"
            + head.format("quantiles", "double *q, ")
            + f"{call}    memcpy(q, work->q, sizeof work->q);\n}}\n"
        )
    elif spread.kind == "normalised":
        loop = f"    for (int j = 0; j < {writing.NAME}_OUTPUTS; j++)"
        parts.append(
            "/* The standard deviation of each output, as predict_std. */\n"
            + head.format("std", "double *sd, ")
            + f"{call}{loop} sd[j] = sqrt(work->variance[j]);\n}}\n"
        )
    if spread.intervals:
        parts.append(_interval(writing, spread, head))
    return parts


def _heads(writing: Writing, spread: Spread, k: int) -> str:
    """The function for the outputs of a network beside those of `predict`."""
    (prefix, model), whole = writing.members[k], spread.networks[k]
    last, n, f64 = whole.n_layers - 1, model.task.n_outputs, writing.f64
    W = whole.weights(last)[n:]
    tables = numbers(f"{prefix}_heads_w", W.T, f64)
    bias = ""
    if whole.has_bias:
        tables += numbers(f"{prefix}_heads_bias", whole.bias(last)[n:], f64)
        bias = f"{prefix}_heads_bias, "
    x = source = writing.read if reads(model) else "x"
    if last:
        source = f"work->{BUFFERS[(last - 1) % 2]}"
    rest, softplus = len(W), writing.doubles(function_of("softplus"))
    body = (
        f"    {layer_name(writing.name, whole.has_bias)}({W.shape[1]}, {rest}, {prefix}_heads_w, "
        f"{bias}{source}, work->heads);\n"
        f"    for (int j = 0; j < {rest}; j++) work->steps[j] = {softplus}(work->heads[j], 0);"
    )
    takes, given = (f"const {writing.real} *x, ", "x, ") if source == x == "x" else ("", "")
    comment = "/* What the outputs beside the predicted ones say, above 0. */\n"
    function = apart(
        writing.NAME, f"{prefix}_steps", f"{takes}{writing.name}_work *work", f"{given}work", body
    )
    return f"{tables}{comment}{function}"


def _spread(writing: Writing, spread: Spread) -> str:
    """The function that leaves in the workspace what all others are made from."""
    name, n, count = writing.name, writing.model.task.n_outputs, len(writing.models)
    takes = {prefix: spread.kind != "residuals" for prefix, _ in writing.members}

    def taken(k: int, prefix: str, model: Model) -> list[str]:
        out = last_buffer(model)
        if spread.kind == "residuals":
            _, value = in_units(writing, prefix, model, out)
            if writing.is_mean:
                return [f"for (int j = 0; j < {n}; j++) work->sums[j] += {value};"]
            return [f"for (int j = 0; j < {n}; j++) work->exact[j] = {value};"]
        if spread.quantiles:
            return _quantiles(writing, spread, prefix, model, out)
        return _moments(k, n, prefix, model, out)

    before, after = [], []
    if writing.is_mean and spread.kind == "residuals":
        before.append(f"for (int j = 0; j < {n}; j++) work->sums[j] = 0;")
        after = [f"for (int j = 0; j < {n}; j++) work->exact[j] = work->sums[j] / {count};"]
    elif spread.quantiles and writing.is_mean:
        size = n * len(spread.quantiles)
        before.append(f"for (int i = 0; i < {size}; i++) work->q[i] = 0;")
        after = [f"for (int i = 0; i < {size}; i++) work->q[i] /= {count};"]
    elif spread.kind == "normalised":
        before.append(f"for (int j = 0; j < {n}; j++) work->variance[j] = 0;")
        after = _mixture(n, count)
    lines = outputs_of_members(writing, before, taken, takes)
    body = "\n".join(f"    {line}" for line in [*lines, *after, f"{name}_restore(before);"])
    return f"""\
/* What is known of y, in double. */
static inline void {name}_spread({writing.x}, {name}_work *work)
{{
{body}
}}
"""


def _quantiles(writing: Writing, spread: Spread, prefix: str, model: Model, out: str) -> list[str]:
    """Those of a network, each a step of at least 0 from the one before."""
    n, count, middle = model.task.n_outputs, len(spread.quantiles), middle_of(spread.quantiles)
    value = f"q[k]{_units(prefix, model)}"
    add = "+=" if writing.is_mean else "="
    return [
        f"for (int j = 0; j < {n}; j++) {{",
        f"    double q[{count}];",
        f"    q[{middle}] = {out}[j];",
        f"    for (int k = {middle + 1}; k < {count}; k++)",
        f"        q[k] = q[k - 1] + work->steps[(k - 1) * {n} + j];",
        f"    for (int k = {middle - 1}; k >= 0; k--) q[k] = q[k + 1] - work->steps[k * {n} + j];",
        f"    for (int k = 0; k < {count}; k++) work->q[j * {count} + k] {add} {value};",
        "}",
    ]


def _units(prefix: str, model: Model) -> str:
    """From what the network learns to the units of y, never kept in a range."""
    if model.target_scaling is None:
        return ""
    return f" * {prefix}_y_factor[j] + {prefix}_y_shift[j]"


def _moments(k: int, n: int, prefix: str, model: Model, out: str) -> list[str]:
    """Mean and variance of a network."""
    variance = f"(work->steps[j] + {number(SMALLEST_VARIANCE, True)})"
    if model.target_scaling is not None:
        variance += f" * ({prefix}_y_factor[j] * {prefix}_y_factor[j])"
    return [
        f"for (int j = 0; j < {n}; j++) {{",
        f"    work->means[{k * n} + j] = {out}[j]{_units(prefix, model)};",
        f"    work->variance[j] += {variance};",
        "}",
    ]


def _mixture(n: int, count: int) -> list[str]:
    """The mean and the variance of an equal mixture of the networks' distributions."""
    if count == 1:
        return [f"for (int j = 0; j < {n}; j++) work->mean[j] = work->means[j];"]
    return [
        f"for (int j = 0; j < {n}; j++) {{",
        "    double mean = 0, apart = 0;",
        f"    for (int k = 0; k < {count}; k++) mean += work->means[k * {n} + j];",
        f"    mean /= {count};",
        f"    for (int k = 0; k < {count}; k++) {{",
        f"        const double off = work->means[k * {n} + j] - mean;",
        "        apart += off * off;",
        "    }",
        "    work->mean[j] = mean;",
        f"    work->variance[j] = work->variance[j] / {count} + apart / {count};",
        "}",
    ]


def _interval(writing: Writing, spread: Spread, head: str) -> str:
    """The function for the intervals of all levels."""
    name, NAME = writing.name, writing.NAME
    reaches = [reach for one in spread.intervals for reach in one.reaches]
    first = np.cumsum([0, *(len(one.reaches) for one in spread.intervals)]).tolist()
    tables = numbers(f"{name}_reach", np.stack([score for _, score in reaches]), True)
    tables += table("int", f"{name}_first", [str(one) for one in first])
    at = "work->exact[j]"
    low, high, size = at, at, ""
    if spread.kind == "normalised":
        low = high = "work->mean[j]"
        size = "sqrt(work->variance[j]) * "
    if spread.kind == "quantiles":
        ends = np.array([spread.pairs[pair] for pair, _ in reaches])
        tables += table("int", f"{name}_from", [str(one) for one in ends[:, 0].tolist()])
        tables += table("int", f"{name}_to", [str(one) for one in ends[:, 1].tolist()])
        q = f"work->q[j * {len(spread.quantiles)} + {name}_{{}}[p]]"
        low, high = q.format("from"), q.format("to")
    levels = ", ".join(f"{100 * one:.10g} %" for one in spread.levels)
    return f"""\
/* How far the intervals of {levels} reach. */
{tables}
/* The lowest and the highest y of each output at a level, such as
 * {NAME}_INTERVAL_{spread.intervals[-1].label}, as predict_interval; NAN at another level. */
{head.format("interval", "int level, double *lower, double *upper, ")}\
    if (level < 0 || level >= {NAME}_INTERVALS) {{
        for (int j = 0; j < {NAME}_OUTPUTS; j++) lower[j] = upper[j] = NAN;
        return;
    }}
    {name}_spread(x, work);
    const uint64_t before = {name}_mode(0);
    for (int j = 0; j < {NAME}_OUTPUTS; j++) {{
        for (int p = {name}_first[level]; p < {name}_first[level + 1]; p++) {{
            const double low = {low}, high = {high}, middle = low / 2 + high / 2;
            const double reach = {size}{name}_reach[p * {NAME}_OUTPUTS + j];
            const double least = fmin(low - reach, middle), most = fmax(high + reach, middle);
            lower[j] = p == {name}_first[level] ? least : fmin(lower[j], least);
            upper[j] = p == {name}_first[level] ? most : fmax(upper[j], most);
        }}
    }}
    {name}_restore(before);
}}
"""


def test_of(writing: Writing, spread: Spread, X: object) -> tuple[str, str]:
    """Tables of what some rows give in Python, and the lines that compare it."""
    from cnn_core._warn import kept_warnings
    from cnn_core.conformal import interval

    name, model, n = writing.name, writing.whole, f"{writing.NAME}_OUTPUTS"
    assert model is not None
    tables, lines = "", ""
    with kept_warnings():
        if spread.quantiles:
            q = model.quantiles(X, "native", 1)  # type: ignore[arg-type]
            tables += numbers(f"{name}_test_q", q, True)
            size = f"{n} * {writing.NAME}_QUANTILES"
            lines += f"        static double q[{size}];\n        {name}_quantiles(x, q, &work);\n"
            lines += f"        wrong += memcmp(q, {name}_test_q + r * {size}, sizeof q) != 0;\n"
        elif spread.kind == "normalised":
            sd = np.sqrt(model.mean_and_variance(X, "native", 1)[1])  # type: ignore[arg-type]
            tables += numbers(f"{name}_test_sd", sd, True)
            lines += f"        static double sd[{n}];\n        {name}_std(x, sd, &work);\n"
            lines += f"        wrong += memcmp(sd, {name}_test_sd + r * {n}, sizeof sd) != 0;\n"
        if spread.intervals:
            assert model.calibration is not None
            ends = [
                interval(model, model.calibration, X, level, "native", 1) for level in spread.levels
            ]
            both = np.stack(ends, axis=1).transpose(0, 1, 3, 2)  # rows, levels, ends, outputs
            tables += numbers(f"{name}_test_ends", np.ascontiguousarray(both), True)
            lines += f"""\
        for (int l = 0; l < {writing.NAME}_INTERVALS; l++) {{
            static double lower[{n}], upper[{n}];
            const double *ends = {name}_test_ends + (r * {writing.NAME}_INTERVALS + l) * 2 * {n};
            {name}_interval(x, l, lower, upper, &work);
            wrong += memcmp(lower, ends, sizeof lower) != 0;
            wrong += memcmp(upper, ends + {n}, sizeof upper) != 0;
        }}
"""
    return tables, lines
