"""The trainer: epochs of shuffled mini-batches, each forward, backward and one optimizer step,
without the GIL."""

import numpy as np

cimport cython
from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint64_t

from cnn_core._backprop cimport SHUFFLE, LOSS, Backprop
from cnn_core._batches cimport COMPUTE, PENALTY, Batches, Totals
from cnn_core._control cimport begin_stop, leave, stops
from cnn_core._dataset cimport RowSource, all_rows_below
from cnn_core._memory cimport address
from cnn_core._optimizer cimport Optimizer
from cnn_core._partition cimport BLOCKWISE
from cnn_core._platform cimport clock_seconds, flush_subnormals, restore_subnormals
from cnn_core._progress cimport Progress, Span, span_of
from cnn_core._random cimport order_shards
from cnn_core._backprop import phases
from cnn_core._checks import Array, check_number, is_whole
from cnn_core._cpu import most_threads
from cnn_core._memory import aligned_zeros

ORDER = Array(1, (np.dtype(np.intp).name,))

#: Further options of a trainer, and what they are where they are not given.
OPTIONS = {
    "timing": False, "clip_norm": 0.0, "max_norm": 0.0, "multilabel": False, "threads": 1,
    "adaptive": False, "by_rows": False, "cost_scale": 1.0, "rate_factors": (), "decay_factors": (),
    "bounds": (), "shards": 1,
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
        clip_norm, max_norm, rate_factors, decay_factors, bounds
            As for `Optimizer`.
        multilabel : bool
            Whether the metric without labels is the share of rows that are all right.
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
        shards : int
            How many the rows are cut into (`_random.shard_order`); sums are those of _shards.pxd.

    Attributes
    ----------
    epochs : int
        Done so far.
    after_step : callable or None
        Called by `epoch` after each step with the cost whose gradient the step has followed: the
        mean over the mini-batch, with the penalty. What it raises ends the epoch there. It may
        read parameters, `steps` and `learning_rate`, and call nothing of this trainer.
    part : (int, int) or None
        Where the rows that `epoch` takes are some of an epoch's, and, but for the last, whole
        mini-batches: how many mini-batches come before them, and how many rows the epoch has.
    decays, dropouts : ndarray of float64, shape (mini-batches of an epoch,), or None
        Factors, at most 1, of weight decay and of the rates of dropout in each of them.
    end : EndRequest or None
        What may end `epoch`, `evaluate`, `loss_and_gradient` and `accumulate` before they are done,
        by `_control.Ended`. So does Ctrl-C, or what else a signal handler raises, in
        Python's main thread, within about 0.1 s. The parameters, and the optimizer, are then those
        after the last whole step.
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
        rule = Optimizer(backprop.network, optimizer, settings, options["clip_norm"],
                         options["max_norm"], options["rate_factors"],
                         options["decay_factors"], options["bounds"])
        backprop.timing = options["timing"]
        # One thread where phases are measured: those of several overlap.
        threads = 1 if options["timing"] else min(options["threads"], most_threads)
        self.by_rows, self.cost_scale = options["by_rows"], options["cost_scale"]
        self.batches = Batches(backprop, rule, threads, options["adaptive"],
                               options["multilabel"], options["shards"])
        self.progress = Progress(backprop.loss.targets)

    @property
    def threads(self):
        """The most to use."""
        return self.batches.threads

    @property
    def in_place(self):
        """Whether the rows of the last mini-batch were read where they stand in X, instead of
        gathered first."""
        return bool(self.batches.batch.in_place)

    @property
    def optimizer(self):
        """Name of the optimizer."""
        return self.batches.optimizer.name

    @property
    def steps(self):
        """Steps done so far."""
        return self.batches.optimizer.steps

    @property
    def slots(self):
        """The optimizer's memory, laid out as the parameters."""
        return self.batches.optimizer.slots

    @property
    def learning_rate(self):
        """Step size of the coming steps."""
        return self.batches.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, double value):
        self.backprop.workspace.acquire()
        self.batches.optimizer.learning_rate = value
        self.backprop.workspace.release()

    @property
    def parameters(self):
        """The network's parameters, as `Network.parameters` has them."""
        return self.backprop.network.parameters

    @property
    def gradient(self):
        """The gradient of the last mini-batch, laid out as the parameters."""
        return self.backprop.gradient

    def set_flat(self, values):
        """Set all parameters from a vector in the order of `Network.flat`. What `accumulate` has
        added up is dropped, as it belongs to other parameters."""
        self.backprop.workspace.acquire()
        try:
            self.backprop.network.set_flat(values)
            self.backprop.has_gradient = False
        finally:
            self.backprop.workspace.release()

    def flat_gradient(self):
        """The gradient of the last mini-batch in that order."""
        self.backprop.workspace.acquire()
        try:
            return self.backprop.network.flat(self.backprop.gradient)
        finally:
            self.backprop.workspace.release()

    def is_finite(self):
        """Whether parameters and slots are; an optimizer whose sums overflow takes no step more."""
        return self.backprop.network.is_finite() and self.batches.optimizer.is_finite()

    @property
    def seconds(self):
        """Time spent in each phase so far, by name; zeros unless `timing` was asked for."""
        return {phase: sum([layer[phase] for layer in self.layer_seconds]) for phase in phases}

    @property
    def layer_seconds(self):
        """The same for each layer, as `Backprop.layer_seconds` has it."""
        return self.backprop.layer_seconds

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
        self.backprop.workspace.acquire()
        try:
            return {"epochs": self.epochs, **self.batches.optimizer.state(copy)}
        finally:
            self.backprop.workspace.release()

    def check_state(self, state):
        """Raise unless `restore` can take a state."""
        self.batches.optimizer.check_state(state, ("epochs", "steps"))

    def restore(self, state):
        """Go on from where another run was when it gave `state`.

        Parameters
        ----------
        state : dict
            From the `state` of a run with the same optimizer and shape of network; settings stay.
        """
        self.backprop.workspace.acquire()
        try:
            self.check_state(state)
            self.batches.optimizer.restore(state)
            self.epochs = state["epochs"]
        finally:
            self.backprop.workspace.release()

    def pause_after(self, double seconds):
        """Have epochs pause after a mini-batch that ends later from now on; 0: each."""
        self.progress.pause_at = clock_seconds() + seconds if seconds > 0 else -INFINITY

    @property
    def batches_done(self):
        """Mini-batches that are done of an epoch that pauses, or was ended."""
        return self.progress.done

    def position(self):
        """The parameters, in the order of `Network.flat`, and what `Progress.get` gives."""
        return self.backprop.network.flat(), *self.progress.get()

    def go_on_at(self, parameters, batches, sums):
        """Go on from the `position` of a run with the same shape of network: the next call of
        `epoch`, with the same rows, is the rest of that epoch."""
        self.progress.set(batches, sums)
        self.set_flat(parameters)

    def reopen(self):
        """Take back that the last epoch is over; the next one gives its numbers. Whether it can."""
        self.progress.done, self.progress.last = self.progress.last, 0
        self.epochs -= bool(self.progress.done)
        return bool(self.progress.done)

    # Epochs

    def epoch(self, RowSource X not None, RowSource y, RowSource labels, bint shuffled=True,
              order=None, RowSource weights=None, rates=None, total_weight=None):
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
            Of each row, of the network's dtype, shape (rows, 1); at least 0. The gradient of a
            mini-batch is the sum of its rows' weighted ones, divided as `total_weight` says.
        rates : ndarray of float64, optional
            The learning rate of each mini-batch of the epoch; default `learning_rate`.
        total_weight : float, optional
            The weight of all rows. A mini-batch's gradient is divided by its share of it, by number
            of rows, so that a weight means the same in a mini-batch of any size. Default: it is
            divided by the weight of its own rows.

        Returns
        -------
        loss : float
            Mean cost of the rows, each as it was when its mini-batch came by, with the penalty on
            the weights.
        metric : float or ndarray of float64, shape (n_out,)
            Share of rows classified right, without regard to weights; for a regression the sum of
            squared residuals of each output.
        None
            Instead, after a `part` that is not the last, and where the epoch pauses, see
            `pause_after`: the next call, with the same arguments, is the rest of it.
        """
        self.backprop.workspace.acquire()
        try:
            if self.batches.optimizer.name is None:
                raise ValueError("this run has no optimizer, so it has no epochs")
            if total_weight is not None:
                check_number("total_weight", total_weight, 0, above=True)
            self.total_weight = -1 if total_weight is None else total_weight
            self.batches.use(X, y, labels, weights)
            self.backprop.has_gradient = False
            if order is not None:
                ORDER.check("order", order)
            return self.run_epoch(self.set_order(order, shuffled), rates)
        finally:
            self.batches.forget()
            self.backprop.workspace.release()

    cdef Py_ssize_t set_order(self, object order, bint shuffled) except -1:
        """In which order the epoch visits the rows; returns how many."""
        cdef Py_ssize_t count = self.batches.X.count, shards = self.batches.n_shards
        cdef Py_ssize_t batch = self.backprop.workspace.max_batch_size
        cdef Py_ssize_t *numbers
        if order is not None:
            numbers = <Py_ssize_t *>address(order)
            count = len(order)
            if not all_rows_below(self.batches.X.count, numbers, count):
                raise ValueError(f"order must hold row numbers from 0 to {self.batches.X.count - 1}"
                                 f", got {np.min(order)} to {np.max(order)}")
            self.batches.batch.order = numbers
        if count == 0:
            raise ValueError("an epoch needs at least one row")
        if shards > 1 and (order is not None or self.part is not None):
            raise ValueError("rows in shards have an order of their own, and come all at once")
        if order is None and (shuffled or shards > 1) and count > batch:
            if self.order is None or len(self.order) != (1 + (shards > 1)) * count:
                self.order = aligned_zeros((1 + (shards > 1)) * count, np.intp)
            self.batches.batch.order = numbers = <Py_ssize_t *>address(self.order)
            with nogil:
                order_shards(self.seed, self.epochs, shuffled, count, batch, shards, numbers)
            self.backprop.record_phase(SHUFFLE, 0)
        self.batches.sums.shards.count = shards
        return count

    cdef run_epoch(self, Py_ssize_t count, object rates):
        cdef Py_ssize_t block, first, work, batch = self.backprop.workspace.max_batch_size
        cdef Span span = span_of(self.part, count, batch, self.progress.done)
        cdef Totals totals
        cdef int64_t steps
        cdef bint pauses = False, tells = self.after_step is not None
        cdef bint random_access = self.batches.X.mapped and self.batches.batch.order != NULL
        cdef double cost
        cdef uint64_t mode
        self.batches.schedule(rates, self.decays, self.dropouts, span.last)
        self.begin()
        caught = None
        self.progress.begin(self.batches, &totals)
        with nogil:
            mode = flush_subnormals()
            if random_access:
                self.batches.X.advise_random(True)
            self.backprop.workspace.transpose_weights()
            for block in range(self.progress.done, span.end):
                first = (block - span.first) * batch
                self.batches.begin_batch(first, min(batch, count - first), True)
                if random_access:
                    first += self.batches.batch.rows
                    self.batches.X.read_ahead(self.batches.batch.order + first,
                                              min(batch, count - first))
                self.batches.begin_step(block)
                work = self.batches.batch.rows * (self.backprop.n_parameters + 1)
                steps = self.batches.optimizer.steps
                cost = self.run_batch(span.rows, &totals, tells)
                if self.batches.optimizer.steps > steps:
                    self.progress.keep(block + 1, &totals, self.batches.squared_residuals)
                    if tells:
                        restore_subnormals(mode)
                        with gil:
                            caught = self.tell(cost)
                        if caught is not None:
                            break
                        flush_subnormals()
                    pauses = self.progress.is_due(work) and block + 1 < span.last
                if pauses or stops(&self.backprop.stop, work):
                    break
            if random_access:
                self.batches.X.advise_random(False)
            restore_subnormals(mode)
        leave(&self.backprop.stop)
        if caught is not None:
            raise caught
        if pauses or span.end < span.last:
            return None
        self.epochs += 1
        self.progress.last, self.progress.done = self.progress.done, 0
        return self.batches.result(span.rows, &totals)

    cdef int begin(self) except -1:
        """Make ready for a run that can be ended by what `end` is now."""
        self.ends = self.end  # another thread may set that
        return begin_stop(&self.backprop.stop, self.ends)

    cdef object tell(self, double cost):
        """Call `after_step`; what it has raised."""
        try:
            self.after_step(cost)
        except BaseException as error:
            return error
        return None

    cdef double run_batch(self, Py_ssize_t count, Totals *totals, bint tells) noexcept nogil:
        """Losses, gradient and step of the mini-batch, in an epoch over `count` rows; returns its
        cost where that is to be told."""
        cdef Py_ssize_t rows = self.batches.batch.rows
        cdef double mean = 0, penalty, weight = self.total_weight
        if weight > 0 and rows < count:
            weight = weight * rows / count
        weight = self.backprop.set_weight(rows, self.batches.sums.weight(weight))
        self.backprop.seed_dropouts(self.seed, self.batches.optimizer.steps)
        self.batches.make_plan(True)
        totals.correct += self.batches.forward_backward(False, True)
        if self.batches.stopped():
            return 0
        if (self.by_rows or tells) and weight > 0:
            mean = self.batches.sums.add_losses(0) / weight
        if self.by_rows:
            totals.loss += rows * self.cost_scale * mean
            weight = rows
        else:
            totals.loss = self.batches.sums.add_losses(totals.loss)
        totals.weight += weight
        self.backprop.record_phase(LOSS, self.backprop.network.n_layers - 1)
        penalty = self.batches.apply_gradient(self.batches.plan.strategy == BLOCKWISE)
        totals.loss += weight * penalty
        return self.cost_scale * mean + penalty

    def accumulate(self, RowSource X not None, RowSource y, RowSource labels,
                   RowSource weights=None, *, weight=None, Py_ssize_t first=0, shares=None):
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
        shares : sequence of int, optional
            Sizes of the shares of shards, as many as this trainer has or fewer, that the rows are.
            `gradient` is then that of these rows alone, a sum along the tree.

        Returns
        -------
        float
            What these rows add to the mini-batch's mean loss, without the penalty.
        """
        self.backprop.workspace.acquire()
        try:
            if self.batches.optimizer.name is None:
                raise ValueError("this run has no optimizer, so it takes no steps")
            self.batches.use(X, y, labels, weights)
            if not 0 < X.count <= self.backprop.workspace.max_batch_size:
                raise ValueError(f"accumulate takes 1 to {self.backprop.workspace.max_batch_size} "
                                 f"rows, got {X.count}")
            if first < 0:
                raise ValueError(f"first must be at least 0, got {first}")
            if weight is not None:
                check_number("weight", weight, 0, above=True)
            if shares is not None:
                self.batches.sums.cut(shares, X.count)
                self.backprop.has_gradient = False
            return self.run_accumulate(X.count, -1 if weight is None else weight, first)
        finally:
            self.backprop.workspace.release()

    cdef double run_accumulate(self, Py_ssize_t rows, double weight, Py_ssize_t first) except *:
        cdef double loss
        cdef uint64_t mode
        self.begin()
        with nogil:
            mode = flush_subnormals()
            if not self.backprop.has_gradient:
                self.backprop.workspace.transpose_weights()
            self.batches.begin_batch(0, rows, True)
            weight = self.backprop.set_weight(rows, self.batches.sums.weight(weight))
            self.backprop.seed_dropouts(self.seed, self.batches.optimizer.steps)
            self.backprop.dropout_offset = first
            self.batches.make_plan(False)
            self.batches.forward_backward(self.backprop.has_gradient, False)
            if self.batches.plan.strategy != BLOCKWISE:
                self.batches.run_tiles(COMPUTE, self.backprop.has_gradient)
            self.backprop.dropout_offset = 0
            loss = self.batches.sums.add_losses(0)
            restore_subnormals(mode)
        self.backprop.has_gradient = not self.batches.stopped()
        leave(&self.backprop.stop)
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
        self.backprop.workspace.acquire()
        try:
            if not self.backprop.has_gradient:
                raise ValueError("there is no gradient to apply: accumulate gives it")
            self.backprop.last_mark = clock_seconds()
            with nogil:
                mode = flush_subnormals()
                self.batches.run_tiles(PENALTY, False)
                penalty = self.batches.apply_gradient(True)
                restore_subnormals(mode)
            self.backprop.has_gradient = False
            return penalty
        finally:
            self.backprop.workspace.release()

    def loss_and_gradient(self, RowSource X not None, RowSource y, RowSource labels,
                          RowSource weights=None):
        """One pass over all rows, forward and backward, without dropout or a step.

        Parameters
        ----------
        X, y, labels, weights
            As in `epoch`; at most a mini-batch. `gradient` then has that of the penalties too,
            and is clipped by nothing.

        Returns
        -------
        loss, metric
            As in `epoch`.
        """
        self.backprop.workspace.acquire()
        try:
            self.batches.use(X, y, labels, weights)
            return self.run_pass(X.count)
        finally:
            self.backprop.workspace.release()

    cdef run_pass(self, Py_ssize_t rows):
        cdef Totals totals
        cdef uint64_t mode
        self.backprop.has_gradient = False
        if not 0 < rows <= self.backprop.workspace.max_batch_size:
            raise ValueError(f"a single pass takes 1 to {self.backprop.workspace.max_batch_size} "
                             f"rows, got {rows}")
        self.begin()
        with nogil:
            mode = flush_subnormals()
            self.backprop.workspace.transpose_weights()
            self.batches.sums.shards.count = self.batches.n_shards
            self.batches.begin_batch(0, rows, False)
            totals.weight = self.backprop.set_weight(rows, self.batches.sums.weight(-1))
            self.batches.make_plan(False)
            totals.correct = self.batches.forward_backward(False, True)
            if self.batches.plan.strategy != BLOCKWISE:
                self.batches.run_tiles(COMPUTE | PENALTY, False)
            totals.loss = self.cost_scale * self.batches.sums.add_losses(0)
            totals.loss += totals.weight * self.backprop.partition.penalty()
            restore_subnormals(mode)
        leave(&self.backprop.stop)
        return self.batches.result(rows, &totals)

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
            self.batches.use(X, y, labels, None)
            if X.count == 0:
                raise ValueError("an evaluation needs at least one row")
            return self.run_evaluation(X.count)
        finally:
            self.backprop.workspace.release()

    cdef run_evaluation(self, Py_ssize_t count):
        cdef Totals totals
        cdef uint64_t mode
        totals.weight, totals.correct = count, 0
        self.begin()
        with nogil:
            mode = flush_subnormals()
            totals.loss = self.batches.evaluate_all(count, &totals.correct)
            restore_subnormals(mode)
        leave(&self.backprop.stop)
        return self.batches.result(count, &totals)
