"""Outputs of a graph that say how far y may lie from a prediction, all in float64: quantiles,
std, lower and upper."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.distributions import SMALLEST_VARIANCE, middle_of
from cnn_core.export.onnx_activations import activation

if TYPE_CHECKING:
    from cnn_core.export.content import Content, Member
    from cnn_core.export.graph import Graph
    from cnn_core.export.spread import Spread


def spread_names(spread: Spread) -> list[str]:
    """The names of the outputs."""
    learned = ["quantiles"] if spread.quantiles else ["std"] if spread.kind == "normalised" else []
    return learned + (["lower", "upper"] if spread.intervals else [])


def spread_outputs(
    g: Graph, content: Content, exact: str, heads: list[tuple[str, Member]]
) -> list[Any]:
    """The outputs.

    Parameters
    ----------
    g : Graph
    content : Content
    exact : str
        The predictions, in float64.
    heads : list of (str, Member)
        z of all heads of each network, in its dtype.
    """
    spread = content.spread
    assert spread is not None
    one = _Spread(g, content, spread)
    found, size = [], None
    lows = highs = [exact]
    if spread.quantiles:
        q = one.quantiles(heads)
        found.append(one.output(q, "quantiles", len(spread.quantiles)))
        lows, highs = ([q[pair[side]] for pair in spread.pairs] for side in (0, 1))
    elif spread.kind == "normalised":
        mean, size = one.mean_and_deviation(heads)
        lows = highs = [mean]
        found.append(one.output([size], "std", None))
    if not spread.intervals:
        return found
    ends = [one.interval(interval.reaches, lows, highs, size) for interval in spread.intervals]
    for name, values in zip(("lower", "upper"), map(list, zip(*ends))):
        found.append(one.output(values, name, len(values)))
    return found


class _Spread:
    """Nodes for what is known of y; every value is of float64 and of shape (rows, outputs)."""

    def __init__(self, g: Graph, content: Content, spread: Spread) -> None:
        self.g, self.task, self.spread = g, content.task, spread

    def number(self, value: Any) -> str:
        return self.g.constant(value, np.float64)

    def sum(self, values: list[str]) -> str:
        return reduce(lambda a, b: self.g("Add", a, b), values)

    def mean(self, values: list[str]) -> str:
        """Of the networks."""
        if len(values) == 1:
            return values[0]
        return self.g("Div", self.sum(values), self.number(float(len(values))))

    def parts(self, z: str, member: Member) -> list[str]:
        """z of each head."""
        n, z = self.task.n_outputs, self.g.cast(z, member.dtype, np.float64)
        ends = [(n * k, n * (k + 1)) for k in range(self.task.heads)]
        return [
            self.g("Slice", z, *(self.g.constant([at], np.int64) for at in (*both, 1)))
            for both in ends
        ]

    def positive(self, z: str) -> str:
        return activation(self.g, "softplus", 0.0, z, np.float64)

    def in_units(self, a: str, member: Member) -> str:
        if member.outputs is None:
            return a
        factor, shift, *_ = member.outputs
        return self.g("Add", self.g("Mul", a, self.number(factor)), self.number(shift))

    def quantiles(self, heads: list[tuple[str, Member]]) -> list[str]:
        """Each of them, the mean over the networks."""
        count, middle = len(self.spread.quantiles), middle_of(self.spread.quantiles)
        each = []
        for z, member in heads:
            first, *rest = self.parts(z, member)
            steps = [self.positive(one) for one in rest]
            q = [first] * count
            for k in range(middle + 1, count):
                q[k] = self.g("Add", q[k - 1], steps[k - 1])
            for k in range(middle - 1, -1, -1):
                q[k] = self.g("Sub", q[k + 1], steps[k])
            each.append([self.in_units(one, member) for one in q])
        return [self.mean(list(values)) for values in zip(*each)]

    def mean_and_deviation(self, heads: list[tuple[str, Member]]) -> tuple[str, str]:
        """Of an equal mixture of the networks' distributions."""
        g, means, variances = self.g, list[str](), list[str]()
        for z, member in heads:
            first, second = self.parts(z, member)
            means.append(self.in_units(first, member))
            variance = g("Add", self.positive(second), self.number(SMALLEST_VARIANCE))
            if member.outputs is not None:
                factor = member.outputs[0]
                variance = g("Mul", variance, self.number(factor * factor))
            variances.append(variance)
        mean, variance = self.mean(means), self.mean(variances)
        if len(means) > 1:
            off = [g("Sub", one, mean) for one in means]
            variance = g("Add", variance, self.mean([g("Mul", one, one) for one in off]))
        return mean, g("Sqrt", variance)

    def interval(
        self, reaches: list[Any], lows: list[str], highs: list[str], size: str | None
    ) -> tuple[str, str]:
        """The ends of the intervals of a level."""
        g, lower, upper = self.g, list[str](), list[str]()
        half = self.number(0.5)
        for pair, score in reaches:
            low, high = lows[pair], highs[pair]
            middle = g("Add", g("Mul", low, half), g("Mul", high, half))
            reach = self.number(score)
            if size is not None:
                reach = g("Mul", size, reach)
            lower.append(g("Min", g("Sub", low, reach), middle))
            upper.append(g("Max", g("Add", high, reach), middle))
        return reduce(lambda a, b: g("Min", a, b), lower), reduce(
            lambda a, b: g("Max", a, b), upper
        )

    def output(self, values: list[str], name: str, last: int | None) -> Any:
        """An output with a number for each value in its last axis, where there is one."""
        g, n = self.g, self.task.n_outputs
        shape: tuple[Any, ...] = ("rows", n)
        if last is None:
            value = g("Identity", values[0])
        elif self.task.flat:
            value, shape = g("Concat", *values, axis=1), ("rows", last)
        else:
            axis = g.constant([2], np.int64)
            value = g("Concat", *(g("Unsqueeze", one, axis) for one in values), axis=2)
            shape = ("rows", n, last)
        return g.output(value, name, np.float64, shape)
