"""The trainer: epochs of shuffled mini-batches, each forward, backward and one optimizer step,
without the GIL."""

import numpy as np

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, int64_t, uint64_t

from cnn_core._backprop cimport GATHER, LOSS, PHASES, SHUFFLE, UPDATE, Backprop
from cnn_core._cpu cimport kernels_for, kernels_t, pool_run, pool_task
from cnn_core._dataset cimport RowSource, all_rows_below, source_row
from cnn_core._memory cimport PANEL_BYTES, Arena, Matrix, at, blocks, elements, matrix
from cnn_core._network cimport Layer, weight_offset
from cnn_core._optimizer cimport Optimizer
from cnn_core._partition cimport (BLOCKWISE, LAYER_PARALLEL, StepPlan, TileView, WeightTile,
                                  plan_step, threads_pay)
from cnn_core._platform cimport clock_seconds, flush_subnormals, restore_subnormals
from cnn_core._random cimport FOR_SHUFFLE, shuffle
from cnn_core._tuning cimport (BLOCK_ROWS_BLOCKWISE, LONG_ROW, TILE_INPUTS, TILE_PANELS,
                               WORK_PER_LOOK, seconds_per_signal_check)
from cnn_core._workspace cimport LayerInput
from cnn_core._backprop import phases
from cnn_core._checks import check_number, is_whole
from cnn_core._cpu import most_threads
from cnn_core._memory import aligned_zeros

#: Further options of a trainer, and what they are where they are not given.
OPTIONS = {
    "timing": False, "clip_norm": 0.0, "max_norm": 0.0, "multilabel": False, "threads": 1,
    "adaptive": False, "by_rows": False, "cost_scale": 1.0,
}


