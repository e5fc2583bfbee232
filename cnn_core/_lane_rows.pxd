"""Rows of nets side by side: where they are, their labels and weights."""

from libc.stdint cimport int32_t

from cnn_core._dataset cimport RowSource, source_row
from cnn_core._linalg cimport real
from cnn_core._platform cimport prefetch

# Rows of X, y, labels or weights; data is NULL where there are none.
cdef struct Rows:
    const char *data
    const Py_ssize_t *indices
    Py_ssize_t bytes


cdef inline Rows rows_of(RowSource source):
    cdef Rows rows
    rows.data, rows.indices, rows.bytes = NULL, NULL, 0
    if source is not None:
        rows.data, rows.indices, rows.bytes = source.data, source.row_indices, source.row_bytes
    return rows


cdef inline void find(const Rows *source, const Py_ssize_t *order, Py_ssize_t first,
                      Py_ssize_t rows, Py_ssize_t nets, const char **found) noexcept nogil:
    """Where rows order[0 .. rows) are (NULL: first, first + 1, ...), `nets` apart."""
    cdef const char *data = source.data
    cdef const char *row
    cdef const Py_ssize_t *indices = source.indices
    cdef Py_ssize_t r, width = source.bytes
    for r in range(rows):
        row = data + source_row(indices, order[r] if order else first + r) * width
        prefetch(row)
        found[r * nets] = row


cdef inline void gather_labels(const Rows *source, const Py_ssize_t *order, Py_ssize_t first,
                               Py_ssize_t rows, Py_ssize_t nets, int32_t *label) noexcept nogil:
    """The labels of the same rows."""
    cdef const int32_t *labels = <const int32_t *>source.data
    cdef const Py_ssize_t *indices = source.indices
    cdef Py_ssize_t r
    for r in range(rows):
        label[r * nets] = labels[source_row(indices, order[r] if order else first + r)]


cdef inline void scale_typed(real *scale, const real *row_weight, const double *weight,
                             Py_ssize_t rows, Py_ssize_t nets) noexcept nogil:
    """As `Workspace.set_row_scale`: each row's share of the mini-batch's weight, of each net."""
    cdef Py_ssize_t i, r
    cdef double share
    for r in range(rows):
        for i in range(nets):
            share = 0
            if weight[i] > 0:
                share = (row_weight[r * nets + i] if row_weight else 1) / weight[i]
            scale[r * nets + i] = <real>share


cdef inline void scale_rows(Py_ssize_t itemsize, char *scale, const char *row_weight,
                            const double *weight, Py_ssize_t rows,
                            Py_ssize_t nets) noexcept nogil:
    if itemsize == 8:
        scale_typed(<double *>scale, <const double *>row_weight, weight, rows, nets)
    else:
        scale_typed(<float *>scale, <const float *>row_weight, weight, rows, nets)


cdef inline double sum_of(Py_ssize_t itemsize, const char *numbers, Py_ssize_t i,
                          Py_ssize_t rows, Py_ssize_t nets) noexcept nogil:
    """The sum of a net's numbers, row after row."""
    cdef double total = 0
    cdef Py_ssize_t r
    for r in range(rows):
        if itemsize == 8:
            total += (<const double *>numbers)[r * nets + i]
        else:
            total += (<const float *>numbers)[r * nets + i]
    return total
