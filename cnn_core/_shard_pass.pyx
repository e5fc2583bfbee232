"""What the rows of one shard add to sums over all rows, for processes that have some of the shards:
the parts of `Trainer.loss_and_gradient` and `Trainer.evaluate`, and the penalty that follows once
on the sum."""

import numpy as np

from libc.stdint cimport uint64_t

from cnn_core._batches cimport COMPUTE, PENALTY
from cnn_core._control cimport leave
from cnn_core._dataset cimport RowSource
from cnn_core._partition cimport BLOCKWISE
from cnn_core._platform cimport flush_subnormals, restore_subnormals
from cnn_core._trainer cimport Trainer
from cnn_core._checks import check_number


def loss_and_gradient(Trainer trainer not None, RowSource X not None, RowSource y,
                      RowSource labels, RowSource weights=None, *, double weight):
    """One pass over a shard's rows, forward and backward, without dropout, penalty or a step; the
    trainer's `gradient` is then theirs.

    Parameters
    ----------
    trainer : Trainer
        With one shard.
    X, y, labels, weights
        As in `Trainer.loss_and_gradient`.
    weight : float
        Of all rows of all shards.

    Returns
    -------
    loss : float
        The weighted sum of the rows' costs.
    correct : int
        Rows that are classified right.
    residuals : ndarray of float64, shape (n_out,)
        Sums of the squared residuals, for a regression.
    """
    cdef double loss
    cdef uint64_t mode
    cdef Py_ssize_t correct, rows = X.count
    check_number("weight", weight, 0, above=True)
    trainer.backprop.workspace.acquire()
    try:
        one_shard(trainer)
        trainer.batches.use(X, y, labels, weights)
        if not 0 < rows <= trainer.backprop.workspace.max_batch_size:
            raise ValueError("a single pass takes 1 to "
                             f"{trainer.backprop.workspace.max_batch_size} rows, got {rows}")
        trainer.backprop.has_gradient = False
        trainer.begin()
        with nogil:
            mode = flush_subnormals()
            trainer.backprop.workspace.transpose_weights()
            trainer.batches.begin_batch(0, rows, False)
            trainer.backprop.set_weight(rows, weight)
            trainer.batches.make_plan(False)
            correct = trainer.batches.forward_backward(False, False)
            if trainer.batches.plan.strategy != BLOCKWISE:
                trainer.batches.run_tiles(COMPUTE, False)
            loss = trainer.batches.sums.add_losses(0)
            restore_subnormals(mode)
        leave(&trainer.backprop.stop)
        return loss, correct, np.array(trainer.batches.residuals)
    finally:
        trainer.batches.forget()
        trainer.backprop.workspace.busy = False


def evaluate(Trainer trainer not None, RowSource X not None, RowSource y, RowSource labels):
    """Sums over a shard's rows that are not trained on, which all count alike.

    Parameters
    ----------
    trainer : Trainer
        With one shard.
    X, y, labels
        As in `Trainer.evaluate`.

    Returns
    -------
    loss, correct, residuals
        As of `loss_and_gradient`.
    """
    cdef double loss
    cdef uint64_t mode
    cdef Py_ssize_t correct = 0
    trainer.backprop.workspace.acquire()
    try:
        one_shard(trainer)
        trainer.batches.use(X, y, labels, None)
        trainer.begin()
        with nogil:
            mode = flush_subnormals()
            loss = trainer.batches.evaluate_all(X.count, &correct)
            restore_subnormals(mode)
        leave(&trainer.backprop.stop)
        return loss, correct, np.array(trainer.batches.residuals)
    finally:
        trainer.batches.forget()
        trainer.backprop.workspace.busy = False


def add_penalty(Trainer trainer not None):
    """Add the gradient of the penalties to the trainer's `gradient`, as a pass over all rows does.

    Returns
    -------
    float
        The penalty on the weights.
    """
    cdef double penalty
    cdef uint64_t mode
    trainer.backprop.workspace.acquire()
    try:
        trainer.begin()
        with nogil:
            mode = flush_subnormals()
            trainer.batches.plan.threads = 1
            trainer.batches.run_tiles(PENALTY, False)
            penalty = trainer.backprop.partition.penalty()
            restore_subnormals(mode)
        leave(&trainer.backprop.stop)
        return penalty
    finally:
        trainer.backprop.workspace.busy = False


cdef one_shard(Trainer trainer):
    if trainer.batches.n_shards != 1:
        raise ValueError("the rows of a shard are not cut again: the trainer must have one shard, "
                         f"and has {trainer.batches.n_shards}")
