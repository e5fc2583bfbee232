"""Activation functions and their derivatives on arrays."""

from types import MappingProxyType

import numpy as np

from libc.stdint cimport uint64_t

from cnn_core._cpu cimport activation_t, kernels_for
from cnn_core._memory cimport address, data_of, leading_dimension
from cnn_core._platform cimport flush_subnormals, restore_subnormals
from cnn_core._checks import MATRIX, NUMBER, takes
from cnn_core._names import choose
from cnn_core._memory import aligned_zeros


def names():
    """Names of all activations.

    Returns
    -------
    tuple of str
    """
    return NAMES


def parameters():
    """The activations that have a number to choose.

    Returns
    -------
    mapping of str to tuple (str, float)
        Activation to the number's name and its value in the literature.
    """
    return PARAMETERS


cdef read_table():
    cdef const activation_t *f = kernels_for(4).activations
    found = {}
    while f.name:
        name = f.param_name.decode() if f.param_name else None
        found[f.name.decode()] = name, f.default_param
        f += 1
    return found


# The same for all instruction sets and dtypes.
cdef dict TABLE = read_table()
cdef tuple NAMES = tuple(TABLE)
cdef object PARAMETERS = MappingProxyType({name: row for name, row in TABLE.items() if row[0]})


cdef padded(x):
    """A copy of x with the leading dimension that kernels want, its subnormal numbers zero: a
    minimum or maximum hands them on in one instruction set and not in another."""
    cdef uint64_t mode
    array = aligned_zeros((x.shape[0], leading_dimension(x.shape[1], x.itemsize)), x.dtype)
    array[:, :x.shape[1]] = x
    if array.size:
        mode = flush_subnormals()
        kernels_for(x.itemsize).scale(array.size, 1, address(array))
        restore_subnormals(mode)
    return array


@takes(z=MATRIX, activation_param=NUMBER)
def activation(name, z, activation_param=None):
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
    data_of("z", z, MATRIX)
    cdef const activation_t *f = &kernels_for(z.itemsize).activations[
        choose("activation", name, names())]
    cdef uint64_t mode
    cdef double param = f.default_param if activation_param is None else activation_param
    a = padded(z)
    cdef Py_ssize_t rows = a.shape[0], width = z.shape[1], ld = a.shape[1]
    cdef char *data = address(a)
    if data != NULL:
        with nogil:
            mode = flush_subnormals()
            f.forward(rows, width, ld, 1, param, data, data)
            restore_subnormals(mode)
    return np.ascontiguousarray(a[:, :width])


cdef _backward(name, values, gradient, activation_param, bint from_a):
    """gradient * f', from z or, where f' is a function of a, from a."""
    cdef const activation_t *f = &kernels_for(values.itemsize).activations[
        choose("activation", name, names())]
    cdef double param = f.default_param if activation_param is None else activation_param
    cdef uint64_t mode
    z, a, delta = padded(values), padded(values), padded(gradient)
    cdef Py_ssize_t rows = a.shape[0], width = values.shape[1], ld = a.shape[1]
    cdef char *z_data = address(z)
    cdef char *a_data = address(a)
    cdef char *delta_data = address(delta)
    if delta_data != NULL:
        with nogil:
            mode = flush_subnormals()
            if not from_a:
                f.forward(rows, width, ld, 1, param, z_data, a_data)
            f.backward(rows, width, ld, 1, param, z_data, a_data, delta_data)
            restore_subnormals(mode)
    return np.ascontiguousarray(delta[:, :width])


@takes(z=MATRIX, gradient=MATRIX, activation_param=NUMBER)
def activation_backward(name, z, gradient, activation_param=None):
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
    data_of("z", z, MATRIX)
    data_of("gradient", gradient, MATRIX, z.dtype, "z")
    if z.shape != gradient.shape:
        raise ValueError(f"z and gradient must have the same shape, got {z.shape} and "
                         f"{gradient.shape}")
    return _backward(name, z, gradient, activation_param, False)


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
    data_of("z", z, MATRIX)
    cdef const activation_t *f = &kernels_for(4).activations[choose("activation", name, names())]
    values, directions, shape = unit_gradients(f.per_row, z)
    return activation_backward(name, values, directions, activation_param).reshape(shape)


cdef tuple unit_gradients(bint per_row, values):
    """Rows with a gradient for each derivative of theirs, and the shape of these: a gradient of 1
    for each element, or, of functions of a row, each unit vector."""
    if not per_row:
        return values, np.ones_like(values), values.shape
    rows, width = values.shape
    directions = np.tile(np.eye(width, dtype=values.dtype), (rows, 1))
    return np.repeat(values, width, axis=0), directions, (rows, width, width)


