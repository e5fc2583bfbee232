"""Backpropagation: forward pass, loss, delta recursion and gradients of blocks of rows.

For layers l = 1 .. L with a^0 = x:

    z^l = W^l a^(l-1) + b^l                       a^l = f(z^l)
    delta^L = dC/da^L * f'(z^L)                   delta^l = ((W^(l+1))^T delta^(l+1)) * f'(z^l)
    dC/dW^l = delta^l (a^(l-1))^T                 dC/db^l = delta^l

Where columns are embedded (`cnn_core._embedding`), what x has of them learns from

    delta^0 = (W^1)^T delta^1

such as vectors of categories c, rows of tables E:

    dC/dE_c = sum of delta^0 over the rows of category c

A mini-batch holds one row per sample; its gradients are averages, because the loss scales each
row's delta by 1/rows.
"""

import numpy as np

cimport cython
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from cnn_core._control cimport begin_stop, leave, stops
from cnn_core._cpu cimport kernels_for, kernels_t, loss_args_t, matmul_args_t
from cnn_core._dropout cimport seed_dropout
from cnn_core._embedding cimport NONE, EmbeddedRows, EmbeddingTile
from cnn_core._losses cimport OutputLoss
from cnn_core._matmul cimport matmul_args, panels_of, panels_per_call, row_panels
from cnn_core._memory cimport (PANEL_BYTES, Arena, Matrix, address, at, blocks, elements, from_row,
                               is_transposed, matrix)
from cnn_core._network cimport Layer, Network, bias_at, weight_offset
from cnn_core._partition cimport Partition, TileView, WeightTile
from cnn_core._platform cimport clock_seconds, flush_subnormals, restore_subnormals
from cnn_core._tuning cimport WORK_PER_CALL
from cnn_core._workspace cimport LayerBuffers, LayerInput, Workspace
from cnn_core import _activations, _losses
from cnn_core._checks import MATRIX, NUMBER, as_array, takes
from cnn_core._linalg import matmul
from cnn_core._memory import aligned_zeros

phases = ("shuffle", "gather", "forward", "activation", "loss", "backward", "gradient", "update")


