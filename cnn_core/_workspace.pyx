"""The buffers of a mini-batch: what each layer reads and leaves, targets, row weights and row
losses."""

import numpy as np

cimport cython
from libc.stdint cimport int32_t

from cnn_core._cpu cimport kernels_for, kernels_t
from cnn_core._dropout cimport dropout_of
from cnn_core._memory cimport (PANEL_BYTES, Arena, Matrix, at, blocks, elements, from_row,
                               leading_dimension, matrix)
from cnn_core._network cimport Layer, LayoutWork, Network, add_work, is_less_transposed
from cnn_core._tuning cimport TRANSPOSE_WORK


@cython.final
cdef class Workspace:
    """The buffers of mini-batches of up to `max_batch_size` rows.

    Parameters
    ----------
    network : Network
    max_batch_size : int
    dropout : sequence of float or None
        The rate of each layer's inputs.
    sparse : bool
        Whether targets are class indices.
    from_logits : bool
        Whether the loss works on z of the last layer.
    """

    def __cinit__(self, Network network not None, Py_ssize_t max_batch_size, dropout, bint sparse,
                  bint from_logits):
        cdef Py_ssize_t l, itemsize = network.itemsize, lanes = network.lanes
        if max_batch_size < 1:
            raise ValueError(f"a mini-batch must hold at least one row, got {max_batch_size}")
        self.network, self.max_batch_size = network, max_batch_size
        dropout = (0.0,) * network.n_layers if dropout is None else dropout
        self.dropout = tuple([float(rate) for rate in dropout])
        if (len(self.dropout) != network.n_layers
                or not all([0 <= rate < 1 for rate in self.dropout])):
            raise ValueError(f"dropout must give each of the {network.n_layers} layers a rate of "
                             f"at least 0 and below 1, got {self.dropout}")
        self.transposed = self.prefers_transposed(from_logits)
        self.arena = Arena()
        self.layers = <LayerBuffers *>self.arena.alloc(network.n_layers, 1, sizeof(LayerBuffers))
        self.inputs = <LayerInput *>self.arena.alloc(network.n_layers, 1, sizeof(LayerInput))
        self.row_scale = self.arena.alloc(max_batch_size + lanes, 1, itemsize)
        self.x = self.arena.rows(max_batch_size, leading_dimension(network.widths[0], itemsize),
                                 itemsize)
        self.row_losses = self.arena.alloc(max_batch_size + lanes, 1, itemsize)
        self.label = <int32_t *>self.arena.alloc(max_batch_size + lanes, 1, sizeof(int32_t))
        for l in range(network.n_layers):
            self.inputs[l].alpha = l > 0 and network.activations[l - 1] == "selu"
            self.alloc_layer(l)
        if network.embeds:
            self.alloc_embedded()
        if not sparse:
            l = network.n_layers - 1
            self.y = self.targets = self.arena.rows(max_batch_size, network.layers[l].ld, itemsize)
        if self.transposed:
            self.alloc_transposed(sparse)
        for l in range(network.n_layers):
            self.alloc_input(l)

    cdef bint prefers_transposed(self, bint from_logits):
        """Whether the last of several layers is so narrow that it works faster transposed, with its
        forward and its gradient's product. The loss transposes rows of one panel anyway, there and
        back."""
        network = self.network
        cdef Layer *last = &network.layers[network.n_layers - 1]
        cdef LayoutWork work
        if network.n_layers == 1 or last.panels > 1:
            return False
        if not from_logits and kernels_for(network.itemsize).activations[last.activation].per_row:
            return False
        work.row_major = 2 * TRANSPOSE_WORK * network.lanes
        work.transposed = TRANSPOSE_WORK * last.n_in
        add_work(&work, last, network.lanes, 2)
        return is_less_transposed(&work)

    cdef alloc_layer(self, Py_ssize_t l):
        network = self.network
        cdef Layer *layer = &network.layers[l]
        cdef LayerBuffers *buffers = &self.layers[l]
        cdef Py_ssize_t itemsize = network.itemsize, rows = self.max_batch_size, ld = layer.ld
        cdef bint transposed = self.transposed and l == network.n_layers - 1
        if transposed:
            rows, ld = layer.n_out, leading_dimension(rows, itemsize)
        buffers.a = self.arena.rows(rows, ld, itemsize)
        buffers.z = buffers.a
        if kernels_for(itemsize).activations[layer.activation].needs_preactivation:
            buffers.z = self.arena.rows(rows, ld, itemsize)
        buffers.delta = self.arena.rows(rows, ld, itemsize)
        if transposed:
            buffers.z = matrix(buffers.z.data, itemsize, ld * itemsize)
            buffers.a = matrix(buffers.a.data, itemsize, ld * itemsize)
            buffers.delta = matrix(buffers.delta.data, itemsize, ld * itemsize)
        if l > 0 or network.embeds:
            buffers.Wt = self.arena.alloc(blocks(layer.n_in, network.lanes) * PANEL_BYTES,
                                          layer.n_out, 1)

    cdef alloc_embedded(self):
        """What embeddings learn from."""
        network = self.network
        cdef Py_ssize_t itemsize = network.itemsize, rows = self.max_batch_size
        self.x_delta = self.arena.rows(rows, elements(self.x.row, itemsize), itemsize)
        self.categories = <Py_ssize_t *>self.arena.alloc(network.embedding.n_tables, rows,
                                                         sizeof(Py_ssize_t))

    cdef alloc_transposed(self, bint sparse):
        """What a transposed last layer has beside its own buffers."""
        network = self.network
        cdef Layer *layer = &network.layers[network.n_layers - 1]
        cdef Py_ssize_t itemsize = network.itemsize, lanes = network.lanes
        cdef Py_ssize_t inputs = blocks(layer.n_in, lanes) * lanes
        self.x_transposed.data = self.arena.alloc(self.max_batch_size + lanes, inputs, itemsize)
        self.gradient_transposed = self.arena.alloc(inputs, layer.n_out, itemsize)
        self.bias_gradient = self.arena.alloc(layer.n_out, PANEL_BYTES, 1)
        self.ones = self.arena.alloc(1, PANEL_BYTES, 1)
        np.asarray(self.arena.buffers[-1]).reshape(-1).view(network.dtype)[:] = 1
        if not sparse:
            self.targets = self.layers[network.n_layers - 1].delta
            self.targets.data = self.arena.alloc(layer.n_out, self.targets.column, 1)

    cdef alloc_input(self, Py_ssize_t l):
        """What layer l reads."""
        network = self.network
        cdef LayerInput *layer_input = &self.inputs[l]
        cdef Py_ssize_t itemsize = network.itemsize, ld
        layer_input.width = network.widths[l]
        layer_input.a = self.layers[l - 1].a if l > 0 else self.x
        layer_input.rate = self.dropout[l]
        layer_input.dropout = dropout_of(layer_input.rate, layer_input.alpha)
        layer_input.drops = layer_input.dropout.threshold > 0
        if layer_input.drops:
            ld = elements(layer_input.a.row, itemsize)
            layer_input.dropped = self.arena.rows(self.max_batch_size, ld, itemsize)
            if l > 0 or network.embeds:
                layer_input.mask = self.arena.rows(self.max_batch_size, ld, itemsize)

    cdef drop_plainly(self):
        """Use no alpha dropout."""
        cdef Py_ssize_t l
        for l in range(self.network.n_layers):
            self.inputs[l].alpha = False
        self.scale_dropout(1)

    cdef void scale_dropout(self, double factor) noexcept nogil:
        """Drop this share of the rates, at most 1, from now on."""
        cdef LayerInput *layer_input
        cdef Py_ssize_t l
        for l in range(self.network.n_layers):
            layer_input = &self.inputs[l]
            layer_input.dropout = dropout_of(factor * layer_input.rate, layer_input.alpha)

    cdef acquire(self):
        """Refuse a second user of the buffers; whoever has them calls `release` at the end."""
        with cython.critical_section(self):  # which Python without a GIL needs
            if self.busy:
                raise RuntimeError("this training is in use by another thread; "
                                   "give each thread its own")
            self.busy = True

    cdef void release(self) noexcept:
        """Let others have the buffers, with all that was written to them."""
        with cython.critical_section(self):
            self.busy = False

    cdef use_weights(self, bint wanted):
        """Have a weight of each row, or weigh them all alike."""
        if not wanted:
            self.row_weight = NULL
        elif self.weight_arena is None:
            self.weight_arena = Arena()
            self.row_weight = self.weight_arena.alloc(self.max_batch_size, 1, self.network.itemsize)
        else:
            self.row_weight = self.weight_arena.first()

    cdef Py_ssize_t row_bytes(self) noexcept nogil:
        """Bytes of the workspace that a row takes, about."""
        cdef Py_ssize_t l, columns = elements(self.x.row, self.network.itemsize)
        for l in range(self.network.n_layers):
            columns += 2 * self.network.layers[l].ld
        return columns * self.network.itemsize

    cdef void layout_targets(self, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """Bring the targets of some rows, which stand in y, into the layout that the loss takes."""
        cdef Py_ssize_t itemsize = self.network.itemsize
        cdef Py_ssize_t n_out = self.network.layers[self.network.n_layers - 1].n_out
        if self.targets.data != self.y.data:
            kernels_for(itemsize).transpose(
                rows, n_out, elements(self.y.row, itemsize), at(&self.y, first, 0), n_out,
                elements(self.targets.column, itemsize), at(&self.targets, first, 0))

    cdef double weight_of(self, Py_ssize_t first, Py_ssize_t end) noexcept nogil:
        """The weight of rows first .. end - 1, one after the other."""
        cdef Py_ssize_t r
        cdef double total = 0
        if self.row_weight == NULL:
            return end - first
        for r in range(first, end):
            total += self.weight_of_row(r)
        return total

    cdef void set_row_scale(self, Py_ssize_t rows, double weight) noexcept nogil:
        """Scale each row's delta by its share of the mini-batch's weight; where that is 0 there is
        nothing to learn."""
        cdef Py_ssize_t r
        cdef double share
        if self.row_weight == NULL:
            if self.scaled_rows == rows and self.scaled_weight == weight:
                return
            self.scaled_rows, self.scaled_weight = rows, weight
        else:
            self.scaled_rows = 0
        for r in range(rows):
            share = self.weight_of_row(r) / weight if weight > 0 else 0
            if self.network.itemsize == 8:
                (<double *>self.row_scale)[r] = share
            else:
                (<float *>self.row_scale)[r] = <float>share

    cdef double weight_of_row(self, Py_ssize_t r) noexcept nogil:
        if self.row_weight == NULL:
            return 1
        if self.network.itemsize == 8:
            return (<double *>self.row_weight)[r]
        return (<float *>self.row_weight)[r]

    cdef double add_losses(self, Py_ssize_t first, Py_ssize_t end, double total) noexcept nogil:
        """`total` plus the weighted losses of rows first .. end - 1, one after the other in
        double."""
        cdef Py_ssize_t r
        cdef double loss
        for r in range(first, end):
            if self.network.itemsize == 8:
                loss = (<double *>self.row_losses)[r]
            else:
                loss = (<float *>self.row_losses)[r]
            total += loss if self.row_weight == NULL else self.weight_of_row(r) * loss
        return total

    cdef void transpose_weights(self) noexcept nogil:
        """Refresh W^T of every layer that sends back what it reads; due whenever the weights have
        changed. Of the first layer these are the inputs from embeddings."""
        cdef const kernels_t *k = kernels_for(self.network.itemsize)
        cdef Layer *layer
        cdef Py_ssize_t l, input
        for l in range(0 if self.network.embeds else 1, self.network.n_layers):
            layer = &self.network.layers[l]
            input = self.first_panel() * self.network.lanes if l == 0 else 0
            k.transpose_panels(layer.n_in, layer.n_out, input, layer.n_in - input, 0, layer.n_out,
                               self.network.w + layer.W, self.layers[l].Wt)

    cdef Py_ssize_t first_panel(self) noexcept nogil:
        """The panel of the first layer's inputs in which those from embeddings begin."""
        return self.network.embedding.n_numbers // self.network.lanes

    cdef EmbeddedRows embedded_rows(self, Py_ssize_t first, Py_ssize_t count) noexcept nogil:
        """Some rows, as embeddings learn from them."""
        cdef EmbeddedRows rows
        rows.count = count
        rows.x, rows.delta = from_row(&self.x, first), from_row(&self.x_delta, first)
        rows.categories, rows.categories_step = self.categories + first, self.max_batch_size
        return rows

    cdef Matrix layer_input(self, Py_ssize_t l, Py_ssize_t first, Py_ssize_t rows, bint dropping,
                            Py_ssize_t batch_offset) noexcept nogil:
        """What layer l reads, from row `first` on unless rows are looked up; with dropout a copy,
        for which row 0 of the workspace is row `batch_offset` of the mini-batch."""
        cdef LayerInput *layer_input = &self.inputs[l]
        cdef Matrix a = layer_input.a, dropped, mask
        if layer_input.row_indices == NULL:
            a = from_row(&a, first)
        if not (dropping and layer_input.drops):
            return a
        dropped, mask = from_row(&layer_input.dropped, first), from_row(&layer_input.mask, first)
        kernels_for(self.network.itemsize).drop(
            batch_offset + first, rows, layer_input.width, elements(a.row, self.network.itemsize),
            &layer_input.dropout, a.data, dropped.data, mask.data)
        return dropped
