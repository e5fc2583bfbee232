"""Rows with the outputs that they must give: the test in a header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core import _activations
from cnn_core._few import counted
from cnn_core._random import uniform
from cnn_core._warn import kept_warnings
from cnn_core.columns.kinds import Category, Date, Number
from cnn_core.export import spread_c
from cnn_core.export.columns import fields_of
from cnn_core.export.text import number, numbers, table, wrapped
from cnn_core.export.writing import Writing

if TYPE_CHECKING:
    from cnn_core.model import Model

#: Rows at most, and numbers in all.
MOST_ROWS, MOST_NUMBERS = 16, 2048


def rows_of(model: Model) -> np.ndarray:
    """Rows as users give them, or as those of tables are before scaling: 0, the middle of the
    training rows, far out, and at random."""
    n = model.n_features
    count = max(6, min(MOST_ROWS, MOST_NUMBERS // n))
    t = 4 * uniform(0, 0, count * n).reshape(count, n) - 2
    t[1], t[2], t[3], t[4] = 0, 8, -8, 1e-3
    if model.scaling is not None:
        shift, factor, _ = model.scaling.arrays
        t[:, : len(shift)] = shift + t[:, : len(shift)] / np.where(factor == 0, 1, factor)
    t[0] = 0
    categories = np.arange(count)[:, None] % [[n + 1 for n, _ in model.network.embeddings] or [1]]
    if model.network.embeddings:
        t[:, model.network_spec.n_numbers :] = categories
    return np.ascontiguousarray(t.astype("float64" if model.columns else model.network.dtype))


class Rows(NamedTuple):
    """Rows as C has them, and as `predict` takes them."""

    words: list[str]  #: a row of C each
    X: Any
    encoded: np.ndarray  #: before scaling


def test_rows(writing: Writing) -> Rows:
    """The rows of the test."""
    rows = rows_of(writing.first)
    if writing.columns is None:
        words = [", ".join(number(one, writing.f64) for one in row) for row in rows.tolist()]
        return Rows(words, rows, rows)
    table, entries = dict[Any, Any](), list[list[str]]()
    for column, at, _ in fields_of(writing.columns):
        if isinstance(column, Number):
            values = rows[:, at].copy()
            values[5::4] = np.nan
            table[column.name] = values
            entries.append(["NAN" if np.isnan(one) else number(one, True) for one in values])
        elif isinstance(column, Date):
            years = 4 * uniform(1, at, len(rows)) - 2 + column.mean - 1970
            stamps = (years * 365.25 * 86400e6).astype(np.int64)
            dates = stamps.astype("datetime64[us]")
            dates[7::8] = np.datetime64("NaT")
            table[column.name] = dates
            entries.append(
                [
                    "INT64_MIN" if np.isnat(d) else f"INT64_C({int(s)})"
                    for d, s in zip(dates, stamps)
                ]
            )
        else:
            assert isinstance(column, Category)
            n = len(column.values)
            codes = [(r + at) % (n + 2) - 1 for r in range(len(rows))]
            known = {**dict(enumerate(column.values)), n: _unknown(column), -1: None}
            table[column.name] = [known[code] for code in codes]
            entries.append([str(code) for code in codes])
    with kept_warnings():
        encoded = writing.columns.encode(table)
    return Rows([f"{{{', '.join(row)}}}" for row in zip(*entries)], table, encoded)


def _unknown(column: Category) -> str:
    """A text that is none of the categories."""
    text = "?"
    while column.place(text) is not None:
        text += "?"
    return text


def expected(writing: Writing, rows: Rows) -> np.ndarray:
    """Their outputs."""
    with kept_warnings():
        outputs: np.ndarray = writing.model.outputs(rows.X, "native", 1)
    return outputs


def distance_without_fma(writing: Writing, rows: np.ndarray, outputs: np.ndarray) -> float:
    """How far outputs are off, at most, where the chains of the layers round twice."""
    with np.errstate(all="ignore"):
        each = [_without_fma(one, rows).astype(np.float64) for one in writing.models]
        return float(np.abs(sum(each) / len(each) - outputs).max())


def _without_fma(model: Model, rows: np.ndarray) -> np.ndarray:
    """The outputs of a network for rows before scaling."""
    network = model.network
    a = rows.astype(network.dtype)
    if model.scaling is not None:
        a = model.scaling.apply(rows, network.dtype, check=False)
    a = network.read(a)
    for l, activation in enumerate(network.activations):
        W = network.weights(l)
        z = np.zeros((len(a), len(W)), a.dtype)
        if network.has_bias:
            z += network.bias(l)
        for i in range(W.shape[1]):
            z = z + a[:, i : i + 1] * W[:, i]
        a = _activations.activation(activation, z, network.activation_params[l])
    if model.target_scaling is not None:
        a = model.target_scaling.invert(a, a.dtype)
    return a


def test_of(writing: Writing) -> str:
    """The part of a header that tests it."""
    name, NAME, real = writing.name, writing.NAME, writing.real
    rows = test_rows(writing)
    y = expected(writing, rows)
    finite = np.flatnonzero(np.isfinite(y).all(axis=1))
    y, words = y[finite], [rows.words[i] for i in finite]
    distance = distance_without_fma(writing, rows.encoded[finite], y)
    largest = float(np.abs(y).max())
    bound = 8 * distance + 64 * float(np.finfo(y.dtype).eps) * max(largest, 1e-3)
    if writing.columns is None:
        n, x = (
            f"{len(words)} * {NAME}_INPUTS",
            f"const {real} *x = {name}_test_x + r * {NAME}_INPUTS",
        )
        tables = f"static const {real} {name}_test_x[{n}] = {{\n"
    else:
        x = f"const {name}_row *x = {name}_test_x + r"
        tables = f"static const {name}_row {name}_test_x[{len(words)}] = {{\n"
    tables += wrapped([part for row in words for part in _parts_of(row)]) + "};\n"
    tables += numbers(f"{name}_test_y", y, writing.f64)
    check = ""
    if writing.model.task.name == "classification":
        classes = [str(writing.model._class_of(row)) for row in y]
        guarded = table("int", f"{name}_test_class", classes)
        tables += f"#if !defined({NAME}_NO_FMA)\n{guarded}#endif\n"
        check = f"        wrong += {name}_predict(x, &work) != {name}_test_class[r];\n"
    if writing.spread is not None:
        more, lines = spread_c.test_of(writing, writing.spread, _taken(rows.X, finite))
        tables, check = tables + more, check + lines
    begins = "" if writing.training is None else f"    {name}_start(&work);\n"
    return f"""\
