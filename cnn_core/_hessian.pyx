"""Products of the Hessian, the second derivatives of the cost by the parameters, with a vector.

The derivative R{...} along a direction v = (V^1, c^1, V^2, ...) of all backpropagation computes
(Pearlmutter 1994, Fast exact multiplication by the Hessian, Neural Computation 6(1)):

    R{z^l} = V^l a^(l-1) + c^l + W^l R{a^(l-1)}          R{a^l} = f'(z^l) * R{z^l}
    R{delta^L} = R{dC/da^L} * f'(z^L) + dC/da^L * f''(z^L) * R{z^L}
    R{delta^l} = ((V^(l+1))^T delta^(l+1) + (W^(l+1))^T R{delta^(l+1)}) * f'(z^l)
                 + ((W^(l+1))^T delta^(l+1)) * f''(z^l) * R{z^l}
    (H v)_W = R{delta^l} (a^(l-1))^T + delta^l (R{a^(l-1)})^T          (H v)_b = R{delta^l}

Rows are taken CHUNK at a time, whatever the number of threads: first blocks of them through all
layers, down and up, then weight tiles, each summed over the chunk.
"""

import numpy as np

cimport cython
from libc.stdint cimport int32_t, uint64_t
from libc.string cimport memcpy

from cnn_core._control cimport begin_stop, leave, stop_t, stops
from cnn_core._cpu cimport kernels_for, kernels_t, loss_args_t, matmul_args_t, pool_run_until
from cnn_core._embedding cimport NONE, EmbeddedRows, EmbeddingTile
from cnn_core._losses cimport OutputLoss
from cnn_core._matmul cimport matmul_args, panels_of, row_panels
from cnn_core._memory cimport (PANEL_BYTES, Arena, Matrix, address, at, blocks, elements, from_row,
                               leading_dimension, matrix)
from cnn_core._network cimport Layer, Network, bias_at, weight_offset
from cnn_core._partition cimport Partition, WeightTile
from cnn_core._platform cimport flush_subnormals, restore_subnormals
from cnn_core._tuning cimport WORK_PER_THREAD
from cnn_core._checks import as_array
from cnn_core._cpu import most_threads
from cnn_core._memory import aligned_zeros

cdef enum:
    CHUNK = 512
    ROWS_TOGETHER = 32


# z, a, delta and their derivatives along the direction; W^T and V^T in panels.
cdef struct LayerState:
    Matrix z, a, delta, r_z, r_a, r_delta
    char *Wt
    char *Vt


# Of rows with embeddings: what the first layer reads, and dC/dx, with their derivatives.
cdef struct EmbeddedState:
    Matrix x, r_x, delta, r_delta
    Py_ssize_t *categories


