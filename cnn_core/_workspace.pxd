"""The buffers of a mini-batch."""

from libc.stdint cimport int32_t, uint64_t

from cnn_core._cpu cimport dropout_t
from cnn_core._embedding cimport EmbeddedRows
from cnn_core._memory cimport Arena, Matrix
from cnn_core._network cimport Network

# z, a and delta of one layer, and W transposed. a is z where the activation allows it.
cdef struct LayerBuffers:
    Matrix z, a, delta
    char *Wt

# What a layer reads: x or the a of the layer below, or, in training with dropout, a copy in which
# some are dropped.
cdef struct LayerInput:
    Matrix a
    Py_ssize_t width
    const Py_ssize_t *row_indices   # which rows of `a` the mini-batch consists of; NULL: the first
    bint drops
    bint alpha                      # by alpha dropout
    double rate                     # what share, before `scale_dropout`
    dropout_t dropout
    Matrix dropped                  # the copy
    Matrix mask                     # d dropped / d a; NULL for x to which nothing is sent back


cdef class Workspace:
    cdef readonly Network network
    cdef readonly Py_ssize_t max_batch_size
    cdef readonly tuple dropout
    cdef readonly bint transposed   # the last layer works on transposed matrices
    cdef Arena arena, weight_arena
    cdef LayerBuffers *layers
    cdef LayerInput *inputs
    cdef Matrix x                   # gathered rows
    cdef Matrix x_delta             # dC/dx of what comes from embeddings
    cdef Py_ssize_t *categories     # of each embedded column, one of each row
    cdef Matrix y                   # as gathered; NULL for a sparse loss
    cdef Matrix targets             # as the loss takes them
    cdef int32_t *label
    cdef char *row_scale            # of each row's delta
    cdef char *row_weight           # of each row's loss; NULL: all 1
    cdef char *row_losses
    cdef Matrix x_transposed        # what a transposed last layer reads
    cdef char *gradient_transposed  # its gradient, and that of its biases, each in all lanes
    cdef char *bias_gradient
    cdef char *ones                 # a panel of them
    cdef Py_ssize_t scaled_rows     # rows and weight for which row_scale is set, without weights
    cdef double scaled_weight
    cdef bint busy                  # whether some thread works with the buffers
    cdef drop_plainly(self)
    cdef void scale_dropout(self, double factor) noexcept nogil
    cdef acquire(self)
    cdef void release(self) noexcept
    cdef use_weights(self, bint wanted)
    cdef alloc_layer(self, Py_ssize_t l)
    cdef alloc_embedded(self)
    cdef alloc_transposed(self, bint sparse)
    cdef alloc_input(self, Py_ssize_t l)
    cdef bint prefers_transposed(self, bint from_logits)
    cdef Py_ssize_t row_bytes(self) noexcept nogil
    cdef void layout_targets(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil
    cdef double weight_of(self, Py_ssize_t first, Py_ssize_t end) noexcept nogil
    cdef void set_row_scale(self, Py_ssize_t rows, double weight) noexcept nogil
    cdef double weight_of_row(self, Py_ssize_t r) noexcept nogil
    cdef double add_losses(self, Py_ssize_t first, Py_ssize_t end, double total) noexcept nogil
    cdef void transpose_weights(self) noexcept nogil
    cdef Py_ssize_t first_panel(self) noexcept nogil
    cdef EmbeddedRows embedded_rows(self, Py_ssize_t first, Py_ssize_t count) noexcept nogil
    cdef Matrix layer_input(self, Py_ssize_t l, Py_ssize_t first, Py_ssize_t rows, bint dropping,
                            Py_ssize_t batch_offset) noexcept nogil