#ifdef {NAME}_TEST
/* {counted(len(y), "row")}, and the outputs in Python. With {NAME}_NO_FMA the chains of
 * the layers take these outputs, of up to {largest:.3g}, as far off as {distance:.2g}. */
#include <stdio.h>

{tables}
int main(void)
{{
    static {name}_work work;
    static {real} y[{NAME}_OUTPUTS];
    double largest = 0;
    int wrong = 0;
{begins}    for (int r = 0; r < {len(y)}; r++) {{
        {x};
        const {real} *wanted = {name}_test_y + r * {NAME}_OUTPUTS;
        {name}_forward(x, y, &work);
        for (int j = 0; j < {NAME}_OUTPUTS; j++) {{
            const double off = fabs((double)y[j] - (double)wanted[j]);
            if (!(off <= largest)) largest = off;
        }}
#if !defined({NAME}_NO_FMA)
        wrong += memcmp(y, wanted, sizeof y) != 0;
{check}#endif
    }}
#if defined({NAME}_NO_FMA)
    wrong = !(largest <= {bound!r});
#endif
    printf("{name}: %d rows, %s, largest difference %g\\n", {len(y)}, wrong ? "wrong" : "right",
           largest);
    return wrong != 0;
}}
#endif
"""


def _taken(X: Any, some: np.ndarray) -> Any:
    """Some rows of what `predict` takes."""
    if not isinstance(X, dict):
        return X[some]
    return {name: [values[i] for i in some.tolist()] for name, values in X.items()}


def _parts_of(row: str) -> list[str]:
    """The numbers of a row, between which lines may be broken."""
    return row.split(", ")
