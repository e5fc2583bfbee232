"""The mean of what several networks predict: one pass over the rows, a block of them through all
networks while it is in the cache.

Outputs, in the units of the targets, are added in the order of the networks, in float64, divided by
their number and rounded once. So every row's bits depend on that row alone.
"""

import numpy as np

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release
from libc.stdint cimport uint64_t
from libc.string cimport memset

from cnn_core._control cimport begin_stop, leave
from cnn_core._cpu cimport kernels_for, pool_run_until
from cnn_core._linalg cimport Curve, Units, curve_named, read_features, real, scaled_real
from cnn_core._memory cimport Matrix, address, at, blocks
from cnn_core._network cimport Network
from cnn_core._platform cimport keep_subnormals, restore_subnormals
from cnn_core._predict cimport (Prediction, RowPredictor, acquire_buffer, block_rows, forward_block,
                                read_units, vector, widest_layer)
from cnn_core._tuning cimport ROWS_OF_ENSEMBLE, WORK_PER_THREAD
from cnn_core._checks import Array
from cnn_core._cpu import most_threads
from cnn_core._memory import aligned_zeros

cdef object empty = np.empty

# Outputs whose sums are kept on the stack.
cdef enum:
    FEW = 16

# A network, what it reads of a row, and what becomes of its outputs.
cdef struct Member:
    void *network
    const double *shift         # NULL: the rows themselves, in the network's dtype
    const double *factor
    Curve curve
    Py_ssize_t n_scaled         # of the features; the others are numbers of categories
    Py_ssize_t block            # rows that pass through its layers together
    bint reads_on               # what the member before has read
    bint has_units
    Units units


# What the threads of a prediction share.
cdef struct Mean:
    Prediction p                # of which `out` and `index` are not used
    Member *members
    char *inputs                # for each thread the rows of a block as a network reads them
    char *sums                  # and the sums of their outputs
    char *out
    Py_ssize_t n_members, n_features, n_out
    Py_ssize_t itemsize         # of X
    Py_ssize_t out_itemsize
    Py_ssize_t input_bytes, sum_bytes


