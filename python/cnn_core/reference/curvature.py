"""Second derivatives along a direction: f'', those of the losses, and the product of the Hessian
with a vector.

r_x is R{x}, the derivative of x along the direction v of the parameters: Pearlmutter 1994, Fast
exact multiplication by the Hessian, Neural Computation 6(1).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from cnn_core.reference.activations import (
    SELU_ALPHA,
    SELU_LAMBDA,
    Derivative,
    exp,
    gated,
    gelu_argument,
    mish_gate,
    normal_density,
    sigmoid,
    sigmoid_bend,
    softmax,
    softplus,
    through_activation,
)
from cnn_core.reference.embeddings import Embeddings, categories_of, embeddings_of, table_gradients
from cnn_core.reference.layers import affine, bias_gradient, error_below, weight_gradient
from cnn_core.reference.losses import SMALLEST_VARIANCE, pinball_of_target
from cnn_core.reference.periodic import Column, cosine_slopes, cosines, flat_columns
from cnn_core.reference.training import Targets, Trainer
from cnn_core.reference.vectors import Layer, Matrix, Row, flat, lane_sum, layers_of


def gelu_tanh_second(z: float) -> float:
    """s' (2v' + z (v'' + (1 - 2s) v'^2)) with s = sigmoid(v) and v = gelu_argument(z)"""
    s, bend = sigmoid(gelu_argument(z)), sigmoid_bend(gelu_argument(z))
    slope = 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z * z)
    second = 2 * math.sqrt(2 / math.pi) * 6 * 0.044715 * z
    return gated(2 * slope + z * (second + (1 - 2 * s) * slope * slope), bend)


def swish_second(z: float) -> float:
    """s' (2 + z (1 - 2s)) with s = sigmoid(z)"""
    return gated(2 + z * (1 - 2 * sigmoid(z)), sigmoid_bend(z))


def mish_second(z: float) -> float:
    """2t' + z t'' with t = tanh(softplus(z)): t' = (1 - t^2) s and t'' = (1 - t^2) s (1 - s - 2 t
    s), with s = sigmoid(z)"""
    e, s, t = exp(-2 * softplus(z)), sigmoid(z), mish_gate(z)
    bend = 4 * e / (1 + e) ** 2 * s
    return gated(2 + z * (sigmoid(-z) - 2 * t * s), bend)


#: f''(z, a, param); 0 at corners. softmax is a function of the whole row and stands below.
SECOND_DERIVATIVES: dict[str, Derivative] = {
    **dict.fromkeys(
        ("identity", "step", "sign", "relu", "leaky_relu", "hard_sigmoid"), lambda z, a, param: 0.0
    ),
    "sigmoid": lambda z, a, param: a * (1 - a) * (1 - 2 * a),
    "tanh": lambda z, a, param: -2 * a * (1 - a * a),
    "elu": lambda z, a, param: a + param if a <= 0 else 0.0,
    "selu": lambda z, a, param: a + SELU_LAMBDA * SELU_ALPHA if a <= 0 else 0.0,
    "gelu": lambda z, a, param: gated(2 - z * z, normal_density(z)),
    "gelu_tanh": lambda z, a, param: gelu_tanh_second(z),
    "softplus": lambda z, a, param: sigmoid_bend(z),
    "swish": lambda z, a, param: swish_second(z),
    "mish": lambda z, a, param: mish_second(z),
    "hard_swish": lambda z, a, param: 1 / 3 if -3 < z < 3 else 0.0,
    "exp": lambda z, a, param: a,
}


def softmax_second(a: Row, r_z: Row, g: Row) -> Row:
    """r_a_j (g_j - sum_k g_k a_k) - a_j sum_k g_k r_a_k: how softmax_delta changes with a"""
    mean, r_mean = (lane_sum(x_k * a_k for x_k, a_k in zip(x, a)) for x in (g, r_z))
    r_a = [a_j * (r_z_j - r_mean) for a_j, r_z_j in zip(a, r_z)]
    total = lane_sum(g_k * r_a_k for g_k, r_a_k in zip(g, r_a))
    return [r_a_j * (g_j - mean) - a_j * total for r_a_j, g_j, a_j in zip(r_a, g, a)]


def through_activation_along(
    name: str, activation_param: float, z: Row, a: Row, r_z: Row, g: Row, r_g: Row
) -> Row:
    """r_delta = r_g * f'(z) + g * f''(z) * r_z for one row, with g = dC/da."""
    if name == "softmax":
        second = softmax_second(a, r_z, g)
    else:
        f = SECOND_DERIVATIVES[name]
        second = [g_j * f(z_j, a_j, activation_param) * r_j
                  for g_j, z_j, a_j, r_j in zip(g, z, a, r_z)]  # fmt: skip
    first = through_activation(name, activation_param, z, a, r_g)
    return [first_j + second_j for first_j, second_j in zip(first, second)]


