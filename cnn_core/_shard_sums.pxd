"""Sums over the shards of a mini-batch, by the tree of _shards.pxd."""

from cnn_core._backprop cimport Backprop
from cnn_core._embedding cimport EmbeddingTile
from cnn_core._memory cimport Arena, Matrix
from cnn_core._partition cimport TileView, WeightTile
from cnn_core._shards cimport Shards


cdef class ShardSums:
    cdef Backprop backprop
    cdef Arena arena
    cdef Shards shards              # of the mini-batch; where its rows are one chain, a single one
    cdef Py_ssize_t most            # shards
    cdef bint is_cut                # into shares that were given
    cdef Py_ssize_t rows            # of the mini-batch
    cdef Py_ssize_t share           # of the next rows of the mini-batch
    cdef bint dropping
    cdef bint in_blocks             # whether the workspace holds a block of rows after the other
    cdef int n_sums                 # that the tree has at hand
    cdef char *tile_gradients       # of each thread, so many times, for the gradient of a tile
    cdef double *residuals          # so many times, of each target
    cdef char *gradients            # one time less, of all parameters
    cdef cut(self, object shares, Py_ssize_t rows)
    cdef void begin(self, Py_ssize_t position, Py_ssize_t rows, bint dropping) noexcept nogil
    cdef Py_ssize_t tile_gradient(self, WeightTile *tile, const TileView *view, int worker,
                                  Py_ssize_t first, Py_ssize_t rows,
                                  bint accumulate) noexcept nogil
    cdef TileView sum_view(self, WeightTile *tile, const TileView *view, int worker,
                           int depth) noexcept nogil
    cdef char *gradient_at(self, int depth) noexcept nogil
    cdef TileView worker_view(self, WeightTile *tile, int worker, int depth) noexcept nogil
    cdef void add_view(self, WeightTile *tile, const TileView *sum,
                       const TileView *into) noexcept nogil
    cdef void embedding_gradient(self, EmbeddingTile *tile, Py_ssize_t first, Py_ssize_t rows,
                                 bint accumulate) noexcept nogil
    cdef void add_residuals(self, Py_ssize_t first, Py_ssize_t rows, Matrix out,
                            double *total) noexcept nogil
    cdef double *begin_residuals(self, Py_ssize_t shard) noexcept nogil
    cdef void close_residuals(self, Py_ssize_t shard, Py_ssize_t count) noexcept nogil
    cdef double weight(self, double given) noexcept nogil
    cdef double add_losses(self, double total) noexcept nogil