@cython.final
cdef class EnsemblePredictor:
    """The mean of the outputs of several networks.

    Parameters
    ----------
    members : tuple of (Network, inputs, outputs)
        Networks that read as many features and have as many outputs; inputs and outputs as
        `RowPredictor` takes them, or None.
    """

    cdef readonly tuple members
    cdef readonly object dtype
    cdef object memory
    cdef Member *array
    cdef tuple shape, shape_of_matrix
    cdef list rows
    cdef Py_ssize_t n_features, n_out, n_weights

    def __cinit__(self, tuple members not None):
        cdef Py_ssize_t i
        cdef Network network
        if not members:
            raise ValueError("members must be at least one network")
        self.members = members
        self.memory = aligned_zeros(len(members) * sizeof(Member), np.uint8)
        self.array = <Member *>address(self.memory)
        for i, (network, inputs, outputs) in enumerate(members):
            if i == 0:
                self.n_features, self.n_out = network.n_features, network.widths[-1]
            if (network.n_features, network.widths[-1]) != (self.n_features, self.n_out):
                raise ValueError(f"members[{i}] must read {self.n_features} features and have "
                                 f"{self.n_out} outputs, got {network.n_features} and "
                                 f"{network.widths[-1]}")
            self.n_weights += network.n_weights
            self.set_member(i, network, inputs, outputs)
        self.dtype = np.result_type(*(network.dtype for network, _, _ in members))
        self.shape, self.shape_of_matrix = (self.n_out,), (1, self.n_out)
        self.rows = [RowPredictor(network, inputs) for network, inputs, _ in members]

    def __reduce__(self):
        return EnsemblePredictor, (self.members,)

    cdef set_member(self, Py_ssize_t i, Network network, inputs, outputs):
        cdef Member *m = &self.array[i]
        m.network, m.n_scaled = <void *>network, network.embedding.n_numbers
        if inputs is not None:
            shift, factor, curve = inputs
            m.curve = curve_named(curve)
            m.shift = vector(shift, "shift", m.n_scaled)
            m.factor = vector(factor, "factor", m.n_scaled)
        m.has_units = outputs is not None
        if m.has_units:
            read_units(&m.units, outputs, self.n_out)
        if i:
            before = self.members[i - 1]
            m.reads_on = (before[0].dtype == network.dtype
                          and m.n_scaled == self.array[i - 1].n_scaled
                          and same_inputs(before[1], inputs))

    def forward(self, X, int threads=1, bint check_finite=False, dtype=None):
        """The mean of the outputs for every row of X.

        Parameters
        ----------
        X : ndarray of float32 or float64, shape (rows, n_features)
            C-contiguous; may be read-only. Unscaled.
        threads : int
            The most to use.
        check_finite : bool
            Whether rows are refused of which an entry, as given or as a network reads it, is NaN or
            infinite.
        dtype : float32 or float64, optional
            Of the result; default that of the networks.

        Returns
        -------
        ndarray, shape (rows, n_out), or None
            None where rows are refused.
        """
        if not isinstance(X, np.ndarray):
            raise TypeError(f"X must be an ndarray, got {type(X).__name__}")
        if X.dtype not in (np.float32, np.float64) or X.shape[1:] != (self.n_features,):
            raise ValueError(f"X must have shape (rows, {self.n_features}) and dtype float32 or "
                             f"float64, got {X.shape} and {X.dtype}")
        Array().check("X", X)
        out = np.empty((X.shape[0], self.n_out), self.dtype if dtype is None else dtype)
        if out.dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {out.dtype}")
        X = X if X.flags.aligned else X.copy()
        return out if not len(X) or self.run(X, out, threads, check_finite) else None

    cdef bint run(self, X, out, int threads, bint check_finite) except -1:
        """Whether the rows are not refused."""
        cdef Mean mean
        cdef Member *m
        cdef Network network
        cdef Py_ssize_t i, count = X.shape[0], n_blocks
        mean.p.block = min(count, ROWS_OF_ENSEMBLE)
        n_blocks = blocks(count, mean.p.block)
        threads = <int>max(1, min(threads, count * self.n_weights // WORK_PER_THREAD, n_blocks,
                                  most_threads))
        mean.p.buffer_bytes = mean.input_bytes = 0
        for i in range(len(self.members)):
            m, network = &self.array[i], self.members[i][0]
            m.block = min(block_rows(network, count), mean.p.block)
            mean.p.buffer_bytes = max(mean.p.buffer_bytes, block_rows(network, count)
                                      * widest_layer(network) * network.itemsize)
            mean.input_bytes = max(mean.input_bytes,
                                   mean.p.block * self.n_features * network.itemsize)
        mean.input_bytes = blocks(mean.input_bytes, 64) * 64
        mean.sum_bytes = blocks(mean.p.block * self.n_out * sizeof(double), 64) * 64
        scratch = aligned_zeros((threads, 2, mean.p.buffer_bytes), np.uint8)
        inputs = aligned_zeros((threads, mean.input_bytes), np.uint8)
        sums = aligned_zeros((threads, mean.sum_bytes), np.uint8)
        mean.p.X, mean.p.scratch, mean.p.count = address(X), address(scratch), count
        mean.p.check_finite, mean.p.refused = check_finite, False
        mean.inputs, mean.sums, mean.out = address(inputs), address(sums), address(out)
        mean.members, mean.n_members = self.array, len(self.members)
        mean.n_features, mean.n_out = self.n_features, self.n_out
        mean.itemsize, mean.out_itemsize = X.itemsize, out.itemsize
        begin_stop(&mean.p.stop, None)
        with nogil:
            pool_run_until(mean_task, &mean, n_blocks, NULL, threads, &mean.p.stop)
        leave(&mean.p.stop)
        return not mean.p.refused

    def forward_one(self, x, out=None, bint check=False):
        """The same for one row, x of shape (n_features,), as `RowPredictor.forward` gives it."""
        return self.row_mean(x, 1, empty(self.shape, self.dtype) if out is None else out, check)

    def forward_checked(self, X):
        """As `forward_one` with `check`, for a matrix of one row, shape (1, n_features): shape
        (1, n_out)."""
        return self.row_mean(X, 2, empty(self.shape_of_matrix, self.dtype), True)

    cdef row_mean(self, x, int ndim, out, bint check):
        """The mean of the outputs for a row; None where a network does not take it, or `out` cannot
        have the mean."""
        cdef Py_buffer target
        cdef Py_ssize_t i
        cdef RowPredictor row
        cdef double *sums
        cdef bint good
        cdef double[FEW] few
        shape = self.shape if ndim == 1 else self.shape_of_matrix
        memory = None if self.n_out <= FEW else np.empty(self.n_out)
        if memory is None:
            sums = few
        else:
            sums = <double *>address(memory)
        memset(sums, 0, self.n_out * sizeof(double))
        for i in range(len(self.rows)):
            row = self.rows[i]
            a = row.run(x, ndim, empty(shape, row.dtype), check)
            if a is None:
                return None
            if row.network.itemsize == 8:
                add_row(&self.array[i], self.n_out, <double *>address(a), sums)
            else:
                add_row(&self.array[i], self.n_out, <float *>address(a), sums)
        if check and not kernels_for(8).is_finite(self.n_out, <char *>sums):
            return None
        if not acquire_buffer(out, self.dtype, ndim, self.n_out, PyBUF_WRITABLE, &target):
            return None
        if target.itemsize == 8:
            divide(self.n_out, sums, len(self.rows), <double *>target.buf)
        else:
            divide(self.n_out, sums, len(self.rows), <float *>target.buf)
        good = not check or kernels_for(target.itemsize).is_finite(self.n_out, <char *>target.buf)
        PyBuffer_Release(&target)
        return out if good else None


def same_inputs(a, b):
    """Whether two networks' inputs are scaled alike."""
    if a is None or b is None:
        return a is b
    return a[2] == b[2] and np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])