def crossentropy_along(z: Row, sum_y: float, r_z: Row) -> Row:
    """p_j (r_z_j - sum_k p_k r_z_k) sum_y with p = softmax(z)"""
    p, r_top = softmax(z), r_z[z.index(max(z))] if max(z) in z else math.nan
    mean = lane_sum(p_k * (r_k - r_top) for p_k, r_k in zip(p, r_z))
    return [p_j * (r_j - r_top - mean) * sum_y for p_j, r_j in zip(p, r_z)]


def times(second: Callable[[float, float, float], float]) -> Callable[[Row, Any, float, Row], Row]:
    """From the second derivative of the part of one output."""

    def along(out: Row, y: Row, loss_param: float, r_out: Row) -> Row:
        return [second(o, t, loss_param) * r for o, t, r in zip(out, y, r_out)]

    return along


def times_of_targets(
    of_target: Callable[[Row, float, Any, Row], Row],
) -> Callable[[Row, Any, Any, Row], Row]:
    """From that of one target with several outputs, as `losses.of_targets`."""

    def along(z: Row, y: Row, loss_param: Any, r_z: Row) -> Row:
        n = len(y)
        found = [of_target(z[t::n], y_t, loss_param, r_z[t::n]) for t, y_t in enumerate(y)]
        return [error for head in zip(*found) for error in head]

    return along


def pinball_along(z: Row, y: float, taus: Sequence[float], r_z: Row) -> Row:
    """The slopes by the quantiles stay; those of the steps, sigmoid(z), change by sigmoid(-z)."""
    steps = zip(pinball_of_target(z, y, taus)[1][1:], z[1:], r_z[1:])
    return [0.0, *(slope * sigmoid(-z_k) * r_k for slope, z_k, r_k in steps)]


def gaussian_nll_along(z: Row, y: float, beta: float, r_z: Row) -> Row:
    """With beta = 0: of e / v and (1 / v - (e / v)^2) / 2 * sigmoid(z_2)"""
    v, e, s = softplus(z[1]) + SMALLEST_VARIANCE, z[0] - y, sigmoid(z[1])
    share, r_v = e / v, s * r_z[1]
    r_share = (r_z[0] - share * r_v) / v
    by_v, r_by_v = (1 / v - share * share) / 2, -r_v / (2 * v * v) - share * r_share
    return [r_share, r_by_v * s + by_v * sigmoid_bend(z[1]) * r_z[1]]


#: (out, y, param, r_out) -> the derivative of the error that the loss sends back, of one row.
LOSSES_ALONG: dict[str, Callable[[Row, Any, Any, Row], Row]] = {
    "mse": times(lambda a, y, param: 1.0),
    **dict.fromkeys(("mae", "hinge", "perceptron"), times(lambda out, y, param: 0.0)),
    "huber": times(lambda a, y, delta: 0.0 if abs(a - y) > delta else 1.0),
    "binary_crossentropy": times(lambda z, y, param: sigmoid_bend(z)),
    "poisson": times(lambda z, y, param: exp(z)),
    "categorical_crossentropy": lambda z, y, param, r_z: crossentropy_along(z, lane_sum(y), r_z),
    "sparse_categorical_crossentropy": lambda z, y, param, r_z: crossentropy_along(z, 1.0, r_z),
    "pinball": times_of_targets(pinball_along),
    "gaussian_nll": times_of_targets(gaussian_nll_along),
}


def hessian_vector_product(trainer: Trainer, v: Row, batch: Matrix, targets: Targets) -> Row:
    """H v of the mean cost of some rows with its penalties, where H has the second derivatives by
    all parameters. l1 bends nowhere but at 0, and adds nothing."""
    network, l2 = trainer.network, trainer.spec.l2
    layers, n_layers = trainer.layers(), network.n_layers
    v_layers = layers_of(v, network.widths, network.has_bias)
    v_embeddings = embeddings_of(v, network.embeddings, network.periodic)
    passes, r_inputs, r_zs = trainer.forward(layers, batch), [], []
    r_a = [embed_along(row, trainer.embeddings(), v_embeddings) for row in batch]
    for l, ((W, _), (V, c)) in enumerate(zip(layers, v_layers)):
        name, param, one = network.activations[l], network.activation_params[l], passes[l]
        r_inputs.append(r_a)
        r_z = [affine(W, affine(V, c, a), r) for a, r in zip(one.inputs, r_a)]
        r_a = [through_activation(name, param, *row) for row in zip(one.z, one.a, r_z)]
        r_zs.append(r_z)
    scale, last, loss = 1 / len(batch), passes[-1], LOSSES_ALONG[trainer.spec.loss]
    outputs, r_outputs = (last.z, r_zs[-1]) if trainer.from_logits else (last.a, r_a)
    errors = [[e * scale for e in error] for _, error in trainer.costs(last, targets)]
    r_errors = [
        [e * scale for e in loss(out, y, trainer.loss_param, r_out)]
        for out, y, r_out in zip(outputs, targets, r_outputs)
    ]
    gradients: list[Layer] = []
    for l in range(n_layers - 1, -1, -1):
        (W, _), (V, _), one = layers[l], v_layers[l], passes[l]
        if l < n_layers - 1 or not trainer.from_logits:
            name, param = network.activations[l], network.activation_params[l]
            r_errors = [
                through_activation_along(name, param, *row)
                for row in zip(one.z, one.a, r_zs[l], errors, r_errors)
            ]
            errors = [through_activation(name, param, *row) for row in zip(one.z, one.a, errors)]
        r_dW = plus(weight_gradient(r_errors, one.inputs), weight_gradient(errors, r_inputs[l]))
        r_dW = plus(r_dW, [[l2 * v_jk for v_jk in V_j] for V_j in V])
        gradients.insert(0, (r_dW, bias_gradient(r_errors)))
        r_errors = plus(
            [error_below(V, delta) for delta in errors],
            [error_below(W, r_delta) for r_delta in r_errors],
        )
        errors = [error_below(W, delta) for delta in errors]
    product = flat(gradients, network.has_bias)
    r_dE = table_gradients(network.embeddings, batch, r_errors)
    for E_v, one_dE in zip(v_embeddings.tables, r_dE):
        product += [r + l2 * v_j for r, v_j in zip(flat([(one_dE, [])]), flat([(E_v, [])]))]
    columns = periodic_along(trainer.embeddings(), v_embeddings, batch, errors, r_errors)
    return product + flat_columns(columns)


