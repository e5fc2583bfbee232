"""Where the rows of a mini-batch come from."""

import mmap

import numpy as np

cimport cython
from libc.stdint cimport int32_t, uint32_t
from libc.string cimport memcpy

from cnn_core._memory cimport address
from cnn_core._platform cimport advise_access, advise_will_need, major_faults, prefetch
from cnn_core._tuning cimport PREFETCH_ROWS, READ_AHEAD_BATCHES
from cnn_core._checks import Array

# What rows may consist of: the items that kernels read.
cdef tuple ITEMS = ("float32", "float64", "int32", "int64", "uint32", "uint64")


cdef described(array):
    """An array as a message shows it: its range where it is a vector of numbers."""
    if array.ndim == 1 and array.dtype.kind in "iu":
        return f"{array.min()} to {array.max()}"
    return f"an array of shape {array.shape} and {array.dtype}"


cdef bint all_rows_below(Py_ssize_t bound, const Py_ssize_t *order, Py_ssize_t n) noexcept nogil:
    """Whether all n row numbers lie in 0 .. bound - 1."""
    cdef Py_ssize_t i
    cdef bint outside = False
    for i in range(n):
        outside |= <size_t>order[i] >= <size_t>bound
    return not outside


cdef inline void copy_row(char *out, const char *row, Py_ssize_t width) noexcept nogil:
    """`width` bytes; those of a label without a call."""
    if width == 4:
        memcpy(out, row, 4)
    else:
        memcpy(out, row, width)


cdef bint is_mapped(array):
    """Whether an array is a view of a memory map."""
    while array is not None:
        if isinstance(array, mmap.mmap):
            return True
        array = getattr(array, "base", None)
    return False


@cython.final
cdef class RowSource:
    """Where rows come from: the training loop asks a source for the rows of a mini-batch and knows
    no more of it.

    It yields the rows of a C-contiguous array, which it keeps alive and copies only where its
    numbers stand at addresses that are no multiples of their size.

    Parameters
    ----------
    array : ndarray, shape (rows, width)
        May be read-only, and a memory map. Its items are 4 or 8 bytes wide.
    indices : ndarray of intp, optional
        The rows of the array that the source yields; default all.

    Attributes
    ----------
    count : int
        Rows that it yields.
    """

    def __cinit__(self, array, indices=None):
        Array(2, ITEMS).check("array", array)
        if not array.flags.aligned:
            array = array.copy()
        self.array, self.count = array, array.shape[0]
        self.total, self.columns = self.count, array.shape[1]
        self.row_bytes = array.shape[1] * array.itemsize
        self.data = address(array)
        self.mapped = is_mapped(array)
        if indices is not None:
            given = np.asarray(indices)
            if given.ndim != 1 or given.size and (given.dtype.kind not in "iu" or not (
                    0 <= given.min() <= given.max() < len(array))):
                raise ValueError(f"indices must hold row numbers from 0 to {len(array) - 1}, "
                                 f"got {described(given)}")
            self.indices = given.astype(np.intp)
            self.indices.setflags(write=False)
            self.count = len(given)
            self.row_indices = <const Py_ssize_t *>address(self.indices)

    def rows(self):
        """The rows that it yields, as one array; a copy where they are given by indices.

        Returns
        -------
        ndarray, shape (count, width)
        """
        return self.array if self.indices is None else self.array[self.indices]

    cdef tuple shape(self):
        return self.count, self.columns

    cdef bint has_shape(self, Py_ssize_t rows, Py_ssize_t columns, object dtype) except -1:
        own = self.array.dtype
        return self.count == rows and self.columns == columns and (own is dtype or own == dtype)

    cdef bint all_below(self, int32_t bound) noexcept nogil:
        """Whether all of them, taken as int32, lie in 0 .. bound - 1."""
        cdef Py_ssize_t i, n = self.count
        cdef uint32_t outside = 0, limit = bound
        cdef const uint32_t *values = <const uint32_t *>self.data
        if self.row_indices == NULL:  # a loop that compilers vectorize
            for i in range(n):
                outside |= values[i] >= limit
        else:
            for i in range(n):
                outside |= values[self.row_indices[i]] >= limit
        return not outside

    cdef void prefetch_pages(self, const Py_ssize_t *order, Py_ssize_t rows) noexcept nogil:
        """Have rows order[0 .. rows) read from their file, without waiting for them."""
        cdef Py_ssize_t r
        for r in range(rows):
            advise_will_need(self.data + source_row(self.row_indices, order[r]) * self.row_bytes,
                             self.row_bytes)

    cdef void advise_random(self, bint random) noexcept nogil:
        """Say whether the rows in the file are read in random order: read ahead as usual, each of
        the first rows would bring megabytes of its neighbours."""
        advise_access(self.data, self.total * self.row_bytes, random)
        self.faults, self.ahead = major_faults(), 0

    cdef void read_ahead(self, const Py_ssize_t *order, Py_ssize_t rows) noexcept nogil:
        """Once a page fault had to wait for the file, prefetch the next mini-batch's rows."""
        cdef long faults = major_faults()
        if faults != self.faults:
            self.ahead = READ_AHEAD_BATCHES
        self.faults = faults
        if self.ahead > 0:
            self.ahead -= 1
            self.prefetch_pages(order, rows)

    cdef void gather(self, const Py_ssize_t *order, Py_ssize_t first, Py_ssize_t rows, char *out,
                     Py_ssize_t step) noexcept nogil:
        """Rows order[0 .. rows) (NULL: first, first + 1, ...) into `out`, `step` bytes apart."""
        # In locals, which no store into `out` can change.
        cdef const char *row, *data = self.data
        cdef const Py_ssize_t *indices = self.row_indices
        cdef Py_ssize_t r, width = self.row_bytes
        cdef Py_ssize_t prefetched = rows - PREFETCH_ROWS if order else 0
        for r in range(rows):
            # Rows in any order are far from each other in memory: ask for them early.
            if r < prefetched:
                row = data + source_row(indices, order[r + PREFETCH_ROWS]) * width
                prefetch(row)
                prefetch(row + 64)
                prefetch(row + width - 1)
            copy_row(out + r * step,
                     data + source_row(indices, order[r] if order else first + r) * width, width)
