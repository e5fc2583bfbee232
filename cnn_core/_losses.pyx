"""Costs and output deltas on arrays."""

from collections import namedtuple
from types import MappingProxyType

import numpy as np

from libc.stdint cimport int32_t, uint64_t

from cnn_core._cpu cimport kernels_for, loss_args_t, loss_t
from cnn_core._memory cimport PANEL_BYTES, address, data_of, leading_dimension
from cnn_core._platform cimport flush_subnormals, restore_subnormals
from cnn_core._checks import MATRIX, NUMBER, as_array, takes
from cnn_core._names import choose
from cnn_core._memory import aligned_zeros

Loss = namedtuple("Loss", "fused_activations sparse low high param_name default_param",
                  module=__name__)


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
            Name of the number it takes, such as Huber's delta.
        default_param : float
            That number's value in the literature.
    """
    return TABLE


cdef read_table():
    cdef const loss_t *f = kernels_for(4).losses
    found = {}
    while f.name:
        found[f.name.decode()] = Loss(
            tuple(f.fused_activations.decode().split()) if f.fused_activations else (),
            bool(f.sparse), f.low, f.high, f.param_name.decode() if f.param_name else None,
            f.default_param)
        f += 1
    return MappingProxyType(found)


# The same for all instruction sets and dtypes.
cdef object TABLE = read_table()
cdef tuple NAMES = tuple(TABLE)


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


@takes(out=MATRIX, loss_param=NUMBER)
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
        for a sparse loss.
    row_scale : ndarray of the same dtype, shape (rows,), optional
        Weight of each row's delta; default 1.
    loss_param : float, optional
        The loss's number, see `table`; default that of the literature.

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
    cdef double param = f.default_param if loss_param is None else loss_param
    cdef loss_args_t p
    cdef uint64_t mode
    dtype = out.dtype
    y = targets_of(name, f.sparse, y, out)
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
        t[:, :width] = y
    if rows and width:
        p.rows, p.width, p.row_stride, p.col_stride, p.loss_param = rows, width, ld, 1, param
        p.out, p.y = address(o), address(t)
        p.label = <const int32_t *>address(y) if f.sparse else NULL
        p.row_scale, p.delta, p.row_losses = address(weight), address(delta), address(cost)
        with nogil:
            mode = flush_subnormals()
            f.evaluate(&p)
            restore_subnormals(mode)
    return cost[:rows].copy(), np.ascontiguousarray(delta[:, :width])


@takes(out=MATRIX, direction=MATRIX, loss_param=NUMBER)
def loss_curvature(name, out, y, direction, loss_param=None):
    """The second derivatives of the cost of each row by what the last layer gives, times a
    direction: how the error that the loss sends back changes along it.

    Parameters
    ----------
    name, out, y, loss_param
        As in `loss`.
    direction : ndarray of the dtype of out, shape (rows, width)

    Returns
    -------
    ndarray, shape (rows, width)
        0 for mae, hinge and perceptron, which are linear but for their corners.
    """
    data_of("out", out, MATRIX)
    data_of("direction", direction, MATRIX, out.dtype, "out")
    if out.shape != direction.shape:
        raise ValueError(f"out and direction must have the same shape, got {out.shape} and "
                         f"{direction.shape}")
    cdef const loss_t *f = &kernels_for(out.itemsize).losses[choose("loss", name, names())]
    cdef Py_ssize_t rows = out.shape[0], width = out.shape[1]
    cdef Py_ssize_t ld = leading_dimension(width, out.itemsize)
    cdef loss_args_t p
    cdef uint64_t mode
    y = targets_of(name, f.sparse, y, out)
    o, t, delta = [aligned_zeros((rows, ld), out.dtype) for _ in range(3)]
    ones = np.ones(rows, out.dtype)
    o[:, :width], delta[:, :width] = out, direction
    if not f.sparse:
        t[:, :width] = y
    if rows and width:
        p.rows, p.width, p.row_stride, p.col_stride = rows, width, ld, 1
        p.loss_param = f.default_param if loss_param is None else loss_param
        p.out, p.y = address(o), address(t)
        p.label = <const int32_t *>address(y) if f.sparse else NULL
        p.row_scale, p.delta, p.row_losses = address(ones), address(delta), NULL
        with nogil:
            mode = flush_subnormals()
            f.along(&p)
            restore_subnormals(mode)
    return np.ascontiguousarray(delta[:, :width])


cdef targets_of(name, bint sparse, y, out):
    """Targets as the kernels take them, for rows of `out`."""
    if sparse:
        return class_indices(name, y, *out.shape)
    y = as_array("y", y, out.dtype)
    if y.shape != out.shape:
        raise ValueError(f"y must have shape {out.shape} for the loss {name!r}, got {y.shape}")
    return y
