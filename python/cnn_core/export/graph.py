"""A graph of ONNX that grows node by node."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import numpy as np

#: The operators of ONNX 1.8 (2020), which every runtime and most converters read.
OPSET, IR, ML_OPSET = 13, 7, 2


def need_onnx() -> Any:
    """The package onnx, or an ImportError that says what it is needed for."""
    try:
        return importlib.import_module("onnx")
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise ModuleNotFoundError(
            "export_onnx needs the package onnx: pip install 'cnn-core[onnx]'", name="onnx"
        ) from None


class Graph:
    """Nodes, constants and inputs.

    Parameters
    ----------
    taken : iterable of str
        Names that the graph uses for its outputs.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._onnx = need_onnx()
        self._taken = {"", *taken}
        self._reserved: set[str] = set()
        self._constants: dict[Any, str] = {}
        self.inputs: list[Any] = []
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        #: Whether it has operators of the domain ai.onnx.ml.
        self.uses_ml = False

    def reserve(self, names: Iterable[str]) -> None:
        """Keep names that are not taken for inputs that are added later, so that one that must
        have another does not take theirs."""
        self._reserved = {name for name in names if name not in self._taken}
        self._taken |= self._reserved

    def input(self, name: str, dtype: Any, shape: tuple[Any, ...], doc: str = "") -> str:
        """Add an input; returns its name, which is another one where that is taken."""
        if name in self._reserved:
            self._reserved.remove(name)
        else:
            name = self._unique(name or "column", "_in")
        info = self._onnx.helper.make_tensor_value_info
        self.inputs.append(info(name, self.element_type(dtype), shape, doc))
        return name

    def element_type(self, dtype: Any) -> int:
        """How ONNX numbers a dtype; `object` is text."""
        of_dtype = self._onnx.helper.np_dtype_to_tensor_dtype
        return int(of_dtype(np.dtype(dtype)))

    def constant(self, values: Any, dtype: Any, name: str = "c") -> str:
        """The name of a constant; equal ones are the same."""
        array = np.ascontiguousarray(np.asarray(values, dtype)).reshape(np.shape(values))
        content = tuple(array.tolist()) if array.dtype == object else array.tobytes()
        key = array.dtype.str, array.shape, content
        if key not in self._constants:
            self._constants[key] = self._unique(name)
            tensor = self._onnx.numpy_helper.from_array(array, self._constants[key])
            self.initializers.append(tensor)
        return self._constants[key]

    def __call__(self, operator: str, *inputs: str, name: str = "v", **attributes: Any) -> str:
        """Add a node; returns the name of its output, which is the node's own, too."""
        output = self._unique(name)
        ml = operator == "LabelEncoder"
        self.uses_ml |= ml
        domain = {"domain": "ai.onnx.ml"} if ml else {}
        make = self._onnx.helper.make_node
        self.nodes.append(make(operator, inputs, [output], output, **domain, **attributes))
        return output

    def cast(self, value: str, source: Any, dtype: Any) -> str:
        """A value in another dtype."""
        if np.dtype(source) == np.dtype(dtype):
            return value
        return self("Cast", value, to=self.element_type(dtype))

    def output(self, value: str, name: str, dtype: Any, shape: tuple[Any, ...]) -> Any:
        """Make a value the output of that name."""
        for node in self.nodes:
            if value == node.name:
                node.name = name
            for values in (node.input, node.output):
                for at, one in enumerate(values):
                    if one == value:
                        values[at] = name
        return self._onnx.helper.make_tensor_value_info(name, self.element_type(dtype), shape)

    def model(self, name: str, outputs: list[Any], doc: str, **properties: str) -> Any:
        """The whole, checked."""
        import cnn_core

        helper = self._onnx.helper
        opsets = [helper.make_opsetid("", OPSET)]
        if self.uses_ml:
            opsets.append(helper.make_opsetid("ai.onnx.ml", ML_OPSET))
        graph = helper.make_graph(self.nodes, name, self.inputs, outputs, self.initializers)
        model = helper.make_model(
            graph,
            ir_version=IR,
            opset_imports=opsets,
            producer_name="cnn_core",
            producer_version=cnn_core.__version__,
            doc_string=doc,
        )
        helper.set_model_props(model, properties)
        self._onnx.checker.check_model(model, full_check=True)
        return model

    def _unique(self, name: str, ending: str = "") -> str:
        """A name that is not taken yet; `ending` comes before a number."""
        found, n = name, 0
        while found in self._taken:
            n += 1
            found = name + ending + (str(n) if n > 1 or not ending else "")
        self._taken.add(found)
        return found
