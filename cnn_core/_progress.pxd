"""Where an epoch is: its mini-batches that are done, and the sums over them."""

from cnn_core._batches cimport Batches, Totals

# The mini-batches first .. end - 1 of an epoch of `last`, over `rows` rows.
cdef struct Span:
    Py_ssize_t first, end, last, rows


cdef class Progress:
    cdef Py_ssize_t done                # mini-batches
    cdef Py_ssize_t last                # those of the last epoch, where it was over
    cdef Totals totals                  # over them, as the residuals
    cdef object residuals
    cdef double *kept
    cdef Py_ssize_t n_residuals
    cdef double pause_at               # -INFINITY: after each mini-batch
    cdef Py_ssize_t work                # multiplications since the clock was looked at
    cdef begin(self, Batches batches, Totals *totals)
    cdef void keep(self, Py_ssize_t done, const Totals *totals,
                   const double *residuals) noexcept nogil
    cdef bint is_due(self, Py_ssize_t work) noexcept nogil


cdef Span span_of(object part, Py_ssize_t count, Py_ssize_t batch, Py_ssize_t done) except *
