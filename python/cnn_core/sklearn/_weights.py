"""The native network behind `coefs_` and `intercepts_`: scikit-learn's lists of arrays, (fan_in,
fan_out) and (fan_out,), and the panels in which the kernels read them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cnn_core._checks import as_native
from cnn_core._linalg import is_finite
from cnn_core._network import Network
from cnn_core._overflow import warn_of_overflow
from cnn_core._predict import BatchPredictor, RowPredictor
from cnn_core.activations import get_activation

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

#: scikit-learn's names for activations of the native core; all others are the same.
NAMES = {"logistic": "sigmoid"}

#: Bytes of rows that are made dense at a time, where X is sparse.
DENSE_BYTES = 1 << 26


def make_network(widths: Sequence[int], activations: Sequence[Any], dtype: DTypeLike) -> Network:
    """A network whose activations users have named.

    Parameters
    ----------
    widths : sequence of int
        Neurons of every layer, the inputs first.
    activations : sequence of str or Activation
        One for each layer of weights.
    dtype : dtype-like

    Returns
    -------
    Network
    """
    native = [NAMES.get(one, one) if isinstance(one, str) else one for one in activations]
    names, params = zip(*map(get_activation, native))
    return Network(widths, names, np.dtype(dtype).name, params)  # type: ignore[arg-type]


def check_shapes(
    coefs: Sequence[Any], intercepts: Sequence[Any], n_layers: int, n_in: int | None = None
) -> list[int]:
    """The widths of all layers, the inputs first, of weights that users may have changed.

    Parameters
    ----------
    coefs, intercepts : list of ndarray
    n_layers : int
        Layers of weights.
    n_in : int, optional
        Features; None for what the first weights say.

    Returns
    -------
    list of int

    Raises
    ------
    ValueError
        Where they do not fit together.
    """
    if not len(coefs) == len(intercepts) == n_layers:
        raise ValueError(
            f"coefs_ and intercepts_ must hold {n_layers} arrays each, one for each layer of "
            f"weights, got {len(coefs)} and {len(intercepts)}"
        )
    widths: list[Any] = [
        np.size(coefs[0], 0) if n_in is None and np.ndim(coefs[0]) else n_in,
        *map(np.size, intercepts),
    ]
    for l, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        fan_in, fan_out = widths[l : l + 2]
        if coef.shape != (fan_in, fan_out) or intercept.shape != (fan_out,):
            raise ValueError(
                f"coefs_[{l}] and intercepts_[{l}] must have shapes {(fan_in, fan_out)} and "
                f"{(fan_out,)}, got {coef.shape} and {intercept.shape}"
            )
    return widths


def load_weights(
    network: Network, coefs: Sequence[np.ndarray], intercepts: Sequence[np.ndarray]
) -> None:
    """Copy `coefs` and `intercepts` into a network."""
    lanes = network.lanes
    for l, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        panels, (n_in, n_out) = network.panels(l).transpose(1, 0, 2), coef.shape
        whole = n_out // lanes
        panels[:, :whole] = coef[:, : whole * lanes].reshape(n_in, whole, lanes)
        if n_out > whole * lanes:
            panels[:, whole, : n_out - whole * lanes] = coef[:, whole * lanes :]
        network.bias(l)[:] = intercept


def store_weights(
    network: Network,
    coefs: Sequence[np.ndarray],
    intercepts: Sequence[np.ndarray],
    vector: np.ndarray | None = None,
) -> None:
    """Copy a network's weights and biases, or a `vector` laid out as its parameters, into arrays
    that are there."""
    lanes = network.lanes
    for l, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        panels, (n_in, n_out) = network.panels(l, vector).transpose(1, 0, 2), coef.shape
        whole = n_out // lanes
        # Of a C-contiguous array this is a view.
        coef[:, : whole * lanes].reshape(n_in, whole, lanes)[:] = panels[:, :whole]
        if n_out > whole * lanes:
            coef[:, whole * lanes :] = panels[:, whole, : n_out - whole * lanes]
        intercept[:] = network.bias(l, vector)


def weights_of(network: Network) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The weights and biases of a network as new lists of arrays.

    Returns
    -------
    coefs : list of ndarray, shape (fan_in, fan_out)
    intercepts : list of ndarray, shape (fan_out,)
    """
    coefs = [np.empty(shape, network.dtype) for shape in pairwise(network.widths)]
    intercepts = [np.empty(n_out, network.dtype) for n_out in network.widths[1:]]
    store_weights(network, coefs, intercepts)
    return coefs, intercepts


