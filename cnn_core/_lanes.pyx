"""Nets of one shape trained side by side, one net in each lane of the vectors.

What is a number of one net is here a vector of numbers, one of each net. Every lane has the chains
of additions that its net has alone, and so its bits.
"""

import numpy as np

cimport cython
from libc.math cimport INFINITY
from libc.string cimport memcpy, memset

from cnn_core._control cimport (ENDED, EndRequest, begin_stop, is_due, leave, raise_flag, stop_t,
                                stops)
from cnn_core._cpu cimport (OPTIMIZER_NUMBERS, kernels_for, kernels_for_lanes, kernels_t,
                            lanes_penalty_args_t, loss_args_t, optimizer_t, pool_run,
                            pool_run_until)
from cnn_core._dataset cimport RowSource
from cnn_core._lane_cost cimport groups_of, least_costly
from cnn_core._lane_layers cimport (LaneLayer, activate, activate_backward, copy_vector, forward,
                                    send_back, weight_gradient)
from cnn_core._lane_rows cimport find, gather_labels, rows_of, scale_rows, sum_of
from cnn_core._lane_step cimport (LaneStep, add_penalties, clip, clip_row_norms, copy_numbers, pad,
                                  update, update_groups)
from cnn_core._memory cimport PANEL_BYTES, Arena, address, blocks
from cnn_core._network cimport Network
from cnn_core._optimizer cimport Optimizer
from cnn_core._random cimport FOR_SHUFFLE, shuffle
from cnn_core._trainer cimport Trainer
from cnn_core._tuning cimport WORK_PER_LOOK
from cnn_core._checks import check_number
from cnn_core._optimizer import optimizer_settings


