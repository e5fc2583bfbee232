"""Costs and output deltas on arrays."""

from collections import namedtuple
from types import MappingProxyType

import numpy as np

cimport cython
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
    # Of 1 - 0.9 and the like the decimal number is meant.
    found = tuple([round(float(one), 12) for one in loss_param])
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


@cython.final
cdef class OutputLoss:
    """A loss with its number, of networks with so many outputs.

    Parameters
    ----------
    name : str
    param : float, sequence of float, or None
        Its number or quantiles; None: those of the literature.
    width : int
        Outputs of the network.

    Attributes
    ----------
    sparse : bool
        Whether targets are class indices.
    from_logits : bool
        Whether it takes in the last activation and works on z^L.
    heads : int
        How many outputs each target has.
    targets : int
        Columns of y, for a loss that is not sparse.
    """

    def __cinit__(self, str name not None, param, Py_ssize_t width):
        self.row = choose("loss", name, NAMES)
        row = TABLE[name]
        self.name, self.param = name, check_param("loss_param", name, param)
        self.sparse, self.from_logits = row.sparse, bool(row.fused_activations)
        self.heads, self.width = heads(name, self.param), width
        if width % self.heads:
            raise ValueError(f"the loss {name!r} needs {self.heads} outputs for each target, and "
                             f"there are {width}")
        self.targets = width // self.heads
        for k, number in enumerate(self.param if isinstance(self.param, tuple) else [self.param]):
            self.quantiles[k] = number

    cdef void set_args(self, loss_args_t *p) noexcept nogil:
        """What does not depend on the rows."""
        p.width, p.targets, p.loss_param = self.width, self.targets, self.quantiles[0]
        p.quantiles, p.n_quantiles = self.quantiles, self.heads

    def check_curvature(self):
        """Raise unless the errors that the loss sends back are the slopes of a cost, which has
        second derivatives."""
        if self.name == "gaussian_nll" and self.param != 0:
            raise ValueError("gaussian_nll has second derivatives with beta=0 alone: with another "
                             "its errors are not the slopes of a cost; got "
                             f"beta={self.param:g}")

    def check_output(self, activation):
        """Raise unless the loss goes with the activation of the last layer."""
        allowed = TABLE[self.name].fused_activations
        if allowed and activation not in allowed:
            raise ValueError(f"the loss {self.name!r} needs the output activation "
                             f"{' or '.join(map(repr, allowed))}, got {activation!r}")

    def read_targets(self, y, Py_ssize_t rows, dtype):
        """Targets of some rows as the kernels take them: shape (rows, targets) of a dtype, or class
        indices of int32 and shape (rows,)."""
        if self.sparse:
            return np.ascontiguousarray(class_indices(self.name, y, rows, self.width))
        y = as_array("y", y, dtype)
        if y.shape != (rows, self.targets):
            raise ValueError(f"y must have shape {(rows, self.targets)} for the loss "
                             f"{self.name!r}, got {y.shape}")
        return np.ascontiguousarray(y)


cdef class _LaidOut:
    """Some rows of what the last layer gives, with their targets, laid out for the kernels."""

    cdef loss_args_t args
    cdef object arrays              # which they point into
    cdef readonly object delta, cost, row_scale

    def __cinit__(self, OutputLoss rule not None, out, y):
        cdef Py_ssize_t rows = out.shape[0], width = out.shape[1]
        cdef Py_ssize_t ld = leading_dimension(width, out.itemsize)
        y = rule.read_targets(y, rows, out.dtype)
        o, t, self.delta = [aligned_zeros((rows, ld), out.dtype) for _ in range(3)]
        self.cost = aligned_zeros(rows + PANEL_BYTES // out.itemsize, out.dtype)
        self.row_scale = aligned_zeros(rows, out.dtype)
        o[:, :width], self.row_scale[:] = out, 1
        if not rule.sparse:
            t[:, :rule.targets] = y
        self.arrays = o, t, y, rule
        rule.set_args(&self.args)
        self.args.rows, self.args.row_stride, self.args.col_stride = rows, ld, 1
        self.args.out, self.args.y = address(o), address(t)
        self.args.label = <const int32_t *>address(y) if rule.sparse else NULL
        self.args.row_scale, self.args.delta = address(self.row_scale), address(self.delta)
        self.args.row_losses = address(self.cost)

    cdef compute(self, void (*evaluate)(const loss_args_t *) noexcept nogil):
        """Call a function of the kernels."""
        cdef uint64_t mode
        if self.args.rows and self.args.width:
            with nogil:
                mode = flush_subnormals()
                evaluate(&self.args)
                restore_subnormals(mode)


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
    cdef Py_ssize_t rows = out.shape[0], width = out.shape[1]
    cdef OutputLoss rule = OutputLoss(name_of(name), loss_param, width)
    cdef _LaidOut laid = _LaidOut(rule, out, y)
    if row_scale is not None:
        row_scale = as_array("row_scale", row_scale, out.dtype)
        if row_scale.shape != (rows,):
            raise ValueError(f"row_scale must have shape {(rows,)}, got {row_scale.shape}")
        laid.row_scale[:] = row_scale
    laid.compute(kernels_for(out.itemsize).losses[rule.row].evaluate)
    return laid.cost[:rows].copy(), np.ascontiguousarray(laid.delta[:, :width])


@takes(out=MATRIX, direction=MATRIX)
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
        0 for mae, hinge and perceptron, which are linear but for their corners, and for the median
        of pinball.

    Raises
    ------
    ValueError
        For gaussian_nll with another beta than 0, whose errors are not the slopes of a cost.
    """
    data_of("out", out, MATRIX)
    data_of("direction", direction, MATRIX, out.dtype, "out")
    if out.shape != direction.shape:
        raise ValueError(f"out and direction must have the same shape, got {out.shape} and "
                         f"{direction.shape}")
    cdef OutputLoss rule = OutputLoss(name_of(name), loss_param, out.shape[1])
    rule.check_curvature()
    cdef _LaidOut laid = _LaidOut(rule, out, y)
    laid.delta[:, :rule.width] = direction
    laid.compute(kernels_for(out.itemsize).losses[rule.row].along)
    return np.ascontiguousarray(laid.delta[:, :rule.width])


cdef str name_of(name):
    """The name of a loss, or an error that lists them."""
    return NAMES[choose("loss", name, NAMES)]
