"""Layers: forward, the delta recursion, the gradient."""

from typing import NamedTuple

from cnn_core.reference.vectors import Matrix, Row


class Pass(NamedTuple):
    """What a mini-batch left behind in one layer; all are lists of rows."""

    inputs: Matrix
    mask: Matrix | None  #: of the dropout of its inputs; None without
    z: Matrix
    a: Matrix
    delta: Matrix


def affine(W: Matrix, b: Row, a: Row) -> Row:
    """z_j = b_j + sum_k W_jk a_k"""
    z = []
    for W_j, z_j in zip(W, b):
        for W_jk, a_k in zip(W_j, a):
            z_j += W_jk * a_k
        z.append(z_j)
    return z


def error_below(W: Matrix, delta: Row) -> Row:
    """(W^T delta)_k = sum_j W_jk delta_j: what a layer sends to the outputs of the one below"""
    g = [0.0] * len(W[0])
    for W_j, delta_j in zip(W, delta):
        for k, W_jk in enumerate(W_j):
            g[k] += W_jk * delta_j
    return g


def weight_gradient(deltas: Matrix, inputs: Matrix) -> Matrix:
    """dW_jk = sum over the rows of delta_j a_k"""
    dW = [[0.0] * len(inputs[0]) for _ in deltas[0]]
    for delta, a in zip(deltas, inputs):
        for dW_j, delta_j in zip(dW, delta):
            for k, a_k in enumerate(a):
                dW_j[k] += delta_j * a_k
    return dW


def bias_gradient(deltas: Matrix) -> Row:
    """db_j = sum over the rows of delta_j: the bias is the weight of a unit that is always 1"""
    db = [0.0] * len(deltas[0])
    for delta in deltas:
        for j, delta_j in enumerate(delta):
            db[j] += delta_j
    return db
