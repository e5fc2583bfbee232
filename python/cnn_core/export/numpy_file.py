"""A fitted net as one Python file that needs NumPy alone."""

from __future__ import annotations

import base64
import json
import math
import os
import sys
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core
from cnn_core._few import counted
from cnn_core._warn import warn
from cnn_core.columns.kinds import Category, Column, Date, Embedded, Number
from cnn_core.columns.parsing import MARKS, MISSING, number_of
from cnn_core.data.rounding import EXACT
from cnn_core.export import numpy_functions as texts
from cnn_core.export import numpy_spread
from cnn_core.export.content import Content, Member, label_array
from cnn_core.files.atomic import check_path, write_whole

if TYPE_CHECKING:
    from cnn_core.export.spread import Spread

#: Numbers up to which they are written out.
FEW = 4096
_WIDTH = 88


def export_numpy(content: Content, path: str | os.PathLike[str]) -> None:
    """Write the file, see `Exportable.export_numpy`."""
    check_path(path, "export_numpy")
    source = numpy_source(content).encode()
    module, _ = os.path.splitext(os.path.basename(path))
    if module == "numpy" or module in sys.stdlib_module_names:
        warn(
            f"{os.fspath(path)} stands in the way of the module {module}: it, and programs beside "
            "it, may not run; give it another name",
            UserWarning,
        )
    write_whole(path, source)


def numpy_source(content: Content) -> str:
    """The text of the file."""
    writer = _Writer(content)
    networks = [writer.network(k) for k in range(len(content.members))]
    answers = _answers(content, writer)
    readers = [writer.reader(k) for k in range(writer.n_readers)]
    array = [texts.ARRAY] if writer.packs else []
    features = _features(content)
    spread = [] if content.spread is None else writer.spread(content.spread)
    constants = _unformatted([*features, *writer.constants])
    functions = writer.written_functions()
    parts = [*array, constants, *functions, *readers, *networks, _forward(content), *answers]
    parts += spread
    body = "".join(f"\n\n{part.strip()}\n" for part in parts)
    kind = _kind_of_rows(content)
    append = texts.APPEND_NUMBERS if kind == "numbers" else texts.APPEND
    take = texts.TAKE_NAMED if kind in ("names", "table") else texts.TAKE
    main = texts.MAIN.format(append=append, take=take)
    if not writer.packs:  # behind imports a line less where no function follows
        body = body.removeprefix("\n")
    return _opening(content, writer.modules) + body.removeprefix("\n") + main


def _kind_of_rows(content: Content) -> str:
    if content.reads_tables:
        named = all(isinstance(one.name, str) for one in content.columns)
        return "table" if named else "cells"
    return "names" if _is_named(content) else "numbers"


def _is_named(content: Content) -> bool:
    """Whether the features of a matrix have names that are texts."""
    return content.names is not None and all(isinstance(one, str) for one in content.names)


def _features(content: Content) -> list[str]:
    """The constant that lists the names."""
    if content.reads_tables or not _can_be_chosen(content):
        return []
    return [_listed("FEATURES = [", map(_literal, content.names or ()), "]")]


def _can_be_chosen(content: Content) -> bool:
    """Whether the features of a matrix have names that are texts or whole numbers."""
    return content.names is not None and all(type(one) in (str, int) for one in content.names)


