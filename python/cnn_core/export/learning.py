"""A header that goes on learning: what `partial_fit` does with a mini-batch, in the same order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_core.export.functions import function_of
from cnn_core.export.machine import apart
from cnn_core.export.net import layer_name
from cnn_core.export.places import (
    Place,
    n_parameters,
    parameters,
    places,
    vectors,
    weights_in,
)
from cnn_core.export.text import number, numbers

if TYPE_CHECKING:
    from cnn_core.export.training import Training
    from cnn_core.export.writing import Writing
    from cnn_core.model import Model

#: Optimizers whose constants are those of Adam.
_ADAM = {"adam": "adam", "adam_hat": "adam", "amsgrad": "amsgrad", "adamw": "adamw"}


def fields(writing: Writing, training: Training) -> str:
    """What the workspace has for learning."""
    model, real = writing.first, writing.real
    n, places_ = n_parameters(model), places(model)
    lanes = 64 // model.network.dtype.itemsize  # what a wide softmax reads beyond the outputs
    outputs = sum(one.outputs for one in places_) + lanes
    widest = max(max(one.inputs, one.outputs) for one in places_) + lanes
    lines = [
        f"{real} p[{n}], g[{n}]; /* parameters, and their gradient */",
        f"{real} slot[{training.n_slots}][{n}]; /* the memory of {training.spec.optimizer} */",
        "double numbers[16]; /* its settings; the first one is the learning rate */",
        "int64_t steps;",
        f"{real} x[{places_[0].inputs}], z[{outputs}], activated[{outputs}];",
        f"{real} delta[{widest}], back[{widest}], y[{places_[-1].outputs}];",
    ]
    return "\n    ".join(lines)


def written(writing: Writing, training: Training) -> str:
    """The functions."""
    return "\n".join(
        (
            _start(writing, training),
            _products(writing),
            _row(writing, training),
            _step(writing, training),
            _learn(writing, training),
        )
    )


def _start(writing: Writing, training: Training) -> str:
    """Where the learning begins, and the way of the parameters home."""
    name, model, f64 = writing.name, writing.first, writing.f64
    tables, lines = [numbers(f"{name}_numbers", np.array(training.numbers), True)], list[str]()
    for l, place in enumerate(places(model)):
        weights, _ = parameters(place)
        lines.append(f"memcpy({weights}, {name}_w{l + 1}, sizeof {name}_w{l + 1});")
        if place.bias is not None:
            table = f"{name}_bias{l + 1}"
            lines.append(f"memcpy(work->p + {place.bias}, {table}, sizeof {table});")
    for k, one in enumerate(vectors(model)):
        table = f"{name}_vectors{k + 1}"
        lines.append(f"memcpy(work->p + {one.at}, {table}, sizeof {table});")
    if training.slots:
        for k, slot in enumerate(training.slots):
            tables.append(numbers(f"{name}_slot{k + 1}", _in_order(model, slot), f64))
            lines.append(f"memcpy(work->slot[{k}], {name}_slot{k + 1}, sizeof {name}_slot{k + 1});")
    else:
        lines.append("memset(work->slot, 0, sizeof work->slot);")
    lines.append(f"memcpy(work->numbers, {name}_numbers, sizeof {name}_numbers);")
    lines.append(f"work->steps = {training.steps};")
    body, home = "\n    ".join(lines), list[str]()
    for place in places(model):
        i, o = place.inputs, place.outputs
        home += [
            f"for (int j = 0; j < {o}; j++)",
            f"    for (int i = 0; i < {i}; i++) *out++ = work->p[{place.w} + i * {o} + j];",
        ]
        if place.bias is not None:
            home.append(f"for (int j = 0; j < {o}; j++) *out++ = work->p[{place.bias} + j];")
    for one in vectors(model):
        home.append(f"for (int i = 0; i < {one.size}; i++) *out++ = work->p[{one.at} + i];")
    back = "\n    ".join(home)
    return f"""\
{"".join(tables)}
/* Begins from the parameters of training, and the optimizer's memory of it. */
static inline void {name}_start({name}_work *work)
{{
    {body}
}}