@takes(z=MATRIX, r_z=MATRIX, gradient=MATRIX, r_gradient=MATRIX, activation_param=NUMBER)
def activation_backward_along(name, z, r_z, gradient, r_gradient, activation_param=None):
    """The derivative of dC/dz = ``gradient * f'(z)`` along a direction in which z and the gradient
    change: ``r_gradient * f'(z) + gradient * f''(z) * r_z``, or the same through the Jacobian of
    softmax (Pearlmutter 1994).

    Parameters
    ----------
    name : str
    z, r_z : ndarray of float32 or float64, shape (rows, width)
        The activation's input, and its derivative along the direction.
    gradient, r_gradient : ndarray, shape (rows, width)
        dC/da, and its derivative.
    activation_param : float, optional
        As in `activation`.

    Returns
    -------
    ndarray, shape (rows, width)
    """
    data_of("z", z, MATRIX)
    for what, x in (("r_z", r_z), ("gradient", gradient), ("r_gradient", r_gradient)):
        data_of(what, x, MATRIX, z.dtype, "z")
        if x.shape != z.shape:
            raise ValueError(f"z and {what} must have the same shape, got {z.shape} and {x.shape}")
    return _along(name, z, r_z, gradient, r_gradient, activation_param)


cdef _along(name, z, r_z, gradient, r_gradient, activation_param):
    """The same; without r_gradient, the part of f'' alone."""
    cdef const activation_t *f = &kernels_for(z.itemsize).activations[
        choose("activation", name, names())]
    cdef double param = f.default_param if activation_param is None else activation_param
    cdef uint64_t mode
    cdef bint changes = r_gradient is not None
    z_padded, a, r_z, g = [padded(x) for x in (z, z, r_z, gradient)]
    r_delta = padded(r_gradient) if changes else np.zeros_like(a)
    cdef Py_ssize_t rows = a.shape[0], width = z.shape[1], ld = a.shape[1]
    cdef char *z_data = address(z_padded)
    cdef char *a_data = address(a)
    cdef char *r_z_data = address(r_z)
    cdef char *g_data = address(g)
    cdef char *r_delta_data = address(r_delta)
    if z_data != NULL:
        with nogil:
            mode = flush_subnormals()
            f.forward(rows, width, ld, 1, param, z_data, a_data)
            if changes:
                f.backward(rows, width, ld, 1, param, z_data, a_data, r_delta_data)
            f.along(rows, width, ld, param, z_data, a_data, r_z_data, g_data, r_delta_data)
            restore_subnormals(mode)
    return np.ascontiguousarray(r_delta[:, :width])


@takes(z=MATRIX, activation_param=NUMBER)
def activation_second_derivative(name, z, activation_param=None):
    """f''(z); 0 at a corner such as that of relu, and of elu and selu the limit from below there.

    Parameters
    ----------
    name : str
    z : ndarray of float32 or float64, shape (rows, width)
    activation_param : float, optional
        As in `activation`.

    Returns
    -------
    ndarray
        Shape (rows, width) for functions of one element. Of softmax shape (rows, width, width,
        width), ``[r, i, j, k]`` = d2a_i / (dz_j dz_k).
    """
    data_of("z", z, MATRIX)
    cdef const activation_t *f = &kernels_for(4).activations[choose("activation", name, names())]
    if not f.per_row:
        ones = np.ones_like(z)
        return _along(name, z, ones, ones, None, activation_param)
    rows, width = z.shape
    # For each row all pairs of a unit gradient i and a unit direction k; the result has the j.
    unit = np.eye(width, dtype=z.dtype)
    g, r_z = np.repeat(unit, width, axis=0), np.tile(unit, (width, 1))
    pairs = width * width
    found = _along(name, np.repeat(z, pairs, axis=0), np.tile(r_z, (rows, 1)),
                   np.tile(g, (rows, 1)), None, activation_param)
    return np.ascontiguousarray(found.reshape(rows, width, width, width).swapaxes(2, 3))


@takes(a=MATRIX, activation_param=NUMBER)
def activation_derivative_from_a(name, a, activation_param=None):
    """f' of the outputs a = f(z), as textbooks write it: a (1 - a) for sigmoid, 1 - a^2 for tanh.

    Parameters
    ----------
    name : str
        An activation whose f' is a function of a; that of gelu, gelu_tanh, swish, mish and
        hard_swish is not.
    a : ndarray of float32 or float64, shape (rows, width)
        Within the range of the activation.
    activation_param : float, optional
        As in `activation`.

    Returns
    -------
    ndarray
        As `activation_derivative`: shape (rows, width), or for softmax the Jacobians, shape (rows,
        width, width). The bits are those of training.
    """
    data_of("a", a, MATRIX)
    cdef const activation_t *f = &kernels_for(4).activations[choose("activation", name, names())]
    if f.needs_preactivation:
        raise ValueError(f"f' of {name!r} is no function of a, as different z give the same a; "
                         "activation_derivative takes z")
    check_range(name, f.per_row, a, activation_param)
    values, directions, shape = unit_gradients(f.per_row, a)
    return _backward(name, values, directions, activation_param, True).reshape(shape)


cdef check_range(name, bint per_row, a, activation_param):
    """Raise for an entry that no z leads to. The activations whose f' is a function of a do not
    decrease, so that their limits are their range."""
    ends = np.array([[-np.inf, np.inf]], a.dtype)
    low, high = (0, 1) if per_row else activation(name, ends, activation_param)[0]
    beyond = (a < low) | (a > high)
    if beyond.any():
        row, column = np.argwhere(beyond)[0]
        raise ValueError(f"a has {a[row, column]} at row {row}, column {column}, but {name} gives "
                         f"numbers from {low:g} to {high:g}; activation_derivative takes z")
