"""Embedded columns: the last numbers of a row are numbers of categories, each of which becomes a
row of its table; some of the others have periodic embeddings beside them."""

from collections.abc import Sequence
from typing import NamedTuple

from cnn_core.reference.periodic import Column, columns_of, count_of, embed_number
from cnn_core.reference.vectors import Matrix, Row


class Embeddings(NamedTuple):
    """All of a network."""

    tables: list[Matrix]
    features: Sequence[int]  #: those with a periodic embedding
    columns: list[Column]  #: theirs


def embeddings_of(
    parameters: Row,
    shapes: Sequence[tuple[int, int]],
    periodic: tuple[Sequence[int], int, int] | tuple[()],
) -> Embeddings:
    """Those at the end of the flat vector: the tables, then the periodic ones."""
    features, frequencies, width = periodic or ((), 1, 1)
    end = len(parameters) - len(features) * count_of(frequencies, width)
    columns = columns_of(parameters[end:], frequencies, width)
    return Embeddings(tables_of(parameters[:end], shapes), features, columns)


def tables_of(parameters: Row, shapes: Sequence[tuple[int, int]]) -> list[Matrix]:
    """The tables at the end of a vector, row by row."""
    at, tables = len(parameters) - sum(n * width for n, width in shapes), []
    for n, width in shapes:
        tables.append([parameters[at + c * width : at + (c + 1) * width] for c in range(n)])
        at += n * width
    return tables


def categories_of(row: Row, shapes: Sequence[tuple[int, int]]) -> list[int | None]:
    """The category in each embedded column; None for what is no number of one."""
    found = []
    for value, (n, _) in zip(row[len(row) - len(shapes) :], shapes):
        known = 0 <= value < n and value == int(value)
        found.append(int(value) if known else None)
    return found


def embed(row: Row, embeddings: Embeddings) -> Row:
    """What the first layer reads: the other numbers, their periodic embeddings, then the vectors, 0
    for no category"""
    tables, features, columns = embeddings
    shapes = [(len(E), len(E[0])) for E in tables]
    x = row[: len(row) - len(tables)]
    for i, column in zip(features, columns):
        x = x + embed_number(column, row[i])
    for E, c in zip(tables, categories_of(row, shapes)):
        x = x + (E[c] if c is not None else [0.0] * len(E[0]))
    return x


def table_gradients(
    shapes: Sequence[tuple[int, int]], rows: Matrix, deltas: Matrix
) -> list[Matrix]:
    """dE_c = sum of delta^0 over the rows of category c; delta^0 = dC/dx"""
    gradients = [[[0.0] * width for _ in range(n)] for n, width in shapes]
    for row, delta in zip(rows, deltas):
        at = len(delta) - sum(width for _, width in shapes)
        for dE, c, (_, width) in zip(gradients, categories_of(row, shapes), shapes):
            if c is not None:
                for j in range(width):
                    dE[c][j] += delta[at + j]
            at += width
    return gradients