def _opening(content: Content, modules: Iterable[str]) -> str:
    """The comment at the top, and the imports."""
    task, first = content.task, content.members[0]
    lines = [
        f"A multilayer perceptron for {task.name}, written by cnn_core {cnn_core.__version__}."
    ]
    lines += ["", f"It needs NumPy alone. Networks: {content.words}."]
    if first.inputs is not None:
        shown = {"linear": "t", "smooth clip": "t / sqrt(1 + (t / 3)^2)", "asinh": "asinh t"}
        lines.append(
            f"Inputs become {shown[first.inputs[2]]} with t = (x - shift) * factor, in float64."
        )
    if first.outputs is not None:
        lines.append("Outputs become y * factor + shift, in float64.")
    given = f"rows of {counted(content.n_features, 'number')}"
    if content.reads_tables:
        given = "a table, such as a dict of columns or a frame"
    elif _is_named(content):
        given += ", or a table"
    calls = [("forward(X)", "the outputs of the last layer")]
    calls.insert(0, ("predict(X)", "numbers" if task.name == "regression" else "labels"))
    if content.has_probabilities:
        calls.insert(1, ("predict_proba(X)", "probabilities"))
    if content.spread is not None:
        calls += numpy_spread.calls(content.spread)
    wide = max(18, *(len(call) + 2 for call, _ in calls))
    lines += ["", f"With X as {given}:", ""]
    lines += [f"    {call:<{wide}}{words}" for call, words in calls]
    kind = _kind_of_rows(content)
    rows = "rows under a line of names" if kind in ("names", "table") else "rows without names"
    lines += ["", f"    python FILE < rows.csv      predictions of {rows}"]
    size = "1e-16" if content.dtype.itemsize == 8 else "1e-7"
    lines += [
        "",
        "NumPy adds in an order of its own, which differs between machines: outputs differ from "
        f"those of cnn_core by a few {size} of the numbers that are added.",
    ]
    wrapped = [textwrap.fill(line, _WIDTH - 1, break_long_words=False) for line in lines]
    imports = "".join(f"import {name}\n" for name in modules)
    return f'"""{chr(10).join(wrapped)}\n"""\n\n{imports}\nimport numpy as np\n\n'


