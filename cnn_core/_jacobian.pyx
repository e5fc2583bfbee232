"""Derivatives of what a network predicts by what it is given.

For an output j, beginning with dy_j/dz^L = f'(z^L) in place of dC/dz^L, the delta recursion goes on
to the inputs:

    delta^l = ((W^(l+1))^T delta^(l+1)) * f'(z^l)          dy_j/dx = (W^1)^T delta^1

Every row's bits depend on that row alone.
"""

import numpy as np

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release
from libc.math cimport sqrt
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset

from cnn_core._control cimport begin_stop, leave, stop_t, stops
from cnn_core._cpu cimport kernels_for, matmul_args_t, pool_run_until
from cnn_core._linalg cimport ASINH, SMOOTH_CLIP, Curve, Units, curve_named, read_features, real
from cnn_core._matmul cimport matmul_args, panels_of, row_panels
from cnn_core._memory cimport (PANEL_BYTES, Arena, Matrix, address, at, blocks, leading_dimension,
                               matrix)
from cnn_core._network cimport Layer, Network
from cnn_core._platform cimport flush_subnormals, keep_subnormals, restore_subnormals
from cnn_core._predict cimport acquire_buffer, read_units, vector
from cnn_core._tuning cimport WORK_PER_THREAD
from cnn_core._checks import Array
from cnn_core._cpu import most_threads
from cnn_core._memory import aligned_zeros

cdef enum:
    ROWS_TOGETHER = 32
    FEW = 32                    # features of a row that is kept on the stack

cdef object empty = np.empty
cdef object float32 = np.dtype(np.float32)
cdef object float64 = np.dtype(np.float64)
cdef object TOTAL = Array(3, ("float64",)).as_output()


# The buffers of a block of rows.
cdef struct Block:
    Py_ssize_t rows
    Matrix x                    # what the first layer reads
    Matrix dx
    char *delta                 # of a layer, and of the one below
    char *below
    char *layers                # z and a of each layer


# What the threads of a call share.
cdef struct Call:
    void *jacobian
    const double *X
    char *out
    double *total               # what derivatives are added to; NULL: they are stored in `out`
    char *scratch
    const Py_ssize_t *chosen    # the outputs
    Py_ssize_t n_chosen, count
    bint of_z
    stop_t stop


