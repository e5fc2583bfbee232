"""Who computes what: weight tiles, the plan of a step, and how many threads pay."""

from libc.stdint cimport int64_t

from cnn_core._embedding cimport EmbeddingTile
from cnn_core._memory cimport Arena
from cnn_core._network cimport Network
from cnn_core._workspace cimport Workspace

# A rectangle of a layer's weights, whose gradient and step are computed together: `inputs` inputs
# of `panels` panels of outputs, and the biases of these outputs where it begins at input 0. How a
# layer is divided depends on its shape alone.
cdef struct WeightTile:
    Py_ssize_t layer, panel, panels, input, inputs
    double penalty

# Where the gradient of a tile goes: panels of weights `panel` bytes apart, and biases (NULL: none).
cdef struct TileView:
    char *W
    Py_ssize_t panel
    char *b


cdef class Partition:
    cdef Arena arena
    cdef WeightTile *tiles
    cdef Py_ssize_t count
    cdef EmbeddingTile *embedding_tiles
    cdef Py_ssize_t n_embedding_tiles
    cdef Py_ssize_t *order      # in which threads share them out; those of embeddings count on
    cdef Py_ssize_t *costs      # in that order, the weights of the tiles before each, and of all
    cdef double penalty(self) noexcept nogil


# How a mini-batch is worked off; see docs/architecture.md.
cdef enum Strategy:
    BLOCKWISE                   # one thread: a block of rows with its part of the gradient
    TWO_PHASE                   # blocks of rows, then weight tiles
    LAYER_PARALLEL              # the lowest layers by their outputs, the rest as TWO_PHASE

cdef struct StepPlan:
    Strategy strategy
    int threads
    Py_ssize_t block            # rows that pass through the layers together
    Py_ssize_t layers_by_output  # how many, from the lowest on


cdef StepPlan plan_step(Workspace workspace, Py_ssize_t rows, int threads,
                        bint dropping) noexcept nogil


# Whether further threads pay, measured now and then.
cdef struct ThreadTuner:
    double[2] seconds           # that SAMPLES steps took on one thread and on all, at last
    double began


cdef bint threads_pay(ThreadTuner *tuner, int64_t step, bint sampling) noexcept nogil
