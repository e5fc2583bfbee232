"""Costs and output deltas on arrays."""

from collections import namedtuple
from types import MappingProxyType

import numpy as np

from libc.stdint cimport int32_t, uint64_t

from cnn_core._cpu cimport MOST_QUANTILES, kernels_for, loss_args_t, loss_t
from cnn_core._memory cimport PANEL_BYTES, address, data_of, leading_dimension
from cnn_core._platform cimport flush_subnormals, restore_subnormals
from cnn_core._checks import MATRIX, as_array, shown, takes
from cnn_core._names import choose
from cnn_core._memory import aligned_zeros

Loss = namedtuple("Loss", "fused_activations sparse low high param_name default_param heads",
                  module=__name__)

# Those of the loss 'pinball' by its name: an interval of 90 % and the median.
QUANTILES = (0.05, 0.5, 0.95)


def names():
    """Names of all losses.

    Returns
    -------
    tuple of str
    """
    return NAMES


def table():
    """What each loss works on.

    Returns
    -------
    mapping of str to Loss
        fused_activations : tuple of str
            Activations whose input z the loss works on; the first is the usual one. Empty for
            losses of a itself, which go with every activation.
        sparse : bool
            Whether it takes class indices instead of rows of y.
        low, high : float
            Bounds of the targets.
        param_name : str or None
            Name of the number it takes, such as Huber's delta, or of its quantiles.
        default_param : float or tuple of float
            That number's value in the literature.
        heads : int or None
            How many outputs of the network each target has, see `heads`; None: one for each
            quantile.
    """
    return TABLE


cdef read_table():
    cdef const loss_t *f = kernels_for(4).losses
    found = {}
    while f.name:
        found[f.name.decode()] = Loss(
            tuple(f.fused_activations.decode().split()) if f.fused_activations else (),
            bool(f.sparse), f.low, f.high,
            "quantiles" if f.heads == 0 else f.param_name.decode() if f.param_name else None,
            QUANTILES if f.heads == 0 else f.default_param, f.heads or None)
        f += 1
    return MappingProxyType(found)


# The same for all instruction sets and dtypes.
cdef object TABLE = read_table()
cdef tuple NAMES = tuple(TABLE)


def heads(name, loss_param=None):
    """How many outputs of the network each target has; the first is what is predicted.

    Parameters
    ----------
    name : str
        One of `names`.
    loss_param : float or tuple of float, optional

    Returns
    -------
    int
    """
    row = TABLE[name]
    if row.heads is not None:
        return row.heads
    return len(row.default_param if loss_param is None else loss_param)


def check_param(what, name, loss_param):
    """The number of a loss, or its quantiles, as training takes them.

    Parameters
    ----------
    what : str
        For messages.
    name : str
        One of `names`.
    loss_param : float, sequence of float, or None

    Returns
    -------
    float or tuple of float

    Raises
    ------
    TypeError, ValueError
        For another number, and for quantiles that are not ascending, or several without 0.5.
    """
    row = TABLE[name]
    if loss_param is None:
        return row.default_param
    if row.heads is not None:
        if isinstance(loss_param, bool) or not isinstance(loss_param, (int, float, np.number)):
            raise TypeError(f"{what} must be a number, got {shown(loss_param)}")
        if not np.isfinite(loss_param):
            raise ValueError(f"{what} must be finite, got {shown(loss_param)}")
        return float(loss_param)
    if not isinstance(loss_param, (tuple, list, np.ndarray)) or not all(
            [isinstance(one, (int, float, np.number)) and not isinstance(one, bool)
             for one in loss_param]):
        raise TypeError(f"{what} must be a list of numbers between 0 and 1, "
                        f"got {shown(loss_param)}")
    found = tuple([float(one) for one in loss_param])
    if not 1 <= len(found) <= MOST_QUANTILES:
        raise ValueError(f"{what} must be 1 to {MOST_QUANTILES} numbers, got {len(found)}")
    if not all([0 < one < 1 for one in found]):
        raise ValueError(f"{what} must lie between 0 and 1, got {shown(found)}")
    if not all([a < b for a, b in zip(found, found[1:])]):
        raise ValueError(f"{what} must ascend, got {shown(found)}")
    if len(found) > 1 and 0.5 not in found:
        raise ValueError(f"{what} must have 0.5 among them, as predict gives the median; "
                         f"got {shown(found)}")
    return found