/* All parameters, {writing.NAME}_PARAMETERS of them, as parameters_ in Python has them. */
static inline void {name}_parameters(const {name}_work *work, {writing.real} *out)
{{
    {back}
}}
"""


def _in_order(model: Model, vector: np.ndarray) -> np.ndarray:
    """A vector that is laid out as the network's parameters, in the order of a header's."""
    parts = []
    for l in range(model.network.n_layers):
        parts.append(model.network.weights(l, vector).T.ravel())
        if model.network.has_bias:
            parts.append(model.network.bias(l, vector))
    parts += [model.network.vectors(k, vector).ravel() for k in range(model.network.n_tables)]
    return np.concatenate(parts)


def _products(writing: Writing) -> str:
    """Gradient and delta of a layer."""
    name, real, fma = writing.name, writing.real, writing.functions("FMA")
    has_bias = writing.first.network.has_bias
    bias = f", {real} *bias" if has_bias else ""
    add = "    for (ptrdiff_t j = 0; j < outputs; j++) bias[j] = delta[j] + bias[j];\n"
    return f"""\
/* Adds a row's part of the gradient: dC/dW = delta a^T, dC/db = delta. */
{writing.NAME}_INLINE void {name}_gradient(ptrdiff_t inputs, ptrdiff_t outputs, const {real} *a,
                                   const {real} *delta, {real} *w{bias})
{{
{add if has_bias else ""}    for (ptrdiff_t i = 0; i < inputs; i++, w += outputs)
        for (ptrdiff_t j = 0; j < outputs; j++) w[j] = {fma}(a[i], delta[j], w[j]);
}}

/* W^T delta, each a chain over the outputs. */
{writing.NAME}_INLINE void {name}_back(ptrdiff_t inputs, ptrdiff_t outputs, const {real} *w,
                               const {real} *delta, {real} *{writing.NAME}_RESTRICT back)
{{
    for (ptrdiff_t i = 0; i < inputs; i++, w += outputs) {{
        {real} sum = 0;
        for (ptrdiff_t j = 0; j < outputs; j++) sum = {fma}(delta[j], w[j], sum);
        back[i] = sum;
    }}
}}
"""


def _row(writing: Writing, training: Training) -> str:
    """Forward and backward of a row, whose targets are in `work->y` or are a label."""
    name, network = writing.name, writing.first.network
    all_places = places(writing.first)
    fused, last = training.from_logits, network.n_layers - 1
    lines, x = list[str](), "work->x"
    for l, (place, activation) in enumerate(zip(all_places, network.activations)):
        z, weights = f"work->z + {place.z}", parameters(place)
        call = layer_name(name, network.has_bias)
        lines.append(
            f"{call}({place.inputs}, {place.outputs}, {weights[0]}, {weights[1]}{x}, {z});"
        )
        x = f"work->activated + {place.z}"
        if l < last or not fused:
            lines += _activated(writing, activation, place, z, x, network.activation_params[l])
    lines += _last_delta(writing, training, all_places[-1])
    if not fused:
        lines += _primed(writing, last, all_places[-1], "work->delta")
    delta, other = "work->delta", "work->back"
    for l in range(last, -1, -1):
        place = all_places[l]
        a = "work->x" if l == 0 else f"work->activated + {all_places[l - 1].z}"
        w, bias = parameters(place, "g")
        bias = bias.rstrip(", ")
        after = f", {bias}" if bias else ""
        sizes = f"{place.inputs}, {place.outputs}"
        lines.append(f"{name}_gradient({sizes}, {a}, {delta}, {w}{after});")
        if l > 0:
            lines.append(f"{name}_back({sizes}, {parameters(place)[0]}, {delta}, {other});")
            delta, other = other, delta
            lines += _primed(writing, l - 1, all_places[l - 1], delta)
        elif writing.first.network.embeddings:
            lines.append(f"{name}_back({sizes}, {parameters(place)[0]}, {delta}, {other});")
            lines += _of_vectors(writing, other)
    body = "\n".join(f"    {line}" for line in lines)
    label, given = ("int label, ", "label, ") if training.takes_label else ("", "")
    takes = f"{name}_work *work, {label}{writing.real} scale"
    return """\
