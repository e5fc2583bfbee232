"""The optimizer: its settings, its memory, one step."""

from libc.stdint cimport int64_t

from cnn_core._cpu cimport OPTIMIZER_NUMBERS, optimizer_t
from cnn_core._network cimport Network


cdef class Optimizer:
    cdef readonly Network network
    cdef readonly str name
    cdef readonly tuple slots
    cdef readonly int64_t steps
    cdef int row                            # in the table
    cdef double[OPTIMIZER_NUMBERS] h        # settings, and what a step leaves for the next
    cdef (void *)[8] slot
    cdef readonly double clip_norm, max_norm
    cdef void begin_step(self) noexcept nogil
    cdef void step_slice(self, Py_ssize_t offset, Py_ssize_t n, const char *g) noexcept nogil
    cdef void clip(self, Py_ssize_t n, char *g) noexcept nogil
    cdef void clip_row_norms(self) noexcept nogil
