"""Mini-batches: rows into the workspace, forward and backward, gradient and step."""

from cnn_core._backprop cimport Backprop
from cnn_core._cpu cimport pool_task
from cnn_core._dataset cimport RowSource
from cnn_core._memory cimport Arena, Matrix
from cnn_core._optimizer cimport Optimizer
from cnn_core._embedding cimport EmbeddingTile
from cnn_core._partition cimport StepPlan, ThreadTuner, TileView, WeightTile
from cnn_core._shard_sums cimport ShardSums

# Parts of the work on a weight tile: its gradient, the penalty's, the optimizer's step.
cdef enum:
    COMPUTE = 1
    PENALTY = 2
    STEP = 4

cdef struct TileJob:
    int parts
    bint accumulate             # whether the gradient goes on from rows before

# The layer that threads share by its outputs, and in how many shares.
cdef struct LayerShare:
    Py_ssize_t layer, count

# The mini-batch that is being worked on: rows first, first + 1, ... of the order; NULL: as they
# stand.
cdef struct Batch:
    const Py_ssize_t *order
    Py_ssize_t first, rows
    bint dropping, in_place     # in_place: rows of X are read where they stand

# What changes with each mini-batch of an epoch: the learning rate, factors of weight decay and of
# dropout. NULL: it stays.
cdef struct Scheduled:
    const double *rates
    const double *decays
    const double *dropouts

# Sums over an epoch.
cdef struct Totals:
    double loss, weight
    Py_ssize_t correct


cdef class Batches:
    cdef Backprop backprop
    cdef Optimizer optimizer
    cdef int threads
    cdef bint adaptive, multilabel, classes
    cdef RowSource X, y, labels, weights
    cdef object residuals           # squared, of each output
    cdef double *squared_residuals
    cdef double *residuals_to       # where those of the coming rows are added up
    cdef Batch batch
    cdef Py_ssize_t n_shards        # that the rows are cut into
    cdef ShardSums sums
    cdef Scheduled scheduled
    cdef StepPlan plan
    cdef ThreadTuner tuner
    cdef TileJob job
    cdef LayerShare share
    cdef Arena arena
    cdef Py_ssize_t *row_indices    # of the mini-batch, in X
    cdef check(self, RowSource X, RowSource y, RowSource labels, RowSource weights)
    cdef use(self, RowSource X, RowSource y, RowSource labels, RowSource weights)
    cdef schedule(self, rates, decays, dropouts, Py_ssize_t count)
    cdef void begin_step(self, Py_ssize_t number) noexcept nogil
    cdef void forget(self)
    cdef void begin_batch(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil
    cdef void gather(self, Py_ssize_t offset, Py_ssize_t rows, Py_ssize_t to) noexcept nogil
    cdef void gather_embedded(self, const Py_ssize_t *order, Py_ssize_t first, Py_ssize_t rows,
                              Py_ssize_t to) noexcept nogil
    cdef void send_back_block(self, Py_ssize_t i) noexcept nogil
    cdef void gather_block(self, Py_ssize_t i) noexcept nogil
    cdef void make_plan(self, bint sampling) noexcept nogil
    cdef Py_ssize_t forward_backward(self, bint accumulate, bint with_penalty) noexcept nogil
    cdef bint stopped(self) noexcept nogil
    cdef Py_ssize_t n_blocks(self) noexcept nogil
    cdef Py_ssize_t run_blockwise(self, bint accumulate, bint with_penalty) noexcept nogil
    cdef void block_gradient(self, Py_ssize_t first, Py_ssize_t rows, bint accumulate,
                             bint with_penalty) noexcept nogil
    cdef void run_layer_parallel(self) noexcept nogil
    cdef void share_layer(self, Py_ssize_t l, pool_task task) noexcept nogil
    cdef void run_share(self, Py_ssize_t i, bint back) noexcept nogil
    cdef void run_rows(self, Py_ssize_t i, bint back) noexcept nogil
    cdef void run_tile(self, WeightTile *tile, int worker) noexcept nogil
    cdef void run_embedding_tile(self, EmbeddingTile *tile) noexcept nogil
    cdef void step_tile(self, WeightTile *tile, const TileView *view) noexcept nogil
    cdef void run_tiles(self, int parts, bint accumulate) noexcept nogil
    cdef double apply_gradient(self, bint is_complete) noexcept nogil
    cdef Py_ssize_t update_metrics(self, Py_ssize_t first, Py_ssize_t rows, Matrix out,
                                   double threshold) noexcept nogil
    cdef result(self, Py_ssize_t count, Totals *totals)
    cdef Py_ssize_t evaluate(self) noexcept nogil
    cdef double evaluate_rows(self, Py_ssize_t first, Py_ssize_t end, double total,
                              Py_ssize_t *correct) noexcept nogil
    cdef double evaluate_all(self, Py_ssize_t count, Py_ssize_t *correct) noexcept nogil