def flat_views(
    vector: np.ndarray, widths: Sequence[int]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Views of a flat vector in scikit-learn's order: all coefs, then all intercepts."""
    coefs, intercepts, at = [], [], 0
    for n_in, n_out in pairwise(widths):
        coefs.append(vector[at : at + n_in * n_out].reshape(n_in, n_out))
        at += n_in * n_out
    for n_out in widths[1:]:
        intercepts.append(vector[at : at + n_out])
        at += n_out
    return coefs, intercepts


def dense_rows(X: Any, dtype: DTypeLike, first: int = 0, last: int | None = None) -> np.ndarray:
    """Some rows of a dense or sparse X as a C-contiguous array of `dtype`; not copied where they
    are one already."""
    part = X if first == 0 and last is None else X[first:last]
    return as_native(part.toarray() if hasattr(part, "toarray") else part, dtype)


def rows_at_once(X: Any, itemsize: int) -> int:
    """How many rows of a sparse X are made dense at a time."""
    row_bytes: int = X.shape[1] * itemsize
    return max(1, DENSE_BYTES // max(1, row_bytes))


def forward(network: Network, X: Any, threads: int, warns: bool = False) -> np.ndarray:
    """The outputs for all rows of a dense or sparse X; with `warns` with a warning where some are
    not finite.

    Returns
    -------
    ndarray, shape (rows, n_out)
    """

    def outputs(rows: np.ndarray, warns: bool) -> np.ndarray:
        a = BatchPredictor(network).forward(rows, threads, warns=warns)
        assert a is not None
        return a

    if not hasattr(X, "toarray"):
        return outputs(dense_rows(X, network.dtype), warns)
    step = rows_at_once(X, network.itemsize)
    a = np.concatenate(
        [
            outputs(dense_rows(X, network.dtype, first, first + step), False)
            for first in range(0, X.shape[0], step)
        ]
    )
    if warns and not is_finite(a):
        warn_of_overflow(network, X, int(np.count_nonzero(~np.isfinite(a).all(axis=1))))
    return a


class PackedWeights:
    """What predictions are computed with: a copy of `coefs_` and `intercepts_` in the kernels'
    layout.

    Parameters
    ----------
    network : Network
        From now on never changed.
    activations : list
        As users name them, one for each layer of weights, the output's at last.
    """

    def __init__(self, network: Network, activations: list[Any]) -> None:
        self.network, self.activations = network, activations
        self.row = RowPredictor(network)
        self._promoted: Network | None = None
        #: What explanations are made from, see `_explained`.
        self.explained: Any = None

    @classmethod
    def pack(cls, coefs: Sequence[Any], intercepts: Sequence[Any], activations: list[Any]) -> Self:
        """Weights that users may have changed; of any dtype."""
        coefs, intercepts = list(map(np.asarray, coefs)), list(map(np.asarray, intercepts))
        widths = check_shapes(coefs, intercepts, len(activations))
        dtype = np.result_type(*coefs, *intercepts)
        network = make_network(
            widths, activations, dtype if dtype == np.float32 else np.dtype(np.float64)
        )
        load_weights(network, coefs, intercepts)
        return cls(network, activations)

    def equals(
        self, coefs: Sequence[Any], intercepts: Sequence[Any], activations: list[Any]
    ) -> bool:
        """Whether these are the weights, to the bit, and the activations that it computes with."""
        network = self.network
        if not len(coefs) == len(intercepts) == network.n_layers or activations != self.activations:
            return False
        for l in range(network.n_layers):  # noqa: SIM110, a generator would take longer
            if not network.equals(l, coefs[l], intercepts[l]):
                return False
        return True

    def forward(self, X: Any, threads: int) -> np.ndarray:
        """The outputs for all rows of X, in float64 where NumPy would compute X @ coefs_[0] so."""
        network = self.network
        if network.dtype == np.float32 and np.result_type(X.dtype, np.float32) != np.float32:
            if self._promoted is None:
                promoted = make_network(network.widths, self.activations, np.float64)
                load_weights(promoted, *weights_of(network))
                self._promoted = promoted
            network = self._promoted
        return forward(network, X, threads, warns=True)


class WeightCache:
    """The packed weights of a model, packed anew where users have changed its lists.

    Each prediction first asks whether they equal what the lists say now. That reads every weight
    once, as computing with it does.

    Parameters
    ----------
    packed : PackedWeights, optional
        What a training has left, without another copy.
    """

    def __init__(self, packed: PackedWeights | None = None) -> None:
        self._packed = packed

    def get(
        self, coefs: Sequence[Any], intercepts: Sequence[Any], activations: list[Any]
    ) -> PackedWeights:
        """The packed form of these weights; raises where they do not fit together."""
        packed = self._packed
        if packed is None or not packed.equals(coefs, intercepts, activations):
            packed = self._packed = PackedWeights.pack(coefs, intercepts, activations)
        return packed
