"""Rows with the outputs that they must give: the test in a header."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_core import _activations
from cnn_core._random import uniform
from cnn_core.export.text import numbers, table

if TYPE_CHECKING:
    from cnn_core.model import Model

#: Rows at most, and numbers in all.
MOST_ROWS, MOST_NUMBERS = 16, 2048


def rows_of(model: Model) -> np.ndarray:
    """Rows as users give them: 0, the middle of the training rows, far out, and at random."""
    n = model.n_features
    count = max(6, min(MOST_ROWS, MOST_NUMBERS // n))
    t = 4 * uniform(0, 0, count * n).reshape(count, n) - 2
    t[1], t[2], t[3], t[4] = 0, 8, -8, 1e-3
    if model.scaling is not None:
        shift, factor, _ = model.scaling.arrays
        t = shift + t / np.where(factor == 0, 1, factor)
    t[0] = 0
    return np.ascontiguousarray(t.astype(model.network.dtype))


def expected(model: Model, rows: np.ndarray) -> np.ndarray:
    """Their outputs."""
    scaled = rows if model.scaling is None else model.scaling.apply(rows, rows.dtype)
    return model.predictors["native"].unchecked(scaled)


def distance_without_fma(model: Model, rows: np.ndarray, outputs: np.ndarray) -> float:
    """How far outputs are off, at most, where the chains of the layers round twice."""
    network = model.network
    a = rows if model.scaling is None else model.scaling.apply(rows, rows.dtype)
    a = network.read(a)
    for l, activation in enumerate(network.activations):
        W = network.weights(l)
        z = np.tile(network.bias(l), (len(a), 1))
        for i in range(W.shape[1]):
            z = z + a[:, i : i + 1] * W[:, i]
        a = _activations.activation(activation, z, network.activation_params[l])
    if model.target_scaling is not None:
        a = model.target_scaling.invert(a, a.dtype)
    return float(np.abs(a.astype(np.float64) - outputs).max())


def test_of(name: str, model: Model, real: str) -> str:
    """The part of a header that tests it."""
    rows = rows_of(model)
    y = expected(model, rows)
    finite = np.isfinite(y).all(axis=1)
    rows, y = rows[finite], y[finite]
    f64, classifies = real == "double", model.task.name == "classification"
    with np.errstate(all="ignore"):
        distance = distance_without_fma(model, rows, y)
    largest = float(np.abs(y).max())
    bound = 8 * distance + 64 * float(np.finfo(y.dtype).eps) * max(largest, 1e-3)
    tables = numbers(f"{name}_test_x", rows, f64) + numbers(f"{name}_test_y", y, f64)
    check = ""
    if classifies:
        classes = [str(model._class_of(row)) for row in y]
        tables += table("int", f"{name}_test_class", classes)
        check = f"        wrong += {name}_predict(x, &work) != {name}_test_class[r];\n"
    return f"""\
#ifdef {name.upper()}_TEST
/* {len(y)} rows, and the outputs that they give in Python. With {name.upper()}_NO_FMA the chains of
 * the layers take these outputs, of up to {largest:.3g}, as far off as {distance:.2g}. */
#include <stdio.h>

{tables}
int main(void)
{{
    static {name}_work work;
    static {real} y[{name.upper()}_OUTPUTS];
    double largest = 0;
    int wrong = 0;
    for (int r = 0; r < {len(y)}; r++) {{
        const {real} *x = {name}_test_x + r * {name.upper()}_INPUTS;
        const {real} *wanted = {name}_test_y + r * {name.upper()}_OUTPUTS;
        {name}_forward(x, y, &work);
        for (int j = 0; j < {name.upper()}_OUTPUTS; j++) {{
            const double off = fabs((double)y[j] - (double)wanted[j]);
            if (!(off <= largest)) largest = off;
        }}
#if !defined({name.upper()}_NO_FMA)
        wrong += memcmp(y, wanted, sizeof y) != 0;
{check}#endif
    }}
#if defined({name.upper()}_NO_FMA)
    wrong = !(largest <= {bound!r});
#endif
    printf("{name}: %d rows, %s, largest difference %g\\n", {len(y)}, wrong ? "wrong" : "right",
           largest);
    return wrong != 0;
}}
#endif
"""
