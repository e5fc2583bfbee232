"""Activation functions and their derivatives over memoryviews."""

import numpy as np

from libc.stdint cimport uint64_t

from cnn_core._cpu cimport activation_t, kernels_for
from cnn_core._memory cimport leading_dimension
from cnn_core._platform cimport flush_subnormals, restore_subnormals
from cnn_core._checks import MATRIX, NUMBER, takes
from cnn_core._names import choose
from cnn_core._memory import aligned_zeros

ctypedef fused real:
    float
    double


def names():
    """Names of all activations.

    Returns
    -------
    tuple of str
    """
    cdef const activation_t *f = kernels_for(4).activations
    found = []
    while f.name:
        found.append(f.name.decode())
        f += 1
    return tuple(found)


def parameters():
    """The activations that have a number to choose.

    Returns
    -------
    dict of str to tuple (str, float)
        Activation to the number's name and its value in the literature.
    """
    cdef const activation_t *f = kernels_for(4).activations
    found = {}
    while f.name:
        if f.param_name:
            found[f.name.decode()] = f.param_name.decode(), f.default_param
        f += 1
    return found


cdef padded(const real[:, ::1] x):
    """A copy of x with the leading dimension that kernels want, its subnormal numbers zero: a
    minimum or maximum hands them on in one instruction set and not in another."""
    cdef real[:, ::1] copy
    cdef uint64_t mode
    array = aligned_zeros((x.shape[0], leading_dimension(x.shape[1], sizeof(real))),
                          np.asarray(x).dtype)
    array[:, :x.shape[1]] = x
    if array.size:
        copy = array
        mode = flush_subnormals()
        kernels_for(sizeof(real)).scale(copy.shape[0] * copy.shape[1], 1, &copy[0, 0])
        restore_subnormals(mode)
    return array


@takes(z=MATRIX, activation_param=NUMBER)
def activation(name, const real[:, ::1] z not None, activation_param=None):
    """a = f(z).

    Parameters
    ----------
    name : str
        One of `names`.
    z : ndarray of float32 or float64, shape (rows, width)
        C-contiguous. Softmax works on each row; the others on each element.
    activation_param : float, optional
        The activation's number, see `parameters`; default that of the literature.

    Returns
    -------
    ndarray, shape (rows, width)
    """
    cdef const activation_t *f = &kernels_for(sizeof(real)).activations[
        choose("activation", name, names())]
    cdef real[:, ::1] a = padded(z)
    cdef uint64_t mode
    cdef double param = f.default_param if activation_param is None else activation_param
    if a.shape[0] and a.shape[1]:
        with nogil:
            mode = flush_subnormals()
            f.forward(a.shape[0], z.shape[1], a.shape[1], 1, param, &a[0, 0], &a[0, 0])
            restore_subnormals(mode)
    return np.ascontiguousarray(np.asarray(a)[:, :z.shape[1]])


@takes(z=MATRIX, gradient=MATRIX, activation_param=NUMBER)
def activation_backward(name, const real[:, ::1] z not None, const real[:, ::1] gradient not None,
                        activation_param=None):
    """dC/dz from dC/da: ``gradient * f'(z)``, or through the Jacobian of softmax.

    Parameters
    ----------
    name : str
    z, gradient : ndarray of float32 or float64, shape (rows, width)
        The activation's input, and dC/da.
    activation_param : float, optional
        As in `activation`.

    Returns
    -------
    ndarray, shape (rows, width)
    """
    cdef const activation_t *f = &kernels_for(sizeof(real)).activations[
        choose("activation", name, names())]
    cdef Py_ssize_t width = z.shape[1]
    cdef double param = f.default_param if activation_param is None else activation_param
    cdef real[:, ::1] zs, a, delta
    cdef uint64_t mode
    if z.shape[0] != gradient.shape[0] or width != gradient.shape[1]:
        raise ValueError(f"z and gradient must have the same shape, "
                         f"got {np.shape(z)} and {np.shape(gradient)}")
    zs, a, delta = padded(z), padded(z), padded(gradient)
    if a.shape[0] and a.shape[1]:
        with nogil:
            mode = flush_subnormals()
            f.forward(a.shape[0], width, a.shape[1], 1, param, &zs[0, 0], &a[0, 0])
            f.backward(a.shape[0], width, a.shape[1], 1, param, &zs[0, 0], &a[0, 0], &delta[0, 0])
            restore_subnormals(mode)
    return np.ascontiguousarray(np.asarray(delta)[:, :width])


@takes(z=MATRIX, activation_param=NUMBER)
def activation_derivative(name, z, activation_param=None):
    """f'(z).

    Parameters
    ----------
    name : str
    z : ndarray of float32 or float64, shape (rows, width)
    activation_param : float, optional
        As in `activation`.

    Returns
    -------
    ndarray
        Shape (rows, width) for functions of one element. Softmax has a Jacobian for each row: shape
        (rows, width, width), ``[r, i, j]`` = da_i/dz_j.
    """
    cdef const activation_t *f = &kernels_for(4).activations[choose("activation", name, names())]
    if not f.per_row:
        return activation_backward(name, z, np.ones_like(z), activation_param)
    rows, width = z.shape
    repeated = np.repeat(z, width, axis=0)
    unit = np.tile(np.eye(width, dtype=z.dtype), (rows, 1))
    return activation_backward(name, repeated, unit).reshape(rows, width, width)
