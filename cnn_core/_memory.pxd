"""Memory of the native core: matrices with strides, the allocator, where an array's data begin."""

from cnn_core._tuning cimport SET_BYTES

cdef enum:
    PANEL_BYTES = 64            # a panel: 16 float32 or 8 float64

# Element (r, j) is at data + r * row + j * column; both strides are in bytes. Transposed, which is
# feature-major, a matrix has `row` equal to the size of an element.
cdef struct Matrix:
    char *data
    Py_ssize_t row, column


cdef inline Matrix matrix(char *data, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
    cdef Matrix m
    m.data, m.row, m.column = data, row, column
    return m


cdef inline char *at(const Matrix *m, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
    return m.data + row * m.row + column * m.column


cdef inline Matrix from_row(const Matrix *m, Py_ssize_t row) noexcept nogil:
    """The matrix without the rows before `row`; NULL stays NULL."""
    return matrix(m.data + row * m.row if m.data else NULL, m.row, m.column)


cdef inline bint is_transposed(const Matrix *m, Py_ssize_t itemsize) noexcept nogil:
    return m.row == itemsize


cdef inline Py_ssize_t elements(Py_ssize_t stride, Py_ssize_t itemsize) noexcept nogil:
    """A stride as the kernels take it: items of 4 or 8 bytes, and no division."""
    return stride >> (2 + (itemsize >> 3))


cdef inline Py_ssize_t blocks(Py_ssize_t rows, Py_ssize_t size) noexcept nogil:
    """Blocks of at most `size` rows that `rows` rows are divided into."""
    return (rows + size - 1) // size


cdef inline Py_ssize_t leading_dimension(Py_ssize_t width, Py_ssize_t itemsize) noexcept nogil:
    """Columns from one row of z, a, delta or y to the next, for rows of this width."""
    cdef Py_ssize_t lanes = PANEL_BYTES // itemsize
    cdef Py_ssize_t ld = (width + lanes - 1) // lanes * lanes
    return ld + lanes if ld * itemsize % SET_BYTES == 0 else ld


# Where a C-contiguous array's data begin; NULL for an empty one.
cdef char *address(object array) except? NULL

# The same for an argument, which must be as `rule`, an Array of _checks, says, and where another
# argument `like` is given, of its dtype.
cdef char *data_of(str name, object array, object rule, object dtype=*, str like=*) except? NULL

# `out`, which must be an array of this shape and dtype, or new zeros where it is None.
cdef object output(object out, tuple shape, object dtype, str like)


cdef class Arena:
    """Zero-filled buffers that live as long as their owner."""

    cdef list buffers
    cdef char *alloc(self, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t itemsize) except NULL
    cdef char *first(self) except NULL
    cdef Matrix rows(self, Py_ssize_t rows, Py_ssize_t ld, Py_ssize_t itemsize) except *