class _Writer:
    """Writes the functions of networks, and gathers their constants and what they call."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.constants: list[str] = []
        self.functions: set[str] = set()
        members = content.members
        #: Whether numbers are written as their bytes.
        self.packs = sum(len(one.network.flat()) for one in members) > FEW
        shared = all(one.columns is members[0].columns for one in members)
        self.n_readers = 1 if shared else len(members)

    @property
    def modules(self) -> list[str]:
        """What the file imports beside NumPy."""
        needed = {name for one in self.functions for name in texts.IMPORTS.get(one, ())}
        return sorted({"csv", "sys", *needed, *["base64"] * self.packs})

    def constant(self, name: str, values: Any, dtype: Any) -> str:
        """Write an array; returns its name."""
        array = np.ascontiguousarray(np.asarray(values, dtype)).reshape(np.shape(values))
        kind = np.dtype(dtype).name
        if self.packs and array.size > 16:
            bytes_ = array.astype(array.dtype.newbyteorder("<")).tobytes()
            text = base64.encodebytes(bytes_).decode()
            shape = "".join(f", {n}" for n in array.shape)
            code = f"<{array.dtype.kind}{array.itemsize}"
            self.constants.append(f'{name} = array("""\n{text}""", "{code}"{shape})')
        else:
            self.constants.append(f"{name} = np.array({_nested(array)}, np.{kind})")
        return name

    def call(self, function: str) -> str:
        """The name of a function, which is written then."""
        self.functions.add(function)
        for needed in texts.NEEDS.get(function, ()):
            self.call(needed)
        return function.replace(" ", "_")

    def written_functions(self) -> list[str]:
        """All functions that are called."""
        known = {**texts.COLUMNS, **texts.CURVES, "periodic": texts.PERIODIC, **texts.ACTIVATIONS}
        return [text for name, text in known.items() if name in self.functions]

    def spread(self, spread: Spread) -> list[str]:
        """The functions that say how far y may lie from a prediction."""

        def units(k: int) -> str:
            mark = f"_{k + 1}" if len(self.content.members) > 1 else ""
            scales = self.content.members[k].outputs is not None
            return f"Y_FACTOR{mark}, Y_SHIFT{mark}" if scales else "1.0, 0.0"

        if spread.kind != "residuals":
            self.call("softplus")
        if spread.intervals:
            self.constants.append(numpy_spread.reaches(spread, _number))
        found = numpy_spread.of_networks(self.content, spread, units)
        return found + numpy_spread.answers(self.content, spread)

    def network(self, k: int) -> str:
        """The function of a member from the matrix to its outputs."""
        member, several = self.content.members[k], len(self.content.members) > 1
        mark = f"_{k + 1}" if several else ""
        network, dtype = member.network, f"np.{member.dtype.name}"
        n_outputs, heads = len(network.weights(network.n_layers - 1)), ""
        spread = self.content.spread
        if spread is not None and spread.kind != "residuals":
            network = spread.networks[k]
        lines = self._inputs(member, mark, dtype)
        for l, activation in enumerate(network.activations):
            z = f"x @ {self.constant(f'W{l + 1}{mark}', network.weights(l), member.dtype)}.T"
            if network.has_bias:
                z += f" + {self.constant(f'B{l + 1}{mark}', network.bias(l), member.dtype)}"
            if activation != "identity":
                takes = activation in ("leaky_relu", "elu")
                param = f", {network.activation_params[l]!r}" if takes else ""
                z = f"{self.call(activation)}({z}{param})"
            lines.append(f"x = {z}")
        if network is not member.network:
            body = "\n".join(f"    {line}" for line in [*lines, "return x"])
            heads = f'def heads{mark}(X):\n    """z for rows that read gives."""\n{body}\n\n\n'
            lines = [f"x = heads{mark}(X)[:, :{n_outputs}]"]
        if member.outputs is not None:
            factor, shift, low, high = member.outputs
            names = [
                self.constant(f"{name}{mark}", values, np.float64)
                for name, values in (("Y_FACTOR", factor), ("Y_SHIFT", shift))
            ]
            lines.append(f"x = x.astype(np.float64) * {names[0]} + {names[1]}")
            if np.isfinite(low).any() or np.isfinite(high).any():
                ends = [
                    self.constant(f"{name}{mark}", values, np.float64)
                    for name, values in (("Y_LOW", low), ("Y_HIGH", high))
                ]
                lines.append(f"x = np.clip(x, {', '.join(ends)})")
        body = "\n".join(f"    {line}" for line in [*lines, "return x"])
        head = f'{heads}def network{mark}(X):\n    """The outputs for rows that read gives."""'
        return f"{head}\n{body}\n"

    def _inputs(self, member: Member, mark: str, dtype: str) -> list[str]:
        """The lines that make what the first layer reads."""
        network, n = member.network, member.n_numbers
        numbers = f"X[:, :{n}]" if network.embeddings else "X"
        lines = []
        if member.inputs is not None and n:
            shift, factor, curve = member.inputs
            names = [
                self.constant(f"{name}{mark}", values, np.float64)
                for name, values in (("SHIFT", shift), ("FACTOR", factor))
            ]
            t = f"({numbers} - {names[0]}) * {names[1]}"
            if curve == "asinh":
                t = f"np.arcsinh({t})"
            elif curve != "linear":
                t = f"{self.call(curve)}({t})"
            lines.append(f"x = ({t}).astype({dtype})" if curve == "linear" else f"x = {t}")
            if curve != "linear":
                lines.append(f"x = x.astype({dtype})")
        else:
            lines.append(f"x = {numbers}.astype({dtype})")
        parts = ["x"]
        if network.periodic:
            where = self.constant(f"PERIODIC{mark}", network.periodic[0], np.int64)
            given = zip("wcVd", network.periodic_parameters())
            names = [
                self.constant(f"P{name.upper()}{mark}", values, member.dtype)
                for name, values in given
            ]
            lines.append(f"p = {self.call('periodic')}(x, {where}, {', '.join(names)})")
            parts.append("p")
        for i in range(len(network.embeddings)):
            vectors = network.vectors(i)
            table = np.concatenate((vectors, np.zeros((1, vectors.shape[1]), vectors.dtype)))
            name = self.constant(f"E{i + 1}{mark}", table, member.dtype)
            lines.append(f"e{i + 1} = {name}[X[:, {n + i}].astype(int)]")
            parts.append(f"e{i + 1}")
        if len(parts) > 1:
            lines += ["x = np.concatenate(", f"    [{', '.join(parts)}], axis=1", ")"]
            joined = f"x = np.concatenate([{', '.join(parts)}], axis=1)"
            if len(joined) + 4 <= _WIDTH:
                lines[-3:] = [joined]
        return lines

    def reader(self, k: int) -> str:
        """The function from what users give to the matrix."""
        member, of = self.content.members[k], f"_{k + 1}" if self.n_readers > 1 else ""
        if member.columns is None:
            named, select = "", ""
            if _is_named(self.content):
                named, select = " in the order of FEATURES, or a table", texts.SELECT
                self.call("table")
            elif _can_be_chosen(self.content):
                select = texts.SELECT_NUMBERED
            n = self.content.n_features
            return texts.READ_MATRIX.format(
                of=of, n=n, numbers=counted(n, "number"), named=named, select=select
            )
        self.call("table")
        rows = []
        for column, _ in member.columns.placed:
            function, how = _how(column)
            self.call(function)
            if "as_text" in how:
                self.call(how["as_text"])
            told = ", ".join(f"{_literal(name)}: {value}" for name, value in how.items())
            rows.append(f"    ({_literal(column.name)}, {function}, {{{told}}}),\n")
        missing = _listed("MISSING = {", map(_literal, sorted({*MARKS, ""})), "}")
        if missing not in self.constants:
            self.constants.append(missing)
        unnamed = texts.NAMELESS if member.columns.named else texts.UNNAMED
        table = _unformatted([f"COLUMNS{of} = [\n{''.join(rows)}]"])
        return f"{table.strip()}\n\n{texts.READ_TABLE.format(of=of, unnamed=unnamed)}"


def _how(column: Column) -> tuple[str, dict[str, str]]:
    """The function for a column, and its arguments."""
    if isinstance(column, Category):
        known, n = _known(column), len(column.values)
        missing = n if isinstance(column, Embedded) else column.width
        if column.rest:
            known |= {text: missing for text in sorted(MISSING) if text not in known}
        pairs = (f"{_literal(text)}: {i}" for text, i in known.items())
        found = {
            "known": _listed("{", pairs, "}", 8),
            "other": str(n if column.rest else missing),
            "missing": str(missing),
        }
        as_text = _as_text(column, known)
        if as_text is not None:
            found["as_text"] = as_text
        if isinstance(column, Embedded):
            return "code", found
        return "one_hot", {"width": str(column.width)} | found
    if isinstance(column, Number):
        return "number", {"mean": repr(column.mean), "gaps": repr(column.gaps)}
    assert isinstance(column, Date)
    values = {"mean": column.mean, "times": column.times, "gaps": column.gaps}
    return "date", {name: repr(value) for name, value in values.items()}


def _known(column: Category) -> dict[str, int]:
    """Texts of categories, with the numbers of these."""
    found = {text: i for i, text in enumerate(column.values)}
    found |= vars(column)["positions"]
    for i, text in enumerate(column.values):
        number = number_of(text) or 0.0
        if number.is_integer() and abs(number) >= EXACT and text == repr(number):
            found.setdefault(str(int(number)), i)  # such as for 1e+16
    return found


def _as_text(column: Category, known: Iterable[str]) -> str | None:
    """The function that makes the text of an entry, None where that is str."""
    if vars(column)["dated"]:
        return "as_date"
    numbers = (number_of(text) for text in known)
    if any(one is not None and math.isfinite(one) for one in numbers):
        return "as_number"
    return None


def _forward(content: Content) -> str:
    """The function that gives the outputs."""
    dtype = f"np.{content.dtype.name}"
    head = 'def forward(X):\n    """The outputs of the last layer, in the units of y."""\n'
    if content.spread is not None:  # intervals are made from what is not rounded
        rounded = f"\n\n{head}    return outputs(X).astype({dtype})\n"
        exact = 'def outputs(X):\n    """The same as forward, in float64."""\n'
        return _mean(content, exact, "np.float64") + rounded
    return _mean(content, head, dtype)


def _mean(content: Content, head: str, dtype: str) -> str:
    """A function that gives the mean of the networks."""
    n = len(content.members)
    if n == 1:
        return f"{head}    return network(read(X)).astype({dtype})\n"
    shared = numpy_spread.shares_reader(content)
    names = "\n".join(
        f"        network_{k + 1}({'X' if shared else f'read_{k + 1}(X)'})," for k in range(n)
    )
    read = "    X = read(X)\n" if shared else ""
    return (
        f"{head}{read}    outputs = [\n{names}\n    ]\n"
        f"    total = sum(y.astype(np.float64) for y in outputs)\n"
        f"    return (total / {n}).astype({dtype})\n"
    )


def _answers(content: Content, writer: _Writer) -> list[str]:
    """The functions predict and predict_proba."""
    task, threshold = content.task, repr(content.task.threshold)
    head = "def predict(X):\n"
    if task.name == "regression":
        end = "[:, 0]" if task.flat else ""
        found = [f'{head}    """The numbers that are predicted."""\n    return forward(X){end}\n']
    elif task.name == "multilabel":
        found = [
            f'{head}    """1 for each label that the row has, else 0."""\n'
            f"    return (forward(X) > {threshold}).astype(np.int64)\n"
        ]
    else:
        labels = label_array(content, "export_numpy").tolist()
        assert task.classes is not None
        kind = ", object" if task.classes.dtype == object else ""
        writer.constants.append(_listed("LABELS = np.array([", map(_literal, labels), f"]{kind})"))
        index = f"(forward(X)[:, 0] > {threshold}).astype(int)"
        index = index if task.n_outputs == 1 else "forward(X).argmax(axis=1)"
        found = [f'{head}    """The class labels."""\n    return LABELS[{index}]\n']
    if content.has_probabilities:
        body = "    return forward(X)\n"
        if task.n_outputs == 1 and task.name == "classification":
            body = "    p = forward(X)\n    return np.concatenate([1 - p, p], axis=1)\n"
        what = "LABELS" if task.name == "classification" else "labels"
        text = f'    """The probabilities of the {what}, in their order."""\n'
        found.append(f"def predict_proba(X):\n{text}{body}")
    return found


# Literals


def _unformatted(statements: Iterable[str]) -> str:
    """Statements that formatters leave as they are, which would write a line for each number."""
    return "# fmt: off\n" + "\n".join(statements) + "\n# fmt: on\n"


def _literal(value: Any) -> str:
    """A name or a label."""
    if not isinstance(value, str):
        return repr(value)
    return json.dumps(value, ensure_ascii=False) if value.isprintable() else ascii(value)


def _number(value: Any) -> str:
    """The shortest decimal that becomes this very number."""
    if not isinstance(value, np.floating):
        return str(value)
    if not np.isfinite(value):
        return f"{'-' if value < 0 else ''}np.inf"
    text = np.format_float_scientific(value, unique=True, trim="-")
    if 1e-5 <= abs(value) < 1e9 or value == 0:
        text = np.format_float_positional(value, unique=True, trim="0")
    return text if type(value)(float(text)) == value else repr(float(value))


def _nested(array: np.ndarray) -> str:
    """An array as lists."""
    if array.ndim == 0:
        return _number(array[()])
    if array.ndim == 1:
        return _listed("[", map(_number, array), "]")
    rows = ",\n".join(textwrap.indent(_nested(row), "    ") for row in array)
    return f"[\n{rows},\n]"


def _listed(start: str, entries: Iterable[str], end: str, indent: int = 4) -> str:
    """Entries between brackets, wrapped; texts stay whole."""
    lines, line = [], ""
    for entry in entries:
        if line and len(line) + len(entry) + 2 > _WIDTH - indent:
            lines.append(line)
            line = ""
        line += f"{' ' * bool(line)}{entry},"
    if not lines and len(start) + len(line) + len(end) <= _WIDTH - 48 * (indent > 4):
        return f"{start}{line.removesuffix(',')}{end}"
    inner = "\n".join(" " * indent + one for one in [*lines, line] if one)
    return f"{start}\n{inner}\n{' ' * (indent - 4)}{end}"