@cython.final
cdef class Jacobian:
    """The derivatives of outputs by the features of rows.

    Parameters
    ----------
    network : Network
        Its parameters are not to change.
    inputs : (shift, factor, curve), optional
        As `RowPredictor` takes them, for some of the first features at least.
    outputs : (factor, shift, low, high), optional
        As `BatchPredictor` takes them; the derivative of an output that is kept at `low` or `high`
        is 0.
    """

    cdef readonly Network network
    cdef readonly tuple inputs, outputs
    cdef Arena arena
    cdef char **Wt
    cdef Units units
    cdef const double *shift
    cdef const double *factor
    cdef Curve curve
    cdef Py_ssize_t n_scaled    # of the n_numbers features that are no categories
    cdef Py_ssize_t n_numbers, n_features, n_out, x_ld, widest, layer_bytes, block_bytes
    cdef bint has_units
    cdef tuple shape
    cdef object spare           # scratch of one row, that the next call may take

    def __cinit__(self, Network network not None, tuple inputs=None, tuple outputs=None):
        cdef Py_ssize_t l
        cdef Layer *layer
        cdef Py_ssize_t itemsize = network.itemsize
        self.network, self.inputs, self.outputs = network, inputs, outputs
        self.n_features, self.n_out = network.n_features, network.widths[-1]
        self.n_numbers, self.shape = network.embedding.n_numbers, (network.n_features,)
        if inputs is not None:
            shift, factor, curve = inputs
            self.curve, self.n_scaled = curve_named(curve), min(len(shift), self.n_numbers)
            self.shift = vector(shift, "shift", self.n_scaled)
            self.factor = vector(factor, "factor", self.n_scaled)
        self.has_units = outputs is not None
        if self.has_units:
            read_units(&self.units, outputs, self.n_out)
        self.arena = Arena()
        self.Wt = <char **>self.arena.alloc(network.n_layers, 1, sizeof(char *))
        self.x_ld = max(leading_dimension(network.widths[0], itemsize), self.n_features)
        self.widest = 0
        for l in range(network.n_layers):
            layer = &network.layers[l]
            self.Wt[l] = self.arena.alloc(blocks(layer.n_in, network.lanes) * PANEL_BYTES,
                                          layer.n_out, 1)
            kernels_for(itemsize).transpose_panels(layer.n_in, layer.n_out, 0, layer.n_in, 0,
                                                   layer.n_out, network.w + layer.W, self.Wt[l])
            self.widest = max(self.widest, layer.ld)
            self.layer_bytes += 2 * layer.ld * itemsize
        self.x_ld = blocks(self.x_ld, network.lanes) * network.lanes
        self.block_bytes = blocks(self.scratch_bytes(ROWS_TOGETHER), PANEL_BYTES) * PANEL_BYTES

    def __reduce__(self):
        return Jacobian, (self.network, self.inputs, self.outputs)

    cdef Py_ssize_t scratch_bytes(self, Py_ssize_t rows) noexcept:
        return rows * ((2 * self.x_ld + 2 * self.widest) * self.network.itemsize
                       + self.layer_bytes) + PANEL_BYTES

    def rows(self, X, outputs, int threads=1, bint of_z=False, total=None):
        """dy/dx of some outputs for every row.

        Parameters
        ----------
        X : ndarray of float64, shape (rows, n_features)
            C-contiguous; unscaled. Features that are numbers of categories have the derivative 0.
        outputs : ndarray of intp, shape (n,)
            Which ones.
        threads : int
            The most to use.
        of_z : bool
            Whether to take z^L in the place of the outputs, which units then leave alone.
        total : ndarray of float64, shape (rows, n, n_features), optional
            C-contiguous. The derivatives are added to it, before they are rounded.

        Returns
        -------
        ndarray of the network's dtype, shape (rows, n, n_features)
            Or `total`.
        """
        cdef Call call
        cdef Py_ssize_t n_blocks, block
        Array(2, ("float64",)).check("X", X)
        Array(1, (np.dtype(np.intp).name,)).check("outputs", outputs)
        if X.shape[1] != self.n_features:
            raise ValueError(f"X must have {self.n_features} features, got {X.shape[1]}")
        if outputs.size and not 0 <= outputs.min() <= outputs.max() < self.n_out:
            raise ValueError(f"outputs must be numbers from 0 to {self.n_out - 1}, got {outputs}")
        X = X if X.flags.aligned else X.copy()
        outputs = np.ascontiguousarray(outputs)
        shape = len(X), len(outputs), self.n_features
        if total is not None:
            TOTAL.check("total", total)
            if total.shape != shape:
                raise ValueError(f"total must have shape {shape}, got {total.shape}")
        out = np.empty(shape, self.network.dtype) if total is None else total
        if out.size == 0:
            return out
        block = min(len(X), ROWS_TOGETHER)
        n_blocks = blocks(len(X), block)
        work = len(X) * self.network.n_weights * (1 + len(outputs))
        threads = <int>max(1, min(threads, work // WORK_PER_THREAD, n_blocks, most_threads))
        scratch = self.take_scratch(block, threads)
        call.jacobian, call.X, call.out = <void *>self, <const double *>address(X), address(out)
        call.total = NULL if total is None else <double *>call.out
        call.scratch, call.count, call.of_z = address(scratch), len(X), of_z
        call.chosen, call.n_chosen = <const Py_ssize_t *>address(outputs), len(outputs)
        begin_stop(&call.stop, None)
        with nogil:
            pool_run_until(jacobian_task, &call, n_blocks, NULL, threads, &call.stop)
        leave(&call.stop)
        if block == 1:
            self.keep_scratch(scratch)
        return out

    def one(self, x, Py_ssize_t output, bint of_z=False, total=None):
        """The same of one output for one row at the least cost.

        Parameters
        ----------
        x : ndarray of float64 or float32, shape (n_features,)
        output : int
            From 0 to n_out - 1.
        of_z : bool
        total : ndarray of float64, shape (n_features,), optional
            As for `rows`.

        Returns
        -------
        ndarray, shape (n_features,), or None
            None if x or `total` is something else, or an entry of x is not finite.
        """
        cdef Call call
        cdef Py_buffer source, target
        cdef Py_ssize_t j
        cdef double[FEW] few
        cdef double *row = few
        if not 0 <= output < self.n_out:
            raise ValueError(f"output must be from 0 to {self.n_out - 1}, got {output}")
        if self.n_features > FEW:
            memory = empty(self.n_features)
            row = <double *>address(memory)
        scratch, out, dtype = self.take_scratch(1, 1), total, float64
        if total is None:
            dtype = self.network.dtype
            out = empty(self.shape, dtype)
        if acquire_buffer(x, float64, 1, self.n_features, 0, &source):
            memcpy(row, source.buf, self.n_features * sizeof(double))
        elif acquire_buffer(x, float32, 1, self.n_features, 0, &source):
            for j in range(self.n_features):
                row[j] = (<const float *>source.buf)[j]
        else:
            return None
        PyBuffer_Release(&source)
        for j in range(self.n_features):
            if row[j] - row[j] != 0:
                return None
        if not acquire_buffer(out, dtype, 1, self.n_features, PyBUF_WRITABLE, &target):
            return None
        call.jacobian, call.X, call.out = <void *>self, row, <char *>target.buf
        call.total = NULL if total is None else <double *>target.buf
        call.chosen, call.n_chosen, call.count, call.of_z = &output, 1, 1, of_z
        begin_stop(&call.stop, None)
        self.run(&call, 0, 1, address(scratch))
        leave(&call.stop)
        PyBuffer_Release(&target)
        self.keep_scratch(scratch)
        return out

    cdef object take_scratch(self, Py_ssize_t block, int threads):
        """Zeros, or what the call before has left: padding is never read into a result."""
        with cython.critical_section(self):  # which Python without a GIL needs
            spare, self.spare = self.spare, None
        if block == 1:
            return aligned_zeros(self.scratch_bytes(1), np.uint8) if spare is None else spare
        return aligned_zeros(threads * self.block_bytes, np.uint8)

    cdef keep_scratch(self, scratch):
        with cython.critical_section(self):
            self.spare = scratch

    cdef void lay_out(self, Block *b, Py_ssize_t rows, char *scratch) noexcept nogil:
        cdef Py_ssize_t itemsize = self.network.itemsize, row = self.x_ld * itemsize
        b.rows = rows
        b.x, b.dx = matrix(scratch, row, itemsize), matrix(scratch + rows * row, row, itemsize)
        scratch += 2 * rows * row
        row = self.widest * itemsize
        b.delta, b.below, b.layers = scratch, scratch + rows * row, scratch + 2 * rows * row

    cdef void run(self, Call *call, Py_ssize_t first, Py_ssize_t rows,
                  char *scratch) noexcept nogil:
        """A block of rows."""
        cdef Block b
        cdef Py_ssize_t i, r, itemsize = self.network.itemsize
        cdef Py_ssize_t work = rows * self.network.n_weights
        cdef Py_ssize_t place
        cdef double *total = NULL
        cdef uint64_t mode
        self.lay_out(&b, rows, scratch)
        mode = keep_subnormals()  # scaling has them
        self.read(&b, call.X + first * self.n_features, rows)
        flush_subnormals()
        self.forward(&b, rows)
        for i in range(call.n_chosen):
            if stops(&call.stop, work):
                break
            self.backward(&b, rows, call.chosen[i], call.of_z)
            keep_subnormals()
            for r in range(rows):
                place = ((first + r) * call.n_chosen + i) * self.n_features
                if call.total != NULL:
                    total = call.total + place
                if itemsize == 8:
                    self.store(call, &b, first, r, i, <double *>call.out + place, total)
                else:
                    self.store(call, &b, first, r, i, <float *>call.out + place, total)
            flush_subnormals()
        restore_subnormals(mode)

    cdef void read(self, Block *b, const double *X, Py_ssize_t rows) noexcept nogil:
        """What the first layer reads."""
        cdef Py_ssize_t r
        cdef char *x
        for r in range(rows):
            x = at(&b.x, r, 0)
            if self.network.itemsize == 8:
                read_features(self.n_features, self.n_scaled, self.shift, self.factor, self.curve,
                              X, <double *>x)
            else:
                read_features(self.n_features, self.n_scaled, self.shift, self.factor, self.curve,
                              X, <float *>x)
            self.network.embedding.read_row(x, x, NULL, 0)
            X += self.n_features

    cdef Matrix z(self, const Block *b, Py_ssize_t l) noexcept nogil:
        """z of a layer; a stands behind it."""
        cdef Py_ssize_t i, itemsize = self.network.itemsize
        cdef char *data = b.layers
        for i in range(l):
            data += 2 * b.rows * self.network.layers[i].ld * itemsize
        return matrix(data, self.network.layers[l].ld * itemsize, itemsize)

    cdef Matrix a(self, const Block *b, Py_ssize_t l) noexcept nogil:
        cdef Matrix z = self.z(b, l)
        return matrix(z.data + b.rows * z.row, z.row, z.column)

    cdef void forward(self, Block *b, Py_ssize_t rows) noexcept nogil:
        """z and a of all layers."""
        cdef Matrix source = b.x, z, a
        cdef Py_ssize_t l
        for l in range(self.network.n_layers):
            z, a = self.z(b, l), self.a(b, l)
            self.network.forward(l, 0, self.network.layers[l].panels, rows, &source, NULL, &z)
            self.network.activate(l, 0, self.network.layers[l].panels, rows, &z, &a)
            source = a

    cdef void backward(self, Block *b, Py_ssize_t rows, Py_ssize_t output,
                       bint of_z) noexcept nogil:
        """The derivatives of an output by what the first layer reads."""
        cdef Py_ssize_t last = self.network.n_layers - 1, l = last, r
        cdef Py_ssize_t itemsize = self.network.itemsize
        cdef Layer *layer = &self.network.layers[last]
        cdef Matrix delta = matrix(b.delta, layer.ld * itemsize, itemsize), below, z, a
        cdef matmul_args_t p
        memset(b.delta, 0, rows * delta.row)
        for r in range(rows):
            if itemsize == 8:
                (<double *>at(&delta, r, output))[0] = 1
            else:
                (<float *>at(&delta, r, output))[0] = 1
        while True:
            layer = &self.network.layers[l]
            if l < last or not of_z:
                z, a = self.z(b, l), self.a(b, l)
                self.network.activate_backward(l, 0, layer.panels, rows, &z, &a, &delta)
            below = b.dx
            if l > 0:
                below = matrix(b.below, self.network.layers[l - 1].ld * itemsize, itemsize)
            matmul_args(&p, rows, blocks(layer.n_in, self.network.lanes), layer.n_out, delta,
                        panels_of(self.Wt[l], PANEL_BYTES, layer.n_out * PANEL_BYTES),
                        row_panels(&below, 0), itemsize)
            kernels_for(itemsize).matmul(&p)
            if l == 0:
                break
            delta, b.below, b.delta = below, b.delta, b.below
            l -= 1
        self.network.embedding.send_back(rows, &b.x, &b.dx)

    cdef void store(self, Call *call, Block *b, Py_ssize_t first, Py_ssize_t r, Py_ssize_t i,
                    real *out, double *total) noexcept nogil:
        """dy/dx in the units of the targets by x before scaling, in float64: rounded once, or added
        to a total."""
        cdef const real *dx = <const real *>at(&b.dx, r, 0)
        cdef const double *x = call.X + (first + r) * self.n_features
        cdef double unit = 1, value
        cdef Py_ssize_t j
        if self.has_units and not call.of_z:
            unit = self.unit(b, r, call.chosen[i])
        for j in range(self.n_features):
            value = 0
            if j < self.n_scaled:
                value = unit * self.slope(j, x[j]) * dx[j]
            elif j < self.n_numbers:
                value = unit * dx[j]
            if total == NULL:
                out[j] = <real>value
            else:
                total[j] += value

    cdef double slope(self, Py_ssize_t j, double x) noexcept nogil:
        """The derivative of the curve of t = (x - shift) * factor by x."""
        cdef double t = (x - self.shift[j]) * self.factor[j]
        if self.curve == ASINH:
            return self.factor[j] / sqrt(1 + t * t)
        if self.curve == SMOOTH_CLIP:
            t /= 3
            t = 1 + t * t
            return self.factor[j] / (t * sqrt(t))
        return self.factor[j]

    cdef double unit(self, Block *b, Py_ssize_t r, Py_ssize_t output) noexcept nogil:
        """The derivative of an output in the units of the targets by a^L."""
        cdef Matrix a = self.a(b, self.network.n_layers - 1)
        cdef double y
        if self.network.itemsize == 8:
            y = (<double *>at(&a, r, output))[0]
        else:
            y = (<float *>at(&a, r, output))[0]
        y = y * self.units.factor[output] + self.units.shift[output]
        if y < self.units.low[output] or y > self.units.high[output]:
            return 0
        return self.units.factor[output]


cdef void jacobian_task(void *context, Py_ssize_t block, int worker) noexcept nogil:
    """A block of rows."""
    cdef Call *call = <Call *>context
    run_block(<Jacobian>call.jacobian, call, block, worker)


cdef void run_block(Jacobian jacobian, Call *call, Py_ssize_t block, int worker) noexcept nogil:
    cdef Py_ssize_t first = block * ROWS_TOGETHER, rows = min(ROWS_TOGETHER, call.count - first)
    jacobian.run(call, first, rows, call.scratch + worker * jacobian.block_bytes)
