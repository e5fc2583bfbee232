"""Dropout of a layer's inputs."""

from libc.stdint cimport uint64_t

from cnn_core._cpu cimport dropout_t

cdef dropout_t dropout_of(double rate, bint alpha_dropout) noexcept nogil
cdef void seed_dropout(dropout_t *d, Py_ssize_t layer, uint64_t seed, uint64_t step) noexcept nogil
