"""ONNX Runtime on the CPU. It does not train. The package `onnx` writes the models."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

options = onnxruntime.SessionOptions()


def set_threads(count):
    options.intra_op_num_threads = count
    options.inter_op_num_threads = 1


def model_bytes(net, layers, rows):
    """An ONNX model: a Gemm and an activation for each layer, and ArgMax for classes."""
    nodes, constants, a = [], [], "X"
    for l, (W, b) in enumerate(layers):
        constants += [numpy_helper.from_array(W, f"W{l}"), numpy_helper.from_array(b, f"b{l}")]
        nodes.append(helper.make_node("Gemm", [a, f"W{l}", f"b{l}"], [f"z{l}"], transB=1))
        a = f"z{l}"
        if l < len(layers) - 1:
            nodes.append(
                helper.make_node("Relu" if net.activation == "relu" else "Tanh", [a], [f"a{l}"])
            )
            a = f"a{l}"
    output = helper.make_tensor_value_info(a, TensorProto.FLOAT, [rows, 1])
    if net.classes:
        nodes.append(helper.make_node("ArgMax", [a], ["label"], axis=1, keepdims=0))
        output = helper.make_tensor_value_info("label", TensorProto.INT64, [rows])
    X = helper.make_tensor_value_info("X", TensorProto.FLOAT, [rows, net.widths[0]])
    graph = helper.make_graph(nodes, "mlp", [X], [output], constants)
    # Older than the newest, so that a runtime older than the onnx package reads it.
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()


def session(net, layers, rows):
    return onnxruntime.InferenceSession(
        model_bytes(net, layers, rows), options, providers=["CPUExecutionProvider"]
    )


def trainers(case, X, y, layers):
    return {}


def row_predictors(net, layers):
    run = session(net, layers, 1).run
    return {"run": lambda x: run(None, {"X": x[np.newaxis]})[0]}


def batch_predictors(net, layers):
    run = session(net, layers, "rows").run
    return {"run": lambda X: run(None, {"X": X})[0]}