def class_indices(name, y, Py_ssize_t rows, Py_ssize_t n_classes):
    """Class indices as the kernels take them.

    Parameters
    ----------
    name : str
        The loss, for messages.
    y : array-like of whole numbers, shape (rows,)
    rows, n_classes : int

    Returns
    -------
    ndarray of int32, shape (rows,)

    Raises
    ------
    TypeError
        If y holds anything but whole numbers.
    ValueError
        For another shape, and for an index outside 0 to n_classes - 1.
    """
    y = as_array("y", y, None)
    if y.size and y.dtype.kind not in "iub":
        raise TypeError(f"the loss {name!r} takes class indices, which are whole numbers; "
                        f"got y of {y.dtype}")
    if y.shape != (rows,):
        raise ValueError(f"y must have shape {(rows,)} for the loss {name!r}, got {y.shape}")
    if rows and not 0 <= y.min() <= y.max() < n_classes:
        raise ValueError(f"y holds class indices from {y.min()} to {y.max()}; "
                         f"allowed are 0 to {n_classes - 1}")
    return as_array("y", y, np.int32)


@takes(out=MATRIX)
def loss(name, out, y, row_scale=None, loss_param=None):
    """Cost of each row, and the error it sends back.

    Parameters
    ----------
    name : str
        One of `names`.
    out : ndarray of float32 or float64, shape (rows, width)
        What the last layer gives: its z for cross-entropies, its a for others, as `table` says.
    y : ndarray
        Targets: shape (rows, width) of the same dtype, or class indices of int32 and shape (rows,)
        for a sparse loss. Of losses with several heads shape (rows, targets); output h of target t
        is then column h * targets + t of `out`.
    row_scale : ndarray of the same dtype, shape (rows,), optional
        Weight of each row's delta; default 1.
    loss_param : float or sequence of float, optional
        The loss's number or quantiles, see `table`; default that of the literature.

    Returns
    -------
    cost : ndarray, shape (rows,)
        Not scaled.
    delta : ndarray, shape (rows, width)
        The derivative with respect to `out`, scaled.
    """
    data_of("out", out, MATRIX)
    cdef const loss_t *f = &kernels_for(out.itemsize).losses[choose("loss", name, names())]
    cdef Py_ssize_t rows = out.shape[0], width = out.shape[1]
    cdef Py_ssize_t ld = leading_dimension(width, out.itemsize)
    cdef double[MOST_QUANTILES] quantiles
    cdef Py_ssize_t targets
    cdef loss_args_t p
    cdef uint64_t mode
    dtype, param = out.dtype, check_param("loss_param", name, loss_param)
    n = heads(name, param)
    targets = width // n
    if width % n:
        raise ValueError(f"out must have {n} columns for each target, got {width}")
    if f.sparse:
        y = class_indices(name, y, rows, width)
    else:
        y = as_array("y", y, dtype)
        if y.shape != (rows, targets):
            raise ValueError(f"y must have shape {(rows, targets)} for the loss {name!r}, "
                             f"got {y.shape}")
    if row_scale is not None:
        row_scale = as_array("row_scale", row_scale, dtype)
        if row_scale.shape != (rows,):
            raise ValueError(f"row_scale must have shape {(rows,)}, got {row_scale.shape}")
    o, t, delta = [aligned_zeros((rows, ld), dtype) for _ in range(3)]
    weight = aligned_zeros(rows, dtype)
    cost = aligned_zeros(rows + PANEL_BYTES // dtype.itemsize, dtype)
    o[:, :width] = out
    weight[:] = 1 if row_scale is None else row_scale
    if not f.sparse:
        t[:, :targets] = y
    if rows and width:
        p.rows, p.width, p.row_stride, p.col_stride = rows, width, ld, 1
        p.targets, p.n_quantiles, p.loss_param = targets, 0, 0
        if isinstance(param, tuple):
            p.quantiles, p.n_quantiles = quantiles, len(param)
            for k, tau in enumerate(param):
                quantiles[k] = tau
        else:
            p.loss_param = param
        p.out, p.y = address(o), address(t)
        p.label = <const int32_t *>address(y) if f.sparse else NULL
        p.row_scale, p.delta, p.row_losses = address(weight), address(delta), address(cost)
        with nogil:
            mode = flush_subnormals()
            f.evaluate(&p)
            restore_subnormals(mode)
    return cost[:rows].copy(), np.ascontiguousarray(delta[:, :width])
