"""The forward pass of a block of rows, for those that predict with several networks."""

from cnn_core._control cimport stop_t
from cnn_core._linalg cimport Curve, Units, real
from cnn_core._memory cimport Matrix, blocks
from cnn_core._network cimport Network
from cnn_core._tuning cimport BLOCK_ROWS_TRANSPOSED

# What the threads of a prediction share.
cdef struct Prediction:
    void *network
    const char *X
    char *out                   # one of the two is NULL
    Py_ssize_t *index
    double threshold
    char *scratch               # two buffers of a block for each thread
    const Units *units          # NULL: the outputs as they are
    stop_t stop
    Py_ssize_t count, block, buffer_bytes
    bint check_finite, check_outputs, refused, has_nan

cdef int read_units(Units *units, outputs, Py_ssize_t n) except -1
cdef const double *vector(array, str name, Py_ssize_t n) except NULL
cdef bint acquire_buffer(object array, object dtype, int ndim, Py_ssize_t columns, int flags,
                         Py_buffer *view) noexcept
cdef bint forward_block(Prediction *p, Network network, const char *given, Py_ssize_t rows,
                        int worker, Matrix *outputs) noexcept nogil


cdef inline Py_ssize_t block_rows(Network network, Py_ssize_t count) noexcept:
    """How many of some rows pass through the layers together."""
    return BLOCK_ROWS_TRANSPOSED if network.prefers_transposed else min(network.block, count)


cdef inline Py_ssize_t widest_layer(Network network) noexcept:
    """Numbers of a row that a buffer must hold."""
    cdef Py_ssize_t l, widest = 0
    for l in range(network.n_layers):
        widest = max(widest, network.layers[l].ld)
    if network.prefers_transposed or network.embeds:
        widest = max(widest, blocks(network.layers[0].n_in, network.lanes) * network.lanes)
    return widest


cdef class RowPredictor:
    cdef Network network
    cdef readonly object dtype
    cdef tuple shape, shape_of_matrix, inputs, outputs
    cdef const double *shift
    cdef const double *factor
    cdef Units units
    cdef Py_ssize_t n_in, n_out
    cdef Py_ssize_t n_scaled        # of the n_in features, where any are; the others follow
    cdef Py_ssize_t buffer_bytes
    cdef bint takes_long
    cdef Curve curve
    cdef run(self, x, int ndim, out, bint check)
    cdef bint write(self, const char *x, int ndim, out, char *memory, bint check, bint scaled)
    cdef run_converted(self, x, int ndim, out, char *memory, bint check)
    cdef bint convert(self, const real *x, char *row, bint check) noexcept nogil
    cdef bint compute(self, const char *x, char *a, char *memory, bint check,
                      bint scaled) noexcept
    cdef const char *scaled(self, const char *x, char *out) noexcept nogil
    cdef char *all_layers(self, const char *x, char *here, bint check) noexcept nogil
