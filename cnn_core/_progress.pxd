"""Where an epoch is that was ended before it was over."""

from cnn_core._batches cimport Batches, Totals


cdef class Progress:
    cdef Py_ssize_t done                # mini-batches
    cdef Totals totals                  # over them, as the residuals
    cdef object residuals
    cdef double *kept
    cdef Py_ssize_t n_residuals
    cdef double pause_at
    cdef begin(self, Batches batches, Totals *totals)
    cdef void keep(self, Py_ssize_t done, const Totals *totals,
                   const double *residuals) noexcept nogil
    cdef bint is_due(self) noexcept nogil
