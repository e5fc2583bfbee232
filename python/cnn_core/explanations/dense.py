"""A mean of networks as a differentiable function of numbers alone: those of the matrices before
scaling, and the vectors that each network puts for embedded categories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_core._jacobian import Jacobian
from cnn_core._linalg import column_sums, scale_rows
from cnn_core._network import Network
from cnn_core._predict import BatchPredictor
from cnn_core.explanations.explained import blocks
from cnn_core.training.backends import with_linear_output

if TYPE_CHECKING:
    from cnn_core.explanations.explained import Explained, Member
    from cnn_core.explanations.outputs import Output


#: Numbers times that have squares within float64.
TINY = 2.0**-540


class _Part(NamedTuple):
    """A network, which reads vectors, and where it reads."""

    matrix: int
    numbers: slice  #: among the numbers of `Dense`
    vectors: slice
    reader: Network  #: what looks the vectors up
    scaling: tuple[Any, ...] | None
    jacobian: Jacobian
    predictor: BatchPredictor


class Dense:
    """What is explained, computed in float64 from numbers alone.

    The numbers of a row are those of the matrix that all networks read, or of each one's where they
    differ, and each network's own vectors.

    Parameters
    ----------
    explained : Explained
    output : Output
    threads : int

    Attributes
    ----------
    owner : ndarray of intp, shape (n,)
        For each of the n numbers the position of its column in `explained.names`.
    measured : ndarray of bool, shape (n,)
        Whether it is a number that users give.
    """

    def __init__(self, explained: Explained, output: Output, threads: int) -> None:
        self.explained, self.output, self.threads = explained, output, threads
        self.n_columns = len(explained.names)
        owners, measured, self.parts = list[np.ndarray](), list[np.ndarray](), list[_Part]()
        numbers: list[slice] = []
        at = 0
        for k, matrix in enumerate(explained.matrices):
            network = explained.members[k].network
            n = network.n_features - network.n_tables
            owners.append(matrix.owner[:n])
            measured.append(matrix.measured[:n])
            numbers.append(slice(at, at + n))
            at += n
        for k, member in enumerate(explained.members):
            place, widths = explained.matrix_of(k), [w for _, w in member.network.embeddings]
            vectors = slice(at, at + sum(widths))
            owner = explained.matrices[place].owner
            owners.append(np.repeat(owner[len(owner) - len(widths) :], widths))
            measured.append(np.zeros(sum(widths), bool))
            at = vectors.stop
            self.parts.append(self._part(member, place, numbers[place], vectors))
        self.owner, self.measured = np.concatenate(owners), np.concatenate(measured)
        #: Whether rows are those of a matrix, as they are.
        self.plain = at == numbers[0].stop

    def _part(self, member: Member, matrix: int, numbers: slice, vectors: slice) -> _Part:
        of_z, outputs = self.output.of_z, member.outputs
        network = _without_tables(member.network)
        return _Part(
            matrix,
            numbers,
            vectors,
            member.network.copy("float64"),
            member.inputs,
            Jacobian(network, member.inputs, outputs),
            BatchPredictor(
                with_linear_output(network) if of_z else network, None if of_z else outputs
            ),
        )

    def rows(self, matrices: Sequence[np.ndarray], some: Any) -> np.ndarray:
        """The numbers of some rows of what `Explained.read` gives, shape (rows, n)."""
        given = [np.ascontiguousarray(matrix[some]) for matrix in matrices]
        if self.plain:
            return given[0]
        found = np.empty((len(given[0]), len(self.owner)))
        for part in self.parts:
            matrix, width = given[part.matrix], part.vectors.stop - part.vectors.start
            found[:, part.numbers] = matrix[:, : part.numbers.stop - part.numbers.start]
            if width:
                read = part.reader.read(matrix)
                found[:, part.vectors] = read[:, read.shape[1] - width :]
        return found

    def blocks(self, matrices: Sequence[np.ndarray]) -> Iterator[tuple[slice, np.ndarray]]:
        """All rows, a block at a time."""
        for some in blocks(len(matrices[0]), len(self.owner)):
            yield some, self.rows(matrices, some)

    def values(self, rows: np.ndarray) -> np.ndarray:
        """What is explained, of each row."""
        total = np.zeros(len(rows))
        for part in self.parts:
            x = self._read(part, rows)
            if part.scaling is not None:
                shift, factor, curve = part.scaling
                numbers = np.ascontiguousarray(x[:, : len(shift)])
                scaled = np.empty_like(numbers)
                scale_rows(numbers, shift, factor, scaled, curve)
                x = np.concatenate((scaled, x[:, len(shift) :]), axis=1)
            a = part.predictor.forward(x, self.threads)
            assert a is not None
            total += a[:, self.output.number]
        found: np.ndarray = self.output.constant + self.output.sign * (total / len(self.parts))
        return found

    def gradients(self, rows: np.ndarray) -> np.ndarray:
        """Its derivatives by the numbers, shape (rows, n)."""
        outputs, of_z = np.array([self.output.number], np.intp), self.output.of_z
        total = np.zeros(rows.shape)
        for part in self.parts:
            x = self._read(part, rows)
            if self.plain:
                part.jacobian.rows(x, outputs, self.threads, of_z, total[:, None])
                continue
            found = part.jacobian.rows(x, outputs, self.threads, of_z)[:, 0]
            n = part.numbers.stop - part.numbers.start
            total[:, part.numbers] += found[:, :n]
            total[:, part.vectors] += found[:, n:]
        if self.output.sign < 0:
            np.negative(total, out=total)
        if len(self.parts) > 1:
            total /= len(self.parts)
        return total

    def _read(self, part: _Part, rows: np.ndarray) -> np.ndarray:
        """What a network reads of the numbers."""
        if self.plain:
            return np.ascontiguousarray(rows)
        return np.concatenate((rows[:, part.numbers], rows[:, part.vectors]), axis=1)

    def by_column(self, values: np.ndarray) -> np.ndarray:
        """Numbers of each row, added up for the columns that users give."""
        if self.plain and self.n_columns == values.shape[1]:
            return values
        found = np.zeros((len(values), self.n_columns))
        for number, column in enumerate(self.owner.tolist()):
            found[:, column] += values[:, number]
        return found

    def mean(self, matrices: Sequence[np.ndarray]) -> np.ndarray:
        """Of each number over the rows."""
        return self._moments(matrices)[0]

    def deviation(self, matrices: Sequence[np.ndarray]) -> np.ndarray:
        """The standard deviation of each number over the rows."""
        return self._moments(matrices)[1]

    def _moments(
        self, matrices: Sequence[np.ndarray], factor: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Both, of numbers that are multiplied by powers of two on the way."""
        n, zeros = len(matrices[0]), np.zeros(len(self.owner))
        mean = self._sums(matrices, zeros, 1, factor) / n
        deviation = np.sqrt(self._sums(matrices, mean, 2, factor) / n)
        if factor is not None:
            return mean / factor, deviation / factor
        beyond = ~np.isfinite(deviation)  # where squares are beyond float64
        if beyond.any():
            return self._moments(matrices, np.where(beyond, TINY, 1))
        return mean, deviation

    def _sums(
        self,
        matrices: Sequence[np.ndarray],
        shift: np.ndarray,
        power: int,
        factor: np.ndarray | None,
    ) -> np.ndarray:
        total = np.zeros(len(shift))
        for _, rows in self.blocks(matrices):
            some = rows if factor is None else rows * factor
            total = column_sums(some, shift, power, total)
        return total


def _without_tables(network: Network) -> Network:
    """The network in float64 that reads vectors where this one reads categories, behind its other
    numbers."""
    n_vectors = sum(width for _, width in network.embeddings)
    params, bias = network.activation_params, network.has_bias
    widths, activations = network.widths, network.activations
    dense = Network(widths, activations, "float64", params, bias, (), network.periodic)
    # The first layer reads the numbers, their periodic embeddings, and then the vectors, which are
    # numbers now.
    n_in = network.widths[0]
    n_numbers = network.n_features - network.n_tables
    order = np.r_[0:n_numbers, n_in - n_vectors : n_in, n_numbers : n_in - n_vectors]
    for l in range(network.n_layers):
        W, b = (part.astype(np.float64) for part in (network.weights(l), network.bias(l)))
        dense.set_layer(l, W[:, order] if l == 0 else W, b if bias else None)
    if network.periodic:
        dense.set_periodic(*(part.astype(np.float64) for part in network.periodic_parameters()))
    return dense