/* Outputs and deltas of a row, of which the gradient is added; its share of the mini-batch is
 * `scale`. */
""" + apart(writing.NAME, f"{name}_learn_row", takes, f"work, {given}scale", body)


def _of_vectors(writing: Writing, back: str) -> list[str]:
    """The gradient of the vectors of a row's categories, from what the first layer sends back."""
    name, first = writing.name, writing.first.network_spec.n_numbers
    lines = ["int category;"]
    for k, one in enumerate(vectors(writing.first)):
        to = f"work->g[{one.at} + category * {one.width} + j]"
        lines += [
            f"category = {name}_category({writing.numbers}[{first + k}], {one.categories});",
            f"for (int j = 0; category >= 0 && j < {one.width}; j++)",
            f"    {to} += {back}[{one.x} + j];",
        ]
    return lines


def _activated(
    writing: Writing, activation: str, place: Place, z: str, a: str, param: float
) -> list[str]:
    """a = f(z) of a layer."""
    functions, n = writing.functions, place.outputs
    if activation == "softmax":
        return [f"{functions('softmax_transposed')}(1, {n}, 1, {z}, {a});"]
    if activation == "identity":
        return [f"memcpy({a}, {z}, {n} * sizeof(*work->z));"]
    f = functions(function_of(activation))
    given = number(writing.first.network.dtype.type(param), writing.f64)
    at = place.z
    call = f"{f}(work->z[{at} + j], {given})"
    return [f"for (int j = 0; j < {n}; j++) work->activated[{at} + j] = {call};"]


def _primed(writing: Writing, l: int, place: Place, delta: str) -> list[str]:
    """delta f'(z) of a layer."""
    network, functions, n = writing.first.network, writing.functions, place.outputs
    activation = network.activations[l]
    if activation == "identity":
        return []
    if activation == "softmax":
        f = functions("softmax_backward_transposed")
        return [f"{f}(1, {n}, 1, work->activated + {place.z}, {delta});"]
    f = functions(f"{function_of(activation)}_prime")
    param = number(network.dtype.type(network.activation_params[l]), writing.f64)
    given = f"work->z[{place.z} + j], work->activated[{place.z} + j], {param}"
    return [f"for (int j = 0; j < {n}; j++) {delta}[j] *= {f}({given});"]


def _last_delta(writing: Writing, training: Training, place: Place) -> list[str]:
    """dC/da of the outputs, or dC/dz where the loss takes in their activation."""
    functions, n = writing.functions, place.outputs
    if training.takes_label:
        z = f"work->z + {place.z}"
        if n <= 64 // writing.first.network.dtype.itemsize:
            softmax = f"{functions('softmax_transposed')}(1, {n}, 1, {z}, work->delta);"
        else:
            softmax = f"{functions('softmax_row')}({n}, {z}, work->delta);"
        one = "work->delta[j] = (work->delta[j] - (j == label)) * scale;"
        return [softmax, f"for (int j = 0; j < {n}; j++) {one}"]
    slope = functions(f"{training.spec.loss}_slope")
    out = "z" if training.from_logits else "activated"
    param = number(writing.first.network.dtype.type(training.loss_param), writing.f64)
    call = f"{slope}(work->{out}[{place.z} + j], work->y[j], {param})"
    return [f"for (int j = 0; j < {n}; j++) work->delta[j] = {call} * scale;"]


