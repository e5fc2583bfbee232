"""The trainer: epochs of mini-batches."""

from libc.stdint cimport int64_t, uint64_t

from cnn_core._backprop cimport Backprop
from cnn_core._batches cimport Batches, Totals
from cnn_core._control cimport EndRequest
from cnn_core._progress cimport Progress


cdef class Trainer:
    cdef readonly Backprop backprop
    cdef Batches batches
    cdef readonly int64_t epochs
    cdef public object after_step, part, decays, dropouts
    cdef public EndRequest end
    cdef EndRequest ends            # of the run in progress
    cdef uint64_t seed
    cdef bint by_rows
    cdef double cost_scale
    cdef double total_weight            # of all rows of the epoch; negative: not given
    cdef object order
    cdef Progress progress
    cdef tuple lanes_key                # of `_lanes.alike`, once it is known
    cdef Py_ssize_t set_order(self, object order, bint shuffled) except -1
    cdef run_epoch(self, Py_ssize_t count, object rates)
    cdef int begin(self) except -1
    cdef object tell(self, double cost)
    cdef double run_batch(self, Py_ssize_t count, Totals *totals, bint tells) noexcept nogil
    cdef run_pass(self, Py_ssize_t rows)
    cdef double run_accumulate(self, Py_ssize_t rows, double weight, Py_ssize_t first) except *
    cdef run_evaluation(self, Py_ssize_t count)
