"""Periodic embeddings of numbers: cosines of a number, and linear functions of these, all of which
are learned."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from cnn_core.reference.vectors import Matrix, Row, flat


class Column(NamedTuple):
    """The parameters of an embedded number, or their gradients."""

    w: Row  #: frequencies
    c: Row  #: phases
    V: Matrix
    d: Row


def count_of(frequencies: int, width: int) -> int:
    """How many parameters a column has."""
    return frequencies * (2 + width) + width


def columns_of(parameters: Row, frequencies: int, width: int) -> list[Column]:
    """Of each column w, c, V row by row, and d."""
    size, columns = count_of(frequencies, width), []
    for first in range(0, len(parameters), size):
        end = first + size - width
        w, c, *V = (parameters[at : at + frequencies] for at in range(first, end, frequencies))
        columns.append(Column(w, c, V, parameters[end : end + width]))
    return columns


def flat_columns(columns: list[Column]) -> Row:
    """The flat vector of `columns_of`."""
    return [number for one in columns for number in (*one.w, *one.c, *flat([(one.V, one.d)]))]


def turn(w: float, c: float, x: float) -> float:
    """(w x + c / (2 pi)) less the nearest whole number of turns"""
    u = w * x + c / (2 * math.pi)
    return u - round(u) if math.isfinite(u) else math.nan


def cosines(column: Column, x: float) -> Row:
    """h_k = cos(2 pi w_k x + c_k)"""
    return [math.cos(2 * math.pi * turn(w, c, x)) for w, c in zip(column.w, column.c)]


def cosine_slopes(column: Column, x: float) -> Row:
    """The derivatives -sin(2 pi w_k x + c_k)"""
    return [-math.sin(2 * math.pi * turn(w, c, x)) for w, c in zip(column.w, column.c)]


def embed_number(column: Column, x: float) -> Row:
    """e_j = d_j + sum_k V_jk h_k"""
    h, e = cosines(column, x), []
    for V_j, e_j in zip(column.V, column.d):
        for V_jk, h_k in zip(V_j, h):
            e_j += V_jk * h_k
        e.append(e_j)
    return e


def cosine_errors(column: Column, x: float, delta: Row) -> Row:
    """g_k = dC/dh_k h_k' = -sin(2 pi w_k x + c_k) sum_j V_jk delta_j, with delta_j = dC/de_j"""
    errors = []
    for k, slope in enumerate(cosine_slopes(column, x)):
        error = 0.0
        for V_j, delta_j in zip(column.V, delta):
            error += V_j[k] * delta_j
        errors.append(slope * error)
    return errors


def add_gradient(gradient: Column, column: Column, x: float, delta: Row) -> None:
    """dw_k += 2 pi x g_k, dc_k += g_k, dV_jk += delta_j h_k, dd_j += delta_j of a row"""
    h = cosines(column, x)
    for k, g_k in enumerate(cosine_errors(column, x, delta)):
        gradient.w[k] += 2 * math.pi * x * g_k
        gradient.c[k] += g_k
    for j, delta_j in enumerate(delta):
        for k, h_k in enumerate(h):
            gradient.V[j][k] += delta_j * h_k
        gradient.d[j] += delta_j


def periodic_gradients(
    features: Sequence[int], columns: list[Column], rows: Matrix, deltas: Matrix
) -> list[Column]:
    """The sums over the rows; of a row, `deltas` has dC/de of its embeddings one after the
    other."""
    gradients = []
    for w, c, V, d in columns:
        dV = [[0.0] * len(V_j) for V_j in V]
        gradients.append(Column([0.0] * len(w), [0.0] * len(c), dV, [0.0] * len(d)))
    for row, delta in zip(rows, deltas):
        at = 0
        for i, gradient, column in zip(features, gradients, columns):
            width = len(column.d)
            add_gradient(gradient, column, row[i], delta[at : at + width])
            at += width
    return gradients


def input_errors(row: Row, features: Sequence[int], columns: list[Column], delta: Row) -> Row:
    """What the embeddings send back to each feature: dC/dx = sum_k 2 pi w_k g_k"""
    errors, at = [], 0
    for i, column in zip(features, columns):
        g = cosine_errors(column, row[i], delta[at : at + len(column.d)])
        at += len(column.d)
        error = 0.0
        for w_k, g_k in zip(column.w, g):
            error += 2 * math.pi * w_k * g_k
        errors.append(error)
    return errors
