"""Where an epoch is: its mini-batches that are done, and the sums over them."""

import numpy as np

cimport cython
from libc.math cimport INFINITY
from libc.string cimport memcpy

from cnn_core._batches cimport Batches, Totals
from cnn_core._memory cimport address, blocks
from cnn_core._platform cimport clock_seconds
from cnn_core._tuning cimport WORK_PER_LOOK
from cnn_core._checks import is_whole


@cython.final
cdef class Progress:
    """Where an epoch is that pauses, or was ended before it was over: the mini-batches that are
    done, and the sums over them.

    Parameters
    ----------
    n_targets : int
        Columns of y.
    """

    def __cinit__(self, Py_ssize_t n_targets):
        self.residuals = np.zeros(n_targets)
        self.kept, self.n_residuals = <double *>address(self.residuals), n_targets
        self.pause_at = INFINITY

    cdef begin(self, Batches batches, Totals *totals):
        """The sums that an epoch begins with."""
        if self.done == 0:
            totals.loss, totals.weight, totals.correct = 0, 0, 0
        else:
            totals[0] = self.totals
            batches.residuals[:] = self.residuals

    cdef void keep(self, Py_ssize_t done, const Totals *totals,
                   const double *residuals) noexcept nogil:
        """Note the sums after another mini-batch."""
        self.done, self.totals = done, totals[0]
        memcpy(self.kept, residuals, self.n_residuals * sizeof(double))

    cdef bint is_due(self, Py_ssize_t work) noexcept nogil:
        """Whether the epoch is to pause after a mini-batch of some work. The clock is looked at
        once in WORK_PER_LOOK: for each step of a small network that would be a fiftieth of it."""
        if self.pause_at == INFINITY:
            return False
        self.work += work
        if self.work < WORK_PER_LOOK and self.pause_at > -INFINITY:
            return False
        self.work = 0
        return clock_seconds() > self.pause_at

    def get(self):
        """The number of mini-batches, and the sums: losses, weights, rows that are right, and
        squared residuals of each target."""
        sums = [self.totals.loss, self.totals.weight, <double>self.totals.correct]
        return self.done, sums + self.residuals.tolist()

    def set(self, done, sums):
        """Set what `get` of another has given."""
        if not is_whole(done) or done < 0 or (done and len(sums) != 3 + self.n_residuals):
            raise ValueError(f"a position must be a whole number of mini-batches and "
                             f"{3 + self.n_residuals} sums, got {done!r} and {sums!r}")
        if done and not 0 <= sums[2] < 2 ** 63:
            raise ValueError(f"the rows that are right must be a whole number, got {sums[2]}")
        self.done = done
        if done:
            self.totals.loss, self.totals.weight = sums[0], sums[1]
            self.totals.correct = <Py_ssize_t>int(sums[2])
            self.residuals[:] = sums[3:]


cdef Span span_of(object part, Py_ssize_t count, Py_ssize_t batch, Py_ssize_t done) except *:
    """The mini-batches, of `batch` rows, that `count` rows are of an epoch of which `done` are
    done; `part` says what `Trainer.epoch` does, or is None where these are all rows."""
    cdef Span span
    span.first, span.rows = (0, count) if part is None else part
    span.end, span.last = span.first + blocks(count, batch), blocks(span.rows, batch)
    if part is None:
        return span
    if not span.first <= done <= span.end or not (
            span.first * batch + count == span.rows
            or span.end < span.last and count % batch == 0):
        raise ValueError(f"part must say how many mini-batches of {batch} rows come before these "
                         f"{count} rows, and how many rows the epoch has; got {part!r}, and "
                         f"{done} mini-batches are done")
    return span
