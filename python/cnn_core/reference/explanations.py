"""What a network listens to: derivatives of an output by the inputs, what each input adds to a
prediction, and how much worse predictions are where it is shuffled."""

from collections.abc import Callable, Sequence

from cnn_core.reference.activations import activate, through_activation
from cnn_core.reference.layers import affine, error_below
from cnn_core.reference.random import permutation
from cnn_core.reference.vectors import Layer, Matrix, Row


def input_gradient(
    layers: Sequence[Layer],
    activations: Sequence[str],
    activation_params: Sequence[float],
    x: Row,
    output: int,
) -> Row:
    """dy_j/dx for a row x that the first layer reads, by the delta recursion: it begins with
    dy_j/dy_k = [j = k] and goes on below the first layer, dy_j/dx = (W^1)^T delta^1"""
    passes, a = [], x
    for (W, b), name, param in zip(layers, activations, activation_params):
        z = affine(W, b, a)
        a = activate(name, param, z)
        passes.append((W, name, param, z, a))
    g = [float(k == output) for k in range(len(a))]
    for W, name, param, z, a in reversed(passes):
        g = error_below(W, through_activation(name, param, z, a, g))
    return g


def attributions(
    gradient: Callable[[Row], Row], x: Row, starts: Matrix, offsets: Row, points: int
) -> Row:
    """What each input adds to y(x), counted from the mean of y at the starts: the mean over these
    of (x - start) times the mean gradient on the straight line between, at `points` points, each at
    its start's offset, from 0 to 1, in one of as many equal parts.

    Integrated gradients have one start, and points in the middle, 0.5; expected gradients have many
    starts, and another offset for each.
    """
    found = [0.0] * len(x)
    for start, offset in zip(starts, offsets):
        way, total = [x_i - start_i for x_i, start_i in zip(x, start)], [0.0] * len(x)
        for k in range(points):
            u = (k + offset) / points
            g = gradient([u * way_i + start_i for way_i, start_i in zip(way, start)])
            total = [total_i + g_i for total_i, g_i in zip(total, g)]
        found = [one + way_i * total_i for one, way_i, total_i in zip(found, way, total)]
    return [one / (len(starts) * points) for one in found]


def permutation_importances(
    score: Callable[[Matrix], float], rows: Matrix, column: int, repeats: int, seed: int
) -> Row:
    """By how much the score falls each time that a column is shuffled among the rows."""
    falls = []
    for repeat in range(repeats):
        shuffled = [list(row) for row in rows]
        for row, r in zip(shuffled, permutation(seed, repeat, len(rows))):
            row[column] = rows[r][column]
        falls.append(score(rows) - score(shuffled))
    return falls
