"""Backpropagation of one network, for the modules that train it."""

from libc.stdint cimport uint64_t

from cnn_core._control cimport stop_t
from cnn_core._embedding cimport EmbeddingTile
from cnn_core._losses cimport OutputLoss
from cnn_core._memory cimport Arena, Matrix
from cnn_core._network cimport Network
from cnn_core._partition cimport Partition, TileView, WeightTile
from cnn_core._workspace cimport Workspace

# Where the time of a training run goes; `phases` in _backprop.pyx names them.
cdef enum:
    SHUFFLE, GATHER, FORWARD, ACTIVATION, LOSS, BACKWARD, GRADIENT, UPDATE, PHASES


# l1 |W|_1 + l2/2 |W|^2, times `scale` in the present mini-batch: 1, or with `per_row` 1 / weight.
cdef struct Penalty:
    double l1, l2, scale
    bint per_row


cdef class Backprop:
    cdef readonly Network network
    cdef Workspace workspace
    cdef Partition partition
    cdef Arena arena
    cdef readonly object gradient
    cdef char *g
    cdef readonly Py_ssize_t n_parameters
    cdef readonly OutputLoss loss
    cdef double threshold, y_threshold
    cdef bint activates_output      # whether a^L is wanted although the loss works on z^L
    cdef Penalty penalty
    cdef Py_ssize_t layers_by_output    # the lowest, that threads share by outputs, not by rows
    cdef Py_ssize_t batch_offset    # the row of the mini-batch that stands first in the workspace
    cdef Py_ssize_t dropout_offset  # rows of the mini-batch before those of the workspace
    cdef stop_t stop                # of the run that works with the buffers
    cdef bint timing
    cdef double last_mark
    cdef bint has_gradient          # of `Trainer.accumulate`, which waits for `apply`
    cdef double *phase_seconds      # PHASES of them for each layer
    cdef fill_rows(self, X)
    cdef loss_of(self, X, y)
    cdef Matrix metric_output(self) noexcept nogil
    cdef void record_phase(self, int phase, Py_ssize_t layer) noexcept nogil
    cdef double set_weight(self, Py_ssize_t rows, double weight) noexcept nogil
    cdef void seed_dropouts(self, uint64_t seed, uint64_t step) noexcept nogil
    cdef TileView gradient_view(self, WeightTile *tile, char *g) noexcept nogil
    cdef void forward_panels(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels,
                             Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil
    cdef void activate_panels(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels,
                              Py_ssize_t first, Py_ssize_t rows) noexcept nogil
    cdef void backward_panels(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels,
                              Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil
    cdef void send_back(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t first,
                        Py_ssize_t rows, Matrix delta, bint dropping) noexcept nogil
    cdef void backward_inputs(self, Py_ssize_t first, Py_ssize_t rows,
                              bint dropping) noexcept nogil
    cdef void forward_last(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil
    cdef void forward_transposed(self, Py_ssize_t first, Py_ssize_t rows,
                                 bint dropping) noexcept nogil
    cdef void activate_last(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil
    cdef void forward(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil
    cdef void evaluate_loss(self, Py_ssize_t first, Py_ssize_t rows, bint with_delta) noexcept nogil
    cdef void backward(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil
    cdef void forward_backward(self, Py_ssize_t first, Py_ssize_t rows,
                               bint dropping) noexcept nogil
    cdef void evaluate_block(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil
    cdef void weight_gradient(self, WeightTile *tile, Py_ssize_t first, Py_ssize_t rows,
                              bint dropping, const TileView *view, bint accumulate) noexcept nogil
    cdef void weight_gradient_transposed(self, WeightTile *tile, Py_ssize_t first, Py_ssize_t rows,
                                         const Matrix *a, bint accumulate) noexcept nogil
    cdef void store_gradient(self, WeightTile *tile, const TileView *view) noexcept nogil
    cdef void add_penalty(self, WeightTile *tile, const TileView *view) noexcept nogil
    cdef void embedding_gradient(self, EmbeddingTile *tile, Py_ssize_t first, Py_ssize_t rows,
                                 char *g, bint accumulate) noexcept nogil
    cdef void add_embedding_penalty(self, EmbeddingTile *tile) noexcept nogil
