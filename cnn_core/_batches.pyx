"""Mini-batches: rows into the workspace, forward and backward, gradient and step, by plan."""

import numpy as np

cimport cython
from libc.stdint cimport int32_t

from cnn_core._backprop cimport GATHER, LOSS, UPDATE, Backprop
from cnn_core._control cimport flag_of, stops
from cnn_core._cpu cimport kernels_for, kernels_t, pool_run, pool_run_until, pool_task
from cnn_core._dataset cimport RowSource, source_row
from cnn_core._embedding cimport NONE, EmbeddingTile
from cnn_core._memory cimport (PANEL_BYTES, Arena, Matrix, address, at, blocks, elements, from_row,
                               matrix)
from cnn_core._network cimport Layer, Network, weight_offset
from cnn_core._optimizer cimport Optimizer
from cnn_core._partition cimport (BLOCKWISE, LAYER_PARALLEL, TileView, WeightTile,
                                  plan_step, threads_pay)
from cnn_core._platform cimport clock_seconds
from cnn_core._shard_sums cimport ShardSums
from cnn_core._shards cimport MOST_SUMS, add_sum, rows_before
from cnn_core._tuning cimport (BLOCK_ROWS_BLOCKWISE, LONG_ROW, ROWS_PER_PASS, TILE_PANELS,
                               WORK_PER_CALL)
from cnn_core._workspace cimport LayerInput
from cnn_core._checks import DOUBLES

cdef object INT32 = np.dtype(np.int32)


