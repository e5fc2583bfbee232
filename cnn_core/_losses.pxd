"""A loss as the kernels take it, for the modules that evaluate one."""

from cnn_core._cpu cimport MOST_QUANTILES, loss_args_t


cdef class OutputLoss:
    cdef readonly str name
    cdef readonly object param      # its number, or its quantiles
    cdef readonly bint sparse, from_logits
    cdef readonly Py_ssize_t heads  # outputs of each target
    cdef readonly Py_ssize_t width, targets
    cdef int row                    # in the kernels' table
    cdef double[MOST_QUANTILES] quantiles
    cdef void set_args(self, loss_args_t *p) noexcept nogil