@cython.final
cdef class HessianProduct:
    """H v of the mean cost of some rows, at a network's parameters.

    Parameters
    ----------
    network : Network
        Its parameters are read, never written.
    direction : Network
        Of the same shape; its parameters are v.
    loss : str
    max_rows : int
        The most rows of a call.
    loss_param : float, optional
        The loss's number, or its quantiles (`_losses.table`); default that of the literature.
    l2 : float
        The cost has l2/2 |W|^2 over all weights W, biases left out.
    """

    cdef readonly Network network, direction
    cdef readonly OutputLoss loss
    cdef readonly Py_ssize_t max_rows
    cdef Partition partition
    cdef Arena arena
    cdef LayerState *layers
    cdef EmbeddedState embedded
    cdef Matrix y
    cdef char *row_scale
    cdef char *row_losses
    cdef double l2
    cdef object product         # laid out as the parameters
    cdef char *g
    # Of the chunk that is computed:
    cdef Matrix X
    cdef const int32_t *label
    cdef Py_ssize_t rows
    cdef bint accumulate
    cdef bint busy
    cdef stop_t stop

    def __cinit__(self, Network network not None, Network direction not None, str loss not None,
                  Py_ssize_t max_rows, loss_param=None, double l2=0):
        self.network, self.direction = network, direction
        self.loss = OutputLoss(loss, loss_param, network.widths[-1])
        self.loss.check_output(network.activations[-1])
        self.loss.check_curvature()
        if (direction.widths != network.widths or direction.dtype != network.dtype
                or direction.has_bias != network.has_bias
                or direction.embedding.tables != network.embedding.tables
                or direction.embedding.periodic != network.embedding.periodic):
            raise ValueError("the direction must be a network of the same shape and dtype")
        if max_rows < 1:
            raise ValueError(f"max_rows must be at least 1, got {max_rows}")
        self.l2, self.max_rows = l2, max_rows
        self.partition, self.arena = Partition(network), Arena()
        self.product = aligned_zeros(network.parameters.size, network.dtype)
        self.g = address(self.product)
        begin_stop(&self.stop, None)
        leave(&self.stop)
        self.alloc(min(max_rows, CHUNK))

    cdef alloc(self, Py_ssize_t rows):
        """The buffers of a chunk, and the weights transposed."""
        cdef Py_ssize_t l, ld = 0, itemsize = self.network.itemsize, lanes = self.network.lanes
        cdef LayerState *state
        cdef Layer *layer
        cdef Arena arena = self.arena
        self.layers = <LayerState *>arena.alloc(self.network.n_layers, 1, sizeof(LayerState))
        for l in range(self.network.n_layers):
            state, layer, ld = &self.layers[l], &self.network.layers[l], self.network.layers[l].ld
            state.z, state.r_z = arena.rows(rows, ld, itemsize), arena.rows(rows, ld, itemsize)
            state.a, state.r_a = arena.rows(rows, ld, itemsize), arena.rows(rows, ld, itemsize)
            state.delta = arena.rows(rows, ld, itemsize)
            state.r_delta = arena.rows(rows, ld, itemsize)
            if l > 0 or self.network.embeds:
                state.Wt = self.transposed(layer, self.network)
                state.Vt = self.transposed(layer, self.direction)
        self.y = arena.rows(rows, ld, itemsize)
        self.row_scale = arena.alloc(rows + lanes, 1, itemsize)
        self.row_losses = arena.alloc(rows + lanes, 1, itemsize)
        if self.network.embeds:
            # A row of X stands in its place until it is read.
            ld = blocks(max(leading_dimension(self.network.widths[0], itemsize),
                            self.network.n_features), lanes) * lanes
            self.embedded.x = arena.rows(rows, ld, itemsize)
            self.embedded.r_x = arena.rows(rows, ld, itemsize)
            self.embedded.delta = arena.rows(rows, ld, itemsize)
            self.embedded.r_delta = arena.rows(rows, ld, itemsize)
            self.embedded.categories = <Py_ssize_t *>arena.alloc(
                max(1, self.network.embedding.n_tables) * rows, 1, sizeof(Py_ssize_t))

    cdef char *transposed(self, Layer *layer, Network network) except NULL:
        """Panels of W^T."""
        cdef char *Wt = self.arena.alloc(blocks(layer.n_in, network.lanes) * PANEL_BYTES,
                                         layer.n_out, 1)
        kernels_for(network.itemsize).transpose_panels(layer.n_in, layer.n_out, 0, layer.n_in, 0,
                                                       layer.n_out, network.w + layer.W, Wt)
        return Wt

    def of_rows(self, X, y, int threads=1):
        """H v of the mean cost of some rows.

        Parameters
        ----------
        X : array-like, shape (rows, n_features)
            From 1 to `max_rows` rows.
        y : array-like
            Class indices of shape (rows,) for a sparse loss, else targets of shape (rows, n_out).
        threads : int
            The most to use.

        Returns
        -------
        ndarray, shape (n_parameters,)
            In the order of `Network.flat`.
        """
        cdef Py_ssize_t rows
        cdef Network network = self.network
        X = as_array("X", X, network.dtype)
        rows = X.shape[0] if X.ndim else 0
        if not 0 < rows <= self.max_rows or X.shape != (rows, network.n_features):
            raise ValueError(f"X must have 1 to {self.max_rows} rows of {network.n_features} "
                             f"features, got {X.shape}")
        y = self.loss.read_targets(y, rows, network.dtype)
        X = np.ascontiguousarray(X)
        X = X if X.flags.aligned else X.copy()
        threads = <int>max(1, min(threads, rows * network.n_weights // WORK_PER_THREAD,
                                  most_threads))
        with cython.critical_section(self):  # which Python without a GIL needs
            if self.busy:
                raise RuntimeError("this product is computed by another thread; "
                                   "give each thread its own")
            self.busy = True
        try:
            self.add_chunks(X, y, threads)
            return self.network.flat(self.product)
        finally:
            with cython.critical_section(self):
                self.busy = False

    cdef add_chunks(self, X, y, int threads):
        cdef Py_ssize_t rows = X.shape[0], first, count
        cdef Py_ssize_t tiles = self.partition.count + self.partition.n_embedding_tiles
        self.set_scale(rows)
        begin_stop(&self.stop, None)
        for first in range(0, rows, CHUNK):
            count = min(CHUNK, rows - first)
            self.take_rows(address(X), address(y), first, count)
            with nogil:
                pool_run_until(block_task, <void *>self, blocks(count, ROWS_TOGETHER), NULL,
                               threads, &self.stop)
                if not stops(&self.stop, 0):
                    pool_run_until(tile_task, <void *>self, tiles, NULL, threads, &self.stop)
            if stops(&self.stop, 0):
                break
        leave(&self.stop)

    cdef void set_scale(self, Py_ssize_t rows) noexcept nogil:
        """Each row counts as much as the others."""
        cdef Py_ssize_t r
        for r in range(min(rows, CHUNK)):
            if self.network.itemsize == 8:
                (<double *>self.row_scale)[r] = 1.0 / rows
            else:
                (<float *>self.row_scale)[r] = <float>(1.0 / rows)

    cdef void take_rows(self, char *X, char *y, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
        """The rows of the next chunk."""
        cdef Py_ssize_t r, itemsize = self.network.itemsize
        cdef Py_ssize_t row = self.network.n_features * itemsize
        cdef Py_ssize_t targets = self.loss.targets * itemsize
        self.X, self.rows = matrix(X + first * row, row, itemsize), count
        self.accumulate = first > 0
        if self.loss.sparse:
            self.label = <const int32_t *>y + first
            return
        for r in range(count):
            memcpy(at(&self.y, r, 0), y + (first + r) * targets, targets)

    cdef void run_block(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """Some rows of the chunk through all layers, down and up."""
        cdef Matrix x = from_row(&self.X, first), r_x
        if self.network.embeds:
            self.embed(first, rows)
            x, r_x = from_row(&self.embedded.x, first), from_row(&self.embedded.r_x, first)
        else:
            r_x = matrix(NULL, 0, 0)
        self.forward(first, rows, x, r_x)
        self.evaluate_loss(first, rows)
        self.backward(first, rows)

    cdef void embed(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """What the first layer reads, and its derivative."""
        cdef Py_ssize_t r, step = min(self.max_rows, CHUNK)
        cdef char *x
        for r in range(first, first + rows):
            x = at(&self.embedded.x, r, 0)
            memcpy(x, at(&self.X, r, 0), self.network.n_features * self.network.itemsize)
            self.network.embedding.read_row(x, x, self.embedded.categories + r, step)
            self.network.embedding.read_along(self.direction.embedding, x,
                                              self.embedded.categories + r, step,
                                              at(&self.embedded.r_x, r, 0))

    cdef void forward(self, Py_ssize_t first, Py_ssize_t rows, Matrix x,
                      Matrix r_x) noexcept nogil:
        """z and a of all layers, and their derivatives."""
        cdef Py_ssize_t l, itemsize = self.network.itemsize
        cdef Matrix z, a, r_z, r_a
        cdef Layer *layer
        cdef matmul_args_t p
        for l in range(self.network.n_layers):
            layer = &self.network.layers[l]
            if stops(&self.stop, 3 * rows * layer.n_in * layer.n_out):
                return
            z, a = from_row(&self.layers[l].z, first), from_row(&self.layers[l].a, first)
            r_z, r_a = from_row(&self.layers[l].r_z, first), from_row(&self.layers[l].r_a, first)
            self.network.forward(l, 0, layer.panels, rows, &x, NULL, &z)
            self.direction.forward(l, 0, layer.panels, rows, &x, NULL, &r_z)
            if r_x.data:
                matmul_args(&p, rows, layer.panels, layer.n_in, r_x,
                            panels_of(self.network.w + layer.W, PANEL_BYTES,
                                      layer.n_in * PANEL_BYTES), row_panels(&r_z, 0), itemsize)
                p.accumulate = True
                kernels_for(itemsize).matmul(&p)
            self.network.activate(l, 0, layer.panels, rows, &z, &a)
            memcpy(r_a.data, r_z.data, rows * r_z.row)
            self.network.activate_backward(l, 0, layer.panels, rows, &z, &a, &r_a)
            x, r_x = a, r_a

    cdef void evaluate_loss(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """delta of the last layer, and its derivative."""
        cdef Py_ssize_t l = self.network.n_layers - 1, itemsize = self.network.itemsize
        cdef LayerState *last = &self.layers[l]
        cdef Matrix out = from_row(&last.z if self.loss.from_logits else &last.a, first)
        cdef Matrix r_out = from_row(&last.r_z if self.loss.from_logits else &last.r_a, first)
        cdef Matrix delta = from_row(&last.delta, first), r_delta = from_row(&last.r_delta, first)
        cdef Matrix y = from_row(&self.y, first)
        cdef loss_args_t p
        self.loss.set_args(&p)
        p.rows, p.row_stride, p.col_stride = rows, elements(out.row, itemsize), 1
        p.out, p.y = out.data, y.data
        p.label = self.label + first if self.loss.sparse else NULL
        p.row_scale = self.row_scale + first * itemsize
        p.row_losses = self.row_losses + first * itemsize
        p.delta = delta.data
        kernels_for(itemsize).losses[self.loss.row].evaluate(&p)
        memcpy(r_delta.data, r_out.data, rows * r_out.row)
        p.delta = r_delta.data
        kernels_for(itemsize).losses[self.loss.row].along(&p)
        if not self.loss.from_logits:
            self.through_activation(l, first, rows)

    cdef void through_activation(self, Py_ssize_t l, Py_ssize_t first,
                                 Py_ssize_t rows) noexcept nogil:
        """delta and its derivative from dC/da and its own, which stand in their places."""
        cdef Layer *layer = &self.network.layers[l]
        cdef Matrix z = from_row(&self.layers[l].z, first), a = from_row(&self.layers[l].a, first)
        cdef Matrix delta = from_row(&self.layers[l].delta, first)
        cdef Matrix r_delta = from_row(&self.layers[l].r_delta, first)
        cdef Matrix r_z = from_row(&self.layers[l].r_z, first)
        self.network.activate_backward(l, 0, layer.panels, rows, &z, &a, &r_delta)
        kernels_for(self.network.itemsize).activations[layer.activation].along(
            rows, layer.n_out, elements(z.row, self.network.itemsize), layer.activation_param,
            z.data, a.data, r_z.data, delta.data, r_delta.data)
        self.network.activate_backward(l, 0, layer.panels, rows, &z, &a, &delta)

    cdef void backward(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """delta of the other layers, and its derivative, and that of what is embedded."""
        cdef Py_ssize_t l
        cdef Matrix delta, r_delta
        for l in range(self.network.n_layers - 1, -1, -1):
            if l == 0 and not self.network.embeds:
                return
            if stops(&self.stop,
                     3 * rows * self.network.layers[l].n_in * self.network.layers[l].n_out):
                return
            if l > 0:
                delta = from_row(&self.layers[l - 1].delta, first)
                r_delta = from_row(&self.layers[l - 1].r_delta, first)
            else:
                delta = from_row(&self.embedded.delta, first)
                r_delta = from_row(&self.embedded.r_delta, first)
            self.send_back(l, first, rows, &delta, &r_delta)
            if l > 0:
                self.through_activation(l - 1, first, rows)

    cdef void send_back(self, Py_ssize_t l, Py_ssize_t first, Py_ssize_t rows, const Matrix *delta,
                        const Matrix *r_delta) noexcept nogil:
        """(W^l)^T delta^l, and its derivative (V^l)^T delta^l + (W^l)^T R{delta^l}."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Py_ssize_t itemsize = self.network.itemsize, depth = self.network.layers[l].n_out
        cdef Py_ssize_t panels = blocks(self.network.layers[l].n_in, self.network.lanes)
        cdef Matrix above = from_row(&self.layers[l].delta, first)
        cdef Matrix r_above = from_row(&self.layers[l].r_delta, first)
        cdef matmul_args_t p
        matmul_args(&p, rows, panels, depth, above,
                    panels_of(self.layers[l].Wt, PANEL_BYTES, depth * PANEL_BYTES),
                    row_panels(delta, 0), itemsize)
        k.matmul(&p)
        matmul_args(&p, rows, panels, depth, above,
                    panels_of(self.layers[l].Vt, PANEL_BYTES, depth * PANEL_BYTES),
                    row_panels(r_delta, 0), itemsize)
        k.matmul(&p)
        matmul_args(&p, rows, panels, depth, r_above,
                    panels_of(self.layers[l].Wt, PANEL_BYTES, depth * PANEL_BYTES),
                    row_panels(r_delta, 0), itemsize)
        p.accumulate = True
        k.matmul(&p)

    cdef void run_tile(self, WeightTile *tile) noexcept nogil:
        """A tile of H v, summed over the rows of the chunk, after those of the chunks before."""
        cdef Layer *layer = &self.network.layers[tile.layer]
        cdef Py_ssize_t itemsize = self.network.itemsize, l = tile.layer, panel
        cdef char *W = self.g + weight_offset(layer, tile.panel, tile.input)
        cdef Matrix a = self.layers[l - 1].a if l > 0 else self.X, r_a
        cdef matmul_args_t p
        if self.network.embeds and l == 0:
            a = self.embedded.x
        if stops(&self.stop, 2 * self.rows * tile.inputs * tile.panels * self.network.lanes):
            return
        matmul_args(&p, tile.inputs, tile.panels, self.rows,
                    matrix(at(&a, 0, tile.input), a.column, a.row),
                    row_panels(&self.layers[l].r_delta, tile.panel),
                    panels_of(W, PANEL_BYTES, layer.n_in * PANEL_BYTES), itemsize)
        p.accumulate = self.accumulate
        p.bias_grad = bias_at(self.g, layer, tile.panel) if tile.input == 0 else NULL
        kernels_for(itemsize).matmul(&p)
        if l > 0 or self.network.embeds:
            r_a = self.layers[l - 1].r_a if l > 0 else self.embedded.r_x
            matmul_args(&p, tile.inputs, tile.panels, self.rows,
                        matrix(at(&r_a, 0, tile.input), r_a.column, r_a.row),
                        row_panels(&self.layers[l].delta, tile.panel),
                        panels_of(W, PANEL_BYTES, layer.n_in * PANEL_BYTES), itemsize)
            p.accumulate = True
            kernels_for(itemsize).matmul(&p)
        for panel in range(0 if self.accumulate else tile.panels):
            self.add_penalty(tile.inputs * self.network.lanes,
                             weight_offset(layer, tile.panel + panel, tile.input))

    cdef void run_embedding_tile(self, const EmbeddingTile *tile) noexcept nogil:
        """The same of a tile of embeddings."""
        cdef EmbeddedRows rows
        rows.count, rows.x, rows.delta = self.rows, self.embedded.x, self.embedded.delta
        rows.categories, rows.categories_step = self.embedded.categories, min(self.max_rows, CHUNK)
        self.network.embedding.gradient_along(self.direction.embedding, tile, &rows,
                                              &self.embedded.r_delta, self.g, self.accumulate)
        if tile.table != NONE and not self.accumulate:
            self.add_penalty(tile.size, tile.offset)

    cdef void add_penalty(self, Py_ssize_t n, Py_ssize_t offset) noexcept nogil:
        """l2 v of n numbers, added once; offset in bytes."""
        if self.l2 != 0:
            kernels_for(self.network.itemsize).add_penalty(n, 0, self.l2,
                                                           self.direction.w + offset,
                                                           self.g + offset)


cdef void block_task(void *context, Py_ssize_t block, int worker) noexcept nogil:
    run_block_of(<HessianProduct>context, block)


cdef void run_block_of(HessianProduct product, Py_ssize_t block) noexcept nogil:
    cdef uint64_t mode = flush_subnormals()
    product.run_block(block * ROWS_TOGETHER, min(ROWS_TOGETHER,
                                                 product.rows - block * ROWS_TOGETHER))
    restore_subnormals(mode)


cdef void tile_task(void *context, Py_ssize_t tile, int worker) noexcept nogil:
    run_tile_of(<HessianProduct>context, tile)


cdef void run_tile_of(HessianProduct product, Py_ssize_t tile) noexcept nogil:
    cdef uint64_t mode = flush_subnormals()
    if tile < product.partition.count:
        product.run_tile(&product.partition.tiles[tile])
    else:
        tile -= product.partition.count
        product.run_embedding_tile(&product.partition.embedding_tiles[tile])
    restore_subnormals(mode)