def plus(A: Matrix, B: Matrix) -> Matrix:
    """A + B"""
    return [[x + y for x, y in zip(A_i, B_i)] for A_i, B_i in zip(A, B)]


def embed_along(row: Row, embeddings: Embeddings, v: Embeddings) -> Row:
    """The derivative of what the first layer reads of a row: 0 for its numbers"""
    tables, features, columns = embeddings
    shapes = [(len(E), len(E[0])) for E in tables]
    r_x = [0.0] * (len(row) - len(tables))
    for i, column, v_column in zip(features, columns, v.columns):
        r_h, h = cosines_along(column, v_column, row[i]), cosines(column, row[i])
        for V_j, vV_j, r_d in zip(column.V, v_column.V, v_column.d):
            r_x.append(r_d + sum_of(vV_j, h) + sum_of(V_j, r_h))
    for E, c in zip(v.tables, categories_of(row, shapes)):
        r_x += E[c] if c is not None else [0.0] * len(E[0])
    return r_x


def sum_of(x: Row, y: Row) -> float:
    """sum_k x_k y_k, one after the other"""
    total = 0.0
    for x_k, y_k in zip(x, y):
        total += x_k * y_k
    return total


def angles_along(v: Column, x: float) -> Row:
    """The derivatives 2 pi r_w_k x + r_c_k of the angles 2 pi w_k x + c_k"""
    return [2 * math.pi * r_w * x + r_c for r_w, r_c in zip(v.w, v.c)]


def cosines_along(column: Column, v: Column, x: float) -> Row:
    """Those of the cosines h_k"""
    return [slope * r for slope, r in zip(cosine_slopes(column, x), angles_along(v, x))]


def periodic_along(
    embeddings: Embeddings, v: Embeddings, rows: Matrix, deltas: Matrix, r_deltas: Matrix
) -> list[Column]:
    """The derivatives of `periodic_gradients`; the last numbers but those of tables of each row of
    `deltas` are dC/de."""
    tables, features, columns = embeddings
    found, widths = [], sum(len(column.d) for column in columns)
    at = len(deltas[0]) - sum(len(E[0]) for E in tables) - widths
    for i, column, v_column in zip(features, columns, v.columns):
        n, width = len(column.w), len(column.d)
        r_dV: Matrix = [[0.0] * n for _ in range(width)]
        sums = Column([0.0] * n, [0.0] * n, r_dV, [0.0] * width)
        for row, delta, r_delta in zip(rows, deltas, r_deltas):
            mine, r_mine = delta[at : at + width], r_delta[at : at + width]
            add_gradient_along(sums, column, v_column, row[i], mine, r_mine)
        found.append(sums)
        at += width
    return found


def add_gradient_along(
    sums: Column, column: Column, v: Column, x: float, delta: Row, r_delta: Row
) -> None:
    """The derivatives of what `add_gradient` adds: those of g_k = -sin(angle_k) sum_j V_jk delta_j,
    of delta_j h_k and of delta_j"""
    h, r_h = cosines(column, x), cosines_along(column, v, x)
    slopes, r_angles = cosine_slopes(column, x), angles_along(v, x)
    for k in range(len(h)):
        V_k, vV_k = [V_j[k] for V_j in column.V], [V_j[k] for V_j in v.V]
        r_sum = sum_of(vV_k, delta) + sum_of(V_k, r_delta)
        r_g = slopes[k] * r_sum - h[k] * r_angles[k] * sum_of(V_k, delta)
        sums.w[k] += 2 * math.pi * x * r_g
        sums.c[k] += r_g
        for j, (delta_j, r_delta_j) in enumerate(zip(delta, r_delta)):
            sums.V[j][k] += delta_j * r_h[k] + r_delta_j * h[k]
    for j, r_delta_j in enumerate(r_delta):
        sums.d[j] += r_delta_j
