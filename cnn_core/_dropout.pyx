"""Dropout: which inputs of a layer a training step leaves out, as a pure function of seed, step,
layer, row and input."""

import numpy as np

from libc.math cimport sqrt
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from cnn_core._cpu cimport dropout_t, kernels_for
from cnn_core._memory cimport address, data_of, leading_dimension
from cnn_core._platform cimport flush_subnormals, restore_subnormals
from cnn_core._random cimport dropout_purpose
from cnn_core._checks import MATRIX, NUMBER, SEED, WORD, takes
from cnn_core._memory import aligned_zeros

cdef dropout_t dropout_of(double rate, bint alpha_dropout) noexcept nogil:
    """Dropout scaled so that the mean stays (Srivastava et al. 2014), or, with `alpha_dropout`, so
    that mean 0 and variance 1 of selu's outputs stay: what is dropped takes selu's lower limit
    -lambda alpha (Klambauer et al. 2017)."""
    cdef dropout_t d
    cdef double keep = 1 - rate, fill_value = -1.7580993408473768 if alpha_dropout else 0
    memset(&d, 0, sizeof(d))
    d.threshold = <uint32_t>(rate * 4294967296.0)
    d.factor = 1 / sqrt(keep + fill_value * fill_value * keep * rate) if alpha_dropout else 1 / keep
    d.shift = -d.factor * rate * fill_value
    d.fill_value = d.factor * fill_value + d.shift
    return d


cdef void seed_dropout(dropout_t *d, Py_ssize_t layer, uint64_t seed, uint64_t step) noexcept nogil:
    """Which inputs of a layer the coming training step leaves out."""
    d.key, d.purpose, d.step = seed, dropout_purpose(<uint32_t>layer, step), <uint32_t>step


@takes(a=MATRIX, rate=NUMBER, seed=SEED, step=SEED, layer=WORD)
def drop(a, double rate, uint64_t seed, uint64_t step, uint32_t layer, bint alpha_dropout=False):
    """What dropout makes of the inputs of a layer in a training step.

    Parameters
    ----------
    a : ndarray of float32 or float64, shape (rows, n)
        The rows of a mini-batch.
    rate : float
        Share that is left out, in [0, 1).
    seed : int
        Of the run, 0 to 2**64 - 1.
    step, layer : int
        Counted from 0; layer 0 reads the inputs x.
    alpha_dropout : bool
        Whether to drop as suits selu.

    Returns
    -------
    dropped : ndarray, shape (rows, n)
        What the layer reads instead of a.
    mask : ndarray, shape (rows, n)
        d dropped / d a: the factor of those that stay, 0 for those that go.
    """
    data_of("a", a, MATRIX)
    if not 0 <= rate < 1:
        raise ValueError(f"rate must be at least 0 and below 1, got {rate}")
    cdef dropout_t d = dropout_of(rate, alpha_dropout)
    cdef Py_ssize_t itemsize = a.itemsize
    cdef Py_ssize_t rows = a.shape[0], n = a.shape[1], ld = leading_dimension(n, itemsize)
    cdef uint64_t mode
    x, dropped, mask = [aligned_zeros((rows, ld), a.dtype) for _ in range(3)]
    cdef char *x_data = address(x)
    cdef char *dropped_data = address(dropped)
    cdef char *mask_data = address(mask)
    x[:, :n] = a
    d.key, d.purpose, d.step = seed, dropout_purpose(layer, step), <uint32_t>step
    if rows and n:
        with nogil:
            mode = flush_subnormals()
            kernels_for(itemsize).drop(0, rows, n, ld, &d, x_data, dropped_data, mask_data)
            restore_subnormals(mode)
    return np.ascontiguousarray(dropped[:, :n]), np.ascontiguousarray(mask[:, :n])
