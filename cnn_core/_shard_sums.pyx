"""Sums over the shards of a mini-batch, by the tree of _shards.pxd: gradients, losses, weights and
squared residuals."""

import operator

cimport cython
from libc.string cimport memset

from cnn_core._backprop cimport Backprop
from cnn_core._cpu cimport kernels_for, kernels_t
from cnn_core._embedding cimport EmbeddingTile
from cnn_core._memory cimport PANEL_BYTES, Arena, Matrix, at, elements
from cnn_core._partition cimport TileView, WeightTile
from cnn_core._shards cimport (MOST_SHARDS, MOST_SUMS, add_sum, additions_after, depth_of,
                               set_begins)
from cnn_core._tuning cimport TILE_INPUTS, TILE_PANELS

cdef enum:
    TILE_GRADIENT = (TILE_INPUTS + 1) * TILE_PANELS     # panels


@cython.final
cdef class ShardSums:
    """The sums of a trainer's mini-batches.

    Parameters
    ----------
    backprop : Backprop
    threads : int
        The most that compute gradients.
    count : int
        Shards that the rows are cut into.
    """

    def __cinit__(self, Backprop backprop not None, int threads, Py_ssize_t count):
        if not 1 <= count <= MOST_SHARDS:
            raise ValueError(f"shards must be from 1 to {MOST_SHARDS}, got {count}")
        self.backprop, self.arena, self.shards.count, self.most = backprop, Arena(), 1, count
        self.shards.begins = <Py_ssize_t *>self.arena.alloc(count + 1, 1, sizeof(Py_ssize_t))
        self.n_sums = 1 + most_depth(count)
        self.tile_gradients = self.arena.alloc(threads * self.n_sums, TILE_GRADIENT, PANEL_BYTES)
        self.residuals = <double *>self.arena.alloc(self.n_sums, backprop.loss.targets,
                                                    sizeof(double))
        if count > 1:
            self.gradients = self.arena.alloc(self.n_sums - 1, backprop.n_parameters,
                                              backprop.network.itemsize)

    cdef void begin(self, Py_ssize_t position, Py_ssize_t rows, bint dropping) noexcept nogil:
        """Begin the mini-batch of the rows position, position + 1, ... of an epoch's order."""
        self.rows, self.dropping, self.share = rows, dropping, 0
        if not self.is_cut:
            set_begins(&self.shards, position, rows)

    cdef cut(self, object shares, Py_ssize_t rows):
        """Have the coming mini-batch, of so many rows, consist of shares of these sizes."""
        cdef Py_ssize_t s
        sizes = [operator.index(size) for size in shares]
        if not 1 <= len(sizes) <= self.most or min(sizes) < 0 or sum(sizes) != rows:
            raise ValueError(f"shares must be 1 to {self.most} numbers of rows that are {rows} "
                             f"together, got {shares!r}")
        self.shards.count, self.is_cut = len(sizes), True
        for s in range(self.shards.count):
            self.shards.begins[s + 1] = self.shards.begins[s] + sizes[s]

    cdef Py_ssize_t tile_gradient(self, WeightTile *tile, const TileView *view, int worker,
                                  Py_ssize_t first, Py_ssize_t rows,
                                  bint accumulate) noexcept nogil:
        """A tile's part of the gradient, from some rows of the mini-batch, of which the workspace
        holds the first one first; with the last row it is complete and in the layout of the
        parameters. Returns the shard that the rows after these are of."""
        cdef Py_ssize_t share = self.share, end = first + rows, begin, after
        cdef TileView sum, into
        cdef int depth, _i
        while share < self.shards.count:
            begin, after = self.shards.begins[share], self.shards.begins[share + 1]
            if begin >= end and end < self.rows:
                break
            depth = depth_of(share)
            sum = self.sum_view(tile, view, worker, depth)
            if begin == after:
                clear(tile, &sum)
            else:
                self.backprop.weight_gradient(
                    tile, max(begin, first) - first, min(after, end) - max(begin, first),
                    self.dropping, &sum, accumulate or begin < first)
                if after > end:
                    break
                self.backprop.store_gradient(tile, &sum)
            for _i in range(additions_after(share, self.shards.count)):
                depth -= 1
                into = self.sum_view(tile, view, worker, depth)
                self.add_view(tile, &sum, &into)
                sum = into
            share += 1
        return share

    cdef TileView sum_view(self, WeightTile *tile, const TileView *view, int worker,
                           int depth) noexcept nogil:
        """Where the sum at some depth of the tree is added up; that of all shards goes to `view`.
        A block of rows is followed by others, so all tiles then keep theirs."""
        if depth == 0:
            return view[0]
        if self.in_blocks:
            return self.backprop.gradient_view(tile, self.gradient_at(depth))
        return self.worker_view(tile, worker, depth)

    cdef char *gradient_at(self, int depth) noexcept nogil:
        """The same for all parameters."""
        if depth == 0:
            return self.backprop.g
        return self.gradients + ((depth - 1) * self.backprop.n_parameters
                                           * self.backprop.network.itemsize)

    cdef TileView worker_view(self, WeightTile *tile, int worker, int depth) noexcept nogil:
        """A buffer of the worker for a tile."""
        cdef TileView view
        view.b = self.tile_gradients + (
            (<Py_ssize_t>worker * self.n_sums + depth) * TILE_GRADIENT * PANEL_BYTES)
        view.W, view.panel = view.b + TILE_PANELS * PANEL_BYTES, tile.inputs * PANEL_BYTES
        if not self.backprop.network.has_bias:
            view.b = NULL
        return view

    cdef void add_view(self, WeightTile *tile, const TileView *sum,
                       const TileView *into) noexcept nogil:
        """One more shard's gradient of a tile, added."""
        cdef const kernels_t *k = kernels_for(self.backprop.network.itemsize)
        cdef Py_ssize_t panel, lanes = self.backprop.network.lanes
        for panel in range(tile.panels):
            k.axpy(tile.inputs * lanes, 1, sum.W + panel * sum.panel, into.W + panel * into.panel)
        if tile.input == 0 and into.b:
            k.axpy(tile.panels * lanes, 1, sum.b, into.b)

    cdef void embedding_gradient(self, EmbeddingTile *tile, Py_ssize_t first, Py_ssize_t rows,
                                 bint accumulate) noexcept nogil:
        """As `tile_gradient`, of a tile of embeddings."""
        cdef const kernels_t *k = kernels_for(self.backprop.network.itemsize)
        cdef Py_ssize_t share = self.share, end = first + rows, begin, after
        cdef Py_ssize_t offset = tile.offset
        cdef int depth, _i
        while share < self.shards.count:
            begin, after = self.shards.begins[share], self.shards.begins[share + 1]
            if begin >= end and end < self.rows:
                break
            depth = depth_of(share)
            self.backprop.embedding_gradient(
                tile, max(begin, first) - first, min(after, end) - max(begin, first),
                self.gradient_at(depth), accumulate or begin < first)
            if after > end:
                break
            for _i in range(additions_after(share, self.shards.count)):
                depth -= 1
                k.axpy(tile.size, 1, self.gradient_at(depth + 1) + offset,
                       self.gradient_at(depth) + offset)
            share += 1

    cdef void add_residuals(self, Py_ssize_t first, Py_ssize_t rows, Matrix out,
                            double *total) noexcept nogil:
        """The squared residuals of some rows of the mini-batch, of which the workspace holds the
        first one first; once those of all are complete, they are added to `total`."""
        cdef Py_ssize_t itemsize = self.backprop.network.itemsize, n = self.backprop.loss.targets
        cdef Py_ssize_t share = self.share, end = first + rows, begin, after, at_first, j
        cdef Matrix y = self.backprop.workspace.targets
        while share < self.shards.count:
            begin, after = self.shards.begins[share], self.shards.begins[share + 1]
            if begin >= end and end < self.rows:
                break
            at_first = max(begin, first) - first
            if begin >= first:
                self.begin_residuals(share)
            kernels_for(itemsize).squared_residuals(
                min(after, end) - first - at_first, n, elements(out.row, itemsize),
                elements(out.column, itemsize), at(&out, at_first, 0), at(&y, at_first, 0),
                self.residuals + depth_of(share) * n)
            if after > end:
                break
            self.close_residuals(share, self.shards.count)
            share += 1
        if share == self.shards.count:
            for j in range(n):
                total[j] += self.residuals[j]

    cdef double *begin_residuals(self, Py_ssize_t shard) noexcept nogil:
        """Begin the sum of a shard's squared residuals, which stands there."""
        cdef double *sum = self.residuals + depth_of(shard) * self.backprop.loss.targets
        memset(sum, 0, self.backprop.loss.targets * sizeof(double))
        return sum

    cdef void close_residuals(self, Py_ssize_t shard, Py_ssize_t count) noexcept nogil:
        """It is complete, of `count` shards."""
        cdef Py_ssize_t j, n = self.backprop.loss.targets
        cdef double *sum = self.residuals + depth_of(shard) * n
        cdef int _i
        for _i in range(additions_after(shard, count)):
            sum -= n
            for j in range(n):
                sum[j] += sum[n + j]

    cdef double weight(self, double given) noexcept nogil:
        """The weight of the mini-batch: the one given or, where that is negative, that of its
        rows."""
        cdef double[MOST_SUMS] sums
        cdef Py_ssize_t s
        if given >= 0:
            return given
        for s in range(self.shards.count):
            add_sum(sums, self.backprop.workspace.weight_of(
                self.shards.begins[s], self.shards.begins[s + 1]), s, self.shards.count)
        return sums[0]

    cdef double add_losses(self, double total) noexcept nogil:
        """`total` plus the weighted losses of the mini-batch."""
        cdef double[MOST_SUMS] sums
        cdef Py_ssize_t s
        if self.shards.count == 1:
            return self.backprop.workspace.add_losses(0, self.rows, total)
        for s in range(self.shards.count):
            add_sum(sums, self.backprop.workspace.add_losses(
                self.shards.begins[s], self.shards.begins[s + 1], 0), s, self.shards.count)
        return total + sums[0]


cdef void clear(const WeightTile *tile, const TileView *view) noexcept nogil:
    """A sum over no rows."""
    cdef Py_ssize_t panel
    for panel in range(tile.panels):
        memset(view.W + panel * view.panel, 0, tile.inputs * PANEL_BYTES)
    if tile.input == 0 and view.b:
        memset(view.b, 0, tile.panels * PANEL_BYTES)


cdef int most_depth(Py_ssize_t shards) noexcept nogil:
    """The deepest of the sums of so many shards."""
    cdef Py_ssize_t s
    cdef int depth = 0
    for s in range(shards):
        depth = max(depth, depth_of(s))
    return depth
