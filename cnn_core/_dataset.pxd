"""Where the rows of a mini-batch come from."""

from libc.stdint cimport int32_t


cdef class RowSource:
    cdef readonly object array, indices
    cdef readonly Py_ssize_t count
    cdef const char *data
    cdef const Py_ssize_t *row_indices
    cdef Py_ssize_t row_bytes, columns, total   # of a row, and rows of the array
    cdef bint mapped                    # the array is a view of a file
    cdef long faults                    # major page faults of the process so far
    cdef int ahead                      # mini-batches left whose rows are read ahead
    cdef tuple shape(self)
    cdef bint has_shape(self, Py_ssize_t rows, Py_ssize_t columns, object dtype) except -1
    cdef bint all_below(self, int32_t bound) noexcept nogil
    cdef void prefetch_pages(self, const Py_ssize_t *order, Py_ssize_t rows) noexcept nogil
    cdef void advise_random(self, bint random) noexcept nogil
    cdef void read_ahead(self, const Py_ssize_t *order, Py_ssize_t rows) noexcept nogil
    cdef void gather(self, const Py_ssize_t *order, Py_ssize_t first, Py_ssize_t rows, char *out,
                     Py_ssize_t step) noexcept nogil


cdef bint all_rows_below(Py_ssize_t bound, const Py_ssize_t *order, Py_ssize_t n) noexcept nogil


cdef inline Py_ssize_t source_row(const Py_ssize_t *indices, Py_ssize_t row) noexcept nogil:
    """Which row of its array a row of a source is."""
    return indices[row] if indices else row
