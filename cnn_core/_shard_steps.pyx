"""The steps of a trainer whose process has the rows of some shards: gradients and sums of the nodes
of the tree that it has all rows of. Whoever drives it adds those of all processes."""

import numpy as np

cimport cython
from libc.stdint cimport uint64_t
from libc.string cimport memset

from cnn_core._batches cimport COMPUTE, PENALTY
from cnn_core._control cimport leave
from cnn_core._dataset cimport RowSource
from cnn_core._memory cimport address, blocks
from cnn_core._partition cimport BLOCKWISE
from cnn_core._platform cimport flush_subnormals, restore_subnormals
from cnn_core._random cimport ShardRun, order_some_shards
from cnn_core._shards cimport rows_before
from cnn_core._trainer cimport Trainer
from cnn_core._checks import DOUBLES
from cnn_core._memory import aligned_zeros


@cython.final
cdef class ShardSteps:
    """What a process does in the steps of a training that several share.

    Parameters
    ----------
    trainer : Trainer
        Its shards are those of all processes; its mini-batches hold the rows that are here.
    begin, until : int
        The shards that are here: begin, begin + 1, ..., until - 1.
    batch_size : int
        Rows of a mini-batch, of all processes.
    """

    def __cinit__(self, Trainer trainer not None, Py_ssize_t begin, Py_ssize_t until,
                  Py_ssize_t batch_size):
        self.trainer, self.backprop, self.batches = trainer, trainer.backprop, trainer.batches
        self.count = trainer.batches.n_shards
        if not (0 <= begin <= until <= self.count and batch_size > 0):
            raise ValueError(f"begin and until must be shards of {self.count}, and a mini-batch "
                             f"have rows; got {begin}, {until} and {batch_size}")
        self.begin, self.until, self.batch_size = begin, until, batch_size

    @property
    def targets(self):
        """Columns of y, of each of which residuals are summed."""
        return self.backprop.loss.targets

    cdef Py_ssize_t before(self, Py_ssize_t position) noexcept nogil:
        """How many of the first rows of an epoch's order are here."""
        return (position // self.count * (self.until - self.begin)
                + min(max(position % self.count - self.begin, 0), self.until - self.begin))

    def begin_epoch(self, RowSource X not None, RowSource y, RowSource labels, *, Py_ssize_t rows,
                    bint shuffled=True, RowSource weights=None, rates=None, double total_weight=-1):
        """Make ready for an epoch.

        Parameters
        ----------
        X, y, labels, weights, shuffled, rates
            As in `Trainer.epoch`; the rows that are here.
        rows : int
            Those of all processes.
        total_weight : float
            Of all these; negative where no row has a weight.
        """
        cdef Py_ssize_t here = self.take(X, y, labels, weights, rows)
        cdef Py_ssize_t *numbers
        cdef ShardRun here_are
        here_are.count, here_are.begin, here_are.until = self.count, self.begin, self.until
        self.dropping, self.total_weight = True, total_weight
        self.batches.schedule(rates, self.trainer.decays, self.trainer.dropouts,
                              blocks(rows, self.batch_size))
        self.scheduled = rates, self.trainer.decays, self.trainer.dropouts  # kept alive
        if rows <= self.batch_size or not here:
            return
        if self.order is None or len(self.order) != 2 * here:
            self.order = aligned_zeros(2 * here, np.intp)
        self.batches.batch.order = numbers = <Py_ssize_t *>address(self.order)
        with nogil:
            order_some_shards(self.trainer.seed, self.trainer.epochs, shuffled, rows,
                              self.batch_size, &here_are, numbers)

    def begin_pass(self, RowSource X not None, RowSource y, RowSource labels, *, Py_ssize_t rows,
                   RowSource weights=None, double total_weight=-1):
        """The same for a pass over all rows, which are one mini-batch, without dropout."""
        self.take(X, y, labels, weights, rows)
        self.dropping, self.total_weight = False, total_weight

    cdef Py_ssize_t take(self, RowSource X, RowSource y, RowSource labels, RowSource weights,
                         Py_ssize_t rows) except -1:
        cdef Py_ssize_t here = (rows_before(self.count, self.until, rows)
                                - rows_before(self.count, self.begin, rows))
        if X.count != here:
            raise ValueError(f"the shards {self.begin} to {self.until} of {rows} rows have {here}, "
                             f"got {X.count}")
        self.backprop.workspace.acquire()
        try:
            self.batches.use(X, y, labels, weights)
            self.rows, self.backprop.has_gradient = rows, False
            self.X, self.has_node = X, False
            with nogil:
                self.backprop.workspace.transpose_weights()
        finally:
            self.backprop.workspace.release()
        return here

    def node(self, Py_ssize_t block, Py_ssize_t first, Py_ssize_t end, sums):
        """The gradient of a node of the tree, into `trainer.gradient`.

        Parameters
        ----------
        block : int
            The mini-batch of the epoch.
        first, end : int
            The node's shards, which are here.
        sums : ndarray of float64, shape (2 + columns of y,)
            Becomes the node's losses, its rows that are right, and its squared residuals.
        """
        cdef double loss = 0
        cdef Py_ssize_t correct
        self.check_node(block, first, end, sums)
        self.backprop.workspace.acquire()
        try:
            self.trainer.begin()
            self.batches.residuals[:] = 0
            with nogil:
                correct = self.run_node(block, first, end, &loss)
            leave(&self.backprop.stop)
            self.has_node = True
            sums[0], sums[1], sums[2:] = loss, correct, self.batches.residuals
        finally:
            self.backprop.workspace.release()

    cdef int check_node(self, Py_ssize_t block, Py_ssize_t first, Py_ssize_t end,
                        object sums) except -1:
        DOUBLES.check("sums", sums)
        if not (self.begin <= first <= end <= self.until and 0 <= block
                and (block == 0 if not self.dropping else block * self.batch_size < self.rows)
                and len(sums) == 2 + self.backprop.loss.targets
                and self.X is not None and self.batches.X is self.X):
            raise ValueError(f"no shards {first} to {end} of mini-batch {block} are here")
        return 0

    cdef Py_ssize_t run_node(self, Py_ssize_t block, Py_ssize_t first, Py_ssize_t end,
                             double *loss) noexcept nogil:
        cdef Py_ssize_t position = block * self.batch_size if self.dropping else 0
        cdef Py_ssize_t size = min(self.batch_size, self.rows - position)
        cdef Py_ssize_t last, whole, more, less, at, s, rows, correct = 0
        cdef double weight = self.total_weight
        cdef uint64_t mode
        if not self.dropping:
            size = self.rows
        last = position + size
        whole, more = last // self.count - position // self.count, last % self.count
        less = position % self.count
        at = whole * first + min(first, more) - min(first, less)
        rows = whole * end + min(end, more) - min(end, less) - at
        self.batches.sums.is_cut, self.batches.sums.shards.count = True, max(1, end - first)
        for s in range(first, end + 1):
            self.batches.sums.shards.begins[s - first] = (
                whole * s + min(s, more) - min(s, less) - at)
        if weight < 0:
            weight = size
        elif size < self.rows:
            weight = weight * size / self.rows
        mode = flush_subnormals()
        if self.dropping:
            self.batches.begin_step(block)
        self.batches.begin_batch(
            self.before(position) + at - (whole * self.begin + min(self.begin, more)
                                          - min(self.begin, less)), rows, self.dropping)
        self.backprop.set_weight(rows, weight)
        self.backprop.seed_dropouts(self.trainer.seed, self.batches.optimizer.steps)
        self.batches.make_plan(False)
        if rows == 0:
            memset(self.backprop.g, 0, self.backprop.n_parameters * self.backprop.network.itemsize)
            loss[0] = 0
        else:
            self.backprop.dropout_offset = at
            correct = self.batches.forward_backward(False, False)
            if self.batches.plan.strategy != BLOCKWISE:
                self.batches.run_tiles(COMPUTE, False)
            self.backprop.dropout_offset = 0
            loss[0] = self.batches.sums.add_losses(0)
        restore_subnormals(mode)
        return correct

    def step(self):
        """One step along `trainer.gradient`, which is that of all processes; the penalty on the
        weights before it."""
        self.check_gradient()
        self.backprop.has_gradient, self.has_node = True, False
        return self.trainer.apply()

    def penalize(self):
        """Add the penalty's gradient to `trainer.gradient`; the penalty on the weights."""
        cdef uint64_t mode
        self.check_gradient()
        self.backprop.workspace.acquire()
        try:
            with nogil:
                mode = flush_subnormals()
                self.batches.run_tiles(PENALTY, False)
                restore_subnormals(mode)
            return self.backprop.partition.penalty()
        finally:
            self.backprop.workspace.release()

    cdef int check_gradient(self) except -1:
        if not self.has_node:
            raise ValueError("there is no gradient to go on with: node gives it")
        return 0

    def end_epoch(self):
        """Keep no rows alive; the epoch counts."""
        self.forget()
        self.trainer.epochs += 1

    def reopen(self):
        """Take back that the last epoch counts."""
        self.trainer.epochs -= 1

    def forget(self):
        """Keep no rows alive."""
        self.batches.forget()
        self.scheduled = self.X = None

    def evaluate(self, RowSource X not None, RowSource y, RowSource labels, Py_ssize_t rows, sums):
        """The sums of rows that are not trained on, shard by shard.

        Parameters
        ----------
        X, y, labels
            As in `Trainer.evaluate`; the rows that are here.
        rows : int
            Those of all processes.
        sums : ndarray of float64, shape (shards that are here, 2 + columns of y)
            Becomes the losses of each, its rows that are right, and its squared residuals.
        """
        cdef Py_ssize_t s, correct, first, end, before = rows_before(self.count, self.begin, rows)
        cdef double loss
        cdef uint64_t mode
        self.take(X, y, labels, None, rows)
        self.backprop.workspace.acquire()
        try:
            for s in range(self.begin, self.until):
                first = rows_before(self.count, s, rows) - before
                end = rows_before(self.count, s + 1, rows) - before
                self.batches.residuals[:] = 0
                self.trainer.begin()
                correct = 0
                with nogil:
                    mode = flush_subnormals()
                    loss = self.batches.evaluate_rows(first, end, 0, &correct)
                    restore_subnormals(mode)
                leave(&self.backprop.stop)
                row = sums[s - self.begin]
                row[0], row[1], row[2:] = loss, correct, self.batches.residuals
        finally:
            self.forget()
            self.backprop.workspace.release()
