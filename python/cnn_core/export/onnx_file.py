"""A fitted net as an ONNX file."""

from __future__ import annotations

import json
import math
import os
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._names import choose
from cnn_core._spoken import argument
from cnn_core.export.content import Content, Member, label_array
from cnn_core.export.graph import Graph
from cnn_core.export.onnx_activations import activation
from cnn_core.export.onnx_columns import TableInputs
from cnn_core.export.onnx_spread import spread_names, spread_outputs
from cnn_core.files.atomic import check_path, write_whole

if TYPE_CHECKING:
    from cnn_core._network import Network

#: Weights and biases of each layer.
Layers = list[tuple[np.ndarray, np.ndarray]]
#: Where the scaling of the inputs stands.
SCALINGS = ("node", "folded")
#: Beyond it (t / 3)^2 might overflow, and sqrt(t^2 + 1) is |t|.
_FAR = 1e9
#: Bytes of a protobuf message at most, less what else is in a file.
_MOST = (1 << 31) - (1 << 20)


def export_onnx(content: Content, path: str | os.PathLike[str], scaling: str = "node") -> None:
    """Write the file, see `Exportable.export_onnx`."""
    check_path(path, "export_onnx")
    if scaling == "folded" and content.spread is not None:
        if content.spread.intervals:
            raise ValueError(
                f"{argument('intervals')} goes with {argument('scaling', 'node')}: a chain of "
                f"layers, which {argument('scaling', 'folded')} writes, gives predictions alone"
            )
        content = content._replace(spread=None)
    write_whole(path, onnx_model(content, scaling).SerializeToString())


def onnx_model(content: Content, scaling: str = "node") -> Any:
    """The model as a message of protobuf, checked."""
    folded = SCALINGS[choose("scaling", scaling, SCALINGS)] == "folded"
    size = sum(one.network.flat().nbytes for one in content.members)
    if size > _MOST:
        raise ValueError(f"an ONNX file holds 2 GB at most, and the weights are {size:,} bytes")
    if folded:
        for member in content.members:
            check_folds(member)
    g = Graph(_output_names(content))
    read = _reader(g, content)
    outputs, beside, spread = [], [], content.spread
    for k, member in enumerate(content.members):
        numbers, codes, dtype = read(member, folded)
        a = _read(g, member, numbers, codes, dtype, folded)
        if spread is None or spread.kind == "residuals":
            a = _network(g, member.network, a, _layers(member, folded))
        else:
            z = _network(g, spread.networks[k], a, _layers(member, False, spread.networks[k]))
            n = content.task.n_outputs
            a = g("Slice", z, *(g.constant([one], np.int64) for one in (0, n, 1)))
            beside.append((z, member))
        outputs.append(_in_units(g, member, a, folded))
    a, dtype = _mean(g, outputs)
    of_spread = []
    if spread is not None:
        of_spread = spread_outputs(g, content, g.cast(a, dtype, np.float64), beside)
    answers = [*_answers(g, content, g.cast(a, dtype, content.dtype)), *of_spread]
    return g.model(
        "cnn_core",
        answers,
        f"A multilayer perceptron for {content.task.name}: {content.words}",
        **_properties(content),
    )


def check_folds(member: Member) -> None:
    """Raise where the scaling of the inputs is none that weights can do."""
    folded, node = argument("scaling", "folded"), argument("scaling", "node")
    if member.inputs is not None and member.inputs[2] != "linear":
        raise ValueError(
            f"{folded} multiplies the weights of the first layer by a linear scaling, and "
            f"this model's is bent ({member.inputs[2]}); {node} writes every scaling"
        )
    if member.inputs is not None and member.network.periodic:
        raise ValueError(
            f"{folded} multiplies the weights of the first layer by the scaling of the "
            f"inputs, and periodic embeddings read scaled numbers, too; {node} writes these"
        )


def _output_names(content: Content) -> list[str]:
    if content.task.name == "regression":
        beside = [] if content.spread is None else spread_names(content.spread)
        return ["y", *beside]
    return ["label", "probabilities" if content.has_probabilities else "outputs"]


