"""The one allocator of the native core."""

import numpy as np

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer

from cnn_core._checks import Array

cdef enum:
    LINE_BYTES = 64             # a cache line

ALIGNMENT = LINE_BYTES
cdef object BYTES = np.dtype(np.uint8)

#: Tests set this to n >= 1 to make the n-th allocation from now on fail; None in normal use.
fail_after = None


def aligned_zeros(shape, dtype):
    """Zero-filled C-contiguous array whose data begin on a cache line.

    Parameters
    ----------
    shape : int or tuple of int
    dtype : dtype-like

    Returns
    -------
    ndarray

    Raises
    ------
    MemoryError
        If the memory cannot be had, also where the size is beyond what can be addressed.
    """
    dtype = np.dtype(dtype)
    shape = (shape,) if isinstance(shape, int) else shape
    size = dtype.itemsize
    for n in shape:
        size = size * n
    raw = zero_bytes(size, shape, dtype)
    return np.ndarray(shape, dtype, raw, aligned(address(raw)) - address(raw))


cdef object zero_bytes(object size, tuple shape, object dtype):
    """An array of bytes with room for `size` of them from a cache line on."""
    global fail_after
    if fail_after is not None:
        fail_after -= 1
        if fail_after == 0:
            fail_after = None
            raise MemoryError("an allocation failed on purpose")
    try:
        return np.zeros(size + ALIGNMENT, BYTES)
    except (MemoryError, ValueError, OverflowError):
        raise MemoryError(
            f"cannot allocate {size:,} bytes for an array of shape {shape} and {dtype}"
        ) from None


cdef inline char *aligned(char *data) noexcept:
    """The first cache line from there on."""
    return data + (-<Py_ssize_t>data & LINE_BYTES - 1)


cdef char *address(object array) except? NULL:
    cdef Py_buffer view
    cdef char *data
    PyObject_GetBuffer(array, &view, PyBUF_SIMPLE)
    data = <char *>view.buf if view.len else NULL
    PyBuffer_Release(&view)
    return data


cdef char *data_of(str name, object array, object rule, object dtype=None,
                   str like=None) except? NULL:
    rule.check(name, array)
    if like is not None and array.dtype != dtype:
        raise TypeError(f"{name} must be of {dtype} as {like} is, got {array.dtype}")
    return address(array)


cdef object output(object out, tuple shape, object dtype, str like):
    if out is None:
        return aligned_zeros(shape, dtype)
    data_of("out", out, Array(len(shape), writable=True), dtype, like)
    if out.shape != shape:
        raise ValueError(f"out must have shape {shape}, got {out.shape}")
    return out


@cython.final
cdef class Arena:
    def __cinit__(self):
        self.buffers = []

    cdef char *alloc(self, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t itemsize) except NULL:
        # As Python's numbers, the product cannot overflow: what is too much is refused.
        size = <object>rows * columns * itemsize
        buffer = zero_bytes(size, (rows, columns, itemsize), BYTES)
        self.buffers.append(buffer)
        return aligned(address(buffer))

    cdef char *first(self) except NULL:
        return aligned(address(self.buffers[0]))

    cdef Matrix rows(self, Py_ssize_t rows, Py_ssize_t ld, Py_ssize_t itemsize) except *:
        """A matrix whose rows are `ld` elements apart."""
        return matrix(self.alloc(rows, ld, itemsize), ld * itemsize, itemsize)