def _step(writing: Writing, training: Training) -> str:
    """The optimizer's step along the gradient."""
    name, real, model = writing.name, writing.real, writing.first
    functions, spec, lines = writing.functions, training.spec, list[str]()
    if spec.l1 or spec.l2:
        f = functions("penalized")
        l1, l2 = (number(model.network.dtype.type(one), writing.f64) for one in (spec.l1, spec.l2))
        for first, end in weights_in(model):
            lines.append(f"for (int i = {first}; i < {end}; i++)")
            lines.append(f"    work->g[i] = {f}(work->g[i], work->p[i], {l1}, {l2});")
    if spec.clip_norm:
        lines.append(f"{name}_clip(work);")
    optimizer = spec.optimizer
    assert optimizer is not None
    constants = "adam_family_constants" if optimizer in _ADAM else f"{optimizer}_constants"
    update = functions(f"{_ADAM.get(optimizer, optimizer)}_update")
    lines.append("work->steps++;")
    if optimizer in _ADAM:
        prepare = "adam_hat_prepare" if optimizer == "adam_hat" else "adam_prepare"
        lines.append(f"{functions(prepare)}(work->steps, work->numbers);")
    slots = ", ".join(f"work->slot[{k}]" for k in range(training.n_slots))
    lines += [
        f"{real} c[7] = {{0}}, *const slot[{training.n_slots}] = {{{slots}}};",
        f"const int form = {functions(constants)}(work->steps, work->numbers, c);",
        f"for (int i = 0; i < {n_parameters(model)}; i++)",
        f"    {update}(form, c, work->p, work->g, slot, i);",
    ]
    if spec.max_norm:
        lines += [line for place in places(model) for line in _limited(writing, training, place)]
    body = "\n".join(f"    {line}" for line in lines)
    clip = _clip(writing, training) + "\n" if spec.clip_norm else ""
    step = apart(writing.NAME, f"{name}_step", f"{name}_work *work", "work", body)
    return f"{clip}/* One step along the gradient. */\n{step}"


def _clip(writing: Writing, training: Training) -> str:
    """The gradient shortened: its squares are summed in the core's lanes and order."""
    name, real, fma = writing.name, writing.real, writing.functions("FMA")
    lanes = 64 // writing.first.network.dtype.itemsize
    limit, root = number(training.spec.clip_norm, True), "sqrt"
    spans = []
    for place in places(writing.first):
        spans.append(f"{name}_squares({place.inputs}, {place.outputs}, work->g + {place.w}, lane);")
        if place.bias is not None:
            spans.append(f"{name}_squares(1, {place.outputs}, work->g + {place.bias}, lane);")
    for one in vectors(writing.first):
        spans.append(f"{name}_squares(1, {one.size}, work->g + {one.at}, lane);")
    summed = "\n        ".join(spans)
    large = number(2.0**600 if writing.f64 else 2.0**80, True)
    n = n_parameters(writing.first)
    return f"""\
/* Adds the squares of a layer's gradient to {lanes} sums, that of output j to sum j mod {lanes}. */
{writing.NAME}_INLINE void {name}_squares(ptrdiff_t inputs, ptrdiff_t outputs, const {real} *g,
                                  {real} *lane)
{{
    for (ptrdiff_t first = 0; first < outputs; first += {lanes})
        for (ptrdiff_t i = 0; i < inputs; i++)
            for (ptrdiff_t j = first; j < outputs && j < first + {lanes}; j++)
                lane[j - first] = {fma}(g[i * outputs + j], g[i * outputs + j], lane[j - first]);
}}

/* Shortens the gradient to the length {limit} where it is longer. */
{writing.NAME}_INLINE void {name}_clip({name}_work *work)
{{
    double scale = 1, norm = 0;
    for (int again = 0; again < 2; again++) {{
        {real} lane[{lanes}] = {{0}};
        {summed}
        for (int h = {lanes // 2}; h > 0; h /= 2)
            for (int j = 0; j < h; j++) lane[j] = lane[j] + lane[j + h];
        norm = scale * {root}((double)lane[0]);
        if (again || !isinf(norm)) break;
        scale = {large}; /* the squares overflow */
        for (int i = 0; i < {n}; i++) work->g[i] *= ({real})(1 / scale);
    }}
    const double factor = norm > {limit} ? {limit} / norm * scale : scale;
    if (factor != 1)
        for (int i = 0; i < {n}; i++) work->g[i] *= ({real})factor;
}}
"""


