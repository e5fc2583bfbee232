"""Matrix-vector and matrix products without BLAS, and the panel layout that weights rest in."""

import numpy as np

from libc.stdint cimport uint32_t, uint64_t

from cnn_core._cpu cimport kernels_for, kernels_t, matmul_args_t
from cnn_core._matmul cimport matmul_args, panels_of
from cnn_core._memory cimport PANEL_BYTES, address, blocks, data_of, matrix, output
from cnn_core._platform cimport flush_subnormals, keep_subnormals, restore_subnormals
from cnn_core._checks import DOUBLES, MATRIX, NUMBER, PANELS, VECTOR, WHOLE, Array, takes
from cnn_core._memory import aligned_zeros
from cnn_core._names import choose

CURVES = ("linear", "smooth clip", "asinh")  # in the order of `Curve`

ctypedef fused word:
    uint32_t
    uint64_t

ctypedef fused source:
    float
    double


cdef void copy_words(Py_ssize_t n, const word *x, Py_ssize_t x_step, word *y,
                     Py_ssize_t y_step) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i * y_step] = x[i * x_step]


cdef void copy_items(Py_ssize_t itemsize, Py_ssize_t n, const char *x, Py_ssize_t x_step, char *y,
                     Py_ssize_t y_step) noexcept nogil:
    """n items of 4 or 8 bytes, whose steps are counted in items."""
    if itemsize == 4:
        copy_words(n, <const uint32_t *>x, x_step, <uint32_t *>y, y_step)
    else:
        copy_words(n, <const uint64_t *>x, x_step, <uint64_t *>y, y_step)


cdef inline Py_ssize_t panel_offset(Py_ssize_t o, Py_ssize_t n_in,
                                    Py_ssize_t itemsize) noexcept nogil:
    """Where the weight from input 0 to output o stands in panels, in bytes; the weights from the
    other inputs follow, one in each PANEL_BYTES."""
    cdef Py_ssize_t lanes = PANEL_BYTES // itemsize
    return o // lanes * n_in * PANEL_BYTES + o % lanes * itemsize


cdef check_panels(object panels, Py_ssize_t n_out, bint holds):
    if panels.shape[2] * panels.itemsize != PANEL_BYTES or not holds:
        raise ValueError(f"panels of shape {panels.shape} do not hold n_out = {n_out} outputs "
                         f"in lanes of {PANEL_BYTES // panels.itemsize}")


@takes(W=MATRIX, out=PANELS.as_output())
def pack(W, out=None):
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
    cdef const char *w = data_of("W", W, MATRIX)
    cdef Py_ssize_t n_out = W.shape[0], n_in = W.shape[1], itemsize = W.itemsize, o
    cdef Py_ssize_t lanes = PANEL_BYTES // itemsize, panels = blocks(n_out, lanes)
    cdef uint64_t zero = 0
    cdef char *target
    out = output(out, (panels, n_in, lanes), W.dtype, "W")
    target = address(out)
    with nogil:
        for o in range(panels * lanes):
            if o < n_out:
                copy_items(itemsize, n_in, w + o * n_in * itemsize, 1,
                           target + panel_offset(o, n_in, itemsize), lanes)
            else:
                copy_items(itemsize, n_in, <const char *>&zero, 0,
                           target + panel_offset(o, n_in, itemsize), lanes)
    return out


@takes(panels=PANELS, n_out=WHOLE, out=MATRIX.as_output())
def unpack(panels, Py_ssize_t n_out, out=None):
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
    cdef const char *data = data_of("panels", panels, PANELS)
    cdef Py_ssize_t n_in = panels.shape[1], itemsize = panels.itemsize, o
    cdef Py_ssize_t lanes = PANEL_BYTES // itemsize
    cdef char *target
    check_panels(panels, n_out, 0 <= n_out <= panels.shape[0] * lanes)
    out = output(out, (n_out, n_in), panels.dtype, "panels")
    target = address(out)
    with nogil:
        for o in range(n_out):
            copy_items(itemsize, n_in, data + panel_offset(o, n_in, itemsize), lanes,
                       target + o * n_in * itemsize, 1)
    return out


@takes(panels=PANELS, n_out=WHOLE)
def transpose_panels(panels, Py_ssize_t n_out):
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
    cdef const char *data = data_of("panels", panels, PANELS)
    cdef Py_ssize_t n_in = panels.shape[1], itemsize = panels.itemsize
    cdef Py_ssize_t lanes = PANEL_BYTES // itemsize
    cdef char *target
    check_panels(panels, n_out, panels.shape[0] == blocks(n_out, lanes))
    result = aligned_zeros((blocks(n_in, lanes), n_out, lanes), panels.dtype)
    target = address(result)
    if target != NULL:
        with nogil:
            kernels_for(itemsize).transpose_panels(n_in, n_out, 0, n_in, 0, n_out, data, target)
    return result


