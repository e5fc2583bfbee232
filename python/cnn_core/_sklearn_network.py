"""The native network behind `coefs_` and `intercepts_`: scikit-learn's lists of arrays, (fan_in,
fan_out) and (fan_out,), and the panels in which the kernels read them."""

import numpy as np

from cnn_core._network import Network
from cnn_core._predict import BatchPredictor, RowPredictor
from cnn_core.activations import get_activation

#: scikit-learn's names for activations of the native core; all others are the same.
NAMES = {"logistic": "sigmoid"}

#: Bytes of rows that are made dense at a time, where X is sparse.
DENSE_BYTES = 1 << 26


def native_activation(activation):
    """(name, number or None) in the native core of an activation that scikit-learn or this package
    names."""
    return get_activation(
        NAMES.get(activation, activation) if isinstance(activation, str) else activation
    )


def make_network(widths, activations, dtype):
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
    names, alphas = zip(*map(native_activation, activations))
    return Network(widths, names, np.dtype(dtype).name, alphas)


def check_shapes(coefs, intercepts, n_layers, n_in=None):
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
            f"coefs_ and intercepts_ must hold {n_layers} arrays each, one for each layer of weights, got "
            f"{len(coefs)} and {len(intercepts)}"
        )
    widths = [
        np.size(coefs[0], 0) if n_in is None and np.ndim(coefs[0]) else n_in,
        *map(np.size, intercepts),
    ]
    for l, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        n_in, n_out = widths[l : l + 2]
        if coef.shape != (n_in, n_out) or intercept.shape != (n_out,):
            raise ValueError(
                f"coefs_[{l}] and intercepts_[{l}] must have shapes {(n_in, n_out)} and {(n_out,)}, got "
                f"{coef.shape} and {intercept.shape}"
            )
    return widths


def put(network, coefs, intercepts):
    """Copy `coefs` and `intercepts` into a network."""
    lanes = network.lanes
    for l, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        panels, (n_in, n_out) = network.panels(l).transpose(1, 0, 2), coef.shape
        whole = n_out // lanes
        panels[:, :whole] = coef[:, : whole * lanes].reshape(n_in, whole, lanes)
        if n_out > whole * lanes:
            panels[:, whole, : n_out - whole * lanes] = coef[:, whole * lanes :]
        network.bias(l)[:] = intercept


def take(network, coefs, intercepts, vector=None):
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


def arrays_of(network, vector=None):
    """The weights and biases of a network as new lists of arrays.

    Returns
    -------
    coefs : list of ndarray, shape (fan_in, fan_out)
    intercepts : list of ndarray, shape (fan_out,)
    """
    coefs = [np.empty(shape, network.dtype) for shape in zip(network.widths, network.widths[1:])]
    intercepts = [np.empty(n_out, network.dtype) for n_out in network.widths[1:]]
    take(network, coefs, intercepts, vector)
    return coefs, intercepts


def flat_views(vector, widths):
    """Views of a flat vector in scikit-learn's order: all coefs, then all intercepts."""
    coefs, intercepts, at = [], [], 0
    for n_in, n_out in zip(widths, widths[1:]):
        coefs.append(vector[at : at + n_in * n_out].reshape(n_in, n_out))
        at += n_in * n_out
    for n_out in widths[1:]:
        intercepts.append(vector[at : at + n_out])
        at += n_out
    return coefs, intercepts


def dense_rows(X, dtype, first=0, last=None):
    """Some rows of a dense or sparse X as a C-contiguous array of `dtype`; not copied where they
    are one already."""
    part = X if first == 0 and last is None else X[first:last]
    return np.ascontiguousarray(part.toarray() if hasattr(part, "toarray") else part, dtype)


def rows_at_once(X, itemsize):
    """How many rows of a sparse X are made dense at a time."""
    return max(1, DENSE_BYTES // max(1, X.shape[1] * itemsize))


def forward(network, X, threads):
    """The outputs for all rows of a dense or sparse X.

    Returns
    -------
    ndarray, shape (rows, n_out)
    """
    if not hasattr(X, "toarray"):
        return BatchPredictor(network).forward(dense_rows(X, network.dtype), threads)
    step = rows_at_once(X, network.itemsize)
    return np.concatenate(
        [
            BatchPredictor(network).forward(
                dense_rows(X, network.dtype, first, first + step), threads
            )
            for first in range(0, X.shape[0], step)
        ]
    )


class Served:
    """What predictions are computed with: a copy of `coefs_` and `intercepts_` in the kernels'
    layout.

    The lists are the users', who may change them in place or put others there, so each prediction
    first asks whether the copy `holds` what they say now. That reads every weight once, as
    computing with it does.

    Parameters
    ----------
    coefs, intercepts : list of array-like
    activations : list
        One for each layer of weights, the output's at last.
    """

    def __init__(self, coefs, intercepts, activations):
        coefs, intercepts = (
            [np.asarray(coef) for coef in coefs],
            [np.asarray(one) for one in intercepts],
        )
        self.activations, widths = activations, check_shapes(coefs, intercepts, len(activations))
        dtype = np.result_type(*coefs, *intercepts)
        self.network = make_network(
            widths, activations, dtype if dtype == np.float32 else np.float64
        )
        put(self.network, coefs, intercepts)
        self.one_row = RowPredictor(self.network)
        self.promoted = None

    @classmethod
    def of(cls, network, activations):
        """What a training has left, without another copy."""
        self = cls.__new__(cls)
        self.activations, self.network, self.one_row, self.promoted = (
            activations,
            network,
            RowPredictor(network),
            None,
        )
        return self

    def holds(self, coefs, intercepts, activations):
        """Whether these are the weights, to the bit, and the activations that it computes with."""
        network = self.network
        if not len(coefs) == len(intercepts) == network.n_layers or activations != self.activations:
            return False
        for l in range(network.n_layers):
            if not network.equals(l, coefs[l], intercepts[l]):
                return False
        return True

    def forward(self, X, threads):
        """The outputs for all rows of X, in float64 where NumPy would compute X @ coefs_[0] so."""
        network = self.network
        if network.dtype == np.float32 and np.result_type(X.dtype, np.float32) != np.float32:
            if self.promoted is None:
                self.promoted = make_network(network.widths, self.activations, np.float64)
                put(self.promoted, *arrays_of(network))
            network = self.promoted
        return forward(network, X, threads)