@cython.final
cdef class Trainer:
    """A training run: parameters, optimizer, seed, and how many epochs and steps are done.

    Parameters
    ----------
    backprop : Backprop
        Its network's parameters are what is trained; it knows the loss, the penalty, dropout and
        the size of a mini-batch.
    optimizer : str or None
        None: a run without steps, that computes losses and gradients only.
    settings : dict of str to float
        A value for each of `_optimizer.optimizer_settings`.
    seed : int
        0 to 2**64 - 1; with the epoch it determines the order of the rows.
    **options
        timing : bool
            Whether to measure the phases, see `seconds`.
        clip_norm, max_norm : float
            As for `Optimizer`.
        multilabel : bool
            Whether the metric without labels is the share of rows whose outputs are all right,
            instead of residuals.
        threads : int
            The most to use; for small mini-batches fewer are. Results do not depend on it.
        adaptive : bool
            Whether to use them only while that is faster than one.
        by_rows : bool
            Whether the loss of an epoch counts each mini-batch's mean loss by its number of rows,
            as scikit-learn does, instead of by their weight. Without weights there is no
            difference.
        cost_scale : float
            Factor of the rows' losses in the results of `loss_and_gradient` and, with `by_rows`, of
            `epoch`; gradients and penalties are without it.

    Attributes
    ----------
    epochs : int
        Done so far.
    """

    # Not __init__, which can be left out or called again: no object exists without its buffers.
    def __cinit__(self, Backprop backprop not None, str optimizer, dict settings not None,
                  uint64_t seed=0, **options):
        unknown = set(options) - set(OPTIONS)
        if unknown:
            raise TypeError(f"unknown option {min(unknown)!r}; there are {', '.join(OPTIONS)}")
        options = OPTIONS | options
        if not is_whole(options["threads"]) or options["threads"] < 1:
            raise ValueError(f"threads must be at least 1, got {options['threads']}")
        self.backprop, self.seed = backprop, seed
        self.stepper = Optimizer(backprop.network, optimizer, settings, options["clip_norm"],
                                  options["max_norm"])
        self.residuals = np.zeros(backprop.network.widths[-1])
        backprop.timing = options["timing"]
        # One thread where phases are measured: those of several overlap.
        self.threads = 1 if options["timing"] else min(options["threads"], most_threads)
        self.multilabel, self.adaptive = options["multilabel"], options["adaptive"]
        self.by_rows, self.cost_scale = options["by_rows"], options["cost_scale"]
        self.arena = Arena()
        self.row_indices = <Py_ssize_t *>self.arena.alloc(backprop.max_batch_size, 1, sizeof(Py_ssize_t))
        self.tile_gradients = self.arena.alloc(self.threads, (TILE_INPUTS + 1) * TILE_PANELS, PANEL_BYTES)

    @property
    def in_place(self):
        """Whether the rows of the last mini-batch were read where they stand in X, instead of
        gathered first."""
        return bool(self.batch.in_place)

    @property
    def optimizer(self):
        """Name of the optimizer."""
        return self.stepper.name

    @property
    def steps(self):
        """Steps done so far."""
        return self.stepper.steps

    @property
    def slots(self):
        """The optimizer's memory, laid out as the parameters."""
        return self.stepper.slots

    @property
    def learning_rate(self):
        """Step size of the coming steps."""
        return self.stepper.learning_rate

    @learning_rate.setter
    def learning_rate(self, double value):
        self.stepper.learning_rate = value

    @property
    def parameters(self):
        """The network's parameters, as `Network.parameters` has them."""
        return self.backprop.network.parameters

    @property
    def gradient(self):
        """The gradient of the last mini-batch, laid out as the parameters."""
        return self.backprop.gradient

    def set_flat(self, values):
        """Set all parameters from a vector in the order of `Network.flat`."""
        self.backprop.network.set_flat(values)

    def flat_gradient(self):
        """The gradient of the last mini-batch in that order."""
        return self.backprop.network.flat(self.backprop.gradient)

    @property
    def seconds(self):
        """Time spent in each phase so far, in seconds; zeros unless `timing` was asked for.

        Returns
        -------
        dict of str to float
        """
        return {phase: sum(layer[phase] for layer in self.layer_seconds) for phase in phases}

    @property
    def layer_seconds(self):
        """The same for each layer; shuffling and gathering count for the first, the loss for the
        last.

        Returns
        -------
        list of dict of str to float
        """
        return [{phase: self.backprop.phase_seconds[l * PHASES + i] for i, phase in enumerate(phases)}
                for l in range(self.backprop.network.n_layers)]

    def state(self, copy=True):
        """What a later run needs to go on from here, beside the parameters.

        Parameters
        ----------
        copy : bool
            Whether the slots are copied; without, this run must not go on.

        Returns
        -------
        dict
            The numbers of epochs and steps, the optimizer's slots and its numbers.
        """
        return {"epochs": self.epochs, **self.stepper.state(copy)}

    def restore(self, state):
        """Go on from where another run was when it gave `state`.

        Parameters
        ----------
        state : dict
            From the `state` of a run with the same optimizer and the same shape of network. The
            settings stay those of this run.
        """
        self.backprop.workspace.acquire()
        try:
            self.stepper.restore(state)
            self.epochs = state["epochs"]
        finally:
            self.backprop.workspace.busy = False

    # Rows

    cdef check(self, RowSource X, RowSource y, RowSource labels, RowSource weights):
        network = self.backprop.network
        itemsize, n_out = network.itemsize, network.widths[-1]
        if X.array.dtype != network.dtype or X.array.shape[1] != network.widths[0]:
            raise ValueError(f"X must have {network.widths[0]} columns of {network.dtype}, got {X.array.shape[1]} of "
                             f"{X.array.dtype}")
        if (labels if self.backprop.sparse else y) is None:
            raise ValueError(f"the loss {self.backprop.loss!r} needs {'labels' if self.backprop.sparse else 'y'}")
        if y is not None and (y.array.dtype != network.dtype or y.shape() != (X.count, n_out)):
            raise ValueError(f"y must have shape {(X.count, n_out)} and dtype {network.dtype}, got {y.shape()} and "
                             f"{y.array.dtype}")
        if weights is not None and (weights.array.dtype != network.dtype or weights.shape() != (X.count, 1)):
            raise ValueError(f"weights must have shape {(X.count, 1)} and dtype {network.dtype}, got "
                             f"{weights.shape()} and {weights.array.dtype}")
        if labels is not None:
            if labels.array.dtype != np.int32 or labels.shape() != (X.count, 1):
                raise ValueError(f"labels must have shape {(X.count, 1)} and dtype int32, got {labels.shape()} and "
                                 f"{labels.array.dtype}")
            if not labels.all_below(max(2, n_out)):
                raise ValueError(f"labels must lie in 0 to {max(2, n_out) - 1}, got {labels.array.min()} to "
                                 f"{labels.array.max()}")

    cdef use(self, RowSource X, RowSource y, RowSource labels, RowSource weights):
        """Check where the rows of the coming mini-batches are from, and remember it. The arrays
        may have been written to since they were checked last."""
        self.check(X, y, labels, weights)
        self.backprop.workspace.use_weights(weights is not None)
        self.X, self.y, self.labels, self.weights = X, y, labels, weights
        self.classes = labels is not None
        # Squared residuals are those of a, where the loss works on z.
        self.backprop.activates_output = self.backprop.from_logits and not self.classes and not self.multilabel
        self.batch.order = NULL
        self.residuals[:] = 0

    cdef void begin_batch(self, Py_ssize_t first, Py_ssize_t rows, bint dropping) noexcept nogil:
        """Begin the mini-batch of rows first, first + 1, ... of the order."""
        cdef LayerInput *x = &self.backprop.workspace.inputs[0]
        cdef Py_ssize_t r, itemsize = self.backprop.network.itemsize
        # Rows that stand one after the other, or are long enough for looking them up, are read
        # where they are: as scalars, so padding is not needed. Dropout reads vectors.
        cdef bint in_a_row = self.batch.order == NULL and self.X.row_indices == NULL
        self.batch.first, self.batch.rows, self.batch.dropping = first, rows, dropping
        x.row_indices = NULL
        self.batch.in_place = not (dropping and x.drops) and (
            in_a_row or self.X.row_bytes >= LONG_ROW and self.backprop.network.layers[0].panels >= TILE_PANELS)
        if not self.batch.in_place:
            x.a = self.backprop.workspace.x
        else:
            x.a = matrix(<char *>self.X.data, self.X.row_bytes, itemsize)
            if in_a_row:
                x.a.data += first * self.X.row_bytes
            else:
                for r in range(rows):
                    self.row_indices[r] = source_row(
                        self.X.row_indices, self.batch.order[first + r] if self.batch.order else first + r)
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
        if not self.batch.in_place:
            self.X.gather(order, first, rows, at(&self.backprop.workspace.x, to, 0), self.backprop.workspace.x.row)
        if y.data != NULL:
            self.y.gather(order, first, rows, at(y, to, 0), y.row)
            self.backprop.workspace.layout_targets(to, rows)
        if self.classes:
            self.labels.gather(order, first, rows, <char *>(self.backprop.workspace.label + to), sizeof(int32_t))

    cdef void gather_block(self, Py_ssize_t i) noexcept nogil:
        """The i-th block of the mini-batch into the workspace."""
        cdef Py_ssize_t first = i * self.plan.block
        self.gather(first, min(self.plan.block, self.batch.rows - first), first)

    # Forward and backward

    cdef void make_plan(self, bint sampling) noexcept nogil:
        """How the mini-batch is worked off; a trial step of the thread tuner on one thread."""
        self.plan = plan_step(self.backprop.workspace, self.batch.rows, self.threads, self.batch.dropping)
        if self.adaptive and self.plan.threads > 1 and not threads_pay(&self.tuner, self.stepper.steps, sampling):
            self.plan = plan_step(self.backprop.workspace, self.batch.rows, 1, self.batch.dropping)

    cdef Py_ssize_t forward_backward(self, bint accumulate, bint with_penalty) noexcept nogil:
        """Outputs, losses and deltas of the mini-batch, and with BLOCKWISE its gradient; returns
        what `update_metrics` does."""
        cdef Py_ssize_t correct
        if self.plan.strategy == BLOCKWISE:
            return self.run_blockwise(accumulate, with_penalty)
        if self.plan.strategy == LAYER_PARALLEL:
            self.run_layer_parallel()
        else:
            pool_run(forward_backward_task, <void *>self, self.n_blocks(), NULL, self.plan.threads)
        correct = self.update_metrics(self.batch.rows, self.backprop.metric_output(), self.backprop.threshold)
        self.backprop.record_phase(LOSS, self.backprop.network.n_layers - 1)
        return correct

    cdef Py_ssize_t n_blocks(self) noexcept nogil:
        return blocks(self.batch.rows, self.plan.block)

    cdef Py_ssize_t run_blockwise(self, bint accumulate, bint with_penalty) noexcept nogil:
        """A block of rows after the other, each with its part of the gradient while it is in the
        cache; the workspace is that of one block."""
        cdef Py_ssize_t i, tile, first, rows, correct = 0
        cdef LayerInput *x = &self.backprop.workspace.inputs[0]
        cdef const char *data = x.a.data
        for i in range(blocks(self.batch.rows, BLOCK_ROWS_BLOCKWISE)):
            first = i * BLOCK_ROWS_BLOCKWISE
            rows = min(BLOCK_ROWS_BLOCKWISE, self.batch.rows - first)
            self.backprop.batch_offset = first
            if x.row_indices:
                x.row_indices = self.row_indices + first
            elif self.batch.in_place:
                x.a.data = <char *>data + first * self.X.row_bytes
            self.gather(first, rows, 0)
            self.backprop.record_phase(GATHER, 0)
            self.backprop.forward_backward(0, rows, self.batch.dropping)
            for tile in range(self.backprop.partition.count):
                self.tile_gradient(&self.backprop.partition.tiles[tile], rows, accumulate or first > 0)
            correct += self.update_metrics(rows, self.backprop.metric_output(), self.backprop.threshold)
            self.backprop.record_phase(LOSS, self.backprop.network.n_layers - 1)
        self.backprop.batch_offset = 0
        self.complete_gradient(with_penalty)
        return correct

    cdef void tile_gradient(self, WeightTile *tile, Py_ssize_t rows, bint accumulate) noexcept nogil:
        cdef TileView view = self.backprop.gradient_view(tile)
        self.backprop.weight_gradient(tile, rows, self.batch.dropping, &view, accumulate)

    cdef void complete_gradient(self, bint with_penalty) noexcept nogil:
        """Every tile into the layout of the parameters, and the penalty's gradient added."""
        cdef Py_ssize_t i
        cdef WeightTile *tile
        cdef TileView view
        for i in range(self.backprop.partition.count):
            tile = &self.backprop.partition.tiles[i]
            view = self.backprop.gradient_view(tile)
            self.backprop.store_gradient(tile, &view)
            if with_penalty:
                self.backprop.add_penalty(tile, &view)

    cdef void run_layer_parallel(self) noexcept nogil:
        """The lowest layers forward by shares of their outputs, the rest by blocks of rows there
        and back, the lowest layers backward."""
        cdef Py_ssize_t l, layers = self.plan.layers_by_output
        if not self.batch.in_place:
            pool_run(gather_task, <void *>self, self.n_blocks(), NULL, self.plan.threads)
        self.backprop.layers_by_output = layers
        for l in range(layers):
            self.share_layer(l, forward_share_task)
        pool_run(forward_backward_task, <void *>self, self.n_blocks(), NULL, self.plan.threads)
        for l in range(layers - 2, -1, -1):
            self.share_layer(l, backward_share_task)
        self.backprop.layers_by_output = 0

    cdef void share_layer(self, Py_ssize_t l, pool_task task) noexcept nogil:
        """A layer by shares of its outputs: as many of at least a tile's panels as all threads have
        alike."""
        cdef int threads = self.plan.threads
        self.share.layer = l
        self.share.count = threads * (self.backprop.network.layers[l].panels // (TILE_PANELS * threads))
        pool_run(task, <void *>self, self.share.count, NULL, threads)

    cdef void run_share(self, Py_ssize_t i, bint back) noexcept nogil:
        """The layer forward or backward for a share of its outputs and all rows."""
        cdef Py_ssize_t first, rows, block = self.backprop.network.block
        cdef Py_ssize_t panels = self.backprop.network.layers[self.share.layer].panels
        cdef Py_ssize_t panel = i * panels // self.share.count
        panels = (i + 1) * panels // self.share.count - panel
        for i in range(blocks(self.batch.rows, block)):
            first = i * block
            rows = min(block, self.batch.rows - first)
            if back:
                self.backprop.backward_panels(self.share.layer, panel, panels, first, rows, self.batch.dropping)
            else:
                self.backprop.forward_panels(self.share.layer, panel, panels, first, rows, self.batch.dropping)
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
        while first < end:
            if back:
                self.backprop.forward_backward(first, min(block, end - first), self.batch.dropping)
            else:
                self.backprop.evaluate_block(first, min(block, end - first))
            first += block

    # The step

    cdef void run_tile(self, WeightTile *tile, int worker) noexcept nogil:
        """The gradient of a tile, a step along it, or one after the other; then the gradient goes
        no farther than the worker's own memory, which stays in its cache."""
        cdef TileView view = self.backprop.gradient_view(tile)
        if self.job.parts == COMPUTE | PENALTY | STEP:
            view.b = self.tile_gradients + <Py_ssize_t>worker * (TILE_INPUTS + 1) * TILE_PANELS * PANEL_BYTES
            view.W, view.panel = view.b + TILE_PANELS * PANEL_BYTES, tile.inputs * PANEL_BYTES
        if self.job.parts & COMPUTE:
            self.backprop.weight_gradient(tile, self.batch.rows, self.batch.dropping, &view, self.job.accumulate)
            self.backprop.store_gradient(tile, &view)
        if self.job.parts & PENALTY:
            self.backprop.add_penalty(tile, &view)
        if self.job.parts & STEP:
            self.step_tile(tile, &view)

    cdef void step_tile(self, WeightTile *tile, const TileView *view) noexcept nogil:
        """The optimizer's step on a tile, and W^T of it."""
        cdef Layer *layer = &self.backprop.network.layers[tile.layer]
        cdef Py_ssize_t panel, lanes = self.backprop.network.lanes
        for panel in range(tile.panels):
            self.stepper.step_slice(weight_offset(layer, tile.panel + panel, tile.input), tile.inputs * lanes,
                                     view.W + panel * view.panel)
        if tile.input == 0:
            self.stepper.step_slice(layer.b + tile.panel * PANEL_BYTES, tile.panels * lanes, view.b)
        if tile.layer > 0:
            kernels_for(self.backprop.network.itemsize).transpose(
                layer.n_in, layer.n_out, tile.input, tile.inputs, tile.panel * lanes,
                min(tile.panels * lanes, layer.n_out - tile.panel * lanes), self.backprop.network.w + layer.W,
                self.backprop.workspace.layers[tile.layer].Wt)
        self.backprop.record_phase(UPDATE, tile.layer)

    cdef void run_tiles(self, int parts, bint accumulate) noexcept nogil:
        """Some parts of the work on all tiles."""
        self.job.parts, self.job.accumulate = parts, accumulate
        pool_run(tile_task, <void *>self, self.backprop.partition.count, self.backprop.partition.costs,
                 self.plan.threads)

    cdef double apply_gradient(self, bint is_complete) noexcept nogil:
        """The gradient, where it is not complete yet, and one step on all parameters, which begins
        once all deltas are complete; returns the penalties."""
        cdef Py_ssize_t n = self.backprop.n_parameters
        cdef bint by_tiles = self.plan.strategy != BLOCKWISE or self.backprop.timing
        cdef bint clips = self.stepper.clip_norm > 0
        self.stepper.begin_step()
        if by_tiles and not clips and not is_complete:
            self.run_tiles(COMPUTE | PENALTY | STEP, False)
        else:
            if not is_complete:
                self.run_tiles(COMPUTE | PENALTY, False)
            self.stepper.clip(n, self.backprop.g)
            if by_tiles:
                self.run_tiles(STEP, False)
            else:
                self.stepper.step_slice(0, n, self.backprop.g)
                self.backprop.workspace.transpose_weights()
        if self.stepper.max_norm > 0:
            self.stepper.clip_row_norms()
            self.backprop.workspace.transpose_weights()
        self.backprop.record_phase(UPDATE, 0)
        return self.backprop.partition.penalty()

    # Metrics

    cdef Py_ssize_t update_metrics(self, Py_ssize_t rows, Matrix out, double threshold) noexcept nogil:
        """How many of the rows are right, or their squared residuals into `residuals`."""
        cdef Py_ssize_t itemsize = self.backprop.network.itemsize
        cdef const kernels_t *k = kernels_for(itemsize)
        cdef Py_ssize_t n_out = self.backprop.network.layers[self.backprop.network.n_layers - 1].n_out
        cdef Py_ssize_t row = elements(out.row, itemsize), column = elements(out.column, itemsize)
        cdef const char *y = self.backprop.workspace.targets.data
        if self.classes:
            return k.hits(rows, n_out, row, column, out.data, threshold, self.backprop.workspace.label)
        if self.multilabel:
            return k.matches(rows, n_out, row, column, out.data, threshold, y, self.backprop.y_threshold)
        with cython.boundscheck(False):
            k.squared_residuals(rows, n_out, row, column, out.data, y, &self.residuals[0])
        return 0

    cdef result(self, Py_ssize_t count, Totals *totals):
        metric = <double>totals.correct / count if self.classes or self.multilabel else np.array(self.residuals)
        return totals.loss / totals.weight, metric

    # Epochs

    def epoch(self, RowSource X not None, RowSource y, RowSource labels, bint shuffled=True,
              const Py_ssize_t[::1] order=None, RowSource weights=None, const double[::1] rates=None):
        """Train on every row once.

        Parameters
        ----------
        X : RowSource
            Inputs, shape (rows, n_in).
        y : RowSource or None
            Targets, shape (rows, n_out); None for a sparse loss.
        labels : RowSource or None
            Class indices of int32, shape (rows, 1); None for regression.
        shuffled : bool
            Whether to visit the rows in the order ``permutation(seed, epoch, rows)`` instead of as
            they stand. Where one mini-batch holds them all, they are left as they stand.
        order : ndarray of intp, optional
            The rows to visit, in this order, instead.
        weights : RowSource, optional
            Weight of each row, of the network's dtype, shape (rows, 1); at least 0. Costs and
            gradients of a mini-batch are weighted means.
        rates : ndarray of float64, optional
            The learning rate of each mini-batch; default `learning_rate` for all.

        Returns
        -------
        loss : float
            Mean cost of the rows, each as it was when its mini-batch came by, with the penalty on
            the weights.
        metric : float or ndarray of float64, shape (n_out,)
            Share of rows classified right, without regard to weights; for a regression the sum of
            squared residuals of each output.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C (or what another signal handler raises), within about 0.1 s or a mini-batch,
            whichever is longer; the parameters are those after the last whole mini-batch.
        """
        self.backprop.workspace.acquire()
        try:
            if self.stepper.name is None:
                raise ValueError("this run has no optimizer, so it has no epochs")
            self.use(X, y, labels, weights)
            self.has_gradient = False
            return self.run_epoch(self.set_order(order, shuffled), rates)
        finally:
            self.backprop.workspace.busy = False

    cdef Py_ssize_t set_order(self, const Py_ssize_t[::1] order, bint shuffled) except -1:
        """In which order the epoch visits the rows; returns how many."""
        cdef Py_ssize_t count = self.X.count
        self.backprop.last_mark = clock_seconds()
        if order is not None:
            count = order.shape[0]
            if not all_rows_below(self.X.count, order):
                raise ValueError(f"order must hold row numbers from 0 to {self.X.count - 1}")
            self.batch.order = &order[0] if count else NULL
        if count == 0:
            raise ValueError("an epoch needs at least one row")
        if order is None and shuffled and count > self.backprop.max_batch_size:
            if self.order is None or self.order.shape[0] != count:
                self.order = aligned_zeros(count, np.intp)
            self.batch.order = &self.order[0]
            with nogil:
                shuffle(self.seed, FOR_SHUFFLE, <unsigned int>self.epochs, <Py_ssize_t *>self.batch.order, count)
            self.backprop.record_phase(SHUFFLE, 0)
        return count

    cdef run_epoch(self, Py_ssize_t count, const double[::1] rates):
        cdef Py_ssize_t block, batch = self.backprop.workspace.max_batch_size, work = 0
        cdef Totals totals
        cdef bint random_access = self.X.mapped and self.batch.order != NULL
        cdef double looked = clock_seconds()
        cdef uint64_t mode
        if rates is not None and rates.shape[0] != blocks(count, batch):
            raise ValueError(f"rates must have one entry for each of the {blocks(count, batch)} mini-batches, got "
                             f"{rates.shape[0]}")
        caught = None
        totals.loss, totals.weight, totals.correct = 0, 0, 0
        with nogil, cython.boundscheck(False):
            mode = flush_subnormals()
            if random_access:
                self.X.advise_random(True)
            self.backprop.workspace.transpose_weights()
            for block in range(blocks(count, batch)):
                self.begin_batch(block * batch, min(batch, count - block * batch), True)
                if random_access:
                    self.X.read_ahead(self.batch.order + block * batch + self.batch.rows,
                                      min(batch, count - block * batch - self.batch.rows))
                if rates is not None:
                    self.stepper.h[0] = rates[block]
                self.run_batch(&totals)
                # Reading the clock is worth it only after about a millisecond's work.
                work += self.batch.rows * (self.backprop.n_parameters + 1)
                if work > WORK_PER_LOOK:
                    work = 0
                    if clock_seconds() - looked > seconds_per_signal_check():
                        restore_subnormals(mode)
                        with gil:
                            try:
                                PyErr_CheckSignals()
                            except BaseException as error:
                                caught = error
                        if caught is not None:
                            break
                        looked = clock_seconds()
                        flush_subnormals()
            if random_access:
                self.X.advise_random(False)
            restore_subnormals(mode)
        if caught is not None:
            raise caught
        self.epochs += 1
        return self.result(count, &totals)

    cdef void run_batch(self, Totals *totals) noexcept nogil:
        """Losses, gradient and step of the mini-batch."""
        cdef double weight = self.backprop.set_weight(self.batch.rows, -1)
        cdef Py_ssize_t rows = self.batch.rows
        self.backprop.seed_dropouts(self.seed, self.stepper.steps)
        self.make_plan(True)
        totals.correct += self.forward_backward(False, True)
        if self.by_rows:
            if weight > 0:
                totals.loss += rows * self.cost_scale * (self.backprop.workspace.add_losses(rows, 0) / weight)
            weight = rows
        else:
            totals.loss = self.backprop.workspace.add_losses(rows, totals.loss)
        totals.weight += weight
        self.backprop.record_phase(LOSS, self.backprop.network.n_layers - 1)
        totals.loss += weight * self.apply_gradient(self.plan.strategy == BLOCKWISE)

    def accumulate(self, RowSource X not None, RowSource y, RowSource labels, RowSource weights=None, *,
                   weight=None, Py_ssize_t first=0):
        """Add the gradient of some rows of a mini-batch, as a training step has it, to `gradient`;
        `apply` then takes the step. Rows that are handed over in several calls, in their order,
        give the bits of all at once.

        Parameters
        ----------
        X, y, labels, weights
            As in `epoch`.
        weight : float, optional
            Of the whole mini-batch, the same in each call; default that of these rows.
        first : int
            How many rows of the mini-batch come before these: dropout depends on it.

        Returns
        -------
        float
            What these rows add to the mean loss of the mini-batch, without the penalty.
        """
        self.backprop.workspace.acquire()
        try:
            if self.stepper.name is None:
                raise ValueError("this run has no optimizer, so it takes no steps")
            self.use(X, y, labels, weights)
            if not 0 < X.count <= self.backprop.max_batch_size:
                raise ValueError(f"accumulate takes 1 to {self.backprop.max_batch_size} rows, got {X.count}")
            if first < 0:
                raise ValueError(f"first must be at least 0, got {first}")
            if weight is not None:
                check_number("weight", weight, 0, above=True)
            return self.run_accumulate(X.count, -1 if weight is None else weight, first)
        finally:
            self.backprop.workspace.busy = False

    cdef double run_accumulate(self, Py_ssize_t rows, double weight, Py_ssize_t first) except *:
        cdef double loss
        cdef uint64_t mode
        with nogil:
            mode = flush_subnormals()
            if not self.has_gradient:
                self.backprop.workspace.transpose_weights()
            self.begin_batch(0, rows, True)
            weight = self.backprop.set_weight(rows, weight)
            self.backprop.seed_dropouts(self.seed, self.stepper.steps)
            self.backprop.dropout_offset = first
            self.make_plan(False)
            self.forward_backward(self.has_gradient, False)
            if self.plan.strategy != BLOCKWISE:
                self.run_tiles(COMPUTE, self.has_gradient)
            self.backprop.dropout_offset = 0
            loss = self.backprop.workspace.add_losses(rows, 0)
            restore_subnormals(mode)
        self.has_gradient = True
        return loss / weight if weight > 0 else 0.0

    def apply(self):
        """One step along `gradient`, to which the penalty's is added first, as the mini-batch's
        last part; `accumulate` then begins the next mini-batch.

        Returns
        -------
        float
            The penalty on the weights, before the step.
        """
        cdef double penalty
        cdef uint64_t mode
        if not self.has_gradient:
            raise ValueError("there is no gradient to apply: accumulate gives it")
        self.backprop.workspace.acquire()
        try:
            with nogil:
                mode = flush_subnormals()
                self.run_tiles(PENALTY, False)
                penalty = self.apply_gradient(True)
                restore_subnormals(mode)
            self.has_gradient = False
            return penalty
        finally:
            self.backprop.workspace.busy = False

    def loss_and_gradient(self, RowSource X not None, RowSource y, RowSource labels, RowSource weights=None):
        """One pass over all rows, forward and backward, without dropout and without a step.

        Parameters
        ----------
        X, y, labels, weights
            As in `epoch`; as many rows as a mini-batch has at most. The gradient stands in
            `gradient` afterwards, with that of the penalties, and clipped by nothing.

        Returns
        -------
        loss, metric
            As in `epoch`.
        """
        self.backprop.workspace.acquire()
        try:
            self.use(X, y, labels, weights)
            return self.run_pass(X.count)
        finally:
            self.backprop.workspace.busy = False

    cdef run_pass(self, Py_ssize_t rows):
        cdef Totals totals
        cdef uint64_t mode
        if not 0 < rows <= self.backprop.max_batch_size:
            raise ValueError(f"a single pass takes 1 to {self.backprop.max_batch_size} rows, got {rows}")
        self.backprop.last_mark = clock_seconds()
        with nogil:
            mode = flush_subnormals()
            self.backprop.workspace.transpose_weights()
            self.begin_batch(0, rows, False)
            totals.weight = self.backprop.set_weight(rows, -1)
            self.make_plan(False)
            totals.correct = self.forward_backward(False, True)
            if self.plan.strategy != BLOCKWISE:
                self.run_tiles(COMPUTE | PENALTY, False)
            totals.loss = self.cost_scale * self.backprop.workspace.add_losses(rows, 0)
            totals.loss += totals.weight * self.backprop.partition.penalty()
            restore_subnormals(mode)
        return self.result(rows, &totals)

    def evaluate(self, RowSource X not None, RowSource y, RowSource labels):
        """Mean cost, without the penalty on the weights, and metric on rows that are not trained
        on.

        Parameters
        ----------
        X, y, labels
            As in `epoch`.

        Returns
        -------
        loss, metric
            As in `epoch`.
        """
        self.backprop.workspace.acquire()
        try:
            self.use(X, y, labels, None)
            if X.count == 0:
                raise ValueError("an evaluation needs at least one row")
            return self.run_evaluation(X.count)
        finally:
            self.backprop.workspace.busy = False

    cdef run_evaluation(self, Py_ssize_t count):
        cdef Py_ssize_t block, first, batch = self.backprop.workspace.max_batch_size
        cdef Py_ssize_t last = self.backprop.network.n_layers - 1
        cdef Totals totals
        cdef uint64_t mode
        totals.loss, totals.weight, totals.correct = 0, count, 0
        with nogil:
            mode = flush_subnormals()
            for block in range(blocks(count, batch)):
                first = block * batch
                self.begin_batch(first, min(batch, count - first), False)
                self.make_plan(False)
                pool_run(evaluate_task, <void *>self, self.n_blocks(), NULL, self.plan.threads)
                totals.loss = self.backprop.workspace.add_losses(self.batch.rows, totals.loss)
                totals.correct += self.update_metrics(self.batch.rows, self.backprop.workspace.layers[last].a,
                                                      self.backprop.y_threshold)
            restore_subnormals(mode)
        return self.result(count, &totals)


# What the threads of the pool call. A trainer belongs to one caller at a time, so its mini-batch is
# theirs to share.

cdef void forward_backward_task(void *trainer, Py_ssize_t i, int worker) noexcept nogil:
    (<Trainer>trainer).run_rows(i, True)

cdef void evaluate_task(void *trainer, Py_ssize_t i, int worker) noexcept nogil:
    (<Trainer>trainer).run_rows(i, False)

cdef void gather_task(void *trainer, Py_ssize_t i, int worker) noexcept nogil:
    (<Trainer>trainer).gather_block(i)

cdef void forward_share_task(void *trainer, Py_ssize_t i, int worker) noexcept nogil:
    (<Trainer>trainer).run_share(i, False)

cdef void backward_share_task(void *trainer, Py_ssize_t i, int worker) noexcept nogil:
    (<Trainer>trainer).run_share(i, True)

cdef void tile_task(void *trainer, Py_ssize_t i, int worker) noexcept nogil:
    (<Trainer>trainer).run_tile(&(<Trainer>trainer).backprop.partition.tiles[(<Trainer>trainer).backprop.partition.order[i]], worker)