cdef void mean_task(void *context, Py_ssize_t block, int worker) noexcept nogil:
    """A block of rows through all networks."""
    cdef Mean *mean = <Mean *>context
    cdef Py_ssize_t first = block * mean.p.block, rows = min(mean.p.block, mean.p.count - first), i
    cdef const char *given = mean.p.X + first * mean.n_features * mean.itemsize
    cdef const char *read = given
    cdef char *sums = mean.sums + worker * mean.sum_bytes
    if mean.p.check_finite and not kernels_for(mean.itemsize).is_finite(rows * mean.n_features,
                                                                        given):
        mean.p.refused = True
        return
    memset(sums, 0, rows * mean.n_out * sizeof(double))
    for i in range(mean.n_members):
        if not mean.members[i].reads_on:
            read = read_rows(mean, &mean.members[i], <Network>mean.members[i].network, given, rows,
                             worker)
        if not add_member(mean, &mean.members[i], <Network>mean.members[i].network, read, rows,
                          worker, <double *>sums):
            return
    store(mean, rows, <double *>sums, mean.out + first * mean.n_out * mean.out_itemsize)


cdef const char *read_rows(Mean *mean, const Member *m, Network network, const char *given,
                           Py_ssize_t rows, int worker) noexcept nogil:
    """Rows as a network reads them."""
    cdef char *into = mean.inputs + worker * mean.input_bytes
    cdef uint64_t mode
    if m.shift == NULL and mean.itemsize == network.itemsize:
        return given
    mode = keep_subnormals()
    if mean.itemsize == 8:
        if network.itemsize == 8:
            scale(mean, m, rows, <const double *>given, <double *>into)
        else:
            scale(mean, m, rows, <const double *>given, <float *>into)
    elif network.itemsize == 8:
        scale(mean, m, rows, <const float *>given, <double *>into)
    else:
        scale(mean, m, rows, <const float *>given, <float *>into)
    restore_subnormals(mode)
    return into


cdef void scale(Mean *mean, const Member *m, Py_ssize_t rows, const real *x,
                scaled_real *scaled) noexcept nogil:
    """Rows in another dtype, their first features scaled."""
    cdef Py_ssize_t r, n = mean.n_features, n_scaled = 0 if m.shift == NULL else m.n_scaled
    for r in range(rows):
        read_features(n, n_scaled, m.shift, m.factor, m.curve, x + r * n, scaled + r * n)


cdef bint add_member(Mean *mean, const Member *m, Network network, const char *read,
                     Py_ssize_t rows, int worker, double *sums) noexcept nogil:
    """Add the outputs of a network; False where the run is to end, or rows are refused."""
    cdef Py_ssize_t first = 0, some, row_bytes = mean.n_features * network.itemsize
    cdef Matrix a
    while first < rows:
        some = min(m.block, rows - first)
        if not forward_block(&mean.p, network, read + first * row_bytes, some, worker, &a):
            return False
        if network.itemsize == 8:
            add(m, &a, some, mean.n_out, <double *>a.data, sums + first * mean.n_out)
        else:
            add(m, &a, some, mean.n_out, <float *>a.data, sums + first * mean.n_out)
        first += some
    return True


cdef void add(const Member *m, const Matrix *a, Py_ssize_t rows, Py_ssize_t n_out,
              const real *kind, double *sums) noexcept nogil:
    """Add the outputs of a block; `kind` says of which dtype they are."""
    cdef Py_ssize_t r, j
    cdef uint64_t mode = keep_subnormals()
    for r in range(rows):
        for j in range(n_out):
            sums[r * n_out + j] += in_units(m, j, (<const real *>at(a, r, j))[0])
    restore_subnormals(mode)


cdef void add_row(const Member *m, Py_ssize_t n_out, const real *a, double *sums) noexcept nogil:
    """Add the outputs of a row."""
    cdef Py_ssize_t j
    cdef uint64_t mode = keep_subnormals()
    for j in range(n_out):
        sums[j] += in_units(m, j, a[j])
    restore_subnormals(mode)


cdef inline double in_units(const Member *m, Py_ssize_t j, double a) noexcept nogil:
    """An output in the units of the targets, as `to_units` has it before it is rounded."""
    if not m.has_units:
        return a
    a = a * m.units.factor[j] + m.units.shift[j]
    if a < m.units.low[j]:
        return m.units.low[j]
    return m.units.high[j] if a > m.units.high[j] else a


cdef void store(Mean *mean, Py_ssize_t rows, const double *sums, char *out) noexcept nogil:
    if mean.out_itemsize == 8:
        divide(rows * mean.n_out, sums, mean.n_members, <double *>out)
    else:
        divide(rows * mean.n_out, sums, mean.n_members, <float *>out)


cdef void divide(Py_ssize_t n, const double *sums, Py_ssize_t members, real *out) noexcept nogil:
    """The means, rounded once."""
    cdef Py_ssize_t i
    cdef uint64_t mode = keep_subnormals()
    for i in range(n):
        out[i] = <real>(sums[i] / members)
    restore_subnormals(mode)