@takes(X=MATRIX, panels=PANELS, b=VECTOR, out=MATRIX.as_output())
def affine(X, panels, b=None, out=None):
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
    cdef char *x = data_of("X", X, MATRIX)
    cdef char *w = data_of("panels", panels, PANELS, X.dtype, "X")
    cdef char *bias = data_of("b", b, VECTOR, X.dtype, "X") if b is not None else NULL
    cdef char *z
    cdef Py_ssize_t rows = X.shape[0], n_in = X.shape[1], itemsize = X.itemsize
    cdef Py_ssize_t n_panels = panels.shape[0], columns = n_panels * (PANEL_BYTES // itemsize)
    cdef matmul_args_t p
    cdef uint64_t mode
    if n_in != panels.shape[1] or panels.shape[2] * itemsize != PANEL_BYTES:
        raise ValueError(f"X of shape {X.shape} does not go with panels of shape {panels.shape}")
    if b is not None and b.shape[0] != columns:
        raise ValueError(f"b must have shape {(columns,)}, got {b.shape}")
    out = output(out, (rows, columns), X.dtype, "X")
    z = address(out)
    if z == NULL:
        return out
    # Without inputs nothing is read.
    matmul_args(&p, rows, n_panels, n_in, matrix(x if x else z, n_in * itemsize, itemsize),
                panels_of(w if w else z, PANEL_BYTES, n_in * PANEL_BYTES),
                panels_of(z, columns * itemsize, PANEL_BYTES), itemsize)
    p.bias = bias
    with nogil:
        mode = flush_subnormals()
        kernels_for(itemsize).matmul(&p)
        restore_subnormals(mode)
    return out


@takes(A=MATRIX, B=MATRIX)
def matmul(A, B):
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
    data_of("A", A, MATRIX)
    data_of("B", B, MATRIX, A.dtype, "A")
    if A.shape[1] != B.shape[0]:
        raise ValueError(f"A of shape {A.shape} and B of shape {B.shape} cannot be multiplied: "
                         f"{A.shape[1]} columns against {B.shape[0]} rows")
    # A row of B is a row of a panel already, but its last panel may reach past the end of B: hence
    # the copy.
    panels = pack(np.ascontiguousarray(np.asarray(B).T))
    return np.ascontiguousarray(affine(np.asarray(A), panels)[:, :B.shape[1]])


@takes(W=MATRIX, x=VECTOR, b=VECTOR)
def matvec(W, x, b=None):
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
    data_of("W", W, MATRIX)
    data_of("x", x, VECTOR, W.dtype, "W")
    if b is not None:
        data_of("b", b, VECTOR, W.dtype, "W")
    if W.shape[1] != x.shape[0]:
        raise ValueError(f"W of shape {W.shape} needs x of shape ({W.shape[1]},), "
                         f"got ({x.shape[0]},)")
    if b is not None and b.shape[0] != W.shape[0]:
        raise ValueError(f"b must have shape ({W.shape[0]},), got ({b.shape[0]},)")
    panels = pack(W)
    bias = aligned_zeros(panels.shape[0] * panels.shape[2], panels.dtype)
    if b is not None:
        bias[:W.shape[0]] = b
    return affine(np.asarray(x)[None], panels, bias)[0, :W.shape[0]].copy()


cdef check_vectors(object x, object y):
    lanes = PANEL_BYTES // x.itemsize
    if len(x) != len(y) or len(x) % lanes:
        raise ValueError(f"x and y must have the same length, a multiple of {lanes}; "
                         f"got {len(x)} and {len(y)}")


@takes(x=VECTOR, y=VECTOR)
def dot(x, y):
    """The sum of x y, with one partial sum for each lane of a panel and a fixed tree over them.

    Parameters
    ----------
    x, y : ndarray of float32 or float64, shape (n,)
        C-contiguous, of the same dtype; n a multiple of 16 or 8. They may be the same array.

    Returns
    -------
    float
    """
    cdef const char *x_data = data_of("x", x, VECTOR)
    cdef const char *y_data = data_of("y", y, VECTOR, x.dtype, "x")
    cdef const kernels_t *k = kernels_for(x.itemsize)
    cdef Py_ssize_t n = len(x)
    cdef uint64_t mode
    cdef double total
    check_vectors(x, y)
    if n == 0:
        return 0.0
    mode = flush_subnormals()
    total = k.dot(n, x_data, y_data)
    restore_subnormals(mode)
    return total


@takes(factor=NUMBER, x=VECTOR, y=VECTOR.as_output())
def axpy(double factor, x, y):
    """y += factor x, in place, with one rounding.

    Parameters
    ----------
    factor : float
    x, y : ndarray of float32 or float64, shape (n,)
        As in `dot`, but two arrays.
    """
    cdef const char *x_data = data_of("x", x, VECTOR)
    cdef char *y_data = data_of("y", y, VECTOR.as_output(), x.dtype, "x")
    cdef const kernels_t *k = kernels_for(x.itemsize)
    cdef Py_ssize_t n = len(x)
    cdef uint64_t mode
    check_vectors(x, y)
    if n:
        mode = flush_subnormals()
        k.axpy(n, factor, x_data, y_data)
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


cdef void add_row(Py_ssize_t n, const source *x, const double *shift, int power,
                  double *sums) noexcept nogil:
    cdef Py_ssize_t j
    cdef double difference
    for j in range(n):
        difference = x[j] - shift[j]
        sums[j] += difference if power == 1 else difference * difference


@takes(X=MATRIX, shift=DOUBLES, power=WHOLE)
def column_sums(X, shift, int power, start=None):
    """The sum of (X - shift) ** power of each column, in float64, row after row.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (rows, n)
    shift : ndarray of float64, shape (n,)
    power : {1, 2}
    start : ndarray of float64, shape (n,), optional
        The sums of rows before these; default 0.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    cdef const char *x = data_of("X", X, MATRIX)
    cdef const double *shifts = <const double *>data_of("shift", shift, DOUBLES)
    cdef Py_ssize_t i, rows = X.shape[0], n = X.shape[1], itemsize = X.itemsize
    cdef double *totals
    cdef uint64_t mode
    if shift.shape[0] != n or power not in (1, 2):
        raise ValueError(f"shift must have an entry for each of the {n} columns of X, and power be "
                         f"1 or 2; got {shift.shape[0]} entries and power {power}")
    sums = np.zeros(n)
    if start is not None:
        DOUBLES.check("start", start)
        if start.shape[0] != n:
            raise ValueError(f"start must have an entry for each of the {n} columns of X, got "
                             f"{start.shape[0]}")
        sums[:] = start
    totals = <double *>address(sums)
    with nogil:
        mode = keep_subnormals()
        for i in range(rows):
            if itemsize == 8:
                add_row(n, <const double *>x + i * n, shifts, power, totals)
            else:
                add_row(n, <const float *>x + i * n, shifts, power, totals)
        restore_subnormals(mode)
    return sums


cdef Curve curve_named(name) except *:
    cdef int place = choose("curve", name, CURVES)
    return <Curve>place


cdef void scale_from(Py_ssize_t n, const double *shift, const double *factor, Curve curve,
                     const source *x, char *out, Py_ssize_t itemsize) noexcept nogil:
    """A row, into float32 or float64 as the items of `out` are wide."""
    if itemsize == 8:
        scale_row(n, shift, factor, curve, x, <double *>out)
    else:
        scale_row(n, shift, factor, curve, x, <float *>out)


@takes(X=Array(2, alike=False), shift=DOUBLES, factor=DOUBLES,
       out=MATRIX.as_output())
def scale_rows(X, shift, factor, out, curve="linear"):
    """out = the curve of t = (X - shift) * factor, computed in float64 and rounded once; subnormal
    numbers count.

    Parameters
    ----------
    X : ndarray of float32 or float64, shape (rows, n)
    shift, factor : ndarray of float64, shape (n,)
    out : ndarray of float32 or float64, shape (rows, n)
    curve : {'linear', 'smooth clip', 'asinh'}
        t itself, t / sqrt(1 + (t / 3)^2), which lies between -3 and 3, or asinh t.
    """
    cdef const char *x = data_of("X", X, MATRIX)
    cdef const double *shifts = <const double *>data_of("shift", shift, DOUBLES)
    cdef const double *factors = <const double *>data_of("factor", factor, DOUBLES)
    cdef char *y = data_of("out", out, MATRIX.as_output())
    cdef Py_ssize_t i, rows = X.shape[0], n = X.shape[1]
    cdef Py_ssize_t itemsize = X.itemsize, out_itemsize = out.itemsize
    cdef Curve shape = curve_named(curve)
    cdef uint64_t mode
    if shift.shape[0] != n or factor.shape[0] != n or out.shape != X.shape:
        raise ValueError(f"shift and factor must have {n} entries and out the shape of X, "
                         f"got {shift.shape[0]}, {factor.shape[0]} and {out.shape}")
    with nogil:
        mode = keep_subnormals()
        for i in range(rows):
            if itemsize == 8:
                scale_from(n, shifts, factors, shape,  <const double *>x + i * n,
                           y + i * n * out_itemsize, out_itemsize)
            else:
                scale_from(n, shifts, factors, shape, <const float *>x + i * n,
                           y + i * n * out_itemsize, out_itemsize)
        restore_subnormals(mode)
