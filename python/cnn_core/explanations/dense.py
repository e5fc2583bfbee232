"""A model as a differentiable function of numbers alone: those of the matrix before scaling, and
the vectors that embedded columns become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core._jacobian import Jacobian
from cnn_core._network import Network
from cnn_core._predict import BatchPredictor
from cnn_core.explanations.slopes import read
from cnn_core.training.backends import with_linear_output

if TYPE_CHECKING:
    from cnn_core._typing import DtypeName
    from cnn_core.explanations.outputs import Output
    from cnn_core.model import Model


class Dense:
    """A model whose embedded columns are replaced by their vectors.

    Parameters
    ----------
    model : Model
    output : Output
        What is explained.
    threads : int
    dtype : {'float64', 'float32'}
        That it computes in.

    Attributes
    ----------
    names : list
        Of the columns that users give, or their numbers.
    owner : ndarray of intp, shape (n,)
        For each of the n numbers the position of its column in `names`.
    """

    def __init__(
        self, model: Model, output: Output, threads: int, dtype: DtypeName = "float64"
    ) -> None:
        self.model, self.output, self.threads, self.dtype = model, output, threads, dtype
        self.n_numbers = model.network.n_features - model.network.n_tables
        self.network = _without_tables(model.predicting, dtype)
        targets = model.target_scaling
        outputs = None if targets is None else targets.arrays
        scaling = None if model.scaling is None else model.scaling.arrays
        self.jacobian = Jacobian(self.network, scaling, outputs)
        linear = self.network if not output.of_z else with_linear_output(self.network)
        self.predictor = BatchPredictor(linear, None if output.of_z else outputs)
        self.names, self.owner = _owners(model)

    def rows(self, X: Any) -> np.ndarray:
        """Rows that users give, before scaling, shape (rows, n)."""
        matrix, network = read(self.model, X), self.model.network
        if not network.n_tables:
            return matrix
        first = network.widths[0] - sum(width for _, width in network.embeddings)
        vectors = network.copy("float64").read(matrix)[:, first:]
        return np.concatenate((matrix[:, : self.n_numbers], vectors), axis=1)

    def scaled(self, rows: np.ndarray) -> np.ndarray:
        """Rows as the network reads them."""
        if self.model.scaling is None:
            return rows.astype(self.dtype, copy=False)
        numbers = np.ascontiguousarray(rows[:, : self.n_numbers])
        numbers = self.model.scaling.apply(numbers, self.dtype)
        vectors = rows[:, self.n_numbers :].astype(self.dtype, copy=False)
        return np.concatenate((numbers, vectors), axis=1)

    def values(self, rows: np.ndarray) -> np.ndarray:
        """What is explained, of each row."""
        a = self.predictor.forward(np.ascontiguousarray(self.scaled(rows)), self.threads)
        assert a is not None
        found: np.ndarray = self.output.constant + self.output.sign * a[:, self.output.number]
        return found

    def gradients(self, rows: np.ndarray) -> np.ndarray:
        """Its derivatives by the numbers, shape (rows, n)."""
        outputs = np.array([self.output.number], np.intp)
        rows = np.ascontiguousarray(rows)
        found = self.jacobian.rows(rows, outputs, self.threads, self.output.of_z)[:, 0]
        signed: np.ndarray = self.output.sign * found
        return signed

    def by_column(self, values: np.ndarray) -> np.ndarray:
        """Numbers of each row, added up for the columns that users give."""
        found = np.zeros((len(values), len(self.names)))
        for number, column in enumerate(self.owner.tolist()):
            found[:, column] += values[:, number]
        return found


def _without_tables(network: Network, dtype: DtypeName) -> Network:
    """The network that reads vectors where this one reads categories, behind its other
    numbers."""
    n_vectors = sum(width for _, width in network.embeddings)
    params, bias = network.activation_params, network.has_bias
    dense = Network(network.widths, network.activations, dtype, params, bias, (), network.periodic)
    # The first layer reads the numbers, their periodic embeddings, and then the vectors, which are
    # numbers now.
    n_in = network.widths[0]
    n_numbers = network.n_features - network.n_tables
    order = np.r_[0:n_numbers, n_in - n_vectors : n_in, n_numbers : n_in - n_vectors]
    for l in range(network.n_layers):
        W, b = network.weights(l).astype(dtype), network.bias(l).astype(dtype)
        dense.set_layer(l, W[:, order] if l == 0 else W, b if bias else None)
    if network.periodic:
        dense.set_periodic(*(part.astype(dtype) for part in network.periodic_parameters()))
    return dense


def _owners(model: Model) -> tuple[list[Any], np.ndarray]:
    """Names of the columns that users give, and for each number that of its column."""
    if model.columns is None:
        n, given = model.n_features, model.feature_names
        return list(range(n)) if given is None else given.tolist(), np.arange(n)
    placed, names = model.columns.placed, list[Any]()
    numbers: list[int] = []
    widths = iter([width for _, width in model.network.embeddings])
    embedded = set(map(id, model.columns.embedded))
    for i, (column, _) in enumerate(placed):
        names.append(column.name)
        numbers += [i] * (next(widths) if id(column) in embedded else column.width)
    return names, np.array(numbers, np.intp)
