"""Matrix-vector and matrix products without BLAS, and the panel layout that weights rest in."""

import numpy as np

cimport cython
from libc.stdint cimport uint64_t

from cnn_core._cpu cimport kernels_for, matmul_args_t
from cnn_core._matmul cimport matmul_args, panels_of
from cnn_core._memory cimport PANEL_BYTES, address, matrix
from cnn_core._platform cimport flush_subnormals, keep_subnormals, restore_subnormals
from cnn_core._checks import DOUBLES, MATRIX, NUMBER, PANELS, VECTOR, WHOLE, Array, takes
from cnn_core._memory import aligned_zeros

cdef inline object dtype_of(real *unused):
    return np.float64 if real is double else np.float32


@takes(W=MATRIX, out=PANELS.as_output())
def pack(const real[:, ::1] W not None, real[:, :, ::1] out=None):
    """Weights W (n_out, n_in) as panels of neighbouring outputs, the layout in which the kernels
    read them.

    Parameters
    ----------
    W : ndarray of float32 or float64, shape (n_out, n_in)
        C-contiguous.
    out : ndarray, shape (panels, n_in, lanes), optional
        Where to put them; lanes = 16 for float32, 8 for float64, panels = ceil(n_out / lanes).

    Returns
    -------
    ndarray, shape (panels, n_in, lanes)
        ``out[p, i, v] = W[p * lanes + v, i]``, zero in the lanes past n_out.
    """
    cdef Py_ssize_t n_out = W.shape[0], n_in = W.shape[1], lanes = 64 // sizeof(real), o, i
    cdef Py_ssize_t panels = (n_out + lanes - 1) // lanes
    if out is None:
        out = aligned_zeros((panels, n_in, lanes), dtype_of(<real *>NULL))
    elif out.shape[0] != panels or out.shape[1] != n_in or out.shape[2] != lanes:
        raise ValueError(f"out must have shape {(panels, n_in, lanes)}, got {np.shape(out)}")
    with nogil, cython.boundscheck(False):
        for o in range(panels * lanes):
            for i in range(n_in):
                out[o // lanes, i, o % lanes] = W[o, i] if o < n_out else 0
    return np.asarray(out)


@takes(panels=PANELS, n_out=WHOLE, out=MATRIX.as_output())
def unpack(const real[:, :, ::1] panels not None, Py_ssize_t n_out, real[:, ::1] out=None):
    """The reverse of `pack`.

    Parameters
    ----------
    panels : ndarray of float32 or float64, shape (panels, n_in, lanes)
    n_out : int
        How many of the panels * lanes outputs are there.
    out : ndarray, shape (n_out, n_in), optional

    Returns
    -------
    ndarray, shape (n_out, n_in)
    """
    cdef Py_ssize_t lanes = 64 // sizeof(real), n_in = panels.shape[1], o, i
    if panels.shape[2] != lanes or not 0 <= n_out <= panels.shape[0] * lanes:
        raise ValueError(f"panels of shape {np.shape(panels)} do not hold n_out = {n_out} outputs "
                         f"in lanes of {lanes}")
    if out is None:
        out = np.empty((n_out, n_in), dtype_of(<real *>NULL))
    elif out.shape[0] != n_out or out.shape[1] != n_in:
        raise ValueError(f"out must have shape {(n_out, n_in)}, got {np.shape(out)}")
    with nogil, cython.boundscheck(False):
        for o in range(n_out):
            for i in range(n_in):
                out[o, i] = panels[o // lanes, i, o % lanes]
    return np.asarray(out)


@takes(panels=PANELS, n_out=WHOLE)
def transpose_panels(const real[:, :, ::1] panels not None, Py_ssize_t n_out):
    """Panels of W transposed, from the panels of W: what the backward pass multiplies with.

    Parameters
    ----------
    panels : ndarray of float32 or float64, shape (ceil(n_out / lanes), n_in, lanes)
    n_out : int

    Returns
    -------
    ndarray, shape (ceil(n_in / lanes), n_out, lanes)
        The same as ``pack(unpack(panels, n_out).T)``.
    """
    cdef Py_ssize_t lanes = 64 // sizeof(real), n_in = panels.shape[1]
    cdef real[:, :, ::1] out
    if panels.shape[2] != lanes or panels.shape[0] != (n_out + lanes - 1) // lanes:
        raise ValueError(f"panels of shape {np.shape(panels)} do not hold n_out = {n_out} outputs "
                         f"in lanes of {lanes}")
    result = aligned_zeros(((n_in + lanes - 1) // lanes, n_out, lanes), dtype_of(<real *>NULL))
    out = result
    if n_in and n_out:
        with nogil:
            kernels_for(sizeof(real)).transpose_panels(n_in, n_out, 0, n_in, 0, n_out,
                                                       &panels[0, 0, 0], &out[0, 0, 0])
    return result


@takes(X=MATRIX, panels=PANELS, b=VECTOR, out=MATRIX.as_output())
def affine(const real[:, ::1] X not None, const real[:, :, ::1] panels not None,
           const real[::1] b=None, real[:, ::1] out=None):
    """z = X W^T + b for weights in panels: one layer's forward pass, before its activation.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (rows, n_in)
        C-contiguous.
    panels : ndarray, shape (panels, n_in, lanes)
        `pack` (W).
    b : ndarray, shape (panels * lanes,), optional
        The bias, zero past n_out; default none.
    out : ndarray, shape (rows, panels * lanes), optional

    Returns
    -------
    ndarray, shape (rows, panels * lanes)
        The columns past n_out are padding.
    """
    cdef Py_ssize_t lanes = 64 // sizeof(real), columns = panels.shape[0] * lanes
    cdef matmul_args_t p
    cdef uint64_t mode
    if X.shape[1] != panels.shape[1] or panels.shape[2] != lanes:
        raise ValueError(f"X of shape {np.shape(X)} does not go with "
                         f"panels of shape {np.shape(panels)}")
    if b is not None and b.shape[0] != columns:
        raise ValueError(f"b must have shape {(columns,)}, got {np.shape(b)}")
    if out is None:
        out = aligned_zeros((X.shape[0], columns), dtype_of(<real *>NULL))
    elif out.shape[0] != X.shape[0] or out.shape[1] != columns:
        raise ValueError(f"out must have shape {(X.shape[0], columns)}, got {np.shape(out)}")
    if X.shape[0] == 0 or columns == 0:
        return np.asarray(out)
    # Without inputs nothing is read.
    matmul_args(&p, X.shape[0], panels.shape[0], X.shape[1],
                matrix(<char *>(&X[0, 0] if X.shape[1] else &out[0, 0]), X.shape[1] * sizeof(real),
                       sizeof(real)),
                panels_of(<char *>(&panels[0, 0, 0] if X.shape[1] else &out[0, 0]), PANEL_BYTES,
                          X.shape[1] * PANEL_BYTES),
                panels_of(<char *>&out[0, 0], columns * sizeof(real), PANEL_BYTES), sizeof(real))
    p.bias = &b[0] if b is not None else NULL
    with nogil:
        mode = flush_subnormals()
        kernels_for(sizeof(real)).matmul(&p)
        restore_subnormals(mode)
    return np.asarray(out)


@takes(A=MATRIX, B=MATRIX)
def matmul(const real[:, ::1] A not None, const real[:, ::1] B not None):
    """The product A B, each element summed over k = 0, 1, ... in one chain of fused multiply-adds.

    Parameters
    ----------
    A : ndarray of float32 or float64, shape (m, k)
    B : ndarray of the same dtype, shape (k, n)
        Both C-contiguous.

    Returns
    -------
    ndarray, shape (m, n)
        The same bits on every instruction set, and for every row whatever the other rows are.
    """
    if A.shape[1] != B.shape[0]:
        raise ValueError(f"A of shape {np.shape(A)} and B of shape {np.shape(B)} cannot be "
                         f"multiplied: {A.shape[1]} columns against {B.shape[0]} rows")
    # A row of B is a row of a panel already, but its last panel may reach past the end of B: hence
    # the copy.
    panels = pack(np.ascontiguousarray(np.asarray(B).T))
    return np.ascontiguousarray(affine(np.asarray(A), panels)[:, :B.shape[1]])


@takes(W=MATRIX, x=VECTOR, b=VECTOR)
def matvec(const real[:, ::1] W not None, const real[::1] x not None, const real[::1] b=None):
    """z = W x + b, the input of a layer's neurons.

    Parameters
    ----------
    W : ndarray of float32 or float64, shape (n_out, n_in)
        Row j holds the weights to neuron j.
    x : ndarray of the same dtype, shape (n_in,)
    b : ndarray of the same dtype, shape (n_out,), optional

    Returns
    -------
    ndarray, shape (n_out,)
    """
    if W.shape[1] != x.shape[0]:
        raise ValueError(f"W of shape {np.shape(W)} needs x of shape ({W.shape[1]},), "
                         f"got ({x.shape[0]},)")
    if b is not None and b.shape[0] != W.shape[0]:
        raise ValueError(f"b must have shape ({W.shape[0]},), got ({b.shape[0]},)")
    panels = pack(np.asarray(W))
    bias = aligned_zeros(panels.shape[0] * panels.shape[2], panels.dtype)
    if b is not None:
        bias[:W.shape[0]] = b
    return affine(np.asarray(x)[None], panels, bias)[0, :W.shape[0]].copy()


cdef check_vectors(Py_ssize_t n, Py_ssize_t other, Py_ssize_t lanes):
    if n != other or n % lanes:
        raise ValueError(f"x and y must have the same length, a multiple of {lanes}; "
                         f"got {n} and {other}")


@takes(x=VECTOR, y=VECTOR)
def dot(const real[::1] x not None, const real[::1] y not None):
    """The sum of x y, with one partial sum for each lane of a panel and a fixed tree over them.

    Parameters
    ----------
    x, y : ndarray of float32 or float64, shape (n,)
        C-contiguous, of the same dtype; n a multiple of 16 or 8. They may be the same array.

    Returns
    -------
    float
    """
    cdef uint64_t mode
    cdef double total
    check_vectors(x.shape[0], y.shape[0], 64 // sizeof(real))
    if x.shape[0] == 0:
        return 0.0
    mode = flush_subnormals()
    total = kernels_for(sizeof(real)).dot(x.shape[0], &x[0], &y[0])
    restore_subnormals(mode)
    return total


@takes(factor=NUMBER, x=VECTOR, y=VECTOR.as_output())
def axpy(double factor, const real[::1] x not None, real[::1] y not None):
    """y += factor x, in place, with one rounding.

    Parameters
    ----------
    factor : float
    x, y : ndarray of float32 or float64, shape (n,)
        As in `dot`, but two arrays.
    """
    cdef uint64_t mode
    check_vectors(x.shape[0], y.shape[0], 64 // sizeof(real))
    if x.shape[0]:
        mode = flush_subnormals()
        kernels_for(sizeof(real)).axpy(x.shape[0], factor, &x[0], &y[0])
        restore_subnormals(mode)


def is_finite(array):
    """Whether no entry is NaN or infinite.

    Parameters
    ----------
    array : ndarray of float32 or float64, of any shape
        C-contiguous.

    Returns
    -------
    bool
    """
    Array().check("array", array)
    if not array.flags.aligned:
        array = array.copy()
    cdef Py_ssize_t n = array.size, itemsize = array.itemsize
    cdef const char *x = address(array)
    cdef bint finite
    with nogil:
        finite = kernels_for(itemsize).is_finite(n, x)
    return bool(finite)


@takes(X=MATRIX, shift=DOUBLES, power=WHOLE)
def column_sums(const real[:, ::1] X not None, const double[::1] shift not None, int power):
    """The sum of (X - shift) ** power of each column, in float64, row after row.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (rows, n)
    shift : ndarray of float64, shape (n,)
    power : {1, 2}

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    cdef Py_ssize_t i, j, n = X.shape[1]
    cdef double[::1] sums = np.zeros(n)
    cdef double difference
    cdef uint64_t mode
    if shift.shape[0] != n or power not in (1, 2):
        raise ValueError(f"shift must have an entry for each of the {n} columns of X, and power be "
                         f"1 or 2; got {shift.shape[0]} entries and power {power}")
    with nogil, cython.boundscheck(False):
        mode = keep_subnormals()
        for i in range(X.shape[0]):
            for j in range(n):
                difference = X[i, j] - shift[j]
                sums[j] += difference if power == 1 else difference * difference
        restore_subnormals(mode)
    return np.asarray(sums)


ctypedef fused source:
    float
    double


@takes(X=MATRIX._replace(alike=False), shift=DOUBLES, factor=DOUBLES,
       out=MATRIX.as_output())
def scale_rows(const source[:, ::1] X not None, const double[::1] shift not None,
               const double[::1] factor not None, real[:, ::1] out not None, bint clips=False):
    """out = t = (X - shift) * factor, computed in float64 and rounded once; subnormal numbers
    count.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (rows, n)
    shift, factor : ndarray of float64, shape (n,)
    out : ndarray of float32 or float64, shape (rows, n)
    clips : bool
        Whether out is t / sqrt(1 + (t / 3)^2) instead, which lies between -3 and 3.
    """
    cdef Py_ssize_t i, j, n = X.shape[1]
    cdef double t
    cdef uint64_t mode
    if (shift.shape[0] != n or factor.shape[0] != n or out.shape[0] != X.shape[0]
            or out.shape[1] != n):
        raise ValueError(f"shift and factor must have {n} entries and out the shape of X, "
                         f"got {shift.shape[0]}, {factor.shape[0]} and {np.shape(out)}")
    with nogil, cython.boundscheck(False):
        mode = keep_subnormals()
        for i in range(X.shape[0]):
            for j in range(n):
                t = (X[i, j] - shift[j]) * factor[j]
                out[i, j] = <real>(smooth_clip(t) if clips else t)
        restore_subnormals(mode)
