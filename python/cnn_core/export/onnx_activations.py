"""Activations as operators of ONNX, each as the kernels compute it.

ONNX Runtime has Elu, Erf, HardSigmoid, LeakyRelu, Selu and Softplus for float32 alone; in float64
they are made of others, but for Erf, which is computed in float32.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnn_core.export.graph import Graph
from cnn_core.reference.activations import SELU_ALPHA, SELU_LAMBDA

#: Operators of their own, with the name of their number.
_OPERATORS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "exp": "Exp"}
_OF_FLOAT32 = {
    "leaky_relu": "LeakyRelu",
    "elu": "Elu",
    "selu": "Selu",
    "softplus": "Softplus",
    "hard_sigmoid": "HardSigmoid",
}


def activation(g: Graph, name: str, param: float, z: str, dtype: Any) -> str:
    """The value a = f(z).

    Parameters
    ----------
    g : Graph
    name : str
        One of `cnn_core._activations.names()`.
    param : float
        The number of the activation, for those that take one.
    z : str
    dtype : dtype
        Of z.

    Returns
    -------
    str
    """
    if name == "identity":
        return z
    if name == "softmax":
        return g("Softmax", z, name="a", axis=-1)
    if name in _OPERATORS:
        return g(_OPERATORS[name], z, name="a")
    if name in _OF_FLOAT32 and np.dtype(dtype) == np.float32:
        numbers = {"leaky_relu": {"alpha": param}, "elu": {"alpha": param}}
        numbers["hard_sigmoid"] = {"alpha": 1 / 6, "beta": 0.5}
        return g(_OF_FLOAT32[name], z, name="a", **numbers.get(name, {}))
    return _Composed(g, dtype)(name, param, z)


class _Composed:
    """What is made of several operators."""

    def __init__(self, g: Graph, dtype: Any) -> None:
        self.g, self.dtype = g, np.dtype(dtype)

    def __call__(self, name: str, param: float, z: str) -> str:
        if name in ("leaky_relu", "elu", "selu"):
            return self.of_two_sides(name, param, z)
        f = getattr(self, name)
        found: str = f(z)
        return found

    def number(self, value: float) -> str:
        return self.g.constant(value, self.dtype)

    def op(self, operator: str, a: str, b: str | float) -> str:
        """An operator of a value and another, or a number."""
        return self.g(operator, a, b if isinstance(b, str) else self.number(b))

    def step(self, z: str) -> str:
        return self.g("Cast", self.op("Greater", z, 0.0), to=self.g.element_type(self.dtype))

    def sign(self, z: str) -> str:
        return self.g("Where", self.op("Greater", z, 0.0), self.number(1.0), self.number(-1.0))

    def of_two_sides(self, name: str, param: float, z: str) -> str:
        """factor max(z, 0) + param f(min(z, 0))"""
        above, below = self.g("Relu", z), self.op("Min", z, 0.0)
        if name != "leaky_relu":
            below = self.op("Sub", self.g("Exp", below), 1.0)
        if name == "selu":
            above, param = self.op("Mul", above, SELU_LAMBDA), SELU_LAMBDA * SELU_ALPHA
        return self.op("Add", above, self.op("Mul", below, param))

    def softplus(self, z: str) -> str:
        e = self.g("Exp", self.g("Neg", self.g("Abs", z)))
        return self.op("Add", self.g("Relu", z), self.g("Log", self.op("Add", e, 1.0)))

    def gelu(self, z: str) -> str:
        t = self.op("Mul", z, math.sqrt(0.5))
        erf = self.g("Erf", self.g.cast(t, self.dtype, np.float32))
        gate = self.op("Add", self.g.cast(erf, np.float32, self.dtype), 1.0)
        return self.op("Mul", z, self.op("Mul", gate, 0.5))

    def gated_by_sigmoid(self, z: str, minus_u: str) -> str:
        """z / (1 + e^-u): some runtimes have a Sigmoid that does not go to 0."""
        return self.op("Div", z, self.op("Add", self.g("Exp", minus_u), 1.0))

    def swish(self, z: str) -> str:
        return self.gated_by_sigmoid(z, self.g("Neg", z))

    def gelu_tanh(self, z: str) -> str:
        inner = self.op("Add", self.op("Mul", self.op("Mul", z, z), 0.044715), 1.0)
        scaled = self.op("Mul", z, -2 * math.sqrt(2 / math.pi))
        return self.gated_by_sigmoid(z, self.op("Mul", scaled, inner))

    def mish(self, z: str) -> str:
        high = 20.0 if self.dtype == np.float32 else 40.0
        e = self.g("Exp", self.op("Min", z, high))
        n = self.op("Mul", e, self.op("Add", e, 2.0))
        return self.op("Mul", z, self.op("Div", n, self.op("Add", n, 2.0)))

    def hard_sigmoid(self, z: str) -> str:
        inside = self.op("Min", self.op("Max", self.op("Add", z, 3.0), 0.0), 6.0)
        return self.op("Div", inside, 6.0)

    def hard_swish(self, z: str) -> str:
        return self.op("Mul", z, self.hard_sigmoid(z))