@cython.final
cdef class _SideBySide:
    """An epoch of some trainers, whose `alike` is equal: groups of `nets` of them each.

    Parameters
    ----------
    trainers : list of Trainer
    data, shuffled, rates
        As in `epochs`.
    threads : int
    """

    cdef list trainers, kept            # kept: what the nets point to
    cdef Trainer first
    cdef Network network
    cdef Arena arena
    cdef const kernels_t *k             # whose vectors hold a number of each net of a group
    cdef Py_ssize_t nets                # of a group: its lanes
    cdef Py_ssize_t n_nets, groups, threads
    cdef Py_ssize_t count, batch
    cdef Sizes sizes
    cdef Py_ssize_t n_parameters        # of a net
    cdef bint shuffled, classes
    cdef Net *net
    cdef Buffers *buffers               # of each thread
    cdef char *w                        # of each group, as what follows
    cdef char *g
    cdef char *slots
    cdef int n_slots
    cdef stop_t stop

    def __cinit__(self, list trainers, list data, bint shuffled, rates, int threads):
        cdef Trainer first = trainers[0]
        self.trainers, self.first, self.network = trainers, first, first.backprop.network
        self.arena = Arena()
        self.batch = first.backprop.max_batch_size
        self.n_nets = len(trainers)
        self.groups = groups_of(self.n_nets, kernels_for(self.network.itemsize).vector, threads)
        self.k = kernels_for_lanes(self.network.itemsize, blocks(self.n_nets, self.groups))
        self.nets = self.k.vector
        self.threads = min(threads, self.groups)
        self.shuffled = shuffled
        self.net = <Net *>self.arena.alloc(len(trainers), 1, sizeof(Net))
        self.take(data, rates)
        self.sizes = sizes_of(self.network, self.k, self.batch, self.count)
        self.sizes.n_sets = 2 * self.network.n_layers if first.batches.optimizer.n_groups else 1
        self.n_parameters = sum([n_out * (n_in + self.network.has_bias) for n_in, n_out in
                                 zip(self.network.widths, self.network.widths[1:])])
        self.n_slots = len(self.first.slots)
        self.alloc(orders=self.shuffled and self.count > self.batch)

    cdef take(self, list data, rates):
        """Check data and rates, as `Trainer.epoch` does, and remember them."""
        cdef Trainer trainer
        cdef RowSource X, y, labels, weights
        cdef EndRequest end
        cdef Net *net
        cdef Py_ssize_t i, batches
        self.kept = []
        for i, (trainer, (X, y, labels, weights, total_weight)) in enumerate(
                zip(self.trainers, data)):
            net = &self.net[i]
            if X is None:
                raise TypeError(f"X of number {i} must be a RowSource, got None")
            if total_weight is not None:
                check_number("total_weight", total_weight, 0, above=True)
            trainer.batches.use(X, y, labels, weights)
            net.trainer, net.rule = <void *>trainer, <void *>trainer.batches.optimizer
            net.rows[X_ROWS], net.rows[Y_ROWS] = rows_of(X), rows_of(y)
            net.rows[LABELS], net.rows[WEIGHTS] = rows_of(labels), rows_of(weights)
            net.total_weight = -1 if total_weight is None else total_weight
            if i == 0:
                self.count, self.classes = X.count, labels is not None
                kinds = [part is None for part in (y, labels, weights)]
            elif X.count != self.count or kinds != [
                    part is None for part in (y, labels, weights)]:
                raise ValueError(f"trainers side by side need rows of the same number and kind, "
                                 f"and number {i} has others than number 0")
        if self.count == 0:
            raise ValueError("an epoch needs at least one row")
        batches = blocks(self.count, self.batch)
        for i, trainer in enumerate(self.trainers):
            net = &self.net[i]
            net.steps = trainer.batches.optimizer.steps
            memcpy(net.h, trainer.batches.optimizer.h, sizeof(net.h))
            end = trainer.end  # another thread may set that
            self.kept.append(end)
            net.end = NULL if end is None else &end.end
        for i, trainer in enumerate(self.trainers):
            trainer.batches.schedule(None if rates is None else rates[i], trainer.decays, None,
                                     batches)

    cdef alloc(self, bint orders):
        """The groups' parameters, gradients and slots, and what the threads need: at once, which
        matters where an epoch is short; and the orders of rows."""
        cdef Buffers unused
        cdef char *base = NULL
        cdef Py_ssize_t i, itemsize = self.network.itemsize
        cdef Py_ssize_t vectors = self.groups * self.nets * self.n_parameters * itemsize
        cdef Py_ssize_t numbers = self.sizes.n_sets * OPTIMIZER_NUMBERS * sizeof(double)
        cdef Py_ssize_t buffers = <Py_ssize_t>aligned(lay_out(&unused, NULL, self.network,
                                                              &self.sizes))
        base = self.arena.alloc(1, 1, (2 + self.n_slots) * vectors + self.n_nets * numbers
                                + self.threads * (sizeof(Buffers) + buffers) + 4 * PANEL_BYTES)
        self.w, self.g = carve(&base, vectors), carve(&base, vectors)
        self.slots = carve(&base, self.n_slots * vectors)
        for i in range(self.n_nets):
            self.net[i].first = <double *>(base + i * numbers)
        base = aligned(base + self.n_nets * numbers)
        self.buffers = <Buffers *>(base + self.threads * buffers)
        for i in range(self.threads):
            lay_out(&self.buffers[i], base + i * buffers, self.network, &self.sizes)
            set_ones(&self.buffers[i], self.network)
        if orders:
            self.kept.append(np.empty((self.n_nets, self.count), np.intp))
            for i in range(self.n_nets):
                self.net[i].order = <Py_ssize_t *>address(self.kept[-1]) + i * self.count

    cdef char *parameters_of(self, char *vectors, Py_ssize_t group) noexcept nogil:
        """The vectors of a group in `w`, `g`, or `slots`, of which slot s of group i is number
        s * groups + i."""
        return vectors + group * self.nets * self.n_parameters * self.network.itemsize

    # An epoch

    def run(self):
        """Train all nets, or raise what has ended that."""
        cdef EndRequest end
        cdef Py_ssize_t i
        for end in self.kept[:self.n_nets]:
            if end is not None:
                end.check()
        begin_stop(&self.stop, None)
        with nogil:
            pool_run_until(epoch_task, <void *>self, self.groups, NULL, <int>self.threads,
                           &self.stop)
        if self.stop.stopped:
            self.take_back()
        leave(&self.stop)
        with nogil:
            pool_run(store_task, <void *>self, self.groups, NULL, <int>self.threads)
        return [self.result(i) for i in range(len(self.trainers))]

    cdef take_back(self):
        """The numbers of the optimizers as they were."""
        cdef Trainer trainer
        cdef Py_ssize_t i
        for i, trainer in enumerate(self.trainers):
            trainer.batches.optimizer.steps = self.net[i].steps
            memcpy(trainer.batches.optimizer.h, self.net[i].h, sizeof(self.net[i].h))

    cdef result(self, Py_ssize_t i):
        """The end of a trainer's epoch; what `Trainer.epoch` returns."""
        cdef Trainer trainer = self.trainers[i]
        trainer.backprop.has_gradient = False
        trainer.progress.keep(blocks(self.count, self.batch), &self.net[i].totals,
                              trainer.batches.squared_residuals)
        trainer.epochs += 1
        trainer.progress.last, trainer.progress.done = trainer.progress.done, 0
        return trainer.batches.result(self.count, &self.net[i].totals)

    cdef Py_ssize_t first_of(self, Py_ssize_t group) noexcept nogil:
        """The first net of a group; all groups have as many, or one more."""
        return group * self.n_nets // self.groups

    cdef Py_ssize_t used(self, Py_ssize_t group) noexcept nogil:
        """Lanes of a group that have a net."""
        return self.first_of(group + 1) - self.first_of(group)

    cdef Net *net_in(self, Py_ssize_t group, Py_ssize_t lane) noexcept nogil:
        """The net in a lane of a group; the first one in lanes that are left over."""
        return &self.net[self.first_of(group) + (lane if lane < self.used(group) else 0)]

    cdef void run_epoch(self, Py_ssize_t group, Buffers *b) noexcept nogil:
        cdef Py_ssize_t i, o, rows, batch, work
        cdef Py_ssize_t n_out = self.network.layers[self.network.n_layers - 1].n_out
        cdef Net *net
        b.used = self.used(group)
        for i in range(self.nets):
            b.net[i] = self.net_in(group, i)
        for i in range(b.used):
            net = b.net[i]
            net.totals.loss, net.totals.weight, net.totals.correct = 0, 0, 0
            if net.order:
                shuffle((<Trainer>net.trainer).seed, FOR_SHUFFLE,
                        <unsigned int>(<Trainer>net.trainer).epochs, net.order, self.count)
        self.copy_parameters(group, False)
        b.scaled_rows = 0
        memset(b.residuals, 0, self.nets * n_out * sizeof(double))
        for batch in range(blocks(self.count, self.batch)):
            rows = min(self.batch, self.count - batch * self.batch)
            work = rows * self.n_parameters * self.nets
            for i in range(b.used):
                (<Trainer>b.net[i].trainer).batches.begin_step(batch)
            if not self.run_batch(group, b, batch * self.batch, rows):
                return
            self.look_for_ends(b, work)
            if stops(&self.stop, work):
                return
        for i in range(b.used):
            for o in range(n_out):
                (<Trainer>b.net[i].trainer).batches.squared_residuals[o] = (
                    b.residuals[o * self.nets + i])

    cdef void look_for_ends(self, Buffers *b, Py_ssize_t work) noexcept nogil:
        """Raise the flag where the end of some trainer is due."""
        cdef Py_ssize_t i
        b.work += work
        if b.work < WORK_PER_LOOK:
            return
        b.work = 0
        for i in range(self.n_nets):
            if self.net[i].end and is_due(self.net[i].end):
                raise_flag(&self.stop.stopped, ENDED)

    cdef bint run_batch(self, Py_ssize_t group, Buffers *b, Py_ssize_t first,
                        Py_ssize_t rows) noexcept nogil:
        """A step; False where the run is to be left."""
        cdef Py_ssize_t i, r
        cdef Net *net
        self.weigh(b, first, rows)
        memset(b.correct, 0, self.nets * sizeof(Py_ssize_t))
        for i in range(blocks(rows, self.sizes.block)):
            r = i * self.sizes.block
            if r > 0 and stops(&self.stop, self.sizes.block * self.n_parameters * self.nets):
                return False
            self.run_block(group, b, first, r, min(self.sizes.block, rows - r))
        self.add_losses(b, rows)
        self.take_step(group, b)
        for i in range(b.used):
            net = b.net[i]
            net.totals.loss += b.weight[i] * b.penalty[i]
            net.totals.correct += b.correct[i]
        return True

    cdef void gather_part(self, Buffers *b, int part, Py_ssize_t first, Py_ssize_t rows,
                          Py_ssize_t width, char *out) noexcept nogil:
        """`width` columns of some rows of the epoch; `part` is one of X_ROWS, ..."""
        cdef Py_ssize_t i
        cdef Net *net
        for i in range(self.nets):
            net = b.net[i]
            find(&net.rows[part], net.order + first if net.order else NULL, first, rows, self.nets,
                 b.rows + i)
        self.k.gather_transposed(rows * self.nets, width, <const void *const *>b.rows,
                                 self.sizes.ld, out)

    cdef void weigh(self, Buffers *b, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """The weight of each net's mini-batch, of its rows, and of its penalty."""
        cdef Py_ssize_t i
        cdef Net *net
        cdef bint weighted = self.net.rows[WEIGHTS].data != NULL
        cdef double weight, scale
        if weighted:
            self.gather_part(b, WEIGHTS, first, rows, 1, b.row_weight)
        for i in range(self.nets):
            net = b.net[i]
            weight = net.total_weight
            if weight > 0 and rows < self.count:
                weight = weight * rows / self.count
            if weight < 0:
                weight = rows
                if weighted:
                    weight = sum_of(self.network.itemsize, b.row_weight, i, rows, self.nets)
            b.weight[i] = weight
            scale = 1
            if self.first.backprop.penalty.per_row:
                scale = 1 / weight if weight > 0 else 0
            b.l1[i] = self.first.backprop.penalty.l1 * scale
            b.l2[i] = self.first.backprop.penalty.l2 * scale
        if weighted or b.scaled_rows != rows:
            b.scaled_rows = rows
            scale_rows(self.network.itemsize, b.row_scale, b.row_weight if weighted else NULL,
                       b.weight, rows, self.nets)

    cdef void run_block(self, Py_ssize_t group, Buffers *b, Py_ssize_t start, Py_ssize_t first,
                        Py_ssize_t rows) noexcept nogil:
        """Rows from `first` on of the mini-batch that begins at row `start`: forward, backward, and
        their part of the gradient."""
        cdef Py_ssize_t l
        cdef char *w = self.parameters_of(self.w, group)
        self.gather(b, start + first, rows)
        for l in range(self.network.n_layers):
            forward(&b.layers[l], w, rows)
            if l < self.network.n_layers - 1 or not self.first.backprop.loss.from_logits:
                activate(&b.layers[l], rows)
        self.evaluate_loss(b, first, rows)
        for l in range(self.network.n_layers - 1, -1, -1):
            weight_gradient(&b.layers[l], self.parameters_of(self.g, group), rows, first > 0)
            if l > 0:
                send_back(&b.layers[l], w, b.layers[l - 1].delta, rows)
                activate_backward(&b.layers[l - 1], rows)

    cdef void gather(self, Buffers *b, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        cdef Py_ssize_t i, last = self.network.n_layers - 1
        cdef Net *net
        self.gather_part(b, X_ROWS, first, rows, b.layers[0].n_in, b.layers[0].x)
        if self.net.rows[Y_ROWS].data:
            self.gather_part(b, Y_ROWS, first, rows, b.layers[last].n_out, b.y)
        if self.classes:
            for i in range(self.nets):
                net = b.net[i]
                gather_labels(&net.rows[LABELS], net.order + first if net.order else NULL, first,
                              rows, self.nets, b.label + i)

    cdef void evaluate_loss(self, Buffers *b, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """Losses, delta of the last layer, and what the metric counts."""
        cdef Py_ssize_t l = self.network.n_layers - 1, itemsize = self.network.itemsize
        cdef Py_ssize_t offset = first * self.nets * itemsize
        cdef LaneLayer *layer = &b.layers[l]
        cdef loss_args_t p
        self.first.backprop.loss.set_args(&p)
        p.rows, p.row_stride, p.col_stride = rows * self.nets, 1, self.sizes.ld
        p.out = layer.z if self.first.backprop.loss.from_logits else layer.a
        p.y, p.label = b.y if self.net.rows[Y_ROWS].data else NULL, b.label
        p.row_scale, p.row_losses = b.row_scale + offset, b.row_losses + offset
        p.delta = layer.delta
        self.k.losses[self.first.backprop.loss.row].evaluate(&p)
        if not self.first.backprop.loss.from_logits:
            activate_backward(layer, rows)
        if self.first.backprop.activates_output:
            activate(layer, rows)
        self.update_metrics(b, rows)

    cdef void update_metrics(self, Buffers *b, Py_ssize_t rows) noexcept nogil:
        cdef LaneLayer *layer = &b.layers[self.network.n_layers - 1]
        cdef Py_ssize_t i
        cdef bint on_z = (self.first.backprop.loss.from_logits
                          and not self.first.backprop.activates_output)
        cdef char *out = layer.z if on_z else layer.a
        if self.classes:
            self.k.lanes_correct(rows, layer.n_out, self.sizes.ld, out,
                            self.first.backprop.threshold, b.label, b.correct)
        elif self.first.batches.multilabel:
            for i in range(self.nets):
                b.correct[i] += self.k.count_exact_match(
                    rows, layer.n_out, self.nets, self.sizes.ld, out + i * self.network.itemsize,
                    self.first.backprop.threshold, b.y + i * self.network.itemsize,
                    self.first.backprop.y_threshold)
        else:
            self.k.lanes_residuals(rows, layer.n_out, self.sizes.ld, out, b.y, b.residuals)

    cdef void add_losses(self, Buffers *b, Py_ssize_t rows) noexcept nogil:
        """The mini-batch's losses and weight to the totals."""
        cdef const char *weights = b.row_weight if self.net.rows[WEIGHTS].data else NULL
        cdef bint by_rows = self.first.by_rows
        cdef Py_ssize_t i
        cdef Net *net
        for i in range(self.nets):
            b.sums[i] = 0 if by_rows else b.net[i].totals.loss
        self.k.lanes_losses(rows, b.row_losses, weights, b.sums)
        for i in range(b.used):
            net = b.net[i]
            if by_rows:
                if b.weight[i] > 0:
                    net.totals.loss += rows * self.first.cost_scale * (b.sums[i] / b.weight[i])
                b.weight[i] = rows
            else:
                net.totals.loss = b.sums[i]
            net.totals.weight += b.weight[i]

    # The step

    cdef void take_step(self, Py_ssize_t group, Buffers *b) noexcept nogil:
        """Penalties, clipping, and one step of each net."""
        cdef const optimizer_t *f = &self.k.optimizers[
            self.first.batches.optimizer.row]
        cdef LaneStep *step = self.place_step(group, b)
        cdef lanes_penalty_args_t p
        cdef Py_ssize_t t = self.count_step(b)
        memset(b.penalty, 0, self.nets * sizeof(double))
        if self.first.backprop.penalty.l1 != 0 or self.first.backprop.penalty.l2 != 0:
            p.l1, p.l2 = b.l1, b.l2
            add_penalties(step, self.first.backprop.partition, &p, b.penalty)
        if self.first.batches.optimizer.clip_norm > 0:
            clip(step, self.first.batches.optimizer.clip_norm)
        if self.sizes.n_sets > 1:
            update_groups(step, f, t, b.h)
        else:
            update(step, f, t, b.h, 0, self.n_parameters)
        if self.first.batches.optimizer.max_norm > 0:
            clip_row_norms(step, self.first.batches.optimizer.max_norm)

    cdef LaneStep *place_step(self, Py_ssize_t group, Buffers *b) noexcept nogil:
        """Where the group's vectors are."""
        cdef LaneStep *step = &b.step
        cdef int s
        step.w, step.g = self.parameters_of(self.w, group), self.parameters_of(self.g, group)
        for s in range(self.n_slots):
            step.slots[s] = self.parameters_of(self.slots, s * self.groups + group)
        return step

    cdef Py_ssize_t count_step(self, Buffers *b) noexcept nogil:
        """Count a step of each net, and take its numbers; returns the step's own number."""
        cdef Py_ssize_t i
        cdef Net *net
        for i in range(b.used):
            net = b.net[i]
            (<Optimizer>net.rule).begin_step()
            if (<Optimizer>net.rule).steps == 1:
                copy_numbers(<Optimizer>net.rule, self.sizes.n_sets, 1, net.first)
        for i in range(self.nets):
            net = b.net[i]
            copy_numbers(<Optimizer>net.rule, self.sizes.n_sets, self.nets,
                         b.h + i * OPTIMIZER_NUMBERS)
        return (<Optimizer>b.net[0].rule).steps

    cdef void store(self, Py_ssize_t group) noexcept nogil:
        """What a group's nets have learned. Slots have padding, which an optimizer's first step may
        set: that is taken without a gradient, before the others are overwritten."""
        cdef Py_ssize_t i
        cdef Net *net
        for i in range(self.used(group)):
            net = self.net_in(group, i)
            if net.steps == 0:
                pad(<Optimizer>net.rule, self.sizes.n_sets, net.first,
                    (<Trainer>net.trainer).backprop.g)
        self.copy_parameters(group, True)

    cdef void copy_parameters(self, Py_ssize_t group, bint back) noexcept nogil:
        """Parameters and slots of a group's nets into its lanes, or, with the gradient, back."""
        cdef Py_ssize_t i
        cdef int s
        cdef Net *net
        for i in range(self.used(group) if back else self.nets):
            net = self.net_in(group, i)
            copy_vector(self.network, self.nets, (<Trainer>net.trainer).backprop.network.w,
                        self.parameters_of(self.w, group), i, back)
            if back:
                copy_vector(self.network, self.nets, (<Trainer>net.trainer).backprop.g,
                            self.parameters_of(self.g, group), i, back)
            for s in range(self.n_slots):
                copy_vector(self.network, self.nets, <char *>(<Optimizer>net.rule).slot[s],
                            self.parameters_of(self.slots, s * self.groups + group), i, back)


cdef void epoch_task(void *run, Py_ssize_t group, int worker) noexcept nogil:
    (<_SideBySide>run).run_epoch(group, &(<_SideBySide>run).buffers[worker])

cdef void store_task(void *run, Py_ssize_t group, int worker) noexcept nogil:
    (<_SideBySide>run).store(group)


def alike(Trainer trainer not None):
    """What trainers must have in common to train side by side.

    Parameters
    ----------
    trainer : Trainer

    Returns
    -------
    tuple or None
        Equal for those that can; learning rates, seeds and rows may differ. None for a trainer that
        cannot: with embedded columns, dropout, bounds, shards, a callback after each step, epochs
        that pause or come in parts, measured phases, more outputs, or a softmax, than a panel has.
    """
    backprop, rule = trainer.backprop, trainer.batches.optimizer
    network = backprop.network
    if (rule.name is None or backprop.loss.heads != 1 or network.embeds or rule.bounds
            or backprop.timing or trainer.batches.n_shards > 1
            or trainer.after_step is not None or trainer.part is not None
            or trainer.progress.done or trainer.progress.pause_at != INFINITY
            or any(backprop.workspace.dropout) or network.widths[-1] > network.lanes
            or "softmax" in network.activations[:-1] and max(network.widths[1:]) > network.lanes):
        return None
    if trainer.lanes_key is None:
        trainer.lanes_key = shape_of(trainer)
    return trainer.lanes_key if rule.name != "rprop" else (*trainer.lanes_key, trainer.steps)


cdef tuple shape_of(Trainer trainer):
    """What trainers side by side have in common, for good."""
    backprop, rule = trainer.backprop, trainer.batches.optimizer
    network = backprop.network
    settings = tuple([rule.h[i] for i in range(1, len(optimizer_settings(rule.name)))
                      if i != rule.decays])
    return (network.widths, network.activations, network.activation_params, network.dtype.name,
            network.has_bias, backprop.loss.name, backprop.loss.param, backprop.penalty.l1,
            backprop.penalty.l2, backprop.penalty.per_row, backprop.max_batch_size, rule.name,
            settings, rule.weight_decay, rule.n_groups, rule.clip_norm, rule.max_norm,
            trainer.batches.multilabel, trainer.by_rows, trainer.cost_scale)


def share(Py_ssize_t n, Trainer trainer not None, Py_ssize_t threads=1):
    """How many of some trainers with the same `alike` to train side by side, by `epochs`, so that
    their epochs take the shortest time; the others train alone, each on one thread.

    Parameters
    ----------
    n : int
        How many trainers there are.
    trainer : Trainer
        One of them.
    threads : int
        That share the work.

    Returns
    -------
    int
        0 to n.
    """
    cdef Network network = trainer.backprop.network
    if alike(trainer) is None:
        return 0
    return least_costly(network, trainer.backprop.max_batch_size, n, threads)


def epochs(trainers, data, bint shuffled, rates=None, int threads=1):
    """An epoch of each of some trainers, whose `alike` is equal, to the bit as its own `epoch`.

    Parameters
    ----------
    trainers : sequence of Trainer
    data : sequence of tuple (X, y, labels, weights, total_weight)
        Of each trainer, as in `Trainer.epoch`; all with the same number of rows, and all or none
        with y, labels and weights.
    shuffled : bool
        As in `Trainer.epoch`.
    rates : sequence of ndarray of float64, optional
        Of each trainer, the learning rate of each mini-batch of the epoch.
    threads : int
        The most to use.

    Returns
    -------
    list of tuple (loss, metric)
        What `Trainer.epoch` returns, of each.

    Raises
    ------
    Ended
        Where an `end` of one of the trainers is due. Then, as after Ctrl-C and other errors, all of
        them are as they were before the epoch.
    """
    cdef Trainer trainer
    trainers, taken = list(trainers), []
    try:
        for trainer in trainers:
            trainer.backprop.workspace.acquire()
            taken.append(trainer)
        check(trainers, data, rates)
        return _SideBySide(trainers, list(data), shuffled, rates, threads).run()
    finally:
        for trainer in taken:
            trainer.batches.forget()
            trainer.backprop.workspace.release()


cdef check(list trainers, data, rates):
    """Raise unless all can train side by side."""
    cdef Trainer trainer
    if not trainers:
        raise ValueError("there must be at least one trainer")
    for name, values in (("data", data), ("rates", rates)):
        if values is not None and len(values) != len(trainers):
            raise ValueError(f"{name} must have an entry for each of the {len(trainers)} trainers, "
                             f"got {len(values)}")
    keys = [alike(trainer) for trainer in trainers]
    for i, key in enumerate(keys):
        if key is None or key != keys[0]:
            raise ValueError(f"trainers must have what `alike` returns in common to train side by "
                             f"side; number {i} has not what number 0 has")
