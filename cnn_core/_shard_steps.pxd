"""The steps of a trainer whose process has the rows of some shards."""

from libc.stdint cimport uint64_t

from cnn_core._backprop cimport Backprop
from cnn_core._batches cimport Batches
from cnn_core._dataset cimport RowSource
from cnn_core._trainer cimport Trainer


cdef class ShardSteps:
    cdef readonly Trainer trainer
    cdef Backprop backprop
    cdef Batches batches
    cdef Py_ssize_t count, begin, until     # shards: all, and those that are here
    cdef Py_ssize_t batch_size, rows        # of a mini-batch, and of all processes
    cdef double total_weight
    cdef bint dropping, has_node            # has_node: there is a gradient to go on with
    cdef RowSource X                        # of the epoch, or the pass, that is begun
    cdef object order, scheduled
    cdef Py_ssize_t before(self, Py_ssize_t position) noexcept nogil
    cdef Py_ssize_t run_node(self, Py_ssize_t block, Py_ssize_t first, Py_ssize_t end,
                             double *loss) noexcept nogil
    cdef Py_ssize_t take(self, RowSource X, RowSource y, RowSource labels, RowSource weights,
                         Py_ssize_t rows) except -1
    cdef int check_node(self, Py_ssize_t block, Py_ssize_t first, Py_ssize_t end,
                        object sums) except -1
    cdef int check_gradient(self) except -1