def _properties(content: Content) -> dict[str, str]:
    """What users of the file may want to know."""
    found = {}
    names = content.names
    if content.reads_tables:  # in the order of the inputs
        names = [column.name for column in content.columns]
    if names is not None:
        found["feature_names"] = json.dumps([str(one) for one in names], ensure_ascii=False)
    if content.spread is not None and content.spread.intervals:
        found["intervals"] = json.dumps(content.spread.levels)
    if content.spread is not None and content.spread.quantiles:
        found["quantiles"] = json.dumps(content.spread.quantiles)
    if content.target_names:
        found["target_names"] = json.dumps(list(content.target_names), ensure_ascii=False)
    return found


def _reader(g: Graph, content: Content) -> Any:
    """What gives a member its numbers, its categories, and the dtype of the numbers."""
    if content.reads_tables:
        inputs = TableInputs(g, content)

        def read_table(member: Member, folded: bool) -> tuple[str | None, list[str], Any]:
            scales = member.inputs is not None and not folded
            dtype = np.float64 if scales else member.dtype
            assert member.columns is not None
            return (*inputs.read(member.columns, dtype), dtype)

        return read_table
    X = g.input("X", content.dtype, ("rows", content.n_features))
    return lambda member, folded: (X, [], content.dtype)


def _read(
    g: Graph, member: Member, numbers: str | None, codes: list[str], dtype: Any, folded: bool
) -> str:
    """What the first layer of a network reads, in its dtype."""
    if numbers is not None:
        if member.inputs is not None and not folded:
            numbers, dtype = _scaled(g, member.inputs, numbers, dtype), np.float64
        numbers = g.cast(numbers, dtype, member.dtype)
    parts = [] if numbers is None else [numbers]
    if member.network.periodic:
        assert numbers is not None
        parts.append(_periodic(g, member, numbers))
    for i, code in enumerate(codes):
        vectors = member.network.vectors(i)
        table = np.concatenate((vectors, np.zeros((1, vectors.shape[1]), vectors.dtype)))
        parts.append(g("Gather", g.constant(table, member.dtype, "E"), code, axis=0))
    return parts[0] if len(parts) == 1 else g("Concat", *parts, axis=1)


def _network(g: Graph, network: Network, a: str, layers: Layers) -> str:
    """The outputs of a network whose layers have these weights."""
    for (W, b), name, param in zip(layers, network.activations, network.activation_params):
        weights = g.constant(W, network.dtype, "W"), g.constant(b, network.dtype, "b")
        z = g("Gemm", a, *weights, name="z", alpha=1.0, beta=1.0, transB=1)
        a = activation(g, name, param, z, network.dtype)
    return a


def _in_units(g: Graph, member: Member, a: str, folded: bool) -> tuple[str, Any]:
    """Outputs of a network in the units of the targets, and their dtype: float64 where nodes scale
    them, or else the network's."""
    if member.outputs is None or (folded and _folds_outputs(member)):
        return a, member.dtype
    factor, shift, low, high = member.outputs
    a = g.cast(a, member.dtype, np.float64)
    a = g("Add", g("Mul", a, g.constant(factor, np.float64)), g.constant(shift, np.float64))
    if np.isfinite(low).any() or np.isfinite(high).any():
        a = g("Max", a, g.constant(low, np.float64))
        a = g("Min", a, g.constant(high, np.float64))
    return a, np.float64


def _scaled(g: Graph, inputs: tuple[Any, Any, str], x: str, dtype: Any) -> str:
    """Numbers as the network reads them, in float64, as the native core scales them."""
    shift, factor, curve = inputs
    t = g.cast(x, dtype, np.float64)
    t = g("Sub", t, g.constant(shift, np.float64, "shift"))
    t = g("Mul", t, g.constant(factor, np.float64, "factor"))

    def number(value: float) -> str:
        return g.constant(value, np.float64)

    def root(u: str) -> str:
        """sqrt(1 + u^2)"""
        return g("Sqrt", g("Add", g("Mul", u, u), number(1.0)))

    if curve == "smooth clip":
        t = g("Min", g("Max", t, number(-_FAR)), number(_FAR))
        return g("Div", t, root(g("Div", t, number(3.0))))
    if curve == "asinh":  # log(|t| + sqrt(1 + t^2)) with the sign of t
        u = g("Abs", t)
        near = g("Min", u, number(_FAR))
        whole = g("Add", root(near), g("Sub", u, near))
        return g("Mul", g("Sign", t), g("Log", g("Add", u, whole)))
    return t