def _limited(writing: Writing, training: Training, place: Place) -> list[str]:
    """The weights to each output of a layer, shortened."""
    f, real = writing.functions("norm_factor"), writing.real
    dtype = writing.first.network.dtype
    limit = number(dtype.type(training.spec.max_norm), writing.f64)
    small = number(dtype.type(2.0**-600 if writing.f64 else 2.0**-80), writing.f64)
    given = f"{place.inputs}, {place.outputs}, w, {limit}"
    return [
        f"for (int j = 0; j < {place.outputs}; j++) {{",
        f"    {real} *w = work->p + {place.w} + j, factor = {f}({given}, 1);",
        f"    if (!(factor > 0)) factor = {f}({given}, {small});",
        f"    for (int i = 0; i < {place.inputs}; i++) w[i * {place.outputs}] *= factor;",
        "}",
    ]


def _learn(writing: Writing, training: Training) -> str:
    """The functions that users call."""
    name, model, real = writing.name, writing.model, writing.real
    task, n = model.task, model.task.n_outputs
    row = f"{name}_row" if writing.columns is not None else real
    step = "" if writing.columns is not None else f" * {writing.NAME}_INPUTS"
    several = task.name == "multilabel" or (task.name == "regression" and n > 1)
    kind = "double" if task.name == "regression" else "int"
    what = {"regression": "y", "multilabel": "labels"}.get(task.name, "label")
    read = f"memcpy(work->x, x, {model.n_features} * sizeof *x);"
    if writing.columns is not None:
        taken = f"work->row, work->x{writing.also_read}"
        read = f"{name}_encode(x, work->row);\n            {name}_read({taken});"
    elif writing.first.scaling is not None:
        read = f"{name}_read(x, work->x);"
    targets = _targets(writing, training)
    label = "y[r], " if training.takes_label else ""
    one = f"const {kind} *{what}" if several else f"{kind} {what}"
    given = what if several else f"&{what}"
    return f"""\
/* One step along the mean gradient of some rows, as partial_fit takes it for a mini-batch. */
static inline void {name}_learn_batch({name}_work *work, const {row} *X, const {kind} *y, int rows)
{{
    const uint64_t before = {name}_mode(0);
    if (rows > 0) {{
        const {real} scale = ({real})(1.0 / rows);
        memset(work->g, 0, sizeof work->g);
        for (int r = 0; r < rows; r++) {{
            const {row} *x = X + r{step};
            (void){name}_mode(0);
            {read}
            {targets}
            (void){name}_mode(1);
            {name}_learn_row(work, {label}scale);
        }}
        {name}_step(work);
    }}
    {name}_restore(before);
}}

/* The same of one row. */
static inline void {name}_learn({name}_work *work, const {row} *x, {one})
{{
    {name}_learn_batch(work, x, {given}, 1);
}}
"""


def _targets(writing: Writing, training: Training) -> str:
    """The line that makes the targets of row r."""
    name, task, real = writing.name, writing.model.task, writing.real
    if training.takes_label:
        return ""
    n = task.n_outputs
    loop, value = f"for (int j = 0; j < {n}; j++)", f"y[r * {n} + j]"
    if task.name == "regression":
        scaling = writing.first.target_scaling
        if scaling is not None and scaling.scales:
            value = f"(({value} - {name}_y_shift[j]) / {name}_y_factor[j])"
        return f"{loop} work->y[j] = ({real}){value};"
    no, yes = (number(one, writing.f64) for one in task.target_range)
    if task.name == "classification":
        value = "y[r]" if n == 1 else "y[r] == j"
    return f"{loop} work->y[j] = {value} ? {yes} : {no};"