@cython.final
cdef class Backprop:
    """Forward pass, loss, delta recursion and gradients of one network on mini-batches.

    Parameters
    ----------
    network : Network
        Its parameters are read, never written.
    loss : str
    max_batch_size : int
        Rows of the largest mini-batch.
    loss_param : float, optional
        The loss's number, or its quantiles (`_losses.table`); default that of the literature.
    l1, l2 : float
        The cost of each mini-batch is increased by ``l1 |W|_1 + l2/2 |W|^2`` over all weights W,
        biases left out.
    dropout : sequence of float, optional
        For each layer the rate at which a training step drops its inputs, in [0, 1). Inputs that
        come from selu are dropped as alpha dropout does, unless `drop_plainly` is called.
    penalty_per_row : bool
        Whether that penalty is divided by the number of rows of the mini-batch (by their weight,
        where they have one), as scikit-learn does: it then counts less in larger mini-batches.

    Attributes
    ----------
    gradient : ndarray
        The averaged gradient of the last mini-batch, laid out as ``network.parameters``.
    n_parameters : int
        Length of the flat vectors, padding included.
    loss : OutputLoss
    """

    def __cinit__(self, Network network not None, str loss not None, Py_ssize_t max_batch_size,
                  loss_param=None, double l1=0, double l2=0, dropout=None,
                  bint penalty_per_row=False):
        self.network, self.loss = network, OutputLoss(loss, loss_param, network.widths[-1])
        self.loss.check_output(network.activations[-1])
        row = _losses.table()[loss]
        self.y_threshold = ((row.low + row.high) / 2
                            if np.isfinite(row.high) and not row.sparse else 0.5)
        self.threshold = 0 if self.loss.from_logits else self.y_threshold
        self.penalty = Penalty(l1, l2, 1, penalty_per_row)
        self.workspace = Workspace(network, max_batch_size, dropout, self.loss.sparse,
                                   self.loss.from_logits)
        self.partition, self.arena = Partition(network), Arena()
        self.n_parameters = network.parameters.size
        self.gradient = aligned_zeros(network.parameters.size, network.dtype)
        self.g = address(self.gradient)
        begin_stop(&self.stop, None)
        leave(&self.stop)
        self.phase_seconds = <double *>self.arena.alloc(network.n_layers, PHASES, sizeof(double))

    @property
    def layer_seconds(self):
        """Time spent in each phase so far, of each layer; shuffling and gathering count for the
        first, the loss for the last.

        Returns
        -------
        list of dict of str to float
        """
        return [{phase: self.phase_seconds[l * PHASES + i] for i, phase in enumerate(phases)}
                for l in range(self.network.n_layers)]

    @property
    def max_batch_size(self):
        """Rows of the largest mini-batch."""
        return self.workspace.max_batch_size

    @property
    def dropout(self):
        """The rate of each layer's inputs."""
        return self.workspace.dropout

    @property
    def transposed(self):
        """Whether the last layer works on transposed matrices."""
        return self.workspace.transposed

    cdef Matrix metric_output(self) noexcept nogil:
        """What the metric is measured on: z^L or a^L."""
        cdef LayerBuffers *last = &self.workspace.layers[self.network.n_layers - 1]
        return last.z if self.loss.from_logits and not self.activates_output else last.a

    cdef void record_phase(self, int phase, Py_ssize_t layer) noexcept nogil:
        """Everything since the last call was `phase` of a layer."""
        cdef double now
        if self.timing:
            now = clock_seconds()
            self.phase_seconds[layer * PHASES + phase] += now - self.last_mark
            self.last_mark = now

    cdef double set_weight(self, Py_ssize_t rows, double weight) noexcept nogil:
        """Weigh rows and penalty for a mini-batch of this weight; where it is negative, the rows
        are all of it. Returns the weight."""
        if weight < 0:
            weight = self.workspace.weight_of(0, rows)
        if self.penalty.per_row:
            self.penalty.scale = 1 / weight if weight > 0 else 0
        self.workspace.set_row_scale(rows, weight)
        return weight

    def drop_plainly(self):
        """Drop outputs of selu as all others."""
        self.workspace.drop_plainly()

    cdef void seed_dropouts(self, uint64_t seed, uint64_t step) noexcept nogil:
        """Which inputs the coming training step drops."""
        cdef Py_ssize_t l
        for l in range(self.network.n_layers):
            seed_dropout(&self.workspace.inputs[l].dropout, l, seed, step)

    cdef TileView gradient_view(self, WeightTile *tile, char *g) noexcept nogil:
        """A tile's place in g, laid out as `gradient`."""
        cdef Layer *layer = &self.network.layers[tile.layer]
        cdef TileView view
        view.W = g + weight_offset(layer, tile.panel, tile.input)
        view.panel = layer.n_in * PANEL_BYTES
        view.b = bias_at(g, layer, tile.panel)
        return view

    cdef void forward_panels(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels,
                             Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil:
        """z^l = W^l a^(l-1) + b^l of a hidden layer, for some panels of its outputs and some
        rows."""
        cdef const Py_ssize_t *indices = self.workspace.inputs[l].row_indices
        cdef Matrix x = self.workspace.layer_input(l, first, rows, dropping,
                                                   self.dropout_offset + self.batch_offset)
        cdef Matrix z = from_row(&self.workspace.layers[l].z, first)
        cdef Py_ssize_t work = rows * self.network.layers[l].n_in * self.network.lanes
        cdef Py_ssize_t end = panel + panels, step = panels_per_call(panels, work)
        while panel < end and not stops(&self.stop, step * work):
            self.network.forward(l, panel, min(step, end - panel), rows, &x,
                                 indices + first if indices else NULL, &z)
            panel += step
        self.record_phase(FORWARD, l)

    cdef void activate_panels(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels,
                              Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """a^l = f(z^l) of the same."""
        cdef Matrix z = from_row(&self.workspace.layers[l].z, first)
        cdef Matrix a = from_row(&self.workspace.layers[l].a, first)
        self.network.activate(l, panel, panels, rows, &z, &a)
        self.record_phase(ACTIVATION, l)

    cdef void backward_panels(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels,
                              Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil:
        """delta^l = ((W^(l+1))^T delta^(l+1)) * f'(z^l) of a hidden layer, for some panels of its
        outputs and some rows."""
        cdef Matrix delta = from_row(&self.workspace.layers[l].delta, first)
        cdef Matrix z = from_row(&self.workspace.layers[l].z, first)
        cdef Matrix a = from_row(&self.workspace.layers[l].a, first)
        self.send_back(l + 1, panel, panels, first, rows, delta, dropping)
        self.network.activate_backward(l, panel, panels, rows, &z, &a, &delta)
        self.record_phase(ACTIVATION, l)

    cdef void backward_inputs(self, Py_ssize_t first, Py_ssize_t rows,
                              bint dropping) noexcept nogil:
        """dC/dx of what comes from embeddings, for some rows."""
        cdef Py_ssize_t panel = self.workspace.first_panel()
        cdef Py_ssize_t panels = blocks(self.network.layers[0].n_in, self.network.lanes) - panel
        cdef Matrix delta = from_row(&self.workspace.x_delta, first)
        self.send_back(0, panel, panels, first, rows, delta, dropping)

    cdef void send_back(self, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t first,
                        Py_ssize_t rows, Matrix delta, bint dropping) noexcept nogil:
        """(W^l)^T delta^l, times dropout's mask, into `delta`: what layer l sends to some panels of
        what it reads, for some rows."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Py_ssize_t r, itemsize = self.network.itemsize, lanes = self.network.lanes
        cdef Py_ssize_t depth = self.network.layers[l].n_out, first_column = panel * lanes
        cdef Matrix above = from_row(&self.workspace.layers[l].delta, first), mask
        cdef Py_ssize_t work = rows * depth * lanes, step = panels_per_call(panels, work)
        cdef Py_ssize_t i = panel, end = panel + panels
        cdef matmul_args_t p
        while i < end:
            if stops(&self.stop, step * work):
                return
            matmul_args(&p, rows, min(step, end - i), depth, above,
                        panels_of(self.workspace.layers[l].Wt + i * depth * PANEL_BYTES,
                                  PANEL_BYTES, depth * PANEL_BYTES),
                        row_panels(&delta, i), itemsize)
            k.matmul(&p)
            i += step
        self.record_phase(BACKWARD, l)
        if dropping and self.workspace.inputs[l].drops:
            mask = from_row(&self.workspace.inputs[l].mask, first)
            if panels == blocks(self.network.layers[l].n_in, lanes):
                k.multiply(rows * elements(delta.row, itemsize), mask.data, delta.data)
            else:
                for r in range(rows):
                    k.multiply(panels * lanes, at(&mask, r, first_column),
                               at(&delta, r, first_column))

    cdef void forward_last(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil:
        """z^L of all outputs, and a^L where the loss asks for it."""
        cdef Py_ssize_t l = self.network.n_layers - 1
        if self.workspace.transposed:
            self.forward_transposed(first, rows, dropping)
        else:
            self.forward_panels(l, 0, self.network.layers[l].panels, first, rows, dropping)
        if not self.loss.from_logits:
            self.activate_last(first, rows)

    cdef void forward_transposed(self, Py_ssize_t first, Py_ssize_t rows,
                                 bint dropping) noexcept nogil:
        """z^L of all outputs, transposed."""
        cdef Py_ssize_t l = self.network.n_layers - 1, lanes = self.network.lanes
        cdef Py_ssize_t itemsize = self.network.itemsize
        cdef Layer *layer = &self.network.layers[l]
        cdef Matrix x = self.workspace.layer_input(l, first, rows, dropping,
                                                   self.dropout_offset + self.batch_offset)
        cdef Matrix z = from_row(&self.workspace.layers[l].z, first), x_transposed
        cdef Py_ssize_t inputs = blocks(layer.n_in, lanes) * lanes
        cdef Py_ssize_t padded_rows = blocks(rows, lanes) * lanes
        x_transposed = matrix(self.workspace.x_transposed.data + first * inputs * itemsize,
                              itemsize, padded_rows * itemsize)
        kernels_for(itemsize).transpose(rows, layer.n_in, elements(x.row, itemsize), x.data,
                                        inputs, padded_rows, x_transposed.data)
        self.network.forward(l, 0, layer.panels, rows, &x_transposed, NULL, &z)
        self.record_phase(FORWARD, l)

    cdef void activate_last(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """a^L = f(z^L) for some rows."""
        cdef Py_ssize_t l = self.network.n_layers - 1
        self.activate_panels(l, 0, self.network.layers[l].panels, first, rows)

    cdef void forward(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil:
        """z^l and a^l of all layers for some rows of the mini-batch. Layers that threads share by
        outputs have been computed before, but for the activation of the highest of them."""
        cdef Py_ssize_t l
        for l in range(self.network.n_layers - 1):
            if l >= self.layers_by_output:
                self.forward_panels(l, 0, self.network.layers[l].panels, first, rows, dropping)
            if l >= self.layers_by_output - 1:
                self.activate_panels(l, 0, self.network.layers[l].panels, first, rows)
        self.forward_last(first, rows, dropping)

    cdef void evaluate_loss(self, Py_ssize_t first, Py_ssize_t rows,
                            bint with_delta) noexcept nogil:
        """The loss of some rows, and delta^L = dC/da^L * f'(z^L)."""
        cdef Py_ssize_t itemsize = self.network.itemsize, l = self.network.n_layers - 1
        cdef Py_ssize_t offset = (self.batch_offset + first) * itemsize
        cdef Matrix z = from_row(&self.workspace.layers[l].z, first)
        cdef Matrix a = from_row(&self.workspace.layers[l].a, first)
        cdef Matrix delta = from_row(&self.workspace.layers[l].delta, first)
        cdef Matrix y = from_row(&self.workspace.targets, first)
        cdef loss_args_t p
        self.loss.set_args(&p)
        p.rows = rows
        p.row_stride, p.col_stride = elements(z.row, itemsize), elements(z.column, itemsize)
        p.out = z.data if self.loss.from_logits else a.data
        p.y, p.label = y.data, self.workspace.label + first
        p.row_scale = self.workspace.row_scale + offset
        p.row_losses = self.workspace.row_losses + offset
        p.delta = delta.data if with_delta else NULL
        kernels_for(itemsize).losses[self.loss.row].evaluate(&p)
        if with_delta and not self.loss.from_logits:
            self.network.activate_backward(l, 0, self.network.layers[l].panels, rows, &z, &a,
                                           &delta)

    cdef void backward(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil:
        """delta^l from the last hidden layer down to the highest that is shared by outputs, for
        some rows."""
        cdef Py_ssize_t l
        for l in range(self.network.n_layers - 2, max(0, self.layers_by_output - 1) - 1, -1):
            self.backward_panels(l, 0, self.network.layers[l].panels, first, rows, dropping)

    cdef void forward_backward(self, Py_ssize_t first, Py_ssize_t rows,
                               bint dropping) noexcept nogil:
        """Outputs, losses and deltas of some rows of the mini-batch."""
        self.forward(first, rows, dropping)
        self.evaluate_loss(first, rows, True)
        self.record_phase(LOSS, self.network.n_layers - 1)
        if self.activates_output:
            self.activate_last(first, rows)
        self.backward(first, rows, dropping)
        if self.network.embeds and self.layers_by_output <= 1:
            self.backward_inputs(first, rows, dropping)

    cdef void evaluate_block(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """Losses and the outputs a^L of some rows, without deltas."""
        self.forward(first, rows, False)
        self.evaluate_loss(first, rows, False)
        if self.loss.from_logits:  # it has worked on z; what is evaluated is a, as in a prediction
            self.activate_last(first, rows)

    cdef void weight_gradient(self, WeightTile *tile, Py_ssize_t first, Py_ssize_t rows,
                              bint dropping, const TileView *view, bint accumulate) noexcept nogil:
        """dW^l = delta^l (a^(l-1))^T and db^l = delta^l of a tile, summed over `rows` rows from
        `first` on, with `accumulate` in addition to earlier rows. For a transposed last layer the
        sum is kept transposed until `store_gradient`."""
        cdef LayerInput *layer_input = &self.workspace.inputs[tile.layer]
        cdef Py_ssize_t itemsize = self.network.itemsize
        cdef Matrix a = layer_input.dropped if dropping and layer_input.drops else layer_input.a
        cdef Matrix delta = self.workspace.layers[tile.layer].delta
        cdef const Py_ssize_t *indices = layer_input.row_indices
        cdef Py_ssize_t begin = first, end = first + rows
        cdef Py_ssize_t work = tile.inputs * tile.panels * self.network.lanes
        cdef Py_ssize_t step = rows if rows * work <= WORK_PER_CALL else WORK_PER_CALL // work
        cdef matmul_args_t p
        if is_transposed(&delta, itemsize):
            self.weight_gradient_transposed(tile, first, rows, &a, accumulate)
            end = first
        while first < end:
            if first > begin and stops(&self.stop, step * work):
                return
            delta = from_row(&self.workspace.layers[tile.layer].delta, first)
            matmul_args(&p, tile.inputs, tile.panels, min(step, end - first),
                        matrix(at(&a, 0 if indices else first, tile.input), a.column, a.row),
                        row_panels(&delta, tile.panel),
                        panels_of(view.W, PANEL_BYTES, view.panel), itemsize)
            p.depth_index = indices + first if indices else NULL
            p.accumulate = accumulate or first > begin
            # The bias is the weight of an input that is always 1.
            p.bias_grad = view.b if tile.input == 0 else NULL
            kernels_for(itemsize).matmul(&p)
            first += step
        self.record_phase(GRADIENT, tile.layer)

    cdef void weight_gradient_transposed(self, WeightTile *tile, Py_ssize_t first, Py_ssize_t rows,
                                         const Matrix *a, bint accumulate) noexcept nogil:
        """(dW)^T = a delta^T, with the inputs in the lanes, all of them full."""
        cdef Py_ssize_t n_out = self.network.layers[tile.layer].n_out
        cdef Py_ssize_t itemsize = self.network.itemsize
        cdef Matrix above = from_row(&self.workspace.layers[tile.layer].delta, first)
        cdef Matrix delta = matrix(above.data, above.column, itemsize)
        cdef matmul_args_t p
        matmul_args(&p, n_out, blocks(tile.inputs, self.network.lanes), rows, delta,
                    panels_of(at(a, first, tile.input), a.row, PANEL_BYTES),
                    panels_of(self.workspace.gradient_transposed + tile.input * n_out * itemsize,
                              PANEL_BYTES, n_out * PANEL_BYTES), itemsize)
        p.accumulate = accumulate
        kernels_for(itemsize).matmul(&p)
        if tile.input == 0 and self.network.has_bias:
            matmul_args(&p, n_out, 1, rows, delta, panels_of(self.workspace.ones, 0, 0),
                        panels_of(self.workspace.bias_gradient, PANEL_BYTES, 0), itemsize)
            p.accumulate = accumulate
            kernels_for(itemsize).matmul(&p)

    cdef void store_gradient(self, WeightTile *tile, const TileView *view) noexcept nogil:
        """The gradient of a transposed layer's tile into the layout of the parameters."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Py_ssize_t n_out = self.network.layers[tile.layer].n_out
        cdef Py_ssize_t itemsize = self.network.itemsize
        if not is_transposed(&self.workspace.layers[tile.layer].delta, itemsize):
            return
        k.transpose_panels(
            n_out, tile.inputs, 0, n_out, 0, tile.inputs,
            self.workspace.gradient_transposed + tile.input * n_out * itemsize, view.W)
        if tile.input == 0 and view.b:
            k.transpose_panels(n_out, 1, 0, n_out, 0, 1, self.workspace.bias_gradient, view.b)

    cdef void add_penalty(self, WeightTile *tile, const TileView *view) noexcept nogil:
        """l1 |W|_1 + l2/2 |W|^2 over the weights of a tile, and its gradient added to that of the
        loss."""
        cdef Layer *layer = &self.network.layers[tile.layer]
        cdef Py_ssize_t panel
        cdef double l1 = self.penalty.l1 * self.penalty.scale
        cdef double l2 = self.penalty.l2 * self.penalty.scale
        tile.penalty = 0
        if l1 == 0 and l2 == 0:
            return
        for panel in range(tile.panels):
            tile.penalty += kernels_for(self.network.itemsize).add_penalty(
                tile.inputs * self.network.lanes, l1, l2,
                self.network.w + weight_offset(layer, tile.panel + panel, tile.input),
                view.W + panel * view.panel)
        self.record_phase(GRADIENT, tile.layer)

    cdef void embedding_gradient(self, EmbeddingTile *tile, Py_ssize_t first, Py_ssize_t rows,
                                 char *g, bint accumulate) noexcept nogil:
        """The gradient of a tile of embeddings into g, laid out as all parameters: summed over
        `rows` rows from `first` on in their order, with `accumulate` in addition to earlier
        rows."""
        cdef EmbeddedRows summed = self.workspace.embedded_rows(first, rows)
        self.network.embedding.gradient(tile, &summed, g, accumulate)
        self.record_phase(GRADIENT, 0)

    cdef void add_embedding_penalty(self, EmbeddingTile *tile) noexcept nogil:
        """The penalty of a tile of vectors, as of weights, and its gradient."""
        cdef double l1 = self.penalty.l1 * self.penalty.scale
        cdef double l2 = self.penalty.l2 * self.penalty.scale
        tile.penalty = 0
        if tile.table != NONE and (l1 != 0 or l2 != 0):
            tile.penalty = kernels_for(self.network.itemsize).add_penalty(
                tile.size, l1, l2, self.network.w + tile.offset, self.g + tile.offset)
        self.record_phase(GRADIENT, 0)

    def loss_and_gradient(self, X, y):
        """The mean cost of some rows and its gradient, without dropout.

        Parameters
        ----------
        X : array-like, shape (rows, n_features)
            At most `max_batch_size` rows.
        y : array-like
            Class indices of shape (rows,) for a sparse loss, else targets of shape (rows, targets).

        Returns
        -------
        loss : float
        gradient : ndarray, shape (n_parameters,)
            In the order of `Network.flat`.
        """
        cdef Network network = self.network
        cdef Py_ssize_t rows
        X = as_array("X", X, network.dtype)
        rows = X.shape[0] if X.ndim else 0
        if not 0 < rows <= self.workspace.max_batch_size or X.shape != (rows, network.n_features):
            raise ValueError(f"X must have 1 to {self.workspace.max_batch_size} rows of "
                             f"{network.n_features} features, got {X.shape}")
        y = self.loss.read_targets(y, rows, network.dtype)
        self.workspace.acquire()
        try:
            return self.loss_of(X, y)
        finally:
            self.workspace.release()

    cdef fill_rows(self, X):
        """Rows of X into the workspace."""
        cdef Workspace ws = self.workspace
        cdef Py_ssize_t r
        _fill(ws.x.data, ws.x.row, X)
        for r in range(X.shape[0] if self.network.embeds else 0):
            self.network.embedding.read_row(at(&ws.x, r, 0), at(&ws.x, r, 0), ws.categories + r,
                                  ws.max_batch_size)

    cdef loss_of(self, X, y):
        cdef Network network = self.network
        cdef Workspace ws = self.workspace
        cdef Py_ssize_t i, rows = X.shape[0], block = network.block
        cdef WeightTile *tile
        cdef TileView view
        cdef uint64_t mode
        begin_stop(&self.stop, None)
        ws.use_weights(False)
        self.activates_output = self.has_gradient = False
        ws.inputs[0].a, ws.inputs[0].row_indices = ws.x, NULL
        self.fill_rows(X)
        if self.loss.sparse:
            _fill(<char *>ws.label, 4, y[:, None])
        else:
            _fill(ws.y.data, ws.y.row, y)
            ws.layout_targets(0, rows)
        with nogil:
            mode = flush_subnormals()
            ws.transpose_weights()
            self.set_weight(rows, -1)
            for i in range(blocks(rows, block)):
                self.forward_backward(i * block, min(block, rows - i * block), False)
            for i in range(self.partition.count):
                tile = &self.partition.tiles[i]
                if stops(&self.stop, rows * tile.inputs * tile.panels * network.lanes):
                    break
                view = self.gradient_view(tile, self.g)
                self.weight_gradient(tile, 0, rows, False, &view, False)
                self.store_gradient(tile, &view)
                self.add_penalty(tile, &view)
            for i in range(self.partition.n_embedding_tiles):
                self.embedding_gradient(&self.partition.embedding_tiles[i], 0, rows, self.g, False)
                self.add_embedding_penalty(&self.partition.embedding_tiles[i])
            restore_subnormals(mode)
        leave(&self.stop)
        loss = ws.add_losses(0, rows, 0) / rows + self.partition.penalty()
        return loss, network.flat(self.gradient)


cdef _fill(char *target, Py_ssize_t step, values):
    """Copy rows into a buffer in which they begin `step` bytes apart."""
    values = np.ascontiguousarray(values)
    cdef Py_ssize_t r, row_bytes = values.shape[1] * values.itemsize
    cdef char *source = address(values)
    for r in range(values.shape[0]):
        memcpy(target + r * step, source + r * row_bytes, row_bytes)


@takes(W=MATRIX, delta=MATRIX, z=MATRIX, activation_param=NUMBER)
def backward_delta(W, delta, z, activation, activation_param=None):
    """One step of the delta recursion: delta^l = ((W^(l+1))^T delta^(l+1)) * f'(z^l).

    Parameters
    ----------
    W : ndarray of float32 or float64, shape (n_above, n)
        Weights of the layer above.
    delta : ndarray, shape (rows, n_above)
        Its error.
    z : ndarray, shape (rows, n)
        Input of this layer's activation.
    activation : str
    activation_param : float, optional
        The activation's number; default that of the literature.

    Returns
    -------
    ndarray, shape (rows, n)
    """
    if delta.shape[1] != W.shape[0] or z.shape != (delta.shape[0], W.shape[1]):
        raise ValueError(f"W of shape {W.shape} goes with delta of shape (rows, {W.shape[0]}) and "
                         f"z of shape (rows, {W.shape[1]}), got {delta.shape} and {z.shape}")
    return _activations.activation_backward(activation, z, matmul(delta, W), activation_param)


@takes(delta=MATRIX, a=MATRIX)
def gradients(delta, a):
    """dW = delta^T a and db = sum of delta, summed over the rows: the gradient of one layer.

    Parameters
    ----------
    delta : ndarray of float32 or float64, shape (rows, n_out)
        The layer's error; scaled by 1/rows where the mean is wanted.
    a : ndarray, shape (rows, n_in)
        The activations of the layer below.

    Returns
    -------
    dW : ndarray, shape (n_out, n_in)
    db : ndarray, shape (n_out,)
    """
    if delta.shape[0] != a.shape[0]:
        raise ValueError(f"delta and a must have the same number of rows, "
                         f"got {delta.shape} and {a.shape}")
    ones = np.ones((1, delta.shape[0]), delta.dtype)
    return matmul(np.ascontiguousarray(delta.T), a), matmul(ones, delta)[0]