def _periodic(g: Graph, member: Member, numbers: str) -> str:
    """The periodic embeddings of some numbers, column by column."""
    dtype, columns = member.dtype, member.network.periodic[0]  # type: ignore[misc]
    w, c, V, d = member.network.periodic_parameters()
    turns = c * dtype.type(0.15915494309189535)  # 1 / (2 pi)
    x = g("Gather", numbers, g.constant(columns, np.int64), axis=1)
    x = g("Unsqueeze", x, g.constant([2], np.int64))  # rows, columns, frequencies
    # In float64 and then rounded, as one fused multiply-add is.
    u = g("Mul", g.cast(x, dtype, np.float64), g.constant(w, np.float64))
    u = g.cast(g("Add", u, g.constant(turns, np.float64)), np.float64, dtype)
    u = g("Sub", u, g("Round", u))
    h = g("Cos", g("Mul", u, g.constant(2 * math.pi, dtype)))
    h = g("Transpose", h, perm=[1, 0, 2])
    e = g("MatMul", h, g.constant(V.transpose(0, 2, 1), dtype, "V"))
    e = g("Add", g("Transpose", e, perm=[1, 0, 2]), g.constant(d, dtype))
    return g("Flatten", e, axis=1)


def _folds_outputs(member: Member) -> bool:
    """Whether the scaling of the targets can be part of the last layer."""
    assert member.outputs is not None
    *_, low, high = member.outputs
    clips = np.isfinite(low).any() or np.isfinite(high).any()
    return member.network.activations[-1] == "identity" and not clips


def _layers(member: Member, folded: bool, whole: Network | None = None) -> Layers:
    """Weights and biases, which take over the linear scalings where they are folded; or those of
    all heads."""
    network = member.network if whole is None else whole
    found: Layers = []
    for l in range(network.n_layers):
        W = network.weights(l)
        b = network.bias(l) if network.has_bias else np.zeros(len(W), W.dtype)
        found.append((W, b))
    if folded and member.inputs is not None:
        shift, factor, _ = member.inputs
        W, b = (one.astype(np.float64) for one in found[0])
        n = len(shift)
        if n:
            W[:, :n] *= factor
            b -= np.cumsum(W[:, :n] * shift, axis=1)[:, -1]
        found[0] = W, b
    if folded and member.outputs is not None and _folds_outputs(member):
        factor, shift, *_ = member.outputs
        W, b = (one.astype(np.float64) for one in found[-1])
        found[-1] = W * factor[:, None], b * factor + shift
    return [(W.astype(member.dtype), b.astype(member.dtype)) for W, b in found]


def _mean(g: Graph, outputs: list[tuple[str, Any]]) -> tuple[str, Any]:
    """The mean of the members' outputs, and its dtype."""
    if len(outputs) == 1:
        return outputs[0]
    values = [g.cast(one, dtype, np.float64) for one, dtype in outputs]
    total = reduce(lambda a, b: g("Add", a, b), values)
    return g("Div", total, g.constant(float(len(values)), np.float64)), np.float64


def _answers(g: Graph, content: Content, a: str) -> list[Any]:
    """The outputs of the graph, made from those of the network."""
    task, dtype, n = content.task, content.dtype, content.task.n_outputs
    if task.name == "regression":
        return [g.output(a, "y", dtype, ("rows", n))]
    second = _output_names(content)[1]
    if task.name == "multilabel":
        above = g("Greater", a, g.constant(task.threshold, dtype))
        label = g("Cast", above, to=g.element_type(np.int64))
        return [
            g.output(label, "label", np.int64, ("rows", n)),
            g.output(a, second, dtype, ("rows", n)),
        ]
    labels = label_array(content, "export_onnx")
    if n == 1:
        above = g("Greater", a, g.constant(task.threshold, dtype))
        flat = g("Squeeze", above, g.constant([1], np.int64))
        index = g("Cast", flat, to=g.element_type(np.int64))
        if content.has_probabilities:
            rest = g("Sub", g.constant(1.0, dtype), a)
            a, n = g("Concat", rest, a, axis=1), 2
    else:
        index = g("ArgMax", a, axis=1, keepdims=0)
    label = g("Gather", g.constant(labels, labels.dtype, "labels"), index, axis=0)
    return [
        g.output(label, "label", labels.dtype, ("rows",)),
        g.output(a, second, dtype, ("rows", n)),
    ]
