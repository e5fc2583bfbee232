"""How much memory a network needs: asked before anything is allocated."""

from collections.abc import Sequence
from itertools import pairwise

#: Copies of its parameters that a profile keeps, at least: weights, their transpose, gradient and
#: two slots of three native trainers.
COPIES = 12
#: Bytes of a parameter in plain Python, at least: a weight, its gradient and a slot as floats.
IN_PYTHON = 72


def parameters_of(widths: Sequence[int]) -> int:
    """Weights and biases of a network."""
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(widths))


def needed(widths: Sequence[int], rows: int, itemsize: int) -> int:
    """Bytes that profiling a network takes at least."""
    return parameters_of(widths) * (COPIES * itemsize + IN_PYTHON) + rows * widths[0] * itemsize
