"""Where an epoch is that pauses, or was ended before it was over: the mini-batches that are done,
and the sums over them."""

import numpy as np

cimport cython
from libc.math cimport INFINITY
from libc.string cimport memcpy

from cnn_core._batches cimport Batches, Totals
from cnn_core._memory cimport address
from cnn_core._platform cimport clock_seconds
from cnn_core._checks import is_whole


@cython.final
cdef class Progress:
    """
    Parameters
    ----------
    n_outputs : int
        Of the network.
    """

    def __cinit__(self, Py_ssize_t n_outputs):
        self.residuals = np.zeros(n_outputs)
        self.kept, self.n_residuals = <double *>address(self.residuals), n_outputs
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

    cdef bint is_due(self) noexcept nogil:
        """Whether the epoch is to pause."""
        return self.pause_at < INFINITY and clock_seconds() > self.pause_at

    def get(self):
        """The number of mini-batches, and the sums: losses, weights, rows that are right, and
        squared residuals of each output."""
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
