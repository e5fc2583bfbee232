"""The optimizer: its settings, its memory, one step."""

from libc.stdint cimport int64_t

from cnn_core._cpu cimport OPTIMIZER_NUMBERS, optimizer_t
from cnn_core._memory cimport Arena
from cnn_core._network cimport Network


# Parameters with a learning rate and a decay of their own.
cdef struct Group:
    Py_ssize_t offset, size                 # the first one in bytes, how many
    double rate, decay                      # factors
    double[OPTIMIZER_NUMBERS] h             # of the step


cdef class Optimizer:
    cdef readonly Network network
    cdef readonly str name
    cdef readonly tuple slots
    cdef readonly int64_t steps
    cdef int row                            # in the table
    cdef double[OPTIMIZER_NUMBERS] h        # settings, and what a step leaves for the next
    cdef (void *)[8] slot
    cdef Arena arena
    cdef Group *groups                      # or NULL, where all have the same numbers
    cdef Py_ssize_t n_groups                # W and b of each layer, the embedded columns; or 0
    cdef int decays                         # where h has weight_decay, or 0
    cdef double weight_decay                # before `scale_decay`
    cdef group(self, rate_factors, decay_factors)
    cdef bound(self, bounds)
    cdef readonly double clip_norm, max_norm
    cdef readonly tuple bounds              # two networks of the bounds of parameters, or empty
    cdef const char *lower                  # their parameters, or NULL
    cdef const char *upper
    cdef void scale_decay(self, double factor) noexcept nogil
    cdef void begin_step(self) noexcept nogil
    cdef void step_all(self, const char *g) noexcept nogil
    cdef void step_slice(self, Py_ssize_t offset, Py_ssize_t n, const char *g,
                         Py_ssize_t group) noexcept nogil
    cdef void clip(self, Py_ssize_t n, char *g) noexcept nogil
    cdef void clip_row_norms(self) noexcept nogil


cdef inline double clip_scale(Py_ssize_t itemsize) noexcept nogil:
    """What a gradient whose squares overflow is divided by first."""
    return 2.0 ** 80 if itemsize == 4 else 2.0 ** 600


cdef inline double clip_factor(double norm, double limit, double scale) noexcept nogil:
    """What shortens a gradient of this length to `limit`, and takes back the division by
    `scale`."""
    return limit / norm * scale if norm > limit else scale