@cython.final
cdef class Batches:
    """What a trainer does with a mini-batch.

    Parameters
    ----------
    backprop : Backprop
    optimizer : Optimizer
    threads : int
        The most to use.
    adaptive : bool
        Whether to use them only while that is faster than one.
    multilabel : bool
        Whether the metric without labels is the share of rows whose outputs are all right, instead
        of residuals.
    shards : int
        How many the rows are cut into.
    """

    def __cinit__(self, Backprop backprop not None, Optimizer optimizer not None, int threads,
                  bint adaptive, bint multilabel, Py_ssize_t shards):
        self.backprop, self.optimizer, self.threads = backprop, optimizer, threads
        self.adaptive, self.multilabel = adaptive, multilabel
        self.residuals = np.zeros(backprop.loss.targets)
        self.squared_residuals = self.residuals_to = <double *>address(self.residuals)
        self.arena = Arena()
        self.row_indices = <Py_ssize_t *>self.arena.alloc(backprop.max_batch_size, 1,
                                                          sizeof(Py_ssize_t))
        self.n_shards, self.sums = shards, ShardSums(backprop, threads, shards)

    cdef check(self, RowSource X, RowSource y, RowSource labels, RowSource weights):
        cdef Network network = self.backprop.network
        cdef Py_ssize_t n_in = network.n_features
        cdef Py_ssize_t n_out = network.layers[network.n_layers - 1].n_out
        if not X.has_shape(X.count, n_in, network.dtype):
            raise ValueError(f"X must have {n_in} columns of {network.dtype}, "
                             f"got {X.array.shape[1]} of {X.array.dtype}")
        if (labels if self.backprop.loss.sparse else y) is None:
            raise ValueError(f"the loss {self.backprop.loss.name!r} needs "
                             f"{'labels' if self.backprop.loss.sparse else 'y'}")
        if y is not None and not y.has_shape(X.count, self.backprop.loss.targets, network.dtype):
            raise ValueError(f"y must have shape {(X.count, self.backprop.loss.targets)} and dtype "
                             f"{network.dtype}, got {y.shape()} and {y.array.dtype}")
        if weights is not None and not weights.has_shape(X.count, 1, network.dtype):
            raise ValueError(f"weights must have shape {(X.count, 1)} and dtype {network.dtype}, "
                             f"got {weights.shape()} and {weights.array.dtype}")
        if labels is not None:
            if not labels.has_shape(X.count, 1, INT32):
                raise ValueError(f"labels must have shape {(X.count, 1)} and dtype int32, "
                                 f"got {labels.shape()} and {labels.array.dtype}")
            if not labels.all_below(max(2, n_out)):
                raise ValueError(f"labels must lie in 0 to {max(2, n_out) - 1}, "
                                 f"got {labels.array.min()} to {labels.array.max()}")

    cdef use(self, RowSource X, RowSource y, RowSource labels, RowSource weights):
        """Check where the rows of the coming mini-batches are from, and remember it. The arrays
        may have been written to since they were checked last."""
        self.check(X, y, labels, weights)
        self.backprop.workspace.use_weights(weights is not None)
        self.X, self.y, self.labels, self.weights = X, y, labels, weights
        self.classes = labels is not None
        # Squared residuals are those of a, where the loss works on z.
        self.backprop.activates_output = self.backprop.loss.from_logits and not (
            self.classes or self.multilabel)
        self.batch.order, self.sums.shards.count, self.sums.is_cut = NULL, 1, False
        self.residuals[:] = 0
        self.backprop.last_mark = clock_seconds()

    cdef schedule(self, rates, decays, dropouts, Py_ssize_t count):
        """Remember what changes with each of the `count` mini-batches of an epoch."""
        for name, values in (("rates", rates), ("decays", decays), ("dropouts", dropouts)):
            if values is None:
                continue
            DOUBLES.check(name, values)
            if len(values) != count:
                raise ValueError(f"{name} must have one entry for each of the {count} "
                                 f"mini-batches, got {len(values)}")
        self.scheduled.rates = NULL if rates is None else <double *>address(rates)
        self.scheduled.decays = NULL if decays is None else <double *>address(decays)
        self.scheduled.dropouts = NULL if dropouts is None else <double *>address(dropouts)
        if decays is None:
            self.optimizer.scale_decay(1)
        if dropouts is None:
            self.backprop.workspace.scale_dropout(1)

    cdef void begin_step(self, Py_ssize_t number) noexcept nogil:
        """Take what is scheduled for this mini-batch of the epoch."""
        if self.scheduled.rates != NULL:
            self.optimizer.h[0] = self.scheduled.rates[number]
        if self.scheduled.decays != NULL:
            self.optimizer.scale_decay(self.scheduled.decays[number])
        if self.scheduled.dropouts != NULL:
            self.backprop.workspace.scale_dropout(self.scheduled.dropouts[number])

    cdef void forget(self):
        """Keep no rows alive."""
        self.X = self.y = self.labels = self.weights = None

    cdef void begin_batch(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil:
        """Begin the mini-batch of rows first, first + 1, ... of the order."""
        cdef LayerInput *x = &self.backprop.workspace.inputs[0]
        cdef Py_ssize_t r, number, itemsize = self.backprop.network.itemsize
        # Rows that stand one after the other, or are long enough for looking them up, are read
        # where they are: as scalars, so padding is not needed. Dropout reads vectors, and rows with
        # embedded columns are longer in the workspace.
        cdef bint in_a_row = self.batch.order == NULL and self.X.row_indices == NULL
        self.batch.first, self.batch.rows, self.batch.dropping = first, rows, dropping
        self.sums.begin(first, rows, dropping)
        x.row_indices = NULL
        self.batch.in_place = not (
            dropping and x.drops or self.backprop.network.embeds) and (
            in_a_row or self.X.row_bytes >= LONG_ROW
            and self.backprop.network.layers[0].panels >= TILE_PANELS)
        if not self.batch.in_place:
            x.a = self.backprop.workspace.x
        else:
            x.a = matrix(<char *>self.X.data, self.X.row_bytes, itemsize)
            if in_a_row:
                x.a.data += first * self.X.row_bytes
            else:
                for r in range(rows):
                    number = self.batch.order[first + r] if self.batch.order else first + r
                    self.row_indices[r] = source_row(self.X.row_indices, number)
                x.row_indices = self.row_indices
        if self.weights is not None:
            self.weights.gather(self.batch.order + first if self.batch.order else NULL, first, rows,
                                self.backprop.workspace.row_weight, itemsize)

    cdef void gather(self, Py_ssize_t offset, Py_ssize_t rows, Py_ssize_t to) noexcept nogil:
        """Rows offset, offset + 1, ... of the mini-batch into the workspace, from its row `to` on;
        weights are there already."""
        cdef Py_ssize_t first = self.batch.first + offset
        cdef const Py_ssize_t *order = self.batch.order + first if self.batch.order else NULL
        cdef Matrix *y = &self.backprop.workspace.y
        if self.backprop.network.embeds:
            self.gather_embedded(order, first, rows, to)
        elif not self.batch.in_place:
            self.X.gather(order, first, rows, at(&self.backprop.workspace.x, to, 0),
                          self.backprop.workspace.x.row)
        if y.data != NULL:
            self.y.gather(order, first, rows, at(y, to, 0), y.row)
            self.backprop.workspace.layout_targets(to, rows)
        if self.classes:
            self.labels.gather(order, first, rows, <char *>(self.backprop.workspace.label + to),
                               sizeof(int32_t))

    cdef void gather_embedded(self, const Py_ssize_t *order, Py_ssize_t first, Py_ssize_t rows,
                              Py_ssize_t to) noexcept nogil:
        """Rows of X with vectors in the place of categories."""
        cdef Matrix x = from_row(&self.backprop.workspace.x, to)
        cdef Py_ssize_t *categories = self.backprop.workspace.categories + to
        cdef Py_ssize_t r, number
        for r in range(rows):
            number = source_row(self.X.row_indices, order[r] if order else first + r)
            self.backprop.network.embedding.read_row(
                self.X.data + number * self.X.row_bytes, at(&x, r, 0), categories + r,
                self.backprop.workspace.max_batch_size)

    cdef void send_back_block(self, Py_ssize_t i) noexcept nogil:
        """What the first layer sends back to the embedded columns, of the i-th block."""
        cdef Py_ssize_t first = i * self.plan.block
        self.backprop.backward_inputs(first, min(self.plan.block, self.batch.rows - first),
                                      self.batch.dropping)

    cdef void gather_block(self, Py_ssize_t i) noexcept nogil:
        """The i-th block of the mini-batch into the workspace."""
        cdef Py_ssize_t first = i * self.plan.block
        self.gather(first, min(self.plan.block, self.batch.rows - first), first)

    # Forward and backward

    cdef void make_plan(self, bint sampling) noexcept nogil:
        """Plan the mini-batch's step, on one thread where the thread tuner finds that faster."""
        self.plan = plan_step(self.backprop.workspace, self.batch.rows, self.threads,
                              self.batch.dropping)
        if self.adaptive and self.plan.threads > 1 and not threads_pay(
                &self.tuner, self.optimizer.steps, sampling):
            self.plan = plan_step(self.backprop.workspace, self.batch.rows, 1, self.batch.dropping)
        self.sums.in_blocks = self.plan.strategy == BLOCKWISE

    cdef Py_ssize_t forward_backward(self, bint accumulate, bint with_penalty) noexcept nogil:
        """Outputs, losses and deltas of the mini-batch, and with BLOCKWISE its gradient; returns
        what `update_metrics` does."""
        cdef Py_ssize_t correct
        if self.plan.strategy == BLOCKWISE:
            return self.run_blockwise(accumulate, with_penalty)
        if self.plan.strategy == LAYER_PARALLEL:
            self.run_layer_parallel()
        else:
            pool_run_until(forward_backward_task, <void *>self, self.n_blocks(), NULL,
                           self.plan.threads, &self.backprop.stop)
        correct = self.update_metrics(0, self.batch.rows, self.backprop.metric_output(),
                                      self.backprop.threshold)
        self.backprop.record_phase(LOSS, self.backprop.network.n_layers - 1)
        return correct

    cdef Py_ssize_t evaluate(self) noexcept nogil:
        """Losses and outputs of the mini-batch; returns what `update_metrics` does."""
        cdef Py_ssize_t last = self.backprop.network.n_layers - 1
        pool_run_until(evaluate_task, <void *>self, self.n_blocks(), NULL, self.plan.threads,
                       &self.backprop.stop)
        return self.update_metrics(0, self.batch.rows, self.backprop.workspace.layers[last].a,
                                   self.backprop.y_threshold)

    cdef double evaluate_rows(self, Py_ssize_t first, Py_ssize_t end, double total,
                              Py_ssize_t *correct) noexcept nogil:
        """`total` plus the losses of rows that are not trained on, as they stand."""
        cdef Py_ssize_t rows
        while first < end:
            rows = min(self.backprop.workspace.max_batch_size, end - first)
            self.begin_batch(first, rows, False)
            self.make_plan(False)
            correct[0] += self.evaluate()
            if self.stopped():
                break
            total = self.backprop.workspace.add_losses(0, rows, total)
            first += rows
        return total

    cdef double evaluate_all(self, Py_ssize_t count, Py_ssize_t *correct) noexcept nogil:
        """The same of all rows, shard by shard: where one begins, so does a chain of additions."""
        cdef double[MOST_SUMS] losses
        cdef Py_ssize_t s, j, n = self.backprop.loss.targets
        for s in range(self.n_shards):
            self.residuals_to = self.sums.begin_residuals(s)
            add_sum(losses, self.evaluate_rows(
                rows_before(self.n_shards, s, count), rows_before(self.n_shards, s + 1, count), 0,
                correct), s, self.n_shards)
            self.sums.close_residuals(s, self.n_shards)
        self.residuals_to = self.squared_residuals
        for j in range(n):
            self.squared_residuals[j] = self.sums.residuals[j]
        return losses[0]

    cdef bint stopped(self) noexcept nogil:
        """Whether the run is to be left: what there is of the mini-batch is of no use."""
        return flag_of(&self.backprop.stop.stopped)

    cdef Py_ssize_t n_blocks(self) noexcept nogil:
        return blocks(self.batch.rows, self.plan.block)

    cdef Py_ssize_t run_blockwise(self, bint accumulate, bint with_penalty) noexcept nogil:
        """A block of rows after the other, each with its part of the gradient while it is in the
        cache; the workspace is that of one block."""
        cdef Py_ssize_t i, first, rows, correct = 0
        cdef LayerInput *x = &self.backprop.workspace.inputs[0]
        cdef const char *data = x.a.data
        for i in range(blocks(self.batch.rows, BLOCK_ROWS_BLOCKWISE)):
            first = i * BLOCK_ROWS_BLOCKWISE
            rows = min(BLOCK_ROWS_BLOCKWISE, self.batch.rows - first)
            if first > 0 and self.stopped():
                break
            self.backprop.batch_offset = first
            if x.row_indices:
                x.row_indices = self.row_indices + first
            elif self.batch.in_place:
                x.a.data = <char *>data + first * self.X.row_bytes
            self.gather(first, rows, 0)
            self.backprop.record_phase(GATHER, 0)
            self.backprop.forward_backward(0, rows, self.batch.dropping)
            correct += self.update_metrics(first, rows, self.backprop.metric_output(),
                                           self.backprop.threshold)
            self.backprop.record_phase(LOSS, self.backprop.network.n_layers - 1)
            self.block_gradient(first, rows, accumulate, with_penalty)
        self.backprop.batch_offset = 0
        return correct

    cdef void block_gradient(self, Py_ssize_t first, Py_ssize_t rows, bint accumulate,
                             bint with_penalty) noexcept nogil:
        """The part of the gradient of a block of rows, with the last one the penalty's too."""
        cdef bint ends = with_penalty and first + rows == self.batch.rows
        cdef Py_ssize_t i, share = 0
        cdef WeightTile *tile
        cdef EmbeddingTile *embedded
        cdef TileView view
        for i in range(self.backprop.partition.count):
            tile = &self.backprop.partition.tiles[i]
            view = self.backprop.gradient_view(tile, self.backprop.g)
            share = self.sums.tile_gradient(tile, &view, 0, first, rows, accumulate)
            if ends:
                self.backprop.add_penalty(tile, &view)
        for i in range(self.backprop.partition.n_embedding_tiles):
            embedded = &self.backprop.partition.embedding_tiles[i]
            self.sums.embedding_gradient(embedded, first, rows, accumulate)
            if ends:
                self.backprop.add_embedding_penalty(embedded)
        self.sums.share = share

    cdef void run_layer_parallel(self) noexcept nogil:
        """The lowest layers forward by shares of their outputs, the rest by blocks of rows there
        and back, the lowest layers backward."""
        cdef Py_ssize_t l, layers = self.plan.layers_by_output
        if not self.batch.in_place:
            pool_run(gather_task, <void *>self, self.n_blocks(), NULL, self.plan.threads)
        self.backprop.layers_by_output = layers
        for l in range(layers):
            self.share_layer(l, forward_share_task)
        pool_run_until(forward_backward_task, <void *>self, self.n_blocks(), NULL,
                       self.plan.threads, &self.backprop.stop)
        for l in range(layers - 2, -1, -1):
            self.share_layer(l, backward_share_task)
        if self.backprop.network.embeds and layers > 1:
            pool_run_until(send_back_task, <void *>self, self.n_blocks(), NULL, self.plan.threads,
                           &self.backprop.stop)
        self.backprop.layers_by_output = 0

    cdef void share_layer(self, Py_ssize_t l, pool_task task) noexcept nogil:
        """Run a task on shares of a layer's outputs: equally many for each thread, each of at least
        a tile's panels."""
        cdef int threads = self.plan.threads
        self.share.layer = l
        self.share.count = threads * (
            self.backprop.network.layers[l].panels // (TILE_PANELS * threads))
        pool_run_until(task, <void *>self, self.share.count, NULL, threads, &self.backprop.stop)

    cdef void run_share(self, Py_ssize_t i, bint back) noexcept nogil:
        """The layer forward or backward for a share of its outputs and all rows."""
        cdef Py_ssize_t first, rows, block = self.backprop.network.block
        cdef Py_ssize_t panels = self.backprop.network.layers[self.share.layer].panels
        cdef Py_ssize_t panel = i * panels // self.share.count
        panels = (i + 1) * panels // self.share.count - panel
        for i in range(blocks(self.batch.rows, block)):
            if self.stopped():
                return
            first = i * block
            rows = min(block, self.batch.rows - first)
            if back:
                self.backprop.backward_panels(self.share.layer, panel, panels, first, rows,
                                              self.batch.dropping)
            else:
                self.backprop.forward_panels(self.share.layer, panel, panels, first, rows,
                                             self.batch.dropping)
                if self.share.layer < self.backprop.layers_by_output - 1:
                    self.backprop.activate_panels(self.share.layer, panel, panels, first, rows)

    cdef void run_rows(self, Py_ssize_t i, bint back) noexcept nogil:
        """Outputs and losses of the i-th block of the mini-batch, and deltas with `back`."""
        cdef Py_ssize_t first = i * self.plan.block, block = self.backprop.network.block
        cdef Py_ssize_t end = min(self.batch.rows, first + self.plan.block)
        # Layers that are shared by outputs have read X, gathered or in place, before.
        if self.backprop.layers_by_output == 0 or self.batch.in_place:
            self.gather_block(i)
        self.backprop.record_phase(GATHER, 0)
        while first < end and not self.stopped():
            if back:
                self.backprop.forward_backward(first, min(block, end - first), self.batch.dropping)
            else:
                self.backprop.evaluate_block(first, min(block, end - first))
            first += block

    # The step

    cdef void run_tile(self, WeightTile *tile, int worker) noexcept nogil:
        """Compute a tile's gradient, take the step along it, or both, as `job.parts` says. With
        both the gradient is kept in a buffer of the worker, small enough for its cache."""
        cdef TileView view = self.backprop.gradient_view(tile, self.backprop.g)
        if self.job.parts == COMPUTE | PENALTY | STEP:
            view = self.sums.worker_view(tile, worker, 0)
        if self.job.parts & COMPUTE:
            if not self.job.parts & STEP and stops(
                    &self.backprop.stop,
                    self.batch.rows * tile.inputs * tile.panels * self.backprop.network.lanes):
                return
            self.sums.tile_gradient(tile, &view, worker, 0, self.batch.rows, self.job.accumulate)
        if self.job.parts & PENALTY:
            self.backprop.add_penalty(tile, &view)
        if self.job.parts & STEP:
            self.step_tile(tile, &view)

    cdef void step_tile(self, WeightTile *tile, const TileView *view) noexcept nogil:
        """The optimizer's step on a tile, and W^T of it."""
        cdef Layer *layer = &self.backprop.network.layers[tile.layer]
        cdef Py_ssize_t panel, lanes = self.backprop.network.lanes
        for panel in range(tile.panels):
            self.optimizer.step_slice(weight_offset(layer, tile.panel + panel, tile.input),
                                      tile.inputs * lanes, view.W + panel * view.panel,
                                      2 * tile.layer)
        if tile.input == 0 and view.b:
            self.optimizer.step_slice(layer.b + tile.panel * PANEL_BYTES, tile.panels * lanes,
                                      view.b, 2 * tile.layer + 1)
        if self.backprop.workspace.layers[tile.layer].Wt:
            kernels_for(self.backprop.network.itemsize).transpose_panels(
                layer.n_in, layer.n_out, tile.input, tile.inputs, tile.panel * lanes,
                min(tile.panels * lanes, layer.n_out - tile.panel * lanes),
                self.backprop.network.w + layer.W, self.backprop.workspace.layers[tile.layer].Wt)
        self.backprop.record_phase(UPDATE, tile.layer)

    cdef void run_embedding_tile(self, EmbeddingTile *tile) noexcept nogil:
        """The same for a tile of embeddings, whose gradient is kept where that of all is."""
        if self.job.parts & COMPUTE:
            if not self.job.parts & STEP and stops(&self.backprop.stop, tile.size):
                return
            self.sums.embedding_gradient(tile, 0, self.batch.rows, self.job.accumulate)
        if self.job.parts & PENALTY:
            self.backprop.add_embedding_penalty(tile)
        if self.job.parts & STEP:
            self.optimizer.step_slice(tile.offset, tile.size, self.backprop.g + tile.offset,
                                      2 * self.backprop.network.n_layers + (tile.table == NONE))
            self.backprop.record_phase(UPDATE, 0)

    cdef void run_tiles(self, int parts, bint accumulate) noexcept nogil:
        """Some parts of the work on all tiles."""
        self.job.parts, self.job.accumulate = parts, accumulate
        pool_run_until(tile_task, <void *>self,
                       self.backprop.partition.count + self.backprop.partition.n_embedding_tiles,
                       self.backprop.partition.costs, self.plan.threads, &self.backprop.stop)

    cdef double apply_gradient(self, bint is_complete) noexcept nogil:
        """The gradient, where it is not complete yet, and one step on all parameters, which begins
        once all deltas are complete; returns the penalties. A run that is ended takes the whole
        step or none."""
        cdef Py_ssize_t n = self.backprop.n_parameters
        cdef bint by_tiles = self.plan.strategy != BLOCKWISE or self.backprop.timing
        cdef bint clips = self.optimizer.clip_norm > 0
        cdef bint in_one_pass = by_tiles and not clips and not is_complete and (
            self.batch.rows < ROWS_PER_PASS or self.batch.rows * n <= WORK_PER_CALL)
        if not (in_one_pass or is_complete):
            self.run_tiles(COMPUTE | PENALTY, False)
        if self.stopped():
            return 0
        self.optimizer.begin_step()
        if in_one_pass:
            self.run_tiles(COMPUTE | PENALTY | STEP, False)
        else:
            self.optimizer.clip(n, self.backprop.g)
            if by_tiles:
                self.run_tiles(STEP, False)
            else:
                self.optimizer.step_all(self.backprop.g)
                self.backprop.workspace.transpose_weights()
        if self.optimizer.max_norm > 0:
            self.optimizer.clip_row_norms()
            self.backprop.workspace.transpose_weights()
        self.backprop.record_phase(UPDATE, 0)
        return self.backprop.partition.penalty()

    # Metrics

    cdef Py_ssize_t update_metrics(self, Py_ssize_t first, Py_ssize_t rows, Matrix out,
                                   double threshold) noexcept nogil:
        """How many of some rows of the mini-batch are right, of which the workspace holds the first
        one first, or their squared residuals into `residuals`."""
        cdef Py_ssize_t itemsize = self.backprop.network.itemsize
        cdef const kernels_t *k = kernels_for(itemsize)
        cdef Py_ssize_t last = self.backprop.network.n_layers - 1
        cdef Py_ssize_t n_out = self.backprop.network.layers[last].n_out
        cdef Py_ssize_t row = elements(out.row, itemsize), column = elements(out.column, itemsize)
        cdef const char *y = self.backprop.workspace.targets.data
        if self.classes:
            return k.count_correct(rows, n_out, row, column, out.data, threshold,
                                   self.backprop.workspace.label)
        if self.multilabel:
            return k.count_exact_match(rows, n_out, row, column, out.data, threshold, y,
                                       self.backprop.y_threshold)
        if self.sums.shards.count == 1:
            k.squared_residuals(rows, self.backprop.loss.targets, row, column, out.data, y,
                                self.residuals_to)
        else:
            self.sums.add_residuals(first, rows, out, self.squared_residuals)
        return 0

    cdef result(self, Py_ssize_t count, Totals *totals):
        if self.classes or self.multilabel:
            return totals.loss / totals.weight, <double>totals.correct / count
        return totals.loss / totals.weight, np.array(self.residuals)


# What the threads of the pool call. A Batches object runs for one caller at a time, so its threads
# may share its mini-batch.

cdef void forward_backward_task(void *batches, Py_ssize_t i, int worker) noexcept nogil:
    (<Batches>batches).run_rows(i, True)

cdef void evaluate_task(void *batches, Py_ssize_t i, int worker) noexcept nogil:
    (<Batches>batches).run_rows(i, False)

cdef void gather_task(void *batches, Py_ssize_t i, int worker) noexcept nogil:
    (<Batches>batches).gather_block(i)

cdef void send_back_task(void *batches, Py_ssize_t i, int worker) noexcept nogil:
    (<Batches>batches).send_back_block(i)

cdef void forward_share_task(void *batches, Py_ssize_t i, int worker) noexcept nogil:
    (<Batches>batches).run_share(i, False)

cdef void backward_share_task(void *batches, Py_ssize_t i, int worker) noexcept nogil:
    (<Batches>batches).run_share(i, True)

cdef void tile_task(void *batches, Py_ssize_t i, int worker) noexcept nogil:
    run_tile_number(<Batches>batches, i, worker)

cdef void run_tile_number(Batches batches, Py_ssize_t i, int worker) noexcept nogil:
    cdef Py_ssize_t number = batches.backprop.partition.order[i]
    cdef Py_ssize_t tiles = batches.backprop.partition.count
    if number < tiles:
        batches.run_tile(&batches.backprop.partition.tiles[number], worker)
    else:
        batches.run_embedding_tile(&batches.backprop.partition.embedding_tiles[number - tiles])
